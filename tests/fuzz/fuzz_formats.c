/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a server says, as a format writes it: banner and service as detection makes them of any bytes. Lines
 * are whole and of printable UTF-8; XML is what expat takes, NDJSON reads back to the same line, CSV has as
 * many fields in each row. Four bytes say protocol, family and reason, port, and format.
 */
#include "fuzz_detect.h"
#include "json.h"
#include "output.h"

#include <dp/answer.h>

#include <expat.h>

enum {
	HEADER_BYTES = 4,
	TEXT_BYTES = 256 << 10,
};

static struct detect *detect;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	detect = fuzz_detect();
	return 0;
}

/* All that @format writes for @result, in place; ends in a NUL. */
static size_t format_result(
	const struct output_format *format, const struct result *result, char *text) {
	static struct fuzz_file file;
	const struct output_params params = {.index = 1};
	const struct ctl_summary summary = {0};
	struct dp_error err;
	struct sink *sink;
	void *state;
	ssize_t n;

	fuzz_file_put(&file, "", 0);
	FUZZ_ASSERT(sink_open(file.path, &sink, &err) == 0);
	FUZZ_ASSERT(format->open(sink, &params, &state) == 0);
	format->write_results(state, result, 1);
	FUZZ_ASSERT(format->finish(state, &summary) == 0);
	FUZZ_ASSERT(sink_finish(sink) == 0);
	FUZZ_ASSERT(sink_results(sink) == 1);
	format->close(state);
	sink_destroy(sink);
	n = pread(file.fd, text, TEXT_BYTES, 0);
	FUZZ_ASSERT(n > 0 && n < TEXT_BYTES);
	text[n] = '\0';
	return (size_t)n;
}

/* Nothing that a terminal obeys. */
static void check_lines(const char *text, size_t n) {
	FUZZ_ASSERT(json_is_utf8(text, n) && text[n - 1] == '\n');
	for (size_t i = 0; i < n; i++) {
		const uint8_t c = (uint8_t)text[i];

		FUZZ_ASSERT(c >= ' ' || c == '\n' || c == '\t');
		FUZZ_ASSERT(c != 0x7f);
		FUZZ_ASSERT(c != 0xc2 || (uint8_t)text[i + 1] >= 0xa0);
	}
}

static void check_xml(const char *text, size_t n) {
	XML_Parser parser = XML_ParserCreate(NULL);

	FUZZ_ASSERT(parser);
	FUZZ_ASSERT(XML_Parse(parser, text, (int)n, 1) == XML_STATUS_OK);
	XML_ParserFree(parser);
}

/* Fields of one row of RFC 4180; *@text is behind it. */
static unsigned count_fields(const char **text) {
	unsigned fields = 1;
	bool quoted = false;

	for (; **text && (quoted || **text != '\n'); (*text)++) {
		quoted ^= **text == '"';
		fields += !quoted && **text == ',';
	}
	FUZZ_ASSERT(!quoted && **text == '\n');
	++*text;
	return fields;
}

static void check_csv(const char *text) {
	const unsigned fields = count_fields(&text);

	FUZZ_ASSERT(count_fields(&text) == fields);
	FUZZ_ASSERT(!*text);
}

static void check_ndjson(const char *text) {
	static const char *const names[] = {"builtin"};
	static char again[TEXT_BYTES + 1];
	struct result result;

	FUZZ_ASSERT(result_read(text, names, 1, &result) == 0);
	format_result(&output_ndjson, &result, again);
	FUZZ_ASSERT(!strcmp(text, again));
	result_extra_free(result.extra);
}

static void check(const struct output_format *format, const struct result *result) {
	static char text[TEXT_BYTES + 1];
	const size_t n = format_result(format, result, text);

	if (format == &output_csv)
		check_csv(text);
	else
		check_lines(text, n);
	if (format == &output_xml)
		check_xml(text, n);
	if (format == &output_ndjson)
		check_ndjson(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const struct output_format *const formats[] = {&output_ndjson, &output_xml,
		&output_csv, &output_grep, &output_list, &output_table};
	struct result result = {0};
	struct result_extra *extra;

	if (size <= HEADER_BYTES || size > HEADER_BYTES + 4096)
		return 0;
	extra = calloc(1, sizeof(*extra));
	FUZZ_ASSERT(extra);
	result.extra = extra;
	result.answer = (struct dp_answer){
		.ip = data[0] & 2 ? dp_ip_v6(UINT64_C(0x20010db8) << 32, data[3])
				  : dp_ip_v4(0xc6120000 | data[3]),
		.ts_ns = UINT64_C(1769860800000000000) + data[3] * UINT64_C(1000),
		.rtt_us = data[3],
		.port = (uint16_t)(data[1] << 8 | data[2]),
		.proto = data[0] & 1 ? DP_PROTO_UDP : DP_PROTO_TCP,
		.reason = (data[0] >> 2) % DP_REASON_COUNT,
		.ttl = data[3],
	};
	extra->banner_bytes = (uint32_t)(size - HEADER_BYTES);
	extra->banner = malloc(extra->banner_bytes);
	FUZZ_ASSERT(extra->banner);
	memcpy(extra->banner, data + HEADER_BYTES, extra->banner_bytes);
	extra->service_source = "builtin";
	extra->has_service = detect_run(detect, result.answer.proto, result.answer.port,
		extra->banner, extra->banner_bytes, &extra->service);
	check(formats[data[3] % (sizeof(formats) / sizeof(formats[0]))], &result);
	result_extra_free(extra);
	return 0;
}
