/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames written in reply: valid in both families and with tags, to whom and about what they should be,
 * and a whole conversation with a host that says more than one segment.
 */
#include "book.h"
#include "parse.h"
#include "wire_test.h"

#include <criterion/criterion.h>

enum {
	SOURCE_IP = 0xc000020a, /* 192.0.2.10 */
	TARGET_IP = 0xc6336407, /* 198.51.100.7 */
	PORT_FIRST = 40000,
	PORT_SPAN = 8192,
	TTL = 57,
	IP_AT = 14,
	MAX_FRAME = 1600,
	WEB_PORT = 80, /* its hello is 18 bytes long */
	QUIET_PORT = 22, /* nothing is said there */
	LONG_PORT = 443, /* as much is said as fits */
	HELLO_BYTES = 18,
	LONG_BYTES = DP_HELLO_MAX_BYTES,
	ISN = 0x31415926,
	VLAN = 5,
};

#define OUR_MAC UINT64_C(0x02000000000a)
#define THEIR_MAC UINT64_C(0x02000000000b)
#define SOURCE_V6 dp_ip_v6(UINT64_C(0x20010db800000000), 0x123456)
#define TARGET_V6 dp_ip_v6(UINT64_C(0x20010db800010000), 7)

static const struct dp_key key = {"sixteen bytes..."};

static const struct probe_type syn_type = {
	.step = {{{.module = &probe_syn}}, {{.module = &probe_syn}}},
	.nb_steps = {1, 1},
};

static const struct payload_book *book(void) {
	static const uint16_t web = WEB_PORT, quiet = QUIET_PORT, longest = LONG_PORT;
	static uint8_t words[LONG_BYTES];
	static const struct dp_hello hellos[] = {
		{"web", &web, 1, (const uint8_t *)"GET / HTTP/1.0\r\n\r\n", HELLO_BYTES},
		{"quiet", &quiet, 1, NULL, 0},
		{"long", &longest, 1, words, LONG_BYTES},
	};
	static struct payload_book *made;

	if (!made) {
		memset(words, 'w', sizeof(words));
		cr_assert_eq(book_create(NULL, 0, hellos, 3, &made), 0);
	}
	return made;
}

static struct scan make_scan(uint16_t vlan) {
	const struct dp_range v4 = {dp_ip_v4(SOURCE_IP), dp_ip_v4(SOURCE_IP)};
	const struct dp_range v6 = {SOURCE_V6, SOURCE_V6};
	struct scan scan = {
		.type = &syn_type,
		.vlan = vlan,
		.env = {.source_mac = OUR_MAC,
			.passes = 1,
			.banners = true,
			.banner_bytes = 4000,
			.book = book()},
	};

	cookie_init(&scan.env.cookie, &key, PORT_FIRST, PORT_FIRST + PORT_SPAN - 1);
	sources_init(&scan.env.sources[FAMILY_V4], &v4, 1);
	sources_init(&scan.env.sources[FAMILY_V6], &v6, 1);
	return scan;
}

static enum frame_kind parse(
	const struct scan *scan, const uint8_t *frame, unsigned length, struct frame_view *view) {
	static const struct frame_meta meta = {0};

	memset(view, 0xee, sizeof(*view));
	return frame_parse(scan, frame, length, &meta, view);
}

/* A whole frame from the target to us around @bytes of @protocol. Returns where those go. */
static unsigned put_headers(
	uint8_t *frame, const struct scan *scan, bool v4, uint8_t protocol, unsigned bytes) {
	const unsigned at = eth_put(frame, OUR_MAC, THEIR_MAC, scan->vlan, v4 ? 0x0800 : 0x86dd);

	if (v4) {
		ipv4_put(
			frame + at, (uint16_t)(20 + bytes), 1, TTL, protocol, TARGET_IP, SOURCE_IP);
		return at + 20;
	}
	ipv6_put(frame + at, (uint16_t)bytes, protocol, TTL, TARGET_V6, SOURCE_V6);
	return at + 40;
}

/* What a host says on a connection. */
struct says {
	uint16_t port;
	uint32_t seq, ack; /* ack beyond our SYN's number */
	uint8_t flags;
	uint16_t window;
	const uint8_t *options;
	unsigned options_bytes;
	const uint8_t *data;
	unsigned data_bytes;
};

