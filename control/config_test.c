/* SPDX-License-Identifier: BSD-3-Clause */
/* The merged configuration: precedence, defaults, and the files made from the table. */
#include "config.h"
#include "options.h"

#include <lh/host.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_ARGUMENTS = 48,
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
	cr_assert_str_eq(c->type->name, "syn");
	cr_assert_eq(c->probes, 1);
	cr_assert(!c->max_runtime_ns && !c->max_results && !c->nb_payloads && !c->nb_hellos);
	cr_assert_eq(c->rate_pps, 10000);
	cr_assert_eq(c->rate_bps, 0);
	cr_assert_eq(c->cooldown_ns, 5000000000);
	cr_assert(c->shard == 1 && c->shards == 1);
	cr_assert_neq(c->seed, 0);
	cr_assert_eq(c->dedup, CTL_DEDUP_AUTO);
	cr_assert_eq(c->dedup_mb, 512);
	cr_assert_eq(dp_space_count(c->space), 4);
	cr_assert_eq(c->nb_devices, 1);
	cr_assert_str_eq(c->devices[0].port, "auto");
	cr_assert(!c->devices[0].nb_sources && !c->devices[0].vlan);
	cr_assert(!c->devices[0].gateway4 && !c->devices[0].gateway6);
	cr_assert(!c->devices[0].has_gateway_mac);
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
		"dataplane.tx_lcores=2|-sA|--set|scan.probes=16|--set|scan.max_runtime=1.5m|--set|"
		"scan.max_results=7|--set|dataplane.vlan=4094|-v|--|-m|64");
	const struct dp_port_params *device = &c->devices[0];

	cr_assert(c->rate_pps == 0 && c->rate_bps == 5e8);
	cr_assert(c->shard == 2 && c->shards == 3 && c->seed == 9);
	cr_assert_eq(c->dedup, CTL_DEDUP_WINDOW);
	cr_assert_str_eq(c->type->name, "ack");
	cr_assert(c->probes == 16 && c->max_runtime_ns == 90000000000 && c->max_results == 7);
	cr_assert_str_eq(device->port, "sim");
	cr_assert(device->nb_sources == 1 && device->sources[0].first == dp_ip_v4(0x0a000009));
	cr_assert(device->sources[0].last == dp_ip_v4(0x0a000009));
	cr_assert(device->gateway4 == dp_ip_v4(0x0a000001) && !device->gateway6);
	cr_assert(device->has_gateway_mac && device->gateway_mac[0] == 2);
	cr_assert(device->gateway_mac[5] == 1 && device->vlan == 4094);
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

Test(config, flags_of_this_version_and_later) {
	expect_error("-p80|198.18.0.1|--set|scan.probes=17", "1 to 16");
}

Test(config, scan_types) {
	static const struct {
		const char *line, *name;
	} cases[] = {{"-sS|-p80", "syn"}, {"-sA|-p80", "ack"}, {"-sW|-p80", "window"},
		{"-sF|-p80", "fin"}, {"-sN|-p80", "null"}, {"-sX|-p80", "xmas"},
		{"-sM|-p80", "maimon"}, {"-sU|-p80", "udp"}, {"-sY|-p80", "sctp"},
		{"-sn", "discovery"}, {"--scan-type|icmp", "icmp"}, {"--set|scan.type=arp", "arp"},
		{"-sU|-sU|-p53", "udp"}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[100];

		snprintf(line, sizeof(line), "198.18.0.0/30|%s", cases[i].line);
		struct ctl_config *c = expect(line);
		cr_assert_str_eq(c->type->name, cases[i].name, "%s", line);
		cr_assert_eq(dp_space_count(c->space), 4);
		cr_assert_eq(dp_space_ports(c->space), 1);
		ctl_config_destroy(c);
	}
	expect_error("-sn|-p80|198.18.0.1", "type = discovery exclude each other");
	expect_error("-sF|198.18.0.1", "no ports");
	expect_error("-sS|-sA|-p53|198.18.0.1", "-sA: does not go with type = syn");
	expect_error("-sF|-p80|198.18.0.1|--set|banner.enable=on", "only syn and udp");
}

