#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A flood of forged answers changes nothing in the results: what comes with the right addresses and
# ports but without our cookie is counted as rejected. Every scan type, both families; and on the link
# neighbours who claim what is not theirs.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

# Forgeries of all kinds at once, from NAME's DEVICE against the scanner's ADDRESSES about TARGETS.
flood_start() { # NAME DEVICE ADDRESSES TARGETS PORTS RATE [KINDS]
	ip netns exec "$1" python3 "$LAB_TOOLS/forge.py" "$2" "$(mac_of scanner veth0)" \
		"$3" "$4" "$5" 32768-49151 100 "$6" "${@:7}" >>forge.log 2>&1 &
	forger=$!
	sleep 0.7
}

flood_stop() {
	kill $forger 2>/dev/null
	wait $forger 2>/dev/null
}

rejected_at_least() { # DESCRIPTION NAME NUMBER
	local rejected
	rejected=$(json "$2.sum" rejected)
	tap_true "$1: forgeries are counted as rejected ($rejected)" \
		test "${rejected%%[!0-9]*}" -gt "$3"
}

# --- A scan of many hosts ---------------------------------------------------------------------------

lab_routed
lab_v6
listen world 0.0.0.0 80
listen world 198.18.0.7 443
listen world :: 80
listen world 2001:db8:0::7 443
# Silence from the rest of the prefixes, so that a forgery believed would show.
on world nft -f - <<'NFT'
table inet filter {
	chain input {
		type filter hook input priority 0
		tcp dport { 22, 8080 } drop
		ip daddr 198.18.0.64/26 tcp dport { 80, 443 } drop
		ip6 daddr 2001:db8:0::40/122 tcp dport { 80, 443 } drop
	}
}
NFT
ports=22,80,443,8080
both="198.18.0.0/25,2001:db8:0::/121"
truth world "$both" $ports >want

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	flood_start world veth1 $SCANNER_IP,$SCANNER_IP6 $both $ports 20000
	scan "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 1k \
		-p $ports "$both"
	flood_stop
	scan_status "$driver: exit status under a flood" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: $(wc -l <want) results under a flood equal the truth" got want
	rejected_at_least "$driver" "$driver" 5000
done

# --- Every type -------------------------------------------------------------------------------------

# One host that is heard; the others would answer only where a forgery is believed.
HOST4=198.18.0.1
HOST6=2001:db8:0::1
ip -n world -6 address add $HOST6/128 dev lo nodad
on world nft -f - <<NFT
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority 0
		ip daddr 198.18.0.0/16 ip daddr != $HOST4 drop
		ip6 daddr 2001:db8:0::/48 ip6 daddr != $HOST6 drop
	}
}
NFT
ip netns exec world python3 "$LAB_TOOLS/world.py" udp:53 sctp:53 >world.out 2>world.err </dev/null &
lab_pids="$lab_pids $!"
until grep -q ready world.out 2>/dev/null || ! kill -0 $!; do sleep 0.05; done
serve_ssh world $HOST4 123
serve_ssh world "[$HOST6]" 123
wait_listening world 123

pairs() { # PROTO STATE REASON PORT...: of both hosts
	local host one
	for host in $HOST4 2001:db8::1; do
		for one in "${@:4}"; do
			echo "$host $one $1 $2 $3"
		done
	done
}

ports="53,123,161"
both="198.18.0.0/25,2001:db8:0::/121"
for port in $(lab_ports veth0); do
	driver=${port%%:*}
	source="$SCANNER_IP,$SCANNER_IP6"
	# Halves of the types for each driver: all of them take the same way through either.
	types="syn ack fin null udp"
	if [ "$driver" = af_xdp ]; then
		source="$SPARE_IP,$SPARE_IP6"
		types="window xmas maimon sctp icmp discovery banners"
	fi
	flood_start world veth1 "$source" $both $ports 5000
	for type in $types; do
		arguments=(--scan-type "$type" -p "$ports")
		case $type in
		syn | banners)
			{
				pairs tcp open syn-ack 123
				pairs tcp closed reset 53 161
			} >want.rest
			[ "$type" = syn ] || arguments=(-sS -p "$ports" --set banner.enable=on
				--set banner.wait=2s)
			;;
		ack) pairs tcp unfiltered reset 53 123 161 >want.rest ;;
		# Linux resets FIN with ACK from open ports, too.
		window | maimon) pairs tcp closed reset 53 123 161 >want.rest ;;
		udp)
			{
				pairs udp open udp-response 53
				pairs udp closed port-unreach 123 161
			} >want.rest
			;;
		sctp)
			{
				pairs sctp open init-ack 53
				pairs sctp closed abort 123 161
			} >want.rest
			;;
		icmp | discovery)
			pairs icmp up echo-reply - >want.rest
			arguments=(--scan-type "$type")
			;;
		*) pairs tcp closed reset 53 161 >want.rest ;;
		esac
		sort want.rest >want
		scan "$type" --set "dataplane.port=$port" --set "dataplane.source=$source" \
			--set output.include_closed=yes --rate 1k "${arguments[@]}" "$both"
		scan_status "$driver, $type: exit status under a flood" "$type" 0
		records "$type.ndjson" reason >got
		tap_same "$driver, $type: results under a flood equal the truth" got want
		rejected_at_least "$driver, $type" "$type" 1000
	done
	flood_stop
