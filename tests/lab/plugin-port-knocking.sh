#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# plugins/port-knocking before doors that open to the right knocks only, TCP and UDP, each host with its
# own. What was knocked is told by the doors and by a capture on their side of the wire.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_routed
net=198.18.22
# A shut door is silent on host 1, and looks like a closed port elsewhere.
on world nft -f - <<'NFT'
table ip lab {
	set doors {
		type ipv4_addr . ipv4_addr
	}
	chain input {
		type filter hook input priority 0
		tcp dport 22 ip saddr . ip daddr != @doors ip daddr 198.18.22.1 drop
		tcp dport 22 ip saddr . ip daddr != @doors reject with tcp reset
	}
}
NFT
listen world 0.0.0.0 22 80
ip netns exec world python3 "$LAB_TOOLS/knockd.py" veth1 \
	$net.1=tcp/7001,udp/8001,tcp/9001 $net.2=udp/8002,udp/8003 $net.3=tcp/7003,tcp/7004 \
	$net.4=tcp/7003,tcp/7004 $net.5=tcp/7005,tcp/7006 >>knockd.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
for _ in $(seq 100); do
	! grep -q ready knockd.log || break
	sleep 0.05
done

# Hosts 1 and 2 have sequences of their own; 3 and 4 the common one; that of 5 is not
# its door's, and 9 is not scanned.
cat >knock.ini <<INI
[plugin:port-knocking]
sequences = $net.1: tcp/7001 udp/8001 tcp/9001 delay=0.4 opens=22, $net.2: udp/8002 udp/8003 opens=22 opens=80
sequence_others = *: tcp/7003 tcp/7004 opens=22
sequence_wrong = $net.5: tcp/7006 tcp/7007 opens=22
sequence_away = $net.9: tcp/7001 opens=22
settle = 0.1
INI

# For each scan the doors are shut at first.
knock() { # NAME ARGUMENT...
	local name=$1
	shift
	on world nft flush set ip lab doors
	: >knockd.log
	scan "$name" --plugin-dir "$TOP_DIR/plugins" --set "dataplane.port=$port" --rate 200 -p 22 \
		--set "dataplane.source=$source" --set dataplane.source_ports=40000-40999 "$@"
	scan_status "$name: exit status" "$name" 0
}
open_hosts() { # NAME
	records "$1.ndjson" | awk '{ print $1, $2, $4 }' | tr '\n' ' '
}

port=$(lab_ports veth0 | tail -n 1)
source=$SCANNER_IP
[ "$port" = af_packet:veth0 ] || source=$SPARE_IP

knock without $net.1-$net.5
tap_is "without knocking nothing is open" "$(open_hosts without)" ""

name=knock
capture_start world veth1 "$name.pcap" "dst net $net.0/24 and (tcp[13] == 0x02 or udp)"
knock "$name" -c knock.ini --plugin port-knocking $net.1-$net.5
capture_stop
tap_is "with it, four doors of five open" "$(open_hosts "$name")" \
	"$net.1 22 open $net.2 22 open $net.3 22 open $net.4 22 open "
sed -n 's/^knock //p' knockd.log >heard
# What each door heard, in its order; the wrong ones twice, as the port stayed shut.
tap_is "the doors heard the knocks in order" \
	"$(for host in 1 2 3 4 5; do
		awk -v host="$net.$host" '$2 == host { print $3 }' heard
		echo .
	done | tr '\n' ' ')" \
	"tcp/7001 udp/8001 tcp/9001 . udp/8002 udp/8003 . tcp/7003 tcp/7004 . tcp/7003 tcp/7004 . tcp/7006 tcp/7006 . "
tap_is "all from the scan's own address" "$(awk '{ print $1 }' heard | sort -u)" "$source"
tap_is "and its own ports" \
	"$(tcpdump -nr "$name.pcap" "not (src host $source and src portrange 40000-40999)" 2>/dev/null | wc -l)" 0
tap_true "knocks are at least delay apart" python3 - "$name.pcap" $net.1 <<-PY
	import sys
	sys.path.insert(0, "$LAB_TOOLS")
	from wire import read_pcap
	import socket, struct
	times = [when for when, frame, _ in read_pcap(sys.argv[1])
	         if frame[30:34] == socket.inet_aton(sys.argv[2])
	         and struct.unpack_from("!H", frame, 36)[0] in (7001, 8001, 9001)]
	sys.exit(not (len(times) >= 3 and all(b - a > 0.39 for a, b in zip(times, times[1:]))))
PY
said "$name.ndjson" port-knocking opened_by_knocking | cut -d' ' -f1,3- >got
for host in 1 2 3 4; do
	echo "$net.$host ok true"
done >want
tap_same "records tell that knocking opened it" got want
tap_is "and what was knocked and seen" "$(value "$name.ndjson" port-knocking 22 sequences | head -n 1)" \
	'[{"after": {"tcp/22": "open"}, "attempts": 1, "before": {"tcp/22": "no-answer"}, "open": true, "sequence": "tcp/7001 udp/8001 tcp/9001"}]'
tap_match "the log tells of the one that stayed shut" "$(cat "$name.err")" \
	"$net.5: tcp/22 closed, then closed \(tcp/7006 tcp/7007, 2 of 2 attempts\)"
tap_match "and of the one that is not scanned" "$(cat "$name.err")" \
	"$net.9: not knocked at: it is no target of this scan"
tap_match "and sums up" "$(cat "$name.err")" \
	"knocked at 5 addresses; what should open was open for 4 of 5 sequences"
tap_is "the one that is not scanned was left alone" "$(tcpdump -nr "$name.pcap" "dst host $net.9" 2>/dev/null | wc -l)" 0
tap_account "the account is exact" "$name" port-knocking

# Settings that cannot be: nothing is sent.
capture_start world veth1 bad.pcap "dst net $net.0/24"
bad() { # DESCRIPTION SETTING PATTERN
	scan bad --plugin-dir "$TOP_DIR/plugins" --set "dataplane.port=$port" -p 22 --plugin port-knocking \
		--plugin-arg "port-knocking.$2" $net.1
	tap_is "$1: exit status" "$status" 2
	tap_match "$1: what is wrong" "$(cat bad.err)" "$3"
}
bad "no knock" "sequences=$net.1: opens=22" 'sequences, number 1, .*there is no knock in it, such as tcp/7000'
bad "a port that is none" "sequences=$net.1: tcp/1,$net.1: tcp/99999" 'sequences, number 2.*tcp/99999: a knock is tcp/PORT'
bad "a delay that is none" "delay=-1" 'delay must be a number from 0 to 60'
capture_stop
tap_is "nothing was sent for these" "$(tcpdump -nr bad.pcap 2>/dev/null | wc -l)" 0

tap_done
