/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checkpoints of a running scan.
 *
 * Control core. Owns the keeper with its thread, what a checkpoint of this scan always says, and the
 * history of the TX lcores' progress.
 */
#include "clock.h"
#include "keeper.h"
#include "saver.h"
#include "version.h"

#include <dp/secret.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	HISTORY = 64, /* moments that are remembered */
	MOMENTS_A_LAG = 48, /* at the least */
	SPACING_NS = 100 * 1000 * 1000, /* of moments, at the least */
	PATIENCE_NS = 1000 * 1000 * 1000, /* with a device that never has nothing more */
	LEAST_LAG_NS = 1000 * 1000 * 1000,
	POLL_NS = 1000 * 1000,
};

enum step {
	STEP_IDLE,
	STEP_MARK, /* until the rings' ends are known */
	STEP_COLLECT, /* until all before them was collected and has settled */
	STEP_WRITER, /* until the outputs have it */
	STEP_KEEPER, /* until it is on the disk */
};

/* How far the scan was at a moment. */
struct moment {
	uint64_t ns; /* monotonic */
	uint64_t stalled_ns; /* the program stood still since, for so long */
	struct dp_progress progress;
};

struct saver {
	struct saver_view view;
	struct keeper *keeper;
	struct checkpoint state; /* what is always the same is filled in */
	enum step step;
	uint64_t begun_ns;
	uint64_t due_ns, step_ns; /* when the next one begins, and the step began */
	struct moment history[HISTORY]; /* ring */
	unsigned newest, nb;
	struct moment covered; /* by the one that is under way */
	uint64_t failures;
	bool begun; /* there is a first one */
	bool said; /* that it failed */
};

/*
 * How long an answer may take, from the probe to a finished record: what the scan itself grants the
 * last probe, and what a record may wait for its banner. One second is the least: a scan without a
 * cooldown has answers under way, too.
 */
static uint64_t lag_ns(const struct ctl_config *config) {
	const bool waits = config->banner && config->type->proto == DP_PROTO_TCP;
	const uint64_t cooldown
		= config->cooldown_ns > LEAST_LAG_NS ? config->cooldown_ns : LEAST_LAG_NS;

	return cooldown + (waits ? config->banner_wait_ns : 0);
}

/* ---- What is always the same ---- */

static int no_memory(struct dp_error *err) {
	return dp_fail(err, false, -ENOMEM, "out of memory for checkpoints");
}

struct filling {
	struct saver *saver;
	struct digest *digest;
	struct dp_error *err;
};

static int add_setting(void *user, const char *section, const char *key, const char *text) {
	struct filling *filling = user;
	struct checkpoint *state = &filling->saver->state;
	struct checkpoint_setting *more
		= reallocarray(state->settings, state->nb_settings + 1, sizeof *state->settings);

	if (!more)
		return -ENOMEM;
	state->settings = more;
	more[state->nb_settings++]
		= (struct checkpoint_setting){strdup(section), strdup(key), strdup(text)};
	more = &more[state->nb_settings - 1];
	if (!ctl_config_may_change(section, key)) {
		digest_add(filling->digest, section, strlen(section) + 1);
		digest_add(filling->digest, key, strlen(key) + 1);
		digest_add(filling->digest, text, strlen(text) + 1);
	}
	return more->section && more->key && more->value ? 0 : -ENOMEM;
}

static int add_input(void *user, const char *what, const char *path) {
	struct filling *filling = user;
	struct checkpoint *state = &filling->saver->state;
	struct checkpoint_input *more
		= reallocarray(state->inputs, state->nb_inputs + 1, sizeof *state->inputs);
	int rc;

	if (!more)
		return -ENOMEM;
	state->inputs = more;
	more = &more[state->nb_inputs++];
	*more = (struct checkpoint_input){.what = strdup(what), .path = strdup(path)};
	rc = digest_of_file(path, more->digest);
	if (rc)
		return dp_fail(filling->err, true, rc, "--checkpoint: cannot read the %s %s: %s",
			what, path, strerror(-rc));
	return more->what && more->path ? 0 : -ENOMEM;
}

