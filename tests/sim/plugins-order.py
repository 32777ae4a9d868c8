#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which plugins a result goes to, in which order and with what; what plugins know of the scan; output
plugins; limits. Prints TAP.

    tests/sim/plugins-order.py [TEST...]
"""

import json
import os
import re

from flow import NETWORK, STATUSES, check_account, holds, key, main, same, test

SPACE = ("-p", "1-12", "198.18.0.0/25", "--rate", "50k", "--set", "sim.open=0.4")
CLOSED = ("--set", "output.include_closed=yes")
BANNERS = ("--set", "banner.enable=on", "--set", "banner.wait=500ms")
SEEN = "function on_target(target, result) prtip.add_result('seen', {result.state, result.service or '-'}) end"


def enable(*names):
    return [part for name in names for part in ("--plugin", name)]


def detection(body):
    return f"function probe_service(target) {body} end"


def service(name, confidence, **more):
    fields = "".join(f", {field} = '{value}'" for field, value in more.items())
    return f"{{service = '{name}', confidence = {confidence}{fields}}}"


@test
def match(place):
    """match: ports, states and services, exactly those results and no others"""
    place.plugin("named", detection(f"if target.port % 3 == 0 then return {service('three', 0.9)} end"),
                 "detection", "[plugin.match]\nports = [3, 6, 7, 9]\nstate = 'open'\n")
    rules = {
        "all": ("", lambda r: r["state"] == "open"),
        "ports": ('ports = [2, "4-6", "11-99"]', lambda r: r["state"] == "open"
                  and (r["port"] == 2 or 4 <= r["port"] <= 6 or r["port"] >= 11)),
        "closed": ('state = "closed"', lambda r: r["state"] == "closed"),
        "both": ('state = ["open", "closed"]\nports = [5]', lambda r: r["port"] == 5),
        "none": ('state = "unfiltered"', lambda r: False),
        "service": ('service = ["other", "three"]',
                    lambda r: r["state"] == "open" and r["port"] in (3, 6, 9)),
        "nobody": ('service = ["other"]', lambda r: False),
    }
    for name, (rule, _) in rules.items():
        place.plugin(name, SEEN, tables=f"[plugin.match]\n{rule}\n" if rule else "")
    run = place.scan(*enable("named", *rules), *SPACE, *CLOSED)
    check_account(run)
    for name, (_, wanted) in rules.items():
        got = {key(r) for r in run.records if name in r.get("plugins", {})}
        same((name, got), (name, {key(r) for r in run.records if wanted(r)}))
    assert any(r["state"] == "closed" for r in run.records)
    same({r["service"]["name"] for r in run.records if "service" in r}, {"three"})
    same({tuple(seen) for seen in run.said("service", "seen")}, {("open", "three")})

    # Closed ones that are left out of the results come to no plugin.
    run = place.scan(*enable("closed", "both"), *SPACE)
    check_account(run)
    same(run.accounts["closed"]["offered"], 0)
    same({r["state"] for r in run.records}, {"open"})


@test
def confidence(place):
    """detection in enable order, each sees the refined service, the surer wins, ties to the earlier"""
    saw = "prtip.add_result('saw', (target.service or '-') .. ' ' .. tostring(target.confidence))"
    place.plugin("a", detection(f"{saw} return {service('a', 0.5, product='pa', version='1')}"), "detection")
    place.plugin("b", detection(f"{saw} return {service('b', 0.5)}"), "detection")
    place.plugin("c", detection(f"{saw} if target.port > 6 then return {service('c', 0.7)} end"), "detection")
    place.plugin("d", detection(f"{saw} return {service('d', 0.85)}"), "detection",
                 "[plugin.match]\nports = ['10-12']\n")
    place.plugin("e", detection(f"{saw} return {service('e', 1)}"), "detection",
                 "[plugin.match]\nports = ['9-12']\n")
    place.plugin("watch", "function on_target(t, r) prtip.add_result('saw', {r.service, r.product or '-', "
                 "prtip.target_info.service}) end")
    place.plugin("line", "function format_result(r) return r.ip .. ' ' .. r.port .. ' ' .. r.service .. '\\n' end",
                 "output")
    run = place.scan(*enable("watch", "a", "b", "c", "d", "e"), "-o", "line:out.line", *SPACE)
    check_account(run)
    lines = []
    for r in run.records:
        port, said = r["port"], r["plugins"]
        name = "a" if port <= 6 else "c" if port <= 8 else "e" if port == 9 else "d"
        same((port, r["service"]["name"], r["service"]["source"]), (port, name, name))
        order = ["a", "b", "c"] + (["d"] if port >= 10 else []) + (["e"] if port == 9 else [])
        same(list(said), order + ["watch", "line"])
        same(said["a"]["results"]["saw"], "- nil")
        same(said["b"]["results"]["saw"], "a 0.5")
        same(said["c"]["results"]["saw"], "a 0.5")
        same(said["watch"]["results"]["saw"], [name, "pa" if name == "a" else "-", name])
        lines.append(f"{r['ip']} {port} {name}")
    assert len(lines) > 100
    same(sorted(place.read("out.line").splitlines()), sorted(lines))

    # The other way round the tie goes to b.
    run = place.scan(*enable("b", "a"), *SPACE)
    same({r["service"]["name"] for r in run.records}, {"b"})


@test
def banner_first(place):
    """analyze_banner comes before probe_service, which is called below 0.8 only"""
    place.plugin(
        "both",
        """
