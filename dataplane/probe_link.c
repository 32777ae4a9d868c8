/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts on our own link: who has this address, by ARP (RFC 826) or by neighbour solicitation
 * (RFC 4861 4.3).
 *
 * Neither has room for a cookie. What counts as an answer is a reply about the target's address that
 * was sent to the very address of ours that would have asked; whoever is on the link can forge it,
 * as he could the target itself.
 * Pure functions; TX lcores run prepare and make, RX lcores the rest.
 */
#include "probe_packet.h"

enum {
	/* RFC 826, for Ethernet and IPv4. */
	ARP_HARDWARE_ETHERNET = 1,
	ARP_OPERATION_AT = 6,
	ARP_SENDER_MAC_AT = 8,
	ARP_SENDER_IP_AT = 14,
	ARP_TARGET_IP_AT = 24,

	ND_CHECKSUM_AT = 2,
	ND_TARGET_AT = 8,
	SOLICITATION_BYTES = ND_BYTES + ND_OPTION_BYTES,
};

static uint64_t hash_of(const struct probe_env *env, dp_ip ip) {
	return cookie_hash(&env->cookie, ip, 0);
}

static struct verdict judge(const struct probe_env *env, const struct packet *packet,
	enum dp_proto proto, enum dp_reason reason, enum dp_response response,
	struct dp_answer *answer) {
	if (!probe_came_home(env, packet->dst, packet->family, hash_of(env, packet->src)))
		return (struct verdict){.kind = PROBE_NONE};
	probe_answer(answer, packet->src, 0, proto, DP_STATE_UP, reason);
	answer->pass = 0; /* nothing in it tells which */
	return (struct verdict){PROBE_ANSWER, response};
}

static void arp_prepare(
	const struct probe_env *env, enum family family, uint8_t *packet, struct probe_sums *sums) {
	*sums = (struct probe_sums){0};
	memset(packet, 0, ARP_BYTES);
	put16(packet, ARP_HARDWARE_ETHERNET);
	put16(packet + 2, ETH_TYPE_IPV4);
	packet[4] = 6;
	packet[5] = 4;
	put16(packet + ARP_OPERATION_AT, ARP_REQUEST);
	mac_put(packet + ARP_SENDER_MAC_AT, env->source_mac);
	put32(packet + ARP_SENDER_IP_AT, dp_ip_to_v4(env->sources[family].only));
}

static void arp_make(const struct probe_env *env, enum family family, const struct probe_sums *sums,
	uint8_t *const *packet, uint16_t *length, const struct dp_target *target, unsigned n,
	uint32_t clock_us) {
	bool several = env->sources[family].only == 0;

	for (unsigned i = 0; i < n; i++) {
		dp_ip ip = target[i].ip;

		put32(packet[i] + ARP_TARGET_IP_AT, dp_ip_to_v4(ip));
		if (several)
			put32(packet[i] + ARP_SENDER_IP_AT,
				dp_ip_to_v4(probe_source(env, family, hash_of(env, ip))));
	}
}

static struct verdict arp_judge(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	return judge(
		env, packet, DP_PROTO_ARP, DP_REASON_ARP_RESPONSE, DP_RESPONSE_ARP_REPLY, answer);
}

const struct probe_module probe_arp = {
	.name = "arp",
	.proto = DP_PROTO_ARP,
	.link = true,
	.packet_bytes = {[FAMILY_V4] = ARP_BYTES},
	.prepare = arp_prepare,
	.make = arp_make,
	.packet = arp_judge,
};

static void ndp_prepare(
	const struct probe_env *env, enum family family, uint8_t *packet, struct probe_sums *sums) {
	uint8_t *nd = probe_prepare_ip(env, family, packet, IPV4_ICMPV6, SOLICITATION_BYTES, sums);

	packet[7] = ND_HOP_LIMIT;
	memset(nd, 0, SOLICITATION_BYTES);
	nd[0] = ICMPV6_SOLICITATION;
	nd[ND_BYTES] = ND_OPTION_SOURCE;
	nd[ND_BYTES + 1] = ND_OPTION_BYTES / 8;
	mac_put(nd + ND_BYTES + 2, env->source_mac);
	sums->l4 += sum_bytes(nd, SOLICITATION_BYTES);
}

static void ndp_make(const struct probe_env *env, enum family family, const struct probe_sums *sums,
	uint8_t *const *packet, uint16_t *length, const struct dp_target *target, unsigned n,
	uint32_t clock_us) {
	for (unsigned i = 0; i < n; i++) {
		dp_ip ip = target[i].ip;
		uint8_t *nd = packet[i] + IPV6_BYTES;
		uint64_t sum = sums->l4 + words_ip(ip);

		sum += probe_aim(
			env, family, sums, packet[i], solicited_node(ip), hash_of(env, ip), 0);
		dp_ip_put_v6(nd + ND_TARGET_AT, ip);
		put16(nd + ND_CHECKSUM_AT, (uint16_t)~sum_fold(sum));
	}
}

static struct verdict ndp_judge(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	return judge(env, packet, DP_PROTO_NDP, DP_REASON_ND_RESPONSE,
		DP_RESPONSE_NEIGHBOR_ADVERTISEMENT, answer);
}

const struct probe_module probe_ndp = {
	.name = "ndp",
	.proto = DP_PROTO_NDP,
	.protocol = {[FAMILY_V6] = IPV4_ICMPV6},
	.link = true,
	.packet_bytes = {[FAMILY_V6] = IPV6_BYTES + SOLICITATION_BYTES},
	.prepare = ndp_prepare,
	.make = ndp_make,
	.packet = ndp_judge,
};
