/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of targets, as on the command line. The canonical text of a list is its own canonical text, and
 * stands for the same addresses; so do the ranges of the space, written down. Lists with host names, and
 * what these stand for, are read too, but no name is looked up.
 */
#include "fuzz_set.h"
#include "targets.h"

/* The space of a list, or NULL where it is refused. */
static struct dp_space *build(const char *list) {
	static const uint32_t ports[] = {80, 443};
	const struct targets_spec spec = {.targets = list, .ports = ports, .nb_ports = 2};
	struct targets targets;
	struct dp_error err = {0};

	if (targets_build(&spec, &targets, &err)) {
		FUZZ_ASSERT(err.text[0]);
		return NULL;
	}
	FUZZ_ASSERT(targets.excluded_exclude == 0);
	return targets.space;
}

static void expect_same(const char *list, const struct dp_range *range, size_t nb) {
	struct dp_space *space = build(list);
	const struct dp_range *again;
	size_t nb_again;

	FUZZ_ASSERT(space);
	nb_again = dp_ipset_ranges(dp_space_addresses(space), &again);
	check_same(range, nb, again, nb_again);
	dp_space_destroy(space);
}

/* Both ways of the map, at its ends. */
static void check_map(const struct dp_space *space) {
	const dp_u128 index[] = {0, dp_space_count(space) - 1, dp_space_count(space) / 2};
	struct dp_target target[3];
	dp_u128 found;

	dp_space_pick_wide(space, index, target, 3);
	for (unsigned i = 0; i < 3; i++)
		FUZZ_ASSERT(dp_space_find(space, target[i].ip, target[i].port, &found)
			&& found == index[i]);
}

static void check_space(const char *list) {
	static char text[SET_TEXT_BYTES];
	struct dp_space *space = build(list);
	const struct dp_range *range;
	size_t nb;

	if (!space)
		return;
	nb = dp_ipset_ranges(dp_space_addresses(space), &range);
	FUZZ_ASSERT(nb > 0);
	check_ranges(range, nb);
	check_map(space);
	if (write_ranges(range, nb, text))
		expect_same(text, range, nb);
	dp_space_destroy(space);
}

/* A list that may have names in it: its canonical text stays as it is. No name is looked up. */
static void check_named(const char *list) {
	char *first, *second;
	struct value_error err = {0};

	if (targets_check_named(list, &first, &err)) {
		FUZZ_ASSERT(err.why[0]);
		return;
	}
	FUZZ_ASSERT(targets_check_named(first, &second, &err) == 0);
	FUZZ_ASSERT(!strcmp(first, second));
	free(first);
	free(second);
}

static char *text_of(struct names *names) {
	char *text;

	names_want_all(names);
	text = names_text(names);
	FUZZ_ASSERT(text);
	FUZZ_ASSERT(names_failed(names) <= names_count(names));
	names_destroy(names);
	return text;
}

/* What names stand for, as [scan] resolved: likewise. */
static void check_resolved(const char *list) {
	struct value_error err = {0};
	struct names *names;
	char *first, *second;

	if (names_create(list, &names, &err)) {
		FUZZ_ASSERT(err.why[0]);
		return;
	}
	first = text_of(names);
	FUZZ_ASSERT(names_create(first, &names, &err) == 0);
	second = text_of(names);
	FUZZ_ASSERT(!strcmp(first, second));
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char *list = is_costly(data, size) ? NULL : fuzz_string(data, size);
	char *first, *second;
	struct value_error err = {0};

	if (!list)
		return 0;
	check_named(list);
	check_resolved(list);
	if (targets_check(list, &first, &err) == 0) {
		FUZZ_ASSERT(targets_check(first, &second, &err) == 0);
		FUZZ_ASSERT(!strcmp(first, second));
		check_space(first);
		free(first);
		free(second);
	} else {
		FUZZ_ASSERT(err.why[0]);
	}
	free(list);
	return 0;
}
