/* SPDX-License-Identifier: BSD-3-Clause */
/* The vector units against the plain code, at every length and place. */
#include "cookie.h"
#include "lanes.h"

#include <criterion/criterion.h>

enum {
	ROOM = 40,
	MOST = 33,
};

static const struct lanes *units[3];
static unsigned nb_units;

static uint64_t next_random(void) {
	static uint64_t state = 7;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return state ^ state >> 29;
}

static void find_units(void) {
	nb_units = 0;
#ifdef __x86_64__
	if (lanes_have_avx2())
		units[nb_units++] = &lanes_avx2;
	if (lanes_have_avx512())
		units[nb_units++] = &lanes_avx512;
#endif
}

static struct cookie a_cookie(void) {
	const struct dp_key key = {"0123456789abcde"};
	struct cookie cookie;

	cookie_init(&cookie, &key, 32768, 49151);
	return cookie;
}

static void fill(uint64_t *word) {
	for (unsigned i = 0; i < ROOM; i++)
		word[i] = next_random();
}

TestSuite(lanes, .init = find_units);

Test(lanes, the_widest_is_one_that_runs) {
	cr_assert_eq(lanes_widest(), nb_units ? units[nb_units - 1] : NULL);
}

Test(lanes, hashes_are_those_of_the_plain_code) {
	const struct cookie cookie = a_cookie();
	uint64_t word[3][ROOM], hash[ROOM];
	const uint64_t *const words[] = {word[0] + 1, word[1] + 2, word[2] + 3};

	for (unsigned u = 0; u < nb_units; u++)
		for (unsigned n = 0; n <= MOST; n++) {
			unsigned done;

			for (unsigned i = 0; i < 3; i++)
				fill(word[i]);
			fill(hash);
			done = units[u]->siphash(cookie.v, words[0], hash, n);
			cr_assert(done <= n && n - done < 8);
			for (unsigned i = 0; i < done; i++)
				cr_assert_eq(hash[i], siphash_word(&cookie, words[0][i]));
			done = units[u]->siphash3(cookie.v, words, hash, n);
			cr_assert(done <= n && n - done < 8);
			for (unsigned i = 0; i < done; i++)
				cr_assert_eq(hash[i],
					siphash_words3(
						&cookie, words[0][i], words[1][i], words[2][i]));
		}
}

Test(lanes, the_order_is_that_of_the_plain_code) {
	for (unsigned bits = 2; bits <= 62; bits++) {
		const uint64_t count = UINT64_C(1) << bits;
		struct dp_perm perm;
		uint64_t x[ROOM], image[ROOM];

		dp_perm_init(&perm, count, bits);
		fill(x);
		for (unsigned i = 0; i < ROOM; i++)
			x[i] %= count;
		for (unsigned u = 0; u < nb_units; u++) {
			unsigned done;

			memcpy(image, x, sizeof(x));
			done = units[u]->encipher(&perm, image + 1, MOST);
			cr_assert(MOST - done < 8);
			/* All of a power of two is inside: one pass is the image. */
			for (unsigned i = 1; i <= done; i++)
				cr_assert_eq(image[i], (uint64_t)dp_perm_at(&perm, x[i]));
			for (unsigned i = done + 1; i < ROOM; i++)
				cr_assert_eq(image[i], x[i]);
		}
	}
}

Test(lanes, a_burst_is_hashed_as_its_targets_are) {
	const struct cookie cookie = a_cookie();
	struct dp_target target[100];
	uint64_t hash[100];

	for (unsigned v4 = 0; v4 < 2; v4++)
		for (unsigned n = 0; n <= 100; n++) {
			for (unsigned i = 0; i < n; i++)
				target[i] = (struct dp_target){.ip = v4
						? dp_ip_v4((uint32_t)next_random())
						: dp_ip_v6(next_random() | 1, next_random()),
					.port = (uint16_t)next_random()};
			cookie_hashes(&cookie, v4, target, hash, n);
			for (unsigned i = 0; i < n; i++)
				cr_assert_eq(hash[i],
					cookie_hash(&cookie, target[i].ip, target[i].port));
		}
}
