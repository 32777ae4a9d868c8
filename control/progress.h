/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The progress line: one line on standard error, redrawn in place on a terminal and never wider than
 * it, a plain line now and then where it is not one.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "summary.h"

#include <pthread.h>

/* A stretch of work that shows no progress by itself. */
struct progress_stage {
	pthread_t thread;
	pthread_mutex_t lock; /* over all below, and the line while the thread runs */
	pthread_cond_t changed;
	char name[32];
	uint64_t began_ns, next_ns; /* when it shows itself next; monotonic */
	bool ended;
};

struct progress {
	int fd; /* where the line goes */
	bool terminal;
	bool color; /* on a terminal, unless NO_COLOR is set */
	bool shown; /* a line stands on the terminal */
	unsigned columns;
	uint64_t interval_ns;
	uint64_t last_ns; /* when a line was last shown; 0: never */
	uint64_t last_sent, last_received;
	struct progress_stage *stage; /* NULL: none goes on */
};

void progress_init(struct progress *progress, int fd, uint64_t interval_ns);

/*
 * Show the state if the interval has passed (ten times that where not a terminal) or @force.
 * @summary as of now (elapsed_s, remaining_s, stats, states, ...); @phase: "resolving", "scanning",
 * "paused", "cooldown", "plugins" (they finish what waits for them).
 */
void progress_show(struct progress *progress, const struct ctl_summary *summary, const char *phase,
	uint64_t now_ns, bool force);

/*
 * Until progress_end() a thread shows @name ("loading", "starting", "writing") and the time since,
 * from the first interval on, as the caller is busy. Only progress_clear() may be called meanwhile.
 * Where there is no thread to be had, nothing is shown.
 */
void progress_begin(struct progress *progress, const char *name);
void progress_end(struct progress *progress); /* takes the line off; nothing where none began */

/* Take the line off the terminal, before something else is printed there. */
void progress_clear(struct progress *progress);

#endif
