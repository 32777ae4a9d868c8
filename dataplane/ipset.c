/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of addresses as sorted, disjoint, non-adjacent ranges. IPv4 and IPv6 stand side by side in
 * the numbers (dp/ip.h), so that ranges of the two may touch; they are never merged.
 *
 * Built by one thread before the scan starts, read by any afterwards. A set owns its array.
 */
#include <dp/ipset.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct dp_ipset {
	struct dp_range *ranges;
	size_t nb;
	size_t room;
	dp_u128 count; /* addresses; right once sealed */
	bool sorted; /* every range so far starts at or after the one before it */
};

int dp_ipset_create(struct dp_ipset **set) {
	*set = calloc(1, sizeof(**set));
	if (!*set)
		return -ENOMEM;
	(*set)->sorted = true;
	return 0;
}

void dp_ipset_destroy(struct dp_ipset *set) {
	if (!set)
		return;
	free(set->ranges);
	free(set);
}

static int grow(struct dp_ipset *set) {
	size_t room = set->room ? set->room * 2 : 16;
	struct dp_range *ranges = reallocarray(set->ranges, room, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	set->ranges = ranges;
	set->room = room;
	return 0;
}

/* Which of the three parts of the numbers an address is in; ranges of two of them stay apart. */
static inline int family_of(dp_ip ip) {
	return (ip >= DP_IP_V4_FIRST) + (ip > DP_IP_V4_LAST);
}

/* Whether a range that begins at @first, not before @top does, goes on where that ends. */
static inline bool joins(const struct dp_range *top, dp_ip first) {
	return first <= top->last
		|| (first - top->last == 1 && family_of(first) == family_of(top->last));
}

int dp_ipset_add(struct dp_ipset *set, dp_ip first, dp_ip last) {
	if (first > last || family_of(first) != family_of(last))
		return -EINVAL;
	if (set->nb) {
		struct dp_range *top = &set->ranges[set->nb - 1];

		/* Lists mostly come in order: extending the last range keeps them small at once. */
		if (first >= top->first && joins(top, first)) {
			if (last > top->last)
				top->last = last;
			return 0;
		}
		if (first < top->first)
			set->sorted = false;
	}
	if (set->nb == set->room && grow(set) < 0)
		return -ENOMEM;
	set->ranges[set->nb++] = (struct dp_range){first, last};
	return 0;
}

static int by_first(const void *left, const void *right) {
	const struct dp_range *a = left, *b = right;

	return (a->first > b->first) - (a->first < b->first);
}

void dp_ipset_seal(struct dp_ipset *set) {
	size_t kept = 0;

	if (!set->sorted)
		qsort(set->ranges, set->nb, sizeof(*set->ranges), by_first);
	set->sorted = true;
	set->count = 0;
	for (size_t i = 0; i < set->nb; i++) {
		const struct dp_range range = set->ranges[i];
		struct dp_range *top = kept ? &set->ranges[kept - 1] : NULL;

		if (top && joins(top, range.first)) {
			if (range.last > top->last)
				top->last = range.last;
		} else {
			set->ranges[kept++] = range;
		}
	}
	set->nb = kept;
	for (size_t i = 0; i < kept; i++)
		set->count += set->ranges[i].last - set->ranges[i].first + 1;
	/* Only all 2^128 of them come back to nothing. */
	if (kept && !set->count)
		set->count = DP_U128_MAX;
}

int dp_ipset_copy(const struct dp_ipset *set, struct dp_ipset **copy) {
	int ret = dp_ipset_create(copy);

	if (ret < 0)
		return ret;
	if (!set->nb)
		return 0;
	(*copy)->ranges = malloc(set->nb * sizeof(*set->ranges));
	if (!(*copy)->ranges) {
		dp_ipset_destroy(*copy);
		*copy = NULL;
		return -ENOMEM;
	}
	memcpy((*copy)->ranges, set->ranges, set->nb * sizeof(*set->ranges));
	(*copy)->nb = (*copy)->room = set->nb;
	(*copy)->count = set->count;
	return 0;
}

/* Append what @cut leaves of @range to @out, starting at *@at, the first cut that may matter. */
static int subtract_range(
	struct dp_ipset *out, struct dp_range range, const struct dp_ipset *cut, size_t *at) {
	dp_ip first = range.first;

	while (*at < cut->nb && cut->ranges[*at].last < range.first)
		(*at)++;
	for (; *at < cut->nb && cut->ranges[*at].first <= range.last; (*at)++) {
		if (cut->ranges[*at].first > first) {
			int ret = dp_ipset_add(out, first, cut->ranges[*at].first - 1);

			if (ret < 0)
				return ret;
		}
		/* This cut may reach past the range and into the next one: *at stays on it. */
		if (cut->ranges[*at].last >= range.last)
			return 0;
		first = cut->ranges[*at].last + 1;
	}
	return dp_ipset_add(out, first, range.last);
}

int dp_ipset_subtract(struct dp_ipset *set, const struct dp_ipset *other) {
	struct dp_ipset *out;
	size_t at = 0;
	int ret = dp_ipset_create(&out);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < set->nb; i++) {
		ret = subtract_range(out, set->ranges[i], other, &at);
		if (ret < 0) {
			dp_ipset_destroy(out);
			return ret;
		}
	}
	dp_ipset_seal(out);
	struct dp_ipset old = *set;
	*set = *out;
	*out = old;
	dp_ipset_destroy(out);
	return 0;
}

dp_u128 dp_ipset_count(const struct dp_ipset *set) {
	return set->count;
}

size_t dp_ipset_ranges(const struct dp_ipset *set, const struct dp_range **ranges) {
	*ranges = set->ranges;
	return set->nb;
}

/* The first range that does not end below @ip, or their number. */
static size_t range_of(const struct dp_ipset *set, dp_ip ip) {
	size_t low = 0, high = set->nb;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->ranges[middle].last < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool dp_ipset_contains(const struct dp_ipset *set, dp_ip ip) {
	const size_t range = range_of(set, ip);

	return range < set->nb && set->ranges[range].first <= ip;
}

bool dp_ipset_has_v4(const struct dp_ipset *set) {
	const size_t range = range_of(set, DP_IP_V4_FIRST);

	return range < set->nb && dp_ip_is_v4(set->ranges[range].first);
}

bool dp_ipset_has_v6(const struct dp_ipset *set) {
	return set->nb
		&& (!dp_ip_is_v4(set->ranges[0].first)
			|| !dp_ip_is_v4(set->ranges[set->nb - 1].first));
}
