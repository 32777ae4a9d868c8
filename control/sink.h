/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where an output's lines go: a file, a device, a pipe or standard output.
 *
 * Formats hand over whole lines and never look at errors: a sink that failed swallows what comes
 * after, and the writer sees it in @error. Lines are gathered and written in blocks, so that a file
 * holds whole lines at every moment between two writes; where a write into a regular file fails
 * half way, the file is cut back to its last whole line. A line is a result, unless it begins with a
 * blank: then it belongs to the one above it.
 *
 * A raw sink takes bytes of others instead of lines (sink_raw()): nothing is cut off or put between
 * them, and where it fails the results of its last block count as lost. One with @whole has blocks of
 * bytes where others have lines: what is no whole block at the end of a file is cut off.
 *
 * A sink whose path ends in .zst compresses: what others write at once is a block there, and
 * sink_settle() ends a frame. A file that is cut anywhere can be read up to its last whole block; at a
 * point of sink_point() it can be gone on with.
 *
 *     sink_open()    get the descriptor; nothing of an existing file changes
 *     sink_admit()   may it be written to?
 *     sink_begin()   truncate it, or go to its end
 *     sink_room(), sink_line(), sink_note(), or sink_raw(); sink_flush()
 *     sink_point()   how far its file is, for a checkpoint
 *     sink_finish()  the rest, fsync, close
 *     sink_destroy() without sink_finish() before it: an empty file that sink_open() made is removed
 *
 * One thread at a time: the control core opens and finishes, the writer thread is between the two.
 */
#ifndef CTL_SINK_H
#define CTL_SINK_H

#include "config.h"
#include "digest.h"

#include <sys/types.h>

enum {
	SINK_BLOCK_BYTES = 64 << 10, /* written at once, or more */
	SINK_LONGEST_LINE = 64 << 10, /* with its newline; longer ones ask for room */
	SINK_BUFFER_BYTES = SINK_BLOCK_BYTES + SINK_LONGEST_LINE,
};

struct zipped;

struct sink {
	char *path; /* as the user wrote it */
	char *buffer; /* whole lines that wait */
	size_t room; /* bytes that it can hold; SINK_BUFFER_BYTES at the least */
	size_t used; /* bytes in it */
	unsigned held; /* results and headings in it */
	struct zipped *zipped; /* compresses what goes out; NULL: as it is */
	int fd;
	int error; /* 0, or the negative errno that ended it */
	uint64_t lines; /* results and headings written by this run, whole lines */
	uint64_t headings; /* of all handed over */
	dev_t device;
	ino_t inode;
	bool raw; /* set before sink_admit() */
	/*
	 * Of a raw one, likewise: how many of @n bytes are whole blocks, 0 where the first is not, SIZE_MAX
	 * where none begins here. NULL: any bytes are.
	 */
	size_t (*whole)(const char *bytes, size_t n);
	bool mid_line; /* of a raw one: what was written last is no newline */
	bool standard, regular, terminal;
	bool created, existed;
	bool named; /* the file had a name when it was opened: without one it would be gone at the end */
	bool kept; /* what is in the file stays */
	bool follows; /* and is not nothing: see sink_check_start() */
	bool tail_open; /* a text file to append to does not end in a newline */
	off_t start; /* cut the file here and begin, or -1: where it stands */
	struct digest *digest; /* of this scan's bytes in a regular file; NULL: nobody asked */
	uint64_t base, at; /* where those begin and end */
	bool resumed; /* the file is gone on with: until sink_begin() the digest ends at known */
	uint64_t known;
	off_t known_blocks; /* of one with @whole: a block begins here, where there is one */
};

/* How far the file of a sink is: all but @regular is 0 where it is none. */
struct sink_point {
	bool regular;
	uint64_t start, end; /* this scan's bytes */
	uint64_t results; /* in them, whole lines */
	uint8_t digest[DIGEST_BYTES]; /* of them */
};

/*
 * Open @path ("-": standard output). A FIFO waits for its reader here. 0, or a negative errno with
 * @err filled. Free with sink_destroy().
 */
int sink_open(const char *path, struct sink **sink, struct dp_error *err);

/* True where both would write into the same place and mix their lines there. */
bool sink_same(const struct sink *a, const struct sink *b);

