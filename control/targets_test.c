/* SPDX-License-Identifier: BSD-3-Clause */
/* Targets, exclusions and ports: what counts as excluded and by whom; what lists are refused. */
#include "targets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint32_t two_ports[] = {80, 443};

/* A temporary file with @text; the caller unlinks it. */
static void write_file(char path[32], const char *text) {
	strcpy(path, "/tmp/targets_test.XXXXXX");
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void expect(struct targets_spec spec, dp_u128 pairs, dp_u128 by_default, dp_u128 exclude) {
	struct targets targets;
	struct dp_error err = {0};

	spec.ports = two_ports;
	spec.nb_ports = 2;
	cr_assert_eq(targets_build(&spec, &targets, &err), 0, "%s: %s", spec.targets, err.text);
	cr_assert(dp_space_count(targets.space) == pairs, "%s", spec.targets);
	cr_assert(targets.excluded_default == by_default, "%s", spec.targets);
	cr_assert(targets.excluded_exclude == exclude, "%s", spec.targets);
	dp_space_destroy(targets.space);
}

Test(targets, counts_what_is_excluded) {
	char list[32];

	write_file(list, "10.0.0.0/8 # private\n10.5.0.0/16\n11.0.0.0/24\n");
	/* Excluded twice is counted once, for the default list; repeated targets count once. */
	expect((struct targets_spec){.targets = "9.255.255.0-10.0.0.255, 10.0.0.0-10.0.0.9",
		       .default_list = list,
		       .exclude = "10.0.0.5-10.0.0.20, 9.255.255.0"},
		2 * (256 + 10 - 6), 2 * 246, 2 * 6);
	/* Two listed ranges side by side are two: a target across both lies in neither. */
	expect((struct targets_spec){.targets = "10.255.255.255-11.0.1.0", .default_list = list},
		2 * 1, 2 * 257, 0);
	/* A range within a listed one changes nothing. */
	expect((struct targets_spec){.targets = "10.4.0.0-10.5.0.255", .default_list = list},
		2 * (65536 + 256), 0, 0);
	expect((struct targets_spec){.targets = "10.0-9.0-1.1", .default_list = list}, 2 * 20, 0,
		0);
	expect((struct targets_spec){.targets = "9-10.0.0.1", .default_list = list}, 2, 2, 0);
	expect((struct targets_spec){.targets = "0.0.0.0/0", .default_list = list},
		2 * ((UINT64_C(1) << 32) - (1 << 24) - (1 << 28) - 1 - (1 << 24) - 256),
		2 * (2 * (1 << 24) + (1 << 28) + 1 + 256), 0);
	unlink(list);
}

Test(targets, never_scans_some) {
	struct targets_spec spec = {.ports = two_ports, .nb_ports = 2};
	static const char *const never[] = {"224.0.0.1", "239.255.255.255", "255.255.255.255",
		"0.1.1.1", "::", "::2", "::192.0.2.1", "ff02::1", "ffff::"};

	for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		struct targets targets;
		struct dp_error err = {0};

		spec.targets = never[i];
		cr_assert_eq(targets_build(&spec, &targets, &err), -EINVAL, "%s", never[i]);
		cr_assert(err.usage);
		cr_assert(strstr(err.text, "1 are never scanned"), "%s", err.text);
	}
	expect((struct targets_spec){.targets = "223.255.255.255-224.0.0.0"}, 2, 2, 0);
	expect((struct targets_spec){.targets = "255.255.255.254-255.255.255.255"}, 2, 2, 0);
}

Test(targets, files_add_up) {
	char one[32], two[32], both[70], out[32];

	write_file(one, "198.18.0.0/24");
	write_file(two, "\r\n198.18.0.128/24,198.18.1.1 ; x\n");
	write_file(out, "198.18.0.0/25\n");
	snprintf(both, sizeof(both), "%s, %s", one, two);
	expect((struct targets_spec){.targets = "198.18.2.1", .targets_files = both}, 2 * 258, 0,
		0);
	expect(
		(struct targets_spec){
			.targets_files = both, .exclude_files = out, .exclude = "198.18.1.1"},
		2 * 128, 0, 2 * 129);
	unlink(one);
	unlink(two);
	unlink(out);
}

Test(targets, missing_default_list_is_an_error) {
	const struct targets_spec spec = {.targets = "1.2.3.4",
		.default_list = "/nonexistent/exclude.conf",
		.ports = two_ports,
		.nb_ports = 2};
	struct targets targets;
	struct dp_error err = {0};

	cr_assert_lt(targets_build(&spec, &targets, &err), 0);
	cr_assert(err.usage && strstr(err.text, "/nonexistent/exclude.conf"), "%s", err.text);
}

