#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Finding, choosing, setting up, installing and removing plugins, without a scan. Prints TAP.

    tests/cli/plugins.py [PROGRAM]
"""

import json
import os
import re
import shlex
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

    program = None  # what is run

    def __init__(self, top):
        self.top = top
        self.home, self.a, self.b = (os.path.join(top, name) for name in ("home", "a", "b"))
        for folder in (self.home, self.a, self.b):
            os.mkdir(folder)
        self.installed = os.path.join(self.home, ".prtip", "plugins")

    def run(self, *arguments, status=0, stdin="", program=None):
        result = subprocess.run(
            [program or self.program, *arguments],
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


@test
def made(place):
    """--new-plugin makes a plugin of each type; the two commands that it prints succeed"""
    added = {
        "scan": lambda r: r["plugins"]["new-scan"]["results"]["distance"] in ("near", "far"),
        "detection": lambda r: r.get("service", {}).get("product") in ("OpenSSH", "dropbear"),
    }
    for kind in ("scan", "output", "detection"):
        name = "new-" + kind
        result = place.run("--new-plugin", name, "--type", kind)
        same(result.stderr, "")
        files, commands = result.stdout.split("next:\n")
        same(files.splitlines()[0], f"{name}, a new {kind} plugin:")
        told = sorted(line.strip() for line in files.splitlines()[1:])
        same(told, walk(place.top, name))
        check_command, scan_command = (shlex.split(line) for line in commands.splitlines())
        same([check_command[0], scan_command[0]], [place.program, place.program])
        report = place.run(*check_command[1:]).stdout
        assert "\nwarning" not in report and " tests passed\n" in report, report
        quick = ["--set", "scan.cooldown=300ms", "--set", "sim.alive=1", "--set", "sim.open=1"]
        out = place.run(*scan_command[1:], *quick).stdout
        same(len(out.splitlines()), 256)
        if kind == "output":
            holds(out, "198.18.0.77 80 open -\n")
        else:
            records = [json.loads(line) for line in out.splitlines()]
            same({r["plugins"][name]["status"] for r in records}, {"ok"})
            assert sum(bool(added[kind](r)) for r in records) > 50
        place.run(*SCAN, "--plugin-dir", ".", "--plugin", name, "--quiet")


@test
def made_with_sockets(place):
    """what the detection skeleton has in comments for sockets becomes code by one character, and is tested"""
    place.run("--new-plugin", "asks", "--type", "detection")
    before = place.run("--check-plugin", "asks").stdout
    for name in ("main.lua", "tests/basic.lua", "plugin.toml"):
        path = os.path.join(place.top, "asks", name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        changed = re.sub(r"^--\[\[$", "---[[", text, flags=re.M)
        changed = re.sub(r"^capabilities = \[\]", 'capabilities = ["network"]', changed, flags=re.M)
        assert changed != text, name
        place.write(os.path.join("asks", name), changed)
    report = place.run("--check-plugin", "asks").stdout
    assert "\nwarning" not in report, report
    holds(report, "hooks: on_load, analyze_banner, probe_service\n", "capabilities: network\n", ": nobody there, ")
    cases = [int(re.search(r"^(\d+) tests passed$", text, re.M)[1]) for text in (before, report)]
    same(cases[1], cases[0] + 2)


WHOLE_SCAN = """
function on_post_scan(results)
    for _, result in prtip.each(results) do
        print(result.port, result.state, prtip.json_encode(result.plugins or {}))
    end
end
"""

WHOLE_OUTPUT = """
function export(results, path)
    for _, result in prtip.each(results) do
        local said = prtip.json_encode(result.plugins or {})
        assert(prtip.append_file(path, result.port .. " " .. result.state .. " " .. said .. "\\n"))
    end
