/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filling a struct lh_error. Any thread or process; owns nothing.
 */
#include <lh/error.h>

#include <stdarg.h>
#include <stdio.h>

int lh_fail(struct lh_error *err, bool usage, int code, const char *format, ...) {
	va_list args;

	err->usage = usage;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}
