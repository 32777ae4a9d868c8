/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether bytes from a lane are one JSON object (RFC 8259, as strict as RFC 7493) on one line. A record is written with them
 * as they are, so that a lane that was taken over must not be able to forge one. Control core; owns
 * nothing.
 */
#include "host.h"
#include "sandbox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH = 40,
	NUMBER_LONGEST = 32, /* our own encoder writes up to 24 */
};

struct reader {
	const char *at, *end;
};

static bool value(struct reader *reader, unsigned depth);

static bool take(struct reader *reader, char c) {
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static bool word(struct reader *reader, const char *text) {
	size_t n = strlen(text);

	if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, text, n))
		return false;
	reader->at += n;
	return true;
}

static unsigned digits(struct reader *reader) {
	unsigned n = 0;

	for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; n++)
		reader->at++;
	return n;
}

static bool number_syntax(struct reader *reader) {
	take(reader, '-');
	if (!take(reader, '0') && !digits(reader))
		return false;
	if (take(reader, '.') && !digits(reader))
		return false;
	if (!take(reader, 'e') && !take(reader, 'E'))
		return true;
	if (!take(reader, '+'))
		take(reader, '-');
	return digits(reader) > 0;
}

/* One that is a double: many readers refuse 1e999, and would lose the record (RFC 7493 2.2). */
static bool number(struct reader *reader) {
	const char *start = reader->at;
	char text[NUMBER_LONGEST + 1];
	size_t n;

	if (!number_syntax(reader))
		return false;
	n = (size_t)(reader->at - start);
	if (n > NUMBER_LONGEST)
		return false;
	memcpy(text, start, n);
	text[n] = '\0';
	return isfinite(strtod(text, NULL));
}

/* The number that four hexadecimal digits are, or -1. */
static int code_unit(struct reader *reader) {
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	int unit = 0;

	for (unsigned i = 0; i < 4; i++, reader->at++) {
		const char *digit
			= reader->at < reader->end && *reader->at ? strchr(hex, *reader->at) : NULL;

		if (!digit)
			return -1;
		unit = unit << 4 | (int)((digit - hex) & 15);
	}
	return unit;
}

/* The halves of a surrogate pair. */
static bool is_high(int unit) {
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int unit) {
	return unit >= 0xdc00 && unit < 0xe000;
}

/* Half of a pair stands for nothing (RFC 7493 2.1). */
static bool escape(struct reader *reader) {
	int unit;

	if (reader->at == reader->end)
		return false;
	if (*reader->at != 'u')
		return strchr("\"\\/bfnrt", *reader->at) && *reader->at++;
	reader->at++;
	unit = code_unit(reader);
	if (is_high(unit))
		return word(reader, "\\u") && is_low(code_unit(reader));
	return unit >= 0 && !is_low(unit);
}

static bool string(struct reader *reader) {
	if (!take(reader, '"'))
		return false;
	while (reader->at < reader->end) {
		unsigned char c = (unsigned char)*reader->at++;

		if (c == '"')
			return true;
		if (c < 0x20 || (c == '\\' && !escape(reader)))
			return false;
	}
	return false;
}

static bool members(struct reader *reader, unsigned depth, char end, bool keys) {
	if (take(reader, end))
		return true;
	do {
		if (keys && (!string(reader) || !take(reader, ':')))
			return false;
		if (!value(reader, depth))
			return false;
	} while (take(reader, ','));
	return take(reader, end);
}

/* Written by our own encoder: no blanks between tokens. */
static bool value(struct reader *reader, unsigned depth) {
	if (depth == 0 || reader->at == reader->end)
		return false;
	switch (*reader->at) {
	case '{':
		reader->at++;
		return members(reader, depth - 1, '}', true);
	case '[':
		reader->at++;
		return members(reader, depth - 1, ']', false);
	case '"':
		return string(reader);
	case 't':
		return word(reader, "true");
	case 'f':
		return word(reader, "false");
	case 'n':
		return word(reader, "null");
	default:
		return number(reader);
	}
}

bool json_is_object(const char *text, size_t bytes) {
	struct reader reader = {text, text + bytes};

	return bytes && *text == '{' && value(&reader, DEPTH) && reader.at == reader.end
		&& utf8_valid(text, bytes) == bytes;
}
