/* SPDX-License-Identifier: BSD-3-Clause */
/* The merged configuration: precedence, defaults, and the files made from the table. */
#include "config.h"
#include "options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_ARGUMENTS = 32,
};

/*
 * Load a command line, split at `|`. The test program does not lie where the default exclude list
 * is looked for, so that list is off.
 */
static struct ctl_config *load(const char *line, struct dp_error *err) {
	char *copy = strdup(line), *rest = copy, *word;
	char program[] = "prtip-dp", set[] = "--set", off[] = "scan.default_excludes=no";
	char *argv[MAX_ARGUMENTS] = {program, set, off};
	int argc = 3;
	struct ctl_config *config = NULL;

	while (*line && (word = strsep(&rest, "|")) && argc < MAX_ARGUMENTS)
		argv[argc++] = word;
	if (ctl_config_load(argc, argv, &config, err) < 0)
		config = NULL;
	free(copy);
	return config;
}

static struct ctl_config *expect(const char *line) {
	struct dp_error err = {0};
	struct ctl_config *config = load(line, &err);

	cr_assert_not_null(config, "%s: %s", line, err.text);
	return config;
}

static void expect_error(const char *line, const char *fragment) {
	struct dp_error err = {0};

	cr_assert_null(load(line, &err), "%s was taken", line);
	cr_assert(err.usage);
	cr_assert(strstr(err.text, fragment), "%s does not say: %s", err.text, fragment);
}

static void write_file(char path[32], const char *text) {
	strcpy(path, "/tmp/config_test.XXXXXX");
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static char *slurp(const char *path) {
	FILE *file = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	cr_assert_not_null(file, "%s", path);
	cr_assert_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
	fclose(file);
	return text;
}

/* What a function prints; to be freed. */
static char *printed(int (*print)(FILE *out)) {
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	cr_assert_eq(print(out), 0);
	fclose(out);
	return text;
}

static char *config_printed(const struct ctl_config *config) {
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	cr_assert_eq(ctl_config_print(config, out), 0);
	fclose(out);
	return text;
}

Test(config, defaults) {
	struct ctl_config *c = expect("-p80|198.18.0.0/30");

	cr_assert_eq(c->action, CTL_ACTION_SCAN);
	cr_assert_str_eq(c->scan_type, "syn");
	cr_assert_eq(c->rate_pps, 10000);
	cr_assert_eq(c->rate_bps, 0);
	cr_assert_eq(c->cooldown_ns, 5000000000);
	cr_assert(c->shard == 1 && c->shards == 1);
	cr_assert_neq(c->seed, 0);
	cr_assert_eq(c->dedup, CTL_DEDUP_AUTO);
	cr_assert_eq(c->dedup_mb, 512);
	cr_assert_eq(dp_space_count(c->space), 4);
	cr_assert_str_eq(c->port, "auto");
	cr_assert(!c->source_ip && !c->gateway_ip && !c->has_gateway_mac);
	cr_assert(c->source_port_first == 32768 && c->source_port_last == 49151);
	cr_assert(!c->tx_lcores && !c->rx_lcores);
	cr_assert_eq(c->hugepages, DP_HUGEPAGES_AUTO);
	cr_assert_str_eq(c->eal, "");
	cr_assert_eq(c->nb_outputs, 0);
	cr_assert_eq(c->file_mode, CTL_FILE_CREATE);
	cr_assert(!c->include_closed && !c->quiet && !c->verbose);
	cr_assert(c->sim.alive == 0.5 && c->sim.open == 0.1 && c->sim.loss == 0);
	cr_assert(c->sim.rtt_us == 20000 && c->sim.jitter_us == 5000 && c->sim.seed == 1);
	cr_assert_eq(c->status_interval_ns, 1000000000);
	ctl_config_destroy(c);
}

Test(config, every_field) {
	struct ctl_config *c = expect(
		"-p|80|198.18.0.1|--rate=500Mbit|--shard|2/"
		"3|--seed=9|-o|table:-|-o|ndjson:x|--append|"
		"--set|scan.dedup=window|--set|dataplane.port=sim|--set|dataplane.source=10.0.0.9|-"
		"-set|"
		"dataplane.gateway=10.0.0.1|--set|dataplane.gateway_mac=02:00:00:00:00:01|--set|"
		"dataplane.tx_lcores=2|-v|--|-m|64");

	cr_assert(c->rate_pps == 0 && c->rate_bps == 5e8);
	cr_assert(c->shard == 2 && c->shards == 3 && c->seed == 9);
	cr_assert_eq(c->dedup, CTL_DEDUP_WINDOW);
	cr_assert_str_eq(c->port, "sim");
	cr_assert(c->source_ip == 0x0a000009 && c->gateway_ip == 0x0a000001);
	cr_assert(c->has_gateway_mac && c->gateway_mac[0] == 2 && c->gateway_mac[5] == 1);
	cr_assert_eq(c->tx_lcores, 2);
	cr_assert_str_eq(c->eal, "-m 64");
	cr_assert_eq(c->nb_outputs, 2);
	cr_assert_str_eq(c->outputs[0].format, "ndjson");
	cr_assert_str_eq(c->outputs[0].path, "x");
	cr_assert_str_eq(c->outputs[1].path, "-");
	cr_assert_eq(c->file_mode, CTL_FILE_APPEND);
	cr_assert(c->verbose);
	ctl_config_destroy(c);
}

Test(config, timing_and_rate) {
	static const struct {
		const char *line;
		double pps;
	} cases[] = {{"-T0", 1.0 / 300}, {"-T|1", 1.0 / 15}, {"-T2", 2.5}, {"-T5", 1e6},
		{"--rate|5k|-T5", 5000}, {"-T5|--rate|5k", 5000}, {"--rate|max", 0},
		{"--rate|1k|--rate|2k", 2000}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "-p80|198.18.0.1|%s", cases[i].line);
		struct ctl_config *c = expect(line);
		cr_assert_eq(c->rate_pps, cases[i].pps, "%s", line);
		ctl_config_destroy(c);
	}
}

