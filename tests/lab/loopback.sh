#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a newcomer types first: every port of this machine.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
listen scanner 0.0.0.0 22 80 8080 40001 65535
listen scanner 127.0.0.1 1 631 32768 49151
listen scanner :: 22 81 40001
listen scanner ::1 2 632 49151
serve_http scanner $SCANNER_IP 8000
wait_listening scanner 8000

open_ports() { # ADDRESS
	truth scanner "$1" 1-65535 | grep ' open ' | sed 's/ syn-ack$//'
}

open_ports 127.0.0.1 >want
scan lo 127.0.0.1 -p 1-65535
scan_status "prtip-dp 127.0.0.1 -p 1-65535: exit status" lo 0
records lo.ndjson >got
tap_same "it finds exactly the listening ports" got want
tap_is "every other port answered" "$(json lo.sum no_answer)" 0

open_ports $SCANNER_IP >want
scan own $SCANNER_IP -p- --rate 50k
scan_status "an address of this machine: exit status" own 0
records own.ndjson >got
tap_same "an address of this machine: exactly the listening ports" got want

open_ports ::1 >want
scan lo6 ::1 -p 1-65535
scan_status "prtip-dp ::1 -p 1-65535: exit status" lo6 0
records lo6.ndjson >got
tap_same "::1: exactly the listening ports" got want
tap_is "::1: every other port answered" "$(json lo6.sum no_answer)" 0

truth scanner 127.0.0.1,::1 20-90 >want
scan closed --set output.include_closed=yes --set dataplane.port=lo -p 20-90 127.0.0.1 ::1
records closed.ndjson reason >got
tap_same "port = lo, with closed ports" got want

truth scanner $SCANNER_IP6 20-90 >want
scan own6 --set output.include_closed=yes -p 20-90 $SCANNER_IP6
records own6.ndjson reason >got
tap_same "an IPv6 address of this machine's interface, with closed ports" got want

# --- Other types ----------------------------------------------------------------------------------

ip netns exec scanner python3 "$LAB_TOOLS/world.py" udp:164 sctp:53 >world.out 2>world.err </dev/null &
lab_pids="$lab_pids $!"
until grep -q ready world.out 2>/dev/null || ! kill -0 $!; do sleep 0.05; done
both="127.0.0.1 ::1"
each() { # PORT PROTO STATE REASON, for both addresses
	local ip
	for ip in $both; do echo "$ip $*"; done
}
for type in udp sctp icmp ack; do
	{ case $type in
	udp)
		arguments=(-p "160,164")
		{ each 160 udp closed port-unreach && each 164 udp open udp-response; }
		;;
	sctp)
		arguments=(-p "53,54")
		{ each 53 sctp open init-ack && each 54 sctp closed abort; }
		;;
	icmp)
		arguments=()
		each - icmp up echo-reply
		;;
	ack)
		arguments=(-p "22,23")
		{ each 22 tcp unfiltered reset && each 23 tcp unfiltered reset; }
		;;
	esac; } >want.raw
	sort want.raw >want
	# shellcheck disable=SC2086 # a list of words
	scan $type --scan-type $type --set output.include_closed=yes "${arguments[@]}" $both
	scan_status "$type, 127.0.0.1 and ::1: exit status" $type 0
	records $type.ndjson reason >got
	tap_same "$type, 127.0.0.1 and ::1: each answer" got want
done

tap_done
