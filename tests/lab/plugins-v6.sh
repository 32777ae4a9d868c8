#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plugins' sockets, TLS and single probes in both families, on a route and on the link, and what an
# exclusion that comes while the scan runs means to them. What arrived is told by the far end.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

command -v openssl >/dev/null || tap_skip_all "no openssl"
port=af_packet:veth0
six=2001:db8::1:10
lab_routed
lab_v6
ip -n world address add $six/128 dev lo nodad

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
	-days 30 -subj '/CN=six.example' 2>/dev/null
serve world openssl s_server -6 -accept "[$six]:4433" -quiet -www -cert cert.pem -key key.pem -tls1_3
serve world python3 -c '
import select, socket, sys

speakers = []
for family, host in ((socket.AF_INET, "198.18.1.10"), (socket.AF_INET6, sys.argv[1])):
    speakers.append(socket.create_server((host, 7001), family=family))
    speakers.append(socket.socket(family, socket.SOCK_DGRAM))
    speakers[-1].bind((host, 7001))
while True:
    for s in select.select(speakers, [], [])[0]:
        if s.type == socket.SOCK_DGRAM:
            s.sendto(b"x", s.recvfrom(2000)[1])
            continue
        connection, peer = s.accept()
        connection.sendall(b"you are " + peer[0].encode())
        connection.close()
' "$six"
listen world 0.0.0.0 80
serve world python3 -c '
import socket, time
s = socket.create_server(("::", 80), family=socket.AF_INET6)
time.sleep(1000)'
wait_listening world 4433 7001

# --- Sockets and TLS ------------------------------------------------------------------------------

lab_plugin six scan '"network"' '[plugin.network]\nscope = "scan"' <<'LUA'
local six, four = "2001:db8::1:10", "198.18.1.10"

local function said(ip, port)
	local sock, why = prtip.connect(ip, port, {timeout = 3})
	if not sock then return why end
	local text = prtip.receive(sock, 100, 3)
	prtip.close(sock)
	return text
end

function on_target(target)
	if target.ip ~= six then return end
	prtip.add_result("six", said("2001:DB8:0:0::1:10", 7001))
	prtip.add_result("four", said(four, 7001))
	prtip.add_result("refused", said(six, 7999))
	prtip.add_result("excluded", said("2001:db8::1:11", 80))
	prtip.add_result("outside", said("2001:db8::2:1", 80))
	prtip.add_result("loopback", said("::1", 80))
	prtip.add_result("texts", {said("::ffff:198.18.1.10", 7001), said("fe80::1%veth0", 7001), said("six", 7001)})
	local udp = assert(prtip.connect(six, 7001, {protocol = "udp"}))
	prtip.send(udp, "datagram")
	prtip.add_result("udp", (prtip.receive(udp, 100, 3)))
	local tls = assert(prtip.connect(six, 4433, {timeout = 3, tls = {server_name = "six.example"}}))
	prtip.add_result("tls", prtip.tls_info(tls).protocol)
	prtip.send(tls, "GET / HTTP/1.0\r\n\r\n")
	prtip.add_result("page", (prtip.receive(tls, 15, 3)))
	prtip.close(tls) -- that server serves one at a time
	local hello = assert(prtip.tls_probe(six, 4433, {}))
	prtip.add_result("hello", hello.version)
	local function probe(...) return prtip.scan_port(...) or select(2, prtip.scan_port(...)) end
	for name, ip in pairs({six = six, four = four}) do
		prtip.add_result("probe " .. name, {probe(ip, 7001), probe(ip, 7999), probe(ip, 7001, "udp"),
			probe(ip, 7999, "udp")})
	end
	prtip.add_result("probe outside", probe("2001:db8::2:1", 80))
	prtip.add_result("probe excluded", probe("2001:db8::1:11", 80, "udp"))
end
LUA
lab_plugin own scan '"network"' <<'LUA'
function on_target(target)
	local other = target.ip == "198.18.1.10" and "2001:db8::1:10" or "198.18.1.10"
	prtip.add_result("other", select(2, prtip.connect(other, 7001)))
	prtip.add_result("other probe", select(2, prtip.scan_port(other, 7001)))
	prtip.add_result("own", prtip.scan_port(target.ip, 7001))
end
LUA
capture_start world veth1 v6.pcap "tcp[13] == 2 or (ip6 and ip6[6] == 6 and ip6[53] == 2)"
with=(--set "dataplane.port=$port" --rate 500 -p 80
	--exclude 2001:db8::1:11 198.18.1.10 2001:db8::1:10-2001:db8::1:11)
