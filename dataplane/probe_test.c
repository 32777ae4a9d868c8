/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of scan types, how many transmissions each has, and the words of records. */
#include "book.h"
#include "probe.h"

#include <criterion/criterion.h>

static struct dp_space *space_of(const uint16_t *ports, unsigned nb_ports) {
	struct dp_ipset *set;
	struct dp_space *space;

	cr_assert_eq(dp_ipset_create(&set), 0);
	cr_assert_eq(dp_ipset_add(set, dp_ip_v4(1), dp_ip_v4(1)), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, nb_ports, &space), 0);
	dp_ipset_destroy(set);
	return space;
}

/* As INTERFACE says them: names in this order, what they are, and what their silence means. */
static const struct {
	const char *name, *flags, *silence;
	enum dp_proto proto;
	bool has_ports, v4, v6, link;
	const struct probe_module *module;
} expected[] = {
	{"syn", "S", "filtered", DP_PROTO_TCP, true, true, true, false, &probe_syn},
	{"ack", "A", "filtered", DP_PROTO_TCP, true, true, true, false, &probe_ack},
	{"window", "A", "filtered", DP_PROTO_TCP, true, true, true, false, &probe_window},
	{"fin", "F", "open|filtered", DP_PROTO_TCP, true, true, true, false, &probe_fin},
	{"null", "", "open|filtered", DP_PROTO_TCP, true, true, true, false, &probe_null},
	{"xmas", "FPU", "open|filtered", DP_PROTO_TCP, true, true, true, false, &probe_xmas},
	{"maimon", "FA", "open|filtered", DP_PROTO_TCP, true, true, true, false, &probe_maimon},
	{"udp", "", "open|filtered", DP_PROTO_UDP, true, true, true, false, &probe_udp},
	{"icmp", "", "down", DP_PROTO_ICMP, false, true, true, false, &probe_echo},
	{"arp", "", "down", DP_PROTO_ARP, false, true, false, true, &probe_arp},
	{"ndp", "", "down", DP_PROTO_NDP, false, false, true, true, &probe_ndp},
	{"sctp", "", "filtered", DP_PROTO_SCTP, true, true, true, false, &probe_sctp},
	{"discovery", "", "down", DP_PROTO_ICMP, false, true, true, false, &probe_echo},
};

enum {
	TYPES = sizeof(expected) / sizeof(expected[0]),
};

Test(probe, rows) {
	for (unsigned i = 0; i < TYPES; i++) {
		const struct dp_scan_type *scan = dp_scan_at(i);

		cr_assert_not_null(scan, "%s", expected[i].name);
		cr_assert_str_eq(scan->name, expected[i].name);
		cr_assert_str_eq(scan->flags, expected[i].flags, "%s", scan->name);
		cr_assert_str_eq(scan->silence, expected[i].silence, "%s", scan->name);
		cr_assert_eq(scan->proto, expected[i].proto, "%s", scan->name);
		cr_assert_eq(scan->has_ports, expected[i].has_ports, "%s", scan->name);
		cr_assert_eq(scan->v4, expected[i].v4, "%s", scan->name);
		cr_assert_eq(scan->v6, expected[i].v6, "%s", scan->name);
		cr_assert_eq(scan->link, expected[i].link, "%s", scan->name);
		cr_assert_eq(dp_scan_find(scan->name), scan);
	}
	cr_assert_null(dp_scan_at(TYPES));
	cr_assert_null(dp_scan_at((unsigned)-1));
	cr_assert_null(dp_scan_find("sy"));
	cr_assert_null(dp_scan_find("synack"));
	cr_assert_null(dp_scan_find(""));
}

/* Each family that a type has is sent by modules that know it, which speak of the type's protocol. */
Test(probe, modules) {
	for (unsigned i = 0; i < TYPES; i++) {
		const struct dp_scan_type *scan = dp_scan_at(i);
		const struct probe_type *type = probe_type_of(scan);
		const bool has[FAMILIES] = {[FAMILY_V4] = scan->v4, [FAMILY_V6] = scan->v6};

		cr_assert_eq(&type->scan, scan);
		cr_assert_eq(type->host, strcmp(scan->name, "discovery") == 0);
		for (enum family f = 0; f < FAMILIES; f++) {
			cr_assert_eq(type->nb_steps[f] > 0, has[f], "%s", scan->name);
			if (has[f])
				cr_assert_eq(type->step[f][0].module, expected[i].module);
			if (type->host)
				continue;
			cr_assert_leq(type->nb_steps[f], 1);
			cr_assert_null(type->on_link[f]);
			if (has[f]) {
				cr_assert_eq(type->step[f][0].module->proto, scan->proto);
				cr_assert_eq(type->step[f][0].module->link, scan->link);
				cr_assert_eq(type->step[f][0].port, 0);
			}
		}
	}
}

