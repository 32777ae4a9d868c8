/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that probes of one family come from, on one port: which of them is a pure function of
 * the cookie, so that a response that comes to another one is none. Read-only once the lcores run.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <dp/engine.h>

struct sources {
	struct dp_range range[DP_MAX_SOURCES]; /* ascending, disjoint */
	unsigned nb;
	dp_u128 total;
	dp_ip only; /* the address where there is just one; else 0 */
};

static inline void sources_init(struct sources *s, const struct dp_range *range, unsigned nb) {
	*s = (struct sources){.nb = nb};
	for (unsigned i = 0; i < nb; i++) {
		s->range[i] = range[i];
		s->total += range[i].last - range[i].first + 1;
	}
	if (s->total == 1)
		s->only = range[0].first;
}

/* The address of a probe whose cookie spreads to @spread, of 64 uniform bits. There must be one. */
static inline dp_ip source_pick(const struct sources *s, uint64_t spread) {
	dp_u128 at;

	if (s->only)
		return s->only;
	/* Beyond 2^64 addresses the lower half of them is as good as all. */
	at = s->total >> 64 ? spread : (dp_u128)spread * (uint64_t)s->total >> 64;
	for (unsigned i = 0; i + 1 < s->nb; i++) {
		dp_u128 count = s->range[i].last - s->range[i].first + 1;

		if (at < count)
			return s->range[i].first + at;
		at -= count;
	}
	return s->range[s->nb - 1].first + at;
}

static inline bool sources_have(const struct sources *s, dp_ip ip) {
	if (s->only)
		return ip == s->only;
	for (unsigned i = 0; i < s->nb; i++)
		if (ip >= s->range[i].first && ip <= s->range[i].last)
			return true;
	return false;
}

#endif
