/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of IPv4 addresses as sorted, disjoint, non-adjacent ranges.
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
	uint64_t count; /* addresses; right once sealed */
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

int dp_ipset_add(struct dp_ipset *set, uint32_t first, uint32_t last) {
	if (first > last)
		return -EINVAL;
	if (set->nb) {
		struct dp_range *top = &set->ranges[set->nb - 1];

		/* Lists mostly come in order: extending the last range keeps them small at once. */
		if (first >= top->first && (uint64_t)first <= (uint64_t)top->last + 1) {
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

		if (top && (uint64_t)range.first <= (uint64_t)top->last + 1) {
			if (range.last > top->last)
				top->last = range.last;
		} else {
			set->ranges[kept++] = range;
		}
	}
	set->nb = kept;
	for (size_t i = 0; i < kept; i++)
		set->count += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
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
	uint64_t first = range.first;

	while (*at < cut->nb && cut->ranges[*at].last < range.first)
		(*at)++;
	/* *at stays on a cut that reaches past this range: it may reach into the next one too. */
	for (size_t i = *at; i < cut->nb && cut->ranges[i].first <= range.last; i++) {
		if (cut->ranges[i].first > first) {
			int ret = dp_ipset_add(out, (uint32_t)first, cut->ranges[i].first - 1);

			if (ret < 0)
				return ret;
		}
		first = (uint64_t)cut->ranges[i].last + 1;
		if (cut->ranges[i].last <= range.last)
			*at = i + 1;
	}
	return first <= range.last ? dp_ipset_add(out, (uint32_t)first, range.last) : 0;
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

uint64_t dp_ipset_count(const struct dp_ipset *set) {
	return set->count;
}

size_t dp_ipset_ranges(const struct dp_ipset *set, const struct dp_range **ranges) {
	*ranges = set->ranges;
	return set->nb;
}

bool dp_ipset_contains(const struct dp_ipset *set, uint32_t ip) {
	size_t low = 0, high = set->nb;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->ranges[middle].last < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->nb && set->ranges[low].first <= ip;
}
