#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several ports at once, each with source, gateways and VLAN of its own; several queues of one port; and
# a device that completes checksums.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

# --- Checksums ------------------------------------------------------------------------------------

# A TAP whose far side is the kernel: DPDK's driver says that it completes and verifies checksums. One
# machine a scan type, two at once.
tap_targets=(198.18.0.0/27 2001:db8:0::/123)
tap_start() { # TYPE
	local type=$1 name=tap-$1
	lab_machine "$name"
	on "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
		net.ipv6.icmp.ratelimit=0
	ip -n "$name" tuntap add dev tap0 mode tap multi_queue
	ip -n "$name" link set tap0 up
	ip -n "$name" address add $WORLD_IP/24 dev tap0
	ip -n "$name" address add $WORLD_IP6/64 dev tap0 nodad
	ip -n "$name" route add local 198.18.0.0/16 dev lo
	ip -n "$name" -6 route add local 2001:db8:0::/48 dev lo
	for address in 0.0.0.0 ::; do
		serve "$name" python3 "$LAB_TOOLS/listen.py" $address 80
	done
	ip netns exec "$name" tcpdump -i tap0 -n -p --immediate-mode -U -w "$name.pcap" >/dev/null 2>&1 </dev/null &
	tap_captures[$type]=$!
	until [ -s "$name.pcap" ]; do sleep 0.05; done
	# Its queues come in pairs, also where more lcores receive than send.
	local lcores=()
	[ "$type" != ack ] || lcores=(--set dataplane.tx_lcores=1 --set dataplane.rx_lcores=2)
	ip netns exec "$name" "$PRTIP_DP" --set dataplane.port=net_tap0,iface=tap0 "${lcores[@]}" \
		--set dataplane.source=$SPARE_IP,$SPARE_IP6 \
		--set dataplane.gateway=$WORLD_IP,$WORLD_IP6 --set scan.cooldown=1s --scan-type "$type" \
		--set output.include_closed=yes --rate 500 -o "ndjson:$name.ndjson" -p 53,80 \
		"${tap_targets[@]}" >"$name.out" 2>"$name.err" </dev/null &
	tap_pids[$type]=$!
	# The driver gives the kernel's side its own hardware address; what comes from there would be ours.
	(
		while kill -0 "${tap_pids[$type]}" 2>/dev/null; do
			[ "$(mac_of "$name" tap0)" = 02:00:00:00:00:99 ] ||
				ip -n "$name" link set tap0 address 02:00:00:00:00:99
			sleep 0.1
		done
	) 2>/dev/null &
}

# What Linux says to a scan of that type: on an open port, on a closed one.
declare -A tap_says=(
	[syn]="open:syn-ack closed:reset" [ack]="unfiltered:reset unfiltered:reset"
	[window]="closed:reset closed:reset" [fin]="- closed:reset" [null]="- closed:reset"
	[xmas]="- closed:reset" [maimon]="closed:reset closed:reset"
	[udp]="closed:port-unreach closed:port-unreach"
)
tap_want() { # TYPE
	python3 - "$1" "${tap_says[$1]}" "${tap_targets[@]}" <<'PY' | sort
import ipaddress, sys
proto = "udp" if sys.argv[1] == "udp" else "tcp"
for prefix in sys.argv[3:]:
    for ip in ipaddress.ip_network(prefix):
        for port, says in zip((80, 53), sys.argv[2].split()):
            # To an address that it merely routes to itself Linux answers, but its ICMPv6 errors come from
            # another, and could be a router's.
            if proto == "udp" and ":" in prefix:
                says = "filtered:port-unreach"
            if says != "-":
                print(ip, port, proto, *says.split(":"))
PY
}

tap_end() { # TYPE
	local type=$1 name=tap-$1 sent
	status=0
	wait "${tap_pids[$type]}" || status=$?
	kill -INT "${tap_captures[$type]}"
	wait "${tap_captures[$type]}"
	scan_status "checksums by the device, $type: exit status" "$name" 0
	records "$name.ndjson" reason >got
	tap_want "$type" >want
	tap_same "checksums by the device, $type: results" got want
	sent=$(tcpdump -vvnr "$name.pcap" "src host $SPARE_IP or src host $SPARE_IP6" 2>/dev/null)
	tap_true "checksums by the device, $type: right on the wire in each frame" test \
		"$(grep -cE '\(correct\)|udp sum ok' <<<"$sent")" -ge 128 -a \
		"$(grep -cE 'incorrect|bad (udp )?cksum' <<<"$sent")" -eq 0
}

declare -A tap_pids=() tap_captures=()
for types in "syn ack" "window fin" "null xmas" "maimon udp"; do
	for type in $types; do
		tap_start "$type"
	done
	for type in $types; do
		tap_end "$type"
	done
done
lab_reset

# --- Several ports --------------------------------------------------------------------------------

# Two far ends with the same prefixes behind gateways of their own. Port 0 is on a VLAN, port 1 is not;
# port 0 has several sources.
lab_machine scanner
lab_machine world
lab_machine world2
lab_wire scanner veth0 world veth1
lab_wire scanner veth2 world2 veth3
far() { # NAME DEVICE OPTION...
	local name=$1 device=$2
	rm -f "far.$name" "far.$name.out"
	ip netns exec "$name" python3 "$LAB_TOOLS/far.py" "$device" "far.$name" \
		targets=198.18.0.0/16,2001:db8:0::/48 "${@:3}" >"far.$name.out" 2>"far.$name.err" </dev/null &
	lab_pids="$lab_pids $!"
	until grep -q ready "far.$name.out" 2>/dev/null || ! kill -0 $!; do sleep 0.05; done
}

