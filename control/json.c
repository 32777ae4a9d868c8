/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON emission: to a stream for what is written once in a while (the summary), and the escapes for
 * all. Runs on whichever thread owns the stream or the bytes; owns no memory. Result lines, of which
 * there are millions, have a formatter of their own in output_ndjson.c.
 */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/*
 * The second byte
 * tells overlong forms, surrogates and what lies above U+10FFFF (RFC 3629, section 4).
 */
unsigned json_utf8_length(const uint8_t *p, size_t left) {
	const uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	const uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	unsigned length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < length || p[1] < low || p[1] > high)
		return 0;
	for (unsigned i = 2; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

bool json_is_utf8(const void *bytes, size_t n) {
	const uint8_t *p = bytes, *end = p + n;

	while (p < end) {
		unsigned length = json_utf8_length(p, (size_t)(end - p));
		if (!length)
			return false;
		p += length;
	}
	return true;
}

static char *escape_code(char *to, unsigned code) {
	static const char hex[] = "0123456789abcdef";

	memcpy(to, "\\u00", 4);
	to[4] = hex[code >> 4 & 15];
	to[5] = hex[code & 15];
	return to + 6;
}

/* The letter that stands for a character behind a backslash, or 0. */
static char short_escape(uint8_t c) {
	static const char letters[128] = {
		['"'] = '"',
		['\\'] = '\\',
		['\b'] = 'b',
		['\f'] = 'f',
		['\n'] = 'n',
		['\r'] = 'r',
		['\t'] = 't',
	};

	return c < sizeof letters ? letters[c] : 0;
}

/* One character of @length bytes; 0: a byte that is none. */
static char *escape_character(char *to, const uint8_t *p, unsigned length) {
	if (length == 0)
		return (char *)memcpy(to, "\\ufffd", 6) + 6;
	if (length == 1 && short_escape(*p)) {
		*to++ = '\\';
		*to++ = short_escape(*p);
		return to;
	}
	if (length == 1 && (*p < 0x20 || *p == 0x7f))
		return escape_code(to, *p);
	if (length == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return escape_code(to, p[1]);
	return (char *)memcpy(to, p, length) + length;
}

char *json_escape(char *to, const void *bytes, size_t n) {
	const uint8_t *p = bytes, *end = p + n;

	while (p < end) {
		unsigned length = json_utf8_length(p, (size_t)(end - p));
		to = escape_character(to, p, length);
		p += length ? length : 1;
	}
	return to;
}

static void put_string(FILE *out, const char *text) {
	const uint8_t *p = (const uint8_t *)text;
	char character[JSON_ESCAPED];

	putc('"', out);
	for (size_t left = strlen(text); left;) {
		unsigned length = json_utf8_length(p, left);
		char *end = escape_character(character, p, length);
		fwrite(character, 1, (size_t)(end - character), out);
		length = length ? length : 1;
		p += length;
		left -= length;
	}
	putc('"', out);
}

static void put_key(struct json *json, const char *key) {
	if (json->comma)
		putc(',', json->out);
	json->comma = true;
	if (!key)
		return;
	put_string(json->out, key);
	putc(':', json->out);
}

void json_begin(struct json *json, const char *key) {
	put_key(json, key);
	putc('{', json->out);
	json->comma = false;
}

void json_end(struct json *json) {
	putc('}', json->out);
	json->comma = true;
}

void json_u64(struct json *json, const char *key, uint64_t value) {
	put_key(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_u128(struct json *json, const char *key, dp_u128 value) {
	char digits[DP_U128_TEXT_BYTES];

	dp_u128_write(value, digits);
	put_key(json, key);
	fputs(digits, json->out);
}

void json_double(struct json *json, const char *key, double value, int decimals) {
	if (!isfinite(value)) {
		json_null(json, key);
		return;
	}
	put_key(json, key);
	fprintf(json->out, "%.*f", decimals, value);
}

void json_bool(struct json *json, const char *key, bool value) {
	put_key(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key) {
	put_key(json, key);
	fputs("null", json->out);
}

void json_text(struct json *json, const char *key, const char *value) {
	put_key(json, key);
	put_string(json->out, value);
}

/* ---- Reading what was written here ---- */

/* The end of the string whose opening quote is at @at: behind its closing one. */
static const char *skip_string(const char *at) {
	for (at++; *at && *at != '"'; at++)
		at += *at == '\\' && at[1];
	return *at ? at + 1 : at;
}

const char *json_value_end(const char *at) {
	unsigned depth = 0;

	while (*at && (depth || !strchr(",}]", *at))) {
		if (*at == '"') {
			at = skip_string(at);
			continue;
		}
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		at++;
		if (!depth && (at[-1] == '}' || at[-1] == ']'))
			break;
	}
	return at;
}

const char *json_member(const char *at, const char *key, size_t length) {
	if (*at != '{')
		return NULL;
	for (at++; *at == '"';) {
		const char *end = skip_string(at);
		const bool found = (size_t)(end - at) == length + 2 && !memcmp(at + 1, key, length);

		if (*end != ':')
			return NULL;
		if (found)
			return end + 1;
		at = json_value_end(end + 1);
		at += *at == ',';
	}
	return NULL;
}

static unsigned hex_of(const char *at) {
	unsigned code = 0;

	sscanf(at, "%4x", &code);
	return code;
}

static char *put_utf8(char *to, unsigned code) {
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 63));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 63));
		*to++ = (char)(0x80 | (code & 63));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 63));
		*to++ = (char)(0x80 | (code >> 6 & 63));
		*to++ = (char)(0x80 | (code & 63));
	}
	return to;
}

/* What stands behind the backslash at @at; *@at moves behind it. Never longer than it was. */
static char *unescape(char *to, const char **at, const char *end) {
	static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
	const char *p = *at + 1, *known = strchr(from, *p);
	unsigned code;

	if (p >= end || (*p == 'u' && end - p < 5)) {
		*at = end;
		return to;
	}
	*at = p + (*p == 'u' ? 5 : 1);
	if (*p != 'u') {
		*to++ = known ? is[known - from] : *p;
		return to;
	}
	code = hex_of(p + 1);
	if (code >> 10 == 0x36 && end - *at >= 6 && !memcmp(*at, "\\u", 2)) {
		code = 0x10000 + ((code & 0x3ff) << 10 | (hex_of(*at + 2) & 0x3ff));
		*at += 6;
	}
	return put_utf8(to, code);
}

size_t json_unescape(char *to, const char *at, const char *end) {
	char *from = to;

	while (at < end)
		if (*at == '\\')
			to = unescape(to, &at, end);
		else
			*to++ = *at++;
	return (size_t)(to - from);
}
