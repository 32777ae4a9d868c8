/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated network's truth: pure, as dense as asked for, and different for each seed. */
#include "sim.h"

#include <dp/sim.h>

#include <criterion/criterion.h>

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
			switch (dp_sim_truth(params, ip, (uint16_t)(i * PORT_STEP))) {
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
			if (dp_sim_truth(&params, k * 4099, (uint16_t)(k * 31)) != edge[i].state)
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
		truth[i] = (uint8_t)dp_sim_truth(&params, NETWORK + i / 4, (uint16_t)(i % 4));
	for (uint32_t i = 1 << 16; i-- > 0;) {
		dp_sim_truth(&other, i, 1);
		if (dp_sim_truth(&params, NETWORK + i / 4, (uint16_t)(i % 4)) != truth[i])
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
		if (dp_sim_truth(&calm, i, 80) != dp_sim_truth(&rough, i, 80))
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
				same += dp_sim_truth(&one, k, 80)
					== dp_sim_truth(&two, k + step[i].ip,
						(uint16_t)(80 + step[i].port));
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
			const unsigned n = dp_sim_banner(
				&params, ip, service[i].port, said, said_bytes, banner);

			cr_assert_gt(n, begins);
			cr_assert_leq(n, DP_SIM_BANNER_BYTES);
			cr_assert_arr_eq(banner, service[i].begins, begins);
			cr_assert(is_utf8_text(banner, n));
			cr_assert_arr_eq(banner + n - 2, "\r\n", 2);
			cr_assert_eq(dp_sim_banner(
					     &params, ip, service[i].port, said, said_bytes, again),
				n);
			cr_assert_arr_eq(again, banner, n);
			cr_assert_eq(
				dp_sim_banner(&off, ip, service[i].port, said, said_bytes, again),
				0);
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
		unsigned n = dp_sim_banner(&params, ip, 31337, NULL, 0, banner);

		silent += n == 0;
		ssh += n && memcmp(banner, "SSH", 3) == 0;
		binary += !is_utf8_text(banner, n);
		n = dp_sim_banner(&params, ip, 31337, request, 5, banner);
		web += n && memcmp(banner, "HTTP", 4) == 0;
		cr_assert_eq(dp_sim_banner(&params, ip, 80, NULL, 0, banner), 0);
		cr_assert_eq(dp_sim_banner(&params, ip, 80, other, 5, banner), 0);
		cr_assert_eq(dp_sim_banner(&params, ip, 80, request, 3, banner), 0);
		cr_assert_gt(dp_sim_banner(&params, ip, 3306, NULL, 0, banner), 40);
		cr_assert_not(is_utf8_text(banner, 60));
	}
	/* A sixth each, two for those silent without a request: a standard deviation is 29. */
	cr_assert(silent > 1800 && silent < 2200, "%u", silent);
	cr_assert(ssh > 850 && ssh < 1150, "%u", ssh);
	cr_assert(binary > 850 && binary < 1150, "%u", binary);
	cr_assert(web > 850 && web < 1150, "%u", web);
}
