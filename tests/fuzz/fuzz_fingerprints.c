/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of fingerprints: rules and examples as they are read, and the literals that their patterns
 * cannot do without, which are printable and no longer than their place.
 */
#include "detect_literal.h"
#include "detect_rule.h"
#include "fuzz.h"

static void check_literals(const char *pattern) {
	struct detect_literal literal[DETECT_LITERALS];
	const unsigned nb = detect_literals(pattern, literal);

	FUZZ_ASSERT(nb <= DETECT_LITERALS);
	for (unsigned i = 0; i < nb; i++) {
		FUZZ_ASSERT(literal[i].n > 0 && literal[i].n <= DETECT_LITERAL_MOST);
		FUZZ_ASSERT(strlen(literal[i].text) == literal[i].n);
		for (unsigned k = 0; k < literal[i].n; k++)
			FUZZ_ASSERT(literal[i].text[k] >= 0x20 && literal[i].text[k] < 0x7f);
	}
}

static void check_rule(const struct detect_rule *rule) {
	FUZZ_ASSERT(rule->pattern && rule->line > 0 && rule->field < DETECT_FIELDS);
	for (unsigned i = 0; i < DETECT_TEXTS; i++)
		FUZZ_ASSERT(!rule->text[i] || !detect_text_wrong(rule->text[i]));
	for (unsigned i = 0; i < rule->nb_ports; i++)
		FUZZ_ASSERT(rule->ports[i].first <= rule->ports[i].last);
	FUZZ_ASSERT(rule->confidence <= 1);
	check_literals(rule->pattern);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct detect_rules *rules;
	struct dp_error err = {0};

	FUZZ_ASSERT(detect_rules_create(&rules) == 0);
	if (detect_rules_parse(rules, "F", (const char *)data, size, &err)) {
		FUZZ_ASSERT(err.text[0]);
	} else {
		for (unsigned i = 0; i < rules->nb; i++)
			check_rule(&rules->rule[i]);
		for (unsigned i = 0; i < rules->nb_examples; i++)
			FUZZ_ASSERT(rules->example[i].rule < rules->nb
				&& rules->example[i].field < DETECT_FIELDS);
	}
	detect_rules_destroy(rules);
	return 0;
}
