#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The plugin ssl-checker against real servers and old ones: what it finds equals what openssl's client,
# the certificates and the servers' configurations say.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"
# shellcheck source=tests/lab/servers.sh
. "$TESTS_DIR/lab/servers.sh"

command -v openssl >/dev/null || tap_skip_all "no openssl"
real=
if [ -e "$LAB_ROOT/packages" ]; then
	lab_servers nginx-light apache2-bin dovecot-imapd dovecot-pop3d postfix vsftpd
	real=yes
fi
# A distribution's defaults would refuse what is old.
export OPENSSL_CONF=/dev/null
lab_routed
ip=198.18.1.1

# --- Certificates ---------------------------------------------------------------------------------

mkdir pki
cd pki || exit 1
cat >ca.cnf <<-'CONF'
	[ca]
	default_ca = lab
	[lab]
	database = index
	new_certs_dir = .
	rand_serial = yes
	policy = any
	unique_subject = no
	copy_extensions = copyall
	[any]
	commonName = supplied
CONF
: >index

# certify NAME ISSUER SUBJECT KEY EXTENSION [OPTION OF ca...]: NAME.pem and NAME.key; ISSUER `-`: itself
certify() {
	local name=$1 issuer=$2 subject=$3 key=$4 extension=$5
	local -a by=(-cert "$issuer.pem" -keyfile "$issuer.key")
	shift 5
	[ "$issuer" != - ] || by=(-selfsign -keyfile "$name.key")
	# shellcheck disable=SC2086 # a list of options
	openssl req -new $key -nodes -keyout "$name.key" -out "$name.csr" -subj "/CN=$subject" \
		-addext "$extension" 2>/dev/null
	openssl ca -batch -config ca.cnf "${by[@]}" -in "$name.csr" -out "$name.pem" -notext -days 300 -md sha256 \
		"$@" 2>>ca.log || tap_note_file ca.log
}
ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256'
rsa='-newkey rsa:2048'
names='subjectAltName=DNS:www.lab.example,DNS:*.wild.example,IP:198.18.1.1'
ca=basicConstraints=critical,CA:TRUE

certify root - 'Lab root' "$ec" $ca
certify middle root 'Lab middle' "$ec" $ca
certify oldmiddle root 'Lab old middle' "$ec" $ca -startdate 20200101000000Z -enddate 20210101000000Z
certify noca root 'Lab no authority' "$ec" basicConstraints=critical,CA:FALSE
certify leaf middle www.lab.example "$rsa" "$names"
certify eleaf middle www.lab.example "$ec" "$names"
certify oldleaf oldmiddle www.lab.example "$ec" "$names"
certify nocaleaf noca www.lab.example "$ec" "$names"
certify self - www.lab.example "$rsa" "$names"
certify other - other.example "$ec" subjectAltName=DNS:other.example
certify cnonly middle www.lab.example "$ec" keyUsage=digitalSignature
certify wild middle wild "$ec" 'subjectAltName=DNS:*.lab.example'
certify wildtld middle wildtld "$ec" 'subjectAltName=DNS:*.example,DNS:*.www.lab.example'
certify expired middle www.lab.example "$ec" "$names" -startdate 20200101000000Z -enddate 20210101000000Z
certify future middle www.lab.example "$ec" "$names" -startdate 20400101000000Z -enddate 20410101000000Z
certify soon middle www.lab.example "$ec" "$names" -days 5
certify rsa1024 middle www.lab.example '-newkey rsa:1024' "$names"
certify rsa512 middle www.lab.example '-newkey rsa:512' "$names"
certify sha1 root www.lab.example "$ec" "$names" -md sha1
certify rroot - 'Lab RSA root' "$rsa" $ca -md sha1
certify md5 rroot www.lab.example "$ec" "$names" -md md5
cat middle.pem >chain.pem
cat root.pem middle.pem >misordered.pem
cat middle.pem other.pem >unrelated.pem
cat middle.pem root.pem >full.pem
# The second group of RFC 2409.
cat >dh.cnf <<-'CONF'
	asn1 = SEQUENCE:dh
	[dh]
	p = INTEGER:0xFFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF
	g = INTEGER:2
CONF
openssl asn1parse -genconf dh.cnf -out dh.der >/dev/null
openssl dhparam -inform DER -in dh.der -out dh1024.pem
cd .. || exit 1

# --- Servers --------------------------------------------------------------------------------------

