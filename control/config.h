/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The merged configuration of a run: defaults, then the INI file, then the command line.
 *
 * Every setting is one row of the table in options.c, which drives the INI keys, the flags, the
 * help, --print-config and conf/scan.ini. A value is kept as its canonical text (for printing) and
 * in the typed field below (for use).
 */
#ifndef CTL_CONFIG_H
#define CTL_CONFIG_H

#include <dp/engine.h>
#include <lh/plugin.h>

#include <stdio.h>

enum ctl_action {
	CTL_ACTION_SCAN,
	CTL_ACTION_HELP,
	CTL_ACTION_DOCTOR,
	CTL_ACTION_VERSION,
	CTL_ACTION_DRY_RUN,
	CTL_ACTION_LIST_TARGETS,
	CTL_ACTION_SIM_TRUTH,
	CTL_ACTION_PRINT_CONFIG,
	CTL_ACTION_LIST_PLUGINS,
	CTL_ACTION_INSTALL_PLUGIN,
	CTL_ACTION_REMOVE_PLUGIN,
	CTL_ACTION_CHECK_PLUGIN,
	CTL_ACTION_NEW_PLUGIN,
	CTL_ACTION_CONTROL,
};

enum ctl_dedup {
	CTL_DEDUP_AUTO,
	CTL_DEDUP_EXACT,
	CTL_DEDUP_WINDOW,
};

/* What to do with an output file that exists. */
enum ctl_file_mode {
	CTL_FILE_CREATE, /* refuse it */
	CTL_FILE_OVERWRITE,
	CTL_FILE_APPEND,
};

/* What to do with results for a plugin that lags too far behind. */
enum ctl_overflow {
	CTL_OVERFLOW_SPILL,
	CTL_OVERFLOW_SKIP,
	CTL_OVERFLOW_THROTTLE,
};

/* [plugins], [plugin:NAME], --plugin, --plugin-dir and --plugin-arg. */
struct ctl_plugins {
	/* Valid, with their settings, in `enable` order; those that `-o` names come last. */
	struct lh_plugin *const *enabled;
	unsigned nb_enabled;
	const struct lh_catalog *catalog; /* all that was found; NULL where nobody asked */
	const char *const *dirs; /* that were looked through, first ones win */
	unsigned nb_dirs;
	unsigned lanes;
	struct lh_limits limits;
	uint32_t queue;
	enum ctl_overflow overflow;
	const char *spill_dir;
	uint32_t spill_mb;
	uint64_t drain_ns;
	dp_ip source_ip; /* IPv4; 0: the kernel's choice */
	const char *device; /* "": none */
};

enum {
	CTL_MAX_OUTPUTS = 16,
	CTL_SOCKET_PATH_MAX = 4095,
};

struct ctl_output_spec {
	const char *format; /* as output_find() knows it, or a plugin's name */
	const char *path; /* "-": standard output */
	unsigned plugin; /* 1 + its place in ctl_plugins.enabled; 0: a format of our own */
};

enum {
	CTL_MAX_ALLOWED = 64,
};

/* An address and port of ours. */
struct ctl_listen {
	bool on;
	dp_ip ip;
	uint16_t port;
	bool local; /* a loopback address: only this machine reaches it */
};

/* Of whom, ascending and disjoint. */
struct ctl_allowed {
	struct dp_range range[CTL_MAX_ALLOWED];
	unsigned nb;
};

struct detect_rules;
struct filter;
struct checkpoint;
struct names;

struct ctl_config {
	enum ctl_action action;

	const char *subject; /* of an action on a plugin: path or name */
	enum lh_type new_type; /* of --new-plugin */
	bool json; /* --json */

	/* [scan] */
	const struct dp_scan_type *type;
	unsigned timing;
	double rate_pps; /* of the timing template where no rate is given; 0: see rate_bps */
	double rate_bps; /* 0 with rate_pps 0: unlimited */
	unsigned probes; /* transmissions of a pair */
	uint64_t cooldown_ns;
	uint64_t max_runtime_ns, max_results; /* 0: no limit */
	uint32_t shard, shards; /* 1-based */
	uint64_t seed; /* never 0 after loading: 0 was replaced by a random one */
	enum ctl_dedup dedup;
	uint32_t dedup_mb;

	/* The target space: addresses as sealed set, ports ascending. Pairs taken out, whole scan. */
	struct dp_space *space;
	const char *ports; /* canonical list; "" for a type without ports */
	dp_u128 excluded_default, excluded_exclude;
	const struct names *names; /* among the targets; NULL: not read */
	const char *exclude_files; /* split at ", "; read again on SIGHUP */

