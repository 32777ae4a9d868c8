/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network's hosts, frame against frame: they answer what RFC 9293, 792, 826, 4443,
 * 4861 and 9260 have hosts answer, in both families, tagged or not, and look at nothing that is
 * damaged.
 */
#include "crc32c.h"
#include "frame.h"
#include "frame_test.h"
#include "sim.h"
#include "sim_host.h"

#include <criterion/criterion.h>

#define OUR_MAC UINT64_C(0x02000000000a)

enum {
	HOPS = 64,
	OUR_PORT = 40000,
	SOME_SEQ = 0x12345678,
	SOME_ACK = 0x9abcdef0,
};

/* The four ways that a frame comes: two families, tagged and not. */
struct way {
	bool v6;
	uint16_t vlan;
};

static const struct way ways[] = {{false, 0}, {false, 7}, {true, 0}, {true, 4094}};

enum {
	WAYS = sizeof(ways) / sizeof(ways[0]),
};

struct lab {
	struct sim_hosts hosts;
	struct way way;
	struct payload_book *book;
};

static dp_ip ours(const struct lab *lab) {
	return lab->way.v6 ? dp_ip_v6(UINT64_C(0x20010db8000000ff), 1) : dp_ip_v4(0xc6130001);
}

static dp_ip network(const struct lab *lab) {
	return lab->way.v6 ? dp_ip_v6(UINT64_C(0x20010db800000000), 0) : dp_ip_v4(0xc6120000);
}

static struct lab open_lab(struct way way) {
	struct lab lab = {
		.hosts = {
			.params = {.alive = 0.7, .open = 0.5, .seed = 42, .banners = true},
			.scanner_mac = OUR_MAC,
			.vlan = way.vlan,
		},
		.way = way,
	};
	static const uint16_t ports[] = {5300, 5301, 5302};
	static const uint8_t bytes[] = "0123456789abcdef";
	static const struct dp_payload payloads[] = {
		{"front", &ports[0], 1, bytes, 16, DP_TOKEN_BINARY, 2, 0, 0, 0},
		{"moved", &ports[1], 1, bytes, 16, DP_TOKEN_BINARY, 8, 0, 5, 24},
		{"hex", &ports[2], 1, bytes, 16, DP_TOKEN_HEX, 4, 0, 3, DP_TOKEN_ANYWHERE},
	};

	cr_assert_eq(book_create(payloads, 3, NULL, 0, &lab.book), 0);
	lab.hosts.book = lab.book;
	return lab;
}

/* The first host of the network that has this state there. */
static dp_ip host_with(
	const struct lab *lab, enum dp_proto proto, uint16_t port, enum dp_sim_state state) {
	dp_ip ip = network(lab);

	while (dp_sim_port(&lab->hosts.params, proto, ip, port) != state)
		ip++;
	return ip;
}

/* --- frames there and back -------------------------------------------------------------------- */

static uint16_t l4_sum(dp_ip a, dp_ip b, uint8_t protocol, const uint8_t *l4, unsigned bytes) {
	return sum_fold(sum_pseudo_ip(a, b, protocol, bytes) + sum_bytes(l4, bytes));
}

/* Complete the checksum of @l4, whatever it is. */
static void put_sum(
	const struct lab *lab, dp_ip to, uint8_t protocol, uint8_t *l4, unsigned bytes) {
	const unsigned at = protocol == IPV4_TCP ? 16 : protocol == IPV4_UDP ? 6 : 2;

	if (protocol == IPV4_SCTP) {
		sctp_put_checksum(l4, bytes);
		return;
	}
	put16(l4 + at, 0);
	put16(l4 + at,
		(uint16_t) ~(protocol == IPV4_ICMP ? sum_fold(sum_bytes(l4, bytes))
						   : l4_sum(ours(lab), to, protocol, l4, bytes)));
}

