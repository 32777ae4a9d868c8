/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts that answer ICMP: echo in both families (RFC 792, RFC 4443 4.1), and the timestamp of ICMP for
 * IPv4. Identifier and sequence number come from the cookie of (address, 0), and the transmission is
 * added to the latter, so that the eight bytes that an error quotes tell all.
 * Pure functions; TX lcores run prepare and make, RX lcores the rest.
 */
#include "probe_packet.h"

enum {
	CHECKSUM_AT = 2,
	ID_AT = 4,
	SEQUENCE_AT = 6,

	/* Of an echo: */
	PROOF_AT = ICMP_BYTES, /* 64 bits out of the cookie */
	CLOCK_AT = PROOF_AT + 8, /* the sender's clock */
	SEAL_AT = CLOCK_AT + 4, /* the clock under 32 bits of the cookie, so that it is believed */
	ECHO_BYTES = SEAL_AT + 4,

	/* Of a timestamp: */
	ORIGINATE_AT = ICMP_BYTES, /* receive and transmit follow, and are the target's */
	TIMESTAMP_BYTES = ORIGINATE_AT + 12,
};

/* "Any time ... provided the high order bit of the timestamp is also set" (RFC 792). */
#define NO_TIME_OF_DAY 0x80000000u

struct icmp_cookie {
	uint16_t id, sequence; /* of transmission 0 */
	uint32_t seal;
	uint64_t proof;
};

static struct icmp_cookie icmp_cookie(uint64_t hash) {
	uint64_t more = cookie_more(hash, 2);

	return (struct icmp_cookie){
		.id = (uint16_t)(more >> 48),
		.sequence = (uint16_t)(more >> 32),
		.seal = (uint32_t)more,
		.proof = cookie_more(hash, 4),
	};
}

static uint64_t hash_of(const struct probe_env *env, dp_ip ip) {
	return cookie_hash(&env->cookie, ip, 0);
}

static void prepare(const struct probe_env *env, enum family family, uint8_t *packet, uint8_t type,
	uint16_t bytes, struct probe_sums *sums) {
	uint8_t protocol = family == FAMILY_V6 ? IPV4_ICMPV6 : IPV4_ICMP;
	uint8_t *icmp = probe_prepare_ip(env, family, packet, protocol, bytes, sums);

	memset(icmp, 0, bytes);
	icmp[0] = type;
	/* The checksum of ICMP for IPv4 has no pseudo-header. */
	if (family == FAMILY_V4)
		sums->l4 = 0;
	sums->l4 += sum_bytes(icmp, bytes);
}

/*
 * Address and number an ICMP message whose words behind these eight bytes add up to @rest. No device
 * completes its checksum.
 */
static void finish(const struct probe_env *env, enum family family, const struct probe_sums *sums,
	uint8_t *packet, const struct dp_target *target, uint64_t hash, const struct icmp_cookie *c,
	uint64_t rest) {
	uint8_t *icmp = packet + ip_bytes(family);
	uint16_t sequence = (uint16_t)(c->sequence + target->pass);
	uint64_t addresses = probe_aim(env, family, sums, packet, target->ip, hash, 0);
	uint64_t sum = sums->l4 + rest + c->id + sequence;

	put16(icmp + ID_AT, c->id);
	put16(icmp + SEQUENCE_AT, sequence);
	if (family == FAMILY_V6)
		sum += addresses;
	put16(icmp + CHECKSUM_AT, (uint16_t)~sum_fold(sum));
}

/* Whether identifier and sequence number of @icmp are those of a probe to @ip from @our_ip. */
static bool numbered(const struct probe_env *env, enum family family, dp_ip ip, dp_ip our_ip,
	const uint8_t *icmp, uint64_t *hash, struct icmp_cookie *c, struct dp_answer *answer) {
	uint16_t pass;

	*hash = hash_of(env, ip);
	*c = icmp_cookie(*hash);
	pass = (uint16_t)(get16(icmp + SEQUENCE_AT) - c->sequence);
	if (get16(icmp + ID_AT) != c->id || pass >= env->passes
		|| !probe_came_home(env, our_ip, family, *hash))
		return false;
	answer->ip = ip;
	answer->port = 0;
	answer->proto = DP_PROTO_ICMP;
	answer->pass = (uint8_t)pass;
	return true;
}

/* Whether @packet is a reply of @type and length to a probe, as far as its first eight bytes say. */
static bool replies(const struct probe_env *env, const struct packet *packet, uint8_t type,
	unsigned bytes, struct icmp_cookie *c, struct dp_answer *answer) {
	const uint8_t *icmp = packet->l4;
	uint64_t hash;

	return packet->l4_bytes == bytes && icmp[0] == type && icmp[1] == 0
		&& numbered(env, packet->family, packet->src, packet->dst, icmp, &hash, c, answer);
}

static bool quoted(const struct probe_env *env, const struct packet *packet, uint8_t type,
	struct dp_answer *answer) {
	const uint8_t *icmp = packet->l4;
	struct icmp_cookie c;
	uint64_t hash;

	return icmp[0] == type && icmp[1] == 0
		&& numbered(env, packet->family, packet->dst, packet->src, icmp, &hash, &c, answer);
}

