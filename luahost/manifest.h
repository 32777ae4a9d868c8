/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin.toml, validated, and what else plugin.c and install.c share.
 */
#ifndef LH_MANIFEST_H
#define LH_MANIFEST_H

#include <lh/plugin.h>

/*
 * Fill @plugin, whose name and folder are set and whose other fields are zero, from @text.
 * @version is the program's; NULL: plugins for any are taken. 0 or a negative errno with @err
 * filled; then too @plugin holds what lh_plugin_free() frees.
 */
int manifest_read(struct lh_plugin *plugin, const char *version, const char *text, size_t bytes,
	struct lh_error *err);

/* The version in @text, to be freed, whatever else is wrong with it; NULL: none can be read. */
char *manifest_version(const char *text, size_t bytes);

/* lh_plugin_load(), where a @version of NULL takes plugins for any. */
int plugin_load(
	const char *folder, const char *version, struct lh_plugin **plugin, struct lh_error *err);

#endif