done
if [ -e banners.ndjson ]; then
	tap_is "banners: those of the servers alone" "$(grep -cE '"banner(":"SSH-2.0|_hex":"5353482d322e30)' banners.ndjson)" 2
	tap_is "banners: no forged word" "$(grep -c forged banners.ndjson)" 0
fi
tap_true "the forger had nothing to complain of" test ! -s forge.log || tap_note_file forge.log

# --- On the link ------------------------------------------------------------------------------------

lab_reset
lab_onlink
lab_v6
for n in 1 2 3; do
	listen host$n 0.0.0.0 80
	serve host$n python3 "$LAB_TOOLS/listen.py" :: 80
done
sleep 0.5
both="198.19.0.11-198.19.0.13,2001:db8:ff::11-2001:db8:ff::13"
for n in 1 2 3; do
	truth host$n 198.19.0.1$n,2001:db8:ff::1$n 22,80,443,1000-1060
done | sort >want

# From the bridge claims that each host is elsewhere, once the scan knows better. Of the six hosts it asks
# one again every ten seconds: who answers stays where he is.
port=af_packet:veth0
scan_start link --set dataplane.port=$port --set output.include_closed=yes --rate 30 \
	-p 22,80,443,1000-1060 $both
for _ in $(seq 100); do
	[ "$(on world cat /sys/class/net/host1/statistics/tx_packets)" -gt 40 ] && break
	sleep 0.1
done
# The scanner's kernel believes such claims, and resets what the flood begins: only SYNs are ours.
capture_start world veth1 link.pcap \
	"ether dst 02:00:00:00:00:66 and (tcp[13] == 2 or (ip6 and ip6[53] == 2))"
flood_start world veth1 $SCANNER_IP,$SCANNER_IP6 198.19.0.8/29,2001:db8:ff::10/125 22,80 2000 link,tcp
scan_wait
flood_stop
capture_stop
scan_status "on the link: exit status under a flood" link 0
records link.ndjson reason >got
tap_same "on the link: results under claims to hosts' addresses equal the truth" got want
tap_is "on the link: nothing went where the claims said" \
	"$(tcpdump -nr link.pcap 2>/dev/null | wc -l)" 0

# Claims about addresses that were not asked for, and advertisements that say they answer no question.
for type in arp:198.19.0.8/29:198.19.0.128/25 ndp:2001:db8:ff::10/125:2001:db8:ff::8000/120; do
	target=${type#*:}
	case $type in
	arp*) source=$SCANNER_IP target=${target%:*} claimed=${type##*:} ;;
	*) source=$SCANNER_IP6 target=2001:db8:ff::10/125 claimed=2001:db8:ff::8000/120 ;;
	esac
	type=${type%%:*}
	flood_start world veth1 $source "$claimed" 22 5000 link
	scan "$type" --set dataplane.port=$port --set scan.dedup=window --scan-type "$type" --rate 100 \
		"$target"
	flood_stop
	# Forged answers that cannot be told from genuine ones go all the way; a slow machine loses some, and says so.
	tap_match "$type: exit status under a flood" "$status" '^[03]$' || tap_note_file "$type.err"
	tap_is "$type: the three hosts and nobody else" "$(records "$type.ndjson" | cut -d' ' -f1 | xargs)" \
		"$(grep ' 80 ' want | cut -d' ' -f1 | grep -F "${source%%[.:]*}" | sort | xargs)"
done

tap_done
