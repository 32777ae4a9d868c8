#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Captures (-o pcapng:PATH) on the simulated network, read by tshark and capinfos: each validated response
is in them with its verdict, and nothing else. Prints TAP.

    tests/sim/capture.py [TEST...]
"""

import collections
import datetime
import ipaddress
import os
import platform
import re
import signal
import struct
import subprocess
import time

from flow import PROGRAM, key, main, same, test, wait_for

SPACE = ("-p", "1-16", "198.18.0.0/23", "--rate", "20k", "--set", "output.include_closed=yes",
         "--set", "sim.duplicate=0.3")
BANNERS = ("--set", "banner.enable=on", "--set", "banner.wait=2s", "--set", "sim.open=0.5")
CHECKPOINT = ("--checkpoint", "scan.ckpt", "--set", "checkpoint.interval=200ms")


def tshark(place, *fields, name="out.pcapng"):
    """One list of @fields a packet, as tshark reads them; it says so where the file is not whole."""
    command = ["tshark", "-n", "-r", name, "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, cwd=place.top, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
    same((done.returncode, said), (0, []))
    return [line.split("\t") for line in done.stdout.splitlines()]


def capinfos(place, name="out.pcapng"):
    done = subprocess.run(
        ["capinfos", name], cwd=place.top, capture_output=True, text=True, check=False
    )
    same((done.returncode, done.stderr), (0, ""))
    return done.stdout


def verdicts(place, name="out.pcapng"):
    """How often each (ip, port, state) is in the capture, as its packets and comments say."""
    seen = collections.Counter()
    for ip, ports, flags, comment in tshark(
        place, "ip.src", "tcp.srcport", "tcp.flags", "frame.comment", name=name
    ):
        if comment.startswith("banner"):
            continue
        wanted = {0x12: f"open tcp {ports} syn-ack", 0x14: f"closed tcp {ports} reset"}
        same(comment, wanted[int(flags, 0)])
        seen[ip, int(ports), comment.split()[0]] += 1
    return seen


def validated(run):
    return run.summary["validated"]


SECTION, PACKET = 0x0A0D0D0A, 6


def blocks(place, name="out.pcapng"):
    """How many blocks of each type there are."""
    types = collections.Counter()
    with open(place.path(name), "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        types[kind] += 1
        at += length
    same(at, len(data))
    return types


@test
def whole(place):
    """as many packets as validated responses, repeats included; each record of the results has one"""
    before = time.time()
    run = place.scan("-o", "pcapng:out.pcapng", *SPACE)
    seen = verdicts(place)
    same(sum(seen.values()), validated(run))
    same(run.summary["duplicates"] > 500, True)
    same(sorted((ip, port, state) for ip, port, state in seen),
         sorted((*key(record), record["state"]) for record in run.records))
    same(run.summary["lost"]["capture_full"], 0)
    # Arrival times: the first of each pair is that of its record.
    stamp = {}
    for ip, port, at in tshark(place, "ip.src", "tcp.srcport", "frame.time_epoch"):
        stamp.setdefault((ip, int(port)), float(at))
    for record in run.records:
        moment = datetime.datetime.fromisoformat(record["ts"].replace("Z", "+00:00"))
        at = stamp[key(record)]
        # The writer compares the clocks at other moments than the control core.
        same((before <= at <= time.time(), abs(at - moment.timestamp()) < 0.5), (True, True))
    # The headings, as an independent reader has them.
    said = capinfos(place)
    for wanted in (
        r"File encapsulation: +Ethernet",
        r"File timestamp precision: +nanoseconds",
        r"Capture application: +prtip-dp \d",
        r"Capture oper-sys: +Linux " + re.escape(platform.release()),
        r"Capture hardware: +" + platform.machine(),
        r"Name = sim",
    ):
        same((wanted, bool(re.search(wanted, said))), (wanted, True))


@test
def families(place):
    """IPv6 and ICMP"""
    run = place.scan("-o", "pcapng:out.pcapng", "--scan-type", "icmp", "198.18.0.0/26", "2001:db8::/122")
    packets = tshark(place, "ip.src", "ipv6.src", "frame.comment")
    same(len(packets), validated(run))
    same({comment for _, _, comment in packets}, {"up icmp echo-reply"})
    same(sorted({str(ipaddress.ip_address(v4 or v6)) for v4, v6, _ in packets}),
         sorted(record["ip"] for record in run.records))


@test
def banners(place):
    """with banners the segments that carry them, and their bytes"""
    run = place.scan("-o", "pcapng:out.pcapng", *BANNERS, "-p", "1-64", "198.18.0.0/27", "--rate", "2k")
    same(sum(verdicts(place).values()), validated(run))
    said = {}
    for ip, port, comment, payload in tshark(
        place, "ip.src", "tcp.srcport", "frame.comment", "tcp.payload"
    ):
        found = re.fullmatch(rf"banner tcp {port} (\d+) bytes at (\d+)", comment)
        if found:
            data = bytes.fromhex(payload.replace(":", ""))
            said.setdefault((ip, int(port)), {})[int(found[2])] = data[: int(found[1])]
    records = {key(record): record["banner"] for record in run.records if "banner" in record}
    same(len(records) > 20, True)
    for pair, banner in records.items():
        text = b"".join(part for _, part in sorted(said[pair].items()))
        same(text.decode("utf-8", "replace")[: len(banner)], banner)


@test
def append(place):
    """--append adds a section, and cuts off half a block before it; another file is refused"""
    first = place.scan("-o", "pcapng:out.pcapng", *SPACE)
    with open(place.path("out.pcapng"), "ab") as file:
        file.write(b"\x06\0\0\0\x80\0\0\0half")
    second = place.scan("--append", "-o", "pcapng:out.pcapng", *SPACE)
    same(len(tshark(place, "frame.number")), validated(first) + validated(second))
    same(blocks(place)[SECTION], 2)
    with open(place.path("other"), "wb") as file:
        file.write(b"no capture, but longer than any head of a block\n")
    run = place.scan("--append", "-o", "pcapng:other", *SPACE, status=2)
    same("no file of this format" in run.err, True)


@test
def killed(place):
    """kill -9: the file is whole up to its last block; --resume adds a section, and no response is lost"""
    arguments = ("-o", "pcapng:out.pcapng", *CHECKPOINT, *SPACE, "--rate", "10k")
    process = place.start(*arguments)
    wait_for("frames", lambda: os.path.exists(place.path("out.pcapng"))
             and os.path.getsize(place.path("out.pcapng")) > 70000, 60)
    process.kill()
    process.communicate()
    same(process.returncode, -signal.SIGKILL)
    with open(place.path("out.pcapng"), "ab") as file:
        file.write(b"\x06\0\0\0\x80\0\0\0half")
    run = place.finish(subprocess.Popen(
        [PROGRAM, "--resume", "scan.ckpt"], cwd=place.top, env=dict(os.environ, HOME=place.top),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    same("pcapng" in run.summary["at_least_once"], True)
    same(blocks(place)[SECTION], 2)
    seen = verdicts(place)
    same(sorted((ip, port) for ip, port, _ in seen), sorted(key(record) for record in run.records))


@test
def full(place):
    """a capture that nobody takes holds the sending back: nothing is lost"""
    os.mkfifo(place.path("pipe"))
    process = place.start("-o", "pcapng:pipe", "-p", "1-64", "198.18.0.0/22", "--rate", "max",
                          "--set", "sim.alive=1", "--set", "sim.duplicate=0.3")
    with open(place.path("pipe"), "rb") as pipe:
        time.sleep(1)
        with open(place.path("out.pcapng"), "wb") as file:
            while block := pipe.read(1 << 20):
                file.write(block)
    run = place.finish(process)
    same(run.summary["lost"]["capture_full"], 0)
    # More than the ring, the pipe and the writer hold.
    same(os.path.getsize(place.path("out.pcapng")) > 8 << 20, True)
    same(blocks(place)[PACKET], validated(run))


if __name__ == "__main__":
    main()
