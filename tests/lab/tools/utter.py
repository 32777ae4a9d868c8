#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""utter.py LOG PORT=MANNER...: TCP servers on all addresses of both families, told apart by port.

first:N    says N bytes at once, and waits         silent     says nothing
answer:N   N bytes to a request, and waits         closes     ends without a word
page:N     N bytes to a request, of them a head    line       echoes the first bytes it hears, and ends
           apart, and ends

Byte K of what port P says is (K * 31 + K / 256 + P) % 256, but for the head of a page: `utter.py
bytes PORT N` and `utter.py page PORT N` print them in hexadecimal. LOG gets a line for each
connection: port, and what was heard, in hexadecimal.
"""

import asyncio
import contextlib
import socket
import sys

HEAD = b"HTTP/1.0 200 OK\r\nServer: utter\r\n\r\n"


def text(port, n):
    return bytes((k * 31 + k // 256 + port) % 256 for k in range(n))


def page(port, n):
    return HEAD + text(port, n)[len(HEAD) :]


async def talk(manner, n, port, reader, writer):
    heard = b""
    with contextlib.suppress(OSError):
        if manner == "first":
            writer.write(text(port, n))
        if manner in ("answer", "page", "line"):
            heard = await reader.read(4096)
        if manner == "answer" and heard:
            writer.write(text(port, n))
            await reader.read(4096)
        if manner == "page" and heard:
            writer.write(HEAD)
            await asyncio.sleep(0.01)
            writer.write(page(port, n)[len(HEAD) :])
        if manner == "line":
            writer.write(heard)
        if manner in ("first", "silent"):
            heard += await reader.read(4096)
        await writer.drain()
    return heard


async def main():
    log = open(sys.argv[1], "a", encoding="ascii", buffering=1)

    def server(manner, n, port):
        async def on_connection(reader, writer):
            heard = await talk(manner, n, port, reader, writer)
            print(port, heard.hex(), file=log)
            with contextlib.suppress(OSError):
                writer.close()
                await writer.wait_closed()

        return on_connection

    for word in sys.argv[2:]:
        port, _, manner = word.partition("=")
        manner, _, n = manner.partition(":")
        sock = socket.create_server(("::", int(port)), family=socket.AF_INET6,
                                    dualstack_ipv6=True, backlog=4096)  # fmt: skip
        await asyncio.start_server(server(manner, int(n or 0), int(port)), sock=sock, backlog=4096)
    await asyncio.Event().wait()


if sys.argv[1] in ("bytes", "page"):
    print((page if sys.argv[1] == "page" else text)(int(sys.argv[2]), int(sys.argv[3])).hex())
else:
    asyncio.run(main())
