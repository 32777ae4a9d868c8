/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiling rules, and naming the service of a banner. Control core; owns the compiled patterns, the index of
 * their literals, and what a match needs.
 *
 * Most patterns cannot match without some literal, such as "OpenSSH_" (detect_literal.h). Vectorscan looks for
 * the rarest literal of each in one pass over the banner; only rules whose literal is there, and those
 * that have none, are tried by PCRE2. The rules that match are then weighed: the surest names service,
 * product, version and CPE.
 */
#include "detect_literal.h"
#include "detect_rule.h"
#include "json.h"

#include <hs/hs.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
	GROUPS = 10, /* $0 to $9 */
	INFO_BYTES = sizeof(((struct lh_service *)0)->info),
	MATCH_LIMIT = 100000, /* steps of one pattern: some milliseconds at the worst */
};

static const double sure_version = 0.95, sure_product = 0.85, sure_service = 0.7;

/* Rules that one literal leads to, or that are always tried. */
struct list {
	uint32_t *rule;
	unsigned nb;
};

/* What of a rule is looked at before it is tried, in one place. */
struct rule {
	uint8_t begin[256
		/ 8]; /* the bytes that a text may begin with for it to match, a bit each */
	double most; /* confidence at the most */
	uint8_t field; /* enum detect_field */
	bool adds; /* names nothing: has info and os only */
	bool has_name, has_os;
	bool compiled,
		fast; /* PCRE2's compiler has seen it, when it was first tried; and took it */
};

struct detect {
	const struct detect_rules *rules;
	pcre2_code **code; /* one a rule */
	struct rule *rule; /* likewise */
	hs_database_t *database; /* NULL: no rule has a literal */
	struct list *literal; /* by their number in the database */
	unsigned nb_literals;
	struct list *other
		[DETECT_FIELDS]; /* rules without one: 256 lists, by the first byte; NULL: none */
	hs_scratch_t *scratch;
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint64_t *candidates; /* rules to try on a banner, a bit each */
	struct detect_fields fields;
};

/* ---- Compiling ---- */

static int fail_pattern(const struct detect_rule *rule, const char *why, struct dp_error *err) {
	return dp_fail(err, true, -EINVAL, "%s:%u: /%.80s/: %s", rule->file, rule->line,
		rule->pattern, why);
}

/* What PCRE2 knows of how a match begins, if it has to be where the text does; else anything. */
static void note_begin(const pcre2_code *code, uint8_t begin[256 / 8]) {
	const uint8_t *bits = NULL;
	uint32_t options = 0, kind = 0, first = 0;

	memset(begin, 0xff, 256 / 8);
	pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
	if (!(options & PCRE2_ANCHORED))
		return;
	pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODETYPE, &kind);
	pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODEUNIT, &first);
	pcre2_pattern_info(code, PCRE2_INFO_FIRSTBITMAP, &bits);
	if (bits) {
		memcpy(begin, bits, 256 / 8);
	} else if (kind == 1) {
		memset(begin, 0, 256 / 8);
		begin[first / 8] = (uint8_t)(1 << first % 8);
		/* Its case may be left open. */
		if (isalpha((int)first))
			begin[(first ^ 0x20) / 8] = (uint8_t)(1 << (first ^ 0x20) % 8);
	}
}

static double most_sure(const struct detect_rule *rule) {
	return rule->confidence >= 0	     ? rule->confidence
		: rule->text[DETECT_VERSION] ? sure_version
		: rule->text[DETECT_PRODUCT] ? sure_product
					     : sure_service;
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
	note_begin(detect->code[i], detect->rule[i].begin);
	detect->rule[i].most = most_sure(rule);
	detect->rule[i].field = (uint8_t)rule->field;
	detect->rule[i].adds = !rule->text[DETECT_SERVICE] && !rule->text[DETECT_PRODUCT];
	detect->rule[i].has_name = rule->text[DETECT_SERVICE] != NULL;
	detect->rule[i].has_os = rule->text[DETECT_OS] != NULL;
	return 0;
}

/* The literals of all rules: @first[i] is where those of rule i begin in @all. */
struct literals {
	struct detect_literal *all;
	unsigned *first;
	const char **text; /* those that were chosen, each once */
	unsigned *chosen; /* one a rule: its place in @text; NONE */
	unsigned nb_text;
};

#define NONE UINT_MAX

static int by_text(const void *a, const void *b) {
	return strcmp(
		((const struct detect_literal *)a)->text, ((const struct detect_literal *)b)->text);
}

