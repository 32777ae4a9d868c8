#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# UDP end to end: servers that answer and servers that lie, replies as banners, payloads out of the
# operator's file as they arrive, and hosts that ration their ICMP errors.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

command -v tshark >/dev/null || tap_skip_all "no tshark: install Debian's package"
command -v dnsmasq >/dev/null || tap_skip_all "no dnsmasq: install Debian's package"

lab_routed
lab_v6
ip -n world -6 address add 2001:db8:0::1/128 dev lo nodad
serve_dns world 198.18.0.1 53
ip netns exec world python3 "$LAB_TOOLS/datagrams.py" answered \
	198.18.0.1-123-ntp 198.18.0.1-161-echo 2001:db8:0::1-53-echo 2001:db8:0::1-123-ntp \
	198.18.0.2-53-alter 198.18.0.2-123-alter 198.18.0.2-161-elsewhere \
	198.18.0.1-7700-echo 198.18.0.2-7700-alter 2001:db8:0::1-7700-echo 198.18.0.1-7702-echo \
	>servers.out 2>servers.err </dev/null &
lab_pids="$lab_pids $!"
until grep -q ready servers.out 2>/dev/null || ! kill -0 $!; do sleep 0.05; done

# --- Servers --------------------------------------------------------------------------------------

cat >want <<'TXT'
198.18.0.1 123 udp open udp-response
198.18.0.1 161 udp open udp-response
198.18.0.1 53 udp open udp-response
198.18.0.1 9 udp closed port-unreach
198.18.0.2 9 udp closed port-unreach
2001:db8::1 123 udp open udp-response
2001:db8::1 161 udp closed port-unreach
2001:db8::1 53 udp open udp-response
2001:db8::1 9 udp closed port-unreach
TXT
hosts=(198.18.0.1 198.18.0.2 2001:db8:0::1)
for port in $(lab_ports veth0); do
	driver=${port%%:*}
	source="$SCANNER_IP,$SCANNER_IP6"
	[ "$driver" = af_packet ] || source="$SPARE_IP,$SPARE_IP6"
	scan "$driver" --set "dataplane.port=$port" --set "dataplane.source=$source" -sU --rate 500 \
		--set output.include_closed=yes --set banner.enable=on -p 9,53,123,161 "${hosts[@]}"
	scan_status "$driver: exit status" "$driver" 0
	records "$driver.ndjson" reason >got
	tap_same "$driver: servers that answer are open, those that lie are not" got want
	# DNS and NTP of the liar; SNMP has three payloads, whose replies come from elsewhere.
	tap_true "$driver: lies are rejected ($(json "$driver.sum" rejected))" \
		test "$(json "$driver.sum" rejected)" -ge 2
	tap_is "$driver: the liar's silence is counted" "$(json "$driver.sum" no_answer)" 3
	python3 - "$driver.ndjson" <<'PY' >verdict
import ipaddress, json, sys
said = {}
for line in open("answered"):
    address, port, _, reply = line.split()
    said.setdefault((ipaddress.ip_address(address), int(port)), set()).add(reply)
for line in open(sys.argv[1]):
    record = json.loads(line)
    key = ipaddress.ip_address(record["ip"]), record["port"]
    banner = record.get("banner_hex") or record.get("banner", "").encode().hex()
    if record["state"] != "open":
        right = not banner
    elif key in said:
        right = banner in said[key]
    else:  # dnsmasq: a response (RFC 1035 4.1.1) that says its version
        right = bytes.fromhex(banner)[2] & 0x80 and b"dnsmasq-" in bytes.fromhex(banner)
    if not right:
        print(*key, record["state"], banner or "no banner")
PY
	tap_is "$driver: what a service replied is its banner" "$(cat verdict)" "" ||
		tap_note_file answered
done

# --- Payloads of the operator's ---------------------------------------------------------------------

printf '%s\n' '# ours' '7700-7701 stat "STAT\x00\x01" "\x00\x00\x00\x00" token=6+4 reply=6' \
	'7700 hex "id=00000000\r\n" token=3+4h reply=3' '7702 any "0123456789" token=2+2 keep=0xf0' \
	'53 own "not a question"' >payloads
