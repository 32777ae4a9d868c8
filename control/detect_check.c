/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * detect_check FILE...: read files of fingerprints, compile them, try their examples. Exit status 0 where all are
 * right. For those who write fingerprints, and for the tests.
 */
#include "detect.h"

#include <stdlib.h>

int main(int argc, char **argv) {
	struct detect_rules *rules;
	struct detect *detect = NULL;
	struct dp_error err = {.text = "out of memory"};
	unsigned nb, wrong;
	int ret = detect_rules_create(&rules);

	for (int i = 1; !ret && i < argc; i++)
		ret = detect_rules_read(rules, argv[i], &err);
	if (!ret)
		ret = detect_create(rules, &detect, &err);
	if (ret) {
		fprintf(stderr, "detect_check: %s\n", err.text);
		return EXIT_FAILURE;
	}
	wrong = detect_try_examples(detect, &nb, stdout);
	printf("%u rules, %u examples, %u wrong\n", detect_rules_count(rules), nb, wrong);
	detect_destroy(detect);
	detect_rules_destroy(rules);
	return wrong || !nb ? EXIT_FAILURE : EXIT_SUCCESS;
}
