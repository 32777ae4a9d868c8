/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue of messages between two processes that do not trust each other, in shared memory.
 *
 * Single producer, single consumer, without locks or system calls. What lies in shared memory is two
 * free-running byte positions and the data; mask, size and an end's own position are private to each
 * end. A peer that writes rubbish into the shared part can only make its own messages rubbish: the
 * peer's position is checked against our own before use, and a message is copied out before it is
 * looked at. (rte_ring keeps size and mask in the shared header, where a hostile peer can change
 * them: that crashed the other side.)
 */
#ifndef LH_RING_H
#define LH_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In shared memory, followed by the data. */
struct ring_shared {
	alignas(64) _Atomic uint64_t produced; /* writer: producer, reader: consumer */
	alignas(64) _Atomic uint64_t consumed; /* writer: consumer, reader: producer */
	alignas(64) uint8_t data[];
};

/* One end, in private memory. */
struct ring {
	struct ring_shared *shared;
	uint64_t own; /* our own position, published only as a copy */
	uint64_t peer; /* the peer's, as last seen and found possible */
	uint64_t pending; /* producer: end of what was reserved and not committed */
	uint64_t size; /* bytes of data, a power of two */
	bool broken; /* the peer's position was impossible: nothing more is taken or given */
};

/* Bytes of shared memory for @size bytes of data. */
size_t ring_bytes(uint64_t size);

/* Make both ends start at zero; before the peer runs. */
void ring_reset(struct ring_shared *shared);

/* Prepare one end of a ring with @size bytes of data, at position zero. */
void ring_open(struct ring *ring, struct ring_shared *shared, uint64_t size);

/* The longest message of a ring: half of its data, less its header. */
size_t ring_longest(const struct ring *ring);

/*
 * Producer: room for one message of @bytes, 8-aligned, or NULL where there is none now (or never,
 * over ring_longest()). Write it, then ring_commit(). A second reserve without a commit replaces the
 * first.
 */
void *ring_reserve(struct ring *ring, uint32_t type, uint32_t bytes);
void ring_commit(struct ring *ring);

/*
 * Consumer: copy the next message into @buffer. Returns 1, 0 where there is none, -EPROTO where the
 * peer wrote rubbish (lengths out of range, longer than @room, impossible position): the ring is
 * broken then.
 */
int ring_pop(struct ring *ring, uint32_t *type, void *buffer, uint32_t room, uint32_t *bytes);

/* Consumer: whether there seems to be a message. */
bool ring_waiting(const struct ring *ring);

/* Producer: how far the consumer has got, as a position of ring_commit()'s end; for "was it taken?". */
uint64_t ring_taken(struct ring *ring);
uint64_t ring_position(const struct ring *ring); /* producer: position behind the last commit */

#endif
