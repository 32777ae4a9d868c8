#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Scans that are interrupted, held up, or killed.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
listen world 0.0.0.0 80
listen world :: 80
"$PRTIP_DP" --set dataplane.port=sim -p 22,80,443,8080 --list-targets 198.18.0.0/19 \
	2001:db8::/115 >expected

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	slow=(--set "dataplane.port=$port" --rate 5k -p '22,80,443,8080'
		198.18.0.0/19 2001:db8::/115)

	for signal in INT TERM; do
		capture_start world veth1 signal.pcap "src host $SCANNER_IP or src host $SCANNER_IP6"
		scan_start "$driver" "${slow[@]}"
		sleep 2.5
		when=$(date +%s.%N)
		kill -$signal $scan_pid
		scan_wait
		capture_stop
		scan_status "$driver: SIG$signal ends it with 130" "$driver" 130
		tap_import < <(python3 "$LAB_TOOLS/wire.py" signal.pcap --expect expected --partial \
			--source $SCANNER_IP --source $SCANNER_IP6 --until "$when" | sed "s/^\(not ok\|ok\) - /&$driver, SIG$signal: /")
		records "$driver.ndjson" >got
		tap_true "$driver: SIG$signal leaves records ($(wc -l <got))" test -s got
		tap_is "$driver: SIG$signal, all of them whole and right" \
			"$(grep -v ' 80 tcp open$' got | head -5)" ''
		tap_is "$driver: SIG$signal, the summary is of an incomplete scan" \
			"$(json "$driver.sum" complete)" false
		tap_is "$driver: SIG$signal, the summary counts the results" \
			"$(json "$driver.sum" results)" "$(wc -l <got)"
	done

	scan_start "$driver" --set scan.cooldown=60s "${slow[@]}"
	sleep 2
	kill -INT $scan_pid
	sleep 1
	before=$SECONDS
	kill -INT $scan_pid
	scan_wait
	scan_status "$driver: a second SIGINT in the cooldown: 130" "$driver" 130
	tap_true "$driver: at once" test $((SECONDS - before)) -le 2

	for _ in 1 2 3; do
		capture_start world veth1 pause.pcap "src host $SCANNER_IP or src host $SCANNER_IP6"
		scan_start "$driver" --set "dataplane.port=$port" --rate 5k -p 22,80,443,8080 \
			198.18.0.0/21 2001:db8::/117
		sleep 1.5
		kill -STOP $scan_pid
		sleep 2
		kill -CONT $scan_pid
		scan_wait
		capture_stop
		"$PRTIP_DP" --set dataplane.port=sim -p 22,80,443,8080 --list-targets \
			198.18.0.0/21 2001:db8::/117 >all
		python3 "$LAB_TOOLS/wire.py" pause.pcap --expect all --source $SCANNER_IP \
			--source $SCANNER_IP6 --rate 5000 \
			--paused >checks
		grep -q '^not ok' checks || break
	done
	scan_status "$driver: stopped for 2 s: exit status" "$driver" 0
	tap_import < <(sed "s/^\(not ok\|ok\) - /&$driver, stopped for 2 s: /" checks)

	scan_start "$driver" "${slow[@]}"
	sleep 2
	kill -KILL $scan_pid
	scan_wait
	tap_is "$driver: kill -9" "$status" 137
	truth world 198.18.0.0/25,2001:db8:0::/121 22,80 >want
	scan "$driver" --set "dataplane.port=$port" --set output.include_closed=yes --rate 1k \
		-p 22,80 198.18.0.0/25 2001:db8:0::/121
	scan_status "$driver: starts again after kill -9" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: results after kill -9" got want
	tap_match "$driver: no XDP program stays behind" \
		"$(ip -n scanner -o link show veth0 | grep -c xdp)" '^0$'
done

tap_done
