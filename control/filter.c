/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filters: a parser that makes a row of nodes, and their evaluation with three values, so that what
 * can be decided by the packet path's answer is decided before banners and plugins are asked for.
 *
 * Compiled by the main thread before the scan, evaluated by the control core. A filter owns its nodes
 * and their patterns. Patterns are matched within MATCH_LIMIT steps: text from the network cannot stop
 * the control core.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "filter.h"

#include <dp/ipset.h>

#include <ctype.h>
#include <errno.h>
#include <pcre2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_DEPTH = 64,
	MATCH_LIMIT = 100000,
	MATCH_DEPTH = 1000,
};

enum kind {
	AND,
	OR,
	NOT,
	PRESENT, /* the record has the field */
	EQUAL,
	LESS,
	LESS_EQUAL,
	MATCHES,
};

/* One that a field is compared with. */
struct constant {
	double number;
	char *text;
	struct dp_range range; /* of addresses */
};

struct node {
	enum kind kind;
	unsigned left, right; /* nodes */
	struct field field;
	struct constant *constants; /* any of them will do */
	unsigned nb_constants;
	pcre2_code *pattern;
};

struct filter {
	struct node *nodes;
	unsigned nb, root;
	bool early;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

/* ---- Parsing ---- */

struct parser {
	const char *text, *at;
	struct filter *filter;
	struct value_error *why;
	unsigned depth;
	int error;
};

static void skip_blanks(struct parser *p) {
	p->at += strspn(p->at, " \t");
}

[[gnu::format(printf, 4, 5)]] static void fail(
	struct parser *p, const char *part, size_t length, const char *format, ...) {
	char text[VALUE_WHY_BYTES - 16];
	va_list args;

	if (p->error)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	p->error = value_fail(
		p->why, part, length, "column %u: %s", (unsigned)(part - p->text) + 1, text);
}

static void no_memory(struct parser *p) {
	if (!p->error)
		p->error = -ENOMEM;
}

static bool is_name(char c) {
	return isalnum((unsigned char)c) || (c && strchr("_.-:/*", c));
}

/* Take @sign, if it comes next. */
static bool take(struct parser *p, const char *sign) {
	const size_t length = strlen(sign);

	skip_blanks(p);
	if (strncmp(p->at, sign, length))
		return false;
	if (isalpha((unsigned char)*sign) && is_name(p->at[length]))
		return false;
	p->at += length;
	return true;
}

/* Add a node; its number, 0 where there was no memory. */
static unsigned add(struct parser *p, enum kind kind, unsigned left, unsigned right) {
	struct filter *f = p->filter;
	struct node *nodes = reallocarray(f->nodes, f->nb + 1, sizeof *nodes);

	if (!nodes) {
		no_memory(p);
		return 0;
	}
	f->nodes = nodes;
	nodes[f->nb] = (struct node){.kind = kind, .left = left, .right = right};
	return f->nb++;
}

/* How much of the text is named where something else was expected. */
static size_t here(const struct parser *p) {
	size_t length = 0;

	while (is_name(p->at[length]))
		length++;
	return length ? length : *p->at != '\0';
}

/*
 * A word or a quoted text, to be freed; NULL with the error noted. *@from is where it stands. A backslash
 * takes the quote or itself into the text; in a pattern it has more to say, and stays.
 */
static char *take_word(struct parser *p, bool pattern, const char **from, size_t *length) {
	char *word, *to;

	skip_blanks(p);
	*from = p->at;
	if (*p->at != '"' && *p->at != '\'') {
		while (is_name(*p->at))
			p->at++;
		*length = (size_t)(p->at - *from);
		if (!*length) {
			fail(p, p->at, here(p), "give a value: a number, a word or \"text\"");
			return NULL;
		}
		word = strndup(*from, *length);
		if (!word)
			no_memory(p);
		return word;
	}
	const char quote = *p->at++;
	to = word = malloc(strlen(p->at) + 1);
	if (!word) {
		no_memory(p);
		return NULL;
	}
	while (*p->at && *p->at != quote) {
		if (*p->at == '\\' && (p->at[1] == quote || p->at[1] == '\\')) {
			if (pattern && p->at[1] == '\\')
				*to++ = '\\';
			p->at++;
		}
		*to++ = *p->at++;
	}
	*to = '\0';
	if (!*p->at) {
		fail(p, *from, strlen(*from), "the text has no closing %c", quote);
		free(word);
		return NULL;
	}
	p->at++;
	*length = (size_t)(p->at - *from);
	return word;
}

/* `198.18.0.0/16`, `198.18.0.1-198.18.0.9`, `2001:db8::1` */
static bool read_range(const char *text, struct dp_range *range) {
	const char *slash = strchr(text, '/'), *dash = strchr(text, '-');
	const char *cut = slash ? slash : dash;
	const size_t length = cut ? (size_t)(cut - text) : strlen(text);
	struct value_error why;
	unsigned width;
	uint64_t bits;

	if (value_read_ip(text, length, &range->first, &why))
		return false;
	range->last = range->first;
	if (dash && !slash)
		return !value_read_ip(dash + 1, strlen(dash + 1), &range->last, &why)
			&& dp_ip_is_v4(range->first) == dp_ip_is_v4(range->last)
			&& range->first <= range->last;
	if (!slash)
		return true;
	width = dp_ip_is_v4(range->first) ? 32 : 128;
	if (value_read_count(slash + 1, 0, width, &bits, &why))
		return false;
	const dp_u128 host = bits == width ? 0 : DP_U128_MAX >> (128 - (width - bits));
	range->first &= ~host;
	range->last = range->first | host;
	return true;
}

static bool is_known_word(const struct field *field, const char *word) {
	const char *known = field_word(field, 0);

	for (unsigned i = 0; known; known = field_word(field, ++i))
		if (!strcmp(word, known))
			return true;
	return !field_word(field, 0);
}

static void unknown_word(
	struct parser *p, const struct field *field, const char *from, size_t length) {
	char words[160] = "";
	size_t at = 0;
	const char *word;

