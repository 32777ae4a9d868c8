/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes on the wire: offsets, unaligned big-endian access and the Internet checksum (RFC 1071).
 * Inline and without state, for the hot paths and the simulated network alike.
 */
#ifndef FRAME_H
#define FRAME_H

#include <dp/ip.h>

#include <string.h>

enum {
	ETH_BYTES = 14,
	ETH_TYPE_AT = 12,
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_VLAN = 0x8100, /* IEEE 802.1Q */
	ETH_TYPE_IPV6 = 0x86dd,
	VLAN_BYTES = 4,
	VLAN_ID = 0xfff,
	ETH_MIN_FRAME = 60, /* without FCS */
	ETH_WIRE_EXTRA = 24, /* preamble 8, FCS 4, gap 12 */

	IPV4_BYTES = 20,
	IPV4_ICMP = 1,
	IPV4_TCP = 6,
	IPV4_UDP = 17,
	IPV4_ICMPV6 = 58,
	IPV4_SCTP = 132,

	IPV6_BYTES = 40, /* RFC 8200 3 */
	IPV6_VERSION = 0x60000000, /* of the first word */
	IPV6_FLOW_LABEL = 0xfffff,
	IPV6_HOP_BY_HOP = 0, /* extension headers, RFC 8200 4 */
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_DESTINATION = 60,

	UDP_BYTES = 8,

	TCP_BYTES = 20,
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,

	/* RFC 9293 3.2 and RFC 7323. */
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_MSS_BYTES = 4,
	TCP_OPTION_SCALE = 3,
	TCP_OPTION_SCALE_BYTES = 3,
	TCP_OPTION_CLOCK = 8,
	TCP_OPTION_CLOCK_BYTES = 10,

	ICMP_BYTES = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMP_REPLY = 14,

	ICMPV6_UNREACHABLE = 1, /* RFC 4443 */
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_SOLICITATION = 135, /* RFC 4861 4.3, 4.4 */
	ICMPV6_ADVERTISEMENT = 136,
	ND_FLAGS_AT = 4, /* of an advertisement (4.4) */
	ND_SOLICITED = 0x40,
	ND_OVERRIDE = 0x20,
	ND_BYTES = 24, /* of both, without options */
	ND_OPTION_BYTES = 8, /* a link-layer address */
	ND_OPTION_SOURCE = 1,
	ND_OPTION_TARGET = 2,
	ND_HOP_LIMIT = 255, /* RFC 4861 7.1: else it came through a router */

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

/* The 48 bits of a hardware address as a number, and back. */
static inline uint64_t mac_get(const uint8_t *p) {
	return (uint64_t)get16(p) << 32 | get32(p + 2);
}

static inline void mac_put(uint8_t *p, uint64_t mac) {
	put16(p, (uint16_t)(mac >> 32));
	put32(p + 2, (uint32_t)mac);
}

#define MAC_BROADCAST UINT64_C(0xffffffffffff)

/* An Ethernet header, with a tag where @vlan is not 0; returns its length. */
static inline unsigned eth_put(
	uint8_t *frame, uint64_t dst, uint64_t src, uint16_t vlan, uint16_t type) {
	mac_put(frame, dst);
	mac_put(frame + 6, src);
	if (vlan == 0) {
		put16(frame + ETH_TYPE_AT, type);
		return ETH_BYTES;
	}
	put16(frame + ETH_TYPE_AT, ETH_TYPE_VLAN);
	put16(frame + ETH_BYTES, vlan);
	put16(frame + ETH_BYTES + 2, type);
	return ETH_BYTES + VLAN_BYTES;
}

/* The group address of a solicited node (RFC 4291 2.7.1), and its hardware address (RFC 2464 7). */
static inline dp_ip solicited_node(dp_ip ip) {
	return dp_ip_v6(
		UINT64_C(0xff02000000000000), UINT64_C(0x1ff000000) | ((uint64_t)ip & 0xffffff));
}

static inline uint64_t solicited_mac(dp_ip ip) {
	return UINT64_C(0x3333ff000000) | ((uint64_t)ip & 0xffffff);
}

/*
 * Where the kernel holds our address we ask for neighbours from this one, which it does not: link-local,
 * with the hardware address as the lower part of its interface identifier (steer.bpf.c has the why).
 */
static inline dp_ip neigh_asker(uint64_t our_mac) {
	return dp_ip_v6(UINT64_C(0xfe80000000000000), UINT64_C(0x7064000000000000) | our_mac);
}

/* The sum of an address's 16-bit words, of either family. */
static inline uint64_t words_ip(dp_ip ip) {
	if (dp_ip_is_v4(ip))
		return words32(dp_ip_to_v4(ip));
	return words32((uint32_t)(ip >> 96)) + words32((uint32_t)(ip >> 64))
		+ words32((uint32_t)(ip >> 32)) + words32((uint32_t)ip);
}

/* Sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1), unfolded: the same in both families. */
static inline uint64_t sum_pseudo_ip(dp_ip src, dp_ip dst, uint8_t protocol, uint32_t length) {
	return words_ip(src) + words_ip(dst) + protocol + words32(length);
}

/* An IPv6 header (RFC 8200 3). @payload: bytes behind it. */
static inline void ipv6_put(
	uint8_t *ip, uint16_t payload, uint8_t next, uint8_t hop_limit, dp_ip src, dp_ip dst) {
	put32(ip, 6u << 28);
	put16(ip + 4, payload);
	ip[6] = next;
	ip[7] = hop_limit;
	dp_ip_put_v6(ip + 8, src);
	dp_ip_put_v6(ip + 24, dst);
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
	uint16_t mss; /* 0: not said */
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
		if (*p == TCP_OPTION_MSS && p[1] == TCP_OPTION_MSS_BYTES && options.mss == 0)
			options.mss = get16(p + 2);
		options.has_scale |= *p == TCP_OPTION_SCALE && p[1] == TCP_OPTION_SCALE_BYTES;
		p += p[1];
	}
	return options;
}

/* Fill in the checksum of the @length bytes of TCP at @tcp. */
static inline void tcp_put_checksum(uint8_t *tcp, dp_ip src, dp_ip dst, uint16_t length) {
	uint64_t sum = sum_pseudo_ip(src, dst, IPV4_TCP, length);

	put16(tcp + 16, 0);
	put16(tcp + 16, (uint16_t)~sum_fold(sum + sum_bytes(tcp, length)));
}

#endif
