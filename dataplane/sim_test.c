/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated network's truth: pure, as dense as asked for, and different for each seed. */
#include "sim.h"

#include <dp/sim.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static enum dp_sim_state tcp(const struct dp_sim_params *params, uint32_t ip, uint16_t port) {
	return dp_sim_port(params, DP_PROTO_TCP, dp_ip_v4(ip), port);
}

static unsigned tcp_banner(const struct dp_sim_params *params, uint32_t ip, uint16_t port,
	const uint8_t *said, unsigned said_bytes, uint8_t *banner) {
	return dp_sim_banner(params, dp_ip_v4(ip), port, said, said_bytes, banner);
}

enum {
	NETWORK = 0x0a000000,
	ADDRESSES = 1 << 14,
	PORTS = 64, /* times ADDRESSES: 2^20 pairs */
	PORT_STEP = 1021, /* spread over the port range */
};

struct tally {
	unsigned alive; /* addresses */
	unsigned open, closed; /* pairs */
};

static struct tally count_up(const struct dp_sim_params *params) {
	struct tally tally = {0};

	for (uint32_t ip = NETWORK; ip < NETWORK + ADDRESSES; ip++) {
		unsigned answers = 0;

		for (unsigned i = 0; i < PORTS; i++) {
			switch (tcp(params, ip, (uint16_t)(i * PORT_STEP))) {
			case DP_SIM_OPEN:
				tally.open++;
				answers++;
				break;
			case DP_SIM_CLOSED:
				tally.closed++;
				answers++;
				break;
			case DP_SIM_SILENT:
				break;
			}
		}
		/* A host is there for all of its ports or for none. */
		if (answers != 0 && answers != PORTS)
			cr_assert_fail(
				"address %08x answers on %u of %u ports", ip, answers, PORTS);
		tally.alive += answers == PORTS;
	}
	return tally;
}

/* Within six standard deviations of a binomial; squared, so that no square root is needed. */
static void within(unsigned seen, double n, double p, const char *what, double of) {
	const double off = seen - n * p;

	cr_assert_leq(
		off * off, 36 * n * p * (1 - p) + 0.5, "%s = %g: %u of %.0f", what, of, seen, n);
}

Test(sim, fractions) {
	static const double fractions[][2] = {
		/* alive, open */
		{0.5, 0.5},
		{0.3, 0.05},
		{0.01, 0.5},
		{0.99, 0.01},
		{1, 0.25},
		{0.25, 1},
		{0.001, 0.001},
	};

	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
		const struct dp_sim_params params = {
			.alive = fractions[i][0],
			.open = fractions[i][1],
			.seed = 1 + i,
		};
		const struct tally tally = count_up(&params);

		within(tally.alive, ADDRESSES, params.alive, "alive", params.alive);
		within(tally.open, (double)tally.alive * PORTS, params.open, "open", params.open);
		cr_assert_eq(tally.open + tally.closed, tally.alive * PORTS);
	}
}

Test(sim, nothing_and_everything) {
	static const struct {
		double alive, open;
		enum dp_sim_state state;
	} edge[] = {
		{0, 0, DP_SIM_SILENT},
		{0, 1, DP_SIM_SILENT},
		{1, 0, DP_SIM_CLOSED},
		{1, 1, DP_SIM_OPEN},
	};

	for (size_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++) {
		const struct dp_sim_params params
			= {.alive = edge[i].alive, .open = edge[i].open, .seed = 5};

		for (uint32_t k = 0; k < 1 << 20; k++)
			if (tcp(&params, k * 4099, (uint16_t)(k * 31)) != edge[i].state)
				cr_assert_fail("alive %g, open %g, pair %u", edge[i].alive,
					edge[i].open, k);
	}
}

/* A dice roll of exactly the chance does not fall, as 0 must be never. */
Test(sim, chance_at_the_edges) {
	cr_assert(!sim_chance(0, 0));
	cr_assert(!sim_chance(UINT64_MAX, 0));
	cr_assert(sim_chance(0, 1));
	cr_assert(sim_chance(UINT64_MAX, 1));
	cr_assert(sim_chance(0, 0x1p-60));
	cr_assert(sim_chance(UINT64_C(1) << 63, 0.5000001));
	cr_assert(!sim_chance(UINT64_C(1) << 63, 0.5));
	cr_assert(sim_chance((UINT64_C(1) << 63) - 1, 0.5));
}

