/* SPDX-License-Identifier: BSD-3-Clause */
/* /prtip/stats, /prtip/plugins and /prtip/config on DPDK's telemetry socket. docs/watching.md has them. */
#ifndef CTL_TELEMETRY_H
#define CTL_TELEMETRY_H

#include "config.h"
#include "watch.h"

/* What the commands answer from: the published copy, and the configuration, which does not change. */
struct telemetry {
	const struct ctl_config *config;
	struct watch *watch;
};

/*
 * Offer the commands where [metrics] telemetry is on. After the engine was made; @telemetry has to stay until
 * telemetry_end(). 0, or a negative errno with @err filled.
 */
int telemetry_begin(const struct telemetry *telemetry, struct dp_error *err);

/* No command runs any more, nor will. */
void telemetry_end(void);

/* Where the socket is. */
void telemetry_print(const struct ctl_config *config, FILE *out);

#endif
