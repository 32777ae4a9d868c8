/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The progress line.
 *
 * Runs on the control core, about once a second; owns no memory but a stage's. The line is made of parts, each
 * in three forms: long, short, and shortest. On a terminal the longest form that fits is taken; in 80
 * columns all parts are there. Where they do not fit those that matter least are left out, so that the line never
 * wraps, however large its numbers are or narrow the terminal is. Elsewhere the long form is written,
 * a line every ten intervals.
 */
#include "clock.h"
#include "human.h"
#include "progress.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum part {
	PART_PHASE,
	PART_TIME,
	PART_SENT,
	PART_GOT,
	PART_FOUND,
	PART_HITS,
	PART_WAITING,
	PART_LOST,
	PARTS,
};

enum form {
	FORM_LONG,
	FORM_SHORT,
	FORM_SHORTEST,
	FORMS,
};

enum {
	PART_BYTES = 80,
	LINE_BYTES = PARTS * (PART_BYTES + 16),
	USUAL_COLUMNS = 80, /* of a terminal that does not say */
	PLAIN_INTERVALS = 10,
	SHORT_NAME = 4, /* of a state, in the short form */
};

/* Empty: not shown. */
struct parts {
	char text[FORMS][PARTS][PART_BYTES];
};

static bool wants_color(void) {
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

static void measure(struct progress *progress) {
	struct winsize size;

	progress->columns = USUAL_COLUMNS;
	if (!ioctl(progress->fd, TIOCGWINSZ, &size) && size.ws_col)
		progress->columns = size.ws_col;
}

void progress_init(struct progress *progress, int fd, uint64_t interval_ns) {
	*progress = (struct progress){.fd = fd, .interval_ns = interval_ns};
	progress->terminal = isatty(fd);
	progress->color = progress->terminal && wants_color();
	measure(progress);
}

/* ---- Parts ---- */

static void put_phase(const struct progress *progress, struct parts *parts,
	const struct ctl_summary *s, const char *phase) {
	dp_u128 all = ctl_summary_transmissions(s);
	double percent = all ? 100.0 * (double)ctl_summary_tried(s) / (double)all : 100;

	/* 100.0% is for when all are out, not for when nearly all are. */
	percent = percent >= 100 ? 100 : floor(percent * 10) / 10;
	for (unsigned form = 0; form < FORMS; form++) {
		char *text = parts->text[form][PART_PHASE];

		if (strcmp(phase, "scanning"))
			snprintf(text, PART_BYTES, "%.12s", phase);
		else if (progress->terminal)
			snprintf(text, PART_BYTES, "%5.1f%%", percent);
		else
			snprintf(text, PART_BYTES, "%.12s %.1f%%", phase, percent);
	}
}

/* "0:04", "23h59", "3d04h": without seconds where there are hours. */
static void put_brief(double seconds, char text[HUMAN_BYTES]) {
	human_clock(seconds, text);
	if (seconds < 3599.5 || strchr(text, 'd'))
		return;
	*strrchr(text, ':') = '\0';
	*strchr(text, ':') = 'h';
}

static void put_time(struct parts *parts, const struct ctl_summary *s) {
	static const char *const forms[FORMS] = {"%s (%s left)", "%s -%s", "%s -%s"};
	char elapsed[HUMAN_BYTES], left[HUMAN_BYTES];

	for (unsigned form = 0; form < FORMS; form++) {
		if (form == FORM_SHORTEST) {
			put_brief(s->elapsed_s, elapsed);
			put_brief(s->remaining_s, left);
		} else {
			human_clock(s->elapsed_s, elapsed);
			human_clock(s->remaining_s, left);
		}
		snprintf(parts->text[form][PART_TIME], PART_BYTES,
			s->remaining_s >= 0 ? forms[form] : "%s", elapsed, left);
	}
}

/* A count and its rate. */
static void put_flow(
	struct parts *parts, enum part part, const char *name, uint64_t count, double pps) {
	char number[HUMAN_BYTES], rate[HUMAN_BYTES];

	snprintf(parts->text[FORM_LONG][part], PART_BYTES, "%s %s (%s)", name,
		human_short(count, number), human_rate(pps, rate));
	human_tiny(pps, rate);
	snprintf(parts->text[FORM_SHORT][part], PART_BYTES, "%s %s %s/s", name,
		human_tiny((double)count, number), rate);
	snprintf(parts->text[FORM_SHORTEST][part], PART_BYTES, "%s %s/s", name, rate);
}

/* Rates since the line before; since the start where there is none, or only just. */
static void put_flows(const struct progress *progress, struct parts *parts,
	const struct ctl_summary *s, uint64_t now_ns) {
	const uint64_t sent = s->stats.probes_sent, got = ctl_summary_validated(s);
	uint64_t sent_before = progress->last_sent, got_before = progress->last_received;
	double seconds = (double)(now_ns - progress->last_ns) / 1e9;

	if (!progress->last_ns || seconds < 0.05) {
		seconds = s->elapsed_s > 0 ? s->elapsed_s : INFINITY;
		sent_before = got_before = 0;
	}
	put_flow(parts, PART_SENT, "sent", sent, (double)(sent - sent_before) / seconds);
	put_flow(parts, PART_GOT, "got", got, (double)(got - got_before) / seconds);
}

/* What a scan of this type is for. */
static enum dp_state sought(const struct dp_scan_type *type) {
	if (!type->has_ports)
		return DP_STATE_UP;
	return strcmp(type->name, "ack") ? DP_STATE_OPEN : DP_STATE_UNFILTERED;
}

/* A count that is worth a part of its own. */
static void put_count(struct parts *parts, enum part part, const char *long_name,
	const char *short_name, uint64_t count) {
	char number[HUMAN_BYTES];

	snprintf(parts->text[FORM_LONG][part], PART_BYTES, "%s %s", long_name,
		human_short(count, number));
	snprintf(parts->text[FORM_SHORT][part], PART_BYTES, "%s %s", short_name,
		human_tiny((double)count, number));
	strcpy(parts->text[FORM_SHORTEST][part], parts->text[FORM_SHORT][part]);
}

static void put_found(struct parts *parts, const struct ctl_summary *s) {
	const uint64_t sent = s->stats.probes_sent, lost = ctl_summary_lost_total(s);
	const enum dp_state state = sought(s->type);
	const char *name = dp_state_name(state);
	double hits = sent ? 100.0 * (double)s->states[state] / (double)sent : 0;

	hits = hits < 100 ? hits : 100;
	put_count(parts, PART_FOUND, name, strlen(name) > SHORT_NAME ? "found" : name,
		s->states[state]);
	snprintf(parts->text[FORM_LONG][PART_HITS], PART_BYTES,
		hits < 1 ? "hits %.3f%%" : "hits %.1f%%", hits);
	for (unsigned form = FORM_SHORT; form < FORMS; form++)
		snprintf(parts->text[form][PART_HITS], PART_BYTES,
			hits < 9.995	     ? "%.2f%%"
				: hits < 100 ? "%.1f%%"
					     : "%.0f%%",
			hits);
	if (s->waiting || s->nb_plugins)
		put_count(parts, PART_WAITING, "waiting", "wait", s->waiting);
	if (lost)
		put_count(parts, PART_LOST, "lost", "lost", lost);
}

/* ---- The line ---- */

static unsigned gap_of(enum form form) {
	return form == FORM_LONG ? 2 : 1;
}

static unsigned width(const struct parts *parts, enum form form) {
	unsigned columns = 0;

	for (unsigned i = 0; i < PARTS; i++) {
		const char *text = parts->text[form][i];

		if (*text)
			columns += (columns ? gap_of(form) : 0) + (unsigned)strlen(text);
	}
	return columns;
}

/* One column stays free: some terminals wrap when the last one is written. */
static enum form fit(struct parts *parts, unsigned columns) {
	static const unsigned dispensable[]
		= {PART_HITS, PART_GOT, PART_SENT, PART_TIME, PART_WAITING, PART_FOUND, PART_LOST};
	char *phase = parts->text[FORM_SHORTEST][PART_PHASE];

	for (unsigned form = 0; form < FORMS; form++)
		if (width(parts, form) < columns)
			return form;
	for (unsigned i = 0; i < sizeof dispensable / sizeof *dispensable; i++) {
		*parts->text[FORM_SHORTEST][dispensable[i]] = '\0';
		if (width(parts, FORM_SHORTEST) < columns)
			return FORM_SHORTEST;
	}
	if (strlen(phase) >= columns)
		phase[columns - 1] = '\0';
	return FORM_SHORTEST;
}

static size_t compose(const struct progress *progress, const struct parts *parts, enum form form,
	char out[LINE_BYTES]) {
	char *p = out;

	if (progress->terminal)
		p = stpcpy(p, "\r\033[K");
	const char *gap = "";
	for (unsigned i = 0; i < PARTS; i++) {
		const char *text = parts->text[form][i];

		if (!*text)
			continue;
		bool red = i == PART_LOST && progress->color;
		p = stpcpy(stpcpy(p, gap), red ? "\033[31m" : "");
		p = stpcpy(stpcpy(p, text), red ? "\033[0m" : "");
		gap = &"  "[2 - gap_of(form)];
	}
	if (!progress->terminal)
		p = stpcpy(p, "\n");
	return (size_t)(p - out);
}

/* A progress line that cannot be written is no reason to stop. */
static void put(int fd, const char *text, size_t bytes) {
	ssize_t ignored = write(fd, text, bytes);

	(void)ignored;
}

static void put_parts(struct progress *progress, struct parts *parts) {
	char line[LINE_BYTES];
	enum form form = FORM_LONG;

	if (progress->terminal) {
		measure(progress);
		form = fit(parts, progress->columns);
	}
	put(progress->fd, line, compose(progress, parts, form, line));
	progress->shown = progress->terminal;
}

static bool is_due(struct progress *progress, uint64_t now_ns) {
	if (progress->terminal)
		return !progress->last_ns || now_ns - progress->last_ns >= progress->interval_ns;
	/* A log needs no line that says that nothing has happened yet. */
	if (!progress->last_ns)
		progress->last_ns = now_ns;
	return now_ns - progress->last_ns >= progress->interval_ns * PLAIN_INTERVALS;
}

void progress_show(struct progress *progress, const struct ctl_summary *summary, const char *phase,
	uint64_t now_ns, bool force) {
	struct parts parts = {0};

	if (!force && !is_due(progress, now_ns))
		return;
	put_phase(progress, &parts, summary, phase);
	put_time(&parts, summary);
	put_flows(progress, &parts, summary, now_ns);
	put_found(&parts, summary);
	put_parts(progress, &parts);
	progress->last_ns = now_ns;
	progress->last_sent = summary->stats.probes_sent;
	progress->last_received = ctl_summary_validated(summary);
}

static void take_off(struct progress *progress) {
	static const char clear[] = "\r\033[K";

	if (progress->shown)
		put(progress->fd, clear, sizeof clear - 1);
	progress->shown = false;
}

/* ---- Stages ---- */

static uint64_t pause_of(const struct progress *progress) {
	return progress->interval_ns * (progress->terminal ? 1 : PLAIN_INTERVALS);
}

static void show_stage(struct progress *progress, uint64_t now_ns) {
	struct progress_stage *stage = progress->stage;
	struct parts parts = {0};
	char elapsed[HUMAN_BYTES];

	human_clock((double)(now_ns - stage->began_ns) / 1e9, elapsed);
	for (unsigned form = 0; form < FORMS; form++) {
		strcpy(parts.text[form][PART_PHASE], stage->name);
		strcpy(parts.text[form][PART_TIME], elapsed);
	}
	put_parts(progress, &parts);
	stage->next_ns = now_ns + pause_of(progress);
}

static void *stage_main(void *arg) {
	struct progress *progress = arg;
	struct progress_stage *stage = progress->stage;

	pthread_mutex_lock(&stage->lock);
	while (!stage->ended) {
		const struct timespec until = {
			(time_t)(stage->next_ns / 1000000000), (long)(stage->next_ns % 1000000000)};
		uint64_t now_ns;

		pthread_cond_timedwait(&stage->changed, &stage->lock, &until);
		now_ns = monotonic_ns();
		if (!stage->ended && now_ns >= stage->next_ns)
			show_stage(progress, now_ns);
	}
	pthread_mutex_unlock(&stage->lock);
	return NULL;
}

/* No signal's handler runs on it. */
static int start_thread(struct progress *progress) {
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&progress->stage->thread, NULL, stage_main, progress);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

void progress_begin(struct progress *progress, const char *name) {
	struct progress_stage *stage = calloc(1, sizeof *stage);
	pthread_condattr_t clock;

	if (!stage)
		return;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&stage->changed, &clock);
	pthread_condattr_destroy(&clock);
	pthread_mutex_init(&stage->lock, NULL);
	snprintf(stage->name, sizeof stage->name, "%s", name);
	stage->began_ns = monotonic_ns();
	stage->next_ns = stage->began_ns + pause_of(progress);
	progress->stage = stage;
	if (start_thread(progress)) {
		progress->stage = NULL;
		free(stage);
	}
}

void progress_end(struct progress *progress) {
	struct progress_stage *stage = progress->stage;

	if (!stage)
		return;
	pthread_mutex_lock(&stage->lock);
	stage->ended = true;
	pthread_cond_signal(&stage->changed);
	pthread_mutex_unlock(&stage->lock);
	pthread_join(stage->thread, NULL);
	pthread_cond_destroy(&stage->changed);
	pthread_mutex_destroy(&stage->lock);
	free(stage);
	progress->stage = NULL;
	take_off(progress);
}

void progress_clear(struct progress *progress) {
	struct progress_stage *stage = progress->stage;

	if (stage)
		pthread_mutex_lock(&stage->lock);
	take_off(progress);
	if (!stage)
		return;
	/* What is printed now has an interval to get there. */
	stage->next_ns = monotonic_ns() + pause_of(progress);
	pthread_mutex_unlock(&stage->lock);
}
