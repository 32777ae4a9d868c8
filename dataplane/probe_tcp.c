/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TCP scans. SYN (RFC 9293 3.10.7): SYN-ACK means open, RST closed. The others differ from it in
 * flags, have no options, and hear of hosts by resets alone: ACK and window from any port, FIN, NULL,
 * Xmas and Maimon from closed ones. An ICMP error means filtered. Where banners are wanted, what open
 * ports say in answer to our hello is judged here, too. Pure functions; TX lcores run prepare and make,
 * RX lcores the rest.
 */
#include "book.h"
#include "probe_packet.h"
#include "stream.h"

#define INLINE static inline __attribute__((always_inline))

enum {
	/*
	 * The options of common client stacks in their order, as hosts answer SYNs without options
	 * less often: MSS, SACK permitted, timestamps, padding, window scale (RFC 9293 3.2, RFC 2018,
	 * RFC 7323). The timestamp carries the sender's clock, which an open port echoes.
	 */
	OPTIONS_BYTES = 20,
	MSS_AT = TCP_BYTES + 2,
	TSVAL_AT = TCP_BYTES + 8,

	MSS_V4 = 1460, /* of Ethernet */
	MSS_V6 = 1440,
	WINDOW = 64240,

	CHUNK = 32, /* probes that are hashed together */

	SYN = TCP_SYN,
	ACK = TCP_ACK,
	FIN = TCP_FIN,
	XMAS = TCP_FIN | TCP_PSH | TCP_URG,
	MAIMON = TCP_FIN | TCP_ACK,
};

static const struct verdict none = {.kind = PROBE_NONE};
static const struct verdict was_reset = {PROBE_ANSWER, DP_RESPONSE_RST};

INLINE unsigned segment_bytes(uint8_t flags) {
	return flags == SYN ? TCP_BYTES + OPTIONS_BYTES : TCP_BYTES;
}

static void put_options(uint8_t *options, enum family family) {
	static const uint8_t constant[OPTIONS_BYTES] = {
		TCP_OPTION_MSS,
		TCP_OPTION_MSS_BYTES,
		0,
		0, /* by family */
		4,
		2, /* SACK permitted */
		TCP_OPTION_CLOCK,
		TCP_OPTION_CLOCK_BYTES,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0, /* TSval: make() */
		TCP_OPTION_NOP, /* padding */
		TCP_OPTION_SCALE,
		TCP_OPTION_SCALE_BYTES,
		PROBE_WINDOW_SCALE,
	};

	memcpy(options, constant, OPTIONS_BYTES);
	put16(options + MSS_AT - TCP_BYTES, family == FAMILY_V4 ? MSS_V4 : MSS_V6);
}

/* Where there is one source it is constant; of several, make() writes the one of each target. */
static void prepare(const struct probe_env *env, enum family family, uint8_t *packet,
	struct probe_sums *sums, uint8_t flags) {
	uint16_t bytes = (uint16_t)segment_bytes(flags);
	uint8_t *tcp = probe_prepare_ip(env, family, packet, IPV4_TCP, bytes, sums);

	if (family == FAMILY_V4 && env->offload_ip)
		put16(packet + 10, 0);
	memset(tcp, 0, TCP_BYTES);
	tcp[12] = (uint8_t)(bytes / 4 << 4);
	tcp[13] = flags;
	put16(tcp + 14, WINDOW);
	if (flags == SYN)
		put_options(tcp + TCP_BYTES, family);
	/* A device that completes the checksum wants the pseudo-header's alone. */
	sums->l4 = sum_fold(sums->l4 + (env->offload_l4 ? 0 : sum_bytes(tcp, bytes)));
}

