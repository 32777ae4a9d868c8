# SPDX-License-Identifier: BSD-3-Clause
"""Scans of the simulated network with plugins of the test's own, for the tests beside this file."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TESTS, "cli"))
from fixtures import plugin  # noqa: E402

PROGRAM = os.path.abspath(
    os.environ.get("PRTIP_DP", os.path.join(os.path.dirname(TESTS), "build", "prtip-dp"))
)
SLOW = 4 if os.environ.get("PDP_SANITIZED") else 1  # how much longer a build with sanitizers takes
STATUSES = ("ok", "error", "denied", "memory", "instructions", "timeout", "killed", "skipped")
NETWORK = '["network"]'


class Run:
    """What a scan left: status, standard output and error, records and summary."""

    def __init__(self, place, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds
        self.records = place.records("out.ndjson")
        self.summary = {}
        if os.path.exists(place.path("out.sum")):
            with open(place.path("out.sum"), encoding="utf-8") as file:
                self.summary = json.load(file)
        self.accounts = self.summary.get("plugins", {})

    def said(self, name, key):
        """The value that plugin NAME gave with add_result, one a record that has it."""
        plugins = (record.get("plugins", {}).get(name, {}) for record in self.records)
        return [said["results"][key] for said in plugins if key in said.get("results", {})]


class Place:
    """A folder with a home, plugins and what scans write."""

    def __init__(self, top):
        self.top = top
        self.plugins = self.path("plugins")
        os.mkdir(self.plugins)
        os.chmod(top, 0o755)

    def path(self, name):
        return os.path.join(self.top, name)

    def plugin(self, name, main, kind="scan", tables="", **more):
        """`tables`: TOML behind [plugin], [plugin.match] for instance."""
        plugin(self.plugins, name, kind, main=main, **more)
        with open(os.path.join(self.plugins, name, "plugin.toml"), "a", encoding="utf-8") as file:
            file.write(tables)
        return name

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def records(self, name):
        if not os.path.exists(self.path(name)):
            return []
        with open(self.path(name), "rb") as file:
            lines = file.readlines()
        assert all(line.endswith(b"\n") for line in lines), "a line that was cut"
        return [json.loads(line) for line in lines]

    def command(self, *arguments, results=True):
        for name in ("out.ndjson", "out.sum"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        return [
            PROGRAM,
            *("--set", "dataplane.port=sim", "--set", "sim.seed=42", "--set", "sim.jitter=0ms"),
            *("--set", "scan.cooldown=500ms", "--set", "sim.rtt=5ms", "--seed", "7"),
            *("--plugin-dir", self.plugins, "--set", "plugins.spill_dir=" + self.top),
            *(("-o", "ndjson:out.ndjson") if results else ()),
            *("-o", "summary:out.sum"),
            *(str(argument) for argument in arguments),
        ]

    def start(self, *arguments, results=True, **more):
        return subprocess.Popen(
            self.command(*arguments, results=results),
            cwd=self.top,
            stdin=subprocess.DEVNULL,
            **{
                "env": dict(os.environ, HOME=self.top),
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **more,
            },
        )

    def finish(self, process, status=0, timeout=60, started=None):
        started = started or time.monotonic()
        try:
            out, err = process.communicate(timeout=timeout * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"not over within {timeout * SLOW} s") from None
        err = (err or b"").decode()
        run = Run(self, process.returncode, out, err, time.monotonic() - started)
        assert run.status == status, f"exit {run.status}, not {status}: {run.err[-700:]}"
        return run

    def scan(self, *arguments, status=0, timeout=60, results=True):
        return self.finish(self.start(*arguments, results=results), status, timeout)

    def list(self, *arguments):
        """Lines of --list-targets or --sim-truth, with the settings of every scan here."""
        return subprocess.run(
            self.command(*arguments, results=False),
            cwd=self.top,
            env=dict(os.environ, HOME=self.top),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.splitlines()


def lanes_of(process, name):
    """Process ids of the lanes of a plugin, below the warden of a running scan."""
    found = []
    for pid in children(process.pid):
        found += [lane for lane in children(pid) if command_line(lane).startswith(lane_name(name))]
    return found


def lane_name(name):
    return f"prtip-dp: lane {name}/"


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[0].decode("utf-8", "replace")
    except OSError:
        return ""


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def wait_for(what, condition, seconds=20):
    """Poll until the condition gives something true, and return that."""
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds * SLOW} s: {what}")


def key(record):
    return (record["ip"], record.get("port"))


def check_account(run):
    """Each offer has one status, the records tell the same, and each pair is there once."""
    for name, account in run.accounts.items():
        total = sum(account[status] for status in STATUSES)
        assert account["offered"] == total, f"{name}: {account}"
        for status in STATUSES:
            told = sum(
                record.get("plugins", {}).get(name, {}).get("status") == status
                for record in run.records
            )
            assert told == account[status], f"{name}: {told} records say {status}: {account}"
    same(len({key(record) for record in run.records}), len(run.records))
    same(run.summary["results"], len(run.records))
    same(run.summary["lost"]["results"], 0)
    skipped = sum(account["skipped"] for account in run.accounts.values())
    same(run.summary["lost"]["plugin_skipped"], skipped)


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"{str(got)[:300]}, not {str(wanted)[:300]}")


def holds(text, *fragments):
    for fragment in fragments:
        assert fragment in text, f"{fragment!r} is not in {text[-700:]!r}"


TESTS_HERE = []


def test(function):
    TESTS_HERE.append(function)
    return function


def main():
    failed = 0
    chosen = [f for f in TESTS_HERE if not sys.argv[1:] or f.__name__ in sys.argv[1:]]
    print(f"1..{len(chosen)}")
    for number, function in enumerate(chosen, 1):
        started = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
                function(Place(os.path.realpath(folder)))
            print(f"ok {number} - {function.__doc__}")
        except (AssertionError, KeyError, OSError, ValueError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"not ok {number} - {function.__doc__}")
            print("# " + f"{type(error).__name__}: {error}"[:1200].replace("\n", "\n# "))
        print(f"# {time.monotonic() - started:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
