/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing JSON to a stream: commas and escapes in one place. Errors stay in the stream; look at
 * ferror() once, at the end.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool comma; /* a member stands before the next one */
};

/* @key is plain text, or NULL for the outermost value. */
void json_begin(struct json *json, const char *key); /* an object, closed by json_end() */
void json_end(struct json *json);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_double(
	struct json *json, const char *key, double value, int decimals); /* inf, nan: null */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
void json_text(struct json *json, const char *key, const char *value); /* @value: UTF-8 */

#endif
