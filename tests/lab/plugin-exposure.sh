#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# plugins/exposure against Redis, memcached, mosquitto and slapd, each open and shut, and against stand-ins
# of what Debian has no server of. What is open is told by the configuration; that nothing but reading was
# asked, by the servers.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"
# shellcheck source=tests/lab/servers.sh
. "$TESTS_DIR/lab/servers.sh"

lab_routed
lab_servers redis-server memcached mosquitto slapd
net=198.18.25

# Redis: open, with a password, in protected mode, and a user who may not do INFO.
serve_redis world $net.1 6379
serve_redis world $net.2 6379 'requirepass secret'
serve_redis world $net.3 6379 'protected-mode yes'
serve_redis world $net.4 6379 'user default on nopass +ping -info'
# memcached: open, with a file of users, with SASL.
serve_memcached world $net.1 11211
echo user:secret >"$LAB/users"
serve world memcached -u memcache -l $net.2 -p 11211 -U 0 -m 8 -Y "$LAB/users"
serve world env SASL_CONF_PATH="$LAB" memcached -u memcache -l $net.3 -p 11211 -U 0 -m 8 -S
# mosquitto: for anybody, and not.
serve_mosquitto world $net.1 1883 'log_type all'
serve_mosquitto world $net.2 1883 'allow_anonymous false'
# slapd: readable, readable by users, for users only.
serve_slapd world $net.1 389
serve_slapd world $net.2 389 $'access to dn.base="" by * read\naccess to * by users read by anonymous auth'
serve_slapd world $net.3 389 'require authc'
# Stand-ins; TLS that wants a client's certificate; and something else on each port.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
	-subj /CN=lab.example -days 2 2>/dev/null
ip netns exec world python3 "$LAB_TOOLS/exposed.py" $net.9 cert.pem key.pem >asked.log 2>&1 </dev/null &
lab_pids="$lab_pids $!"
serve world openssl s_server -accept $net.9:2376 -cert cert.pem -key key.pem -Verify 1 -verify_return_error -www
for port in 389 1883 2375 2379 6379 9200 11211 27017 8001; do
	serve_http world $net.8 $port
done
# etcd itself, where it was unpacked: without users, and with them.
etcd=
if [ -n "$(lab_version etcd-server)" ]; then
	etcd=yes
	for host in 5 6; do
		serve world etcd --data-dir "$LAB/etcd-$host" --listen-client-urls http://$net.$host:2379 \
			--advertise-client-urls http://$net.$host:2379 --listen-peer-urls http://$net.$host:12380 \
			--initial-advertise-peer-urls http://$net.$host:12380 --initial-cluster default=http://$net.$host:12380
	done
	wait_serving world tcp/$net.{5,6}:2379
fi
wait_serving world tcp/$net.{1,2,3,4}:6379 tcp/$net.{1,2,3}:11211 tcp/$net.{1,2}:1883 tcp/$net.{1,2,3}:389 \
	tcp/$net.9:{9200,9201,9202,9203,2375,2376,2377,2379,2380,6443,8001,27017,27018,27019} \
	tcp/$net.8:{389,1883,2375,2379,6379,9200,11211,27017,8001}

# An entry for each directory, and data that counts.
for host in 1 2 3; do
	setpriv --reuid=openldap --regid=openldap --clear-groups -- "$(unconfined /usr/sbin/slapd)" -T add \
		-f "$LAB/slapd-$net.$host-389/slapd.conf" <<-'LDIF' >>servers.log 2>&1
		dn: dc=lab,dc=example
		objectClass: dcObject
		objectClass: organization
		dc: lab
		o: lab
	LDIF
done
talk() { # HOST PORT TEXT
	on scanner python3 -c '
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
sock.sendall(sys.argv[3].encode().decode("unicode_escape").encode())
sock.settimeout(0.3)
try:
    while data := sock.recv(65536): sys.stdout.write(data.decode())
except TimeoutError: pass
' "$@"
}
talk $net.1 11211 'set a 0 0 3\r\nabc\r\nset b 0 0 3\r\nabc\r\n' >/dev/null
if [ "$etcd" ]; then
	post() { # HOST PATH JSON
		on scanner curl -s "http://$net.$1:2379$2" -d "$3" >>servers.log
	}
	for host in 5 6; do
		post $host /v3/kv/put '{"key":"YQ==","value":"YQ=="}'
		post $host /v3/kv/put '{"key":"Yg==","value":"YQ=="}'
	done
	post 6 /v3/auth/user/add '{"name":"root","password":"secret"}'
	post 6 /v3/auth/role/add '{"name":"root"}'
	post 6 /v3/auth/user/grant '{"user":"root","role":"root"}'
	post 6 /v3/auth/enable '{}'
