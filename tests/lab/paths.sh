#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Where packets come from: several source addresses and prefixes, and ranges of source ports of any
# size. Where they go: gateways of both families that move, and link-local ones.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

# far NAME DEVICE OPTION...: far.py there, with its log in far.NAME.
far() {
	local name=$1
	rm -f "far.$name" "far.$name.out"
	ip netns exec "$1" python3 "$LAB_TOOLS/far.py" "$2" "far.$name" "${@:3}" \
		>"far.$name.out" 2>"far.$name.err" </dev/null &
	lab_pids="$lab_pids $!"
	until grep -q ready "far.$name.out" 2>/dev/null || ! kill -0 $!; do sleep 0.05; done
}

# evenly DESCRIPTION CAPTURE PORTS TRANSMISSIONS SOURCES...: what spread.py says of the capture.
evenly() {
	tap_import < <(python3 "$LAB_TOOLS/spread.py" sources "${@:2}" 2>&1 | sed -E "s/^(ok|not ok) - /&$1, /")
}

# --- Gateways that move ---------------------------------------------------------------------------

# Meanwhile, on machines of its own: both drivers at once, IPv4 by one gateway, IPv6 by its link-local
# address. A second after the first probe both get other hardware addresses, and say so to nobody.
lab_machine mover
lab_machine router
for n in 0 2; do
	lab_wire mover veth$n router veth$((n + 1))
done
for name in mover router; do
	on $name sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0
done
for n in 0 2; do
	on mover sysctl -qw net.ipv6.conf.veth$n.disable_ipv6=0
	on router sysctl -qw net.ipv6.conf.veth$((n + 1)).disable_ipv6=0
	ip -n mover address add 198.19.$n.1/24 dev veth$n
	ip -n router address add 198.19.$n.2/24 dev veth$((n + 1))
	ip -n mover address add 2001:db8:ff0$n::1/64 dev veth$n nodad
	ip -n router address add 2001:db8:ff0$n::2/64 dev veth$((n + 1)) nodad
	ip -n router address add fe80::1/64 dev veth$((n + 1)) nodad
done
ip -n router route add local 198.18.0.0/16 dev lo
ip -n router -6 route add local 2001:db8:0::/48 dev lo
second=af_packet:veth2
! lab_ports veth2 | grep -q af_xdp || second=af_xdp:veth2
for n in 1 3; do
	ip netns exec router tcpdump -i veth$n -Q in -n -p --immediate-mode -U -w moved.$n \
		'(tcp[13] == 2) or (ip6 proto 6 and ip6[53] == 2)' >/dev/null 2>&1 &
	lab_captures="${lab_captures:-} $!"
done
ip netns exec mover "$PRTIP_DP" --set dataplane.port0=af_packet:veth0 --set dataplane.port1=$second \
	--set dataplane.gateway0=198.19.0.2,fe80::1 --set dataplane.gateway1=198.19.2.2,fe80::1 \
	--set dataplane.source0=198.19.0.1,2001:db8:ff00::77 \
	--set dataplane.source1=198.19.2.1,2001:db8:ff02::77 --set scan.cooldown=1s \
	--rate 200 -p 80,81 -o ndjson:moved.ndjson -o summary:moved.sum 198.18.0.0/22 2001:db8:0::/118 \
	>moved.out 2>moved.err </dev/null &
moved_pid=$!
(
	for n in 1 3; do
		until [ "$(stat -c %s moved.$n 2>/dev/null || echo 0)" -gt 500 ]; do sleep 0.1; done
	done
	sleep 1
	for n in 1 3; do
		on router cat /sys/class/net/veth$n/address >old.$n
		ip -n router link set veth$n address 02:00:00:00:00:0$n
	done
) &

lab_routed
lab_v6
listen world 0.0.0.0 80 82 84
serve world python3 "$LAB_TOOLS/listen.py" :: 80 82 84
targets4=198.18.0.0/23 targets6=2001:db8:0::/119

# told OPEN CLOSED PREFIX...: what a host says on two ports, as `records` has it.
told() {
	python3 - "$@" <<'PY' | sort
import ipaddress, sys
for prefix in sys.argv[3:]:
    for ip in ipaddress.ip_network(prefix):
        print(ip, sys.argv[1], "tcp open syn-ack")
        print(ip, sys.argv[2], "tcp closed reset")
PY
}

# --- Several sources ------------------------------------------------------------------------------

# On the link: a prefix, a range and a single one. Beyond it: what the far side routes to us. And the
# kernel's own, all of them.
declare -A sources=(
	[list4]="198.19.0.64/29,198.19.0.100-198.19.0.104,198.19.0.120"
	[list6]="2001:db8:ff::40/125,2001:db8:ff::64-2001:db8:ff::68,2001:db8:ff::78"
	[routed4]=198.19.77.64/26 [routed6]=2001:db8:77::/64
	[owned4]=198.19.0.201-198.19.0.203 [owned6]=2001:db8:ff::201-2001:db8:ff::203
)
ip -n world route add "${sources[routed4]}" via $SCANNER_IP
ip -n world -6 route add "${sources[routed6]}" via $SCANNER_IP6
for n in 201 202 203; do
	ip -n scanner address add 198.19.0.$n/32 dev veth0
	ip -n scanner address add 2001:db8:ff::$n/128 dev veth0 nodad
done

