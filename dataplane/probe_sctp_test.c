/* SPDX-License-Identifier: BSD-3-Clause */
/* The SCTP INIT: each byte, its CRC, and which packets count as answers to it. */
#include "crc32c.h"
#include "probe_packet_test.h"

enum {
	PORT = 3868,
	REPLY_BYTES = 32,
};

/*
 * Transmission 1 to 198.51.100.7 and 2001:db8:7::1 port 3868, from 192.0.2.10 and 2001:db8::a. Cookies
 * and checksums were computed apart from this code.
 */
/* clang-format off */
static const uint8_t golden_v4[] = {
	0x45, 0x00, /* IPv4: header of 5 words; type of service 0 */
	0x00, 0x34, /* 52 bytes in all */
	0xb3, 0x4b, /* identification from the cookie */
	0x40, 0x00, /* do not fragment */
	0x40, 0x84, /* time to live; protocol */
	0x9a, 0xb5, /* checksum */
	0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
	0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
	0xa8, 0x8f, /* SCTP: port 43151 from the cookie, transmission 1 */
	0x0f, 0x1c, /* port 3868 */
	0x00, 0x00, 0x00, 0x00, /* no verification tag */
	0x30, 0xb0, 0xe5, 0x57, /* checksum */
	0x01, 0x00, 0x00, 0x14, /* INIT, no flags, 20 bytes */
	0x44, 0x28, 0x7b, 0x20, /* initiate tag from the cookie */
	0x00, 0x01, 0xa0, 0x00, /* window */
	0x00, 0x0a, /* 10 streams out */
	0xff, 0xff, /* 65535 in */
	0x9c, 0xdf, 0x72, 0xde, /* first TSN */
};
/* clang-format on */

/* clang-format off */
static const uint8_t golden_v6[] = {
	0x60, 0x0f, 0xc1, 0x8a, /* IPv6: flow label from the cookie */
	0x00, 0x20, /* 32 bytes behind it */
	0x84, 0x40, /* next header; hop limit */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, /* 2001:db8::a */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x07, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, /* 2001:db8:7::1 */
	0xb3, 0xd9, /* SCTP: port 46041 from the cookie, transmission 1 */
	0x0f, 0x1c, /* port 3868 */
	0x00, 0x00, 0x00, 0x00, /* no verification tag */
	0xff, 0xa6, 0xf2, 0xc2, /* checksum */
	0x01, 0x00, 0x00, 0x14, /* INIT, no flags, 20 bytes */
	0x2f, 0x25, 0x22, 0x92, /* initiate tag from the cookie */
	0x00, 0x01, 0xa0, 0x00, /* window */
	0x00, 0x0a, /* 10 streams out */
	0xff, 0xff, /* 65535 in */
	0x53, 0x5d, 0x16, 0x12, /* first TSN */
};
/* clang-format on */

static struct dp_target target_of(enum family family, uint8_t pass) {
	return (struct dp_target){test_target(family), PORT, pass, 0};
}

Test(probe_sctp, golden_packets) {
	const struct probe_env env = test_env(false);
	struct shot shot = shoot(&probe_sctp, &env, target_of(FAMILY_V4, 1), CLOCK_US);

	assert_golden(&shot, golden_v4, sizeof(golden_v4));
	shot = shoot(&probe_sctp, &env, target_of(FAMILY_V6, 1), CLOCK_US);
	assert_golden(&shot, golden_v6, sizeof(golden_v6));
}

/* A CRC bit by bit, as in crc32c_test.c. */
static bool crc_good(const uint8_t *sctp, unsigned n) {
	uint32_t crc = 0xffffffff;

	for (unsigned bit = 0; bit < 8 * n; bit++) {
		const unsigned byte = bit / 8;
		const uint8_t value = byte >= 8 && byte < 12 ? 0 : sctp[byte];

		crc = crc >> 1 ^ ((crc ^ value >> bit % 8) & 1 ? 0x82f63b78 : 0);
	}
	crc = ~crc;
	return sctp[8] == (uint8_t)crc && sctp[9] == (uint8_t)(crc >> 8)
		&& sctp[10] == (uint8_t)(crc >> 16) && sctp[11] == (uint8_t)(crc >> 24);
}

Test(probe_sctp, any_target) {
	const struct probe_env env = test_env(false);
	uint64_t state = 71;

	check_module(&probe_sctp, &env);
	for (unsigned round = 0; round < 1000; round++) {
		const enum family family = round % 2;
		const struct dp_target target = random_target(&probe_sctp, family, &state);
		const uint64_t hash = reference_hash(target.ip, target.port);
		const struct shot shot = shoot(&probe_sctp, &env, target, CLOCK_US);
		const uint8_t *sctp = shot.bytes + network_bytes(family);

		cr_assert(crc_good(sctp, 32));
		cr_assert_eq(get16(sctp), reference_our_port(hash, target.pass));
		cr_assert_eq(get16(sctp + 2), target.port);
		cr_assert_eq(get32(sctp + 16), (uint32_t)hash + target.pass * 0x9e3779b9u);
	}
}

