#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/plugin-guide.md is true: each block of code in it is run, by the comment that stands before it,
and each message in its last table is what the program prints. Prints TAP.

    tests/cli/guide.py [TEST...]

A comment `<!-- run: KIND ... -->` before a block says how; further lines of it are hidden from readers.

    file PATH                      the block is written to PATH, for shell blocks
    shell [status=N]               lines behind `$ ` are commands (`> ` goes on), the others what they print:
                                   a line `...` stands for any lines, `…` within one for any text
    lab                            the same in one shell, as root in namespaces of its own, where `sudo` does
                                   nothing; a command may end in `&`. Skipped where we are not root
    scan TYPE [CAPABILITY...] [args="..."] [wanted='JSON']
                                   main.lua of a plugin in a scan of one simulated host; what it prints is
                                   what stands behind `-->`, in order; wanted: its results in the record
    check TYPE [CAPABILITY...]     main.lua of a plugin; the hidden lines are its tests
    test TYPE [CAPABILITY...]      a file of tests; the hidden lines are main.lua
    manifest PATH                  plugin.toml with all keys that there are
    ini                            an INI file that --print-config takes
    json                           JSON
    picture                        no code
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from fixtures import HOOKS, plugin  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp")))
SIM = ["--set", "dataplane.port=sim", "--set", "sim.alive=1", "--set", "sim.open=1", "--set",
       "scan.cooldown=300ms"]
ONE = ["-p", "80", "198.18.0.1"]
GUIDE = "docs/plugin-guide.md"


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def same(got, wanted):
    assert got == wanted, f"{got!r}, not {wanted!r}"


# ---- The guide, taken apart ----


class Skipped(Exception):
    """A block that cannot be run here."""


class Block:
    def __init__(self, line, run, hidden, language, text):
        self.line, self.hidden, self.language, self.text = line, hidden, language, text
        words = shlex.split(run)
        self.kind, self.words, self.options = words[0], [], {}
        for word in words[1:]:
            key, equals, value = word.partition("=")
            if equals and key in ("status", "args", "wanted"):
                self.options[key] = value
            else:
                self.words.append(word)


def blocks(text):
    """All blocks of code. One without a comment that says how it is run is an error."""
    lines = text.split("\n")
    at, run, found = 0, None, []
    while at < len(lines):
        line = lines[at]
        if line.startswith("<!-- run: "):
            assert not run, f"{GUIDE}:{at + 1}: no block of code follows the comment before"
            start = at
            while not lines[at].endswith("-->"):
                at += 1
            comment = lines[start : at + 1]
            comment[-1] = comment[-1][: -len("-->")]
            run = (comment[0][len("<!-- run: ") :].strip(), "\n".join(comment[1:]))
        elif line.startswith("```"):
            assert run, f"{GUIDE}:{at + 1}: no rule says how this block is run"
            start = at
            at += 1
            while lines[at] != "```":
                at += 1
            code = "\n".join(lines[start + 1 : at]) + "\n"
            found.append(Block(start + 1, *run, line[3:], code))
            run = None
        else:
            assert not line or not run, f"{GUIDE}:{at + 1}: no block of code follows the comment before"
            indented = re.match(r"(    |\t)", line) and not lines[at - 1]
            assert not indented, f"{GUIDE}:{at + 1}: a block of code without a fence"
        at += 1
    assert not run
    return found


# ---- Running blocks ----


class Place:
    """A folder with a home, where shell blocks and plugins of the guide live."""

    def __init__(self, top):
        self.top = top
        os.chmod(top, 0o755)
        self.bin = os.path.join(top, ".bin")
        os.mkdir(self.bin)
        os.symlink(PROGRAM, os.path.join(self.bin, "prtip-dp"))
        with open(os.path.join(self.bin, "sudo"), "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nexec "$@"\n')
        os.chmod(file.name, 0o755)
        self.environment = dict(os.environ, HOME=top, PATH=self.bin + ":" + os.environ["PATH"])

    def path(self, *names):
        return os.path.join(self.top, *names)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def run(self, *arguments, merged=True):
        return subprocess.run(
            ["prtip-dp", *arguments], cwd=self.top, env=self.environment, text=True, timeout=100,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        )

    def plugin(self, name, words, main, tests=None, /, **more):
        kind, *capabilities = words
        plugin(self.path("plugins"), name, kind, main=main, capabilities=json.dumps(capabilities), **more)
        if tests is not None:
            self.write(f"plugins/{name}/tests/t.lua", tests)
        return self.path("plugins", name)


def pattern(expected):
    """A regular expression of what a shell block expects."""
    parts = []
    for line in expected:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(piece) for piece in line.split("…")) + r"\n")
    return "".join(parts)


