/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet sockets behind a net_af_packet or net_af_xdp port. The drivers neither report every
 * frame that the kernel dropped for want of room in a socket, nor push out what a short last burst
 * left in a transmit ring; the sockets themselves can be asked, and kicked.
 *
 *     ifsock_mark()    before rte_eal_init(): net_af_packet opens its sockets there
 *     ifsock_scan()    once, after the port started
 *     ifsock_read()    a few times a second, and a last time before the port is closed
 *     ifsock_kick()    likewise
 *
 * One thread for all of them. Kicking is safe beside lcores that send: the kernel serialises.
 */
#ifndef IFSOCK_H
#define IFSOCK_H

#include <stdint.h>

enum {
	IFSOCK_MAX = 64,
};

/* Frames, since ifsock_scan(); neither ever falls. */
struct ifsock_losses {
	/*
	 * Received, but dropped for want of room. For net_af_xdp this includes all that the driver
	 * reports as imissed: count one of them. For net_af_packet, which is given the interface's
	 * whole traffic, some of these frames may not have been for us.
	 */
	uint64_t rx;
	uint64_t tx; /* handed to an AF_XDP socket, which found the descriptor invalid */
};

struct ifsock_socket {
	int fd; /* the driver's */
	int domain; /* AF_PACKET or AF_XDP */
	struct ifsock_losses losses;
};

struct ifsock {
	struct ifsock_socket socket[IFSOCK_MAX];
	unsigned nb_sockets;
	uint64_t before[IFSOCK_MAX]; /* inodes of sockets that are not the port's */
	unsigned nb_before;
};

/* Remember the packet sockets that this process has now: they are not the port's. 0 or -errno. */
int ifsock_mark(struct ifsock *ifsock);

/*
 * Find those that were opened since; losses count from here. Their number, or a negative errno
 * (-E2BIG: more than IFSOCK_MAX). None is not an error: other drivers have none.
 */
int ifsock_scan(struct ifsock *ifsock);

/* Ask all sockets; what cannot be read keeps its last value. */
void ifsock_read(struct ifsock *ifsock, struct ifsock_losses *losses);

/* Have the kernel send whatever waits in the transmit rings, without waiting for it. */
void ifsock_kick(const struct ifsock *ifsock);

#endif
