/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A new plugin, made of the texts in skeleton/, which are plugins but for the places where the name
 * and the program's version come in.
 *
 * Main thread; no scan runs. Owns nothing between calls.
 */
#include "folder.h"

#include <lh/path.h>
#include <lh/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NB(table) (sizeof(table) / sizeof((table)[0]))

static const char scan_manifest[] =
#include "skeleton_scan_manifest.inc"
	;
static const char output_manifest[] =
#include "skeleton_output_manifest.inc"
	;
static const char detection_manifest[] =
#include "skeleton_detection_manifest.inc"
	;
static const char scan_main[] =
#include "skeleton_scan_main.inc"
	;
static const char output_main[] =
#include "skeleton_output_main.inc"
	;
static const char detection_main[] =
#include "skeleton_detection_main.inc"
	;
static const char scan_readme[] =
#include "skeleton_scan_readme.inc"
	;
static const char output_readme[] =
#include "skeleton_output_readme.inc"
	;
static const char detection_readme[] =
#include "skeleton_detection_readme.inc"
	;
static const char scan_tests[] =
#include "skeleton_scan_tests.inc"
	;
static const char output_tests[] =
#include "skeleton_output_tests.inc"
	;
static const char detection_tests[] =
#include "skeleton_detection_tests.inc"
	;

/* In the order in which they are to be read. */
static const struct {
	const char *name;
	const char *text[LH_TYPE_COUNT];
} files[] = {
	{"plugin.toml",
		{[LH_TYPE_SCAN] = scan_manifest,
			[LH_TYPE_OUTPUT] = output_manifest,
			[LH_TYPE_DETECTION] = detection_manifest}},
	{"main.lua",
		{[LH_TYPE_SCAN] = scan_main,
			[LH_TYPE_OUTPUT] = output_main,
			[LH_TYPE_DETECTION] = detection_main}},
	{"README.md",
		{[LH_TYPE_SCAN] = scan_readme,
			[LH_TYPE_OUTPUT] = output_readme,
			[LH_TYPE_DETECTION] = detection_readme}},
	{"tests/basic.lua",
		{[LH_TYPE_SCAN] = scan_tests,
			[LH_TYPE_OUTPUT] = output_tests,
			[LH_TYPE_DETECTION] = detection_tests}},
};

/* What stands for something else in the texts. */
struct blank {
	const char *mark, *value;
};

/* The blank that begins at @text, or NULL. */
static const struct blank *find_blank(const char *text, const struct blank *blanks, unsigned nb) {
	for (unsigned i = 0; i < nb; i++)
		if (!strncmp(text, blanks[i].mark, strlen(blanks[i].mark)))
			return &blanks[i];
	return NULL;
}

static void write_text(FILE *out, const char *text, const struct blank *blanks, unsigned nb) {
	while (*text) {
		const struct blank *blank = find_blank(text, blanks, nb);

		if (blank)
			fputs(blank->value, out);
		else
			putc(*text, out);
		text += blank ? strlen(blank->mark) : 1;
	}
}

static int make_file(int folder, const char *name, const char *text, const struct blank *blanks,
	unsigned nb_blanks) {
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int rc;

	if (!out) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	write_text(out, text, blanks, nb_blanks);
	rc = fflush(out) ? -errno : 0;
	return fclose(out) && !rc ? -errno : rc;
}

static void remove_made(int dir, int folder, const char *name) {
	if (folder >= 0) {
		for (unsigned i = 0; i < NB(files); i++)
			unlinkat(folder, files[i].name, 0);
		unlinkat(folder, "tests", AT_REMOVEDIR);
	}
	unlinkat(dir, name, AT_REMOVEDIR);
}

static int make_files(
	int folder, enum lh_type type, const struct blank *blanks, unsigned nb_blanks) {
	int rc = mkdirat(folder, "tests", 0777) < 0 ? -errno : 0;

	for (unsigned i = 0; i < NB(files) && !rc; i++)
		rc = make_file(folder, files[i].name, files[i].text[type], blanks, nb_blanks);
	return rc;
}

static int fail(const char *name, int rc, struct lh_error *err) {
	if (rc == -EEXIST)
		return lh_fail(err, false, rc, "%s is there already; nothing was changed", name);
	return lh_fail(err, false, rc, "cannot make %s: %s", name, lh_path_why(rc));
}

int lh_skeleton(const char *dir, const char *name, enum lh_type type, const char *version,
	FILE *out, struct lh_error *err) {
	const struct blank blanks[] = {{"@NAME@", name}, {"@VERSION@", version}};
	int dir_fd = lh_path_open(dir, O_RDONLY | O_DIRECTORY, 0), folder = -1, rc;

	if (dir_fd < 0)
		return fail(dir, dir_fd, err);
	rc = mkdirat(dir_fd, name, 0777) < 0 ? -errno : 0;
	if (rc)
		goto close_dir;
	folder = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rc = folder < 0 ? -errno : make_files(folder, type, blanks, NB(blanks));
	if (rc)
		remove_made(dir_fd, folder, name);
	if (folder >= 0)
		close(folder);

close_dir:
	close(dir_fd);
	if (rc)
		return fail(name, rc, err);
	fprintf(out, "%s, a new %s plugin:\n", name, lh_type_names[type]);
	for (unsigned i = 0; i < NB(files); i++)
		fprintf(out, "  %s/%s\n", name, files[i].name);
	return 0;
}