static int fill_config(struct saver *saver, struct dp_error *err) {
	struct filling filling = {saver, digest_create(), err};
	int rc = filling.digest ? 0 : -ENOMEM;

	err->text[0] = '\0';
	if (!rc)
		rc = ctl_config_each_setting(saver->view.config, add_setting, &filling);
	if (!rc)
		rc = ctl_config_each_input(saver->view.config, add_input, &filling);
	if (!rc)
		digest_value(filling.digest, saver->state.config_digest);
	digest_destroy(filling.digest);
	return rc && !err->text[0] ? no_memory(err) : rc;
}

static int fill_outputs(struct saver *saver) {
	static const struct ctl_output_spec standard = {.format = "standard", .path = "-"};
	const struct ctl_config *config = saver->view.config;
	struct checkpoint *state = &saver->state;
	const unsigned nb = writer_outputs(saver->view.writer);

	state->outputs = calloc(nb, sizeof *state->outputs);
	if (!state->outputs)
		return -ENOMEM;
	for (unsigned i = 0; i < nb; i++) {
		const struct ctl_output_spec *spec
			= config->nb_outputs ? &config->outputs[i] : &standard;

		state->nb_outputs++;
		state->outputs[i].format = strdup(spec->format);
		state->outputs[i].path = strdup(spec->path);
		if (!state->outputs[i].format || !state->outputs[i].path)
			return -ENOMEM;
	}
	return 0;
}

static int fill_plugins(struct saver *saver) {
	const struct ctl_plugins *plugins = &saver->view.config->plugins;
	struct checkpoint *state = &saver->state;

	state->plugins = calloc(plugins->nb_enabled + 1, sizeof *state->plugins);
	if (!state->plugins)
		return -ENOMEM;
	for (unsigned i = 0; i < plugins->nb_enabled; i++) {
		struct checkpoint_plugin *plugin = &state->plugins[state->nb_plugins++];

		plugin->name = strdup(plugins->enabled[i]->name);
		plugin->version = strdup(plugins->enabled[i]->version);
		if (!plugin->name || !plugin->version)
			return -ENOMEM;
	}
	return 0;
}

/* What was excluded before the scan went on. */
static int fill_excluded(struct saver *saver) {
	const struct checkpoint *resume = saver->view.config->resume;
	struct checkpoint *state = &saver->state;

	if (!resume || !resume->nb_excluded)
		return 0;
	state->excluded = malloc(resume->nb_excluded * sizeof *state->excluded);
	if (!state->excluded)
		return -ENOMEM;
	memcpy(state->excluded, resume->excluded, resume->nb_excluded * sizeof *state->excluded);
	state->nb_excluded = resume->nb_excluded;
	return 0;
}

static int fill(struct saver *saver, struct dp_error *err) {
	const struct ctl_config *config = saver->view.config;
	const struct dp_plan *plan = dp_engine_plan(saver->view.engine);
	const struct dp_slice whole = {0, dp_space_count(config->space)};
	const struct dp_slice slice = dp_slice_part(whole, config->shard, config->shards);
	struct checkpoint *state = &saver->state;
	int rc;

	state->program = strdup(CTL_VERSION);
	state->folder = getcwd(NULL, 0);
	if (!state->program || !state->folder
		|| checkpoint_digest(config->space, state->space_digest) || fill_outputs(saver)
		|| fill_plugins(saver) || fill_excluded(saver))
		return no_memory(err);
	state->by_value = config->by_value;
	state->excluded_default = config->excluded_default;
	state->excluded_exclude = config->excluded_exclude;
	state->key = dp_secret_alloc(sizeof *state->key);
	if (!state->key)
		return no_memory(err);
	*state->key = *saver->view.key;
	state->passes = plan->passes;
	state->first = slice.first;
	state->end = slice.end;
	state->resumed = config->resume ? config->resume->resumed + 1 : 0;
	rc = fill_config(saver, err);
	return rc;
}

/* ---- Making it ---- */

/* A file that is there may only be replaced if nobody needs it any more. */
static int admit(const struct ctl_config *config, struct dp_error *err) {
	struct checkpoint before;
	struct dp_error why;
	bool complete;

	if (config->resume || access(config->checkpoint, F_OK) < 0)
		return 0;
	if (checkpoint_read(config->checkpoint, &before, &why))
		return dp_fail(err, true, -EEXIST,
			"--checkpoint %s: it exists and is no checkpoint that could be replaced "
			"(%.300s)",
			config->checkpoint, why.text);
	complete = before.complete;
	checkpoint_clear(&before);
	if (complete || config->file_mode == CTL_FILE_OVERWRITE)
		return 0;
	return dp_fail(err, true, -EEXIST,
		"--checkpoint %s: it has a scan that is not complete; go on with it by --resume "
		"%s, "
		"or use --overwrite to begin a new one",
		config->checkpoint, config->checkpoint);
}

