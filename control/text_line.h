/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of the operator's text files (payloads, fingerprints), word by word: what is wrong with one is said with
 * file and line.
 */
#ifndef CTL_TEXT_LINE_H
#define CTL_TEXT_LINE_H

#include <dp/error.h>

#include <stddef.h>
#include <stdint.h>

struct text_line {
	const char *name; /* of the file, for errors */
	unsigned number; /* from 1 */
	const char *at, *end; /* what is left of it */
	struct dp_error *err;
};

/*
 * "FILE:LINE: PART: what is wrong": @part of @length bytes is cut where it is long, and left out where it is
 * empty. Returns -EINVAL.
 */
[[gnu::format(printf, 4, 5)]] int text_fail(
	struct text_line *line, const char *part, size_t length, const char *format, ...);
int text_no_memory(struct text_line *line); /* -ENOMEM */

void text_skip_blanks(struct text_line *line);

/* The next word, which ends at a blank; its length. */
size_t text_word(struct text_line *line, const char **word);

/*
 * The text in quotes that begins at @line->at, appended to @to, of whose @room bytes *@used are taken. Escapes: \r \n
 * \t \0 \\ \" \xHH. 0, -EINVAL with the error filled, or -ENOBUFS where it does not fit.
 */
int text_quoted(struct text_line *line, uint8_t *to, size_t room, size_t *used);

int text_hex_digit(char c); /* -1: it is none */

#endif
