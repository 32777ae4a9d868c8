/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bounded queue from one thread to one other, without locks and without system calls.
 *
 * Items are copied in and copied out; each comes out once, in the order in which it went in. Both
 * ends work in batches and take what fits: neither ever waits for the other.
 */
#ifndef CTL_SPSC_H
#define CTL_SPSC_H

#include <stdint.h>

struct spsc;

/*
 * Room for @slots items (a power of two) of @item_bytes each; all memory is taken here.
 * 0, -EINVAL or -ENOMEM. Free with spsc_destroy() once neither end is in use.
 */
int spsc_create(uint32_t slots, uint32_t item_bytes, struct spsc **queue);
void spsc_destroy(struct spsc *queue); /* NULL is fine */

/* The producer's end: copy in up to @n items; returns how many there was room for. */
unsigned spsc_put(struct spsc *queue, const void *items, unsigned n);

/* The consumer's end: copy out up to @n items; returns how many there were. */
unsigned spsc_get(struct spsc *queue, void *items, unsigned n);

#endif