static dp_ip target_of(bool v4) {
	return v4 ? dp_ip_v4(TARGET_IP) : TARGET_V6;
}

static unsigned put_segment(
	uint8_t *frame, const struct scan *scan, bool v4, const struct says *says) {
	const uint64_t cookie = reference_cookie_ip(key.bytes, target_of(v4), says->port);
	const unsigned header = 20 + says->options_bytes, bytes = header + says->data_bytes;
	const unsigned at = put_headers(frame, scan, v4, 6, bytes);
	uint8_t *tcp = frame + at;

	memset(tcp, 0, header);
	put16(tcp, says->port);
	put16(tcp + 2, reference_port(cookie, PORT_FIRST, PORT_SPAN));
	put32(tcp + 4, says->seq);
	put32(tcp + 8, (uint32_t)cookie + says->ack);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = says->flags;
	put16(tcp + 14, says->window);
	if (says->options_bytes)
		memcpy(tcp + 20, says->options, says->options_bytes);
	if (says->data_bytes)
		memcpy(tcp + header, says->data, says->data_bytes);
	reference_fix_l4(frame + at - (v4 ? 20 : 40), 16);
	return at + bytes;
}

/* Memory that ends with the room for a reply, dirty. */
static uint8_t *room_of(unsigned bytes) {
	static uint8_t *cage;

	if (!cage)
		cage = cage_end();
	cr_assert_not_null(cage);
	memset(cage - CAGE_BYTES, 0xee, CAGE_BYTES);
	return cage - bytes;
}

/* Every reply begins like this. Returns its transport. */
static const uint8_t *check_headers(
	const uint8_t *out, unsigned length, const struct scan *scan, bool v4, uint8_t protocol) {
	const unsigned at = scan->vlan ? 18 : 14;
	const uint8_t *ip = out + at;
	const unsigned end = at + (unsigned)(reference_l4_at(ip) + reference_l4_bytes(ip));

	cr_assert_eq(mac_get(out), THEIR_MAC);
	cr_assert_eq(mac_get(out + 6), OUR_MAC);
	if (scan->vlan) {
		cr_assert_eq(get16(out + 12), 0x8100);
		cr_assert_eq(get16(out + 14), scan->vlan);
	}
	cr_assert_eq(get16(ip - 2), v4 ? 0x0800 : 0x86dd);
	if (v4) {
		cr_assert_eq(ip[0], 0x45);
		cr_assert_eq(get16(ip + 6) & 0x3fff, 0, "no fragment");
		cr_assert_eq(ip[8], 64);
		cr_assert_eq(ip[9], protocol);
		cr_assert_eq(get32(ip + 12), SOURCE_IP);
		cr_assert_eq(get32(ip + 16), TARGET_IP);
	} else {
		cr_assert_eq(get32(ip), 0x60000000);
		cr_assert_eq(ip[6], protocol);
		cr_assert_eq(ip[7], 64);
		cr_assert(dp_ip_get_v6(ip + 8) == SOURCE_V6);
		cr_assert(dp_ip_get_v6(ip + 24) == TARGET_V6);
	}
	if (protocol != 132)
		cr_assert(reference_packet_good(ip));
	/* Padding is zero: nothing of an earlier frame gets out (CVE-2003-0001). */
	for (unsigned i = end; i < length; i++)
		cr_assert_eq(out[i], 0);
	cr_assert_eq(length, end < ETH_MIN_FRAME ? ETH_MIN_FRAME : end);
	return ip + reference_l4_at(ip);
}

