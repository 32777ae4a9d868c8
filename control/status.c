/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Status records. Runs on the control core; owns the file, and the text of a record while it is written.
 */
#include "json.h"
#include "sink.h"
#include "status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct status {
	struct sink *sink; /* NULL: no file */
	bool lines; /* on standard error, too */
	uint64_t missed; /* of these, as their reader was behind */
	uint64_t interval_ns;
	uint64_t due_ns; /* monotonic; 0: at once */
};

/* A pipe would make us wait for its reader, and standard output is for results. */
static bool is_fit(const char *path) {
	struct stat st;

	if (!strcmp(path, "-"))
		return false;
	return stat(path, &st) < 0 ? errno == ENOENT || errno == ENOTDIR
				   : S_ISREG(st.st_mode) || S_ISCHR(st.st_mode);
}

static int check(const struct ctl_config *config, struct dp_error *err) {
	if (!is_fit(config->status_file))
		return dp_fail(err, true, -EINVAL, "status.file=%s: a regular file is wanted",
			config->status_file);
	for (unsigned i = 0; i < config->nb_outputs; i++)
		if (!strcmp(config->outputs[i].path, config->status_file))
			return dp_fail(err, true, -EINVAL,
				"status.file=%s: results are written there; name another file",
				config->status_file);
	return 0;
}

static int open_file(const struct ctl_config *config, struct status *status, struct dp_error *err) {
	int rc = sink_open(config->status_file, &status->sink, err);

	if (!rc)
		rc = sink_admit(status->sink, config->file_mode, "{\"ts\":\"", err);
	return rc ? rc : sink_begin(status->sink, err);
}

int status_create(const struct ctl_config *config, struct status **out, struct dp_error *err) {
	struct status *status;
	int rc;

	*out = NULL;
	if (!*config->status_file && !config->json_status)
		return 0;
	rc = *config->status_file ? check(config, err) : 0;
	if (rc)
		return rc;
	status = calloc(1, sizeof *status);
	if (!status)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	status->interval_ns = config->status_interval_ns;
	status->lines = config->json_status;
	rc = *config->status_file ? open_file(config, status, err) : 0;
	if (rc) {
		status_destroy(status);
		return rc;
	}
	*out = status;
	return 0;
}

void status_destroy(struct status *status) {
	if (!status)
		return;
	sink_destroy(status->sink);
	free(status);
}

static void put_ts(struct json *json, const struct timespec *at) {
	struct tm tm;
	char second[32], text[48];

	gmtime_r(&at->tv_sec, &tm);
	strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof text, "%s.%03ldZ", second, at->tv_nsec / 1000000);
	json_text(json, "ts", text);
}

static void put_plugins(struct json *json, const struct ctl_summary *s) {
	json_begin(json, "plugins");
	for (unsigned i = 0; i < s->nb_plugins; i++) {
		const struct ctl_plugin_account *plugin = &s->plugins[i];

		json_begin(json, plugin->name);
		ctl_account_json(json, plugin);
		json_u64(json, "waiting", plugin->waiting);
		json_u64(json, "spilled", plugin->spilled);
		json_u64(json, "deaths", plugin->deaths);
		json_bool(json, "quarantined", plugin->quarantined);
		json_double(json, "lane_cpu_s", plugin->lane_cpu_s, 3);
		json_end(json);
	}
	json_end(json);
}

static void put_counter(void *user, const char *name, uint64_t value) {
	json_u64(user, name, value);
}

/* What the sums are made of. */
static void put_parts(struct json *json, const struct ctl_summary *s) {
	json_begin(json, "states");
	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		json_u64(json, dp_state_name(i), s->states[i]);
	json_end(json);
	json_begin(json, "responses");
	ctl_summary_each_response(s, put_counter, json);
	json_end(json);
	json_begin(json, "lost_by");
	ctl_summary_each_lost(s, put_counter, json);
	json_end(json);
}

/* How it ends, or ended. */
static void put_end(struct json *json, const struct ctl_summary *s) {
	json_bool(json, "complete", s->complete);
	json_bool(json, "interrupted", s->interrupted);
	if (ctl_summary_ended_by(s))
		json_text(json, "ended_by", ctl_summary_ended_by(s));
	if (s->resumed)
		json_u64(json, "resumed", s->resumed);
}

