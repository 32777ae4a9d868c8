/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TAP as the kernel sees it, in a network namespace of the test's own (needs root, else skipped).
 */
#include "netif.h"
#include "tap.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Constants: what dp_ip_v4() makes is none to the compiler. */
#define V4(ip) (DP_IP_V4_FIRST | (ip))
#define TAP_IP V4(0xc6130032) /* 198.19.0.50 */
#define GATEWAY_IP V4(0xc6130002)

#define MAC UINT64_C(0x020304050607)

static const struct dp_range onlink[]
	= {{V4(0xc6130000), V4(0xc61300ff)}, {V4(0xc6140000), V4(0xc6140003)}};

static struct tap_params params(unsigned number) {
	return (struct tap_params){
		.number = number,
		.mac = MAC,
		.mtu = 1400,
		.ip = TAP_IP,
		.onlink = onlink,
		.nb_onlink = 2,
		.gateway_ip = GATEWAY_IP,
	};
}

static void own_namespace(void) {
	if (unshare(CLONE_NEWNET))
		cr_skip_test("a network namespace needs root");
	if (access("/dev/net/tun", R_OK | W_OK))
		cr_skip_test("there is no /dev/net/tun");
}

static int opened(const struct tap_params *p) {
	struct dp_error err;
	int fd = tap_open(p, &err);

	cr_assert_geq(fd, 0, "%s", err.text);
	return fd;
}

/* What `ip` says, one line. */
static void expect_ip(const char *arguments, const char *wanted) {
	char command[256], text[1024];
	FILE *pipe;
	size_t n;

	snprintf(command, sizeof(command), "ip -o %s | tr -s ' \\t\\n' ' '", arguments);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	n = fread(text, 1, sizeof(text) - 1, pipe);
	text[n] = '\0';
	pclose(pipe);
	while (n && text[n - 1] == ' ')
		text[--n] = '\0';
	cr_expect_str_eq(text, wanted, "ip %s: %s", arguments, text);
}

Test(tap, is_set_up) {
	struct tap_params p = params(0);
	struct netif netif;

	own_namespace();
	opened(&p);
	cr_assert_eq(netif_find("prtip0", &netif), 0);
	cr_expect_eq(memcmp(netif.mac, "\2\3\4\5\6\7", 6), 0);
	cr_expect_eq(netif.mtu, 1400);
	cr_expect(netif.up && netif.running);
	cr_expect(netif_owns(TAP_IP));
	expect_ip("-6 address show dev prtip0", "");
	expect_ip("link show dev prtip0 | grep -c MULTICAST", "0");
	expect_ip("rule show pref 7714", "7714: from 198.19.0.50 lookup 7714");
	expect_ip("route show table 7714",
		"default via 198.19.0.2 dev prtip0 proto static src 198.19.0.50 onlink "
		"198.19.0.0/24 dev prtip0 proto static scope link src 198.19.0.50 "
		"198.20.0.0/30 dev prtip0 proto static scope link src 198.19.0.50");
	expect_ip("route show", ""); /* nobody else's routes change */
}

Test(tap, without_a_gateway_all_is_on_the_link) {
	struct tap_params p = params(3);

	own_namespace();
	p.gateway_ip = 0;
	opened(&p);
	expect_ip("route show table 7717",
		"default dev prtip3 proto static scope link src 198.19.0.50");
}

Test(tap, known_hardware_address_of_the_gateway) {
	struct tap_params p = params(0);

	own_namespace();
	p.gateway_mac = UINT64_C(0x0a0b0c0d0e0f);
	close(opened(&p));
	p.gateway_ip = 0;
	p.nb_onlink = 0;
	opened(&p);
	expect_ip("neigh show dev prtip0", "192.0.0.8 lladdr 0a:0b:0c:0d:0e:0f PERMANENT");
	expect_ip("route show table 7714",
		"default via 192.0.0.8 dev prtip0 proto static src 198.19.0.50 onlink");
}

Test(tap, ends_with_its_descriptor) {
	struct tap_params p = params(0);

	own_namespace();
	tap_close(opened(&p), 0);
	cr_expect_eq(if_nametoindex("prtip0"), 0);
	expect_ip("rule show pref 7714", "");
	expect_ip("route show table 7714 2>&1", "");
}

/* As kill -9 leaves it: the rule stays, and the next one of that number has another address. */
Test(tap, rule_of_a_killed_scan_is_replaced) {
	struct tap_params p = params(0);

	own_namespace();
	close(opened(&p));
	cr_expect_eq(if_nametoindex("prtip0"), 0);
	expect_ip("rule show pref 7714", "7714: from 198.19.0.50 lookup 7714");
	p.ip = TAP_IP + 1;
	opened(&p);
	expect_ip("rule show pref 7714", "7714: from 198.19.0.51 lookup 7714");
}

Test(tap, numbers_are_apart) {
	struct tap_params p = params(0), q = params(1);
	struct dp_error err;

	own_namespace();
	cr_expect_eq(tap_free_number(), 0);
	opened(&p);
	cr_expect_eq(tap_free_number(), 1);
	cr_expect_eq(tap_open(&p, &err), -EBUSY);
	cr_expect_not_null(strstr(err.text, "prtip0"), "%s", err.text);
	q.ip = TAP_IP + 1;
	tap_close(opened(&q), 1);
	expect_ip("rule show pref 7714", "7714: from 198.19.0.50 lookup 7714");
}

/* A socket that is bound to the address, and to nothing else, speaks through the TAP. */
Test(tap, bound_sockets_use_it) {
	struct tap_params p = params(0);
	struct sockaddr_in from
		= {.sin_family = AF_INET, .sin_addr.s_addr = htonl(dp_ip_to_v4(TAP_IP))};
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x01020304)};
	uint8_t frame[2000];
	ssize_t n;
	int fd, s;

	own_namespace();
	fd = opened(&p);
	cr_expect_eq(read(fd, frame, sizeof(frame)), -1);
	cr_expect_eq(errno, EAGAIN, "the TAP says something of its own");
	s = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(bind(s, (struct sockaddr *)&from, sizeof(from)), 0);
	cr_assert_eq(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	cr_assert_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000), 1);
	n = read(fd, frame, sizeof(frame));
	cr_assert_eq(n, 42, "%zd bytes", n);
	/* It asks for the gateway, in the name of the address. */
	cr_expect_eq(memcmp(frame + 12, "\x08\x06", 2), 0);
	cr_expect_eq(memcmp(frame + 28, "\xc6\x13\x00\x32", 4), 0);
	cr_expect_eq(memcmp(frame + 38, "\xc6\x13\x00\x02", 4), 0);
}
