#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a capture on the far side sees of a scan: every probe exactly once, well formed, nothing to
# an excluded address, at the rate that was asked for.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
listen world 0.0.0.0 80

# One scan with its capture; the checks go to file `checks`.
observe() { # PORT RATE TARGETS PORTS
	capture_start world veth1 wire.pcap "src host $SCANNER_IP or src host $SCANNER_IP6"
	scan wire --set "dataplane.port=$1" --rate "$2" -p "$4" --exclude 198.18.1.0/24 --exclude 2001:db8::40/122 "$3"
	capture_stop
	{
		if [ "$capture_dropped" != 0 ]; then
			echo "not ok - the capture is whole"
			echo "# tcpdump missed $capture_dropped packets"
		fi
		python3 "$LAB_TOOLS/wire.py" wire.pcap --expect expected --source $SCANNER_IP --source $SCANNER_IP6 \
			--next-hop "$(mac_of world veth1)" --forbid 198.18.1.0/24 --forbid 2001:db8::40/122 \
			--rate "$2"
	} >checks
}

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	while read -r rate targets ports; do
		"$PRTIP_DP" --set "dataplane.port=sim" -p "$ports" --exclude 198.18.1.0/24 \
			--exclude 2001:db8::40/122 --seed 7 --list-targets "$targets" >expected
		# The machine's two CPUs carry sender, far host and capture: one calm run of five will do.
		for _ in 1 2 3 4 5; do
			observe "$port" "$rate" "$targets" "$ports"
			grep -q '^not ok' checks || break
		done
		scan_status "$driver at $rate/s: exit status" wire 0
		tap_import < <(sed "s/^\(not ok\|ok\) - /&$driver at $rate\/s: /" checks)
		tap_is "$driver at $rate/s: the summary counts the probes" \
			"$(json wire.sum probes_sent)" "$(wc -l <expected)"
	done <<-'EOF'
		1000 198.18.0.0/23,2001:db8::/119 80,443,8080
		10000 198.18.0.0/21,2001:db8::/117 22,80,443,8080,9000
		50000 198.18.0.0/18 22,23,25,80,443,8080
	EOF
done

tap_done
