#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""datagrams.py LOG ADDRESS-PORT-KIND...: UDP servers, honest and other ones. Each line of LOG is
`ADDRESS PORT REQUEST REPLY` in hexadecimal. Prints `ready` when all sockets are open.

KIND is what becomes of a datagram: `echo` sends it back, `ntp` answers as a time server does (RFC 5905
7.3), `alter` sends it back with all its bytes altered, `elsewhere` as it was, but from another port.
"""

import selectors
import socket
import sys


def ntp(request):
    """Mode 4, stratum 1; the request's transmit timestamp is the reply's origin timestamp."""
    head = bytes([0x24, 1, 0, 0xEC]) + bytes(8) + b"LAB\0" + bytes(8)
    return head + request[40:48] + b"\x11" * 8 + b"\x22" * 8


def alter(request):
    return bytes(byte ^ 0xFF for byte in request)


REPLIES = {"echo": bytes, "ntp": ntp, "alter": alter, "elsewhere": bytes}


def bound(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, port))
    return sock


def main():
    selector = selectors.DefaultSelector()
    with open(sys.argv[1], "w", encoding="ascii", buffering=1) as log:
        for word in sys.argv[2:]:
            address, port, kind = word.split("-")
            sock = bound(address, int(port))
            out = bound(address, 0) if kind == "elsewhere" else sock
            selector.register(sock, selectors.EVENT_READ, (address, port, kind, out))
        print("ready", flush=True)
        while True:
            for key, _ in selector.select():
                address, port, kind, out = key.data
                request, peer = key.fileobj.recvfrom(2048)
                reply = REPLIES[kind](request)
                out.sendto(reply, peer)
                print(address, port, request.hex() or "-", reply.hex() or "-", file=log)


if __name__ == "__main__":
    main()
