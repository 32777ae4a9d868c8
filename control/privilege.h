/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the process gives up: at the start what no part of a scan ever needs, and once devices and
 * outputs are open all capabilities but those that the port still needs.
 */
#ifndef CTL_PRIVILEGE_H
#define CTL_PRIVILEGE_H

#include <dp/error.h>

#include <stdint.h>

/* Set in the environment, it leaves core dumps and debuggers of the same user possible. */
#define PRIVILEGE_DUMP_VARIABLE "PRTIP_COREDUMP"

/*
 * Before anything is forked and any thread is made: the bounding and the ambient set are emptied, no
 * program that is executed gains anything, and neither a core dump nor another process of the same
 * user shows our memory. 0, or a negative errno with @err filled.
 */
int privilege_begin(struct dp_error *err);

/*
 * All threads of the process, and those that they make, keep the capabilities in @keep (bits of
 * 1 << CAP_*) as far as they have them, and lose all others. Nothing in the file system may be
 * written, made, removed or executed any more, but beneath @folders (of @nb_folders, existing) and
 * through descriptors that are open; and no TCP connection made. Where the kernel has no Landlock that
 * part is left out, and *@report says so; else it is NULL.
 *
 * What all threads then have is read back from /proc. 0, or a negative errno with @err filled: then
 * some may have lost theirs and others not, and the process has to end.
 */
int privilege_drop(uint64_t keep, const char *const *folders, unsigned nb_folders,
	const char **report, struct dp_error *err);

/*
 * Whether we have the permission to make files in @folder later, or where it is not there, to make it.
 * To be asked after privilege_drop(), when root too needs it. @what names it in @err. 0 or -EACCES.
 */
int privilege_check_folder(const char *what, const char *folder, struct dp_error *err);

#endif
