/* SPDX-License-Identifier: BSD-3-Clause */
/* What other programs read: CSV, XML, grep and list, byte by byte; and adding to their files. */
#include "output.h"
#include "result_fixture.h"
#include "writer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#define NOON 1769860800000000000ull /* 2026-01-31T12:00:00Z */

static char hostile[] = "=cmd,\"x\"\r\n\x1b[2J<&>\\\t\x7f\xc2\x85\xef\xbf\xbf\xc3\xa9";
static char bytes[] = "\xff\xfe<";
static char json[] = "{\"paths\":[\"/<a>\"]}";
static char error[] = "line 3: \"bad\"";
static struct result_plugin plugins[] = {
	{.name = "http-enum", .status = LH_OK, .results = json},
	{.name = "ssl-checker", .status = LH_ERROR, .error = error},
};
static struct result_extra text_extra = {
	.banner = (uint8_t *)hostile,
	.banner_bytes = sizeof hostile - 1,
	.has_service = true,
	.service = {.name = "http",
		.product = "a/b, c",
		.version = "1.2",
		.info = "\x1b x",
		.cpe = "cpe:/a:b:c",
		.confidence = 0.94},
	.service_source = "builtin",
	.plugins = plugins,
	.nb_plugins = 2,
};
static struct result_extra byte_extra = {
	.banner = (uint8_t *)bytes,
	.banner_bytes = sizeof bytes - 1,
};

static const struct result results[] = {
	{.answer = {.ip = DP_IP_V4_FIRST | 0xc6120002,
		 .ts_ns = NOON + 123456789,
		 .port = 443,
		 .state = DP_STATE_OPEN,
		 .reason = DP_REASON_SYN_ACK,
		 .ttl = 64,
		 .rtt_us = 412},
		.extra = &text_extra},
	{.answer = {.ip = DP_IP_V4_FIRST | 0xc6120001,
		 .ts_ns = NOON,
		 .port = 80,
		 .state = DP_STATE_FILTERED,
		 .reason = DP_REASON_HOST_UNREACH,
		 .ttl = 1,
		 .rtt_us = DP_RTT_NONE}},
	{.answer = {.ip = DP_IP_V4_FIRST | 0xc6120002,
		 .ts_ns = NOON + 5000000000,
		 .port = 80,
		 .state = DP_STATE_CLOSED,
		 .reason = DP_REASON_RESET,
		 .ttl = 63,
		 .rtt_us = DP_RTT_NONE},
		.extra = &byte_extra},
	{.answer = {.ip = DP_IP_V4_FIRST | 0xc6120003,
		 .ts_ns = NOON,
		 .proto = DP_PROTO_ARP,
		 .state = DP_STATE_UP,
		 .reason = DP_REASON_ARP_RESPONSE,
		 .rtt_us = DP_RTT_NONE}},
};

enum {
	RESULTS = sizeof results / sizeof *results,
};

static void look_for_leaks(void) {
	cr_expect_not(fixture_leaks());
}

static char *content(const char *path) {
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	cr_assert(file);
	cr_assert_lt(fread(text, 1, 1 << 20, file), 1 << 20);
	fclose(file);
	return text;
}

/* Write all results to @path, settled in the middle as before a checkpoint. */
static void put_all(const struct output_format *format, const char *path, enum ctl_file_mode mode,
	const char *fields) {
	const struct ctl_config config
		= {.type = dp_scan_find("syn"), .ports = "80,443,1-8", .fields = fields};
	const struct output_params params = {.config = &config};
	const struct ctl_summary summary
		= {.targets = 100, .results = RESULTS, .elapsed_s = 1.5, .complete = true};
	struct dp_error err;
	struct sink *sink;
	void *state;

	cr_assert_eq(sink_open(path, &sink, &err), 0, "%s", err.text);
	cr_assert_eq(sink_admit(sink, mode, format->line_start, &err), 0, "%s", err.text);
	cr_assert_eq(format->open(sink, &params, &state), 0);
	cr_assert_eq(sink_check_start(sink, format->first_line(state), &err), 0, "%s", err.text);
	cr_assert_eq(sink_begin(sink, &err), 0);
	format->write_results(state, results, 3);
	if (format->settle)
		format->settle(state);
	format->write_results(state, results + 3, RESULTS - 3);
	cr_assert_eq(format->finish(state, &summary), 0);
	cr_assert_eq(sink_finish(sink), 0);
	cr_expect_eq(sink_results(sink), RESULTS, "%s: %llu", format->name,
		(unsigned long long)sink_results(sink));
	format->close(state);
	sink_destroy(sink);
}

