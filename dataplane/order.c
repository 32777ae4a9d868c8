/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keyed order of a scan. Pure functions of a struct that is read-only after dp_perm_init(); any
 * thread; owns no memory.
 */
#include <dp/order.h>

/* Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014), figure 13. */
static uint64_t splitmix64(uint64_t *state) {
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void dp_perm_init(struct dp_perm *perm, uint64_t count, uint64_t seed) {
	/* Two bits at the least, so that both halves exist. */
	unsigned bits = 2;

	while (bits < 62 && (UINT64_C(1) << bits) < count)
		bits++;
	perm->count = count;
	perm->bits_right = bits / 2;
	perm->bits_left = bits - perm->bits_right;
	perm->mask_right = (UINT64_C(1) << perm->bits_right) - 1;
	perm->mask_left = (UINT64_C(1) << perm->bits_left) - 1;
	for (unsigned i = 0; i < DP_PERM_ROUNDS; i++)
		perm->key[i] = splitmix64(&seed);
}

/*
 * The round function: two multiplications, of which the high bits are used, so that each bit of the
 * half reaches each bit of the result. One multiplication fails the chi-square test at 16 bits.
 */
static inline uint64_t mix(uint64_t half, uint64_t key) {
	uint64_t z = (half ^ key) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 32)) * 0xd6e8feb86659fd93u;
	return z >> 32;
}

/* An unbalanced Feistel network: rounds change the left and the right half in turn. */
static inline uint64_t encipher(const struct dp_perm *perm, uint64_t x) {
	uint64_t left = x >> perm->bits_right;
	uint64_t right = x & perm->mask_right;

	for (unsigned i = 0; i < DP_PERM_ROUNDS; i += 2) {
		left ^= mix(right, perm->key[i]) & perm->mask_left;
		right ^= mix(left, perm->key[i + 1]) & perm->mask_right;
	}
	return left << perm->bits_right | right;
}

uint64_t dp_perm_at(const struct dp_perm *perm, uint64_t i) {
	do
		i = encipher(perm, i);
	while (i >= perm->count);
	return i;
}

void dp_perm_burst(const struct dp_perm *perm, uint64_t first, uint64_t *index, unsigned n) {
	/* Two passes: the first has no branch, so that neighbouring indices overlap in the core. */
	for (unsigned i = 0; i < n; i++)
		index[i] = encipher(perm, first + i);
	for (unsigned i = 0; i < n; i++)
		while (index[i] >= perm->count)
			index[i] = encipher(perm, index[i]);
}

struct dp_slice dp_slice_part(struct dp_slice whole, uint32_t number, uint32_t of) {
	unsigned __int128 length = whole.end - whole.first;

	return (struct dp_slice){
		.first = whole.first + (uint64_t)(length * (number - 1) / of),
		.end = whole.first + (uint64_t)(length * number / of),
	};
}
