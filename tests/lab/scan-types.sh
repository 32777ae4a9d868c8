#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Each scan type, in both families, against a host with every kind of port and firewall: what this
# scanner says is what nmap says of the same host. nmap's own words are the truth here, for state and
# reason alike; `truth`, a file of what the host was told to do, guards against both being silent.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

command -v nmap >/dev/null || tap_skip_all "no nmap: install Debian's package"

HOST4=198.18.0.1
HOST6=2001:db8:0::1
ports=21,22,80-86
udp_ports=7,53,160-165,500

lab_routed
lab_v6
# An address of its own: a host answers from one that it merely routes to itself, but its ICMPv6 errors
# come from another.
ip -n world -6 address add $HOST6/128 dev lo nodad
serve_dns world $HOST4 53
listen world 0.0.0.0 22 80 81 82 83 84 85
serve world python3 "$LAB_TOOLS/listen.py" :: 22 80 81 82 83 84 85
ip netns exec world python3 "$LAB_TOOLS/world.py" udp:7 udp:164 udp:500 sctp:22 sctp:80 sctp:81 \
	sctp:82 sctp:83 sctp:84 >world.out 2>world.err </dev/null &
lab_pids="$lab_pids $!"
until grep -q ready world.out 2>/dev/null || ! kill -0 $!; do sleep 0.05; done
on world nft -f - <<'NFT'
table inet filter {
	chain input {
		type filter hook input priority 0
		meta l4proto { tcp, sctp } th dport 81 drop
		tcp dport 82 reject with tcp reset
		sctp dport 82 reject with icmpx type port-unreachable
		meta l4proto { tcp, sctp } th dport 83 reject with icmpx type port-unreachable
		meta l4proto { tcp, sctp } th dport 84 reject with icmpx type admin-prohibited
		meta l4proto { tcp, sctp } th dport 85 reject with icmpx type host-unreachable
		udp dport 161 drop
		udp dport 162 reject with icmpx type admin-prohibited
		udp dport 163 reject with icmpx type host-unreachable
		udp dport 165 reject with icmpx type no-route
	}
}
NFT

# All of nmap's scans side by side: most of their time is waiting.
nmap_types="syn:-sS:$ports ack:-sA:$ports window:-sW:$ports fin:-sF:$ports null:-sN:$ports xmas:-sX:$ports
	maimon:-sM:$ports udp:-sU:$udp_ports sctp:-sY:$ports"
nmap_pids=
for row in $nmap_types; do
	IFS=: read -r type flag list <<<"$row"
	for family in 4 6; do
		target=("$HOST4")
		[ $family = 4 ] || target=(-6 "$HOST6")
		ip netns exec scanner nmap -n -Pn "$flag" --reason -vv -p "$list" \
			--max-retries 1 --initial-rtt-timeout 300ms --max-rtt-timeout 500ms -oX "nmap.$type.$family" \
			"${target[@]}" >"nmap.$type.$family.log" 2>&1 </dev/null &
		nmap_pids="$nmap_pids $!"
	done
done
# shellcheck disable=SC2086 # a list of words
wait $nmap_pids

for row in $nmap_types; do
	IFS=: read -r type flag list <<<"$row"
	python3 "$LAB_TOOLS/nmapped.py" "nmap.$type.4" "nmap.$type.6" | sort >"want.$type"
	tap_true "nmap $flag heard something" test -s "want.$type" || tap_note_file "nmap.$type.4.log"
done

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	# Through af_packet the kernel holds our addresses, through af_xdp nobody does.
	source="$SCANNER_IP,$SCANNER_IP6"
	[ "$driver" = af_packet ] || source="$SPARE_IP,$SPARE_IP6"
	for row in $nmap_types; do
		IFS=: read -r type flag list <<<"$row"
		scan "$driver.$type" --set "dataplane.port=$port" --set "dataplane.source=$source" \
			--set output.include_closed=yes --rate 500 "$flag" -p "$list" $HOST4 $HOST6
		scan_status "$driver, $type: exit status" "$driver.$type" 0
		records "$driver.$type.ndjson" reason >"got.$type"
		tap_same "$driver, $type: $(wc -l <"want.$type") verdicts are nmap's" "got.$type" "want.$type"
		tap_is "$driver, $type: the rest is silence" "$(json "$driver.$type.sum" no_answer)" \
			$((18 - $(wc -l <"want.$type")))
	done
done
kill_all

# --- Hosts ----------------------------------------------------------------------------------------

