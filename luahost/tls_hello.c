/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ClientHello of our own, and what a server makes of it, for Lua: for protocols and ciphers that
 * OpenSSL no longer speaks, and without a full handshake.
 *
 * Runs in a lane, within Lua's protection. All memory is Lua's, so that a raised error leaks nothing.
 * A plugin's tables are read raw: no metamethod of it runs in here.
 */
#include "tls.h"
#include "tls_hello.h"

#include <lauxlib.h>

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
	/* One record holds the hello (RFC 8446 section 5.1). */
	LONGEST_FRAGMENT = 16384,
	RECORD_HEADER = 5,
	/* SSL 2.0 has 15 bits of length; a list of suites of three bytes a piece must fit as well. */
	HELLO_ROOM = RECORD_HEADER + LONGEST_FRAGMENT,
	LONGEST_NAME = 255,
	CHALLENGE_BYTES = 16,
	EXT_SERVER_NAME = 0,
	EXT_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURES = 13,
	EXT_ALPN = 16,
	EXT_VERSIONS = 43,
	EXT_KEY_SHARE = 51,
	GROUP_X25519 = 29,
	GROUP_P256 = 23,
};

static const struct {
	const char *name;
	uint16_t number;
} versions[] = {
	{"SSLv2", SSL2_VERSION_NUMBER},
	{"SSLv3", SSL3_VERSION_NUMBER},
	{"TLSv1.0", TLS10_VERSION_NUMBER},
	{"TLSv1.1", 0x0302},
	{"TLSv1.2", TLS12_VERSION_NUMBER},
	{"TLSv1.3", TLS13_VERSION_NUMBER},
};

enum {
	NB_VERSIONS = sizeof(versions) / sizeof(versions[0]),
	VERSION_SSL2 = 0,
	VERSION_SSL3 = 1,
	VERSION_TLS10 = 2,
	VERSION_TLS12 = 4,
	VERSION_TLS13 = 5,
};

/* Preferred first; then all that the oldest servers may have. */
static const uint16_t groups[] = {GROUP_X25519, GROUP_P256, 30, 24, 25, 26, 27, 28, 22, 21, 20, 19,
	18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 256, 257, 258, 259, 260};

/* RFC 8446 section 4.2.3, then SHA-224 (RFC 5246), DSA and MD5. */
static const uint16_t signatures[] = {0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a,
	0x080b, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301, 0x0203, 0x0201,
	0x0402, 0x0502, 0x0602, 0x0302, 0x0202, 0x0101};

/*
 * A point of P-256, as a key share has to be one: the base point (SEC 2 section 2.4.2). The secret
 * that goes with it is no secret, and is never used: the handshake ends with the server's hello.
 */
static const uint8_t p256_point[] = {0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8,
	0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0,
	0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f,
	0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
	0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

/* What the hello is made of. */
struct wish {
	bool versions[NB_VERSIONS];
	unsigned max; /* the highest one of them */
	const char *server_name; /* NULL: none; belongs to the options table */
	size_t server_name_bytes;
	int alpn; /* stack index of the list, or 0 */
	unsigned nb_ciphers;
	/* Owned by the VM. */
	uint32_t *ciphers;
	uint8_t *listed; /* a bit for each suite of two bytes that is in it */
};

/* The bytes that grow. What does not fit sets @full and is left out. */
struct hello {
	uint8_t *bytes;
	size_t used;
	bool full;
};

/* ---- Options ---- */

static void get_option(lua_State *L, int options, const char *key) {
	lua_pushstring(L, key);
	lua_rawget(L, options);
}

/* Call @each with every item of the list (or the one scalar) on the top of the stack, then pop it. */
static void each_item(lua_State *L, struct wish *wish, const char *what,
	void (*each)(lua_State *L, struct wish *wish, int item)) {
	const int list = lua_gettop(L);

	if (lua_type(L, list) != LUA_TTABLE) {
		each(L, wish, list);
		lua_settop(L, list - 1);
		return;
	}
	const size_t n = lua_objlen(L, list);
	if (!n)
		luaL_error(L, "tls_probe: %s is an empty list", what);
	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, list, (int)i);
		each(L, wish, list + 1);
		lua_settop(L, list);
	}
	lua_settop(L, list - 1);
}

