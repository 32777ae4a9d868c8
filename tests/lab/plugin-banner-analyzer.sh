#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# plugins/banner-analyzer on the banners of Debian's servers: products and versions are those of their
# packages, names and addresses those of their configuration, clocks those of this machine.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"
# shellcheck source=tests/lab/servers.sh
. "$TESTS_DIR/lab/servers.sh"

lab_routed
lab_servers nginx-light apache2-bin lighttpd openssh-server vsftpd postfix exim4-daemon-light dovecot-imapd

net=198.18.21
serve_sshd world $net.1 22
serve_ssh world $net.2 22
serve_nginx world $net.3 80 'return 302 http://10.1.2.3/login;'
serve_apache world $net.4 80 "ServerTokens Full
	LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
	LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
	LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
	Header always set X-Powered-By PHP/8.2.7
	Redirect / http://portal.corp.internal/"
serve_lighttpd world $net.5 80
serve_vsftpd world $net.6 21
serve_postfix world $net.7 25
serve_exim world $net.8 25
serve_dovecot world $net.9 143
wait_serving world tcp/$net.{1,2}:22 tcp/$net.{3,4,5}:80 tcp/$net.6:21 tcp/$net.{7,8}:25 tcp/$net.9:143

port=$(lab_ports veth0 | tail -n 1)
with=(--plugin-dir "$TOP_DIR/plugins" --plugin banner-analyzer --set "dataplane.port=$port"
	--set "dataplane.source=$SPARE_IP" --set banner.enable=on --rate 200 -p "21,22,25,80,143" "$net.1-$net.9")
scan got --set detection.enable=off "${with[@]}"
scan_status "by itself: exit status" got 0
scan both "${with[@]}"
scan_status "beside the built-in detection: exit status" both 0
for name in got both; do
	tap_is "$name: all answers were read without an error" \
		"$(said $name.ndjson banner-analyzer | awk '{ print $3 }' | uniq -c | awk '{ print $1, $2 }')" "9 ok"
done

# name|product|version|info|os|cpe of each record.
cat >service.py <<'PY'
import json, sys
for line in open(sys.argv[1]):
    record = json.loads(line)
    service = record.get("service", {})
    fields = [service.get(key, "") for key in sys.argv[2:]]
    print(record["ip"].rsplit(".", 1)[1], "|".join(fields))
PY
python3 service.py got.ndjson name product version info os cpe >service
of() { # HOST
	sed -n "s/^$1 //p" service
}
of_package() {
	lab_upstream "$1"
}

openssh=$(of_package openssh-server)
release=$(lab_version openssh-server | sed -nE 's/.*\+deb([0-9]+)u.*/\1/p')
tap_is "OpenSSH: version, protocol, release and CPE" "$(of 1)" \
	"ssh|OpenSSH|$openssh|protocol 2.0|Debian Linux $release|cpe:/a:openbsd:openssh:${openssh/p/:p}"
dropbear=$(dropbear -V 2>&1 | sed 's/^Dropbear v//')
tap_is "Dropbear" "$(of 2)" "ssh|Dropbear sshd|$dropbear|protocol 2.0||cpe:/a:dropbear_ssh_project:dropbear_ssh:$dropbear"
nginx=$(of_package nginx-light)
tap_is "nginx" "$(of 3)" "http|nginx|$nginx|||cpe:/a:f5:nginx:$nginx"
apache=$(of_package apache2-bin)
tap_is "Apache" "$(of 4)" "http|Apache httpd|$apache||Debian Linux|cpe:/a:apache:http_server:$apache"
lighttpd=$(of_package lighttpd)
tap_is "lighttpd" "$(of 5)" "http|lighttpd|$lighttpd|||cpe:/a:lighttpd:lighttpd:$lighttpd"
vsftpd=$(of_package vsftpd)
tap_is "vsftpd" "$(of 6)" "ftp|vsftpd|$vsftpd|||cpe:/a:vsftpd_project:vsftpd:$vsftpd"
tap_is "Postfix, which shows no version" "$(of 7)" "smtp|Postfix|||Debian Linux|cpe:/a:postfix:postfix"
exim=$(of_package exim4-daemon-light)
tap_is "Exim" "$(of 8)" "smtp|Exim|$exim|||cpe:/a:exim:exim:$exim"
tap_is "Dovecot, which shows no version" "$(of 9)" "imap|Dovecot imapd|||Debian Linux|cpe:/a:dovecot:dovecot"

# Built-in detection and plugin together know at least as much.
python3 service.py got.ndjson name version os | sort >want
python3 service.py both.ndjson name version os | sort >got
tap_same "beside the built-in detection: the same names, versions and systems" got want

found() { # HOST PYTHON: an expression of its results
	python3 - "$net.$1" "$2" <<'PY'
import datetime, json, sys
at = datetime.datetime.fromisoformat
for line in open("got.ndjson"):
    record = json.loads(line)
    if record["ip"] == sys.argv[1]:
        results = record["plugins"]["banner-analyzer"].get("results", {})
        print(eval(sys.argv[2], {"r": results, "ts": record["ts"], "at": at}))
PY
}

openssl=$(openssl version | cut -d' ' -f2)
tap_is "Apache: the software of its headers" \
	"$(found 4 '"; ".join(s["name"] + " " + s.get("version", "-") for s in r["software"])')" \
	"Apache httpd $apache; OpenSSL $openssl; PHP 8.2.7"
tap_is "Apache: the host of a redirection" "$(found 4 'r["hosts"]')" \
	"[{'from': 'location', 'host': 'portal.corp.internal', 'internal': True}]"
tap_is "nginx: the address of a redirection" "$(found 3 'r["addresses"]')" \
	"[{'address': '10.1.2.3', 'from': 'location', 'internal': True}]"
for host in 7 8; do
	tap_is "host $host: the name in SMTP's greeting" "$(found $host 'r["hosts"]')" \
		"[{'from': 'greeting', 'host': 'mail.lab.example', 'internal': False}]"
done
for host in 3 4 5; do
	tap_is "host $host: the server's clock is this machine's" "$(found $host 'abs(r["clock_offset_s"]) <= 12')" True
done
# A banner comes up to ten seconds behind the record's time.
tap_is "Exim: the date of its greeting, with the zone" \
	"$(found 8 'len(r["dates"]) == 1 and abs((at(r["dates"][0]["date"]) - at(ts)).total_seconds()) <= 12')" True
tap_is "lighttpd: a page's date, in UTC" \
	"$(found 5 '[d["date"] for d in r["dates"] if d["from"] == "last-modified"]')" \
	"['$(date -u -r "$LAB"/lighttpd-$net.5-80/www/index.html +%Y-%m-%dT%H:%M:%SZ)']"
tap_is "no others have dates, hosts or addresses" \
	"$(for host in 1 2 6 9; do found $host '[k for k in r if k != "os"]'; done | sort -u)" "[]"
tap_account "the account is exact" got banner-analyzer

tap_done