/* Pings of all sizes, into as much room as the request takes. */
Test(reply, echo) {
	for (unsigned i = 0; i < 4 * 1400; i++) {
		const bool v4 = i & 1;
		const struct scan scan = make_scan(i & 2 ? VLAN : 0);
		const unsigned bytes = 8 + i / 4;
		uint8_t request[MAX_FRAME], *icmp, *out;
		const unsigned at = put_headers(request, &scan, v4, v4 ? 1 : 58, bytes);
		const unsigned room = at + bytes < ETH_MIN_FRAME ? ETH_MIN_FRAME : at + bytes;
		const uint8_t *reply;
		struct frame_view view;
		unsigned n;

		icmp = request + at;
		for (unsigned k = 0; k < bytes; k++)
			icmp[k] = (uint8_t)(k * 7 + 1);
		icmp[0] = v4 ? 8 : 128;
		icmp[1] = 0;
		reference_fix_l4(icmp - (v4 ? 20 : 40), 2);
		cr_assert_eq(parse(&scan, request, at + bytes, &view), FRAME_ECHO_REQUEST);
		out = room_of(room);
		n = frame_echo_reply(out, &scan, request, &view);
		cr_assert_eq(n, room);
		reply = check_headers(out, n, &scan, v4, v4 ? 1 : 58);
		cr_assert_eq(reply[0], v4 ? 0 : 129);
		cr_assert_eq(reply[1], 0);
		/* Identifier, sequence number and data come back as they were (RFC 792). */
		cr_assert_arr_eq(reply + 4, icmp + 4, bytes - 4);
	}
}

/* A reset of the connection that is, or would begin, at the number that the host expects next. */
Test(reply, resets) {
	static const struct says says[] = {
		{.port = WEB_PORT, .seq = ISN, .ack = 1, .flags = 0x12, .window = 1000},
		{.port = WEB_PORT, .seq = ISN + 1, .ack = 19, .flags = 0x11},
	};

	for (unsigned i = 0; i < 8; i++) {
		const bool v4 = i & 1;
		const struct scan scan = make_scan(i & 2 ? VLAN : 0);
		const struct says *said = &says[i / 4];
		const uint64_t cookie = reference_cookie_ip(key.bytes, target_of(v4), WEB_PORT);
		uint8_t frame[MAX_FRAME], *out = room_of(FRAME_REPLY_ROOM);
		const unsigned length = put_segment(frame, &scan, v4, said);
		const uint8_t *tcp;
		struct frame_view view;
		unsigned n;

		cr_assert_eq(parse(&scan, frame, length, &view),
			i / 4 ? FRAME_CONNECTION : FRAME_ANSWER);
		cr_assert_eq(view.verdict.kind, i / 4 ? PROBE_FIN : PROBE_OPENED);
		n = frame_reset(out, &scan, frame, &view);
		tcp = check_headers(out, n, &scan, v4, 6);
		cr_assert_eq(get16(tcp), reference_port(cookie, PORT_FIRST, PORT_SPAN));
		cr_assert_eq(get16(tcp + 2), WEB_PORT);
		/* RFC 9293 3.10.7.4 */
		cr_assert_eq(get32(tcp + 4), (uint32_t)cookie + said->ack);
		cr_assert_eq(get32(tcp + 8), 0);
		cr_assert_eq(tcp[12], 0x50);
		cr_assert_eq(tcp[13], 0x04, "RST alone");
	}
}

static struct verdict take_all(const struct probe_env *env, const struct packet *packet,
	uint32_t clock_us, struct dp_answer *answer) {
	return (struct verdict){PROBE_OPENED, DP_RESPONSE_INIT_ACK};
}

static const struct probe_module sctp = {.protocol = {132, 132}, .packet = take_all};

/* RFC 9260 3.3.7: an ABORT under the peer's own tag, which its INIT-ACK says. */
Test(reply, aborts) {
	static const struct probe_type sctp_type = {
		.step = {{{.module = &sctp}}, {{.module = &sctp}}},
		.nb_steps = {1, 1},
	};

	for (unsigned i = 0; i < 4; i++) {
		const bool v4 = i & 1;
		struct scan scan = make_scan(i & 2 ? VLAN : 0);
		uint8_t frame[MAX_FRAME], *out = room_of(FRAME_REPLY_ROOM), *packet;
		const unsigned at = put_headers(frame, &scan, v4, 132, 32);
		uint32_t crc = UINT32_MAX;
		const uint8_t *reply;
		struct frame_view view;
		unsigned n;

		scan.type = &sctp_type;
		packet = frame + at;
		memset(packet, 0, 32);
		put16(packet, 3868);
		put16(packet + 2, PORT_FIRST + 1);
		put32(packet + 4, 0x01020304); /* our tag */
		packet[12] = 2; /* INIT-ACK */
		put16(packet + 14, 20);
		put32(packet + 16, 0xa0b0c0d0);
		cr_assert_eq(parse(&scan, frame, at + 32, &view), FRAME_ANSWER);
		n = frame_reset(out, &scan, frame, &view);
		reply = check_headers(out, n, &scan, v4, 132);
		cr_assert_eq(get16(reply), PORT_FIRST + 1);
		cr_assert_eq(get16(reply + 2), 3868);
		cr_assert_eq(get32(reply + 4), 0xa0b0c0d0);
		cr_assert_eq(get32(reply + 12), 0x06000004, "ABORT, T bit clear, no causes");
		for (unsigned k = 0; k < 8 * 16; k++) {
			const uint8_t byte = k / 8 >= 8 && k / 8 < 12 ? 0 : reply[k / 8];
			const uint32_t bit = (crc ^ (uint32_t)byte >> k % 8) & 1;

			crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
		}
		cr_assert_eq(get32(reply + 8), __builtin_bswap32(~crc));
		/* Without a tag there is nothing to say. */
		view.packet.l4_bytes = 19;
		cr_assert_eq(frame_reset(out, &scan, frame, &view), 0);
	}
}

