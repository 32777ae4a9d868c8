/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checkpoints of a running scan: when one is due, what it may say, and having it written.
 *
 * A transmission is covered by a checkpoint once its answer has had its time and all answers that came
 * in that time are durable. So one goes through these steps, without ever waiting for any of them:
 *
 *     1. the progress of the TX lcores that was noted `lag` ago (lag_ns()) is what will be covered
 *     2. all answers that are in the rings now have been collected (dp_engine_mark())
 *     3. all results that come of them are in the journal or with the writer; the writer says how far
 *        its files are once they are written
 *     4. the keeper brings these files, the journal, and then the checkpoint to the disk
 *
 * docs/resume.md has the argument. Control core.
 */
#ifndef CTL_SAVER_H
#define CTL_SAVER_H

#include "checkpoint.h"
#include "config.h"
#include "coverage.h"
#include "journal.h"
#include "pipeline.h"
#include "summary.h"
#include "writer.h"

struct saver;

/* What it looks at; all outlive it. */
struct saver_view {
	const struct ctl_config *config;
	const struct dp_key *key;
	struct dp_engine *engine;
	struct writer *writer;
	const struct coverage *coverage; /* NULL: none */
	struct journal *journal;
	struct pipeline *pipeline; /* NULL: none */
	const struct archive *archive; /* NULL: none */
	const struct ctl_summary *summary;
};

/*
 * 0, or a negative errno with @err filled, usage where the file is there already and must not be
 * replaced, or cannot be written. Starts no thread.
 */
int saver_create(const struct saver_view *view, struct saver **saver, struct dp_error *err);
void saver_destroy(struct saver *saver); /* NULL is fine */

/* Write one now, before the first probe, and wait for it. 0, or a negative errno with @err filled. */
int saver_begin(struct saver *saver, struct dp_error *err);

/* Start the thread that writes the others; NULL is fine. 0, or a negative errno with @err filled. */
int saver_start(struct saver *saver, struct dp_error *err);

/*
 * The probes were released, with what on_pre_scan left: NULL: the whole plan. @none: nothing. 0 or a negative
 * errno with @err filled.
 */
int saver_released(struct saver *saver, const struct dp_space *narrowed, struct dp_slice slice,
	bool none, struct dp_error *err);

/* More was excluded, @all in all. 0, or a negative errno with @err filled: checkpoints do not know of it. */
int saver_excluded(struct saver *saver, const struct dp_ipset *all, struct dp_error *err);

/* Go on. @settled: all results that were collected are with the writer, or in the pipeline. */
void saver_step(struct saver *saver, uint64_t now_ns, bool settled);

/*
 * The last one of this run, and wait for it; the writer is drained. @cooled: the cooldown was kept, so
 * that all that was sent is covered. 0 or a negative errno.
 */
int saver_end(struct saver *saver, uint64_t now_ns, bool cooled);

/* Nothing is left to do, and the outputs are finished: the checkpoint says so. Behind saver_end(). */
int saver_complete(struct saver *saver);

/* The program stood still for @gap_ns: no answer had its time meanwhile. */
void saver_stalled(struct saver *saver, uint64_t gap_ns);

/* False: so much waits to be written that no more answers should be taken. */
bool saver_has_room(const struct saver *saver);

/* Checkpoints that could not be written. */
uint64_t saver_failures(const struct saver *saver);

#endif
