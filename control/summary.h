/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The account of a run: one struct that is filled at the end (and each second for the progress
 * line), printed for people on standard error and as JSON with `-o summary:PATH`.
 */
#ifndef CTL_SUMMARY_H
#define CTL_SUMMARY_H

#include "coverage.h"

#include <dp/engine.h>
#include <lh/host.h>

#include <stdio.h>

/* One plugin's. @offered is exactly the sum of @status. */
struct ctl_plugin_account {
	const char *name;
	uint64_t offered;
	uint64_t status[LH_STATUS_COUNT];
	uint64_t filtered[LH_STATUS_COUNT]; /* of them: of results that are not written */
	uint64_t waiting; /* offered and not answered now: at its lanes, held back, or on disk */
	uint64_t spilled; /* results that waited on disk */
	uint64_t deaths; /* of its lanes */
	bool quarantined;
	double lane_cpu_s;
};

/* What ended a run before all was sent. */
enum ctl_limit {
	CTL_LIMIT_NONE,
	CTL_LIMIT_RUNTIME,
	CTL_LIMIT_RESULTS,
};

struct ctl_summary {
	const char *version;
	const struct dp_scan_type *type;
	uint64_t seed;
	dp_u128 targets; /* pairs after exclusions, in this shard */
	unsigned probes; /* transmissions of each pair that were asked for */
	unsigned passes; /* the most that a pair gets, payloads counted */
	uint32_t shard, shards;
	dp_u128 excluded_default, excluded_exclude; /* pairs, whole scan */
	unsigned names, names_failed; /* among the targets; the latter stood for no address */
	uint64_t excluded_running; /* addresses that SIGHUP took out of what was to be scanned */
	struct dp_stats stats;
	struct dp_levels levels; /* of rings, now; for status records */
	uint64_t unique; /* pairs that answered */
	uint64_t duplicates; /* validated answers beyond the first of a pair */
	uint64_t states[DP_STATE_COUNT]; /* of the unique ones */
	uint64_t hidden; /* answered, but closed and include_closed is off: not written */
	uint64_t filtered[DP_STATE_COUNT]; /* answered, but left out by `filter` or `open` */
	uint64_t undecided; /* written, as a pattern of the filter took too long to match them */
	uint64_t surplus; /* answered, but beyond max_results: not written */
	uint64_t results; /* records written to the outputs */
	uint64_t lost_results; /* answers that could not be written: an output failed */
	bool dedup_exact;
	uint64_t dedup_capacity; /* pairs that the window holds; 0 where exact */
	uint64_t dedup_evicted; /* entries the window had to forget */
	double rate_pps; /* probes a second, cooldown left out */
	double elapsed_s; /* with cooldown */
	/* While it runs. */
	double asked_pps; /* the rate that was asked for last; 0: unlimited */
	bool paused;
	double remaining_s; /* an estimate, cooldown included; negative: unknown */
	struct ctl_plugin_account plugins[LH_MAX_PLUGINS];
	unsigned nb_plugins;
	uint64_t waiting; /* results that wait for banners and plugins now */
	uint64_t awaiting_banner; /* those of them that wait for their banners */
	uint64_t finished; /* through with both, and not handed to the writer now */
	uint64_t delivered; /* handed to the writer */
	bool has_coverage;
	const char *no_coverage; /* why there is none of several transmissions; NULL: of one */
	struct coverage_estimate coverage;
	enum ctl_limit limit; /* that ended it */
	bool interrupted;
	bool complete;
	uint32_t
		resumed; /* how often the scan was gone on with; all counts are of the whole scan */
	const char *
		at_least_once; /* outputs that may repeat results then, split by ", "; NULL: none */
	uint64_t checkpoints_failed; /* that could not be written */
};

/*
 * Pairs whose turn came, ARP and ND included, and that stayed silent; what silence means is the scan
 * type's. After a complete scan without exclusions under way targets = unique + no_answer.
 */
dp_u128 ctl_summary_no_answer(const struct ctl_summary *summary);

/* All transmissions that the run is to make, at the most: of a pair with fewer payloads fewer go out. */
dp_u128 ctl_summary_transmissions(const struct ctl_summary *summary);

/* Transmissions whose turn has come, sent or not. */
uint64_t ctl_summary_tried(const struct ctl_summary *summary);

/* Responses to probes of the scan, repeats included. */
uint64_t ctl_summary_validated(const struct ctl_summary *summary);

/* What `filter` and `open` left out, of all states. */
uint64_t ctl_summary_filtered(const struct ctl_summary *summary);

/* Sum of the counters under `lost`. */
uint64_t ctl_summary_lost_total(const struct ctl_summary *summary);

/* True where some counter under `lost` is not zero (exit status 3). */
bool ctl_summary_lost(const struct ctl_summary *summary);

/* Counters by their names in the JSON form: those under `lost`, those under `ignored`, and the responses. */
typedef void (*ctl_counter_fn)(void *user, const char *name, uint64_t value);
void ctl_summary_each_lost(const struct ctl_summary *summary, ctl_counter_fn fn, void *user);
void ctl_summary_each_ignored(const struct ctl_summary *summary, ctl_counter_fn fn, void *user);
void ctl_summary_each_response(const struct ctl_summary *summary, ctl_counter_fn fn, void *user);

/* The same by their names in status records (docs/status.md): what was sent and came; what became of it. */
void ctl_summary_each_packet(const struct ctl_summary *summary, ctl_counter_fn fn, void *user);
void ctl_summary_each_result(const struct ctl_summary *summary, ctl_counter_fn fn, void *user);

/* "max_runtime" "max_results"; NULL: neither. */
const char *ctl_summary_ended_by(const struct ctl_summary *summary);

/* A few lines for people. @color: use ANSI colours. 0 or a negative errno. */
int ctl_summary_print(const struct ctl_summary *summary, bool color, FILE *out);

/* The state of a run that goes on, a few lines for people; @phase as in progress.h. */
void ctl_summary_print_state(const struct ctl_summary *summary, const char *phase, FILE *out);

/* One JSON object, one line. 0 or a negative errno. */
int ctl_summary_json(const struct ctl_summary *summary, FILE *out);

/* Fields of an open object: what the plugin was offered, and what became of it by status. */
struct json;
void ctl_account_json(struct json *json, const struct ctl_plugin_account *plugin);

#endif
