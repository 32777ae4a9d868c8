#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench/world on the far side of a wire: what it answers is the simulated network's truth, for us and
# for other scanners, and what it counts is what the kernel's interface and a capture there count.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

WORLD=$(dirname "$PRTIP_DP")/bench/world
[ -x "$WORLD" ] || tap_skip_all "no $WORLD"

lab_machine scanner
lab_machine world
lab_wire scanner veth0 world veth1
ip -n scanner address add $SCANNER_IP/24 dev veth0
ip -n scanner route add 198.18.0.0/16 via $WORLD_IP

# world_start DEVICE ARGUMENTS...: it answers when this returns; world_stop leaves world.json.
world_start() {
	local tries=0
	rm -f world.json world.targets world.err
	ip netns exec world "$WORLD" -g $WORLD_IP -o world.json --alive 0.5 --open 0.3 --seed 5 "$@" \
		</dev/null >world.out 2>world.err &
	world_pid=$!
	until grep -q '^ready' world.err 2>/dev/null; do
		tries=$((tries + 1))
		if [ $tries -gt 200 ] || ! kill -0 $world_pid 2>/dev/null; then
			tap_not_ok "the world started"
			tap_note_file world.err
			tap_done
		fi
		sleep 0.05
	done
}

# Once all that was sent has arrived.
world_stop() { # [SIGNAL]
	sleep 0.3
	world_status=0
	kill "-${1:-TERM}" $world_pid
	wait $world_pid || world_status=$?
}

frames() { # that have arrived there
	on world cat /sys/class/net/veth1/statistics/rx_packets
}

# The truth for these targets and ports, as `ip port state`.
sim_truth() { # TARGETS PORTS
	"$PRTIP_DP" --set dataplane.port=sim --set sim.alive=0.5 --set sim.open=0.3 --set sim.seed=5 \
		-p "$2" --sim-truth "$1" | awk '{ print $1, $2, $4 }' | sort
}

found() { # NAME.ndjson as the truth is
	python3 - "$1.ndjson" <<-'PY' | sort
		import json, sys
		for line in open(sys.argv[1]):
		    record = json.loads(line)
		    print(record["ip"], record["port"], record["state"])
	PY
}

# --- What we find, and what it saw of us ----------------------------------------------------------

PORTS=22,80,443,8080
"$PRTIP_DP" --set dataplane.port=sim -p $PORTS --list-targets 198.18.0.0/22 |
	awk '{ print $1, $2, 1 }' | sort >expected.targets
sim_truth 198.18.0.0/22 $PORTS >expected.truth

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	far=${driver}:veth1
	world_start --exact --targets world.targets -p $PORTS "$far" 198.18.0.0/22
	capture_start world veth1 seen.pcap 'tcp[tcpflags] & (tcp-syn | tcp-ack) == tcp-syn'
	before=$(frames)
	scan ours --set output.include_closed=yes --set "dataplane.port=$port" --rate 10000 -p $PORTS 198.18.0.0/22
	capture_stop
	after=$(frames)
	world_stop

	scan_status "$driver: exit status" ours 0
	tap_is "$driver: the world ends well" "$world_status" 0
	tap_true "$driver: there is a truth to find" test "$(grep -c ' open$' expected.truth)" -gt 500
	found ours >ours.found
	tap_true "$driver: we find the truth" cmp -s ours.found expected.truth
	tap_is "$driver: it counts each probe" "$(json world.json probes)" 4096
	tap_is "$driver: at as many targets" "$(json world.json targets)" 4096
	tap_is "$driver: none twice" "$(json world.json duplicates)" 0
	sort world.targets >world.sorted
	tap_true "$driver: which are those of the scan" cmp -s world.sorted expected.targets
	tap_is "$driver: the slots of time have them all" "$(python3 -c 'import json
print(sum(json.load(open("world.json"))["probes_by_slot"]))')" 4096
	tap_is "$driver: it answers what the truth has" "$(json world.json answers)" \
		$(($(wc -l <expected.truth) + $(json world.json questions)))
	tap_is "$driver: nothing is lost or damaged" \
		"$(json world.json lost_rx) $(json world.json lost_tx) $(json world.json bad_checksum)" "0 0 0"
	# With XDP frames go past packet sockets and the interface's counter alike.
	if [ "$driver" = af_packet ]; then
		tap_is "$driver: a capture there has as many" \
			"$(tcpdump -r seen.pcap -n 2>/dev/null | wc -l)" 4096
		tap_is "$driver: the interface counts the frames that it did" \
			"$(json world.json received)" $((after - before))
	fi
done

# --- Other wires ------------------------------------------------------------------------------------

# A TAP's near end is an interface of the same machine, there as long as the world is; memif needs no
# kernel.
memif=net_memif0,socket=$LAB/memif,socket-abstract=no,bsize=2048,rsize=12,role
for far in tap:far0 "memif:$LAB/memif"; do
	name=${far%%:*}
	world_start --exact -p $PORTS "$far" 198.18.0.0/22
	near=$memif=client
	machine=scanner
	if [ "$name" = tap ]; then
		near=af_packet:far0
		machine=world
		ip -n world address add $SCANNER_IP/24 dev far0
		ip -n world link set far0 up
	fi
	status=0
	on $machine "$PRTIP_DP" --quiet --overwrite --set scan.cooldown=1s --set output.include_closed=yes \
		--set "dataplane.port=$near" --set dataplane.source=$SCANNER_IP \
		--set dataplane.gateway=$WORLD_IP --rate 10000 -p $PORTS -o ndjson:wire.ndjson \
		198.18.0.0/22 >wire.out 2>wire.err </dev/null || status=$?
	world_stop
	scan_status "$name: exit status" wire 0
	found wire >wire.found
	tap_true "$name: we find the truth" cmp -s wire.found expected.truth
	tap_is "$name: it counts each probe once" "$(json world.json probes) $(json world.json targets)" "4096 4096"