static int write_beside(const struct saver *saver, const char *suffix, const struct dp_space *space,
	struct dp_error *err) {
	char *path;
	int rc;

	if (asprintf(&path, "%s.%s", saver->view.config->checkpoint, suffix) < 0)
		return no_memory(err);
	rc = checkpoint_write_space(path, space);
	if (rc)
		dp_fail(err, true, rc, "cannot write %s: %s", path, strerror(-rc));
	free(path);
	return rc;
}

int saver_create(const struct saver_view *view, struct saver **out, struct dp_error *err) {
	struct saver *saver = calloc(1, sizeof *saver);
	int rc;

	if (!saver)
		return no_memory(err);
	saver->view = *view;
	rc = admit(view->config, err);
	if (!rc)
		rc = fill(saver, err);
	if (!rc)
		rc = view->config->by_value && !view->config->resume
			? write_beside(saver, "space", view->config->space, err)
			: 0;
	if (!rc) {
		rc = keeper_create(&saver->keeper);
		if (rc)
			no_memory(err);
	}
	if (rc) {
		saver_destroy(saver);
		return rc;
	}
	*out = saver;
	return 0;
}

void saver_destroy(struct saver *saver) {
	if (!saver)
		return;
	keeper_destroy(saver->keeper);
	checkpoint_clear(&saver->state);
	free(saver);
}

uint64_t saver_failures(const struct saver *saver) {
	return saver->failures;
}

/* ---- One checkpoint ---- */

static void count_all(const struct saver *saver, struct checkpoint_counts *counts) {
	const struct ctl_summary *s = saver->view.summary;
	const struct ctl_config *config = saver->view.config;

	*counts = (struct checkpoint_counts){.unique = s->unique,
		.duplicates = s->duplicates,
		.hidden = s->hidden,
		.surplus = s->surplus,
		.undecided = s->undecided,
		.excluded_running = s->excluded_running,
		.dedup_evicted = s->dedup_evicted,
		.waiting = saver->view.pipeline ? pipeline_waiting(saver->view.pipeline)
				+ pipeline_finished(saver->view.pipeline)
						: 0,
		.elapsed_ns = (uint64_t)(s->elapsed_s * 1e9),
		.stats = s->stats};
	memcpy(counts->states, s->states, sizeof counts->states);
	memcpy(counts->filtered, s->filtered, sizeof counts->filtered);
	/* They are not covered, and answer again. */
	if (saver->view.pipeline)
		counts->states[DP_STATE_OPEN] -= pipeline_without_banner(saver->view.pipeline);
	/* Each transmission counts once: those that are not covered are sent again. */
	counts->stats.probes_sent = saver->covered.progress.sent;
	counts->stats.probes_unresolved = saver->covered.progress.unresolved;
	counts->stats.probes_excluded = saver->covered.progress.excluded;
	if (config->resume) {
		const struct dp_stats *before = &config->resume->counts.stats;

		counts->stats.probes_sent += before->probes_sent;
		counts->stats.probes_unresolved += before->probes_unresolved;
		counts->stats.probes_excluded += before->probes_excluded;
	}
}

static void take_points(struct saver *saver, const struct sink_point *points) {
	for (unsigned i = 0; i < saver->state.nb_outputs; i++) {
		struct checkpoint_output *output = &saver->state.outputs[i];

		output->regular = points[i].regular;
		output->start = points[i].start;
		output->end = points[i].end;
		output->results = points[i].results;
		memcpy(output->digest, points[i].digest, DIGEST_BYTES);
	}
}

