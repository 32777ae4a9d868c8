/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that hold whole lines, whatever happens.
 *
 * Runs on the control core before and after the scan, on the writer thread during it. Owns the
 * descriptor, the name and the block of lines that waits to be written.
 */
#include "sink.h"
#include "zipped.h"

#include <lh/path.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WHOLE_BYTES = 1 << 20, /* of a file that are searched for whole blocks at once */
};

const char *sink_name(const struct sink *sink) {
	return sink->standard ? "standard output" : sink->path;
}

/*
 * An existing file is opened as it is; only a file that is not there is created. O_EXCL, so that
 * two runs that start together do not both believe that they made it.
 */
static int open_path(struct sink *sink) {
	const int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY;

	if (sink->standard) {
		int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		return copy < 0 ? -errno : copy;
	}
	int fd = lh_path_open(sink->path, flags, 0);
	if (fd >= 0 && lh_path_is_trap(sink->path, fd)) {
		close(fd);
		return -EMLINK;
	}
	if (fd != -ENOENT)
		return fd;
	fd = lh_path_open(sink->path, flags | O_CREAT | O_EXCL, 0644);
	sink->created = fd >= 0;
	return fd;
}

static int identify(struct sink *sink) {
	struct stat st;

	if (fstat(sink->fd, &st) < 0)
		return -errno;
	sink->device = st.st_dev;
	sink->inode = st.st_ino;
	sink->regular = S_ISREG(st.st_mode);
	sink->terminal = isatty(sink->fd);
	sink->existed = sink->regular && !sink->created && !sink->standard;
	sink->named = sink->regular && !sink->standard && st.st_nlink > 0;
	return 0;
}

/* Why a file was not opened. */
static const char *why(int rc) {
	if (rc == -EMLINK)
		return "the file has another name elsewhere, and others than root can make names "
		       "in its folder; remove it first";
	return lh_path_why(rc);
}

int sink_open(const char *path, struct sink **sink, struct dp_error *err) {
	struct sink *s = calloc(1, sizeof *s);
	int rc = -ENOMEM;

	if (!s)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	s->fd = -1;
	s->start = -1;
	s->standard = !strcmp(path, "-");
	s->path = strdup(path);
	s->room = SINK_BUFFER_BYTES;
	s->buffer = malloc(s->room);
	if (!s->path || !s->buffer || (zipped_wanted(path) && zipped_create(&s->zipped))) {
		dp_fail(err, false, rc, "out of memory");
		goto destroy;
	}
	s->fd = open_path(s);
	rc = s->fd < 0 ? s->fd : identify(s);
	if (rc) {
		dp_fail(err, true, rc, "cannot write to %s: %s", sink_name(s), why(rc));
		goto destroy;
	}
	*sink = s;
	return 0;

destroy:
	sink_destroy(s);
	return rc;
}

bool sink_same(const struct sink *a, const struct sink *b) {
	if (a->standard && b->standard)
		return true;
	/* /dev/null and its like have nothing to mix. */
	bool mixes = a->regular || a->terminal || lseek(a->fd, 0, SEEK_CUR) < 0;

	return mixes && a->device == b->device && a->inode == b->inode;
}

/* The offset behind the last newline of the first @size bytes; 0 where there is none. */
static int find_tail(int fd, off_t size, off_t *tail) {
	char block[4096];

	for (*tail = 0; size > 0;) {
		size_t n = size < (off_t)sizeof block ? (size_t)size : sizeof block;
		ssize_t got = pread(fd, block, n, size - (off_t)n);
		if (got != (ssize_t)n)
			return got < 0 ? -errno : -EIO;
		const char *newline = memrchr(block, '\n', n);
		size -= (off_t)n;
		if (newline) {
			*tail = size + (newline - block) + 1;
			break;
		}
	}
	return 0;
}

/* Is what stands from @tail to the end the beginning of a line of ours? */
static bool is_half_line(int fd, off_t tail, off_t size, const char *line_start) {
	char text[64];
	size_t want = strlen(line_start);
	size_t n = size - tail < (off_t)want ? (size_t)(size - tail) : want;

	return n <= sizeof text && pread(fd, text, n, tail) == (ssize_t)n
		&& !memcmp(text, line_start, n);
}

/*
 * Where the whole blocks of a file end, from @at on where one begins. @empty: there need not be any. A
 * block is shorter than what is looked at once. 0 or a negative errno, -EINVAL: it is no such file.
 */
