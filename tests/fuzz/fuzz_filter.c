/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filter expressions, matched with results that have much and little. What is decided before a record is
 * complete stays so, `early` means that it always is, and !(...) says the opposite.
 */
#include "filter.h"
#include "fuzz.h"
#include "result_fixture.h"

#include <errno.h>

enum {
	RESULTS = 24,
};

static struct result result[RESULTS];

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	for (unsigned i = 0; i < RESULTS; i++) {
		result[i].answer = fixture_answer(i);
		result[i].extra = i % 3 ? fixture_extra(i) : NULL;
	}
	return 0;
}

/* The filter of !(@text). */
static struct filter *opposite(const char *text) {
	struct value_error err;
	struct filter *filter;
	char *longer;

	FUZZ_ASSERT(asprintf(&longer, "!(%s)", text) > 0);
	/* A level more than the deepest is refused. */
	if (filter_create(longer, &filter, &err))
		filter = NULL;
	free(longer);
	return filter;
}

static void check(const struct filter *filter, const struct filter *other) {
	for (unsigned i = 0; i < RESULTS; i++) {
		const enum filter_verdict soon = filter_match(filter, &result[i], false),
					  late = filter_match(filter, &result[i], true);

		/* The texts are too short for a pattern that takes too long. */
		FUZZ_ASSERT(!filter_is_early(filter) || soon != FILTER_UNKNOWN);
		FUZZ_ASSERT(soon == FILTER_UNKNOWN || soon == late);
		if (other && late != FILTER_UNKNOWN)
			FUZZ_ASSERT(filter_match(other, &result[i], true) != late);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char *text = fuzz_string(data, size);
	struct value_error err = {0};
	struct filter *filter, *other;
	int rc;

	if (!text)
		return 0;
	rc = filter_create(text, &filter, &err);
	if (rc) {
		FUZZ_ASSERT(rc == -EINVAL && err.why[0]);
		FUZZ_ASSERT(strnlen(err.part, sizeof(err.part)) < sizeof(err.part));
	} else {
		other = opposite(text);
		check(filter, other);
		for (unsigned i = 0; filter_plugin(filter, i); i++)
			FUZZ_ASSERT(*filter_plugin(filter, i));
		filter_destroy(other);
		filter_destroy(filter);
	}
	free(text);
	return 0;
}
