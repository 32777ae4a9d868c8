/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranges of counters that are left to scan. Pure functions, any thread; lists are the caller's. */
#include <dp/pieces.h>

#include <errno.h>
#include <stdlib.h>

void dp_pieces_clear(struct dp_pieces *pieces) {
	free(pieces->list);
	*pieces = (struct dp_pieces){0};
}

int dp_pieces_add(struct dp_pieces *pieces, dp_u128 first, dp_u128 end, uint32_t done) {
	struct dp_piece *list;

	if (first >= end)
		return 0;
	/* The room is the next power of two. */
	if ((pieces->nb & (pieces->nb - 1)) == 0) {
		list = reallocarray(
			pieces->list, pieces->nb ? 2 * (size_t)pieces->nb : 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		pieces->list = list;
	}
	pieces->list[pieces->nb++] = (struct dp_piece){first, end, done};
	return 0;
}

int dp_pieces_part(
	const struct dp_pieces *whole, unsigned number, unsigned of, struct dp_pieces *part) {
	const struct dp_slice all = {0, dp_pieces_counters(whole)};
	const struct dp_slice wanted = dp_slice_part(all, number + 1, of);
	dp_u128 at = 0; /* counters before the piece */
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < whole->nb && at < wanted.end; i++) {
		const struct dp_piece *piece = &whole->list[i];
		const dp_u128 length = piece->end - piece->first;
		const dp_u128 skip = wanted.first > at ? wanted.first - at : 0;
		const dp_u128 room = wanted.end - at;

		if (skip < length)
			rc = dp_pieces_add(part, piece->first + skip,
				piece->first + (room < length ? room : length), piece->done);
		at += length;
	}
	return rc;
}

/* Counters of the pieces whose turn it is at @pass. */
static dp_u128 counters_at(const struct dp_pieces *pieces, unsigned pass) {
	dp_u128 sum = 0;

	for (unsigned i = 0; i < pieces->nb; i++)
		if (pieces->list[i].done <= pass)
			sum += pieces->list[i].end - pieces->list[i].first;
	return sum;
}

/* Append [@first, @end), unless all is done. */
static int keep(
	struct dp_pieces *left, dp_u128 first, dp_u128 end, uint32_t done, unsigned passes) {
	return done < passes ? dp_pieces_add(left, first, end, done) : 0;
}

int dp_pieces_left(
	const struct dp_pieces *pieces, unsigned passes, uint64_t steps, struct dp_pieces *left) {
	unsigned pass = 0;
	dp_u128 into = steps; /* the pass */
	int rc = 0;

	for (dp_u128 all; pass < passes && (all = counters_at(pieces, pass)) <= into; pass++)
		into -= all;
	for (unsigned i = 0; rc == 0 && pass < passes && i < pieces->nb; i++) {
		const struct dp_piece *piece = &pieces->list[i];
		const dp_u128 length = piece->end - piece->first;
		const dp_u128 gone = into < length ? into : length;

		if (piece->done > pass) {
			rc = keep(left, piece->first, piece->end, piece->done, passes);
			continue;
		}
		rc = keep(left, piece->first, piece->first + gone, pass + 1, passes);
		if (rc == 0)
			rc = keep(left, piece->first + gone, piece->end, pass, passes);
		into -= gone;
	}
	return rc;
}

static int by_first(const void *a, const void *b) {
	const struct dp_piece *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void dp_pieces_tidy(struct dp_pieces *pieces) {
	unsigned kept = 0;

	if (!pieces->nb)
		return;
	qsort(pieces->list, pieces->nb, sizeof(*pieces->list), by_first);
	for (unsigned i = 1; i < pieces->nb; i++) {
		struct dp_piece *last = &pieces->list[kept];
		const struct dp_piece *piece = &pieces->list[i];

		if (piece->first == last->end && piece->done == last->done)
			last->end = piece->end;
		else
			pieces->list[++kept] = *piece;
	}
	/* There is more room now than dp_pieces_add() takes for granted. */
	pieces->nb = kept + 1;
}

bool dp_pieces_valid(const struct dp_pieces *pieces, struct dp_slice slice, unsigned passes) {
	dp_u128 end = slice.first;

	for (unsigned i = 0; i < pieces->nb; i++) {
		const struct dp_piece *piece = &pieces->list[i];

		if (piece->first < end || piece->first >= piece->end || piece->end > slice.end
			|| piece->done >= passes)
			return false;
		end = piece->end;
	}
	return true;
}

dp_u128 dp_pieces_counters(const struct dp_pieces *pieces) {
	dp_u128 sum = 0;

	for (unsigned i = 0; i < pieces->nb; i++)
		sum += pieces->list[i].end - pieces->list[i].first;
	return sum;
}

dp_u128 dp_pieces_steps(const struct dp_pieces *pieces, unsigned passes) {
	dp_u128 sum = 0;

	for (unsigned i = 0; i < pieces->nb; i++)
		sum += (pieces->list[i].end - pieces->list[i].first)
			* (passes - pieces->list[i].done);
	return sum;
}
