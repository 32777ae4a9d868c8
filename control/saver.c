/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checkpoints of a running scan.
 *
 * Control core. Owns the keeper with its thread, what a checkpoint of this scan always says, and the
 * history of the TX lcores' progress.
 */
#include "keeper.h"
#include "saver.h"
#include "version.h"

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
	struct dp_progress progress;
};

struct saver {
	struct saver_view view;
	struct keeper *keeper;
	struct checkpoint state; /* what is always the same is filled in */
	enum step step;
	uint64_t due_ns, step_ns; /* when the next one begins, and the step began */
	struct moment history[HISTORY]; /* ring */
	unsigned newest, nb;
	struct moment covered; /* by the one that is under way */
	bool given; /* the keeper has a job of ours */
	uint64_t failures;
	bool said; /* that it failed */
};

static uint64_t monotonic_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

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
	struct checkpoint_setting *more = reallocarray(
		state->settings, state->nb_settings + 1, sizeof *state->settings);

	if (!more)
		return -ENOMEM;
	state->settings = more;
	more[state->nb_settings++] = (struct checkpoint_setting){
		strdup(section), strdup(key), strdup(text)};
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

static int fill(struct saver *saver, struct dp_error *err) {
	const struct ctl_config *config = saver->view.config;
	const struct dp_plan *plan = dp_engine_plan(saver->view.engine);
	const struct dp_slice whole = {0, dp_space_count(config->space)};
	const struct dp_slice slice = dp_slice_part(whole, config->shard, config->shards);
	struct checkpoint *state = &saver->state;
	int rc;

	state->program = strdup(CTL_VERSION);
	state->folder = getcwd(NULL, 0);
	if (!state->program || !state->folder || checkpoint_digest(config->space, state->space_digest)
		|| fill_outputs(saver))
		return no_memory(err);
	state->by_value = config->by_value;
	state->excluded_default = config->excluded_default;
	state->excluded_exclude = config->excluded_exclude;
	state->key = *saver->view.key;
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
		"--checkpoint %s: it has a scan that is not complete; go on with it by --resume %s, "
		"or use --overwrite to begin a new one",
		config->checkpoint, config->checkpoint);
}

static int write_space(const struct ctl_config *config, struct dp_error *err) {
	char *path;
	int rc;

	if (!config->by_value || config->resume)
		return 0;
	if (asprintf(&path, "%s.space", config->checkpoint) < 0)
		return no_memory(err);
	rc = checkpoint_write_space(path, config->space);
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
		rc = write_space(view->config, err);
	if (!rc) {
		rc = keeper_create(&saver->keeper);
		if (rc)
			dp_fail(err, false, rc, "cannot start the thread of checkpoints: %s",
				strerror(-rc));
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
		.excluded_running = s->excluded_running,
		.dedup_evicted = s->dedup_evicted,
		.elapsed_ns = (uint64_t)(s->elapsed_s * 1e9),
		.stats = s->stats};
	memcpy(counts->states, s->states, sizeof counts->states);
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

/* Give the keeper all that is known by now. */
static int give(struct saver *saver, const struct sink_point *points) {
	struct keeper_job job = {.path = saver->view.config->checkpoint};
	int rc = 0;

	take_points(saver, points);
	dp_pieces_clear(&saver->state.left);
	if (saver->state.begun && !saver->state.complete)
		rc = dp_engine_left(
			saver->view.engine, &saver->covered.progress, &saver->state.left);
	free(saver->state.coverage.pairs);
	saver->state.coverage = (struct coverage_saved){0};
	if (!rc && saver->view.coverage)
		rc = coverage_save(saver->view.coverage, &saver->state.coverage);
	if (!rc)
		rc = checkpoint_encode(&saver->state, &job.bytes, &job.n);
	if (rc)
		return rc;
	for (unsigned i = 0; i < saver->state.nb_outputs; i++)
		if (points[i].regular)
			job.fd[job.nb_fds++] = writer_output_fd(saver->view.writer, i);
	saver->given = true;
	keeper_give(saver->keeper, &job);
	return 0;
}

/* The one before stays; the next one is tried when it is due. */
static void note_end(struct saver *saver, int rc) {
	saver->given = false;
	saver->failures += rc != 0;
	if (rc && !saver->said)
		fprintf(stderr,
			"\nprtip-dp: warning: cannot write the checkpoint %s: %s; the one before stays\n",
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
	dp_engine_progress(saver->view.engine, &newest->progress);
}

/* The latest moment since which all answers have had their time; else the beginning. */
static void choose_covered(struct saver *saver, uint64_t now_ns) {
	const uint64_t lag = lag_ns(saver->view.config);

	for (unsigned i = 0; i < saver->nb; i++) {
		const struct moment *moment
			= &saver->history[(saver->newest + HISTORY - i) % HISTORY];

		if (moment->ns + lag > now_ns)
			continue;
		if (moment->ns > saver->covered.ns)
			saver->covered = *moment;
		return;
	}
}

static void begin(struct saver *saver, uint64_t now_ns) {
	saver->due_ns = now_ns + saver->view.config->checkpoint_interval_ns;
	choose_covered(saver, now_ns);
	enter(saver, STEP_MARK, now_ns);
}

void saver_released(struct saver *saver) {
	saver->state.begun = true;
}

void saver_step(struct saver *saver, uint64_t now_ns, bool settled) {
	const struct sink_point *points;
	int rc;

	note_moment(saver, now_ns);
	switch (saver->step) {
	case STEP_IDLE:
		if (now_ns >= saver->due_ns)
			begin(saver, now_ns);
		break;
	case STEP_MARK:
		if (dp_engine_mark(saver->view.engine, now_ns - saver->step_ns > PATIENCE_NS))
			enter(saver, STEP_COLLECT, now_ns);
		break;
	case STEP_COLLECT:
		if (!settled || !dp_engine_is_past_mark(saver->view.engine))
			break;
		count_all(saver, &saver->state.counts);
		writer_sync(saver->view.writer);
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

	while (!keeper_is_idle(saver->keeper, &rc))
		nap();
	count_all(saver, &saver->state.counts);
	writer_sync(saver->view.writer);
	while (!writer_synced(saver->view.writer, &points))
		nap();
	rc = give(saver, points);
	if (rc)
		return rc;
	while (!keeper_is_idle(saver->keeper, &rc))
		nap();
	saver->step = STEP_IDLE;
	return rc;
}

int saver_begin(struct saver *saver, struct dp_error *err) {
	int rc = save_now(saver);

	saver->due_ns = monotonic_ns() + saver->view.config->checkpoint_interval_ns;
	return rc ? dp_fail(err, true, rc, "cannot write the checkpoint %s: %s",
		       saver->view.config->checkpoint, strerror(-rc))
		  : 0;
}

int saver_end(struct saver *saver, uint64_t now_ns, bool cooled, bool complete) {
	int rc;

	choose_covered(saver, now_ns);
	if (cooled) {
		saver->covered.ns = now_ns;
		dp_engine_progress(saver->view.engine, &saver->covered.progress);
	}
	saver->state.complete = complete;
	rc = save_now(saver);
	note_end(saver, rc);
	return rc;
}
