/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of frames hold the packet path against: numbers that repeat, a checksum and a
 * SipHash of their own, and memory that ends where a frame does. Nothing here is shared with the
 * code under test, and everything is written for being obvious rather than fast.
 */
#ifndef FRAME_TEST_H
#define FRAME_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* xorshift64* (Vigna, ACM TOMS 42, 2016): the tests must fail the same way twice. */
static inline uint64_t next_random(uint64_t *state) {
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

/* One's complement sum of RFC 1071 a byte at a time, carried around at once. */
static inline uint16_t reference_sum(uint16_t sum, const uint8_t *p, size_t n) {
	for (size_t i = 0; i < n; i++) {
		const uint32_t wide = sum + (i % 2 ? p[i] : p[i] * 256u);

		sum = (uint16_t)(wide > 0xffff ? wide - 0xffff : wide);
	}
	return sum;
}

/* The pseudo-header of RFC 9293 3.1 for the IPv4 header at @ip and @n bytes of @protocol. */
static inline uint16_t reference_pseudo_sum(const uint8_t *ip, uint8_t protocol, size_t n) {
	const uint8_t rest[4] = {0, protocol, (uint8_t)(n >> 8), (uint8_t)n};

	return reference_sum(reference_sum(0, ip + 12, 8), rest, 4);
}

/* Are the header's checksum and that of the TCP or ICMP in it right? The lengths have to be. */
static inline bool reference_checksums_good(const uint8_t *ip) {
	const size_t header = (ip[0] & 15) * 4u, total = ip[2] * 256u + ip[3];
	uint16_t start = 0;

	if (reference_sum(0, ip, header) != 0xffff)
		return false;
	if (ip[9] == 6)
		start = reference_pseudo_sum(ip, 6, total - header);
	return reference_sum(start, ip + header, total - header) == 0xffff;
}

/* Write the checksums that the test above wants, as far as the lengths leave room for them. */
static inline void reference_fix_checksums(uint8_t *ip, size_t room) {
	const size_t header = (ip[0] & 15) * 4u, total = ip[2] * 256u + ip[3];
	uint8_t *body = ip + header;
	uint16_t sum;

	if (room < 20 || header < 20 || total < header || total > room)
		return;
	ip[10] = ip[11] = 0;
	sum = (uint16_t)~reference_sum(0, ip, header);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	if (ip[9] == 6 && total - header >= 20) {
		body[16] = body[17] = 0;
		sum = (uint16_t)~reference_sum(
			reference_pseudo_sum(ip, 6, total - header), body, total - header);
		body[16] = (uint8_t)(sum >> 8);
		body[17] = (uint8_t)sum;
	} else if (ip[9] == 1 && total - header >= 8) {
		body[2] = body[3] = 0;
		sum = (uint16_t)~reference_sum(0, body, total - header);
		body[2] = (uint8_t)(sum >> 8);
		body[3] = (uint8_t)sum;
	}
}

static inline uint64_t reference_rotl(uint64_t x, unsigned n) {
	return x << n | x >> (64 - n);
}

/* SipHash-c-d of any message, after section 2 of Aumasson and Bernstein (2012), with c, d = 2, 4. */
static inline uint64_t reference_siphash(const uint8_t key[16], const uint8_t *message, size_t n) {
	uint64_t k[2] = {0}, v0, v1, v2, v3;

	for (unsigned i = 0; i < 16; i++)
		k[i / 8] |= (uint64_t)key[i] << (i % 8 * 8);
	v0 = k[0] ^ 0x736f6d6570736575u;
	v1 = k[1] ^ 0x646f72616e646f6du;
	v2 = k[0] ^ 0x6c7967656e657261u;
	v3 = k[1] ^ 0x7465646279746573u;
	/* Blocks of the message, then one of what is left and the length, then the end. */
	for (size_t block = 0; block <= n / 8 + 1; block++) {
		const bool end = block == n / 8 + 1;
		uint64_t m = 0;

		for (size_t i = 0; i < 8 && !end; i++)
			if (block * 8 + i < n)
				m |= (uint64_t)message[block * 8 + i] << (i * 8);
		if (block == n / 8)
			m |= (uint64_t)(n & 255) << 56;
		v3 ^= m;
		if (end)
			v2 ^= 0xff;
		for (unsigned i = 0; i < (end ? 4 : 2); i++) {
			v0 += v1;
			v1 = reference_rotl(v1, 13);
			v1 ^= v0;
			v0 = reference_rotl(v0, 32);
			v2 += v3;
			v3 = reference_rotl(v3, 16);
			v3 ^= v2;
			v0 += v3;
			v3 = reference_rotl(v3, 21);
			v3 ^= v0;
			v2 += v1;
			v1 = reference_rotl(v1, 17);
			v1 ^= v2;
			v2 = reference_rotl(v2, 32);
		}
		v0 ^= m;
	}
	return v0 ^ v1 ^ v2 ^ v3;
}

/*
 * What cookie.h says a probe to (@ip, @port) carries: SipHash of the little-endian number with the
 * address in its upper half and the port above the lowest 16 bits. From the bottom: 32 bits of
 * sequence number, 16 that choose the port, 16 of IP identification.
 */
static inline uint64_t reference_cookie(const uint8_t key[16], uint32_t ip, uint16_t port) {
	const uint8_t message[8] = {0, 0, (uint8_t)port, (uint8_t)(port >> 8), (uint8_t)ip,
		(uint8_t)(ip >> 8), (uint8_t)(ip >> 16), (uint8_t)(ip >> 24)};

	return reference_siphash(key, message, 8);
}

static inline uint16_t reference_port(uint64_t cookie, uint16_t first, uint32_t span) {
	return (uint16_t)(first + (cookie >> 32 & 0xffff) * span / 65536);
}

enum {
	CAGE_BYTES = 65536,
};

/* The end of CAGE_BYTES of memory behind which there is none, or NULL. Never freed. */
static inline uint8_t *cage_end(void) {
	uint8_t *cage = mmap(
		NULL, 2 * CAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (cage == MAP_FAILED || mprotect(cage + CAGE_BYTES, CAGE_BYTES, PROT_NONE))
		return NULL;
	return cage + CAGE_BYTES;
}

#endif
