#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sockets as plugins have them: the kernel's, bound to an address and perhaps to an interface.

    plugin.py fetch SOURCE DEVICE ADDRESS PORT PATH   print the SHA-256 of what GET answers
    plugin.py flood SOURCE DEVICE ADDRESS PORT SECONDS PPS   send datagrams, print their number
    plugin.py receive SOURCE DEVICE PORT SECONDS   print the number of datagrams, and the most in a second
    plugin.py connect ADDRESS PORT   exit 0 where something accepts within a second
    plugin.py peak CAPTURE SOURCE   print the number of frames from there, and the most in a second

SOURCE is ADDRESS or ADDRESS:PORT; DEVICE `-` is none.
"""

import hashlib
import http.client
import ipaddress
import select
import socket
import sys
import time

from wire import read_pcap

DATAGRAM = b"x" * 100


def bound(kind, source, device):
    address, _, port = source.partition(":")
    result = socket.socket(socket.AF_INET, kind)
    if device != "-":
        result.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    result.bind((address, int(port or 0)))
    return result


def fetch(source, device, address, port, path):
    connection = http.client.HTTPConnection(address, int(port))
    connection.sock = bound(socket.SOCK_STREAM, source, device)
    connection.sock.settimeout(20)
    connection.sock.connect((address, int(port)))
    connection.request("GET", path)
    answer = connection.getresponse()
    digest = hashlib.sha256()
    while part := answer.read(65536):
        digest.update(part)
    print(digest.hexdigest())


def flood(source, device, address, port, seconds, pps):
    begin, sent = time.monotonic(), 0
    sender = bound(socket.SOCK_DGRAM, source, device)
    sender.settimeout(0.2)
    while (elapsed := time.monotonic() - begin) < float(seconds):
        if sent >= elapsed * float(pps):
            time.sleep(0.001)
            continue
        try:
            sender.sendto(DATAGRAM, (address, int(port)))
            sent += 1
        except OSError:  # a full queue, or nobody answers ARP yet
            time.sleep(0.001)
    print(sent)


def busiest(times):
    """The most events in any second, wherever it begins."""
    most = first = 0
    for last, when in enumerate(times):
        while when - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def receive(source, device, port, seconds):
    receiver = bound(socket.SOCK_DGRAM, f"{source}:{port}", device)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    end, times = time.monotonic() + float(seconds), []
    while (left := end - time.monotonic()) > 0:
        if select.select([receiver], [], [], left)[0]:
            receiver.recv(2000)
            times.append(time.monotonic())
    print(len(times), busiest(times))


def connect(address, port):
    socket.create_connection((address, int(port)), timeout=1).close()


def peak(capture, source):
    packed = ipaddress.ip_address(source).packed
    times = sorted(
        when
        for when, frame, _ in read_pcap(capture)
        if frame[12:14] == b"\x08\x00" and frame[26:30] == packed
    )
    print(len(times), busiest(times))


if __name__ == "__main__":
    commands = {f.__name__: f for f in (fetch, flood, receive, connect, peak)}
    try:
        commands[sys.argv[1]](*sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