end
"""


@test
def whole_sequences(place):
    """on_post_scan and export have all results that are written, whatever [plugin.match] says, with what each
    plugin said"""
    match = "\n[plugin.match]\nports = [81]\n"
    adds = "function on_target(t) prtip.add_result('port', t.port) end\n"
    plugin(place.a, "adds", main=adds, config=match)
    plugin(place.a, "post", main=WHOLE_SCAN, config=match)
    plugin(place.a, "out", "output", main=WHOLE_OUTPUT, config=match)
    said = {80: {}, 81: {"adds": {"status": "ok", "results": {"port": 81}}}}
    scan = ["--set", "dataplane.port=sim", "--set", "scan.cooldown=300ms", "--set", "sim.alive=1", "-p", "80,81",
            "198.18.0.1", "--plugin-dir", place.a, "--plugin", "adds", "--plugin", "post"]
    for state in ("open", "closed"):
        more = ["--set", f"sim.open={int(state == 'open')}", "--set", "output.include_closed=yes"]
        path = os.path.join(place.top, state)
        done = place.run(*scan, *more, "-o", f"out:{path}")
        with open(path, encoding="utf-8") as file:
            exported = [line.split(None, 2) for line in file]
        posted = re.findall(r"^prtip-dp: post: (\d+) (\w+) (.*)$", done.stderr, re.M)
        for rows in (exported, posted):
            seen = {int(port): (found, json.loads(text)) for port, found, text in rows}
            wanted = said if state == "open" else {80: {}, 81: {}}
            same(seen, {port: (state, wanted[port]) for port in (80, 81)})


def walk(top, name):
    """All files below the folder, as NAME/..."""
    where = os.walk(os.path.join(top, name))
    return sorted(os.path.relpath(os.path.join(at, f), top) for at, _, files in where for f in files)


@test
def made_once(place):
    """--new-plugin never writes into what is there, and says so"""
    place.run("--new-plugin", "mine", "--type", "scan")
    place.write("mine/main.lua", "precious")
    os.mkdir(os.path.join(place.top, "empty"))
    place.write("file", "precious")
    os.symlink("nowhere", os.path.join(place.top, "link"))
    before = walk(place.top, ".")
    for name in ("mine", "empty", "file", "link"):
        result = place.run("--new-plugin", name, "--type", "output", status=1)
        wanted = f"prtip-dp: --new-plugin {name}: {name} is there already; nothing was changed\n"
        same((result.stdout, result.stderr), ("", wanted))
    same(walk(place.top, "."), before)
    for name in ("mine/main.lua", "file"):
        with open(os.path.join(place.top, name), encoding="utf-8") as file:
            same(file.read(), "precious")
    place.run("--new-plugin", "csv", "--type", "scan")


def check(place, *, status=0, tests=None, **more):
    """--check-plugin of a plugin `p` with the one file of tests."""
    path = plugin(place.a, "p", **more)
    if tests is not None:
        os.makedirs(os.path.join(path, "tests"), exist_ok=True)
        place.write("a/p/tests/t.lua", tests)
    result = place.run("--check-plugin", path, status=status)
    assert all(len(line) <= 80 for line in result.stdout.splitlines()), result.stdout
    same(result.stderr.count("\n"), 1 if status else 0)
    return result


@test
def check_refuses(place):
    """--check-plugin refuses a wrong hook, an undeclared capability, a broken main.lua"""
    scan = "function on_target(target, result) %s end\n"
    result = check(place, status=1, main=scan % "" + "function format_result(r) end\n")
    holds(result.stderr, "format_result is a hook of plugins of type output")
    result = check(place, status=1, main=scan % "return prtip.connect(target.ip, 1)")
    holds(result.stderr, 'main.lua:1: prtip.connect needs capability "network"')
    result = check(place, status=1, main=scan % "prtip.ad_result(1, 2)")
    holds(result.stderr, "no prtip.ad_result; the nearest is prtip.add_result")
    result = check(place, status=1, main=scan % "" + "local x = nil + 1\n")
    holds(result.stderr, "main.lua:2: attempt to perform arithmetic on a nil value")
    result = check(place, status=1, main=scan % "" + "function on_load() return 'no key' end\n")
    holds(result.stderr, "no key")
    plugin(place.a, "p")
    os.unlink(os.path.join(place.a, "p", "README.md"))
    holds(place.run("--check-plugin", "a/p", status=1).stderr, "README.md")


@test
def check_fails_tests(place):
    """a failing and a looping test fail the check and the installation, with the message"""
    tests = (
        "test.case('fine', function() test.equal({1, {x = 'y'}}, {1, {x = 'y'}}) end)\n"
        "test.case('unequal', function() test.equal(1, 2) end)\n"
        "test.case('endless', function() while true do pcall(error) end end)\n"
    )
    result = check(place, status=1, tests=tests)
    holds(result.stderr, ": 2 of 3 tests failed\n")
    holds(
        result.stdout,
        "ok       tests/t.lua: fine\n",
        "error    tests/t.lua: unequal\n         tests/t.lua:2: expected 2, got 1\n",
        "error    tests/t.lua: endless\n         instructions: ",
    )
    result = place.run("--install-plugin", "a/p", status=1)
    holds(result.stderr, "2 of 3 tests failed")
    same((result.stdout, os.path.exists(place.installed)), ("", False))


NETWORK_MAIN = """
local connect = prtip.connect
local lib = require("lib")

