# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Scans of the simulated network, judged by its truth. Sourced by the tests here and in tests/soak.

# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-sim.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1

# A network that loses nothing but repeats, delays and reorders.
sim_network=(--set dataplane.port=sim --set sim.loss=0 --set sim.duplicate=0.3
	--set sim.rtt=20ms --set sim.jitter=5ms --set sim.seed=42)

# sim NAME ARGUMENTS...: scan; leaves NAME.ndjson, NAME.sum, NAME.err and $status.
sim() {
	local name=$1
	shift
	rm -f "$name.ndjson" "$name.sum" "$name.err"
	status=0
	"$PRTIP_DP" "${sim_network[@]}" --set scan.cooldown=1s -o "ndjson:$name.ndjson" \
		-o "summary:$name.sum" "$@" </dev/null >"$name.out" 2>"$name.err" || status=$?
	[ -e "$name.ndjson" ] || : >"$name.ndjson"
}

sim_status() { # DESCRIPTION NAME WANTED
	tap_is "$1" "$status" "$3" || {
		tap_note_file "$2.err"
		tap_note_file "$2.sum"
		return 1
	}
}

# sim_truth ARGUMENTS...: `ip port proto state` lines, sorted.
sim_truth() {
	"$PRTIP_DP" "${sim_network[@]}" "$@" --sim-truth | sort
}
