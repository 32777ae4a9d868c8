#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A wire that goes and comes back at a random instant, and next hops whose hardware address changes: what
# the far end got, the truth there, and an account that names what may be missing.
#
#     [FAULT_SEED=N] tests/faults/link.sh

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"

WORLD=$(dirname "$PRTIP_DP")/bench/world
PORTS=22,80,443,8080
RANDOM=${FAULT_SEED:=$RANDOM}
tap_note "seed $FAULT_SEED"

# nap FROM TO: sleep for a random time between so many hundredths of a second. Not in a subshell, which
# would have random numbers of its own.
nap() {
	local hundredths=$(($1 + RANDOM % ($2 - $1)))
	sleep "$((hundredths / 100)).$(printf '%02d' $((hundredths % 100)))"
}
new_mac() { # as $new
	printf -v new '02:00:00:00:%02x:%02x' $((RANDOM % 256)) $((RANDOM % 256))
}

# Both drivers and both ends take minutes: short of a night each has every other one, by the seed.
turn=$((RANDOM % 2))
is_chosen() {
	turn=$((turn + 1))
	[ "${FAULT_ROUNDS:-10}" -gt 10 ] || [ $((turn % 2)) -eq 0 ]
}

lost() { # NAME.sum COUNTER...
	local file=$1 sum=0 name
	shift
	for name in "$@"; do
		sum=$((sum + $(json "$file" lost "$name")))
	done
	echo $sum
}

# judge WHAT NAME COUNTER: got against want; what is missing has to be in COUNTER (or have been
# dropped by a full queue), and then the exit status is 3.
judge() {
	local what=$1 name=$2 counter=$3 missing explained
	records "$name.ndjson" >got
	tap_is "$what: results are true, each once" "$(comm -23 got want | head -3)$(uniq -d got | head -3)" ''
	missing=$(comm -13 got want | wc -l)
	explained=$(lost "$name.sum" "$counter" rx_missed tx_dropped)
	tap_true "$what: what is missing is named ($missing, of $explained that may be)" \
		test "$missing" -le "$explained" || tap_note_file "$name.err"
	tap_is "$what: exit status" "$status" "$([ "$explained" -gt 0 ] && echo 3 || echo 0)"
	tap_is "$what: all else is in order" \
		"$(json "$name.sum" complete) $(($(json "$name.sum" results) + $(json "$name.sum" no_answer)))" \
		"true $(json "$name.sum" targets)"
}

# --- The wire goes ----------------------------------------------------------------------------------

lab_machine scanner
lab_machine world
lab_wire scanner veth0 world veth1
ip -n scanner address add $SCANNER_IP/24 dev veth0

space=(-p "$PORTS" 198.18.0.0/22)
"$PRTIP_DP" --set dataplane.port=sim --set sim.alive=0.5 --set sim.open=0.3 --set sim.seed=5 \
	--sim-truth "${space[@]}" | sort >want

