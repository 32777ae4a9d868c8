/* SPDX-License-Identifier: BSD-3-Clause */
/* The target space: every index maps to its own pair, in order, and back. */
#include <dp/space.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
	BURST = 77, /* no multiple of the chunk that picks are done in */
};

static uint32_t next(uint32_t *state) {
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static struct dp_space *make(
	const struct dp_range *ranges, size_t nb, const uint16_t *ports, unsigned nb_ports) {
	struct dp_ipset *set;
	struct dp_space *space;

	cr_assert_eq(dp_ipset_create(&set), 0);
	for (size_t i = 0; i < nb; i++)
		cr_assert_eq(dp_ipset_add(set, ranges[i].first, ranges[i].last), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, nb_ports, &space), 0);
	dp_ipset_destroy(set);
	return space;
}

/* Walk all indices in bursts and hold them against the plain double loop. */
static void check_all(const struct dp_space *space, const uint16_t *ports, unsigned nb_ports) {
	const struct dp_range *ranges;
	const size_t nb = dp_ipset_ranges(dp_space_addresses(space), &ranges);
	const uint64_t count = (uint64_t)dp_space_count(space);
	dp_ip ip = ranges[0].first;
	size_t range = 0;
	unsigned port = 0;

	for (uint64_t i = 0; i < count; i += BURST) {
		struct dp_target targets[BURST], wide[BURST];
		dp_u128 wide_index[BURST], back;
		uint64_t index[BURST];
		const unsigned n = count - i < BURST ? (unsigned)(count - i) : BURST;

		for (unsigned k = 0; k < n; k++)
			wide_index[k] = index[k] = i + k;
		dp_space_pick(space, index, targets, n);
		dp_space_pick_wide(space, wide_index, wide, n);
		for (unsigned k = 0; k < n; k++) {
			cr_assert(targets[k].ip == ip, "index %llu", (unsigned long long)index[k]);
			cr_assert_eq(targets[k].port, ports[port]);
			cr_assert(wide[k].ip == ip && wide[k].port == ports[port]);
			cr_assert(dp_space_find(space, ip, ports[port], &back));
			cr_assert(back == index[k]);
			if (++port < nb_ports)
				continue;
			port = 0;
			if (ip < ranges[range].last)
				ip++;
			else if (++range < nb)
				ip = ranges[range].first;
		}
	}
	cr_assert_eq(range, nb, "the space ended early");
}

Test(space, one_range_one_port) {
	const struct dp_range range = {dp_ip_v4(0xc6120000), dp_ip_v4(0xc61203ff)};
	const uint16_t port = 443;
	struct dp_space *space = make(&range, 1, &port, 1);

	cr_assert(dp_space_count(space) == 1024);
	check_all(space, &port, 1);
	dp_space_destroy(space);
}

/* IPv4 alone, IPv6 in one crowd, IPv6 all over, and all of these together. */
static dp_ip random_ip(unsigned kind, uint32_t *state) {
	const uint64_t low = (uint64_t)next(state) << 8;

	switch (kind == 3 ? next(state) % 3 : kind) {
	case 0:
		return dp_ip_v4((uint32_t)low);
	case 1:
		return dp_ip_v6(UINT64_C(0x20010db800000000), next(state) % 30000);
	default:
		return dp_ip_v6((uint64_t)next(state) << 40 | low, low * low);
	}
}

/* Ranges of very different lengths share buckets: the search inside one has to work. */
Test(space, random_spaces) {
	uint32_t state = 3;

	for (unsigned round = 0; round < 300; round++) {
		struct dp_range ranges[300];
		uint16_t ports[9];
		const size_t nb = 1 + next(&state) % 300;
		const unsigned nb_ports = 1 + next(&state) % 9;

		for (size_t i = 0; i < nb; i++) {
			ranges[i].first = random_ip(round % 4, &state);
			ranges[i].last = ranges[i].first;
			if (next(&state) % 50 == 0)
				ranges[i].last += next(&state) % 300;
			if (dp_ip_is_v4(ranges[i].first) != dp_ip_is_v4(ranges[i].last))
				ranges[i].last = ranges[i].first;
		}
		for (unsigned i = 0; i < nb_ports; i++)
			ports[i] = (uint16_t)(i * 7000 + next(&state) % 7000);
		struct dp_space *space = make(ranges, nb, ports, nb_ports);
		check_all(space, ports, nb_ports);
		dp_space_destroy(space);
	}
}

