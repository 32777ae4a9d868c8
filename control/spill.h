/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A first-in-first-out queue of records on disk, for a plugin that lags behind (`overflow = spill`).
 *
 * The control core puts and gets and never waits: blocks of records go to and come from a nameless
 * file (O_TMPFILE) by way of a thread of the spill's own; what was not yet written is given back from
 * memory. The order is kept.
 */
#ifndef CTL_SPILL_H
#define CTL_SPILL_H

#include <dp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spill;

/*
 * @folder, and the room for all users of it together in bytes (@budget is shared by several spills:
 * they subtract what they take and give it back, a block at a time). The thread starts when first
 * something has to be written; it may use the CPUs that the caller of this has now. 0 or a negative
 * errno with @err filled where @folder cannot hold a file.
 */
int spill_create(
	const char *folder, _Atomic int64_t *budget, struct spill **spill, struct dp_error *err);
void spill_destroy(struct spill *spill); /* NULL is fine */

/*
 * Append one record of @bytes (not 0). False where there is no room: budget, disk full, or the disk
 * is too slow. Later there may be room again. What was taken before is kept, also on a full disk.
 */
bool spill_put(struct spill *spill, const void *record, uint32_t bytes);

/*
 * The oldest record: copied to *@record (malloc, grown to *@room). Its length, 0 where none can be
 * had right now (spill_count() says whether there are some), or a negative errno where the file
 * cannot be read: then the remaining ones are lost and spill_count() is what was lost.
 */
int64_t spill_get(struct spill *spill, void **record, size_t *room);

uint64_t spill_count(const struct spill *spill); /* records in it */
uint64_t spill_total(const struct spill *spill); /* records ever put */

#endif
