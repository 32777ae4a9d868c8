/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of scan types, and the names of what their verdicts say. Constant data only.
 */
#include "book.h"
#include "probe.h"

/* The one module of a type, in both families or in one. */
#define IN_V4(module) .step[FAMILY_V4] = {{&(module), 0}}, .nb_steps[FAMILY_V4] = 1
#define IN_V6(module) .step[FAMILY_V6] = {{&(module), 0}}, .nb_steps[FAMILY_V6] = 1
#define IN_BOTH(module) IN_V4(module), IN_V6(module)

/* The columns of a type that has ports, and a meaning for both families. */
#define PORTS(name, proto, flags, silence)                                                         \
	.scan = {name, proto, true, true, true, false, flags, silence}

static const char filtered[] = "filtered", open_filtered[] = "open|filtered", down[] = "down";

static const struct probe_type types[] = {
	{PORTS("syn", DP_PROTO_TCP, "S", filtered), IN_BOTH(probe_syn)},
	{PORTS("ack", DP_PROTO_TCP, "A", filtered), IN_BOTH(probe_ack)},
	{PORTS("window", DP_PROTO_TCP, "A", filtered), IN_BOTH(probe_window)},
	{PORTS("fin", DP_PROTO_TCP, "F", open_filtered), IN_BOTH(probe_fin)},
	{PORTS("null", DP_PROTO_TCP, "", open_filtered), IN_BOTH(probe_null)},
	{PORTS("xmas", DP_PROTO_TCP, "FPU", open_filtered), IN_BOTH(probe_xmas)},
	{PORTS("maimon", DP_PROTO_TCP, "FA", open_filtered), IN_BOTH(probe_maimon)},
	{PORTS("udp", DP_PROTO_UDP, "", open_filtered), IN_BOTH(probe_udp)},
	{
		.scan = {"icmp", DP_PROTO_ICMP, false, true, true, false, "", down},
		IN_BOTH(probe_echo),
	},
	{
		.scan = {"arp", DP_PROTO_ARP, false, true, false, true, "", down},
		IN_V4(probe_arp),
	},
	{
		.scan = {"ndp", DP_PROTO_NDP, false, false, true, true, "", down},
		IN_V6(probe_ndp),
	},
	{PORTS("sctp", DP_PROTO_SCTP, "", filtered), IN_BOTH(probe_sctp)},
	{
		.scan = {"discovery", DP_PROTO_ICMP, false, true, true, false, "", down},
		.step = {
			[FAMILY_V4] = {{&probe_echo, 0}, {&probe_syn, 443}, {&probe_ack, 80},
				{&probe_timestamp, 0}},
			/* ICMPv6 has no timestamps. */
			[FAMILY_V6] = {{&probe_echo, 0}, {&probe_syn, 443}, {&probe_ack, 80}},
		},
		.nb_steps = {[FAMILY_V4] = 4, [FAMILY_V6] = 3},
		.on_link = {[FAMILY_V4] = &probe_arp, [FAMILY_V6] = &probe_ndp},
		.host = true,
	},
};

enum {
	NB_TYPES = sizeof(types) / sizeof(types[0]),
};

_Static_assert(offsetof(struct probe_type, scan) == 0, "probe_type_of() takes one for the other");

const struct dp_scan_type *dp_scan_find(const char *name) {
	for (unsigned i = 0; i < NB_TYPES; i++)
		if (strcmp(types[i].scan.name, name) == 0)
			return &types[i].scan;
	return NULL;
}

const struct dp_scan_type *dp_scan_at(unsigned i) {
	return i < NB_TYPES ? &types[i].scan : NULL;
}

const struct probe_type *probe_type_of(const struct dp_scan_type *scan) {
	return (const struct probe_type *)scan;
}

/* Each payload of a UDP port is a transmission of its own. */
static bool has_payloads(const struct probe_type *type) {
	return type->scan.proto == DP_PROTO_UDP;
}