/* What a host replies, written with nothing but the probe's bytes: @type, our tag, a chunk of 20. */
static struct packet host_reply(const struct shot *shot, uint8_t type, uint8_t reply[REPLY_BYTES]) {
	const uint8_t *sctp = shot->bytes + network_bytes(shot->family);

	memset(reply, 0x55, REPLY_BYTES);
	memcpy(reply, sctp + 2, 2);
	memcpy(reply + 2, sctp, 2);
	memcpy(reply + 4, sctp + 16, 4);
	reply[12] = type;
	reply[13] = 0;
	put16(reply + 14, 20);
	return reply_to(shot, reply, REPLY_BYTES);
}

Test(probe_sctp, replies_of_hosts) {
	static const struct {
		uint8_t type, state, reason;
		struct verdict verdict;
	} row[] = {
		{2, DP_STATE_OPEN, DP_REASON_INIT_ACK, {PROBE_OPENED, DP_RESPONSE_INIT_ACK}},
		{6, DP_STATE_CLOSED, DP_REASON_ABORT, {PROBE_ANSWER, DP_RESPONSE_ABORT}},
	};
	uint64_t state = 72;

	for (unsigned round = 0; round < 4000; round++) {
		const struct probe_env env = test_env(round / 4 % 2);
		const struct dp_target target = random_target(&probe_sctp, round / 2 % 2, &state);
		const struct shot shot = shoot(&probe_sctp, &env, target, CLOCK_US);
		uint8_t reply[REPLY_BYTES];
		const struct packet packet = host_reply(&shot, row[round % 2].type, reply);
		struct dp_answer answer;
		const struct verdict v = judge(&probe_sctp, &env, &packet, CLOCK_US, &answer);

		cr_assert_eq(v.kind, row[round % 2].verdict.kind);
		cr_assert_eq(v.response, row[round % 2].verdict.response);
		cr_assert(answer.ip == target.ip);
		cr_assert_eq(answer.port, target.port);
		cr_assert_eq(answer.proto, DP_PROTO_SCTP);
		cr_assert_eq(answer.state, row[round % 2].state);
		cr_assert_eq(answer.reason, row[round % 2].reason);
		cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
		cr_assert_eq(answer.pass, target.pass);
	}
}

/* All types of chunk with all flags: INIT ACK, and ABORT unless it reflects the tag of our INIT. */
Test(probe_sctp, chunks) {
	const struct probe_env env = test_env(false);
	const struct shot shot = shoot(&probe_sctp, &env, target_of(FAMILY_V4, 0), CLOCK_US);

	for (unsigned i = 0; i < 65536; i++) {
		const uint8_t type = (uint8_t)i, flags = (uint8_t)(i >> 8);
		uint8_t reply[REPLY_BYTES];
		const struct packet packet = host_reply(&shot, type, reply);
		struct dp_answer answer;
		enum probe_kind kind;

		reply[13] = flags;
		kind = judge(&probe_sctp, &env, &packet, CLOCK_US, &answer).kind;
		if (kind
			!= (type == 2				    ? PROBE_OPENED
					: type == 6 && !(flags & 1) ? PROBE_ANSWER
								    : PROBE_NONE))
			cr_assert_fail("type %u, flags %02x", type, flags);
	}
}

/* Chunks that are cut, or longer than their packet; each at the end of readable memory. */
Test(probe_sctp, lengths) {
	static const struct {
		const char *what;
		uint8_t type;
		unsigned packet_bytes;
		uint16_t chunk_bytes;
		enum probe_kind kind;
	} row[] = {
		{"nothing", 2, 0, 20, PROBE_NONE},
		{"no chunk", 2, 12, 20, PROBE_NONE},
		{"half a chunk's header", 6, 14, 4, PROBE_NONE},
		{"an ABORT without causes", 6, 16, 4, PROBE_ANSWER},
		{"an ABORT with causes", 6, 32, 20, PROBE_ANSWER},
		{"an ABORT of no length", 6, 32, 0, PROBE_NONE},
		{"an ABORT of 3 bytes", 6, 32, 3, PROBE_NONE},
		{"an ABORT longer than its packet", 6, 16, 5, PROBE_NONE},
		{"an INIT ACK cut by a byte", 2, 31, 20, PROBE_NONE},
		{"a short INIT ACK", 2, 32, 19, PROBE_NONE},
		{"the shortest INIT ACK", 2, 32, 20, PROBE_OPENED},
		{"a length beyond all packets", 2, 32, 65535, PROBE_NONE},
	};
	const struct probe_env env = test_env(false);
	const struct shot shot = shoot(&probe_sctp, &env, target_of(FAMILY_V6, 0), CLOCK_US);
	uint8_t *end = cage_end();

	cr_assert_not_null(end);
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t reply[REPLY_BYTES];
		struct packet packet = host_reply(&shot, row[i].type, reply);
		struct dp_answer answer;

		put16(reply + 14, row[i].chunk_bytes);
		packet.l4_bytes = row[i].packet_bytes;
		packet.l4 = end - packet.l4_bytes;
		memcpy(end - packet.l4_bytes, reply, packet.l4_bytes);
		cr_assert_eq(judge(&probe_sctp, &env, &packet, CLOCK_US, &answer).kind, row[i].kind,
			"%s", row[i].what);
	}
}

