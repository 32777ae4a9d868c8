#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Finding, choosing, setting up, installing and removing plugins, without a scan. Prints TAP.

    tests/cli/plugins.py [PROGRAM]
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from fixtures import plugin  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    sys.argv[1]
    if len(sys.argv) > 1
    else os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
)
SCAN = ["--set", "dataplane.port=sim", "-p", "80", "198.18.0.1"]
EXPORT = "function export(results, path) end\n"
CONFIG = 'paths = ["/"]\ndepth = 3\nratio = 0.5\nverbose = false\nlabel = "x"'


class Place:
    """A folder with a home, and two folders for plugins in it."""

    def __init__(self, top):
        self.top = top
        self.home, self.a, self.b = (os.path.join(top, name) for name in ("home", "a", "b"))
        for folder in (self.home, self.a, self.b):
            os.mkdir(folder)
        self.installed = os.path.join(self.home, ".prtip", "plugins")

    def run(self, *arguments, status=0, stdin="", program=PROGRAM):
        result = subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.top,
            env=dict(os.environ, HOME=self.home),
        )
        if result.returncode != status:
            raise AssertionError(f"{arguments}: exit {result.returncode}: {result.stderr.strip()}")
        return result

    def plan(self, *arguments):
        return self.run(*SCAN, "--plugin-dir", self.a, "--dry-run", *arguments)

    def enabled(self, *arguments):
        """Names in the order in which --dry-run has them."""
        return re.findall(r"^ {12}([a-z0-9-]+) \S+ \(", self.plan(*arguments).stdout, re.M)

    def config(self, *arguments):
        """--print-config as {section: {key: value}}, after it was read back to the same bytes."""
        once = self.run("--print-config", *arguments).stdout
        twice = self.run("--print-config", "-c", "/dev/stdin", stdin=once).stdout
        same(twice, once)
        sections = {}
        for line in once.splitlines():
            if line.startswith("["):
                keys = sections[line[1:-1]] = {}
            elif line:
                key, _, value = line.partition("=")
                keys[key.strip()] = value.strip()
        return sections

    def write(self, name, text):
        path = os.path.join(self.top, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


def same(got, wanted):
    assert got == wanted, f"{got!r}, not {wanted!r}"


def holds(text, *fragments):
    for fragment in fragments:
        assert fragment in text, f"{fragment!r} is not in {text!r}"


TESTS = []


def test(function):
    TESTS.append(function)
    return function


@test
def listed(place):
    """--list-plugins shows the valid and the invalid in 80 columns"""
    long = '"' + "finds paths " * 20 + '"'
    plugin(place.a, "http-enum", capabilities='["network"]', description=long)
    plugin(place.a, "html", "output", "1.10.0-rc.1")
    plugin(place.b, "broken", main="function on_target(\n")
    os.mkdir(os.path.join(place.a, "no-plugin"))
    result = place.run("--list-plugins", "--plugin-dir", place.a, "--plugin-dir", place.b)
    same(result.stderr, "")
    lines = result.stdout.splitlines()
    holds(lines[0], "NAME", "VERSION", "TYPE", "CAPABILITIES", "DESCRIPTION", "STATE")
    wide = [line for line in lines if len(line) > 80 and " " in line.strip()]
    assert not wide, wide
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:] if not line.startswith(" ")}
    same(set(rows), {"broken", "html", "http-enum"})
    same(rows["html"][:2], ["1.10.0-rc.1", "output"])
    same(rows["http-enum"][:4], ["1.0.0", "scan", "network", "valid"])
    holds(rows["broken"], "invalid")
    holds("".join(result.stdout.split()), "broken/main.lua:2:")


@test
def listed_as_json(place):
    """--list-plugins --json is JSON with every plugin, and with none"""
    for name, kind in (("http-enum", "scan"), ("html", "output"), ("ident", "detection")):
        plugin(place.a, name, kind)
    plugin(place.a, "broken", manifest='[plugin]\nname = "broken \\u0000"\n')
    found = json.loads(place.run("--list-plugins", "--json", "--plugin-dir", place.a).stdout)
    same([entry["name"] for entry in found], ["broken", "html", "http-enum", "ident"])
    same([entry["type"] for entry in found], [None, "output", "scan", "detection"])
    same([entry["state"] for entry in found], ["invalid", "valid", "valid", "valid"])
    assert found[0]["error"] and not found[1]["error"]
    none = place.run("--list-plugins", "--json", "--set", f"plugins.dir={place.b}").stdout
    same(json.loads(none), [])


@test
def nothing_there(place):
    """with nothing to list it says where it looked"""
    result = place.run("--list-plugins", "--set", f"plugins.dir={place.b}, ~/x")
    same(result.stdout, f"no plugins in:\n  {place.b}\n  {place.home}/x (no such folder)\n")