/* The largest space there is, with every number of ports that division could get wrong. */
Test(space, division_at_the_top) {
	static uint16_t ports[65536];
	const struct dp_range all = {DP_IP_V4_FIRST, DP_IP_V4_LAST};

	for (unsigned i = 0; i < 65536; i++)
		ports[i] = (uint16_t)i;
	for (unsigned nb_ports = 1; nb_ports <= 65536; nb_ports += nb_ports < 70 ? 1 : 251) {
		struct dp_space *space = make(&all, 1, ports, nb_ports);
		const uint64_t count = (uint64_t)dp_space_count(space);
		uint32_t state = nb_ports;

		cr_assert_eq(count, (UINT64_C(1) << 32) * nb_ports);
		for (unsigned i = 0; i < 40; i++) {
			/* Around multiples of the port count, at the very top first. */
			const uint64_t ip
				= UINT32_MAX - (i < 2 ? i : (next(&state) << 8 ^ next(&state)));
			uint64_t index[2] = {ip * nb_ports, ip * nb_ports + nb_ports - 1};
			struct dp_target targets[2];

			dp_space_pick(space, index, targets, 2);
			cr_assert(targets[0].ip == dp_ip_v4((uint32_t)ip));
			cr_assert_eq(targets[0].port, 0);
			cr_assert(targets[1].ip == dp_ip_v4((uint32_t)ip));
			cr_assert_eq(targets[1].port, nb_ports - 1);
		}
		dp_space_destroy(space);
	}
}

/*
 * IPv6 in 64-bit arithmetic, where a quotient may come out one too high, and in 128 bits: around
 * multiples of the port count, at the top and everywhere below it.
 */
static void check_division(unsigned bits, unsigned nb_ports, const uint16_t *ports) {
	const dp_ip first = dp_ip_v6(UINT64_C(0x2001000000000000), 0);
	const struct dp_range range = {first, first + (((dp_u128)1 << bits) - 1)};
	struct dp_space *space = make(&range, 1, ports, nb_ports);
	const dp_u128 addresses = (dp_u128)1 << bits;
	uint32_t state = nb_ports;

	cr_assert(dp_space_count(space) == addresses * nb_ports);
	for (unsigned i = 0; i < 60; i++) {
		dp_u128 ordinal = addresses - 1 - i, index[2], back;
		struct dp_target targets[2];

		for (unsigned k = 0; i > 1 && k < 5; k++)
			ordinal = (ordinal << 24 | next(&state)) % addresses;
		index[0] = ordinal * nb_ports;
		index[1] = index[0] + nb_ports - 1;
		dp_space_pick_wide(space, index, targets, 2);
		for (unsigned k = 0; k < 2; k++) {
			cr_assert(targets[k].ip == first + ordinal, "2^%u x %u", bits, nb_ports);
			cr_assert_eq(targets[k].port, k ? nb_ports - 1 : 0);
			cr_assert(dp_space_find(space, targets[k].ip, targets[k].port, &back));
			cr_assert(back == index[k]);
		}
	}
	dp_space_destroy(space);
}

Test(space, wide_division) {
	static uint16_t ports[65536];

	for (unsigned i = 0; i < 65536; i++)
		ports[i] = (uint16_t)i;
	for (unsigned nb_ports = 1; nb_ports <= 65536; nb_ports += nb_ports < 70 ? 1 : 1931) {
		check_division(46, nb_ports, ports);
		check_division(64, nb_ports, ports);
		check_division(96, nb_ports, ports);
		check_division(103, nb_ports, ports);
	}
	check_division(46, 65535, ports);
	check_division(62, 1, ports);
	check_division(46, 65536, ports);
	check_division(104, 65536, ports);
	check_division(120, 1, ports);
}

