/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Received frames: each kind is found for what it is, no byte beyond a frame is read, nothing but a
 * reply to a probe of ours counts as one, and the frames written in reply are valid.
 */
#include "frame_test.h"
#include "parse.h"

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

static struct probe_env make_env(void) {
	struct probe_env env = {.source_ip = SOURCE_IP, .source_mac = OUR_MAC};

	cookie_init(&env.cookie, &key, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	return env;
}

/* Parse a copy that ends where memory does. */
static enum frame_kind parse(const uint8_t *frame, unsigned length, struct frame_view *view) {
	static struct probe_env env;
	static uint8_t *cage;

	if (!cage) {
		cage = cage_end();
		cr_assert_not_null(cage);
		env = make_env();
	}
	memset(view, 0xee, sizeof(*view));
	memcpy(cage - length, frame, length);
	return frame_parse(&probe_syn, &env, cage - length, length, CLOCK_US + RTT_US, view);
}

/* Ethernet and IPv4 around @body bytes, with @options bytes of IP options. Returns where it goes. */
static unsigned put_ipv4(
	uint8_t *frame, unsigned options, uint8_t protocol, uint32_t src, unsigned body) {
	uint8_t *ip = frame + IP_AT;

	eth_put(frame, OUR_MAC, THEIR_MAC, ETH_TYPE_IPV4);
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

	eth_put(frame, operation == 1 ? MAC_BROADCAST : OUR_MAC, THEIR_MAC, ETH_TYPE_ARP);
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
	{"SYN-ACK", put_syn_ack, FRAME_ANSWER, PROBE_SYN_ACK, 66},
	{"SYN-ACK with IP options", put_syn_ack_ip_options, FRAME_ANSWER, PROBE_SYN_ACK, 106},
	{"RST", put_rst, FRAME_ANSWER, PROBE_RST, 54},
	{"unreachable", put_shortest_unreachable, FRAME_ANSWER, PROBE_ICMP_UNREACHABLE, 70},
	{"unreachable with options and more", put_full_unreachable, FRAME_ANSWER,
		PROBE_ICMP_UNREACHABLE, 90},
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
			cr_assert_eq(view.kind, samples[i].probe, "%s", samples[i].what);
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
		cr_assert_eq(view.answer.ip, TARGET_IP, "answer %u", i);
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
		{"VLAN tag", put_syn_ack, 12, 2, 0x8100, true, FRAME_OTHER},
		{"service VLAN tag", put_syn_ack, 12, 2, 0x88a8, true, FRAME_OTHER},
		{"IPv6", put_syn_ack, 12, 2, 0x86dd, true, FRAME_OTHER},
		{"IEEE 802.3 length", put_syn_ack, 12, 2, 60, true, FRAME_OTHER},
		{"ARP by its type only", put_syn_ack, 12, 2, 0x0806, true, FRAME_OTHER},
		{"IPv4 by its type only", put_arp_reply, 12, 2, 0x0800, true, FRAME_OTHER},
	};

	check_changes(changes, sizeof(changes) / sizeof(changes[0]));
}

