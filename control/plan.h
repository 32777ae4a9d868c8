/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a configuration to what a run will do.
 */
#ifndef CTL_PLAN_H
#define CTL_PLAN_H

#include "config.h"
#include "dedup.h"

#include <stdio.h>

/* The counters of this shard. */
struct dp_slice plan_slice(const struct ctl_config *config);

/* The packet path's parameters, with a fresh cookie key, or the checkpoint's. 0 or a negative errno with @err filled. */
int plan_params(const struct ctl_config *config, struct dp_params *params, struct dp_error *err);

/* Whether a response can tell which transmission it answers: there are source ports enough. */
bool plan_tells_passes(const struct ctl_config *config, const struct dp_plan *plan);

/*
 * Why the coverage of a scan with several transmissions cannot be estimated, or NULL where it can: they
 * must be told apart, and all of a pair be alike. Those of a UDP port with several payloads, and
 * discovery's kinds of probes, are not; ARP and ND repeat nothing that would say which request was
 * answered.
 */
const char *plan_no_coverage(const struct ctl_config *config, const struct dp_plan *plan);

/* What the run de-duplicates with. 0 or a negative errno with @err filled. */
int plan_dedup(const struct ctl_config *config, struct dedup **dedup, struct dp_error *err);

/* --dry-run: plan and print, send nothing. 0 or a negative errno with @err filled. */
int plan_print(const struct ctl_config *config, FILE *out, struct dp_error *err);

/* The two or three lines that a run begins with. */
void plan_print_start(const struct ctl_config *config, const struct dp_plan *plan, FILE *out);

#endif