static void echo_prepare(
	const struct probe_env *env, enum family family, uint8_t *packet, struct probe_sums *sums) {
	uint8_t type = family == FAMILY_V6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST;

	prepare(env, family, packet, type, ECHO_BYTES, sums);
}

static void echo_make(const struct probe_env *env, enum family family,
	const struct probe_sums *sums, uint8_t *const *packet, uint16_t *length,
	const struct dp_target *target, unsigned n, uint32_t clock_us) {
	for (unsigned i = 0; i < n; i++) {
		uint8_t *icmp = packet[i] + ip_bytes(family);
		uint64_t hash = hash_of(env, target[i].ip);
		struct icmp_cookie c = icmp_cookie(hash);

		put32(icmp + PROOF_AT, (uint32_t)(c.proof >> 32));
		put32(icmp + PROOF_AT + 4, (uint32_t)c.proof);
		put32(icmp + CLOCK_AT, clock_us);
		put32(icmp + SEAL_AT, clock_us ^ c.seal);
		finish(env, family, sums, packet[i], &target[i], hash, &c,
			sum_bytes(icmp + PROOF_AT, ECHO_BYTES - PROOF_AT));
	}
}

static struct verdict echo_judge(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	uint8_t type = packet->family == FAMILY_V6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY;
	const uint8_t *icmp = packet->l4;
	struct icmp_cookie c;
	uint32_t sent_us;

	if (!replies(env, packet, type, ECHO_BYTES, &c, answer))
		return (struct verdict){.kind = PROBE_NONE};
	sent_us = get32(icmp + CLOCK_AT);
	if (get32(icmp + PROOF_AT) != c.proof >> 32
		|| get32(icmp + PROOF_AT + 4) != (uint32_t)c.proof
		|| get32(icmp + SEAL_AT) != (sent_us ^ c.seal))
		return (struct verdict){.kind = PROBE_NONE};
	answer->state = DP_STATE_UP;
	answer->reason = DP_REASON_ECHO_REPLY;
	answer->rtt_us = probe_rtt(sent_us, clock_us);
	return (struct verdict){PROBE_ANSWER, DP_RESPONSE_ECHO_REPLY};
}

static bool echo_quoted(
	const struct probe_env *env, const struct packet *packet, struct dp_answer *answer) {
	uint8_t type = packet->family == FAMILY_V6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST;

	return quoted(env, packet, type, answer);
}

const struct probe_module probe_echo = {
	.name = "echo",
	.proto = DP_PROTO_ICMP,
	.protocol = {[FAMILY_V4] = IPV4_ICMP, [FAMILY_V6] = IPV4_ICMPV6},
	.packet_bytes = {
		[FAMILY_V4] = IPV4_BYTES + ECHO_BYTES,
		[FAMILY_V6] = IPV6_BYTES + ECHO_BYTES,
	},
	.prepare = echo_prepare,
	.make = echo_make,
	.packet = echo_judge,
	.quoted = echo_quoted,
};

static void timestamp_prepare(
	const struct probe_env *env, enum family family, uint8_t *packet, struct probe_sums *sums) {
	prepare(env, family, packet, ICMP_TIMESTAMP, TIMESTAMP_BYTES, sums);
}

static uint32_t originate(const struct icmp_cookie *c) {
	return (uint32_t)c->proof | NO_TIME_OF_DAY;
}

static void timestamp_make(const struct probe_env *env, enum family family,
	const struct probe_sums *sums, uint8_t *const *packet, uint16_t *length,
	const struct dp_target *target, unsigned n, uint32_t clock_us) {
	for (unsigned i = 0; i < n; i++) {
		uint64_t hash = hash_of(env, target[i].ip);
		struct icmp_cookie c = icmp_cookie(hash);

		put32(packet[i] + IPV4_BYTES + ORIGINATE_AT, originate(&c));
		finish(env, family, sums, packet[i], &target[i], hash, &c, words32(originate(&c)));
	}
}

static struct verdict timestamp_judge(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	struct icmp_cookie c;

	if (packet->family != FAMILY_V4
		|| !replies(env, packet, ICMP_TIMESTAMP_REPLY, TIMESTAMP_BYTES, &c, answer)
		|| get32(packet->l4 + ORIGINATE_AT) != originate(&c))
		return (struct verdict){.kind = PROBE_NONE};
	answer->state = DP_STATE_UP;
	answer->reason = DP_REASON_TIMESTAMP_REPLY;
	answer->rtt_us = DP_RTT_NONE;
	return (struct verdict){PROBE_ANSWER, DP_RESPONSE_TIMESTAMP_REPLY};
}

static bool timestamp_quoted(
	const struct probe_env *env, const struct packet *packet, struct dp_answer *answer) {
	return packet->family == FAMILY_V4 && quoted(env, packet, ICMP_TIMESTAMP, answer);
}

const struct probe_module probe_timestamp = {
	.name = "timestamp",
	.proto = DP_PROTO_ICMP,
	.protocol = {[FAMILY_V4] = IPV4_ICMP},
	.packet_bytes = {[FAMILY_V4] = IPV4_BYTES + TIMESTAMP_BYTES},
	.prepare = timestamp_prepare,
	.make = timestamp_make,
	.packet = timestamp_judge,
	.quoted = timestamp_quoted,
};