/* Of a sum of fewer than 65,536 words. */
INLINE uint16_t fold32(uint32_t sum) {
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* What a burst has in common, in a copy: what make() writes may be anything, as bytes may be. */
struct burst {
	struct cookie cookie;
	uint32_t ip_sum, l4_sum, clock_us;
};

/* Sequence number and, with the flag, acknowledgement; returns the sum of their words. */
INLINE uint32_t put_numbers(
	uint8_t *tcp, uint8_t flags, const struct dp_target *target, const struct cookie_value *c) {
	uint64_t start = __builtin_bswap64(
		(uint64_t)c->port << 48 | (uint64_t)target->port << 32 | c->seq);
	uint32_t sum = (uint32_t)words32(c->seq);

	memcpy(tcp, &start, sizeof(start)); /* both ports, too */
	if (flags & ACK) {
		put32(tcp + 8, c->seq);
		sum *= 2;
	}
	return sum + c->port + target->port;
}

/*
 * One probe. The checksums are sums of 16-bit words, so those of the constant bytes are known and the
 * changing words added (RFC 1624). @plain: one source, checksums by us, no banners.
 */
INLINE void make_one(const struct probe_env *env, const struct burst *burst, enum family family,
	uint8_t flags, bool plain, uint8_t *packet, const struct dp_target *target, uint64_t hash) {
	const struct cookie_value c = cookie_value(&burst->cookie, hash, target->pass);
	uint32_t address = family == FAMILY_V4 ? (uint32_t)words32(dp_ip_to_v4(target->ip))
					       : (uint32_t)words_ip(target->ip);
	uint8_t *tcp = packet + ip_bytes(family);
	uint32_t clock = burst->clock_us, sum;

	if (!plain && !env->sources[family].only) {
		dp_ip source = probe_source(env, family, hash);

		address += (uint32_t)words_ip(source);
		if (family == FAMILY_V4)
			put32(packet + 12, dp_ip_to_v4(source));
		else
			dp_ip_put_v6(packet + 8, source);
	}
	if (family == FAMILY_V4) {
		put16(packet + 4, c.id);
		put32(packet + 16, dp_ip_to_v4(target->ip));
		if (plain || !env->offload_ip)
			put16(packet + 10, (uint16_t)~fold32(burst->ip_sum + c.id + address));
	} else {
		dp_ip_put_v6(packet + 24, target->ip);
	}
	sum = put_numbers(tcp, flags, target, &c);
	if (flags == SYN) {
		if (!plain && env->banners)
			clock = stream_syn_clock(hash, clock);
		put32(tcp + TSVAL_AT, clock);
		sum += (uint32_t)words32(clock);
	}
	if (plain || !env->offload_l4)
		put16(tcp + 16, (uint16_t)~fold32(burst->l4_sum + address + sum));
	else
		put16(tcp + 16, fold32(burst->l4_sum + address));
}

INLINE void make_family(const struct probe_env *env, enum family family, uint8_t flags, bool plain,
	const struct probe_sums *sums, uint8_t *const *packet, const struct dp_target *target,
	unsigned n, uint32_t clock_us) {
	const struct burst burst = {env->cookie, (uint32_t)sums->ip, (uint32_t)sums->l4, clock_us};

	for (unsigned done = 0; done < n; done += CHUNK) {
		unsigned end = n - done < CHUNK ? n : done + CHUNK;
		uint64_t hash[CHUNK];

		cookie_hashes(&burst.cookie, family == FAMILY_V4, target + done, hash, end - done);
		for (unsigned i = done; i < end; i++)
			make_one(env, &burst, family, flags, plain, packet[i], &target[i],
				hash[i - done]);
	}
}

static inline bool is_plain(const struct probe_env *env, enum family family, uint8_t flags) {
	return env->sources[family].only && !env->offload_ip && !env->offload_l4
		&& !(flags == SYN && env->banners);
}

INLINE void make(const struct probe_env *env, enum family family, uint8_t flags,
	const struct probe_sums *sums, uint8_t *const *packet, const struct dp_target *target,
	unsigned n, uint32_t clock_us) {
	const bool plain = is_plain(env, family, flags);

	if (family == FAMILY_V4 && plain)
		make_family(env, FAMILY_V4, flags, true, sums, packet, target, n, clock_us);
	else if (family == FAMILY_V4)
		make_family(env, FAMILY_V4, flags, false, sums, packet, target, n, clock_us);
	else
		make_family(env, FAMILY_V6, flags, false, sums, packet, target, n, clock_us);
}

/*
 * Whether a probe from (@ours, @our_port) to (@target, @port) is one that we send, by all but its
 * numbers, which *@c then has; says which one in @answer.
 */
static bool find(const struct probe_env *env, dp_ip target, uint16_t port, dp_ip ours,
	uint16_t our_port, struct cookie_value *c, struct dp_answer *answer) {
	const uint64_t hash = cookie_hash(&env->cookie, target, port);
	const unsigned pass = cookie_pass(&env->cookie, hash, our_port);

	if (pass >= env->passes)
		return false;
	*c = cookie_value(&env->cookie, hash, pass);
	if (c->port != our_port || !probe_came_home(env, ours, family_of(target), hash))
		return false;
	answer->ip = target;
	answer->port = port;
	answer->pass = (uint8_t)pass;
	answer->proto = DP_PROTO_TCP;
	answer->rtt_us = DP_RTT_NONE;
	return true;
}

static bool find_segment(const struct probe_env *env, const struct packet *packet,
	const struct tcp_segment *segment, struct cookie_value *c, struct dp_answer *answer) {
	return find(env, packet->src, segment->src_port, packet->dst, segment->dst_port, c, answer);
}

static bool quoted(
	const struct probe_env *env, const struct packet *packet, struct dp_answer *answer) {
	struct cookie_value c;

	return find(env, packet->dst, get16(packet->l4 + 2), packet->src, get16(packet->l4), &c,
		       answer)
		&& get32(packet->l4 + 4) == c.seq;
}

/* The clock value that the segment echoes, as a round-trip time, or DP_RTT_NONE. */
static uint32_t echoed_rtt(const struct probe_env *env, const struct tcp_segment *segment,
	uint64_t hash, uint32_t clock_us) {
	uint32_t echo = tcp_options_of(segment->options, segment->options_bytes).echo;
	uint32_t rtt_us
		= env->banners ? stream_rtt(hash, echo, clock_us) : (uint32_t)(clock_us - echo);

	/* 0 is what a host puts there that echoes nothing (RFC 7323 3.2). */
	return echo && rtt_us <= PROBE_MAX_RTT_US ? rtt_us : DP_RTT_NONE;
}

static bool begins(const uint8_t *bytes, unsigned n, const char *word) {
	const size_t wanted = strlen(word);

	return n >= wanted && memcmp(bytes, word, wanted) == 0;
}

/* The head of a page that was asked for, without a byte of its body: servers often send them apart. */
static bool is_page_head(const struct tcp_segment *segment, const struct dp_hello *hello) {
	static const char end[] = {'\r', '\n', '\r', '\n'};
	const uint8_t *head = segment->data, *body;

	if (!begins(hello->bytes, hello->length, "GET ")
		|| !begins(head, segment->data_bytes, "HTTP/"))
		return false;
	body = memmem(head, segment->data_bytes, end, sizeof(end));
	return !body || body + sizeof(end) == head + segment->data_bytes;
}

/* Whether a host that has said this waits for us to go on: PSH, and fewer bytes than there was room. */
static bool waits(const struct tcp_segment *segment, uint32_t at, const struct dp_hello *hello) {
	return segment->flags & TCP_PSH && segment->data_bytes < STREAM_WINDOW
		&& (at > 0 || !is_page_head(segment, hello));
}

/*
 * Bytes of a stream, or its end: ours to take as long as they begin where we want some. A host may
 * have sent two short segments into one window, of which the first was lost: the second is neither
 * acknowledged nor reset, so that the first comes again, and it behind it.
 */
static struct verdict stream_bytes(const struct probe_env *env, const struct tcp_segment *segment,
	uint64_t hash, const struct dp_hello *hello, struct dp_answer *answer) {
	const struct tcp_options options = tcp_options_of(segment->options, segment->options_bytes);
	const struct stream_place place = stream_place_of(hash, &options, segment->seq);

	/*
	 * A keepalive's byte from before the stream is far beyond it, too (RFC 9293 3.8.4); of an end
	 * without a word and a place nothing can be told.
	 */
	if (place.at >= env->banner_bytes || (!place.known && !segment->data_bytes))
		return (struct verdict){.kind = PROBE_FIN};
	answer->banner = segment->data;
	answer->banner_bytes = (uint16_t)segment->data_bytes;
	answer->banner_at = place.at;
	answer->banner_last = segment->flags & TCP_FIN || !place.known
		|| place.at + segment->data_bytes >= env->banner_bytes
		|| waits(segment, place.at, hello);
	if (place.at > place.acked)
		return (struct verdict){.kind = PROBE_DATA_AHEAD};
	return (struct verdict){.kind = answer->banner_last ? PROBE_DATA_END : PROBE_DATA};
}

/* A segment of a connection: it must acknowledge our hello, all of it. */
static struct verdict in_connection(const struct probe_env *env, const struct tcp_segment *segment,
	const struct cookie_value *c, struct dp_answer *answer) {
	const struct dp_hello *hello = book_hello(env->book, segment->src_port, answer->pass);

	if (segment->flags & TCP_SYN || segment->ack != c->seq + 1 + hello->length)
		return none;
	answer->state = DP_STATE_OPEN;
	answer->reason = DP_REASON_SYN_ACK;
	if (segment->flags & TCP_RST)
		return (struct verdict){.kind = PROBE_QUIET};
	if (segment->data_bytes || segment->flags & TCP_FIN)
		return stream_bytes(env, segment, c->hash, hello, answer);
	return (struct verdict){.kind = PROBE_QUIET};
}

static struct verdict syn_segment(const struct probe_env *env, const struct packet *packet,
	const struct tcp_segment *segment, uint32_t clock_us, struct dp_answer *answer) {
	struct cookie_value c;

	if (!(segment->flags & TCP_ACK) || !find_segment(env, packet, segment, &c, answer))
		return none;
	/* RFC 9293 3.10.7.1: a reset in answer to a SYN acknowledges it, as does a SYN-ACK. */
	if (segment->ack != c.seq + 1 || !(segment->flags & (TCP_SYN | TCP_RST)))
		return env->banners ? in_connection(env, segment, &c, answer) : none;
	answer->rtt_us = echoed_rtt(env, segment, c.hash, clock_us);
	if (segment->flags & TCP_RST) {
		answer->state = DP_STATE_CLOSED;
		answer->reason = DP_REASON_RESET;
		return was_reset;
	}
	answer->state = DP_STATE_OPEN;
	answer->reason = DP_REASON_SYN_ACK;
	answer->zero_window = segment->window == 0;
	return (struct verdict){PROBE_OPENED, DP_RESPONSE_SYN_ACK};
}

/*
 * RFC 9293 3.10.7.1: a reset takes its number from our acknowledgement where we sent one, else it
 * acknowledges what we sent. FIN counts as a byte there, but not for all stacks.
 */
static bool repeats(const struct tcp_segment *segment, uint8_t flags, uint32_t seq) {
	if (flags & ACK)
		return segment->seq == seq;
	return segment->flags & TCP_ACK
		&& (segment->ack == seq || (flags & FIN && segment->ack == seq + 1));
}

/* A reset, which is all that the scans other than SYN hear of a host. */
static struct verdict reset_segment(const struct probe_env *env, const struct packet *packet,
	const struct tcp_segment *segment, uint8_t flags, struct dp_answer *answer) {
	struct cookie_value c;

	if (!(segment->flags & TCP_RST) || !find_segment(env, packet, segment, &c, answer)
		|| !repeats(segment, flags, c.seq))
		return none;
	answer->state = flags == ACK ? DP_STATE_UNFILTERED : DP_STATE_CLOSED;
	answer->reason = DP_REASON_RESET;
	return was_reset;
}

/* Some stacks show the window of a listening socket in its resets. */
static struct verdict window_segment(const struct probe_env *env, const struct packet *packet,
	const struct tcp_segment *segment, uint32_t clock_us, struct dp_answer *answer) {
	const struct verdict verdict = reset_segment(env, packet, segment, ACK, answer);

	if (verdict.kind != PROBE_NONE)
		answer->state = segment->window ? DP_STATE_OPEN : DP_STATE_CLOSED;
	return verdict;
}

/* prepare and make of a module, with its flags as a constant. */
#define SENDER(scan, flags)                                                                        \
	static void scan##_prepare(const struct probe_env *env, enum family family,                \
		uint8_t *packet, struct probe_sums *sums) {                                        \
		prepare(env, family, packet, sums, flags);                                         \
	}                                                                                          \
	static void scan##_make(const struct probe_env *env, enum family family,                   \
		const struct probe_sums *sums, uint8_t *const *packet, uint16_t *length,           \
		const struct dp_target *target, unsigned n, uint32_t clock_us) {                   \
		make(env, family, flags, sums, packet, target, n, clock_us);                       \
	}