function on_load(config)
    lib.paths = config.paths
end

function on_target(target, result)
    local sock, why = connect(target.ip, target.port, {timeout = 1})
    if not sock then
        prtip.log("warn", why)
        return why
    end
    lib.greet(sock)
    prtip.add_result("paths", lib.paths)
    return "done"
end
"""

NETWORK_LIB = """
local lib = {}

function lib.greet(sock)
    prtip.send(sock, "HELO x\\r\\n")
    return prtip.receive(sock, 4, 1)
end

return lib
"""

NETWORK_TESTS = """
local lib = require("lib")
local IP = "198.18.0.1"

test.case("no server", function()
    test.equal(test.call("on_target", test.target{}, test.result{}), "Connection refused")
    test.equal(test.logs(), {{level = "warn", message = "Connection refused"}})
    test.equal(test.results(), {})
end)

test.case("steps, parts and the end", function()
    test.server(IP, 25, {{reply = "220 hello"}, {expect = "HELO", reply = "250 x"}, {close = true}})
    local sock = prtip.connect(IP, 25)
    test.equal(prtip.receive(sock, 3), "220")
    test.equal(prtip.receive(sock, 100), " hello")
    local data, why = prtip.receive(sock, 1)
    test.equal({data, why}, {nil, "timeout"})
    test.equal(prtip.send(sock, "HELO a"), 6)
    test.equal(prtip.receive(sock, 10), "250 x")
    test.equal(prtip.receive(sock, 10), "")
    test.ok(prtip.close(sock) and prtip.close(sock))
    test.fails(function() prtip.receive(sock, 1) end, "closed")
    test.fails(function() prtip.send("x", "y") end, "a socket expected")
end)

test.case("each connection plays it again", function()
    test.server(IP, 80, {{expect = "HELO", reply = "hi"}})
    for _ = 1, 2 do test.equal(lib.greet(prtip.connect(IP, 80)), "hi") end
    test.equal(test.call("on_target", test.target{port = 80}, test.result{}), "done")
    test.equal(test.results(), {paths = {"/a", "/b"}})
end)

test.case("timeouts and refusals", function()
    test.server(IP, 1, {{timeout = true}, {reply = "late"}})
    test.server(IP, 2, {{refuse = true}})
    test.server(IP, 3, {{refuse = "No route to host"}})
    local sock = prtip.connect(IP, 1)
    test.equal(select(2, prtip.receive(sock, 9)), "timeout")
    test.equal(prtip.receive(sock, 9), "late")
    test.equal(select(2, prtip.connect(IP, 2)), "Connection refused")
    test.equal(select(2, prtip.connect(IP, 3)), "No route to host")
    test.equal(select(2, prtip.connect("localhost", 3)), "not an IP address")
    test.fails(function() prtip.connect(IP, 0) end, "port")
end)

