/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Received frames: each kind is found for what it is, no byte beyond a frame is read, and nothing but a
 * reply to a probe of ours counts as one.
 */
#include "parse.h"
#include "wire_test.h"

#include <criterion/criterion.h>

enum {
	SOURCE_IP = 0xc000020a, /* 192.0.2.10 */
	TARGET_IP = 0xc6336407, /* 198.51.100.7 */
	TARGET_PORT = 443,
	ROUTER_IP = 0xcb007101, /* 203.0.113.1 */
	PORT_FIRST = 40000,
	PORT_SPAN = 8192,
	CLOCK_US = 5000000,
	RTT_US = 12345,
	TTL = 57,
	IP_AT = 14,
	MAX_FRAME = 1514,
};

#define OUR_MAC UINT64_C(0x02000000000a)
#define THEIR_MAC UINT64_C(0x02000000000b) /* one bit away */

static const struct dp_key key = {"sixteen bytes..."};

#define SOURCE_V6 dp_ip_v6(UINT64_C(0x20010db800000000), 0x123456)
#define TARGET_V6 dp_ip_v6(UINT64_C(0x20010db800010000), 7)
#define ROUTER_V6 dp_ip_v6(UINT64_C(0x20010db800000000), 1)

static const struct probe_type syn_type = {
	.step = {{{.module = &probe_syn}}, {{.module = &probe_syn}}},
	.nb_steps = {1, 1},
};

static struct scan make_scan(const struct probe_type *type) {
	const struct dp_range v4 = {dp_ip_v4(SOURCE_IP), dp_ip_v4(SOURCE_IP)};
	const struct dp_range v6 = {SOURCE_V6, SOURCE_V6};
	struct scan scan = {.type = type, .env = {.source_mac = OUR_MAC, .passes = 1}};

	cookie_init(&scan.env.cookie, &key, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	sources_init(&scan.env.sources[FAMILY_V4], &v4, 1);
	sources_init(&scan.env.sources[FAMILY_V6], &v6, 1);
	return scan;
}

/* Parse a copy that ends where memory does. */
static enum frame_kind parse_as(const struct scan *scan, const struct frame_meta *meta,
	const uint8_t *frame, unsigned length, struct frame_view *view) {
	static uint8_t *cage;

	if (!cage) {
		cage = cage_end();
		cr_assert_not_null(cage);
	}
	memset(view, 0xee, sizeof(*view));
	memcpy(cage - length, frame, length);
	return frame_parse(scan, cage - length, length, meta, view);
}

static enum frame_kind parse(const uint8_t *frame, unsigned length, struct frame_view *view) {
	static const struct frame_meta meta = {.clock_us = CLOCK_US + RTT_US};
	static struct scan scan;

	if (!scan.type)
		scan = make_scan(&syn_type);
	return parse_as(&scan, &meta, frame, length, view);
}

/* Ethernet and IPv4 around @body bytes, with @options bytes of IP options. Returns where it goes. */
static unsigned put_ipv4(
	uint8_t *frame, unsigned options, uint8_t protocol, uint32_t src, unsigned body) {
	uint8_t *ip = frame + IP_AT;

	eth_put(frame, OUR_MAC, THEIR_MAC, 0, ETH_TYPE_IPV4);
	memset(ip, 1, 20 + options); /* options of one byte that does nothing */
	ip[0] = (uint8_t)(0x40 | (20 + options) / 4);
	ip[1] = 0;
	put16(ip + 2, (uint16_t)(20 + options + body));
	put16(ip + 4, 0xabcd);
	put16(ip + 6, 0x4000);
	ip[8] = TTL;
	ip[9] = protocol;
	put32(ip + 12, src);
	put32(ip + 16, SOURCE_IP);
	return IP_AT + 20 + options;
}

static void fix(uint8_t *frame, unsigned length) {
	reference_fix_checksums(frame + IP_AT, length - IP_AT);
}

/* A target's reply to our probe; a SYN-ACK echoes our clock. */
static unsigned put_reply(uint8_t *frame, unsigned ip_options, uint8_t flags) {
	const uint64_t cookie = reference_cookie(key.bytes, TARGET_IP, TARGET_PORT);
	const unsigned bytes = flags & 0x02 ? 32 : 20;
	const unsigned at = put_ipv4(frame, ip_options, 6, TARGET_IP, bytes);
	uint8_t *tcp = frame + at;

	memset(tcp, 0, bytes);
	put16(tcp, TARGET_PORT);
	put16(tcp + 2, reference_port(cookie, PORT_FIRST, PORT_SPAN));
	put32(tcp + 4, 0x31415926);
	put32(tcp + 8, (uint32_t)cookie + 1);
	tcp[12] = (uint8_t)(bytes / 4 << 4);
	tcp[13] = flags;
	if (bytes == 32) {
		static const uint8_t timestamps[] = {1, 1, 8, 10, 9, 9, 9, 9};

		memcpy(tcp + 20, timestamps, sizeof(timestamps));
		put32(tcp + 28, CLOCK_US);
	}
	fix(frame, at + bytes);
	return at + bytes;
}

/* A router's error about our probe, which quotes its first @quoted_tcp bytes of TCP. */
static unsigned put_unreachable(uint8_t *frame, uint8_t code, unsigned ip_options,
	unsigned quoted_options, unsigned quoted_tcp) {
	const uint64_t cookie = reference_cookie(key.bytes, TARGET_IP, TARGET_PORT);
	const unsigned bytes = 8 + 20 + quoted_options + quoted_tcp;
	const unsigned at = put_ipv4(frame, ip_options, 1, ROUTER_IP, bytes);
	uint8_t *icmp = frame + at, *ip = icmp + 8, *tcp = ip + 20 + quoted_options;

	memset(icmp, 0, bytes);
	icmp[0] = 3;
	icmp[1] = code;
	memset(ip, 1, 20 + quoted_options);
	ip[0] = (uint8_t)(0x40 | (20 + quoted_options) / 4);
	put16(ip + 2, (uint16_t)(60 + quoted_options));
	put16(ip + 6, 0x4000);
	ip[8] = 3;
	ip[9] = 6;
	put32(ip + 12, SOURCE_IP);
	put32(ip + 16, TARGET_IP);
	put16(tcp, reference_port(cookie, PORT_FIRST, PORT_SPAN));
	put16(tcp + 2, TARGET_PORT);
	put32(tcp + 4, (uint32_t)cookie);
	fix(frame, at + bytes);
	return at + bytes;
}

static unsigned put_echo(uint8_t *frame, unsigned ip_options, unsigned payload) {
	const unsigned at = put_ipv4(frame, ip_options, 1, ROUTER_IP, 8 + payload);
	uint8_t *icmp = frame + at;

	memset(icmp, 0, 8);
	icmp[0] = 8;
	put16(icmp + 4, 0x1234); /* identifier */
	put16(icmp + 6, 7); /* sequence number */
	for (unsigned i = 0; i < payload; i++)
		icmp[8 + i] = (uint8_t)(i * 7 + 1);
	fix(frame, at + 8 + payload);
	return at + 8 + payload;
}

static unsigned put_arp(
	uint8_t *frame, uint16_t operation, uint64_t target_mac, uint32_t target_ip) {
	uint8_t *arp = frame + 14;

	eth_put(frame, operation == 1 ? MAC_BROADCAST : OUR_MAC, THEIR_MAC, 0, ETH_TYPE_ARP);
	put16(arp, 1);
	put16(arp + 2, 0x0800);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, operation);
	mac_put(arp + 8, THEIR_MAC);
	put32(arp + 14, ROUTER_IP);
	mac_put(arp + 18, target_mac);
	put32(arp + 24, target_ip);
	return 14 + 28;
}

static unsigned put_syn_ack(uint8_t *frame) {
	return put_reply(frame, 0, 0x12);
}

static unsigned put_syn_ack_ip_options(uint8_t *frame) {
	return put_reply(frame, 40, 0x12);
}

static unsigned put_rst(uint8_t *frame) {
	return put_reply(frame, 0, 0x14);
}

static unsigned put_shortest_unreachable(uint8_t *frame) {
	return put_unreachable(frame, 1, 0, 0, 8);
}

static unsigned put_full_unreachable(uint8_t *frame) {
	return put_unreachable(frame, 13, 8, 12, 40);
}

static unsigned put_ping(uint8_t *frame) {
	return put_echo(frame, 0, 56);
}

static unsigned put_arp_request(uint8_t *frame) {
	return put_arp(frame, 1, 0, SOURCE_IP);
}

static unsigned put_arp_reply(uint8_t *frame) {
	return put_arp(frame, 2, OUR_MAC, SOURCE_IP);
}

/* Frames that are right in all respects, without padding. */
static const struct sample {
	const char *what;
	unsigned (*put)(uint8_t *frame);
	enum frame_kind kind;
	enum probe_kind probe;
	unsigned needed; /* bytes that an equally right but shorter frame has */
} samples[] = {
	{"SYN-ACK", put_syn_ack, FRAME_ANSWER, PROBE_OPENED, 66},
	{"SYN-ACK with IP options", put_syn_ack_ip_options, FRAME_ANSWER, PROBE_OPENED, 106},
	{"RST", put_rst, FRAME_ANSWER, PROBE_ANSWER, 54},
	{"unreachable", put_shortest_unreachable, FRAME_ANSWER, PROBE_ANSWER, 70},
	{"unreachable with options and more", put_full_unreachable, FRAME_ANSWER, PROBE_ANSWER, 90},
	{"echo request", put_ping, FRAME_ECHO_REQUEST, PROBE_NONE, 42},
	{"ARP request", put_arp_request, FRAME_ARP_REQUEST, PROBE_NONE, 42},
	{"ARP reply", put_arp_reply, FRAME_ARP_REPLY, PROBE_NONE, 42},
};

