/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control core's own queues: items through the one to the writer thread, and records through a
 * spill, whose blocks go to its thread and back.
 */
#include "spill.h"
#include "stress.h"

#include <string.h>
#include <unistd.h>

/* In here, so that its indices can start near their end. */
#include "spsc.c"

enum {
	SLOTS = 1024,
	BATCH = 97, /* at most */
	BUDGET = 8 << 20,
	LONGEST = 64,
};

/* Wider than a word, so that an item read half written shows. */
struct item {
	uint64_t number, mixed;
	uint32_t low;
};

static struct item item_at(uint64_t i) {
	return (struct item){.number = i, .mixed = stress_mix(i), .low = (uint32_t)i};
}

struct run {
	struct spsc *queue;
	uint64_t items;
	struct stress_end producer, consumer;
	uint64_t wrong, got;
};

static void *produce(void *arg) {
	struct run *run = arg;
	struct item batch[BATCH];

	for (uint64_t made = 0; made < run->items;) {
		unsigned n = stress_batch(&run->producer, BATCH), put = 0;

		n = n < run->items - made ? n : (unsigned)(run->items - made);
		for (unsigned i = 0; i < n; i++)
			batch[i] = item_at(made + i);
		while (put < n) {
			const unsigned took = spsc_put(run->queue, batch + put, n - put);

			put += took;
			if (!took)
				stress_refused(&run->producer);
		}
		made += n;
		stress_pause(&run->producer);
	}
	return NULL;
}

static void consume(struct run *run) {
	struct item batch[BATCH];

	while (run->got < run->items) {
		const unsigned n = spsc_get(run->queue, batch, stress_batch(&run->consumer, BATCH));

		for (unsigned i = 0; i < n; i++) {
			const struct item want = item_at(run->got++);

			run->wrong += batch[i].number != want.number || batch[i].mixed != want.mixed
				|| batch[i].low != want.low;
		}
		if (!n)
			stress_refused(&run->consumer);
		stress_pause(&run->consumer);
	}
	run->wrong += spsc_get(run->queue, batch, BATCH) != 0;
}

static struct spsc *new_queue(uint32_t start) {
	struct spsc *queue;

	if (spsc_create(SLOTS, sizeof(struct item), &queue))
		exit(1);
	queue->head = queue->tail = queue->head_seen = queue->tail_seen = start;
	return queue;
}

static void queue_between_threads(struct stress_tap *tap) {
	struct run run = {.items = stress_items(), .producer.dice = 1, .consumer.dice = 99};
	const double began_s = stress_now_s();
	pthread_t thread;

	run.queue = new_queue(UINT32_MAX - SLOTS - 7);
	if (pthread_create(&thread, NULL, produce, &run))
		exit(1);
	consume(&run);
	pthread_join(thread, NULL);
	stress_rate("queue to the writer", run.got, stress_now_s() - began_s);
	stress_ok(tap, run.got == run.items && run.wrong == 0,
		"queue to the writer, from 2^32: all items came, in order and whole");
	stress_edges(tap, "queue to the writer", &run.producer, &run.consumer);
	spsc_destroy(run.queue);
}

static void stopped_consumer(struct stress_tap *tap) {
	struct spsc *queue = new_queue(UINT32_MAX - SLOTS / 2);
	struct item item;
	uint64_t put = 0, taken = 0, wrong = 0;

	for (unsigned tries = 0; tries < 100 * SLOTS; tries++) {
		item = item_at(put);
		put += spsc_put(queue, &item, 1);
	}
	while (spsc_get(queue, &item, 1)) {
		const struct item want = item_at(taken++);

		wrong += item.number != want.number || item.mixed != want.mixed;
	}
	stress_ok(tap, put == SLOTS && taken == SLOTS && wrong == 0,
		"a consumer that stops: as many items fit as there are slots, and come out later");
	spsc_destroy(queue);
}

/* ---- The spill ---- */

static uint32_t make_record(uint64_t i, uint64_t word[LONGEST / 8]) {
	const uint64_t mixed = stress_mix(i);
	const uint32_t bytes = 8 + (uint32_t)((mixed >> 40) % (LONGEST - 7));

	for (unsigned k = 0; k <= (bytes - 1) / 8; k++)
		word[k] = mixed + k;
	return bytes;
}

struct spill_run {
	struct spill *spill;
	uint64_t items, put, got, wrong;
	struct stress_end producer, consumer;
	void *record;
	size_t room;
};

static void put_some(struct spill_run *run, unsigned n) {
	uint64_t word[LONGEST / 8];

	for (; n && run->put < run->items; n--) {
		const uint32_t bytes = make_record(run->put, word);

		if (!spill_put(run->spill, word, bytes)) {
			run->producer.refused++;
			return;
		}
		run->put++;
	}
}

static void get_some(struct spill_run *run, unsigned n) {
	uint64_t word[LONGEST / 8];

	for (; n; n--) {
		const int64_t rc = spill_get(run->spill, &run->record, &run->room);

		if (rc == 0) {
			run->consumer.refused++;
			return;
		}
		run->wrong += rc != make_record(run->got, word)
			|| (rc > 0 && memcmp(run->record, word, (size_t)rc) != 0);
		run->got++;
	}
}

/* Both sides are the control core's; the thread behind it writes, reads and punches holes meanwhile. */
static void through_the_disk(struct stress_tap *tap) {
	char folder[] = "/tmp/queue_stress.XXXXXX";
	struct spill_run run = {.items = stress_items(), .producer.dice = 5, .consumer.dice = 77};
	_Atomic int64_t budget = BUDGET;
	const double began_s = stress_now_s();
	struct dp_error err;

	if (!mkdtemp(folder) || spill_create(folder, &budget, &run.spill, &err))
		exit(1);
	while (run.got < run.items && !run.wrong) {
		const uint64_t got = run.got, put = run.put;
		/* Long stretches of either: blocks go to the disk and come back. */
		const bool fill = stress_mix(run.put / 262144) & 1;

		put_some(&run, stress_batch(&run.producer, fill ? 4096 : 512));
		get_some(&run, stress_batch(&run.consumer, fill ? 512 : 4096));
		if (run.got == got && run.put == put)
			sched_yield();
	}
	stress_rate("spill", run.got, stress_now_s() - began_s);
	stress_ok(tap, run.got == run.items && run.wrong == 0 && spill_count(run.spill) == 0,
		"spill: all records came, in order and whole");
	stress_edges(tap, "spill", &run.producer, &run.consumer);
	spill_destroy(run.spill);
	stress_ok(tap, budget == BUDGET && rmdir(folder) == 0,
		"spill: the budget is as before, and nothing is left");
	free(run.record);
}

int main(void) {
	struct stress_tap tap = {0};

	queue_between_threads(&tap);
	stopped_consumer(&tap);
	through_the_disk(&tap);
	return stress_done(&tap);
}
