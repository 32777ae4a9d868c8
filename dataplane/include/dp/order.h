/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of a scan: a keyed bijection of [0, count) with random access, and slices of it.
 *
 * Probe number i goes to space(perm(i)). As perm(i) needs nothing but the key, an lcore is a range
 * of counters, a shard is a range of counters, and neither depends on how many threads run.
 *
 * The bijection is a Feistel network over the smallest power of two that holds the count (Luby and
 * Rackoff, 1988), with cycle-walking for what falls outside (Black and Rogaway, "Ciphers with
 * Arbitrary Finite Domains", CT-RSA 2002, method 2): fewer than two walks an index on average. It
 * spreads load; it is not meant to hide anything, and its key is not the cookie key. Up to 2^62 it is
 * computed in 64 bits, beyond in 128.
 */
#ifndef DP_ORDER_H
#define DP_ORDER_H

#include <dp/ip.h>

enum {
	DP_PERM_ROUNDS = 4,
};

/* By value: small, read-only after dp_perm_init(), shared by all threads. */
struct dp_perm {
	dp_u128 count;
	bool wide; /* over 2^62: dp_perm_burst() is not for it */
	uint64_t mask_left, mask_right; /* the two halves' widths, as masks */
	uint32_t bits_left, bits_right;
	uint64_t key[DP_PERM_ROUNDS];
};

/* @count from 1 to 2^120; every @seed is a different order. */
void dp_perm_init(struct dp_perm *perm, dp_u128 count, uint64_t seed);

/* The image of @i, which must be below the count. */
dp_u128 dp_perm_at(const struct dp_perm *perm, dp_u128 i);

/* The images of @first .. @first + @n - 1, of a count of at most 2^62, and of any. */
void dp_perm_burst(const struct dp_perm *perm, uint64_t first, uint64_t *index, unsigned n);
void dp_perm_wide_burst(const struct dp_perm *perm, dp_u128 first, dp_u128 *index, unsigned n);

/* Counters [first, end). */
struct dp_slice {
	dp_u128 first;
	dp_u128 end;
};

/* Part @number (1-based) of @of equal parts of @whole; parts are disjoint and cover it. */
struct dp_slice dp_slice_part(struct dp_slice whole, uint32_t number, uint32_t of);

#endif
