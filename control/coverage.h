/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many of those that would answer were heard, estimated from how often each of them was.
 *
 * With n transmissions of each pair, every answering pair gives away how many of them came through.
 * If losses are independent, of each other and of the pair, that number is binomial (n, q), cut off
 * at 0, as who never answered is not seen. The q that makes what was seen the likeliest gives the
 * share that was heard at least once, 1 - (1 - q)^n. The interval is about the share that this very scan
 * heard, not about the mean of many such scans: how many are missing by chance is part of it. Losses that come in bursts longer than the time
 * between two transmissions, or that hit some hosts more than others, make the estimate too high.
 *
 * Memory is bounded: a keyed sample of pairs is looked at, whose rate is halved whenever it is full.
 * Used by the control core alone.
 */
#ifndef CTL_COVERAGE_H
#define CTL_COVERAGE_H

#include <dp/ip.h>

enum {
	COVERAGE_PAIRS = 65536, /* that are looked at, at the most */
	COVERAGE_MOST = 16, /* transmissions */
};

struct coverage_estimate {
	double estimate, low, high; /* 0 to 1; the interval at 95% */
};

struct coverage;

/* What is known of the sample, to be kept and taken up again. */
struct coverage_saved {
	struct coverage_pair {
		uint64_t hash;
		uint32_t heard;
	} * pairs; /* malloc */
	uint32_t nb, thinned;
};

/* @probes: transmissions of each pair, 2 to COVERAGE_MOST. 0 or -ENOMEM. */
int coverage_create(unsigned probes, uint64_t key, struct coverage **coverage);
void coverage_destroy(struct coverage *coverage); /* NULL is fine */

/* An answer to transmission @pass of a pair; repeats count once. */
void coverage_answer(struct coverage *coverage, dp_ip ip, uint32_t endpoint, unsigned pass);

/* 0 or -ENOMEM; -EBADMSG where it cannot have come from such a sample. The key has to be the same. */
int coverage_save(const struct coverage *coverage, struct coverage_saved *saved);
int coverage_restore(struct coverage *coverage, const struct coverage_saved *saved);

/* False where nothing answered. */
bool coverage_estimate(const struct coverage *coverage, struct coverage_estimate *estimate);

/*
 * The same from counts: @pairs[k] of the sample answered k + 1 of @probes transmissions, and @heard pairs
 * answered at all, of which the sample is all or a part.
 */
bool coverage_of_counts(
	const uint64_t *pairs, unsigned probes, double heard, struct coverage_estimate *estimate);

#endif
