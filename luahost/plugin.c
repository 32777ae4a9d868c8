/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin from its folder: manifest, Lua files, settings.
 *
 * Any thread or process, before the plugin runs. A struct lh_plugin owns all that it points to.
 */
#include "folder.h"
#include "manifest.h"
#include "syntax.h"
#include "toml.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
	MOST_TEXT = 64 << 20, /* bytes of Lua in one plugin */
};

const char *const lh_hook_names[LH_HOOK_COUNT] = {
	[LH_HOOK_ON_LOAD] = "on_load",
	[LH_HOOK_ON_UNLOAD] = "on_unload",
	[LH_HOOK_ON_PRE_SCAN] = "on_pre_scan",
	[LH_HOOK_ON_TARGET] = "on_target",
	[LH_HOOK_ON_POST_SCAN] = "on_post_scan",
	[LH_HOOK_FORMAT_RESULT] = "format_result",
	[LH_HOOK_EXPORT] = "export",
	[LH_HOOK_ANALYZE_BANNER] = "analyze_banner",
	[LH_HOOK_PROBE_SERVICE] = "probe_service",
};

#define BIT(hook) (UINT32_C(1) << LH_HOOK_##hook)

static const uint32_t common_hooks = BIT(ON_LOAD) | BIT(ON_UNLOAD);

static const struct {
	uint32_t hooks;
	const char *names;
} own_hooks[LH_TYPE_COUNT] = {
	[LH_TYPE_SCAN] = {BIT(ON_PRE_SCAN) | BIT(ON_TARGET) | BIT(ON_POST_SCAN),
		"on_pre_scan, on_target or on_post_scan"},
	[LH_TYPE_OUTPUT] = {BIT(FORMAT_RESULT) | BIT(EXPORT), "format_result or export"},
	[LH_TYPE_DETECTION]
	= {BIT(ANALYZE_BANNER) | BIT(PROBE_SERVICE), "analyze_banner or probe_service"},
};

uint32_t lh_type_hooks(enum lh_type type) {
	return own_hooks[type].hooks | common_hooks;
}

bool lh_name_valid(const char *name) {
	const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return length && length < LH_NAME_BYTES && !name[length];
}

/* ---- Loading ---- */

/* A plugin that is being loaded. */
struct loading {
	struct lh_plugin *plugin;
	int folder; /* descriptor */
	size_t text_bytes; /* of all sources so far */
	struct lh_error *err;
};

static int fail_memory(struct lh_error *err) {
	return lh_fail(err, false, -ENOMEM, "out of memory");
}

static int fail_file(const struct loading *load, const char *file, int rc) {
	const struct place place = {load->plugin->folder, file, 0};

	if (rc == -ENOMEM)
		return fail_memory(load->err);
	if (rc == -ENOENT)
		return place_fail(load->err, &place, rc,
			"is missing; a plugin is a folder with plugin.toml, main.lua and "
			"README.md");
	return place_fail(load->err, &place, rc, "%s", folder_why(rc));
}

/* The parent with all links resolved, and the last part as it stands: a link's own name counts. */
static char *join_parent(char *path) {
	char *slash = strrchr(path, '/'), *joined = NULL;
	const char *last = slash ? slash + 1 : path;

	if (slash)
		*slash = '\0';
	char *parent = realpath(!slash ? "." : *path ? path : "/", NULL);
	if (parent && asprintf(&joined, "%s%s%s", parent, parent[1] ? "/" : "", last) < 0)
		joined = NULL;
	free(parent);
	return joined;
}

/* An absolute path that ends in the folder's name, to be freed; NULL with errno. */
static char *absolute(const char *folder) {
	char *path = strdup(folder), *result;

	if (!path)
		return NULL;
	for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';)
		path[--length] = '\0';
	const char *last = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const bool nameless = !*last || !strcmp(last, ".") || !strcmp(last, "..");
	result = nameless ? realpath(path, NULL) : join_parent(path);
	const int error = errno;
	free(path);
	errno = error;
	return result;
}

static int read_manifest(struct loading *load, const char *version) {
	char *text;
	size_t bytes;
	int rc = folder_read(load->folder, "plugin.toml", &text, &bytes);

	if (rc)
		return fail_file(load, "plugin.toml", rc);
	rc = manifest_read(load->plugin, version, text, bytes, load->err);
	free(text);
	return rc;
}

