/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for secrets: pages of their own, which are in no core dump, and which a process that is
 * forked later finds empty. They can be swapped out.
 */
#ifndef DP_SECRET_H
#define DP_SECRET_H

#include <stddef.h>

/* Zeroed memory, or NULL. Aligned to a page. */
void *dp_secret_alloc(size_t bytes);

/* Wipes it first. NULL is fine. */
void dp_secret_free(void *memory, size_t bytes);

/*
 * Leave the stack of the calling thread out of core dumps: what computes with a secret puts parts of
 * it there. Not for the main thread, whose stack grows. What fails leaves it in.
 */
void dp_secret_hide_stack(void);

#endif