static int find_whole(struct sink *sink, int fd, off_t at, bool empty) {
	char *block = malloc(WHOLE_BYTES);
	int rc = block ? 0 : -ENOMEM;
	const off_t begin = at;

	while (!rc) {
		ssize_t n = pread(fd, block, WHOLE_BYTES, at);
		size_t whole = n > 0 ? sink->whole(block, (size_t)n) : 0;

		if (n < 0)
			rc = -errno;
		else if (whole == SIZE_MAX || (n == WHOLE_BYTES && !whole))
			rc = -EINVAL;
		if (rc || !whole)
			break;
		at += (off_t)whole;
	}
	free(block);
	sink->start = at;
	return !rc && at == begin && !empty ? -EINVAL : rc;
}

static int find_blocks_end(struct sink *sink, int fd, off_t size, struct dp_error *err) {
	int rc = find_whole(sink, fd, sink->known_blocks, sink->known_blocks || !size);

	if (rc == -EINVAL)
		return dp_fail(err, true, rc,
			"cannot append to %s: it is no file of this format and byte order",
			sink->path);
	return rc ? dp_fail(err, true, rc, "cannot append to %s: %s", sink->path, strerror(-rc))
		  : 0;
}

/* Another frame can stand behind whole ones only: a reader stops in half a one. */
static int find_frames_end(struct sink *sink, int fd, off_t size, struct dp_error *err) {
	int whole = zipped_is_whole(fd, (size_t)size);

	if (whole < 0)
		return dp_fail(
			err, true, whole, "cannot append to %s: %s", sink->path, strerror(-whole));
	if (!whole)
		return dp_fail(err, true, -EINVAL,
			"cannot append to %s: it does not end with a whole zstd frame, as after a "
			"kill; take what is in it with zstd -dc, and give another file",
			sink->path);
	sink->start = size;
	return 0;
}

static int find_end(struct sink *sink, int fd, const char *line_start, struct dp_error *err) {
	off_t size = lseek(fd, 0, SEEK_END), tail;

	if (sink->zipped && size >= 0)
		return find_frames_end(sink, fd, size, err);
	if (sink->whole && size >= 0)
		return find_blocks_end(sink, fd, size, err);
	int rc = size < 0 ? -errno : find_tail(fd, size, &tail);

	if (rc)
		return dp_fail(err, true, rc, "cannot append to %s: %s", sink->path, strerror(-rc));
	sink->start = size;
	sink->kept = true;
	if (tail == size || sink->raw)
		return 0;
	if (!line_start) {
		sink->tail_open = true;
		return 0;
	}
	if (!is_half_line(fd, tail, size, line_start))
		return dp_fail(err, true, -EINVAL,
			"cannot append to %s: its last line has no newline and is not one that was "
			"cut "
			"short, as each would begin with %s",
			sink->path, line_start);
	sink->start = tail;
	return 0;
}

/* To read what was opened, whatever the name stands for by now. */
static int open_again(const struct sink *sink) {
	int fd = lh_path_open(sink->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_dev == sink->device && st.st_ino == sink->inode)
		return fd;
	close(fd);
	return -ESTALE;
}

/*
 * Two runs that write one file would mix their lines, or repeat a scan where both resume it. The lock goes
 * with the descriptor, so a run that is killed leaves none behind. File systems without locks have none.
 */
static int lock(const struct sink *sink, struct dp_error *err) {
	if (!sink->regular || sink->standard || flock(sink->fd, LOCK_EX | LOCK_NB) == 0
		|| errno != EWOULDBLOCK)
		return 0;
	return dp_fail(
		err, true, -EBUSY, "%s is being written by another run of prtip-dp", sink->path);
}

int sink_check_start(struct sink *sink, const char *text, struct dp_error *err) {
	const size_t want = strlen(text);
	char *found = sink->kept ? malloc(want + 1) : NULL;
	int fd = found ? open_again(sink) : -1;
	ssize_t n = fd < 0 ? -1 : pread(fd, found, want, 0);
	const bool same = n >= 0 && !memcmp(found, text, (size_t)n);
	int rc = sink->kept && !same ? -EINVAL : 0;

	if (rc)
		dp_fail(err, true, rc,
			"cannot append to %s: its first line is not the one of this format, %.*s",
			sink->path, (int)strcspn(text, "\n"), text);
	sink->follows = sink->kept && sink->start > 0;
	if (fd >= 0)
		close(fd);
	free(found);
	return rc;
}

