/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring of frames for captures. Each function runs on the thread that its comment in the header
 * names; the ring owns its bytes.
 */
#include "capture.h"
#include "frame.h"

#include <stdlib.h>
#include <string.h>

struct capture_ring *capture_create(void) {
	struct capture_ring *ring = aligned_alloc(alignof(struct capture_ring), sizeof(*ring));

	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->bytes = aligned_alloc(64, CAPTURE_RING_BYTES);
	if (!ring->bytes) {
		free(ring);
		return NULL;
	}
	/* Touched now, so that no lcore meets a page that is not there yet. */
	memset(ring->bytes, 0, CAPTURE_RING_BYTES);
	return ring;
}

void capture_destroy(struct capture_ring *ring) {
	if (!ring)
		return;
	free(ring->bytes);
	free(ring);
}

static struct capture_entry *entry_at(const struct capture_ring *ring, uint64_t position) {
	return (struct capture_entry *)(ring->bytes + position % CAPTURE_RING_BYTES);
}

/* Whether there are @bytes free behind @produced. */
static bool has_room(struct capture_ring *ring, uint64_t produced, uint64_t bytes) {
	if (CAPTURE_RING_BYTES - (produced - ring->consumed_seen) >= bytes)
		return true;
	/* Acquire: what was there has been read. */
	ring->consumed_seen = atomic_load_explicit(&ring->consumed, memory_order_acquire);
	return CAPTURE_RING_BYTES - (produced - ring->consumed_seen) >= bytes;
}

struct capture_entry *capture_room(struct capture_ring *ring, uint32_t bytes) {
	uint64_t produced = atomic_load_explicit(&ring->produced, memory_order_relaxed);
	const uint32_t room = (uint32_t)((sizeof(struct capture_entry) + bytes + 15) & ~15u);
	const uint32_t to_end = CAPTURE_RING_BYTES - (uint32_t)(produced % CAPTURE_RING_BYTES);
	struct capture_entry *entry;

	if (to_end < room) {
		if (!has_room(ring, produced, (uint64_t)to_end + room))
			return NULL;
		/* Positions are multiples of 16: the word is in the ring. */
		entry_at(ring, produced)->room = 0;
		produced += to_end;
		/* Release: the consumer sees the mark. */
		atomic_store_explicit(&ring->produced, produced, memory_order_release);
	} else if (!has_room(ring, produced, room)) {
		return NULL;
	}
	entry = entry_at(ring, produced);
	entry->room = room;
	return entry;
}

void capture_put(struct capture_ring *ring, const struct capture_entry *entry) {
	uint64_t produced = atomic_load_explicit(&ring->produced, memory_order_relaxed);

	/* Release: the entry is whole. */
	atomic_store_explicit(&ring->produced, produced + entry->room, memory_order_release);
}

void capture_copy(
	struct capture_entry *entry, const uint8_t *frame, uint32_t tag_bytes, uint16_t tci) {
	uint8_t *to = (uint8_t *)(entry + 1);
	uint32_t bytes = entry->captured;

	if (tag_bytes) {
		memcpy(to, frame, ETH_TYPE_AT);
		put16(to + ETH_TYPE_AT, ETH_TYPE_VLAN);
		put16(to + ETH_TYPE_AT + 2, tci);
		frame += ETH_TYPE_AT;
		to += ETH_TYPE_AT + VLAN_BYTES;
		bytes -= ETH_TYPE_AT + VLAN_BYTES;
	}
	memcpy(to, frame, bytes);
}

const struct capture_entry *capture_next(struct capture_ring *ring) {
	uint64_t consumed = atomic_load_explicit(&ring->consumed, memory_order_relaxed);

	for (;;) {
		const struct capture_entry *entry = entry_at(ring, consumed);

		if (consumed == ring->produced_seen)
			ring->produced_seen
				= atomic_load_explicit(&ring->produced, memory_order_acquire);
		if (consumed == ring->produced_seen)
			return NULL;
		if (entry->room)
			return entry;
		consumed += CAPTURE_RING_BYTES - consumed % CAPTURE_RING_BYTES;
		atomic_store_explicit(&ring->consumed, consumed, memory_order_release);
	}
}

void capture_drop(struct capture_ring *ring, const struct capture_entry *entry) {
	uint64_t consumed = atomic_load_explicit(&ring->consumed, memory_order_relaxed);

	/* Release: it has been read. */
	atomic_store_explicit(&ring->consumed, consumed + entry->room, memory_order_release);
}
