/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything around net_af_xdp that the driver leaves to its user: our XDP program as a file it can
 * load, the exclusive use of an interface, whether af_xdp can work there, and cleaning up after a
 * run that was killed. In order:
 *
 *     xdp_supported()         may af_xdp be used here, and if not, why?
 *     xdp_interface_lock()    nobody else is on this interface
 *     xdp_detach()            remove what a killed run left
 *     xdp_program_prepare()   "net_af_xdp0,iface=...,xdp_prog=<path>"
 *     ... rte_eal_init(), queue setup (which loads and attaches), scan, rte_eth_dev_close() ...
 *     xdp_detach()            a no-op after a clean close
 *
 * Called from the thread that starts EAL; none of it is for the packet path.
 */
#ifndef XDP_H
#define XDP_H

#include "steer.h"

#include <dp/error.h>

#include <stdbool.h>
#include <stdint.h>

enum {
	XDP_PATH_BYTES = 32,
};

/* Where the kernel keeps the port settings that ports_overlap() reads. */
#define PORTS_SYSCTL "/proc/sys/net/ipv4"

/*
 * Can net_af_xdp start on @ifname? Sends nothing and changes nothing; takes about a millisecond. A
 * program of ours that is attached does not count against it. 0, or a negative errno with a reason
 * in @err that stands alone as a sentence:
 *   -ENODEV no such interface, -EOPNOTSUPP lo, no Ethernet, or no AF_XDP in this kernel,
 *   -EPERM capabilities are missing, -EBUSY somebody else's XDP program is attached.
 * A driver can still refuse the program when it is attached (for its MTU, or for want of queues):
 * that cannot be known without attaching, which resets some devices.
 */
int xdp_supported(const char *ifname, struct dp_error *err);

/*
 * Claim @ifname for this process, until the returned descriptor is closed or the process ends in
 * whatever way. Per network namespace. The descriptor, or a negative errno with @err filled; -EBUSY
 * names the process that holds it. A child that is forked later must not keep the descriptor.
 */
int xdp_interface_lock(const char *ifname, struct dp_error *err);

/*
 * Make a copy of the steering program with the constants of this run; the marker in @config is set
 * here. On success *@fd is a memfd and @path the name under which this process can open it; both are
 * good until the caller closes *@fd, which it may do once the port's queues are set up. 0, or a
 * negative errno with @err filled.
 */
int xdp_program_prepare(const struct steer_config *config, char path[static XDP_PATH_BYTES],
	int *fd, struct dp_error *err);

/*
 * Detach our program from interface @ifindex, and nobody else's. Only while no other prtip-dp can be
 * using it: hold the lock. 1 if it was attached, 0 if not, or a negative errno with @err filled.
 */
int xdp_detach(int ifindex, struct dp_error *err);

/* A program that is attached to an interface, and held. */
struct xdp_program {
	int fd; /* -1: none */
	uint32_t id; /* the kernel's; nobody else gets it while fd is open */
	uint32_t mode; /* with which it was attached */
};

/*
 * Hold our program that is attached to @ifindex, so that it can be detached with CAP_NET_ADMIN alone:
 * to find it takes CAP_SYS_ADMIN, without which it is -EPERM. 0, also where there is none, or a
 * negative errno with @err filled.
 */
int xdp_hold(int ifindex, struct xdp_program *program, struct dp_error *err);

/* Detach @program, where it still is attached, and let go of it. 0 or a negative errno. */
int xdp_release(int ifindex, struct xdp_program *program);

/*
 * How many of the ports [@first, @last] the kernel may choose for connections of its own from the
 * same address, whose answers the program would take: those in ip_local_port_range that are not in
 * ip_local_reserved_ports. @directory is PORTS_SYSCTL but in tests. The number, or a negative errno.
 */
int ports_overlap(uint16_t first, uint16_t last, const char *directory);

#endif
