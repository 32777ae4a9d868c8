/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading files of fingerprints (docs/fingerprints.md). Main thread, before the scan starts; the rules own all
 * that was read.
 */
#include "datadir.h"
#include "detect_rule.h"
#include "value.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <errno.h>
#include <pcre2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_FILE_BYTES = 16 << 20,
	MAX_RULES = 1 << 20,
	SERVICE_BYTES = sizeof(((struct lh_service *)0)->name),
};

const char *const detect_text_names[DETECT_TEXTS] = {
	[DETECT_SERVICE] = "service",
	[DETECT_PRODUCT] = "product",
	[DETECT_VERSION] = "version",
	[DETECT_INFO] = "info",
	[DETECT_OS] = "os",
	[DETECT_CPE] = "cpe",
};

/* ---- The rules ---- */

int detect_rules_create(struct detect_rules **rules) {
	*rules = calloc(1, sizeof(**rules));
	return *rules ? 0 : -ENOMEM;
}

void detect_rules_destroy(struct detect_rules *rules) {
	if (!rules)
		return;
	for (unsigned i = 0; i < rules->nb; i++) {
		free(rules->rule[i].pattern);
		free(rules->rule[i].ports);
		for (unsigned t = 0; t < DETECT_TEXTS; t++)
			free(rules->rule[i].text[t]);
	}
	for (unsigned i = 0; i < rules->nb_examples; i++) {
		free(rules->example[i].value);
		for (unsigned t = 0; t < DETECT_TEXTS; t++)
			free(rules->example[i].wanted[t]);
	}
	for (unsigned i = 0; i < rules->nb_files; i++)
		free(rules->file[i]);
	free(rules->rule);
	free(rules->example);
	free(rules->file);
	free(rules);
}

unsigned detect_rules_count(const struct detect_rules *rules) {
	return rules->nb;
}