/* The same pair has the same truth whatever was asked in between, in whatever order. */
Test(sim, pure) {
	const struct dp_sim_params params = {.alive = 0.5, .open = 0.5, .seed = 77};
	const struct dp_sim_params other = {.alive = 0.5, .open = 0.5, .seed = 78};
	static uint8_t truth[1 << 16];

	for (uint32_t i = 0; i < 1 << 16; i++)
		truth[i] = (uint8_t)tcp(&params, NETWORK + i / 4, (uint16_t)(i % 4));
	for (uint32_t i = 1 << 16; i-- > 0;) {
		tcp(&other, i, 1);
		if (tcp(&params, NETWORK + i / 4, (uint16_t)(i % 4)) != truth[i])
			cr_assert_fail("pair %u", i);
	}
}

/* Loss, duplicates and delay are the wire's, not the truth's. */
Test(sim, truth_is_not_of_the_wire) {
	const struct dp_sim_params calm = {.alive = 0.5, .open = 0.5, .seed = 9};
	struct dp_sim_params rough = calm;

	rough.loss = 0.9;
	rough.duplicate = 0.9;
	rough.rtt_us = 100;
	rough.jitter_us = 100;
	for (uint32_t i = 0; i < 1 << 16; i++)
		if (tcp(&calm, i, 80) != tcp(&rough, i, 80))
			cr_assert_fail("address %u", i);
}

/*
 * Two seeds agree on a host as often as chance has it, and so do neighbouring addresses and ports:
 * a truth with stripes in it would hide errors in the order of a scan.
 */
Test(sim, seeds_and_neighbours_are_independent) {
	enum { PAIRS = 1 << 20 };
	static const struct {
		const char *what;
		uint64_t seed;
		uint32_t ip;
		uint16_t port;
	} step[] = {
		{"seed + 1", 1, 0, 0},
		{"seed + 2^32", UINT64_C(1) << 32, 0, 0},
		{"seed + 2^63", UINT64_C(1) << 63, 0, 0},
		{"address + 1", 0, 1, 0},
		{"address + 256", 0, 256, 0},
		{"address + 65536", 0, 65536, 0},
		{"port + 1", 0, 0, 1},
		{"port + 256", 0, 0, 256},
	};

	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		/* All alive and half open looks at ports; half alive and all open at hosts. */
		for (unsigned hosts = 0; hosts < 2; hosts++) {
			const struct dp_sim_params one = {
				.alive = hosts ? 0.5 : 1,
				.open = hosts ? 1 : 0.5,
				.seed = 1234,
			};
			struct dp_sim_params two = one;
			unsigned same = 0;

			if (hosts && step[i].port)
				continue;
			two.seed += step[i].seed;
			for (uint32_t k = 0; k < PAIRS; k++)
				same += tcp(&one, k, 80)
					== tcp(&two, k + step[i].ip, (uint16_t)(80 + step[i].port));
			within(same, PAIRS, 0.5, step[i].what, hosts);
		}
	}
}

static bool is_utf8_text(const uint8_t *banner, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		if (banner[i] >= 0x80 || banner[i] == 0)
			return false;
	return true;
}

/* Each service says what it is, within its room, and the same each time. */
Test(sim, banners) {
	static const struct {
		uint16_t port;
		const char *said, *begins;
		bool text;
	} service[] = {
		{21, "", "220 ", true},
		{22, "", "SSH-2.0-", true},
		{25, "", "220 mail-", true},
		{80, "GET / HTTP/1.0", "HTTP/1.0 ", true},
		{8080, "GET ", "HTTP/1.0 ", true},
	};
	const struct dp_sim_params params = {.banners = true, .seed = 5}, off = {.seed = 5};

	for (uint32_t ip = 0; ip < 2000; ip++) {
		for (size_t i = 0; i < sizeof(service) / sizeof(service[0]); i++) {
			const uint8_t *said = (const uint8_t *)service[i].said;
			const unsigned said_bytes = (unsigned)strlen(service[i].said);
			const size_t begins = strlen(service[i].begins);
			uint8_t banner[DP_SIM_BANNER_BYTES], again[DP_SIM_BANNER_BYTES];
			const unsigned n = tcp_banner(
				&params, ip, service[i].port, said, said_bytes, banner);

			cr_assert_gt(n, begins);
			cr_assert_leq(n, DP_SIM_BANNER_BYTES);
			cr_assert_arr_eq(banner, service[i].begins, begins);
			cr_assert(is_utf8_text(banner, n));
			cr_assert_arr_eq(banner + n - 2, "\r\n", 2);
			cr_assert_eq(
				tcp_banner(&params, ip, service[i].port, said, said_bytes, again),
				n);
			cr_assert_arr_eq(again, banner, n);
			cr_assert_eq(
				tcp_banner(&off, ip, service[i].port, said, said_bytes, again), 0);
		}
	}
}

