/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading files of fingerprints (docs/fingerprints.md). Main thread, before the scan starts; the rules own all
 * that was read.
 */
#include "datadir.h"
#include "detect_rule.h"
#include "text_line.h"
#include "value.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <errno.h>
#include <pcre2.h>
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
	struct text_line line;
	bool in_rule;
};

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

static int take_field(struct reader *r, enum detect_field *field) {
	const char *word;
	size_t n;

	text_skip_blanks(&r->line);
	n = text_word(&r->line, &word);
	if (detect_field_of(word, n, field))
		return 0;
	return text_fail(
		&r->line, word, n, "no field; give one of docs/fingerprints.md, such as banner");
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
	return text_fail(&r->line, pattern, strlen(pattern),
		"not a pattern: %s, behind its character %zu", (const char *)text, at);
}

/* /PATTERN/FLAGS; a slash in it is \/. */
static int take_pattern(struct reader *r, struct detect_rule *rule) {
	char *to;
	const char *from;

	text_skip_blanks(&r->line);
	from = r->line.at;
	if (r->line.at == r->line.end || *r->line.at != '/')
		return text_fail(&r->line, r->line.at, (size_t)(r->line.end - r->line.at),
			"no pattern; write it between slashes: match banner /^SSH-/");
	to = rule->pattern = malloc((size_t)(r->line.end - r->line.at) + 1);
	if (!to)
		return text_no_memory(&r->line);
	for (r->line.at++; r->line.at < r->line.end && *r->line.at != '/'; r->line.at++) {
		if (*r->line.at == '\\' && r->line.at + 1 < r->line.end && *++r->line.at != '/')
			*to++ = '\\';
		*to++ = *r->line.at;
	}
	*to = '\0';
	if (r->line.at == r->line.end)
		return text_fail(&r->line, from, (size_t)(r->line.end - from),
			"the pattern has no / at its end");
	if (check_pattern(r, rule->pattern))
		return -EINVAL;
	for (r->line.at++; r->line.at < r->line.end && !is_blank(*r->line.at); r->line.at++) {
		bool *flag = *r->line.at == 'i' ? &rule->icase
			: *r->line.at == 's'	? &rule->dotall
			: *r->line.at == 'm'	? &rule->multiline
						: NULL;

		if (!flag || *flag)
			return text_fail(&r->line, r->line.at, 1,
				"not a flag; behind the pattern go i, s and m");
		*flag = true;
	}
	text_skip_blanks(&r->line);
	return r->line.at == r->line.end
		? 0
		: text_fail(&r->line, r->line.at, (size_t)(r->line.end - r->line.at),
			"more than a field and a pattern");
}

/* `match FIELD /PATTERN/FLAGS` */
static int take_match(struct reader *r) {
	struct detect_rule *rule = detect_rules_add(r->rules, r->line.number);
	int ret;

	if (!rule)
		return text_no_memory(&r->line);
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
		return text_fail(&r->line, "port", 4, "given twice");
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
			return text_fail(&r->line, text, (size_t)(end - text),
				"not ports; write them as in 443, 8000-8100, U:53");
		more = reallocarray(rule->ports, rule->nb_ports + 1, sizeof(*more));
		if (!more)
			return text_no_memory(&r->line);
		rule->ports = more;
		rule->ports[rule->nb_ports++] = ports;
		text = comma ? comma + 1 : end;
	}
	return rule->nb_ports ? 0 : text_fail(&r->line, "port", 4, "no ports behind it");
}

static int take_confidence(struct reader *r, const char *text, size_t n) {
	struct value_error why;
	char number[16];

	snprintf(number, sizeof(number), "%.*s", (int)(n < 15 ? n : 15), text);
	if (current(r)->confidence >= 0)
		return text_fail(&r->line, "confidence", 10, "given twice");
	if (value_read_fraction(number, &current(r)->confidence, &why) < 0 || n > 15)
		return text_fail(&r->line, text, n, "not a confidence; give a number from 0 to 1");
	return 0;
}

static int check_service(struct reader *r, const char *text, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i])
			&& text[i] != '-')
			return text_fail(
				&r->line, text, n, "not a service's name; it has a-z, 0-9 and -");
	return n < SERVICE_BYTES ? 0
				 : text_fail(&r->line, text, n,
					 "too long; give at most %d characters", SERVICE_BYTES - 1);
}

static int take_text(struct reader *r, enum detect_text which, const char *text, size_t n) {
	char **place = &current(r)->text[which];
	const char *wrong;

	if (*place)
		return text_fail(&r->line, detect_text_names[which],
			strlen(detect_text_names[which]), "given twice");
	if (which == DETECT_SERVICE && check_service(r, text, n))
		return -EINVAL;
	if (which == DETECT_CPE && (n < 8 || memcmp(text, "cpe:/", 5)))
		return text_fail(&r->line, text, n,
			"not a CPE 2.2 URI; write cpe:/a:VENDOR:PRODUCT:VERSION");
	*place = strndup(text, n);
	if (!*place)
		return text_no_memory(&r->line);
	wrong = detect_text_wrong(*place);
	return wrong ? text_fail(&r->line, text, n, "%s", wrong) : 0;
}

