#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The steering program on a real net_af_xdp port over veth: what reaches the scanner, what stays the
# kernel's, and what is left when a scanner was killed. Prints TAP.
#
#     xdp-steer.sh [XDP_LAB]
#
# XDP_LAB is the program made from dataplane/xdp_lab.c; by default the one built beside $PRTIP_DP.
# Needs root; exit 77 skips. All happens in namespaces of its own, in 198.18.7.0/24 and 2001:db8:7::/64, of
# which nothing stays behind.
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
		sed 's/^/# /' "$work/check" | head -12
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
# A listener whose queue is full of connections that nobody finished may leave a SYN unanswered, so that
# it is asked again, with what the far side knows and counted where none of it helped.
answered() { # PATTERN COMMAND...: until the scanner has printed it, with the command again each second
	local pattern=$1 i
	shift
	for i in 1 2 3 4 5; do
		tell "$@"
		for _ in $(seq 20); do
			grep -qE "$pattern" "$work/out" && return 0
			sleep 0.05
		done
	done
	echo "asked $i times for: $pattern"
	tell stats
	grep '^stats' "$work/out" | tail -1
	ip -n "$far" neigh
	in_far nstat -asz 2>/dev/null | grep -E 'Listen|SyncookiesSent|ReqQFull|InSegs'
	return 1
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
# Every reset that our kernel sends to the far side from the scanner's ports (a server that is not up yet has others).
background "$far" tcpdump -nqtl --immediate-mode -i pdx1 -Q in \
	"src host $us and src portrange $first-$last and tcp[tcpflags] & tcp-rst != 0" >"$work/resets" 2>/dev/null
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
tell ask $peer
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
	await "rx icmp 3/1 from $peer quotes protocol 6 port $first"
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
tell ask $peer
tell syn $peer 80 10
check "and works" await "rx tcp $peer:80"
stop
check "clean again" not attached

echo "# an address that the kernel does not own"
check "starts" start $unowned unowned
tell ask $peer
check "ARP replies to us reach the scanner" await "rx arp reply from $peer to $unowned"
tell syn $peer 80 100
check "somebody asks for our address" await "rx arp request from $peer to $unowned"
in_far ip neigh replace $unowned lladdr "$(in_near cat /sys/class/net/pdx0/address)" dev pdx1
check "which the kernel does not answer" not echo_answer "$far" $unowned
check "echo requests to us reach the scanner" await "rx echo request from $peer to $unowned"
check "SYN-ACKs reach the scanner" \
	answered "rx tcp $peer:80 to $unowned:$first flags 0x12" syn $peer 80 100
check "kernel connections work beside it" fetch "$near" $peer
in_far ip neigh flush dev pdx1
check "ARP and echo for the kernel's address are the kernel's" echo_answer "$far" $us
stop
check "clean again" not attached

echo "# IPv6, UDP, SCTP and pings"
us6=2001:db8:7::1 peer6=2001:db8:7::2
for ns in "$near" "$far"; do
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=0
done
ip -n "$near" addr add $us6/64 dev pdx0 nodad
ip -n "$far" addr add $peer6/64 dev pdx1 nodad
background "$far" python3 -m http.server 80 --bind $peer6 --directory "$work/www" >/dev/null 2>&1
background "$near" python3 -m http.server 80 --bind $us6 --directory "$work/www" >/dev/null 2>&1
background "$far" tcpdump -nqtl --immediate-mode -i pdx1 -Q in \
	"src host $us6 and ip6[6] == 6 and ip6[40:2] >= $first and ip6[40:2] <= $last and ip6[53] & 4 != 0" >"$work/resets6" 2>/dev/null
for _ in $(seq 50); do
	fetch "$near" "[$peer6]" 2>/dev/null && fetch "$far" "[$us6]" 2>/dev/null && break
	sleep 0.1
done
refused() { # FAMILY ADDRESS: the kernel's own socket hears of a closed port
	in_near python3 -c "
import socket
s = socket.socket(socket.$1, socket.SOCK_DGRAM); s.settimeout(3); s.connect(('$2', 9))
s.send(b'x')
try:
	s.recv(1); raise SystemExit(1)
except ConnectionRefusedError:
	pass"
}
raw_packet() { # FAMILY PROTOCOL ADDRESS HEX: from the far side's kernel
	in_far python3 -c "
import socket
s = socket.socket(socket.$1, socket.SOCK_RAW, $2)
s.sendto(bytes.fromhex('$4'), ('$3', 0))"
}
ports=0035$(printf %04x $first) # from 53 to our first one

check "starts" start $us,$us6 owned,pings
tell ask $peer6
check "a Linux peer answers whom the kernel is not" \
	await "rx nd advertisement from $peer6 to fe80::7064:[0-9a-f:]* for $peer6"
tell syn $peer6 80 1000
check "SYN-ACKs reach the scanner" await "rx tcp $peer6:80 to $us6:$first flags 0x12"
sleep 0.3
tell stats
check "all 1000 of them" test "$(field tcp)" = 1000
check "and the kernel sent no reset" test ! -s "$work/resets6"
tell udp $peer6 9 1
check "an ICMPv6 error that quotes UDP reaches the scanner" \
	await "rx icmp 1/4 from $peer6 quotes protocol 17 port $first"
raw_packet AF_INET6 17 $us6 "${ports}00080000"
raw_packet AF_INET6 132 $us6 "${ports}0000000000000000"
check "so do UDP datagrams" await "rx udp $peer6:53 to $us6:$first"
check "and SCTP packets" await "rx sctp $peer6:53 to $us6:$first"
tell ping $peer6
check "and echo replies" await "rx echo reply from $peer6 to $us6"
for ns in "$near" "$far"; do ip -n "$ns" neigh flush all; done
check "a kernel connection outward works" fetch "$near" "[$peer6]"
check "a kernel connection inward works" fetch "$far" "[$us6]"
for ns in "$near" "$far"; do ip -n "$ns" neigh flush all; done
check "kernel UDP works" refused AF_INET6 $peer6
tell ask $peer
tell udp $peer 9 1
check "the same in IPv4: ICMP errors that quote UDP" \
	await "rx icmp 3/3 from $peer quotes protocol 17 port $first"
raw_packet AF_INET 17 $us "${ports}00080000"
raw_packet AF_INET 132 $us "${ports}0000000000000000"
check "UDP datagrams" await "rx udp $peer:53 to $us:$first"
check "SCTP packets" await "rx sctp $peer:53 to $us:$first"
tell ping $peer
check "echo replies" await "rx echo reply from $peer to $us"
check "kernel connections" fetch "$near" $peer
check "kernel UDP" refused AF_INET $peer
check "nothing else reached the scanner" not grep -E 'rx (other|echo request|arp request|nd sol)' "$work/out"
stop
check "clean again" not attached

echo "# several ranges, of addresses that the kernel does not own"
within=2001:db8:7::15 within4=198.18.7.45
check "starts" start $unowned,198.18.7.40-198.18.7.49,2001:db8:7::9,2001:db8:7::10-2001:db8:7::1f unowned
tell ask $peer6
check "advertisements to us reach the scanner" \
	await "rx nd advertisement from $peer6 to 2001:db8:7::9 for $peer6"
tell syn $peer6 80 100
check "somebody asks for our address" await "rx nd solicitation from .* for 2001:db8:7::9"
check "and for another one" not echo_answer "$far" $within4
check "which comes, too" await "rx arp request from $peer to $within4"
raw_packet AF_INET6 58 $within 8000000000000001
check "in IPv6 likewise" await "rx nd solicitation from .* to ff02::1:ff00:15 for $within"
for address in $within 2001:db8:7::9; do
	in_far ip neigh replace "$address" lladdr "$(in_near cat /sys/class/net/pdx0/address)" dev pdx1
done
raw_packet AF_INET6 58 $within 8000000000000001
check "echo requests to us reach the scanner" await "rx echo request from $peer6 to $within"
check "SYN-ACKs reach the scanner" \
	answered "rx tcp $peer6:80 to 2001:db8:7::9:$first flags 0x12" syn $peer6 80 100
for ns in "$near" "$far"; do ip -n "$ns" neigh flush all; done
check "kernel connections work beside it" fetch "$near" "[$peer6]"
check "and inward" fetch "$far" "[$us6]"
check "without pings nothing is an echo reply's" not grep 'rx echo reply' "$work/out"
stop
check "clean again" not attached

echo "# a VLAN"
tagged() { # TAG ADDRESS PORT: a TCP header in a frame with the tag, none where it is empty
	in_far python3 -c "
import socket, sys
tag, address, port, mac = sys.argv[1:]
tag = b'\x81\x00' + int(tag).to_bytes(2, 'big') if tag else b''
tcp = b'\x00\x50' + int(port).to_bytes(2, 'big') + bytes(8) + b'\x50\x12' + bytes(6)
ip = b'\x45\x00\x00\x28' + bytes(4) + b'\x40\x06\x00\x00' \
	+ socket.inet_aton('$peer') + socket.inet_aton(address)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('pdx1', 0))
s.send(bytes.fromhex(mac.replace(':', '')) + bytes(6) + tag + b'\x08\x00' + ip + tcp)
" "$1" "$2" "$3" "$(in_near cat /sys/class/net/pdx0/address)"
}
check "starts" start $us,$us6 owned,vlan=7
tagged "" $us 40001
tagged 8 $us 40002
tagged $((7 | 5 << 13)) $us 40003
check "frames with its tag reach the scanner" await "rx tcp $peer:80 to $us:40003"
check "with the tag in them" await "^rx tag 7\$"
check "no others do" not grep -E ':4000[12] ' "$work/out"
check "kernel connections work beside it" fetch "$near" $peer
stop

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
