#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Scans with hostile plugins (corpus.py) beside good ones: the scan ends, its results are those of a
scan without plugins, each hostile plugin has the status that it earned, and the good ones are ok with
right results in every record. Prints TAP.

    tests/hostile/scan.py [PROGRAM [NAME...]]
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import corpus  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    sys.argv[1]
    if len(sys.argv) > 1
    else os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
)
SCAN = """[scan]
targets = 198.18.0.0/26
exclude = 198.18.0.63
ports = 22,80
seed = 7
cooldown = 600ms
[dataplane]
port = sim
[banner]
enable = on
wait = 3s
[detection]
enable = off
[sim]
alive = 1
open = 0.2
rtt = 1ms
jitter = 0ms
seed = 3
banners = on
"""
LIMITS = """[plugins]
cpu_seconds = 0.3
wall_seconds = 2
phase_seconds = 3
drain = 15s
"""
END_S = 60  # that any run here must have ended in
PER_RUN = 8

GOOD = {
    "good-first": (
        "detection",
        "function analyze_banner(banner)\n"
        "  if #banner == 0 or getmetatable('') then error('poisoned') end\n"
        "  return nil\nend\n",
    ),
    "good-scan": (
        "scan",
        "function on_target(target, result)\n"
        "  prtip.add_result('echo', ('%s:%d'):format(target.ip, target.port))\n"
        "  if result.banner then prtip.add_result('sum', prtip.sha256(result.banner)) end\n"
        "end\n"
        "function on_post_scan(results)\n"
        "  prtip.log('info', 'good-scan saw ' .. #results)\n"
        "end\n",
    ),
    "good-output": (
        "output",
        "function format_result(result)\n"
        "  return result.ip .. ' ' .. result.port .. ' ' .. result.state .. '\\n'\nend\n",
    ),
}


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def make_plugin(folder, name, kind, lua, capabilities="", more=""):
    listed = f'"{capabilities}"' if capabilities else ""
    write(
        os.path.join(folder, name),
        "plugin.toml",
        f'[plugin]\nname = "{name}"\nversion = "1.0.0"\nauthor = "the tests"\n'
        f'description = "hostile"\nplugin_type = "{kind}"\ncapabilities = [{listed}]\n{more}',
    )
    write(os.path.join(folder, name), "main.lua", lua)
    write(os.path.join(folder, name), "README.md", f"# {name}\n")


def plain(records, without=()):
    """What a record says besides plugins, in a fixed order."""
    left_out = {"ts", "rtt_us", "plugins", *without}
    return sorted(
        json.dumps({key: value for key, value in record.items() if key not in left_out}, sort_keys=True)
        for record in records
    )


def read_records(path):
    with open(path, "rb") as file:
        lines = file.read().decode("utf-8").split("\n")
    assert lines.pop() == "", "the last line is cut"
    return [json.loads(line) for line in lines]


class Run:
    """One scan in a folder of its own."""

    def __init__(self, top, name, plugins, enable, outputs=()):
        self.folder = os.path.join(top, name)
        self.home = os.path.join(self.folder, "home")
        os.makedirs(self.home)
        self.records_path = os.path.join(self.folder, "out.ndjson")
        self.enabled = enable
        config = SCAN
        if enable:
            config += LIMITS + f"enable = {', '.join(enable)}\ndir = {plugins}\n"
        config += "[output]\nndjson = out.ndjson\nsummary = out.sum\n"
        config += "".join(f"{output} = {output}.out\n" for output in outputs)
        write(self.folder, "scan.ini", config)

    def go(self, *arguments):
        began = time.monotonic()
        with open(os.path.join(self.folder, "err"), "wb+") as err:
            with subprocess.Popen(
                [PROGRAM, "-c", "scan.ini", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
                cwd=self.folder,
                env=dict(os.environ, HOME=self.home),
                start_new_session=True,
            ) as process:
                try:
                    self.status = process.wait(END_S)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)
                    self.status = None
            err.seek(0)
            self.raw_err = err.read()
        self.elapsed_s = time.monotonic() - began
        self.err = self.raw_err.decode("utf-8", "replace")
        return self

    def load(self):
        self.records = read_records(self.records_path)
        with open(os.path.join(self.folder, "out.sum"), encoding="utf-8") as file:
            self.summary = json.load(file)


# ---- What is asked of a run ----


def check_run(run):
    assert run.status is not None, f"still running after {END_S} s"
    assert run.status in (0, 3), f"exit {run.status}: {run.err[-600:]}"
    run.load()
    lost = any(run.summary["lost"].values())
    assert run.status == (3 if lost else 0), f"exit {run.status}, lost {run.summary['lost']}"
    for line in run.raw_err.split(b"\n"):
        assert not any(c < 32 and c != 9 for c in line), f"control character: {line[:200]!r}"
        assert b"\xc2\x9b" not in line, f"control sequence: {line[:200]!r}"


