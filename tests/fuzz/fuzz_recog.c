/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recog's XML: what becomes of it are rules as any others.
 */
#include "detect_rule.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct detect_rules *rules;
	struct dp_error err = {0};
	unsigned left_out = 0;

	FUZZ_ASSERT(detect_rules_create(&rules) == 0);
	if (detect_rules_parse_recog(rules, "F", (const char *)data, size, &left_out, &err))
		FUZZ_ASSERT(err.text[0]);
	for (unsigned i = 0; i < rules->nb; i++) {
		const struct detect_rule *rule = &rules->rule[i];

		FUZZ_ASSERT(rule->pattern && rule->field < DETECT_FIELDS);
		for (unsigned k = 0; k < DETECT_TEXTS; k++)
			FUZZ_ASSERT(!rule->text[k] || !detect_text_wrong(rule->text[k]));
		FUZZ_ASSERT(rule->confidence <= 1);
	}
	detect_rules_destroy(rules);
	return 0;
}
