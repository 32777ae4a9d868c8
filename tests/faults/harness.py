# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of faults share: scans of the simulated network that are disturbed at a random instant,
and the one judge of what they leave.

A fault is a function that acts on a running scan. It takes its random numbers from instants(), whose
seed is printed; FAULT_SEED gives it again, FAULT_ROUNDS says how often kills are repeated.
"""

import concurrent.futures
import ctypes
import json
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TESTS, "sim"))
import flow  # noqa: E402
from flow import PROGRAM, STATUSES, same  # noqa: E402

SEED = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(1 << 31))
ROUNDS = int(os.environ.get("FAULT_ROUNDS") or 10)
SHIM = os.path.join(os.path.dirname(PROGRAM), "tests", "faults", "fault_shim.so")

# A second of scanning, most of whose pairs answer.
SPACE = ("-p", "1-8", "198.18.0.0/20")
SCAN = (
    *SPACE,
    *("--set", "output.include_closed=yes", "--rate", "30k", "--set", "sim.open=0.3"),
)


def instants(name, number=0):
    """The random numbers of one round, which do not depend on others."""
    return random.Random(f"{SEED} {name} {number}")


def resume(place, **more):
    """Go on from scan.ckpt, which knows all else."""
    return subprocess.Popen(
        [PROGRAM, "--resume", "scan.ckpt"],
        cwd=place.top,
        env=dict(os.environ, HOME=place.top),
        stdin=subprocess.DEVNULL,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )


# ---- The judge ----


def read_lines(path):
    """The whole lines of an NDJSON file, and what stands behind the last newline."""
    if not os.path.exists(path):
        return [], b""
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    return [read_line(line) for line in lines[:-1]], lines[-1]


def read_line(line):
    try:
        return json.loads(line)
    except ValueError:
        raise AssertionError(f"no record: {line[:100]!r}") from None


def key(record):
    return f"{record['ip']} {record.get('port', '-')} {record['proto']} {record['state']}"


def truth_of(place, *arguments):
    return set(place.list("--sim-truth", *arguments))


def judge_records(records, truth):
    """True, and each once. Returns what is missing."""
    found = [key(record) for record in records]
    pairs = {line.rsplit(" ", 1)[0] for line in found}
    same(len(pairs), len(found))
    strange = set(found) - truth
    assert not strange, f"not the truth: {sorted(strange)[:3]}"
    return truth - set(found)


def judge_summary(summary, records, accounts=True):
    """The identities that hold for every run, whatever happened to it."""
    same(summary["results"], len(records))
    states = ("open", "closed", "filtered", "unfiltered", "up")
    unique = sum(summary[state] for state in states)
    lost = summary["lost"]
    same(unique, summary["results"] + summary["hidden"] + summary.get("filtered_out", 0)
         + summary.get("surplus", 0) + lost["results"])
    if summary["complete"]:
        spared = summary.get("excluded_running", {}).get("probes", 0)
        same(summary["targets"], unique + summary["no_answer"] + spared)
    if accounts:
        judge_accounts(summary, records)


def judge_accounts(summary, records):
    """Each offer has one status, and the records tell the same."""
    lost = summary["lost"]
    skipped = 0
    for name, account in summary["plugins"].items():
        same(account["offered"], sum(account[status] for status in STATUSES))
        skipped += account["skipped"]
        for status in STATUSES:
            told = sum(
                record.get("plugins", {}).get(name, {}).get("status") == status for record in records
            )
            # What was lost after the plugins had it has no record to tell.
            assert told == account[status] or (lost["results"] and told < account[status]), (
                f"{name}: {told} records say {status}: {account}"
            )
    same(lost["plugin_skipped"], skipped)


def judge(run, truth, statuses=(0, 3), accounts=True):
    """What a scan that went on to its end has left. Returns what is missing, which its counters of losses
    explain."""
    missing = judge_records(run.records, truth)
    judge_summary(run.summary, run.records, accounts)
    lost = run.summary["lost"]
    assert run.status in statuses, f"exit {run.status}: {run.err[-700:]}"
    if run.status in (0, 3):
        assert run.summary["complete"]
        same(run.status, 3 if any(lost.values()) else 0)
    # Of probes and answers that were lost some would have been silent, or repeats.
    assert len(missing) <= sum(lost.values()), f"{len(missing)} are missing, lost are {lost}"
    return missing


def errors(run):
    """The error lines for people."""
    return [line for line in run.err.splitlines() if line.startswith("prtip-dp: ")]


def judge_failed(run, truth, *fragments):
    """A scan that had to end: exit 1, one error that says what and where, whole true lines, and an account
    that has them."""
    same(run.status, 1)
    same(len(errors(run)), 1)
    for fragment in fragments:
        assert fragment in errors(run)[0], errors(run)[0]
    missing = judge_records(run.records, truth)
    if run.summary:
        judge_summary(run.summary, run.records)
        same(run.summary["complete"], False)
    return missing


# ---- Faults ----


class Shim:
    """The wall clock and the file system as shim.c makes them for scans that are started with
    `environment`."""

    def __init__(self, place, folder=""):
        path = place.path("shim")
        with open(path, "wb") as file:
            file.write(bytes(16))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 16)
        self.words = (ctypes.c_int64 * 2).from_buffer(self.map)
        self.environment = dict(
            os.environ,
            HOME=place.top,
            LD_PRELOAD=SHIM,
            FAULT_SHIM=path,
            FAULT_FOLDER=folder,
        )

    def set_clock(self, seconds):
        self.words[0] = int(seconds * 1e9)

    def refuse_writes(self, error):
        self.words[1] = error


def stop_for(pid, seconds):
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def is_alive(pid):
    """Running, not only waiting for its parent to be told."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


# ---- Running them ----


def unmount_below(folder):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for place in [line.split()[1] for line in mounts]:
            if place.startswith(folder + "/"):
                subprocess.run(["umount", "--lazy", place], check=False)


def run_all(at_once=3):
    """The tests of the file, side by side, as scans wait most of the time. Prints TAP and exits."""
    chosen = [f for f in flow.TESTS_HERE if not sys.argv[1:] or f.__name__ in sys.argv[1:]]

    def run(function):
        began = time.monotonic()
        why = ""
        try:
            with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
                try:
                    function(flow.Place(os.path.realpath(folder)))
                finally:
                    unmount_below(os.path.realpath(folder))
        except (AssertionError, KeyError, OSError, ValueError, subprocess.SubprocessError) as error:
            why = f"{type(error).__name__}: {error}"[:1500]
        return why, time.monotonic() - began

    print(f"# seed {SEED}: again with FAULT_SEED={SEED} FAULT_ROUNDS={ROUNDS}")
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for number, (function, (why, seconds)) in enumerate(zip(chosen, pool.map(run, chosen)), 1):
            failed += bool(why)
            print(f"{'not ' if why else ''}ok {number} - {function.__doc__}")
            if why:
                print("# " + why.replace("\n", "\n# "))
            print(f"# {function.__name__}: {seconds:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
