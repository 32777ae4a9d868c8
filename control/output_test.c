/* SPDX-License-Identifier: BSD-3-Clause */
/* The formats: golden NDJSON lines, the table's order and columns. */
#include "output.h"
#include "result_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOON 1769860800ull /* 2026-01-31T12:00:00Z */
#define S 1000000000ull
#define V4(ip) (DP_IP_V4_FIRST | (ip))

static void look_for_leaks(void) {
	cr_expect_not(fixture_leaks());
}

static char *format_results(const struct output_format *format, const struct result *results,
	unsigned n, const struct ctl_summary *summary) {
	const struct output_params params = {.color = true, .index = 1};
	char path[] = "/tmp/output_test.XXXXXX";
	struct dp_error err;
	struct sink *sink;
	void *state;
	int fd = mkstemp(path);

	cr_assert_eq(sink_open(path, &sink, &err), 0, "%s", err.text);
	sink->raw = format->raw;
	cr_assert_eq(format->open(sink, &params, &state), 0);
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

/* Results that have an answer only. */
static char *format_all(const struct output_format *format, const struct dp_answer *answers,
	unsigned n, const struct ctl_summary *summary) {
	struct result *results = calloc(n + 1, sizeof *results);

	for (unsigned i = 0; i < n; i++)
		results[i].answer = answers[i];
	char *text = format_results(format, results, n, summary);
	free(results);
	return text;
}

CHECKED_TEST(output, has_a_row_for_each_format, look_for_leaks) {
	cr_assert_eq(output_find("table"), &output_table);
	cr_assert_eq(output_find("ndjson"), &output_ndjson);
	cr_assert_eq(output_find("summary"), &output_summary);
	cr_assert_eq(output_find("csv"), &output_csv);
	cr_assert_eq(output_find("xml"), &output_xml);
	cr_assert_eq(output_find("grep"), &output_grep);
	cr_assert_eq(output_find("list"), &output_list);
	cr_assert_null(output_find("yaml"));
	cr_assert_eq(output_find("pcapng"), &output_pcapng);
	cr_assert_null(output_at(8));
}

CHECKED_TEST(output, ndjson_golden_lines, look_for_leaks) {
	static const struct dp_answer results[] = {
		{.ts_ns = NOON * S + 123456789,
			.ip = V4(0xc6120002),
			.port = 80,
			.rtt_us = 412,
			.state = DP_STATE_OPEN,
			.reason = DP_REASON_SYN_ACK,
			.ttl = 64},
		{.ts_ns = (NOON + 1) * S,
			.ip = V4(0xffffffff),
			.port = 65535,
			.rtt_us = DP_RTT_NONE - 1,
			.state = DP_STATE_CLOSED,
			.reason = DP_REASON_RESET,
			.ttl = 255},
		{.ts_ns = NOON * S + 999999999,
			.ip = V4(0x0a00630a),
			.port = 0,
			.rtt_us = DP_RTT_NONE,
			.state = DP_STATE_FILTERED,
			.reason = DP_REASON_ADMIN_PROHIBITED,
			.ttl = 0},
		{.ts_ns = 1000,
			.ip = V4(0),
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

#define DB8 ((dp_ip)0x20010db8 << 96)

/* What other types of scans find: hosts without ports, IPv6, a window of 0. */
CHECKED_TEST(output, ndjson_of_all_types, look_for_leaks) {
	static const struct dp_answer results[] = {
		{.ip = DB8 | 0x80,
			.proto = DP_PROTO_UDP,
			.port = 53,
			.rtt_us = 7,
			.state = DP_STATE_OPEN,
			.reason = DP_REASON_UDP_RESPONSE,
			.ttl = 61},
		{.ip = DP_U128_MAX,
			.proto = DP_PROTO_ICMP,
			.rtt_us = DP_RTT_NONE,
			.state = DP_STATE_UP,
			.reason = DP_REASON_ECHO_REPLY,
			.ttl = 64},
		{.ip = V4(0xc6120001),
			.proto = DP_PROTO_TCP,
			.port = 443,
			.rtt_us = 9,
			.state = DP_STATE_UP,
			.reason = DP_REASON_SYN_ACK,
			.ttl = 64},
		{.ip = V4(0xc6120001),
			.proto = DP_PROTO_ICMP,
			.rtt_us = 3,
			.state = DP_STATE_FILTERED,
			.reason = DP_REASON_HOST_UNREACH,
			.ttl = 64},
		{.ip = V4(0xc6120001),
			.proto = DP_PROTO_TCP,
			.port = 0,
			.rtt_us = 9,
			.zero_window = true,
			.state = DP_STATE_UNFILTERED,
			.reason = DP_REASON_RESET,
			.ttl = 64},
	};
	char *text = format_all(&output_ndjson, results, 5, &(struct ctl_summary){0});

#define AT_0 "{\"ts\":\"1970-01-01T00:00:00.000000Z\",\"ip\":"
	cr_assert_str_eq(text,
		AT_0 "\"2001:db8::80\",\"port\":53,\"proto\":\"udp\",\"state\":\"open\","
		     "\"reason\":\"udp-response\",\"ttl\":61,\"rtt_us\":7}\n" AT_0
		     "\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\",\"proto\":\"icmp\","
		     "\"state\":\"up\",\"reason\":\"echo-reply\",\"ttl\":64}\n" AT_0
		     "\"198.18.0.1\",\"proto\":\"tcp\",\"state\":\"up\","
		     "\"reason\":\"syn-ack\",\"ttl\":64,\"rtt_us\":9}\n" AT_0
		     "\"198.18.0.1\",\"proto\":\"icmp\",\"state\":\"filtered\","
		     "\"reason\":\"host-unreach\",\"ttl\":64,\"rtt_us\":3}\n" AT_0
		     "\"198.18.0.1\",\"port\":0,\"proto\":\"tcp\",\"state\":\"unfiltered\","
		     "\"reason\":\"reset\",\"ttl\":64,\"rtt_us\":9,\"zero_window\":true}\n");
	free(text);
}

CHECKED_TEST(output, table_of_short_ipv6, look_for_leaks) {
	static const struct dp_answer results[] = {
		{.ip = DB8 | 0x80,
			.proto = DP_PROTO_UDP,
			.port = 53,
			.rtt_us = 412,
			.reason = DP_REASON_UDP_RESPONSE,
			.ttl = 61},
		{.ip = DB8 | 0x12345,
			.proto = DP_PROTO_TCP,
			.port = 53,
			.rtt_us = 412,
			.state = DP_STATE_UNFILTERED,
			.reason = DP_REASON_RESET,
			.ttl = 61},
		{.ip = V4(0xc6120001),
			.proto = DP_PROTO_ICMP,
			.rtt_us = DP_RTT_NONE,
			.state = DP_STATE_UP,
			.reason = DP_REASON_ECHO_REPLY,
			.ttl = 64},
		{.ip = V4(0xc6120002),
			.proto = DP_PROTO_ARP,
			.rtt_us = DP_RTT_NONE,
			.state = DP_STATE_UP,
			.reason = DP_REASON_ARP_RESPONSE},
	};
	char *text = format_all(&output_table, results, 4, &(struct ctl_summary){0});

	cr_assert_str_eq(text,
		"IP                 PORT  PROTO  STATE       REASON            TTL        RTT\n"
		"198.18.0.1            -  icmp   up          echo-reply         64          -\n"
		"198.18.0.2            -  arp    up          arp-response        -          -\n"
		"2001:db8::80         53  udp    open        udp-response       61    0.41 ms\n"
		"2001:db8::1:2345     53  tcp    unfiltered  reset              61    0.41 ms\n");
	free(text);
}

/* The longest addresses leave room for no more; what they have no column for follows. */
CHECKED_TEST(output, table_of_long_ipv6, look_for_leaks) {
	struct result_extra extra = {
		.has_service = true,
		.service = {.name = "domain", .product = "unbound", .version = "1.17.1"},
	};
	struct result results[] = {
		{.answer = {.ip = DP_U128_MAX,
			 .port = 65535,
			 .proto = DP_PROTO_SCTP,
			 .state = DP_STATE_UNFILTERED,
			 .reason = DP_REASON_ADMIN_PROHIBITED},
			.extra = &extra},
		{.answer = {.ip = V4(0xc6120001), .port = 1, .reason = DP_REASON_SYN_ACK}},
	};
	char *text = format_results(&output_table, results, 2, &(struct ctl_summary){0});

	cr_assert_str_eq(text,
		"IP                                       PORT PROTO STATE      REASON\n"
		"198.18.0.1                                  1 tcp   open       syn-ack\n"
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 sctp  unfiltered admin-prohibited\n"
		"  | service: domain unbound 1.17.1\n");
	free(text);
}

CHECKED_TEST(output, table_golden, look_for_leaks) {
	static const struct dp_answer results[] = {
		{.ip = V4(0xc6120002),
			.port = 443,
			.rtt_us = 412,
			.state = DP_STATE_OPEN,
			.reason = DP_REASON_SYN_ACK,
			.ttl = 64},
		{.ip = V4(0xdfdfdfdf),
			.port = 65535,
			.rtt_us = DP_RTT_NONE - 1,
			.state = DP_STATE_FILTERED,
			.reason = DP_REASON_ADMIN_PROHIBITED,
			.ttl = 255},
		{.ip = V4(0xc6120002),
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

CHECKED_TEST(output, table_says_why_it_is_empty, look_for_leaks) {
	struct ctl_summary summary = {0};
	char *text = format_all(&output_table, NULL, 0, &summary);

	cr_assert_str_eq(text, "Nothing answered.\n");
	free(text);
	summary.unique = summary.hidden = summary.states[DP_STATE_CLOSED] = 12345;
	text = format_all(&output_table, NULL, 0, &summary);
	cr_assert_str_eq(
		text, "No open ports found; 12,345 closed (include_closed = yes lists them).\n");
	free(text);
}

/* More rows than are held back: the first ones sorted, the others in the order of their arrival. */
CHECKED_TEST(output, table_goes_on_when_it_is_full, look_for_leaks) {
	enum {
		ROWS = 25000,
		HELD = 10000,
	};
	struct dp_answer *results = calloc(ROWS, sizeof *results);
	unsigned row = 0, unsorted = 0, heading = 0;
	char *rest, before[16] = "";

	for (unsigned i = 0; i < ROWS; i++)
		results[i]
			= (struct dp_answer){.ip = V4(0x0a0a0a0a), .port = (uint16_t)(60000 - i)};
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

static const struct dp_answer http = {.ts_ns = NOON * S,
	.ip = V4(0xc6120002),
	.port = 80,
	.rtt_us = 412,
	.state = DP_STATE_OPEN,
	.reason = DP_REASON_SYN_ACK,
	.ttl = 64};

#define HTTP                                                                                       \
	"{\"ts\":\"2026-01-31T12:00:00.000000Z\",\"ip\":\"198.18.0.2\",\"port\":80,"               \
	"\"proto\":\"tcp\",\"state\":\"open\",\"reason\":\"syn-ack\",\"ttl\":64,\"rtt_us\":412"

static char *format_extra(const struct output_format *format, struct result_extra *extra) {
	struct result result = {.answer = http, .extra = extra};

	return format_results(format, &result, 1, &(struct ctl_summary){0});
}

static void expect_ndjson(struct result_extra *extra, const char *want) {
	char *text = format_extra(&output_ndjson, extra);

	cr_expect_str_eq(text, want);
	free(text);
}

/* The record of the interface's section 4. */
CHECKED_TEST(output, ndjson_of_the_interface, look_for_leaks) {
	char banner[] = "HTTP/1.1 200 OK\r\n...", results[] = "{\"paths\":[\"/admin\"]}";
	struct result_plugin plugin = {.name = "http-enum", .status = LH_OK, .results = results};
	struct result_extra extra = {
		.banner = (uint8_t *)banner,
		.banner_bytes = sizeof banner - 1,
		.has_service = true,
		.service = {.name = "http",
			.product = "nginx",
			.version = "1.22.1",
			.cpe = "cpe:/a:nginx:nginx:1.22.1",
			.confidence = 0.9},
		.service_source = "banner-analyzer",
		.plugins = &plugin,
		.nb_plugins = 1,
	};

	expect_ndjson(&extra,
		HTTP ",\"banner\":\"HTTP/1.1 200 OK\\r\\n...\","
		     "\"service\":{\"name\":\"http\",\"product\":\"nginx\",\"version\":\"1.22.1\","
		     "\"cpe\":\"cpe:/a:nginx:nginx:1.22.1\","
		     "\"confidence\":0.9,\"source\":\"banner-analyzer\"},"
		     "\"plugins\":{\"http-enum\":{\"status\":\"ok\",\"results\":{\"paths\":[\"/"
		     "admin\"]}}}"
		     "}\n");
}

CHECKED_TEST(output, ndjson_of_what_others_send, look_for_leaks) {
	uint8_t banner[] = "\x1b[31m\0\xc3\xa9\xff";
	char error[] = "line 1\nline \"2\"";
	struct result_plugin plugins[] = {
		{.name = "a", .status = LH_OK},
		{.name = "b", .status = LH_ERROR, .error = error},
		{.name = "c", .status = LH_SKIPPED},
	};
	struct result_extra extra = {.banner = banner, .banner_bytes = 8};

	expect_ndjson(&extra, HTTP ",\"banner\":\"\\u001b[31m\\u0000\xc3\xa9\"}\n");
	extra.banner_bytes = 9;
	expect_ndjson(&extra, HTTP ",\"banner_hex\":\"1b5b33316d00c3a9ff\"}\n");
	extra.banner_bytes = 7; /* half a character */
	expect_ndjson(&extra, HTTP ",\"banner_hex\":\"1b5b33316d00c3\"}\n");
	extra = (struct result_extra){.banner = banner};
	expect_ndjson(&extra, HTTP ",\"banner\":\"\"}\n");
	extra = (struct result_extra){.plugins = plugins, .nb_plugins = 3};
	expect_ndjson(&extra,
		HTTP ",\"plugins\":{\"a\":{\"status\":\"ok\"},\"b\":{\"status\":\"error\","
		     "\"error\":\"line 1\\nline \\\"2\\\"\"},\"c\":{\"status\":\"skipped\"}}}\n");
	extra = (struct result_extra){.has_service = true,
		.service = {.info = "a\xff\x1b", .confidence = NAN},
		.service_source = "builtin"};
	expect_ndjson(&extra,
		HTTP ",\"service\":{\"info\":\"a\\ufffd\\u001b\",\"confidence\":0,"
		     "\"source\":\"builtin\"}}\n");
	extra.service = (struct lh_service){.confidence = 1e-9};
	extra.service_source = NULL;
	expect_ndjson(&extra, HTTP ",\"service\":{\"confidence\":1e-09}}\n");
	expect_ndjson(&(struct result_extra){0}, HTTP "}\n");
}

/* Lines that are longer than the sink's block, among short ones. */
CHECKED_TEST(output, ndjson_lines_of_any_length, look_for_leaks) {
	enum {
		PLUGINS = 32,
		ROUNDS = 6,
	};
	struct result_plugin plugins[PLUGINS];
	struct result_extra extra = {.plugins = plugins};
	struct result results[ROUNDS * 2];
	char *rest;
	unsigned lines = 0;

	for (unsigned i = 0; i < PLUGINS; i++) {
		char *text = malloc(LH_RESULTS_BYTES + 1);
		memset(text, '1', LH_RESULTS_BYTES);
		text[LH_RESULTS_BYTES] = '\0';
		plugins[i] = (struct result_plugin){.name = "p", .results = text};
	}
	extra.nb_plugins = PLUGINS;
	extra.banner = malloc(100000);
	extra.banner_bytes = 100000;
	memset(extra.banner, 1, extra.banner_bytes); /* each becomes six */
	for (unsigned i = 0; i < ROUNDS * 2; i++)
		results[i] = (struct result){.answer = http, .extra = i % 2 ? &extra : NULL};
	char *text = format_results(&output_ndjson, results, ROUNDS * 2, &(struct ctl_summary){0});
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t length = strlen(line);
		cr_expect(
			lines++ % 2 ? length > 600000 + PLUGINS * LH_RESULTS_BYTES : length < 200);
		cr_expect_eq(line[length - 1], '}');
	}
	cr_expect_eq(lines, ROUNDS * 2);
	for (unsigned i = 0; i < PLUGINS; i++)
		free(plugins[i].results);
	free(extra.banner);
	free(text);
}

CHECKED_TEST(output, table_with_services, look_for_leaks) {
	char results[] = "{\"paths\":[\"/admin\"]}", error[] = "wall_seconds = 60";
	char paths[]
		= "{\"paths\":[\"/a-long-path\",\"/another-long-path\",\"/one-more-long-path\"]}";
	struct result_plugin plugins[] = {
		{.name = "http-enum", .status = LH_OK, .results = results},
		{.name = "tls-info", .status = LH_TIMEOUT, .error = error},
		{.name = "quiet", .status = LH_OK},
		{.name = "skipped-one", .status = LH_SKIPPED, .results = paths},
	};
	struct result_extra full = {
		.has_service = true,
		.service = {.name = "http", .product = "nginx", .version = "1.22.1"},
		.plugins = plugins,
		.nb_plugins = 4,
	};
	struct result_extra wide = {
		.has_service = true,
		.service = {.name = "a-name-that-is-long",
			.product = "A product with a name",
			.version = "10.20.30.40"},
	};
	struct result_extra bare = {.has_service = true, .service = {.name = "http"}};
	struct result_extra banner = {.banner = (uint8_t[]){'h', 'i', 27, '\n'}, .banner_bytes = 4};
	struct result results_in[] = {
		{.answer = http, .extra = &full},
		{.answer = {.ip = V4(0xdfdfdfdf), .port = 65535}, .extra = &wide},
		{.answer = {.ip = V4(0x01020304), .port = 1, .state = DP_STATE_CLOSED}},
		{.answer = {.ip = V4(0x01020304), .port = 2}, .extra = &bare},
		{.answer = {.ip = V4(0x01020304), .port = 3}, .extra = &banner},
	};
	char *text = format_results(&output_table, results_in, 5, &(struct ctl_summary){0});

	cr_assert_str_eq(text,
		"IP                PORT  PROTO  STATE     SERVICE       VERSION\n"
		"1.2.3.4              1  tcp    closed    -\n"
		"1.2.3.4              2  tcp    open      http\n"
		"1.2.3.4              3  tcp    open      -\n"
		"  | banner: hi\\x1b\\x0a\n"
		"198.18.0.2          80  tcp    open      http          nginx 1.22.1\n"
		"  | http-enum: {\"paths\":[\"/admin\"]}\n"
		"  | tls-info: timeout: wall_seconds = 60\n"
		"  | skipped-one: skipped\n"
		"  | skipped-one: "
		"{\"paths\":[\"/a-long-path\",\"/another-long-path\",\"/one-more-long-~\n"
		"223.223.223.223  65535  tcp    open      a-name-that~  A product with a name "
		"10~\n");
	free(text);
}

/* Below a heading without services, one that comes late is not lost. */
CHECKED_TEST(output, table_shows_a_late_service_below_its_row, look_for_leaks) {
	enum {
		ROWS = 10001,
	};
	struct result *results = calloc(ROWS, sizeof *results);
	struct result_extra extra = {
		.has_service = true,
		.service = {.name = "ssh", .version = "9.2"},
	};

	for (unsigned i = 0; i < ROWS; i++)
		results[i].answer = (struct dp_answer){.ip = V4(1), .port = (uint16_t)i};
	results[ROWS - 1].extra = &extra;
	char *text = format_results(&output_table, results, ROWS, &(struct ctl_summary){0});
	cr_expect_eq(strstr(text, "IP                PORT  PROTO  STATE     REASON "), text);
	cr_expect_not_null(strstr(text, "\n  | service: ssh 9.2\n"));
	free(text);
	free(results);
}

/* Whatever others send: no control character, no byte beyond ASCII, no line beyond 80 columns. */
CHECKED_TEST(output, table_is_safe_on_a_terminal, look_for_leaks) {
	char name[65], evil[2048];
	struct result_plugin plugins[LH_MAX_PLUGINS];
	struct result_extra extra = {.has_service = true, .plugins = plugins};
	struct result results[2] = {{.answer = http, .extra = &extra}};

	for (unsigned i = 0; i < sizeof evil; i++)
		evil[i] = (char)(i % 255 + 1);
	evil[sizeof evil - 1] = '\0';
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (unsigned i = 0; i < LH_MAX_PLUGINS; i++)
		plugins[i] = (struct result_plugin){
			.name = name,
			.status = i % LH_STATUS_COUNT,
			.error = evil + i % 250,
			.results = evil + i % 200,
		};
	extra.nb_plugins = LH_MAX_PLUGINS;
	memcpy(extra.service.name, evil, sizeof extra.service.name - 1);
	memcpy(extra.service.product, evil + 100, sizeof extra.service.product - 1);
	memcpy(extra.service.version, evil, sizeof extra.service.version - 1);
	results[1] = results[0];
	struct result_extra banner = {.banner = (uint8_t *)evil, .banner_bytes = sizeof evil};
	results[1].extra = &banner;
	char *text = format_results(&output_table, results, 2, &(struct ctl_summary){0}), *rest;
	for (const char *p = text; *p; p++)
		cr_assert((*p >= ' ' && *p < 127) || *p == '\n', "byte %02x", (uint8_t)*p);
	unsigned lines = 0, cut = 0;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		cr_assert_leq(strlen(line), 80, "%s", line);
		cut += line[strlen(line) - 1] == '~';
		lines++;
	}
	cr_assert_eq(lines, 1 + 2 + 2 * LH_MAX_PLUGINS + 1);
	cr_assert_eq(cut, lines - 2, "all but the heading and a row are cut, and say so");
	free(text);
}

CHECKED_TEST(output, plugin_texts_are_joined_as_they_are, look_for_leaks) {
	char a[] = "<a\n", b[] = "\0b", other[] = "not ours";
	struct result_text text_a[] = {
		{.output = 0, .bytes = other, .length = 8}, {.output = 1, .bytes = a, .length = 3}};
	struct result_text text_b = {.output = 1, .bytes = b, .length = 2};
	struct result_text none = {.output = 1};
	struct result_extra with_a = {.texts = text_a, .nb_texts = 2};
	struct result_extra with_b = {.texts = &text_b, .nb_texts = 1};
	struct result_extra nil = {.texts = &none, .nb_texts = 1};
	struct result results[]
		= {{.extra = &with_a}, {.extra = &nil}, {.extra = NULL}, {.extra = &with_b}};
	char *text = format_results(&output_plugin, results, 4, &(struct ctl_summary){0});

	cr_assert_eq(memcmp(text, "<a\n\0b\0", 6), 0);
	free(text);
}