int detect_rules_add_file(struct detect_rules *rules, const char *name) {
	char **more = reallocarray(rules->file, rules->nb_files + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	rules->file = more;
	more[rules->nb_files] = strdup(name);
	return more[rules->nb_files] ? (rules->nb_files++, 0) : -ENOMEM;
}

/* Room for one more of @size bytes, all zero; NULL: no memory. */
static void *grow(void **list, unsigned nb, unsigned *room, size_t size) {
	if (nb == *room) {
		const unsigned more = *room ? 2 * *room : 64;
		void *bigger = reallocarray(*list, more, size);

		if (!bigger)
			return NULL;
		*list = bigger;
		*room = more;
	}
	return memset((char *)*list + nb * size, 0, size);
}

struct detect_rule *detect_rules_add(struct detect_rules *rules, unsigned line) {
	struct detect_rule *rule = rules->nb < MAX_RULES
		? grow((void **)&rules->rule, rules->nb, &rules->room, sizeof(*rule))
		: NULL;

	if (!rule)
		return NULL;
	rules->nb++;
	*rule = (struct detect_rule){
		.confidence = -1, .file = rules->file[rules->nb_files - 1], .line = line};
	return rule;
}

struct detect_example *detect_rules_add_example(struct detect_rules *rules, unsigned line) {
	struct detect_example *example = grow((void **)&rules->example, rules->nb_examples,
		&rules->examples_room, sizeof(*example));

	if (!example)
		return NULL;
	rules->nb_examples++;
	*example = (struct detect_example){.rule = rules->nb - 1, .line = line};
	return example;
}

const char *detect_text_wrong(const char *text) {
	bool optional = false;

	for (const char *at = text; *at; at++) {
		if (*at == '\\' && (at[1] == '[' || at[1] == ']' || at[1] == '\\'))
			at++;
		else if (*at == '$' && at[1] != '$' && !isdigit((unsigned char)at[1]))
			return "a dollar is $$, and a group $0 to $9";
		else if (*at == '$')
			at++;
		else if (*at == '[' && optional)
			return "[...] within [...]";
		else if (*at == ']' && !optional)
			return "] without a [ before it; write \\]";
		else if (*at == '[' || *at == ']')
			optional = *at == '[';
	}
	return optional ? "[ without a ]; write \\[" : NULL;
}

/* ---- A file ---- */

struct reader {
	struct detect_rules *rules;
	const char *name;
	unsigned line;
	const char *at, *end; /* what is left of the line */
	struct dp_error *err;
	bool in_rule;
};

[[gnu::format(printf, 4, 5)]] static int fail(
	struct reader *r, const char *part, size_t length, const char *format, ...) {
	struct value_error why;
	char text[VALUE_WHY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	value_fail(&why, part, length, "%s", text);
	return dp_fail(r->err, true, -EINVAL, "%s:%u: %s%s%s", r->name, r->line, why.part,
		*why.part ? ": " : "", why.why);
}

static int no_memory(struct reader *r) {
	return dp_fail(r->err, false, -ENOMEM, "%s:%u: out of memory", r->name, r->line);
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct reader *r) {
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
}

static size_t take_word(struct reader *r, const char **word) {
	skip_blanks(r);
	*word = r->at;
	while (r->at < r->end && !is_blank(*r->at))
		r->at++;
	return (size_t)(r->at - *word);
}

static int take_field(struct reader *r, enum detect_field *field) {
	const char *word;
	const size_t n = take_word(r, &word);

	if (detect_field_of(word, n, field))
		return 0;
	return fail(r, word, n, "no field; give one of docs/fingerprints.md, such as banner");
}

/* Here, where the line is known, and before anything is started. */
static int check_pattern(struct reader *r, const char *pattern) {
	PCRE2_UCHAR text[128];
	PCRE2_SIZE at;
	int code;
	pcre2_code *compiled
		= pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &code, &at, NULL);

	pcre2_code_free(compiled);
	if (compiled)
		return 0;
	pcre2_get_error_message(code, text, sizeof(text));
	return fail(r, pattern, strlen(pattern), "not a pattern: %s, behind its character %zu",
		(const char *)text, at);
}

/* /PATTERN/FLAGS; a slash in it is \/. */
static int take_pattern(struct reader *r, struct detect_rule *rule) {
	char *to;
	const char *from;

	skip_blanks(r);
	from = r->at;
	if (r->at == r->end || *r->at != '/')
		return fail(r, r->at, (size_t)(r->end - r->at),
			"no pattern; write it between slashes: match banner /^SSH-/");
	to = rule->pattern = malloc((size_t)(r->end - r->at) + 1);
	if (!to)
		return no_memory(r);
	for (r->at++; r->at < r->end && *r->at != '/'; r->at++) {
		if (*r->at == '\\' && r->at + 1 < r->end && *++r->at != '/')
			*to++ = '\\';
		*to++ = *r->at;
	}
	*to = '\0';
	if (r->at == r->end)
		return fail(r, from, (size_t)(r->end - from), "the pattern has no / at its end");
	if (check_pattern(r, rule->pattern))
		return -EINVAL;
	for (r->at++; r->at < r->end && !is_blank(*r->at); r->at++) {
		bool *flag = *r->at == 'i' ? &rule->icase
			: *r->at == 's'	   ? &rule->dotall
			: *r->at == 'm'	   ? &rule->multiline
					   : NULL;

		if (!flag || *flag)
			return fail(r, r->at, 1, "not a flag; behind the pattern go i, s and m");
		*flag = true;
	}
	skip_blanks(r);
	return r->at == r->end
		? 0
		: fail(r, r->at, (size_t)(r->end - r->at), "more than a field and a pattern");
}

/* `match FIELD /PATTERN/FLAGS` */
static int take_match(struct reader *r) {
	struct detect_rule *rule = detect_rules_add(r->rules, r->line);
	int ret;

	if (!rule)
		return no_memory(r);
	r->in_rule = true;
	ret = take_field(r, &rule->field);
	return ret ? ret : take_pattern(r, rule);
}

static struct detect_rule *current(struct reader *r) {
	return &r->rules->rule[r->rules->nb - 1];
}

static bool take_port(const char **at, const char *end, uint16_t *port) {
	unsigned long value = 0;
	const char *from = *at;

	while (*at < end && isdigit((unsigned char)**at) && value < 100000)
		value = value * 10 + (unsigned long)(*(*at)++ - '0');
	*port = (uint16_t)value;
	return *at > from && value >= 1 && value <= 65535;
}

/* 443, 8000-8100, U:53 */
static int take_ports(struct reader *r, const char *text, size_t n) {
	struct detect_rule *rule = current(r);
	const char *end = text + n;

	if (rule->ports)
		return fail(r, "port", 4, "given twice");
	while (text < end) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		const char *stop = comma ? comma : end, *at = text;
		struct detect_ports ports = {.tcp = true, .udp = true}, *more;
		bool right;

		while (at < stop && is_blank(*at))
			at++;
		while (stop > at && is_blank(stop[-1]))
			stop--;
		if (stop - at > 2 && (*at == 'T' || *at == 'U') && at[1] == ':') {
			ports.tcp = *at == 'T';
			ports.udp = *at == 'U';
			at += 2;
		}
		right = take_port(&at, stop, &ports.first);
		ports.last = ports.first;
		if (right && at < stop && *at == '-')
			at++, right = take_port(&at, stop, &ports.last);
		if (!right || at < stop || ports.first > ports.last)
			return fail(r, text, (size_t)(end - text),
				"not ports; write them as in 443, 8000-8100, U:53");
		more = reallocarray(rule->ports, rule->nb_ports + 1, sizeof(*more));
		if (!more)
			return no_memory(r);
		rule->ports = more;
		rule->ports[rule->nb_ports++] = ports;
		text = comma ? comma + 1 : end;
	}
	return rule->nb_ports ? 0 : fail(r, "port", 4, "no ports behind it");
}