static void add_version(lua_State *L, struct wish *wish, int item) {
	const char *name = lua_type(L, item) == LUA_TSTRING ? lua_tostring(L, item) : NULL;

	if (!name)
		luaL_error(L, "tls_probe: a version is a string such as \"TLSv1.2\", not a %s",
			luaL_typename(L, item));
	for (unsigned i = 0; i < NB_VERSIONS; i++)
		if (!strcmp(name, versions[i].name)) {
			wish->versions[i] = true;
			return;
		}
	luaL_error(L,
		"tls_probe: no version \"%s\": there are SSLv2, SSLv3, TLSv1.0, TLSv1.1, "
		"TLSv1.2 and TLSv1.3",
		name);
}

static void read_versions(lua_State *L, int options, struct wish *wish) {
	get_option(L, options, "versions");
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		for (unsigned i = VERSION_TLS10; i < NB_VERSIONS; i++)
			wish->versions[i] = true;
	} else {
		each_item(L, wish, "versions", add_version);
	}
	for (unsigned i = 0; i < NB_VERSIONS; i++)
		if (wish->versions[i])
			wish->max = i;
	if (wish->versions[VERSION_SSL2] && wish->versions[VERSION_TLS13])
		luaL_error(
			L, "tls_probe: no one hello offers SSLv2 and TLSv1.3: ask for them in two");
}

/* ---- Ciphers ---- */

static void add_cipher(lua_State *L, struct wish *wish, uint32_t id) {
	/* Three-byte ids are few, and only wanted in SSL 2.0: repeated ones do no harm. */
	if (id <= UINT16_MAX) {
		if (wish->listed[id / 8] & 1 << id % 8)
			return;
		wish->listed[id / 8] |= (uint8_t)(1 << id % 8);
	}
	if (wish->nb_ciphers == LONGEST_FRAGMENT / 2)
		luaL_error(L, "tls_probe: too many ciphers for one hello");
	wish->ciphers[wish->nb_ciphers++] = id;
}

/* Of a class, only what may go with one of the versions. */
static bool is_offered(const struct wish *wish, const struct tls_suite *suite) {
	const uint16_t from = tls_suite_from(suite);

	if (from == SSL2_VERSION_NUMBER)
		return wish->versions[VERSION_SSL2];
	if (from == TLS13_VERSION_NUMBER)
		return wish->versions[VERSION_TLS13];
	for (unsigned i = VERSION_SSL3; i <= VERSION_TLS12; i++)
		if (wish->versions[i] && versions[i].number >= from)
			return true;
	return false;
}

/* Best first: a server that takes the client's order then picks what it would for others, too. */
static void add_class(lua_State *L, struct wish *wish, int class) {
	for (unsigned rank = 0; rank <= 3; rank++)
		for (unsigned i = 0; i < tls_nb_suites; i++)
			if (tls_class_has(class, &tls_suites[i]) && is_offered(wish, &tls_suites[i])
				&& tls_suite_rank(&tls_suites[i]) == rank)
				add_cipher(L, wish, tls_suites[i].id);
}

static void add_cipher_name(lua_State *L, struct wish *wish, const char *name) {
	const int class = tls_class_by_name(name);

	if (class >= 0) {
		add_class(L, wish, class);
		return;
	}
	const struct tls_suite *suite = tls_suite_by_name(name);
	if (!suite)
		luaL_error(L,
			"tls_probe: no cipher \"%s\": take an IANA name "
			"(TLS_RSA_WITH_RC4_128_SHA), an OpenSSL name (RC4-SHA), a number, or a "
			"class (ALL, RC4, 3DES, EXPORT, NULL, anon)",
			name);
	if (suite->id > UINT16_MAX && !wish->versions[VERSION_SSL2])
		luaL_error(L, "tls_probe: %s needs \"SSLv2\" among the versions", name);
	add_cipher(L, wish, suite->id);
}

