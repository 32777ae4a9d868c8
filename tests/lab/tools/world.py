#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""world.py: hosts' services that Debian has no small server for, on all addresses of both families.

UDP: ports given as `udp:PORT` answer each datagram with its own bytes. SCTP: `sctp:PORT` answers INIT
with INIT-ACK, all other SCTP ports with ABORT (RFC 9260 5.1, 8.4), over raw sockets, as few kernels
have SCTP at hand. Prints `ready` when all sockets are open.
"""

import selectors
import socket
import struct
import sys

CRC32C = []
for byte in range(256):
    value = byte
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    CRC32C.append(value)


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ CRC32C[(value ^ byte) & 255]
    return value ^ 0xFFFFFFFF


def sctp_reply(packet, open_ports):
    """The answer to an SCTP packet, or None."""
    if len(packet) < 32 or packet[12] != 1:  # INIT
        return None
    if crc32c(packet[:8] + b"\0\0\0\0" + packet[12:]) != struct.unpack("<I", packet[8:12])[0]:
        return None
    sport, dport = struct.unpack("!HH", packet[:4])
    tag = packet[16:20]
    if dport in open_ports:
        cookie = struct.pack("!HH", 7, 8) + b"eggs"  # State Cookie, RFC 9260 3.3.3
        chunk = struct.pack("!BBHIIHHI", 2, 0, 20 + len(cookie), 0x01020304, 65536, 10, 10, 1) + cookie
    else:
        chunk = struct.pack("!BBH", 6, 0, 4)
    reply = struct.pack("!HH", dport, sport) + tag + b"\0\0\0\0" + chunk
    return reply[:8] + struct.pack("<I", crc32c(reply)) + reply[12:]


def udp_socket(family, port):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.bind(("::", port))
    else:
        sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        sock.bind(("0.0.0.0", port))
    return sock


def udp_serve(sock):
    """Answer from the address that was asked, whichever of many it is."""
    data, ancillary, _, peer = sock.recvmsg(2048, 256)
    if sock.family == socket.AF_INET6:
        reply = [(level, kind, info) for level, kind, info in ancillary]
    else:
        reply = []
        for level, kind, info in ancillary:
            index, _, to = struct.unpack("I4s4s", info[:12])
            reply.append((level, kind, struct.pack("I4s4s", 0 * index, to, to)))
    try:
        sock.sendmsg([data], reply, 0, peer)
    except OSError:
        pass


def sctp_serve(sock, open_ports):
    data, ancillary, _, peer = sock.recvmsg(2048, 256)
    if sock.family == socket.AF_INET:
        to, data = data[16:20], data[(data[0] & 15) * 4:]
        answer = [(socket.IPPROTO_IP, 8, struct.pack("I4s4s", 0, to, to))]
    else:
        answer = [(level, kind, info) for level, kind, info in ancillary]
    reply = sctp_reply(data, open_ports)
    if reply:
        try:
            sock.sendmsg([reply], answer, 0, (peer[0], 0) if len(peer) == 2 else peer)
        except OSError:
            pass


def main():
    selector = selectors.DefaultSelector()
    sctp_ports = set()
    for word in sys.argv[1:]:
        kind, port = word.split(":")
        if kind == "sctp":
            sctp_ports.add(int(port))
            continue
        for family in (socket.AF_INET, socket.AF_INET6):
            selector.register(udp_socket(family, int(port)), selectors.EVENT_READ, udp_serve)
    for family in (socket.AF_INET, socket.AF_INET6) if sctp_ports else ():
        sock = socket.socket(family, socket.SOCK_RAW, 132)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        selector.register(sock, selectors.EVENT_READ, lambda s: sctp_serve(s, sctp_ports))
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            key.data(key.fileobj)


if __name__ == "__main__":
    main()
