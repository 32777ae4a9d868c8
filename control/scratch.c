/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nameless files. Any thread; the descriptor is its caller's.
 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For file systems that cannot make a file without a name: it has one for an instant. */
static int open_and_unlink(const char *folder) {
	char *path;

	if (asprintf(&path, "%s/prtip.XXXXXX", folder) < 0) {
		errno = ENOMEM;
		return -1;
	}
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	int error = errno;
	free(path);
	errno = error;
	return fd;
}

int scratch_open(const char *folder, struct dp_error *err) {
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* EISDIR is what file systems and kernels say that do not know O_TMPFILE. */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = open_and_unlink(folder);
	if (fd < 0)
		return dp_fail(err, true, -errno,
			"cannot make a file in %s: %s; plugins.spill_dir has to be a folder that "
			"can "
			"be written to",
			folder, strerror(errno));
	return fd;
}

int scratch_write(int fd, const void *bytes, size_t n, uint64_t at) {
	for (size_t done = 0; done < n;) {
		ssize_t wrote
			= pwrite(fd, (const char *)bytes + done, n - done, (off_t)(at + done));
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return wrote ? -errno : -EIO;
		done += (size_t)wrote;
	}
	return 0;
}

int scratch_read(int fd, void *bytes, size_t n, uint64_t at) {
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, (char *)bytes + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		done += (size_t)got;
	}
	return 0;
}
