#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a capture says about the probes in it.

    wire.py CAPTURE --expect LIST --source ADDRESS... --source-ports FIRST-LAST
            [--next-hop MAC] [--forbid PREFIX...] [--rate PPS [--paused]] [--partial] [--until TIME]

CAPTURE is a classic pcap file of Ethernet frames; LIST holds `ip port proto` lines, the probes that
must be there, each exactly once; --source and --forbid may be given for each family. --partial: the scan was stopped, so that not all of them have to
be there; --paused: it was held up, so that only short stretches keep to the rate; --until: no
probe may come much after this moment (seconds since 1970). Prints `ok - ...` and `not ok - ...` lines for tap_import.
"""

import argparse
import collections
import ipaddress
import struct
import sys

WINDOW_S = 0.1
# Probes that the scheduler kept back for a moment are caught up with at a tenth above the rate, and a
# burst holds 4 ms of it (dataplane/rate.h); nothing may be faster than that.
WINDOW_LIMIT = 1.15


def read_pcap(path):
    """(time in seconds, captured bytes, length on the wire) of each frame."""
    with open(path, "rb") as file:
        header = file.read(24)
        if len(header) < 24:
            return
        (magic,) = struct.unpack("<I", header[:4])
        order = "<" if magic in (0xA1B2C3D4, 0xA1B23C4D) else ">"
        (magic,) = struct.unpack(order + "I", header[:4])
        unit = {0xA1B2C3D4: 1e-6, 0xA1B23C4D: 1e-9}[magic]
        data = file.read()
    record = struct.Struct(order + "IIII")
    at = 0
    while at + 16 <= len(data):
        seconds, fraction, captured, length = record.unpack_from(data, at)
        at += 16
        yield seconds + fraction * unit, data[at : at + captured], length
        at += captured


def ones_sum(data):
    """The Internet checksum's sum of 16-bit words (RFC 1071); 0xffff where it verifies."""
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def tcp_options(data):
    """[(kind, value)], or None where they are malformed (RFC 9293, section 3.1)."""
    options = []
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == 0:
            return options
        if kind == 1:
            at += 1
            continue
        if at + 1 >= len(data) or not 2 <= data[at + 1] <= len(data) - at:
            return None
        options.append((kind, data[at + 2 : at + data[at + 1]]))
        at += data[at + 1]
    return options


class Probes:
    """All SYN frames of a capture, with what is wrong about each."""

    def __init__(self, path, sources, source_ports):
        self.seen = collections.Counter()
        self.times = []
        self.problems = collections.Counter()
        self.destinations = set()
        self.macs = set()
        self.source_ports = set()
        self.sequences = set()
        self.others = 0
        self.ranges = source_ports
        self.sources = {source.packed for source in sources}
        for when, frame, length in read_pcap(path):
            kind, ip = frame[12:14], frame[14:]
            if kind == b"\x08\x00" and len(ip) >= 20:
                source, destination, protocol = ip[12:16], ip[16:20], ip[9]
            elif kind == b"\x86\xdd" and len(ip) >= 40:
                source, destination, protocol = ip[8:24], ip[24:40], ip[6]
            else:
                self.others += 1
                continue
            # To ask for neighbours is no probe.
            if source not in self.sources or protocol == 58 and ip[40:41] in (b"\x87", b"\x88"):
                self.others += 1
                continue
            # Whatever we send counts for what must not be sent.
            self.destinations.add(destination)
            if protocol != 6:
                self.others += 1
            elif len(source) == 4:
                self.probe4(when, frame, ip, length)
            else:
                self.probe6(when, frame, ip, length)

    def probe4(self, when, frame, ip, length):
        header = (ip[0] & 15) * 4
        (total,) = struct.unpack("!H", ip[2:4])
        if ip[0] >> 4 != 4 or header < 20 or total > len(ip) or total < header + 20:
            self.problems["lengths that do not fit"] += 1
            return
        tcp = ip[header:total]
        pseudo = ip[12:20] + struct.pack("!BBH", 0, 6, len(tcp))
        if not self.segment(when, frame, ip[16:20], tcp, pseudo):
            return
        if ones_sum(ip[:header]) != 0xFFFF:
            self.problems["wrong IP checksum"] += 1
        if ip[8] < 32:
            self.problems["a TTL below 32"] += 1
        if length < 14 + total:
            self.problems["a cut frame"] += 1

    def probe6(self, when, frame, ip, length):
        (total,) = struct.unpack("!H", ip[4:6])
        if ip[0] >> 4 != 6 or total > len(ip) - 40 or total < 20:
            self.problems["lengths that do not fit"] += 1
            return
        tcp = ip[40 : 40 + total]
        if not self.segment(when, frame, ip[24:40], tcp, ip[8:40] + struct.pack("!IHBB", total, 0, 0, 6)):
            return
        if ip[7] < 32:
            self.problems["a hop limit below 32"] += 1
        if length < 54 + total:
            self.problems["a cut frame"] += 1

    def segment(self, when, frame, destination, tcp, pseudo):
        """False where it is no probe."""
        sport, dport, sequence = struct.unpack("!HHI", tcp[:8])
        flags = tcp[13]
        if flags & 0x3F != 0x02:
            self.others += 1  # the RST of our own or of the kernel after a SYN-ACK
            return False
        self.times.append(when)
        self.seen[(destination, dport)] += 1
        self.macs.add(frame[0:6])
        self.source_ports.add(sport)
        self.sequences.add(sequence)
        if ones_sum(pseudo + tcp) != 0xFFFF:
            self.problems["wrong TCP checksum"] += 1
        offset = (tcp[12] >> 4) * 4
        options = tcp_options(tcp[20:offset]) if 20 <= offset <= len(tcp) else None
        # What fits into a frame of Ethernet behind headers without options (RFC 6691 2).
        mss = struct.pack("!H", 1460 if len(destination) == 4 else 1440)
        if options is None:
            self.problems["malformed TCP options"] += 1
        elif (2, mss) not in options:
            self.problems["no MSS option, or another than Ethernet's"] += 1
        if len(tcp) != offset:
            self.problems["a payload"] += 1
        if flags & 0xC0 or tcp[12] & 0x0F:
            self.problems["reserved bits set"] += 1
        if tcp[8:12] != b"\0\0\0\0":
            self.problems["an acknowledgement number in a SYN"] += 1
        if tcp[14:16] == b"\0\0":
            self.problems["a zero window"] += 1
        if not self.ranges[0] <= sport <= self.ranges[1]:
            self.problems["a source port out of range"] += 1
        return True


