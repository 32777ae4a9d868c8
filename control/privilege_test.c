/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving up privileges, each in a process of its own, which says by its exit status what failed. As
 * root, who has some.
 */
#include "privilege.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NET_ADMIN (UINT64_C(1) << CAP_NET_ADMIN)

/* In a child: ends it with the line of what did not hold. */
#define NEED(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ & 0xff);                                                    \
	} while (0)

static char folder[32], other[32];

static void make_folders(void) {
	strcpy(folder, "/tmp/privilege.XXXXXX");
	strcpy(other, "/tmp/privilege.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_not_null(mkdtemp(other));
}

static void remove_folders(void) {
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s %s", folder, other);
	cr_expect_eq(system(command), 0);
}

TestSuite(privilege, .init = make_folders, .fini = remove_folders);

static void in_child(void (*what)(void)) {
	int status;
	pid_t child = fork();

	if (child == 0) {
		what();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	cr_expect_eq(WEXITSTATUS(status), 0, "what is in line %d (mod 256) did not hold",
		WEXITSTATUS(status));
}

/* Of the calling thread. */
static uint64_t set_of(const char *name) {
	char path[64], line[256];
	uint64_t set = UINT64_MAX;

	snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)gettid());
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, name, strlen(name)))
			set = strtoull(line + strlen(name), NULL, 16);
	if (file)
		fclose(file);
	return set;
}

static sem_t go, seen;
static uint64_t effective, permitted, no_new_privs;
static int made = -1;

static void *look(void *arg) {
	(void)arg;
	sem_wait(&go);
	effective = set_of("CapEff:");
	permitted = set_of("CapPrm:");
	no_new_privs = set_of("NoNewPrivs:");
	made = open("by-thread", O_WRONLY | O_CREAT, 0600);
	sem_post(&seen);
	return NULL;
}

static void threads_lose_all_but_what_is_kept(void) {
	const char *report;
	struct dp_error err;
	pthread_t thread[2];

	sem_init(&go, 0, 0);
	sem_init(&seen, 0, 0);
	NEED(chdir(other) == 0);
	NEED(privilege_begin(&err) == 0);
	NEED(pthread_create(&thread[0], NULL, look, NULL) == 0);
	NEED(privilege_drop(NET_ADMIN, NULL, 0, &report, &err) == 0);
	NEED(pthread_create(&thread[1], NULL, look, NULL) == 0);
	for (unsigned i = 0; i < 2; i++) {
		sem_post(&go);
		sem_wait(&seen);
		NEED(effective == NET_ADMIN && permitted == NET_ADMIN && no_new_privs == 1);
		NEED(report || made < 0);
	}
	NEED(set_of("CapEff:") == NET_ADMIN);
	NEED(set_of("CapPrm:") == NET_ADMIN);
	NEED(set_of("CapInh:") == 0);
	NEED(set_of("CapAmb:") == 0);
	NEED(set_of("CapBnd:") == 0);
}

Test(privilege, threads) {
	if (geteuid() != 0)
		cr_skip_test("needs root");
	in_child(threads_lose_all_but_what_is_kept);
}

