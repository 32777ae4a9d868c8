# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A lab of network namespaces on this one machine. Source it first of all: it starts the script
# again inside namespaces of its own (network, mounts, processes), from which no packet can leave
# and of which nothing stays behind, even after kill -9: the processes die with the first one,
# interfaces and files with the last.
#
# Two or more machines are then made by lab_routed or lab_onlink:
#
#   lab_routed:  scanner 198.19.0.1 --veth0--veth1-- 198.19.0.2 world, which owns all of 198.18.0.0/16
#                (each of its addresses answers); the scanner's route there goes by 198.19.0.2
#   lab_onlink:  scanner 198.19.0.1 --veth0--[bridge]-- host1 198.19.0.11, host2 .12, host3 .13:
#                all on one link; in no other way reachable
#
# All addresses are from 198.18.0.0/15, which RFC 2544 sets aside for tests.

# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

LAB_TOOLS=$TESTS_DIR/lab/tools
SCANNER_IP=198.19.0.1
WORLD_IP=198.19.0.2
SPARE_IP=198.19.0.77 # on the link, owned by no kernel
SCANNER_IP6=2001:db8:ff::1
WORLD_IP6=2001:db8:ff::2
SPARE_IP6=2001:db8:ff::77
export SCANNER_IP WORLD_IP SPARE_IP SCANNER_IP6 WORLD_IP6 SPARE_IP6

# $$ too: a variable that leaked into the environment must never let us mount over the real /run.
if [ -z "${PDP_LAB_PID:-}" ] || [ $$ -ne 1 ]; then
	[ "$(id -u)" -eq 0 ] || tap_skip_all "network namespaces need root"
	# The process that a kill hits is unshare; --kill-child takes the rest along.
	PDP_LAB_PID=$$ exec unshare --net --mount --pid --fork --kill-child=KILL --mount-proc \
		-- bash "$0" "$@"
fi

# A private /run: names of namespaces, DPDK's runtime files and our own files are in memory and seen
# by nobody else.
mount -t tmpfs pdp-lab /run
mkdir -p /run/netns /run/lock
LAB=/run/pdp-$PDP_LAB_PID
mkdir "$LAB"
cd "$LAB" || exit 1

lab_cleanup() {
	local status=$?
	trap - EXIT INT TERM
	# All that is left in our process namespace, but for this shell (whose pid there is 1). Bash would
	# tell about each of its own.
	exec 2>/dev/null
	kill -KILL -1
	local name
	for name in $(ip netns list | cut -d' ' -f1); do
		ip netns delete "$name"
	done
	cd /
	rm -rf "$LAB"
	exit "$status"
}
trap lab_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Machines -------------------------------------------------------------------------------------

# on NAME COMMAND...: run it there. For the background write `ip netns exec NAME COMMAND &`: then $!
# is the command's own pid, not that of a subshell which would outlive or survive it.
on() {
	ip netns exec "$@"
}

lab_machine() { # NAME
	ip netns add "$1"
	ip -n "$1" link set lo up
	on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	# A far host that rations its ICMP errors or SYN-ACKs would blur the truth.
	# The mask, as the global limit on ICMP belongs to the machine, not to a namespace.
	on "$1" sysctl -qw net.ipv4.icmp_ratemask=0 net.ipv4.tcp_syncookies=2
}

lab_wire() { # NAME DEVICE NAME DEVICE
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	ip -n "$1" link set "$2" up
	ip -n "$3" link set "$4" up
}

lab_routed() {
	lab_machine scanner
	lab_machine world
	lab_wire scanner veth0 world veth1
	ip -n scanner address add $SCANNER_IP/24 dev veth0
	ip -n world address add $WORLD_IP/24 dev veth1
	ip -n world route add local 198.18.0.0/16 dev lo
	ip -n scanner route add 198.18.0.0/16 via $WORLD_IP
}

lab_onlink() {
	local n
	lab_machine scanner
	lab_machine world
	ip -n world link add bridge0 type bridge
	ip -n world link set bridge0 up
	lab_wire scanner veth0 world veth1
	ip -n world link set veth1 master bridge0
	ip -n scanner address add $SCANNER_IP/24 dev veth0
	for n in 1 2 3; do
		lab_machine host$n
		lab_wire host$n veth0 world host$n
		ip -n world link set host$n master bridge0
		ip -n host$n address add 198.19.0.1$n/24 dev veth0
	done
}

# IPv6 beside IPv4 on what lab_routed or lab_onlink made:
#   routed: scanner 2001:db8:ff::1 -- 2001:db8:ff::2 world, which owns all of 2001:db8:0::/48
#   on link: host N has 2001:db8:ff::1N
lab_v6() {
	local name
	for name in $(ip netns list | cut -d' ' -f1); do
		# Without the second of duplicate detection, in which a machine asks for no neighbour.
		# shellcheck disable=SC2016 # the machine's own files
		on "$name" sh -c 'for dad in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >"$dad"; done'
		on "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
			net.ipv6.icmp.ratelimit=0 net.ipv6.icmp.ratemask=255
	done
	ip -n scanner address add $SCANNER_IP6/64 dev veth0 nodad
	if ip netns list | grep -q '^host1'; then
		for name in 1 2 3; do
			ip -n host$name address add 2001:db8:ff::1$name/64 dev veth0 nodad
		done
		return
	fi
	ip -n world address add $WORLD_IP6/64 dev veth1 nodad
	ip -n world -6 route add local 2001:db8:0::/48 dev lo
	ip -n scanner -6 route add 2001:db8:0::/48 via $WORLD_IP6
}

lab_reset() { # remove all machines, e.g. before another layout
	kill_all
	local name
	for name in $(ip netns list | cut -d' ' -f1); do
		ip netns delete "$name"
	done
}

