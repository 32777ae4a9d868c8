#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""SSH servers that no package has any more, or that misbehave: version line, KEXINIT, and a reply with a
host key. One port each; what it is asked goes to standard output.

    oldssh.py ADDRESS
"""
import socketserver
import struct
import sys
import threading


def text(data):
    return struct.pack("!I", len(data)) + data


def mpint(bits):
    """A number of that many bits."""
    data = ((1 << bits - 1) | 1).to_bytes(bits // 8, "big")
    return text(b"\0" + data)


OLD = [b"diffie-hellman-group1-sha1,rsa1024-sha1", b"ssh-dss,ssh-rsa", b"arcfour,arcfour128,des-cbc@ssh.com,none",
       b"blowfish-cbc", b"hmac-md5,none", b"hmac-sha1-96", b"none", b"zlib,none", b"", b""]
TERRAPIN = [b"curve25519-sha256", b"ssh-ed25519", b"chacha20-poly1305@openssh.com", b"aes128-ctr", b"hmac-sha2-256",
            b"hmac-sha2-256", b"none", b"none", b"", b""]
DSS = text(b"ssh-dss") + mpint(1024) + mpint(160) + mpint(1024) + mpint(1024)
RSA = text(b"ssh-rsa") + text(b"\1\0\1") + mpint(768)
ED25519 = text(b"ssh-ed25519") + text(bytes(32))


def packet(payload):
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack("!IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def kexinit(lists):
    return packet(b"\x14" + bytes(16) + b"".join(text(names) for names in lists) + bytes(5))


def reply(key):
    return packet(b"\x1f" + text(key) + text(bytes(32)) + text(b"signature"))


class Server(socketserver.BaseRequestHandler):
    def line(self):
        data = b""
        while not data.endswith(b"\n"):
            byte = self.request.recv(1)
            if not byte:
                return data
            data += byte
        return data

    def packet(self):
        head = self.exactly(5)
        length, padding = struct.unpack("!IB", head)
        return self.exactly(length - 1)[:length - 1 - padding]

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.request.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def asked_for(self):
        """The host key algorithm of the client's KEXINIT, once its version and public value came, too."""
        self.line()
        payload, at, lists = self.packet(), 17, []
        for _ in range(2):
            length = struct.unpack("!I", payload[at:at + 4])[0]
            lists.append(payload[at + 4:at + 4 + length])
            at += 4 + length
        self.packet()
        print(self.server.server_address[1], *(names.decode() for names in lists), flush=True)
        return lists[1]

    def handle(self):
        try:
            MANNERS[self.server.server_address[1]](self)
        except (OSError, EOFError, struct.error):
            pass

    def say(self, data):
        self.request.sendall(data)

    def old(self):
        self.say(b"Welcome\r\nto the lab\r\nSSH-1.99-Old_1.0 \x1b[31m\r\n" + kexinit(OLD))
        key = DSS if self.asked_for() == b"ssh-dss" else RSA
        self.say(packet(b"\2" + text(b"ignore this")) + reply(key))

    def terrapin(self):
        self.say(b"SSH-2.0-Lab\r\n" + kexinit(TERRAPIN))
        self.asked_for()
        self.say(reply(ED25519))

    def one(self):
        self.say(b"SSH-1.5-Ancient_1.2.27\n")
        self.line()

    def farewell(self):
        self.say(b"SSH-2.0-Lab\r\n" + kexinit(TERRAPIN))
        self.asked_for()
        self.say(packet(b"\1" + struct.pack("!I", 11) + text(b"go \xff away") + text(b"")))

    def broken_list(self):
        self.say(b"SSH-2.0-Lab\r\n" + packet(b"\x14" + bytes(16) + struct.pack("!I", 1 << 31)))
        self.line()

    def huge_packet(self):
        self.say(b"SSH-2.0-Lab\r\n" + struct.pack("!IB", 1 << 30, 4) + bytes(100))
        self.line()

    def chatter(self):
        self.say(b"no version yet\r\n" * 100000)

    def drip(self):
        self.say(b"SSH-2.0-Lab\r\n")
        for byte in kexinit(TERRAPIN) * 100:
            self.say(bytes([byte]))
            if threading.Event().wait(0.2):
                return

    def not_ssh(self):
        self.say(b"220 lab ESMTP\r\n")
        self.line()


MANNERS = {2300: Server.old, 2301: Server.terrapin, 2302: Server.one, 2303: Server.farewell, 2304: Server.broken_list,
           2305: Server.huge_packet, 2306: Server.chatter, 2307: Server.drip, 2308: Server.not_ssh}


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


for port in MANNERS:
    threading.Thread(target=Listener((sys.argv[1], port), Server).serve_forever).start()
