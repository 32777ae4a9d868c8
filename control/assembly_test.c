/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of a banner in every order. */
#include "assembly.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "220 the quick brown fox jumps over the lazy dog, and so on.";

/* What an assembly of @max bytes has, given pieces of "@text" as pairs of first and end. */
static void expect_taken(struct assembly *a, uint32_t wanted) {
	uint32_t n;
	uint8_t *bytes = assembly_take(a, &n);

	cr_assert_eq(n, wanted, "%u bytes, not %u", n, wanted);
	cr_expect_eq(!bytes, !wanted);
	if (bytes) {
		cr_expect_eq(memcmp(bytes, text, n), 0);
		cr_expect_eq(bytes[n], '\0');
	}
	free(bytes);
}

static void add(struct assembly *a, uint32_t first, uint32_t end, bool last) {
	assembly_add(a, first, (const uint8_t *)text + first, end - first, last);
}

static uint32_t draw(uint64_t *state, uint32_t below) {
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(*state >> 33) % below;
}

Test(assembly, in_any_order_and_with_repeats) {
	uint64_t state = 1;

	for (unsigned round = 0; round < 20000; round++) {
		struct assembly *a = assembly_create(512);
		uint32_t cut[6] = {0}, order[12];
		unsigned nb = 2 + draw(&state, 4);

		/* Up to five pieces of 40 bytes, each of them up to twice. */
		for (unsigned i = 1; i <= nb; i++)
			cut[i] = cut[i - 1] + 1
				+ draw(&state,
					(40 - cut[i - 1] - (nb - i)) ? 40 - cut[i - 1] - (nb - i)
								     : 1);
		for (unsigned i = 0; i < 2 * nb; i++)
			order[i] = i % nb;
		for (unsigned i = 2 * nb - 1; i; i--) {
			unsigned k = draw(&state, i + 1), other = order[k];

			order[k] = order[i];
			order[i] = other;
		}
		for (unsigned i = 0, seen = 0; i < 2 * nb; i++) {
			add(a, cut[order[i]], cut[order[i] + 1], order[i] == nb - 1);
			seen |= 1u << order[i];
			cr_assert_eq(assembly_is_complete(a), seen == (1u << nb) - 1);
		}
		expect_taken(a, cut[nb]);
	}
}

Test(assembly, ends_before_the_first_hole) {
	struct assembly *a = assembly_create(512);

	add(a, 0, 10, false);
	add(a, 12, 20, true);
	cr_expect(!assembly_is_complete(a));
	expect_taken(a, 10);
	a = assembly_create(512);
	add(a, 1, 20, true);
	cr_expect(!assembly_is_complete(a));
	expect_taken(a, 0);
}

Test(assembly, takes_no_more_than_it_wants) {
	struct assembly *a = assembly_create(10);

	add(a, 8, 30, false);
	add(a, 50, 59, true);
	assembly_add(a, UINT32_MAX, (const uint8_t *)text, 40, true);
	cr_expect(!assembly_is_complete(a));
	cr_expect_lt(assembly_memory(a), 400u);
	add(a, 0, 9, false);
	cr_expect(assembly_is_complete(a));
	expect_taken(a, 10);
}

Test(assembly, knows_an_end_without_bytes) {
	struct assembly *a = assembly_create(512);

	add(a, 0, 0, true);
	cr_expect(assembly_is_complete(a));
	expect_taken(a, 0);
	a = assembly_create(512);
	add(a, 7, 7, true);
	cr_expect(!assembly_is_complete(a));
	add(a, 0, 7, false);
	cr_expect(assembly_is_complete(a));
	expect_taken(a, 7);
}

Test(assembly, what_was_said_first_stays) {
	struct assembly *a = assembly_create(512);

	add(a, 0, 10, false);
	assembly_add(a, 5, (const uint8_t *)"xxxxxjumps", 10, false);
	add(a, 10, 20, true);
	cr_expect(assembly_is_complete(a));
	{
		uint32_t n;
		uint8_t *bytes = assembly_take(a, &n);

		cr_expect_eq(n, 20u);
		cr_expect_eq(memcmp(bytes, text, 10), 0);
		cr_expect_eq(memcmp(bytes + 10, "jumps", 5), 0);
		free(bytes);
	}
}

/* Crumbs everywhere cost a bounded number of places; those that found none come again. */
Test(assembly, has_room_for_so_many_islands) {
	static uint8_t crumbs[4096];
	struct assembly *a = assembly_create(sizeof(crumbs));
	uint32_t n;
	size_t most;

	for (uint32_t i = 1; i < sizeof(crumbs); i += 2)
		assembly_add(a, i, crumbs + i, 1, false);
	most = assembly_memory(a);
	cr_expect_leq(most, sizeof(crumbs) + 1024);
	for (uint32_t i = 0; i <= 2 * ASSEMBLY_ISLANDS; i += 2)
		assembly_add(a, i, crumbs + i, 1, false);
	cr_expect(!assembly_is_complete(a));
	assembly_add(a, 2 * ASSEMBLY_ISLANDS, crumbs, 10, true);
	cr_expect(assembly_is_complete(a));
	free(assembly_take(a, &n));
	cr_expect_eq(n, 2u * ASSEMBLY_ISLANDS + 10);
}
