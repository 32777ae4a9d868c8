/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fuzz targets share. Each file fuzz_NAME.c is a program: libFuzzer calls its
 * LLVMFuzzerTestOneInput() with bytes, and whatever ends the process is a finding.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Something that has to hold whatever the input is. */
#define FUZZ_ASSERT(what)                                                                          \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The input as a string of its own: code that reads one byte behind it is caught. NULL: a NUL within. */
static inline char *fuzz_string(const uint8_t *data, size_t size) {
	char *text;

	if (size && memchr(data, '\0', size))
		return NULL;
	text = malloc(size + 1);
	FUZZ_ASSERT(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* A nameless file in memory, for code that reads what has a path. The same one each time. */
struct fuzz_file {
	int fd;
	char path[32];
};

static inline void fuzz_file_put(struct fuzz_file *file, const void *bytes, size_t n) {
	if (!file->path[0]) {
		file->fd = memfd_create("fuzz", MFD_CLOEXEC);
		FUZZ_ASSERT(file->fd >= 0);
		snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	}
	FUZZ_ASSERT(ftruncate(file->fd, 0) == 0);
	FUZZ_ASSERT(n == 0 || pwrite(file->fd, bytes, n, 0) == (ssize_t)n);
}

#endif
