/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The utf8 library of Lua 5.3 (reference manual, 6.5), which LuaJIT lacks, and the check that text
 * is UTF-8. As there, the library takes every code up to 10FFFF, surrogates included, in its
 * shortest form; utf8_valid() follows RFC 3629, which has no surrogates.
 *
 * Runs in a lane; owns nothing.
 */
#include "luautf8.h"
#include "sandbox.h"

#include <lauxlib.h>

#include <stdlib.h>
#include <string.h>

enum {
	MAX_CODE = 0x10ffff,
	MAX_BYTES = 4,
};

static bool is_continuation(const char *p) {
	return ((unsigned char)*p & 0xc0) == 0x80;
}

/* Bytes of the sequence at @p, of which @room are there, with its code; 0 where it is none. */
static size_t decode(const char *p, size_t room, uint32_t *code) {
	static const uint32_t smallest[MAX_BYTES + 1] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char first = (unsigned char)*p;
	const size_t n = first < 0x80 ? 1
		: first < 0xc0	      ? 0
		: first < 0xe0	      ? 2
		: first < 0xf0	      ? 3
		: first < 0xf8	      ? 4
				      : 0;

	if (!n || n > room)
		return 0;
	*code = n == 1 ? first : first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (!is_continuation(p + i))
			return 0;
		*code = *code << 6 | ((unsigned char)p[i] & 0x3f);
	}
	return *code < smallest[n] || *code > MAX_CODE ? 0 : n;
}

size_t utf8_valid(const char *text, size_t bytes) {
	size_t at = 0;
	uint32_t code;

	while (at < bytes) {
		/* Most text is ASCII: eight bytes at a time. */
		uint64_t block;
		if (bytes - at >= sizeof(block)) {
			memcpy(&block, text + at, sizeof(block));
			if (!(block & UINT64_C(0x8080808080808080))) {
				at += sizeof(block);
				continue;
			}
		}
		size_t n = decode(text + at, bytes - at, &code);
		if (!n || (code >= 0xd800 && code < 0xe000))
			break;
		at += n;
	}
	return at;
}

size_t utf8_encode(uint32_t code, char out[MAX_BYTES]) {
	static const unsigned char mark[MAX_BYTES + 1] = {0, 0, 0xc0, 0xe0, 0xf0};
	const size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(mark[n] | code);
	return n;
}

/* A position as Lua has them: from 1, or from the end where negative; 0 where before the start. */
static lua_Integer position(lua_Integer i, size_t bytes) {
	if (i >= 0)
		return i;
	return (size_t)-i > bytes ? 0 : (lua_Integer)bytes + i + 1;
}

static int l_char(lua_State *L) {
	const int n = lua_gettop(L);
	luaL_Buffer b;
	char bytes[MAX_BYTES];

	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		const lua_Integer code = luaL_checkinteger(L, i);
		luaL_argcheck(L, code >= 0 && code <= MAX_CODE, i, "value out of range");
		luaL_addlstring(&b, bytes, utf8_encode((uint32_t)code, bytes));
	}
	luaL_pushresult(&b);
	return 1;
}

static int l_codepoint(lua_State *L) {
	size_t bytes;
	const char *s = luaL_checklstring(L, 1, &bytes);
	const lua_Integer i = position(luaL_optinteger(L, 2, 1), bytes);
	const lua_Integer j = position(luaL_optinteger(L, 3, i), bytes);
	int n = 0;
	uint32_t code;

	luaL_argcheck(L, i >= 1, 2, "out of range");
	luaL_argcheck(L, j <= (lua_Integer)bytes, 3, "out of range");
	for (size_t at = (size_t)i - 1; (lua_Integer)at < j; n++) {
		const size_t step = decode(s + at, bytes - at, &code);
		if (!step)
			return luaL_error(L, "invalid UTF-8 code");
		luaL_checkstack(L, 1, "string slice too long");
		lua_pushinteger(L, (lua_Integer)code);
		at += step;
	}
	return n;
}

