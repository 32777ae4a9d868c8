#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The address that probes come from. One of our own, which no kernel holds: we answer ARP and ping
# for it ourselves. The kernel's: its own connections go on working beside the scan, given that our
# source ports are reserved.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
# What the scanner advises where it shares the kernel's address: the kernel draws no ports from ours.
on scanner sysctl -qw net.ipv4.ip_local_reserved_ports=32768-49151
listen world 0.0.0.0 80
listen world :: 80
serve_http world $WORLD_IP 8000
wait_listening world 8000
truth world 198.18.0.0/23,2001:db8:0::/119 22,80,443 >want

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	mac=$(mac_of scanner veth0)

	# --- Our own address: 3,072 probes in 6 s
	ip -n world neigh flush all
	scan_start "$driver" --set "dataplane.port=$port" --set "dataplane.source=$SPARE_IP,$SPARE_IP6" \
		--set output.include_closed=yes --rate 500 -p 22,80,443 198.18.0.0/23 2001:db8:0::/119
	sleep 1
	answered=$(on world python3 "$LAB_TOOLS/ping.py" $SPARE_IP 30)
	tap_true "$driver: an address of our own answers ping during the scan ($answered of 30)" \
		test "$answered" -ge 29
	tap_match "$driver: and ARP, with the port's MAC" \
		"$(ip -n world neigh show $SPARE_IP)" "lladdr $mac"
	answered=$(on world python3 "$LAB_TOOLS/ping.py" $SPARE_IP6 15)
	tap_true "$driver: an IPv6 address of our own answers ping, too ($answered of 15)" \
		test "$answered" -ge 14
	tap_match "$driver: and neighbour solicitations, with the port's MAC" \
		"$(ip -n world neigh show $SPARE_IP6)" "lladdr $mac"
	scan_wait
	scan_status "$driver: exit status, source of our own" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: results, source of our own" got want

	# --- The kernel's address, with connections of the kernel's in both directions
	serve_http scanner $SCANNER_IP 8001
	wait_listening scanner 8001
	scan_start "$driver" --set "dataplane.port=$port" --set output.include_closed=yes \
		--rate 500 -p 22,80,443 198.18.0.0/23 2001:db8:0::/119
	sleep 1
	on world python3 "$LAB_TOOLS/fetch.py" $SCANNER_IP 8001 4 >in.count 2>in.err &
	inward=$!
	read -r good bad < <(on scanner python3 "$LAB_TOOLS/fetch.py" $WORLD_IP 8000 4 2>out.err)
	wait $inward
	tap_true "$driver: $good of the kernel's connections out work during the scan, $bad fail" \
		test "$good" -gt 20 -a "$bad" -eq 0 || tap_note_file out.err
	read -r good bad <in.count
	tap_true "$driver: $good of the kernel's connections in work during the scan, $bad fail" \
		test "$good" -gt 20 -a "$bad" -eq 0 || tap_note_file in.err
	scan_wait
	scan_status "$driver: exit status, source of the kernel" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: results, source of the kernel" got want
done

tap_done
