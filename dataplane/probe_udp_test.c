/* SPDX-License-Identifier: BSD-3-Clause */
/* The UDP probe: each byte with and without payload, and which datagrams count as answers to it. */
#include "book.h"
#include "probe_packet_test.h"

enum {
	PLAIN = 60001, /* one payload */
	TOKEN = 60002, /* two with a token, the first at 2, the second at 0 */
	LONG = 60003, /* as long as they may be */
	BARE = 60009, /* nobody's: the empty datagram */
	TOKEN_BYTES = 4,
};

static const uint8_t plain[] = {0xff, 0x00, 'h', 'e', 'l', 'l', 'o'};
static const uint8_t first[] = {'A', 'B', 0, 0, 0, 0, 'C'};
static const uint8_t second[] = {0, 0, 0, 0, 'D', 'E'};
static uint8_t longest[DP_PAYLOAD_MAX_BYTES];

static const struct dp_payload payloads[] = {
	{.name = "plain",
		.ports = (const uint16_t[]){PLAIN},
		.nb_ports = 1,
		.bytes = plain,
		.length = sizeof(plain)},
	{.name = "first",
		.ports = (const uint16_t[]){TOKEN},
		.nb_ports = 1,
		.bytes = first,
		.length = sizeof(first),
		.token = DP_TOKEN_BINARY,
		.token_bytes = TOKEN_BYTES,
		.token_at = 2,
		.reply_at = 2},
	{.name = "second",
		.ports = (const uint16_t[]){TOKEN},
		.nb_ports = 1,
		.bytes = second,
		.length = sizeof(second),
		.token = DP_TOKEN_BINARY,
		.token_bytes = TOKEN_BYTES,
		.token_at = 0,
		.reply_at = 0},
	{.name = "long",
		.ports = (const uint16_t[]){LONG},
		.nb_ports = 1,
		.bytes = longest,
		.length = sizeof(longest)},
};

static struct payload_book *book;

static void open_book(void) {
	for (unsigned i = 0; i < sizeof(longest); i++)
		longest[i] = (uint8_t)(i * 37);
	if (book_create(payloads, sizeof(payloads) / sizeof(payloads[0]), NULL, 0, &book))
		abort();
}

static void close_book(void) {
	book_destroy(book);
}

TestSuite(probe_udp, .init = open_book, .fini = close_book);

static struct probe_env udp_env(bool several) {
	struct probe_env env = test_env(several);

	env.book = book;
	return env;
}

/*
 * To 198.51.100.7 and 2001:db8:7::1 from 192.0.2.10 and 2001:db8::a: transmission 2 with a payload of
 * odd length, and transmission 0 of an empty datagram. Cookies and checksums were computed apart from
 * this code.
 */
/* clang-format off */
static const uint8_t golden_v4[] = {
	0x45, 0x00, /* IPv4: header of 5 words; type of service 0 */
	0x00, 0x23, /* 35 bytes in all */
	0xa7, 0x89, /* identification from the cookie */
	0x40, 0x00, /* do not fragment */
	0x40, 0x11, /* time to live; protocol */
	0xa6, 0xfb, /* checksum */
	0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
	0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
	0xb1, 0x82, /* UDP: port 45442 from the cookie, transmission 2 */
	0xea, 0x61, /* port 60001 */
	0x00, 0x0f, /* 15 bytes */
	0x34, 0xd3, /* checksum */
	0xff, 0x00, 0x68, 0x65, 0x6c, 0x6c, 0x6f, /* payload */
};
/* clang-format on */

/* clang-format off */
static const uint8_t golden_v6[] = {
	0x60, 0x05, 0xc8, 0x71, /* IPv6: flow label from the cookie */
	0x00, 0x0f, /* 15 bytes behind it */
	0x11, 0x40, /* next header; hop limit */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, /* 2001:db8::a */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x07, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, /* 2001:db8:7::1 */
	0xaa, 0x28, /* UDP: port 43560 from the cookie, transmission 2 */
	0xea, 0x61, /* port 60001 */
	0x00, 0x0f, /* 15 bytes */
	0xcc, 0xee, /* checksum */
	0xff, 0x00, 0x68, 0x65, 0x6c, 0x6c, 0x6f, /* payload */
};
/* clang-format on */