/* A /32 of IPv6 beside single addresses of both families: few of its indices are anything else. */
Test(space, huge_beside_single) {
	static uint16_t ports[65535];
	const struct dp_range ranges[] = {
		{1, 1},
		{dp_ip_v4(0xc6120001), dp_ip_v4(0xc6120003)},
		{dp_ip_v6(0x2001, 5), dp_ip_v6(0x2001, 5)},
		{dp_ip_v6(UINT64_C(0x20010db800000000), 0),
			dp_ip_v6(UINT64_C(0x20010db8ffffffff), UINT64_MAX)},
		{DP_U128_MAX, DP_U128_MAX},
	};

	for (unsigned i = 0; i < 65535; i++)
		ports[i] = (uint16_t)(i + 1);
	struct dp_space *space = make(ranges, 5, ports, 65535);
	const dp_u128 count = dp_space_count(space);

	cr_assert(count == (((dp_u128)1 << 96) + 6) * 65535);
	/* Both ends of every range, with their neighbours outside. */
	for (unsigned r = 0; r < 5; r++) {
		for (unsigned k = 0; k < 2; k++) {
			const dp_ip ip = k ? ranges[r].last : ranges[r].first;
			struct dp_target target;
			dp_u128 index;

			cr_assert(dp_space_find(space, ip, 65535, &index));
			cr_assert(index < count);
			dp_space_pick_wide(space, &index, &target, 1);
			cr_assert(target.ip == ip && target.port == 65535);
		}
		dp_u128 index;
		cr_assert(!dp_space_find(space, ranges[r].first - 1, 1, &index));
		cr_assert(!dp_space_find(space, ranges[r].last + 1, 1, &index));
		cr_assert(!dp_space_find(space, ranges[r].first, 0, &index));
	}
	dp_space_destroy(space);
}

/* A hit list of a million: each address is found at its place, its neighbours are not there. */
Test(space, hit_list) {
	enum { N = 1000000 };
	const uint16_t ports[] = {80, 443};
	struct dp_ipset *set;
	struct dp_space *space;
	struct dp_perm perm;
	uint32_t state = 11;

	cr_assert_eq(dp_ipset_create(&set), 0);
	for (unsigned i = 0; i < N; i++) {
		/* Even addresses in a few thousand crowded networks. */
		const dp_ip ip = dp_ip_v6(UINT64_C(0x20010db800000000) + next(&state) % 5000,
			(uint64_t)(next(&state) % 4096) * 2 << (next(&state) % 3 * 8));

		cr_assert_eq(dp_ipset_add(set, ip, ip), 0);
	}
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, 2, &space), 0);
	const dp_u128 count = dp_space_count(space);
	cr_assert(count > N && count <= 2 * N);
	dp_perm_init(&perm, count, 3);
	for (unsigned i = 0; i < N; i += DP_WALK_MAX) {
		struct dp_target targets[DP_WALK_MAX];

		dp_space_walk(space, &perm, i, targets, DP_WALK_MAX);
		for (unsigned k = 0; k < DP_WALK_MAX; k++) {
			dp_u128 index;

			cr_assert(dp_space_find(space, targets[k].ip, targets[k].port, &index));
			cr_assert(index == dp_perm_at(&perm, i + k));
			cr_assert(!dp_space_find(space, targets[k].ip + 1, 80, &index));
		}
	}
	dp_ipset_destroy(set);
	dp_space_destroy(space);
}

Test(space, walk_is_order_and_pick) {
	const uint16_t ports[] = {1, 2, 3};
	const struct dp_range v4 = {dp_ip_v4(0), dp_ip_v4(0xffffff)};
	const struct dp_range v6 = {dp_ip_v6(1, 0), dp_ip_v6(UINT64_C(0xffffffff), 77)};

	for (unsigned wide = 0; wide < 2; wide++) {
		struct dp_space *space = make(wide ? &v6 : &v4, 1, ports, 3);
		struct dp_target walked[DP_WALK_MAX], picked;
		struct dp_perm perm;

		dp_perm_init(&perm, dp_space_count(space), 4);
		cr_assert_eq(perm.wide, wide);
		walked[7].pass = 9;
		dp_space_walk(space, &perm, 1000, walked, DP_WALK_MAX);
		cr_assert_eq(walked[7].pass, 9, "the pass is the sender's");
		for (unsigned i = 0; i < DP_WALK_MAX; i++) {
			const dp_u128 index = dp_perm_at(&perm, 1000 + i);

			dp_space_pick_wide(space, &index, &picked, 1);
			cr_assert(walked[i].ip == picked.ip && walked[i].port == picked.port);
		}
		dp_space_destroy(space);
	}
}

