#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The built-in payloads and hellos as tshark reads them: each is the protocol that it claims to be,
nothing in it is malformed or remarked upon, and fields say what they are meant to; with one token
and with others, which are where the table says and nowhere else."""

import os
import struct
import subprocess
import sys
import tempfile

BUILD = os.path.dirname(os.environ.get("PRTIP_DP", "build/prtip-dp"))
DUMP = os.environ.get("PAYLOADS_DUMP", os.path.join(BUILD, "dataplane/payloads_dump"))
TOKENS = ("0", "1122334455667788", "ffffffffffffffff", "8f00c3a55a0a0d22")

# What tshark calls it (a layer of frame.protocols), and fields with their value.
KNOWN = {
    ("udp", "echo"): ("echo", {}),
    ("udp", "dns"): ("dns", {"dns.qry.name": "version.bind", "dns.qry.class": "0x0003"}),
    ("udp", "tftp"): ("tftp", {"tftp.opcode": "1"}),
    ("udp", "kerberos"): ("kerberos", {"kerberos.msg_type": "10"}),
    ("udp", "portmap"): ("rpc", {"rpc.program": "100000", "rpc.procedure": "0"}),
    ("udp", "ntp"): ("ntp", {"ntp.flags.mode": "3", "ntp.rec": "NULL"}),
    ("udp", "nbstat"): ("nbns", {"nbns.type": "33"}),
    ("udp", "snmp-v1"): ("snmp", {"snmp.version": "0", "snmp.name": "1.3.6.1.2.1.1.1.0"}),
    ("udp", "snmp-v2c"): ("snmp", {"snmp.version": "1", "snmp.name": "1.3.6.1.2.1.1.1.0"}),
    ("udp", "snmp-v3"): ("snmp", {"snmp.msgVersion": "3"}),
    ("udp", "xdmcp"): ("xdmcp", {"xdmcp.opcode": "0x0002"}),
    ("udp", "cldap"): ("cldap", {"ldap.scope": "0"}),
    ("udp", "slp"): ("srvloc", {"srvloc.function": "1"}),
    ("udp", "quic"): ("quic", {"quic.version": "0x1a2a3a4a", "quic.dcil": "8"}),
    ("udp", "ike-v2"): ("isakmp", {"isakmp.version": "0x20", "isakmp.exchangetype": "34"}),
    ("udp", "ike-v1"): ("isakmp", {"isakmp.version": "0x10", "isakmp.exchangetype": "2"}),
    ("udp", "ike-v2-nat"): ("isakmp", {"isakmp.version": "0x20"}),
    ("udp", "rip"): ("rip", {"rip.command": "1", "rip.version": "2"}),
    ("udp", "ipmi"): ("ipmi", {"ipmi.header.command": "0x38"}),
    ("udp", "asf"): ("asf", {"asf.type": "0x80"}),
    ("udp", "openvpn"): ("openvpn", {"openvpn.opcode": "0x07"}),
    ("udp", "radius-access"): ("radius", {"radius.code": "1"}),
    ("udp", "radius-status"): ("radius", {"radius.code": "12"}),
    ("udp", "l2tp"): ("l2tp", {"l2tp.avp.message_type": "1"}),
    ("udp", "ssdp"): ("ssdp", {"http.request.method": "M-SEARCH"}),
    ("udp", "nfs"): ("rpc", {"rpc.program": "100003", "rpc.procedure": "0"}),
    ("udp", "gtp"): ("gtp", {"gtp.message": "0x01"}),
    ("udp", "enip"): ("enip", {"enip.command": "0x0063"}),
    ("udp", "stun"): ("stun", {"stun.type": "0x0001"}),
    ("udp", "knx"): ("kip", {}),
    ("udp", "dtls"): ("dtls", {"dtls.handshake.type": "1"}),
    ("udp", "sip"): ("sip", {"sip.Method": "OPTIONS", "sip.Max-Forwards": "0"}),
    ("udp", "nat-pmp"): ("portcontrol", {"nat-pmp.opcode": "0"}),
    ("udp", "mdns"): ("mdns", {"dns.qry.name": "_services._dns-sd._udp.local", "dns.qry.qu": "1"}),
    ("udp", "coap"): ("coap", {"coap.code": "1", "coap.opt.uri_path_recon": "/.well-known/core"}),
    ("udp", "dht"): ("bt-dht", {}),
    ("udp", "pfcp"): ("pfcp", {"pfcp.msg_type": "1"}),
    ("udp", "memcached"): ("memcache", {}),
    ("udp", "raknet"): ("raknet", {}),
    ("udp", "bacnet"): ("bacapp", {"bacapp.confirmed_service": "12", "bacapp.property_identifier": "77"}),
    ("tcp", "http"): ("http", {"http.request.method": "GET"}),
    ("tcp", "tls"): ("tls", {"tls.handshake.type": "1"}),
    ("tcp", "dns"): ("dns", {"dns.qry.name": "version.bind"}),
    ("tcp", "gopher"): ("gopher", {}),
    ("tcp", "finger"): ("finger", {}),
    ("tcp", "s7"): ("cotp", {"cotp.type": "0x0e"}),
    ("tcp", "rpc"): ("rpc", {"rpc.program": "100000", "rpc.procedure": "0"}),
    ("tcp", "ldap"): ("ldap", {"ldap.scope": "0"}),
    ("tcp", "smb"): ("smb2", {"smb2.cmd": "0", "smb2.dialect": "0x0202,0x0210,0x0300,0x0302"}),
    ("tcp", "modbus"): ("modbus", {"modbus.func_code": "43"}),
    ("tcp", "rtsp"): ("rtsp", {"rtsp.method": "OPTIONS"}),
    ("tcp", "socks5"): ("socks", {"socks.version": "5"}),
    ("tcp", "rmi"): ("rmi", {"rmi.protocol": "0x4b"}),
    ("tcp", "mssql"): ("tds", {"tds.type": "18"}),
    ("tcp", "oracle"): ("tns", {"tns.type": "1"}),
    ("tcp", "mqtt"): ("mqtt", {"mqtt.msgtype": "1", "mqtt.ver": "4"}),
    ("tcp", "rdp"): ("rdp", {}),
    ("tcp", "jdwp"): ("jdwp", {}),
    ("tcp", "sip"): ("sip", {"sip.Method": "OPTIONS"}),
    ("tcp", "xmpp-client"): ("xmpp", {}),
    ("tcp", "xmpp-server"): ("xmpp", {}),
    ("tcp", "postgresql"): ("pgsql", {"pgsql.type": "SSL request"}),
    ("tcp", "x11"): ("x11", {"x11.protocol-major-version": "11"}),
    ("tcp", "redis"): ("resp", {}),
    ("tcp", "ajp"): ("ajp13", {}),
    ("tcp", "cassandra"): ("cql", {"cql.opcode": "5"}),
    ("tcp", "kafka"): ("kafka", {"kafka.api_key": "18"}),
    ("tcp", "memcached"): ("memcache", {"memcache.command": "version"}),
    ("tcp", "mongodb"): ("mongo", {"mongo.opcode": "2013"}),
    ("tcp", "enip"): ("enip", {"enip.command": "0x0063"}),
}
# tshark has no word for these; in id Tech 3's it wants a NUL that the game does not send, and of an
# AMQP header that stands alone it says nothing.
UNKNOWN = {
    ("udp", "any"),
    ("udp", "mssql-browser"),
    ("udp", "quake"),
    ("udp", "source"),
    ("udp", "ubiquiti"),
    ("udp", "ws-discovery"),
    ("tcp", "amqp"),
    ("tcp", "minecraft"),
    ("tcp", "zookeeper"),
}
# What it knows, but does not look for on this port without being told.
DECODE_AS = {
    ("tcp", "jdwp"): "jdwp",
    ("tcp", "mongodb"): "mongo",
    ("tcp", "postgresql"): "pgsql",
    ("tcp", "rmi"): "rmi",
    ("tcp", "socks5"): "socks",
    ("tcp", "xmpp-server"): "xmpp",
}
# The field that the token is, so that it lies where the protocol has it and not beside.
TOKEN_FIELD = {
    "asf": "asf.tag",
    "bacnet": "bacapp.invoke_id",
    "cldap": "ldap.messageID",
    "coap": "coap.token",
    "dns": "dns.id",
    "enip": "enip.context",
    "gtp": "gtp.seq_number",
    "ike-v1": "isakmp.ispi",
    "ike-v2": "isakmp.ispi",
    "ike-v2-nat": "isakmp.ispi",
    "l2tp": "l2tp.avp.assigned_tunnel_id",
    "mdns": "dns.id",
    "nbstat": "nbns.id",
    "nfs": "rpc.xid",
    "openvpn": "openvpn.sessionid",
    "pfcp": "pfcp.seqno",
    "portmap": "rpc.xid",
    "quic": "quic.dcid",
    "radius-access": "radius.id",
    "radius-status": "radius.id",
    "raknet": "raknet.timestamp",
    "sip": "sip.Via.branch",
    "slp": "srvloc.xid",
    "snmp-v1": "snmp.request_id",
    "snmp-v2c": "snmp.request_id",
    "snmp-v3": "snmp.msgID",
    "stun": "stun.id",
}
EXPERT_WARN = 0x600000  # below it: chat and notes
# There is nothing to decrypt behind a version that forces negotiation.
EXPECTED = {("udp", "quic"): "Decryption failed: Decryption (checktag) failed: Checksum error"}


def dump(token):
    text = subprocess.run([DUMP, token], capture_output=True, text=True, check=True).stdout
    return [line.split(" ") for line in text.splitlines()]


def frame(number, proto, port, data):
    """Ethernet, IPv4 with a good checksum, and UDP or TCP without (tshark does not mind). Each comes
    from a host and port of its own, so that it is a conversation of its own."""
    if proto == "udp":
        l4 = struct.pack(">HHHH", 40000 + number, port, 8 + len(data), 0)
    else:
        l4 = struct.pack(">HHIIBBHHH", 40000 + number, port, 1, 1, 0x50, 0x18, 1024, 0, 0)
    ip = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(l4) + len(data), 1, 0, 64,
        17 if proto == "udp" else 6, 0, bytes((198, 18, 1, number)), bytes((198, 18, 0, 2)),
    )
    words = sum(struct.unpack(">10H", ip))
    words = (words & 0xFFFF) + (words >> 16)
    words = (words & 0xFFFF) + (words >> 16)
    ip = ip[:10] + struct.pack(">H", 0xFFFF - words) + ip[12:]
    return bytes(12) + b"\x08\x00" + ip + l4 + data


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number, data in enumerate(frames):
            file.write(struct.pack("<IIII", number, 0, len(data), len(data)) + data)


def dissect(entries):
    """What tshark says of each entry, all in one run: a conversation is one frame."""
    fields = {field for _, wanted in KNOWN.values() for field in wanted}
    fields = sorted(fields | set(TOKEN_FIELD.values()))
    columns = ["frame.protocols", "_ws.expert.severity", "_ws.expert.message", *fields]
    command = ["tshark", "-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    command += ["-o", "ipmi.dissect_bus_commands:TRUE"]
    for column in columns:
        command += ["-e", column]
    for (proto, name), dissector in DECODE_AS.items():
        for port in {e[2] for e in entries if (e[0], e[1]) == (proto, name)}:
            command += ["-d", f"{proto}.port=={port},{dissector}"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "payloads.pcap")
        frames = [
            frame(number, e[0], int(e[2]), bytes.fromhex(e[3])) for number, e in enumerate(entries)
        ]
        write_pcap(path, frames)
        run = subprocess.run(
            [*command, "-r", path], capture_output=True, text=True, check=False
        )
    if run.returncode:
        sys.exit(f"Bail out! tshark: {run.stderr}")
    return [dict(zip(columns, line.split("|"))) for line in run.stdout.splitlines()]


class Tap:
    count = failed = 0

    def __call__(self, good, what, *notes):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}")
        for note in [] if good else notes:
            print(f"#   {note}")


def complaints(entry, seen):
    protocol, wanted = KNOWN[entry[0], entry[1]]
    layers = seen["frame.protocols"].split(":")
    found = []
    if protocol not in layers:
        found.append(f"port {entry[2]}: {protocol} is not in {':'.join(layers)}")
    severities = [int(text) for text in seen["_ws.expert.severity"].split(",") if text]
    remarks = seen["_ws.expert.message"]
    remarked = max(severities, default=0) >= EXPERT_WARN and remarks != EXPECTED.get(tuple(entry[:2]))
    if "_ws.malformed" in layers or remarked:
        found.append(f"port {entry[2]}: malformed, or remarked upon: {remarks}")
    for field, value in wanted.items():
        if seen[field] != value:
            found.append(f"port {entry[2]}: {field} is {seen[field]}, not {value}")
    field = TOKEN_FIELD.get(entry[1]) if entry[0] == "udp" else None
    if field and not is_token(seen[field], entry[4]):
        found.append(f"port {entry[2]}: {field} is {seen[field]}, and the token {entry[4]}")
    return found


def is_token(text, token):
    """Whether a field has it: in hexadecimal, with 0x or colons or a text around it, or decimal."""
    if token in text.replace(":", "").lower() or bytes.fromhex(token) in text.encode():
        return True
    return text.isdigit() and int(text) == int(token, 16)


def check_tokens(tap, runs):
    """Where two runs differ, there is the token, and nothing else."""
    for rows in zip(*runs):
        if rows[0][0] != "udp":
            continue
        _, name, port, plain, token, _ = rows[0]
        bad = []
        for row in rows[1:]:
            a, b = bytes.fromhex(plain), bytes.fromhex(row[3])
            differ = [i for i, (x, y) in enumerate(zip(a, b)) if x != y]
            size = 0 if token == "-" else len(bytes.fromhex(token))
            if len(a) != len(b) or (differ and differ[-1] - differ[0] >= size):
                bad.append(f"port {port}: bytes {differ} differ")
            if size and not differ:
                bad.append(f"port {port}: the token {row[4]} changes nothing")
        tap(not bad, f"udp {name} {port}: tokens change their place alone", *bad)


def main():
    if not os.access(DUMP, os.X_OK):
        print(f"1..0 # SKIP no {DUMP}: build it first")
        return 77
    tap = Tap()
    runs = [dump(token) for token in TOKENS]
    names = {(row[0], row[1]) for row in runs[0] if row[3]}
    tap(names <= KNOWN.keys() | UNKNOWN, "this test knows all of them",
        sorted(names - KNOWN.keys() - UNKNOWN))

    # The first port of each with all tokens: where tshark knows the protocol it is by that one.
    for token, rows in zip(TOKENS, runs):
        first = {}
        for row in rows:
            key = (row[0], row[1])
            if row[3] and key in KNOWN and key not in UNKNOWN and key not in first:
                first[key] = row
        seen = dissect(list(first.values()))
        tap(len(seen) == len(first), f"token {token}: one line for each of {len(first)}")
        for entry, fields in zip(first.values(), seen):
            bad = complaints(entry, fields)
            tap(not bad, f"token {token}: {entry[0]} {entry[1]} is what it claims to be", *bad)
    check_tokens(tap, runs)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
