/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of one VM: malloc with a cap and a count.
 *
 * LuaJIT has no emergency collection, so that garbage counts against the cap. The fuller the memory,
 * the earlier the next collection is made to begin; from half of the cap on, a collection runs as a
 * whole once it begins, as an incremental one could be outrun.
 */
#ifndef LH_ALLOC_H
#define LH_ALLOC_H

#include <lua.h>

#include <stddef.h>
#include <stdint.h>

enum {
	ALLOC_LEVELS = 16, /* of fullness, each a part of the cap */
};

struct alloc {
	uint64_t cap; /* bytes */
	uint64_t used; /* bytes now allocated */
	uint64_t low, high; /* while @used is within, the collector needs no other pace */
	lua_State *L; /* whose collector is paced; NULL: none */
};

void alloc_init(struct alloc *alloc, uint64_t cap);

/* Pace the collector of @L, which allocates from @alloc. */
void alloc_attach(struct alloc *alloc, lua_State *L);
void alloc_detach(struct alloc *alloc); /* before lua_close(), which frees even the state */

/*
 * A lua_Alloc; @ctx is the struct alloc. NULL where the cap would be passed or malloc has nothing;
 * then @block is as it was. Making a block smaller always succeeds.
 */
void *alloc_resize(void *ctx, void *block, size_t old_bytes, size_t bytes);

#endif
