/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The warden: forks lanes, watches them, kills those that are over their time, opens their sockets
 * and files. A process of its own, forked before EAL, so that it maps no hugepage and holds no
 * device, and a fork of it takes a millisecond. It makes no decision: which lane is started or given
 * up is said by the control core, over one socket; when that closes, everything ends.
 *
 * One thread; owns the lanes' processes and the descriptors it opens until they are passed on.
 */
#include "lock.h"
#include "procname.h"
#include "warden.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 20, /* how often the processor time of running lanes is looked at */
	IDLE_MS = 200, /* the same while none runs plugin code */
	EVENTS = 64,
	SOCKET_BYTES = 1 << 20,
};

/* What an epoll event is about: kind above, area below. */
enum source {
	SOURCE_CONTROL,
	SOURCE_LANE,
	SOURCE_DEATH,
};

struct ward {
	pid_t pid; /* 0: none */
	int pidfd;
	int socket;
	uint32_t verdict; /* enum lh_status of the kill that we sent; LH_OK: none */
	clockid_t clock; /* its processor time */
	uint32_t slice; /* as last seen */
	uint64_t slice_cpu_ns; /* its processor time then */
	uint64_t ended_ns; /* processor time of those that were here before */
	/* A reply that the lane's socket had no room for; nothing more is read until it is out. */
	struct reply reply[REQUESTS_MAX];
	int fd[REQUESTS_MAX];
	unsigned nb_replies, nb_fds;
};

struct warden {
	struct setup *setup;
	struct ward *ward; /* one an area */
	int epoll;
	int output_fd[LH_MAX_PLUGINS];
	bool running; /* some lane runs plugin code */
	uint64_t checked_ns; /* when their times were last looked at */
};