static int check_syntax(const struct loading *load, const struct lh_source *source) {
	struct syntax_fault fault;
	int rc = syntax_check(source->text, source->bytes, &fault);

	if (rc == -ENOMEM)
		return fail_memory(load->err);
	if (!rc)
		return 0;
	const struct place place = {load->plugin->folder, source->name, fault.line};
	return place_fail(load->err, &place, rc, "%s", fault.why);
}

/* Takes the next place in the plugin's sources, for which there is room. */
static int read_source(struct loading *load, const char *name) {
	struct lh_source *source = &load->plugin->sources[load->plugin->nb_sources];
	const struct place place = {load->plugin->folder, name, 0};
	int rc = folder_read(load->folder, name, &source->text, &source->bytes);

	if (rc)
		return fail_file(load, name, rc);
	load->plugin->nb_sources++;
	source->name = strdup(name);
	if (!source->name)
		return fail_memory(load->err);
	load->text_bytes += source->bytes;
	if (load->text_bytes > MOST_TEXT)
		return place_fail(load->err, &place, -EFBIG,
			"is more Lua than one plugin may have, 64 MiB in all files");
	return check_syntax(load, source);
}

static int grow_sources(struct lh_plugin *plugin, unsigned more) {
	const size_t count = plugin->nb_sources + more;
	struct lh_source *grown = realloc(plugin->sources, count * sizeof *grown);

	if (!grown)
		return -ENOMEM;
	memset(grown + plugin->nb_sources, 0, more * sizeof *grown);
	plugin->sources = grown;
	return 0;
}

static bool is_lua(const char *name) {
	const size_t length = strlen(name);

	return length > 4 && !strcmp(name + length - 4, ".lua");
}

static int read_listed(struct loading *load, const char *folder, char **names, unsigned count) {
	char path[2 * NAME_MAX];
	int rc = 0;

	if (grow_sources(load->plugin, count + 1))
		return fail_memory(load->err);
	for (unsigned i = 0; i < count && !rc; i++) {
		if (!is_lua(names[i]))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		rc = read_source(load, path);
	}
	return rc;
}

/* lib/ or tests/, which need not be there. */
static int read_sources(struct loading *load, const char *folder) {
	char **names;
	unsigned count;
	int rc = folder_list(load->folder, folder, &names, &count);

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return fail_file(load, folder, rc);
	rc = read_listed(load, folder, names, count);
	folder_free_names(names, count);
	return rc;
}

static int read_all_sources(struct loading *load) {
	if (grow_sources(load->plugin, 1))
		return fail_memory(load->err);
	int rc = read_source(load, "main.lua");
	if (!rc)
		rc = read_sources(load, "lib");
	if (!rc)
		rc = read_sources(load, "tests");
	return rc;
}

static int check_readme(const struct loading *load) {
	int rc = folder_has(load->folder, "README.md");

	return rc ? fail_file(load, "README.md", rc) : 0;
}

static int find_hooks(const struct loading *load) {
	struct lh_plugin *plugin = load->plugin;
	const struct lh_source *source = &plugin->sources[0];
	const struct place place = {plugin->folder, source->name, 0};

	plugin->hooks = syntax_hooks(source->text, source->bytes);
	if (plugin->hooks & own_hooks[plugin->type].hooks)
		return 0;
	return place_fail(load->err, &place, -EINVAL,
		"defines no hook of a plugin of type %s; it needs a global function %s",
		lh_type_names[plugin->type], own_hooks[plugin->type].names);
}

static int fill(struct loading *load, const char *version) {
	int rc = read_manifest(load, version);

	if (!rc)
		rc = check_readme(load);
	if (!rc)
		rc = read_all_sources(load);
	if (!rc)
		rc = find_hooks(load);
	return rc;
}

static int fail_folder(struct lh_error *err, const char *folder, int rc) {
	const struct place place = {folder, NULL, 0};
	const char *why = rc == -ENOTDIR ? "is no folder" : strerrordesc_np(-rc);

	if (rc == -ENOMEM)
		return fail_memory(err);
	return place_fail(err, &place, rc,
		"%s; a plugin is a folder with plugin.toml, main.lua and README.md", why);
}

