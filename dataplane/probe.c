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

#define FILTERED "filtered"
#define OPEN_FILTERED "open|filtered"

static const char filtered[] = FILTERED, open_filtered[] = OPEN_FILTERED, down[] = "down";

/* Rows that others are mixed of. */
enum {
	SYN,
	ACK,
	WINDOW,
	FIN,
	NUL,
	XMAS,
	MAIMON,
	UDP,
	SCTP = UDP + 4,
	NB_SINGLE = SCTP + 2,
	NB_TCP = UDP,
	NB_TYPES = NB_SINGLE + 3 * NB_TCP + 1,
};

static const struct probe_type types[NB_TYPES];

/* A mix: a step for each part, in the order of their protocols. */
#define MIX(name, proto, flags, silence, parts, ...)                                               \
	.scan = {name, proto, true, true, true, false, flags, silence, PARTS parts},               \
	.step = {[FAMILY_V4] = {__VA_ARGS__}, [FAMILY_V6] = {__VA_ARGS__}}
#define PARTS(n, ...) {__VA_ARGS__}, n
#define PART(place) &types[place].scan
#define STEPS(n) .nb_steps = {[FAMILY_V4] = n, [FAMILY_V6] = n}

/* A TCP type with UDP, with SCTP, and with both. */
#define TCP_MIXES(name, place, module, flags, silence)                                             \
	{MIX(name ",udp", DP_PROTO_TCP, flags, "tcp " silence ", udp " OPEN_FILTERED,              \
		 (2, PART(place), PART(UDP)), {&(module), 0}, {&probe_udp, 0}),                    \
		STEPS(2)},                                                                         \
		{MIX(name ",sctp", DP_PROTO_TCP, flags, "tcp " silence ", sctp " FILTERED,         \
			 (2, PART(place), PART(SCTP)), {&(module), 0}, {&probe_sctp, 0}),          \
			STEPS(2)},                                                                 \
	{                                                                                          \
		MIX(name ",udp,sctp", DP_PROTO_TCP, flags,                                         \
			"tcp " silence ", udp " OPEN_FILTERED ", sctp " FILTERED,                  \
			(3, PART(place), PART(UDP), PART(SCTP)), {&(module), 0}, {&probe_udp, 0},  \
			{&probe_sctp, 0}),                                                         \
			STEPS(3)                                                                   \
	}

static const struct probe_type types[NB_TYPES] = {
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

	TCP_MIXES("syn", SYN, probe_syn, "S", FILTERED),
	TCP_MIXES("ack", ACK, probe_ack, "A", FILTERED),
	TCP_MIXES("window", WINDOW, probe_window, "A", FILTERED),
	TCP_MIXES("fin", FIN, probe_fin, "F", OPEN_FILTERED),
	TCP_MIXES("null", NUL, probe_null, "", OPEN_FILTERED),
	TCP_MIXES("xmas", XMAS, probe_xmas, "FPU", OPEN_FILTERED),
	TCP_MIXES("maimon", MAIMON, probe_maimon, "FA", OPEN_FILTERED),
	{MIX("udp,sctp", DP_PROTO_UDP, "", "udp " OPEN_FILTERED ", sctp " FILTERED,
		 (2, PART(UDP), PART(SCTP)), {&probe_udp, 0}, {&probe_sctp, 0}),
		STEPS(2)},
};

_Static_assert(offsetof(struct probe_type, scan) == 0, "probe_type_of() takes one for the other");

const struct dp_scan_type *dp_scan_find(const char *name) {
	for (unsigned i = 0; i < NB_TYPES; i++)
		if (strcmp(types[i].scan.name, name) == 0)
			return &types[i].scan;
	return NULL;
}

const struct dp_scan_type *dp_scan_at(unsigned i) {
	return i < NB_SINGLE ? &types[i].scan : NULL;
}

const struct dp_scan_type *dp_scan_part(const struct dp_scan_type *type, enum dp_proto proto) {
	if (!type->nb_parts)
		return type->has_ports && type->proto == proto ? type : NULL;
	for (unsigned i = 0; i < type->nb_parts; i++)
		if (type->part[i]->proto == proto)
			return type->part[i];
	return NULL;
}

const struct dp_scan_type *dp_scan_mix(
	const struct dp_scan_type *type, const struct dp_scan_type *more) {
	const unsigned nb = type->nb_parts ? type->nb_parts : 1;

	if (!type->has_ports || !more->has_ports || more->nb_parts
		|| dp_scan_part(type, more->proto))
		return NULL;
	for (unsigned i = NB_SINGLE; i < NB_TYPES; i++) {
		const struct dp_scan_type *row = &types[i].scan;
		bool all = row->nb_parts == nb + 1 && dp_scan_part(row, more->proto) == more;

		for (unsigned k = 0; all && k < row->nb_parts; k++)
			all = row->part[k] == more
				|| dp_scan_part(type, row->part[k]->proto) == row->part[k];
		if (all)
			return row;
	}
	return NULL;
}

const struct probe_type *probe_type_of(const struct dp_scan_type *scan) {
	return (const struct probe_type *)scan;
}

unsigned probe_step(const struct probe_type *type, enum family family,
	const struct dp_target *target, unsigned k) {
	const unsigned nb = type->nb_steps[family];
	unsigned i = 0;

	if (!type->scan.nb_parts)
		return k % nb;
	while (i + 1 < nb && type->scan.part[i]->proto != target->proto)
		i++;
	return i;
}

/* Each payload of a UDP port is a transmission of its own. */
unsigned probe_passes(const struct probe_type *type, const struct payload_book *book,
	enum family family, const struct dp_target *target) {
	const unsigned steps = type->nb_steps[family];

	if (type->scan.nb_parts)
		return target->proto == DP_PROTO_UDP ? book_payloads(book, target->port) : 1;
	return type->scan.proto == DP_PROTO_UDP ? steps * book_payloads(book, target->port) : steps;
}

unsigned probe_passes_max(const struct probe_type *type, const struct payload_book *book,
	const struct dp_space *space) {
	unsigned most = 1;

	for (unsigned i = 0; i < dp_space_ports(space); i++) {
		const uint32_t endpoint = dp_space_endpoint(space, i);
		const struct dp_target target = {.port = dp_endpoint_port(endpoint),
			.proto = (uint8_t)dp_endpoint_proto(endpoint)};

		for (enum family f = 0; f < FAMILIES; f++) {
			const unsigned n = probe_passes(type, book, f, &target);

			most = n > most ? n : most;
		}
	}
	return most;
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
