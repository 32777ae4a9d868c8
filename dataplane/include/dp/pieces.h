/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is left of a scan: ranges of counters of its order, each with the number of passes that it has
 * behind it.
 *
 * A scan that begins is one piece, its slice. One that was interrupted is some more: what each lcore
 * still had to do. They do not say which lcore that was, so that any number of them can go on.
 *
 * A walk goes through the pieces once a pass, in their order, and leaves out those that have the pass
 * behind them. A step is one counter at one pass, so that a number of steps stands for a place of the
 * walk. Pure functions; a list is its owner's, to be freed with dp_pieces_clear().
 */
#ifndef DP_PIECES_H
#define DP_PIECES_H

#include <dp/order.h>

struct dp_piece {
	dp_u128 first, end; /* counters [first, end) */
	uint32_t done; /* passes behind it */
};

struct dp_pieces {
	struct dp_piece *list;
	unsigned nb;
};

void dp_pieces_clear(struct dp_pieces *pieces);

/* Append counters, unless there are none. 0 or -ENOMEM. */
int dp_pieces_add(struct dp_pieces *pieces, dp_u128 first, dp_u128 end, uint32_t done);

/* Append part @number (from 0) of @of: parts are disjoint, cover all, and have equally many counters. */
int dp_pieces_part(
	const struct dp_pieces *whole, unsigned number, unsigned of, struct dp_pieces *part);

/* Append what a walk of @passes passes over @pieces leaves after @steps. 0 or -ENOMEM. */
int dp_pieces_left(
	const struct dp_pieces *pieces, unsigned passes, uint64_t steps, struct dp_pieces *left);

/* Sort, and make neighbours with the same passes behind them one. */
void dp_pieces_tidy(struct dp_pieces *pieces);

/* Whether they are tidy, disjoint, within @slice, and have less than @passes behind them. */
bool dp_pieces_valid(const struct dp_pieces *pieces, struct dp_slice slice, unsigned passes);

/* Counters in them; steps of a walk. */
dp_u128 dp_pieces_counters(const struct dp_pieces *pieces);
dp_u128 dp_pieces_steps(const struct dp_pieces *pieces, unsigned passes);

#endif
