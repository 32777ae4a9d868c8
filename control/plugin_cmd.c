/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The actions on plugins. What they refuse is no usage error: the command was understood.
 *
 * Main thread; no scan runs. Owns what it loads until it returns.
 */
#include "plugin_cmd.h"
#include "version.h"

#include <lh/host.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int no_memory(struct dp_error *err) {
	return dp_fail(err, false, -ENOMEM, "out of memory");
}

static int refuse(int rc, const char *flag, const char *subject, const struct lh_error *why,
	struct dp_error *err) {
	return dp_fail(err, false, rc, "%s %s: %s", flag, subject, why->text);
}

/* ---- --list-plugins ---- */

static int list(const struct ctl_config *config, FILE *out, struct dp_error *err) {
	const struct ctl_plugins *plugins = &config->plugins;
	int rc;

	if (!plugins->catalog->nb_entries && !config->json) {
		fprintf(out, "no plugins in:\n");
		for (unsigned i = 0; i < plugins->nb_dirs; i++)
			fprintf(out, "  %s%s\n", plugins->dirs[i],
				access(plugins->dirs[i], F_OK) ? " (no such folder)" : "");
		return 0;
	}
	rc = lh_catalog_print(plugins->catalog, config->json, out);
	return rc ? dp_fail(err, false, rc, "standard output: %s", strerror(-rc)) : 0;
}

/* ---- --check-plugin and --install-plugin ---- */

static int check(const struct ctl_config *config, FILE *out, struct dp_error *err) {
	struct lh_plugin *plugin = NULL;
	struct lh_error why = {0};
	int rc = lh_plugin_load(config->subject, CTL_VERSION, &plugin, &why);

	if (!rc)
		rc = lh_check(plugin, CTL_VERSION, out, &why);
	lh_plugin_free(plugin);
	return rc ? refuse(rc, "--check-plugin", config->subject, &why, err) : 0;
}

/* The report of a check is for --check-plugin; here it is enough that nothing is wrong. */
static int check_quietly(const struct lh_plugin *plugin, struct lh_error *why) {
	FILE *nowhere = fopen("/dev/null", "we");
	int rc;

	if (!nowhere)
		return lh_fail(why, false, -errno, "/dev/null: %s", strerror(errno));
	rc = lh_check(plugin, CTL_VERSION, nowhere, why);
	fclose(nowhere);
	return rc;
}

static int install_loaded(
	const struct lh_plugin *plugin, const char *dir, FILE *out, struct lh_error *why) {
	char *replaced = NULL;
	int rc = check_quietly(plugin, why);

	if (!rc)
		rc = lh_install(plugin, dir, &replaced, why);
	if (rc)
		return rc;
	fprintf(out, "installed %s %s to %s/%s", plugin->name, plugin->version, dir, plugin->name);
	if (replaced)
		fprintf(out, ", replaced %s", replaced);
	fprintf(out, "\n");
	free(replaced);
	return 0;
}

static int install(const struct ctl_config *config, FILE *out, struct dp_error *err) {
	char *dir = lh_home_plugins();
	struct lh_plugin *plugin = NULL;
	struct lh_error why = {0};
	int rc;

	if (!dir)
		return no_memory(err);
	rc = lh_plugin_load(config->subject, CTL_VERSION, &plugin, &why);
	if (!rc)
		rc = install_loaded(plugin, dir, out, &why);
	lh_plugin_free(plugin);
	free(dir);
	return rc ? refuse(rc, "--install-plugin", config->subject, &why, err) : 0;
}

/* ---- --remove-plugin ---- */

/* Where else than in @home a plugin @name lies, to be freed; NULL: nowhere, or no memory. */
static char *find_elsewhere(const struct ctl_plugins *plugins, const char *home, const char *name) {
	for (unsigned i = 0; i < plugins->nb_dirs; i++) {
		char *manifest;
		bool there;

		if (!strcmp(plugins->dirs[i], home)
			|| asprintf(&manifest, "%s/%s/plugin.toml", plugins->dirs[i], name) < 0)
			continue;
		there = !access(manifest, F_OK);
		*strrchr(manifest, '/') = '\0';
		if (there)
			return manifest;
		free(manifest);
	}
	return NULL;
}

static int remove_installed(const struct ctl_config *config, FILE *out, struct dp_error *err) {
	char *dir = lh_home_plugins(), *elsewhere = NULL;
	struct lh_error why = {0};
	int rc;

	if (!dir)
		return no_memory(err);
	rc = lh_remove(config->subject, dir, &why);
	if (!rc)
		fprintf(out, "removed %s from %s\n", config->subject, dir);
	if (rc == -ENOENT)
		elsewhere = find_elsewhere(&config->plugins, dir, config->subject);
	if (elsewhere)
		dp_fail(err, false, rc,
			"--remove-plugin %s: it lies in %s, which --install-plugin did not make; "
			"only "
			"what is in %s is removed",
			config->subject, elsewhere, dir);
	else if (rc)
		refuse(rc, "--remove-plugin", config->subject, &why, err);
	free(elsewhere);
	free(dir);
	return rc;
}

/* ---- --new-plugin ---- */

/* As it was called, where a shell takes that for one word; so the lines can be copied. */
static const char *own_name(void) {
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "/._+,@%:-";
	const char *name = program_invocation_name;

	return *name && !name[strspn(name, safe)] ? name : "prtip-dp";
}

static int make(const struct ctl_config *config, FILE *out, struct dp_error *err) {
	/* What shows each of them at work. */
	static const char *const tries[LH_TYPE_COUNT] = {
		[LH_TYPE_SCAN] = "-p 80",
		[LH_TYPE_OUTPUT] = "-p 80",
		[LH_TYPE_DETECTION] = "--set banner.enable=on -p 22",
	};
	const char *name = config->subject;
	const bool output = config->new_type == LH_TYPE_OUTPUT;
	struct lh_error why = {0};
	int rc = lh_skeleton(".", name, config->new_type, CTL_VERSION, out, &why);

	if (rc)
		return refuse(rc, "--new-plugin", name, &why, err);
	fprintf(out,
		"next:\n"
		"  %s --check-plugin %s\n"
		"  %s --set dataplane.port=sim --set scan.cooldown=1s %s 198.18.0.0/24 "
		"--plugin-dir . %s %s%s\n",
		own_name(), name, own_name(), tries[config->new_type], output ? "-o" : "--plugin",
		name, output ? ":-" : " -o ndjson:-");
	return 0;
}

static const struct {
	enum ctl_action action;
	int (*run)(const struct ctl_config *config, FILE *out, struct dp_error *err);
} commands[] = {
	{CTL_ACTION_LIST_PLUGINS, list},
	{CTL_ACTION_INSTALL_PLUGIN, install},
	{CTL_ACTION_REMOVE_PLUGIN, remove_installed},
	{CTL_ACTION_CHECK_PLUGIN, check},
	{CTL_ACTION_NEW_PLUGIN, make},
};

int plugin_cmd(const struct ctl_config *config, FILE *out, struct dp_error *err) {
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int rc;

		if (commands[i].action != config->action)
			continue;
		rc = commands[i].run(config, out, err);
		if (!rc && fflush(out))
			rc = dp_fail(err, false, -errno, "standard output: %s", strerror(errno));
		return rc;
	}
	return dp_fail(err, false, -EINVAL, "no action on plugins");
}