# s_server PORT CERTIFICATE OPTION...
s_server() {
	local at=$1 cert=$2
	shift 2
	serve world openssl s_server -accept $ip:"$at" -quiet -www -cert "pki/$cert.pem" -key "pki/$cert.key" "$@"
	s_ports="${s_ports:-} $at"
}
chain='-cert_chain pki/chain.pem'
old=ALL:COMPLEMENTOFALL:@SECLEVEL=0
# shellcheck disable=SC2086 # $chain is a list
{
	s_server 4401 leaf $chain
	s_server 4402 leaf
	s_server 4403 eleaf -cert_chain pki/misordered.pem
	s_server 4404 eleaf -cert_chain pki/unrelated.pem
	s_server 4405 eleaf -cert_chain pki/full.pem
	s_server 4406 self
	s_server 4407 expired $chain
	s_server 4408 future $chain
	s_server 4409 soon $chain
	s_server 4410 rsa1024 $chain -cipher DEFAULT:@SECLEVEL=0
	s_server 4411 rsa512 $chain -cipher DEFAULT:@SECLEVEL=0 -tls1_2
	s_server 4412 sha1 -cert_chain pki/root.pem -cipher DEFAULT:@SECLEVEL=0
	s_server 4413 md5 -cert_chain pki/rroot.pem -cipher DEFAULT:@SECLEVEL=0
	s_server 4414 oldleaf -cert_chain pki/oldmiddle.pem
	s_server 4415 nocaleaf -cert_chain pki/noca.pem
	s_server 4416 cnonly $chain
	s_server 4417 wild $chain
	s_server 4418 wildtld $chain
	s_server 4419 other -servername www.lab.example -cert2 pki/leaf.pem -key2 pki/leaf.key
	s_server 4420 leaf $chain -dcert pki/eleaf.pem -dkey pki/eleaf.key -dcert_chain pki/chain.pem \
		-no_tls1_3 -cipher ECDHE+AESGCM
	# Versions and suites
	s_server 4430 leaf -cipher $old -serverpref -dhparam pki/dh1024.pem
	s_server 4431 leaf -tls1 -cipher AES128-SHA:AES256-SHA:@SECLEVEL=0
	s_server 4432 eleaf -tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256
	s_server 4433 eleaf -alpn http/1.1,h2 -tls1_2 -cipher ECDHE+AESGCM
	s_server 4434 eleaf -nocert -tls1_2 -cipher aNULL:@SECLEVEL=0
	s_server 4435 leaf -tls1_2 -cipher eNULL:@SECLEVEL=0
}
ip netns exec world python3 "$LAB_TOOLS/oldtls.py" $ip >old.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
ip netns exec world python3 "$LAB_TOOLS/manners.py" $ip >manners.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
serve_http world $ip 4443

if [ "$real" ]; then
	key=$LAB/pki/leaf.key full=$LAB/leaf-full.pem
	cat pki/leaf.pem pki/chain.pem >"$full"
	chmod -R a+rX "$LAB/pki" && chmod a+x "$LAB" && chmod a+r "$key"
	serve_nginx world $ip 4440 "listen $ip:4441 ssl http2; listen $ip:443 ssl http2; ssl_certificate $full; ssl_certificate_key $key;
		ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on;
		ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;"
	serve_apache world $ip 4442 "LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
		LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
		SSLEngine on
		SSLCertificateFile $full
		SSLCertificateKeyFile $key
		SSLProtocol -all +TLSv1.1 +TLSv1.2 +TLSv1.3
		SSLCipherSuite ECDHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA:CAMELLIA128-SHA:@SECLEVEL=0
		SSLHonorCipherOrder off"
	serve_dovecot world $ip 143:110 "ssl = yes
		ssl_cert = <$full
		ssl_key = <$key
		ssl_min_protocol = TLSv1.2
		ssl_cipher_list = ECDHE+AESGCM:AES256-SHA256
		ssl_prefer_server_ciphers = yes
		service imap-login {
		  service_count = 0
		}
		service pop3-login {
		  service_count = 0
		}"
	serve_postfix world 198.18.1.2 25 "smtpd_tls_cert_file = $full\nsmtpd_tls_key_file = $key\n\
smtpd_tls_security_level = may\nsmtpd_tls_protocols = !TLSv1, !TLSv1.1, !TLSv1.3\n\
smtpd_tls_ciphers = high\ntls_high_cipherlist = ECDHE+AESGCM:AES128-SHA\n\
smtpd_tls_exclude_ciphers ="
	serve_vsftpd world $ip 21 "ssl_enable=YES\nrsa_cert_file=$full\nrsa_private_key_file=$key\nssl_ciphers=AES256-SHA:ECDHE-RSA-AES256-GCM-SHA384"
	serve_dovecot world 198.18.1.3 143 # without TLS
	real_ports="4440 4441 4442 143 110 25 21"
