/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which addresses plugins may reach: the scan's scope less what was excluded since, and what each
 * slot of a lane stands for.
 *
 * The control core writes, in memory that it shares with the warden and with no lane; both read. A
 * reader that meets a change looks again: what it finds was true at one moment, and a change that was
 * complete before the question holds for the answer.
 */
#include "area.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	TRIES = 1000, /* of a reader, before it says no */
};

/* ---- Slots ---- */

void authority_set(struct authority *authority, lh_ip ip) {
	uint64_t version = atomic_load_explicit(&authority->version, memory_order_relaxed);

	atomic_store_explicit(&authority->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&authority->high, (uint64_t)(ip >> 64), memory_order_relaxed);
	atomic_store_explicit(&authority->low, (uint64_t)ip, memory_order_relaxed);
	atomic_store_explicit(&authority->version, version + 2, memory_order_release);
}

lh_ip authority_get(struct authority *authority) {
	uint64_t before = atomic_load_explicit(&authority->version, memory_order_acquire);
	uint64_t high = atomic_load_explicit(&authority->high, memory_order_relaxed);
	uint64_t low = atomic_load_explicit(&authority->low, memory_order_relaxed);

	atomic_thread_fence(memory_order_acquire);
	if (before & 1 || atomic_load_explicit(&authority->version, memory_order_relaxed) != before)
		return 0;
	return lh_ip_v6(high, low);
}

/* ---- Ranges ---- */

bool scope_contains(const struct lh_range *ranges, size_t nb, lh_ip ip) {
	size_t low = 0, high = nb;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].last < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low < nb && ranges[low].first <= ip;
}

static struct lh_range read_range(struct excluded *excluded, unsigned table, size_t i) {
	uint64_t half[4];

	for (unsigned k = 0; k < 4; k++)
		half[k] = atomic_load_explicit(&excluded->range[table][i][k], memory_order_relaxed);
	return (struct lh_range){lh_ip_v6(half[0], half[1]), lh_ip_v6(half[2], half[3])};
}

static void write_range(
	struct excluded *excluded, unsigned table, size_t i, const struct lh_range *range) {
	const uint64_t half[4] = {(uint64_t)(range->first >> 64), (uint64_t)range->first,
		(uint64_t)(range->last >> 64), (uint64_t)range->last};

	for (unsigned k = 0; k < 4; k++)
		atomic_store_explicit(&excluded->range[table][i][k], half[k], memory_order_relaxed);
}

static bool table_contains(struct excluded *excluded, unsigned table, size_t nb, lh_ip ip) {
	size_t low = 0, high = nb;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (read_range(excluded, table, middle).last < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low < nb && read_range(excluded, table, low).first <= ip;
}

bool excluded_contains(struct excluded *excluded, lh_ip ip) {
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t version = atomic_load_explicit(&excluded->version, memory_order_acquire);
		uint32_t nb
			= atomic_load_explicit(&excluded->nb[version & 1], memory_order_relaxed);
		bool found = table_contains(excluded, version & 1, nb, ip);

		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&excluded->version, memory_order_relaxed) == version)
			return found;
	}
	return true;
}

static int by_first(const void *a, const void *b) {
	const struct lh_range *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Put ranges that overlap or touch together; they are sorted. Returns how many are left. */
static size_t merge(struct lh_range *ranges, size_t nb) {
	size_t kept = 0;

	for (size_t i = 0; i < nb; i++) {
		struct lh_range *last = kept ? &ranges[kept - 1] : NULL;

		if (!last || (ranges[i].first > last->last && ranges[i].first - last->last > 1))
			ranges[kept++] = ranges[i];
		else if (ranges[i].last > last->last)
			last->last = ranges[i].last;
	}
	return kept;
}

int excluded_add(struct excluded *excluded, const struct lh_range *more, size_t nb) {
	uint64_t version = atomic_load_explicit(&excluded->version, memory_order_relaxed);
	unsigned now = version & 1, next = !now;
	uint32_t old = atomic_load_explicit(&excluded->nb[now], memory_order_relaxed);
	struct lh_range *all;

	for (size_t i = 0; i < nb; i++)
		if (more[i].first > more[i].last)
			return -EINVAL;
	if (!nb)
		return 0;
	all = calloc(old + nb, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < old; i++)
		all[i] = read_range(excluded, now, i);
	memcpy(all + old, more, nb * sizeof(*all));
	qsort(all, old + nb, sizeof(*all), by_first);
	nb = merge(all, old + nb);
	if (nb <= LH_EXCLUDED_MAX) {
		/*
		 * A reader of the version before may still be in this table: the one that it sees
		 * gone then is the one that is current now.
		 */
		atomic_thread_fence(memory_order_release);
		for (size_t i = 0; i < nb; i++)
			write_range(excluded, next, i, &all[i]);
		atomic_store_explicit(&excluded->nb[next], (uint32_t)nb, memory_order_relaxed);
		atomic_store_explicit(&excluded->version, version + 1, memory_order_release);
	}
	free(all);
	return nb <= LH_EXCLUDED_MAX ? 0 : -E2BIG;
}

bool scope_allows(const struct setup *setup, lh_ip ip) {
	return scope_contains(setup->params->scope, setup->params->nb_scope, ip)
		&& !excluded_contains(setup->excluded, ip);
}
