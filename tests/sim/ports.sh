#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several ports, several queues and source ports of any number, on the simulated network and on devices
# that lead nowhere.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

targets=(198.18.0.0/23 2001:db8::/119)
common=(--seed 7 --set sim.alive=0.7 --set sim.rtt=5ms --set sim.jitter=1ms --set scan.cooldown=200ms
	--set output.include_closed=yes --rate 20k -p "22,80,443" "${targets[@]}")
"$PRTIP_DP" --set dataplane.port=sim "${common[@]}" --sim-truth | sort >want
tap_true "the truth has something to find" test "$(wc -l <want)" -gt 500

# scan NAME ARGUMENT...: leaves NAME.ndjson, NAME.sum, NAME.err and $status.
scan() {
	status=0
	"$PRTIP_DP" -o "ndjson:$1.ndjson" -o "summary:$1.sum" "${common[@]}" "${@:2}" \
		</dev/null >"$1.out" 2>"$1.err" || status=$?
}

# found DESCRIPTION ARGUMENT...: a scan that finds the truth.
found() {
	scan sim "${@:2}"
	tap_is "$1: exit status" $status 0 || tap_note_file sim.err
	records sim.ndjson >got
	tap_same "$1: results are the truth" got want
	tap_is "$1: each answer is validated" "$(json sim.sum rejected)" 0
	rm -f sim.*
}

for range in 40000-40000 1024-65535 1-65535; do
	found "source ports $range" --set dataplane.port=sim --set dataplane.source_ports=$range
done
found "two source ports for three transmissions" --set dataplane.port=sim \
	--set dataplane.source_ports=40000-40001 --set scan.probes=3
found "many sources" --set dataplane.port=sim --set dataplane.source=198.19.7.0/24,2001:db8:7::/64
found "two queues to receive" --set dataplane.port=sim --set dataplane.rx_lcores=2
found "two queues each way" --set dataplane.port=sim --set dataplane.rx_lcores=2 \
	--set dataplane.tx_lcores=2
found "two ports" --set dataplane.port0=sim --set dataplane.port1=sim --set dataplane.vlan1=5 \
	--set dataplane.source0=198.19.0.0/28,2001:db8:7::/64

# On devices that lead nowhere all of it is sent, by both.
scan null --set dataplane.port0=net_null0,no-rx=1 --set dataplane.port1=net_null1,no-rx=1
tap_is "two ports that lead nowhere: exit status" $status 0 || tap_note_file null.err
tap_is "two ports that lead nowhere: all probes went" "$(json null.sum probes_sent)" 3072
tap_match "two ports that lead nowhere: the start lines name the first" "$(cat null.err)" \
	'^through net_null0'
tap_match "two ports that lead nowhere: and the second" "$(cat null.err)" '^through net_null1'
scan twice --set dataplane.port0=net_null0 --set dataplane.port1=net_null0
tap_is "one vdev twice: exit status" $status 2

# A rate in bits counts the tag of the port that has one.
"$PRTIP_DP" --dry-run -p 80 198.18.0.0/24 --set dataplane.port0=sim --set dataplane.port1=sim \
	--set dataplane.vlan1=5 >dry.out 2>&1
tap_match "--dry-run: longest frame and mean of both ports" "$(cat dry.out)" \
	'of 78 bytes \(100 on the wire\)'
tap_is "--dry-run: each port has its lines" "$(grep -c '^port  *sim' dry.out)" 2

tap_done