/* A frame from the scanner; returns its length. */
static unsigned wrap(const struct lab *lab, uint64_t mac, dp_ip to, uint8_t protocol, uint8_t hops,
	const uint8_t *l4, unsigned bytes, uint8_t *frame) {
	const unsigned at = eth_put(
		frame, mac, OUR_MAC, lab->way.vlan, lab->way.v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	const unsigned header = lab->way.v6 ? IPV6_BYTES : IPV4_BYTES;

	if (lab->way.v6)
		ipv6_put(frame + at, (uint16_t)bytes, protocol, hops, ours(lab), to);
	else
		ipv4_put(frame + at, (uint16_t)(header + bytes), 99, hops, protocol,
			dp_ip_to_v4(ours(lab)), dp_ip_to_v4(to));
	memcpy(frame + at + header, l4, bytes);
	put_sum(lab, to, protocol, frame + at + header, bytes);
	return at + header + bytes;
}

/* What came back. */
struct got {
	enum sim_taken taken;
	unsigned bytes; /* of the frame; 0: no reply */
	dp_ip from, to;
	uint8_t protocol, hops;
	const uint8_t *l4;
	unsigned l4_bytes;
	uint8_t frame[SIM_FRAME_ROOM];
};

static void unwrap(const struct lab *lab, struct got *got) {
	const unsigned at = lab->way.vlan ? ETH_BYTES + VLAN_BYTES : ETH_BYTES;
	const uint8_t *ip = got->frame + at;

	cr_assert_eq(mac_get(got->frame), OUR_MAC);
	cr_assert_eq(get16(got->frame + at - 2), lab->way.v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	if (lab->way.vlan) {
		cr_assert_eq(get16(got->frame + 12), ETH_TYPE_VLAN);
		cr_assert_eq(get16(got->frame + 14), lab->way.vlan);
	}
	if (lab->way.v6) {
		got->from = dp_ip_get_v6(ip + 8);
		got->to = dp_ip_get_v6(ip + 24);
		got->protocol = ip[6];
		got->hops = ip[7];
		got->l4 = ip + IPV6_BYTES;
		got->l4_bytes = get16(ip + 4);
	} else {
		cr_assert_eq(reference_sum(0, ip, IPV4_BYTES), 0xffff);
		got->from = dp_ip_v4(get32(ip + 12));
		got->to = dp_ip_v4(get32(ip + 16));
		got->protocol = ip[9];
		got->hops = ip[8];
		got->l4 = ip + IPV4_BYTES;
		got->l4_bytes = get16(ip + 2) - IPV4_BYTES;
	}
	cr_assert_eq(got->l4 + got->l4_bytes, got->frame + got->bytes);
	if (got->protocol == IPV4_SCTP)
		cr_assert(sctp_checksum_good(got->l4, got->l4_bytes));
	else if (got->protocol == IPV4_ICMP)
		cr_assert_eq(reference_sum(0, got->l4, got->l4_bytes), 0xffff);
	else
		cr_assert_eq(
			l4_sum(got->from, got->to, got->protocol, got->l4, got->l4_bytes), 0xffff);
}

/* Hand a frame over, in memory of its own that ends where it does. */
static struct got hand(const struct lab *lab, const uint8_t *frame, unsigned length) {
	uint8_t *copy = malloc(length ? length : 1), whole[SIM_NOTE_MAX];
	struct got got = {.bytes = 0};
	struct sim_reply reply;
	const uint8_t *note;

	memcpy(copy, frame, length);
	got.taken = sim_take(&lab->hosts, copy, length, &reply, &note);
	if ((got.taken == SIM_REQUEST || got.taken == SIM_CONNECTION)
		&& reply.kind != SIM_NOTHING) {
		cr_assert_leq(reply.note_bytes, SIM_NOTE_MAX);
		if (reply.note_bytes)
			memcpy(whole, note, reply.note_bytes);
		got.bytes = sim_write(&lab->hosts, &reply, whole, got.frame);
		cr_assert_leq(got.bytes, SIM_FRAME_ROOM);
	}
	free(copy);
	return got;
}

static struct got send_l4(
	const struct lab *lab, dp_ip to, uint8_t protocol, const uint8_t *l4, unsigned bytes) {
	uint8_t frame[2048];
	struct got got = hand(lab, frame,
		wrap(lab, UINT64_C(0x020000000001), to, protocol, HOPS, l4, bytes, frame));

	if (got.bytes) {
		unwrap(lab, &got);
		cr_assert_eq(got.from, to);
		cr_assert_eq(got.to, ours(lab));
	}
	return got;
}

struct tcp {
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t window;
	const uint8_t *options;
	unsigned options_bytes;
	const void *data;
	unsigned data_bytes;
};

static struct got send_tcp(const struct lab *lab, dp_ip to, uint16_t port, struct tcp tcp) {
	uint8_t l4[1460] = {0};
	const unsigned header = TCP_BYTES + tcp.options_bytes;

	put16(l4, OUR_PORT);
	put16(l4 + 2, port);
	put32(l4 + 4, tcp.seq);
	put32(l4 + 8, tcp.ack);
	l4[12] = (uint8_t)(header / 4 << 4);
	l4[13] = tcp.flags;
	put16(l4 + 14, tcp.window);
	if (tcp.options_bytes)
		memcpy(l4 + TCP_BYTES, tcp.options, tcp.options_bytes);
	if (tcp.data_bytes)
		memcpy(l4 + header, tcp.data, tcp.data_bytes);
	return send_l4(lab, to, IPV4_TCP, l4, header + tcp.data_bytes);
}

static const uint8_t all_options[20]
	= {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};

/* --- TCP -------------------------------------------------------------------------------------- */

/* Every combination of flags, on an open, a closed and no port. */
Test(sim_host, tcp_flags) {
	for (unsigned w = 0; w < WAYS; w++) {
		struct lab lab = open_lab(ways[w]);

		for (int state = DP_SIM_SILENT; state <= DP_SIM_OPEN; state++) {
			const dp_ip host = host_with(&lab, DP_PROTO_TCP, 22, state);

			for (unsigned flags = 0; flags < 64; flags++) {
				const struct got got = send_tcp(&lab, host, 22,
					(struct tcp){.flags = (uint8_t)flags,
						.seq = SOME_SEQ,
						.ack = SOME_ACK,
						.data = "xy",
						.data_bytes = 2});
				const unsigned length
					= 2 + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);

				if (flags & TCP_RST) {
					cr_assert_eq(got.taken, SIM_FAREWELL);
					continue;
				}
				cr_assert_eq(got.taken, SIM_REQUEST);
				if (state == DP_SIM_SILENT
					|| (state == DP_SIM_OPEN
						&& ((flags & (TCP_SYN | TCP_ACK)) == 0
							|| (flags & (TCP_SYN | TCP_ACK | TCP_FIN))
								== (TCP_ACK | TCP_FIN)))) {
					cr_assert_eq(got.bytes, 0, "%d %x", state, flags);
					continue;
				}
				cr_assert_eq(got.protocol, IPV4_TCP);
				cr_assert_eq(get16(got.l4), 22);
				cr_assert_eq(get16(got.l4 + 2), OUR_PORT);
				if (flags & TCP_ACK) {
					cr_assert_eq(got.l4[13], TCP_RST);
					cr_assert_eq(get32(got.l4 + 4), SOME_ACK);
					cr_assert_eq(get16(got.l4 + 14) != 0, state == DP_SIM_OPEN);
				} else if (state == DP_SIM_CLOSED) {
					cr_assert_eq(got.l4[13], TCP_RST | TCP_ACK);
					cr_assert_eq(get32(got.l4 + 4), 0);
					cr_assert_eq(get32(got.l4 + 8), SOME_SEQ + length);
					cr_assert_eq(get16(got.l4 + 14), 0);
				} else {
					cr_assert_eq(got.l4[13], TCP_SYN | TCP_ACK);
					cr_assert_eq(get32(got.l4 + 8), SOME_SEQ + 1);
				}
			}
		}
		book_destroy(lab.book);
	}
}

/* A SYN-ACK has the options that were offered, and echoes the clock. */
Test(sim_host, syn_ack_options) {
	static const struct {
		uint8_t bytes[20];
		unsigned n;
		bool clock, scale;
	} offer[] = {
		{{0}, 0, false, false},
		{{2, 4, 5, 0xb4}, 4, false, false},
		{{1, 3, 3, 7}, 4, false, true},
		{{1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0}, 12, true, false},
		{{2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}, 20, true, true},
	};

	for (unsigned i = 0; i < 5 * WAYS; i++) {
		struct lab lab = open_lab(ways[i % WAYS]);
		const dp_ip host = host_with(&lab, DP_PROTO_TCP, 22, DP_SIM_OPEN);
		const struct got got = send_tcp(&lab, host, 22,
			(struct tcp){.flags = TCP_SYN,
				.seq = SOME_SEQ,
				.options = offer[i / WAYS].bytes,
				.options_bytes = offer[i / WAYS].n});
		const unsigned header = (got.l4[12] >> 4) * 4u;
		const struct tcp_options options
			= tcp_options_of(got.l4 + TCP_BYTES, header - TCP_BYTES);

		cr_assert_eq(header, got.l4_bytes);
		cr_assert_eq(options.mss, 1460);
		cr_assert_eq(options.has_clock, offer[i / WAYS].clock);
		cr_assert_eq(options.has_scale, offer[i / WAYS].scale);
		cr_assert_eq(options.echo, options.has_clock ? 0x01020304 : 0);
		cr_assert_neq(get16(got.l4 + 14), 0);
		book_destroy(lab.book);
	}
}

/* A client with a small window, as a scanner is one. */
struct client {
	struct lab *lab;
	dp_ip host;
	uint16_t port;
	bool options;
	uint16_t window; /* in bytes */
	uint32_t seq, ack; /* next */
	uint32_t clock; /* the host's */
};

static struct got send_ack(const struct client *c, const void *said, unsigned bytes) {
	uint8_t clock[12] = {1, 1, 8, 10, 1, 2, 3, 4};

	put32(clock + 8, c->clock);
	return send_tcp(c->lab, c->host, c->port,
		(struct tcp){.flags = TCP_ACK,
			.seq = c->seq,
			.ack = c->ack,
			.window = (uint16_t)(c->options ? c->window >> 7 : c->window),
			.options = clock,
			.options_bytes = c->options ? sizeof(clock) : 0,
			.data = said,
			.data_bytes = bytes});
}

static void connect_to(struct client *c) {
	const struct got got = send_tcp(c->lab, c->host, c->port,
		(struct tcp){.flags = TCP_SYN,
			.seq = SOME_SEQ,
			.window = 1024,
			.options = all_options,
			.options_bytes = c->options ? sizeof(all_options) : 0});

	cr_assert_eq(got.l4[13], TCP_SYN | TCP_ACK);
	c->seq = SOME_SEQ + 1;
	c->ack = get32(got.l4 + 4) + 1;
	c->clock = tcp_options_of(got.l4 + TCP_BYTES, got.l4_bytes - TCP_BYTES).clock;
}

/* Say @said and take all that comes; returns its length. */
static unsigned listen_to(struct client *c, const char *said, uint8_t *heard, bool *fin) {
	struct got got = send_ack(c, said, (unsigned)strlen(said));
	unsigned n = 0;

	*fin = false;
	c->seq += (uint32_t)strlen(said);
	while (got.bytes) {
		const unsigned header = (got.l4[12] >> 4) * 4u, bytes = got.l4_bytes - header;

		cr_assert_eq(got.taken, SIM_CONNECTION);
		cr_assert_eq(get32(got.l4 + 4), c->ack);
		cr_assert_eq(get32(got.l4 + 8), c->seq);
		cr_assert(bytes <= c->window && bytes <= SIM_SEGMENT, "%u", bytes);
		cr_assert_not(*fin);
		cr_assert_leq(n + bytes, DP_SIM_BANNER_BYTES);
		memcpy(heard + n, got.l4 + header, bytes);
		n += bytes;
		*fin = got.l4[13] & TCP_FIN;
		cr_assert(bytes || *fin);
		c->ack += bytes + *fin;
		got = send_ack(c, NULL, 0);
	}
	cr_assert_eq(got.taken, SIM_CONNECTION);
	return n;
}

/* A banner comes whole, segment by segment, whatever the window and the client's options. */
Test(sim_host, banners) {
	static const struct {
		uint16_t port;
		const char *said;
		bool closes;
	} service[] = {{22, "", false}, {80, "GET / HTTP/1.0\r\n\r\n", true},
		{443, "\x16\x03\x01 hello", true}, {3306, "", false}};
	static const uint16_t windows[] = {128, 256, 1024, 4096};
	unsigned longest = 0;

	for (unsigned i = 0; i < 4 * WAYS * 4 * 2; i++) {
		struct lab lab = open_lab(ways[i % WAYS]);
		const unsigned s = i / WAYS % 4;
		dp_ip host = network(&lab);

		for (unsigned k = 0; k < 24; k++, host++) {
			struct client c = {&lab, host, service[s].port, i / WAYS / 16,
				windows[i / WAYS / 4 % 4], 0, 0, 0};
			uint8_t want[DP_SIM_BANNER_BYTES], heard[DP_SIM_BANNER_BYTES];
			unsigned n, got;
			bool fin;

			if (dp_sim_port(&lab.hosts.params, DP_PROTO_TCP, host, c.port)
				!= DP_SIM_OPEN)
				continue;
			n = dp_sim_banner(&lab.hosts.params, host, c.port,
				(const uint8_t *)service[s].said, (unsigned)strlen(service[s].said),
				want);
			cr_assert_gt(n, 0);
			connect_to(&c);
			/* Without a clock the host knows its place by whole segments alone. */
			if (!c.options && c.window < SIM_SEGMENT)
				c.window = SIM_SEGMENT;
			got = listen_to(&c, service[s].said, heard, &fin);
			cr_assert_eq(got, n);
			cr_assert_arr_eq(heard, want, n);
			cr_assert_eq(fin, service[s].closes);
			longest = n > longest ? n : longest;
		}
		book_destroy(lab.book);
	}
	cr_assert_gt(longest, 2 * SIM_SEGMENT);
}

/* Silence where nobody was asked, no window is open, or banners are off. */
Test(sim_host, quiet_connections) {
	for (unsigned w = 0; w < WAYS; w++) {
		struct lab lab = open_lab(ways[w]);
		struct client c = {&lab, host_with(&lab, DP_PROTO_TCP, 80, DP_SIM_OPEN), 80, true,
			1024, 0, 0, 0};
		struct got got;

		connect_to(&c);
		got = send_ack(&c, "PUT ", 4);
		cr_assert(got.taken == SIM_CONNECTION && got.bytes == 0);
		c.window = 0;
		got = send_ack(&c, "GET ", 4);
		cr_assert(got.taken == SIM_CONNECTION && got.bytes == 0);
		c.window = 1024;
		lab.hosts.params.banners = false;
		got = send_ack(&c, "GET ", 4);
		cr_assert(got.taken == SIM_CONNECTION && got.bytes == 0);
		lab.hosts.params.banners = true;
		got = send_ack(&c, "GET ", 4);
		cr_assert(got.taken == SIM_CONNECTION && got.bytes > 0);
		/* One off in any number is no connection: a reset. */
		c.ack++;
		cr_assert_neq(send_ack(&c, "GET ", 4).taken, SIM_BAD);
		c.ack += 5000;
		cr_assert_eq(send_ack(&c, "GET ", 4).l4[13], TCP_RST);
		c.ack -= 5001;
		c.seq++;
		cr_assert_eq(send_ack(&c, "GET ", 4).l4[13], TCP_RST);
		c.seq--;
		c.clock++;
		cr_assert_eq(send_ack(&c, "GET ", 4).l4[13], TCP_RST);
		book_destroy(lab.book);
	}
}

/* Probes of an ACK scan fall into no connection, as the truth of such a scan has resets only. */
Test(sim_host, ack_probes) {
	struct lab lab = open_lab(ways[0]);
	uint64_t random = 1;
	unsigned wrong = 0;

	for (unsigned i = 0; i < 1 << 18; i++) {
		const uint64_t r = next_random(&random);
		const struct tcp probe
			= {.flags = TCP_ACK, .seq = (uint32_t)r, .ack = (uint32_t)(r >> 32)};

		wrong += send_tcp(&lab, network(&lab) + (i & ~7u), (uint16_t)(80 + i % 2), probe)
				 .taken
			!= SIM_REQUEST;
	}
	cr_assert_leq(wrong, 2, "%u", wrong);
	book_destroy(lab.book);
}

/* --- the others ------------------------------------------------------------------------------- */

static struct got send_udp(
	const struct lab *lab, dp_ip to, uint16_t port, const void *data, unsigned bytes) {
	uint8_t l4[1500];

	put16(l4, OUR_PORT);
	put16(l4 + 2, port);
	put16(l4 + 4, (uint16_t)(UDP_BYTES + bytes));
	if (bytes)
		memcpy(l4 + UDP_BYTES, data, bytes);
	return send_l4(lab, to, IPV4_UDP, l4, UDP_BYTES + bytes);
}

/* A service that understands a request repeats its token where a genuine one does. */
Test(sim_host, udp_tokens) {
	static const struct {
		uint16_t port;
		const char *said;
		unsigned at, bytes; /* of the token */
		int reply_at;
	} list[] = {
		{5300, "XY23456789abcdef", 0, 2, 0}, {5301, "01234ABCDEFGHdef", 5, 8, 24},
		{5302, "012beefcafebcdef", 3, 8, DP_TOKEN_ANYWHERE},
		{5300, "XY23456789abcdeX", 0, 0, 0}, /* another request */
		{5303, "XY23456789abcdef", 0, 0, 0}, /* another port */
	};

	for (unsigned i = 0; i < 5 * WAYS; i++) {
		struct lab lab = open_lab(ways[i % WAYS]);
		const unsigned k = i / WAYS;
		const dp_ip host = host_with(&lab, DP_PROTO_UDP, list[k].port, DP_SIM_OPEN);
		const struct got got = send_udp(&lab, host, list[k].port, list[k].said, 16);
		const uint8_t *data = got.l4 + UDP_BYTES, *token = (const uint8_t *)list[k].said;

		cr_assert_eq(got.protocol, IPV4_UDP);
		cr_assert_eq(get16(got.l4), list[k].port);
		cr_assert_eq(get16(got.l4 + 2), OUR_PORT);
		cr_assert_eq(get16(got.l4 + 4), got.l4_bytes);
		cr_assert_gt(got.l4_bytes, UDP_BYTES);
		if (list[k].bytes == 0)
			cr_assert_neq(memcmp(data, token, 2), 0);
		else if (list[k].reply_at == DP_TOKEN_ANYWHERE)
			cr_assert_not_null(memmem(
				data, got.l4_bytes - UDP_BYTES, token + list[k].at, list[k].bytes));
		else
			cr_assert_arr_eq(
				data + list[k].reply_at, token + list[k].at, list[k].bytes);
		/* An empty datagram is a request, too. */
		cr_assert_gt(send_udp(&lab, host, list[k].port, NULL, 0).bytes, 0);
		book_destroy(lab.book);
	}
}

/* A closed port quotes the packet, as much of it as fits. */
Test(sim_host, udp_unreachable) {
	static const unsigned sizes[] = {0, 40, 1232};
	static const uint8_t data[1232] = {1, 2, 3};

	for (unsigned i = 0; i < 3 * WAYS; i++) {
		struct lab lab = open_lab(ways[i % WAYS]);
		const bool v6 = lab.way.v6;
		const dp_ip host = host_with(&lab, DP_PROTO_UDP, 9, DP_SIM_CLOSED);
		const unsigned size = sizes[i / WAYS], packet = (v6 ? 48 : 28) + size;
		const struct got got = send_udp(&lab, host, 9, data, size);
		const uint8_t *quoted = got.l4 + ICMP_BYTES;

		cr_assert_eq(got.protocol, v6 ? IPV4_ICMPV6 : IPV4_ICMP);
		cr_assert_eq(got.l4[0], v6 ? 1 : 3);
		cr_assert_eq(got.l4[1], v6 ? 4 : 3);
		cr_assert_eq(get32(got.l4 + 4), 0);
		if (v6)
			cr_assert_eq(got.l4_bytes + IPV6_BYTES, packet < 1232 ? packet + 48 : 1280);
		else
			cr_assert_eq(got.l4_bytes + IPV4_BYTES, packet < 548 ? packet + 28 : 576);
		cr_assert_eq(v6 ? dp_ip_get_v6(quoted + 24) : dp_ip_v4(get32(quoted + 16)), host);
		cr_assert_eq(get16(quoted + (v6 ? 42 : 22)), 9);
		book_destroy(lab.book);
	}
}

static struct got send_init(const struct lab *lab, dp_ip to, uint8_t chunk, uint32_t vtag) {
	uint8_t l4[32] = {0};

	put16(l4, OUR_PORT);
	put16(l4 + 2, 2905);
	put32(l4 + 4, vtag);
	l4[12] = chunk;
	put16(l4 + 14, chunk == 6 ? 4 : 20);
	put32(l4 + 16, 0xfeedbeef); /* tag */
	put32(l4 + 20, 32768);
	put16(l4 + 24, 10);
	put16(l4 + 26, 10);
	return send_l4(lab, to, IPV4_SCTP, l4, chunk == 6 ? 16 : 32);
}

Test(sim_host, sctp) {
	for (unsigned w = 0; w < WAYS; w++) {
		struct lab lab = open_lab(ways[w]);
		const dp_ip open = host_with(&lab, DP_PROTO_SCTP, 2905, DP_SIM_OPEN);
		const dp_ip closed = host_with(&lab, DP_PROTO_SCTP, 2905, DP_SIM_CLOSED);
		const dp_ip nobody = host_with(&lab, DP_PROTO_SCTP, 2905, DP_SIM_SILENT);
		struct got got = send_init(&lab, open, 1, 0);
		uint32_t tag;

		cr_assert_eq(got.l4[12], 2);
		cr_assert_eq(get32(got.l4 + 4), 0xfeedbeef);
		cr_assert_eq(get16(got.l4), 2905);
		cr_assert_eq(get16(got.l4 + 14), got.l4_bytes - 12);
		cr_assert_eq(get16(got.l4 + 32), 7); /* a state cookie */
		tag = get32(got.l4 + 16);
		cr_assert_neq(tag, 0);
		cr_assert_eq(send_init(&lab, open, 6, tag).taken, SIM_FAREWELL);
		cr_assert_eq(send_init(&lab, open, 6, tag ^ 2).taken, SIM_BAD);
		cr_assert_eq(send_init(&lab, open, 1, 1).taken, SIM_BAD);
		cr_assert_eq(send_init(&lab, open, 10, 0).taken, SIM_BAD);

		got = send_init(&lab, closed, 1, 0);
		cr_assert_eq(got.l4[12], 6);
		cr_assert_eq(got.l4[13], 0);
		cr_assert_eq(got.l4_bytes, 16);
		cr_assert_eq(get32(got.l4 + 4), 0xfeedbeef);
		got = send_init(&lab, nobody, 1, 0);
		cr_assert(got.taken == SIM_REQUEST && got.bytes == 0);
		book_destroy(lab.book);
	}
}

Test(sim_host, pings) {
	for (unsigned w = 0; w < WAYS; w++) {
		struct lab lab = open_lab(ways[w]);
		const bool v6 = lab.way.v6;
		const uint8_t protocol = v6 ? IPV4_ICMPV6 : IPV4_ICMP;
		const dp_ip up = host_with(&lab, DP_PROTO_ICMP, 0, DP_SIM_OPEN);
		const dp_ip down = host_with(&lab, DP_PROTO_ICMP, 0, DP_SIM_SILENT);
		uint8_t l4[40] = {v6 ? 128 : 8, 0, 0, 0, 1, 2, 3, 4, 'p', 'i', 'n', 'g'};
		struct got got = send_l4(&lab, up, protocol, l4, sizeof(l4));

		cr_assert_eq(got.l4_bytes, sizeof(l4));
		cr_assert_eq(got.l4[0], v6 ? 129 : 0);
		cr_assert_arr_eq(got.l4 + 4, l4 + 4, sizeof(l4) - 4);
		got = send_l4(&lab, down, protocol, l4, sizeof(l4));
		cr_assert(got.taken == SIM_REQUEST && got.bytes == 0);

		l4[0] = 13;
		got = send_l4(&lab, up, protocol, l4, 20);
		if (v6) {
			cr_assert_eq(got.taken, SIM_BAD);
		} else {
			cr_assert_eq(got.l4[0], 14);
			cr_assert_eq(got.l4_bytes, 20);
			cr_assert_arr_eq(got.l4 + 4, l4 + 4, 8);
			cr_assert_lt(get32(got.l4 + 12), 86400000);
		}
		book_destroy(lab.book);
	}
}

Test(sim_host, arp) {
	for (unsigned w = 0; w < 2; w++) {
		struct lab lab = open_lab(ways[w]);
		const dp_ip up = host_with(&lab, DP_PROTO_ARP, 0, DP_SIM_OPEN);
		const dp_ip down = host_with(&lab, DP_PROTO_ARP, 0, DP_SIM_SILENT);
		uint8_t frame[60] = {0};
		const unsigned at
			= eth_put(frame, MAC_BROADCAST, OUR_MAC, lab.way.vlan, ETH_TYPE_ARP);
		const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0, 1};
		uint8_t *arp = frame + at;
		const uint8_t *tell;
		struct got got;

		memcpy(arp, head, sizeof(head));
		mac_put(arp + 8, OUR_MAC);
		put32(arp + 14, dp_ip_to_v4(ours(&lab)));
		put32(arp + 24, dp_ip_to_v4(up));
		got = hand(&lab, frame, sizeof(frame));
		tell = got.frame + at;
		cr_assert_eq(got.bytes, at + ARP_BYTES);
		cr_assert_eq(mac_get(got.frame), OUR_MAC);
		cr_assert_eq(tell[7], 2);
		cr_assert_eq(mac_get(tell + 8), mac_get(got.frame + 6));
		cr_assert_eq(get32(tell + 14), dp_ip_to_v4(up));
		cr_assert_eq(mac_get(tell + 18), OUR_MAC);
		cr_assert_eq(get32(tell + 24), dp_ip_to_v4(ours(&lab)));

		put32(arp + 24, dp_ip_to_v4(down));
		got = hand(&lab, frame, sizeof(frame));
		cr_assert(got.taken == SIM_REQUEST && got.bytes == 0);
		put32(arp + 24, dp_ip_to_v4(up));
		arp[8] ^= 4; /* not who sent the frame */
		cr_assert_eq(hand(&lab, frame, sizeof(frame)).taken, SIM_BAD);
		arp[8] ^= 4;
		arp[7] = 2;
		cr_assert_eq(hand(&lab, frame, sizeof(frame)).taken, SIM_BAD);
		book_destroy(lab.book);
	}
}

