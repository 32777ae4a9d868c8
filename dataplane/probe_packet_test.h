/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of probe modules have in common: an environment whose probes are known beforehand,
 * cookies and sources stated once more, and what holds for the packets of any module.
 */
#ifndef PROBE_PACKET_TEST_H
#define PROBE_PACKET_TEST_H

#include "frame_test.h"
#include "probe.h"

#include <criterion/criterion.h>

enum {
	PORT_FIRST = 40000,
	PORT_SPAN = 8192,
	PASSES = 5,
	CLOCK_US = 0x01020304,
	BURST = 8,
	SOURCE_V4 = 0xc000020a, /* 192.0.2.10 */
	TARGET_V4 = 0xc6336407, /* 198.51.100.7 */
};

#define SOURCE_V6 dp_ip_v6(UINT64_C(0x20010db800000000), 0xa)
#define TARGET_V6 dp_ip_v6(UINT64_C(0x20010db800070000), 1)

static const struct dp_key test_key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static inline dp_ip test_target(enum family family) {
	return family == FAMILY_V6 ? TARGET_V6 : dp_ip_v4(TARGET_V4);
}

/* One source of each family; or @several of them: three ranges, one of them beyond 2^64. */
static inline struct probe_env test_env(bool several) {
	const struct dp_range v4[] = {
		{dp_ip_v4(SOURCE_V4), dp_ip_v4(SOURCE_V4 + (several ? 6 : 0))},
		{dp_ip_v4(0xcb007100), dp_ip_v4(0xcb0071ff)},
	};
	const struct dp_range v6[] = {
		{SOURCE_V6, SOURCE_V6 + (several ? 6 : 0)},
		{dp_ip_v6(UINT64_C(0x20010db800010000), 0),
			dp_ip_v6(UINT64_C(0x20010db800010000), UINT64_MAX)},
	};
	struct probe_env env = {.source_mac = 0x02000000000a, .passes = PASSES};

	cookie_init(&env.cookie, &test_key, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	sources_init(&env.sources[FAMILY_V4], v4, several ? 2 : 1);
	sources_init(&env.sources[FAMILY_V6], v6, several ? 2 : 1);
	return env;
}

/* What cookie.h says of a pair, with a SipHash of our own. */
static inline uint64_t reference_hash(dp_ip ip, uint16_t port) {
	const uint64_t word[3] = {(uint64_t)(ip >> 64), (uint64_t)ip, (uint64_t)port << 16};
	uint8_t message[24];

	if (dp_ip_is_v4(ip))
		return reference_cookie(test_key.bytes, dp_ip_to_v4(ip), port);
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(word[i / 8] >> i % 8 * 8);
	return reference_siphash(test_key.bytes, message, sizeof(message));
}

/* The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static inline uint64_t reference_more(uint64_t hash, unsigned number) {
	uint64_t z = hash + number * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Our port of transmission @pass. */
static inline uint16_t reference_our_port(uint64_t hash, unsigned pass) {
	const uint32_t base = reference_port(hash, 0, PORT_SPAN);

	return (uint16_t)(PORT_FIRST + (base + pass) % PORT_SPAN);
}

/* Of test_env(): seven addresses, then a range of 256 or of 2^64. */
static inline dp_ip reference_source(enum family family, bool several, uint64_t hash) {
	const uint64_t spread = reference_more(hash, 1);
	const uint64_t at
		= family == FAMILY_V4 ? (uint64_t)((dp_u128)spread * (7 + 256) >> 64) : spread;
	const dp_ip first = family == FAMILY_V4 ? dp_ip_v4(SOURCE_V4) : SOURCE_V6;

	if (!several)
		return first;
	if (at < 7)
		return first + at;
	return at - 7
		+ (family == FAMILY_V4 ? dp_ip_v4(0xcb007100)
				       : dp_ip_v6(UINT64_C(0x20010db800010000), 0));
}

static inline dp_ip random_ip(enum family family, uint64_t *state) {
	if (family == FAMILY_V4)
		return dp_ip_v4((uint32_t)(next_random(state) >> 32));
	return dp_ip_v6(UINT64_C(0x2000000000000000) | next_random(state) >> 3, next_random(state));
}

/* A packet that a module made. */
struct shot {
	enum family family;
	uint16_t length;
	uint8_t bytes[PROBE_ROOM];
};

static inline uint16_t make_in(const struct probe_module *module, const struct probe_env *env,
	enum family family, const struct probe_sums *sums, uint8_t *packet,
	const struct dp_target *target, uint32_t clock_us) {
	uint16_t length = module->packet_bytes[family];

	module->make(
		env, family, sums, &packet, module->varies ? &length : NULL, target, 1, clock_us);
	return length;
}

static inline struct shot shoot(const struct probe_module *module, const struct probe_env *env,
	struct dp_target target, uint32_t clock_us) {
	struct shot shot = {.family = family_of(target.ip)};
	struct probe_sums sums;

	memset(shot.bytes, 0xee, sizeof(shot.bytes));
	module->prepare(env, shot.family, shot.bytes, &sums);
	shot.length = make_in(module, env, shot.family, &sums, shot.bytes, &target, clock_us);
	return shot;
}

static inline unsigned network_bytes(enum family family) {
	return family == FAMILY_V6 ? 40 : 20;
}

static inline dp_ip shot_source(const struct shot *shot) {
	return shot->family == FAMILY_V6 ? dp_ip_get_v6(shot->bytes + 8)
					 : dp_ip_v4(get32(shot->bytes + 12));
}

/* The probe as an ICMP error quotes it, all of it. */
static inline struct packet quote(const struct shot *shot) {
	const unsigned header = network_bytes(shot->family);

	return (struct packet){
		.family = shot->family,
		.src = shot_source(shot),
		.dst = shot->family == FAMILY_V6 ? dp_ip_get_v6(shot->bytes + 24)
						 : dp_ip_v4(get32(shot->bytes + 16)),
		.protocol = shot->bytes[shot->family == FAMILY_V6 ? 6 : 9],
		.ttl = 1,
		.l4 = shot->bytes + header,
		.l4_bytes = shot->length - header,
		.stamp
		= shot->family == FAMILY_V6 ? get32(shot->bytes) & 0xfffff : get16(shot->bytes + 4),
	};
}

/* What goes back to where the probe came from, with @l4 in it. */
static inline struct packet reply_to(const struct shot *shot, const uint8_t *l4, unsigned bytes) {
	struct packet packet = quote(shot);
	const dp_ip ours = packet.src;

	packet.src = packet.dst;
	packet.dst = ours;
	packet.ttl = 57;
	packet.l4 = l4;
	packet.l4_bytes = bytes;
	return packet;
}

/* The sum of the pseudo-header in either family (RFC 8200 8.1). */
static inline uint16_t reference_pseudo(const struct shot *shot, uint8_t protocol, size_t n) {
	const uint8_t rest[8] = {0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, protocol};

	if (shot->family == FAMILY_V4)
		return reference_pseudo_sum(shot->bytes, protocol, n);
	return reference_sum(reference_sum(0, shot->bytes + 8, 32), rest, sizeof(rest));
}

/* Are lengths and the checksums of 16 bits right? SCTP's own is not looked at. */
static inline bool shot_good(const struct shot *shot) {
	const unsigned header = network_bytes(shot->family), n = shot->length - header;
	const bool v6 = shot->family == FAMILY_V6;
	const uint8_t protocol = shot->bytes[v6 ? 6 : 9];
	uint16_t start = 0;

	if (v6 ? shot->bytes[0] != 0x60 || get16(shot->bytes + 4) != n
	       : get16(shot->bytes + 2) != shot->length
				|| reference_sum(0, shot->bytes, 20) != 0xffff)
		return false;
	if (protocol == 132)
		return true;
	if (protocol != 1)
		start = reference_pseudo(shot, protocol, n);
	if (protocol == 17
		&& (get16(shot->bytes + header + 4) != n || get16(shot->bytes + header + 6) == 0))
		return false;
	return reference_sum(start, shot->bytes + header, n) == 0xffff;
}

static inline void assert_golden(const struct shot *shot, const uint8_t *golden, size_t n) {
	cr_assert_eq(shot->length, n, "%u bytes, not %zu", shot->length, n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(shot->bytes[i], golden[i], "byte %zu is %02x, not %02x", i,
			shot->bytes[i], golden[i]);
}

static inline struct dp_target random_target(
	const struct probe_module *module, enum family family, uint64_t *state) {
	const bool has_port = module->proto == DP_PROTO_UDP || module->proto == DP_PROTO_SCTP;

	return (struct dp_target){
		.ip = random_ip(family, state),
		.port = has_port ? (uint16_t)(next_random(state) >> 48) : 0,
		.pass = (uint8_t)(next_random(state) % PASSES),
	};
}

/*
 * Any target from one source and from several: good checksums, and addresses as they should be; in a
 * buffer that has been used as in a new one.
 */
static inline void check_packets(const struct probe_module *module, const struct probe_env *base,
	enum family family, bool several) {
	struct probe_env env = test_env(several);
	struct shot used = {.family = family};
	struct probe_sums sums;
	uint64_t state = 41;

	env.book = base->book;
	module->prepare(&env, family, used.bytes, &sums);
	for (unsigned round = 0; round < 3000; round++) {
		const struct dp_target target = random_target(module, family, &state);
		const uint64_t hash = reference_hash(target.ip, target.port);
		const uint32_t clock_us = (uint32_t)next_random(&state);
		const struct shot shot = shoot(module, &env, target, clock_us);

		cr_assert(shot_good(&shot), "%s, round %u", module->name, round);
		cr_assert(shot_source(&shot) == reference_source(family, several, hash));
		if (!module->link)
			cr_assert(quote(&shot).dst == target.ip);
		if (family == FAMILY_V4)
			cr_assert_eq(get16(shot.bytes + 4), hash >> 48);
		cr_assert_eq(shot.bytes[family == FAMILY_V6 ? 7 : 8], module->link ? 255 : 64);
		used.length = make_in(module, &env, family, &sums, used.bytes, &target, clock_us);
		cr_assert_eq(used.length, shot.length);
		cr_assert_arr_eq(used.bytes, shot.bytes, shot.length, "round %u", round);
	}
}

/* A burst is its probes one by one, in memory that ends where the longest packet does. */
static inline void check_bursts(
	const struct probe_module *module, const struct probe_env *env, enum family family) {
	uint8_t *packet[BURST];
	struct probe_sums sums;
	uint64_t state = 42;

	for (unsigned i = 0; i < BURST; i++) {
		packet[i] = cage_end();
		cr_assert_not_null(packet[i]);
		packet[i] -= module->packet_bytes[family];
		module->prepare(env, family, packet[i], &sums);
	}
	for (unsigned n = 0; n <= BURST; n++) {
		struct dp_target target[BURST];
		uint16_t length[BURST];

		for (unsigned i = 0; i < n; i++)
			target[i] = random_target(module, family, &state);
		module->make(env, family, &sums, packet, length, target, n, CLOCK_US + n);
		for (unsigned i = 0; i < n; i++) {
			const struct shot shot = shoot(module, env, target[i], CLOCK_US + n);

			if (module->varies)
				cr_assert_eq(length[i], shot.length);
			cr_assert_arr_eq(packet[i], shot.bytes, shot.length, "%u of %u", i, n);
		}
	}
}

/* What the device completes is left to it: the header's checksum, and @l4_sum where it has one. */
static inline void check_offloads(
	const struct probe_module *module, const struct probe_env *env, enum family family) {
	const struct shot shot = shoot(
		module, env, (struct dp_target){test_target(family), 60001, 0, 0}, CLOCK_US);
	const unsigned header = network_bytes(family);
	struct probe_env device = *env;
	struct shot left, expected = shot;

	device.offload_ip = device.offload_l4 = true;
	left = shoot(
		module, &device, (struct dp_target){test_target(family), 60001, 0, 0}, CLOCK_US);
	if (family == FAMILY_V4)
		memset(expected.bytes + 10, 0, 2);
	if (module->proto == DP_PROTO_UDP)
		put16(expected.bytes + header + 6,
			reference_pseudo(&shot, 17, shot.length - header));
	assert_golden(&left, expected.bytes, expected.length);
}

static inline void check_module(const struct probe_module *module, const struct probe_env *env) {
	for (enum family family = 0; family < FAMILIES; family++) {
		if (module->packet_bytes[family] == 0)
			continue;
		check_packets(module, env, family, false);
		check_packets(module, env, family, true);
		check_bursts(module, env, family);
		check_offloads(module, env, family);
	}
}

static inline struct verdict judge(const struct probe_module *module, const struct probe_env *env,
	const struct packet *packet, uint32_t clock_us, struct dp_answer *answer) {
	memset(answer, 0xee, sizeof(*answer));
	return module->packet(env, packet, clock_us, answer);
}

/* Addresses that are not those of the exchange: another target, another or no address of ours. */
static inline void check_addresses(
	const struct probe_module *module, const struct probe_env *env, struct packet packet) {
	struct dp_answer answer;
	const dp_ip src = packet.src, dst = packet.dst;

	cr_assert_neq(judge(module, env, &packet, CLOCK_US, &answer).kind, PROBE_NONE);
	for (unsigned bit = 0; bit < (packet.family == FAMILY_V6 ? 128 : 32); bit++) {
		packet.src = src ^ (dp_ip)1 << bit;
		cr_assert_eq(judge(module, env, &packet, CLOCK_US, &answer).kind, PROBE_NONE,
			"%s: source bit %u", module->name, bit);
		packet.src = src;
		packet.dst = dst ^ (dp_ip)1 << bit;
		cr_assert_eq(judge(module, env, &packet, CLOCK_US, &answer).kind, PROBE_NONE,
			"%s: destination bit %u", module->name, bit);
		packet.dst = dst;
	}
}

/*
 * Each bit of the reply once. @rule has a character for each byte: '=' proves something, '.' may be
 * anything, '?' is not looked at here.
 */
static inline void check_bits(const struct probe_module *module, const struct probe_env *env,
	struct packet packet, const char *rule) {
	uint8_t *bytes = cage_end();
	struct dp_answer answer;

	cr_assert_not_null(bytes);
	cr_assert_eq(strlen(rule), packet.l4_bytes);
	bytes -= packet.l4_bytes;
	memcpy(bytes, packet.l4, packet.l4_bytes);
	packet.l4 = bytes;
	cr_assert_neq(judge(module, env, &packet, CLOCK_US, &answer).kind, PROBE_NONE);
	for (unsigned bit = 0; bit < 8 * packet.l4_bytes; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (rule[bit / 8] != '?')
			cr_assert_eq(
				judge(module, env, &packet, CLOCK_US, &answer).kind != PROBE_NONE,
				rule[bit / 8] == '.', "%s: byte %u, bit %u", module->name, bit / 8,
				bit % 8);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* The same of a quotation of @bytes, at most as many as there are rules, and of its addresses. */
static inline void check_quoted_bits(const struct probe_module *module, const struct probe_env *env,
	struct packet packet, unsigned bytes, const char *rule) {
	uint8_t *l4 = cage_end();
	struct dp_answer answer;

	cr_assert_not_null(l4);
	l4 -= bytes;
	memcpy(l4, packet.l4, bytes);
	packet.l4 = l4;
	packet.l4_bytes = bytes;
	cr_assert(module->quoted(env, &packet, &answer));
	for (unsigned bit = 0; bit < 8 * bytes; bit++) {
		l4[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_assert_eq(module->quoted(env, &packet, &answer), rule[bit / 8] == '.',
			"%s: byte %u, bit %u", module->name, bit / 8, bit % 8);
		l4[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	packet.src ^= 1;
	cr_assert_not(module->quoted(env, &packet, &answer));
	packet.src ^= 1;
	packet.dst ^= 1;
	cr_assert_not(module->quoted(env, &packet, &answer));
}

#endif
