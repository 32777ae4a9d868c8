#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""on_pre_scan and on_post_scan: what they see, narrowing, a hundred million elements in little
memory; and single probes. Prints TAP.

    tests/sim/plugins-phases.py [TEST...]
"""

import hashlib
import re

from flow import NETWORK, check_account, holds, key, main, same, test

SPACE = ("-p", "1-16", "198.18.0.0/24")
# What is seen goes to the log as few lines: fifty a second are let through.
LOG = """
function on_pre_scan(targets)
	local seen = {}
	for i, t in prtip.each(targets) do seen[i] = t.ip .. " " .. t.port .. " " .. t.protocol end
	prtip.log("info", "count " .. #targets .. " sha " .. prtip.sha256(table.concat(seen, "\\n")))
	prtip.log("info", "ends " .. tostring(targets[0]) .. " " .. tostring(targets[#targets + 1])
		.. " " .. tostring(targets[1.5]) .. " " .. tostring(targets.x))
end
"""


def sha(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def narrowing(what):
    return "function on_pre_scan(targets)\n" + LOG.strip()[:-3].split("\n", 1)[1] + f"return {what} end"


@test
def order(place):
    """on_pre_scan sees the targets in scan order, and nothing beyond"""
    place.plugin("look", LOG)
    for shard in ("1/1", "2/3"):
        run = place.scan("--plugin", "look", "--rate", "100k", "--shard", shard, *SPACE)
        lines = place.list("--list-targets", "--shard", shard, *SPACE)
        holds(run.err, f"look: count {len(lines)} sha {sha(lines)}", "look: ends nil nil nil nil")
        same(run.summary["targets"], len(lines))


@test
def narrowed(place):
    """narrowing: ports and addresses, one plugin behind the other, never wider"""
    place.plugin("first", narrowing('{ports = "3-9,70", exclude = {"198.18.0.128/25"}}'))
    place.plugin("second", narrowing('{ports = "1-5,9,60-80", exclude = "198.18.0.1-198.18.0.9"}'))
    place.plugin("third", narrowing("{}"))
    plugins = [part for name in ("first", "second", "third") for part in ("--plugin", name)]
    closed = ("--set", "output.include_closed=yes")
    run = place.scan(*plugins, *SPACE, *closed, "--rate", "100k")
    counts = re.findall(r"(\w+): count (\d+) sha (\w+)", run.err)
    after_first = ("-p", "3-9", "198.18.0.0/25")
    after_second = ("-p", "3-5,9", "198.18.0.0,198.18.0.10-198.18.0.127")
    for (name, count, digest), space in zip(counts, (SPACE, after_first, after_second)):
        lines = place.list("--list-targets", *space)
        same((name, int(count), digest), (name, len(lines), sha(lines)))
    same([count[0] for count in counts], ["first", "second", "third"])
    same(run.summary["targets"], len(lines))
    same(run.summary["probes_sent"], len(lines))
    truth = [line.split() for line in place.list("--sim-truth", *after_second)]
    same(sorted(map(key, run.records)), sorted((line[0], int(line[1])) for line in truth))

    one = sorted(map(key, run.records))
    parts = []
    for shard in ("1/2", "2/2"):
        part = place.scan(*plugins, *SPACE, *closed, "--rate", "100k", "--shard", shard)
        parts += map(key, part.records)
    same(sorted(parts), one)


@test
def narrowed_to_nothing(place):
    """narrowing to nothing: no probe, exit 0, and later plugins see no target"""
    place.plugin("first", narrowing('{exclude = {"198.18.0.0/15"}}'))
    place.plugin("second", narrowing('{ports = "80"}'))
    run = place.scan("--plugin", "first", "--plugin", "second", *SPACE, timeout=15)
    same((run.summary["probes_sent"], run.summary["targets"], run.records), (0, 0, []))
    holds(run.err, "second: count 0 ")


@test
def narrowing_refused(place):
    """what on_pre_scan returns that makes no sense narrows nothing, and says why"""
    for what, why in (
        ('{ports = "seven"}', "seven"),
        ('{exclude = {"198.18.0.0/40"}}', "198.18.0.0/40"),
        ("5", "on_pre_scan must return nil or"),
        ("{exclude = {5}}", "exclude must be a list of addresses"),
        ('error("gone")', "gone"),
    ):
        place.plugin("odd", f"function on_pre_scan() return {what} end")
        run = place.scan("--plugin", "odd", "-p", "1-16", "198.18.0.0/28", "--rate", "100k")
        same(run.summary["probes_sent"], 256)
        holds(run.err, why)


@test
def post_scan(place):
    """on_post_scan sees exactly the results that were written, with all that is in them"""
    place.plugin("add", "function on_target(t) prtip.add_result('at', t.ip .. ':' .. t.port) end")
    place.plugin(
        "after",
        """
function on_post_scan(results)
	local out = {}
	for i, r in prtip.each(results) do
		local said = r.plugins and r.plugins.add and r.plugins.add.results.at or "-"
		out[i] = r.ip .. " " .. r.port .. " " .. r.state .. " " .. r.ts .. " " .. r.ttl .. " "
			.. r.reason .. " " .. said .. " " .. (r.banner and prtip.hex(r.banner) or "-")
	end
	-- backwards and at random: the same elements
	for i = #results, 1, -7 do
		assert(out[i]:find(results[i].ip, 1, true) == 1)
	end
	prtip.write_file("seen", table.concat(out, "\\n") .. "\\n")
end
""",
        capabilities='["filesystem"]',
    )
    run = place.scan(
        *("--plugin", "add", "--plugin", "after", "--set", "banner.enable=on"),
        *("--set", "banner.wait=1s", "--set", "output.include_closed=yes", "--rate", "50k", *SPACE),
    )
    check_account(run)
    wanted = []
    for r in run.records:
        said = r.get("plugins", {}).get("add", {}).get("results", {}).get("at", "-")
        banner = r["banner"].encode().hex() if "banner" in r else r.get("banner_hex", "-")
        fields = ("ip", "port", "state", "ts", "ttl", "reason")
        wanted.append(" ".join(str(r[field]) for field in fields) + f" {said} {banner}")
    seen = place.read(".prtip/data/after/seen").splitlines()
    same(seen, wanted)
    assert any(" 198.18." in line for line in seen) and len(seen) > 1000


@test
def many_targets(place):
    """on_pre_scan walks a million of a hundred million targets in 20 MB"""
    place.plugin(
        "walk",
        """
function on_pre_scan(targets)
	local sum = 0
	for i = 1, 1000000 do sum = sum + targets[i].port end
	local last = targets[#targets]
	prtip.log("info", "count " .. #targets .. " sum " .. sum .. " last " .. last.ip .. " " .. last.port)
	return {ports = "1", exclude = {"198.18.1.0-198.19.255.255"}}
end
""",
    )
    run = place.scan(
        *("--plugin", "walk", "--set", "plugins.memory_mb=20", "--rate", "max"),
        *("-p", "1-1024", "198.18.0.0/15"),
    )
    holds(run.err, "count 134217728 sum ", " last 198.1")
    same(run.summary["targets"], 256)


@test
def many_results(place):
    """on_post_scan and export walk three million results in 20 MB"""
    walk = 'local n = 0 for i, r in prtip.each(results) do n = n + r.port end\nprtip.log("info", "sum " .. n)'
    place.plugin("after", f"function on_post_scan(results) {walk} end")
    place.plugin("out", f"function export(results, path) {walk} end", "output")
    run = place.scan(
        *("--plugin", "after", "-o", "out:out.text", "--set", "plugins.memory_mb=20"),
        *("--set", "output.include_closed=yes", "--set", "sim.alive=0.75", "--rate", "max"),
        *("-p", "1-32", "198.18.0.0/15", "--set", "plugins.phase_seconds=60"),
        results=False,
        timeout=90,
    )
    sums = re.findall(r"(after|out): sum (\d+)", run.err)
    same([name for name, _ in sums], ["after", "out"])
    same(sums[0][1], sums[1][1])
    assert run.summary["results"] > 3000000, run.summary["results"]


# ---- Single probes ----


@test
def scan_port(place):
    """scan_port tells the truth, within the rate, and changes none of the scan's results"""
    place.plugin(
        "probe",
        """
-- An answer that a busy machine delivers too late counts as none: ask again.
local function ask(ip, port)
	local state
	for _ = 1, 3 do
		state = prtip.scan_port(ip, port)
		if state ~= "no-answer" then break end
	end
	return state
end
function on_target(target)
	for port = 100, 103 do
		prtip.add_result(tostring(port), ask(target.ip, port))
	end
	local state, why = prtip.scan_port("198.18.200.1", 80)
	assert(state == nil and why == "denied")
	state = prtip.scan_port(target.ip, 80, "udp")
	assert(({open = 1, closed = 1, filtered = 1, ["no-answer"] = 1})[state], state)
	assert(not pcall(prtip.scan_port, target.ip, 80, "sctp"))
end
""",
        capabilities=NETWORK,
    )
    space = ("-p", "1-8", "198.18.0.0/25", "--set", "sim.open=0.4", "--set", "sim.alive=0.7")
    before = place.scan(*space, "--rate", "5k")
    run = place.scan("--plugin", "probe", *space, "--rate", "5k")
    check_account(run)
    same(sorted(map(key, run.records)), sorted(map(key, before.records)))
    same(run.summary["probes_sent"], before.summary["probes_sent"])
    truth = {}
    for line in place.list("--sim-truth", "-p", "100-103", *space[2:]):
        ip, port, _, state = line.split()
        truth[ip, port] = state
    checked = set()
    for record in run.records:
        said = record["plugins"]["probe"]
        same(said["status"], "ok")
        for port, state in said["results"].items():
            same(state, truth.get((record["ip"], port), "no-answer"))
            checked.add(state)
    assert {"open", "closed"} <= checked, checked


@test
def scan_port_before(place):
    """scan_port in on_pre_scan comes before the first probe, and finds silent pairs silent"""
    place.plugin(
        "knock",
        """
function on_pre_scan(targets)
	local said, seen = {}, {}
	for i, t in prtip.each(targets) do
		if i <= 12 then said[#said + 1] = t.ip .. " " .. t.port .. " " .. prtip.scan_port(t.ip, t.port) end
	end
	prtip.log("info", "said " .. table.concat(said, ","))
end
""",
        capabilities=NETWORK,
        tables='[plugin.network]\nscope = "scan"\n',
    )
    run = place.scan("--plugin", "knock", "-p", "1-4", "198.18.0.0/28", "--rate", "10k")
    truth = {tuple(line.split()[:2]): line.split()[3]
             for line in place.list("--sim-truth", "-p", "1-4", "198.18.0.0/28")}
    said = [part.split() for part in re.search("said (.*)", run.err)[1].split(",")]
    same(len(said), 12)
    for ip, port, state in said:
        same((ip, port, state), (ip, port, truth.get((ip, port), "no-answer")))
    same(run.summary["probes_sent"], 64)
    same(run.summary["responses"]["syn_ack"] + run.summary["responses"]["rst"]
         >= len(truth), True)


main()
