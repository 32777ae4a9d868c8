/* SPDX-License-Identifier: BSD-3-Clause */
/* The fingerprints that come along: their own examples, and banners that are hostile. */
#include "detect_literal.h"
#include "detect_rule.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <criterion/criterion.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

static struct detect *compile(const struct detect_rules *rules) {
	struct detect *detect;
	struct dp_error err;

	cr_assert_eq(detect_create(rules, &detect, &err), 0, "%s", err.text);
	return detect;
}

static struct detect_rules *shipped(void) {
	struct detect_rules *rules;
	struct dp_error err;

	cr_assert_eq(detect_rules_create(&rules), 0);
	cr_assert_eq(detect_rules_read(rules, TEST_CONF_DIR "/fingerprints.txt", &err), 0, "%s",
		err.text);
	return rules;
}

Test(fingerprints, shipped_rules_hold_their_examples) {
	struct detect_rules *rules = shipped();
	struct detect *detect = compile(rules);
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned nb, wrong = detect_try_examples(detect, &nb, out);

	fclose(out);
	cr_expect_eq(wrong, 0, "%s", text);
	cr_expect_geq(nb, 150);
	free(text);
	detect_destroy(detect);
	detect_rules_destroy(rules);
}

static bool matches(const struct detect_rule *rule, const struct detect_value *value) {
	const uint32_t flags = (rule->icase ? PCRE2_CASELESS : 0)
		| (rule->dotall ? PCRE2_DOTALL : 0) | (rule->multiline ? PCRE2_MULTILINE : 0);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	PCRE2_SIZE at;
	int error, rc;
	pcre2_code *code = pcre2_compile(
		(PCRE2_SPTR)rule->pattern, PCRE2_ZERO_TERMINATED, flags, &error, &at, NULL);

	rc = pcre2_match(code, (PCRE2_SPTR)value->at, value->n, 0, 0, data, NULL);
	pcre2_code_free(code);
	pcre2_match_data_free(data);
	return rc >= 0;
}

static bool has_literal(const char *text, size_t n, const struct detect_literal *literal) {
	for (size_t i = 0; i + literal->n <= n; i++)
		if (!strncasecmp(text + i, literal->text, literal->n))
			return true;
	return false;
}

/* Whatever matches a rule has the rule's literals in it, or the index would lose it. */
Test(fingerprints, what_matches_has_the_literals) {
	struct detect_rules *rules = shipped();
	struct detect_fields *fields = malloc(sizeof(*fields));
	unsigned seen = 0;

	for (unsigned e = 0; e < rules->nb_examples; e++) {
		const struct detect_example *example = &rules->example[e];

		if (example->field != DETECT_BANNER)
			continue;
		detect_split(fields, (const uint8_t *)example->value, example->n, e & 1);
		for (unsigned i = 0; i < rules->nb; i++) {
			const struct detect_rule *rule = &rules->rule[i];
			struct detect_literal literal[DETECT_LITERALS];
			unsigned nb;

			if (!fields->value[rule->field].at || rule->field == DETECT_TLS_VERSION
				|| !matches(rule, &fields->value[rule->field]))
				continue;
			nb = detect_literals(rule->pattern, literal);
			for (unsigned k = 0; k < nb; k++)
				cr_expect(has_literal(example->value, example->n, &literal[k]),
					"line %u: %s without %s", example->line, rule->pattern,
					literal[k].text);
			seen += nb;
		}
	}
	cr_expect_gt(seen, 300);
	free(fields);
	detect_rules_destroy(rules);
}

/* Banners cut anywhere and with bytes changed: the sanitizers' build sees what is read beyond them. */
Test(fingerprints, hostile_banners) {
	static const char *const banners[] = {
		"HTTP/1.1 200 OK\r\nServer: Apache/2.4.57 (Debian)\r\nSet-Cookie: a=1\r\nVia: x\r\n"
		"Set-Cookie: PHPSESSID=x\r\n\r\n<meta name=\"generator\" content=\"WordPress "
		"6\"><title>t</title>",
		"220-x\r\n220 ProFTPD 1.3.5 Server\r\n",
		"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n",
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
		"SIP/2.0 200 OK\r\nServer: Asterisk PBX 16\r\nUser-Agent: x\r\n\r\n",
	};
	struct detect_rules *rules = shipped();
	struct detect *detect = compile(rules);
	uint64_t state = 88172645463325252u;

	for (unsigned i = 0; i < 200000; i++) {
		const char *from = banners[i % (sizeof(banners) / sizeof(banners[0]))];
		size_t n = strlen(from);
		struct lh_service service = {0};
		uint8_t *bytes;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		n = state % (n + 1);
		bytes = malloc(n + 1);
		memcpy(bytes, from, n);
		for (unsigned k = 0; n && k < (state >> 32) % 4; k++)
			bytes[(state >> (8 * k)) % n] = (uint8_t)(state >> (40 + 4 * k));
		bytes = realloc(bytes, n ? n : 1);
		detect_run(detect, i & 1 ? DP_PROTO_UDP : DP_PROTO_TCP, 80, bytes, n, &service);
		cr_assert(memchr(service.info, '\0', sizeof(service.info)));
		free(bytes);
	}
	detect_destroy(detect);
	detect_rules_destroy(rules);
}