fi
# shellcheck disable=SC2086 # lists
wait_listening world $s_ports 4500 4507 7004 4443 ${real_ports:-}

# --- Without a name -------------------------------------------------------------------------------

cp "$TOP_DIR/plugins/ssl-checker" plugins -r
with=(--set dataplane.port=af_packet:veth0 --rate 500 --plugin-arg ssl-checker.delay=0
	--plugin-arg ssl-checker.timeout=2)
base=("${with[@]}")
with+=(-p "4401-4443,4500-4507,7004,21,25,110,143" "$ip" 198.18.1.2 198.18.1.3)
plugged plain ssl-checker
scan_status "exit status" plain 0
said plain.ndjson ssl-checker | awk '$3 != "ok"' >got
: >want
tap_same "each result ended well" got want
tap_account "the account is exact" plain ssl-checker
tap_true "no socket is left" no_sockets

python3 - plain.ndjson >plain.txt <<'PY'
import json, sys

# `PORT KEY VALUE` lines of what there is to compare. The port of another address has it in front.
for line in open(sys.argv[1]):
    record = json.loads(line)
    results = record["plugins"]["ssl-checker"].get("results", {})
    at = record["port"] if record["ip"] == "198.18.1.1" else f"{record['ip']}:{record['port']}"
    print(at, "service", record.get("service", {}).get("name"))
    for key, value in results.items():
        if isinstance(value, (str, int, bool)):
            print(at, key, value)
    print(at, "ids", *sorted(f["id"] for f in results.get("findings", [])))
    for finding in results.get("findings", []):
        print(at, "where", finding["id"], *finding.get("where", []))
    for version, entry in results.get("versions", {}).items():
        print(at, "preference", version, entry.get("preference"))
        for suite in entry.get("ciphers", []):
            print(at, "accepts", version, suite)
    for certificate in results.get("certificates", []):
        for key, value in certificate.items():
            print(at, "cert", key, json.dumps(value) if isinstance(value, (list, dict)) else value)
        for link in certificate.get("chain", []):
            print(at, "link", link["common_name"])
    if "alpn" in results:
        print(at, "alpn", *results["alpn"])
PY
# facts PORT KEY: values of these lines
facts() {
	sed -n "s/^$1 $2 //p" plain.txt
}

# --- Certificates against openssl -----------------------------------------------------------------

x509() { # FILE OPTION...: the value behind `=`
	local file=$1
	shift
	openssl x509 -noout -in "pki/$file.pem" "$@" | sed 's/^[^=]*=//'
}
for pair in 4401/leaf 4405/eleaf 4406/self 4407/expired 4408/future 4410/rsa1024 4411/rsa512 4412/sha1 \
	4413/md5; do
	at=${pair%/*} file=${pair#*/}
	openssl x509 -noout -text -fingerprint -sha256 -in "pki/$file.pem" >text
	tap_is "$file: fingerprint, serial, dates, key and signature as openssl x509 has them" \
		"$(for key in sha256 not_before not_after key_bits signature serial; do
			facts "$at" "cert $key"
		done | xargs)" \
		"$({
			sed -n 's/^sha256 Fingerprint=//p' text | tr -d : | tr A-F a-f
			sed -nE 's/^ *Not (Before|After ?) *: //p' text | while read -r date; do
				date -u -d "$date" +%Y-%m-%dT%H:%M:%SZ
			done
			sed -n 's/.*Public-Key: (\([0-9]*\) bit)/\1/p' text
			sed -n 's/^ *Signature Algorithm: //p' text | head -1
			grep -A1 'Serial Number:' text | tail -1 | tr -d ' :'
		} | xargs)"
done
tap_is "names" "$(facts 4401 "cert names")" '["www.lab.example", "*.wild.example", "198.18.1.1"]'
tap_is "the address is named" "$(facts 4401 "cert name")" \
	'{"checked": "198.18.1.1", "kind": "address", "match": true}'
