#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the processes of a scan may do once it runs, as the kernel sees it in /proc, for each kind of
# port; that all that has to be restored at the end is; and what a user with few capabilities can do.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_routed
listen world 0.0.0.0 80
none=0000000000000000
net_admin=0000000000001000
lanes_need=00000000000000e0 # CAP_KILL, CAP_SETGID, CAP_SETUID

lab_plugin ask scan '"network"' <<'LUA'
function on_target(target)
	local sock = assert(prtip.connect(target.ip, target.port, {timeout = 30}))
	prtip.close(sock)
	prtip.add_result("connected", true)
end
LUA

# until_runs NAME: until the scan says that it sends.
until_runs() {
	local tries
	for tries in $(seq 600); do
		! grep -q 'through ' "$scan_name.err" || return 0
		kill -0 "$scan_pid" 2>/dev/null || break
		sleep 0.05
	done
	tap_note "after $tries looks:"
	tap_note_file "$scan_name.err"
	return 1
}

# rights PID: what its threads have, one line for each kind of it: CapPrm CapEff, then whether any of
# the inheritable, bounding and ambient sets is not empty, then no_new_privs.
rights() {
	cat "/proc/$1/task/"*/status | awk '
		/^CapInh|^CapBnd|^CapAmb/ { if ($2 !~ /^0+$/) other = "others" }
		/^CapPrm/ { prm = $2 }
		/^CapEff/ { eff = $2 }
		/^NoNewPrivs/ { print prm, eff, other == "" ? "none" : other, $2; other = "" }' | sort -u
}

threads() {
	find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l
}

named() { # PATTERN: pids of processes of that name
	ps -eo pid,args | awk -v name="$1" '{ pid = $1; sub(/^ *[0-9]+ /, "") } $0 ~ name { print pid }'
}

# running NAME CAPABILITIES PORT ARGUMENT...: a scan of a few seconds, looked at while it runs.
running() {
	local name=$1 wanted=$2 port=$3
	shift 3
	scan_start "$name" --set "dataplane.port=$port" --rate 100 -p 80 198.18.1.1-198.18.1.200 "$@"
	until_runs "$name"
	tap_is "$name: all threads have what the port needs, and none has more" \
		"$(rights "$scan_pid")" "$wanted $wanted none 1"
	# Else the line above says nothing of them.
	tap_true "$name: EAL's threads are among them ($(threads "$scan_pid"))" \
		test "$(threads "$scan_pid")" -ge 4
}

ended() { # NAME
	scan_wait
	scan_status "$1: exit status" "$1" 0
	tap_true "$1: it found what answers" grep -q '"state":"open"' "$1.ndjson"
}

# --- Each kind of port ----------------------------------------------------------------------------

running sim "$none" sim
ended sim
running af_packet "$none" af_packet:veth0
ended af_packet
running null "$none" net_null0,no-rx=1 --set "dataplane.source=$SPARE_IP" \
	--set dataplane.gateway_mac=02:00:00:00:00:01
scan_wait
scan_status "null: exit status" null 0
running pcap "$none" "net_pcap0,tx_pcap=$LAB/sent.pcap" --set "dataplane.source=$SPARE_IP" \
	--set dataplane.gateway_mac=02:00:00:00:00:01
scan_wait
scan_status "pcap: exit status" pcap 0
tap_true "pcap: what was sent is in the file" test "$(stat -c %s sent.pcap)" -gt 256
on scanner ip address add 198.18.1.1/24 dev lo
serve scanner python3 "$LAB_TOOLS/listen.py" 198.18.1.1 80
wait_listening scanner 80
running lo "$none" lo
ended lo
on scanner ip address del 198.18.1.1/24 dev lo

program() { # the XDP program of the scanner's interface
	ip -n scanner -j link show veth0 | grep -o '"xdp":{[^}]*' || echo none
}
if lab_ports veth0 | grep -q af_xdp; then
	running af_xdp "$net_admin" af_xdp:veth0 --set "dataplane.source=$SPARE_IP"
	tap_true "af_xdp: the program is attached" test "$(program)" != none
	ended af_xdp
	tap_is "af_xdp: at the end it is detached" "$(program)" none
	running again "$net_admin" af_xdp:veth0 --set "dataplane.source=$SPARE_IP"
	kill -INT "$scan_pid"
	scan_wait
	tap_is "af_xdp: after an interrupt, too" "$status $(program)" "130 none"
fi

# --- Plugins: warden, lane, TAP -------------------------------------------------------------------

# plugin NAME CAPABILITIES PORT ARGUMENT...: of the main process.
plugin() {
	local name=$1 lane
	running "$@" --plugin-dir plugins --plugin ask --set plugins.lanes=1
	warden=$(named '^prtip-dp: warden$')
	lane=$(named '^prtip-dp: lane ask/0$')
	tap_is "$name: the warden keeps what it takes to make, and to kill, lanes" \
		"$(rights "${warden:-none}")" "$lanes_need $lanes_need none 1"
	tap_is "$name: the lane has nothing" "$(rights "${lane:-none}")" "$none $none none 1"
	tap_is "$name: and is under a filter of system calls" \
		"$(awk '/^Seccomp:/ { print $2 }' "/proc/$lane/status")" 2
	kill -KILL "$lane"
}

