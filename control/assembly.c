/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes of a port, with the islands beyond them. Control core; owns its bytes.
 *
 * What comes is hostile: any offset and length may be claimed, so that no more than max_bytes of
 * memory follow from it.
 */
#include "assembly.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_ROOM = 64,
};

struct island {
	uint32_t first, end;
};

struct assembly {
	uint32_t max;
	uint32_t end; /* of what the port says, as far as it is known; else max */
	uint32_t have; /* bytes from the beginning without a hole */
	uint32_t room;
	unsigned nb_islands;
	struct island island[ASSEMBLY_ISLANDS]; /* ascending, apart from each other, beyond have */
	uint8_t *bytes;
};

struct assembly *assembly_create(uint32_t max_bytes) {
	struct assembly *a = calloc(1, sizeof(*a));

	if (a)
		a->max = a->end = max_bytes;
	return a;
}

void assembly_destroy(struct assembly *assembly) {
	if (!assembly)
		return;
	free(assembly->bytes);
	free(assembly);
}

/* Room for @end bytes, and a NUL behind them. */
static bool make_room(struct assembly *a, uint32_t end) {
	uint32_t room = a->room ? a->room : FIRST_ROOM;
	uint8_t *more;

	if (end <= a->room)
		return true;
	while (room < end)
		room *= 2;
	if (room > a->max)
		room = a->max;
	more = realloc(a->bytes, (size_t)room + 1);
	if (!more)
		return false;
	a->bytes = more;
	a->room = room;
	return true;
}

/* Note that the bytes are here, together with what they touch. False: no place for it. */
static bool add_island(struct assembly *a, struct island new) {
	unsigned from = 0, to;

	while (from < a->nb_islands && a->island[from].end < new.first)
		from++;
	for (to = from; to < a->nb_islands && a->island[to].first <= new.end; to++) {
		if (a->island[to].first < new.first)
			new.first = a->island[to].first;
		if (a->island[to].end > new.end)
			new.end = a->island[to].end;
	}
	if (to == from && a->nb_islands == ASSEMBLY_ISLANDS)
		return false;
	memmove(&a->island[from + 1], &a->island[to], (a->nb_islands - to) * sizeof(new));
	a->nb_islands = a->nb_islands + 1 - (to - from);
	a->island[from] = new;
	return true;
}

/* The islands that the bytes from the beginning have come to. */
static void join_islands(struct assembly *a) {
	unsigned n = 0;

	for (; n < a->nb_islands && a->island[n].first <= a->have; n++)
		if (a->island[n].end > a->have)
			a->have = a->island[n].end;
	a->nb_islands -= n;
	memmove(a->island, &a->island[n], a->nb_islands * sizeof(a->island[0]));
}

void assembly_add(
	struct assembly *assembly, uint32_t at, const uint8_t *bytes, uint32_t n, bool last) {
	struct assembly *a = assembly;
	uint64_t all = (uint64_t)at + n;
	uint32_t first = at > a->have ? at : a->have;
	uint32_t end = all < a->max ? (uint32_t)all : a->max;

	if (last && end < a->end)
		a->end = end;
	if (first >= end || !make_room(a, end))
		return;
	if (first > a->have && !add_island(a, (struct island){first, end}))
		return;
	memcpy(a->bytes + first, bytes + (first - at), end - first);
	if (first == a->have)
		a->have = end;
	join_islands(a);
}

bool assembly_is_complete(const struct assembly *assembly) {
	return assembly->have >= assembly->end;
}

size_t assembly_memory(const struct assembly *assembly) {
	return sizeof(*assembly) + (assembly->bytes ? (size_t)assembly->room + 1 : 0);
}

uint8_t *assembly_take(struct assembly *assembly, uint32_t *n) {
	uint8_t *bytes = NULL;

	*n = assembly->have;
	if (*n) {
		bytes = assembly->bytes;
		assembly->bytes = NULL;
		bytes[*n] = '\0';
	}
	assembly_destroy(assembly);
	return bytes;
}