static int gather_literals(const struct detect_rules *rules, struct literals *l) {
	unsigned nb = 0;

	l->all = calloc((size_t)rules->nb * DETECT_LITERALS + 1, sizeof(*l->all));
	l->first = calloc(rules->nb + 1u, sizeof(*l->first));
	l->text = calloc(rules->nb + 1u, sizeof(*l->text));
	l->chosen = calloc(rules->nb + 1u, sizeof(*l->chosen));
	if (!l->all || !l->first || !l->text || !l->chosen)
		return -ENOMEM;
	for (unsigned i = 0; i < rules->nb; i++) {
		l->first[i] = nb;
		/* The name of a version is made up, and not in the banner. */
		if (rules->rule[i].field != DETECT_TLS_VERSION)
			nb += detect_literals(rules->rule[i].pattern, &l->all[nb]);
	}
	l->first[rules->nb] = nb;
	return 0;
}

/* How many of the @nb sorted literals have the text of @literal. */
static unsigned count_text(
	const struct detect_literal *sorted, unsigned nb, const struct detect_literal *literal) {
	const struct detect_literal *found = bsearch(literal, sorted, nb, sizeof(*sorted), by_text);
	const struct detect_literal *last = found;

	while (found > sorted && !by_text(found - 1, literal))
		found--;
	while (last + 1 < sorted + nb && !by_text(last + 1, literal))
		last++;
	return (unsigned)(last - found) + 1;
}

/* The literal of rule @i that the fewest rules have, of several the longest. */
static const struct detect_literal *rarest(
	const struct literals *l, const struct detect_literal *sorted, unsigned nb, unsigned i) {
	const struct detect_literal *best = NULL;
	unsigned best_count = 0;

	for (unsigned k = l->first[i]; k < l->first[i + 1]; k++) {
		const unsigned count = count_text(sorted, nb, &l->all[k]);

		if (best && (count > best_count || (count == best_count && l->all[k].n <= best->n)))
			continue;
		best = &l->all[k];
		best_count = count;
	}
	return best;
}

static unsigned place_of(struct literals *l, const char *text) {
	for (unsigned i = 0; i < l->nb_text; i++)
		if (!strcmp(l->text[i], text))
			return i;
	l->text[l->nb_text] = text;
	return l->nb_text++;
}

static int choose_literals(const struct detect_rules *rules, struct literals *l) {
	const unsigned nb = l->first[rules->nb];
	struct detect_literal *sorted = malloc((nb + 1u) * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, l->all, nb * sizeof(*sorted));
	qsort(sorted, nb, sizeof(*sorted), by_text);
	for (unsigned i = 0; i < rules->nb; i++) {
		const struct detect_literal *literal = rarest(l, sorted, nb, i);

		l->chosen[i] = literal ? place_of(l, literal->text) : NONE;
	}
	free(sorted);
	return 0;
}

static int append_rule(struct list *list, uint32_t rule) {
	uint32_t *more = reallocarray(list->rule, list->nb + 1u, sizeof(*more));

	if (!more)
		return -ENOMEM;
	list->rule = more;
	list->rule[list->nb++] = rule;
	return 0;
}

static bool may_begin(const struct detect *detect, uint32_t rule, unsigned char first) {
	return detect->rule[rule].begin[first / 8] >> first % 8 & 1;
}

/* A rule without a literal: by the bytes that it may begin with. */
static int list_other(struct detect *detect, uint32_t rule) {
	struct list **lists = &detect->other[detect->rules->rule[rule].field];
	int ret = 0;

	if (!*lists)
		*lists = calloc(256, sizeof(**lists));
	if (!*lists)
		return -ENOMEM;
	for (unsigned byte = 0; !ret && byte < 256; byte++)
		if (may_begin(detect, rule, (unsigned char)byte))
			ret = append_rule(&(*lists)[byte], rule);
	return ret;
}

static int list_rules(struct detect *detect, const struct literals *l) {
	int ret = 0;

	detect->literal = calloc(l->nb_text + 1u, sizeof(*detect->literal));
	detect->nb_literals = l->nb_text;
	if (!detect->literal)
		return -ENOMEM;
	for (uint32_t i = 0; !ret && i < detect->rules->nb; i++)
		ret = l->chosen[i] == NONE ? list_other(detect, i)
					   : append_rule(&detect->literal[l->chosen[i]], i);
	return ret;
}