/* What the plugins' accounts are but for what is still in the pipeline, which comes again. */
static void count_plugins(struct saver *saver) {
	for (unsigned i = 0; i < saver->state.nb_plugins; i++) {
		struct checkpoint_plugin *plugin = &saver->state.plugins[i];
		struct ctl_plugin_account account;

		pipeline_settled_account(saver->view.pipeline, i, &account);
		plugin->offered = account.offered;
		memcpy(plugin->status, account.status, sizeof plugin->status);
		memcpy(plugin->filtered, saver->view.summary->plugins[i].filtered,
			sizeof plugin->filtered);
		plugin->spilled = account.spilled;
		plugin->deaths = account.deaths;
		plugin->lane_cpu_us = (uint64_t)(account.lane_cpu_s * 1e6);
	}
}

/*
 * What answered up to now was sent before. But a scan that goes on hears late answers to probes of the
 * run before, which it sends again, nobody knows when.
 */
static uint64_t sent_before(const struct saver *saver, uint64_t now_ns) {
	if (saver->view.config->resume && now_ns - saver->begun_ns < lag_ns(saver->view.config))
		return JOURNAL_TO_THE_END;
	return now_ns;
}

/* All that was collected has settled: this is what the checkpoint tells of. */
static void settle(struct saver *saver, uint64_t now_ns) {
	if (saver->view.pipeline)
		pipeline_journal(saver->view.pipeline);
	journal_close(saver->view.journal, sent_before(saver, now_ns));
	count_all(saver, &saver->state.counts);
	count_plugins(saver);
	saver->state.archived = saver->view.archive;
	writer_sync(saver->view.writer);
}

/* Name the segments of the journal, and have those written that are not. */
static int take_segments(struct saver *saver, struct keeper_job *job) {
	struct checkpoint *state = &saver->state;

	job->segments = journal_wanted(saver->view.journal, saver->covered.ns, &job->nb_segments);
	free(state->segments);
	state->nb_segments = 0;
	state->segments = calloc(job->nb_segments + 1, sizeof *state->segments);
	if (!state->segments)
		return -ENOMEM;
	for (unsigned i = 0; i < job->nb_segments; i++)
		state->segments[state->nb_segments++] = job->segments[i].number;
	state->next_segment = journal_next(saver->view.journal);
	return 0;
}

/* Give the keeper all that is known by now. */
static int give(struct saver *saver, const struct sink_point *points) {
	struct keeper_job job = {.path = saver->view.config->checkpoint};
	int rc = 0;

	take_points(saver, points);
	dp_pieces_clear(&saver->state.left);
	if (saver->state.begun && !saver->state.none && !saver->state.complete)
		rc = dp_engine_left(
			saver->view.engine, &saver->covered.progress, &saver->state.left);
	free(saver->state.coverage.pairs);
	saver->state.coverage = (struct coverage_saved){0};
	if (!rc && saver->view.coverage)
		rc = coverage_save(saver->view.coverage, &saver->state.coverage);
	if (!rc)
		rc = take_segments(saver, &job);
	if (!rc)
		rc = checkpoint_encode(&saver->state, &job.bytes, &job.n);
	if (rc)
		return rc;
	for (unsigned i = 0; i < saver->state.nb_outputs; i++)
		if (points[i].regular)
			job.fd[job.nb_fds++] = writer_output_fd(saver->view.writer, i);
	if (saver->view.archive) {
		archive_fds(saver->view.archive, &job.fd[job.nb_fds]);
		job.nb_fds += 2;
	}
	keeper_give(saver->keeper, &job);
	return 0;
}

/* What the checkpoint that is on the disk now does not need any more. */
static void remove_dropped(struct saver *saver) {
	uint64_t number;

	journal_written(saver->view.journal);
	while (journal_dropped(saver->view.journal, &number)) {
		char *path = keeper_segment_path(saver->view.config->checkpoint, number);

		if (path)
			unlink(path);
		free(path);
	}
}

/* The one before stays; the next one is tried when it is due. */
static void note_end(struct saver *saver, int rc) {
	if (!rc)
		remove_dropped(saver);
	saver->failures += rc != 0;
	if (rc && !saver->said && saver->begun)
		fprintf(stderr,
			"\nprtip-dp: warning: cannot write the checkpoint %s: %s; the one before "
			"stays\n",
			saver->view.config->checkpoint, strerror(-rc));
	saver->said = rc != 0;
}

static void enter(struct saver *saver, enum step step, uint64_t now_ns) {
	saver->step = step;
	saver->step_ns = now_ns;
}

