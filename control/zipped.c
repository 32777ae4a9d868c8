/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zstd frames by libzstd. Used by one thread at a time, the one that has the sink; owns the context and
 * the buffers of what it returns.
 */
#include "zipped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

struct zipped {
	ZSTD_CCtx *context;
	char *out;
	size_t room;
	bool in_frame;
};

struct reader {
	int fd;
	uint64_t at, to; /* what of the file is still to be read */
	ZSTD_DCtx *context;
	ZSTD_inBuffer in;
	char *block;
	size_t block_bytes;
	bool in_frame;
};

bool zipped_wanted(const char *path) {
	const size_t n = strlen(path);

	return n > 4 && !strcmp(path + n - 4, ".zst");
}

int zipped_create(struct zipped **zipped) {
	struct zipped *z = calloc(1, sizeof *z);

	if (!z)
		return -ENOMEM;
	z->context = ZSTD_createCCtx();
	z->room = ZSTD_CStreamOutSize();
	z->out = malloc(z->room);
	if (!z->context || !z->out
		|| ZSTD_isError(ZSTD_CCtx_setParameter(z->context, ZSTD_c_checksumFlag, 1))) {
		zipped_destroy(z);
		return -ENOMEM;
	}
	*zipped = z;
	return 0;
}

void zipped_destroy(struct zipped *zipped) {
	if (!zipped)
		return;
	ZSTD_freeCCtx(zipped->context);
	free(zipped->out);
	free(zipped);
}

bool zipped_in_frame(const struct zipped *zipped) {
	return zipped->in_frame;
}

int zipped_put(struct zipped *zipped, const char *bytes, size_t n, bool end, const char **out,
	size_t *out_bytes) {
	ZSTD_inBuffer in = {bytes, n, 0};
	ZSTD_outBuffer to = {zipped->out, zipped->room, 0};
	size_t left;

	zipped->in_frame = !end;
	for (;;) {
		left = ZSTD_compressStream2(
			zipped->context, &to, &in, end ? ZSTD_e_end : ZSTD_e_flush);
		if (ZSTD_isError(left))
			return -ENOMEM;
		if (left == 0)
			break;
		char *more = realloc(zipped->out, 2 * zipped->room);
		if (!more)
			return -ENOMEM;
		zipped->out = to.dst = more;
		zipped->room = to.size = 2 * zipped->room;
	}
	*out = zipped->out;
	*out_bytes = to.pos;
	return 0;
}

int zipped_is_whole(int fd, size_t size) {
	const char *bytes = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : NULL;
	size_t at = 0;

	if (bytes == MAP_FAILED)
		return -errno;
	while (at < size) {
		/* Follows the headers of its blocks alone. */
		size_t frame = ZSTD_findFrameCompressedSize(bytes + at, size - at);

		if (ZSTD_isError(frame))
			break;
		at += frame;
	}
	if (size)
		munmap((void *)(uintptr_t)bytes, size);
	return at == size;
}

/* More of the file. 0, or a negative errno, -ENODATA at its end. */
static int refill(struct reader *r) {
	const uint64_t left = r->to - r->at;
	ssize_t n;

	if (!left)
		return -ENODATA;
	n = pread(r->fd, r->block, left < r->block_bytes ? (size_t)left : r->block_bytes,
		(off_t)r->at);
	if (n <= 0)
		return n ? -errno : -EIO;
	r->at += (uint64_t)n;
	r->in = (ZSTD_inBuffer){r->block, (size_t)n, 0};
	return 0;
}

static ssize_t read_some(void *cookie, char *bytes, size_t n) {
	struct reader *r = cookie;
	ZSTD_outBuffer out = {bytes, n, 0};

	for (;;) {
		/* Without input, too: it may hold back what found no room before. */
		const size_t before = r->in.pos;
		const size_t left = ZSTD_decompressStream(r->context, &out, &r->in);
		int rc;

		if (ZSTD_isError(left)) {
			errno = EBADMSG;
			return -1;
		}
		if (r->in.pos != before || out.pos)
			r->in_frame = left != 0;
		if (out.pos)
			return (ssize_t)out.pos;
		rc = r->in.pos == r->in.size ? refill(r) : 0;
		if (rc == -ENODATA && !r->in_frame)
			return 0;
		if (rc) {
			errno = rc == -ENODATA ? EBADMSG : -rc;
			return -1;
		}
	}
}

static int close_reader(void *cookie) {
	struct reader *r = cookie;

	ZSTD_freeDCtx(r->context);
	close(r->fd);
	free(r->block);
	free(r);
	return 0;
}

FILE *zipped_reader(int fd, uint64_t from, uint64_t to) {
	const cookie_io_functions_t functions = {.read = read_some, .close = close_reader};
	struct reader *r = calloc(1, sizeof *r);
	FILE *file;

	if (!r) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	*r = (struct reader){.fd = fd,
		.at = from,
		.to = to,
		.context = ZSTD_createDCtx(),
		.block_bytes = ZSTD_DStreamInSize()};
	r->block = malloc(r->block_bytes);
	file = r->context && r->block ? fopencookie(r, "r", functions) : NULL;
	if (!file) {
		close_reader(r);
		errno = ENOMEM;
	}
	return file;
}
