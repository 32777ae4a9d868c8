/* SPDX-License-Identifier: BSD-3-Clause */
#include <dp/pieces.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum {
	COUNTERS = 200,
	PASSES = 3,
};

/* How many passes each counter has behind it, as a list says. */
static void spread(const struct dp_pieces *pieces, unsigned passes, unsigned done[COUNTERS]) {
	for (unsigned i = 0; i < COUNTERS; i++)
		done[i] = passes;
	for (unsigned i = 0; i < pieces->nb; i++)
		for (dp_u128 c = pieces->list[i].first; c < pieces->list[i].end; c++)
			done[c] = pieces->list[i].done;
}

/* Walk @steps steps, one by one. */
static void walk(
	const struct dp_pieces *pieces, unsigned passes, uint64_t steps, unsigned done[COUNTERS]) {
	for (unsigned pass = 0; pass < passes; pass++)
		for (unsigned i = 0; i < pieces->nb; i++) {
			const struct dp_piece *piece = &pieces->list[i];

			if (piece->done > pass)
				continue;
			for (dp_u128 c = piece->first; c < piece->end; c++) {
				if (!steps)
					return;
				steps--;
				cr_assert_eq(done[c], pass);
				done[c]++;
			}
		}
}

Test(pieces, any_number_of_steps_leaves_the_rest) {
	struct dp_pieces some = {0};

	dp_pieces_add(&some, 100, 130, 1);
	dp_pieces_add(&some, 0, 40, 0);
	dp_pieces_add(&some, 150, 152, 2);
	dp_pieces_add(&some, 60, 61, 0);
	const uint64_t all = (uint64_t)dp_pieces_steps(&some, PASSES);
	cr_assert_eq(all, 30 * 2 + 40 * 3 + 2 + 3);
	for (uint64_t steps = 0; steps <= all; steps++) {
		struct dp_pieces left = {0};
		unsigned wanted[COUNTERS], got[COUNTERS];

		spread(&some, PASSES, wanted);
		walk(&some, PASSES, steps, wanted);
		cr_assert_eq(dp_pieces_left(&some, PASSES, steps, &left), 0);
		dp_pieces_tidy(&left);
		cr_assert(dp_pieces_valid(&left, (struct dp_slice){0, COUNTERS}, PASSES));
		spread(&left, PASSES, got);
		cr_assert_eq(memcmp(wanted, got, sizeof got), 0, "%lu steps", steps);
		cr_assert_eq((uint64_t)dp_pieces_steps(&left, PASSES), all - steps);
		dp_pieces_clear(&left);
	}
	dp_pieces_clear(&some);
}

/* Interrupted again and again, each time with another number of lcores at other speeds. */
Test(pieces, resumed_with_any_lcores_each_step_comes_once) {
	struct dp_pieces left = {0};
	unsigned done[COUNTERS] = {0};
	unsigned rounds = 0;

	srandom(1);
	dp_pieces_add(&left, 0, COUNTERS, 0);
	for (; left.nb; rounds++) {
		const unsigned lcores = 1 + (unsigned)random() % 7;
		struct dp_pieces next = {0};

		for (unsigned i = 0; i < lcores; i++) {
			struct dp_pieces part = {0};
			uint64_t steps;

			cr_assert_eq(dp_pieces_part(&left, i, lcores, &part), 0);
			steps = (uint64_t)dp_pieces_steps(&part, PASSES);
			steps = steps ? (uint64_t)random() % (steps + 1) : 0;
			walk(&part, PASSES, steps, done);
			cr_assert_eq(dp_pieces_left(&part, PASSES, steps, &next), 0);
			dp_pieces_clear(&part);
		}
		dp_pieces_clear(&left);
		left = next;
		dp_pieces_tidy(&left);
		cr_assert(dp_pieces_valid(&left, (struct dp_slice){0, COUNTERS}, PASSES));
	}
	cr_expect_gt(rounds, 2);
	for (unsigned i = 0; i < COUNTERS; i++)
		cr_expect_eq(done[i], PASSES, "counter %u", i);
}

Test(pieces, parts_are_even) {
	struct dp_pieces whole = {0};

	dp_pieces_add(&whole, 0, 10, 0);
	dp_pieces_add(&whole, (dp_u128)1 << 90, ((dp_u128)1 << 90) + 21, 0);
	for (unsigned i = 0; i < 4; i++) {
		struct dp_pieces part = {0};
		uint64_t counters;

		cr_assert_eq(dp_pieces_part(&whole, i, 4, &part), 0);
		counters = (uint64_t)dp_pieces_counters(&part);
		cr_expect(counters == 7 || counters == 8, "%lu", counters);
		dp_pieces_clear(&part);
	}
	dp_pieces_clear(&whole);
}

Test(pieces, what_makes_no_sense_is_not_valid) {
	const struct dp_slice slice = {10, 100};
	struct dp_piece list[2] = {{10, 20, 0}, {20, 30, 1}};
	const struct dp_pieces pieces = {list, 2};

	cr_expect(dp_pieces_valid(&pieces, slice, 2));
	list[0].first = 9;
	cr_expect_not(dp_pieces_valid(&pieces, slice, 2));
	list[0].first = 10;
	list[1].first = 19;
	cr_expect_not(dp_pieces_valid(&pieces, slice, 2));
	list[1].first = list[1].end;
	cr_expect_not(dp_pieces_valid(&pieces, slice, 2));
	list[1] = (struct dp_piece){20, 101, 1};
	cr_expect_not(dp_pieces_valid(&pieces, slice, 2));
	list[1] = (struct dp_piece){20, 30, 2};
	cr_expect_not(dp_pieces_valid(&pieces, slice, 2));
}
