#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several types in one run: its pairs, its results and its truth are those of a run of each type put
# together, also by shards, on several lcores and after kill -9.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/sim.sh"

closed=(--set output.include_closed=yes)
both=(198.18.0.0/23 2001:db8::/119)
tcp=(-sS -p "22,53,80")
udp=(-sU -p "53,123,161")
sctp=(-sY -p "53,132")
mixed=(-sU -sS -p "53,T:22,80,U:123,161")
three=(-sY -sU -sS -p "53,T:22,80,U:123,161,S:132")

# list ARGUMENTS...: `ip port proto`, sorted.
# shellcheck disable=SC2317 # called by the name in $what
list() {
	"$PRTIP_DP" "${sim_network[@]}" "$@" --list-targets | sort
}

# --- Pairs and truth -------------------------------------------------------------------------------

for what in list sim_truth; do
	sort <($what "${tcp[@]}" "${both[@]}") <($what "${udp[@]}" "${both[@]}") >want
	$what "${mixed[@]}" "${both[@]}" >got
	tap_same "$what of two types is that of each, together" got want
	sort want <($what "${sctp[@]}" "${both[@]}") >want3
	$what "${three[@]}" "${both[@]}" >got
	tap_same "$what of three types is that of each, together" got want3
done
# `want` and `want3` are the truth from here on.
tap_true "the truth has something of each" test "$(cut -d' ' -f3,4 want3 | sort -u | wc -l)" -eq 6

"$PRTIP_DP" "${sim_network[@]}" --seed 9 "${mixed[@]}" "${both[@]}" --list-targets >order
for i in 1 2 3; do
	"$PRTIP_DP" "${sim_network[@]}" --seed 9 --shard $i/3 "${mixed[@]}" "${both[@]}" --list-targets
done >shards
tap_same "the shards' order, one behind the other, is the whole one" shards order
# A tenth of the order has its share of each type, as it would not if one came after the other.
tap_true "the types are mixed: $(head -n 614 order | grep -c udp) of the first 614 are UDP" \
	test "$(head -n 614 order | grep -c udp)" -gt 200 -a "$(head -n 614 order | grep -c udp)" -lt 414

# --- Scans ---------------------------------------------------------------------------------------

# found DESCRIPTION TRUTH ARGUMENTS...
found() {
	local pairs
	sim run "${closed[@]}" --rate 50k "${@:3}" "${both[@]}"
	sim_status "$1: exit status" run 0
	records run.ndjson >got
	tap_same "$1: the results are the truth, each once" got "$2"
	pairs=$(json run.sum targets)
	tap_is "$1: silence is counted" "$(json run.sum no_answer)" $((pairs - $(wc -l <"$2")))
	tap_is "$1: nothing was rejected" "$(json run.sum rejected)" 0
}

found "two types" want "${mixed[@]}"
tap_is "scan_type in the summary" "$(json run.sum scan_type)" syn,udp
tap_is "what silence means, of each" "$(json run.sum no_answer_means)" "tcp filtered, udp open|filtered"
tap_is "responses of both are named" \
	"$(python3 -c 'import json; print(*json.load(open("run.sum"))["responses"])')" \
	"syn_ack rst udp icmp_unreachable"
found "three types on two lcores each way" want3 "${three[@]}" --set dataplane.tx_lcores=2 \
	--set dataplane.rx_lcores=2
found "three types, two transmissions" want3 "${three[@]}" --set scan.probes=2
found "in a window" want3 "${three[@]}" --set scan.dedup=window
sim fin "${closed[@]}" --rate 50k -sF -sU -p 53,T:22,80,U:123,161 "${both[@]}"
records fin.ndjson >got
sort <(sim_truth -sF -p 22,53,80 "${both[@]}") <(sim_truth "${udp[@]}" "${both[@]}") >want_fin
tap_same "fin and udp: the results are the truth of both" got want_fin

for i in 1 2 3; do
	sim "shard$i" "${closed[@]}" --rate 50k --seed 9 --shard $i/3 "${mixed[@]}" "${both[@]}"
	records "shard$i.ndjson" >>parts
done
sort parts >got
tap_same "three shards: together the truth, each once" got want

# Banners of SYN; what UDP services say comes with their answer.
sim banners --rate 50k --set banner.enable=on --set banner.wait=2s --set sim.open=0.5 "${mixed[@]}" \
	198.18.0.0/23
