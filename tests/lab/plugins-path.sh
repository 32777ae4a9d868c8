#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plugins' sockets beside a scan on a NIC that is not the kernel's: they go by the exception path, from
# an address of their own, and what they bring is whole. The same by af_packet, where none is needed.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

plugin_ip=198.19.0.50 # on the link, owned by no kernel
head -c 1000000 /dev/urandom >blob
digest=$(sha256sum <blob | cut -d' ' -f1)

lab_routed
on scanner sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
serve world python3 -m http.server --directory "$LAB" --bind 0.0.0.0 8000
wait_listening world 8000

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

hosts=198.18.1.1-198.18.1.8
for n in 1 2 3 4 5 6 7 8; do
	echo "198.18.1.$n 8000 ok $digest"
done >want

# fetched NAME SOURCE: the plugin had the blob of each host, from there, and the TAP is gone.
fetched() {
	local name=$1 source=$2
	scan_status "$name: exit status" "$name" 0
	said "$name.ndjson" fetch sha256 >got
	tap_same "$name: a megabyte from each of eight hosts" got want
	tap_is "$name: the far end sees the plugins' address" \
		"$(tcpdump -nr "$name.pcap" 'dst port 8000 and tcp[13] == 0x10 and greater 60' 2>/dev/null \
			| sed -nE 's/.* IP ([0-9.]+)\.[0-9]+ > .*/\1/p' | sort -u)" "$source"
	tap_is "$name: with a connection for each host" \
		"$(tcpdump -nr "$name.pcap" "src host $source and tcp[13] == 0x18" 2>/dev/null \
			| awk '{ print $3 }' | sort -u | wc -l)" 8
	tap_is "$name: outside the scan's source ports" \
		"$(source_ports "$name.pcap" "src host $source and tcp[13] == 0x18" \
			| awk '$1 >= 32768 && $1 <= 49151' | wc -l)" 0
	tap_is "$name: nothing was lost" "$(python3 -c '
import json, sys
print(sum(json.load(open(sys.argv[1]))["lost"].values()))
' "$name.sum")" 0
	tap_true "$name: no TAP is left" sh -c "! ip -n scanner link show prtip0 2>/dev/null"
	tap_true "$name: no socket is left" no_sockets
}

run() { # NAME ARGUMENT...
	local name=$1
	shift
	capture_start world veth1 "$name.pcap" "tcp dst port 8000"
	with=(--rate 50 -p 8000 "$hosts" "$@")
	plugged "$name" fetch
	capture_stop
}

if lab_ports veth0 | grep -q af_xdp && [ -w /dev/net/tun ]; then
	xdp=(--set dataplane.port=af_xdp:veth0 --set "dataplane.source=$SPARE_IP")
	run xdp "${xdp[@]}" --set "plugins.source=$plugin_ip"
	fetched xdp $plugin_ip
	tap_match "xdp: the start line names the address" "$(cat xdp.err)" "plugin sockets: from $plugin_ip"
	tap_true "xdp: frames of the exception path are counted" \
		test "$(json xdp.sum exception rx)" -gt 1000

	# Its source ports tell the plugins' answers from the scan's.
	run shared --set dataplane.port=af_xdp:veth0 --set "dataplane.source=$plugin_ip" \
		--set "plugins.source=$plugin_ip"
	fetched shared $plugin_ip
else
	tap_skip "the exception path" "no af_xdp in this kernel, or no /dev/net/tun"
fi

run packet --set dataplane.port=af_packet:veth0 --set "plugins.source=$SCANNER_IP"
fetched packet $SCANNER_IP

run routed --set dataplane.port=af_packet:veth0
fetched routed $SCANNER_IP
tap_match "routed: the start line says so" "$(cat routed.err)" 'plugin sockets: routed by the kernel'

tap_done
