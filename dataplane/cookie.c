/* SPDX-License-Identifier: BSD-3-Clause */
/* Cookies of a burst: the one stage of a probe that is nothing but arithmetic. Pure; any thread. */
#include "cookie.h"
#include "lanes.h"

enum {
	CHUNK = 32,
};

static void hash_v4(const struct cookie *cookie, const struct lanes *lanes,
	const struct dp_target *target, uint64_t *hash, unsigned n) {
	uint64_t word[CHUNK];
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++)
		word[i] = cookie_word_v4(dp_ip_to_v4(target[i].ip), target[i].port);
	if (lanes)
		done = lanes->siphash(cookie->v, word, hash, n);
	for (; done < n; done++)
		hash[done] = siphash_word(cookie, word[done]);
}

static void hash_v6(const struct cookie *cookie, const struct lanes *lanes,
	const struct dp_target *target, uint64_t *hash, unsigned n) {
	uint64_t high[CHUNK], low[CHUNK], port[CHUNK];
	const uint64_t *const word[] = {high, low, port};
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++) {
		high[i] = (uint64_t)(target[i].ip >> 64);
		low[i] = (uint64_t)target[i].ip;
		port[i] = (uint64_t)target[i].port << 16;
	}
	if (lanes)
		done = lanes->siphash3(cookie->v, word, hash, n);
	for (; done < n; done++)
		hash[done] = siphash_words3(cookie, high[done], low[done], port[done]);
}

void cookie_hashes(const struct cookie *cookie, bool v4, const struct dp_target *target,
	uint64_t *hash, unsigned n) {
	const struct lanes *lanes = lanes_widest();

	for (unsigned done = 0; done < n; done += CHUNK) {
		unsigned chunk = n - done < CHUNK ? n - done : CHUNK;

		(v4 ? hash_v4 : hash_v6)(cookie, lanes, target + done, hash + done, chunk);
	}
}
