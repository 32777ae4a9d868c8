#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Stateless banners, holding and single probes against real TCP stacks and real ARP.
# ENGINE_LAB is the program made from dataplane/engine_lab.c; by default the one built beside $PRTIP_DP.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

lab=${ENGINE_LAB:-$(dirname "${PRTIP_DP:-build/prtip-dp}")/dataplane/engine_lab}
[ -x "$lab" ] || tap_skip_all "no $lab: build it first (needs criterion)"

engine() { # NAME ARGUMENTS...
	local name=$1
	shift
	status=0
	on scanner "$lab" "$@" >"$name.out" 2>"$name.err" || status=$?
}

count_of() { # NAME COUNTER
	sed -n "s/^$2 //p" "$1.out"
}

# The first banner of each host's port, as the scanner keeps it: how many hosts have it, its bytes, and
# some digits.
banners_of() { # NAME PORT
	awk -v port="$2" '$1 == "banner" && $3 == port && $5 && !seen[$2]++ { print $5 }' "$1.out" | sort |
		uniq -c | awk '{ print $1, length($2) / 2, substr($2, 1, 40) }'
}

# Where the pieces of a port's banner are, and how long each is: the same for every host, in order.
pieces_of() { # NAME PORT
	awk -v port="$2" '$1 == "banner" && $3 == port && !seen[$2, $4]++ {
		pieces[$2] = pieces[$2] $4 "+" length($5) / 2 " " }
		END { for (host in pieces) print pieces[host] }' "$1.out" | sort | uniq -c | xargs
}

hex() {
	printf '%b' "$1" | od -An -tx1 | tr -d ' \n'
}

lab_routed
serve world python3 "$LAB_TOOLS/speak.py" 0.0.0.0
wait_listening world 22 23 24 25 80 81 8080
hosts=64

for port in $(lab_ports veth0); do
	driver=${port%%:*}
	engine "$driver" "$port" $SPARE_IP 512 198.18.0.0 198.18.0.63 22 23 24 25 79 80 81 8080
	tap_is "$driver: exit status" "$status" 0 || tap_note_file "$driver.err"
	tap_is "$driver: all hosts' ports but one are open" \
		"$(awk '$1 == "state" { print $2, $3, $4 }' "$driver.out" | sort -u | cut -d' ' -f3 |
			sort | uniq -c | awk '{ printf "%s %s ", $2, $1 }')" \
		"closed $hosts open $((7 * hosts)) "
	tap_is "$driver: a banner said at once" "$(banners_of "$driver" 22)" \
		"$hosts 17 $(hex 'SSH-2.0-Lab_1.0\r\n')"
	tap_is "$driver: nothing from a server that says nothing" "$(banners_of "$driver" 23)" ""
	tap_is "$driver: the first segment of a long one, as the window allows" \
		"$(banners_of "$driver" 24)" "$hosts 512 $(hex 'xxxxxxxxxxxxxxxxxxxx')"
	tap_is "$driver: the first of two" "$(banners_of "$driver" 25)" \
		"$hosts 11 $(hex '220-first\r\n')"
	tap_is "$driver: the answer to a request" "$(banners_of "$driver" 80)" \
		"$hosts 512 $(hex 'HTTP/1.0 200 OK\r\n\r\ny')"
	tap_is "$driver: nothing from a server that closes" "$(banners_of "$driver" 81)" ""
	tap_is "$driver: any bytes" "$(banners_of "$driver" 8080)" \
		"$hosts 256 000102030405060708090a0b0c0d0e0f10111213"
	tap_is "$driver: nothing was rejected" "$(count_of "$driver" rejected)" 0
	# What has spoken, or closed, was reset: only those that wait for us are left.
	tap_is "$driver: connections left behind" "$(on world ss -Htn state established \
		state close-wait state fin-wait-1 state fin-wait-2 state last-ack | awk '{ print $4 }' |
		sed 's/.*://' | sort | uniq -c | awk '{ printf "%s:%s ", $2, $1 }')" "23:$hosts "
	on world ss -K -tn sport = :23 >/dev/null 2>&1

	engine cut "$port" $SPARE_IP 9 198.18.0.0 198.18.0.63 22
	tap_is "$driver: max_bytes" "$(banners_of cut 22)" "$hosts 9 $(hex 'SSH-2.0-L')"

	engine long "$port" $SPARE_IP 3000 198.18.0.0 198.18.0.63 24 80
	tap_is "$driver: a long one, window by window" "$(pieces_of long 24)" \
		"$hosts 0+512 512+512 1024+512 1536+464"
	tap_is "$driver: as much as is wanted" "$(pieces_of long 80)" \
		"$hosts 0+512 512+512 1024+512 1536+512 2048+512 2560+440"

	engine none "$port" $SPARE_IP 0 198.18.0.0 198.18.0.63 22 80
	tap_is "$driver: none unless asked for" "$(grep -c '^banner ' none.out)" 0
	tap_is "$driver: then SYN-ACKs are reset" "$(count_of none replies)" \
		"$(count_of none syn_ack)"
done

# --- Where the kernel would reset ----------------------------------------------------------------

engine kernel af_packet:veth0 $SCANNER_IP 512 198.18.0.0 198.18.0.63 22
tap_is "af_packet with the kernel's address: a usage error" "$status" 2
tap_match "that says what to do" "$(cat kernel.err)" "kernel holds $SCANNER_IP .*set source to"
on scanner ip link set lo up
engine lo lo 127.0.0.1 512 127.0.0.1 127.0.0.1 22
tap_is "lo: a usage error" "$status" 2
tap_match "that says why" "$(cat lo.err)" "not possible on lo"
if lab_ports veth0 | grep -q af_xdp; then
	engine kernel af_xdp:veth0 $SCANNER_IP 512 198.18.0.0 198.18.0.63 22
	tap_is "af_xdp with the kernel's address: it sees none of it" "$status" 0
	tap_is "and banners come" "$(banners_of kernel 22)" "$hosts 17 $(hex 'SSH-2.0-Lab_1.0\r\n')"
fi

# --- Single probes, held, on link ------------------------------------------------------------------

lab_reset
lab_onlink
for n in 1 2; do
	listen host$n 198.19.0.1$n 22
done
for port in $(lab_ports veth0); do
	driver=${port%%:*}
	# Hosts .11 to .13 are there, .14 and .15 are not.
	engine single -s 22 "$port" $SPARE_IP 0 198.19.0.11 198.19.0.15 22 80
	tap_is "$driver: exit status" "$status" 0 || tap_note_file single.err
	tap_is "$driver: single probes' answers, before the scan's" \
		"$(sed -n 's/^single //p' single.out | sort | tr '\n' ' ')" \
		"198.19.0.11 22 open 198.19.0.12 22 open 198.19.0.13 22 closed "
	tap_is "$driver: the first three lines are theirs" \
		"$(head -3 single.out | cut -d' ' -f1 | sort -u)" single
	tap_is "$driver: who is silent to ARP is not sent to" "$(count_of single single_probes)" 3
	tap_is "$driver: the scan's own answers" \
		"$(awk '$1 == "state" { print $2, $3, $4 }' single.out | sort -u | wc -l)" 6
	tap_is "$driver: the scan's own account" \
		"$(count_of single probes_sent) $(count_of single unresolved)" "6 4"
	tap_is "$driver: nothing was rejected" "$(count_of single rejected)" 0
done

tap_done
