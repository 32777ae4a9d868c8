/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's own UDP payloads ([scan] udp_payloads) and hellos ([banner] payloads): one entry a
 * line, as docs/payloads.md describes.
 */
#ifndef CTL_PAYLOAD_FILE_H
#define CTL_PAYLOAD_FILE_H

#include <dp/error.h>
#include <dp/payload.h>

#include <stddef.h>

enum payload_file_kind {
	PAYLOAD_FILE_UDP, /* payloads; they may have a token */
	PAYLOAD_FILE_HELLO,
};

struct payload_file;

/* Read @path, a file or a pipe. 0, or a negative errno with @err filled. */
int payload_file_read(const char *path, enum payload_file_kind kind, struct payload_file **file,
	struct dp_error *err);

/* The same out of memory; @name is what errors call it. */
int payload_file_parse(const char *name, const char *text, size_t length,
	enum payload_file_kind kind, struct payload_file **file, struct dp_error *err);

/* What was read, in the file's order; belongs to @file. None of the other kind. */
const struct dp_payload *payload_file_payloads(const struct payload_file *file, unsigned *nb);
const struct dp_hello *payload_file_hellos(const struct payload_file *file, unsigned *nb);

void payload_file_destroy(struct payload_file *file); /* NULL is fine */

#endif
