/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exclude files: what was read is a set, and the same once it was written down and read again.
 */
#include "fuzz_set.h"
#include "targets.h"

static struct dp_ipset *read_file(const void *text, size_t n) {
	static struct fuzz_file file;
	const struct targets_spec spec = {.exclude_files = file.path};
	struct dp_error err = {0};
	struct dp_ipset *set;

	fuzz_file_put(&file, text, n);
	if (targets_read_excludes(&spec, &set, &err)) {
		FUZZ_ASSERT(err.text[0]);
		return NULL;
	}
	return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static char text[SET_TEXT_BYTES];
	struct dp_ipset *first, *second;
	const struct dp_range *range, *again;
	size_t nb, n;

	if (is_costly(data, size))
		return 0;
	first = read_file(data, size);
	if (!first)
		return 0;
	nb = dp_ipset_ranges(first, &range);
	check_ranges(range, nb);
	n = write_ranges(range, nb, text);
	if (n) {
		second = read_file(text, n);
		FUZZ_ASSERT(second);
		n = dp_ipset_ranges(second, &again);
		check_same(range, nb, again, n);
		dp_ipset_destroy(second);
	}
	dp_ipset_destroy(first);
	return 0;
}