#define RESET_HEARER(scan, flags)                                                                  \
	static struct verdict scan##_segment(const struct probe_env *env,                          \
		const struct packet *packet, const struct tcp_segment *segment, uint32_t clock_us, \
		struct dp_answer *answer) {                                                        \
		return reset_segment(env, packet, segment, flags, answer);                         \
	}

#define MODULE(scan, scan_segment, bytes)                                                          \
	const struct probe_module probe_##scan = {                                                 \
		.name = #scan,                                                                     \
		.proto = DP_PROTO_TCP,                                                             \
		.protocol = {IPV4_TCP, IPV4_TCP},                                                  \
		.packet_bytes = {IPV4_BYTES + (bytes), IPV6_BYTES + (bytes)},                      \
		.prepare = scan##_prepare,                                                         \
		.make = scan##_make,                                                               \
		.segment = scan_segment,                                                           \
		.quoted = quoted,                                                                  \
	}

/* clang-format off */
SENDER(syn, SYN)
SENDER(ack, ACK)
SENDER(fin, FIN)
SENDER(null, 0)
SENDER(xmas, XMAS)
SENDER(maimon, MAIMON)

RESET_HEARER(ack, ACK)
RESET_HEARER(fin, FIN)
RESET_HEARER(null, 0)
RESET_HEARER(xmas, XMAS)
RESET_HEARER(maimon, MAIMON)
/* clang-format on */

#define window_prepare ack_prepare
#define window_make ack_make

MODULE(syn, syn_segment, TCP_BYTES + OPTIONS_BYTES);
MODULE(ack, ack_segment, TCP_BYTES);
MODULE(window, window_segment, TCP_BYTES);
MODULE(fin, fin_segment, TCP_BYTES);
MODULE(null, null_segment, TCP_BYTES);
MODULE(xmas, xmas_segment, TCP_BYTES);
MODULE(maimon, maimon_segment, TCP_BYTES);
