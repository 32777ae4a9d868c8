/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin.toml: one table says which keys there are, what they hold and who takes them.
 *
 * Any thread or process, while a plugin is loaded; what is read belongs to the plugin. The file is
 * taken as hostile.
 */
#include "folder.h"
#include "manifest.h"
#include "toml.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEFAULT_CONNECTIONS = 512,
	MOST_CONNECTIONS = 65536,
};

#define NB(table) (sizeof(table) / sizeof((table)[0]))

const char *const lh_type_names[LH_TYPE_COUNT] = {"scan", "output", "detection"};
const char *const lh_state_names[LH_STATE_COUNT]
	= {"open", "closed", "filtered", "unfiltered", "up"};

/* A manifest that is being read. */
struct manifest {
	struct lh_plugin *plugin;
	const char *version;
	struct place place;
	struct lh_error *err;
};

struct field {
	const char *table; /* "" is the top */
	const char *key;
	uint32_t kinds; /* 1 << enum toml_kind */
	const char *expect; /* what is right, for people */
	int (*take)(struct manifest *m, const struct field *field, const struct toml_node *node);
	size_t offset; /* in struct lh_plugin, for takers of several fields */
	int64_t max;
	bool required;
};

static int fail_memory(struct manifest *m) {
	return lh_fail(m->err, false, -ENOMEM, "out of memory");
}

/* The node is where it is wrong. */
#define FAIL(m, node, ...)                                                                         \
	((m)->place.line = (node)->line, place_fail((m)->err, &(m)->place, -EINVAL, __VA_ARGS__))

static const char *kind_name(enum toml_kind kind) {
	static const char *const names[] = {
		[TOML_STRING] = "a string",
		[TOML_INTEGER] = "a whole number",
		[TOML_NUMBER] = "a number with a point",
		[TOML_BOOLEAN] = "true or false",
		[TOML_DATE] = "a date or a time",
		[TOML_ARRAY] = "an array",
		[TOML_TABLE] = "a table",
	};

	return names[kind];
}

/* ---- Takers: of one value each ---- */

/* Escape sequences in a description would reach the user's terminal. */
static bool has_controls(const char *text) {
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if ((*p < 0x20 && !strchr("\t\r\n", *p)) || *p == 0x7f
			|| (p[0] == 0xc2 && p[1] < 0xa0))
			return true;
	return false;
}

static int take_text(struct manifest *m, const struct field *field, const struct toml_node *node) {
	char **text = (char **)((char *)m->plugin + field->offset);

	if (has_controls(node->string))
		return FAIL(
			m, node, "%s has control characters; it has to be plain text", field->key);
	char *copy = strdup(node->string);
	if (!copy)
		return fail_memory(m);
	free(*text);
	*text = copy;
	return 0;
}

/* Known keys whose values this version has no use for. */
static int take_nothing(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	for (size_t i = 0; i < node->nb_items; i++)
		if (node->items[i].kind != TOML_STRING)
			return FAIL(m, &node->items[i], "%s must be %s, but item %zu is %s",
				field->key, field->expect, i + 1, kind_name(node->items[i].kind));
	return 0;
}

static int take_name(struct manifest *m, const struct field *field, const struct toml_node *node) {
	if (!lh_name_valid(node->string))
		return FAIL(m, node,
			"name \"%.64s\" is no plugin name; use 1 to 64 characters of a-z, 0-9 and "
			"-",
			node->string);
	if (strcmp(node->string, m->plugin->name))
		return FAIL(m, node,
			"name \"%s\" is not the folder's name, \"%s\"; they have to be equal",
			node->string, m->plugin->name);
	return 0;
}

static bool is_version(const char *text) {
	bool valid;

	lh_version_compare(text, text, &valid);
	return valid;
}

static int take_version(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	if (!is_version(node->string))
		return FAIL(m, node, "%s \"%.64s\" is no semantic version like 1.0.0", field->key,
			node->string);
	return take_text(m, field, node);
}

static int take_type(struct manifest *m, const struct field *field, const struct toml_node *node) {
	for (unsigned i = 0; i < LH_TYPE_COUNT; i++)
		if (!strcmp(node->string, lh_type_names[i])) {
			m->plugin->type = (enum lh_type)i;
			return 0;
		}
	return FAIL(m, node, "plugin_type \"%.64s\" is not known; it must be %s", node->string,
		field->expect);
}

