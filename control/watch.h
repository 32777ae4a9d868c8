/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a run as others than the control core may look at it: a copy that the control core
 * publishes, and that the threads of [metrics] read.
 */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "summary.h"

#include <time.h>

enum {
	WATCH_PHASE_BYTES = 16,
};

/* What is published. Its pointers are to what lives as long as the run. */
struct watch_view {
	struct ctl_summary summary;
	char phase[WATCH_PHASE_BYTES];
	struct timespec at; /* UTC */
};

struct watch;

/* 0 or -ENOMEM. Nothing is published yet. */
int watch_create(struct watch **watch);
void watch_destroy(struct watch *watch); /* NULL is fine */

/*
 * Control core: publish what is so now. Never waits, unless @wait says that it has the time: where somebody
 * reads at this very moment the copy stays as it was, and false says so.
 */
bool watch_publish(
	struct watch *watch, const struct ctl_summary *summary, const char *phase, bool wait);

/* Any thread: the latest copy; all of it is of one moment. False: there is none yet. */
bool watch_read(struct watch *watch, struct watch_view *view);

#endif