def run_file(place, block):
    place.write(block.words[0], block.text)


def commands_of(block):
    """[(lines of a command, lines that it prints)]"""
    commands = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append(([line[2:]], []))
        elif line.startswith("> ") and not commands[-1][1]:
            commands[-1][0].append(line[2:])
        else:
            commands[-1][1].append(line)
    return commands


def run_shell(place, block):
    commands = commands_of(block)
    for number, (command, expected) in enumerate(commands, 1):
        done = subprocess.run(
            ["bash", "-c", "\n".join(command)], cwd=place.top, env=place.environment, text=True, timeout=100,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )
        status = int(block.options.get("status", 0)) if number == len(commands) else 0
        same((command[0], done.returncode), (command[0], status))
        assert re.fullmatch(pattern(expected), done.stdout), f"{command[0]}: it prints\n{done.stdout}"


LAB = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "bash", "-ec"]
LAB_HEAD = "mount -t tmpfs lab /run; ip link set lo up\n"


def run_lab(place, block):
    if os.geteuid():
        raise Skipped("needs root for namespaces")
    commands = commands_of(block)
    script = "".join("\n".join(command) + "\necho ---\n" for command, _ in commands)
    done = subprocess.run(
        [*LAB, LAB_HEAD + script], cwd=place.top, env=place.environment, text=True, timeout=100,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )
    same((done.returncode, done.stdout.count("---\n")), (0, len(commands)))
    for (command, expected), printed in zip(commands, done.stdout.split("---\n")):
        assert re.fullmatch(pattern(expected), printed), f"{command[0]}: it prints\n{printed}"


MARK = re.compile(r"--> (.*)$", re.M)


def run_scan(place, block):
    place.plugin("example", block.words, block.text)
    arguments = shlex.split(block.options.get("args", shlex.join(ONE)))
    done = place.run(*SIM, "--set", "sim.jitter=0ms", "--set", "banner.enable=on", *arguments, "--plugin-dir",
                     "plugins", "--plugin", "example", "-o", "ndjson:-", merged=False)
    same((done.returncode, done.stderr if done.returncode else ""), (0, ""))
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records, "no record"
    for record in records:
        said = record.get("plugins", {}).get("example", {"status": "ok"})
        same((said["status"], said.get("error")), ("ok", None))
    assert "example: error" not in done.stderr, done.stderr
    printed = re.findall(r"^prtip-dp: example: (.*)$", done.stderr, re.M)
    printed = [line for line in printed if not line.startswith("on_pre_scan: narrowed")]
    wanted = MARK.findall(block.text)
    if "\nprint(" in "\n" + block.text:  # at the top: in each lane, and in its spare
        printed = list(dict.fromkeys(printed))
    same(printed, wanted)
    if "wanted" in block.options:
        same(records[0]["plugins"]["example"]["results"], json.loads(block.options["wanted"]))


def check(place, words, main, tests):
    done = place.run("--check-plugin", place.plugin("example", words, main, tests))
    assert done.returncode == 0 and re.search(r"^\d+ tests? passed$", done.stdout, re.M), done.stdout
    assert "\nwarning" not in done.stdout, done.stdout


def run_check(place, block):
    check(place, block.words, block.text, block.hidden)


def run_test(place, block):
    check(place, block.words, block.hidden, block.text)


