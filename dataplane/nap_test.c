/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a loop may sleep: never below the shortest nap nor above the longest, and long only where it is calm. */
#include <dp/nap.h>

#include <criterion/criterion.h>

Test(nap, short_where_answers_are_under_way) {
	for (unsigned bits = 0; bits < 64; bits++)
		cr_expect_eq(
			dp_nap_ns(UINT64_C(1) << bits, 0), DP_NAP_NS, "idle for 2^%u ns", bits);
	cr_expect_eq(dp_nap_ns(UINT64_MAX, 0), DP_NAP_NS);
}

Test(nap, bounds) {
	uint32_t last = 0;

	cr_expect_eq(dp_nap_ns(0, 1), DP_NAP_NS);
	cr_expect_eq(dp_nap_ns(UINT64_MAX, 1), DP_NAP_LONGEST_NS);
	for (unsigned bits = 0; bits < 64; bits++) {
		const uint32_t nap = dp_nap_ns(UINT64_C(1) << bits, 1);

		cr_expect(nap >= DP_NAP_NS && nap <= DP_NAP_LONGEST_NS, "2^%u ns: %u", bits, nap);
		cr_expect_geq(nap, last, "2^%u ns: %u after %u", bits, nap, last);
		last = nap;
	}
	cr_expect_eq(last, DP_NAP_LONGEST_NS);
}

/* A round trip is off by no more than its share of the time that nothing came. */
Test(nap, is_a_share_of_the_time_without_an_answer) {
	const uint64_t first = (uint64_t)DP_NAP_NS * DP_NAP_SHARE;
	const uint64_t end = (uint64_t)DP_NAP_LONGEST_NS * DP_NAP_SHARE;

	cr_expect_eq(dp_nap_ns(first - 1, 1), DP_NAP_NS);
	for (uint64_t idle = first; idle < end; idle += 999983)
		cr_assert_eq(dp_nap_ns(idle, 1), idle / DP_NAP_SHARE, "idle for %lu ns", idle);
	cr_expect_eq(dp_nap_ns(end - DP_NAP_SHARE, 1), DP_NAP_LONGEST_NS - 1);
	cr_expect_eq(dp_nap_ns(end, 1), DP_NAP_LONGEST_NS);
}

/* The longest nap lets no more pile up than the smallest device ring holds, 256 frames. */
Test(nap, what_comes_meanwhile_fits) {
	cr_expect_leq((uint64_t)DP_NAP_CALM_PPS * DP_NAP_LONGEST_NS / 1000000000, 256);
}
