#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""far.py DEVICE LOG [OPTION=VALUE...]: a far end of a wire that is no kernel.

Answers ARP, neighbour solicitations and SYNs on raw frames, all with one VLAN tag or none, and can lie.
Prints `ready`; ends with SIGTERM. Each SYN that it takes is a line `source ip port` of LOG, each frame
of a scanner's that has another tag a line `stray TAG`.

    vlan=N        its tag; 0: none
    gateways=LIST addresses that it has, at its device's hardware address or mac=
    targets=LIST  prefixes that it answers SYNs for
    open=LIST     ports that it answers with SYN-ACK, the others with RST; `none`: says nothing itself
    lie=tags      each SYN gets the opposite answer too, first, in frames of every other tag
    lie=sources   each SYN to a closed port gets a SYN-ACK to its source address's neighbour, too
"""

import ipaddress
import signal
import socket
import struct
import sys

PACKET_AUXDATA = 8
SOL_PACKET = 263
TAG_THERE = 1 << 4  # TP_STATUS_VLAN_VALID
SYN, RST, ACK = 2, 4, 16


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(source, destination, protocol, body):
    return checksum(source + destination + struct.pack("!II", len(body), protocol) + body)


def segment(source, destination, sport, dport, sequence, acknowledgement, flags):
    body = struct.pack("!HHIIBBHHH", sport, dport, sequence, acknowledgement, 5 << 4, flags, 64240, 0, 0)
    return body[:16] + struct.pack("!H", pseudo(source, destination, 6, body)) + body[18:]


def network(source, destination, protocol, body, hops=64):
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, hops) + source + destination + body
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0x4000, hops, protocol, 0, source, destination
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


class FarEnd:
    def __init__(self, device, log, options):
        self.vlan = int(options.get("vlan", 0))
        self.gateways = [ipaddress.ip_address(a).packed for a in options.get("gateways", "").split(",") if a]
        self.targets = [ipaddress.ip_network(n) for n in options.get("targets", "").split(",") if n]
        self.silent = options.get("open") == "none"
        ports = options.get("open", "80")
        self.open = {int(port) for port in ports.split(",")} if not self.silent else set()
        self.lie = options.get("lie", "")
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.socket.bind((device, 3))
        own = self.socket.getsockname()[4]
        self.mac = bytes.fromhex(options["mac"].replace(":", "")) if "mac" in options else own
        self.log = open(log, "w", encoding="ascii")

    def send(self, to, kind, body, vlan=None):
        vlan = self.vlan if vlan is None else vlan
        tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
        self.socket.send((to + self.mac + tag + struct.pack("!H", kind) + body).ljust(60, b"\0"))

    def send_ip(self, to, source, destination, protocol, body, vlan=None, hops=64):
        kind = 0x86DD if len(source) == 16 else 0x0800
        self.send(to, kind, network(source, destination, protocol, body, hops), vlan)

    def receive(self):
        frame, extra, _, address = self.socket.recvmsg(2048, 256)
        if address[2] == socket.PACKET_OUTGOING:
            return
        tag = 0
        for level, kind, data in extra:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", data[:20])
                tag = tci & 0xFFF if status & TAG_THERE else 0
        kind, at = struct.unpack("!H", frame[12:14])[0], 14
        if kind == 0x8100:
            tag, kind = struct.unpack("!HH", frame[14:18])
            tag, at = tag & 0xFFF, 18
        packet = frame[at:]
        if kind == 0x0806:
            self.take_arp(frame[6:12], packet, tag)
        elif kind == 0x0800 and packet[9] == 6:
            self.take_tcp(frame[6:12], packet[12:16], packet[16:20], packet[(packet[0] & 15) * 4 :], tag)
        elif kind == 0x86DD and packet[6] == 6:
            self.take_tcp(frame[6:12], packet[8:24], packet[24:40], packet[40:], tag)
        elif kind == 0x86DD and packet[6] == 58 and packet[40] == 135:
            self.take_solicitation(frame[6:12], packet[8:24], packet[48:64], tag)

    def take_arp(self, mac, arp, tag):
        if tag != self.vlan or arp[6:8] != b"\0\1" or arp[24:28] not in self.gateways:
            return
        self.send(mac, 0x0806, arp[:6] + b"\0\2" + self.mac + arp[24:28] + mac + arp[14:18])

    def take_solicitation(self, mac, source, asked, tag):
        if tag != self.vlan or asked not in self.gateways or not any(source):
            return
        body = struct.pack("!BBHI", 136, 0, 0, 0xE0000000) + asked + b"\2\1" + self.mac
        body = body[:2] + struct.pack("!H", pseudo(asked, source, 58, body)) + body[4:]
        self.send_ip(mac, asked, source, 58, body, hops=255)

    def take_tcp(self, mac, source, destination, tcp, tag):
        sport, dport, sequence = struct.unpack("!HHI", tcp[:8])
        ours = ipaddress.ip_address(destination)
        if tcp[13] != SYN or not any(ours in prefix for prefix in self.targets):
            return
        if tag != self.vlan:
            print("stray", tag, file=self.log)
            return
        print(ipaddress.ip_address(source), ours, dport, file=self.log)

        def answer(flags, to, vlan=None):
            body = segment(destination, to, dport, sport, 1, sequence + 1 & 0xFFFFFFFF, flags)
            self.send_ip(mac, destination, to, 6, body, vlan)

        truth, lie = (SYN | ACK, RST | ACK) if dport in self.open else (RST | ACK, SYN | ACK)
        if self.lie == "tags":
            for other in {0, 7, 4095 & self.vlan + 1} - {self.vlan}:
                answer(lie, source, other)
        if self.lie == "sources" and dport not in self.open:
            answer(SYN | ACK, source[:-1] + bytes([source[-1] ^ 1]))
        if not self.silent:
            answer(truth, source)


def main():
    device, log, *words = sys.argv[1:]
    far = FarEnd(device, log, dict(word.split("=", 1) for word in words))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("ready", flush=True)
    try:
        while True:
            far.receive()
    finally:
        far.log.close()


if __name__ == "__main__":
    main()
