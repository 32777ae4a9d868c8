#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Host names as targets, against a name server of the lab's own that logs what it was asked.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab_routed
lab_v6
port=(--set dataplane.port=af_packet:veth0 --set scan.cooldown=400ms)

# Files of our own in place of the machine's, in this mount namespace alone.
resolve_by() { # ADDRESS
	printf 'nameserver %s\noptions timeout:2 attempts:1\n' "$1" >resolv.conf
}
resolve_by $WORLD_IP
printf '127.0.0.1 localhost\n198.18.3.1 %s\n' from-hosts.example >hosts
printf 'hosts: files dns\n' >nsswitch.conf
for file in resolv.conf hosts nsswitch.conf; do
	mount --bind "$LAB/$file" "/etc/$file"
done

# dns ADDRESS...: a name server; web.lab.example has these.
dns() {
	local ip records=()
	for ip in "$@"; do records+=("--host-record=web.lab.example,$ip"); done
	ip netns exec world dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
		--user=root --bind-interfaces --listen-address=$WORLD_IP --log-queries --log-facility=- \
		--pid-file="$LAB/dns.pid" --local=/example/ "${records[@]}" \
		--host-record=net.lab.example,198.18.7.9 --host-record=six.lab.example,2001:db8::66 \
		--host-record=four.lab.example,198.18.0.4 2>>dns.log </dev/null &
	dns_pid=$!
	wait_listening world 53
}
dns_stop() {
	kill "$dns_pid"
	wait "$dns_pid" 2>/dev/null
}
asked() { grep -c 'query\[' dns.log; }

# What would be scanned: the same start, but nothing is sent.
list() { on scanner "$PRTIP_DP" --list-targets -p 80 "$@" 2>list.err | sort; }

dns 198.18.0.5,2001:db8::5
listen world 0.0.0.0 80
listen world :: 80

# --- Which addresses ------------------------------------------------------------------------------

: >dns.log
scan both "${port[@]}" --seed 1 -p 80 web.lab.example
scan_status "a name with an address of each family: exit status" both 0
records both.ndjson >got
printf '%s 80 tcp open\n' 198.18.0.5 2001:db8::5 | sort >want
tap_same "both were scanned" got want
tap_match "and are shown" "$(cat both.err)" '^web\.lab\.example is (198\.18\.0\.5, 2001:db8::5|2001:db8::5, 198\.18\.0\.5)$'
tap_is "each was asked for once" "$(asked)" 2
tap_is "the summary counts the name" "$(json both.sum names)" '{"given": 1, "failed": 0}'

tap_is "[scan] family = ipv4" "$(list --set scan.family=ipv4 web.lab.example)" "198.18.0.5 80 tcp"
tap_is "ipv6" "$(list --set scan.family=ipv6 web.lab.example)" "2001:db8::5 80 tcp"
tap_is "a source of one family: the names' addresses of that family" \
	"$(list --set dataplane.source=$SPARE_IP web.lab.example)" "198.18.0.5 80 tcp"
ip -n scanner -6 route delete 2001:db8:0::/48
tap_is "no route to its IPv6 address: the other one" "$(list web.lab.example)" "198.18.0.5 80 tcp"
scan unrouted "${port[@]}" -p 80 four.lab.example six.lab.example
scan_status "no route to the only address: the rest is scanned" unrouted 0
tap_match "and the reason named" "$(cat unrouted.err)" \
	'^prtip-dp: warning: target six\.lab\.example: .*no route.*; left out$'
ip -n scanner -6 route add 2001:db8:0::/48 via $WORLD_IP6
tap_is "/etc/hosts counts" "$(list from-hosts.example)" "198.18.3.1 80 tcp"

dns_stop
dns 198.18.0.5 198.18.0.6
scan first "${port[@]}" -p 80 web.lab.example
tap_is "several addresses: one of them" "$(records first.ndjson | grep -c '^198\.18\.0\.[56] 80')" 1
tap_match "the other is named" "$(cat first.err)" '\(and 1 not scanned\)'
tap_is "resolve = all: all of them, each once" \
	"$(list --set scan.resolve=all WEB.Lab.Example web.lab.example | tr '\n' ' ')" "198.18.0.5 80 tcp 198.18.0.6 80 tcp "

list 198.18.7.0/24 >want
list net.lab.example/24 >got
tap_same "name/24 is its network" got want
list net.lab.example/24 --exclude 198.18.7.128/25 >got
tap_is "exclusions hold for names" "$(wc -l <got)" 128

