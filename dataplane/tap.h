/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TAP that stands for a port which the kernel does not see: it has the port's hardware address and
 * an IPv4 address of its own, and what is sent from that address leaves by it. All of it is set by
 * rtnetlink, and none of it outlives the descriptor but one rule, which without its routes does
 * nothing, and which the next tap_open() of the same number removes.
 *
 * The kernel's other traffic keeps its routes: those of the TAP lie in a table of their own, for which
 * the rule selects packets by source address. A socket that is bound to the address therefore needs
 * no SO_BINDTODEVICE, but may have it.
 *
 * Main thread; the descriptor is for the one that carries the frames.
 */
#ifndef TAP_H
#define TAP_H

#include <dp/engine.h>

enum {
	TAP_MAX = 16, /* numbers 0 to 15, one for each scan of a machine that has a TAP */
	TAP_NAME_BYTES = 16,
};

struct tap_params {
	unsigned number; /* of the interface's name, the routing table and the rule */
	uint64_t mac;
	unsigned mtu;
	dp_ip ip; /* of IPv4, as all addresses here */
	const struct dp_range *onlink; /* prefixes on the port's link */
	unsigned nb_onlink;
	dp_ip gateway_ip; /* 0 without gateway_mac: whatever is asked for is on the link */
	uint64_t gateway_mac; /* 0: by ARP */
};

/* "prtip0" for 0. */
void tap_name(unsigned number, char name[static TAP_NAME_BYTES]);

/* The lowest number whose interface does not exist, or -EBUSY. */
int tap_free_number(void);

/*
 * Make the interface and set it up. The descriptor takes and gives Ethernet frames, one a call, never
 * blocks, and is closed by exec. A negative errno with @err filled on failure.
 */
int tap_open(const struct tap_params *params, struct dp_error *err);

/* The interface ends with the descriptor, and takes its address and routes along. */
void tap_close(int fd, unsigned number);

#endif
