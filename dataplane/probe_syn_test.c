/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SYN probe: each of its bytes, its checksums for any target, and which segments count as
 * answers to it.
 */
#include "frame_test.h"
#include "probe.h"

#include <criterion/criterion.h>

enum {
	SOURCE_IP = 0xc000020a, /* 192.0.2.10 */
	PORT_FIRST = 40000,
	PORT_SPAN = 8192,
	FRAME_BYTES = 74,
	TCP_AT = 34,
	CLOCK_US = 0x01020304,
	MAX_OPTIONS = 40,
	BURST = 32,
};

static const struct dp_key key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static struct probe_env make_env(void) {
	struct probe_env env = {.source_ip = SOURCE_IP, .source_mac = 0x02000000000a};

	cookie_init(&env.cookie, &key, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	return env;
}

static void make_one(
	const struct probe_env *env, uint8_t *frame, struct dp_target target, uint32_t clock_us) {
	probe_syn.prepare(env, frame);
	probe_syn.make(env, &frame, &target, 1, clock_us);
}

static struct dp_target random_target(uint64_t *state) {
	return (struct dp_target){
		.ip = (uint32_t)(next_random(state) >> 32),
		.port = (uint16_t)(next_random(state) >> 48),
	};
}

Test(probe_syn, is_in_the_table) {
	cr_assert_eq(probe_find("syn"), &probe_syn);
	cr_assert_null(probe_find("sy"));
	cr_assert_null(probe_find(""));
}

/*
 * The frame to 198.51.100.7 port 443 under the key 00..0f, from ports 40000-48191. The cookie, from
 * a SipHash that is not ours, is c855 e11d e5384daa: identification, port (40000 + (0xe11d * 8192 >>
 * 16) = 47203 = 0xb863), sequence number. The checksums were computed apart from this code, too.
 */
Test(probe_syn, golden_frame) {
	/* clang-format off */
	static const uint8_t golden[FRAME_BYTES] = {
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* Ethernet: the next hop, filled in by the sender */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* our hardware address */
		0x08, 0x00, /* IPv4 */

		0x45, 0x00, /* IPv4: header of 5 words; type of service 0 */
		0x00, 0x3c, /* 60 bytes in all */
		0xc8, 0x55, /* identification from the cookie */
		0x40, 0x00, /* do not fragment */
		0x40, 0x06, /* time to live 64; TCP */
		0x86, 0x21, /* checksum */
		0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
		0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */

		0xb8, 0x63, /* TCP: port 47203 from the cookie */
		0x01, 0xbb, /* port 443 */
		0xe5, 0x38, 0x4d, 0xaa, /* sequence number from the cookie */
		0x00, 0x00, 0x00, 0x00, /* no acknowledgement */
		0xa0, 0x02, /* header of 10 words; SYN alone */
		0xfa, 0xf0, /* window 64240 */
		0x6f, 0xc2, /* checksum */
		0x00, 0x00, /* no urgent data */

		0x02, 0x04, 0x05, 0xb4, /* options: MSS 1460 */
		0x04, 0x02, /* SACK permitted */
		0x08, 0x0a, /* timestamps */
		0x01, 0x02, 0x03, 0x04, /* our clock */
		0x00, 0x00, 0x00, 0x00, /* nothing to echo */
		0x01, /* padding */
		0x03, 0x03, 0x07, /* window scale 7 */
	};
	/* clang-format on */
	const struct probe_env env = make_env();
	uint8_t frame[FRAME_BYTES];

	memset(frame, 0xee, sizeof(frame));
	cr_assert_eq(probe_syn.frame_bytes, FRAME_BYTES);
	make_one(&env, frame, (struct dp_target){0xc6336407, 443}, CLOCK_US);
	for (unsigned i = 0; i < FRAME_BYTES; i++)
		cr_assert_eq(
			frame[i], golden[i], "byte %u is %02x, not %02x", i, frame[i], golden[i]);
}

/* Any source, target and clock: checksums that a byte-wise sum agrees with, and the right fields. */
Test(probe_syn, checksums_and_fields) {
	uint64_t state = 21;

	for (unsigned round = 0; round < 20000; round++) {
		struct probe_env env = make_env();
		const struct dp_target target = random_target(&state);
		const uint32_t clock_us = (uint32_t)next_random(&state);
		const uint64_t h = reference_cookie(key.bytes, target.ip, target.port);
		uint8_t frame[FRAME_BYTES];

		env.source_ip = (uint32_t)next_random(&state);
		make_one(&env, frame, target, clock_us);
		cr_assert(reference_checksums_good(frame + ETH_BYTES), "round %u", round);
		cr_assert_eq(get32(frame + 26), env.source_ip);
		cr_assert_eq(get32(frame + 30), target.ip);
		cr_assert_eq(get16(frame + 18), h >> 48);
		cr_assert_eq(get16(frame + 34), reference_port(h, PORT_FIRST, PORT_SPAN));
		cr_assert_eq(get16(frame + 36), target.port);
		cr_assert_eq(get32(frame + 38), (uint32_t)h);
		cr_assert_eq(get32(frame + 62), clock_us);
	}
}

/* Sums that come to 0 or 0xffff are where incremental checksums go wrong (RFC 1624 section 3). */
Test(probe_syn, checksums_at_the_edges) {
	static const uint32_t words[] = {0, 1, 0xffff, 0x10000, 0xffff0000, 0xffffffff, 0x80008000};
	enum { WORDS = sizeof(words) / sizeof(words[0]) };

	for (unsigned i = 0; i < WORDS * WORDS * WORDS; i++) {
		struct probe_env env = make_env();
		uint8_t frame[FRAME_BYTES];

		env.source_ip = words[i % WORDS];
		make_one(&env, frame,
			(struct dp_target){words[i / WORDS % WORDS], (uint16_t)words[i % WORDS]},
			words[i / WORDS / WORDS]);
		cr_assert(reference_checksums_good(frame + ETH_BYTES), "case %u", i);
	}
	/* All clocks of 16 bits for one target, so that each sum there is comes up. */
	for (uint32_t clock_us = 0; clock_us < 65536; clock_us++) {
		const struct probe_env env = make_env();
		uint8_t frame[FRAME_BYTES];

		make_one(&env, frame, (struct dp_target){0x01020304, 80}, clock_us);
		if (!reference_checksums_good(frame + ETH_BYTES))
			cr_assert_fail("clock %u", clock_us);
	}
}

/* The template is in the buffer once: make() must rewrite what changes, and only that. */
Test(probe_syn, make_leaves_the_rest_alone) {
	static const struct {
		unsigned at, bytes;
	} changing[] = {
		{18, 2}, /* identification */
		{24, 2}, /* IPv4 checksum */
		{30, 4}, /* target */
		{34, 2}, /* source port */
		{36, 2}, /* target port */
		{38, 4}, /* sequence number */
		{50, 2}, /* TCP checksum */
		{62, 4}, /* clock */
	};
	const struct probe_env env = make_env();
	bool may_change[FRAME_BYTES] = {false};
	uint64_t state = 22;

	for (unsigned i = 0; i < sizeof(changing) / sizeof(changing[0]); i++)
		memset(&may_change[changing[i].at], 1, changing[i].bytes);
	for (unsigned round = 0; round < 1000; round++) {
		struct dp_target target = random_target(&state);
		uint8_t noise[FRAME_BYTES], frame[FRAME_BYTES], fresh[FRAME_BYTES], *at = frame;

		for (unsigned i = 0; i < FRAME_BYTES; i++)
			noise[i] = frame[i] = (uint8_t)(next_random(&state) >> 56);
		probe_syn.make(&env, &at, &target, 1, CLOCK_US);
		make_one(&env, fresh, target, CLOCK_US);
		for (unsigned i = 0; i < FRAME_BYTES; i++)
			cr_assert_eq(frame[i], may_change[i] ? fresh[i] : noise[i], "byte %u", i);
	}
}

/* A burst is its probes one by one, in memory that ends with each frame; buffers are used again. */
Test(probe_syn, bursts) {
	const struct probe_env env = make_env();
	uint8_t *frame[BURST];
	uint64_t state = 23;

	for (unsigned i = 0; i < BURST; i++) {
		frame[i] = cage_end();
		cr_assert_not_null(frame[i]);
		frame[i] -= FRAME_BYTES;
		probe_syn.prepare(&env, frame[i]);
	}
	probe_syn.make(&env, frame, NULL, 0, CLOCK_US);
	for (unsigned n = 1; n <= BURST; n++) {
		struct dp_target target[BURST];

		for (unsigned i = 0; i < n; i++)
			target[i] = random_target(&state);
		probe_syn.make(&env, frame, target, n, CLOCK_US + n);
		for (unsigned i = 0; i < n; i++) {
			uint8_t alone[FRAME_BYTES];

			make_one(&env, alone, target[i], CLOCK_US + n);
			cr_assert_arr_eq(frame[i], alone, FRAME_BYTES, "probe %u of %u", i, n);
		}
	}
}

/*
 * What a host makes of the probe @frame: a segment back to it that acknowledges it, written with
 * nothing but the probe's bytes. @options hold an echo of the probe's clock.
 */
static struct tcp_segment host_reply(const uint8_t *frame, uint8_t flags, uint8_t options[12]) {
	options[0] = options[1] = 1;
	options[2] = 8;
	options[3] = 10;
	memset(options + 4, 0x77, 4);
	memcpy(options + 8, frame + 62, 4);
	return (struct tcp_segment){
		.src_ip = get32(frame + 30),
		.src_port = get16(frame + 36),
		.dst_port = get16(frame + 34),
		.seq = 0x12345678,
		.ack = get32(frame + 38) + 1,
		.flags = flags,
		.options = options,
		.options_bytes = 12,
	};
}

static enum probe_kind judge(
	const struct tcp_segment *segment, uint32_t clock_us, struct dp_answer *answer) {
	const struct probe_env env = make_env();

	memset(answer, 0xee, sizeof(*answer));
	return probe_syn.verdict(&env, segment, clock_us, answer);
}

Test(probe_syn, replies_of_hosts) {
	static const struct {
		uint8_t flags, state, reason;
		enum probe_kind kind;
	} reply[] = {
		{0x12, DP_STATE_OPEN, DP_REASON_SYN_ACK, PROBE_SYN_ACK},
		{0x14, DP_STATE_CLOSED, DP_REASON_RESET, PROBE_RST},
	};
	const struct probe_env env = make_env();
	uint64_t state = 24;

	for (unsigned round = 0; round < 10000; round++) {
		const struct dp_target target = random_target(&state);
		const uint32_t clock_us = (uint32_t)next_random(&state);
		const uint32_t rtt_us = (uint32_t)(next_random(&state) % 120000001);
		const unsigned r = round % 2;
		struct tcp_segment segment;
		struct dp_answer answer;
		uint8_t frame[FRAME_BYTES], options[12];

		make_one(&env, frame, target, clock_us);
		segment = host_reply(frame, reply[r].flags, options);
		/* The clock has 32 bits and wraps. */
		cr_assert_eq(judge(&segment, clock_us + rtt_us, &answer), reply[r].kind);
		cr_assert_eq(answer.ip, target.ip);
		cr_assert_eq(answer.port, target.port);
		cr_assert_eq(answer.state, reply[r].state);
		cr_assert_eq(answer.reason, reply[r].reason);
		cr_assert_eq(answer.rtt_us, rtt_us);
		cr_assert_eq(answer.ts_ns, 0xeeeeeeeeeeeeeeeeu, "the arrival time is not ours");
	}
}

/* One thing wrong at a time, for many probes: none of it is an answer. */
Test(probe_syn, forgeries) {
	static const struct {
		const char *what;
		uint32_t ack, ip;
		uint16_t our_port, port;
	} off[] = {
		{"acknowledges the SYN's own number", (uint32_t)-1, 0, 0, 0},
		{"acknowledges one too many", 1, 0, 0, 0},
		{"acknowledgement's top bit", 0x80000000, 0, 0, 0},
		{"our port + 1", 0, 0, 1, 0},
		{"our port - 1", 0, 0, (uint16_t)-1, 0},
		{"address + 1", 0, 1, 0, 0},
		{"address in another network", 0, 0x01000000, 0, 0},
		{"port + 1", 0, 0, 0, 1},
		{"port with its bytes exchanged", 0, 0, 0, 0xff00},
	};
	const struct probe_env env = make_env();
	uint64_t state = 25;

	for (unsigned round = 0; round < 2000; round++) {
		uint8_t frame[FRAME_BYTES], options[12];

		make_one(&env, frame, random_target(&state), CLOCK_US);
		for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
			struct tcp_segment segment
				= host_reply(frame, round % 2 ? 0x12 : 0x14, options);
			struct dp_answer answer;

			segment.ack += off[i].ack;
			segment.src_ip += off[i].ip;
			segment.dst_port = (uint16_t)(segment.dst_port + off[i].our_port);
			segment.src_port = (uint16_t)(segment.src_port + off[i].port);
			cr_assert_eq(
				judge(&segment, CLOCK_US, &answer), PROBE_NONE, "%s", off[i].what);
		}
	}
}

