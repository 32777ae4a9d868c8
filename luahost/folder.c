/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files beneath a folder that somebody else filled.
 *
 * Any thread or process; owns nothing between calls. A link, FIFO or device in the folder must not
 * make us read elsewhere, wait, or wake hardware, so that a file is looked at (O_PATH) before it is
 * opened.
 */
#include "folder.h"
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int folder_open(const char *path) {
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_beneath(int folder, const char *name, uint64_t flags) {
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	/* EAGAIN: a rename elsewhere raced with a ".." in a link. */
	for (unsigned tries = 0; tries < 100; tries++) {
		fd = syscall(SYS_openat2, folder, name, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* The type may have changed between two opens, so that it is asked of each descriptor. */
static int check_mode(int fd, mode_t *mode) {
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*mode = st.st_mode;
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? 0 : -ENODEV;
}

int folder_beneath(int folder, const char *name, mode_t *mode) {
	int fd = open_beneath(folder, name, O_PATH);
	if (fd < 0)
		return fd;
	int rc = check_mode(fd, mode);
	close(fd);
	if (rc)
		return rc;
	fd = open_beneath(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	rc = fd < 0 ? fd : check_mode(fd, mode);
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

static int open_file(int folder, const char *name) {
	mode_t mode;
	int fd = folder_beneath(folder, name, &mode);

	if (fd < 0 || S_ISREG(mode))
		return fd;
	close(fd);
	return -EISDIR;
}

/* Up to @room bytes, less only at the end of the file. */
static ssize_t read_all(int fd, char *text, size_t room) {
	size_t used = 0;

	while (used < room) {
		ssize_t n = read(fd, text + used, room - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

static int check_size(int fd, size_t *bytes) {
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*bytes = (size_t)st.st_size;
	return st.st_size > FOLDER_FILE_BYTES ? -EFBIG : 0;
}

static int read_file(int fd, char **text, size_t *bytes) {
	size_t size;
	int rc = check_size(fd, &size);
	if (rc)
		return rc;
	char *data = malloc(size + 2);
	if (!data)
		return -ENOMEM;
	/* One byte more: a file that grows under us is refused, not cut. */
	ssize_t got = read_all(fd, data, size + 1);
	if (got < 0 || (size_t)got > size) {
		free(data);
		return got < 0 ? (int)got : -EBUSY;
	}
	data[got] = '\0';
	*text = data;
	*bytes = (size_t)got;
	return 0;
}

int folder_read(int folder, const char *name, char **text, size_t *bytes) {
	int fd = open_file(folder, name);
	if (fd < 0)
		return fd;
	int rc = read_file(fd, text, bytes);
	close(fd);
	return rc;
}

int folder_has(int folder, const char *name) {
	size_t bytes;
	int fd = open_file(folder, name);
	if (fd < 0)
		return fd;
	int rc = check_size(fd, &bytes);
	close(fd);
	return rc;
}

static int compare_names(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(DIR *dir, char **names, unsigned *nb_names) {
	struct dirent *entry;

	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (*nb_names == FOLDER_NAMES)
			return -E2BIG;
		names[*nb_names] = strdup(entry->d_name);
		if (!names[*nb_names])
			return -ENOMEM;
		++*nb_names;
	}
	return -errno;
}

static int open_dir(int folder, const char *name, DIR **dir) {
	int fd = open_beneath(folder, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	*dir = fdopendir(fd);
	if (*dir)
		return 0;
	int rc = -errno;
	close(fd);
	return rc;
}

int folder_list(int folder, const char *name, char ***names, unsigned *nb_names) {
	DIR *dir;
	unsigned count = 0;
	int rc = open_dir(folder, name, &dir);
	if (rc)
		return rc;
	char **list = calloc(FOLDER_NAMES, sizeof *list);
	rc = list ? read_names(dir, list, &count) : -ENOMEM;
	closedir(dir);
	if (rc) {
		folder_free_names(list, count);
		return rc;
	}
	qsort(list, count, sizeof *list, compare_names);
	*names = list;
	*nb_names = count;
	return 0;
}

void folder_free_names(char **names, unsigned nb_names) {
	for (unsigned i = 0; i < nb_names; i++)
		free(names[i]);
	free(names);
}

const char *folder_why(int rc) {
	static const struct {
		int rc;
		const char *why;
	} reasons[] = {
		{-ENOENT, "is missing"},
		{-EXDEV, "is a link that leaves the plugin's folder"},
		{-ELOOP, "is a link that ends nowhere, or one into /proc"},
		{-ENODEV, "is neither a regular file nor a folder"},
		{-EISDIR, "is a folder; it has to be a regular file"},
		{-ENOTDIR, "is a file where a folder has to be"},
		{-EFBIG, "has more than 4 MiB"},
		{-E2BIG, "has more than 1000 files"},
		{-EBUSY, "was written to while it was read"},
		{-ENOSYS, "cannot be read safely: the kernel has no openat2 (Linux 5.6 has)"},
	};

	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].rc == rc)
			return reasons[i].why;
	return strerrordesc_np(-rc);
}

/* C1 controls are two bytes of valid UTF-8; terminals obey some of them. */
static void mask_controls(char *text, size_t bytes) {
	for (size_t i = 0; i < bytes; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			text[i] = '?';
		else if (c == 0xc2 && i + 1 < bytes && (unsigned char)text[i + 1] < 0xa0)
			text[i] = text[i + 1] = '?';
	}
}

void make_printable(char *text) {
	size_t rest = strlen(text);

	while (rest) {
		const size_t valid = utf8_valid(text, rest);

		mask_controls(text, valid);
		text += valid;
		rest -= valid;
		if (rest) {
			*text++ = '?';
			rest--;
		}
	}
}

/* "FOLDER/FILE:LINE: " */
static void print_place(char *text, size_t room, const struct place *place) {
	enum { SHOWN = 160 };
	const size_t length = strlen(place->folder);
	const bool cut = length > SHOWN;
	int used = snprintf(text, room, "%s%s%s%.120s", cut ? "..." : "",
		place->folder + (cut ? length - SHOWN : 0), place->file ? "/" : "",
		place->file ? place->file : "");

	if (place->line)
		used += snprintf(text + used, room - (size_t)used, ":%u", place->line);
	snprintf(text + used, room - (size_t)used, ": ");
}

int place_fail(struct lh_error *err, const struct place *place, int code, const char *format, ...) {
	va_list args;
	size_t used;

	print_place(err->text, sizeof err->text, place);
	used = strlen(err->text);
	va_start(args, format);
	int n = vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
	va_end(args);
	if (n >= (int)(sizeof(err->text) - used))
		strcpy(err->text + sizeof(err->text) - sizeof("..."), "...");
	make_printable(err->text);
	err->usage = true;
	return code;
}
