/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of zstd frames (RFC 8878): compressing what is written in pieces, and reading back what was.
 * Each piece can be read as soon as it is in the file, also where its frame was never ended; frames
 * that stand one behind the other are one text.
 */
#ifndef CTL_ZIPPED_H
#define CTL_ZIPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct zipped;

/* Whether the name of a file asks for it: it ends in .zst. */
bool zipped_wanted(const char *path);

/* Free with zipped_destroy(). 0 or -ENOMEM. */
int zipped_create(struct zipped **zipped);
void zipped_destroy(struct zipped *zipped); /* NULL is fine */

/*
 * Compress @n bytes: what has to be written is *@out, *@out_bytes, valid until the next call. All of the
 * bytes are in it. @end: and the frame ends with it. 0 or a negative errno.
 */
int zipped_put(struct zipped *zipped, const char *bytes, size_t n, bool end, const char **out,
	size_t *out_bytes);

bool zipped_in_frame(const struct zipped *zipped); /* something was put since the last end */

/* Do the first @size bytes of the file @fd consist of whole frames? 1, 0 or a negative errno. */
int zipped_is_whole(int fd, size_t size);

/*
 * What the frames in the bytes [@from, @to) of the file @fd hold, to be read to its end; a frame that is
 * not whole is an error. Transfers @fd, also where it fails. NULL with errno set.
 */
FILE *zipped_reader(int fd, uint64_t from, uint64_t to);

#endif