Test(sim_host, solicitations) {
	for (unsigned w = 2; w < WAYS; w++) {
		struct lab lab = open_lab(ways[w]);
		const dp_ip up = host_with(&lab, DP_PROTO_NDP, 0, DP_SIM_OPEN);
		const dp_ip down = host_with(&lab, DP_PROTO_NDP, 0, DP_SIM_SILENT);
		uint8_t nd[32] = {135}, frame[128];
		struct got got;
		unsigned n;

		dp_ip_put_v6(nd + 8, up);
		nd[24] = 1;
		nd[25] = 1;
		mac_put(nd + 26, OUR_MAC);
		n = wrap(&lab, solicited_mac(up), solicited_node(up), 58, 255, nd, 32, frame);
		got = hand(&lab, frame, n);
		unwrap(&lab, &got);
		cr_assert_eq(got.from, up);
		cr_assert_eq(got.to, ours(&lab));
		cr_assert_eq(got.hops, 255);
		cr_assert_eq(got.l4_bytes, 32);
		cr_assert_eq(got.l4[0], 136);
		cr_assert_eq(got.l4[4], 0x60); /* solicited, override */
		cr_assert_eq(dp_ip_get_v6(got.l4 + 8), up);
		cr_assert_eq(got.l4[24], 2);
		cr_assert_eq(got.l4[25], 1);
		cr_assert_eq(mac_get(got.l4 + 26), mac_get(got.frame + 6));

		/* To the host itself the option may be left out, to the group not (RFC 4861 4.3). */
		n = wrap(&lab, mac_get(got.l4 + 26), up, 58, 255, nd, 24, frame);
		cr_assert_gt(hand(&lab, frame, n).bytes, 0);
		n = wrap(&lab, solicited_mac(up), solicited_node(up), 58, 255, nd, 24, frame);
		cr_assert_eq(hand(&lab, frame, n).taken, SIM_BAD);
		n = wrap(&lab, solicited_mac(up), solicited_node(up), 58, 254, nd, 32, frame);
		cr_assert_eq(hand(&lab, frame, n).taken, SIM_BAD);
		n = wrap(&lab, solicited_mac(up), solicited_node(up + 1), 58, 255, nd, 32, frame);
		cr_assert_eq(hand(&lab, frame, n).taken, SIM_BAD);

		dp_ip_put_v6(nd + 8, down);
		n = wrap(&lab, solicited_mac(down), solicited_node(down), 58, 255, nd, 32, frame);
		got = hand(&lab, frame, n);
		cr_assert(got.taken == SIM_REQUEST && got.bytes == 0);
		book_destroy(lab.book);
	}
}

