#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""tagger.py DEVICE TAP VLAN: a VLAN device for kernels that have none.

TAP is the untagged side: what the kernel sends there leaves by DEVICE with the tag, and what arrives with
it, and only that, reaches TAP without. Prints `ready`; the TAP ends with this program.
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 2, 0x1000
PACKET_AUXDATA = 8
SOL_PACKET = 263
TAG_THERE = 1 << 4  # TP_STATUS_VLAN_VALID


def untagged(frame, extra, vlan):
    """The frame without its tag, or None where it has another; the kernel may have taken it off."""
    for level, kind, data in extra:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tag, _ = struct.unpack("IIIHHHH", data[:20])
            if status & TAG_THERE:
                return frame if tag & 0xFFF == vlan else None
    if frame[12:14] != b"\x81\x00" or struct.unpack("!H", frame[14:16])[0] & 0xFFF != vlan:
        return None
    return frame[:12] + frame[16:]


def main():
    device, name, vlan = sys.argv[1], sys.argv[2], int(sys.argv[3])
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    raw.bind((device, 3))
    tag = struct.pack("!HH", 0x8100, vlan)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([raw, tap], [], [])
        if tap in ready:
            frame = os.read(tap, 65536)
            raw.send(frame[:12] + tag + frame[12:])
        if raw in ready:
            frame, extra, _, address = raw.recvmsg(65536, 256)
            frame = untagged(frame, extra, vlan) if address[2] != socket.PACKET_OUTGOING else None
            if frame:
                os.write(tap, frame)


if __name__ == "__main__":
    main()
