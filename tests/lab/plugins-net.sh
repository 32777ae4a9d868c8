#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plugins' TCP and UDP sockets against servers of every manner, thousands at once, and which
# addresses they reach, from where. What arrived is told by the servers and by captures.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_routed
# With cookies for all, an ACK that is late makes a connection again that was closed, which counts here.
on world sysctl -qw net.ipv4.tcp_syncookies=1
on world sysctl -qw net.ipv4.ip_forward=1
ip -n world route add unreachable 198.18.2.2/32 table local

# --- Servers of every manner ----------------------------------------------------------------------

ip netns exec world python3 "$LAB_TOOLS/manners.py" 198.18.1.1 >server.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
serve_ssh world 198.18.1.22 22
serve_dns world 198.18.1.53 53
wait_listening world 22 53 7001 7002 7003 7004 7005 7006 7007

lab_plugin greet detection '"network"' '[plugin.match]\nports = [22, 7007]' <<'LUA'
function probe_service(target)
	local sock = prtip.connect(target.ip, target.port, {timeout = 5})
	if not sock then return end
	local banner = prtip.receive(sock, 256, 5)
	local version = banner and banner:match("^SSH%-2%.0%-dropbear_([%w.]+)\r\n")
	if version then
		return {service = "ssh", product = "Dropbear sshd", version = version, confidence = 0.9}
	end
	if banner == "220 lab\r\n" then
		return {service = "lab", info = prtip.receive(sock, 1, 2) == "" and "ended" or "goes on"}
	end
end
LUA

# One way of talking for each port; what they say of themselves is compared below.
lab_plugin talk scan '"network"' '[plugin.network]\nscope = "scan"' <<'LUA'
local talk = {}

