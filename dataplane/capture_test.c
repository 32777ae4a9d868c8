/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring of frames for captures: nothing lost, torn or out of order, whatever the lengths, and full
 * is full.
 */
#include "capture.h"
#include "frame.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

enum {
	FRAMES = 60000,
};

static uint32_t length_of(uint32_t number) {
	return number * 2654435761u % (DP_CAPTURE_SNAP + 1);
}

static bool give(struct capture_ring *ring, uint32_t number) {
	struct capture_entry *entry = capture_room(ring, length_of(number));

	if (!entry)
		return false;
	entry->captured = length_of(number);
	entry->length = number;
	memset(entry + 1, (int)number, entry->captured);
	capture_put(ring, entry);
	return true;
}

/* What of an entry is wrong; 0: nothing. */
static int check(const struct capture_entry *entry, uint32_t number) {
	const uint8_t *bytes = (const uint8_t *)(entry + 1);

	if (entry->length != number)
		return 1;
	if (entry->captured != length_of(number))
		return 2;
	for (uint32_t i = 0; i < entry->captured; i++)
		if (bytes[i] != (uint8_t)number)
			return 3;
	return 0;
}

Test(capture, full_and_empty) {
	struct capture_ring *ring = capture_create();
	const struct capture_entry *entry;
	uint32_t given = 0, taken = 0;

	cr_assert_not_null(ring);
	cr_assert_null(capture_next(ring));
	for (unsigned round = 0; round < 5; round++) {
		while (give(ring, given))
			given++;
		/* What found no room is shorter than two of the longest: to the end, and from the start. */
		cr_assert_gt(capture_level(ring),
			CAPTURE_RING_BYTES - 2 * (uint64_t)CAPTURE_MAX_ENTRY - 32);
		cr_assert_leq(capture_level(ring), CAPTURE_RING_BYTES);
		while ((entry = capture_next(ring))) {
			cr_assert_eq(check(entry, taken), 0, "frame %u", taken);
			capture_drop(ring, entry);
			taken++;
		}
		cr_assert_eq(taken, given);
		cr_assert_eq(capture_level(ring), 0);
	}
	capture_destroy(ring);
	capture_destroy(NULL);
}

Test(capture, tags_that_a_device_took_out) {
	static const uint8_t frame[]
		= {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0, 0, 20, 7, 7};
	static const uint8_t tagged[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0x00, 0x6f, 0xfe,
		0x08, 0x00, 0x45, 0, 0, 20, 7, 7};
	struct capture_ring *ring = capture_create();
	struct capture_entry *entry;

	cr_assert_not_null(ring);
	entry = capture_room(ring, sizeof(tagged));
	entry->captured = sizeof(tagged);
	capture_copy(entry, frame, VLAN_BYTES, 0x6ffe);
	cr_assert_arr_eq((uint8_t *)(entry + 1), tagged, sizeof(tagged));
	entry = capture_room(ring, sizeof(frame));
	entry->captured = sizeof(frame);
	capture_copy(entry, frame, 0, 0x6ffe);
	cr_assert_arr_eq((uint8_t *)(entry + 1), frame, sizeof(frame));
	capture_destroy(ring);
}

static void *produce(void *arg) {
	for (uint32_t i = 0; i < FRAMES; i++)
		while (!give(arg, i))
			sched_yield();
	return NULL;
}

Test(capture, two_threads) {
	struct capture_ring *ring = capture_create();
	const struct capture_entry *entry;
	pthread_t thread;
	uint32_t taken = 0;

	cr_assert_not_null(ring);
	cr_assert_eq(pthread_create(&thread, NULL, produce, ring), 0);
	while (taken < FRAMES) {
		entry = capture_next(ring);
		if (!entry) {
			sched_yield();
			continue;
		}
		cr_assert_eq(check(entry, taken), 0, "frame %u", taken);
		capture_drop(ring, entry);
		taken++;
	}
	cr_assert_null(capture_next(ring));
	pthread_join(thread, NULL);
	capture_destroy(ring);
}
