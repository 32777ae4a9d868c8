#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 at random instants: of the warden and of lanes, after which the scan goes on, its results are
the truth and what plugins did not see is counted. Prints TAP.

    [FAULT_SEED=N] [FAULT_ROUNDS=N] tests/faults/kill.py [TEST...]
"""

import concurrent.futures
import os
import shutil
import time

from harness import ROUNDS, SCAN, instants, is_alive, judge, run_all, truth_of
from flow import NETWORK, Place, children, kill, lanes_of, same, test, wait_for

# Busy for a while with each result, so that every instant finds some begun.
MARK = """
function on_target(target)
	prtip.sleep(0.02)
	prtip.add_result("at", target.ip .. ":" .. target.port)
end
"""
PLUGIN = ("--plugin", "mark", "--set", "plugins.lanes=2", "--set", "plugins.drain=20s")
AT_ONCE = 2  # scans side by side: they wait most of the time


def with_plugin(place):
    place.plugin("mark", MARK, capabilities=NETWORK)


def rounds(place, name, one):
    """one(place, random) in ROUNDS folders of their own."""

    def go(number):
        folder = place.path(f"{name}{number}")
        os.mkdir(folder)
        try:
            one(Place(folder), instants(name, number))
        except (AssertionError, KeyError) as error:
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


@test
def warden(place):
    """the warden: its lanes die with it, the scan goes on, what plugins did not see is counted"""
    truth = truth_of(place, *SCAN)
    outcomes = set()

    def one(place, random):
        with_plugin(place)
        process = place.start(*SCAN, *PLUGIN)
        started(place, process)
        time.sleep(random.uniform(0, 1.7))
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
            time.sleep(random.uniform(0, 0.6))
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


run_all()