/* --- what is damaged -------------------------------------------------------------------------- */

/* A frame of each kind that a host of the lab answers; returns its length. */
static unsigned sample(const struct lab *lab, unsigned kind, uint8_t *frame) {
	uint8_t l4[40] = {0};
	const uint64_t mac = UINT64_C(0x020000000001);

	put16(l4, OUR_PORT);
	put16(l4 + 2, 22);
	switch (kind) {
	case 0:
		l4[12] = 0xa0;
		l4[13] = TCP_SYN;
		memcpy(l4 + 20, all_options, sizeof(all_options));
		return wrap(lab, mac, host_with(lab, DP_PROTO_TCP, 22, DP_SIM_OPEN), IPV4_TCP, HOPS,
			l4, 40, frame);
	case 1:
		put16(l4 + 4, 20);
		return wrap(lab, mac, host_with(lab, DP_PROTO_UDP, 22, DP_SIM_CLOSED), IPV4_UDP,
			HOPS, l4, 20, frame);
	case 2:
		put32(l4 + 12, 1 << 24 | 20);
		put32(l4 + 16, 1);
		put32(l4 + 20, 32768);
		put32(l4 + 24, 10 << 16 | 10);
		return wrap(lab, mac, host_with(lab, DP_PROTO_SCTP, 22, DP_SIM_OPEN), IPV4_SCTP,
			HOPS, l4, 32, frame);
	default:
		memset(l4, 0, 4);
		l4[0] = lab->way.v6 ? 128 : 8;
		return wrap(lab, mac, host_with(lab, DP_PROTO_ICMP, 0, DP_SIM_OPEN),
			lab->way.v6 ? IPV4_ICMPV6 : IPV4_ICMP, HOPS, l4, 16, frame);
	}
}