/* As nmap finds hosts. */
Test(probe, discovery) {
	static const struct {
		const struct probe_module *module;
		uint16_t port;
	} step[] = {{&probe_echo, 0}, {&probe_syn, 443}, {&probe_ack, 80}, {&probe_timestamp, 0}};
	const struct probe_type *type = probe_type_of(dp_scan_find("discovery"));

	cr_assert_eq(type->nb_steps[FAMILY_V4], 4);
	cr_assert_eq(type->nb_steps[FAMILY_V6], 3);
	for (enum family f = 0; f < FAMILIES; f++)
		for (unsigned k = 0; k < type->nb_steps[f]; k++) {
			cr_assert_eq(type->step[f][k].module, step[k].module);
			cr_assert_eq(type->step[f][k].port, step[k].port);
		}
	cr_assert_eq(type->on_link[FAMILY_V4], &probe_arp);
	cr_assert_eq(type->on_link[FAMILY_V6], &probe_ndp);
}

Test(probe, passes) {
	static const uint16_t port[] = {60001};
	static const uint8_t byte[] = {1};
	struct dp_payload payload[DP_PAYLOADS_A_PORT];
	const struct dp_target known = {.port = 60001}, unknown = {.port = 60002};
	struct payload_book *book;
	struct dp_space *space = space_of(port, 1);

	for (unsigned i = 0; i < DP_PAYLOADS_A_PORT; i++)
		payload[i] = (struct dp_payload){
			.name = "p", .ports = port, .nb_ports = 1, .bytes = byte, .length = 1};
	cr_assert_eq(book_create(payload, DP_PAYLOADS_A_PORT, NULL, 0, &book), 0);
	for (unsigned i = 0; i < TYPES; i++) {
		const struct dp_scan_type *scan = dp_scan_at(i);
		const struct probe_type *type = probe_type_of(scan);
		const bool udp = scan->proto == DP_PROTO_UDP;
		const unsigned v4 = type->host ? 4 : udp ? DP_PAYLOADS_A_PORT : 1;
		const unsigned v6 = type->host ? 3 : v4;

		cr_assert_eq(probe_passes_max(type, book, space), v4, "%s", scan->name);
		cr_assert_eq(probe_passes(type, book, FAMILY_V4, &known), scan->v4 ? v4 : 0);
		cr_assert_eq(probe_passes(type, book, FAMILY_V6, &known), scan->v6 ? v6 : 0);
		if (udp)
			cr_assert_eq(probe_passes(type, book, FAMILY_V6, &unknown), 1);
	}
	book_destroy(book);
	dp_space_destroy(space);
}

/* One TCP type, UDP and SCTP in any combination, in any order; nothing else. */
Test(probe, mixes) {
	const struct dp_scan_type *udp = dp_scan_find("udp"), *sctp = dp_scan_find("sctp");
	unsigned mixes = 0;

	for (unsigned i = 0; i < TYPES; i++)
		for (unsigned k = 0; k < TYPES; k++) {
			const struct dp_scan_type *a = dp_scan_at(i), *b = dp_scan_at(k);
			const struct dp_scan_type *mix = dp_scan_mix(a, b);

			cr_assert_eq(mix != NULL,
				a->has_ports && b->has_ports && a->proto != b->proto, "%s and %s",
				a->name, b->name);
			cr_assert_eq(mix, dp_scan_mix(b, a));
			if (!mix)
				continue;
			mixes++;
			cr_assert_eq(dp_scan_find(mix->name), mix);
			cr_assert_eq(mix->nb_parts, 2);
			cr_assert_eq(dp_scan_part(mix, a->proto), a);
			cr_assert_eq(dp_scan_part(mix, b->proto), b);
			cr_assert_null(dp_scan_part(mix, DP_PROTO_ICMP));
			cr_assert_null(dp_scan_mix(mix, a), "%s has %s", mix->name, a->name);
			cr_assert_null(dp_scan_mix(a, mix));
			if (a->proto != DP_PROTO_TCP)
				continue;
			mix = dp_scan_mix(mix, b == udp ? sctp : udp);
			cr_assert_not_null(mix);
			cr_assert_eq(mix->nb_parts, 3);
			cr_assert_eq(dp_scan_find(mix->name), mix);
			cr_assert_eq(mix, dp_scan_mix(dp_scan_mix(udp, sctp), a));
			cr_assert_str_eq(mix->flags, a->flags);
			cr_assert_null(dp_scan_mix(mix, dp_scan_find("icmp")));
		}
	cr_assert_eq(mixes, 2 * (7 * 2 + 1));
	cr_assert_str_eq(dp_scan_find("syn,udp")->name, "syn,udp");
	cr_assert_str_eq(dp_scan_find("syn,udp")->silence, "tcp filtered, udp open|filtered");
	cr_assert_null(dp_scan_find("udp,syn"), "names have one order");
}

