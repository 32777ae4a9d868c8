#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a newcomer types first: every port of this machine.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
listen scanner 0.0.0.0 22 80 8080 40001 65535
listen scanner 127.0.0.1 1 631 32768 49151
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

truth scanner 127.0.0.1 20-90 >want
scan closed --set output.include_closed=yes --set dataplane.port=lo -p 20-90 127.0.0.1
records closed.ndjson reason >got
tap_same "port = lo, with closed ports" got want

tap_done