/* A web server waits for a request; what listens elsewhere is of every kind, silent ones included. */
Test(sim, banners_by_key) {
	const struct dp_sim_params params = {.banners = true, .seed = 5};
	const uint8_t request[] = "GET /", other[] = "PUT /";
	uint8_t banner[DP_SIM_BANNER_BYTES];
	unsigned silent = 0, ssh = 0, binary = 0, web = 0;

	for (uint32_t ip = 0; ip < 6000; ip++) {
		unsigned n = tcp_banner(&params, ip, 31337, NULL, 0, banner);

		silent += n == 0;
		ssh += n && memcmp(banner, "SSH", 3) == 0;
		binary += !is_utf8_text(banner, n);
		n = tcp_banner(&params, ip, 31337, request, 5, banner);
		web += n && memcmp(banner, "HTTP", 4) == 0;
		cr_assert_eq(tcp_banner(&params, ip, 80, NULL, 0, banner), 0);
		cr_assert_eq(tcp_banner(&params, ip, 80, other, 5, banner), 0);
		cr_assert_eq(tcp_banner(&params, ip, 80, request, 3, banner), 0);
		cr_assert_gt(tcp_banner(&params, ip, 3306, NULL, 0, banner), 40);
		cr_assert_not(is_utf8_text(banner, 60));
	}
	/* A sixth each, two for those silent without a request: a standard deviation is 29. */
	cr_assert(silent > 1800 && silent < 2200, "%u", silent);
	cr_assert(ssh > 850 && ssh < 1150, "%u", ssh);
	cr_assert(binary > 850 && binary < 1150, "%u", binary);
	cr_assert(web > 850 && web < 1150, "%u", web);
}

/* What was true of TCP over IPv4 in the first release stays true: users keep their seeds. */
Test(sim, truth_of_old) {
	static const struct {
		uint64_t open, closed;
	} old[] = {
		{0x0a01411060080000, 0x01b08c8e18129080},
		{0x3018b1408008c250, 0x0443020458872820},
		{0x01010252418b4021, 0x4008040912008044},
		{0xa002e04042420481, 0x1208012084045800},
	};
	const struct dp_sim_params params
		= {.alive = 0.5, .open = 0.5, .seed = 20260101, .banners = true};
	static const char page[] = "HTTP/1.0 403 Forbidden\r\nServer: Apache/2.4.53\r\n"
				   "Content-Length: 0\r\n\r\n";
	static const char greeting[] = "SSH-2.0-dropbear_2022.7\r\n";
	uint8_t banner[DP_SIM_BANNER_BYTES];
	unsigned n;

	for (unsigned k = 0; k < 4; k++) {
		uint64_t open = 0, closed = 0;

		for (unsigned i = 0; i < 64; i++) {
			const enum dp_sim_state state = tcp(
				&params, 0xc6120000 + k * 77777 + i, (uint16_t)(80 + i * 1021 * k));

			open |= (uint64_t)(state == DP_SIM_OPEN) << i;
			closed |= (uint64_t)(state == DP_SIM_CLOSED) << i;
		}
		cr_assert_eq(open, old[k].open, "%u", k);
		cr_assert_eq(closed, old[k].closed, "%u", k);
	}
	n = tcp_banner(&params, 0xc6120001, 80, (const uint8_t *)"GET ", 4, banner);
	cr_assert_eq(n, sizeof(page) - 1);
	cr_assert_arr_eq(banner, page, n);
	n = tcp_banner(&params, 0xc6120002, 22, NULL, 0, banner);
	cr_assert_eq(n, sizeof(greeting) - 1);
	cr_assert_arr_eq(banner, greeting, n);
}