/* One TCP type, udp and sctp, in any order; ports of all of them or of one. */
Test(config, mixed_types) {
	static const struct {
		const char *line, *name, *ports;
		unsigned nb;
	} cases[] = {
		{"-sS|-sU|-p80,443", "syn,udp", "T:80,443,U:80,443", 4},
		{"-sU|-sS|-p80|-sU", "syn,udp", "T:80,U:80", 2},
		{"-sY|-sU|-p7,U:53,7", "udp,sctp", "U:7,53,S:7", 3},
		{"-sU|-sY|-sX|-p22,U:53,161,S:132,T:1-3", "xmas,udp,sctp",
			"T:1-3,22,U:22,53,161,S:22,132", 9},
		{"--scan-type|sctp , ack|-p1", "ack,sctp", "T:1,S:1", 2},
		{"--set|scan.type=udp,maimon|-p-", "maimon,udp", "T:1-65535,U:1-65535", 131070},
		{"--scan-type|icmp|-sS|-sU|-p1", "syn,udp", "T:1,U:1", 2},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[200];

		snprintf(line, sizeof(line), "198.18.0.0/30|%s", cases[i].line);
		struct ctl_config *c = expect(line);
		cr_assert_str_eq(c->type->name, cases[i].name, "%s", line);
		cr_assert_str_eq(c->ports, cases[i].ports, "%s", line);
		cr_assert(dp_space_is_mixed(c->space));
		cr_assert_eq(dp_space_ports(c->space), cases[i].nb);
		cr_assert_eq(dp_space_count(c->space), 4 * cases[i].nb);
		ctl_config_destroy(c);
	}
	ctl_config_destroy(expect("-sF|-sU|-p53|198.18.0.1"));
	ctl_config_destroy(expect(
		"-sS|-sY|-p53|198.18.0.1|--set|banner.enable=on|--set|detection.enable=off"));
	ctl_config_destroy(expect(
		"-sU|-sY|-p53|198.18.0.1|--set|banner.enable=on|--set|detection.enable=off"));
	expect_error("-sF|-sU|-p53|198.18.0.1|--set|banner.enable=on", "only syn and udp");
	expect_error("-sS|-sU|-pU:53|198.18.0.1", "none of them is for syn");
	expect_error("-sS|-sU|-p80,S:53|198.18.0.1", "add -sY");
}

/* What a list of sources comes to, as text of the configuration that is printed. */
static void expect_sources(const char *given, unsigned nb, const char *canonical) {
	char line[600], want[600];

	snprintf(line, sizeof(line), "--print-config|--set|dataplane.source=%s", given);
	struct ctl_config *c = expect(line);
	char *text = config_printed(c);
	snprintf(want, sizeof(want), "\nsource           = %s\n", canonical);
	cr_expect(strstr(text, want), "%s: not %s in %s", given, want, text);
	cr_expect_eq(c->devices[0].nb_sources, nb, "%s", given);
	for (unsigned i = 1; i < c->devices[0].nb_sources; i++)
		cr_expect(c->devices[0].sources[i].first > c->devices[0].sources[i - 1].last);
	ctl_config_destroy(c);
	free(text);
}

Test(config, sources) {
	expect_sources("auto", 0, "auto");
	expect_sources("10.0.0.9, 10.0.0.1", 2, "10.0.0.1, 10.0.0.9");
	expect_sources("10.0.0.3,10.0.0.1-10.0.0.2 , 10.0.0.0", 1, "10.0.0.0/30");
	expect_sources("10.0.0.5-10.0.0.9", 1, "10.0.0.5-10.0.0.9");
	expect_sources("2001:DB8::0010/124, 192.0.2.0/28", 2, "192.0.2.0/28, 2001:db8::10/124");
	expect_sources("2001:db8::1-2001:db8::1", 1, "2001:db8::1");
	expect_sources("2001:db8::/64", 1, "2001:db8::/64");
	expect_sources("1.0.0.0/8,1.1.1.1", 1, "1.0.0.0/8");
	expect_error("--print-config|--set|dataplane.source=10.0.0.1/24", "bits behind");
	expect_error("--print-config|--set|dataplane.source=10.0.0.0/33", "/0 to /32");
	expect_error("--print-config|--set|dataplane.source=2001:db8::/129", "/0 to /128");
	expect_error("--print-config|--set|dataplane.source=10.0.0.9-10.0.0.1", "lower");
	expect_error("--print-config|--set|dataplane.source=10.0.0.9-2001:db8::1", "one family");
	expect_error("--print-config|--set|dataplane.source=224.0.0.1", "hosts");
	expect_error("--print-config|--set|dataplane.source=ff02::1", "hosts");
	expect_error("--print-config|--set|dataplane.source=::", "hosts");
	expect_error("--print-config|--set|dataplane.source=10.0.0.1,,10.0.0.3", "empty");
	expect_error("--print-config|--set|dataplane.source=1.0.0.1,1.0.0.3,1.0.0.5,1.0.0.7,"
		     "1.0.0.9,1.0.0.11,1.0.0.13,1.0.0.15,1.0.0.17,1.0.0.19,1.0.0.21,1.0.0.23,"
		     "1.0.0.25,1.0.0.27,1.0.0.29,1.0.0.31,1.0.0.33",
		"at most 16");
}

