/* SPDX-License-Identifier: BSD-3-Clause */
/* The formats: golden NDJSON lines, the table's order and columns. */
#include "output.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOON 1769860800ull /* 2026-01-31T12:00:00Z */
#define S 1000000000ull

static char *format_all(const struct output_format *format, const struct dp_answer *results,
	unsigned n, const struct ctl_summary *summary) {
	char path[] = "/tmp/output_test.XXXXXX";
	struct dp_error err;
	struct sink *sink;
	void *state;
	int fd = mkstemp(path);

	cr_assert_eq(sink_open(path, &sink, &err), 0, "%s", err.text);
	cr_assert_eq(format->open(sink, true, &state), 0);
	for (unsigned i = 0; i < n; i += 256)
		format->write_results(state, results + i, n - i < 256 ? n - i : 256);
	cr_assert_eq(format->finish(state, summary), 0);
	cr_assert_eq(sink_finish(sink), 0);
	cr_assert_eq(sink_results(sink), format->write_results ? n : 0);
	format->close(state);
	sink_destroy(sink);

	off_t bytes = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)bytes + 1);
	cr_assert_eq(pread(fd, text, (size_t)bytes, 0), bytes);
	close(fd);
	unlink(path);
	return text;
}

Test(output, has_a_row_for_each_format) {
	cr_assert_eq(output_find("table"), &output_table);
	cr_assert_eq(output_find("ndjson"), &output_ndjson);
	cr_assert_eq(output_find("summary"), &output_summary);
	cr_assert_null(output_find("xml"));
	cr_assert_null(output_at(3));
}

Test(output, ndjson_golden_lines) {
	static const struct dp_answer results[] = {
		{.ts_ns = NOON * S + 123456789,
			.ip = 0xc6120002,
			.port = 80,
			.rtt_us = 412,
			.state = DP_STATE_OPEN,
			.reason = DP_REASON_SYN_ACK,
			.ttl = 64},
		{.ts_ns = (NOON + 1) * S,
			.ip = 0xffffffff,
			.port = 65535,
			.rtt_us = DP_RTT_NONE - 1,
			.state = DP_STATE_CLOSED,
			.reason = DP_REASON_RESET,
			.ttl = 255},
		{.ts_ns = NOON * S + 999999999,
			.ip = 0x0a00630a,
			.port = 0,
			.rtt_us = DP_RTT_NONE,
			.state = DP_STATE_FILTERED,
			.reason = DP_REASON_ADMIN_PROHIBITED,
			.ttl = 0},
		{.ts_ns = 1000,
			.ip = 0,
			.port = 1,
			.rtt_us = 0,
			.state = DP_STATE_OPEN,
			.reason = DP_REASON_SYN_ACK,
			.ttl = 1},
	};
	char *text = format_all(&output_ndjson, results, 4, &(struct ctl_summary){0});

	cr_assert_str_eq(text,
		"{\"ts\":\"2026-01-31T12:00:00.123456Z\",\"ip\":\"198.18.0.2\",\"port\":80,"
		"\"proto\":\"tcp\",\"state\":\"open\",\"reason\":\"syn-ack\",\"ttl\":64,"
		"\"rtt_us\":412}\n"
		"{\"ts\":\"2026-01-31T12:00:01.000000Z\",\"ip\":\"255.255.255.255\",\"port\":65535,"
		"\"proto\":\"tcp\",\"state\":\"closed\",\"reason\":\"reset\",\"ttl\":255,"
		"\"rtt_us\":4294967294}\n"
		"{\"ts\":\"2026-01-31T12:00:00.999999Z\",\"ip\":\"10.0.99.10\",\"port\":0,"
		"\"proto\":\"tcp\",\"state\":\"filtered\",\"reason\":\"admin-prohibited\","
		"\"ttl\":0}\n"
		"{\"ts\":\"1970-01-01T00:00:00.000001Z\",\"ip\":\"0.0.0.0\",\"port\":1,"
		"\"proto\":\"tcp\",\"state\":\"open\",\"reason\":\"syn-ack\",\"ttl\":1,"
		"\"rtt_us\":0}\n");
	free(text);
}

Test(output, table_golden) {
	static const struct dp_answer results[] = {
		{.ip = 0xc6120002,
			.port = 443,
			.rtt_us = 412,
			.state = DP_STATE_OPEN,
			.reason = DP_REASON_SYN_ACK,
			.ttl = 64},
		{.ip = 0xdfdfdfdf,
			.port = 65535,
			.rtt_us = DP_RTT_NONE - 1,
			.state = DP_STATE_FILTERED,
			.reason = DP_REASON_ADMIN_PROHIBITED,
			.ttl = 255},
		{.ip = 0xc6120002,
			.port = 80,
			.rtt_us = DP_RTT_NONE,
			.state = DP_STATE_CLOSED,
			.reason = DP_REASON_RESET,
			.ttl = 7},
	};
	char *text = format_all(&output_table, results, 3, &(struct ctl_summary){0});

	cr_assert_str_eq(text,
		"IP                PORT  PROTO  STATE     REASON            TTL        RTT\n"
		"198.18.0.2          80  tcp    closed    reset               7          -\n"
		"198.18.0.2         443  tcp    open      syn-ack            64    0.41 ms\n"
		"223.223.223.223  65535  tcp    filtered  admin-prohibited  255  4294.97 s\n");
	free(text);
}

Test(output, table_says_why_it_is_empty) {
	struct ctl_summary summary = {0};
	char *text = format_all(&output_table, NULL, 0, &summary);

	cr_assert_str_eq(text, "Nothing answered.\n");
	free(text);
	summary.unique = summary.hidden = summary.closed = 12345;
	text = format_all(&output_table, NULL, 0, &summary);
	cr_assert_str_eq(
		text, "No open ports found; 12,345 closed (include_closed = yes lists them).\n");
	free(text);
}

/* More rows than are held back: the first ones sorted, the others in the order of their arrival. */
Test(output, table_goes_on_when_it_is_full) {
	enum {
		ROWS = 25000,
		HELD = 10000,
	};
	struct dp_answer *results = calloc(ROWS, sizeof *results);
	unsigned row = 0, unsorted = 0, heading = 0;
	char *rest, before[16] = "";

	for (unsigned i = 0; i < ROWS; i++)
		results[i] = (struct dp_answer){.ip = 0x0a0a0a0a, .port = (uint16_t)(60000 - i)};
	char *text = format_all(&output_table, results, ROWS, &(struct ctl_summary){0});
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		cr_assert_leq(strlen(line), 80);
		if (!strncmp(line, "IP", 2)) {
			heading++;
			continue;
		}
		cr_assert_eq(strncmp(line + 24, "tcp", 3), 0, "not aligned: %s", line);
		if (row++ && row <= HELD)
			unsorted += strncmp(before, line + 15, 7) >= 0;
		else if (row > HELD)
			cr_assert_eq(strtoul(line + 15, NULL, 10), 60001 - row);
		memcpy(before, line + 15, 7);
	}
	cr_assert_eq(heading, 1);
	cr_assert_eq(row, ROWS);
	cr_assert_eq(unsorted, 0);
	free(text);
	free(results);
}
