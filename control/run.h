/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run: plan, packet path, control core, outputs, from configuration to summary.
 */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include "config.h"

#include <stdatomic.h>

enum {
	RUN_COMPLETE = 0,
	RUN_FAILED = 1,
	RUN_USAGE = 2,
	RUN_LOSSES = 3,
	RUN_INTERRUPTED = 130,
};

/* How many signals came so far; counted by handlers. */
struct run_signals {
	const atomic_int *interrupts; /* one stops sending, two end the cooldown too */
	const atomic_int *reloads; /* SIGHUP: each has the exclude files read again */
	const atomic_int *state_asks; /* SIGUSR1: each has the state printed */
	const atomic_int *rate_asks; /* SIGUSR2: each has the rate read again */
};

/*
 * Scan. Returns the exit status; where it is RUN_FAILED or RUN_USAGE, @err says why.
 */
int run_scan(
	const struct ctl_config *config, const struct run_signals *signals, struct dp_error *err);

#endif
