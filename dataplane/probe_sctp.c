/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SCTP INIT scan (RFC 9260 5.1): INIT ACK means open, ABORT closed, an ICMP error filtered. The
 * initiate tag comes from the cookie, and every answer has to carry it as its verification tag
 * (8.5.1). An open port holds no state until its cookie comes back; the ABORT that is owed to it tells
 * it not to wait.
 * Pure functions; TX lcores run prepare and make, RX lcores the rest.
 */
#include "crc32c.h"
#include "probe_packet.h"

enum {
	TAG_AT = 4, /* the verification tag, 0 in an INIT */

	/* RFC 9260 3.2 and 3.3.2, of INIT and INIT ACK. */
	CHUNK_AT = SCTP_BYTES,
	CHUNK_HEADER_BYTES = 4,
	CHUNK_LENGTH_AT = CHUNK_AT + 2,
	CHUNK_INIT = 1,
	CHUNK_INIT_ACK = 2,
	CHUNK_ABORT = 6,
	ABORT_TAG_REFLECTED = 1, /* flag T: the tag is that of our INIT, 0 */
	INITIATE_TAG_AT = CHUNK_AT + CHUNK_HEADER_BYTES,
	WINDOW_AT = INITIATE_TAG_AT + 4,
	OUT_STREAMS_AT = WINDOW_AT + 4,
	IN_STREAMS_AT = OUT_STREAMS_AT + 2,
	TSN_AT = IN_STREAMS_AT + 2,
	INIT_BYTES = 20,
	PACKET_BYTES = CHUNK_AT + INIT_BYTES,

	/* As stacks offer them. */
	WINDOW = 106496,
	OUT_STREAMS = 10,
	IN_STREAMS = 65535,
};

/* 0 is no tag (3.3.2). */
static uint32_t tag_of(const struct cookie_value *c) {
	return c->seq ? c->seq : 1;
}

static void prepare(
	const struct probe_env *env, enum family family, uint8_t *packet, struct probe_sums *sums) {
	uint8_t *sctp = probe_prepare_ip(env, family, packet, IPV4_SCTP, PACKET_BYTES, sums);

	memset(sctp, 0, PACKET_BYTES);
	sctp[CHUNK_AT] = CHUNK_INIT;
	put16(sctp + CHUNK_LENGTH_AT, INIT_BYTES);
	put32(sctp + WINDOW_AT, WINDOW);
	put16(sctp + OUT_STREAMS_AT, OUT_STREAMS);
	put16(sctp + IN_STREAMS_AT, IN_STREAMS);
}

static void make(const struct probe_env *env, enum family family, const struct probe_sums *sums,
	uint8_t *const *packet, uint16_t *length, const struct dp_target *target, unsigned n,
	uint32_t clock_us) {
	for (unsigned i = 0; i < n; i++) {
		uint64_t hash = cookie_hash(&env->cookie, target[i].ip, target[i].port);
		struct cookie_value c = cookie_value(&env->cookie, hash, target[i].pass);
		uint8_t *sctp = packet[i] + ip_bytes(family);

		probe_aim(env, family, sums, packet[i], target[i].ip, hash, 0);
		if (family == FAMILY_V6)
			probe_put_flow_label(packet[i], hash);
		put16(sctp, c.port);
		put16(sctp + 2, target[i].port);
		put32(sctp + INITIATE_TAG_AT, tag_of(&c));
		put32(sctp + TSN_AT, (uint32_t)cookie_more(hash, 2));
		sctp_put_checksum(sctp, PACKET_BYTES);
	}
}

/*
 * Whether (@ip, @port) got an INIT from (@our_ip, @our_port); @value is then what it carried, and ip,
 * port, proto and pass of @answer are filled in.
 */
