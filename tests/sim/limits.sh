#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# max_results and max_runtime: exactly so many results whatever stands between answers and outputs, no
# probe after the time is over; exit status 0, and the summary says that it is not complete.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/sim.sh"

export HOME=$work
# plugin NAME CAPABILITIES: main.lua is standard input.
plugin() {
	mkdir -p "plugins/$1"
	cat >"plugins/$1/main.lua"
	echo "# $1" >"plugins/$1/README.md"
	cat >"plugins/$1/plugin.toml" <<-TOML
		[plugin]
		name = "$1"
		version = "1.0.0"
		author = "the tests"
		description = "a plugin of the tests"
		plugin_type = "scan"
		capabilities = [$2]
	TOML
}
plugin mark '' <<'LUA'
function on_target(target) prtip.add_result("at", target.ip .. ":" .. target.port) end
LUA
plugin hold '"network"' <<'LUA'
function on_pre_scan() prtip.sleep(20) end
LUA

started=
start() { # NAME ARGUMENTS...: beside others
	{
		sim "$@"
		echo "$status" >"$1.status"
	} &
	started="$started $!"
}
join() {
	# shellcheck disable=SC2086 # a list of words
	wait $started
	started=
}

# limited NAME RESULTS: what a scan that ended itself left.
limited() {
	status=$(cat "$1.status")
	sim_status "$1: exit status" "$1" 0
	tap_is "$1: exactly $2 results, by the file and the summary" \
		"$(wc -l <"$1.ndjson") $(json "$1.sum" results)" "$2 $2"
	tap_is "$1: not complete, and why" "$(json "$1.sum" complete) $(json "$1.sum" ended_by)" \
		"false max_results"
	tap_match "$1: the summary for people, too" "$(cat "$1.err")" 'scan ended by max_results$'
	tap_is "$1: nothing is lost" "$(python3 -c "import json
print(sum(json.load(open('$1.sum'))['lost'].values()))")" 0
	records "$1.ndjson" >got
	tap_is "$1: all of them true, and once" "$(comm -23 got want | wc -l) $(uniq -d got | wc -l)" "0 0"
}

# --- max_results ----------------------------------------------------------------------------------

space=(-p 1-32 198.18.0.0/20)
sim_truth "${space[@]}" >want
some=(--set scan.max_results=777 --rate 50k "${space[@]}")
plugins=(--plugin-dir plugins --plugin mark --set plugins.spill_dir=.)

start plain "${some[@]}" --set output.include_closed=yes
start lcores "${some[@]}" --rate max --set dataplane.tx_lcores=2 --set dataplane.rx_lcores=2
start banners "${some[@]}" --set banner.enable=on --set banner.wait=2s
start plugins "${some[@]}" "${plugins[@]}"
start both "${some[@]}" "${plugins[@]}" --set banner.enable=on --set banner.wait=2s
join
start one "${some[@]}" --set scan.max_results=1 --set scan.probes=3
# A reader that is slow all the time, so that results wait everywhere when the last one is taken.
{
	"$PRTIP_DP" "${sim_network[@]}" --set scan.cooldown=1s -o ndjson:- -o summary:pipe.sum \
		"${some[@]}" "${plugins[@]}" --rate max --set output.include_closed=yes 2>pipe.err |
		while IFS= read -r line; do printf '%s\n' "$line"; done >pipe.ndjson
	echo "${PIPESTATUS[0]}" >pipe.status
} &
started="$started $!"
start all --rate 50k -p 1-4 198.18.0.0/28 --set scan.max_results=1000 --set output.include_closed=yes
late=(--set scan.max_runtime=2s --rate 2k "${space[@]}")
start time "${late[@]}"
start repeats "${late[@]}" --set scan.probes=3
start held "${late[@]}" --plugin-dir plugins --plugin hold --set plugins.spill_dir=.
join

for name in plain lcores banners plugins both pipe; do
	limited $name 777
done
limited one 1
for name in plugins both pipe; do
	tap_is "$name: the plugin was called for each that is open" \
		"$(grep -c '"mark":{"status":"ok"' $name.ndjson)" "$(grep -c '"state":"open"' $name.ndjson)"
done
tap_true "banners: as many as come while nothing is asked any more ($(grep -c banner banners.ndjson))" \
	test "$(grep -c '"banner' banners.ndjson)" -gt 100
tap_is "a limit that is not reached: complete" "$(cat all.status) $(json all.sum complete)" "0 true"

# --- max_runtime ----------------------------------------------------------------------------------

for name in time repeats held; do
	status=$(cat $name.status)
	sim_status "max_runtime, $name: exit status" $name 0
	tap_is "max_runtime, $name: not complete, and why" \
		"$(json $name.sum complete) $(json $name.sum ended_by)" "false max_runtime"
	tap_true "max_runtime, $name: over soon ($(json $name.sum elapsed_s) s)" \
		python3 -c "raise SystemExit(not 2 <= $(json $name.sum elapsed_s) < 15)"
done
for name in time repeats; do
	tap_true "max_runtime, $name: it sent all the time ($(json $name.sum probes_sent))" \
		test "$(json $name.sum probes_sent)" -gt 200 -a "$(json $name.sum probes_sent)" -lt 6000
	records $name.ndjson >got
	tap_is "max_runtime, $name: results are true" "$(comm -23 got want | wc -l)" 0
done
tap_is "max_runtime, repeats: no coverage, and why" \
	"$(json repeats.sum coverage) $(json repeats.sum no_coverage)" \
	"null the scan did not run to its end"
tap_is "max_runtime while on_pre_scan holds the probes: none goes" \
	"$(json held.sum probes_sent) $(wc -l <held.ndjson)" "0 0"

tap_done
