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
source6=2001:db8:ff::1
next_hop=02:00:00:00:00:77
ports=22,80,443

run() { # PORT ARGUMENTS...
	local port=$1
	shift
	rm -f run.*
	status=0
	"$PRTIP_DP" --set "dataplane.port=$port" --set dataplane.source=$source,$source6 \
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

both=(--exclude 198.18.1.0/24 --exclude 2001:db8::100/120 198.18.0.0/20 2001:db8::/118)
"$PRTIP_DP" --set dataplane.port=sim -p $ports --list-targets "${both[@]}" >expected

# --- Bytes out ------------------------------------------------------------------------------------

# An empty capture to receive from.
printf '\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xff\xff\x00\x00\x01\0\0\0' >empty.pcap

for lcores in 1/1 2/1 auto/auto; do
	run net_pcap0,rx_pcap=empty.pcap,tx_pcap=out.pcap -p $ports --rate max \
		--set dataplane.tx_lcores=${lcores%/*} --set dataplane.rx_lcores=${lcores#*/} "${both[@]}"
	if [ $lcores = 2/1 ] && [ "$status" -ne 0 ]; then
		# A capture file has one queue.
		tap_true "$lcores lcores: too many are refused (exit $status) with a message" test -s run.err
		continue
	fi
	run_status "$lcores lcores: exit status" 0
	tap_import < <(python3 "$TESTS_DIR/lab/tools/wire.py" out.pcap --expect expected \
		--source $source --source $source6 --next-hop $next_hop --forbid 198.18.1.0/24 \
		--forbid 2001:db8::100/120 | sed "s#^\(not ok\|ok\) - #&$lcores lcores: #")
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

# Those whose payloads have tokens, as ports alone are guessed now and then.
guarded=53,123,161
own=02:70:63:61:70:00 # the driver's own address for the port
hostile() { # MAC TYPE ARGUMENTS...
	local mac=$1 what="$2, $count hostile frames to $1"
	run net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap --set output.include_closed=yes --rate 5k \
		--scan-type "${@:2}"
	run_status "$what: exit status" 0
	tap_is "$what: no results" "$(wc -l <run.ndjson)" 0
	tap_is "$what: nothing was validated" "$(json run.sum validated)" 0
	# net_pcap ends with its file: all of it was read, and looked at by where it came to.
	[ "$mac" != $own ] || tap_is "$what: all were received" "$(json run.sum rx_frames)" "$count"
}

# Two addresses that are not the port's, and everybody's.
for mac in $next_hop 00:00:00:00:00:00 ff:ff:ff:ff:ff:ff $own; do
	count=$(python3 "$TESTS_DIR/golden/frames.py" in.pcap "$mac" $source,$source6 \
		198.18.0.0/24,2001:db8::/120 $guarded)
	hostile "$mac" syn -p $guarded 198.18.0.0/24 2001:db8::/120
done
hostile $own syn --set banner.enable=on -p $guarded 198.18.0.0/24 2001:db8::/120
for type in ack udp sctp; do
	hostile $own $type -p $guarded 198.18.0.0/24 2001:db8::/120
done
for type in icmp discovery; do
	hostile $own $type 198.18.0.0/24 2001:db8::/120
done
hostile $own arp 198.18.0.0/24
hostile $own ndp 2001:db8::/120

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
