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
#include <dp/space.h>

/* The key's half of SipHash's state, prepared once; read-only after cookie_init(), any thread. */
struct cookie {
	uint64_t v[4];
	uint16_t port_first;
	uint32_t port_span; /* 1 to 65,536 */
};

/*
 * What a probe has of it. Transmission k (pass) has the same but for its source port, which is k ports
 * further in the range, and its sequence number, so that a response tells which one it answers.
 */
struct cookie_value {
	uint32_t seq;
	uint16_t port;
	uint16_t id;
	uint64_t hash; /* all of it: what else has to be unpredictable comes from cookie_more() */
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

/* SipHash-2-4 of exactly 24 bytes, given as little-endian numbers. */
static inline uint64_t siphash_words3(
	const struct cookie *cookie, uint64_t word0, uint64_t word1, uint64_t word2) {
	uint64_t v[4] = {cookie->v[0], cookie->v[1], cookie->v[2], cookie->v[3]};
	const uint64_t word[4] = {word0, word1, word2, UINT64_C(24) << 56};

	for (unsigned i = 0; i < 4; i++) {
		v[3] ^= word[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= word[i];
	}
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline uint64_t cookie_word_v4(uint32_t ip, uint16_t port) {
	return (uint64_t)ip << 32 | (uint64_t)port << 16;
}

static inline uint64_t cookie_hash_v4(const struct cookie *cookie, uint32_t ip, uint16_t port) {
	return siphash_word(cookie, cookie_word_v4(ip, port));
}

static inline uint64_t cookie_hash(const struct cookie *cookie, dp_ip ip, uint16_t port) {
	if (dp_ip_is_v4(ip))
		return cookie_hash_v4(cookie, dp_ip_to_v4(ip), port);
	return siphash_words3(cookie, (uint64_t)(ip >> 64), (uint64_t)ip, (uint64_t)port << 16);
}

/* cookie_hash() of @n targets of one family: several at a time where the processor can. */
void cookie_hashes(const struct cookie *cookie, bool v4, const struct dp_target *target,
	uint64_t *hash, unsigned n);

/* How far transmissions can be told apart: the port range may be smaller than their number. */
static inline unsigned cookie_turn(const struct cookie *cookie, unsigned pass) {
	/* cppcheck-suppress zerodivcond ; the span is 1 at the least */
	return pass < cookie->port_span ? pass : pass % cookie->port_span;
}

/* The value of transmission @pass, out of cookie_hash(). */
static inline struct cookie_value cookie_value(
	const struct cookie *cookie, uint64_t hash, unsigned pass) {
	uint32_t turn = cookie_turn(cookie, pass);
	uint32_t at = (uint32_t)(((hash >> 32 & 0xffff) * cookie->port_span) >> 16) + turn;

	return (struct cookie_value){
		.seq = (uint32_t)hash + turn * 0x9e3779b9u,
		.port = (uint16_t)(cookie->port_first
			+ (at < cookie->port_span ? at : at - cookie->port_span)),
		.id = (uint16_t)(hash >> 48),
		.hash = hash,
	};
}

static inline struct cookie_value cookie_of(
	const struct cookie *cookie, dp_ip ip, uint16_t port, unsigned pass) {
	return cookie_value(cookie, cookie_hash(cookie, ip, port), pass);
}

/*
 * Which transmission a response to @our_port answers, as far as ports can tell: the first that
 * cookie_value() gives this port. The caller sees whether it is one of those that were sent.
 */
static inline unsigned cookie_pass(const struct cookie *cookie, uint64_t hash, uint16_t our_port) {
	uint32_t base = (uint32_t)(((hash >> 32 & 0xffff) * cookie->port_span) >> 16);
	uint32_t at = (uint16_t)(our_port - cookie->port_first);

	return at >= base ? at - base : at + cookie->port_span - base;
}

/* 64 further bits out of the 64, where a protocol has room or an address is to be chosen. */
static inline uint64_t cookie_more(uint64_t hash, unsigned number) {
	uint64_t z = hash + number * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline bool cookie_owns_port(const struct cookie *cookie, uint16_t port) {
	return (uint16_t)(port - cookie->port_first) < cookie->port_span;
}

#endif