/* clang-format off */
static const uint8_t golden_empty_v4[] = {
	0x45, 0x00, /* IPv4: header of 5 words; type of service 0 */
	0x00, 0x1c, /* 28 bytes in all */
	0x97, 0xc3, /* identification from the cookie */
	0x40, 0x00, /* do not fragment */
	0x40, 0x11, /* time to live; protocol */
	0xb6, 0xc8, /* checksum */
	0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
	0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
	0xa1, 0xe0, /* UDP: port 41440 from the cookie, transmission 0 */
	0xea, 0x69, /* port 60009 */
	0x00, 0x08, /* 8 bytes */
	0x87, 0x4e, /* checksum */
};
/* clang-format on */

static struct dp_target target_of(enum family family, uint16_t port, unsigned pass) {
	return (struct dp_target){test_target(family), port, (uint8_t)pass, 0};
}

Test(probe_udp, golden_packets) {
	const struct probe_env env = udp_env(false);
	struct shot shot = shoot(&probe_udp, &env, target_of(FAMILY_V4, PLAIN, 2), CLOCK_US);

	assert_golden(&shot, golden_v4, sizeof(golden_v4));
	shot = shoot(&probe_udp, &env, target_of(FAMILY_V6, PLAIN, 2), CLOCK_US);
	assert_golden(&shot, golden_v6, sizeof(golden_v6));
	shot = shoot(&probe_udp, &env, target_of(FAMILY_V4, BARE, 0), CLOCK_US);
	assert_golden(&shot, golden_empty_v4, sizeof(golden_empty_v4));
}

Test(probe_udp, any_target) {
	const struct probe_env env = udp_env(false);

	check_module(&probe_udp, &env);
	cr_assert(probe_udp.varies);
	cr_assert(probe_udp.unreachable_closes);
	cr_assert_eq(probe_udp.packet_bytes[FAMILY_V4], 1260);
	cr_assert_eq(probe_udp.packet_bytes[FAMILY_V6], 1280, "IPv6's least MTU");
}

/* Payloads of all kinds from one buffer, one after the other: nothing of the last one stays. */
Test(probe_udp, payloads_in_a_used_buffer) {
	static const uint16_t ports[] = {PLAIN, LONG, TOKEN, BARE, TOKEN, LONG, BARE, PLAIN};

	for (unsigned i = 0; i < 2 * FAMILIES; i++) {
		const enum family family = i % 2;
		const struct probe_env env = udp_env(i / 2);
		struct shot used = {.family = family};
		struct probe_sums sums;
		uint64_t state = 81;

		probe_udp.prepare(&env, family, used.bytes, &sums);
		for (unsigned round = 0; round < 2000; round++) {
			const struct dp_target target = {random_ip(family, &state),
				ports[round % 8], (uint8_t)(round / 8 % PASSES), 0};
			const struct dp_payload *payload
				= book_payload(env.book, target.port, target.pass);
			const struct shot shot = shoot(&probe_udp, &env, target, CLOCK_US);
			const unsigned header = network_bytes(family) + 8;
			const uint64_t random
				= reference_more(reference_hash(target.ip, target.port), 3);
			uint8_t expected[DP_PAYLOAD_MAX_BYTES];

			used.length = make_in(
				&probe_udp, &env, family, &sums, used.bytes, &target, CLOCK_US);
			cr_assert(shot_good(&shot));
			cr_assert_eq(used.length, shot.length);
			cr_assert_arr_eq(used.bytes, shot.bytes, shot.length);
			cr_assert_eq(shot.length, header + payload->length);
			if (payload->length == 0)
				continue;
			memcpy(expected, payload->bytes, payload->length);
			payload_put_token(payload, random, expected);
			cr_assert_arr_eq(shot.bytes + header, expected, payload->length);
		}
	}
}

