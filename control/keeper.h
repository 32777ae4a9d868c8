/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread that brings a checkpoint to the disk: what the checkpoint relies on first, then itself.
 *
 * The control core gives it one job at a time and never waits for the disk.
 */
#ifndef CTL_KEEPER_H
#define CTL_KEEPER_H

#include "journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KEEPER_MOST_FILES = 32,
};

/* What to do, in this order. The first thing that fails ends it. */
struct keeper_job {
	int fd[KEEPER_MOST_FILES]; /* to fdatasync(); they stay the giver's, who keeps them open */
	unsigned nb_fds;
	const struct journal_segment
		*segments; /* of the journal, to be written where they have bytes */
	unsigned nb_segments;
	const char *path; /* of the checkpoint; the segments are FILE.journal.N beside it */
	uint8_t *bytes; /* malloc; the keeper's */
	size_t n;
};

struct keeper;

/* `FILE.journal.N`, to be freed; NULL: no memory. */
char *keeper_segment_path(const char *checkpoint, uint64_t number);

/* 0 or -ENOMEM. Until keeper_start() jobs are done by who gives them. */
int keeper_create(struct keeper **keeper);
int keeper_start(
	struct keeper *keeper); /* the thread, on the CPUs of the caller; 0 or a negative errno */
void keeper_destroy(struct keeper *keeper); /* waits for the job; NULL is fine */

/* Give it a job; only when it is idle. */
void keeper_give(struct keeper *keeper, const struct keeper_job *job);

/* True where it has nothing to do; *@rc is how the last job ended, 0 or a negative errno. */
bool keeper_is_idle(const struct keeper *keeper, int *rc);

#endif
