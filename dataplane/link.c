/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links that go down and come up again. Run by the control core at its tick; TX lcores look at the flag
 * that it keeps, and hold their probes while it is set. Owns no memory.
 *
 * What a device does with frames while its link is down differs: af_packet keeps them and sends all at
 * once when it is up, af_xdp and most others drop them and say that they were sent. So none may be
 * handed over. What went shortly before is lost if its answer was still to come; how much of it nobody
 * can know, so all of it is counted.
 */
#include "core.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Most answers come within this time. Until an outage is noticed, a tick is added to it. */
	HORIZON_MS = 500,
};

static uint64_t now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The drivers of interfaces say "up" whatever the link is: the kernel knows. */
static bool interface_is_down(const struct port *port) {
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", port->plan->port);
	return ioctl(port->link.fd, SIOCGIFFLAGS, &request) == 0
		&& !(request.ifr_flags & IFF_RUNNING);
}

static bool device_is_down(const struct port *port) {
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port->id, &link) == 0
		&& link.link_status == RTE_ETH_LINK_DOWN;
}

/* Others have no link, or a peer of ours at the other end. */
static bool is_down(const struct port *port) {
	switch (port->plan->driver) {
	case DP_DRIVER_AF_PACKET:
	case DP_DRIVER_AF_XDP:
		return port->link.fd >= 0 && interface_is_down(port);
	case DP_DRIVER_PCI:
		return device_is_down(port);
	default:
		return false;
	}
}

void link_open(struct port *port) {
	port->link.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void link_close(struct port *port) {
	if (port->link.fd >= 0)
		close(port->link.fd);
	port->link.fd = -1;
}

/* While the link is up: what was sent by when. The oldest that is kept is older than the horizon. */
static void note(struct link_watch *watch, uint64_t sent, uint64_t ms) {
	unsigned newest = (watch->first + watch->nb - 1) % LINK_NOTES;

	if (watch->nb && ms - watch->note[newest].ms < HORIZON_MS / (LINK_NOTES - 2))
		return;
	if (watch->nb == LINK_NOTES) {
		watch->first = (watch->first + 1) % LINK_NOTES;
		watch->nb--;
	}
	watch->note[(watch->first + watch->nb++) % LINK_NOTES] = (struct link_note){ms, sent};
}

/* Probes that went before the horizon of when the link was last seen up. */
static uint64_t before_outage(const struct link_watch *watch) {
	uint64_t before = 0;

	for (unsigned i = 0; i < watch->nb; i++) {
		const struct link_note *one = &watch->note[(watch->first + i) % LINK_NOTES];

		if (one->ms + HORIZON_MS > watch->up_ms)
			break;
		before = one->sent;
	}
	return before;
}

void link_tick(struct port *port) {
	struct link_watch *watch = &port->link;
	const uint64_t ms = now_ms();
	bool was_down = atomic_load_explicit(&port->link_down, memory_order_relaxed), down;

	down = port->started && is_down(port);
	if (down && !was_down) {
		watch->before = before_outage(watch);
		watch->lost_before = watch->lost;
		watch->nb = 0; /* none is counted twice */
	} else if (!down) {
		note(watch, port_probes_sent(port), ms);
		watch->up_ms = ms;
	}
	if (down != was_down)
		atomic_store_explicit(&port->link_down, down, memory_order_relaxed);
	/* An lcore that has not seen it yet sends on: those are lost, too. */
	if (down)
		watch->lost = watch->lost_before + port_probes_sent(port) - watch->before;
}