plugin plugins "$none" af_packet:veth0 --set plugins.device=veth0
ended plugins
tap_true "plugins: the lane was replaced, and connected" grep -q '"connected":true' plugins.ndjson
# Sockets from an address that no kernel has, so that they go through a TAP.
if lab_ports veth0 | grep -q af_xdp; then
	plugin tap "$net_admin" af_xdp:veth0 --set "dataplane.source=$SPARE_IP" \
		--set "plugins.source=$SPARE_IP"
	tap_match "tap: it is there" "$(ip -n scanner link show prtip0)" 'prtip0: .*UP'
	tap_true "tap: with its rule" test -n "$(on scanner ip rule | grep 7714)"
	ended tap
	tap_true "tap: the lane was replaced, and connected" grep -q '"connected":true' tap.ndjson
	tap_true "tap: at the end it is gone" bash -c '! ip -n scanner link show prtip0 2>/dev/null'
	tap_is "tap: and its rule" "$(on scanner ip rule | grep -c 7714)" 0
	tap_is "tap: and the program" "$(program)" none
fi

# --- Files that root may read and write, but its scan may not --------------------------------------

install -d -o 65534 -g 65534 -m 700 theirs
echo 198.18.1.7 >theirs/exclude
chown 65534:65534 theirs/exclude
chmod 600 theirs/exclude
running theirs "$none" sim --set "scan.exclude_file=theirs/exclude" -o table:theirs/out
tap_match "an exclude file that it could not read again is named at the start" \
	"$(grep warning "$scan_name.err")" 'theirs/exclude cannot be read again on SIGHUP'
kill -HUP "$scan_pid"
ended theirs
tap_match "and on SIGHUP nothing changes" "$(grep 'SIGHUP: ' theirs.err)" 'stay as they are'
tap_true "an output in a folder of another user was opened before" test -s theirs/out

mkdir -p nowhere
lab_plugin keep scan '"filesystem"' <<'LUA'
function on_target(target)
end
LUA
chown 65534 nowhere
chmod 700 nowhere
status=0
HOME=$LAB/nowhere "$PRTIP_DP" --set dataplane.port=sim -p 80 198.18.0.1 --plugin-dir plugins \
	--plugin keep -o ndjson:keep.ndjson 2>keep.err || status=$?
tap_is "a folder that a plugin could not write to: exit status" "$status" 2
tap_match "it is named at the start" "$(cat keep.err)" \
	'^prtip-dp: plugin keep: nothing can be written to .*/nowhere.*: Permission denied; it has to belong'

# --- Others than root -----------------------------------------------------------------------------

# with CAPABILITIES ARGUMENT...: a scan of nobody's, who has them; see scan.
with() {
	local caps=$1
	shift
	status=0
	on scanner setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps="-all$caps" \
		--ambient-caps="-all$caps" "$PRTIP_DP" --set scan.cooldown=1s "$@" \
		</dev/null >with.out 2>with.err || status=$?
}

with '' --set dataplane.port=sim --rate 1k -p 80 198.18.0.0/24 --seed 1
tap_is "nobody scans the simulated network" "$status" 0
with '' --set dataplane.port=af_packet:veth0 -p 80 198.18.1.1
tap_is "but not a real one" "$status" 1
tap_match "and is told what it takes" "$(cat with.err)" '^prtip-dp: .*CAP_NET_RAW, CAP_NET_ADMIN'
with ,+net_raw,+net_admin --set dataplane.port=af_packet:veth0 -p 80 198.18.1.1
tap_is "nor with two that are not all" "$status" 1
tap_match "and is told the one that is missing" "$(cat with.err)" \
	'^prtip-dp: .* af_packet, which needs CAP_IPC_LOCK \(or a higher RLIMIT_MEMLOCK\); run as root'
tap_is "in one line" "$(wc -l <with.err)" 1
with ,+net_raw,+net_admin,+ipc_lock --set dataplane.port=af_packet:veth0 -p 80 198.18.1.1
tap_is "with all three nobody does" "$status" 0 || tap_note_file with.err
tap_match "and finds what there is" "$(cat with.out)" '"state":"open"'
if lab_ports veth0 | grep -q af_xdp; then
	with ,+net_raw,+net_admin --set dataplane.port=af_xdp:veth0 -p 80 198.18.1.1
	tap_is "af_xdp takes more" "$status" 1
	tap_match "which is said" "$(cat with.err)" \
		'^prtip-dp: af_xdp on veth0 needs CAP_BPF, CAP_PERFMON, CAP_IPC_LOCK; run as root$'
	tap_is "in one line" "$(wc -l <with.err)" 1
	with ,+net_raw,+net_admin,+bpf,+perfmon,+ipc_lock --set dataplane.port=af_xdp:veth0 \
		--set "dataplane.source=$SPARE_IP" -p 80 198.18.1.1
	tap_is "and with that nobody does" "$status" 0 || tap_note_file with.err
	tap_match "and finds what there is" "$(cat with.out)" '"state":"open"'
	tap_is "and leaves no program behind" "$(program)" none
fi

tap_done
