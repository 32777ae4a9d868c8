/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fields of a result record by name, `port`, `service.product`, `plugins.http-enum.status`, for what
 * picks some of them: CSV and filters. The names are those of the NDJSON record; zmap's names for the
 * same are taken, too (docs/formats.md).
 */
#ifndef CTL_FIELD_H
#define CTL_FIELD_H

#include "result.h"

#include <stdlib.h>

enum field_kind {
	FIELD_NONE, /* the record has no such field */
	FIELD_NUMBER,
	FIELD_TEXT, /* any bytes, most of them from the network */
	FIELD_WORD, /* text of ours, one of a few words or a date */
	FIELD_BOOL,
	FIELD_IP,
	FIELD_JSON, /* what a plugin found: text, a number, a truth value, or JSON text */
};

enum {
	FIELD_NAME_BYTES = 160,
	FIELD_BUFFER_BYTES = 64,
};

/* A field, found once. */
struct field {
	const struct field_row *row;
	char name[FIELD_NAME_BYTES]; /* as it was asked for */
	char plugin[LH_NAME_BYTES]; /* "": no plugin's */
	unsigned path; /* where in @name what follows `results` begins */
};

/* Its value in one record. */
struct field_value {
	enum field_kind kind; /* never FIELD_JSON: FIELD_TEXT then */
	double number; /* of numbers and truth values */
	const char *text; /* what CSV writes: of all kinds; the record's or @buffer's, no NUL */
	size_t bytes;
	dp_ip ip;
	char buffer[FIELD_BUFFER_BYTES];
	char *made; /* to be freed; NULL: nothing */
};

/*
 * Find the field of that name. 0, or -ENOENT with @why saying what is wrong and what there is. A
 * plugin's name has the right form, but is not known to exist: see field.plugin.
 */
int field_find(const char *name, size_t length, struct field *field, char *why, size_t room);

enum field_kind field_kind(const struct field *field);

/* Word @i of those that a field takes, or NULL behind the last; there is none where it takes any text. */
const char *field_word(const struct field *field, unsigned i);

/* True where the packet path's answer alone has it, so that it is known before banners and plugins. */
bool field_is_early(const struct field *field);

/* Fill @value; field_value_clear() it. Where memory is short of it is FIELD_NONE and -ENOMEM. */
int field_get(const struct field *field, const struct result *result, struct field_value *value);

static inline void field_value_clear(struct field_value *value) {
	if (value->made)
		free(value->made);
	value->made = NULL;
}

#endif