static int take_capability(struct manifest *m, const struct toml_node *node) {
	static const struct {
		const char *name;
		uint32_t bit; /* 0: always refused */
	} known[] = {
		{"network", LH_CAP_NETWORK},
		{"filesystem", LH_CAP_FILESYSTEM},
		{"system", 0},
		{"database", 0},
	};

	for (unsigned i = 0; i < NB(known); i++) {
		if (strcmp(node->string, known[i].name))
			continue;
		if (!known[i].bit)
			return FAIL(m, node,
				"capability \"%s\" is known, but this version always refuses it; "
				"network and filesystem can be had",
				known[i].name);
		m->plugin->capabilities |= known[i].bit;
		return 0;
	}
	return FAIL(m, node, "unknown capability \"%.64s\"; known are network and filesystem",
		node->string);
}

/* Each item has to be of one of @kinds, and there has to be one. */
static int check_items(struct manifest *m, const struct field *field, const struct toml_node *node,
	uint32_t kinds) {
	if (!node->nb_items)
		return FAIL(m, node,
			"%s is empty, so that nothing could match; leave it out, or make it %s",
			field->key, field->expect);
	for (size_t i = 0; i < node->nb_items; i++)
		if (!(kinds & 1u << node->items[i].kind))
			return FAIL(m, &node->items[i], "%s must be %s, but item %zu is %s",
				field->key, field->expect, i + 1, kind_name(node->items[i].kind));
	return 0;
}

static int take_capabilities(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	int rc = node->nb_items ? check_items(m, field, node, 1 << TOML_STRING) : 0;

	for (size_t i = 0; i < node->nb_items && !rc; i++)
		rc = take_capability(m, &node->items[i]);
	return rc;
}

static bool read_port(const char **text, unsigned long *port) {
	const size_t digits = strspn(*text, "0123456789");

	if (!digits || digits > 5)
		return false;
	*port = strtoul(*text, NULL, 10);
	*text += digits;
	return *port <= UINT16_MAX;
}

/* "8000-8100" or "80" */
static bool read_range(const char *text, struct lh_port_range *range) {
	unsigned long first, last;

	if (!read_port(&text, &first))
		return false;
	last = first;
	if (*text == '-' && (++text, !read_port(&text, &last)))
		return false;
	*range = (struct lh_port_range){(uint16_t)first, (uint16_t)last};
	return !*text && first <= last;
}

static int take_port(
	struct manifest *m, const struct toml_node *node, struct lh_port_range *range) {
	if (node->kind == TOML_STRING && !read_range(node->string, range))
		return FAIL(m, node,
			"ports: \"%.32s\" is no range of ports; write it like \"8000-8100\", from "
			"0 "
			"to 65535",
			node->string);
	if (node->kind == TOML_STRING)
		return 0;
	if (node->integer < 0 || node->integer > UINT16_MAX)
		return FAIL(m, node, "ports: %lld is no port; give 0 to 65535",
			(long long)node->integer);
	*range = (struct lh_port_range){(uint16_t)node->integer, (uint16_t)node->integer};
	return 0;
}

static int take_ports(struct manifest *m, const struct field *field, const struct toml_node *node) {
	struct lh_match *match = &m->plugin->match;
	int rc = check_items(m, field, node, 1 << TOML_INTEGER | 1 << TOML_STRING);
	if (rc)
		return rc;
	match->ports = calloc(node->nb_items, sizeof *match->ports);
	if (!match->ports)
		return fail_memory(m);
	match->nb_ports = (unsigned)node->nb_items;
	for (size_t i = 0; i < node->nb_items && !rc; i++)
		rc = take_port(m, &node->items[i], &match->ports[i]);
	return rc;
}

static int take_one_state(struct manifest *m, const struct toml_node *node) {
	for (unsigned i = 0; i < LH_STATE_COUNT; i++)
		if (!strcmp(node->string, lh_state_names[i])) {
			m->plugin->match.states |= UINT32_C(1) << i;
			return 0;
		}
	return FAIL(m, node,
		"state \"%.64s\" is not known; it must be open, closed, filtered, unfiltered or up",
		node->string);
}