static void add_cipher_item(lua_State *L, struct wish *wish, int item) {
	const uint32_t max = wish->versions[VERSION_SSL2] ? 0xffffff : UINT16_MAX;

	if (lua_type(L, item) == LUA_TSTRING) {
		add_cipher_name(L, wish, lua_tostring(L, item));
	} else if (lua_type(L, item) == LUA_TNUMBER) {
		const double number = lua_tonumber(L, item);

		if (!(number >= 0 && number <= max && number == (uint32_t)number))
			luaL_error(L, "tls_probe: a cipher's number is whole and from 0 to %d",
				(int)max);
		add_cipher(L, wish, (uint32_t)number);
	} else {
		luaL_error(L, "tls_probe: a cipher is a name or a number, not a %s",
			luaL_typename(L, item));
	}
}

static void read_ciphers(lua_State *L, int options, struct wish *wish) {
	wish->ciphers = lua_newuserdata(L, (LONGEST_FRAGMENT / 2) * sizeof(*wish->ciphers));
	wish->listed = lua_newuserdata(L, (UINT16_MAX + 1) / 8);
	memset(wish->listed, 0, (UINT16_MAX + 1) / 8);
	get_option(L, options, "ciphers");
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushliteral(L, "ALL");
	}
	each_item(L, wish, "ciphers", add_cipher_item);
	if (!wish->nb_ciphers)
		luaL_error(L, "tls_probe: none of the ciphers goes with the versions asked for");
}

/* ---- Names ---- */

static void read_server_name(lua_State *L, int options, struct wish *wish) {
	get_option(L, options, "server_name");
	if (lua_isnil(L, -1))
		return;
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "tls_probe: server_name is a string, not a %s", luaL_typename(L, -1));
	wish->server_name = lua_tolstring(L, -1, &wish->server_name_bytes);
	if (!wish->server_name_bytes || wish->server_name_bytes > LONGEST_NAME)
		luaL_error(L, "tls_probe: server_name has 1 to %d bytes", LONGEST_NAME);
}

static void check_protocol(lua_State *L, struct wish *wish, int item) {
	if (lua_type(L, item) != LUA_TSTRING || !lua_objlen(L, item)
		|| lua_objlen(L, item) > LONGEST_NAME)
		luaL_error(
			L, "tls_probe: alpn is a list of strings of 1 to %d bytes", LONGEST_NAME);
}

static void read_alpn(lua_State *L, int options, struct wish *wish) {
	get_option(L, options, "alpn");
	if (lua_isnil(L, -1))
		return;
	wish->alpn = lua_gettop(L);
	if (!lua_istable(L, -1))
		luaL_error(L, "tls_probe: alpn is a list, not a %s", luaL_typename(L, -1));
	lua_pushvalue(L, -1);
	each_item(L, wish, "alpn", check_protocol);
}

/* ---- Writing ---- */

static uint8_t *put(struct hello *hello, size_t n) {
	uint8_t *at = hello->bytes + hello->used;

	if (hello->full || n > HELLO_ROOM - hello->used) {
		hello->full = true;
		return NULL;
	}
	hello->used += n;
	return at;
}

static void put_bytes(struct hello *hello, const void *bytes, size_t n) {
	uint8_t *at = put(hello, n);

	if (at)
		memcpy(at, bytes, n);
}

