#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Captures (-o pcapng:PATH) of real devices: their frames are, byte for byte, those that tcpdump sees the
# far end send, or arrive on the scanner's side; with tags, and of lo the packets.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
listen world 0.0.0.0 80
listen world :: 80
listen scanner 127.0.0.1 22 631

# frames FILE [SKIP]: the packets as sorted lines of hex, without their first SKIP bytes.
frames() {
	editcap -F nsecpcap "$1" frames.pcap 2>/dev/null
	PYTHONPATH=$LAB_TOOLS python3 -B - "${2:-0}" <<-'PY' | sort
		import sys, wire
		for _, data, length in wire.read_pcap("frames.pcap"):
		    print(length - int(sys.argv[1]), data[int(sys.argv[1]):].hex())
	PY
}

comments() { # FILE: how many packets have which
	tshark -n -r "$1" -T fields -e frame.comment 2>/dev/null | sort | uniq -c | sed 's/^ *//'
}

about() { # FILE KEY: what capinfos says
	capinfos -M "$1" | sed -n "s/^$2: *//p"
}

# dump NAME DEVICE DIRECTION FILTER: as capture_start, with whole packets.
dump() {
	rm -f dump.pcap
	ip netns exec "$1" tcpdump -i "$2" -Q "$3" -n -p -Z root -B 65536 -s 0 --immediate-mode --time-stamp-precision=nano \
		-w dump.pcap "$4" 2>dump.log </dev/null &
	capture_pid=$!
	until grep -q 'listening on' dump.log; do sleep 0.05; done
}

dump_stop() {
	sleep 0.3
	kill -INT "$capture_pid"
	wait "$capture_pid"
	tap_match "$1: tcpdump missed nothing" "$(cat dump.log)" '^0 packets dropped by kernel'
}

ours='tcp and (src net 198.18.0.0/16 or src net 2001:db8:0::/48)'
arguments=(--set scan.cooldown=300ms --rate 2k -p "80,81" --set output.include_closed=yes 198.18.0.0/25 "2001:db8::/122")
{
	for port in $(lab_ports veth0); do
		# What XDP takes tcpdump does not see on the scanner's side.
		echo "$port world veth1 out"
		[ "${port%%:*}" != af_packet ] || echo "$port scanner veth0 in"
	done
} >cases
while read -r port machine device direction; do
	name="${port%%:*}, $device"
	dump "$machine" "$device" "$direction" "$ours"
	scan capture --set "dataplane.port=$port" -o pcapng:out.pcapng --overwrite "${arguments[@]}"
	dump_stop "$name"
	scan_status "$name: exit status" capture 0
	tap_is "$name: a packet for each validated response" \
		"$(about out.pcapng 'Number of packets')" "$(json capture.sum validated)"
	tap_is "$name: their verdicts" "$(comments out.pcapng)" \
		"192 closed tcp 81 reset
192 open tcp 80 syn-ack"
	frames dump.pcap >want
	frames out.pcapng >got
	tap_same "$name: byte for byte what tcpdump has" got want
	tap_is "$name: link type" "$(about out.pcapng 'File encapsulation')" ether
	tap_match "$name: the interface's name" "$(capinfos out.pcapng)" 'Name = (af_packet:|af_xdp:)?veth0$'
	editcap -F nsecpcap out.pcapng stamps.pcap
	tap_true "$name: arrival times are those of tcpdump, in nanoseconds" python3 -B - "$LAB_TOOLS" <<-'PY'
		import sys
		sys.path.insert(0, sys.argv[1])
		import wire
		sent = {data: at for at, data, _ in wire.read_pcap("dump.pcap")}
		late = [at - sent[data] for at, data, _ in wire.read_pcap("stamps.pcap")]
		print("# late by", min(late), "to", max(late), "s")
		sys.exit(not -1 < min(late) <= max(late) < 5)
	PY
done <cases

# --- Tags, which the kernel takes out of frames for af_packet, and DPDK puts back -------------------

for port in $(lab_ports veth0); do
	name="${port%%:*}, VLAN 4094"
	ip netns exec world python3 "$LAB_TOOLS/far.py" veth1 far.log \
		gateways=$WORLD_IP targets=198.18.0.0/16 vlan=4094 >far.out 2>far.err </dev/null &
	far_pid=$!
	until grep -q ready far.out 2>/dev/null || ! kill -0 $far_pid; do sleep 0.05; done
	dump world veth1 out 'vlan 4094 and ip src net 198.18.0.0/16'
	scan tagged --set "dataplane.port=$port" --set dataplane.source=$SPARE_IP --set dataplane.vlan=4094 \
		--set dataplane.gateway=$WORLD_IP --set scan.cooldown=300ms --rate 1k -o pcapng:tagged.pcapng --overwrite \
		-p 80,81 198.18.0.0/26
	dump_stop "$name"
	kill $far_pid
	wait $far_pid 2>/dev/null
	rm -f far.out
	scan_status "$name: exit status" tagged 0
	frames dump.pcap >want
	frames tagged.pcapng >got
	tap_is "$name: responses" "$(json tagged.sum validated)" 128
	tap_same "$name: byte for byte what the far end sent" got want
done

# --- lo -------------------------------------------------------------------------------------------

dump scanner lo in 'tcp and src host 127.0.0.1 and (src port 22 or src port 23)'
scan lo --set dataplane.port=lo -o pcapng:lo.pcapng --set output.include_closed=yes -p 22,23 127.0.0.1
dump_stop lo
scan_status "lo: exit status" lo 0
tap_is "lo: link type" "$(about lo.pcapng 'File encapsulation')" rawip
tap_is "lo: its verdicts" "$(comments lo.pcapng)" "1 closed tcp 23 reset
1 open tcp 22 syn-ack"
frames dump.pcap 14 >want
frames lo.pcapng >got
tap_same "lo: the packets that tcpdump has, without its link header" got want

tap_done