/* No bit of a packet can be turned, and none of its end cut off, so that it is answered. */
Test(sim_host, damage) {
	for (unsigned i = 0; i < 4 * WAYS; i++) {
		struct lab lab = open_lab(ways[i / 4]);
		const unsigned at = lab.way.vlan ? ETH_BYTES + VLAN_BYTES : ETH_BYTES;
		uint8_t frame[128];
		const unsigned n = sample(&lab, i % 4, frame);

		cr_assert_gt(hand(&lab, frame, n).bytes, 0);
		for (unsigned cut = 0; cut < n; cut++)
			cr_assert_eq(hand(&lab, frame, cut).taken, SIM_BAD);
		for (unsigned bit = 8 * at; bit < 8 * n; bit++) {
			/*
			 * Traffic class, flow label and hop limit of IPv6 are under no checksum,
			 * and SCTP's leaves out the addresses.
			 */
			const bool free_bits = lab.way.v6
				&& ((bit >= 8 * at + 4 && bit < 8 * at + 32) || bit / 8 == at + 7
					|| (i % 4 == 2 && bit / 8 >= at + 8
						&& bit / 8 < at + IPV6_BYTES));

			frame[bit / 8] ^= (uint8_t)(128 >> bit % 8);
			if (!free_bits)
				cr_assert_eq(hand(&lab, frame, n).taken, SIM_BAD, "%u %u", i, bit);
			frame[bit / 8] ^= (uint8_t)(128 >> bit % 8);
		}
		/* Another network's. */
		lab.hosts.vlan ^= 1;
		cr_assert_eq(hand(&lab, frame, n).taken, SIM_BAD);
		book_destroy(lab.book);
	}
}

