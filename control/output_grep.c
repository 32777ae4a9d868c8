/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A line a host with its ports, as readers of nmap's greppable output take it:
 *
 *     # prtip-dp 0.1.0 scan initiated Sat Jan 31 12:00:00 2026
 *     Host: 198.18.0.2 ()<TAB>Status: Up
 *     Host: 198.18.0.2 ()<TAB>Ports: 80/open/tcp//http//nginx 1.22.1/, 81/closed/tcp/////
 *     # prtip-dp done at Sat Jan 31 12:00:10 2026 -- 2 results in 10.49 seconds
 *
 * Runs on the writer thread, its end on the control core. Owns the results that wait to be grouped.
 * Text of others is printable ASCII, each other byte \xNN; what would split a line into fields is
 * replaced, / by | and , by ;.
 */
#include "host_groups.h"
#include "human.h"
#include "output.h"
#include "version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char first_line[] = "# prtip-dp ";

enum {
	VERSION_BYTES = sizeof(struct lh_service),
	ESCAPED = 4,
	LONGEST = 64 + ESCAPED * 2 * VERSION_BYTES,
	DATE_BYTES = 32,
};

struct grep {
	struct sink *sink;
	struct host_groups *groups;
	bool begun;
};

static char *put_text(char *p, const char *text) {
	char *end;

	human_text(text, strlen(text), p, ESCAPED * VERSION_BYTES);
	end = p + strlen(p);
	for (; p < end; p++)
		*p = *p == '/' ? '|' : *p == ',' ? ';' : *p;
	return end;
}

/* Product, version and what else is known, as one text. */
static void describe(const struct lh_service *s, char text[VERSION_BYTES]) {
	const bool info = *s->info;

	snprintf(text, VERSION_BYTES, "%s%s%s%s%s%s%s", s->product,
		*s->product && *s->version ? " " : "", s->version,
		info && (*s->product || *s->version) ? " " : "", info ? "(" : "", s->info,
		info ? ")" : "");
}

/* PORT/STATE/PROTOCOL/OWNER/SERVICE/RPC/VERSION/ */
static char *put_port(char *p, const struct result *result) {
	const struct dp_answer *a = &result->answer;
	char version[VERSION_BYTES];

	p += sprintf(p, "%u/%s/%s//", a->port, dp_state_name(a->state), dp_proto_name(a->proto));
	if (!result->extra || !result->extra->has_service)
		return stpcpy(p, "///");
	p = put_text(p, result->extra->service.name);
	p = stpcpy(p, "//");
	describe(&result->extra->service, version);
	p = put_text(p, version);
	return stpcpy(p, "/");
}

static bool is_up(const struct host_row *rows, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		if (rows[i].answer.state != DP_STATE_FILTERED)
			return true;
	return false;
}

static void put_host(
	void *user, const struct host_row *rows, unsigned n, const char *text, size_t bytes) {
	struct grep *grep = user;
	char ip[DP_IP_TEXT_BYTES], status[DP_IP_TEXT_BYTES + 32], *line, *p;
	unsigned ports = 0;

	dp_ip_write(rows->answer.ip, ip);
	for (unsigned i = 0; i < n; i++)
		ports += rows[i].bytes > 0;
	snprintf(status, sizeof status, "Host: %s ()\tStatus: %s\n", ip,
		is_up(rows, n) ? "Up" : "Unknown");
	sink_heading(grep->sink, status);
	if (ports == 0) {
		/* That line is the result itself. */
		grep->sink->headings--;
		return;
	}
	line = sink_room_for(grep->sink, sizeof status + bytes + 2ul * n);
	if (!line)
		return;
	p = line + sprintf(line, "Host: %s ()\tPorts: ", ip);
	for (unsigned i = 0; i < n; i++) {
		if (!rows[i].bytes)
			continue;
		p = mempcpy(p, text + rows[i].at, rows[i].bytes);
		p = stpcpy(p, --ports ? ", " : "\n");
	}
	sink_lines(grep->sink, (size_t)(p - line), n);
}

static int grep_open(struct sink *sink, const struct output_params *params, void **state) {
	struct grep *grep = calloc(1, sizeof *grep);

	(void)params;
	if (!grep || host_groups_create(put_host, grep, &grep->groups)) {
		free(grep);
		return -ENOMEM;
	}
	grep->sink = sink;
	*state = grep;
	return 0;
}

static const char *grep_first_line(const void *state) {
	(void)state;
	return first_line;
}

static void put_date(char date[DATE_BYTES]) {
	time_t now = time(NULL);
	struct tm tm;

	strftime(date, DATE_BYTES, "%a %b %e %H:%M:%S %Y", gmtime_r(&now, &tm));
}

/* Each run has its own, in a file that several add to. */
static void begin(struct grep *grep) {
	char date[DATE_BYTES], line[128];

	if (grep->begun)
		return;
	grep->begun = true;
	put_date(date);
	snprintf(line, sizeof line, "%s%s scan initiated %s\n", first_line, CTL_VERSION, date);
	sink_heading(grep->sink, line);
}

static void grep_write(void *state, const struct result *results, unsigned n) {
	struct grep *grep = state;

	begin(grep);
	for (unsigned i = 0; i < n; i++) {
		const bool port = result_has_port(&results[i].answer);
		char *text = host_groups_room(grep->groups, LONGEST), *end;

		if (!text) {
			grep->sink->error = grep->sink->error ? grep->sink->error : -ENOMEM;
			return;
		}
		end = port ? put_port(text, &results[i]) : text;
		host_groups_add(grep->groups, &results[i].answer, (size_t)(end - text));
	}
}

static void grep_settle(void *state) {
	struct grep *grep = state;

	host_groups_flush(grep->groups);
}

static void grep_begin_file(void *state) {
	struct grep *grep = state;

	grep->begun = false;
	begin(grep);
}

static int grep_finish(void *state, const struct ctl_summary *summary) {
	struct grep *grep = state;
	char date[DATE_BYTES], line[160];

	begin(grep);
	host_groups_flush(grep->groups);
	put_date(date);
	snprintf(line, sizeof line, "%sdone at %s -- %llu results in %.2f seconds\n", first_line,
		date, (unsigned long long)summary->results, summary->elapsed_s);
	sink_heading(grep->sink, line);
	return 0;
}

static void grep_close(void *state) {
	struct grep *grep = state;

	host_groups_destroy(grep->groups);
	free(grep);
}

const struct output_format output_grep = {
	.name = "grep",
	.line_start = "",
	.grouped = true,
	.open = grep_open,
	.first_line = grep_first_line,
	.write_results = grep_write,
	.settle = grep_settle,
	.end_file = grep_settle,
	.begin_file = grep_begin_file,
	.finish = grep_finish,
	.close = grep_close,
};
