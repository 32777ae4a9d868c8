/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving up privileges. Main thread, before the packet path runs; owns a signal's handler while it
 * drops.
 *
 * Capabilities and Landlock belong to a thread, and EAL, drivers and libraries have made some by the
 * time that the devices are open. So each of them is sent a signal, whose handler does it there, as
 * the C library does for setuid(). libpsx does the same for capabilities, but Debian 12's knows only
 * threads that were made by code linked with its wrapper, which DPDK's libraries are not.
 */
#include "privilege.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_THREADS = 1024,
	WAIT_S = 10, /* for a thread to run the handler, on a machine that others keep busy */
	LOOK_MS = 50, /* how often, meanwhile, whether it still is there */
	/* Of Landlock's interface, which the headers of Debian 12 do not know to the end. */
	LANDLOCK_VERSION = 1,
	LANDLOCK_BENEATH = 1,
};

#define BIT(n) (UINT64_C(1) << (n))

/* Landlock's rights: to read files and folders; to write, remove, make, rename and truncate files. */
static const uint64_t landlock_read = BIT(2) | BIT(3);
static const uint64_t landlock_files = BIT(1) | BIT(5) | BIT(8) | BIT(13) | BIT(14);

/* ---- At the start ---- */

static void empty_bounding_set(void) {
	/* Without CAP_SETPCAP it stays, and means nothing beside no_new_privs. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return;
}

static int forbid_dumps(void) {
	if (getenv(PRIVILEGE_DUMP_VARIABLE))
		return 0;
	if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0)
		return -errno;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

int privilege_begin(struct dp_error *err) {
	int rc;

	empty_bounding_set();
	/* Kernels before 4.3 have no ambient set. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : forbid_dumps();
	if (rc)
		dp_fail(err, false, rc, "cannot give up privileges: %s", strerror(-rc));
	return rc;
}

/* ---- In each thread ---- */

static struct {
	uint64_t keep;
	int ruleset; /* -1: none */
	int rc; /* written in a handler, read after done was posted */
	sem_t done;
} order;

static uint64_t wide(uint32_t low, uint32_t high) {
	return (uint64_t)high << 32 | low;
}

/* Of the calling thread. Async-signal-safe. */
static int drop_here(void) {
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3] = {0},
				      next[_LINUX_CAPABILITY_U32S_3] = {0};
	uint64_t kept;

	static_assert(_LINUX_CAPABILITY_U32S_3 == 2);
	if (syscall(SYS_capget, &header, now) < 0)
		return -errno;
	kept = wide(now[0].permitted, now[1].permitted) & order.keep;
	next[0].permitted = next[0].effective = (uint32_t)kept;
	next[1].permitted = next[1].effective = (uint32_t)(kept >> 32);
	if (syscall(SYS_capset, &header, next) < 0)
		return -errno;
	if (order.ruleset >= 0 && syscall(SYS_landlock_restrict_self, order.ruleset, 0) < 0)
		return -errno;
	return 0;
}

static void handle(int signal) {
	int saved = errno;

	(void)signal;
	order.rc = drop_here();
	sem_post(&order.done);
	errno = saved;
}

/* One that nobody waits for: drivers take real-time signals, too. */
static int free_signal(void) {
	struct sigaction action;

	for (int number = SIGRTMAX; number >= SIGRTMIN; number--)
		if (!sigaction(number, NULL, &action) && !(action.sa_flags & SA_SIGINFO)
			&& action.sa_handler == SIG_DFL)
			return number;
	return -EBUSY;
}

static bool has_ended(pid_t thread) {
	return syscall(SYS_tgkill, getpid(), thread, 0) < 0 && errno == ESRCH;
}

static bool is_done_soon(void) {
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	while ((rc = sem_timedwait(&order.done, &until)) < 0 && errno == EINTR)
		;
	return rc == 0;
}

