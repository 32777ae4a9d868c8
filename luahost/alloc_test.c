/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocator: the count is exact, the cap holds, blocks survive a refusal, garbage gets collected. */
#include "alloc.h"

#include <lauxlib.h>

#include <criterion/criterion.h>
#include <string.h>

Test(alloc, counts_and_caps) {
	struct alloc alloc;

	alloc_init(&alloc, 1000);
	char *a = alloc_resize(&alloc, NULL, 0, 400);
	cr_assert_not_null(a);
	cr_expect_eq(alloc.used, 400);
	memset(a, 7, 400);
	cr_expect_null(alloc_resize(&alloc, NULL, 0, 601));
	cr_expect_eq(alloc.used, 400);
	cr_expect_null(alloc_resize(&alloc, a, 400, 1001));
	cr_expect_eq(a[399], 7, "a refused block is as it was");
	a = alloc_resize(&alloc, a, 400, 1000);
	cr_assert_not_null(a, "the cap itself may be used");
	cr_expect_eq(a[399], 7);
	cr_expect_eq(alloc.used, 1000);
	cr_expect_null(alloc_resize(&alloc, NULL, 0, 1));
	a = alloc_resize(&alloc, a, 1000, 10);
	cr_assert_not_null(a);
	cr_expect_eq(alloc.used, 10);
	cr_expect_null(alloc_resize(&alloc, a, 10, 0));
	cr_expect_eq(alloc.used, 0);
}

Test(alloc, sizes_that_overflow) {
	struct alloc alloc;

	alloc_init(&alloc, 1000);
	void *a = alloc_resize(&alloc, NULL, 0, 10);
	cr_expect_null(alloc_resize(&alloc, NULL, 0, SIZE_MAX));
	cr_expect_null(alloc_resize(&alloc, NULL, 0, SIZE_MAX - 9));
	cr_expect_null(alloc_resize(&alloc, a, 10, SIZE_MAX));
	cr_expect_eq(alloc.used, 10);
	alloc_resize(&alloc, a, 10, 0);
}

/* Live data of @parts sixteenths of the cap, then garbage many times the cap. */
static int fill(lua_State *L) {
	const struct alloc *alloc = lua_touserdata(L, lua_upvalueindex(1));
	const uint64_t live = alloc->cap / 16 * (uint64_t)lua_tointeger(L, 1);

	lua_newtable(L);
	for (int i = 1; alloc->used < live; i++) {
		lua_createtable(L, 500, 0); /* has to be gone through by the collector */
		lua_rawseti(L, -2, i);
	}
	for (uint64_t made = 0; made < 20 * alloc->cap; made += 65536) {
		lua_newuserdata(L, 65536);
		lua_pop(L, 1);
	}
	return 0;
}

Test(alloc, garbage_is_collected_in_time) {
	for (int parts = 1; parts <= 14; parts++) {
		struct alloc alloc;

		alloc_init(&alloc, 8 << 20);
		lua_State *L = lua_newstate(alloc_resize, &alloc);
		cr_assert_not_null(L);
		alloc_attach(&alloc, L);
		lua_pushlightuserdata(L, &alloc);
		lua_pushcclosure(L, fill, 1);
		lua_pushinteger(L, parts);
		cr_expect_eq(
			lua_pcall(L, 1, 0, 0), 0, "%d parts of 16: %s", parts, lua_tostring(L, -1));
		cr_expect_leq(alloc.used, alloc.cap);
		alloc_detach(&alloc);
		lua_close(L);
		cr_expect_eq(alloc.used, 0, "the count is exact");
	}
}
