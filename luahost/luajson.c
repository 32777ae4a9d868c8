/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lua values to JSON text and back (RFC 8259). Keys are written in order, so that equal tables give
 * equal text: LuaJIT's own order differs from run to run.
 *
 * Runs in a lane. Encoding grows the caller's malloc buffer (the host's memory, bounded by @max);
 * decoding uses the VM's memory only.
 */
#include "luajson.h"
#include "luautf8.h"
#include "sandbox.h"

#include <lauxlib.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ENCODE_DEPTH = 32,
	DECODE_DEPTH = 64,
	FEW_KEYS = 16, /* of an object, sorted without an allocation */
	ROOM_MIN = 256,
	TEXT_MOST = 16 << 20, /* bytes of json_encode: they lie outside the VM's cap for a moment */
	NUMBER_BYTES = 32, /* of one that was formatted */
	NUMBER_LONGEST = 1024, /* of one that is read: doubles of up to 767 digits mean something */
};

/* Up to here each whole number is a double of its own. */
static const double SAFE_INTEGER = 9007199254740992.0;

static const char null_tag;

static const char out_of_memory[] = "out of memory";

struct encoder {
	lua_State *L;
	struct luajson_buffer *out;
	bool for_result; /* for add_result(): null is no value there */
};

static const char *encode_value(struct encoder *enc, int index, unsigned depth);

bool luajson_is_null(lua_State *L, int index) {
	return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &null_tag;
}

/* ---- Encoding ---- */

static const char *over_limit(size_t max) {
	static char text[48];

	snprintf(text, sizeof(text), "over %zu bytes", max);
	return text;
}

/* Room for @bytes more, or what is wrong. */
static const char *reserve(struct luajson_buffer *out, size_t bytes) {
	if (bytes <= out->room - out->used && out->used + bytes <= out->max)
		return NULL;
	if (out->used > out->max || bytes > out->max - out->used)
		return over_limit(out->max);
	size_t room = out->room < ROOM_MIN ? ROOM_MIN : out->room;
	while (room - out->used < bytes)
		room *= 2;
	char *text = realloc(out->text, room);
	if (!text)
		return out_of_memory;
	out->text = text;
	out->room = room;
	return NULL;
}

static const char *put(struct encoder *enc, const char *bytes, size_t n) {
	const char *why = reserve(enc->out, n);

	if (why)
		return why;
	memcpy(enc->out->text + enc->out->used, bytes, n);
	enc->out->used += n;
	return NULL;
}

/* The two-character escape of @c as its second character, or 0. */
static char short_escape(unsigned char c) {
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	}
	return 0;
}

