#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every scan type, in both families at once: what is reported is the simulated network's truth, each
# once, and the silent rest is counted under what silence means.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/sim.sh"

closed=(--set output.include_closed=yes)

# type TYPE MEANING ARGUMENTS...
type() {
	local name=$1 meaning=$2 pairs
	shift 2
	sim_truth --scan-type "$name" "$@" >want
	pairs=$("$PRTIP_DP" "${sim_network[@]}" --scan-type "$name" "$@" --list-targets | wc -l)
	tap_true "$name: the truth has $(wc -l <want) of $pairs pairs" \
		test -s want -a "$(wc -l <want)" -lt "$pairs"
	sim "$name" "${closed[@]}" --scan-type "$name" --rate 100k "$@"
	sim_status "$name: exit status" "$name" 0
	records "$name.ndjson" >got
	if [ "$name" = discovery ]; then
		# Which of the probes is answered first is up to the network's delays.
		sed -i 's/ - [a-z]* / - /' got want
	fi
	tap_same "$name: the results equal the truth, each once" got want
	tap_is "$name: silence is counted" "$(json "$name.sum" no_answer)" $((pairs - $(wc -l <want)))
	tap_is "$name: and means" "$(json "$name.sum" no_answer_means)" "$meaning"
	tap_is "$name: nothing was rejected" "$(json "$name.sum" rejected)" 0
}

both=(198.18.0.0/23 2001:db8::/119)
ports=(-p "21-24,80,443" "${both[@]}")
type syn filtered "${ports[@]}"
type ack filtered "${ports[@]}"
type window filtered "${ports[@]}"
type fin 'open|filtered' "${ports[@]}"
type null 'open|filtered' "${ports[@]}"
type xmas 'open|filtered' "${ports[@]}"
type maimon 'open|filtered' "${ports[@]}"
type udp 'open|filtered' -p "7,53,123,161,443,500,5060" "${both[@]}"
type sctp filtered "${ports[@]}"
type icmp down "${both[@]}"
type arp down 198.18.0.0/23
type ndp down 2001:db8::/119
type discovery down "${both[@]}"

# IPv6 as such: more lcores, holes, single addresses out of a file, an index of over 64 bits.
space=(-p 1-16 2001:db8::/116 --exclude 2001:db8::400-2001:db8::7ff)
sim_truth "${space[@]}" >want
for lcores in 2/1 2/2; do
	sim lcores "${closed[@]}" --set dataplane.tx_lcores=${lcores%/*} \
		--set dataplane.rx_lcores=${lcores#*/} --rate 100k "${space[@]}"
	sim_status "IPv6, $lcores lcores: exit status" lcores 0
	records lcores.ndjson >got
	tap_same "IPv6, $lcores lcores: the results equal the truth" got want
done
python3 - >hits <<'PY'
import random
dice = random.Random(6)
for _ in range(20000):
    print(f"2001:db8:{dice.randrange(1 << 16):x}::{dice.randrange(1 << 16):x}:{dice.randrange(1 << 16):x}")
PY
sim_truth -p 80,443 -iL hits >want
sim hits "${closed[@]}" --rate 100k -p 80,443 -iL hits
sim_status "a hit list of 20,000 addresses: exit status" hits 0
records hits.ndjson >got
tap_same "a hit list of 20,000 addresses: the results equal the truth" got want

sim wide --rate 100k -p 1-1000 2001:db8::/32 --set scan.max_results=500
sim_status "2^106 pairs, up to 500 results: exit status" wide 0
tap_is "2^106 pairs: exactly 500 results" "$(wc -l <wide.ndjson)" 500
tap_is "2^106 pairs: not complete" "$(json wide.sum complete)" false
tap_is "2^106 pairs: counted as they are" "$(json wide.sum targets)" \
	"$(python3 -c 'print(1000 * 2**96)')"
records wide.ndjson | head -n 20 | while read -r ip port _ state; do
	[ "$(sim_truth -p "$port" "$ip")" = "$ip $port tcp $state" ] || echo "$ip $port"
done >wrong
tap_is "2^106 pairs: results are the truth" "$(cat wrong)" ""

tap_done
