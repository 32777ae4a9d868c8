#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The wall clock is set, and exclusions are read again, in the middle of a scan: of the clock only `ts`
knows, and of the exclusions only what is excluded. Prints TAP.

    [FAULT_SEED=N] tests/faults/clock.py [TEST...]
"""

import ipaddress
import os
import signal
import time

from harness import SCAN, Shim, instants, judge, run_all, truth_of
from flow import NETWORK, same, test, wait_for

YEAR_S = 365 * 86400
# Limits of time that a clock which is set could break, either way.
WAITING = """
function on_target(target)
	prtip.sleep(0.05)
	prtip.add_result("now", prtip.now())
end
"""


def until_running(place):
    wait_for("the scan", lambda: os.path.exists(place.path("err")) and "through " in place.read("err"))


@test
def clock(place):
    """the wall clock jumps, back and forth: rate, cooldown, round-trip times and limits stay"""
    place.plugin("waiting", WAITING, capabilities=NETWORK)
    truth = truth_of(place, *SCAN)
    shim = Shim(place)
    process = place.start(
        *(*SCAN, "--plugin", "waiting", "--set", "plugins.wall_seconds=10"),
        *("--set", "scan.max_runtime=1h"),
        env=shim.environment,
        stderr=open(place.path("err"), "wb"),
    )
    until_running(place)
    began = time.monotonic()
    random = instants("clock")
    jumps = [-30 * YEAR_S, -3600, -0.5, 0, 0.5, 3600, 10 * YEAR_S]
    random.shuffle(jumps)
    while process.poll() is None:
        jumps.append(jumps.pop(0))  # each in turn, as few may have their time
        jump = jumps[-1]
        shim.set_clock(jump)
        time.sleep(random.uniform(0.01, 0.15))
    seconds = time.monotonic() - began
    run = place.finish(process)
    same(judge(run, truth, statuses=(0,)), set())
    same(run.accounts["waiting"]["ok"], run.accounts["waiting"]["offered"])
    years = {record["ts"][:4] for record in run.records}
    assert len(years) >= 2, f"the clock did not jump: {years}"
    assert abs(run.summary["elapsed_s"] - seconds) < 1, (run.summary["elapsed_s"], seconds)
    assert run.summary["rate_pps"] < 31000, run.summary["rate_pps"]
    rtts = [record["rtt_us"] for record in run.records if "rtt_us" in record]
    assert rtts and max(rtts) < 5e6, max(rtts)


@test
def reload(place):
    """SIGHUP with an exclude file that is changed, broken, or missing: only what it excludes is left out"""
    truth = truth_of(place, *SCAN)
    place.write("exclude", "192.0.2.1\n")
    process = place.start(
        *(*SCAN, "--set", "scan.exclude_file=exclude"), stderr=open(place.path("err"), "wb")
    )
    until_running(place)
    random = instants("reload")
    nets = [f"198.18.{random.randrange(16)}.{random.choice((0, 128))}/25" for _ in range(3)]
    texts = [*("\n".join(nets[:n]) + "\n" for n in (1, 2, 3)), "198.18.0.0/33\n", None]
    random.shuffle(texts)
    for number, text in enumerate(texts, 1):
        time.sleep(random.uniform(0, 0.15))
        if text is None:
            os.unlink(place.path("exclude"))
        else:
            place.write("exclude", text)
        process.send_signal(signal.SIGHUP)
        wait_for("an answer", lambda n=number: place.read("err").count("prtip-dp: SIGHUP: ") >= n)
    run = place.finish(process)
    excluded = [ipaddress.ip_network(net) for net in nets]
    missing = judge_missing(run, truth, excluded)
    spared = run.summary["excluded_running"]["probes"]
    assert 0 < len(missing) <= spared, (len(missing), spared)
    said = [line for line in place.read("err").splitlines() if "SIGHUP: " in line]
    same(sum("stay as they are" in line for line in said), 2)
    same(len(said), 5)


def judge_missing(run, truth, excluded):
    """What is missing was excluded; nothing else changed."""
    found = {f"{r['ip']} {r['port']} tcp {r['state']}" for r in run.records}
    missing = truth - found
    for line in missing:
        ip = ipaddress.ip_address(line.split()[0])
        assert any(ip in net for net in excluded), f"{line} is missing"
    same(judge(run, truth - missing, statuses=(0,)), set())
    return missing


run_all()
