#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# probes = n over a network that loses packets both ways: exactly n transmissions of each pair, what is
# found grows as losses that are independent allow, and the summary's interval holds the true share.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/sim.sh"

# A fifth of the packets is lost each way, and a tenth of the answers comes twice, each with its own luck:
# 0.8 * (0.9 * 0.8 + 0.1 * (1 - 0.2 * 0.2)) = 65.28% of the transmissions are heard.
lossy=(--set output.include_closed=yes --set sim.loss=0.2 --set sim.duplicate=0.1 --rate max)

# Most of a scan's time here is waiting, a second between the transmissions: they run side by side.
started=
start() { # NAME ARGUMENTS...
	{
		sim "$@"
		echo "$status" >"$1.status"
	} &
	started="$started $!"
}
join() {
	# shellcheck disable=SC2086 # a list of words
	wait $started
	started=
}
ended() { # DESCRIPTION NAME
	status=$(cat "$2.status")
	sim_status "$1: exit status" "$2" 0
}

# The longest, beside all others.
start most "${lossy[@]}" --set scan.probes=16 -p 1-4 198.18.4.0/24
most=$started
started=

# --- The share that is found, and what the summary says of it -------------------------------------

space=(-p 1-8 198.18.0.0/22 2001:db8::/118)
sim_truth "${space[@]}" >want
pairs=16384
: >coverage
runs=("1 1/1 3" "2 1/1 3" "3 2/1 3" "4 1/2 3" "5 2/2 2" "6 1/1 4")
for run in "${runs[@]}"; do
	read -r seed lcores probes <<<"$run"
	start "many$seed" "${lossy[@]}" --seed "$seed" --set "scan.probes=$probes" \
		--set "dataplane.tx_lcores=${lcores%/*}" --set "dataplane.rx_lcores=${lcores#*/}" \
		"${space[@]}"
done
join
for run in "${runs[@]}"; do
	read -r seed lcores probes <<<"$run"
	ended "$probes probes, lcores $lcores" "many$seed"
	tap_is "$probes probes, lcores $lcores: each pair exactly so often" \
		"$(json "many$seed.sum" probes_sent) $(json "many$seed.sum" sim probes)" \
		"$((probes * pairs)) $((probes * pairs))"
	records "many$seed.ndjson" >got
	tap_is "$probes probes, lcores $lcores: all found is true, and once" \
		"$(comm -23 got want | wc -l) $(uniq -d got | wc -l)" "0 0"
	echo "$probes $(wc -l <got) $(wc -l <want) $(json "many$seed.sum" coverage)" >>coverage
done
# At 95% one interval in twenty misses; three of six are a chance of 2 in 1000, four of 1 in 10,000.
python3 - <<'PY' >verdict
import json
missed = 0
for line in open("coverage"):
    probes, found, there, said = line.split(" ", 3)
    share, said = int(found) / int(there), json.loads(said)
    expected = 1 - (1 - 0.6528) ** int(probes)
    off = (share - expected) / (expected * (1 - expected) / int(there)) ** 0.5
    if abs(off) > 5:
        print(f"{share:.4f} found with {probes}, not {expected:.4f}")
    if not 0 < said["high"] - said["low"] < 0.05 or not said["low"] <= said["estimate"] <= said["high"]:
        print("odd interval", said)
    missed += not said["low"] <= share <= said["high"]
if missed > 3:
    print(f"{missed} of 6 intervals miss the share that was found")
PY
tap_is "the shares are those of independent losses, and within the summary's intervals" \
	"$(cat verdict)" "" || tap_note_file coverage

# --- Shards, payloads, kinds, ends ----------------------------------------------------------------

cat >payloads <<'TXT'
7700 two "first" token=0+2 reply=any
7700 two "second" token=0+2 reply=any
7701 three "first" token=0+2
7701 three "second" token=0+2
7701 three "third" token=0+2
7703 one "only" token=0+2
53 own "question"
TXT
shards=(-p 1-4 198.18.0.0/22)
udp=(--scan-type udp --set scan.udp_payloads=payloads)
payloads=(-p 7700-7703 198.18.0.0/24)
few=(-p 1-4 198.18.0.0/24 --set dataplane.source_ports=40000-40001)
plain=(--set output.include_closed=yes --rate max --set sim.duplicate=0)
for shard in 1 2 3; do
	start shard$shard "${plain[@]}" --seed 5 --shard $shard/3 --set scan.probes=2 "${shards[@]}"