static int compile_literals(struct detect *detect, const struct literals *l, struct dp_error *err) {
	const unsigned nb = l->nb_text;
	unsigned *flags = calloc(nb + 1u, sizeof(*flags)), *id = calloc(nb + 1u, sizeof(*id));
	size_t *length = calloc(nb + 1u, sizeof(*length));
	hs_compile_error_t *error = NULL;
	hs_error_t rc = HS_NOMEM;

	for (unsigned i = 0; flags && id && length && i < nb; i++) {
		flags[i] = HS_FLAG_CASELESS;
		id[i] = i;
		length[i] = strlen(l->text[i]);
	}
	if (flags && id && length)
		rc = hs_compile_lit_multi(l->text, flags, id, length, nb, HS_MODE_BLOCK, NULL,
			&detect->database, &error);
	hs_free_compile_error(error);
	if (rc == HS_SUCCESS)
		rc = hs_alloc_scratch(detect->database, &detect->scratch);
	free(flags);
	free(id);
	free(length);
	return rc == HS_SUCCESS
		? 0
		: dp_fail(err, false, rc == HS_NOMEM ? -ENOMEM : -EINVAL,
			"fingerprints: Vectorscan cannot search for their literals (error %d)", rc);
}

static int make_index(struct detect *detect, struct dp_error *err) {
	struct literals literals = {.nb_text = 0};
	int ret = gather_literals(detect->rules, &literals);

	if (!ret)
		ret = choose_literals(detect->rules, &literals);
	if (!ret)
		ret = list_rules(detect, &literals);
	if (ret)
		dp_fail(err, false, ret, "out of memory");
	else if (literals.nb_text)
		ret = compile_literals(detect, &literals, err);
	free(literals.all);
	free(literals.first);
	free(literals.text);
	free(literals.chosen);
	return ret;
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
	detect->candidates = calloc(rules->nb / 64 + 1, sizeof(*detect->candidates));
	detect->rule = calloc(rules->nb + 1u, sizeof(*detect->rule));
	if (!detect->code || !detect->rule || !detect->data || !detect->context
		|| !detect->candidates)
		ret = dp_fail(err, false, -ENOMEM, "out of memory");
	else
		pcre2_set_match_limit(detect->context, MATCH_LIMIT);
	for (unsigned i = 0; !ret && i < rules->nb; i++)
		ret = compile_rule(detect, i, err);
	if (!ret)
		ret = make_index(detect, err);
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
		for (unsigned byte = 0; detect->other[f] && byte < 256; byte++)
			free(detect->other[f][byte].rule);
		free(detect->other[f]);
	}
	for (unsigned i = 0; detect->literal && i < detect->nb_literals; i++)
		free(detect->literal[i].rule);
	free(detect->literal);
	free(detect->rule);
	hs_free_database(detect->database);
	hs_free_scratch(detect->scratch);
	pcre2_match_data_free(detect->data);
	pcre2_match_context_free(detect->context);
	free(detect->candidates);
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
			const size_t n = 1 + strcspn(text + 1, "\\$[]");

			put(w, text, n);
			text += n - 1;
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
	char info[INFO_BYTES]; /* of rules that only add */
	char os[sizeof(((struct lh_service *)0)->os)]; /* of others than the surest */
};

static bool suits_port(const struct detect_rule *rule, enum dp_proto proto, uint16_t port) {
	for (unsigned i = 0; i < rule->nb_ports; i++)
		if (port >= rule->ports[i].first && port <= rule->ports[i].last
			&& (proto == DP_PROTO_UDP ? rule->ports[i].udp : rule->ports[i].tcp))
			return true;
	return rule->nb_ports == 0;
}

/* Whether @info has a part, between semicolons, that is the @n bytes at @part. */
static bool has_part(const char *info, const char *part, size_t n) {
	for (;;) {
		const char *end = strstr(info, "; ");
		const size_t length = end ? (size_t)(end - info) : strlen(info);

		if (length == n && !memcmp(info, part, n))
			return true;
		if (!end)
			return false;
		info = end + 2;
	}
}

static void add_part(char info[INFO_BYTES], const char *part, size_t n) {
	const size_t used = strlen(info), more = used ? 2 : 0;

	if (used + more + n + sizeof("; ...") <= INFO_BYTES)
		sprintf(info + used, "%s%.*s", more ? "; " : "", (int)n, part);
	else if (used + sizeof("; ...") <= INFO_BYTES && !has_part(info, "...", 3))
		strcpy(info + used, "; ...");
}

/* Append the parts of @more to the info of a service, each once; what has no room shows as "...". */
static void add_info(char info[INFO_BYTES], const char *more) {
	while (*more) {
		const char *end = strstr(more, "; ");
		const size_t n = end ? (size_t)(end - more) : strlen(more);

		if (n && !has_part(info, more, n))
			add_part(info, more, n);
		more += n + (end ? 2 : 0);
	}
}

static double sureness(const struct detect_rule *rule, const struct lh_service *service) {
	return rule->confidence >= 0  ? rule->confidence
		: service->version[0] ? sure_version
		: service->product[0] ? sure_product
				      : sure_service;
}

