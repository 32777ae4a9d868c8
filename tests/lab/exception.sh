#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plugin sockets where the NIC is not the kernel's: their address lies on a TAP, and frames for it
# travel between TAP and port beside the scan, on af_xdp and on a port that only DPDK knows.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab=$(dirname "$PRTIP_DP")/dataplane/exception_lab
[ -x "$lab" ] || tap_skip_all "no $lab: it is built with the unit tests"
[ -w /dev/net/tun ] || tap_skip_all "no /dev/net/tun"
lab_ports veth0 | grep -q af_xdp || tap_skip_all "no af_xdp in this kernel"

plugin_ip=198.19.0.50 # on the link, owned by no kernel until a TAP carries it
server=198.18.9.9
targets="198.18.0.0 198.18.3.255 22,80,443"
head -c 5000000 /dev/urandom >blob
digest=$(sha256sum <blob | cut -d' ' -f1)

# start NAME PORT SOURCE PLUGINS PPS RATE [GATEWAY]: a scan that goes on until finish.
start() {
	lab_name=$1
	rm -f in "$1.out"
	mkfifo in
	# shellcheck disable=SC2086 # words
	ip netns exec scanner "$lab" "$2" "$3" "$4" "$5" $targets "$6" ${7:+"$7"} \
		<in >"$1.out" 2>"$1.err" 4>&- &
	lab_pid=$!
	exec 4>in
	await "$1" '^ready'
}

await() { # NAME ERE: in its output, for ten seconds
	local tries
	for tries in $(seq 200); do
		grep -qE "$2" "$1.out" 2>/dev/null && return
		kill -0 "$lab_pid" 2>/dev/null || break
		sleep 0.05
	done
	tap_note "waited $tries times for $2"
	tap_note_file "$1.err"
	return 1
}

# Leaves NAME.results, without repeats and sorted, and the exit status in $status.
finish() {
	await "$lab_name" '^sent'
	exec 4>&-
	status=0
	wait "$lab_pid" || status=$?
	grep ' tcp ' "$lab_name.out" | sort -u >"$lab_name.results"
	tap_is "$lab_name: exit status" "$status" 0 || tap_note_file "$lab_name.err"
}

counter() { # NAME COUNTER
	sed -nE "s/^stats.* $2 ([0-9]+).*/\1/p" "$1.out"
}

plugin() { # COMMAND...: on the scanner
	on scanner python3 "$LAB_TOOLS/plugin.py" "$@"
}

fetched() { # DESCRIPTION SOURCE DEVICE ADDRESS
	tap_is "$1" "$(plugin fetch "$2" "$3" "$4" 8000 /blob 2>fetch.err)" "$digest" \
		|| tap_note_file fetch.err
}

# shellcheck disable=SC2317 # called through tap_true
gone() { # the TAP, within five seconds
	local tries
	for tries in $(seq 100); do
		on scanner ip link show prtip0 >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	return 1
}

# The scan's truth, a server and a flood's goal on machine `world`.
furnish_world() {
	listen world 0.0.0.0 80
	serve world python3 -m http.server --directory "$LAB" --bind 0.0.0.0 8000
	wait_listening world 8000
	truth world 198.18.0.0/22 22,80,443 >want
}

lab_routed
furnish_world
# The strictest filter that a host can have, and a service of its own that listens everywhere.
on scanner sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
serve_http scanner 0.0.0.0 8001
wait_listening scanner 8001

# --- Beside a scan from an address of our own -----------------------------------------------------

start without af_xdp:veth0 $SPARE_IP none 0 1000
tap_match "without: no TAP" "$(cat without.out)" '^no tap'
finish
tap_same "without: results equal the far host's truth" without.results want

capture_start world veth1 fetch.pcap
start beside af_xdp:veth0 $SPARE_IP $plugin_ip 0 300
tap_match "beside: the TAP has its name" "$(cat beside.out)" '^tap prtip0'
tap_is "beside: and the port's hardware address" \
	"$(mac_of scanner prtip0)" "$(mac_of scanner veth0)"
on scanner ip route show >routes.during
for turn in 1 2 3; do
	fetched "beside: 5 MB over a socket bound to address and TAP, $turn" \
		$plugin_ip prtip0 $server
done
tap_true "beside: meanwhile the scan is under way" sh -c "! grep -q '^sent' beside.out"
fetched "beside: 5 MB over a socket bound to the address only" $plugin_ip - $server
fetched "beside: 5 MB from a host on the link" $plugin_ip prtip0 $WORLD_IP
fetched "beside: 5 MB over the kernel's own address" $SCANNER_IP - $server
answered=$(on world python3 "$LAB_TOOLS/ping.py" $plugin_ip 20)
tap_true "beside: the address answers ping ($answered of 20)" test "$answered" -ge 19
tap_match "beside: and ARP" "$(ip -n world neigh show $plugin_ip)" \
	"lladdr $(mac_of scanner veth0)"
tap_true "beside: the host's services are reached by the host's address" \
	on world python3 "$LAB_TOOLS/plugin.py" connect $SCANNER_IP 8001
tap_true "beside: but not by the plugins'" \
	sh -c "! ip netns exec world python3 '$LAB_TOOLS/plugin.py' connect $plugin_ip 8001 2>/dev/null"
finish
capture_stop
tap_same "beside: results equal those without" beside.results without.results
tap_is "beside: no answer was lost" "$(counter beside lost)" 0
tap_true "beside: frames are counted ($(counter beside exception_rx) in, $(counter beside \
	exception_tx) out)" test "$(counter beside exception_rx)" -gt 15000 \
	-a "$(counter beside exception_tx)" -gt 1000
