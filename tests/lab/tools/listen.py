#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""listen.py ADDRESS PORT...: accept and close connections on many ports, from one process."""

import selectors
import socket
import sys


def main():
    selector = selectors.DefaultSelector()
    for port in sys.argv[2:]:
        family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
        listener = socket.socket(family)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((sys.argv[1], int(port)))
        listener.listen(1024)
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            try:
                connection, _ = key.fileobj.accept()
                connection.close()
            except OSError:
                pass  # the scanner has reset it already


if __name__ == "__main__":
    main()
