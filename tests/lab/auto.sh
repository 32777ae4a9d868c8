#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# port = auto: the interface of the default route, without a word about ports on the command line.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
listen world 0.0.0.0 80
truth world 198.18.0.0/24 22,80 | grep -v closed >want

ip -n scanner route del 198.18.0.0/16
scan none -p 22,80 198.18.0.0/24
tap_true "without any route the scan is refused (exit $status)" test $status -eq 1 -o $status -eq 2
tap_true "with a message" test -s none.err

ip -n scanner route add default via $WORLD_IP
scan auto -p 22,80 198.18.0.0/24
scan_status "exit status" auto 0
records auto.ndjson reason >got
tap_same "auto finds what is there through the default route" got want
tap_match "and says which interface it took" "$(cat auto.err)" veth0

status=0
on scanner "$PRTIP_DP" --dry-run -p 22,80 198.18.0.0/24 >dry.out 2>dry.err || status=$?
tap_is "--dry-run: exit status" "$status" 0
tap_match "--dry-run names the interface" "$(cat dry.out dry.err)" veth0

# --- IPv6: its own default route decides ---------------------------------------------------------------

listen world :: 80
truth world 2001:db8:0::/120 22,80 | grep -v closed >want
ip -n scanner -6 route del 2001:db8:0::/48
ip -n scanner route del default
scan none6 -p 22,80 2001:db8:0::/120
tap_true "IPv6: without any route the scan is refused (exit $status)" \
	test $status -eq 1 -o $status -eq 2
tap_true "IPv6: with a message" test -s none6.err
ip -n scanner -6 route add default via $WORLD_IP6
scan auto6 -p 22,80 2001:db8:0::/120
scan_status "IPv6: exit status" auto6 0
records auto6.ndjson reason >got
tap_same "IPv6: auto finds what is there through the default route" got want
tap_match "IPv6: and says which interface it took" "$(cat auto6.err)" veth0

tap_done