/* @missed: records that a slow reader left out; NULL: not counted. */
static int put_record(FILE *out, const struct ctl_summary *s, const char *phase,
	const struct timespec *at, const uint64_t *missed) {
	struct json json = {.out = out};

	json_begin(&json, NULL);
	put_ts(&json, at);
	json_text(&json, "phase", phase);
	json_text(&json, "scan_type", s->type->name);
	json_double(&json, "elapsed_s", s->elapsed_s, 3);
	if (s->remaining_s >= 0)
		json_double(&json, "remaining_s", s->remaining_s, 3);
	else
		json_null(&json, "remaining_s");
	json_double(&json, "rate_pps", s->rate_pps, 1);
	if (s->asked_pps > 0)
		json_double(&json, "asked_pps", s->asked_pps, 3);
	else
		json_null(&json, "asked_pps");
	json_bool(&json, "paused", s->paused);
	json_u128(&json, "targets", s->targets);
	json_u128(&json, "transmissions", ctl_summary_transmissions(s));
	ctl_summary_each_packet(s, put_counter, &json);
	json_double(&json, "throttled_s", (double)s->stats.throttled_ns / 1e9, 3);
	ctl_summary_each_result(s, put_counter, &json);
	put_parts(&json, s);
	put_plugins(&json, s);
	put_end(&json, s);
	if (missed)
		json_u64(&json, "records_missed", *missed);
	json_end(&json);
	putc('\n', out);
	return ferror(out) ? -EIO : 0;
}

int status_record(
	FILE *out, const struct ctl_summary *s, const char *phase, const struct timespec *at) {
	return put_record(out, s, phase, at, NULL);
}

/* As text of @bytes, as of now; to be freed. NULL: no memory. */
static char *make_record(const struct ctl_summary *summary, const char *phase,
	const uint64_t *missed, size_t *bytes) {
	char *text = NULL;
	FILE *out = open_memstream(&text, bytes);
	struct timespec now;

	if (!out)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	put_record(out, summary, phase, &now, missed);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

char *status_text(const struct ctl_summary *summary, const char *phase) {
	size_t bytes;
	char *text = make_record(summary, phase, NULL, &bytes);

	if (text)
		text[bytes - 1] = '\0';
	return text;
}

/*
 * In one piece, so that nothing of ours comes between. A pipe that says it can be written to takes PIPE_BUF
 * bytes (4096), which holds a record of some ten plugins; one that is longer may wait for its reader.
 */
static void put_line(struct status *status, const char *text, size_t bytes, bool last) {
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (!last && poll(&ready, 1, 0) != 1) {
		status->missed++;
		return;
	}
	while (bytes) {
		ssize_t n = write(STDERR_FILENO, text, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		bytes -= (size_t)n;
	}
}

static int put_in_file(struct status *status, const char *text, size_t bytes) {
	char *room;

	if (status->sink->error)
		return status->sink->error;
	room = sink_room_for(status->sink, bytes);
	if (room) {
		memcpy(room, text, bytes);
		sink_line(status->sink, bytes);
	}
	return sink_flush(status->sink);
}

int status_put(struct status *status, const struct ctl_summary *summary, const char *phase,
	uint64_t now_ns, bool force) {
	char *text;
	size_t bytes = 0;
	int rc = 0;

	if (!status || (!force && now_ns < status->due_ns))
		return 0;
	/* By the clock and not by the latest one, so that many are no fewer than they should be. */
	if (!force)
		status->due_ns = status->due_ns && now_ns < status->due_ns + status->interval_ns
			? status->due_ns + status->interval_ns
			: now_ns + status->interval_ns;
	text = make_record(summary, phase, status->lines ? &status->missed : NULL, &bytes);
	if (!text)
		return -ENOMEM;
	if (status->lines)
		put_line(status, text, bytes, !strcmp(phase, "end"));
	if (status->sink)
		rc = put_in_file(status, text, bytes);
	free(text);
	return rc;
}