Test(config, gateways) {
	struct ctl_config *c = expect("--print-config|--set|dataplane.gateway=2001:db8::1, "
				      "10.0.0.1");

	cr_assert_eq(c->devices[0].gateway4, dp_ip_v4(0x0a000001));
	cr_assert(c->devices[0].gateway6 == dp_ip_v6(UINT64_C(0x20010db8) << 32, 1));
	ctl_config_destroy(c);
	expect_error("--print-config|--set|dataplane.gateway=10.0.0.1,10.0.0.2", "second one");
	expect_error("--print-config|--set|dataplane.gateway=", "");
	expect_error("--print-config|--set|dataplane.gateway=router", "router");
}

#define SET "|--set|dataplane."

Test(config, several_ports) {
	struct ctl_config *c = expect(
		"--print-config" SET "port1=eth2" SET "port0=eth1" SET "source1=10.0.1.1" SET
		"source=10.0.0.1" SET "vlan0=7" SET "gateway_mac1=02:00:00:00:00:01");

	cr_assert_eq(c->nb_devices, 2);
	cr_assert_str_eq(c->devices[0].port, "eth1");
	cr_assert_str_eq(c->devices[1].port, "eth2");
	cr_assert(c->devices[0].sources[0].first == dp_ip_v4(0x0a000001));
	cr_assert(c->devices[1].sources[0].first == dp_ip_v4(0x0a000101));
	cr_assert(c->devices[0].vlan == 7 && c->devices[1].vlan == 0);
	cr_assert(!c->devices[0].has_gateway_mac && c->devices[1].has_gateway_mac);
	ctl_config_destroy(c);
	c = expect("--print-config" SET "port=auto" SET "port0=eth1");
	cr_assert(c->nb_devices == 1 && !strcmp(c->devices[0].port, "eth1"));
	ctl_config_destroy(c);
	expect_error("--print-config" SET "port=eth0" SET "port0=eth1", "exclude each other");
	expect_error("--print-config" SET "port0=eth0" SET "port2=eth1", "port1 is missing");
	expect_error("--print-config" SET "port1=eth1", "port0 is missing");
	expect_error("--print-config" SET "port0=eth1" SET "port1=eth1", "port0 already");
	c = expect("--print-config" SET "port0=sim" SET "port1=sim");
	cr_assert_eq(c->nb_devices, 2);
	ctl_config_destroy(c);
	expect_error("--print-config" SET "source3=10.0.0.1", "source3: there is no port3");
	expect_error("--print-config" SET "port8=eth1", "no such key");
	expect_error("--print-config" SET "hugepages0=on", "no such key");
	expect_error("--print-config" SET "vlan0=4095", "dataplane.vlan0=4095");
}

/* Each port number has its keys in the file, at most once. */
Test(config, numbered_keys_in_a_file) {
	char path[32], line[64];
	struct ctl_config *c;

	write_file(path, "[dataplane]\nport0 = eth0\nsource0 = 10.0.0.1,\n  10.0.0.3\n");
	snprintf(line, sizeof(line), "--print-config|-c|%s", path);
	c = expect(line);
	cr_assert_eq(c->devices[0].nb_sources, 2);
	ctl_config_destroy(c);
	unlink(path);
	write_file(path, "[dataplane]\nport0 = eth0\nport0 = eth1\n");
	snprintf(line, sizeof(line), "--print-config|-c|%s", path);
	expect_error(line, ":3: [dataplane] port0: given twice, first on line 2");
	unlink(path);
}

