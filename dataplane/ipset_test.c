/* SPDX-License-Identifier: BSD-3-Clause */
/* Address sets: merging, subtraction and membership against a bitmap of a small universe. */
#include <dp/ipset.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	UNIVERSE = 512,
	ROUNDS = 3000,
};

/* A small, repeatable source of numbers: the tests must fail the same way twice. */
static uint32_t next(uint32_t *state) {
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static struct dp_ipset *make(void) {
	struct dp_ipset *set;

	cr_assert_eq(dp_ipset_create(&set), 0);
	return set;
}

/* Add random ranges to a set and to its model, at both ends of the address space. */
static void fill(struct dp_ipset *set, bool model[UNIVERSE], dp_ip base, uint32_t *state) {
	const unsigned nb = next(state) % 40;

	memset(model, 0, UNIVERSE);
	for (unsigned i = 0; i < nb; i++) {
		const uint32_t first = next(state) % UNIVERSE;
		uint32_t last = first + next(state) % 20;

		if (last >= UNIVERSE)
			last = UNIVERSE - 1;
		const bool one_family = dp_ip_is_v4(base + first) == dp_ip_is_v4(base + last);

		cr_assert_eq(
			dp_ipset_add(set, base + first, base + last), one_family ? 0 : -EINVAL);
		if (one_family)
			memset(model + first, 1, last - first + 1);
	}
	dp_ipset_seal(set);
}

static void compare(const struct dp_ipset *set, const bool model[UNIVERSE], dp_ip base) {
	const struct dp_range *ranges;
	const size_t nb = dp_ipset_ranges(set, &ranges);
	uint64_t count = 0;

	for (uint32_t i = 0; i < UNIVERSE; i++) {
		count += model[i];
		cr_assert_eq(dp_ipset_contains(set, base + i), model[i], "address %u", i);
	}
	cr_assert(dp_ipset_count(set) == count);
	for (size_t i = 0; i < nb; i++) {
		cr_assert(ranges[i].first <= ranges[i].last);
		cr_assert_eq(dp_ip_is_v4(ranges[i].first), dp_ip_is_v4(ranges[i].last));
		if (i)
			cr_assert(ranges[i].first > ranges[i - 1].last
					&& (ranges[i].first - ranges[i - 1].last > 1
						|| dp_ip_is_v4(ranges[i].first)
							!= dp_ip_is_v4(ranges[i - 1].first)),
				"ranges %zu and %zu are not merged", i - 1, i);
	}
}

static void run_model(dp_ip base) {
	uint32_t state = 7;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct dp_ipset *a = make(), *b = make(), *copy;
		bool in_a[UNIVERSE], in_b[UNIVERSE];

		fill(a, in_a, base, &state);
		fill(b, in_b, base, &state);
		compare(a, in_a, base);
		cr_assert_eq(dp_ipset_copy(a, &copy), 0);
		cr_assert_eq(dp_ipset_subtract(a, b), 0);
		compare(copy, in_a, base);
		for (unsigned i = 0; i < UNIVERSE; i++)
			in_a[i] = in_a[i] && !in_b[i];
		compare(a, in_a, base);
		dp_ipset_destroy(a);
		dp_ipset_destroy(b);
		dp_ipset_destroy(copy);
	}
}

Test(ipset, model_at_the_bottom) {
	run_model(0);
}

Test(ipset, model_at_the_top) {
	run_model(DP_U128_MAX - UNIVERSE + 1);
}

/* The universe has the end of one family and the beginning of the other. */
Test(ipset, model_where_families_meet) {
	run_model(DP_IP_V4_FIRST - UNIVERSE / 2);
	run_model(DP_IP_V4_LAST - UNIVERSE / 2);
}

Test(ipset, model_in_ipv6) {
	run_model(dp_ip_v6(UINT64_C(0x20010db800000000), UINT64_MAX - 200));
}