/* Another key's probes are not ours. */
Test(probe_syn, other_key) {
	struct probe_env env = make_env();
	struct dp_key other = key;
	uint64_t state = 26;

	other.bytes[15] ^= 0x80;
	cookie_init(&env.cookie, &other, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	for (unsigned round = 0; round < 2000; round++) {
		uint8_t frame[FRAME_BYTES], options[12];
		struct tcp_segment segment;
		struct dp_answer answer;

		make_one(&env, frame, random_target(&state), CLOCK_US);
		segment = host_reply(frame, 0x12, options);
		cr_assert_eq(judge(&segment, CLOCK_US, &answer), PROBE_NONE);
	}
}

/*
 * All 256 sets of flags. ACK has to be there, as the acknowledgement is the proof (RFC 9293
 * 3.10.7.1); then RST means closed whatever else is set, SYN without it open, and neither nothing.
 */
Test(probe_syn, all_flags) {
	const struct probe_env env = make_env();
	uint8_t frame[FRAME_BYTES], options[12];
	unsigned open = 0, closed = 0;

	make_one(&env, frame, (struct dp_target){0xc6336407, 443}, CLOCK_US);
	for (unsigned flags = 0; flags < 256; flags++) {
		const struct tcp_segment segment = host_reply(frame, (uint8_t)flags, options);
		const bool ack = flags & 0x10, rst = flags & 0x04, syn = flags & 0x02;
		struct dp_answer answer;
		const enum probe_kind kind = judge(&segment, CLOCK_US, &answer);

		cr_assert_eq(kind,
			ack && rst	     ? PROBE_RST
				: ack && syn ? PROBE_SYN_ACK
					     : PROBE_NONE,
			"flags %02x", flags);
		if (kind == PROBE_NONE)
			continue;
		cr_assert_eq(answer.state, rst ? DP_STATE_CLOSED : DP_STATE_OPEN);
		cr_assert_eq(answer.reason, rst ? DP_REASON_RESET : DP_REASON_SYN_ACK);
		open += kind == PROBE_SYN_ACK;
		closed += kind == PROBE_RST;
	}
	cr_assert_eq(open, 32);
	cr_assert_eq(closed, 64);
}

/*
 * The same flags in a connection whose hello is acknowledged, with and without data: what has SYN or no
 * ACK is nothing, a reset is nothing to do, data counts whatever else is set.
 */
Test(probe_syn, all_flags_in_connections) {
	struct probe_env env = make_env();
	uint8_t frame[FRAME_BYTES], options[12];

	env.banners = true;
	make_one(&env, frame, (struct dp_target){0xc6336407, 80}, CLOCK_US);
	for (unsigned i = 0; i < 2 * 256; i++) {
		const uint8_t flags = (uint8_t)i;
		struct tcp_segment segment = host_reply(frame, flags, options);
		const bool ack = flags & 0x10, rst = flags & 0x04, syn = flags & 0x02;
		const bool fin = flags & 0x01;
		struct dp_answer answer;
		enum probe_kind kind;

		segment.ack += 18;
		segment.data_bytes = i / 256;
		kind = probe_syn.verdict(&env, &segment, CLOCK_US, &answer);
		cr_assert_eq(kind,
			!ack || syn		     ? PROBE_NONE
				: rst		     ? PROBE_QUIET
				: segment.data_bytes ? PROBE_DATA
				: fin		     ? PROBE_FIN
						     : PROBE_QUIET,
			"flags %02x", flags);
		if (kind != PROBE_NONE) {
			cr_assert_eq(answer.state, DP_STATE_OPEN);
			cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
		}
		/* One off in any direction is no proof. */
		for (int off = -1; off <= 1; off += 2) {
			segment.ack += (uint32_t)off;
			cr_assert_eq(
				probe_syn.verdict(&env, &segment, CLOCK_US, &answer), PROBE_NONE);
			segment.ack -= (uint32_t)off;
			segment.dst_port = (uint16_t)(segment.dst_port + off);
			cr_assert_eq(
				probe_syn.verdict(&env, &segment, CLOCK_US, &answer), PROBE_NONE);
			segment.dst_port = (uint16_t)(segment.dst_port - off);
		}
	}
}

/* Judge a SYN-ACK whose option list is @bytes at the end of readable memory; returns its RTT. */
static uint32_t rtt_of(uint8_t *cage, const uint8_t *bytes, unsigned n, uint32_t clock_us) {
	const struct probe_env env = make_env();
	uint8_t frame[FRAME_BYTES], unused[12];
	struct tcp_segment segment;
	struct dp_answer answer;

	make_one(&env, frame, (struct dp_target){0xc6336407, 443}, CLOCK_US);
	segment = host_reply(frame, 0x12, unused);
	memcpy(cage - n, bytes, n);
	segment.options = cage - n;
	segment.options_bytes = n;
	cr_assert_eq(judge(&segment, clock_us, &answer), PROBE_SYN_ACK);
	return answer.rtt_us;
}

/* TSval 9, TSecr CLOCK_US */
#define TIMESTAMPS 8, 10, 0, 0, 0, 9, 1, 2, 3, 4

Test(probe_syn, option_lists) {
	static const struct {
		const char *what;
		unsigned n;
		uint8_t bytes[MAX_OPTIONS];
		bool found;
	} list[] = {
		{"none", 0, {0}, false},
		{"alone", 10, {TIMESTAMPS}, true},
		{"padded in front", 12, {1, 1, TIMESTAMPS}, true},
		{"padded behind", 12, {TIMESTAMPS, 1, 1}, true},
		{"as Linux", 20, {2, 4, 5, 0xb4, 4, 2, TIMESTAMPS, 1, 3, 3, 7}, true},
		{"as Windows", 20, {2, 4, 5, 0xb4, 1, 3, 3, 8, 4, 2, TIMESTAMPS}, true},
		{"at the very end", 40,
			{30, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
				0, 0, 0, 0, 0, 0, TIMESTAMPS},
			true},
		{"only padding", 40,
			{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
				1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
			false},
		{"behind the end of options", 11, {0, TIMESTAMPS}, false},
		{"behind a length of 0", 12, {3, 0, TIMESTAMPS}, false},
		{"behind a length of 1", 12, {3, 1, TIMESTAMPS}, false},
		{"behind an option without its length", 1, {3}, false},
		{"behind an option that is longer than the list", 12, {3, 13, TIMESTAMPS}, false},
		{"behind an option of 255 bytes", 12, {3, 255, TIMESTAMPS}, false},
		{"inside another option", 12, {99, 12, TIMESTAMPS}, false},
		{"cut by one byte", 9, {TIMESTAMPS}, false},
		{"cut behind its kind", 1, {8}, false},
		{"cut behind its length", 2, {8, 10}, false},
		{"too short by its own length", 10, {8, 9, 0, 0, 0, 9, 1, 2, 3, 1}, false},
		{"too long by its own length", 12, {8, 12, 0, 0, 0, 9, 1, 2, 3, 4, 1, 1}, false},
		{"behind one of a wrong length", 14, {8, 4, 0, 0, TIMESTAMPS}, true},
	};
	uint8_t *cage = cage_end();

	cr_assert_not_null(cage);
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		cr_assert_eq(rtt_of(cage, list[i].bytes, list[i].n, CLOCK_US + 777),
			list[i].found ? 777 : DP_RTT_NONE, "timestamps %s", list[i].what);
}

/* Longer than 120 s, or from the future, and the host's echo is not our clock. */
Test(probe_syn, unbelievable_round_trips) {
	static const struct {
		uint32_t later_us;
		bool believed;
	} trip[] = {
		{0, true},
		{1, true},
		{120000000, true},
		{120000001, false},
		{0x80000000, false},
		{(uint32_t)-1, false},
	};
	static const uint8_t timestamps[] = {TIMESTAMPS};
	uint8_t *cage = cage_end();

	cr_assert_not_null(cage);
	for (unsigned i = 0; i < sizeof(trip) / sizeof(trip[0]); i++)
		cr_assert_eq(
			rtt_of(cage, timestamps, sizeof(timestamps), CLOCK_US + trip[i].later_us),
			trip[i].believed ? trip[i].later_us : DP_RTT_NONE, "%u us",
			trip[i].later_us);
}

/* RFC 9293 3.2 with an index in place of pointers. */
static uint32_t reference_rtt(const uint8_t *bytes, unsigned n, uint32_t clock_us) {
	for (unsigned i = 0; i < n && bytes[i] != 0;) {
		unsigned length = 1;

		if (bytes[i] != 1) {
			if (i + 1 >= n || bytes[i + 1] < 2 || i + bytes[i + 1] > n)
				return DP_RTT_NONE;
			length = bytes[i + 1];
		}
		if (bytes[i] == 8 && length == 10) {
			const uint32_t echo = (uint32_t)bytes[i + 6] << 24
				| (uint32_t)bytes[i + 7] << 16 | (uint32_t)bytes[i + 8] << 8
				| bytes[i + 9];
			const uint32_t rtt_us = clock_us - echo;

			return echo == 0 || rtt_us > 120000000 ? DP_RTT_NONE : rtt_us;
		}
		i += length;
	}
	return DP_RTT_NONE;
}

/* Random lists of bytes that options are made of, each at the end of readable memory. */
Test(probe_syn, random_option_lists) {
	static const uint8_t usual[] = {0, 1, 1, 2, 2, 3, 4, 4, 8, 8, 8, 10, 10, 10, 12, 255};
	uint8_t *cage = cage_end();
	uint64_t state = 27;
	unsigned found = 0;

	cr_assert_not_null(cage);
	for (unsigned round = 0; round < 400000; round++) {
		const unsigned n = (unsigned)(next_random(&state) % (MAX_OPTIONS + 1));
		uint8_t bytes[MAX_OPTIONS];
		uint32_t rtt_us;

		for (unsigned i = 0; i < n; i++)
			bytes[i] = usual[next_random(&state) >> 60];
		rtt_us = rtt_of(cage, bytes, n, CLOCK_US);
		if (rtt_us != reference_rtt(bytes, n, CLOCK_US))
			cr_assert_fail("round %u", round);
		found += rtt_us != DP_RTT_NONE;
	}
	cr_assert_gt(found, 1000, "too few timestamps to prove anything");
}

/* A quotation is ours by its port and number; everything else in it may have been rewritten. */
Test(probe_syn, quotations) {
	static const struct {
		const char *what;
		unsigned at; /* in the frame, whose 20 bytes of IPv4 header begin at 14 */
		bool ours;
	} flip[] = {
		{"type of service", 15, true},
		{"length", 17, true},
		{"identification", 18, true},
		{"time to live", 22, true},
		{"header checksum", 24, true},
		{"target", 30, false},
		{"target's last byte", 33, false},
		{"our port", 35, false},
		{"target port", 37, false},
		{"first byte of the number", 38, false},
		{"last byte of the number", 41, false},
	};
	const struct probe_env env = make_env();
	uint8_t *cage = cage_end();
	uint64_t state = 28;

	cr_assert_not_null(cage);
	for (unsigned round = 0; round < 1000; round++) {
		const struct dp_target target = random_target(&state);
		uint8_t frame[FRAME_BYTES];

		make_one(&env, frame, target, CLOCK_US);
		for (unsigned i = 0; i < sizeof(flip) / sizeof(flip[0]); i++) {
			struct dp_answer answer;
			uint8_t *quoted = cage - 28;

			/* No more than RFC 792 promises: the header and eight bytes. */
			memcpy(quoted, frame + ETH_BYTES, 28);
			cr_assert(probe_syn.quoted(&env, quoted, IPV4_BYTES, &answer));
			cr_assert_eq(answer.ip, target.ip);
			cr_assert_eq(answer.port, target.port);
			cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
			quoted[flip[i].at - ETH_BYTES] ^= 1;
			cr_assert_eq(probe_syn.quoted(&env, quoted, IPV4_BYTES, &answer),
				flip[i].ours, "%s", flip[i].what);
		}
	}
}

/* With IP options in the quotation the segment begins later. */
Test(probe_syn, quotation_with_ip_options) {
	const struct probe_env env = make_env();
	uint8_t *cage = cage_end(), frame[FRAME_BYTES];

	cr_assert_not_null(cage);
	make_one(&env, frame, (struct dp_target){0xc6336407, 443}, CLOCK_US);
	for (unsigned header_bytes = 20; header_bytes <= 60; header_bytes += 4) {
		uint8_t *quoted = cage - header_bytes - 8;
		struct dp_answer answer;

		memset(quoted, 1, header_bytes);
		memcpy(quoted, frame + ETH_BYTES, IPV4_BYTES);
		memcpy(quoted + header_bytes, frame + TCP_AT, 8);
		cr_assert(probe_syn.quoted(&env, quoted, header_bytes, &answer));
		cr_assert_eq(answer.port, 443);
	}
}

/* The words that records carry are nmap's: whoever reads them knows these. */
Test(probe_syn, names) {
	static const char *const reasons[DP_REASON_COUNT]
		= {"syn-ack", "reset", "net-unreach", "host-unreach", "proto-unreach",
			"port-unreach", "net-prohibited", "host-prohibited", "admin-prohibited"};
	static const char *const states[DP_STATE_COUNT] = {"open", "closed", "filtered"};

	for (unsigned i = 0; i < DP_REASON_COUNT; i++)
		cr_assert_str_eq(dp_reason_name((enum dp_reason)i), reasons[i]);
	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		cr_assert_str_eq(dp_state_name((enum dp_state)i), states[i]);
}
