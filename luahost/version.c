/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Semantic versions 2.0.0: MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD].
 *
 * Pure functions of their arguments; any thread; owns nothing. Numbers may have any length, so that
 * they are compared as digits.
 */
#include <lh/plugin.h>

#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* A piece between two dots. */
struct piece {
	const char *start;
	size_t length;
};

static bool is_number(struct piece piece) {
	return strspn(piece.start, DIGITS) >= piece.length;
}

static bool leads_with_zero(struct piece piece) {
	return piece.length > 1 && piece.start[0] == '0';
}

/* Take a piece of characters of @set from *@text; one of no characters is bad. */
static struct piece take(const char **text, const char *set) {
	struct piece piece = {*text, strspn(*text, set)};

	*text += piece.length;
	return piece;
}

/* "1.2.3" */
static bool skip_core(const char **text) {
	for (unsigned i = 0; i < 3; i++) {
		struct piece piece = take(text, DIGITS);
		if (!piece.length || leads_with_zero(piece))
			return false;
		if (i < 2 && *(*text)++ != '.')
			return false;
	}
	return true;
}

/* "alpha.1": section 9 forbids leading zeros in numbers, section 10 (build) does not. */
static bool skip_pieces(const char **text, bool zeros) {
	for (;;) {
		struct piece piece = take(text, DIGITS LETTERS "-");
		if (!piece.length || (!zeros && is_number(piece) && leads_with_zero(piece)))
			return false;
		if (**text != '.')
			return true;
		++*text;
	}
}

static bool is_version(const char *text) {
	if (!skip_core(&text))
		return false;
	if (*text == '-' && (++text, !skip_pieces(&text, false)))
		return false;
	if (*text == '+' && (++text, !skip_pieces(&text, true)))
		return false;
	return !*text;
}

static int compare_bytes(struct piece a, struct piece b) {
	const size_t shorter = a.length < b.length ? a.length : b.length;
	const int order = memcmp(a.start, b.start, shorter);

	return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* Numbers below words; numbers by value, words by ASCII order (section 11.4). */
static int compare_pieces(struct piece a, struct piece b) {
	const bool number_a = is_number(a), number_b = is_number(b);

	if (number_a != number_b)
		return number_a ? -1 : 1;
	if (number_a && a.length != b.length)
		return a.length < b.length ? -1 : 1;
	return compare_bytes(a, b);
}

/* Pieces are compared in turn; where all are equal, more of them are greater. */
static int compare_lists(const char *a, const char *b, const char *set) {
	for (;;) {
		const int order = compare_pieces(take(&a, set), take(&b, set));
		if (order)
			return order;
		if (*a != '.' || *b != '.')
			return (*a == '.') - (*b == '.');
		a++;
		b++;
	}
}

/* A prerelease comes before its release (section 11.3). */
static int compare_prereleases(const char *a, const char *b) {
	if (*a != '-' || *b != '-')
		return (*a != '-') - (*b != '-');
	return compare_lists(a + 1, b + 1, DIGITS LETTERS "-");
}

int lh_version_compare(const char *a, const char *b, bool *valid) {
	*valid = is_version(a) && is_version(b);
	if (!*valid)
		return 0;
	const int order = compare_lists(a, b, DIGITS);
	if (order)
		return order;
	return compare_prereleases(a + strspn(a, DIGITS "."), b + strspn(b, DIGITS "."));
}
