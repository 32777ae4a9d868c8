/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ledger: each target's probes are counted apart, those to others are not, and slots of time
 * begin with the first probe.
 */
#include "ledger.h"

#include <criterion/criterion.h>
#include <errno.h>

enum {
	SLOT_TSC = 1000,
	START_TSC = 777777,
};

struct lab {
	struct dp_ipset *addresses;
	struct dp_space *space;
	struct ledger *ledger;
};

static struct lab open_lab(bool exact) {
	static const uint16_t ports[] = {22, 80};
	struct lab lab;

	cr_assert_eq(dp_ipset_create(&lab.addresses), 0);
	cr_assert_eq(dp_ipset_add(lab.addresses, dp_ip_v4(0xc6120000), dp_ip_v4(0xc61200ff)), 0);
	dp_ipset_seal(lab.addresses);
	cr_assert_eq(dp_space_create(lab.addresses, ports, 2, &lab.space), 0);
	cr_assert_eq(ledger_create(lab.space, exact, SLOT_TSC, &lab.ledger), 0);
	return lab;
}

static void close_lab(struct lab *lab) {
	ledger_destroy(lab->ledger);
	dp_space_destroy(lab->space);
	dp_ipset_destroy(lab->addresses);
}

static struct dp_world_counts read_lab(const struct lab *lab) {
	struct dp_world_counts counts = {0};

	ledger_read(lab->ledger, &counts);
	return counts;
}

struct listing {
	unsigned targets, probes;
	dp_ip first;
};

static void list(void *ctx, dp_ip ip, uint16_t port, unsigned times) {
	struct listing *listing = ctx;

	if (listing->targets++ == 0)
		listing->first = ip;
	listing->probes += times;
}

Test(ledger, counts_each_target) {
	struct lab lab = open_lab(true);
	struct dp_world_counts counts;
	struct listing listing = {0};

	for (unsigned i = 0; i < 3; i++)
		cr_expect(ledger_probe(lab.ledger, dp_ip_v4(0xc6120009), 80, START_TSC));
	cr_expect(ledger_probe(lab.ledger, dp_ip_v4(0xc6120009), 22, START_TSC));
	cr_expect(ledger_probe(lab.ledger, dp_ip_v4(0xc61200ff), 80, START_TSC));
	cr_expect_not(ledger_probe(lab.ledger, dp_ip_v4(0xc6120100), 80, START_TSC));
	cr_expect_not(ledger_probe(lab.ledger, dp_ip_v4(0xc6120009), 81, START_TSC));
	counts = read_lab(&lab);
	cr_expect(counts.exact);
	cr_expect_eq(counts.probes, 5);
	cr_expect_eq(counts.strays, 2);
	cr_expect_eq(counts.targets, 3);
	cr_expect_eq(counts.targets_by_times[1], 2);
	cr_expect_eq(counts.targets_by_times[2], 0);
	cr_expect_eq(counts.targets_by_times[3], 1);
	ledger_each(lab.ledger, list, &listing);
	cr_expect_eq(listing.targets, 3);
	cr_expect_eq(listing.probes, 5);
	cr_expect(listing.first == dp_ip_v4(0xc6120009));
	close_lab(&lab);
}

Test(ledger, many_times_stay_at_the_most) {
	struct lab lab = open_lab(true);
	struct dp_world_counts counts;

	for (unsigned i = 0; i < 2 * DP_WORLD_TIMES_MAX; i++)
		ledger_probe(lab.ledger, dp_ip_v4(0xc6120000), 22, START_TSC);
	counts = read_lab(&lab);
	cr_expect_eq(counts.probes, 2 * DP_WORLD_TIMES_MAX);
	cr_expect_eq(counts.targets, 1);
	cr_expect_eq(counts.targets_by_times[DP_WORLD_TIMES_MAX], 1);
	close_lab(&lab);
}

Test(ledger, slots_begin_with_the_first_probe) {
	struct lab lab = open_lab(false);
	struct dp_world_counts counts;

	ledger_answers(lab.ledger, 7, START_TSC - 1); /* to ARP, before any probe */
	ledger_probe(lab.ledger, dp_ip_v4(0xc6120000), 22, START_TSC);
	ledger_probe(lab.ledger, dp_ip_v4(0xc6120000), 80, START_TSC + SLOT_TSC - 1);
	ledger_answers(lab.ledger, 2, START_TSC + SLOT_TSC);
	ledger_probe(lab.ledger, dp_ip_v4(0xc6120001), 80, START_TSC + 3 * SLOT_TSC);
	ledger_probe(lab.ledger, dp_ip_v4(0xc6120001), 80,
		START_TSC + (uint64_t)DP_WORLD_SLOTS_MAX * SLOT_TSC);
	counts = read_lab(&lab);
	cr_expect_not(counts.exact);
	cr_expect_eq(counts.targets, 0);
	cr_expect_eq(counts.nb_slots, 4);
	cr_expect_eq(counts.slot[0].probes, 2);
	cr_expect_eq(counts.slot[0].answers, 0);
	cr_expect_eq(counts.slot[1].answers, 2);
	cr_expect_eq(counts.slot[3].probes, 1);
	cr_expect_eq(counts.probes_beyond_slots, 1);
	cr_expect_eq(ledger_first_tsc(lab.ledger), START_TSC);
	cr_expect_eq(ledger_gap_tsc(lab.ledger), (DP_WORLD_SLOTS_MAX - 3) * SLOT_TSC);
	close_lab(&lab);
}

Test(ledger, exact_counts_have_a_bound) {
	static const uint16_t ports[] = {22, 80};
	struct dp_ipset *addresses;
	struct dp_space *space;
	struct ledger *ledger;

	cr_assert_eq(dp_ipset_create(&addresses), 0);
	cr_assert_eq(dp_ipset_add(addresses, DP_IP_V4_FIRST, DP_IP_V4_LAST), 0);
	dp_ipset_seal(addresses);
	cr_assert_eq(dp_space_create(addresses, ports, 2, &space), 0);
	cr_expect_eq(ledger_create(space, true, SLOT_TSC, &ledger), -E2BIG);
	cr_assert_eq(ledger_create(space, false, SLOT_TSC, &ledger), 0);
	ledger_destroy(ledger);
	dp_space_destroy(space);
	dp_ipset_destroy(addresses);
}
