/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The few frames that answer received ones, and those that ask for neighbours. Pure functions; TX and
 * RX lcores run them, with memory of the caller.
 */
#include "book.h"
#include "crc32c.h"
#include "parse.h"
#include "stream.h"

enum {
	HOP_LIMIT = 64,
	CLOCK_BYTES = 2 + TCP_OPTION_CLOCK_BYTES, /* with padding in front */

	SCTP_CHUNK_BYTES = 4, /* RFC 9260 3.2 */
	SCTP_ABORT = 6,
};

#define ALL_NODES dp_ip_v6(UINT64_C(0xff02000000000000), 1)
#define ALL_NODES_MAC UINT64_C(0x333300000001) /* RFC 2464 7 */

static unsigned padded(uint8_t *out, unsigned length) {
	if (length < ETH_MIN_FRAME)
		memset(out + length, 0, ETH_MIN_FRAME - length);
	return length < ETH_MIN_FRAME ? ETH_MIN_FRAME : length;
}

static unsigned put_arp(uint8_t *out, uint64_t to_mac, uint16_t vlan, uint16_t operation,
	uint64_t our_mac, dp_ip our_ip, uint64_t target_mac, dp_ip target_ip) {
	unsigned at = eth_put(out, to_mac, our_mac, vlan, ETH_TYPE_ARP);
	uint8_t *arp = out + at;

	put16(arp, 1);
	put16(arp + 2, ETH_TYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, operation);
	mac_put(arp + 8, our_mac);
	put32(arp + 14, dp_ip_to_v4(our_ip));
	mac_put(arp + 18, target_mac);
	put32(arp + 24, dp_ip_to_v4(target_ip));
	return padded(out, at + ARP_BYTES);
}

/* A message of RFC 4861 4.3 or 4.4; @option 0: without our hardware address. */
static unsigned put_nd(uint8_t *out, uint64_t to_mac, uint16_t vlan, uint64_t our_mac, dp_ip src,
	dp_ip dst, uint8_t type, uint8_t flags, dp_ip about, uint8_t option) {
	unsigned at = eth_put(out, to_mac, our_mac, vlan, ETH_TYPE_IPV6);
	unsigned bytes = ND_BYTES + (option ? ND_OPTION_BYTES : 0);
	uint8_t *nd = out + at + IPV6_BYTES;

	ipv6_put(out + at, (uint16_t)bytes, IPV4_ICMPV6, ND_HOP_LIMIT, src, dst);
	memset(nd, 0, bytes);
	nd[0] = type;
	nd[ND_FLAGS_AT] = flags;
	dp_ip_put_v6(nd + 8, about);
	if (option) {
		nd[ND_BYTES] = option;
		nd[ND_BYTES + 1] = 1; /* times eight bytes */
		mac_put(nd + ND_BYTES + 2, our_mac);
	}
	put16(nd + 2,
		(uint16_t)~sum_fold(
			sum_pseudo_ip(src, dst, IPV4_ICMPV6, bytes) + sum_bytes(nd, bytes)));
	return padded(out, at + IPV6_BYTES + bytes);
}

unsigned frame_ask(uint8_t *out, uint16_t vlan, uint64_t our_mac, dp_ip our_ip, dp_ip asked) {
	if (dp_ip_is_v4(asked))
		return put_arp(out, MAC_BROADCAST, vlan, ARP_REQUEST, our_mac, our_ip, 0, asked);
	/* RFC 4861 4.3: no option from the unspecified address. */
	return put_nd(out, solicited_mac(asked), vlan, our_mac, our_ip, solicited_node(asked),
		ICMPV6_SOLICITATION, 0, asked, our_ip ? ND_OPTION_SOURCE : 0);
}

