/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP echo and timestamp: each byte, and which messages count as answers to them. */
#include "probe_packet_test.h"

enum {
	ECHO_BYTES = 24,
	TIMESTAMP_BYTES = 20,
};

/*
 * Transmission 3 to 198.51.100.7 and 2001:db8:7::1, from 192.0.2.10 and 2001:db8::a. Cookies and
 * checksums were computed apart from this code.
 */
/* clang-format off */
static const uint8_t golden_echo_v4[] = {
	0x45, 0x00, /* IPv4: header of 5 words; type of service 0 */
	0x00, 0x2c, /* 44 bytes in all */
	0x8b, 0x52, /* identification from the cookie */
	0x40, 0x00, /* do not fragment */
	0x40, 0x01, /* time to live; protocol */
	0xc3, 0x39, /* checksum */
	0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
	0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
	0x08, 0x00, /* echo request */
	0x1e, 0x87, /* checksum */
	0x29, 0xe5, /* identifier from the cookie */
	0x75, 0xee, /* sequence number from the cookie, and transmission 3 */
	0x54, 0x0e, 0x3c, 0x5c, 0xef, 0x00, 0x94, 0x62, /* proof */
	0x01, 0x02, 0x03, 0x04, /* our clock */
	0x6f, 0x24, 0xb2, 0xac, /* our clock, sealed */
};
/* clang-format on */

/* clang-format off */
static const uint8_t golden_echo_v6[] = {
	0x60, 0x00, 0x00, 0x00, /* IPv6 */
	0x00, 0x18, /* 24 bytes behind it */
	0x3a, 0x40, /* next header; hop limit */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, /* 2001:db8::a */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x07, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, /* 2001:db8:7::1 */
	0x80, 0x00, /* echo request */
	0x11, 0x5d, /* checksum */
	0x4e, 0x7d, /* identifier from the cookie */
	0x9f, 0x68, /* sequence number from the cookie, and transmission 3 */
	0xec, 0xfb, 0x1e, 0xc2, 0xcf, 0x7c, 0x8c, 0x13, /* proof */
	0x01, 0x02, 0x03, 0x04, /* our clock */
	0x97, 0x0d, 0x22, 0x84, /* our clock, sealed */
};
/* clang-format on */

/* clang-format off */
static const uint8_t golden_timestamp[] = {
	0x45, 0x00, /* IPv4: header of 5 words; type of service 0 */
	0x00, 0x28, /* 40 bytes in all */
	0x8b, 0x52, /* identification from the cookie */
	0x40, 0x00, /* do not fragment */
	0x40, 0x01, /* time to live; protocol */
	0xc3, 0x3d, /* checksum */
	0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
	0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
	0x0d, 0x00, /* timestamp */
	0xcf, 0xc8, /* checksum */
	0x29, 0xe5, /* identifier from the cookie */
	0x75, 0xee, /* sequence number from the cookie, and transmission 3 */
	0xef, 0x00, 0x94, 0x62, /* originate timestamp from the cookie */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* receive and transmit timestamps */
};
/* clang-format on */

static struct dp_target target_of(enum family family, uint8_t pass) {
	return (struct dp_target){.ip = test_target(family), .pass = pass};
}

Test(probe_icmp, golden_packets) {
	const struct probe_env env = test_env(false);
	struct shot shot = shoot(&probe_echo, &env, target_of(FAMILY_V4, 3), CLOCK_US);

	assert_golden(&shot, golden_echo_v4, sizeof(golden_echo_v4));
	shot = shoot(&probe_echo, &env, target_of(FAMILY_V6, 3), CLOCK_US);
	assert_golden(&shot, golden_echo_v6, sizeof(golden_echo_v6));
	shot = shoot(&probe_timestamp, &env, target_of(FAMILY_V4, 3), CLOCK_US);
	assert_golden(&shot, golden_timestamp, sizeof(golden_timestamp));
}

Test(probe_icmp, any_target) {
	const struct probe_env env = test_env(false);

	check_module(&probe_echo, &env);
	check_module(&probe_timestamp, &env);
	cr_assert_eq(probe_timestamp.packet_bytes[FAMILY_V6], 0);
}

/* Our originate time is none of day, and has to say so by its highest bit (RFC 792). */
Test(probe_icmp, no_time_of_day) {
	const struct probe_env env = test_env(false);

	for (uint32_t i = 0; i < 1000; i++) {
		const struct dp_target target = {.ip = dp_ip_v4(TARGET_V4 + i)};
		const struct shot shot = shoot(&probe_timestamp, &env, target, CLOCK_US);
		const uint64_t proof = reference_more(reference_hash(target.ip, 0), 4);

		cr_assert_eq(get32(shot.bytes + 28), (uint32_t)proof | 1u << 31);
		cr_assert_eq(get32(shot.bytes + 32) | get32(shot.bytes + 36), 0);
	}
}

