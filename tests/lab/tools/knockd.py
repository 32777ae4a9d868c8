#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A door that opens to who knocks at ports in order, with nothing wrong in between.

    knockd.py DEVICE PORT...   SYNs to these ports, of any address: add their source to nft's set
                               `ip lab knocked`
    knockd.py DEVICE ADDRESS=KNOCK,KNOCK...
                               each address has its own; a KNOCK is tcp/PORT or udp/PORT: add
                               `SOURCE . ADDRESS` to nft's set `ip lab doors`

Prints `knock SOURCE PORT` and `open SOURCE`, or `knock SOURCE ADDRESS KNOCK` and `open SOURCE ADDRESS`.
"""

import socket
import struct
import subprocess
import sys

ETH_P_IP = 0x0800
TCP, UDP = 6, 17


def knocks(device):
    """(source, destination, "tcp/PORT" or "udp/PORT") of each SYN and datagram that comes in."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)) as sock:
        sock.bind((device, ETH_P_IP))
        print("ready", flush=True)
        while True:
            frame, origin = sock.recvfrom(2048)
            if origin[2] == socket.PACKET_OUTGOING or len(frame) < 42 or frame[23] not in (TCP, UDP):
                continue
            head = 14 + (frame[14] & 15) * 4
            if frame[23] == TCP and (len(frame) < head + 14 or frame[head + 13] & 0x3F != 0x02):
                continue
            kind = "tcp" if frame[23] == TCP else "udp"
            port = struct.unpack_from("!H", frame, head + 2)[0]
            yield socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34]), f"{kind}/{port}"


def read_doors(words):
    """{address: knocks}, with the address None for any."""
    if words and "=" not in words[0]:
        return {None: ["tcp/" + port for port in words]}
    return {address: wanted.split(",") for address, wanted in (word.split("=") for word in words)}


def unlock(nft_set, element):
    subprocess.run(["nft", "add", "element", "ip", "lab", nft_set, "{", element, "}"], check=True)


def main():
    device, doors = sys.argv[1], read_doors(sys.argv[2:])
    any_address = None in doors
    heard = {}
    for source, address, knock in knocks(device):
        door = None if any_address else address
        wanted = doors.get(door, [])
        if knock not in wanted:
            continue
        print("knock", source, knock[4:] if any_address else f"{address} {knock}", flush=True)
        so_far = heard.get((source, door), 0)
        if knock != wanted[so_far]:
            heard[source, door] = int(knock == wanted[0])
            continue
        heard[source, door] = so_far + 1
        if heard[source, door] < len(wanted):
            continue
        heard[source, door] = 0
        if any_address:
            unlock("knocked", source)
            print("open", source, flush=True)
        else:
            unlock("doors", f"{source} . {address}")
            print("open", source, address, flush=True)


if __name__ == "__main__":
    main()
