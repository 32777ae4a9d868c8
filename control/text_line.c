/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of text files. Functions of their arguments, for the main thread; they own nothing. */
#include "text_line.h"
#include "value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int text_fail(struct text_line *line, const char *part, size_t length, const char *format, ...) {
	struct value_error why;
	char text[VALUE_WHY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	value_fail(&why, part, length, "%s", text);
	return dp_fail(line->err, true, -EINVAL, "%s:%u: %s%s%s", line->name, line->number,
		why.part, *why.part ? ": " : "", why.why);
}

int text_no_memory(struct text_line *line) {
	return dp_fail(line->err, false, -ENOMEM, "%s:%u: out of memory", line->name, line->number);
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\r';
}

void text_skip_blanks(struct text_line *line) {
	while (line->at < line->end && is_blank(*line->at))
		line->at++;
}

size_t text_word(struct text_line *line, const char **word) {
	*word = line->at;
	while (line->at < line->end && !is_blank(*line->at))
		line->at++;
	return (size_t)(line->at - *word);
}

int text_hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands behind a backslash. */
static int take_escape(struct text_line *line, uint8_t *byte) {
	static const struct {
		char letter, byte;
	} escapes[]
		= {{'r', '\r'}, {'n', '\n'}, {'t', '\t'}, {'0', '\0'}, {'\\', '\\'}, {'"', '"'}};
	const char *start = line->at++;
	const char letter = line->at < line->end ? *line->at++ : '\0';

	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if (letter == escapes[i].letter) {
			*byte = (uint8_t)escapes[i].byte;
			return 0;
		}
	if (letter == 'x' && line->end - line->at >= 2 && text_hex_digit(line->at[0]) >= 0
		&& text_hex_digit(line->at[1]) >= 0) {
		*byte = (uint8_t)(text_hex_digit(line->at[0]) << 4 | text_hex_digit(line->at[1]));
		line->at += 2;
		return 0;
	}
	return text_fail(line, start, (size_t)(line->end - start < 4 ? line->end - start : 4),
		"not an escape; there are \\xHH with two digits, \\r \\n \\t \\0 \\\\ and \\\"");
}

int text_quoted(struct text_line *line, uint8_t *to, size_t room, size_t *used) {
	const char *start = line->at++;

	for (;;) {
		uint8_t byte = 0;

		if (line->at == line->end)
			return text_fail(line, start, (size_t)(line->end - start),
				"the quote is not closed; end the string with \" on the same line");
		if (*line->at == '"')
			break;
		if (*line->at == '\\') {
			int ret = take_escape(line, &byte);

			if (ret < 0)
				return ret;
		} else {
			byte = (uint8_t)*line->at++;
		}
		if (*used == room)
			return -ENOBUFS;
		to[(*used)++] = byte;
	}
	line->at++;
	return 0;
}
