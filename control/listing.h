/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --list-targets and --sim-truth: what a scan would send and what the simulated network would say,
 * without sending anything.
 */
#ifndef CTL_LISTING_H
#define CTL_LISTING_H

#include "config.h"

/*
 * Write `ip port proto` for every pair of this shard to @fd, in scan order; `ip - proto` where the
 * scan type has no ports, so that there are three columns in any case. 0 or a negative errno;
 * -EPIPE where the reader went away (SIGPIPE must be ignored).
 */
int ctl_list_targets(const struct ctl_config *config, int fd);

/* Write `ip port proto state` for every pair of this shard that answers, by ascending index. */
int ctl_list_sim_truth(const struct ctl_config *config, int fd);

#endif
