#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""knockd.py DEVICE PORT...: add a source to nft's set `ip lab knocked` once its SYNs came to these
ports in this order, with nothing wrong in between. Prints `knock SOURCE PORT` and `open SOURCE`."""

import socket
import struct
import subprocess
import sys

ETH_P_IP = 0x0800


def syns(device):
    """(source, destination port) of each SYN that comes in."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)) as sock:
        sock.bind((device, ETH_P_IP))
        print("ready", flush=True)
        while True:
            frame, origin = sock.recvfrom(2048)
            if origin[2] == socket.PACKET_OUTGOING or len(frame) < 54 or frame[23] != 6:
                continue
            tcp = 14 + (frame[14] & 15) * 4
            if frame[tcp + 13] & 0x3F == 0x02:
                yield socket.inet_ntoa(frame[26:30]), struct.unpack_from("!H", frame, tcp + 2)[0]


def main():
    device, wanted = sys.argv[1], [int(port) for port in sys.argv[2:]]
    heard = {}
    for source, port in syns(device):
        so_far = heard.get(source, 0)
        if port not in wanted:
            continue
        print("knock", source, port, flush=True)
        if port != wanted[so_far]:
            heard[source] = int(port == wanted[0])
            continue
        heard[source] = so_far + 1
        if heard[source] < len(wanted):
            continue
        heard[source] = 0
        subprocess.run(
            ["nft", "add", "element", "ip", "lab", "knocked", "{", source, "}"], check=True
        )
        print("open", source, flush=True)


if __name__ == "__main__":
    main()
