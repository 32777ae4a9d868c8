/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records on disk: the order, the limits, and that who puts and gets never waits for the disk.
 *
 * To hold up the disk at will, a test has the kernel ask it before each read and write of a file that
 * its threads start (seccomp(2), user notification).
 */
#include "result_fixture.h"
#include "spill.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MB ((int64_t)1 << 20)

enum {
	LONGEST = 3000,
};

static char folder[] = "/tmp/spill_test.XXXXXX";
static struct dp_error err;
static struct spill *spill;
static _Atomic int64_t budget = 1000 * MB;
static void *got;
static size_t room;
static uint64_t put_number, got_number; /* records so far */
static int64_t put_bytes; /* with their lengths */

static void enter(void) {
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(spill_create(folder, &budget, &spill, &err), 0, "%s", err.text);
}

static void leave(void) {
	spill_destroy(spill);
	free(got);
	got = NULL;
	cr_expect_not(fixture_leaks());
	cr_expect_eq(rmdir(folder), 0, "a file is left behind");
	cr_expect_eq(budget, 1000 * MB, "the budget is as before");
}

/* Of a test that failed. */
static void remove_folder(void) {
	rmdir(folder);
}

TestSuite(spill, .init = enter, .fini = remove_folder, .timeout = 120);

/* Record @i: its length and each of its bytes follow from @i. */
static uint32_t make_record(uint64_t i, uint8_t *record) {
	uint32_t bytes = 8 + (uint32_t)(i * 2654435761u >> 7) % (LONGEST - 8);

	memcpy(record, &i, sizeof i);
	memset(record + sizeof i, (int)(i * 31), bytes - sizeof i);
	return bytes;
}

static bool put_next(void) {
	uint8_t record[LONGEST];
	uint32_t bytes = make_record(put_number, record);

	if (!spill_put(spill, record, bytes))
		return false;
	put_number++;
	put_bytes += (int64_t)sizeof bytes + bytes;
	return true;
}

static void put_many(uint64_t n) {
	while (n)
		if (put_next())
			n--;
		else
			sched_yield(); /* the disk is behind */
}

/* What spill_get() says; a record that came is the next one and as it was. */
static int64_t get_next(void) {
	uint8_t want[LONGEST];
	uint32_t bytes = make_record(got_number, want);
	int64_t rc = spill_get(spill, &got, &room);

	if (rc <= 0)
		return rc;
	cr_assert_eq(rc, bytes, "record %d", (int)got_number);
	cr_assert_eq(memcmp(got, want, bytes), 0, "record %d", (int)got_number);
	got_number++;
	return rc;
}

static void get_many(uint64_t n) {
	while (n) {
		int64_t rc = get_next();
		cr_assert_geq(rc, 0);
		if (rc)
			n--;
		else
			sched_yield();
	}
}

/* The descriptor of the spill's file, whose name is "FOLDER/#INODE (deleted)". */
static int spill_file(void) {
	char path[64], target[256];

	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof target - 1);
		target[n > 0 ? n : 0] = '\0';
		if (!strncmp(target, folder, strlen(folder)))
			return fd;
	}
	cr_assert_fail("the spill has no file");
	return -1;
}