static int set_name(struct lh_plugin *plugin, struct lh_error *err) {
	const struct place place = {plugin->folder, NULL, 0};
	const char *name = strrchr(plugin->folder, '/') + 1;

	if (!lh_name_valid(name))
		return place_fail(err, &place, -EINVAL,
			"the folder's name is no plugin name; use 1 to 64 characters of a-z, 0-9 "
			"and "
			"-");
	strcpy(plugin->name, name);
	return 0;
}

static int load_folder(
	struct lh_plugin *plugin, const char *folder, const char *version, struct lh_error *err) {
	struct loading load = {.plugin = plugin, .err = err};

	plugin->folder = absolute(folder);
	if (!plugin->folder)
		return fail_folder(err, folder, -errno);
	load.folder = folder_open(plugin->folder);
	if (load.folder < 0)
		return fail_folder(err, plugin->folder, load.folder);
	int rc = set_name(plugin, err);
	if (!rc)
		rc = fill(&load, version);
	close(load.folder);
	return rc;
}

int plugin_load(
	const char *folder, const char *version, struct lh_plugin **plugin, struct lh_error *err) {
	struct lh_plugin *p = calloc(1, sizeof *p);

	if (!p)
		return fail_memory(err);
	int rc = load_folder(p, folder, version, err);
	if (rc) {
		lh_plugin_free(p);
		return rc;
	}
	*plugin = p;
	return 0;
}

int lh_plugin_load(
	const char *folder, const char *version, struct lh_plugin **plugin, struct lh_error *err) {
	return plugin_load(folder, version, plugin, err);
}

/* What @value points to; its key stays. */
static void clear_value(struct lh_value *value) {
	free(value->string);
	/* Items hold no arrays. */
	for (unsigned i = 0; i < value->nb_items; i++)
		free(value->items[i].string);
	free(value->items);
}

void lh_plugin_free(struct lh_plugin *plugin) {
	if (!plugin)
		return;
	for (unsigned i = 0; i < plugin->nb_sources; i++) {
		free(plugin->sources[i].name);
		free(plugin->sources[i].text);
	}
	for (unsigned i = 0; i < plugin->nb_config; i++) {
		free(plugin->config[i].key);
		clear_value(&plugin->config[i]);
	}
	for (unsigned i = 0; i < plugin->match.nb_services; i++)
		free(plugin->match.services[i]);
	free(plugin->match.services);
	free(plugin->match.ports);
	free(plugin->sources);
	free(plugin->config);
	free(plugin->version);
	free(plugin->author);
	free(plugin->description);
	free(plugin->license);
	free(plugin->folder);
	free(plugin);
}

/* ---- Settings ---- */

static bool set_string(struct lh_value *value, const char *text) {
	value->string = strdup(text);
	return value->string;
}

static bool set_integer(struct lh_value *value, const char *text) {
	char *end;

	errno = 0;
	value->integer = strtoll(text, &end, 10);
	return !errno && end != text && !*end && !isspace((unsigned char)*text);
}

static bool set_number(struct lh_value *value, const char *text) {
	char *end;

	/* A locale's comma would split arrays; hexadecimal is no TOML number. */
	if (text[strspn(text, "+-0123456789.eE")] && strcasecmp(text, "inf"))
		return false;
	errno = 0;
	value->number = strtod(text, &end);
	return !errno && end != text && !*end;
}

static bool set_boolean(struct lh_value *value, const char *text) {
	static const char *const names[2][4]
		= {{"no", "off", "false", "0"}, {"yes", "on", "true", "1"}};

	for (unsigned which = 0; which < 2; which++)
		for (unsigned i = 0; i < 4; i++)
			if (!strcasecmp(text, names[which][i])) {
				value->boolean = which;
				return true;
			}
	return false;
}

static const struct {
	bool (*set)(struct lh_value *value, const char *text);
	const char *expect;
} settings[] = {
	[LH_VALUE_STRING] = {set_string, "text"},
	[LH_VALUE_INTEGER] = {set_integer, "a whole number"},
	[LH_VALUE_NUMBER] = {set_number, "a number"},
	[LH_VALUE_BOOLEAN] = {set_boolean, "yes or no"},
};

/* What is being set, for messages. */
struct setting {
	const char *where, *key;
	struct lh_error *err;
};