static const char *put_escape(struct encoder *enc, unsigned char c) {
	const char escape = short_escape(c);
	char text[8];

	if (escape)
		return put(enc, (const char[]){'\\', escape}, 2);
	return put(enc, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
}

static const char *encode_string(struct encoder *enc, const char *s, size_t bytes) {
	size_t plain = 0;
	const char *why;

	if (utf8_valid(s, bytes) != bytes)
		return "invalid UTF-8";
	if ((why = put(enc, "\"", 1)))
		return why;
	for (size_t i = 0; i < bytes; i++) {
		const unsigned char c = (unsigned char)s[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		if ((why = put(enc, s + plain, i - plain)) || (why = put_escape(enc, c)))
			return why;
		plain = i + 1;
	}
	if ((why = put(enc, s + plain, bytes - plain)))
		return why;
	return put(enc, "\"", 1);
}

/* The shortest of 15 to 17 digits that reads back as the same number. */
static size_t format_number(char text[NUMBER_BYTES], double value) {
	int n = 0;

	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(text, NUMBER_BYTES, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return (size_t)n;
}

static size_t format_whole(char text[NUMBER_BYTES], int64_t value) {
	char *p = text + NUMBER_BYTES;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*--p = '-';
	const size_t n = (size_t)(text + NUMBER_BYTES - p);
	memmove(text, p, n);
	return n;
}

static const char *encode_number(struct encoder *enc, double value) {
	char text[NUMBER_BYTES];

	if (!isfinite(value))
		return "not a finite number";
	if (fabs(value) <= SAFE_INTEGER && value == (double)(int64_t)value)
		return put(enc, text, format_whole(text, (int64_t)value));
	return put(enc, text, format_number(text, value));
}

/* What the keys of a table are. */
struct shape {
	size_t strings, numbers;
	double largest; /* of the numbers */
	bool other; /* a key that is no positive whole number and no string */
};

static struct shape table_shape(lua_State *L, int index) {
	struct shape shape = {0};

	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		const int type = lua_type(L, -2);
		const double key = type == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
		if (type == LUA_TSTRING)
			shape.strings++;
		else if (key >= 1 && key <= SAFE_INTEGER && key == (double)(int64_t)key)
			shape.numbers++;
		else
			shape.other = true;
		if (key > shape.largest)
			shape.largest = key;
	}
	return shape;
}

static const char *encode_array(struct encoder *enc, int index, size_t n, unsigned depth) {
	const char *why = put(enc, "[", 1);

	for (size_t i = 1; i <= n && !why; i++) {
		if (i > 1 && (why = put(enc, ",", 1)))
			break;
		lua_rawgeti(enc->L, index, (int)i);
		why = encode_value(enc, lua_gettop(enc->L), depth);
		lua_pop(enc->L, 1);
	}
	return why ? why : put(enc, "]", 1);
}

struct key {
	const char *text; /* in the table */
	size_t bytes;
};

static int compare_keys(const void *a, const void *b) {
	const struct key *x = a, *y = b;
	const int order = memcmp(x->text, y->text, x->bytes < y->bytes ? x->bytes : y->bytes);

	return order ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static void sort_keys(struct key *keys, size_t n) {
	if (n > FEW_KEYS) {
		qsort(keys, n, sizeof(*keys), compare_keys);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		const struct key key = keys[i];
		size_t at = i;
		for (; at > 0 && compare_keys(&keys[at - 1], &key) > 0; at--)
			keys[at] = keys[at - 1];
		keys[at] = key;
	}
}

static const char *encode_members(
	struct encoder *enc, int index, struct key *keys, size_t n, unsigned depth) {
	lua_State *L = enc->L;
	const char *why = NULL;
	size_t i = 0;

	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), i++)
		keys[i].text = lua_tolstring(L, -2, &keys[i].bytes);
	sort_keys(keys, n);
	for (i = 0; i < n; i++) {
		if ((i && (why = put(enc, ",", 1)))
			|| (why = encode_string(enc, keys[i].text, keys[i].bytes))
			|| (why = put(enc, ":", 1)))
			return why;
		lua_pushlstring(L, keys[i].text, keys[i].bytes);
		lua_rawget(L, index);
		why = encode_value(enc, lua_gettop(L), depth);
		lua_pop(L, 1);
		if (why)
			return why;
	}
	return NULL;
}

static const char *encode_object(struct encoder *enc, int index, size_t n, unsigned depth) {
	const int top = lua_gettop(enc->L);
	struct key few[FEW_KEYS], *keys = few;
	const char *why = put(enc, "{", 1);

	if (why)
		return why;
	/* In the VM's memory, as what follows may raise. */
	if (n > FEW_KEYS)
		keys = lua_newuserdata(enc->L, n * sizeof(*keys));
	why = encode_members(enc, index, keys, n, depth);
	lua_settop(enc->L, top);
	return why ? why : put(enc, "}", 1);
}

static const char *encode_table(struct encoder *enc, int index, unsigned depth) {
	if (depth >= ENCODE_DEPTH)
		return "too deep, or a cycle";
	const struct shape shape = table_shape(enc->L, index);

	if (shape.other || (shape.strings && shape.numbers))
		return "keys must be all strings or 1 to n";
	if (!shape.numbers)
		return encode_object(enc, index, shape.strings, depth + 1);
	if (shape.largest != (double)shape.numbers)
		return "a sequence must not have holes: keys must be all strings or 1 to n";
	return encode_array(enc, index, shape.numbers, depth + 1);
}

/* For each type that has no JSON form: as a result, and at json_encode. */
static const char *const refusals[][2] = {
	[LUA_TNIL]
	= {"json_encode: nil has no JSON form (prtip.null has)", "nil cannot be a result"},
	[LUA_TLIGHTUSERDATA]
	= {"json_encode: a userdata has no JSON form", "prtip.null cannot be a result"},
	[LUA_TFUNCTION]
	= {"json_encode: a function has no JSON form", "a function cannot be a result"},
	[LUA_TUSERDATA]
	= {"json_encode: a userdata has no JSON form", "a userdata cannot be a result"},
	[LUA_TTHREAD]
	= {"json_encode: a coroutine has no JSON form", "a coroutine cannot be a result"},
};

static const char *encode_other(struct encoder *enc, int index, int type) {
	if (!enc->for_result && luajson_is_null(enc->L, index))
		return put(enc, "null", 4);
	if (type >= 0 && (size_t)type < sizeof(refusals) / sizeof(refusals[0]) && refusals[type][0])
		return refusals[type][enc->for_result];
	return "a value of this type has no JSON form";
}

static const char *encode_value(struct encoder *enc, int index, unsigned depth) {
	const int type = lua_type(enc->L, index);
	size_t bytes;
	const char *s;

	switch (type) {
	case LUA_TSTRING:
		s = lua_tolstring(enc->L, index, &bytes);
		return encode_string(enc, s, bytes);
	case LUA_TNUMBER:
		return encode_number(enc, lua_tonumber(enc->L, index));
	case LUA_TBOOLEAN:
		return lua_toboolean(enc->L, index) ? put(enc, "true", 4) : put(enc, "false", 5);
	case LUA_TTABLE:
		return encode_table(enc, index, depth);
	default:
		return encode_other(enc, index, type);
	}
}

static const char *encode(lua_State *L, int index, struct luajson_buffer *out, bool for_result) {
	struct encoder enc = {.L = L, .out = out, .for_result = for_result};
	const size_t before = out->used;
	const int top = lua_gettop(L);

	if (index < 0 && index > LUA_REGISTRYINDEX)
		index = top + 1 + index;
	/* A value and sorted keys a level, and a key and a value of lua_next(). */
	if (!lua_checkstack(L, 2 * ENCODE_DEPTH + 4))
		return out_of_memory;
	const char *why = encode_value(&enc, index, 0);
	if (why)
		out->used = before;
	lua_settop(L, top);
	return why;
}

const char *luajson_encode(lua_State *L, int index, struct luajson_buffer *out) {
	return encode(L, index, out, true);
}

/* ---- Decoding ---- */

struct decoder {
	lua_State *L;
	const char *start, *p, *end;
	const char *why; /* what was wrong at @p */
};

static bool decode_value(struct decoder *dec, unsigned depth);

static bool fail(struct decoder *dec, const char *at, const char *why) {
	dec->p = at;
	dec->why = why;
	return false;
}

static void skip_blanks(struct decoder *dec) {
	while (dec->p < dec->end
		&& (*dec->p == ' ' || *dec->p == '\t' || *dec->p == '\n' || *dec->p == '\r'))
		dec->p++;
}

/* Past @c, where it is next. */
static bool take(struct decoder *dec, char c) {
	if (dec->p == dec->end || *dec->p != c)
		return false;
	dec->p++;
	return true;
}

static bool is_digit(const struct decoder *dec) {
	return dec->p < dec->end && *dec->p >= '0' && *dec->p <= '9';
}

static bool take_digits(struct decoder *dec) {
	if (!is_digit(dec))
		return fail(dec, dec->p, "a digit is missing");
	while (is_digit(dec))
		dec->p++;
	return true;
}

static bool scan_number(struct decoder *dec) {
	take(dec, '-');
	if (!take(dec, '0') && !take_digits(dec))
		return false;
	if (is_digit(dec))
		return fail(dec, dec->p, "a number must not begin with 0");
	if (take(dec, '.') && !take_digits(dec))
		return false;
	if (take(dec, 'e') || take(dec, 'E')) {
		if (!take(dec, '+'))
			take(dec, '-');
		return take_digits(dec);
	}
	return true;
}

static bool decode_number(struct decoder *dec) {
	const char *start = dec->p;
	char text[NUMBER_LONGEST + 1];

	if (!scan_number(dec))
		return false;
	const size_t n = (size_t)(dec->p - start);
	if (n > NUMBER_LONGEST)
		return fail(dec, start, "a number of more than 1024 characters");
	memcpy(text, start, n);
	text[n] = '\0';
	const double value = strtod(text, NULL);
	if (!isfinite(value))
		return fail(dec, start, "a number larger than 1.8e308");
	lua_pushnumber(dec->L, value);
	return true;
}

static bool take_hex4(struct decoder *dec, uint32_t *code) {
	*code = 0;
	for (int i = 0; i < 4; i++, dec->p++) {
		const char c = dec->p < dec->end ? *dec->p : '\0';
		const int digit = c >= '0' && c <= '9' ? c - '0'
			: c >= 'a' && c <= 'f'	       ? c - 'a' + 10
			: c >= 'A' && c <= 'F'	       ? c - 'A' + 10
						       : -1;
		if (digit < 0)
			return fail(dec, dec->p, "\\u needs four hexadecimal digits");
		*code = *code << 4 | (uint32_t)digit;
	}
	return true;
}

/* What follows \u, with the second half of a pair. */
static bool take_unicode(struct decoder *dec, uint32_t *code) {
	const char *start = dec->p;
	uint32_t low;

	if (!take_hex4(dec, code))
		return false;
	if (*code < 0xd800 || *code >= 0xe000)
		return true;
	if (*code >= 0xdc00 || !take(dec, '\\') || !take(dec, 'u'))
		return fail(dec, start, "half of a surrogate pair");
	if (!take_hex4(dec, &low))
		return false;
	if (low < 0xdc00 || low >= 0xe000)
		return fail(dec, start, "half of a surrogate pair");
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* What follows a backslash, to *@out. */
static bool take_escape(struct decoder *dec, char **out) {
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char c = dec->p < dec->end ? *dec->p : '\0';
	const char *which = c ? strchr(from, c) : NULL;
	uint32_t code;

	if (which) {
		*(*out)++ = to[which - from];
		dec->p++;
		return true;
	}
	if (c != 'u')
		return fail(dec, dec->p, "an unknown escape");
	dec->p++;
	if (!take_unicode(dec, &code))
		return false;
	*out += utf8_encode(code, *out);
	return true;
}

/* Find the end of the string that begins at @dec->p; true where it has escapes in *@escapes. */
static bool scan_string(struct decoder *dec, const char **close, bool *escapes) {
	const char *p = dec->p;

	*escapes = false;
	for (; p < dec->end && *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return fail(dec, p, "a control character in a string");
		if (*p != '\\')
			continue;
		*escapes = true;
		if (++p == dec->end)
			break;
	}
	if (p >= dec->end)
		return fail(dec, dec->end, "a string without end");
	const size_t n = (size_t)(p - dec->p);
	const size_t valid = utf8_valid(dec->p, n);
	if (valid != n)
		return fail(dec, dec->p + valid, "invalid UTF-8");
	*close = p;
	return true;
}

/* Escapes only ever become shorter. */
static bool push_unescaped(struct decoder *dec, const char *close) {
	char *text = lua_newuserdata(dec->L, (size_t)(close - dec->p)), *out = text;

	while (dec->p < close) {
		if (!take(dec, '\\'))
			*out++ = *dec->p++;
		else if (!take_escape(dec, &out))
			return false;
	}
	lua_pushlstring(dec->L, text, (size_t)(out - text));
	lua_remove(dec->L, -2);
	return true;
}

static bool decode_string(struct decoder *dec) {
	const char *close;
	bool escapes;

	dec->p++;
	if (!scan_string(dec, &close, &escapes))
		return false;
	if (!escapes)
		lua_pushlstring(dec->L, dec->p, (size_t)(close - dec->p));
	else if (!push_unescaped(dec, close))
		return false;
	dec->p = close + 1;
	return true;
}

static bool decode_array(struct decoder *dec, unsigned depth) {
	int n = 0;

	dec->p++;
	lua_newtable(dec->L);
	skip_blanks(dec);
	if (take(dec, ']'))
		return true;
	do {
		if (!decode_value(dec, depth))
			return false;
		lua_rawseti(dec->L, -2, ++n);
		skip_blanks(dec);
	} while (take(dec, ','));
	return take(dec, ']') || fail(dec, dec->p, "a comma or ] is missing");
}

static bool decode_member(struct decoder *dec, unsigned depth) {
	skip_blanks(dec);
	if (dec->p == dec->end || *dec->p != '"')
		return fail(dec, dec->p, "a member's name, in quotes, is missing");
	if (!decode_string(dec))
		return false;
	skip_blanks(dec);
	if (!take(dec, ':'))
		return fail(dec, dec->p, "a colon is missing");
	if (!decode_value(dec, depth))
		return false;
	lua_rawset(dec->L, -3);
	return true;
}

static bool decode_object(struct decoder *dec, unsigned depth) {
	dec->p++;
	lua_newtable(dec->L);
	skip_blanks(dec);
	if (take(dec, '}'))
		return true;
	do {
		if (!decode_member(dec, depth))
			return false;
		skip_blanks(dec);
	} while (take(dec, ','));
	return take(dec, '}') || fail(dec, dec->p, "a comma or } is missing");
}

static bool take_word(struct decoder *dec, const char *word) {
	const size_t n = strlen(word);

	if ((size_t)(dec->end - dec->p) < n || memcmp(dec->p, word, n))
		return false;
	dec->p += n;
	return true;
}

static bool decode_word(struct decoder *dec, unsigned depth) {
	if (take_word(dec, "true"))
		lua_pushboolean(dec->L, true);
	else if (take_word(dec, "false"))
		lua_pushboolean(dec->L, false);
	else if (!take_word(dec, "null"))
		return fail(dec, dec->p, "a value is missing");
	else if (depth)
		lua_pushlightuserdata(dec->L, (void *)&null_tag);
	else
		lua_pushnil(dec->L);
	return true;
}

/* Push the value at @dec->p, which @depth tables surround. */
static bool decode_value(struct decoder *dec, unsigned depth) {
	skip_blanks(dec);
	const char c = dec->p < dec->end ? *dec->p : '\0';
	if ((c == '{' || c == '[') && depth >= DECODE_DEPTH)
		return fail(dec, dec->p, "nested more than 64 deep");
	if (c == '{')
		return decode_object(dec, depth + 1);
	if (c == '[')
		return decode_array(dec, depth + 1);
	if (c == '"')
		return decode_string(dec);
	if (c == '-' || (c >= '0' && c <= '9'))
		return decode_number(dec);
	return decode_word(dec, depth);
}

static const char *describe(const struct decoder *dec) {
	static char text[96];

	snprintf(text, sizeof(text), "byte %zu: %s", (size_t)(dec->p - dec->start) + 1, dec->why);
	return text;
}

const char *luajson_decode(lua_State *L, const char *text, size_t bytes) {
	struct decoder dec = {.L = L, .start = text, .p = text, .end = text + bytes};
	const int top = lua_gettop(L);

	/* A table and a key a level, and what a string needs. */
	luaL_checkstack(L, 2 * DECODE_DEPTH + 8, "JSON");
	bool ok = decode_value(&dec, 0);
	if (ok) {
		skip_blanks(&dec);
		ok = dec.p == dec.end || fail(&dec, dec.p, "text after the value");
	}
	if (ok)
		return NULL;
	lua_settop(L, top);
	return describe(&dec);
}

/* ---- For plugins ---- */

static int free_buffer(lua_State *L) {
	struct luajson_buffer *out = lua_touserdata(L, 1);

	free(out->text);
	out->text = NULL;
	return 0;
}

/*
 * The buffer lies in a userdata whose __gc (the metatable is upvalue 1) frees it where
 * luajson_encode() or lua_pushlstring() raises.
 */
static int l_json_encode(lua_State *L) {
	luaL_checkany(L, 1);
	lua_settop(L, 1);
	struct luajson_buffer *out = lua_newuserdata(L, sizeof(*out));
	*out = (struct luajson_buffer){.max = TEXT_MOST};
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setmetatable(L, 2);
	const char *why = encode(L, 1, out, false);
	if (!why)
		lua_pushlstring(L, out->text, out->used);
	free(out->text);
	out->text = NULL;
	return why ? luaL_error(L, "%s", why) : 1;
}

static int l_json_decode(lua_State *L) {
	size_t bytes;
	const char *text = luaL_checklstring(L, 1, &bytes);
	const char *why = luajson_decode(L, text, bytes);

	if (!why)
		return 1;
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

void luajson_open(lua_State *L) {
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, free_buffer);
	lua_setfield(L, -2, "__gc");
	lua_pushcclosure(L, l_json_encode, 1);
	lua_setfield(L, -2, "json_encode");
	lua_pushcfunction(L, l_json_decode);
	lua_setfield(L, -2, "json_decode");
	lua_pushlightuserdata(L, (void *)&null_tag);
	lua_setfield(L, -2, "null");
}