static uint64_t clock_ns(clockid_t clock) {
	struct timespec now;

	if (clock_gettime(clock, &now))
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void watch(
	struct warden *warden, int fd, enum source source, unsigned area, uint32_t events, int op) {
	struct epoll_event event = {.events = events, .data.u64 = (uint64_t)source << 32 | area};

	epoll_ctl(warden->epoll, op, fd, &event);
}

static void notify(struct warden *warden, const struct notice *notice) {
	/* The control core reads; where it is gone, so are we. */
	while (send(warden->setup->socket, notice, sizeof(*notice), MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			_exit(1);
}

/* ---- Starting ---- */

/* In the child: what is the warden's alone goes, the lane begins. */
static _Noreturn void become_lane(
	struct warden *warden, unsigned area, unsigned number, int socket, pid_t parent) {
	const struct lh_host_params *params = warden->setup->params;
	unsigned plugin = setup_plugin(warden->setup, area);
	const char *name = params->plugins[plugin].plugin->name;

	if (number == UINT32_MAX)
		process_name_set("prtip-dp: lane %s/spare", name);
	else
		process_name_set("prtip-dp: lane %s/%u", name, number);
	lane_main(warden->setup, area, number, socket, parent);
}

static void died_at_birth(struct warden *warden, unsigned area) {
	const struct notice notice = {.area = area, .status = LH_KILLED};

	notify(warden, &notice);
}

static void spawn(struct warden *warden, unsigned area, unsigned number) {
	struct ward *ward = &warden->ward[area];
	int pair[2], bytes = SOCKET_BYTES;
	pid_t self = getpid();

	if (ward->pid
		|| socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)) {
		died_at_birth(warden, area);
		return;
	}
	/* As far as net.core.wmem_max lets us. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	*ward = (struct ward){.socket = pair[0], .pidfd = -1};
	ward->pid = fork();
	if (ward->pid == 0)
		become_lane(warden, area, number, pair[1], self);
	close(pair[1]);
	if (ward->pid > 0)
		ward->pidfd = pidfd_open(ward->pid, 0);
	if (ward->pidfd < 0) {
		if (ward->pid > 0) {
			kill(ward->pid, SIGKILL);
			waitpid(ward->pid, NULL, 0);
		}
		close(pair[0]);
		ward->pid = 0;
		died_at_birth(warden, area);
		return;
	}
	clock_getcpuclockid(ward->pid, &ward->clock);
	watch(warden, ward->socket, SOURCE_LANE, area, EPOLLIN, EPOLL_CTL_ADD);
	watch(warden, ward->pidfd, SOURCE_DEATH, area, EPOLLIN, EPOLL_CTL_ADD);
}

/* ---- Ending ---- */

static void slay(struct ward *ward, uint32_t status) {
	if (!ward->pid)
		return;
	if (ward->verdict == LH_OK)
		ward->verdict = status;
	pidfd_send_signal(ward->pidfd, SIGKILL, NULL, 0);
}

/* What its end means for the result that was running. */
static uint32_t verdict(const struct ward *ward, int wait_status) {
	int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;

	if (ward->verdict != LH_OK)
		return ward->verdict;
	if (code == 0)
		return LH_OK;
	if (code > LANE_EXIT && code < LANE_EXIT + LH_STATUS_COUNT)
		return (uint32_t)(code - LANE_EXIT);
	return LH_KILLED;
}

static uint64_t time_ns(const struct timeval *time) {
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_usec * 1000u;
}

static void drop_reply(struct ward *ward) {
	for (unsigned i = 0; i < ward->nb_fds; i++)
		close(ward->fd[i]);
	ward->nb_fds = ward->nb_replies = 0;
}

/*
 * Closing is not enough: a lane that was just forked has the descriptor too, until it closes all, and
 * epoll would go on telling about it.
 */
static void forget(struct warden *warden, int fd) {
	epoll_ctl(warden->epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

/* @cpu_ns: of the lane that runs. Whatever the clocks say, the sum does not fall. */
static void show_time(struct warden *warden, unsigned area, uint64_t cpu_ns) {
	struct lane_time *time = &warden->setup->times[area];
	const uint64_t sum_ns = warden->ward[area].ended_ns + cpu_ns;

	if (sum_ns > atomic_load_explicit(&time->cpu_ns, memory_order_relaxed))
		atomic_store_explicit(&time->cpu_ns, sum_ns, memory_order_relaxed);
}

static void bury(struct warden *warden, unsigned area) {
	struct ward *ward = &warden->ward[area];
	struct rusage usage = {0};
	struct notice notice = {.area = area};
	int status = 0;

	if (!ward->pid)
		return;
	/* Never waits: an event of this turn may be about the lane that was here before. */
	if (wait4(ward->pid, &status, WNOHANG, &usage) != ward->pid)
		return;
	notice.status = verdict(ward, status);
	notice.exit = (uint32_t)status;
	notice.load_failed = WIFEXITED(status) && WEXITSTATUS(status) == LANE_EXIT_LOAD;
	notice.cpu_ns = time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime);
	ward->ended_ns += notice.cpu_ns;
	show_time(warden, area, 0);
	drop_reply(ward);
	forget(warden, ward->socket);
	forget(warden, ward->pidfd);
	ward->pid = 0;
	notify(warden, &notice);
}

/* Kill the lane where the code that it runs is over its processor time. A lane that lies about its
 * slices lives until the control core misses its answers. */
static void check_time(struct warden *warden, unsigned area) {
	struct ward *ward = &warden->ward[area];
	const struct setup *setup = warden->setup;
	struct area *shared = setup_area(setup, area);
	uint32_t slice;
	uint64_t cpu_ns, used_ns;

	if (!ward->pid)
		return;
	cpu_ns = clock_ns(ward->clock);
	show_time(warden, area, cpu_ns);
	slice = atomic_load_explicit(&shared->slice, memory_order_acquire);
	if (!(slice & 1))
		return;
	warden->running = true;
	if (slice != ward->slice) {
		ward->slice = slice;
		ward->slice_cpu_ns = cpu_ns;
		return;
	}
	used_ns = atomic_load_explicit(&shared->cpu_before_ns, memory_order_acquire) + cpu_ns
		- ward->slice_cpu_ns;
	/* That time may be another slice's by now, which began since. */
	if (atomic_load_explicit(&shared->slice, memory_order_relaxed) != slice)
		return;
	if ((double)used_ns > setup->limits[setup_plugin(setup, area)].cpu_s * 1e9)
		slay(ward, LH_TIMEOUT);
}

static void check_times(struct warden *warden) {
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	if (now_ns - warden->checked_ns < TICK_MS * UINT64_C(1000000) / 2)
		return;
	warden->checked_ns = now_ns;
	warden->running = false;
	for (unsigned i = 0; i < warden->setup->nb_areas; i++)
		check_time(warden, i);
}

/* ---- What lanes ask for ---- */

/* What was granted cannot be passed on. */
static void take_back(struct ward *ward, int error) {
	unsigned replies = ward->nb_replies;

	for (unsigned i = 0; i < replies; i++)
		if (!ward->reply[i].error)
			ward->reply[i].error = error;
	drop_reply(ward);
	ward->nb_replies = replies;
}

static ssize_t send_message(struct ward *ward) {
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(ward->fd))] = {0};
	struct iovec iov = {ward->reply, ward->nb_replies * sizeof(ward->reply[0])};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (ward->nb_fds) {
		struct cmsghdr *cmsg = (struct cmsghdr *)control;
		size_t bytes = ward->nb_fds * sizeof(ward->fd[0]);

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(bytes);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(cmsg), ward->fd, bytes);
	}
	return sendmsg(ward->socket, &message, MSG_NOSIGNAL);
}

/* Send the held reply; false where there is no room yet. */
static bool send_reply(struct warden *warden, unsigned area) {
	struct ward *ward = &warden->ward[area];
	ssize_t n = send_message(ward);

	/* Lanes that do not take theirs have used up how many may be on their way (RLIMIT_NOFILE). */
	if (n < 0 && errno == ETOOMANYREFS) {
		take_back(ward, EMFILE);
		n = send_message(ward);
	}
	if (n < 0 && errno == EAGAIN) {
		watch(warden, ward->socket, SOURCE_LANE, area, EPOLLOUT, EPOLL_CTL_MOD);
		return false;
	}
	drop_reply(ward);
	return true;
}

/* Carry out one datagram of requests, whose @bytes come from a lane and may be anything. */
static void serve(struct warden *warden, unsigned area, const uint8_t *datagram, size_t bytes) {
	struct ward *ward = &warden->ward[area];
	int output_fd = warden->output_fd[setup_plugin(warden->setup, area)];
	struct asked asked;

	asked_read(&asked, datagram, bytes);
	if (asked.nb == 0)
		return;
	for (unsigned i = 0; i < asked.nb; i++) {
		int fd = -1;

		ward->reply[i]
			= grant(warden->setup, area, &asked.request[i], asked.name, output_fd, &fd);
		if (fd >= 0)
			ward->fd[ward->nb_fds++] = fd;
	}
	ward->nb_replies = asked.nb;
	send_reply(warden, area);
}

static void serve_lane(struct warden *warden, unsigned area, uint32_t events) {
	struct ward *ward = &warden->ward[area];
	uint8_t datagram[REQUESTS_MAX * sizeof(struct request) + OPEN_NAME_BYTES];

	if (!ward->pid)
		return;
	if (events & (EPOLLHUP | EPOLLERR)) {
		/* Its end is told by the pidfd. */
		epoll_ctl(warden->epoll, EPOLL_CTL_DEL, ward->socket, NULL);
		return;
	}
	if (ward->nb_replies) {
		if (!send_reply(warden, area))
			return;
		watch(warden, ward->socket, SOURCE_LANE, area, EPOLLIN, EPOLL_CTL_MOD);
	}
	for (unsigned i = 0; i < EVENTS && !ward->nb_replies; i++) {
		ssize_t n = recv(ward->socket, datagram, sizeof(datagram), 0);

		if (n <= 0)
			return;
		serve(warden, area, datagram, (size_t)n);
	}
}

/* ---- What the control core says ---- */

static void take_output(struct warden *warden, unsigned plugin, int fd) {
	if (plugin >= warden->setup->params->nb_plugins) {
		close(fd);
		return;
	}
	if (warden->output_fd[plugin] >= 0)
		close(warden->output_fd[plugin]);
	warden->output_fd[plugin] = fd;
}

static _Noreturn void end(struct warden *warden) {
	for (unsigned i = 0; i < warden->setup->nb_areas; i++)
		slay(&warden->ward[i], LH_KILLED);
	_exit(0);
}

static void obey(struct warden *warden, const struct command *command, int fd) {
	switch (command->op) {
	case COMMAND_SPAWN:
		spawn(warden, command->area, command->number);
		break;
	case COMMAND_KILL:
		slay(&warden->ward[command->area], command->status);
		break;
	case COMMAND_OUTPUT:
		take_output(warden, command->plugin, fd);
		break;
	default:
		end(warden);
	}
}

/* Take all commands. The control core's end is ours. */
static void serve_control(struct warden *warden) {
	for (;;) {
		struct command command;
		alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = {&command, sizeof(command)};
		struct msghdr message = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		struct cmsghdr *cmsg;
		ssize_t n
			= recvmsg(warden->setup->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int fd = -1;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != sizeof(command))
			end(warden);
		cmsg = CMSG_FIRSTHDR(&message);
		if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		obey(warden, &command, fd);
	}
}

static void serve_event(struct warden *warden, const struct epoll_event *event) {
	unsigned area = (uint32_t)event->data.u64;

	switch ((enum source)(event->data.u64 >> 32)) {
	case SOURCE_CONTROL:
		break; /* taken before all others */
	case SOURCE_LANE:
		serve_lane(warden, area, event->events);
		break;
	case SOURCE_DEATH:
		bury(warden, area);
		break;
	}
}

/* A terminal's Ctrl-C goes to the whole group, but is for the control core alone. */
static void leave_signals(void) {
	static const int ignored[]
		= {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2};

	for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	setpgid(0, 0);
}

/* As many descriptors as may be: each connection passes through here. */
static void raise_limits(void) {
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

_Noreturn void warden_main(struct setup *setup, pid_t control) {
	struct warden warden = {.setup = setup};

	leave_signals();
	raise_limits();
	if (lock_warden())
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != control)
		_exit(1);
	process_name_set("prtip-dp: warden");
	for (unsigned i = 0; i < LH_MAX_PLUGINS; i++)
		warden.output_fd[i] = -1;
	grant_ports(setup);
	warden.ward = calloc(setup->nb_areas, sizeof(*warden.ward));
	warden.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!warden.ward || warden.epoll < 0)
		_exit(1);
	watch(&warden, setup->socket, SOURCE_CONTROL, 0, EPOLLIN, EPOLL_CTL_ADD);
	for (;;) {
		struct epoll_event event[EVENTS];
		int n = epoll_wait(warden.epoll, event, EVENTS, warden.running ? TICK_MS : IDLE_MS);

		serve_control(&warden);
		for (int i = 0; i < n; i++)
			serve_event(&warden, &event[i]);
		check_times(&warden);
	}
}
