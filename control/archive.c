/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The archive of a run's results.
 *
 * The writer thread puts, and after it was joined the control core gets: one thread at a time. Owns
 * two nameless files, a block of each that waits to be written, and a window of each that was read.
 *
 * The first file has a row of fixed size for each result, the second the packed form of those that
 * have more than the answer; their rows say where. Both are written and read in the order of the
 * results, so that reading forwards goes through each file once, in large steps.
 */
#include "archive.h"
#include "scratch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BLOCK_ROWS = 16 << 10, /* written at once, and read at once by who reads forwards */
	PAGE_ROWS = 64, /* read at once by who jumps; divides BLOCK_ROWS */
	BLOCK_BYTES = 1 << 20, /* the same of packed results; they may be larger */
	PAGE_BYTES = 16 << 10,
};

/* As it lies in the first file. */
struct row {
	struct packed_answer answer;
	uint32_t bytes; /* of the packed result in the second file; 0: there is none */
	uint64_t at; /* of it */
};

static_assert(sizeof(struct row) == 48);

/* A part of a file in memory, rows or bytes. */
struct window {
	uint64_t first, end;
};

struct archive {
	char *name;
	const struct result_names *names;
	int error;
	uint64_t count;

	bool kept; /* its files have names */
	int rows_fd, packed_fd;
	struct row *rows; /* of results from @rows_written on, which wait to be written */
	uint64_t rows_written;
	uint8_t *packed; /* from @packed_written on; grows with the largest result */
	size_t packed_used, packed_room;
	uint64_t packed_written;

	struct row *read_rows;
	struct window rows_window; /* of results in @read_rows */
	uint8_t *read_packed;
	size_t read_room;
	struct window packed_window; /* of bytes in @read_packed */
	struct result_extra *lent; /* by archive_get() */
};

static bool is_in(const struct window *window, uint64_t first, uint64_t n) {
	return first >= window->first && first + n <= window->end;
}

/*
 * Move @window so that it holds @n elements from @first on, of which there are @total: a large step
 * where it goes on behind its end, else a small one.
 */
static void move(struct window *window, uint64_t first, uint64_t n, uint64_t total, uint64_t large,
	uint64_t small) {
	uint64_t step = first == window->end ? large : small;

	window->first = first;
	window->end = first + (step > n ? step : n);
	if (window->end > total)
		window->end = total;
}

static int read_rows(struct archive *a, uint64_t index) {
	struct window *window = &a->rows_window;
	/* Down to a page, so that reading backwards is no read a row. */
	uint64_t first = index == window->end ? index : index - index % PAGE_ROWS;

	move(window, first, 1, a->count, BLOCK_ROWS, PAGE_ROWS);
	int rc = scratch_read(a->rows_fd, a->read_rows,
		(size_t)(window->end - first) * sizeof *a->read_rows, first * sizeof *a->read_rows);
	if (rc)
		*window = (struct window){0};
	return rc;
}

static int allocate(struct archive *archive, const char *folder) {
	archive->rows = calloc(BLOCK_ROWS, sizeof *archive->rows);
	archive->read_rows = malloc(BLOCK_ROWS * sizeof *archive->read_rows);
	if (asprintf(&archive->name, "results archive in %s", folder) < 0)
		archive->name = NULL;
	return archive->rows && archive->read_rows && archive->name ? 0 : -ENOMEM;
}

int archive_create(const char *folder, const struct result_names *names, struct archive **archive,
	struct dp_error *err) {
	struct archive *a = calloc(1, sizeof *a);
	int rc;

	if (!a)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	a->names = names;
	a->rows_fd = a->packed_fd = -1;
	rc = allocate(a, folder);
	if (rc) {
		dp_fail(err, false, rc, "out of memory");
		goto destroy;
	}
	rc = a->rows_fd = scratch_open(folder, err);
	if (rc < 0)
		goto destroy;
	rc = a->packed_fd = scratch_open(folder, err);
	if (rc < 0)
		goto destroy;
	*archive = a;
	return 0;

destroy:
	archive_destroy(a);
	return rc;
}

