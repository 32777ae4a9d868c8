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
ROUTE_VERDICTS = {
    "prohibit": ("filtered", "admin-prohibited"),
    "unreachable": ("filtered", "host-unreach"),
}
REASONS = {
    "port-unreachable": "port-unreach",
    "host-unreachable": "host-unreach",
    "net-unreachable": "net-unreach",
    "prot-unreachable": "proto-unreach",
    "admin-prohibited": "admin-prohibited",
    "host-prohibited": "host-prohibited",
    "net-prohibited": "net-prohibited",
}


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
    table = json.loads(run("ip", "-j", "-4", "route", "show", "table", "local"))
    result = [(ipaddress.ip_network(route["dst"]), route["type"]) for route in table]
    return sorted(result, key=lambda route: -route[0].prefixlen)


def listeners():
    """{port: set of addresses}; None in the set stands for all addresses."""
    ports = {}
    for line in run("ss", "-Hltn").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        address = address.split("%")[0]
        everything = address in ("0.0.0.0", "*", "[::]")
        if not everything and address.startswith("["):
            continue
        ports.setdefault(int(port), set()).add(
            None if everything else ipaddress.ip_address(address)
        )
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

    if left == {"protocol": "ip", "field": "daddr"}:
        return lambda ip, port: any(one(item, ip) for item in items)
    if left == {"protocol": "tcp", "field": "dport"}:
        return lambda ip, port: any(one(item, port) for item in items)
    raise ValueError(f"truth.py does not know the match {left}")


def filters():
    """[(predicates, verdict)] in order; verdict None is silence, else (state, reason)."""
    result = []
    for item in json.loads(run("nft", "-j", "list", "ruleset"))["nftables"]:
        rule = item.get("rule")
        if rule is None or rule["family"] != "ip" or rule["table"] != "filter":
            continue
        predicates, verdict = [], False
        for part in rule["expr"]:
            if "match" in part:
                predicates.append(matcher(part["match"]))
            elif "drop" in part:
                verdict = None
            elif "reject" in part:
                reject = part["reject"] or {}
                if reject.get("type") == "tcp reset":
                    verdict = ("closed", "reset")
                else:
                    verdict = ("filtered", REASONS[reject.get("expr", "port-unreachable")])
            else:
                raise ValueError(f"truth.py does not know {part}")
        if verdict is False:
            raise ValueError(f"no verdict in {rule}")
        result.append((predicates, verdict))
    return result


def main():
    table, open_ports, rules = routes(), listeners(), filters()
    ports = numbers(sys.argv[2])
    for ip in addresses(sys.argv[1]):
        kind = next((kind for network, kind in table if ip in network), None)
        if kind != "local" and kind not in ROUTE_VERDICTS:
            continue
        for port in ports:
            here = open_ports.get(port, ())
            verdict = ("open", "syn-ack") if None in here or ip in here else ("closed", "reset")
            if kind in ROUTE_VERDICTS:
                print(ip, port, "tcp", *ROUTE_VERDICTS[kind])
                continue
            for predicates, ruling in rules:
                if all(predicate(ip, port) for predicate in predicates):
                    verdict = ruling
                    break
            if verdict:
                print(ip, port, "tcp", *verdict)


if __name__ == "__main__":
    main()
