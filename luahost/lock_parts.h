/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of lock_process(). Landlock and seccomp need no_new_privs (or privileges), and there is
 * no way back from either.
 */
#ifndef LH_LOCK_PARTS_H
#define LH_LOCK_PARTS_H

#include "lock.h"

/*
 * What AddressSanitizer and ThreadSanitizer need besides: address space as they like, so that the
 * memory limit is left out (lock.c); sigaltstack() before each call that does not return, and a
 * clone() at the end, to look for leaks, that fails rather than kills (lock_seccomp.c).
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOCK_SANITIZER "AddressSanitizer"
#elif __has_feature(thread_sanitizer)
#define LOCK_SANITIZER "ThreadSanitizer"
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define LOCK_SANITIZER "AddressSanitizer"
#elif defined(__SANITIZE_THREAD__)
#define LOCK_SANITIZER "ThreadSanitizer"
#endif
#ifdef LOCK_SANITIZER
#define LOCK_SANITIZED 1
#else
#define LOCK_SANITIZED 0
#define LOCK_SANITIZER "" /* none */
#endif

/*
 * A Landlock ruleset that grants nothing and denies all rights that the kernel knows: a descriptor,
 * or -ENOSYS (kernel has none), -EOPNOTSUPP (switched off) or another negative errno.
 */
int lock_landlock_create(void);

/* Come under @ruleset, and close it. 0 or a negative errno. */
int lock_landlock_restrict(int ruleset);

/* lock_process() up to seccomp, behind which nobody could see what the rest does. */
int lock_all_but_calls(const struct lock_params *params, const int *keep, unsigned nb_keep,
	char report[LOCK_REPORT_BYTES]);

/* Refuse all system calls that a lane does not need. 0 or a negative errno. */
int lock_seccomp(void);

#endif