mac_of() { # NAME DEVICE
	on "$1" cat "/sys/class/net/$2/address"
}

# --- Servers --------------------------------------------------------------------------------------

lab_pids=

# serve NAME COMMAND...: start a server there; kill_all ends it, as does the end of the test.
serve() {
	ip netns exec "$@" >>"$LAB/servers.log" 2>&1 </dev/null &
	lab_pids="$lab_pids $!"
}

kill_all() {
	# shellcheck disable=SC2086 # a list of words
	[ -z "$lab_pids" ] || { kill $lab_pids && wait $lab_pids; } 2>/dev/null || true
	lab_pids=
}

# wait_listening NAME PORT...: until something listens on each.
wait_listening() {
	local name=$1 port tries=0
	shift
	for port in "$@"; do
		until [ -n "$(on "$name" ss -Hltn "sport = :$port")" ]; do
			tries=$((tries + 1))
			if [ $tries -gt 200 ]; then
				tap_not_ok "the lab's server on $name port $port started"
				tap_note_file "$LAB/servers.log"
				tap_done
			fi
			sleep 0.05
		done
	done
}

serve_http() { # NAME ADDRESS PORT
	mkdir -p "$LAB/www"
	echo 'hello from the lab' >"$LAB/www/index.html"
	serve "$1" python3 -u -m http.server --directory "$LAB/www" --bind "$2" "$3"
}

serve_ssh() { # NAME ADDRESS PORT
	[ -e "$LAB/hostkey" ] || dropbearkey -t ed25519 -f "$LAB/hostkey" >/dev/null 2>&1
	serve "$1" dropbear -F -E -s -r "$LAB/hostkey" -P "$LAB/dropbear-$1.pid" -p "$2:$3"
}

serve_dns() { # NAME ADDRESS PORT
	serve "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root \
		--bind-interfaces --listen-address="$2" --except-interface=lo --port="$3" \
		--address=/lab.example/198.18.0.1 --log-queries --log-facility=- --pid-file="$LAB/dnsmasq-$1-$3.pid"
}

# Plain listeners on many ports at once: `listen NAME ADDRESS PORT...`.
listen() {
	local name=$1 address=$2
	shift 2
	serve "$name" python3 "$LAB_TOOLS/listen.py" "$address" "$@"
	wait_listening "$name" "$@"
}

# --- Scans ----------------------------------------------------------------------------------------

# The ports to test with, as `af_packet:veth0`. af_xdp needs a kernel with XDP sockets.
lab_ports() { # DEVICE
	echo "af_packet:$1"
	if python3 -c 'import socket; socket.socket(44, socket.SOCK_RAW, 0)' 2>/dev/null; then
		echo "af_xdp:$1"
	fi
}

# scan NAME ARGUMENTS...: run the scanner on machine `scanner`, with a short cooldown. Leaves
# NAME.ndjson, NAME.sum, NAME.err (its standard error) and the exit status in $status.
scan() {
	local name=$1
	shift
	rm -f "$name.ndjson" "$name.sum" "$name.err"
	status=0
	on scanner "$PRTIP_DP" --set scan.cooldown=1s --set status.interval=1s \
		-o "ndjson:$name.ndjson" -o "summary:$name.sum" "$@" \
		</dev/null >"$name.out" 2>"$name.err" || status=$?
	[ -e "$name.ndjson" ] || : >"$name.ndjson"
}

# As scan, in the background: $scan_pid is the scanner's own pid; end it with scan_wait.
scan_start() {
	local name=$1
	shift
	rm -f "$name.ndjson" "$name.sum" "$name.err"
	ip netns exec scanner "$PRTIP_DP" --set scan.cooldown=1s --set status.interval=1s \
		-o "ndjson:$name.ndjson" -o "summary:$name.sum" "$@" \
		</dev/null >"$name.out" 2>"$name.err" &
	scan_pid=$!
	scan_name=$name
}

scan_wait() {
	status=0
	wait "$scan_pid" 2>/dev/null || status=$?
	[ -e "$scan_name.ndjson" ] || : >"$scan_name.ndjson"
}

scan_status() { # DESCRIPTION NAME WANTED: tap_is, which shows the scanner's own words on failure
	tap_is "$1" "$status" "$3" || {
		tap_note_file "$2.err"
		tap_note_file "$2.sum"
		return 1
	}
}

# truth NAME ADDRESSES PORTS: what that machine itself knows about its ports (its listening sockets
# and filter rules), as sorted `ip port tcp state reason` lines. ADDRESSES is CIDR or a list.
truth() {
	on "$1" python3 "$LAB_TOOLS/truth.py" "$2" "$3" | sort
}

# --- Captures -------------------------------------------------------------------------------------

# capture_start NAME DEVICE FILE.pcap [FILTER]: what arrives there.
capture_start() {
	local name=$1 device=$2 file=$3
	shift 3
	capture_file=$file
	rm -f "$file"
	ip netns exec "$name" tcpdump -i "$device" -Q in -n -p -Z root -B 131072 -s 160 \
		--time-stamp-precision=nano -w "$file" "$@" 2>"$file.log" </dev/null &
	capture_pid=$!
	local tries=0
	until grep -q 'listening on' "$file.log" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || break
		sleep 0.05
	done
}

# Sets $capture_dropped, packets that tcpdump itself missed.
capture_stop() {
	# tcpdump reads its socket in blocks: let the last one through.
	sleep 1.2
	kill -INT "$capture_pid"
	wait "$capture_pid"
	capture_dropped=$(sed -n 's/^\([0-9]*\) packets dropped by kernel.*/\1/p' "$capture_file.log")
	capture_dropped=${capture_dropped:-unknown}
}