int sink_admit(
	struct sink *sink, enum ctl_file_mode mode, const char *line_start, struct dp_error *err) {
	int rc = lock(sink, err);

	if (rc || !sink->existed)
		return rc;
	if (mode == CTL_FILE_CREATE)
		return dp_fail(err, true, -EEXIST,
			"%s exists: use --overwrite to replace it or --append to add to it",
			sink->path);
	if (mode == CTL_FILE_OVERWRITE) {
		sink->start = 0;
		return 0;
	}
	/* Our own descriptor is for writing only: a FIFO opened for both would be its own reader. */
	int fd = open_again(sink);
	if (fd < 0)
		return dp_fail(err, true, fd, "cannot append to %s: %s", sink->path, strerror(-fd));
	rc = find_end(sink, fd, line_start, err);
	close(fd);
	return rc;
}

int sink_track(struct sink *sink) {
	if (!sink->regular || sink->standard || sink->digest)
		return 0;
	sink->digest = digest_create();
	return sink->digest ? 0 : -ENOMEM;
}

/* Add the bytes [@from, @to) of the file. 0 or a negative errno. */
static int digest_file(struct digest *digest, int fd, uint64_t from, uint64_t to) {
	char *block = malloc(SINK_BUFFER_BYTES);
	int rc = block ? 0 : -ENOMEM;

	while (!rc && from < to) {
		size_t want
			= to - from < SINK_BUFFER_BYTES ? (size_t)(to - from) : SINK_BUFFER_BYTES;
		ssize_t n = pread(fd, block, want, (off_t)from);

		if (n > 0) {
			digest_add(digest, block, (size_t)n);
			from += (uint64_t)n;
		} else if (n == 0 || errno != EINTR) {
			rc = n ? -errno : -EIO;
		}
	}
	free(block);
	return rc;
}

/* The file has to begin as it did. */
static int check_beginning(
	struct sink *sink, int fd, const struct sink_point *point, struct dp_error *err) {
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t digest[DIGEST_BYTES];
	int rc;

	if (size < 0 || (uint64_t)size < point->end)
		return dp_fail(err, true, -EINVAL,
			"cannot go on with %s: it has %lld bytes, and had %llu when the checkpoint "
			"was "
			"written",
			sink->path, (long long)size, (unsigned long long)point->end);
	rc = digest_file(sink->digest, fd, point->start, point->end);
	if (rc)
		return dp_fail(err, true, rc, "cannot read %s: %s", sink->path, strerror(-rc));
	digest_value(sink->digest, digest);
	if (memcmp(digest, point->digest, sizeof digest))
		return dp_fail(err, true, -EINVAL,
			"cannot go on with %s: its first %llu bytes are not those that the scan "
			"wrote",
			sink->path, (unsigned long long)point->end);
	return 0;
}

static int find_end(struct sink *sink, int fd, const char *line_start, struct dp_error *err);

