/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frozen target space: index -> (address, port) and back.
 *
 * Made by one thread before the scan starts; every lcore reads it afterwards, nobody writes. The
 * space owns all its tables.
 *
 * The addresses are numbered 0 .. total - 1 in ascending order ("ordinals"). A table of buckets, one
 * or two a range, cuts the ordinals into equal parts and says in which range each part begins, so
 * that a pick searches only the few ranges of one bucket: one on average, as ordinals are drawn
 * evenly. Where each range is one address, as in hit lists, ordinals are the ranges' own numbers.
 *
 * A mixed space has lists of endpoints in place of those of ports, and paths of its own from an index to
 * them, so that all others go by as if there were none.
 *
 * A space of IPv4 alone has all of this in 32 bits, and a second table of buckets over the addresses
 * for finding. Any other has it in 128 bits; IPv6 addresses crowd, so that equal parts of the numbers
 * would leave nearly all ranges in one bucket, and finding goes down a tree instead: samples of the
 * ranges, one of 16, of these again one of 16, and so on, each compared 16 at a time.
 */
#include <dp/space.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PORT_VALUES = 65536,
	PICK_CHUNK = 32, /* lookups whose cache misses overlap */
	NARROW_BITS = 62, /* of an index that fits 64-bit arithmetic */
	WIDEST_BITS = 120,
	NOWHERE = UINT32_MAX, /* of an endpoint that is not in the space */
	BUCKETS_A_RANGE = 2, /* at the most */
	FENCE_SHIFT = 4, /* one of 16 is in the sample */
	FENCE_STEP = 1 << FENCE_SHIFT,
	FENCE_LEVELS = 16, /* more than 2^64 ranges have */
};

/* A range: an ordinal becomes an address by adding. One more ends the table, with the total. */
struct span4 {
	uint32_t start; /* ordinal of its first address */
	uint32_t base; /* that address less its ordinal, modulo 2^32 */
};

struct span6 {
	dp_u128 start;
	dp_ip base;
};

struct dp_space {
	struct dp_ipset *addresses;
	const struct dp_range *ranges; /* of the addresses */
	size_t nb_ranges;
	dp_u128 count; /* pairs */
	uint64_t port_magic; /* ceil(2^64 / nb_ports); unused for one port */
	uint32_t nb_ports;
	bool v4_only; /* span4 and home; else span6 and fence */
	unsigned bucket_shift;
	uint32_t nb_buckets;
	uint32_t *bucket; /* nb_buckets + 1: the range that holds the bucket's first ordinal */
	struct span4 *span4;
	unsigned home_shift;
	uint32_t nb_homes;
	uint32_t
		*home; /* nb_homes + 1: the last range that begins at or below a part of the hull */
	struct span6 *span6;
	bool singles; /* IPv6: every range is one address, which needs no buckets and spans */
	dp_ip *fence; /* the samples' first addresses, level by level */
	size_t level[FENCE_LEVELS], level_size[FENCE_LEVELS]; /* where in them, and how many */
	unsigned nb_levels;
	uint16_t *ports;
	uint16_t rank[PORT_VALUES]; /* of each port of the space, below nb_ports */
	uint32_t *endpoints; /* of a mixed space, in place of ports; NULL: it is not */
	uint32_t *place; /* of each endpoint in them, or NOWHERE: in place of rank */
};

static int build_spans4(struct dp_space *space) {
	uint32_t ordinal = 0;
	size_t i;

	space->span4 = malloc((space->nb_ranges + 1) * sizeof(*space->span4));
	if (!space->span4)
		return -ENOMEM;
	for (i = 0; i < space->nb_ranges; i++) {
		const uint32_t first = dp_ip_to_v4(space->ranges[i].first);

		space->span4[i] = (struct span4){ordinal, first - ordinal};
		ordinal += dp_ip_to_v4(space->ranges[i].last) - first + 1;
	}
	/* 2^32 of them end at 0, from which sizes still come out right. */
	space->span4[i] = (struct span4){ordinal, 0};
	return 0;
}

