/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host names among the targets, and the addresses that stand for them in this run.
 *
 * Main thread, before the scan starts; lookups run on threads of their own, which are gone when
 * names_resolve() returns. A name is looked up once in the life of a scan: what came of it is the
 * text of [scan] resolved, which checkpoints and --print-config keep.
 */
#ifndef CTL_NAMES_H
#define CTL_NAMES_H

#include "value.h"

#include <dp/error.h>
#include <dp/ip.h>

#include <stdio.h>

enum {
	NAMES_NO_PREFIX = 255,
	NAMES_LONGEST = 253, /* characters of a name, RFC 1035 section 2.3.4 without its encoding */
};

/* Which addresses of a name are taken. */
struct names_policy {
	bool v4, v6; /* families that the scan can send */
	bool routed4, routed6; /* of them those that the kernel must have a route for */
	bool all; /* else the first of each family */
	FILE *log; /* of progress; NULL: none */
};

/* One target that is a name. */
struct name {
	const char *text; /* as it was given, in lower case: `web.example`, `web.example/24` */
	unsigned bits; /* of its prefix, or NAMES_NO_PREFIX */
	const dp_ip *ips; /* taken; none where it failed */
	unsigned nb_ips;
	unsigned nb_others; /* addresses of it that are not scanned */
	bool wanted; /* some list of targets has it */
	const char *failure; /* why it has no address; "": it has */
};

struct names;

/*
 * Whether the @length bytes at @text can be a target by name, which no address can be. @bits is that
 * of its prefix. 1, 0, or -EINVAL with @err filled where it is one with something wrong in it.
 */
int names_is_one(const char *text, size_t length, unsigned *bits, struct value_error *err);

/*
 * The names that are known from an earlier run: @resolved is a text of names_text(). 0, -ENOMEM, or
 * -EINVAL with @err filled.
 */
int names_create(const char *resolved, struct names **names, struct value_error *err);
void names_destroy(struct names *names); /* NULL is fine */

/* Note a target for which names_is_one() says 1. 0 or -ENOMEM. */
int names_want(struct names *names, const char *text, size_t length);

/* All known ones are wanted: the lists that name them cannot be read again. */
void names_want_all(struct names *names);

/*
 * Look up what is wanted and not known. Failures are no errors: they are in the rows. SIGINT and
 * SIGTERM end the program meanwhile, with status 130, as nothing has begun. 0, or a negative errno
 * with @err filled.
 */
int names_resolve(struct names *names, const struct names_policy *policy, struct dp_error *err);

/* All names in the order in which they came, wanted or not; NULL behind the last one. */
const struct name *names_at(const struct names *names, unsigned i);

unsigned names_count(const struct names *names); /* wanted; of NULL 0 */
unsigned names_failed(const struct names *names);

/* A line for each name that has no address. */
void names_log_failures(const struct names *names, FILE *log);

/* "gone.example: Name or service not known; ..." as far as there is @room, then how many more. */
void names_list_failures(const struct names *names, char *out, size_t room);

/*
 * What stands for the wanted names: "198.18.0.5 web.example, 2001:db8::5 web.example, - gone.example",
 * as in /etc/hosts, but for the last one, which had no address. To be freed; NULL: no memory.
 */
char *names_text(const struct names *names);

#endif
