#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Where results go and what happens when they cannot: existing files, closed pipes, full disks,
# unwritable paths; standard output on and off a terminal.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/../sim/sim.sh"

space=(--rate max -p 1-16 198.18.0.0/18)
scan=("$PRTIP_DP" "${sim_network[@]}" --set scan.cooldown=300ms)

# shellcheck disable=SC2317 # called through tap_true
whole_lines() { # FILE: every line is JSON, the last one ends
	python3 -c '
import json, sys
text = open(sys.argv[1]).read()
assert text == "" or text.endswith("\n")
for line in text.splitlines():
    json.loads(line)' "$1"
}

# --- Files that exist -----------------------------------------------------------------------------

echo precious >old
"${scan[@]}" "${space[@]}" -o ndjson:old >out 2>err </dev/null
tap_is "an existing file: exit status" $? 2
tap_is "an existing file: one line" "$(wc -l <err)" 1
tap_match "an existing file: says what to do" "$(cat err)" 'old.*--overwrite.*--append'
tap_is "an existing file: keeps its content" "$(cat old)" precious
"${scan[@]}" "${space[@]}" -o ndjson:old --overwrite >out 2>err </dev/null
tap_is "--overwrite: exit status" $? 0
tap_true "--overwrite: whole lines" whole_lines old
lines=$(wc -l <old)
"${scan[@]}" "${space[@]}" -o ndjson:old --append >out 2>err </dev/null
tap_is "--append: exit status" $? 0
tap_is "--append: twice the lines" "$(wc -l <old)" $((2 * lines))
"${scan[@]}" "${space[@]}" --set dataplane.port=net_nothing0 --set dataplane.source=192.0.2.1 \
	--set dataplane.gateway_mac=02:00:00:00:00:01 -o ndjson:old --overwrite >out 2>err </dev/null
tap_is "a port that cannot start: exit status" $? 2
tap_is "a port that cannot start: one line" "$(wc -l <err)" 1
tap_is "a port that cannot start costs no file its content" "$(wc -l <old)" $((2 * lines))

# --- Paths that cannot be written -----------------------------------------------------------------

for path in /nonexistent/x / ''; do
	"${scan[@]}" "${space[@]}" -o "ndjson:$path" >out 2>err </dev/null
	tap_is "path '$path': exit status" $? 2
	tap_is "path '$path': one line" "$(wc -l <err)" 1
done

# --- Failures while it runs -----------------------------------------------------------------------

"${scan[@]}" "${space[@]}" -o ndjson:/dev/full -o summary:full.sum --quiet >out 2>err </dev/null
tap_is "a full device: exit status" $? 1
tap_match "a full device: named" "$(cat err)" '^prtip-dp: /dev/full: No space left on device'
tap_is "a full device: one line" "$(wc -l <err)" 1
tap_is "a full device: the summary says so" "$(json full.sum complete)" false

(
	ulimit -f 200
	"${scan[@]}" "${space[@]}" -o ndjson:limited --quiet >out 2>err </dev/null
)
tap_is "a full disk: exit status" $? 1
tap_match "a full disk: named" "$(cat err)" '^prtip-dp: limited: File too large'
tap_true "a full disk: holds results" test -s limited
tap_true "a full disk: whole lines" whole_lines limited

"${scan[@]}" "${space[@]}" --set output.include_closed=yes --quiet 2>err </dev/null | head -5 >head.ndjson
tap_is "a closed pipe: exit status" "${PIPESTATUS[0]}" 1
tap_match "a closed pipe: named" "$(cat err)" '^prtip-dp: standard output: .*Broken pipe'
tap_is "a closed pipe: one line" "$(wc -l <err)" 1
"$PRTIP_DP" --set dataplane.port=sim -p 1-1000 198.18.0.0/16 --list-targets 2>err | head -1 >out
tap_is "a closed pipe while listing: exit status" "${PIPESTATUS[0]}" 1
tap_is "a closed pipe while listing: one line" "$(wc -l <err)" 1

"${scan[@]}" --rate 2k -p 1-16 198.18.0.0/26 --quiet 2>err >&- </dev/null
tap_is "a closed standard output: exit status" $? 1
tap_match "a closed standard output: named" "$(cat err)" '^prtip-dp: standard output: Bad file desc'
"${scan[@]}" --rate 2k -p 1-16 198.18.0.0/26 -o ndjson:kept 2>&- >&- <&-
tap_is "all of them closed: exit status" $? 0
tap_true "all of them closed: whole lines" whole_lines kept

# --- Terminals ------------------------------------------------------------------------------------

# `script` gives the program a terminal of 80 columns.
terminal() {
	script -qec "stty cols 80 rows 24; $(printf '%q ' "$@")" /dev/null </dev/null >screen 2>&1
}

terminal "${scan[@]}" --rate 2k -p 1-16 198.18.0.0/24
tap_match "on a terminal: a table" "$(tr '\r' '\n' <screen | sed 's/\x1b\[K//g')" '^IP +PORT +PROTO +STATE'
tap_match "on a terminal: a progress line" "$(cat screen)" '%.*sent.*open'
tap_true "on a terminal: no line is wider than 80 columns" python3 -c '
import re, sys
text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", open("screen").read())
wide = [line for line in re.split(r"[\r\n]", text) if len(line) > 80]
print("\n".join("# " + line for line in wide))
sys.exit(bool(wide))'
"${scan[@]}" --rate 2k -p 1-16 198.18.0.0/24 >out 2>err </dev/null
tap_true "in a pipe: NDJSON" whole_lines out
tap_is "in a pipe: no carriage returns or colours" "$(grep -c $'[\r\033]' err)" 0
tap_match "in a pipe: the summary" "$(cat err)" '^prtip-dp .*complete'
"${scan[@]}" --quiet --rate 2k -p 1-16 198.18.0.0/24 >out 2>err </dev/null
tap_true "--quiet: silence" test ! -s err

tap_done