	for (unsigned i = 0; (word = field_word(field, i)) && at < sizeof words; i++)
		at += (size_t)snprintf(words + at, sizeof words - at, "%s%s", i ? ", " : "", word);
	fail(p, from, length, "%s is none of its values; they are %s", field->name, words);
}

static bool read_truth(const char *word, double *number) {
	struct value_error why;
	bool is;

	if (value_read_bool(word, &is, &why))
		return false;
	*number = is;
	return true;
}

static bool read_number(const char *word, double *number) {
	char *end;

	*number = strtod(word, &end);
	return *word && !*end && (isdigit((unsigned char)*word) || strchr("-.", *word));
}

/* Make a constant of what was written, by the field's kind. Takes @word. */
static void read_constant(struct parser *p, const struct field *field, enum kind kind, char *word,
	const char *from, size_t length, struct constant *c) {
	*c = (struct constant){.text = word};
	switch (field_kind(field)) {
	case FIELD_NUMBER:
		if (!read_number(word, &c->number))
			fail(p, from, length, "%s is a number; give one", field->name);
		break;
	case FIELD_BOOL:
		if (!read_truth(word, &c->number))
			fail(p, from, length, "%s is 1 or 0; give one of them", field->name);
		break;
	case FIELD_IP:
		if (!read_range(word, &c->range))
			fail(p, from, length,
				"%s is an address; give one, a prefix such as 198.18.0.0/16, or a "
				"range",
				field->name);
		else if (kind != EQUAL && c->range.first != c->range.last)
			fail(p, from, length, "give one address for < and >, or use `in`");
		break;
	case FIELD_WORD:
		if (!is_known_word(field, word))
			unknown_word(p, field, from, length);
		break;
	case FIELD_JSON:
		if (!read_number(word, &c->number) && !read_truth(word, &c->number))
			c->number = 0;
		break;
	default:
		break;
	}
}

static void add_constant(struct parser *p, unsigned node) {
	const char *from;
	size_t length;
	char *word = take_word(p, false, &from, &length);
	struct node *n = &p->filter->nodes[node];
	struct constant *more;

	if (!word)
		return;
	more = reallocarray(n->constants, n->nb_constants + 1, sizeof *more);
	if (!more) {
		free(word);
		no_memory(p);
		return;
	}
	n->constants = more;
	read_constant(p, &n->field, n->kind, word, from, length, &more[n->nb_constants]);
	n->nb_constants++;
}

static void add_list(struct parser *p, unsigned node) {
	if (!take(p, "(")) {
		fail(p, p->at, here(p), "give a list: in (80, 443)");
		return;
	}
	do
		add_constant(p, node);
	while (!p->error && take(p, ","));
	if (!p->error && !take(p, ")"))
		fail(p, p->at, here(p), "the list goes on with , or ends with )");
}

static void add_pattern(struct parser *p, unsigned node) {
	struct node *n = &p->filter->nodes[node];
	const enum field_kind kind = field_kind(&n->field);
	const char *from;
	size_t length;
	PCRE2_SIZE at;
	PCRE2_UCHAR text[128];
	char *word;
	int code;

	skip_blanks(p);
	if (kind != FIELD_TEXT && kind != FIELD_WORD && kind != FIELD_JSON) {
		fail(p, p->at, here(p), "%s is no text; ~ is for texts", n->field.name);
		return;
	}
	word = take_word(p, true, &from, &length);
	if (!word)
		return;
	n->pattern = pcre2_compile(
		(PCRE2_SPTR)word, PCRE2_ZERO_TERMINATED, PCRE2_DOTALL, &code, &at, NULL);
	if (!n->pattern) {
		pcre2_get_error_message(code, text, sizeof text);
		fail(p, from, length, "not a pattern: %s (its character %zu)", (char *)text,
			(size_t)at + 1);
	}
	free(word);
}

static unsigned add_not(struct parser *p, unsigned node) {
	return add(p, NOT, node, 0);
}

/* The field's name comes next. A plugin's name may have dashes, and no operator has one. */
static bool take_field(struct parser *p, struct field *field) {
	char why[512];
	size_t length = 0;

	skip_blanks(p);
	while (isalnum((unsigned char)p->at[length])
		|| (p->at[length] && strchr("_.-", p->at[length])))
		length++;
	if (!length) {
		fail(p, p->at, here(p), "give a field's name, such as state or service.name");
		return false;
	}
	if (field_find(p->at, length, field, why, sizeof why)) {
		why[VALUE_WHY_BYTES - 32] = '\0';
		fail(p, p->at, length, "%s", why);
		return false;
	}
	p->at += length;
	return true;
}

/* NAME OPERATOR VALUE, NAME in (VALUE, ...), or NAME alone */
static unsigned comparison(struct parser *p) {
	static const struct {
		const char *sign;
		enum kind kind;
		bool negated;
	} operators[] = {
		{"!=", EQUAL, true},
		{"!~", MATCHES, true},
		{"==", EQUAL, false},
		{"=~", MATCHES, false},
		{"<=", LESS_EQUAL, false},
		{">=", LESS, true},
		{"=", EQUAL, false},
		{"<", LESS, false},
		{">", LESS_EQUAL, true},
		{"~", MATCHES, false},
	};
	struct field field;

	if (!take_field(p, &field))
		return 0;
	p->filter->early &= field_is_early(&field);
	unsigned node = add(p, PRESENT, 0, 0);
	if (p->error)
		return 0;
	p->filter->nodes[node].field = field;
	if (take(p, "in") || take(p, "IN")) {
		p->filter->nodes[node].kind = EQUAL;
		add_list(p, node);
		return node;
	}
	for (unsigned i = 0; i < sizeof operators / sizeof *operators; i++) {
		if (!take(p, operators[i].sign))
			continue;
		p->filter->nodes[node].kind = operators[i].kind;
		if (operators[i].kind == MATCHES)
			add_pattern(p, node);
		else
			add_constant(p, node);
		if (!operators[i].negated)
			return node;
		/* Of two values one is the less: where the field is there, that is. */
		if (operators[i].kind == EQUAL || operators[i].kind == MATCHES)
			return add_not(p, node);
		unsigned present = add(p, PRESENT, 0, 0);
		if (p->error)
			return 0;
		p->filter->nodes[present].field = field;
		return add(p, AND, present, add_not(p, node));
	}
	return node;
}

static unsigned alternatives(struct parser *p);

static unsigned unary(struct parser *p) {
	unsigned node = 0;

	if (++p->depth > MOST_DEPTH) {
		fail(p, p->at, here(p), "more than %d levels of parentheses", MOST_DEPTH);
		return 0;
	}
	if (take(p, "!") || take(p, "not")) {
		node = add_not(p, unary(p));
	} else if (take(p, "(")) {
		node = alternatives(p);
		if (!p->error && !take(p, ")"))
			fail(p, p->at, here(p), "give an operator, && || or )");
	} else {
		node = comparison(p);
	}
	p->depth--;
	return node;
}

static unsigned conjunction(struct parser *p) {
	unsigned node = unary(p);

	while (!p->error && (take(p, "&&") || take(p, "and")))
		node = add(p, AND, node, unary(p));
	return node;
}

static unsigned alternatives(struct parser *p) {
	unsigned node = conjunction(p);

	while (!p->error && (take(p, "||") || take(p, "or")))
		node = add(p, OR, node, conjunction(p));
	return node;
}

static int set_limits(struct filter *f) {
	f->match = pcre2_match_data_create(1, NULL);
	f->limits = pcre2_match_context_create(NULL);
	if (!f->match || !f->limits)
		return -ENOMEM;
	pcre2_set_match_limit(f->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(f->limits, MATCH_DEPTH);
	return 0;
}

int filter_create(const char *text, struct filter **filter, struct value_error *why) {
	struct filter *f = calloc(1, sizeof *f);
	struct parser p = {.text = text, .at = text, .filter = f, .why = why};

	if (!f)
		return -ENOMEM;
	f->early = true;
	p.error = set_limits(f);
	if (!p.error)
		f->root = alternatives(&p);
	skip_blanks(&p);
	if (!p.error && *p.at)
		fail(&p, p.at, here(&p), "give an operator: = != < <= > >= ~ in && ||");
	if (p.error) {
		filter_destroy(f);
		return p.error;
	}
	*filter = f;
	return 0;
}

void filter_destroy(struct filter *filter) {
	if (!filter)
		return;
	for (unsigned i = 0; i < filter->nb; i++) {
		struct node *node = &filter->nodes[i];

		for (unsigned k = 0; k < node->nb_constants; k++)
			free(node->constants[k].text);
		free(node->constants);
		pcre2_code_free(node->pattern);
	}
	free(filter->nodes);
	pcre2_match_data_free(filter->match);
	pcre2_match_context_free(filter->limits);
	free(filter);
}

bool filter_is_early(const struct filter *filter) {
	return filter->early;
}

const char *filter_plugin(const struct filter *filter, unsigned i) {
	for (unsigned k = 0; k < filter->nb; k++)
		if (*filter->nodes[k].field.plugin && !i--)
			return filter->nodes[k].field.plugin;
	return NULL;
}

/* ---- Evaluation ---- */

static int order(double a, double b) {
	return (a > b) - (a < b);
}

/* As by bytes; what a prefix of the other is comes first. */
static int order_text(const struct field_value *value, const char *text) {
	const size_t length = strlen(text), least = value->bytes < length ? value->bytes : length;
	const int by_bytes = memcmp(value->text, text, least);

	return by_bytes ? by_bytes : (value->bytes > length) - (value->bytes < length);
}

/* Below 0, 0 or above, as strcmp(). */
static int compare(const struct field_value *value, const struct constant *c) {
	switch (value->kind) {
	case FIELD_NUMBER:
	case FIELD_BOOL:
		return order(value->number, c->number);
	case FIELD_IP:
		if (dp_ip_is_v4(value->ip) != dp_ip_is_v4(c->range.first))
			return dp_ip_is_v4(value->ip) ? -1 : 1;
		return value->ip < c->range.first ? -1 : value->ip > c->range.last;
	default:
		return order_text(value, c->text);
	}
}

static bool holds(const struct node *node, const struct field_value *value) {
	for (unsigned i = 0; i < node->nb_constants; i++) {
		const int is = compare(value, &node->constants[i]);

		if (node->kind == EQUAL ? is == 0 : node->kind == LESS ? is < 0 : is <= 0)
			return true;
	}
	return false;
}

static enum filter_verdict match(
	const struct filter *f, const struct node *node, const struct field_value *value) {
	int rc = pcre2_match(
		node->pattern, (PCRE2_SPTR)value->text, value->bytes, 0, 0, f->match, f->limits);

	return rc >= 0 ? FILTER_YES : rc == PCRE2_ERROR_NOMATCH ? FILTER_NO : FILTER_UNKNOWN;
}

/* What a record has not is equal to nothing, less than nothing, and matches nothing. */
static enum filter_verdict test(const struct filter *f, const struct node *node,
	const struct result *result, bool complete) {
	enum filter_verdict verdict = FILTER_NO;
	struct field_value value;

	if (!complete && !field_is_early(&node->field))
		return FILTER_UNKNOWN;
	if (field_get(&node->field, result, &value))
		verdict = FILTER_UNKNOWN;
	else if (value.kind == FIELD_NONE)
		verdict = FILTER_NO;
	else if (node->kind == PRESENT)
		verdict = value.kind != FIELD_BOOL || value.number != 0 ? FILTER_YES : FILTER_NO;
	else if (node->kind == MATCHES)
		verdict = match(f, node, &value);
	else
		verdict = holds(node, &value) ? FILTER_YES : FILTER_NO;
	field_value_clear(&value);
	return verdict;
}

static enum filter_verdict evaluate(
	const struct filter *f, unsigned at, const struct result *result, bool complete) {
	const struct node *node = &f->nodes[at];
	enum filter_verdict left, right;

	if (node->kind > NOT)
		return test(f, node, result, complete);
	left = evaluate(f, node->left, result, complete);
	if (node->kind == NOT)
		return left == FILTER_UNKNOWN ? left : left == FILTER_NO ? FILTER_YES : FILTER_NO;
	/* The one that decides whatever the other is. */
	const enum filter_verdict decides = node->kind == AND ? FILTER_NO : FILTER_YES;
	if (left == decides)
		return left;
	right = evaluate(f, node->right, result, complete);
	return right == decides ? right : left == FILTER_UNKNOWN ? left : right;
}

enum filter_verdict filter_match(
	const struct filter *filter, const struct result *result, bool complete) {
	return evaluate(filter, filter->root, result, complete);
}
