#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every result comes out once, and every offer to a plugin has one status: with all statuses in one
run, lanes that are killed, and plugins that are slower than the scan. Prints TAP.

    tests/sim/plugins-account.py [TEST...]
"""

import glob
import os
import time

from flow import NETWORK, check_account, holds, kill, lanes_of, main, same, test, wait_for

# What happens is decided by the pair, so that each run has all of it.
MIXED = """
local function pick(target) return (tonumber(target.ip:match("%d+$")) * 7 + target.port) % 31 end
function on_target(target, result)
	local what = pick(target)
	if what == 1 then error("on purpose") end
	if what == 2 then prtip.connect(target.ip, 80) end
	if what == 3 and target.port < 3 then local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end end
	if what == 4 and target.port == 7 then pcall(function() while true do end end) end
	if what == 5 and target.port == 8 then (("a"):rep(40000)):find((".-"):rep(9) .. "b") end
	prtip.add_result("what", what)
end
"""
DETECTION = """
local n = 0
function analyze_banner(banner)
	n = n + 1
	if n % 50 == 0 then error("each fiftieth") end
	return {service = "x", confidence = 0.5}
end
function probe_service(target)
	if target.port == 3 then return {service = 5} end
end
"""
WAITING = """
function on_target(target)
	prtip.sleep(0.02)
	if target.port == 5 then prtip.sleep(60) end
end
"""
OUTPUT = """
function format_result(result)
	if result.port == 9 then error("not this one") end
	return result.ip .. " " .. result.port .. "\\n"
