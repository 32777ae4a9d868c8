/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of frames on their way from an RX lcore to who writes captures: a ring of bytes with one
 * producer and one consumer, that neither waits nor allocates once it is made. No DPDK in it.
 *
 * Entries lie in one piece each, 16 bytes aligned. `produced` and `consumed` count bytes since the
 * beginning and never wrap in practice; what an entry has was written before `produced` was
 * stored with release, and is read before `consumed` is, so the place is not written again too early.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <dp/capture.h>

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

enum {
	CAPTURE_RING_BYTES = 4 << 20, /* of an RX lcore: some 30,000 short frames */
};

/* One frame. Its bytes follow. */
struct capture_entry {
	uint32_t room; /* of the whole entry; 0: nothing more before the end of the ring */
	uint32_t captured; /* bytes that follow, at most DP_CAPTURE_SNAP */
	uint32_t length; /* of the frame as it was received */
	uint32_t port; /* among the engine's */
	struct dp_answer answer; /* ts_ns: still in TSC cycles; banner: NULL */
};

enum {
	CAPTURE_MAX_ENTRY = sizeof(struct capture_entry) + DP_CAPTURE_SNAP,
};

static_assert(sizeof(struct capture_entry) % 16 == 0);

struct capture_ring {
	alignas(64) _Atomic uint64_t produced; /* writer: RX lcore, reader: consumer */
	uint64_t consumed_seen; /* RX lcore alone */
	alignas(64) _Atomic uint64_t consumed; /* writer: consumer, reader: RX lcore */
	uint64_t produced_seen; /* consumer alone */
	uint8_t *bytes; /* CAPTURE_RING_BYTES */
};

/* NULL where there is no memory. */
struct capture_ring *capture_create(void);
void capture_destroy(struct capture_ring *ring); /* NULL is fine. When nobody uses it any more */

/*
 * RX lcore: room for an entry with @bytes of a frame, to be filled but for its room and given by
 * capture_put(); NULL where the ring is full. @bytes: at most DP_CAPTURE_SNAP.
 */
struct capture_entry *capture_room(struct capture_ring *ring, uint32_t bytes);
void capture_put(struct capture_ring *ring, const struct capture_entry *entry);

/*
 * Fill an entry with its bytes of @frame. @tag_bytes: VLAN_BYTES, where @tci is to stand in the frame as
 * a tag that the device took out, and the entry was made for as many bytes more; else 0.
 */
void capture_copy(
	struct capture_entry *entry, const uint8_t *frame, uint32_t tag_bytes, uint16_t tci);

/* Consumer: the oldest entry, or NULL; it stays as it is until capture_drop(). */
const struct capture_entry *capture_next(struct capture_ring *ring);
void capture_drop(struct capture_ring *ring, const struct capture_entry *entry);

/* Bytes in the ring: a hint, to the producer never less than there are. */
static inline uint64_t capture_level(const struct capture_ring *ring) {
	/* Consumed first: it only grows, and never beyond what is read of produced after it. */
	uint64_t consumed = atomic_load_explicit(&ring->consumed, memory_order_acquire);

	return atomic_load_explicit(&ring->produced, memory_order_relaxed) - consumed;
}

#endif