function analyze_banner(banner)
	prtip.add_result("banner", banner == prtip.target_info.banner)
	return {service = "b", confidence = prtip.target_info.port > 6 and 0.8 or 0.79}
end
function probe_service(target)
	prtip.add_result("probed", target.service or "-")
	return {service = "p", confidence = 0.9}
end
""",
        "detection",
    )
    run = place.scan(*enable("both"), *SPACE, *BANNERS, "--set", "detection.enable=off")
    check_account(run)
    kinds = set()
    for r in run.records:
        said = r["plugins"]["both"]["results"]
        has_banner = "banner" in r or "banner_hex" in r
        sure = has_banner and r["port"] > 6
        kinds.add((has_banner, sure))
        same(said.get("banner"), True if has_banner else None)
        same(said.get("probed"), None if sure else "b" if has_banner else "-")
        same(r["service"]["name"], "b" if sure else "p")
    same(len(kinds), 3)


@test
def known(place):
    """scan_config, get_scan_type, get_target and target_info have the scan's values"""
    place.plugin(
        "know",
        """
function on_target(target, result)
	local c = prtip.scan_config
	prtip.add_result("scan", {c.scan_type, c.rate, c.timing, c.flags, c.ports, c.seed, prtip.get_scan_type()})
	local t, i = prtip.get_target(), prtip.target_info
	prtip.add_result("target", t.ip .. t.port .. t.protocol == i.ip .. i.port .. i.protocol
		and t.ip == target.ip and t.port == result.port)
	prtip.add_result("fixed", {pcall(function() c.rate = 1 end), pcall(function() i.ip = "" end),
		pcall(function() target.ip = "" end), prtip.now() > 1e9})
end
""",
    )
    run = place.scan(*enable("know"), *SPACE, "-T", "4")
    check_account(run)
    same(run.said("know", "scan")[0], ["syn", 50000, 4, "S", "1-12", 7, "syn"])
    same({json.dumps(said) for said in run.said("know", "target")}, {"true"})
    same({json.dumps(said[0]) for said in run.said("know", "fixed")}, {"false"})
    same(len(run.said("know", "scan")), len(run.records))


@test
def configured(place):
    """on_load(config) has values of the type of their defaults, from file and command line"""
    place.plugin(
        "conf",
        """
local lines = {}
function on_load(config)
	for _, key in ipairs({"paths", "depth", "ratio", "loud", "label", "more", "ports"}) do
		local value = config[key]
		if type(value) == "table" then value = #value .. ":" .. table.concat(value, "|") end
		lines[#lines + 1] = type(config[key]) .. " " .. tostring(value)
	end
	if config.depth == 13 then return "thirteen is refused" end
end
function on_target() prtip.add_result("config", lines) end
""",
        config='paths = ["/"]\ndepth = 3\nratio = 0.5\nloud = false\nlabel = "x"\nports = [1, 2]',
    )
    config = place.write("scan.ini", "[plugin:conf]\npaths = /a,/b\ndepth = 5\nratio = 2\nmore = 1\n")
    run = place.scan(
        *("-c", config, *enable("conf"), *SPACE, "--plugin-arg", "conf.loud=yes"),
        *("--plugin-arg", "conf.label=7", "--plugin-arg", "conf.depth=6"),
    )
    wanted = ["table 2:/a|/b", "number 6", "number 2", "boolean true", "string 7", "string 1"]
    same(run.said("conf", "config")[0], wanted + ["table 2:1|2"])
    run = place.scan(*enable("conf"), *SPACE, "--plugin-arg", "conf.depth=13", status=2)
    holds(run.err, "conf", "thirteen is refused")
    assert not os.path.exists(place.path("out.ndjson"))
    run = place.scan(*enable("conf"), *SPACE, "--plugin-arg", "conf.depth=x", status=2)
    holds(run.err, "depth", "x")


