/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiling rules, and naming the service of a banner. Control core; owns one database and the compiled
 * patterns of each field, and what a match needs.
 *
 * Vectorscan looks for all patterns of a field in one pass, as a prefilter: it may name one that PCRE2 then
 * does not find, but leaves out none that it would. Patterns that it cannot take at all are tried
 * always. The rules that match are then weighed: the surest names service, product, version and CPE.
 */
#include "detect_rule.h"
#include "json.h"

#include <hs/hs.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
	GROUPS = 10, /* $0 to $9 */
	MATCH_LIMIT = 100000, /* steps of one pattern: some milliseconds at the worst */
};

static const double sure_version = 0.95, sure_product = 0.85, sure_service = 0.7;

struct table { /* the rules of a field */
	hs_database_t *database; /* NULL: none */
	uint32_t *always; /* rules that are not in it */
	unsigned nb_always;
};

/* Rules of a field that may match, in the order of the files. */
struct candidates {
	uint32_t *rule; /* room for all rules */
	unsigned nb;
};

struct detect {
	const struct detect_rules *rules;
	pcre2_code **code; /* one a rule; NULL: left out */
	struct table table[DETECT_FIELDS];
	hs_scratch_t *scratch;
	pcre2_match_data *data;
	pcre2_match_context *context;
	struct candidates candidates;
	struct detect_fields fields;
};

/* ---- Compiling ---- */

static int fail_pattern(const struct detect_rule *rule, const char *why, struct dp_error *err) {
	return dp_fail(err, true, -EINVAL, "%s:%u: /%.80s/: %s", rule->file, rule->line,
		rule->pattern, why);
}

static int compile_rule(struct detect *detect, unsigned i, struct dp_error *err) {
	const struct detect_rule *rule = &detect->rules->rule[i];
	const uint32_t flags = (rule->icase ? PCRE2_CASELESS : 0)
		| (rule->dotall ? PCRE2_DOTALL : 0) | (rule->multiline ? PCRE2_MULTILINE : 0);
	PCRE2_SIZE at;
	int code;

	detect->code[i] = pcre2_compile(
		(PCRE2_SPTR)rule->pattern, PCRE2_ZERO_TERMINATED, flags, &code, &at, NULL);
	if (!detect->code[i]) {
		PCRE2_UCHAR text[128];

		pcre2_get_error_message(code, text, sizeof(text));
		return fail_pattern(rule, (const char *)text, err);
	}
	/* Without its compiler PCRE2 interprets, which is slower and says the same. */
	pcre2_jit_compile(detect->code[i], PCRE2_JIT_COMPLETE);
	return 0;
}

/* The rules of a field as Vectorscan takes them. */
struct patterns {
	const char **text;
	unsigned *flags, *id;
	unsigned nb;
};

static bool suits_vectorscan(const struct detect_rule *rule, unsigned flags) {
	hs_expr_info_t *info = NULL;
	hs_compile_error_t *error = NULL;
	const bool suits = hs_expression_info(rule->pattern, flags, &info, &error) == HS_SUCCESS;

	free(info);
	hs_free_compile_error(error);
	return suits;
}

static void sort_rules(const struct detect_rules *rules, enum detect_field field,
	struct table *table, struct patterns *patterns) {
	for (unsigned i = 0; i < rules->nb; i++) {
		const struct detect_rule *rule = &rules->rule[i];
		const unsigned flags = HS_FLAG_PREFILTER | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY
			| (rule->icase ? HS_FLAG_CASELESS : 0) | (rule->dotall ? HS_FLAG_DOTALL : 0)
			| (rule->multiline ? HS_FLAG_MULTILINE : 0);

		if (rule->field != field)
			continue;
		if (!suits_vectorscan(rule, flags)) {
			table->always[table->nb_always++] = i;
			continue;
		}
		patterns->text[patterns->nb] = rule->pattern;
		patterns->flags[patterns->nb] = flags;
		patterns->id[patterns->nb++] = i;
	}
}

