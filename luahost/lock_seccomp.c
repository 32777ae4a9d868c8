/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls of a lane: those that the tables allow, and no others.
 *
 * Runs in a lane, once; the filter runs in the kernel from then on. Owns nothing.
 *
 * A call in no table kills the process: only an attacker makes it. Libraries try a few others in
 * passing and go on without; these fail with EPERM. A filter sees numbers and registers, not memory:
 * a call whose danger lies in memory (a path, an address, a message header) is refused as a whole.
 */
#include "lock_parts.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>

static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(ftruncate),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	/* Sockets come by recvmsg() from the warden, bound and connected. */
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	/* The vDSO answers most of these, except on machines whose clock it cannot read. */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(sched_yield),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#if LOCK_SANITIZED
	SCMP_SYS(sigaltstack),
#endif
};

/* Allowed with these arguments, and deadly with others. */
static const struct {
	int call;
	unsigned nb_tests;
	struct scmp_arg_cmp tests[3];
} limited[] = {
	/* Only memory of our own: no file, no code, no huge pages out of the scan's pool. */
	{SCMP_SYS(mmap), 3,
		{{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
			{3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS | MAP_HUGETLB, MAP_ANONYMOUS},
			{4, SCMP_CMP_MASKED_EQ, 0xffffffff, 0xffffffff}}},
	{SCMP_SYS(mprotect), 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}},
	/* send(): without an address. sendmsg() carries one in memory, so it is in no table. */
	{SCMP_SYS(sendto), 1, {{4, SCMP_CMP_EQ, 0, 0}}},
};

static const int refused[] = {
	/*
	 * newfstatat with an empty path is fstat() in glibc, but whether the path is empty cannot be
	 * seen, and Landlock does not stand before stat(). stdio does without it.
	 */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(ioctl),
	SCMP_SYS(fcntl),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(prctl),
	SCMP_SYS(rt_sigaction),
#if LOCK_SANITIZED
	SCMP_SYS(clone),
#else
	SCMP_SYS(sigaltstack),
#endif
};

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t nb_calls) {
	int rc = 0;

	for (size_t i = 0; !rc && i < nb_calls; i++)
		rc = seccomp_rule_add(filter, action, calls[i], 0);
	return rc;
}

static int add_limited(scmp_filter_ctx filter) {
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof limited / sizeof *limited; i++)
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, limited[i].call,
			limited[i].nb_tests, limited[i].tests);
	return rc;
}

/* Other architectures' calls (i386 and x32 on x86-64) have other numbers: deadly altogether. */
static int set_attributes(scmp_filter_ctx filter) {
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (!rc)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	/* A tree, not a list: a lane's calls are many. */
	return rc ? rc : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

int lock_seccomp(void) {
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!filter)
		return -ENOMEM;
	rc = set_attributes(filter);
	if (!rc)
		rc = add_all(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed);
	if (!rc)
		rc = add_limited(filter);
	if (!rc)
		rc = add_all(
			filter, SCMP_ACT_ERRNO(EPERM), refused, sizeof refused / sizeof *refused);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}
