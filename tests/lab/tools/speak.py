#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""speak.py ADDRESS: servers of different manners, told apart by port.

22    says its banner at once                     80    answers a request, 3,000 bytes
23    says nothing                                8080  answers a request with bytes that are no text
24    says 2,000 bytes at once                    81    closes without a word, request or not
25    says two lines, a moment between them
"""

import selectors
import socket
import sys
import time

GREETING = {22: b"SSH-2.0-Lab_1.0\r\n", 23: b"", 24: b"x" * 2000}
RESPONSE = {80: b"HTTP/1.0 200 OK\r\n\r\n" + b"y" * 2981, 8080: bytes(range(256))}
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def accept(listener, port, selector):
    connection, _ = listener.accept()
    connection.setblocking(False)
    if port == 81:
        connection.close()
        return
    if port == 25:
        connection.send(b"220-first\r\n")
        time.sleep(0.02)
        try:
            connection.send(b"220 second\r\n")
        except OSError:
            pass  # reset after the first
    elif port in GREETING:
        connection.send(GREETING[port])
    selector.register(connection, selectors.EVENT_READ, port)


def answer(connection, port, selector):
    try:
        data = connection.recv(4096)
        if data == REQUEST and port in RESPONSE:
            connection.send(RESPONSE[port])
        if data:
            return
    except OSError:
        pass  # reset
    selector.unregister(connection)
    connection.close()


def main():
    selector = selectors.DefaultSelector()
    listeners = set()
    for port in (22, 23, 24, 25, 80, 81, 8080):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((sys.argv[1], port))
        listener.listen(1024)
        listeners.add(listener)
        selector.register(listener, selectors.EVENT_READ, port)
    while True:
        for key, _ in selector.select():
            if key.fileobj in listeners:
                accept(key.fileobj, key.data, selector)
            else:
                answer(key.fileobj, key.data, selector)


if __name__ == "__main__":
    main()
