/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records that wait on disk.
 *
 * Two threads run this: the control core puts and gets, a thread of the spill's own reads and writes
 * the file. The queue is a list of blocks, which is the control core's alone: records are appended
 * to the last one and taken from the first. A full block is handed to the thread to be written, and
 * its memory is freed when it comes back; the first few of the list are handed to it to be read.
 *
 * Blocks go there and back through two rings without locks, so that the control core never waits for
 * the disk, nor for a thread that holds a lock. While the thread writes a block, the control core
 * may already take records from it, as both only read it; but it frees it only when it is back. A
 * block that could not be written stays in memory, and nothing new is taken until it has been read.
 *
 * Owns the file, the blocks and the thread. Places in the file are never used twice: what was taken
 * is given back to the file system by punching holes.
 */
#include "scratch.h"
#include "spill.h"
#include "spsc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BLOCK_BYTES = 256 << 10, /* a larger record has a block for itself */
	MOST_WRITING = 16, /* blocks that wait to be written; more mean that the disk is too slow */
	AHEAD = 4, /* blocks that are in memory before their turn */
	RING_SLOTS = 64, /* more than can be under way */
	PAGE_BYTES = 4096, /* holes are of whole pages */
};

enum request {
	REQUEST_NONE,
	REQUEST_WRITE,
	REQUEST_READ,
};

struct block {
	struct block *next; /* control core */
	uint8_t *bytes; /* NULL: only in the file. The thread reads or fills it on request */
	uint32_t room, used; /* of it; fixed once it was handed over */
	uint32_t taken; /* bytes that spill_get() gave out. control core */
	uint64_t at; /* in the file */
	enum request request; /* that is under way. control core */
	bool placed; /* it has a place in the file. control core */
	bool unwritten; /* the file would not take it. control core */
	bool done; /* all taken; waits to come back from the thread. control core */
	int error; /* of reading it; control core */
	int rc; /* of the request. writer: the thread, reader: control core when it came back */
	atomic_bool cancelled; /* no need to write it. writer: control core, reader: the thread */
};

struct spill {
	int fd;
	_Atomic int64_t *budget; /* shared with other spills */
	struct block *first, *last; /* control core, as all up to the rings */
	uint64_t records, total;
	uint64_t file_end;
	uint64_t withheld; /* bytes of the budget, until the file is gone: it has no holes */
	unsigned writing, unwritten; /* blocks */
	int error; /* of the first block: what is left cannot be had */
	uint8_t *spare; /* memory of a block, to be used again */
	bool running;
	cpu_set_t cpus;
	pthread_t thread;

	struct spsc *requests; /* struct block *, to the thread */
	struct spsc *answers; /* struct block *, back from it */
	sem_t work; /* posted for each request and for each block that was taken */
	_Atomic uint64_t consumed; /* bytes of the file that are done with. writer: control core */
	atomic_bool no_holes; /* the file system cannot take room back. writer: the thread */
	atomic_bool ending; /* writer: control core */
};

static uint32_t length_at(const struct block *block) {
	uint32_t length;

	memcpy(&length, block->bytes + block->taken, sizeof length);
	return length;
}

/* ---- The thread ---- */

static int serve(struct spill *spill, struct block *block) {
	if (atomic_load_explicit(&spill->ending, memory_order_relaxed)
		|| atomic_load_explicit(&block->cancelled, memory_order_relaxed))
		return -ECANCELED;
	if (block->request == REQUEST_READ)
		return scratch_read(spill->fd, block->bytes, block->used, block->at);
	return scratch_write(spill->fd, block->bytes, block->used, block->at);
}

/* A block that is cancelled was so before its bytes were consumed: it is not written after this. */
static uint64_t punch(struct spill *spill, uint64_t punched) {
	uint64_t end = atomic_load_explicit(&spill->consumed, memory_order_acquire);

	end -= end % PAGE_BYTES;
	if (end == punched)
		return punched;
	if (fallocate(spill->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)punched,
		    (off_t)(end - punched))
		< 0)
		atomic_store_explicit(&spill->no_holes, true, memory_order_relaxed);
	return end;
}

static void *spill_main(void *arg) {
	struct spill *spill = arg;
	struct block *block;
	uint64_t punched = 0;

	for (;;) {
		/* Read before the ring: nothing is submitted after this was set. */
		bool ending = atomic_load_explicit(&spill->ending, memory_order_acquire);
		while (spsc_get(spill->requests, &block, 1)) {
			block->rc = serve(spill, block);
			/* There is room: no more can be under way than it has slots. */
			spsc_put(spill->answers, &block, 1);
		}
		if (ending)
			return NULL;
		punched = punch(spill, punched);
		while (sem_wait(&spill->work) < 0)
			continue; /* interrupted */
	}
}

