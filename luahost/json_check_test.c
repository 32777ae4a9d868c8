/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What passes as one JSON object on one line, and what does not.
 */
#include "host.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static bool check(const char *text) {
	size_t n = strlen(text);
	/* Exactly as long, so that a sanitizer sees a read beyond. */
	char *copy = malloc(n ? n : 1);
	bool is;

	memcpy(copy, text, n);
	is = json_is_object(copy, n);
	free(copy);
	return is;
}

Test(json_check, takes_objects) {
	static const char *const good[] = {
		"{}",
		"{\"a\":1}",
		"{\"a\":{\"b\":[]},\"c\":[{},[],\"x\",true,false,null]}",
		"{\"\":\"\"}",
		"{\"n\":[0,-0,10,-1,0.5,12.25,1e9,1E+9,1.5e-300,0e0,1.7976931348623157e308,1e-999]"
		"}",
		"{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"}",
		"{\"utf8\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}",
		"{\"a\":1,\"a\":2}",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(check(good[i]), "%s", good[i]);
}

Test(json_check, refuses_all_else) {
	static const char *const bad[] = {
		"",
		"{",
		"}",
		"[]",
		"1",
		"\"a\"",
		"null",
		"{}}",
		"{}{}",
		"{} ",
		" {}",
		"{ }",
		"{}\n",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,\"a\":1}",
		"{\"a\":1 ,\"b\":2}",
		"{\"a\":1\"b\":2}",
		"{a:1}",
		"{1:1}",
		"{\"a\":[1,]}",
		"{\"a\":[1}",
		"{\"a\":[1]",
		"{\"a\":[1}]",
		"{\"a\":tru}",
		"{\"a\":True}",
		"{\"a\":nul}",
		"{\"a\":nulll}",
		"{\"a\":fals",
		"{\"a\":nan}",
		"{\"a\":+1}",
		"{\"a\":-}",
		"{\"a\":01}",
		"{\"a\":.5}",
		"{\"a\":1.}",
		"{\"a\":1.e1}",
		"{\"a\":1e}",
		"{\"a\":1e+}",
		"{\"a\":0x1}",
		"{\"a\":\"",
		"{\"a\":\"b}",
		"{\"a\":\"\n\"}",
		"{\"a\":\"\x1f\"}",
		"{\"a\":\"\\",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u\"}",
		"{\"a\":\"\\u12\"}",
		"{\"a\":\"\\u12g4\"}",
		"{\"a\":\"\\u123",
		"{\"a\":\"\\ud83d\"}",
		"{\"a\":\"\\ud83dx\"}",
		"{\"a\":\"\\ud83d\\u0041\"}",
		"{\"a\":\"\\ud83d\\ud83d\"}",
		"{\"a\":\"\\ude00\\ud83d\"}",
		"{\"a\":\"\\ud83d\\ude0",
		"{\"a\":1e309}",
		"{\"a\":[-1.8e308]}",
		"{\"a\":1e3083}",
		"{\"a\":100000000000000000000000000000000}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xc3\"}",
		"{\"a\":\"\xc0\xaf\"}",
		"{\"a\":\"\xed\xa0\x80\"}",
		"{\"\xf4\x90\x80\x80\":1}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(!check(bad[i]), "%s", bad[i]);
}

Test(json_check, refuses_nul) {
	cr_expect(!json_is_object("{\"a\":\"\0\"}", 9));
	cr_expect(!json_is_object("{\"a\":\"\\\0\"}", 10));
	cr_expect(!json_is_object("{\"a\":\"\\u12\0"
				  "4\"}",
		14));
	cr_expect(!json_is_object("{}\0", 3));
}

/* `{"a":[[[...]]]}` with @depth lists. */
static bool check_depth(unsigned depth) {
	char text[400] = "{\"a\":";
	size_t at = strlen(text);

	memset(text + at, '[', depth);
	memset(text + at + depth, ']', depth);
	text[at + 2 * depth] = '}';
	return json_is_object(text, at + 2 * depth + 1);
}

Test(json_check, has_a_depth) {
	cr_expect(check_depth(0) == false);
	cr_expect(check_depth(1));
	cr_expect(check_depth(39));
	cr_expect(!check_depth(40));
	cr_expect(!check_depth(150));
}