done

# --- Repeats, strays, damage ----------------------------------------------------------------------

world_start --exact -p $PORTS af_packet:veth1 198.18.0.0/24
scan twice --set dataplane.port=af_packet:veth0 --set scan.probes=2 --rate 10000 -p $PORTS 198.18.0.0/23
cat >damage.py <<-'PY'
	# A SYN to 198.18.0.9:80 three times: whole, with a wrong TCP and with a wrong IPv4 checksum; and a
	# frame that is no packet.
	import socket, struct

	def total(data):
	    words = sum(struct.unpack(f">{len(data) // 2}H", data))
	    words = (words & 0xFFFF) + (words >> 16)
	    return ~((words & 0xFFFF) + (words >> 16)) & 0xFFFF

	def packet(ip_off, tcp_off):
	    source, target = socket.inet_aton("198.19.0.1"), socket.inet_aton("198.18.0.9")
	    tcp = struct.pack(">HHIIBBHHH", 4000, 80, 1, 0, 0x50, 2, 1024, 0, 0)
	    good = total(source + target + struct.pack(">HH", 6, len(tcp)) + tcp)
	    tcp = tcp[:16] + struct.pack(">H", good ^ tcp_off) + tcp[18:]
	    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, source, target)
	    return ip[:10] + struct.pack(">H", total(ip) ^ ip_off) + ip[12:] + tcp

	wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	wire.bind(("veth0", 0))
	link = bytes.fromhex("020000000001" "02000000000a")
	for payload in (packet(0, 0), packet(0, 0x100), packet(0x100, 0)):
	    wire.send(link + b"\x08\x00" + payload + bytes(6))
	wire.send(link + b"\x88\xcc" + bytes(46))
PY
on scanner python3 damage.py
world_stop INT
tap_is "half of the probes went to others" "$(json world.json strays)" 2048
tap_is "each target of its own had two" "$(json world.json duplicates)" $((1024 + 1))
tap_is "but for the one that had three" "$(python3 -c 'import json
print(json.load(open("world.json"))["targets_by_probes"])')" "{'2': 1023, '3': 1}"
tap_is "two frames were damaged" "$(json world.json bad_checksum)" 2
tap_is "one was no packet" "$(json world.json foreign)" 1

# --- Other scanners, and a kernel -----------------------------------------------------------------

world_start af_packet:veth1 198.18.0.0/22
hosts=198.18.0.1-24
sim_truth 198.18.0.0/27 1-100 | awk '$3 == "open" { split($1, part, "."); if (part[4] >= 1 && part[4] <= 24) print $1, $2 }' |
	sort >expected.open
on scanner nmap -n -Pn -sS -T4 --max-retries 3 -p 1-100 -oG nmap.out $hosts >/dev/null 2>&1
sed -n 's/^Host: \([0-9.]*\) .*Ports: \(.*\)/\1 \2/p' nmap.out | python3 -c 'import re, sys
for line in sys.stdin:
    ip, ports = line.split(" ", 1)
    for port in re.findall(r"(\d+)/open/tcp", ports):
        print(ip, port)' | sort >nmap.open
tap_true "there are open ports to find" test "$(wc -l <expected.open)" -gt 100
tap_true "nmap finds the same open ports" cmp -s nmap.open expected.open || {
	diff nmap.open expected.open | head -n 10 | sed 's/^/# /'
}
# The kernel's connect() leaves checksums to the device.
cat >connect.py <<-'PY'
	import socket, sys
	for line in sys.stdin:
	    ip, port, state = line.split()
	    s = socket.socket()
	    s.settimeout(5)
	    print(ip, port, {0: "open", 111: "closed"}.get(s.connect_ex((ip, int(port))), "silent"))
	    s.close()
PY
head -n 200 expected.truth >some.truth
on scanner python3 connect.py <some.truth >connect.found
tap_true "a kernel connects where the truth says so" cmp -s connect.found some.truth
world_stop
tap_is "it counts no target where it was not asked to" "$(json world.json targets)" null

# --- Options --------------------------------------------------------------------------------------

on world "$WORLD" --seconds 0.5 af_packet:veth1 198.18.0.0/22 >quiet.json 2>/dev/null
tap_is "it ends after --seconds and writes to standard output" "$(json quiet.json probes)" 0
for bad in 'af_packet:veth1' 'veth1 198.18.0.0/24' 'af_packet:veth1 198.18.0.1/24' \
	'--alive 2 af_packet:veth1 198.18.0.0/24' '-p 9-2 af_packet:veth1 198.18.0.0/24' \
	'--exact af_packet:veth1 198.18.0.0/15' '--targets t af_packet:veth1 198.18.0.0/24'; do
	bad_status=0
	# shellcheck disable=SC2086 # a list of words
	on world "$WORLD" $bad >/dev/null 2>bad.err || bad_status=$?
	tap_is "world $bad: exit status" "$bad_status" 2
	tap_true "world $bad: says what is wrong" test -s bad.err
done

tap_done
