#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""SIGSTOP and SIGCONT at random instants, for longer than cooldown and limits of time: whoever stood still,
results are the truth and nothing is lost that was on its way. Prints TAP.

    [FAULT_SEED=N] tests/faults/stop.py [TEST...]
"""

import os
import signal
import time

from harness import SCAN, instants, judge, run_all, stop_for, truth_of
from flow import NETWORK, children, lanes_of, same, test, wait_for

WAITING = """
function on_target(target)
	prtip.sleep(0.05)
	prtip.add_result("at", target.ip .. ":" .. target.port)
end
"""


def started(place):
    wait_for("the scan", lambda: os.path.exists(place.path("out.ndjson")))


@test
def whole(place):
    """the main process, while it sends and right after it, for longer than the cooldown"""
    random = instants("whole")
    # What is on its way when it stops is most of what there is.
    slow = ("--set", "sim.rtt=250ms", "--set", "scan.cooldown=1500ms")
    truth = truth_of(place, *SCAN)
    for at in (random.uniform(0, 1.2), random.uniform(1.0, 1.3), random.uniform(1.1, 1.5)):
        process = place.start(*SCAN, *slow)
        started(place)
        time.sleep(at)
        stop_for(process.pid, random.uniform(1.8, 2.2))
        run = place.finish(process)
        try:
            same(judge(run, truth, statuses=(0,)), set())
        except AssertionError as error:
            raise AssertionError(f"stopped {at:.3f} s after the start: {error}") from error


@test
def plugins(place):
    """the main process, for longer than lanes may be silent and plugins may drain"""
    place.plugin("waiting", WAITING, capabilities=NETWORK)
    truth = truth_of(place, *SCAN)
    process = place.start(
        *SCAN,
        *("--plugin", "waiting", "--set", "plugins.wall_seconds=0.5", "--set", "plugins.cpu_seconds=0.5"),
        *("--set", "plugins.drain=11s"),  # less than the stop, but more than the plugin needs
    )
    started(place)
    time.sleep(instants("plugins").uniform(0.2, 1.0))
    stop_for(process.pid, 12)  # wall, processor time, and ten seconds of grace
    run = place.finish(process)
    same(judge(run, truth, statuses=(0,)), set())
    account = run.accounts["waiting"]
    assert account["ok"] == account["offered"] and account["deaths"] == 0, account


@test
def warden(place):
    """the warden, while lanes have to be replaced"""
    place.plugin("waiting", WAITING, capabilities=NETWORK)
    truth = truth_of(place, *SCAN)
    process = place.start(*SCAN, "--plugin", "waiting", "--set", "plugins.drain=20s")
    started(place)
    random = instants("warden")
    time.sleep(random.uniform(0.1, 0.8))
    (keeper,) = children(process.pid)
    os.kill(keeper, signal.SIGSTOP)
    for lane in lanes_of(process, "waiting"):
        os.kill(lane, signal.SIGKILL)
    time.sleep(random.uniform(0.3, 1.0))
    os.kill(keeper, signal.SIGCONT)
    run = place.finish(process)
    same(judge(run, truth, statuses=(0,)), set())
    account = run.accounts["waiting"]
    same(account["offered"], account["ok"] + account["killed"])
    assert account["deaths"] >= 1, account


@test
def warden_for_good(place):
    """the warden, never to go on: the scan ends all the same"""
    place.plugin("waiting", WAITING, capabilities=NETWORK)
    truth = truth_of(place, *SCAN)
    process = place.start(
        *(*SCAN, "--plugin", "waiting", "--set", "plugins.drain=1s"),
        *("--set", "plugins.phase_seconds=1"),
    )
    started(place)
    (keeper,) = children(process.pid)
    os.kill(keeper, signal.SIGSTOP)
    run = place.finish(process, timeout=20)
    same(judge(run, truth, statuses=(0,)), set())
    same(run.accounts["waiting"]["ok"], run.accounts["waiting"]["offered"])


@test
def lane(place):
    """a lane, for longer than its results may take: they are `timeout`, the next lane goes on"""
    place.plugin("waiting", WAITING, capabilities=NETWORK)
    truth = truth_of(place, *SCAN)
    process = place.start(
        *(*SCAN, "--plugin", "waiting", "--set", "plugins.drain=30s"),
        *("--set", "plugins.wall_seconds=0.5", "--set", "plugins.cpu_seconds=0.5"),
    )
    started(place)
    time.sleep(instants("lane").uniform(0.2, 0.8))
    for pid in lanes_of(process, "waiting"):
        os.kill(pid, signal.SIGSTOP)
    run = place.finish(process)
    same(judge(run, truth, statuses=(0,)), set())
    account = run.accounts["waiting"]
    assert account["deaths"] >= 1, account


run_all()
