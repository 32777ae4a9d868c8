/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a pattern as far as it takes to see which plain characters it cannot do without: those that stand
 * outside of groups and classes and are not repeated. Functions of their arguments; they own no memory.
 */
#include "detect_literal.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Behind the class at @at, `[^]a-z[:digit:]\]]`; NULL: it does not end. */
static const char *skip_class(const char *at) {
	at++;
	at += *at == '^';
	at += *at == ']';
	for (; *at && *at != ']'; at++) {
		if (*at == '\\' && at[1])
			at++;
		else if (at[0] == '[' && (at[1] == ':' || at[1] == '.' || at[1] == '='))
			at = strchr(at, ']');
		if (!at)
			return NULL;
	}
	return *at ? at + 1 : NULL;
}

/* Behind the group at @at; NULL: it does not end. */
static const char *skip_group(const char *at) {
	unsigned depth = 0;

	while (*at) {
		if (*at == '\\') {
			at += at[1] ? 2 : 1;
		} else if (*at == '[') {
			at = skip_class(at);
			if (!at)
				return NULL;
		} else {
			depth += *at == '(';
			depth -= *at == ')';
			at++;
			if (depth == 0)
				return at;
		}
	}
	return NULL;
}

/* Behind what repeats the item before @at; @at itself where nothing does. */
static const char *skip_quantifier(const char *at) {
	const char *end = at;

	if (*at == '?' || *at == '*' || *at == '+') {
		end = at + 1;
	} else if (*at == '{' && isdigit((unsigned char)at[1])) {
		end = at + 1 + strspn(at + 1, "0123456789,");
		if (*end != '}')
			return at;
		end++;
	}
	return end > at && (*end == '?' || *end == '+') ? end + 1 : end;
}

/* Behind (?: options other than i, such as x, with which blanks do not count; or (?R), a recursion. */
static bool sets_options(const char *at) {
	const size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ^-");

	return n && (at[n] == ')' || at[n] == ':') && strspn(at, "i") != n;
}

/* What would need more than this to be understood: options in the pattern, quoting, alternatives of all. */
static bool is_plain(const char *pattern) {
	for (const char *at = pattern; at && *at;) {
		if (at[0] == '\\' && (at[1] == 'Q' || at[1] == 'E'))
			return false;
		if (at[0] == '(' && at[1] == '*')
			return false;
		if (at[0] == '(' && at[1] == '?' && sets_options(at + 2))
			return false;
		if (at[0] == '|')
			return false;
		at = *at == '('	     ? skip_group(at)
			: *at == '[' ? skip_class(at)
				     : at + 1 + (*at == '\\' && at[1]);
		if (!at)
			return false;
	}
	return true;
}

/* An item of the pattern: its end, and the character that it stands for, or 0. */
static const char *take_item(const char *at, char *literal) {
	const unsigned char c = (unsigned char)*at;

	*literal = 0;
	if (c == '(')
		return skip_group(at);
	if (c == '[')
		return skip_class(at);
	if (c == '\\') {
		const unsigned char escaped = (unsigned char)at[1];

		if (escaped > ' ' && escaped < 0x7f && !isalnum(escaped))
			*literal = (char)escaped;
		/* What follows \x41, \p{L} and the like is no literal of its own. */
		if (isalnum(escaped) && !strchr("dDsSwWbBrntAzZhHvVRNG", escaped))
			return NULL;
		return escaped ? at + 2 : at + 1;
	}
	if (c >= ' ' && c < 0x7f && !strchr("^$.|{}", c))
		*literal = (char)tolower(c);
	return at + 1;
}

/* \x and two hexadecimal digits, or \0: one byte, which ends a literal. */
static const char *skip_byte(const char *at) {
	if (at[0] == '\\' && at[1] == 'x' && isxdigit((unsigned char)at[2])
		&& isxdigit((unsigned char)at[3]))
		return at + 4;
	if (at[0] == '\\' && at[1] == '0' && !isdigit((unsigned char)at[2]))
		return at + 2;
	return NULL;
}

static unsigned end_literal(const struct detect_literal *literals, unsigned nb) {
	return nb < DETECT_LITERALS && literals[nb].n >= DETECT_LITERAL_LEAST ? nb + 1 : nb;
}

unsigned detect_literals(const char *pattern, struct detect_literal *literals) {
	const char *at = pattern;
	unsigned nb = 0;

	if (!is_plain(pattern))
		return 0;
	literals[0].n = 0;
	while (*at && nb < DETECT_LITERALS) {
		struct detect_literal *literal = &literals[nb];
		char c = 0;
		const char *byte = skip_byte(at), *next = byte ? byte : take_item(at, &c), *end;

		if (!next)
			return 0;
		end = skip_quantifier(next);
		if (c && end == next && literal->n < DETECT_LITERAL_MOST) {
			literal->text[literal->n++] = c;
			literal->text[literal->n] = '\0';
		} else {
			nb = end_literal(literals, nb);
			if (nb < DETECT_LITERALS)
				literals[nb].n = 0;
		}
		at = end;
	}
	return end_literal(literals, nb);
}
