/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TCP probes: each of their bytes, their checksums for any target, and which segments count as
 * answers to them, in connections, too.
 */
#include "book.h"
#include "probe.h"
#include "wire_test.h"

#include <criterion/criterion.h>

enum {
	SOURCE_IP = 0xc000020a, /* 192.0.2.10 */
	TARGET_IP = 0xc6336407, /* 198.51.100.7 */
	PORT_FIRST = 40000,
	PORT_SPAN = 8192,
	SYN_BYTES = 60, /* of IPv4 */
	CLOCK_US = 0x01020304,
	MAX_OPTIONS = 40,
	MAX_PACKET = 80,
	BURST = 32,
	PASSES = 4,
	WEB_PORT = 80, /* its hello is 18 bytes long */
	QUIET_PORT = 22, /* nothing is said there */
	HELLO_BYTES = 18,
	BANNER_BYTES = 4000,
	ISN = 0x31415926,
};

#define SOURCE_V6 dp_ip_v6(UINT64_C(0x20010db800000000), 10)
#define TARGET_V6 dp_ip_v6(UINT64_C(0x20010db800010002), 7)

static const struct dp_key key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static const struct payload_book *book(void) {
	static const uint16_t web = WEB_PORT, quiet = QUIET_PORT;
	static const struct dp_hello hellos[] = {
		{"web", &web, 1, (const uint8_t *)"GET / HTTP/1.0\r\n\r\n", HELLO_BYTES},
		{"quiet", &quiet, 1, NULL, 0},
	};
	static struct payload_book *made;

	if (!made)
		cr_assert_eq(book_create(NULL, 0, hellos, 2, &made), 0);
	return made;
}

static struct probe_env make_env(void) {
	const struct dp_range v4 = {dp_ip_v4(SOURCE_IP), dp_ip_v4(SOURCE_IP)};
	const struct dp_range v6 = {SOURCE_V6, SOURCE_V6};
	struct probe_env env
		= {.source_mac = 0x02000000000a, .passes = PASSES, .banner_bytes = BANNER_BYTES};

	cookie_init(&env.cookie, &key, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	sources_init(&env.sources[FAMILY_V4], &v4, 1);
	sources_init(&env.sources[FAMILY_V6], &v6, 1);
	return env;
}

static struct probe_env make_banner_env(void) {
	struct probe_env env = make_env();

	env.banners = true;
	env.book = book();
	return env;
}

static void make_one(const struct probe_env *env, const struct probe_module *module,
	uint8_t *packet, struct dp_target target, uint32_t clock_us) {
	struct probe_sums sums;

	module->prepare(env, family_of(target.ip), packet, &sums);
	module->make(env, family_of(target.ip), &sums, &packet, NULL, &target, 1, clock_us);
}

static void make_syn(const struct probe_env *env, uint8_t *packet, struct dp_target target) {
	make_one(env, &probe_syn, packet, target, CLOCK_US);
}

static struct dp_target random_target(uint64_t *state, enum family family) {
	const uint64_t low = next_random(state);
	const uint64_t high = UINT64_C(0x20010db800000000) | (uint32_t)next_random(state);

