/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list, a line a result, as readers of masscan's lists take it:
 *
 *     #masscan
 *     open tcp 80 198.18.0.2 1769860800
 *     banner tcp 80 198.18.0.2 1769860800 http HTTP/1.1 200 OK\x0d\x0a
 *     # end
 *
 * Runs on the writer thread, its end on the control core. Owns nothing but its state. Text of others
 * is printable ASCII, each other byte and the backslash \xNN.
 */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "#masscan\n";
static const char last_line[] = "# end\n";

enum {
	ESCAPED = 4, /* bytes that one byte becomes at the most */
	LONGEST = 128 + sizeof(((struct lh_service *)0)->name) * ESCAPED, /* beside the banner */
};

struct list {
	struct sink *sink;
	bool begun;
};

static int list_open(struct sink *sink, const struct output_params *params, void **state) {
	struct list *list = malloc(sizeof *list);

	(void)params;
	if (!list)
		return -ENOMEM;
	*list = (struct list){.sink = sink};
	*state = list;
	return 0;
}

static const char *list_first_line(const void *state) {
	(void)state;
	return first_line;
}

static void begin(struct list *list) {
	if (!list->begun && !list->sink->follows)
		sink_heading(list->sink, first_line);
	list->begun = true;
}

/* With @word, blanks are escaped, too. */
static char *put_text(char *p, const void *bytes, size_t n, bool word) {
	static const char hex[] = "0123456789abcdef";
	const uint8_t *text = bytes;

	for (size_t i = 0; i < n; i++) {
		if (text[i] >= 0x20 + word && text[i] < 0x7f && text[i] != '\\') {
			*p++ = (char)text[i];
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[text[i] >> 4];
		*p++ = hex[text[i] & 15];
	}
	return p;
}

static char *put_place(char *p, const char *what, const struct dp_answer *a) {
	char ip[DP_IP_TEXT_BYTES];

	dp_ip_write(a->ip, ip);
	return p
		+ sprintf(p, "%s %s %u %s %llu", what, dp_proto_name(a->proto),
			result_has_port(a) ? a->port : 0, ip,
			(unsigned long long)(a->ts_ns / 1000000000));
}

static char *put_banner(char *p, const struct result *result) {
	const struct result_extra *extra = result->extra;
	const char *name = extra->service.name;
	const bool named = extra->has_service && *name;

	p = put_place(p, "banner", &result->answer);
	*p++ = ' ';
	p = named ? put_text(p, name, strnlen(name, sizeof extra->service.name), true)
		  : stpcpy(p, "unknown");
	*p++ = ' ';
	p = put_text(p, extra->banner, extra->banner_bytes, false);
	*p++ = '\n';
	return p;
}

static void put_result(struct list *list, const struct result *result) {
	const bool banner = result->extra && result->extra->banner;
	char *line = sink_room(list->sink), *p;

	p = put_place(line, dp_state_name(result->answer.state), &result->answer);
	*p++ = '\n';
	sink_line(list->sink, (size_t)(p - line));
	if (!banner)
		return;
	line = sink_room_for(list->sink, LONGEST + ESCAPED * result->extra->banner_bytes);
	if (!line)
		return;
	p = put_banner(line, result);
	/* One line more, and no result. */
	sink_line(list->sink, (size_t)(p - line));
	list->sink->headings++;
}

static void list_write(void *state, const struct result *results, unsigned n) {
	begin(state);
	for (unsigned i = 0; i < n; i++)
		put_result(state, &results[i]);
}

static void list_end_file(void *state) {
	struct list *list = state;

	begin(list);
	sink_heading(list->sink, last_line);
}

static void list_begin_file(void *state) {
	struct list *list = state;

	list->begun = list->sink->follows = false;
	begin(list);
}

static int list_finish(void *state, const struct ctl_summary *summary) {
	(void)summary;
	list_end_file(state);
	return 0;
}

static void list_close(void *state) {
	free(state);
}

const struct output_format output_list = {
	.name = "list",
	.line_start = "",
	.open = list_open,
	.first_line = list_first_line,
	.write_results = list_write,
	.end_file = list_end_file,
	.begin_file = list_begin_file,
	.finish = list_finish,
	.close = list_close,
};
