/* SPDX-License-Identifier: BSD-3-Clause */
/* Cookies: the function is SipHash-2-4, and its values become ports and numbers as documented. */
#include "cookie.h"
#include "frame_test.h"

#include <criterion/criterion.h>

static struct cookie make(const uint8_t key[16], uint16_t first, uint16_t last) {
	struct dp_key dp_key;
	struct cookie cookie;

	memcpy(dp_key.bytes, key, 16);
	cookie_init(&cookie, &dp_key, first, last);
	return cookie;
}

/*
 * The published vectors: key 00 01 .. 0f, message 00 01 .. of each length. Length 15 is the example
 * of the paper's appendix A, the others are from the authors' reference code.
 */
Test(cookie, published_vectors) {
	static const struct {
		size_t n;
		uint64_t hash;
	} vector[] = {
		{0, 0x726fdb47dd0e0e31u},
		{1, 0x74f839c593dc67fdu},
		{7, 0xab0200f58b01d137u},
		{8, 0x93f5f5799a932462u},
		{15, 0xa129ca6149be45e5u},
	};
	uint8_t bytes[16];
	struct cookie cookie;

	for (uint8_t i = 0; i < 16; i++)
		bytes[i] = i;
	for (size_t i = 0; i < sizeof(vector) / sizeof(vector[0]); i++)
		cr_assert_eq(reference_siphash(bytes, bytes, vector[i].n), vector[i].hash,
			"the test's own SipHash of %zu bytes", vector[i].n);
	cookie = make(bytes, 1, 1);
	cr_assert_eq(siphash_word(&cookie, 0x0706050403020100u), 0x93f5f5799a932462u);
}

Test(cookie, equals_reference) {
	uint64_t state = 11;

	for (unsigned round = 0; round < 100000; round++) {
		uint8_t key[16], message[8];
		const uint64_t word = next_random(&state);
		struct cookie cookie;

		for (unsigned i = 0; i < 16; i++)
			key[i] = (uint8_t)(next_random(&state) >> 56);
		for (unsigned i = 0; i < 8; i++)
			message[i] = (uint8_t)(word >> (8 * i));
		cookie = make(key, 1, 2);
		if (siphash_word(&cookie, word) != reference_siphash(key, message, 8))
			cr_assert_fail("round %u", round);
	}
}

/* Each field of the value has bits of its own, and they are those that frame_test.h states. */
Test(cookie, fields) {
	const uint8_t key[16] = "a key of 16 byte";
	struct cookie cookie = make(key, 40000, 48191);
	uint64_t state = 12;

	for (unsigned round = 0; round < 100000; round++) {
		const uint32_t ip = (uint32_t)(next_random(&state) >> 32);
		const uint16_t port = (uint16_t)(next_random(&state) >> 48);
		const uint64_t h = reference_cookie(key, ip, port);
		const struct cookie_value c = cookie_of(&cookie, dp_ip_v4(ip), port, 0);

		if (c.seq != (uint32_t)h || c.id != h >> 48
			|| c.port != reference_port(h, 40000, 8192))
			cr_assert_fail("target %08x port %u", ip, port);
	}
}

struct span {
	uint16_t first, last;
};

static const struct span spans[] = {
	{0, 0},
	{1, 1},
	{65535, 65535},
	{40000, 40001},
	{65534, 65535},
	{32768, 49151}, /* 16,384 */
	{49152, 65535},
	{1024, 65535},
	{0, 65535},
};

/*
 * Ports stay in their range and are used evenly: chi-square over bins of at least 2^16 / 64 ports.
 * A span that doesn't divide 65,536 favours some ports by one part in 65,536 / span, which bins as
 * wide as these don't see and nobody needs to.
 */
Test(cookie, ports_in_range_and_uniform) {
	enum { SAMPLES = 1 << 18 };
	const uint8_t key[16] = "another of those";

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		const uint32_t span = (uint32_t)spans[i].last - spans[i].first + 1;
		const uint32_t bins = span < 64 ? span : 64;
		struct cookie cookie = make(key, spans[i].first, spans[i].last);
		unsigned seen[64] = {0};
		double chi = 0, expected = (double)SAMPLES / bins;

		for (uint32_t k = 0; k < SAMPLES; k++) {
			/* As scans go: neighbouring addresses, a few ports. */
			const uint16_t port = cookie_of(
				&cookie, dp_ip_v4(0x0a000000 + k / 4), (uint16_t)(80 + k % 4), 0)
						      .port;

			if (port < spans[i].first || port > spans[i].last)
				cr_assert_fail("port %u is not in %u-%u", port, spans[i].first,
					spans[i].last);
			seen[(uint64_t)(port - spans[i].first) * bins / span]++;
		}
		for (uint32_t k = 0; k < bins; k++)
			chi += (seen[k] - expected) * (seen[k] - expected) / expected;
		/* 63 degrees of freedom: 140 has a chance below 10^-7. */
		cr_assert_lt(chi, 140, "ports %u-%u", spans[i].first, spans[i].last);
	}
}

