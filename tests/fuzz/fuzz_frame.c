/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Received frames: every scan type, both families, with banners and without, tagged and not. The first
 * byte names the scan, the second what the device says of the frame, the rest is the frame.
 *
 * Besides that nothing is read or written out of bounds: what is believed repeats what a probe to that very
 * pair carries, which is made anew here by the sender's half of the module; a banner lies within the
 * frame; replies fit their room and their checksums are right.
 *
 * Random bytes get no further than the first checksum. So the mutator, which knows the key, starts from
 * what hosts and routers would say, and mends checksums and cookies of most of what it has changed.
 */
#include "fuzz.h"
#include "scan_test.h"

enum {
	SCANS = 64, /* more than types, families and banners make */
	HEADER_BYTES = 2,
	VLAN = 5,

	FRAME_TAGGED = 1, /* of the second byte */
	FRAME_STRIPPED = 2,
	FRAME_IP_GOOD = 4,
	FRAME_L4_GOOD = 8,
};

static struct lab *scans[SCANS];
static unsigned nb_scans;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	const struct dp_scan_type *type;

	for (unsigned i = 0; (type = dp_scan_at(i)); i++)
		for (unsigned k = 0; k < 4; k++) {
			const enum family family = k & 1 ? FAMILY_V6 : FAMILY_V4;

			if (!probe_type_of(type)->nb_steps[family])
				continue;
			FUZZ_ASSERT(nb_scans < SCANS);
			scans[nb_scans] = calloc(1, sizeof(struct lab));
			FUZZ_ASSERT(scans[nb_scans]);
			open_lab(scans[nb_scans], probe_type_of(type), family, k & 2);
			collect(scans[nb_scans]);
			nb_scans++;
		}
	return 0;
}

/* --- what is believed ------------------------------------------------------------------------- */

/* The transport of the probe that @module sends to a pair, in @packet of PROBE_ROOM bytes. */
static const uint8_t *probe_of(const struct lab *lab, const struct probe_module *module,
	const struct dp_target *target, uint8_t *packet) {
	const enum family family = family_of(target->ip);
	uint16_t length = module->packet_bytes[family];
	struct probe_sums sums;

	module->prepare(&lab->scan.env, family, packet, &sums);
	module->make(&lab->scan.env, family, &sums, &packet, &length, target, 1, CLOCK_US);
	return packet + (family == FAMILY_V6 ? IPV6_BYTES : IPV4_BYTES);
}

static bool proves_tcp(const struct lab *lab, const struct frame_view *view, const uint8_t *sent) {
	const struct tcp_segment *heard = &view->tcp;
	const uint32_t seq = get32(sent + 4);
	const uint8_t flags = sent[13];

	if (get16(sent) != heard->dst_port || get16(sent + 2) != heard->src_port)
		return false;
	if (flags & TCP_ACK)
		return heard->seq == get32(sent + 8);
	if (!(flags & TCP_SYN))
		return heard->ack == seq || (flags & TCP_FIN && heard->ack == seq + 1);
	if (heard->ack == seq + 1)
		return true;
	return lab->scan.env.banners
		&& heard->ack
		== seq + 1 + book_hello(lab->book, heard->src_port, view->answer.pass)->length;
}

static bool proves_udp(const struct lab *lab, const struct frame_view *view, const uint8_t *sent) {
	const uint8_t *heard = view->packet.l4;
	const struct dp_payload *payload = book_payload(lab->book, get16(heard), view->answer.pass);
	const unsigned n = payload->token == DP_TOKEN_HEX ? 2u * payload->token_bytes
		: payload->token == DP_TOKEN_BINARY	  ? payload->token_bytes
							  : 0;
	const uint8_t *token = sent + UDP_BYTES + payload->token_at;
	const unsigned bytes = get16(heard + 4) - UDP_BYTES;

	if (get16(sent) != get16(heard + 2) || get16(sent + 2) != get16(heard))
		return false;
	if (!n)
		return true;
	if (payload->reply_at != DP_TOKEN_ANYWHERE)
		return bytes >= (unsigned)payload->reply_at + n
			&& !memcmp(heard + UDP_BYTES + payload->reply_at, token, n);
	return memmem(heard + UDP_BYTES, bytes, token, n) != NULL;
}

static bool proves_icmp(const struct frame_view *view, const uint8_t *sent) {
	const uint8_t *heard = view->packet.l4;

	if (memcmp(sent + 4, heard + 4, 4))
		return false;
	if (sent[0] == ICMP_TIMESTAMP)
		return !memcmp(sent + 8, heard + 8, 4);
	/* The clock differs, but not what seals it. */
	return !memcmp(sent + 8, heard + 8, 8)
		&& (get32(sent + 16) ^ get32(sent + 20)) == (get32(heard + 16) ^ get32(heard + 20));
}