world_start() {
	local tries=0
	rm -f world.json world.err
	ip netns exec world "$WORLD" -g $WORLD_IP -o world.json --alive 0.5 --open 0.3 --seed 5 --exact \
		-p "$PORTS" af_packet:veth1 198.18.0.0/22 </dev/null >world.out 2>world.err &
	world_pid=$!
	until grep -q '^ready' world.err 2>/dev/null || [ $((tries += 1)) -gt 200 ]; do
		sleep 0.05
	done
}
world_stop() {
	sleep 0.3
	kill -TERM $world_pid
	wait $world_pid
}
until_said() { # TEXT
	local tries=0
	until grep -q -- "$1" "$scan_name.err" 2>/dev/null || [ $((tries += 1)) -gt 200 ]; do
		sleep 0.05
	done
}
# A link that goes down takes the routes along.
route() {
	ip -n scanner route replace 198.18.0.0/16 via $WORLD_IP
}

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	for end in scanner:veth0 world:veth1; do
		is_chosen || continue
		machine=${end%:*} device=${end#*:}
		what="$driver, the $machine's end is down"
		world_start
		route
		scan_start "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 2k \
			"${space[@]}"
		until_said 'through '
		nap 30 120
		ip -n "$machine" link set "$device" down
		nap 50 120
		# What is sent while nothing can arrive would be lost, or arrive all at once.
		until_said 'the link of veth0 is down: probes wait for it'
		before=$(on scanner cat /sys/class/net/veth0/statistics/tx_dropped)
		sleep 0.3
		# af_packet tries one that it keeps again and again, and each counts.
		tap_true "$what: nothing is handed to it meanwhile" test \
			$(($(on scanner cat /sys/class/net/veth0/statistics/tx_dropped) - before)) -lt 100
		ip -n "$machine" link set "$device" up
		scan_wait
		world_stop
		judge "$what" "$driver" link_down
		tap_match "$what: it is told" "$(cat "$driver.err")" '^prtip-dp: the link is up again, after'
		tap_is "$what: no target was probed twice" "$(json world.json duplicates)" 0
		tap_true "$what: probes that did not arrive are among those named" \
			test $((4096 - $(json world.json targets))) -le "$(lost "$driver.sum" link_down)"
	done

	is_chosen || continue
	what="$driver, down for good"
	world_start
	route
	scan_start "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 2k \
		"${space[@]}"
	until_said 'through '
	nap 30 100
	ip -n world link set veth1 down
	until_said 'the link of veth0 is down'
	# Long enough for a question to a gateway, which cannot leave either.
	sleep 2.5
	kill -INT $scan_pid
	timeout 20 tail --pid=$scan_pid -f /dev/null
	tap_true "$what: one interrupt ends it" test $? -eq 0 || kill -KILL $scan_pid
	scan_wait
	tap_is "$what: exit status" "$status" 130
	records "$driver.ndjson" >got
	tap_is "$what: results are true" "$(comm -23 got want | wc -l)" 0
	ip -n world link set veth1 up
	world_stop
done

# --- Next hops move -----------------------------------------------------------------------------------

# As the frames that come tell: `IP MAC` of each SYN.
seen() { # FILE.pcap
	tcpdump -e -tt -nr "$1" 'tcp[tcpflags] & (tcp-syn | tcp-ack) == tcp-syn' 2>/dev/null |
		sed -nE 's/^([0-9.]+) [0-9a-f:]+ > ([0-9a-f:]+),.* > ([0-9.]+)\.[0-9]+: .*/\1 \2 \3/p'
}

lab_reset
lab_routed
listen world 0.0.0.0 80
truth world 198.18.0.0/20,198.18.16.0/22 80 | sed 's/ [^ ]*$//' >want
for port in $(lab_ports veth0); do
	is_chosen || continue
	driver=${port%%:*}
	what="$driver, the gateway gets another address"
	old=$(mac_of world veth1)
	new_mac
	capture_start world veth1 moved.pcap
	scan_start "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 500 \
		-p 80 198.18.0.0/20 198.18.16.0/22
	until_said 'through '
	nap 30 100
	ip -n world link set veth1 address "$new"
	scan_wait
	capture_stop
	seen moved.pcap >frames
	judge "$what" "$driver" next_hop_moved
	tap_is "$what: probes go to the old one, then to the new one" \
		"$(cut -d' ' -f2 frames | uniq | paste -sd' ')" "$old $new"
	tap_true "$what: those that went astray are among those named ($(comm -13 got want | wc -l))" \
		test "$(comm -13 got want | wc -l)" -le "$(lost "$driver.sum" next_hop_moved)"
	tap_true "$what: it was followed well before the end" \
		test "$(grep -c " $new " frames)" -gt 200
done

lab_reset
lab_onlink
for n in 1 2 3; do
	listen host$n 0.0.0.0 80
done
for n in 1 2 3; do
	truth host$n 198.19.0.1$n 1-1700 | sed 's/ [^ ]*$//'
done | sort >want
turn=$((turn + 1)) # the other driver
for port in $(lab_ports veth0); do
	is_chosen || continue
	driver=${port%%:*}
	what="$driver, a host on link gets another address"
	new_mac
	old=$(mac_of host1 veth0)
	capture_start host1 veth0 moved.pcap
	scan_start "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 1k \
		-p 1-1700 198.19.0.11-198.19.0.13
	until_said 'through '
	nap 30 100
	ip -n host1 link set veth0 address "$new"
	scan_wait
	capture_stop
	seen moved.pcap >frames
	judge "$what" "$driver" next_hop_moved
	tap_is "$what: probes go to the old one, then to the new one" \
		"$(cut -d' ' -f2 frames | uniq | paste -sd' ')" "$old $new"
	tap_is "$what: the other hosts' results are whole" \
		"$(comm -13 got want | grep -vc '^198\.19\.0\.11 ')" 0
done

tap_done
