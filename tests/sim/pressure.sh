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

# --- A plugin that is slow for a while ------------------------------------------------------------

# One that the scan has to wait for (overflow = throttle): it works for two seconds at its 20,000th result,
# while the rings fill up and the sending falls behind its 40,000 a second. Records carry the time at
# which they were received, so they tell how the rate fell and came back.
mkdir -p plugins/slow
cat >plugins/slow/main.lua <<'LUA'
local n = 0
function on_target()
	n = n + 1
	if n ~= 20000 then return end
	local start = prtip.now()
	while prtip.now() - start < 2 do end
end
LUA
echo '# slow' >plugins/slow/README.md
cat >plugins/slow/plugin.toml <<'TOML'
[plugin]
name = "slow"
version = "1.0.0"
author = "the tests"
description = "a plugin of the tests"
plugin_type = "scan"
capabilities = []
TOML
space=(-p "53,80,123" 198.18.0.0/16)
for type in syn udp; do
	sim "$type" --set sim.alive=1 --set sim.open=1 --set sim.duplicate=0 --scan-type $type --rate 40k \
		--plugin-dir plugins --plugin slow --set plugins.overflow=throttle \
		--set plugins.queue=1024 --set plugins.spill_dir=. --set plugins.instructions=2000000000 \
		"${space[@]}" &
done
wait
for type in syn udp; do
	tap_is "a slow plugin, $type: each of the pairs is a result that it saw" \
		"$(json $type.sum results) $(json $type.sum plugins slow ok) $(json $type.sum complete)" \
		"196608 196608 true" || tap_note_file $type.err
	tap_is "a slow plugin, $type: nothing is lost" "$(python3 -c '
import json, sys
print(sum(json.load(open(sys.argv[1]))["lost"].values()))' $type.sum)" 0
	tap_true "a slow plugin, $type: the rings lowered the rate ($(json $type.sum throttled_s) s)" \
		python3 -c "raise SystemExit(not $(json $type.sum throttled_s) > 0.2)"
	# Tenths of a second.
	python3 - $type.ndjson <<'PY' >rates
import collections, datetime, json, sys
count = collections.Counter()
for line in open(sys.argv[1]):
    when = datetime.datetime.fromisoformat(json.loads(line)["ts"].replace("Z", "+00:00"))
    count[int(when.timestamp() * 10)] += 1
tenths = [count[at] for at in range(min(count), max(count) + 1)]
low = min(range(2, len(tenths) - 2), key=lambda at: tenths[at])
print(*(max(part, default=0) * 10 for part in (tenths[:low], [tenths[low]], tenths[low + 1:])))
PY
	read -r before least after <rates
	tap_true "a slow plugin, $type: the rate falls and recovers ($before, $least, $after a second)" \
		test "$before" -gt 20000 -a "$least" -lt 20000 -a "$after" -gt 20000
done

tap_done
