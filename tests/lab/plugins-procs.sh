#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The processes that run plugins: their names, what they may and what they hold, and what becomes of a
# run when one of them is killed.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_routed
listen world 0.0.0.0 80
hosts=198.18.1.1-198.18.1.20
for n in $(seq 20); do
	echo "198.18.1.$n 80 tcp open"
done | sort >want

# Holds a connection for a second for each result, eight at a time: there is a middle to kill in.
lab_plugin hold scan '"network"' '[plugin.network]\nmax_connections = 8' <<'LUA'
function on_target(target)
	local sock = assert(prtip.connect(target.ip, target.port, {timeout = 30}))
	prtip.sleep(1)
	prtip.close(sock)
	prtip.add_result("held", true)
end
LUA

# named PATTERN: pids of processes of that name, as ps shows it.
named() {
	ps -eo pid,args | awk -v name="$1" '{ pid = $1; sub(/^ *[0-9]+ /, "") } $0 ~ name { print pid }'
}

# shellcheck disable=SC2317 # called through tap_true
none_left() { # PATTERN SECONDS: of that name
	local tries
	for tries in $(seq $(($2 * 20))); do
		[ -n "$(named "$1")" ] || return 0
		sleep 0.05
	done
	tap_note "after $tries looks:"
	tap_note "$(ps -eo pid,ppid,stat,args)"
	return 1
}

# begin NAME ARGUMENT...: a scan with the plugin, until its lane has connections.
begin() {
	local name=$1 tries
	shift
	scan_start "$name" --plugin-dir plugins --plugin hold --rate 200 -p 80 "$hosts" "$@"
	for tries in $(seq 400); do
		[ -z "$(on scanner ss -Htn 'dport = :80')" ] || break
		sleep 0.05
	done
	warden=$(named '^prtip-dp: warden$')
	lane=$(named '^prtip-dp: lane hold/0$')
	[ "$tries" -lt 400 ] || tap_note_file "$name.err"
}

complete() { # NAME
	records "$1.ndjson" >got
	tap_same "$1: the results are complete" got want
	tap_account "$1: the account is exact" "$1" hold
	tap_true "$1: no process is left" none_left '^.?prtip-dp|^/.*prtip-dp' 2
}

# statuses NAME: how many of each
statuses() {
	said "$1.ndjson" hold | awk '{ print $3 }' | sort | uniq -c | awk '{ printf "%s %s ", $1, $2 }'
}

# --- Names and confinement ------------------------------------------------------------------------

begin calm --set dataplane.port=af_packet:veth0 --set plugins.lanes=1
tap_is "ps shows one warden" "$(wc -w <<<"$warden")" 1
tap_is "ps shows the lane by its plugin's name" "$(wc -w <<<"$lane")" 1
tap_is "the warden is the control process's child, the lane the warden's" \
	"$(ps -o ppid= -p "$warden" | tr -d ' ') $(ps -o ppid= -p "$lane" | tr -d ' ')" \
	"$scan_pid $warden"
field() { # NAME: of the lane's status
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$lane/status" | tr '\t' ' '
}
tap_is "the lane can gain no privilege" "$(field NoNewPrivs)" 1
tap_is "the lane is under a seccomp filter" "$(field Seccomp)" 2
tap_is "the lane is nobody" "$(field Uid)" "65534 65534 65534 65534"
tap_is "and in nobody's group" "$(field Gid) $(field Groups)" "65534 65534 65534 65534 "
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	tap_is "the lane has no capability: $set" "$(field $set)" 0000000000000000
done
tap_is "the lane has one thread" "$(field Threads)" 1
for fd in "/proc/$lane/fd/"*; do
	echo "${fd##*/} $(readlink "$fd" | sed -E 's/\[[0-9]+\]$//')"
done | sort -n >fds
head -5 fds >got
cat >want.fds <<'WANT'
0 /dev/null
1 /dev/null
2 /dev/null
3 socket:
4 anon_inode:[eventpoll]
WANT
tap_same "the lane's descriptors: null, the warden, epoll" got want.fds
tap_is "and else its plugin's connections alone" \
	"$(tail -n +6 fds | awk '{ print $2 }' | sort -u)" "socket:"
tap_true "which are as many as allowed ($(tail -n +6 fds | wc -l))" \
	test "$(tail -n +6 fds | wc -l)" -le 8
# What is mapped: the program, its libraries, and memory that it shares with the control core (and
# in a build that counts lines, the counters).
awk 'NF > 5 { print $6 }' "/proc/$lane/maps" | sort -u >maps
grep -vE '^(\[(heap|stack|vdso|vvar|vvar_vclock|vsyscall)\]|/usr/lib/.*\.so[.0-9]*|/lib/.*\.so[.0-9]*)$' \
	maps | grep -vxF "$PRTIP_DP" >others
grep -vxE '/dev/zero|.*/coverage/[0-9_]+\.profraw' others >got
: >none
tap_same "the lane maps the program, libraries and its own area" got none
tap_is "and one area" "$(grep -c '/dev/zero' "/proc/$lane/maps")" 1
tap_is "nothing of the lane's memory is both writable and executable" \
	"$(awk '$2 ~ /wx/' "/proc/$lane/maps" | wc -l)" 0
scan_wait
scan_status "calm: exit status" calm 0
tap_is "calm: each result was held" "$(statuses calm)" "20 ok "
complete calm

# --- A lane is killed -----------------------------------------------------------------------------

begin lane --set dataplane.port=af_packet:veth0
kill -KILL "$lane"
sleep 0.3
again=$(named '^prtip-dp: lane hold/[0-9]+$')
tap_true "lane: another is there" test -n "$again" -a "$again" != "$lane"
tap_is "lane: no zombie" "$(ps -eo stat,args | awk '/^Z.*prtip/' | wc -l)" 0
scan_wait
scan_status "lane: exit status" lane 0
tap_true "lane: one result at the most is lost to it ($(statuses lane))" \
	test "$(said lane.ndjson hold held | grep -c ' ok true$')" -ge 19
complete lane

# --- The warden is killed -------------------------------------------------------------------------

begin warden --set dataplane.port=af_packet:veth0
kill -KILL "$warden"
tap_true "warden: its lanes go with it" none_left '^prtip-dp: (lane|warden)' 1
scan_wait
tap_match "warden: the run ends as one that lost something" "$status" '^[03]$'
tap_is "warden: each result says so" \
	"$(said warden.ndjson hold | awk '{ print $3 }' | grep -cE '^(ok|killed|skipped)$')" 20
tap_match "warden: standard error does" "$(cat warden.err)" 'the process that runs the plugins died'
complete warden

# --- The control process is killed ----------------------------------------------------------------

control=(--set dataplane.port=af_packet:veth0)
if lab_ports veth0 | grep -q af_xdp && [ -w /dev/net/tun ]; then
	control=(--set dataplane.port=af_xdp:veth0 --set "dataplane.source=$SPARE_IP"
		--set plugins.source=198.19.0.50)
fi
begin control "${control[@]}"
[ ${#control[@]} -eq 2 ] || tap_true "control: the TAP is there" on scanner test -e /sys/class/net/prtip0
kill -KILL "$scan_pid"
scan_wait
tap_true "control: warden and lanes are gone within a second" none_left '^prtip-dp: ' 1
tap_true "control: the TAP is gone" sh -c "! ip -n scanner link show prtip0 2>/dev/null"
tap_is "control: no connection stands" "$(on scanner ss -Htn state established)" ""

tap_done
