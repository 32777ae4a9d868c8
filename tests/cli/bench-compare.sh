#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench/compare: names what is worse beyond noise, and nothing else. README.md says what the results say.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-compare.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# report FILE 'ID BETTER SAMPLE...' ...: a report with these figures; BETTER near has the goal 100.
report() {
	python3 - "$@" <<-'PY'
		import json, statistics, sys
		figures = []
		for line in sys.argv[2:]:
		    ident, better, *samples = line.split()
		    samples = [float(s) for s in samples]
		    figures.append({"id": ident, "better": better, "samples": samples, "unit": "k/s", "goal": 100,
		                    "median": statistics.median(samples)})
		with open(sys.argv[1], "w") as file:
		    json.dump({"format": 1, "machine": {"cpu": "a"}, "tables": [{"figures": figures, "ratios": []}]}, file)
	PY
}

# verdict ID OLD NEW BETTER: what compare says of a figure with these samples.
verdict() {
	report old.json "$1 $4 $2"
	report new.json "$1 $4 $3"
	status=0
	"$TOP_DIR/bench/compare" old.json new.json >said || status=$?
	if grep -q '^Worse beyond noise: 1' said; then
		echo worse "$status"
	elif grep -q '^Better beyond noise: 1' said; then
		echo better "$status"
	else
		echo same "$status"
	fi
}

tap_is "a rate that fell" "$(verdict a/b '100 101 102' '80 81 82' higher)" "worse 1"
tap_is "a rate that rose" "$(verdict a/b '80 81 82' '100 101 102' higher)" "better 0"
tap_is "a cost that rose" "$(verdict a/b '10 10.1 10.2' '12 12.1 12.2' lower)" "worse 1"
tap_is "a cost that fell" "$(verdict a/b '12 12.1 12.2' '10 10.1 10.2' lower)" "better 0"
tap_is "samples that overlap" "$(verdict a/b '80 100 120' '70 85 90' higher)" "same 0"
tap_is "a difference that is too small" "$(verdict a/b '100 100 100' '97 97 97' higher)" "same 0"
tap_is "apart, but by less than they spread" "$(verdict a/b '100 140 101' '60 90 99' higher)" "same 0"
tap_is "single runs" "$(verdict a/b 100 80 higher)" "same 0"
tap_is "single runs far apart" "$(verdict a/b 100 60 higher)" "worse 1"
tap_is "farther from the goal" "$(verdict a/b '100 100 101' '110 111 112' near)" "worse 1"
tap_is "nearer to it from the other side" "$(verdict a/b '80 81 82' '101 102 103' near)" "better 0"
report old.json 'a/b higher 1 2 3' 'a/gone lower 1 2 3'
report new.json 'a/b higher 1 2 3'
tap_true "what is gone is named" sh -c "'$TOP_DIR/bench/compare' old.json new.json | grep -q 'any more: a/gone'"
echo '{}' >other.json
tap_true "other files are refused" sh -c "! '$TOP_DIR/bench/compare' old.json other.json 2>/dev/null"

tap_true "the README's table is that of the results" "$TOP_DIR/bench/readme.py" --check

tap_done
