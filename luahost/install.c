/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Putting a plugin where plugins are looked for, and taking it away, each by one rename.
 *
 * Runs in main(). Owns the temporary folder .prtip-XXXXXX for the length of a call. The new plugin
 * comes to lie in it under its own name, so that the copy itself can be validated: what was
 * installed is what was checked, even where the source changed meanwhile.
 */
#include "folder.h"
#include "manifest.h"

#include <lh/path.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MOST_FILES = 1000, /* folders included */
	MOST_BYTES = 64 << 20,
	DEEPEST = 8, /* folders in folders; links can make circles */
	FILE_MODE = 0644,
	FOLDER_MODE = 0755,
};

/* ---- Where ---- */

static char *home(const char *below) {
	const char *dir = getenv("HOME");
	char *path;

	if (!dir || *dir != '/') {
		const struct passwd *user = getpwuid(getuid());
		/* As a login does for who has no home. */
		dir = user && *user->pw_dir == '/' ? user->pw_dir : "/";
	}
	return asprintf(&path, "%s/.prtip/%s", dir[1] ? dir : "", below) < 0 ? NULL : path;
}

char *lh_home_plugins(void) {
	return home("plugins");
}

char *lh_home_data(void) {
	return home("data");
}

/* ---- Bringing it to the disk ---- */