Test(ipset, whole_address_space) {
	struct dp_ipset *all = make(), *edges = make();

	cr_assert_eq(dp_ipset_add(all, dp_ip_v4(0), dp_ip_v4(UINT32_MAX)), 0);
	dp_ipset_seal(all);
	cr_assert(dp_ipset_count(all) == UINT64_C(1) << 32);
	cr_assert(dp_ipset_has_v4(all) && !dp_ipset_has_v6(all));
	cr_assert_eq(dp_ipset_add(edges, dp_ip_v4(UINT32_MAX), dp_ip_v4(UINT32_MAX)), 0);
	cr_assert_eq(dp_ipset_add(edges, dp_ip_v4(0), dp_ip_v4(0)), 0);
	dp_ipset_seal(edges);
	cr_assert_eq(dp_ipset_subtract(all, edges), 0);
	cr_assert(dp_ipset_count(all) == (UINT64_C(1) << 32) - 2);
	cr_assert(!dp_ipset_contains(all, dp_ip_v4(0)));
	cr_assert(dp_ipset_contains(all, dp_ip_v4(1)));
	cr_assert(!dp_ipset_contains(all, dp_ip_v4(UINT32_MAX)));
	cr_assert_eq(dp_ipset_subtract(all, all), 0);
	cr_assert(dp_ipset_count(all) == 0);
	cr_assert(!dp_ipset_has_v4(all) && !dp_ipset_has_v6(all));
	dp_ipset_destroy(all);
	dp_ipset_destroy(edges);
}

/* Everything of both families: three ranges, and a count that has no number. */
Test(ipset, all_of_both_families) {
	struct dp_ipset *all = make(), *cut = make();
	const struct dp_range *ranges;

	cr_assert_eq(dp_ipset_add(all, 0, DP_U128_MAX), -EINVAL);
	cr_assert_eq(dp_ipset_add(all, DP_IP_V4_LAST + 1, DP_U128_MAX), 0);
	cr_assert_eq(dp_ipset_add(all, 0, DP_IP_V4_FIRST - 1), 0);
	dp_ipset_seal(all);
	cr_assert(!dp_ipset_has_v4(all) && dp_ipset_has_v6(all));
	cr_assert(dp_ipset_count(all) == DP_U128_MAX - UINT32_MAX);
	cr_assert_eq(dp_ipset_add(all, DP_IP_V4_FIRST, DP_IP_V4_LAST), 0);
	dp_ipset_seal(all);
	cr_assert_eq(dp_ipset_ranges(all, &ranges), 3);
	cr_assert(dp_ipset_has_v4(all) && dp_ipset_has_v6(all));
	cr_assert(dp_ipset_count(all) == DP_U128_MAX);
	cr_assert_eq(dp_ipset_add(cut, DP_U128_MAX, DP_U128_MAX), 0);
	dp_ipset_seal(cut);
	cr_assert_eq(dp_ipset_subtract(all, cut), 0);
	cr_assert(dp_ipset_count(all) == DP_U128_MAX);
	cr_assert(!dp_ipset_contains(all, DP_U128_MAX) && dp_ipset_contains(all, 0));
	dp_ipset_destroy(all);
	dp_ipset_destroy(cut);
}

Test(ipset, refuses_reversed_range) {
	struct dp_ipset *set = make();

	cr_assert_eq(dp_ipset_add(set, 2, 1), -EINVAL);
	dp_ipset_seal(set);
	cr_assert(dp_ipset_count(set) == 0);
	dp_ipset_seal(set);
	dp_ipset_destroy(set);
	dp_ipset_destroy(NULL);
}

/* Ranges of one length at alternating places never merge, and come out sorted. */
Test(ipset, many_out_of_order) {
	struct dp_ipset *set = make();
	const struct dp_range *ranges;

	for (uint32_t i = 100000; i-- > 0;)
		cr_assert_eq(dp_ipset_add(set, i * 4, i * 4 + 1), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_ipset_ranges(set, &ranges), 100000);
	cr_assert(ranges[99999].first == 99999 * 4);
	cr_assert(dp_ipset_count(set) == 200000);
	dp_ipset_destroy(set);
}