/* A wrong checksum is told from what is no packet for a host. */
Test(sim_host, damage_has_a_name) {
	for (unsigned i = 0; i < 4 * WAYS; i++) {
		struct lab lab = open_lab(ways[i / 4]);
		uint8_t frame[128];
		const unsigned n = sample(&lab, i % 4, frame);

		cr_assert_not(sim_is_damaged(&lab.hosts, frame, n));
		cr_assert_not(sim_is_damaged(&lab.hosts, frame, n - 1));
		frame[n - 1] ^= 1;
		cr_assert(sim_is_damaged(&lab.hosts, frame, n));
		frame[n - 1] ^= 1;
		if (!lab.way.v6) { /* its checksum */
			frame[ETH_BYTES + (lab.way.vlan ? VLAN_BYTES : 0) + 10] ^= 1;
			cr_assert(sim_is_damaged(&lab.hosts, frame, n));
		}
		lab.hosts.vlan ^= 1;
		cr_assert_not(sim_is_damaged(&lab.hosts, frame, n));
		book_destroy(lab.book);
	}
}

/* A gateway is up, though the truth knows no host there; others are not for it. */
Test(sim_host, gateway) {
	for (unsigned w = 0; w < WAYS; w++) {
		struct lab lab = open_lab(ways[w]);
		uint8_t l4[16] = {lab.way.v6 ? 128 : 8}, frame[128];
		const dp_ip silent = host_with(&lab, DP_PROTO_ICMP, 0, DP_SIM_SILENT);
		const unsigned n = wrap(&lab, UINT64_C(0x020000000001), silent,
			lab.way.v6 ? IPV4_ICMPV6 : IPV4_ICMP, HOPS, l4, 16, frame);

		cr_assert_eq(hand(&lab, frame, n).bytes, 0);
		lab.hosts.gateway[0] = silent + 1;
		cr_assert_eq(hand(&lab, frame, n).bytes, 0);
		lab.hosts.gateway[1] = silent;
		cr_assert_gt(hand(&lab, frame, n).bytes, 0);
		book_destroy(lab.book);
	}
}

/* A datagram without checksum is one in IPv4 alone. */
Test(sim_host, udp_without_checksum) {
	for (unsigned w = 0; w < WAYS; w++) {
		struct lab lab = open_lab(ways[w]);
		uint8_t frame[128];
		const unsigned n = sample(&lab, 1, frame);

		put16(frame + n - 14, 0);
		cr_assert_eq(hand(&lab, frame, n).taken, lab.way.v6 ? SIM_BAD : SIM_REQUEST);
		book_destroy(lab.book);
	}
}

/* Any bytes. */
Test(sim_host, noise) {
	uint64_t random = 99;

	for (unsigned i = 0; i < 200000; i++) {
		static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8100};
		struct lab lab
			= {.hosts = {.params = {.alive = 1, .open = 0.5}, .scanner_mac = OUR_MAC}};
		uint8_t frame[100];
		const unsigned n = (unsigned)(next_random(&random) % sizeof(frame));

		for (unsigned k = 0; k < sizeof(frame); k++)
			frame[k] = (uint8_t)next_random(&random);
		put16(frame + 12, types[i % 4]);
		frame[14] = i & 4 ? 0x45 : 0x60;
		hand(&lab, frame, n);
	}
}
