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

/* A route of the main table, of either family. */
struct netif_route {
	char name[IF_NAMESIZE];
	dp_ip first, last; /* what it covers; all of a family: the default route */
	dp_ip gateway; /* 0: on link */
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
	const struct netif_route *route, unsigned n, const char *name, dp_ip ip);

/* Whether a route covers a whole family. */
bool netif_is_default(const struct netif_route *route);

/*
 * RX queues of interface @name, as the driver reports them; 1 where it reports none. @paired: each
 * comes with a TX queue, as net_af_xdp wants where there are several.
 */
unsigned netif_rx_queues(const char *name, bool *paired);

/* True where the kernel holds @ip, on any interface (or it is loopback's). */
bool netif_owns(dp_ip ip);

/*
 * An address of interface @name, of the family of @near: the one whose network holds it, else its
 * first; a link-local IPv6 one only where there is no other, or @near is one too. 0 where it has none.
 */
dp_ip netif_address(const char *name, dp_ip near);

/* All addresses of the machine as a sealed set, 127.0.0.0/8 and ::1 in it. 0 or a negative errno. */
int netif_own_addresses(struct dp_ipset **set);

#endif
