#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of README.md that compares with the peers, from bench/RESULTS.json and nothing else.

    bench/readme.py            write it into README.md, between its two marks
    bench/readme.py --check    say whether what stands there is what the results give
"""
import json
import os
import sys

from suite.render import number

HERE = os.path.dirname(os.path.abspath(__file__))
README = os.path.join(HERE, "..", "README.md")
BEGIN, END = "<!-- from bench/RESULTS.json by bench/readme.py -->\n", "<!-- end -->\n"
PEERS = ["prtip-dp", "masscan", "zmap", "nmap"]
NOTHING = "–"

# What the row says, and the figure of each peer.
ROWS = [
    ("sends over a veth, as fast as it can",
     ["wire/flood: prtip-dp, af_xdp", "wire/flood: masscan", "wire/flood: zmap", None]),
    ("open ports found at 100,000 probes/s",
     ["wire/at 100000/s: prtip-dp, af_xdp, hit rate", "wire/at 100000/s: masscan, hit rate",
      "wire/at 100000/s: zmap, hit rate", None]),
    ("open ports found at full speed",
     ["wire/at max/s: prtip-dp, af_xdp, hit rate", "wire/at max/s: masscan, hit rate",
      "wire/at max/s: zmap, hit rate", None]),
    ("CPU a probe of that scan at 100,000/s, replies and records included",
     ["wire/at 100000/s: prtip-dp, af_xdp, CPU of the whole run a probe",
      "wire/at 100000/s: masscan, CPU of the whole run a probe",
      "wire/at 100000/s: zmap, CPU of the whole run a probe", None]),
    ("sent of 10,000/s that were asked for",
     ["rate/10,000/s: prtip-dp, veth", "rate/10,000/s: masscan", "rate/10,000/s: zmap", None]),
    ("banners got of servers that speak first",
     ["banners/prtip-dp, af_xdp, banners got", "banners/masscan --banners, banners got", None, None]),
    ("CPU a banner",
     ["banners/prtip-dp, af_xdp, CPU each", "banners/masscan --banners, CPU each", None, None]),
    ("titles of web pages a second, by a plugin or script",
     ["plugins/title plugin, titles a second of the whole scan", None, None,
      "plugins/nmap http-title, titles a second of the whole scan"]),
    ("one port of a /24 with the defaults: first result",
     ["first/prtip-dp, first result", "first/masscan, first result", "first/zmap, first result",
      "first/nmap, first result"]),
    ("and the end",
     ["first/prtip-dp, end", "first/masscan, end", "first/zmap, end", "first/nmap, end"]),
]


def cell(figures, name):
    if name is None:
        return NOTHING
    if name not in figures:
        return "not measured"
    entry = figures[name]
    digits = 2 if entry["unit"] == "%" else entry.get("digits")
    return f"{number(entry['median'], digits)} {entry['unit']}"


def table():
    with open(os.path.join(HERE, "RESULTS.json"), encoding="utf-8") as file:
        report = json.load(file)
    figures = {figure["id"]: figure for part in report["tables"] for figure in part["figures"]}
    lines = ["| | " + " | ".join(PEERS) + " |", "| --- |" + " ---: |" * len(PEERS)]
    for what, names in ROWS:
        lines.append(f"| {what} | " + " | ".join(cell(figures, name) for name in names) + " |")
    return "\n".join(lines) + "\n"


def main():
    with open(README, encoding="utf-8") as file:
        text = file.read()
    before, mark, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not mark or not end:
        sys.exit(f"bench/readme.py: README.md has no {BEGIN.strip()} and {END.strip()} in it")
    new = table()
    if sys.argv[1:] == ["--check"]:
        if old != new:
            sys.exit("bench/readme.py: the table of README.md is not that of bench/RESULTS.json; "
                     "run bench/readme.py")
        return
    with open(README, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + new + END + after)


main()
