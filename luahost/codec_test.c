/* SPDX-License-Identifier: BSD-3-Clause */
/* base64 and hex against RFC 4648's vectors, SHA-256 against FIPS 180's, bad input, the clock. */
#include "codec.h"

#include <lauxlib.h>
#include <lualib.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

static lua_State *open_vm(void) {
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	lua_newtable(L);
	codec_open(L);
	lua_setglobal(L, "prtip");
	return L;
}

/* The Lua expression must give a string equal to @expected. */
static void gives(lua_State *L, const char *expression, const char *expected) {
	char text[256];

	snprintf(text, sizeof(text), "return tostring(%s)", expression);
	cr_assert_eq(luaL_dostring(L, text), 0, "%s: %s", text, lua_tostring(L, -1));
	cr_expect_str_eq(
		lua_tostring(L, -1), expected, "%s gives %s", expression, lua_tostring(L, -1));
	lua_settop(L, 0);
}

Test(codec, rfc4648_vectors) {
	static const char *const vectors[][3] = {{"", "", ""}, {"f", "Zg==", "66"},
		{"fo", "Zm8=", "666f"}, {"foo", "Zm9v", "666f6f"}, {"foob", "Zm9vYg==", "666f6f62"},
		{"fooba", "Zm9vYmE=", "666f6f6261"}, {"foobar", "Zm9vYmFy", "666f6f626172"}};
	static const char *const names[] = {"base64", "hex"};
	lua_State *L = open_vm();
	char text[128];

	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (unsigned k = 0; k < 2; k++) {
			snprintf(text, sizeof(text), "prtip.%s('%s')", names[k], vectors[i][0]);
			gives(L, text, vectors[i][k + 1]);
			snprintf(text, sizeof(text), "prtip.%s.encode('%s')", names[k],
				vectors[i][0]);
			gives(L, text, vectors[i][k + 1]);
			snprintf(text, sizeof(text), "prtip.%s.decode('%s')", names[k],
				vectors[i][k + 1]);
			gives(L, text, vectors[i][0]);
		}
	lua_close(L);
}

Test(codec, every_byte_and_length_comes_back) {
	lua_State *L = open_vm();
	static const char text[]
		= "local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end\n"
		  "all = table.concat(all) all = all .. all:reverse()\n"
		  "for n = 0, #all do local s = all:sub(1, n)\n"
		  "  assert(prtip.base64.decode(prtip.base64(s)) == s)\n"
		  "  assert(prtip.hex.decode(prtip.hex(s)) == s)\n"
		  "  assert(prtip.hex.decode(prtip.hex(s):upper()) == s) end";

	cr_expect_eq(luaL_dostring(L, text), 0, "%s", lua_tostring(L, -1));
	gives(L, "prtip.base64('\\251\\255\\190')", "+/++");
	lua_close(L);
}

Test(codec, bad_input_is_named) {
	static const char *const cases[][2] = {
		{"prtip.base64.decode('Zg=')", "3 bytes are not base64"},
		{"prtip.base64.decode('Z===')", "byte 2 is not base64"},
		{"prtip.base64.decode('====')", "byte 1 is not base64"},
		{"prtip.base64.decode('Zg==Zg==')", "byte 3 is not base64"},
		{"prtip.base64.decode('Zm9v\\nZm9v   ')", "byte 5 is not base64"},
		{"prtip.base64.decode('Zm-v')", "byte 3 is not base64"},
		{"prtip.base64.decode('Zh==')", "byte 2 is not base64 (bits left over"},
		{"prtip.base64.decode('Zm9=')", "byte 3 is not base64 (bits left over"},
		{"prtip.hex.decode('0')", "1 bytes are not hex"},
		{"prtip.hex.decode('0g')", "byte 2 is not hex"},
		{"prtip.hex.decode('00 1')", "byte 3 is not hex"},
	};
	lua_State *L = open_vm();
	char text[128];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		gives(L, cases[i][0], "nil");
		snprintf(text, sizeof(text), "(select(2, %s)):sub(1, %zu)", cases[i][0],
			strlen(cases[i][1]));
		gives(L, text, cases[i][1]);
	}
	cr_expect_neq(luaL_dostring(L, "prtip.base64()"), 0);
	cr_expect_neq(luaL_dostring(L, "prtip.hex({})"), 0);
	cr_expect_neq(luaL_dostring(L, "prtip.sha256()"), 0);
	cr_expect_neq(luaL_dostring(L, "setmetatable(prtip.hex, {})"), 0);
	lua_close(L);
}

Test(codec, sha256) {
	lua_State *L = open_vm();

	gives(L, "prtip.sha256('')",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	gives(L, "prtip.sha256('abc')",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	gives(L, "prtip.sha256(('a'):rep(1000000))",
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	lua_close(L);
}

Test(codec, now) {
	lua_State *L = open_vm();
	const time_t before = time(NULL);

	cr_assert_eq(luaL_dostring(L, "return prtip.now()"), 0);
	const double now = lua_tonumber(L, -1);
	cr_expect_geq(now, (double)before);
	cr_expect_leq(now, (double)time(NULL) + 1);
	lua_close(L);
}
