#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""tls.py ADDRESS CERTIFICATE KEY: servers with TLS of the standard library.

5001  takes 5,000,000 bytes, answers with their SHA-256 and a newline, then sends 5,000,000 of its own
      and closes; prints the SHA-256 of both
5002  says `220 lab`, and after a line STARTTLS `220 go` and TLS; then sends back each line
"""

import contextlib
import hashlib
import os
import socket
import ssl
import sys
import threading

BYTES = 5_000_000


def bulk(connection, context):
    with context.wrap_socket(connection, server_side=True) as tls:
        taken, left = hashlib.sha256(), BYTES
        while left:
            data = tls.recv(min(left, 65536))
            if not data:
                raise OSError("cut short")
            taken.update(data)
            left -= len(data)
        tls.sendall(taken.hexdigest().encode() + b"\n")
        own = os.urandom(BYTES)
        tls.sendall(own)
        print("taken", taken.hexdigest(), "sent", hashlib.sha256(own).hexdigest(), flush=True)
        tls.unwrap()


def upgrade(connection, context):
    connection.sendall(b"220 lab\r\n")
    asked = connection.recv(100)
    print("plain", asked, flush=True)
    if asked != b"STARTTLS\r\n":
        return
    connection.sendall(b"220 go\r\n")
    with context.wrap_socket(connection, server_side=True) as tls, tls.makefile("rwb", 0) as lines:
        for line in lines:
            print("tls", line, flush=True)
            lines.write(line)


def talk(manner, connection, context):
    with connection, contextlib.suppress(OSError):
        manner(connection, context)


def accept(listener, manner, context):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(manner, connection, context), daemon=True).start()


def main():
    address, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    threads = []
    for port, manner in ((5001, bulk), (5002, upgrade)):
        listener = socket.create_server((address, port))
        threads.append(threading.Thread(target=accept, args=(listener, manner, context)))
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main()