/* ---- Examples ---- */

/* "text" with escapes, to be freed. */
static int take_string(struct reader *r, char **text, size_t *n) {
	const size_t room = (size_t)(r->line.end - r->line.at);

	if (!room || *r->line.at != '"')
		return text_fail(&r->line, r->line.at, room, "a \"text\" is missing");
	*text = malloc(room);
	if (!*text)
		return text_no_memory(&r->line);
	*n = 0;
	/* Escaped it is no shorter, and it has two quotes. */
	int ret = text_quoted(&r->line, (uint8_t *)*text, room - 1, n);
	(*text)[*n] = '\0';
	return ret;
}

/* key="value" */
static int take_wanted(struct reader *r, struct detect_example *example) {
	const char *word = r->line.at,
		   *equals = memchr(r->line.at, '=', (size_t)(r->line.end - r->line.at));
	unsigned which = 0;
	size_t n;

	while (equals && which < DETECT_TEXTS
		&& (strlen(detect_text_names[which]) != (size_t)(equals - word)
			|| memcmp(detect_text_names[which], word, (size_t)(equals - word))))
		which++;
	if (!equals || which == DETECT_TEXTS || example->wanted[which])
		return text_fail(&r->line, word, (size_t)(r->line.end - word),
			"write what comes out, each once, as in product=\"nginx\" "
			"version=\"1.22.1\"");
	r->line.at = equals + 1;
	return take_string(r, &example->wanted[which], &n);
}

/* `example FIELD "text" key="value" ...` */
static int take_example(struct reader *r) {
	struct detect_example *example = detect_rules_add_example(r->rules, r->line.number);
	int ret;

	if (!example)
		return text_no_memory(&r->line);
	ret = take_field(r, &example->field);
	text_skip_blanks(&r->line);
	if (!ret)
		ret = take_string(r, &example->value, &example->n);
	if (!ret && example->field != DETECT_BANNER && example->field != current(r)->field)
		return text_fail(&r->line, "example", 7, "it is about another field than its rule");
	for (text_skip_blanks(&r->line); !ret && r->line.at < r->line.end;
		text_skip_blanks(&r->line))
		ret = take_wanted(r, example);
	return ret;
}

/* ---- Lines ---- */

static int take_key(struct reader *r) {
	const char *word, *text;
	const size_t length = text_word(&r->line, &word);
	size_t n;

	if (!r->in_rule)
		return text_fail(&r->line, word, length,
			"a key before the first rule; begin one with match");
	text_skip_blanks(&r->line);
	text = r->line.at;
	n = (size_t)(r->line.end - text);
	if (!n)
		return text_fail(&r->line, word, length, "nothing behind it");
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
	return text_fail(&r->line, word, length,
		"no such key; there are port, service, product, version, info, os, cpe, confidence "
		"and example");
}

static int end_rule(struct reader *r) {
	bool any = !r->in_rule;

	for (unsigned t = 0; r->in_rule && t < DETECT_TEXTS; t++)
		any |= current(r)->text[t] != NULL;
	if (any)
		return 0;
	r->line.number = current(r)->line;
	return text_fail(
		&r->line, "match", 5, "the rule says nothing; give at least a service, info or os");
}

static int take_line(struct reader *r) {
	static const char match[] = "match";
	const bool indented = r->line.at < r->line.end && is_blank(*r->line.at);
	const char *word = r->line.at;
	size_t length;
	int ret;

	while (r->line.end > r->line.at && (is_blank(r->line.end[-1]) || r->line.end[-1] == '\r'))
		r->line.end--;
	text_skip_blanks(&r->line);
	if (r->line.at == r->line.end || *r->line.at == '#')
		return 0;
	if (memchr(r->line.at, '\0', (size_t)(r->line.end - r->line.at)))
		return text_fail(&r->line, r->line.at, 1, "a NUL in the line; this is no text");
	if (indented)
		return take_key(r);
	length = text_word(&r->line, &word);
	if (length != sizeof(match) - 1 || memcmp(word, match, length))
		return text_fail(&r->line, word, length,
			"a rule begins with match, and its keys are indented");
	ret = end_rule(r);
	return ret ? ret : take_match(r);
}

int detect_rules_parse(struct detect_rules *rules, const char *name, const char *text,
	size_t length, struct dp_error *err) {
	struct reader r = {.rules = rules, .line = {.name = name, .err = err}};
	const char *end = text + length;
	int ret = detect_rules_add_file(rules, name);

	if (ret)
		return text_no_memory(&r.line);
	while (!ret && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		r.line.number++;
		r.line.at = text;
		r.line.end = newline ? newline : end;
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
