/* SPDX-License-Identifier: BSD-3-Clause */
/* The utf8 library by the Lua 5.3 manual, 6.5, and the check against RFC 3629. */
#include "luautf8.h"
#include "sandbox.h"

#include <lauxlib.h>
#include <lualib.h>

#include <criterion/criterion.h>
#include <string.h>

/* The Lua @text runs without an error. @s holds a, u-umlaut, euro, smiley: 1, 2, 3 and 4 bytes. */
static void runs(const char *text) {
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	luautf8_open(L);
	lua_setglobal(L, "utf8");
	lua_pushliteral(L, "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
	lua_setglobal(L, "s");
	cr_expect_eq(luaL_dostring(L,
			     "function fails(why, f, ...) local ok, e = pcall(f, ...)\n"
			     "assert(not ok and e:find(why, 1, true), tostring(e)) end"),
		0);
	cr_expect_eq(luaL_dostring(L, text), 0, "%s\n---> %s", text, lua_tostring(L, -1));
	lua_close(L);
}

Test(luautf8, char_) {
	runs("assert(utf8.char() == '' and utf8.char(97, 252, 8364, 128512) == s)");
	runs("assert(utf8.char(0) == '\\0' and utf8.char(127) == '\\127')");
	runs("assert(utf8.char(128) == '\\194\\128' and utf8.char(0x7ff) == '\\223\\191')");
	runs("assert(utf8.char(0x800) == '\\224\\160\\128' and utf8.char(0xffff) == "
	     "'\\239\\191\\191')");
	runs("assert(utf8.char(0x10000) == '\\240\\144\\128\\128')");
	runs("assert(utf8.char(0x10ffff) == '\\244\\143\\191\\191')");
	runs("fails('value out of range', utf8.char, 0x110000) fails('value out of range', "
	     "utf8.char, "
	     "-1)");
	runs("fails(\"#2\", utf8.char, 1, 'x') fails('number expected', utf8.char, {})");
}

Test(luautf8, charpattern) {
	runs("local n = {} for c in (s .. '\\0'):gmatch(utf8.charpattern) do n[#n + 1] = #c end\n"
	     "assert(table.concat(n, ' ') == '1 2 3 4 1')");
}

Test(luautf8, codepoint) {
	runs("local t = {utf8.codepoint(s, 1, -1)} assert(table.concat(t, ' ') == '97 252 8364 "
	     "128512')");
	runs("assert(utf8.codepoint(s) == 97 and utf8.codepoint(s, 2) == 252)");
	runs("assert(utf8.codepoint(s, -4) == 128512 and select('#', utf8.codepoint(s, 2, 4)) == "
	     "2)");
	runs("assert(select('#', utf8.codepoint(s, 3, 2)) == 0 and utf8.codepoint('', 1, 0) == "
	     "nil)");
	runs("fails('out of range', utf8.codepoint, '') fails('out of range', utf8.codepoint, s, "
	     "0)");
	runs("fails('out of range', utf8.codepoint, s, 1, 11) fails('out of range', "
	     "utf8.codepoint, s, "
	     "-20)");
	runs("fails('invalid UTF-8 code', utf8.codepoint, s, 3)");
	runs("fails('invalid UTF-8 code', utf8.codepoint, '\\195')");
	runs("fails('invalid UTF-8 code', utf8.codepoint, '\\192\\128')");
	runs("fails('invalid UTF-8 code', utf8.codepoint, '\\244\\144\\128\\128')");
	runs("fails('string expected', utf8.codepoint) fails('string expected', utf8.codepoint, "
	     "{})");
}

Test(luautf8, len) {
	runs("assert(utf8.len(s) == 4 and utf8.len('') == 0 and utf8.len('\\0\\0') == 2)");
	runs("assert(utf8.len(s, 2) == 3 and utf8.len(s, -4) == 1 and utf8.len(s, 2, 3) == 1)");
	runs("assert(utf8.len(s, 2, 4) == 2 and utf8.len(s, 11) == 0 and utf8.len(s, 1, 0) == 0)");
	runs("local a, b = utf8.len(s, 3) assert(a == nil and b == 3)");
	runs("local a, b = utf8.len('abc\\255d') assert(a == nil and b == 4)");
	runs("local a, b = utf8.len('ab\\226\\130') assert(a == nil and b == 3)");
	runs("local a, b = utf8.len('\\224\\128\\128') assert(a == nil and b == 1)");
	runs("local a, b = utf8.len('\\248\\136\\128\\128\\128') assert(a == nil and b == 1)");
	runs("fails('initial position out of string', utf8.len, s, 12)");
	runs("fails('initial position out of string', utf8.len, s, 0)");
	runs("fails('final position out of string', utf8.len, s, 1, 11)");
}

Test(luautf8, offset) {
	runs("assert(utf8.offset(s, 1) == 1 and utf8.offset(s, 2) == 2 and utf8.offset(s, 3) == "
	     "4)");
	runs("assert(utf8.offset(s, 4) == 7 and utf8.offset(s, 5) == 11 and utf8.offset(s, 6) == "
	     "nil)");
	runs("assert(utf8.offset(s, -1) == 7 and utf8.offset(s, -4) == 1 and utf8.offset(s, -5) == "
	     "nil)");
	runs("assert(utf8.offset(s, 2, 2) == 4 and utf8.offset(s, 1, 4) == 4)");
	runs("assert(utf8.offset(s, -1, 4) == 2 and utf8.offset(s, -2, 4) == 1)");
	runs("assert(utf8.offset(s, 0, 3) == 2 and utf8.offset(s, 0, 6) == 4 and utf8.offset(s, 0) "
	     "== 1)");
	runs("assert(utf8.offset(s, 0, 11) == 11 and utf8.offset('', 1) == 1 and utf8.offset('', "
	     "0) == 1)");
	runs("assert(utf8.offset('', 2) == nil and utf8.offset('', -1) == nil)");
	runs("fails('initial position is a continuation byte', utf8.offset, s, 1, 3)");
	runs("fails('position out of range', utf8.offset, s, 1, 12)");
	runs("fails('position out of range', utf8.offset, s, 1, -11)");
	runs("fails('number expected', utf8.offset, s)");
}

Test(luautf8, codes) {
	runs("local t = {} for p, c in utf8.codes(s) do t[#t + 1] = p .. ':' .. c end\n"
	     "assert(table.concat(t, ' ') == '1:97 2:252 4:8364 7:128512')");
	runs("for p, c in utf8.codes('') do error('none') end");
	runs("local n = 0 for p, c in utf8.codes('\\0a') do n = n + 1 end assert(n == 2)");
	runs("fails('invalid UTF-8 code', function() for p in utf8.codes('ab\\255') do end end)");
	runs("fails('invalid UTF-8 code', function() for p in utf8.codes('\\128') do end end)");
	runs("fails('invalid UTF-8 code', function() for p in utf8.codes('a\\128') do end end)");
	runs("fails('invalid UTF-8 code', function() for p in utf8.codes('\\226\\130') do end "
	     "end)");
	runs("fails('string expected', utf8.codes)");
	runs("local f = utf8.codes('ab') assert(f('ab', 99) == nil and f('ab', 2) == nil)");
}

struct sample {
	const char *text;
	size_t bytes, valid;
};

Test(luautf8, valid) {
	static const struct sample cases[] = {{"", 0, 0}, {"a", 1, 1}, {"a\0b", 3, 3},
		{"\x7f", 1, 1}, {"\x80", 1, 0}, {"\xc1\xbf", 2, 0}, {"\xc2\x80", 2, 2},
		{"\xc2", 1, 0}, {"\xc2\xc2", 2, 0}, {"\xe0\x9f\xbf", 3, 0}, {"\xe0\xa0\x80", 3, 3},
		{"\xed\x9f\xbf", 3, 3}, {"\xed\xa0\x80", 3, 0}, {"\xed\xbf\xbf", 3, 0},
		{"\xee\x80\x80", 3, 3}, {"\xef\xbf\xbf", 3, 3}, {"\xf0\x8f\xbf\xbf", 4, 0},
		{"\xf0\x90\x80\x80", 4, 4}, {"\xf4\x8f\xbf\xbf", 4, 4}, {"\xf4\x90\x80\x80", 4, 0},
		{"\xf5\x80\x80\x80", 4, 0}, {"\xff", 1, 0}, {"abcdefgh\xff", 9, 8},
		{"abcdefg\xc3\xbc", 9, 9}, {"abcdefghijklmnopq\xe2\x82", 19, 17},
		{"\xe2\x82\xac\xe2\x82\xac", 5, 3}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(
			utf8_valid(cases[i].text, cases[i].bytes), cases[i].valid, "case %u", i);
}

/* Each code's own encoding is valid but for surrogates, and comes in order of length. */
Test(luautf8, every_code) {
	char text[4];

	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		const size_t n = utf8_encode(code, text);
		const bool surrogate = code >= 0xd800 && code < 0xe000;
		if (utf8_valid(text, n) != (surrogate ? 0 : n))
			cr_assert_fail("%x", code);
	}
}