/* One that is about to end blocks signals, and never runs the handler. */
static int drop_in(pid_t thread, int number) {
	if (syscall(SYS_tgkill, getpid(), thread, number) < 0)
		return errno == ESRCH ? 0 : -errno;
	for (int ms = 0; ms < WAIT_S * 1000; ms += LOOK_MS) {
		if (is_done_soon())
			return order.rc;
		/* What it posted before its end must not be taken for the next one's. */
		if (has_ended(thread))
			return sem_trywait(&order.done) == 0 ? order.rc : 0;
	}
	return -ETIMEDOUT;
}

/* ---- All of them ---- */

/*
 * ThreadSanitizer holds a signal back until its thread returns from the system call that it waits in, which
 * those of EAL do not, and has a thread of its own that takes none: such a build drops in the main thread
 * only, from which later ones inherit.
 */
static bool takes_signals(pid_t thread) {
#ifdef __SANITIZE_THREAD__
	return thread == gettid();
#else
	return thread != 0;
#endif
}

/* Ids of our threads; their number, or a negative errno. */
static int list_threads(pid_t thread[MAX_THREADS]) {
	DIR *folder = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	if (!folder)
		return -errno;
	while (n >= 0 && (entry = readdir(folder))) {
		const pid_t id = (pid_t)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.' || !takes_signals(id))
			continue;
		if (n == MAX_THREADS)
			n = -E2BIG;
		else
			thread[n++] = id;
	}
	closedir(folder);
	return n;
}

static bool is_among(pid_t thread, const pid_t *threads, int n) {
	for (int i = 0; i < n; i++)
		if (threads[i] == thread)
			return true;
	return false;
}

/* Until a look finds none that has not had its turn: one of those could have made another. */
static int drop_in_all(int number, pid_t *failed) {
	pid_t seen[MAX_THREADS], now[MAX_THREADS];
	int nb_seen = 0, rc = drop_here();

	*failed = gettid();
	seen[nb_seen++] = gettid();
	for (bool any = true; rc == 0 && any;) {
		int n = list_threads(now);

		any = false;
		for (int i = 0; rc == 0 && i < n; i++) {
			if (is_among(now[i], seen, nb_seen))
				continue;
			if (nb_seen == MAX_THREADS)
				return -E2BIG;
			any = true;
			seen[nb_seen++] = *failed = now[i];
			rc = drop_in(now[i], number);
		}
		if (n < 0)
			return n;
	}
	return rc;
}

/* What the set called @name holds by the text of a status file; all, where it does not say. */
static uint64_t set_of(const char *status, const char *name) {
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 16) : UINT64_MAX;
}

static int check_thread(pid_t thread) {
	static const char *const sets[] = {"\nCapInh:", "\nCapPrm:", "\nCapEff:", "\nCapAmb:"};
	char path[64], status[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = read(fd, status, sizeof status - 1);
	close(fd);
	if (n <= 0)
		return n < 0 && errno != ESRCH ? -errno : 0;
	status[n] = '\0';
	for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++)
		if (set_of(status, sets[i]) & ~order.keep)
			return -EPERM;
	return 0;
}

static int check_all(pid_t *failed) {
	pid_t thread[MAX_THREADS];
	int n = list_threads(thread), rc = n < 0 ? n : 0;

	for (int i = 0; rc == 0 && i < n; i++) {
		*failed = thread[i];
		rc = check_thread(thread[i]);
	}
	return rc;
}

static int drop_and_check(pid_t *failed) {
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART}, before;
	int number = free_signal(), rc;

	*failed = 0;
	if (number < 0)
		return number;
	sigaction(number, &action, &before);
	rc = drop_in_all(number, failed);
	sigaction(number, &before, NULL);
	return rc ? rc : check_all(failed);
}

/* ---- Files ---- */

struct ruleset {
	uint64_t fs, net, scoped;
};

struct __attribute__((packed)) beneath {
	uint64_t allowed;
	int32_t folder;
};

