/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of all options. One row is one setting or one flag; INI keys, command line, help,
 * --print-config and conf/scan.ini all follow from it.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "config.h"
#include "value.h"

/* What the keys of one port are read into. */
struct port_settings {
	const char *port;
	struct {
		struct dp_range range[DP_MAX_SOURCES]; /* ascending, disjoint */
		unsigned nb; /* 0: automatic */
	} source;
	struct {
		dp_ip v4, v6; /* 0: automatic */
	} gateway;
	struct {
		bool given;
		uint8_t bytes[6];
	} gateway_mac;
	uint64_t vlan;
};

/* What the rows read their values into. */
struct settings {
	const char *targets, *targets_file, *exclude, *exclude_file, *ports;
	unsigned resolve, family; /* of names among the targets: places in the rows' names */
	const char *resolved;
	uint64_t top_ports;
	const char *exclude_ports;
	bool default_excludes;
	const struct dp_scan_type *type;
	unsigned dedup, hugepages; /* places in the rows' names */
	uint64_t rotate_bytes, rotate_ns;
	uint64_t timing, seed, dedup_mb, probes, max_results, max_runtime_ns;
	const char *udp_payloads;
	struct {
		bool given;
		struct value_rate value;
	} rate;
	uint64_t cooldown_ns;
	struct {
		uint32_t number, of;
	} shard;

	struct port_settings ports_of[1 + DP_MAX_PORTS]; /* the unnumbered keys, then port0's ... */
	const char *eal;
	struct {
		uint16_t first, last;
	} source_ports;
	uint64_t tx_lcores, rx_lcores;

	const char *output_ndjson, *output_table, *output_summary;
	const char *output_csv, *output_xml, *output_list, *output_grep, *output_pcapng;
	const char *fields, *filter;
	bool open_only, reason;
	bool overwrite, append, include_closed;

	double sim_alive, sim_open, sim_loss, sim_duplicate;
	bool sim_banners;
	uint64_t sim_rtt_ns, sim_jitter_ns, sim_seed;

	bool banner;
	uint64_t banner_bytes, banner_wait_ns;
	const char *banner_payloads;

	bool detection;
	const char *fingerprints, *recog;

	const char *plugins, *plugin_dirs;
	const char *more_plugins, *more_plugin_dirs; /* of the flags; NULL: not given */
	uint64_t lanes, memory_mb, instructions, queue, spill_mb;
	double cpu_s, wall_s, phase_s;
	unsigned overflow; /* place in the row's names */
	const char *spill_dir, *device;
	uint64_t drain_ns;
	dp_ip plugin_source_ip; /* 0: none */

	struct ctl_listen listen;
	struct ctl_allowed allow;
	bool telemetry;

	uint64_t status_interval_ns;
	const char *status_file;

	const char *checkpoint;
	bool resume_or_start; /* flag without a key */
	uint64_t checkpoint_interval_ns;

	const char *control_socket;

	bool quiet, verbose, json, json_status; /* flags without a key */
	unsigned new_type; /* likewise; enum lh_type */
};

struct option;

/*
 * A kind of value. read() takes the trimmed text and fills @field and *@canonical, the one text that
 * stands for the value, to be freed. 0, -ENOMEM, or -EINVAL with @why filled.
 */
struct option_type {
	int (*read)(const struct option *option, const char *text, void *field, char **canonical,
		struct value_error *why);
	bool text; /* the field is a const char * that points to the canonical text */
	bool list; /* takes several lines; a later one on the command line may add */
	const char *
		complete; /* what a shell offers: "bool", "type", "file", "folder", "plugin", "device" */
};

enum option_role {
	OPTION_VALUE, /* sets the row's key */
	OPTION_SHORTHAND, /* sets what @sets says */
	OPTION_ACTION, /* says what to do instead of scanning */
	OPTION_SWITCH, /* sets a field that has no key */
	OPTION_CONFIG, /* names the INI file */
	OPTION_RESUME, /* names the checkpoint to go on from */
	OPTION_SET, /* takes SECTION.KEY=VALUE */
	OPTION_OUTPUT, /* takes FORMAT:PATH; with @sets, FORMAT or FORMAT.ENDING ..., PATH alone */
	OPTION_MORE, /* adds to a list of its own, which joins that of a key when all was read */
	OPTION_PLUGIN_ARG, /* takes NAME.KEY=VALUE */
};

struct option {
	enum option_role role;
	const char *section, *key; /* NULL: a flag only */
	const char *group; /* heading in the help; NULL: not listed there */
	const char *flags; /* separated by blanks; NULL: a key only */
	const char *metavar; /* NULL: the flag takes no argument */
	const char *help; /* one line in conf/scan.ini, wrapped in --help */
	const char *sets; /* SECTION.KEY=VALUE, of a shorthand */
	enum ctl_action action;
	bool later; /* known, but refused in this version unless at its default */
	bool numbered; /* one of struct port_settings; key0 to key7 are those of single ports */

	const struct option_type *type;
	uint64_t min, max;
	const char *const *names; /* of an enumeration, NULL-terminated */
	const char *initial; /* default, canonical */
	size_t offset; /* of the field in struct settings */
};

/* The table; *@nb is the number of rows. */
const struct option *options_all(unsigned *nb);

const struct option *options_by_key(const char *section, const char *key);

/* The row of which @key is a numbered form, `source3`, with *@number 1 more than that; or NULL. */
const struct option *options_by_numbered_key(
	const char *section, const char *key, unsigned *number);

const struct option *options_by_flag(const char *flag, size_t length);

bool options_has_section(const char *section);

/* The known name nearest to a misspelt one, or NULL where none is near. */
const char *options_near_section(const char *section);
const char *options_near_key(const char *section, const char *key);
const struct option *options_near_flag(const char *flag, char near[VALUE_TEXT_BYTES]);

/* List the keys of a section, "a, b, c", cut to @room. */
void options_list_keys(const char *section, bool later, char *out, size_t room);

/* Ascending ports as ranges, "1-3,9"; to be freed. NULL: no memory. */
char *option_ports_text(const uint16_t *ports, unsigned nb);

/* The same of what targets_read_endpoints() gave for @type: a mix's with their letters. */
char *option_endpoints_text(const struct dp_scan_type *type, const uint32_t *ports, unsigned nb);

extern const struct option_type option_path; /* type of the output formats' rows */
extern const char *const option_overflow_names[];

#endif