static char *format_all(const struct output_format *format, const char *fields) {
	char path[] = "/tmp/formats_test.XXXXXX";

	close(mkstemp(path));
	put_all(format, path, CTL_FILE_OVERWRITE, fields);
	char *text = content(path);
	unlink(path);
	return text;
}

CHECKED_TEST(formats, csv_lines, look_for_leaks) {
	char *text = format_all(&output_csv,
		"ip, port, proto, state, banner, banner_hex, service.product, service.confidence, "
		"plugins.http-enum.status, plugins.http-enum.results.paths, plugins.x.error");

	cr_expect_str_eq(text,
		"ip,port,proto,state,banner,banner_hex,service.product,service.confidence,"
		"plugins.http-enum.status,plugins.http-enum.results.paths,plugins.x.error\n"
		"198.18.0.2,443,tcp,open,\"\\u003dcmd,\"\"x\"\"\\r\\n\\u001b[2J<&>\\\\\\t\\u007f"
		"\\u0085\xef\xbf\xbf\xc3\xa9\",,\"a/b, c\",0.94,ok,\"[\"\"/<a>\"\"]\",\n"
		"198.18.0.1,80,tcp,filtered,,,,,,,\n"
		"198.18.0.2,80,tcp,closed,,fffe3c,,,,,\n"
		"198.18.0.3,,arp,up,,,,,,,\n");
	free(text);
	text = format_all(&output_csv, "saddr, sport, classification, success, timestamp_ts");
	cr_expect_str_eq(text,
		"saddr,sport,classification,success,timestamp_ts\n"
		"198.18.0.2,443,synack,1,1769860800\n"
		"198.18.0.1,80,host-unreach,0,1769860800\n"
		"198.18.0.2,80,rst,0,1769860805\n"
		"198.18.0.3,,arp-response,1,1769860800\n");
	free(text);
}

CHECKED_TEST(formats, list_lines, look_for_leaks) {
	char *text = format_all(&output_list, "");

	cr_expect_str_eq(text,
		"#masscan\n"
		"open tcp 443 198.18.0.2 1769860800\n"
		"banner tcp 443 198.18.0.2 1769860800 http "
		"=cmd,\"x\"\\x0d\\x0a\\x1b[2J<&>\\x5c\\x09"
		"\\x7f\\xc2\\x85\\xef\\xbf\\xbf\\xc3\\xa9\n"
		"filtered tcp 80 198.18.0.1 1769860800\n"
		"closed tcp 80 198.18.0.2 1769860805\n"
		"banner tcp 80 198.18.0.2 1769860805 unknown \\xff\\xfe<\n"
		"up arp 0 198.18.0.3 1769860800\n"
		"# end\n");
	free(text);
}

CHECKED_TEST(formats, grep_lines, look_for_leaks) {
	char *text = format_all(&output_grep, "");
	char *first = strchr(text, '\n') + 1, *last = strstr(text, "\n# ") + 1;

	cr_expect(!strncmp(text, "# prtip-dp 0.1.0 scan initiated ", 32), "%s", text);
	cr_expect(!strncmp(last, "# prtip-dp done at ", 19), "%s", last);
	cr_expect(strstr(last, " -- 4 results in 1.50 seconds\n"), "%s", last);
	*last = '\0';
	cr_expect_str_eq(first,
		"Host: 198.18.0.1 ()\tStatus: Unknown\n"
		"Host: 198.18.0.1 ()\tPorts: 80/filtered/tcp/////\n"
		"Host: 198.18.0.2 ()\tStatus: Up\n"
		"Host: 198.18.0.2 ()\tPorts: 80/closed/tcp/////, "
		"443/open/tcp//http//a|b; c 1.2 (\\x1b x)/\n"
		"Host: 198.18.0.3 ()\tStatus: Up\n");
	free(text);
}

