/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prtip.base64 and prtip.hex (RFC 4648, the standard alphabet with its padding), prtip.sha256 and
 * prtip.now. Runs in a lane; scratch memory is the VM's, so that it counts against the plugin's cap.
 */
#include "codec.h"

#include <lauxlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

static const char base64_alphabet[]
	= "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_alphabet[] = "0123456789abcdef";

/* nil and what is wrong, for the caller to return. */
static int bad_input(lua_State *L, const char *format, size_t at, const char *want) {
	lua_pushnil(L);
	lua_pushfstring(L, format, (int)at, want);
	return 2;
}

static int base64_encode(lua_State *L) {
	size_t bytes;
	const unsigned char *in = (const unsigned char *)luaL_checklstring(L, 1, &bytes);
	const size_t whole = (bytes + 2) / 3 * 4;
	char *out = lua_newuserdata(L, whole + 1), *p = out;

	for (size_t i = 0; i < bytes; i += 3) {
		const size_t n = bytes - i < 3 ? bytes - i : 3;
		const uint32_t group = (uint32_t)in[i] << 16
			| (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (n > 2 ? in[i + 2] : 0);
		*p++ = base64_alphabet[group >> 18];
		*p++ = base64_alphabet[group >> 12 & 63];
		*p++ = n > 1 ? base64_alphabet[group >> 6 & 63] : '=';
		*p++ = n > 2 ? base64_alphabet[group & 63] : '=';
	}
	lua_pushlstring(L, out, whole);
	return 1;
}

static int base64_digit(char c) {
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int base64_decode(lua_State *L) {
	size_t bytes, made = 0;
	const char *in = luaL_checklstring(L, 1, &bytes);
	unsigned char *out = lua_newuserdata(L, bytes / 4 * 3 + 1);
	uint32_t bits = 0;
	unsigned held = 0;
	size_t digits = bytes;

	if (bytes % 4)
		return bad_input(L, "%d bytes are not base64: its length is a multiple of %s",
			bytes, "4 (with = at the end)");
	while (digits && bytes - digits < 2 && in[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++) {
		const int digit = base64_digit(in[i]);
		if (digit < 0)
			return bad_input(
				L, "byte %d is not base64 (%s)", i + 1, "A-Z a-z 0-9 + / and =");
		bits = bits << 6 | (uint32_t)digit;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[made++] = (unsigned char)(bits >> held);
		}
	}
	/* One text for each data: RFC 4648, 3.5. */
	if (bits & ((1u << held) - 1))
		return bad_input(
			L, "byte %d is not base64 (%s)", digits, "bits left over are not 0");
	lua_pushlstring(L, (const char *)out, made);
	return 1;
}

/* Push @bytes bytes as lower-case hex. */
static void push_hex(lua_State *L, const unsigned char *in, size_t bytes) {
	char *out = lua_newuserdata(L, 2 * bytes + 1);

	for (size_t i = 0; i < bytes; i++) {
		out[2 * i] = hex_alphabet[in[i] >> 4];
		out[2 * i + 1] = hex_alphabet[in[i] & 15];
	}
	lua_pushlstring(L, out, 2 * bytes);
}

static int hex_encode(lua_State *L) {
	size_t bytes;
	const char *in = luaL_checklstring(L, 1, &bytes);

	push_hex(L, (const unsigned char *)in, bytes);
	return 1;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int hex_decode(lua_State *L) {
	size_t bytes;
	const char *in = luaL_checklstring(L, 1, &bytes);
	char *out = lua_newuserdata(L, bytes / 2 + 1);

	for (size_t i = 0; i < bytes; i++) {
		const int digit = hex_digit(in[i]);
		if (digit < 0)
			return bad_input(L, "byte %d is not hex (%s)", i + 1, "0-9 a-f A-F");
		if (i % 2)
			out[i / 2] = (char)((unsigned char)out[i / 2] | digit);
		else
			out[i / 2] = (char)(digit << 4);
	}
	if (bytes % 2)
		return bad_input(L, "%d bytes are not hex: their number is %s", bytes, "even");
	lua_pushlstring(L, out, bytes / 2);
	return 1;
}

static int sha256(lua_State *L) {
	size_t bytes;
	const char *in = luaL_checklstring(L, 1, &bytes);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!EVP_Digest(in, bytes, digest, &n, EVP_sha256(), NULL))
		return luaL_error(L, "not enough memory");
	push_hex(L, digest, n);
	return 1;
}

static int now(lua_State *L) {
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)(ts.tv_nsec / 1000) / 1e6);
	return 1;
}

/* prtip.base64(data): the table itself is the first argument; upvalue 1 is its encode. */
static int call_encode(lua_State *L) {
	lua_remove(L, 1);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* Field @name of the table on the top: {encode, decode}, which may be called itself. */
static void add_codec(lua_State *L, const char *name, lua_CFunction encode, lua_CFunction decode) {
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, encode);
	lua_setfield(L, -2, "encode");
	lua_pushcfunction(L, decode);
	lua_setfield(L, -2, "decode");
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, encode);
	lua_pushcclosure(L, call_encode, 1);
	lua_setfield(L, -2, "__call");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, name);
}

/* OpenSSL sets itself up on first use: now, without its configuration file, not amid a plugin. */
static void warm_up(void) {
	unsigned char digest[EVP_MAX_MD_SIZE];

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	EVP_Digest("", 0, digest, NULL, EVP_sha256(), NULL);
}

void codec_open(lua_State *L) {
	warm_up();
	add_codec(L, "base64", base64_encode, base64_decode);
	add_codec(L, "hex", hex_encode, hex_decode);
	lua_pushcfunction(L, sha256);
	lua_setfield(L, -2, "sha256");
	lua_pushcfunction(L, now);
	lua_setfield(L, -2, "now");
}
