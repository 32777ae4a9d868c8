#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Rotation of outputs on the simulated network: each file is whole by itself, and all together have each
result of the truth once. Prints TAP.

    tests/sim/rotate.py [TEST...]
"""

import csv
import glob
import json
import os
import re
import subprocess
from xml.etree import ElementTree

from flow import key, main, same, test, wait_for

SPACE = ("-p", "1-16", "198.18.0.0/23", "--rate", "20k", "--set", "output.include_closed=yes")


def truth(place, *arguments):
    wanted = []
    for line in place.list(*arguments, "--sim-truth"):
        ip, port, _, _ = line.split()
        wanted.append((ip, int(port)))
    return sorted(wanted)


def files(place, stem, extension):
    """Numbered ones in order, then the one that was written last; the numbers have no hole."""
    names = sorted(os.path.basename(name) for name in glob.glob(place.path(f"{stem}-*{extension}")))
    same(names, [f"{stem}-{i + 1:05}{extension}" for i in range(len(names))])
    return names + [stem + extension]


def lines(place, name):
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-dc", name], cwd=place.top, capture_output=True, text=True,
                              check=True).stdout.splitlines(keepends=True)
    return place.read(name).splitlines(keepends=True)


def pairs(place, names):
    found = []
    for name in names:
        for line in lines(place, name):
            same(line[-1], "\n")
            found.append(key(json.loads(line)))
    return sorted(found)


@test
def by_size(place):
    """by size: whole lines, no file much longer; together the truth"""
    run = place.scan("-o", "ndjson:r.ndjson", "--rotate-size", "128k", *SPACE,
                     results=False)
    wanted = truth(place, *SPACE)
    names = files(place, "r", ".ndjson")
    same((len(names) > 3, pairs(place, names)), (True, wanted))
    for name in names[:-1]:
        size = os.path.getsize(place.path(name))
        same((name, 128 << 10 <= size < 384 << 10), (name, True))
    same(run.summary["results"], len(wanted))


@test
def by_time(place):
    """by time, while the scan runs: a file with a number is left alone; each table has a heading"""
    arguments = ("-o", "ndjson:r.ndjson.zst", "-o", "table:t", "--set", "output.rotate_time=1s", *SPACE, "--rate", "4k")
    process = place.start(*arguments, results=False)
    first = place.path("r-00001.ndjson.zst")
    wait_for("the first file", lambda: os.path.exists(first), 60)
    before = os.stat(first)
    run = place.finish(process)
    after = os.stat(first)
    same((after.st_size, after.st_mtime_ns), (before.st_size, before.st_mtime_ns))
    names = files(place, "r", ".ndjson.zst")
    wanted = truth(place, *SPACE)
    same((len(names) >= 3, pairs(place, names)), (True, wanted))
    tables = files(place, "t", "")
    same(len(tables) > 1, True)
    rows = []
    for name in tables:
        text = lines(place, name)
        if name == tables[-1] and text == ["Nothing more.\n"]:
            continue  # it was begun after the last result
        same((name, [at for at, line in enumerate(text) if line.startswith("ADDRESS") or "PORT" in line]),
             (name, [0]))
        rows += [(line.split()[0], int(line.split()[1])) for line in text[1:]]
    same(sorted(rows), wanted)
    same(run.summary["lost"]["results"], 0)


@test
def captures(place):
    """captures: each file is one that tshark reads by itself"""
    run = place.scan("-o", "pcapng:c.pcapng", "--rotate-size", "128k", *SPACE, results=False)
    names = files(place, "c", ".pcapng")
    same(len(names) > 2, True)
    packets = 0
    for name in names:
        done = subprocess.run(["tshark", "-n", "-r", name, "-T", "fields", "-e", "frame.comment"],
                              cwd=place.top, capture_output=True, text=True, check=True)
        packets += len(done.stdout.splitlines())
    same(packets, run.summary["validated"])


@test
def appended(place):
    """--append numbers on; without it files of an earlier run are in the way, also with --overwrite"""
    rotate = ("-o", "ndjson:r.ndjson", "--rotate-size", "128k", *SPACE)
    place.scan(*rotate, results=False)
    before = len(files(place, "r", ".ndjson"))
    os.rename(place.path("r.ndjson"), place.path("kept"))
    for more in ((), ("--overwrite",)):
        run = place.scan(*rotate, *more, results=False, status=2)
        same(bool(re.search(r"r-\d{5}\.ndjson exists", run.err)), True)
        same(os.path.exists(place.path("r.ndjson")), False)
    os.rename(place.path("kept"), place.path("r.ndjson"))
    place.scan(*rotate, "--append", results=False)
    same(len(files(place, "r", ".ndjson")) > before + 3, True)


def csv_pairs(place, name):
    with open(place.path(name), encoding="utf-8", newline="") as file:
        return [(row["ip"], int(row["port"])) for row in csv.DictReader(file)]


def list_pairs(place, name):
    text = lines(place, name)
    same((text[0], text[-1]), ("#masscan\n", "# end\n"))
    return [(words[3], int(words[2])) for words in (line.split() for line in text[1:-1])]


def grep_pairs(place, name):
    found = []
    text = lines(place, name)
    same(text[0].startswith("# prtip-dp"), True)
    for line in text:
        host = re.match(r"Host: (\S+) \(\)\tPorts: (.*)", line)
        if host:
            found += [(host[1], int(port.split("/")[0])) for port in host[2].split(", ")]
    return found


def xml_pairs(place, name):
    subprocess.run(["xmllint", "--noout", "--nonet", "--dtdvalid", "/usr/share/nmap/nmap.dtd", place.path(name)],
                   check=True, capture_output=True)
    return [(host.find("address").get("addr"), int(port.get("portid")))
            for host in ElementTree.parse(place.path(name)).iter("host") for port in host.iter("port")]


@test
def of_each_format(place):
    """CSV, list, greppable lines and XML: each file is one of its format, and all together have the truth"""
    readers = (("csv", ".csv", csv_pairs), ("list", ".list", list_pairs), ("grep", ".gnmap", grep_pairs),
               ("xml", ".xml", xml_pairs))
    outputs = [word for name, extension, _ in readers for word in ("-o", f"{name}:r{extension}")]
    place.scan(*outputs, "--rotate-time", "1s", *SPACE, "--rate", "4k", results=False)
    wanted = truth(place, *SPACE)
    for name, extension, read in readers:
        names = files(place, "r", extension)
        found = sorted(pair for file in names for pair in read(place, file))
        same((name, len(names) > 1, found), (name, True, wanted))


@test
def refused(place):
    """what cannot be rotated is refused with the reason"""
    size = ("--rotate-size", "1M")
    for arguments, why in (
        ((*size, "-o", "ndjson:-"), "no regular file"),
        ((*size, "-o", "ndjson:/dev/null"), "no regular file"),
        ((*size, "-o", "ndjson:r", "--checkpoint", "c"), "checkpoint"),
        (("--rotate-size", "1k", "-o", "ndjson:r"), "out of range"),
        (("--rotate-size", "1T", "-o", "ndjson:r"), "not a size"),
        (("--rotate-time", "10ms", "-o", "ndjson:r"), "1s or more"),
        ((*size, "-o", "ndjson:r", "-o", "ndjson:r"), "ndjson"),
    ):
        run = place.scan(*arguments, *SPACE, results=False, status=2)
        same((arguments, why in run.err), (arguments, True))
    place.write("elsewhere", "")
    os.symlink("elsewhere", place.path("link"))
    run = place.scan(*size, "-o", "ndjson:link", "--append", *SPACE, results=False, status=2)
    same("no regular file of that name" in run.err, True)
    same(sorted(os.listdir(place.top)), ["elsewhere", "link", "plugins"])


@test
def in_the_way(place):
    """a number that comes into use meanwhile is not replaced: the scan ends, and nothing is lost silently"""
    process = place.start("-o", "ndjson:r.ndjson", "--rotate-size", "256k", *SPACE, "--rate", "4k",
                          results=False)
    wait_for("the file", lambda: os.path.exists(place.path("r.ndjson")), 60)
    place.write("r-00001.ndjson", "mine\n")
    run = place.finish(process, status=1)
    same(place.read("r-00001.ndjson"), "mine\n")
    same("r.ndjson" in run.err and "File exists" in run.err, True)
    told = int(re.search(r"([\d,]+) results of this run are in it", run.err)[1].replace(",", ""))
    same(len(lines(place, "r.ndjson")), told)


if __name__ == "__main__":
    main()
