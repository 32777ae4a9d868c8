#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plugins with each scan type and in both families: what their hooks see is what the records say.
Prints TAP.

    tests/sim/plugins-types.py [TEST...]
"""

import hashlib
import re
import subprocess

from flow import NETWORK, check_account, holds, main, same, test

BOTH = ("198.18.0.0/25", "2001:db8::/121")
NET = ("--set", "sim.alive=0.8", "--set", "sim.open=0.5", "--rate", "100k")
CLOSED = ("--set", "output.include_closed=yes")
PORTS = ("-p", "21,22,80,443")
# The flags as nmap's --scanflags would have them; INTERFACE 5.
TYPES = {
    "syn": ("S", PORTS),
    "ack": ("A", PORTS),
    "window": ("A", PORTS),
    "fin": ("F", PORTS),
    "null": ("", PORTS),
    "xmas": ("FPU", PORTS),
    "maimon": ("FA", PORTS),
    "udp": ("", ("-p", "53,123,161,443")),
    "sctp": ("", PORTS),
    "icmp": ("", ()),
    "arp": ("", ()),
    "ndp": ("", ()),
    "discovery": ("", ()),
}
STATES = 'state = ["open", "closed", "filtered", "unfiltered", "up"]'
# All that a hook sees of its result, as JSON; fields that are nil are not there.
SEE = """
local names = {"ip", "port", "protocol", "proto", "state", "reason", "zero_window", "ttl", "rtt_us",
	"ts", "service", "product", "version", "info", "cpe", "confidence", "source"}