Test(config, precedence) {
	char path[32], line[200];
	struct ctl_config *c;

	write_file(path,
		"[scan]\nports = 80\ntargets = 198.18.0.0/24\nrate = 5k\nexclude = 198.18.0.1\n"
		"[output]\nndjson = file.ndjson\nsummary = s\nappend = yes\ninclude_closed = yes\n"
		"[dataplane]\neal = -m 64\n");
	snprintf(line, sizeof(line), "-c|%s", path);
	c = expect(line);
	cr_assert(c->rate_pps == 5000 && c->nb_outputs == 2 && c->file_mode == CTL_FILE_APPEND);
	cr_assert_eq(dp_space_count(c->space), 255);
	ctl_config_destroy(c);
	snprintf(line, sizeof(line),
		"--rate|7k|-o|table:-|--exclude|198.18.0.2|--config|%s|--|-n|2", path);
	c = expect(line);
	cr_assert(c->rate_pps == 7000 && c->nb_outputs == 1 && c->include_closed);
	cr_assert_str_eq(c->outputs[0].format, "table");
	cr_assert_eq(c->file_mode, CTL_FILE_APPEND);
	cr_assert_eq(c->excluded_exclude, 2);
	cr_assert_str_eq(c->eal, "-m 64 -n 2");
	ctl_config_destroy(c);
	snprintf(line, sizeof(line), "-c|%s|198.18.0.1-2|198.18.5.5|--overwrite|-p|1-2", path);
	c = expect(line);
	cr_assert_eq(dp_space_count(c->space), 4);
	cr_assert_eq(c->file_mode, CTL_FILE_OVERWRITE);
	ctl_config_destroy(c);
	unlink(path);
}

Test(config, later_values_at_their_default) {
	struct ctl_config *c
		= expect("-p80|198.18.0.1|--set|scan.probes=1|--set|plugins.drain=1m|--set|"
			 "sim.banners=yes|--set|banner.enable=no|--set|scan.max_runtime=0");

	ctl_config_destroy(c);
	expect_error("-p80|198.18.0.1|--set|plugins.drain=2m", "not in this version");
	expect_error("-p80|198.18.0.1|--plugin|x", "--plugin is not in this version");
}

Test(config, texts_need_nothing_else) {
	struct ctl_config *c = expect("--help");

	cr_assert_eq(c->action, CTL_ACTION_HELP);
	ctl_config_destroy(c);
	c = expect("300.1.2.3|--version");
	cr_assert_eq(c->action, CTL_ACTION_VERSION);
	ctl_config_destroy(c);
	c = expect("--print-config");
	cr_assert_null(c->space);
	ctl_config_destroy(c);
}