done
start udp "${lossy[@]}" "${udp[@]}" --set scan.probes=3 "${payloads[@]}"
start alike "${lossy[@]}" "${udp[@]}" --set scan.probes=3 -p 7703,53 198.18.0.0/22
start ping "${lossy[@]}" -sn --set scan.probes=3 198.18.0.0/23
start few "${plain[@]}" --set scan.probes=3 "${few[@]}"
join
# Alone, as time is looked at.
start one "${plain[@]}" --set scan.probes=3 --set sim.alive=1 -p 80 198.18.0.1
start none "${plain[@]}" --set scan.probes=2 --set sim.alive=0 -p 80 198.18.0.0/28
join

sim_truth "${shards[@]}" >want
cat shard?.ndjson >shards.ndjson
total=0
for shard in 1 2 3; do
	ended "shard $shard" shard$shard
	# Nothing is lost here.
	tap_is "shard $shard: each pair that answers does so twice" \
		"$(json shard$shard.sum duplicates)" "$(wc -l <shard$shard.ndjson)"
	total=$((total + $(json shard$shard.sum sim probes)))
done
records shards.ndjson >got
tap_same "three shards: their union is the truth, each pair in one of them" got want
tap_is "three shards: two transmissions of each pair" "$total" $((2 * 4096))

sim_truth "${udp[@]}" "${payloads[@]}" >want
ended "UDP, several payloads" udp
# A port without a payload gets an empty datagram.
tap_is "UDP: each payload of each port three times" "$(json udp.sum sim probes)" \
	$((256 * (2 + 3 + 1 + 1) * 3))
records udp.ndjson >got
tap_is "UDP: all found is true, and once" "$(comm -23 got want | wc -l) $(uniq -d got | wc -l)" "0 0"
tap_true "UDP: nearly all are found ($(wc -l <got) of $(wc -l <want))" \
	test "$(wc -l <got)" -ge $(($(wc -l <want) * 95 / 100))
tap_is "UDP, several payloads: no coverage" "$(json udp.sum coverage)" null
tap_match "UDP, several payloads: the summary says why" "$(cat udp.err)" \
	'^  coverage    not estimated: pairs get probes of several kinds$'

ended "UDP, one payload a port" alike
tap_match "UDP, one payload a port, the operator's or built in: a coverage" \
	"$(json alike.sum coverage)" '"estimate": 0\.9'

ended "discovery" ping
tap_is "discovery: four kinds of probes, each three times" "$(json ping.sum sim probes)" \
	$((512 * 4 * 3))
tap_is "discovery: no coverage, and why" \
	"$(json ping.sum coverage) $(json ping.sum no_coverage)" \
	"null pairs get probes of several kinds"

ended "two source ports for three transmissions" few
tap_is "two source ports: all are sent" "$(json few.sum sim probes)" 3072
tap_match "two source ports: the start line warns" "$(cat few.err)" \
	'^warning: 2 source ports are too few to tell 3 transmissions apart'
tap_match "two source ports: the summary says why there is no coverage" "$(cat few.err)" \
	'^  coverage    not estimated: source ports are too few to tell repeats apart$'
sim_truth "${few[@]}" >want
records few.ndjson >got
tap_same "two source ports: the results are the truth" got want

ended "one pair" one
tap_is "one pair: three transmissions" "$(json one.sum sim probes)" 3
tap_true "one pair: a second between two ($(json one.sum sending_s) s)" \
	python3 -c "raise SystemExit(not 1.9 < $(json one.sum sending_s) < 10)"

sim_truth -p 1-4 198.18.4.0/24 >want
# shellcheck disable=SC2086 # one word behind a blank
wait $most
ended "16 probes" most
tap_is "16 probes: each pair so often" "$(json most.sum sim probes)" $((16 * 1024))
records most.ndjson >got
tap_same "16 probes: losses are made up for" got want

ended "no answer at all" none
tap_is "no answer at all: no coverage, and why" \
	"$(json none.sum coverage) $(json none.sum no_coverage)" "null nothing answered"

tap_done