/* --- hellos ---------------------------------------------------------------------------------- */

static uint32_t t0_of(dp_ip ip, uint16_t port) {
	uint64_t z = reference_cookie_ip(key.bytes, ip, port) + 2 * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(z ^ (z >> 31));
}

/*
 * A hello completes the connection: it acknowledges the SYN-ACK, carries the payload of its port, opens
 * the window by a segment whether or not it is scaled, and has a clock if the host has one.
 */
Test(reply, hellos) {
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
		uint16_t port;
		uint32_t wanted;
		uint16_t plain, scaled;
		unsigned said;
	} how[] = {
		{WEB_PORT, 100, 512, 4, HELLO_BYTES},
		{QUIET_PORT, 700, 512, 4, 0},
		{WEB_PORT, 65535, 512, 4, HELLO_BYTES},
		{LONG_PORT, 1000, 512, 4, LONG_BYTES},
	};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]) * 4 * 4; i++) {
		const unsigned h = i / 4 % 4, k = i / 16;
		const bool v4 = i & 1;
		struct scan scan = make_scan(i & 2 ? VLAN : 0);
		const uint64_t cookie = reference_cookie_ip(key.bytes, target_of(v4), how[h].port);
		const struct says syn_ack = {.port = how[h].port,
			.seq = ISN,
			.ack = 1,
			.flags = 0x12,
			.window = 1000,
			.options = list[k].bytes,
			.options_bytes = list[k].n};
		uint8_t frame[MAX_FRAME], *out = room_of(FRAME_REPLY_ROOM);
		const unsigned length = put_segment(frame, &scan, v4, &syn_ack);
		const unsigned header = list[k].clock ? 32 : 20;
		struct frame_view view;
		const uint8_t *tcp;
		unsigned n;

		scan.env.banner_bytes = how[h].wanted;
		cr_assert_eq(parse(&scan, frame, length, &view), FRAME_ANSWER);
		n = frame_hello(out, &scan, frame, &view);
		cr_assert_leq(n, FRAME_REPLY_ROOM);
		tcp = check_headers(out, n, &scan, v4, 6);
		cr_assert_eq(reference_l4_bytes(tcp - (v4 ? 20 : 40)), header + how[h].said);
		cr_assert_eq(get16(tcp), reference_port(cookie, PORT_FIRST, PORT_SPAN));
		cr_assert_eq(get16(tcp + 2), how[h].port);
		cr_assert_eq(get32(tcp + 4), (uint32_t)cookie + 1);
		cr_assert_eq(get32(tcp + 8), ISN + 1u);
		cr_assert_eq(tcp[12], header * 4);
		cr_assert_eq(tcp[13], how[h].said ? 0x18 : 0x10);
		cr_assert_eq(get16(tcp + 14), list[k].scale ? how[h].scaled : how[h].plain, "%s",
			list[k].what);
		cr_assert_eq(get16(tcp + 18), 0);
		if (list[k].clock) {
			const uint32_t clock = t0_of(target_of(v4), how[h].port) + (ISN & 0xffff)
				+ (list[k].scale ? 1u << 16 : 0);

			cr_assert_eq(get32(tcp + 20), 0x0101080a);
			cr_assert_eq(get32(tcp + 24), clock);
			cr_assert_eq(get32(tcp + 28), 0x01020304);
		}
		if (how[h].port == WEB_PORT)
			cr_assert_arr_eq(tcp + header, "GET / HTTP/1.0\r\n\r\n", HELLO_BYTES);
	}
}

