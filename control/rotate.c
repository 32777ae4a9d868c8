/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are full get a number. Before the scan on the control core, during it on the writer
 * thread, which has the sink.
 */
#include "rotate.h"

#include <lh/path.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DIGITS = 5, /* at the least */
};

/* A path in three parts: folder, what stands before the number, and after it. */
struct parts {
	int folder; /* bytes, with its slash */
	int stem; /* bytes of folder and stem */
	const char *extension;
};

/* The extension is what follows the last dot of the name; with .zst behind it, both. */
static struct parts split(const char *path) {
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t length = strlen(name);
	const size_t zst = length > 4 && !strcmp(name + length - 4, ".zst") ? 4 : 0;
	const char *dot = memrchr(name, '.', length - zst);

	/* A name may begin with a dot. */
	if (!dot || dot == name)
		dot = name + length - zst;
	return (struct parts){(int)(name - path), (int)(dot - path), dot};
}

static char *numbered(const char *path, unsigned number) {
	const struct parts parts = split(path);
	char *out;

	return asprintf(&out, "%.*s-%0*u%s", parts.stem, path, DIGITS, number, parts.extension) < 0
		? NULL
		: out;
}

/* The number in a name of the folder, 0: it is none of ours. */
static unsigned number_of(const char *path, const char *name) {
	const struct parts parts = split(path);
	const size_t stem = (size_t)(parts.stem - parts.folder);
	unsigned long number;
	char *end;

	if (strncmp(name, path + parts.folder, stem) || name[stem] != '-'
		|| strspn(name + stem + 1, "0123456789") < DIGITS)
		return 0;
	number = strtoul(name + stem + 1, &end, 10);
	return strcmp(end, parts.extension) || number > UINT32_MAX - 1 ? 0 : (unsigned)number;
}

/* The highest number that is there, or a negative errno. */
static int64_t highest(const char *path) {
	const struct parts parts = split(path);
	char *folder = parts.folder ? strndup(path, (size_t)parts.folder) : strdup(".");
	DIR *dir = folder ? opendir(folder) : NULL;
	const int64_t rc = -(folder ? errno : ENOMEM);
	unsigned most = 0, number;
	struct dirent *entry;

	free(folder);
	if (!dir)
		return rc;
	while ((entry = readdir(dir))) {
		number = number_of(path, entry->d_name);
		if (number > most)
			most = number;
	}
	closedir(dir);
	return most;
}

/* Whether the name still stands for the file itself, and not for a link to it. */
static bool is_named(const struct sink *sink) {
	struct stat st;

	return lstat(sink->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == sink->device
		&& st.st_ino == sink->inode;
}

int rotate_admit(
	const struct sink *sink, enum ctl_file_mode mode, unsigned *number, struct dp_error *err) {
	int64_t most;

	if (sink->standard || !sink->regular || !is_named(sink))
		return dp_fail(err, true, -EINVAL,
			"cannot rotate %s: it is no regular file of that name; give a file, or "
			"leave rotate_size and rotate_time out",
			sink_name(sink));
	most = highest(sink->path);
	if (most < 0)
		return dp_fail(err, true, (int)most, "cannot rotate %s: its folder: %s", sink->path,
			strerror((int)-most));
	if (most > 0 && mode != CTL_FILE_APPEND) {
		char *name = numbered(sink->path, (unsigned)most);

		dp_fail(err, true, -EEXIST,
			"%s exists, of an earlier run: move it away, use --append to number on "
			"behind it, or give another path",
			name ? name : sink->path);
		free(name);
		return -EEXIST;
	}
	*number = (unsigned)most + 1;
	return 0;
}

/* A name that came into use meanwhile is left alone. */
static int rename_to(const char *from, const char *to) {
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Some file systems do not know the flag. */
	if (link(from, to) < 0 || unlink(from) < 0)
		return -errno;
	return 0;
}

/* The next file takes the place of the one that is closed. */
static int begin_file(struct sink *sink) {
	int fd = lh_path_open(sink->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0644);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return -EIO;
	}
	if (close(sink->fd) < 0 && errno != EINTR) {
		const int rc = -errno;

		close(fd);
		sink->fd = -1;
		return rc;
	}
	sink->fd = fd;
	sink->device = st.st_dev;
	sink->inode = st.st_ino;
	sink->base = sink->at = 0;
	return 0;
}

int rotate_file(struct sink *sink, unsigned number) {
	char *name;
	int rc = sink_settle(sink);

	if (rc)
		return rc;
	name = numbered(sink->path, number);
	if (!name)
		rc = -ENOMEM;
	else if (!is_named(sink))
		rc = -ESTALE;
	/* Some file systems have no fsync and say EINVAL. */
	else if (fsync(sink->fd) < 0 && errno != EINVAL)
		rc = -errno;
	if (!rc)
		rc = rename_to(sink->path, name);
	if (!rc)
		rc = begin_file(sink);
	free(name);
	sink->error = rc;
	return rc;
}
