/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table for people: sorted by address and port, within 80 columns.
 *
 * Runs on the writer thread, its end on the control core. Owns the rows that it holds back for
 * sorting: the first HELD_ROWS. Where more come, those are written sorted and the others as they
 * arrive, so that memory stays bounded; the columns are as wide as the widest value can be, so that
 * late rows still stand below early ones. So it is from the first checkpoint on, too. IPv6 addresses that leave no room for all columns push TTL
 * and RTT out.
 *
 * Where one of the held rows has a service, SERVICE and VERSION take the place of REASON, TTL and
 * RTT; with `reason` they do not, and a service follows its row as other things do. What else there is to say about a row (what plugins found, a banner that nobody named a
 * service for) follows it, a line each. All that others wrote passes through human_text(): no control
 * character of theirs reaches the terminal, and what is cut ends in a ~.
 */
#include "human.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HELD_ROWS = 10000,
	COLUMNS = 80,
	SERVICE_COLUMNS = 12,
	VERSION_COLUMNS = 25, /* the rest of the 80 */
	IPV4_COLUMNS = 15,
	IP_COLUMNS = 20, /* that leave room for all columns but services */
	IPV6_COLUMNS = 39,
	STATE_COLUMNS = 8,
	UNFILTERED_COLUMNS = 10,
	NOTE_BYTES = COLUMNS + 1, /* with its newline */
	MOST_NOTES = 2 + 2 * LH_MAX_PLUGINS, /* service, banner; of each plugin error and results */
};

/* What a row has beyond its answer, as text that is safe on a terminal. */
struct more {
	bool has_service;
	char service[SERVICE_COLUMNS + 1];
	char version[VERSION_COLUMNS + 1];
	char *notes; /* lines */
	size_t bytes; /* of them */
};

struct row {
	struct dp_answer answer;
	struct more *more; /* NULL: nothing. Its notes lie behind it */
};

struct table {
	struct sink *sink;
	bool color;
	bool reason; /* its column stays */
	bool rotated; /* the file is not the first one */
	bool started; /* the heading is out */
	bool flowing; /* the held rows are out; others follow as they come */
	bool services; /* the columns are those with services */
	bool compact; /* the columns are those beside long addresses */
	bool unfiltered; /* some held row is in this state */
	unsigned ip_columns;
	unsigned held;
	struct row rows[HELD_ROWS];
};

static int table_open(struct sink *sink, const struct output_params *params, void **state) {
	struct table *table = malloc(sizeof *table);

	if (!table)
		return -ENOMEM;
	table->sink = sink;
	table->color = params->color && sink->terminal;
	table->reason = params->config && params->config->reason;
	table->rotated = table->started = table->flowing = table->services = false;
	table->compact = table->unfiltered = false;
	table->ip_columns = IPV4_COLUMNS;
	table->held = 0;
	*state = table;
	return 0;
}

/* "  | NAME: TEXT", or "  | NAME: WORD: TEXT" where there is a word. */
static void add_note(
	struct more *more, const char *name, const char *word, const void *text, size_t bytes) {
	char line[128 + COLUMNS + 1];
	char *note = more->notes + more->bytes;
	size_t used = (size_t)snprintf(
		line, 128, "  | %.64s: %.32s%s", name, word, *word && bytes ? ": " : "");

	/* One byte more than can be shown shows that something was cut. */
	bytes = bytes < COLUMNS + 1 ? bytes : COLUMNS + 1;
	if (bytes)
		memcpy(line + used, text, bytes);
	human_text(line, used + bytes, note, COLUMNS);
	size_t length = strlen(note);
	note[length] = '\n';
	more->bytes += length + 1;
}

static void add_plugin(struct more *more, const struct result_plugin *plugin) {
	const char *error = plugin->error ? plugin->error : "";

	if (plugin->status != LH_OK || plugin->error)
		add_note(more, plugin->name, lh_status_names[plugin->status], error, strlen(error));
	if (plugin->results)
		add_note(more, plugin->name, "", plugin->results, strlen(plugin->results));
}

static void set_service(struct more *more, const struct lh_service *service) {
	char version[sizeof service->product + sizeof service->version];
	const char *name = *service->name ? service->name : "-";

	snprintf(version, sizeof version, "%s%s%s", service->product,
		*service->product && *service->version ? " " : "", service->version);
	human_text(name, strlen(name), more->service, SERVICE_COLUMNS);
	human_text(version, strlen(version), more->version, VERSION_COLUMNS);
	more->has_service = true;
}

/* For a row below a heading without services. */
static void add_service(struct more *more, const struct lh_service *service) {
	char text[sizeof *service];

	snprintf(text, sizeof text, "%s%s%s%s%s", service->name, *service->product ? " " : "",
		service->product, *service->version ? " " : "", service->version);
	add_note(more, "service", "", text, strlen(text));
}

