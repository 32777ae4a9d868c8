/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plugins of a run: from what the configuration says about plugins to those that are found,
 * valid, chosen and set up.
 */
#ifndef CTL_PLUGIN_SET_H
#define CTL_PLUGIN_SET_H

#include <dp/error.h>
#include <lh/plugin.h>

/* One key of [plugin:NAME]. */
struct plugin_setting {
	const char *plugin;
	const char *key; /* NULL: the section itself */
	const char *value;
	const char *where; /* how an error about it begins, "scan.ini:12: [plugin:http-enum]" */
	unsigned line; /* of the file; 0: from the command line */
	bool multi_line;
};

/* An output whose format is not one of ours. */
struct plugin_output {
	const char *name;
	const char *path; /* "": not wanted */
	const char *where; /* "scan.ini:12: [output] html" or "-o html:x" */
	unsigned line; /* of the file; 0: from the command line */
	bool dropped; /* -o took the place of the file's */
};

enum {
	PLUGIN_WHERE_BYTES = 320,
};

/* What the configuration says, before anybody looked into a folder. */
struct plugin_request {
	/* Names, split by ", ". How an error about one of them begins: "--plugin ". */
	struct {
		const char *list;
		char where[PLUGIN_WHERE_BYTES];
	} names[2];
	const char *dirs; /* folders, split by ", "; not empty */
	const char *given_dirs; /* those of them that must be there; "": none */

	struct plugin_setting *settings;
	unsigned nb_settings;
	struct plugin_output *outputs;
	unsigned nb_outputs;

	enum {
		PLUGIN_CHOOSE,
		PLUGIN_LIST, /* read the catalog, choose nothing */
		PLUGIN_DIRS, /* only find out in which folders plugins lie */
	} depth;
};

/*
 * Add a setting, whose strings are copied; it takes the place of an earlier one for the same key
 * (@key NULL: of the section). 0 or -ENOMEM.
 */
int plugin_request_set(struct plugin_request *request, const struct plugin_setting *setting);

/* The same for an output. */
int plugin_request_output(struct plugin_request *request, const struct plugin_output *output);

/* What was said about it so far; NULL: nothing. */
const struct plugin_setting *plugin_request_setting(
	const struct plugin_request *request, const char *plugin, const char *key);
struct plugin_output *plugin_request_find_output(
	const struct plugin_request *request, const char *name);

void plugin_request_clear(struct plugin_request *request); /* free what it owns */

/* The folders that are searched where none are configured, split by ", "; to be freed; NULL: no
 * memory. */
char *plugin_set_default_dirs(void);

struct plugin_set {
	char **dirs; /* each once */
	unsigned nb_dirs;
	struct lh_catalog *catalog; /* NULL: nobody asked */
	struct lh_plugin **enabled; /* belong to the catalog */
	unsigned nb_enabled;
	char **warnings;
	unsigned nb_warnings;
};

/* Look for what @request says. 0, or a negative errno with @err filled. */
int plugin_set_create(
	const struct plugin_request *request, struct plugin_set **set, struct dp_error *err);
void plugin_set_destroy(struct plugin_set *set); /* NULL is fine */

/*
 * Where a plugin has the network capability: whether there is that interface ("": any), without
 * which each connection would fail. 0, or -ENODEV with @err filled. The address is the planner's: it
 * knows whether the port can carry one that no interface has.
 */
int plugin_set_check_device(const struct plugin_set *set, const char *device, struct dp_error *err);

/* 1 + the place of that plugin among the enabled ones; 0: it is none of them. */
unsigned plugin_set_place(const struct plugin_set *set, const char *name);

#endif