	/* Of the operator, in front of the built-in ones: udp_payloads and [banner] payloads. */
	const struct dp_payload *payloads;
	unsigned nb_payloads;
	const struct dp_hello *hellos;
	unsigned nb_hellos;

	/* [dataplane] */
	struct dp_port_params devices[DP_MAX_PORTS]; /* `port`, or port0, port1, ... */
	unsigned nb_devices;
	uint16_t source_port_first, source_port_last;
	unsigned tx_lcores, rx_lcores; /* 0: auto */
	enum dp_hugepages hugepages;
	const char *eal; /* "" where empty; EAL arguments after `--` are appended */

	/* [output] */
	struct ctl_output_spec outputs[CTL_MAX_OUTPUTS];
	unsigned nb_outputs; /* 0: table on a terminal, NDJSON otherwise, decided by main */
	enum ctl_file_mode file_mode;
	bool include_closed;
	bool open_only; /* and hosts that are up */
	bool reason; /* in tables, beside services too */
	const char *fields; /* of CSV, split at ", "; "": the usual ones */
	const struct filter *filter; /* of what is written; NULL: everything */
	uint64_t rotate_bytes, rotate_ns; /* 0: not by size, not by time */

	struct ctl_plugins plugins;

	/* [banner] */
	bool banner;
	uint32_t banner_bytes;
	uint64_t banner_wait_ns;

	/* [detection] */
	const struct detect_rules *fingerprints; /* NULL: off, or no banners */
	unsigned left_out; /* of Recog's */
	bool fingerprints_unused; /* some were named, but nothing reads banners */

	struct dp_sim_params sim;

	/* [checkpoint] */
	const char
		*checkpoint; /* path; "": none. Of a resumed scan the file that it goes on from */
	uint64_t checkpoint_interval_ns;
	bool by_value; /* some list of addresses cannot be read again */
	const struct checkpoint *resume; /* what to go on from; NULL: the scan begins */

	/* [metrics] */
	struct ctl_listen listen;
	struct ctl_allowed allow; /* who may ask there; none: the machine itself */
	bool telemetry; /* DPDK's */

	/* [status] and flags */
	uint64_t status_interval_ns;
	const char *status_file; /* "": none */
	bool quiet, verbose;
	bool json_status; /* records on standard error, instead of the progress line */

	/* [control] */
	const char *control_socket; /* path; "": none */
	const char *config_file; /* --config; NULL: none, or standard input */
	bool stdin_used; /* something was read from standard input */

	/* What a person should know before the run, a line each without its end. */
	const char *const *warnings;
	unsigned nb_warnings;
};

/*
 * Read the command line and what it names. On success *@config belongs to the caller
 * (ctl_config_destroy()). On failure returns a negative errno with @err filled: one line that names
 * what (file, line, key or flag), the value and what is allowed.
 */
int ctl_config_load(int argc, char **argv, struct ctl_config **config, struct dp_error *err);
void ctl_config_destroy(struct ctl_config *config); /* NULL is fine */

/*
 * The rate that [scan] of the file of --config names now, by `rate` or else by `timing`, whatever the command
 * line said; nothing else of the file matters. For SIGUSR2, while a scan runs. 0, or a negative errno with
 * @err filled.
 */
struct value_rate;
int ctl_config_read_rate(
	const struct ctl_config *config, struct value_rate *rate, struct dp_error *err);

/*
 * All keys that have a value, with their canonical text: what ctl_config_load() needs to come to the
 * same configuration. Those of [plugin:NAME] and outputs of plugins too. 0, or what @fn returned.
 */
typedef int (*ctl_setting_fn)(void *user, const char *section, const char *key, const char *text);
int ctl_config_each_setting(const struct ctl_config *config, ctl_setting_fn fn, void *user);

/* Whether a resumed scan may have another value of it: it changes neither set, order nor output. */
bool ctl_config_may_change(const char *section, const char *key);

/* All files that were read for it, but lists of addresses where they are kept by value. */
typedef int (*ctl_input_fn)(void *user, const char *what, const char *path);
int ctl_config_each_input(const struct ctl_config *config, ctl_input_fn fn, void *user);

/* Write the merged configuration as an INI file that gives the same run. 0 or a negative errno. */
int ctl_config_print(const struct ctl_config *config, FILE *out);

/* Write conf/scan.ini: every key at its default, with what it means and what it takes. */
int ctl_config_print_reference(FILE *out);

/* Write the text of --help. */
int ctl_config_print_help(FILE *out);

#endif
