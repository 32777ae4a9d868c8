/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Landlock: no file may be opened, no socket connected or bound, no process outside signalled.
 *
 * Runs in a lane, once. Owns nothing.
 *
 * What seccomp refuses by the number of a call is refused here by what it would do: a second wall
 * for calls that come with later kernels. What is open already stays usable.
 */
#include "lock_parts.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The kernel's struct landlock_ruleset_attr, and its rights by the version of the interface that
 * brought them (Documentation/userspace-api/landlock.rst). Our own, because the headers of Debian 12
 * end at version 2 and those of the running kernel do not matter.
 */
struct rights {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static const struct {
	int version;
	struct rights rights;
} known[] = {
	{1, {.fs = 0x1fff}}, /* execute, read, write, remove and make of all kinds */
	{2, {.fs = UINT64_C(1) << 13}}, /* refer: link and rename to elsewhere */
	{3, {.fs = UINT64_C(1) << 14}}, /* truncate */
	{4, {.net = 1 | 2}}, /* bind and connect TCP */
	{5, {.fs = UINT64_C(1) << 15}}, /* ioctl of devices */
	{6, {.scoped = 1 | 2}}, /* abstract unix sockets, signals */
};

enum {
	CREATE_RULESET_VERSION = 1,
};

int lock_landlock_create(void) {
	struct rights rights = {0};
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	long fd;

	if (version < 0)
		return -errno;
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
		if (known[i].version > version)
			break;
		rights.fs |= known[i].rights.fs;
		rights.net |= known[i].rights.net;
		rights.scoped |= known[i].rights.scoped;
	}
	/* An older kernel takes the longer struct as long as what it does not know is zero. */
	fd = syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0);
	return fd < 0 ? -errno : (int)fd;
}

int lock_landlock_restrict(int ruleset) {
	int rc = syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;

	close(ruleset);
	return rc;
}