/* Protocols are open apart from each other, on the same hosts, in both families. */
Test(sim, protocols_and_families) {
	enum { PAIRS = 1 << 16 };
	static const enum dp_proto with_ports[] = {DP_PROTO_TCP, DP_PROTO_UDP, DP_PROTO_SCTP};
	const struct dp_sim_params params = {.alive = 0.5, .open = 0.5, .seed = 12};
	const dp_ip base[] = {dp_ip_v4(NETWORK), dp_ip_v6(UINT64_C(0x20010db800000000), 0),
		dp_ip_v6(UINT64_C(0x20010db800000001), 0)};
	static uint8_t seen[3][3][PAIRS];

	for (unsigned b = 0; b < 3; b++) {
		unsigned up = 0, open[3] = {0}, both[3] = {0};

		for (unsigned i = 0; i < PAIRS; i++) {
			const dp_ip ip = base[b] + i;
			const bool alive
				= dp_sim_port(&params, DP_PROTO_ICMP, ip, 0) != DP_SIM_SILENT;

			up += alive;
			for (unsigned k = 0; k < 3; k++) {
				seen[b][k][i]
					= (uint8_t)dp_sim_port(&params, with_ports[k], ip, 443);
				cr_assert_eq(seen[b][k][i] != DP_SIM_SILENT, alive);
				open[k] += seen[b][k][i] == DP_SIM_OPEN;
				both[k] += seen[b][k][i] == DP_SIM_OPEN
					&& seen[b][(k + 2) % 3][i] == DP_SIM_OPEN && k > 0;
			}
		}
		within(up, PAIRS, 0.5, "up", b);
		for (unsigned k = 0; k < 3; k++)
			within(open[k], up, 0.5, "open", k);
		within(both[1], up, 0.25, "open for TCP and UDP", b);
		within(both[2], up, 0.25, "open for UDP and SCTP", b);
	}
	for (unsigned b = 0; b < 3; b++) {
		unsigned same = 0;

		for (unsigned i = 0; i < PAIRS; i++)
			same += (seen[b][0][i] == DP_SIM_SILENT)
				== (seen[(b + 1) % 3][0][i] == DP_SIM_SILENT);
		within(same, PAIRS, 0.5, "hosts of two networks", b);
	}
}