Test(targets, checks_lists) {
	struct value_error err;
	char *canonical;

	cr_assert_eq(targets_check(" 1.2.3.4,,5.6.7.0/24 \t9.9.9.9,", &canonical, &err), 0);
	cr_assert_str_eq(canonical, "1.2.3.4, 5.6.7.0/24, 9.9.9.9");
	free(canonical);
	cr_assert_eq(targets_check("", &canonical, &err), 0);
	cr_assert_str_eq(canonical, "");
	free(canonical);
	cr_assert_eq(targets_check("1.2.3.4 1.2.3.x", &canonical, &err), -EINVAL);
	cr_assert_str_eq(err.part, "1.2.3.x");
}

Test(targets, refuses_bad_entries) {
	static const char *const bad[] = {"1", "1.2.3", "1.2.3.4.5", "1.2.3.4/", "1.2.3.4/33",
		"1.2.3.4/-1", "1.2.3.4/1x", "1.2.3.4/ 8", "-1.2.3.4", "1.2.3.4-", "1.2.3.4-1.2.3.3",
		"1.2.3.4--5", "1.2.3.4-5-6", "1.2.3.**", "*", "1.2.3.5-4", "1.2.3.256", "1.2.3.04",
		"00.1.2.3", "0x1.2.3.4", "1.2.3.4-1.2.3.4-1.2.3.4", "a.b", "1.2.3.4#", "1.2.3-.4",
		"1..2.3", ".1.2.3", "1.2.3.", "1-255.*.1-255.1", "1.2.3.4/24/8", "1.2.3.4-5/24",
		":", "1::2::3", "2001:db8::1/129", "2001:db8::/", "2001:db8::/032", "2001:db8::/3x",
		"/64", "2001:db8::2-2001:db8::1", "2001:db8::1-", "2001:db8::1-2",
		"2001:db8::1-192.0.2.1", "192.0.2.1-2001:db8::1", "::ffff:192.0.2.1",
		"::ffff:0:0/96", "::1-::ffff:192.0.2.1", "fe80::1%eth0", "2001:db8::g",
		"2001:db8::1-2001:db8::2/64", "2001:db8::1/64-2001:db8::2"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct value_error err = {0};
		char *canonical;

		cr_assert_eq(targets_check(bad[i], &canonical, &err), -EINVAL, "%s", bad[i]);
		cr_assert_gt(strlen(err.part), 0);
		cr_assert_gt(strlen(err.why), 10, "%s", bad[i]);
	}
}

Test(targets, ipv6_counts) {
	const dp_u128 net = (dp_u128)1 << 96;
	char list[32];

	write_file(list, "2001:db8::/32\n::1\nfc00::/7\n10.0.0.0/8\n");
	expect((struct targets_spec){.targets = "2001:db8:1::1"}, 2, 0, 0);
	expect((struct targets_spec){.targets = "2001:DB8::/120, 2001:db8::80-2001:db8::100"},
		2 * 257, 0, 0);
	expect((struct targets_spec){.targets = "2001:db8::7/32"}, 2 * net, 0, 0);
	/* Inside a listed range it was meant; what covers one leaves it out. */
	expect((struct targets_spec){.targets = "2001:db8::/32", .default_list = list}, 2 * net, 0,
		0);
	expect((struct targets_spec){.targets = "2001:db8::/31", .default_list = list}, 2 * net,
		2 * net, 0);
	expect((struct targets_spec){.targets = "::1 fd00::1", .default_list = list}, 4, 0, 0);
	expect((struct targets_spec){.targets
		       = "2001:db7:ffff:ffff:ffff:ffff:ffff:fff0-2001:db8::5",
		       .default_list = list},
		2 * 16, 2 * 6, 0);
	/* Both families together, and exclusions of each. */
	expect((struct targets_spec){.targets
		       = "198.18.0.0/24 2001:db8::/112 9.255.255.255-10.0.0.0",
		       .default_list = list,
		       .exclude = "198.18.0.0/25,2001:db8::ff00/120, 2001:db9::"},
		2 * (128 + 65536 - 256 + 1), 2, 2 * (128 + 256));
	/* All of IPv6 is out, and none of IPv4. */
	expect((struct targets_spec){.targets = "198.18.0.0/24 2001:db8::1", .exclude = "::/0"},
		2 * 256, 0, 2);
	/* The whole low end: all of it but ::1 is never scanned, and IPv4 is not in it. */
	expect((struct targets_spec){.targets = "::/96"}, 2, 2 * (((dp_u128)1 << 32) - 1), 0);
	expect((struct targets_spec){.targets = "::/80"},
		2 * (((dp_u128)1 << 48) - ((dp_u128)2 << 32) + 1), 2 * (((dp_u128)1 << 32) - 1), 0);
	unlink(list);
}

