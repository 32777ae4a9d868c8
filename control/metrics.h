/* SPDX-License-Identifier: BSD-3-Clause */
/* The account of a run in Prometheus' text format 0.0.4. docs/watching.md has the names. */
#ifndef CTL_METRICS_H
#define CTL_METRICS_H

#include "watch.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* All metrics, as of the view. 0 or a negative errno. */
int metrics_write(const struct watch_view *view, FILE *out);

#endif