test.case("datagrams", function()
    test.server(IP, 53, {protocol = "udp", {expect = "q", reply = "abcdef"}, {reply = "g"}})
    local sock = prtip.connect(IP, 53, {protocol = "udp"})
    prtip.send(sock, "q")
    test.equal(prtip.receive(sock, 2), "ab")
    test.equal(prtip.receive(sock, 2), "g")
    test.equal(select(2, prtip.receive(sock, 2)), "timeout")
    test.equal(select(2, prtip.connect(IP, 53)), "Connection refused")
end)

test.case("TLS", function()
    test.server(IP, 443, {tls = {protocol = "TLSv1.2"}, hello = {version = "TLSv1.2"}, {reply = "s"}})
    test.server(IP, 25, {tls = true, starttls = true, hello = {version = "TLSv1.0"},
        {expect = "STARTTLS", reply = "go"},
        {expect = "x", reply = "y"}})
    test.server(IP, 80, {{reply = "plain"}})
    local sock = prtip.connect(IP, 443, {tls = true})
    test.equal(prtip.tls_info(sock).protocol, "TLSv1.2")
    test.equal(prtip.receive(sock, 9), "s")
    test.equal(prtip.receive(prtip.connect(IP, 443), 9), "")
    test.equal(prtip.tls_probe(IP, 443, {}).version, "TLSv1.2")
    sock = prtip.connect(IP, 25)
    test.equal(select(2, prtip.tls_info(sock)), "no TLS on this socket")
    prtip.send(sock, "STARTTLS")
    test.equal(prtip.receive(sock, 9), "go")
    test.ok(prtip.start_tls(sock, {server_name = "a.example"}))
    test.equal(prtip.tls_info(sock).server_name, "a.example")
    prtip.send(sock, "x")
    test.equal(prtip.receive(sock, 9), "y")
    sock = prtip.connect(IP, 25)
    prtip.send(sock, "STARTTLS")
    test.equal(prtip.receive(sock, 9), "go")
    test.equal(prtip.tls_probe(IP, 25, {sock = sock}).version, "TLSv1.0")
    test.fails(function() prtip.send(sock, "x") end, "this socket is closed")
    sock = prtip.connect(IP, 25)
    prtip.start_tls(sock)
    test.equal(select(2, prtip.tls_probe(IP, 25, {sock = sock})), "TLS already")
    sock = prtip.connect(IP, 80)
    test.equal(select(2, prtip.tls_probe(IP, 80, {sock = sock})), "closed without an answer")
    test.ok(not prtip.connect(IP, 25, {tls = true}))
    test.ok(not prtip.connect(IP, 80, {tls = true}))
    test.equal(select(2, prtip.tls_probe(IP, 80)), "closed without an answer")
end)

test.case("ports, sleep and scope", function()
    test.server(IP, 22, {})
    test.ports(IP, {[23] = "filtered"})
    test.equal({prtip.scan_port(IP, 22), prtip.scan_port(IP, 23), prtip.scan_port(IP, 24)},
        {"open", "filtered", "closed"})
    test.ok(prtip.sleep(1e6))
    test.server(IP, 80, {})
    test.equal(test.call("on_target", test.target{ip = "198.18.0.9"}, test.result{}),
        "Connection refused")
    local own = on_target
    function _G.on_target() return prtip.connect(IP, 80) end
    test.ok(test.call("on_target", test.target{}))
    test.equal(select(2, test.call("on_target", test.target{ip = "198.18.0.9"})), "denied")
    _G.on_target = own
end)

test.case("files are another capability", function()
    test.fails(function() prtip.read_file("x") end,
        'PermissionDenied: read_file needs capability "filesystem"')
end)

