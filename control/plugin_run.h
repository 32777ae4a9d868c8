/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plugins in a run: their processes, what these ask of the control core, and the hooks that are
 * called once, before and after the scan.
 *
 *     plugin_run_create()   fork the warden; before EAL and before any thread
 *     plugin_run_ready()    all are loaded, or the run does not begin
 *     plugin_run_pre_scan() again and again until it says that the scan may begin
 *     plugin_run_post_scan() likewise, once all results are in the archive
 *     plugin_run_end()      on_unload; the account is complete after it
 *
 * Control core; nothing but ready and end blocks. Without enabled plugins all of it is nothing.
 */
#ifndef CTL_PLUGIN_RUN_H
#define CTL_PLUGIN_RUN_H

#include "archive.h"
#include "config.h"
#include "pipeline.h"
#include "progress.h"
#include "writer.h"

#include <stdatomic.h>

struct plugin_run;

/* What on_pre_scan left of the plan. */
struct narrowed {
	struct dp_space *space; /* belongs to the plugin run; NULL: nothing is left */
	struct dp_slice slice;
};

/*
 * 0 or a negative errno with @err filled. @progress is cleared before a line is logged; more than one
 * of @interrupts cuts on_unload short.
 */
int plugin_run_create(const struct ctl_config *config, const struct dp_plan *plan,
	const cpu_set_t *cpus, const atomic_int *interrupts, struct progress *progress,
	struct plugin_run **out, struct dp_error *err);
void plugin_run_destroy(struct plugin_run *plugins); /* NULL is fine */

/* Wait for on_load of all. 0, or a negative errno with @err filled. */
int plugin_run_ready(struct plugin_run *plugins, struct dp_error *err);

/* Whether the warden may write to the folders of those plugins that may. 0 or -EACCES, @err filled. */
int plugin_run_check_folders(const struct plugin_run *plugins, struct dp_error *err);

struct lh_host *plugin_run_host(struct plugin_run *plugins);

/* What answers scan_port, and what takes results: both from when they exist. */
void plugin_run_attach(
	struct plugin_run *plugins, struct dp_engine *engine, struct pipeline *pipeline);

/* The start line about plugins, their sockets and what could not be confined. */
void plugin_run_print(const struct plugin_run *plugins, FILE *out);

/* Some plugin looks at targets before the scan; at results after it. */
bool plugin_run_wants_targets(const struct plugin_run *plugins);
bool plugin_run_wants_results(const struct plugin_run *plugins);

/* Go on with on_pre_scan; call pipeline_step() besides. True once all are through: see @narrowed. */
bool plugin_run_pre_scan(struct plugin_run *plugins, struct narrowed *narrowed);

/* The user does not want to wait for on_pre_scan. */
void plugin_run_stop_pre_scan(struct plugin_run *plugins);

/* Go on with on_post_scan and export; likewise. */
bool plugin_run_post_scan(
	struct plugin_run *plugins, struct archive *archive, struct writer *writer);

/* An answer to a single probe. */
void plugin_run_probed(struct plugin_run *plugins, const struct dp_answer *answer);

/*
 * More addresses that plugins must not reach, with sockets or single probes, from their next request
 * on; adds to earlier ones. @more is sealed and need not live on. 0, -ENOMEM, or -E2BIG: then nothing
 * changed, and plugins may still reach them.
 */
int plugin_run_exclude(struct plugin_run *plugins, const struct dp_ipset *more);

/* Add what its lanes have used and suffered until now, as plugin_run_end() does; nothing once that was called. */
void plugin_run_add_stats(const struct plugin_run *plugins, struct ctl_plugin_account *accounts);

/* on_unload everywhere, all processes gone, accounts filled. */
void plugin_run_end(struct plugin_run *plugins, struct ctl_plugin_account *accounts);

#endif