unsigned probe_passes_max(const struct probe_type *type, const struct payload_book *book,
	const uint16_t *ports, unsigned nb_ports) {
	unsigned v4 = type->nb_steps[FAMILY_V4], v6 = type->nb_steps[FAMILY_V6];
	unsigned steps = v4 > v6 ? v4 : v6, payloads = 1;

	for (unsigned i = 0; has_payloads(type) && i < nb_ports; i++) {
		unsigned n = book_payloads(book, ports[i]);

		if (n > payloads)
			payloads = n;
	}
	return steps * payloads;
}

unsigned probe_passes(const struct probe_type *type, const struct payload_book *book,
	enum family family, uint16_t port) {
	unsigned steps = type->nb_steps[family];

	return has_payloads(type) ? steps * book_payloads(book, port) : steps;
}

const char *dp_proto_name(enum dp_proto proto) {
	static const char *const names[DP_PROTO_COUNT] = {
		[DP_PROTO_TCP] = "tcp",
		[DP_PROTO_UDP] = "udp",
		[DP_PROTO_SCTP] = "sctp",
		[DP_PROTO_ICMP] = "icmp",
		[DP_PROTO_ARP] = "arp",
		[DP_PROTO_NDP] = "ndp",
	};

	return names[proto];
}

const char *dp_state_name(enum dp_state state) {
	static const char *const names[DP_STATE_COUNT] = {
		[DP_STATE_OPEN] = "open",
		[DP_STATE_CLOSED] = "closed",
		[DP_STATE_FILTERED] = "filtered",
		[DP_STATE_UNFILTERED] = "unfiltered",
		[DP_STATE_UP] = "up",
	};

	return names[state];
}

const char *dp_reason_name(enum dp_reason reason) {
	static const char *const names[DP_REASON_COUNT] = {
		[DP_REASON_SYN_ACK] = "syn-ack",
		[DP_REASON_RESET] = "reset",
		[DP_REASON_UDP_RESPONSE] = "udp-response",
		[DP_REASON_ECHO_REPLY] = "echo-reply",
		[DP_REASON_TIMESTAMP_REPLY] = "timestamp-reply",
		[DP_REASON_ARP_RESPONSE] = "arp-response",
		[DP_REASON_ND_RESPONSE] = "nd-response",
		[DP_REASON_INIT_ACK] = "init-ack",
		[DP_REASON_ABORT] = "abort",
		[DP_REASON_NET_UNREACH] = "net-unreach",
		[DP_REASON_HOST_UNREACH] = "host-unreach",
		[DP_REASON_PROTO_UNREACH] = "proto-unreach",
		[DP_REASON_PORT_UNREACH] = "port-unreach",
		[DP_REASON_NET_PROHIBITED] = "net-prohibited",
		[DP_REASON_HOST_PROHIBITED] = "host-prohibited",
		[DP_REASON_ADMIN_PROHIBITED] = "admin-prohibited",
		[DP_REASON_NO_ROUTE] = "no-route",
		[DP_REASON_BEYOND_SCOPE] = "beyond-scope",
		/* nmap has one word for it and for ICMP's host unreachable. */
		[DP_REASON_ADDR_UNREACH] = "host-unreach",
		[DP_REASON_REJECT_ROUTE] = "reject-route",
	};

	return names[reason];
}

const char *dp_response_name(enum dp_response response) {
	static const char *const names[DP_RESPONSE_COUNT] = {
		[DP_RESPONSE_SYN_ACK] = "syn_ack",
		[DP_RESPONSE_RST] = "rst",
		[DP_RESPONSE_UDP] = "udp",
		[DP_RESPONSE_ECHO_REPLY] = "echo_reply",
		[DP_RESPONSE_TIMESTAMP_REPLY] = "timestamp_reply",
		[DP_RESPONSE_ARP_REPLY] = "arp_reply",
		[DP_RESPONSE_NEIGHBOR_ADVERTISEMENT] = "neighbor_advertisement",
		[DP_RESPONSE_INIT_ACK] = "init_ack",
		[DP_RESPONSE_ABORT] = "abort",
		[DP_RESPONSE_ICMP_UNREACHABLE] = "icmp_unreachable",
	};

	return names[response];
}
