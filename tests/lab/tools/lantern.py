#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""lantern.py ADDRESS: servers of Lantern RPC (plugins/custom-service/README.md), good and bad ones.

Each port has a manner, see MANNERS. Prints a line for each connection's end: `PORT METHODS`, the requests
that it understood, with `!` for what was no frame. Its checksum is zlib's.
"""

import asyncio
import struct
import sys
import time
import zlib

MAGIC, VERSION = b"LNTN", 1
REQUEST, REPLY, ERROR, NOTICE = 1, 2, 3, 4
HELLO, DESCRIBE, STATS = 1, 2, 3
NAMES = {HELLO: "HELLO", DESCRIBE: "DESCRIBE", STATS: "STATS"}
START = time.monotonic()


def string(text):
    return struct.pack("!H", len(text)) + text.encode()


def frame(kind, method, number, body, version=VERSION):
    head = MAGIC + struct.pack("!BBBxII", version, kind, method, number, len(body))
    return head + body + struct.pack("!I", zlib.crc32(head + body))


def hello(number, features=3):
    body = string("Lantern") + string("2.4.1") + struct.pack("!I", features) + string("lab-7")
    return frame(REPLY, HELLO, number, body)


def answer(method, number):
    """What a server as it should be says."""
    if method == HELLO:
        return hello(number)
    if method == DESCRIBE:
        body = struct.pack("!H", len(NAMES)) + b"".join(bytes([n]) + string(NAMES[n]) for n in NAMES)
        return frame(REPLY, DESCRIBE, number, body)
    if method == STATS:
        return frame(REPLY, STATS, number, struct.pack("!IIQ", int(time.monotonic() - START), 1, 2**33))
    return frame(ERROR, method, number, struct.pack("!H", 1) + string("unknown method"))


async def good(method, number, writer):
    writer.write(answer(method, number))


async def dribble(method, number, writer):
    for byte in answer(method, number):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.002)


async def notices(method, number, writer):
    writer.write(frame(NOTICE, 0, 0, b"tick") * 3 + answer(method, number))


async def garbage(method, number, writer):
    writer.write(b"\x00\x01\x02\x03" * 8)


async def truncated(method, number, writer):
    writer.write(answer(method, number)[:-7])
    writer.close()


async def stalled(method, number, writer):
    writer.write(answer(method, number)[:-7])


async def oversized(method, number, writer):
    writer.write(answer(method, number)[:12] + b"\x7f\xff\xff\xff" + b"x" * 100)


async def checksum(method, number, writer):
    writer.write(answer(method, number)[:-1] + b"?")


async def newer(method, number, writer):
    body = struct.pack("!H", 3) + string("unsupported version")
    writer.write(frame(ERROR, method, number, body, version=2))


async def denies(method, number, writer):
    if method == HELLO:
        return writer.write(answer(method, number))
    writer.write(frame(ERROR, method, number, struct.pack("!H", 4) + string("denied")))


async def silent(method, number, writer):
    pass


MANNERS = {
    7700: good, 7710: dribble, 7711: notices, 7712: garbage, 7713: truncated, 7714: stalled,
    7715: oversized, 7716: checksum, 7717: newer, 7718: denies, 7719: silent,
}  # fmt: skip


async def serve(manner, port, reader, writer):
    heard = []
    try:
        while True:
            head = await reader.readexactly(16)
            magic, version, kind, method, number, length = struct.unpack("!4sBBBxII", head)
            rest = await reader.readexactly(length + 4)
            crc = struct.unpack("!I", rest[-4:])[0]
            if (magic, version, kind) != (MAGIC, VERSION, REQUEST) or crc != zlib.crc32(head + rest[:-4]):
                heard.append("!")
                break
            heard.append(NAMES.get(method, str(method)))
            await manner(method, number, writer)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError) as error:
        if getattr(error, "partial", b""):
            heard.append("!")
    if heard:  # not the scan's own probe
        print(port, *heard, flush=True)
    writer.close()


async def main():
    for port, manner in MANNERS.items():
        def handler(reader, writer, manner=manner, port=port):
            return serve(manner, port, reader, writer)

        await asyncio.start_server(handler, sys.argv[1], port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