Test(targets, too_many) {
	const struct targets_spec spec = {.targets = "::/0", .ports = two_ports, .nb_ports = 2};
	struct targets targets;
	struct dp_error err = {0};

	cr_assert_eq(targets_build(&spec, &targets, &err), -E2BIG);
	cr_assert(err.usage && strstr(err.text, "more than 2^120 pairs"), "%s", err.text);
}

static const struct dp_scan_type arp = {.name = "arp", .proto = DP_PROTO_ARP, .v4 = true};
static const struct dp_scan_type ndp = {.name = "ndp", .proto = DP_PROTO_NDP, .v6 = true};
static const struct dp_scan_type syn
	= {.name = "syn", .proto = DP_PROTO_TCP, .has_ports = true, .v4 = true, .v6 = true};
static const struct dp_scan_type sctp
	= {.name = "sctp", .proto = DP_PROTO_SCTP, .has_ports = true, .v4 = true, .v6 = true};
static const struct dp_scan_type udp
	= {.name = "udp", .proto = DP_PROTO_UDP, .has_ports = true, .v4 = true, .v6 = true};

static void refuse(struct targets_spec spec, const char *part) {
	struct targets targets;
	struct dp_error err = {0};

	cr_assert_eq(targets_build(&spec, &targets, &err), -EINVAL, "%s", spec.targets);
	cr_assert(err.usage && strstr(err.text, part), "%s", err.text);
}

Test(targets, types_have_families_and_ports) {
	struct targets_spec spec = {.type = &arp, .targets = "198.18.0.0/24"};
	struct targets targets;
	struct dp_error err = {0};

	cr_assert_eq(targets_build(&spec, &targets, &err), 0, "%s", err.text);
	cr_assert(dp_space_count(targets.space) == 256);
	cr_assert_eq(dp_space_ports(targets.space), 1);
	dp_space_destroy(targets.space);
	refuse((struct targets_spec){.type = &arp, .targets = "198.18.0.1 2001:db8::1 2001:db8::2"},
		"arp is for IPv4 only, and 2001:db8::1 is");
	refuse((struct targets_spec){.type = &ndp, .targets = "2001:db8::1,198.18.0.9,198.18.0.7"},
		"ndp is for IPv6 only, and 198.18.0.7 is");
	refuse(
		(struct targets_spec){
			.type = &arp, .targets = "198.18.0.1", .ports = two_ports, .nb_ports = 2},
		"arp has no ports");
	refuse((struct targets_spec){.type = &udp, .targets = "198.18.0.1"}, "no ports");
	spec = (struct targets_spec){
		.type = &udp, .targets = "::1 127.0.0.1", .ports = two_ports, .nb_ports = 2};
	cr_assert_eq(targets_build(&spec, &targets, &err), 0, "%s", err.text);
	cr_assert(dp_space_count(targets.space) == 4);
	dp_space_destroy(targets.space);
}

Test(targets, reads_excludes_again) {
	char file[32], both[64];
	struct targets_spec spec = {.exclude = "198.18.0.1,2001:db8::/64", .exclude_files = both};
	struct dp_ipset *set;
	struct dp_error err = {0};

	write_file(file, "198.18.1.0/24\n2001:db8:1::-2001:db8:1::f # x\n");
	/* Standard input is not read a second time. */
	snprintf(both, sizeof(both), "-, %s", file);
	cr_assert_eq(targets_read_excludes(&spec, &set, &err), 0, "%s", err.text);
	cr_assert(dp_ipset_count(set) == ((dp_u128)1 << 64) + 257 + 16);
	cr_assert(dp_ipset_contains(set, dp_ip_v4(0xc61201ff)));
	dp_ipset_destroy(set);
	unlink(file);
	write_file(file, "198.18.1.0/24\n198.18.1\n");
	snprintf(both, sizeof(both), "%s", file);
	cr_assert_eq(targets_read_excludes(&spec, &set, &err), -EINVAL);
	cr_assert(strstr(err.text, ":2: 198.18.1: not an address"), "%s", err.text);
	unlink(file);
	cr_assert_lt(targets_read_excludes(&spec, &set, &err), 0, "the file is gone");
}

