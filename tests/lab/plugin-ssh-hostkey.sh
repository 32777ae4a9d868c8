#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The plugin ssh-hostkey against OpenSSH, dropbear, and servers of old: keys equal what ssh-keyscan,
# ssh-keygen and the key files say, algorithms what sshd -T and ssh -vv do.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"
# shellcheck source=tests/lab/servers.sh
. "$TESTS_DIR/lab/servers.sh"

real=
if [ -e "$LAB_ROOT/packages" ]; then
	lab_servers openssh-server
	real=yes
fi
command -v ssh-keyscan >/dev/null || tap_skip_all "no ssh-keyscan"
lab_routed
ip=198.18.1.1

# --- Servers --------------------------------------------------------------------------------------

ssh-keygen -q -t rsa -b 3072 -N '' -f rsa
ssh-keygen -q -t rsa -b 1024 -N '' -f rsa1024
ssh-keygen -q -t dsa -N '' -f dsa
for bits in 256 384 521; do
	ssh-keygen -q -t ecdsa -b $bits -N '' -f ecdsa$bits
done
dropbearkey -t rsa -s 2048 -f drop.rsa >/dev/null 2>&1
dropbearkey -t ecdsa -s 384 -f drop.ecdsa >/dev/null 2>&1
dropbearkey -t ed25519 -f drop.ed25519 >/dev/null 2>&1
serve world dropbear -F -E -s -r drop.rsa -r drop.ecdsa -r drop.ed25519 -P dropbear.pid -p $ip:2222
ip netns exec world python3 "$LAB_TOOLS/oldssh.py" $ip >old.log 2>old.err </dev/null &
lab_pids="$lab_pids $!"
wait_listening world 2222 2300 2308

# One server for each way to get the key.
methods='curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521
	diffie-hellman-group14-sha256 diffie-hellman-group14-sha1 diffie-hellman-group1-sha1
	diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 diffie-hellman-group-exchange-sha256
	diffie-hellman-group-exchange-sha1 sntrup761x25519-sha512@openssh.com'
if [ "$real" ]; then
	serve_sshd world $ip 22 "HostKey $LAB/rsa
		HostKey $LAB/ecdsa256"
	# All that is weak and still there.
	serve_sshd world $ip 23 "HostKey $LAB/rsa1024
		HostKey $LAB/dsa
		HostKey $LAB/ecdsa384
		HostKey $LAB/ecdsa521
		RequiredRSASize 1024
		HostKeyAlgorithms +ssh-rsa,ssh-dss
		KexAlgorithms +diffie-hellman-group1-sha1,diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1
		Ciphers +aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc
		MACs +hmac-md5,hmac-md5-96,hmac-sha1-96"
	serve_sshd world $ip 24 "Ciphers aes256-gcm@openssh.com
		MACs hmac-sha2-512-etm@openssh.com
		KexAlgorithms curve25519-sha256
		Compression no"
	at=2200
	for method in $methods; do
		serve_sshd world $ip $at "KexAlgorithms $method"
		of_method[at]=$method
		at=$((at + 1))
	done
	wait_listening world 22 23 24 "${!of_method[@]}"
fi

# --- The scan -------------------------------------------------------------------------------------

cp -r "$TOP_DIR/plugins/ssh-hostkey" plugins
with=(--set dataplane.port=af_packet:veth0 --rate 500 --plugin-arg ssh-hostkey.ports=1-65535
	--plugin-arg ssh-hostkey.delay=0 --plugin-arg ssh-hostkey.timeout=2 --plugin-arg ssh-hostkey.max_seconds=3
	-p "22-24,2200-2308" "$ip")
plugged keys ssh-hostkey
scan_status "exit status" keys 0
said keys.ndjson ssh-hostkey | awk '$3 != "ok"' >got
: >want
tap_same "each result ended well" got want
tap_account "the account is exact" keys ssh-hostkey
tap_true "no socket is left" no_sockets

