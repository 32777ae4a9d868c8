/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The merged configuration: defaults, then the INI file, then the command line.
 *
 * Main thread, before the scan starts. A configuration owns the canonical text of every row, which
 * its strings point into, the target space, and the plugins with what was said about them.
 */
#include "checkpoint.h"
#include "config.h"
#include "detect.h"
#include "filter.h"
#include "habits.h"
#include "inifile.h"
#include "names.h"
#include "options.h"
#include "payload_file.h"
#include "plugin_set.h"
#include "targets.h"
#include "top_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct config {
	struct ctl_config public; /* first: what callers hold is a pointer to it */
	struct settings settings;
	const struct option *table;
	unsigned nb_rows;
	/* Of each place (see place_of()): */
	char **text; /* canonical; NULL for flags without a key, and numbered keys that are not given */
	bool *from_command; /* set on the command line */
	unsigned *file_line; /* where the file set it, 0: it did not */
	bool targets_given; /* on the command line, so that the file's were dropped */
	bool outputs_given; /* by -o, so that the file's were dropped */
	const char *action; /* the flag that chose it */
	const char *type_flag; /* -sS and the like; NULL: none was given */
	char *subject; /* of the action; NULL: it has none */
	const char *config_path;
	const char *resume_path; /* NULL: the scan begins */
	struct checkpoint resume;
	struct names *names; /* NULL: not read yet */
	struct plugin_request request; /* what else was said about plugins */
	struct plugin_set *plugins; /* NULL: not looked for yet */
	struct payload_file *payloads, *hellos; /* NULL: none */
	struct detect_rules *fingerprints; /* NULL: none */
	struct filter *filter; /* NULL: none */
};

static const char plugin_section[] = "plugin:"; /* NAME */

/* Where a value was found, for the error about it. */
enum origin_kind {
	ORIGIN_DEFAULT,
	ORIGIN_FILE,
	ORIGIN_FLAG,
	ORIGIN_SET,
	ORIGIN_TARGET,
};

struct origin {
	enum origin_kind kind;
	const char *name; /* of the file or flag */
	unsigned line;
};

/* Timing templates: probes a second. */
static const double timing_pps[] = {1.0 / 300, 1.0 / 15, 2.5, 1e4, 1e5, 1e6};

static int no_memory(struct dp_error *err) {
	return dp_fail(err, false, -ENOMEM, "out of memory for the configuration");
}

static unsigned row_of(const struct config *config, const struct option *option) {
	return (unsigned)(option - config->table);
}

/* A key, or the numbered form of one: `source`, `source0`. */
struct key {
	const struct option *option;
	unsigned number; /* 0: the key itself; else 1 more than the number behind it */
};

enum {
	FORMS = 1 + DP_MAX_PORTS, /* of a key: itself, and as many numbered ones */
	KEY_BYTES = 32,
};

/* Rows come first, then the numbered forms of all of them, most of which do not exist. */
static unsigned place_of(const struct config *config, struct key key) {
	return key.number * config->nb_rows + row_of(config, key.option);
}

static const char *key_name(struct key key, char name[static KEY_BYTES]) {
	if (key.number)
		snprintf(name, KEY_BYTES, "%s%u", key.option->key, key.number - 1);
	else
		snprintf(name, KEY_BYTES, "%s", key.option->key);
	return name;
}

static void *field_of(struct config *config, struct key key) {
	return (char *)&config->settings + key.option->offset
		+ key.number * sizeof(struct port_settings);
}

/* ---- Setting one value ---- */

/* Report what is wrong with @part of a value of @option, and where it stands. */
static int refuse(const struct origin *origin, struct key key, const char *part, const char *why,
	struct dp_error *err) {
	const char *section = key.option->section;
	char name[KEY_BYTES];

	if (key.option->key)
		key_name(key, name);
	switch (origin->kind) {
	case ORIGIN_FILE:
		return dp_fail(err, true, -EINVAL, "%s:%u: [%s] %s = %s: %s", origin->name,
			origin->line, section, name, part, why);
	case ORIGIN_FLAG:
		return dp_fail(err, true, -EINVAL, "%s %s: %s", origin->name, part, why);
	case ORIGIN_SET:
		return dp_fail(err, true, -EINVAL, "--set %s.%s=%s: %s", section, name, part, why);
	case ORIGIN_TARGET:
		return dp_fail(err, true, -EINVAL, "target %s: %s", part, why);
	case ORIGIN_DEFAULT:
		break;
	}
	return dp_fail(err, true, -EINVAL, "default of [%s] %s: %s: %s", section, name, part, why);
}

/* A value that this version does not have, although it is well formed. */
static int refuse_later(const struct origin *origin, const struct option *option, const char *text,
	struct dp_error *err) {
	struct value_error shown;
	char why[VALUE_WHY_BYTES];

	value_fail(&shown, text, strlen(text), "%s", "");
	if (*option->initial)
		snprintf(why, sizeof(why), "a value other than %s is not in this version",
			option->initial);
	else
		snprintf(why, sizeof(why), "this key is not in this version; leave it empty");
	return refuse(origin, (struct key){option, 0}, shown.part, why, err);
}

static bool is_later(const struct option *option, const char *text) {
	return option->later && strcmp(text, option->initial) != 0;
}

/* Make @text (whose ownership it takes) the value of a key. */
static void store_key(struct config *config, struct key key, char *text) {
	const unsigned place = place_of(config, key);

	free(config->text[place]);
	config->text[place] = text;
	if (key.option->type->text && !key.option->later)
		*(const char **)field_of(config, key) = text;
}

static void store(struct config *config, const struct option *option, char *text) {
	store_key(config, (struct key){option, 0}, text);
}

/* Append to a list, for what adds to the values before it. Takes ownership of @text. */
static int store_more(struct config *config, const struct option *option, char *text) {
	const char *before = config->text[row_of(config, option)];
	char *both;

	if (!before || !*before || !*text) {
		if (*text || !before)
			store(config, option, text);
		else
			free(text);
		return 0;
	}
	if (asprintf(&both, "%s, %s", before, text) < 0)
		both = NULL;
	free(text);
	if (!both)
		return -ENOMEM;
	store(config, option, both);
	return 0;
}

static int clear(struct config *config, const char *key) {
	char *empty = strdup("");

	if (!empty)
		return -ENOMEM;
	store(config, options_by_key("scan", key), empty);
	return 0;
}

/*
 * Put a value that was read into its row. On the command line, targets replace the file's and
 * exclusions add to them: what someone excluded once is never scanned by accident.
 */
static int merge(struct config *config, struct key key, char *text, const struct origin *origin) {
	const struct option *option = key.option;
	const char **field = (const char **)((char *)&config->settings + option->offset);
	const bool command = origin->kind >= ORIGIN_FLAG;
	const bool targets
		= field == &config->settings.targets || field == &config->settings.targets_file;
	const bool exclude
		= field == &config->settings.exclude || field == &config->settings.exclude_file;
	const bool more = option->role == OPTION_MORE;

	if (!command || option->later || (!targets && !exclude && !more)) {
		store_key(config, key, text);
		return 0;
	}
	if (targets && !config->targets_given) {
		config->targets_given = true;
		if (clear(config, "targets") < 0 || clear(config, "targets_file") < 0) {
			free(text);
			return -ENOMEM;
		}
	}
	return store_more(config, option, text);
}

/* Copy @value without the blanks around it. */
static char *trimmed(const char *value) {
	size_t length;

	value += strspn(value, " \t");
	length = strlen(value);
	while (length && (value[length - 1] == ' ' || value[length - 1] == '\t'))
		length--;
	return strndup(value, length);
}

static int set_key(struct config *config, struct key key, const char *value,
	const struct origin *origin, struct dp_error *err) {
	const struct option *option = key.option;
	char scratch[64]; /* what a key of a later version is read into */
	void *field = option->later ? (void *)scratch : field_of(config, key);
	struct value_error why;
	char *text = trimmed(value), *canonical = NULL;
	int ret;

	if (!text)
		return no_memory(err);
	ret = option->type->read(option, text, field, &canonical, &why);
	if (ret == -ENOMEM)
		ret = no_memory(err);
	else if (ret < 0)
		ret = refuse(origin, key, why.part, why.why, err);
	else if (is_later(option, canonical))
		ret = refuse_later(origin, option, text, err);
	free(text);
	if (ret < 0) {
		free(canonical);
		return ret;
	}
	if (merge(config, key, canonical, origin) < 0)
		return no_memory(err);
	if (origin->kind >= ORIGIN_FLAG)
		config->from_command[place_of(config, key)] = true;
	return 0;
}

static int set_value(struct config *config, const struct option *option, const char *value,
	const struct origin *origin, struct dp_error *err) {
	return set_key(config, (struct key){option, 0}, value, origin, err);
}

