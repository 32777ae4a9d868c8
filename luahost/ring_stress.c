/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring between control core and lanes: many messages of all lengths, between two threads and
 * between two processes, from positions around 2^32 and 2^64 on.
 */
#include "ring.h"
#include "stress.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SIZE = 64 << 10,
	LONGEST = 96, /* bytes of a message; most are shorter */
};

/* The whole of one run; shared between the processes. */
struct run {
	uint64_t items, start;
	struct stress_end producer, consumer;
	uint64_t wrong, got;
	alignas(64) uint8_t ring[sizeof(struct ring_shared) + SIZE];
};

static struct ring_shared *shared_of(struct run *run) {
	return (struct ring_shared *)run->ring;
}

static void open_end(struct run *run, struct ring *ring) {
	ring_open(ring, shared_of(run), SIZE);
	ring->own = ring->peer = ring->pending = run->start;
}

/* Message @i: its length and each of its words follow from @i. Returns the length. */
static uint32_t make_message(uint64_t i, uint64_t word[LONGEST / 8]) {
	const uint64_t mixed = stress_mix(i);
	const uint32_t bytes = 8 + (uint32_t)((mixed >> 40) % (mixed & 15 ? 32 : LONGEST - 7));

	for (unsigned k = 0; k <= (bytes - 1) / 8; k++)
		word[k] = mixed + k;
	return bytes;
}

static void *produce(void *arg) {
	struct run *run = arg;
	struct ring ring;
	uint64_t word[LONGEST / 8];

	open_end(run, &ring);
	for (uint64_t i = 0; i < run->items; i++) {
		const uint32_t bytes = make_message(i, word);
		void *room;

		while (!(room = ring_reserve(&ring, (uint32_t)i, bytes))) {
			if (ring.broken)
				return NULL;
			stress_refused(&run->producer);
		}
		memcpy(room, word, bytes);
		ring_commit(&ring);
		if (i % 32 == 0)
			stress_pause(&run->producer);
	}
	return NULL;
}

static void *consume(void *arg) {
	struct run *run = arg;
	uint64_t word[LONGEST / 8], got[LONGEST / 8];
	struct ring ring;
	uint32_t type, bytes;

	open_end(run, &ring);
	while (run->got < run->items) {
		const int rc = ring_pop(&ring, &type, got, sizeof got, &bytes);

		if (rc < 0) {
			run->wrong++;
			return NULL;
		}
		if (rc == 0) {
			stress_refused(&run->consumer);
			continue;
		}
		run->wrong += bytes != make_message(run->got, word) || type != (uint32_t)run->got
			|| memcmp(got, word, bytes) != 0;
		if (run->got++ % 32 == 0)
			stress_pause(&run->consumer);
	}
	run->wrong += ring_pop(&ring, &type, got, sizeof got, &bytes) != 0;
	return NULL;
}

static struct run *new_run(uint64_t start) {
	struct run *run = mmap(
		NULL, sizeof *run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (run == MAP_FAILED)
		exit(1);
	run->items = stress_items();
	run->start = start;
	run->producer.dice = 1 + start;
	run->consumer.dice = 99 + start;
	atomic_store(&shared_of(run)->produced, start);
	atomic_store(&shared_of(run)->consumed, start);
	return run;
}

static void judge(struct stress_tap *tap, struct run *run, const char *what, double began_s) {
	stress_rate(what, run->got, stress_now_s() - began_s);
	stress_ok(tap, run->got == run->items && run->wrong == 0,
		"%s: all messages came, in order and whole", what);
	stress_edges(tap, what, &run->producer, &run->consumer);
	munmap(run, sizeof *run);
}

static void between_threads(struct stress_tap *tap, const char *what, uint64_t start) {
	struct run *run = new_run(start);
	const double began_s = stress_now_s();
	pthread_t thread;

	if (pthread_create(&thread, NULL, produce, run))
		exit(1);
	consume(run);
	pthread_join(thread, NULL);
	judge(tap, run, what, began_s);
}

static void between_processes(struct stress_tap *tap, const char *what, uint64_t start) {
	struct run *run = new_run(start);
	const double began_s = stress_now_s();
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		produce(run);
		_exit(0);
	}
	consume(run);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(1);
	judge(tap, run, what, began_s);
}

/* A consumer that stops: the ring takes what fits, keeps it, and gives it all later. */
static void stopped_consumer(struct stress_tap *tap) {
	struct run *run = new_run(UINT64_MAX - SIZE / 2 + 1);
	struct ring in, out;
	uint64_t word[LONGEST / 8], got[LONGEST / 8], put = 0, taken = 0, wrong = 0;
	uint32_t type, bytes;
	void *room;

	open_end(run, &in);
	open_end(run, &out);
	for (unsigned tries = 0; tries < 100000; tries++) {
		bytes = make_message(put, word);
		room = ring_reserve(&in, (uint32_t)put, bytes);
		if (!room)
			continue;
		memcpy(room, word, bytes);
		ring_commit(&in);
		put++;
	}
	while (ring_pop(&out, &type, got, sizeof got, &bytes) == 1) {
		wrong += bytes != make_message(taken, word) || memcmp(got, word, bytes) != 0;
		taken++;
	}
	stress_ok(tap, put > SIZE / (LONGEST + 8) && put < SIZE / 16 && taken == put && wrong == 0,
		"a consumer that stops: %llu messages fit, and come out when it goes on",
		(unsigned long long)put);
	munmap(run, sizeof *run);
}

int main(void) {
	struct stress_tap tap = {0};

	between_processes(
		&tap, "lane ring between processes, from 2^32", (UINT64_C(1) << 32) - 4096);
	between_threads(&tap, "lane ring between threads, from 2^64", UINT64_MAX - 4095);
	stopped_consumer(&tap);
	return stress_done(&tap);
}
