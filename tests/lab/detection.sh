#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Built-in detection against real servers: name, product and version that the records have are what
# Debian's packages say of themselves. Where a server does not show its version, as it never does or was
# told to hide it, none may be named.
# SAVE=/ABSOLUTE/FILE keeps the banners, one JSON object a line.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/servers.sh
. "$TESTS_DIR/lab/servers.sh"

# What a scan's answers show, of a package or of a server `package:with-another-configuration`. Product
# and operating system: a part of the name in any case; version: that of the package is `shown`. `-` where
# the answer does not tell and none may be named, `*` where it does no harm.
truth='
	nginx-light           tcp   80  http        nginx      shown  *
	nginx-light           tcp  443  https       *          -      *
	apache2-bin           tcp   80  http        apache     shown  debian
	lighttpd              tcp   80  http        lighttpd   shown  *
	openssh-server        tcp   22  ssh         openssh    shown  debian
	dropbear-bin          tcp   22  ssh         dropbear   shown  *
	vsftpd                tcp   21  ftp         vsftpd     shown  *
	proftpd-core          tcp   21  ftp         proftpd    -      *
	postfix               tcp   25  smtp        postfix    -      debian
	exim4-daemon-light    tcp   25  smtp        exim       shown  *
	dovecot-imapd         tcp  143  imap        dovecot    -      debian
	dovecot-pop3d         tcp  110  pop3        dovecot    -      debian
	mariadb-server-core   tcp 3306  mysql       mariadb    shown  debian
	postgresql-15         tcp 5432  postgresql  *          -      *
	redis-server          tcp 6379  redis       redis      shown  linux
	memcached             tcp 11211 memcache    memcached  shown  *
	memcached             udp 11211 memcache    memcached  shown  *
	unbound               tcp   53  domain      unbound    shown  *
	unbound               udp   53  domain      unbound    shown  *
	bind9                 tcp   53  domain      bind       shown  debian
	bind9                 udp   53  domain      bind       shown  debian
	dnsmasq-base          tcp   53  domain      dnsmasq    shown  *
	dnsmasq-base          udp   53  domain      dnsmasq    shown  *
	mosquitto             tcp 1883  mqtt        *          -      *
	slapd                 tcp  389  ldap        openldap   -      *
	snmpd                 udp  161  snmp        *          -      linux
	chrony                udp  123  ntp         *          -      *
	nginx-light:hidden    tcp   80  http        nginx      -      *
	apache2-bin:hidden    tcp   80  http        apache     -      *
	vsftpd:hidden         tcp   21  ftp         -          -      *
	exim4-daemon-light:hidden tcp 25 smtp       -          -      *
	mariadb-server-core:refusing tcp 3306 mysql mariadb    -      *
	redis-server:refusing tcp 6379  redis       *          -      *
	unbound:hidden        udp   53  domain      -          -      *
	bind9:hidden          udp   53  domain      -          -      *
'
packages=$(awk 'NF { sub(/:.*/, "", $1); print $1 }' <<<"$truth" | sort -u)

lab_routed
# shellcheck disable=SC2086 # a list of words
lab_servers $packages

