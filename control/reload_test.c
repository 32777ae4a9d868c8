/* SPDX-License-Identifier: BSD-3-Clause */
/* SIGHUP: what is new in the exclude files is counted once, and nothing is taken back. */
#include "reload.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct dp_scan_type syn = {.name = "syn", .has_ports = true, .v4 = true, .v6 = true};
static char path[] = "/tmp/reload_test.XXXXXX";

static void write_text(const char *text) {
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

/* 198.18.0.0/24 on two ports. */
static struct ctl_config make_config(const char *files) {
	struct ctl_config config = {.type = &syn, .exclude_files = files};
	struct dp_ipset *set;

	cr_assert_eq(dp_ipset_create(&set), 0);
	cr_assert_eq(dp_ipset_add(set, dp_ip_v4(0xc6120000), dp_ip_v4(0xc61200ff)), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, (uint16_t[]){22, 80}, 2, &config.space), 0);
	dp_ipset_destroy(set);
	return config;
}

static void make_file(void) {
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
}

static void remove_file(void) {
	unlink(path);
}

TestSuite(reload, .init = make_file, .fini = remove_file);

Test(reload, adds_what_is_new) {
	struct ctl_config config = make_config(path);
	const struct dp_ipset *all;
	struct dp_error err;
	struct reload *reload;
	uint64_t nb;

	cr_assert_eq(reload_create(&config, &reload), 0);
	write_text("198.18.0.8/29\n10.0.0.0/8\n");
	cr_assert_eq(reload_read(reload, &all, &nb, &err), 0);
	cr_expect_eq(nb, 8, "only addresses of the scan count");
	cr_expect(dp_ipset_contains(all, dp_ip_v4(0xc612000f)));
	cr_assert_eq(reload_read(reload, &all, &nb, &err), 0);
	cr_expect_eq(nb, 0);
	write_text("198.18.0.12/30, 198.18.0.255\n");
	cr_assert_eq(reload_read(reload, &all, &nb, &err), 0);
	cr_expect_eq(nb, 1);
	cr_expect(dp_ipset_contains(all, dp_ip_v4(0xc61200ff)));
	cr_expect(dp_ipset_contains(all, dp_ip_v4(0xc6120008)), "what left the file came back");
	reload_destroy(reload);
	dp_space_destroy(config.space);
}

Test(reload, keeps_all_where_a_file_is_bad) {
	struct ctl_config config = make_config(path);
	const struct dp_ipset *all;
	struct dp_error err;
	struct reload *reload;
	uint64_t nb;

	cr_assert_eq(reload_create(&config, &reload), 0);
	write_text("198.18.0.1\n198.18.0.300\n");
	cr_assert_lt(reload_read(reload, &all, &nb, &err), 0);
	cr_expect_not_null(strstr(err.text, ":2: 198.18.0.300"), "%s", err.text);
	write_text("198.18.0.2\n");
	cr_assert_eq(reload_read(reload, &all, &nb, &err), 0);
	cr_expect_eq(nb, 1);
	cr_expect_not(dp_ipset_contains(all, dp_ip_v4(0xc6120001)));
	reload_destroy(reload);
	dp_space_destroy(config.space);
}

Test(reload, says_what_cannot_be_read_again) {
	static const struct {
		const char *files, *fragment;
	} cases[] = {{"", "no exclude_file"}, {"-", "no exclude_file"},
		{"/dev/null", "not a regular file"},
		{"-, /nonexistent/x", "/nonexistent/x: No such"}};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ctl_config config = make_config(cases[i].files);
		const struct dp_ipset *all;
		struct dp_error err;
		struct reload *reload;
		uint64_t nb;

		cr_assert_eq(reload_create(&config, &reload), 0);
		cr_assert_lt(reload_read(reload, &all, &nb, &err), 0);
		cr_expect_not_null(strstr(err.text, cases[i].fragment), "%s", err.text);
		reload_destroy(reload);
		dp_space_destroy(config.space);
	}
}
