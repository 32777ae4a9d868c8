/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TCP SYN scan (RFC 9293 3.10.7): SYN-ACK means open, RST means closed, an ICMP error means
 * filtered. Where banners are wanted, what open ports say in answer to our hello is judged here, too.
 * Pure functions; TX lcores run prepare and make, RX lcores the rest.
 */
#include "hello.h"
#include "probe.h"

enum {
	/*
	 * The options of common client stacks in their order, as hosts answer SYNs without options
	 * less often: MSS, SACK permitted, timestamps, padding, window scale (RFC 9293 3.2, RFC 2018,
	 * RFC 7323). The timestamp carries the sender's clock, which an open port echoes.
	 */
	OPTIONS_BYTES = 20,

	IP_AT = ETH_BYTES,
	TCP_AT = IP_AT + IPV4_BYTES,
	TSVAL_AT = TCP_AT + TCP_BYTES + 8,
	SEGMENT_BYTES = TCP_BYTES + OPTIONS_BYTES,
	FRAME_BYTES = TCP_AT + SEGMENT_BYTES,

	/* A timestamp that claims a longer way than this is not ours, or not worth believing. */
	MAX_RTT_US = 120 * 1000 * 1000,
};

static void prepare(const struct probe_env *env, uint8_t *frame) {
	static const uint8_t options[OPTIONS_BYTES] = {
		2,
		4,
		0x05,
		0xb4, /* MSS 1460 */
		4,
		2, /* SACK permitted */
		8,
		10,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0, /* TSval, filled in by make(), and TSecr 0 */
		1, /* padding */
		TCP_OPTION_SCALE,
		TCP_OPTION_SCALE_BYTES,
		PROBE_WINDOW_SCALE,
	};
	uint8_t *tcp = frame + TCP_AT;

	eth_put(frame, 0, env->source_mac, ETH_TYPE_IPV4);
	ipv4_put(frame + IP_AT, IPV4_BYTES + SEGMENT_BYTES, 0, 64, IPV4_TCP, env->source_ip, 0);
	memset(tcp, 0, TCP_BYTES);
	tcp[12] = (SEGMENT_BYTES / 4) << 4;
	tcp[13] = TCP_SYN;
	put16(tcp + 14, 64240);
	memcpy(tcp + TCP_BYTES, options, sizeof(options));
	tcp_put_checksum(tcp, env->source_ip, 0, SEGMENT_BYTES);
}

/*
 * The checksums are sums of 16-bit words, so those of the constant bytes are taken once from the
 * first prepared frame, with the changing fields as zero, and the changing words added (RFC 1624).
 */
static void constant_sums(const struct probe_env *env, uint64_t *ip_sum, uint64_t *tcp_sum) {
	uint8_t frame[FRAME_BYTES];

	prepare(env, frame);
	*ip_sum = (uint16_t)~get16(frame + IP_AT + 10);
	*tcp_sum = (uint16_t)~get16(frame + TCP_AT + 16);
}

static void make(const struct probe_env *env, uint8_t *const *frame, const struct dp_target *target,
	unsigned n, uint32_t clock_us) {
	uint64_t ip_sum, tcp_sum;

	constant_sums(env, &ip_sum, &tcp_sum);
	tcp_sum += words32(clock_us);
	for (unsigned i = 0; i < n; i++) {
		struct cookie_value c = cookie_of(&env->cookie, target[i].ip, target[i].port);
		uint64_t address = words32(target[i].ip);
		uint8_t *ip = frame[i] + IP_AT, *tcp = frame[i] + TCP_AT;

		put16(ip + 4, c.id);
		put32(ip + 16, target[i].ip);
		put16(ip + 10, (uint16_t)~sum_fold(ip_sum + c.id + address));
		put16(tcp, c.port);
		put16(tcp + 2, target[i].port);
		put32(tcp + 4, c.seq);
		put32(frame[i] + TSVAL_AT, clock_us);
		put16(tcp + 16,
			(uint16_t)~sum_fold(
				tcp_sum + address + c.port + target[i].port + words32(c.seq)));
	}
}

/* The clock value that the segment echoes, as a round-trip time, or DP_RTT_NONE. */
static uint32_t echoed_rtt(const struct tcp_segment *segment, uint32_t clock_us) {
	uint32_t echo = tcp_options_of(segment->options, segment->options_bytes).echo;
	uint32_t rtt_us = clock_us - echo;

	/* 0 is what a host puts there that echoes nothing (RFC 7323 3.2). */
	return echo && rtt_us <= MAX_RTT_US ? rtt_us : DP_RTT_NONE;
}

/* A segment of a connection: it must acknowledge our hello, all of it. */
static enum probe_kind in_connection(
	const struct tcp_segment *segment, uint32_t seq, struct dp_answer *answer) {
	if (segment->flags & TCP_SYN
		|| segment->ack != seq + 1 + hello_for(segment->src_port).length)
		return PROBE_NONE;
	answer->state = DP_STATE_OPEN;
	answer->reason = DP_REASON_SYN_ACK;
	answer->rtt_us = DP_RTT_NONE;
	if (segment->flags & TCP_RST)
		return PROBE_QUIET;
	if (segment->data_bytes)
		return PROBE_DATA;
	return segment->flags & TCP_FIN ? PROBE_FIN : PROBE_QUIET;
}

static enum probe_kind verdict(const struct probe_env *env, const struct tcp_segment *segment,
	uint32_t clock_us, struct dp_answer *answer) {
	struct cookie_value c = cookie_of(&env->cookie, segment->src_ip, segment->src_port);
	bool of_syn = segment->ack == c.seq + 1 && segment->flags & (TCP_SYN | TCP_RST);

	if (!(segment->flags & TCP_ACK) || segment->dst_port != c.port)
		return PROBE_NONE;
	answer->ip = segment->src_ip;
	answer->port = segment->src_port;
	if (!of_syn)
		return env->banners ? in_connection(segment, c.seq, answer) : PROBE_NONE;
	/* RFC 9293 3.10.7.1: a reset in answer to a SYN acknowledges it, as does a SYN-ACK. */
	answer->rtt_us = echoed_rtt(segment, clock_us);
	if (segment->flags & TCP_RST) {
		answer->state = DP_STATE_CLOSED;
		answer->reason = DP_REASON_RESET;
		return PROBE_RST;
	}
	answer->state = DP_STATE_OPEN;
	answer->reason = DP_REASON_SYN_ACK;
	return PROBE_SYN_ACK;
}

static bool quoted(const struct probe_env *env, const uint8_t *ip, unsigned header_bytes,
	struct dp_answer *answer) {
	const uint8_t *tcp = ip + header_bytes;
	uint32_t target_ip = get32(ip + 16);
	uint16_t target_port = get16(tcp + 2);
	struct cookie_value c = cookie_of(&env->cookie, target_ip, target_port);

	if (get16(tcp) != c.port || get32(tcp + 4) != c.seq)
		return false;
	answer->ip = target_ip;
	answer->port = target_port;
	answer->rtt_us = DP_RTT_NONE;
	return true;
}

const struct probe_module probe_syn = {
	.name = "syn",
	.frame_bytes = FRAME_BYTES,
	.prepare = prepare,
	.make = make,
	.verdict = verdict,
	.quoted = quoted,
};