static int take_state(struct manifest *m, const struct field *field, const struct toml_node *node) {
	const bool list = node->kind == TOML_ARRAY;
	int rc = list ? check_items(m, field, node, 1 << TOML_STRING) : 0;
	if (rc)
		return rc;
	m->plugin->match.states = 0;
	if (!list)
		return take_one_state(m, node);
	for (size_t i = 0; i < node->nb_items && !rc; i++)
		rc = take_one_state(m, &node->items[i]);
	return rc;
}

static int take_services(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	struct lh_match *match = &m->plugin->match;
	int rc = check_items(m, field, node, 1 << TOML_STRING);
	if (rc)
		return rc;
	match->services = calloc(node->nb_items, sizeof *match->services);
	if (!match->services)
		return fail_memory(m);
	for (size_t i = 0; i < node->nb_items; i++) {
		if (!*node->items[i].string)
			return FAIL(m, &node->items[i],
				"service: item %zu is empty; name a service", i + 1);
		match->services[i] = strdup(node->items[i].string);
		if (!match->services[i])
			return fail_memory(m);
		match->nb_services++;
	}
	return 0;
}

static int take_scope(struct manifest *m, const struct field *field, const struct toml_node *node) {
	static const char *const names[] = {[LH_SCOPE_TARGET] = "target", [LH_SCOPE_SCAN] = "scan"};

	for (unsigned i = 0; i < NB(names); i++)
		if (!strcmp(node->string, names[i])) {
			m->plugin->scope = (enum lh_scope)i;
			return 0;
		}
	return FAIL(m, node, "scope \"%.64s\" is not known; it must be %s", node->string,
		field->expect);
}

static int check_count(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	if (node->integer >= 1 && node->integer <= field->max)
		return 0;
	return FAIL(m, node, "%s is %lld; give %s", field->key, (long long)node->integer,
		field->expect);
}

static int take_u32(struct manifest *m, const struct field *field, const struct toml_node *node) {
	int rc = check_count(m, field, node);

	if (!rc)
		*(uint32_t *)((char *)m->plugin + field->offset) = (uint32_t)node->integer;
	return rc;
}

static int take_u64(struct manifest *m, const struct field *field, const struct toml_node *node) {
	int rc = check_count(m, field, node);

	if (!rc)
		*(uint64_t *)((char *)m->plugin + field->offset) = (uint64_t)node->integer;
	return rc;
}

static int take_seconds(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	const double value = node->kind == TOML_INTEGER ? (double)node->integer : node->number;

	if (!isfinite(value) || value <= 0)
		return FAIL(m, node, "%s is %g; give %s", field->key, value, field->expect);
	memcpy((char *)m->plugin + field->offset, &value, sizeof(value));
	return 0;
}

static int take_min_version(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	bool valid;

	if (!is_version(node->string))
		return FAIL(m, node, "%s \"%.64s\" is no semantic version like 0.1.0", field->key,
			node->string);
	if (m->version && lh_version_compare(m->version, node->string, &valid) < 0)
		return FAIL(m, node, "needs prtip-dp %.64s or newer, and this is %s", node->string,
			m->version);
	return 0;
}

static int take_lua_version(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	if (!strcmp(node->string, "5.1") || !strcmp(node->string, "luajit"))
		return 0;
	return FAIL(m, node,
		"lua_version \"%.32s\" cannot be had: plugins run in LuaJIT, which is Lua 5.1; it "
		"must be \"5.1\" or \"luajit\"",
		node->string);
}

/* ---- [config] ---- */

static int take_value(struct manifest *m, const struct toml_node *node, struct lh_value *value);

static int take_array(struct manifest *m, const struct toml_node *node, struct lh_value *value) {
	int rc = 0;

	value->kind = LH_VALUE_ARRAY;
	if (!node->nb_items)
		return 0;
	value->items = calloc(node->nb_items, sizeof *value->items);
	if (!value->items)
		return fail_memory(m);
	value->nb_items = (unsigned)node->nb_items;
	for (size_t i = 0; i < node->nb_items && !rc; i++) {
		if (node->items[i].kind == TOML_ARRAY)
			return FAIL(m, &node->items[i],
				"%.64s in [config] holds an array in an array; only plain values "
				"may "
				"be in one",
				node->key);
		rc = take_value(m, &node->items[i], &value->items[i]);
	}
	return rc;
}

