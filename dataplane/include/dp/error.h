/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a failed call tells the person in front of it.
 *
 * Functions return 0 or a negative errno; those whose failure has to be explained also fill one of
 * these: what was wrong, where, and what would be right, in one line without a final newline. The
 * text is written once, where the device, file or key is known, and printed once, by main().
 */
#ifndef DP_ERROR_H
#define DP_ERROR_H

#include <stdbool.h>

struct dp_error {
	bool usage; /* the configuration is at fault (exit 2), not the run (exit 1) */
	char text[512];
};

/* Fill @err and return @code (a negative errno), so that a failing path is one line. */
[[gnu::format(printf, 4, 5)]] int dp_fail(
	struct dp_error *err, bool usage, int code, const char *format, ...);

#endif
