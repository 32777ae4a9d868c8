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
 * spreads load; it is not meant to hide anything, and its key is not the cookie key.
 */
#ifndef DP_ORDER_H
#define DP_ORDER_H

#include <stdint.h>

enum {
	DP_PERM_ROUNDS = 4,
};

/* By value: small, read-only after dp_perm_init(), shared by all threads. */
struct dp_perm {
	uint64_t count;
	uint64_t mask_left, mask_right; /* the two halves' widths, as masks */
	uint32_t bits_left, bits_right;
	uint64_t key[DP_PERM_ROUNDS];
};

/* @count from 1 to 2^62; every @seed is a different order. */
void dp_perm_init(struct dp_perm *perm, uint64_t count, uint64_t seed);

/* The image of @i, which must be below the count. */
uint64_t dp_perm_at(const struct dp_perm *perm, uint64_t i);

/* The images of @first .. @first + @n - 1. */
void dp_perm_burst(const struct dp_perm *perm, uint64_t first, uint64_t *index, unsigned n);

/* Counters [first, end). */
struct dp_slice {
	uint64_t first;
	uint64_t end;
};

/* Part @number (1-based) of @of equal parts of @whole; parts are disjoint and cover it. */
struct dp_slice dp_slice_part(struct dp_slice whole, uint32_t number, uint32_t of);

#endif