# facts PORT EXPRESSION: of its record `r` and results `x`, one a line
facts() {
	python3 - keys.ndjson "$@" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    r = json.loads(line)
    if r["port"] == int(sys.argv[2]):
        x = r["plugins"]["ssh-hostkey"].get("results", {})
        for value in eval(sys.argv[3]):
            print(value)
PY
}
keys_of() { # PORT: `BITS FINGERPRINT TYPE`, sorted
	facts "$1" '(" ".join([str(k["bits"]), k["sha256"], k["type"]]) for k in x.get("host_keys", []))' | sort
}
files_of() { # FILE...: the same of public keys
	local file
	for file in "$@"; do
		ssh-keygen -lf "$file" | awk -v type="$(cut -d' ' -f1 "$file")" '{ print $1, $2, type }'
	done | sort
}
scanned() { # PORT: the same as ssh-keyscan gets them
	on scanner ssh-keyscan -p "$1" $ip 2>/dev/null | sed 's/^[^ ]* //' >scan
	split -l 1 scan scan.
	files_of scan.?? 2>/dev/null
	rm -f scan.??
}

# --- Dropbear -------------------------------------------------------------------------------------

for kind in rsa ecdsa ed25519; do
	dropbearkey -y -f drop.$kind 2>/dev/null | grep -E '^(ssh|ecdsa)' >drop.$kind.pub
done
keys_of 2222 >got
files_of drop.*.pub >want
tap_same "dropbear: keys are those of its files" got want
scanned 2222 >want
tap_same "dropbear: keys as ssh-keyscan gets them" got want
tap_is "dropbear: service" "$(facts 2222 '[r["service"]["name"], r["service"]["product"], r["service"]["version"]]' |
	xargs)" "ssh Dropbear sshd $(dropbear -V 2>&1 | sed 's/^Dropbear v//')"

# --- OpenSSH --------------------------------------------------------------------------------------

# A list of the plugin's, and of sshd's own account of its configuration.
list_of() { # PORT LIST
	facts "$1" "[','.join(x['algorithms']['$2'])]"
}
configured() { # PORT KEYWORD
	/usr/sbin/sshd -T -f "$LAB/sshd-$ip-$1/sshd_config" 2>/dev/null | sed -n "s/^$2 //p"
}
weak_of() { # PORT KIND
	facts "$1" "sorted({w['algorithm'] for w in x.get('weak', []) if w['kind'] == '$2'})" | xargs
}
if [ "$real" ]; then
	for row in "22 sshd-hostkey rsa ecdsa256" "23 sshd-hostkey rsa1024 dsa ecdsa384 ecdsa521" "24 sshd-hostkey"; do
		read -r at files <<<"$row"
		keys_of "$at" >got
		# shellcheck disable=SC2046,SC2086 # lists
		files_of $(printf '%s.pub ' $files) >want
		tap_same "sshd, port $at: keys are those of its files" got want
		# ssh-keyscan asks for no DSA, and for all curves at once.
		scanned "$at" >want
		grep -vE 'ssh-dss|nistp521' got >some
		tap_same "sshd, port $at: keys as ssh-keyscan gets them" some want
		for pair in kex/kexalgorithms ciphers/ciphers macs/macs; do
			tap_is "sshd, port $at: ${pair%/*} as configured" "$(list_of "$at" "${pair%/*}" |
				sed 's/sntrup761x25519-sha512,//')" \
				"$(configured "$at" "${pair#*/}" | sed 's/sntrup761x25519-sha512,//')"
		done
		on scanner ssh -vv -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
			-F none -p "$at" $ip true 2>&1 | tr -d '\r' | sed -n '/peer server KEXINIT/,$p' >peer
		for pair in "host_key/host key algorithms" "ciphers/ciphers ctos" "macs/MACs ctos" "compression/compression ctos"; do
			tap_is "sshd, port $at: ${pair%%/*} as ssh -vv sees them" "$(list_of "$at" "${pair%%/*}")" \
				"$(sed -n "s/^debug2: ${pair#*/}: //p" peer | head -1)"
		done
	done
	tap_is "sshd: service" "$(facts 22 '[r["service"]["product"], r["service"]["version"], x["software"]]' | xargs)" \
		"OpenSSH $(facts 22 '[x["software"]]' | sed -E 's/OpenSSH_([^ ]*).*/\1/') $(on scanner ssh-keyscan -p 22 $ip 2>&1 |
			sed -n 's/^# .* SSH-2\.0-//p' | head -1)"
	for at in "${!of_method[@]}"; do
		keys_of "$at" >got
		files_of sshd-hostkey.pub >want
		tap_same "${of_method[at]}: the key" got want
	done
	tap_is "weak: key exchanges" "$(weak_of 23 kex)" \
		"diffie-hellman-group-exchange-sha1 diffie-hellman-group1-sha1 diffie-hellman-group14-sha1"
	tap_is "weak: host keys" "$(weak_of 23 host_key) $(weak_of 23 key)" "ssh-dss ssh-rsa ssh-rsa"
	tap_is "weak: ciphers" "$(weak_of 23 cipher)" "3des-cbc aes128-cbc aes192-cbc aes256-cbc"
	tap_is "weak: MACs" "$(weak_of 23 mac)" "hmac-md5 hmac-md5-96 hmac-sha1 hmac-sha1-96 \
hmac-sha1-etm@openssh.com umac-64-etm@openssh.com umac-64@openssh.com"
	tap_is "nothing weak in a hardened one" "$(facts 24 'x.get("weak", [])')" ""
	tap_is "strict key exchange as ssh -vv sees it" "$(facts 24 '[x["strict_kex"]]')" \
		"$(grep -q kex-strict-s-v00 peer && echo True || echo False)"
	tap_true "sshd: we say goodbye" grep -q 'Received disconnect from .*:11: done' servers.log