enum {
	NB_SAMPLES = sizeof(samples) / sizeof(samples[0]),
};

Test(parse, samples) {
	for (unsigned i = 0; i < NB_SAMPLES; i++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = samples[i].put(frame);
		struct frame_view view;

		cr_assert_eq(parse(frame, length, &view), samples[i].kind, "%s", samples[i].what);
		if (samples[i].kind == FRAME_ANSWER)
			cr_assert_eq(view.verdict.kind, samples[i].probe, "%s", samples[i].what);
		/* As Ethernet pads it, and with a tail that some devices leave on. */
		cr_assert_eq(parse(frame, 60 > length ? 60 : length, &view), samples[i].kind,
			"padded %s", samples[i].what);
		cr_assert_eq(parse(frame, length + 4, &view), samples[i].kind, "%s and 4 bytes",
			samples[i].what);
	}
}

/* What an answer says. */
Test(parse, answers) {
	static const struct {
		unsigned (*put)(uint8_t *frame);
		uint8_t state, reason;
		uint32_t rtt_us;
	} expected[] = {
		{put_syn_ack, DP_STATE_OPEN, DP_REASON_SYN_ACK, RTT_US},
		{put_syn_ack_ip_options, DP_STATE_OPEN, DP_REASON_SYN_ACK, RTT_US},
		{put_rst, DP_STATE_CLOSED, DP_REASON_RESET, DP_RTT_NONE},
		{put_shortest_unreachable, DP_STATE_FILTERED, DP_REASON_HOST_UNREACH, DP_RTT_NONE},
		{put_full_unreachable, DP_STATE_FILTERED, DP_REASON_ADMIN_PROHIBITED, DP_RTT_NONE},
	};

	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		uint8_t frame[MAX_FRAME] = {0};
		struct frame_view view;

		cr_assert_eq(parse(frame, expected[i].put(frame), &view), FRAME_ANSWER);
		cr_assert(view.answer.ip == dp_ip_v4(TARGET_IP), "answer %u", i);
		cr_assert_eq(view.answer.port, TARGET_PORT);
		cr_assert_eq(view.answer.ttl, TTL, "the frame's, not the quotation's");
		cr_assert_eq(view.answer.state, expected[i].state);
		cr_assert_eq(view.answer.reason, expected[i].reason);
		cr_assert_eq(view.answer.rtt_us, expected[i].rtt_us);
		cr_assert_eq(view.answer.ts_ns, 0xeeeeeeeeeeeeeeeeu, "left alone");
	}
}

/* The shorter a frame, the less it is: never an answer, and never read beyond its end. */
Test(parse, cut_anywhere) {
	for (unsigned i = 0; i < NB_SAMPLES; i++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = samples[i].put(frame);

		for (unsigned cut = 0; cut < length; cut++) {
			struct frame_view view;
			const enum frame_kind kind = parse(frame, cut, &view);

			cr_assert(kind == FRAME_MALFORMED || kind == FRAME_OTHER,
				"%s cut to %u of %u is of kind %d", samples[i].what, cut, length,
				kind);
		}
	}
}

/* Cut where the IP header and the checksums agree with it, so that the inner checks are reached. */
Test(parse, cut_and_consistent) {
	for (unsigned i = 0; i < NB_SAMPLES; i++) {
		uint8_t whole[MAX_FRAME] = {0};
		const unsigned length = samples[i].put(whole);

		if (get16(whole + 12) != ETH_TYPE_IPV4)
			continue;
		for (unsigned cut = IP_AT + 20; cut < length; cut++) {
			uint8_t frame[MAX_FRAME];
			struct frame_view view;
			enum frame_kind kind;

			memcpy(frame, whole, cut);
			put16(frame + IP_AT + 2, (uint16_t)(cut - IP_AT));
			fix(frame, cut);
			kind = parse(frame, cut, &view);
			if (cut >= samples[i].needed)
				cr_assert_eq(
					kind, samples[i].kind, "%s of %u", samples[i].what, cut);
			else
				cr_assert(kind == FRAME_MALFORMED || kind == FRAME_OTHER,
					"%s of %u is of kind %d", samples[i].what, cut, kind);
		}
	}
}

/* One change to a right frame, checksums put right again, and what it is then. */
struct change {
	const char *what;
	unsigned (*put)(uint8_t *frame);
	unsigned at; /* byte of the frame */
	unsigned bytes; /* 1, 2 or 4 */
	uint32_t value;
	bool stale; /* leave the checksums as they were */
	enum frame_kind kind;
};

static void check_changes(const struct change *changes, unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		const struct change *change = &changes[i];
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = change->put(frame);
		struct frame_view view;

		for (unsigned k = 0; k < change->bytes; k++)
			frame[change->at + k]
				= (uint8_t)(change->value >> 8 * (change->bytes - 1 - k));
		if (!change->stale && get16(frame + 12) == ETH_TYPE_IPV4)
			fix(frame, length);
		cr_assert_eq(parse(frame, length, &view), change->kind, "%s", change->what);
	}
}