fi

port=$(lab_ports veth0 | tail -n 1)
# The stand-ins of other states listen beside the usual ports.
more=2377=docker,2380=etcd,9201=elasticsearch,9202=elasticsearch,9203=elasticsearch,27018=mongodb,27019=mongodb
usual=389=ldap,1883=mqtt,2375=docker,2376=docker/tls,2379=etcd,6379=redis,6443=kubernetes/tls,8001=kubernetes
usual=$usual,9200=elasticsearch,11211=memcached,27017=mongodb
scan got --plugin-dir "$TOP_DIR/plugins" --plugin exposure --plugin-arg exposure.timeout=2 \
	--plugin-arg "exposure.ports=$usual,$more" --set "dataplane.port=$port" --set "dataplane.source=$SPARE_IP" \
	--rate 500 -p "389,1883,2375-2377,2379,2380,6379,6443,8001,9200-9203,11211,27017-27019" $net.1-$net.9
scan_status "exit status" got 0
tap_is "each ended well" "$(said got.ndjson exposure | awk '$3 != "ok"')" ""

# HOST PORT check state|how|service|product|version
python3 - <<'PY' | sort -k1,1n -k2,2n >got
import json
for line in open("got.ndjson"):
    record = json.loads(line)
    for check, found in record["plugins"]["exposure"].get("results", {}).items():
        service = record.get("service", {})
        # What a web server says to other protocols is its own business.
        how = found["how"] if record["ip"] != "198.18.25.8" else "*"
        words = [found["state"], how] + [service.get(key, "") for key in ("name", "product", "version")]
        print(record["ip"].rsplit(".", 1)[1], record["port"], check, "|".join(words))
PY
redis=$(lab_upstream redis-server)
memcached=$(lab_upstream memcached)
cat >want <<WANT
1 389 ldap open|the entry dc=lab,dc=example was found without a bind|ldap||
1 1883 mqtt open|CONNECT without credentials was accepted|mqtt||
1 6379 redis open|PING and INFO answered|redis|Redis|$redis
1 11211 memcached open|version and stats answered|memcache|memcached|$memcached
2 389 ldap authentication required|the entry dc=lab,dc=example got 50 (insufficientAccessRights)|ldap||
2 1883 mqtt authentication required|CONNACK 5 (not authorized)|mqtt||
2 6379 redis authentication required|PING got NOAUTH|redis|Redis|
2 11211 memcached authentication required|version got CLIENT_ERROR unauthenticated|memcache|memcached|
3 389 ldap authentication required|the root DSE got 53 (unwillingToPerform: authentication required)|ldap||
3 6379 redis refused|protected mode: it answers its own machine only|redis|Redis|
3 11211 memcached authentication required|stat of the binary protocol got status authentication error|memcache|memcached|$memcached
4 6379 redis authentication required|INFO got NOPERM|redis|Redis|
8 389 ldap no such service|*|||
8 1883 mqtt no such service|*|||
8 2375 docker no such service|*|||
8 2379 etcd no such service|*|||
8 6379 redis no such service|*|||
8 8001 kubernetes no such service|*|||
8 9200 elasticsearch no such service|*|||
8 11211 memcached no such service|*|||
8 27017 mongodb no answer|*|||
9 2375 docker open|GET /version answered|docker|Docker Engine|20.10.24
9 2376 docker authentication required|TLS: alert certificate required|||
9 2377 docker authentication required|GET /version got 403|docker|Docker Engine|
9 2379 etcd open|a count of keys (POST /v3/kv/range) answered|etcd|etcd|3.4.23
9 2380 etcd authentication required|a count of keys got 400 (etcdserver: user name is empty)|etcd|etcd|3.4.23
9 6443 kubernetes authentication required|GET /api got 403|kubernetes|Kubernetes|1.28.4
9 8001 kubernetes open|GET /api answered|kubernetes|Kubernetes|1.28.4
9 9200 elasticsearch open|GET / answered|elasticsearch|Elasticsearch|8.11.1
9 9201 elasticsearch authentication required|GET / got 401|elasticsearch|Elasticsearch|
9 9202 elasticsearch open|GET / answered|elasticsearch|OpenSearch|2.11.0
9 9203 elasticsearch authentication required|GET / got 401|elasticsearch|OpenSearch|
9 27017 mongodb open|hello and listDatabases answered|mongodb|MongoDB|6.0.14
9 27018 mongodb authentication required|listDatabases got error 13 (Unauthorized)|mongodb|MongoDB|6.0.14
9 27019 mongodb authentication required|listDatabases got error 13 (Unauthorized)|mongodb|MongoDB|6.0.14
WANT
if [ "$etcd" ]; then
	cat >>want <<-WANT
		5 2379 etcd open|a count of keys (POST /v3/kv/range) answered|etcd|etcd|$(lab_upstream etcd-server)
		6 2379 etcd authentication required|a count of keys got 400 (etcdserver: user name is empty)|etcd|etcd|$(lab_upstream etcd-server)
	WANT
	sort -k1,1n -k2,2n -o want want
