/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a checkpoint relies on beside the outputs: results that are not in them yet, as they wait for
 * plugins, and pairs that answered but are in none (closed ones, for example).
 *
 * Entries are gathered in memory. Each checkpoint closes a segment, a file `FILE.journal.N` that is
 * written once, before the checkpoint that names it. A segment is wanted until all results in it
 * are in the outputs, and answers to what is not covered cannot concern its pairs.
 *
 *     kind 0: a pair      address (two u64), port (u16)
 *     kind 1: a result    length (u32), result_pack()
 *
 * Control core; the keeper reads the bytes of closed segments while it writes them.
 */
#ifndef CTL_JOURNAL_H
#define CTL_JOURNAL_H

#include "result.h"

#include <dp/error.h>

struct journal;

enum {
	JOURNAL_DUE_BYTES = 32 << 20, /* gathered: a checkpoint should be written */
	JOURNAL_MOST_BYTES = 128 << 20, /* take no more answers */
};

/* Segments get numbers from @first on. 0 or -ENOMEM. */
int journal_create(uint64_t first, struct journal **journal);
void journal_destroy(struct journal *journal); /* NULL is fine */

/* Add a pair that answered (@endpoint: as dp_space_find()). Without memory the program ends: the account could not be true. */
void journal_pair(struct journal *journal, dp_ip ip, uint32_t endpoint);

/*
 * The same of a pair whose result may be in a segment that is still wanted, and is done for good although it
 * is in no output: both are wanted as long as that one. @endpoint is the result's own protocol and port.
 */
void journal_left_out(struct journal *journal, dp_ip ip, uint32_t endpoint);

/* Add a packed result; returns the number of its segment, which is wanted until journal_done(). */
uint64_t journal_result(struct journal *journal, const uint8_t *packed, uint32_t bytes);
void journal_done(struct journal *journal, uint64_t segment);

/*
 * Pairs that answered to probes of an earlier run, which may be sent again at any time: they are wanted until
 * the scan is complete (covered_ns UINT64_MAX).
 */
#define JOURNAL_TO_THE_END UINT64_MAX

/* Take up a segment of an earlier run, @results of which wait; it is wanted to the end. */
void journal_take_up(struct journal *journal, uint64_t number, uint64_t results);

size_t journal_gathered(const struct journal *journal);

/* Close the segment: its pairs answered to probes that were sent before @sent_ns. */
void journal_close(struct journal *journal, uint64_t sent_ns);

/* A segment as it has to be written, or names of those that are wanted. */
struct journal_segment {
	uint64_t number;
	const uint8_t *bytes; /* NULL: it is on the disk */
	size_t n;
};

/*
 * The closed segments that are wanted by a checkpoint that covers all that was sent before
 * @covered_ns; they are the journal's and stay as they are until the next call. Others are dropped:
 * see journal_dropped(), once the checkpoint is written. No segment may be closed before
 * journal_written(), or the next call of this where the checkpoint failed.
 */
const struct journal_segment *journal_wanted(
	struct journal *journal, uint64_t covered_ns, unsigned *nb);

/* They are on the disk. */
void journal_written(struct journal *journal);

/* The next one that nobody wants any more and that may be removed. False: there is none. */
bool journal_dropped(struct journal *journal, uint64_t *number);

uint64_t journal_next(const struct journal *journal); /* number of the segment that is open */

/* Read the entries of a segment's body; pure. 0, what a callback returned, or -EBADMSG. */
struct journal_reader {
	int (*pair)(void *user, dp_ip ip, uint32_t endpoint);
	int (*result)(void *user, const uint8_t *packed, uint32_t bytes);
	void *user;
	int (*left_out)(void *user, dp_ip ip, uint32_t endpoint);
};
int journal_read(const uint8_t *bytes, size_t n, const struct journal_reader *reader);

#endif
