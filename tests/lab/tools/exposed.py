#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stand-ins for services that Debian does not have, as far as plugins/exposure asks them.

    exposed.py ADDRESS [CERTIFICATE KEY]

They answer as the vendors' documents say, on the ports of MONGO, WEB and, with a certificate, TLS. Each
request is printed as `PORT WORDS`: what was asked of MongoDB, or method and path.
"""

import asyncio
import json
import ssl
import struct
import sys

# --- MongoDB: OP_MSG and BSON (bsonspec.org) ------------------------------------------------------


def bson(value):
    body = b""
    for key, item in value.items():
        name = key.encode() + b"\0"
        if isinstance(item, bool):
            body += b"\x08" + name + bytes([item])
        elif isinstance(item, float):
            body += b"\x01" + name + struct.pack("<d", item)
        elif isinstance(item, int):
            kind, form = (b"\x10", "<i") if abs(item) < 2**31 else (b"\x12", "<q")
            body += kind + name + struct.pack(form, item)
        elif isinstance(item, str):
            text = item.encode() + b"\0"
            body += b"\x02" + name + struct.pack("<i", len(text)) + text
        elif isinstance(item, bytes):
            body += b"\x07" + name + item  # an object identifier
        elif isinstance(item, list):
            body += b"\x04" + name + bson({str(n): part for n, part in enumerate(item)})
        elif item is None:
            body += b"\x0a" + name
        else:
            body += b"\x03" + name + bson(item)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def command_of(document):
    """(name, $db) of a document whose values are strings, booleans and int32."""
    at, found = 4, {}
    while document[at]:
        kind, over = document[at], document.index(0, at + 1)
        key, at = document[at + 1 : over].decode(), over + 1
        if kind == 2:
            size = struct.unpack_from("<i", document, at)[0]
            found[key] = document[at + 4 : at + 3 + size].decode()
            at += 4 + size
        else:
            found[key] = document[at]
            at += {8: 1, 16: 4}[kind]
    return next(iter(found)), found.get("$db")


def error(code, name, text):
    return {"ok": 0.0, "errmsg": text, "code": code, "codeName": name}


HELLO = {
    "isWritablePrimary": True, "topologyVersion": {"processId": b"0123456789ab", "counter": 2**40},
    "maxBsonObjectSize": 16777216, "localTime": None, "minWireVersion": 0, "maxWireVersion": 17, "ok": 1.0,
}  # fmt: skip
DATABASES = {"databases": [{"name": "admin"}, {"name": "shop"}, {"name": "local"}], "ok": 1.0}


def mongo_open(command):
    return {
        "hello": HELLO, "isMaster": HELLO, "listDatabases": DATABASES,
        "buildInfo": {"version": "6.0.14", "versionArray": [6, 0, 14, 0], "bits": 64, "ok": 1.0},
    }[command]  # fmt: skip


def mongo_auth(command):
    if command == "listDatabases":
        return error(13, "Unauthorized", "command listDatabases requires authentication")
    return mongo_open(command)


def mongo_old(command):
    if command == "hello":
        return error(59, "CommandNotFound", "no such command: 'hello'")
    return mongo_auth(command)


async def mongo(answers, port, reader, writer):
    try:
        while True:
            length, number, _, code = struct.unpack("<iiii", await reader.readexactly(16))
            body = await reader.readexactly(length - 16)
            assert code == 2013 and body[:5] == b"\0" * 5
            command, database = command_of(body[5:])
            print(port, command, database, flush=True)
            reply = b"\0" * 5 + bson(answers(command))
            writer.write(struct.pack("<iiii", len(reply) + 16, 1, number, 2013) + reply)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


# --- APIs by HTTP ---------------------------------------------------------------------------------

FORBIDDEN = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403}
SECURITY = {"error": {"type": "security_exception", "reason": "missing authentication credentials"}, "status": 401}
ELASTIC = {
    "name": "node-1", "cluster_name": "lab", "version": {"number": "8.11.1", "lucene_version": "9.8.0"},
    "tagline": "You Know, for Search",
}  # fmt: skip
OPENSEARCH = {
    "cluster_name": "lab", "version": {"distribution": "opensearch", "number": "2.11.0"},
    "tagline": "The OpenSearch Project: https://opensearch.org/",
}  # fmt: skip
ETCD = {"etcdserver": "3.4.23", "etcdcluster": "3.4.0"}
EMPTY_USER = {"error": "etcdserver: user name is empty", "message": "etcdserver: user name is empty", "code": 3}
DOCKER = {"Version": "20.10.24", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"}
KUBERNETES = {"major": "1", "minor": "28", "gitVersion": "v1.28.4", "platform": "linux/amd64"}

# By port: {"METHOD PATH": (status, headers, JSON)}; all else is 404.
WEB = {
    9200: {"GET /": (200, {"X-elastic-product": "Elasticsearch"}, ELASTIC)},
    9201: {"GET /": (401, {"WWW-Authenticate": 'Basic realm="security"'}, SECURITY)},
    9202: {"GET /": (200, {}, OPENSEARCH)},
    9203: {"GET /": (401, {"WWW-Authenticate": 'Basic realm="OpenSearch Security"'}, "Unauthorized")},
    2379: {
        "GET /version": (200, {}, ETCD),
        "POST /v3/kv/range": (200, {}, {"header": {"cluster_id": "1"}, "count": "7"}),
    },
    2380: {"GET /version": (200, {}, ETCD), "POST /v3/kv/range": (400, {}, EMPTY_USER)},
    2375: {"GET /version": (200, {"Server": "Docker/20.10.24 (linux)"}, DOCKER)},
    2377: {"GET /version": (403, {"Server": "Docker/20.10.24 (linux)"}, {"message": "authorization denied"})},
    8001: {
        "GET /version": (200, {}, KUBERNETES),
        "GET /api": (200, {}, {"kind": "APIVersions", "versions": ["v1"]}),
    },
}
TLS = {6443: {"GET /version": (200, {}, KUBERNETES), "GET /api": (403, {}, FORBIDDEN)}}
MONGO = {27017: mongo_open, 27018: mongo_auth, 27019: mongo_old}
CHUNKED = {9200, 8001}


async def web(pages, port, reader, writer):
    try:
        line = (await reader.readline()).decode().split()
        length = 0
        while (header := (await reader.readline()).decode().strip()):
            name, _, value = header.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        body = await reader.readexactly(length)
        asked = " ".join(line[:2])
        if asked:  # not the scan's own probe
            print(port, asked, body.decode(), flush=True)
        status, headers, value = pages.get(asked, (404, {}, {"message": "not found"}))
        data = json.dumps(value).encode()
        if port in CHUNKED:
            headers = headers | {"Transfer-Encoding": "chunked"}
            parts = [data[at : at + 20] for at in range(0, len(data), 20)]
            data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif port != 2375:  # which ends by closing
            headers = headers | {"Content-Length": str(len(data))}
        writer.write(f"HTTP/1.1 {status} x\r\n".encode())
        writer.write("".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode())
        writer.write(b"Content-Type: application/json\r\n\r\n" + data)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def main():
    address, *certificate = sys.argv[1:]
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    for serve, table, tls in (mongo, MONGO, None), (web, WEB, None), (web, TLS if context else {}, context):
        for port, manner in table.items():
            def handler(reader, writer, serve=serve, manner=manner, port=port):
                return serve(manner, port, reader, writer)

            await asyncio.start_server(handler, address, port, ssl=tls)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