static int take_string(struct manifest *m, const struct toml_node *node, struct lh_value *value) {
	value->kind = LH_VALUE_STRING;
	value->string = strdup(node->string);
	return value->string ? 0 : fail_memory(m);
}

static int take_value(struct manifest *m, const struct toml_node *node, struct lh_value *value) {
	switch (node->kind) {
	case TOML_STRING:
		return take_string(m, node, value);
	case TOML_INTEGER:
		value->kind = LH_VALUE_INTEGER;
		value->integer = node->integer;
		return 0;
	case TOML_NUMBER:
		value->kind = LH_VALUE_NUMBER;
		value->number = node->number;
		return 0;
	case TOML_BOOLEAN:
		value->kind = LH_VALUE_BOOLEAN;
		value->boolean = node->boolean;
		return 0;
	case TOML_ARRAY:
		return take_array(m, node, value);
	default:
		return FAIL(m, node,
			"%.64s%s[config] holds %s; only strings, numbers, true, false and arrays "
			"of "
			"these may be there",
			node->key ? node->key : "an array", " in ", kind_name(node->kind));
	}
}

static int take_setting(struct manifest *m, const struct toml_node *node, struct lh_value *value) {
	if (!*node->key || has_controls(node->key) || strpbrk(node->key, "\t\r\n"))
		return FAIL(m, node,
			"\"%.64s\" in [config] is no name for a setting; use letters, digits and _",
			node->key);
	value->key = strdup(node->key);
	if (!value->key)
		return fail_memory(m);
	return take_value(m, node, value);
}

static int take_config(
	struct manifest *m, const struct field *field, const struct toml_node *node) {
	struct lh_plugin *plugin = m->plugin;
	int rc = 0;

	if (!node->nb_items)
		return 0;
	plugin->config = calloc(node->nb_items, sizeof *plugin->config);
	if (!plugin->config)
		return fail_memory(m);
	plugin->nb_config = (unsigned)node->nb_items;
	for (size_t i = 0; i < node->nb_items && !rc; i++)
		rc = take_setting(m, &node->items[i], &plugin->config[i]);
	return rc;
}

/* ---- Tables ---- */

static int take_table(struct manifest *m, const struct field *field, const struct toml_node *node);

#define AT(member) .offset = offsetof(struct lh_plugin, member)
#define STRING .kinds = 1 << TOML_STRING
#define INTEGER .kinds = 1 << TOML_INTEGER
#define NUMBER .kinds = 1 << TOML_INTEGER | 1 << TOML_NUMBER
#define ARRAY .kinds = 1 << TOML_ARRAY
#define TABLE .kinds = 1 << TOML_TABLE

