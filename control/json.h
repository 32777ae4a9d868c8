/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing JSON: escapes, and, for a stream, commas. Errors stay in the stream; look at ferror() once,
 * at the end.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <dp/ip.h>

#include <stdio.h>

struct json {
	FILE *out;
	bool comma; /* a member stands before the next one */
};

/* @key is plain text, or NULL for the outermost value. */
void json_begin(struct json *json, const char *key); /* an object, closed by json_end() */
void json_end(struct json *json);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_u128(struct json *json, const char *key, dp_u128 value);
void json_double(
	struct json *json, const char *key, double value, int decimals); /* inf, nan: null */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
void json_text(struct json *json, const char *key, const char *value); /* @value: UTF-8 */

enum {
	JSON_ESCAPED = 6, /* bytes that one byte of text becomes at the most */
};

/* Bytes of the character of UTF-8 at @p, where @left bytes are (not 0); 0: it is none. */
unsigned json_utf8_length(const uint8_t *p, size_t left);

/* True where @bytes are whole characters of UTF-8 (RFC 3629: none overlong, no surrogates). */
bool json_is_utf8(const void *bytes, size_t n);

/*
 * Write @n bytes of text to @to as they stand between quotes, at most JSON_ESCAPED bytes for each;
 * returns their end. What is no UTF-8 becomes U+FFFD. Control characters (C0, DEL and C1, which some
 * terminals obey) are escaped.
 */
char *json_escape(char *to, const void *bytes, size_t n);

/*
 * Reading JSON that was written here: whole, without blanks, ending in a NUL. The value of the member @key
 * of the object at @at, or NULL; the end of the value at @at.
 */
const char *json_member(const char *at, const char *key, size_t length);
const char *json_value_end(const char *at);

/* The text of [@at, @end), which stands between quotes, to @to: never more bytes than it has there. */
size_t json_unescape(char *to, const char *at, const char *end);

#endif
