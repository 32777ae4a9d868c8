/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results gathered by host, for formats that have an element or a line a host. Memory is bounded: once
 * HOST_ROWS results or HOST_BYTES of text are held, all of them are given out, sorted, and the next are
 * gathered. So a host whose results come far apart is given out more than once.
 *
 * Used by one thread at a time, that of its output.
 */
#ifndef CTL_HOST_GROUPS_H
#define CTL_HOST_GROUPS_H

#include <dp/answer.h>

#include <stddef.h>

enum {
	HOST_ROWS = 16384,
	HOST_BYTES = 16 << 20, /* and the text of one row more */
};

/* A result, and what the format made of it. */
struct host_row {
	struct dp_answer answer;
	size_t at, bytes; /* its text in the groups' */
};

struct host_groups;

/* Takes the results of one host, by port; @text is what their @at counts from. Gone after this. */
typedef void (*host_fn)(
	void *user, const struct host_row *rows, unsigned n, const char *text, size_t bytes);

int host_groups_create(host_fn fn, void *user, struct host_groups **groups); /* 0 or -ENOMEM */
void host_groups_destroy(struct host_groups *groups); /* NULL is fine; gives nothing out */

/* Room for a text of up to @bytes; NULL: no memory. May give out what is held. */
char *host_groups_room(struct host_groups *groups, size_t bytes);

/* Hold a result whose text of @bytes was written there. */
void host_groups_add(struct host_groups *groups, const struct dp_answer *answer, size_t bytes);

/* Give out all that is held. */
void host_groups_flush(struct host_groups *groups);

#endif