/*
 * Lock a regular file, and refuse one that another run has locked, or an existing one in mode CREATE.
 * In mode APPEND find out where to go on:
 * @line_start is how each line of the format begins, and what follows the last newline of the file
 * is half a record that sink_begin() cuts off; it was never whole, so that nothing that counts is
 * lost. Where it begins otherwise the file is not one of ours and is refused. NULL: free text, of
 * which nothing is cut; a missing newline is added. 0, or a negative errno with @err filled.
 */
int sink_admit(
	struct sink *sink, enum ctl_file_mode mode, const char *line_start, struct dp_error *err);

/*
 * Behind sink_admit() or sink_go_on(), for a format whose files begin with the line @text: a file whose
 * content stays has to begin so, too. Sets @follows where there is such content, so that the line
 * is not written again. 0, or a negative errno with @err filled.
 */
int sink_check_start(struct sink *sink, const char *text, struct dp_error *err);

/* Keep account of what is written, for sink_point(); before sink_begin(). 0 or -ENOMEM. */
int sink_track(struct sink *sink);

/*
 * Instead of sink_admit(), to go on with what an earlier run of the same scan wrote: the file must
 * have the bytes up to @point, unchanged. Whole lines behind them are kept, half a one is cut off by
 * sink_begin(), as is all behind them in a compressed one; @line_start as in sink_admit(). 0, or a negative errno with @err filled.
 */
int sink_go_on(struct sink *sink, const struct sink_point *point, const char *line_start,
	struct dp_error *err);

/*
 * Call @fn for each line that sink_go_on() keeps; the first for which it returns 1 is cut off with all
 * behind it. 0, or a negative errno, @fn's or its own.
 */
typedef int (*sink_line_fn)(void *user, const char *line, size_t bytes);
int sink_each_line(struct sink *sink, sink_line_fn fn, void *user);

/* What was flushed so far, of a sink that is tracked; of a compressed one after sink_settle(). */
void sink_point(const struct sink *sink, struct sink_point *point);

/* From here on the file is ours. 0, or a negative errno with @err filled. */
int sink_begin(struct sink *sink, struct dp_error *err);

/*
 * Write what is held; waits for a slow reader. 0 or the error: -ESTALE where somebody removed the file,
 * so that nothing of what was written to it is to be had any more.
 */
int sink_flush(struct sink *sink);

/* The same, and end what a reader would miss the end of: then the file can be cut here, and gone on with. */
int sink_settle(struct sink *sink);

/* Room for one line of up to SINK_LONGEST_LINE bytes, newline included. Never NULL. */
static inline char *sink_room(struct sink *sink) {
	if (sink->used >= SINK_BLOCK_BYTES)
		sink_flush(sink);
	return sink->buffer + sink->used;
}

/*
 * The same for a line of up to @bytes, however long. NULL where there is no memory: then the sink has
 * failed.
 */
char *sink_room_for(struct sink *sink, size_t bytes);

/* The line that was formatted into sink_room() has @bytes bytes; its last one is the newline. */
static inline void sink_line(struct sink *sink, size_t bytes) {
	sink->used += bytes;
	sink->held++;
}

/*
 * Hand over lines that belong to the result before them: @text of @bytes, at most SINK_LONGEST_LINE.
 * Each begins with a blank and ends in a newline.
 */
void sink_note(struct sink *sink, const char *text, size_t bytes);

/* Raw sinks: one result, of @bytes that may be none. */
void sink_raw(struct sink *sink, const void *bytes, size_t n);

/* The same for one line that has @results results in it. */
static inline void sink_lines(struct sink *sink, size_t bytes, unsigned results) {
	sink->used += bytes;
	sink->held += results;
}

/* Hand over @text, one line with its newline, which is no result. */
void sink_heading(struct sink *sink, const char *text);

/* Raw sinks: @bytes were put into sink_room(), and are no result. */
void sink_raw_heading(struct sink *sink, size_t bytes);

/* Results of this run that are in it, as whole lines. */
uint64_t sink_results(const struct sink *sink);

/* Flush, bring a regular file to the disk, close. 0 or the (first) error. */
int sink_finish(struct sink *sink);

void sink_destroy(struct sink *sink); /* NULL is fine */

const char *sink_name(const struct sink *sink); /* for messages; belongs to the sink */

#endif
