/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Locked processes, from outside: each forbidden thing is tried in a process of its own, and what a
 * lane needs still works.
 */
#include "lock.h"
#include "lock_parts.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Descriptors that a locked process keeps, at fixed numbers for the table below. */
enum {
	UDP = 40, /* connected to the sink */
	TCP, /* neither bound nor connected */
	PAIR, /* one end of a pair; scene.peer is the other */
	FILE_FD, /* "output", empty */
	EPOLL,
	DIRECTORY,
	PROGRAM, /* /bin/true */
	NB_KEPT = PROGRAM - UDP + 1,
	DESCRIPTORS = 64,
	STRAY = 900,
};

static const int kept[NB_KEPT] = {UDP, TCP, PAIR, FILE_FD, EPOLL, DIRECTORY, PROGRAM};

enum {
	MEMORY_BYTES = 64 << 20,
	FILE_BYTES = 1 << 20,
};

static const struct lock_params params = {
	.memory_bytes = MEMORY_BYTES,
	.file_bytes = FILE_BYTES,
	.descriptors = DESCRIPTORS,
	.cpu_s = 10,
};

/* --- The scene: what a lane might reach ----------------------------------------------------- */

static struct {
	char directory[32]; /* the working one; anyone may write there */
	int sink; /* UDP socket that nothing may arrive at */
	int peer;
	struct sockaddr_in sink_address;
} scene;

static volatile sig_atomic_t signals;

static void count_signal(int number) {
	signals++;
}

static void place(int fd, int number) {
	cr_assert_geq(fd, 0, "descriptor %d: %s", number, strerror(errno));
	if (fd == number)
		return;
	cr_assert_eq(dup2(fd, number), number);
	close(fd);
}

static void make_file(const char *name) {
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0666);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fchmod(fd, 0666), 0);
	cr_assert_eq(write(fd, "contents", 8), 8);
	close(fd);
}

static void make_sockets(void) {
	socklen_t length = sizeof scene.sink_address;
	int pair[2];

	scene.sink_address.sin_family = AF_INET;
	scene.sink_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	scene.sink = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(bind(scene.sink, (struct sockaddr *)&scene.sink_address, length), 0);
	cr_assert_eq(getsockname(scene.sink, (struct sockaddr *)&scene.sink_address, &length), 0);
	place(socket(AF_INET, SOCK_DGRAM, 0), UDP);
	cr_assert_eq(connect(UDP, (struct sockaddr *)&scene.sink_address, length), 0);
	place(socket(AF_INET, SOCK_STREAM, 0), TCP);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	place(pair[0], PAIR);
	scene.peer = pair[1];
}