/* A checksum that comes to 0 goes out as 0xffff (RFC 768), as 0 means none. */
Test(probe_udp, no_checksum_of_zero) {
	const struct probe_env env = udp_env(false);
	struct shot shot = {.family = FAMILY_V6};
	struct probe_sums sums;
	unsigned ones = 0;

	probe_udp.prepare(&env, FAMILY_V6, shot.bytes, &sums);
	for (unsigned i = 0; i < 1 << 18; i++) {
		const struct dp_target target = {TARGET_V6 + i, BARE, 0, 0};

		shot.length = make_in(
			&probe_udp, &env, FAMILY_V6, &sums, shot.bytes, &target, CLOCK_US);
		if (!shot_good(&shot))
			cr_assert_fail("target %u", i);
		ones += get16(shot.bytes + 46) == 0xffff;
	}
	cr_assert_gt(ones, 0, "too few to prove anything");
}

/* What a service sends back: ports exchanged, @bytes of @says. */
static struct packet host_reply(
	const struct shot *shot, const void *says, unsigned bytes, uint8_t reply[PROBE_ROOM]) {
	const uint8_t *udp = shot->bytes + network_bytes(shot->family);

	memcpy(reply, udp + 2, 2);
	memcpy(reply + 2, udp, 2);
	put16(reply + 4, (uint16_t)(8 + bytes));
	put16(reply + 6, 0x1234);
	if (bytes)
		memcpy(reply + 8, says, bytes);
	return reply_to(shot, reply, 8 + bytes);
}

Test(probe_udp, replies_of_hosts) {
	const struct probe_env envs[] = {udp_env(false), udp_env(true)};
	uint64_t state = 82;

	for (unsigned round = 0; round < 4000; round++) {
		const struct probe_env *env = &envs[round / 2 % 2];
		const struct dp_target target = {random_ip(round % 2, &state),
			round / 4 % 2 ? BARE : PLAIN, (uint8_t)(round % PASSES), 0};
		const struct shot shot = shoot(&probe_udp, env, target, CLOCK_US);
		uint8_t reply[PROBE_ROOM];
		const unsigned bytes = round % 5 == 4 ? 0 : 1 + round % 1000;
		const struct packet packet = host_reply(&shot, longest, bytes, reply);
		struct dp_answer answer;
		const struct verdict v = judge(&probe_udp, env, &packet, CLOCK_US, &answer);

		cr_assert_eq(v.kind, PROBE_ANSWER);
		cr_assert_eq(v.response, DP_RESPONSE_UDP);
		cr_assert(answer.ip == target.ip);
		cr_assert_eq(answer.port, target.port);
		cr_assert_eq(answer.proto, DP_PROTO_UDP);
		cr_assert_eq(answer.state, DP_STATE_OPEN);
		cr_assert_eq(answer.reason, DP_REASON_UDP_RESPONSE);
		cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
		cr_assert_eq(answer.pass, target.pass);
		cr_assert_eq(answer.banner_bytes, bytes);
		if (bytes)
			cr_assert_eq(answer.banner, packet.l4 + 8);
	}
}

/* Nothing of a datagram proves anything without a token but its ports and addresses. */
Test(probe_udp, forgeries) {
	struct probe_env env = udp_env(true);

	env.passes = 1; /* else some neighbours of our port are ours, too */
	for (unsigned i = 0; i < 2 * FAMILIES; i++) {
		const bool token = i / 2;
		const struct shot shot = shoot(
			&probe_udp, &env, target_of(i % 2, token ? TOKEN : PLAIN, 0), CLOCK_US);
		uint8_t reply[PROBE_ROOM];
		const struct packet packet = host_reply(
			&shot, shot.bytes + network_bytes(i % 2) + 8, sizeof(first), reply);

		check_addresses(&probe_udp, &env, packet);
		/* Ports; length, which comes next; checksum, which is the parser's; the payload. */
		check_bits(&probe_udp, &env, packet, token ? "====??....====." : "====??.........");
		for (unsigned n = 0; n < 65536; n++) {
			struct dp_answer answer;
			enum probe_kind kind;

			put16(reply + 4, (uint16_t)n);
			kind = judge(&probe_udp, &env, &packet, CLOCK_US, &answer).kind;
			/* The token ends at 8 + 2 + 4. */
			if ((kind != PROBE_NONE) != (n >= (token ? 14 : 8) && n <= 15))
				cr_assert_fail("length %u", n);
			if (kind != PROBE_NONE)
				cr_assert_eq(answer.banner_bytes, n - 8);
		}
	}
}

