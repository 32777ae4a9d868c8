/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults that no kernel gives to order, for LD_PRELOAD: a wall clock that is set while the program
 * runs, and a file system that refuses writes from some moment on.
 *
 * FAULT_SHIM names a file of struct control, which the test maps and writes to and every process under
 * the shim maps and reads. FAULT_FOLDER is the folder (absolute) whose files refuse. Any thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
	_Atomic int64_t
		clock_ns; /* that the wall clock is ahead. writer: test, readers: processes */
	_Atomic int64_t write_errno; /* of each write; 0: they work. likewise */
};

static const struct control *control;

int shim_clock_gettime(clockid_t id, struct timespec *ts) __asm__("clock_gettime");
int shim_gettimeofday(struct timeval *tv, void *zone) __asm__("gettimeofday");
time_t shim_time(time_t *out) __asm__("time");
ssize_t shim_write(int fd, const void *bytes, size_t n) __asm__("write");
ssize_t shim_pwrite(int fd, const void *bytes, size_t n, off_t at) __asm__("pwrite");
ssize_t shim_pwrite64(int fd, const void *bytes, size_t n, off_t at) __asm__("pwrite64");
int shim_fsync(int fd) __asm__("fsync");

[[gnu::constructor]] static void map_control(void) {
	const char *path = getenv("FAULT_SHIM");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		control = map;
	close(fd);
}

/* The one that this library stands in front of. */
static void *behind(const char *name, void **kept) {
	if (!*kept)
		*kept = dlsym(RTLD_NEXT, name);
	return *kept;
}

static int64_t ahead_ns(void) {
	return control ? atomic_load_explicit(&control->clock_ns, memory_order_relaxed) : 0;
}

int shim_clock_gettime(clockid_t id, struct timespec *ts) {
	static void *kept;
	int (*real)(clockid_t, struct timespec *);
	int rc;

	*(void **)&real = behind("clock_gettime", &kept);
	rc = real(id, ts);
	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
		int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + ahead_ns();

		ts->tv_sec = ns / 1000000000;
		ts->tv_nsec = ns % 1000000000;
	}
	return rc;
}

int shim_gettimeofday(struct timeval *tv, void *zone) {
	struct timespec now;

	(void)zone;
	shim_clock_gettime(CLOCK_REALTIME, &now);
	*tv = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}

time_t shim_time(time_t *out) {
	struct timespec now;

	shim_clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

/* Whether writes to this file fail now; errno is set. */
static int is_refused(int fd) {
	int64_t error
		= control ? atomic_load_explicit(&control->write_errno, memory_order_relaxed) : 0;
	const char *folder = getenv("FAULT_FOLDER");
	char name[64], path[4096];
	ssize_t n;

	if (!error || !folder)
		return 0;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	if (n < 0)
		return 0;
	path[n] = '\0';
	if (strncmp(path, folder, strlen(folder)) != 0)
		return 0;
	errno = (int)error;
	return 1;
}

ssize_t shim_write(int fd, const void *bytes, size_t n) {
	static void *kept;
	ssize_t (*real)(int, const void *, size_t);

	*(void **)&real = behind("write", &kept);
	return is_refused(fd) ? -1 : real(fd, bytes, n);
}

ssize_t shim_pwrite(int fd, const void *bytes, size_t n, off_t at) {
	static void *kept;
	ssize_t (*real)(int, const void *, size_t, off_t);

	*(void **)&real = behind("pwrite64", &kept);
	return is_refused(fd) ? -1 : real(fd, bytes, n, at);
}

ssize_t shim_pwrite64(int fd, const void *bytes, size_t n, off_t at) {
	return shim_pwrite(fd, bytes, n, at);
}

int shim_fsync(int fd) {
	static void *kept;
	int (*real)(int);

	*(void **)&real = behind("fsync", &kept);
	return is_refused(fd) ? -1 : real(fd);
}
