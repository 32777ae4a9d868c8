/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What to scan: address lists, files of them, the default exclusions and port lists, and the frozen
 * target space that comes of them.
 */
#ifndef CTL_TARGETS_H
#define CTL_TARGETS_H

#include "names.h"
#include "value.h"

#include <dp/error.h>
#include <dp/scan.h>
#include <dp/space.h>

enum {
	PORTS_MAX = 65536,
};

/* Lists are canonical text; NULL or "": none. File lists are split at commas. */
struct targets_spec {
	const struct dp_scan_type *type; /* NULL: any families, and ports */
	const char *targets;
	const char *targets_files;
	const char *exclude;
	const char *exclude_files;
	const char *default_list; /* path of the default exclusions; NULL: not wanted */
	const uint32_t *ports; /* ascending; of a mix endpoints */
	unsigned nb_ports; /* 0 where the type has none */
	struct names *names; /* NULL: targets are addresses only; else what is found is put there */
	struct names_policy policy; /* of those */
};

struct targets {
	struct dp_space *space; /* belongs to the caller */
	dp_u128 excluded_default, excluded_exclude; /* pairs */
};

/* Read what @spec names and freeze it. 0, or a negative errno with @err filled. */
int targets_build(const struct targets_spec *spec, struct targets *targets, struct dp_error *err);

/*
 * Read the operator's exclusions of @spec again, list and files, but not standard input, which is
 * gone. 0 with a sealed *@set, which belongs to the caller; or a negative errno with @err filled.
 */
int targets_read_excludes(
	const struct targets_spec *spec, struct dp_ipset **set, struct dp_error *err);

/*
 * Check a list of addresses, and hand back its entries separated by ", " in *@canonical (to be
 * freed). 0, -ENOMEM, or -EINVAL with @err filled.
 */
int targets_check(const char *list, char **canonical, struct value_error *err);

/* The same for a list of targets, which takes host names too: `www.example.org`, `name/24`. */
int targets_check_named(const char *list, char **canonical, struct value_error *err);

/*
 * Read a port list in nmap's syntax for a scan of @type: `T:`, `U:` and `S:` only where it sends
 * such probes; NULL takes all three. @ports has room for PORTS_MAX; filled ascending without
 * repeats. 0, or -EINVAL with @err filled. An empty list is no error: *@nb is 0.
 */
int targets_read_ports(const char *list, const struct dp_scan_type *type, uint16_t *ports,
	unsigned *nb, struct value_error *err);

/*
 * The same as a space takes them: of a mix endpoints, where what comes before a prefix is of all its
 * protocols; else ports. @ports has room for DP_ENDPOINTS.
 */
int targets_read_endpoints(const char *list, const struct dp_scan_type *type, uint32_t *ports,
	unsigned *nb, struct value_error *err);

/* Freeze what targets_read_endpoints() gave for @type; as dp_space_create(). */
int targets_space(const struct dp_ipset *addresses, const struct dp_scan_type *type,
	const uint32_t *ports, unsigned nb_ports, struct dp_space **space);

/* What is written in front of ports of @proto: 'T', 'U' or 'S'; and nmap's flag of a type for them. */
char targets_letter(enum dp_proto proto);
const char *targets_flag(enum dp_proto proto);

/*
 * Where the default exclusions are: beside the program in its build tree, else where they are
 * installed. NULL where there is no memory; to be freed.
 */
char *targets_default_list(void);

#endif
