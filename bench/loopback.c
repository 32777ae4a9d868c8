/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small server and a small client. Each is one process with one thread; the server ends with its
 * parent.
 */
#include "loopback.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS = 256,
	FILES = 65536,
};

static void set_sysctl(const char *path, const char *value) {
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		warn("%s", path);
	if (fd >= 0)
		close(fd);
}

bool loopback_enter(void) {
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		err(1, "loopback");
	close(fd);
	set_sysctl("/proc/sys/net/core/somaxconn", "32768");
	set_sysctl("/proc/sys/net/ipv4/tcp_max_syn_backlog", "32768");
	return true;
}

static void many_files(void) {
	struct rlimit limit = {FILES, FILES};

	setrlimit(RLIMIT_NOFILE, &limit);
}

static uint64_t now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void watch(int epoll, int fd, uint32_t events) {
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "epoll_ctl");
}

/* ---- The server ---- */

/* Lines that are not answered yet, first in first out: all are held equally long. */
struct held {
	struct {
		int fd;
		uint64_t until_ms;
	} line[FILES];
	unsigned head, tail;
};

static void answer(int fd) {
	static const char line[] = "220 example.test ready\r\n";

	if (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) < 0 && errno != ECONNRESET
		&& errno != EPIPE)
		err(1, "server: send");
}

static void serve_line(int fd, struct held *held, unsigned hold_ms) {
	char line[256];
	ssize_t n = recv(fd, line, sizeof(line), 0);

	if (n <= 0) {
		close(fd);
	} else if (!hold_ms) {
		answer(fd);
	} else {
		held->line[held->tail % FILES].fd = fd;
		held->line[held->tail++ % FILES].until_ms = now_ms() + hold_ms;
	}
}

static void let_go(struct held *held) {
	uint64_t now = now_ms();

	for (; held->head != held->tail && held->line[held->head % FILES].until_ms <= now;
		held->head++)
		answer(held->line[held->head % FILES].fd);
}

static void accept_all(int listener, int epoll) {
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		watch(epoll, fd, EPOLLIN);
}

static int listen_all(void) {
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(LOOPBACK_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 32768))
		err(1, "server: listen");
	return fd;
}

static _Noreturn void serve(int listener, unsigned hold_ms) {
	struct held *held = calloc(1, sizeof(*held));
	int epoll = epoll_create1(0);

	if (!held || epoll < 0)
		err(1, "server");
	watch(epoll, listener, EPOLLIN);
	for (;;) {
		struct epoll_event event[EVENTS];
		int n = epoll_wait(epoll, event, EVENTS, hold_ms ? 10 : -1);

		for (int i = 0; i < n; i++) {
			if (event[i].data.fd == listener)
				accept_all(listener, epoll);
			else
				serve_line(event[i].data.fd, held, hold_ms);
		}
		let_go(held);
	}
}

pid_t loopback_serve(unsigned hold_ms) {
	int listener;
	pid_t pid;

	many_files();
	listener = listen_all();
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener, hold_ms);
	}
	close(listener);
	return pid;
}

void loopback_end(pid_t server) {
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* ---- The client ---- */

static void begin(int epoll, unsigned i) {
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(LOOPBACK_PORT),
		.sin_addr.s_addr = htonl(LOOPBACK_FIRST + i % LOOPBACK_HOSTS)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0)
		err(1, "client: socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		err(1, "client: connect");
	watch(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* True where the exchange is over. */
static bool go_on(int fd, uint32_t events, bool *sent, unsigned *good) {
	char line[256];
	ssize_t n;

	if (!*sent && (events & EPOLLOUT)) {
		*sent = true;
		if (send(fd, LOOPBACK_LINE, strlen(LOOPBACK_LINE), MSG_NOSIGNAL) < 0)
			return true;
	}
	n = recv(fd, line, sizeof(line), 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	*good += n > 0;
	return true;
}

unsigned loopback_talk(unsigned n, unsigned at_once) {
	bool *sent = calloc(FILES, sizeof(*sent));
	unsigned begun = 0, over = 0, good = 0;
	int epoll = epoll_create1(0);

	if (!sent || epoll < 0)
		err(1, "client");
	many_files();
	while (over < n) {
		struct epoll_event event[EVENTS];
		int ready;

		for (; begun < n && begun - over < at_once; begun++)
			begin(epoll, begun);
		ready = epoll_wait(epoll, event, EVENTS, 5000);
		if (ready <= 0)
			break;
		for (int i = 0; i < ready; i++) {
			int fd = event[i].data.fd;

			if (!go_on(fd, event[i].events, &sent[fd], &good))
				continue;
			sent[fd] = false;
			close(fd);
			over++;
		}
	}
	close(epoll);
	free(sent);
	return good;
}
