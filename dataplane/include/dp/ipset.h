/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A set of addresses of both families as sorted, disjoint ranges: IPv6 addresses below
 * ::ffff:0:0/96, then IPv4, then the other IPv6 ones (dp/ip.h).
 *
 * Build it with dp_ipset_add() in any order, then dp_ipset_seal() it once: overlapping, adjacent
 * and repeated ranges are merged. All other calls want a sealed set; subtraction keeps it sealed.
 * Ranges are inclusive at both ends; none crosses from one family into the other.
 */
#ifndef DP_IPSET_H
#define DP_IPSET_H

#include <dp/ip.h>

struct dp_range {
	dp_ip first;
	dp_ip last;
};

struct dp_ipset;

/* An empty set, to be freed with dp_ipset_destroy(). 0 or -ENOMEM. */
int dp_ipset_create(struct dp_ipset **set);
void dp_ipset_destroy(struct dp_ipset *set);

/* 0, -EINVAL where @first > @last or they are of two families, or -ENOMEM. Amortised O(1). */
int dp_ipset_add(struct dp_ipset *set, dp_ip first, dp_ip last);

/* Sort and merge. O(n log n), O(n) where the ranges came in order. Sealing twice is harmless. */
void dp_ipset_seal(struct dp_ipset *set);

/* Make a sealed copy of a sealed set. 0 or -ENOMEM. */
int dp_ipset_copy(const struct dp_ipset *set, struct dp_ipset **copy);

/* Remove every address of @other from @set; both sealed. 0 or -ENOMEM (then @set is unchanged). */
int dp_ipset_subtract(struct dp_ipset *set, const struct dp_ipset *other);

/* Number of addresses; all but 0 of 2^128 would be DP_U128_MAX, too. */
dp_u128 dp_ipset_count(const struct dp_ipset *set);

/* The ranges, ascending; they belong to the set and live until it changes. Returns their number. */
size_t dp_ipset_ranges(const struct dp_ipset *set, const struct dp_range **ranges);

bool dp_ipset_contains(const struct dp_ipset *set, dp_ip ip);

/* Whether some address of a family is in it. */
bool dp_ipset_has_v4(const struct dp_ipset *set);
bool dp_ipset_has_v6(const struct dp_ipset *set);

#endif