/* Note how far the lcores are, every so often. */
static void note_moment(struct saver *saver, uint64_t now_ns) {
	const uint64_t lag = lag_ns(saver->view.config);
	const uint64_t spacing
		= lag / MOMENTS_A_LAG > SPACING_NS ? lag / MOMENTS_A_LAG : SPACING_NS;
	struct moment *newest = &saver->history[saver->newest];

	if (saver->nb && now_ns - newest->ns < spacing)
		return;
	saver->newest = saver->nb ? (saver->newest + 1) % HISTORY : 0;
	saver->nb += saver->nb < HISTORY;
	newest = &saver->history[saver->newest];
	newest->ns = now_ns;
	newest->stalled_ns = 0;
	dp_engine_progress(saver->view.engine, &newest->progress);
}

/* The latest moment since which all answers have had their time; else the beginning. */
static void choose_covered(struct saver *saver, uint64_t now_ns) {
	const uint64_t lag = lag_ns(saver->view.config);

	for (unsigned i = 0; i < saver->nb; i++) {
		const struct moment *moment
			= &saver->history[(saver->newest + HISTORY - i) % HISTORY];

		if (moment->ns + moment->stalled_ns + lag > now_ns)
			continue;
		if (moment->ns > saver->covered.ns)
			saver->covered = *moment;
		return;
	}
}

void saver_stalled(struct saver *saver, uint64_t gap_ns) {
	for (unsigned i = 0; i < saver->nb; i++)
		saver->history[i].stalled_ns += gap_ns;
}

static void begin(struct saver *saver, uint64_t now_ns) {
	saver->due_ns = now_ns + saver->view.config->checkpoint_interval_ns;
	choose_covered(saver, now_ns);
	enter(saver, STEP_MARK, now_ns);
}

int saver_released(struct saver *saver, const struct dp_space *narrowed, struct dp_slice slice,
	bool none, struct dp_error *err) {
	struct checkpoint *state = &saver->state;
	int rc = 0;

	state->begun = true;
	state->none = none;
	if (!narrowed || narrowed == saver->view.config->space)
		return 0;
	state->narrowed = true;
	state->first = slice.first;
	state->end = slice.end;
	if (checkpoint_digest(narrowed, state->narrowed_digest))
		return no_memory(err);
	if (!saver->view.config->resume || !saver->view.config->resume->narrowed)
		rc = write_beside(saver, "narrowed", narrowed, err);
	return rc;
}

/* Of the target space, what is in @all. */
static int excluded_of(
	const struct dp_space *space, const struct dp_ipset *all, struct dp_ipset **out) {
	struct dp_ipset *left = NULL;
	int rc = dp_ipset_copy(dp_space_addresses(space), &left);

	if (!rc)
		rc = dp_ipset_subtract(left, all);
	if (!rc)
		rc = dp_ipset_copy(dp_space_addresses(space), out);
	if (!rc)
		rc = dp_ipset_subtract(*out, left);
	dp_ipset_destroy(left);
	return rc;
}

int saver_excluded(struct saver *saver, const struct dp_ipset *all, struct dp_error *err) {
	const struct dp_space *space = saver->view.config->space;
	struct checkpoint *state = &saver->state;
	struct dp_ipset *excluded = NULL;
	const struct dp_range *ranges;
	struct dp_range *copy;
	size_t nb;
	int rc;

	/* The files that the space was made of are not what they were. */
	if (!state->by_value) {
		rc = write_beside(saver, "space", space, err);
		if (rc)
			return rc;
		state->by_value = true;
	}
	if (excluded_of(space, all, &excluded)) {
		dp_ipset_destroy(excluded);
		return no_memory(err);
	}
	nb = dp_ipset_ranges(excluded, &ranges);
	copy = malloc((nb + 1) * sizeof *copy);
	if (copy) {
		memcpy(copy, ranges, nb * sizeof *copy);
		free(state->excluded);
		state->excluded = copy;
		state->nb_excluded = (unsigned)nb;
	}
	dp_ipset_destroy(excluded);
	return copy ? 0 : no_memory(err);
}

bool saver_has_room(const struct saver *saver) {
	return journal_gathered(saver->view.journal) < JOURNAL_MOST_BYTES;
}

