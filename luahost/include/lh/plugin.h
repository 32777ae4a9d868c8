/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plugins as they lie on disk: a folder NAME/ with plugin.toml, main.lua, README.md and optionally
 * lib/NAME.lua and tests/NAME.lua, read and validated once.
 *
 * Reading a plugin runs none of its code. A struct lh_plugin owns all that it points to, is
 * constant after lh_plugin_load(), and may be shared by processes through fork().
 */
#ifndef LH_PLUGIN_H
#define LH_PLUGIN_H

#include <lh/error.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	LH_NAME_BYTES = 65, /* [a-z0-9-]{1,64} and a NUL */
};

enum lh_type {
	LH_TYPE_SCAN,
	LH_TYPE_OUTPUT,
	LH_TYPE_DETECTION,
	LH_TYPE_COUNT,
};

enum lh_capability { /* a bit each */
	LH_CAP_NETWORK = 1,
	LH_CAP_FILESYSTEM = 2,
};

enum lh_hook {
	LH_HOOK_ON_LOAD,
	LH_HOOK_ON_UNLOAD,
	LH_HOOK_ON_PRE_SCAN,
	LH_HOOK_ON_TARGET,
	LH_HOOK_ON_POST_SCAN,
	LH_HOOK_FORMAT_RESULT,
	LH_HOOK_EXPORT,
	LH_HOOK_ANALYZE_BANNER,
	LH_HOOK_PROBE_SERVICE,
	LH_HOOK_COUNT,
};

/* States of a result, as INTERFACE section 4 names them. A bit each in a match. */
enum lh_state {
	LH_STATE_OPEN,
	LH_STATE_CLOSED,
	LH_STATE_FILTERED,
	LH_STATE_UNFILTERED,
	LH_STATE_UP,
	LH_STATE_COUNT,
};

enum lh_scope {
	LH_SCOPE_TARGET, /* only the address being handled */
	LH_SCOPE_SCAN, /* any address in the scan's scope */
};

struct lh_port_range {
	uint16_t first, last;
};

/* For which results the plugin is called. */
struct lh_match {
	struct lh_port_range *ports; /* NULL: all */
	unsigned nb_ports;
	uint32_t states; /* 1 << enum lh_state; by default open and up */
	char **services; /* NULL: all */
	unsigned nb_services;
};

/* What one call may use. */
struct lh_limits {
	uint32_t memory_mb;
	double cpu_s;
	double wall_s;
	uint64_t instructions;
	double phase_s;
};

enum lh_value_kind {
	LH_VALUE_STRING,
	LH_VALUE_INTEGER,
	LH_VALUE_NUMBER,
	LH_VALUE_BOOLEAN,
	LH_VALUE_ARRAY, /* of scalars */
};

/* One key of [config], or of [plugin:NAME] in the INI file after it took its type. */
struct lh_value {
	char *key; /* NULL in an array */
	enum lh_value_kind kind;
	char *string;
	int64_t integer;
	double number;
	bool boolean;
	struct lh_value *items; /* of an array */
	unsigned nb_items;
};

/* A Lua file of the plugin. */
struct lh_source {
	char *name; /* "main.lua", "lib/http.lua", "tests/basic.lua" */
	char *text;
	size_t bytes;
};

struct lh_plugin {
	char name[LH_NAME_BYTES];
	char *folder; /* absolute path */
	char *version; /* semantic version */
	char *author, *description, *license; /* "" where not given */
	enum lh_type type;
	uint32_t capabilities; /* enum lh_capability */
	struct lh_match match;
	enum lh_scope scope;
	uint32_t max_connections; /* 512 by default */
	/* [plugin.limits]: 0 where not given */
	struct lh_limits limits;
	struct lh_value *config; /* [config], in the order of the file */
	unsigned nb_config;
	struct lh_source *sources; /* main.lua first, then lib/, then tests/, each sorted */
	unsigned nb_sources;
	uint32_t hooks; /* 1 << enum lh_hook: defined globally in main.lua as the syntax shows */
};

extern const char *const lh_type_names[LH_TYPE_COUNT]; /* "scan" "output" "detection" */
extern const char *const lh_hook_names[LH_HOOK_COUNT]; /* "on_load" ... */
extern const char *const lh_state_names[LH_STATE_COUNT]; /* "open" ... */

