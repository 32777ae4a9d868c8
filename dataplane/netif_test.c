/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel says of routes and addresses, in a network namespace of the test's own (needs root,
 * else skipped), and the choice among routes, which needs none.
 */
#include "netif.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Constants: what dp_ip_v4() and dp_ip_v6() make is none to the compiler. */
#define V4(ip) (DP_IP_V4_FIRST | (ip))
#define V6(high, low) ((dp_ip)(uint64_t)(high) << 64 | (uint64_t)(low))
#define DB8 0x20010db800000000

/* A pair of veth, of which one end is what the tests look at. */
static void own_namespace(const char *commands) {
	char script[2048];

	if (unshare(CLONE_NEWNET))
		cr_skip_test("a network namespace needs root");
	snprintf(script, sizeof(script),
		"set -e\n"
		"ip link set lo up\n"
		"ip link add n0 type veth peer name n1\n"
		"ip link set n0 up\nip link set n1 up\n%s",
		commands);
	cr_assert_eq(system(script), 0);
}

static unsigned routes(struct netif_route *route) {
	int n = netif_routes(route, NETIF_MAX_ROUTES);

	cr_assert_geq(n, 0, "%s", strerror(-n));
	return (unsigned)n;
}

static const struct netif_route *find(
	const struct netif_route *route, unsigned n, dp_ip first, dp_ip last) {
	for (unsigned i = 0; i < n; i++)
		if (route[i].first == first && route[i].last == last)
			return &route[i];
	return NULL;
}

static void expect_route(const struct netif_route *r, const char *name, dp_ip gateway,
	uint32_t metric, bool is_default) {
	cr_assert_not_null(r);
	cr_expect_str_eq(r->name, name);
	cr_expect_eq(r->gateway, gateway);
	cr_expect_eq(r->metric, metric);
	cr_expect_eq(netif_is_default(r), is_default);
}

Test(netif, routes) {
	static struct netif_route route[NETIF_MAX_ROUTES];
	unsigned n;

	own_namespace(
		"ip addr add 198.18.3.4/24 dev n0\n"
		"ip addr add 2001:db8::4/64 dev n0 nodad\n"
		"ip route add default via 198.18.3.1 metric 7\n"
		"ip -6 route add default via fe80::1 dev n0 metric 9\n"
		"ip route add 198.18.8.0/21 via 198.18.3.2\n"
		"ip route add unreachable 198.18.16.0/24\n"
		"ip route add 198.18.17.0/24 dev n0 table 99\n"
		"ip -6 route add blackhole 2001:db8:9::/48\n"
		"ip -6 route add 2001:db8:8::/48 nexthop via 2001:db8::7 nexthop via 2001:db8::8\n"
		"ip route add 198.18.18.5 nexthop via 198.18.3.7 nexthop via 198.18.3.8\n"
		"ip route add 198.18.19.0/24 via inet6 fe80::2 dev n0\n");
	n = routes(route);
	expect_route(find(route, n, DP_IP_V4_FIRST, DP_IP_V4_LAST), "n0", V4(0xc6120301), 7, true);
	expect_route(find(route, n, 0, DP_U128_MAX), "n0", V6(0xfe80000000000000, 1), 9, true);
	expect_route(find(route, n, V4(0xc6120300), V4(0xc61203ff)), "n0", 0, 0, false);
	expect_route(
		find(route, n, V4(0xc6120800), V4(0xc6120fff)), "n0", V4(0xc6120302), 0, false);
	expect_route(find(route, n, V6(DB8, 0), V6(DB8, UINT64_MAX)), "n0", 0, 256, false);
	expect_route(
		find(route, n, V4(0xc6121205), V4(0xc6121205)), "n0", V4(0xc6120307), 0, false);
	expect_route(find(route, n, V6(0x20010db800080000, 0), V6(0x20010db80008ffff, UINT64_MAX)),
		"n0", V6(DB8, 7), 1024, false);
	expect_route(find(route, n, V4(0xc6121300), V4(0xc61213ff)), "n0",
		V6(0xfe80000000000000, 2), 0, false);
	cr_expect_null(find(route, n, V4(0xc6121000), V4(0xc61210ff)), "unreachable");
	cr_expect_null(find(route, n, V4(0xc6121100), V4(0xc61211ff)), "another table");
	cr_expect_null(
		find(route, n, V6(0x20010db800090000, 0), V6(0x20010db80009ffff, UINT64_MAX)),
		"a blackhole");
	for (unsigned i = 0; i < n; i++) {
		cr_expect_neq(route[i].first >> 120, 0xff, "multicast");
		cr_expect_neq(route[i].first, V4(0xc6120304), "a local address");
	}
	cr_expect_eq(netif_routes(route, n - 1), -E2BIG);
	cr_expect_eq(netif_routes(route, n), (int)n);
}

/* More than one datagram of a dump. */
Test(netif, many_routes) {
	static struct netif_route route[NETIF_MAX_ROUTES];
	unsigned n;

	own_namespace("ip addr add 198.18.3.4/24 dev n0\n"
		      "for i in $(seq 0 250); do\n"
		      "	echo route add 198.19.$i.0/24 via 198.18.3.1\n"
		      "	echo route add 2001:db8:$i::/48 via fe80::1 dev n0\n"
		      "done | ip -batch -\n");
	n = routes(route);
	for (unsigned i = 0; i < 251; i++)
		cr_assert_not_null(
			find(route, n, V4(0xc6130000) + i * 256, V4(0xc6130000) + i * 256 + 255));
}