static int build_spans6(struct dp_space *space) {
	dp_u128 ordinal = 0;
	size_t i;

	/* Their size is a power of two and the heap's alignment is theirs: none crosses a cache line. */
	space->span6 = malloc((space->nb_ranges + 1) * sizeof(*space->span6));
	if (!space->span6)
		return -ENOMEM;
	for (i = 0; i < space->nb_ranges; i++) {
		const struct dp_range range = space->ranges[i];

		space->span6[i] = (struct span6){ordinal, range.first - ordinal};
		ordinal += range.last - range.first + 1;
	}
	space->span6[i] = (struct span6){ordinal, 0};
	return 0;
}

static int build_buckets(struct dp_space *space) {
	const dp_u128 total = dp_ipset_count(space->addresses);
	dp_u128 ordinal = 0; /* that the next range begins at */
	size_t next = 0;

	while (((total - 1) >> space->bucket_shift) + 1
		> BUCKETS_A_RANGE * (dp_u128)space->nb_ranges)
		space->bucket_shift++;
	space->nb_buckets = (uint32_t)(((total - 1) >> space->bucket_shift) + 1);
	space->bucket = malloc(((size_t)space->nb_buckets + 1) * sizeof(*space->bucket));
	if (!space->bucket)
		return -ENOMEM;
	for (uint64_t b = 0; b < space->nb_buckets; b++) {
		while (next < space->nb_ranges && ordinal <= (dp_u128)b << space->bucket_shift) {
			ordinal += space->ranges[next].last - space->ranges[next].first + 1;
			next++;
		}
		space->bucket[b] = (uint32_t)next - 1;
	}
	space->bucket[space->nb_buckets] = (uint32_t)space->nb_ranges - 1;
	return 0;
}

/* Equal parts of the hull, from the first address to the last. */
static int build_homes(struct dp_space *space) {
	const dp_ip first = space->ranges[0].first;
	const uint64_t hull = (uint64_t)(space->ranges[space->nb_ranges - 1].last - first);
	size_t range = 0;

	while ((hull >> space->home_shift) + 1 > space->nb_ranges)
		space->home_shift++;
	space->nb_homes = (uint32_t)((hull >> space->home_shift) + 1);
	space->home = malloc(((size_t)space->nb_homes + 1) * sizeof(*space->home));
	if (!space->home)
		return -ENOMEM;
	for (uint64_t b = 0; b < space->nb_homes; b++) {
		while (range + 1 < space->nb_ranges
			&& space->ranges[range + 1].first - first <= b << space->home_shift)
			range++;
		space->home[b] = (uint32_t)range;
	}
	space->home[space->nb_homes] = (uint32_t)space->nb_ranges - 1;
	return 0;
}

static int build_fences(struct dp_space *space) {
	size_t size = space->nb_ranges, total = 0;

	while (size > FENCE_STEP) {
		size = (size + FENCE_STEP - 1) >> FENCE_SHIFT;
		space->level[space->nb_levels] = total;
		space->level_size[space->nb_levels++] = size;
		total += size;
	}
	if (!total)
		return 0;
	space->fence = malloc(total * sizeof(*space->fence));
	if (!space->fence)
		return -ENOMEM;
	for (unsigned l = 0; l < space->nb_levels; l++)
		for (size_t i = 0; i < space->level_size[l]; i++)
			space->fence[space->level[l] + i]
				= space->ranges[i << FENCE_SHIFT * (l + 1)].first;
	return 0;
}

