#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Outputs that other programs read, from scans of the simulated network: what Python's csv module, xmllint
with nmap's DTD, libnmap's parser, and readers of greppable and of list lines find in them is what
the NDJSON of the same scan has. And filters, held against the records of a scan without one. Prints TAP.

    tests/sim/formats.py [TEST...]
"""

import csv
import ipaddress
import json
import os
import re
import signal
import subprocess

from flow import PROGRAM, main, test, wait_for

DTD = "/usr/share/nmap/nmap.dtd"
BANNERS = ("--set", "banner.enable=on", "--set", "banner.wait=300ms")
CLOSED = ("--set", "output.include_closed=yes")
SPACE = ("-p", "21,22,80,443", "198.18.0.0/26", "2001:db8::/124", "--rate", "100k",
         "--set", "sim.open=0.4", "--set", "sim.alive=0.8", "--set", "scan.cooldown=200ms")
# Services and findings that mean harm to files of text.
HOSTILE = r"""
local products = {"=1+1", "@x", 'say "x", y; z', "a|b\r\nc", "<script>&amp;]]></script>", "gr\195\188n",
	"\27[2J", "\194\155", "\239\191\191", "c:\\x\\", "a/b", "plain 1.2"}

function analyze_banner(banner)
	local target = prtip.get_target()
	local n = tonumber(target.ip:match("%x+$"), 16) + target.port
	return {service = "svc " .. target.port, product = products[n % #products + 1], version = "1." .. n,
		info = n % 3 == 0 and "x/y\tz" or nil, cpe = "cpe:/a:x:y:" .. n, confidence = 0.85}
end
"""
FINDER = r"""
function on_target(target)
	if target.port == 21 then error("no | <way>\n") end
	prtip.add_result("port", target.port)
	prtip.add_result("list", {"a|b", {deep = true}})
	prtip.add_result("text", "<x\ny\27\"" .. ("z"):rep(300))
end
"""


shared = {}  # of the one scan that most tests here look at


def scanned(place):
    """The records of a scan, and what its outputs hold, in this test's folder."""
    if not shared:
        run = place.scan(*SPACE, *BANNERS, *CLOSED, *harm(place), "-oX", "out.xml", "-oG", "out.gnmap",
                         "-oL", "out.list", "-o", "csv:out.csv", "--fields", ", ".join(FIELDS))
        shared["records"] = run.records
        for name in ("out.xml", "out.gnmap", "out.list", "out.csv"):
            with open(place.path(name), encoding="utf-8", newline="") as file:
                shared[name] = file.read()
    place.write("out.xml", shared["out.xml"])
    return shared["records"]


def harm(place):
    if not os.path.exists(os.path.join(place.plugins, "finder")):
        place.plugin("hostile", HOSTILE, "detection")
        place.plugin("finder", FINDER)
    return ("--plugin", "hostile", "--plugin", "finder")


def raw(record):
    """The bytes of a banner, or None."""
    if "banner_hex" in record:
        return bytes.fromhex(record["banner_hex"])
    return record["banner"].encode() if "banner" in record else None


def true(what, is_so):
    assert is_so, what


def same(what, got, wanted):
    assert got == wanted, f"{what}: {got!r}, not {wanted!r}"


def resume(place):
    return subprocess.Popen([PROGRAM, "--resume", "scan.ckpt"], cwd=place.top,
                            env=dict(os.environ, HOME=place.top), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_lines(place, process, lines):
    """Until so many more results are there."""
    def count():
        return place.read("out.ndjson").count("\n") if os.path.exists(place.path("out.ndjson")) else 0

    lines += count()
    wait_for("results", lambda: process.poll() is not None or count() >= lines, 60)
    true("it is not over yet", process.poll() is None)
    return process


def keys(records):
    return sorted((r["ip"], r.get("port"), r["proto"], r["state"]) for r in records)


# ---- CSV ----

FIELDS = """ts ip port proto state reason ttl rtt_us zero_window banner banner_hex service.name service.product
service.version service.info service.os service.cpe service.confidence service.source plugins.finder.status
plugins.finder.error plugins.finder.results plugins.finder.results.port plugins.finder.results.text
plugins.finder.results.list plugins.hostile.status""".split()
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "\\": "\\"}


def unescape(cell):
    """As docs/formats.md says."""
    return re.sub(
        r"\\(u[0-9a-f]{4}|.)",
        lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "u" else ESCAPES[m[1]],
        cell,
    )


def lookup(record, name):
    value = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def matches_cell(cell, value):
    if value is None:
        return cell == ""
    if isinstance(value, (dict, list)):
        return json.loads(unescape(cell)) == value
    if isinstance(value, bool):
        return cell == ("true" if value else "false")
    if isinstance(value, (int, float)):
        return float(cell) == value
    return unescape(cell) == value


@test
def csv_is_read(place):
    """CSV: Python's csv module finds what NDJSON has, in every field, however hostile"""
    records = scanned(place)
    text = shared["out.csv"]
    rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    same("the heading", rows[0], FIELDS)
    same("a line a record", text.count("\n"), 1 + len(records))
    true("no control characters", not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", text))
    true("no formulas", not [c for row in rows for c in row if c[:1] in list("=+-@")])
    true("records of all kinds", len({(r["state"], "service" in r) for r in records}) >= 2)
    for row, record in zip(rows[1:], records):
        for name, cell in zip(FIELDS, row):
            true(f"{name} of {record}: {cell}", matches_cell(cell, lookup(record, name)))


@test
def csv_fields(place):
    """CSV: zmap's names, and a file that is added to under one heading only"""
    run = place.scan(*SPACE, "-o", "csv:b.csv", "--output-fields", "saddr,sport,classification,success")
    rows = place.read("b.csv").splitlines()
    same("zmap's heading", rows[0], "saddr,sport,classification,success")
    same("zmap's words", {row.split(",", 2)[2] for row in rows[1:]}, {"synack,1"})
    place.scan(*SPACE, "-o", "csv:b.csv", "--fields", "saddr,sport,classification,success", "--append",
               results=False)
    same("twice the rows", len(place.read("b.csv").splitlines()), 1 + 2 * len(run.records))
    place.scan(*SPACE, "-o", "csv:b.csv", "--fields", "saddr", "--append", results=False, status=2)
    same("as it was", len(place.read("b.csv").splitlines()), 1 + 2 * len(run.records))


# ---- XML ----

def xml_text(data):
    """Bytes as the attribute has them: what is no character of XML is \\xNN."""
    text = ""
    for c in data.decode("utf-8", "surrogateescape"):
        legal = c in "\t\n\r" or (c >= " " and c not in "\x7f\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
        text += c if legal else "".join(f"\\x{b:02X}" for b in c.encode("utf-8", "surrogateescape"))
    return text


def valid(path):
    result = subprocess.run(["xmllint", "--noout", "--nonet", "--dtdvalid", DTD, path],
                            capture_output=True, text=True, check=False)
    true(f"valid: {result.stderr[-900:]}", result.returncode == 0)


def parse(path):
    from libnmap.parser import NmapParser

    return NmapParser.parse_fromfile(path)


def script(service, name):
    return [s["output"] for s in service.scripts_results if s["id"] == name]


@test
def xml_is_read(place):
    """XML: valid by nmap's DTD, and libnmap's parser finds what NDJSON has"""
    scan = scanned(place)
    valid(place.path("out.xml"))
    report = parse(place.path("out.xml"))
    found = []
    records = {(r["ip"], r["port"]): r for r in scan}
    for host in report.hosts:
        true(f"{host.address} is up", host.is_up())
        for service in host.services:
            found.append((host.address, service.port, service.protocol, service.state))
            record = records[(host.address, service.port)]
            same("reason", service.reason, record["reason"])
            same("TTL", service.reason_ttl, str(record["ttl"]))
            known = record.get("service", {})
            same("service", service.service, known.get("name", ""))
            if known:
                same("product", service.service_dict.get("product", ""),
                     xml_text(known.get("product", "").encode()))
                same("version", service.service_dict.get("version"), known["version"])
                same("confidence", service.service_dict["conf"], str(int(known["confidence"] * 10 + 0.5)))
                same("cpe", [c.cpestring for c in service.cpelist], [known["cpe"]])
            banner = raw(record)
            same("banner", script(service, "banner"), [] if banner is None else [xml_text(banner)])
            said = record.get("plugins", {}).get("finder")
            if said and "error" in said:
                same("error", script(service, "finder"), ["error: " + xml_text(said["error"].encode())])
            elif said:
                        same("results", json.loads(script(service, "finder")[0]), said["results"])
    same("hosts in order", [int(ipaddress.ip_address(h.address)) for h in report.hosts if h.ipv4],
         sorted(int(ipaddress.ip_address(h.address)) for h in report.hosts if h.ipv4))
    same("ports", sorted(found), keys(scan))
    same("hosts up", report.hosts_up, len({r["ip"] for r in scan}))
    same("hosts", report.hosts_total, 64 + 16)
    same("exit", report.summary.count(f"{len(scan)} results"), 1)
    same("scan type", report.scan_type, "syn")


@test
def xml_of_other_types(place):
    """XML: types without ports, services that no one names, standard output"""
    for kind in ("icmp", "udp"):
        ports = () if kind in ("icmp",) else ("-p", "53,80")
        run = place.scan("--scan-type", kind, *ports, "198.18.0.0/26", "2001:db8::/124", "--rate", "100k",
                         *CLOSED, "-oX", "-")
        with open(place.path("stdout.xml"), "wb") as file:
            file.write(run.out)
        valid(place.path("stdout.xml"))
        report = parse(place.path("stdout.xml"))
        same(f"{kind}: hosts", sorted(h.address for h in report.hosts), sorted({r["ip"] for r in run.records}))
        same(f"{kind}: ports", sum(len(h.services) for h in report.hosts),
             len([r for r in run.records if "port" in r]))
        true(f"{kind}: not empty", run.records)


# ---- Lines ----

PORT = re.compile(r"(\d+)/(open|closed|filtered|unfiltered)/(tcp|udp|sctp)//([^/,]*)//([^/,]*)/")
HOST = re.compile(r"Host: (\S+) \(\)\t(?:Status: (Up|Unknown)|Ports: (.*))")
LIST = re.compile(r"(open|closed|filtered|unfiltered|up) (\w+) (\d+) (\S+) (\d{10})")
BANNER = re.compile(r"banner (\w+) (\d+) (\S+) (\d{10}) (\S+) (.*)")


@test
def grep_is_read(place):
    """grep: a reader of nmap's fields finds what NDJSON has"""
    records = scanned(place)
    lines = shared["out.gnmap"].splitlines()
    true("first and last", lines[0].startswith("# prtip-dp ") and " done at " in lines[-1])
    found, up = [], []
    for line in lines[1:-1]:
        host = HOST.fullmatch(line)
        true(line, host)
        if host[2]:
            up.append(host[1])
            continue
        for entry in host[3].split(", "):
            port = PORT.fullmatch(entry)
            true(entry, port)
            found.append((host[1], int(port[1]), port[3], port[2], port[4]))
    same("ports", sorted(found), sorted(
        (r["ip"], r["port"], r["proto"], r["state"], r.get("service", {}).get("name", "")) for r in records))
    same("hosts", sorted(up), sorted({r["ip"] for r in records}))


@test
def list_is_read(place):
    """list: a reader of masscan's lines finds what NDJSON has"""
    records = scanned(place)
    lines = shared["out.list"].splitlines()
    same("first and last", (lines[0], lines[-1]), ("#masscan", "# end"))
    found, banners = [], []
    for line in lines[1:-1]:
        if place_ := LIST.fullmatch(line):
            found.append((place_[4], int(place_[3]), place_[2], place_[1]))
        else:
            banner = BANNER.fullmatch(line)
            true(line, banner)
            text = re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), banner[6].encode())
            banners.append((banner[3], int(banner[2]), text))
    same("ports", sorted(found), keys(records))
    same("banners", sorted(banners),
         sorted((r["ip"], r["port"], raw(r)) for r in records if raw(r) is not None))


@test
def output_flags(place):
    """-oA writes all of them; an existing file is asked about, and -o goes along"""
    run = place.scan(*SPACE, "-oA", "base", results=False)
    names = ["base.gnmap", "base.ndjson", "base.nmap", "base.xml"]
    same("files", sorted(n for n in os.listdir(place.top) if n.startswith("base.")), names)
    results = run.summary["results"]
    same("NDJSON", place.read("base.ndjson").count("\n"), results)
    same("the table", place.read("base.nmap").count(" open "), results)
    same("grep", place.read("base.gnmap").count("/open/tcp/"), results)
    same("XML", place.read("base.xml").count("<port "), results)
    run = place.scan(*SPACE, "-oX", "base.xml", results=False, status=2)
    true(run.err, "base.xml exists" in run.err)
    run = place.scan(*SPACE, "-oX", "base.xml", "--append", results=False, status=2)
    true(run.err, "base.xml" in run.err and "ends once" in run.err)
    place.scan(*SPACE, "-oX", "base.xml", "-oG", "base.gnmap", "--overwrite", results=False)
    valid(place.path("base.xml"))
    same("standard output", len(place.scan(*SPACE, "-oJ", "-", results=False).out.splitlines()), results)
    table = place.scan(*SPACE, *BANNERS, "--reason", "-oN", "-", results=False).out.decode()
    true("reasons beside services", re.search(r"open +syn-ack .*\n +\| service: ", table))


# ---- Filters ----

PREFIX = ipaddress.ip_network("198.18.0.0/27")
FILTERS = {
    "state = open && port in (80,443)": lambda r: r["state"] == "open" and r["port"] in (80, 443),
    "ip in (198.18.0.0/27, 2001:db8::4)": lambda r: r["ip"] == "2001:db8::4"
    or ("." in r["ip"] and ipaddress.ip_address(r["ip"]) in PREFIX),
    "!(state = closed) && banner ~ '(?i)ssh'": lambda r: "ssh" in r.get("banner", "").lower(),
    "service.product = '@x' || plugins.finder.status = error": lambda r: lookup(r, "service.product") == "@x"
    or lookup(r, "plugins.finder.status") == "error",
}


@test
def filters(place):
    """filters leave in what holds, count the rest by name, and keep plugins from what cannot pass"""
    arguments = (*SPACE, *BANNERS, *CLOSED, *harm(place))
    every = scanned(place)
    harm(place)
    for text, wanted in FILTERS.items():
        run = place.scan(*arguments, "--filter", text, "-o", "csv:filtered.csv", "--overwrite")
        kept = [r for r in every if wanted(r)]
        true(f"{text}: some and not all", 0 < len(kept) < len(every))
        same(text, keys(run.records), keys(kept))
        same(f"{text}: CSV too", place.read("filtered.csv").count("\n"), 1 + len(kept))
        same(f"{text}: left out", run.summary["filtered_out"], len(every) - len(kept))
        same(f"{text}: lost", run.summary["lost"]["results"], 0)
    run = place.scan(*arguments, "--filter", "state = open && port = 80 && banner ~ x")
    same("asked of plugins", run.accounts["finder"]["offered"],
         len([r for r in every if r["state"] == "open" and r["port"] == 80]))
    run = place.scan(*arguments, "--open", "--filter", "port = 80", "--set", "scan.max_results=5")
    same("--open", {r["state"] for r in run.records}, {"open"})
    same("max_results", {r["port"] for r in run.records}, {80})
    same("max_results", len(run.records), 5)


# ---- Going on ----

@test
def resumed(place):
    """kill -9 and --resume with a filter: NDJSON exactly once, XML whole, one heading; accounts hold"""
    space = ("-p", "1-64", "198.18.0.0/25", "--rate", "5k", *CLOSED, "--set", "sim.open=0.5")
    chosen = (*harm(place), "--filter", "plugins.finder.results.port > 40 || port < 20")
    outputs = ("-oX", "out.xml", "-o", "csv:out.csv", "-oL", "out.list", "-oG", "out.gnmap")
    whole = place.scan(*space, *chosen)
    process = place.start(*space, *chosen, *outputs, "--checkpoint", "scan.ckpt",
                          "--set", "checkpoint.interval=100ms")
    wait_lines(place, process, 200).kill()
    process.communicate()
    same("killed", process.returncode, -signal.SIGKILL)
    process = wait_lines(place, resume(place), 200)
    process.terminate()
    process.communicate(timeout=60)
    same("interrupted", process.returncode, 130)
    valid(place.path("out.xml"))
    run = place.finish(resume(place))
    same("records", keys(run.records), keys(whole.records))
    for name in ("filtered_out", "open", "closed", "results"):
        same(name, run.summary[name], whole.summary[name])
    same("lost", run.summary["lost"]["results"], 0)
    same("offered to the finder", run.accounts["finder"]["offered"], whole.accounts["finder"]["offered"])
    valid(place.path("out.xml"))
    ports = {(h.address, s.port) for h in parse(place.path("out.xml")).hosts for s in h.services}
    same("XML", ports, {(r["ip"], r["port"]) for r in run.records})
    true("the usual fields", place.read("out.csv").startswith("ts,ip,port,proto,state,"))
    rows = place.read("out.csv").splitlines()
    same("one heading", [i for i, row in enumerate(rows) if row.startswith("ts,")], [0])
    same("CSV", {(c[1], int(c[2])) for c in csv.reader(rows[1:], strict=True)}, ports)
    true("list", place.read("out.list").endswith("# end\n"))
    same("one first line", place.read("out.list").count("#masscan\n"), 1)


main()