/* Both ends of a range are reached, not only kept. */
Test(cookie, ports_reach_both_ends) {
	const uint8_t key[16] = "one more of them";
	struct cookie cookie = make(key, 65000, 65535);
	bool first = false, last = false;

	for (uint32_t ip = 0; ip < 1 << 14; ip++) {
		const uint16_t port = cookie_of(&cookie, dp_ip_v4(ip), 80, 0).port;

		first |= port == 65000;
		last |= port == 65535;
	}
	cr_assert(first);
	cr_assert(last);
}

/* Every port against every span. */
Test(cookie, owns_port) {
	const uint8_t key[16] = {0};

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct cookie cookie = make(key, spans[i].first, spans[i].last);

		for (unsigned port = 0; port < 65536; port++)
			if (cookie_owns_port(&cookie, (uint16_t)port)
				!= (port >= spans[i].first && port <= spans[i].last))
				cr_assert_fail(
					"port %u in %u-%u", port, spans[i].first, spans[i].last);
	}
}

/* A pair's cookie says nothing of its neighbours': half the bits differ. */
Test(cookie, neighbours_differ) {
	const uint8_t key[16] = "yet another key!";
	struct cookie cookie = make(key, 32768, 49151);
	unsigned bits = 0;

	for (uint32_t ip = 0; ip < 10000; ip++) {
		const uint32_t here = cookie_of(&cookie, dp_ip_v4(ip), 80, 0).seq;

		bits += (unsigned)__builtin_popcount(
			here ^ cookie_of(&cookie, dp_ip_v4(ip + 1), 80, 0).seq);
		bits += (unsigned)__builtin_popcount(
			here ^ cookie_of(&cookie, dp_ip_v4(ip), 81, 0).seq);
	}
	/* 640,000 coin tosses: a standard deviation is 400. */
	cr_assert_gt(bits, 320000 - 2400);
	cr_assert_lt(bits, 320000 + 2400);
}

/* A derived key is what the reference makes of the two words; its cookies fit nothing of the first. */
Test(cookie, derived) {
	const uint8_t key[16] = "the first of two";
	const struct cookie cookie = make(key, 40000, 48191);
	uint8_t second[16];
	struct cookie derived;

	for (unsigned tag = 1; tag < 1000; tag += 333) {
		for (unsigned word = 0; word < 2; word++) {
			const uint8_t message[8]
				= {(uint8_t)tag, (uint8_t)(tag >> 8), (uint8_t)word};
			uint64_t half = reference_siphash(key, message, sizeof(message));

			for (unsigned i = 0; i < 8; i++)
				second[8 * word + i] = (uint8_t)(half >> 8 * i);
		}
		cookie_derive(&derived, &cookie, (uint16_t)tag);
		for (uint32_t ip = 0; ip < 1000; ip++) {
			const struct cookie_value c = cookie_of(&derived, dp_ip_v4(ip), 80, 0);
			const uint64_t h = reference_cookie(second, ip, 80);

			cr_assert_eq(c.seq, (uint32_t)h);
			cr_assert_eq(c.id, h >> 48);
			cr_assert_eq(c.port, reference_port(h, 40000, 8192));
			cr_assert_neq(c.seq, cookie_of(&cookie, dp_ip_v4(ip), 80, 0).seq);
		}
	}
}

/* An IPv6 target's cookie is the reference's of its 24 bytes. */
Test(cookie, ipv6) {
	const uint8_t key[16] = "a key for IPv6 !";
	const struct cookie cookie = make(key, 40000, 48191);

	for (uint64_t i = 0; i < 1000; i++) {
		const uint64_t words[3] = {UINT64_C(0x20010db800000000) + i, i * i * 77, 443 << 16};
		uint8_t message[24];

		for (unsigned k = 0; k < 24; k++)
			message[k] = (uint8_t)(words[k / 8] >> 8 * (k % 8));
		cr_assert_eq(cookie_hash(&cookie, dp_ip_v6(words[0], words[1]), 443),
			reference_siphash(key, message, sizeof(message)));
	}
}

/* Each transmission has a port of its own as far as there are any, and the port tells which it was. */
Test(cookie, passes) {
	const uint8_t key[16] = "sixteen letters.";

	for (size_t s = 0; s < sizeof(spans) / sizeof(spans[0]); s++) {
		const uint32_t span = (uint32_t)spans[s].last - spans[s].first + 1;
		struct cookie cookie = make(key, spans[s].first, spans[s].last);

		for (uint32_t ip = 0; ip < 1000; ip++) {
			const uint64_t hash = cookie_hash(&cookie, dp_ip_v4(ip), 80);

			for (unsigned pass = 0; pass < 128; pass++) {
				const struct cookie_value c = cookie_value(&cookie, hash, pass);

				cr_assert(c.port >= spans[s].first && c.port <= spans[s].last);
				cr_assert_eq(cookie_pass(&cookie, hash, c.port), pass % span);
				cr_assert_eq(c.seq == cookie_value(&cookie, hash, 0).seq,
					pass % span == 0);
			}
		}
	}
}
