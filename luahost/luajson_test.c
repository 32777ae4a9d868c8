/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON both ways: what each value becomes, what is refused and how it is said, limits, round trips. */
#include "luajson.h"
#include "sandbox.h"

#include <lauxlib.h>
#include <lualib.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lua_State *open_vm(void) {
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	lua_newtable(L);
	luajson_open(L);
	lua_setglobal(L, "prtip");
	return L;
}

/* Push the value of the Lua expression. */
static void evaluate(lua_State *L, const char *expression) {
	char text[1024];

	snprintf(text, sizeof(text), "return %s", expression);
	cr_assert_eq(luaL_dostring(L, text), 0, "%s: %s", text, lua_tostring(L, -1));
	cr_assert_eq(lua_gettop(L), 1);
}

/* luajson_encode() of @expression gives @json, or (@json NULL) the error @why. */
static void encodes(const char *expression, const char *json, const char *why) {
	struct luajson_buffer out = {.max = 65536};
	lua_State *L = open_vm();

	evaluate(L, expression);
	const char *wrong = luajson_encode(L, -1, &out);
	cr_expect_eq(lua_gettop(L), 1, "%s: the stack is as it was", expression);
	if (json) {
		cr_expect_null(wrong, "%s: %s", expression, wrong);
		cr_expect_eq(
			out.used, strlen(json), "%s: %.*s", expression, (int)out.used, out.text);
		cr_expect(!wrong && !memcmp(out.text, json, out.used), "%s: %.*s", expression,
			(int)out.used, out.text);
	} else {
		cr_assert_not_null(wrong, "%s: %.*s", expression, (int)out.used, out.text);
		cr_expect_str_eq(wrong, why, "%s: %s", expression, wrong);
		cr_expect_eq(out.used, 0);
	}
	free(out.text);
	lua_close(L);
}

