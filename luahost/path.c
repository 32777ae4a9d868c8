/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths walked a component at a time, so that no link is followed unseen. Any thread; owns nothing.
 *
 * What was looked at is what is used: each folder is held by a descriptor while the next component
 * is opened beneath it, and a link is read through a descriptor of its own.
 */
#include <lh/path.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	MAX_LINKS = 40, /* as the kernel has it */
	OVERFLOW_UID = 65534, /* of files whose owner the user namespace does not have */
};

struct walk {
	int folder; /* where we are */
	int flags; /* of the last component */
	mode_t mode; /* the same */
	bool make; /* folders that are missing */
	unsigned links; /* followed so far */
};

static int walk(struct walk *walk, const char *path);

/* What lies behind /proc/self/fd has no name to walk along; nobody can put a link of theirs there. */
static bool is_of_kernel(int fd) {
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* In a user namespace, files of the root outside belong to nobody. */
static bool has_outside(void) {
	unsigned long inside, outside, count = 0;
	FILE *file = fopen("/proc/self/uid_map", "re");

	if (!file)
		return false;
	if (fscanf(file, "%lu %lu %lu", &inside, &outside, &count) != 3)
		count = UINT32_MAX;
	fclose(file);
	return count < UINT32_MAX;
}

static bool is_trusted(uid_t owner) {
	return geteuid() != 0 || owner == 0 || (owner == OVERFLOW_UID && has_outside());
}

static int errno_or(int fd) {
	return fd < 0 ? -errno : fd;
}

static void move_to(struct walk *walk, int folder) {
	close(walk->folder);
	walk->folder = folder;
}

/* From the root, where @path begins there. */
static int start(struct walk *walk, const char *path) {
	int fd;

	if (*path != '/')
		return 0;
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	move_to(walk, fd);
	return 0;
}

/* The link @fd, which is called @name. */
static int follow(struct walk *w, int fd, const char *name, bool last) {
	const int flags = last ? w->flags : O_PATH | O_DIRECTORY;
	char target[PATH_MAX];
	struct walk further = *w;
	struct stat st;
	ssize_t n;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!is_trusted(st.st_uid))
		return -ENOLINK;
	if (is_of_kernel(fd))
		return errno_or(openat(w->folder, name, flags | O_CLOEXEC, w->mode));
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	n = readlinkat(fd, "", target, sizeof target - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	target[n] = '\0';
	further.flags = flags;
	further.make = false;
	further.links = w->links;
	further.folder = fcntl(w->folder, F_DUPFD_CLOEXEC, 3);
	if (further.folder < 0)
		return -errno;
	rc = walk(&further, target);
	close(further.folder);
	w->links = further.links;
	return rc;
}

/* Not by O_NOFOLLOW alone, as O_PATH would hold the link itself. */
static int step(struct walk *w, const char *name, bool last) {
	const int flags = (last ? w->flags : O_PATH | O_DIRECTORY) | O_CLOEXEC;
	struct stat st;
	int fd, rc;

	if (w->make && mkdirat(w->folder, name, w->mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(w->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) /* there is nothing that could be a link; that it stays so O_NOFOLLOW sees to */
		return errno_or(openat(w->folder, name, flags | O_NOFOLLOW, w->mode));
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	/* O_EXCL follows none. */
	if (rc == 0 && S_ISLNK(st.st_mode) && !(last && w->flags & O_EXCL))
		rc = follow(w, fd, name, last);
	else if (rc == 0)
		rc = errno_or(openat(w->folder, name, flags | O_NOFOLLOW, w->mode));
	close(fd);
	return rc;
}

/* The next component of *@path to @name: 1, 0 where there is none left, or a negative errno. */
static int next_name(const char **path, char name[NAME_MAX + 1]) {
	size_t n;

	*path += strspn(*path, "/");
	n = strcspn(*path, "/");
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, *path, n);
	name[n] = '\0';
	*path += n;
	return n > 0;
}

/* A descriptor of what @path leads to. Ends where it began, or further down. */
static int walk(struct walk *w, const char *path) {
	char name[NAME_MAX + 1];
	int rc = start(w, path), fd;

	if (!*path)
		return -ENOENT;
	while (rc == 0 && (rc = next_name(&path, name)) > 0) {
		const bool last = !path[strspn(path, "/")];

		/* "file/" is none. */
		if (last && *path)
			w->flags |= O_DIRECTORY;
		fd = step(w, name, last);
		if (fd < 0 || last)
			return fd;
		move_to(w, fd);
		rc = 0;
	}
	/* The root itself. */
	return rc < 0 ? rc : errno_or(openat(w->folder, ".", w->flags | O_CLOEXEC, w->mode));
}

static int open_from_here(const char *path, int flags, mode_t mode, bool make) {
	struct walk w = {.flags = flags, .mode = mode, .make = make};
	int rc;

	w.folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.folder < 0)
		return -errno;
	rc = walk(&w, path);
	close(w.folder);
	return rc;
}

int lh_path_open(const char *path, int flags, mode_t mode) {
	if (geteuid() != 0)
		return errno_or(open(path, flags | O_CLOEXEC, mode));
	return open_from_here(path, flags, mode, false);
}

int lh_path_make(const char *path, mode_t mode) {
	return open_from_here(path, O_PATH | O_DIRECTORY, mode, true);
}

const char *lh_path_why(int rc) {
	if (rc == -ENOLINK)
		return "a symbolic link in the path belongs to another user, and root does not "
		       "follow "
		       "it; name what it leads to";
	return strerrordesc_np(-rc);
}

bool lh_path_is_trap(const char *path, int fd) {
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const size_t n = slash ? (size_t)(slash - path) : 0;
	struct stat st;

	if (geteuid() != 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink < 2)
		return false;
	if (n >= sizeof folder)
		return true;
	memcpy(folder, path, n);
	strcpy(folder + n, slash == path ? "/" : slash ? "" : ".");
	return stat(folder, &st) < 0 || st.st_uid != 0
		|| st.st_mode & (S_IWOTH | (st.st_gid != 0 ? S_IWGRP : 0));
}
