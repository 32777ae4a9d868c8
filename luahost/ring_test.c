/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings between processes: what goes in comes out, in order and whole, and a peer that writes
 * rubbish breaks nothing but its own messages.
 */
#include "ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	ENOUGH = 10000, /* hits by a hostile peer: fewer, and a test has looked at nothing */
	FILLER_BIT = 1u << 31,
	FRONT = 16 << 10, /* ring.c's FRONT_BYTES */
};

/*
 * Shared memory for a ring of @size bytes, which ends at a page that cannot be touched and starts in
 * a page behind another such: an access past either end kills the test.
 */
static struct ring_shared *map_ring(uint64_t size) {
	const size_t room = (ring_bytes(size) + PAGE - 1) / PAGE * PAGE;
	uint8_t *map = mmap(NULL, room + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ring_shared *shared;

	cr_assert_neq(map, MAP_FAILED);
	cr_assert_eq(mmap(map + PAGE, room, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		map + PAGE);
	shared = (struct ring_shared *)(map + PAGE + room - ring_bytes(size));
	cr_assert_eq((uintptr_t)shared % 64, 0);
	ring_reset(shared);
	return shared;
}

struct ends {
	struct ring_shared *shared;
	struct ring in, out;
};

static struct ends open_ends(uint64_t size) {
	struct ends ends = {.shared = map_ring(size)};

	ring_open(&ends.in, ends.shared, size);
	ring_open(&ends.out, ends.shared, size);
	return ends;
}

/* xorshift64*, so that both processes draw the same. */
static uint64_t draw(uint64_t *state) {
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static bool push(struct ring *ring, uint32_t type, const void *bytes, uint32_t length) {
	void *room = ring_reserve(ring, type, length);

	if (!room)
		return false;
	memcpy(room, bytes, length);
	ring_commit(ring);
	return true;
}

Test(ring, message_comes_out_as_it_went_in) {
	struct ends e = open_ends(4096);
	char got[64] = "";
	uint32_t type = 0, bytes = 0;

	cr_assert(!ring_waiting(&e.out));
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 0);
	cr_assert(push(&e.in, 7, "hello", 6));
	cr_assert(push(&e.in, UINT32_MAX, "", 0));
	cr_assert(ring_waiting(&e.out));
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 1);
	cr_assert_eq(type, 7);
	cr_assert_eq(bytes, 6);
	cr_assert_str_eq(got, "hello");
	cr_assert(ring_waiting(&e.out));
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 1);
	cr_assert_eq(type, UINT32_MAX);
	cr_assert_eq(bytes, 0);
	cr_assert(!ring_waiting(&e.out));
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 0);
}

/* What is not committed is not seen, and the second reserve counts. */
Test(ring, second_reserve_replaces_the_first) {
	struct ends e = open_ends(4096);
	char got[64] = "";
	uint32_t type, bytes;

	memcpy(ring_reserve(&e.in, 1, 20), "first", 6);
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 0);
	memcpy(ring_reserve(&e.in, 2, 7), "second", 7);
	ring_commit(&e.in);
	ring_commit(&e.in);
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 1);
	cr_assert_eq(type, 2);
	cr_assert_eq(bytes, 7);
	cr_assert_str_eq(got, "second");
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 0);
	/* A reserve that finds no room leaves nothing to commit. */
	ring_reserve(&e.in, 3, 8);
	cr_assert_null(ring_reserve(&e.in, 3, 4096));
	ring_commit(&e.in);
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 0);
}

/* The longest message fits an empty ring wherever it stands; one more byte never does. */
Test(ring, longest_message_fits_everywhere) {
	enum { SIZE = 1024 };
	struct ends e = open_ends(SIZE);
	const uint32_t longest = ring_longest(&e.in);
	uint8_t got[SIZE];
	uint32_t type, bytes;

	cr_assert_eq(longest, SIZE / 2 - 8);
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t sent[SIZE];

		memset(sent, (int)i, sizeof sent);
		cr_assert(push(&e.in, i, sent, longest), "at %u", i);
		cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 1);
		cr_assert_eq(bytes, longest);
		cr_assert_arr_eq(got, sent, longest);
		cr_assert_null(ring_reserve(&e.in, 0, longest + 1));
		cr_assert(push(&e.in, 0, sent, i % 40));
		cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 1);
	}
	cr_assert_null(ring_reserve(&e.in, 0, UINT32_MAX));
	cr_assert_null(ring_reserve(&e.in, 0, FILLER_BIT));
}