/* Hooks that belong to a type (on_load and on_unload belong to all): 1 << enum lh_hook. */
uint32_t lh_type_hooks(enum lh_type type);

/*
 * Read the plugin in @folder (whose last part must be its name) and validate all that can be
 * validated without running it: manifest, names, versions against @version ("0.1.0", the program's),
 * syntax of each Lua file (with its line), at least one hook of its type. Symbolic links that leave
 * the folder, devices and files over 4 MiB are refused. 0, or a negative errno with @err filled:
 * FOLDER/plugin.toml:LINE: what was wrong and what would be right. Free with lh_plugin_free().
 */
int lh_plugin_load(
	const char *folder, const char *version, struct lh_plugin **plugin, struct lh_error *err);
void lh_plugin_free(struct lh_plugin *plugin); /* NULL is fine */

/*
 * Give [config]'s key @key the value that @text stands for, in the type of its default (arrays are
 * split at commas, blanks around items dropped), or add it as a string. 0, or -EINVAL / -ENOMEM with
 * @err filled; @where ("scan.ini:12: [plugin:http-enum]" or "--plugin-arg") begins the error.
 */
int lh_plugin_set(struct lh_plugin *plugin, const char *key, const char *text, const char *where,
	struct lh_error *err);

/* True where [a-z0-9-]{1,64}. */
bool lh_name_valid(const char *name);

/*
 * Compare semantic versions: < 0, 0, > 0 by semver 2.0.0 section 11. *@valid is false where one of
 * them is no semantic version (then the result means nothing).
 */
int lh_version_compare(const char *a, const char *b, bool *valid);

/* ---- What is there ---- */

/* A folder that looks like a plugin, valid or not. */
struct lh_entry {
	char name[LH_NAME_BYTES]; /* of the folder; cut where it is too long to be one */
	char *folder;
	struct lh_plugin *plugin; /* NULL: invalid */
	struct lh_error error; /* why */
	char *shadows; /* folder of a later directory with the same name; NULL: none */
};

struct lh_catalog {
	struct lh_entry *entries; /* sorted by name */
	unsigned nb_entries;
};

/*
 * Look through @dirs (earlier ones win; one that does not exist is no error; one that cannot be read
 * is). Entries are the folders with a plugin.toml inside. 0 or a negative errno with @err filled.
 */
int lh_catalog_read(const char *const *dirs, unsigned nb_dirs, const char *version,
	struct lh_catalog **catalog, struct lh_error *err);
void lh_catalog_free(struct lh_catalog *catalog); /* NULL is fine */

struct lh_entry *lh_catalog_find(const struct lh_catalog *catalog, const char *name);

/* Write the table (80 columns where it can be, never cut within a word) or JSON. 0 or -errno. */
int lh_catalog_print(const struct lh_catalog *catalog, bool json, FILE *out);

/* ---- Making ---- */

/*
 * Make the folder @dir/@name with a small working plugin of @type, which needs at least @version of
 * the program, and print to @out what was made. Never writes into what is there: -EEXIST. 0 or a negative errno with @err filled; then nothing was made.
 */
int lh_skeleton(const char *dir, const char *name, enum lh_type type, const char *version,
	FILE *out, struct lh_error *err);

/* ---- Installing ---- */

/* ~/.prtip/plugins or ~/.prtip/data of the user who runs this (HOME, else the password file); to be
 * freed; NULL: no memory. */
char *lh_home_plugins(void);
char *lh_home_data(void);

/*
 * Copy the (loaded and checked) @plugin into @dir, atomically: a temporary folder beside it, fsync,
 * rename. Makes @dir (mode 0755) where it is missing. Where one of that name is there, only a newer
 * version replaces it; the same or an older one is -EEXIST. *@replaced is its version, to be freed,
 * or NULL. 0 or a negative errno with @err filled; then @dir is as before.
 */
int lh_install(
	const struct lh_plugin *plugin, const char *dir, char **replaced, struct lh_error *err);

/* Remove NAME from @dir, atomically to those who look. -ENOENT with @err filled where it is not there. */
int lh_remove(const char *name, const char *dir, struct lh_error *err);

#endif