static int open_kept(const char *prefix, const char *suffix, bool resume, struct dp_error *err) {
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (resume ? 0 : O_TRUNC);
	char *path;
	int fd;

	if (asprintf(&path, "%s.%s", prefix, suffix) < 0)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	fd = open(path, flags, 0600);
	if (fd < 0)
		fd = dp_fail(err, true, -errno, "cannot open %s: %s", path, strerror(errno));
	free(path);
	return fd;
}

/* Count the rows whose results are whole, up to the first that is not. */
static int take_up(struct archive *a) {
	const off_t packed = lseek(a->packed_fd, 0, SEEK_END);
	const off_t rows = lseek(a->rows_fd, 0, SEEK_END);
	uint64_t most = rows < 0 ? 0 : (uint64_t)rows / sizeof(struct row);

	if (packed < 0 || rows < 0)
		return -errno;
	a->packed_written = (uint64_t)packed;
	for (; a->count < most; a->count++) {
		const struct row *row;
		int rc = 0;

		if (!is_in(&a->rows_window, a->count, 1)) {
			struct archive all = *a;

			all.count = most;
			rc = read_rows(&all, a->count);
			a->rows_window = all.rows_window;
		}
		if (rc)
			return rc;
		row = &a->read_rows[a->count - a->rows_window.first];
		if (row->bytes
			&& (row->at > a->packed_written
				|| row->bytes > a->packed_written - row->at))
			break;
	}
	a->rows_written = a->count;
	return 0;
}

int archive_create_kept(const char *prefix, bool resume, const struct result_names *names,
	struct archive **archive, struct dp_error *err) {
	struct archive *a = calloc(1, sizeof *a);
	int rc;

	if (!a)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	a->names = names;
	a->kept = true;
	a->rows_fd = a->packed_fd = -1;
	rc = allocate(a, prefix);
	if (rc) {
		dp_fail(err, false, rc, "out of memory");
		goto destroy;
	}
	rc = a->rows_fd = open_kept(prefix, "rows", resume, err);
	if (rc < 0)
		goto destroy;
	rc = a->packed_fd = open_kept(prefix, "packed", resume, err);
	if (rc < 0)
		goto destroy;
	rc = take_up(a);
	if (rc) {
		dp_fail(err, false, rc, "cannot read %s.rows: %s", prefix, strerror(-rc));
		goto destroy;
	}
	*archive = a;
	return 0;

destroy:
	archive_destroy(a);
	return rc;
}

void archive_remove(const char *prefix) {
	static const char *const suffixes[] = {"rows", "packed"};

	for (unsigned i = 0; i < 2; i++) {
		char *path;

		if (asprintf(&path, "%s.%s", prefix, suffixes[i]) < 0)
			return;
		unlink(path);
		free(path);
	}
}

bool archive_is_kept(const struct archive *archive) {
	return archive->kept;
}

void archive_cut(struct archive *a, uint64_t count) {
	if (count >= a->count)
		return;
	a->count = a->rows_written = count;
	a->rows_window = (struct window){0};
}

void archive_fds(const struct archive *archive, int fd[static 2]) {
	fd[0] = archive->rows_fd;
	fd[1] = archive->packed_fd;
}

void archive_destroy(struct archive *archive) {
	if (!archive)
		return;
	result_extra_free(archive->lent);
	if (archive->rows_fd >= 0)
		close(archive->rows_fd);
	if (archive->packed_fd >= 0)
		close(archive->packed_fd);
	free(archive->read_packed);
	free(archive->read_rows);
	free(archive->packed);
	free(archive->rows);
	free(archive->name);
	free(archive);
}

int archive_error(const struct archive *archive) {
	return archive->error;
}

const char *archive_name(const struct archive *archive) {
	return archive->name;
}

uint64_t archive_count(const struct archive *archive) {
	return archive->count;
}

static void keep_error(struct archive *archive, int error) {
	if (!archive->error)
		archive->error = error;
}

