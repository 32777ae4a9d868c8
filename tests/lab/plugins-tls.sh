#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plugins' TLS against openssl's own server and Python's: what they learn equals what the certificate
# and the server's configuration say.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"

command -v openssl >/dev/null || tap_skip_all "no openssl"
# A distribution's defaults would refuse what is old.
export OPENSSL_CONF=/dev/null
lab_routed
ip=198.18.1.1

openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 \
	-set_serial 0x1234abcd -subj '/O=The lab/CN=lab.example' \
	-addext 'subjectAltName=DNS:lab.example,DNS:*.lab.example,IP:198.18.1.1' 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key -out ec.pem \
	-days 30 -subj '/CN=ec.example' 2>/dev/null

# s_server PORT OPTION...
s_server() {
	local at=$1
	shift
	serve world openssl s_server -accept $ip:"$at" -quiet -www "$@"
	tls_ports="${tls_ports:-} $at"
}
rsa=(-cert cert.pem -key key.pem)
weak=ALL:@SECLEVEL=0
s_server 4430 "${rsa[@]}" -tls1 -cipher AES128-SHA:@SECLEVEL=0
s_server 4431 "${rsa[@]}" -tls1_1 -cipher ECDHE-RSA-AES256-SHA:@SECLEVEL=0
s_server 4432 "${rsa[@]}" -tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305 -alpn h2,http/1.1
s_server 4433 "${rsa[@]}" -tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256
s_server 4434 -cert ec.pem -key ec.key -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
s_server 4435 -nocert -no_tls1_3 -cipher ADH-AES128-SHA:@SECLEVEL=0
s_server 4436 "${rsa[@]}" -no_tls1_3 -serverpref -cipher $weak
ip netns exec world python3 "$LAB_TOOLS/tls.py" $ip cert.pem key.pem >tls.log 2>tls.err </dev/null &
lab_pids="$lab_pids $!"
ip netns exec world python3 "$LAB_TOOLS/manners.py" $ip >manners.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
# shellcheck disable=SC2086 # a list
wait_listening world $tls_ports 5001 5002 7004 7007

lab_plugin handshake scan '"network"' '[plugin.match]\nports = ["4430-4436", 7004, 7007]' <<'LUA'
function on_target(target)
	local tls = {server_name = "www.lab.example", alpn = {"http/1.1"}, ciphers = "ALL:@SECLEVEL=0"}
	local sock, why = prtip.connect(target.ip, target.port, {timeout = 2, tls = tls})
	if not sock then
		prtip.add_result("why", why)
		return
	end
	local info = prtip.tls_info(sock)
	-- No text, which results are.
	for _, link in ipairs(info.chain or {}) do link.der = nil end
	if info.certificate then info.certificate.der = nil end
	prtip.add_result("info", info)
	prtip.send(sock, "GET / HTTP/1.0\r\n\r\n")
	local page = ""
	repeat
		local data = assert(prtip.receive(sock, 65536, 5))
		page = page .. data
	until data == ""
	prtip.add_result("page", page:match("^HTTP/1%.0 200 ok") ~= nil)
	prtip.add_result("told", page:match("Protocol%s*: (%S+)") or page:match("New, (%S+), Cipher"))
end
LUA

lab_plugin probe scan '"network"' '[plugin.match]\nports = ["4430-4436", 7007]' <<'LUA'
local function ask(name, target, options)
	local hello, why = prtip.tls_probe(target.ip, target.port, options)
	local alert = hello and hello.alert
	prtip.add_result(name, not hello and "nil" or alert and alert.description
		or hello.version .. " " .. hello.cipher)
	if not hello then prtip.add_result(name .. "_why", why) end
end

function on_target(target)
	ask("any", target)
	ask("tls10", target, {versions = {"TLSv1.0"}})
	ask("tls12", target, {versions = {"TLSv1.2"}})
	ask("anon", target, {versions = {"TLSv1.2"}, ciphers = {"anon"}})
	ask("aes128", target, {versions = {"TLSv1.0", "TLSv1.1", "TLSv1.2"},
		ciphers = {"TLS_RSA_WITH_AES_128_CBC_SHA"}})
end
LUA

