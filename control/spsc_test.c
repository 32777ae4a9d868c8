/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue: order, loss and repetition, within one thread and across two. */
#include "spsc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>

enum {
	ITEMS = 4000000,
	SLOTS = 1024,
};

/* Wider than a word, so that an item read half written shows. */
struct thing {
	uint64_t number;
	uint64_t inverse;
	uint32_t low;
};

static struct thing thing_at(uint64_t i) {
	return (struct thing){.number = i, .inverse = ~i, .low = (uint32_t)i};
}

static void *produce(void *arg) {
	struct thing batch[97];
	uint64_t made = 0;

	while (made < ITEMS) {
		unsigned n = 1 + made % 97, put = 0;
		if (n > ITEMS - made)
			n = (unsigned)(ITEMS - made);
		for (unsigned i = 0; i < n; i++)
			batch[i] = thing_at(made + i);
		while (put < n) {
			unsigned took = spsc_put(arg, batch + put, n - put);
			put += took;
			if (!took)
				sched_yield();
		}
		made += n;
	}
	return NULL;
}

Test(spsc, keeps_order_and_loses_nothing_across_threads) {
	struct spsc *queue;
	struct thing batch[61];
	pthread_t thread;
	uint64_t seen = 0, wrong = 0;

	cr_assert_eq(spsc_create(SLOTS, sizeof(struct thing), &queue), 0);
	cr_assert_eq(pthread_create(&thread, NULL, produce, queue), 0);
	while (seen < ITEMS) {
		unsigned n = spsc_get(queue, batch, 61);
		for (unsigned i = 0; i < n; i++) {
			struct thing want = thing_at(seen++);
			wrong += batch[i].number != want.number || batch[i].inverse != want.inverse
				|| batch[i].low != want.low;
		}
		if (!n)
			sched_yield();
	}
	pthread_join(thread, NULL);
	cr_assert_eq(wrong, 0);
	cr_assert_eq(spsc_get(queue, batch, 61), 0, "more came out than went in");
	spsc_destroy(queue);
}

Test(spsc, takes_what_fits) {
	struct spsc *queue;
	uint32_t in[12], out[12];

	for (uint32_t i = 0; i < 12; i++)
		in[i] = i;
	cr_assert_eq(spsc_create(8, sizeof *in, &queue), 0);
	cr_assert_eq(spsc_get(queue, out, 12), 0);
	cr_assert_eq(spsc_put(queue, in, 5), 5);
	cr_assert_eq(spsc_put(queue, in + 5, 7), 3);
	cr_assert_eq(spsc_put(queue, in, 1), 0, "a full queue took one more");
	cr_assert_eq(spsc_get(queue, out, 6), 6);
	cr_assert_eq(spsc_put(queue, in + 8, 4), 4, "the freed slots cross the end of the array");
	cr_assert_eq(spsc_get(queue, out + 6, 12), 6);
	cr_assert_arr_eq(in, out, sizeof in);
	spsc_destroy(queue);
}

Test(spsc, wants_a_power_of_two) {
	struct spsc *queue;

	cr_assert_eq(spsc_create(0, 4, &queue), -EINVAL);
	cr_assert_eq(spsc_create(1000, 4, &queue), -EINVAL);
	cr_assert_eq(spsc_create(8, 0, &queue), -EINVAL);
	spsc_destroy(NULL);
}