static uint64_t disk_bytes(void) {
	struct stat st;

	cr_assert_eq(fstat(spill_file(), &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* All but the first and the last block, of 256 KiB at the most, which are in memory only. */
static void wait_until_written(void) {
	struct stat st;

	do {
		sched_yield();
		cr_assert_eq(fstat(spill_file(), &st), 0);
	} while (st.st_size < put_bytes - (512 << 10));
}

/* ---- The supervisor of reads and writes ---- */

static struct {
	pthread_t thread;
	atomic_int listener; /* -1: not yet */
	atomic_bool hold; /* let none pass */
	atomic_bool stop;
	atomic_uint asked; /* reads and writes so far */
	atomic_bool held; /* one waits */
	atomic_int own; /* made by the thread that puts and gets */
	pid_t owner;
} supervisor = {.listener = -1};

static void *supervise(void *arg) {
	struct seccomp_notif ask;
	struct pollfd pollfd = {.events = POLLIN};

	while (!supervisor.stop) {
		pollfd.fd = supervisor.listener;
		if (poll(&pollfd, 1, 1) <= 0 || !(pollfd.revents & POLLIN))
			continue;
		memset(&ask, 0, sizeof ask);
		if (ioctl(pollfd.fd, SECCOMP_IOCTL_NOTIF_RECV, &ask) < 0)
			continue;
		supervisor.asked++;
		supervisor.own += (pid_t)ask.pid == supervisor.owner;
		supervisor.held = true;
		while (supervisor.hold && !supervisor.stop)
			usleep(100);
		supervisor.held = false;
		struct seccomp_notif_resp answer
			= {.id = ask.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
		ioctl(pollfd.fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	return arg;
}

/* From here on the supervisor is asked before each pread64() and pwrite64(). */
static void start_supervisor(bool hold) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pread64, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	supervisor.hold = hold;
	supervisor.owner = (pid_t)syscall(SYS_gettid);
	cr_assert_eq(pthread_create(&supervisor.thread, NULL, supervise, NULL), 0);
	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	int fd = (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (fd < 0) {
		supervisor.stop = true;
		pthread_join(supervisor.thread, NULL);
		cr_skip_test("no seccomp user notification here");
	}
	supervisor.listener = fd;
}

static void stop_supervisor(void) {
	/* The spill's thread has to be gone: nobody answers any more. */
	spill_destroy(spill);
	spill = NULL;
	supervisor.stop = true;
	pthread_join(supervisor.thread, NULL);
	cr_expect_eq(supervisor.own, 0, "put or get read or wrote the file");
}

/* ---- Tests ---- */

CHECKED_TEST(spill, keeps_the_order, leave) {
	put_many(100000);
	cr_assert_eq(spill_count(spill), 100000);
	cr_assert_gt(disk_bytes(), 50 * MB, "it is on disk");
	get_many(100000);
	cr_assert_eq(spill_count(spill), 0);
	cr_assert_eq(spill_total(spill), 100000);
	cr_assert_eq(get_next(), 0);
}

/* Both ends at once, with a backlog that grows and shrinks: each path from put to get is taken. */
CHECKED_TEST(spill, keeps_the_order_while_it_grows_and_shrinks, leave) {
	uint64_t random = 1;

	for (unsigned round = 0; round < 400; round++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		put_many((random >> 40) % 2000);
		uint64_t have = spill_count(spill), want = (random >> 20) % 2100;
		get_many(want < have ? want : have);
	}
	get_many(spill_count(spill));
	cr_assert_gt(got_number, 300000);
	cr_assert_eq(spill_total(spill), got_number);
}

CHECKED_TEST(spill, leaves_the_disk_alone_while_the_reader_keeps_up, leave) {
	start_supervisor(true);
	for (unsigned i = 0; i < 100000; i++) {
		put_many(3);
		get_many(3);
	}
	cr_assert_eq(disk_bytes(), 0);
	cr_assert_eq(supervisor.asked, 0);
	stop_supervisor();
}

CHECKED_TEST(spill, has_no_name_in_the_folder, leave) {
	DIR *dir = opendir(folder);
	unsigned entries = 0;

	put_many(2000);
	while (readdir(dir))
		entries++;
	closedir(dir);
	cr_assert_eq(entries, 2, "only . and ..");
}

CHECKED_TEST(spill, shares_its_budget, leave) {
	_Atomic int64_t shared = 3 * MB;
	struct spill *a, *b;
	uint8_t record[1000] = {0};
	uint64_t in_a = 0, in_b = 0;

	cr_assert_eq(spill_create(folder, &shared, &a, &err), 0);
	cr_assert_eq(spill_create(folder, &shared, &b, &err), 0);
	while (in_a < 2000)
		in_a += spill_put(a, record, sizeof record);
	while (spill_put(b, record, sizeof record))
		in_b++;
	cr_assert_eq(in_b, 3 * MB / 1004 - 2000);
	cr_assert_not(spill_put(a, record, sizeof record), "the other has the rest");
	cr_assert_geq(shared, 0);
	cr_assert_lt(shared, 1004);
	while (spill_count(b))
		cr_assert_geq(spill_get(b, &got, &room), 0);
	cr_assert(spill_put(a, record, sizeof record), "what was taken is free again");
	spill_destroy(a);
	spill_destroy(b);
	cr_assert_eq(shared, 3 * MB);
}

/* A write into the file fails: what was taken is kept, and nothing more is taken for now. */
CHECKED_TEST(spill, loses_nothing_on_a_full_disk, leave) {
	uint64_t refused = 0;

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){5 * MB + 1, RLIM_INFINITY}), 0);
	while (refused < 1000 || spill_count(spill) < 3000) {
		if (put_next())
			refused = 0;
		else if (++refused)
			sched_yield();
		cr_assert_lt(spill_count(spill), 20000, "nothing was refused");
	}
	uint64_t taken = put_number;
	get_many(taken);
	cr_assert_eq(spill_count(spill), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
	put_many(5000);
	get_many(5000);
}

/* The disk stands still: memory is bounded, and what is in it comes back all the same. */
CHECKED_TEST(spill, does_not_wait_for_a_slow_disk, leave) {
	start_supervisor(true);
	while (put_next())
		continue;
	cr_assert_gt(spill_count(spill), 1000);
	cr_assert_gt(budget, 980 * MB, "more than a few blocks are in memory");
	while (!supervisor.held)
		sched_yield(); /* the thread is at it */
	get_many(put_number);
	cr_assert_eq(spill_count(spill), 0);
	cr_assert(supervisor.held, "all came from memory");
	supervisor.hold = false;
	put_many(20000);
	get_many(20000);
	stop_supervisor();
}

/* Nor for one that does not read. */
CHECKED_TEST(spill, says_that_nothing_is_there_yet, leave) {
	start_supervisor(false);
	put_many(20000);
	supervisor.hold = true;
	unsigned asked = supervisor.asked;
	while (get_next() > 0 || (supervisor.asked == asked && !supervisor.held))
		continue;
	cr_assert_eq(get_next(), 0);
	cr_assert_gt(spill_count(spill), 10000);
	supervisor.hold = false;
	get_many(spill_count(spill));
	cr_assert_eq(got_number, 20000);
	stop_supervisor();
}

CHECKED_TEST(spill, gives_room_back_to_the_disk, leave) {
	uint64_t most = 0;

	put_many(4000);
	for (unsigned i = 0; i < 40; i++) {
		put_many(1000);
		get_many(1000);
		uint64_t now = disk_bytes();
		most = now > most ? now : most;
	}
	cr_assert_gt(most, 1 * MB);
	cr_assert_lt(most, 20 * MB, "of 66 MB that went through it");
}

CHECKED_TEST(spill, says_what_was_lost_where_the_file_cannot_be_read, leave) {
	put_many(20000);
	wait_until_written();
	cr_assert_eq(ftruncate(spill_file(), 5 * MB), 0);
	int64_t rc;
	while ((rc = get_next()) >= 0)
		sched_yield();
	cr_assert_eq(rc, -EIO);
	cr_assert_gt(got_number, 2000, "what was before it comes");
	cr_assert_eq(spill_count(spill), 20000 - got_number);
	cr_assert_eq(get_next(), -EIO);
	cr_assert_not(put_next());
}

CHECKED_TEST(spill, notices_bytes_that_are_no_records, leave) {
	uint8_t garbage[4096];

	memset(garbage, 0xff, sizeof garbage);
	put_many(20000);
	wait_until_written();
	for (off_t at = 5 * MB; at < 6 * MB; at += (off_t)sizeof garbage)
		cr_assert_eq(
			pwrite(spill_file(), garbage, sizeof garbage, at), (ssize_t)sizeof garbage);
	/* get_next() would look at what comes from the damaged block; only the end counts here. */
	int64_t rc;
	while ((rc = spill_get(spill, &got, &room)) >= 0)
		sched_yield();
	cr_assert_eq(rc, -EBADMSG);
}

CHECKED_TEST(spill, takes_records_larger_than_a_block, leave) {
	static uint8_t large[700000];

	for (unsigned i = 0; i < 40; i++) {
		memset(large, (int)i, sizeof large);
		while (!spill_put(spill, large, sizeof large - i))
			sched_yield();
		while (!spill_put(spill, &i, sizeof i))
			sched_yield();
	}
	for (unsigned i = 0; i < 40;) {
		int64_t n = spill_get(spill, &got, &room);
		cr_assert_geq(n, 0);
		if (!n) {
			sched_yield();
			continue;
		}
		cr_assert_eq(n, (int64_t)sizeof large - i);
		memset(large, (int)i, sizeof large);
		cr_assert_eq(memcmp(got, large, (size_t)n), 0);
		while (!(n = spill_get(spill, &got, &room)))
			sched_yield();
		cr_assert_eq(n, (int64_t)sizeof i);
		cr_assert_eq(memcmp(got, &i, sizeof i), 0);
		i++;
	}
}

CHECKED_TEST(spill, can_be_destroyed_with_records_in_it, leave) {
	put_many(30000);
	get_many(100);
}

CHECKED_TEST(spill, can_be_destroyed_while_the_disk_is_at_it, leave) {
	start_supervisor(true);
	while (put_next())
		continue;
	while (!supervisor.held)
		sched_yield();
	get_many(1000); /* some blocks are done with before they are back */
	supervisor.hold = false;
	stop_supervisor();
}

CHECKED_TEST(spill, refuses_nothing_and_a_bad_folder, leave) {
	struct spill *none;

	cr_assert_not(spill_put(spill, "", 0));
	cr_assert_eq(spill_create("/no/such", &budget, &none, &err), -ENOENT);
	cr_assert_str_eq(err.text,
		"cannot make a file in /no/such: No such file or directory; plugins.spill_dir has "
		"to "
		"be a folder that can be written to");
	spill_destroy(NULL);
}
