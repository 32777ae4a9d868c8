/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening what the operator named, as root: a link that somebody else put into the path must not
 * make root write elsewhere.
 */
#ifndef LH_PATH_H
#define LH_PATH_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * open(), which as root follows a symbolic link, anywhere in @path, only where root owns it: -ENOLINK
 * where somebody else does. For other users it is open(). A descriptor, always O_CLOEXEC, or a
 * negative errno.
 */
int lh_path_open(const char *path, int flags, mode_t mode);

/*
 * mkdir -p by the same rule: make what is missing of @path, with @mode, and hold it (O_PATH). A
 * descriptor or a negative errno.
 */
int lh_path_make(const char *path, mode_t mode);

/* The reason for a person to read. */
const char *lh_path_why(int rc);

/*
 * Whether the regular file @fd may be another user's trap, a second name for a file that others
 * cannot write to: it has several names, and is in a folder (of @path) where somebody but root may
 * make some. False for other users than root.
 */
bool lh_path_is_trap(const char *path, int fd);

#endif
