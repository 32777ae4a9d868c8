/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and neighbour solicitations: each byte, and which replies count. */
#include "probe_packet_test.h"

/* To 198.51.100.7 from 192.0.2.10. */
/* clang-format off */
static const uint8_t golden_arp[] = {
	0x00, 0x01, /* Ethernet */
	0x08, 0x00, /* IPv4 */
	0x06, 0x04, /* lengths of addresses */
	0x00, 0x01, /* request */
	0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* our hardware address */
	0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* asked for */
	0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
};
/* clang-format on */

/* To 2001:db8:7::1 from 2001:db8::a; the checksum was computed apart from this code. */
/* clang-format off */
static const uint8_t golden_ndp[] = {
	0x60, 0x00, 0x00, 0x00, /* IPv6 */
	0x00, 0x20, /* 32 bytes behind it */
	0x3a, 0xff, /* next header; hop limit */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, /* 2001:db8::a */
	0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x01, 0xff, 0x00, 0x00, 0x01, /* ff02::1:ff00:1 */
	0x87, 0x00, /* neighbour solicitation */
	0x1c, 0x10, /* checksum */
	0x00, 0x00, 0x00, 0x00, /* reserved */
	0x20, 0x01, 0x0d, 0xb8, 0x00, 0x07, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, /* 2001:db8:7::1 */
	0x01, 0x01, /* source link-layer address, 8 bytes */
	0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* our hardware address */
};
/* clang-format on */

static struct dp_target target_of(enum family family) {
	return (struct dp_target){.ip = test_target(family)};
}

Test(probe_link, golden_packets) {
	const struct probe_env env = test_env(false);
	struct shot shot = shoot(&probe_arp, &env, target_of(FAMILY_V4), CLOCK_US);

	assert_golden(&shot, golden_arp, sizeof(golden_arp));
	shot = shoot(&probe_ndp, &env, target_of(FAMILY_V6), CLOCK_US);
	assert_golden(&shot, golden_ndp, sizeof(golden_ndp));
}

/* They are for everybody on the link, and exist in one family each. */
Test(probe_link, rows) {
	cr_assert(probe_arp.link);
	cr_assert(probe_ndp.link);
	cr_assert_eq(probe_arp.protocol[FAMILY_V4], 0);
	cr_assert_eq(probe_arp.packet_bytes[FAMILY_V6], 0);
	cr_assert_eq(probe_ndp.packet_bytes[FAMILY_V4], 0);
	cr_assert_eq(probe_ndp.protocol[FAMILY_V6], 58);
	cr_assert_null(probe_arp.quoted);
	cr_assert_null(probe_ndp.quoted);
}

/* Who asks is the address that the cookie chose; the rest is as in the golden packet. */
Test(probe_link, arp_of_any_target) {
	for (unsigned several = 0; several < 2; several++) {
		const struct probe_env env = test_env(several);
		uint8_t used[ARP_BYTES], *at = used;
		struct probe_sums sums;
		uint64_t state = 61;

		probe_arp.prepare(&env, FAMILY_V4, used, &sums);
		for (unsigned round = 0; round < 2000; round++) {
			const struct dp_target target
				= random_target(&probe_arp, FAMILY_V4, &state);
			const dp_ip source = reference_source(
				FAMILY_V4, several, reference_hash(target.ip, 0));
			const struct shot shot = shoot(&probe_arp, &env, target, CLOCK_US);

			cr_assert_arr_eq(shot.bytes, golden_arp, 14);
			cr_assert_arr_eq(shot.bytes + 18, golden_arp + 18, 6);
			cr_assert(dp_ip_v4(get32(shot.bytes + 14)) == source);
			cr_assert(dp_ip_v4(get32(shot.bytes + 24)) == target.ip);
			probe_arp.make(&env, FAMILY_V4, &sums, &at, NULL, &target, 1, CLOCK_US);
			cr_assert_arr_eq(used, shot.bytes, ARP_BYTES);
		}
	}
	{
		const struct probe_env env = test_env(true);

		check_bursts(&probe_arp, &env, FAMILY_V4);
	}
}

Test(probe_link, solicitations_of_any_target) {
	const struct probe_env env = test_env(false);
	uint64_t state = 62;

	check_module(&probe_ndp, &env);
	for (unsigned round = 0; round < 2000; round++) {
		const struct dp_target target = random_target(&probe_ndp, FAMILY_V6, &state);
		const struct shot shot = shoot(&probe_ndp, &env, target, CLOCK_US);

		cr_assert_arr_eq(shot.bytes + 24, golden_ndp + 24, 13, "the group's prefix");
		cr_assert_arr_eq(shot.bytes + 37, shot.bytes + 61, 3, "its last 24 bits");
		cr_assert(dp_ip_get_v6(shot.bytes + 48) == target.ip);
	}
}

/* A reply counts where it came to the address that asked, whatever else of ours there is. */
Test(probe_link, replies) {
	static const struct {
		const struct probe_module *module;
		enum family family;
		uint8_t proto, reason;
		enum dp_response response;
	} row[] = {
		{&probe_arp, FAMILY_V4, DP_PROTO_ARP, DP_REASON_ARP_RESPONSE,
			DP_RESPONSE_ARP_REPLY},
		{&probe_ndp, FAMILY_V6, DP_PROTO_NDP, DP_REASON_ND_RESPONSE,
			DP_RESPONSE_NEIGHBOR_ADVERTISEMENT},
	};

	for (unsigned i = 0; i < 4; i++) {
		const bool several = i / 2;
		const struct probe_env env = test_env(several);
		const enum family family = row[i % 2].family;
		const uint8_t message[ND_BYTES] = {0};
		uint64_t state = 63;

		for (unsigned round = 0; round < 200; round++) {
			const dp_ip ip = random_ip(family, &state);
			const struct packet packet = {
				.family = family,
				.src = ip,
				.dst = reference_source(family, several, reference_hash(ip, 0)),
				.l4 = message,
				.l4_bytes = sizeof(message),
			};
			struct dp_answer answer;
			const struct verdict v
				= judge(row[i % 2].module, &env, &packet, CLOCK_US, &answer);
			struct packet other = packet;

			cr_assert_eq(v.kind, PROBE_ANSWER);
			cr_assert_eq(v.response, row[i % 2].response);
			cr_assert(answer.ip == ip);
			cr_assert_eq(answer.port, 0);
			cr_assert_eq(answer.proto, row[i % 2].proto);
			cr_assert_eq(answer.state, DP_STATE_UP);
			cr_assert_eq(answer.reason, row[i % 2].reason);
			cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
			cr_assert_eq(answer.pass, 0);
			for (unsigned bit = 0; bit < 32; bit++) {
				other.dst = packet.dst ^ (dp_ip)1 << bit;
				cr_assert_eq(
					judge(row[i % 2].module, &env, &other, CLOCK_US, &answer)
						.kind,
					PROBE_NONE);
			}
		}
	}
}
