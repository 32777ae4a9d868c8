/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which records are written, `state = open && port in (80, 443)`: expressions on the fields of a record
 * (field.h), compiled once. docs/formats.md has the language.
 */
#ifndef CTL_FILTER_H
#define CTL_FILTER_H

#include "field.h"
#include "value.h"

struct filter;

enum filter_verdict {
	FILTER_NO,
	FILTER_YES,
	FILTER_UNKNOWN, /* the record is not complete yet; or a pattern took too long */
};

/*
 * Compile @text. 0, -ENOMEM, or -EINVAL with @why naming the part at fault, its column and what would
 * be right. Free with filter_destroy().
 */
int filter_create(const char *text, struct filter **filter, struct value_error *why);
void filter_destroy(struct filter *filter); /* NULL is fine */

/* True where the packet path's answer is enough to decide, whatever it is. */
bool filter_is_early(const struct filter *filter);

/* A name of a plugin that it asks for, by index; NULL behind the last. */
const char *filter_plugin(const struct filter *filter, unsigned i);

/*
 * @complete: banners and plugins are through; without it all that depends on them is unknown. One
 * thread at a time.
 */
enum filter_verdict filter_match(
	const struct filter *filter, const struct result *result, bool complete);

#endif
