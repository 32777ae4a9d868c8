#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A reader of the results that stops for a while holds up writer, control core and rings in turn: the
# rate falls, nothing is lost, and the scan goes on when the reader does.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/sim.sh"

space=(-p 1-32 198.18.0.0/16)
closed=(--set output.include_closed=yes)
sim_truth "${space[@]}" >want

# The pipe, the writer's queue and the rings hold some 80,000 of a million results.
"$PRTIP_DP" "${sim_network[@]}" "${closed[@]}" --set scan.cooldown=1s --rate max -o ndjson:- \
	-o summary:slow.sum "${space[@]}" 2>slow.err | {
	sleep 3
	cat
} >slow.ndjson
status=${PIPESTATUS[0]}
sim_status "a reader that stops for three seconds: exit status" slow 0
records slow.ndjson >got
tap_same "every result arrives, once" got want
tap_true "the rings lowered the rate meanwhile ($(json slow.sum throttled_s) s)" \
	python3 -c "raise SystemExit(not $(json slow.sum throttled_s) > 1)"
tap_is "nothing is lost" "$(python3 -c '
import json
print(sum(json.load(open("slow.sum"))["lost"].values()))')" 0
# Two million pairs in some three seconds of standstill: a rate that had not recovered from 1/1024
# would take minutes.
tap_true "the rate recovers (done after $(json slow.sum elapsed_s) s)" \
	python3 -c "raise SystemExit(not $(json slow.sum elapsed_s) < 60)"

# --- The reader stops at the very end -------------------------------------------------------------

# All probes are out and their answers wait below a writer that cannot write: the cooldown of a second
# must not cut them off.
space=(-p 1-4 198.18.0.0/16 --set sim.rtt=800ms)
sim_truth "${space[@]}" >want
"$PRTIP_DP" "${sim_network[@]}" "${closed[@]}" --set scan.cooldown=1s --rate max -o ndjson:- \
	-o summary:late.sum "${space[@]}" 2>late.err | {
	sleep 5
	cat
} >late.ndjson
status=${PIPESTATUS[0]}
sim_status "a reader that stops beyond the cooldown: exit status" late 0
records late.ndjson >got
tap_same "a reader that stops beyond the cooldown: every result arrives" got want

tap_done