static void put_number(struct hello *hello, uint32_t number, unsigned bytes) {
	uint8_t *at = put(hello, bytes);

	for (unsigned i = 0; at && i < bytes; i++)
		at[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
}

/* Room for the length of what follows, which close_length() fills in. */
static size_t open_length(struct hello *hello, unsigned bytes) {
	put_number(hello, 0, bytes);
	return hello->used;
}

static void close_length(struct hello *hello, size_t from, unsigned bytes) {
	for (unsigned i = 0; !hello->full && i < bytes; i++)
		hello->bytes[from - 1 - i] = (uint8_t)((hello->used - from) >> 8 * i);
}

static void put_random(lua_State *L, struct hello *hello, size_t n) {
	uint8_t *at = put(hello, n);

	if (at && getrandom(at, n, 0) != (ssize_t)n)
		luaL_error(L, "tls_probe: no random bytes");
}

/* ---- Extensions ---- */

static void put_server_name(lua_State *L, struct hello *hello, const struct wish *wish) {
	const size_t list = open_length(hello, 2);

	put_number(hello, 0, 1); /* host_name */
	put_number(hello, (uint32_t)wish->server_name_bytes, 2);
	put_bytes(hello, wish->server_name, wish->server_name_bytes);
	close_length(hello, list, 2);
}

static void put_list(struct hello *hello, const uint16_t *numbers, size_t n) {
	const size_t list = open_length(hello, 2);

	for (size_t i = 0; i < n; i++)
		put_number(hello, numbers[i], 2);
	close_length(hello, list, 2);
}

static void put_groups(lua_State *L, struct hello *hello, const struct wish *wish) {
	put_list(hello, groups, sizeof(groups) / sizeof(groups[0]));
}

static void put_point_formats(lua_State *L, struct hello *hello, const struct wish *wish) {
	static const uint8_t formats[] = {3, 0, 1, 2}; /* uncompressed, compressed prime, char2 */

	put_bytes(hello, formats, sizeof(formats));
}

static void put_signatures(lua_State *L, struct hello *hello, const struct wish *wish) {
	put_list(hello, signatures, sizeof(signatures) / sizeof(signatures[0]));
}

static void put_alpn(lua_State *L, struct hello *hello, const struct wish *wish) {
	const size_t list = open_length(hello, 2);

	for (size_t i = 1; i <= lua_objlen(L, wish->alpn); i++) {
		size_t n;

		lua_rawgeti(L, wish->alpn, (int)i);
		const char *name = lua_tolstring(L, -1, &n);
		put_number(hello, (uint32_t)n, 1);
		put_bytes(hello, name, n);
		lua_pop(L, 1);
	}
	close_length(hello, list, 2);
}

static void put_versions(lua_State *L, struct hello *hello, const struct wish *wish) {
	const size_t list = open_length(hello, 1);

	for (unsigned i = NB_VERSIONS; i-- > VERSION_SSL3;)
		if (wish->versions[i])
			put_number(hello, versions[i].number, 2);
	close_length(hello, list, 1);
}

/* Any 32 bytes are a key of X25519 (RFC 7748 section 5). */
static void put_key_share(lua_State *L, struct hello *hello, const struct wish *wish) {
	const size_t list = open_length(hello, 2);

	put_number(hello, GROUP_X25519, 2);
	put_number(hello, 32, 2);
	put_random(L, hello, 32);
	put_number(hello, GROUP_P256, 2);
	put_number(hello, sizeof(p256_point), 2);
	put_bytes(hello, p256_point, sizeof(p256_point));
	close_length(hello, list, 2);
}

static bool wants_server_name(const struct wish *wish) {
	return wish->server_name;
}

static bool wants_alpn(const struct wish *wish) {
	return wish->alpn;
}

static const struct {
	uint16_t id;
	uint8_t from; /* where the highest version is at least this one */
	bool (*wanted)(const struct wish *wish); /* NULL: always */
	void (*put)(lua_State *L, struct hello *hello, const struct wish *wish);
} extensions[] = {
	{EXT_SERVER_NAME, VERSION_TLS10, wants_server_name, put_server_name},
	{EXT_POINT_FORMATS, VERSION_TLS10, NULL, put_point_formats},
	{EXT_GROUPS, VERSION_TLS10, NULL, put_groups},
	{EXT_ALPN, VERSION_TLS10, wants_alpn, put_alpn},
	{EXT_SIGNATURES, VERSION_TLS12, NULL, put_signatures},
	{EXT_VERSIONS, VERSION_TLS13, NULL, put_versions},
	{EXT_KEY_SHARE, VERSION_TLS13, NULL, put_key_share},
};

/* SSL 3.0 has none, and some servers choke on them. */
static void put_extensions(lua_State *L, struct hello *hello, const struct wish *wish) {
	if (wish->max < VERSION_TLS10)
		return;
	const size_t list = open_length(hello, 2);
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		if (wish->max < extensions[i].from
			|| (extensions[i].wanted && !extensions[i].wanted(wish)))
			continue;
		put_number(hello, extensions[i].id, 2);
		const size_t body = open_length(hello, 2);
		extensions[i].put(L, hello, wish);
		close_length(hello, body, 2);
	}
	close_length(hello, list, 2);
}

