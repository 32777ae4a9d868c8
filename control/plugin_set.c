/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From what the configuration says about plugins to those that run.
 *
 * Main thread, before the scan starts. A request owns its settings and outputs, a set the catalog
 * with all plugins in it and the texts about them.
 */
#include "datadir.h"
#include "options.h"
#include "plugin_set.h"
#include "value.h"
#include "version.h"

#include <lh/host.h>

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	LIST_BYTES = 160, /* of names or folders in an error */
	NEAR = 3, /* edits that a misspelling may be off, less one */
};

static int no_memory(struct dp_error *err) {
	return dp_fail(err, false, -ENOMEM, "out of memory for the plugins");
}

/* Grow an array that doubles at powers of two; NULL: no memory, and the old one stands. */
static void *grown(void *array, unsigned nb, size_t size) {
	if (nb & (nb - 1) || !array)
		return array ? array : calloc(1, size);
	return reallocarray(array, (size_t)nb * 2, size);
}

/* ---- The request ---- */

static bool same_key(const char *a, const char *b) {
	return a && b ? !strcmp(a, b) : a == b;
}

static struct plugin_setting *find_setting(
	const struct plugin_request *request, const char *plugin, const char *key) {
	for (unsigned i = 0; i < request->nb_settings; i++) {
		struct plugin_setting *setting = &request->settings[i];

		if (!strcmp(setting->plugin, plugin) && same_key(setting->key, key))
			return setting;
	}
	return NULL;
}

const struct plugin_setting *plugin_request_setting(
	const struct plugin_request *request, const char *plugin, const char *key) {
	return find_setting(request, plugin, key);
}

static void free_setting(struct plugin_setting *setting) {
	free((char *)setting->plugin);
	free((char *)setting->key);
	free((char *)setting->value);
	free((char *)setting->where);
}

int plugin_request_set(struct plugin_request *request, const struct plugin_setting *setting) {
	struct plugin_setting *place = find_setting(request, setting->plugin, setting->key);
	struct plugin_setting copy = *setting;
	struct plugin_setting *settings;

	copy.plugin = strdup(setting->plugin);
	copy.key = setting->key ? strdup(setting->key) : NULL;
	copy.value = strdup(setting->value);
	copy.where = strdup(setting->where);
	if (!copy.plugin || (setting->key && !copy.key) || !copy.value || !copy.where)
		goto no_copy;
	if (!place) {
		settings = grown(request->settings, request->nb_settings, sizeof(*settings));
		if (!settings)
			goto no_copy;
		request->settings = settings;
		place = &settings[request->nb_settings++];
	} else {
		free_setting(place);
	}
	*place = copy;
	return 0;
no_copy:
	free_setting(&copy);
	return -ENOMEM;
}

struct plugin_output *plugin_request_find_output(
	const struct plugin_request *request, const char *name) {
	for (unsigned i = 0; i < request->nb_outputs; i++)
		if (!strcmp(request->outputs[i].name, name))
			return &request->outputs[i];
	return NULL;
}

static void free_output(struct plugin_output *output) {
	free((char *)output->name);
	free((char *)output->path);
	free((char *)output->where);
}

int plugin_request_output(struct plugin_request *request, const struct plugin_output *output) {
	struct plugin_output *place = plugin_request_find_output(request, output->name);
	struct plugin_output copy = *output;
	struct plugin_output *outputs;

	copy.name = strdup(output->name);
	copy.path = strdup(output->path);
	copy.where = strdup(output->where);
	if (!copy.name || !copy.path || !copy.where)
		goto no_copy;
	if (!place) {
		outputs = grown(request->outputs, request->nb_outputs, sizeof(*outputs));
		if (!outputs)
			goto no_copy;
		request->outputs = outputs;
		place = &outputs[request->nb_outputs++];
	} else {
		free_output(place);
	}
	*place = copy;
	return 0;
no_copy:
	free_output(&copy);
	return -ENOMEM;
}

void plugin_request_clear(struct plugin_request *request) {
	for (unsigned i = 0; i < request->nb_settings; i++)
		free_setting(&request->settings[i]);
	for (unsigned i = 0; i < request->nb_outputs; i++)
		free_output(&request->outputs[i]);
	free(request->settings);
	free(request->outputs);
	*request = (struct plugin_request){0};
}

/* ---- Folders ---- */

