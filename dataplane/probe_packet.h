/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What modules have in common: the network header of a probe, and how a response is held against the
 * cookie. Inline, for the hot path.
 *
 * Checksums are sums of 16-bit words, so those of the constant bytes are taken once, with the changing
 * fields as zero, and the changing words added (RFC 1624).
 */
#ifndef PROBE_PACKET_H
#define PROBE_PACKET_H

#include "probe.h"

enum {
	PROBE_TTL = 64,
	/* An echoed clock that claims a longer way than this is not ours, or not worth believing. */
	PROBE_MAX_RTT_US = 120 * 1000 * 1000,
};

static inline unsigned ip_bytes(enum family family) {
	return family == FAMILY_V6 ? IPV6_BYTES : IPV4_BYTES;
}

/* The source address of a probe to (ip, port) of @hash. */
static inline dp_ip probe_source(const struct probe_env *env, enum family family, uint64_t hash) {
	return source_pick(&env->sources[family], cookie_more(hash, 1));
}

/*
 * Prepare the network header in front of @l4_bytes of @protocol, 0 where they vary: then the lengths
 * are left to make(). The source is filled in where there is just one. Returns where the transport
 * begins; @sums then have the network header, and of the pseudo-header what is constant.
 */
static inline uint8_t *probe_prepare_ip(const struct probe_env *env, enum family family,
	uint8_t *packet, uint8_t protocol, uint16_t l4_bytes, struct probe_sums *sums) {
	dp_ip from = env->sources[family].only;

	sums->l4 = words_ip(from) + protocol + l4_bytes;
	if (family == FAMILY_V6) {
		ipv6_put(packet, l4_bytes, protocol, PROBE_TTL, from, 0);
		sums->ip = 0;
		return packet + IPV6_BYTES;
	}
	ipv4_put(packet, l4_bytes ? IPV4_BYTES + l4_bytes : 0, 0, PROBE_TTL, protocol,
		dp_ip_to_v4(from), 0);
	sums->ip = (uint16_t)~get16(packet + 10);
	return packet + IPV4_BYTES;
}

/*
 * Aim a prepared packet at @to. @total: of an IPv4 packet that varies in length, else 0. Returns the
 * words of those addresses that the sums do not have, for the pseudo-header.
 */
static inline uint64_t probe_aim(const struct probe_env *env, enum family family,
	const struct probe_sums *sums, uint8_t *packet, dp_ip to, uint64_t hash, uint16_t total) {
	bool several = env->sources[family].only == 0;
	dp_ip from = several ? probe_source(env, family, hash) : 0;
	uint64_t words = words_ip(to) + (several ? words_ip(from) : 0);
	uint16_t id = (uint16_t)(hash >> 48);

	if (family == FAMILY_V6) {
		dp_ip_put_v6(packet + 24, to);
		if (several)
			dp_ip_put_v6(packet + 8, from);
		return words;
	}
	if (total)
		put16(packet + 2, total);
	put16(packet + 4, id);
	if (several)
		put32(packet + 12, dp_ip_to_v4(from));
	put32(packet + 16, dp_ip_to_v4(to));
	put16(packet + 10,
		env->offload_ip ? 0 : (uint16_t)~sum_fold(sums->ip + total + id + words));
	return words;
}

/* Whether @our_ip is the address that a probe of @hash was sent from. */
static inline bool probe_came_home(
	const struct probe_env *env, dp_ip our_ip, enum family family, uint64_t hash) {
	return our_ip == probe_source(env, family, hash);
}

/*
 * What the network header of a probe has of its cookie: IPv4's identification, and IPv6's flow label
 * where a module puts it there. The eight bytes of UDP or SCTP that an ICMP error may quote alone prove
 * no more than their port, but the network header is always there in front of them, unchanged
 * (RFC 1122 3.2.2, RFC 4443 3.1).
 */
static inline uint32_t probe_stamp(enum family family, uint64_t hash) {
	return family == FAMILY_V6 ? (uint32_t)cookie_more(hash, 5) & IPV6_FLOW_LABEL
				   : (uint32_t)(hash >> 48);
}

static inline void probe_put_flow_label(uint8_t *packet, uint64_t hash) {
	put32(packet, IPV6_VERSION | probe_stamp(FAMILY_V6, hash));
}

/* Whether a quoted packet has it. Some stacks give the identification back in their own byte order. */
static inline bool probe_stamped(const struct packet *quoted, uint64_t hash) {
	const uint32_t stamp = probe_stamp(quoted->family, hash);

	return quoted->stamp == stamp
		|| (quoted->family == FAMILY_V4
			&& quoted->stamp == __builtin_bswap16((uint16_t)stamp));
}

/* Whether our port @port belongs to a transmission of (ip, port) of @hash; which one, to @pass. */
static inline bool probe_port_pass(
	const struct probe_env *env, uint64_t hash, uint16_t port, uint8_t *pass) {
	unsigned k = cookie_pass(&env->cookie, hash, port);

	*pass = (uint8_t)k;
	return cookie_owns_port(&env->cookie, port) && k < env->passes;
}

/* The clock that came back as a round-trip time. */
static inline uint32_t probe_rtt(uint32_t sent_us, uint32_t clock_us) {
	uint32_t rtt_us = clock_us - sent_us;

	return rtt_us <= PROBE_MAX_RTT_US ? rtt_us : DP_RTT_NONE;
}

/* Which pair an answer is about, and what it says. */
static inline void probe_answer(struct dp_answer *answer, dp_ip ip, uint16_t port,
	enum dp_proto proto, enum dp_state state, enum dp_reason reason) {
	answer->ip = ip;
	answer->port = port;
	answer->proto = (uint8_t)proto;
	answer->state = (uint8_t)state;
	answer->reason = (uint8_t)reason;
	answer->rtt_us = DP_RTT_NONE;
}

#endif