targets=(198.18.0.0/24 2001:db8:0::/120)
ports="80,81"
python3 - "${targets[@]}" >want.all <<'PY'
import ipaddress, sys
for prefix in sys.argv[1:]:
    for ip in ipaddress.ip_network(prefix):
        print(ip, "80 tcp open syn-ack")
        print(ip, "81 tcp closed reset")
PY
sort want.all >want
cut -d' ' -f1,2 want.all | sort >want.pairs
common=(--set scan.cooldown=500ms --rate 2k --set output.include_closed=yes -p "$ports" "${targets[@]}")
of_ports() { # PORT0 PORT1: what both have in common
	settings=(--set "dataplane.port0=$1" --set "dataplane.port1=$2" --set dataplane.vlan0=7
		--set "dataplane.source0=198.19.0.64/30,2001:db8:ff::40/126"
		--set "dataplane.gateway0=198.19.0.2,fe80::1"
		--set "dataplane.source1=198.19.2.77,2001:db8:ff02::77"
		--set "dataplane.gateway1=198.19.2.2,2001:db8:ff02::2")
}

first=$(lab_ports veth0) second=$(lab_ports veth2)
while read -r port0 port1; do
	driver=${port0%%:*}
	far world veth1 vlan=7 gateways=198.19.0.2,fe80::1 lie=tags
	far world2 veth3 gateways=198.19.2.2,2001:db8:ff02::2
	of_ports "$port0" "$port1"
	scan "$driver" "${settings[@]}" "${common[@]}"
	kill_all
	scan_status "two ports, $driver: exit status" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "two ports, $driver: results" got want
	cut -d' ' -f2,3 far.world far.world2 | sort >got
	tap_same "two ports, $driver: both far ends together saw each pair once" got want.pairs
	for name in world world2; do
		share=$(wc -l <"far.$name")
		tap_true "two ports, $driver: $name saw about half ($share)" \
			test "$share" -gt 300 -a "$share" -lt 724
	done
	tap_is "two ports, $driver: each from the sources of its own" \
		"$(cut -d' ' -f1 far.world | sort -u | tr '\n' ' ')/ $(cut -d' ' -f1 far.world2 | sort -u | tr '\n' ' ')" \
		"198.19.0.64 198.19.0.65 198.19.0.66 198.19.0.67 2001:db8:ff::40 2001:db8:ff::41 2001:db8:ff::42 2001:db8:ff::43 / 198.19.2.77 2001:db8:ff02::77 "
	tap_match "two ports, $driver: the start lines name the first" "$(cat "$driver.err")" \
		"through veth0 \($driver\), VLAN 7, from 198\.19\.0\.64-198\.19\.0\.67, 2001:db8:ff::40-2001:db8:ff::43"
	tap_match "two ports, $driver: and the second" "$(cat "$driver.err")" \
		"through veth2 \($driver\) from 198\.19\.2\.77, 2001:db8:ff02::77"
done < <(paste <(echo "$first") <(echo "$second"))

of_ports af_packet:veth0 af_packet:veth2
on scanner "$PRTIP_DP" --dry-run "${settings[@]}" "${common[@]}" >dry.out 2>&1
for words in 'port .*veth0 .*VLAN 7' 'port .*veth2 \(af_packet\)$' 198.19.0.64-198.19.0.67 'gateway .*fe80::1' \
	'gateway .*198\.19\.2\.2' 'gateway .*2001:db8:ff02::2'; do
	tap_match "--dry-run tells $words" "$(cat dry.out)" "$words"
done

refused() { # DESCRIPTION PATTERN SETTING...
	local what=$1 pattern=$2
	scan wrong "${@:3}" -p 80 198.18.0.1
	scan_status "$what: exit status" wrong 2
	tap_match "$what: the words" "$(cat wrong.err)" "$pattern"
}
refused "one device twice" "port1 = veth0.*same device" --set dataplane.port0=af_packet:veth0 \
	--set dataplane.port1=veth0 --set dataplane.source=198.19.0.77 --set dataplane.gateway=198.19.0.2
refused "a gap" "port1 is missing" --set dataplane.port0=veth0 --set dataplane.port2=veth2
refused "port and port0" "exclude each other" --set dataplane.port=veth0 --set dataplane.port0=veth2

# --- Several queues -------------------------------------------------------------------------------

ip -n scanner link delete veth0
lab_wire scanner veth0 world veth1
ip -n scanner address add $SCANNER_IP/24 dev veth0
ip -n world address add $WORLD_IP/24 dev veth1
ip -n world route add local 198.18.0.0/16 dev lo
ip -n scanner route add 198.18.0.0/16 via $WORLD_IP
listen world 0.0.0.0 80
truth world 198.18.0.0/22 80,81 >want
for lcores in 2/2 1/3 2/1; do
	scan queues --set dataplane.port=af_packet:veth0 --set "dataplane.tx_lcores=${lcores%/*}" \
		--set "dataplane.rx_lcores=${lcores#*/}" --set output.include_closed=yes \
		--set scan.cooldown=500ms --rate 5k -p 80,81 198.18.0.0/22
	scan_status "$lcores lcores: exit status" queues 0
	records queues.ndjson reason >got
	tap_same "$lcores lcores: each queue is read, nothing is lost" got want
done
# Those of a veth pair are not tied to the transmit queues, so that af_xdp would serve one of them.
ip -n scanner link delete veth0
ip link add veth0 netns scanner numrxqueues 2 numtxqueues 2 type veth peer name veth1 netns world \
	numrxqueues 2 numtxqueues 2
ip -n scanner link set veth0 up
ip -n world link set veth1 up
refused "af_xdp with two queues to receive" "2 receive queues.*ethtool -L veth0 rx 1" \
	--set dataplane.port=af_xdp:veth0 --set dataplane.source=$SPARE_IP \
	--set dataplane.gateway=$WORLD_IP

tap_done