Test(netif, route_to) {
	static const struct netif_route route[] = {
		{"n0", V4(0), V4(0xffffffff), V4(1), 5}, {"n1", V4(0), V4(0xffffffff), V4(2), 4},
		{"n0", 0, DP_U128_MAX, V6(DB8, 3), 0},
		{"n0", V4(0x0a000000), V4(0x0affffff), V4(4), 0},
		{"n1", V4(0x0a000000), V4(0x0a0000ff), V4(5), 9},
		{"n1", V6(DB8, 0), V6(DB8, UINT64_MAX), V6(DB8, 6), 9},
		{"n0", V6(DB8, 0), V6(DB8, UINT64_MAX), V6(DB8, 7), 10},
		{"n0", 0, V6(0, UINT64_MAX), V6(DB8, 8), 10}, /* around the IPv4-mapped ones */
	};
	static const struct {
		const char *name;
		dp_ip ip;
		int route;
	} cases[] = {
		{NULL, V4(0x01020304), 1},
		{"n0", V4(0x01020304), 0},
		{NULL, V4(0), 1},
		{NULL, V4(0xffffffff), 1},
		{NULL, V4(0x0a000001), 4},
		{"n0", V4(0x0a000001), 3},
		{NULL, V4(0x0a000100), 3},
		{NULL, V6(DB8, 1), 5},
		{"n0", V6(DB8, 1), 6},
		{NULL, V6(DB8 + 1, 1), 2},
		{"n1", V6(DB8 + 1, 1), -1},
		{"n2", V4(1), -1},
		{NULL, V6(0, 1), 7},
		{NULL, DP_U128_MAX, 2},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(netif_route_to(route, 8, cases[i].name, cases[i].ip),
			cases[i].route < 0 ? NULL : &route[cases[i].route], "case %zu", i);
}

Test(netif, addresses) {
	own_namespace("ip addr add 198.18.3.4/24 dev n0\n"
		      "ip addr add 198.18.3.5/24 dev n0\n"
		      "ip addr add 198.18.4.4/24 dev n0\n"
		      "ip addr add 198.18.5.4 peer 198.18.6.1/24 dev n1\n"
		      "ip addr flush dev n0 scope link\n"
		      "ip addr add fe80::4/64 dev n0 nodad\n"
		      "ip addr add 2001:db8:1::3/64 dev n0 nodad preferred_lft 0\n"
		      "ip addr add 2001:db8:1::4/64 dev n0 nodad\n"
		      "ip addr add 2001:db8:2::4/64 dev n0 nodad\n"
		      "ip addr flush dev n1 scope link\n"
		      "ip addr add fe80::5/64 dev n1 nodad\n");
	cr_expect_eq(netif_address("n0", V4(0x01010101)), V4(0xc6120304));
	cr_expect_eq(netif_address("n0", V4(0xc6120399)), V4(0xc6120304));
	cr_expect_eq(netif_address("n0", V4(0xc6120499)), V4(0xc6120404));
	cr_expect_eq(netif_address("n1", V4(0x01010101)), V4(0xc6120504));
	cr_expect_eq(netif_address("n9", V4(0x01010101)), 0);
	cr_expect_eq(netif_address("n0", V6(0x20010db800010000, 99)), V6(0x20010db800010000, 4));
	cr_expect_eq(netif_address("n0", V6(0x20010db800020000, 99)), V6(0x20010db800020000, 4));
	cr_expect_eq((netif_address("n0", V6(0x20010db8000a0000, 99)) & UINT64_MAX), 4);
	cr_expect_neq(netif_address("n0", V6(0x20010db8000a0000, 99)), V6(0xfe80000000000000, 4));
	cr_expect_eq(netif_address("n0", V6(0xfe80000000000000, 99)), V6(0xfe80000000000000, 4));
	cr_expect_eq(netif_address("n1", V6(DB8, 99)), V6(0xfe80000000000000, 5));
	cr_expect(netif_owns(V4(0xc6120404)));
	cr_expect(netif_owns(V4(0xc6120504)));
	cr_expect(!netif_owns(V4(0xc6120601)), "the peer's");
	cr_expect(netif_owns(V4(0x7f123456)));
	cr_expect(netif_owns(V6(0, 1)));
	cr_expect(!netif_owns(V6(0, 2)));
	cr_expect(netif_owns(V6(0x20010db800010000, 3)));
	cr_expect(netif_owns(V6(0xfe80000000000000, 5)));
	cr_expect(!netif_owns(V4(0xc6120405)));
}

/* An address that the kernel is still trying out is its own, but not to be used. */
Test(netif, tentative_address) {
	own_namespace("sysctl -qw net.ipv6.conf.n0.dad_transmits=9\n"
		      "ip addr add 2001:db8:1::3/64 dev n0\n"
		      "ip addr add 2001:db8:2::4/64 dev n0 nodad\n");
	cr_expect_eq(netif_address("n0", V6(0x20010db800010000, 99)), V6(0x20010db800020000, 4));
	cr_expect(netif_owns(V6(0x20010db800010000, 3)));
}

/* Without addresses there are loopback's. */
Test(netif, nothing) {
	static struct netif_route route[NETIF_MAX_ROUTES];

	own_namespace("sysctl -qw net.ipv6.conf.all.disable_ipv6=1\n");
	cr_expect_eq(routes(route), 0);
	cr_expect_eq(netif_address("n0", V4(0x01010101)), 0);
	cr_expect_eq(netif_address("n0", V6(DB8, 1)), 0);
	cr_expect(netif_owns(V6(0, 1)));
}