int sink_go_on(struct sink *sink, const struct sink_point *point, const char *line_start,
	struct dp_error *err) {
	int fd, rc = lock(sink, err);

	if (rc)
		return rc;
	rc = sink_track(sink);
	if (rc)
		return dp_fail(err, false, rc, "out of memory");
	if (sink->created || !sink->digest)
		return dp_fail(err, true, -ENOENT, "cannot go on with %s: %s", sink_name(sink),
			sink->created ? "it is gone" : "it is no regular file any more");
	fd = open(sink->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dp_fail(
			err, true, -errno, "cannot read %s: %s", sink->path, strerror(errno));
	rc = check_beginning(sink, fd, point, err);
	sink->known_blocks = (off_t)point->end;
	if (!rc && sink->zipped)
		sink->start = (off_t)point->end;
	else if (!rc)
		rc = find_end(sink, fd, line_start, err);
	sink->base = point->start;
	if (!rc && (uint64_t)sink->start < point->end)
		rc = dp_fail(err, true, -EINVAL, "cannot go on with %s: its last line is cut",
			sink->path);
	sink->resumed = true;
	sink->known = point->end;
	sink->lines = point->results;
	close(fd);
	return rc;
}

/* The lines of a compressed file are all of those before its last point. */
static int each_zipped_line(struct sink *sink, sink_line_fn fn, void *user) {
	int fd = open(sink->path, O_RDONLY | O_CLOEXEC), rc = 0;
	FILE *file = fd < 0 ? NULL : zipped_reader(fd, sink->base, (uint64_t)sink->start);
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (!file)
		return -errno;
	sink->lines = 0;
	errno = 0;
	while (!rc && (n = getline(&line, &room, file)) > 0) {
		rc = fn(user, line, (size_t)n);
		sink->lines += !rc;
		errno = 0;
	}
	if (!rc && errno)
		rc = -errno;
	free(line);
	fclose(file);
	return rc > 0 ? -EBADMSG : rc;
}

int sink_each_line(struct sink *sink, sink_line_fn fn, void *user) {
	if (sink->zipped)
		return each_zipped_line(sink, fn, user);

	FILE *file = fopen(sink->path, "re");
	uint64_t at = sink->base;
	char *line = NULL;
	size_t room = 0;
	int rc = file ? 0 : -errno;

	if (!rc && fseeko(file, (off_t)at, SEEK_SET) < 0)
		rc = -errno;
	sink->lines = 0;
	while (!rc && at < (uint64_t)sink->start) {
		ssize_t n = getline(&line, &room, file);

		if (n <= 0)
			rc = -EIO;
		else
			rc = fn(user, line, (size_t)n);
		if (rc)
			break;
		at += (uint64_t)n;
		sink->lines++;
	}
	if (rc > 0) {
		sink->start = (off_t)at;
		rc = 0;
	}
	free(line);
	if (file)
		fclose(file);
	return rc;
}

void sink_point(const struct sink *sink, struct sink_point *point) {
	*point = (struct sink_point){0};
	if (!sink->digest)
		return;
	point->regular = true;
	point->start = sink->base;
	point->end = sink->at;
	point->results = sink_results(sink);
	digest_value(sink->digest, point->digest);
}

/* What was kept behind what a checkpoint knows of. */
static int digest_tail(struct sink *sink) {
	int fd = open(sink->path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno
			: digest_file(sink->digest, fd, sink->known, (uint64_t)sink->start);

	if (fd >= 0)
		close(fd);
	return rc;
}

int sink_begin(struct sink *sink, struct dp_error *err) {
	off_t begin = sink->start < 0 ? lseek(sink->fd, 0, SEEK_CUR) : sink->start;

	sink->at = begin < 0 ? 0 : (uint64_t)begin;
	/* A file that is gone on with has its base already. */
	if (!sink->resumed)
		sink->base = sink->at;
	if (sink->start < 0)
		return 0;
	if (sink->resumed && digest_tail(sink))
		return dp_fail(err, false, -EIO, "cannot read %s", sink_name(sink));
	if (ftruncate(sink->fd, sink->start) < 0 || lseek(sink->fd, sink->start, SEEK_SET) < 0)
		return dp_fail(err, false, -errno, "cannot write to %s: %s", sink_name(sink),
			strerror(errno));
	if (sink->tail_open)
		sink_heading(sink, "\n");
	return 0;
}

/* One write, or a wait until there is room for one (somebody made the pipe non-blocking). */
static ssize_t write_some(struct sink *sink, const char *data, size_t bytes) {
	for (;;) {
		ssize_t n = write(sink->fd, data, bytes);
		if (n > 0)
			return n;
		if (n == 0)
			return -EIO;
		if (errno == EAGAIN)
			poll(&(struct pollfd){.fd = sink->fd, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
}

/* The lines in the first @bytes of the buffer, without those that belong to the one above. */
static uint64_t count_lines(const struct sink *sink, size_t bytes) {
	const char *line = sink->buffer, *end = line + bytes;
	uint64_t lines = 0;

	for (; line < end; line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1)
		lines += *line != ' ';
	return lines;
}

/* The bytes of the first @done of the buffer that are whole lines, or blocks. */
static size_t whole_part(const struct sink *sink, size_t done) {
	const char *newline;

	/* Compressed, all of the buffer is one. */
	if (sink->zipped)
		return 0;
	if (sink->whole) {
		size_t whole = sink->whole(sink->buffer, done);
		return whole <= done ? whole : 0;
	}
	newline = memrchr(sink->buffer, '\n', done);
	return newline ? (size_t)(newline - sink->buffer) + 1 : 0;
}

/*
 * The first @done bytes of the buffer went out before the failure. A regular file gets rid of the
 * half line at its end; of what others may have put behind it nothing is touched. The descriptor
 * says where it stands: standard output may share it with a log.
 */
static void cut_half_line(struct sink *sink, size_t done) {
	struct stat st;
	size_t whole = whole_part(sink, done);

	if (whole && !sink->whole)
		sink->lines += count_lines(sink, whole);
	if (!sink->regular || whole == done)
		return;
	off_t end = lseek(sink->fd, 0, SEEK_CUR);
	off_t cut = end - (off_t)(done - whole);
	if (end < 0 || fstat(sink->fd, &st) < 0 || st.st_size != end)
		return;
	if (!ftruncate(sink->fd, cut))
		lseek(sink->fd, cut, SEEK_SET);
}

/* The progress line may stand where the lines are about to go, if a line begins there. */
static void clear_progress(struct sink *sink) {
	static const char clear[] = "\r\033[K";

	if (sink->terminal && !sink->mid_line)
		write_some(sink, clear, sizeof clear - 1);
}

/* A file that lost its last name goes on, but nobody can open it: what it holds is lost. */
static void check_name(struct sink *sink) {
	struct stat st;

	if (!sink->named || sink->error || fstat(sink->fd, &st) < 0 || st.st_nlink > 0)
		return;
	sink->error = -ESTALE;
	sink->lines = 0;
}

/* Write what is held. @end: a compressed frame ends with it. */
static int flush(struct sink *sink, bool end) {
	const char *bytes = sink->buffer;
	size_t done = 0, all = sink->used;

	if (sink->zipped && !sink->error && (all || end))
		sink->error = zipped_put(sink->zipped, sink->buffer, sink->used, end, &bytes, &all);
	if (all && !sink->error)
		clear_progress(sink);
	while (!sink->error && done < all) {
		ssize_t n = write_some(sink, bytes + done, all - done);
		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		sink->error = (int)n;
		if (!sink->raw || sink->whole || sink->zipped)
			cut_half_line(sink, done);
	}
	if (!sink->error) {
		if (sink->digest)
			digest_add(sink->digest, bytes, all);
		sink->at += all;
		sink->lines += sink->held;
		sink->mid_line = sink->used ? sink->buffer[sink->used - 1] != '\n' : sink->mid_line;
	}
	if (sink->used)
		check_name(sink);
	sink->used = 0;
	sink->held = 0;
	return sink->error;
}

int sink_flush(struct sink *sink) {
	return flush(sink, false);
}

int sink_settle(struct sink *sink) {
	return flush(sink, sink->zipped && (sink->used || zipped_in_frame(sink->zipped)));
}

char *sink_room_for(struct sink *sink, size_t bytes) {
	if (sink->room - sink->used < bytes)
		sink_flush(sink);
	if (sink->room >= bytes)
		return sink_room(sink);
	char *buffer = realloc(sink->buffer, bytes);
	if (!buffer) {
		sink->error = sink->error ? sink->error : -ENOMEM;
		return NULL;
	}
	sink->buffer = buffer;
	sink->room = bytes;
	return buffer;
}

void sink_note(struct sink *sink, const char *text, size_t bytes) {
	memcpy(sink_room(sink), text, bytes);
	sink->used += bytes;
}

void sink_raw(struct sink *sink, const void *bytes, size_t n) {
	char *room = sink_room_for(sink, n);

	if (!room)
		return;
	if (n)
		memcpy(room, bytes, n);
	sink_line(sink, n);
}

void sink_heading(struct sink *sink, const char *text) {
	size_t bytes = strlen(text);

	memcpy(sink_room(sink), text, bytes);
	sink_line(sink, bytes);
	sink->headings++;
}

void sink_raw_heading(struct sink *sink, size_t bytes) {
	sink_line(sink, bytes);
	sink->headings++;
}

uint64_t sink_results(const struct sink *sink) {
	return sink->lines > sink->headings ? sink->lines - sink->headings : 0;
}

int sink_finish(struct sink *sink) {
	int rc;

	/* A file without any frame would be none to a reader. */
	flush(sink, sink->zipped && (sink->used || zipped_in_frame(sink->zipped) || sink->at == 0));
	check_name(sink);
	rc = sink->error;

	/* Some file systems have no fsync and say EINVAL. */
	if (sink->regular && fsync(sink->fd) < 0 && errno != EINVAL && !rc)
		rc = -errno;
	if (close(sink->fd) < 0 && errno != EINTR && !rc)
		rc = -errno;
	sink->fd = -1;
	sink->error = rc;
	return rc;
}

/* A start that failed must not leave a file behind that makes the next one be refused. */
static void remove_unused(const struct sink *sink) {
	struct stat st;

	if (sink->created && !stat(sink->path, &st) && st.st_dev == sink->device
		&& st.st_ino == sink->inode && st.st_size == 0)
		unlink(sink->path);
}

void sink_destroy(struct sink *sink) {
	if (!sink)
		return;
	if (sink->fd >= 0) {
		remove_unused(sink);
		close(sink->fd);
	}
	digest_destroy(sink->digest);
	zipped_destroy(sink->zipped);
	free(sink->buffer);
	free(sink->path);
	free(sink);
}
