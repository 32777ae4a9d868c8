/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The target space: (addresses) x (ports), frozen before the scan starts.
 *
 * Index i in [0, count) stands for the pair (address i / ports, port i % ports) of the sorted set.
 * Both directions are pure functions of the frozen space, so that any lcore can map any index at
 * any time. Picking costs O(1) for few ranges and O(log of a bucket) for many, in tables that are
 * built once. Memory goes by the ranges and the ports, none by the targets, so that
 * 0.0.0.0/0 x 65,535 ports is as cheap as one host. A scan without ports has the one port 0.
 *
 * A mixed space has endpoints, ports of several protocols, in place of ports; all else is the same.
 */
#ifndef DP_SPACE_H
#define DP_SPACE_H

#include <dp/ipset.h>
#include <dp/order.h>
#include <dp/scan.h>

#include <assert.h>

struct dp_target {
	dp_ip ip;
	uint16_t port;
	uint8_t pass; /* which transmission of the pair, from 0; the sender's affair */
	uint8_t proto; /* enum dp_proto, in mixed spaces only; else left alone */
};

enum {
	DP_WALK_MAX = 256,
	DP_ENDPOINTS = 3 << 16, /* values: ports of TCP, UDP and SCTP */
};

static_assert(DP_PROTO_TCP < 3 && DP_PROTO_UDP < 3 && DP_PROTO_SCTP < 3);

/* A port of TCP, UDP or SCTP, as one number. */
static inline uint32_t dp_endpoint(enum dp_proto proto, uint16_t port) {
	return (uint32_t)proto << 16 | port;
}

static inline enum dp_proto dp_endpoint_proto(uint32_t endpoint) {
	return (enum dp_proto)(endpoint >> 16);
}

static inline uint16_t dp_endpoint_port(uint32_t endpoint) {
	return (uint16_t)endpoint;
}

struct dp_space;

/*
 * Freeze (@addresses, sealed) x (@ports, ascending without repeats, 1 to 65,536 of them). Copies
 * what it needs of both. 0, -EINVAL where either is empty, -E2BIG beyond 2^120 pairs, or -ENOMEM. Free with
 * dp_space_destroy().
 */
int dp_space_create(const struct dp_ipset *addresses, const uint16_t *ports, unsigned nb_ports,
	struct dp_space **space);
/* The same with endpoints, 1 to DP_ENDPOINTS of them: a mixed space. */
int dp_space_create_mixed(const struct dp_ipset *addresses, const uint32_t *endpoints,
	unsigned nb_endpoints, struct dp_space **space);
void dp_space_destroy(struct dp_space *space);

/* Number of pairs, at most 2^120. */
dp_u128 dp_space_count(const struct dp_space *space);
bool dp_space_is_mixed(const struct dp_space *space);

/* Ports or endpoints of the space: their number, and the one at place @i, ascending. */
unsigned dp_space_ports(const struct dp_space *space);
uint32_t dp_space_endpoint(const struct dp_space *space, unsigned i);

/*
 * Map @n indices, each below the count, to their targets (pass is left alone). Any thread. The first
 * is for spaces of at most 2^62 pairs.
 */
void dp_space_pick(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n);
void dp_space_pick_wide(
	const struct dp_space *space, const dp_u128 *index, struct dp_target *target, unsigned n);

/* The targets of probes @first .. @first + @n - 1 (at most DP_WALK_MAX) in the order of @perm. */
void dp_space_walk(const struct dp_space *space, const struct dp_perm *perm, dp_u128 first,
	struct dp_target *target, unsigned n);

/*
 * The index of (@ip, @endpoint), or false where the pair is not in the space. Only a mixed space minds
 * the endpoint's protocol: for others a port will do. Any thread.
 */
bool dp_space_find(const struct dp_space *space, dp_ip ip, uint32_t endpoint, dp_u128 *index);

/* The sealed set that the space was made from; belongs to the space. */
const struct dp_ipset *dp_space_addresses(const struct dp_space *space);

#endif