tap_is "beside: each connection on the wire comes from the plugins' address" \
	"$(tcpdump -nr fetch.pcap "tcp dst port 8000 and tcp[13] == 2 and not src host $SCANNER_IP" \
		2>/dev/null | sed -nE 's/.* IP ([0-9.]+)\.[0-9]+ > .*/\1/p' | sort | uniq -c \
		| tr -s ' ')" " 5 $plugin_ip"
tap_is "beside: no kernel resets it" \
	"$(tcpdump -nr fetch.pcap "src host $plugin_ip and tcp[13] & 4 != 0" 2>/dev/null | wc -l)" 0
tap_true "beside: the TAP ends with the scan" gone
tap_is "beside: and so does its rule" "$(on scanner ip rule show pref 7714)" ""
on scanner ip route show >routes.after
tap_same "beside: the host's own routes were the same" routes.during routes.after

# --- The cap --------------------------------------------------------------------------------------

start capped af_xdp:veth0 $SPARE_IP $plugin_ip 500 1000
capture_start world veth1 flood.pcap "udp dst port 9"
sent=$(plugin flood $plugin_ip prtip0 $server 9 4 20000)
capture_stop
read -r total most < <(python3 "$LAB_TOOLS/plugin.py" peak flood.pcap $plugin_ip)
tap_true "cap of 500/s outwards: $most frames at the most in a second, of $sent sent" \
	test "$most" -le 600 -a "$most" -ge 300
tap_true "cap of 500/s outwards: $total in all" test "$total" -ge 1000
plugin receive $plugin_ip prtip0 5001 5 >received &
receiver=$!
sent=$(on world python3 "$LAB_TOOLS/plugin.py" flood $WORLD_IP - $plugin_ip 5001 4 5000)
wait $receiver
read -r total most <received
tap_true "cap of 500/s inwards: $most frames at the most in a second, of $sent sent" \
	test "$most" -le 600 -a "$most" -ge 300
head -c 1000000 blob >part
tap_is "under the cap a megabyte comes whole" \
	"$(plugin fetch $plugin_ip prtip0 $server 8000 /part)" "$(sha256sum <part | cut -d' ' -f1)"
finish
tap_same "capped: floods change no result" capped.results want
tap_true "capped: $(counter capped exception_dropped) frames dropped are counted" \
	test "$(counter capped exception_dropped)" -gt 1000
tap_is "capped: and are none of the scan's losses" "$(counter capped lost)" 0

# --- One address for both: the port range tells ---------------------------------------------------

start shared af_xdp:veth0 $plugin_ip $plugin_ip 0 1000
fetched "shared: plugins and probes from one address, by source port" $plugin_ip:51000 - $server
finish
tap_same "shared: results" shared.results want

# --- kill -9 --------------------------------------------------------------------------------------

start killed af_xdp:veth0 $SPARE_IP $plugin_ip 0 100
tap_true "killed: the TAP is there" on scanner test -e /sys/class/net/prtip0
kill -KILL $lab_pid
wait $lab_pid 2>/dev/null
exec 4>&-
tap_true "killed: the TAP is gone" gone
fetched "killed: the kernel's own address works" $SCANNER_IP - $server
start again af_xdp:veth0 $SPARE_IP $plugin_ip 0 1000
tap_is "again: one rule" "$(on scanner ip rule show pref 7714 | wc -l)" 1
fetched "again: and plugins work" $plugin_ip prtip0 $server
finish
tap_same "again: results" again.results want

# --- Where there is nothing to do, or nothing that can be done ------------------------------------

start native af_xdp:veth0 $SPARE_IP $SCANNER_IP 0 1000
tap_match "native: an address that the kernel has needs no TAP" "$(cat native.out)" '^no tap'
fetched "native: it works as it is" $SCANNER_IP veth0 $server
finish

for port in af_packet:veth0 sim lo; do
	source=$SPARE_IP
	[ $port != lo ] || source=127.0.0.1
	status=0
	# shellcheck disable=SC2086 # words
	on scanner "$lab" $port $source $plugin_ip 0 $targets 1000 </dev/null >no.out 2>no.err \
		|| status=$?
	tap_is "$port: an address that the kernel does not have is refused" "$status" 2
	tap_match "$port: with what would be right" "$(cat no.err)" \
		"source = $plugin_ip: no interface has this address.*ip address add $plugin_ip/32"
done

# --- A port that only DPDK knows ------------------------------------------------------------------

# Its far end is made by the driver itself, and then carried to the other machine.
lab_reset
lab_machine scanner
lab_machine world
ip -n world route add local 198.18.0.0/16 dev lo
furnish_world
start dpdk net_tap0,iface=wire0 $SPARE_IP $plugin_ip 0 500 $WORLD_IP
ip -n scanner link set wire0 down
ip -n scanner link set wire0 netns world
ip -n world link set wire0 address 02:00:00:00:00:99
ip -n world link set wire0 up
ip -n world address add $WORLD_IP/24 dev wire0
tap_is "dpdk: the scanner's kernel sees no interface but lo and the TAP" \
	"$(ip -n scanner -o link | sed -E 's/^[0-9]+: ([a-z0-9]+).*/\1/' | tr '\n' ' ')" "lo prtip0 "
fetched "dpdk: 5 MB from behind the gateway" $plugin_ip prtip0 $server
fetched "dpdk: over a socket bound to the address only" $plugin_ip - $server
finish
tap_same "dpdk: results" dpdk.results want

tap_done