CHECKED_TEST(formats, xml_lines, look_for_leaks) {
	char *text = format_all(&output_xml, "");
	char *hosts = strstr(text, "<host "), *end = strstr(text, "<runstats>");

	cr_expect(strstr(text,
			  "<scaninfo type=\"syn\" protocol=\"tcp\" numservices=\"10\" "
			  "services=\"80,443,1-8\"/>\n"),
		"%s", text);
	cr_expect(strstr(end, "<hosts up=\"2\" down=\"8\" total=\"10\"/></runstats>\n</nmaprun>\n"),
		"%s", end);
	*end = '\0';
	cr_expect_str_eq(hosts,
		"<host starttime=\"1769860800\" endtime=\"1769860800\"><status state=\"unknown\" "
		"reason=\"host-unreach\" reason_ttl=\"1\"/><address addr=\"198.18.0.1\" "
		"addrtype=\"ipv4\"/><ports><port protocol=\"tcp\" portid=\"80\"><state "
		"state=\"filtered\" reason=\"host-unreach\" reason_ttl=\"1\"/></port></ports>"
		"</host>\n"
		"<host starttime=\"1769860800\" endtime=\"1769860805\"><status state=\"up\" "
		"reason=\"reset\" reason_ttl=\"63\"/><address addr=\"198.18.0.2\" "
		"addrtype=\"ipv4\"/><ports><port protocol=\"tcp\" portid=\"80\"><state "
		"state=\"closed\" reason=\"reset\" reason_ttl=\"63\"/><script id=\"banner\" "
		"output=\"\\xFF\\xFE&lt;\"/></port><port protocol=\"tcp\" portid=\"443\"><state "
		"state=\"open\" reason=\"syn-ack\" reason_ttl=\"64\"/><service name=\"http\" "
		"product=\"a/b, c\" version=\"1.2\" extrainfo=\"\\x1B x\" method=\"probed\" "
		"conf=\"9\"><cpe>cpe:/a:b:c</cpe></service><script id=\"banner\" "
		"output=\"=cmd,&quot;x&quot;&#13;&#10;\\x1B[2J&lt;&amp;&gt;\\&#9;\\x7F&#x85;"
		"\\xEF\\xBF\\xBF\xc3\xa9\"/><script id=\"http-enum\" "
		"output=\"{&quot;paths&quot;:[&quot;/&lt;a&gt;&quot;]}\"/><script "
		"id=\"ssl-checker\" output=\"error: line 3: &quot;bad&quot;\"/></port></ports>"
		"</host>\n"
		"<host starttime=\"1769860800\" endtime=\"1769860800\"><status state=\"up\" "
		"reason=\"arp-response\" reason_ttl=\"0\"/><address addr=\"198.18.0.3\" "
		"addrtype=\"ipv4\"/></host>\n");
	free(text);
}

/* The heading stands once, and half a line at the end was never whole. */
CHECKED_TEST(formats, csv_is_added_to, look_for_leaks) {
	char path[] = "/tmp/formats_test.XXXXXX";

	close(mkstemp(path));
	put_all(&output_csv, path, CTL_FILE_APPEND, "ip, port");
	char *once = content(path);
	cr_assert_eq(truncate(path, (off_t)strlen(once) - 3), 0);
	put_all(&output_csv, path, CTL_FILE_APPEND, "ip, port");
	char *twice = content(path);
	cr_expect_str_eq(twice,
		"ip,port\n198.18.0.2,443\n198.18.0.1,80\n198.18.0.2,80\n"
		"198.18.0.2,443\n198.18.0.1,80\n198.18.0.2,80\n198.18.0.3,\n");
	free(once);
	free(twice);
	unlink(path);
}

