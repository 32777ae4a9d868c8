/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one port said, put together from segments that come in any order and more than once.
 *
 * Belongs to one thread. Takes memory for as many bytes as came, max_bytes at the most, and for a
 * few places where something is missing.
 */
#ifndef CTL_ASSEMBLY_H
#define CTL_ASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ASSEMBLY_ISLANDS = 16, /* pieces that are cut off from the beginning, at once */
};

struct assembly;

/* @max_bytes: at least 1; what comes behind them is not wanted. NULL: no memory. */
struct assembly *assembly_create(uint32_t max_bytes);
void assembly_destroy(struct assembly *assembly); /* NULL is fine */

/*
 * @n bytes from offset @at on; @last: nothing comes behind them. A piece that would be one island too
 * many, or for which there is no memory, is dropped: it may come again. Where two pieces overlap, the
 * first to come counts as far as it is joined to the beginning.
 */
void assembly_add(
	struct assembly *assembly, uint32_t at, const uint8_t *bytes, uint32_t n, bool last);

/* All of it is here, or max_bytes of it. */
bool assembly_is_complete(const struct assembly *assembly);

/* What it takes. */
size_t assembly_memory(const struct assembly *assembly);

/*
 * The bytes from the beginning up to the first that is missing, and a NUL behind them; to be freed.
 * NULL where there are none. Destroys the assembly.
 */
uint8_t *assembly_take(struct assembly *assembly, uint32_t *n);

#endif
