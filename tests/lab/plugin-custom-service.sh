#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# plugins/custom-service against servers of its protocol, written apart from it in another language: one
# as it should be, and others that dribble, lie about lengths, stop within a frame or speak something else.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

lab_routed
ip=198.18.23.1
ip netns exec world python3 "$LAB_TOOLS/lantern.py" $ip >server.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
serve_http world $ip 7720
wait_listening world 7700 7710 7711 7712 7713 7714 7715 7716 7717 7718 7719 7720

port=$(lab_ports veth0 | tail -n 1)
scan got --plugin-dir "$TOP_DIR/plugins" --plugin custom-service --plugin-arg custom-service.timeout=1.5 \
	--set "dataplane.port=$port" --set "dataplane.source=$SPARE_IP" --rate 200 -p 7700-7721 $ip
scan_status "exit status" got 0

services got.ndjson | cut -d' ' -f2- >named
full='lantern custom-service Lantern|2.4.1|protocol version 1'
cat >want <<WANT
7700 $full
7710 $full
7711 $full
7713 lantern custom-service ||
7714 lantern custom-service ||
7715 lantern custom-service ||
7716 lantern custom-service ||
7717 lantern custom-service ||protocol version 2
7718 $full
WANT
tap_same "who speaks the protocol, and which version of what" named want
said got.ndjson custom-service hello_error describe_error stats_error instance | cut -d' ' -f2- >told
cat >want <<'WANT'
7700 ok - - - lab-7
7710 ok - - - lab-7
7711 ok - - - lab-7
7712 ok - - - -
7713 ok {"text": "truncated"} - - -
7714 ok {"text": "timeout"} - - -
7715 ok {"text": "oversized frame"} - - -
7716 ok {"text": "wrong checksum"} - - -
7717 ok {"text": "version 2"} - - -
7718 ok - {"code": 4, "text": "denied"} {"code": 4, "text": "denied"} lab-7
7719 ok - - - -
7720 ok - - - -
WANT
tap_same "each went well, and why some said no more" told want
for server in 7700 7710 7711; do
	tap_is "$server: its methods" "$(value got.ndjson custom-service $server describe)" \
		'[{"method": 1, "name": "HELLO"}, {"method": 2, "name": "DESCRIBE"}, {"method": 3, "name": "STATS"}]'
	tap_match "$server: a number of 64 bits" "$(value got.ndjson custom-service $server stats)" '"requests": 8589934592[,}]'
done

# What the servers heard: whole requests with a right checksum, and no more than the answers allow.
sort server.log >heard
cat >want <<'WANT'
7700 HELLO DESCRIBE STATS
7710 HELLO DESCRIBE STATS
7711 HELLO DESCRIBE STATS
7712 HELLO
7713 HELLO
7714 HELLO
7715 HELLO
7716 HELLO
7717 HELLO
7718 HELLO DESCRIBE STATS
7719 HELLO
WANT
tap_same "the servers understood each request" heard want
tap_account "the account is exact" got custom-service
tap_true "no socket is left" no_sockets

tap_done
