/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Status records: the account of a run while it goes on, one JSON object a line, for programs that watch
 * it. docs/status.md has the fields, and what holds between them at any moment.
 *
 * Control core, between two turns of its loop, so that its own counters of a record are of one moment.
 */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include "config.h"
#include "summary.h"

#include <time.h>

struct status;

/*
 * Open [status] file, as outputs are opened; *@status is NULL where there is none. Nothing that a reader
 * could block is taken: the control core waits for nobody. 0, or a negative errno with @err filled.
 */
int status_create(const struct ctl_config *config, struct status **status, struct dp_error *err);
void status_destroy(struct status *status); /* NULL is fine */

/*
 * Write a record to @out, as of @at. 0, or a negative errno. Whoever shows the state elsewhere uses it:
 * /status.json is the same record.
 */
int status_record(
	FILE *out, const struct ctl_summary *summary, const char *phase, const struct timespec *at);

/*
 * Write a record if [status] interval has passed since the latest, or @force says so. @now_ns is
 * monotonic. 0, or what went wrong with the file: then nothing more is written.
 */
int status_put(struct status *status, const struct ctl_summary *summary, const char *phase,
	uint64_t now_ns, bool force);

#endif