# --- Failures -------------------------------------------------------------------------------------

scan some "${port[@]}" -p 80 four.lab.example gone.lab.example six.lab.example/24
scan_status "a name that is not there: the rest is scanned" some 0
tap_is "only that" "$(records some.ndjson)" "198.18.0.4 80 tcp open"
tap_match "it is named with its reason" "$(cat some.err)" \
	'^prtip-dp: warning: target gone\.lab\.example: Name or service not known; left out$'
tap_match "so is a prefix of the wrong family" "$(cat some.err)" \
	'^prtip-dp: warning: target six\.lab\.example/24: no IPv4 address, which /24 is of; left out$'
tap_is "and the summary counts both" "$(json some.sum names)" '{"given": 3, "failed": 2}'
scan none "${port[@]}" -p 80 gone.lab.example gone2.lab.example
scan_status "no name with an address: exit status" none 2
tap_is "in one line with both" "$(cat none.err)" "prtip-dp: no targets: no address for \
gone.lab.example: Name or service not known; gone2.lab.example: Name or service not known"

# --- Files ----------------------------------------------------------------------------------------

printf '# hosts\nfour.lab.example ; one\n198.18.0.9, gone.lab.example\r\n' >targets.txt
scan file "${port[@]}" -p 80 -iL targets.txt
records file.ndjson >got
printf '%s 80 tcp open\n' 198.18.0.4 198.18.0.9 >want
tap_same "names in a file" got want
list -iL - <targets.txt >got
printf '%s 80 tcp\n' 198.18.0.4 198.18.0.9 >want
tap_same "names from standard input" got want

# --- Looked up once in the life of a scan ---------------------------------------------------------

arguments=(--seed 7 -p 1-2000 --rate 3k --set scan.resolve=all web.lab.example gone.lab.example -iL targets.txt)
on scanner "$PRTIP_DP" "${arguments[@]}" --print-config >scan.ini 2>/dev/null
on scanner "$PRTIP_DP" "${arguments[@]}" --list-targets >want 2>/dev/null
scan_start cut "${port[@]}" "${arguments[@]}" --checkpoint cut.ckpt --set checkpoint.interval=200ms
until grep -q 'through ' cut.err || ! kill -0 "$scan_pid" 2>/dev/null; do sleep 0.1; done
sleep 0.7
kill -INT "$scan_pid"
scan_wait
tap_is "a scan is interrupted" "$status" 130
dns_stop
dns 198.18.0.99
: >dns.log
on scanner "$PRTIP_DP" --config scan.ini --list-targets >got 2>list.err
tap_same "--print-config gives the same run, though the name stands for another address now" got want
on scanner "$PRTIP_DP" --config scan.ini --print-config >again.ini 2>/dev/null
tap_same "and prints the same again" again.ini scan.ini
cp cut.ndjson before.ndjson
status=0
on scanner "$PRTIP_DP" --resume cut.ckpt </dev/null >resume.out 2>resume.err || status=$?
tap_is "it is gone on with" "$status" 0 || tap_note_file resume.err
tap_is "to its end: all of its addresses were asked on port 80" "$(records cut.ndjson | tr '\n' ' ')" \
	"198.18.0.4 80 tcp open 198.18.0.5 80 tcp open 198.18.0.6 80 tcp open 198.18.0.9 80 tcp open "
tap_is "the summary still counts the names" "$(json cut.sum names)" '{"given": 3, "failed": 1}'
tap_is "and nobody was asked for a name" "$(asked)" 0

# --- Meanwhile ------------------------------------------------------------------------------------

ip netns exec world python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("198.18.0.53", 53))
time.sleep(60)' &
lab_pids="$lab_pids $!"
resolve_by 198.18.0.53
until [ -n "$(on world ss -Hlun 'src 198.18.0.53')" ]; do sleep 0.05; done
scan_start slow "${port[@]}" -p 80 web.lab.example
until grep -q '^resolving' slow.err || ! kill -0 "$scan_pid" 2>/dev/null; do sleep 0.05; done
rights() { grep -h '^CapEff\|^NoNewPrivs' "/proc/$1/status"; }
tap_is "no right is given up before" "$(rights "$scan_pid")" "$(rights $$)"
kill -INT "$scan_pid"
scan_wait
tap_is "Ctrl-C ends a lookup that hangs" "$status" 130
tap_match "of which there is word" "$(cat slow.err)" '^resolving +0 of 1 names$'
tap_match "nothing was sent" "$(cat slow.err)" 'interrupted while names were looked up; nothing was sent$'

tap_done
