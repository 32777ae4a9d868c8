/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Error texts: one line, whatever names and values went into it.
 *
 * Any thread. Owns no memory; the text lives in the caller's struct.
 */
#include <dp/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A file name or a value may hold line feeds and escape sequences; the report stays one line. */
static void flatten(char *text) {
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
}

int dp_fail(struct dp_error *err, bool usage, int code, const char *format, ...) {
	va_list args;

	if (!err)
		return code;
	err->usage = usage;
	va_start(args, format);
	int length = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	if (length >= (int)sizeof(err->text))
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
	flatten(err->text);
	return code;
}