test.case("what a script does not expect is told", function()
    test.server(IP, 80, {{expect = "EHLO", reply = "250"}})
    test.call("on_target", test.target{}, test.result{})
end)
"""


@test
def check_with_network(place):
    """tests of a plugin meet a scripted network; what it was not told to expect fails them"""
    more = {"capabilities": '["network"]', "config": 'paths = ["/a", "/b"]'}
    path = plugin(place.a, "p", main=NETWORK_MAIN, **more)
    os.mkdir(os.path.join(path, "lib"))
    place.write("a/p/lib/lib.lua", NETWORK_LIB)
    os.mkdir(os.path.join(path, "tests"))
    place.write("a/p/tests/net.lua", NETWORK_TESTS)
    result = place.run("--check-plugin", path, status=1)
    assert result.stderr.endswith("1 of 9 tests failed\n"), result.stdout
    holds(
        result.stdout,
        "error    tests/net.lua: what a script does not expect is told\n"
        '         the server 198.18.0.1:80 expected "EHLO" and was sent "HELO x\\r\\n"\n',
    )
    place.write("a/p/tests/net.lua", NETWORK_TESTS[: NETWORK_TESTS.rindex("test.case(")])
    holds(place.run("--check-plugin", path).stdout, "\n8 tests passed\n")
    holds(place.run("--install-plugin", path).stdout, "installed p 1.0.0")


FILES_MAIN = """
function on_load(config)
    prtip.write_file("state", "loaded")
end

function format_result(result)
    if prtip.get_target().port ~= prtip.target_info.port then error("not the same") end
    if result.service == "change" then result.service = "x" end
    if result.service == "result" then prtip.add_result("a", 1) end
    return result.ip .. " " .. tostring(result.banner)
end

function export(results, path)
    for _, result in prtip.each(results) do
        prtip.append_file(path, result.ip .. ";")
    end
    prtip.add_result("a", 1)
end
"""

FILES_TESTS = """
test.case("files", function()
    test.files{a = "1"}
    test.ok(prtip.append_file("a", "2") and prtip.write_file("b", ""))
    test.equal(test.files(), {a = "12", b = ""})
    test.equal(select(2, prtip.read_file("c")), "No such file or directory")
    test.equal(select(2, prtip.read_file("../c")), "denied")
end)

test.case("a new world for each", function()
    test.equal(test.files(), {})
end)

test.case("output hooks", function()
    test.equal(test.call("format_result", test.result{banner = "b"}), "198.18.0.1 b")
    local all = {test.result{}, test.result{ip = "198.18.0.2"}}
    test.fails(function() test.call("export", all, "/out") end, "there is no target here")
    test.equal(test.files(), {["/out"] = "198.18.0.1;198.18.0.2;"})
end)

test.case("what would fail in a scan fails here", function()
    test.fails(function() test.call("format_result", test.result{service = "change"}) end,
        "read-only")
    test.fails(function() test.call("on_target", test.target{}) end, "defines no function")
    test.fails(function() prtip.connect("198.18.0.1", 80) end, "PermissionDenied")
    test.fails(function() prtip.add_result("a", print) end, "a function cannot be a result")
    test.fails(function() prtip.log("loud", "x") end, "level")
    test.fails(function() test.server("198.18.0.1", 80, {{replay = "x"}}) end, "is not known")
    test.fails(function() test.equal({a = {1, 2}}, {a = {1}}) end, "value.a[2]: expected nothing")
    test.fails(function() test.fails(function() end) end, "did not fail")
end)
"""


@test
def check_with_files(place):
    """tests of a plugin have files of their own; the user's are not touched"""
    more = {"capabilities": '["filesystem"]', "main": FILES_MAIN, "tests": FILES_TESTS}
    result = check(place, kind="output", **more)
    holds(result.stdout, "\n4 tests passed\n")
    same(os.listdir(place.home), [])


def alone(program, tree):
    """A copy of the program that has no plugins of its own beside it."""
    for folder in ("build", "conf"):
        os.mkdir(os.path.join(tree, folder))
    for name in ("exclude.conf", "fingerprints.txt"):
        shutil.copy(os.path.join(TOP, "conf", name), os.path.join(tree, "conf"))
    return shutil.copy(program, os.path.join(tree, "build", "prtip-dp"))


def main():
    with tempfile.TemporaryDirectory(prefix="prtip-") as tree:
        Place.program = alone(PROGRAM, os.path.realpath(tree))
        return run_all()


def run_all():
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
