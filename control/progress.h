/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The progress line: one line on standard error, redrawn in place on a terminal (within its width,
 * 80 columns at the least), a plain line now and then where it is not one.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "summary.h"

struct progress {
	int fd; /* where the line goes */
	bool terminal;
	bool color; /* on a terminal, unless NO_COLOR is set */
	bool shown; /* a line stands on the terminal */
	unsigned columns;
	uint64_t interval_ns;
	uint64_t last_ns; /* when a line was last shown; 0: never */
	uint64_t last_sent, last_received;
};

void progress_init(struct progress *progress, int fd, uint64_t interval_ns);

/*
 * Show the state if the interval has passed (ten times that where not a terminal) or @force.
 * @summary as of now (elapsed_s, stats, open, ...); @phase: "resolving", "scanning", "cooldown",
 * "plugins" (they finish what waits for them), "writing"; @remaining_s: estimate, negative where unknown.
 */
void progress_show(struct progress *progress, const struct ctl_summary *summary, const char *phase,
	double remaining_s, uint64_t now_ns, bool force);

/* Take the line off the terminal, before something else is printed there. */
void progress_clear(struct progress *progress);

#endif
