/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All results of a run, for hooks that look at them at its end: a nameless file (O_TMPFILE) in the
 * spill folder. Rows of a fixed size are found by number; what a result has beyond the packet path's
 * answer lies in a second file. 10^8 results take 5 GB there, and the archive a few MB of memory.
 *
 * Written by the writer thread, read by the control core after writer_drain().
 */
#ifndef CTL_ARCHIVE_H
#define CTL_ARCHIVE_H

#include "result.h"

#include <dp/error.h>

struct archive;

/* The names that results may point to: plugins and "builtin". Lives as long as the run. */
struct result_names {
	const char *const *names;
	unsigned nb;
};

/* 0 or a negative errno with @err filled (names the folder). */
int archive_create(const char *folder, const struct result_names *names, struct archive **archive,
	struct dp_error *err);
void archive_destroy(struct archive *archive); /* NULL is fine */

/*
 * The same in two files that stay, `PREFIX.rows` and `PREFIX.packed`, for who may go on with it:
 * what is put is handed to the kernel at once. With @resume all results that are whole in there are taken
 * up; else the files begin anew. archive_remove() takes their names away.
 */
int archive_create_kept(const char *prefix, bool resume, const struct result_names *names,
	struct archive **archive, struct dp_error *err);
void archive_remove(const char *prefix);
bool archive_is_kept(const struct archive *archive);

/* Forget all results but the first @count. */
void archive_cut(struct archive *archive, uint64_t count);

/* The descriptors of its files, for who brings them to the disk. */
void archive_fds(const struct archive *archive, int fd[static 2]);

/*
 * Append @n results; buffered, big blocks. Copies. The first error stays (archive_error()): from then
 * on nothing is taken, and archive_get() gives that error only.
 */
void archive_put(struct archive *archive, const struct result *results, unsigned n);
void archive_flush(struct archive *archive); /* write what is buffered, so that its errors show */
int archive_error(const struct archive *archive); /* 0 or a negative errno */
const char *archive_name(const struct archive *archive); /* "results archive in FOLDER" */

uint64_t archive_count(const struct archive *archive);

/*
 * Result @index (in the order of archive_put()); reading forwards is fast (blocks are read ahead and
 * kept). @result->extra belongs to the archive and lives until the next call. 0, -ENOENT or an error.
 */
int archive_get(struct archive *archive, uint64_t index, struct result *result);

/* What a record needs of its answer, as it lies in files: no pointers, no padding. */
struct packed_answer {
	uint64_t ip_high, ip_low, ts_ns;
	uint32_t rtt_us;
	uint16_t port;
	uint8_t proto, state, reason, ttl, pass, zero_window;
} __attribute__((packed, aligned(4)));

struct packed_answer answer_pack(const struct dp_answer *answer);

/* 0, or -EBADMSG where it is none. */
int answer_unpack(const struct packed_answer *packed, struct dp_answer *answer);

/*
 * Turn a result into bytes and back, for the archive and the spill. Plugin names (and the service's
 * source) are written as their place in @names, which lives as long as the run. result_pack() appends
 * to a malloc'ed, growing buffer; result_unpack() checks every length and makes a new extra. Both 0
 * or a negative errno.
 */
int result_pack(const struct result *result, const struct result_names *names, uint8_t **bytes,
	size_t *used, size_t *room);
int result_unpack(const uint8_t *bytes, size_t n, const struct result_names *names, size_t *taken,
	struct result *result);

#endif
