/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frozen target space: index -> (address, port) and back.
 *
 * Made by one thread before the scan starts; every lcore reads it afterwards, nobody writes. The
 * space owns all its tables.
 *
 * The addresses are numbered 0 .. total - 1 in ascending order ("ordinals"). A table of buckets, as
 * many as ranges or up to half of that, cuts the ordinals into equal parts and says in which range
 * each part begins, so that a pick searches only the few ranges of one bucket. A second one does the
 * same for addresses and finding.
 */
#include <dp/space.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PORT_VALUES = 65536,
	PICK_CHUNK = 32, /* lookups whose cache misses overlap */
};

struct dp_space {
	struct dp_ipset *addresses;
	const struct dp_range *ranges; /* of the addresses */
	size_t nb_ranges;
	uint64_t count; /* pairs */
	uint64_t port_magic; /* ceil(2^64 / nb_ports); unused for one port */
	uint32_t nb_ports;
	unsigned bucket_shift;
	uint32_t nb_buckets;
	uint32_t *start; /* ordinal of the first address of each range */
	uint32_t *bucket; /* nb_buckets + 1: the range that holds the bucket's first ordinal */
	unsigned home_shift;
	uint32_t nb_homes;
	uint32_t *
		home; /* nb_homes + 1: the first range that does not end below a part of the hull */
	uint16_t *ports;
	uint16_t rank[PORT_VALUES]; /* of each port of the space, below nb_ports */
};

static int build_starts(struct dp_space *space) {
	uint64_t ordinal = 0;

	space->start = malloc(space->nb_ranges * sizeof(*space->start));
	if (!space->start)
		return -ENOMEM;
	for (size_t i = 0; i < space->nb_ranges; i++) {
		space->start[i] = (uint32_t)ordinal;
		ordinal += (uint64_t)space->ranges[i].last - space->ranges[i].first + 1;
	}
	return 0;
}

static int build_buckets(struct dp_space *space) {
	const uint64_t total = dp_ipset_count(space->addresses);
	size_t range = 0;

	while (((total - 1) >> space->bucket_shift) + 1 > space->nb_ranges)
		space->bucket_shift++;
	space->nb_buckets = (uint32_t)(((total - 1) >> space->bucket_shift) + 1);
	space->bucket = malloc(((size_t)space->nb_buckets + 1) * sizeof(*space->bucket));
	if (!space->bucket)
		return -ENOMEM;
	for (uint64_t b = 0; b < space->nb_buckets; b++) {
		while (range + 1 < space->nb_ranges
			&& space->start[range + 1] <= b << space->bucket_shift)
			range++;
		space->bucket[b] = (uint32_t)range;
	}
	space->bucket[space->nb_buckets] = (uint32_t)space->nb_ranges - 1;
	return 0;
}

/* The same over addresses: equal parts of the hull, from the first address to the last. */
static int build_homes(struct dp_space *space) {
	const uint32_t first = space->ranges[0].first;
	const uint64_t hull = (uint64_t)space->ranges[space->nb_ranges - 1].last - first;
	size_t range = 0;

	while ((hull >> space->home_shift) + 1 > space->nb_ranges)
		space->home_shift++;
	space->nb_homes = (uint32_t)((hull >> space->home_shift) + 1);
	space->home = malloc(((size_t)space->nb_homes + 1) * sizeof(*space->home));
	if (!space->home)
		return -ENOMEM;
	for (uint64_t b = 0; b < space->nb_homes; b++) {
		while (space->ranges[range].last - first < b << space->home_shift)
			range++;
		space->home[b] = (uint32_t)range;
	}
	space->home[space->nb_homes] = (uint32_t)space->nb_ranges - 1;
	return 0;
}

static int build_ports(struct dp_space *space, const uint16_t *ports, unsigned nb_ports) {
	space->ports = malloc(nb_ports * sizeof(*ports));
	if (!space->ports)
		return -ENOMEM;
	memcpy(space->ports, ports, nb_ports * sizeof(*ports));
	for (unsigned i = 0; i < nb_ports; i++)
		space->rank[ports[i]] = (uint16_t)i;
	space->nb_ports = nb_ports;
	if (nb_ports > 1)
		space->port_magic = UINT64_MAX / nb_ports + 1;
	return 0;
}

