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
#define STEER_MARKER "prtip-dp steer 2" /* exactly STEER_MARKER_BYTES, without its final zero */

/* Attached program's name as the kernel reports it (15 characters at the most). */
#define STEER_PROGRAM prtip_steer
#define STEER_PROGRAM_NAME "prtip_steer"

#define STEER_MAX_QUEUES 64

#define STEER_MAX_RANGES 16

/*
 * The link-local address from which we ask for neighbours where the kernel holds our own: the upper
 * half, and the lower one but for our hardware address in its last 48 bits (neigh_asker() of frame.h).
 */
#define STEER_ASKER_HIGH 0xfe80000000000000ull
#define STEER_ASKER_LOW 0x7064000000000000ull

/* Addresses in network byte order, as 16 bytes; IPv4 in the last four. Inclusive. */
struct steer_range {
	__u8 first[16];
	__u8 last[16];
};

/* What of one family is ours. */
struct steer_family {
	struct steer_range range[STEER_MAX_RANGES]; /* our addresses */
	__u32 nb_ranges;
	__u32 kernel_owns; /* 1: the kernel holds them, so ARP or ND for them and echo are the kernel's */
};

struct steer_config {
	char marker[STEER_MARKER_BYTES];
	struct steer_family v4, v6;
	__u16 port_first; /* our source ports, inclusive, host byte order: of TCP, UDP and SCTP */
	__u16 port_last;
	__u32 vlan; /* frames with this tag in them; 0: untagged ones, or tagged for priority alone */
	__u32 pings; /* 1: echo and timestamp replies are ours, too */
	__u32 asks; /* 1: ARP replies and neighbour advertisements to our addresses are ours though the
		     * kernel holds them, for scans that ask from there; it gets none meanwhile */
	__be32 exception_be; /* all for it is ours, too: the plugins' IPv4 address; 0: none */
};

#endif