/* ---- The spread of a scan over networks ---- */

enum {
	NETS = 1 << 24,
	NB_SAMPLES = 1 << 20,
};

/*
 * Where a space lies under the numbers that its networks are counted by: three levels of them, by
 * the 8, 16 and 24 bits above @shift. These are /8, /16 and /24 of IPv4 with a shift of 8.
 */
struct shape {
	const char *name;
	struct dp_range ranges[4];
	unsigned nb;
	unsigned nb_ports;
	unsigned shift;
};

/* The quantile of chi-square for @z of the normal distribution (Wilson and Hilferty, 1931). */
static double quantile(double degrees, double z) {
	const double part = 2 / (9 * degrees);

	return degrees * pow(1 - part + z * sqrt(part), 3);
}

static inline uint32_t net_of(const struct shape *shape, dp_ip ip) {
	return (uint32_t)(ip >> shape->shift) & (NETS - 1);
}

/* What is counted, of the networks of one level: those of the level below, 256 together, add up. */
struct level {
	uint32_t *seen; /* samples */
	uint32_t *room; /* of the space's addresses, in parts of 2^shift */
	uint32_t first, last; /* networks outside have no room */
};

static void make_level(struct level *level, uint32_t first, uint32_t last) {
	level->first = first;
	level->last = last;
	level->seen = calloc(last + 1, sizeof(*level->seen));
	level->room = calloc(last + 1, sizeof(*level->room));
	cr_assert(level->seen && level->room);
}

/* From the level of 24 bits to those of 16 and 8. */
static void add_up(const struct level *below, struct level *above) {
	for (uint32_t i = below->first; i <= below->last; i++) {
		above->seen[i >> 8] += below->seen[i];
		above->room[i >> 8] += below->room[i];
	}
}

/*
 * Chi-square of what was seen against what the room lets expect. Pairs are drawn without putting
 * back, which takes (1 - samples / pairs) off the variance.
 */
static void check_level(const struct shape *shape, uint64_t seed, const struct dp_space *space,
	const struct level *level, unsigned bits) {
	const double addresses = (double)dp_ipset_count(dp_space_addresses(space));
	const double due = ldexp(NB_SAMPLES, (int)shape->shift) / addresses;
	double chi = 0, degrees = -1, low, high;

	for (uint32_t i = level->first; i <= level->last; i++) {
		const double expected = level->room[i] * due, off = level->seen[i] - expected;

		if (!level->room[i]) {
			cr_assert_eq(level->seen[i], 0);
			continue;
		}
		chi += off * off / expected;
		degrees++;
	}
	if (degrees < 1)
		return;
	chi /= 1 - NB_SAMPLES / (double)dp_space_count(space);
	/* 99.9% from either side. */
	low = quantile(degrees, -3.0902);
	high = quantile(degrees, 3.0902);
	cr_assert(chi > low && chi < high,
		"%s, seed %lu, %u bits: chi-square %.1f is not within %.1f and %.1f", shape->name,
		seed, bits, chi, low, high);
}

static void check_spread(
	const struct shape *shape, const struct dp_space *space, uint64_t seed, dp_u128 start) {
	uint32_t first = NETS, last = 0;
	struct level levels[3];
	struct dp_perm perm;

	for (unsigned r = 0; r < shape->nb; r++) {
		const uint32_t low = net_of(shape, shape->ranges[r].first);
		const uint32_t high = net_of(shape, shape->ranges[r].last);

		first = low < first ? low : first;
		last = high > last ? high : last;
	}
	for (unsigned l = 0; l < 3; l++)
		make_level(&levels[l], first >> 8 * l, last >> 8 * l);
	for (unsigned r = 0; r < shape->nb; r++)
		for (uint32_t net = net_of(shape, shape->ranges[r].first);
			net <= net_of(shape, shape->ranges[r].last); net++)
			levels[0].room[net]++;
	dp_perm_init(&perm, dp_space_count(space), seed);
	for (unsigned i = 0; i < NB_SAMPLES; i += DP_WALK_MAX) {
		struct dp_target targets[DP_WALK_MAX];

		dp_space_walk(space, &perm, start + i, targets, DP_WALK_MAX);
		for (unsigned k = 0; k < DP_WALK_MAX; k++)
			levels[0].seen[net_of(shape, targets[k].ip)]++;
	}
	for (unsigned l = 0; l < 3; l++) {
		check_level(shape, seed, space, &levels[l], 24 - 8 * l);
		if (l < 2)
			add_up(&levels[l], &levels[l + 1]);
		free(levels[l].seen);
		free(levels[l].room);
	}
}