	return (struct dp_target){
		.ip = family == FAMILY_V4 ? dp_ip_v4((uint32_t)low) : dp_ip_v6(high, low),
		.port = (uint16_t)(next_random(state) >> 48),
	};
}

/* The scans by what their probes have and what resets mean to them. */
static const struct scan_row {
	const struct probe_module *module;
	const char *name;
	uint8_t flags;
	uint8_t on_reset, on_reset_with_window; /* states */
} scans[] = {
	{&probe_syn, "syn", 0x02, DP_STATE_CLOSED, DP_STATE_CLOSED},
	{&probe_ack, "ack", 0x10, DP_STATE_UNFILTERED, DP_STATE_UNFILTERED},
	{&probe_window, "window", 0x10, DP_STATE_CLOSED, DP_STATE_OPEN},
	{&probe_fin, "fin", 0x01, DP_STATE_CLOSED, DP_STATE_CLOSED},
	{&probe_null, "null", 0x00, DP_STATE_CLOSED, DP_STATE_CLOSED},
	{&probe_xmas, "xmas", 0x29, DP_STATE_CLOSED, DP_STATE_CLOSED},
	{&probe_maimon, "maimon", 0x11, DP_STATE_CLOSED, DP_STATE_CLOSED},
};

enum {
	NB_SCANS = sizeof(scans) / sizeof(scans[0]),
};

static unsigned tcp_at(enum family family) {
	return family == FAMILY_V4 ? 20 : 40;
}

Test(probe_tcp, modules) {
	for (unsigned i = 0; i < NB_SCANS; i++) {
		const struct probe_module *module = scans[i].module;
		const unsigned bytes = i == 0 ? 40 : 20;

		cr_assert_str_eq(module->name, scans[i].name);
		cr_assert_eq(module->proto, DP_PROTO_TCP);
		cr_assert_eq(module->protocol[FAMILY_V4], 6);
		cr_assert_eq(module->protocol[FAMILY_V6], 6);
		cr_assert_eq(module->packet_bytes[FAMILY_V4], 20 + bytes);
		cr_assert_eq(module->packet_bytes[FAMILY_V6], 40 + bytes);
		cr_assert_not(module->link || module->varies || module->unreachable_closes);
	}
}

/*
 * The packet to 198.51.100.7 port 443 under the key 00..0f, from ports 40000-48191. The cookie, from
 * a SipHash that is not ours, is c855 e11d e5384daa: identification, port (40000 + (0xe11d * 8192 >>
 * 16) = 47203 = 0xb863), sequence number. The checksums were computed apart from this code, too.
 */
Test(probe_tcp, golden_syn) {
	/* clang-format off */
	static const uint8_t golden[SYN_BYTES] = {
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
	uint8_t packet[SYN_BYTES];

	memset(packet, 0xee, sizeof(packet));
	make_syn(&env, packet, (struct dp_target){dp_ip_v4(TARGET_IP), 443, 0, 0});
	for (unsigned i = 0; i < SYN_BYTES; i++)
		cr_assert_eq(
			packet[i], golden[i], "byte %u is %02x, not %02x", i, packet[i], golden[i]);
}

/*
 * The third transmission to port 443 of 2001:db8:1:2::7: the cookie 502e413ee3501c7b gives port 42087
 * + 2 and number e3501c7b + 2 * 9e3779b9. All of it computed apart from this code.
 */
Test(probe_tcp, golden_syn_v6) {
	/* clang-format off */
	static const uint8_t golden[MAX_PACKET] = {
		0x60, 0x00, 0x00, 0x00, /* IPv6, no class, no flow label */
		0x00, 0x28, 0x06, 0x40, /* 40 bytes of TCP, hop limit 64 */
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, /* 2001:db8::a */
		0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x07,

		0xa4, 0x69, 0x01, 0xbb, /* ports 42089 and 443 */
		0x1f, 0xbf, 0x0f, 0xed, 0x00, 0x00, 0x00, 0x00,
		0xa0, 0x02, 0xfa, 0xf0, 0x17, 0xc7, 0x00, 0x00,
		0x02, 0x04, 0x05, 0xa0, /* MSS 1440 */
		0x04, 0x02, 0x08, 0x0a, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00,
		0x01, 0x03, 0x03, 0x07,
	};
	/* clang-format on */
	const struct probe_env env = make_env();
	uint8_t packet[MAX_PACKET];

	memset(packet, 0xee, sizeof(packet));
	make_syn(&env, packet, (struct dp_target){TARGET_V6, 443, 2, 0});
	for (unsigned i = 0; i < MAX_PACKET; i++)
		cr_assert_eq(
			packet[i], golden[i], "byte %u is %02x, not %02x", i, packet[i], golden[i]);
}

/* What a scan's probe to @target has to be. */
static void check_probe(const struct scan_row *scan, const uint8_t *packet, dp_ip source,
	struct dp_target target, uint32_t clock_us) {
	const uint64_t h = reference_cookie_ip(key.bytes, target.ip, target.port);
	const bool v4 = family_of(target.ip) == FAMILY_V4;
	const uint8_t *tcp = packet + (v4 ? 20 : 40);
	const uint32_t seq = reference_pass_seq(h, PORT_SPAN, target.pass);

	cr_assert(reference_packet_good(packet), "%s", scan->name);
	if (v4) {
		cr_assert_eq(packet[0], 0x45);
		cr_assert_eq(get16(packet + 4), h >> 48);
		cr_assert_eq(get32(packet + 12), (uint32_t)source);
		cr_assert_eq(get32(packet + 16), (uint32_t)target.ip);
	} else {
		cr_assert_eq(get32(packet), 0x60000000);
		cr_assert(dp_ip_get_v6(packet + 8) == source);
		cr_assert(dp_ip_get_v6(packet + 24) == target.ip);
	}
	cr_assert_eq(get16(tcp), reference_pass_port(h, PORT_FIRST, PORT_SPAN, target.pass));
	cr_assert_eq(get16(tcp + 2), target.port);
	cr_assert_eq(get32(tcp + 4), seq);
	cr_assert_eq(get32(tcp + 8), scan->flags & 0x10 ? seq : 0);
	cr_assert_eq(tcp[12], scan->flags == 0x02 ? 0xa0 : 0x50);
	cr_assert_eq(tcp[13], scan->flags);
	if (scan->flags == 0x02)
		cr_assert_eq(get32(tcp + 28), clock_us);
}

/* Any scan, source, target, transmission and clock: right fields, and checksums by a byte-wise sum. */
Test(probe_tcp, checksums_and_fields) {
	uint64_t state = 21;

	for (unsigned round = 0; round < 42000; round++) {
		const struct scan_row *scan = &scans[round % NB_SCANS];
		const enum family family = round & 1 ? FAMILY_V6 : FAMILY_V4;
		struct probe_env env = make_env();
		struct dp_target target = random_target(&state, family);
		const dp_ip source = random_target(&state, family).ip;
		const struct dp_range range = {source, source};
		const uint32_t clock_us = (uint32_t)next_random(&state);
		uint8_t packet[MAX_PACKET];

		target.pass = (uint8_t)(next_random(&state) % 128);
		sources_init(&env.sources[family], &range, 1);
		make_one(&env, scan->module, packet, target, clock_us);
		check_probe(scan, packet, source, target, clock_us);
	}
}

/* Sums that come to 0 or 0xffff are where incremental checksums go wrong (RFC 1624 section 3). */
Test(probe_tcp, checksums_at_the_edges) {
	static const uint32_t words[] = {0, 1, 0xffff, 0x10000, 0xffff0000, 0xffffffff, 0x80008000};
	enum { WORDS = sizeof(words) / sizeof(words[0]) };
	const struct probe_env env = make_env();
	uint8_t packet[MAX_PACKET];

	for (unsigned i = 0; i < WORDS * WORDS * WORDS; i++) {
		struct probe_env edge = make_env();
		const dp_ip source = dp_ip_v4(words[i % WORDS]);
		const struct dp_range range = {source, source};

		sources_init(&edge.sources[FAMILY_V4], &range, 1);
		make_one(&edge, &probe_syn, packet,
			(struct dp_target){dp_ip_v4(words[i / WORDS % WORDS]),
				(uint16_t)words[i % WORDS], 0, 0},
			words[i / WORDS / WORDS]);
		cr_assert(reference_packet_good(packet), "case %u", i);
	}
	/* All clocks of 16 bits for one target, so that each sum there is comes up. */
	for (uint32_t clock_us = 0; clock_us < 65536; clock_us++) {
		make_one(&env, &probe_syn, packet,
			(struct dp_target){dp_ip_v4(0x01020304), 80, 0, 0}, clock_us);
		if (!reference_packet_good(packet))
			cr_assert_fail("clock %u", clock_us);
	}
}

/* The template is in the buffer once: make() must rewrite what changes, and only that. */
Test(probe_tcp, make_leaves_the_rest_alone) {
	static const struct {
		unsigned at, bytes;
	} changing[] = {
		{4, 2}, /* identification */
		{10, 2}, /* IPv4 checksum */
		{16, 4}, /* target */
		{20, 2}, /* source port */
		{22, 2}, /* target port */
		{24, 4}, /* sequence number */
		{36, 2}, /* TCP checksum */
		{48, 4}, /* clock */
	};
	const struct probe_env env = make_env();
	bool may_change[SYN_BYTES] = {false};
	uint64_t state = 22;

	for (unsigned i = 0; i < sizeof(changing) / sizeof(changing[0]); i++)
		memset(&may_change[changing[i].at], 1, changing[i].bytes);
	for (unsigned round = 0; round < 1000; round++) {
		struct dp_target target = random_target(&state, FAMILY_V4);
		uint8_t noise[SYN_BYTES], packet[SYN_BYTES], fresh[SYN_BYTES], *at = packet;
		struct probe_sums sums;

		probe_syn.prepare(&env, FAMILY_V4, packet, &sums);
		for (unsigned i = 0; i < SYN_BYTES; i++)
			noise[i] = packet[i] = (uint8_t)(next_random(&state) >> 56);
		probe_syn.make(&env, FAMILY_V4, &sums, &at, NULL, &target, 1, CLOCK_US);
		make_syn(&env, fresh, target);
		for (unsigned i = 0; i < SYN_BYTES; i++)
			cr_assert_eq(packet[i], may_change[i] ? fresh[i] : noise[i], "byte %u", i);
	}
}

/* A burst is its probes one by one, in memory that ends with each packet; buffers are used again. */
Test(probe_tcp, bursts) {
	const struct probe_env env = make_env();
	uint8_t *packet[BURST];
	struct probe_sums sums;
	uint64_t state = 23;

	for (unsigned i = 0; i < BURST; i++) {
		packet[i] = cage_end();
		cr_assert_not_null(packet[i]);
		packet[i] -= SYN_BYTES;
		probe_syn.prepare(&env, FAMILY_V4, packet[i], &sums);
	}
	probe_syn.make(&env, FAMILY_V4, &sums, packet, NULL, NULL, 0, CLOCK_US);
	for (unsigned n = 1; n <= BURST; n++) {
		struct dp_target target[BURST];

		for (unsigned i = 0; i < n; i++)
			target[i] = random_target(&state, FAMILY_V4);
		probe_syn.make(&env, FAMILY_V4, &sums, packet, NULL, target, n, CLOCK_US + n);
		for (unsigned i = 0; i < n; i++) {
			uint8_t alone[SYN_BYTES];

			make_one(&env, &probe_syn, alone, target[i], CLOCK_US + n);
			cr_assert_arr_eq(packet[i], alone, SYN_BYTES, "probe %u of %u", i, n);
		}
	}
}

/* A device that completes checksums finds 0 in IPv4's and the pseudo-header's sum in TCP's. */
Test(probe_tcp, offloads) {
	uint64_t state = 29;

	for (unsigned round = 0; round < 2000; round++) {
		const struct scan_row *scan = &scans[round % NB_SCANS];
		const enum family family = round & 1 ? FAMILY_V6 : FAMILY_V4;
		const struct dp_target target = random_target(&state, family);
		struct probe_env env = make_env();
		uint8_t ours[MAX_PACKET], theirs[MAX_PACKET], *tcp = theirs + tcp_at(family);

		make_one(&env, scan->module, ours, target, CLOCK_US);
		env.offload_ip = env.offload_l4 = true;
		make_one(&env, scan->module, theirs, target, CLOCK_US);
		cr_assert_eq(get16(tcp + 16),
			reference_pseudo_ip(theirs, 6, reference_l4_bytes(theirs)));
		if (family == FAMILY_V4) {
			cr_assert_eq(get16(theirs + 10), 0);
			memcpy(theirs + 10, ours + 10, 2);
		}
		memcpy(tcp + 16, ours + tcp_at(family) + 16, 2);
		cr_assert_arr_eq(ours, theirs, scan->module->packet_bytes[family]);
	}
}

/* --- hosts ----------------------------------------------------------------------------------- */

/* A host's segment, with all that it points to. */
struct reply {
	struct packet packet;
	struct tcp_segment segment;
	uint8_t options[12];
};

/*
 * What a host makes of the probe @probe: a segment back to it that acknowledges it, written with
 * nothing but the probe's bytes. The options hold an echo of the probe's clock, if any.
 */
static void host_reply(const uint8_t *probe, uint8_t flags, struct reply *reply) {
	const bool v4 = probe[0] >> 4 == 4;
	const uint8_t *tcp = probe + (v4 ? 20 : 40);

	*reply = (struct reply){.options = {1, 1, 8, 10, 0x77, 0x77, 0x77, 0x77}};
	if (tcp[12] == 0xa0)
		memcpy(reply->options + 8, tcp + 28, 4);
	reply->packet = (struct packet){
		.family = v4 ? FAMILY_V4 : FAMILY_V6,
		.src = v4 ? dp_ip_v4(get32(probe + 16)) : dp_ip_get_v6(probe + 24),
		.dst = v4 ? dp_ip_v4(get32(probe + 12)) : dp_ip_get_v6(probe + 8),
		.protocol = 6,
		.ttl = 57,
	};
	reply->segment = (struct tcp_segment){
		.src_port = get16(tcp + 2),
		.dst_port = get16(tcp),
		.seq = 0x12345678,
		.ack = get32(tcp + 4) + 1,
		.window = 1024,
		.flags = flags,
		.options = reply->options,
		.options_bytes = 12,
	};
}

/* The reset of a closed port (RFC 9293 3.10.7.1), by the probe's bytes. */
static void host_reset(const uint8_t *probe, uint16_t window, struct reply *reply) {
	const uint8_t *tcp = probe + (probe[0] >> 4 == 4 ? 20 : 40);

	host_reply(probe, 0x14, reply);
	reply->segment.options_bytes = 0;
	reply->segment.window = window;
	reply->segment.seq = 0;
	reply->segment.ack = get32(tcp + 4) + (tcp[13] & 1) + (tcp[13] >> 1 & 1);
	if (tcp[13] & 0x10) {
		reply->segment.seq = get32(tcp + 8);
		reply->segment.ack = 0;
		reply->segment.flags = 0x04;
	}
}

static struct verdict judge(const struct probe_env *env, const struct probe_module *module,
	const struct reply *reply, uint32_t clock_us, struct dp_answer *answer) {
	memset(answer, 0xee, sizeof(*answer));
	return module->segment(env, &reply->packet, &reply->segment, clock_us, answer);
}

static enum probe_kind kind_of(
	const struct probe_env *env, const struct probe_module *module, const struct reply *reply) {
	struct dp_answer answer;

	return judge(env, module, reply, CLOCK_US, &answer).kind;
}

Test(probe_tcp, replies_to_syn) {
	static const struct {
		uint8_t flags, state, reason;
		struct verdict verdict;
	} expected[] = {
		{0x12, DP_STATE_OPEN, DP_REASON_SYN_ACK, {PROBE_OPENED, DP_RESPONSE_SYN_ACK}},
		{0x14, DP_STATE_CLOSED, DP_REASON_RESET, {PROBE_ANSWER, DP_RESPONSE_RST}},
	};
	uint64_t state = 24;

	for (unsigned round = 0; round < 20000; round++) {
		const bool banners = round & 4;
		const struct probe_env env = banners ? make_banner_env() : make_env();
		struct dp_target target = random_target(&state, round & 2 ? FAMILY_V6 : FAMILY_V4);
		const uint32_t clock_us = (uint32_t)next_random(&state);
		const uint32_t rtt_us = (uint32_t)(next_random(&state) % 120000001);
		const unsigned r = round % 2;
		struct dp_answer answer;
		struct verdict verdict;
		struct reply reply;
		uint8_t packet[MAX_PACKET];

		target.pass = (uint8_t)(next_random(&state) % PASSES);
		make_one(&env, &probe_syn, packet, target, clock_us);
		host_reply(packet, expected[r].flags, &reply);
		reply.segment.window = (uint16_t)(round & 8);
		/* The clock has 32 bits and wraps. */
		verdict = judge(&env, &probe_syn, &reply, clock_us + rtt_us, &answer);
		cr_assert_eq(verdict.kind, expected[r].verdict.kind);
		cr_assert_eq(verdict.response, expected[r].verdict.response);
		cr_assert(answer.ip == target.ip);
		cr_assert_eq(answer.port, target.port);
		cr_assert_eq(answer.pass, target.pass);
		cr_assert_eq(answer.proto, DP_PROTO_TCP);
		cr_assert_eq(answer.state, expected[r].state);
		cr_assert_eq(answer.reason, expected[r].reason);
		cr_assert_eq(answer.rtt_us, rtt_us, "round %u", round);
		cr_assert_eq(answer.ts_ns, 0xeeeeeeeeeeeeeeeeu, "the arrival time is not ours");
		if (r == 0)
			cr_assert_eq(answer.zero_window, !(round & 8));
	}
}

/* Resets as hosts send them, to every scan in both families, from every transmission. */
Test(probe_tcp, resets) {
	const struct probe_env env = make_env();
	uint64_t state = 31;

	for (unsigned round = 0; round < 7 * 2 * PASSES * 2 * 50; round++) {
		const struct scan_row *scan = &scans[round % 7];
		struct dp_target target
			= random_target(&state, round / 7 % 2 ? FAMILY_V6 : FAMILY_V4);
		const uint16_t window = round / 14 % 2 ? 512 : 0;
		struct dp_answer answer;
		struct verdict verdict;
		struct reply reply;
		uint8_t packet[MAX_PACKET];

		target.pass = (uint8_t)(round / 28 % PASSES);
		make_one(&env, scan->module, packet, target, CLOCK_US);
		host_reset(packet, window, &reply);
		verdict = judge(&env, scan->module, &reply, CLOCK_US, &answer);
		cr_assert_eq(verdict.kind, PROBE_ANSWER, "%s", scan->name);
		cr_assert_eq(verdict.response, DP_RESPONSE_RST);
		cr_assert(answer.ip == target.ip);
		cr_assert_eq(answer.port, target.port);
		cr_assert_eq(answer.pass, target.pass);
		cr_assert_eq(answer.proto, DP_PROTO_TCP);
		cr_assert_eq(answer.state, window ? scan->on_reset_with_window : scan->on_reset,
			"%s", scan->name);
		cr_assert_eq(answer.reason, DP_REASON_RESET);
		cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
	}
}

/* Stacks for which a FIN takes no number; a SYN always does. */
Test(probe_tcp, resets_that_forget_the_fin) {
	const struct probe_env env = make_env();
	const struct dp_target target = {dp_ip_v4(TARGET_IP), 443, 0, 0};

	for (unsigned i = 0; i < NB_SCANS; i++) {
		const bool fin = scans[i].flags == 0x01 || scans[i].flags == 0x29;
		uint8_t packet[MAX_PACKET];
		struct reply reply;

		if (scans[i].flags & 0x10)
			continue;
		make_one(&env, scans[i].module, packet, target, CLOCK_US);
		host_reset(packet, 0, &reply);
		for (uint32_t off = 0; off < 5; off++) {
			const bool right = scans[i].flags == 0x00 ? off == 2
				: fin				  ? off == 2 || off == 3
								  : off == 3;

			reply.segment.ack = get32(packet + 24) + off - 2;
			cr_assert_eq(kind_of(&env, scans[i].module, &reply),
				right ? PROBE_ANSWER : PROBE_NONE, "%s %u", scans[i].name, off);
		}
	}
}

/* One thing wrong at a time, for many probes of each scan: none of it is an answer. */
Test(probe_tcp, forgeries) {
	static const struct {
		const char *what;
		uint32_t number;
		uint64_t ip, our_ip;
		uint16_t our_port, port;
	} off[] = {
		{"one too many", 1, 0, 0, 0, 0},
		{"two too few", (uint32_t)-2, 0, 0, 0, 0},
		{"top bit", 0x80000000, 0, 0, 0, 0},
		{"our port + 1", 0, 0, 0, 1, 0},
		{"our port - 1", 0, 0, 0, (uint16_t)-1, 0},
		{"our port below the range", 0, 0, 0, (uint16_t)-PORT_SPAN, 0},
		{"our port beyond the range", 0, 0, 0, PORT_SPAN, 0},
		{"address + 1", 0, 1, 0, 0, 0},
		{"address in another network", 0, 0x01000000, 0, 0, 0},
		{"another address of ours", 0, 0, 1, 0, 0},
		{"port + 1", 0, 0, 0, 0, 1},
		{"port with its bytes exchanged", 0, 0, 0, 0, 0xff00},
	};
	const struct probe_env env = make_env();
	uint64_t state = 25;

	for (unsigned round = 0; round < 2800; round++) {
		const struct scan_row *scan = &scans[round % NB_SCANS];
		uint8_t packet[MAX_PACKET];

		make_one(&env, scan->module, packet,
			random_target(&state, round & 1 ? FAMILY_V6 : FAMILY_V4), CLOCK_US);
		for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
			struct reply reply;

			host_reset(packet, 1, &reply);
			if (round & 2 && scan->flags == 0x02)
				reply.segment.flags = 0x12;
			if (scan->flags & 0x10)
				reply.segment.seq += off[i].number;
			else
				reply.segment.ack += off[i].number;
			reply.packet.src += off[i].ip;
			reply.packet.dst += off[i].our_ip;
			reply.segment.dst_port
				= (uint16_t)(reply.segment.dst_port + off[i].our_port);
			reply.segment.src_port = (uint16_t)(reply.segment.src_port + off[i].port);
			cr_assert_eq(kind_of(&env, scan->module, &reply), PROBE_NONE, "%s: %s",
				scan->name, off[i].what);
		}
	}
}

/* Another key's probes are not ours. */
Test(probe_tcp, other_key) {
	const struct probe_env env = make_env();
	struct probe_env others = make_env();
	struct dp_key other = key;
	uint64_t state = 26;

	other.bytes[15] ^= 0x80;
	cookie_init(&others.cookie, &other, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	for (unsigned round = 0; round < 2100; round++) {
		const struct scan_row *scan = &scans[round % NB_SCANS];
		uint8_t packet[MAX_PACKET];
		struct reply reply;

		make_one(&others, scan->module, packet,
			random_target(&state, round & 1 ? FAMILY_V6 : FAMILY_V4), CLOCK_US);
		host_reset(packet, 0, &reply);
		cr_assert_eq(kind_of(&env, scan->module, &reply), PROBE_NONE);
	}
}

/* Transmissions beyond those that are sent are no probes; in a small range they begin again. */
Test(probe_tcp, transmissions) {
	for (unsigned span = 1; span <= 8; span++)
		for (unsigned pass = 0; pass < 8; pass++) {
			const struct dp_target target
				= {dp_ip_v4(TARGET_IP + span), 443, (uint8_t)pass, 0};
			struct probe_env env = make_env();
			struct dp_answer answer;
			struct verdict verdict;
			uint8_t packet[MAX_PACKET];
			struct reply reply;

			cookie_init(&env.cookie, &key, 65000, (uint16_t)(65000 + span - 1));
			make_syn(&env, packet, target);
			host_reply(packet, 0x12, &reply);
			verdict = judge(&env, &probe_syn, &reply, CLOCK_US, &answer);
			cr_assert_eq(verdict.kind, pass % span < PASSES ? PROBE_OPENED : PROBE_NONE,
				"%u of %u", pass, span);
			if (verdict.kind == PROBE_OPENED)
				cr_assert_eq(answer.pass, pass % span);
		}
}

/* Of several sources each pair has one: it is in the probe, all are used, and no other will do. */
Test(probe_tcp, sources) {
	const struct dp_range v4[2] = {{dp_ip_v4(SOURCE_IP), dp_ip_v4(SOURCE_IP + 2)},
		{dp_ip_v4(SOURCE_IP + 16), dp_ip_v4(SOURCE_IP + 16)}};
	const struct dp_range v6 = {SOURCE_V6, SOURCE_V6 + 3};
	struct probe_env env = make_env();
	unsigned used[FAMILIES][4] = {{0}};
	uint64_t state = 33;

	sources_init(&env.sources[FAMILY_V4], v4, 2);
	sources_init(&env.sources[FAMILY_V6], &v6, 1);
	for (unsigned round = 0; round < 7000; round++) {
		const struct scan_row *scan = &scans[round % NB_SCANS];
		const enum family family = round & 1 ? FAMILY_V6 : FAMILY_V4;
		const struct dp_target target = random_target(&state, family);
		unsigned right = 0;
		uint8_t packet[MAX_PACKET];
		struct reply reply;

		make_one(&env, scan->module, packet, target, CLOCK_US);
		host_reset(packet, 0, &reply);
		check_probe(scan, packet, reply.packet.dst, target, CLOCK_US);
		for (unsigned i = 0; i < 4; i++) {
			const dp_ip ip = family == FAMILY_V6 ? SOURCE_V6 + i
				: i == 3		     ? v4[1].first
							     : v4[0].first + i;
			const bool same = ip == reply.packet.dst;
			struct reply to = reply;

			to.packet.dst = ip;
			cr_assert_eq(
				kind_of(&env, scan->module, &to), same ? PROBE_ANSWER : PROBE_NONE);
			used[family][i] += same;
			right += same;
		}
		cr_assert_eq(right, 1);
	}
	/* 3,500 draws of 1 in 4: a standard deviation is 26. */
	for (unsigned i = 0; i < 8; i++) {
		cr_assert_gt(used[i / 4][i % 4], 875 - 6 * 26);
		cr_assert_lt(used[i / 4][i % 4], 875 + 6 * 26);
	}
}

/*
 * All 256 sets of flags. To SYN, ACK has to be there, as the acknowledgement is the proof (RFC 9293
 * 3.10.7.1); then RST means closed whatever else is set, SYN without it open, and neither nothing. To
 * the others a reset is all there is, with ACK where the probe had none.
 */
Test(probe_tcp, all_flags) {
	const struct probe_env env = make_env();

	for (unsigned i = 0; i < NB_SCANS * 256; i++) {
		const struct scan_row *scan = &scans[i / 256];
		const uint8_t flags = (uint8_t)i;
		const bool ack = flags & 0x10, rst = flags & 0x04, syn = flags & 0x02;
		const bool proof = ack || scan->flags & 0x10;
		uint8_t packet[MAX_PACKET];
		struct reply reply;

		make_one(&env, scan->module, packet,
			(struct dp_target){dp_ip_v4(TARGET_IP), 443, 0, 0}, CLOCK_US);
		host_reset(packet, 0, &reply);
		reply.segment.flags = flags;
		cr_assert_eq(kind_of(&env, scan->module, &reply),
			!proof				     ? PROBE_NONE
				: rst			     ? PROBE_ANSWER
				: syn && scan->flags == 0x02 ? PROBE_OPENED
							     : PROBE_NONE,
			"%s, flags %02x", scan->name, flags);
	}
}

/* --- options --------------------------------------------------------------------------------- */

/* Judge a SYN-ACK whose option list is @bytes at the end of readable memory; returns its RTT. */
static uint32_t rtt_of(uint8_t *cage, const uint8_t *bytes, unsigned n, uint32_t clock_us) {
	const struct probe_env env = make_env();
	uint8_t packet[MAX_PACKET];
	struct dp_answer answer;
	struct reply reply;

	make_syn(&env, packet, (struct dp_target){dp_ip_v4(TARGET_IP), 443, 0, 0});
	host_reply(packet, 0x12, &reply);
	memcpy(cage - n, bytes, n);
	reply.segment.options = cage - n;
	reply.segment.options_bytes = n;
	cr_assert_eq(judge(&env, &probe_syn, &reply, clock_us, &answer).kind, PROBE_OPENED);
	return answer.rtt_us;
}

/* TSval 9, TSecr CLOCK_US */
#define TIMESTAMPS 8, 10, 0, 0, 0, 9, 1, 2, 3, 4

Test(probe_tcp, option_lists) {
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
Test(probe_tcp, unbelievable_round_trips) {
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
Test(probe_tcp, random_option_lists) {
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

/* --- errors ---------------------------------------------------------------------------------- */

/* A quotation is ours by its addresses, ports and number, the first eight bytes of TCP. */
Test(probe_tcp, quotations) {
	const struct probe_env env = make_env();
	uint8_t *cage = cage_end();
	uint64_t state = 28;

	cr_assert_not_null(cage);
	for (unsigned round = 0; round < 1400; round++) {
		const struct scan_row *scan = &scans[round % NB_SCANS];
		struct dp_target target = random_target(&state, round & 1 ? FAMILY_V6 : FAMILY_V4);
		struct dp_answer answer = {0};
		uint8_t packet[MAX_PACKET], *tcp = cage - 8;
		struct packet quoted;

		target.pass = (uint8_t)(round % PASSES);
		make_one(&env, scan->module, packet, target, CLOCK_US);
		memcpy(tcp, packet + tcp_at(family_of(target.ip)), 8);
		quoted = (struct packet){
			.family = family_of(target.ip),
			.src = env.sources[family_of(target.ip)].only,
			.dst = target.ip,
			.protocol = 6,
			.l4 = tcp,
			.l4_bytes = 8,
		};
		cr_assert(scan->module->quoted(&env, &quoted, &answer));
		cr_assert(answer.ip == target.ip);
		cr_assert_eq(answer.port, target.port);
		cr_assert_eq(answer.pass, target.pass);
		cr_assert_eq(answer.proto, DP_PROTO_TCP);
		cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
		for (unsigned i = 0; i < 8; i++) {
			tcp[i] ^= 0x40;
			cr_assert_not(scan->module->quoted(&env, &quoted, &answer), "byte %u", i);
			tcp[i] ^= 0x40;
		}
		quoted.src++;
		cr_assert_not(scan->module->quoted(&env, &quoted, &answer));
		quoted.src--;
		quoted.dst++;
		cr_assert_not(scan->module->quoted(&env, &quoted, &answer));
	}
}

/* --- banners --------------------------------------------------------------------------------- */

/* T0 of the pair, by the words of probe.h's and cookie.h's comments. */
static uint32_t t0_of(dp_ip ip, uint16_t port) {
	uint64_t z = reference_cookie_ip(key.bytes, ip, port) + 2 * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(z ^ (z >> 31));
}

/* The SYN's clock runs backwards from just before T0, so that no later one of ours is older. */
Test(probe_tcp, clock_of_banner_syns) {
	const struct probe_env env = make_banner_env();
	uint64_t state = 34;

	for (unsigned round = 0; round < 2000; round++) {
		const struct dp_target target
			= random_target(&state, round & 1 ? FAMILY_V6 : FAMILY_V4);
		const uint32_t clock_us = (uint32_t)next_random(&state);
		uint8_t packet[MAX_PACKET];

		make_one(&env, &probe_syn, packet, target, clock_us);
		check_probe(&scans[0], packet, env.sources[family_of(target.ip)].only, target,
			t0_of(target.ip, target.port) - 1 - (clock_us & 0x3fffffff));
	}
}

/* The host's clock echo for @acked bytes of ours that it knows of. */
static uint32_t echo_of(dp_ip ip, uint16_t port, bool scaled, uint32_t acked) {
	return t0_of(ip, port) + (ISN & 0xffff) + (scaled ? 1u << 16 : 0) + (acked << 17);
}

/* A segment of the connection to @port whose bytes are @at in the stream, after all before them. */
static void host_says(const struct probe_env *env, dp_ip ip, uint16_t port, uint32_t at,
	bool scaled, uint8_t flags, unsigned bytes, struct reply *reply) {
	static const uint8_t text[65536];
	uint8_t packet[MAX_PACKET];

	make_one(env, &probe_syn, packet, (struct dp_target){ip, port, 1, 0}, CLOCK_US);
	host_reply(packet, flags, reply);
	reply->segment.ack += port == WEB_PORT ? HELLO_BYTES : 0;
	reply->segment.seq = ISN + 1u + at;
	reply->segment.data = text;
	reply->segment.data_bytes = bytes;
	put32(reply->options + 8, echo_of(ip, port, scaled, at & 0xfff));
}

/*
 * All sets of flags in a connection whose hello is acknowledged, with and without data: what has SYN or
 * no ACK is nothing, a reset is nothing to do, data counts whatever else is set.
 */
Test(probe_tcp, all_flags_in_connections) {
	const struct probe_env env = make_banner_env();

	for (unsigned i = 0; i < 2 * 256; i++) {
		const uint8_t flags = (uint8_t)i;
		const bool ack = flags & 0x10, rst = flags & 0x04, syn = flags & 0x02;
		const bool fin = flags & 0x01, push = flags & 0x08, data = i / 256;
		struct reply reply;

		host_says(&env, dp_ip_v4(TARGET_IP), WEB_PORT, 0, true, flags, data, &reply);
		cr_assert_eq(kind_of(&env, &probe_syn, &reply),
			!ack || syn    ? PROBE_NONE
				: rst  ? PROBE_QUIET
				: fin  ? PROBE_DATA_END
				: data ? (push ? PROBE_DATA_END : PROBE_DATA)
				       : PROBE_QUIET,
			"flags %02x", flags);
		/* One off in any direction is no proof. */
		for (int off = -1; off <= 1; off += 2) {
			struct reply forged = reply;

			forged.segment.ack += (uint32_t)off;
			cr_assert_eq(kind_of(&env, &probe_syn, &forged), PROBE_NONE);
			forged = reply;
			forged.segment.dst_port
				= (uint16_t)(forged.segment.dst_port + off * PASSES);
			cr_assert_eq(kind_of(&env, &probe_syn, &forged), PROBE_NONE);
		}
	}
}

/* Where the bytes are, and whether there is more: by offset, length, PSH, FIN and windows. */
Test(probe_tcp, streams) {
	static const struct {
		const char *what;
		uint32_t at;
		unsigned bytes;
		uint8_t flags;
		bool scaled;
		enum probe_kind kind;
	} say[] = {
		{"one line", 0, 40, 0x18, true, PROBE_DATA_END},
		{"one line without PSH", 0, 40, 0x10, true, PROBE_DATA},
		{"a full window", 0, 512, 0x10, true, PROBE_DATA},
		{"a full window with PSH", 0, 512, 0x18, true, PROBE_DATA},
		{"a byte less with PSH", 0, 511, 0x18, true, PROBE_DATA_END},
		{"a full window and FIN", 0, 512, 0x11, true, PROBE_DATA_END},
		{"the second", 512, 512, 0x18, false, PROBE_DATA},
		{"more than a window", 512, 1448, 0x18, true, PROBE_DATA},
		{"the window that is enough", 3488, 512, 0x18, false, PROBE_DATA_END},
		{"the end, by itself", 700, 0, 0x11, true, PROBE_DATA_END},
		{"nothing but the end", 0, 0, 0x11, false, PROBE_DATA_END},
		{"one byte short of enough", 2896, 1103, 0x10, true, PROBE_DATA},
		{"enough", 2896, 1104, 0x10, true, PROBE_DATA_END},
		{"more than enough", 3999, 1448, 0x10, true, PROBE_DATA_END},
		{"a window not filled", 3000, 511, 0x18, false, PROBE_DATA_END},
		{"beyond what we want", 4000, 10, 0x18, true, PROBE_FIN},
		{"a keepalive from before the stream", (uint32_t)-1, 1, 0x10, true, PROBE_FIN},
	};
	const struct probe_env env = make_banner_env();

	for (unsigned i = 0; i < 4 * sizeof(say) / sizeof(say[0]); i++) {
		const unsigned k = i / 4;
		const dp_ip ip = i & 1 ? TARGET_V6 : dp_ip_v4(TARGET_IP);
		const uint16_t port = i & 2 ? WEB_PORT : QUIET_PORT;
		struct dp_answer answer;
		struct reply reply;
		enum probe_kind kind;

		host_says(&env, ip, port, say[k].at, say[k].scaled, say[k].flags, say[k].bytes,
			&reply);
		kind = judge(&env, &probe_syn, &reply, CLOCK_US, &answer).kind;
		cr_assert_eq(kind, say[k].kind, "%s", say[k].what);
		if (kind == PROBE_FIN)
			continue;
		cr_assert(answer.ip == ip);
		cr_assert_eq(answer.port, port);
		cr_assert_eq(answer.pass, 1);
		cr_assert_eq(answer.state, DP_STATE_OPEN);
		cr_assert_eq(answer.reason, DP_REASON_SYN_ACK);
		cr_assert_eq(answer.rtt_us, DP_RTT_NONE);
		cr_assert_eq(answer.banner, reply.segment.data);
		cr_assert_eq(answer.banner_bytes, say[k].bytes);
		cr_assert_eq(answer.banner_at, say[k].at);
		cr_assert_eq(answer.banner_last, kind == PROBE_DATA_END);
	}
}

/* The head of a page is no end, where we asked for one and nothing of its body is there. */
Test(probe_tcp, pages) {
	static const struct {
		const char *text;
		uint16_t port;
		uint32_t at;
		enum probe_kind kind;
	} say[] = {
		{"HTTP/1.0 200 OK\r\nServer: a\r\n\r\n", WEB_PORT, 0, PROBE_DATA},
		{"HTTP/1.0 200 OK\r\n", WEB_PORT, 0, PROBE_DATA},
		{"HTTP/1.0 200 OK\r\n\r\n", WEB_PORT, 10, PROBE_DATA_END},
		{"HTTP/1.0 200 OK\r\n\r\n", QUIET_PORT, 0, PROBE_DATA_END},
		{"HTTP/1.0 200 OK\r\n\r\nx", WEB_PORT, 0, PROBE_DATA_END},
		{"http/1.0 200 OK\r\n\r\n", WEB_PORT, 0, PROBE_DATA_END},
		{"HTTP", WEB_PORT, 0, PROBE_DATA_END},
		{"H", WEB_PORT, 0, PROBE_DATA_END},
	};
	const struct probe_env env = make_banner_env();

	for (unsigned i = 0; i < sizeof(say) / sizeof(say[0]); i++) {
		struct reply reply;

		host_says(&env, TARGET_V6, say[i].port, say[i].at, true, 0x18,
			(unsigned)strlen(say[i].text), &reply);
		reply.segment.data = (const uint8_t *)say[i].text;
		cr_assert_eq(kind_of(&env, &probe_syn, &reply), say[i].kind, "%u", i);
	}
}

/*
 * While the host does not know that we have all before it, what it says is taken, and owed nothing:
 * neither an acknowledgement of what may be lost nor a reset. What comes again is as it was.
 */
Test(probe_tcp, streams_with_holes) {
	static const struct {
		uint32_t at, acked;
		unsigned bytes;
		uint8_t flags;
		enum probe_kind kind;
	} say[] = {
		{11, 0, 12, 0x18, PROBE_DATA_AHEAD},
		{11, 0, 12, 0x19, PROBE_DATA_AHEAD},
		{11, 10, 12, 0x10, PROBE_DATA_AHEAD},
		{11, 10, 0, 0x11, PROBE_DATA_AHEAD},
		{11, 11, 0, 0x11, PROBE_DATA_END},
		{11, 11, 12, 0x10, PROBE_DATA},
		{11, 400, 12, 0x10, PROBE_DATA},
		{3999, 3998, 12, 0x10, PROBE_DATA_AHEAD},
		{4000, 3998, 12, 0x10, PROBE_FIN},
	};
	const struct probe_env env = make_banner_env();
	const dp_ip ip = dp_ip_v4(TARGET_IP);

	for (unsigned i = 0; i < sizeof(say) / sizeof(say[0]); i++) {
		struct dp_answer answer;
		struct reply reply;

		host_says(
			&env, ip, QUIET_PORT, say[i].at, true, say[i].flags, say[i].bytes, &reply);
		put32(reply.options + 8, echo_of(ip, QUIET_PORT, true, say[i].acked));
		cr_assert_eq(judge(&env, &probe_syn, &reply, CLOCK_US, &answer).kind, say[i].kind,
			"%u", i);
		if (say[i].kind == PROBE_FIN)
			continue;
		cr_assert_eq(answer.banner_at, say[i].at);
		cr_assert_eq(answer.banner_bytes, say[i].bytes);
		cr_assert_eq(answer.banner_last, say[i].flags != 0x10 || say[i].at == 3999);
	}
}

/* Without timestamps of ours a segment can only be the first, and is the last that we take. */
Test(probe_tcp, streams_without_clock) {
	const struct probe_env env = make_banner_env();

	for (unsigned i = 0; i < 4; i++) {
		struct dp_answer answer;
		struct reply reply;

		host_says(&env, dp_ip_v4(TARGET_IP), WEB_PORT, 700, true, 0x10, 1448, &reply);
		if (i == 0)
			reply.segment.options_bytes = 0;
		else if (i == 1)
			put32(reply.options + 8, 0);
		else if (i == 2) /* the echo of our SYN */
			put32(reply.options + 8, t0_of(dp_ip_v4(TARGET_IP), WEB_PORT) - 1);
		else
			put32(reply.options + 8, t0_of(dp_ip_v4(TARGET_IP), WEB_PORT) + (1u << 29));
		cr_assert_eq(
			judge(&env, &probe_syn, &reply, CLOCK_US, &answer).kind, PROBE_DATA_END);
		cr_assert_eq(answer.banner_at, 0);
		cr_assert_eq(answer.banner_bytes, 1448);
		cr_assert(answer.banner_last);
		reply.segment.data_bytes = 0;
		reply.segment.flags = 0x11;
		cr_assert_eq(judge(&env, &probe_syn, &reply, CLOCK_US, &answer).kind, PROBE_FIN);
	}
}

/* Nobody asked for banners: then there are no connections. */
Test(probe_tcp, no_connections_without_banners) {
	struct probe_env env = make_banner_env();
	struct reply reply;

	host_says(&env, dp_ip_v4(TARGET_IP), QUIET_PORT, 0, true, 0x18, 10, &reply);
	cr_assert_eq(kind_of(&env, &probe_syn, &reply), PROBE_DATA_END);
	env.banners = false;
	cr_assert_eq(kind_of(&env, &probe_syn, &reply), PROBE_NONE);
}