fi
tap_same "what is open, what wants a login, and how that was seen" got want

# By themselves: data is told apart from a door that happens to be open.
of() { # HOST PORT CHECK KEY
	python3 - "$net.$1" "$2" "$3" "$4" <<'PY'
import json, sys
for line in open("got.ndjson"):
    record = json.loads(line)
    if record["ip"] == sys.argv[1] and record["port"] == int(sys.argv[2]):
        print(json.dumps(record["plugins"]["exposure"]["results"][sys.argv[3]].get(sys.argv[4])))
PY
}
tap_is "memcached: the items that we put there" "$(of 1 11211 memcached items)" 2
tap_is "slapd: its naming context" "$(of 1 389 ldap naming_contexts)" '["dc=lab,dc=example"]'
tap_is "MongoDB: the number of databases" "$(of 9 27017 mongodb databases)" 3
tap_is "etcd: the number of keys" "$(of 9 2379 etcd keys)" 7
if [ "$etcd" ]; then
	tap_is "etcd itself: the number of keys" "$(of 5 2379 etcd keys)" 2
else
	tap_skip "etcd itself" "no etcd-server in $LAB_ROOT"
fi

# What the servers say that they were asked: nothing but reading, and no login.
tap_is "Redis: its commands" "$(talk $net.1 6379 'INFO commandstats\r\n' | sed -nE 's/^cmdstat_([a-z|]+):calls=([0-9]+),.*/\1 \2/p' |
	sort | tr '\n' ' ')" "info 1 ping 1 "
tap_is "memcached: no writes but ours, no logins" \
	"$(talk $net.1 11211 'stats\r\n' | tr -d '\r' | awk '/ (cmd_set|cmd_flush|cmd_get|auth_cmds) / { print $2, $3 }' | tr '\n' ' ')" \
	"cmd_get 0 cmd_set 2 cmd_flush 0 auth_cmds 0 "
tap_is "mosquitto: a client came, left in order, and did nothing else" \
	"$(grep -cE 'New client connected from .* as prtip' servers.log) $(grep -cE 'Received DISCONNECT from prtip' servers.log) $(
		grep -cE 'Received (SUBSCRIBE|PUBLISH)' servers.log)" "1 1 0"
sort -n asked.log >got
cat >want <<'WANT'
2375 GET /version 
2377 GET /version 
2379 GET /version 
2379 POST /v3/kv/range {"key":"AA==","range_end":"AA==","count_only":true}
2380 GET /version 
2380 POST /v3/kv/range {"key":"AA==","range_end":"AA==","count_only":true}
6443 GET /api 
6443 GET /version 
8001 GET /api 
8001 GET /version 
9200 GET / 
9201 GET / 
9202 GET / 
9203 GET / 
27017 buildInfo admin
27017 hello admin
27017 listDatabases admin
27018 buildInfo admin
27018 hello admin
27018 listDatabases admin
27019 buildInfo admin
27019 hello admin
27019 isMaster admin
27019 listDatabases admin
WANT
tap_same "the stand-ins: each request" got want
tap_account "the account is exact" got exposure
tap_true "no socket is left" no_sockets

tap_done
