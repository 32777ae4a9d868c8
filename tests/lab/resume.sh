#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A scan that is killed goes on by another driver of the same interface: what was open is there once, and the
# far end sees that no probe is missing and how many came again.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
serve_http world 0.0.0.0 80
wait_listening world 80

space=(-p 80-81 198.18.0.0/20)
rate=4000

# until_results NUMBER: until the running scan has written so many.
until_results() {
	local tries=0
	until [ -e resume.ndjson ] && [ "$(wc -l <resume.ndjson)" -ge "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 400 ] || break
		sleep 0.05
	done
}

# probes: what arrived, as `ip port` lines.
probes() {
	tcpdump -nr resume.pcap 2>/dev/null \
		| sed -nE 's/^[0-9:.]+ IP [^ ]+ > ([0-9.]+)\.([0-9]+): Flags \[S\].*/\1 \2/p'
}

mapfile -t ports < <(lab_ports veth0)
first=${ports[0]}
second=${ports[${#ports[@]} - 1]}
capture_start world veth1 resume.pcap 'tcp[tcpflags] & tcp-syn != 0'
scan_start resume --set "dataplane.port=$first" --set dataplane.source="$SPARE_IP" \
	--checkpoint resume.ckpt --set checkpoint.interval=500ms --rate $rate \
	"${space[@]}"
until_results 2000
kill -KILL "$scan_pid"
scan_wait
tap_is "$first: killed" "$status" 137
printf '{"ts":"2026-01-31T12:00:00' >>resume.ndjson

status=0
on scanner "$PRTIP_DP" --resume resume.ckpt --set "dataplane.port=$second" </dev/null 2>resume.err \
	|| status=$?
capture_stop
scan_status "$second: goes on to the end" resume 0
tap_is 'the capture is whole' "$capture_dropped" 0
records resume.ndjson >got
python3 -c "
import ipaddress
for ip in ipaddress.ip_network('198.18.0.0/20'):
    print(ip, 80, 'tcp', 'open')" | sort >wanted
tap_same 'each open port is there once, and the half line is gone' got wanted
tap_is 'no probe is missing' "$(probes | sort -u | wc -l)" 8192
again=$(($(probes | wc -l) - 8192))
tap_true "some came again ($again of 8192)" [ $again -gt 0 ]
# What the lag (one second), the interval and a checkpoint that takes as long as another let be sent.
tap_true 'but few' [ $again -lt $((4 * rate)) ]
tap_is 'the account is that of the whole scan' \
	"$(json resume.sum targets) $(json resume.sum probes_sent) $(json resume.sum open)" '8192 8192 4096'

# Ctrl-C, then on with nothing sent twice.
capture_start world veth1 resume.pcap 'tcp[tcpflags] & tcp-syn != 0'
scan_start resume --set "dataplane.port=$second" --set dataplane.source="$SPARE_IP" \
	--checkpoint resume.ckpt --rate $rate "${space[@]}"
until_results 1000
kill -INT "$scan_pid"
scan_wait
scan_status 'Ctrl-C' resume 130
tap_match 'it says how to go on' "$(cat resume.err)" 'go on with: prtip-dp --resume resume.ckpt'
status=0
on scanner "$PRTIP_DP" --resume resume.ckpt --set "dataplane.port=$first" </dev/null 2>resume.err \
	|| status=$?
capture_stop
scan_status 'and on' resume 0
tap_is 'the capture is whole' "$capture_dropped" 0
tap_is 'each probe once' "$(probes | wc -l) $(probes | sort -u | wc -l)" '8192 8192'
tap_done