static bool probed(const struct probe_env *env, enum family family, dp_ip ip, uint16_t port,
	dp_ip our_ip, uint16_t our_port, struct cookie_value *value, struct dp_answer *answer) {
	uint64_t hash = cookie_hash(&env->cookie, ip, port);
	uint8_t pass;

	if (!probe_port_pass(env, hash, our_port, &pass)
		|| !probe_came_home(env, our_ip, family, hash))
		return false;
	*value = cookie_value(&env->cookie, hash, pass);
	answer->ip = ip;
	answer->port = port;
	answer->proto = DP_PROTO_SCTP;
	answer->pass = pass;
	return true;
}

static struct verdict judge_abort(const uint8_t *sctp, struct dp_answer *answer) {
	if (sctp[CHUNK_AT + 1] & ABORT_TAG_REFLECTED)
		return (struct verdict){.kind = PROBE_NONE};
	answer->state = DP_STATE_CLOSED;
	answer->reason = DP_REASON_ABORT;
	return (struct verdict){PROBE_ANSWER, DP_RESPONSE_ABORT};
}

static struct verdict judge_init_ack(
	const uint8_t *sctp, unsigned chunk_bytes, struct dp_answer *answer) {
	if (chunk_bytes < INIT_BYTES)
		return (struct verdict){.kind = PROBE_NONE};
	answer->state = DP_STATE_OPEN;
	answer->reason = DP_REASON_INIT_ACK;
	/* Without a tag of its own there is nothing that an ABORT could name. */
	return (struct verdict){
		get32(sctp + INITIATE_TAG_AT) ? PROBE_OPENED : PROBE_ANSWER, DP_RESPONSE_INIT_ACK};
}

static struct verdict judge(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	const struct verdict none = {.kind = PROBE_NONE};
	const uint8_t *sctp = packet->l4;
	struct cookie_value c;
	unsigned chunk_bytes;

	if (packet->l4_bytes < CHUNK_AT + CHUNK_HEADER_BYTES)
		return none;
	/* An INIT ACK is alone in its packet, and what is behind an ABORT is not looked at (3.3.7). */
	chunk_bytes = get16(sctp + CHUNK_LENGTH_AT);
	if (chunk_bytes < CHUNK_HEADER_BYTES || chunk_bytes > packet->l4_bytes - CHUNK_AT)
		return none;
	if (!probed(env, packet->family, packet->src, get16(sctp), packet->dst, get16(sctp + 2), &c,
		    answer)
		|| get32(sctp + TAG_AT) != tag_of(&c))
		return none;
	answer->rtt_us = DP_RTT_NONE;
	if (sctp[CHUNK_AT] == CHUNK_INIT_ACK)
		return judge_init_ack(sctp, chunk_bytes, answer);
	return sctp[CHUNK_AT] == CHUNK_ABORT ? judge_abort(sctp, answer) : none;
}

/*
 * The eight bytes that are sure to be there have the ports alone: then the network header's stamp has
 * to be right. Routers that quote more tell more.
 */
static bool quoted(
	const struct probe_env *env, const struct packet *packet, struct dp_answer *answer) {
	const uint8_t *sctp = packet->l4;
	struct cookie_value c;

	if (get32(sctp + TAG_AT) != 0
		|| !probed(env, packet->family, packet->dst, get16(sctp + 2), packet->src,
			get16(sctp), &c, answer))
		return false;
	if (packet->l4_bytes < INITIATE_TAG_AT + 4)
		return probe_stamped(packet, c.hash);
	return sctp[CHUNK_AT] == CHUNK_INIT && get32(sctp + INITIATE_TAG_AT) == tag_of(&c);
}

const struct probe_module probe_sctp = {
	.name = "sctp",
	.proto = DP_PROTO_SCTP,
	.protocol = {IPV4_SCTP, IPV4_SCTP},
	.packet_bytes = {
		[FAMILY_V4] = IPV4_BYTES + PACKET_BYTES,
		[FAMILY_V6] = IPV6_BYTES + PACKET_BYTES,
	},
	.prepare = prepare,
	.make = make,
	.packet = judge,
	.quoted = quoted,
};
