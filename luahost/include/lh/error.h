/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a failed call of the plugin host tells the person in front of it: what was wrong, where, and
 * what would be right, in one line without a final newline.
 */
#ifndef LH_ERROR_H
#define LH_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lh_error {
	bool usage; /* the plugin or the configuration is at fault (exit 2), not the run (exit 1) */
	char text[512];
};

/* Fill @err and return @code (a negative errno), so that a failing path is one line. */
__attribute__((format(printf, 4, 5))) int lh_fail(
	struct lh_error *err, bool usage, int code, const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
