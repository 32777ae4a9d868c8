#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# How many banners arrive where packets get lost, each way and independently of each other, all but the
# first SYN of a connection: a cell of connections to a real TCP stack for each kind of server. In time
# for three repetitions of a SYN-ACK, with few connections, so that the bound is a generous one; for the
# figures see tests/soak/banner-loss.sh.
#
#     banner-loss.sh [LOSS_PERCENT [CONNECTIONS [COOLDOWN_S [LEAST_PERCENT]]]]

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"

command -v nft >/dev/null || tap_skip_all "no nft: run tests/deps.sh lab"
loss=${1:-20} n=${2:-200} cooldown=${3:-8} least=${4:-88}

# Between the two a bridge that drops: a host would know of what it drops itself.
lab_machine scanner
lab_machine path
lab_machine world
lab_wire scanner veth0 path port0
lab_wire path port1 world veth1
ip -n path link add bridge0 type bridge
ip -n path link set port0 master bridge0
ip -n path link set port1 master bridge0
ip -n path link set bridge0 up
ip -n scanner address add $SCANNER_IP/24 dev veth0
ip -n world address add $WORLD_IP/24 dev veth1
ip -n world route add local 198.18.0.0/16 dev lo
ip -n scanner route add 198.18.0.0/16 via $WORLD_IP
on world sysctl -qw net.ipv4.tcp_syncookies=0 net.ipv4.tcp_max_syn_backlog=65536 \
	net.core.somaxconn=65535
serve world python3 "$LAB_TOOLS/utter.py" heard.log 21=first:60 143=first:5000 80=page:90 \
	8080=page:1500 443=answer:70
wait_listening world 21 80 143 443 8080
on path nft -f - <<NFT
table bridge lab {
	counter passed { }
	counter lost { }
	chain forward {
		type filter hook forward priority 0
		ether type ip ip protocol tcp jump segments
	}
	chain segments {
		tcp flags & (syn | ack) == syn accept
		numgen random mod 65536 < $((65536 * loss / 100)) counter name lost drop
		counter name passed
	}
}
NFT

share() { # PORT BYTES: per mille of the hosts whose record has all of that
	python3 - loss.ndjson "$1" "$2" "$n" <<'PY'
import json, sys
port, wanted, n = map(int, sys.argv[2:])
whole = 0
for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    if record["port"] == port:
        said = record.get("banner", "").encode() or bytes.fromhex(record.get("banner_hex", ""))
        whole += len(said) == wanted
print(whole * 1000 // n)
PY
}

scan loss --set dataplane.port=af_packet:veth0 --set dataplane.source=$SPARE_IP \
	--set banner.enable=on --set banner.max_bytes=4096 --set banner.wait="${cooldown}s" \
	--set scan.cooldown="${cooldown}s" --rate 20000 --seed 1 -p 21,80,143,443,8080 \
	"198.18.0.0-$(python3 -c "import ipaddress; print(ipaddress.ip_address('198.18.0.0') + $n - 1)")"
scan_status "exit status" loss 0
tap_note "$(on path nft list counters table bridge lab | grep packets | xargs)"
while read -r port bytes what; do
	got=$(share "$port" "$bytes")
	tap_note "$what: $((got / 10)).$((got % 10))%"
	tap_true "$what: $least% at $loss% loss" [ "$got" -ge $((least * 10)) ]
done <<'CELLS'
21 60 server first
443 70 a short answer
80 90 a head, a moment, and its page
8080 1500 a page of several segments
143 4096 server first, of several segments
CELLS

tap_done
