/* SPDX-License-Identifier: BSD-3-Clause */
/* What a driver must be allowed to start, found out before it fails in words of its own. */
#ifndef CAPS_H
#define CAPS_H

#include <stddef.h>
#include <stdint.h>

enum {
	CAPS_TEXT_BYTES = 128,
};

/* Bits of 1 << CAP_*. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, too. */
#define CAPS_BIT(capability) (UINT64_C(1) << (capability))

/*
 * The names of those of @needed that the calling thread does not have, "CAP_NET_RAW, CAP_BPF", to
 * @text; and of CAP_IPC_LOCK, where more than @locked_bytes of memory may not be locked without it.
 * Returns their number. Where the kernel does not tell it is 0, and the driver will.
 */
unsigned caps_missing(uint64_t needed, uint64_t locked_bytes, char text[static CAPS_TEXT_BYTES]);

#endif
