#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""truth.py ADDRESSES PORTS: what this machine itself knows of its TCP ports.

Reads the machine's own addresses (`ip`), listening sockets (`ss`) and the rules of its `filter`
table (`nft`), never the scanner. Prints one `ip port tcp state reason` line for each pair that has
to answer a SYN; pairs that stay silent are left out. Reasons are nmap's words.
"""

import ipaddress
import json
import subprocess
import sys

# How a router refuses: the types of route for which the kernel sends an ICMP error itself.
# In IPv6 "unreachable" is no route at all (RFC 4443 3.1, code 0). A blackhole is silent.
ROUTE_VERDICTS = {
    4: {
        "prohibit": ("filtered", "admin-prohibited"),
        "unreachable": ("filtered", "host-unreach"),
        "blackhole": None,
    },
    6: {
        "prohibit": ("filtered", "admin-prohibited"),
        "unreachable": ("filtered", "no-route"),
        "blackhole": None,
    },
}
# What `reject with icmp` and `icmpv6` are called.
REASONS = {
    "port-unreachable": "port-unreach",
    "host-unreachable": "host-unreach",
    "net-unreachable": "net-unreach",
    "prot-unreachable": "proto-unreach",
    "admin-prohibited": "admin-prohibited",
    "host-prohibited": "host-prohibited",
    "net-prohibited": "net-prohibited",
    "no-route": "no-route",
    "addr-unreachable": "host-unreach",
}
# And `reject with icmpx` in IPv6.
REASONS_X6 = {
    "port-unreachable": "port-unreach",
    "host-unreachable": "host-unreach",
    "admin-prohibited": "admin-prohibited",
    "no-route": "no-route",
}
REASONS_X4 = dict(REASONS, **{"no-route": "net-unreach"})


ACCEPT = "accept"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def numbers(text):
    """22,80-82 as a list."""
    result = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        result += range(int(first), int(last or first) + 1)
    return result


def addresses(text):
    """Comma separated addresses and prefixes, every address of a prefix."""
    for part in text.split(","):
        yield from ipaddress.ip_network(part)


def routes():
    """What this machine answers for, the `local` routing table: [(network, type)], longest first."""
    result = []
    for family in ("-4", "-6"):
        table = json.loads(run("ip", "-j", family, "route", "show", "table", "local"))
        result += [(ipaddress.ip_network(route["dst"]), route["type"]) for route in table]
    return sorted(result, key=lambda route: -route[0].prefixlen)


def listeners():
    """{port: set of addresses}; a family's version in the set stands for all its addresses."""
    ports = {}
    everything = {"0.0.0.0": {4}, "[::]": {6}, "*": {4, 6}}
    for line in run("ss", "-Hltn").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        address = address.split("%")[0]
        here = everything.get(address) or {ipaddress.ip_address(address.strip("[]"))}
        ports.setdefault(int(port), set()).update(here)
    return ports


def matcher(expression):
    """A predicate on (ip, port) for one `match` of a rule."""
    left, right = expression["left"]["payload"], expression["right"]
    if expression["op"] != "==":
        raise ValueError(f"truth.py does not know the operator in {expression}")
    items = right["set"] if isinstance(right, dict) and "set" in right else [right]

    def one(item, value):
        if isinstance(item, dict) and "prefix" in item:
            prefix = item["prefix"]
            return value in ipaddress.ip_network(f"{prefix['addr']}/{prefix['len']}")
        if isinstance(item, dict) and "range" in item:
            first, last = item["range"]
            return type(value)(first) <= value <= type(value)(last)
        return type(value)(item) == value

    for version, protocol in ((4, "ip"), (6, "ip6")):
        if left == {"protocol": protocol, "field": "daddr"}:
            return lambda ip, port: ip.version == version and any(one(item, ip) for item in items)
    if left == {"protocol": "tcp", "field": "dport"}:
        return lambda ip, port: any(one(item, port) for item in items)
    raise ValueError(f"truth.py does not know the match {left}")


def refusal(reject):
    """{family's version: (state, reason)} of a `reject`."""
    if reject.get("type") == "tcp reset":
        return {4: ("closed", "reset"), 6: ("closed", "reset")}
    word = reject.get("expr", "port-unreachable")
    tables = {"icmp": {4: REASONS}, "icmpv6": {6: REASONS}}
    table = tables.get(reject.get("type"), {4: REASONS_X4, 6: REASONS_X6})
    return {version: ("filtered", words[word]) for version, words in table.items()}


def filters():
    """[(predicates, verdict)] in order; verdict None is silence, else by refusal()."""
    result = []
    for item in json.loads(run("nft", "-j", "list", "ruleset"))["nftables"]:
        rule = item.get("rule")
        if rule is None or rule["family"] not in ("ip", "ip6", "inet") or rule["table"] != "filter":
            continue
        predicates, verdict = [], False
        for part in rule["expr"]:
            if "match" in part:
                predicates.append(matcher(part["match"]))
            elif "drop" in part:
                verdict = None
            elif "reject" in part:
                verdict = refusal(part["reject"] or {})
            elif "accept" in part:
                verdict = ACCEPT
            else:
                raise ValueError(f"truth.py does not know {part}")
        if verdict is False:
            raise ValueError(f"no verdict in {rule}")
        result.append((predicates, verdict))
    return result


def answer(ip, port, here, rules):
    """What the machine says to a SYN; None for nothing."""
    verdict = ("open", "syn-ack") if ip.version in here or ip in here else ("closed", "reset")
    for predicates, ruling in rules:
        # A rule with `reject with icmp` in an inet table holds for that family alone.
        if isinstance(ruling, dict) and ip.version not in ruling:
            continue
        if all(predicate(ip, port) for predicate in predicates):
            if ruling == ACCEPT:
                return verdict
            return ruling[ip.version] if ruling else None
    return verdict


def main():
    table, open_ports, rules = routes(), listeners(), filters()
    ports = numbers(sys.argv[2])
    for ip in addresses(sys.argv[1]):
        kind = next((kind for network, kind in table if ip in network), None)
        refused = ROUTE_VERDICTS[ip.version]
        if kind != "local" and kind not in refused:
            continue
        for port in ports:
            if kind == "local":
                verdict = answer(ip, port, open_ports.get(port, ()), rules)
            else:
                verdict = refused[kind]
            if verdict:
                print(ip, port, "tcp", *verdict)


if __name__ == "__main__":
    main()
