/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options that users of nmap, masscan and zmap have in their fingers, and what they are here: the same
 * by another name, nothing to do, or refused with the nearest option of ours. One table, from which
 * docs/migrating.md has its reference.
 *
 * Main thread, before the scan starts.
 */
#ifndef CTL_HABITS_H
#define CTL_HABITS_H

#include "options.h"

#include <dp/error.h>

#include <stdio.h>

struct habit;

/* One option of the command line, with its argument. */
struct argument {
	const struct option *option; /* NULL: a target, or a habit's */
	char *flag; /* as it is shown; belongs to the argument */
	const char *value; /* NULL: none */
	const struct habit *habit; /* NULL: an option of our own, or a target */
	char *text; /* what the habit made of the value; belongs to the argument */
	bool dropped; /* another argument says it too */
};

/*
 * The row of @text, which begins with a dash and is no option of ours; NULL: there is none.
 * *@length is that of the flag in it, *@joined the value behind it, or NULL.
 */
const struct habit *habits_find(const char *text, size_t *length, const char **joined);

/* The flag in the table nearest to a misspelt one, fewer than @best edits away: whether there is one. */
bool habits_near(const char *flag, unsigned best, char near[VALUE_TEXT_BYTES]);

bool habit_is_refused(const struct habit *habit);

/* Whether it takes a value: what stands for that in the help, or NULL. */
const char *habit_metavar(const struct habit *habit);

/*
 * Fill in what @argument means, whose flag, value and habit are set: an option of ours (@option), or
 * settings (@text). 0, or a negative errno with @err filled: it is refused, or its value is bad.
 */
int habit_read(struct argument *argument, struct dp_error *err);

/* The settings that an argument of a habit stands for: calls @fn with each SECTION.KEY=VALUE. */
int habit_each_setting(const struct argument *argument,
	int (*fn)(void *user, const char *pair, struct dp_error *err), void *user,
	struct dp_error *err);

/*
 * What only several arguments say together: zmap's --shards N --shard I, --output-file with its
 * format, --min-rate besides a rate. 0, or a negative errno with @err filled.
 */
int habits_settle(struct argument *arguments, unsigned nb, struct dp_error *err);

/* A number behind -c, which is zmap's cooldown: 0, or -EINVAL with @err filled. */
int habits_check_config(const char *path, struct dp_error *err);

/* The whole table as Markdown, as docs/migrating.md has it. */
void habits_print(FILE *out);

#endif