/* ---- Hellos ---- */

/* The version that fields from before TLS 1.3 tell: it has a field of its own. */
static uint16_t told_version(const struct wish *wish) {
	return versions[wish->max < VERSION_TLS13 ? wish->max : VERSION_TLS12].number;
}

static void put_ciphers(struct hello *hello, const struct wish *wish) {
	const size_t list = open_length(hello, 2);

	for (unsigned i = 0; i < wish->nb_ciphers; i++)
		put_number(hello, wish->ciphers[i], 2);
	close_length(hello, list, 2);
}

/* RFC 8446 section 4.1.2 wants no compression; before it, DEFLATE (RFC 3749) is asked after. */
static void put_compression(struct hello *hello, const struct wish *wish) {
	static const uint8_t deflate[] = {2, 1, 0}, none[] = {1, 0};

	if (wish->versions[VERSION_TLS13])
		put_bytes(hello, none, sizeof(none));
	else
		put_bytes(hello, deflate, sizeof(deflate));
}

static void put_hello(lua_State *L, struct hello *hello, const struct wish *wish) {
	put_number(hello, 22, 1);
	put_number(
		hello, wish->max < VERSION_TLS10 ? SSL3_VERSION_NUMBER : TLS10_VERSION_NUMBER, 2);
	const size_t record = open_length(hello, 2);
	put_number(hello, 1, 1);
	const size_t message = open_length(hello, 3);
	put_number(hello, told_version(wish), 2);
	put_random(L, hello, 32);
	/* A session id makes TLS 1.3 look like older ones to what stands in between (appendix D.4). */
	const unsigned session = wish->versions[VERSION_TLS13] ? 32 : 0;
	put_number(hello, session, 1);
	put_random(L, hello, session);
	put_ciphers(hello, wish);
	put_compression(hello, wish);
	put_extensions(L, hello, wish);
	close_length(hello, message, 3);
	close_length(hello, record, 2);
}

/*
 * SSL 2.0's CLIENT-HELLO, which later versions take as well (RFC 5246 appendix E.2): lengths of
 * suites, session id and challenge, then these. Suites of two bytes have a zero in front.
 */
static void put_ssl2_hello(lua_State *L, struct hello *hello, const struct wish *wish) {
	const size_t record = open_length(hello, 2);

	put_number(hello, 1, 1);
	put_number(hello, told_version(wish), 2);
	put_number(hello, 3 * wish->nb_ciphers, 2);
	put_number(hello, 0, 2);
	put_number(hello, CHALLENGE_BYTES, 2);
	for (unsigned i = 0; i < wish->nb_ciphers; i++)
		put_number(hello, wish->ciphers[i], 3);
	put_random(L, hello, CHALLENGE_BYTES);
	close_length(hello, record, 2);
	if (!hello->full)
		hello->bytes[0] |= 0x80; /* a header of two bytes */
}

/* A signal rather than an extension, as it goes with any version but TLS 1.3 (RFC 5746). */
static void add_signals(lua_State *L, struct wish *wish) {
	for (unsigned i = VERSION_SSL3; i <= VERSION_TLS12; i++)
		if (wish->versions[i]) {
			add_cipher(L, wish, TLS_RENEGOTIATION_SCSV);
			return;
		}
}

int tls_hello_build(lua_State *L) {
	struct wish wish = {};
	struct hello hello = {};

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	luaL_checkstack(L, 16, "no room for a TLS hello");
	read_versions(L, 1, &wish);
	read_ciphers(L, 1, &wish);
	read_server_name(L, 1, &wish);
	read_alpn(L, 1, &wish);
	add_signals(L, &wish);
	hello.bytes = lua_newuserdata(L, HELLO_ROOM);
	if (wish.versions[VERSION_SSL2])
		put_ssl2_hello(L, &hello, &wish);
	else
		put_hello(L, &hello, &wish);
	if (hello.full)
		return luaL_error(L,
			"tls_probe: the hello does not fit into one record of %d bytes",
			LONGEST_FRAGMENT);
	lua_pushlstring(L, (const char *)hello.bytes, hello.used);
	return 1;
}