def run_manifest(place, block):
    path = block.words[0]
    folder = os.path.dirname(path)
    place.write(path, block.text)
    place.write(os.path.join(folder, "README.md"), "An example.\n")
    place.write(os.path.join(folder, "main.lua"), "function on_target(t) prtip.connect(t.ip, 1) end\n")
    done = place.run("--check-plugin", place.path(folder))
    same((done.returncode, "error" in done.stdout), (0, False))
    table, found = "", set()
    for line in block.text.splitlines():
        if match := re.match(r"\[([\w.]+)\]", line):
            table = match[1]
        elif match := re.match(r"(\w+) =", line):
            found.add((table, match[1]))
    code = read("luahost", "manifest.c")
    rows = re.findall(r'^\t\{"([\w.]*)", "(\w+)", (\w+|\.kinds)', code, re.M)
    known = {(table, key) for table, key, kind in rows if kind != "TABLE"}
    same(sorted(row for row in found if row[0] != "config"), sorted(known))


def run_ini(place, block):
    done = place.run("--print-config", "-c", place.write("guide.ini", block.text))
    same((done.returncode, "error" in done.stdout), (0, False))
    for line in block.text.splitlines():
        key, equals, value = line.partition("=")
        squeezed = re.sub(r",\s+", ",", value.strip())
        if equals and key.strip() != "dir":
            assert re.search(rf"^{key.strip()}\s+= {re.escape(squeezed)}$", re.sub(", ", ",", done.stdout), re.M), line


def run_json(place, block):
    value = json.loads(block.text)
    if "workspace.library" in value:
        assert value["workspace.library"][0].endswith("/docs/lua-api")


def run_picture(place, block):
    same(block.language, "text")


KINDS = {name[len("run_") :]: run for name, run in globals().items() if name.startswith("run_")}

# ---- Messages ----


def scanned(place, main, kind="scan", *capabilities, args=(), tables=""):
    """All that a scan with this plugin prints, records included."""
    place.plugin("p", [kind, *capabilities], main, config=tables)
    done = place.run(*SIM, "--set", "banner.enable=on", *ONE, "--plugin-dir", "plugins", "--plugin", "p", "-o",
                     "ndjson:-", "--set", "plugins.cpu_seconds=0.3", *args)
    return done.stdout.replace('\\"', '"')


def checked(place, main, kind="scan", /, *capabilities, **more):
    """What --check-plugin prints, on one line."""
    done = place.run("--check-plugin", place.plugin("p", [kind, *capabilities], main, None, **more))
    return re.sub(r"\s+", " ", done.stdout)


def on_target(code):
    return f"function on_target(target, result) {code} end"


def quarantined(place):
    return scanned(place, on_target("while true do end"), args=["-p", "1-40"])


def installed_twice(place):
    path = place.plugin("p", ["scan"], HOOKS["scan"])
    place.run("--install-plugin", path)
    text = place.run("--install-plugin", path).stdout
    place.run("--remove-plugin", "p")
    return text


def failing_call(place, code, *capabilities):
    return scanned(place, on_target(code), "scan", *capabilities)


def socket_closed(place):
    main = on_target("local s = prtip.connect(target.ip, 80) prtip.close(s) prtip.send(s, 'x')")
    tests = (
        "test.case('x', function() test.server('198.18.0.1', 80, {})\n"
        "test.call('on_target', test.target{}, test.result{}) end)\n"
    )
    done = place.run("--check-plugin", place.plugin("p", ["scan", "network"], main, tests))
    return re.sub(r"\s+", " ", done.stdout)