def check_accounts(run):
    for name, account in run.summary["plugins"].items():
        words = ("ok", "error", "denied", "memory", "instructions", "timeout", "killed", "skipped")
        assert account["offered"] == sum(account[word] for word in words), f"{name}: {account}"
        counted = {word: 0 for word in words}
        for record in run.records:
            if name in record.get("plugins", {}):
                counted[record["plugins"][name]["status"]] += 1
        told = {word: account[word] for word in words}
        assert counted == told, f"{name}: records have {counted}, the summary {told}"


def check_good(run):
    for record in run.records:
        plugins = record["plugins"]
        where = f"{record['ip']}:{record['port']}"
        for name in GOOD:
            if name == "good-first" and "banner" not in record and "banner_hex" not in record:
                continue
            assert plugins[name]["status"] == "ok", f"{where} {name}: {plugins[name]}"
        results = plugins["good-scan"]["results"]
        assert results["echo"] == where, f"{where}: {results}"
        if "banner" in record:
            digest = hashlib.sha256(record["banner"].encode()).hexdigest()
            assert results["sum"] == digest, f"{where}: {results}"
    wanted = sorted(f"{r['ip']} {r['port']} {r['state']}" for r in run.records)
    with open(os.path.join(run.folder, "good-output.out"), encoding="utf-8") as file:
        assert sorted(file.read().splitlines()) == wanted, "good-output wrote something else"
    assert f"good-scan saw {len(run.records)}" in run.err, "good-scan's on_post_scan did not run"


def check_row(row, run):
    wanted = row.status.split()[0].split("|")
    allowed = wanted + row.status.split()[1:]
    seen = {}
    for record in run.records:
        entry = record.get("plugins", {}).get(row.name)
        if not entry:
            continue
        seen[entry["status"]] = seen.get(entry["status"], 0) + 1
        assert entry["status"] in allowed, f"{entry}, not one of {allowed}"
        assert len(entry.get("error", "")) <= 1024, "a long error text"
        assert not any(ord(c) < 32 and c not in "\t\n" for c in entry.get("error", ""))
        for key, value in row.results.items() if entry["status"] == "ok" else ():
            got = entry.get("results", {}).get(key)
            assert got == value, f"results.{key} is {got!r}, not {value!r}"
    if row.kind != "output" or "export" not in row.lua:
        assert set(wanted) & set(seen), f"{seen}, and no {wanted}"
    if row.phase:
        lines = [line for line in run.err.splitlines() if row.name in line]
        assert any(f": {row.phase}" in line for line in lines), f"no {row.phase} in {lines}"


