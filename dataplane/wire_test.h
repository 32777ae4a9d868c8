/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What frame_test.h has, for packets of either family. Nothing here is shared with the code under test.
 */
#ifndef WIRE_TEST_H
#define WIRE_TEST_H

#include "frame_test.h"

#include <dp/ip.h>

static inline void reference_put_le(uint8_t *p, uint64_t value) {
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/* What cookie.h says for any address: in IPv6 three numbers, the address's halves and the port. */
static inline uint64_t reference_cookie_ip(const uint8_t key[16], dp_ip ip, uint16_t port) {
	uint8_t message[24];

	if (ip >> 32 == 0xffff)
		return reference_cookie(key, (uint32_t)ip, port);
	reference_put_le(message, (uint64_t)(ip >> 64));
	reference_put_le(message + 8, (uint64_t)ip);
	reference_put_le(message + 16, (uint64_t)port << 16);
	return reference_siphash(key, message, 24);
}

/* The port of transmission @pass, and its sequence number. */
static inline uint16_t reference_pass_port(
	uint64_t cookie, uint16_t first, uint32_t span, unsigned pass) {
	uint32_t at = (uint32_t)(reference_port(cookie, 0, span) + pass % span);

	return (uint16_t)(first + at % span);
}

static inline uint32_t reference_pass_seq(uint64_t cookie, uint32_t span, unsigned pass) {
	return (uint32_t)cookie + (uint32_t)(pass % span) * 0x9e3779b9u;
}

/* The pseudo-header's sum for the packet at @ip with @n bytes of @protocol (RFC 8200 8.1). */
static inline uint16_t reference_pseudo_ip(const uint8_t *ip, uint8_t protocol, size_t n) {
	const uint8_t rest[4] = {(uint8_t)(n >> 8), (uint8_t)n, 0, protocol};

	if (ip[0] >> 4 == 4)
		return reference_pseudo_sum(ip, protocol, n);
	return reference_sum(reference_sum(0, ip + 8, 32), rest, 4);
}

/* Where the transport is in a packet without extension headers, and how long it is. */
static inline size_t reference_l4_at(const uint8_t *ip) {
	return ip[0] >> 4 == 4 ? (ip[0] & 15) * 4u : 40;
}

static inline size_t reference_l4_bytes(const uint8_t *ip) {
	return ip[0] >> 4 == 4 ? ip[2] * 256u + ip[3] - reference_l4_at(ip) : ip[4] * 256u + ip[5];
}

/* The sum over a packet's transport as it has to be: 0xffff. */
static inline uint16_t reference_l4_sum(const uint8_t *ip) {
	const uint8_t protocol = ip[0] >> 4 == 4 ? ip[9] : ip[6];
	const size_t n = reference_l4_bytes(ip);

	return reference_sum(protocol == 1 ? 0 : reference_pseudo_ip(ip, protocol, n),
		ip + reference_l4_at(ip), n);
}

/* Are both checksums of a TCP, ICMP or ICMPv6 packet right? */
static inline bool reference_packet_good(const uint8_t *ip) {
	if (ip[0] >> 4 == 4 && reference_sum(0, ip, reference_l4_at(ip)) != 0xffff)
		return false;
	return reference_l4_sum(ip) == 0xffff;
}

/* Write a transport's checksum at byte @at of it. */
static inline void reference_fix_l4(uint8_t *ip, unsigned at) {
	uint8_t *field = ip + reference_l4_at(ip) + at;
	uint16_t sum;

	field[0] = field[1] = 0;
	sum = (uint16_t)~reference_l4_sum(ip);
	field[0] = (uint8_t)(sum >> 8);
	field[1] = (uint8_t)sum;
}

#endif