end
"""
# A millisecond or so of work.
BUSY = "function on_target() local x = 0 for i = 1, 100000 do x = x + i % 7 end end\n"


def mixed(place, *arguments):
    place.plugin("mixed", MIXED)
    place.plugin("detect", DETECTION, "detection")
    place.plugin("waiting", WAITING, capabilities=NETWORK)
    place.plugin("text", OUTPUT, "output")
    limits = ("memory_mb=20", "cpu_seconds=0.3", "wall_seconds=1", "instructions=200000")
    limits = [part for limit in limits for part in ("--set", "plugins." + limit)]
    enabled = [part for name in ("mixed", "detect", "waiting") for part in ("--plugin", name)]
    return place.start(
        *(*limits, *enabled, *arguments, "-o", "text:out.text", "--set", "output.include_closed=yes"),
        *("--set", "sim.open=0.3", "--set", "banner.enable=on", "--set", "banner.wait=1s", "--rate", "4000"),
        *("-p", "1-12", "198.18.0.0/23"),
    )


def judge_mixed(place, run):
    check_account(run)
    truth = place.list("--sim-truth", "--set", "sim.open=0.3", "-p", "1-12", "198.18.0.0/23")
    same(
        sorted(f"{r['ip']} {r['port']} tcp {r['state']}" for r in run.records),
        sorted(line for line in truth if line.split()[3] != "filtered"),
    )
    opened = sum(record["state"] == "open" for record in run.records)
    for name in ("mixed", "waiting", "text"):
        same(run.accounts[name]["offered"], opened)
    lines = place.read("out.text").splitlines()
    formatted = [
        f"{r['ip']} {r['port']}"
        for r in run.records
        if r.get("plugins", {}).get("text", {}).get("status") == "ok"
    ]
    same(sorted(lines), sorted(formatted))
    assert run.accounts["text"]["error"] > 0


@test
def one_lane(place):
    """all statuses in one run with one lane each: the account is exact"""
    run = place.finish(mixed(place, "--set", "plugins.drain=20s"))
    judge_mixed(place, run)
    account = run.accounts["mixed"]
    for status in ("ok", "error", "denied", "memory", "instructions", "timeout"):
        assert account[status] > 0, f"{status}: {account}"
    assert run.accounts["detect"]["error"] > 0
    assert run.accounts["waiting"]["timeout"] > 0


@test
def three_lanes(place):
    """the same with three lanes each, and lanes that are killed by hand all the time"""
    process = mixed(place, "--set", "plugins.lanes=3", "--set", "plugins.drain=20s")
    names = ("mixed", "detect", "waiting", "text")
    wait_for("the scan", lambda: os.path.exists(place.path("out.ndjson")))
    wait_for("three lanes and a spare", lambda: len(lanes_of(process, "waiting")) == 4)
    for turn in range(24):
        for lane in lanes_of(process, names[turn % 4])[turn // 4 % 3 :][:1]:
            kill(lane)
        time.sleep(0.07)
    run = place.finish(process, status=process.wait(60))
    assert run.status in (0, 3), run.err
    judge_mixed(place, run)
    assert sum(account["deaths"] for account in run.accounts.values()) >= 10
    assert run.accounts["waiting"]["killed"] > 0, run.accounts


@test
def all_killed(place):
    """a plugin whose lanes are killed as soon as they come is put in quarantine, and told so"""
    place.plugin("victim", WAITING, capabilities=NETWORK)
    process = place.start(
        *("--plugin", "victim", "--rate", "6000", "-p", "1-12", "198.18.0.0/22"),
        *("--set", "plugins.lanes=2", "--set", "plugins.drain=20s"),
    )
    wait_for("the scan", lambda: os.path.exists(place.path("out.ndjson")))
    while process.poll() is None:
        for lane in lanes_of(process, "victim"):
            kill(lane)
        time.sleep(0.01)
    run = place.finish(process, status=3)
    check_account(run)
    account = run.accounts["victim"]
    assert account["quarantined"] and account["skipped"] > 0, account
    holds(run.err, "victim", "in quarantine")


# ---- Plugins slower than the scan ----


def slow_scan(place, overflow, *arguments, **more):
    place.plugin("busy", BUSY)
    return place.scan(
        *("--plugin", "busy", "--set", "plugins.queue=64", "--set", "plugins.overflow=" + overflow),
        *("-p", "1-16", "198.18.0.0/20", "--rate", "100k", *arguments),
        **more,
    )


@test
def spill(place):
    """overflow = spill: what waited on disk comes out ok, and the disk is free again"""
    run = slow_scan(place, "spill")
    check_account(run)
    account = run.accounts["busy"]
    same(account["ok"], account["offered"])
    assert account["offered"] > 3000 and account["spilled"] > 1000, account
    same(glob.glob(place.path("tmp*")) + glob.glob(place.path("*spill*")), [])
    same(sorted(os.listdir(place.top)), ["out.ndjson", "out.sum", "plugins"])


@test
def spill_full(place):
    """overflow = spill with little room: what does not fit is skipped, counted, and exit 3"""
    place.plugin("busy", BUSY)
    run = place.scan(
        *("--plugin", "busy", "--set", "plugins.queue=64", "--set", "plugins.spill_mb=1"),
        *("-p", "1-100", "198.18.0.0/19", "--rate", "max", "--set", "plugins.drain=1s"),
        status=3,
    )
    check_account(run)
    account = run.accounts["busy"]
    assert account["ok"] > 100 and account["spilled"] > 1000 and account["skipped"] > 1000, account
    same(len(run.records), run.accounts["busy"]["offered"])


@test
def spill_lost(place):
    """a spill file that is damaged: the run ends, and what was in it is lost and counted"""
    place.plugin("waiting", "function on_target() prtip.sleep(1) end", capabilities=NETWORK)
    process = place.start(
        *("--plugin", "waiting", "--set", "plugins.queue=64", "--set", "plugins.drain=1s"),
        *("-p", "1-100", "198.18.0.0/18", "--rate", "500k"),
    )

    def spilled():
        for link in glob.glob(f"/proc/{process.pid}/fd/*"):
            try:
                if os.readlink(link).startswith(place.top) and os.stat(link).st_size > 1 << 20:
                    return link
            except OSError:
                pass
        return None

    os.truncate(wait_for("a spill file", spilled), 0)
    run = place.finish(process, status=3)
    account = run.accounts["waiting"]
    same(account["offered"], account["ok"] + account["skipped"])
    same(len({(r["ip"], r["port"]) for r in run.records}), len(run.records))
    assert run.summary["lost"]["results"] > 1000, run.summary["lost"]
    same(run.summary["lost"]["results"] + len(run.records), account["offered"])
    holds(run.err, "waiting", "spill")


@test
def skip(place):
    """overflow = skip: the scan goes on at its rate, what is too much is skipped, exit 3"""
    run = slow_scan(place, "skip", status=3)
    check_account(run)
    account = run.accounts["busy"]
    assert account["ok"] > 64 and account["skipped"] > 1000, account
    same(account["spilled"], 0)
    same(run.summary["throttled_s"], 0)


@test
def throttle(place):
    """overflow = throttle: the scan waits for the plugin, nothing is skipped"""
    run = slow_scan(place, "throttle")
    check_account(run)
    account = run.accounts["busy"]
    same(account["ok"], account["offered"])
    same(account["spilled"], 0)
    same(run.summary["lost"]["ring_full"], 0)


main()
