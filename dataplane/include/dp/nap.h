/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a loop that polls may sleep when it finds nothing. Short naps cost more than what they wait
 * for: at 50 us, two threads took a tenth of a CPU each through every cooldown.
 */
#ifndef DP_NAP_H
#define DP_NAP_H

#include <stdint.h>

enum {
	DP_NAP_NS = 50 * 1000, /* two or three times that with a thread's default slack */
	DP_NAP_LONGEST_NS = 1000 * 1000,
	DP_NAP_SHARE = 256, /* of the time without an answer: what a round trip may be off */
	/* Long naps only while at most so many answers a second can be under way: what piles up in 1 ms fits
	 * the smallest device ring. */
	DP_NAP_CALM_PPS = 100 * 1000,
};

/* For a loop that found nothing for @idle_ns. */
static inline uint32_t dp_nap_ns(uint64_t idle_ns, int calm) {
	uint64_t nap_ns = calm ? idle_ns / DP_NAP_SHARE : 0;

	if (nap_ns < DP_NAP_NS)
		return DP_NAP_NS;
	return nap_ns < DP_NAP_LONGEST_NS ? (uint32_t)nap_ns : DP_NAP_LONGEST_NS;
}

#endif
