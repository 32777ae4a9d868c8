/* SPDX-License-Identifier: BSD-3-Clause */
/* De-duplication: each pair once where exact; what a window remembers, and what it says it forgot. */
#include "dedup.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct dp_space *make_space_of(dp_ip first, dp_ip last, unsigned nb_ports) {
	static uint16_t ports[65536];
	struct dp_ipset *set;
	struct dp_space *space;

	for (unsigned i = 0; i < nb_ports; i++)
		ports[i] = (uint16_t)i;
	cr_assert_eq(dp_ipset_create(&set), 0);
	cr_assert_eq(dp_ipset_add(set, first, last), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, nb_ports, &space), 0);
	dp_ipset_destroy(set);
	return space;
}

static struct dp_space *make_space(uint32_t first, uint32_t last, unsigned nb_ports) {
	return make_space_of(dp_ip_v4(first), dp_ip_v4(last), nb_ports);
}

static unsigned count_first_of(struct dedup *dedup, dp_ip ip, unsigned ips, unsigned ports) {
	unsigned n = 0;

	for (unsigned i = 0; i < ips; i++)
		for (unsigned p = 0; p < ports; p++)
			n += dedup_first(dedup, ip + i, (uint16_t)p);
	return n;
}

static unsigned count_first(struct dedup *dedup, uint32_t ip, unsigned ips, unsigned ports) {
	return count_first_of(dedup, dp_ip_v4(ip), ips, ports);
}

Test(dedup, exact_knows_each_pair) {
	struct dp_space *space = make_space(0xfffffff0, 0xffffffff, 65536);
	struct dedup *dedup;

	cr_assert_eq(dedup_create(CTL_DEDUP_AUTO, 1, space, &dedup), 0);
	cr_assert(dedup_is_exact(dedup));
	cr_assert_eq(dedup_capacity(dedup), 0);
	cr_assert_eq(dedup_memory_bytes(dedup), (16 << 16) / 8);
	cr_assert_eq(count_first(dedup, 0xfffffff0, 16, 65536), 16 << 16);
	cr_assert_eq(count_first(dedup, 0xfffffff0, 16, 65536), 0);
	cr_assert_eq(dedup_evicted(dedup), 0);
	cr_assert_not(dedup_first(dedup, dp_ip_v4(0xffffffef), 80), "no pair of the space");
	dedup_destroy(dedup);
	dp_space_destroy(space);
}

Test(dedup, kind_follows_the_memory) {
	struct dp_space *all = make_space(0, 0xffffffff, 65535);
	struct dp_space *bits = make_space(0, 0x7fffff, 1); /* exactly 1 MiB of them */
	struct dp_space *more = make_space(0, 0x800000, 1);
	struct dedup *dedup;

	cr_assert_eq(dedup_create(CTL_DEDUP_EXACT, 512, all, &dedup), -EFBIG);
	cr_assert_eq(dedup_create(CTL_DEDUP_EXACT, 1, more, &dedup), -EFBIG);
	cr_assert_eq(dedup_create(CTL_DEDUP_EXACT, 1, bits, &dedup), 0);
	dedup_destroy(dedup);
	cr_assert_eq(dedup_create(CTL_DEDUP_AUTO, 512, all, &dedup), 0);
	cr_assert_not(dedup_is_exact(dedup));
	cr_assert_eq(dedup_capacity(dedup), (512 << 20) / 8);
	cr_assert(dedup_first(dedup, dp_ip_v4(0), 0), "the pair of zeros is no empty slot");
	cr_assert_not(dedup_first(dedup, dp_ip_v4(0), 0));
	dedup_destroy(dedup);
	cr_assert_eq(dedup_create(CTL_DEDUP_WINDOW, 0, all, &dedup), -EINVAL);
	dedup_destroy(NULL);
	dp_space_destroy(all);
	dp_space_destroy(bits);
	dp_space_destroy(more);
}

/* As a neighbour that nobody asked for, or who would be taken for one of IPv4 by half of its address. */
Test(dedup, window_of_the_space_alone) {
	struct dp_space *space = make_space(0x0a000000, 0x0a0000ff, 1);
	struct dedup *dedup;

	cr_assert_eq(dedup_create(CTL_DEDUP_WINDOW, 1, space, &dedup), 0);
	cr_assert_not(dedup_first(dedup, dp_ip_v4(0x0a000100), 0));
	cr_assert_not(dedup_first(dedup, dp_ip_v6(UINT64_C(0x20010db800000000), 0x0a000001), 0));
	cr_assert(dedup_first(dedup, dp_ip_v4(0x0a000001), 0));
	dedup_destroy(dedup);
	dp_space_destroy(space);
}