# In the order of the guide's table: how each message comes about.
MESSAGES = {
    "no such plugin in …": lambda p: p.run(*SIM, *ONE, "--plugin", "nothing").stdout,
    "a path, not a plugin's name": lambda p: p.run(*SIM, *ONE, "--plugin", "./p").stdout,
    "this is a plugin": lambda p: p.run(
        *SIM, *ONE, "--plugin-dir", p.plugin("p", ["scan"], HOOKS["scan"])).stdout,
    'name "…" is not the folder\'s name': lambda p: checked(p, HOOKS["scan"], name='"q"'),
    'unknown key "…" in [plugin]': lambda p: checked(p, HOOKS["scan"], autor='"x"'),
    "defines no hook of a plugin of type …": lambda p: checked(p, "local function on_target() end"),
    "is a hook of plugins of type …": lambda p: checked(p, HOOKS["scan"] + HOOKS["output"]),
    "but this version always refuses it": lambda p: checked(p, HOOKS["scan"], "scan", "system"),
    "needs prtip-dp … or newer": lambda p: checked(
        p, HOOKS["scan"], config='[plugin.dependencies]\nmin_prtip_version = "9.0.0"'),
    "there is no prtip.…; the nearest is": lambda p: checked(p, on_target("prtip.conect(target.ip, 1)")),
    'needs capability "network"': lambda p: checked(p, on_target("prtip.connect(target.ip, 1)"))
    + failing_call(p, "prtip.connect(target.ip, 1)"),
    "is declared, but nothing that needs it is used": lambda p: checked(p, HOOKS["scan"], "scan", "network"),
    "is not a whole number, as its default is": lambda p: scanned(
        p, HOOKS["scan"], tables="depth = 3", args=["--plugin-arg", "p.depth=3.5"]),
    "attempt to index global 'os' (a nil value)": lambda p: failing_call(p, "os.time()"),
    "attempt to index local 'sock' (a nil value)": lambda p: failing_call(p, "local sock sock.x = 1"),
    "the plugin has no lib/….lua": lambda p: scanned(p, "require('socket')\n" + HOOKS["scan"]),
    "no network on this port": lambda p: failing_call(
        p, "error(select(2, prtip.connect(target.ip, 1)))", "network"),
    "denied": lambda p: failing_call(p, "error(select(2, prtip.scan_port('192.0.2.1', 1)))", "network"),
    "this socket is closed": socket_closed,
    "cannot wait inside table.sort or string.gsub": lambda p: failing_call(
        p, "table.sort({1, 2}, function() prtip.sleep(1) end)", "network"),
    "attempt to yield outside of a coroutine": lambda p: failing_call(p, "coroutine.yield()"),
    "read-only; keep your own values in a table of your own": lambda p: failing_call(p, "result.x = 1"),
    "this result is over; copy the values you want to keep": lambda p: scanned(
        p, "local kept\n" + on_target("local _ = kept and kept.ip kept = result"), args=["-p", "80,81"]),
    "add_result: there is no target here": lambda p: scanned(
        p, "function on_post_scan() prtip.add_result('a', 1) end"),
    "add_result: over 65536 bytes of results for one record": lambda p: failing_call(
        p, "for i = 1, 9 do prtip.add_result('k' .. i, ('x'):rep(9000)) end"),
    "add_result: invalid UTF-8": lambda p: failing_call(p, "prtip.add_result('k', '\\255')"),
    "product is over 127 bytes": lambda p: scanned(
        p, "function analyze_banner() return {product = ('x'):rep(128)} end", "detection"),
    "confidence must be a number from 0 to 1": lambda p: scanned(
        p, "function analyze_banner() return {service = 'x', confidence = 90} end", "detection"),
    "analyze_banner returned a string; give nil or a table": lambda p: scanned(
        p, "function analyze_banner() return 'http' end", "detection"),
    "format_result must return a string or nil": lambda p: scanned(
        p, "function format_result(r) return r.port end", "output", args=["-o", "p:/dev/null"]),
    "over the limit of instructions": lambda p: failing_call(p, "while true do end"),
    "over wall_seconds": lambda p: scanned(
        p, on_target("prtip.sleep(9)"), "scan", "network", args=["--set", "plugins.wall_seconds=0.5"]),
    "over cpu_seconds or wall_seconds": lambda p: failing_call(
        p, "(('a'):rep(30)):match(('a*'):rep(30) .. 'b')"),
    "not enough memory": lambda p: scanned(
        p, on_target("local t = {} for i = 1, 1e5 do t[i] = ('x'):rep(1e5) .. i end"),
        args=["--set", "plugins.memory_mb=8"]),
    "in quarantine: its lanes died … times in a row": quarantined,
    "writes nothing without -o …:PATH": lambda p: scanned(p, HOOKS["output"], "output"),
    "is there already: version …": installed_twice,
    "is left out: …": lambda p: scanned(p, "function on_target(") + p.run(
        *SIM, *ONE, "--plugin-dir", "plugins", "--plugin", "all", "--dry-run").stdout,
}


