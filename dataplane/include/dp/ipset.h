/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of IPv4 addresses as sorted, disjoint ranges.
 *
 * Build it with dp_ipset_add() in any order, then dp_ipset_seal() it once: overlapping, adjacent
 * and repeated ranges are merged. All other calls want a sealed set; subtraction keeps it sealed.
 * Addresses are in host byte order throughout, ranges inclusive at both ends.
 */
#ifndef DP_IPSET_H
#define DP_IPSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_range {
	uint32_t first;
	uint32_t last;
};

struct dp_ipset;

/* An empty set, to be freed with dp_ipset_destroy(). 0 or -ENOMEM. */
int dp_ipset_create(struct dp_ipset **set);
void dp_ipset_destroy(struct dp_ipset *set);

/* 0, -EINVAL where @first > @last, or -ENOMEM. Amortised O(1). */
int dp_ipset_add(struct dp_ipset *set, uint32_t first, uint32_t last);

/* Sort and merge. O(n log n), O(n) where the ranges came in order. Sealing twice is harmless. */
void dp_ipset_seal(struct dp_ipset *set);

/* Make a sealed copy of a sealed set. 0 or -ENOMEM. */
int dp_ipset_copy(const struct dp_ipset *set, struct dp_ipset **copy);

/* Remove every address of @other from @set; both sealed. 0 or -ENOMEM (then @set is unchanged). */
int dp_ipset_subtract(struct dp_ipset *set, const struct dp_ipset *other);

/* Number of addresses, 0 to 2^32. */
uint64_t dp_ipset_count(const struct dp_ipset *set);

/* The ranges, ascending; they belong to the set and live until it changes. Returns their number. */
size_t dp_ipset_ranges(const struct dp_ipset *set, const struct dp_range **ranges);

bool dp_ipset_contains(const struct dp_ipset *set, uint32_t ip);

#endif
