/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lua text of strangers, which is looked at without being run: where LuaJIT takes it, the reader of our
 * own finds its way through it, too, and names fields that are in the text.
 */
#include "fuzz.h"
#include "syntax.h"

#include <lh/plugin.h>

struct text {
	const char *bytes;
	size_t n;
};

static void use(void *ctx, unsigned line, const char *name, size_t length) {
	const struct text *text = ctx;

	FUZZ_ASSERT(line > 0);
	if (name)
		FUZZ_ASSERT(name >= text->bytes && name + length <= text->bytes + text->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct text text = {(const char *)data, size};
	struct syntax_fault fault = {0};

	if (syntax_check(text.bytes, size, &fault)) {
		FUZZ_ASSERT(memchr(fault.why, '\0', sizeof(fault.why)));
		return 0;
	}
	FUZZ_ASSERT(syntax_hooks(text.bytes, size) < 1u << LH_HOOK_COUNT);
	syntax_prtip(text.bytes, size, use, &text);
	return 0;
}