/* All of the data can be filled, and what has been taken can be filled again. */
Test(ring, fills_to_the_last_byte) {
	struct ends e = open_ends(1024);
	uint64_t value = 0, next = 0, got;
	uint32_t type, bytes;

	for (unsigned round = 0; round < 100; round++) {
		while (push(&e.in, 1, &value, sizeof value))
			value++;
		cr_assert_eq(value - next, 1024 / 16);
		for (unsigned i = 0; i <= round % 64; i++, next++) {
			cr_assert_eq(ring_pop(&e.out, &type, &got, sizeof got, &bytes), 1);
			cr_assert_eq(got, next);
		}
	}
	cr_assert(!e.in.broken && !e.out.broken);
}

Test(ring, taken_reaches_position) {
	struct ends e = open_ends(1024);
	uint8_t message[200] = {0};
	uint32_t type, bytes;

	for (unsigned i = 0; i < 100; i++) {
		const uint64_t before = ring_position(&e.in);

		cr_assert_eq(ring_taken(&e.in), before);
		cr_assert(push(&e.in, 1, message, sizeof message));
		cr_assert_gt(ring_position(&e.in), before);
		cr_assert_lt(ring_taken(&e.in), ring_position(&e.in));
		ring_pop(&e.out, &type, message, sizeof message, &bytes);
		cr_assert_eq(ring_taken(&e.in), ring_position(&e.in));
	}
}

/* A ring that holds one message at a time stays at its front; one that is in use does not jump. */
Test(ring, light_use_touches_few_pages) {
	enum { SIZE = 1 << 20, MESSAGE = 100 };
	struct ends e = open_ends(SIZE);
	uint8_t message[MESSAGE] = {0};
	uint64_t furthest = 0;
	uint32_t type, bytes;

	for (unsigned i = 0; i < 100000; i++) {
		uint8_t *room = ring_reserve(&e.in, 1, MESSAGE);
		const uint64_t offset = (uint64_t)(room - e.shared->data);

		furthest = offset > furthest ? offset : furthest;
		ring_commit(&e.in);
		cr_assert_eq(ring_pop(&e.out, &type, message, sizeof message, &bytes), 1);
	}
	cr_assert_leq(furthest + MESSAGE, FRONT + 128);
	for (unsigned n = 0; push(&e.in, 1, message, MESSAGE); n++)
		cr_assert_lt(n, SIZE / MESSAGE);
	for (unsigned n = 0; ring_pop(&e.out, &type, message, MESSAGE, &bytes) == 1; n++)
		cr_assert_lt(n, SIZE / MESSAGE);
	cr_assert(!e.in.broken && !e.out.broken);
}

/* --- Two processes ------------------------------------------------------------------------- */

/* Length, type and contents of message @index follow from @state alone. */
static uint32_t next_length(uint64_t *state, uint32_t longest) {
	const uint64_t r = draw(state);

	/* Mostly short, some up to the longest. */
	return (uint32_t)(r >> 32) % ((r & 63) ? 200 : longest + 1);
}

static void fill(uint8_t *message, uint32_t bytes, uint64_t seed) {
	for (uint32_t i = 0; i < bytes; i++)
		message[i] = (uint8_t)(seed + i * 31);
}

static bool is_filled(const uint8_t *message, uint32_t bytes, uint64_t seed) {
	for (uint32_t i = 0; i < bytes; i++)
		if (message[i] != (uint8_t)(seed + i * 31))
			return false;
	return true;
}

