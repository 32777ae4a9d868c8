#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# plugins/dns-version against unbound, BIND and dnsmasq, open and closed ones. The truth is what dig says
# of the same servers from the same machine, and their configuration.

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"
# shellcheck source=tests/lab/plugin-lab.sh
. "$TESTS_DIR/lab/plugin-lab.sh"
# shellcheck source=tests/lab/servers.sh
. "$TESTS_DIR/lab/servers.sh"

lab_routed
lab_servers unbound bind9 bind9-dnsutils

net=198.18.24
# 1: BIND with a root of its own, which it signs, and nothing else.
mkdir -p "$LAB/named-$net.1-53"
cat >"$LAB/named-$net.1-53/root.zone" <<ZONE
\$TTL 60
. SOA ns.lab.example. hostmaster.lab.example. 1 3600 600 86400 60
. NS ns.lab.example.
ns.lab.example. A $net.1
ZONE
serve_named world $net.1 53 'zone "." { type primary; file "root.zone"; dnssec-policy default; inline-signing yes; };'
# 2: unbound that recurses, by that root; it knows its name.
serve_unbound world $net.2 53 "identity: \"res-lab\"
	nsid: \"ascii_res-nsid\"
	stub-zone:
		name: \".\"
		stub-addr: $net.1"
# 3: unbound that tells nobody anything.
serve_unbound world $net.3 53 'hide-version: yes
	hide-identity: yes
	access-control: 198.19.0.0/24 refuse_non_local'