static void files_can_be_written_where_allowed(void) {
	const char *allowed[] = {folder}, *report;
	struct dp_error err;
	char path[64];
	int before;

	NEED(chdir(other) == 0);
	before = open("before", O_WRONLY | O_CREAT, 0600);
	NEED(before >= 0);
	NEED(privilege_begin(&err) == 0);
	NEED(privilege_drop(0, allowed, 1, &report, &err) == 0);
	NEED(write(before, "x", 1) == 1 && ftruncate(before, 0) == 0);
	snprintf(path, sizeof path, "%s/new", folder);
	NEED(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0);
	NEED(chdir(folder) == 0);
	NEED(rename("new", "old") == 0);
	NEED(open("old", O_WRONLY | O_TRUNC) >= 0);
	NEED(unlink("old") == 0);
	NEED(chdir(other) == 0);
	NEED(open("before", O_RDONLY) >= 0);
	if (report)
		return; /* no Landlock here */
	NEED(open("before", O_WRONLY) < 0 && errno == EACCES);
	NEED(open("new", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
	NEED(unlink("before") < 0 && errno == EACCES);
	NEED(rename("before", "after") < 0 && errno == EACCES);
	NEED(symlink("before", "link") < 0 && errno == EACCES);
	NEED(mkdir("folder", 0700) < 0 && errno == EACCES);
	snprintf(path, sizeof path, "%s/fifo", folder);
	NEED(mkfifo(path, 0600) < 0 && errno == EACCES);
	execl("/bin/true", "true", NULL);
	NEED(errno == EACCES);
}

Test(privilege, files) {
	in_child(files_can_be_written_where_allowed);
}

static void nobody_looks_into_us(void) {
	struct rlimit core;
	struct dp_error err;

	unsetenv(PRIVILEGE_DUMP_VARIABLE);
	NEED(privilege_begin(&err) == 0);
	NEED(prctl(PR_GET_DUMPABLE) == 0);
	NEED(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
}

static void unless_told_to(void) {
	struct dp_error err;

	setenv(PRIVILEGE_DUMP_VARIABLE, "1", 1);
	NEED(privilege_begin(&err) == 0);
	NEED(prctl(PR_GET_DUMPABLE) == 1);
}

Test(privilege, dumps) {
	in_child(nobody_looks_into_us);
	in_child(unless_told_to);
}

static void folders_of_others_are_refused(void) {
	const char *report;
	struct dp_error err;
	char path[64];

	NEED(chown(folder, 4242, 4242) == 0 && chmod(folder, 0700) == 0);
	NEED(privilege_begin(&err) == 0);
	NEED(privilege_check_folder("here", folder, &err) == 0);
	NEED(privilege_drop(0, NULL, 0, &report, &err) == 0);
	NEED(privilege_check_folder("here", folder, &err) == -EACCES && err.usage);
	NEED(strstr(err.text, "here: ") == err.text && strstr(err.text, folder));
	snprintf(path, sizeof path, "%s/a/b", other);
	NEED(privilege_check_folder("here", path, &err) == 0);
	/* Not to be searched either: nothing is known of what lies in it. */
	snprintf(path, sizeof path, "%s/a/b", folder);
	NEED(privilege_check_folder("here", path, &err) == -EACCES);
}

Test(privilege, folders) {
	if (geteuid() != 0)
		cr_skip_test("needs root");
	in_child(folders_of_others_are_refused);
}

/* A thread that blocks every signal cannot give anything up, and is named. */
static void *deaf(void *arg) {
	(void)arg;
	pthread_setname_np(pthread_self(), "deaf");
	sem_post(&seen);
	sem_wait(&go);
	return NULL;
}

static void a_deaf_thread_is_named(void) {
	const char *report;
	struct dp_error err;
	pthread_t thread;
	sigset_t all;

	sem_init(&go, 0, 0);
	sem_init(&seen, 0, 0);
	sigfillset(&all);
	NEED(privilege_begin(&err) == 0);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	NEED(pthread_create(&thread, NULL, deaf, NULL) == 0);
	sem_wait(&seen);
	NEED(privilege_drop(0, NULL, 0, &report, &err) == -ETIMEDOUT);
	NEED(strstr(err.text, "of thread deaf: "));
}

Test(privilege, deaf) {
	in_child(a_deaf_thread_is_named);
}

/* One that ends before it gets to the signal, as it blocks all on its way out, has nothing left to give up. */
static void *ending(void *arg) {
	(void)arg;
	sem_post(&seen);
	usleep(200000);
	return NULL;
}

static void an_ending_thread_is_not_waited_for(void) {
	const char *report;
	struct dp_error err;
	pthread_t thread;
	sigset_t all, before;

	sem_init(&go, 0, 0);
	sem_init(&seen, 0, 0);
	sigfillset(&all);
	NEED(privilege_begin(&err) == 0);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	NEED(pthread_create(&thread, NULL, ending, NULL) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sem_wait(&seen);
	NEED(pthread_create(&thread, NULL, look, NULL) == 0);
	NEED(privilege_drop(NET_ADMIN, NULL, 0, &report, &err) == 0);
	sem_post(&go);
	sem_wait(&seen);
	NEED((effective & ~NET_ADMIN) == 0 && (permitted & ~NET_ADMIN) == 0);
}

Test(privilege, ending) {
	in_child(an_ending_thread_is_not_waited_for);
}
