/* SPDX-License-Identifier: BSD-3-Clause */
/* What a result has beyond its answer: as JSON, as bytes and back, and text from outside. */
#include "human.h"
#include "json.h"
#include "result_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>

#define LITERAL(text) text, sizeof(text) - 1

Test(json, knows_utf8_from_other_bytes) {
	static const struct {
		const char *bytes;
		size_t n;
		bool valid;
	} cases[] = {
		{LITERAL(""), true},
		{LITERAL("plain \x7f \0 text"), true},
		{LITERAL("\xc2\x80 \xdf\xbf"), true},
		{LITERAL("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"), true},
		{LITERAL("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"), true},
		{LITERAL("\x80"), false}, /* begins nothing */
		{LITERAL("\xbf"), false},
		{LITERAL("\xc0\x80"), false}, /* overlong */
		{LITERAL("\xc1\xbf"), false},
		{LITERAL("\xe0\x9f\xbf"), false},
		{LITERAL("\xf0\x8f\xbf\xbf"), false},
		{LITERAL("\xed\xa0\x80"), false}, /* surrogates */
		{LITERAL("\xed\xbf\xbf"), false},
		{LITERAL("\xf4\x90\x80\x80"), false}, /* above U+10FFFF */
		{LITERAL("\xf5\x80\x80\x80"), false},
		{LITERAL("\xff"), false},
		{LITERAL("a\xc2"), false}, /* cut */
		{LITERAL("a\xe2\x82"), false},
		{LITERAL("a\xf0\x9f\x98"), false},
		{LITERAL("\xc2 "), false}, /* no continuation */
		{LITERAL("\xe2\x82 "), false},
		{LITERAL("\xf0\x9f\x98 "), false},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(
			json_is_utf8(cases[i].bytes, cases[i].n), cases[i].valid, "case %u", i);
}

static void expect_escaped(const char *bytes, size_t n, const char *want) {
	char text[256];

	*json_escape(text, bytes, n) = '\0';
	cr_expect_str_eq(text, want);
}

Test(json, escapes) {
	expect_escaped(LITERAL("a\"b\\c/d"), "a\\\"b\\\\c/d");
	expect_escaped(LITERAL("\b\f\n\r\t"), "\\b\\f\\n\\r\\t");
	expect_escaped(LITERAL("\0\x01\x1b[2J\x1f\x7f"), "\\u0000\\u0001\\u001b[2J\\u001f\\u007f");
	expect_escaped(LITERAL("\xc2\x9b\xc2\xa0\xc3\xa9\xf0\x9f\x98\x80"),
		"\\u009b\xc2\xa0\xc3\xa9\xf0\x9f\x98\x80");
	expect_escaped(LITERAL("a\xff\xe2\x82z\xc2"), "a\\ufffd\\ufffd\\ufffdz\\ufffd");
}

static void expect_shown(const char *bytes, size_t n, unsigned columns, const char *want) {
	char text[128];

	memset(text, 'X', sizeof text);
	cr_expect_str_eq(human_text(bytes, n, text, columns), want);
	cr_expect_eq(text[columns + 1], 'X', "it writes behind its end");
}

Test(human, text_is_safe_and_cut_where_it_is_seen) {
	expect_shown(LITERAL("nginx 1.22"), 20, "nginx 1.22");
	expect_shown(LITERAL("nginx 1.22"), 10, "nginx 1.22");
	expect_shown(LITERAL("nginx 1.22"), 9, "nginx 1.~");
	expect_shown(LITERAL("nginx"), 1, "~");
	expect_shown(LITERAL("n"), 1, "n");
	expect_shown(LITERAL(""), 1, "");
	expect_shown(LITERAL("a\x1b]0;t\x07\r\n\x9b\xc3\xa9\0~"), 80,
		"a\\x1b]0;t\\x07\\x0d\\x0a\\x9b\\xc3\\xa9\\x00~");
	expect_shown(LITERAL("ab\x1b"), 6, "ab\\x1b");
	expect_shown(LITERAL("ab\x1b"), 5, "ab~");
	expect_shown(LITERAL("ab\x1b"
			     "c"),
		6, "ab~");
	expect_shown(LITERAL("\x1b"), 3, "~");
}

static void look_for_leaks(void) {
	cr_expect_not(fixture_leaks());
}

CHECKED_TEST(result, plugins_as_json, look_for_leaks) {
	struct result_extra *extra = fixture_extra(7);
	char *text = result_plugins_json(extra);

	cr_assert_str_eq(text,
		"{\"http-enum\":{\"status\":\"ok\",\"results\":{\"n\":7}},"
		"\"banner-analyzer\":{\"status\":\"timeout\",\"error\":\"wall_seconds of 7\"}}");
	cr_assert_leq(strlen(text), result_plugins_room(extra));
	free(text);
	cr_assert_null(result_plugins_json(NULL));
	unsigned n = extra->nb_plugins;
	extra->nb_plugins = 0;
	cr_assert_null(result_plugins_json(extra));
	extra->nb_plugins = n;
	result_extra_free(extra);
	result_extra_free(NULL);
}

/* Each byte of the error and of the name at its longest. */
CHECKED_TEST(result, plugins_json_fits_its_room, look_for_leaks) {
	char error[] = "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", results[] = "{}";
	struct result_plugin plugin = {
		.name = "a\x01\x01\x01",
		.status = LH_INSTRUCTIONS,
		.error = error,
		.results = results,
	};
	struct result_extra extra = {.plugins = &plugin, .nb_plugins = 1};
	char *text = result_plugins_json(&extra);

	cr_assert_lt(strlen(text), result_plugins_room(&extra));
	free(text);
}

CHECKED_TEST(result, comes_back_from_bytes_as_it_was, look_for_leaks) {
	uint8_t *bytes = NULL;
	size_t used = 0, room = 0, at = 0, taken;
	struct result got;

	for (unsigned i = 0; i < 100; i++) {
		struct result result = {.answer = fixture_answer(i)};
		result.extra = i % 3 ? fixture_extra(i) : NULL;
		cr_assert_eq(result_pack(&result, &fixture_table, &bytes, &used, &room), 0);
		result_extra_free(result.extra);
	}
	for (unsigned i = 0; i < 100; i++) {
		struct result_extra *want = i % 3 ? fixture_extra(i) : NULL;
		cr_assert_eq(result_unpack(bytes + at, used - at, &fixture_table, &taken, &got), 0);
		cr_assert(fixture_is_answer(&got.answer, i), "answer %u", i);
		cr_assert_eq(!got.extra, !want);
		cr_assert(!want || fixture_equal(got.extra, want));
		result_extra_free(got.extra);
		result_extra_free(want);
		at += taken;
	}
	cr_assert_eq(at, used);
	free(bytes);
}

CHECKED_TEST(result, pack_refuses_a_name_that_is_not_in_the_table, look_for_leaks) {
	struct result result = {.extra = fixture_extra(1)};
	uint8_t *bytes = NULL;
	size_t used = 0, room = 0;

	result.extra->plugins[1].name = "stranger";
	cr_assert_eq(result_pack(&result, &fixture_table, &bytes, &used, &room), -EINVAL);
	cr_assert_eq(used, 0);
	result_extra_free(result.extra);
	free(bytes);
}

/* A copy of exactly @n bytes, so that the sanitizers see who reads behind it. */
static int unpack_copy(const uint8_t *bytes, size_t n) {
	uint8_t *copy = malloc(n ? n : 1);
	struct result got;
	size_t taken;

	memcpy(copy, bytes, n);
	int rc = result_unpack(copy, n, &fixture_table, &taken, &got);
	cr_assert_leq(taken, n);
	cr_assert(rc == 0 || !got.extra);
	result_extra_free(got.extra);
	free(copy);
	return rc;
}

CHECKED_TEST(result, unpack_believes_nothing, look_for_leaks) {
	struct result result = {.extra = fixture_extra(3)};
	uint8_t *bytes = NULL;
	size_t used = 0, room = 0;
	unsigned refused = 0;

	cr_assert_eq(result_pack(&result, &fixture_table, &bytes, &used, &room), 0);
	for (size_t n = 0; n < used; n++)
		cr_assert_eq(unpack_copy(bytes, n), -EBADMSG, "cut to %zu bytes", n);
	for (size_t i = 0; i < used; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1u << bit);
			refused += unpack_copy(bytes, used) == -EBADMSG;
			bytes[i] ^= (uint8_t)(1u << bit);
		}
	}
	cr_assert_gt(refused, 500, "lengths, counts, names and states are checked");
	cr_assert_eq(unpack_copy(bytes, used), 0);
	result_extra_free(result.extra);
	free(bytes);
}

/* Two flags, of which the second says what the first one's part has. */
Test(result, unpack_refuses_a_service_without_more) {
	struct result result = {0};
	uint8_t *bytes = NULL;
	size_t used = 0, room = 0;

	cr_assert_eq(result_pack(&result, &fixture_table, &bytes, &used, &room), 0);
	cr_assert_eq(unpack_copy(bytes, used), 0);
	bytes[used - 1] = 2;
	cr_assert_eq(unpack_copy(bytes, used), -EBADMSG);
	free(bytes);
}
