#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""crowd.py ADDRESS FIRST LAST HOLD FILE: listen on these ports; answer each connection's first line
HOLD seconds after it came, with the port. FILE always has `CONNECTIONS LINES PEAK`: all so far, and
the most that stood at once."""

import collections
import selectors
import socket
import sys
import time


class Crowd:
    def __init__(self, address, ports, hold, path):
        self.hold, self.path = hold, path
        self.selector = selectors.DefaultSelector()
        self.due = collections.deque()  # (time, connection, port)
        self.open = set()
        self.total = self.lines = self.peak = 0
        for port in ports:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(64)
            listener.setblocking(False)
            self.selector.register(listener, selectors.EVENT_READ, port)

    def accept(self, listener, port):
        connection, _ = listener.accept()
        connection.setblocking(False)
        self.open.add(connection)
        self.total += 1
        self.selector.register(connection, selectors.EVENT_READ, port)

    def read(self, connection, port):
        try:
            data = connection.recv(4096)
        except OSError:
            data = b""
        if data == b"%d\n" % port:
            self.lines += 1
            self.due.append((time.monotonic() + self.hold, connection, port))
        if not data:
            self.selector.unregister(connection)
            self.open.remove(connection)
            connection.close()

    def turn(self, timeout):
        """True where something happened."""
        events = self.selector.select(timeout)
        # Ends first: one that ended before another began never stood beside it.
        for key, _ in events:
            if key.fileobj in self.open:
                self.read(key.fileobj, key.data)
        for key, _ in events:
            if key.fileobj not in self.open and key.fileobj.fileno() >= 0:
                try:
                    self.accept(key.fileobj, key.data)
                except OSError:
                    pass  # the scanner has reset it already
        while self.due and self.due[0][0] <= time.monotonic():
            _, connection, port = self.due.popleft()
            if connection in self.open:
                connection.send(b"%d\n" % port)
        return bool(events)

    def measure(self):
        if len(self.open) <= self.peak:
            return
        # What ended meanwhile is known to the kernel already.
        for connection in list(self.open):
            try:
                if connection.recv(1, socket.MSG_PEEK) == b"":
                    self.read(connection, 0)
            except BlockingIOError:
                pass
            except OSError:
                self.read(connection, 0)
        self.peak = max(self.peak, len(self.open))

    def run(self):
        told = None
        while True:
            happened = self.turn(0.02)
            self.measure()
            now = (self.total, self.lines, self.peak)
            if now != told and not happened:
                with open(self.path, "w", encoding="ascii") as file:
                    print(*now, file=file)
                told = now


def main():
    address, first, last, hold, path = sys.argv[1:]
    Crowd(address, range(int(first), int(last) + 1), float(hold), path).run()


if __name__ == "__main__":
    main()