Test(luajson, encodes_scalars) {
	static const char *const cases[][2] = {{"true", "true"}, {"false", "false"}, {"0", "0"},
		{"-0", "0"}, {"1", "1"}, {"-17", "-17"}, {"1.5", "1.5"}, {"-2.25", "-2.25"},
		{"0.1", "0.1"}, {"1/3", "0.3333333333333333"}, {"1e15", "1000000000000000"},
		{"2^53", "9007199254740992"}, {"-2^53", "-9007199254740992"},
		{"2^53 + 2", "9007199254740994"}, {"1e300", "1e+300"},
		{"5e-324", "4.94065645841247e-324"}, {"''", "\"\""}, {"'a'", "\"a\""},
		{"'1'", "\"1\""}, {"'\"\\\\/'", "\"\\\"\\\\/\""},
		{"'\\b\\f\\n\\r\\t'", "\"\\b\\f\\n\\r\\t\""},
		{"'\\0\\1\\31 \\127'", "\"\\u0000\\u0001\\u001f \x7f\""},
		{"'\\195\\188\\226\\130\\172\\240\\159\\152\\128'",
			"\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\""}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		encodes(cases[i][0], cases[i][1], NULL);
}

Test(luajson, encodes_tables) {
	static const char *const cases[][2] = {{"{}", "{}"}, {"{1, 2, 3}", "[1,2,3]"},
		{"{'a', {}, {1}, {x = {}}}", "[\"a\",{},[1],{\"x\":{}}]"},
		{"{[1] = 'a', [2] = 'b'}", "[\"a\",\"b\"]"},
		{"{b = 1, a = 2, ab = 3, [''] = 4}", "{\"\":4,\"a\":2,\"ab\":3,\"b\":1}"},
		{"{['1'] = 1, ['2'] = 2}", "{\"1\":1,\"2\":2}"},
		{"{['a\\0b'] = 1, a = 2}", "{\"a\":2,\"a\\u0000b\":1}"},
		{"setmetatable({1}, {__index = error, __len = error, __pairs = error})", "[1]"},
		{"setmetatable({}, {__tostring = error})", "{}"}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		encodes(cases[i][0], cases[i][1], NULL);
}

/* More members than are sorted on the stack, in order whatever the hash. */
Test(luajson, encodes_many_members_in_order) {
	char expected[4096] = "{";
	size_t used = 1;

	for (int i = 10; i < 99; i++)
		used += (size_t)snprintf(expected + used, sizeof(expected) - used,
			"%s\"k%d\":{\"v\":%d}", i > 10 ? "," : "", i, i);
	snprintf(expected + used, sizeof(expected) - used, "}");
	encodes("(function() local t = {} for i = 98, 10, -1 do t['k' .. i] = {v = i} end return t "
		"end)()",
		expected, NULL);
}

Test(luajson, refuses) {
	static const char *const cases[][2] = {
		{"nil", "nil cannot be a result"},
		{"print", "a function cannot be a result"},
		{"{print}", "a function cannot be a result"},
		{"{a = {b = coroutine.create(print)}}", "a coroutine cannot be a result"},
		{"io.stdout", "a userdata cannot be a result"},
		{"prtip.null", "prtip.null cannot be a result"},
		{"{prtip.null}", "prtip.null cannot be a result"},
		{"1/0", "not a finite number"},
		{"-1/0", "not a finite number"},
		{"{0/0}", "not a finite number"},
		{"'\\255'", "invalid UTF-8"},
		{"{['\\192\\128'] = 1}", "invalid UTF-8"},
		{"'\\237\\160\\128'", "invalid UTF-8"},
		{"{1, nil, 3}",
			"a sequence must not have holes: keys must be all strings or 1 to n"},
		{"{[1e9] = 1}",
			"a sequence must not have holes: keys must be all strings or 1 to n"},
		{"{1, x = 2}", "keys must be all strings or 1 to n"},
		{"{[0] = 1}", "keys must be all strings or 1 to n"},
		{"{[-1] = 1}", "keys must be all strings or 1 to n"},
		{"{[1.5] = 1}", "keys must be all strings or 1 to n"},
		{"{[1/0] = 1}", "keys must be all strings or 1 to n"},
		{"{[true] = 1}", "keys must be all strings or 1 to n"},
		{"{[{}] = 1, a = 1}", "keys must be all strings or 1 to n"},
		{"(function() local t = {} t.t = t return t end)()", "too deep, or a cycle"},
		{"(function() local t = {} t[1] = {t} return t end)()", "too deep, or a cycle"},
		{"(function() local t = 1 for i = 1, 33 do t = {t} end return t end)()",
			"too deep, or a cycle"},
		{"('x'):rep(65535)", "over 65536 bytes"},
		{"(function() local t = {} for i = 1, 33000 do t[i] = 1 end return t end)()",
			"over 65536 bytes"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		encodes(cases[i][0], NULL, cases[i][1]);
}

/* A limit is met exactly, what was in the buffer stays, and an error takes back what it began. */
Test(luajson, limits) {
	struct luajson_buffer out = {.max = 20};
	lua_State *L = open_vm();

	lua_pushliteral(L, "12345678");
	cr_expect_null(luajson_encode(L, 1, &out));
	cr_expect_eq(out.used, 10);
	lua_pushliteral(L, "123456789");
	cr_expect_str_eq(luajson_encode(L, 2, &out), "over 20 bytes");
	cr_expect_eq(out.used, 10);
	cr_expect_null(luajson_encode(L, 1, &out));
	cr_expect_eq(out.used, 20);
	cr_expect(!memcmp(out.text, "\"12345678\"\"12345678\"", 20));
	lua_pushinteger(L, 1);
	cr_expect_str_eq(luajson_encode(L, 3, &out), "over 20 bytes");
	free(out.text);
	encodes("(function() local t = 1 for i = 1, 32 do t = {t} end return t end)()",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", NULL);
	encodes("('x'):rep(5)", "\"xxxxx\"", NULL);
	lua_close(L);
}

/* The Lua @text runs without an error. */
static void runs(const char *text) {
	lua_State *L = open_vm();

	cr_expect_eq(luaL_dostring(L, text), 0, "%s\n---> %s", text, lua_tostring(L, -1));
	lua_close(L);
}

Test(luajson, decodes) {
	runs("local d = prtip.json_decode\n"
	     "assert(d('1') == 1 and d(' -0.5e+2 ') == -50 and d('0') == 0 and d('1E3') == 1000)\n"
	     "assert(d('true') == true and d('false') == false and d('null') == nil)\n"
	     "assert(select('#', d('null')) == 1)\n"
	     "assert(d('\"a\"') == 'a' and d('\"\"') == '' and #d('\"\\\\u0000\"') == 1)");
	runs("local t = prtip.json_decode('\\t{\"a\":[1,{\"b\":null},[],{}],\"a2\" : "
	     "\"x\"}\\r\\n')\n"
	     "assert(t.a[1] == 1 and t.a[2].b == prtip.null and #t.a == 4 and t.a2 == 'x')");
	runs("local s = prtip.json_decode('\"\\\\\"\\\\\\\\\\\\/\\\\b\\\\f\\\\n\\\\r\\\\t\"')\n"
	     "assert(s == '\"\\\\/\\b\\f\\n\\r\\t')");
	runs("assert(prtip.json_decode('\"\\\\u00fc\\\\u20AC\\\\ud83d\\\\ude00x\"') ==\n"
	     "'\\195\\188\\226\\130\\172\\240\\159\\152\\128x')");
	runs("local t = prtip.json_decode('{\"a\":1,\"a\":2}') assert(t.a == 2)");
	runs("assert(prtip.json_decode('[1,null,3]')[2] == prtip.null)");
	runs("assert(prtip.json_decode(('['):rep(64) .. (']'):rep(64)))");
	runs("assert(prtip.json_decode('0.' .. ('1'):rep(1000)) > 0.1)");
}

struct wrong {
	const char *json, *why;
};

Test(luajson, decode_names_the_place) {
	static const struct wrong cases[] = {
		{"", "byte 1: a value is missing"},
		{"   ", "byte 4: a value is missing"},
		{"nul", "byte 1: a value is missing"},
		{"nullx", "byte 5: text after the value"},
		{"1 2", "byte 3: text after the value"},
		{"01", "byte 2: a number must not begin with 0"},
		{"-", "byte 2: a digit is missing"},
		{"1.", "byte 3: a digit is missing"},
		{".5", "byte 1: a value is missing"},
		{"+1", "byte 1: a value is missing"},
		{"1e", "byte 3: a digit is missing"},
		{"1e400", "byte 1: a number larger than 1.8e308"},
		{"NaN", "byte 1: a value is missing"},
		{"[1,]", "byte 4: a value is missing"},
		{"[1 2]", "byte 4: a comma or ] is missing"},
		{"[1", "byte 3: a comma or ] is missing"},
		{"[", "byte 2: a value is missing"},
		{"{", "byte 2: a member's name, in quotes, is missing"},
		{"{1:2}", "byte 2: a member's name, in quotes, is missing"},
		{"{\"a\" 1}", "byte 6: a colon is missing"},
		{"{\"a\":1,}", "byte 8: a member's name, in quotes, is missing"},
		{"{\"a\":1", "byte 7: a comma or } is missing"},
		{"\"a", "byte 3: a string without end"},
		{"\"a\\", "byte 4: a string without end"},
		{"\"a\\\"", "byte 5: a string without end"},
		{"\"a\nb\"", "byte 3: a control character in a string"},
		{"\"\\x\"", "byte 3: an unknown escape"},
		{"\"\\u12g4\"", "byte 6: \\u needs four hexadecimal digits"},
		{"\"\\u12\"", "byte 6: \\u needs four hexadecimal digits"},
		{"\"\\ud800\"", "byte 4: half of a surrogate pair"},
		{"\"\\udc00\"", "byte 4: half of a surrogate pair"},
		{"\"\\ud800\\u0041\"", "byte 4: half of a surrogate pair"},
		{"\"a\xff\"", "byte 3: invalid UTF-8"},
		{"[\"\xc0\x80\"]", "byte 3: invalid UTF-8"},
		{"// x", "byte 1: a value is missing"},
	};
	lua_State *L = open_vm();

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = luajson_decode(L, cases[i].json, strlen(cases[i].json));
		cr_assert_not_null(why, "%s", cases[i].json);
		cr_expect_str_eq(why, cases[i].why, "%s: %s", cases[i].json, why);
		cr_expect_eq(lua_gettop(L), 0, "%s", cases[i].json);
	}
	lua_close(L);
	runs("local v, e = prtip.json_decode('[') assert(v == nil and e == 'byte 2: a value is "
	     "missing')");
	runs("local v, e = prtip.json_decode('[\"\\0\"]') assert(v == nil and e:find('control'))");
	runs("local v, e = prtip.json_decode(('['):rep(65) .. (']'):rep(65))\n"
	     "assert(v == nil and e == 'byte 65: nested more than 64 deep', e)");
	runs("local v, e = prtip.json_decode(('1'):rep(1025)) assert(v == nil and e:find('1024'))");
	runs("assert(not pcall(prtip.json_decode) and not pcall(prtip.json_decode, {}))");
}

/* Exactly @bytes are read: a page of memory ends after them only under a sanitizer, a digit always. */
Test(luajson, decode_stops_at_the_end) {
	lua_State *L = open_vm();

	for (size_t n = 1; n <= 3; n++) {
		char *text = malloc(n);
		memset(text, '7', n);
		cr_expect_null(luajson_decode(L, text, n));
		cr_expect_eq(lua_tonumber(L, -1), n == 1 ? 7 : n == 2 ? 77 : 777);
		free(text);
	}
	cr_expect_null(luajson_decode(L, "12345", 2));
	cr_expect_eq(lua_tonumber(L, -1), 12);
	cr_expect_not_null(luajson_decode(L, "null", 3));
	cr_expect_not_null(luajson_decode(L, "\"a\"", 2));
	lua_close(L);
}

/* Any cut and any changed byte of a text gives a value or an error, never a crash. */
Test(luajson, damaged_text) {
	static const char good[] = "{\"a\":[1,-2.5e3,true,null,"
				   "\"\\u20ac\\ud83d\\ude00\xc3\xbc\\n\"],\"b\":{\"c\":{}}}";
	lua_State *L = open_vm();
	unsigned refused = 0;

	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		cr_expect_not_null(luajson_decode(L, good, n), "%zu bytes", n);
		for (unsigned c = 0; c < 256; c++) {
			char text[sizeof(good)];
			memcpy(text, good, sizeof(good));
			text[n] = (char)c;
			refused += luajson_decode(L, text, sizeof(good) - 1) != NULL;
			lua_settop(L, 0);
		}
	}
	cr_expect_gt(refused, 1000);
	lua_close(L);
}

Test(luajson, round_trip) {
	runs("local e, d = prtip.json_encode, prtip.json_decode\n"
	     "for _, s in ipairs({'[1,2,[3,{\"a\":null}]]', '{\"a\":{\"b\":[true,false]}}', "
	     "'\"x\"',\n"
	     "  '1.5', '{}'}) do assert(e(d(s)) == s, s) end\n"
	     "for i = 1, 2000 do local n = math.random() * 10 ^ math.random(-300, 300)\n"
	     "  assert(d(e(n)) == n and d(e(-n)) == -n, n) end\n"
	     "for i = 0, 53 do local n = 2 ^ i - 1 assert(e(n) == ('%.0f'):format(n) and d(e(n)) "
	     "== n) "
	     "end");
	runs("assert(prtip.json_encode(prtip.null) == 'null')");
	runs("local s = ('x'):rep(100000) assert(prtip.json_encode({s}) == '[\"' .. s .. '\"]')");
}

Test(luajson, json_encode_raises) {
	runs("local function fails(v, why) local ok, e = pcall(prtip.json_encode, v)\n"
	     "  assert(not ok and e:find(why, 1, true), tostring(e)) end\n"
	     "fails(nil, 'json_encode: nil has no JSON form') fails(print, 'a function has no "
	     "JSON')\n"
	     "fails({io.stdout}, 'a userdata has no JSON form') fails(0/0, 'not a finite number')\n"
	     "fails({1, x = 1}, 'keys must be') fails('\\255', 'invalid UTF-8')\n"
	     "fails(('x'):rep(2^24), 'over 16777216 bytes')\n"
	     "assert(not pcall(prtip.json_encode))");
}