/* ---- The answer ---- */

static void set_string(lua_State *L, const char *key, const char *text) {
	lua_pushstring(L, text);
	lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double number) {
	lua_pushnumber(L, number);
	lua_setfield(L, -2, key);
}

/* @name, or, where it is NULL, the number as @format has it. */
static void set_name(
	lua_State *L, const char *key, const char *name, const char *format, unsigned number) {
	char text[32];

	snprintf(text, sizeof(text), format, number);
	set_string(L, key, name ? name : text);
}

static const char *version_name(uint16_t number) {
	for (unsigned i = 0; i < NB_VERSIONS; i++)
		if (versions[i].number == number)
			return versions[i].name;
	return NULL;
}

static const char *compression_name(uint8_t method) {
	static const char *const names[] = {"null", "deflate"};

	return method < 2 ? names[method] : NULL;
}

static void set_alert(lua_State *L, const struct tls_answer *answer) {
	static const char *const levels[] = {NULL, "warning", "fatal"};
	const uint8_t level = answer->alert_level;

	lua_newtable(L);
	set_name(L, "level", level < 3 ? levels[level] : NULL, "%u", level);
	set_name(L, "description", tls_alert_name(answer->alert_description), "%u",
		answer->alert_description);
	lua_setfield(L, -2, "alert");
}

static void set_extensions(lua_State *L, const struct tls_answer *answer) {
	const uint8_t *list = answer->extensions;
	size_t left = answer->extensions_bytes;
	struct tls_extension extension;

	lua_newtable(L);
	for (int i = 1; tls_extension_next(&list, &left, &extension); i++) {
		lua_pushnumber(L, extension.id);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "extensions");
}

static void set_hello(lua_State *L, const struct tls_answer *answer) {
	const struct tls_suite *suite = tls_suite_by_id(answer->cipher);

	set_name(L, "version", version_name(answer->version), "0x%04x", answer->version);
	/* A server of SSL 2.0 that has none of the suites says so with an empty list. */
	if (answer->cipher || answer->version != SSL2_VERSION_NUMBER) {
		set_name(L, "cipher", suite ? suite->name : NULL, "0x%04x", answer->cipher);
		set_number(L, "cipher_id", answer->cipher);
	}
	set_name(
		L, "compression", compression_name(answer->compression), "%u", answer->compression);
	if (answer->group)
		set_name(L, "group", tls_group_name(answer->group), "0x%04x", answer->group);
	if (answer->alpn) {
		lua_pushlstring(L, (const char *)answer->alpn, answer->alpn_bytes);
		lua_setfield(L, -2, "alpn");
	}
	set_extensions(L, answer);
	lua_pushboolean(L, answer->hello_retry);
	lua_setfield(L, -2, "hello_retry");
}

static void push_answer(lua_State *L, const struct tls_answer *answer) {
	lua_newtable(L);
	if (answer->has_alert)
		set_alert(L, answer);
	if (answer->has_hello)
		set_hello(L, answer);
}

/* Was SSL 2.0 asked for? */
static bool wants_ssl2(lua_State *L, int options) {
	struct wish wish = {};

	if (lua_isnoneornil(L, options))
		return false;
	luaL_checktype(L, options, LUA_TTABLE);
	read_versions(L, options, &wish);
	return wish.versions[VERSION_SSL2];
}

int tls_hello_parse(lua_State *L) {
	size_t n;
	const char *bytes = luaL_checklstring(L, 1, &n);
	struct tls_answer answer;

	lua_settop(L, 2);
	luaL_checkstack(L, 16, "no room for a TLS answer");
	const bool ssl2 = wants_ssl2(L, 2);
	uint8_t *scratch = lua_newuserdata(L, n);
	switch (tls_answer_parse((const uint8_t *)bytes, n, ssl2, scratch, &answer)) {
	case TLS_ANSWER_MORE:
		lua_pushnil(L);
		return 1;
	case TLS_ANSWER_DONE:
		push_answer(L, &answer);
		return 1;
	default:
		lua_pushboolean(L, false);
		lua_pushstring(L, answer.why);
		return 2;
	}
}