/* Sums that come to 0 or 0xffff are where incremental checksums go wrong: all clocks of 16 bits. */
Test(probe_icmp, checksums_at_the_edges) {
	const struct probe_env env = test_env(false);

	for (uint32_t i = 0; i < 2 * 65536; i++) {
		const struct shot shot = shoot(&probe_echo, &env, target_of(i % 2, 0), i / 2);

		if (!shot_good(&shot))
			cr_assert_fail("clock %u", i / 2);
	}
}

/* The message that a host sends back: all of the probe but its type. */
static struct packet host_reply(const struct shot *shot, uint8_t type, uint8_t *reply) {
	const unsigned header = network_bytes(shot->family), n = shot->length - header;

	memcpy(reply, shot->bytes + header, n);
	reply[0] = type;
	return reply_to(shot, reply, n);
}

/* An echo reply is 0 or 129; a timestamp reply 14, and has the host's own times in it. */
static struct packet reply_of(
	const struct probe_module *module, const struct shot *shot, uint8_t reply[ECHO_BYTES]) {
	struct packet packet;

	if (module == &probe_echo)
		return host_reply(shot, shot->family == FAMILY_V6 ? 129 : 0, reply);
	packet = host_reply(shot, 14, reply);
	memset(reply + 12, 0x37, 8);
	return packet;
}

static const struct {
	const struct probe_module *module;
	enum family family;
	uint8_t reason;
	enum dp_response response;
} exchange[] = {
	{&probe_echo, FAMILY_V4, DP_REASON_ECHO_REPLY, DP_RESPONSE_ECHO_REPLY},
	{&probe_echo, FAMILY_V6, DP_REASON_ECHO_REPLY, DP_RESPONSE_ECHO_REPLY},
	{&probe_timestamp, FAMILY_V4, DP_REASON_TIMESTAMP_REPLY, DP_RESPONSE_TIMESTAMP_REPLY},
};

enum {
	EXCHANGES = sizeof(exchange) / sizeof(exchange[0]),
};

Test(probe_icmp, replies_of_hosts) {
	uint64_t state = 51;

	for (unsigned round = 0; round < 6000; round++) {
		const unsigned e = round % EXCHANGES;
		const struct probe_module *module = exchange[e].module;
		const struct probe_env env = test_env(round / EXCHANGES % 2);
		const struct dp_target target = random_target(module, exchange[e].family, &state);
		const uint32_t clock_us = (uint32_t)next_random(&state);
		const uint32_t rtt_us = (uint32_t)(next_random(&state) % 120000001);
		const struct shot shot = shoot(module, &env, target, clock_us);
		uint8_t reply[ECHO_BYTES];
		const struct packet packet = reply_of(module, &shot, reply);
		struct dp_answer answer;
		/* The clock has 32 bits and wraps. */
		const struct verdict v = judge(module, &env, &packet, clock_us + rtt_us, &answer);

		cr_assert_eq(v.kind, PROBE_ANSWER);
		cr_assert_eq(v.response, exchange[e].response);
		cr_assert(answer.ip == target.ip);
		cr_assert_eq(answer.port, 0);
		cr_assert_eq(answer.proto, DP_PROTO_ICMP);
		cr_assert_eq(answer.state, DP_STATE_UP);
		cr_assert_eq(answer.reason, exchange[e].reason);
		cr_assert_eq(answer.pass, target.pass);
		cr_assert_eq(answer.rtt_us, module == &probe_echo ? rtt_us : DP_RTT_NONE);
		cr_assert_eq(answer.ts_ns, 0xeeeeeeeeeeeeeeeeu, "the arrival time is not ours");
	}
}

/* Longer than 120 s, or from the future. */
Test(probe_icmp, unbelievable_round_trips) {
	static const struct {
		uint32_t later_us;
		bool believed;
	} trip[] = {
		{0, true},
		{120000000, true},
		{120000001, false},
		{0x80000000, false},
		{(uint32_t)-1, false},
	};
	const struct probe_env env = test_env(false);
	const struct shot shot = shoot(&probe_echo, &env, target_of(FAMILY_V4, 0), CLOCK_US);

	for (unsigned i = 0; i < sizeof(trip) / sizeof(trip[0]); i++) {
		uint8_t reply[ECHO_BYTES];
		const struct packet packet = reply_of(&probe_echo, &shot, reply);
		struct dp_answer answer;

		cr_assert_eq(judge(&probe_echo, &env, &packet, CLOCK_US + trip[i].later_us, &answer)
				     .kind,
			PROBE_ANSWER);
		cr_assert_eq(answer.rtt_us, trip[i].believed ? trip[i].later_us : DP_RTT_NONE);
	}
}

