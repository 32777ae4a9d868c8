/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the XDP program and its loader agree on.
 *
 * The driver loads the program from an ELF object by path and hands out none of its maps but
 * `xsks_map`, so the constants of a run travel inside the object: the loader finds the marker in
 * .rodata and overwrites the structure in a private copy of the file.
 */
#ifndef STEER_H
#define STEER_H

#include <linux/types.h>

#define STEER_MARKER_BYTES 16
#define STEER_MARKER "prtip-dp steer 1" /* exactly STEER_MARKER_BYTES, without its final zero */

/* Attached program's name as the kernel reports it (15 characters at the most). */
#define STEER_PROGRAM prtip_steer
#define STEER_PROGRAM_NAME "prtip_steer"

#define STEER_MAX_QUEUES 64

struct steer_config {
	char marker[STEER_MARKER_BYTES];
	__be32 source_be; /* our address */
	__u16 port_first; /* our source ports, inclusive, host byte order */
	__u16 port_last;
	__u32 kernel_owns; /* 1: the kernel holds the address, so ARP for it and echo are the kernel's */
	__be32 exception_be; /* all for it is ours, too: the plugins' address; 0: none */
};

#endif