/* A hello that does not fit the host's segments is not said; one that just fits is. */
Test(reply, hellos_and_segment_sizes) {
	for (unsigned mss = 0; mss < 600; mss++) {
		const struct scan scan = make_scan(0);
		const uint8_t options[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};
		const struct says syn_ack = {.port = LONG_PORT,
			.seq = ISN,
			.ack = 1,
			.flags = 0x12,
			.window = 1000,
			.options = options,
			.options_bytes = 4};
		uint8_t frame[MAX_FRAME], *out = room_of(FRAME_REPLY_ROOM);
		const unsigned length = put_segment(frame, &scan, true, &syn_ack);
		struct frame_view view;

		cr_assert_eq(parse(&scan, frame, length, &view), FRAME_ANSWER);
		cr_assert_eq(frame_hello(out, &scan, frame, &view) != 0,
			mss == 0 || mss >= LONG_BYTES, "%u", mss);
	}
}

/* Who lets nobody send is no service: it gets a reset. */
Test(reply, zero_windows) {
	const struct scan scan = make_scan(0);
	const struct says syn_ack = {.port = WEB_PORT, .seq = ISN, .ack = 1, .flags = 0x12};
	uint8_t frame[MAX_FRAME], hello[FRAME_REPLY_ROOM], reset[FRAME_REPLY_ROOM];
	const unsigned length = put_segment(frame, &scan, true, &syn_ack);
	struct frame_view view;
	unsigned n;

	cr_assert_eq(parse(&scan, frame, length, &view), FRAME_ANSWER);
	cr_assert(view.answer.zero_window);
	n = frame_hello(hello, &scan, frame, &view);
	cr_assert_eq(n, frame_reset(reset, &scan, frame, &view));
	cr_assert_arr_eq(hello, reset, n);
}

/*
 * A host that says @total bytes, at most a segment at a time and no more than our window, with the
 * timestamps of RFC 7323: what we take is what it said, and each reply moves it on. Every segment comes
 * twice, as if the first had been lost on its way.
 */
static void converse(bool v4, uint16_t vlan, bool scaled, unsigned total, unsigned mss) {
	const struct scan scan = make_scan(vlan);
	const unsigned wanted = scan.env.banner_bytes;
	const uint32_t isn = UINT32_MAX - 700; /* it wraps on the way */
	static uint8_t text[65536], taken[65536];
	uint8_t options[20] = {1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 9, 1, 1, 1, 1};
	struct says says = {.port = WEB_PORT,
		.seq = isn,
		.ack = 1,
		.flags = 0x12,
		.window = 1000,
		.options = options,
		.options_bytes = scaled ? 20 : 12};
	uint8_t frame[MAX_FRAME], *out = room_of(FRAME_REPLY_ROOM);
	struct frame_view view;
	unsigned n, at = 0, window, turns = 0;
	const uint8_t *tcp;

	for (unsigned i = 0; i < total; i++)
		text[i] = (uint8_t)(i * 31 + i / 256);
	n = put_segment(frame, &scan, v4, &says);
	cr_assert_eq(parse(&scan, frame, n, &view), FRAME_ANSWER);
	n = frame_hello(out, &scan, frame, &view);
	says.ack = 1 + HELLO_BYTES;
	says.options_bytes = 12;
	for (;; turns++) {
		tcp = check_headers(out, n, &scan, v4, 6);
		cr_assert_eq(get32(tcp + 8), isn + 1 + at);
		cr_assert_eq(get32(tcp + 28), 0x01020304);
		window = get16(tcp + 14) << (scaled ? 7 : 0);
		cr_assert_eq(window, 512);
		memcpy(options + 8, tcp + 24, 4);
		says.seq = isn + 1 + at;
		says.data = text + at;
		says.data_bytes = total - at < mss ? total - at : mss;
		if (says.data_bytes > window)
			says.data_bytes = window;
		says.flags = at + says.data_bytes == total ? 0x18 : 0x10;
		if (says.data_bytes == 0) {
			/* It has been asked for a page, and that was all. */
			says.flags = 0x11;
			n = put_segment(frame, &scan, v4, &says);
			cr_assert_eq(parse(&scan, frame, n, &view), FRAME_ANSWER);
			cr_assert_eq(view.verdict.kind, PROBE_DATA_END);
			cr_assert_eq(view.answer.banner_at, total);
			cr_assert(view.answer.banner_last);
			break;
		}
		for (unsigned twice = 0; twice < 2; twice++) {
			n = put_segment(frame, &scan, v4, &says);
			cr_assert_eq(parse(&scan, frame, n, &view), FRAME_ANSWER);
			cr_assert_eq(view.answer.kind, DP_ANSWER_BANNER);
			cr_assert_eq(view.answer.banner_at, at);
			cr_assert_eq(view.answer.banner_bytes, says.data_bytes);
		}
		memcpy(taken + at, view.answer.banner, view.answer.banner_bytes);
		at += says.data_bytes;
		cr_assert_eq(view.answer.banner_last, view.verdict.kind == PROBE_DATA_END);
		if (view.verdict.kind == PROBE_DATA_END)
			break;
		cr_assert_eq(view.verdict.kind, PROBE_DATA);
		n = frame_acknowledge(out, &scan, frame, &view);
		tcp = out + (vlan ? 18 : 14) + (v4 ? 20 : 40);
		cr_assert_eq(tcp[12], 0x80);
		cr_assert_eq(tcp[13], 0x10);
		cr_assert_eq(get32(tcp + 4), get32(frame + (tcp - out) + 8));
	}
	cr_assert(at == total || at >= wanted, "%u of %u", at, total);
	cr_assert_arr_eq(taken, text, at);
	cr_assert_leq(turns, 10);
}

