#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Files that root writes, where other users may have put links: they are not followed, and what the
# links lead to stays as it was. What operators name on purpose still works. Modes of what is made.

# shellcheck source=tests/sim/sim.sh
. "$(dirname "$0")/../sim/sim.sh"
[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root, who has something to lose"

# As a trap is laid: the folder anybody's, as /tmp is, the link another user's.
mkdir shared target
chmod 755 .
chmod 1777 shared
echo precious >target/file
cp target/file before
ln -s ../target/file shared/link
ln -s ../target shared/folder
ln -s ../target/new shared/dangling
chown -h 65534:65534 shared/*
ln -s ../target/ours shared/ours
ln target/file shared/second

# run ARGUMENTS...: a scan of two addresses, with $status and `err`.
run() {
	status=0
	"$PRTIP_DP" --set dataplane.port=sim --set scan.cooldown=20ms --set sim.rtt=1ms --quiet \
		-p 80 198.18.0.0/31 "$@" >out 2>err </dev/null || status=$?
}

refused() { # DESCRIPTION PATTERN ARGUMENTS...
	local what=$1 pattern=$2
	shift 2
	run "$@"
	tap_is "$what: exit status" "$status" 2
	tap_match "$what: says why" "$(cat err)" "$pattern"
	tap_same "$what: nothing changed" target/file before
}

link='symbolic link in the path belongs to another user'
refused "a link to a file" "cannot write to shared/link: .*$link" -o ndjson:shared/link
for how in --overwrite --append; do
	refused "$how a link to a file" "$link" -o ndjson:shared/link $how
	refused "$how through a link to a folder" "$link" -o table:shared/folder/file $how
	refused "$how a second name of a file" 'has another name elsewhere' -o table:shared/second $how
done
refused "the summary" "$link" -o ndjson:- -o summary:shared/link --overwrite
refused "a link to nowhere" "$link" -o ndjson:shared/dangling
tap_true "and there is nothing now" test ! -e target/new
echo old >target/ours
run -o ndjson:shared/ours --overwrite
tap_is "a link of root's own is followed" "$status" 0
tap_true "to where it leads" bash -c '! grep -q old target/ours'
HOME=$PWD/shared/folder "$PRTIP_DP" --install-plugin "$TOP_DIR/plugins/dns-version" >out 2>err
tap_is "a plugin is not installed through a link" "$?" 1
tap_match "says why" "$(cat err)" "$link"
tap_is "nothing was installed" "$(find target -mindepth 1 | sort | tr '\n' ' ')" "target/file target/ours "

# --- What has to work -----------------------------------------------------------------------------

for place in /dev/stdout /dev/fd/1 /proc/self/fd/1; do
	said=$("$PRTIP_DP" --set dataplane.port=sim --set scan.cooldown=20ms --quiet -p 80 \
		198.18.0.0/31 -o "summary:$place" 2>err)
	tap_match "$place is the pipe behind it" "$said" '"scan_type":"syn"'
	run -o "summary:$place" --overwrite
	tap_match "$place is the file behind it" "$(cat out)" '"scan_type":"syn"'
done
run -o ndjson:/dev/null
tap_is "/dev/null: exit status" "$status" 0
mkfifo fifo
cat fifo >from-fifo &
run -o summary:fifo
wait
tap_match "a FIFO gets what goes there" "$(cat from-fifo)" '"scan_type":"syn"'

# --- Modes ----------------------------------------------------------------------------------------

for mask in 022 077 000; do
	(umask $mask && run -o ndjson:m$mask -o summary:s$mask)
	tap_is "umask $mask: modes of the outputs" "$(stat -c %a m$mask s$mask | tr '\n' ' ')" \
		"$(printf '%o %o ' $((0644 & ~mask)) $((0644 & ~mask)))"
done

tap_done