@test
def limits(place):
    """a plugin's own limits tighten the operator's and never loosen them"""
    loop = "function on_target(t) local n = {} for i = 1, 3e5 do n[i % 8] = i end end"
    hog = "function on_target() local t = ('x'):rep(12e6) end"
    wait = "function on_target() prtip.sleep(0.7) end"
    limit = "[plugin.limits]\n"
    place.plugin("loop-own", loop, tables=limit + "instructions = 100000\n")
    place.plugin("loop-more", loop, tables=limit + "instructions = 900000000\n")
    place.plugin("hog-own", hog, tables=limit + "memory_mb = 10\n")
    place.plugin("hog-more", hog, tables=limit + "memory_mb = 5000\n")
    place.plugin("wait-own", wait, capabilities=NETWORK, tables=limit + "wall_seconds = 0.2\n")
    place.plugin("wait-more", wait, capabilities=NETWORK, tables=limit + "wall_seconds = 9\n")
    names = [f"{what}-{who}" for what in ("loop", "hog", "wait") for who in ("own", "more")]
    space = ("-p", "1", "198.18.0.0/28", "--set", "sim.open=0.5", "--set", "sim.alive=1")

    def statuses(*settings):
        run = place.scan(*enable(*names), *space, *settings)
        check_account(run)
        found = {}
        for name in names:
            found[name] = [s for s in STATUSES if run.accounts[name][s]]
        return found

    found = statuses("--set", "plugins.lanes=2", "--set", "plugins.instructions=20000000")
    for what, bad in (("loop", "instructions"), ("hog", "memory"), ("wait", "timeout")):
        same((what, found[what + "-more"]), (what, ["ok"]))
        assert bad in found[what + "-own"], (what, found)
    found = statuses(
        *("--set", "plugins.instructions=100000", "--set", "plugins.memory_mb=10"),
        *("--set", "plugins.wall_seconds=0.2"),
    )
    for what, bad in (("loop", "instructions"), ("hog", "memory"), ("wait", "timeout")):
        assert bad in found[what + "-more"], (what, found)
        assert "ok" not in found[what + "-more"], (what, found)


# ---- Output plugins ----

FORMAT = """
function format_result(result)
	if result.port == 5 then error("not five") end
	if result.port == 6 then return nil end
	if result.port == 7 then return 7 end
	return result.ip .. " " .. result.port .. "\\n"
end
"""
EXPORT = """
function export(results, path)
	local out = {}
	for i, r in prtip.each(results) do out[i] = r.ip .. " " .. r.port .. "\\n" end
	assert(prtip.append_file(path, "total " .. #results .. "\\n" .. table.concat(out)))
	local ok, why = pcall(prtip.write_file, path .. "x", "no")
	assert(not ok and why:find("PermissionDenied"))
end
"""


def pieces(records, leave_out=()):
    return sorted(f"{r['ip']} {r['port']}" for r in records if r["port"] not in leave_out)


@test
def formatted(place):
    """format_result alone, beside others: pieces joined, those that failed missing, statuses tell"""
    place.plugin("text", FORMAT, "output")
    run = place.scan("-o", "text:out.text", *SPACE)
    check_account(run)
    same(sorted(place.read("out.text").splitlines()), pieces(run.records, (5, 6, 7)))
    bad = {5: "error", 6: "ok", 7: "error"}
    for r in run.records:
        same((r["port"], r["plugins"]["text"]["status"]), (r["port"], bad.get(r["port"], "ok")))
    run = place.scan("-o", "text:-", *SPACE)
    same(sorted(run.out.decode().splitlines()), pieces(run.records, (5, 6, 7)))


@test
def existing(place):
    """an existing file: exit 2 without --overwrite or --append, and those do what they say"""
    place.plugin("text", FORMAT, "output")
    place.write("out.text", "before\n")
    run = place.scan("-o", "text:out.text", *SPACE, status=2)
    holds(run.err, "out.text")
    same(place.read("out.text"), "before\n")
    run = place.scan("-o", "text:out.text", "--append", *SPACE)
    lines = place.read("out.text").splitlines()
    same(lines[0], "before")
    same(sorted(lines[1:]), pieces(run.records, (5, 6, 7)))
    run = place.scan("-o", "text:out.text", "--overwrite", *SPACE)
    same(sorted(place.read("out.text").splitlines()), pieces(run.records, (5, 6, 7)))


@test
def exported(place):
    """export alone and with format_result: all results, in one file that is the plugin's only one"""
    place.plugin("after", EXPORT, "output")
    run = place.scan("-o", "after:out.after", *SPACE, *CLOSED)
    same(run.accounts["after"]["offered"], 0)
    lines = place.read("out.after").splitlines()
    same(lines[0], f"total {len(run.records)}")
    same(lines[1:], [f"{r['ip']} {r['port']}" for r in run.records])
    same(os.path.exists(place.path("out.afterx")), False)
    run = place.scan("-o", "after:-", *SPACE, status=2)
    holds(run.err, "format_result")

    place.plugin("both", FORMAT + EXPORT, "output")
    run = place.scan("-o", "both:out.both", *SPACE)
    text = place.read("out.both")
    head, tail = re.split(r"^total \d+\n", text, flags=re.M)
    same(sorted(head.splitlines()), pieces(run.records, (5, 6, 7)))
    same(tail.splitlines(), [f"{r['ip']} {r['port']}" for r in run.records])

    place.plugin("after", "function export() error('cannot') end", "output")
    run = place.scan("-o", "after:out.after", "--overwrite", *SPACE)
    holds(run.err, "export: error: ", "cannot")


main()
