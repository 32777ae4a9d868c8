/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a UDP probe carries, and what is said first on an open TCP port.
 *
 * Built-in payloads are a table of their own for each; the operator's come in front of it. Which
 * payload goes out is a pure function of the port and the number of the transmission: transmission k
 * of a port with n payloads carries payload k mod n, so that a response is judged without memory.
 */
#ifndef DP_PAYLOAD_H
#define DP_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	DP_PAYLOAD_MAX_BYTES = 1232, /* fits IPv6's least MTU of 1,280 (RFC 8200 5) */
	DP_HELLO_MAX_BYTES = 536, /* fits the least MSS that a host may have (RFC 9293 3.7.1) */
	DP_TOKEN_MAX_BYTES = 8,
	DP_PAYLOADS_A_PORT = 8,
	DP_TOKEN_ANYWHERE = -1,
};

/* How a payload carries bytes that a genuine reply repeats. */
enum dp_token {
	DP_TOKEN_NONE,
	DP_TOKEN_BINARY, /* token_bytes bytes */
	DP_TOKEN_HEX, /* 2 * token_bytes digits */
};

struct dp_payload {
	const char *name; /* "dns" */
	const uint16_t *ports;
	unsigned nb_ports;
	const uint8_t *bytes;
	uint16_t length; /* 0: an empty datagram */
	uint8_t token; /* enum dp_token */
	uint8_t token_bytes; /* of randomness, at most DP_TOKEN_MAX_BYTES */
	uint8_t token_keep; /* mask: bits of the first byte that stay as in @bytes; 0 with hex */
	uint16_t token_at; /* in the payload */
	int16_t reply_at; /* in the reply, or DP_TOKEN_ANYWHERE */
};

struct dp_hello {
	const char *name; /* "http" */
	const uint16_t *ports;
	unsigned nb_ports;
	const uint8_t *bytes;
	uint16_t length; /* 0: nothing, as servers there speak first */
};

/* The built-in tables, for people who want to see them. */
const struct dp_payload *dp_payloads_builtin(unsigned *nb);
const struct dp_hello *dp_hellos_builtin(unsigned *nb);

#endif
