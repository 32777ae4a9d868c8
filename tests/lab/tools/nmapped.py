#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""nmapped.py FILE.xml...: what nmap heard, as `ip port proto state reason` lines, or `ip - - up` for hosts.

Left out is what nmap concludes from silence: this scanner makes no record of it.
"""

import sys
import xml.etree.ElementTree as tree


def address(host):
    for entry in host.iter("address"):
        if entry.get("addrtype") in ("ipv4", "ipv6"):
            return entry.get("addr")
    return "?"


def lines(path):
    for host in tree.parse(path).getroot().iter("host"):
        ports = list(host.iter("port"))
        if not ports and host.find("ports") is None:
            if host.find("status").get("state") == "up":
                yield f"{address(host)} - - up"
            continue
        for port in ports:
            state = port.find("state")
            if state.get("reason") != "no-response":
                yield " ".join((address(host), port.get("portid"), port.get("protocol"),
                                state.get("state"), state.get("reason")))


def main():
    for path in sys.argv[1:]:
        for line in lines(path):
            print(line)


if __name__ == "__main__":
    main()
