/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bounded queue between the control core and the writer thread.
 *
 * Two threads run this: the producer calls spsc_put(), the consumer spsc_get(). The queue owns its
 * slots; items belong to whoever copied them out.
 *
 * The indices count items for ever and wrap at 2^32, which a power-of-two size divides, so that
 * their difference is the fill level and full and empty cannot be mistaken for each other. Each end
 * keeps a stale copy of the other's index and looks at the shared one only when the copy says that
 * there is nothing to do: under load the cache line of an index moves once a batch at the most.
 */
#include "spsc.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	CACHE_LINE = 64,
};

struct spsc {
	/* Frozen by spsc_create(); both ends read them. */
	uint32_t slots;
	uint32_t item_bytes;
	unsigned char *items; /* a slot is written by the producer, read by the consumer */

	alignas(CACHE_LINE)
		atomic_uint head; /* items ever put. writer: producer, reader: consumer */
	uint32_t tail_seen; /* producer alone: the tail as last read */

	alignas(CACHE_LINE)
		atomic_uint tail; /* items ever got. writer: consumer, reader: producer */
	uint32_t head_seen; /* consumer alone: the head as last read */
};

int spsc_create(uint32_t slots, uint32_t item_bytes, struct spsc **queue) {
	if (!slots || (slots & (slots - 1)) || !item_bytes)
		return -EINVAL;
	struct spsc *q = aligned_alloc(CACHE_LINE, sizeof *q);
	if (!q)
		return -ENOMEM;
	memset(q, 0, sizeof *q);
	q->items = calloc(slots, item_bytes);
	if (!q->items) {
		free(q);
		return -ENOMEM;
	}
	q->slots = slots;
	q->item_bytes = item_bytes;
	*queue = q;
	return 0;
}

void spsc_destroy(struct spsc *queue) {
	if (!queue)
		return;
	free(queue->items);
	free(queue);
}

/* The @n slots from index @at on lie in two runs where they pass the end of the array. */
static uint32_t first_run(const struct spsc *queue, uint32_t at, uint32_t n) {
	uint32_t to_end = queue->slots - (at & (queue->slots - 1));

	return n < to_end ? n : to_end;
}

static unsigned char *slot(const struct spsc *queue, uint32_t at) {
	return queue->items + (size_t)(at & (queue->slots - 1)) * queue->item_bytes;
}

unsigned spsc_put(struct spsc *queue, const void *items, unsigned n) {
	uint32_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
	uint32_t room = queue->slots - (head - queue->tail_seen);

	if (room < n) {
		/* Acquire: the consumer has done with the slots that this frees. */
		queue->tail_seen = atomic_load_explicit(&queue->tail, memory_order_acquire);
		room = queue->slots - (head - queue->tail_seen);
	}
	n = n < room ? n : room;
	if (!n)
		return 0;

	uint32_t run = first_run(queue, head, n);
	size_t run_bytes = (size_t)run * queue->item_bytes;
	memcpy(slot(queue, head), items, run_bytes);
	memcpy(queue->items, (const char *)items + run_bytes,
		(size_t)(n - run) * queue->item_bytes);
	/* Release: the items are there before the index says so. */
	atomic_store_explicit(&queue->head, head + n, memory_order_release);
	return n;
}

unsigned spsc_get(struct spsc *queue, void *items, unsigned n) {
	uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
	uint32_t held = queue->head_seen - tail;

	if (held < n) {
		queue->head_seen = atomic_load_explicit(&queue->head, memory_order_acquire);
		held = queue->head_seen - tail;
	}
	n = n < held ? n : held;
	if (!n)
		return 0;

	uint32_t run = first_run(queue, tail, n);
	size_t run_bytes = (size_t)run * queue->item_bytes;
	memcpy(items, slot(queue, tail), run_bytes);
	memcpy((char *)items + run_bytes, queue->items, (size_t)(n - run) * queue->item_bytes);
	/* Release: the slots have been read before the producer may use them again. */
	atomic_store_explicit(&queue->tail, tail + n, memory_order_release);
	return n;
}