/* Signals are for the control core: the thread starts with all of them blocked. */
static int start_thread(struct spill *spill) {
	sigset_t all, before;
	pthread_attr_t attr;

	if (spill->running)
		return 0;
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof spill->cpus, &spill->cpus);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = -pthread_create(&spill->thread, &attr, spill_main, spill);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!rc)
		pthread_setname_np(spill->thread, "spill");
	spill->running = !rc;
	return rc;
}

/* ---- The control core ---- */

static uint8_t *get_memory(struct spill *spill, uint32_t bytes) {
	uint8_t *spare = spill->spare;

	if (bytes > BLOCK_BYTES || !spare)
		return malloc(bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
	spill->spare = NULL;
	return spare;
}

static void free_memory(struct spill *spill, struct block *block) {
	if (!spill->spare && block->room <= BLOCK_BYTES)
		spill->spare = block->bytes;
	else
		free(block->bytes);
	block->bytes = NULL;
}

static void free_block(struct spill *spill, struct block *block) {
	free_memory(spill, block);
	free(block);
}

static void give_back(struct spill *spill, uint64_t bytes) {
	atomic_fetch_add_explicit(spill->budget, (int64_t)bytes, memory_order_relaxed);
}

static bool take_budget(struct spill *spill, uint32_t bytes) {
	int64_t left = atomic_fetch_sub_explicit(spill->budget, bytes, memory_order_relaxed);

	if (left >= (int64_t)bytes)
		return true;
	give_back(spill, bytes);
	return false;
}

static void submit(struct spill *spill, struct block *block, enum request request) {
	block->request = request;
	spsc_put(spill->requests, &block, 1);
	sem_post(&spill->work);
}

static bool is_near(const struct spill *spill, const struct block *wanted) {
	const struct block *block = spill->first;

	for (unsigned i = 0; i < AHEAD && block; i++, block = block->next)
		if (block == wanted)
			return true;
	return false;
}

static void take_written(struct spill *spill, struct block *block) {
	spill->writing--;
	if (block->done) {
		free_block(spill, block);
		return;
	}
	if (block->rc == 0 && !is_near(spill, block))
		free_memory(spill, block);
	if (block->rc && block->rc != -ECANCELED) {
		block->unwritten = true;
		spill->unwritten++;
	}
}

/* What the thread has done. */
static void take_answers(struct spill *spill) {
	struct block *block;

	while (spill->running && spsc_get(spill->answers, &block, 1)) {
		enum request request = block->request;
		block->request = REQUEST_NONE;
		if (request == REQUEST_WRITE)
			take_written(spill, block);
		else
			block->error = block->rc;
	}
}

/* Ask for those that come next and are in the file only. */
static void read_ahead(struct spill *spill) {
	struct block *block = spill->first;

	for (unsigned i = 0; i < AHEAD && block; i++, block = block->next) {
		if (block->bytes)
			continue;
		block->bytes = get_memory(spill, block->room);
		if (!block->bytes)
			return; /* the next spill_get() tries again */
		submit(spill, block, REQUEST_READ);
	}
}

static bool is_open(const struct block *block) {
	return block && !block->placed && block->request == REQUEST_NONE;
}

/*
 * The last block is full. One that is the first too is about to be read: it is not worth writing.
 * False: too many wait for the disk, or it is full.
 */
static bool close_last(struct spill *spill) {
	struct block *last = spill->last;

	if (!is_open(last) || last == spill->first)
		return true;
	if (spill->writing == MOST_WRITING || start_thread(spill))
		return false;
	last->placed = true;
	last->at = spill->file_end;
	spill->file_end += last->used;
	spill->writing++;
	submit(spill, last, REQUEST_WRITE);
	return true;
}

static bool add_block(struct spill *spill, uint32_t bytes) {
	take_answers(spill);
	if (spill->unwritten || !close_last(spill))
		return false;
	struct block *block = calloc(1, sizeof *block);
	if (!block)
		return false;
	block->room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
	block->bytes = get_memory(spill, block->room);
	if (!block->bytes) {
		free(block);
		return false;
	}
	if (spill->last)
		spill->last->next = block;
	else
		spill->first = block;
	spill->last = block;
	return true;
}

bool spill_put(struct spill *spill, const void *record, uint32_t bytes) {
	const uint32_t length = bytes;

	if (spill->error || !bytes || bytes > UINT32_MAX - sizeof length)
		return false;
	bytes += sizeof length;
	if (!take_budget(spill, bytes))
		return false;
	struct block *last = spill->last;
	bool fits = is_open(last) && last->room - last->used >= bytes;
	if (!fits && !add_block(spill, bytes)) {
		give_back(spill, bytes);
		return false;
	}
	last = spill->last;
	memcpy(last->bytes + last->used, &length, sizeof length);
	memcpy(last->bytes + last->used + sizeof length, record, length);
	last->used += bytes;
	spill->records++;
	spill->total++;
	return true;
}

/* Room in the file counts as taken until the file system has it back. */
static void release(struct spill *spill, struct block *block) {
	if (block->placed && atomic_load_explicit(&spill->no_holes, memory_order_relaxed))
		spill->withheld += block->used;
	else
		give_back(spill, block->used);
	if (!block->placed)
		return;
	/* Release: that the block is cancelled is known before. */
	atomic_store_explicit(&spill->consumed, block->at + block->used, memory_order_release);
	sem_post(&spill->work);
}

/* All of the first block was taken. */
static void drop_first(struct spill *spill) {
	struct block *first = spill->first;

	if (first == spill->last && is_open(first) && first->room == BLOCK_BYTES) {
		give_back(spill, first->used);
		first->used = first->taken = 0;
		return;
	}
	spill->first = first->next;
	if (!spill->first)
		spill->last = NULL;
	spill->unwritten -= first->unwritten;
	release(spill, first);
	if (first->request == REQUEST_NONE)
		free_block(spill, first);
	else
		first->done = true;
	read_ahead(spill);
}

static int copy_record(struct block *block, void **record, size_t *room) {
	uint32_t left = block->used - block->taken, length = 0;

	if (left > sizeof length)
		length = length_at(block);
	if (!length || length > left - sizeof length)
		return -EBADMSG;
	if (*room < length) {
		void *grown = realloc(*record, length);
		if (!grown)
			return -ENOMEM;
		*record = grown;
		*room = length;
	}
	memcpy(*record, block->bytes + block->taken + sizeof length, length);
	return 0;
}

static bool is_readable(const struct block *block) {
	return block->bytes && block->request != REQUEST_READ;
}

int64_t spill_get(struct spill *spill, void **record, size_t *room) {
	struct block *first = spill->first;

	if (spill->error || !spill->records)
		return spill->error;
	if (!is_readable(first)) {
		take_answers(spill);
		read_ahead(spill);
	}
	if (!is_readable(first))
		return 0;
	if (first->request == REQUEST_WRITE)
		atomic_store_explicit(&first->cancelled, true, memory_order_relaxed);
	spill->error = first->error ? first->error : copy_record(first, record, room);
	if (spill->error)
		return spill->error;
	uint32_t length = length_at(first);
	first->taken += (uint32_t)sizeof length + length;
	spill->records--;
	if (first->taken == first->used)
		drop_first(spill);
	return length;
}

uint64_t spill_count(const struct spill *spill) {
	return spill->records;
}

uint64_t spill_total(const struct spill *spill) {
	return spill->total;
}

int spill_create(
	const char *folder, _Atomic int64_t *budget, struct spill **spill, struct dp_error *err) {
	struct spill *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	s->budget = budget;
	sem_init(&s->work, 0, 0);
	sched_getaffinity(0, sizeof s->cpus, &s->cpus);
	rc = s->fd = scratch_open(folder, err);
	if (rc < 0)
		goto destroy;
	rc = spsc_create(RING_SLOTS, sizeof(struct block *), &s->requests);
	if (!rc)
		rc = spsc_create(RING_SLOTS, sizeof(struct block *), &s->answers);
	if (rc) {
		dp_fail(err, false, rc, "out of memory");
		goto destroy;
	}
	*spill = s;
	return 0;

destroy:
	spill_destroy(s);
	return rc;
}

static void stop_thread(struct spill *spill) {
	if (!spill->running)
		return;
	atomic_store_explicit(&spill->ending, true, memory_order_release);
	sem_post(&spill->work);
	pthread_join(spill->thread, NULL);
	/* What was still under way comes back too: the thread empties its ring before it ends. */
	take_answers(spill);
}

void spill_destroy(struct spill *spill) {
	struct block *next;

	if (!spill)
		return;
	stop_thread(spill);
	for (struct block *block = spill->first; block; block = next) {
		next = block->next;
		give_back(spill, block->used);
		free(block->bytes);
		free(block);
	}
	give_back(spill, spill->withheld);
	free(spill->spare);
	spsc_destroy(spill->requests);
	spsc_destroy(spill->answers);
	sem_destroy(&spill->work);
	if (spill->fd >= 0)
		close(spill->fd);
	free(spill);
}
