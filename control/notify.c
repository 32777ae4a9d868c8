/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol of sd_notify(3). Control core; owns one socket.
 */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	SIGNS = 4, /* of life in the time that the manager grants */
	STATUS_NS = 1000 * 1000 * 1000,
	MESSAGE_BYTES = 512,
};

static int refuse(const char *name, int rc, struct dp_error *err) {
	return dp_fail(err, false, rc, "NOTIFY_SOCKET=%.150s: %s", name,
		rc == -EINVAL ? "not an absolute path, nor @NAME" : strerror(-rc));
}

/* A whole number of microseconds; 0 where there is none, or it is for another process. */
static uint64_t watchdog_ns(void) {
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!us || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(us, NULL, 10) * 1000 / SIGNS;
}

int notify_open(struct notify *notify, struct dp_error *err) {
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *name = getenv("NOTIFY_SOCKET");
	size_t length;

	*notify = (struct notify){.fd = -1};
	if (!name || !*name)
		return 0;
	length = strlen(name);
	if ((*name != '/' && *name != '@') || length >= sizeof to.sun_path)
		return refuse(name, length >= sizeof to.sun_path ? -ENAMETOOLONG : -EINVAL, err);
	memcpy(to.sun_path, name, length);
	if (*name == '@')
		to.sun_path[0] = '\0';
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify->fd < 0)
		return refuse(name, -errno, err);
	if (connect(notify->fd, (const struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length))
		< 0) {
		const int rc = -errno;

		notify_close(notify);
		return refuse(name, rc, err);
	}
	notify->watchdog_ns = watchdog_ns();
	return 0;
}

void notify_close(struct notify *notify) {
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

static bool tell(struct notify *notify, const char *message) {
	return notify->fd < 0 || send(notify->fd, message, strlen(message), MSG_NOSIGNAL) >= 0;
}

void notify_ready(struct notify *notify) {
	if (!notify->ready)
		notify->ready = tell(notify, "READY=1");
}

void notify_stopping(struct notify *notify, const char *why) {
	char message[MESSAGE_BYTES];

	if (notify->stopping)
		return;
	snprintf(message, sizeof message, "STOPPING=1\nSTATUS=%.400s", why);
	notify->stopping = tell(notify, message);
}

void notify_alive(struct notify *notify, uint64_t now_ns) {
	if (!notify->watchdog_ns || now_ns - notify->alive_ns < notify->watchdog_ns)
		return;
	if (tell(notify, "WATCHDOG=1"))
		notify->alive_ns = now_ns;
}

bool notify_wants_status(struct notify *notify, uint64_t now_ns) {
	if (notify->fd < 0 || now_ns - notify->status_ns < STATUS_NS)
		return false;
	notify->status_ns = now_ns;
	return true;
}

void notify_status(struct notify *notify, const char *text) {
	char message[MESSAGE_BYTES];

	snprintf(message, sizeof message, "STATUS=%.400s", text);
	tell(notify, message);
}