static void produce(struct ring_shared *shared, uint64_t size, uint64_t count) {
	struct ring ring;
	uint64_t state = 42;

	ring_open(&ring, shared, size);
	for (uint64_t i = 0; i < count; i++) {
		const uint32_t bytes = next_length(&state, ring_longest(&ring));
		uint8_t *room;

		while (!(room = ring_reserve(&ring, (uint32_t)i, bytes)))
			sched_yield();
		fill(room, bytes, i);
		ring_commit(&ring);
	}
	_exit(0);
}

static pid_t start(struct ring_shared *shared, uint64_t size, uint64_t arg,
	void (*run)(struct ring_shared *shared, uint64_t size, uint64_t arg)) {
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run(shared, size, arg);
	_exit(1);
}

static void consume(struct ring *ring, uint64_t count) {
	uint8_t *message = malloc(ring_longest(ring));
	uint64_t state = 42;

	for (uint64_t i = 0; i < count;) {
		uint32_t type, bytes;
		int rc = ring_pop(ring, &type, message, ring_longest(ring), &bytes);

		cr_assert_geq(rc, 0, "message %lu: broken", i);
		if (!rc) {
			sched_yield();
			continue;
		}
		if (type != (uint32_t)i || bytes != next_length(&state, ring_longest(ring))
			|| !is_filled(message, bytes, i))
			cr_assert_fail("message %lu: type %u, %u bytes", i, type, bytes);
		i++;
	}
	free(message);
}

static void check_processes(uint64_t size, uint64_t count) {
	struct ring_shared *shared = map_ring(size);
	pid_t pid = start(shared, size, count, produce);
	struct ring ring;
	int status;

	ring_open(&ring, shared, size);
	consume(&ring, count);
	cr_assert(!ring_waiting(&ring));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

Test(ring, processes_with_small_ring, .timeout = 120) {
	check_processes(1 << 10, 2000000);
}

Test(ring, processes_with_large_ring, .timeout = 120) {
	check_processes(1 << 18, 2000000);
}

/* --- Hostile peers ------------------------------------------------------------------------- */

/* What a hostile producer leaves in the ring of 1024 bytes, of which the consumer has taken 64. */
static const struct {
	const char *what;
	uint64_t produced;
	uint32_t at, bytes; /* header at this offset */
	uint32_t at2, bytes2;
} hostile_producers[] = {
	{"position behind ours", 56, 64, 8, 0, 0},
	{"position at zero", 0, 64, 8, 0, 0},
	{"position past the ring", 64 + 1024 + 8, 64, 8, 0, 0},
	{"position at the end of numbers", UINT64_MAX - 7, 64, 8, 0, 0},
	{"position not on a header", 64 + 16 + 4, 64, 8, 0, 0},
	{"message longer than what is produced", 64 + 16, 64, 9, 0, 0},
	{"message longer than the room", 64 + 512, 64, 300, 0, 0},
	{"message of 2 GB less one", 64 + 1024, 64, 0x7fffffff, 0, 0},
	{"message past the end of the data", 64 + 1024, 64, FILLER_BIT, 0, 600},
	{"filler alone", 1024, 64, FILLER_BIT, 0, 0},
	{"filler past what is produced", 128, 64, FILLER_BIT, 0, 0},
	{"two fillers", 2048, 64, FILLER_BIT, 0, FILLER_BIT},
	{"filler with a length", 64 + 1024, 64, UINT32_MAX, 0, UINT32_MAX},
};

static void put_header(struct ring_shared *shared, uint32_t offset, uint32_t bytes) {
	const uint32_t header[2] = {1, bytes};

	memcpy(&shared->data[offset], header, sizeof header);
}

/* Both ends 64 bytes in. */
static struct ends advance(uint64_t size) {
	struct ends e = open_ends(size);
	uint8_t message[56] = {0};
	uint32_t type, bytes;

	cr_assert(push(&e.in, 1, message, sizeof message));
	cr_assert_eq(ring_pop(&e.out, &type, message, sizeof message, &bytes), 1);
	return e;
}

Test(ring, hostile_producer_breaks_the_ring) {
	for (unsigned i = 0; i < sizeof hostile_producers / sizeof *hostile_producers; i++) {
		struct ends e = advance(1024);
		uint8_t *got = malloc(256);
		uint32_t type, bytes;

		put_header(e.shared, hostile_producers[i].at2, hostile_producers[i].bytes2);
		put_header(e.shared, hostile_producers[i].at, hostile_producers[i].bytes);
		atomic_store(&e.shared->produced, hostile_producers[i].produced);
		cr_expect(ring_waiting(&e.out), "%s", hostile_producers[i].what);
		cr_expect_eq(ring_pop(&e.out, &type, got, 256, &bytes), -EPROTO, "%s",
			hostile_producers[i].what);
		cr_expect(!ring_waiting(&e.out), "%s", hostile_producers[i].what);
		/* It stays broken, whatever the peer writes next. */
		put_header(e.shared, 64, 8);
		atomic_store(&e.shared->produced, 80);
		cr_expect_eq(ring_pop(&e.out, &type, got, 256, &bytes), -EPROTO, "%s",
			hostile_producers[i].what);
		free(got);
	}
}

/* The same with a message that is in order: the table above fails for its own reasons. */
Test(ring, honest_headers_are_taken) {
	struct ends e = advance(1024);
	uint8_t got[256];
	uint32_t type, bytes;

	put_header(e.shared, 64, FILLER_BIT);
	put_header(e.shared, 0, 8);
	atomic_store(&e.shared->produced, 1024 + 16);
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 1);
	cr_assert_eq(bytes, 8);
	cr_assert_eq(ring_pop(&e.out, &type, got, sizeof got, &bytes), 0);
}

