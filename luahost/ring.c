/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages in a ring of bytes.
 *
 * Runs on both ends of every queue between the control core, the warden and the lanes. Owns no
 * memory: the shared part belongs to who mapped it, the ends to their processes.
 *
 * A message is a header, {u32 type, u32 bytes}, its bytes, and padding to 8. It never wraps: where
 * it would, a filler header says "go on at the start of the data", and is committed together with
 * the message behind it. Positions count bytes since the start and never wrap either (8 GB/s for 70
 * years).
 */
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	HEADER_BYTES = 8,
	/*
	 * A producer that comes across a multiple of this looks whether the ring is empty, and if so
	 * starts again at the front: a ring that holds little at a time stays in few pages of memory
	 * and of cache. Once in so many bytes, because looking costs the consumer's cache line.
	 */
	FRONT_BYTES = 16 << 10,
};

/* Marks a filler, in the header's length; no message is that long. */
static const uint32_t FILLER = UINT32_C(1) << 31;

static uint64_t message_bytes(uint32_t bytes) {
	return HEADER_BYTES + (((uint64_t)bytes + 7) & ~UINT64_C(7));
}

static uint64_t offset_of(const struct ring *ring, uint64_t position) {
	return position & (ring->size - 1);
}

static uint64_t to_end(const struct ring *ring, uint64_t position) {
	return ring->size - offset_of(ring, position);
}

/* A header is one word, so that a peer cannot change its halves between two looks. */
static _Atomic uint64_t *header_at(const struct ring *ring, uint64_t position) {
	return (_Atomic uint64_t *)(void *)&ring->shared->data[offset_of(ring, position)];
}

static void write_header(struct ring *ring, uint64_t position, uint32_t type, uint32_t bytes) {
	atomic_store_explicit(
		header_at(ring, position), (uint64_t)bytes << 32 | type, memory_order_relaxed);
}

static uint64_t read_header(const struct ring *ring, uint64_t position) {
	return atomic_load_explicit(header_at(ring, position), memory_order_relaxed);
}

/* Take @seen as the peer's position where it may have come there: never back, never past @limit. */
static void accept_peer(struct ring *ring, uint64_t seen, uint64_t limit) {
	if (seen - ring->peer > limit - ring->peer || seen % HEADER_BYTES)
		ring->broken = true;
	else
		ring->peer = seen;
}

static void see_consumed(struct ring *ring) {
	accept_peer(ring, atomic_load_explicit(&ring->shared->consumed, memory_order_acquire),
		ring->own);
}

static void see_produced(struct ring *ring) {
	accept_peer(ring, atomic_load_explicit(&ring->shared->produced, memory_order_acquire),
		ring->own + ring->size);
}

size_t ring_bytes(uint64_t size) {
	return sizeof(struct ring_shared) + size;
}

void ring_reset(struct ring_shared *shared) {
	atomic_store(&shared->produced, 0);
	atomic_store(&shared->consumed, 0);
}

void ring_open(struct ring *ring, struct ring_shared *shared, uint64_t size) {
	assert(size >= 4 * HEADER_BYTES && !(size & (size - 1)));
	*ring = (struct ring){.shared = shared, .size = size};
}

size_t ring_longest(const struct ring *ring) {
	const uint64_t half = ring->size / 2;

	return (half < FILLER ? half : FILLER) - HEADER_BYTES;
}

/* Whether a message of @total bytes at our position is better put at the front: see FRONT_BYTES. */
static bool goes_to_front(struct ring *ring, uint64_t total) {
	const uint64_t offset = offset_of(ring, ring->own);

	if (offset / FRONT_BYTES == (offset + total) / FRONT_BYTES || total > offset)
		return false;
	see_consumed(ring);
	return ring->peer == ring->own;
}

static bool has_room(struct ring *ring, uint64_t end) {
	if (end - ring->peer > ring->size)
		see_consumed(ring);
	return !ring->broken && end - ring->peer <= ring->size;
}

void *ring_reserve(struct ring *ring, uint32_t type, uint32_t bytes) {
	const uint64_t total = message_bytes(bytes);
	uint64_t start = ring->own;

	ring->pending = ring->own;
	if (ring->broken || bytes > ring_longest(ring))
		return NULL;
	if (total > to_end(ring, start) || goes_to_front(ring, total))
		start += to_end(ring, start);
	if (!has_room(ring, start + total))
		return NULL;
	if (start != ring->own)
		write_header(ring, ring->own, 0, FILLER);
	write_header(ring, start, type, bytes);
	ring->pending = start + total;
	return &ring->shared->data[offset_of(ring, start) + HEADER_BYTES];
}

void ring_commit(struct ring *ring) {
	ring->own = ring->pending;
	atomic_store_explicit(&ring->shared->produced, ring->own, memory_order_release);
}

static int break_ring(struct ring *ring) {
	ring->broken = true;
	return -EPROTO;
}

/* The message at @position lies within what the peer has produced, and does not wrap. */
static bool is_whole(const struct ring *ring, uint64_t position, uint32_t bytes) {
	const uint64_t total = message_bytes(bytes);

	return total <= ring->peer - position && total <= to_end(ring, position);
}

int ring_pop(struct ring *ring, uint32_t *type, void *buffer, uint32_t room, uint32_t *bytes) {
	uint64_t at = ring->own, header;
	uint32_t length;

	if (at == ring->peer)
		see_produced(ring);
	if (ring->broken)
		return -EPROTO;
	if (at == ring->peer)
		return 0;
	header = read_header(ring, at);
	if (header >> 32 & FILLER) {
		at += to_end(ring, at);
		/* There is always a message behind a filler. */
		if (at - ring->own >= ring->peer - ring->own)
			return break_ring(ring);
		header = read_header(ring, at);
	}
	length = header >> 32;
	if (length > room || !is_whole(ring, at, length))
		return break_ring(ring);
	*type = (uint32_t)header;
	*bytes = length;
	memcpy(buffer, &ring->shared->data[offset_of(ring, at) + HEADER_BYTES], length);
	/* From here on the compiler may not look into shared memory in place of the copy. */
	atomic_signal_fence(memory_order_seq_cst);
	ring->own = at + message_bytes(length);
	atomic_store_explicit(&ring->shared->consumed, ring->own, memory_order_release);
	return 1;
}

bool ring_waiting(const struct ring *ring) {
	if (ring->broken)
		return false;
	return ring->own != ring->peer
		|| atomic_load_explicit(&ring->shared->produced, memory_order_relaxed) != ring->own;
}

uint64_t ring_taken(struct ring *ring) {
	if (!ring->broken)
		see_consumed(ring);
	return ring->peer;
}

uint64_t ring_position(const struct ring *ring) {
	return ring->own;
}