static void check_shape(const struct shape *shape) {
	static const uint64_t seeds[] = {1, 2026, 0x123456789abcdef0u};
	static uint16_t ports[65536];
	struct dp_space *space;

	for (unsigned i = 0; i < 65536; i++)
		ports[i] = (uint16_t)i;
	space = make(shape->ranges, shape->nb, ports, shape->nb_ports);
	for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
		check_spread(shape, space, seeds[i], dp_space_count(space) / 3 * i);
	dp_space_destroy(space);
}

#define V4(first, last)                                                                            \
	{ DP_IP_V4_FIRST + (first), DP_IP_V4_FIRST + (last) }

Test(space, spread_of_ipv4) {
	static const struct shape shapes[] = {
		{"/0 x 1", {V4(0, UINT32_MAX)}, 1, 1, 8},
		{"/0 x 1000", {V4(0, UINT32_MAX)}, 1, 1000, 8},
		{"/0 x 65536", {V4(0, UINT32_MAX)}, 1, 65536, 8},
	};

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		check_shape(&shapes[i]);
}

/* Counts that are no power of two, so that orders walk; ranges far apart, as exclusions leave them. */
Test(space, spread_of_parts) {
	static const struct shape shapes[] = {
		{"198.18/15 x 100", {V4(0xc6120000, 0xc613ffff)}, 1, 100, 8},
		{"four x 65535",
			{V4(0x01000000, 0x09ffffff), V4(0x0b000000, 0x643fffff),
				V4(0x64800000, 0x7effffff), V4(0x80000000, 0xdfffffff)},
			4, 65535, 8},
		{"10/8 and 172.16/12 x 7", {V4(0x0a000000, 0x0affffff), V4(0xac100000, 0xac1fffff)},
			2, 7, 8},
	};

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		check_shape(&shapes[i]);
}

#define V6(high, bits)                                                                             \
	{ (dp_ip)(high) << 64, ((dp_ip)(high) << 64) + (((dp_u128)1 << (bits)) - 1) }

#define UPPER_HALF(high) ((dp_ip)(high) << 64) + 0x80000000u, ((dp_ip)(high) << 64) + UINT32_MAX

/* Counted by /40, /48 and /56 of a /32, and by the last 24 bits but 8 of a /96. */
Test(space, spread_of_ipv6) {
	static const struct shape shapes[] = {
		{"2001:db8::/32 x 65535", {V6(UINT64_C(0x20010db800000000), 96)}, 1, 65535, 72},
		{"2001:db8::/32 x 1", {V6(UINT64_C(0x20010db800000000), 96)}, 1, 1, 72},
		{"2001:db8::/96 x 3", {V6(UINT64_C(0x20010db800000000), 32)}, 1, 3, 8},
		{"mixed x 10",
			{V4(0x01000000, 0x63ffffff), {UPPER_HALF(UINT64_C(0x2001000000000001))}}, 2,
			10, 8},
	};

	/* The last one's networks of the two families have numbers of their own. */
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		check_shape(&shapes[i]);
}

Test(space, finds_only_what_is_there) {
	const struct dp_range ranges[]
		= {{dp_ip_v4(10), dp_ip_v4(12)}, {dp_ip_v4(20), dp_ip_v4(20)}};
	const uint16_t ports[] = {0, 80};
	struct dp_space *space = make(ranges, 2, ports, 2);
	dp_u128 index;

	cr_assert_eq(dp_space_ports(space), 2);
	cr_assert(dp_space_find(space, dp_ip_v4(20), 80, &index));
	cr_assert(index == 7);
	/* The same numbers in the other family are other addresses. */
	cr_assert(!dp_space_find(space, 20, 80, &index));
	cr_assert(!dp_space_find(space, dp_ip_v6(1, dp_ip_v4(20)), 80, &index));
	cr_assert(!dp_space_find(space, dp_ip_v4(9), 80, &index));
	cr_assert(!dp_space_find(space, dp_ip_v4(13), 80, &index));
	cr_assert(!dp_space_find(space, dp_ip_v4(21), 80, &index));
	cr_assert(!dp_space_find(space, dp_ip_v4(10), 81, &index));
	cr_assert(dp_space_find(space, dp_ip_v4(10), 0, &index));
	dp_space_destroy(space);
}

