/* SPDX-License-Identifier: BSD-3-Clause */
/* Coverage: known counts, simulated losses, and a sample that stays bounded. */
#include "coverage.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static uint64_t state;

/* Uniform in [0, 1), the same in every run (Marsaglia's xorshift64). */
static double draw(void) {
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / 0x1p53;
}

Test(coverage, nothing_says_nothing) {
	struct coverage_estimate e;
	struct coverage *c;

	cr_assert_eq(coverage_create(4, 1, &c), 0);
	cr_expect_not(coverage_estimate(c, &e));
	coverage_answer(c, dp_ip_v4(0xc6120001), 80, 4); /* there is no such transmission */
	cr_expect_not(coverage_estimate(c, &e));
	coverage_destroy(c);
}

/* With two transmissions the likeliest q has a formula: pairs with two answers, c2, and one, c1. */
Test(coverage, two_transmissions) {
	const uint64_t pairs[] = {3200, 6400};
	struct coverage_estimate e;
	const double q = 2 * 6400. / (2 * 6400 + 3200);

	cr_assert(coverage_of_counts(pairs, 2, 9600, &e));
	cr_expect_float_eq(e.estimate, 1 - (1 - q) * (1 - q), 1e-4);
	cr_expect(e.low < e.estimate && e.estimate < e.high);
	cr_expect(e.high - e.low < 0.02);
}

Test(coverage, ends) {
	struct coverage_estimate e;

	cr_assert(coverage_of_counts((uint64_t[]){0, 0, 1000}, 3, 1000, &e));
	cr_expect(e.estimate > 0.9999999 && e.high == 1);
	cr_expect(e.low > 0.9998 && e.low < 1, "%.12f", e.low);
	/* One pair that was always heard is hardly anything. */
	cr_assert(coverage_of_counts((uint64_t[]){0, 1}, 2, 1, &e));
	cr_expect(e.estimate > 0.9999 && e.low < 0.6 && e.low > 0, "%f", e.low);
	cr_assert(coverage_of_counts((uint64_t[]){50, 0, 0}, 3, 50, &e));
	cr_expect(e.estimate < 0.001 && e.low == 0);
	cr_expect(e.high > 0.01 && e.high < 0.5, "%f", e.high);
}

/* Of many simulated scans, about 95% have the share that they heard in their interval. */
Test(coverage, interval_holds_the_truth) {
	enum {
		SCANS = 400,
		PAIRS = 300,
	};
	static const struct {
		unsigned probes, part; /* one pair in so many is in the sample */
		double q;
	} cases[]
		= {{2, 1, 0.64}, {2, 1, 0.9}, {3, 1, 0.3}, {4, 1, 0.5}, {16, 1, 0.1}, {3, 4, 0.4}};

	state = 88172645463325252u;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		const unsigned n = cases[i].probes, all = PAIRS * cases[i].part;
		unsigned inside = 0;
		double off = 0;

		for (unsigned scan = 0; scan < SCANS; scan++) {
			uint64_t pairs[COVERAGE_MOST + 1] = {0}, silent = 0;
			struct coverage_estimate e;
			double truth;

			for (unsigned k = 0; k < all; k++) {
				unsigned heard = 0;
				for (unsigned probe = 0; probe < n; probe++)
					heard += draw() < cases[i].q;
				pairs[heard] += k < PAIRS;
				silent += !heard;
			}
			truth = (double)(all - silent) / all;
			cr_assert(coverage_of_counts(pairs + 1, n, (double)(all - silent), &e));
			inside += e.low <= truth && truth <= e.high;
			off += e.estimate - truth;
		}
		cr_expect(inside >= 0.92 * SCANS && inside <= 0.98 * SCANS, "%u of %u, case %u",
			inside, SCANS, i);
		cr_expect_float_eq(off / SCANS, 0, 0.01, "case %u: %f", i, off / SCANS);
	}
}

/* @n pairs of both families, each transmission of which is answered with chance @q, some twice. */
static void simulate(struct coverage *c, unsigned n, unsigned probes, double q) {
	for (unsigned pass = 0; pass < probes; pass++)
		for (unsigned i = 0; i < n; i++) {
			const dp_ip ip = i % 2 ? dp_ip_v4(0xc6120000 + i)
					       : dp_ip_v6(UINT64_C(0x20010db8) << 32, i);
			if (draw() >= q)
				continue;
			for (unsigned copies = 1 + (i % 3 == 0); copies--;)
				coverage_answer(c, ip, 443, pass);
		}
}

Test(coverage, repeats_count_once) {
	struct coverage_estimate e;
	struct coverage *c;

	state = 1234567;
	cr_assert_eq(coverage_create(2, 7, &c), 0);
	simulate(c, 20000, 2, 0.64);
	cr_assert(coverage_estimate(c, &e));
	cr_expect_float_eq(e.estimate, 1 - 0.36 * 0.36, 0.01);
	cr_expect(e.low < 1 - 0.36 * 0.36 && e.high > 1 - 0.36 * 0.36);
	coverage_destroy(c);
}

/* Ten times as many pairs as are looked at: those that stay are whole. */
Test(coverage, sample_is_thinned) {
	struct coverage_estimate e;
	struct coverage *c;

	state = 987654321;
	cr_assert_eq(coverage_create(3, 9, &c), 0);
	simulate(c, 10 * COVERAGE_PAIRS, 3, 0.5);
	cr_assert(coverage_estimate(c, &e));
	cr_expect_float_eq(e.estimate, 0.875, 0.01, "%f", e.estimate);
	/* Half a sample at the least: the interval is as narrow as 32,768 pairs make it. */
	cr_expect(e.high - e.low < 0.02 && e.high - e.low > 0.001, "%f", e.high - e.low);
	coverage_destroy(c);
}
