/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next hops: the gateway and the targets on link, with the hardware addresses that our own ARP
 * (RFC 826) and neighbour discovery (RFC 4861) find for them before the first probe and refreshes while the scan runs.
 *
 * One TX lcore drives it (neigh_resolve, then neigh_refresh), RX lcores feed it replies (neigh_learn), all TX lcores look
 * up. An entry is one 64-bit word, so that no reader sees half an address.
 */
#ifndef NEIGH_H
#define NEIGH_H

#include <dp/engine.h>

#include <stdatomic.h>

#define NEIGH_UNRESOLVED UINT64_C(0)
#define NEIGH_MAC UINT64_C(0xffffffffffff)
#define NEIGH_RESOLVED (UINT64_C(1) << 62)

struct neigh;

/*
 * Entries for @plan's gateways, one a family, and for every address of @addresses that is on link;
 * without @targets (a scan type that asks them itself) for the gateways alone. 0 or -ENOMEM.
 * Addresses and plan must outlive it.
 */
int neigh_create(const struct dp_port_plan *plan, const struct dp_ipset *addresses, bool targets,
	uint64_t tsc_hz, struct neigh **neigh);
void neigh_destroy(struct neigh *neigh);

/* The entry word for the next hop of @ip: NEIGH_RESOLVED with the address, or not. TX lcores. */
uint64_t neigh_next_hop(const struct neigh *neigh, dp_ip ip);

/* Whether @ip is on the port's link, also without entries for targets. Any lcore. */
bool neigh_on_link(const struct neigh *neigh, dp_ip ip);

/* True where all targets of a family have one next hop, so that any of them can be asked for. */
bool neigh_single(const struct neigh *neigh, bool v4);

/*
 * An ARP reply or a neighbour advertisement says that @ip is at @mac. Taken only when we asked; one that contradicts a known
 * address only when that one stayed silent on two questions. RX lcores.
 */
void neigh_learn(struct neigh *neigh, dp_ip ip, uint64_t mac);

/*
 * A host on link answered the scan itself, which had asked it: where there are no entries for targets,
 * single probes find it by that, among the latest thousands. RX lcores.
 */
void neigh_hear(struct neigh *neigh, dp_ip ip, uint64_t mac);

/*
 * The first round of questions: 0 while it goes on, 1 when it is over, -EHOSTUNREACH where a
 * gateway did not answer (neigh_missing() says which). Writes the addresses to ask now to @ask (at most @max) and their number
 * to @n. Call until it is not 0.
 */
int neigh_resolve(struct neigh *neigh, uint64_t now_tsc, dp_ip *ask, unsigned max, unsigned *n);

/* While the scan runs: addresses to ask again now, at most @max. */
unsigned neigh_refresh(struct neigh *neigh, uint64_t now_tsc, dp_ip *ask, unsigned max);

/* Questions for gateways by neigh_refresh() so far. Its caller. */
uint64_t neigh_gateway_questions(const struct neigh *neigh);

/* Whether all gateways answered the latest of these from where they were before. Its caller. */
bool neigh_gateways_confirmed(const struct neigh *neigh);

/* How often a gateway, and a target, was found at another hardware address than before. Any thread. */
uint64_t neigh_moved_gateways(const struct neigh *neigh);
uint64_t neigh_moved_targets(const struct neigh *neigh);

/* The gateway that did not answer; 0: none. */
dp_ip neigh_missing(const struct neigh *neigh);

/* On-link targets that have not answered. */
uint64_t neigh_unresolved(const struct neigh *neigh);

#endif
