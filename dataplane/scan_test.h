/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scan of two simulated hosts, without a port: probes as their modules make them, the answers that the
 * hosts give to them and the errors of routers about them. Tests and fuzzers change these, as random
 * bytes would reach nothing behind the cookies. What goes wrong here aborts.
 */
#ifndef SCAN_TEST_H
#define SCAN_TEST_H

#include "book.h"
#include "crc32c.h"
#include "parse.h"
#include "sim.h"
#include "sim_host.h"
#include "wire_test.h"

#include <assert.h>
#include <stdlib.h>

#define OUR_MAC UINT64_C(0x02000000000a)

enum {
	PORT_FIRST = 32768,
	PORT_LAST = 49151,
	CLOCK_US = 7000000,
	MAX_RIGHT = 32,
	ROOM = 2048,
};

struct right {
	uint8_t frame[ROOM];
	unsigned length;
	dp_ip ip; /* whom it is about */
};

struct lab {
	struct scan scan;
	struct sim_hosts hosts;
	struct payload_book *book;
	enum family family;
	struct right right[MAX_RIGHT];
	unsigned nb_right;
};

static const struct dp_key key = {"sixteen bytes..."};

static inline uint64_t next(uint64_t *state) {
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return cookie_more(*state, 0);
}

static inline dp_ip ours(enum family family) {
	return family == FAMILY_V6 ? dp_ip_v6(UINT64_C(0x20010db8000000ff), 1)
				   : dp_ip_v4(0xc6130001);
}

/* The built-in payloads and hellos; made once, as that takes some tens of milliseconds. */
static inline struct payload_book *builtin_book(void) {
	static struct payload_book *book;

	if (!book && book_create(NULL, 0, NULL, 0, &book))
		abort();
	return book;
}

static inline void open_lab(
	struct lab *lab, const struct probe_type *type, enum family family, bool banners) {
	*lab = (struct lab){
		.scan.type = type,
		.scan.env
		= {.source_mac = OUR_MAC, .passes = 16, .banners = banners, .banner_bytes = 4096},
		.hosts = {.params = {.alive = 1, .open = 0.5, .seed = 42, .banners = true},
			.scanner_mac = OUR_MAC},
		.family = family,
	};
	lab->scan.env.book = lab->hosts.book = lab->book = builtin_book();
	cookie_init(&lab->scan.env.cookie, &key, PORT_FIRST, PORT_LAST);
	for (unsigned f = 0; f < FAMILIES; f++) {
		const struct dp_range range = {ours(f), ours(f)};

		sources_init(&lab->scan.env.sources[f], &range, 1);
	}
}

static inline struct right *more(struct lab *lab) {
	assert(lab->nb_right < MAX_RIGHT);
	return &lab->right[lab->nb_right++];
}

/* What a host says to @frame. */
static inline struct right *let_answer(
	struct lab *lab, const uint8_t *frame, unsigned length, dp_ip about) {
	uint8_t note_bytes[SIM_NOTE_MAX];
	struct sim_reply reply;
	const uint8_t *note;
	const enum sim_taken taken = sim_take(&lab->hosts, frame, length, &reply, &note);
	struct right *right;

	if ((taken != SIM_REQUEST && taken != SIM_CONNECTION) || reply.kind == SIM_NOTHING)
		return NULL;
	if (reply.note_bytes)
		memcpy(note_bytes, note, reply.note_bytes);
	right = more(lab);
	right->length = sim_write(&lab->hosts, &reply, note_bytes, right->frame);
	right->ip = about;
	return right;
}

static inline void put_sums(uint8_t *frame, unsigned length);