/* A tagged answer is no answer: the port was opened on the untagged network. */
Test(parse, vlan_tagged) {
	for (unsigned i = 0; i < NB_SAMPLES; i++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = samples[i].put(frame);
		struct frame_view view;

		memmove(frame + 16, frame + 12, length - 12);
		put16(frame + 12, 0x8100);
		put16(frame + 14, 5);
		cr_assert_eq(parse(frame, length + 4, &view), FRAME_OTHER, "%s", samples[i].what);
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
		{"UDP", put_syn_ack, IP_AT + 9, 1, 17, false, FRAME_OTHER},
		{"SCTP", put_syn_ack, IP_AT + 9, 1, 132, false, FRAME_OTHER},
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
		{"quotes UDP", put_shortest_unreachable, QUOTED_AT + 9, 1, 17, false, FRAME_OTHER},
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
			cr_assert_eq(view.answer.ip, TARGET_IP);
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
	cr_assert_eq(view.arp.ip, ROUTER_IP);
	cr_assert_eq(view.arp.mac, THEIR_MAC);
	parse(frame, put_arp_reply(frame), &view);
	cr_assert_eq(view.arp.ip, ROUTER_IP);
	cr_assert_eq(view.arp.mac, THEIR_MAC);
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
	answer->ip = get32(target);
	answer->port = target_port;
	answer->ttl = ip[8];
	cookie = reference_cookie(key.bytes, answer->ip, answer->port);
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
		if (kind != FRAME_CONNECTION)
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

/* Every reply begins like this. */
static void check_headers(const uint8_t *out, unsigned length, uint8_t protocol, uint32_t to_ip) {
	const unsigned total = get16(out + 16);

	cr_assert_geq(length, ETH_MIN_FRAME);
	cr_assert_eq(mac_get(out), THEIR_MAC);
	cr_assert_eq(mac_get(out + 6), OUR_MAC);
	cr_assert_eq(get16(out + 12), ETH_TYPE_IPV4);
	cr_assert_eq(out[IP_AT], 0x45);
	cr_assert_eq(get16(out + 20) & 0x3fff, 0, "no fragment");
	cr_assert_eq(out[22], 64);
	cr_assert_eq(out[23], protocol);
	cr_assert_eq(get32(out + 26), SOURCE_IP);
	cr_assert_eq(get32(out + 30), to_ip);
	cr_assert(reference_checksums_good(out + IP_AT));
	/* Padding is zero: nothing of an earlier frame gets out (CVE-2003-0001). */
	for (unsigned i = IP_AT + total; i < length; i++)
		cr_assert_eq(out[i], 0);
	cr_assert(length == ETH_MIN_FRAME || length == IP_AT + total);
}

/* Pings of all sizes, with and without IP options, into exactly the room that parse.h asks for. */
Test(parse, echo_replies) {
	const struct probe_env env = make_env();
	uint8_t *cage = cage_end();

	cr_assert_not_null(cage);
	for (unsigned payload = 0; payload <= 1472 - 40; payload++) {
		const unsigned options = payload % 11 * 4;
		uint8_t request[MAX_FRAME], *out;
		const unsigned length = put_echo(request, options, payload);
		const unsigned room = length > ETH_MIN_FRAME ? length : ETH_MIN_FRAME;
		struct frame_view view;
		unsigned n;

		cr_assert_eq(parse(request, length, &view), FRAME_ECHO_REQUEST);
		cr_assert_eq(view.ip_at, IP_AT);
		cr_assert_eq(view.ip_bytes, length - IP_AT);
		out = cage - room;
		memset(out, 0xee, room);
		n = frame_echo_reply(out, &env, request, &view);
		cr_assert_leq(n, room);
		check_headers(out, n, 1, ROUTER_IP);
		cr_assert_eq(get16(out + 16), 28 + payload);
		cr_assert_eq(out[34], 0, "echo reply");
		cr_assert_eq(out[35], 0);
		/* Identifier, sequence number and data come back as they were (RFC 792). */
		cr_assert_arr_eq(out + 38, request + 38 + options, 4 + payload);
	}
}

/* A reset of the connection that the SYN-ACK would have begun, and of no other. */
Test(parse, resets) {
	const struct probe_env env = make_env();
	const uint64_t cookie = reference_cookie(key.bytes, TARGET_IP, TARGET_PORT);

	for (unsigned options = 0; options <= 40; options += 4) {
		uint8_t syn_ack[MAX_FRAME], *out = cage_end();
		const unsigned length = put_reply(syn_ack, options, 0x12);
		struct frame_view view;

		cr_assert_not_null(out);
		out -= ETH_MIN_FRAME;
		memset(out, 0xee, ETH_MIN_FRAME);
		cr_assert_eq(parse(syn_ack, length, &view), FRAME_ANSWER);
		cr_assert_eq(view.ack, (uint32_t)cookie + 1);
		cr_assert_eq(view.our_port, reference_port(cookie, PORT_FIRST, PORT_SPAN));
		cr_assert_eq(frame_reset(out, &env, syn_ack, &view), ETH_MIN_FRAME);
		check_headers(out, ETH_MIN_FRAME, 6, TARGET_IP);
		cr_assert_eq(get16(out + 16), 40);
		cr_assert_eq(get16(out + 34), view.our_port);
		cr_assert_eq(get16(out + 36), TARGET_PORT);
		/* RFC 9293 3.10.7.4: a reset counts if its number is the next expected. */
		cr_assert_eq(get32(out + 38), (uint32_t)cookie + 1);
		cr_assert_eq(get32(out + 42), 0);
		cr_assert_eq(out[46], 0x50);
		cr_assert_eq(out[47], 0x04, "RST alone");
	}
}

/* --- banners --------------------------------------------------------------------------------- */

enum {
	WEB_PORT = 80, /* its hello is 18 bytes long */
	HELLO_BYTES = 18,
	ISN = 0x31415926,
};

static struct probe_env make_banner_env(uint16_t window) {
	struct probe_env env = make_env();

	env.banners = true;
	env.banner_window = window;
	return env;
}

/* A segment from the target's @port, @ack beyond our SYN's number, with options and data. */
static unsigned put_segment(uint8_t *frame, uint16_t port, uint32_t ack, uint8_t flags,
	const uint8_t *options, unsigned options_bytes, const char *data, unsigned data_bytes) {
	const uint64_t cookie = reference_cookie(key.bytes, TARGET_IP, port);
	const unsigned header = 20 + options_bytes;
	const unsigned at = put_ipv4(frame, 0, 6, TARGET_IP, header + data_bytes);
	uint8_t *tcp = frame + at;

	memset(tcp, 0, header);
	put16(tcp, port);
	put16(tcp + 2, reference_port(cookie, PORT_FIRST, PORT_SPAN));
	put32(tcp + 4, ISN);
	put32(tcp + 8, (uint32_t)cookie + ack);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = flags;
	put16(tcp + 14, 65160);
	memcpy(tcp + 20, options, options_bytes);
	memcpy(tcp + header, data, data_bytes);
	fix(frame, at + header + data_bytes);
	return at + header + data_bytes;
}

static enum frame_kind parse_banner(uint8_t *frame, unsigned length, struct frame_view *view) {
	static const struct probe_env *env;
	static struct probe_env made;

	if (!env) {
		made = make_banner_env(512);
		env = &made;
	}
	memset(view, 0xee, sizeof(*view));
	return frame_parse(&probe_syn, env, frame, length, CLOCK_US + RTT_US, view);
}

/* Which segments of a connection are what, by flags, acknowledgement and data. */
Test(parse, segments_of_connections) {
	static const struct {
		const char *what;
		uint16_t port;
		uint32_t ack; /* beyond our SYN's number */
		uint8_t flags;
		const char *data;
		enum frame_kind kind;
		enum probe_kind probe;
	} segment[] = {
		{"data", WEB_PORT, 19, 0x18, "HTTP", FRAME_ANSWER, PROBE_DATA},
		{"data, last", WEB_PORT, 19, 0x19, "HTTP", FRAME_ANSWER, PROBE_DATA},
		{"data after no hello", TARGET_PORT, 1, 0x18, "SSH", FRAME_ANSWER, PROBE_DATA},
		{"end", WEB_PORT, 19, 0x11, "", FRAME_CONNECTION, PROBE_FIN},
		{"end after no hello", TARGET_PORT, 1, 0x11, "", FRAME_CONNECTION, PROBE_FIN},
		{"acknowledgement", WEB_PORT, 19, 0x10, "", FRAME_CONNECTION, PROBE_QUIET},
		{"reset", WEB_PORT, 19, 0x14, "", FRAME_CONNECTION, PROBE_QUIET},
		{"reset with data", WEB_PORT, 19, 0x14, "why", FRAME_CONNECTION, PROBE_QUIET},
		{"SYN-ACK", WEB_PORT, 1, 0x12, "", FRAME_ANSWER, PROBE_SYN_ACK},
		{"refusal", WEB_PORT, 1, 0x14, "", FRAME_ANSWER, PROBE_RST},
		{"data before our hello", WEB_PORT, 1, 0x18, "HTTP", FRAME_REJECTED, PROBE_NONE},
		{"part of our hello", WEB_PORT, 18, 0x18, "HTTP", FRAME_REJECTED, PROBE_NONE},
		{"more than our hello", WEB_PORT, 20, 0x18, "HTTP", FRAME_REJECTED, PROBE_NONE},
		{"a hello not said", TARGET_PORT, 19, 0x18, "SSH", FRAME_REJECTED, PROBE_NONE},
		{"SYN with it", WEB_PORT, 19, 0x12, "HTTP", FRAME_REJECTED, PROBE_NONE},
		{"no ACK", WEB_PORT, 19, 0x08, "HTTP", FRAME_REJECTED, PROBE_NONE},
	};
	const uint8_t clock[12] = {1, 1, 8, 10};

	for (unsigned i = 0; i < sizeof(segment) / sizeof(segment[0]); i++) {
		const unsigned bytes = (unsigned)strlen(segment[i].data);

		for (unsigned options = 0; options <= 12; options += 12) {
			uint8_t frame[MAX_FRAME] = {0};
			const unsigned length = put_segment(frame, segment[i].port, segment[i].ack,
				segment[i].flags, clock, options, segment[i].data, bytes);
			struct frame_view view;

			/* Padding is no data. */
			cr_assert_eq(parse_banner(frame, length < 60 ? 60 : length, &view),
				segment[i].kind, "%s", segment[i].what);
			cr_assert_eq(view.kind, segment[i].probe, "%s", segment[i].what);
			/* Without banners there are no connections. */
			cr_assert_eq(parse(frame, length, &view),
				segment[i].ack == 1 && segment[i].flags & 0x06 ? FRAME_ANSWER
									       : FRAME_REJECTED,
				"%s", segment[i].what);
		}
	}
}

/* A banner lies in the frame, all of it and nothing else. */
Test(parse, banners) {
	static const char text[] = "HTTP/1.0 200 OK\r\nServer: \0\xff\r\n\r\n";
	const uint8_t clock[12] = {1, 1, 8, 10};

	for (unsigned bytes = 1; bytes < sizeof(text); bytes++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length
			= put_segment(frame, WEB_PORT, 19, 0x18, clock, 12, text, bytes);
		struct frame_view view;

		cr_assert_eq(parse_banner(frame, length + 6, &view), FRAME_ANSWER);
		cr_assert_eq(view.answer.kind, DP_ANSWER_BANNER);
		cr_assert_eq(view.answer.ip, TARGET_IP);
		cr_assert_eq(view.answer.port, WEB_PORT);
		cr_assert_eq(view.answer.state, DP_STATE_OPEN);
		cr_assert_eq(view.answer.ttl, TTL);
		cr_assert_eq(view.answer.banner, frame + IP_AT + 20 + 32);
		cr_assert_eq(view.answer.banner_bytes, bytes);
		cr_assert_arr_eq(view.answer.banner, text, bytes);
		/* What has no banner says so. */
		cr_assert_eq(parse_banner(frame, put_reply(frame, 0, 0x12), &view), FRAME_ANSWER);
		cr_assert_eq(view.answer.kind, DP_ANSWER_STATE);
		cr_assert_null(view.answer.banner);
		cr_assert_eq(view.answer.banner_bytes, 0);
	}
}

Test(parse, zero_windows) {
	for (unsigned window = 0; window < 2; window++) {
		uint8_t frame[MAX_FRAME] = {0};
		const unsigned length = put_reply(frame, 0, 0x12);
		struct frame_view view;

		put16(frame + IP_AT + 20 + 14, (uint16_t)window);
		fix(frame, length);
		cr_assert_eq(parse(frame, length, &view), FRAME_ANSWER);
		cr_assert_eq(view.zero_window, window == 0);
	}
}

/*
 * A hello completes the connection: it acknowledges the SYN-ACK, carries the payload of its port,
 * opens the window by so much whether or not it is scaled, and echoes the host's clock if there is one.
 */
Test(parse, hellos) {
	static const struct {
		const char *what;
		uint8_t bytes[20];
		unsigned n;
		bool clock, scale;
	} list[] = {
		{"no options", {0}, 0, false, false},
		{"MSS alone", {2, 4, 5, 0xb4}, 4, false, false},
		{"scale", {3, 3, 9, 1}, 4, false, true},
		{"clock", {8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 1}, 12, true, false},
		{"both", {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}, 20, true,
			true},
	};
	static const struct {
		uint16_t port, window, plain, scaled;
	} how[] = {
		{WEB_PORT, 512, 512, 4}, {TARGET_PORT, 512, 512, 4},
		{WEB_PORT, 1460, 1460, 12}, /* rounded up to 1,536 */
	};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]) * 3; i++) {
		const uint16_t port = how[i % 3].port;
		const struct probe_env env = make_banner_env(how[i % 3].window);
		const unsigned said = port == WEB_PORT ? HELLO_BYTES : 0;
		const uint64_t cookie = reference_cookie(key.bytes, TARGET_IP, port);
		const unsigned header = list[i / 3].clock ? 32 : 20, total = 20 + header + said;
		uint8_t syn_ack[MAX_FRAME], *out = cage_end();
		const unsigned length = put_segment(
			syn_ack, port, 1, 0x12, list[i / 3].bytes, list[i / 3].n, "", 0);
		const unsigned room = total + IP_AT > ETH_MIN_FRAME ? total + IP_AT : ETH_MIN_FRAME;
		struct frame_view view;
		unsigned n;

		cr_assert_not_null(out);
		out -= room;
		memset(out, 0xee, room);
		cr_assert_eq(parse_banner(syn_ack, length, &view), FRAME_ANSWER);
		n = frame_hello(out, &env, syn_ack, &view, 0x0a0b0c0d);
		cr_assert_eq(n, room, "%s", list[i / 3].what);
		check_headers(out, n, 6, TARGET_IP);
		cr_assert_eq(get16(out + 16), total);
		cr_assert_eq(get16(out + 34), reference_port(cookie, PORT_FIRST, PORT_SPAN));
		cr_assert_eq(get16(out + 36), port);
		cr_assert_eq(get32(out + 38), (uint32_t)cookie + 1);
		cr_assert_eq(get32(out + 42), ISN + 1u);
		cr_assert_eq(out[46], header * 4);
		cr_assert_eq(out[47], said ? 0x18 : 0x10);
		cr_assert_eq(get16(out + 48),
			list[i / 3].scale ? how[i % 3].scaled : how[i % 3].plain, "%s",
			list[i / 3].what);
		cr_assert_eq(get16(out + 52), 0);
		if (list[i / 3].clock) {
			static const uint8_t clock[12]
				= {1, 1, 8, 10, 0x0a, 0x0b, 0x0c, 0x0d, 1, 2, 3, 4};

			cr_assert_arr_eq(out + 54, clock, 12);
		}
		if (said)
			cr_assert_arr_eq(out + 34 + header, "GET / HTTP/1.0\r\n\r\n", said);
	}
}

