/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests: plugin folders in a temporary folder, removed at the end. A failing step fails the test.
 */
#ifndef LH_PLUGIN_FIXTURE_H
#define LH_PLUGIN_FIXTURE_H

#include <lh/plugin.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_VERSION "0.1.0"

/* Six lines: what follows begins at line 7, in [plugin]. */
#define MANIFEST_OF(name, version, type)                                                           \
	"[plugin]\nname = \"" name "\"\nversion = \"" version "\"\nauthor = \"Anna\"\n"            \
	"description = \"Says something.\"\nplugin_type = \"" type "\"\n"

#define MAIN_SCAN "function on_target(target, result)\nend\n"

struct fixture {
	char dir[64];
};

static inline void fixture_setup(struct fixture *fix) {
	strcpy(fix->dir, "/tmp/lh-test-XXXXXX");
	cr_assert_not_null(mkdtemp(fix->dir));
}

static inline int fixture_unlink(
	const char *path, const struct stat *st, int kind, struct FTW *where) {
	return remove(path);
}

static inline void fixture_teardown(struct fixture *fix) {
	cr_expect_eq(nftw(fix->dir, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Path of @name in the temporary folder; valid until the next of eight calls. */
static inline const char *fixture_path(const struct fixture *fix, const char *name) {
	static char paths[8][4096];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof paths[0], "%s%s%s", fix->dir, *name ? "/" : "", name);
	return path;
}

static inline void fixture_mkdir(const struct fixture *fix, const char *name) {
	cr_assert_eq(mkdir(fixture_path(fix, name), 0755), 0, "%s: %m", name);
}

static inline void fixture_write_bytes(
	const struct fixture *fix, const char *name, const char *text, size_t bytes) {
	int fd = open(fixture_path(fix, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	cr_assert_geq(fd, 0, "%s: %m", name);
	cr_assert_eq(write(fd, text, bytes), (ssize_t)bytes);
	close(fd);
}

static inline void fixture_write(const struct fixture *fix, const char *name, const char *text) {
	fixture_write_bytes(fix, name, text, strlen(text));
}

/* A plugin's folder @folder with these two files, and a README.md. */
static inline void fixture_plugin(
	const struct fixture *fix, const char *folder, const char *manifest, const char *main) {
	char name[4096];

	fixture_mkdir(fix, folder);
	snprintf(name, sizeof name, "%s/plugin.toml", folder);
	fixture_write(fix, name, manifest);
	snprintf(name, sizeof name, "%s/main.lua", folder);
	fixture_write(fix, name, main);
	snprintf(name, sizeof name, "%s/README.md", folder);
	fixture_write(fix, name, "# A plugin\n");
}

static inline struct lh_plugin *fixture_load(const struct fixture *fix, const char *folder) {
	struct lh_plugin *plugin = NULL;
	struct lh_error err = {0};
	int rc = lh_plugin_load(fixture_path(fix, folder), PROGRAM_VERSION, &plugin, &err);

	cr_assert_eq(rc, 0, "%s", err.text);
	return plugin;
}

#endif
