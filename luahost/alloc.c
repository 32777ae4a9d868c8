/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An allocator with a cap over malloc. Runs in a lane, called by the VM; the blocks belong to the VM.
 */
#include "alloc.h"

#include <stdlib.h>

enum {
	STEP_NORMAL = 200, /* LuaJIT's own: twice as fast as the plugin allocates */
	STEP_WHOLE = 0, /* LuaJIT: one step is a whole collection */
};

void alloc_init(struct alloc *alloc, uint64_t cap) {
	*alloc = (struct alloc){.cap = cap, .high = UINT64_MAX};
}

/*
 * The next collection is to begin half way between what a finished one left and the cap, but not
 * later than at twice of what it left. Setting these two numbers is all that lua_gc() does here: it
 * is safe in the middle of an allocation.
 */
static void set_pace(struct alloc *alloc) {
	const uint64_t part = alloc->cap / ALLOC_LEVELS + 1;
	const int level = (int)(alloc->used / part); /* 0 to ALLOC_LEVELS - 1 */
	int pause = 50 * (ALLOC_LEVELS + level + 1) / (level + 1);

	alloc->low = part * (uint64_t)level;
	alloc->high = alloc->low + part;
	if (pause > 200)
		pause = 200;
	else if (pause < 101)
		pause = 101;
	lua_gc(alloc->L, LUA_GCSETPAUSE, pause);
	lua_gc(alloc->L, LUA_GCSETSTEPMUL, level < ALLOC_LEVELS / 2 ? STEP_NORMAL : STEP_WHOLE);
}

static void count(struct alloc *alloc, uint64_t used) {
	alloc->used = used;
	if (alloc->L && (used < alloc->low || used >= alloc->high))
		set_pace(alloc);
}

void alloc_attach(struct alloc *alloc, lua_State *L) {
	alloc->L = L;
	set_pace(alloc);
}

void alloc_detach(struct alloc *alloc) {
	alloc->L = NULL;
}

/* The error that follows lets go of something: collect with the next allocation that may. */
static void *refuse(struct alloc *alloc) {
	if (alloc->L)
		lua_gc(alloc->L, LUA_GCRESTART, 0);
	return NULL;
}

void *alloc_resize(void *ctx, void *block, size_t old_bytes, size_t bytes) {
	struct alloc *alloc = ctx;
	const uint64_t others = alloc->used - old_bytes;

	if (!bytes) {
		free(block);
		count(alloc, others);
		return NULL;
	}
	if (bytes > old_bytes && (bytes > alloc->cap || others > alloc->cap - bytes))
		return refuse(alloc);
	void *moved = realloc(block, bytes);
	if (!moved && bytes <= old_bytes)
		moved = block;
	if (moved)
		count(alloc, others + bytes);
	return moved;
}