static void set_scene(void) {
	strcpy(scene.directory, "/tmp/lock_test.XXXXXX");
	cr_assert_not_null(mkdtemp(scene.directory));
	cr_assert_eq(chmod(scene.directory, 0777), 0);
	cr_assert_eq(chdir(scene.directory), 0);
	make_file("victim");
	make_sockets();
	place(open("output", O_RDWR | O_CREAT | O_EXCL, 0600), FILE_FD);
	place(epoll_create1(0), EPOLL);
	place(open(".", O_RDONLY | O_DIRECTORY), DIRECTORY);
	place(open("/bin/true", O_RDONLY), PROGRAM);
	/* Above all that are kept, and above the limit. */
	cr_assert_eq(dup2(scene.sink, STRAY), STRAY);
	signal(SIGUSR1, count_signal);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void clear_scene(void) {
	cr_assert_eq(unlink("output"), 0);
	cr_assert_eq(unlink("victim"), 0);
	cr_assert_eq(chdir("/"), 0);
	/* Fails where someone has made a file. */
	cr_assert_eq(rmdir(scene.directory), 0);
}

/* Criterion leaves .fini out. */
static void skip(const char *why) {
	clear_scene();
	cr_skip_test("%s", why);
}

TestSuite(lock, .init = set_scene, .fini = clear_scene, .timeout = 120);

/* --- Children ------------------------------------------------------------------------------- */

/* What a child found, for its parent. */
struct shared {
	int line; /* of the NEED that failed */
	int error; /* errno there */
	char report[LOCK_REPORT_BYTES];
};

static struct shared *map_shared(void) {
	struct shared *shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(shared, MAP_FAILED);
	return shared;
}

#define NEED(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			shared->error = errno;                                                     \
			shared->line = __LINE__;                                                   \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void lock_child(struct shared *shared) {
	NEED(lock_process(&params, kept, NB_KEPT, shared->report) == 0);
}

static int wait_for(pid_t pid) {
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* Run @body in a child, and tell how it ended. */
static int in_child(struct shared *shared, void (*body)(struct shared *shared)) {
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		body(shared);
		_exit(0);
	}
	return wait_for(pid);
}

static void expect_success(void (*body)(struct shared *shared)) {
	struct shared *shared = map_shared();
	int status = in_child(shared, body);

	cr_assert_eq(status, 0, "line %d: %s; status %x", shared->line, strerror(shared->error),
		(unsigned)status);
}

/* --- What is forbidden ---------------------------------------------------------------------- */

enum verdict {
	KILLED,
	REFUSED, /* EPERM */
	WENT_THROUGH, /* or failed for another reason */
};

static const char *const verdict_names[] = {"killed", "refused", "allowed"};

static char buffer[4096];
static struct iovec vector = {buffer, 8};
static struct msghdr named = {&scene.sink_address, sizeof scene.sink_address, &vector, 1, 0, 0, 0};
static struct msghdr nameless = {.msg_iov = &vector, .msg_iovlen = 1};
static struct mmsghdr many
	= {{&scene.sink_address, sizeof scene.sink_address, &vector, 1, 0, 0, 0}, 0};
static const char *const no_strings[] = {"true", NULL};
static uint64_t clone3_args[8] = {[4] = SIGCHLD}; /* struct clone_args: exit_signal */
static uint64_t open_how[3] = {O_RDONLY}; /* struct open_how */
static struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
static struct __user_cap_header_struct cap_header = {.version = _LINUX_CAPABILITY_VERSION_3};
static struct __user_cap_data_struct no_caps[2];
static long parent; /* stands for the caller's parent in the table */

#define P(pointer) ((long)(pointer))
#define PARENT LONG_MIN

static const struct {
	const char *what;
	long call;
	long args[6];
	enum verdict verdict;
} attempts[] = {
	{"open /etc/passwd", SYS_openat, {AT_FDCWD, P("/etc/passwd"), O_RDONLY}, REFUSED},
	{"create a file", SYS_openat, {DIRECTORY, P("made"), O_RDWR | O_CREAT, 0600}, REFUSED},
	{"openat2", SYS_openat2, {DIRECTORY, P("victim"), P(open_how), sizeof open_how}, REFUSED},
	{"stat a path", SYS_newfstatat, {AT_FDCWD, P("/etc/passwd"), P(buffer), 0}, REFUSED},
	{"stat a path as if empty", SYS_newfstatat,
		{AT_FDCWD, P("/etc/passwd"), P(buffer), AT_EMPTY_PATH}, REFUSED},
	{"statx", SYS_statx, {AT_FDCWD, P("/etc"), 0, 0xfff, P(buffer)}, REFUSED},
	{"faccessat", SYS_faccessat, {AT_FDCWD, P("/etc"), F_OK}, REFUSED},
	{"faccessat2", SYS_faccessat2, {AT_FDCWD, P("/etc"), F_OK, 0}, REFUSED},
	{"readlinkat", SYS_readlinkat, {AT_FDCWD, P("/proc/self/exe"), P(buffer), 99}, REFUSED},
	{"ioctl on a socket", SYS_ioctl, {UDP, FIONREAD, P(buffer)}, REFUSED},
	{"fcntl F_DUPFD", SYS_fcntl, {UDP, F_DUPFD, 0}, REFUSED},
	{"fcntl F_SETOWN", SYS_fcntl, {UDP, F_SETOWN, PARENT}, REFUSED},
	{"setsockopt", SYS_setsockopt, {UDP, SOL_SOCKET, SO_BROADCAST, P(&vector.iov_len), 4},
		REFUSED},
	{"getsockname", SYS_getsockname, {UDP, P(buffer), P(&vector.iov_len)}, REFUSED},
	{"getpeername", SYS_getpeername, {UDP, P(buffer), P(&vector.iov_len)}, REFUSED},
	{"uname", SYS_uname, {P(buffer)}, REFUSED},
	{"sysinfo", SYS_sysinfo, {P(buffer)}, REFUSED},
	{"sched_getaffinity", SYS_sched_getaffinity, {0, 128, P(buffer)}, REFUSED},
	{"prlimit64", SYS_prlimit64, {0, RLIMIT_CORE, P(&unlimited), 0}, REFUSED},
	{"prlimit64 of the parent", SYS_prlimit64, {PARENT, RLIMIT_CORE, 0, P(buffer)}, REFUSED},
	{"outlive the parent", SYS_prctl, {PR_SET_PDEATHSIG, 0}, REFUSED},
	{"prctl PR_SET_NAME", SYS_prctl, {PR_SET_NAME, P("other")}, REFUSED},
#if !LOCK_SANITIZED
	{"sigaltstack", SYS_sigaltstack, {0, P(buffer)}, REFUSED},
#endif
	{"rt_sigaction", SYS_rt_sigaction, {SIGUSR1, 0, P(buffer), 8}, REFUSED},

	{"socket inet", SYS_socket, {AF_INET, SOCK_STREAM, 0}, KILLED},
	{"socket raw", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_TCP}, KILLED},
	{"socket packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, KILLED},
	{"socket netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, KILLED},
	{"socket unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, KILLED},
	{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, P(buffer)}, KILLED},
	{"connect UDP elsewhere", SYS_connect,
		{UDP, P(&scene.sink_address), sizeof scene.sink_address}, KILLED},
	{"connect TCP", SYS_connect, {TCP, P(&scene.sink_address), sizeof scene.sink_address},
		KILLED},
	{"bind", SYS_bind, {TCP, P(&scene.sink_address), sizeof scene.sink_address}, KILLED},
	{"listen", SYS_listen, {TCP, 1}, KILLED},
	{"accept", SYS_accept, {TCP, 0, 0}, KILLED},
	{"accept4", SYS_accept4, {TCP, 0, 0, 0}, KILLED},
	{"sendto with an address", SYS_sendto,
		{UDP, P(buffer), 8, 0, P(&scene.sink_address), sizeof scene.sink_address}, KILLED},
	{"sendto with a high address", SYS_sendto, {UDP, P(buffer), 8, 0, 1L << 32, 16}, KILLED},
	{"sendmsg with a name", SYS_sendmsg, {UDP, P(&named), 0}, KILLED},
	{"sendmsg without", SYS_sendmsg, {UDP, P(&nameless), 0}, KILLED},
	{"sendmmsg", SYS_sendmmsg, {UDP, P(&many), 1, 0}, KILLED},
	{"recvmmsg", SYS_recvmmsg, {UDP, P(&many), 1, MSG_DONTWAIT, 0}, KILLED},
	{"execve", SYS_execve, {P("/bin/true"), P(no_strings), P(no_strings + 1)}, KILLED},
	{"execveat", SYS_execveat,
		{PROGRAM, P(""), P(no_strings), P(no_strings + 1), AT_EMPTY_PATH}, KILLED},
	{"clone", SYS_clone, {SIGCHLD, 0}, LOCK_SANITIZED ? REFUSED : KILLED},
	{"clone3", SYS_clone3, {P(clone3_args), sizeof clone3_args}, KILLED},
	{"ptrace traceme", SYS_ptrace, {0}, KILLED},
	{"ptrace the parent", SYS_ptrace, {16, PARENT, 0, 0}, KILLED},
	{"read the parent's memory", SYS_process_vm_readv, {PARENT, P(&vector), 1, P(&vector), 1},
		KILLED},
	{"write the parent's memory", SYS_process_vm_writev, {PARENT, P(&vector), 1, P(&vector), 1},
		KILLED},
	{"kill the parent", SYS_kill, {PARENT, SIGUSR1}, KILLED},
	{"kill all", SYS_kill, {-1, 0}, KILLED},
	{"tkill the parent", SYS_tkill, {PARENT, SIGUSR1}, KILLED},
	{"tgkill the parent", SYS_tgkill, {PARENT, PARENT, SIGUSR1}, KILLED},
	{"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {PARENT, SIGUSR1, P(buffer)}, KILLED},
	{"pidfd_open", SYS_pidfd_open, {PARENT, 0}, KILLED},
	{"pidfd_send_signal", SYS_pidfd_send_signal, {PAIR, SIGUSR1, 0, 0}, KILLED},
	{"pidfd_getfd", SYS_pidfd_getfd, {PAIR, 0, 0}, KILLED},
	{"process_madvise", SYS_process_madvise, {PAIR, P(&vector), 1, MADV_COLD, 0}, KILLED},
	{"kcmp", SYS_kcmp, {PARENT, PARENT, 0, 0, 0}, KILLED},
	{"setuid", SYS_setuid, {0}, KILLED},
	{"setgid", SYS_setgid, {0}, KILLED},
	{"setresuid", SYS_setresuid, {0, 0, 0}, KILLED},
	{"setgroups", SYS_setgroups, {0, 0}, KILLED},
	{"setfsuid", SYS_setfsuid, {0}, KILLED},
	{"capset", SYS_capset, {P(&cap_header), P(no_caps)}, KILLED},
	{"setsid", SYS_setsid, {0}, KILLED},
	{"setpriority", SYS_setpriority, {PRIO_PROCESS, 0, 1}, KILLED},
	{"sched_setscheduler", SYS_sched_setscheduler, {0, SCHED_FIFO, P(buffer)}, KILLED},
	{"sched_setaffinity", SYS_sched_setaffinity, {0, 8, P(&clone3_args[4])}, KILLED},
	{"mmap code", SYS_mmap,
		{0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, KILLED},
	{"mmap a program", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, PROGRAM, 0},
		KILLED},
	{"mmap a file", SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, FILE_FD, 0}, KILLED},
	{"mmap a file as if anonymous", SYS_mmap,
		{0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, FILE_FD, 0}, KILLED},
	{"mmap huge pages", SYS_mmap,
		{0, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0}, KILLED},
	{"mprotect code", SYS_mprotect, {P(buffer), 0, PROT_READ | PROT_EXEC}, KILLED},
	{"pkey_mprotect", SYS_pkey_mprotect, {P(buffer), 0, PROT_READ | PROT_EXEC, -1}, KILLED},
	{"remap_file_pages", SYS_remap_file_pages, {P(buffer), 4096, 0, 0, 0}, KILLED},
	{"mlockall", SYS_mlockall, {1}, KILLED},
	{"personality", SYS_personality, {0x0400000}, KILLED},
	{"memfd_create", SYS_memfd_create, {P("x"), 0}, KILLED},
	{"memfd_secret", SYS_memfd_secret, {0}, KILLED},
	{"shmget", SYS_shmget, {0, 4096, 0600}, KILLED},
	{"shmat", SYS_shmat, {0, 0, 0}, KILLED},
	{"msgget", SYS_msgget, {0, 0600}, KILLED},
	{"semget", SYS_semget, {0, 1, 0600}, KILLED},
	{"mq_open", SYS_mq_open, {P("x"), O_RDONLY, 0, 0}, KILLED},
	{"keyctl", SYS_keyctl, {0, -3, 0}, KILLED},
	{"add_key", SYS_add_key, {P("user"), P("x"), P("y"), 1, -3}, KILLED},
	{"bpf", SYS_bpf, {0, P(buffer), 64}, KILLED},
	{"perf_event_open", SYS_perf_event_open, {P(buffer), 0, -1, -1, 0}, KILLED},
	{"io_uring_setup", SYS_io_uring_setup, {8, P(buffer)}, KILLED},
	{"io_uring_enter", SYS_io_uring_enter, {PAIR, 1, 0, 0, 0}, KILLED},
	{"io_setup", SYS_io_setup, {8, P(buffer)}, KILLED},
	{"userfaultfd", SYS_userfaultfd, {1}, KILLED},
	{"inotify_init1", SYS_inotify_init1, {0}, KILLED},
	{"fanotify_init", SYS_fanotify_init, {0, 0}, KILLED},
	{"timerfd_create", SYS_timerfd_create, {0, 0}, KILLED},
	{"timer_create", SYS_timer_create, {0, 0, P(buffer)}, KILLED},
	{"eventfd2", SYS_eventfd2, {0, 0}, KILLED},
	{"epoll_create1", SYS_epoll_create1, {0}, KILLED},
	{"dup", SYS_dup, {UDP}, KILLED},
	{"dup3", SYS_dup3, {UDP, 50, 0}, KILLED},
	{"pipe2", SYS_pipe2, {P(buffer), 0}, KILLED},
	{"sendfile", SYS_sendfile, {PAIR, FILE_FD, 0, 1}, KILLED},
	{"splice", SYS_splice, {PAIR, 0, FILE_FD, 0, 1, 0}, KILLED},
	{"copy_file_range", SYS_copy_file_range, {PROGRAM, 0, FILE_FD, 0, 1, 0}, KILLED},
	{"getdents64", SYS_getdents64, {DIRECTORY, P(buffer), sizeof buffer}, KILLED},
	{"fallocate", SYS_fallocate, {FILE_FD, 0, 0, 4096}, KILLED},
	{"truncate", SYS_truncate, {P("victim"), 0}, KILLED},
	{"fchmod", SYS_fchmod, {FILE_FD, 0777}, KILLED},
	{"fchmodat", SYS_fchmodat, {AT_FDCWD, P("victim"), 0777}, KILLED},
	{"unlinkat", SYS_unlinkat, {DIRECTORY, P("victim"), 0}, KILLED},
	{"renameat2", SYS_renameat2, {DIRECTORY, P("victim"), DIRECTORY, P("made"), 0}, KILLED},
	{"linkat", SYS_linkat, {DIRECTORY, P("victim"), DIRECTORY, P("made"), 0}, KILLED},
	{"symlinkat", SYS_symlinkat, {P("victim"), DIRECTORY, P("made")}, KILLED},
	{"mkdirat", SYS_mkdirat, {DIRECTORY, P("made"), 0700}, KILLED},
	{"mknodat", SYS_mknodat, {DIRECTORY, P("made"), S_IFIFO | 0600, 0}, KILLED},
	{"chdir", SYS_chdir, {P("/")}, KILLED},
	{"fchdir", SYS_fchdir, {DIRECTORY}, KILLED},
	{"chroot", SYS_chroot, {P(".")}, KILLED},
	{"name_to_handle_at", SYS_name_to_handle_at, {DIRECTORY, P("victim"), P(buffer), 0, 0},
		KILLED},
	{"open_by_handle_at", SYS_open_by_handle_at, {DIRECTORY, P(buffer), 0}, KILLED},
	{"unshare", SYS_unshare, {CLONE_NEWUSER}, KILLED},
	{"setns", SYS_setns, {DIRECTORY, 0}, KILLED},
	{"mount", SYS_mount, {P("x"), P("."), P("tmpfs"), 0, 0}, KILLED},
	{"umount2", SYS_umount2, {P("."), 0}, KILLED},
	{"fsopen", SYS_fsopen, {P("tmpfs"), 0}, KILLED},
	{"open_tree", SYS_open_tree, {AT_FDCWD, P("."), 1}, KILLED},
	{"pivot_root", SYS_pivot_root, {P("."), P(".")}, KILLED},
	{"init_module", SYS_init_module, {P(buffer), 0, P("")}, KILLED},
	{"kexec_load", SYS_kexec_load, {0, 0, 0, 0}, KILLED},
	{"reboot with wrong magic", SYS_reboot, {0, 0, 0, 0}, KILLED},
	{"syslog", SYS_syslog, {10, 0, 0}, KILLED},
	{"seccomp", SYS_seccomp, {2, 0, P(buffer)}, KILLED},
	{"landlock_create_ruleset", SYS_landlock_create_ruleset, {0, 0, 1}, KILLED},
	{"setrlimit", SYS_setrlimit, {RLIMIT_CORE, P(&unlimited)}, KILLED},
	{"membarrier", SYS_membarrier, {0, 0, 0}, KILLED},
	{"a call of the future", 2000, {0}, KILLED},
	{"a call of no kernel", 0x3fffffff, {0}, KILLED},
#ifdef __x86_64__
	{"old open", SYS_open, {P("/etc/passwd"), O_RDONLY}, REFUSED},
	{"old stat", SYS_stat, {P("/etc/passwd"), P(buffer)}, REFUSED},
	{"old lstat", SYS_lstat, {P("/etc/passwd"), P(buffer)}, REFUSED},
	{"old access", SYS_access, {P("/etc/passwd"), F_OK}, REFUSED},
	{"old readlink", SYS_readlink, {P("/proc/self/exe"), P(buffer), 99}, REFUSED},
	{"getrlimit", SYS_getrlimit, {RLIMIT_AS, P(buffer)}, REFUSED},
	{"creat", SYS_creat, {P("made"), 0600}, KILLED},
	{"old mkdir", SYS_mkdir, {P("made"), 0700}, KILLED},
	{"old unlink", SYS_unlink, {P("victim")}, KILLED},
	{"old rename", SYS_rename, {P("victim"), P("made")}, KILLED},
	{"old chmod", SYS_chmod, {P("victim"), 0777}, KILLED},
	{"fork", SYS_fork, {0}, KILLED},
	{"vfork", SYS_vfork, {0}, KILLED},
	{"dup2", SYS_dup2, {UDP, 50}, KILLED},
	{"arch_prctl", SYS_arch_prctl, {0x1003, P(buffer)}, KILLED},
	{"modify_ldt", SYS_modify_ldt, {0, P(buffer), 0}, KILLED},
	{"iopl", SYS_iopl, {3}, KILLED},
	{"x32 getpid", 0x40000000 | SYS_getpid, {0}, KILLED},
	{"x32 execve", 0x40000000 | 520, {P("/bin/true"), 0, 0}, KILLED},
#endif
};

enum {
	NB_ATTEMPTS = sizeof attempts / sizeof *attempts,
};

static long argument(unsigned i, unsigned k) {
	return attempts[i].args[k] == PARENT ? parent : attempts[i].args[k];
}

/* Lock, try, and end with the verdict; a child that attempt @i makes ends likewise. */
static void try(unsigned i) {
	char report[LOCK_REPORT_BYTES];
	long rc;

	if (lock_process(&params, kept, NB_KEPT, report))
		_exit(100);
	rc = syscall(attempts[i].call, argument(i, 0), argument(i, 1), argument(i, 2),
		argument(i, 3), argument(i, 4), argument(i, 5));
	_exit(rc == -1 && errno == EPERM ? REFUSED : WENT_THROUGH);
}

static enum verdict verdict_of(int status) {
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	return WIFEXITED(status) && WEXITSTATUS(status) == REFUSED ? REFUSED : WENT_THROUGH;
}

static void expect_nothing_happened(void) {
	struct pollfd arrived = {.fd = scene.sink, .events = POLLIN};
	struct stat st;

	cr_expect_eq(signals, 0, "a signal came");
	cr_expect_eq(poll(&arrived, 1, 50), 0, "a datagram came");
	cr_expect_eq(stat("victim", &st), 0);
	cr_expect_eq(st.st_size, 8);
	cr_expect_eq(st.st_mode & 07777, 0666);
	cr_expect_eq(stat("output", &st), 0);
	cr_expect_eq(st.st_size, 0);
	cr_expect_lt(access("made", F_OK), 0, "a file was made");
}

Test(lock, forbidden_calls) {
	parent = getpid();
	for (unsigned i = 0; i < NB_ATTEMPTS; i++) {
		enum verdict verdict;
		pid_t pid = fork();

		cr_assert_geq(pid, 0);
		if (!pid)
			try(i);
		verdict = verdict_of(wait_for(pid));
		cr_expect(verdict == attempts[i].verdict, "%s: %s, not %s", attempts[i].what,
			verdict_names[verdict], verdict_names[attempts[i].verdict]);
	}
	expect_nothing_happened();
}

#ifdef __x86_64__
/* The entry of 32-bit programs, where 20 is getpid. */
static void call_i386(void) {
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	_exit(rc == getpid() ? 0 : 1);
}

static void call_i386_locked(struct shared *shared) {
	lock_child(shared);
	call_i386();
}

static void call_i386_unlocked(struct shared *shared) {
	call_i386();
}

Test(lock, i386_calls_are_deadly) {
	struct shared *shared = map_shared();

	if (in_child(shared, call_i386_unlocked))
		skip("this kernel has no i386 calls");
	cr_assert_eq(verdict_of(in_child(shared, call_i386_locked)), KILLED);
}
#endif

/* --- What works ----------------------------------------------------------------------------- */

static void use_sockets(struct shared *shared) {
	struct epoll_event event = {.events = EPOLLIN};
	socklen_t length = sizeof(int);
	int error;

	lock_child(shared);
	NEED(send(PAIR, "ping", 4, MSG_NOSIGNAL) == 4);
	NEED(epoll_ctl(EPOLL, EPOLL_CTL_ADD, PAIR, &event) == 0);
	NEED(epoll_wait(EPOLL, &event, 1, 10000) == 1);
	NEED(recv(PAIR, buffer, sizeof buffer, 0) == 4 && !memcmp(buffer, "pong", 4));
	NEED(getsockopt(UDP, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
	/* To where it is connected. */
	NEED(send(UDP, "datagram", 8, 0) == 8);
	NEED(write(PAIR, "end", 3) == 3);
	NEED(shutdown(PAIR, SHUT_WR) == 0);
	NEED(poll(&(struct pollfd){.fd = PAIR, .events = POLLOUT}, 1, 0) == 1);
	NEED(close(PAIR) == 0);
}

Test(lock, kept_sockets_work) {
	struct shared *shared = map_shared();
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (!pid) {
		use_sockets(shared);
		_exit(0);
	}
	close(PAIR);
	cr_expect_eq(recv(scene.peer, buffer, 4, MSG_WAITALL), 4);
	cr_expect_eq(send(scene.peer, "pong", 4, MSG_NOSIGNAL), 4);
	status = wait_for(pid);
	cr_assert_eq(status, 0, "line %d: %s; status %x", shared->line, strerror(shared->error),
		(unsigned)status);
	cr_expect_eq(recv(scene.peer, buffer, sizeof buffer, 0), 3);
	cr_expect_eq(recv(scene.sink, buffer, sizeof buffer, MSG_DONTWAIT), 8);
}

static void send_descriptor(int through, int fd) {
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec byte = {buffer, 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	cr_assert_eq(sendmsg(through, &message, 0), 1);
}

static void receive_socket(struct shared *shared) {
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec into = {&byte, 1};
	struct msghdr message = {.msg_iov = &into,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	int fd;

	lock_child(shared);
	NEED(recvmsg(PAIR, &message, MSG_CMSG_CLOEXEC) == 1);
	NEED(CMSG_FIRSTHDR(&message) && !(message.msg_flags & MSG_CTRUNC));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	NEED(fd == 0);
	NEED(send(fd, "datagram", 8, 0) == 8);
}

Test(lock, sockets_can_be_received) {
	send_descriptor(scene.peer, UDP);
	expect_success(receive_socket);
	cr_expect_eq(recv(scene.sink, buffer, sizeof buffer, MSG_DONTWAIT), 8);
}

static void write_to_limit(struct shared *shared) {
	size_t written = 0;
	ssize_t n;

	lock_child(shared);
	while ((n = write(FILE_FD, buffer, sizeof buffer)) > 0)
		written += (size_t)n;
	NEED(n < 0 && errno == EFBIG);
	NEED(written == FILE_BYTES);
	NEED(pwrite(FILE_FD, "x", 1, FILE_BYTES) < 0 && errno == EFBIG);
	NEED(ftruncate(FILE_FD, FILE_BYTES + 1) < 0 && errno == EFBIG);
	NEED(lseek(FILE_FD, 0, SEEK_END) == FILE_BYTES);
	NEED(pread(FILE_FD, buffer, sizeof buffer, 0) == sizeof buffer);
	NEED(ftruncate(FILE_FD, 0) == 0);
}

Test(lock, files_grow_to_the_limit) {
	expect_success(write_to_limit);
}

/* stdio asks fstat(), which glibc makes of a refused call: it goes on without. */
static void write_stream(struct shared *shared) {
	FILE *file = fdopen(FILE_FD, "w");

	lock_child(shared);
	NEED(fprintf(file, "%s %d\n", "line", 1) == 7);
	NEED(fflush(file) == 0);
	NEED(!fopen("/etc/passwd", "r") && errno == EPERM);
}

Test(lock, streams_work) {
	struct stat st;

	expect_success(write_stream);
	cr_expect_eq(stat("output", &st), 0);
	cr_expect_eq(st.st_size, 7);
}

static void allocate(struct shared *shared) {
	char *memory;

	lock_child(shared);
	memory = malloc(10 << 20);
	NEED(memory);
	memset(memory, 1, 10 << 20);
	memory = realloc(memory, 20 << 20);
	NEED(memory && memory[(10 << 20) - 1] == 1);
	free(memory);
	for (unsigned i = 0; i < 1000; i++)
		NEED((memory = malloc(1000)));
	memory = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(memory != MAP_FAILED);
	NEED(mprotect(memory, 4096, PROT_READ | PROT_WRITE) == 0);
	memory[0] = 1;
	NEED(madvise(memory, 4096, MADV_DONTNEED) == 0 && memory[0] == 0);
	NEED(munmap(memory, 8192) == 0);
}

Test(lock, memory_can_be_allocated) {
	expect_success(allocate);
}

static void allocate_too_much(struct shared *shared) {
	void *volatile memory; /* or the compiler takes it that an unused malloc() succeeds */
	size_t blocks = 0;

	lock_child(shared);
	while (mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		blocks++;
	/* More than another arena of malloc's holds, which a threaded parent may have reserved. */
	memory = malloc(MEMORY_BYTES + 1);
	NEED(!memory && errno == ENOMEM);
	/* Building the filter has taken some. */
	NEED(blocks <= MEMORY_BYTES >> 20);
	NEED(blocks > (MEMORY_BYTES >> 20) * 3 / 4);
}

/* The limit is on top of what is mapped: a large parent's memory does not count. */
Test(lock, memory_is_limited) {
	if (LOCK_SANITIZED)
		skip(LOCK_SANITIZER " needs more address space than any limit");
	expect_success(allocate_too_much);
	cr_assert_neq(mmap(NULL, 4ul << 30, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
		MAP_FAILED);
	expect_success(allocate_too_much);
}

static void tell_time(struct shared *shared) {
	struct timespec ts = {0, 1000};

	lock_child(shared);
	/* The calls themselves, which the vDSO mostly spares. */
	NEED(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) == 0);
	ts = (struct timespec){0, 1000};
	NEED(nanosleep(&ts, NULL) == 0);
	NEED(sched_yield() == 0);
	NEED(getrandom(buffer, 16, 0) == 16);
	NEED(getpid() == syscall(SYS_gettid));
	NEED(getppid() > 0);
	NEED(time(NULL) > 0);
}

Test(lock, clocks_and_random_work) {
	expect_success(tell_time);
}

static void abort_locked(struct shared *shared) {
	lock_child(shared);
	abort();
}

Test(lock, abort_ends_the_process) {
	int status = in_child(map_shared(), abort_locked);

	cr_assert(WIFSIGNALED(status));
}

static void spin(struct shared *shared) {
	struct lock_params brief = params;

	brief.cpu_s = 1;
	NEED(lock_process(&brief, kept, NB_KEPT, shared->report) == 0);
	for (;;)
		atomic_signal_fence(memory_order_seq_cst);
}

Test(lock, processor_time_is_limited) {
	int status = in_child(map_shared(), spin);

	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
}

static void keep_disordered(struct shared *shared) {
	static const int falling[] = {PAIR, UDP}, twice[] = {UDP, UDP}, negative[] = {-1, UDP};

	NEED(lock_process(&params, falling, 2, shared->report) == -EINVAL);
	NEED(lock_process(&params, twice, 2, shared->report) == -EINVAL);
	NEED(lock_process(&params, negative, 2, shared->report) == -EINVAL);
	/* And nothing was done. */
	NEED(close(socket(AF_INET, SOCK_STREAM, 0)) == 0);
}

Test(lock, disordered_descriptors_are_an_error) {
	expect_success(keep_disordered);
}

/* --- What the kernel says -------------------------------------------------------------------- */

/* A locked process that waits; it ends when scene.peer is written to or the parent ends. */
static pid_t start_waiting(struct shared *shared, void (*before)(struct shared *shared)) {
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid) {
		/* Or the end of the child would not be seen. */
		close(PAIR);
		cr_assert_eq(recv(scene.peer, buffer, 1, 0), 1, "line %d: %s", shared->line,
			strerror(shared->error));
		return pid;
	}
	if (before)
		before(shared);
	lock_child(shared);
	NEED(write(PAIR, "r", 1) == 1);
	NEED(read(PAIR, buffer, 1) == 1);
	_exit(0);
}

static void end_waiting(pid_t pid) {
	cr_assert_eq(write(scene.peer, "e", 1), 1);
	cr_assert_eq(wait_for(pid), 0);
}

static void read_proc(pid_t pid, const char *name, char *text, size_t room) {
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	n = read(fd, text, room - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	close(fd);
}

static void expect_lines(pid_t pid, const char *name, const char *const *lines) {
	char text[8192];

	read_proc(pid, name, text, sizeof text);
	for (; *lines; lines++)
		cr_expect(strstr(text, *lines), "%s lacks \"%s\":\n%s", name, *lines, text);
}

static void expect_kept_only(pid_t pid) {
	char path[64];
	struct dirent *entry;
	unsigned found = 0;
	DIR *directory;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	cr_assert_not_null(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		cr_expect(atoi(entry->d_name) >= UDP && atoi(entry->d_name) < UDP + NB_KEPT,
			"descriptor %s is open", entry->d_name);
		found++;
	}
	closedir(directory);
	cr_expect_eq(found, NB_KEPT);
}

static const char *const confined[] = {"NoNewPrivs:\t1\n", "Seccomp:\t2\n",
	"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
	"CapAmb:\t0000000000000000\n", NULL};

static const char *const nobody[] = {"Uid:\t65534\t65534\t65534\t65534\n",
	"Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t \n", "CapBnd:\t0000000000000000\n", NULL};

static const char *const limited[] = {
	"Max cpu time              10                   10                   seconds",
	"Max file size             1048576              1048576              bytes",
	"Max core file size        0                    0                    bytes",
	"Max processes             0                    0                    processes",
	"Max open files            64                   64                   files",
	NULL,
};

/* What a sanitized build leaves out, before what else is missing. */
static const char *sanitizer_report(bool alone) {
	if (!LOCK_SANITIZED)
		return "";
	return alone ? "memory limit (" LOCK_SANITIZER ")" : "memory limit (" LOCK_SANITIZER "), ";
}

static bool has_landlock(void) {
	int ruleset = lock_landlock_create();

	if (ruleset >= 0)
		close(ruleset);
	return ruleset >= 0;
}

static void become_nobody(struct shared *shared) {
	NEED(setgroups(0, NULL) == 0);
	NEED(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

/* Root of a user namespace may be as powerless as anyone. */
static void skip_unless_root(void) {
	if (geteuid() || in_child(map_shared(), become_nobody))
		skip("not root");
}

static void join_groups(struct shared *shared) {
	NEED(setgroups(2, (const gid_t[]){7, 8}) == 0);
}

Test(lock, status_as_root) {
	struct shared *shared = map_shared();
	pid_t pid;

	skip_unless_root();
	pid = start_waiting(shared, join_groups);
	expect_lines(pid, "status", confined);
	expect_lines(pid, "status", nobody);
	expect_lines(pid, "limits", limited);
	expect_kept_only(pid);
	if (has_landlock())
		cr_expect_str_eq(shared->report, sanitizer_report(true));
	end_waiting(pid);
}

static void expect_report(const char *report, const char *what) {
	char expected[LOCK_REPORT_BYTES];

	snprintf(expected, sizeof expected, "%s%s", sanitizer_report(false), what);
	if (has_landlock())
		cr_expect_str_eq(report, expected);
	else
		cr_expect_not_null(strstr(report, "Landlock ("), "%s", report);
}

/* Not root, with a capability as from `setcap`, and dumpable. */
static void become_somebody(struct shared *shared) {
	struct __user_cap_data_struct some[2]
		= {{1 << CAP_NET_RAW, 1 << CAP_NET_RAW, 1 << CAP_NET_RAW}, {0}};

	NEED(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	NEED(setresgid(1234, 1234, 1234) == 0 && setresuid(1234, 1234, 1234) == 0);
	NEED(syscall(SYS_capset, &cap_header, some) == 0);
	NEED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0);
	NEED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

Test(lock, status_as_somebody) {
	struct shared *shared = map_shared();
	char path[64];
	struct stat st;
	pid_t pid;

	skip_unless_root();
	pid = start_waiting(shared, become_somebody);
	expect_lines(pid, "status", confined);
	expect_lines(pid, "status", (const char *const[]){"Uid:\t1234\t1234\t", NULL});
	expect_lines(pid, "limits", limited);
	expect_kept_only(pid);
	expect_report(shared->report, "uid (not root)");
	/* The files in /proc belong to root where a process is not dumpable. */
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	cr_expect_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_uid, 0);
	end_waiting(pid);
}

static void write_proc(struct shared *shared, const char *path, const char *text) {
	int fd = open(path, O_WRONLY);

	NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* Root of a user namespace that has no nobody. */
static void enter_namespace(struct shared *shared) {
	NEED(unshare(CLONE_NEWUSER) == 0);
	write_proc(shared, "/proc/self/setgroups", "deny");
	write_proc(shared, "/proc/self/uid_map", "0 0 1");
	write_proc(shared, "/proc/self/gid_map", "0 0 1");
}

Test(lock, status_in_user_namespace) {
	struct shared *shared = map_shared();
	pid_t pid;

	skip_unless_root();
	if (in_child(shared, enter_namespace))
		skip("no user namespaces");
	pid = start_waiting(shared, enter_namespace);
	expect_lines(pid, "status", confined);
	expect_lines(pid, "status", (const char *const[]){"CapBnd:\t0000000000000000\n", NULL});
	expect_report(shared->report, "groups (not permitted), gid (not mapped), uid (not mapped)");
	end_waiting(pid);
}

static void start_and_end(struct shared *shared) {
	pid_t pid = fork();

	NEED(pid >= 0);
	if (!pid) {
		lock_child(shared);
		NEED(write(PAIR, "r", 1) == 1);
		for (;;)
			poll(NULL, 0, 1000);
	}
	NEED(recv(scene.peer, buffer, 1, 0) == 1);
}

/* A lane's parent ends, and the lane with it: the uid's change has not undone that. */
Test(lock, dies_with_its_parent) {
	int status;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	expect_success(start_and_end);
	cr_assert_gt(waitpid(-1, &status, 0), 0);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
}

/* --- Landlock alone -------------------------------------------------------------------------- */

/* Seccomp would refuse these sooner, so that each is tried without. */
static void restrict_only(struct shared *shared) {
	int ruleset = lock_landlock_create();

	NEED(ruleset >= 0);
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	NEED(lock_landlock_restrict(ruleset) == 0);
	NEED(close(ruleset) < 0 && errno == EBADF);
}

static void touch_files(struct shared *shared) {
	restrict_only(shared);
	NEED(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	NEED(open("/", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
	NEED(open("made", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
	NEED(openat(DIRECTORY, "victim", O_WRONLY) < 0 && errno == EACCES);
	NEED(mkdir("made", 0700) < 0 && errno == EACCES);
	NEED(mknod("made", S_IFIFO | 0600, 0) < 0 && errno == EACCES);
	NEED(symlink("victim", "made") < 0 && errno == EACCES);
	NEED(unlink("victim") < 0 && errno == EACCES);
	NEED(execl("/bin/false", "false", NULL) < 0 && errno == EACCES);
	NEED(write(FILE_FD, "x", 1) == 1);
	NEED(ftruncate(FILE_FD, 0) == 0);
}

static void touch_files_locked(struct shared *shared) {
	NEED(lock_all_but_calls(&params, kept, NB_KEPT, shared->report) == 0);
	NEED(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	NEED(openat(DIRECTORY, "victim", O_RDONLY) < 0 && errno == EACCES);
}

Test(lock, landlock_is_part_of_the_lock) {
	if (!has_landlock())
		skip("this kernel has no Landlock");
	expect_success(touch_files_locked);
}

static long landlock_version(void) {
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

Test(lock, landlock_denies_files) {
	if (!has_landlock())
		skip("this kernel has no Landlock");
	expect_success(touch_files);
	expect_nothing_happened();
}

static void touch_refer_and_truncate(struct shared *shared) {
	restrict_only(shared);
	NEED(truncate("victim", 0) < 0 && errno == EACCES);
	NEED(link("victim", "made") < 0 && errno == EACCES);
}

Test(lock, landlock_denies_truncating) {
	if (landlock_version() < 3)
		skip("this kernel's Landlock is before version 3");
	expect_success(touch_refer_and_truncate);
	expect_nothing_happened();
}

static void touch_tcp(struct shared *shared) {
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	restrict_only(shared);
	NEED(connect(TCP, (struct sockaddr *)&scene.sink_address, sizeof scene.sink_address) < 0
		&& errno == EACCES);
	NEED(bind(TCP, (struct sockaddr *)&any, sizeof any) < 0 && errno == EACCES);
}

Test(lock, landlock_denies_tcp) {
	if (landlock_version() < 4)
		skip("this kernel's Landlock is before version 4");
	expect_success(touch_tcp);
}

static struct sockaddr_un abstract_name(void) {
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "lock_test.%ld", parent);
	return name;
}

static void reach_out(struct shared *shared) {
	struct sockaddr_un name = abstract_name();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	restrict_only(shared);
	NEED(kill(getppid(), SIGUSR1) < 0 && errno == EPERM);
	NEED(connect(fd, (struct sockaddr *)&name, sizeof name) < 0 && errno == EPERM);
}

Test(lock, landlock_denies_signals_and_abstract_sockets) {
	struct sockaddr_un name;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (landlock_version() < 6)
		skip("this kernel's Landlock is before version 6");
	parent = getpid();
	name = abstract_name();
	cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	cr_assert_eq(listen(fd, 1), 0);
	expect_success(reach_out);
	expect_nothing_happened();
}