static int set_defaults(struct config *config, struct dp_error *err) {
	const struct origin origin = {.kind = ORIGIN_DEFAULT};

	for (unsigned i = 0; i < config->nb_rows; i++) {
		const struct option *option = &config->table[i];
		int ret = option->key ? set_value(config, option, option->initial, &origin, err)
				      : 0;

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ---- Unknown names ---- */

/* "FILE:LINE: " or "--set ", what an error about a section or key begins with. */
static void describe(const struct origin *origin, char *out, size_t room) {
	if (origin->kind == ORIGIN_FILE)
		snprintf(out, room, "%.250s:%u: ", origin->name, origin->line);
	else
		snprintf(out, room, "%s ", origin->name);
}

static int unknown_section(const struct origin *origin, const char *section, struct dp_error *err) {
	const char *near = options_near_section(section);
	struct value_error shown;
	char where[300];

	describe(origin, where, sizeof(where));
	value_fail(&shown, section, strlen(section), "%s", "");
	if (near)
		return dp_fail(err, true, -EINVAL, "%s[%s]: no such section; did you mean [%s]?",
			where, shown.part, near);
	return dp_fail(err, true, -EINVAL,
		"%s[%s]: no such section; there are scan, dataplane, banner, detection, output, "
		"checkpoint, "
		"plugins, plugin:NAME, sim, metrics and status",
		where, shown.part);
}

/* The section in which a key is at home, where it was given in another one. */
static const char *home_of(const struct config *config, const char *key) {
	for (unsigned i = 0; i < config->nb_rows; i++)
		if (config->table[i].key && !strcmp(config->table[i].key, key))
			return config->table[i].section;
	return NULL;
}

static int unknown_key(const struct config *config, const struct origin *origin,
	const char *section, const char *key, struct dp_error *err) {
	const char *near = options_near_key(section, key), *home = home_of(config, key);
	struct value_error shown;
	char where[300], keys[200];

	describe(origin, where, sizeof(where));
	value_fail(&shown, key, strlen(key), "%s", "");
	if (near)
		return dp_fail(err, true, -EINVAL, "%s[%s] %s: no such key; did you mean %s?",
			where, section, shown.part, near);
	if (home)
		return dp_fail(err, true, -EINVAL, "%s[%s] %s: no such key; it belongs to [%s]",
			where, section, shown.part, home);
	options_list_keys(section, false, keys, sizeof(keys));
	if (!*keys)
		options_list_keys(section, true, keys, sizeof(keys));
	return dp_fail(err, true, -EINVAL, "%s[%s] %s: no such key; there are %s", where, section,
		shown.part, keys);
}

static int find_key(const struct config *config, const struct origin *origin, const char *section,
	const char *key, struct key *found, struct dp_error *err) {
	if (!options_has_section(section))
		return unknown_section(origin, section, err);
	*found = (struct key){options_by_key(section, key), 0};
	if (!found->option)
		found->option = options_by_numbered_key(section, key, &found->number);
	return found->option ? 0 : unknown_key(config, origin, section, key, err);
}

/* ---- Plugins: keys that no row stands for ---- */

/* The plugin that [plugin:NAME] is about; NULL: another section. */
static const char *plugin_of(const char *section) {
	const size_t length = sizeof(plugin_section) - 1;

	return strncmp(section, plugin_section, length) ? NULL : section + length;
}

/* An output that would be a plugin's. */
static bool is_plugin_output(const char *section, const char *key) {
	return !strcmp(section, "output") && !options_by_key(section, key) && lh_name_valid(key);
}

static bool is_key(const char *key) {
	static const char allowed[]
		= "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	const size_t length = strlen(key);

	return length && length <= INIFILE_LONGEST_KEY && strspn(key, allowed) == length;
}

static int given_twice(const struct origin *origin, const char *section, const char *key,
	unsigned first, struct dp_error *err) {
	return dp_fail(err, true, -EINVAL,
		"%s:%u: [%s] %s: given twice, first on line %u; keep one of them", origin->name,
		origin->line, section, key, first);
}

static int indented(const struct origin *origin, const char *section, const char *key, bool list,
	struct dp_error *err) {
	return dp_fail(err, true, -EINVAL,
		"%s:%u: [%s] %s: the indented line below continues this value%s; begin keys in the "
		"first column",
		origin->name, origin->line, section, key, list ? "" : ", which takes one line");
}

/* How an error about a setting of @plugin begins, "scan.ini:12: [plugin:http-enum]". */
static void describe_setting(
	const struct origin *origin, const char *plugin, char where[PLUGIN_WHERE_BYTES]) {
	const bool file = origin->kind == ORIGIN_FILE;
	size_t used;

	describe(origin, where, PLUGIN_WHERE_BYTES);
	used = strlen(where);
	snprintf(where + used, PLUGIN_WHERE_BYTES - used, "%s%s%s%s", file ? "[" : "",
		origin->kind == ORIGIN_FLAG ? "" : plugin_section, plugin, file ? "]" : "");
}

static int bad_plugin_name(const struct origin *origin, const char *name, struct dp_error *err) {
	struct value_error shown;
	char where[PLUGIN_WHERE_BYTES];

	value_fail(&shown, name, strlen(name), "%s", "");
	describe_setting(origin, shown.part, where);
	return dp_fail(err, true, -EINVAL,
		"%s: not a plugin's name; they have 1 to 64 of a-z, 0-9 and - (and are not `all`)",
		where);
}

static int bad_key(const char *where, const char *key, struct dp_error *err) {
	struct value_error shown;

	value_fail(&shown, key, strlen(key), "%s", "");
	return dp_fail(err, true, -EINVAL,
		"%s %s: not a key; they have 1 to %d letters, digits, _ and -", where, shown.part,
		INIFILE_LONGEST_KEY);
}

/* Note a key of [plugin:NAME] (@entry->key NULL: the section), whose plugin is looked for later. */
static int add_setting(struct config *config, const char *plugin, const struct ini_entry *entry,
	const struct origin *origin, struct dp_error *err) {
	const bool file = origin->kind == ORIGIN_FILE;
	const struct plugin_setting *before
		= plugin_request_setting(&config->request, plugin, entry->key);
	char where[PLUGIN_WHERE_BYTES], *value;
	struct plugin_setting setting = {.plugin = plugin,
		.key = entry->key,
		.where = where,
		.line = file ? origin->line : 0,
		.multi_line = entry->multi_line};
	int ret;

	if (!lh_name_valid(plugin) || !strcmp(plugin, "all"))
		return bad_plugin_name(origin, plugin, err);
	describe_setting(origin, plugin, where);
	if (entry->key && !is_key(entry->key))
		return bad_key(where, entry->key, err);
	if (entry->key && file && before)
		return given_twice(origin, entry->section, entry->key, before->line, err);
	if (entry->multi_line && strchr(entry->value, '='))
		return indented(origin, entry->section, entry->key, true, err);
	setting.value = value = trimmed(entry->value ? entry->value : "");
	ret = value ? plugin_request_set(&config->request, &setting) : -ENOMEM;
	free(value);
	return ret < 0 ? no_memory(err) : 0;
}

/* How an error about an output begins, "scan.ini:12: [output] html" or "-o html:report.html". */
static void describe_output(const struct origin *origin, const char *name, const char *path,
	char where[PLUGIN_WHERE_BYTES]) {
	size_t used;

	describe(origin, where, PLUGIN_WHERE_BYTES);
	used = strlen(where);
	if (origin->kind == ORIGIN_FLAG)
		snprintf(where + used, PLUGIN_WHERE_BYTES - used, "%s:%.40s%s", name, path,
			strlen(path) > 40 ? "..." : "");
	else
		snprintf(where + used, PLUGIN_WHERE_BYTES - used, "%s%s",
			origin->kind == ORIGIN_FILE ? "[output] " : "output.", name);
}

/* Note an output that no row stands for. */
static int add_plugin_output(struct config *config, const struct ini_entry *entry,
	const struct origin *origin, struct dp_error *err) {
	const bool file = origin->kind == ORIGIN_FILE;
	const struct plugin_output *before
		= plugin_request_find_output(&config->request, entry->key);
	char where[PLUGIN_WHERE_BYTES];
	char *path = trimmed(entry->value);
	struct plugin_output output = {
		.name = entry->key,
		.path = path,
		.where = where,
		.line = file ? origin->line : 0,
	};
	int ret = 0;

	describe_output(origin, entry->key, entry->value, where);
	if (file && before)
		ret = given_twice(origin, "output", entry->key, before->line, err);
	else if (entry->multi_line)
		ret = indented(origin, "output", entry->key, false, err);
	else if (!path || plugin_request_output(&config->request, &output) < 0)
		ret = no_memory(err);
	free(path);
	return ret;
}

/*
 * Set a key that belongs to a plugin. 1 where it was one, 0 where it is for the table, or a negative
 * errno.
 */
static int set_for_plugin(struct config *config, const struct ini_entry *entry,
	const struct origin *origin, struct dp_error *err) {
	const char *plugin = plugin_of(entry->section);
	int ret;

	if (plugin)
		ret = add_setting(config, plugin, entry, origin, err);
	else if (entry->key && is_plugin_output(entry->section, entry->key))
		ret = add_plugin_output(config, entry, origin, err);
	else
		return 0;
	return ret < 0 ? ret : 1;
}

/* ---- The file ---- */

static int on_entry(void *user, const struct ini_entry *entry, struct dp_error *err) {
	struct config *config = user;
	const struct origin origin
		= {.kind = ORIGIN_FILE, .name = config->config_path, .line = entry->line};
	struct key key;
	unsigned *seen;
	int ret = set_for_plugin(config, entry, &origin, err);

	if (ret)
		return ret < 0 ? ret : 0;
	if (!entry->key)
		return options_has_section(entry->section)
			? 0
			: unknown_section(&origin, entry->section, err);
	if (!*entry->section)
		return dp_fail(err, true, -EINVAL,
			"%s:%u: %s: a key before the first section; begin with [scan] or another",
			origin.name, origin.line, entry->key);
	ret = find_key(config, &origin, entry->section, entry->key, &key, err);
	if (ret < 0)
		return ret;
	seen = &config->file_line[place_of(config, key)];
	if (*seen)
		return given_twice(&origin, entry->section, entry->key, *seen, err);
	*seen = entry->line;
	if (entry->multi_line && (!key.option->type->list || strchr(entry->value, '=')))
		return indented(&origin, entry->section, entry->key, key.option->type->list, err);
	return set_key(config, key, entry->value, &origin, err);
}

/* ---- The command line ---- */

struct arguments {
	struct argument *list;
	unsigned nb;
	char **eal; /* what stands behind `--` */
	int nb_eal;
};

static void free_arguments(struct arguments *arguments) {
	for (unsigned i = 0; i < arguments->nb; i++) {
		free(arguments->list[i].flag);
		free(arguments->list[i].text);
	}
	free(arguments->list);
}

static int unknown_flag(const char *flag, struct dp_error *err) {
	char near[VALUE_TEXT_BYTES];
	struct value_error shown;

	value_fail(&shown, flag, strlen(flag), "%s", "");
	if (!strcmp(flag, "-"))
		return dp_fail(err, true, -EINVAL,
			"-: not a target; give -iL - to read targets from standard input");
	if (flag[1] == 's')
		return dp_fail(err, true, -EINVAL,
			"%s: no such option; scan types are -sS -sA -sW -sF -sN -sX -sM -sU -sY "
			"and -sn, each a flag of its own, as in -sS -sU",
			shown.part);
	if (flag[1] == '-' && (options_near_flag(flag, near) || habits_near(flag, 3, near)))
		return dp_fail(err, true, -EINVAL, "%s: no such option; did you mean %s?",
			shown.part, near);
	return dp_fail(err, true, -EINVAL, "%s: no such option; --help lists them", shown.part);
}

/*
 * Find the row of @text, which begins with a dash: the flag itself, `--flag=value`, or a value
 * joined to a short flag as in `-p80`. *@joined is the value, NULL where there is none in it.
 */
static const struct option *find_flag(const char *text, size_t *length, const char **joined) {
	const char *equals = strchr(text, '=');
	const struct option *option;

	*joined = NULL;
	*length = strlen(text);
	option = options_by_flag(text, *length);
	if (option)
		return option;
	if (text[1] == '-') {
		*length = equals ? (size_t)(equals - text) : *length;
		*joined = equals ? equals + 1 : NULL;
		return options_by_flag(text, *length);
	}
	*length = 2;
	*joined = text + 2;
	option = text[1] && text[2] ? options_by_flag(text, 2) : NULL;
	return option && option->metavar ? option : NULL;
}

/* The value of an option that takes one, @joined to it or the next of @argv. */
static int read_flag_value(int argc, char **argv, int *at, const char *joined, const char *metavar,
	struct argument *argument, struct dp_error *err) {
	if (!joined && *at + 1 >= argc)
		return dp_fail(err, true, -EINVAL, "%s: needs a value; give %s %s", argument->flag,
			argument->flag, metavar);
	argument->value = joined ? joined : argv[++*at];
	/* Mostly a shell variable that is not set; for --exclude it would be dangerous. */
	if (!argument->value[strspn(argument->value, " \t")])
		return dp_fail(err, true, -EINVAL, "%s: its value is empty; give %s %s",
			argument->flag, argument->flag, metavar);
	return 0;
}

/* What other scanners have. 1: it was one, and is read; 0: it is none, or a negative errno. */
static int read_habit(
	int argc, char **argv, int *at, struct argument *argument, struct dp_error *err) {
	const char *text = argv[*at], *joined, *metavar;
	size_t length;
	int ret = 0;

	argument->habit = habits_find(text, &length, &joined);
	if (!argument->habit)
		return 0;
	argument->flag = strndup(text, length);
	if (!argument->flag)
		return no_memory(err);
	metavar = habit_metavar(argument->habit);
	if (metavar && !habit_is_refused(argument->habit))
		ret = read_flag_value(argc, argv, at, joined, metavar, argument, err);
	if (!ret)
		ret = habit_read(argument, err);
	return ret < 0 ? ret : 1;
}

/* Read the option at @argv[*at] and its argument; moves *at to the last one it used. */
static int read_flag(
	int argc, char **argv, int *at, struct argument *argument, struct dp_error *err) {
	const char *text = argv[*at], *joined = NULL;
	size_t length = strcspn(text, text[1] == '-' ? "=" : "");
	int ret = options_by_flag(text, length) ? 0 : read_habit(argc, argv, at, argument, err);

	if (ret)
		return ret < 0 ? ret : 0;
	argument->option = find_flag(text, &length, &joined);
	if (!argument->option) {
		char *name = strndup(text, text[1] == '-' ? strcspn(text, "=") : strlen(text));

		ret = name ? unknown_flag(name, err) : no_memory(err);
		free(name);
		return ret;
	}
	argument->flag = strndup(text, length);
	if (!argument->flag)
		return no_memory(err);
	if (!argument->option->metavar && joined)
		return dp_fail(err, true, -EINVAL, "%s: takes no value", argument->flag);
	if (argument->option->later && argument->option->role == OPTION_SWITCH)
		return dp_fail(err, true, -EINVAL, "%s is not in this version", argument->flag);
	return argument->option->metavar
		? read_flag_value(argc, argv, at, joined, argument->option->metavar, argument, err)
		: 0;
}

static int read_arguments(
	int argc, char **argv, struct arguments *arguments, struct dp_error *err) {
	arguments->list = calloc((size_t)argc + 1, sizeof(*arguments->list));
	if (!arguments->list)
		return no_memory(err);
	for (int i = 1; i < argc; i++) {
		struct argument *argument = &arguments->list[arguments->nb++];
		int ret;

		if (!strcmp(argv[i], "--")) {
			arguments->nb--;
			arguments->eal = argv + i + 1;
			arguments->nb_eal = argc - i - 1;
			break;
		}
		if (!argv[i][strspn(argv[i], " \t")])
			return dp_fail(err, true, -EINVAL,
				"argument %d: an empty target; give an address", i);
		if (argv[i][0] != '-') {
			argument->value = argv[i];
			continue;
		}
		ret = read_flag(argc, argv, &i, argument, err);
		if (ret < 0)
			return ret;
	}
	return habits_settle(arguments->list, arguments->nb, err);
}

/* Split `A.B=VALUE`. 0, -ENOMEM, or -EINVAL with @err filled, where @example says what it was. */
static int split_pair(const char *pair, const struct origin *origin, const char *example,
	char **first, char **second, const char **value, struct dp_error *err) {
	const char *equals = strchr(pair, '=');
	const char *dot = equals ? memchr(pair, '.', (size_t)(equals - pair)) : NULL;
	struct value_error shown;

	if (!dot) {
		value_fail(&shown, pair, strlen(pair), "%s", "");
		return dp_fail(
			err, true, -EINVAL, "%s %s: give %s", origin->name, shown.part, example);
	}
	*value = equals + 1;
	*first = strndup(pair, (size_t)(dot - pair));
	*second = strndup(dot + 1, (size_t)(equals - dot - 1));
	return *first && *second ? 0 : no_memory(err);
}

/* Set a key of any section; as on_entry(), for the command line. */
static int set_entry(struct config *config, const struct ini_entry *entry,
	const struct origin *origin, struct dp_error *err) {
	struct key key;
	int ret = set_for_plugin(config, entry, origin, err);

	if (ret)
		return ret < 0 ? ret : 0;
	ret = find_key(config, origin, entry->section, entry->key, &key, err);
	return ret < 0 ? ret : set_key(config, key, entry->value, origin, err);
}

/* Split SECTION.KEY=VALUE and set it; @origin is the flag in whose place it stands. */
static int set_pair(struct config *config, const char *pair, const struct origin *origin,
	struct dp_error *err) {
	struct ini_entry entry = {0};
	char *section = NULL, *key = NULL;
	int ret = split_pair(pair, origin, "SECTION.KEY=VALUE, such as scan.rate=50k", &section,
		&key, &entry.value, err);

	entry.section = section;
	entry.key = key;
	if (!ret)
		ret = set_entry(config, &entry, origin, err);
	free(section);
	free(key);
	return ret;
}

/* --plugin-arg NAME.KEY=VALUE */
static int set_plugin_arg(struct config *config, const char *pair, struct dp_error *err) {
	const struct origin origin = {.kind = ORIGIN_FLAG, .name = "--plugin-arg"};
	struct ini_entry entry = {0};
	char *plugin = NULL, *key = NULL;
	int ret = split_pair(pair, &origin, "NAME.KEY=VALUE, such as http-enum.paths=/admin",
		&plugin, &key, &entry.value, err);

	entry.section = plugin;
	entry.key = key;
	if (!ret)
		ret = add_setting(config, plugin, &entry, &origin, err);
	free(plugin);
	free(key);
	return ret;
}

/* The first -o drops the outputs of the file, but not those of --set. */
static int drop_file_outputs(struct config *config) {
	for (unsigned i = 0; i < config->nb_rows; i++) {
		char *empty;

		if (config->table[i].type != &option_path || config->from_command[i])
			continue;
		empty = strdup("");
		if (!empty)
			return -ENOMEM;
		store(config, &config->table[i], empty);
	}
	for (unsigned i = 0; i < config->request.nb_outputs; i++)
		if (config->request.outputs[i].line)
			config->request.outputs[i].dropped = true;
	config->outputs_given = true;
	return 0;
}

static int output_twice(
	const char *shown, const char *format, const char *path, struct dp_error *err) {
	return dp_fail(err, true, -EINVAL, "-o %s: %s goes to %s already; give each format once",
		shown, format, path);
}

/* -o NAME:PATH, where @name is no format of ours. */
static int add_output_of(struct config *config, const char *name, const char *path,
	const char *shown, struct dp_error *err) {
	const struct origin origin = {.kind = ORIGIN_FLAG, .name = "-o"};
	const struct ini_entry entry = {.section = "output", .key = name, .value = path};
	const struct plugin_output *before = plugin_request_find_output(&config->request, name);

	if (!lh_name_valid(name) || options_by_key("output", name))
		return dp_fail(err, true, -EINVAL,
			"-o %s: no such format; give table, ndjson, csv, xml, grep, list, pcapng, "
			"summary or an output plugin's name",
			shown);
	if (before && !before->dropped && *before->path)
		return output_twice(shown, name, before->path, err);
	return add_plugin_output(config, &entry, &origin, err);
}

/* -o FORMAT:PATH */
static int add_output(struct config *config, const char *value, struct dp_error *err) {
	const struct origin origin = {.kind = ORIGIN_FLAG, .name = "-o"};
	const char *colon = strchr(value, ':');
	const struct option *option = NULL;
	struct value_error shown;
	char format[LH_NAME_BYTES] = "";

	value_fail(&shown, value, strlen(value), "%s", "");
	if (!colon && strchr(value, '.'))
		return dp_fail(err, true, -EINVAL,
			"-o %s: a file without its format; give FORMAT:PATH: -o csv:%s, or ndjson, "
			"table, summary",
			shown.part, shown.part);
	if (!colon || !colon[1] || colon == value)
		return dp_fail(err, true, -EINVAL,
			"-o %s: give FORMAT:PATH, such as ndjson:results.ndjson", shown.part);
	if ((size_t)(colon - value) < sizeof(format)) {
		memcpy(format, value, (size_t)(colon - value));
		option = options_by_key("output", format);
	}
	if (option && option->later)
		return dp_fail(err, true, -EINVAL,
			"-o %s: the format %s is not in this version; give table, ndjson, csv, "
			"xml, grep, list or summary",
			shown.part, format);
	if (!config->outputs_given && drop_file_outputs(config) < 0)
		return no_memory(err);
	if (!option || option->type != &option_path)
		return add_output_of(config, format, colon + 1, shown.part, err);
	if (*config->text[row_of(config, option)])
		return output_twice(shown.part, format, config->text[row_of(config, option)], err);
	return set_value(config, option, colon + 1, &origin, err);
}

/* -oX FILE, -oA BASE: @option names the formats, each with what is added to the path. */
static int add_outputs(
	struct config *config, const struct argument *argument, struct dp_error *err) {
	const char *rest = argument->option->sets;
	int ret = 0;

	if (strchr(rest, '.') && !strcmp(argument->value, "-"))
		return dp_fail(err, true, -EINVAL,
			"%s -: several files, which standard output cannot be; give the beginning "
			"of their names",
			argument->flag);
	while (!ret && *rest) {
		const size_t format = strcspn(rest, ". "), whole = strcspn(rest, " ");
		char *output;

		if (asprintf(&output, "%.*s:%s%.*s", (int)format, rest, argument->value,
			    (int)(whole - format), rest + format)
			< 0)
			return no_memory(err);
		ret = add_output(config, output, err);
		free(output);
		rest += whole;
		rest += strspn(rest, " ");
	}
	return ret;
}

static int choose_action(
	struct config *config, const struct argument *argument, struct dp_error *err) {
	if (argument->option->action == CTL_ACTION_CONTROL)
		return dp_fail(err, true, -EINVAL,
			"--control: goes in front of all else: prtip-dp --control SOCKET COMMAND");
	if (config->action && config->public.action != argument->option->action)
		return dp_fail(err, true, -EINVAL, "%s: does not go with %s; give one of them",
			argument->flag, config->action);
	if (config->public.subject)
		return dp_fail(err, true, -EINVAL, "%s %s: one at a time, and %s was given already",
			argument->flag, argument->value, config->public.subject);
	if (argument->value) {
		config->public.subject = config->subject = strdup(argument->value);
		if (!config->subject)
			return no_memory(err);
	}
	config->action = argument->option->flags;
	config->public.action = argument->option->action;
	return 0;
}

/* Of -sS and the like: a further one is mixed with those before, where that goes. */
static int apply_type_flag(
	struct config *config, const struct argument *argument, struct dp_error *err) {
	const struct origin flag = {.kind = ORIGIN_FLAG, .name = argument->flag};
	const struct dp_scan_type *type = dp_scan_find(strchr(argument->option->sets, '=') + 1);
	const struct dp_scan_type *before = config->settings.type;
	char pair[64];

	if (config->type_flag)
		type = before == type || dp_scan_part(before, type->proto) == type
			? before
			: dp_scan_mix(before, type);
	if (!type)
		return dp_fail(err, true, -EINVAL,
			"%s: does not go with type = %s; a run takes one TCP type, -sU and -sY "
			"together, and any other type alone",
			argument->flag, before->name);
	config->type_flag = argument->option->flags;
	snprintf(pair, sizeof(pair), "scan.type=%s", type->name);
	return set_pair(config, pair, &flag, err);
}

static int apply_shorthand(
	struct config *config, const struct argument *argument, struct dp_error *err) {
	const struct origin flag = {.kind = ORIGIN_FLAG, .name = argument->flag};

	if (argument->flag[1] == 's')
		return apply_type_flag(config, argument, err);
	return set_pair(config, argument->option->sets, &flag, err);
}

struct habit_origin {
	struct config *config;
	const struct origin *flag;
};

static int set_of_habit(void *user, const char *pair, struct dp_error *err) {
	const struct habit_origin *origin = user;

	return set_pair(origin->config, pair, origin->flag, err);
}

static int apply_argument(
	struct config *config, const struct argument *argument, struct dp_error *err) {
	const struct origin flag = {.kind = ORIGIN_FLAG, .name = argument->flag};
	const struct origin set = {.kind = ORIGIN_SET, .name = "--set"};
	const struct origin target = {.kind = ORIGIN_TARGET, .name = "target"};

	struct habit_origin habit = {config, &flag};

	if (argument->dropped)
		return 0;
	if (!argument->option && argument->habit)
		return habit_each_setting(argument, set_of_habit, &habit, err);
	if (!argument->option)
		return set_value(
			config, options_by_key("scan", "targets"), argument->value, &target, err);
	switch (argument->option->role) {
	case OPTION_VALUE:
	case OPTION_MORE:
		return set_value(config, argument->option, argument->value, &flag, err);
	case OPTION_SHORTHAND:
		return apply_shorthand(config, argument, err);
	case OPTION_ACTION:
		return choose_action(config, argument, err);
	case OPTION_SWITCH:
		*(bool *)((char *)&config->settings + argument->option->offset) = true;
		return 0;
	case OPTION_CONFIG:
	case OPTION_RESUME:
		return 0;
	case OPTION_SET:
		return set_pair(config, argument->value, &set, err);
	case OPTION_OUTPUT:
		if (argument->option->sets)
			return add_outputs(config, argument, err);
		return add_output(config, argument->value, err);
	case OPTION_PLUGIN_ARG:
		return set_plugin_arg(config, argument->value, err);
	}
	return -EINVAL;
}

/* What follows `--` joins the EAL arguments of the file. */
static int append_eal(
	struct config *config, const struct arguments *arguments, struct dp_error *err) {
	const struct option *option = options_by_key("dataplane", "eal");

	for (int i = 0; i < arguments->nb_eal; i++) {
		const char *before = config->settings.eal, *more = arguments->eal[i];
		char *both;

		if (!*more || strpbrk(more, " \t\n"))
			return dp_fail(err, true, -EINVAL,
				"EAL argument %d: empty or with a blank inside, which none needs",
				i + 1);
		if (asprintf(&both, "%s%s%s", before, *before ? " " : "", more) < 0)
			return no_memory(err);
		store(config, option, both);
	}
	return 0;
}

/* The one file that options of @role name; NULL: none does. */
static int find_path(const struct arguments *arguments, enum option_role role, const char **path,
	struct dp_error *err) {
	for (unsigned i = 0; i < arguments->nb; i++) {
		const struct argument *argument = &arguments->list[i];

		if (!argument->option || argument->option->role != role)
			continue;
		if (*path)
			return dp_fail(err, true, -EINVAL,
				"%s %s: one file is read, and %s was given already", argument->flag,
				argument->value, *path);
		*path = argument->value;
	}
	return 0;
}

static int find_paths(
	struct config *config, const struct arguments *arguments, struct dp_error *err) {
	int ret = find_path(arguments, OPTION_CONFIG, &config->config_path, err);

	if (!ret)
		ret = find_path(arguments, OPTION_RESUME, &config->resume_path, err);
	if (ret)
		return ret;
	if (config->config_path && config->resume_path)
		return dp_fail(err, true, -EINVAL,
			"--config and --resume exclude each other: the checkpoint %s has the "
			"configuration of its scan",
			config->resume_path);
	if (config->config_path && !strcmp(config->config_path, "-"))
		config->config_path = "/dev/stdin";
	return config->config_path ? habits_check_config(config->config_path, err) : 0;
}

/* ---- What a checkpoint says ---- */

bool ctl_config_may_change(const char *section, const char *key) {
	static const char *const may[][2] = {{"dataplane", NULL}, {"metrics", NULL},
		{"status", NULL}, {"control", NULL}, {"checkpoint", NULL}, {"scan", "rate"},
		{"scan", "timing"}, {"scan", "cooldown"}, {"scan", "dedup"}, {"scan", "dedup_mb"},
		{"scan", "max_runtime"}, {"scan", "max_results"}, {"plugins", "lanes"},
		{"plugins", "memory_mb"}, {"plugins", "cpu_seconds"}, {"plugins", "wall_seconds"},
		{"plugins", "instructions"}, {"plugins", "phase_seconds"}, {"plugins", "queue"},
		{"plugins", "overflow"}, {"plugins", "spill_dir"}, {"plugins", "spill_mb"},
		{"plugins", "drain"}, {"plugins", "source"}, {"plugins", "device"}};

	for (unsigned i = 0; i < sizeof(may) / sizeof(*may); i++)
		if (!strcmp(section, may[i][0]) && (!may[i][1] || !strcmp(key, may[i][1])))
			return true;
	return false;
}

/* Begin with the configuration of the scan that is gone on with. */
static int apply_checkpoint(struct config *config, struct dp_error *err) {
	const struct origin origin = {.kind = ORIGIN_FILE, .name = config->resume_path};
	int ret = checkpoint_read(config->resume_path, &config->resume, err);

	for (unsigned i = 0; !ret && i < config->resume.nb_settings; i++) {
		const struct checkpoint_setting *setting = &config->resume.settings[i];
		const struct ini_entry entry = {
			.section = setting->section, .key = setting->key, .value = setting->value};

		ret = set_entry(config, &entry, &origin, err);
	}
	return ret;
}

/* The text that a key has in a list of settings; NULL: it has none. */
static const char *text_in(
	const struct checkpoint *checkpoint, const char *section, const char *key) {
	for (unsigned i = 0; i < checkpoint->nb_settings; i++) {
		const struct checkpoint_setting *setting = &checkpoint->settings[i];

		if (!strcmp(setting->section, section) && !strcmp(setting->key, key))
			return setting->value;
	}
	return NULL;
}

struct comparison {
	const struct config *config;
	struct dp_error *err;
	struct digest *digest; /* of what must not change */
};

static int compare_setting(void *user, const char *section, const char *key, const char *text) {
	const struct comparison *comparison = user;
	const struct config *config = comparison->config;
	const char *before = text_in(&config->resume, section, key);
	struct value_error now, then;

	if (ctl_config_may_change(section, key))
		return 0;
	digest_add(comparison->digest, section, strlen(section) + 1);
	digest_add(comparison->digest, key, strlen(key) + 1);
	digest_add(comparison->digest, text, strlen(text) + 1);
	if (before && !strcmp(before, text))
		return 0;
	value_fail(&now, text, strlen(text), "%s", "");
	value_fail(&then, before ? before : "", before ? strlen(before) : 0, "%s", "");
	return dp_fail(comparison->err, true, -EINVAL,
		"--resume %s: [%s] %s = %s: the scan was begun with %s%s; it cannot go on with "
		"another value, so leave that out or begin a new scan",
		config->resume_path, section, key, now.part, before && !*before ? "none" : "",
		before ? then.part : "none");
}

/* A resumed scan has the set, the order and the output of the one that was begun. */
static int check_resume(const struct config *config, struct dp_error *err) {
	struct comparison comparison = {config, err, digest_create()};
	uint8_t digest[DIGEST_BYTES];
	int ret;

	if (!comparison.digest)
		return no_memory(err);
	ret = ctl_config_each_setting(&config->public, compare_setting, &comparison);
	digest_value(comparison.digest, digest);
	digest_destroy(comparison.digest);
	if (!ret && memcmp(digest, config->resume.config_digest, sizeof(digest)))
		ret = dp_fail(err, true, -EINVAL,
			"--resume %s: its configuration is not the one that its scan had",
			config->resume_path);
	return ret;
}

static int check_input(void *user, const char *what, const char *path) {
	const struct comparison *comparison = user;
	const struct checkpoint *resume = &comparison->config->resume;
	const char *file = comparison->config->resume_path;
	uint8_t digest[DIGEST_BYTES];
	int rc = digest_of_file(path, digest);

	if (rc)
		return dp_fail(comparison->err, true, rc, "--resume %s: %s %s: %s", file, what,
			path, strerror(-rc));
	for (unsigned i = 0; i < resume->nb_inputs; i++)
		if (!strcmp(resume->inputs[i].path, path)
			&& !memcmp(resume->inputs[i].digest, digest, sizeof(digest)))
			return 0;
	return dp_fail(comparison->err, true, -EINVAL,
		"--resume %s: the %s %s was changed since the scan began; put it back as it was, "
		"or "
		"begin a new scan",
		file, what, path);
}

/* Paths that are relative mean the same files only in the same folder. */
static int check_folder(const struct config *config, struct dp_error *err) {
	char *here = getcwd(NULL, 0);
	int ret = here ? 0 : dp_fail(err, false, -errno, "working folder: %s", strerror(errno));

	if (!ret && strcmp(here, config->resume.folder))
		ret = dp_fail(err, true, -EINVAL,
			"--resume %s: the scan was begun in the folder %s; go on there, so that "
			"its files are found",
			config->resume_path, config->resume.folder);
	free(here);
	return ret;
}

/*
 * --resume-or-start: the checkpoint that the configuration names, where there is one. The configuration itself is
 * read as always, and compared: what was changed in it since is refused, but for what may change.
 */
static int find_checkpoint(struct config *config, struct dp_error *err) {
	struct settings *s = &config->settings;
	const char *seed;

	if (!s->resume_or_start)
		return 0;
	if (config->resume_path)
		return dp_fail(err, true, -EINVAL,
			"--resume-or-start and --resume exclude each other: give one of them");
	if (!*s->checkpoint)
		return dp_fail(err, true, -EINVAL,
			"--resume-or-start: there is no checkpoint to go on from; give "
			"[checkpoint] "
			"file, or --checkpoint FILE");
	if (access(s->checkpoint, F_OK) < 0 && errno == ENOENT)
		return 0;
	config->resume_path = s->checkpoint;
	int ret = checkpoint_read(config->resume_path, &config->resume, err);
	if (ret)
		return ret;
	/* One that was drawn stays. */
	seed = text_in(&config->resume, "scan", "seed");
	if (!s->seed && seed)
		s->seed = strtoull(seed, NULL, 10);
	return 0;
}

/* ---- The whole ---- */

static bool is_plugin_action(enum ctl_action action) {
	return action == CTL_ACTION_LIST_PLUGINS || action == CTL_ACTION_INSTALL_PLUGIN
		|| action == CTL_ACTION_REMOVE_PLUGIN || action == CTL_ACTION_CHECK_PLUGIN
		|| action == CTL_ACTION_NEW_PLUGIN;
}

/* How often a list of files names standard input. */
static unsigned count_stdin(const char *files) {
	unsigned count = 0;

	while (*files) {
		size_t length = strcspn(files, ",");

		count += length == 1 && *files == '-';
		files += length;
		files += strspn(files, ", ");
	}
	return count;
}

static bool reads_config_from_stdin(const struct config *config) {
	return config->config_path && !strcmp(config->config_path, "/dev/stdin");
}

/* What a resumed scan read from there, its checkpoint has. */
static unsigned count_stdin_readers(const struct config *config) {
	const struct settings *s = &config->settings;

	return config->resume_path ? 0
				   : count_stdin(s->targets_file) + count_stdin(s->exclude_file)
			+ reads_config_from_stdin(config);
}

static int check_stdin(const struct config *config, struct dp_error *err) {
	const bool config_stdin = reads_config_from_stdin(config);
	const unsigned readers = count_stdin_readers(config);

	if (readers > 1)
		return dp_fail(err, true, -EINVAL,
			"standard input is named %u times (--config, -iL, --exclude-file) but can "
			"be read "
			"once",
			readers);
	if (config->public.action == CTL_ACTION_PRINT_CONFIG && readers > config_stdin)
		return dp_fail(err, true, -EINVAL,
			"--print-config: addresses from standard input cannot be printed so that "
			"they "
			"give the same run; name a file");
	return 0;
}

/* --overwrite on the command line takes the place of the file's append, and the other way round. */
static int check_file_mode(struct config *config, struct dp_error *err) {
	const struct option *overwrite = options_by_key("output", "overwrite");
	const struct option *append = options_by_key("output", "append");
	const bool new_overwrite = config->from_command[row_of(config, overwrite)];
	const bool new_append = config->from_command[row_of(config, append)];
	const struct origin origin = {.kind = ORIGIN_DEFAULT};

	if (!config->settings.overwrite || !config->settings.append)
		return 0;
	if (new_overwrite == new_append)
		return dp_fail(err, true, -EINVAL,
			"overwrite and append exclude each other; give one of them");
	return set_value(config, new_overwrite ? append : overwrite, "no", &origin, err);
}

/* A name that can be a plugin's, and of an output plugin none that -o has for something else. */
static int check_new_plugin(const struct config *config, bool typed, struct dp_error *err) {
	const struct origin origin = {.kind = ORIGIN_FLAG, .name = config->action};
	const char *name = config->public.subject;

	if (!lh_name_valid(name) || !strcmp(name, "all"))
		return bad_plugin_name(&origin, name, err);
	if (!typed)
		return dp_fail(err, true, -EINVAL,
			"--new-plugin %s: of which type? give --type scan, output or detection",
			name);
	if (config->settings.new_type == LH_TYPE_OUTPUT && options_by_key("output", name))
		return dp_fail(err, true, -EINVAL,
			"--new-plugin %s: no -o could name it, as [output] has a key %s; give "
			"another "
			"name",
			name, name);
	return 0;
}

/* What goes with an action on plugins, and only with that. */
static int check_action(const struct config *config, struct dp_error *err) {
	const enum ctl_action action = config->public.action;
	const bool typed = config->from_command[row_of(config, options_by_flag("--type", 6))];

	if (is_plugin_action(action) && config->targets_given)
		return dp_fail(err, true, -EINVAL, "%s: scans nothing; give it without targets",
			config->action);
	if (config->settings.json && action != CTL_ACTION_LIST_PLUGINS)
		return dp_fail(err, true, -EINVAL,
			"--json: goes with --list-plugins; results as JSON are -o ndjson:PATH");
	if (action == CTL_ACTION_NEW_PLUGIN)
		return check_new_plugin(config, typed, err);
	if (typed)
		return dp_fail(err, true, -EINVAL,
			"--type: goes with --new-plugin; the type of a scan is --scan-type NAME");
	if (action == CTL_ACTION_REMOVE_PLUGIN && !lh_name_valid(config->public.subject)) {
		const struct origin origin = {.kind = ORIGIN_FLAG, .name = config->action};

		return bad_plugin_name(&origin, config->public.subject, err);
	}
	return 0;
}

static const char *text_of(const struct config *config, const char *key, unsigned number) {
	return config
		->text[place_of(config, (struct key){options_by_key("dataplane", key), number})];
}

/* Whether some numbered key of the port @number (1 more than its own) is given: its name, or NULL. */
static const char *any_of_port(
	const struct config *config, unsigned number, char name[static KEY_BYTES]) {
	for (unsigned i = 0; i < config->nb_rows; i++) {
		const struct key key = {&config->table[i], number};

		if (key.option->numbered && config->text[place_of(config, key)])
			return key_name(key, name);
	}
	return NULL;
}

/* How many ports port0, port1, ... name; 0: `port` is the only one. */
static unsigned count_ports(const struct config *config) {
	unsigned nb = 0;

	for (unsigned number = 1; number < FORMS; number++)
		if (text_of(config, "port", number))
			nb = number;
	return nb;
}

/* There may be several simulated networks, but a device is one port. */
static int check_same_port(const struct config *config, unsigned number, struct dp_error *err) {
	const char *text = text_of(config, "port", number);
	struct value_error shown;

	if (!strcmp(text, "sim"))
		return 0;
	for (unsigned i = 1; i < number; i++)
		if (!strcmp(text_of(config, "port", i), text)) {
			value_fail(&shown, text, strlen(text), "%s", "");
			return dp_fail(err, true, -EINVAL,
				"[dataplane] port%u = %s: that is port%u already; give each port "
				"once",
				number - 1, shown.part, i - 1);
		}
	return 0;
}

/*
 * `port` on the command line takes the place of the file's port0, port1 and so on with all that is theirs,
 * and numbered ports there take that of the file's `port`.
 */
static int settle_port_forms(struct config *config, struct dp_error *err) {
	const struct option *port = options_by_key("dataplane", "port");
	const struct origin origin = {.kind = ORIGIN_DEFAULT};
	const bool single = config->from_command[place_of(config, (struct key){port, 0})];
	bool numbered = false;

	for (unsigned number = 1; number < FORMS; number++)
		numbered |= config->from_command[place_of(config, (struct key){port, number})];
	if (numbered && !single)
		return set_key(config, (struct key){port, 0}, port->initial, &origin, err);
	for (unsigned i = 0; single && !numbered && i < FORMS * config->nb_rows; i++) {
		const bool of_one
			= config->table[i % config->nb_rows].numbered && i >= config->nb_rows;

		if (of_one && !config->from_command[i]) {
			free(config->text[i]);
			config->text[i] = NULL;
		}
	}
	return 0;
}

/* Numbered keys: no gap between them, none without its port, and not besides a single port. */
static int check_ports(const struct config *config, struct dp_error *err) {
	const unsigned nb = count_ports(config);
	const char *single = text_of(config, "port", 0);
	char name[KEY_BYTES];
	int ret = 0;

	if (nb && strcmp(single, "auto"))
		return dp_fail(err, true, -EINVAL,
			"[dataplane] port and port%u exclude each other; give port for one port, "
			"or "
			"port0, port1 and so on",
			nb - 1);
	for (unsigned number = 1; !ret && number < FORMS; number++) {
		const bool given = text_of(config, "port", number);

		if (!given && number < nb)
			return dp_fail(err, true, -EINVAL,
				"[dataplane] port%u is missing: port%u is given, and they count "
				"from port0 without a gap",
				number - 1, nb - 1);
		if (!given && any_of_port(config, number, name))
			return dp_fail(err, true, -EINVAL,
				"[dataplane] %s: there is no port%u; give that too", name,
				number - 1);
		ret = given ? check_same_port(config, number, err) : 0;
	}
	return ret;
}

/* The ports are wrong for the scan type. */
static int refuse_ports(
	const struct config *config, const struct value_error *why, struct dp_error *err) {
	const struct option *option = options_by_key("scan", "ports");
	const unsigned line = config->file_line[row_of(config, option)];
	const bool command = config->from_command[row_of(config, option)] || !line;
	const struct origin origin = {.kind = command ? ORIGIN_FLAG : ORIGIN_FILE,
		.name = command ? "-p" : config->config_path,
		.line = line};

	return refuse(&origin, (struct key){option, 0}, why->part, why->why, err);
}

/* The settings that only said which ports there are have done so: what is left of them is `ports`. */
static int forget_port_settings(struct config *config) {
	char *none = strdup(""), *zero = strdup("0");

	if (!none || !zero) {
		free(none);
		free(zero);
		return -ENOMEM;
	}
	store(config, options_by_key("scan", "exclude_ports"), none);
	store(config, options_by_key("scan", "top_ports"), zero);
	config->settings.top_ports = 0;
	return 0;
}

/* Add the commonest ports of @type to those that are @chosen, a flag each; of a mix of each of its parts. */
static int add_top_ports(const struct config *config, const struct dp_scan_type *type,
	bool chosen[DP_ENDPOINTS], struct dp_error *err) {
	const struct settings *s = &config->settings;
	const unsigned most = top_ports_count(type->proto);
	uint16_t *top = malloc(PORTS_MAX * sizeof(*top));

	if (!top)
		return no_memory(err);
	if (s->top_ports > most) {
		free(top);
		return dp_fail(err, true, -EINVAL,
			"--top-ports %llu: %u ports are listed for type %s; give no more, or -p -",
			(unsigned long long)s->top_ports, most, type->name);
	}
	top_ports_read(type->proto, (unsigned)s->top_ports, top);
	for (unsigned i = 0; i < s->top_ports; i++)
		chosen[s->type->nb_parts ? dp_endpoint(type->proto, top[i]) : top[i]] = true;
	free(top);
	return 0;
}

/* `ports` and top_ports without exclude_ports. Ascending to @ports, which holds those of `ports`. */
static int join_ports(
	const struct config *config, uint32_t *ports, unsigned *nb, struct dp_error *err) {
	const struct settings *s = &config->settings;
	bool *chosen = calloc(DP_ENDPOINTS, sizeof(*chosen));
	uint32_t *excluded = malloc(DP_ENDPOINTS * sizeof(*excluded));
	struct value_error why;
	unsigned nb_excluded, nb_given = *nb;
	int ret = chosen && excluded ? 0 : no_memory(err);

	for (unsigned i = 0; !ret && i < *nb; i++)
		chosen[ports[i]] = true;
	if (!ret && !s->type->nb_parts)
		ret = add_top_ports(config, s->type, chosen, err);
	for (unsigned i = 0; !ret && i < s->type->nb_parts; i++)
		ret = add_top_ports(config, s->type->part[i], chosen, err);
	if (!ret
		&& targets_read_endpoints(s->exclude_ports, s->type, excluded, &nb_excluded, &why)
			< 0)
		ret = dp_fail(err, true, -EINVAL, "exclude_ports %s: %s", why.part, why.why);
	for (unsigned i = 0; !ret && i < nb_excluded; i++)
		chosen[excluded[i]] = false;
	*nb = 0;
	for (uint32_t endpoint = 0; !ret && endpoint < DP_ENDPOINTS; endpoint++)
		if (chosen[endpoint])
			ports[(*nb)++] = endpoint;
	if (!ret && !*nb && (nb_given || s->top_ports))
		ret = dp_fail(
			err, true, -EINVAL, "no ports left: all of them are among exclude_ports");
	free(chosen);
	free(excluded);
	return ret;
}

/* A mix has ports for each of its types, as the others were not meant. */
static int check_parts(const struct dp_scan_type *type, const char *list, const uint32_t *ports,
	unsigned nb, struct value_error *why) {
	for (unsigned i = 0; i < type->nb_parts; i++) {
		const enum dp_proto proto = type->part[i]->proto;
		unsigned k = 0;

		while (k < nb && dp_endpoint_proto(ports[k]) != proto)
			k++;
		if (k == nb)
			return value_fail(why, list, strlen(list),
				"type = %s, but none of them is for %s; give it some with %c:, or "
				"leave %s out",
				type->name, type->part[i]->name, targets_letter(proto),
				type->part[i]->name);
	}
	return 0;
}

/* Now that the scan type is known: are the ports such as it sends to? Then their text is plain. */
static int settle_ports(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	const bool given = config->from_command[row_of(config, options_by_key("scan", "ports"))];
	const bool top = config->from_command[row_of(config, options_by_key("scan", "top_ports"))];
	uint32_t *ports = malloc(DP_ENDPOINTS * sizeof(*ports));
	struct value_error why;
	unsigned nb;
	char *text = NULL;
	/* -F on the command line replaces the file's ports, as -p would. */
	const char *list = top && !given && s->top_ports ? "" : s->ports;
	int ret = ports ? targets_read_endpoints(list, s->type, ports, &nb, &why) : -ENOMEM;

	if (ret == -EINVAL)
		ret = refuse_ports(config, &why, err);
	else if (!ret)
		ret = join_ports(config, ports, &nb, err);
	if (!ret && nb && check_parts(s->type, s->ports, ports, nb, &why))
		ret = refuse_ports(config, &why, err);
	if (!ret)
		text = option_endpoints_text(s->type, ports, nb);
	free(ports);
	if (ret < 0)
		return ret == -ENOMEM ? no_memory(err) : ret;
	if (!text)
		return no_memory(err);
	store(config, options_by_key("scan", "ports"), text);
	return forget_port_settings(config) < 0 ? no_memory(err) : 0;
}

/* TCP ports say something where SYN opens a connection, UDP ports in their replies. */
static bool has_banners(const struct dp_scan_type *type) {
	const struct dp_scan_type *tcp = dp_scan_part(type, DP_PROTO_TCP);

	return tcp ? !strcmp(tcp->name, "syn") : dp_scan_part(type, DP_PROTO_UDP) != NULL;
}

/* What does not go with the scan type: nothing that was asked for is silently left out. */
static int check_type(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;

	if (is_plugin_action(config->public.action))
		return 0;
	if (!s->type->has_ports && (*s->ports || s->top_ports))
		return dp_fail(err, true, -EINVAL,
			"ports (-p, -F, --top-ports) and type = %s exclude each other: such a scan "
			"is about hosts; "
			"leave the ports out, or give a type that has some",
			s->type->name);
	if (s->banner && !has_banners(s->type))
		return dp_fail(err, true, -EINVAL,
			"[banner] enable = on and type = %s exclude each other: only syn and udp "
			"scans get banners",
			s->type->name);
	return s->type->has_ports ? settle_ports(config, err) : 0;
}

/* One file for both: the checkpoints of a scan that goes on take the place of those before. */
static int settle_checkpoint(struct config *config, struct dp_error *err) {
	const struct option *option = options_by_key("checkpoint", "file");
	char *path;

	if (!config->resume_path || config->resume_path == config->settings.checkpoint)
		return 0;
	if (config->from_command[row_of(config, option)]
		&& strcmp(config->settings.checkpoint, config->resume_path))
		return dp_fail(err, true, -EINVAL,
			"--resume %s: its checkpoints go on in that file; leave out %s",
			config->resume_path, config->settings.checkpoint);
	path = strdup(config->resume_path);
	if (!path)
		return no_memory(err);
	store(config, option, path);
	return 0;
}

/* What others than the machine's own users can ask for is said twice. */
static int check_listen(const struct settings *s, struct dp_error *err) {
	char ip[VALUE_TEXT_BYTES];

	if (s->allow.nb && !s->listen.on)
		return dp_fail(err, true, -EINVAL,
			"[metrics] allow: there is nothing to ask for without [metrics] listen");
	if (!s->listen.on || s->listen.local || s->allow.nb)
		return 0;
	value_write_ip(s->listen.ip, ip);
	return dp_fail(err, true, -EINVAL,
		"[metrics] listen: whoever reaches %s could watch the scan; say who may, with "
		"[metrics] allow = 192.0.2.0/24, or listen on 127.0.0.1",
		ip);
}

static int check_together(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	int ret = settle_checkpoint(config, err);

	if (!ret)
		ret = check_stdin(config, err);

	if (!ret)
		ret = check_file_mode(config, err);
	if (!ret)
		ret = check_action(config, err);
	if (!ret)
		ret = check_type(config, err);
	if (!ret)
		ret = settle_port_forms(config, err);
	if (!ret)
		ret = check_ports(config, err);
	if (!ret)
		ret = check_listen(s, err);
	if (ret < 0)
		return ret;
	if (s->quiet && s->verbose)
		return dp_fail(
			err, true, -EINVAL, "--quiet and -v exclude each other; give one of them");
	if (s->tx_lcores + s->rx_lcores > DP_MAX_LCORES)
		return dp_fail(err, true, -EINVAL,
			"[dataplane] tx_lcores = %llu and rx_lcores = %llu: more than %d together",
			(unsigned long long)s->tx_lcores, (unsigned long long)s->rx_lcores,
			DP_MAX_LCORES);
	return 0;
}

/* ---- What the plugins' part comes to ---- */

/* How an error about a name in [plugins] enable begins. */
static void describe_enable(const struct config *config, char where[PLUGIN_WHERE_BYTES]) {
	const unsigned row = row_of(config, options_by_key("plugins", "enable"));

	if (config->from_command[row])
		snprintf(where, PLUGIN_WHERE_BYTES, "--set plugins.enable=");
	else
		snprintf(where, PLUGIN_WHERE_BYTES, "%.250s:%u: [plugins] enable = ",
			config->config_path ? config->config_path : "", config->file_line[row]);
}

/* The place of @item, which has @length bytes, in a list split by ", "; NULL: it is not in there. */
static const char *in_list(const char *list, const char *item, size_t length) {
	while (*list) {
		const size_t size = strcspn(list, ",");

		if (size == length && !memcmp(list, item, length))
			return list;
		list += size;
		list += strspn(list, ", ");
	}
	return NULL;
}

/* Both lists in one without repeats, to be freed; NULL: no memory. */
static char *united(const char *first, const char *second) {
	const char *const lists[] = {first, second};
	char *out = calloc(1, strlen(first) + strlen(second) + sizeof(", "));
	size_t at = 0;

	for (unsigned i = 0; out && i < 2; i++)
		for (const char *item = lists[i]; *item; item += strspn(item, ", ")) {
			const size_t length = strcspn(item, ",");

			if (!in_list(out, item, length))
				at += (size_t)sprintf(
					out + at, "%s%.*s", at ? ", " : "", (int)length, item);
			item += length;
		}
	return out;
}

static int look_for_plugins(struct config *config, const char *dirs, struct dp_error *err) {
	struct plugin_request *request = &config->request;
	const struct settings *s = &config->settings;
	const enum ctl_action action = config->public.action;
	int ret;

	request->names[0].list = s->plugins;
	describe_enable(config, request->names[0].where);
	request->names[1].list = s->more_plugins ? s->more_plugins : "";
	snprintf(request->names[1].where, PLUGIN_WHERE_BYTES, "--plugin ");
	request->dirs = dirs;
	request->given_dirs = s->more_plugin_dirs ? s->more_plugin_dirs : "";
	request->depth = action == CTL_ACTION_LIST_PLUGINS ? PLUGIN_LIST
		: is_plugin_action(action)		   ? PLUGIN_DIRS
							   : PLUGIN_CHOOSE;
	ret = plugin_set_create(request, &config->plugins, err);
	/* The settings and outputs are printed later; the lists are about to change. */
	request->names[0].list = request->names[1].list = NULL;
	request->dirs = request->given_dirs = NULL;
	return ret;
}

/*
 * Find the plugins that are asked for. Then the lists of the flags join those of the keys, so that
 * these tell the whole: names behind the configured ones, folders before them.
 */
static int find_plugins(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	char *configured = *s->plugin_dirs ? strdup(s->plugin_dirs) : plugin_set_default_dirs();
	char *dirs = configured ? united(s->more_plugin_dirs ? s->more_plugin_dirs : "", configured)
				: NULL;
	char *names = united(s->plugins, s->more_plugins ? s->more_plugins : "");
	int ret = dirs && names ? look_for_plugins(config, dirs, err) : no_memory(err);

	if (!ret) {
		store(config, options_by_key("plugins", "enable"), names);
		names = NULL;
	}
	if (!ret && s->more_plugin_dirs) {
		store(config, options_by_key("plugins", "dir"), dirs);
		dirs = NULL;
	}
	free(configured);
	free(dirs);
	free(names);
	return ret;
}

static bool all_simulated(const struct config *config) {
	const struct port_settings *port = config->settings.ports_of;
	const unsigned nb = count_ports(config);
	bool all = nb ? true : !strcmp(port[0].port, "sim");

	for (unsigned number = 1; number <= nb; number++)
		all &= !strcmp(port[number].port, "sim");
	return all;
}

/* Plugins open sockets in a scan, and none in the simulated network. */
static int check_device(const struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	const enum ctl_action action = config->public.action;

	if ((action != CTL_ACTION_SCAN && action != CTL_ACTION_DRY_RUN) || all_simulated(config))
		return 0;
	return plugin_set_check_device(config->plugins, s->device, err);
}

/* ---- Printing ---- */

static int check_value_printable(
	const char *section, const char *key, const char *text, struct dp_error *err) {
	struct value_error shown;

	if (inifile_can_hold(text))
		return 0;
	value_fail(&shown, text, strlen(text), "%s", "");
	return dp_fail(err, true, -EINVAL,
		"--print-config: [%s] %s = %s: an INI file cannot hold it (` ;` begins a comment; "
		"no control characters)",
		section, key, shown.part);
}

/* Refuse to print what would not read back. */
static int check_printable(const struct config *config, struct dp_error *err) {
	const struct plugin_request *request = &config->request;
	char section[sizeof(plugin_section) + LH_NAME_BYTES], name[KEY_BYTES];
	int ret = 0;

	for (unsigned i = 0; !ret && i < FORMS * config->nb_rows; i++) {
		const struct key key = {&config->table[i % config->nb_rows], i / config->nb_rows};

		if (key.option->key && config->text[i])
			ret = check_value_printable(
				key.option->section, key_name(key, name), config->text[i], err);
	}
	for (unsigned i = 0; !ret && i < request->nb_settings; i++) {
		if (!request->settings[i].key)
			continue;
		snprintf(section, sizeof(section), "%s%s", plugin_section,
			request->settings[i].plugin);
		ret = check_value_printable(
			section, request->settings[i].key, request->settings[i].value, err);
	}
	for (unsigned i = 0; !ret && i < request->nb_outputs; i++)
		ret = check_value_printable(
			"output", request->outputs[i].name, request->outputs[i].path, err);
	return ret;
}

static int choose_seed(struct config *config, struct dp_error *err) {
	const struct option *option = options_by_key("scan", "seed");
	char *text;

	while (!config->settings.seed)
		if (getrandom(&config->settings.seed, sizeof(config->settings.seed), 0) < 0
			&& errno != EINTR)
			return dp_fail(err, false, -errno, "random seed: %s", strerror(errno));
	if (asprintf(&text, "%llu", (unsigned long long)config->settings.seed) < 0)
		return no_memory(err);
	store(config, option, text);
	return 0;
}

/* The files of udp_payloads and [banner] payloads. */
static int read_payloads(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	struct ctl_config *public = &config->public;
	int ret = 0;

	if (is_plugin_action(public->action))
		return 0;
	if (*s->udp_payloads)
		ret = payload_file_read(s->udp_payloads, PAYLOAD_FILE_UDP, &config->payloads, err);
	if (!ret && *s->banner_payloads)
		ret = payload_file_read(
			s->banner_payloads, PAYLOAD_FILE_HELLO, &config->hellos, err);
	if (config->payloads)
	public->payloads = payload_file_payloads(config->payloads, &public->nb_payloads);
	if (config->hellos)
	public->hellos = payload_file_hellos(config->hellos, &public->nb_hellos);
	return ret;
}

/* The operator's files, those that come along, Recog's: of equal rules the first counts. */
static int read_all_fingerprints(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	char *shipped = detect_default_path(), *names = strdup(s->fingerprints), *rest = names;
	int ret = shipped && names ? 0 : no_memory(err);

	for (char *name; !ret && (name = strsep(&rest, ",")) && *s->fingerprints;)
		ret = detect_rules_read(config->fingerprints, name + strspn(name, " "), err);
	if (!ret)
		ret = detect_rules_read(config->fingerprints, shipped, err);
	if (!ret && *s->recog)
		ret = detect_rules_read_recog(
			config->fingerprints, s->recog, &config->public.left_out, err);
	free(shipped);
	free(names);
	return ret;
}

static int read_fingerprints(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	const enum ctl_action action = config->public.action;
	int ret;

	config->public.fingerprints_unused
		= (*s->fingerprints || *s->recog) && (!s->banner || !s->detection);
	if (!s->banner || !s->detection
		|| (action != CTL_ACTION_SCAN && action != CTL_ACTION_DRY_RUN))
		return 0;
	ret = detect_rules_create(&config->fingerprints);
	ret = ret ? no_memory(err) : read_all_fingerprints(config, err);
	config->public.fingerprints = config->fingerprints;
	return ret;
}

/* Whether some file of the list can be read once only. */
static bool has_stream(const char *files) {
	char *copy = strdup(files), *rest = copy, *file;
	bool found = !copy;
	struct stat status;

	while (!found && (file = strsep(&rest, ","))) {
		file += strspn(file, " ");
		found = *file && !stat(file, &status) && !S_ISREG(status.st_mode);
		found = found || !strcmp(file, "-");
	}
	free(copy);
	return found;
}

/* The target space of a scan that goes on, where the checkpoint has it. */
static int take_space(struct config *config, struct dp_error *err) {
	struct ctl_config *public = &config->public;
	char *path;
	int ret;

	if (asprintf(&path, "%s.space", config->resume_path) < 0)
		return no_memory(err);
	ret = checkpoint_read_space(path, config->resume.space_digest, &public->space, err);
	free(path);
	return ret;
}

/* Made of the same files it is the same; if not, what makes it has changed. */
static int check_space(const struct config *config, struct dp_error *err) {
	uint8_t digest[DIGEST_BYTES];

	if (checkpoint_digest(config->public.space, digest))
		return no_memory(err);
	if (memcmp(digest, config->resume.space_digest, sizeof(digest)))
		return dp_fail(err, true, -EINVAL,
			"--resume %s: the targets come to other addresses than when the scan began",
			config->resume_path);
	return 0;
}

static int build_space(struct config *config, struct dp_error *err);
static void publish_plugins(struct config *config);
static void publish_ports(struct config *config);

/* ---- Host names among the targets ---- */

enum {
	FAMILY_V4 = 1,
	FAMILY_V6,
}; /* places in the names of [scan] family */

/* What a port can send of each family: all it has sources of, else what the kernel has routes for. */
static void widen_policy(const struct dp_port_params *port, struct names_policy *policy) {
	const bool sim = !strcmp(port->port, "sim") || !strncmp(port->port, "net_", 4);
	bool v4 = !port->nb_sources, v6 = v4;

	for (unsigned i = 0; i < port->nb_sources; i++)
		*(dp_ip_is_v4(port->sources[i].first) ? &v4 : &v6) = true;
	policy->v4 |= v4;
	policy->v6 |= v6;
	policy->routed4 &= !sim && !port->nb_sources && !port->gateway4;
	policy->routed6 &= !sim && !port->nb_sources && !port->gateway6;
}

static struct names_policy names_policy(const struct config *config) {
	const struct settings *s = &config->settings;
	const struct ctl_config *public = &config->public;
	struct names_policy policy = {.routed4 = true, .routed6 = true};

	for (unsigned i = 0; i < public->nb_devices; i++)
		widen_policy(&public->devices[i], &policy);
	policy.v4 &= s->type->v4 && s->family != FAMILY_V6;
	policy.v6 &= s->type->v6 && s->family != FAMILY_V4;
	policy.all = s->resolve;
	policy.log = s->quiet ? NULL : stderr;
	return policy;
}

/* The names that are known before the lists are read. */
static int know_names(struct config *config, struct dp_error *err) {
	struct value_error why; /* cannot be: the key's text was read before */

	if (names_create(config->settings.resolved, &config->names, &why) < 0)
		return no_memory(err);
	config->public.names = config->names;
	return 0;
}

/* What the names stand for becomes part of the configuration, so that nobody looks them up again. */
static int keep_names(struct config *config, struct dp_error *err) {
	char *text = names_text(config->names);

	if (!text)
		return no_memory(err);
	store(config, options_by_key("scan", "resolved"), text);
	return 0;
}

static int check_names(const struct names_policy *policy, struct dp_error *err) {
	if (policy->v4 || policy->v6)
		return 0;
	return dp_fail(err, true, -EINVAL,
		"no family is left for host names: [scan] family, the scan type and [dataplane] "
		"source have none in common");
}

/* Everything that a resumed scan must have in common with its beginning. */
static int resume_space(struct config *config, struct dp_error *err) {
	struct comparison comparison = {config, err, NULL};
	struct ctl_config *public = &config->public;
	int ret = check_folder(config, err);

	publish_plugins(config);
	public->by_value = config->resume.by_value;
	if (!ret)
		ret = check_resume(config, err);
	if (!ret)
		ret = ctl_config_each_input(public, check_input, &comparison);
	if (!ret)
		ret = public->by_value ? take_space(config, err) : build_space(config, err);
	if (!ret && public->by_value)
		ret = know_names(config, err);
	if (!ret && public->by_value)
		names_want_all(config->names);
	if (!ret && public->space)
		ret = check_space(config, err);
	public->excluded_default = config->resume.excluded_default;
	public->excluded_exclude = config->resume.excluded_exclude;
	public->resume = &config->resume;
	return ret;
}

static int build_space(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	const bool wanted = config->public.action != CTL_ACTION_PRINT_CONFIG;
	uint32_t *ports = NULL;
	char *list = NULL;
	struct targets_spec spec = {.type = s->type,
		.targets = s->targets,
		.targets_files = s->targets_file,
		.exclude = s->exclude,
		.exclude_files = s->exclude_file};
	struct targets targets;
	struct value_error why;
	int ret;

	if (is_plugin_action(config->public.action))
		return 0;
	if (!*s->targets && !*s->targets_file)
		return wanted ? dp_fail(err, true, -EINVAL,
			       "no targets: give some, as in `prtip-dp -p 80 198.18.0.0/16`, or "
			       "-iL FILE, or [scan] targets in a --config FILE")
			      : 0;
	if (!*s->ports && s->type->has_ports)
		return wanted ? dp_fail(err, true, -EINVAL,
			       "no ports: give -p LIST, such as -p 80,443, or -F, or [scan] ports")
			      : 0;
	publish_ports(config);
	spec.policy = names_policy(config);
	ret = check_names(&spec.policy, err);
	if (ret < 0)
		return ret;
	ports = malloc(DP_ENDPOINTS * sizeof(*ports));
	if (s->default_excludes)
		spec.default_list = list = targets_default_list();
	if (!ports || (s->default_excludes && !list)) {
		ret = no_memory(err);
	} else {
		ret = targets_read_endpoints(s->ports, s->type, ports, &spec.nb_ports, &why);
		spec.ports = ports;
		if (!ret)
			ret = know_names(config, err);
		spec.names = config->names;
		if (!ret)
			ret = targets_build(&spec, &targets, err);
		if (!ret)
			ret = keep_names(config, err);
	}
	free(ports);
	free(list);
	/* Where nothing is left the error has them; but not more than a few. */
	if (!s->quiet && (ret >= 0 || names_failed(config->names) > 3))
		names_log_failures(config->names, stderr);
	if (ret < 0)
		return ret;
	config->public.space = targets.space;
	config->public.excluded_default = targets.excluded_default;
	config->public.excluded_exclude = targets.excluded_exclude;
	return 0;
}

static int add_spec(
	struct ctl_config *public, const struct ctl_output_spec *spec, struct dp_error *err) {
	if (public->nb_outputs == CTL_MAX_OUTPUTS)
		return dp_fail(err, true, -E2BIG, "-o %s:%s: more than %d outputs; give fewer",
			spec->format, spec->path, CTL_MAX_OUTPUTS);
	public->outputs[public->nb_outputs++] = *spec;
	return 0;
}

/* A checkpoint says how far one file of each output is. */
static int check_rotation(const struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;

	if (!s->rotate_bytes && !s->rotate_ns)
		return 0;
	if (s->rotate_ns && s->rotate_ns < 1000000000)
		return dp_fail(err, true, -EINVAL, "rotate_time: give 1s or more, or 0s for never");
	if (*s->checkpoint)
		return dp_fail(err, true, -EINVAL,
			"rotate_size and rotate_time do not go with a checkpoint in this version, "
			"which "
			"knows of one file an output: leave one of them out");
	return 0;
}

static int publish_outputs(struct config *config, struct dp_error *err) {
	struct ctl_config *public = &config->public;
	int ret = 0;

	for (unsigned i = 0; !ret && i < config->nb_rows; i++) {
		const struct ctl_output_spec spec
			= {.format = config->table[i].key, .path = config->text[i], .plugin = 0};

		if (config->table[i].type == &option_path && *spec.path)
			ret = add_spec(public, &spec, err);
	}
	for (unsigned i = 0; !ret && i < config->request.nb_outputs; i++) {
		const struct plugin_output *output = &config->request.outputs[i];
		const struct ctl_output_spec spec = {.format = output->name,
			.path = output->path,
			.plugin = plugin_set_place(config->plugins, output->name)};

		if (!output->dropped && *output->path && spec.plugin)
			ret = add_spec(public, &spec, err);
	}
	public->file_mode = config->settings.overwrite ? CTL_FILE_OVERWRITE
		: config->settings.append	       ? CTL_FILE_APPEND
						       : CTL_FILE_CREATE;
	public->include_closed = config->settings.include_closed;
	public->open_only = config->settings.open_only;
	public->reason = config->settings.reason;
	public->fields = config->settings.fields;
	public->filter = config->filter;
	public->rotate_bytes = config->settings.rotate_bytes;
	public->rotate_ns = config->settings.rotate_ns;
	return ret ? ret : check_rotation(config, err);
}

static void publish_plugins(struct config *config) {
	const struct settings *s = &config->settings;
	const struct plugin_set *set = config->plugins;

	config->public.plugins = (struct ctl_plugins){
		.enabled = set->enabled,
		.nb_enabled = set->nb_enabled,
		.catalog = set->catalog,
		.dirs = (const char *const *)set->dirs,
		.nb_dirs = set->nb_dirs,
		.lanes = (unsigned)s->lanes,
		.limits = {.memory_mb = (uint32_t)s->memory_mb,
			.cpu_s = s->cpu_s,
			.wall_s = s->wall_s,
			.instructions = s->instructions,
			.phase_s = s->phase_s},
		.queue = (uint32_t)s->queue,
		.overflow = (enum ctl_overflow)s->overflow,
		.spill_dir = s->spill_dir,
		.spill_mb = (uint32_t)s->spill_mb,
		.drain_ns = s->drain_ns,
		.source_ip = s->plugin_source_ip,
		.device = s->device,
	};
	config->public.warnings = (const char *const *)set->warnings;
	config->public.nb_warnings = set->nb_warnings;
}

/* The settings of the port @number: its own where they are given, else those of the plain keys. */
static void publish_port(
	const struct config *config, unsigned number, struct dp_port_params *device) {
	const struct port_settings *own = &config->settings.ports_of[number];
	const struct port_settings *plain = &config->settings.ports_of[0];
	const struct port_settings *source = text_of(config, "source", number) ? own : plain;
	const struct port_settings *gateway = text_of(config, "gateway", number) ? own : plain;
	const struct port_settings *mac = text_of(config, "gateway_mac", number) ? own : plain;

	*device = (struct dp_port_params){
		.port = own->port,
		.nb_sources = source->source.nb,
		.gateway4 = gateway->gateway.v4,
		.gateway6 = gateway->gateway.v6,
		.has_gateway_mac = mac->gateway_mac.given,
		.vlan = (uint16_t)(text_of(config, "vlan", number) ? own : plain)->vlan,
	};
	memcpy(device->sources, source->source.range, sizeof(device->sources));
	memcpy(device->gateway_mac, mac->gateway_mac.bytes, sizeof(device->gateway_mac));
}

static void publish_ports(struct config *config) {
	struct ctl_config *public = &config->public;
	const unsigned nb = count_ports(config);

	public->nb_devices = nb ? nb : 1;
	for (unsigned i = 0; i < public->nb_devices; i++)
		publish_port(config, nb ? 1 + i : 0, &public->devices[i]);
}

/* Copy the settings to the struct that the rest of the program knows. */
static int publish(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	struct ctl_config *public = &config->public;

	public->json = s->json;
	public->new_type = (enum lh_type)s->new_type;
	public->type = s->type;
	public->probes = (unsigned)s->probes;
	public->max_runtime_ns = s->max_runtime_ns;
	public->max_results = s->max_results;
	public->exclude_files = s->exclude_file;
	public->timing = (unsigned)s->timing;
	public->ports = s->ports;
	public->banner = s->banner;
	public->banner_bytes = (uint32_t)s->banner_bytes;
	public->banner_wait_ns = s->banner_wait_ns;
	public->rate_pps = s->rate.given ? s->rate.value.pps : timing_pps[s->timing];
	public->rate_bps = s->rate.given ? s->rate.value.bps : 0;
	public->cooldown_ns = s->cooldown_ns;
	public->shard = s->shard.number;
	public->shards = s->shard.of;
	public->seed = s->seed;
	public->dedup = (enum ctl_dedup)s->dedup;
	public->dedup_mb = (uint32_t)s->dedup_mb;
	publish_ports(config);
	public->source_port_first = s->source_ports.first;
	public->source_port_last = s->source_ports.last;
	public->tx_lcores = (unsigned)s->tx_lcores;
	public->rx_lcores = (unsigned)s->rx_lcores;
	public->hugepages = (enum dp_hugepages)s->hugepages;
	public->eal = s->eal;
	public->sim = (struct dp_sim_params){.alive = s->sim_alive,
		.open = s->sim_open,
		.loss = s->sim_loss,
		.duplicate = s->sim_duplicate,
		.rtt_us = (uint32_t)(s->sim_rtt_ns / 1000),
		.jitter_us = (uint32_t)(s->sim_jitter_ns / 1000),
		.banners = s->sim_banners,
		.seed = s->sim_seed};
	public->listen = s->listen;
	public->allow = s->allow;
	public->telemetry = s->telemetry;
	public->status_interval_ns = s->status_interval_ns;
	public->status_file = s->status_file;
	public->checkpoint = s->checkpoint;
	public->checkpoint_interval_ns = s->checkpoint_interval_ns;
	if (!config->resume_path)
	public->by_value = has_stream(s->targets_file) || has_stream(s->exclude_file);
	public->quiet = s->quiet;
	public->json_status = s->json_status;
	public->control_socket = s->control_socket;
	public->config_file = config->config_path && strcmp(config->config_path, "/dev/stdin")
		? config->config_path
		: NULL;
	public->stdin_used = count_stdin_readers(config) > 0;
	public->verbose = s->verbose;
	publish_plugins(config);
	return publish_outputs(config, err);
}

/* --help, --version and --doctor need nothing else to be right. */
static bool wants_text(struct config *config, const struct arguments *arguments) {
	for (unsigned i = 0; i < arguments->nb; i++)
		if (arguments->list[i].option
			&& arguments->list[i].option == options_by_flag("--json", 6))
			config->public.json = true;
	for (unsigned i = 0; i < arguments->nb; i++) {
		const struct option *option = arguments->list[i].option;

		if (option && option->role == OPTION_ACTION
			&& (option->action == CTL_ACTION_HELP
				|| option->action == CTL_ACTION_VERSION
				|| option->action == CTL_ACTION_DOCTOR)) {
			config->public.action = option->action;
			return true;
		}
	}
	return false;
}

/* A field of a plugin that does not run would be empty for good. */
static int check_plugin_of(
	const struct config *config, const char *key, const char *plugin, struct dp_error *err) {
	const struct plugin_set *set = config->plugins;

	for (unsigned i = 0; set && i < set->nb_enabled; i++)
		if (!strcmp(set->enabled[i]->name, plugin))
			return 0;
	return dp_fail(err, true, -EINVAL,
		"[output] %s: plugins.%s: no such plugin runs; give --plugin %s, or another field",
		key, plugin, plugin);
}

static int compile_filter(struct config *config, struct dp_error *err) {
	const struct settings *s = &config->settings;
	struct value_error why;
	const char *plugin;
	int ret = *s->filter ? filter_create(s->filter, &config->filter, &why) : 0;

	if (ret)
		return ret == -ENOMEM ? no_memory(err)
				      : dp_fail(err, true, ret, "[output] filter: %s", why.why);
	for (unsigned i = 0; !ret && config->filter && (plugin = filter_plugin(config->filter, i));
		i++)
		ret = check_plugin_of(config, "filter", plugin, err);
	if (!ret && config->filter && s->max_results && !filter_is_early(config->filter))
		ret = dp_fail(err, true, -EINVAL,
			"max_results and this filter exclude each other: what banners and plugins "
			"say is known when enough was found; leave one of them out");
	return ret;
}

static int check_fields(const struct config *config, struct dp_error *err) {
	const char *rest = config->settings.fields;
	struct field field;
	char why[64];
	int ret = 0;

	while (!ret && *rest) {
		const size_t length = strcspn(rest, ", ");

		if (!field_find(rest, length, &field, why, sizeof why) && *field.plugin)
			ret = check_plugin_of(config, "fields", field.plugin, err);
		rest += length;
		rest += strspn(rest, ", ");
	}
	return ret;
}

static int fill(struct config *config, const struct arguments *arguments, struct dp_error *err) {
	int ret = set_defaults(config, err);

	if (!ret)
		ret = find_paths(config, arguments, err);
	if (!ret && config->resume_path)
		ret = apply_checkpoint(config, err);
	if (!ret && config->config_path)
		ret = inifile_read(config->config_path, on_entry, config, err);
	for (unsigned i = 0; !ret && i < arguments->nb; i++)
		ret = apply_argument(config, &arguments->list[i], err);
	if (!ret)
		ret = append_eal(config, arguments, err);
	if (!ret)
		ret = find_checkpoint(config, err);
	if (!ret)
		ret = check_together(config, err);
	if (!ret)
		ret = read_payloads(config, err);
	if (!ret)
		ret = read_fingerprints(config, err);
	if (!ret)
		ret = choose_seed(config, err);
	if (!ret)
		ret = find_plugins(config, err);
	if (!ret)
		ret = compile_filter(config, err);
	if (!ret)
		ret = check_fields(config, err);
	if (!ret)
		ret = check_device(config, err);
	if (!ret && config->public.action == CTL_ACTION_PRINT_CONFIG)
		ret = check_printable(config, err);
	if (!ret && config->resume_path)
		ret = resume_space(config, err);
	else if (!ret)
		ret = build_space(config, err);
	return ret ? ret : publish(config, err);
}

static int create(struct config **out) {
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return -ENOMEM;
	config->table = options_all(&config->nb_rows);
	config->text = calloc(FORMS * config->nb_rows, sizeof(*config->text));
	config->from_command = calloc(FORMS * config->nb_rows, sizeof(*config->from_command));
	config->file_line = calloc(FORMS * config->nb_rows, sizeof(*config->file_line));
	*out = config;
	return config->text && config->from_command && config->file_line ? 0 : -ENOMEM;
}

int ctl_config_load(int argc, char **argv, struct ctl_config **out, struct dp_error *err) {
	struct arguments arguments = {0};
	struct config *config = NULL;
	int ret = create(&config);

	if (ret < 0)
		no_memory(err);
	else
		ret = read_arguments(argc, argv, &arguments, err);
	if (!ret && !wants_text(config, &arguments))
		ret = fill(config, &arguments, err);
	free_arguments(&arguments);
	if (ret < 0) {
		ctl_config_destroy(config ? &config->public : NULL);
		return ret;
	}
	*out = &config->public;
	return 0;
}

/* ---- The rate, read again ---- */

struct rate_reader {
	const char *path;
	char *rate, *timing; /* texts; NULL: none */
};

static int take_rate_key(void *user, const struct ini_entry *entry, struct dp_error *err) {
	struct rate_reader *reader = user;
	char **text;

	if (!entry->key || strcmp(entry->section, "scan") != 0)
		return 0;
	if (!strcmp(entry->key, "rate"))
		text = &reader->rate;
	else if (!strcmp(entry->key, "timing"))
		text = &reader->timing;
	else
		return 0;
	free(*text);
	*text = strdup(entry->value);
	return *text ? 0 : no_memory(err);
}

static int read_rate_texts(
	const struct rate_reader *reader, struct value_rate *rate, struct dp_error *err) {
	const uint64_t most = sizeof timing_pps / sizeof *timing_pps - 1;
	const bool timed = !reader->rate || !*reader->rate;
	struct value_error why;
	uint64_t timing;
	int rc;

	if (timed && !reader->timing)
		return dp_fail(err, true, -ENOENT, "%.250s: [scan] has neither rate nor timing",
			reader->path);
	rc = timed ? value_read_count(reader->timing, 0, most, &timing, &why)
		   : value_read_rate(reader->rate, rate, &why);
	if (rc)
		return dp_fail(err, true, rc, "%.250s: [scan] %s = %s: %s", reader->path,
			timed ? "timing" : "rate", why.part, why.why);
	if (timed)
		*rate = (struct value_rate){.pps = timing_pps[timing]};
	return 0;
}

int ctl_config_read_rate(
	const struct ctl_config *config, struct value_rate *rate, struct dp_error *err) {
	struct rate_reader reader = {.path = config->config_file};
	struct stat st;
	int rc;

	if (!reader.path)
		return dp_fail(
			err, true, -ENOENT, "there is no --config file to read the rate from");
	/* A pipe would make us wait. */
	if (stat(reader.path, &st) < 0)
		return dp_fail(err, true, -errno, "%.250s: %s", reader.path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return dp_fail(err, true, -ESPIPE, "%.250s: not a regular file", reader.path);
	rc = inifile_read(reader.path, take_rate_key, &reader, err);
	if (!rc)
		rc = read_rate_texts(&reader, rate, err);
	free(reader.rate);
	free(reader.timing);
	return rc;
}

void ctl_config_destroy(struct ctl_config *public) {
	struct config *config = (struct config *)public;

	if (!config)
		return;
	for (unsigned i = 0; config->text && i < FORMS * config->nb_rows; i++)
		free(config->text[i]);
	free(config->text);
	free(config->from_command);
	free(config->file_line);
	free(config->subject);
	plugin_request_clear(&config->request);
	plugin_set_destroy(config->plugins);
	payload_file_destroy(config->payloads);
	payload_file_destroy(config->hellos);
	detect_rules_destroy(config->fingerprints);
	filter_destroy(config->filter);
	checkpoint_clear(&config->resume);
	dp_space_destroy(config->public.space);
	names_destroy(config->names);
	free(config);
}

int ctl_config_each_setting(const struct ctl_config *public, ctl_setting_fn fn, void *user) {
	const struct config *config = (const struct config *)public;
	const struct plugin_request *request = &config->request;
	char section[sizeof(plugin_section) + LH_NAME_BYTES], name[KEY_BYTES];
	int ret = 0;

	for (unsigned i = 0; !ret && i < FORMS * config->nb_rows; i++) {
		const struct key key = {&config->table[i % config->nb_rows], i / config->nb_rows};

		if (key.option->key && config->text[i] && !key.option->later)
			ret = fn(user, key.option->section, key_name(key, name), config->text[i]);
	}
	for (unsigned i = 0; !ret && i < request->nb_settings; i++) {
		if (!request->settings[i].key)
			continue;
		snprintf(section, sizeof(section), "%s%s", plugin_section,
			request->settings[i].plugin);
		ret = fn(user, section, request->settings[i].key, request->settings[i].value);
	}
	for (unsigned i = 0; !ret && i < request->nb_outputs; i++)
		if (!request->outputs[i].dropped)
			ret = fn(
				user, "output", request->outputs[i].name, request->outputs[i].path);
	return ret;
}

/* Each of a list of files. */
static int each_file(const char *files, const char *what, ctl_input_fn fn, void *user) {
	char *copy = strdup(files), *rest = copy, *file;
	int ret = copy ? 0 : -ENOMEM;

	while (!ret && (file = strsep(&rest, ","))) {
		file += strspn(file, " ");
		ret = *file ? fn(user, what, file) : 0;
	}
	free(copy);
	return ret;
}

/* A file that comes along with the program. */
static int own_file(char *path, const char *what, ctl_input_fn fn, void *user) {
	int ret = path ? fn(user, what, path) : -ENOMEM;

	free(path);
	return ret;
}

/* What a plugin does and may do. */
static int plugin_files(const struct lh_plugin *plugin, ctl_input_fn fn, void *user) {
	static const char *const names[] = {"plugin.toml", "main.lua"};
	int ret = 0;

	for (unsigned i = 0; !ret && i < 2; i++) {
		char *path;

		if (asprintf(&path, "%s/%s", plugin->folder, names[i]) < 0)
			return -ENOMEM;
		ret = own_file(path, "file of a plugin", fn, user);
	}
	return ret;
}

int ctl_config_each_input(const struct ctl_config *public, ctl_input_fn fn, void *user) {
	const struct config *config = (const struct config *)public;
	const struct settings *s = &config->settings;
	int ret = 0;

	if (!public->by_value) {
		ret = each_file(s->targets_file, "target file", fn, user);
		if (!ret)
			ret = each_file(s->exclude_file, "exclude file", fn, user);
		if (!ret && s->default_excludes)
			ret = own_file(targets_default_list(), "default exclude list", fn, user);
	}
	for (unsigned i = 0; !ret && i < public->plugins.nb_enabled; i++)
		ret = plugin_files(public->plugins.enabled[i], fn, user);
	if (!ret && *s->udp_payloads)
		ret = fn(user, "file of payloads", s->udp_payloads);
	if (!ret && *s->banner_payloads)
		ret = fn(user, "file of hellos", s->banner_payloads);
	if (!ret && s->banner && s->detection) {
		ret = each_file(s->fingerprints, "file of fingerprints", fn, user);
		if (!ret)
			ret = own_file(detect_default_path(), "file of fingerprints", fn, user);
	}
	return ret;
}

static void print_key(const char *key, const char *text, FILE *out) {
	fprintf(out, "%-16s =%s%s\n", key, *text ? " " : "", text);
}

/* Outputs that belong to [output] and have no row. */
static void print_plugin_outputs(const struct plugin_request *request, FILE *out) {
	for (unsigned i = 0; i < request->nb_outputs; i++)
		if (!request->outputs[i].dropped)
			print_key(request->outputs[i].name, request->outputs[i].path, out);
}

/* Sections and their keys in the order in which they were first named. */
static void print_plugin_sections(const struct plugin_request *request, FILE *out) {
	for (unsigned i = 0; i < request->nb_settings; i++) {
		const char *plugin = request->settings[i].plugin;
		unsigned first = 0;

		while (strcmp(request->settings[first].plugin, plugin))
			first++;
		if (first < i)
			continue;
		fprintf(out, "\n[%s%s]\n", plugin_section, plugin);
		for (unsigned j = i; j < request->nb_settings; j++)
			if (!strcmp(request->settings[j].plugin, plugin)
				&& request->settings[j].key)
				print_key(
					request->settings[j].key, request->settings[j].value, out);
	}
}

static void end_section(const struct config *config, const char *section, FILE *out) {
	if (!strcmp(section, "output"))
		print_plugin_outputs(&config->request, out);
	else if (!strcmp(section, "plugins"))
		print_plugin_sections(&config->request, out);
}

static void print_numbered(const struct config *config, const struct option *row, FILE *out) {
	char name[KEY_BYTES];

	for (unsigned number = 1; number < FORMS; number++) {
		const struct key key = {row, number};
		const char *text = config->text[place_of(config, key)];

		if (text)
			print_key(key_name(key, name), text, out);
	}
}

int ctl_config_print(const struct ctl_config *public, FILE *out) {
	const struct config *config = (const struct config *)public;
	const char *section = "";

	for (unsigned i = 0; i < config->nb_rows; i++) {
		const struct option *row = &config->table[i];

		if (!row->key)
			continue;
		if (strcmp(section, row->section)) {
			end_section(config, section, out);
			fprintf(out, "%s[%s]\n", *section ? "\n" : "", row->section);
			section = row->section;
		}
		print_key(row->key, config->text[i], out);
		if (row->numbered)
			print_numbered(config, row, out);
	}
	return ferror(out) ? -EIO : 0;
}
