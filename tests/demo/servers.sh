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
What runs there? A banner scan says hello to each open port, from an address
that no kernel holds, and names what answers:

TEXT
echo "  \$ prtip-dp -p 22,53,80,8080 --set banner.enable=on \\"
echo "      --set dataplane.source=$SPARE_IP 198.18.0.0/22"
echo
on scanner "$PRTIP_DP" --quiet -p 22,53,80,8080 --rate 4k --set "dataplane.port=$port" \
	--set "dataplane.source=$SPARE_IP" --set scan.cooldown=1s --set banner.enable=on \
	--set banner.wait=2s -o table:- 198.18.0.0/22

cat <<'TEXT'

Plugins look closer: http-enum asks web servers for well-known paths, ssh-hostkey
gets the keys of SSH servers, dns-version asks name servers who they are.

TEXT
echo "  \$ prtip-dp -p 22,53,8080 --plugin http-enum --plugin ssh-hostkey \\"
echo "      --plugin dns-version -o ndjson:closer.ndjson 198.18.1.22 198.18.2.53 ..."
echo
mkdir -p www/admin
echo 'User-agent: *' >www/robots.txt
echo '<title>Sign in</title>' >www/admin/index.html
HOME=$LAB on scanner "$PRTIP_DP" --quiet -p 22,53,8080 --rate 2k --set "dataplane.port=$port" \
	--set scan.cooldown=1s --plugin http-enum --plugin ssh-hostkey --plugin dns-version \
	--plugin-arg http-enum.delay=0 -o ndjson:closer.ndjson 198.18.1.22 198.18.2.53 198.18.3.80
python3 - closer.ndjson <<'PY'
import json, sys

for record in sorted(map(json.loads, open(sys.argv[1])), key=lambda record: record["ip"]):
    said = {name: plugin.get("results", {}) for name, plugin in record["plugins"].items()}
    found = [f"{p['path']}: {p['status']} {p.get('title', '')}" for p in said.get("http-enum", {}).get("paths", [])]
    found += [f"{k['type']} {k['sha256'][:37]}..." for k in said.get("ssh-hostkey", {}).get("host_keys", [])]
    found += [f"weak: {w['algorithm']}, {w['why']}" for w in said.get("ssh-hostkey", {}).get("weak", [])]
    found += [f"{k}: {v}" for k, v in said.get("dns-version", {}).get("texts", {}).items()]
    for line in found:
        print(f"  {record['ip']:<12} {line}")
PY

cat <<'TEXT'

And what the servers logged of it:

TEXT
sleep 0.3
grep -E '"(GET|HEAD) /(admin|robots)|connection from|query.*version.bind' servers.log | sort -u | head -n 6 |
	cut -c1-76 | sed 's/^/  /'

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
