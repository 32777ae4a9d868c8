/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes on the wire: offsets, unaligned big-endian access and the Internet checksum (RFC 1071).
 * Inline and without state, for the hot paths and the simulated network alike.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	ETH_BYTES = 14,
	ETH_TYPE_AT = 12,
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_MIN_FRAME = 60, /* without FCS */
	ETH_WIRE_EXTRA = 24, /* preamble 8, FCS 4, gap 12 */

	IPV4_BYTES = 20,
	IPV4_ICMP = 1,
	IPV4_TCP = 6,

	TCP_BYTES = 20,
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,

	/* RFC 9293 3.2 and RFC 7323. */
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_SCALE = 3,
	TCP_OPTION_SCALE_BYTES = 3,
	TCP_OPTION_CLOCK = 8,
	TCP_OPTION_CLOCK_BYTES = 10,

	ICMP_BYTES = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,

	ARP_BYTES = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

static inline uint16_t get16(const uint8_t *p) {
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t get32(const uint8_t *p) {
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline void put16(uint8_t *p, uint16_t v) {
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put32(uint8_t *p, uint32_t v) {
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

/* The sum of a 32-bit value's two 16-bit words, for checksums in host arithmetic. */
static inline uint64_t words32(uint32_t v) {
	return (v >> 16) + (v & 0xffff);
}

/* Unfolded one's complement sum of @n bytes as big-endian words. Any alignment, any length. */
static inline uint64_t sum_bytes(const uint8_t *p, size_t n) {
	uint64_t sum = 0;

	for (; n >= 4; p += 4, n -= 4)
		sum += words32(get32(p));
	if (n >= 2) {
		sum += get16(p);
		p += 2;
		n -= 2;
	}
	if (n)
		sum += (uint64_t)p[0] << 8;
	return sum;
}

static inline uint16_t sum_fold(uint64_t sum) {
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Sum of the pseudo-header of RFC 9293 3.1, unfolded. */
static inline uint64_t sum_pseudo(uint32_t src, uint32_t dst, uint8_t protocol, uint32_t length) {
	return words32(src) + words32(dst) + protocol + length;
}

/* The 48 bits of a hardware address as a number, and back. */
static inline uint64_t mac_get(const uint8_t *p) {
	return (uint64_t)get16(p) << 32 | get32(p + 2);
}

static inline void mac_put(uint8_t *p, uint64_t mac) {
	put16(p, (uint16_t)(mac >> 32));
	put32(p + 2, (uint32_t)mac);
}

#define MAC_BROADCAST UINT64_C(0xffffffffffff)

static inline void eth_put(uint8_t *frame, uint64_t dst, uint64_t src, uint16_t type) {
	mac_put(frame, dst);
	mac_put(frame + 6, src);
	put16(frame + ETH_TYPE_AT, type);
}

/* An IPv4 header of 20 bytes with its checksum (RFC 791 3.1), do-not-fragment set. */
static inline void ipv4_put(uint8_t *ip, uint16_t total, uint16_t id, uint8_t ttl, uint8_t protocol,
	uint32_t src, uint32_t dst) {
	ip[0] = 0x45;
	ip[1] = 0;
	put16(ip + 2, total);
	put16(ip + 4, id);
	put16(ip + 6, 0x4000);
	ip[8] = ttl;
	ip[9] = protocol;
	put16(ip + 10, 0);
	put32(ip + 12, src);
	put32(ip + 16, dst);
	put16(ip + 10, (uint16_t)~sum_fold(sum_bytes(ip, IPV4_BYTES)));
}

/* Those options of a TCP header that we have a use for. */
struct tcp_options {
	bool has_clock; /* timestamps */
	bool has_scale; /* of the window */
	uint32_t clock, echo; /* TSval and TSecr of the first timestamps; 0 without */
};

/* Read what comes before the first option that is malformed. */
static inline struct tcp_options tcp_options_of(const uint8_t *p, unsigned bytes) {
	struct tcp_options options = {0};
	const uint8_t *end = p + bytes;

	while (p < end && *p != TCP_OPTION_END) {
		if (*p == TCP_OPTION_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			break;
		if (*p == TCP_OPTION_CLOCK && p[1] == TCP_OPTION_CLOCK_BYTES
			&& !options.has_clock) {
			options.has_clock = true;
			options.clock = get32(p + 2);
			options.echo = get32(p + 6);
		}
		options.has_scale |= *p == TCP_OPTION_SCALE && p[1] == TCP_OPTION_SCALE_BYTES;
		p += p[1];
	}
	return options;
}

/* Fill in the checksum of the @length bytes of TCP at @tcp. */
static inline void tcp_put_checksum(uint8_t *tcp, uint32_t src, uint32_t dst, uint16_t length) {
	uint64_t sum = sum_pseudo(src, dst, IPV4_TCP, length);

	put16(tcp + 16, 0);
	put16(tcp + 16, (uint16_t)~sum_fold(sum + sum_bytes(tcp, length)));
}

#endif