static void write_rows(struct archive *a) {
	size_t n = (size_t)(a->count - a->rows_written);

	keep_error(a,
		scratch_write(a->rows_fd, a->rows, n * sizeof *a->rows,
			a->rows_written * sizeof *a->rows));
	a->rows_written = a->count;
}

static void write_packed(struct archive *a) {
	keep_error(a, scratch_write(a->packed_fd, a->packed, a->packed_used, a->packed_written));
	a->packed_written += a->packed_used;
	a->packed_used = 0;
}

/* Pack what the result has beyond its answer, if it has, and say in @row where it lies. */
static void put_packed(struct archive *a, const struct result *result, struct row *row) {
	size_t before = a->packed_used;

	row->at = 0;
	row->bytes = 0;
	if (!result->extra)
		return;
	keep_error(a, result_pack(result, a->names, &a->packed, &a->packed_used, &a->packed_room));
	if (a->packed_used - before > UINT32_MAX) {
		keep_error(a, -EMSGSIZE);
		return;
	}
	row->at = a->packed_written + before;
	row->bytes = (uint32_t)(a->packed_used - before);
	if (a->packed_used >= BLOCK_BYTES)
		write_packed(a);
}

void archive_put(struct archive *archive, const struct result *results, unsigned n) {
	for (unsigned i = 0; i < n && !archive->error; i++) {
		struct row *row = &archive->rows[archive->count - archive->rows_written];
		row->answer = answer_pack(&results[i].answer);
		put_packed(archive, &results[i], row);
		archive->count++;
		if (archive->count - archive->rows_written == BLOCK_ROWS)
			write_rows(archive);
	}
	/* Who goes on after a kill finds what was put. The second file first: rows point into it. */
	if (archive->kept)
		archive_flush(archive);
}

void archive_flush(struct archive *archive) {
	if (!archive->error && archive->packed_used)
		write_packed(archive);
	if (!archive->error && archive->count > archive->rows_written)
		write_rows(archive);
}

static int grow_window(struct archive *a, size_t room) {
	if (room <= a->read_room)
		return 0;
	uint8_t *bytes = realloc(a->read_packed, room);
	if (!bytes)
		return -ENOMEM;
	a->read_packed = bytes;
	a->read_room = room;
	return 0;
}

static int read_packed(struct archive *a, const struct row *row) {
	struct window *window = &a->packed_window;

	/* What begins in the window goes on behind it: the order of reading is forwards. */
	if (row->at > window->first && row->at < window->end)
		window->end = row->at;
	move(window, row->at, row->bytes, a->packed_written, BLOCK_BYTES, PAGE_BYTES);
	size_t n = (size_t)(window->end - window->first);
	int rc = grow_window(a, n);
	if (!rc)
		rc = scratch_read(a->packed_fd, a->read_packed, n, row->at);
	if (rc)
		*window = (struct window){0};
	return rc;
}

static int get_packed(struct archive *a, const struct row *row, struct result *result) {
	size_t taken;
	int rc = 0;

	if (row->at > a->packed_written || row->bytes > a->packed_written - row->at)
		return -EBADMSG;
	if (!is_in(&a->packed_window, row->at, row->bytes))
		rc = read_packed(a, row);
	if (rc)
		return rc;
	rc = result_unpack(a->read_packed + (row->at - a->packed_window.first), row->bytes,
		a->names, &taken, result);
	if (!rc)
		a->lent = result->extra;
	return rc;
}

int archive_get(struct archive *archive, uint64_t index, struct result *result) {
	int rc = 0;

	result_extra_free(archive->lent);
	archive->lent = NULL;
	if (index >= archive->count)
		return -ENOENT;
	if (archive->rows_written < archive->count || archive->packed_used)
		archive_flush(archive);
	if (archive->error)
		return archive->error;
	if (!is_in(&archive->rows_window, index, 1))
		rc = read_rows(archive, index);
	if (rc)
		return rc;
	const struct row *row = &archive->read_rows[index - archive->rows_window.first];
	if (row->bytes)
		return get_packed(archive, row, result);
	*result = (struct result){0};
	return answer_unpack(&row->answer, &result->answer);
}