@test
def folders(place):
    """the home's folder and the program's own are searched; ~ is the home"""
    tree = os.path.join(place.top, "tree")
    for folder in ("build", "conf", "plugins"):
        os.makedirs(os.path.join(tree, folder))
    program = shutil.copy(PROGRAM, os.path.join(tree, "build", "prtip-dp"))
    place.write("tree/conf/exclude.conf", "")
    plugin(os.path.join(tree, "plugins"), "shipped")
    plugin(place.installed, "mine")
    plugin(os.path.join(place.home, "own"), "third")

    def names(*arguments):
        found = place.run("--list-plugins", "--json", *arguments, program=program).stdout
        return [entry["name"] for entry in json.loads(found)]

    same(names(), ["mine", "shipped"])
    same(names("--plugin-dir", "~/own"), ["mine", "shipped", "third"])
    same(names("--set", "plugins.dir=~/own"), ["third"])
    result = place.run("--print-config", "--plugin-dir", "~/own", program=program).stdout
    holds(result, f"dir              = ~/own, ~/.prtip/plugins, {tree}/plugins\n")


@test
def order(place):
    """enable and --plugin unite in order, without repeats; nothing else runs"""
    for name in ("one", "two", "three", "four"):
        plugin(place.a, name)
    ini = place.write("s.ini", "[plugins]\nenable = two, one,\n  two\n")
    same(place.enabled(), [])
    holds(place.plan().stdout, "plugins     none\n")
    same(place.enabled("-c", ini), ["two", "one"])
    same(place.enabled("--plugin", "four", "-c", ini, "--plugin", "one"), ["two", "one", "four"])
    same(place.enabled("--plugin", "four,three", "--plugin=one"), ["four", "three", "one"])
    same(place.enabled("--set", "plugins.enable=three", "-c", ini), ["three"])
    dirs = ["--plugin-dir", place.a]
    printed = place.config("-c", ini, "--plugin", "four", "--plugin", "one", *dirs)["plugins"]
    same(printed["enable"], "two, one, four")
    assert printed["dir"].startswith(place.a + ", ~/.prtip/plugins, /"), printed["dir"]


@test
def all_of_them(place):
    """`all` is every valid one, by name, behind those that are named; it skips the invalid aloud"""
    for name in ("c", "a", "d"):
        plugin(place.a, name)
    plugin(place.a, "b", main="x = = 1\n")
    plugin(place.a, "e", manifest="[plugin]\n")
    same(place.enabled("--plugin", "all"), ["a", "c", "d"])
    same(place.enabled("--set", "plugins.enable=all"), ["a", "c", "d"])
    same(place.enabled("--plugin", "d", "--plugin", "all", "--plugin", "c"), ["d", "a", "c"])
    lines = place.plan("--plugin", "all").stderr.splitlines()
    same(len(lines), 2)
    holds(lines[0], "prtip-dp: warning: plugin b is left out: ", "/b/main.lua:1: ")
    holds(lines[1], "prtip-dp: warning: plugin e is left out: ", "/e/plugin.toml")
    same(place.plan("--plugin", "all", "--quiet").stderr, "")
    same(place.config("--plugin", "all", "--plugin-dir", place.a)["plugins"]["enable"], "all")
    result = place.run(*SCAN, "--set", f"plugins.dir={place.b}", "--plugin", "all", "--dry-run")
    holds(result.stderr, f"warning: --plugin all: no valid plugin is in {place.b}\n")
    holds(result.stdout, "plugins     none\n")


@test
def shadowed(place):
    """the plugin of the earlier folder runs, and a warning names both"""
    plugin(place.a, "twice", version="1.0.0")
    plugin(place.b, "twice", version="2.0.0")
    plugin(place.b, "once")
    for first, second, version in ((place.a, place.b, "1.0.0"), (place.b, place.a, "2.0.0")):
        dirs = ["--plugin-dir", first, "--set", f"plugins.dir={second}"]
        result = place.run(*SCAN, *dirs, "--plugin", "twice", "--dry-run")
        holds(result.stdout, f"twice {version} (scan)")
        same(
            result.stderr,
            f"prtip-dp: warning: plugin twice is there twice: {first}/twice is used, "
            f"{second}/twice is not\n",
        )
        same(place.run(*SCAN, *dirs, "--plugin", "twice", "--dry-run", "--quiet").stderr, "")
        same(place.run(*SCAN, *dirs, "--plugin", "once", "--dry-run").stderr, "")
        holds(place.run("--list-plugins", *dirs).stderr, f"{first}/twice is used")
    link = os.path.join(place.top, "link")
    os.symlink(place.a, link)
    result = place.plan("--plugin", "twice", "--plugin-dir", link, "--plugin-dir", place.a + "/.")
    same(result.stderr, "")


