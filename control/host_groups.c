/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results by host, within bounded memory.
 *
 * Runs on the thread of its output. Owns the rows that are held and their text, in one buffer that
 * grows to its bound and stays.
 */
#include "host_groups.h"

#include <errno.h>
#include <stdlib.h>

struct host_groups {
	host_fn fn;
	void *user;
	char *text;
	size_t room, used;
	unsigned nb;
	struct host_row rows[HOST_ROWS];
};

int host_groups_create(host_fn fn, void *user, struct host_groups **groups) {
	struct host_groups *g = malloc(sizeof *g);

	if (!g)
		return -ENOMEM;
	g->fn = fn;
	g->user = user;
	g->text = NULL;
	g->room = g->used = 0;
	g->nb = 0;
	*groups = g;
	return 0;
}

void host_groups_destroy(struct host_groups *groups) {
	if (!groups)
		return;
	free(groups->text);
	free(groups);
}

static int by_host(const void *left, const void *right) {
	const struct dp_answer *a = &((const struct host_row *)left)->answer;
	const struct dp_answer *b = &((const struct host_row *)right)->answer;

	if (a->ip != b->ip)
		return a->ip < b->ip ? -1 : 1;
	return (a->port > b->port) - (a->port < b->port);
}

void host_groups_flush(struct host_groups *groups) {
	struct host_row *rows = groups->rows;
	unsigned from = 0;

	qsort(rows, groups->nb, sizeof *rows, by_host);
	for (unsigned i = 1; i <= groups->nb; i++) {
		if (i < groups->nb && rows[i].answer.ip == rows[from].answer.ip)
			continue;
		size_t bytes = 0;
		for (unsigned k = from; k < i; k++)
			bytes += rows[k].bytes;
		groups->fn(groups->user, &rows[from], i - from, groups->text, bytes);
		from = i;
	}
	groups->nb = 0;
	groups->used = 0;
}

char *host_groups_room(struct host_groups *groups, size_t bytes) {
	if (groups->nb == HOST_ROWS || groups->used >= HOST_BYTES)
		host_groups_flush(groups);
	if (groups->room - groups->used < bytes) {
		size_t room
			= groups->used + bytes < 64 << 10 ? 64 << 10 : 2 * (groups->used + bytes);
		char *text = realloc(groups->text, room);
		if (!text)
			return NULL;
		groups->text = text;
		groups->room = room;
	}
	return groups->text + groups->used;
}

void host_groups_add(struct host_groups *groups, const struct dp_answer *answer, size_t bytes) {
	groups->rows[groups->nb++]
		= (struct host_row){.answer = *answer, .at = groups->used, .bytes = bytes};
	groups->used += bytes;
}
