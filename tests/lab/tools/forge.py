#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""forge.py DEVICE VICTIM_MAC VICTIM_IP TARGETS PORTS SOURCE_PORTS SECONDS RATE

Sends what an attacker would who knows the scanner's address, targets and range of source ports, but
not its key: SYN-ACKs, RSTs, ICMP errors and ARP replies with everything right except the cookie.
Only for the lab's own network namespaces.
"""

import ipaddress
import random
import socket
import struct
import sys
import time

FRAMES = 8192


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, protocol, payload, ttl=64):
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), random.getrandbits(16), 0x4000, ttl,
        protocol, 0, source, destination,
    )  # fmt: skip
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def tcp(source, destination, sport, dport, sequence, acknowledgement, flags):
    options = b"\x02\x04\x05\xb4" if flags & 2 else b""
    segment = struct.pack(
        "!HHIIBBHHH", sport, dport, sequence, acknowledgement, (5 + len(options) // 4) << 4,
        flags, 64240, 0, 0,
    ) + options  # fmt: skip
    pseudo = source + destination + struct.pack("!BBH", 0, 6, len(segment))
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def forged(random_source, victim, target, port, sport):
    word = random_source.getrandbits
    kind = word(3)
    if kind < 3:  # SYN-ACK
        flags, acknowledgement = 0x12, word(32)
    elif kind < 5:  # RST with ACK, as a closed port sends it
        flags, acknowledgement = 0x14, word(32)
    elif kind == 5:  # bare RST, blind
        flags, acknowledgement = 0x04, 0
    else:  # ICMP unreachable that quotes a probe we never saw
        quoted = ipv4(victim, target, 6, tcp(victim, target, sport, port, word(32), 0, 2)[:8])
        code = random_source.choice((0, 1, 3, 9, 10, 13))
        message = struct.pack("!BBHI", 3, code, 0, 0) + quoted
        message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        return ipv4(target, victim, 1, message)
    segment = tcp(target, victim, port, sport, word(32), acknowledgement, flags)
    return ipv4(target, victim, 6, segment)


def arp_reply(mac, sender, victim_mac, victim):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 2, mac, sender, victim_mac, victim)


def main():
    device, victim_mac, victim, targets, ports, source_ports, seconds, rate = sys.argv[1:]
    victim_mac = bytes.fromhex(victim_mac.replace(":", ""))
    victim = ipaddress.ip_address(victim).packed
    network = ipaddress.ip_network(targets)
    ports = [int(port) for port in ports.split(",")]
    first, last = (int(port) for port in source_ports.split("-"))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((device, 0))
    mac = raw.getsockname()[4]
    dice = random.Random(1)

    frames = []
    for number in range(FRAMES):
        target = network[dice.randrange(network.num_addresses)].packed
        if number % 256 == 255:  # an address that is not ours to give: a host beyond the gateway
            body = arp_reply(b"\x02\0\0\0\0\x66", target, victim_mac, victim)
            frames.append(victim_mac + mac + b"\x08\x06" + body)
            continue
        packet = forged(dice, victim, target, dice.choice(ports), dice.randint(first, last))
        frames.append(victim_mac + mac + b"\x08\x00" + packet)

    sent = 0
    began = time.monotonic()
    end = began + float(seconds)
    burst = max(1, int(rate) // 500)
    while (now := time.monotonic()) < end:
        due = (now - began) * int(rate)
        if sent > due:
            time.sleep(0.001)
            continue
        for _ in range(burst):
            try:
                raw.send(frames[sent % FRAMES])
            except OSError:
                pass  # the queue is full; an attacker would not mind either
            sent += 1


if __name__ == "__main__":
    main()