/* clang-format off */
static const struct field fields[] = {
	{"", "plugin", TABLE, "a table, [plugin]", take_table, .required = true},
	{"", "config", TABLE, "a table, [config]", take_config},

	{"plugin", "name", STRING, "a string, the folder's name", take_name, .required = true},
	{"plugin", "version", STRING, "a string like \"1.0.0\"", take_version, AT(version), .required = true},
	{"plugin", "author", STRING, "a string", take_text, AT(author), .required = true},
	{"plugin", "description", STRING, "a string", take_text, AT(description), .required = true},
	{"plugin", "license", STRING, "a string", take_text, AT(license)},
	{"plugin", "plugin_type", STRING, "\"scan\", \"output\" or \"detection\"", take_type, .required = true},
	{"plugin", "capabilities", ARRAY, "an array like [\"network\"]", take_capabilities},
	{"plugin", "match", TABLE, "a table, [plugin.match]", take_table},
	{"plugin", "network", TABLE, "a table, [plugin.network]", take_table},
	{"plugin", "limits", TABLE, "a table, [plugin.limits]", take_table},
	{"plugin", "dependencies", TABLE, "a table, [plugin.dependencies]", take_table},
	{"plugin", "metadata", TABLE, "a table, [plugin.metadata]", take_table},

	{"plugin.match", "ports", ARRAY, "an array like [80, \"8000-8100\"]", take_ports},
	{"plugin.match", "state", .kinds = 1 << TOML_STRING | 1 << TOML_ARRAY,
		"a string like \"open\", or an array of them", take_state},
	{"plugin.match", "service", ARRAY, "an array like [\"http\", \"https\"]", take_services},

	{"plugin.network", "scope", STRING, "\"target\" or \"scan\"", take_scope},
	{"plugin.network", "max_connections", INTEGER, "a whole number from 1 to 65536", take_u32,
		AT(max_connections), MOST_CONNECTIONS},

	{"plugin.limits", "memory_mb", INTEGER, "a whole number from 1 to 4294967295", take_u32,
		AT(limits.memory_mb), UINT32_MAX},
	{"plugin.limits", "cpu_seconds", NUMBER, "a number over 0", take_seconds, AT(limits.cpu_s)},
	{"plugin.limits", "wall_seconds", NUMBER, "a number over 0", take_seconds, AT(limits.wall_s)},
	{"plugin.limits", "instructions", INTEGER, "a whole number from 1 up", take_u64,
		AT(limits.instructions), INT64_MAX},
	{"plugin.limits", "phase_seconds", NUMBER, "a number over 0", take_seconds, AT(limits.phase_s)},

	{"plugin.dependencies", "min_prtip_version", STRING, "a string like \"0.1.0\"", take_min_version},
	{"plugin.dependencies", "lua_version", STRING, "\"5.1\" or \"luajit\", in quotes", take_lua_version},

	{"plugin.metadata", "tags", ARRAY, "an array of strings", take_nothing},
	{"plugin.metadata", "category", STRING, "a string", take_nothing},
	{"plugin.metadata", "homepage", STRING, "a string", take_nothing},
	{"plugin.metadata", "repository", STRING, "a string", take_nothing},
};
/* clang-format on */

static const struct field *find_field(const char *table, const char *key) {
	for (unsigned i = 0; i < NB(fields); i++)
		if (!strcmp(fields[i].table, table) && !strcmp(fields[i].key, key))
			return &fields[i];
	return NULL;
}

static unsigned least(unsigned a, unsigned b) {
	return a < b ? a : b;
}

/* Levenshtein's distance of @a from @b, which is one of ours. */
static unsigned distance(const char *a, const char *b) {
	enum { LONGEST = 32 };
	const size_t length = strlen(b);
	unsigned row[LONGEST + 1];

	if (length > LONGEST)
		return UINT_MAX;
	for (unsigned j = 0; j <= length; j++)
		row[j] = j;
	for (unsigned i = 1; *a; a++, i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= length; j++) {
			const unsigned above = row[j];

			row[j] = least(least(above, row[j - 1]) + 1, corner + (*a != b[j - 1]));
			corner = above;
		}
	}
	return row[length];
}

static const char *nearest_key(const char *table, const char *key) {
	const char *nearest = "";
	unsigned best = UINT_MAX;

	for (unsigned i = 0; i < NB(fields); i++) {
		if (strcmp(fields[i].table, table))
			continue;
		const unsigned far = distance(key, fields[i].key);
		if (far < best) {
			best = far;
			nearest = fields[i].key;
		}
	}
	return nearest;
}

/* Where the key would be known; NULL: nowhere. */
static const char *home_table(const char *key) {
	for (unsigned i = 0; i < NB(fields); i++)
		if (!strcmp(fields[i].key, key))
			return fields[i].table;
	return NULL;
}

static int fail_unknown(struct manifest *m, const char *table, const struct toml_node *node) {
	const char *home = home_table(node->key);
	const char *what = node->kind == TOML_TABLE ? "table" : "key";

	if (home && *home)
		return FAIL(m, node, "unknown %s \"%.64s\" in %s%s%s; it belongs in [%s]", what,
			node->key, *table ? "[" : "", *table ? table : "the top", *table ? "]" : "",
			home);
	if (home)
		return FAIL(m, node, "unknown %s \"%.64s\" in [%s]; it belongs at the top, as [%s]",
			what, node->key, table, node->key);
	return FAIL(m, node, "unknown %s \"%.64s\" in %s%s%s; the nearest one known is \"%s\"",
		what, node->key, *table ? "[" : "", *table ? table : "the top", *table ? "]" : "",
		nearest_key(table, node->key));
}

