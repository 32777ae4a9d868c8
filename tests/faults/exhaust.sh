#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Rings and pools that are full all the time, in a build that has them very small (plan.h): a device that
# waits loses nothing, on a real wire what found no room is counted by name, and nothing else is missing.
# And a receiver that was stopped while answers came, until the kernel's own queue was full.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"

SMALL=$(dirname "$PRTIP_DP")/prtip-dp-small
WORLD=$(dirname "$PRTIP_DP")/bench/world

lost_but() { # NAME.sum COUNTER: the sum of all others
	python3 - "$1" "$2" <<-'PY'
		import json, sys
		lost = json.load(open(sys.argv[1]))["lost"]
		print(sum(value for name, value in lost.items() if name != sys.argv[2]))
	PY
}

# judge WHAT NAME: got against want; each that is missing was lost somewhere that has a name.
judge() {
	local what=$1 name=$2 missing lost
	records "$name.ndjson" >got
	tap_is "$what: results are true, each once" "$(comm -23 got want | head -3)$(uniq -d got | head -3)" ''
	missing=$(comm -13 got want | wc -l)
	lost=$(lost_but "$name.sum" none)
	tap_true "$what: what is missing is named ($missing missing, lost: $(json "$name.sum" lost))" \
		test "$missing" -le "$lost" || tap_note_file "$name.err"
	tap_is "$what: exit status" "$status" "$([ "$lost" -gt 0 ] && echo 3 || echo 0)"
}

# --- A device that waits ----------------------------------------------------------------------------

space=(-p 1-16 198.18.0.0/20)
sim=(--set dataplane.port=sim --set sim.alive=0.8 --set sim.open=0.5 --set sim.seed=4 --set sim.duplicate=0.2)
"$PRTIP_DP" "${sim[@]}" "${space[@]}" --sim-truth | sort >want
for kind in "auto off" "2 on"; do
	read -r lcores banners <<<"$kind"
	what="simulated network, $lcores lcores, banners $banners"
	status=0
	"$SMALL" "${sim[@]}" --set "dataplane.tx_lcores=$lcores" --set "dataplane.rx_lcores=$lcores" \
		--set "banner.enable=$banners" --set banner.wait=2s --set scan.cooldown=500ms \
		--set output.include_closed=yes --rate max --overwrite -o ndjson:sim.ndjson \
		-o summary:sim.sum "${space[@]}" >sim.out 2>sim.err </dev/null || status=$?
	judge "$what" sim
	# Replies have a pool that does not wait; no result hangs on them.
	tap_is "$what: nothing is missing, and no answer lost" \
		"$(comm -13 got want | wc -l) $(lost_but sim.sum reply_dropped)" "0 0"
done

# --- A wire -----------------------------------------------------------------------------------------

lab_machine scanner
lab_machine world
lab_wire scanner veth0 world veth1
ip -n scanner address add $SCANNER_IP/24 dev veth0
ip -n scanner route add 198.18.0.0/16 via $WORLD_IP
"$PRTIP_DP" --set dataplane.port=sim --set sim.alive=1 --set sim.open=0.5 --set sim.seed=5 \
	-p 80 198.18.0.0/16 --sim-truth | sort >want
ip netns exec world "$WORLD" -g $WORLD_IP -o world.json --alive 1 --open 0.5 --seed 5 --rtt 500 -p 80 \
	af_packet:veth1 198.18.0.0/16 </dev/null >world.out 2>world.err &
world_pid=$!
tries=0
until grep -q '^ready' world.err 2>/dev/null || [ $((tries += 1)) -gt 200 ]; do
	sleep 0.05
done
wire=(--set dataplane.port=af_packet:veth0 --set output.include_closed=yes -p 80 198.18.0.0/16)

# A ring of 128 answers is one or two milliseconds' worth.
PRTIP_DP=$SMALL scan ring "${wire[@]}" --set scan.cooldown=2s --rate 60k
judge "a ring that overflows" ring
tap_true "a ring that overflows: it did, and is named ($(json ring.sum lost ring_full))" \
	test "$(json ring.sum lost ring_full)" -gt 0

# 16,384 frames wait below us at the most. Those of others take places, too.
cat >flood.py <<-'PY'
	import socket
	wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	wire.bind(("veth1", 0))
	for _ in range(20000):
	    wire.send(bytes.fromhex("ffffffffffff" "020000000001" "88cc") + bytes(46))
PY
scan_start stopped "${wire[@]}" --set scan.cooldown=2s --rate 40k
tries=0
until grep -q 'through ' stopped.err 2>/dev/null || [ $((tries += 1)) -gt 200 ]; do
	sleep 0.05
done
sleep 0.7
kill -STOP $scan_pid
on world python3 flood.py
sleep 0.5
kill -CONT $scan_pid
scan_wait
judge "stopped while answers came" stopped
tap_true "stopped while answers came: what the kernel dropped is named ($(json stopped.sum lost rx_missed))" \
	test "$(json stopped.sum lost rx_missed)" -gt 0

kill -TERM $world_pid
wait $world_pid
tap_done