# ---- Tests ----


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def test(self, description, function, *arguments):
        self.count += 1
        try:
            function(*arguments)
        except (AssertionError, OSError, ValueError, KeyError, AttributeError) as error:
            self.failed += 1
            print(f"not ok {self.count} - {description}")
            text = f"{type(error).__name__}: {error}"
            print("# " + text[:1500].replace("\n", "\n# "), flush=True)
        else:
            print(f"ok {self.count} - {description}", flush=True)

    def done(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def lay_traps(run, row):
    """Ways out of a plugin's data folder."""
    if row.capabilities != "filesystem":
        return
    folder = os.path.join(run.home, ".prtip", "data", row.name)
    os.makedirs(os.path.join(folder, "folder"))
    os.symlink("/etc/passwd", os.path.join(folder, "link"))
    os.symlink("/etc", os.path.join(folder, "dirlink"))
    os.mkfifo(os.path.join(folder, "fifo"))


def stray_files(run, rows):
    """What a run left that it was not asked for."""
    names = {row.name for row in rows}
    data = os.path.join(run.home, ".prtip", "data")
    stray = [name for name in os.listdir(run.home) if name != ".prtip"]
    if os.path.isdir(data):
        stray += [name for name in os.listdir(data) if name not in names]
    outputs = {f"{row.name}.out" for row in rows} | {f"{name}.out" for name in GOOD}
    expected = {"home", "scan.ini", "out.ndjson", "out.sum", "err"} | outputs
    stray += [name for name in os.listdir(run.folder) if name not in expected]
    assert not stray, f"strange files: {stray}"


def scan_batch(tap, top, plugins, name, rows, baseline):
    detections = [row.name for row in rows if row.kind == "detection"]
    others = [row.name for row in rows if row.kind != "detection"]
    enable = [*detections, "good-first", *others, "good-scan", "good-output"]
    outputs = [row.name for row in rows if row.kind == "output"] + ["good-output"]
    run = Run(top, name, plugins, enable, outputs)
    for row in rows:
        lay_traps(run, row)
    run.go()
    print(f"# {name}: {run.elapsed_s:.1f} s", flush=True)
    tap.test(f"{name}: the run ends as it should", check_run, run)
    if not hasattr(run, "summary"):
        print("# " + run.err[-3000:].replace("\n", "\n# "))
        return
    without = () if all(row.harmless for row in rows) else ("service",)
    tap.test(f"{name}: results are those without plugins", same, plain(run.records, without),
        plain(baseline.records, without))
    tap.test(f"{name}: the accounts add up", check_accounts, run)
    tap.test(f"{name}: good plugins are unaffected", check_good, run)
    tap.test(f"{name}: nothing is left elsewhere", stray_files, run, rows)
    for row in rows:
        tap.test(f"{name}: {row.name}", check_row, row, run)
    shutil.rmtree(run.folder)


def same(got, wanted):
    strange = [line for line in got if line not in wanted]
    missing = [line for line in wanted if line not in got]
    assert got == wanted, f"{len(got)} records, not {len(wanted)}; {strange[:3]} for {missing[:3]}"


def refused(top, plugins, row):
    run = Run(top, "load", plugins, [row.name]).go()
    try:
        assert run.status == 2, f"exit {run.status}: {run.err[-600:]}"
        assert row.name in run.err and row.status in run.err, run.err
        assert not any(c < 32 and c not in b"\t\n" for c in run.raw_err), run.raw_err
        assert not os.path.exists(run.records_path), "an output file was made"
    finally:
        shutil.rmtree(run.folder)


def no_orphans(top):
    """No process of ours is left: each has its folder as its home."""
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if top.encode() in file.read():
                    left.append(pid)
        except OSError:
            continue
    assert not left, f"processes {left}"


MALFORMED = {
    "no-toml": "",
    "bad-syntax": "[plugin\n",
    "other-name": '[plugin]\nname = "another"\n',
    "unknown-key": "[plugin]\nunknown = 1\n",
    "binary": "\x00\x01\x02",
    "deep": "[config]\nx = " + "[" * 5000 + "]" * 5000 + "\n",
}


def malformed(top, plugins):
    folder = os.path.join(top, "malformed")
    for name, manifest in MALFORMED.items():
        write(os.path.join(folder, name), "plugin.toml", manifest)
        write(os.path.join(folder, name), "main.lua", "function on_target() end\n")
        write(os.path.join(folder, name), "README.md", "# x\n")
    make_plugin(folder, "system", "scan", "function on_target() end", "system")
    make_plugin(folder, "syntax", "scan", "function on_target(")
    make_plugin(folder, "no-hook", "scan", "local x = 1")
    names = [*MALFORMED, "system", "syntax", "no-hook"]
    for name in names:
        run = Run(top, "bad", folder, [name]).go()
        shutil.rmtree(run.folder)
        assert run.status == 2 and name in run.err, f"{name}: exit {run.status}: {run.err}"
        assert len(run.err.strip().splitlines()) == 1, f"{name}: {run.err}"
    shutil.copytree(os.path.join(plugins, "good-scan"), os.path.join(folder, "good-scan"))
    run = Run(top, "bad", folder, ["all"]).go()
    check_run(run)
    shutil.rmtree(run.folder)
    for name in names:
        lines = [line for line in run.err.splitlines() if f"/{name}" in line or f" {name}" in line]
        assert len(lines) == 1, f"{name}: {lines} in {run.err}"
    assert all(list(record["plugins"]) == ["good-scan"] for record in run.records)


def main():
    only = sys.argv[2:]
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-hostile.") as top:
        plugins = os.path.join(top, "plugins")
        for name, (kind, lua) in GOOD.items():
            make_plugin(plugins, name, kind, lua)
        for row in [row for rows in corpus.BATCHES.values() for row in rows]:
            make_plugin(plugins, row.name, row.kind, row.main(), row.capabilities, row.manifest)
        for row in corpus.LOAD:
            make_plugin(plugins, row.name, row.kind, row.lua, row.capabilities, row.manifest)
        baseline = Run(top, "baseline", plugins, []).go()
        tap.test("a scan without plugins", check_run, baseline)
        assert len(baseline.records) > 15, f"{len(baseline.records)} records"
        for batch, rows in corpus.BATCHES.items():
            chosen = [row for row in rows if not only or row.name in only or batch in only]
            for first in range(0, len(chosen), PER_RUN):
                part = chosen[first : first + PER_RUN]
                scan_batch(tap, top, plugins, f"{batch} {first // PER_RUN + 1}", part, baseline)
        for row in corpus.LOAD:
            if not only or row.name in only or "load" in only:
                tap.test(f"refused: {row.name}", refused, top, plugins, row)
        if not only or "malformed" in only:
            tap.test("malformed plugins are refused, or skipped by `all`", malformed, top, plugins)
        tap.test("no process is left", no_orphans, top)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
