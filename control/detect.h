/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Built-in service detection: which service, product and version a banner shows.
 *
 * Rules come from text files (docs/fingerprints.md) and, if the operator has them, from Recog's XML. Each
 * looks at one field of a banner (detect_field.h). All of a field are looked for at once by Vectorscan,
 * which names the few that may match; PCRE2 then decides, and gives the groups that the texts are made
 * of.
 *
 *     detect_rules_create(), _read(), _read_recog()   before the scan, as errors are the operator's
 *     detect_create()                                 compile them
 *     detect_run()                                    once a banner
 */
#ifndef CTL_DETECT_H
#define CTL_DETECT_H

#include <dp/error.h>
#include <dp/scan.h>
#include <lh/host.h>

#include <stdio.h>

struct detect_rules; /* as read; grows with each file */

int detect_rules_create(struct detect_rules **rules); /* 0 or -ENOMEM */
void detect_rules_destroy(struct detect_rules *rules); /* NULL is fine */
unsigned detect_rules_count(const struct detect_rules *rules);

/*
 * Add those of the file @path, behind those read before. 0, or a negative errno with @err filled
 * (usage): file, line, what is wrong and what would be right.
 */
int detect_rules_read(struct detect_rules *rules, const char *path, struct dp_error *err);

/* The same of a text; @name is what errors call it. */
int detect_rules_parse(struct detect_rules *rules, const char *name, const char *text,
	size_t length, struct dp_error *err);

/*
 * Add the fingerprints of Recog's XML files in the folder @path (those named *.xml). Files about what no
 * field shows, and patterns that PCRE2 does not know, are left out and counted in *@left_out, which are
 * fingerprints. 0, or a negative errno with @err filled (usage).
 */
int detect_rules_read_recog(
	struct detect_rules *rules, const char *path, unsigned *left_out, struct dp_error *err);

/* The same of one file's text; @name is what errors call it. *@left_out grows. */
int detect_rules_parse_recog(struct detect_rules *rules, const char *name, const char *text,
	size_t length, unsigned *left_out, struct dp_error *err);

/* The file of the rules that come with the program, to be freed; NULL: no memory. */
char *detect_default_path(void);

struct detect; /* compiled; for one thread at a time */

/*
 * Compile @rules, which must outlive it. 0, or a negative errno with @err filled (usage where a pattern is
 * at fault).
 */
int detect_create(const struct detect_rules *rules, struct detect **detect, struct dp_error *err);
void detect_destroy(struct detect *detect); /* NULL is fine */

/*
 * What the @n bytes at @banner, which came from @port, show. False: nothing that a rule knows; then @service is
 * not touched. Texts are valid UTF-8; one that is too long for its place ends in "...".
 */
bool detect_run(struct detect *detect, enum dp_proto proto, uint16_t port, const uint8_t *banner,
	size_t n, struct lh_service *service);

/*
 * Try the examples of all rules that are in files of the own format and write a line to @out for each that
 * fails. *@nb is how many there were; returns how many failed.
 */
unsigned detect_try_examples(struct detect *detect, unsigned *nb, FILE *out);

#endif
