#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# 2^24 simulated pairs, at several maps of lcores and numbers of shards. Takes minutes: `make soak`.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/../sim/sim.sh"

space=(-p 1-128 198.18.0.0/15)
sim_truth "${space[@]}" | grep ' open$' >want

for lcores in 1/1 2/2 auto/auto; do
	sim whole --set dataplane.tx_lcores=${lcores%/*} --set dataplane.rx_lcores=${lcores#*/} \
		--rate max "${space[@]}"
	sim_status "2^24 pairs, $lcores lcores: exit status" whole 0
	records whole.ndjson >got
	tap_same "2^24 pairs, $lcores lcores: the open set equals the truth, each once" got want
done

for shards in 2 5; do
	: >union
	for shard in $(seq $shards); do
		sim shard --seed 5 --shard "$shard/$shards" --rate max "${space[@]}"
		sim_status "2^24 pairs, shard $shard/$shards: exit status" shard 0
		records shard.ndjson >>union
	done
	sort union >got
	tap_same "2^24 pairs, $shards shards: their union is the truth, each once" got want
done

tap_done