/* All that the kernel knows but reading, and signals, which plugin processes are sent. */
static struct ruleset rights_of(long version) {
	struct ruleset rights = {.fs = 0x1fff};

	if (version >= 2)
		rights.fs |= BIT(13); /* refer */
	if (version >= 3)
		rights.fs |= BIT(14); /* truncate */
	if (version >= 4)
		rights.net = 1 | 2; /* bind and connect TCP */
	if (version >= 5)
		rights.fs |= BIT(15); /* ioctl of devices */
	if (version >= 6)
		rights.scoped = 1; /* abstract unix sockets */
	rights.fs &= ~landlock_read;
	return rights;
}

static int allow_folder(int ruleset, const char *folder, uint64_t rights) {
	struct beneath rule
		= {.allowed = rights, .folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC)};
	int rc = 0;

	if (rule.folder < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_BENEATH, &rule, 0) < 0)
		rc = -errno;
	close(rule.folder);
	return rc;
}

/* 0 with *@fd, which is -1 where the kernel has no Landlock; or a negative errno and where. */
static int make_ruleset(
	const char *const *folders, unsigned nb_folders, int *fd, const char **where) {
	const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, (long)LANDLOCK_VERSION);
	const struct ruleset rights = rights_of(version);
	int rc = 0;

	*fd = -1;
	*where = "ruleset";
	if (version < 0)
		return 0;
	*fd = (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0);
	if (*fd < 0)
		return -errno;
	for (unsigned i = 0; rc == 0 && i < nb_folders; i++) {
		*where = folders[i];
		rc = allow_folder(*fd, folders[i], rights.fs & landlock_files);
	}
	if (rc) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

/* The name of one of our threads, for an error. */
static void name_thread(pid_t thread, char *name, size_t size) {
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, name, size - 1);
	if (fd >= 0)
		close(fd);
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

int privilege_drop(uint64_t keep, const char *const *folders, unsigned nb_folders,
	const char **report, struct dp_error *err) {
	const char *where;
	char name[32];
	pid_t failed;
	int rc = make_ruleset(folders, nb_folders, &order.ruleset, &where);

	*report = NULL;
	if (rc)
		return dp_fail(err, false, rc, "Landlock: %.200s: %s", where, strerror(-rc));
	if (order.ruleset < 0)
		*report = "the kernel has no Landlock, so that the file permissions alone say "
			  "what the scan may write";
	order.keep = keep;
	sem_init(&order.done, 0, 0);
	rc = drop_and_check(&failed);
	/* A thread that comes late finds the semaphore: it is not destroyed. */
	if (order.ruleset >= 0)
		close(order.ruleset);
	if (!rc)
		return 0;
	name_thread(failed, name, sizeof name);
	return dp_fail(err, false, rc, "cannot give up capabilities%s%s: %s",
		name[0] ? " of thread " : "", name, strerror(-rc));
}

/* ---- What is written later ---- */

/* Cut the last component off; "." for what has none. */
static void to_parent(char *path) {
	char *slash = strrchr(path, '/');

	if (!slash)
		strcpy(path, ".");
	else
		slash[slash == path] = '\0';
}

int privilege_check_folder(const char *what, const char *folder, struct dp_error *err) {
	char path[4096];
	int rc;

	if (strlen(folder) >= sizeof path || !*folder)
		return 0;
	strcpy(path, folder);
	for (;;) {
		rc = faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
		if (rc != -ENOENT || !strcmp(path, ".") || !strcmp(path, "/"))
			break;
		to_parent(path);
	}
	if (rc != -EACCES && rc != -EPERM)
		return 0; /* whoever writes will say so */
	return dp_fail(err, true, rc,
		"%s: nothing can be written to %.200s while the scan runs: %s; it has to belong to "
		"the user that runs the scan, as the right to write everywhere is given up after "
		"the start",
		what, path, strerror(-rc));
}