/* 1 MiB holds 131,072 pairs. A quarter of it fits with room to spare; then it is flooded. */
Test(dedup, window_forgets_and_says_so) {
	struct dp_space *space = make_space(0x0a000000, 0x0affffff, 256);
	struct dedup *dedup;
	const unsigned quarter = 32768;

	cr_assert_eq(dedup_create(CTL_DEDUP_WINDOW, 1, space, &dedup), 0);
	cr_assert_eq(dedup_capacity(dedup), 131072);
	cr_assert_eq(count_first(dedup, 0x0a000000, quarter / 256, 256), quarter);
	uint64_t early = dedup_evicted(dedup);
	cr_assert_lt(early, quarter / 100, "%lu of a quarter were forgotten", (unsigned long)early);
	unsigned again = count_first(dedup, 0x0a000000, quarter / 256, 256);
	/* Of a set that lost one of nine, each comes again in turn and pushes out the next. */
	cr_assert_leq(again, 9 * early, "%u came again", again);

	uint64_t before = dedup_evicted(dedup);
	unsigned flood = 1 << 20;
	cr_assert_eq(count_first(dedup, 0x0a100000, flood / 256, 256), flood);
	uint64_t forgotten = dedup_evicted(dedup) - before;
	cr_assert_geq(forgotten + 131072, flood, "what does not fit must be counted");
	cr_assert_lt(forgotten, flood);
	/* The newest of each set are still there. */
	cr_assert_lt(count_first(dedup, 0x0a100000 + (flood - 8192) / 256, 32, 256), 8192 / 50);
	cr_assert_gt(count_first(dedup, 0x0a000000, 4, 256), 1000, "the oldest must be gone");
	dedup_destroy(dedup);
	dp_space_destroy(space);
}

/* IPv6 in 64-bit keys and, beyond 2^63 pairs, in 128-bit ones: the same promises. */
static void check_ipv6_window(unsigned host_bits, uint64_t capacity) {
	const dp_ip net = dp_ip_v6(0x20010db800000000, 0);
	struct dp_space *space = make_space_of(net, net + (((dp_u128)1 << host_bits) - 1), 65536);
	/* Far apart, so that only high bits tell them from each other, and side by side. */
	const dp_ip far = (dp_ip)1 << (host_bits - 12);
	struct dedup *dedup;
	unsigned n = 0;

	cr_assert_eq(dedup_create(CTL_DEDUP_AUTO, 1, space, &dedup), 0);
	cr_assert_not(dedup_is_exact(dedup));
	cr_assert_eq(dedup_capacity(dedup), capacity);
	for (unsigned again = 0; again < 2; again++)
		for (unsigned i = 0; i < 4096; i++)
			n += dedup_first(dedup, net + far * i, 7);
	cr_assert_eq(n, 4096);
	cr_assert_eq(count_first_of(dedup, net + 1, 16, 256), 4096);
	cr_assert_eq(count_first_of(dedup, net + 1, 16, 256), 0);
	cr_assert_eq(dedup_evicted(dedup), 0);
	cr_assert_not(dedup_first(dedup, net - 1, 80), "no pair of the space");
	cr_assert_not(dedup_first(dedup, dp_ip_v4(1), 80), "no pair of the space");

	uint64_t flood = 1 << 19;
	cr_assert_eq(count_first_of(dedup, net + 1000, (unsigned)(flood / 256), 256), flood);
	cr_assert_geq(dedup_evicted(dedup) + capacity, flood, "what does not fit must be counted");
	cr_assert_lt(dedup_evicted(dedup), flood);
	dedup_destroy(dedup);
	dp_space_destroy(space);
}

Test(dedup, ipv6_windows) {
	check_ipv6_window(32, 131072);
	check_ipv6_window(47, 131072); /* 2^63 pairs */
	check_ipv6_window(48, 65536);
	check_ipv6_window(96, 65536);
}

Test(dedup, ipv6_exact) {
	const dp_ip net = dp_ip_v6(0x20010db800000000, 0);
	struct dp_space *space = make_space_of(net, net + 15, 65536);
	struct dedup *dedup;

	cr_assert_eq(dedup_create(CTL_DEDUP_AUTO, 1, space, &dedup), 0);
	cr_assert(dedup_is_exact(dedup));
	cr_assert_eq(count_first_of(dedup, net, 16, 65536), 16 << 16);
	cr_assert_eq(count_first_of(dedup, net, 16, 65536), 0);
	cr_assert_not(dedup_first(dedup, net + 16, 80));
	dedup_destroy(dedup);
	dp_space_destroy(space);
}

/* The same port of two protocols are two pairs, in the bitmap and in a window. */
Test(dedup, protocols_apart) {
	const uint32_t endpoints[] = {dp_endpoint(DP_PROTO_TCP, 53), dp_endpoint(DP_PROTO_UDP, 53)};
	struct dp_ipset *set;
	struct dp_space *space;

	cr_assert_eq(dp_ipset_create(&set), 0);
	cr_assert_eq(dp_ipset_add(set, dp_ip_v4(1), dp_ip_v4(9)), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create_mixed(set, endpoints, 2, &space), 0);
	for (enum ctl_dedup kind = CTL_DEDUP_EXACT; kind <= CTL_DEDUP_WINDOW; kind++) {
		struct dedup *dedup;

		cr_assert_eq(dedup_create(kind, 1, space, &dedup), 0);
		cr_assert(dedup_first(dedup, dp_ip_v4(3), endpoints[0]));
		cr_assert(dedup_first(dedup, dp_ip_v4(3), endpoints[1]));
		cr_assert_not(dedup_first(dedup, dp_ip_v4(3), endpoints[0]));
		cr_assert_not(dedup_first(dedup, dp_ip_v4(3), endpoints[1]));
		cr_assert_not(dedup_first(dedup, dp_ip_v4(3), dp_endpoint(DP_PROTO_SCTP, 53)));
		dedup_destroy(dedup);
	}
	dp_space_destroy(space);
	dp_ipset_destroy(set);
}
