#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The plugins that come along: each is checked, its tests pass, and it loads in a scan; they and all other data are
# where an installed program looks for them.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-shipped.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
export HOME=$work

# shellcheck disable=SC2054 # commas of a list of ports
sim=(--quiet --set dataplane.port=sim --set scan.cooldown=300ms --set sim.alive=1 --set sim.open=1
	--set banner.enable=on --set banner.wait=500ms -p 22,80 198.18.0.0/28 --rate 10k)
for folder in "$TOP_DIR"/plugins/*/; do
	name=$(basename "$folder")
	"$PRTIP_DP" --check-plugin "$folder" >"$work/report" 2>&1
	tap_is "$name: --check-plugin" $? 0 || tap_note_file "$work/report"
	tap_match "$name: it has tests, and they passed" "$(tail -n 1 "$work/report")" '^[1-9][0-9]* tests? passed$'
	tap_is "$name: nothing to be warned of" "$(grep -E '^(warning|error)' "$work/report")" ""
	# A plugin that needs settings of its own says which.
	"$PRTIP_DP" "${sim[@]}" --plugin-dir "$TOP_DIR/plugins" --plugin "$name" -o "ndjson:$work/$name.ndjson" \
		>"$work/scan.out" 2>&1
	case $? in
	0) tap_is "$name: a scan of a network without sockets ends well" \
		"$(grep -cvE '"status":"ok"' "$work/$name.ndjson") of $(wc -l <"$work/$name.ndjson")" \
		"$(grep -cv "\"$name\":" "$work/$name.ndjson") of 32" ;;
	*) tap_match "$name: a scan needs its settings" "$(cat "$work/scan.out")" "^prtip-dp: $name: on_load" ;;
	esac
done

if [ -w "$(dirname "$PRTIP_DP")/meson-info" ] && command -v meson >/dev/null; then
	DESTDIR=$work/root meson install -C "$(dirname "$PRTIP_DP")" --no-rebuild >"$work/install" 2>&1
	tap_is "make install" $? 0 || tap_note_file "$work/install"
	share=$(dirname "$(find "$work/root" -name fingerprints.txt)")
	tap_is "installed: configuration, exclusions, fingerprints" "$(find "$share" -maxdepth 1 -type f -printf '%f ' |
		tr ' ' '\n' | sort | tr '\n' ' ')" "exclude.conf fingerprints.txt scan.ini "
	tap_is "installed: all plugins, as they are" "$(diff -r "$TOP_DIR/plugins" "$share/plugins")" \
		"Only in $TOP_DIR/plugins: README.md"
else
	tap_skip "make install" "the build folder is another user's, or there is no meson"
fi

tap_done
