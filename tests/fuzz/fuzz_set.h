/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of addresses that were read: what holds for each, and how one is written so that it reads back.
 */
#ifndef FUZZ_SET_H
#define FUZZ_SET_H

#include "fuzz.h"
#include "value.h"

#include <dp/ipset.h>

enum {
	SET_RANGES = 1000, /* of a set that is written down */
	SET_TEXT_BYTES = SET_RANGES * 2 * VALUE_TEXT_BYTES,
};

/*
 * Patterns such as 1-9.*.*.1 stand for as many ranges as their numbers make: that is what the operator
 * wants of them, and nothing to look for here.
 */
static inline bool is_costly(const uint8_t *data, size_t size) {
	unsigned wide = 0;

	for (size_t i = 0; i < size; i++) {
		if (strchr(", \t\r\n#;", data[i]))
			wide = 0;
		else if (data[i] == '*' || data[i] == '-')
			wide++;
		if (wide > 2)
			return true;
	}
	return false;
}

/* Ascending, disjoint, and none across the families. */
static inline void check_ranges(const struct dp_range *range, size_t nb) {
	for (size_t i = 0; i < nb; i++) {
		FUZZ_ASSERT(range[i].first <= range[i].last);
		FUZZ_ASSERT(dp_ip_is_v4(range[i].first) == dp_ip_is_v4(range[i].last));
		FUZZ_ASSERT(i == 0 || range[i - 1].last < range[i].first);
	}
}

/* As FIRST-LAST, each on a line; 0 where there are too many. */
static inline size_t write_ranges(const struct dp_range *range, size_t nb, char *text) {
	size_t used = 0;

	if (nb > SET_RANGES)
		return 0;
	for (size_t i = 0; i < nb; i++) {
		char first[VALUE_TEXT_BYTES], last[VALUE_TEXT_BYTES];

		value_write_ip(range[i].first, first);
		value_write_ip(range[i].last, last);
		used += (size_t)sprintf(text + used, "%s-%s\n", first, last);
	}
	return used;
}

static inline void check_same(
	const struct dp_range *a, size_t nb_a, const struct dp_range *b, size_t nb_b) {
	FUZZ_ASSERT(nb_a == nb_b);
	for (size_t i = 0; i < nb_a; i++)
		FUZZ_ASSERT(a[i].first == b[i].first && a[i].last == b[i].last);
}

#endif
