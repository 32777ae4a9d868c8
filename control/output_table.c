/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table for people: sorted by address and port, within 80 columns.
 *
 * Runs on the writer thread, its end on the control core. Owns the rows that it holds back for
 * sorting: the first HELD_ROWS. Where more come, those are written sorted and the others as they
 * arrive, so that memory stays bounded; the columns are as wide as the widest value can be, so that
 * late rows still stand below early ones.
 */
#include "human.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HELD_ROWS = 10000,
};

struct table {
	struct sink *sink;
	bool color;
	bool started; /* the heading is out */
	bool flowing; /* the held rows are out; others follow as they come */
	unsigned held;
	struct dp_answer rows[HELD_ROWS];
};

static int table_open(struct sink *sink, bool color, void **state) {
	struct table *table = malloc(sizeof *table);

	if (!table)
		return -ENOMEM;
	table->sink = sink;
	table->color = color && sink->terminal;
	table->started = table->flowing = false;
	table->held = 0;
	*state = table;
	return 0;
}

static const char *state_color(enum dp_state state) {
	static const char *const colors[] = {
		[DP_STATE_OPEN] = "\033[32m",
		[DP_STATE_CLOSED] = "\033[31m",
		[DP_STATE_FILTERED] = "\033[33m",
	};

	return colors[state];
}

/* The widths below add up to 75 columns; the longest reason is "admin-prohibited". */
static void put_row(struct table *table, const struct dp_answer *a) {
	char ip[16], rtt[HUMAN_BYTES] = "-";
	char *line = sink_room(table->sink);

	snprintf(ip, sizeof ip, "%u.%u.%u.%u", a->ip >> 24, a->ip >> 16 & 255, a->ip >> 8 & 255,
		a->ip & 255);
	if (a->rtt_us != DP_RTT_NONE)
		human_rtt(a->rtt_us, rtt);
	sink_line(table->sink,
		(size_t)sprintf(line, "%-15s  %5u  %-5s  %s%-8s%s  %-16s  %3u  %9s\n", ip, a->port,
			"tcp", table->color ? state_color(a->state) : "", dp_state_name(a->state),
			table->color ? "\033[0m" : "", dp_reason_name(a->reason), a->ttl, rtt));
}

static void put_heading(struct table *table) {
	char line[96];

	if (table->started)
		return;
	table->started = true;
	snprintf(line, sizeof line, "%-15s  %5s  %-5s  %-8s  %-16s  %3s  %9s\n", "IP", "PORT",
		"PROTO", "STATE", "REASON", "TTL", "RTT");
	sink_heading(table->sink, line);
}

static int by_address(const void *left, const void *right) {
	const struct dp_answer *a = left, *b = right;

	if (a->ip != b->ip)
		return a->ip < b->ip ? -1 : 1;
	return (a->port > b->port) - (a->port < b->port);
}

static void put_held(struct table *table) {
	qsort(table->rows, table->held, sizeof *table->rows, by_address);
	put_heading(table);
	for (unsigned i = 0; i < table->held; i++)
		put_row(table, &table->rows[i]);
	table->held = 0;
}

static void table_write(void *state, const struct dp_answer *results, unsigned n) {
	struct table *table = state;
	unsigned i = 0;

	for (; i < n && !table->flowing; i++) {
		if (table->held < HELD_ROWS) {
			table->rows[table->held++] = results[i];
			continue;
		}
		put_held(table);
		table->flowing = true;
		break;
	}
	for (; i < n; i++)
		put_row(table, &results[i]);
}

/* An empty table says why it is empty. */
static void put_nothing(struct table *table, const struct ctl_summary *summary) {
	char line[160], count[HUMAN_BYTES];

	if (!summary->unique)
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
		put_held(table);
	else if (!table->started)
		put_nothing(table, summary);
	return 0;
}

static void table_close(void *state) {
	free(state);
}

const struct output_format output_table = {
	.name = "table",
	.open = table_open,
	.write_results = table_write,
	.finish = table_finish,
	.close = table_close,
};