function on_target(target, result)
	local seen, by_pairs = {}, {}
	for _, name in ipairs(names) do
		seen[name] = result[name]
		assert(prtip.target_info[name] == result[name], name)
	end
	for name, value in pairs(result) do by_pairs[name] = value end
	for _, name in ipairs(names) do assert(by_pairs[name] == result[name], name) end
	if result.banner then seen.banner = prtip.hex(result.banner) end
	assert(target.ip == result.ip and target.port == result.port
		and target.protocol == result.protocol)
	local where = result.ip
	if result.port then
		where = (result.ip:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(result.ip, result.port)
	end
	assert(tostring(target) == where .. "/" .. result.protocol, tostring(target))
	prtip.add_result("seen", seen)
	prtip.add_result("scan", {prtip.get_scan_type(), prtip.scan_config.scan_type,
		prtip.scan_config.flags, prtip.scan_config.ports})
end
"""


def sha(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def expected(record):
    """The record as a plugin sees it."""
    seen = {name: record[name] for name in record if name not in ("plugins", "banner_hex")}
    seen["protocol"] = seen["proto"]
    if "banner" in seen:
        seen["banner"] = seen["banner"].encode().hex()
    if "banner_hex" in record:
        seen["banner"] = record["banner_hex"]
    return seen


def addresses_of(name):
    return {"arp": BOTH[:1], "ndp": BOTH[1:]}.get(name, BOTH)


def check_matches(run):
    """By default open and up are offered; ports match nothing that has none."""
    wanted = {
        "any": ("open", "up"),
        "up": ("up",),
        "open": ("open",),
        "web": ("open",),
    }
    for plugin, states in wanted.items():
        of = sum(r["state"] in states for r in run.records)
        same((plugin, run.accounts[plugin]["offered"]), (plugin, of))


@test
def records(place):
    """each scan type: a hook sees each field of the record as it is; match; flags and type"""
    place.plugin("see", SEE, tables=f"[plugin.match]\n{STATES}\n")
    main_lua = "function on_target() end"
    place.plugin("any", main_lua)
    place.plugin("up", main_lua, tables='[plugin.match]\nstate = "up"\n')
    place.plugin("open", main_lua, tables='[plugin.match]\nstate = "open"\n')
    place.plugin("web", main_lua, tables='[plugin.match]\nports = [80, "1-65535"]\n')
    plugins = [part for name in ("see", "any", "up", "open", "web") for part in ("--plugin", name)]
    for name, (flags, ports) in TYPES.items():
        space = ("--scan-type", name, *ports, *addresses_of(name), *NET)
        run = place.scan(*plugins, *space, *CLOSED)
        check_account(run)
        check_matches(run)
        truth = sorted(place.list("--sim-truth", *space))
        assert len(truth) > 40, f"{name}: {len(truth)} in the truth"
        told = [(r["ip"], r.get("port", "-"), r["proto"], r["state"]) for r in run.records]
        if name == "discovery":  # the truth does not say which of its probes is answered first
            same(sorted(line[0] for line in told), sorted(line.split()[0] for line in truth))
        else:
            same(sorted(" ".join(map(str, line)) for line in told), truth)
        for record in run.records:
            said = record["plugins"]["see"]
            same((name, said["status"], said.get("error")), (name, "ok", None))
            same(said["results"]["seen"], expected(record))
            same(said["results"]["scan"][:3], [name, name, flags])
            same("port" in record, bool(ports))
            if not ports:
                same(record["state"], "up")


@test
def banners(place):
    """banners over IPv6 and of UDP: plugins have them where [banner] is on, and only there"""
    place.plugin(
        "read",
        """
function analyze_banner(banner)
	prtip.add_result("read", prtip.sha256(banner))
	local target = prtip.get_target()
	return {service = "said", info = target.protocol .. " " .. target.ip, confidence = 0.9}
end
""",
        "detection",
    )
    place.plugin("see", SEE, tables='[plugin.match]\nservice = ["said"]\n')
    plugins = ("--plugin", "read", "--plugin", "see")
    for name in ("udp", "syn"):
        space = ("--scan-type", name, *TYPES[name][1], *BOTH, *NET)
        on = place.scan(*plugins, *space, "--set", "banner.enable=on", "--set", "banner.wait=1s",
                        "--set", "detection.enable=off")
        check_account(on)
        proto = {"udp": "udp", "syn": "tcp"}[name]
        spoke = [r for r in on.records if "banner" in r or "banner_hex" in r]
        for v6 in (False, True):
            assert sum((":" in r["ip"]) == v6 for r in spoke) > 10, (name, v6, len(spoke))
        for r in spoke:
            text = r["banner"].encode() if "banner" in r else bytes.fromhex(r["banner_hex"])
            same(r["plugins"]["read"]["results"]["read"], hashlib.sha256(text).hexdigest())
            same(r["service"]["info"], f"{proto} {r['ip']}")
            same(r["service"]["source"], "read")
            seen = r["plugins"]["see"]["results"]["seen"]
            same((seen["service"], seen["banner"], seen["proto"]), ("said", text.hex(), proto))
            same((seen["source"], seen["confidence"]), ("read", 0.9))
        same(on.accounts["read"]["offered"], len(spoke))
        same(on.accounts["see"]["offered"], len(spoke))
        off = place.scan(*plugins, *space)
        same([r for r in off.records if "banner" in r or "banner_hex" in r or "plugins" in r], [])


PRE = """
function on_pre_scan(targets)
	local seen = {}
	for i, t in prtip.each(targets) do seen[i] = t.ip .. " " .. tostring(t.port) .. " " .. t.protocol end
	prtip.log("info", "count " .. #targets .. " sha " .. prtip.sha256(table.concat(seen, "\\n")))
	return %s
end
"""


@test
def narrowed(place):
    """on_pre_scan sees both families in scan order and narrows both; portless types by address only"""
    place.plugin("first", PRE % '{exclude = {"2001:db8::40/122", "198.18.0.64/26"}}')
    place.plugin("second", PRE % '{exclude = "2001:DB8:0::0-2001:db8::f"}')
    plugins = ("--plugin", "first", "--plugin", "second")
    cut = ("--exclude", "2001:db8::40/122,198.18.0.64/26")
    more = ("--exclude", cut[1] + ",2001:db8::-2001:db8::f")
    for name in ("udp", "discovery"):
        space = ("--scan-type", name, *TYPES[name][1], *BOTH, *NET)
        run = place.scan(*plugins, *space, *CLOSED)
        wanted = []
        for exclude in ((), cut, more):
            lines = place.list("--list-targets", *space, *exclude)
            if not TYPES[name][1]:
                lines = [re.sub(r" \S+ ", " nil ", line) for line in lines]
            wanted.append((len(lines), sha(lines)))
        seen = re.findall(r"(?:first|second): count (\d+) sha (\w+)", run.err)
        same((name, [(int(n), digest) for n, digest in seen]), (name, wanted[:2]))
        same(run.summary["targets"], wanted[2][0])
        truth = place.list("--sim-truth", *space, *more)
        same(sorted(r["ip"] for r in run.records), sorted(line.split()[0] for line in truth))
        if not TYPES[name][1]:
            place.plugin("ports", 'function on_pre_scan() return {ports = "80"} end')
            run = place.scan("--plugin", "ports", *space)
            holds(run.err, f"ports: a scan of type {name} has none")
            same(run.summary["targets"], len(place.list("--list-targets", *space)))


@test
def vast(place):
    """a sequence over 2^100 addresses saturates at 2^53 elements, and says so; [i] is the order's"""
    place.plugin(
        "vast",
        """
function on_pre_scan(targets)
	local last = 2 ^ 53
	prtip.log("info", ("count %.0f"):format(#targets))
	local seen = {}
	for i = 1, 2000 do seen[i] = targets[i].ip .. " " .. targets[i].port .. " " .. targets[i].protocol end
	prtip.log("info", "sha " .. prtip.sha256(table.concat(seen, "\\n")))
	local some = {}
	for _, i in ipairs({2, last / 2 + 1, last - 1, last}) do some[#some + 1] = tostring(targets[i]) end
	prtip.log("info", "some " .. table.concat(some, " "))
	prtip.log("info", "ends " .. tostring(targets[0]) .. " " .. tostring(targets[last + 2]))
	return {exclude = "%s"}
end
""".replace("%s", "2001:db8::10-2001:dbf:ffff:ffff:ffff:ffff:ffff:ffff"),
    )
    space = ("-p", "80", "2001:db0::/28", "--set", "scan.default_excludes=no")
    run = place.scan("--plugin", "vast", *space, "--set", "plugins.memory_mb=20",
                     "--exclude", "2001:db0::-2001:db7:ffff:ffff:ffff:ffff:ffff:ffff")
    holds(run.err, "vast: count 9007199254740992\n", "vast: ends nil nil", "narrowed the scan to 16 pairs",
          "sees the first 9007199254740992 of ")
    some = re.search("vast: some (.*)", run.err)[1].split()
    same(len(set(some)), 4)
    assert all(re.fullmatch(r"\[2001:db[89a-f]:[0-9a-f:]+\]:80/tcp", one) for one in some), some
    same(run.summary["probes_sent"], 16)
    command = place.command("--list-targets", *space, "--exclude",
                            "2001:db0::-2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", results=False)
    holds(run.err, f"vast: sha {sha(head(command, place.top, 2000))}")


def head(command, folder, lines):
    """The first lines of what would be far too many."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as process:
        found = [process.stdout.readline().rstrip("\n") for _ in range(lines)]
        process.kill()
    return found


@test
def probes(place):
    """scan_port in both families and both protocols tells the truth, whatever the scan's type"""
    place.plugin(
        "probe",
        """
function on_target(target)
	for _, port in ipairs({53, 161}) do
		prtip.add_result("udp " .. port, prtip.scan_port(target.ip, port, "udp"))
		prtip.add_result("tcp " .. port, prtip.scan_port(target.ip, port, "tcp"))
	end
	local function why(...) return select(2, prtip.scan_port(...)) end
	assert(why("2001:db8:1::1", 80) == "denied" and why("198.18.9.9", 80, "udp") == "denied")
	assert(why("::ffff:198.18.0.1", 80) == "not an IP address")
	assert(why("fe80::1%eth0", 80) == "not an IP address")
	assert(select(2, prtip.connect(target.ip, 80)) == "no network on this port")
	assert(not pcall(prtip.scan_port, target.ip, 80, "icmp"))
end
""",
        capabilities=NETWORK,
        tables=f"[plugin.match]\n{STATES}\n",
    )
    few = ("198.18.0.0/28", "2001:db8::/124")
    truth = {}
    for proto, letter in (("tcp", "syn"), ("udp", "udp")):
        for line in place.list("--sim-truth", "--scan-type", letter, "-p", "53,161", *few, *NET):
            ip, port, _, state = line.split()
            truth[ip, f"{proto} {port}"] = state
    states = set()
    for name in ("udp", "sctp", "discovery", "ndp"):
        targets = few[1:] if name == "ndp" else few
        space = ("--scan-type", name, *TYPES[name][1], *targets, *NET, "--rate", "2k")
        run = place.scan("--plugin", "probe", *space, *CLOSED)
        check_account(run)
        same(sorted(r["ip"] for r in run.records),
             sorted(line.split()[0] for line in place.list("--sim-truth", *space)))
        for record in run.records:
            said = record["plugins"]["probe"]
            same((name, said["status"], said.get("error")), (name, "ok", None))
            same(len(said["results"]), 4)
            for what, state in said["results"].items():
                same((name, record["ip"], what, state),
                     (name, record["ip"], what, truth.get((record["ip"], what), "no-answer")))
                states.add((":" in record["ip"], what[:3], state))
    for v6 in (False, True):
        assert {(v6, "tcp", "open"), (v6, "tcp", "closed"), (v6, "udp", "open")} <= states, states


main()