/* One port on the command line stands for all of the file's, and numbered ones for its only one. */
Test(config, ports_of_the_command_line) {
	char path[32], line[128];
	struct ctl_config *c;

	write_file(path, "[dataplane]\nport0 = eth0\nport1 = eth1\nvlan1 = 7\n");
	snprintf(line, sizeof(line), "--print-config|-c|%s" SET "port=sim", path);
	c = expect(line);
	cr_assert(c->nb_devices == 1 && !strcmp(c->devices[0].port, "sim"));
	cr_assert(c->devices[0].vlan == 0);
	ctl_config_destroy(c);
	unlink(path);
	write_file(path, "[dataplane]\nport = eth0\n");
	snprintf(line, sizeof(line), "--print-config|-c|%s" SET "port0=sim" SET "port1=eth1", path);
	c = expect(line);
	cr_assert(c->nb_devices == 2 && !strcmp(c->devices[1].port, "eth1"));
	ctl_config_destroy(c);
	unlink(path);
	write_file(path, "[dataplane]\nport = eth0\nport0 = eth1\n");
	snprintf(line, sizeof(line), "--print-config|-c|%s", path);
	expect_error(line, "exclude each other");
	unlink(path);
}

/* ---- Plugins ---- */

static void write_in(const char *folder, const char *name, const char *text) {
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

/* Make a plugin in @dir whose main.lua is @main. */
static void make_plugin(const char *dir, const char *name, const char *type, const char *main) {
	char folder[100], manifest[400];

	snprintf(folder, sizeof(folder), "%s/%s", dir, name);
	cr_assert_eq(mkdir(folder, 0755), 0);
	snprintf(manifest, sizeof(manifest),
		"[plugin]\nname = \"%s\"\nversion = \"1.0.0\"\nauthor = \"a\"\n"
		"description = \"d\"\nplugin_type = \"%s\"\ncapabilities = []\n"
		"[config]\ndepth = 3\npaths = [\"/\"]\n",
		name, type);
	write_in(folder, "plugin.toml", manifest);
	write_in(folder, "main.lua", main);
	write_in(folder, "README.md", "text\n");
}

static char plugins[32]; /* a folder with plugins, of the test process */

static void make_plugins(void) {
	strcpy(plugins, "/tmp/config_test.XXXXXX");
	cr_assert_not_null(mkdtemp(plugins));
	make_plugin(plugins, "alpha", "scan", "function on_target(t, r) end\n");
	make_plugin(plugins, "beta", "detection", "function analyze_banner(b) end\n");
	make_plugin(plugins, "paper", "output", "function format_result(r) return '' end\n");
	make_plugin(plugins, "sheet", "output", "function export(r, p) end\n");
	make_plugin(plugins, "wrong", "scan", "function\n");
}

static void remove_plugins(void) {
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", plugins);
	cr_assert_eq(system(command), 0);
}

/* Load a command line that searches in @plugins alone. */
static struct ctl_config *load_plugins(const char *line, struct dp_error *err) {
	char whole[500];

	snprintf(whole, sizeof(whole), "-p80|198.18.0.1|--set|plugins.dir=%s|%s", plugins, line);
	return load(whole, err);
}

static struct ctl_config *expect_plugins(const char *line) {
	struct dp_error err = {0};
	struct ctl_config *config = load_plugins(line, &err);

	cr_assert_not_null(config, "%s: %s", line, err.text);
	return config;
}

/* "alpha beta": names of the enabled ones. */
static const char *names(const struct ctl_config *config, char text[200]) {
	*text = '\0';
	for (unsigned i = 0; i < config->plugins.nb_enabled; i++) {
		strcat(text, i ? " " : "");
		strcat(text, config->plugins.enabled[i]->name);
	}
	return text;
}

static const struct lh_value *value_of(const struct lh_plugin *plugin, const char *key) {
	for (unsigned i = 0; i < plugin->nb_config; i++)
		if (!strcmp(plugin->config[i].key, key))
			return &plugin->config[i];
	cr_assert_fail("%s has no %s", plugin->name, key);
	return NULL;
}

TestSuite(plugins, .init = make_plugins, .fini = remove_plugins);

Test(plugins, defaults) {
	struct ctl_config *c = expect_plugins("--seed|1");

	cr_assert_null(c->plugins.catalog, "folders were read although nobody asked");
	cr_assert_eq(c->plugins.nb_enabled, 0);
	cr_assert_eq(c->plugins.nb_dirs, 1);
	cr_assert_eq(c->plugins.lanes, 1);
	cr_assert_eq(c->plugins.limits.memory_mb, 100);
	cr_assert(c->plugins.limits.cpu_s == 5 && c->plugins.limits.wall_s == 60);
	cr_assert(c->plugins.limits.instructions == 1000000 && c->plugins.limits.phase_s == 300);
	cr_assert(c->plugins.queue == 65536 && c->plugins.overflow == CTL_OVERFLOW_SPILL);
	cr_assert_str_eq(c->plugins.spill_dir, "/var/tmp");
	cr_assert(c->plugins.spill_mb == 1024 && c->plugins.drain_ns == 60000000000);
	cr_assert_eq(c->plugins.source_ip, 0);
	cr_assert_str_eq(c->plugins.device, "");
	cr_assert(!c->banner && c->banner_bytes == 512 && c->banner_wait_ns == 10000000000);
	cr_assert(c->sim.banners);
	cr_assert(c->timing == 3 && !strcmp(c->ports, "80"));
	cr_assert_eq(c->nb_warnings, 0);
	ctl_config_destroy(c);
}

Test(plugins, every_field) {
	struct ctl_config *c = expect_plugins("--set|plugins.lanes=64|--set|plugins.memory_mb=7|--"
					      "set|plugins.cpu_seconds=.5|--set|"
					      "plugins.wall_seconds=1.5|--set|plugins.instructions="
					      "5000|--set|plugins.phase_seconds="
					      "2|--set|plugins.queue=16");

	cr_assert(c->plugins.lanes == 64 && c->plugins.limits.memory_mb == 7);
	cr_assert(c->plugins.limits.cpu_s == 0.5 && c->plugins.limits.wall_s == 1.5);
	cr_assert(c->plugins.limits.instructions == 5000 && c->plugins.limits.phase_s == 2);
	cr_assert_eq(c->plugins.queue, 16);
	ctl_config_destroy(c);
	c = expect_plugins(
		"--set|plugins.overflow=throttle|--set|plugins.spill_dir=/x|--set|"
		"plugins.spill_mb=1|--set|plugins.drain=0|--set|plugins.source=127.0.0.1|"
		"--set|plugins.device=lo|-T4|-p|9,1-3");
	cr_assert_eq(c->plugins.overflow, CTL_OVERFLOW_THROTTLE);
	cr_assert_str_eq(c->plugins.spill_dir, "/x");
	cr_assert(c->plugins.spill_mb == 1 && c->plugins.drain_ns == 0);
	cr_assert_eq(c->plugins.source_ip, dp_ip_v4(0x7f000001));
	cr_assert_str_eq(c->plugins.device, "lo");
	cr_assert_eq(c->timing, 4);
	cr_assert_str_eq(c->ports, "1-3,9");
	ctl_config_destroy(c);
	c = expect_plugins("--set|banner.enable=on|--set|detection.enable=off|--set|banner.max_"
			   "bytes=4096|--set|banner.wait=1ms|"
			   "--set|sim.banners=off");
	cr_assert(c->banner && c->banner_bytes == 4096 && c->banner_wait_ns == 1000000);
	cr_assert(!c->sim.banners);
	ctl_config_destroy(c);
}

Test(plugins, which_run) {
	static const struct {
		const char *line, *names;
	} cases[] = {{"--plugin|beta|--plugin|alpha|--plugin|beta", "beta alpha"},
		{"--plugin|beta|--set|plugins.enable=alpha, beta", "alpha beta"},
		{"--plugin|beta|--plugin|all", "beta alpha paper sheet"},
		{"-o|paper:-|--plugin|beta", "beta paper"},
		{"-o|paper:x|--plugin|paper,beta", "paper beta"},
		{"-o|sheet:x|-o|paper:y", "sheet paper"}};
	char text[200];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_config *c = expect_plugins(cases[i].line);

		cr_assert_str_eq(names(c, text), cases[i].names, "%s: %s", cases[i].line, text);
		ctl_config_destroy(c);
	}
}