else
	tap_skip "OpenSSH" "no servers in $LAB_ROOT: sudo make deps-servers"
fi

# --- Servers of old, and such as misbehave --------------------------------------------------------

weak_is() { # KIND WANTED
	tap_is "of old: $1" "$(weak_of 2300 "$1")" "$2"
}
weak_is kex "diffie-hellman-group1-sha1 rsa1024-sha1"
weak_is host_key "ssh-dss ssh-rsa"
weak_is cipher "arcfour arcfour128 blowfish-cbc des-cbc@ssh.com none"
weak_is mac "hmac-md5 hmac-sha1-96 none"
weak_is protocol SSH-1
weak_is key ssh-rsa
tap_is "of old: lengths of keys" "$(keys_of 2300 | cut -d' ' -f1,3 | xargs)" "1024 ssh-dss 768 ssh-rsa"
tap_is "of old: what it was asked" "$(grep ^2300 old.log | sort | xargs)" \
	"2300 diffie-hellman-group1-sha1 ssh-dss 2300 diffie-hellman-group1-sha1 ssh-rsa"
tap_is "of old: control characters are not passed on" "$(facts 2300 '[x["software"]]')" "Old_1.0 ?[31m"
tap_is "of old: both directions" "$(facts 2300 '[x["algorithms"]["ciphers_to_client"]]')" "['blowfish-cbc']"
tap_is "without strict key exchange" "$(weak_of 2301 protocol) $(facts 2301 '[x["strict_kex"]]')" \
	"chacha20-poly1305@openssh.com False"
tap_is "SSH 1 alone" "$(facts 2302 '[x["protocol"], x["software"], "algorithms" in x]' | xargs)" \
	"1.5 Ancient_1.2.27 False"
tap_is "one that says goodbye" "$(facts 2303 '[x["missing"]["ssh-ed25519"]]')" "disconnected: go ? away"
tap_is "a broken list" "$(facts 2304 '[x["error"]]')" "KEXINIT is malformed"
tap_is "a huge packet" "$(facts 2305 '[x["error"]]')" "no SSH: a packet of 1073741824 bytes"
tap_is "chatter without a version" "$(facts 2306 '[x]')" "{}"
tap_is "a drip" "$(facts 2307 '[x["error"]]')" timeout
tap_is "no SSH" "$(facts 2308 '[x, r.get("service")]' | xargs)" "{} None"

python3 - keys.sum <<'PY' | while read -r line; do tap_note "$line"; done
import json, sys
plugin = json.load(open(sys.argv[1]))["plugins"]["ssh-hostkey"]
print("lane time a target: %.1f ms" % (1000 * plugin["lane_cpu_s"] / plugin["offered"]))
PY
tap_done
