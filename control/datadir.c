/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the files that belong to the program are.
 *
 * Main thread, before the scan starts. Owns nothing.
 */
#include "datadir.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The top of the source tree, where the program lies in a build folder in it; else NULL. */
static char *source_tree(void) {
	static const char marker[] = "/../conf/exclude.conf";
	char path[PATH_MAX + sizeof(marker)];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	char *slash;

	if (length <= 0)
		return NULL;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	memcpy(slash, marker, sizeof(marker));
	if (access(path, F_OK))
		return NULL;
	memcpy(slash, "/..", sizeof("/.."));
	return realpath(path, NULL);
}

char *datadir_path(const char *in_tree, const char *installed) {
	char *top = source_tree(), *path;
	const int ret = top ? asprintf(&path, "%s/%s", top, in_tree)
			    : asprintf(&path, "%s/%s", CTL_DATADIR, installed);

	free(top);
	return ret < 0 ? NULL : path;
}
