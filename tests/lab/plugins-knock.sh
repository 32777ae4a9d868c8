#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Port knocking: a plugin's probes through the packet core, before the first of the scan, from the
# scan's own address, open what a scan alone does not find.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_routed
host=198.18.1.1
on world nft -f - <<'NFT'
table ip lab {
	set knocked {
		type ipv4_addr
	}
	chain input {
		type filter hook input priority 0
		tcp dport 2222 ip saddr != @knocked drop
	}
}
NFT
listen world $host 80 2222
ip netns exec world python3 "$LAB_TOOLS/knockd.py" veth1 7001 7002 7003 >>knockd.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
for _ in $(seq 100); do
	! grep -q ready knockd.log || break
	sleep 0.05
done

lab_plugin knock scan '"network"' '[plugin.network]\nscope = "scan"
[config]\nports = [7001, 7002, 7003]' <<'LUA'
local ports, states = nil, {}
function on_load(config)
	ports = config.ports
end

function on_pre_scan(targets)
	for i, port in ipairs(ports) do
		states[i] = assert(prtip.scan_port(targets[1].ip, port))
		prtip.sleep(0.1)
	end
end

function on_target(target)
	prtip.add_result("states", states)
	prtip.add_result("open", {prtip.scan_port(target.ip, 80)})
	prtip.add_result("away", select(2, prtip.scan_port("198.18.1.99", 80)))
end
LUA

knock() { # NAME PLUGIN...: before a closed door
	on world nft flush set ip lab knocked
	: >knockd.log
	plugged "$@"
	scan_status "$1: exit status" "$1" 0
}
order() { # NAME: destination ports as they came, without repeats in a row
	tcpdump -nr "$1.pcap" 2>/dev/null | sed -nE 's/.* > [0-9.]+\.([0-9]+): .*/\1/p' | uniq | tr '\n' ' '
}

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	source=$SCANNER_IP
	# Of an address that the kernel has it would take the answers, on a port of its own.
	[ "$driver" = af_packet ] || source=$SPARE_IP
	with=(--set "dataplane.port=$port" --set "dataplane.source=$source"
		--set dataplane.source_ports=40000-40999 --rate 200 -p 2222 "$host")

	knock "$driver-without"
	records "$driver-without.ndjson" >got
	: >want
	tap_same "$driver: without knocking the port is not seen" got want

	capture_start world veth1 "$driver-knock.pcap" "tcp[13] == 0x02"
	knock "$driver-knock" knock
	capture_stop
	records "$driver-knock.ndjson" >got
	echo "$host 2222 tcp open" >want
	tap_same "$driver: with it, it is open" got want
	tap_is "$driver: the knocks come first, in order; then the scan's probe, then on_target's" \
		"$(order "$driver-knock")" "7001 7002 7003 2222 80 "
	tap_is "$driver: the door heard them" "$(tr '\n' ' ' <knockd.log)" \
		"knock $source 7001 knock $source 7002 knock $source 7003 open $source "
	tap_is "$driver: they come from the scan's address and ports" \
		"$(tcpdump -nr "$driver-knock.pcap" "not (src host $source and src portrange 40000-40999)" \
			2>/dev/null | wc -l)" 0
	tap_is "$driver: scan_port's answers" \
		"$(said "$driver-knock.ndjson" knock states open away | cut -d' ' -f3-)" \
		'ok ["closed", "closed", "closed"] ["open"] denied'
	tap_is "$driver: and they are no results" "$(json "$driver-knock.sum" results)" 1

	with+=(--plugin-arg "knock.ports=7002,7001,7003")
	knock "$driver-wrong" knock
	records "$driver-wrong.ndjson" >got
	: >want
	tap_same "$driver: in the wrong order nothing opens" got want
done

tap_done