Test(plugins, outputs_know_their_plugin) {
	struct ctl_config *c = expect_plugins("-o|sheet:s|-o|ndjson:n|-o|paper:-|--plugin|paper");

	cr_assert_eq(c->nb_outputs, 3);
	cr_assert_str_eq(c->outputs[0].format, "ndjson");
	cr_assert_eq(c->outputs[0].plugin, 0);
	cr_assert_str_eq(c->outputs[1].format, "sheet");
	cr_assert_str_eq(c->outputs[1].path, "s");
	cr_assert_eq(c->outputs[1].plugin, 2);
	cr_assert_str_eq(c->outputs[2].format, "paper");
	cr_assert_eq(c->outputs[2].plugin, 1);
	ctl_config_destroy(c);
}

Test(plugins, settings_take_their_types) {
	struct ctl_config *c = expect_plugins(
		"--plugin|alpha|--plugin-arg|alpha.depth=7|--plugin-arg|alpha.paths=/a, /b|--set|"
		"plugin:alpha.depth=8|--plugin-arg|alpha.new=9|--plugin-arg|beta.depth=1");
	const struct lh_plugin *alpha = c->plugins.enabled[0];

	cr_assert(value_of(alpha, "depth")->kind == LH_VALUE_INTEGER);
	cr_assert_eq(value_of(alpha, "depth")->integer, 8);
	cr_assert_eq(value_of(alpha, "paths")->nb_items, 2);
	cr_assert_str_eq(value_of(alpha, "paths")->items[1].string, "/b");
	cr_assert_str_eq(value_of(alpha, "new")->string, "9");
	ctl_config_destroy(c);
}

