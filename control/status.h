/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Status records: the account of a run while it goes on, one JSON object a line, for programs that watch
 * it, in [status] file and with --json-status on standard error. docs/status.md has the fields, and what
 * holds between them at any moment.
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
 * Open [status] file, as outputs are opened; *@status is NULL where there is none and no --json-status. No
 * file that a reader could block is taken, and on standard error what its reader is too slow for is left
 * out, and counted: the control core waits for nobody. 0, or a negative errno with @err filled.
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
 * monotonic. 0, or what went wrong with the file: then nothing more is written to it.
 */
int status_put(struct status *status, const struct ctl_summary *summary, const char *phase,
	uint64_t now_ns, bool force);

/* The record alone, without the end of its line; to be freed. NULL: no memory. */
char *status_text(const struct ctl_summary *summary, const char *phase);

#endif
