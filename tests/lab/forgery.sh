#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# forgery.sh [SECONDS RATE LEAST]: an adversary (bench/forge) on the wire of true scans, who knows
# all but the key. Nothing that he forges is taken, and each forged frame is accounted for.
#
# The scanner's targets are thirds: hosts of bench/world, addresses where nobody is, and addresses of the
# adversary's own, whose probes he sees and answers three times in truth. What he sends about the
# others is made of what he knows and of what he saw. At RATE a second he forges for SECONDS, at LEAST so
# many for each scan. `make forgery` runs it long enough for 10^7, and says what the same scans cost in
# peace.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

SECONDS_EACH=${1:-2} RATE=${2:-40000} LEAST=${3:-1000}
BENCH=$(dirname "$PRTIP_DP")/bench
[ -x "$BENCH/forge" ] || tap_skip_all "no $BENCH/forge"

lab_machine scanner
lab_machine world
lab_wire scanner veth0 world veth1
# The kernels have no IPv6 there, and send nothing of their own: each frame is somebody's.
ip -n scanner address add $SCANNER_IP/24 dev veth0

WORLD_NETS="198.18.0.0/23 2001:db8::/119"
TARGETS=198.18.0.0-198.18.4.255,2001:db8::/118,2001:db8::400/120
TIMEFORMAT='%U %S'
sim=(--set sim.alive=0.5 --set sim.open=0.3 --set sim.seed=9)

counter() { # NAME DEVICE COUNTER: of the kernel's interface
	on "$1" cat "/sys/class/net/$2/statistics/$3"
}

wait_ready() { # FILE PID
	local tries=0
	until grep -q '^ready' "$1" 2>/dev/null; do
		tries=$((tries + 1))
		if [ $tries -gt 400 ] || ! kill -0 "$2" 2>/dev/null; then
			tap_not_ok "the far side started"
			tap_note_file "$1"
			tap_done
		fi
		sleep 0.05
	done
}

far_start() { # PORTS [KINDS]
	# shellcheck disable=SC2086 # a list of words
	ip netns exec world "$BENCH/world" -g $WORLD_IP -g $WORLD_IP6 -p "$1" -o world.json --alive 0.5 \
		--open 0.3 --seed 9 af_packet:veth1 $WORLD_NETS </dev/null >world.out 2>world.err &
	world_pid=$!
	wait_ready world.err $world_pid
	sent_before=$(counter world veth1 tx_packets)
	got_before=$(counter scanner veth0 rx_packets)
	forge_pid=
	[ $# -gt 1 ] || return
	ip netns exec world "$BENCH/forge" --scanner $SPARE_IP --scanner $SPARE_IP6 \
		--victims 198.18.0.0/22 --victims 2001:db8::/118 \
		--own 198.18.4.0/24 --own 2001:db8::400/120 --gateway $WORLD_IP --gateway $WORLD_IP6 \
		--ports "$1" --kinds "$2" --rate "$RATE" --seconds "$SECONDS_EACH" --truth forge.truth \
		veth1 "$(mac_of scanner veth0)" </dev/null >forge.json 2>forge.err &
	forge_pid=$!
	wait_ready forge.err $forge_pid
}

far_stop() {
	[ -z "$forge_pid" ] || { kill -TERM $forge_pid && wait $forge_pid; }
	kill -TERM $world_pid && wait $world_pid
}

probe() { # NAME RATE ARGUMENTS...: scan; leaves NAME.cpu, seconds of user and system
	local name=$1 rate=$2
	shift 2
	{ time scan "$name" --set dataplane.port=af_packet:veth0 \
		--set dataplane.source=$SPARE_IP,$SPARE_IP6 \
		--set dataplane.gateway=$WORLD_IP,$WORLD_IP6 \
		--set output.include_closed=yes --set scan.cooldown=1s \
		--rate "$rate" "$@" $TARGETS; } 2>"$name.cpu"
}

# The adversary has his time within the sending: probes go a little longer than he does.
attack() { # NAME PORTS KINDS ARGUMENTS...: scan under attack and judge it
	local name=$1 ports=$2 kinds=$3
	local run pairs=$(((1280 + 1280) * $(tr ',' '\n' <<<"$ports" | grep -c .)))
	shift 3
	if [ "$LEAST" -ge 1000000 ]; then
		far_start "$ports"
		probe "$name-peace" $((pairs / SECONDS_EACH)) "$@"
		far_stop
	fi
	far_start "$ports" "$kinds"
	probe "$name" $((pairs / SECONDS_EACH)) "$@"
	far_stop
	cat "$LAB/forge.json" >>forged.all
	tap_match "$name: exit status" "$status" '^[03]$' || tap_note_file "$name.err"
	{
		"$PRTIP_DP" --set dataplane.port=sim "${sim[@]}" "$@" --sim-truth "${WORLD_NETS/ /,}"
		cat forge.truth
	} | sort -u >want
	records "$name.ndjson" >got
	tap_import < <(python3 "$LAB_TOOLS/forged.py" "$name" "$name.sum" forge.json world.json want got \
		forge.truth "$LEAST" \
		$(($(counter world veth1 tx_packets) - sent_before)) "$(counter world veth1 tx_dropped)" \
		$(($(counter scanner veth0 rx_packets) - got_before)) "$(counter scanner veth0 rx_dropped)")
	for run in "$name-peace" "$name"; do
		[ ! -e "$run.sum" ] || tap_note "$run: $(cat "$run.cpu") s CPU (user, system)," \
			"$(json "$run.sum" elapsed_s) s, $(json "$run.sum" validated) answers," \
			"$(json "$run.sum" rx_frames) frames"
	done
	tap_is "$name: no forged word in a record" "$(grep -c forged "$name.ndjson")" 0
}

# All that goes where forged neighbours claim to be.
capture_start world veth1 astray.pcap "ether dst 02:00:00:00:00:66"
: >forged.all
attack syn 22,80,443 tcp,link -sS -p 22,80,443 --set banner.enable=on --set banner.wait=1s
attack udp 53,123 udp,link -sU -p 53,123
attack sctp 80,443 sctp,link -sY -p 80,443
attack icmp 0 icmp,link --scan-type icmp
capture_stop
tap_is "no frame went where a forged neighbour is" "$(tcpdump -nr astray.pcap 2>/dev/null | wc -l)" 0
tap_true "the adversary had nothing to complain of" test "$(cat forge.err)" = ready ||
	tap_note_file forge.err
tap_note "$(python3 -c 'import json
print(sum(json.loads(line)["forged"] for line in open("forged.all")), "frames were forged")')"

tap_done