@test
def settings(place):
    """[plugin:NAME], --set and --plugin-arg: the command line wins, and all reads back"""
    plugin(place.a, "http-enum", config=CONFIG)
    plugin(place.a, "other")
    ini = place.write(
        "s.ini",
        f"[plugins]\nenable = http-enum\ndir = {place.a}\n[plugin:other]\nx-1_Y = 7\n"
        "[plugin:http-enum]\npaths = /admin,\n  /login\ndepth = 5\nlabel = a, b  c\n"
        "[plugin:other]\nz =\n",
    )
    arguments = ["-c", ini, "--plugin-arg", "http-enum.depth=-9"]
    arguments += ["--plugin-arg=http-enum.depth= 8 "]
    arguments += ["--set", "plugin:http-enum.verbose=ON", "--plugin-arg", "http-enum.ratio=2.5e1"]
    arguments += ["--plugin-arg", "http-enum.extra=a.b=c", "--plugin-arg", "http-enum.label="]
    printed = place.config(*arguments)
    same(list(printed["plugin:other"].items()), [("x-1_Y", "7"), ("z", "")])
    same(
        list(printed["plugin:http-enum"].items()),
        [
            ("paths", "/admin,/login"),
            ("depth", "8"),
            ("label", ""),
            ("verbose", "ON"),
            ("ratio", "2.5e1"),
            ("extra", "a.b=c"),
        ],
    )
    sections = [name for name in printed if name.startswith("plugin")]
    same(sections, ["plugins", "plugin:other", "plugin:http-enum"])
    same(place.enabled("-c", ini), ["http-enum"])


@test
def settings_of_the_idle(place):
    """a setting of a plugin that does not run is fine, also of one that cannot"""
    plugin(place.a, "idle", config=CONFIG)
    plugin(place.a, "broken", main="=\n")
    same(place.enabled("--plugin-arg", "idle.depth=4", "--plugin-arg", "broken.x=1"), [])


@test
def outputs(place):
    """-o with an output plugin enables it, behind the others, and replaces the file's outputs"""
    plugin(place.a, "html", "output")
    plugin(place.a, "export-only", "output", main=EXPORT)
    plugin(place.a, "scanner")
    ini = place.write(
        "s.ini",
        "[output]\nhtml = f.html\nexport-only = f\nndjson = n\n"
        f"[plugins]\ndir = {place.a}\n",
    )
    same(place.enabled("-o", "html:x.html", "--plugin", "scanner"), ["scanner", "html"])
    same(place.enabled("-o", "html:-", "--plugin", "html,scanner"), ["html", "scanner"])
    same(place.enabled("-o", "export-only:x", "-o", "html:y"), ["export-only", "html"])
    same(place.enabled("-c", ini), ["html", "export-only"])
    same(place.enabled("-c", ini, "-o", "html:other"), ["html"])
    same(place.enabled("-c", ini, "-o", "table:t"), [])
    same(place.enabled("-c", ini, "--set", "output.html="), ["export-only"])
    printed = place.config("-c", ini, "-o", "table:t", "-o", "html:y z")["output"]
    same((printed["html"], printed["table"], printed["ndjson"]), ("y z", "t", ""))
    assert "export-only" not in printed
    same(place.config("-c", ini)["output"]["export-only"], "f")
    same(place.config("-c", ini, "--set", "output.html=w")["output"]["html"], "w")


@test
def output_without_a_file(place):
    """an output plugin that is named without -o is pointed out"""
    plugin(place.a, "html", "output")
    warning = place.plan("--plugin", "html").stderr
    holds(warning, "warning: plugin html ", "writes nothing without -o html:PATH")
    same(place.plan("--plugin", "html", "-o", "html:x").stderr, "")
    same(place.plan("--plugin", "all").stderr, "")


@test
def plan(place):
    """--dry-run tells versions, lanes, the limits that hold, and what becomes of late results"""
    plugin(place.a, "free", version="1.2.3")
    limits = "[plugin.limits]\nmemory_mb = 20\ncpu_seconds = 0.5\n"
    plugin(place.a, "tight", capabilities='["network", "filesystem"]', config=limits)
    text = place.plan(
        *["--plugin", "free", "--plugin", "tight", "--set", "plugins.lanes=3"],
        *["--set", "plugins.memory_mb=50", "--set", "plugins.cpu_seconds=.25"],
        *["--set", "plugins.wall_seconds=7", "--set", "plugins.instructions=2000"],
        *["--set", "plugins.phase_seconds=9.5", "--set", "plugins.queue=16"],
        *["--set", "plugins.spill_dir=/tmp", "--set", "plugins.spill_mb=3"],
        *["--set", "plugins.drain=90"],
    ).stdout
    holds(
        text,
        "plugins     2, with 3 lanes each\n"
        "            free 1.2.3 (scan)\n"
        "              50 MB, a result: 0.25 s of CPU, 7 s, 2000 instructions; a phase: 9.5 s\n"
        "            tight 1.0.0 (scan, network, filesystem)\n"
        "              20 MB, a result: 0.25 s of CPU, 7 s, 2000 instructions; a phase: 9.5 s\n"
        "            16 results may wait for each, then spill up to 3 MB to /tmp; drain 90s\n"
        "nothing was sent\n",
    )
    for overflow in ("skip", "throttle"):
        holds(
            place.plan("--plugin", "free", "--set", f"plugins.overflow={overflow}").stdout,
            f"65536 results may wait for each, then {overflow}; drain 60s\n",
        )


