/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locking a lane: limits, identity, privileges, files, system calls, in this order.
 *
 * Runs in a lane, once, before it reads the plugin. Owns nothing.
 */
#include "lock.h"
#include "lock_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	NOBODY = 65534, /* the kernel's own overflow id: no file is looked up */
};

/* Add to the list of what is missing. */
[[gnu::format(printf, 2, 3)]] static void missing(char *report, const char *format, ...) {
	size_t used = strlen(report);
	va_list args;

	if (used)
		used += (size_t)snprintf(report + used, LOCK_REPORT_BYTES - used, ", ");
	if (used >= LOCK_REPORT_BYTES)
		return;
	va_start(args, format);
	vsnprintf(report + used, LOCK_REPORT_BYTES - used, format, args);
	va_end(args);
}

/* Why the kernel refused an identity: one that the user namespace does not have is invalid. */
static const char *why(int error) {
	switch (error) {
	case EINVAL:
		return "not mapped";
	case EPERM:
		return "not permitted";
	default:
		return strerror(error);
	}
}

static bool is_ascending(const int *keep, unsigned nb_keep) {
	for (unsigned i = 0; i < nb_keep; i++)
		if (keep[i] <= (i ? keep[i - 1] : -1))
			return false;
	return true;
}

/* --- Limits -------------------------------------------------------------------------------- */

/* Never more than there is: only root could raise it. */
static int limit(int resource, uint64_t value) {
	struct rlimit old;

	if (getrlimit(resource, &old) < 0)
		return -errno;
	if (value > old.rlim_max)
		value = old.rlim_max;
	return setrlimit(resource, &(struct rlimit){value, value}) < 0 ? -errno : 0;
}

/* Bytes of address space in use, inherited mappings included; 0 where /proc does not tell. */
static uint64_t mapped_bytes(void) {
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int limit_memory(uint64_t bytes, char *report) {
	uint64_t mapped = mapped_bytes();

	if (LOCK_SANITIZED || !mapped) {
		missing(report, "memory limit (%s)",
			LOCK_SANITIZED ? LOCK_SANITIZER : "no /proc/self/statm");
		return 0;
	}
	if (__builtin_add_overflow(mapped, bytes, &bytes))
		bytes = RLIM_INFINITY;
	return limit(RLIMIT_AS, bytes);
}

static int set_limits(const struct lock_params *params, char *report) {
	const struct {
		int resource;
		uint64_t value;
	} limits[] = {
		{RLIMIT_FSIZE, params->file_bytes},
		{RLIMIT_NOFILE, params->descriptors},
		{RLIMIT_NPROC, 0},
		{RLIMIT_CORE, 0},
		{RLIMIT_CPU, params->cpu_s ? params->cpu_s : RLIM_INFINITY},
	};
	int rc = limit_memory(params->memory_bytes, report);

	for (unsigned i = 0; !rc && i < sizeof limits / sizeof *limits; i++)
		rc = limit(limits[i].resource, limits[i].value);
	return rc;
}

/* --- Identity and privileges --------------------------------------------------------------- */

/* 0 or a negative errno. What is not empty yet needs CAP_SETPCAP. */
static int empty_bounding_set(void) {
	int in;

	for (unsigned long cap = 0; (in = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
		if (in && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

/* Groups, then the group, then the user: each needs what the next gives away. */
static void become_nobody(char *report) {
	int rc;

	if (geteuid() != 0) {
		missing(report, "uid (not root)");
		return;
	}
	rc = empty_bounding_set();
	if (rc)
		missing(report, "capability bounding set (%s)", why(-rc));
	if (setgroups(0, NULL) < 0)
		missing(report, "groups (%s)", why(errno));
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0)
		missing(report, "gid (%s)", why(errno));
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
		missing(report, "uid (%s)", why(errno));
}

/*
 * All capabilities but @keep, of the first 32, whoever we are: a file or a namespace may have given
 * some. The ambient set goes with the others.
 */
static int keep_capabilities(uint32_t keep) {
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3] = {0};

	if (keep && syscall(SYS_capget, &header, set) < 0)
		return -errno;
	keep &= set[0].permitted;
	memset(set, 0, sizeof set);
	set[0].permitted = set[0].effective = keep;
	return syscall(SYS_capset, &header, set) < 0 ? -errno : 0;
}

static int give_up_privileges(void) {
	int rc = keep_capabilities(0);

	if (rc)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0
		|| prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* --- Files --------------------------------------------------------------------------------- */

static void restrict_files(int ruleset, char *report) {
	int rc = ruleset < 0 ? ruleset : lock_landlock_restrict(ruleset);

	if (rc == -ENOSYS)
		missing(report, "Landlock (kernel has none)");
	else if (rc == -EOPNOTSUPP)
		missing(report, "Landlock (switched off)");
	else if (rc)
		missing(report, "Landlock (%s)", strerror(-rc));
}

static int close_others(const int *keep, unsigned nb_keep) {
	unsigned first = 0;

	for (unsigned i = 0; i < nb_keep; i++) {
		const unsigned kept = (unsigned)keep[i];

		if (first < kept && close_range(first, kept - 1, 0) < 0)
			return -errno;
		first = kept + 1;
	}
	return close_range(first, UINT_MAX, 0) < 0 ? -errno : 0;
}

int lock_all_but_calls(const struct lock_params *params, const int *keep, unsigned nb_keep,
	char report[LOCK_REPORT_BYTES]) {
	int ruleset, rc;

	report[0] = '\0';
	if (!is_ascending(keep, nb_keep))
		return -EINVAL;
	/* Takes a descriptor: before their number is limited. */
	ruleset = lock_landlock_create();
	rc = set_limits(params, report);
	if (rc)
		goto close_ruleset;
	become_nobody(report);
	rc = give_up_privileges();
	if (rc)
		goto close_ruleset;
	restrict_files(ruleset, report);
	return close_others(keep, nb_keep);

close_ruleset:
	if (ruleset >= 0)
		close(ruleset);
	return rc;
}

int lock_warden(void) {
	const uint32_t as_root = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL;

	/* Where it cannot be emptied, no_new_privs keeps it from meaning anything. */
	empty_bounding_set();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return keep_capabilities(geteuid() == 0 ? as_root : 0);
}

int lock_process(const struct lock_params *params, const int *keep, unsigned nb_keep,
	char report[LOCK_REPORT_BYTES]) {
	int rc = lock_all_but_calls(params, keep, nb_keep, report);

	return rc ? rc : lock_seccomp();
}
