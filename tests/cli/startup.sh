#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port that cannot start: one line that says what is wrong and what to do, nothing sent. In a
# network namespace of its own, so that no port here is a real one.

if [ -z "${PDP_STARTUP:-}" ] && [ "$(id -u)" -eq 0 ]; then
	export PDP_STARTUP=1
	exec unshare --net -- "$0" "$@"
fi

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/../sim/sim.sh"
[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root, to make a network namespace"

ip link set lo up
ip link add veth0 type veth peer name veth1
ip link set veth1 up
ip link set veth0 up
ip link add down0 type veth peer name down1

# refused DESCRIPTION STATUS ERE ARGUMENTS...
refused() {
	local what=$1 wanted=$2 pattern=$3
	shift 3
	"$@" >out 2>err </dev/null
	tap_is "$what: exit status" $? "$wanted"
	tap_is "$what: one line" "$(wc -l <err)" 1
	tap_match "$what: says why" "$(cat err)" "$pattern"
	tap_true "$what: no result" test ! -s out
}

scan=("$PRTIP_DP" -p 80 198.18.0.1 -o ndjson:-)
ordinary=(setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all)

refused "no such interface" 2 'port = eth99: no such interface; there are .*veth0' \
	"${scan[@]}" --set dataplane.port=eth99
refused "no such interface for af_xdp" 2 'eth99: no such interface' \
	"${scan[@]}" --set dataplane.port=af_xdp:eth99
refused "an interface that is down" 2 'down0: the interface is down; .*ip link set' \
	"${scan[@]}" --set dataplane.port=af_packet:down0
refused "no default route" 2 'auto: there is no default route' "${scan[@]}" --set dataplane.port=auto
refused "an interface without an address" 2 'veth0 has no IPv4 address; give source' \
	"${scan[@]}" --set dataplane.port=af_packet:veth0
ip addr add 198.19.0.1/24 dev veth0
refused "no route to the targets" 2 'veth0 has no route to 198.18.0.1; give gateway' \
	"${scan[@]}" --set dataplane.port=af_packet:veth0
ip route add 198.18.0.0/16 via 198.19.0.2
refused "lo through af_packet" 2 'give port = lo' "${scan[@]}" --set dataplane.port=af_packet:lo
refused "a foreign source on lo" 2 'source = 203.0.113.9: on lo' \
	"${scan[@]}" --set dataplane.port=lo --set dataplane.source=203.0.113.9
refused "no free queue" 2 'tx_lcores = 2: veth0 has 1 queue' \
	"${scan[@]}" --set dataplane.port=af_xdp:veth0 --set dataplane.tx_lcores=2
ip link add many0 numrxqueues 2 numtxqueues 2 type veth peer name many1
ip link set many1 up
ip link set many0 up
ip addr add 198.19.1.1/24 dev many0
refused "queues that af_xdp cannot serve" 2 'many0 has 2 receive queues .*ethtool -L many0 rx 1' \
	"${scan[@]}" --set dataplane.port=af_xdp:many0
refused "too many lcores" 2 'more than 32 together' \
	"${scan[@]}" --set dataplane.port=af_packet:veth0 --set dataplane.tx_lcores=32 \
	--set dataplane.rx_lcores=2
refused "no such PCI device" 2 'ffff:ff:1f.7: no such PCI device' \
	"${scan[@]}" --set dataplane.port=ffff:ff:1f.7
refused "no such vdev" 2 'net_nothing0: the driver cannot start this vdev' \
	"${scan[@]}" --set dataplane.port=net_nothing0 --set dataplane.source=198.19.0.1 \
	--set dataplane.gateway_mac=02:00:00:00:00:01
refused "a file that vdev cannot open" 2 "Couldn't open /nonexistent/x" \
	"${scan[@]}" --set dataplane.port=net_pcap0,tx_pcap=/nonexistent/x
refused "a wrong EAL argument" 2 "EAL did not start: .*unrecognized option '--nonsense'" \
	"${scan[@]}" --set dataplane.port=sim -- --nonsense
refused "too few lcores in EAL arguments" 2 'eal: 1 lcores are given, 3 are needed' \
	"${scan[@]}" --set dataplane.port=sim -- -l 0
refused "too little memory" 1 'no memory for [0-9]+ packet buffers' \
	"${scan[@]}" --set dataplane.port=sim -- -m 4

read -r free <"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages" || free=0
if [ "$free" -lt 16 ]; then
	refused "no hugepages" 2 'hugepages = on: .* are needed; .*nr_hugepages' \
		"${scan[@]}" --set dataplane.port=sim --set dataplane.hugepages=on
else
	tap_skip "no hugepages" "this machine has some"
fi

bound=
for driver in /sys/bus/pci/devices/*/driver; do
	case $(readlink "$driver") in
	*/vfio-pci | */uio_pci_generic | */igb_uio | */mlx* | */mana | '') ;;
	*) bound=$(basename "$(dirname "$driver")") ;;
	esac
done
if [ -n "$bound" ]; then
	refused "a device bound to a kernel driver" 2 'is bound to kernel driver .*dpdk-devbind.py' \
		"${scan[@]}" --set "dataplane.port=$bound"
else
	tap_skip "a device bound to a kernel driver" "this machine has no PCI device with one"
fi

if "${ordinary[@]}" test -x "$PRTIP_DP"; then
	for port in lo af_packet:veth0 veth0; do
		refused "no permission for $port" 1 'no permission|Operation not permitted.*CAP_NET_RAW' \
			"${ordinary[@]}" "${scan[@]}" --set dataplane.port=$port
	done
	refused "no permission for af_xdp" 1 'CAP_' \
		"${ordinary[@]}" "${scan[@]}" --set dataplane.port=af_xdp:veth0
else
	tap_skip "no permission" "the program lies in a folder that others cannot enter"
fi

# A second scan on an af_xdp interface would take the first one's queue.
"${scan[@]}" --set dataplane.port=af_xdp:veth0 --set dataplane.gateway_mac=02:00:00:00:00:01 \
	--set scan.cooldown=20s --quiet >first.out 2>first.err </dev/null &
first=$!
for _ in $(seq 100); do
	ip link show veth0 | grep -q xdp && break
	sleep 0.1
done
refused "an interface in use" 1 "another prtip-dp .process $first. is using veth0" \
	"${scan[@]}" --set dataplane.port=af_xdp:veth0
kill -INT $first
kill -INT $first
wait $first
tap_is "the first one is interrupted" $? 130
tap_true "and leaves no program on the interface" \
	sh -c '! ip link show veth0 | grep -q xdp'

tap_done