/* Bytes that are no datagram, at the end of readable memory. */
Test(probe_udp, cut_datagrams) {
	const struct probe_env env = udp_env(false);
	const struct shot shot = shoot(&probe_udp, &env, target_of(FAMILY_V4, BARE, 0), CLOCK_US);
	uint8_t reply[PROBE_ROOM], *end = cage_end();
	struct packet packet = host_reply(&shot, plain, sizeof(plain), reply);

	cr_assert_not_null(end);
	for (unsigned n = 0; n <= 8 + sizeof(plain); n++) {
		struct dp_answer answer;

		memcpy(end - n, reply, n);
		packet.l4 = end - n;
		packet.l4_bytes = n;
		cr_assert_eq(judge(&probe_udp, &env, &packet, CLOCK_US, &answer).kind,
			n == 8 + sizeof(plain) ? PROBE_ANSWER : PROBE_NONE, "%u bytes", n);
	}
}

/* The payload of another transmission has its token elsewhere: it must be that of the port. */
Test(probe_udp, token_of_the_pass) {
	const struct probe_env env = udp_env(false);

	for (unsigned pass = 0; pass < PASSES; pass++) {
		const struct shot shot
			= shoot(&probe_udp, &env, target_of(FAMILY_V6, TOKEN, pass), CLOCK_US);
		const struct shot other
			= shoot(&probe_udp, &env, target_of(FAMILY_V6, TOKEN, pass + 1), CLOCK_US);
		uint8_t reply[PROBE_ROOM];
		struct packet packet = host_reply(&shot, shot.bytes + 48, shot.length - 48, reply);
		struct dp_answer answer;

		cr_assert_eq(
			judge(&probe_udp, &env, &packet, CLOCK_US, &answer).kind, PROBE_ANSWER);
		cr_assert_eq(answer.pass, pass);
		packet = host_reply(&shot, other.bytes + 48, other.length - 48, reply);
		cr_assert_eq(judge(&probe_udp, &env, &packet, CLOCK_US, &answer).kind, PROBE_NONE);
	}
}

/* Fewer ports than transmissions: the token tells which one it was, as far as anything does. */
Test(probe_udp, fewer_ports_than_passes) {
	for (unsigned span = 1; span <= 3; span++) {
		struct probe_env env = udp_env(false);

		env.cookie.port_span = span;
		for (unsigned pass = 0; pass < PASSES; pass++) {
			const struct shot shot = shoot(
				&probe_udp, &env, target_of(FAMILY_V4, TOKEN, pass), CLOCK_US);
			uint8_t reply[PROBE_ROOM];
			const struct packet packet
				= host_reply(&shot, shot.bytes + 28, shot.length - 28, reply);
			struct dp_answer answer;

			cr_assert_eq(judge(&probe_udp, &env, &packet, CLOCK_US, &answer).kind,
				PROBE_ANSWER, "span %u, pass %u", span, pass);
			/* The same payload at the same port: the first of them. */
			cr_assert_eq(answer.pass % span, pass % span);
			cr_assert_eq(answer.pass % 2, pass % 2);
			cr_assert_leq(answer.pass, pass);
		}
	}
}