/* A file of another format or of other fields stays as it is. */
CHECKED_TEST(formats, files_of_others_are_refused, look_for_leaks) {
	static const struct {
		const char *format, *text, *why;
	} wanted[] = {
		{"csv", "ip,port\n198.18.0.1,80\n", "its first line is not the one"},
		{"csv", "precious", "its first line is not the one"},
		{"list", "precious\n", "its first line is not the one of this format, #masscan"},
		{"grep", "#masscan\n", "its first line is not the one of this format, # prtip-dp"},
		{"xml", "", "a file in the format xml ends once"},
		{"xml", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "ends once"},
	};

	for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		char path[] = "/tmp/formats_test.XXXXXX";
		int fd = mkstemp(path);
		const struct ctl_output_spec spec = {.format = wanted[i].format, .path = path};
		const struct writer_params params
			= {.outputs = &spec, .nb_outputs = 1, .file_mode = CTL_FILE_APPEND};
		const ssize_t length = (ssize_t)strlen(wanted[i].text);
		struct dp_error err = {.text = ""};
		struct writer *writer;

		cr_assert_eq(write(fd, wanted[i].text, (size_t)length), length);
		close(fd);
		cr_expect_lt(writer_create(&params, &writer, &err), 0);
		cr_expect(strstr(err.text, wanted[i].why), "%s", err.text);
		cr_expect(err.usage);
		char *text = content(path);
		cr_expect_str_eq(text, wanted[i].text);
		free(text);
		unlink(path);
	}
}

/* Memory stays bounded, and each host is sorted within what is held at once. */
CHECKED_TEST(formats, hosts_that_come_late_have_further_elements, look_for_leaks) {
	enum {
		MANY = 40000,
	};
	char path[] = "/tmp/formats_test.XXXXXX";
	const struct output_params params = {0};
	const struct ctl_summary summary = {0};
	struct dp_error err;
	struct sink *sink;
	void *state;
	unsigned hosts = 0, ports = 0;

	cr_assert_eq(sink_open(path, &sink, &err), 0, "%s", err.text);
	cr_assert_eq(output_xml.open(sink, &params, &state), 0);
	for (unsigned i = 0; i < MANY; i++) {
		const struct result result
			= {.answer = {.ip = DP_IP_V4_FIRST | (0xc6120000 + i % 2),
				   .port = (uint16_t)(i / 2 + 1),
				   .reason = DP_REASON_SYN_ACK}};
		output_xml.write_results(state, &result, 1);
	}
	cr_assert_eq(output_xml.finish(state, &summary), 0);
	cr_assert_eq(sink_finish(sink), 0);
	cr_expect_eq(sink_results(sink), MANY);
	output_xml.close(state);
	sink_destroy(sink);

	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, file) > 0) {
		hosts += !strncmp(line, "<host ", 6);
		for (char *at = line; (at = strstr(at, "<port ")); at++)
			ports++;
	}
	free(line);
	fclose(file);
	cr_expect_eq(hosts, 6, "%u", hosts); /* 16,384 results at a time, of two hosts */
	cr_expect_eq(ports, MANY);
	unlink(path);
}

/* A line that says what was written is the same line again. */
CHECKED_TEST(formats, ndjson_lines_are_read, look_for_leaks) {
	static const char *const names[] = {"builtin", "http-enum", "ssl-checker"};
	char path[] = "/tmp/formats_test.XXXXXX", again[] = "/tmp/formats_test.XXXXXX";
	struct result read[RESULTS];
	const char *paths[] = {path, again};

	close(mkstemp(path));
	close(mkstemp(again));
	for (unsigned k = 0; k < 2; k++) {
		const struct output_params params = {0};
		const struct ctl_summary summary = {0};
		struct dp_error err;
		struct sink *sink;
		void *state;

		cr_assert_eq(sink_open(paths[k], &sink, &err), 0, "%s", err.text);
		cr_assert_eq(output_ndjson.open(sink, &params, &state), 0);
		output_ndjson.write_results(state, k ? read : results, RESULTS);
		cr_assert_eq(output_ndjson.finish(state, &summary), 0);
		cr_assert_eq(sink_finish(sink), 0);
		output_ndjson.close(state);
		sink_destroy(sink);
		char *text = content(path), *rest = text, *line;
		for (unsigned i = 0; !k && (line = strsep(&rest, "\n")) && *line; i++)
			cr_expect_eq(result_read(line, names, 3, &read[i]), 0, "%s", line);
		free(text);
	}
	char *text = content(path), *same = content(again);
	cr_expect_str_eq(same, text);
	for (unsigned i = 0; i < RESULTS; i++)
		result_extra_free(read[i].extra);
	struct result none;
	cr_expect_eq(result_read("{\"ts\":1}", names, 3, &none), -EBADMSG);
	cr_expect_eq(result_read("", names, 3, &none), -EBADMSG);
	free(text);
	free(same);
	unlink(path);
	unlink(again);
}