declare -A address_of
hosts=0
start() { # PACKAGE... FUNCTION PORT [CONFIG]: on an address of its own
	hosts=$((hosts + 1))
	while [ "${1#serve_}" = "$1" ]; do
		address_of[$1]=198.18.20.$hosts
		shift
	done
	"$1" world 198.18.20.$hosts "${@:2}"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
	-subj /CN=lab.example -days 2 2>/dev/null
start mariadb-server-core serve_mariadb 3306
start postgresql-15 serve_postgres 5432
start nginx-light serve_nginx 80 "listen 198.18.20.$((hosts + 1)):443 ssl;
	ssl_certificate $LAB/cert.pem; ssl_certificate_key $LAB/key.pem;"
start apache2-bin serve_apache 80
start lighttpd serve_lighttpd 80
start openssh-server serve_sshd 22
start dropbear-bin serve_ssh 22
start vsftpd serve_vsftpd 21
start proftpd-core serve_proftpd 21
start postfix serve_postfix 25
start exim4-daemon-light serve_exim 25
start dovecot-imapd dovecot-pop3d serve_dovecot 143:110
start redis-server serve_redis 6379
start memcached serve_memcached 11211
start unbound serve_unbound 53
start bind9 serve_named 53
start dnsmasq-base serve_dns 53
start mosquitto serve_mosquitto 1883
start slapd serve_slapd 389
start snmpd serve_snmpd 161
start chrony serve_chrony 123
start nginx-light:hidden serve_nginx 80 'server_tokens off;'
start apache2-bin:hidden serve_apache 80 'ServerTokens Prod'
start vsftpd:hidden serve_vsftpd 21 'ftpd_banner=Welcome to the lab.'
# shellcheck disable=SC2016 # a variable of exim
start exim4-daemon-light:hidden serve_exim 25 'smtp_banner = $smtp_active_hostname ESMTP ready'
start mariadb-server-core:refusing serve_mariadb 3306 'init-file ='
start redis-server:refusing serve_redis 6379 'requirepass secret'
start unbound:hidden serve_unbound 53 'hide-version: yes'
start bind9:hidden serve_named 53 '' 'version "lab";'

# Our table with addresses and each package's version, as its authors and as Debian write it.
sockets=()
while read -r package proto port rest; do
	[ "$package" ] || continue
	sockets+=("$proto/${address_of[$package]}:$port")
	echo "$package $(lab_upstream "${package%%:*}") $(lab_version "${package%%:*}") ${address_of[$package]}" \
		"$proto $port $rest"
done <<<"$truth" >table
wait_serving world "${sockets[@]}"

ports_of() { # PROTO
	awk -v proto="$1" '$5 == proto { print $6 }' table | sort -un | paste -sd,
}
port=$(lab_ports veth0 | tail -n 1)
scan tcp --set dataplane.port="$port" --set dataplane.source=$SPARE_IP --set banner.enable=on \
	-p "$(ports_of tcp)" 198.18.20.1-198.18.20.$hosts
scan_status "a scan of TCP ports" tcp 0
scan udp --set dataplane.port="$port" --set banner.enable=on -sU -p "$(ports_of udp)" \
	198.18.20.1-198.18.20.$hosts
scan_status "a scan of UDP ports" udp 0

# First that the table itself is true: the bytes that came have the version, or have it not.
cat >judge.py <<'PY'
import json, os, sys

records = {}
for name in ("tcp", "udp"):
    for line in open(f"{name}.ndjson", encoding="utf-8"):
        record = json.loads(line)
        records[record["ip"], record["proto"], record["port"]] = record

def check(what, failures):
    print("not ok -" if failures else "ok -", what)
    for failure in failures:
        print("#", failure)

def spoke(wanted):
    record = records.get((wanted["address"], wanted["proto"], wanted["port"]), {})
    banner = record.get("banner", "").encode() or bytes.fromhex(record.get("banner_hex", ""))
    return record, banner

def true_table(wanted):
    record, banner = spoke(wanted)
    if not banner:
        return [f"no banner: {record}"]
    if (wanted["upstream"].encode() in banner) != (wanted["version"] == "shown"):
        return [f"version {wanted['upstream']} should be {wanted['version']}: {banner[:300]}"]
    return []

def compare(wanted):
    record, banner = spoke(wanted)
    service = record.get("service")
    if not service:
        return [f"no service: {banner[:200]}"]
    failures = []
    def is_not(key, text):
        failures.append(f"{key} is {service.get(key)!r}, wanted {text}; banner {banner[:200]}")
    if service["name"] != wanted["name"]:
        is_not("name", wanted["name"])
    for key in ("product", "os"):
        if wanted[key] == "-":
            if key in service:
                is_not(key, "none")
        elif wanted[key] != "*" and wanted[key] not in service.get(key, "").lower():
            is_not(key, wanted[key])
    version = wanted["upstream"] if wanted["version"] == "shown" else ""
    if service.get("version", "") != version:
        is_not("version", version or "none")
    # OpenSSH's p1 is a component of its own there.
    known = "".join(service.get("cpe", "").split(":")[4:6])
    if version and not (service.get("cpe", "").startswith("cpe:/a:") and known == version):
        is_not("cpe", f"cpe:/a:VENDOR:PRODUCT:{version}")
    if service.get("source") != "builtin":
        is_not("source", "builtin")
    if not 0 < service.get("confidence", 0) <= 1:
        is_not("confidence", "within 0 and 1")
    return failures

keys = "package upstream debian address proto port name product version os".split()
saved = open(os.environ["SAVE"], "w") if os.environ.get("SAVE") else None
for line in open("table"):
    wanted = dict(zip(keys, line.split(), strict=True))
    wanted["port"] = int(wanted["port"])
    where = f"{wanted['package']} {wanted['upstream']}, {wanted['proto']} {wanted['port']}"
    check(f"{where}: speaks, version {wanted['version']}", true_table(wanted))
    check(f"{where}: detected", compare(wanted))
    if saved:
        record, _ = spoke(wanted)
        row = {key: wanted[key] for key in ("port", "proto", "package")} | {"version": wanted["debian"]}
        row |= {key: record[key] for key in ("banner", "banner_hex", "service") if key in record}
        print(json.dumps(row), file=saved)
PY
tap_import < <(python3 judge.py 2>&1)

tap_done
