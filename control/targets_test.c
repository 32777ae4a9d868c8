/* SPDX-License-Identifier: BSD-3-Clause */
/* Targets, exclusions and ports: what counts as excluded and by whom; what lists are refused. */
#include "targets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint16_t two_ports[] = {80, 443};

/* A temporary file with @text; the caller unlinks it. */
static void write_file(char path[32], const char *text) {
	strcpy(path, "/tmp/targets_test.XXXXXX");
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void expect(
	struct targets_spec spec, uint64_t pairs, uint64_t by_default, uint64_t exclude) {
	struct targets targets;
	struct dp_error err = {0};

	spec.ports = two_ports;
	spec.nb_ports = 2;
	cr_assert_eq(targets_build(&spec, &targets, &err), 0, "%s: %s", spec.targets, err.text);
	cr_assert_eq(dp_space_count(targets.space), pairs, "%s", spec.targets);
	cr_assert_eq(targets.excluded_default, by_default, "%s", spec.targets);
	cr_assert_eq(targets.excluded_exclude, exclude, "%s", spec.targets);
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
	static const char *const never[]
		= {"224.0.0.1", "239.255.255.255", "255.255.255.255", "0.1.1.1"};

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
		"00.1.2.3", "0x1.2.3.4", "1.2.3.4-1.2.3.4-1.2.3.4", "::", "a.b", "1.2.3.4#",
		"1.2.3-.4", "1..2.3", ".1.2.3", "1.2.3.", "1-255.*.1-255.1", "1.2.3.4/24/8",
		"1.2.3.4-5/24"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct value_error err = {0};
		char *canonical;

		cr_assert_eq(targets_check(bad[i], &canonical, &err), -EINVAL, "%s", bad[i]);
		cr_assert_gt(strlen(err.part), 0);
		cr_assert_gt(strlen(err.why), 10, "%s", bad[i]);
	}
}

Test(targets, reads_ports) {
	static uint16_t ports[PORTS_MAX];
	struct value_error err;
	unsigned nb;

	cr_assert_eq(targets_read_ports("443,80-82,81,T:0", ports, &nb, &err), 0);
	cr_assert_eq(nb, 5);
	cr_assert(ports[0] == 0 && ports[1] == 80 && ports[3] == 82 && ports[4] == 443);
	cr_assert_eq(targets_read_ports("-", ports, &nb, &err), 0);
	cr_assert(nb == 65535 && ports[0] == 1 && ports[65534] == 65535);
	cr_assert_eq(targets_read_ports("", ports, &nb, &err), 0);
	cr_assert_eq(nb, 0);
	static const char *const bad[] = {",", "1,", ",1", "1,,2", "65536", "2-1", "1-65536",
		"http", "U:1", "S:1", "T:", "Q:1", "1 2", "0x1", "1-2-3", "--", "1.5", "*"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(targets_read_ports(bad[i], ports, &nb, &err), -EINVAL, "%s", bad[i]);
}
