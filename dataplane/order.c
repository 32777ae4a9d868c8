/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keyed order of a scan. Pure functions of a struct that is read-only after dp_perm_init(); any
 * thread; owns no memory.
 */
#include "lanes.h"

enum {
	NARROW_BITS = 62, /* that 64-bit arithmetic is for */
	WIDEST_BITS = 120,
	CHUNK = 256, /* images whose walks go on together */
};

/* Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014), figure 13. */
static uint64_t splitmix64(uint64_t *state) {
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void dp_perm_init(struct dp_perm *perm, dp_u128 count, uint64_t seed) {
	/* Two bits at the least, so that both halves exist. */
	unsigned bits = 2;

	while (bits < WIDEST_BITS && ((dp_u128)1 << bits) < count)
		bits++;
	perm->count = count;
	perm->wide = bits > NARROW_BITS;
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

/*
 * The round function of the wide network, whose halves have up to 60 bits: the finalizer of
 * splitmix64, of which every bit of the result depends on every bit of the half.
 */
static inline uint64_t mix_wide(uint64_t half, uint64_t key) {
	uint64_t z = half ^ key;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline dp_u128 encipher_wide(const struct dp_perm *perm, dp_u128 x) {
	uint64_t left = (uint64_t)(x >> perm->bits_right);
	uint64_t right = (uint64_t)x & perm->mask_right;

	for (unsigned i = 0; i < DP_PERM_ROUNDS; i += 2) {
		left ^= mix_wide(right, perm->key[i]) & perm->mask_left;
		right ^= mix_wide(left, perm->key[i + 1]) & perm->mask_right;
	}
	return (dp_u128)left << perm->bits_right | right;
}

dp_u128 dp_perm_at(const struct dp_perm *perm, dp_u128 i) {
	do
		i = perm->wide ? encipher_wide(perm, i) : encipher(perm, (uint64_t)i);
	while (i >= perm->count);
	return i;
}

static void encipher_all(
	const struct dp_perm *perm, const struct lanes *lanes, uint64_t *x, unsigned n) {
	unsigned done = lanes ? lanes->encipher(perm, x, n) : 0;

	for (; done < n; done++)
		x[done] = encipher(perm, x[done]);
}

/*
 * Up to CHUNK images. The first pass has no branch, so that neighbouring indices overlap in the core;
 * those that fell outside the count then walk on together, for the same reason.
 */
static void burst_chunk(const struct dp_perm *perm, uint64_t first, uint64_t *index, unsigned n) {
	const struct lanes *lanes = lanes_widest();
	const uint64_t count = (uint64_t)perm->count;
	uint16_t outside[CHUNK];
	uint64_t image[CHUNK];
	unsigned nb = 0;

	for (unsigned i = 0; i < n; i++)
		index[i] = first + i;
	encipher_all(perm, lanes, index, n);
	for (unsigned i = 0; i < n; i++) {
		outside[nb] = (uint16_t)i;
		image[nb] = index[i];
		nb += index[i] >= count;
	}
	while (nb) {
		unsigned still = 0;

		encipher_all(perm, lanes, image, nb);
		for (unsigned k = 0; k < nb; k++) {
			index[outside[k]] = image[k];
			outside[still] = outside[k];
			image[still] = image[k];
			still += image[k] >= count;
		}
		nb = still;
	}
}

void dp_perm_burst(const struct dp_perm *perm, uint64_t first, uint64_t *index, unsigned n) {
	for (unsigned done = 0; done < n; done += CHUNK)
		burst_chunk(perm, first + done, index + done, n - done < CHUNK ? n - done : CHUNK);
}

void dp_perm_wide_burst(const struct dp_perm *perm, dp_u128 first, dp_u128 *index, unsigned n) {
	if (!perm->wide) {
		for (unsigned done = 0; done < n; done += CHUNK) {
			const unsigned chunk = n - done < CHUNK ? n - done : CHUNK;
			uint64_t narrow[CHUNK];

			burst_chunk(perm, (uint64_t)first + done, narrow, chunk);
			for (unsigned i = 0; i < chunk; i++)
				index[done + i] = narrow[i];
		}
		return;
	}
	for (unsigned i = 0; i < n; i++)
		index[i] = encipher_wide(perm, first + i);
	for (unsigned i = 0; i < n; i++)
		while (index[i] >= perm->count)
			index[i] = encipher_wide(perm, index[i]);
}

struct dp_slice dp_slice_part(struct dp_slice whole, uint32_t number, uint32_t of) {
	/* length * number may not fit: whole parts first, then what remains of them. */
	const dp_u128 length = whole.end - whole.first, part = length / of;
	const uint64_t rest = (uint64_t)(length % of);

	return (struct dp_slice){
		.first = whole.first + part * (number - 1) + rest * (number - 1) / of,
		.end = whole.first + part * number + rest * number / of,
	};
}