# 4: dnsmasq without a server to ask. 5: BIND with another name and no version.
serve_dns world $net.4 53
own_address world $net.5
mkdir -p "$LAB/hidden"
chown bind "$LAB/hidden"
cat >"$LAB/hidden/named.conf" <<CONF
options {
	directory "$LAB/hidden"; pid-file none; session-keyfile none;
	listen-on port 53 { $net.5; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no;
	version none; hostname none; server-id "ns-lab"; edns-udp-size 1400;
};
controls { };
CONF
serve world "$(unconfined /usr/sbin/named)" -g -u bind -n 1 -c "$LAB/hidden/named.conf"
# 6: a web server on port 53.
serve_http world $net.6 53
wait_serving world {tcp,udp}/$net.{1,2,3,4,5}:53 tcp/$net.6:53
# The root is there once it is signed.
for _ in $(seq 100); do
	! on scanner dig +dnssec +noall +answer +time=1 +tries=1 . SOA @$net.1 | grep -q RRSIG || break
	sleep 0.1
done

# As the plugin reports it, one line a fact.
cat >facts.py <<'PY'
import json, re, subprocess, sys

NAMES = ["version.bind", "version.server", "hostname.bind", "id.server"]

def dig(server, *words):
    run = subprocess.run(["dig", "+time=2", "+tries=2", "+noidnout", f"@{server}", *words],
                         capture_output=True, text=True)
    return run.stdout

def field(pattern, text, default="-"):
    found = re.search(pattern, text)
    return found.group(1) if found else default

def by_dig(server):
    for transport in "udp", "tcp":
        answered = "status:" in dig(server, "+tcp" if transport == "tcp" else "+notcp", "CH", "TXT", NAMES[0])
        print(server, transport, answered)
    for name in NAMES:
        text = dig(server, "CH", "TXT", name)
        strings = field(r'\tCH\tTXT\t"(.*)"', text, None)
        print(server, name, field(r"status: (\w+)", text) if strings is None else f"= {strings}")
    text = dig(server, "prtip-dp.example", "A", "+noedns")
    print(server, "ra", " ra" in field(r"flags: ([^;]*);", text), field(r"status: (\w+)", text))
    text = dig(server, ".", "SOA", "+dnssec", "+nsid", "+bufsize=1232")
    edns = re.search(r"EDNS: version: (\d+), flags:( do)?; udp: (\d+)", text)
    print(server, "edns", *(edns.group(1), edns.group(3), bool(edns.group(2))) if edns else "-")
    print(server, "nsid", field(r'NSID: .* \("(.*)"\)', text))
    # Without EDNS in the answer nothing is said of DNSSEC.
    answer = text.partition("ANSWER SECTION")[2].partition("\n\n")[0]
    print(server, "signed", bool(re.search(r"\tRRSIG\t", answer)) if edns else None)
    print(server, "ad", " ad" in field(r"flags: ([^;]*);", text) if edns else None)

def by_plugin(path):
    for line in open(path):
        record = json.loads(line)
        found = record["plugins"]["dns-version"].get("results")
        if not found:
            continue
        server = record["ip"]
        for transport in "udp", "tcp":
            print(server, transport, found["transports"].get(transport))
        for name in NAMES:
            text = found.get("texts", {}).get(name)
            print(server, name, found["without_text"][name] if text is None else f"= {text}")
        print(server, "ra", found["recursion"].get("available"), found["recursion"].get("rcode"))
        edns, dnssec = found["edns"], found.get("dnssec", {})
        print(server, "edns", *(edns["version"], edns["udp_bytes"], dnssec["understood"])
              if edns["supported"] else "-")
        print(server, "nsid", edns.get("nsid", "-"))
        print(server, "signed", dnssec.get("signatures"))
        print(server, "ad", dnssec.get("validated"))

if sys.argv[1] == "dig":
    for server in sys.argv[2:]:
        by_dig(server)
else:
    by_plugin(sys.argv[2])
PY
on scanner python3 facts.py dig $net.{1,2,3,4,5} | sort >want
tap_true "dig knows what the servers were told to say" grep -qx "$net.5 id.server = ns-lab" want || tap_note_file want

port=$(lab_ports veth0 | tail -n 1)
with=(--plugin-dir "$TOP_DIR/plugins" --plugin dns-version --set "dataplane.port=$port"
	--set "dataplane.source=$SPARE_IP" --rate 200 -p 53 "$net.1-$net.6")
scan tcp "${with[@]}"
scan_status "a scan of TCP" tcp 0
python3 facts.py plugin tcp.ndjson | sort >got
tap_same "TCP: all is as dig has it" got want
scan udp -sU --set banner.enable=on "${with[@]}"
scan_status "a scan of UDP, with banners" udp 0
python3 facts.py plugin udp.ndjson | sort >got
tap_same "UDP: all is as dig has it" got want

# Of UDP the built-in detection may have said so before.
dnsmasq=$(dnsmasq -v | sed -nE 's/^Dnsmasq version ([0-9.]+) .*/\1/p')
for name in tcp udp; do
	services $name.ndjson | sed -E 's/ (builtin|dns-version) / /; s/\|[^|]*$//' | cut -d' ' -f1,3- >got
	cat >want <<-WANT
		$net.1 domain ISC BIND|$(lab_upstream bind9)
		$net.2 domain Unbound|$(lab_upstream unbound)
		$net.3 domain |
		$net.4 domain dnsmasq|$dnsmasq
		$net.5 domain |
	WANT
	tap_same "$name: products and versions of the packages" got want
done
tap_is "info has the text of version.bind" "$(services tcp.ndjson | sed -n "s/^$net.1 .*|//p")" \
	"version.bind: $(lab_version bind9 | sed 's/^1://')-Debian"
tap_is "recursion, by configuration: none, by the root, refused, refused, none" \
	"$(for host in 1 2 3 4 5; do
		python3 -c '
import json, sys
for line in open("tcp.ndjson"):
    record = json.loads(line)
    if record["ip"] == sys.argv[1]:
        print(record["plugins"]["dns-version"]["results"]["recursion"]["result"])' $net.$host
	done | tr '\n' ' ')" "not offered performed refused refused refused "
tap_is "what is no name server gets nothing, and no error" "$(said tcp.ndjson dns-version | grep "^$net.6 ")" \
	"$net.6 53 ok {}"
tap_account "the account is exact" tcp dns-version
tap_true "no socket is left" no_sockets

tap_done