/* A message that ends behind the data's end: only the last check stands before the guard page. */
Test(ring, message_past_the_end) {
	struct ends e = open_ends(1024);
	uint8_t message[1024] = {0};
	uint32_t type, bytes;

	cr_assert(push(&e.in, 1, message, 504));
	cr_assert(push(&e.in, 1, message, 392));
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(ring_pop(&e.out, &type, message, sizeof message, &bytes), 1);
	put_header(e.shared, 912, 200);
	atomic_store(&e.shared->produced, 912 + 1024);
	cr_assert_eq(ring_pop(&e.out, &type, message, sizeof message, &bytes), -EPROTO);
}

static const struct {
	const char *what;
	uint64_t consumed; /* the producer stands at 128, and 64 were taken */
} hostile_consumers[] = {
	{"position before the last", 56},
	{"position at zero", 0},
	{"position past ours", 136},
	{"position at the end of numbers", UINT64_MAX - 7},
	{"position not on a header", 68},
};

Test(ring, hostile_consumer_breaks_the_ring) {
	for (unsigned i = 0; i < sizeof hostile_consumers / sizeof *hostile_consumers; i++) {
		struct ends e = advance(1024);

		cr_assert(push(&e.in, 1, (uint8_t[56]){0}, 56));
		cr_expect_eq(ring_taken(&e.in), 64);
		atomic_store(&e.shared->consumed, hostile_consumers[i].consumed);
		cr_expect_eq(ring_taken(&e.in), 64, "%s", hostile_consumers[i].what);
		cr_expect(e.in.broken, "%s", hostile_consumers[i].what);
		cr_expect_null(ring_reserve(&e.in, 1, 8), "%s", hostile_consumers[i].what);
		ring_commit(&e.in);
		atomic_store(&e.shared->consumed, 128);
		cr_expect_null(ring_reserve(&e.in, 1, 8), "%s", hostile_consumers[i].what);
		cr_expect_eq(ring_position(&e.in), 128);
	}
}

/* A position that is likely enough to be believed, near that of the other end. */
static uint64_t near_position(uint64_t at, uint64_t r, uint64_t size) {
	return at + ((r >> 32) % (size + size / 4)) / 8 * 8 - ((r & 15) ? 0 : size / 2);
}