/* The reset of a connection is at the number that the host expects next: after our hello. */
Test(parse, resets_of_connections) {
	const struct probe_env env = make_banner_env(512);
	const uint64_t cookie = reference_cookie(key.bytes, TARGET_IP, WEB_PORT);
	uint8_t data[MAX_FRAME] = {0}, out[ETH_MIN_FRAME];
	const unsigned length = put_segment(data, WEB_PORT, 19, 0x18, data, 0, "HTTP", 4);
	struct frame_view view;

	cr_assert_eq(parse_banner(data, length, &view), FRAME_ANSWER);
	cr_assert_eq(frame_reset(out, &env, data, &view), ETH_MIN_FRAME);
	check_headers(out, ETH_MIN_FRAME, 6, TARGET_IP);
	cr_assert_eq(get32(out + 38), (uint32_t)cookie + 19);
	cr_assert_eq(out[47], 0x04);
}

Test(parse, arp_frames) {
	static const uint8_t request[ETH_MIN_FRAME] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* to all */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* from us */
		0x08, 0x06, 0x00, 0x01, 0x08, 0x00, /* ARP; Ethernet, IPv4 */
		0x06, 0x04, 0x00, 0x01, /* address lengths; request */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* sender */
		0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* asked for */
		0xcb, 0x00, 0x71, 0x01, /* 203.0.113.1 */
	};
	static const uint8_t reply[ETH_MIN_FRAME] = {
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0b, /* to who asked */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* from us */
		0x08, 0x06, 0x00, 0x01, 0x08, 0x00, /* ARP; Ethernet, IPv4 */
		0x06, 0x04, 0x00, 0x02, /* address lengths; reply */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* we are */
		0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0b, /* target */
		0xcb, 0x00, 0x71, 0x01, /* 203.0.113.1 */
	};
	const struct probe_env env = make_env();
	uint8_t *out = cage_end();

	cr_assert_not_null(out);
	out -= ETH_MIN_FRAME;
	memset(out, 0xee, ETH_MIN_FRAME);
	cr_assert_eq(frame_arp_request(out, OUR_MAC, SOURCE_IP, MAC_BROADCAST, ROUTER_IP), 60);
	cr_assert_arr_eq(out, request, ETH_MIN_FRAME);
	memset(out, 0xee, ETH_MIN_FRAME);
	cr_assert_eq(frame_arp_reply(out, &env, THEIR_MAC, ROUTER_IP), 60);
	cr_assert_arr_eq(out, reply, ETH_MIN_FRAME);
}
