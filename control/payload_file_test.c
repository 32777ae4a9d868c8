/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Payload files: what each line means, which lines are refused and with which words, and that the
 * examples of docs/payloads.md are what they say.
 */
#include "payload_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct payload_file *parse(const char *text, enum payload_file_kind kind) {
	struct payload_file *file;
	struct dp_error err = {0};
	int ret = payload_file_parse("F", text, strlen(text), kind, &file, &err);

	cr_assert_eq(ret, 0, "%s", err.text);
	return file;
}

/* The only payload of @text. */
static const struct dp_payload *parse_one(const char *text, struct payload_file **file) {
	const struct dp_payload *payload;
	unsigned nb;

	*file = parse(text, PAYLOAD_FILE_UDP);
	payload = payload_file_payloads(*file, &nb);
	cr_assert_eq(nb, 1);
	return payload;
}

static void expect_ports(const uint16_t *ports, unsigned nb, const char *wanted) {
	char text[256] = "";

	for (unsigned i = 0; i < nb; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", ports[i]);
	cr_assert_str_eq(text, wanted);
}

Test(payload_file, plain) {
	struct payload_file *file;
	const struct dp_payload *p = parse_one(
		"# comment\n\n \t\r\n80,8000-8002,443 my-Name_1.x \"a#b\" # and more \"\n", &file);

	cr_assert_str_eq(p->name, "my-Name_1.x");
	expect_ports(p->ports, p->nb_ports, "80 443 8000 8001 8002 ");
	cr_assert_eq(p->length, 3);
	cr_assert_arr_eq(p->bytes, "a#b", 3);
	cr_assert_eq(p->token, DP_TOKEN_NONE);
	payload_file_destroy(file);
}

Test(payload_file, escapes) {
	struct payload_file *file;
	const struct dp_payload *p
		= parse_one("1 x \"\\x41\\xfF\\r\\n\\t\\0\\\\\\\"\" \"\"\t\"4\" \"\\x41\"", &file);
	static const uint8_t wanted[] = {0x41, 0xff, '\r', '\n', '\t', 0, '\\', '"', '4', 'A'};

	cr_assert_eq(p->length, sizeof(wanted));
	cr_assert_arr_eq(p->bytes, wanted, sizeof(wanted));
	payload_file_destroy(file);
}

Test(payload_file, empty_datagram) {
	struct payload_file *file;

	cr_assert_eq(parse_one("1 x \"\"", &file)->length, 0);
	payload_file_destroy(file);
}

Test(payload_file, tokens) {
	static const struct {
		const char *text;
		struct dp_payload wanted;
	} known[] = {
		{"token=2+4",
			{.token = DP_TOKEN_BINARY,
				.token_at = 2,
				.token_bytes = 4,
				.reply_at = DP_TOKEN_ANYWHERE}},
		{"token=0+8 reply=any",
			{.token = DP_TOKEN_BINARY,
				.token_bytes = 8,
				.reply_at = DP_TOKEN_ANYWHERE}},
		{"reply=12 token=0+8h", {.token = DP_TOKEN_HEX, .token_bytes = 8, .reply_at = 12}},
		{"token=15+1 reply=0 keep=0xc0",
			{.token = DP_TOKEN_BINARY,
				.token_at = 15,
				.token_bytes = 1,
				.token_keep = 0xc0}},
		{"token=0x8+8 keep=255",
			{.token = DP_TOKEN_BINARY,
				.token_at = 8,
				.token_bytes = 8,
				.reply_at = DP_TOKEN_ANYWHERE,
				.token_keep = 255}},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct dp_payload *w = &known[i].wanted, *p;
		struct payload_file *file;
		char line[128];

		snprintf(line, sizeof(line), "1 x \"0123456789abcdef\" %s", known[i].text);
		p = parse_one(line, &file);
		cr_assert_eq(p->token, w->token, "%s", line);
		cr_assert_eq(p->token_at, w->token_at, "%s", line);
		cr_assert_eq(p->token_bytes, w->token_bytes, "%s", line);
		cr_assert_eq(p->reply_at, w->reply_at, "%s", line);
		cr_assert_eq(p->token_keep, w->token_keep, "%s", line);
		payload_file_destroy(file);
	}
}

Test(payload_file, many_entries_keep_their_order) {
	struct payload_file *file;
	const struct dp_hello *hellos;
	char text[4096] = "";
	unsigned nb;

	for (unsigned i = 1; i <= 100; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u n%u \"%u\"\n", i, i,
			i);
	file = parse(text, PAYLOAD_FILE_HELLO);
	cr_assert_not_null(payload_file_payloads(file, &nb));
	cr_assert_eq(nb, 0, "hellos are no payloads");
	hellos = payload_file_hellos(file, &nb);
	cr_assert_eq(nb, 100);
	for (unsigned i = 0; i < nb; i++) {
		char wanted[16];

		snprintf(wanted, sizeof(wanted), "n%u", i + 1);
		cr_assert_str_eq(hellos[i].name, wanted);
		cr_assert_eq(hellos[i].nb_ports, 1);
		cr_assert_eq(hellos[i].ports[0], i + 1);
		cr_assert_eq(hellos[i].length, strlen(wanted) - 1);
		cr_assert_arr_eq(hellos[i].bytes, wanted + 1, hellos[i].length);
	}
	payload_file_destroy(file);
}

static void expect_error(const char *text, enum payload_file_kind kind, const char *wanted) {
	struct payload_file *file = NULL;
	struct dp_error err = {0};
	int ret = payload_file_parse("F", text, strlen(text), kind, &file, &err);

	cr_assert_eq(ret, -EINVAL, "'%s' was taken", text);
	cr_assert_null(file);
	cr_assert(err.usage);
	cr_assert_not_null(strstr(err.text, wanted), "'%s': %s", text, err.text);
}

Test(payload_file, refused) {
	static const struct {
		const char *text, *wanted;
	} bad[] = {
		{"\n\n80x a \"b\"", "F:3: 80x: "},
		{"1,,2 a \"b\"", "F:1: 1,,2: "},
		{"70000 a \"b\"", "F:1: 70000: "},
		{"80", "F:1: a name is missing"},
		{"80 \"abc\"", "a name is missing"},
		{"80 a/b \"c\"", "F:1: a/b: not a name"},
		{"80 abcdefghijklmnopqrstuvwxyz0123456789 \"c\"", "at most 31"},
		{"80 a", "F:1: a: its bytes are missing"},
		{"80 a # \"b\"", "its bytes are missing"},
		{"80 a b", "its bytes are missing"},
		{"1 a \"b\"\n80 a \"bc", "F:2: \"bc: the quote is not closed"},
		{"80 a \"b\\\"", "the quote is not closed"},
		{"80 a \"b\\q\"", "F:1: \\q\": not an escape"},
		{"80 a \"\\x4\"", "not an escape"},
		{"80 a \"\\x4g\"", "not an escape"},
		{"80 a \"\\", "not an escape"},
		{"80 a \"b\" c", "F:1: c: unknown"},
		{"80 a \"b\" token=0+1 \"c\"", "unknown"},
		{"80 a \"b\" token=", "not a token"},
		{"80 a \"b\" token=0", "not a token"},
		{"80 a \"b\" token=0+0", "not a token"},
		{"80 a \"b\" token=0+9", "not a token"},
		{"80 a \"b\" token=-1+1", "not a token"},
		{"80 a \"b\" token=99999+1", "not a token"},
		{"80 a \"b\" token=0+1x", "something follows"},
		{"80 a \"b\" token=1+1", "ends at byte 2, and the payload has 1"},
		{"80 a \"b\" token=0+1h", "ends at byte 2, and the payload has 1"},
		{"80 a \"b\" token=0+1 token=0+1", "given twice"},
		{"80 a \"b\" token=0+1 reply=x", "not a place"},
		{"80 a \"b\" token=0+1 reply=anyone", "not a place"},
		{"80 a \"b\" token=0+1 reply=32768", "not a place"},
		{"80 a \"b\" token=0+1 keep=256", "not a mask"},
		{"80 a \"b\" token=0+1 keep=0x", "not a mask"},
		{"80 a \"b\" reply=4", "are about a token"},
		{"80 a \"b\" keep=1", "are about a token"},
		{"80 a \"bb\" token=0+1h keep=1", "for binary tokens"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_error(bad[i].text, PAYLOAD_FILE_UDP, bad[i].wanted);
	expect_error("80 a \"b\" token=0+1", PAYLOAD_FILE_HELLO, "hellos have no token");
	expect_error("80 a \"b\" x", PAYLOAD_FILE_HELLO, "nothing comes behind");
}

/* As many bytes as fit, and one more. */
Test(payload_file, lengths) {
	static const struct {
		enum payload_file_kind kind;
		unsigned max;
	} kinds[] = {
		{PAYLOAD_FILE_UDP, DP_PAYLOAD_MAX_BYTES}, {PAYLOAD_FILE_HELLO, DP_HELLO_MAX_BYTES}};

	for (unsigned i = 0; i < 2; i++) {
		const unsigned max = kinds[i].max;
		char text[2048], wanted[64];

		snprintf(text, sizeof(text), "1 a \"%0*d\" \"\\x41\"", (int)max - 1, 0);
		payload_file_destroy(parse(text, kinds[i].kind));
		snprintf(text, sizeof(text), "1 a \"%0*d\" \"\\x41\"", (int)max, 0);
		snprintf(wanted, sizeof(wanted), "F:1: a: too long; give at most %u", max);
		expect_error(text, kinds[i].kind, wanted);
	}
}

Test(payload_file, entries_a_port) {
	char text[512] = "";

	for (unsigned i = 0; i < DP_PAYLOADS_A_PORT; i++)
		strcat(text, "5-7 a \"b\"\n");
	payload_file_destroy(parse(text, PAYLOAD_FILE_UDP));
	strcat(text, "8 a \"b\"\n6 more \"b\"\n");
	expect_error(text, PAYLOAD_FILE_UDP, "F:10: more: port 6 has more than 8 entries");
}

Test(payload_file, all_ports) {
	struct payload_file *file;
	const struct dp_payload *p = parse_one("- a \"b\"", &file);

	cr_assert_eq(p->nb_ports, 65535);
	payload_file_destroy(file);
}

/* ---- Files ---- */

Test(payload_file, missing) {
	struct payload_file *file;
	struct dp_error err = {0};

	cr_assert_eq(payload_file_read("/nonexistent/p", PAYLOAD_FILE_UDP, &file, &err), -ENOENT);
	cr_assert_not_null(strstr(err.text, "/nonexistent/p: No such file"), "%s", err.text);
	cr_assert_null(file);
	cr_assert_eq(payload_file_read("/", PAYLOAD_FILE_UDP, &file, &err), -EISDIR);
}

/* Write the lines between ```@fence and ``` of the document to a file, and read it. */
static struct payload_file *read_example(const char *fence, enum payload_file_kind kind) {
	char path[] = "/tmp/payloads.XXXXXX", line[512], wanted[16];
	FILE *document = fopen(TEST_DOCS_DIR "/payloads.md", "r");
	const int fd = mkstemp(path);
	FILE *example = fdopen(fd, "w");
	struct payload_file *file;
	struct dp_error err = {0};
	bool inside = false;
	int ret;

	cr_assert_not_null(document);
	cr_assert_not_null(example);
	snprintf(wanted, sizeof(wanted), "```%s\n", fence);
	while (fgets(line, sizeof(line), document)) {
		if (inside && !strcmp(line, "```\n"))
			break;
		if (inside)
			fputs(line, example);
		inside = inside || !strcmp(line, wanted);
	}
	cr_assert(inside, "no ```%s in the document", fence);
	fclose(document);
	fclose(example);
	ret = payload_file_read(path, kind, &file, &err);
	unlink(path);
	cr_assert_eq(ret, 0, "%s", err.text);
	return file;
}

Test(payload_file, example_of_payloads) {
	struct payload_file *file = read_example("udp", PAYLOAD_FILE_UDP);
	const struct dp_payload *builtin, *p;
	unsigned nb, nb_builtin;

	p = payload_file_payloads(file, &nb);
	cr_assert_eq(nb, 3);
	expect_ports(p[0].ports, p[0].nb_ports, "7700 7710 7711 7712 ");
	cr_assert_eq(p[0].length, 10);
	cr_assert_arr_eq(p[0].bytes, "STAT\0\1\0\0\0", 10);
	cr_assert_eq(p[0].reply_at, DP_TOKEN_ANYWHERE);
	cr_assert_eq(p[1].token, DP_TOKEN_HEX);
	cr_assert_eq(p[1].length, 21);
	cr_assert_arr_eq(p[1].bytes + p[1].token_at, "0000000000000000\r\n", 18);

	/* The document says that this is the built-in one. */
	builtin = dp_payloads_builtin(&nb_builtin);
	for (unsigned i = 0; i < nb_builtin; i++) {
		if (strcmp(builtin[i].name, "dns"))
			continue;
		cr_assert_eq(p[2].length, builtin[i].length);
		cr_assert_arr_eq(p[2].bytes, builtin[i].bytes, p[2].length);
		cr_assert_eq(p[2].token_bytes, builtin[i].token_bytes);
		cr_assert_eq(p[2].reply_at, builtin[i].reply_at);
		nb_builtin = 0;
	}
	cr_assert_eq(nb_builtin, 0);
	payload_file_destroy(file);
}

Test(payload_file, example_of_hellos) {
	struct payload_file *file = read_example("tcp", PAYLOAD_FILE_HELLO);
	const struct dp_hello *hellos;
	unsigned nb;

	hellos = payload_file_hellos(file, &nb);
	cr_assert_eq(nb, 2);
	cr_assert_eq(hellos[0].length, 17);
	cr_assert_arr_eq(hellos[0].bytes, "HELLO \"scanner\"\r\n", 17);
	expect_ports(hellos[1].ports, hellos[1].nb_ports, "8080 ");
	cr_assert_eq(hellos[1].length, 0);
	payload_file_destroy(file);
}