Test(plugins, warnings) {
	struct ctl_config *c = expect_plugins("--plugin|all");

	cr_assert_eq(c->nb_warnings, 1);
	cr_assert(strstr(c->warnings[0], "wrong/main.lua:"), "%s", c->warnings[0]);
	ctl_config_destroy(c);
}

/* An error of the configuration, and no leak with it: the sanitizers' build looks. */
Test(plugins, refuses) {
	static const struct {
		const char *line, *fragment;
	} cases[] = {{"--plugin|alhpa", "did you mean alpha?"}, {"--plugin|wrong", "main.lua:"},
		{"-o|alpha:x", "not an output plugin"}, {"-o|sheet:-", "format_result"},
		{"--plugin-arg|alpha.depth=x", "a whole number"},
		{"--plugin-arg|gamma.depth=x", "no such plugin"},
		{"--install-plugin|x", "scans nothing"}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dp_error err = {0};

		cr_assert_null(load_plugins(cases[i].line, &err), "%s", cases[i].line);
		cr_assert(err.usage);
		cr_assert(strstr(err.text, cases[i].fragment), "%s: %s", cases[i].line, err.text);
	}
}

Test(plugins, as_many_outputs_as_there_is_room) {
	char line[400] = "-o|ndjson:n|-o|table:t|-o|summary:s", name[16];
	struct dp_error err = {0};
	struct ctl_config *c;

	for (unsigned i = 0; i < CTL_MAX_OUTPUTS - 3 + 1; i++) {
		snprintf(name, sizeof(name), "out%u", i);
		make_plugin(plugins, name, "output", "function export(r, p) end\n");
		if (i == CTL_MAX_OUTPUTS - 3) {
			c = expect_plugins(line);
			cr_assert_eq(c->nb_outputs, CTL_MAX_OUTPUTS);
			ctl_config_destroy(c);
		}
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "|-o|%s:%u", name, i);
	}
	cr_assert_null(load_plugins(line, &err));
	cr_assert(strstr(err.text, "more than 16 outputs"), "%s", err.text);
}

Test(plugins, only_so_many) {
	struct dp_error err = {0};
	struct ctl_config *c;
	char name[16];

	for (unsigned i = 4; i < LH_MAX_PLUGINS; i++) {
		snprintf(name, sizeof(name), "many%u", i);
		make_plugin(plugins, name, "scan", "function on_target(t, r) end\n");
	}
	c = expect_plugins("--plugin|all");
	cr_assert_eq(c->plugins.nb_enabled, LH_MAX_PLUGINS);
	ctl_config_destroy(c);
	make_plugin(plugins, "one-more", "scan", "function on_target(t, r) end\n");
	cr_assert_null(load_plugins("--plugin|all", &err));
	cr_assert(strstr(err.text, "more than 32 plugins"), "%s", err.text);
}

Test(plugins, actions) {
	struct ctl_config *c = expect("--install-plugin|some/path");

	cr_assert_eq(c->action, CTL_ACTION_INSTALL_PLUGIN);
	cr_assert_str_eq(c->subject, "some/path");
	cr_assert_null(c->plugins.catalog);
	ctl_config_destroy(c);
	c = expect("--list-plugins|--json|--set|plugins.dir=/nonexistent");
	cr_assert(c->action == CTL_ACTION_LIST_PLUGINS && c->json);
	cr_assert_eq(c->plugins.catalog->nb_entries, 0);
	ctl_config_destroy(c);
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
		"--print-config|--set|plugins.cpu_seconds=0.3|--set|plugins.wall_seconds=07.50",
		"--print-config" SET "port0=sim" SET "port1=lo" SET
		"source1=10.0.0.1,10.0.0.9, 2001:db8::/64" SET "gateway=10.0.0.1,fe80::1" SET
		"vlan1=9|-sX|-p9|--set|scan.probes=3|--set|scan.max_runtime=90s",
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