talk[7001] = function(ip, port)
	local sock = assert(prtip.connect(ip, port))
	local sent = prtip.send(sock, "one\ntwo\n")
	local back = ""
	while #back < 8 do back = back .. assert(prtip.receive(sock, 100, 2)) end
	prtip.add_result("echo", {sent, back})
	prtip.add_result("closed", {prtip.close(sock), prtip.close(sock)})
	prtip.add_result("after", {pcall(prtip.send, sock, "x")})

	local udp = assert(prtip.connect(ip, port, {protocol = "udp"}))
	prtip.send(udp, "datagram")
	prtip.send(udp, ("long"):rep(2000))
	local first = assert(prtip.receive(udp, 65536, 2))
	prtip.add_result("udp", {first, #assert(prtip.receive(udp, 65536, 2))})

	local function why(...)
		local sock, text = prtip.connect(...)
		return sock and "connected" or text
	end
	prtip.add_result("refused", why(ip, 7999))
	prtip.add_result("unreachable", why("198.18.2.2", 80))
	local nobody = assert(prtip.connect(ip, 7998, {protocol = "udp"}))
	prtip.send(nobody, "x")
	prtip.add_result("udp_refused", select(2, prtip.receive(nobody, 100, 2)))
end

talk[7002] = function(ip, port)
	local sock = assert(prtip.connect(ip, port))
	local start, text, timeouts = prtip.now(), "", 0
	while #text < 3 do
		local data, why = prtip.receive(sock, 100, 0.25)
		if data == "" or (not data and why ~= "timeout") then error(why) end
		text = text .. (data or "")
		timeouts = timeouts + (data and 0 or 1)
	end
	local seconds = prtip.now() - start
	prtip.add_result("text", text)
	-- Two waits of a second, each in at least two parts.
	prtip.add_result("timely", seconds > 1.5 and seconds < 6 and timeouts >= 4)
end

talk[7003] = function(ip, port)
	local sock, why = prtip.connect(ip, port)
	local data
	if sock then data, why = prtip.receive(sock, 100, 2) end
	prtip.add_result("text", data or why)
end

talk[7004] = function(ip, port)
	local sock = assert(prtip.connect(ip, port))
	local start = prtip.now()
	prtip.send(sock, "anyone?")
	local data, why = prtip.receive(sock, 100, 0.5)
	local seconds = prtip.now() - start
	prtip.add_result("text", data or why)
	prtip.add_result("timely", seconds >= 0.49 and seconds < 4)
	local udp = assert(prtip.connect(ip, port, {protocol = "udp"}))
	prtip.send(udp, "anyone?")
	prtip.add_result("udp", select(2, prtip.receive(udp, 100, 0.2)))
end

talk[7005] = function(ip, port)
	local sock = assert(prtip.connect(ip, port))
	local bytes, wrong = 0, 0
	while true do
		local data = assert(prtip.receive(sock, 65536, 5))
		if data == "" then break end
		local last = bytes + #data - 1
		if data:byte() ~= bytes % 251 or data:byte(-1) ~= last % 251 then wrong = wrong + 1 end
		bytes = last + 1
	end
	prtip.add_result("bytes", bytes)
	prtip.add_result("wrong", wrong)
end

talk[7006] = function(ip, port)
	local sock = assert(prtip.connect(ip, port))
	prtip.add_result("bytes", #assert(prtip.receive(sock, 1000, 2)))
	prtip.close(sock)
end

-- A question for lab.example, type A.
talk[53] = function(ip, port)
	local sock = assert(prtip.connect(ip, port, {protocol = "udp"}))
	prtip.send(sock, "\17\34\1\0\0\1\0\0\0\0\0\0\3lab\7example\0\0\1\0\1")
	local answer = assert(prtip.receive(sock, 512, 2))
	prtip.add_result("address", table.concat({answer:byte(-4, -1)}, "."))
end

function on_target(target)
	if talk[target.port] then talk[target.port](target.ip, target.port) end
end
LUA

# All that anyone sends, kept in one VM of 16 MB, until there is no more room: memory, not the end.
lab_plugin hoard scan '"network"' '[plugin.match]\nports = [7005]' <<'LUA'
function on_target(target)
	local sock, all = assert(prtip.connect(target.ip, target.port)), {}
	-- Each a string of its own: equal ones take the room of one.
	repeat
		local data = assert(prtip.receive(sock, 65536, 5))
		all[#all + 1] = #all .. data
	until data == ""
	prtip.add_result("parts", #all)
end
LUA

port=af_packet:veth0
with=(--set "dataplane.port=$port" --set plugins.memory_mb=16 --rate 200 -p "22,53,7001-7007"
	"198.18.1.1,198.18.1.22,198.18.1.53,198.18.2.2")
: >server.log
plugged manners greet talk hoard
scan_status "manners: exit status" manners 0
ip=198.18.1.1
said manners.ndjson talk | grep -v ' ok ' >got
: >want
tap_same "manners: each on_target ended well" got want
services manners.ndjson >got
cat >want <<WANT
$ip 7007 lab greet ||ended
198.18.1.22 22 ssh greet Dropbear sshd|$(dropbear -V 2>&1 | sed 's/^Dropbear v//')|
WANT
tap_same "banners are read, to the end of the stream, and told in the record" got want
of() { # PORT KEY
	value manners.ndjson talk "$1" "$2"
}
tap_is "TCP: what is sent comes back" "$(of 7001 echo)" '[8, "one\ntwo\n"]'
tap_is "closing twice is fine" "$(of 7001 closed)" '[true, true]'
tap_match "sending over a closed socket raises" "$(of 7001 after)" '^\[false, .*closed'
tap_is "UDP: datagrams come back whole" "$(of 7001 udp)" '["datagram", 8000]'
tap_is "a closed port: why" "$(of 7001 refused)" "Connection refused"
tap_is "an unreachable host: why" "$(of 7001 unreachable)" "No route to host"
tap_is "a closed UDP port: why" "$(of 7001 udp_refused)" "Connection refused"
tap_is "UDP: dnsmasq answers a question" "$(of 53 address)" 198.18.0.1
tap_is "a slow server: text in parts" "$(of 7002 text)" abc
tap_is "a slow server: time-outs in between are kept" "$(of 7002 timely)" true
tap_is "a reset: why" "$(of 7003 text)" "Connection reset by peer"
tap_is "silence: why" "$(of 7004 text) $(of 7004 udp)" "timeout timeout"
tap_is "silence: the time-out is kept" "$(of 7004 timely)" true
tap_is "50 MB are read within 16 MB of memory" "$(of 7005 bytes) $(of 7005 wrong)" "50000000 0"
tap_is "a large answer is left early" "$(of 7006 bytes)" 1000
tap_is "what does not fit into memory ends that result alone" \
	"$(said manners.ndjson hoard parts)" "$ip 7005 memory -"
tap_account "talk: the account is exact" manners talk
tap_account "hoard: the account is exact" manners hoard

# What the servers themselves saw.
tap_is "server: the lines and the end of the echo" \
	"$(grep -E '^7001 (line|end)' server.log | tr '\n' ' ')" \
	"7001 line one 7001 line two 7001 end "
tap_is "server: datagrams" "$(grep ' udp ' server.log | sort | tr '\n' ' ')" \
	"7001 udp 8 datagram 7001 udp 8000 longlonglonglonglong 7004 udp 7 anyone? "
tap_is "server: the silent one heard it" "$(grep -c '^7004 data anyone?' server.log)" 1
tap_is "server: all 50 MB went out once" "$(grep -c '^7005 sent 50000000' server.log)" 1
tap_true "server: the one left early sent less" \
	test "$(sed -n 's/^7006 sent //p' server.log | sort -n | tail -1)" -lt 20000000
tap_is "server: all came from the scanner" \
	"$(sed -nE 's/^[0-9]+ from //p' server.log | sort -u)" $SCANNER_IP
tap_true "no socket is left" no_sockets

# --- Two thousand at once, 512 at a time ----------------------------------------------------------

lab_plugin crowd scan '"network"' '[plugin.network]\nmax_connections = 512' <<'LUA'
function on_target(target)
	local sock = assert(prtip.connect(target.ip, target.port, {timeout = 30}))
	prtip.send(sock, target.port .. "\n")
	local answer = assert(prtip.receive(sock, 100, 30))
	if answer ~= target.port .. "\n" then error("not my answer: " .. answer) end
	prtip.close(sock)
	prtip.add_result("answered", true)
end
LUA

crowd() { # NAME ADDRESS FIRST LAST: source ports of the scan
	serve world python3 "$LAB_TOOLS/crowd.py" "$2" 10000 11999 0.3 "$LAB/crowd"
	wait_listening world 10000 11999
	capture_start world veth1 "$1.pcap" "tcp[13] == 0x02 and dst host $2"
	with=(--set "dataplane.port=$port" --set "dataplane.source_ports=$3-$4" --rate 20k
		-p 10000-11999 "$2")
	plugged "$1" crowd
	capture_stop
	scan_status "$1: exit status" "$1" 0
	tap_is "$1: each of 2,000 has its own answer" \
		"$(said "$1.ndjson" crowd | grep -c ' ok {"answered": true}')" 2000
	read -r connections lines peak <"$LAB/crowd"
	tap_is "$1: connections and lines at the server" "$connections $lines" "2000 2000"
	tap_is "$1: never more than max_connections at once, but as many" "$peak" 512
	tap_account "$1: the account is exact" "$1" crowd
	tap_true "$1: no socket is left" no_sockets
	source_ports "$1.pcap" ip \
		| awk -v first="$3" -v last="$4" '$1 >= first && $1 <= last' | wc -l >got
	tap_is "$1: the scan's own probes come from its source_ports, sockets from others" \
		"$(source_ports "$1.pcap" ip | wc -l) $(cat got)" "4000 2000"
}
crowd "default ports" 198.18.1.2 32768 49151
# The system's own, to 60999, leave none beside these.
kill_all
crowd "few ports" 198.18.1.3 1024 62000

# --- Scope, exclusions, capability ----------------------------------------------------------------

listen world 0.0.0.0 80 7101 7102 7103
cat >connect.lua <<'LUA'
local others
function on_load(config)
	others = config.others
end

function on_target(target)
	for i = 1, #others do
		local ip, port = others[i]:match("^(.*):(%d+)$")
		local sock, why = prtip.connect(ip, tonumber(port), {timeout = 2})
		prtip.add_result(others[i], sock and "connected" or why)
	end
end
LUA
lab_plugin narrow scan '"network"' '[config]\nothers = ["198.18.1.11:7101"]' <connect.lua
lab_plugin wide scan '"network"' '[plugin.network]\nscope = "scan"
[config]\nothers = ["198.18.1.11:7102", "198.18.1.12:7103", "198.18.1.99:7103"]' <connect.lua
lab_plugin unable scan '' <<'LUA'
function on_target(target)
	local fine, why = pcall(prtip.connect, target.ip, 7101)
	prtip.add_result("why", why)
	prtip.connect(target.ip, 7101)
end
LUA
capture_start world veth1 scope.pcap "dst portrange 7101-7103"
with=(--set "dataplane.port=$port" --set dataplane.source_ports=1024-62000 --rate 200 -p 80
	--exclude 198.18.1.12 198.18.1.10-198.18.1.12)
plugged scope narrow wide unable
capture_stop
scan_status "scope: exit status" scope 0
tap_is "scope target: another scanned address is denied" \
	"$(said scope.ndjson narrow 198.18.1.11:7101 | tr '\n' ' ')" \
	"198.18.1.10 80 ok denied 198.18.1.11 80 ok connected "
tap_is "scope scan: scanned addresses, but neither excluded nor others" \
	"$(said scope.ndjson wide 198.18.1.11:7102 198.18.1.12:7103 198.18.1.99:7103 | tr '\n' ' ')" \
	"198.18.1.10 80 ok connected denied denied 198.18.1.11 80 ok connected denied denied "
tap_is "without the capability PermissionDenied is raised, and that is the status" \
	"$(said scope.ndjson unable why | sort -u -k3 | cut -d' ' -f3-)" \
	'denied PermissionDenied: connect needs capability "network" (plugin.toml)'
arrived() { # the connections there, by destination
	tcpdump -nr scope.pcap "tcp[13] == 0x02" 2>/dev/null \
		| sed -nE 's/.* > ([0-9.]+): Flags.*/\1/p' | sort | uniq -c | awk '{ print $1, $2 }'
}
tap_is "what arrived is what was allowed" "$(arrived)" \
	$'1 198.18.1.11.7101\n2 198.18.1.11.7102'
tap_is "sockets are bound outside of other source_ports" \
	"$(source_ports scope.pcap 'tcp[13] == 0x02' | awk '$1 <= 62000' | wc -l)" 0

# --- [plugins] source and device ------------------------------------------------------------------

ip -n scanner address add 198.19.0.5/24 dev veth0
lab_wire scanner veth2 world veth3
ip -n scanner address add 198.19.1.1/24 dev veth2
ip -n world address add 198.19.1.2/24 dev veth3
ip -n scanner route add 198.18.0.0/16 via 198.19.1.2 dev veth2 metric 1000
capture_start world any from.pcap "tcp[13] == 0x02 and dst port 7102"
with=(--set "dataplane.port=$port" --set plugins.source=198.19.0.5 --rate 200 -p 80 198.18.1.11)
lab_plugin other scan '"network"' '[config]\nothers = ["198.18.1.11:7102"]' <connect.lua
plugged source other
with=(--set "dataplane.port=$port" --set plugins.device=veth2 --rate 200 -p 80 198.18.1.11)
plugged device other
capture_stop
tap_is "source and device: both connected" \
	"$(said source.ndjson other) $(said device.ndjson other)" \
	'198.18.1.11 80 ok {"198.18.1.11:7102": "connected"} 198.18.1.11 80 ok {"198.18.1.11:7102": "connected"}'
tap_is "source and device: as the far end sees them" \
	"$(on world tcpdump -nr from.pcap 2>/dev/null | awk '{ sub(/\.[0-9]+$/, "", $5); print $2, $5 }' \
		| tr '\n' ' ')" "veth1 198.19.0.5 veth3 198.19.1.1 "
tap_match "the start line names the source" "$(cat source.err)" '^plugin sockets: from 198\.19\.0\.5$'
tap_match "and the device" "$(cat device.err)" '^plugin sockets: .*by veth2|from veth2'

tap_done
