#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# SIGHUP: what is new in the exclude file is not sent to from then on, as the far end sees it; a file that
# cannot be read changes nothing; what was excluded stays so. Plugins are held to it, too.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_routed
lab_v6
listen world 0.0.0.0 80

# until_said TEXT [NUMBER]: until the running scan's standard error has that many such lines.
until_said() {
	local tries=0 seen=0
	until [ "${seen:-0}" -ge "${2:-1}" ]; do
		tries=$((tries + 1))
		if [ $tries -gt 300 ]; then
			tap_not_ok "the scan says: $1"
			tap_note_file "$scan_name.err"
			return 1
		fi
		sleep 0.05
		seen=$(grep -c -- "$1" "$scan_name.err" 2>/dev/null)
	done
}

nb_hups=0
hup() { # one more SIGHUP, and what the scan says of it in $said
	nb_hups=$((nb_hups + 1))
	kill -HUP "$scan_pid"
	until_said 'prtip-dp: SIGHUP:' $nb_hups
	said=$(grep 'prtip-dp: SIGHUP:' "$scan_name.err" | tail -n 1)
}

# --- While it sends -------------------------------------------------------------------------------

space=(-p 81 198.18.0.0/19 2001:db8:0::/115)
for port in $(lab_ports veth0); do
	driver=${port%%:*}
	source="$SCANNER_IP,$SCANNER_IP6"
	[ "$driver" = af_packet ] || source="$SPARE_IP,$SPARE_IP6"
	echo 198.18.31.0/24 >exclude
	nb_hups=0
	capture_start world veth1 reload.pcap "tcp dst port 81 or (ip6 and dst net 2001:db8::/48)"
	scan_start "$driver" --set "dataplane.port=$port" --set "dataplane.source=$source" --rate 5k \
		--set scan.exclude_file=exclude --set output.include_closed=yes "${space[@]}"
	until_said 'through '
	sleep 1

	printf '%s\n' 198.18.31.0/24 198.18.16.0/21 2001:db8:0::1000/116 >exclude
	hup
	tap_match "$driver: a longer file" "$said" ': 6,144 more addresses excluded$'
	date +%s.%N >first

	printf '%s\n' 198.18.8.0/21 '198.18.0.0/33 # broken' >exclude
	hup
	tap_match "$driver: a broken file is one clear line, and changes nothing" "$said" \
		'exclude:2: .*198\.18\.0\.0/33.*; exclusions stay as they are$'

	rm exclude
	hup
	tap_match "$driver: a removed file is, too" "$said" \
		'exclude file exclude: No such file or directory; exclusions stay as they are$'

	# What was excluded stays so, although the file no longer has it.
	echo 198.18.0.0/22 >exclude
	hup
	tap_match "$driver: another file adds to it" "$said" ': 1,024 more addresses excluded$'
	date +%s.%N >second
	hup
	tap_match "$driver: the same file adds nothing" "$said" ': 0 more addresses excluded$'
	tap_true "$driver: it is still sending" kill -0 $scan_pid
	scan_wait
	capture_stop
	scan_status "$driver: exit status" "$driver" 0
	tap_is "$driver: one line for each SIGHUP" "$(grep -c "^prtip-dp: SIGHUP" "$driver.err")" 5
	tap_is "$driver: the capture is whole" "$capture_dropped" 0

	tcpdump -tt -nr reload.pcap 2>/dev/null | sed -nE \
		's/^([0-9.]+) IP6? [^ ]+ > ([0-9a-f.:]+)\.81: .*/\1 \2/p' >sent
	python3 - "$(cat first)" "$(cat second)" "$driver.sum" <<'PY' >verdict
import ipaddress, json, sys
first, second = float(sys.argv[1]), float(sys.argv[2])
summary = json.load(open(sys.argv[3]))
# What the driver's ring and the wire hold when the message comes.
GRACE_S = 0.5
new = [(ipaddress.ip_network(net), when) for net, when in (
    ("198.18.16.0/21", first), ("2001:db8::1000/116", first), ("198.18.0.0/22", second))]