tap_is "a server with two certificates" "$(facts 4420 "cert key_type" | sort | xargs)" "ec rsa"
tap_is "the chain as it was sent" "$(facts 4405 link | xargs)" "Lab middle Lab root"

# The findings about certificates, and what openssl says of the same server: with the root it trusts.
verdict() { # PORT [OPTION...]: of s_client, the number of its verdict
	local at=$1
	shift
	on scanner openssl s_client -connect $ip:"$at" -CAfile pki/root.pem -cipher ALL:@SECLEVEL=0 "$@" \
		</dev/null 2>/dev/null | sed -n 's/^ *Verif[a-z]* return code: \([0-9]*\) .*/\1/p' | head -1
}
about() { # PORT: findings about its certificate, and the state of its chain
	facts "$1" ids | tr ' ' '\n' |
		grep -E '^(expire|not-yet|sign|key|self|name|address|chain|issuer)' | xargs
	facts "$1" "cert chain_status"
}
cert_is() { # PORT DESCRIPTION VERDICT FINDINGS STATUS
	tap_is "$2" "$(about "$1" | xargs)" "$(echo "$4" "$5" | xargs)"
	tap_is "$2: openssl's verdict" "$(verdict "$1")" "$3"
}
cert_is 4401 "a chain without the root" 0 "" open
cert_is 4402 "the intermediate is missing" 21 chain-incomplete incomplete
cert_is 4403 "a chain that is not in order" 0 chain-misordered misordered
cert_is 4404 "a certificate that does not belong there" 0 chain-unrelated unrelated
cert_is 4405 "a chain with the root" 0 "" complete
cert_is 4406 "self-signed" 18 self-signed self-signed
cert_is 4407 "expired" 10 expired open
cert_is 4408 "not yet valid" 9 not-yet-valid open
cert_is 4409 "expires in five days" 0 expires-soon open
cert_is 4410 "RSA with 1024 bits" 0 key-short open
cert_is 4411 "RSA with 512 bits" 0 key-tiny open
cert_is 4412 "signed with SHA-1" 0 signature-sha1 complete
cert_is 4413 "signed with MD5; SHA-1 of the root does not count" 19 signature-md5 complete
cert_is 4414 "the intermediate has expired" 10 expired open
cert_is 4415 "issued by no authority" 26 issuer-no-ca open
tap_is "whose it is that has expired" "$(facts 4414 "where expired")" "Lab old middle"

# --- Versions and suites against openssl's client -------------------------------------------------

for at in 4401 4430 4432 4434 4435 ${real:+4441 4442}; do
	on scanner python3 "$LAB_TOOLS/accepts.py" $ip "$at" >want
	facts "$at" accepts | sort >got
	tap_true "$at: openssl's client gets through" test -s want
	tap_same "$at: versions and suites are those that openssl's client gets" got want
	tap_is "$at: complete" "$(facts "$at" complete)" True
done
for version in tls1/TLSv1.0 tls1_1/TLSv1.1 tls1_2/TLSv1.2; do
	openssl ciphers -s -"${version%/*}" -stdname $old | awk '{ print $1 }' >order
	facts 4430 "accepts ${version#*/}" >got
	grep -Fxf got order >want
	tap_same "the server's own order, ${version#*/}" got want
	tap_is "preference, ${version#*/}" "$(facts 4430 "preference ${version#*/}")" server
done
tap_is "a server that follows the client" "$(facts 4401 "preference TLSv1.2")" client
tap_is "ALPN" "$(facts 4433 alpn | tr ' ' '\n' | sort | xargs)" "h2 http/1.1"
tap_is "named by ALPN" "$(facts 4433 service) $(facts 4401 service)" "https ssl"
tap_is "Diffie-Hellman's group" "$(facts 4430 dh_group)" dh1024
found() { # PORT DESCRIPTION GRADE FINDINGS: all but those about certificates
	tap_is "$2" "$(facts "$1" ids | tr ' ' '\n' |
		grep -vE '^(expire|not-yet|sign|key|self|name|address|chain|issuer)' | xargs)" "$4"
	tap_is "$2: grade" "$(facts "$1" grade)" "$3"
}
found 4401 "openssl's default" B some-forward-secrecy
found 4430 "all that openssl still has" F \
	"anonymous dh-1024 md5-mac null-cipher some-forward-secrecy tls10 tls11"