unsigned frame_tell(uint8_t *out, const struct scan *scan, const struct frame_view *view) {
	const uint64_t our_mac = scan->env.source_mac;
	const dp_ip to = view->neigh.ip;

	if (dp_ip_is_v4(view->our_ip))
		return put_arp(out, view->neigh.mac, scan->vlan, ARP_REPLY, our_mac, view->our_ip,
			view->neigh.mac, to);
	/* RFC 4861 7.2.4: who has no address yet hears it with all others. */
	if (to == 0)
		return put_nd(out, ALL_NODES_MAC, scan->vlan, our_mac, view->our_ip, ALL_NODES,
			ICMPV6_ADVERTISEMENT, ND_OVERRIDE, view->our_ip, ND_OPTION_TARGET);
	return put_nd(out, view->neigh.mac, scan->vlan, our_mac, view->our_ip, to,
		ICMPV6_ADVERTISEMENT, ND_SOLICITED | ND_OVERRIDE, view->our_ip, ND_OPTION_TARGET);
}

/* Link and network header back to who sent @received; returns where @bytes of transport go. */
static uint8_t *put_network(uint8_t *out, const struct scan *scan, const uint8_t *received,
	const struct packet *packet, uint8_t protocol, unsigned bytes) {
	bool v4 = packet->family == FAMILY_V4;
	uint8_t *ip = out
		+ eth_put(out, mac_get(received + 6), scan->env.source_mac, scan->vlan,
			v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);

	if (v4) {
		ipv4_put(ip, (uint16_t)(IPV4_BYTES + bytes), 0, HOP_LIMIT, protocol,
			dp_ip_to_v4(packet->dst), dp_ip_to_v4(packet->src));
		return ip + IPV4_BYTES;
	}
	ipv6_put(ip, (uint16_t)bytes, protocol, HOP_LIMIT, packet->dst, packet->src);
	return ip + IPV6_BYTES;
}

unsigned frame_echo_reply(uint8_t *out, const struct scan *scan, const uint8_t *request,
	const struct frame_view *view) {
	const struct packet *packet = &view->packet;
	bool v4 = packet->family == FAMILY_V4;
	unsigned bytes = packet->l4_bytes;
	uint8_t *icmp = put_network(out, scan, request, packet, packet->protocol, bytes);
	uint64_t pseudo = v4 ? 0 : sum_pseudo_ip(packet->dst, packet->src, IPV4_ICMPV6, bytes);

	memcpy(icmp, packet->l4, bytes);
	icmp[0] = v4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;
	put16(icmp + 2, 0);
	put16(icmp + 2, (uint16_t)~sum_fold(pseudo + sum_bytes(icmp, bytes)));
	return padded(out, (unsigned)(icmp + bytes - out));
}

/* A segment to be written: its checksum comes last, with put_segment_end(). */
struct reply {
	uint8_t *tcp;
	unsigned header_bytes, bytes;
};

static struct reply put_segment(uint8_t *out, const struct scan *scan, const uint8_t *received,
	const struct frame_view *view, uint8_t flags, bool has_clock, unsigned data_bytes) {
	unsigned header_bytes = TCP_BYTES + (has_clock ? CLOCK_BYTES : 0);
	unsigned bytes = header_bytes + data_bytes;
	uint8_t *tcp = put_network(out, scan, received, &view->packet, IPV4_TCP, bytes);

	memset(tcp, 0, header_bytes);
	put16(tcp, view->tcp.dst_port);
	put16(tcp + 2, view->tcp.src_port);
	/* RFC 9293 3.5.2: a reset that answers a segment with ACK takes its sequence from it. */
	put32(tcp + 4, view->tcp.ack);
	tcp[12] = (uint8_t)(header_bytes / 4 << 4);
	tcp[13] = flags;
	return (struct reply){tcp, header_bytes, bytes};
}

static unsigned put_segment_end(
	uint8_t *out, const struct reply *reply, const struct frame_view *view) {
	tcp_put_checksum(reply->tcp, view->packet.dst, view->packet.src, (uint16_t)reply->bytes);
	return padded(out, (unsigned)(reply->tcp + reply->bytes - out));
}

/* Once both SYNs had timestamps, each segment has (RFC 7323 3.2). */
static void put_clock(uint8_t *tcp, uint32_t clock, uint32_t echo) {
	uint8_t *option = tcp + TCP_BYTES;

	option[0] = option[1] = TCP_OPTION_NOP;
	option[2] = TCP_OPTION_CLOCK;
	option[3] = TCP_OPTION_CLOCK_BYTES;
	put32(option + 4, clock);
	put32(option + 8, echo);
}

