/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring between two processes, of which one is hostile: it writes what it likes into the shared part
 * between the other one's calls. The first byte is the size and the side; then come steps of a byte each and what
 * belongs to them. Messages stay within the buffer, positions never run back, and a ring that is broken
 * stays so. Behind the data there is no memory.
 */
#include "fuzz.h"
#include "ring.h"

#include <errno.h>

enum {
	SIZES = 4, /* from 64 bytes on, each four times the last */
	CAGE_BYTES = 65536,
	MESSAGE_ROOM = 512,
};

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t take(struct input *input, unsigned bytes) {
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
		value |= (uint64_t)*input->at++ << 8 * i;
	return value;
}

/* Shared memory that ends where the page ends. */
static struct ring_shared *cage(uint64_t size) {
	static uint8_t *end;

	if (!end) {
		uint8_t *pages = mmap(NULL, 2 * CAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		FUZZ_ASSERT(pages != MAP_FAILED);
		FUZZ_ASSERT(mprotect(pages + CAGE_BYTES, CAGE_BYTES, PROT_NONE) == 0);
		end = pages + CAGE_BYTES;
	}
	return (struct ring_shared *)(void *)(end - ring_bytes(size));
}

/* What the hostile side does to the shared part. */
static void meddle(struct input *input, struct ring_shared *shared, uint64_t size) {
	const uint8_t what = (uint8_t)take(input, 1);
	uint8_t *bytes = (uint8_t *)shared;

	switch (what % 5) {
	case 0:
		atomic_store(&shared->produced, take(input, what & 8 ? 8 : 2));
		break;
	case 1:
		atomic_store(&shared->consumed, take(input, what & 8 ? 8 : 2));
		break;
	case 2:
		atomic_store(&shared->produced, atomic_load(&shared->consumed) + take(input, 2));
		break;
	case 3:
		for (uint64_t at = take(input, 2) % size, n = what >> 4; n; n--, at++)
			shared->data[at % size] = (uint8_t)take(input, 1);
		break;
	default:
		bytes[take(input, 2) % ring_bytes(size)] = (uint8_t)take(input, 1);
		break;
	}
}

static void consume(struct ring *ring) {
	const struct ring before = *ring;
	uint8_t *buffer = malloc(MESSAGE_ROOM);
	uint32_t type, bytes = 0;
	int rc;

	FUZZ_ASSERT(buffer);
	rc = ring_pop(ring, &type, buffer, MESSAGE_ROOM, &bytes);
	FUZZ_ASSERT(rc == 1 || rc == 0 || rc == -EPROTO);
	FUZZ_ASSERT(!before.broken || rc == -EPROTO);
	FUZZ_ASSERT(rc != -EPROTO || ring->broken);
	FUZZ_ASSERT(rc != 1 || (bytes <= MESSAGE_ROOM && ring->own > before.own));
	FUZZ_ASSERT(rc == 1 || ring->own == before.own);
	FUZZ_ASSERT(ring->broken || ring->peer - ring->own <= ring->size);
	free(buffer);
}

static void produce(struct ring *ring, uint32_t type, uint32_t bytes) {
	const struct ring before = *ring;
	uint8_t *room = ring_reserve(ring, type, bytes);

	FUZZ_ASSERT(!room || (!before.broken && bytes <= ring_longest(ring)));
	FUZZ_ASSERT(ring->own == before.own && ring->peer >= before.peer);
	if (!room)
		return;
	memset(room, (int)type, bytes);
	ring_commit(ring);
	FUZZ_ASSERT(ring->own > before.own && ring->own - ring->peer <= ring->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input input = {data, size};
	const uint8_t first = (uint8_t)take(&input, 1);
	const uint64_t bytes = UINT64_C(64) << 2 * (first % SIZES);
	struct ring_shared *shared = cage(bytes);
	struct ring producer, consumer;

	ring_reset(shared);
	ring_open(&producer, shared, bytes);
	ring_open(&consumer, shared, bytes);
	for (unsigned steps = 0; input.left && steps < 300; steps++) {
		const uint8_t step = (uint8_t)take(&input, 1);

		switch (step % 8) {
		case 0:
			meddle(&input, shared, bytes);
			break;
		case 1:
			FUZZ_ASSERT(ring_taken(&producer) <= ring_position(&producer));
			break;
		case 2:
			ring_waiting(&consumer);
			break;
		case 3:
		case 4:
			produce(&producer, step, (uint32_t)take(&input, step & 8 ? 2 : 1));
			break;
		default:
			consume(&consumer);
			break;
		}
	}
	return 0;
}