/* A port that names no tag of its own cannot be sent an ABORT, but it is open. */
Test(probe_sctp, no_tag_to_abort) {
	const struct probe_env env = test_env(false);
	const struct shot shot = shoot(&probe_sctp, &env, target_of(FAMILY_V4, 0), CLOCK_US);
	uint8_t reply[REPLY_BYTES];
	const struct packet packet = host_reply(&shot, 2, reply);
	struct dp_answer answer;

	memset(reply + 16, 0, 4);
	cr_assert_eq(judge(&probe_sctp, &env, &packet, CLOCK_US, &answer).kind, PROBE_ANSWER);
	cr_assert_eq(answer.state, DP_STATE_OPEN);
}

Test(probe_sctp, forgeries) {
	/*
	 * Ports and tag; the checksum, which is the parser's; the type, which has a test of its own;
	 * flags, which are to be ignored (RFC 9260 3.3.3), and the length; what the host says.
	 */
	static const char rule[] = "========"
				   "...."
				   "?.=="
				   "................";
	struct probe_env env = test_env(true);

	env.passes = 1; /* else some neighbours of our port are ours, too */
	for (enum family family = 0; family < FAMILIES; family++) {
		const struct shot shot = shoot(&probe_sctp, &env, target_of(family, 0), CLOCK_US);
		uint8_t reply[REPLY_BYTES];
		struct packet packet = host_reply(&shot, 2, reply);

		check_addresses(&probe_sctp, &env, packet);
		check_bits(&probe_sctp, &env, packet, rule);
	}
}

/* Which transmission a reply answers; one that was not sent has no answer. */
Test(probe_sctp, passes) {
	struct probe_env sender = test_env(false), env = test_env(false);

	sender.passes = 64;
	for (unsigned pass = 0; pass < 64; pass++) {
		const struct shot shot = shoot(
			&probe_sctp, &sender, target_of(FAMILY_V4, (uint8_t)pass), CLOCK_US);
		const struct packet quotation = quote(&shot);
		uint8_t reply[REPLY_BYTES];
		const struct packet packet = host_reply(&shot, 6, reply);
		struct dp_answer answer;
		const enum probe_kind kind
			= judge(&probe_sctp, &env, &packet, CLOCK_US, &answer).kind;

		cr_assert_eq(kind, pass < PASSES ? PROBE_ANSWER : PROBE_NONE, "pass %u", pass);
		if (pass < PASSES)
			cr_assert_eq(answer.pass, pass);
		cr_assert_eq(probe_sctp.quoted(&env, &quotation, &answer), pass < PASSES);
		if (pass < PASSES)
			cr_assert_eq(answer.pass, pass);
	}
}

/* Ports and stamp are what every router quotes; the initiate tag proves more where it is there. */
Test(probe_sctp, quotations) {
	static const unsigned bytes[] = {8, 12, 19, 20, 32};
	struct probe_env env = test_env(true);

	env.passes = 1;
	for (unsigned i = 0; i < 2 * sizeof(bytes) / sizeof(bytes[0]); i++) {
		const unsigned n = bytes[i / 2];
		const struct shot shot = shoot(&probe_sctp, &env, target_of(i % 2, 0), CLOCK_US);
		const struct packet packet = quote(&shot);
		struct dp_answer answer;

		check_quoted_bits(&probe_sctp, &env, packet, n,
			n < 20 ? "========..........." : "========....=...====............");
		cr_assert(probe_sctp.quoted(&env, &packet, &answer));
		cr_assert(answer.ip == test_target(i % 2));
		cr_assert_eq(answer.port, PORT);
		cr_assert_eq(answer.proto, DP_PROTO_SCTP);
		cr_assert_eq(answer.pass, 0);
		for (unsigned bit = 0; bit < (i % 2 ? 20u : 16u); bit++) {
			struct packet other = packet;

			other.l4_bytes = n;
			other.stamp ^= 1u << bit;
			cr_assert_eq(probe_sctp.quoted(&env, &other, &answer), n >= 20);
		}
	}
	cr_assert_not(probe_sctp.unreachable_closes);
}
