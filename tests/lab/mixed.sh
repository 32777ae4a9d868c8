#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several types in one run over a wire: the far side sees each pair of each protocol exactly once, with
# right checksums, and what real servers there answer makes the records.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

command -v tshark >/dev/null || tap_skip_all "no tshark: install Debian's package"
command -v dnsmasq >/dev/null || tap_skip_all "no dnsmasq: install Debian's package"

lab_routed
lab_v6
# ICMPv6 errors come from the host itself only where the address is an interface's.
for n in {0..7}; do ip -n world -6 address add 2001:db8:0::"$n"/128 dev lo nodad; done
serve_dns world 198.18.0.1 53
listen world 0.0.0.0 80
serve world python3 "$LAB_TOOLS/listen.py" :: 80
ip netns exec world python3 "$LAB_TOOLS/datagrams.py" answered 198.18.0.2-123-ntp \
	2001:db8:0::3-123-ntp >servers.out 2>servers.err </dev/null &
lab_pids="$lab_pids $!"
until grep -q ready servers.out 2>/dev/null || ! kill -0 $!; do sleep 0.05; done

hosts=(198.18.0.0/29 2001:db8:0::/125)
what=(-sS -sU -sY -p "80,T:22,U:53,123,S:132")
"$PRTIP_DP" --set dataplane.port=sim "${what[@]}" "${hosts[@]}" --list-targets | sort >pairs

# What is there, but for SCTP, which the world's kernel may know or not.
python3 - <<'PY' >want
import ipaddress
for net in "198.18.0.0/29", "2001:db8::/125":
    for host in ipaddress.ip_network(net):
        print(host, 80, "tcp open syn-ack")
        print(host, 22, "tcp closed reset")
        for port in 53, 80, 123:
            served = (str(host), port) in {("198.18.0.1", 53), ("198.18.0.2", 123), ("2001:db8::3", 123)}
            print(host, port, "udp", "open udp-response" if served else "closed port-unreach")
PY
sort -o want want

# Probes out of a capture, as `ip port proto` and whether their checksums are right.
probes() { # FILE SOURCE4 SOURCE6
	tshark -r "$1" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-o sctp.checksum:CRC-32c -T fields -E separator=, \
		-e ip.dst -e ipv6.dst -e tcp.dstport -e udp.dstport -e sctp.dstport \
		-e ip.checksum.status -e tcp.checksum.status -e udp.checksum.status -e sctp.checksum.status \
		-Y "(ip.src == $2 || ipv6.src == $3) && !icmp && !icmpv6
			&& (tcp.flags == 0x002 || udp || sctp.chunk_type == 1)" 2>/dev/null |
		python3 -c '
import sys
for line in sys.stdin:
    v4, v6, tcp, udp, sctp, *sums = line.strip().split(",")
    proto = "tcp" if tcp else "udp" if udp else "sctp"
    good = [s for s in sums if s] == (["1", "1"] if v4 else ["1"])
    print(v4 or v6, tcp or udp or sctp, proto, "" if good else f"checksums {sums}")
' | sed 's/ $//'
}

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	source4=$SCANNER_IP source6=$SCANNER_IP6
	[ "$driver" = af_packet ] || { source4=$SPARE_IP source6=$SPARE_IP6; }
	capture_start world veth1 wire.pcap "src host $source4 or src host $source6"
	scan mixed --set "dataplane.port=$port" --set "dataplane.source=$source4,$source6" --rate 300 \
		--set output.include_closed=yes "${what[@]}" "${hosts[@]}"
	capture_stop
	scan_status "$driver: exit status" mixed 0
	tap_is "$driver: the capture is whole" "$capture_dropped" 0
	probes wire.pcap "$source4" "$source6" | sort >seen
	tap_same "$driver: each pair is probed exactly once, with right checksums" seen pairs
	records mixed.ndjson reason | grep -v ' sctp ' >got
	tap_same "$driver: what TCP and UDP servers answer, and closed ports" got want
	# An IPv6 kernel that knows no SCTP says so in a way that is no answer.
	tap_is "$driver: each IPv4 pair of SCTP has its answer too" \
		"$(records mixed.ndjson | grep -v : | grep -c ' sctp ')" \
		"$(grep -v : pairs | grep -c ' sctp$')"
	tap_is "$driver: nothing was rejected" "$(json mixed.sum rejected)" 0
	tap_is "$driver: the rest is silent" "$(json mixed.sum no_answer)" \
		$(($(wc -l <pairs) - $(wc -l <mixed.ndjson)))
done

tap_done
