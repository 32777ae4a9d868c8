/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a service manager is told while a scan runs: the protocol of sd_notify(3), one datagram a message to the
 * socket that NOTIFY_SOCKET names.
 *
 * Of one's own, as the control core waits for nobody: libsystemd's sd_notify() blocks while the manager's
 * queue is full, and opens its socket with each call, which is too late for an abstract one once
 * Landlock is on. Here a message that finds no room is left out, and sent again when it is due.
 *
 * Control core. Without a NOTIFY_SOCKET all of it does nothing.
 */
#ifndef CTL_NOTIFY_H
#define CTL_NOTIFY_H

#include <dp/error.h>

#include <stdbool.h>
#include <stdint.h>

struct notify {
	int fd; /* -1: nobody is told */
	uint64_t watchdog_ns; /* the time between two signs of life; 0: none are wanted */
	uint64_t alive_ns; /* when the latest was given */
	uint64_t status_ns; /* when the latest STATUS= was */
	bool ready, stopping; /* was said */
};

/*
 * Connect, before privileges are dropped, and read WATCHDOG_USEC and WATCHDOG_PID. 0, or a negative errno with
 * @err filled: who asks for messages and gets none would take us for dead.
 */
int notify_open(struct notify *notify, struct dp_error *err);
void notify_close(struct notify *notify);

/* The scan sends. Once; again while it did not get through. */
void notify_ready(struct notify *notify);

/* The scan ends, or has ended: @why for people. Once, likewise. */
void notify_stopping(struct notify *notify, const char *why);

/* A turn was made: a sign of life is sent when one is due, four in the time that the manager grants. */
void notify_alive(struct notify *notify, uint64_t now_ns);

/* True once a second: a line about how far it is is due. */
bool notify_wants_status(struct notify *notify, uint64_t now_ns);
void notify_status(struct notify *notify, const char *text); /* one line */

#endif
