#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the scanner reports equals what the far hosts know about themselves: through af_packet and
# af_xdp, behind a gateway and on the link, with every way in which a port can answer.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

compare() { # DESCRIPTION NAME TRUTH: results with include_closed, and without
	records "$2.ndjson" reason >got
	tap_same "$1" got "$3"
}

# --- Behind a gateway -----------------------------------------------------------------------------

lab_routed
lab_v6
serve_http world 0.0.0.0 80
serve_ssh world 198.18.1.22 22
serve_dns world 198.18.1.53 53
wait_listening world 80 22 53
listen world 0.0.0.0 81 82 83 84 85 443
listen world :: 80 81 82 83 84 85 443
listen world 2001:db8:0::122 22
# A router's own refusals; the kernel rations these, so they are few.
ip -n world route add prohibit 198.18.2.2/32 table local
ip -n world route add unreachable 198.18.2.3/32 table local
ip -n world route add blackhole 198.18.2.4/32 table local
ip -n world -6 route add prohibit 2001:db8:0::202 table local
ip -n world -6 route add unreachable 2001:db8:0::203 table local
ip -n world -6 route add blackhole 2001:db8:0::204 table local
on world sysctl -qw net.ipv6.conf.all.forwarding=1
on world sysctl -qw net.ipv4.ip_forward=1
on world nft -f - <<'NFT'
table ip filter {
	chain input {
		type filter hook input priority 0
		tcp dport 81 reject with icmp type port-unreachable
		tcp dport 82 reject with icmp type admin-prohibited
		tcp dport 83 reject with icmp type host-prohibited
		tcp dport 84 drop
		tcp dport 85 reject with tcp reset
		ip daddr 198.18.3.0/25 tcp dport 80 drop
		ip daddr 198.18.3.128/25 tcp dport 80 reject with icmp type host-unreachable
		ip daddr 198.18.3.200 tcp dport { 22, 53 } reject with icmp type net-unreachable
	}
}
table ip6 filter {
	chain input {
		type filter hook input priority 0
		tcp dport 81 reject with icmpv6 type port-unreachable
		tcp dport 82 reject with icmpv6 type admin-prohibited
		tcp dport 83 reject with icmpv6 type addr-unreachable
		tcp dport 84 drop
		tcp dport 85 reject with tcp reset
		ip6 daddr 2001:db8:0::300/121 tcp dport 80 drop
		ip6 daddr 2001:db8:0::380/121 tcp dport 80 reject with icmpv6 type no-route
	}
}
NFT

ports=22,53,80-86,443
both="198.18.0.0/23,198.18.3.128/26,2001:db8:0::100/121,2001:db8:0::340/122,2001:db8:0::380/122"
refused="198.18.2.2/31,198.18.2.4,2001:db8:0::202-2001:db8:0::204"
truth world "$both" $ports >want
truth world 198.18.2.2/31,198.18.2.4,2001:db8:0::202/127,2001:db8:0::204 22,80 >want.router
grep -v " closed " want >want.open

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	scan "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 20k \
		-p $ports "$both"
	scan_status "$driver, routed: exit status" "$driver" 0
	compare "$driver, routed: $(wc -l <want) answers equal the far host's truth" "$driver" want
	tap_is "$driver, routed: silent pairs are counted" \
		"$(json "$driver.sum" no_answer)" "$(((512 + 64 + 256) * 10 - $(wc -l <want)))"

	scan "$driver" --set "dataplane.port=$port" --rate 20k -p $ports "$both"
	compare "$driver, routed: without include_closed" "$driver" want.open

	scan "$driver" --set "dataplane.port=$port" --rate 20 -p 22,80 $refused
	compare "$driver, routed: refusals of a router on the way" "$driver" want.router
	tap_is "$driver, routed: and its silence" "$(json "$driver.sum" no_answer)" 4
done

# --- On the link ----------------------------------------------------------------------------------

lab_reset
lab_onlink
lab_v6
serve_http host1 0.0.0.0 8080
serve_ssh host2 0.0.0.0 22
serve_dns host3 198.19.0.13 53
listen host3 0.0.0.0 8080 9000
listen host1 :: 9000
listen host2 2001:db8:ff::12 53 80
wait_listening host1 8080
wait_listening host2 22
wait_listening host3 53
ports=22,53,80,8080,9000
for n in 1 2 3; do
	truth host$n 198.19.0.1$n,2001:db8:ff::1$n $ports
done | sort >want

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	scan "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 1k \
		-p $ports 198.19.0.8/29 2001:db8:ff::10/125
	scan_status "$driver, on the link: exit status" "$driver" 0
	compare "$driver, on the link: three hosts found among eight addresses of each family" \
		"$driver" want
	tap_is "$driver, on the link: who answers neither ARP nor ND is not sent to" \
		"$(json "$driver.sum" probes_sent) $(json "$driver.sum" arp unresolved)" "30 50"
done

tap_done
