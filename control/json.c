/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON emission, for what is written once in a while (the summary). Runs on whichever thread owns
 * the stream; owns no memory. Result lines, of which there are millions, have a formatter of their
 * own in output_ndjson.c.
 */
#include "json.h"

#include <inttypes.h>
#include <math.h>

static void put_string(FILE *out, const char *text) {
	putc('"', out);
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
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