def say(good, text):
    print(f"{'ok' if good else 'not ok'} - {text}")


def pairs(items, limit=5):
    items = sorted(items)
    text = ", ".join(f"{ipaddress.ip_address(ip)}:{port}" for ip, port in items[:limit])
    return text + (f" and {len(items) - limit} more" if len(items) > limit else "")


def check_set(probes, expected, partial):
    missing = set() if partial else expected - probes.seen.keys()
    extra = probes.seen.keys() - expected
    repeated = [pair for pair, count in probes.seen.items() if count > 1]
    good = not missing and not extra and not repeated
    if partial:
        say(good, f"{len(probes.seen)} of {len(expected)} probes are on the wire, each once")
    else:
        say(good, f"each of {len(expected)} probes is on the wire exactly once")
    for name, items in (("missing", missing), ("not asked for", extra), ("repeated", repeated)):
        if items:
            print(f"# {len(items)} {name}: {pairs(items)}")


def check_rate(times, rate, paused):
    if len(times) < 2:
        say(False, f"rate of {rate:.0f}/s: no probes")
        return
    average = (len(times) - 1) / (times[-1] - times[0])
    if not paused:
        say(
            abs(average / rate - 1) <= 0.01,
            f"average rate {average:.1f}/s is within 1% of {rate:.0f}/s",
        )
    # Most probes in any stretch of 100 ms, wherever it begins.
    most = first = 0
    for last, when in enumerate(times):
        while when - times[first] >= WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    allowed = rate * WINDOW_S * WINDOW_LIMIT + 2
    say(most <= allowed, f"at most {most} probes in any 100 ms, {allowed:.0f} allowed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("capture")
    parser.add_argument("--expect", required=True)
    parser.add_argument("--source", required=True, action="append", type=ipaddress.ip_address)
    parser.add_argument("--source-ports", default="32768-49151")
    parser.add_argument("--next-hop", type=lambda text: bytes.fromhex(text.replace(":", "")))
    parser.add_argument("--forbid", action="append", default=[], type=ipaddress.ip_network)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--paused", action="store_true")
    parser.add_argument("--partial", action="store_true")
    parser.add_argument("--until", type=float)
    arguments = parser.parse_args()

    expected = set()
    with open(arguments.expect, encoding="ascii") as file:
        for line in file:
            ip, port, _ = line.split()
            expected.add((ipaddress.ip_address(ip).packed, int(port)))
    source_ports = [int(port) for port in arguments.source_ports.split("-")]
    probes = Probes(arguments.capture, arguments.source, source_ports)

    times = sorted(probes.times)
    check_set(probes, expected, arguments.partial)
    say(
        not probes.problems,
        "checksums, lengths, options, TTL and source ports of all probes are right",
    )
    for what, count in probes.problems.items():
        print(f"# {count} with {what}")
    if len(probes.seen) > 100:
        say(
            len(probes.source_ports) > 50 and len(probes.sequences) > len(probes.seen) * 0.99,
            "source ports and sequence numbers vary from probe to probe",
        )
    if arguments.next_hop is not None:
        say(probes.macs == {arguments.next_hop}, "all probes go to the next hop's MAC address")
    for forbidden in arguments.forbid:
        hit = [ip for ip in probes.destinations if ipaddress.ip_address(ip) in forbidden]
        say(not hit, f"nothing at all went to the excluded {forbidden}")
    if arguments.rate:
        check_rate(times, arguments.rate, arguments.paused)
    if arguments.until:
        # What was in the driver's ring, and the time that a busy machine takes to let the program notice.
        late = sum(when > arguments.until + 0.5 for when in times)
        say(times and late == 0, f"no probe later than 500 ms after the signal ({late} were)")


if __name__ == "__main__":
    sys.exit(main())
