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
#include <unistd.h>

static struct ctl_config make(uint32_t first, uint32_t last, const uint16_t *ports, unsigned nb) {
	struct ctl_config config
		= {.shard = 1, .shards = 1, .seed = 3, .sim = {.alive = 1, .open = 0.5, .seed = 1}};
	struct dp_ipset *set;

	cr_assert_eq(dp_ipset_create(&set), 0);
	cr_assert_eq(dp_ipset_add(set, first, last), 0);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, nb, &config.space), 0);
	dp_ipset_destroy(set);
	return config;
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
	const uint64_t count = dp_space_count(config.space);
	char *text = list(ctl_list_targets, &config), *rest = text;
	struct dp_perm perm;

	dp_perm_init(&perm, count, 3);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t index = dp_perm_at(&perm, i);
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
