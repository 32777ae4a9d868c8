/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UDP scan (RFC 768): a datagram back means open, a port unreachable from the target itself
 * closed. What a probe says comes out of the payload book, as most services are silent to what they
 * do not understand.
 *
 * The source port is all the proof that UDP itself has room for, so the payload carries more where
 * its protocol has something that a reply repeats.
 * Pure functions; TX lcores run prepare and make, RX lcores the rest.
 */
#include "book.h"
#include "probe_packet.h"

enum {
	LENGTH_AT = 4,
	CHECKSUM_AT = 6,
	CHUNK = 32, /* probes that are hashed together */
};

/* What the payload to a pair carries as its token, in all its transmissions. */
static uint64_t token_of(uint64_t hash) {
	return cookie_more(hash, 3);
}

static void prepare(
	const struct probe_env *env, enum family family, uint8_t *packet, struct probe_sums *sums) {
	uint8_t *udp = probe_prepare_ip(env, family, packet, IPV4_UDP, 0, sums);

	memset(udp, 0, UDP_BYTES);
}

/* @pseudo: the sum of the pseudo-header; @rest: of all that is checked. */
static uint16_t checksum(const struct probe_env *env, uint64_t pseudo, uint64_t rest) {
	uint16_t sum;

	if (env->offload_l4)
		return sum_fold(pseudo); /* what devices go on from */
	sum = (uint16_t)~sum_fold(pseudo + rest);
	/* 0 says that there is none, which IPv6 forbids (RFC 8200 8.1). */
	return sum ? sum : 0xffff;
}

static uint16_t make_one(const struct probe_env *env, enum family family,
	const struct probe_sums *sums, uint8_t *packet, const struct dp_target *target,
	uint64_t hash) {
	const struct dp_payload *payload = book_payload(env->book, target->port, target->pass);
	uint16_t port = cookie_value(&env->cookie, hash, target->pass).port;
	uint16_t bytes = (uint16_t)(UDP_BYTES + payload->length);
	uint16_t total = (uint16_t)(ip_bytes(family) + bytes);
	uint8_t *udp = packet + ip_bytes(family);
	uint64_t pseudo = sums->l4 + bytes, rest = bytes + port + target->port;

	pseudo += probe_aim(
		env, family, sums, packet, target->ip, hash, family == FAMILY_V4 ? total : 0);
	if (family == FAMILY_V6) {
		put16(packet + 4, bytes);
		probe_put_flow_label(packet, hash);
	}
	put16(udp, port);
	put16(udp + 2, target->port);
	put16(udp + LENGTH_AT, bytes);
	if (payload->length) {
		memcpy(udp + UDP_BYTES, payload->bytes, payload->length);
		payload_put_token(payload, token_of(hash), udp + UDP_BYTES);
		if (!env->offload_l4)
			rest += sum_bytes(udp + UDP_BYTES, payload->length);
	}
	put16(udp + CHECKSUM_AT, checksum(env, pseudo, rest));
	return total;
}

static void make(const struct probe_env *env, enum family family, const struct probe_sums *sums,
	uint8_t *const *packet, uint16_t *length, const struct dp_target *target, unsigned n,
	uint32_t clock_us) {
	for (unsigned done = 0; done < n; done += CHUNK) {
		unsigned end = n - done < CHUNK ? n : done + CHUNK;
		uint64_t hash[CHUNK];

		cookie_hashes(&env->cookie, family == FAMILY_V4, target + done, hash, end - done);
		for (unsigned i = done; i < end; i++)
			length[i] = make_one(
				env, family, sums, packet[i], &target[i], hash[i - done]);
	}
}

/*
 * Which transmission a reply of @bytes answers: the first to have come from its port, @pass, or a
 * later one where ports are fewer than transmissions. False where it repeats the token of none.
 */
static bool echoed_pass(const struct probe_env *env, uint64_t hash, uint16_t port,
	const uint8_t *reply, unsigned bytes, uint8_t *pass) {
	for (unsigned k = *pass; k < env->passes; k += env->cookie.port_span)
		if (payload_echoed(
			    book_payload(env->book, port, k), token_of(hash), reply, bytes)) {
			*pass = (uint8_t)k;
			return true;
		}
	return false;
}

static struct verdict judge(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	const uint8_t *udp = packet->l4;
	unsigned bytes;
	uint16_t port;
	uint64_t hash;
	uint8_t pass;

	if (packet->l4_bytes < UDP_BYTES)
		return (struct verdict){.kind = PROBE_NONE};
	bytes = get16(udp + LENGTH_AT);
	if (bytes < UDP_BYTES || bytes > packet->l4_bytes)
		return (struct verdict){.kind = PROBE_NONE};
	bytes -= UDP_BYTES;
	port = get16(udp);
	hash = cookie_hash(&env->cookie, packet->src, port);
	if (!probe_port_pass(env, hash, get16(udp + 2), &pass)
		|| !probe_came_home(env, packet->dst, packet->family, hash)
		|| !echoed_pass(env, hash, port, udp + UDP_BYTES, bytes, &pass))
		return (struct verdict){.kind = PROBE_NONE};
	probe_answer(
		answer, packet->src, port, DP_PROTO_UDP, DP_STATE_OPEN, DP_REASON_UDP_RESPONSE);
	answer->pass = pass;
	answer->banner = udp + UDP_BYTES;
	answer->banner_bytes = (uint16_t)bytes;
	return (struct verdict){PROBE_ANSWER, DP_RESPONSE_UDP};
}

/*
 * Whether an error quotes more than ports, which are but a guess of 2^14: the network header's stamp,
 * or the payload as far as its token. Who rewrites the one on the way leaves the other.
 */
static bool quotes_proof(const struct probe_env *env, const struct packet *packet, uint16_t port,
	uint64_t hash, unsigned pass) {
	return probe_stamped(packet, hash)
		|| payload_carries(book_payload(env->book, port, pass), token_of(hash),
			packet->l4 + UDP_BYTES, packet->l4_bytes - UDP_BYTES);
}

static bool quoted(
	const struct probe_env *env, const struct packet *packet, struct dp_answer *answer) {
	uint16_t port = get16(packet->l4 + 2);
	uint64_t hash = cookie_hash(&env->cookie, packet->dst, port);
	uint8_t pass;

	if (!probe_port_pass(env, hash, get16(packet->l4), &pass)
		|| !probe_came_home(env, packet->src, packet->family, hash)
		|| !quotes_proof(env, packet, port, hash, pass))
		return false;
	answer->ip = packet->dst;
	answer->port = port;
	answer->proto = DP_PROTO_UDP;
	answer->pass = pass;
	return true;
}

const struct probe_module probe_udp = {
	.name = "udp",
	.proto = DP_PROTO_UDP,
	.protocol = {IPV4_UDP, IPV4_UDP},
	.varies = true,
	.packet_bytes = {
		[FAMILY_V4] = IPV4_BYTES + UDP_BYTES + DP_PAYLOAD_MAX_BYTES,
		[FAMILY_V6] = IPV6_BYTES + UDP_BYTES + DP_PAYLOAD_MAX_BYTES,
	},
	.prepare = prepare,
	.make = make,
	.packet = judge,
	.quoted = quoted,
	.unreachable_closes = true,
};
