/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving up all that a lane does not need, before it sees a byte of a plugin. There is no way back.
 */
#ifndef LH_LOCK_H
#define LH_LOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lock_params {
	uint64_t memory_bytes; /* address space beyond what is mapped now */
	uint64_t file_bytes; /* largest file that it may write */
	uint32_t descriptors; /* number of the first descriptor that it may not have */
	uint32_t cpu_s; /* processor time for the life of the process; 0: no limit */
};

enum {
	LOCK_REPORT_BYTES = 256,
};

/*
 * Apply, in this order: rlimits (AS, FSIZE, NOFILE, NPROC 0, CORE 0, CPU), uid and gid nobody and no
 * groups where root, no_new_privs, dumpable 0, PDEATHSIG SIGKILL (again: changing the uid clears it),
 * Landlock denying all that the kernel knows, seccomp. What cannot be applied is named in @report,
 * "uid (not root), Landlock (kernel has none)", which is empty where everything was; for what must
 * not fail (seccomp, no_new_privs) a negative errno is returned.
 *
 * All descriptors but those in @keep (ascending) are closed.
 */
int lock_process(const struct lock_params *params, const int *keep, unsigned nb_keep,
	char report[LOCK_REPORT_BYTES]);

/*
 * What the warden does not need for forking lanes goes: it keeps CAP_SETUID, CAP_SETGID (to make them
 * nobody) and CAP_KILL (as they are nobody then) as root, and no capability as anybody else. The
 * bounding set is emptied, no_new_privs set. 0 or a negative errno.
 */
int lock_warden(void);

#endif