neighbours() { # FAMILY WORDS...: how many of the addresses world knows by the port's hardware address
	ip -n world "-$1" neigh show dev veth1 | grep -c "$(mac_of scanner veth0)"
}

# Ports tell the scans apart that one capture has.
declare -A pair=([list]="80,81" [owned]="82,83" [routed]="84,85")
for port in $(lab_ports veth0); do
	driver=${port%%:*}
	capture_start world veth1 many.pcap \
		"(tcp[13] == 2 and dst net 198.18.0.0/16) or (ip6 proto 6 and ip6[53] == 2)"
	for case in list owned routed; do
		probes=1
		[ $case != list ] || probes=2
		ip -n world neigh flush all
		scan "$driver.$case" --set "dataplane.port=$port" \
			--set "dataplane.source=${sources[${case}4]},${sources[${case}6]}" \
			--set output.include_closed=yes --rate 5k --set scan.probes=$probes \
			--set scan.cooldown=400ms -p "${pair[$case]}" $targets4 $targets6
		# 8 + 5 + 1; IPv6 adds what the kernel says of its link-local addresses.
		known="$(neighbours 4) $(neighbours 6)"
		[ $case != list ] || tap_match "$driver: ARP and ND are answered for each of 14 ($known)" \
			"$known" '^1[45] 1[456]$'
		scan_status "$driver, $case: exit status" "$driver.$case" 0
		records "$driver.$case.ndjson" reason >got
		told "${pair[$case]%,*}" "${pair[$case]#*,}" $targets4 $targets6 >want
		tap_same "$driver, $case: each answer to each address is validated" got want
		tap_is "$driver, $case: none is rejected" "$(json "$driver.$case.sum" rejected)" 0
	done
	capture_stop
	for case in list owned routed; do
		probes=1
		[ $case != list ] || probes=2
		for name in ${case}4 ${case}6; do
			# shellcheck disable=SC2086 # a list of words
			evenly "$driver, $case" many.pcap "${pair[$case]}" $probes ${sources[$name]//,/ }
		done
	done

	scan "$driver.mixed" --set "dataplane.port=$port" \
		--set dataplane.source=198.19.0.201-198.19.0.204 -p 80 198.18.0.1
	scan_status "$driver: some of the kernel's, some not: exit status" "$driver.mixed" 2
	tap_match "$driver: and the words say so" "$(cat "$driver.mixed.err")" \
		"source.*this machine's own"

	# What comes to another of our addresses is no answer.
	far world veth1 open=none targets=$targets4,$targets6 lie=sources
	scan "$driver.forged" --set "dataplane.port=$port" \
		--set "dataplane.source=${sources[list4]},${sources[list6]}" --set scan.cooldown=400ms \
		--set output.include_closed=yes --rate 1k -p 80,81 198.18.0.0/25 2001:db8:0::/121
	kill "${lab_pids##* }"
	lab_pids=${lab_pids% *}
	records "$driver.forged.ndjson" reason >got
	told 80 81 198.18.0.0/25 2001:db8:0::/121 >want
	tap_same "$driver: answers to another of our addresses change nothing" got want
	tap_true "$driver: they are rejected ($(json "$driver.forged.sum" rejected))" \
		test "$(json "$driver.forged.sum" rejected)" -gt 200
done
# --- Source ports ---------------------------------------------------------------------------------

# From one port to all; few ports and several transmissions share them. Again ports tell the scans apart.
# spread_ports PORT:FIRST-LAST:TRANSMISSIONS...: scans of both, and of what one capture has of them.
spread_ports() {
	local row open=80 range probes
	capture_start world veth1 ports.pcap "tcp[13] == 2 and dst net 198.18.0.0/16"
	for row; do
		IFS=: read -r number range probes <<<"$row"
		scan "$driver.$range" --set "dataplane.port=$port" --set dataplane.source=$SPARE_IP \
			--set "dataplane.source_ports=$range" --set "scan.probes=$probes" --rate 5k \
			--set output.include_closed=yes --set scan.cooldown=300ms -p "$number,$open" $targets4
		records "$driver.$range.ndjson" reason >got
		told $open "$number" $targets4 >want
		tap_same "$driver: results, source ports $range, $probes transmissions" got want
	done
	capture_stop
	for row; do
		IFS=: read -r number range probes <<<"$row"
		tap_import < <(python3 "$LAB_TOOLS/spread.py" ports ports.pcap "$number" "$probes" "$range" 2>&1 |
			sed -E "s/^(ok|not ok) - /&$driver, /")
	done
}
for port in $(lab_ports veth0); do
	driver=${port%%:*}
	if [ "$driver" = af_packet ]; then
		spread_ports 91:40000-40000:1 92:40000-40001:3
	else
		spread_ports 91:40000-40000:1 93:1024-65535:1 94:1-65535:1
	fi
done

# --- And the gateways -----------------------------------------------------------------------------

status=0
wait $moved_pid || status=$?
tap_is "gateways that moved: exit status, as what went astray is named" $status 3 || tap_note_file moved.err
tap_match "gateways that moved: nothing else is lost" "$(cat moved.err)" '^  lost +[0-9,]+ next_hop_moved$'
# shellcheck disable=SC2086 # a list of words
kill -INT $lab_captures
for n in 1 3; do
	tap_import < <(python3 "$LAB_TOOLS/spread.py" moved moved.$n "$(cat old.$n)" 02:00:00:00:00:0$n)
done

tap_done