void saver_step(struct saver *saver, uint64_t now_ns, bool settled) {
	const struct sink_point *points;
	int rc;

	note_moment(saver, now_ns);
	switch (saver->step) {
	case STEP_IDLE:
		if (now_ns >= saver->due_ns
			|| journal_gathered(saver->view.journal) > JOURNAL_DUE_BYTES)
			begin(saver, now_ns);
		break;
	case STEP_MARK:
		if (dp_engine_mark(saver->view.engine, now_ns - saver->step_ns > PATIENCE_NS))
			enter(saver, STEP_COLLECT, now_ns);
		break;
	case STEP_COLLECT:
		if (!settled || !dp_engine_is_past_mark(saver->view.engine))
			break;
		settle(saver, now_ns);
		enter(saver, STEP_WRITER, now_ns);
		break;
	case STEP_WRITER:
		if (!writer_synced(saver->view.writer, &points))
			break;
		rc = give(saver, points);
		if (rc)
			note_end(saver, rc);
		enter(saver, rc ? STEP_IDLE : STEP_KEEPER, now_ns);
		break;
	case STEP_KEEPER:
		if (!keeper_is_idle(saver->keeper, &rc))
			break;
		note_end(saver, rc);
		enter(saver, STEP_IDLE, now_ns);
		break;
	}
}

static void nap(void) {
	nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

/* Write one from here on, and wait for it. */
static int save_now(struct saver *saver) {
	const struct sink_point *points;
	int rc;

	/* One that is under way is settled by the keeper alone; what it did not write is written now. */
	while (!keeper_is_idle(saver->keeper, &rc))
		nap();
	if (saver->step == STEP_KEEPER)
		note_end(saver, rc);
	settle(saver, monotonic_ns());
	while (!writer_synced(saver->view.writer, &points))
		nap();
	rc = give(saver, points);
	if (rc)
		return rc;
	while (!keeper_is_idle(saver->keeper, &rc))
		nap();
	saver->step = STEP_IDLE;
	note_end(saver, rc);
	return rc;
}

int saver_begin(struct saver *saver, struct dp_error *err) {
	int rc;

	saver->begun_ns = monotonic_ns();
	rc = save_now(saver);
	saver->begun = true;
	saver->due_ns = monotonic_ns() + saver->view.config->checkpoint_interval_ns;
	return rc ? dp_fail(err, true, rc, "cannot write the checkpoint %s: %s",
		       saver->view.config->checkpoint, strerror(-rc))
		  : 0;
}

int saver_start(struct saver *saver, struct dp_error *err) {
	const int rc = saver ? keeper_start(saver->keeper) : 0;

	return rc ? dp_fail(
		       err, false, rc, "cannot start the thread of checkpoints: %s", strerror(-rc))
		  : 0;
}

/* Nobody goes on with a scan that is complete. */
static void remove_beside(const struct saver *saver) {
	static const char *const suffixes[] = {"space", "narrowed"};

	for (unsigned i = 0; i < 2; i++) {
		char *path;

		if (asprintf(&path, "%s.%s", saver->view.config->checkpoint, suffixes[i]) < 0)
			return;
		unlink(path);
		free(path);
	}
	archive_remove(saver->view.config->checkpoint);
}

int saver_end(struct saver *saver, uint64_t now_ns, bool cooled) {
	choose_covered(saver, now_ns);
	if (cooled) {
		/* All of this run, but not what an earlier one sent and this one did not. */
		saver->covered.ns = JOURNAL_TO_THE_END - 1;
		dp_engine_progress(saver->view.engine, &saver->covered.progress);
	}
	return save_now(saver);
}

int saver_complete(struct saver *saver) {
	const char *path = saver->view.config->checkpoint;
	struct keeper_job job = {.path = path};
	int rc;

	saver->covered.ns = JOURNAL_TO_THE_END;
	saver->state.complete = true;
	dp_pieces_clear(&saver->state.left);
	rc = take_segments(saver, &job);
	if (!rc)
		rc = checkpoint_encode(&saver->state, &job.bytes, &job.n);
	if (!rc) {
		rc = checkpoint_write(path, job.bytes, job.n);
		checkpoint_free_bytes(job.bytes, job.n);
	}
	note_end(saver, rc);
	if (!rc)
		remove_beside(saver);
	return rc;
}