/* @notes has room for MOST_NOTES. */
static void describe(
	struct more *more, char *notes, const struct result_extra *extra, bool service_below) {
	*more = (struct more){.notes = notes};
	if (extra->has_service && service_below)
		add_service(more, &extra->service);
	else if (extra->has_service)
		set_service(more, &extra->service);
	else if (extra->banner)
		add_note(more, "banner", "", extra->banner, extra->banner_bytes);
	for (unsigned i = 0; i < extra->nb_plugins && i < LH_MAX_PLUGINS; i++)
		add_plugin(more, &extra->plugins[i]);
}

static struct more *keep(const struct more *more) {
	struct more *copy = malloc(sizeof *copy + more->bytes);

	if (!copy)
		return NULL;
	*copy = *more;
	copy->notes = memcpy(copy + 1, more->notes, more->bytes);
	return copy;
}

static const char *state_color(enum dp_state state) {
	static const char *const colors[] = {
		[DP_STATE_OPEN] = "\033[32m",
		[DP_STATE_CLOSED] = "\033[31m",
		[DP_STATE_FILTERED] = "\033[33m",
		[DP_STATE_UNFILTERED] = "\033[36m",
		[DP_STATE_UP] = "\033[32m",
	};

	return colors[state];
}

/* What stands right of the state: 32 columns; the longest reason is "admin-prohibited". */
static char *put_details(char *p, const struct dp_answer *a) {
	char rtt[HUMAN_BYTES] = "-", ttl[HUMAN_BYTES] = "-";

	if (a->rtt_us != DP_RTT_NONE)
		human_rtt(a->rtt_us, rtt);
	/* ARP has none. */
	if (a->proto != DP_PROTO_ARP)
		snprintf(ttl, sizeof ttl, "%u", a->ttl);
	return p + sprintf(p, "%-16s  %3s  %9s\n", dp_reason_name(a->reason), ttl, rtt);
}

/* Or 39 columns, without blanks at their end. */
static char *put_service(char *p, const struct more *more) {
	if (!more || !more->has_service)
		return stpcpy(p, "-\n");
	if (!*more->version)
		return p + sprintf(p, "%s\n", more->service);
	return p + sprintf(p, "%-*s  %s\n", SERVICE_COLUMNS, more->service, more->version);
}

static char *put_port(char *p, const struct dp_answer *a) {
	if (result_has_port(a))
		return p + sprintf(p, "%5u", a->port);
	return p + sprintf(p, "%5s", "-");
}

/* The state, coloured, in its column. */
static char *put_state(const struct table *table, char *p, const struct dp_answer *a) {
	const unsigned columns = table->unfiltered ? UNFILTERED_COLUMNS : STATE_COLUMNS;

	return p
		+ sprintf(p, "%s%-*s%s", table->color ? state_color(a->state) : "", (int)columns,
			dp_state_name(a->state), table->color ? "\033[0m" : "");
}

/* At most 79 columns: 39, 5, 5, 10 and 16 with one between them. */
static char *put_compact(
	const struct table *table, char *p, const struct dp_answer *a, const char *ip) {
	p += sprintf(p, "%-*s ", (int)table->ip_columns, ip);
	p = put_port(p, a);
	p += sprintf(p, " %-5s ", dp_proto_name(a->proto));
	p = put_state(table, p, a);
	return p + sprintf(p, " %s\n", dp_reason_name(a->reason));
}

/* What a compact row has no column for. */
static void put_service_below(struct table *table, const struct more *more) {
	char line[SERVICE_COLUMNS + VERSION_COLUMNS + 32];
	int used;

	if (!more || !more->has_service)
		return;
	used = sprintf(line, "  | service: %s%s%s\n", more->service, *more->version ? " " : "",
		more->version);
	sink_note(table->sink, line, (size_t)used);
}

static void put_row(struct table *table, const struct dp_answer *a, const struct more *more) {
	char ip[DP_IP_TEXT_BYTES], *line = sink_room(table->sink), *p = line;
	const bool compact = dp_ip_write(a->ip, ip) > table->ip_columns || table->compact;

	if (compact) {
		p = put_compact(table, p, a, ip);
	} else {
		p += sprintf(p, "%-*s  ", (int)table->ip_columns, ip);
		p = put_port(p, a);
		p += sprintf(p, "  %-5s  ", dp_proto_name(a->proto));
		p = stpcpy(put_state(table, p, a), "  ");
		p = table->services ? put_service(p, more) : put_details(p, a);
	}
	sink_line(table->sink, (size_t)(p - line));
	if (compact)
		put_service_below(table, more);
	if (more && more->bytes)
		sink_note(table->sink, more->notes, more->bytes);
}

/* The columns that hold all rows so far; with more to come, any IPv6 address may be as long as can be. */
static void choose_columns(struct table *table, bool more_follow) {
	for (unsigned i = 0; i < table->held; i++) {
		const struct dp_answer *a = &table->rows[i].answer;
		char ip[DP_IP_TEXT_BYTES];
		unsigned length = dp_ip_write(a->ip, ip);

		if (!dp_ip_is_v4(a->ip) && more_follow)
			length = IPV6_COLUMNS;
		table->ip_columns = length > table->ip_columns ? length : table->ip_columns;
		table->unfiltered |= a->state == DP_STATE_UNFILTERED;
	}
	table->compact
		= table->ip_columns > (table->services ? (unsigned)IPV4_COLUMNS : IP_COLUMNS);
}

