/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nameless files for what a run has to put aside: gone with their last descriptor, whatever happens.
 */
#ifndef CTL_SCRATCH_H
#define CTL_SCRATCH_H

#include <dp/error.h>

#include <stddef.h>
#include <stdint.h>

/*
 * A file without a name in @folder, for reading and writing. Its descriptor, or a negative errno with
 * @err filled (usage: the folder is a setting).
 */
int scratch_open(const char *folder, struct dp_error *err);

/* All of @n bytes to or from @at; blocks. 0 or a negative errno; -EIO where the file ends before. */
int scratch_write(int fd, const void *bytes, size_t n, uint64_t at);
int scratch_read(int fd, void *bytes, size_t n, uint64_t at);

#endif
