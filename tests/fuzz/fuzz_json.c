/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON that lanes send, and that plugins read. What the control core lets into a record is one line of
 * UTF-8, and JSON for a second parser, too; what that one takes, it writes and takes again as the same.
 */
#include "fuzz.h"
#include "host.h"
#include "sandbox.h"

#include <lauxlib.h>

struct candidate {
	const char *bytes;
	size_t n;
	bool is_object;
};

/* Decode, encode, decode, encode: the last two texts are the same. */
static int again(lua_State *L) {
	static struct luajson_buffer first = {.max = 1 << 20}, second = {.max = 1 << 20};
	const struct candidate *text = lua_touserdata(L, 1);

	first.used = second.used = 0;
	if (luajson_decode(L, text->bytes, text->n)) {
		FUZZ_ASSERT(!text->is_object);
		return 0;
	}
	/* null is no value of a result. */
	if (luajson_encode(L, -1, &first))
		return 0;
	FUZZ_ASSERT(utf8_valid(first.text, first.used) == first.used);
	FUZZ_ASSERT(!luajson_decode(L, first.text, first.used));
	FUZZ_ASSERT(!luajson_encode(L, -1, &second));
	FUZZ_ASSERT(first.used == second.used && !memcmp(first.text, second.text, first.used));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static lua_State *L;
	static unsigned turns;
	struct candidate text = {(const char *)data, size, false};

	if (!L || ++turns % 65536 == 0) {
		if (L)
			lua_close(L);
		L = luaL_newstate();
		FUZZ_ASSERT(L);
	}
	text.is_object = json_is_object(text.bytes, size);
	if (text.is_object)
		FUZZ_ASSERT(utf8_valid(text.bytes, size) == size && !memchr(data, '\n', size));
	lua_cpcall(L, again, &text);
	lua_settop(L, 0);
	return 0;
}