Test(reply, conversations) {
	for (unsigned i = 0; i < 8; i++) {
		const bool v4 = i & 1;
		const uint16_t vlan = i & 2 ? VLAN : 0;

		converse(v4, vlan, i & 4, 5, 1428);
		converse(v4, vlan, i & 4, 512, 1428);
		converse(v4, vlan, i & 4, 513, 1428);
		converse(v4, vlan, i & 4, 2900, 1428);
		converse(v4, vlan, i & 4, 3999, 500);
		converse(v4, vlan, i & 4, 4000, 512);
		converse(v4, vlan, i & 4, 60000, 1428);
	}
}

/* Without timestamps there is no knowing where more would go. */
Test(reply, no_clock_no_acknowledgement) {
	const struct scan scan = make_scan(0);
	const struct says data = {.port = WEB_PORT,
		.seq = ISN + 1,
		.ack = 1 + HELLO_BYTES,
		.flags = 0x10,
		.data = (const uint8_t *)"HTTP",
		.data_bytes = 4};
	uint8_t frame[MAX_FRAME], *out = room_of(FRAME_REPLY_ROOM);
	const unsigned length = put_segment(frame, &scan, true, &data);
	struct frame_view view;

	cr_assert_eq(parse(&scan, frame, length, &view), FRAME_ANSWER);
	cr_assert_eq(view.verdict.kind, PROBE_DATA_END);
	cr_assert_eq(frame_acknowledge(out, &scan, frame, &view), 0);
}

/* --- neighbours ------------------------------------------------------------------------------ */

