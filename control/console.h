/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people and programs ask of a running scan: by keys, by SIGUSR1 and SIGUSR2, and by the control
 * socket. docs/control.md has it all.
 *
 * Control core, between two turns of its loop.
 */
#ifndef CTL_CONSOLE_H
#define CTL_CONSOLE_H

#include "config.h"
#include "progress.h"
#include "summary.h"

#include <stdatomic.h>

struct console;
struct status;

/* What it looks at and acts on. All of it must outlive the console. */
struct console_view {
	const struct ctl_config *config;
	struct dp_engine *engine;
	struct progress *progress;
	const struct ctl_summary *summary;
	struct status *status; /* NULL: none */
	const atomic_int *state_asks; /* SIGUSR1s */
	const atomic_int *rate_asks; /* SIGUSR2s */
};

/* Makes the control socket, so before privileges go. 0, or a negative errno with @err filled. */
int console_create(const struct console_view *view, struct console **console, struct dp_error *err);
void console_destroy(struct console *console); /* NULL is fine */

/* Take keys from now on, where there are some to be had. True where there are. */
bool console_start(struct console *console);
void console_end(struct console *console);

/*
 * Answer and do what was asked since; @phase as in progress.h, the summary is of now. A command to stop raises
 * SIGINT. True where something was printed, so that the progress line is gone.
 */
bool console_step(struct console *console, const char *phase);

#endif
