#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Servers of TLS that no library speaks any more: they parse a ClientHello and answer with a ServerHello
of the version and suite that their row says, or refuse; no handshake goes on from there.

    oldtls.py ADDRESS            serve all rows
    oldtls.py --truth PORT       what a row accepts, as `VERSION suite,suite,...` lines
"""
import selectors
import socket
import struct
import sys

VERSIONS = {"SSLv3": 0x0300, "TLSv1.0": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303}
NAMES = {
    "TLS_RSA_WITH_NULL_MD5": 0x0001, "TLS_RSA_WITH_NULL_SHA": 0x0002,
    "TLS_RSA_EXPORT_WITH_RC4_40_MD5": 0x0003, "TLS_RSA_WITH_RC4_128_MD5": 0x0004,
    "TLS_RSA_WITH_RC4_128_SHA": 0x0005, "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5": 0x0006,
    "TLS_RSA_WITH_IDEA_CBC_SHA": 0x0007, "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA": 0x0008,
    "TLS_RSA_WITH_DES_CBC_SHA": 0x0009, "TLS_RSA_WITH_3DES_EDE_CBC_SHA": 0x000A,
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA": 0x0033, "TLS_DH_anon_WITH_RC4_128_MD5": 0x0018,
    "TLS_RSA_WITH_AES_128_CBC_SHA": 0x002F, "TLS_RSA_WITH_AES_256_CBC_SHA": 0x0035,
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 0xC02F,
    "SSL_CK_RC4_128_WITH_MD5": 0x010080, "SSL_CK_DES_192_EDE3_CBC_WITH_MD5": 0x0700C0,
}
BROKEN = ["TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_RC4_128_MD5", "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
          "TLS_RSA_WITH_DES_CBC_SHA", "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
          "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5", "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA",
          "TLS_RSA_WITH_IDEA_CBC_SHA", "TLS_RSA_WITH_NULL_MD5", "TLS_RSA_WITH_NULL_SHA",
          "TLS_DH_anon_WITH_RC4_128_MD5"]
PLAIN = ["TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"]
GOOD = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]

# port: what it accepts, in its order; who="client": in the client's. Further fields are manners:
#   deflate: compresses     renegotiation: the extension of RFC 5746 (default)
#   quiet: hangs up in place of alerts     longest: hangs up on more suites than this
#   drops: every that many connections are reset at once
ROWS = {
    4500: {"accepts": {"SSLv3": BROKEN, "TLSv1.0": BROKEN}},
    4501: {"accepts": {"SSLv2": ["SSL_CK_RC4_128_WITH_MD5", "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"],
                       "SSLv3": ["TLS_RSA_WITH_RC4_128_SHA"]}},
    4502: {"accepts": {"TLSv1.1": PLAIN, "TLSv1.2": PLAIN}, "who": "client", "deflate": True},
    4503: {"accepts": {"TLSv1.2": GOOD}, "renegotiation": False, "quiet": True},
    4504: {"accepts": {"TLSv1.0": PLAIN}, "longest": 100, "quiet": True},
    4505: {"accepts": {"TLSv1.2": GOOD + PLAIN}, "drops": 5},
    4506: {"accepts": {"SSLv3": PLAIN}, "quiet": True},
    4507: {"accepts": {"TLSv1.2": ["TLS_RSA_WITH_3DES_EDE_CBC_SHA"] + PLAIN}},
}


def alert(row, description):
    return b"" if row.get("quiet") else struct.pack("!BHHBB", 21, 0x0300, 2, 2, description)


def choose(row, mine, offered):
    ids = [NAMES[name] for name in mine]
    first, second = (offered, ids) if row.get("who") == "client" else (ids, offered)
    return next((suite for suite in first if suite in second), None)


def server_hello(row, version, suite, compression):
    extensions = b"\xff\x01\x00\x01\x00" if row.get("renegotiation", True) and version > 0x300 else b""
    body = struct.pack("!H", version) + bytes(32) + b"\0" + struct.pack("!HB", suite, compression)
    if extensions:
        body += struct.pack("!H", len(extensions)) + extensions
    body = b"\x02" + struct.pack("!I", len(body))[1:] + body
    return struct.pack("!BHH", 22, version, len(body)) + body


def answer(row, data):
    """What is said to a whole ClientHello; None: there is more to come."""
    if len(data) < 5 or len(data) < 5 + struct.unpack("!H", data[3:5])[0]:
        return None
    wanted, at = struct.unpack("!H", data[9:11])[0], 43
    at += 1 + data[at]
    length = struct.unpack("!H", data[at:at + 2])[0]
    offered = list(struct.unpack(f"!{length // 2}H", data[at + 2:at + 2 + length]))
    at += 2 + length
    methods = data[at + 1:at + 1 + data[at]]
    if len(offered) > row.get("longest", 1000):
        return b""
    fit = [name for name in row["accepts"] if VERSIONS.get(name, 0xffff) <= wanted]
    if not fit:
        return alert(row, 70)
    name = max(fit, key=VERSIONS.get)
    suite = choose(row, row["accepts"][name], offered)
    if suite is None:
        return alert(row, 40)
    return server_hello(row, VERSIONS[name], suite, 1 if row.get("deflate") and 1 in methods else 0)


def answer_ssl2(row, data):
    """To a CLIENT-HELLO of SSL 2.0."""
    if len(data) < 2 or len(data) < 2 + (struct.unpack("!H", data[:2])[0] & 0x7FFF):
        return None
    mine = [NAMES[name] for name in row["accepts"].get("SSLv2", [])]
    if not mine:
        return b""
    length = struct.unpack("!H", data[5:7])[0]
    offered = [int.from_bytes(data[11 + i:14 + i], "big") for i in range(0, length, 3)]
    shared = b"".join(suite.to_bytes(3, "big") for suite in mine if suite in offered)
    body = struct.pack("!BBBHHHH", 4, 0, 1, 2, 0, len(shared), 16) + shared + bytes(16)
    return struct.pack("!H", 0x8000 | len(body)) + body


class Connection:
    def __init__(self, row):
        self.row, self.data = row, b""

    def more(self, data):
        self.data += data
        if self.data[0] & 0x80:
            return answer_ssl2(self.row, self.data)
        return answer(self.row, self.data) if self.data[0] == 22 else b""


def accept(selector, listener, row):
    sock = listener.accept()[0]
    row["seen"] = row.get("seen", 0) + 1
    if row.get("drops") and row["seen"] % row["drops"] == 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        return
    selector.register(sock, selectors.EVENT_READ, Connection(row))


def serve(address):
    selector = selectors.DefaultSelector()
    for port, row in ROWS.items():
        selector.register(socket.create_server((address, port), backlog=128), selectors.EVENT_READ, row)
    while True:
        for key, _ in selector.select():
            if isinstance(key.data, dict):
                accept(selector, key.fileobj, key.data)
                continue
            sock = key.fileobj
            try:
                data = sock.recv(65536)
                reply = key.data.more(data) if data else b""
                if reply:
                    sock.sendall(reply)
            except OSError:
                reply = b""
            if reply is not None:
                selector.unregister(sock)
                sock.close()


if sys.argv[1] == "--truth":
    for version, suites in ROWS[int(sys.argv[2])]["accepts"].items():
        print(version, ",".join(suites))
else:
    serve(sys.argv[1])
