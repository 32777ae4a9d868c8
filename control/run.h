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

/*
 * Scan. @interrupts counts the signals so far: one stops sending, two end the cooldown too. @reloads
 * counts the SIGHUPs: each has the exclude files read again. Returns the exit status; where it is RUN_FAILED or RUN_USAGE, @err says why.
 */
int run_scan(const struct ctl_config *config, const atomic_int *interrupts,
	const atomic_int *reloads, struct dp_error *err);

#endif