found 4431 "TLS 1.0 alone" C "no-forward-secrecy no-modern-version tls10"
found 4432 "TLS 1.3 alone" C "" # the chain is incomplete
found 4434 "anonymous" F "anonymous null-cipher"
found 4435 "without encryption" F "anonymous md5-mac null-cipher some-forward-secrecy"
tap_is "forward secrecy" "$(for at in 4432 4401 4431; do facts $at forward_secrecy; done | xargs)" "all some none"

# --- Servers of old -------------------------------------------------------------------------------

for at in 4500 4501 4502 4503 4504 4505 4506 4507; do
	python3 "$LAB_TOOLS/oldtls.py" --truth $at | while read -r version list; do
		tr ',' '\n' <<<"$list" | sed "s/^/$version /"
	done | sort >want
	facts $at accepts | sort >got
	tap_same "$at: versions and suites are those of its row" got want
	tap_is "$at: no handshake" "$(facts $at certificate_error | wc -l) $(facts $at complete)" "1 False"
done
python3 "$LAB_TOOLS/oldtls.py" --truth 4500 | sed -n 's/^SSLv3 //p' | tr ',' '\n' >want
facts 4500 "accepts SSLv3" >got
tap_same "the server's own order, SSLv3" got want
found 4500 "all that is broken" F "3des anonymous des export idea md5-mac no-modern-version no-secure-renegotiation \
null-cipher rc2 rc4 some-forward-secrecy ssl3 tls10"
found 4501 "SSL 2.0" F "3des md5-mac no-forward-secrecy no-modern-version no-secure-renegotiation rc4 ssl2 ssl3"
found 4502 "compression" D "compression no-forward-secrecy tls11"
found 4503 "without secure renegotiation, hanging up in place of alerts" D no-secure-renegotiation
found 4507 "3DES" C "3des no-forward-secrecy"
tap_is "whose preference" "$(facts 4500 "preference SSLv3") $(facts 4502 "preference TLSv1.2")" "server client"
tap_is "export ciphers by name" "$(facts 4500 "where export" | tr ' ' '\n' | sort | xargs)" \
	"TLS_RSA_EXPORT_WITH_DES40_CBC_SHA TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5 TLS_RSA_EXPORT_WITH_RC4_40_MD5"

# --- No TLS ---------------------------------------------------------------------------------------

tap_is "plain HTTP: no finding" "$(grep -c '^4443 ' plain.txt) $(facts 4443 ids)" "2 "
tap_is "silence: no finding" "$(grep -c '^7004 ' plain.txt) $(facts 7004 ids)" "2 "

# --- Debian's servers -----------------------------------------------------------------------------

if [ "$real" ]; then
	found 4441 "nginx" B some-forward-secrecy
	tap_is "nginx: order of its configuration" "$(facts 4441 "accepts TLSv1.2" | xargs)" \
		"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_RSA_WITH_AES_128_CBC_SHA"
	tap_is "nginx: preference, ALPN" "$(facts 4441 "preference TLSv1.2") $(facts 4441 alpn)" "server h2 http/1.1"
	tap_is "nginx in the clear: no finding" "$(facts 4440 ids)" ""
	found 4442 "Apache" B "some-forward-secrecy tls11"
	tap_is "Apache: preference" "$(facts 4442 "preference TLSv1.2")" client
	for row in 143/imap 110/pop3 21/ftp 198.18.1.2:25/smtp; do
		at=${row%/*} protocol=${row#*/}
		address=$ip
		[ "${at#*:}" = "$at" ] || address=${at%:*}
		on scanner python3 "$LAB_TOOLS/accepts.py" "$address" "${at#*:}" "$protocol" >want
		facts "$at" accepts | sort >got
		tap_true "$protocol: openssl's client gets through" test -s want
		tap_same "$protocol: versions and suites behind STARTTLS as openssl's client gets them" got want
		tap_is "$protocol: how it was reached, and what it is called" \
			"$(facts "$at" transport) $(facts "$at" service)" "starttls-$protocol $protocol"
		tap_is "$protocol: certificate" "$(facts "$at" "cert sha256")" \
			"$(x509 leaf -fingerprint -sha256 | tr -d : | tr A-F a-f)"
		tap_is "$protocol: chain" "$(facts "$at" "cert chain_status") $(facts "$at" link)" "open Lab middle"
	done
	tap_match "IMAP without TLS: no finding, but why" "$(facts 198.18.1.3:143 no_tls)" STARTTLS