/* Some file systems have no fsync and say EINVAL. */
static int sync_fd(int fd) {
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

static int sync_folder(int dir, const char *name) {
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = sync_fd(fd);
	close(fd);
	return rc;
}

/* ---- Removing a tree ---- */

static int remove_tree(int dir, const char *name);

static int remove_entries(DIR *dir) {
	struct dirent *entry;
	int rc = 0;

	while (!rc && (errno = 0, (entry = readdir(dir)) != NULL))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			rc = remove_tree(dirfd(dir), entry->d_name);
	return rc ? rc : -errno;
}

/*
 * Links are removed, never followed. Paths are as deep as DEEPEST where we copied them; a deeper
 * one costs a descriptor a level, and running out of them is an error.
 */
static int remove_tree(int dir, const char *name) {
	if (!unlinkat(dir, name, 0))
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *entries = fdopendir(fd);
	if (!entries) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	int rc = remove_entries(entries);
	closedir(entries);
	if (!rc && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		rc = -errno;
	return rc;
}

/* ---- Copying ---- */

struct copying {
	const struct lh_plugin *plugin;
	int from, to; /* the folders, old and new */
	unsigned files;
	size_t bytes;
	struct lh_error *err;
};

static int fail(struct lh_error *err, int rc, const char *what, const char *path) {
	lh_fail(err, false, rc, "cannot %s %.256s: %s", what, path, lh_path_why(rc));
	make_printable(err->text);
	return rc;
}

static int fail_copy(struct copying *copy, const char *name, int rc, const char *why) {
	const struct place place = {copy->plugin->folder, name, 0};

	place_fail(copy->err, &place, rc, "%s", why);
	copy->err->usage = false;
	return rc;
}

static int write_all(int fd, const char *data, size_t bytes) {
	while (bytes) {
		ssize_t n = write(fd, data, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* -EFBIG once the plugin is over MOST_BYTES. */
static int copy_bytes(struct copying *copy, int from, int to) {
	char block[16 << 10];

	for (;;) {
		ssize_t n = read(from, block, sizeof block);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		copy->bytes += (size_t)n;
		if (copy->bytes > MOST_BYTES)
			return -EFBIG;
		int rc = write_all(to, block, (size_t)n);
		if (rc)
			return rc;
	}
}

static int copy_file(struct copying *copy, int from, const char *name) {
	int fd = openat(
		copy->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return fail_copy(copy, name, -errno, strerrordesc_np(errno));
	int rc = copy_bytes(copy, from, fd);
	if (!rc)
		rc = sync_fd(fd);
	close(fd);
	if (rc == -EFBIG)
		return fail_copy(copy, name, rc, "is more than a plugin may have, 64 MiB in all");
	return rc ? fail_copy(copy, name, rc, strerrordesc_np(-rc)) : 0;
}

static int copy_folder(struct copying *copy, const char *path, unsigned depth);

static int make_folder(struct copying *copy, const char *path, unsigned depth) {
	if (depth == DEEPEST)
		return fail_copy(
			copy, path, -ELOOP, "lies deeper than 8 folders, or links make a circle");
	if (mkdirat(copy->to, path, FOLDER_MODE) < 0)
		return fail_copy(copy, path, -errno, strerrordesc_np(errno));
	return copy_folder(copy, path, depth + 1);
}

static int copy_entry(struct copying *copy, const char *path, unsigned depth) {
	mode_t mode;

	if (++copy->files > MOST_FILES)
		return fail_copy(copy, path, -E2BIG, "is one more than the 1000 files of a plugin");
	int fd = folder_beneath(copy->from, path, &mode);
	if (fd < 0)
		return fail_copy(copy, path, fd, folder_why(fd));
	int rc = S_ISDIR(mode) ? make_folder(copy, path, depth) : copy_file(copy, fd, path);
	close(fd);
	return rc;
}

static int copy_names(
	struct copying *copy, const char *path, unsigned depth, char **names, unsigned nb_names) {
	const bool top = !strcmp(path, ".");
	char *below;
	int rc = 0;

	for (unsigned i = 0; i < nb_names && !rc; i++) {
		if (asprintf(&below, "%s%s%s", top ? "" : path, top ? "" : "/", names[i]) < 0)
			return lh_fail(copy->err, false, -ENOMEM, "out of memory");
		rc = copy_entry(copy, below, depth);
		free(below);
	}
	return rc;
}

/* All but what begins with a dot: a working tree's .git is not part of the plugin. */
static int copy_folder(struct copying *copy, const char *path, unsigned depth) {
	char **names;
	unsigned nb_names;
	int rc = folder_list(copy->from, path, &names, &nb_names);

	if (rc)
		return fail_copy(copy, path, rc, folder_why(rc));
	rc = copy_names(copy, path, depth, names, nb_names);
	folder_free_names(names, nb_names);
	if (rc)
		return rc;
	rc = sync_folder(copy->to, path);
	return rc ? fail_copy(copy, path, rc, strerrordesc_np(-rc)) : 0;
}

static int copy_plugin(const struct lh_plugin *plugin, int to, struct lh_error *err) {
	struct copying copy = {.plugin = plugin, .to = to, .err = err};

	copy.from = folder_open(plugin->folder);
	if (copy.from < 0)
		return fail(err, copy.from, "read", plugin->folder);
	int rc = copy_folder(&copy, ".", 0);
	close(copy.from);
	return rc;
}

/* ---- The temporary folder ---- */

/* Where plugins lie, and a temporary folder in it. */
struct site {
	const char *dir;
	int dir_fd, temp_fd;
	char *temp; /* its path */
	const char *temp_name; /* its last part */
};

/* What is left of the temporary folder is hidden and harmless; a negative errno says so. */
static int close_site(struct site *site) {
	int rc = 0;

	if (site->temp_fd >= 0) {
		close(site->temp_fd);
		rc = remove_tree(site->dir_fd, site->temp_name);
	}
	if (site->dir_fd >= 0)
		close(site->dir_fd);
	free(site->temp);
	return rc;
}

static int make_temp(struct site *site, struct lh_error *err) {
	if (asprintf(&site->temp, "%s/.prtip-XXXXXX", site->dir) < 0) {
		site->temp = NULL;
		return lh_fail(err, false, -ENOMEM, "out of memory");
	}
	if (!mkdtemp(site->temp))
		return fail(err, -errno, "write to", site->dir);
	site->temp_name = strrchr(site->temp, '/') + 1;
	/* Beneath the folder that was opened, even where somebody moved it since. */
	site->temp_fd = openat(
		site->dir_fd, site->temp_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return site->temp_fd < 0 ? fail(err, -errno, "open", site->temp) : 0;
}

/* Call close_site() whatever this returns. */
static int open_site(struct site *site, const char *dir, struct lh_error *err) {
	*site = (struct site){.dir = dir, .temp_fd = -1};
	site->dir_fd = lh_path_open(dir, O_RDONLY | O_DIRECTORY, 0);
	if (site->dir_fd < 0)
		return fail(err, site->dir_fd, "open", dir);
	return make_temp(site, err);
}

/* mkdir -p; parents that are there may be links, for root its own alone. */
static int make_dirs(const char *dir, struct lh_error *err) {
	int fd = lh_path_make(dir, FOLDER_MODE);

	if (fd < 0)
		return fail(err, fd, "make", dir);
	close(fd);
	return 0;
}

/* ---- What is there already ---- */

static int fail_there(
	struct lh_error *err, const struct lh_plugin *plugin, const char *dir, const char *why) {
	lh_fail(err, false, -EEXIST, "%.160s/%s is there already: %s", dir, plugin->name, why);
	make_printable(err->text);
	return -EEXIST;
}

static bool is_same_folder(const struct lh_plugin *plugin, const struct stat *there) {
	struct stat st;

	return !stat(plugin->folder, &st) && st.st_dev == there->st_dev
		&& st.st_ino == there->st_ino;
}

/* The version of the plugin in @folder, which need not be valid; NULL: none can be read. */
static char *installed_version(int dir, const char *name) {
	char *text, *version = NULL;
	size_t bytes;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (!folder_read(fd, "plugin.toml", &text, &bytes)) {
		version = manifest_version(text, bytes);
		free(text);
	}
	close(fd);
	return version;
}

static int compare_installed(const struct lh_plugin *plugin, const char *dir, const char *version,
	struct lh_error *err) {
	char why[160];
	bool valid;
	const int order = lh_version_compare(plugin->version, version, &valid);

	if (order > 0)
		return 0;
	snprintf(why, sizeof why, "version %.48s, which %.48s is not newer than", version,
		plugin->version);
	return fail_there(err, plugin, dir, why);
}

/* 0 with *@version NULL (nothing is there) or the older version; or -EEXIST. */
static int check_installed(const struct lh_plugin *plugin, const char *dir, int dir_fd,
	char **version, struct lh_error *err) {
	struct stat st;

	*version = NULL;
	if (fstatat(dir_fd, plugin->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(err, -errno, "read", dir);
	if (!fstatat(dir_fd, plugin->name, &st, 0) && is_same_folder(plugin, &st))
		return fail_there(err, plugin, dir, "it is the very plugin to be installed");
	*version = installed_version(dir_fd, plugin->name);
	if (!*version)
		return fail_there(err, plugin, dir,
			"its version cannot be read, so that nobody knows which is newer; remove "
			"it "
			"first");
	int rc = compare_installed(plugin, dir, *version, err);
	if (rc) {
		free(*version);
		*version = NULL;
	}
	return rc;
}

/* ---- Installing ---- */

static int copy_into(
	const struct site *site, const struct lh_plugin *plugin, struct lh_error *err) {
	if (mkdirat(site->temp_fd, plugin->name, FOLDER_MODE) < 0)
		return fail(err, -errno, "write to", site->dir);
	int fd = openat(site->temp_fd, plugin->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, -errno, "write to", site->dir);
	int rc = copy_plugin(plugin, fd, err);
	close(fd);
	return rc;
}

/* The version may have changed under us too, and it decided what is replaced. */
static int check_copy(
	const struct site *site, const struct lh_plugin *plugin, struct lh_error *err) {
	struct lh_plugin *copy;
	struct lh_error why;
	char *path;
	int rc;

	if (asprintf(&path, "%s/%s", site->temp, plugin->name) < 0)
		return lh_fail(err, false, -ENOMEM, "out of memory");
	rc = plugin_load(path, NULL, &copy, &why);
	free(path);
	if (rc)
		return lh_fail(
			err, false, rc, "the plugin changed while it was copied: %.400s", why.text);
	if (strcmp(copy->version, plugin->version))
		rc = lh_fail(err, false, -EBUSY, "the plugin changed while it was copied");
	lh_plugin_free(copy);
	return rc;
}

/* After an exchange the old plugin lies in the temporary folder, and goes with it. */
static int swap(const struct site *site, const struct lh_plugin *plugin, bool replace,
	struct lh_error *err) {
	const unsigned flags = replace ? RENAME_EXCHANGE : RENAME_NOREPLACE;
	int rc = sync_fd(site->temp_fd);

	if (!rc && renameat2(site->temp_fd, plugin->name, site->dir_fd, plugin->name, flags) < 0)
		rc = -errno;
	if (rc == -EEXIST)
		return fail_there(err, plugin, site->dir, "somebody else has just installed it");
	return rc ? fail(err, rc, "install into", site->dir) : 0;
}

static int install_into(
	const struct lh_plugin *plugin, const char *dir, bool replace, struct lh_error *err) {
	struct site site;
	int rc = open_site(&site, dir, err);

	if (!rc)
		rc = copy_into(&site, plugin, err);
	if (!rc)
		rc = check_copy(&site, plugin, err);
	if (!rc)
		rc = swap(&site, plugin, replace, err);
	/* It is in place; that the rename is on the disk is all that could still fail. */
	if (!rc)
		sync_fd(site.dir_fd);
	close_site(&site);
	return rc;
}

static int look_into(
	const struct lh_plugin *plugin, const char *dir, char **version, struct lh_error *err) {
	int fd = lh_path_open(dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fail(err, fd, "open", dir);
	int rc = check_installed(plugin, dir, fd, version, err);
	close(fd);
	return rc;
}

int lh_install(
	const struct lh_plugin *plugin, const char *dir, char **replaced, struct lh_error *err) {
	char *version = NULL;
	int rc = make_dirs(dir, err);

	*replaced = NULL;
	if (!rc)
		rc = look_into(plugin, dir, &version, err);
	if (!rc)
		rc = install_into(plugin, dir, version, err);
	if (rc)
		free(version);
	else
		*replaced = version;
	return rc;
}

/* ---- Removing ---- */

/* A folder, or a link to one, with a plugin.toml; or a link that ends nowhere. */
static int check_removable(const char *name, const char *dir, int dir_fd, struct lh_error *err) {
	char path[LH_NAME_BYTES + sizeof("/plugin.toml")];
	struct stat st;

	snprintf(path, sizeof path, "%s/plugin.toml", name);
	if (!fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	const bool there = !fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW);
	if (there && S_ISLNK(st.st_mode))
		return 0;
	if (there)
		lh_fail(err, false, -ENOENT,
			"%.256s/%s is no plugin: it has no plugin.toml, and is left alone", dir,
			name);
	else
		lh_fail(err, false, -ENOENT, "no plugin \"%s\" in %.256s", name, dir);
	make_printable(err->text);
	return -ENOENT;
}

static int remove_from(const char *name, const char *dir, struct lh_error *err) {
	struct site site;
	int rc = open_site(&site, dir, err);

	if (!rc && renameat(site.dir_fd, name, site.temp_fd, name) < 0)
		rc = fail(err, -errno, "remove from", dir);
	if (!rc)
		sync_fd(site.dir_fd);
	const int left = close_site(&site);
	return rc || !left ? rc
			   : fail(err, left, "delete all files of the plugin removed from", dir);
}

int lh_remove(const char *name, const char *dir, struct lh_error *err) {
	if (!lh_name_valid(name))
		return lh_fail(err, true, -EINVAL,
			"no plugin can have this name; use 1 to 64 characters of a-z, 0-9 and -");
	int fd = lh_path_open(dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT) {
		lh_fail(err, false, fd, "no plugin \"%s\", as there is no folder %.256s", name,
			dir);
		make_printable(err->text);
		return fd;
	}
	if (fd < 0)
		return fail(err, fd, "open", dir);
	int rc = check_removable(name, dir, fd, err);
	close(fd);
	return rc ? rc : remove_from(name, dir, err);
}