lab_plugin bulk scan '"network"' '[plugin.match]\nports = [5001]' <<'LUA'
function on_target(target)
	local sock = assert(prtip.connect(target.ip, target.port, {tls = true}))
	local mine = ("0123456789"):rep(500000)
	prtip.add_result("sent", {assert(prtip.send(sock, mine)), prtip.sha256(mine)})
	local parts = {}
	repeat parts[#parts + 1] = assert(prtip.receive(sock, 65536, 10)) until parts[#parts] == ""
	local all = table.concat(parts)
	prtip.add_result("confirmed", all:sub(1, 64))
	prtip.add_result("taken", prtip.sha256(all:sub(66)))
end
LUA

lab_plugin upgrade scan '"network"' '[plugin.match]\nports = [5002]' <<'LUA'
function on_target(target)
	local sock = assert(prtip.connect(target.ip, target.port))
	local greeting = assert(prtip.receive(sock, 100, 2))
	prtip.add_result("before", select(2, prtip.tls_info(sock)))
	prtip.send(sock, "STARTTLS\r\n")
	prtip.add_result("plain", {greeting, assert(prtip.receive(sock, 100, 2))})
	prtip.add_result("started", {prtip.start_tls(sock, {server_name = "lab.example"})})
	prtip.add_result("twice", select(2, prtip.start_tls(sock)))
	local info = prtip.tls_info(sock)
	prtip.add_result("info", {info.protocol, info.certificate.common_name})
	prtip.send(sock, "secret\n")
	prtip.add_result("back", assert(prtip.receive(sock, 100, 2)))
	prtip.close(sock)
end
LUA

with=(--set dataplane.port=af_packet:veth0 --rate 200 -p "4430-4436,5001,5002,7004,7007" "$ip")
plugged tls handshake probe bulk upgrade
scan_status "exit status" tls 0
for plugin in handshake probe bulk upgrade; do
	said tls.ndjson $plugin | grep -v ' ok ' >got
	: >want
	tap_same "$plugin: each on_target ended well" got want
	tap_account "$plugin: the account is exact" tls $plugin
done

# --- Handshakes -----------------------------------------------------------------------------------

# info PORT KEY...: of tls_info's table
info() {
	value tls.ndjson handshake "$1" info >info.json
	shift
	json info.json "$@"
}
cipher_of() { # PORT OPENSSL-NAME
	tap_is "$1: cipher" "$(info "$1" cipher)" \
		"$(openssl ciphers -stdname $weak 2>/dev/null | awk -v name="$2" '$3 == name { print $1 }')"
}
for pair in 4430/TLSv1.0 4431/TLSv1.1 4432/TLSv1.2 4433/TLSv1.3 4434/TLSv1.2; do
	at=${pair%/*}
	tap_is "$at: protocol" "$(info "$at" protocol)" "${pair#*/}"
	tap_is "$at: the server's page came over it" "$(value tls.ndjson handshake "$at" page)" true
done
cipher_of 4430 AES128-SHA
cipher_of 4431 ECDHE-RSA-AES256-SHA
cipher_of 4432 ECDHE-RSA-CHACHA20-POLY1305
cipher_of 4433 TLS_CHACHA20_POLY1305_SHA256
cipher_of 4434 ECDHE-ECDSA-AES128-GCM-SHA256
cipher_of 4435 ADH-AES128-SHA
tap_is "ALPN" "$(info 4432 alpn)" http/1.1
tap_is "server name as sent" "$(info 4432 server_name)" www.lab.example
tap_match "an anonymous server has no certificate" "$(info 4435 certificate)" KeyError

x509() { # FILE OPTION...: the value behind `=`
	local file=$1
	shift
	openssl x509 -noout -in "$file" "$@" | sed 's/^[^=]*=//'
}
date_of() { # FILE -startdate
	date -u -d "$(x509 "$1" "$2")" +%Y-%m-%dT%H:%M:%SZ
}
for pair in 4430/cert.pem 4433/cert.pem 4434/ec.pem; do
	at=${pair%/*} file=${pair#*/}
	tap_is "$at: serial" "$(info "$at" certificate serial)" "$(x509 "$file" -serial | tr A-F a-f)"
	tap_is "$at: common name" "$(info "$at" certificate common_name)" \
		"$(x509 "$file" -subject -nameopt RFC2253 | sed -E 's/^CN=([^,]*).*/\1/')"
	tap_is "$at: not before" "$(info "$at" certificate not_before_text)" "$(date_of "$file" -startdate)"
	tap_is "$at: not after" "$(info "$at" certificate not_after_text)" "$(date_of "$file" -enddate)"
	for digest in sha1 sha256; do
		tap_is "$at: fingerprint, $digest" "$(info "$at" certificate $digest)" \
			"$(x509 "$file" -fingerprint -$digest | tr -d : | tr A-F a-f)"
	done
	tap_is "$at: self-signed" "$(info "$at" certificate self_signed)" true
done
tap_is "key and signature, RSA" "$(info 4430 certificate key_type) $(info 4430 certificate key_bits)" \
	"rsa 2048"
tap_is "key, EC" "$(info 4434 certificate key_type) $(info 4434 certificate curve)" "ec secp256r1"
tap_match "names" "$(info 4430 certificate names)" 'lab\.example.*\*\.lab\.example.*198\.18\.1\.1'
tap_match "no TLS there: why" "$(value tls.ndjson handshake 7007 why)" .
tap_true "no TLS there: no handshake" test "$(value tls.ndjson handshake 7007 info)" = -
tap_is "silence: why" "$(value tls.ndjson handshake 7004 why)" timeout

# --- What a server picks --------------------------------------------------------------------------

picks() { # PORT KEY WANTED
	tap_is "tls_probe of $1, $2" "$(value tls.ndjson probe "$1" "$2")" "$3"
}
picks 4430 any "TLSv1.0 TLS_RSA_WITH_AES_128_CBC_SHA"
picks 4430 tls10 "TLSv1.0 TLS_RSA_WITH_AES_128_CBC_SHA"
picks 4430 tls12 "TLSv1.0 TLS_RSA_WITH_AES_128_CBC_SHA"
picks 4431 any "TLSv1.1 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"
picks 4431 tls10 protocol_version
picks 4431 aes128 handshake_failure
picks 4432 any "TLSv1.2 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
picks 4432 tls10 protocol_version
picks 4433 any "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256"
picks 4433 tls12 protocol_version
picks 4434 tls12 "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
picks 4434 anon handshake_failure
picks 4435 anon "TLSv1.2 TLS_DH_anon_WITH_AES_128_CBC_SHA"
picks 4436 tls10 "TLSv1.0 $(value tls.ndjson probe 4436 tls10 | cut -d' ' -f2)"
picks 4436 aes128 "TLSv1.2 TLS_RSA_WITH_AES_128_CBC_SHA"
picks 7007 any nil
tap_match "tls_probe where there is no TLS: why" "$(value tls.ndjson probe 7007 any_why)" .

# --- Bytes both ways, and an upgrade --------------------------------------------------------------

digest=$(printf '0123456789%.0s' $(seq 500000) | sha256sum | cut -d' ' -f1)
tap_is "5 MB sent" "$(value tls.ndjson bulk 5001 sent)" "[5000000, \"$digest\"]"
tap_is "5 MB sent: the server confirmed it over TLS" "$(value tls.ndjson bulk 5001 confirmed)" "$digest"
tap_is "5 MB either way: the server's own account" "$(grep taken tls.log)" \
	"taken $digest sent $(value tls.ndjson bulk 5001 taken)"
up() {
	value tls.ndjson upgrade 5002 "$1"
}
tap_is "STARTTLS: not TLS before" "$(up before)" "no TLS on this socket"
tap_is "STARTTLS: plain part" "$(up plain)" '["220 lab\r\n", "220 go\r\n"]'
tap_is "STARTTLS: started" "$(up started)" '[true]'
tap_is "STARTTLS: but once" "$(up twice)" "TLS already"
tap_is "STARTTLS: certificate" "$(up info)" '["TLSv1.3", "lab.example"]'
tap_is "STARTTLS: encrypted part" "$(up back)" secret
tap_is "STARTTLS: as the server saw it" "$(grep -E '^(plain|tls)' tls.log | tr '\n' ' ')" \
	"plain b'STARTTLS\\r\\n' tls b'secret\\n' "
tap_true "no socket is left" no_sockets

tap_done