static int fail_setting(const struct setting *setting, const char *text, const char *expect) {
	lh_fail(setting->err, true, -EINVAL,
		"%.160s: %.64s: \"%.64s\" is not %s, as its default is", setting->where,
		setting->key, text, expect);
	make_printable(setting->err->text);
	return -EINVAL;
}

static int fail_item(const struct setting *setting, unsigned number) {
	lh_fail(setting->err, true, -EINVAL,
		"%.160s: %.64s: item %u is empty; write items between single commas",
		setting->where, setting->key, number);
	make_printable(setting->err->text);
	return -EINVAL;
}

static int set_scalar(const struct setting *setting, struct lh_value *value,
	enum lh_value_kind kind, const char *text) {
	value->kind = kind;
	if (settings[kind].set(value, text))
		return 0;
	/* Any text is a string. */
	if (kind == LH_VALUE_STRING)
		return fail_memory(setting->err);
	return fail_setting(setting, text, settings[kind].expect);
}

/* What the items of an array are: those of the default, strings where it is empty or mixed. */
static enum lh_value_kind item_kind(const struct lh_value *array) {
	enum lh_value_kind kind = array->nb_items ? array->items[0].kind : LH_VALUE_STRING;

	for (unsigned i = 1; i < array->nb_items; i++) {
		const enum lh_value_kind other = array->items[i].kind;
		const bool numbers = (kind == LH_VALUE_INTEGER || kind == LH_VALUE_NUMBER)
			&& (other == LH_VALUE_INTEGER || other == LH_VALUE_NUMBER);

		if (kind != other)
			kind = numbers ? LH_VALUE_NUMBER : LH_VALUE_STRING;
	}
	return kind;
}

static char *trim(char *text) {
	text += strspn(text, " \t");
	size_t length = strlen(text);

	while (length && strchr(" \t", text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int set_items(const struct setting *setting, struct lh_value *value, enum lh_value_kind kind,
	char *text) {
	int rc = 0;

	for (char *item; !rc && (item = strsep(&text, ",")) != NULL;) {
		item = trim(item);
		if (!*item)
			return fail_item(setting, value->nb_items + 1);
		rc = set_scalar(setting, &value->items[value->nb_items++], kind, item);
	}
	return rc;
}

static int set_array(const struct setting *setting, struct lh_value *value, enum lh_value_kind kind,
	const char *text) {
	size_t commas = 0;
	int rc = -ENOMEM;

	value->kind = LH_VALUE_ARRAY;
	if (!text[strspn(text, " \t")])
		return 0;
	for (const char *p = text; *p; p++)
		commas += *p == ',';
	char *copy = strdup(text);
	value->items = calloc(commas + 1, sizeof *value->items);
	if (copy && value->items)
		rc = set_items(setting, value, kind, copy);
	else
		fail_memory(setting->err);
	free(copy);
	return rc;
}

static struct lh_value *find_setting(struct lh_plugin *plugin, const char *key) {
	for (unsigned i = 0; i < plugin->nb_config; i++)
		if (!strcmp(plugin->config[i].key, key))
			return &plugin->config[i];
	return NULL;
}

static int add_setting(struct lh_plugin *plugin, const char *key, const char *text) {
	struct lh_value *grown
		= realloc(plugin->config, (plugin->nb_config + 1) * sizeof *plugin->config);
	if (!grown)
		return -ENOMEM;
	plugin->config = grown;
	struct lh_value *value = &grown[plugin->nb_config];
	*value = (struct lh_value){.kind = LH_VALUE_STRING, .key = strdup(key)};
	if (!value->key || !set_string(value, text)) {
		free(value->key);
		return -ENOMEM;
	}
	plugin->nb_config++;
	return 0;
}

int lh_plugin_set(struct lh_plugin *plugin, const char *key, const char *text, const char *where,
	struct lh_error *err) {
	const struct setting setting = {where, key, err};
	struct lh_value *old = find_setting(plugin, key), value = {0};

	if (!old)
		return add_setting(plugin, key, text) ? fail_memory(err) : 0;
	int rc = old->kind == LH_VALUE_ARRAY ? set_array(&setting, &value, item_kind(old), text)
					     : set_scalar(&setting, &value, old->kind, text);
	if (rc) {
		clear_value(&value);
		return rc;
	}
	value.key = old->key;
	clear_value(old);
	*old = value;
	return 0;
}
