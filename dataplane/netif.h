/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel knows of its interfaces, addresses and routes. Read at start, by the main thread.
 */
#ifndef NETIF_H
#define NETIF_H

#include <dp/engine.h>

#include <net/if.h>

struct netif {
	char name[IF_NAMESIZE];
	unsigned index;
	bool loopback;
	bool ethernet;
	bool up, running; /* set up, and with a carrier */
	uint8_t mac[6];
	unsigned mtu;
};

/* A route of the main table. */
struct netif_route {
	char name[IF_NAMESIZE];
	uint32_t prefix, mask; /* host order; mask 0: the default route */
	uint32_t gateway; /* 0: on link */
	uint32_t metric;
};

enum {
	NETIF_MAX_ROUTES = 1024,
};

/* 0, or -ENODEV where there is no such interface. */
int netif_find(const char *name, struct netif *netif);

/* Routes of the main table, at most @max; returns their number or a negative errno (-E2BIG: more) */
int netif_routes(struct netif_route *route, unsigned max);

/* The longest prefix that covers @ip, of interface @name (NULL: any), or NULL. */
const struct netif_route *netif_route_to(
	const struct netif_route *route, unsigned n, const char *name, uint32_t ip);

/*
 * RX queues of interface @name, as the driver reports them; 1 where it reports none. @paired: each
 * comes with a TX queue, as net_af_xdp wants where there are several.
 */
unsigned netif_rx_queues(const char *name, bool *paired);

/* True where the kernel holds @ip, on any interface (or it is loopback's). */
bool netif_owns(uint32_t ip);

/*
 * An address of interface @name: the one whose network holds @near, else its first. 0 where it has
 * none.
 */
uint32_t netif_address(const char *name, uint32_t near);

/* All addresses of the machine as a sealed set with 127.0.0.0/8 in it. 0 or a negative errno. */
int netif_own_addresses(struct dp_ipset **set);

#endif
