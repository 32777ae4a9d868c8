/* SPDX-License-Identifier: BSD-3-Clause */
/* Detection with the rules that come with the program. */
#ifndef FUZZ_DETECT_H
#define FUZZ_DETECT_H

#include "detect.h"
#include "fuzz.h"

static inline struct detect *fuzz_detect(void) {
	struct detect_rules *rules;
	struct detect *detect;
	struct dp_error err;

	FUZZ_ASSERT(detect_rules_create(&rules) == 0);
	FUZZ_ASSERT(detect_rules_read(rules, CONF_DIR "/fingerprints.txt", &err) == 0);
	FUZZ_ASSERT(detect_create(rules, &detect, &err) == 0);
	return detect;
}

#endif