static bool proves(const struct lab *lab, const struct frame_view *view, const uint8_t *sent) {
	switch (view->packet.protocol) {
	case IPV4_TCP:
		return proves_tcp(lab, view, sent);
	case IPV4_UDP:
		return proves_udp(lab, view, sent);
	case IPV4_SCTP:
		return get16(sent) == get16(view->packet.l4 + 2)
			&& get16(sent + 2) == get16(view->packet.l4)
			&& get32(view->packet.l4 + 4) == get32(sent + 16);
	default:
		return proves_icmp(view, sent);
	}
}

/* What a router has to have seen: eight bytes of the probe, less what it may not repeat. */
static bool quotes(uint8_t protocol, const uint8_t *quoted, const uint8_t *sent) {
	switch (protocol) {
	case IPV4_TCP:
		return !memcmp(quoted, sent, 8);
	case IPV4_UDP:
	case IPV4_SCTP:
		return !memcmp(quoted, sent, 4);
	default:
		return !memcmp(quoted, sent, 2) && !memcmp(quoted + 4, sent + 4, 4);
	}
}

/* The transport that an error quotes; NULL where extension headers are in front of it. */
static const uint8_t *quoted_l4(const struct packet *packet, uint8_t *protocol) {
	const uint8_t *ip = packet->l4 + ICMP_BYTES;

	if (packet->family == FAMILY_V4) {
		*protocol = ip[9];
		return ip + (ip[0] & 15) * 4;
	}
	*protocol = ip[6];
	switch (*protocol) {
	case IPV4_TCP:
	case IPV4_UDP:
	case IPV4_SCTP:
	case IPV4_ICMPV6:
		return ip + IPV6_BYTES;
	default:
		return NULL;
	}
}

/* Whether the answer shows what a probe of @module to its pair carries. */
static bool is_proven_by(
	const struct lab *lab, const struct frame_view *view, const struct probe_module *module) {
	const struct packet *packet = &view->packet;
	const bool error = view->verdict.response == DP_RESPONSE_ICMP_UNREACHABLE;
	struct dp_target target = {.ip = view->answer.ip, .pass = view->answer.pass};
	const uint8_t *l4 = packet->l4;
	uint8_t protocol = packet->protocol, probe[PROBE_ROOM];

	if (error) {
		l4 = quoted_l4(packet, &protocol);
		if (!l4)
			return true;
	}
	if (module->link || module->protocol[packet->family] != protocol)
		return false;
	if (protocol == IPV4_TCP || protocol == IPV4_UDP || protocol == IPV4_SCTP)
		target.port = get16(error ? l4 + 2 : l4);
	if (!error)
		return target.ip == packet->src
			&& proves(lab, view, probe_of(lab, module, &target, probe));
	return quotes(protocol, l4, probe_of(lab, module, &target, probe));
}

static bool is_proven(const struct lab *lab, const struct frame_view *view) {
	const struct probe_type *type = lab->scan.type;
	const enum family family = family_of(view->answer.ip);

	for (unsigned i = 0; i < type->nb_steps[family]; i++)
		if (is_proven_by(lab, view, type->step[family][i].module))
			return true;
	return false;
}

/* ARP and neighbour discovery have no room for a cookie. */
static bool is_of_link(const struct frame_view *view) {
	return view->verdict.response == DP_RESPONSE_ARP_REPLY
		|| view->verdict.response == DP_RESPONSE_NEIGHBOR_ADVERTISEMENT;
}

static void check_answer(const struct lab *lab, const struct frame_view *view, const uint8_t *frame,
	unsigned length) {
	FUZZ_ASSERT(banner_fits(view, frame, length));
	FUZZ_ASSERT(view->verdict.kind != PROBE_NONE);
	FUZZ_ASSERT(view->verdict.response < DP_RESPONSE_COUNT);
	FUZZ_ASSERT(view->answer.state < DP_STATE_COUNT && view->answer.reason < DP_REASON_COUNT);
	FUZZ_ASSERT(view->answer.proto < DP_PROTO_COUNT);
	FUZZ_ASSERT(view->answer.pass < lab->scan.env.passes);
	FUZZ_ASSERT(lab->scan.env.banners || view->answer.kind == DP_ANSWER_STATE);
	if (is_of_link(view)) {
		FUZZ_ASSERT(view->answer.ip == view->neigh.ip);
		return;
	}
	FUZZ_ASSERT(is_proven(lab, view));
}

/* --- the target ------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct frame_meta meta = {.clock_us = CLOCK_US + 1000};
	const uint8_t *frame = data + HEADER_BYTES;
	struct frame_view view;
	enum frame_kind kind;
	struct lab *lab;
	unsigned length;

	if (size < HEADER_BYTES || size > ROOM)
		return 0;
	lab = scans[data[0] % nb_scans];
	length = (unsigned)(size - HEADER_BYTES);
	lab->scan.vlan = data[1] & FRAME_TAGGED ? VLAN : 0;
	meta.vlan_stripped = data[1] & FRAME_STRIPPED;
	meta.vlan = meta.vlan_stripped && data[1] & FRAME_TAGGED ? VLAN : 0;
	meta.ip_good = data[1] & FRAME_IP_GOOD;
	meta.l4_good = data[1] & FRAME_L4_GOOD;
	memset(&view, 0xee, sizeof(view));
	view.answer.ts_ns = 1;
	kind = frame_parse(&lab->scan, frame, length, &meta, &view);
	FUZZ_ASSERT(view.answer.ts_ns == 1);
	reply_all(&lab->scan, kind, frame, &view);
	if (kind == FRAME_ANSWER)
		check_answer(lab, &view, frame, length);
	return 0;
}

/* --- the mutator ------------------------------------------------------------------------------ */