char *plugin_set_default_dirs(void) {
	char *shipped = datadir_path("plugins", "plugins"), *list;

	if (!shipped || asprintf(&list, "~/.prtip/plugins, %s", shipped) < 0)
		list = NULL;
	free(shipped);
	return list;
}

/* The next of the names in *@list, which are split by ", ", to be freed; moves *@list behind it. */
static char *next_name(const char **list) {
	const size_t length = strcspn(*list, ",");
	char *name = strndup(*list, length);

	*list += length;
	*list += strspn(*list, ", ");
	return name;
}

/* @dir with the user's home in place of `~`; takes ownership of @dir. */
static char *expand_home(char *dir) {
	static const char below[] = "/.prtip/plugins";
	char *plugins, *path;

	if (!dir || *dir != '~' || (dir[1] && dir[1] != '/'))
		return dir;
	plugins = lh_home_plugins();
	if (plugins)
		plugins[strlen(plugins) - strlen(below)] = '\0';
	if (!plugins || asprintf(&path, "%s%s", plugins, dir + 1) < 0)
		path = NULL;
	free(plugins);
	free(dir);
	return path;
}

static bool same_folder(const char *a, const char *b) {
	struct stat first, second;

	if (stat(a, &first) < 0 || stat(b, &second) < 0)
		return !strcmp(a, b);
	return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* Add a folder, whose ownership it takes, where it is not there already: it would shadow itself. */
static int add_dir(struct plugin_set *set, char *dir) {
	char **dirs;

	for (unsigned i = 0; i < set->nb_dirs; i++)
		if (same_folder(set->dirs[i], dir)) {
			free(dir);
			return 0;
		}
	dirs = grown(set->dirs, set->nb_dirs, sizeof(*dirs));
	if (!dirs) {
		free(dir);
		return -ENOMEM;
	}
	set->dirs = dirs;
	dirs[set->nb_dirs++] = dir;
	return 0;
}

/* A folder of --plugin-dir has to be one, and not a plugin. */
static int check_given(const char *dir, struct dp_error *err) {
	struct stat status;
	char *manifest;
	int ret = 0;

	if (stat(dir, &status) < 0)
		return dp_fail(err, true, -errno, "--plugin-dir %s: %s", dir, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return dp_fail(err, true, -ENOTDIR,
			"--plugin-dir %s: not a folder; give one with plugins in it", dir);
	if (asprintf(&manifest, "%s/plugin.toml", dir) < 0)
		return no_memory(err);
	if (!stat(manifest, &status))
		ret = dp_fail(err, true, -EINVAL,
			"--plugin-dir %s: this is a plugin; give the folder that it lies in", dir);
	free(manifest);
	return ret;
}

static int read_dirs(
	struct plugin_set *set, const struct plugin_request *request, struct dp_error *err) {
	int ret = 0;

	for (const char *rest = request->given_dirs; *rest && !ret;) {
		char *dir = expand_home(next_name(&rest));

		ret = dir ? check_given(dir, err) : no_memory(err);
		free(dir);
	}
	for (const char *rest = request->dirs; *rest && !ret;) {
		char *dir = expand_home(next_name(&rest));

		ret = dir ? add_dir(set, dir) : -ENOMEM;
		if (ret < 0)
			no_memory(err);
	}
	return ret;
}

/* ---- What there is, in words ---- */

/* Append to a list, "a, b, ..." where there is no room for more. */
static void list_add(char list[LIST_BYTES], const char *item) {
	const size_t used = strlen(list), length = strlen(item);

	if (used + length + sizeof(", , ...") <= LIST_BYTES)
		snprintf(list + used, LIST_BYTES - used, "%s%s", used ? ", " : "", item);
	else if (used < 3 || strcmp(list + used - 3, "...") != 0)
		snprintf(list + used, LIST_BYTES - used, "%s...", used ? ", " : "");
}

static void list_dirs(const struct plugin_set *set, char list[LIST_BYTES]) {
	*list = '\0';
	for (unsigned i = 0; i < set->nb_dirs; i++)
		list_add(list, set->dirs[i]);
}

static bool is_output(const struct lh_entry *entry) {
	return entry->plugin && entry->plugin->type == LH_TYPE_OUTPUT;
}

static void list_outputs(const struct plugin_set *set, char list[LIST_BYTES]) {
	*list = '\0';
	for (unsigned i = 0; i < set->catalog->nb_entries; i++)
		if (is_output(&set->catalog->entries[i]))
			list_add(list, set->catalog->entries[i].name);
}

static const char *near_plugin(const struct plugin_set *set, const char *name) {
	unsigned best = NEAR;
	const char *near = NULL;

	for (unsigned i = 0; i < set->catalog->nb_entries; i++) {
		const char *other = set->catalog->entries[i].name;
		const unsigned distance = value_distance(name, other, best);

		if (distance < best) {
			best = distance;
			near = other;
		}
	}
	return near;
}

/* No folder has a plugin @name; @where and @subject begin the error. */
static int not_found(const struct plugin_set *set, const char *where, const char *subject,
	const char *name, struct dp_error *err) {
	const char *near = near_plugin(set, name);
	char dirs[LIST_BYTES];

	list_dirs(set, dirs);
	if (near)
		return dp_fail(err, true, -ENOENT, "%s%s: no such plugin in %s; did you mean %s?",
			where, subject, dirs, near);
	return dp_fail(err, true, -ENOENT,
		"%s%s: no such plugin in %s; --list-plugins lists them, --plugin-dir adds a folder",
		where, subject, dirs);
}

/* Keep a text that was put into @text. */
static int warn(struct plugin_set *set, const struct dp_error *text) {
	char **warnings = grown(set->warnings, set->nb_warnings, sizeof(*warnings));
	char *copy = strdup(text->text);

	if (warnings)
		set->warnings = warnings;
	if (!warnings || !copy) {
		free(copy);
		return -ENOMEM;
	}
	warnings[set->nb_warnings++] = copy;
	return 0;
}

static int warn_shadowed(struct plugin_set *set, const struct lh_entry *entry) {
	struct dp_error text;

	if (!entry->shadows)
		return 0;
	dp_fail(&text, false, 0, "plugin %s is there twice: %s is used, %s is not", entry->name,
		entry->folder, entry->shadows);
	return warn(set, &text);
}

/* ---- Settings ---- */

static const struct lh_value *default_of(const struct lh_plugin *plugin, const char *key) {
	for (unsigned i = 0; i < plugin->nb_config; i++)
		if (!strcmp(plugin->config[i].key, key))
			return &plugin->config[i];
	return NULL;
}

static int apply_setting(
	struct plugin_set *set, const struct plugin_setting *setting, struct dp_error *err) {
	const struct lh_entry *entry = lh_catalog_find(set->catalog, setting->plugin);
	const struct lh_value *initial;
	struct lh_error why;
	int ret;

	if (!entry)
		return not_found(set, "", setting->where, setting->plugin, err);
	/* Of an invalid plugin nobody knows the types; where it is to run, that is the error. */
	if (!entry->plugin || !setting->key)
		return 0;
	initial = default_of(entry->plugin, setting->key);
	if (setting->multi_line && (!initial || initial->kind != LH_VALUE_ARRAY))
		return dp_fail(err, true, -EINVAL,
			"%s %s: the indented line below continues this value, which takes one "
			"line; begin keys in the first column",
			setting->where, setting->key);
	ret = lh_plugin_set(entry->plugin, setting->key, setting->value, setting->where, &why);
	return ret < 0 ? dp_fail(err, why.usage || ret == -EINVAL, ret, "%s", why.text) : 0;
}

/* ---- Choosing ---- */

static int enable(struct plugin_set *set, struct lh_plugin *plugin, struct dp_error *err) {
	struct lh_plugin **enabled;

	if (plugin_set_place(set, plugin->name))
		return 0;
	if (set->nb_enabled == LH_MAX_PLUGINS)
		return dp_fail(err, true, -E2BIG,
			"plugin %s: more than %d plugins are enabled; enable fewer", plugin->name,
			LH_MAX_PLUGINS);
	enabled = grown(set->enabled, set->nb_enabled, sizeof(struct lh_plugin *));
	if (!enabled)
		return no_memory(err);
	set->enabled = enabled;
	enabled[set->nb_enabled++] = plugin;
	return 0;
}

static int enable_entry(
	struct plugin_set *set, const struct lh_entry *entry, struct dp_error *err) {
	if (!plugin_set_place(set, entry->name) && warn_shadowed(set, entry) < 0)
		return no_memory(err);
	return enable(set, entry->plugin, err);
}

/* An output plugin without `-o` has nowhere to write; say so where it was meant to run. */
static int warn_idle(struct plugin_set *set, const struct plugin_request *request,
	const struct lh_plugin *plugin) {
	const struct plugin_output *output = plugin_request_find_output(request, plugin->name);
	struct dp_error text;

	if (plugin->type != LH_TYPE_OUTPUT || plugin_set_place(set, plugin->name)
		|| (output && !output->dropped && *output->path))
		return 0;
	dp_fail(&text, false, 0,
		"plugin %s is an output plugin and writes nothing without -o %s:PATH", plugin->name,
		plugin->name);
	return warn(set, &text);
}

/* A plugin that was asked for by name, behind @where. */
static int enable_named(struct plugin_set *set, const struct plugin_request *request,
	const char *where, const char *name, struct dp_error *err) {
	const struct lh_entry *entry = lh_catalog_find(set->catalog, name);

	if (!entry)
		return not_found(set, where, name, name, err);
	if (!entry->plugin)
		return dp_fail(err, true, -EINVAL, "%s%s: %s", where, name, entry->error.text);
	if (warn_idle(set, request, entry->plugin) < 0)
		return no_memory(err);
	return enable_entry(set, entry, err);
}

static int warn_invalid(struct plugin_set *set, const struct lh_entry *entry) {
	struct dp_error text;

	dp_fail(&text, false, 0, "plugin %s is left out: %s", entry->name, entry->error.text);
	return warn(set, &text);
}

static int enable_all(struct plugin_set *set, const char *where, struct dp_error *err) {
	const unsigned before = set->nb_enabled;
	char dirs[LIST_BYTES];
	struct dp_error text;

	for (unsigned i = 0; i < set->catalog->nb_entries; i++) {
		const struct lh_entry *entry = &set->catalog->entries[i];
		int ret = 0;

		if (entry->plugin)
			ret = enable_entry(set, entry, err);
		else if (warn_invalid(set, entry) < 0)
			ret = no_memory(err);
		if (ret < 0)
			return ret;
	}
	if (set->nb_enabled > 0 || before > 0)
		return 0;
	list_dirs(set, dirs);
	dp_fail(&text, false, 0, "%sall: no valid plugin is in %s", where, dirs);
	return warn(set, &text) < 0 ? no_memory(err) : 0;
}

static int enable_names(
	struct plugin_set *set, const struct plugin_request *request, struct dp_error *err) {
	int ret = 0;

	for (unsigned i = 0; i < 2; i++)
		for (const char *rest = request->names[i].list; *rest && !ret;) {
			char *name = next_name(&rest);

			if (!name)
				return no_memory(err);
			ret = strcmp(name, "all")
				? enable_named(set, request, request->names[i].where, name, err)
				: enable_all(set, request->names[i].where, err);
			free(name);
		}
	return ret;
}

/* ---- Outputs ---- */

/* The key of [output], or the output plugin, that was perhaps meant. */
static const char *near_output(const struct plugin_set *set, const struct plugin_output *output) {
	const char *near = options_near_key("output", output->name);
	const struct option *row = near ? options_by_key("output", near) : NULL;
	const struct lh_entry *entry;

	/* -o takes formats only. */
	if (row && !row->later && (output->line || row->type == &option_path))
		return near;
	near = near_plugin(set, output->name);
	entry = near ? lh_catalog_find(set->catalog, near) : NULL;
	return entry && is_output(entry) ? near : NULL;
}

static void list_formats(char list[LIST_BYTES]) {
	unsigned nb;
	const struct option *rows = options_all(&nb);

	*list = '\0';
	for (unsigned i = 0; i < nb; i++)
		if (rows[i].type == &option_path)
			list_add(list, rows[i].key);
}

static int unknown_output(
	const struct plugin_set *set, const struct plugin_output *output, struct dp_error *err) {
	const char *near = near_output(set, output);
	char formats[LIST_BYTES], plugins[LIST_BYTES], dirs[LIST_BYTES];

	if (near)
		return dp_fail(err, true, -ENOENT,
			"%s: no such format or output plugin; did you mean %s?", output->where,
			near);
	list_formats(formats);
	list_outputs(set, plugins);
	if (*plugins)
		return dp_fail(err, true, -ENOENT,
			"%s: no such format or output plugin; formats: %s; output plugins: %s",
			output->where, formats, plugins);
	list_dirs(set, dirs);
	return dp_fail(err, true, -ENOENT,
		"%s: no such format or output plugin; formats: %s; no output plugin is in %s",
		output->where, formats, dirs);
}

static int enable_output(
	struct plugin_set *set, const struct plugin_output *output, struct dp_error *err) {
	const struct lh_entry *entry = lh_catalog_find(set->catalog, output->name);

	if (!entry)
		return unknown_output(set, output, err);
	if (!entry->plugin)
		return dp_fail(err, true, -EINVAL, "%s: %s", output->where, entry->error.text);
	if (!is_output(entry))
		return dp_fail(err, true, -EINVAL,
			"%s: %s is a %s plugin, not an output plugin; --plugin %s runs it",
			output->where, output->name, lh_type_names[entry->plugin->type],
			output->name);
	if (output->dropped || !*output->path)
		return 0;
	if (!strcmp(output->path, "-") && !(entry->plugin->hooks & 1u << LH_HOOK_FORMAT_RESULT))
		return dp_fail(err, true, -EINVAL,
			"%s: %s has no format_result, which standard output needs; give a file",
			output->where, output->name);
	return enable_entry(set, entry, err);
}

/* ---- The whole ---- */

static bool asks_for_any(const struct plugin_request *request) {
	return *request->names[0].list || *request->names[1].list || request->nb_settings
		|| request->nb_outputs;
}

static int choose(
	struct plugin_set *set, const struct plugin_request *request, struct dp_error *err) {
	int ret = 0;

	for (unsigned i = 0; !ret && i < request->nb_settings; i++)
		ret = apply_setting(set, &request->settings[i], err);
	if (!ret)
		ret = enable_names(set, request, err);
	for (unsigned i = 0; !ret && i < request->nb_outputs; i++)
		ret = enable_output(set, &request->outputs[i], err);
	return ret;
}

static int warn_list(struct plugin_set *set, struct dp_error *err) {
	for (unsigned i = 0; i < set->catalog->nb_entries; i++)
		if (warn_shadowed(set, &set->catalog->entries[i]) < 0)
			return no_memory(err);
	return 0;
}

static int fill(
	struct plugin_set *set, const struct plugin_request *request, struct dp_error *err) {
	struct lh_error why;
	int ret = read_dirs(set, request, err);

	if (ret < 0 || request->depth == PLUGIN_DIRS
		|| (request->depth == PLUGIN_CHOOSE && !asks_for_any(request)))
		return ret;
	ret = lh_catalog_read(
		(const char *const *)set->dirs, set->nb_dirs, CTL_VERSION, &set->catalog, &why);
	if (ret < 0)
		return dp_fail(err, why.usage, ret, "%s", why.text);
	return request->depth == PLUGIN_LIST ? warn_list(set, err) : choose(set, request, err);
}

int plugin_set_create(
	const struct plugin_request *request, struct plugin_set **out, struct dp_error *err) {
	struct plugin_set *set = calloc(1, sizeof(*set));
	int ret = set ? fill(set, request, err) : no_memory(err);

	if (ret < 0) {
		plugin_set_destroy(set);
		return ret;
	}
	*out = set;
	return 0;
}

void plugin_set_destroy(struct plugin_set *set) {
	if (!set)
		return;
	for (unsigned i = 0; i < set->nb_dirs; i++)
		free(set->dirs[i]);
	for (unsigned i = 0; i < set->nb_warnings; i++)
		free(set->warnings[i]);
	free(set->dirs);
	free(set->warnings);
	free(set->enabled);
	lh_catalog_free(set->catalog);
	free(set);
}

unsigned plugin_set_place(const struct plugin_set *set, const char *name) {
	for (unsigned i = 0; i < set->nb_enabled; i++)
		if (!strcmp(set->enabled[i]->name, name))
			return i + 1;
	return 0;
}

/* ---- Sockets ---- */

static bool has_network(const struct plugin_set *set) {
	uint32_t capabilities = 0;

	for (unsigned i = 0; i < set->nb_enabled; i++)
		capabilities |= set->enabled[i]->capabilities;
	return capabilities & LH_CAP_NETWORK;
}

int plugin_set_check_device(
	const struct plugin_set *set, const char *device, struct dp_error *err) {
	if (!has_network(set) || !*device || if_nametoindex(device))
		return 0;
	return dp_fail(err, true, -ENODEV,
		"[plugins] device = %s: no such interface; give one of this machine's", device);
}