@test
def round_trip(place):
    """every key about plugins and banners reads back"""
    values = {
        "plugins": "lanes=2 memory_mb=7 cpu_seconds=0.125 wall_seconds=1.5 instructions=123456 "
        "phase_seconds=12 queue=1024 overflow=throttle spill_dir=/a/b spill_mb=5 drain=1500ms "
        "source=127.0.0.1 device=lo",
        "banner": "enable=on max_bytes=4096 wait=250ms",
        "sim": "banners=off",
    }
    pairs = [(section, pair.split("=")) for section in values for pair in values[section].split()]
    printed = place.config(*[a for s, (k, v) in pairs for a in ("--set", f"{s}.{k}={v}")])
    for section, (key, value) in pairs:
        same(printed[section][key], value)


@test
def installed(place):
    """install, replace by a newer version only, remove"""
    where = os.path.join(place.installed, "http-enum")
    path = plugin(place.a, "http-enum", version="0.9.0", config=CONFIG)
    os.mkdir(os.path.join(path, "lib"))
    place.write("a/http-enum/lib/x.lua", "return {}\n")
    same(
        place.run("--install-plugin", path).stdout, f"installed http-enum 0.9.0 to {where}\n"
    )
    same(sorted(os.listdir(where)), ["README.md", "lib", "main.lua", "plugin.toml"])
    result = place.run("--install-plugin", path, status=1)
    holds(result.stderr, "prtip-dp: --install-plugin ", "0.9.0")
    same((result.stdout, result.stderr.count("\n")), ("", 1))
    plugin(place.a, "http-enum", version="1.0.0")
    same(
        place.run("--install-plugin", path + "/").stdout,
        f"installed http-enum 1.0.0 to {where}, replaced 0.9.0\n",
    )
    plugin(place.b, "http-enum", version="0.9.5")
    holds(place.run("--install-plugin", "b/http-enum", status=1).stderr, "0.9.5", "1.0.0")
    result = place.run(*SCAN, "--plugin", "http-enum", "--dry-run")
    holds(result.stdout, "http-enum 1.0.0 (scan)")
    result = place.run("--remove-plugin", "http-enum")
    same(result.stdout, f"removed http-enum from {place.installed}\n")
    same(os.listdir(place.installed), [])
    result = place.run("--remove-plugin", "http-enum", "--plugin-dir", "b", status=1)
    holds(result.stderr, "it lies in b/http-enum", place.installed)
    same(sorted(os.listdir(place.b)), ["http-enum"])
    holds(place.run("--remove-plugin", "http-enum", status=1).stderr, place.installed)


@test
def install_refused(place):
    """what is not valid is not installed, and a valid one stays as it was"""
    plugin(place.a, "http-enum")
    place.run("--install-plugin", "a/http-enum")
    plugin(place.b, "http-enum", version="2.0.0", main="function on_target(\n")
    holds(place.run("--install-plugin", "b/http-enum", status=1).stderr, "b/http-enum/main.lua:2: ")
    code = "function on_target() end\nerror('gone wrong')\n"
    plugin(place.b, "http-enum", version="2.0.0", main=code)
    holds(place.run("--install-plugin", "b/http-enum", status=1).stderr, "gone wrong")
    same(os.listdir(place.installed), ["http-enum"])
    with open(os.path.join(place.installed, "http-enum", "plugin.toml"), encoding="utf-8") as file:
        holds(file.read(), 'version = "1.0.0"')


@test
def checked(place):
    """--check-plugin reports on a good plugin"""
    plugin(place.a, "http-enum")
    result = place.run("--check-plugin", "a/http-enum")
    holds(result.stdout, "http-enum")
    same(result.stderr, "")


def main():
    failed = 0
    print(f"1..{len(TESTS)}")
    for number, function in enumerate(TESTS, 1):
        try:
            with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
                function(Place(os.path.realpath(folder)))
            print(f"ok {number} - {function.__doc__}", flush=True)
        except (AssertionError, subprocess.TimeoutExpired, OSError, ValueError) as error:
            failed += 1
            print(f"not ok {number} - {function.__doc__}")
            print("# " + str(error)[:900].replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