Test(space, refuses_what_is_empty) {
	const uint16_t port = 80;
	struct dp_ipset *set;
	struct dp_space *space;

	cr_assert_eq(dp_ipset_create(&set), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, &port, 1, &space), -EINVAL);
	cr_assert_eq(dp_ipset_add(set, 1, 1), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, &port, 0, &space), -EINVAL);
	dp_ipset_destroy(set);
	dp_space_destroy(NULL);
}

Test(space, refuses_what_is_too_much) {
	static const uint16_t ports[] = {1, 2};
	const dp_ip first = dp_ip_v6(UINT64_C(0x2000000000000000), 0);
	struct dp_ipset *set;
	struct dp_space *space;

	cr_assert_eq(dp_ipset_create(&set), 0);
	cr_assert_eq(dp_ipset_add(set, first, first + (((dp_u128)1 << 120) - 1)), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, 2, &space), -E2BIG);
	cr_assert_eq(dp_space_create(set, ports, 1, &space), 0);
	dp_space_destroy(space);
	cr_assert_eq(dp_ipset_add(set, 1, 1), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, 1, &space), -E2BIG);
	dp_ipset_destroy(set);
}

/* ---- Mixed spaces ---- */

static struct dp_space *make_mixed(const struct dp_range *ranges, size_t nb,
	const uint32_t *endpoints, unsigned nb_endpoints) {
	struct dp_ipset *set;
	struct dp_space *space;

	cr_assert_eq(dp_ipset_create(&set), 0);
	for (size_t i = 0; i < nb; i++)
		cr_assert_eq(dp_ipset_add(set, ranges[i].first, ranges[i].last), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create_mixed(set, endpoints, nb_endpoints, &space), 0);
	dp_ipset_destroy(set);
	return space;
}

/* Each index is a pair of its own, with its protocol, and comes back; narrow and wide agree. */
static void check_mixed(const struct dp_space *space, const uint32_t *endpoints, unsigned nb,
	dp_u128 first, unsigned n) {
	for (dp_u128 i = first; i < first + n; i++) {
		struct dp_target target = {.pass = 3};
		const struct dp_range *ranges;
		dp_u128 back, ordinal = i / nb;
		const uint32_t endpoint = endpoints[(unsigned)(i % nb)];

		dp_space_pick_wide(space, &i, &target, 1);
		cr_assert_eq(target.port, dp_endpoint_port(endpoint));
		cr_assert_eq(target.proto, dp_endpoint_proto(endpoint));
		cr_assert_eq(target.pass, 3);
		dp_ipset_ranges(dp_space_addresses(space), &ranges);
		while (ordinal > ranges->last - ranges->first) {
			ordinal -= ranges->last - ranges->first + 1;
			ranges++;
		}
		cr_assert(target.ip == ranges->first + ordinal);
		cr_assert(dp_space_find(space, target.ip, endpoint, &back));
		cr_assert(back == i);
	}
}

