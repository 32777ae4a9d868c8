# SPDX-License-Identifier: BSD-3-Clause
"""frames.py FILE.pcap MAC VICTIM,VICTIM6 TARGETS,TARGETS6 PORTS: frames that a scanner must survive.

Random bytes; well-formed answers of every kind and both families without our cookie; and each of those
cut at every length, with lengths and header sizes that lie, as fragments, behind chains of extension
headers, with VLAN tags, and with bits flipped. The same bytes each time.
"""

import ipaddress
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab", "tools"))
import forge  # pylint: disable=wrong-import-position

OTHER = b"\x02\0\0\0\0\x77"
IPV4, IPV6, ARP = b"\x08\x00", b"\x86\xdd", b"\x08\x06"
HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT, DESTINATION = 0, 43, 44, 59, 60


class Frames:
    def __init__(self, mac, victims, networks, ports):
        self.dice = random.Random(20260101)
        self.mac, self.victims, self.networks, self.ports = mac, victims, networks, ports

    def ethernet(self, payload, kind=IPV4):
        return self.mac + OTHER + kind + payload

    def target(self, version):
        network = self.networks[version]
        return network[self.dice.randrange(network.num_addresses)].packed

    def packet(self, version, kind):
        dice = self.dice
        sport, port = dice.randint(32768, 49151), dice.choice(self.ports)
        return forge.FORGERS[kind](dice, self.victims[version], self.target(version), port, sport)

    def answer(self, version=None, kind=None):
        version = version or self.dice.choice((4, 6))
        kind = kind or self.dice.choice(forge.KINDS)
        return self.ethernet(self.packet(version, kind), IPV4 if version == 4 else IPV6)

    def noise(self):
        dice = self.dice
        yield b""
        for length in range(0, 80):
            yield dice.randbytes(length)
        for _ in range(1000):
            yield self.ethernet(dice.randbytes(dice.randrange(120)))
            yield self.ethernet(b"\x45\0" + dice.randbytes(dice.randrange(120)))
            yield self.ethernet(dice.randbytes(dice.randrange(120)), IPV6)
            to = self.victims[6]
            head = struct.pack("!IHBB", 6 << 28, dice.randrange(100), dice.choice((6, 17, 58, 132)), 255)
            body = dice.randbytes(dice.randrange(100))
            yield self.ethernet(head + self.target(6) + to + body, IPV6)
            yield dice.randbytes(dice.randrange(14, 1500))

    def neighbours(self):
        arp = forge.arp_reply(OTHER, b"\xc6\x13\x7f\x01", self.mac, self.victims[4])
        for length in range(len(arp)):
            yield self.ethernet(arp[:length], ARP)
        for kind in range(0, 256, 5):  # operations, and sizes of addresses
            yield self.ethernet(arp[:7] + bytes([3 + kind % 250]) + arp[8:], ARP)
            yield self.ethernet(arp[:4] + bytes([kind, 4]) + arp[6:], ARP)
        # About whom nobody asked, all flags; options of no length, too long, cut, and many.
        about, victim = ipaddress.ip_address("2001:db8:ff::7f01").packed, self.victims[6]
        for kind in (135, 136):
            for option in (b"", b"\x02\0", b"\x02\0" + OTHER, b"\x02\x01" + OTHER, b"\x01\x02" + OTHER,
                           b"\x02\xff" + OTHER, b"\x02\x01", b"\x05\x01\0\0\0\0\x05\xdc" * 20,
                           b"\x63\x20" + bytes(254), b"\x02\x01" + OTHER + b"\x02"):  # fmt: skip
                for flags in (0, 0x20, 0x60, 0xE0):
                    body = struct.pack("!I", flags << 24) + about + option
                    packet = forge.icmp(about, victim, kind, 0, body)
                    for hops in (64, 255):
                        frame = self.ethernet(packet[:7] + bytes([hops]) + packet[8:], IPV6)
                        # Solicited and whole it would be an advertisement, if to nobody's question.
                        if kind == 135 or hops == 64 or not flags & 0x40:
                            yield frame
                    for cut in range(41, len(packet), 3):
                        length = struct.pack("!H", cut - 40)
                        yield self.ethernet(packet[:4] + length + packet[6:cut], IPV6)

    def lies4(self, whole):
        # Total length, header length, data offset, each with every other byte right.
        for total in (0, 1, 19, 20, 21, 39, 41, 65535):
            yield whole[:16] + struct.pack("!H", total) + whole[18:]
        for size in range(16):
            yield whole[:14] + bytes([0x40 | size]) + whole[15:]
            if len(whole) > 46:
                yield whole[:46] + bytes([size << 4]) + whole[47:]
        for fragment in (0x2000, 0x0001, 0x1FFF, 0x3FFF):
            yield whole[:20] + struct.pack("!H", fragment) + whole[22:]

    def chained(self, packet, chain):
        """PACKET of IPv6 behind extension headers, given as (type, bytes that follow the first)."""
        kinds = [kind for kind, _ in chain] + [packet[6]]
        headers = b"".join(bytes([kinds[i + 1]]) + rest for i, (_, rest) in enumerate(chain))
        length = struct.pack("!HB", (len(headers) + len(packet) - 40) & 0xFFFF, kinds[0])
        return packet[:4] + length + packet[7:40] + headers + packet[40:]

    def lies6(self, packet):
        for length in (0, 1, 7, 8, 19, len(packet) - 41, len(packet) - 39, 65535):
            yield packet[:4] + struct.pack("!H", length & 0xFFFF) + packet[6:]
        for version in (0, 4, 5, 7, 15):
            yield bytes([version << 4]) + packet[1:]
        for kind in (HOP_BY_HOP, ROUTING, FRAGMENT, 50, 51, NO_NEXT, DESTINATION, 135, 139, 140, 253):
            plain = b"\0" + bytes(6)
            for count in (1, 2, 7, 8, 9, 40):
                yield self.chained(packet, [(kind, plain)] * count)
            for length in (1, 2, 4, 31, 255):  # longer than the packet, mostly
                yield self.chained(packet, [(kind, bytes([length]) + bytes(6))])
                yield self.chained(packet, [(kind, bytes([length]) + bytes(6 + 8 * length))])
        # A chain that names itself as the next for ever, and one cut in its middle.
        loop = packet[:6] + bytes([DESTINATION]) + packet[7:40]
        for count in (1, 5, 9, 100):
            body = bytes([DESTINATION, 0, 1, 4, 0, 0, 0, 0]) * count
            yield loop[:4] + struct.pack("!H", len(body)) + loop[6:] + body
            yield loop[:4] + struct.pack("!H", len(body) - 3) + loop[6:] + body[:-3]
        # Fragments: the first, a later one, the last, and one that is alone (RFC 6946).
        for offset in (0x0001, 0x0008, 0x0009, 0xFFF8, 0x0000):
            yield self.chained(packet, [(FRAGMENT, struct.pack("!BHI", 0, offset, 7))])
        # IPv4 addresses, groups, nobody and ourselves as the source.
        for source in ("::ffff:198.18.0.1", "::198.18.0.1", "ff02::1", "::", "::1", "64:ff9b::c612:1"):
            yield packet[:8] + ipaddress.ip_address(source).packed + packet[24:]
        yield packet[:8] + packet[24:40] + packet[24:]

    def tagged(self, whole):
        for tags in (b"\x81\x00\x00\x05", b"\x81\x00\x00\x00\x81\x00\x00\x00", b"\x88\xa8\x00\x00",
                     b"\x81\x00\x00\x05\x81\x00\x00\x06", b"\x88\xa8\x00\x05\x81\x00\x00\x06",
                     b"\x81\x00\xff\xff", b"\x81\x00" * 20, b"\x91\x00\x00\x00"):  # fmt: skip
            yield whole[:12] + tags + whole[12:]
            yield (whole[:12] + tags)[:18]

    def mapped(self):
        """Right in all but that an IPv4 host cannot send IPv6, with checksums that fit."""
        for kind in forge.KINDS:
            for _ in range(50):
                source = b"\0" * 10 + b"\xff\xff" + self.target(4)
                sport, port = self.dice.randint(32768, 49151), self.dice.choice(self.ports)
                packet = forge.FORGERS[kind](self.dice, self.victims[6], source, port, sport)
                yield self.ethernet(packet, IPV6)
        about = b"\0" * 10 + b"\xff\xff" + self.target(4)
        body = struct.pack("!I", 0x60 << 24) + about + b"\x02\x01" + OTHER
        packet = forge.icmp(self.target(6), self.victims[6], 136, 0, body)
        yield self.ethernet(packet[:7] + b"\xff" + packet[8:], IPV6)

    def upper_lies(self, version):
        """Lengths within UDP and SCTP, and quotations, cut and consistent."""
        victim, dice = self.victims[version], self.dice
        kind = IPV4 if version == 4 else IPV6
        for _ in range(4):
            target, port, sport = self.target(version), dice.choice(self.ports), dice.randint(32768, 49151)
            datagram = forge.udp(target, victim, port, sport, dice.randbytes(40))
            for length in (0, 1, 7, 8, 9, 47, 49, 65535):
                lie = datagram[:4] + struct.pack("!H", length) + b"\0\0" + datagram[8:]
                pseudo = forge.pseudo_header(target, victim, 17, len(lie))
                yield self.ethernet(forge.ip(target, victim, 17, forge.put_checksum(lie, 6, pseudo)), kind)
            for chunk in (forge.sctp_init(2, dice.getrandbits(32)), b"\x06\0\0\x04"):
                tag = dice.getrandbits(32)
                for cut in range(len(chunk) + 1):
                    packet = forge.sctp(port, sport, tag, chunk[:cut])
                    yield self.ethernet(forge.ip(target, victim, 132, packet), kind)
                for length in (0, 1, 3, 5, 19, 21, 65535):
                    lie = chunk[:2] + struct.pack("!H", length) + chunk[4:]
                    packet = forge.sctp(port, sport, tag, lie)
                    yield self.ethernet(forge.ip(target, victim, 132, packet), kind)
            segment = forge.tcp(victim, target, sport, port, dice.getrandbits(32), 0, 2)
            quoted = forge.ip(victim, target, 6, segment)
            for cut in range(len(quoted) + 1):
                yield self.ethernet(forge.unreachable(dice, target, victim, quoted[:cut]), kind)
            for first in range(256):
                lie = bytes([first]) + quoted[1:]
                yield self.ethernet(forge.unreachable(dice, target, victim, lie), kind)
            if version == 6:
                for lie in self.lies6(quoted):
                    yield self.ethernet(forge.unreachable(dice, target, victim, lie), kind)

    def all(self):
        dice = self.dice
        yield from self.noise()
        yield from self.neighbours()
        yield from self.mapped()
        for version in (4, 6):
            yield from self.upper_lies(version)
            for number in range(32):
                whole = self.answer(version, forge.KINDS[number % len(forge.KINDS)])
                for length in range(len(whole)):
                    yield whole[:length]
                yield whole + b"\0" * 40
                yield from self.tagged(whole)
                yield whole[:12] + (IPV6 if version == 4 else IPV4) + whole[14:]
                if version == 4:
                    yield from self.lies4(whole)
                else:
                    for lie in self.lies6(whole[14:]):
                        yield self.ethernet(lie, IPV6)
        for _ in range(5000):
            whole = bytearray(self.answer())
            for _ in range(dice.randint(1, 4)):
                whole[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
            yield bytes(whole)
        for _ in range(5000):
            yield self.answer()


def main():
    path, mac, victims, targets, ports = sys.argv[1:]
    mac = bytes.fromhex(mac.replace(":", ""))
    victims = [ipaddress.ip_address(victim) for victim in victims.split(",")]
    networks = [ipaddress.ip_network(target) for target in targets.split(",")]
    frames = Frames(
        mac,
        {victim.version: victim.packed for victim in victims},
        {network.version: network for network in networks},
        [int(port) for port in ports.split(",")],
    )
    count = 0
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames.all():
            file.write(struct.pack("<IIII", 0, count % 1000000, len(frame), len(frame)) + frame)
            count += 1
    print(count)


if __name__ == "__main__":
    main()
