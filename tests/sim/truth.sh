#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a scan of the simulated network reports is its truth, each pair once: for several numbers of
# lcores and shards, with and without closed ports, with and without privileges.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/sim.sh"

closed=(--set output.include_closed=yes)

# --- 2^16 pairs at several maps of lcores ---------------------------------------------------------

space=(-p 1-16 198.18.0.0/20)
sim_truth "${space[@]}" >want
grep ' open$' want >want.open
tap_true "the truth of 2^16 pairs has open ones" test -s want.open
tap_true "and closed ones" grep -q ' closed$' want
tap_true "and silent ones" test "$(wc -l <want)" -lt 65536
for lcores in 1/1 2/1 1/2 2/2 auto/auto; do
	sim lcores "${closed[@]}" --set dataplane.tx_lcores=${lcores%/*} \
		--set dataplane.rx_lcores=${lcores#*/} --rate 100k "${space[@]}"
	sim_status "$lcores lcores: exit status" lcores 0
	records lcores.ndjson >got
	tap_same "$lcores lcores: open and closed set equal the truth, each once" got want
	tap_is "$lcores lcores: all probes were sent" "$(json lcores.sum probes_sent)" 65536
	tap_is "$lcores lcores: the rest is counted as silent" \
		"$(json lcores.sum no_answer)" $((65536 - $(wc -l <want)))
done

# --- 2^20 and 2^22 pairs, as fast as it goes ------------------------------------------------------

fewer=0 # bits, where ThreadSanitizer takes tens of times as long
[ "${PDP_SANITIZED:-}" != thread ] || fewer=3

space=(-p 1-16 198.18.0.0/$((16 + fewer)))
pairs="2^$((20 - fewer)) pairs"
sim_truth "${space[@]}" >want
sim closed "${closed[@]}" --rate max "${space[@]}"
sim_status "$pairs: exit status" closed 0
records closed.ndjson >got
tap_same "$pairs: open and closed set equal the truth, each once" got want
tap_true "$pairs: the network repeated answers and each repeat was dropped" \
	test "$(json closed.sum duplicates)" -gt 10000
tap_is "$pairs: results" "$(json closed.sum results)" "$(wc -l <want)"

if [ -z "${PDP_SANITIZED:-}" ]; then
	space=(-p 1-32 198.18.0.0/15)
	sim_truth "${space[@]}" | grep ' open$' >want
	sim large --rate max "${space[@]}"
	sim_status "2^22 pairs: exit status" large 0
	records large.ndjson >got
	tap_same "2^22 pairs: the open set equals the truth, each once" got want
fi

# --- Shards ---------------------------------------------------------------------------------------

space=(-p 1-16 198.18.0.0/$((18 + fewer)))
sim_truth "${space[@]}" | grep ' open$' >want
: >union
sent=0
for shard in 1/3 2/3 3/3; do
	sim shard --seed 5 --shard $shard --set dataplane.tx_lcores=${shard%/*} --rate 500k "${space[@]}"
	sim_status "shard $shard: exit status" shard 0
	records shard.ndjson >>union
	sent=$((sent + $(json shard.sum probes_sent)))
done
sort union >got
tap_same "three shards with 1, 2 and 3 TX lcores: their union is the truth, each once" got want
tap_is "three shards: all probes together" $sent $((262144 >> fewer))

# --- A network that loses -------------------------------------------------------------------------

space=(-p 1-16 198.18.0.0/20)
sim_truth "${space[@]}" >want
sim loss --set sim.loss=0.2 "${closed[@]}" --rate 200k "${space[@]}"
sim_status "20% loss: exit status" loss 0
records loss.ndjson >got
tap_is "20% loss: nothing is reported that is not true" "$(comm -23 got want | wc -l)" 0
found=$(wc -l <got)
total=$(wc -l <want)
# Both ways, with one reply in 1.3 repeated: at least 64% and at most 72% come through.
tap_true "20% loss: $found of $total were found" \
	test $((found * 100)) -gt $((total * 60)) -a $((found * 100)) -lt $((total * 76))

# --- Without privileges ---------------------------------------------------------------------------

ordinary=()
if [ "$(id -u)" -eq 0 ]; then
	ordinary=(setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set=-all
		--inh-caps=-all)
fi
if [ ${#ordinary[@]} -gt 0 ] && ! "${ordinary[@]}" test -x "$PRTIP_DP"; then
	tap_skip "as an ordinary user" "the program lies in a folder that others cannot enter"
else
	grep ' open$' want >want.open
	status=0
	HOME=/nonexistent "${ordinary[@]}" "$PRTIP_DP" "${sim_network[@]}" --set scan.cooldown=1s \
		--rate 200k "${space[@]}" </dev/null >user.ndjson 2>user.err || status=$?
	sim_status "as an ordinary user: exit status" user 0
	records user.ndjson >got
	tap_same "as an ordinary user: NDJSON on standard output, equal to the truth" got want.open
fi

tap_done