else
	tap_skip "nginx, Apache, dovecot, postfix, vsftpd" "no servers in $LAB_ROOT: sudo make deps-servers"
fi

# --- With a name and a root -----------------------------------------------------------------------

with=("${base[@]}" --plugin-arg ssl-checker.server_name=www.lab.example
	--plugin-arg 'ssl-checker.roots=Lab root' --plugin-arg ssl-checker.ciphers=no
	-p "4401-4407,4415-4419" "$ip")
plugged named ssl-checker
scan_status "with a name: exit status" named 0
named() { # PORT: the state of its chain, whether the name fits, findings about both
	python3 - named.ndjson "$1" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    record = json.loads(line)
    if record["port"] == int(sys.argv[2]):
        results = record["plugins"]["ssl-checker"]["results"]
        certificate = results["certificates"][0]
        ids = [f["id"] for f in results["findings"] if f["id"].split("-")[0] in ("name", "chain", "issuer", "self")] \
            if "findings" in results else []
        print(certificate["chain_status"], certificate["name"]["match"], *sorted(ids))
PY
}
named_is() { # PORT DESCRIPTION WANTED VERDICT: openssl's, with this name
	tap_is "$2" "$(named "$1")" "$3"
	tap_is "$2: openssl's verdict" "$(verdict "$1" -servername www.lab.example -verify_hostname www.lab.example)" "$4"
}
named_is 4401 "a configured root" "complete True" 0
named_is 4402 "a configured root, and the intermediate missing" "incomplete True chain-incomplete" 21
named_is 4405 "a configured root that is sent" "complete True" 0
named_is 4406 "self-signed, with a configured root" "self-signed True self-signed" 18
named_is 4416 "the name in the common name alone" "complete False name-in-cn-only" 0
named_is 4417 "a wildcard" "complete True" 0
named_is 4418 "wildcards that do not fit" "complete False name-mismatch" 62
named_is 4419 "a certificate by SNI" "incomplete True chain-incomplete" 21

# --- With banners ---------------------------------------------------------------------------------

# What was found before, but from analyze_banner: a TLS record, and words that offer STARTTLS.
if [ "$real" ]; then
	with=("${base[@]}" --set "dataplane.source=$SPARE_IP" --set banner.enable=on --set banner.wait=2s -p "25,143,443" "$ip" 198.18.1.2)
	plugged spoken ssl-checker
	scan_status "with banners: exit status" spoken 0
	python3 - plain.ndjson spoken.ndjson >got <<'PY'
import json, sys

def read(name):
    return {(r["ip"], r["port"]): r for r in map(json.loads, open(name))}

plain, spoken = read(sys.argv[1]), read(sys.argv[2])
for here, there in ((("198.18.1.2", 25), ("198.18.1.2", 25)), (("198.18.1.1", 143), ("198.18.1.1", 143)),
                    (("198.18.1.1", 443), ("198.18.1.1", 4441))):
    a, b = (record["plugins"]["ssl-checker"]["results"] for record in (spoken[here], plain[there]))
    print(here[1], "banner" in spoken[here] or "banner_hex" in spoken[here],
          *(a[key] == b[key] for key in ("versions", "findings", "grade")))
PY
	printf '%s True True True True\n' 25 143 443 >want
	tap_same "with banners: the same, from analyze_banner" got want
fi

# --- What the README says -------------------------------------------------------------------------

python3 - "$TOP_DIR/plugins/ssl-checker" >got <<'PY'
import re, sys
row = re.compile(r'\["([a-z0-9-]+)"\] = \{ (?:"([A-F])"|nil),')
print(*sorted(f"{name} {grade or '-'}" for name, grade in row.findall(open(sys.argv[1] + "/lib/findings.lua").read())), sep="\n")
PY
# shellcheck disable=SC2016 # Markdown's own
sed -nE 's/^\| `([a-z0-9-]+)` \| ([A-F-]) \|.*/\1 \2/p' "$TOP_DIR/plugins/ssl-checker/README.md" | sort >want
tap_same "the README's table of findings is the program's" got want

python3 - plain.sum <<'PY' | while read -r line; do tap_note "$line"; done
import json, sys
plugin = json.load(open(sys.argv[1]))["plugins"]["ssl-checker"]
print("lane time a target: %.1f ms" % (1000 * plugin["lane_cpu_s"] / plugin["offered"]))
PY
tap_done