/* Each pair of a mix gets the module of its own protocol, and only UDP ports have payloads. */
Test(probe, mixed_steps) {
	static const char *const names[] = {"syn,udp", "maimon,udp,sctp", "udp,sctp"};
	static const uint16_t port = 60001;
	static const uint8_t byte[] = {1};
	const struct dp_payload payload[2] = {
		{.name = "p", .ports = &port, .nb_ports = 1, .bytes = byte, .length = 1},
		{.name = "q", .ports = &port, .nb_ports = 1, .bytes = byte, .length = 1},
	};
	struct payload_book *book;

	cr_assert_eq(book_create(payload, 2, NULL, 0, &book), 0);
	for (unsigned n = 0; n < 3; n++) {
		const struct probe_type *type = probe_type_of(dp_scan_find(names[n]));

		for (enum dp_proto proto = 0; proto <= DP_PROTO_SCTP; proto++) {
			const struct dp_target target = {.port = port, .proto = (uint8_t)proto};
			const struct dp_scan_type *part = dp_scan_part(&type->scan, proto);

			for (enum family f = 0; part && f < FAMILIES; f++) {
				cr_assert_eq(probe_passes(type, book, f, &target),
					proto == DP_PROTO_UDP ? 2 : 1);
				for (unsigned k = 0; k < 4; k++)
					cr_assert_eq(type->step[f][probe_step(type, f, &target, k)]
							     .module,
						probe_type_of(part)->step[f][0].module);
			}
		}
	}
	book_destroy(book);
}

/* The words that records carry are nmap's: whoever reads them knows these. */
Test(probe, names) {
	static const char *const reasons[DP_REASON_COUNT] = {"syn-ack", "reset", "udp-response",
		"echo-reply", "timestamp-reply", "arp-response", "nd-response", "init-ack", "abort",
		"net-unreach", "host-unreach", "proto-unreach", "port-unreach", "net-prohibited",
		"host-prohibited", "admin-prohibited", "no-route", "beyond-scope", "host-unreach",
		"reject-route"};
	static const char *const states[DP_STATE_COUNT]
		= {"open", "closed", "filtered", "unfiltered", "up"};
	static const char *const protos[DP_PROTO_COUNT]
		= {"tcp", "udp", "sctp", "icmp", "arp", "ndp"};
	static const char *const responses[DP_RESPONSE_COUNT]
		= {"syn_ack", "rst", "udp", "echo_reply", "timestamp_reply", "arp_reply",
			"neighbor_advertisement", "init_ack", "abort", "icmp_unreachable"};

	for (unsigned i = 0; i < DP_REASON_COUNT; i++)
		cr_assert_str_eq(dp_reason_name((enum dp_reason)i), reasons[i]);
	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		cr_assert_str_eq(dp_state_name((enum dp_state)i), states[i]);
	for (unsigned i = 0; i < DP_PROTO_COUNT; i++)
		cr_assert_str_eq(dp_proto_name((enum dp_proto)i), protos[i]);
	for (unsigned i = 0; i < DP_RESPONSE_COUNT; i++)
		cr_assert_str_eq(dp_response_name((enum dp_response)i), responses[i]);
}