# Hosts that each hear one kind of discovery probe only, and one that hears none.
lab_reset
lab_routed
lab_v6
listen world 0.0.0.0 443
serve world python3 "$LAB_TOOLS/listen.py" :: 443
on world nft -f - <<'NFT'
table inet filter {
	chain input {
		type filter hook input priority 0
		ip daddr 198.18.0.1 accept
		ip daddr 198.18.0.2 icmp type echo-request accept
		ip daddr 198.18.0.3 tcp dport 443 accept
		ip daddr 198.18.0.4 tcp dport 80 tcp flags ack accept
		ip daddr 198.18.0.5 icmp type timestamp-request accept
		ip6 daddr 2001:db8:0::1 accept
		ip6 daddr 2001:db8:0::2 icmpv6 type echo-request accept
		ip6 daddr 2001:db8:0::3 tcp dport 443 accept
		ip6 daddr 2001:db8:0::4 tcp dport 80 accept
		ip daddr 198.18.0.0/16 drop
		ip6 daddr 2001:db8:0::/48 drop
	}
}
NFT
hosts4=198.18.0.0/29
hosts6=2001:db8:0::/125
for family in 4 6; do
	hosts=("$hosts4")
	[ $family = 4 ] || hosts=(-6 "$hosts6")
	ip netns exec scanner nmap -n -sn --max-retries 1 -oX "nmap.sn.$family" "${hosts[@]}" \
		>/dev/null 2>&1 </dev/null &
	ip netns exec scanner nmap -n -sn -PE --max-retries 1 -oX "nmap.icmp.$family" "${hosts[@]}" \
		>/dev/null 2>&1 </dev/null &
done
wait_hosts() {
	local tries=0
	until [ "$(grep -l '</nmaprun>' nmap.sn.4 nmap.sn.6 nmap.icmp.4 nmap.icmp.6 2>/dev/null | wc -l)" = 4 ] ||
		[ $((tries += 1)) -gt 600 ]; do sleep 0.1; done
}
wait_hosts

ups() { # NAME: hosts that are up, as nmapped.py writes them
	python3 - "$1.ndjson" <<'PY' | sort
import json, sys
for line in open(sys.argv[1]):
    record = json.loads(line)
    if record["state"] == "up":
        assert "port" not in record, record
        print(record["ip"], "- - up")
PY
}

for way in sn icmp; do
	python3 "$LAB_TOOLS/nmapped.py" nmap.$way.4 nmap.$way.6 | sort >"want.$way"
done
tap_is "nmap -sn finds what hears one kind of probe" "$(wc -l <want.sn)" 9
for port in $(lab_ports veth0); do
	driver=${port%%:*}
	for way in sn icmp; do
		type=discovery
		[ $way = sn ] || type=icmp
		scan "$driver.$way" --set "dataplane.port=$port" --scan-type $type --rate 500 $hosts4 $hosts6
		scan_status "$driver, $type: exit status" "$driver.$way" 0
		ups "$driver.$way" >"got.$way"
		tap_same "$driver, $type: the hosts that nmap finds" "got.$way" "want.$way"
	done
done

# --- On the link ----------------------------------------------------------------------------------

lab_reset
lab_onlink
lab_v6
onlink4=198.19.0.8/29
onlink6=2001:db8:ff::10/125
# Hosts that drop all IP still have to answer ARP and neighbour solicitations.
for n in 1 2; do
	on host$n nft -f - <<'NFT'
table inet filter {
	chain input {
		type filter hook input priority 0
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		drop
	}
}
NFT
done
printf '%s - - up\n' 198.19.0.11 198.19.0.12 198.19.0.13 | sort >want.arp
printf '%s - - up\n' 2001:db8:ff::11 2001:db8:ff::12 2001:db8:ff::13 | sort >want.ndp
sort want.arp want.ndp >want.discovery
ip netns exec scanner nmap -n -sn -oX nmap.link.4 $onlink4 >/dev/null 2>&1 </dev/null
ip netns exec scanner nmap -6 -n -sn -oX nmap.link.6 $onlink6 >/dev/null 2>&1 </dev/null
python3 "$LAB_TOOLS/nmapped.py" nmap.link.4 nmap.link.6 | sort >nmap.link
tap_same "on the link: nmap finds the hosts that are there" nmap.link want.discovery

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	for row in arp:$onlink4 ndp:$onlink6 discovery:$onlink4,$onlink6; do
		type=${row%%:*}
		scan "$driver.$type" --set "dataplane.port=$port" --scan-type "$type" --rate 500 \
			"${row#*:}"
		scan_status "$driver, $type: exit status" "$driver.$type" 0
		ups "$driver.$type" >"got.$type"
		tap_same "$driver, $type: the hosts on the link" "got.$type" "want.$type"
	done
	for row in arp:$SPARE_IP/$onlink4 ndp:$SPARE_IP6/$onlink6; do
		type=${row%%:*}
		row=${row#*:}
		scan "$driver.$type" --set "dataplane.port=$port" --set "dataplane.source=${row%%/*}" \
			--scan-type "$type" --rate 500 "${row#*/}"
		ups "$driver.$type" >"got.$type"
		tap_same "$driver, $type from an address of our own" "got.$type" "want.$type"
	done
done

tap_done