sim_status "banners: exit status" banners 0
python3 - >verdict <<'PY'
import json
said = {"tcp": 0, "udp": 0}
for line in open("banners.ndjson"):
    record = json.loads(line)
    said[record["proto"]] += "banner" in record or "banner_hex" in record
print("both" if said["tcp"] > 100 and said["udp"] > 100 else said)
PY
tap_is "banners: TCP and UDP ports have some" "$(cat verdict)" both

# --- kill -9 ---------------------------------------------------------------------------------------

# lines N: until so many more results are there.
lines() {
	local least=$(($(wc -l <killed.ndjson 2>/dev/null || echo 0) + $1))
	for _ in {1..600}; do
		[ "$(wc -l <killed.ndjson 2>/dev/null || echo 0)" -ge $least ] && return
		sleep 0.05
	done
}

"$PRTIP_DP" "${sim_network[@]}" "${closed[@]}" "${three[@]}" "${both[@]}" --seed 5 --rate 3k \
	--set scan.cooldown=1s --set checkpoint.file=killed.ckpt --set checkpoint.interval=200ms \
	-o ndjson:killed.ndjson -o summary:killed.sum >/dev/null 2>killed.err </dev/null &
pid=$!
lines 800
kill -KILL $pid
wait $pid 2>/dev/null
tap_true "killed with $(wc -l <killed.ndjson) of $(wc -l <want3) results" \
	test "$(wc -l <killed.ndjson)" -lt "$(wc -l <want3)"
"$PRTIP_DP" --resume killed.ckpt -sS >refused 2>&1 </dev/null
tap_is "another type is refused" $? 2
tap_match "and named" "$(cat refused)" 'type'
"$PRTIP_DP" --resume killed.ckpt --set dataplane.tx_lcores=2 >/dev/null 2>resumed.err </dev/null
tap_is "resumed: exit status" $? 0 || tap_note_file resumed.err
records killed.ndjson >got
tap_same "resumed: the results are the truth, each once" got want3

# --- The configuration ---------------------------------------------------------------------------

"$PRTIP_DP" "${sim_network[@]}" --seed 9 "${mixed[@]}" 198.18.0.0/30 --print-config >first.ini
"$PRTIP_DP" -c first.ini --print-config >second.ini
tap_same "--print-config gives the same run" second.ini first.ini
tap_is "its ports" "$(grep '^ports' first.ini | tr -s ' ')" 'ports = T:22,53,80,U:53,123,161'
tap_same "and the same order" <("$PRTIP_DP" -c first.ini --list-targets) \
	<("$PRTIP_DP" "${sim_network[@]}" --seed 9 "${mixed[@]}" 198.18.0.0/30 --list-targets)

# --- Plugins -------------------------------------------------------------------------------------

mkdir -p plugins/seer
cat >plugins/seer/plugin.toml <<'TXT'
[plugin]
name = "seer"
version = "1.0.0"
author = "x"
description = "says what it sees"
plugin_type = "scan"
capabilities = []
[plugin.dependencies]
min_prtip_version = "0.1.0"
lua_version = "5.1"
TXT
cat >plugins/seer/main.lua <<'TXT'
function on_pre_scan(targets)
	local n = {tcp = 0, udp = 0}
	for _, target in prtip.each(targets) do n[target.protocol] = n[target.protocol] + 1 end
	prtip.log("info", prtip.get_scan_type() .. " of " .. n.tcp .. " tcp " .. n.udp .. " udp, ports "
		.. prtip.scan_config.ports)
	return {ports = "53,U:123"}
end
function on_target(target, result)
	prtip.add_result("protocol", target.protocol)
end
TXT
echo "seer" >plugins/seer/README.md
sim seer --rate 50k --plugin seer --plugin-dir plugins --set sim.open=0.5 "${mixed[@]}" 198.18.0.0/24
sim_status "a plugin: exit status" seer 0
tap_match "a plugin sees each pair with its protocol" "$(cat seer.err)" \
	'syn,udp of 768 tcp 768 udp, ports T:22,53,80,U:53,123,161'
tap_is "and narrows the ports of each" "$(json seer.sum targets)" 768
python3 - >verdict <<'PY'
import json
records = [json.loads(line) for line in open("seer.ndjson")]
kinds = {(r["proto"], r["port"]) for r in records}
right = all(r["plugins"]["seer"]["results"]["protocol"] == r["proto"] for r in records)
print(sorted(kinds), right)
PY
tap_is "its results are of these, with their protocol" "$(cat verdict)" \
	"[('tcp', 53), ('udp', 53), ('udp', 123)] True"

tap_done
