#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port on a VLAN. The far end is a program on raw frames, as not every kernel has VLAN devices: it
# answers in frames of one tag, and lies in those of others.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_machine scanner
lab_machine world
lab_wire scanner veth0 world veth1
# The kernel here has addresses, so that answers in frames without a tag could be taken for its own; the
# one there has none.
on scanner sysctl -qw net.ipv6.conf.veth0.disable_ipv6=0
ip -n scanner address add $SCANNER_IP/24 dev veth0
ip -n scanner address add $SCANNER_IP6/64 dev veth0 nodad
mac=$(mac_of scanner veth0)
ours="$SPARE_IP|$SPARE_IP6" # not the kernel's own frames

# far OPTION...: far.py there, with its log in far.log.
far() {
	rm -f far.log far.out
	ip netns exec world python3 "$LAB_TOOLS/far.py" veth1 far.log \
		gateways=$WORLD_IP,$WORLD_IP6,fe80::1 targets=198.18.0.0/16,2001:db8:0::/48 "$@" \
		>far.out 2>far.err </dev/null &
	far_pid=$!
	lab_pids=$far_pid
	until grep -q ready far.out 2>/dev/null || ! kill -0 $far_pid; do sleep 0.05; done
}

far_stop() {
	kill $far_pid
	wait $far_pid 2>/dev/null
	tap_note_file far.err
	lab_pids=
}

targets=(198.18.0.0/26 2001:db8:0::/122)
python3 - "${targets[@]}" <<'PY' | sort >want
import ipaddress, sys
for prefix in sys.argv[1:]:
    for ip in ipaddress.ip_network(prefix):
        print(ip, "80 tcp open syn-ack")
        print(ip, "81 tcp closed reset")
PY

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	for vlan in 0 4094; do
		name=$driver.$vlan
		far vlan=$vlan lie=tags
		capture_start world veth1 vlan.pcap
		scan "$name" --set "dataplane.port=$port" --set dataplane.source=$SPARE_IP,$SPARE_IP6 \
			--set dataplane.vlan=$vlan --set dataplane.gateway=$WORLD_IP,fe80::1 --rate 1k \
			--set output.include_closed=yes --set scan.cooldown=500ms -p 80,81 "${targets[@]}"
		capture_stop
		far_stop
		scan_status "$driver, VLAN $vlan: exit status" "$name" 0
		records "$name.ndjson" reason >got
		tap_same "$driver, VLAN $vlan: answers of this VLAN only are taken" got want
		tap_is "$driver, VLAN $vlan: nothing else was even looked at" \
			"$(json "$name.sum" rejected)" 0
		tap_is "$driver, VLAN $vlan: each frame has this tag: probes, ARP, ND, resets" \
			"$(tcpdump -enr vlan.pcap "ether src $mac" 2>/dev/null | grep -E "$ours" |
				sed -nE 's/.* vlan ([0-9]+), .*/\1/p; t; s/.* ethertype .*/0/p' | sort -u)" $vlan
	done
done
# --- Plugin sockets -------------------------------------------------------------------------------

# Their frames cross the port with its tag, and the kernel's TAP without.
lab_ports veth0 | grep -q af_xdp || tap_done
[ -w /dev/net/tun ] || tap_done
plugin_ip=198.19.0.50
ip netns exec world python3 "$LAB_TOOLS/tagger.py" veth1 vlan100 100 >tagger.out 2>tagger.err &
lab_pids="$lab_pids $!"
until grep -q ready tagger.out 2>/dev/null || ! kill -0 $!; do sleep 0.05; done
ip -n world link set vlan100 up
ip -n world address add $WORLD_IP/24 dev vlan100
ip -n world route add local 198.18.0.0/16 dev lo
head -c 300000 /dev/urandom >blob
digest=$(sha256sum <blob | cut -d' ' -f1)
serve world python3 -m http.server --directory "$LAB" --bind 0.0.0.0 8000
wait_listening world 8000
for n in 1 2 3 4; do
	echo "198.18.0.$n 8000 tcp open syn-ack"
	echo "198.18.0.$n 8000 ok $digest" >>want.said
done >>want.open
lab_plugin fetch scan '"network"' <<'LUA'
function on_target(target)
	local sock = assert(prtip.connect(target.ip, target.port, {timeout = 20}))
	prtip.send(sock, "GET /blob HTTP/1.0\r\n\r\n")
	local parts = {}
	repeat parts[#parts + 1] = assert(prtip.receive(sock, 65536, 20)) until parts[#parts] == ""
	local head, body = table.concat(parts):match("^(.-)\r\n\r\n(.*)$")
	prtip.add_result("sha256", prtip.sha256(body))
end
LUA
capture_start world veth1 plugin.pcap
scan plugin --plugin-dir plugins --set dataplane.port=af_xdp:veth0 --set dataplane.source=$SPARE_IP \
	--set dataplane.vlan=100 --set dataplane.gateway=$WORLD_IP --set plugins.source=$plugin_ip \
	--plugin fetch --rate 500 -p 8000 198.18.0.1-198.18.0.4
capture_stop
scan_status "plugin sockets on a VLAN: exit status" plugin 0
records plugin.ndjson reason >got
tap_same "plugin sockets on a VLAN: the scan's results" got want.open
said plugin.ndjson fetch sha256 >got
tap_same "plugin sockets on a VLAN: 300 kB from each of four hosts" got want.said
tap_is "plugin sockets on a VLAN: their frames have the tag" \
	"$(tcpdump -enr plugin.pcap "ether src $mac" 2>/dev/null | grep "$plugin_ip" |
		sed -nE 's/.* vlan ([0-9]+), .*/\1/p; t; s/.* ethertype .*/0/p' | sort -u)" 100

tap_done