Test(space, mixed) {
	const uint32_t endpoints[] = {dp_endpoint(DP_PROTO_TCP, 22), dp_endpoint(DP_PROTO_TCP, 53),
		dp_endpoint(DP_PROTO_UDP, 0), dp_endpoint(DP_PROTO_UDP, 53),
		dp_endpoint(DP_PROTO_SCTP, 65535)};
	const struct dp_range v4[] = {{dp_ip_v4(10), dp_ip_v4(12)}, {dp_ip_v4(20), dp_ip_v4(29)}};
	const struct dp_range both[] = {v4[0], {dp_ip_v6(5, 0), dp_ip_v6(5, 30)}};
	const struct dp_range six = {dp_ip_v6(5, 0), dp_ip_v6(5, 30)};
	const struct {
		const struct dp_range *range;
		unsigned nb, count;
	} list[] = {{v4, 1, 3}, {v4, 2, 13}, {both, 2, 34}, {&six, 1, 31}};
	dp_u128 index;

	for (unsigned i = 0; i < 4; i++) {
		struct dp_space *space = make_mixed(list[i].range, list[i].nb, endpoints, 5);

		cr_assert(dp_space_is_mixed(space));
		cr_assert_eq(dp_space_ports(space), 5);
		cr_assert_eq(dp_space_endpoint(space, 3), endpoints[3]);
		cr_assert(dp_space_count(space) == 5 * list[i].count);
		check_mixed(space, endpoints, 5, 0, 5 * list[i].count);
		cr_assert(!dp_space_find(
			space, list[i].range[0].first, dp_endpoint(DP_PROTO_UDP, 22), &index));
		cr_assert(!dp_space_find(
			space, list[i].range[0].first, dp_endpoint(DP_PROTO_ICMP, 0), &index));
		cr_assert(!dp_space_find(space, list[i].range[0].first - 1, endpoints[0], &index));
		dp_space_destroy(space);
	}
}

/* All ports of all three: more than the division of 48 bits is good for. */
Test(space, mixed_at_its_largest) {
	const struct dp_range all4 = {dp_ip_v4(0), dp_ip_v4(UINT32_MAX)};
	const struct dp_range all6 = {dp_ip_v6(UINT64_C(0x2000000000000000), 0),
		dp_ip_v6(UINT64_C(0x2000000000000000) | ((UINT64_C(1) << 38) - 1), UINT64_MAX)};
	uint32_t *endpoints = malloc(DP_ENDPOINTS * sizeof(*endpoints));
	uint32_t state = 5;

	cr_assert(endpoints);
	for (uint32_t i = 0; i < DP_ENDPOINTS; i++)
		endpoints[i] = i;
	/* Also a number that is no power of two times three. */
	for (unsigned less = 0; less < 2; less++)
		for (unsigned wide = 0; wide < 2; wide++) {
			const unsigned nb = DP_ENDPOINTS - 7 * less;
			struct dp_space *space = make_mixed(wide ? &all6 : &all4, 1, endpoints, nb);
			const dp_u128 count = dp_space_count(space);

			check_mixed(space, endpoints, nb, 0, 3);
			check_mixed(space, endpoints, nb, count - 2 * nb - 1, 2 * nb + 1);
			for (unsigned i = 0; i < 2000; i++) {
				/* About whole multiples, where a quotient could be off by one. */
				const dp_u128 at
					= (((dp_u128)next(&state) << 96
						   | (dp_u128)next(&state) << 48 | next(&state))
							  % (count / nb - 2)
						  + 1)
					* nb;

				check_mixed(space, endpoints, nb, at - 1, 3);
			}
			dp_space_destroy(space);
		}
	free(endpoints);
}

/* A pair's place in the order is as its index says, of every protocol. */
Test(space, mixed_walk) {
	const uint32_t endpoints[] = {dp_endpoint(DP_PROTO_TCP, 7), dp_endpoint(DP_PROTO_UDP, 7)};
	const struct dp_range v4 = {dp_ip_v4(0x0a000000), dp_ip_v4(0x0a0001ff)};
	struct dp_space *space = make_mixed(&v4, 1, endpoints, 2);
	struct dp_target targets[DP_WALK_MAX];
	unsigned changes = 0;
	struct dp_perm perm;

	dp_perm_init(&perm, dp_space_count(space), 9);
	dp_space_walk(space, &perm, 128, targets, DP_WALK_MAX);
	for (unsigned i = 0; i < DP_WALK_MAX; i++) {
		dp_u128 index;

		cr_assert(dp_space_find(space, targets[i].ip,
			dp_endpoint(targets[i].proto, targets[i].port), &index));
		cr_assert(index == dp_perm_at(&perm, 128 + i));
		changes += i && targets[i].proto != targets[i - 1].proto;
	}
	cr_assert_gt(changes, DP_WALK_MAX / 4, "one protocol after the other: %u", changes);
	dp_space_destroy(space);
}
