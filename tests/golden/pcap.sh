#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Bytes out and bytes in, through capture files and the other ports from which nothing leaves the
# machine. As an ordinary user where possible: it needs no privilege.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-pcap.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1

source=198.19.0.1
next_hop=02:00:00:00:00:77
ports=22,80,443

run() { # PORT ARGUMENTS...
	local port=$1
	shift
	rm -f run.*
	status=0
	"$PRTIP_DP" --set "dataplane.port=$port" --set dataplane.source=$source \
		--set dataplane.gateway_mac=$next_hop --set scan.cooldown=1s \
		-o ndjson:run.ndjson -o summary:run.sum "$@" </dev/null >run.out 2>run.err || status=$?
	[ -e run.ndjson ] || : >run.ndjson
}

run_status() { # DESCRIPTION WANTED
	tap_is "$1" "$status" "$2" || {
		tap_note_file run.err
		tap_note_file run.sum
		return 1
	}
}

"$PRTIP_DP" --set dataplane.port=sim -p $ports --exclude 198.18.1.0/24 --list-targets \
	198.18.0.0/20 >expected

# --- Bytes out ------------------------------------------------------------------------------------

# An empty capture to receive from.
printf '\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xff\xff\x00\x00\x01\0\0\0' >empty.pcap

for lcores in 1/1 2/1 auto/auto; do
	run net_pcap0,rx_pcap=empty.pcap,tx_pcap=out.pcap -p $ports --exclude 198.18.1.0/24 --rate max \
		--set dataplane.tx_lcores=${lcores%/*} --set dataplane.rx_lcores=${lcores#*/} 198.18.0.0/20
	if [ $lcores = 2/1 ] && [ "$status" -ne 0 ]; then
		# A capture file has one queue.
		tap_true "$lcores lcores: too many are refused (exit $status) with a message" test -s run.err
		continue
	fi
	run_status "$lcores lcores: exit status" 0
	tap_import < <(python3 "$TESTS_DIR/lab/tools/wire.py" out.pcap --expect expected \
		--source $source --next-hop $next_hop --forbid 198.18.1.0/24 |
		sed "s#^\(not ok\|ok\) - #&$lcores lcores: #")
	rm -f out.pcap
done

run net_pcap0,rx_pcap=empty.pcap,tx_pcap=out.pcap -p $ports --rate max \
	--set dataplane.source_ports=40000-40099 198.18.0.0/24
"$PRTIP_DP" --set dataplane.port=sim -p $ports --list-targets 198.18.0.0/24 >expected
run_status "source_ports: exit status" 0
tap_import < <(python3 "$TESTS_DIR/lab/tools/wire.py" out.pcap --expect expected \
	--source $source --source-ports 40000-40099 --next-hop $next_hop |
	sed "s#^\(not ok\|ok\) - #&source_ports = 40000-40099: #")

# --- Bytes in -------------------------------------------------------------------------------------

# The driver's own address for the port, two that are not, and everybody's.
for mac in 02:70:63:61:70:00 $next_hop 00:00:00:00:00:00 ff:ff:ff:ff:ff:ff; do
	count=$(python3 "$TESTS_DIR/golden/frames.py" in.pcap "$mac" $source 198.18.0.0/24 $ports)
	run net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap --set output.include_closed=yes -p $ports \
		--rate 1k 198.18.0.0/24
	run_status "$count hostile frames to $mac: exit status" 0
	tap_is "$count hostile frames to $mac: no results" "$(wc -l <run.ndjson)" 0
	tap_is "$count hostile frames to $mac: nothing was validated" "$(json run.sum validated)" 0
done

# --- Our own frames come back, or nothing does ----------------------------------------------------

run net_ring0 --set output.include_closed=yes -p $ports --rate 10k 198.18.0.0/22
run_status "net_ring, which hands our probes back to us: exit status" 0
tap_is "net_ring: our own probes are no answers" "$(wc -l <run.ndjson)" 0
tap_is "net_ring: nor are they validated" "$(json run.sum validated)" 0

run net_null0 -p $ports --rate max 198.18.0.0/16
run_status "net_null, which sends nothing and receives zeros: exit status" 0
tap_is "net_null: no results" "$(wc -l <run.ndjson)" 0
tap_is "net_null: all probes were sent" "$(json run.sum probes_sent)" 196608

tap_done
