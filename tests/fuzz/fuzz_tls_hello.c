/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ClientHellos that a plugin asks for, read back field by field by a reader of RFC 8446 4.1.2 that is
 * written here. The input is what the plugin wants: a byte of versions, one of what else there is, then a name,
 * protocols and ciphers.
 */
#include "fuzz.h"
#include "tls.h"

#include <lauxlib.h>

/* Classes of ciphers are looked up by parts of names, which ASan's own strstr() makes ten times slower. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
	return "intercept_strstr=0";
}

enum {
	MOST_ITEMS = 12,
	HAS_NAME = 1,
	HAS_ALPN = 2,
	HAS_NO_CIPHERS
	= 4 | 8 | 16, /* all of them: the long list of "ALL" is built in one case of eight */
};

struct input {
	const uint8_t *at;
	size_t left;
};

/* What is left of a hello, or of a part of it. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

static unsigned take(struct input *input) {
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

/* --- reading ---------------------------------------------------------------------------------- */

static unsigned get(struct cursor *cursor, unsigned bytes) {
	unsigned value = 0;

	FUZZ_ASSERT(cursor->left >= bytes);
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | cursor->at[i];
	cursor->at += bytes;
	cursor->left -= bytes;
	return value;
}

/* The part that a length of @bytes leads. */
static struct cursor part(struct cursor *cursor, unsigned bytes) {
	const unsigned n = get(cursor, bytes);
	struct cursor inner = {cursor->at, n};

	FUZZ_ASSERT(n <= cursor->left);
	cursor->at += n;
	cursor->left -= n;
	return inner;
}

static void read_extensions(struct cursor list) {
	static uint8_t seen[65536 / 8];
	const struct cursor whole = list;

	while (list.left) {
		const unsigned id = get(&list, 2);
		struct cursor body = part(&list, 2);

		/* "There MUST NOT be more than one extension of the same type" (4.2). */
		FUZZ_ASSERT(!(seen[id / 8] >> id % 8 & 1));
		seen[id / 8] |= (uint8_t)(1 << id % 8);
		if (id == 0 || id == 16) { /* server_name, ALPN: lists that fill the body */
			part(&body, 2);
			FUZZ_ASSERT(body.left == 0);
		}
	}
	for (list = whole; list.left; part(&list, 2))
		seen[get(&list, 2) / 8] = 0;
}

static void read_hello(struct cursor hello) {
	struct cursor suites, methods;
	unsigned record;

	if (hello.left && hello.at[0] & 0x80) {
		/* SSL 2.0: 15 bits of length, then MSG-CLIENT-HELLO. */
		FUZZ_ASSERT((get(&hello, 2) & 0x7fff) == hello.left && get(&hello, 1) == 1);
		return;
	}
	FUZZ_ASSERT(get(&hello, 1) == 22 && get(&hello, 1) == 3);
	get(&hello, 1);
	record = get(&hello, 2);
	FUZZ_ASSERT(record == hello.left && record <= 16384);
	FUZZ_ASSERT(get(&hello, 1) == 1 && get(&hello, 3) == hello.left);
	FUZZ_ASSERT(get(&hello, 2) >> 8 == 3);
	FUZZ_ASSERT(hello.left >= 32);
	hello.at += 32;
	hello.left -= 32;
	FUZZ_ASSERT(part(&hello, 1).left <= 32);
	suites = part(&hello, 2);
	FUZZ_ASSERT(suites.left >= 2 && suites.left % 2 == 0);
	methods = part(&hello, 1);
	FUZZ_ASSERT(methods.left >= 1 && memchr(methods.at, 0, methods.left));
	if (!hello.left)
		return; /* SSL 3.0 */
	read_extensions(part(&hello, 2));
	FUZZ_ASSERT(hello.left == 0);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void push_bytes(lua_State *L, struct input *input, size_t n) {
	if (n > input->left)
		n = input->left;
	lua_pushlstring(L, (const char *)input->at, n);
	input->at += n;
	input->left -= n;
}

static void push_versions(lua_State *L, unsigned wanted) {
	static const char *const names[]
		= {"SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
	int n = 0;

	lua_newtable(L);
	for (unsigned i = 0; i < 6; i++)
		if (wanted >> i & 1) {
			lua_pushstring(L, names[i]);
			lua_rawseti(L, -2, ++n);
		}
}

static void push_ciphers(lua_State *L, struct input *input) {
	static const char *const names[] = {"ALL", "RC4", "3DES", "EXPORT", "NULL", "anon",
		"TLS_RSA_WITH_RC4_128_SHA", "AES128-SHA", "TLS_AES_128_GCM_SHA256", "none"};
	const unsigned n = take(input) % MOST_ITEMS;

	lua_newtable(L);
	for (unsigned i = 1; i <= n; i++) {
		const unsigned kind = take(input);

		if (kind & 1)
			lua_pushstring(L, names[kind / 2 % 10]);
		else
			lua_pushnumber(L, kind / 2 * 256u + take(input));
		lua_rawseti(L, -2, (int)i);
	}
}

static void push_alpn(lua_State *L, struct input *input) {
	const unsigned n = take(input) % MOST_ITEMS;

	lua_newtable(L);
	for (unsigned i = 1; i <= n; i++) {
		push_bytes(L, input, take(input));
		lua_rawseti(L, -2, (int)i);
	}
}

static int ask(lua_State *L) {
	struct input *input = lua_touserdata(L, 1);
	const unsigned versions = take(input), has = take(input);
	const char *bytes;
	size_t n;

	lua_pushcfunction(L, tls_hello_build);
	lua_newtable(L);
	if (versions & 0x3f) {
		push_versions(L, versions);
		lua_setfield(L, -2, "versions");
	}
	if (has & HAS_NAME) {
		push_bytes(L, input, take(input));
		lua_setfield(L, -2, "server_name");
	}
	if (has & HAS_ALPN) {
		push_alpn(L, input);
		lua_setfield(L, -2, "alpn");
	}
	if ((has & HAS_NO_CIPHERS) != HAS_NO_CIPHERS) {
		push_ciphers(L, input);
		lua_setfield(L, -2, "ciphers");
	}
	lua_call(L, 1, 1); /* raises where it is asked for nonsense */
	bytes = lua_tolstring(L, -1, &n);
	FUZZ_ASSERT(bytes);
	read_hello((struct cursor){(const uint8_t *)bytes, n});
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input input = {data, size};
	static lua_State *L;

	if (!L)
		L = luaL_newstate();
	FUZZ_ASSERT(L);
	lua_cpcall(L, ask, &input);
	lua_settop(L, 0);
	return 0;
}