Test(reply, arp_frames) {
	static const uint8_t request[ETH_MIN_FRAME] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* to all */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* from us */
		0x08, 0x06, 0x00, 0x01, 0x08, 0x00, /* ARP; Ethernet, IPv4 */
		0x06, 0x04, 0x00, 0x01, /* address lengths; request */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* sender */
		0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* asked for */
		0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
	};
	static const uint8_t reply[ETH_MIN_FRAME] = {
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0b, /* to who asked */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* from us */
		0x81, 0x00, 0x00, 0x05, /* VLAN 5 */
		0x08, 0x06, 0x00, 0x01, 0x08, 0x00, /* ARP; Ethernet, IPv4 */
		0x06, 0x04, 0x00, 0x02, /* address lengths; reply */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* we are */
		0xc0, 0x00, 0x02, 0x0a, /* 192.0.2.10 */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0b, /* target */
		0xc6, 0x33, 0x64, 0x07, /* 198.51.100.7 */
	};
	const struct scan scan = make_scan(VLAN);
	const struct frame_view view
		= {.our_ip = dp_ip_v4(SOURCE_IP), .neigh = {dp_ip_v4(TARGET_IP), THEIR_MAC}};
	uint8_t probe[ETH_MIN_FRAME], *out = room_of(ETH_MIN_FRAME);

	cr_assert_eq(frame_ask(out, 0, OUR_MAC, dp_ip_v4(SOURCE_IP), dp_ip_v4(TARGET_IP)), 60);
	cr_assert_arr_eq(out, request, ETH_MIN_FRAME);
	out = room_of(ETH_MIN_FRAME);
	cr_assert_eq(frame_tell(out, &scan, &view), 60);
	cr_assert_arr_eq(out, reply, ETH_MIN_FRAME);
	/* RFC 5227 2.1.1: nobody asks. */
	memcpy(probe, request, ETH_MIN_FRAME);
	memset(probe + 28, 0, 4);
	cr_assert_eq(frame_ask(out, 0, OUR_MAC, 0, dp_ip_v4(TARGET_IP)), 60);
	cr_assert_arr_eq(out, probe, ETH_MIN_FRAME);
}

Test(reply, solicitation) {
	/* clang-format off */
	static const uint8_t golden[86] = {
		0x33, 0x33, 0xff, 0x00, 0x00, 0x07, /* to the group of ::7 */
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0a,
		0x86, 0xdd,
		0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, /* 32 bytes of ICMPv6, hop limit 255 */
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x56,
		0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0x00, 0x00, 0x07,
		0x87, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* its checksum is compared apart */
		0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x07,
		0x01, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, /* our hardware address */
	};
	/* clang-format on */
	uint8_t *out = room_of(90);
	unsigned n = frame_ask(out, 0, OUR_MAC, SOURCE_V6, TARGET_V6);

	cr_assert_eq(n, 86);
	cr_assert(reference_packet_good(out + 14));
	put16(out + 56, 0);
	cr_assert_arr_eq(out, golden, 86);
	/* Tagged it is the same behind the tag. */
	n = frame_ask(out, VLAN, OUR_MAC, SOURCE_V6, TARGET_V6);
	cr_assert_eq(n, 90);
	cr_assert_eq(get32(out + 12), 0x81000005);
	put16(out + 60, 0);
	cr_assert_arr_eq(out + 16, golden + 12, 74);
	/* From no address there is no option (RFC 4861 4.3). */
	n = frame_ask(out, 0, OUR_MAC, 0, TARGET_V6);
	cr_assert_eq(n, 78);
	cr_assert(reference_packet_good(out + 14));
}

/* RFC 4861 7.2.4 */
Test(reply, advertisements) {
	for (unsigned i = 0; i < 4; i++) {
		const struct scan scan = make_scan(i & 1 ? VLAN : 0);
		const bool nameless = i & 2;
		const struct frame_view view = {
			.our_ip = SOURCE_V6,
			.neigh = {nameless ? 0 : TARGET_V6, THEIR_MAC},
		};
		const unsigned at = scan.vlan ? 18 : 14;
		uint8_t *out = room_of(at + 72), *ip = out + at, *nd = ip + 40;

		cr_assert_eq(frame_tell(out, &scan, &view), at + 72);
		cr_assert(reference_packet_good(ip));
		cr_assert_eq(mac_get(out), nameless ? UINT64_C(0x333300000001) : THEIR_MAC);
		cr_assert_eq(ip[7], 255);
		cr_assert(dp_ip_get_v6(ip + 8) == SOURCE_V6);
		cr_assert(dp_ip_get_v6(ip + 24)
			== (nameless ? dp_ip_v6(UINT64_C(0xff02000000000000), 1) : TARGET_V6));
		cr_assert_eq(nd[0], 136);
		cr_assert_eq(get32(nd + 4), nameless ? 0x20000000 : 0x60000000);
		cr_assert(dp_ip_get_v6(nd + 8) == SOURCE_V6);
		cr_assert_eq(get16(nd + 24), 0x0201);
		cr_assert_eq(mac_get(nd + 26), OUR_MAC);
	}
}