/* Everything has to come back as it was sent but the checksum, and the times that are the host's. */
Test(probe_icmp, forgeries) {
	struct probe_env env = test_env(true);

	env.passes = 1;
	for (unsigned e = 0; e < EXCHANGES; e++) {
		const struct probe_module *module = exchange[e].module;
		const struct shot shot
			= shoot(module, &env, target_of(exchange[e].family, 0), CLOCK_US);
		uint8_t reply[ECHO_BYTES];
		const struct packet packet = reply_of(module, &shot, reply);

		check_addresses(module, &env, packet);
		check_bits(module, &env, packet,
			module == &probe_echo ? "==..===================="
					      : "==..========........");
	}
}

/* Shorter and longer messages than ours are none of ours, nor is the request itself. */
Test(probe_icmp, lengths_and_types) {
	const struct probe_env env = test_env(false);
	uint8_t *end = cage_end();

	cr_assert_not_null(end);
	for (unsigned e = 0; e < EXCHANGES; e++) {
		const struct probe_module *module = exchange[e].module;
		const struct shot shot
			= shoot(module, &env, target_of(exchange[e].family, 0), CLOCK_US);
		uint8_t reply[64] = {0};
		struct packet packet = reply_of(module, &shot, reply);
		const unsigned whole = packet.l4_bytes;
		struct dp_answer answer;

		for (unsigned n = 8; n <= sizeof(reply); n++) {
			memcpy(end - n, reply, n);
			packet.l4 = end - n;
			packet.l4_bytes = n;
			cr_assert_eq(judge(module, &env, &packet, CLOCK_US, &answer).kind,
				n == whole ? PROBE_ANSWER : PROBE_NONE, "%u bytes", n);
		}
		for (unsigned type = 0; type < 256; type++) {
			const uint8_t right = reply[0];

			packet = host_reply(&shot, (uint8_t)type, reply);
			cr_assert_eq(judge(module, &env, &packet, CLOCK_US, &answer).kind,
				type == right ? PROBE_ANSWER : PROBE_NONE, "type %u", type);
			reply[0] = right;
		}
	}
}

/* A reply to one of the two modules is none to the other, and to none of the other family. */
Test(probe_icmp, not_each_others) {
	const struct probe_env env = test_env(false);

	for (unsigned sent = 0; sent < EXCHANGES; sent++)
		for (unsigned e = 0; e < EXCHANGES; e++) {
			const struct shot shot = shoot(exchange[sent].module, &env,
				target_of(exchange[sent].family, 0), CLOCK_US);
			const struct packet quotation = quote(&shot);
			uint8_t reply[ECHO_BYTES];
			const struct packet packet = reply_of(exchange[sent].module, &shot, reply);
			const bool same = exchange[sent].module == exchange[e].module;
			struct dp_answer answer;

			cr_assert_eq(
				judge(exchange[e].module, &env, &packet, CLOCK_US, &answer).kind,
				same ? PROBE_ANSWER : PROBE_NONE);
			cr_assert_eq(exchange[e].module->quoted(&env, &quotation, &answer), same);
		}
}

/* Transmissions beyond those of the run are none; neighbours in sequence are told apart. */
Test(probe_icmp, passes) {
	const struct probe_env env = test_env(false);

	for (unsigned i = 0; i < EXCHANGES * 128; i++) {
		const unsigned e = i / 128, pass = i % 128;
		const struct probe_module *module = exchange[e].module;
		const struct shot shot = shoot(
			module, &env, target_of(exchange[e].family, (uint8_t)pass), CLOCK_US);
		const struct packet quotation = quote(&shot);
		uint8_t reply[ECHO_BYTES];
		const struct packet packet = reply_of(module, &shot, reply);
		struct dp_answer answer;

		cr_assert_eq(judge(module, &env, &packet, CLOCK_US, &answer).kind,
			pass < PASSES ? PROBE_ANSWER : PROBE_NONE);
		if (pass < PASSES)
			cr_assert_eq(answer.pass, pass);
		cr_assert_eq(module->quoted(&env, &quotation, &answer), pass < PASSES);
		if (pass < PASSES)
			cr_assert_eq(answer.pass, pass);
	}
}

/* Eight bytes are enough, and all of them count but the checksum. */
Test(probe_icmp, quotations) {
	struct probe_env env = test_env(true);

	env.passes = 1;
	for (unsigned e = 0; e < EXCHANGES; e++) {
		const struct probe_module *module = exchange[e].module;
		const enum family family = exchange[e].family;
		const struct shot shot = shoot(module, &env, target_of(family, 0), CLOCK_US);
		const struct packet packet = quote(&shot);
		struct dp_answer answer;

		check_quoted_bits(module, &env, packet, 8, "==..====");
		cr_assert(module->quoted(&env, &packet, &answer));
		cr_assert(answer.ip == test_target(family));
		cr_assert_eq(answer.port, 0);
		cr_assert_eq(answer.proto, DP_PROTO_ICMP);
		cr_assert_eq(answer.pass, 0);
		cr_assert_not(module->unreachable_closes);
	}
}
