/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every probe costs most, several at once in the vector registers of x86-64: hashes and the
 * order. The same numbers as the plain code gives, which does what is left over and is all there is on
 * other processors. Pure functions; any thread.
 */
#ifndef LANES_H
#define LANES_H

#include <dp/order.h>

struct lanes {
	/*
	 * SipHash-2-4 of each of the @word, and of 24 bytes as three arrays of them, under the prepared
	 * key @v. Returns how many were done: @n or a few less.
	 */
	unsigned (*siphash)(const uint64_t v[4], const uint64_t *word, uint64_t *hash, unsigned n);
	unsigned (*siphash3)(
		const uint64_t v[4], const uint64_t *const word[3], uint64_t *hash, unsigned n);

	/* One pass of a narrow permutation over @x. Returns the same. */
	unsigned (*encipher)(const struct dp_perm *perm, uint64_t *x, unsigned n);
};

extern const struct lanes lanes_avx2, lanes_avx512; /* x86-64 only */

/* Whether this processor runs them. */
bool lanes_have_avx2(void);
bool lanes_have_avx512(void);

/* The widest that this processor runs; NULL: none. */
const struct lanes *lanes_widest(void);

#endif