/* What each scan type is to find of an open port, a closed one, and nobody. */
Test(sim, truth_of_types) {
	static const struct {
		struct dp_scan_type type;
		int open, closed; /* enum dp_state; -1: silence */
		enum dp_proto proto;
	} list[] = {
		{{"syn", DP_PROTO_TCP, true, true, true, false, "S", "filtered", {NULL}, 0},
			DP_STATE_OPEN, DP_STATE_CLOSED, DP_PROTO_TCP},
		{{"ack", DP_PROTO_TCP, true, true, true, false, "A", "filtered", {NULL}, 0},
			DP_STATE_UNFILTERED, DP_STATE_UNFILTERED, DP_PROTO_TCP},
		{{"window", DP_PROTO_TCP, true, true, true, false, "A", "filtered", {NULL}, 0},
			DP_STATE_OPEN, DP_STATE_CLOSED, DP_PROTO_TCP},
		{{"fin", DP_PROTO_TCP, true, true, true, false, "F", "open|filtered", {NULL}, 0},
			-1, DP_STATE_CLOSED, DP_PROTO_TCP},
		{{"null", DP_PROTO_TCP, true, true, true, false, "", "open|filtered", {NULL}, 0},
			-1, DP_STATE_CLOSED, DP_PROTO_TCP},
		{{"xmas", DP_PROTO_TCP, true, true, true, false, "FPU", "open|filtered", {NULL}, 0},
			-1, DP_STATE_CLOSED, DP_PROTO_TCP},
		{{"maimon", DP_PROTO_TCP, true, true, true, false, "FA", "open|filtered", {NULL},
			 0},
			-1, DP_STATE_CLOSED, DP_PROTO_TCP},
		{{"udp", DP_PROTO_UDP, true, true, true, false, "", "open|filtered", {NULL}, 0},
			DP_STATE_OPEN, DP_STATE_CLOSED, DP_PROTO_UDP},
		{{"sctp", DP_PROTO_SCTP, true, true, true, false, "", "filtered", {NULL}, 0},
			DP_STATE_OPEN, DP_STATE_CLOSED, DP_PROTO_SCTP},
		{{"icmp", DP_PROTO_ICMP, false, true, true, false, "", "down", {NULL}, 0},
			DP_STATE_UP, DP_STATE_UP, DP_PROTO_ICMP},
		{{"arp", DP_PROTO_ARP, false, true, false, true, "", "down", {NULL}, 0},
			DP_STATE_UP, DP_STATE_UP, DP_PROTO_ARP},
		{{"ndp", DP_PROTO_NDP, false, false, true, true, "", "down", {NULL}, 0},
			DP_STATE_UP, DP_STATE_UP, DP_PROTO_NDP},
		{{"discovery", DP_PROTO_ICMP, false, true, true, false, "", "down", {NULL}, 0},
			DP_STATE_UP, DP_STATE_UP, DP_PROTO_ICMP},
	};
	const struct dp_sim_params params = {.alive = 0.7, .open = 0.5, .seed = 3};
	const dp_ip base[] = {dp_ip_v4(NETWORK), dp_ip_v6(UINT64_C(0x20010db800000000), 0)};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		for (unsigned k = 0; k < 2000; k++) {
			const dp_ip ip = base[k % 2] + k;
			const enum dp_sim_state there = dp_sim_port(&params, list[i].proto, ip, 53);
			const int expected = there == DP_SIM_SILENT ? -1
				: there == DP_SIM_OPEN		    ? list[i].open
								    : list[i].closed;
			const bool meant = k % 2 ? list[i].type.v6 : list[i].type.v4;
			enum dp_proto proto = DP_PROTO_COUNT;
			enum dp_state state = DP_STATE_COUNT;
			const bool found
				= dp_sim_truth(&params, &list[i].type, ip, 53, &state, &proto);

			cr_assert_eq(found, meant && expected >= 0, "%s", list[i].type.name);
			if (!found)
				continue;
			cr_assert_eq((int)state, expected, "%s", list[i].type.name);
			cr_assert_eq(proto, list[i].proto, "%s", list[i].type.name);
		}
	}
}

/* Every eighth host has a long page, as long as its head says. */
Test(sim, long_banners) {
	const struct dp_sim_params params = {.banners = true, .seed = 5};

	for (unsigned ip = 0; ip < 800; ip++) {
		uint8_t banner[DP_SIM_BANNER_BYTES + 1], part[100];
		const unsigned n = tcp_banner(&params, ip, 80, (const uint8_t *)"GET /", 5, banner);
		const char *body;
		unsigned length;

		banner[n] = '\0';
		cr_assert(is_utf8_text(banner, n));
		body = strstr((const char *)banner, "\r\n\r\n") + 4;
		cr_assert_eq(sscanf(strstr((const char *)banner, "Content-Length: "),
				     "Content-Length: %u", &length),
			1);
		cr_assert_eq(strlen(body), length);
		cr_assert_eq(length > 0, ip % 8 == 0);
		cr_assert(length == 0 || (length >= 1920 && n <= 4000), "%u", n);
		/* In parts it is the same. */
		for (unsigned at = 0; at <= n; at += 97) {
			const struct sim_part got
				= sim_say(&params, dp_ip_v4(ip), 80, at, 97, part);

			cr_assert_eq(got.total, n);
			cr_assert_eq(got.bytes, n - at < 97 ? n - at : 97);
			cr_assert(got.closes);
			cr_assert_arr_eq(part, banner + at, got.bytes);
		}
	}
}

/* TLS begins with the client. */
Test(sim, tls_alerts) {
	const struct dp_sim_params params = {.banners = true, .seed = 5};
	const uint8_t hello[] = {22, 3, 1, 2, 0}, alert[] = {21, 3, 3, 0, 2, 2, 40};
	uint8_t banner[DP_SIM_BANNER_BYTES];

	cr_assert_eq(tcp_banner(&params, 9, 443, NULL, 0, banner), 0);
	cr_assert_eq(tcp_banner(&params, 9, 443, (const uint8_t *)"GET /", 5, banner), 0);
	cr_assert_eq(tcp_banner(&params, 9, 443, hello, sizeof(hello), banner), sizeof(alert));
	cr_assert_arr_eq(banner, alert, sizeof(alert));
}
