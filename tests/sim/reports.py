#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The shipped output plugins, in scans of the simulated network: what Python's csv module, and a reader
of Markdown tables, find in their files is what the NDJSON of the same scan has. Prints TAP.

    tests/sim/reports.py [TEST...]
"""

import collections
import csv
import html
import io
import ipaddress
import json
import os
import re
import unicodedata

from flow import TESTS, holds, main, same, test

SHIPPED = ("--plugin-dir", os.path.join(os.path.dirname(TESTS), "plugins"))
BANNERS = ("--set", "banner.enable=on", "--set", "banner.wait=1s", "--set", "detection.enable=off")
CLOSED = ("--set", "output.include_closed=yes")
SPACE = ("-p", "21,22,25,80,443,3306", "198.18.0.0/25", "2001:db8::/122", "--rate", "100k", "--set", "sim.open=0.4")
# Services and findings that mean harm to a table.
HOSTILE = """
local products = {"=1+1", "-2", "@x", "+3", 'say "x", y; z', "a|b\\r\\nc", "<script>x</script>",
	"[x](http://y) `z` *w* _v_", "gr\\195\\188n", "\\27[2J", "\\194\\155", "c:\\\\x\\\\", "plain 1.2"}

function analyze_banner(banner)
	local target = prtip.get_target()
	local n = tonumber(target.ip:match("%x+$"), 16) + target.port
	return {service = "svc " .. target.port, product = products[n % #products + 1], version = "1." .. n,
		info = n % 3 == 0 and banner:match("^[%w .-]+") or nil, cpe = "cpe:/a:x:y:" .. n, confidence = 0.85}
end
"""
FINDER = """
function on_target(target)
	if target.port == 21 then error("no | way") end
	prtip.add_result("port", target.port)
	prtip.add_result("list", {"a|b", {deep = true}})
	prtip.add_result("te|xt", "x\\ny|" .. ("z"):rep(300))
end
"""


def hostile(place):
    place.plugin("hostile", HOSTILE, "detection")
    place.plugin("finder", FINDER)
    return ("--plugin", "hostile", "--plugin", "finder", *SHIPPED)


# ---- CSV ----

def read_csv(text, delimiter=","):
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise AssertionError(f"not CSV: {error}") from None


UNKNOWN = "\ufffd"


def printable(text):
    """As the README says: control characters but for tab and ends of lines become U+FFFD."""
    return re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]", UNKNOWN, text)


def guarded(text):
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") and text else text


def banner_of(record):
    if "banner_hex" in record:
        return bytes.fromhex(record["banner_hex"])
    return record["banner"].encode() if "banner" in record else None


def expected_cell(record, column):
    if column == "banner":
        value = banner_of(record)
        return None if value is None else value
    if column == "banner_hex":
        value = banner_of(record)
        return "" if value is None else value.hex()
    known = {"service" if k == "name" else k: v for k, v in record.get("service", {}).items()}
    known["protocol"] = record["proto"]
    value = known.get(column, None if column == "service" else record.get(column))
    if value is None:
        return ""
    if value is True:
        return "true"
    if isinstance(value, float):
        return f"{value:.14g}"
    return printable(str(value))


def check_rows(rows, columns, records):
    """Each record is one row, cell by cell."""
    same(len(rows), len(records))
    by_key = {(r["ip"], r["port"]): r for r in records}
    for row in rows:
        cells = dict(zip(columns, row))
        record = by_key.pop((cells["ip"], int(cells["port"])))
        same(len(row), len(columns))
        for column in columns:
            if column == "plugins":
                told = {k: v for k, v in record["plugins"].items() if k != "csv-report"}
                same(json.loads(cells[column] or "{}"), told)
                continue
            wanted = expected_cell(record, column)
            if column == "banner":
                text = (wanted or b"").decode("utf-8", "surrogateescape")
                wanted = printable(re.sub("[\udc80-\udcff]", UNKNOWN, text))
            same((column, cells[column]), (column, guarded(wanted)))
    same(by_key, {})


@test
def csv_all(place):
    """csv-report: all columns of all records, hostile text included, as Python's csv module reads them"""
    columns = ("ts,ip,port,protocol,state,reason,ttl,rtt_us,zero_window,banner,banner_hex,service,product,"
               "version,info,cpe,confidence,source,plugins").split(",")
    run = place.scan(*hostile(place), *SPACE, *BANNERS, *CLOSED, "-o", "csv-report:out.csv",
                     "--plugin-arg", "csv-report.columns=" + ",".join(columns))
    with open(place.path("out.csv"), newline="", encoding="utf-8") as file:
        text = file.read()
    rows = read_csv(text)
    same(rows[0], columns)
    check_rows(rows[1:], columns, run.records)
    states = collections.Counter(r["state"] for r in run.records)
    assert states["open"] > 100 and states["closed"] > 100, states
    assert sum("'" == row[columns.index("product")][:1] for row in rows) > 20
    # Outside of quotes there is no end of line but CRLF.
    bare = re.sub('"[^"]*"', "", text)
    assert bare.endswith("\r\n") and "\n" not in bare.replace("\r\n", "") and "\r" not in bare.replace("\r\n", "")
    same(run.accounts["csv-report"]["ok"], len(run.records))


@test
def csv_pipe(place):
    """csv-report: -o csv-report:- in a pipe; separators, no header, no guard"""
    plugins = hostile(place)
    for separator, character, header in (
        ("comma", ",", "yes"), ("semicolon", ";", "no"), ("tab", "\t", "yes"), ("^", "^", "no")
    ):
        run = place.scan(
            *plugins, *SPACE, *BANNERS, "-o", "csv-report:-", "--quiet",
            *("--plugin-arg", "csv-report.separator=" + separator),
            *("--plugin-arg", "csv-report.header=" + header),
            *("--plugin-arg", "csv-report.formula_guard=no"),
            *("--plugin-arg", "csv-report.columns=ip,port,product,state"),
        )
        rows = read_csv(run.out.decode(), character)
        if header == "yes":
            same(rows.pop(0), ["ip", "port", "product", "state"])
        told = sorted((r["ip"], str(r["port"]), printable(r.get("service", {}).get("product", "")),
                       r["state"]) for r in run.records)
        same(sorted(tuple(row) for row in rows), told)
        assert sum(row[2].startswith("=") for row in rows) > 3


@test
def csv_ini(place):
    """csv-report: settings of an INI file, the default columns, and what has no port"""
    ini = place.write("s.ini", "[output]\ncsv-report = out.csv\n[plugin:csv-report]\nseparator = semicolon\n")
    run = place.scan("-c", ini, "-o", "csv-report:out.csv", *SHIPPED, "-sn", "198.18.0.0/26",
                     "--set", "sim.alive=0.7")
    with open(place.path("out.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter=";", strict=True))
    same(sorted((r["ip"], r["port"], r["protocol"], r["state"]) for r in rows),
         sorted((r["ip"], "", r["proto"], "up") for r in run.records))
    same(list(rows[0]), ["ip", "port", "protocol", "state", "service", "product", "version", "info"])
    run = place.scan(*SHIPPED, "-o", "csv-report:none.csv", "-p", "80", "198.18.0.0/30", "--set", "sim.alive=0")
    same((run.records, place.read("none.csv")), ([], ""))


@test
def csv_refused(place):
    """csv-report: wrong settings are exit 2 and one clear line, before anything is sent"""
    for setting, fragments in (
        ("columns=ip,prot", ['there is no column "prot"; known are banner, banner_hex, ', "protocol"]),
        ("separator=ab", ['separator is "ab"; give comma, semicolon, tab, pipe, or one character']),
        ("header=perhaps", ["header", '"perhaps" is not yes or no']),
    ):
        run = place.scan(*SHIPPED, "-o", "csv-report:x.csv", "--plugin-arg", "csv-report." + setting, *SPACE,
                         status=2)
        holds(run.err.splitlines()[-1], *fragments)
        assert not os.path.exists(place.path("x.csv")) or not place.read("x.csv"), setting


# ---- Markdown ----

class Report:
    """A report taken apart: its headings, and behind each the tables as lists of rows of text."""

    def __init__(self, text):
        self.sections, self.prose = collections.OrderedDict(), []
        lines = text.split("\n")
        same(lines.pop(), "")
        at = 0
        while at < len(lines):
            line = lines[at]
            if line.startswith("#"):
                self.sections[line] = tables = []
                at += 1
            elif line.startswith("|"):
                end = at
                while end < len(lines) and lines[end].startswith("|"):
                    end += 1
                tables.append(self.table(lines[at:end]))
                at = end
            else:
                if line:
                    self.prose.append(line)
                at += 1

    @staticmethod
    def cells(line):
        """GFM, section 4.10: cells end at a `|` that no backslash precedes."""
        assert line.startswith("| ") and line.endswith(" |"), line
        return [cell.strip() for cell in re.findall(r"((?:\\.|[^|\\])*)\|", line[1:])]

    def table(self, lines):
        head, rule, *rows = [self.cells(line) for line in lines]
        assert rule == ["---"] * len(head), rule
        for row in rows:
            assert len(row) == len(head), row
            for cell in row:
                # What could be markup has a backslash or an entity. A row of ours may be in italics.
                bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", re.sub(r"^\*other services\*$", "", cell))
                bare = re.sub("&(lt|gt|amp);", "", bare)
                assert not re.search(r"[\\`*_\[\]~#<>&@]|://|www\.", bare), cell
                assert not any(unicodedata.category(c) == "Cc" for c in cell), repr(cell)
        return [head] + [[self.plain(cell) for cell in row] for row in rows]

    @staticmethod
    def plain(cell):
        return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell))


def spelled(text, most=200):
    text = re.sub("[\0-\x1f\x7f-\x9f]", lambda m: {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(
        m[0], f"\\x{ord(m[0]):02x}"), text)
    text = text if len(text) <= most else text[:most] + "…"
    return text.strip(" ")  # blanks around a cell are not its own


def place_of(record):
    return f"{record['port']}/{record['proto']}" if "port" in record else record["proto"]


def findings_of(record):
    for name, said in record.get("plugins", {}).items():
        if said["status"] != "ok":
            yield [place_of(record), name, said["status"], spelled(said.get("error", ""))]
        for key, value in said.get("results", {}).items():
            if isinstance(value, (dict, list)):
                value = json.loads(json.dumps(value))
            yield [place_of(record), name, spelled(key), value]


def check_host(tables, records):
    head, *rows = tables[0]
    same(head[:6], ["Port", "State", "Service", "Product", "Version", "Info"])
    wanted = []
    for r in records:
        service = r.get("service", {})
        wanted.append([place_of(r), r["state"]] + [
            spelled(service.get(name, "")) for name in ("name", "product", "version", "info")])
        if len(head) > 6:
            text = (banner_of(r) or b"").decode("utf-8", "surrogateescape")
            text = re.sub("[\udc80-\udcff]", lambda m: f"\\x{ord(m[0]) - 0xdc00:02x}", text)
            wanted[-1].append(spelled(text))
    same(rows, sorted(wanted, key=lambda row: int(row[0].split("/")[0]) if "/" in row[0] else 0))
    told = [row for r in records for row in findings_of(r)]
    same(len(tables), 2 if told else 1)
    if told:
        found = tables[1][1:]
        same(tables[1][0], ["Port", "Plugin", "Finding", "Value"])
        for row in told:
            if isinstance(row[3], (dict, list)):
                match = next(f for f in found if f[:3] == row[:3])
                same(json.loads(match[3]), row[3])
            else:
                assert row[:3] + [spelled(str(row[3]))] in found, (row, found)
        same(len(found), len(told))


def check_report(report, records, shown=None):
    """All of the report against the records; `shown`: hosts that it may show."""
    scan = dict(report.sections["# Scan report"][0][1:])
    same(int(scan["Results"]), len(records))
    hosts = collections.defaultdict(list)
    for r in records:
        hosts[r["ip"]].append(r)
    order = sorted(hosts, key=lambda ip: (":" in ip, ipaddress.ip_address(ip)))
    same(scan["Hosts"], f"more than {shown}" if shown else str(len(hosts)))
    order = order[:shown]
    states = collections.Counter(r["state"] for r in records)
    same(report.sections["## States"][0][1:],
         [[s, str(n)] for s, n in sorted(states.items(), key=lambda i: (-i[1], i[0]))])
    services = collections.Counter(r["service"]["name"] for r in records if r.get("service"))
    if services:
        same({row[0]: int(row[1]) for row in report.sections["## Services"][0][1:]}, dict(services))
    overview = report.sections["## Hosts"][0]
    same([row[0] for row in overview[1:]], order)
    for row in overview[1:]:
        count = collections.Counter(r["state"] for r in hosts[row[0]])
        same({part.split()[1]: int(part.split()[0]) for part in row[1].split(", ")}, dict(count))
        same(row[2], ", ".join(sorted({r["service"]["name"] for r in hosts[row[0]] if r.get("service")})))
    same([name[4:] for name in report.sections if name.startswith("### ")], order)
    for ip in order:
        check_host(report.sections["### " + ip], hosts[ip])


@test
def markdown_all(place):
    """markdown-report: sums, hosts, ports and findings of both families are those of the records"""
    run = place.scan(*hostile(place), *SPACE, *BANNERS, *CLOSED, "-o", "markdown-report:out.md",
                     "--plugin-arg", "markdown-report.banners=yes")
    report = Report(place.read("out.md"))
    check_report(report, run.records)
    same(report.prose, [])
    text = place.read("out.md")
    for piece in ("<script", r"(?<!\\)\]\(", "http:", "\x1b"):
        assert not re.search(piece, text), piece
    holds(text, "| finder | error | main.lua:3: no \\| way |", "&lt;script&gt;x&lt;/script&gt;", "grün")
    assert not any("markdown-report" in r.get("plugins", {}) for r in run.records)


@test
def markdown_limits(place):
    """markdown-report: max_hosts shows the lowest addresses whole; settings of an INI file; no ports"""
    run = place.scan(*SHIPPED, *SPACE, *CLOSED, "-o", "markdown-report:few.md",
                     "--plugin-arg", "markdown-report.max_hosts=7")
    report = Report(place.read("few.md"))
    check_report(report, run.records, shown=7)
    same(report.prose, ["Of more hosts than can be shown, these are the 7 with the lowest addresses."])
    ini = place.write("s.ini", "[plugin:markdown-report]\ntitle = Scan report\n")
    run = place.scan("-c", ini, *SHIPPED, "-o", "markdown-report:hosts.md", "-sn", "198.18.0.0/26")
    check_report(Report(place.read("hosts.md")), run.records)
    place.scan(*SHIPPED, "-o", "markdown-report:none.md", "-p", "80", "198.18.0.1", "--set", "sim.alive=0")
    same(list(Report(place.read("none.md")).sections), ["# Scan report"])


@test
def markdown_many(place):
    """markdown-report: 131,072 hosts in a lane of 6 MB; 10,000 of them shown within the limits"""
    space = ("-p", "80", "198.18.0.0/15", "--set", "sim.alive=1", "--set", "sim.open=1", "--rate", "max")
    for shown, memory_mb in ((1000, 6), (10000, 30)):
        run = place.scan(
            *SHIPPED, *space, "-o", f"markdown-report:{shown}.md", results=False, timeout=120,
            *("--plugin-arg", f"markdown-report.max_hosts={shown}"),
            *("--set", f"plugins.memory_mb={memory_mb}", "--set", "plugins.instructions=500000"),
        )
        assert "markdown-report: error" not in run.err, run.err
        report = Report(place.read(f"{shown}.md"))
        same(run.summary["results"], 131072)
        same(dict(report.sections["# Scan report"][0][1:])["Results"], "131072")
        same(report.sections["## States"][0][1:], [["open", "131072"]])
        told = [name[4:] for name in report.sections if name.startswith("### ")]
        same(told, [str(ipaddress.ip_address("198.18.0.0") + i) for i in range(shown)])


@test
def markdown_refused(place):
    """markdown-report: standard output and wrong settings are exit 2"""
    run = place.scan(*SHIPPED, "-o", "markdown-report:-", *SPACE, status=2)
    holds(run.err, "-o markdown-report:-: ", "format_result")
    for setting, fragment in (
        ("max_hosts=0", "max_hosts is 0; give 1 to 10000"),
        ("max_hosts=many", '"many" is not a whole number'),
    ):
        run = place.scan(*SHIPPED, "-o", "markdown-report:x.md", "--plugin-arg", "markdown-report." + setting,
                         *SPACE, status=2)
        holds(run.err.splitlines()[-1], fragment)


main()
