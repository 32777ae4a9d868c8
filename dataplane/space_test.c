/* SPDX-License-Identifier: BSD-3-Clause */
/* The target space: every index maps to its own pair, in order, and back. */
#include <dp/space.h>

#include <criterion/criterion.h>
#include <errno.h>
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
	const uint64_t count = dp_space_count(space);
	uint32_t ip = ranges[0].first;
	size_t range = 0;
	unsigned port = 0;

	for (uint64_t i = 0; i < count; i += BURST) {
		struct dp_target targets[BURST];
		uint64_t index[BURST], back;
		const unsigned n = count - i < BURST ? (unsigned)(count - i) : BURST;

		for (unsigned k = 0; k < n; k++)
			index[k] = i + k;
		dp_space_pick(space, index, targets, n);
		for (unsigned k = 0; k < n; k++) {
			cr_assert_eq(targets[k].ip, ip, "index %llu", (unsigned long long)index[k]);
			cr_assert_eq(targets[k].port, ports[port]);
			cr_assert(dp_space_find(space, ip, ports[port], &back));
			cr_assert_eq(back, index[k]);
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
	const struct dp_range range = {0xc6120000, 0xc61203ff};
	const uint16_t port = 443;
	struct dp_space *space = make(&range, 1, &port, 1);

	cr_assert_eq(dp_space_count(space), 1024);
	check_all(space, &port, 1);
	dp_space_destroy(space);
}

/* Ranges of very different lengths share buckets: the search inside one has to work. */
Test(space, random_spaces) {
	uint32_t state = 3;

	for (unsigned round = 0; round < 200; round++) {
		struct dp_range ranges[300];
		uint16_t ports[9];
		const size_t nb = 1 + next(&state) % 300;
		const unsigned nb_ports = 1 + next(&state) % 9;

		for (size_t i = 0; i < nb; i++) {
			ranges[i].first = next(&state) << 8;
			ranges[i].last
				= ranges[i].first + (next(&state) % 50 ? 0 : next(&state) % 300);
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
	const struct dp_range all = {0, UINT32_MAX};

	for (unsigned i = 0; i < 65536; i++)
		ports[i] = (uint16_t)i;
	for (unsigned nb_ports = 1; nb_ports <= 65536; nb_ports += nb_ports < 70 ? 1 : 251) {
		struct dp_space *space = make(&all, 1, ports, nb_ports);
		const uint64_t count = dp_space_count(space);
		uint32_t state = nb_ports;

		cr_assert_eq(count, (UINT64_C(1) << 32) * nb_ports);
		for (unsigned i = 0; i < 40; i++) {
			/* Around multiples of the port count, at the very top first. */
			const uint64_t ip
				= UINT32_MAX - (i < 2 ? i : (next(&state) << 8 ^ next(&state)));
			uint64_t index[2] = {ip * nb_ports, ip * nb_ports + nb_ports - 1};
			struct dp_target targets[2];

			dp_space_pick(space, index, targets, 2);
			cr_assert_eq(targets[0].ip, (uint32_t)ip);
			cr_assert_eq(targets[0].port, 0);
			cr_assert_eq(targets[1].ip, (uint32_t)ip);
			cr_assert_eq(targets[1].port, nb_ports - 1);
		}
		dp_space_destroy(space);
	}
}

Test(space, finds_only_what_is_there) {
	const struct dp_range ranges[] = {{10, 12}, {20, 20}};
	const uint16_t ports[] = {0, 80};
	struct dp_space *space = make(ranges, 2, ports, 2);
	uint64_t index;

	cr_assert_eq(dp_space_ports(space), 2);
	cr_assert(dp_space_find(space, 20, 80, &index));
	cr_assert_eq(index, 7);
	cr_assert(!dp_space_find(space, 9, 80, &index));
	cr_assert(!dp_space_find(space, 13, 80, &index));
	cr_assert(!dp_space_find(space, 21, 80, &index));
	cr_assert(!dp_space_find(space, 10, 81, &index));
	cr_assert(dp_space_find(space, 10, 0, &index));
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