static uint64_t hash_of(const struct scan *scan, const struct frame_view *view) {
	return cookie_hash(&scan->env.cookie, view->packet.src, view->tcp.src_port);
}

unsigned frame_hello(uint8_t *out, const struct scan *scan, const uint8_t *syn_ack,
	const struct frame_view *view) {
	const struct tcp_segment *theirs = &view->tcp;
	const struct tcp_options options = tcp_options_of(theirs->options, theirs->options_bytes);
	const struct dp_hello *hello
		= book_hello(scan->env.book, theirs->src_port, view->answer.pass);
	struct reply reply;

	if (view->answer.zero_window)
		return frame_reset(out, scan, syn_ack, view);
	if (options.mss && hello->length > options.mss)
		return 0;
	reply = put_segment(out, scan, syn_ack, view, hello->length ? TCP_ACK | TCP_PSH : TCP_ACK,
		options.has_clock, hello->length);
	put32(reply.tcp + 8, theirs->seq + 1);
	put16(reply.tcp + 14, stream_window_field(options.has_scale));
	if (options.has_clock)
		put_clock(reply.tcp,
			stream_clock(hash_of(scan, view), theirs->seq, options.has_scale),
			options.clock);
	if (hello->length)
		memcpy(reply.tcp + reply.header_bytes, hello->bytes, hello->length);
	return put_segment_end(out, &reply, view);
}

unsigned frame_acknowledge(uint8_t *out, const struct scan *scan, const uint8_t *segment,
	const struct frame_view *view) {
	const struct tcp_segment *theirs = &view->tcp;
	const struct tcp_options options = tcp_options_of(theirs->options, theirs->options_bytes);
	const struct stream_place place
		= stream_place_of(hash_of(scan, view), &options, theirs->seq);
	uint32_t taken = place.at + theirs->data_bytes;
	struct reply reply;

	if (!place.known)
		return 0;
	/* An old segment, come late or twice. */
	if (taken < place.acked)
		taken = place.acked;
	reply = put_segment(out, scan, segment, view, TCP_ACK, true, 0);
	put32(reply.tcp + 8, theirs->seq - place.at + taken);
	put16(reply.tcp + 14, stream_window_field(place.scaled));
	put_clock(reply.tcp, stream_ack_clock(&place, taken), options.clock);
	return put_segment_end(out, &reply, view);
}

/*
 * RFC 9260 3.3.7 and 8.4: an INIT-ACK is answered under the tag that its sender chose, which is the
 * first word of its chunk's body. The modules let nothing shorter through.
 */
static unsigned put_abort(uint8_t *out, const struct scan *scan, const uint8_t *init_ack,
	const struct frame_view *view) {
	const struct packet *packet = &view->packet;
	const uint8_t *theirs = packet->l4;
	uint8_t *sctp;

	if (packet->l4_bytes < SCTP_BYTES + SCTP_CHUNK_BYTES + 4)
		return 0;
	sctp = put_network(out, scan, init_ack, packet, IPV4_SCTP, SCTP_BYTES + SCTP_CHUNK_BYTES);
	put16(sctp, get16(theirs + 2));
	put16(sctp + 2, get16(theirs));
	put32(sctp + 4, get32(theirs + SCTP_BYTES + SCTP_CHUNK_BYTES));
	sctp[SCTP_BYTES] = SCTP_ABORT;
	sctp[SCTP_BYTES + 1] = 0;
	put16(sctp + SCTP_BYTES + 2, SCTP_CHUNK_BYTES);
	sctp_put_checksum(sctp, SCTP_BYTES + SCTP_CHUNK_BYTES);
	return padded(out, (unsigned)(sctp + SCTP_BYTES + SCTP_CHUNK_BYTES - out));
}

unsigned frame_reset(uint8_t *out, const struct scan *scan, const uint8_t *segment,
	const struct frame_view *view) {
	struct reply reply;

	if (view->packet.protocol == IPV4_SCTP)
		return put_abort(out, scan, segment, view);
	reply = put_segment(out, scan, segment, view, TCP_RST, false, 0);
	return put_segment_end(out, &reply, view);
}
