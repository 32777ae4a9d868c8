#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""spread.py COMMAND CAPTURE...: where the probes of a scan came from and went, as TAP lines.

CAPTURE is a pcap of Ethernet frames with the TCP SYNs of one scan or several.

    sources CAPTURE PORTS TRANSMISSIONS SOURCES...
        Of the SYNs to PORTS. SOURCES are addresses, ranges and prefixes of one family, all of which are
        to be used evenly, where there are at most 64; of more the even use of 64 equal parts counts.
        Each pair is to have come TRANSMISSIONS times, always from the same address.
    ports CAPTURE PORT TRANSMISSIONS FIRST-LAST
        Of the SYNs to PORT: they come from all of that range, and from all equal parts of a wide one.
    moved CAPTURE OLD NEW
        In each family probes go to hardware address OLD, and from some time on to NEW only.
"""

import collections
import ipaddress
import struct
import sys

PARTS = 64  # of more than this many

Probe = collections.namedtuple("Probe", "mac version source target sport dport")


def ok(good, text):
    print("ok -" if good else "not ok -", text)


def probes(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 24
    while at + 16 <= len(data):
        (kept,) = struct.unpack("<I", data[at + 8 : at + 12])
        frame = data[at + 16 : at + 16 + kept]
        at += 16 + kept
        packet = frame[14:]
        if frame[12:14] == b"\x08\x00":
            version, source, target = 4, packet[12:16], packet[16:20]
            tcp = packet[(packet[0] & 15) * 4 :]
        elif frame[12:14] == b"\x86\xdd":
            version, source, target, tcp = 6, packet[8:24], packet[24:40], packet[40:]
        else:
            continue
        sport, dport = struct.unpack("!HH", tcp[:4])
        yield Probe(frame[:6], version, int.from_bytes(source, "big"), target, sport, dport)


def ranges(words):
    for word in words:
        if "-" in word:
            first, last = (int(ipaddress.ip_address(end)) for end in word.split("-"))
        else:
            network = ipaddress.ip_network(word)
            first, last = int(network[0]), int(network[-1])
        yield first, last


def place(spans, address):
    """The number of an address among those of the spans, or None."""
    before = 0
    for first, last in spans:
        if first <= address <= last:
            return before + address - first
        before += last - first + 1
    return None


def evenness(used):
    """Chi-square, and seven standard deviations above its mean."""
    freedom = len(used) - 1
    expected = sum(used) / len(used)
    return sum((n - expected) ** 2 for n in used) / expected, freedom + 7 * (2 * freedom) ** 0.5


def sources(capture, ports, transmissions, *words):
    ports = {int(port) for port in ports.split(",")}
    version = ipaddress.ip_network(words[0].split("-")[0]).version
    spans = sorted(ranges(words))
    total = sum(last - first + 1 for first, last in spans)
    pairs = collections.defaultdict(list)
    for probe in probes(capture):
        if probe.version == version and probe.dport in ports:
            pairs[probe.target, probe.dport].append(probe.source)
    places = [place(spans, seen[0]) for seen in pairs.values()]
    name = f"IPv{version}"
    ok(pairs and None not in places, f"{name}: all of {len(pairs)} pairs from the given addresses")
    ok(all(len(set(seen)) == 1 for seen in pairs.values()), f"{name}: a pair always from the same one")
    ok(
        all(len(seen) == int(transmissions) for seen in pairs.values()),
        f"{name}: {transmissions} transmissions of each pair",
    )
    used = [0] * min(total, PARTS)
    for at in places:
        if at is not None:
            used[at * len(used) // total] += 1
    chi2, bound = evenness(used)
    ok(
        min(used) > 0 and chi2 <= bound,
        f"{name}: {len(used)} addresses or parts used evenly (chi-square {chi2:.0f} of {bound:.0f})",
    )


def ports(capture, port, transmissions, span):
    first, last = (int(end) for end in span.split("-"))
    pairs = collections.defaultdict(list)
    for probe in probes(capture):
        if probe.dport == int(port):
            pairs[probe.target].append(probe.sport)
    every = [sport for seen in pairs.values() for sport in seen]
    ok(every and first <= min(every) and max(every) <= last, f"ports {span}: no others are used")
    ok(
        all(len(seen) == int(transmissions) for seen in pairs.values()),
        f"ports {span}: {transmissions} transmissions of each pair",
    )
    # Of one port's transmissions as many differ as can.
    ok(
        all(len(set(seen)) == min(len(seen), last - first + 1) for seen in pairs.values()),
        f"ports {span}: transmissions differ as far as there are ports",
    )
    # So few that one without any is a chance of less than 10^-12.
    used = [0] * max(1, min(last - first + 1, PARTS, len(every) // 32))
    for sport in every:
        used[(sport - first) * len(used) // (last - first + 1)] += 1
    ok(min(used) > 0, f"ports {span}: {len(used)} of {len(used)} ports or parts are used")


def moved(capture, old, new):
    for version in 4, 6:
        seen = [p.mac.hex(":") for p in probes(capture) if p.version == version]
        to_old, to_new = seen.count(old), seen.count(new)
        ok(
            to_old + to_new == len(seen) and seen[:1] == [old] and to_new > 0,
            f"IPv{version}: {to_old} probes to the old gateway, then {to_new} to the new one",
        )
        ok(new not in seen or old not in seen[seen.index(new) :], f"IPv{version}: and no way back")


def main():
    {"sources": sources, "ports": ports, "moved": moved}[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
