#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""manners.py ADDRESS: servers of every manner, told apart by port; what arrives goes to standard
output, a line each.

TCP 7001  sends back each line              7005  sends 50 MB: byte N is N modulo 251
    7002  says a byte a second              7006  the same, meant to be left early
    7003  resets at once                    7007  says `220 lab`, and ends
    7004  never says anything
UDP 7001  sends back each datagram          7004  never answers
"""

import contextlib
import socket
import struct
import sys
import threading
import time

BIG = 50_000_000
PERIOD = bytes(range(251)) * 251


def tell(*words):
    print(*words, flush=True)


def echo(connection, port):
    with connection.makefile("rb") as lines:
        for line in lines:
            tell(port, "line", line.decode().rstrip("\n"))
            connection.sendall(line)
    tell(port, "end")


def slow(connection, port):
    for byte in b"abcdefghij":
        connection.sendall(bytes([byte]))
        time.sleep(1)


def reset(connection, port):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection, port):
    while data := connection.recv(4096):
        tell(port, "data", data.decode("latin-1"))
    tell(port, "end")


def big(connection, port):
    sent = 0
    try:
        while sent < BIG:
            at = sent % 251
            sent += connection.send(PERIOD[at : at + BIG - sent])
    except OSError:
        pass
    tell(port, "sent", sent)


def banner(connection, port):
    connection.sendall(b"220 lab\r\n")


MANNERS = {7001: echo, 7002: slow, 7003: reset, 7004: silent, 7005: big, 7006: big, 7007: banner}


def talk(connection, port):
    with connection, contextlib.suppress(OSError):
        MANNERS[port](connection, port)


def accept(listener, port):
    while True:
        connection, peer = listener.accept()
        tell(port, "from", peer[0])
        threading.Thread(target=talk, args=(connection, port), daemon=True).start()


def datagrams(address, port, answers):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    while True:
        data, peer = sock.recvfrom(65536)
        tell(port, "udp", len(data), data[:20].decode("latin-1"))
        if answers:
            sock.sendto(data, peer)


def main():
    address = sys.argv[1]
    for port, answers in ((7001, True), (7004, False)):
        threading.Thread(target=datagrams, args=(address, port, answers), daemon=True).start()
    threads = []
    for port in MANNERS:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(128)
        threads.append(threading.Thread(target=accept, args=(listener, port), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