Test(parse, changed_ethernet) {
	static const struct change changes[] = {
		{"from an address like ours", put_syn_ack, 10, 2, 0x010a, true, FRAME_ANSWER},
		{"from our address", put_syn_ack, 10, 2, 0x000a, true, FRAME_OWN},
		{"VLAN tag 0x500 and nothing known", put_syn_ack, 12, 2, 0x8100, true, FRAME_OTHER},
		{"service VLAN tag", put_syn_ack, 12, 2, 0x88a8, true, FRAME_OTHER},
		{"IPv6 by its type only", put_syn_ack, 12, 2, 0x86dd, true, FRAME_OTHER},
		{"IEEE 802.3 length", put_syn_ack, 12, 2, 60, true, FRAME_OTHER},
		{"ARP by its type only", put_syn_ack, 12, 2, 0x0806, true, FRAME_OTHER},
		{"IPv4 by its type only", put_arp_reply, 12, 2, 0x0800, true, FRAME_OTHER},
	};

	check_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

/* A tag: in the frame, or taken off by the device. */
static unsigned put_tag(uint8_t *frame, unsigned length, uint16_t tag) {
	memmove(frame + 16, frame + 12, length - 12);
	put16(frame + 12, 0x8100);
	put16(frame + 14, tag);
	return length + 4;
}

/* Whoever scans one VLAN hears that one alone; who scans none, untagged and priority-tagged frames. */
Test(parse, vlans) {
	static const struct {
		uint16_t vlan;
		bool tagged;
		uint16_t tag;
		bool ours;
	} row[] = {
		{0, false, 0, true},
		{0, true, 0, true},
		{0, true, 0xe000, true}, /* priority 7 */
		{0, true, 5, false},
		{5, false, 0, false},
		{5, true, 0, false},
		{5, true, 5, true},
		{5, true, 0x6005, true}, /* priority 3 */
		{5, true, 0x105, false},
		{4094, true, 4094, true},
	};

	for (unsigned i = 0; i < NB_SAMPLES * sizeof(row) / sizeof(row[0]); i++) {
		const struct sample *sample = &samples[i % NB_SAMPLES];
		const unsigned r = i / NB_SAMPLES;
		struct scan scan = make_scan(&syn_type);
		struct frame_meta meta = {.clock_us = CLOCK_US};
		uint8_t frame[MAX_FRAME] = {0};
		unsigned length = sample->put(frame);
		const enum frame_kind kind = row[r].ours ? sample->kind : FRAME_OTHER;
		struct frame_view view;

		scan.vlan = row[r].vlan;
		if (row[r].tagged) {
			meta.vlan_stripped = true;
			meta.vlan = row[r].tag;
		}
		cr_assert_eq(parse_as(&scan, &meta, frame, length, &view), kind, "%s, row %u",
			sample->what, r);
		if (!row[r].tagged)
			continue;
		/* One tag was taken off, another is there: that is no network of ours. */
		length = put_tag(frame, length, row[r].tag);
		cr_assert_eq(parse_as(&scan, &meta, frame, length, &view), FRAME_OTHER);
		meta = (struct frame_meta){.clock_us = CLOCK_US};
		cr_assert_eq(parse_as(&scan, &meta, frame, length, &view), kind, "%s, row %u",
			sample->what, r);
		/* Cut anywhere it is never more than it was. */
		for (unsigned cut = 0; cut < length && sample->needed + 4 == length; cut++) {
			const enum frame_kind less = parse_as(&scan, &meta, frame, cut, &view);

			cr_assert(less == FRAME_MALFORMED || less == FRAME_OTHER);
		}
	}
}

/* Whatever we sent, the device may hand it back; then its kind is that alone. */
Test(parse, own_frames) {
	for (unsigned i = 0; i < NB_SAMPLES; i++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = samples[i].put(frame);
		struct frame_view view;

		mac_put(frame + 6, OUR_MAC);
		cr_assert_eq(parse(frame, length, &view), FRAME_OWN, "%s", samples[i].what);
	}
}

Test(parse, changed_ipv4) {
	static const struct change changes[] = {
		{"type of service", put_syn_ack, IP_AT + 1, 1, 0xb8, false, FRAME_ANSWER},
		{"version 6", put_syn_ack, IP_AT, 1, 0x65, true, FRAME_MALFORMED},
		{"version 0", put_syn_ack, IP_AT, 1, 0x05, true, FRAME_MALFORMED},
		{"header of 16 bytes", put_syn_ack, IP_AT, 1, 0x44, true, FRAME_MALFORMED},
		{"header of 0 bytes", put_syn_ack, IP_AT, 1, 0x40, true, FRAME_MALFORMED},
		{"header longer than all", put_rst, IP_AT, 1, 0x4f, true, FRAME_MALFORMED},
		{"total below the header", put_syn_ack, IP_AT + 2, 2, 19, true, FRAME_MALFORMED},
		{"total of 0", put_syn_ack, IP_AT + 2, 2, 0, true, FRAME_MALFORMED},
		{"total beyond the frame", put_syn_ack, IP_AT + 2, 2, 53, true, FRAME_MALFORMED},
		{"total of 65535", put_syn_ack, IP_AT + 2, 2, 65535, true, FRAME_MALFORMED},
		{"total without TCP", put_syn_ack, IP_AT + 2, 2, 20, false, FRAME_MALFORMED},
		{"total without ICMP", put_ping, IP_AT + 2, 2, 20, false, FRAME_MALFORMED},
		{"first fragment", put_syn_ack, IP_AT + 6, 2, 0x2000, false, FRAME_MALFORMED},
		{"later fragment", put_syn_ack, IP_AT + 6, 2, 0x2001, false, FRAME_MALFORMED},
		{"last fragment", put_syn_ack, IP_AT + 6, 2, 0x1fff, false, FRAME_MALFORMED},
		{"fragment that may not be one", put_rst, IP_AT + 6, 2, 0x4001, false,
			FRAME_MALFORMED},
		{"fragmented error", put_shortest_unreachable, IP_AT + 6, 2, 0x2000, false,
			FRAME_MALFORMED},
		{"fragments allowed", put_syn_ack, IP_AT + 6, 2, 0, false, FRAME_ANSWER},
		{"time to live 1", put_syn_ack, IP_AT + 8, 1, 1, false, FRAME_ANSWER},
		{"of protocol 2", put_syn_ack, IP_AT + 9, 1, 2, false, FRAME_OTHER},
		{"ICMPv6", put_syn_ack, IP_AT + 9, 1, 58, false, FRAME_OTHER},
		{"stale header checksum", put_syn_ack, IP_AT + 8, 1, 1, true, FRAME_BAD_CHECKSUM},
		{"header checksum of 0", put_syn_ack, IP_AT + 10, 2, 0, true, FRAME_BAD_CHECKSUM},
		{"not our address", put_syn_ack, IP_AT + 16, 4, SOURCE_IP + 1, false, FRAME_OTHER},
		{"broadcast", put_syn_ack, IP_AT + 16, 4, UINT32_MAX, false, FRAME_OTHER},
		{"not our address, and cut", put_syn_ack, IP_AT + 16, 1, 1, true, FRAME_OTHER},
	};

	check_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

Test(parse, changed_tcp) {
	enum { TCP_AT = IP_AT + 20 };
	static const struct change changes[] = {
		{"another target", put_syn_ack, IP_AT + 12, 4, TARGET_IP + 1, false,
			FRAME_REJECTED},
		{"another target port", put_syn_ack, TCP_AT, 2, TARGET_PORT + 1, false,
			FRAME_REJECTED},
		{"below our ports", put_syn_ack, TCP_AT + 2, 2, PORT_FIRST - 1, false, FRAME_OTHER},
		{"above our ports", put_syn_ack, TCP_AT + 2, 2, PORT_FIRST + PORT_SPAN, false,
			FRAME_OTHER},
		{"acknowledges 0", put_syn_ack, TCP_AT + 8, 4, 0, false, FRAME_REJECTED},
		{"any sequence number", put_syn_ack, TCP_AT + 4, 4, 0, false, FRAME_ANSWER},
		{"header of 0 bytes", put_syn_ack, TCP_AT + 12, 1, 0x00, false, FRAME_MALFORMED},
		{"header of 16 bytes", put_syn_ack, TCP_AT + 12, 1, 0x40, false, FRAME_MALFORMED},
		{"header of one word too many", put_syn_ack, TCP_AT + 12, 1, 0x90, false,
			FRAME_MALFORMED},
		{"header of 60 bytes", put_rst, TCP_AT + 12, 1, 0xf0, false, FRAME_MALFORMED},
		{"12 bytes of data in place of options", put_syn_ack, TCP_AT + 12, 1, 0x50, false,
			FRAME_ANSWER},
		{"ACK alone", put_syn_ack, TCP_AT + 13, 1, 0x10, false, FRAME_REJECTED},
		{"SYN alone", put_syn_ack, TCP_AT + 13, 1, 0x02, false, FRAME_REJECTED},
		{"RST alone", put_rst, TCP_AT + 13, 1, 0x04, false, FRAME_REJECTED},
		{"FIN and ACK", put_rst, TCP_AT + 13, 1, 0x11, false, FRAME_REJECTED},
		{"no flags", put_rst, TCP_AT + 13, 1, 0x00, false, FRAME_REJECTED},
		{"stale checksum", put_syn_ack, TCP_AT + 7, 1, 0, true, FRAME_BAD_CHECKSUM},
		{"checksum of 0", put_syn_ack, TCP_AT + 16, 2, 0, true, FRAME_BAD_CHECKSUM},
		{"stale checksum of a forgery", put_syn_ack, TCP_AT + 8, 4, 0, true,
			FRAME_BAD_CHECKSUM},
	};

	check_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

Test(parse, changed_icmp) {
	enum { ICMP_AT = IP_AT + 20, QUOTED_AT = ICMP_AT + 8, QUOTED_TCP_AT = QUOTED_AT + 20 };
	static const struct change changes[] = {
		{"from anybody", put_shortest_unreachable, IP_AT + 12, 4, 1, false, FRAME_ANSWER},
		{"rest of header", put_shortest_unreachable, ICMP_AT + 4, 4, 1480, false,
			FRAME_ANSWER},
		{"stale checksum", put_shortest_unreachable, ICMP_AT + 1, 1, 3, true,
			FRAME_BAD_CHECKSUM},
		{"stale checksum of a ping", put_ping, ICMP_AT + 9, 1, 0, true, FRAME_BAD_CHECKSUM},
		{"quoted version 6", put_shortest_unreachable, QUOTED_AT, 1, 0x65, false,
			FRAME_MALFORMED},
		{"quoted header of 16 bytes", put_shortest_unreachable, QUOTED_AT, 1, 0x44, false,
			FRAME_MALFORMED},
		{"quoted header of one word too many", put_shortest_unreachable, QUOTED_AT, 1, 0x46,
			false, FRAME_MALFORMED},
		{"quoted header of 60 bytes", put_shortest_unreachable, QUOTED_AT, 1, 0x4f, false,
			FRAME_MALFORMED},
		{"quotes UDP", put_shortest_unreachable, QUOTED_AT + 9, 1, 17, false,
			FRAME_REJECTED},
		{"quotes ICMP", put_shortest_unreachable, QUOTED_AT + 9, 1, 1, false, FRAME_OTHER},
		{"quotes another source", put_shortest_unreachable, QUOTED_AT + 12, 4,
			SOURCE_IP ^ 1, false, FRAME_OTHER},
		{"quotes another target", put_shortest_unreachable, QUOTED_AT + 16, 4,
			TARGET_IP ^ 1, false, FRAME_REJECTED},
		{"quotes another checksum", put_shortest_unreachable, QUOTED_AT + 10, 2, 1, false,
			FRAME_ANSWER},
		{"quotes a port below ours", put_shortest_unreachable, QUOTED_TCP_AT, 2,
			PORT_FIRST - 1, false, FRAME_OTHER},
		{"quotes a port above ours", put_shortest_unreachable, QUOTED_TCP_AT, 2,
			PORT_FIRST + PORT_SPAN, false, FRAME_OTHER},
		{"quotes another target port", put_shortest_unreachable, QUOTED_TCP_AT + 2, 2, 80,
			false, FRAME_REJECTED},
		{"quotes another number", put_shortest_unreachable, QUOTED_TCP_AT + 4, 4, 1, false,
			FRAME_REJECTED},
	};

	check_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

/* Each other port of ours, each other number near ours: all but one rejected. */
Test(parse, near_misses) {
	const uint64_t cookie = reference_cookie(key.bytes, TARGET_IP, TARGET_PORT);
	const uint16_t our_port = reference_port(cookie, PORT_FIRST, PORT_SPAN);

	for (unsigned i = 0; i < 2 * PORT_SPAN; i++) {
		uint8_t reply[MAX_FRAME] = {0}, error[MAX_FRAME] = {0};
		const unsigned reply_length = put_syn_ack(reply);
		const unsigned error_length = put_shortest_unreachable(error);
		const uint16_t port = (uint16_t)(PORT_FIRST + i / 2);
		const uint32_t number = (uint32_t)cookie + i - PORT_SPAN;
		const bool right = i % 2 ? number == (uint32_t)cookie : port == our_port;
		struct frame_view view;

		if (i % 2) {
			put32(reply + 42, number + 1);
			put32(error + 66, number);
		} else {
			put16(reply + 36, port);
			put16(error + 62, port);
		}
		fix(reply, reply_length);
		fix(error, error_length);
		cr_assert_eq(parse(reply, reply_length, &view),
			right ? FRAME_ANSWER : FRAME_REJECTED, "reply %u", i);
		cr_assert_eq(parse(error, error_length, &view),
			right ? FRAME_ANSWER : FRAME_REJECTED, "error %u", i);
	}
}

/* Virtual devices leave the sum of the pseudo-header where the checksum will be. */
Test(parse, partial_checksum) {
	for (int off = -1; off <= 1; off++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = put_syn_ack(frame);
		const uint16_t pseudo = reference_pseudo_sum(frame + IP_AT, 6, length - 34);
		struct frame_view view;

		put16(frame + 50, (uint16_t)(pseudo + off));
		cr_assert_eq(parse(frame, length, &view), off ? FRAME_BAD_CHECKSUM : FRAME_ANSWER,
			"pseudo-header's sum %+d", off);
	}
}

/* It says nothing of the cookie: a forgery with it is rejected all the same. */
Test(parse, partial_checksum_of_a_forgery) {
	uint8_t frame[MAX_FRAME] = {0};
	const unsigned length = put_syn_ack(frame);
	struct frame_view view;

	put32(frame + 42, get32(frame + 42) + 1);
	put16(frame + 50, reference_pseudo_sum(frame + IP_AT, 6, length - 34));
	cr_assert_eq(parse(frame, length, &view), FRAME_REJECTED);
}

/* RFC 792, RFC 1122 3.2.2.1 and RFC 1812 5.2.7.1. */
static const int reasons[16] = {
	[0] = DP_REASON_NET_UNREACH,
	[1] = DP_REASON_HOST_UNREACH,
	[2] = DP_REASON_PROTO_UNREACH,
	[3] = DP_REASON_PORT_UNREACH,
	[4] = -1, /* fragmentation needed */
	[5] = -1, /* source route failed */
	[6] = -1, /* network unknown */
	[7] = -1, /* host unknown */
	[8] = -1, /* source isolated */
	[9] = DP_REASON_NET_PROHIBITED,
	[10] = DP_REASON_HOST_PROHIBITED,
	[11] = -1, /* network, for this type of service */
	[12] = -1, /* host, for this type of service */
	[13] = DP_REASON_ADMIN_PROHIBITED,
	[14] = -1, /* host precedence violation */
	[15] = -1, /* precedence cutoff */
};

Test(parse, unreachable_codes) {
	for (unsigned code = 0; code < 256; code++) {
		const int reason = code < 16 ? reasons[code] : -1;
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = put_unreachable(frame, (uint8_t)code, 0, 0, 8);
		struct frame_view view;

		cr_assert_eq(parse(frame, length, &view), reason < 0 ? FRAME_OTHER : FRAME_ANSWER,
			"code %u", code);
		if (reason < 0)
			continue;
		cr_assert_eq(view.answer.reason, reason, "code %u", code);
		cr_assert_eq(view.answer.state, DP_STATE_FILTERED);
	}
}

Test(parse, icmp_types) {
	for (unsigned type = 0; type < 256; type++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = put_shortest_unreachable(frame);
		struct frame_view view;

		frame[34] = (uint8_t)type;
		fix(frame, length);
		cr_assert_eq(parse(frame, length, &view),
			type == 3	    ? FRAME_ANSWER
				: type == 8 ? FRAME_ECHO_REQUEST
					    : FRAME_OTHER,
			"type %u", type);
	}
}

/* Every length of IP options, around and inside. */
Test(parse, ip_options) {
	for (unsigned outer = 0; outer <= 40; outer += 4) {
		uint8_t frame[MAX_FRAME] = {0};
		struct frame_view view;

		cr_assert_eq(parse(frame, put_reply(frame, outer, 0x14), &view), FRAME_ANSWER);
		cr_assert_eq(view.answer.state, DP_STATE_CLOSED);
		for (unsigned inner = 0; inner <= 40; inner += 4) {
			const unsigned length = put_unreachable(frame, 3, outer, inner, 8);

			cr_assert_eq(parse(frame, length, &view), FRAME_ANSWER,
				"%u bytes of options around %u", outer, inner);
			cr_assert(view.answer.ip == dp_ip_v4(TARGET_IP));
			cr_assert_eq(view.answer.port, TARGET_PORT);
		}
	}
}

Test(parse, arp) {
	enum { ARP_AT = 14 };
	static const struct change changes[] = {
		{"of another link", put_arp_reply, ARP_AT, 2, 6, true, FRAME_OTHER},
		{"of another protocol", put_arp_reply, ARP_AT + 2, 2, 0x86dd, true, FRAME_OTHER},
		{"link addresses of 8 bytes", put_arp_reply, ARP_AT + 4, 1, 8, true, FRAME_OTHER},
		{"addresses of 16 bytes", put_arp_reply, ARP_AT + 5, 1, 16, true, FRAME_OTHER},
		{"operation 0", put_arp_reply, ARP_AT + 6, 2, 0, true, FRAME_OTHER},
		{"reverse request", put_arp_reply, ARP_AT + 6, 2, 3, true, FRAME_OTHER},
		{"operation 0x102", put_arp_reply, ARP_AT + 6, 2, 0x102, true, FRAME_OTHER},
		{"reply to another station", put_arp_reply, ARP_AT + 20, 4, 1, true, FRAME_OTHER},
		{"reply to another address", put_arp_reply, ARP_AT + 24, 4, SOURCE_IP + 1, true,
			FRAME_OTHER},
		{"reply to an RFC 5227 probe", put_arp_reply, ARP_AT + 24, 4, 0, true,
			FRAME_ARP_REPLY},
		{"request for another address", put_arp_request, ARP_AT + 24, 4, SOURCE_IP + 1,
			true, FRAME_OTHER},
		{"request for address 0", put_arp_request, ARP_AT + 24, 4, 0, true, FRAME_OTHER},
		{"request from address 0", put_arp_request, ARP_AT + 14, 4, 0, true,
			FRAME_ARP_REQUEST},
	};
	uint8_t frame[MAX_FRAME] = {0};
	struct frame_view view;

	check_changes(changes, sizeof(changes) / sizeof(changes[0]));
	parse(frame, put_arp_request(frame), &view);
	cr_assert(view.neigh.ip == dp_ip_v4(ROUTER_IP));
	cr_assert_eq(view.neigh.mac, THEIR_MAC);
	parse(frame, put_arp_reply(frame), &view);
	cr_assert(view.neigh.ip == dp_ip_v4(ROUTER_IP));
	cr_assert_eq(view.neigh.mac, THEIR_MAC);
}

/* Whether the frame answers a probe of ours, asked in other words than the parser's. */
static bool is_answer(const uint8_t *frame, unsigned length, struct dp_answer *answer) {
	const uint8_t *ip = frame + IP_AT, *body, *tcp, *target;
	unsigned header, total, bytes;
	uint16_t target_port, our_port;
	uint32_t number;
	uint64_t cookie;

	if (length < 34 || frame[12] != 8 || frame[13] != 0 || ip[0] < 0x45 || ip[0] > 0x4f)
		return false;
	header = (ip[0] - 0x40u) * 4;
	total = ip[2] * 256u + ip[3];
	/* Either flag for more fragments or any offset. */
	if (total < header + 8 || total + IP_AT > length || (ip[6] & 0x3f) || ip[7])
		return false;
	if (get32(ip + 16) != SOURCE_IP || reference_sum(0, ip, header) != 0xffff)
		return false;
	body = ip + header;
	bytes = total - header;
	if (ip[9] == 6) {
		const uint16_t pseudo = reference_pseudo_sum(ip, 6, bytes);

		tcp = body;
		if (bytes < 20 || tcp[12] < 0x50 || (tcp[12] >> 4) * 4u > bytes
			|| (reference_sum(pseudo, tcp, bytes) != 0xffff
				&& get16(tcp + 16) != pseudo)
			|| !(tcp[13] & 0x10) || !(tcp[13] & 0x06))
			return false;
		target = ip + 12;
		target_port = get16(tcp);
		our_port = get16(tcp + 2);
		number = get32(tcp + 8) - 1;
		answer->state = tcp[13] & 0x04 ? DP_STATE_CLOSED : DP_STATE_OPEN;
		answer->reason = tcp[13] & 0x04 ? DP_REASON_RESET : DP_REASON_SYN_ACK;
	} else if (ip[9] == 1) {
		const uint8_t *quoted = body + 8;

		if (bytes < 36 || body[0] != 3 || body[1] > 15 || reasons[body[1]] < 0
			|| quoted[0] < 0x45 || quoted[0] > 0x4f
			|| bytes < 16 + (quoted[0] - 0x40u) * 4
			|| reference_sum(0, body, bytes) != 0xffff || quoted[9] != 6
			|| get32(quoted + 12) != SOURCE_IP)
			return false;
		tcp = quoted + (quoted[0] - 0x40) * 4;
		target = quoted + 16;
		our_port = get16(tcp);
		target_port = get16(tcp + 2);
		number = get32(tcp + 4);
		answer->state = DP_STATE_FILTERED;
		answer->reason = (uint8_t)reasons[body[1]];
	} else {
		return false;
	}
	answer->ip = dp_ip_v4(get32(target));
	answer->port = target_port;
	answer->ttl = ip[8];
	cookie = reference_cookie(key.bytes, (uint32_t)answer->ip, answer->port);
	return number == (uint32_t)cookie
		&& our_port == reference_port(cookie, PORT_FIRST, PORT_SPAN);
}

/* Change up to four bytes, most in the headers, and sometimes the length. */
static unsigned mutate(uint8_t *frame, unsigned length, uint64_t *state) {
	static const uint8_t favourites[] = {0, 1, 0x0f, 0x40, 0x45, 0x46, 0x50, 0x7f, 0x80, 0xff};
	const unsigned changes = (unsigned)(next_random(state) >> 62) + 1;

	for (unsigned i = 0; i < changes; i++) {
		const uint64_t r = next_random(state);
		uint8_t *byte = &frame[(r >> 32) % length];

		switch (r % 4) {
		case 0:
			*byte = favourites[(r >> 8) % sizeof(favourites)];
			break;
		case 1:
			*byte = (uint8_t)(r >> 8);
			break;
		default:
			*byte ^= (uint8_t)(1 << (r >> 8) % 8);
		}
	}
	if (next_random(state) >> 61 == 0)
		length = (unsigned)(next_random(state) % (length + 20));
	/* Three in four get good checksums again, or nearly all of them would end there. */
	if (length >= IP_AT && next_random(state) >> 62)
		fix(frame, length);
	return length;
}

/*
 * Two million frames that were right once. The parser accepts exactly those that the test finds to
 * be answers: the cookie is intact, whatever else was hit.
 */
Test(parse, mutations) {
	enum { ROUNDS = 2000000 };
	static uint8_t right[NB_SAMPLES][MAX_FRAME];
	unsigned length[NB_SAMPLES], seen[FRAME_REJECTED + 1] = {0};
	uint64_t state = 31;

	for (unsigned i = 0; i < NB_SAMPLES; i++)
		length[i] = samples[i].put(right[i]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const unsigned i = round % NB_SAMPLES;
		struct dp_answer answer = {0};
		struct frame_view view;
		uint8_t frame[256];
		enum frame_kind kind;
		unsigned n;

		memcpy(frame, right[i], sizeof(frame));
		n = mutate(frame, length[i], &state);
		kind = parse(frame, n, &view);
		seen[kind]++;
		if (kind == FRAME_OWN)
			continue;
		if ((kind == FRAME_ANSWER) != is_answer(frame, n, &answer))
			cr_assert_fail("round %u: %s became kind %d", round, samples[i].what, kind);
		if (kind == FRAME_ANSWER
			&& (view.answer.ip != answer.ip || view.answer.port != answer.port
				|| view.answer.state != answer.state
				|| view.answer.reason != answer.reason
				|| view.answer.ttl != answer.ttl))
			cr_assert_fail("round %u: an answer about something else", round);
	}
	/* All ways out were taken many times; our own hardware address needs a lucky bit. */
	for (unsigned kind = 0; kind <= FRAME_REJECTED; kind++)
		if (kind != FRAME_CONNECTION && kind != FRAME_SOLICITATION
			&& kind != FRAME_ADVERTISEMENT)
			cr_assert_gt(
				seen[kind], kind == FRAME_OWN ? 0 : ROUNDS / 100, "kind %u", kind);
	cr_assert_eq(seen[FRAME_CONNECTION], 0, "nobody asked for banners");
}

/* No structure at all: lengths up to a full frame, bytes of any value. */
Test(parse, noise) {
	uint64_t state = 32;

	for (unsigned round = 0; round < 50000; round++) {
		const unsigned n = (unsigned)(next_random(&state) % 200);
		struct frame_view view;
		uint8_t frame[200];

		for (unsigned i = 0; i < n; i++)
			frame[i] = (uint8_t)(next_random(&state) >> 56);
		if (n >= 14)
			put16(frame + 12, round % 2 ? ETH_TYPE_IPV4 : ETH_TYPE_ARP);
		if (n >= 34)
			put32(frame + 30, SOURCE_IP);
		cr_assert_neq(parse(frame, n, &view), FRAME_ANSWER);
	}
}

/* --- IPv6 ------------------------------------------------------------------------------------ */

enum {
	IP6_BYTES = 40,
};

/* Ethernet and IPv6 around @body bytes, behind @nb extension headers of 8 bytes each of @extension. */
static unsigned put_ipv6(uint8_t *frame, dp_ip src, dp_ip dst, uint8_t protocol, uint8_t hops,
	unsigned body, uint8_t extension, unsigned nb) {
	uint8_t *ip = frame + IP_AT, *next = ip + 6;

	eth_put(frame, OUR_MAC, THEIR_MAC, 0, ETH_TYPE_IPV6);
	ipv6_put(ip, (uint16_t)(nb * 8 + body), protocol, hops, src, dst);
	for (unsigned i = 0; i < nb; i++) {
		uint8_t *header = ip + IP6_BYTES + 8 * i;

		memset(header, 0, 8);
		*next = extension;
		next = header;
	}
	*next = protocol;
	return IP_AT + IP6_BYTES + nb * 8;
}

/* The checksum of @bytes at @l4 whose field is at @at. */
static void fix_l4(
	const uint8_t *frame, uint8_t protocol, uint8_t *l4, unsigned bytes, unsigned at) {
	uint16_t sum;

	l4[at] = l4[at + 1] = 0;
	sum = reference_pseudo_ip(frame + IP_AT, protocol, bytes);
	put16(l4 + at, (uint16_t)~reference_sum(sum, l4, bytes));
}

static unsigned put_reply6_behind(uint8_t *frame, uint8_t extension, unsigned nb) {
	const uint64_t cookie = reference_cookie_ip(key.bytes, TARGET_V6, TARGET_PORT);
	const unsigned at = put_ipv6(frame, TARGET_V6, SOURCE_V6, 6, TTL, 20, extension, nb);
	uint8_t *tcp = frame + at;

	memset(tcp, 0, 20);
	put16(tcp, TARGET_PORT);
	put16(tcp + 2, reference_port(cookie, PORT_FIRST, PORT_SPAN));
	put32(tcp + 8, (uint32_t)cookie + 1);
	tcp[12] = 0x50;
	tcp[13] = 0x12;
	fix_l4(frame, 6, tcp, 20, 16);
	return at + 20;
}

static unsigned put_reply6(uint8_t *frame) {
	return put_reply6_behind(frame, 0, 0);
}

static unsigned put_error6_behind(
	uint8_t *frame, uint8_t type, uint8_t code, uint8_t extension, unsigned nb) {
	const uint64_t cookie = reference_cookie_ip(key.bytes, TARGET_V6, TARGET_PORT);
	const unsigned bytes = 8 + 40 + 8 * nb + 8;
	unsigned at;
	uint8_t inner[256] = {0}, *icmp, *tcp;

	tcp = inner + put_ipv6(inner, SOURCE_V6, TARGET_V6, 6, 3, 20, extension, nb);
	put16(tcp, reference_port(cookie, PORT_FIRST, PORT_SPAN));
	put16(tcp + 2, TARGET_PORT);
	put32(tcp + 4, (uint32_t)cookie);
	at = put_ipv6(frame, ROUTER_V6, SOURCE_V6, 58, TTL, bytes, 0, 0);
	icmp = frame + at;
	memset(icmp, 0, 8);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 8, inner + IP_AT, bytes - 8);
	fix_l4(frame, 58, icmp, bytes, 2);
	return at + bytes;
}

static unsigned put_error6(uint8_t *frame) {
	return put_error6_behind(frame, 1, 4, 0, 0);
}

static unsigned put_echo6(uint8_t *frame) {
	const unsigned at = put_ipv6(frame, ROUTER_V6, SOURCE_V6, 58, TTL, 16, 0, 0);

	memset(frame + at, 7, 16);
	frame[at] = 128;
	frame[at + 1] = 0;
	fix_l4(frame, 58, frame + at, 16, 2);
	return at + 16;
}

/* RFC 4861 4.3 and 4.4 with one option of @option, or none where it is 0. */
static unsigned put_nd(
	uint8_t *frame, uint8_t type, dp_ip src, dp_ip dst, dp_ip about, uint8_t option) {
	const unsigned bytes = option ? 32 : 24;
	const unsigned at = put_ipv6(frame, src, dst, 58, 255, bytes, 0, 0);
	uint8_t *nd = frame + at;

	memset(nd, 0, bytes);
	nd[0] = type;
	nd[4] = type == 136 ? 0x60 : 0; /* solicited, override */
	dp_ip_put_v6(nd + 8, about);
	if (option) {
		nd[24] = option;
		nd[25] = 1;
		mac_put(nd + 26, THEIR_MAC + 1);
	}
	fix_l4(frame, 58, nd, bytes, 2);
	return at + bytes;
}

#define OUR_GROUP dp_ip_v6(UINT64_C(0xff02000000000000), UINT64_C(0x1ff123456))

static unsigned put_solicitation(uint8_t *frame) {
	return put_nd(frame, 135, ROUTER_V6, OUR_GROUP, SOURCE_V6, 1);
}

static unsigned put_advertisement(uint8_t *frame) {
	return put_nd(frame, 136, ROUTER_V6, SOURCE_V6, ROUTER_V6, 2);
}

static const struct sample samples6[] = {
	{"SYN-ACK", put_reply6, FRAME_ANSWER, PROBE_OPENED, 74},
	{"unreachable", put_error6, FRAME_ANSWER, PROBE_ANSWER, 110},
	{"echo request", put_echo6, FRAME_ECHO_REQUEST, PROBE_NONE, 70},
	{"solicitation", put_solicitation, FRAME_SOLICITATION, PROBE_NONE, 86},
	{"advertisement", put_advertisement, FRAME_ADVERTISEMENT, PROBE_NONE, 86},
};

enum {
	NB_SAMPLES6 = sizeof(samples6) / sizeof(samples6[0]),
};

Test(parse6, samples) {
	for (unsigned i = 0; i < NB_SAMPLES6; i++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = samples6[i].put(frame);
		struct frame_view view;

		cr_assert_eq(parse(frame, length, &view), samples6[i].kind, "%s", samples6[i].what);
		cr_assert_eq(parse(frame, length + 4, &view), samples6[i].kind, "%s and 4 bytes",
			samples6[i].what);
		for (unsigned cut = 0; cut < length; cut++) {
			const enum frame_kind kind = parse(frame, cut, &view);

			cr_assert(kind == FRAME_MALFORMED || kind == FRAME_OTHER, "%s cut to %u",
				samples6[i].what, cut);
		}
		put_tag(frame, length, 0);
		cr_assert_eq(parse(frame, length + 4, &view), samples6[i].kind);
		put16(frame + 14, 7);
		cr_assert_eq(parse(frame, length + 4, &view), FRAME_OTHER);
	}
}

Test(parse6, answers) {
	static const int expected[] = {DP_REASON_NO_ROUTE, DP_REASON_ADMIN_PROHIBITED,
		DP_REASON_BEYOND_SCOPE, DP_REASON_ADDR_UNREACH, DP_REASON_PORT_UNREACH,
		DP_REASON_ADMIN_PROHIBITED, DP_REASON_REJECT_ROUTE};
	uint8_t frame[MAX_FRAME];
	struct frame_view view;

	cr_assert_eq(parse(frame, put_reply6(frame), &view), FRAME_ANSWER);
	cr_assert(view.answer.ip == TARGET_V6);
	cr_assert_eq(view.answer.port, TARGET_PORT);
	cr_assert_eq(view.answer.state, DP_STATE_OPEN);
	cr_assert_eq(view.answer.ttl, TTL);
	cr_assert(view.our_ip == SOURCE_V6);
	cr_assert_eq(view.packet.family, FAMILY_V6);
	for (unsigned code = 0; code < 256; code++) {
		const unsigned length = put_error6_behind(frame, 1, (uint8_t)code, 0, 0);

		cr_assert_eq(parse(frame, length, &view), code < 7 ? FRAME_ANSWER : FRAME_OTHER);
		if (code >= 7)
			continue;
		cr_assert_eq(view.answer.reason, expected[code]);
		cr_assert_eq(view.answer.state, DP_STATE_FILTERED);
		cr_assert(view.answer.ip == TARGET_V6);
		cr_assert_eq(view.verdict.response, DP_RESPONSE_ICMP_UNREACHABLE);
	}
}

Test(parse6, icmp_types) {
	for (unsigned type = 0; type < 256; type++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = put_error6_behind(frame, (uint8_t)type, 0, 0, 0);
		const enum frame_kind kind = type == 1 ? FRAME_ANSWER
			: type == 128		       ? FRAME_ECHO_REQUEST
			/* The hop limit is not 255. */
			: type == 135 || type == 136 ? FRAME_MALFORMED
						     : FRAME_OTHER;
		struct frame_view view;

		cr_assert_eq(parse(frame, length, &view), kind, "type %u", type);
	}
}

/* RFC 8200 4: some headers are walked over, in both places; fragments are none of ours. */
Test(parse6, extension_headers) {
	for (unsigned type = 0; type < 256; type++)
		for (unsigned nb = 1; nb < 12; nb++) {
			const bool known = type == 0 || type == 43 || type == 60;
			const enum frame_kind kind = known
				? (nb < 8 ? FRAME_ANSWER : FRAME_MALFORMED)
				: type == 44 ? FRAME_MALFORMED
					     : FRAME_OTHER;
			uint8_t frame[MAX_FRAME] = {0};
			struct frame_view view;

			/* Those whose bytes would be something of their own. */
			if (type == 6 || type == 17 || type == 58 || type == 132)
				continue;
			cr_assert_eq(
				parse(frame, put_reply6_behind(frame, (uint8_t)type, nb), &view),
				kind, "%u headers of type %u", nb, type);
			cr_assert_eq(parse(frame, put_error6_behind(frame, 1, 0, (uint8_t)type, nb),
					     &view),
				kind, "%u quoted headers of type %u", nb, type);
		}
}

/* A header may say that it is longer than the packet. */
Test(parse6, long_extension_header) {
	for (unsigned length = 0; length < 256; length++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned bytes = put_reply6_behind(frame, 60, 1);
		struct frame_view view;
		enum frame_kind kind;

		frame[IP_AT + IP6_BYTES + 1] = (uint8_t)length;
		kind = parse(frame, bytes, &view);
		cr_assert(length == 0 ? kind == FRAME_ANSWER : kind != FRAME_ANSWER);
	}
}

Test(parse6, changed) {
	static const struct change changes[] = {
		{"version 4", put_reply6, IP_AT, 1, 0x45, true, FRAME_MALFORMED},
		{"traffic class", put_reply6, IP_AT + 1, 1, 0xf0, true, FRAME_ANSWER},
		{"length beyond the frame", put_reply6, IP_AT + 4, 2, 21, true, FRAME_MALFORMED},
		{"no length", put_reply6, IP_AT + 4, 2, 0, true, FRAME_MALFORMED},
		{"no next header", put_reply6, IP_AT + 6, 1, 59, true, FRAME_OTHER},
		{"ICMP of IPv4", put_echo6, IP_AT + 6, 1, 1, true, FRAME_OTHER},
		{"hop limit", put_reply6, IP_AT + 7, 1, 1, true, FRAME_ANSWER},
		{"source", put_reply6, IP_AT + 23, 1, 8, true, FRAME_BAD_CHECKSUM},
		{"to somebody else", put_reply6, IP_AT + 39, 1, 8, true, FRAME_OTHER},
		{"segment to a group", put_reply6, IP_AT + 24, 2, 0xff02, true, FRAME_OTHER},
		{"ping to a group", put_echo6, IP_AT + 24, 2, 0xff02, true, FRAME_BAD_CHECKSUM},
		{"stale ICMP checksum", put_echo6, IP_AT + 50, 1, 0, true, FRAME_BAD_CHECKSUM},
		{"solicitation through a router", put_solicitation, IP_AT + 7, 1, 254, true,
			FRAME_MALFORMED},
		{"advertisement through a router", put_advertisement, IP_AT + 7, 1, 254, true,
			FRAME_MALFORMED},
	};

	check_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

/* Any one byte of what a checksum covers. */
Test(parse6, flipped_bytes) {
	for (unsigned i = 0; i < NB_SAMPLES6; i++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = samples6[i].put(frame);

		for (unsigned at = IP_AT; at < length; at++) {
			const bool covered = at >= IP_AT + 8 || at == IP_AT + 4 || at == IP_AT + 5
				|| at == IP_AT + 6;
			struct frame_view view;
			enum frame_kind kind;

			frame[at] ^= 0x10;
			kind = parse(frame, length, &view);
			frame[at] ^= 0x10;
			if (covered)
				cr_assert(kind != samples6[i].kind, "%s byte %u", samples6[i].what,
					at);
		}
	}
}

Test(parse6, mutations) {
	enum { ROUNDS = 200000 };
	uint8_t right[NB_SAMPLES6][256] = {{0}};
	unsigned length[NB_SAMPLES6], kept = 0;
	uint64_t state = 35;

	for (unsigned i = 0; i < NB_SAMPLES6; i++)
		length[i] = samples6[i].put(right[i]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const unsigned i = round % NB_SAMPLES6;
		struct frame_view view;
		uint8_t frame[256];
		enum frame_kind kind;
		unsigned n;

		memcpy(frame, right[i], sizeof(frame));
		n = mutate(frame, length[i], &state);
		kind = parse(frame, n, &view);
		if (kind != FRAME_ANSWER)
			continue;
		/* What is believed is about the probe that was sent. */
		cr_assert(view.answer.ip == TARGET_V6 || view.answer.ip == dp_ip_v4(TARGET_IP));
		cr_assert_eq(view.answer.port, TARGET_PORT);
		kept++;
	}
	cr_assert_gt(kept, ROUNDS / 100);
}

Test(parse6, partial_checksums) {
	for (int off = -1; off <= 1; off++) {
		uint8_t frame[MAX_FRAME] = {0};
		unsigned length = put_reply6(frame);
		struct frame_view view;

		put16(frame + 70, (uint16_t)(reference_pseudo_ip(frame + IP_AT, 6, 20) + off));
		cr_assert_eq(parse(frame, length, &view), off ? FRAME_BAD_CHECKSUM : FRAME_ANSWER);
		length = put_error6(frame);
		put16(frame + 56, (uint16_t)(reference_pseudo_ip(frame + IP_AT, 58, 56) + off));
		cr_assert_eq(parse(frame, length, &view), off ? FRAME_BAD_CHECKSUM : FRAME_ANSWER);
	}
}

/* What the device has seen to be right is not looked at again. */
Test(parse, device_checksums) {
	const struct scan scan = make_scan(&syn_type);
	uint8_t frame[MAX_FRAME] = {0};
	struct frame_view view;
	unsigned length = put_syn_ack(frame);

	put16(frame + IP_AT + 10, 1);
	put16(frame + IP_AT + 36, 1);
	for (unsigned good = 0; good < 4; good++) {
		const struct frame_meta meta = {.ip_good = good & 1, .l4_good = good & 2};

		cr_assert_eq(parse_as(&scan, &meta, frame, length, &view),
			good == 3 ? FRAME_ANSWER : FRAME_BAD_CHECKSUM);
	}
	length = put_reply6(frame);
	put16(frame + 70, 1);
	cr_assert_eq(parse_as(&scan, &(struct frame_meta){.l4_good = true}, frame, length, &view),
		FRAME_ANSWER);
}

/* --- neighbours ------------------------------------------------------------------------------ */

Test(parse6, neighbours) {
	uint8_t frame[MAX_FRAME];
	struct frame_view view;

	cr_assert_eq(parse(frame, put_solicitation(frame), &view), FRAME_SOLICITATION);
	cr_assert(view.neigh.ip == ROUTER_V6);
	cr_assert_eq(view.neigh.mac, THEIR_MAC + 1, "the option's");
	cr_assert(view.our_ip == SOURCE_V6);
	/* Asked again, straight and without the option (RFC 4861 7.2.2). */
	cr_assert_eq(parse(frame, put_nd(frame, 135, ROUTER_V6, SOURCE_V6, SOURCE_V6, 0), &view),
		FRAME_SOLICITATION);
	cr_assert_eq(view.neigh.mac, THEIR_MAC, "the frame's");
	cr_assert_eq(parse(frame, put_nd(frame, 135, 0, OUR_GROUP, SOURCE_V6, 0), &view),
		FRAME_SOLICITATION, "somebody wants our address");
	cr_assert(view.neigh.ip == 0);
	cr_assert_eq(parse(frame, put_nd(frame, 135, 0, SOURCE_V6, SOURCE_V6, 0), &view),
		FRAME_MALFORMED, "from no address to one (RFC 4861 7.1.1)");
	cr_assert_eq(
		parse(frame, put_nd(frame, 135, ROUTER_V6, OUR_GROUP, SOURCE_V6 + (1 << 24), 1),
			&view),
		FRAME_OTHER, "the same group, another address");
	cr_assert_eq(parse(frame, put_nd(frame, 135, ROUTER_V6, OUR_GROUP, OUR_GROUP, 1), &view),
		FRAME_MALFORMED, "about a group");
	cr_assert_eq(parse(frame, put_advertisement(frame), &view), FRAME_ADVERTISEMENT);
	cr_assert(view.neigh.ip == ROUTER_V6);
	cr_assert_eq(view.neigh.mac, THEIR_MAC + 1);
	cr_assert(view.our_ip == SOURCE_V6);
	cr_assert_eq(parse(frame, put_nd(frame, 136, TARGET_V6, SOURCE_V6, ROUTER_V6, 0), &view),
		FRAME_ADVERTISEMENT);
	cr_assert(view.neigh.ip == ROUTER_V6, "the one that it is about");
	cr_assert_eq(view.neigh.mac, THEIR_MAC);
	cr_assert_eq(parse(frame,
			     put_nd(frame, 136, ROUTER_V6,
				     dp_ip_v6(UINT64_C(0xff02000000000000), 1), ROUTER_V6, 2),
			     &view),
		FRAME_OTHER, "to everybody");
}

/* What answers a question says so (RFC 4861 7.2.4): anything else is news that nobody asked for. */
Test(parse6, unsolicited_neighbours) {
	for (unsigned flags = 0; flags < 256; flags++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = put_advertisement(frame);
		uint8_t *nd = frame + IP_AT + IP6_BYTES;
		struct frame_view view;

		nd[4] = (uint8_t)flags;
		fix_l4(frame, 58, nd, 32, 2);
		cr_assert_eq(parse(frame, length, &view),
			flags & 0x40 ? FRAME_ADVERTISEMENT : FRAME_OTHER);
	}
}

/*
 * An IPv4-mapped address is what IPv4 addresses are here, so that none must come out of an IPv6 packet:
 * it would be believed about another host. Neither must a group be the source of anything.
 */
Test(parse6, addresses_of_no_host) {
	const dp_ip wrong[] = {dp_ip_v4(TARGET_IP), dp_ip_v4(ROUTER_IP), OUR_GROUP};

	for (unsigned i = 0; i < 3; i++) {
		const uint64_t cookie = reference_cookie_ip(key.bytes, wrong[i], TARGET_PORT);
		uint8_t frame[MAX_FRAME] = {0}, *icmp = frame + IP_AT + IP6_BYTES;
		uint8_t *quoted = icmp + 8;
		struct frame_view view;
		unsigned length;

		length = put_reply6(frame);
		dp_ip_put_v6(frame + IP_AT + 8, wrong[i]);
		put16(icmp + 2, reference_port(cookie, PORT_FIRST, PORT_SPAN));
		put32(icmp + 8, (uint32_t)cookie + 1);
		fix_l4(frame, 6, icmp, 20, 16);
		cr_assert_eq(parse(frame, length, &view), FRAME_MALFORMED);

		length = put_error6(frame);
		dp_ip_put_v6(quoted + 24, wrong[i]);
		put16(quoted + 40, reference_port(cookie, PORT_FIRST, PORT_SPAN));
		put32(quoted + 44, (uint32_t)cookie);
		fix_l4(frame, 58, icmp, length - IP_AT - IP6_BYTES, 2);
		cr_assert_eq(parse(frame, length, &view), FRAME_MALFORMED);

		length = put_nd(frame, 136, ROUTER_V6, SOURCE_V6, wrong[i], 2);
		cr_assert_eq(parse(frame, length, &view), FRAME_MALFORMED);
		length = put_nd(frame, 135, wrong[i], OUR_GROUP, SOURCE_V6, 1);
		cr_assert_eq(parse(frame, length, &view), FRAME_MALFORMED);
		length = put_nd(frame, 135, ROUTER_V6, OUR_GROUP, wrong[i], 1);
		cr_assert_eq(parse(frame, length, &view), FRAME_MALFORMED);
	}
}

/* Options of no length, of too much, and a code. */
Test(parse6, malformed_neighbours) {
	static const struct {
		unsigned at;
		uint8_t value;
	} wrong[] = {{1, 1}, {25, 0}, {25, 2}, {25, 255}};

	for (unsigned i = 0; i < 2 * sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = i & 1 ? put_solicitation(frame) : put_advertisement(frame);
		uint8_t *nd = frame + IP_AT + IP6_BYTES;
		struct frame_view view;

		nd[wrong[i / 2].at] = wrong[i / 2].value;
		fix_l4(frame, 58, nd, 32, 2);
		cr_assert_eq(parse(frame, length, &view), FRAME_MALFORMED, "row %u", i / 2);
	}
}

/* --- modules --------------------------------------------------------------------------------- */

/* Modules that take what is marked for them, and say what they were given. */
enum {
	MARK_NOBODY,
	MARK_FIRST,
	MARK_SECOND,
};

static struct {
	struct packet packet;
	unsigned asked;
} heard;

static struct verdict take(uint8_t mark, const struct packet *packet, struct dp_answer *answer) {
	heard.packet = *packet;
	heard.asked++;
	if (packet->l4[packet->l4_bytes - 1] != mark)
		return (struct verdict){.kind = PROBE_NONE};
	answer->ip = packet->src;
	answer->port = 53;
	answer->state = DP_STATE_OPEN;
	answer->reason = mark;
	return (struct verdict){PROBE_ANSWER, DP_RESPONSE_UDP};
}

static struct verdict take_first(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	cr_assert_eq(clock_us, CLOCK_US);
	return take(MARK_FIRST, packet, answer);
}

static struct verdict take_second(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	return take(MARK_SECOND, packet, answer);
}

static bool willing; /* to take what neighbours say */

static struct verdict take_neighbour(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	heard.packet = *packet;
	heard.asked++;
	answer->ip = packet->src;
	answer->state = DP_STATE_OPEN;
	return (struct verdict){willing ? PROBE_ANSWER : PROBE_NONE, DP_RESPONSE_ARP_REPLY};
}

static bool take_quoted(
	const struct probe_env *env, const struct packet *quoted, struct dp_answer *answer) {
	heard.packet = *quoted;
	answer->ip = quoted->dst;
	answer->port = get16(quoted->l4 + 2);
	return get32(quoted->l4 + 4) != 0;
}

#define FAKE(name, v4, v6, first_or_second)                                                        \
	static const struct probe_module name = {                                                  \
		.protocol = {v4, v6},                                                              \
		.packet = first_or_second,                                                         \
		.quoted = take_quoted,                                                             \
		.unreachable_closes = true,                                                        \
	}

FAKE(udp_first, 17, 17, take_first);
FAKE(udp_second, 17, 17, take_second);
FAKE(sctp, 132, 132, take_first);
FAKE(echo, 1, 58, take_first);
static const struct probe_module arp
	= {.proto = DP_PROTO_ARP, .link = true, .packet = take_neighbour};
static const struct probe_module ndp
	= {.proto = DP_PROTO_NDP, .protocol = {0, 58}, .link = true, .packet = take_neighbour};

static const struct probe_type fake_type = {
	.step = {{{&udp_first, 0}, {&udp_second, 0}, {&udp_first, 0}, {&sctp, 0}},
		{{&udp_first, 0}, {&udp_second, 0}, {&udp_first, 0}, {&sctp, 0}}},
	.nb_steps = {4, 4},
	.on_link = {&echo, &echo},
};

static const struct probe_type discovery_type = {
	.step = {{{&echo, 0}, {&probe_syn, TARGET_PORT}, {&udp_first, 0}},
		{{&echo, 0}, {&probe_syn, TARGET_PORT}, {&udp_first, 0}}},
	.nb_steps = {3, 3},
	.on_link = {&arp, &ndp},
	.host = true,
};

static enum frame_kind parse_type(const struct probe_type *type, const uint8_t *frame,
	unsigned length, struct frame_view *view) {
	static const struct frame_meta meta = {.clock_us = CLOCK_US};
	const struct scan scan = make_scan(type);

	memset(&heard, 0, sizeof(heard));
	return parse_as(&scan, &meta, frame, length, view);
}

/* A packet to our first port, with a mark at its end; checksums are the caller's affair. */
static unsigned put_packet(
	uint8_t *frame, bool v4, uint8_t protocol, unsigned bytes, uint8_t mark) {
	const unsigned at = v4 ? put_ipv4(frame, 0, protocol, TARGET_IP, bytes)
			       : put_ipv6(frame, TARGET_V6, SOURCE_V6, protocol, TTL, bytes, 0, 0);

	memset(frame + at, 0, bytes);
	put16(frame + at, 53);
	put16(frame + at + 2, PORT_FIRST);
	frame[at + bytes - 1] = mark;
	if (v4)
		fix(frame, at + bytes);
	return at;
}

/* Each module once, in order, until one takes it. */
Test(parse, modules_in_turn) {
	for (unsigned i = 0; i < 6; i++) {
		const bool v4 = i & 1;
		const uint8_t mark = (uint8_t)(i / 2);
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned at = put_packet(frame, v4, 17, 12, mark);
		struct frame_view view;

		put16(frame + at + 4, 12);
		fix_l4(frame, 17, frame + at, 12, 6);
		cr_assert_eq(parse_type(&fake_type, frame, at + 12 + 6, &view),
			mark == MARK_NOBODY ? FRAME_REJECTED : FRAME_ANSWER);
		cr_assert_eq(heard.asked, mark == MARK_FIRST ? 1 : 2);
		cr_assert_eq(heard.packet.l4_bytes, 12);
		cr_assert_eq(heard.packet.protocol, 17);
		cr_assert_eq(heard.packet.family, v4 ? FAMILY_V4 : FAMILY_V6);
		cr_assert(heard.packet.src == (v4 ? dp_ip_v4(TARGET_IP) : TARGET_V6));
		cr_assert(heard.packet.dst == (v4 ? dp_ip_v4(SOURCE_IP) : SOURCE_V6));
		if (mark != MARK_NOBODY) {
			cr_assert_eq(view.answer.reason, mark);
			cr_assert_eq(view.answer.ttl, TTL);
			cr_assert_eq(view.answer.port, 53);
			cr_assert_eq(view.answer.rtt_us, DP_RTT_NONE);
		}
	}
}

Test(parse, udp) {
	static const struct {
		const char *what;
		int port, length,
			checksum; /* the right ones and so many more; no checksum: -1000 */
		enum frame_kind v4, v6;
	} row[] = {
		{"right", 0, 0, 0, FRAME_ANSWER, FRAME_ANSWER},
		{"port below ours", -1, 0, 0, FRAME_OTHER, FRAME_OTHER},
		{"port above ours", PORT_SPAN, 0, 0, FRAME_OTHER, FRAME_OTHER},
		{"length beyond the packet", 0, 1, 0, FRAME_MALFORMED, FRAME_MALFORMED},
		{"length of 7", 0, -5, 0, FRAME_MALFORMED, FRAME_MALFORMED},
		{"wrong checksum", 0, 0, 1, FRAME_BAD_CHECKSUM, FRAME_BAD_CHECKSUM},
		{"no checksum", 0, 0, -1000, FRAME_ANSWER, FRAME_BAD_CHECKSUM},
	};

	for (unsigned i = 0; i < 2 * sizeof(row) / sizeof(row[0]); i++) {
		const bool v4 = i & 1;
		const unsigned r = i / 2;
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned at = put_packet(frame, v4, 17, 12, MARK_FIRST);
		uint8_t *udp = frame + at;
		struct frame_view view;

		put16(udp + 2, (uint16_t)(PORT_FIRST + row[r].port));
		put16(udp + 4, (uint16_t)(12 + row[r].length));
		fix_l4(frame, 17, udp, 12, 6);
		put16(udp + 6,
			(uint16_t)(row[r].checksum == -1000 ? 0
							    : get16(udp + 6) + row[r].checksum));
		cr_assert_eq(parse_type(&fake_type, frame, at + 12, &view),
			v4 ? row[r].v4 : row[r].v6, "%s", row[r].what);
		/* Who sends no UDP still owns the port. */
		if (row[r].v6 == FRAME_ANSWER)
			cr_assert_eq(parse(frame, at + 12, &view), FRAME_REJECTED);
	}
}

/* The CRC-32C of "123456789" is e3069283 (RFC 3720 B.4 has more); here by its bits. */
static uint32_t reference_crc32c(const uint8_t *p, size_t n) {
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < 8 * n; i++) {
		const uint32_t bit = (crc ^ (uint32_t)p[i / 8] >> i % 8) & 1;

		crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
	}
	return ~crc;
}

Test(parse, sctp) {
	cr_assert_eq(reference_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	for (unsigned i = 0; i < 8; i++) {
		const bool v4 = i & 1;
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned at = put_packet(frame, v4, 132, 32, MARK_FIRST);
		uint8_t *packet = frame + at;
		struct frame_view view;
		const uint32_t crc = reference_crc32c(packet, 32);
		enum frame_kind kind = FRAME_ANSWER;

		/* RFC 9260 appendix A: least significant byte first. */
		for (unsigned k = 0; k < 4; k++)
			packet[8 + k] = (uint8_t)(crc >> 8 * k);
		if (i / 2 == 1) {
			packet[9] ^= 1;
			kind = FRAME_BAD_CHECKSUM;
		} else if (i / 2 == 2) {
			put32(packet + 8, 0); /* left to a device that never came */
		} else if (i / 2 == 3) {
			put16(packet + 2, PORT_FIRST - 1);
			kind = FRAME_OTHER;
		}
		cr_assert_eq(parse_type(&fake_type, frame, at + 32, &view), kind, "case %u", i);
	}
}

/* Echo and timestamp replies go to who sends such probes, and are nobody's without. */
Test(parse, icmp_replies) {
	static const uint8_t types[] = {0, 14, 129};

	for (unsigned i = 0; i < sizeof(types); i++) {
		const bool v4 = types[i] != 129;
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned at = put_packet(frame, v4, v4 ? 1 : 58, 20, MARK_FIRST);
		struct frame_view view;

		frame[at] = types[i];
		frame[at + 1] = 0;
		if (v4)
			fix(frame, at + 20);
		else
			fix_l4(frame, 58, frame + at, 20, 2);
		cr_assert_eq(parse_type(&fake_type, frame, at + 20, &view), FRAME_ANSWER);
		cr_assert_eq(heard.packet.l4_bytes, 20);
		cr_assert_eq(parse(frame, at + 20, &view), FRAME_OTHER);
		frame[at + 19] ^= MARK_SECOND;
		if (v4)
			fix(frame, at + 20);
		else
			fix_l4(frame, 58, frame + at, 20, 2);
		cr_assert_eq(parse_type(&fake_type, frame, at + 20, &view), FRAME_REJECTED);
	}
}

/* An error about a UDP probe, from the target itself or from a router. */
Test(parse, unreachable_ports) {
	for (unsigned i = 0; i < 16; i++) {
		const bool v4 = i & 1, from_target = i & 2, port = i & 4, host = i & 8;
		const uint8_t code = v4 ? (port ? 3 : 13) : port ? 4 : 1;
		uint8_t frame[MAX_FRAME] = {0}, *icmp, *quoted;
		struct frame_view view;
		unsigned length, header = v4 ? 20 : 40;

		length = v4 ? put_unreachable(frame, code, 0, 0, 8)
			    : put_error6_behind(frame, 1, code, 0, 0);
		icmp = frame + IP_AT + header;
		quoted = icmp + 8;
		quoted[v4 ? 9 : 6] = 17;
		if (from_target)
			memcpy(frame + IP_AT + (v4 ? 12 : 8), quoted + (v4 ? 16 : 24), v4 ? 4 : 16);
		if (v4)
			fix(frame, length);
		else
			fix_l4(frame, 58, icmp, length - IP_AT - header, 2);
		cr_assert_eq(parse_type(host ? &discovery_type : &fake_type, frame, length, &view),
			FRAME_ANSWER);
		cr_assert_eq(view.answer.state,
			from_target && port && !host ? DP_STATE_CLOSED : DP_STATE_FILTERED);
		cr_assert_eq(view.answer.reason,
			port ? DP_REASON_PORT_UNREACH : DP_REASON_ADMIN_PROHIBITED);
		cr_assert_eq(view.answer.port, host ? 0 : TARGET_PORT);
		cr_assert_eq(view.answer.proto == DP_PROTO_ICMP, host);
		cr_assert_eq(view.answer.ttl, TTL);
		cr_assert_eq(heard.packet.l4_bytes, 8);
		cr_assert(heard.packet.src == (v4 ? dp_ip_v4(SOURCE_IP) : SOURCE_V6));
	}
}

/* A scan for hosts: any reply means up, and no port is meant. */
Test(parse, discovery) {
	uint8_t frame[MAX_FRAME] = {0};
	struct frame_view view;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		cr_assert_eq(parse_type(&discovery_type, frame,
				     v6 ? put_reply6(frame) : put_rst(frame), &view),
			FRAME_ANSWER);
		cr_assert_eq(view.answer.state, DP_STATE_UP);
		cr_assert_eq(view.answer.reason, v6 ? DP_REASON_SYN_ACK : DP_REASON_RESET);
		cr_assert_eq(view.answer.port, 0);
		cr_assert_eq(view.tcp.src_port, TARGET_PORT, "what a reset of ours needs");
	}
}

/* An echo reply, which anybody can send from anywhere, is no word of a neighbour's. */
Test(parse, echo_is_no_advertisement) {
	const unsigned bytes = 24;
	uint8_t frame[MAX_FRAME] = {0};
	const unsigned at = put_packet(frame, false, 58, bytes, MARK_NOBODY);
	struct frame_view view;

	willing = true;
	frame[at] = ICMPV6_ECHO_REPLY;
	frame[at + 1] = 0;
	fix_l4(frame, 58, frame + at, bytes, 2);
	cr_assert_eq(parse_type(&discovery_type, frame, at + bytes, &view), FRAME_REJECTED);
	cr_assert_eq(heard.asked, 1, "of the echo module alone");
}

/* What neighbours say answers who asked them as a scan, and is learnt from all the same. */
Test(parse, neighbour_scans) {
	static const struct probe_type types[2] = {
		{.step = {{{&arp, 0}}, {{&ndp, 0}}}, .nb_steps = {1, 1}},
		{.step = {{{&arp, 0}}, {{&ndp, 0}}}, .nb_steps = {1, 1}, .host = true},
	};

	for (unsigned i = 0; i < 8; i++) {
		const bool v4 = i & 1, host = i & 2;
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = v4 ? put_arp_reply(frame) : put_advertisement(frame);
		struct frame_view view;

		willing = i & 4;
		cr_assert_eq(parse_type(&types[host], frame, length, &view),
			willing	     ? FRAME_ANSWER
				: v4 ? FRAME_ARP_REPLY
				     : FRAME_ADVERTISEMENT);
		cr_assert_eq(heard.asked, 1);
		cr_assert(heard.packet.src == (v4 ? dp_ip_v4(ROUTER_IP) : ROUTER_V6));
		cr_assert(heard.packet.dst == (v4 ? dp_ip_v4(SOURCE_IP) : SOURCE_V6));
		cr_assert_eq(heard.packet.l4_bytes, v4 ? 28 : 32);
		cr_assert(view.neigh.ip == heard.packet.src);
		if (willing)
			cr_assert_eq(view.answer.state, host ? DP_STATE_UP : DP_STATE_OPEN);
		/* Questions are never answers. */
		cr_assert_eq(parse_type(&types[host], frame,
				     v4 ? put_arp_request(frame) : put_solicitation(frame), &view),
			v4 ? FRAME_ARP_REQUEST : FRAME_SOLICITATION);
		cr_assert_eq(heard.asked, 0);
	}
}
