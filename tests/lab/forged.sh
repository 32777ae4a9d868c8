#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A flood of forged answers changes nothing in the results: what comes with the right addresses and
# ports but without our cookie is counted as rejected.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
listen world 0.0.0.0 80
listen world 198.18.0.7 443
# Silence from the rest of the prefix, so that a forgery believed would show.
on world nft -f - <<'NFT'
table ip filter {
	chain input {
		type filter hook input priority 0
		tcp dport { 22, 8080 } drop
		ip daddr 198.18.2.0/23 tcp dport { 80, 443 } drop
	}
}
NFT
ports=22,80,443,8080
truth world 198.18.0.0/22 $ports >want

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	ip netns exec world python3 "$LAB_TOOLS/forge.py" veth1 "$(mac_of scanner veth0)" \
		$SCANNER_IP 198.18.0.0/22 $ports 32768-49151 30 20000 &
	forger=$!
	sleep 0.5
	scan "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 1k \
		-p $ports 198.18.0.0/22
	kill $forger 2>/dev/null
	wait $forger 2>/dev/null
	scan_status "$driver: exit status under a flood" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: results under a flood equal the truth" got want
	rejected=$(json "$driver.sum" rejected)
	tap_true "$driver: forgeries are counted as rejected ($rejected)" \
		test "${rejected%%[!0-9]*}" -gt 10000
done

tap_done
