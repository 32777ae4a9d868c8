/* SPDX-License-Identifier: BSD-3-Clause */
/* Listings: their lines, their order, and what a closed pipe makes of them. */
#include "listing.h"

#include <dp/order.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ctl_config make_of(dp_ip first, dp_ip last, const uint16_t *ports, unsigned nb) {
	struct ctl_config config = {.type = dp_scan_find("syn"),
		.shard = 1,
		.shards = 1,
		.seed = 3,
		.sim = {.alive = 1, .open = 0.5, .seed = 1}};
	struct dp_ipset *set;

	cr_assert_eq(dp_ipset_create(&set), 0);
	cr_assert_eq(dp_ipset_add(set, first, last), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, nb, &config.space), 0);
	dp_ipset_destroy(set);
	return config;
}

static struct ctl_config make(uint32_t first, uint32_t last, const uint16_t *ports, unsigned nb) {
	return make_of(dp_ip_v4(first), dp_ip_v4(last), ports, nb);
}

/* What a listing writes to a file; to be freed. */
static char *list(
	int (*function)(const struct ctl_config *, int), const struct ctl_config *config) {
	FILE *file = tmpfile();
	char *text;
	long length;

	cr_assert_eq(function(config, fileno(file)), 0);
	length = ftell(file);
	cr_assert_eq(fseek(file, 0, SEEK_END), 0);
	length = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)length + 1);
	cr_assert_eq(fread(text, 1, (size_t)length, file), (size_t)length);
	fclose(file);
	return text;
}

Test(listing, lines_in_scan_order) {
	static const uint16_t ports[] = {0, 9, 80, 65535};
	struct ctl_config config = make(0x09630ac7, 0x09630b01, ports, 4);
	const uint64_t count = (uint64_t)dp_space_count(config.space);
	char *text = list(ctl_list_targets, &config), *rest = text;
	struct dp_perm perm;

	dp_perm_init(&perm, count, 3);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t index = (uint64_t)dp_perm_at(&perm, i);
		const uint32_t ip = 0x09630ac7 + (uint32_t)(index / 4);
		char line[64];

		snprintf(line, sizeof(line), "%u.%u.%u.%u %u tcp", ip >> 24, ip >> 16 & 255,
			ip >> 8 & 255, ip & 255, ports[index % 4]);
		cr_assert_str_eq(strsep(&rest, "\n"), line);
	}
	cr_assert_str_eq(rest, "");
	free(text);
	dp_space_destroy(config.space);
}

/* A space of more than 2^64 pairs: its first lines, up to where the reader goes away. */
Test(listing, wide_space) {
	static const uint16_t ports[] = {7, 65535};
	const dp_ip net = dp_ip_v6(0x20010db800000000, 0);
	struct ctl_config config = make_of(net, net + (((dp_u128)1 << 96) - 1), ports, 2);
	struct dp_perm perm;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(ends), 0);
	if (!fork()) {
		close(ends[0]);
		_exit(ctl_list_targets(&config, ends[1]) == -EPIPE ? 0 : 1);
	}
	close(ends[1]);
	FILE *in = fdopen(ends[0], "r");
	dp_perm_init(&perm, dp_space_count(config.space), 3);
	for (unsigned i = 0; i < 20000; i++) {
		const dp_u128 index = dp_perm_at(&perm, i);
		char line[96], expected[96], ip[DP_IP_TEXT_BYTES];

		dp_ip_write(net + index / 2, ip);
		snprintf(expected, sizeof(expected), "%s %u tcp\n", ip, ports[index % 2]);
		cr_assert_not_null(fgets(line, sizeof(line), in));
		cr_assert_str_eq(line, expected);
	}
	fclose(in);
	int status;
	cr_assert_gt(wait(&status), 0);
	cr_assert(WIFEXITED(status) && !WEXITSTATUS(status), "a closed pipe is -EPIPE");
	dp_space_destroy(config.space);
}

/* Three columns where there are no ports, too. */
Test(listing, without_ports) {
	static const uint16_t none[] = {0};
	const dp_ip net = dp_ip_v6(0x20010db800000000, 0);
	struct ctl_config config = make_of(net, net, none, 1);
	char *text;

	config.type = dp_scan_find("icmp");
	text = list(ctl_list_targets, &config);
	cr_assert_str_eq(text, "2001:db8:: - icmp\n");
	free(text);
	text = list(ctl_list_sim_truth, &config);
	cr_assert_str_eq(text, "2001:db8:: - icmp up\n");
	free(text);
	dp_space_destroy(config.space);
}

Test(listing, truth_of_shards) {
	static const uint16_t ports[] = {1, 2, 3};
	struct ctl_config config = make(0xc6120000, 0xc61203ff, ports, 3);
	char *whole = list(ctl_list_sim_truth, &config), *rest = whole, *line;
	char *part[3], *part_rest[3];
	unsigned lines = 0;

	config.shards = 3;
	for (unsigned i = 0; i < 3; i++) {
		config.shard = i + 1;
		part_rest[i] = part[i] = list(ctl_list_sim_truth, &config);
	}
	/* The parts are ascending too, so that merging them gives the whole. */
	while ((line = strsep(&rest, "\n")) && *line) {
		unsigned i = 0;

		while (i < 3 && strncmp(part_rest[i], line, strlen(line)) != 0)
			i++;
		cr_assert_lt(i, 3, "%s is in no shard", line);
		part_rest[i] += strlen(line) + 1;
		lines++;
	}
	cr_assert_eq(lines, 1024 * 3);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_str_eq(part_rest[i], "");
		free(part[i]);
	}
	free(whole);
	dp_space_destroy(config.space);
}

Test(listing, closed_pipe) {
	static const uint16_t port = 80;
	struct ctl_config config = make(0xc6120000, 0xc613ffff, &port, 1);
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	cr_assert_eq(ctl_list_targets(&config, ends[1]), -EPIPE);
	cr_assert_eq(ctl_list_sim_truth(&config, ends[1]), -EPIPE);
	close(ends[1]);
	dp_space_destroy(config.space);
}