/* What is too large for Vectorscan is taken out, too. */
static hs_error_t compile_patterns(struct table *table, struct patterns *patterns) {
	while (patterns->nb) {
		hs_compile_error_t *error = NULL;
		const hs_error_t rc = hs_compile_multi(patterns->text, patterns->flags,
			patterns->id, patterns->nb, HS_MODE_BLOCK, NULL, &table->database, &error);
		const int which = rc == HS_COMPILER_ERROR && error ? error->expression : -1;

		hs_free_compile_error(error);
		if (which < 0)
			return rc;
		table->always[table->nb_always++] = patterns->id[which];
		patterns->nb--;
		patterns->text[which] = patterns->text[patterns->nb];
		patterns->flags[which] = patterns->flags[patterns->nb];
		patterns->id[which] = patterns->id[patterns->nb];
	}
	return HS_SUCCESS;
}

static int compile_field(struct detect *detect, enum detect_field field, struct dp_error *err) {
	const size_t nb = detect->rules->nb;
	struct table *table = &detect->table[field];
	struct patterns patterns = {
		.text = calloc(nb + 1, sizeof(*patterns.text)),
		.flags = calloc(nb + 1, sizeof(*patterns.flags)),
		.id = calloc(nb + 1, sizeof(*patterns.id)),
	};
	hs_error_t rc = HS_NOMEM;

	table->always = calloc(nb + 1, sizeof(*table->always));
	if (table->always && patterns.text && patterns.flags && patterns.id) {
		sort_rules(detect->rules, field, table, &patterns);
		rc = compile_patterns(table, &patterns);
	}
	if (rc == HS_SUCCESS && table->database)
		rc = hs_alloc_scratch(table->database, &detect->scratch);
	free(patterns.text);
	free(patterns.flags);
	free(patterns.id);
	return rc == HS_SUCCESS
		? 0
		: dp_fail(err, false, rc == HS_NOMEM ? -ENOMEM : -EINVAL,
			"fingerprints of %s: Vectorscan cannot compile them (error %d)",
			detect_field_names[field], rc);
}

int detect_create(const struct detect_rules *rules, struct detect **out, struct dp_error *err) {
	struct detect *detect = calloc(1, sizeof(*detect));
	int ret = 0;

	if (!detect)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	detect->rules = rules;
	detect->code = calloc(rules->nb + 1u, sizeof(*detect->code));
	detect->data = pcre2_match_data_create(GROUPS, NULL);
	detect->context = pcre2_match_context_create(NULL);
	detect->candidates.rule = calloc(rules->nb + 1u, sizeof(*detect->candidates.rule));
	if (!detect->code || !detect->data || !detect->context || !detect->candidates.rule)
		ret = dp_fail(err, false, -ENOMEM, "out of memory");
	else
		pcre2_set_match_limit(detect->context, MATCH_LIMIT);
	for (unsigned i = 0; !ret && i < rules->nb; i++)
		ret = compile_rule(detect, i, err);
	for (unsigned f = 0; !ret && f < DETECT_FIELDS; f++)
		ret = compile_field(detect, (enum detect_field)f, err);
	if (ret)
		detect_destroy(detect);
	else
		*out = detect;
	return ret;
}

void detect_destroy(struct detect *detect) {
	if (!detect)
		return;
	for (unsigned i = 0; detect->code && i < detect->rules->nb; i++)
		pcre2_code_free(detect->code[i]);
	for (unsigned f = 0; f < DETECT_FIELDS; f++) {
		hs_free_database(detect->table[f].database);
		free(detect->table[f].always);
	}
	hs_free_scratch(detect->scratch);
	pcre2_match_data_free(detect->data);
	pcre2_match_context_free(detect->context);
	free(detect->candidates.rule);
	free(detect->code);
	free(detect);
}

/* ---- Texts from a match ---- */

/* A text that grows up to its room; what comes behind that is left out and shows as "...". */
struct writer {
	char *text;
	size_t room, used;
	bool cut;
};

static void put(struct writer *w, const char *bytes, size_t n) {
	if (w->cut || w->used + n >= w->room) {
		w->cut = true;
		return;
	}
	memcpy(w->text + w->used, bytes, n);
	w->used += n;
}