Test(config, refuses) {
	expect_error("", "no targets");
	expect_error("198.18.0.1", "no ports");
	expect_error("-p80|198.18.0.1|--rate|12q", "--rate 12q: not a rate");
	expect_error("-p80|198.18.0.1|-c|/dev/null|-c|/dev/null", "one file");
	expect_error("-p80|198.18.0.1|-o|ndjson:a|-o|ndjson:b", "each format once");
}

/* What is printed reads back to the same bytes. */
Test(config, fixed_point) {
	static const char *const lines[] = {"--print-config",
		"--print-config|-p80,1-5,443|198.18.0.0/24|--rate|1500k|--shard|1/4|-o|summary:x;y "
		"#z",
		"--print-config|--set|sim.loss=.125|--set|scan.cooldown=1.5m|-T0|--|--vdev=net_"
		"null0"};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct ctl_config *c = expect(lines[i]);
		char *once = config_printed(c), *twice, path[32], line[64];

		ctl_config_destroy(c);
		write_file(path, once);
		snprintf(line, sizeof(line), "--print-config|-c|%s", path);
		c = expect(line);
		twice = config_printed(c);
		cr_assert_str_eq(once, twice);
		ctl_config_destroy(c);
		unlink(path);
		free(once);
		free(twice);
	}
	expect_error("--print-config|-o|ndjson:a ;b", "cannot hold");
	expect_error("--print-config|-o|ndjson:a\nb", "cannot hold");
}

/* conf/scan.ini is what the table says, and every key in it is a default that reads back. */
Test(config, reference_file) {
	char *committed = slurp(TEST_CONF_DIR "/scan.ini");
	char *made = printed(ctl_config_print_reference);
	struct ctl_config *from_file, *from_nothing;

	cr_assert_str_eq(committed, made, "conf/scan.ini is not what the table makes");
	from_file = expect("--print-config|--seed|1|-c|" TEST_CONF_DIR "/scan.ini");
	from_nothing = expect("--print-config|--seed|1|--set|scan.default_excludes=yes");
	free(made);
	free(committed);
	made = config_printed(from_file);
	committed = config_printed(from_nothing);
	/* load() turns the default list off, on the command line. */
	*strstr(committed, "default_excludes = yes") = '\0';
	cr_assert_eq(strncmp(made, committed, strlen(committed)), 0);
	ctl_config_destroy(from_file);
	ctl_config_destroy(from_nothing);
	free(made);
	free(committed);
}

Test(config, help_fits_a_terminal) {
	char *help = printed(ctl_config_print_help), *rest = help, *line;
	unsigned lines = 0;

	while ((line = strsep(&rest, "\n"))) {
		cr_assert_leq(strlen(line), 79, "%s", line);
		lines++;
	}
	cr_assert_gt(lines, 30);
	free(help);
}

/* The table itself: nothing twice, every default canonical, every flag found. */
Test(options, table) {
	unsigned nb;
	const struct option *rows = options_all(&nb);

	for (unsigned i = 0; i < nb; i++) {
		cr_assert(rows[i].key || rows[i].flags, "row %u is reached by nothing", i);
		if (rows[i].key) {
			cr_assert_eq(options_by_key(rows[i].section, rows[i].key), &rows[i],
				"%s.%s twice", rows[i].section, rows[i].key);
			cr_assert_not_null(rows[i].help);
			cr_assert(options_has_section(rows[i].section));
		}
		if (rows[i].flags) {
			const size_t length = strcspn(rows[i].flags, " ");

			cr_assert_eq(options_by_flag(rows[i].flags, length), &rows[i], "%s twice",
				rows[i].flags);
		}
	}
}

Test(options, nearest_names) {
	char near[VALUE_TEXT_BYTES];

	cr_assert_str_eq(options_near_key("scan", "rte"), "rate");
	cr_assert_str_eq(options_near_key("scan", "cooldwon"), "cooldown");
	cr_assert_null(options_near_key("scan", "bananas"));
	cr_assert_str_eq(options_near_section("dataplan"), "dataplane");
	cr_assert_null(options_near_section("bananas"));
	cr_assert_not_null(options_near_flag("--exclde", near));
	cr_assert_str_eq(near, "--exclude");
}