static int build_addresses(struct dp_space *space) {
	int ret;

	space->singles = !space->v4_only && dp_ipset_count(space->addresses) == space->nb_ranges;
	if (space->singles)
		return build_fences(space);
	ret = build_buckets(space);
	if (ret < 0)
		return ret;
	ret = space->v4_only ? build_spans4(space) : build_spans6(space);
	if (ret < 0)
		return ret;
	return space->v4_only ? build_homes(space) : build_fences(space);
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

static int build_endpoints(
	struct dp_space *space, const uint32_t *endpoints, unsigned nb_endpoints) {
	space->endpoints = malloc(nb_endpoints * sizeof(*endpoints));
	space->place = malloc(DP_ENDPOINTS * sizeof(*space->place));
	if (!space->endpoints || !space->place)
		return -ENOMEM;
	memcpy(space->endpoints, endpoints, nb_endpoints * sizeof(*endpoints));
	for (unsigned i = 0; i < DP_ENDPOINTS; i++)
		space->place[i] = NOWHERE;
	for (unsigned i = 0; i < nb_endpoints; i++)
		space->place[endpoints[i]] = i;
	space->nb_ports = nb_endpoints;
	if (nb_endpoints > 1)
		space->port_magic = UINT64_MAX / nb_endpoints + 1;
	return 0;
}

/* Of ports, or of endpoints: the other is NULL. */
static int create(const struct dp_ipset *addresses, const uint16_t *ports,
	const uint32_t *endpoints, unsigned nb_ports, struct dp_space **out) {
	const dp_u128 total = dp_ipset_count(addresses);
	struct dp_space *space;
	int ret;

	if (!total || !nb_ports || nb_ports > (ports ? PORT_VALUES : DP_ENDPOINTS))
		return -EINVAL;
	if (total > ((dp_u128)1 << WIDEST_BITS) / nb_ports)
		return -E2BIG;
	space = calloc(1, sizeof(*space));
	if (!space)
		return -ENOMEM;
	ret = dp_ipset_copy(addresses, &space->addresses);
	if (ret < 0)
		goto destroy;
	space->nb_ranges = dp_ipset_ranges(space->addresses, &space->ranges);
	space->count = total * nb_ports;
	space->v4_only = !dp_ipset_has_v6(space->addresses);
	ret = build_addresses(space);
	if (ret < 0)
		goto destroy;
	ret = ports ? build_ports(space, ports, nb_ports)
		    : build_endpoints(space, endpoints, nb_ports);
	if (ret < 0)
		goto destroy;
	*out = space;
	return 0;
destroy:
	dp_space_destroy(space);
	return ret;
}

int dp_space_create(const struct dp_ipset *addresses, const uint16_t *ports, unsigned nb_ports,
	struct dp_space **space) {
	return create(addresses, ports, NULL, nb_ports, space);
}

int dp_space_create_mixed(const struct dp_ipset *addresses, const uint32_t *endpoints,
	unsigned nb_endpoints, struct dp_space **space) {
	return create(addresses, NULL, endpoints, nb_endpoints, space);
}

void dp_space_destroy(struct dp_space *space) {
	if (!space)
		return;
	dp_ipset_destroy(space->addresses);
	free(space->bucket);
	free(space->span4);
	free(space->home);
	free(space->span6);
	free(space->fence);
	free(space->ports);
	free(space->endpoints);
	free(space->place);
	free(space);
}

dp_u128 dp_space_count(const struct dp_space *space) {
	return space->count;
}

bool dp_space_is_mixed(const struct dp_space *space) {
	return space->endpoints;
}

uint32_t dp_space_endpoint(const struct dp_space *space, unsigned i) {
	return space->endpoints ? space->endpoints[i] : space->ports[i];
}

unsigned dp_space_ports(const struct dp_space *space) {
	return space->nb_ports;
}

/* ---- Index to ordinal and port ---- */

/*
 * index / nb_ports by multiplication, for an index below 2^48. With m = ceil(2^64 / d) the product
 * exceeds the true quotient by index * e / 2^64 with e < 1, so by less than 2^-16; as d <= 2^16, that
 * never reaches the next whole number.
 */
static inline uint64_t divide48(const struct dp_space *space, uint64_t index) {
	if (space->nb_ports == 1)
		return index;
	return (uint64_t)(((dp_u128)index * space->port_magic) >> 64);
}

/* The same below 2^62: there the excess is less than 1/4, so that the quotient may be one too high. */
static inline uint64_t divide62(const struct dp_space *space, uint64_t index) {
	const uint64_t quotient = divide48(space, index);

	return quotient - (quotient * space->nb_ports > index);
}

/*
 * Below 2^120, digit by digit to the base of 2^32: a remainder, below 2^16, and the next digit make
 * 48 bits. Compilers would call a function for it.
 */
static inline dp_u128 divide120(const struct dp_space *space, dp_u128 index) {
	dp_u128 quotient = 0;
	uint64_t rest = 0;

	if (space->nb_ports == 1)
		return index;
	for (int shift = 96; shift >= 0; shift -= 32) {
		const uint64_t digits = rest << 32 | (uint32_t)(index >> shift);
		const uint64_t digit = divide48(space, digits);

		rest = digits - digit * space->nb_ports;
		quotient = quotient << 32 | digit;
	}
	return quotient;
}

/* ---- Ordinal to address ---- */

/* The last range from @low to @high that starts at or below the ordinal. */
static uint32_t search4(
	const struct dp_space *space, uint32_t ordinal, uint32_t low, uint32_t high) {
	while (low < high) {
		uint32_t middle = high - (high - low) / 2;

		if (space->span4[middle].start <= ordinal)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static uint32_t search6(
	const struct dp_space *space, dp_u128 ordinal, uint32_t low, uint32_t high) {
	while (low < high) {
		uint32_t middle = high - (high - low) / 2;

		if (space->span6[middle].start <= ordinal)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static inline uint32_t address4_at(const struct dp_space *space, uint32_t ordinal) {
	const uint32_t b = ordinal >> space->bucket_shift;
	uint32_t low = space->bucket[b], high = space->bucket[b + 1];

	/* Mostly the first range it is; asked as one question, that is what the core will guess. */
	if ((low < high) & (space->span4[low + 1].start <= ordinal))
		low = search4(space, ordinal, low + 1, high);
	return space->span4[low].base + ordinal;
}

static inline dp_ip address6_at(const struct dp_space *space, dp_u128 ordinal) {
	const uint32_t b = (uint32_t)(ordinal >> space->bucket_shift);
	uint32_t low = space->bucket[b], high = space->bucket[b + 1];

	/* Mostly the first range it is; asked as one question, that is what the core will guess. */
	if ((low < high) & (space->span6[low + 1].start <= ordinal))
		low = search6(space, ordinal, low + 1, high);
	return space->span6[low].base + ordinal;
}

/* One range needs no table at all. */
static void pick_in_range4(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	const uint32_t first = dp_ip_to_v4(space->ranges[0].first);

	for (unsigned i = 0; i < n; i++) {
		const uint32_t ordinal = (uint32_t)divide48(space, index[i]);

		target[i].ip = dp_ip_v4(first + ordinal);
		target[i].port = space->ports[index[i] - (uint64_t)ordinal * space->nb_ports];
	}
}

/* Large tables miss the cache at every step: ask for all lines of a chunk before using the first. */
static void pick_chunk4(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	uint32_t ordinal[PICK_CHUNK];

	for (unsigned i = 0; i < n; i++) {
		ordinal[i] = (uint32_t)divide48(space, index[i]);
		target[i].port = space->ports[index[i] - (uint64_t)ordinal[i] * space->nb_ports];
		__builtin_prefetch(&space->bucket[ordinal[i] >> space->bucket_shift]);
	}
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&space->span4[space->bucket[ordinal[i] >> space->bucket_shift]]);
	for (unsigned i = 0; i < n; i++)
		target[i].ip = dp_ip_v4(address4_at(space, ordinal[i]));
}

/* From ordinals, whose ports are chosen already. */
static void pick_addresses6(const struct dp_space *space, const dp_u128 *ordinal,
	struct dp_target *target, unsigned n) {
	if (space->nb_ranges == 1) {
		for (unsigned i = 0; i < n; i++)
			target[i].ip = space->ranges[0].first + ordinal[i];
		return;
	}
	if (space->singles) {
		for (unsigned i = 0; i < n; i++)
			__builtin_prefetch(&space->ranges[(uint64_t)ordinal[i]]);
		for (unsigned i = 0; i < n; i++)
			target[i].ip = space->ranges[(uint64_t)ordinal[i]].first;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&space->bucket[ordinal[i] >> space->bucket_shift]);
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&space->span6[space->bucket[ordinal[i] >> space->bucket_shift]]);
	for (unsigned i = 0; i < n; i++)
		target[i].ip = address6_at(space, ordinal[i]);
}

static void pick_chunk6(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	dp_u128 ordinal[PICK_CHUNK];

	for (unsigned i = 0; i < n; i++) {
		const uint64_t quotient = divide62(space, index[i]);

		ordinal[i] = quotient;
		target[i].port = space->ports[index[i] - quotient * space->nb_ports];
	}
	pick_addresses6(space, ordinal, target, n);
}

static void pick_chunk_wide(
	const struct dp_space *space, const dp_u128 *index, struct dp_target *target, unsigned n) {
	dp_u128 ordinal[PICK_CHUNK];

	for (unsigned i = 0; i < n; i++) {
		ordinal[i] = divide120(space, index[i]);
		/* The remainder is below 2^16: the low halves are enough. */
		target[i].port
			= space->ports[(uint64_t)index[i] - (uint64_t)ordinal[i] * space->nb_ports];
	}
	pick_addresses6(space, ordinal, target, n);
}

/*
 * Mixed spaces: the endpoint first. They can have three times as many as ports, which is too many for the
 * division of 48 bits.
 */
static inline void set_endpoint(
	const struct dp_space *space, uint64_t place, struct dp_target *target) {
	const uint32_t endpoint = space->endpoints[place];

	target->port = dp_endpoint_port(endpoint);
	target->proto = (uint8_t)dp_endpoint_proto(endpoint);
}

/* Digit by digit as divide120(), of 50 bits. */
static dp_u128 divide_mixed(const struct dp_space *space, dp_u128 index) {
	dp_u128 quotient = 0;
	uint64_t rest = 0;

	for (int shift = 96; shift >= 0; shift -= 32) {
		const uint64_t digits = rest << 32 | (uint32_t)(index >> shift);
		const uint64_t digit = space->nb_ports == 1 ? digits : divide62(space, digits);

		rest = digits - digit * space->nb_ports;
		quotient = quotient << 32 | digit;
	}
	return quotient;
}

static void pick_addresses4(const struct dp_space *space, const dp_u128 *ordinal,
	struct dp_target *target, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&space->bucket[(uint32_t)ordinal[i] >> space->bucket_shift]);
	for (unsigned i = 0; i < n; i++)
		target[i].ip = dp_ip_v4(address4_at(space, (uint32_t)ordinal[i]));
}

static void pick_addresses(const struct dp_space *space, const dp_u128 *ordinal,
	struct dp_target *target, unsigned n) {
	if (space->v4_only)
		pick_addresses4(space, ordinal, target, n);
	else
		pick_addresses6(space, ordinal, target, n);
}

static void pick_mixed(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	dp_u128 ordinal[PICK_CHUNK];

	for (unsigned i = 0; i < n; i++) {
		const uint64_t quotient
			= space->nb_ports == 1 ? index[i] : divide62(space, index[i]);

		ordinal[i] = quotient;
		set_endpoint(space, index[i] - quotient * space->nb_ports, &target[i]);
	}
	pick_addresses(space, ordinal, target, n);
}

static void pick_mixed_wide(
	const struct dp_space *space, const dp_u128 *index, struct dp_target *target, unsigned n) {
	dp_u128 ordinal[PICK_CHUNK];

	for (unsigned i = 0; i < n; i++) {
		ordinal[i] = divide_mixed(space, index[i]);
		/* The remainder is below 2^18: the low halves are enough. */
		set_endpoint(space, (uint64_t)index[i] - (uint64_t)ordinal[i] * space->nb_ports,
			&target[i]);
	}
	pick_addresses(space, ordinal, target, n);
}

static inline unsigned chunk_of(unsigned left) {
	return left < PICK_CHUNK ? left : PICK_CHUNK;
}

void dp_space_pick(
	const struct dp_space *space, const uint64_t *index, struct dp_target *target, unsigned n) {
	if (space->endpoints) {
		for (unsigned done = 0; done < n; done += PICK_CHUNK)
			pick_mixed(space, index + done, target + done, chunk_of(n - done));
		return;
	}
	if (space->v4_only && space->nb_ranges == 1) {
		pick_in_range4(space, index, target, n);
		return;
	}
	for (unsigned done = 0; done < n; done += PICK_CHUNK) {
		if (space->v4_only)
			pick_chunk4(space, index + done, target + done, chunk_of(n - done));
		else
			pick_chunk6(space, index + done, target + done, chunk_of(n - done));
	}
}

/* Whether indices of the space need more than 64-bit arithmetic. */
static inline bool is_wide(const struct dp_space *space) {
	return space->count > (dp_u128)1 << NARROW_BITS;
}

void dp_space_pick_wide(
	const struct dp_space *space, const dp_u128 *index, struct dp_target *target, unsigned n) {
	uint64_t narrow[PICK_CHUNK];

	for (unsigned done = 0; done < n; done += PICK_CHUNK) {
		const unsigned chunk = chunk_of(n - done);

		if (is_wide(space)) {
			if (space->endpoints)
				pick_mixed_wide(space, index + done, target + done, chunk);
			else
				pick_chunk_wide(space, index + done, target + done, chunk);
			continue;
		}
		for (unsigned i = 0; i < chunk; i++)
			narrow[i] = (uint64_t)index[done + i];
		dp_space_pick(space, narrow, target + done, chunk);
	}
}

void dp_space_walk(const struct dp_space *space, const struct dp_perm *perm, dp_u128 first,
	struct dp_target *target, unsigned n) {
	if (perm->wide) {
		dp_u128 index[DP_WALK_MAX];

		dp_perm_wide_burst(perm, first, index, n);
		dp_space_pick_wide(space, index, target, n);
	} else {
		uint64_t index[DP_WALK_MAX];

		dp_perm_burst(perm, (uint64_t)first, index, n);
		dp_space_pick(space, index, target, n);
	}
}

/* ---- Address to ordinal ---- */

/* The last range that begins at or below @ip, which is within the hull. */
static uint32_t range4_of(const struct dp_space *space, uint32_t ip) {
	const uint64_t b = (uint64_t)(ip - space->span4[0].base) >> space->home_shift;
	uint32_t low = space->home[b], high = space->home[b + 1];

	while (low < high) {
		uint32_t middle = high - (high - low) / 2;

		if (space->span4[middle].base + space->span4[middle].start <= ip)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static bool ordinal4_of(const struct dp_space *space, dp_ip ip, dp_u128 *ordinal) {
	if (!dp_ip_is_v4(ip))
		return false;
	const struct span4 *span = &space->span4[range4_of(space, dp_ip_to_v4(ip))];
	const uint32_t found = dp_ip_to_v4(ip) - span->base;

	*ordinal = found;
	/* Modulo 2^32, as all of them are 2^32. */
	return found - span[0].start <= span[1].start - span[0].start - 1;
}

static inline size_t step_of(size_t left) {
	return left < FENCE_STEP ? left : FENCE_STEP;
}

/*
 * The last range that begins at or below @ip, which is not below the first one. All of a step are
 * compared: loads that wait for nothing overlap, and there is nothing to guess.
 */
static size_t range6_of(const struct dp_space *space, dp_ip ip) {
	size_t at = 0, below, n;

	for (unsigned l = space->nb_levels; l-- > 0;) {
		const dp_ip *fence = &space->fence[space->level[l] + at];

		n = step_of(space->level_size[l] - at);
		below = 0;
		for (size_t i = 0; i < n; i++)
			below += fence[i] <= ip;
		at = (at + below - 1) << FENCE_SHIFT;
	}
	n = step_of(space->nb_ranges - at);
	below = 0;
	for (size_t i = 0; i < n; i++)
		below += space->ranges[at + i].first <= ip;
	return at + below - 1;
}

static bool ordinal6_of(const struct dp_space *space, dp_ip ip, dp_u128 *ordinal) {
	const size_t range = range6_of(space, ip);

	if (ip > space->ranges[range].last)
		return false;
	*ordinal = space->singles ? range : ip - space->span6[range].base;
	return true;
}

static bool find(const struct dp_space *space, dp_ip ip, uint32_t place, dp_u128 *index) {
	dp_u128 ordinal;

	if (ip < space->ranges[0].first || ip > space->ranges[space->nb_ranges - 1].last)
		return false;
	if (!(space->v4_only ? ordinal4_of(space, ip, &ordinal) : ordinal6_of(space, ip, &ordinal)))
		return false;
	*index = ordinal * space->nb_ports + place;
	return true;
}

bool dp_space_find(const struct dp_space *space, dp_ip ip, uint32_t endpoint, dp_u128 *index) {
	const uint16_t port = dp_endpoint_port(endpoint);
	const uint16_t rank = space->rank[port];

	if (space->endpoints)
		return endpoint < DP_ENDPOINTS && space->place[endpoint] != NOWHERE
			&& find(space, ip, space->place[endpoint], index);
	/* Ports outside the space have rank 0 as the table was zeroed: ask the list who owns it. */
	return space->ports[rank] == port && find(space, ip, rank, index);
}

const struct dp_ipset *dp_space_addresses(const struct dp_space *space) {
	return space->addresses;
}