/*
 * Write rubbish into all that is shared until killed: the positions (one in 8 draws; anywhere, or
 * where they could be), and words of the data, with lengths that are likely to be believed.
 */
static void scribble(struct ring_shared *shared, uint64_t size, uint64_t seed) {
	_Atomic uint64_t *words = (_Atomic uint64_t *)(void *)shared->data;
	uint64_t state = seed;

	for (;;) {
		const uint64_t r = draw(&state), where = draw(&state);

		if (r % 64 == 63)
			sched_yield(); /* or one processor would show each end one state a slice */
		_Atomic uint64_t *word = &words[where % (size / 8)];

		switch (r % 16) {
		case 0:
			word = where % 2 ? &shared->produced : &shared->consumed;
			atomic_store(word, where % 64 == 1 ? r : near_position(*word, r, size));
			break;
		case 1:
			atomic_store(&shared->produced, near_position(shared->consumed, r, size));
			break;
		case 2:
			atomic_store(&shared->consumed, shared->produced);
			break;
		case 3:
			atomic_store(word, draw(&state));
			break;
		case 4:
			atomic_store(word, (uint64_t)FILLER_BIT << 32);
			break;
		default:
			atomic_store(word, (where >> 32) % (r % 64 ? 64 : size) << 32 | 1);
		}
	}
}

static void end_peer(pid_t pid) {
	int status;

	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the peer failed: %x",
		(unsigned)status);
}

/* The consumer takes what it gets; the copy lies in memory of just the room, before a redzone. */
static void pop_rubbish(struct ring_shared *shared, uint64_t size, uint32_t room) {
	uint8_t *got = malloc(room);
	uint64_t popped = 0, broken = 0;
	struct ring ring;

	ring_open(&ring, shared, size);
	ring.own = ring.peer = atomic_load(&shared->consumed) & ~UINT64_C(7);
	while (popped < ENOUGH || broken < ENOUGH) {
		uint32_t type, bytes;
		int rc = ring_pop(&ring, &type, got, room, &bytes);

		popped += rc == 1;
		if (rc == 1)
			cr_assert(bytes <= room);
		if (!rc)
			sched_yield();
		if (rc >= 0)
			continue;
		cr_assert_eq(rc, -EPROTO);
		broken++;
		ring_open(&ring, shared, size);
		ring.own = ring.peer = atomic_load(&shared->produced) & ~UINT64_C(7);
	}
	free(got);
}

Test(ring, consumer_survives_rubbish, .timeout = 120) {
	for (uint64_t size = 64; size <= 1 << 16; size *= 32) {
		struct ring_shared *shared = map_ring(size);
		pid_t pid = start(shared, size, 7 + size, scribble);

		pop_rubbish(shared, size, size / 2 - 16);
		end_peer(pid);
	}
}

/* Every message lies in the data, wherever the consumer claims to be. */
static void push_rubbish(struct ring_shared *shared, uint64_t size) {
	uint64_t pushed = 0, broken = 0, state = 5;
	struct ring ring;

	ring_open(&ring, shared, size);
	while (pushed < ENOUGH || broken < ENOUGH) {
		const uint32_t bytes = next_length(&state, size / 2) % (size / 2);
		uint8_t *room = ring_reserve(&ring, 1, bytes);

		if (room) {
			cr_assert(room >= shared->data + 8 && room + bytes <= shared->data + size);
			memset(room, 0xff, bytes);
			ring_commit(&ring);
			pushed++;
		} else if (ring.broken) {
			broken++;
			ring_open(&ring, shared, size);
			ring.own = ring.peer = atomic_load(&shared->consumed) & ~UINT64_C(7);
		} else {
			sched_yield();
		}
		ring_taken(&ring);
	}
}

Test(ring, producer_survives_rubbish, .timeout = 120) {
	for (uint64_t size = 64; size <= 1 << 16; size *= 32) {
		struct ring_shared *shared = map_ring(size);
		pid_t pid = start(shared, size, 11 + size, scribble);

		push_rubbish(shared, size);
		end_peer(pid);
	}
}
