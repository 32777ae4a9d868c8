/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What conversations of a benchmark talk to, and what they are compared with: a server and a client,
 * both with epoll, each as small as such a thing can be. One exchange is: connect, the client sends
 * a line, the server answers with one, the client closes.
 */
#ifndef BENCH_LOOPBACK_H
#define BENCH_LOOPBACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	LOOPBACK_PORT = 7777,
	LOOPBACK_HOSTS = 200, /* addresses from LOOPBACK_FIRST on, so that ports suffice */
	LOOPBACK_FIRST = 0x7f010001,
};

#define LOOPBACK_LINE "HELLO lane\r\n"

/* A network namespace of our own with loopback up. False: not allowed. */
bool loopback_enter(void);

/* Start the server as a child. @hold_ms: it answers that long after a line came, or at once (0). */
pid_t loopback_serve(unsigned hold_ms);
void loopback_end(pid_t server);

/* @n exchanges, @at_once of them at a time. Returns how many went well. */
unsigned loopback_talk(unsigned n, unsigned at_once);

#endif
