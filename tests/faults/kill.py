#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 at random instants: of the program, which goes on from its checkpoint, and of the warden and of
lanes, after which the scan goes on. Results are the truth, each once, and what plugins did not see is
counted. Prints TAP.

    [FAULT_SEED=N] [FAULT_ROUNDS=N] tests/faults/kill.py [TEST...]
"""

import concurrent.futures
import os
import shutil
import time

from harness import ROUNDS, instants, is_alive, judge, judge_records, read_lines, resume, run_all, truth_of
from flow import NETWORK, Place, Run, children, kill, lanes_of, same, test, wait_for

# Busy for a while with each result, so that every instant finds some begun.
MARK = """
function on_target(target)
	prtip.sleep(0.02)
	prtip.add_result("at", target.ip .. ":" .. target.port)
end
"""
PLUGIN = ("--plugin", "mark", "--set", "plugins.lanes=2", "--set", "plugins.drain=20s")
AT_ONCE = 3  # scans side by side: they wait most of the time
# Half a second of it.
SCAN = (
    *("-p", "1-8", "198.18.0.0/21", "--rate", "30k"),
    *("--set", "output.include_closed=yes", "--set", "sim.open=0.3"),
)


def with_plugin(place):
    place.plugin("mark", MARK, capabilities=NETWORK)


def rounds(place, name, one):
    """one(place, random) in ROUNDS folders of their own."""

    def go(number):
        folder = place.path(f"{name}{number}")
        os.mkdir(folder)
        try:
            one(Place(folder), instants(name, number))
        except (AssertionError, KeyError, ValueError) as error:
            raise AssertionError(f"round {number}: {type(error).__name__}: {error}") from error
        shutil.rmtree(folder)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(go, number) for number in range(ROUNDS)]:
            done.result()


def started(place, process):
    """Until its outputs are open: from here on it is a scan."""
    wait_for("the scan", lambda: os.path.exists(place.path("out.ndjson")) or process.poll() is not None)


def check_marks(run):
    for record in run.records:
        mark = record.get("plugins", {}).get("mark", {})
        if mark.get("status") == "ok":
            same(mark["results"]["at"], f"{record['ip']}:{record['port']}")


def wait_gone(pids):
    """Nothing that was begun outlives what it was begun by."""
    wait_for("their end", lambda: not any(is_alive(pid) for pid in pids), 5)


def family_of(process):
    """The warden and its lanes."""
    wardens = children(process.pid)
    return wardens, [lane for warden in wardens for lane in children(warden)]


def written(place):
    return os.path.exists(place.path("scan.ckpt"))


def is_half_line(text):
    """What a kill may leave behind the last newline."""
    return b'{"ts":"'.startswith(text[:7]) if len(text) < 7 else text.startswith(b'{"ts":"')


@test
def program(place):
    """the program, and what resumes it: nothing outlives it, and in the end each result is there, once"""
    plain = truth_of(place, *SCAN)
    resumed = 0

    def one(place, random):
        nonlocal resumed
        plugin = random.random() < 0.5
        if plugin:
            with_plugin(place)
        process = place.start(
            *(*SCAN, *(PLUGIN if plugin else ()), "--checkpoint", "scan.ckpt"),
            *("--set", f"checkpoint.interval={random.choice(('100ms', '300ms', '5s'))}"),
        )
        for _ in range(random.choice((1, 1, 2, 3))):
            # Mostly while it scans, but also while it starts.
            if random.random() < 0.8:
                wait_for("a checkpoint", lambda p=process: written(place) or p.poll() is not None, 60)
            time.sleep(random.uniform(0, 1.3))
            _, lanes = family_of(process)
            kill(process.pid)
            wait_gone(lanes)
            _, err = process.communicate()
            assert process.returncode in (0, -9), f"exit {process.returncode}: {err.decode()[-700:]}"
            records, rest = read_lines(place.path("out.ndjson"))
            judge_records(records, plain)
            assert is_half_line(rest), rest[:80]
            if not written(place):
                assert not records, "results and no checkpoint"
                return
            resumed += 1
            process = resume(place)
        process.wait(60)
        _, err = process.communicate()
        # Killed behind its last checkpoint: its outputs are whole.
        if b"there is nothing left to do" in err:
            records, rest = read_lines(place.path("out.ndjson"))
            same((process.returncode, judge_records(records, plain), rest), (0, set(), b""))
            return
        assert process.returncode == 0 and os.path.getsize(place.path("out.sum")), err.decode()[-700:]
        run = Run(place, process.returncode, "", err.decode(), 0)
        same(judge(run, plain, statuses=(0,)), set())
        check_marks(run)
        if plugin:
            marked = sum(record.get("plugins", {}).get("mark", {}).get("status") == "ok" for record in run.records)
            same(marked, run.summary["open"])

    rounds(place, "program", one)
    assert resumed >= ROUNDS / 2, f"{resumed} of {ROUNDS} resumed"


@test
def warden(place):
    """the warden: its lanes die with it, the scan goes on, what plugins did not see is counted"""
    truth = truth_of(place, *SCAN)
    outcomes = set()

    def one(place, random):
        with_plugin(place)
        process = place.start(*SCAN, *PLUGIN)
        started(place, process)
        time.sleep(random.uniform(0, 1.2))
        wardens, lanes = family_of(process)
        for pid in wardens:
            kill(pid)
        wait_gone(lanes)
        run = place.finish(process, status=process.wait(60))
        same(judge(run, truth), set())
        check_marks(run)
        account = run.accounts["mark"]
        outcomes.add(run.status)
        if run.status == 3:
            same(sum(run.summary["lost"].values()), account["skipped"])
            assert "in quarantine: its warden died" in run.err, run.err[-500:]

    rounds(place, "warden", one)
    assert 3 in outcomes, outcomes


@test
def lanes(place):
    """lanes: what they had begun starts again, a second death is `killed`, nothing else is touched"""
    truth = truth_of(place, *SCAN)
    deaths = 0

    def one(place, random):
        nonlocal deaths
        with_plugin(place)
        process = place.start(*SCAN, *PLUGIN)
        started(place, process)
        for _ in range(random.randint(1, 3)):
            time.sleep(random.uniform(0, 0.4))
            alive = lanes_of(process, "mark")
            if alive:
                kill(random.choice(alive))
        run = place.finish(process, status=process.wait(60))
        same(judge(run, truth, statuses=(0,)), set())
        check_marks(run)
        account = run.accounts["mark"]
        same(account["offered"], account["ok"] + account["killed"])
        same(account["quarantined"], False)
        deaths += account["deaths"]

    rounds(place, "lanes", one)
    assert deaths >= ROUNDS, f"{deaths} deaths"


@test
def quarantine(place):
    """lanes, as soon as they come: the plugin is in quarantine, the scan is whole"""
    truth = truth_of(place, *SCAN)
    with_plugin(place)
    process = place.start(*SCAN, *PLUGIN)
    started(place, process)
    while process.poll() is None:
        for lane in lanes_of(process, "mark"):
            kill(lane)
        time.sleep(0.01)
    run = place.finish(process, status=3)
    same(judge(run, truth, statuses=(3,)), set())
    assert run.accounts["mark"]["quarantined"], run.accounts
    assert "in quarantine" in run.err


run_all(at_once=1)
