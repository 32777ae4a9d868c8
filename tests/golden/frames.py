# SPDX-License-Identifier: BSD-3-Clause
"""frames.py FILE.pcap MAC VICTIM TARGETS PORTS: a capture of frames that a scanner must survive.

Random bytes; well-formed answers without our cookie; and each of those cut at every length, with
lengths and header sizes that lie, as fragments, with VLAN tags, and with bits flipped. The same
bytes each time.
"""

import ipaddress
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab", "tools"))
import forge  # pylint: disable=wrong-import-position


def frames(mac, victim, network, ports):
    dice = random.Random(20260101)
    other = b"\x02\0\0\0\0\x77"

    def ethernet(payload, kind=b"\x08\x00", to=mac):
        return to + other + kind + payload

    def target():
        return network[dice.randrange(network.num_addresses)].packed

    def answer():
        sport = dice.randint(32768, 49151)
        return ethernet(forge.forged(dice, victim, target(), dice.choice(ports), sport))

    yield b""
    for length in range(0, 80):
        yield dice.randbytes(length)
    for _ in range(2000):
        yield ethernet(dice.randbytes(dice.randrange(120)))
        yield ethernet(b"\x45\0" + dice.randbytes(dice.randrange(120)))
        yield dice.randbytes(dice.randrange(14, 1500))
    arp = forge.arp_reply(other, target(), mac, victim)
    for length in range(len(arp) + 1):
        yield ethernet(arp[:length], b"\x08\x06")
    for _ in range(40):
        whole = answer()
        for length in range(len(whole) + 1):
            yield whole[:length]
        yield whole + b"\0" * 40
        # Lies: total length, header length, TCP data offset, each with every other byte right.
        for total in (0, 1, 19, 20, 21, 39, 41, 65535):
            yield whole[:16] + struct.pack("!H", total) + whole[18:]
        for size in range(16):
            yield whole[:14] + bytes([0x40 | size]) + whole[15:]
            if len(whole) > 46:
                yield whole[:46] + bytes([size << 4]) + whole[47:]
        for fragment in (0x2000, 0x0001, 0x1FFF, 0x3FFF):
            yield whole[:20] + struct.pack("!H", fragment) + whole[22:]
        yield whole[:12] + b"\x81\x00\x00\x05" + whole[12:]
        yield whole[:12] + b"\x81\x00\x00\x05\x81\x00\x00\x06" + whole[12:]
        yield whole[:12] + b"\x86\xdd" + whole[14:]
    for _ in range(5000):
        whole = bytearray(answer())
        for _ in range(dice.randint(1, 4)):
            whole[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        yield bytes(whole)
    for _ in range(5000):
        yield answer()


def main():
    path, mac, victim, targets, ports = sys.argv[1:]
    mac = bytes.fromhex(mac.replace(":", ""))
    victim = ipaddress.ip_address(victim).packed
    count = 0
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        numbers = [int(port) for port in ports.split(",")]
        for frame in frames(mac, victim, ipaddress.ip_network(targets), numbers):
            file.write(struct.pack("<IIII", 0, count, len(frame), len(frame)) + frame)
            count += 1
    print(count)


if __name__ == "__main__":
    main()
