#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A next hop that answers ARP late, never, or whose MAC address was given.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
listen world 0.0.0.0 80
listen world :: 80
truth world 198.18.0.0/25,2001:db8:0::/121 80,81 >want

deaf() { # the gateway answers no ARP request and no neighbour solicitation
	ip -n scanner neigh flush all
	on world nft -f - <<-'NFT'
		table arp deaf {
			chain input {
				type filter hook input priority 0
				arp operation request drop
			}
		}
		table ip6 deaf {
			chain input {
				type filter hook input priority 0
				icmpv6 type nd-neighbor-solicit drop
			}
		}
	NFT
}
hearing() {
	on world nft flush ruleset
}

for port in $(lab_ports veth0); do
	driver=${port%%:*}

	deaf
	scan_start "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 1k \
		-p 80,81 198.18.0.0/25 2001:db8:0::/121
	sleep 2.2
	hearing
	scan_wait
	scan_status "$driver: exit status, a gateway that answers after 2 s" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: results, a gateway that answers after 2 s" got want

	deaf
	capture_start world veth1 deaf.pcap "src host $SCANNER_IP and ip or src host $SCANNER_IP6 and tcp"
	scan "$driver" --set "dataplane.port=$port" --rate 1k -p 80,81 198.18.0.0/25 2001:db8:0::/121
	capture_stop
	scan_status "$driver: exit status, a gateway that never answers" "$driver" 1
	tap_match "$driver: the message names the gateway" "$(cat "$driver.err")" "198\.19\.0\.2"
	tap_is "$driver: nothing but ARP and ND was sent" "$(tcpdump -nr deaf.pcap 2>/dev/null | wc -l)" 0

	scan "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 1k \
		--set "dataplane.gateway_mac=$(mac_of world veth1)" -p 80,81 198.18.0.0/25 2001:db8:0::/121
	hearing
	scan_status "$driver: exit status, gateway_mac given" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: results, gateway_mac given" got want
done

tap_done