static void put_heading(struct table *table) {
	const int ip = (int)table->ip_columns;
	const int state = table->unfiltered ? UNFILTERED_COLUMNS : STATE_COLUMNS;
	char line[96];

	if (table->started)
		return;
	table->started = true;
	if (table->compact)
		snprintf(line, sizeof line, "%-*s %5s %-5s %-*s %s\n", ip, "IP", "PORT", "PROTO",
			state, "STATE", "REASON");
	else if (table->services)
		snprintf(line, sizeof line, "%-*s  %5s  %-5s  %-*s  %-*s  %s\n", ip, "IP", "PORT",
			"PROTO", state, "STATE", SERVICE_COLUMNS, "SERVICE", "VERSION");
	else
		snprintf(line, sizeof line, "%-*s  %5s  %-5s  %-*s  %-16s  %3s  %9s\n", ip, "IP",
			"PORT", "PROTO", state, "STATE", "REASON", "TTL", "RTT");
	sink_heading(table->sink, line);
}

static int by_address(const void *left, const void *right) {
	const struct dp_answer *a = &((const struct row *)left)->answer;
	const struct dp_answer *b = &((const struct row *)right)->answer;

	if (a->ip != b->ip)
		return a->ip < b->ip ? -1 : 1;
	return (a->port > b->port) - (a->port < b->port);
}

static void put_held(struct table *table, bool more_follow) {
	choose_columns(table, more_follow);
	qsort(table->rows, table->held, sizeof *table->rows, by_address);
	put_heading(table);
	for (unsigned i = 0; i < table->held; i++) {
		put_row(table, &table->rows[i].answer, table->rows[i].more);
		free(table->rows[i].more);
	}
	table->held = 0;
}

static void hold(struct table *table, const struct result *result) {
	struct row *row = &table->rows[table->held];
	char notes[MOST_NOTES * NOTE_BYTES];
	struct more more;

	row->answer = result->answer;
	row->more = NULL;
	if (result->extra) {
		describe(&more, notes, result->extra, table->reason);
		row->more = keep(&more);
		if (!row->more && !table->sink->error)
			table->sink->error = -ENOMEM;
		table->services |= more.has_service;
	}
	table->held++;
}

/* As it comes, below a heading that stands. */
static void flow(struct table *table, const struct result *result) {
	char notes[MOST_NOTES * NOTE_BYTES];
	struct more more;

	if (result->extra)
		describe(&more, notes, result->extra, !table->services || table->compact);
	put_row(table, &result->answer, result->extra ? &more : NULL);
}

static void table_write(void *state, const struct result *results, unsigned n) {
	struct table *table = state;

	for (unsigned i = 0; i < n; i++) {
		if (!table->flowing && table->held == HELD_ROWS) {
			put_held(table, true);
			table->flowing = true;
		}
		if (table->flowing)
			flow(table, &results[i]);
		else
			hold(table, &results[i]);
	}
}

static void table_settle(void *state) {
	struct table *table = state;

	if (!table->held)
		return;
	put_held(table, true);
	table->flowing = true;
}

/* An empty table says why it is empty. */
static void put_nothing(struct table *table, const struct ctl_summary *summary) {
	char line[160], count[HUMAN_BYTES];

	if (table->rotated)
		snprintf(line, sizeof line, "Nothing more.\n");
	else if (!summary->unique)
		snprintf(line, sizeof line, "Nothing answered.\n");
	else if (summary->hidden)
		snprintf(line, sizeof line,
			"No open ports found; %s closed (include_closed = yes lists them).\n",
			human_count(summary->hidden, count));
	else
		snprintf(line, sizeof line, "No open ports found.\n");
	sink_heading(table->sink, line);
}

static int table_finish(void *state, const struct ctl_summary *summary) {
	struct table *table = state;

	if (table->held)
		put_held(table, false);
	else if (!table->started)
		put_nothing(table, summary);
	return 0;
}

static void table_end_file(void *state) {
	struct table *table = state;

	if (table->held)
		put_held(table, false);
}

/* The columns are chosen anew, by the rows that come. */
static void table_begin_file(void *state) {
	struct table *table = state;

	table->started = table->flowing = table->services = table->unfiltered = false;
	table->rotated = true;
}

static void table_close(void *state) {
	struct table *table = state;

	for (unsigned i = 0; i < table->held; i++)
		free(table->rows[i].more);
	free(table);
}

const struct output_format output_table = {
	.name = "table",
	.open = table_open,
	.write_results = table_write,
	.settle = table_settle,
	.end_file = table_end_file,
	.begin_file = table_begin_file,
	.finish = table_finish,
	.close = table_close,
};
