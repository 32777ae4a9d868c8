#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""forge.py DEVICE VICTIM_MAC VICTIMS TARGETS PORTS SOURCE_PORTS SECONDS RATE [KINDS]

Sends what an attacker would who knows the scanner's addresses, targets and range of source ports, but
not its key: answers of every kind with everything right except the cookie. VICTIMS and TARGETS are
lists of addresses and of prefixes, one a family, in the same order. KINDS, a list:

    tcp    SYN-ACKs, resets, data of connections, and errors about segments
    udp    datagrams from PORTS (whose payloads should have tokens), and errors about some
    icmp   echo and timestamp replies, and errors about requests
    sctp   INIT ACKs, ABORTs, and errors about INITs
    link   ARP replies and neighbour advertisements about TARGETS, solicited or not

Only for the lab's own network namespaces.
"""

import ipaddress
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # pylint: disable=wrong-import-position

FRAMES = 8192
KINDS = ("tcp", "udp", "icmp", "sctp")
BOGUS_MAC = b"\x02\0\0\0\0\x66"
UNREACHABLE_CODES = {4: (0, 1, 2, 3, 9, 10, 13), 16: (0, 1, 2, 3, 4, 5, 6)}


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def put_checksum(data, at, pseudo=b""):
    return data[:at] + struct.pack("!H", checksum(pseudo + data)) + data[at + 2 :]


def ip(source, destination, protocol, payload, ttl=64):
    """A packet of the family that the addresses are of."""
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + source + destination + payload
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), random.getrandbits(16), 0x4000, ttl,
        protocol, 0, source, destination,
    )  # fmt: skip
    return put_checksum(header, 10) + payload


def pseudo_header(source, destination, protocol, length):
    return source + destination + struct.pack("!IHBB", length, 0, 0, protocol)


def tcp(source, destination, sport, dport, sequence, acknowledgement, flags, options=b"", data=b""):
    segment = struct.pack(
        "!HHIIBBHHH", sport, dport, sequence, acknowledgement, (5 + len(options) // 4) << 4,
        flags, 64240, 0, 0,
    ) + options + data  # fmt: skip
    return put_checksum(segment, 16, pseudo_header(source, destination, 6, len(segment)))


def udp(source, destination, sport, dport, data):
    datagram = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return put_checksum(datagram, 6, pseudo_header(source, destination, 17, len(datagram)))


def sctp(sport, dport, tag, chunk):
    packet = struct.pack("!HHII", sport, dport, tag, 0) + chunk
    return packet[:8] + struct.pack("<I", world.crc32c(packet)) + packet[12:]


def sctp_init(kind, tag):
    return struct.pack("!BBHIIHHI", kind, 0, 20, tag, 65536, 10, 10, 1)


def icmp(source, destination, kind, code, body):
    """A message; its body begins with the second word."""
    message = struct.pack("!BBH", kind, code, 0) + body
    if len(source) == 4:
        return ip(source, destination, 1, put_checksum(message, 2))
    pseudo = pseudo_header(source, destination, 58, len(message))
    return ip(source, destination, 58, put_checksum(message, 2, pseudo))


def unreachable(dice, source, victim, quoted):
    code = dice.choice(UNREACHABLE_CODES[len(victim)])
    return icmp(source, victim, 3 if len(victim) == 4 else 1, code, b"\0\0\0\0" + quoted)


def forged_tcp(dice, victim, target, port, sport):
    word = dice.getrandbits
    kind = word(3)
    options, data = b"", b""
    if kind < 2:  # SYN-ACK
        flags, acknowledgement, options = 0x12, word(32), b"\x02\x04\x05\xb4"
    elif kind < 4:  # RST with ACK, as a closed port sends it
        flags, acknowledgement = 0x14, word(32)
    elif kind == 4:  # bare RST, blind
        flags, acknowledgement = 0x04, 0
    elif kind == 5:  # data of a connection, or its end
        flags, acknowledgement, data = dice.choice((0x18, 0x19, 0x11, 0x10)), word(32), b"forged\r\n"
        options = b"\x01\x01\x08\x0a" + struct.pack("!II", word(32), word(32))
    else:  # an error that quotes a probe we never saw
        flags = dice.choice((0x02, 0x10, 0x01, 0, 0x29, 0x11))
        segment = tcp(victim, target, sport, port, word(32), word(32), flags)
        quoted = ip(victim, target, 6, segment[: dice.choice((8, 20))])
        return unreachable(dice, target, victim, quoted)
    segment = tcp(target, victim, port, sport, word(32), acknowledgement, flags, options, data)
    return ip(target, victim, 6, segment)


def forged_udp(dice, victim, target, port, sport):
    # The source port is all that proves an error about UDP, and one in 16,384 is guessed: few of them.
    if dice.randrange(512) == 0:
        quoted = udp(victim, target, sport, port, dice.randbytes(16))
        return unreachable(dice, target, victim, ip(victim, target, 17, quoted))
    data = dice.randbytes(dice.choice((0, 2, 12, 48, 64)))
    return ip(target, victim, 17, udp(target, victim, port, sport, data))


def forged_icmp(dice, victim, target, _port, _sport):
    version4 = len(victim) == 4
    number = dice.randbytes(4)
    echo = dice.randbytes(16)
    kind = dice.randrange(3)
    if kind == 0:
        return icmp(target, victim, 0 if version4 else 129, 0, number + echo)
    if kind == 1 and version4:
        return icmp(target, victim, 14, 0, number + dice.randbytes(12))
    quoted = icmp(victim, target, 8 if version4 else 128, 0, number + echo)
    return unreachable(dice, target, victim, quoted)


def forged_sctp(dice, victim, target, port, sport):
    word = dice.getrandbits
    kind = dice.randrange(4)
    if kind == 0:
        chunk = sctp_init(2, word(32))
    elif kind == 1:
        chunk = struct.pack("!BBH", 6, 0, 4)
    elif kind == 2:  # with the tag reflected: that of an INIT is 0
        return ip(target, victim, 132, sctp(port, sport, 0, struct.pack("!BBH", 6, 1, 4)))
    else:
        quoted = ip(victim, target, 132, sctp(sport, port, 0, sctp_init(1, word(32))))
        return unreachable(dice, target, victim, quoted)
    return ip(target, victim, 132, sctp(port, sport, word(32), chunk))


FORGERS = {"tcp": forged_tcp, "udp": forged_udp, "icmp": forged_icmp, "sctp": forged_sctp}


def forged(dice, victim, target, port, sport, kinds=KINDS):
    """An IP packet that answers no probe."""
    return FORGERS[dice.choice(kinds)](dice, victim, target, port, sport)


def arp_reply(mac, sender, victim_mac, victim):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, mac, sender, victim_mac, victim)


def advertisement(mac, about, victim, flags):
    body = struct.pack("!I", flags << 24) + about + b"\x02\x01" + mac
    packet = icmp(about, victim, 136, 0, body)
    return packet[:7] + b"\xff" + packet[8:]


def forged_neighbour(dice, victim_mac, victim, target):
    """The type of a frame and its body: TARGET is at BOGUS_MAC."""
    if len(victim) == 4:
        return b"\x08\x06", arp_reply(BOGUS_MAC, target, victim_mac, victim)
    flags = dice.choice((0, 0x20, 0x40, 0x60, 0xE0))  # router, solicited, override
    return b"\x86\xdd", advertisement(BOGUS_MAC, target, victim, flags)


def make_frames(dice, mac, victim_mac, pairs, ports, source_ports, kinds):
    frames = []
    for number in range(FRAMES):
        victim, network = pairs[number % len(pairs)]
        target = network[dice.randrange(network.num_addresses)].packed
        # Without `link` some for addresses that are not ours to give: hosts beyond the gateway.
        kind = "link" if number % 256 >= 254 else dice.choice(kinds)
        if kind == "link":
            ethertype, packet = forged_neighbour(dice, victim_mac, victim, target)
        else:
            ethertype = b"\x08\x00" if len(victim) == 4 else b"\x86\xdd"
            sport = dice.randint(*source_ports)
            packet = FORGERS[kind](dice, victim, target, dice.choice(ports), sport)
        frames.append(victim_mac + mac + ethertype + packet)
    return frames


def flood(raw, frames, seconds, rate):
    sent = 0
    began = time.monotonic()
    burst = max(1, rate // 500)
    while (now := time.monotonic()) < began + seconds:
        if sent > (now - began) * rate:
            time.sleep(0.001)
            continue
        for _ in range(burst):
            try:
                raw.send(frames[sent % len(frames)])
            except OSError:
                pass  # the queue is full; an attacker would not mind either
            sent += 1


def main():
    device, victim_mac, victims, targets, ports, source_ports, seconds, rate = sys.argv[1:9]
    kinds = sys.argv[9].split(",") if len(sys.argv) > 9 else KINDS
    pairs = [
        (ipaddress.ip_address(victim).packed, ipaddress.ip_network(network))
        for victim, network in zip(victims.split(","), targets.split(","))
    ]
    first, last = (int(port) for port in source_ports.split("-"))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((device, 0))
    frames = make_frames(
        random.Random(1), raw.getsockname()[4], bytes.fromhex(victim_mac.replace(":", "")), pairs,
        [int(port) for port in ports.split(",")], (first, last), kinds,
    )  # fmt: skip
    flood(raw, frames, float(seconds), int(rate))


if __name__ == "__main__":
    main()