/* Begin anew with what a host or a router said. */
static size_t take_right(uint8_t *data, size_t max_size, uint64_t *state) {
	const unsigned number = (unsigned)(next(state) % nb_scans);
	const struct lab *lab = scans[number];
	const struct right *right = &lab->right[next(state) % lab->nb_right];

	if (max_size < HEADER_BYTES + VLAN_BYTES + right->length)
		return 0;
	data[0] = (uint8_t)number;
	data[1] = (uint8_t)next(state) & (FRAME_TAGGED | FRAME_STRIPPED);
	memcpy(data + HEADER_BYTES, right->frame, right->length);
	if ((data[1] & (FRAME_TAGGED | FRAME_STRIPPED)) != FRAME_TAGGED)
		return HEADER_BYTES + right->length;
	/* The tag, between the addresses and the type. */
	memmove(data + HEADER_BYTES + ETH_TYPE_AT + VLAN_BYTES, data + HEADER_BYTES + ETH_TYPE_AT,
		right->length - ETH_TYPE_AT);
	put16(data + HEADER_BYTES + ETH_TYPE_AT, ETH_TYPE_VLAN);
	put16(data + HEADER_BYTES + ETH_TYPE_AT + 2, VLAN);
	return HEADER_BYTES + VLAN_BYTES + right->length;
}

/* A host that knows the cookie: ports and numbers of a segment or a datagram fit the scan's. */
static void put_cookie(const struct lab *lab, uint8_t *frame, unsigned length, uint64_t random) {
	const bool v6 = get16(frame + ETH_TYPE_AT) == ETH_TYPE_IPV6;
	const unsigned header = v6 ? IPV6_BYTES : IPV4_BYTES;
	uint8_t *ip = frame + ETH_BYTES, *l4 = ip + header;
	struct cookie_value c;
	unsigned pass = random % 8 ? 0 : random / 8 % 16;
	uint8_t protocol;
	dp_ip from;

	if (length < ETH_BYTES + header + TCP_BYTES)
		return;
	protocol = v6 ? ip[6] : ip[9];
	from = v6 ? dp_ip_get_v6(ip + 8) : dp_ip_v4(get32(ip + 12));
	c = cookie_of(&lab->scan.env.cookie, from, get16(l4), pass);
	if (protocol == IPV4_TCP || protocol == IPV4_UDP || protocol == IPV4_SCTP)
		put16(l4 + 2, c.port);
	if (protocol == IPV4_SCTP)
		put32(l4 + 4, c.seq);
	if (protocol != IPV4_TCP)
		return;
	put32(l4 + 4, random & 0x1000 ? c.seq : get32(l4 + 4));
	put32(l4 + 8,
		c.seq + 1 + (random & 0x2000 ? book_hello(lab->book, get16(l4), pass)->length : 0));
}

/* The network layer of a tagged frame as if there were no tag. */
static void mend(const struct lab *lab, uint8_t *frame, unsigned length, uint64_t random) {
	if (length >= ETH_BYTES + VLAN_BYTES && get16(frame + ETH_TYPE_AT) == ETH_TYPE_VLAN) {
		frame += VLAN_BYTES;
		length -= VLAN_BYTES;
	}
	if (length < ETH_BYTES
		|| (get16(frame + ETH_TYPE_AT) != ETH_TYPE_IPV4
			&& get16(frame + ETH_TYPE_AT) != ETH_TYPE_IPV6))
		return;
	if (random & 3)
		put_cookie(lab, frame, length, random >> 2);
	put_sums(frame, length);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
	uint64_t state = seed, random = next(&state);

	if (size < HEADER_BYTES + ETH_BYTES || random % 64 == 0) {
		const size_t taken = take_right(data, max_size, &state);

		if (taken)
			size = taken;
	}
	if (size < HEADER_BYTES || random % 16 == 1)
		size = LLVMFuzzerMutate(data, size, max_size);
	else
		size = HEADER_BYTES
			+ LLVMFuzzerMutate(
				data + HEADER_BYTES, size - HEADER_BYTES, max_size - HEADER_BYTES);
	if (size > HEADER_BYTES && random >> 8 & 7)
		mend(scans[data[0] % nb_scans], data + HEADER_BYTES,
			(unsigned)(size - HEADER_BYTES), next(&state));
	return size;
}