int dp_space_create(const struct dp_ipset *addresses, const uint16_t *ports, unsigned nb_ports,
	struct dp_space **out) {
	const uint64_t total = dp_ipset_count(addresses);
	struct dp_space *space;
	int ret;

	if (!total || !nb_ports || nb_ports > PORT_VALUES)
		return -EINVAL;
	space = calloc(1, sizeof(*space));
	if (!space)
		return -ENOMEM;
	ret = dp_ipset_copy(addresses, &space->addresses);
	if (ret < 0)
		goto destroy;
	space->nb_ranges = dp_ipset_ranges(space->addresses, &space->ranges);
	space->count = total * nb_ports;
	ret = build_starts(space);
	if (ret < 0)
		goto destroy;
	ret = build_buckets(space);
	if (ret < 0)
		goto destroy;
	ret = build_homes(space);
	if (ret < 0)
		goto destroy;
	ret = build_ports(space, ports, nb_ports);
	if (ret < 0)
		goto destroy;
	*out = space;
	return 0;
destroy:
	dp_space_destroy(space);
	return ret;
}

void dp_space_destroy(struct dp_space *space) {
	if (!space)
		return;
	dp_ipset_destroy(space->addresses);
	free(space->start);
	free(space->bucket);
	free(space->home);
	free(space->ports);
	free(space);
}

uint64_t dp_space_count(const struct dp_space *space) {
	return space->count;
}

unsigned dp_space_ports(const struct dp_space *space) {
	return space->nb_ports;
}

/*
 * index / nb_ports by multiplication. With m = ceil(2^64 / d) the product exceeds the true quotient
 * by index * e / 2^64 with e < 1, so by less than 2^-16 for an index below 2^48; as d <= 2^16, that
 * never reaches the next whole number.
 */
static inline uint32_t ordinal_of(const struct dp_space *space, uint64_t index) {
	if (space->nb_ports == 1)
		return (uint32_t)index;
	return (uint32_t)(((unsigned __int128)index * space->port_magic) >> 64);
}

/* The last range of the bucket that starts at or below the ordinal. */
static inline uint32_t address_at(const struct dp_space *space, uint32_t ordinal) {
	const uint32_t b = ordinal >> space->bucket_shift;
	uint32_t low = space->bucket[b], high = space->bucket[b + 1];

	while (low < high) {
		uint32_t middle = high - (high - low) / 2;

		if (space->start[middle] <= ordinal)
			low = middle;
		else
			high = middle - 1;
	}
	return space->ranges[low].first + (ordinal - space->start[low]);
}

/* One range needs no table at all. */
static void pick_in_range(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	const uint32_t first = space->ranges[0].first;

	for (unsigned i = 0; i < n; i++) {
		uint32_t ordinal = ordinal_of(space, index[i]);

		target[i].ip = first + ordinal;
		target[i].port = space->ports[index[i] - (uint64_t)ordinal * space->nb_ports];
	}
}

/* Large tables miss the cache at every step: ask for all lines of a chunk before using the first. */
static void pick_in_ranges(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	uint32_t ordinal[PICK_CHUNK];

	for (unsigned i = 0; i < n; i++) {
		ordinal[i] = ordinal_of(space, index[i]);
		target[i].port = space->ports[index[i] - (uint64_t)ordinal[i] * space->nb_ports];
		__builtin_prefetch(&space->bucket[ordinal[i] >> space->bucket_shift]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t range = space->bucket[ordinal[i] >> space->bucket_shift];

		__builtin_prefetch(&space->start[range]);
		__builtin_prefetch(&space->ranges[range]);
	}
	for (unsigned i = 0; i < n; i++)
		target[i].ip = address_at(space, ordinal[i]);
}

void dp_space_pick(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	if (space->nb_ranges == 1) {
		pick_in_range(space, index, target, n);
		return;
	}
	for (unsigned done = 0; done < n; done += PICK_CHUNK)
		pick_in_ranges(space, index + done, target + done,
			n - done < PICK_CHUNK ? n - done : PICK_CHUNK);
}

/* The first range that does not end below @ip, which is within the hull. */
static uint32_t range_of(const struct dp_space *space, uint32_t ip) {
	const uint64_t b = (uint64_t)(ip - space->ranges[0].first) >> space->home_shift;
	uint32_t low = space->home[b], high = space->home[b + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (space->ranges[middle].last < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool dp_space_find(const struct dp_space *space, uint32_t ip, uint16_t port, uint64_t *index) {
	const uint16_t rank = space->rank[port];

	/* Ports outside the space have rank 0 as the table was zeroed: ask the list who owns it. */
	if (space->ports[rank] != port || ip < space->ranges[0].first
		|| ip > space->ranges[space->nb_ranges - 1].last)
		return false;
	const uint32_t range = range_of(space, ip);
	if (space->ranges[range].first > ip)
		return false;
	uint64_t ordinal = (uint64_t)space->start[range] + (ip - space->ranges[range].first);
	*index = ordinal * space->nb_ports + rank;
	return true;
}

const struct dp_ipset *dp_space_addresses(const struct dp_space *space) {
	return space->addresses;
}
