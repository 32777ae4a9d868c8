#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Banners from end to end: what real servers send is what the records have, byte for byte, however long;
# what they hear is what their port's hello is; and no connection is left behind.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

for tool in dropbear openssl nft; do
	command -v $tool >/dev/null || tap_skip_all "no $tool: run tests/deps.sh lab"
done

SOURCES=$SPARE_IP,$SPARE_IP6
HOSTS=198.18.0.1,198.18.0.2,2001:db8::1,2001:db8::2
hosts=4
# Ports that no hello names, and how many bytes their servers say first.
declare -A first=([21]=1 [25]=511 [110]=513 [143]=4095 [3306]=4096 [5900]=10000)

lab_routed
lab_v6
get=$(printf 'GET / HTTP/1.0\r\n\r\n' | od -An -tx1 | tr -d ' \n')
# Half-open connections shall show.
on world sysctl -qw net.ipv4.tcp_syncookies=0 net.ipv4.tcp_max_syn_backlog=8192 \
	net.core.somaxconn=8192
servers=()
for port in "${!first[@]}"; do
	servers+=("$port=first:${first[$port]}")
done
serve world python3 "$LAB_TOOLS/utter.py" heard.log "${servers[@]}" 8080=page:3000 8000=closes \
	8888=answer:700 9999=line 5000=silent 7777=first:9
serve_ssh world "[::]" 22
serve world dropbear -F -E -s -r "$LAB/hostkey" -P "$LAB/dropbear-4.pid" -p 0.0.0.0:22
mkdir www
head -c 7500 /dev/urandom | base64 -w 100 >www/index.html
serve world python3 -u -m http.server --directory www --bind :: 80
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
	-subj /CN=lab.example -days 2 2>/dev/null
for family in 4 6; do
	serve world openssl s_server -accept 443 -$family -cert cert.pem -key key.pem -quiet
	serve world openssl s_server -accept 8443 -$family -nocert -quiet
done
wait_listening world 21 22 25 80 110 143 443 3306 5900 8000 8080 8443 8888 9999 5000 7777

banners() { # NAME PORT: how many records have which banner, in hexadecimal
	python3 - "$1.ndjson" "$2" <<'PY'
import collections, json, sys
seen = collections.Counter()
for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    if record["port"] == int(sys.argv[2]):
        seen[record.get("banner_hex") or record.get("banner", "").encode().hex()] += 1
for banner, n in sorted(seen.items()):
    print(n, banner)
PY
}

said() { # PORT BYTES
	python3 "$LAB_TOOLS/utter.py" bytes "$1" "$2"
}

# tls_records HEX: type of each whole record, and the handshake's or alert's first bytes
tls_records() {
	python3 - "$1" <<'PY'
import sys
data, out = bytes.fromhex(sys.argv[1]), []
while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[3:5], "big"):
    n = int.from_bytes(data[3:5], "big")
    out.append(f"{data[0]}:{data[5:7].hex() if data[0] == 21 else data[5]}" if data[0] != 23 else "23")
    data = data[5 + n:]
print(*out, *(["rest"] if data else []))
PY
}

# Connections that the far end still has: port and how many, of those in which somebody has spoken.
left_behind() {
	on world ss -Htna state established state syn-recv state close-wait state fin-wait-1 \
		state fin-wait-2 state last-ack | awk '{ print $4 }' | sed 's/.*://' | sort |
		uniq -c | awk '{ printf "%s:%s ", $2, $1 }'
}

banner_scan() { # NAME DEVICE ARGUMENTS...
	local name=$1 device=$2
	shift 2
	scan "$name" --set dataplane.port="$device" --set dataplane.source="$SOURCES" \
		--set banner.enable=on --set banner.max_bytes=4096 --set banner.wait=3s \
		--set scan.cooldown=2s --rate 2000 "$@"
}

for device in $(lab_ports veth0); do
	driver=${device%%:*}
	for how in plain no-window-scaling no-timestamps; do
		# What the far end does is the same for each driver.
		[ "$driver" = af_packet ] || [ $how = plain ] || continue
		what="$driver, $how"
		on world sysctl -qw net.ipv4.tcp_timestamps=1 net.ipv4.tcp_window_scaling=1
		case $how in
		no-timestamps) on world sysctl -qw net.ipv4.tcp_timestamps=0 ;;
		no-window-scaling) on world sysctl -qw net.ipv4.tcp_window_scaling=0 ;;
		esac
		: >heard.log
		banner_scan records "$device" -p 21,22,25,80,110,143,443,3306,5900,8000,8080,8443,8888,9999 \
			"$HOSTS"
		scan_status "$what: exit status" records 0
		tap_is "$what: every port is open" \
			"$(records records.ndjson | awk '{ print $4 }' | sort | uniq -c | xargs)" \
			"$((14 * hosts)) open"
		# Without timestamps a host cannot be asked for more than fits the first window.
		most=4096
		[ $how = no-timestamps ] && most=512
		for port in "${!first[@]}"; do
			n=${first[$port]}
			tap_is "$what: port $port says $n bytes" "$(banners records "$port")" \
				"$hosts $(said "$port" $((n < most ? n : most)))"
		done
		# It has its key exchange behind the first line, with random bytes.
		tap_is "$what: dropbear" "$(banners records 22 | cut -d' ' -f2 | cut -c1-32 |
			sort | uniq -c | xargs)" "$hosts $(printf 'SSH-2.0-dropbear' | od -An -tx1 | tr -d ' \n')"
		http=$(banners records 80 | sed -n 1p) # they differ in Date
		if [ $how = no-timestamps ]; then
			tap_match "$what: the head of a page" "$http" "^[1-4] 485454502f312e3020323030"
		else
			tap_is "$what: head and page, as much as was wanted" \
				"$(banners records 80 | awk '{ n += $1; l[length($2) / 2] }
					END { for (i in l) print n, i }')" "$hosts 4096"
			python3 -c 'import sys
sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]).split(b"\r\n\r\n", 1)[1])' "${http#* }" >page
			tap_true "$what: the page is what the server has" \
				cmp -n "$(wc -c <page)" page www/index.html
			tap_is "$what: a head and a page of its own" "$(banners records 8080)" \
				"$hosts $(python3 "$LAB_TOOLS/utter.py" page 8080 3000)"
			tap_is "$what: an answer to a request" "$(banners records 8888)" \
				"$hosts $(said 8888 700)"
			tap_match "$what: ServerHello and all of its flight" \
				"$(for tls in $(banners records 443 | cut -d' ' -f2); do
					tls_records "$tls"
				done | sort | uniq -c | xargs)" \
				"^$hosts 22:2( 20:1)?( 22:[0-9]+| 23)+$"
		fi
		tap_is "$what: nothing from a server that closes" "$(banners records 8000)" "$hosts "
		tap_is "$what: what the client did not say is no echo" "$(banners records 9999)" "$hosts "
		alert=$(banners records 8443)
		tap_is "$what: a TLS alert" "${alert%% *} $(tls_records "${alert#* }")" "$hosts 21:0228"
		tap_is "$what: what servers hear" \
			"$(sort heard.log | uniq -c | awk '$3 != "" { print $2, $3 }')" \
			"$(printf '%s\n' "8080 $get" "8888 $get")"
		tap_is "$what: connections left behind" "$(left_behind)" "9999:$hosts "
		tap_is "$what: lost" "$(json records.sum lost tx_dropped) $(json records.sum lost ring_full)" \
			"0 0"
		on world ss -K -tn sport = :9999 >/dev/null 2>&1
	done
done
on world sysctl -qw net.ipv4.tcp_timestamps=1 net.ipv4.tcp_window_scaling=1

# --- What is repeated, what is closed to us, what is unknown --------------------------------------

on world nft -f - <<'NFT'
table inet lab {
	counter hellos { }
	counter syn_acks { }
	counter zero_window { }
	counter to_zero_window { }
	chain input {
		type filter hook input priority 0
		tcp dport 5000 tcp flags & (syn | ack | rst) == ack counter name hellos drop
		tcp dport 7777 tcp flags & (syn | rst) == 0 counter name to_zero_window
	}
	chain output {
		type filter hook output priority 0
		tcp sport 5000 tcp flags & (syn | ack) == syn | ack counter name syn_acks
		tcp sport 7777 tcp flags & (syn | ack) == syn | ack tcp window set 0 counter name zero_window
	}
}
NFT
counter() { # NAME
	on world nft list counter inet lab "$1" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}
: >heard.log
banner_scan repeats af_packet:veth0 -p 5000,7777,9999 --set scan.probes=2 --set scan.cooldown=4s \
	--set banner.wait=4s "$HOSTS"
scan_status "repeats: exit status" repeats 0
tap_is "one record a port, however often it answers" \
	"$(records repeats.ndjson | awk '{ print $2, $4 }' | sort | uniq -c | xargs)" \
	"$hosts 5000 open $hosts 7777 open $hosts 9999 open"
tap_true "hosts repeat their SYN-ACKs" [ "$(counter syn_acks)" -ge $((2 * hosts * 3)) ]
# Two transmissions to each host; what is repeated twice, as there seems to be loss.
tap_is "each is answered" "$(counter hellos)" "$((2 * $(counter syn_acks) - 2 * hosts))"
tap_is "a zero window shows in the record" \
	"$(grep -c '"port":7777,.*"zero_window":true' repeats.ndjson) $(grep -c zero_window repeats.ndjson)" \
	"$hosts $hosts"
tap_is "and in the summary" "$(json repeats.sum banner zero_window)" "$(counter zero_window)"
tap_is "no hello is said there" "$(counter to_zero_window)" 0
tap_is "unknown ports: silence first, then a request for a page" "$(banners repeats 9999)" \
	"$hosts $get"
tap_is "duplicates are counted" "$(json repeats.sum duplicates)" \
	"$(($(json repeats.sum responses syn_ack) - 3 * hosts))"

# --- Where the kernel would reset -----------------------------------------------------------------

banner_scan refused af_packet:veth0 --set dataplane.source=$SCANNER_IP -p 21 198.18.0.1
tap_is "af_packet with the kernel's address: exit status" "$status" 2
tap_match "that says the ways out" "$(cat refused.err)" \
	"banner.enable.*kernel holds $SCANNER_IP .*source to a free address.*port to af_xdp:veth0"

tap_done