static int take_key(struct manifest *m, const char *table, const struct toml_node *node) {
	const struct field *field = find_field(table, node->key);

	if (!field)
		return fail_unknown(m, table, node);
	if (!(field->kinds & 1u << node->kind))
		return FAIL(m, node, "%s must be %s, not %s", field->key, field->expect,
			kind_name(node->kind));
	return field->take(m, field, node);
}

static int check_required(struct manifest *m, const char *table, const struct toml_node *node) {
	for (unsigned i = 0; i < NB(fields); i++) {
		const struct field *field = &fields[i];

		if (!field->required || strcmp(field->table, table) || toml_find(node, field->key))
			continue;
		if (!*table)
			return FAIL(m, &(struct toml_node){0}, "[%s] is missing; a plugin needs it",
				field->key);
		return FAIL(m, node, "%s is missing in [%s]; it must be %s", field->key, table,
			field->expect);
	}
	return 0;
}

static int take_keys(struct manifest *m, const char *table, const struct toml_node *node) {
	int rc = 0;

	for (size_t i = 0; i < node->nb_items && !rc; i++)
		rc = take_key(m, table, &node->items[i]);
	return rc ? rc : check_required(m, table, node);
}

static int take_table(struct manifest *m, const struct field *field, const struct toml_node *node) {
	char name[64];

	snprintf(name, sizeof name, "%s%s%s", field->table, *field->table ? "." : "", field->key);
	return take_keys(m, name, node);
}

/* What only all tables together tell. */
static int check_whole(struct manifest *m, const struct toml_node *root) {
	const struct toml_node *network = toml_find(toml_find(root, "plugin"), "network");

	if (network && !(m->plugin->capabilities & LH_CAP_NETWORK))
		return FAIL(m, network,
			"[plugin.network] needs capability \"network\"; add it to capabilities, or "
			"leave the table out");
	return 0;
}

static int take_defaults(struct manifest *m) {
	struct lh_plugin *plugin = m->plugin;

	plugin->match.states = 1u << LH_STATE_OPEN | 1u << LH_STATE_UP;
	plugin->scope = LH_SCOPE_TARGET;
	plugin->max_connections = DEFAULT_CONNECTIONS;
	plugin->author = strdup("");
	plugin->description = strdup("");
	plugin->license = strdup("");
	return plugin->author && plugin->description && plugin->license ? 0 : fail_memory(m);
}

static int parse(struct manifest *m, const char *text, size_t bytes, struct toml_node **root) {
	struct toml_fault fault;
	int rc = toml_read(text, bytes, root, &fault);

	if (rc == -ENOMEM)
		return fail_memory(m);
	m->place.line = rc ? fault.line : 0;
	return rc ? place_fail(m->err, &m->place, rc, "%s", fault.text) : 0;
}

int manifest_read(struct lh_plugin *plugin, const char *version, const char *text, size_t bytes,
	struct lh_error *err) {
	struct manifest m = {plugin, version, {plugin->folder, "plugin.toml", 0}, err};
	struct toml_node *root;
	int rc = parse(&m, text, bytes, &root);

	if (rc)
		return rc;
	rc = take_defaults(&m);
	if (!rc)
		rc = take_keys(&m, "", root);
	if (!rc)
		rc = check_whole(&m, root);
	toml_free(root);
	return rc;
}

char *manifest_version(const char *text, size_t bytes) {
	struct toml_fault fault;
	struct toml_node *root;
	char *version = NULL;

	if (toml_read(text, bytes, &root, &fault))
		return NULL;
	const struct toml_node *node = toml_find(root, "plugin");
	node = node && node->kind == TOML_TABLE ? toml_find(node, "version") : NULL;
	if (node && node->kind == TOML_STRING && is_version(node->string))
		version = strdup(node->string);
	toml_free(root);
	return version;
}