static int l_len(lua_State *L) {
	size_t bytes;
	const char *s = luaL_checklstring(L, 1, &bytes);
	lua_Integer at = position(luaL_optinteger(L, 2, 1), bytes) - 1;
	const lua_Integer end = position(luaL_optinteger(L, 3, -1), bytes);
	lua_Integer n = 0;
	uint32_t code;

	luaL_argcheck(L, at >= 0 && at <= (lua_Integer)bytes, 2, "initial position out of string");
	luaL_argcheck(L, end <= (lua_Integer)bytes, 3, "final position out of string");
	for (; at < end; n++) {
		const size_t step = decode(s + at, bytes - (size_t)at, &code);
		if (!step) {
			lua_pushnil(L);
			lua_pushinteger(L, at + 1);
			return 2;
		}
		at += (lua_Integer)step;
	}
	lua_pushinteger(L, n);
	return 1;
}

/* At @at there is a continuation byte; strings end in a NUL, which is none. */
static bool inside(const char *s, lua_Integer at) {
	return is_continuation(s + at);
}

/* Go back to the @n-th character start before @at; -1 where there is none. */
static lua_Integer go_back(const char *s, lua_Integer at, lua_Integer n) {
	for (; n > 0 && at > 0; n--)
		do
			at--;
		while (at > 0 && inside(s, at));
	return n ? -1 : at;
}

/* Go on to the @n-th character start after @at; the end of the string is one. -1: there is none. */
static lua_Integer go_on(const char *s, lua_Integer bytes, lua_Integer at, lua_Integer n) {
	for (; n > 0 && at < bytes; n--)
		do
			at++;
		while (inside(s, at));
	return n ? -1 : at;
}

static int l_offset(lua_State *L) {
	size_t bytes;
	const char *s = luaL_checklstring(L, 1, &bytes);
	const lua_Integer n = luaL_checkinteger(L, 2);
	const lua_Integer end = (lua_Integer)bytes;
	lua_Integer at = position(luaL_optinteger(L, 3, n >= 0 ? 1 : end + 1), bytes) - 1;

	luaL_argcheck(L, at >= 0 && at <= end, 3, "position out of range");
	if (!n) {
		while (at > 0 && inside(s, at))
			at--;
	} else {
		if (inside(s, at))
			return luaL_error(L, "initial position is a continuation byte");
		at = n < 0 ? go_back(s, at, -n) : go_on(s, end, at, n - 1);
	}
	if (at < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, at + 1);
	return 1;
}

/* The iterator of codes: (string, position of the last character) -> position, code. */
static int next_code(lua_State *L) {
	size_t bytes;
	const char *s = luaL_checklstring(L, 1, &bytes);
	lua_Integer at = luaL_checkinteger(L, 2);
	uint32_t code;

	if (at < 0 || at >= (lua_Integer)bytes)
		return 0;
	/* @at is one past the first byte of the last character, counted from 0. */
	while (at > 0 && inside(s, at))
		at++;
	if (at >= (lua_Integer)bytes)
		return 0;
	const size_t step = decode(s + at, bytes - (size_t)at, &code);
	if (!step || is_continuation(s + at + step))
		return luaL_error(L, "invalid UTF-8 code");
	lua_pushinteger(L, at + 1);
	lua_pushinteger(L, (lua_Integer)code);
	return 2;
}

static int l_codes(lua_State *L) {
	luaL_checkstring(L, 1);
	lua_pushcfunction(L, next_code);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

static const luaL_Reg functions[] = {
	{"char", l_char},
	{"codepoint", l_codepoint},
	{"codes", l_codes},
	{"len", l_len},
	{"offset", l_offset},
	{NULL, NULL},
};

int luautf8_open(lua_State *L) {
	static const char pattern[] = "[%z\1-\x7F\xC2-\xF4][\x80-\xBF]*";

	lua_newtable(L);
	luaL_register(L, NULL, functions);
	lua_pushlstring(L, pattern, sizeof(pattern) - 1);
	lua_setfield(L, -2, "charpattern");
	return 1;
}
