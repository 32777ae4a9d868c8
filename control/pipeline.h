/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results on their way from the packet path to the writer: they wait for their banners, which name their
 * services (detect.h), then go through the plugins that match them, one plugin after the other (detection, scan, output, each in
 * `enable` order), and come out once, merged.
 *
 * Used by the control core alone; never blocks. A plugin that lags `queue` results behind meets its
 * overflow: the results go to disk, are skipped, or hold back what comes after.
 */
#ifndef CTL_PIPELINE_H
#define CTL_PIPELINE_H

#include "archive.h"
#include "config.h"
#include "journal.h"
#include "result.h"
#include "summary.h"

struct pipeline;

/*
 * @host: NULL without plugins. @accounts: one a plugin, kept up to date. All must outlive it. 0 or a
 * negative errno with @err filled.
 */
int pipeline_create(const struct ctl_config *config, struct lh_host *host,
	struct ctl_plugin_account *accounts, struct pipeline **pipeline, struct dp_error *err);
void pipeline_destroy(struct pipeline *pipeline); /* NULL is fine; frees what is still in it */

/*
 * Results that wait for plugins have to be in @journal at each checkpoint; before the first result.
 */
void pipeline_keep(struct pipeline *pipeline, struct journal *journal);

/* Put into the journal what waits and is not in there; what waits for a banner is never. */
void pipeline_journal(struct pipeline *pipeline);

/*
 * Take up a result of an earlier run, from @segment of its journal: as its answer and banner were, on
 * the way through all plugins. Transfers the extra.
 */
void pipeline_resume(struct pipeline *pipeline, struct result *result, uint64_t segment);

/* What the accounts would be if nothing of what is still in the pipeline had been offered. */
void pipeline_settled_account(
	const struct pipeline *pipeline, unsigned plugin, struct ctl_plugin_account *account);

/* Whether there is room for more results; else answers stay in the rings of the packet path. */
bool pipeline_has_room(const struct pipeline *pipeline);

/* A pair's first answer. */
void pipeline_enter(struct pipeline *pipeline, const struct dp_answer *answer);

/*
 * A piece of what an open port said: for the result that waits for it, if any. It goes on once all is
 * there, or [banner] max_bytes, or after [banner] wait with what comes before the first hole.
 */
void pipeline_banner(struct pipeline *pipeline, const struct dp_answer *answer);

/* Move on; @now_ns is monotonic. True where something happened. */
bool pipeline_step(struct pipeline *pipeline, uint64_t now_ns);

/* Take up to @max finished results; transfers their extras. */
unsigned pipeline_take(struct pipeline *pipeline, struct result *results, unsigned max);

/* No banner comes any more: what waits for one goes on without. */
void pipeline_end_banners(struct pipeline *pipeline);

/* Results that still wait for their banners. */
uint64_t pipeline_without_banner(const struct pipeline *pipeline);

/* True where some result still waits for its banner. */
bool pipeline_awaits_banners(const struct pipeline *pipeline);

/*
 * For the end of `drain`: what waits for the first plugin of the way that has something waiting is
 * skipped there from now on, and goes on to the others. @all: skipped at all of them.
 */
void pipeline_give_up(struct pipeline *pipeline, bool all);

/* Results that are in it and not finished; finished ones that wait to be taken. */
uint64_t pipeline_waiting(const struct pipeline *pipeline);
uint64_t pipeline_finished(const struct pipeline *pipeline);

/* A phase hook ended; taken once. False: none did. */
bool pipeline_phase_event(struct pipeline *pipeline, struct lh_event *event);

/* Fill @record of the result @tag, for the host; and of any result. */
void pipeline_record(struct pipeline *pipeline, uint64_t tag, struct lh_record *record);
void pipeline_fill(
	struct pipeline *pipeline, const struct result *result, struct lh_record *record);

/* Plugin names and "builtin", as results point to them. */
const struct result_names *pipeline_names(const struct pipeline *pipeline);

#endif