plugged v6 six own
capture_stop
scan_status "exit status" v6 0
of() { # KEY
	value v6.ndjson six 80 "$1" | grep -v '^-$'
}
tap_is "TCP over IPv6" "$(of six)" "you are $SCANNER_IP6"
tap_is "TCP over IPv4 beside it" "$(of four)" "you are $SCANNER_IP"
tap_is "a closed port: why" "$(of refused)" "Connection refused"
tap_is "excluded, outside of the scope, loopback: denied" \
	"$(of excluded) $(of outside) $(of loopback)" "denied denied denied"
tap_is "other texts of addresses are none" "$(of texts)" \
	'["not an IP address", "not an IP address", "not an IP address"]'
tap_is "UDP over IPv6" "$(of udp)" x
tap_is "TLS over IPv6" "$(of tls) $(of page)" "TLSv1.3 HTTP/1.0 200 ok"
tap_is "tls_probe over IPv6" "$(of hello)" TLSv1.3
verdicts='["open", "closed", "open", "closed"]'
tap_is "scan_port: TCP and UDP, IPv6" "$(of "probe six")" "$verdicts"
tap_is "scan_port: TCP and UDP, IPv4" "$(of "probe four")" "$verdicts"
tap_is "scan_port: out of the scope, excluded" "$(of "probe outside") $(of "probe excluded")" \
	"denied denied"
tap_is "scope target: the other family's target is another" \
	"$(said v6.ndjson own other "other probe" own)" \
	"198.18.1.10 80 ok denied denied open
2001:db8::1:10 80 ok denied denied open"
tap_is "nothing arrived that was denied" \
	"$(tcpdump -nr v6.pcap 2>/dev/null | grep -cE '> (2001:db8::1:11|2001:db8::2:1)\.')" 0
tap_true "no socket is left" no_sockets

# --- Excluded while it runs -----------------------------------------------------------------------

lab_plugin late scan '"network"' '[plugin.network]\nscope = "scan"' <<'LUA'
function on_target(target)
	if target.ip ~= "2001:db8::1:10" then return end
	local held = assert(prtip.connect(target.ip, 7001))
	prtip.log("info", "stands")
	local why
	for _ = 1, 400 do
		local sock
		sock, why = prtip.connect("2001:db8::1:12", 80, {timeout = 2})
		if not sock then break end
		prtip.close(sock)
		prtip.sleep(0.05)
	end
	prtip.add_result("late", why)
	prtip.add_result("late probe", select(2, prtip.scan_port("2001:db8::1:12", 80)))
	prtip.add_result("late own", {select(2, prtip.connect(target.ip, 7001))})
	prtip.add_result("held", (prtip.receive(held, 100, 3)))
	prtip.add_result("four", prtip.scan_port("198.18.1.10", 7001))
end
LUA
: >stop.txt
scan_start late --plugin-dir plugins --plugin late --set "dataplane.port=$port" --rate 500 -p 80 \
	--exclude-file stop.txt 198.18.1.10 2001:db8::1:10-2001:db8::1:12
for _ in $(seq 200); do
	! grep -q 'late: stands' late.err || break
	sleep 0.05
done
printf '2001:db8::1:12\n2001:db8::1:10\n' >stop.txt
kill -HUP "$scan_pid"
scan_wait
scan_status "SIGHUP: exit status" late 0
tap_is "SIGHUP: new connections and probes are denied, what stands stays, the rest goes on" \
	"$(said late.ndjson late late "late probe" "late own" held four | grep -v ' - ')" \
	"2001:db8::1:10 80 ok denied denied [\"denied\"] you are $SCANNER_IP6 open"

# --- Single probes on the link --------------------------------------------------------------------

lab_reset
lab_onlink
lab_v6
listen host1 198.19.0.11 80
serve host1 python3 -c '
import socket, time
s = socket.create_server(("2001:db8:ff::11", 80), family=socket.AF_INET6)
time.sleep(1000)'
lab_plugin knock scan '"network"' <<'LUA'
function on_target(target)
	prtip.add_result("knock", {prtip.scan_port(target.ip, 80), prtip.scan_port(target.ip, 81)})
end
LUA
wait_listening host1 80
for type in arp discovery; do
	where=(198.19.0.11-198.19.0.12)
	[ $type = arp ] || where=(2001:db8:ff::11-2001:db8:ff::12)
	with=(--set "dataplane.port=$port" --scan-type "$type" --rate 500 "${where[@]}")
	plugged $type knock
	scan_status "$type on the link: exit status" $type 0
	python3 - $type.ndjson <<'PY' | sort >got
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    r = json.loads(line)
    print(r["ip"], r["state"], r.get("port"), *r["plugins"]["knock"]["results"]["knock"])
PY
	if [ $type = arp ]; then
		printf '198.19.0.11 up None open closed\n198.19.0.12 up None closed closed\n' >want
	else
		printf '2001:db8:ff::11 up None open closed\n2001:db8:ff::12 up None closed closed\n' >want
	fi
	tap_same "$type on the link: scan_port finds the ports of what was found" got want
done

tap_done