/* The ports behind the end of the range are not ours, though the count of transmissions goes on there. */
Test(probe_udp, ports_of_others) {
	struct probe_env env = udp_env(false);

	env.cookie.port_span = 3;
	for (unsigned i = 0; i < 20; i++) {
		const struct dp_target target = {TARGET_V6 + i, PLAIN, 0, 0};
		const struct shot shot = shoot(&probe_udp, &env, target, CLOCK_US);
		uint8_t reply[PROBE_ROOM];
		const struct packet packet = host_reply(&shot, plain, sizeof(plain), reply);

		for (unsigned port = 0; port < 65536; port++) {
			struct dp_answer answer;

			put16(reply + 2, (uint16_t)port);
			if ((judge(&probe_udp, &env, &packet, CLOCK_US, &answer).kind != PROBE_NONE)
				!= (port >= PORT_FIRST && port < PORT_FIRST + 3))
				cr_assert_fail("target %u, port %u", i, port);
		}
	}
}

/* Transmissions beyond those of the run are none. */
Test(probe_udp, passes) {
	const struct probe_env env = udp_env(false);

	for (unsigned pass = 0; pass < 128; pass++) {
		const struct shot shot
			= shoot(&probe_udp, &env, target_of(pass % 2, PLAIN, pass), CLOCK_US);
		const struct packet quotation = quote(&shot);
		uint8_t reply[PROBE_ROOM];
		const struct packet packet = host_reply(&shot, plain, sizeof(plain), reply);
		struct dp_answer answer;

		cr_assert_eq(judge(&probe_udp, &env, &packet, CLOCK_US, &answer).kind,
			pass < PASSES ? PROBE_ANSWER : PROBE_NONE);
		cr_assert_eq(probe_udp.quoted(&env, &quotation, &answer), pass < PASSES);
		if (pass < PASSES)
			cr_assert_eq(answer.pass, pass);
	}
}

/* Eight bytes: the ports, and in front of them the network header's stamp. */
Test(probe_udp, quotations) {
	struct probe_env env = udp_env(true);

	env.passes = 1;
	for (enum family family = 0; family < FAMILIES; family++) {
		const struct shot shot
			= shoot(&probe_udp, &env, target_of(family, TOKEN, 0), CLOCK_US);
		const struct packet packet = quote(&shot);
		struct dp_answer answer;

		check_quoted_bits(&probe_udp, &env, packet, 8, "====....");
		cr_assert(probe_udp.quoted(&env, &packet, &answer));
		cr_assert(answer.ip == test_target(family));
		cr_assert_eq(answer.port, TOKEN);
		cr_assert_eq(answer.proto, DP_PROTO_UDP);
		cr_assert_eq(answer.pass, 0);
	}
}

/* Without the stamp the token has to be quoted, all of it; where there is none, nothing helps. */
Test(probe_udp, quotations_without_stamp) {
	struct probe_env env = udp_env(true);

	env.passes = 1;
	for (unsigned i = 0; i < 2 * FAMILIES; i++) {
		const bool token = i / 2;
		const struct shot shot = shoot(
			&probe_udp, &env, target_of(i % 2, token ? TOKEN : PLAIN, 0), CLOCK_US);
		struct packet packet = quote(&shot);
		const unsigned whole = packet.l4_bytes;
		const uint32_t stamp = packet.stamp;
		struct dp_answer answer;

		for (unsigned bit = 0; bit < (i % 2 ? 20u : 16u); bit++) {
			packet.stamp = stamp ^ 1u << bit;
			for (unsigned n = 8; n <= whole; n++) {
				packet.l4_bytes = n;
				/* The token ends at 8 + 2 + 4. */
				cr_assert_eq(probe_udp.quoted(&env, &packet, &answer),
					token && n >= 14, "bit %u, %u bytes", bit, n);
			}
		}
		packet.l4_bytes = 8;
		packet.stamp = __builtin_bswap16((uint16_t)stamp);
		cr_assert_eq(probe_udp.quoted(&env, &packet, &answer), i % 2 == FAMILY_V4);
	}
}
