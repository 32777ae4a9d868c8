# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plugins in the lab: sourced behind lab.sh. Each is made by the test that uses it, in $LAB/plugins.

export HOME=$LAB/home
mkdir -p "$HOME" plugins

# lab_plugin NAME TYPE CAPABILITIES [TOML]: a plugin whose main.lua is standard input. TOML holds
# further tables of plugin.toml, `\n` between lines.
lab_plugin() {
	mkdir -p "plugins/$1"
	cat >"plugins/$1/main.lua"
	echo "# $1" >"plugins/$1/README.md"
	cat >"plugins/$1/plugin.toml" <<-TOML
		[plugin]
		name = "$1"
		version = "1.0.0"
		author = "the tests"
		description = "a plugin of the tests"
		plugin_type = "$2"
		capabilities = [$3]
	TOML
	printf '%b\n' "${4:-}" >>"plugins/$1/plugin.toml"
}

# plugged NAME PLUGIN...: scan with these plugins; further arguments in the array $with.
with=()
plugged() {
	local name=$1 plugin
	local -a named=()
	shift
	for plugin in "$@"; do
		named+=(--plugin "$plugin")
	done
	scan "$name" --plugin-dir plugins "${named[@]}" "${with[@]}"
}

# said FILE PLUGIN [KEY...]: what the plugin said of each result, as sorted `ip port status VALUE...`
# lines. Strings bare, what is not there as `-`; without keys all as one JSON object, or the error.
said() {
	python3 - "$@" <<'PY' | sort
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    plugin = record.get("plugins", {}).get(sys.argv[2])
    if plugin is None:
        continue
    results, words = plugin.get("results", {}), [record["ip"], record["port"], plugin["status"]]
    if len(sys.argv) == 3:
        words.append(plugin.get("error") or json.dumps(results, sort_keys=True))
    for key in sys.argv[3:]:
        value = results.get(key, "-")
        words.append(value if isinstance(value, str) else json.dumps(value))
    print(*words)
PY
}

# services FILE: sorted `ip port name source product|version|info` lines.
services() {
	python3 - "$1" <<'PY' | sort
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    if service := record.get("service"):
        more = "|".join(service.get(key, "") for key in ("product", "version", "info"))
        print(record["ip"], record["port"], service["name"], service["source"], more)
PY
}

# value FILE PLUGIN PORT KEY: one value that the plugin said of that port.
value() {
	said "$1" "$2" "$4" | awk -v port="$3" '$2 == port { sub(/^[^ ]+ [^ ]+ [^ ]+ /, ""); print }'
}

# The identity of the summary: what was offered is the sum of what became of it.
tap_account() { # DESCRIPTION NAME PLUGIN
	tap_true "$1" python3 -c '
import json, sys
plugin = json.load(open(sys.argv[1]))["plugins"][sys.argv[2]]
kinds = "ok error timeout memory instructions killed denied skipped".split()
sys.exit(plugin["offered"] != sum(plugin[kind] for kind in kinds) or not plugin["offered"])
' "$2.sum" "$3" || tap_note_file "$2.sum"
}

# Sockets of the scanner's machine that are not closed, within two seconds none.
# shellcheck disable=SC2317 # called through tap_true
no_sockets() {
	local tries
	for tries in $(seq 40); do
		[ -n "$(on scanner ss -Htuan state all exclude time-wait)" ] || return 0
		sleep 0.05
	done
	tap_note "after $tries looks: $(on scanner ss -Htuan)"
	return 1
}

source_ports() { # FILE.pcap FILTER: of the frames there, one a line
	tcpdump -nr "$1" "$2" 2>/dev/null | sed -nE 's/.* IP [0-9.]+\.([0-9]+) > .*/\1/p'
}
