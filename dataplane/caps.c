/* SPDX-License-Identifier: BSD-3-Clause */
/* Which capabilities are missing. Main thread, before a device is opened; owns nothing. */
#include "caps.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Those that drivers ask for, in the order in which they do. */
static const struct {
	unsigned number, or_number; /* either will do */
	const char *name;
} known[] = {
	{CAP_NET_RAW, CAP_NET_RAW, "CAP_NET_RAW"}, /* AF_PACKET and AF_XDP sockets */
	{CAP_NET_ADMIN, CAP_NET_ADMIN, "CAP_NET_ADMIN"}, /* flags of the interface, XDP programs */
	{CAP_BPF, CAP_SYS_ADMIN, "CAP_BPF"}, /* loading those */
	{CAP_PERFMON, CAP_SYS_ADMIN, "CAP_PERFMON"}, /* ours, whose loops the verifier follows */
	{CAP_IPC_LOCK, CAP_IPC_LOCK, "CAP_IPC_LOCK"}, /* packet memory over RLIMIT_MEMLOCK */
};

static bool may_lock(uint64_t bytes) {
	struct rlimit limit;

	return getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur >= bytes;
}

unsigned caps_missing(uint64_t needed, uint64_t locked_bytes, char text[static CAPS_TEXT_BYTES]) {
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	unsigned missing = 0;
	uint64_t have;
	int used = 0;

	text[0] = '\0';
	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	have = (uint64_t)data[1].effective << 32 | data[0].effective;
	if (locked_bytes && !may_lock(locked_bytes))
		needed |= CAPS_BIT(CAP_IPC_LOCK);
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!(needed & CAPS_BIT(known[i].number))
			|| have & (CAPS_BIT(known[i].number) | CAPS_BIT(known[i].or_number)))
			continue;
		used += snprintf(text + used, CAPS_TEXT_BYTES - (size_t)used, "%s%s",
			missing++ ? ", " : "", known[i].name);
	}
	return missing;
}
