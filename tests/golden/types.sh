#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The bytes of each scan type's probes, in both families, untagged and in a VLAN, as Wireshark reads them
# out of a capture: what never changes is compared with types.expect, checksums and dissection must be
# without complaint, and each pair of --list-targets has exactly its transmissions.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

command -v tshark >/dev/null || tap_skip_all "no tshark: install Debian's package"

work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-types.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1
export HOME=$work # no settings of a user's

checks=(-o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE
	-o 'sctp.checksum:CRC 32c')
[ -n "${PDP_EXPECT:-}" ] || PDP_EXPECT=$TESTS_DIR/golden/types.expect

# An empty capture to receive from.
printf '\xd4\xc3\xb2\xa1\x02\x00\x04\x00\0\0\0\0\0\0\0\0\xff\xff\x00\x00\x01\0\0\0' >empty.pcap

probe() { # ARGUMENTS...: leaves out.pcap
	rm -f out.pcap
	status=0
	"$PRTIP_DP" --set dataplane.port=net_pcap0,rx_pcap=empty.pcap,tx_pcap=out.pcap \
		--set dataplane.source=198.19.0.1,2001:db8:ff::1 --set scan.cooldown=0s --rate max --quiet \
		-o ndjson:run.ndjson --overwrite --set dataplane.gateway_mac=02:00:00:00:00:77 "$@" \
		</dev/null >run.out 2>run.err || status=$?
	tap_is "exit status of $*" "$status" 0 || tap_note_file run.err
}

# dissect ARGUMENTS...: tshark over out.pcap; a tshark that fails must not look like one without findings.
dissect() {
	tshark -n -r out.pcap "${checks[@]}" "$@" 2>tshark.err || echo "tshark failed: $(tail -n 1 tshark.err)"
}

# What is the same in every probe of a type: one line a kind.
shape() {
	dissect -T fields -E separator=/t -E aggregator=+ \
		-e frame.len -e eth.dst -e vlan.id -e eth.type -e ip.ttl -e ip.flags.df -e ipv6.hlim -e ip.proto \
		-e ipv6.nxt -e tcp.flags -e tcp.window_size_value -e tcp.option_kind -e udp.length \
		-e icmp.type -e icmpv6.type -e sctp.chunk_type -e arp.opcode -e icmpv6.opt.type |
		sed 's/33:33:ff:[0-9a-f:]*/33:33:ff:XX/' | sort | uniq -c | sed 's/^ *//' | tr '\t' ' '
}

complaints() {
	dissect \
		-Y '_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || sctp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0' |
		head -n 5
}

# Probes of each pair: `ip port`, port `-` where the type has none.
pairs() {
	dissect -T fields -E separator=, -E occurrence=f -e ip.dst -e ipv6.dst -e arp.dst.proto_ipv4 \
		-e icmpv6.nd.ns.target_address -e tcp.dstport -e udp.dstport -e sctp.dstport |
		awk -F, '{ ip = $1 $3; if ($2) ip = $4 ? $4 : $2; port = $5 $6 $7; print ip, port ? port : "-" }' |
		sort
}

ports=(-p "21,80,443")
: >got.expect
for type in syn ack window fin null xmas maimon sctp udp icmp arp ndp discovery; do
	targets=(198.18.0.0/30 2001:db8::/126)
	ask=("${ports[@]}")
	case $type in
	arp) targets=(198.18.0.0/30) ;;
	ndp) targets=(2001:db8::/126) ;;
	udp) ask=(-p "7,53,123") ;;
	esac
	case $type in
	icmp | arp | ndp | discovery) ask=() ;;
	esac
	for vlan in 0 42; do
		probe --scan-type $type --set dataplane.vlan=$vlan "${ask[@]}" "${targets[@]}"
		{
			echo "$type, vlan $vlan"
			shape
		} >>got.expect
		tap_is "$type, vlan $vlan: no complaint of the dissector" "$(complaints)" ""
	done
	[ $type != discovery ] || continue
	"$PRTIP_DP" --set dataplane.port=sim --scan-type $type "${ask[@]}" --list-targets \
		"${targets[@]}" | cut -d' ' -f1,2 | sort >want
	pairs | uniq >got
	tap_same "$type: each pair of --list-targets, and no other" got want
done
[ -z "${PDP_WRITE_EXPECT:-}" ] || cp got.expect "$PDP_EXPECT"
tap_same "the constant bytes are those of types.expect" got.expect "$PDP_EXPECT"

# --- Transmissions --------------------------------------------------------------------------------

# Each pair exactly three times, a whole walk over the others, and a second, between two of them.
probe --set scan.probes=3 "${ports[@]}" 198.18.0.0/26 2001:db8::/122
"$PRTIP_DP" --set dataplane.port=sim "${ports[@]}" --list-targets 198.18.0.0/26 2001:db8::/122 |
	cut -d' ' -f1,2 | sort | sed 'p;p' >want
pairs >got
tap_same "probes = 3: each pair three times" got want
dissect -T fields -E separator=, -e frame.time_epoch -e ip.dst -e ipv6.dst -e tcp.dstport \
	-e tcp.srcport >sent
python3 - <<'PY' >distance
import collections
seen = collections.defaultdict(list)
for number, line in enumerate(open("sent")):
    when, v4, v6, port, source = line.strip().split(",")
    seen[v4 + v6, port].append((number, float(when), source))
apart = min(b[0] - a[0] for probes in seen.values() for a, b in zip(probes, probes[1:]))
wait = min(b[1] - a[1] for probes in seen.values() for a, b in zip(probes, probes[1:]))
ports = min(len({probe[2] for probe in probes}) for probes in seen.values())
print(apart >= 300, wait >= 0.9, ports)
PY
tap_is "probes = 3: never back to back, in frames or time, from three source ports" \
	"$(cat distance)" "True True 3"

tap_done
