/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which addresses plugins may reach: lookups, what is excluded while they run, what a slot stands for.
 */
#include "area.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define V6(low) lh_ip_v6(UINT64_C(0x20010db8) << 32, low)

Test(scope, looks_addresses_up) {
	static const struct lh_range ranges[] = {{0, 0}, {5, 9}, {11, 11},
		{(lh_ip)0xffff << 32 | 100, (lh_ip)0xffff << 32 | UINT32_MAX},
		{(lh_ip)1 << 64, ~(lh_ip)0}};
	static const struct {
		lh_ip ip;
		bool in;
	} cases[] = {{0, true}, {1, false}, {4, false}, {5, true}, {7, true}, {9, true},
		{10, false}, {11, true}, {12, false}, {(lh_ip)0xffff << 32 | 99, false},
		{(lh_ip)0xffff << 32 | 100, true}, {(lh_ip)0x10000 << 32, false},
		{UINT64_MAX, false}, {(lh_ip)1 << 64, true}, {~(lh_ip)0, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(scope_contains(ranges, 5, cases[i].ip), cases[i].in, "case %zu", i);
	cr_expect(!scope_contains(NULL, 0, 5));
	cr_expect(!scope_contains(ranges + 1, 1, 4));
	cr_expect(!scope_contains(ranges + 1, 1, 10));
}

Test(scope, excludes_more_and_more) {
	struct excluded *excluded = calloc(1, sizeof(*excluded));
	const struct lh_range first[] = {{V6(20), V6(29)}, {lh_ip_v4(10), lh_ip_v4(12)}};
	const struct lh_range second[] = {{V6(30), V6(30)}, {lh_ip_v4(11), lh_ip_v4(15)}};
	const struct lh_range bad = {lh_ip_v4(2), lh_ip_v4(1)};

	cr_expect(!excluded_contains(excluded, V6(20)));
	cr_expect_eq(excluded_add(excluded, NULL, 0), 0);
	for (unsigned again = 0; again < 3; again++) {
		cr_expect_eq(excluded_add(excluded, first, 2), 0);
		cr_expect(
			excluded_contains(excluded, V6(20)) && excluded_contains(excluded, V6(29)));
		cr_expect(!excluded_contains(excluded, V6(30))
			&& !excluded_contains(excluded, V6(19)));
		cr_expect(excluded_contains(excluded, lh_ip_v4(12)));
		cr_expect(!excluded_contains(excluded, lh_ip_v4(13)));
		cr_expect_eq(excluded->nb[excluded->version & 1], 2u);
	}
	cr_expect_eq(excluded_add(excluded, &bad, 1), -EINVAL);
	cr_expect_eq(excluded_add(excluded, second, 2), 0);
	/* What touches is one. */
	cr_expect_eq(excluded->nb[excluded->version & 1], 2u);
	cr_expect(excluded_contains(excluded, V6(20)) && excluded_contains(excluded, V6(30)));
	cr_expect(excluded_contains(excluded, lh_ip_v4(10))
		&& excluded_contains(excluded, lh_ip_v4(15)));
	cr_expect(
		!excluded_contains(excluded, lh_ip_v4(16)) && !excluded_contains(excluded, V6(31)));
	free(excluded);
}

Test(scope, takes_no_more_than_it_has_room_for) {
	struct excluded *excluded = calloc(1, sizeof(*excluded));
	struct lh_range *many = calloc(LH_EXCLUDED_MAX, sizeof(*many));
	const struct lh_range one = {1, 1}, joined = {V6(1), V6(1)};

	for (uint64_t i = 0; i < LH_EXCLUDED_MAX; i++)
		many[i] = (struct lh_range){V6(2 * i), V6(2 * i)};
	cr_expect_eq(excluded_add(excluded, many, LH_EXCLUDED_MAX), 0);
	cr_expect_eq(excluded_add(excluded, &one, 1), -E2BIG);
	cr_expect(!excluded_contains(excluded, 1));
	cr_expect(excluded_contains(excluded, V6(2 * (LH_EXCLUDED_MAX - 1))));
	cr_expect_eq(excluded_add(excluded, many, LH_EXCLUDED_MAX), 0);
	/* One that makes two of them one leaves room for another. */
	cr_expect_eq(excluded_add(excluded, &joined, 1), 0);
	cr_expect_eq(excluded_add(excluded, &one, 1), 0);
	cr_expect(excluded_contains(excluded, 1));
	free(many);
	free(excluded);
}

/* ---- Readers while the other side writes ---- */

enum {
	READERS
	= 4, /* more than there are CPUs, often: one that waits for its turn wakes up far behind */
	PLACES = 20000000,
	STEPS = 400000,
};

static _Atomic bool over;
static struct authority place;
static struct excluded table;

/* Run readers, each of which counts what must not be, while @write works. Returns their sum. */
static uint64_t read_while(void *(*read)(void *), void (*write)(void)) {
	pthread_t readers[READERS];
	uint64_t sum = 0;

	for (unsigned i = 0; i < READERS; i++)
		cr_assert_eq(pthread_create(&readers[i], NULL, read, NULL), 0);
	write();
	over = true;
	for (unsigned i = 0; i < READERS; i++) {
		void *wrong;

		pthread_join(readers[i], &wrong);
		sum += (uintptr_t)wrong;
	}
	return sum;
}

/* Halves that belong together are equal; a torn address has two. */
static void write_places(void) {
	for (uint64_t i = 1; i <= PLACES; i++)
		authority_set(&place, i % 3 ? lh_ip_v6(i, i) : 0);
}

static void *read_places(void *ctx) {
	uintptr_t torn = 0;

	while (!over) {
		lh_ip ip = authority_get(&place);

		torn += (uint64_t)(ip >> 64) != (uint64_t)ip;
	}
	return (void *)torn;
}

Test(scope, a_slot_is_never_half_of_another) {
	cr_expect_eq(read_while(read_places, write_places), 0u);
	authority_set(&place, V6(7));
	cr_expect(authority_get(&place) == V6(7));
	authority_set(&place, 0);
	cr_expect(authority_get(&place) == 0);
}

/*
 * From the first to the last version HELD are excluded and FREE are not. What is written is three steps of
 * which the last joins what the two before added, so that a table has three, four and five ranges in turn,
 * and the two tables never the same number twice in a row: the held ones change their places, where a
 * reader that mixes two versions, or the halves of two ranges, misses them or finds the free ones.
 */
#define LOW(i) lh_ip_v6(1, i)
#define HELD_FIRST lh_ip_v6(5, 50)
#define HELD_LAST lh_ip_v6(7, 10)
#define FREE_BELOW lh_ip_v6(2, 0)
#define FREE_ABOVE lh_ip_v6(7, 30)
#define HIGH lh_ip_v6(9, 9)

static void exclude_low(uint64_t first, uint64_t last) {
	const struct lh_range one = {LOW(first), LOW(last)};

	cr_assert_eq(excluded_add(&table, &one, 1), 0);
}

static void write_ranges(void) {
	for (uint64_t i = 4; i <= STEPS; i += 4) {
		exclude_low(i + 2, i + 2);
		exclude_low(i + 4, i + 4);
		exclude_low(i, i + 3);
	}
}

static void *read_ranges(void *ctx) {
	uintptr_t wrong = 0;

	while (!over) {
		wrong += !excluded_contains(&table, HELD_FIRST);
		wrong += !excluded_contains(&table, HELD_LAST);
		wrong += !excluded_contains(&table, HIGH);
		wrong += excluded_contains(&table, FREE_BELOW);
		wrong += excluded_contains(&table, FREE_ABOVE);
	}
	return (void *)wrong;
}

Test(scope, a_range_is_never_half_of_another) {
	const struct lh_range held[] = {{HELD_FIRST, HELD_LAST}, {HIGH, HIGH}};

	cr_assert_eq(excluded_add(&table, held, 2), 0);
	exclude_low(1, 4);
	cr_expect_eq(read_while(read_ranges, write_ranges), 0u);
	cr_expect_eq(table.nb[table.version & 1], 3u, "ranges that touch were not joined");
	cr_expect(excluded_contains(&table, LOW(STEPS + 4)));
}
