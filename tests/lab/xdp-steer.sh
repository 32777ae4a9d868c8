#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The steering program on a real net_af_xdp port over veth: what reaches the scanner, what stays the
# kernel's, and what is left when a scanner was killed. Prints TAP.
#
#     xdp-steer.sh [XDP_LAB]
#
# XDP_LAB is the program made from dataplane/xdp_lab.c; by default the one built beside $PRTIP_DP.
# Needs root; exit 77 skips. All happens in namespaces of its own, in 198.18.7.0/24, of which nothing
# stays behind.
set -u

lab=${1:-$(dirname "${PRTIP_DP:-build/prtip-dp}")/dataplane/xdp_lab}

skip() {
	echo "1..0 # SKIP $1"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
[ -x "$lab" ] || skip "no $lab: it is built with the unit tests"
for tool in ip python3 tcpdump; do
	command -v "$tool" >/dev/null || skip "no $tool here"
done

# Processes end with the first one of their namespace, interfaces and files with the last.
if [ $$ -ne 1 ]; then
	unshare --net --mount --pid --fork true || skip "cannot make namespaces"
	exec unshare --net --mount --pid --fork --kill-child=KILL --mount-proc -- bash "$0" "$lab"
fi
mount -t tmpfs pdx /run && mkdir /run/netns /run/lock || exit 1

near=pdx-near far=pdx-far
us=198.18.7.1 peer=198.18.7.2 unowned=198.18.7.9
first=40000 last=40999
work=/run/pdx
mkdir $work
scanner= # its process
trap 'exit 1' INT TERM HUP

for ns in "$near" "$far"; do
	ip netns add "$ns" || skip "cannot make network namespaces"
done
ip -n "$near" link add pdx0 type veth peer name pdx1 netns "$far" || skip "cannot make a veth pair"
for ns in "$near" "$far"; do
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n "$ns" link set lo up
done
ip -n "$near" addr add $us/24 dev pdx0
ip -n "$far" addr add $peer/24 dev pdx1
ip -n "$near" link set pdx0 up
ip -n "$far" link set pdx1 up
in_near() { ip netns exec "$near" "$@"; }
in_far() { ip netns exec "$far" "$@"; }
background() { # NAMESPACE COMMAND...
	ip netns exec "$@" &
}

tests=0 failed=0
check() { # NAME COMMAND...: ok if the command succeeds
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$work/check" 2>&1; then
		echo "ok $tests - $name"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $name"
		sed 's/^/# /' "$work/check" | head -5
		[ ! -f "$work/out" ] || tail -5 "$work/out" | sed 's/^/# /'
	fi
}
attached() { in_near ip link show pdx0 | grep -q 'prog/xdp'; }
not() { ! "$@"; }

await() { # PATTERN: until the scanner has printed it
	for _ in $(seq 100); do
		grep -qE "$1" "$work/out" 2>/dev/null && return 0
		sleep 0.05
	done
	echo "waited 5 s for: $1"
	return 1
}
start() { # SOURCE owned|unowned [DESCRIPTORS]
	rm -f "$work/in" "$work/out"
	mkfifo "$work/in"
	ip netns exec "$near" "$lab" pdx0 "$1" $first $last "$2" ${3:+"$3"} \
		<"$work/in" >"$work/out" 2>"$work/err" 3>&- &
	scanner=$!
	exec 3>"$work/in"
	await '^ready'
}
turn=0
say() { # COMMAND...: with a number, so that its end can be told from an earlier one's
	turn=$((turn + 1))
	echo "$* #$turn" >&3
}
finish() {
	await "^done .* #$turn\$"
}
tell() {
	say "$@"
	finish
}
stop() {
	exec 3>&-
	wait "$scanner"
}
field() { sed -nE "s/.*stats.* $1 ([0-9]+).*/\1/p" "$work/out" | tail -1; }

# A web server on 80 of either side, nothing on 81.
mkdir "$work/www"
head -c 1000000 /dev/urandom >"$work/www/blob"
background "$far" python3 -m http.server 80 --bind $peer --directory "$work/www" >/dev/null 2>&1
background "$near" python3 -m http.server 80 --bind $us --directory "$work/www" >/dev/null 2>&1
# Every reset that our kernel sends to the far side.
background "$far" tcpdump -nqtl --immediate-mode -i pdx1 -Q in \
	"src host $us and tcp[tcpflags] & tcp-rst != 0" >"$work/resets" 2>/dev/null
in_near sysctl -qw net.ipv4.ip_local_reserved_ports=$first-$last

fetch() { # NAMESPACE ADDRESS: a megabyte over a kernel connection
	ip netns exec "$1" python3 -c "
import urllib.request
assert len(urllib.request.urlopen('http://$2/blob', timeout=5).read()) == 1000000"
}
echo_answer() { # NAMESPACE ADDRESS: to an ICMP echo request
	ip netns exec "$1" python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.settimeout(2)
s.sendto(bytes.fromhex('0800f7fe00000001'), ('$2', 0))
while True:
	packet, source = s.recvfrom(100)
	if source[0] == '$2' and packet[20] == 0:
		break"
}
for _ in $(seq 50); do
	fetch "$near" $peer 2>/dev/null && fetch "$far" $us 2>/dev/null && break
	sleep 0.1
done

# Raw frames from the far side.
far_frames() { # COUNT DESTINATION HEX: a TCP segment with a checksum of zero
	in_far python3 -c "
import socket, struct, sys
def checksum(data):
	total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
	while total > 0xffff:
		total = (total & 0xffff) + (total >> 16)
	return struct.pack('>H', total ^ 0xffff)
count, tcp = int(sys.argv[1]), bytes.fromhex(sys.argv[3])
mac = bytes.fromhex(sys.argv[4].replace(':', ''))
addresses = socket.inet_aton('$peer') + socket.inet_aton(sys.argv[2])
tcp = tcp[:16] + checksum(addresses + struct.pack('>HH', 6, len(tcp)) + tcp) + tcp[18:]
ip = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses
ip = ip[:10] + checksum(ip) + ip[12:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('pdx1', 0))
for i in range(count):
	s.send(mac + bytes(6) + b'\x08\x00' + ip + tcp)
" "$1" "$2" "$3" "$(in_near cat /sys/class/net/pdx0/address)"
}
# TCP 80 to port 40000, SYN and ACK.
syn_ack=0050$(printf %04x $first)000000010000000150120400000000000000

echo "# the kernel owns the address"
check "starts from a memory file" start $us owned
if [ $failed != 0 ] && grep -qE 'needs CAP_|load BPF programs|has no AF_XDP' "$work/err"; then
	echo "1..1 # SKIP $(cat "$work/err")"
	exit 77
fi
check "is attached" attached
tell arp $peer
check "a Linux peer answers an RFC 5227 probe, to 0.0.0.0" await "rx arp reply from $peer to 0.0.0.0"
tell syn $peer 80 1000
check "SYN-ACKs reach the scanner" await "rx tcp $peer:80 to $us:$first flags 0x12"
sleep 0.3
tell stats
check "all 1000 of them" test "$(field tcp)" = 1000
check "with no loss" test "$(field 'lost rx')" = 0
tell syn $peer 81 1
tell stats
check "a reset reaches the scanner" test "$(field tcp)" = 1001
check "and the kernel sent no reset" test ! -s "$work/resets"
in_far ip route add unreachable 198.18.8.0/24
in_far sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0
tell syn 198.18.8.1 80 1
check "an ICMP error that quotes our probe reaches the scanner" \
	await "rx icmp 3/1 from $peer quotes port $first"
check "a kernel connection outward works" fetch "$near" $peer
check "a kernel connection inward works" fetch "$far" $us
check "a closed UDP port is reported to the kernel" in_near python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.connect(('$peer', 9))
s.send(b'x')
try:
	s.recv(1); raise SystemExit(1)
except ConnectionRefusedError:
	pass"
in_far ip neigh flush dev pdx1
in_near ip neigh flush dev pdx0
check "ARP and echo to us are the kernel's" echo_answer "$far" $us
in_near ip neigh flush dev pdx0
check "ARP and echo of the kernel's own work" echo_answer "$near" $peer
check "nothing else reached the scanner" not grep -E 'rx (other|echo|arp request)' "$work/out"

in_near "$lab" pdx0 $us $first $last owned </dev/null >"$work/second" 2>&1
check "a second scanner fails" test $? = 1
check "and names the first" grep "another prtip-dp (process [0-9]*) is using pdx0" "$work/second"
check "which is still attached" attached

overflow() { # NAME: what came and what was lost are what was sent, and a few repeated SYN-ACKs
	local lost got
	tell stats
	lost=$(field 'lost rx') got=$(field tcp)
	say sleep 1500
	sleep 0.2
	far_frames 6000 $us "$syn_ack"
	finish
	sleep 0.3
	tell stats
	lost=$(($(field 'lost rx') - lost)) got=$(($(field tcp) - got))
	echo "# received $got, lost $lost, driver's imissed $(field imissed)"
	check "$1" test $lost -gt 0 -a $((lost + got)) -ge 6000 -a $((lost + got)) -lt 6200
}
overflow "frames beyond the buffers are counted as lost"
stop
check "closing detaches" not attached
check "and leaves nothing to detach" grep "still attached 0" "$work/out"

echo "# killed"
check "starts again, with a small ring" start $us owned 512
overflow "frames beyond the ring are counted as lost"
kill -9 "$scanner"
wait "$scanner" 2>/dev/null
exec 3>&-
check "kill -9 leaves the program attached" attached
check "traffic passes it" fetch "$near" $peer
far_frames 1 $us "$syn_ack"
sleep 0.2
check "so that now the kernel resets (which the checks above would have seen)" test -s "$work/resets"
check "the next start detaches it" start $us owned
check "and says so" grep '^leftover 1' "$work/out"
tell arp $peer
tell syn $peer 80 10
check "and works" await "rx tcp $peer:80"
stop
check "clean again" not attached

echo "# an address that the kernel does not own"
check "starts" start $unowned unowned
tell arp $peer
check "ARP replies to us reach the scanner" await "rx arp reply from $peer to $unowned"
tell syn $peer 80 100
check "somebody asks for our address" await "rx arp request from $peer to $unowned"
in_far ip neigh replace $unowned lladdr "$(in_near cat /sys/class/net/pdx0/address)" dev pdx1
check "which the kernel does not answer" not echo_answer "$far" $unowned
check "echo requests to us reach the scanner" await "rx echo request from $peer to $unowned"
tell syn $peer 80 100
check "SYN-ACKs reach the scanner" await "rx tcp $peer:80 to $unowned:$first flags 0x12"
check "kernel connections work beside it" fetch "$near" $peer
in_far ip neigh flush dev pdx1
check "ARP and echo for the kernel's address are the kernel's" echo_answer "$far" $us
stop
check "clean again" not attached

echo "# somebody else's program"
"$lab" object | sed 's/prtip_steer/other_steer/g' >"$work/other.o" # a name of the same length
if in_near ip link set dev pdx0 xdp obj "$work/other.o" sec xdp 2>"$work/err"; then
	in_near "$lab" pdx0 $us $first $last owned </dev/null >"$work/second" 2>&1
	check "is respected" test $? = 1
	check "and named" grep "pdx0 has an XDP program attached already (other_steer, id" "$work/second"
	check "and stays" attached
	ip -n "$near" link set dev pdx0 xdp off
else
	tests=$((tests + 1))
	echo "ok $tests # SKIP this iproute2 loads no BPF objects"
fi

echo "1..$tests"
[ $failed = 0 ]
