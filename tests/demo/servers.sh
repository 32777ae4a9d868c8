#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The second part of the demo: three real servers on a second host, found through a real DPDK port.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"

cat <<'TEXT'

prtip-dp demo, part 2 of 2: real servers
----------------------------------------
Two hosts made of network namespaces, joined by a virtual cable:

  scanner 198.19.0.1     --veth--  198.19.0.2 world, which owns 198.18.0.0/16
          2001:db8:ff::1           2001:db8:ff::2       and 2001:db8:0::/48

On `world` run an SSH server (dropbear), a DNS server (dnsmasq) and two web
servers (Python). We know the first 1,024 addresses to look at, no more.

TEXT

lab_routed
lab_v6
# As on any machine whose kernel has connections of its own beside the scan.
on scanner sysctl -qw net.ipv4.ip_local_reserved_ports=32768-49151
serve_ssh world 198.18.1.22 22
serve_dns world 198.18.2.53 53
serve_http world 198.18.3.80 8080
# What is merely routed to a host answers there, but cannot be bound to in IPv6.
ip -n world -6 address add 2001:db8:0::80/128 dev lo nodad
serve_http world 2001:db8:0::80 80
wait_listening world 22 53 80 8080

# The other scans of the demo: the table alone.
brief() { # ARGUMENTS, as shown
	echo "  \$ prtip-dp $*"
	on scanner "$PRTIP_DP" --quiet --rate 2k --set "dataplane.port=$port" --set scan.cooldown=1s \
		-o table:- "$@"
	echo
}

port=$(lab_ports veth0 | tail -n 1)
echo "The scan goes through DPDK's ${port%%:*} driver: 5,120 probes at 4,000 a second."
echo
echo "  \$ prtip-dp -p 22,53,80,443,8080 --rate 4k --set dataplane.port=$port \\"
echo "      198.18.0.0/22"
echo
on scanner "$PRTIP_DP" -p 22,53,80,443,8080 --rate 4k --set "dataplane.port=$port" \
	--set scan.cooldown=1s -o table:- -o ndjson:found.ndjson 198.18.0.0/22 || exit

cat <<'TEXT'

What the host itself says, for comparison (ss -ltn on `world`):

TEXT
on world ss -Hltn | awk '{ print "  " $1, $4 }' | sort

cat <<'TEXT'

A SYN scan never completes a connection, so the servers have not noticed it.
Now the kernel of `scanner` connects to each open port that was found:

TEXT
on scanner python3 - found.ndjson <<'PY'
import json, socket, struct, sys

ASK = {
    8080: b"GET / HTTP/1.0\r\n\r\n",
    53: struct.pack("!H", 29) + b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\3lab\7example\0\0\1\0\1",
}
for record in sorted(map(json.loads, open(sys.argv[1])), key=lambda record: record["ip"]):
    with socket.create_connection((record["ip"], record["port"]), 5) as connection:
        connection.sendall(ASK.get(record["port"], b""))
        answer = connection.recv(200)
    if record["port"] == 53:
        text = "lab.example is " + socket.inet_ntoa(answer[-4:])
    else:
        text = answer.split(b"\r\n")[0].decode()
    print(f"  {record['ip']:<12} {record['port']:<5} {text}")
PY

cat <<'TEXT'

And what the servers logged of it:

TEXT
sleep 0.3
grep -E '"GET|connection from|query' servers.log | cut -c1-76 | sed 's/^/  /'

cat <<'TEXT'

The other family and other questions work the same way. Which hosts are on the
link, which web servers have IPv6, and who answers DNS over UDP:

TEXT
brief -sn 198.19.0.0/28 2001:db8:ff::/124
brief -p 80,443 2001:db8::/120
brief -sU -p 53,123 198.18.2.0/24

cat <<'TEXT'
Done. The namespaces, servers and files of the demo are gone. Next:

  sudo build/prtip-dp 127.0.0.1 -p 1-65535        scan this machine
  build/prtip-dp --help                           and see README.md
TEXT
