/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results as they come back from the files of archive and spill. What is taken for one and written again
 * is taken again, and written as the same bytes. (Strings end at a NUL within, so that the first
 * bytes may be others.)
 */
#include "archive.h"
#include "fuzz.h"

static const char *const list[] = {"builtin", "http-enum", "", "syslog"};
static const struct result_names names = {list, 4};

struct packed {
	uint8_t *bytes;
	size_t used, room;
};

/* Read one result and write it again; false where it is none. */
static bool again(const uint8_t *bytes, size_t n, struct packed *out) {
	struct result result;
	size_t taken = 0;

	*out = (struct packed){0};
	if (result_unpack(bytes, n, &names, &taken, &result)) {
		FUZZ_ASSERT(!result.extra);
		return false;
	}
	FUZZ_ASSERT(taken <= n);
	FUZZ_ASSERT(result_pack(&result, &names, &out->bytes, &out->used, &out->room) == 0);
	FUZZ_ASSERT(out->used <= taken);
	result_extra_free(result.extra);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct packed first, second;

	if (!again(data, size, &first))
		return 0;
	FUZZ_ASSERT(again(first.bytes, first.used, &second));
	FUZZ_ASSERT(first.used == second.used && !memcmp(first.bytes, second.bytes, first.used));
	free(first.bytes);
	free(second.bytes);
	return 0;
}
