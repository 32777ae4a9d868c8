/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The target space: (addresses) x (ports), frozen before the scan starts.
 *
 * Index i in [0, count) stands for the pair (address i / ports, port i % ports) of the sorted set.
 * Both directions are pure functions of the frozen space, so that any lcore can map any index at
 * any time. Picking costs O(1) for few ranges and O(log of a bucket) for many, in a table that is
 * built once. Memory: 16 bytes a range, at most 4 bytes a bucket (one a range), 256 KiB for ports;
 * none a target, so that 0.0.0.0/0 x 65,535 ports is as cheap as one host.
 */
#ifndef DP_SPACE_H
#define DP_SPACE_H

#include <dp/ipset.h>

struct dp_target {
	uint32_t ip; /* host byte order */
	uint16_t port;
};

struct dp_space;

/*
 * Freeze (@addresses, sealed) x (@ports, ascending without repeats, 1 to 65,536 of them). Copies
 * what it needs of both. 0, -EINVAL where either is empty, or -ENOMEM. Free with dp_space_destroy().
 */
int dp_space_create(const struct dp_ipset *addresses, const uint16_t *ports, unsigned nb_ports,
	struct dp_space **space);
void dp_space_destroy(struct dp_space *space);

/* Number of pairs, at most 2^48. */
uint64_t dp_space_count(const struct dp_space *space);
unsigned dp_space_ports(const struct dp_space *space);

/* Map @n indices, each below the count, to their targets. Any thread. */
void dp_space_pick(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n);

/* The index of (@ip, @port), or false where the pair is not in the space. Any thread. */
bool dp_space_find(const struct dp_space *space, uint32_t ip, uint16_t port, uint64_t *index);

/* The sealed set that the space was made from; belongs to the space. */
const struct dp_ipset *dp_space_addresses(const struct dp_space *space);

#endif