static int take_confidence(struct reader *r, const char *text, size_t n) {
	struct value_error why;
	char number[16];

	snprintf(number, sizeof(number), "%.*s", (int)(n < 15 ? n : 15), text);
	if (current(r)->confidence >= 0)
		return fail(r, "confidence", 10, "given twice");
	if (value_read_fraction(number, &current(r)->confidence, &why) < 0 || n > 15)
		return fail(r, text, n, "not a confidence; give a number from 0 to 1");
	return 0;
}

static int check_service(struct reader *r, const char *text, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i])
			&& text[i] != '-')
			return fail(r, text, n, "not a service's name; it has a-z, 0-9 and -");
	return n < SERVICE_BYTES
		? 0
		: fail(r, text, n, "too long; give at most %d characters", SERVICE_BYTES - 1);
}

static int take_text(struct reader *r, enum detect_text which, const char *text, size_t n) {
	char **place = &current(r)->text[which];
	const char *wrong;

	if (*place)
		return fail(r, detect_text_names[which], strlen(detect_text_names[which]),
			"given twice");
	if (which == DETECT_SERVICE && check_service(r, text, n))
		return -EINVAL;
	if (which == DETECT_CPE && (n < 8 || memcmp(text, "cpe:/", 5)))
		return fail(r, text, n, "not a CPE 2.2 URI; write cpe:/a:VENDOR:PRODUCT:VERSION");
	*place = strndup(text, n);
	if (!*place)
		return no_memory(r);
	wrong = detect_text_wrong(*place);
	return wrong ? fail(r, text, n, "%s", wrong) : 0;
}

/* ---- Examples ---- */

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands behind a backslash; -1: nothing known. */
static int take_escape(struct reader *r) {
	const char letter = r->at < r->end ? *r->at++ : '\0';

	switch (letter) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '0':
		return 0;
	case '"':
	case '\\':
		return letter;
	case 'x':
		if (r->end - r->at < 2 || hex_digit(r->at[0]) < 0 || hex_digit(r->at[1]) < 0)
			return -1;
		r->at += 2;
		return hex_digit(r->at[-2]) << 4 | hex_digit(r->at[-1]);
	default:
		return -1;
	}
}

/* "text" with escapes, to be freed. */
static int take_string(struct reader *r, char **text, size_t *n) {
	const char *from = r->at;
	char *to;

	if (r->at == r->end || *r->at != '"')
		return fail(r, r->at, (size_t)(r->end - r->at), "a \"text\" is missing");
	to = *text = malloc((size_t)(r->end - r->at));
	if (!to)
		return no_memory(r);
	for (r->at++; r->at < r->end && *r->at != '"';) {
		int c = (unsigned char)*r->at++;

		if (c == '\\')
			c = take_escape(r);
		if (c < 0)
			return fail(r, from, (size_t)(r->at - from),
				"not an escape; there are \\r \\n \\t \\0 \\\" \\\\ and \\xHH");
		*to++ = (char)c;
	}
	if (r->at == r->end)
		return fail(r, from, (size_t)(r->end - from), "the text has no \" at its end");
	r->at++;
	*n = (size_t)(to - *text);
	*to = '\0';
	return 0;
}

/* key="value" */
static int take_wanted(struct reader *r, struct detect_example *example) {
	const char *word = r->at, *equals = memchr(r->at, '=', (size_t)(r->end - r->at));
	unsigned which = 0;
	size_t n;

	while (equals && which < DETECT_TEXTS
		&& (strlen(detect_text_names[which]) != (size_t)(equals - word)
			|| memcmp(detect_text_names[which], word, (size_t)(equals - word))))
		which++;
	if (!equals || which == DETECT_TEXTS || example->wanted[which])
		return fail(r, word, (size_t)(r->end - word),
			"write what comes out, each once, as in product=\"nginx\" "
			"version=\"1.22.1\"");
	r->at = equals + 1;
	return take_string(r, &example->wanted[which], &n);
}