static unsigned utf8_length(unsigned char first) {
	return first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Bytes of a stranger as one line of UTF-8: control characters become blanks, what is no character U+FFFD. */
static void put_clean(struct writer *w, const char *at, const char *end) {
	while (at < end) {
		const unsigned char c = (unsigned char)*at;
		const unsigned n = utf8_length(c);

		if (c < 0x80) {
			put(w, c < ' ' || c == 0x7f ? " " : at, 1);
			at++;
		} else if (n && (size_t)(end - at) >= n && json_is_utf8(at, n)) {
			put(w, at, n);
			at += n;
		} else {
			put(w, "\xef\xbf\xbd", 3);
			at++;
		}
	}
}

/* As a component of a CPE 2.2 URI: lower case, and percent signs for all but letters, digits and ._-~ */
static void put_cpe(struct writer *w, const char *at, const char *end) {
	for (; at < end; at++) {
		char text[4] = {(char)tolower((unsigned char)*at)};

		if (!isalnum((unsigned char)*at) && !strchr("._-~", *at))
			snprintf(text, sizeof(text), "%%%02x", (unsigned char)*at);
		put(w, text, strlen(text));
	}
}

struct match {
	const char *subject;
	const PCRE2_SIZE *at; /* pairs: where a group begins and ends */
	unsigned nb; /* groups that the match knows */
};

static bool group_of(const struct match *match, char digit, const char **at, const char **end) {
	const unsigned g = (unsigned)(digit - '0');

	if (g >= match->nb || match->at[2 * g] == PCRE2_UNSET)
		return false;
	*at = match->subject + match->at[2 * g];
	*end = match->subject + match->at[2 * g + 1];
	return *end > *at;
}

/* The ] that ends the part at @text, with whether all groups in it are there. */
static const char *optional_end(const struct match *match, const char *text, bool *whole) {
	const char *at, *end;

	*whole = true;
	for (; *text != ']'; text++) {
		if (*text == '\\')
			text++;
		else if (*text == '$' && *++text != '$')
			*whole &= group_of(match, *text, &at, &end);
	}
	return text;
}

static void put_text(struct writer *w, const struct match *match, const char *text, bool cpe) {
	const char *at, *end;
	bool whole;

	for (; *text; text++) {
		if (*text == '\\') {
			put(w, ++text, 1);
		} else if (*text == '$' && *++text != '$') {
			if (!group_of(match, *text, &at, &end))
				continue;
			if (cpe)
				put_cpe(w, at, end);
			else
				put_clean(w, at, end);
		} else if (*text == '[') {
			const char *close = optional_end(match, text + 1, &whole);

			if (!whole)
				text = close;
		} else if (*text != ']') {
			put(w, text, 1);
		}
	}
}

/* Write @text of the match to @to. */
static void expand(const struct match *match, const char *text, bool cpe, char *to, size_t room) {
	/* Room for the dots. */
	struct writer w = {.text = to, .room = room - 3};
	size_t from = 0;

	if (text)
		put_text(&w, match, text, cpe);
	if (w.cut) {
		memcpy(to + w.used, "...", 3);
		w.used += 3;
	}
	while (w.used && (to[w.used - 1] == ' ' || (cpe && to[w.used - 1] == ':')))
		w.used--;
	while (from < w.used && to[from] == ' ')
		from++;
	memmove(to, to + from, w.used - from);
	to[w.used - from] = '\0';
}

/* ---- Weighing ---- */

/* What the rules that match say so far. */
struct finding {
	bool any;
	uint32_t rule; /* of the surest */
	struct lh_service service;
	char info[sizeof(((struct lh_service *)0)->info)]; /* of rules that only add */
	char os[sizeof(((struct lh_service *)0)->os)]; /* of others than the surest */
};

static bool suits_port(const struct detect_rule *rule, enum dp_proto proto, uint16_t port) {
	for (unsigned i = 0; i < rule->nb_ports; i++)
		if (port >= rule->ports[i].first && port <= rule->ports[i].last
			&& (proto == DP_PROTO_UDP ? rule->ports[i].udp : rule->ports[i].tcp))
			return true;
	return rule->nb_ports == 0;
}

static bool only_adds(const struct detect_rule *rule) {
	return !rule->text[DETECT_SERVICE] && !rule->text[DETECT_PRODUCT];
}

static void add_info(struct finding *finding, const char *info) {
	const size_t used = strlen(finding->info), n = strlen(info);

	/* The same from two headers is said once. */
	if (!n || strstr(finding->info, info) || used + n + 3 > sizeof(finding->info))
		return;
	memcpy(finding->info + used, used ? "; " : "", used ? 2 : 0);
	memcpy(finding->info + used + (used ? 2 : 0), info, n + 1);
}

static double sureness(const struct detect_rule *rule, const struct lh_service *service) {
	return rule->confidence >= 0  ? rule->confidence
		: service->version[0] ? sure_version
		: service->product[0] ? sure_product
				      : sure_service;
}

static void take_match(struct finding *finding, const struct detect_rules *rules, uint32_t i,
	const struct match *match) {
	const struct detect_rule *rule = &rules->rule[i];
	char *const *text = rule->text;
	struct lh_service s = {0};

	expand(match, text[DETECT_INFO], false, s.info, sizeof(s.info));
	expand(match, text[DETECT_OS], false, s.os, sizeof(s.os));
	if (!only_adds(rule)) {
		expand(match, text[DETECT_VERSION], false, s.version, sizeof(s.version));
		expand(match, text[DETECT_PRODUCT], false, s.product, sizeof(s.product));
		s.confidence = sureness(rule, &s);
		/* Ties go to the earlier. */
		if (!finding->any || s.confidence > finding->service.confidence
			|| (s.confidence == finding->service.confidence && i < finding->rule)) {
			expand(match, text[DETECT_SERVICE], false, s.name, sizeof(s.name));
			expand(match, text[DETECT_CPE], true, s.cpe, sizeof(s.cpe));
			if (!s.os[0])
				memcpy(s.os, finding->service.os, sizeof(s.os));
			if (!s.name[0])
				memcpy(s.name, finding->service.name, sizeof(s.name));
			finding->service = s;
			finding->rule = i;
			finding->any = true;
			return;
		}
		if (!finding->service.name[0])
			expand(match, text[DETECT_SERVICE], false, finding->service.name,
				sizeof(finding->service.name));
	} else {
		add_info(finding, s.info);
	}
	if (s.os[0] && !finding->os[0])
		memcpy(finding->os, s.os, sizeof(finding->os));
}

static void try_rule(struct detect *detect, uint32_t i, const struct detect_value *value,
	enum dp_proto proto, uint16_t port, struct finding *finding) {
	struct match match = {.subject = value->at};
	int rc;

	if (!detect->code[i] || !suits_port(&detect->rules->rule[i], proto, port))
		return;
	rc = pcre2_match(detect->code[i], (PCRE2_SPTR)value->at, value->n, 0, 0, detect->data,
		detect->context);
	if (rc < 0)
		return;
	/* 0: more groups than there is room for. */
	match.nb = rc ? (unsigned)rc : GROUPS;
	match.at = pcre2_get_ovector_pointer(detect->data);
	take_match(finding, detect->rules, i, &match);
}

static int on_candidate(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
	void *context) {
	struct candidates *candidates = context;
	unsigned at = candidates->nb++;

	/* Each comes once. Few do, so that inserting is the fastest way of sorting. */
	for (; at && candidates->rule[at - 1] > id; at--)
		candidates->rule[at] = candidates->rule[at - 1];
	candidates->rule[at] = id;
	return 0;
}

static void try_field(struct detect *detect, enum detect_field field, enum dp_proto proto,
	uint16_t port, struct finding *finding) {
	const struct table *table = &detect->table[field];
	const struct detect_value *value = &detect->fields.value[field];
	struct candidates *candidates = &detect->candidates;

	if (!value->at)
		return;
	candidates->nb = 0;
	if (table->database)
		hs_scan(table->database, value->at, (unsigned)value->n, 0, detect->scratch,
			on_candidate, candidates);
	for (unsigned i = 0; i < candidates->nb; i++)
		try_rule(detect, candidates->rule[i], value, proto, port, finding);
	for (unsigned i = 0; i < table->nb_always; i++)
		try_rule(detect, table->always[i], value, proto, port, finding);
}

/* What the surest rule left open, from the others. */
static bool conclude(struct finding *finding, struct lh_service *service) {
	char *info = finding->service.info;
	const size_t used = strlen(info), n = strlen(finding->info);

	if (!finding->any)
		return false;
	if (n && !strstr(info, finding->info) && used + n + 3 <= sizeof(finding->service.info)) {
		memcpy(info + used, used ? "; " : "", used ? 2 : 0);
		memcpy(info + used + (used ? 2 : 0), finding->info, n + 1);
	}
	if (!finding->service.os[0])
		memcpy(finding->service.os, finding->os, sizeof(finding->os));
	*service = finding->service;
	return true;
}

bool detect_run(struct detect *detect, enum dp_proto proto, uint16_t port, const uint8_t *banner,
	size_t n, struct lh_service *service) {
	struct finding finding = {.any = false};

	detect_split(&detect->fields, banner, n, proto == DP_PROTO_UDP);
	for (unsigned f = 0; f < DETECT_FIELDS; f++)
		try_field(detect, (enum detect_field)f, proto, port, &finding);
	return conclude(&finding, service);
}

/* ---- Examples ---- */

static const char *text_of(const struct lh_service *service, enum detect_text which) {
	const char *const texts[DETECT_TEXTS] = {
		[DETECT_SERVICE] = service->name,
		[DETECT_PRODUCT] = service->product,
		[DETECT_VERSION] = service->version,
		[DETECT_INFO] = service->info,
		[DETECT_OS] = service->os,
		[DETECT_CPE] = service->cpe,
	};

	return texts[which];
}

/* As the value of one field, which is judged by all rules of that field. */
static bool run_field(struct detect *detect, const struct detect_example *example,
	enum dp_proto proto, uint16_t port, struct lh_service *service) {
	struct finding finding = {.any = false};

	memset(detect->fields.value, 0, sizeof(detect->fields.value));
	detect->fields.value[example->field] = (struct detect_value){example->value, example->n};
	try_field(detect, example->field, proto, port, &finding);
	/* A rule that only adds has nothing to add to here. */
	finding.any = true;
	return conclude(&finding, service);
}

static bool try_example(struct detect *detect, const struct detect_example *example, FILE *out) {
	const struct detect_rule *rule = &detect->rules->rule[example->rule];
	const bool udp = rule->nb_ports && rule->ports[0].udp && !rule->ports[0].tcp;
	const enum dp_proto proto = udp ? DP_PROTO_UDP : DP_PROTO_TCP;
	const uint16_t port = rule->nb_ports ? rule->ports[0].first : 1;
	struct lh_service service = {0};
	bool right = true;

	if (example->field == DETECT_BANNER)
		detect_run(
			detect, proto, port, (const uint8_t *)example->value, example->n, &service);
	else
		run_field(detect, example, proto, port, &service);
	for (unsigned t = 0; t < DETECT_TEXTS; t++) {
		const char *got = text_of(&service, (enum detect_text)t);

		if (!example->wanted[t] || !strcmp(got, example->wanted[t]))
			continue;
		fprintf(out, "%s:%u: example: %s is \"%s\", not \"%s\"\n", rule->file,
			example->line, detect_text_names[t], got, example->wanted[t]);
		right = false;
	}
	return right;
}

unsigned detect_try_examples(struct detect *detect, unsigned *nb, FILE *out) {
	unsigned wrong = 0;

	for (unsigned i = 0; i < detect->rules->nb_examples; i++)
		wrong += !try_example(detect, &detect->rules->example[i], out);
	*nb = detect->rules->nb_examples;
	return wrong;
}
