/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What we say first on an open port, so that a server shows its banner.
 *
 * A pure function of the port: a response is judged by the length of what it acknowledges, and
 * nothing about a connection is remembered. Short enough for the smallest MSS that a host may have
 * (536, RFC 9293 3.7.1).
 */
#ifndef HELLO_H
#define HELLO_H

#include <stdint.h>

enum {
	HELLO_MAX_BYTES = 64,
};

struct hello {
	const uint8_t *bytes;
	unsigned length; /* 0: nothing, as servers there, or who knows which, speak first */
};

/* Any thread. */
struct hello hello_for(uint16_t port);

#endif