never = ipaddress.ip_network("198.18.31.0/24")
sent = [(float(when), ipaddress.ip_address(ip)) for when, ip in (line.split() for line in open("sent"))]
space = {ip for net in ("198.18.0.0/19", "2001:db8::/115") for ip in ipaddress.ip_network(net)}
space -= set(never)
late = [(when, str(ip)) for when, ip in sent for net, then in new if ip in net and when > then + GRACE_S]
before = [sum(ip in net for _, ip in sent) for net, _ in new]
closed = [net for net, _ in new]
rest = {ip for ip in space if not any(ip in net for net in closed)}
print("late", late[:3])
print("reached before", all(n > 20 for n in before) or before)
print("spared", all(n < net.num_addresses for n, (net, _) in zip(before, new)) or before)
print("rest", len(rest - {ip for _, ip in sent}))
print("once", len(sent) - len({ip for _, ip in sent}))
print("outside", len({ip for _, ip in sent} - space))
print("sent", len(sent) - summary["probes_sent"])
print("counted", summary["probes_sent"] + summary["excluded_running"]["probes"] - summary["targets"])
print("addresses", summary["excluded_running"]["addresses"])
print("silent", summary["no_answer"])
PY
	tap_is "$driver: not sent to any more, all others once, all counted" \
		"$(paste -sd, verdict)" "late [],reached before True,spared True,rest 0,once 0,outside 0,sent 0,counted 0,addresses 7168,silent 0" ||
		tap_note_file "$driver.err"
	tap_match "$driver: the summary says so" "$(cat "$driver.err")" \
		'^  on SIGHUP   7,168 more addresses excluded, [0-9,]+ probes not sent for it$'
done

# --- Plugins --------------------------------------------------------------------------------------

# Two ways to an address in the scan's scope, until they are closed.
lab_plugin reach scan '"network"' '[plugin.network]\nscope = "scan"' <<'LUA'
local function try()
	local sock, why = prtip.connect("198.18.9.1", 80, {timeout = 2})
	if sock then prtip.close(sock) end
	local state, reason = prtip.scan_port("198.18.9.1", 80)
	return (sock and "connected" or why) .. " " .. (state or reason)
end

function on_target(target)
	prtip.add_result("before", try())
	prtip.log("info", "reached")
	local after
	for _ = 1, 40 do
		after = try()
		if after == "denied denied" then break end
		prtip.sleep(0.25)
	end
	prtip.add_result("after", after)
end
LUA
: >exclude
nb_hups=0
port=(--set dataplane.port=af_packet:veth0 --set scan.exclude_file=exclude)
scan_start plugin "${port[@]}" --rate 1k -p 80 198.18.8.1 198.18.9.0/30 --plugin-dir plugins \
	--plugin reach --set plugins.instructions=100000000
until_said 'reached' 5
echo 198.18.9.1 >exclude
hup
scan_wait
scan_status "plugins: exit status" plugin 0
tap_is "plugins: sockets and single probes reach it before, and are denied afterwards" \
	"$(said plugin.ndjson reach before after | cut -d' ' -f3- | sort -u)" "ok connected open denied denied"

# --- While probes are held ------------------------------------------------------------------------

lab_plugin hold scan '"network"' <<'LUA'
function on_pre_scan(targets)
	prtip.log("info", "holding")
	prtip.sleep(1.5)
	return {ports = "81"}
end
LUA
: >exclude
nb_hups=0
capture_start world veth1 held.pcap "tcp dst port 81"
scan_start held "${port[@]}" --rate 1k -p 81,82 198.18.8.0/24 --plugin-dir plugins --plugin hold \
	--set output.include_closed=yes
until_said 'holding'
echo 198.18.8.128/25 >exclude
hup
tap_match "held: a SIGHUP is followed" "$said" ': 128 more addresses excluded$'
scan_wait
capture_stop
scan_status "held: exit status" held 0
tap_is "held: nothing goes to what was excluded meanwhile" \
	"$(tcpdump -nr held.pcap 'dst net 198.18.8.128/25' 2>/dev/null | wc -l)" 0
tap_is "held: all others are probed, and the summary counts the rest" \
	"$(wc -l <held.ndjson) $(json held.sum probes_sent) $(json held.sum excluded_running probes)" \
	"128 128 128"

# --- Without a file -------------------------------------------------------------------------------

nb_hups=0
scan_start without --set dataplane.port=af_packet:veth0 --rate 200 -p 81 198.18.8.0/24 \
	--set output.include_closed=yes
until_said 'through '
sleep 0.3
hup
tap_match "without exclude_file: a SIGHUP says so" "$said" \
	'there is no exclude_file to read again; exclusions stay as they are$'
scan_wait
scan_status "without exclude_file: and the scan goes on" without 0
tap_is "without exclude_file: to its end" "$(wc -l <without.ndjson)" 256

tap_done
