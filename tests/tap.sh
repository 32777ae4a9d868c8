# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The Test Anything Protocol for the shell tests: source it, call the functions below, and end with
# tap_done. A test that cannot run here calls tap_skip_all, which exits 77.
#
# TAP lines go to standard output; what explains a failure goes there too, as `# ` lines, so that
# one stream tells the story in order.

set -uo pipefail

# Debian's own tools, whatever a login shell put in front of them; python3 is the packaged one.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C

TESTS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP_DIR=$(dirname "$TESTS_DIR")
# The program under test; tests/run sets it, e.g. to the sanitizers' build.
PRTIP_DP=${PRTIP_DP:-$TOP_DIR/build/prtip-dp}
export TESTS_DIR TOP_DIR PRTIP_DP

tap_count=0
tap_failed=0

tap_note() {
	local line
	while IFS= read -r line; do
		printf '# %s\n' "$line"
	done <<<"$*"
}

# A failed assertion shows at most this much of a file.
tap_note_file() {
	[ -s "$1" ] || return 0
	tap_note "--- $1"
	head -c 4000 "$1" | sed 's/^/# /'
}

tap_ok() {
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s\n' "$tap_count" "$*"
}

tap_not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d - %s\n' "$tap_count" "$*"
}

tap_skip() { # DESCRIPTION REASON
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
}

# tap_true DESCRIPTION COMMAND...: the command succeeds.
tap_true() {
	local what=$1
	shift
	if "$@"; then
		tap_ok "$what"
	else
		tap_not_ok "$what"
		tap_note "failed: $*"
		return 1
	fi
}

# tap_is DESCRIPTION GOT WANTED
tap_is() {
	if [ "$2" = "$3" ]; then
		tap_ok "$1"
	else
		tap_not_ok "$1"
		tap_note "got:    $2"
		tap_note "wanted: $3"
		return 1
	fi
}

# tap_match DESCRIPTION TEXT ERE
tap_match() {
	if printf '%s\n' "$2" | grep -qE -- "$3"; then
		tap_ok "$1"
	else
		tap_not_ok "$1"
		tap_note "text:    $2"
		tap_note "pattern: $3"
		return 1
	fi
}

# tap_same DESCRIPTION GOT WANTED: two files are equal; shows the first differences where not.
tap_same() {
	if cmp -s "$2" "$3"; then
		tap_ok "$1"
	else
		tap_not_ok "$1"
		tap_note "$2 has $(wc -l <"$2") lines, $3 has $(wc -l <"$3"); - got, + wanted:"
		diff -U0 "$2" "$3" | tail -n +3 | grep -v '^@@' | head -20 | sed 's/^/# /'
		return 1
	fi
}

# Renumber what a helper printed as `ok - ...`, `not ok - ...` and `# ...` lines.
tap_import() {
	local line
	while IFS= read -r line; do
		case $line in
		'ok - '*) tap_ok "${line#ok - }" ;;
		'not ok - '*) tap_not_ok "${line#not ok - }" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done
}

tap_skip_all() {
	printf '1..0 # SKIP %s\n' "$*"
	exit 77
}

tap_done() {
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" -eq 0 ]
	exit
}

# json FILE KEY...: a value of a JSON object, e.g. `json sum.json lost tx_dropped`.
json() {
	python3 - "$@" <<'PY'
import json, sys
try:
    with open(sys.argv[1]) as file:
        value = json.load(file)
    for key in sys.argv[2:]:
        value = value[key]
    print(json.dumps(value) if isinstance(value, (dict, list, bool, type(None))) else value)
except (OSError, ValueError, KeyError, TypeError) as error:
    print(f"{type(error).__name__}: {error}")
PY
}

# records FILE: NDJSON as sorted `ip port proto state` lines; `records FILE reason` adds the reason.
# Repeats stay, so that a record written twice is a difference. A line that is no JSON shows itself.
records() {
	python3 - "$@" <<'PY' | sort
import json, sys
fields = ["ip", "port", "proto", "state"] + sys.argv[2:]
def rows(file):
    for line in file:
        try:
            if not line.endswith(b"\n"):
                raise ValueError("cut line")
            record = json.loads(line.decode())
            record.setdefault("port", "-")  # hosts have none
            yield " ".join([str(record[key]) for key in fields]) + "\n"
        except (ValueError, KeyError) as error:
            yield f"BAD {error} {line[:200]}\n"
with open(sys.argv[1], "rb") as file:
    sys.stdout.writelines(rows(file))
PY
}