: >answered
capture_start world veth1 own.pcap "udp"
scan own --set dataplane.port=af_packet:veth0 -sU --rate 500 --set scan.udp_payloads=payloads \
	-p 53,123,7700-7702 198.18.0.0/26 2001:db8:0::/122
capture_stop
scan_status "own payloads: exit status" own 0
records own.ndjson | grep ' open$' >got
# What was said to port 53 of the liar has no token that it could get wrong.
cat >want <<'TXT'
198.18.0.1 123 udp open
198.18.0.1 7700 udp open
198.18.0.1 7702 udp open
198.18.0.2 53 udp open
2001:db8::1 123 udp open
2001:db8::1 53 udp open
2001:db8::1 7700 udp open
TXT
tap_same "own payloads: replies that repeat the token are open, others are not" got want
tshark -n -r own.pcap -Y 'udp && !icmp && !icmpv6' -T fields -E separator=, -e ip.dst -e ipv6.dst \
	-e udp.dstport -e udp.payload >sent
python3 - <<'PY' >verdict
import collections, re
FORM = {
    "7700": [rb"STAT\x00\x01(.{4})", rb"id=([0-9a-f]{8})\r\n"],
    "7701": [rb"STAT\x00\x01(.{4})"],
    "7702": [rb"01(.)456789", rb"01(..)456789"][1:],
    "53": [rb"not a question()"],
}
seen, tokens = collections.Counter(), collections.defaultdict(set)
for line in open("sent"):
    v4, v6, port, payload = line.strip().split(",")
    payload = bytes.fromhex(payload.replace(":", ""))
    if port not in FORM:
        continue
    for number, form in enumerate(FORM[port]):
        if match := re.fullmatch(form, payload, re.DOTALL):
            seen[v4 + v6, port, number] += 1
            tokens[port, number].add(match[1])
            if port == "7702" and match[1][0] & 0xF0 != ord("2") & 0xF0:
                print("keep= was not kept:", payload)
            break
    else:
        print("not of the file:", port, payload)
forms = sum(map(len, FORM.values()))
if len(seen) != 128 * forms or set(seen.values()) != {1}:
    print(f"{len(seen)} of {128 * forms} seen, so often: {set(seen.values())}")
for (port, number), values in tokens.items():
    if port != "53" and len(values) < 100:
        print(f"port {port}, payload {number}: only {len(values)} tokens")
PY
tap_is "own payloads: the file's bytes, each once to each host, with tokens of their own" \
	"$(head -n 5 verdict)" ""

# --- Hosts that ration ICMP errors ------------------------------------------------------------------

# Linux lets six errors to a peer go at once, then one each icmp_ratelimit; here eight a second, so as not
# to wait for long. A host alone is asked for all its ports at once; among fifteen that are silent, at
# the same rate, its ports are spread over the scan.
on world sysctl -qw net.ipv4.icmp_ratemask=6168 net.ipv4.icmp_ratelimit=125
on world nft -f - <<'NFT'
table inet filter {
	chain input {
		type filter hook input priority 0
		ip daddr 198.18.1.0 accept
		ip daddr 198.18.1.0/28 drop
	}
}
NFT
for hosts in 198.18.1.0 198.18.1.0/28; do
	# For six to be let through again.
	[ ! -e found ] || sleep 0.9
	scan rationed --set dataplane.port=af_packet:veth0 -sU --rate 200 --seed 4 \
		--set output.include_closed=yes -p 20001-20020 $hosts
	scan_status "a host that rations ICMP errors, $hosts: exit status" rationed 0
	wc -l <rationed.ndjson >>found
done
tap_true "spread over a scan of 16 hosts, more of its ports are seen closed ($(paste -sd' ' found))" \
	test "$(tail -n 1 found)" -ge $(($(head -n 1 found) + 4))

# The order itself: no host has more than a few of its 20 ports within a hundredth of the scan.
"$PRTIP_DP" --set dataplane.port=sim -sU --seed 4 -p 20001-20020 198.18.0.0/22 --list-targets |
	awk '{ n[$1, int(NR / 204.8)]++ } END { for (i in n) if (n[i] > most) most = n[i]; print most }' >most
tap_true "the order spreads a host's ports (at most $(cat most) of 20 in a hundredth of it)" \
	test "$(cat most)" -le 6

tap_done