# ---- Tests ----

TEXT = read(GUIDE)


def rows_of(text, head):
    """First cells of the table whose head begins so."""
    lines = text[text.index(head) :].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        rows.append(line.split(" | ")[0].lstrip("| "))
    return rows


def check_functions(place):
    """each function of prtip, utf8 and test, each hook and each status is in the guide, in code that is run"""
    api = read("docs", "lua-api", "prtip.lua")
    code = "\n".join(b.text for b in blocks(TEXT) if b.kind in ("scan", "check", "test", "file"))
    names = re.findall(r"^(?:function )?((?:prtip|utf8|test)\.\w+)(?:\(| = )", api, re.M)
    assert len(names) > 40, names
    missing = [name for name in names if not re.search(re.escape(name) + r"\b", code)]
    same(missing, [])
    hooks = re.findall(r"prtip\.hook\.(\w+)", api)
    same([hook for hook in sorted(set(hooks)) if not re.search(rf"^function {hook}\(", code, re.M)], [])
    table = [row.strip("`").split("(")[0] for row in rows_of(TEXT, "| hook | type |")]
    same(sorted(table), sorted(set(hooks)))
    statuses = re.search(r"@alias prtip.Status (.*)", api)[1].replace('"', "").split("|")
    same([row.strip("`") for row in rows_of(TEXT, "| status | what happened |")], statuses)
    limits = [row.strip("`") for row in rows_of(TEXT, "| limit | default |")]
    reference = read("conf", "scan.ini")
    for row in TEXT[TEXT.index("| limit | default |") :].splitlines()[2 : 2 + len(limits)]:
        name, default = (cell.strip(" |`").replace(",", "") for cell in row.split(" | ")[:2])
        assert re.search(rf"^{name} += {default}$", reference, re.M), row


def check_links(place):
    """links lead somewhere, to headings too; plugins/README.md lists each plugin that is there"""
    for name in (GUIDE, "plugins/README.md"):
        text = read(name)
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            assert os.path.exists(os.path.join(TOP, path)), f"{name}: {target}"
            if anchor:
                heads = [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-")
                         for h in re.findall(r"^#+ (.*)$", read(path), re.M)]
                assert anchor in heads, f"{name}: {target}"
    index = read("plugins", "README.md")
    for folder in sorted(os.listdir(os.path.join(TOP, "plugins"))):
        if os.path.isdir(os.path.join(TOP, "plugins", folder)):
            assert re.search(rf"^\| \[?{folder}[\] ]", index, re.M), f"plugins/README.md: {folder} is missing"


def check_messages(place):
    """each message in the table of trouble-shooting is what the program prints"""
    rows = [row.strip("`") for row in rows_of(TEXT, "| message | what it means |")]
    same(rows, list(MESSAGES))
    wrong = []
    for message, provoke in MESSAGES.items():
        wanted = ".*".join(re.escape(piece) for piece in message.split("…"))
        text = provoke(place)
        if not re.search(wanted, text):
            wrong.append(f"{message}: {text[-400:]}")
    assert not wrong, "\n".join(wrong)


def main():
    failed = number = 0
    try:
        found = blocks(TEXT)
    except AssertionError as error:
        print(f"1..1\nnot ok 1 - each block of code has a rule\n# {error}")
        return 1
    whole = [check_functions, check_links, check_messages]
    print(f"1..{len(found) + len(whole)}")
    with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
        place = Place(os.path.realpath(folder))
        jobs = [(f"{GUIDE}:{b.line}: {b.kind} {' '.join(b.words)}", lambda b=b: KINDS[b.kind](place, b))
                for b in found]
        jobs += [(function.__doc__, lambda f=function: f(place)) for function in whole]
        for name, job in jobs:
            number += 1
            try:
                job()
                print(f"ok {number} - {name}", flush=True)
            except Skipped as why:
                print(f"ok {number} - {name} # SKIP {why}", flush=True)
            except (AssertionError, KeyError, IndexError, OSError, ValueError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {number} - {name}")
                print("# " + f"{type(error).__name__}: {error}"[:2500].replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
