/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiled once for each vector unit, with LANES numbers of 64 bits in a register and NAME for what
 * comes out. See cookie.h and order.c for the plain code.
 */
#include "lanes.h"

typedef uint64_t lane __attribute__((vector_size(LANES * 8), aligned(8), may_alias));

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static inline lane same(uint64_t x) {
	return (lane){0} + x;
}

static inline void sip_round(lane v[4]) {
	v[0] += v[1];
	v[2] += v[3];
	v[1] = ROTATE(v[1], 13) ^ v[0];
	v[3] = ROTATE(v[3], 16) ^ v[2];
	v[0] = ROTATE(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = ROTATE(v[1], 17) ^ v[2];
	v[3] = ROTATE(v[3], 21) ^ v[0];
	v[2] = ROTATE(v[2], 32);
}

static inline void sip_word(lane v[4], lane word) {
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static inline lane sip_end(lane v[4], unsigned bytes) {
	sip_word(v, same((uint64_t)bytes << 56));
	v[2] ^= same(0xff);
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static unsigned siphash(const uint64_t key[4], const uint64_t *word, uint64_t *hash, unsigned n) {
	const lane start[4] = {same(key[0]), same(key[1]), same(key[2]), same(key[3])};
	unsigned done = 0;

	for (; done + LANES <= n; done += LANES) {
		lane v[4] = {start[0], start[1], start[2], start[3]};

		sip_word(v, *(const lane *)&word[done]);
		*(lane *)&hash[done] = sip_end(v, 8);
	}
	return done;
}

static unsigned siphash3(
	const uint64_t key[4], const uint64_t *const word[3], uint64_t *hash, unsigned n) {
	const lane start[4] = {same(key[0]), same(key[1]), same(key[2]), same(key[3])};
	unsigned done = 0;

	for (; done + LANES <= n; done += LANES) {
		lane v[4] = {start[0], start[1], start[2], start[3]};

		for (unsigned i = 0; i < 3; i++)
			sip_word(v, *(const lane *)&word[i][done]);
		*(lane *)&hash[done] = sip_end(v, 24);
	}
	return done;
}

static inline lane mix(lane half, uint64_t key) {
	lane z = (half ^ same(key)) * same(0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 32)) * same(0xd6e8feb86659fd93u);
	return z >> 32;
}

static unsigned encipher(const struct dp_perm *perm, uint64_t *x, unsigned n) {
	const lane mask_left = same(perm->mask_left), mask_right = same(perm->mask_right);
	const lane shift = same(perm->bits_right);
	unsigned done = 0;

	for (; done + LANES <= n; done += LANES) {
		lane *at = (lane *)&x[done];
		lane left = *at >> shift, right = *at & mask_right;

		for (unsigned i = 0; i < DP_PERM_ROUNDS; i += 2) {
			left ^= mix(right, perm->key[i]) & mask_left;
			right ^= mix(left, perm->key[i + 1]) & mask_right;
		}
		*at = left << shift | right;
	}
	return done;
}

const struct lanes NAME = {siphash, siphash3, encipher};
