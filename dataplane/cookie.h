/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cookies: how a response proves that it answers a probe of ours, while nothing is remembered.
 *
 * The 64 bits of SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT
 * 2012) over target address and port, under a secret key, become the probe's sequence number,
 * source port and IP identification. Who does not know the key can guess an acknowledgement with
 * chance 2^-32 for a known source port.
 *
 * Inline: it runs once a probe and once a response.
 */
#ifndef COOKIE_H
#define COOKIE_H

#include <dp/engine.h>

/* The key's half of SipHash's state, prepared once; read-only after cookie_init(), any thread. */
struct cookie {
	uint64_t v[4];
	uint16_t port_first;
	uint32_t port_span; /* 1 to 65,536 */
};

struct cookie_value {
	uint32_t seq;
	uint16_t port;
	uint16_t id;
};

static inline uint64_t load64_le(const uint8_t *p) {
	uint64_t v = 0;

	for (unsigned i = 8; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

static inline void cookie_set_key(struct cookie *cookie, uint64_t k0, uint64_t k1) {
	cookie->v[0] = k0 ^ 0x736f6d6570736575u;
	cookie->v[1] = k1 ^ 0x646f72616e646f6du;
	cookie->v[2] = k0 ^ 0x6c7967656e657261u;
	cookie->v[3] = k1 ^ 0x7465646279746573u;
}

static inline void cookie_init(
	struct cookie *cookie, const struct dp_key *key, uint16_t port_first, uint16_t port_last) {
	cookie_set_key(cookie, load64_le(key->bytes), load64_le(key->bytes + 8));
	cookie->port_first = port_first;
	cookie->port_span = (uint32_t)port_last - port_first + 1;
}

static inline uint64_t rotl64(uint64_t x, unsigned n) {
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4]) {
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl64(v[1], 13) ^ v[0];
	v[3] = rotl64(v[3], 16) ^ v[2];
	v[0] = rotl64(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl64(v[1], 17) ^ v[2];
	v[3] = rotl64(v[3], 21) ^ v[0];
	v[2] = rotl64(v[2], 32);
}

/* SipHash-2-4 of exactly eight bytes, given as the little-endian number @word. */
static inline uint64_t siphash_word(const struct cookie *cookie, uint64_t word) {
	uint64_t v[4] = {cookie->v[0], cookie->v[1], cookie->v[2], cookie->v[3]};
	const uint64_t last = UINT64_C(8) << 56; /* the final block: length and no bytes */

	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/*
 * Cookies under a key of their own, made from that of @cookie: SipHash of two words that no target
 * gives, as their lowest 16 bits are @tag, which must not be 0.
 */
static inline void cookie_derive(
	struct cookie *derived, const struct cookie *cookie, uint16_t tag) {
	*derived = *cookie;
	cookie_set_key(
		derived, siphash_word(cookie, tag), siphash_word(cookie, UINT64_C(1) << 16 | tag));
}

static inline struct cookie_value cookie_of(
	const struct cookie *cookie, uint32_t ip, uint16_t port) {
	uint64_t h = siphash_word(cookie, (uint64_t)ip << 32 | (uint64_t)port << 16);

	return (struct cookie_value){
		.seq = (uint32_t)h,
		.port
		= (uint16_t)(cookie->port_first + (((h >> 32 & 0xffff) * cookie->port_span) >> 16)),
		.id = (uint16_t)(h >> 48),
	};
}

static inline bool cookie_owns_port(const struct cookie *cookie, uint16_t port) {
	return (uint16_t)(port - cookie->port_first) < cookie->port_span;
}

#endif