/* `example FIELD "text" key="value" ...` */
static int take_example(struct reader *r) {
	struct detect_example *example = detect_rules_add_example(r->rules, r->line);
	int ret;

	if (!example)
		return no_memory(r);
	ret = take_field(r, &example->field);
	skip_blanks(r);
	if (!ret)
		ret = take_string(r, &example->value, &example->n);
	if (!ret && example->field != DETECT_BANNER && example->field != current(r)->field)
		return fail(r, "example", 7, "it is about another field than its rule");
	for (skip_blanks(r); !ret && r->at < r->end; skip_blanks(r))
		ret = take_wanted(r, example);
	return ret;
}

/* ---- Lines ---- */

static int take_key(struct reader *r) {
	const char *word, *text;
	const size_t length = take_word(r, &word);
	size_t n;

	if (!r->in_rule)
		return fail(r, word, length, "a key before the first rule; begin one with match");
	skip_blanks(r);
	text = r->at;
	n = (size_t)(r->end - text);
	if (!n)
		return fail(r, word, length, "nothing behind it");
	if (length == 4 && !memcmp(word, "port", 4))
		return take_ports(r, text, n);
	if (length == 10 && !memcmp(word, "confidence", 10))
		return take_confidence(r, text, n);
	if (length == 7 && !memcmp(word, "example", 7))
		return take_example(r);
	for (unsigned t = 0; t < DETECT_TEXTS; t++)
		if (strlen(detect_text_names[t]) == length
			&& !memcmp(detect_text_names[t], word, length))
			return take_text(r, (enum detect_text)t, text, n);
	return fail(r, word, length,
		"no such key; there are port, service, product, version, info, os, cpe, confidence "
		"and example");
}

static int end_rule(struct reader *r) {
	bool any = !r->in_rule;

	for (unsigned t = 0; r->in_rule && t < DETECT_TEXTS; t++)
		any |= current(r)->text[t] != NULL;
	if (any)
		return 0;
	r->line = current(r)->line;
	return fail(r, "match", 5, "the rule says nothing; give at least a service, info or os");
}

static int take_line(struct reader *r) {
	static const char match[] = "match";
	const bool indented = r->at < r->end && is_blank(*r->at);
	const char *word = r->at;
	size_t length;
	int ret;

	while (r->end > r->at && (is_blank(r->end[-1]) || r->end[-1] == '\r'))
		r->end--;
	skip_blanks(r);
	if (r->at == r->end || *r->at == '#')
		return 0;
	if (memchr(r->at, '\0', (size_t)(r->end - r->at)))
		return fail(r, r->at, 1, "a NUL in the line; this is no text");
	if (indented)
		return take_key(r);
	length = take_word(r, &word);
	if (length != sizeof(match) - 1 || memcmp(word, match, length))
		return fail(r, word, length, "a rule begins with match, and its keys are indented");
	ret = end_rule(r);
	return ret ? ret : take_match(r);
}

int detect_rules_parse(struct detect_rules *rules, const char *name, const char *text,
	size_t length, struct dp_error *err) {
	struct reader r = {.rules = rules, .name = name, .err = err};
	const char *end = text + length;
	int ret = detect_rules_add_file(rules, name);

	if (ret)
		return no_memory(&r);
	while (!ret && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		r.line++;
		r.at = text;
		r.end = newline ? newline : end;
		text = newline ? newline + 1 : end;
		ret = take_line(&r);
	}
	return ret ? ret : end_rule(&r);
}

int detect_rules_read(struct detect_rules *rules, const char *path, struct dp_error *err) {
	FILE *file = fopen(path, "re");
	char *text = malloc(MAX_FILE_BYTES + 1);
	size_t n;
	int ret;

	if (!file)
		ret = dp_fail(err, true, -errno, "%s: cannot read the fingerprints: %m", path);
	else if (!text)
		ret = dp_fail(err, false, -ENOMEM, "%s: out of memory", path);
	else if ((n = fread(text, 1, MAX_FILE_BYTES + 1, file)) > MAX_FILE_BYTES)
		ret = dp_fail(err, true, -EFBIG, "%s: over %d MiB; give less at once", path,
			MAX_FILE_BYTES >> 20);
	else if (ferror(file))
		ret = dp_fail(err, true, -EIO, "%s: cannot read the fingerprints: %m", path);
	else
		ret = detect_rules_parse(rules, path, text, n, err);
	if (file)
		fclose(file);
	free(text);
	return ret;
}

char *detect_default_path(void) {
	return datadir_path("conf/fingerprints.txt", "fingerprints.txt");
}
