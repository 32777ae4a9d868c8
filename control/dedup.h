/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One record for each pair that answered, however often it answers.
 *
 * Exact: a bit a pair of the target space. Window: a bounded set-associative hash of pairs that
 * forgets the oldest entry of a full set; its capacity and what it forgot reach the summary.
 * Memory is reserved at once and touched as answers come. Used by the control core alone.
 */
#ifndef CTL_DEDUP_H
#define CTL_DEDUP_H

#include "config.h"

#include <dp/space.h>

struct dedup;

/*
 * @kind AUTO is exact where the bitmap fits @max_mb, else window. EXACT that does not fit is
 * -EFBIG. The space must outlive it. 0 or a negative errno.
 */
int dedup_create(
	enum ctl_dedup kind, uint32_t max_mb, const struct dp_space *space, struct dedup **dedup);
void dedup_destroy(struct dedup *dedup);

/* True the first time that (@ip, @endpoint) is seen, which are as of dp_space_find(). */
bool dedup_first(struct dedup *dedup, dp_ip ip, uint32_t endpoint);

bool dedup_is_exact(const struct dedup *dedup);
uint64_t dedup_capacity(const struct dedup *dedup); /* pairs; 0 where exact */
uint64_t dedup_evicted(const struct dedup *dedup);
uint64_t dedup_memory_bytes(const struct dedup *dedup);

#endif
