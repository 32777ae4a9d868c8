/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The progress line.
 *
 * Runs on the control core, about once a second; owns no memory. The line is made of parts. On a
 * terminal those that matter least are left out until the rest fits, so that the line never wraps,
 * however large its numbers are; elsewhere all are written, a line every ten intervals.
 */
#include "human.h"
#include "progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	PART_PHASE,
	PART_TIME,
	PART_SENT,
	PART_GOT,
	PART_OPEN,
	PART_HITS,
	PART_WAITING,
	PART_LOST,
	PARTS,
};

enum {
	PART_BYTES = 64,
	LINE_BYTES = PARTS * (PART_BYTES + 16),
	LEAST_COLUMNS = 80,
	PLAIN_INTERVALS = 10,
};

/* Empty: not shown. */
struct parts {
	char text[PARTS][PART_BYTES];
};

static bool wants_color(void) {
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

static void measure(struct progress *progress) {
	struct winsize size;

	progress->columns = LEAST_COLUMNS;
	if (!ioctl(progress->fd, TIOCGWINSZ, &size) && size.ws_col > LEAST_COLUMNS)
		progress->columns = size.ws_col;
}

void progress_init(struct progress *progress, int fd, uint64_t interval_ns) {
	*progress = (struct progress){.fd = fd, .interval_ns = interval_ns};
	progress->terminal = isatty(fd);
	progress->color = progress->terminal && wants_color();
	measure(progress);
}

static void put_phase(const struct progress *progress, struct parts *parts,
	const struct ctl_summary *s, const char *phase) {
	char *text = parts->text[PART_PHASE];
	dp_u128 all = ctl_summary_transmissions(s);
	double percent = all ? 100.0 * (double)ctl_summary_tried(s) / (double)all : 100;

	/* 100.0% is for when all are out, not for when nearly all are. */
	percent = percent >= 100 ? 100 : floor(percent * 10) / 10;
	if (strcmp(phase, "scanning"))
		snprintf(text, PART_BYTES, "%.12s", phase);
	else if (progress->terminal)
		snprintf(text, PART_BYTES, "%5.1f%%", percent);
	else
		snprintf(text, PART_BYTES, "%.12s %.1f%%", phase, percent);
}

static void put_time(struct parts *parts, const struct ctl_summary *s, double remaining_s) {
	char *text = parts->text[PART_TIME];
	char elapsed[HUMAN_BYTES], left[HUMAN_BYTES];

	human_clock(s->elapsed_s, elapsed);
	if (remaining_s >= 0)
		snprintf(text, PART_BYTES, "%s (%s left)", elapsed, human_clock(remaining_s, left));
	else
		snprintf(text, PART_BYTES, "%s", elapsed);
}

/* Rates since the line before; since the start where there is none, or only just. */
static void put_rates(const struct progress *progress, struct parts *parts,
	const struct ctl_summary *s, uint64_t now_ns) {
	char count[HUMAN_BYTES], rate[HUMAN_BYTES];
	uint64_t sent = s->stats.probes_sent, got = ctl_summary_validated(s);
	double seconds = (double)(now_ns - progress->last_ns) / 1e9;

	if (!progress->last_ns || seconds < 0.05) {
		seconds = s->elapsed_s > 0 ? s->elapsed_s : INFINITY;
	} else {
		sent -= progress->last_sent;
		got -= progress->last_received;
	}
	snprintf(parts->text[PART_SENT], PART_BYTES, "sent %s (%s)",
		human_short(s->stats.probes_sent, count), human_rate((double)sent / seconds, rate));
	snprintf(parts->text[PART_GOT], PART_BYTES, "got %s",
		human_rate((double)got / seconds, rate));
}

/* What a scan of this type is for. */
static enum dp_state sought(const struct dp_scan_type *type) {
	if (!type->has_ports)
		return DP_STATE_UP;
	return strcmp(type->name, "ack") ? DP_STATE_OPEN : DP_STATE_UNFILTERED;
}

static void put_found(struct parts *parts, const struct ctl_summary *s) {
	char count[HUMAN_BYTES];
	uint64_t sent = s->stats.probes_sent, lost = ctl_summary_lost_total(s);
	const enum dp_state state = sought(s->type);
	uint64_t found = s->states[state];
	double hits = sent ? 100.0 * (double)found / (double)sent : 0;

	snprintf(parts->text[PART_OPEN], PART_BYTES, "%s %s", dp_state_name(state),
		human_short(found, count));
	snprintf(parts->text[PART_HITS], PART_BYTES, hits < 1 ? "hits %.3f%%" : "hits %.1f%%",
		hits < 100 ? hits : 100);
	if (s->waiting)
		snprintf(parts->text[PART_WAITING], PART_BYTES, "waiting %s",
			human_short(s->waiting, count));
	if (lost)
		snprintf(parts->text[PART_LOST], PART_BYTES, "lost %s", human_short(lost, count));
}

static unsigned width(const struct parts *parts) {
	unsigned columns = 0;

	for (unsigned i = 0; i < PARTS; i++) {
		if (*parts->text[i])
			columns += (columns ? 2 : 0) + (unsigned)strlen(parts->text[i]);
	}
	return columns;
}

/* One column stays free: some terminals wrap when the last one is written. */
static void fit(struct parts *parts, unsigned columns) {
	static const unsigned dispensable[] = {PART_HITS, PART_GOT, PART_SENT, PART_TIME};

	for (unsigned i = 0; i < sizeof dispensable / sizeof *dispensable; i++) {
		if (width(parts) < columns)
			return;
		*parts->text[dispensable[i]] = '\0';
	}
}

static size_t compose(const struct progress *progress, const struct parts *parts, char *out) {
	char *p = out;

	if (progress->terminal)
		p = stpcpy(p, "\r\033[K");
	const char *gap = "";
	for (unsigned i = 0; i < PARTS; i++) {
		if (!*parts->text[i])
			continue;
		bool red = i == PART_LOST && progress->color;
		p = stpcpy(stpcpy(p, gap), red ? "\033[31m" : "");
		p = stpcpy(stpcpy(p, parts->text[i]), red ? "\033[0m" : "");
		gap = "  ";
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

static bool is_due(struct progress *progress, uint64_t now_ns) {
	if (progress->terminal)
		return !progress->last_ns || now_ns - progress->last_ns >= progress->interval_ns;
	/* A log needs no line that says that nothing has happened yet. */
	if (!progress->last_ns)
		progress->last_ns = now_ns;
	return now_ns - progress->last_ns >= progress->interval_ns * PLAIN_INTERVALS;
}

void progress_show(struct progress *progress, const struct ctl_summary *summary, const char *phase,
	double remaining_s, uint64_t now_ns, bool force) {
	struct parts parts = {0};
	char line[LINE_BYTES];

	if (!force && !is_due(progress, now_ns))
		return;
	put_phase(progress, &parts, summary, phase);
	put_time(&parts, summary, remaining_s);
	put_rates(progress, &parts, summary, now_ns);
	put_found(&parts, summary);
	if (progress->terminal) {
		measure(progress);
		fit(&parts, progress->columns);
	}
	put(progress->fd, line, compose(progress, &parts, line));
	progress->shown = progress->terminal;
	progress->last_ns = now_ns;
	progress->last_sent = summary->stats.probes_sent;
	progress->last_received = ctl_summary_validated(summary);
}

void progress_clear(struct progress *progress) {
	static const char clear[] = "\r\033[K";

	if (progress->shown)
		put(progress->fd, clear, sizeof clear - 1);
	progress->shown = false;
}