/* The list that is shipped: each of its IPv6 ranges holds, and lets through what lies inside it. */
Test(targets, shipped_list) {
	const char *const list = TEST_CONF_DIR "/exclude.conf";
	static const char *const inside[] = {"::1", "64:ff9b::1", "64:ff9b:1::1", "100::1",
		"100:0:0:1::1", "2001::1", "2001:2::1", "2001:db8::1", "2002::1", "3fff::1",
		"5f00::1", "fd00::1", "fe80::1", "10.0.0.1"};
	static const struct {
		const char *targets;
		unsigned bits; /* of what is left out */
	} over[] = {{"64:ff9b::/95", 32}, {"100::/62", 65}, {"2001::/22", 105},
		{"2001:db8::/31", 96}, {"2002::/15", 112}, {"3fff::/19", 108}, {"5f00::/15", 112}};

	for (unsigned i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		expect((struct targets_spec){.targets = inside[i], .default_list = list}, 2, 0, 0);
	for (unsigned i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
		struct targets_spec spec = {.targets = over[i].targets,
			.default_list = list,
			.ports = two_ports,
			.nb_ports = 2};
		struct targets targets = {0};
		struct dp_error err = {0};

		cr_assert_eq(targets_build(&spec, &targets, &err), 0, "%s", err.text);
		cr_assert(targets.excluded_default == (dp_u128)2 << over[i].bits, "%s",
			over[i].targets);
		dp_space_destroy(targets.space);
	}
	refuse((struct targets_spec){.targets = "ff02::1",
		       .default_list = list,
		       .ports = two_ports,
		       .nb_ports = 2},
		"no targets left");
}

Test(targets, reads_ports) {
	static uint16_t ports[PORTS_MAX];
	struct value_error err;
	unsigned nb;

	cr_assert_eq(targets_read_ports("443,80-82,81,T:0", &syn, ports, &nb, &err), 0);
	cr_assert_eq(nb, 5);
	cr_assert(ports[0] == 0 && ports[1] == 80 && ports[3] == 82 && ports[4] == 443);
	cr_assert_eq(targets_read_ports("-", &syn, ports, &nb, &err), 0);
	cr_assert(nb == 65535 && ports[0] == 1 && ports[65534] == 65535);
	cr_assert_eq(targets_read_ports("", &syn, ports, &nb, &err), 0);
	cr_assert_eq(nb, 0);
	static const char *const bad[] = {",", "1,", ",1", "1,,2", "65536", "2-1", "1-65536",
		"http", "U:1", "S:1", "T:", "Q:1", "1 2", "0x1", "1-2-3", "--", "1.5", "*"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(
			targets_read_ports(bad[i], &syn, ports, &nb, &err), -EINVAL, "%s", bad[i]);

	/* Every type takes its own protocol's ports, and no other's. */
	cr_assert_eq(targets_read_ports("U:53,161", &udp, ports, &nb, &err), 0);
	cr_assert(nb == 2 && ports[1] == 161);
	cr_assert_eq(targets_read_ports("T:53", &udp, ports, &nb, &err), -EINVAL);
	cr_assert(strstr(err.why, "TCP ports need a scan type"), "%s", err.why);
	cr_assert_eq(targets_read_ports("S:53", &udp, ports, &nb, &err), -EINVAL);
	cr_assert_eq(targets_read_ports("S:132", &sctp, ports, &nb, &err), 0);
	cr_assert_eq(targets_read_ports("T:22,U:53,161,S:132", NULL, ports, &nb, &err), 0);
	cr_assert_eq(nb, 4);
}

Test(targets, reads_endpoints) {
	static uint32_t ports[DP_ENDPOINTS];
	const struct dp_scan_type *mix = dp_scan_find("syn,udp");
	struct value_error err;
	unsigned nb;

	/* What stands before the first prefix is of all; a prefix holds until the next one. */
	cr_assert_eq(targets_read_endpoints("80,U:161,53,T:22", mix, ports, &nb, &err), 0);
	cr_assert_eq(nb, 5);
	cr_expect_eq(ports[0], dp_endpoint(DP_PROTO_TCP, 22));
	cr_expect_eq(ports[1], dp_endpoint(DP_PROTO_TCP, 80));
	cr_expect_eq(ports[2], dp_endpoint(DP_PROTO_UDP, 53));
	cr_expect_eq(ports[3], dp_endpoint(DP_PROTO_UDP, 80));
	cr_expect_eq(ports[4], dp_endpoint(DP_PROTO_UDP, 161));
	cr_assert_eq(targets_read_endpoints("0-65535", mix, ports, &nb, &err), 0);
	cr_assert_eq(nb, 2 * 65536);
	cr_assert_eq(targets_read_endpoints("80,S:1", mix, ports, &nb, &err), -EINVAL);
	cr_assert(strstr(err.why, "add -sY"), "%s", err.why);
	/* Of one type ports are plain. */
	cr_assert_eq(targets_read_endpoints("53,U:161", &udp, ports, &nb, &err), 0);
	cr_assert(nb == 2 && ports[0] == 53 && ports[1] == 161);
}