static void take_match(struct finding *finding, const struct detect *detect, uint32_t i,
	const struct match *match) {
	const struct detect_rule *rule = &detect->rules->rule[i];
	char *const *text = rule->text;
	struct lh_service s = {0};

	expand(match, text[DETECT_INFO], false, s.info, sizeof(s.info));
	expand(match, text[DETECT_OS], false, s.os, sizeof(s.os));
	if (!detect->rule[i].adds) {
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
		add_info(finding->info, s.info);
	}
	if (s.os[0] && !finding->os[0])
		memcpy(finding->os, s.os, sizeof(finding->os));
}

/* Whether a match of the rule could change anything. */
static bool could_tell(const struct rule *rule, uint32_t i, const struct finding *finding) {
	const struct lh_service *known = &finding->service;

	return rule->adds || !finding->any || rule->most > known->confidence
		|| (rule->most == known->confidence && i < finding->rule)
		|| (rule->has_name && !known->name[0])
		|| (rule->has_os && !known->os[0] && !finding->os[0]);
}

static int match_rule(struct detect *detect, uint32_t i, const struct detect_value *value) {
	struct rule *rule = &detect->rule[i];
	pcre2_code *code = detect->code[i];

	if (!rule->compiled) {
		/* Where that fails PCRE2 interprets, which is slower and says the same. */
		rule->fast = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
		rule->compiled = true;
	}
	return (rule->fast ? pcre2_jit_match : pcre2_match)(
		code, (PCRE2_SPTR)value->at, value->n, 0, 0, detect->data, detect->context);
}

static void try_rule(struct detect *detect, uint32_t i, enum dp_proto proto, uint16_t port,
	struct finding *finding) {
	const struct detect_value *value = &detect->fields.value[detect->rule[i].field];
	struct match match = {.subject = value->at};
	int rc;

	if (!could_tell(&detect->rule[i], i, finding)
		|| !suits_port(&detect->rules->rule[i], proto, port))
		return;
	rc = match_rule(detect, i, value);
	if (rc < 0)
		return;
	/* 0: more groups than there is room for. */
	match.nb = rc ? (unsigned)rc : GROUPS;
	match.at = pcre2_get_ovector_pointer(detect->data);
	take_match(finding, detect, i, &match);
}

static void add_candidate(struct detect *detect, uint32_t rule) {
	detect->candidates[rule / 64] |= UINT64_C(1) << rule % 64;
}

static int on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
	void *context) {
	struct detect *detect = context;
	const struct list *list = &detect->literal[id];

	/* Those whose field is there and begins as it has to. */
	for (unsigned i = 0; i < list->nb; i++) {
		const struct detect_value *value
			= &detect->fields.value[detect->rule[list->rule[i]].field];

		if (value->n && may_begin(detect, list->rule[i], (unsigned char)*value->at))
			add_candidate(detect, list->rule[i]);
	}
	return 0;
}

/* What the fields show; literals are looked for in @text. */
static void try_rules(struct detect *detect, const char *text, size_t n, enum dp_proto proto,
	uint16_t port, struct finding *finding) {
	for (unsigned f = 0; f < DETECT_FIELDS; f++) {
		const struct detect_value *value = &detect->fields.value[f];

		const struct list *list = detect->other[f] && value->n
			? &detect->other[f][(unsigned char)*value->at]
			: NULL;

		for (unsigned i = 0; list && i < list->nb; i++)
			add_candidate(detect, list->rule[i]);
	}
	if (detect->database)
		hs_scan(detect->database, text, (unsigned)n, 0, detect->scratch, on_literal,
			detect);
	/* In the order of the files. */
	for (uint32_t word = 0; word <= detect->rules->nb / 64; word++) {
		uint64_t bits = detect->candidates[word];

		detect->candidates[word] = 0;
		for (; bits; bits &= bits - 1)
			try_rule(detect, word * 64 + (uint32_t)__builtin_ctzll(bits), proto, port,
				finding);
	}
}

/* What the surest rule left open, from the others. */
static bool conclude(struct finding *finding, struct lh_service *service) {
	if (!finding->any)
		return false;
	add_info(finding->service.info, finding->info);
	if (!finding->service.os[0])
		memcpy(finding->service.os, finding->os, sizeof(finding->os));
	*service = finding->service;
	return true;
}

bool detect_run(struct detect *detect, enum dp_proto proto, uint16_t port, const uint8_t *banner,
	size_t n, struct lh_service *service) {
	struct finding finding = {.any = false};

	detect_split(&detect->fields, banner, n, proto == DP_PROTO_UDP);
	try_rules(detect, (const char *)banner, n, proto, port, &finding);
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
	try_rules(detect, example->value, example->n, proto, port, &finding);
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