/* What a router says about the probe. */
static inline void let_fail(struct lab *lab, const uint8_t *frame, unsigned length, dp_ip about) {
	const bool v6 = lab->family == FAMILY_V6;
	const unsigned header = v6 ? IPV6_BYTES : IPV4_BYTES;
	const unsigned quoted = length - ETH_BYTES < 100 ? length - ETH_BYTES : 100;
	struct right *right = more(lab);
	uint8_t *ip = right->frame + ETH_BYTES, *icmp = ip + header;
	const dp_ip router = v6 ? ours(lab->family) + 1 : dp_ip_v4(0xc6130002);

	eth_put(right->frame, OUR_MAC, 0x020000000077, 0, v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	if (v6)
		ipv6_put(ip, (uint16_t)(ICMP_BYTES + quoted), IPV4_ICMPV6, 60, router,
			ours(lab->family));
	else
		ipv4_put(ip, (uint16_t)(header + ICMP_BYTES + quoted), 1, 60, IPV4_ICMP,
			dp_ip_to_v4(router), dp_ip_to_v4(ours(lab->family)));
	icmp[0] = v6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE;
	icmp[1] = v6 ? 4 : 3;
	memcpy(icmp + ICMP_BYTES, frame + ETH_BYTES, quoted);
	right->length = ETH_BYTES + header + ICMP_BYTES + quoted;
	right->ip = about;
	put_sums(right->frame, right->length);
}

/* Go on with a connection, where the answer is one that begins it. */
static inline void let_talk(struct lab *lab, const struct right *answer) {
	const struct frame_meta meta = {.clock_us = CLOCK_US};
	uint8_t out[FRAME_REPLY_ROOM];
	struct frame_view view;
	unsigned length;

	if (frame_parse(&lab->scan, answer->frame, answer->length, &meta, &view) != FRAME_ANSWER
		|| view.verdict.kind != PROBE_OPENED || !lab->scan.env.banners
		|| view.packet.protocol != IPV4_TCP)
		return;
	length = frame_hello(out, &lab->scan, answer->frame, &view);
	if (length)
		let_answer(lab, out, length, answer->ip);
}

/* A probe of one step to (ip, port), and what may come of it. */
static inline void probe(
	struct lab *lab, const struct probe_module *module, dp_ip ip, uint16_t port) {
	const struct dp_target target = {.ip = ip, .port = port};
	uint8_t frame[ETH_BYTES + PROBE_ROOM] = {0}, *packet = frame + ETH_BYTES;
	uint16_t length = module->packet_bytes[lab->family];
	const uint16_t type = lab->family == FAMILY_V6 ? ETH_TYPE_IPV6
		: module->protocol[FAMILY_V4]	       ? ETH_TYPE_IPV4
						       : ETH_TYPE_ARP;
	const uint64_t to = !module->link ? UINT64_C(0x020000000001)
		: type == ETH_TYPE_ARP	  ? MAC_BROADCAST
					  : solicited_mac(ip);
	struct probe_sums sums;
	struct right *answer;

	eth_put(frame, to, OUR_MAC, 0, type);
	module->prepare(&lab->scan.env, lab->family, packet, &sums);
	module->make(&lab->scan.env, lab->family, &sums, &packet, &length, &target, 1, CLOCK_US);
	answer = let_answer(lab, frame, ETH_BYTES + length, ip);
	if (answer)
		let_talk(lab, answer);
	if (!module->link)
		let_fail(lab, frame, ETH_BYTES + length, ip);
}

/* Two hosts: port 53 of one is open, that of the other closed. */
static inline void collect(struct lab *lab) {
	const struct probe_type *type = lab->scan.type;
	const enum dp_proto proto
		= type->scan.proto == DP_PROTO_UDP || type->scan.proto == DP_PROTO_SCTP
		? type->scan.proto
		: DP_PROTO_TCP;

	for (enum dp_sim_state state = DP_SIM_CLOSED; state <= DP_SIM_OPEN; state++) {
		dp_ip ip = lab->family == FAMILY_V6 ? dp_ip_v6(UINT64_C(0x20010db800000000), 0)
						    : dp_ip_v4(0xc6120000);

		for (unsigned i = 0; i < type->nb_steps[lab->family]; i++) {
			const uint16_t port = type->step[lab->family][i].port
				? type->step[lab->family][i].port
				: type->scan.has_ports ? 53
						       : 0;

			while (port && dp_sim_port(&lab->hosts.params, proto, ip, port) != state)
				ip++;
			probe(lab, type->step[lab->family][i].module, ip, port);
		}
		if (type->on_link[lab->family] && state == DP_SIM_OPEN)
			probe(lab, type->on_link[lab->family], ip, 0);
	}
}

/* Make all checksums right again that there is room for, as if the frame had been sent like this. */
static inline void put_sums(uint8_t *frame, unsigned length) {
	const bool v6 = length > ETH_BYTES + 1 && frame[12] == 0x86;
	const unsigned header = v6 ? IPV6_BYTES : IPV4_BYTES;
	uint8_t *ip = frame + ETH_BYTES, *l4 = ip + header;
	unsigned bytes, at, protocol;
	uint64_t pseudo = 0;

	if (length < ETH_BYTES + header + 20 || get16(frame + 12) == ETH_TYPE_ARP)
		return;
	protocol = v6 ? ip[6] : ip[9];
	bytes = v6 ? get16(ip + 4) : get16(ip + 2) - header;
	if (!v6) {
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~reference_sum(0, ip, header));
	}
	if (bytes > length - ETH_BYTES - header || bytes < 20)
		return;
	if (protocol == IPV4_SCTP) {
		sctp_put_checksum(l4, bytes);
		return;
	}
	at = protocol == IPV4_TCP ? 16 : protocol == IPV4_UDP ? 6 : 2;
	if (protocol != IPV4_ICMP)
		pseudo = reference_pseudo_ip(ip, (uint8_t)protocol, bytes);
	put16(l4 + at, 0);
	put16(l4 + at, (uint16_t)~reference_sum((uint16_t)pseudo, l4, bytes));
}

/* All that the packet core may answer with, in room that ends where memory does. */
static inline void reply_all(const struct scan *scan, enum frame_kind kind, const uint8_t *frame,
	struct frame_view *view) {
	static uint8_t *cage;
	uint8_t *out;

	if (!cage)
		cage = cage_end();
	out = cage - FRAME_REPLY_ROOM;
	if (kind == FRAME_ARP_REQUEST || kind == FRAME_SOLICITATION)
		assert(frame_tell(out, scan, view) <= (unsigned)FRAME_REPLY_ROOM);
	if (kind == FRAME_ECHO_REQUEST) {
		out = cage - (view->packet.l4_bytes + 58 > 60 ? view->packet.l4_bytes + 58 : 60);
		frame_echo_reply(out, scan, frame, view);
	}
	if (kind != FRAME_ANSWER && kind != FRAME_CONNECTION)
		return;
	if (view->verdict.kind == PROBE_OPENED || view->verdict.kind == PROBE_DATA_END
		|| view->verdict.kind == PROBE_FIN)
		frame_reset(out, scan, frame, view);
	if (view->packet.protocol != IPV4_TCP)
		return;
	if (view->verdict.kind == PROBE_OPENED && scan->env.banners)
		frame_hello(out, scan, frame, view);
	if (view->verdict.kind == PROBE_DATA)
		frame_acknowledge(out, scan, frame, view);
}

/* Whether a banner lies within the frame. */
static inline bool banner_fits(
	const struct frame_view *view, const uint8_t *frame, unsigned length) {
	return !view->answer.banner
		|| (view->answer.banner >= frame
			&& view->answer.banner + view->answer.banner_bytes <= frame + length);
}

#endif
