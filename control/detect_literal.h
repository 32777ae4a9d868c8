/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every text that matches a pattern has in it: so that one search for many such literals tells which
 * patterns are worth trying.
 */
#ifndef CTL_DETECT_LITERAL_H
#define CTL_DETECT_LITERAL_H

#include <stddef.h>

enum {
	DETECT_LITERALS = 16, /* of one pattern that are looked at */
	DETECT_LITERAL_LEAST = 3, /* bytes: shorter ones are everywhere */
	DETECT_LITERAL_MOST = 32, /* longer ones are cut */
};

struct detect_literal {
	char text[DETECT_LITERAL_MOST + 1]; /* printable ASCII, in lower case */
	unsigned n;
};

/*
 * The literals that must be in a text for the PCRE2 @pattern to match it, whatever its case; each is printable
 * ASCII and on one line. Returns how many, at most DETECT_LITERALS; 0 also where the pattern is not
 * understood well enough to tell.
 */
unsigned detect_literals(const char *pattern, struct detect_literal *literals);

#endif
