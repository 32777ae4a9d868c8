/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network's hosts. TCP is RFC 9293 3.10.7 for the states CLOSED and LISTEN, with the
 * habits of BSD where dp/sim.h says so. A connection is remembered in its own sequence numbers: the
 * host's first one is made of the client's, so that an acknowledgement tells how much either side
 * has said.
 */
#include "crc32c.h"
#include "probe.h"
#include "sim.h"
#include "sim_host.h"

#include <assert.h>

enum {
	TTL = 57, /* as if seven hops away */
	SYN_ACK_OPTIONS = 20,
	CLOCK_OPTIONS = 12,
	CLOCK_AT = 8, /* of the echo, in CLOCK_OPTIONS */
	WINDOW = 65160,
	OPEN_WINDOW = 4096, /* in a reset */

	ICMP_TIMESTAMP_BYTES = 20,
	ICMP_PORT = 3, /* unreachable, RFC 792 */
	ICMPV6_PORT = 4, /* RFC 4443 3.1 */
	ICMP_ERROR_MAX = 576, /* RFC 1812 4.3.2.3 */
	ICMPV6_ERROR_MAX = 1280, /* RFC 4443 2.4 c */
	DAY_MS = 86400000,

	/* RFC 9260 3.3.2 to 3.3.7. */
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_ABORT = 6,
	SCTP_INIT_BYTES = 20,
	SCTP_ABORT_BYTES = 4,
	SCTP_REFLECTED = 1, /* flag of an ABORT: its tag is not ours */
	SCTP_COOKIE = 7,
	SCTP_COOKIE_BYTES = 20,
	SCTP_LEAST_WINDOW = 1500,

	UDP_FILLER = 12,
	UDP_TOKEN_MAX = 1024, /* offset of a token in a reply of ours */
};

static_assert(sizeof(struct sim_reply) == 64, "a cache line");

#define ROUTER_MAC UINT64_C(0x020000000001)

/* An IP packet to a host, or what else a frame carries. */
struct seen {
	const uint8_t *packet; /* from the network layer on */
	const uint8_t *l4;
	unsigned packet_bytes, l4_bytes;
	dp_ip host, scanner;
	uint16_t type; /* of the frame */
	uint8_t protocol, hop_limit;
	bool group; /* the frame is not for one station alone */
	bool bad_header; /* IPv4's checksum is wrong */
};

/*
 * sum_bytes(), folded, without turning each word around: the sum of turned words is the turned sum
 * (RFC 1071 2 (B)).
 */
static uint16_t sum_of(const uint8_t *p, size_t n) {
	uint64_t sum = 0;
	uint32_t word;

	for (; n >= 4; p += 4, n -= 4) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, p, n);
	return __builtin_bswap16(sum_fold(sum + word));
}

/* --- what came -------------------------------------------------------------------------------- */

static bool read_link(
	const struct sim_hosts *hosts, const uint8_t *frame, unsigned length, struct seen *seen) {
	unsigned at = ETH_BYTES;

	if (length < ETH_BYTES + VLAN_BYTES)
		return false;
	seen->group = frame[0] & 1;
	seen->type = get16(frame + ETH_TYPE_AT);
	if (seen->type == ETH_TYPE_VLAN) {
		if (hosts->vlan == 0 || (get16(frame + ETH_BYTES) & VLAN_ID) != hosts->vlan)
			return false;
		seen->type = get16(frame + ETH_BYTES + 2);
		at += VLAN_BYTES;
	} else if (hosts->vlan) {
		return false;
	}
	seen->packet = frame + at;
	seen->packet_bytes = length - at;
	return true;
}

/* RFC 791 3.1; hosts here are sent neither options nor fragments. */
static bool read_ipv4(struct seen *seen) {
	const uint8_t *ip = seen->packet;
	unsigned total;

	if (seen->packet_bytes < IPV4_BYTES || ip[0] != 0x45 || (get16(ip + 6) & 0x3fff) != 0)
		return false;
	total = get16(ip + 2);
	if (total < IPV4_BYTES || total > seen->packet_bytes)
		return false;
	seen->bad_header = sum_of(ip, IPV4_BYTES) != 0xffff;
	seen->packet_bytes = total;
	seen->l4 = ip + IPV4_BYTES;
	seen->l4_bytes = total - IPV4_BYTES;
	seen->protocol = ip[9];
	seen->hop_limit = ip[8];
	seen->scanner = dp_ip_v4(get32(ip + 12));
	seen->host = dp_ip_v4(get32(ip + 16));
	return true;
}

/* RFC 8200 3, without extension headers. */
static bool read_ipv6(struct seen *seen) {
	const uint8_t *ip = seen->packet;
	unsigned payload;

	if (seen->packet_bytes < IPV6_BYTES || ip[0] >> 4 != 6)
		return false;
	payload = get16(ip + 4);
	if (payload > seen->packet_bytes - IPV6_BYTES)
		return false;
	seen->packet_bytes = IPV6_BYTES + payload;
	seen->l4 = ip + IPV6_BYTES;
	seen->l4_bytes = payload;
	seen->protocol = ip[6];
	seen->hop_limit = ip[7];
	seen->scanner = dp_ip_get_v6(ip + 8);
	seen->host = dp_ip_get_v6(ip + 24);
	/* An IPv4 address in an IPv6 header is none. */
	return !dp_ip_is_v4(seen->scanner) && !dp_ip_is_v4(seen->host);
}

/* In both families the addresses, of the pseudo-header, are what the transport follows on. */
static bool l4_sum_good(const struct seen *seen) {
	const unsigned addresses = dp_ip_is_v4(seen->host) ? 8 : 32;

	return sum_fold((uint64_t)seen->protocol + seen->l4_bytes
		       + sum_of(seen->l4 - addresses, seen->l4_bytes + addresses))
		== 0xffff;
}

/* --- TCP -------------------------------------------------------------------------------------- */

struct segment {
	uint16_t scanner_port, host_port;
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	struct tcp_options options;
	const uint8_t *data;
	unsigned data_bytes;
};

/* Where a connection stands. */
struct connection {
	unsigned heard; /* bytes of the client's before this segment */
	unsigned said; /* of ours, acknowledged; a FIN counts as one */
	bool scaled; /* windows are, as both SYNs had the option */
};

enum {
	/* Of the host's first sequence number: what it will have said fits below. */
	SEQ_SCALED = 1 << 13,
	SEQ_HEARD_SHIFT = 14,
	SEQ_HEARD = (1 << (32 - SEQ_HEARD_SHIFT)) - 1,
};

static_assert(DP_SIM_BANNER_BYTES + 1 < SEQ_SCALED);

/* A number of a flow's own: its clock, and where its sequence numbers begin. */
static uint32_t flow_number(dp_ip host, uint16_t host_port, uint16_t scanner_port) {
	uint64_t z = ((uint64_t)(host >> 64) ^ (uint64_t)host) * UINT64_C(0x9e3779b97f4a7c15);

	z ^= ((uint64_t)host_port << 16 | scanner_port) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(z >> 32);
}

static uint32_t first_seq(uint32_t flow, uint32_t client_next, bool scaled) {
	return flow + (client_next << SEQ_HEARD_SHIFT) + (scaled ? SEQ_SCALED : 0);
}

static bool read_segment(const struct seen *seen, struct segment *segment) {
	const uint8_t *tcp = seen->l4;
	unsigned header_bytes;

	if (seen->l4_bytes < TCP_BYTES)
		return false;
	header_bytes = (tcp[12] >> 4) * 4u;
	if (header_bytes < TCP_BYTES || header_bytes > seen->l4_bytes || !l4_sum_good(seen))
		return false;
	segment->scanner_port = get16(tcp);
	segment->host_port = get16(tcp + 2);
	segment->seq = get32(tcp + 4);
	segment->ack = get32(tcp + 8);
	segment->flags = tcp[13];
	segment->window = get16(tcp + 14);
	segment->options = tcp_options_of(tcp + TCP_BYTES, header_bytes - TCP_BYTES);
	segment->data = tcp + header_bytes;
	segment->data_bytes = seen->l4_bytes - header_bytes;
	return true;
}

/*
 * Whether an acknowledgement is one in a connection with us. One that completes a handshake says so
 * in all of its number; of a later one, which leaves more open, the clock has to be right, or where
 * there is none it has to fall between segments of ours.
 */
static bool read_connection(const struct sim_hosts *hosts, const struct seen *seen,
	const struct segment *segment, struct connection *connection) {
	const uint32_t flow = flow_number(seen->host, segment->host_port, segment->scanner_port);
	const uint32_t off = segment->ack - 1 - first_seq(flow, segment->seq, false);

	connection->said = off & (SEQ_SCALED - 1);
	connection->scaled = off & SEQ_SCALED;
	connection->heard = -(off >> SEQ_HEARD_SHIFT) & SEQ_HEARD;
	if (segment->options.has_clock && segment->options.echo != flow)
		return false;
	if (connection->said == 0)
		return connection->heard == 0;
	return hosts->params.banners && connection->heard <= DP_HELLO_MAX_BYTES
		&& connection->said <= DP_SIM_BANNER_BYTES + 1;
}

/* Say what is next; false where the numbers are none of a connection's. */
static bool go_on(const struct sim_hosts *hosts, const struct seen *seen,
	const struct segment *segment, const struct connection *connection,
	struct sim_reply *reply) {
	const uint32_t window = (uint32_t)segment->window
		<< (connection->scaled ? PROBE_WINDOW_SCALE : 0);
	uint8_t nothing[1];
	struct sim_part part;

	if (connection->said == 0) {
		if (!sim_speaks(&hosts->params, seen->host, segment->host_port, segment->data,
			    segment->data_bytes))
			return true;
	} else {
		part = sim_say(&hosts->params, seen->host, segment->host_port, 0, 0, nothing);
		if (connection->said > part.total + part.closes)
			return false;
		if (!segment->options.has_clock && connection->said % SIM_SEGMENT != 0
			&& connection->said < part.total)
			return false;
		if (connection->said == part.total + part.closes)
			return true;
	}
	if (window == 0)
		return true;
	reply->kind = SIM_DATA;
	reply->seq = segment->ack;
	reply->ack = segment->seq + segment->data_bytes;
	reply->at = (uint16_t)connection->said;
	reply->room = window < SIM_SEGMENT ? (uint16_t)window : SIM_SEGMENT;
	return true;
}

/* What a segment without SYN or RST counts in sequence numbers, or one with SYN. */
static uint32_t segment_length(const struct segment *segment) {
	return segment->data_bytes + (segment->flags & TCP_SYN ? 1 : 0)
		+ (segment->flags & TCP_FIN ? 1 : 0);
}

static void reset(const struct segment *segment, bool shows_window, struct sim_reply *reply) {
	if (segment->flags & TCP_ACK) {
		reply->kind = SIM_RESET;
		reply->seq = segment->ack;
		reply->shows_window = shows_window;
		return;
	}
	reply->kind = SIM_RESET_ACK;
	reply->ack = segment->seq + segment_length(segment);
}

static void accept(
	const struct seen *seen, const struct segment *segment, struct sim_reply *reply) {
	const uint32_t flow = flow_number(seen->host, segment->host_port, segment->scanner_port);

	reply->kind = SIM_SYN_ACK;
	reply->ack = segment->seq + 1; /* data with a SYN comes again */
	reply->seq = first_seq(flow, reply->ack, segment->options.has_scale);
}

static enum sim_taken take_tcp(
	const struct sim_hosts *hosts, const struct seen *seen, struct sim_reply *reply) {
	struct connection connection;
	struct segment segment;
	enum dp_sim_state state;

	if (!read_segment(seen, &segment))
		return SIM_BAD;
	if (segment.flags & TCP_RST)
		return SIM_FAREWELL;
	state = dp_sim_port(&hosts->params, DP_PROTO_TCP, seen->host, segment.host_port);
	if (state == DP_SIM_SILENT)
		return SIM_REQUEST;
	reply->host_port = segment.host_port;
	reply->scanner_port = segment.scanner_port;
	reply->echo = segment.options.clock;
	reply->has_clock = segment.options.has_clock;
	reply->has_scale = segment.options.has_scale;
	if (state == DP_SIM_CLOSED) {
		reset(&segment, false, reply);
		return SIM_REQUEST;
	}
	switch (segment.flags & (TCP_SYN | TCP_ACK | TCP_FIN)) {
	case TCP_SYN:
	case TCP_SYN | TCP_FIN:
		accept(seen, &segment, reply);
		return SIM_REQUEST;
	case TCP_ACK:
		if (read_connection(hosts, seen, &segment, &connection)
			&& go_on(hosts, seen, &segment, &connection, reply))
			return SIM_CONNECTION;
		reset(&segment, true, reply);
		return SIM_REQUEST;
	case TCP_SYN | TCP_ACK:
	case TCP_SYN | TCP_ACK | TCP_FIN:
		reset(&segment, true, reply);
		return SIM_REQUEST;
	default:
		/* Nothing that opens or belongs to a connection; BSD ignores FIN with ACK, too. */
		return SIM_REQUEST;
	}
}

/* --- UDP -------------------------------------------------------------------------------------- */

static unsigned token_bytes(const struct dp_payload *payload) {
	switch (payload->token) {
	case DP_TOKEN_BINARY:
		return payload->token_bytes;
	case DP_TOKEN_HEX:
		return 2u * payload->token_bytes;
	default:
		return 0;
	}
}

/* Whether a request is this payload, whatever its token. */
static bool is_payload(const struct dp_payload *payload, const uint8_t *said, unsigned bytes) {
	const unsigned behind = payload->token_at + token_bytes(payload);

	if (bytes != payload->length || behind > bytes || token_bytes(payload) == 0)
		return false;
	return memcmp(said, payload->bytes, payload->token_at) == 0
		&& memcmp(said + behind, payload->bytes + behind, bytes - behind) == 0;
}

/* What a service that understands a request repeats of it: the note. */
static void understand(const struct sim_hosts *hosts, uint16_t port, const uint8_t *said,
	unsigned bytes, struct sim_reply *reply, const uint8_t **note) {
	const unsigned nb = book_payloads(hosts->book, port);

	for (unsigned i = 0; i < nb; i++) {
		const struct dp_payload *payload = book_payload(hosts->book, port, i);

		if (!is_payload(payload, said, bytes) || payload->reply_at > UDP_TOKEN_MAX)
			continue;
		*note = said + payload->token_at;
		reply->note_bytes = (uint16_t)token_bytes(payload);
		reply->at = payload->reply_at < 0 ? UDP_FILLER / 2 : (uint16_t)payload->reply_at;
		return;
	}
}

static enum sim_taken take_udp(const struct sim_hosts *hosts, const struct seen *seen,
	struct sim_reply *reply, const uint8_t **note) {
	const uint8_t *udp = seen->l4;
	const bool v4 = dp_ip_is_v4(seen->host);
	unsigned most;

	/* Only IPv4 lets a datagram go without a checksum (RFC 768, RFC 8200 8.1). */
	if (seen->l4_bytes < UDP_BYTES || get16(udp + 4) != seen->l4_bytes
		|| (get16(udp + 6) == 0 ? !v4 : !l4_sum_good(seen)))
		return SIM_BAD;
	reply->scanner_port = get16(udp);
	reply->host_port = get16(udp + 2);
	switch (dp_sim_port(&hosts->params, DP_PROTO_UDP, seen->host, reply->host_port)) {
	case DP_SIM_SILENT:
		break;
	case DP_SIM_OPEN:
		reply->kind = SIM_UDP;
		understand(hosts, reply->host_port, udp + UDP_BYTES, seen->l4_bytes - UDP_BYTES,
			reply, note);
		break;
	case DP_SIM_CLOSED:
		reply->kind = SIM_UNREACHABLE;
		most = v4 ? ICMP_ERROR_MAX - IPV4_BYTES - ICMP_BYTES
			  : ICMPV6_ERROR_MAX - IPV6_BYTES - ICMP_BYTES;
		*note = seen->packet;
		reply->note_bytes
			= (uint16_t)(seen->packet_bytes < most ? seen->packet_bytes : most);
		break;
	}
	return SIM_REQUEST;
}

/* --- SCTP ------------------------------------------------------------------------------------- */

/* The tag that a host gives to an association. */
static uint32_t host_tag(dp_ip host, uint16_t host_port, uint16_t scanner_port) {
	return flow_number(host, host_port, scanner_port) | 1;
}

/* RFC 9260 5.1 and 8.4: an INIT is alone in its packet, under the tag 0. */
static enum sim_taken take_sctp(
	const struct sim_hosts *hosts, const struct seen *seen, struct sim_reply *reply) {
	const uint8_t *sctp = seen->l4, *chunk = sctp + SCTP_BYTES;
	unsigned chunk_bytes;
	uint32_t tag;

	if (seen->l4_bytes < SCTP_BYTES + SCTP_ABORT_BYTES
		|| !sctp_checksum_good(sctp, seen->l4_bytes))
		return SIM_BAD;
	tag = get32(sctp + 4);
	chunk_bytes = get16(chunk + 2);
	if (chunk_bytes < SCTP_ABORT_BYTES || chunk_bytes > seen->l4_bytes - SCTP_BYTES)
		return SIM_BAD;
	reply->scanner_port = get16(sctp);
	reply->host_port = get16(sctp + 2);
	if (chunk[0] == SCTP_ABORT)
		return chunk[1] & SCTP_REFLECTED
				|| tag
					== host_tag(
						seen->host, reply->host_port, reply->scanner_port)
			? SIM_FAREWELL
			: SIM_BAD;
	if (chunk[0] != SCTP_INIT || tag != 0 || chunk_bytes < SCTP_INIT_BYTES
		|| ((chunk_bytes + 3) & ~3u) != seen->l4_bytes - SCTP_BYTES)
		return SIM_BAD;
	reply->echo = get32(chunk + 4);
	if (reply->echo == 0 || get32(chunk + 8) < SCTP_LEAST_WINDOW || get16(chunk + 12) == 0
		|| get16(chunk + 14) == 0)
		return SIM_BAD;
	switch (dp_sim_port(&hosts->params, DP_PROTO_SCTP, seen->host, reply->host_port)) {
	case DP_SIM_SILENT:
		break;
	case DP_SIM_OPEN:
		reply->kind = SIM_INIT_ACK;
		break;
	case DP_SIM_CLOSED:
		reply->kind = SIM_ABORT;
		break;
	}
	return SIM_REQUEST;
}

/* --- ICMP, and neighbours --------------------------------------------------------------------- */

static bool is_up(const struct sim_hosts *hosts, dp_ip host) {
	if (host && (host == hosts->gateway[0] || host == hosts->gateway[1]))
		return true;
	return dp_sim_port(&hosts->params, DP_PROTO_ICMP, host, 0) != DP_SIM_SILENT;
}

static enum sim_taken answer_with_note(const struct sim_hosts *hosts, const struct seen *seen,
	enum sim_kind kind, struct sim_reply *reply, const uint8_t **note) {
	if (seen->l4_bytes > SIM_NOTE_MAX - IPV6_BYTES)
		return SIM_BAD;
	if (is_up(hosts, seen->host)) {
		reply->kind = (uint8_t)kind;
		reply->note_bytes = (uint16_t)seen->l4_bytes;
		*note = seen->l4;
	}
	return SIM_REQUEST;
}

/* RFC 792, RFC 1122 3.2.2. */
static enum sim_taken take_icmp(const struct sim_hosts *hosts, const struct seen *seen,
	struct sim_reply *reply, const uint8_t **note) {
	const uint8_t *icmp = seen->l4;

	if (seen->l4_bytes < ICMP_BYTES || icmp[1] != 0 || sum_of(icmp, seen->l4_bytes) != 0xffff)
		return SIM_BAD;
	if (icmp[0] == ICMP_ECHO_REQUEST)
		return answer_with_note(hosts, seen, SIM_ECHO, reply, note);
	if (icmp[0] == ICMP_TIMESTAMP && seen->l4_bytes == ICMP_TIMESTAMP_BYTES)
		return answer_with_note(hosts, seen, SIM_TIMESTAMP, reply, note);
	return SIM_BAD;
}

/* Whether the options of a solicitation say where the scanner is. */
static bool says_source(const struct sim_hosts *hosts, const uint8_t *option, unsigned bytes) {
	while (bytes >= ND_OPTION_BYTES && option[1] != 0 && option[1] * 8u <= bytes) {
		if (option[0] == ND_OPTION_SOURCE && option[1] == 1)
			return mac_get(option + 2) == hosts->scanner_mac;
		bytes -= option[1] * 8u;
		option += option[1] * 8u;
	}
	return false;
}

/* RFC 4861 7.1.1, 7.2.3 and 7.2.4. */
static enum sim_taken take_solicitation(
	const struct sim_hosts *hosts, const struct seen *seen, struct sim_reply *reply) {
	const uint8_t *nd = seen->l4;
	dp_ip asked;

	if (seen->hop_limit != ND_HOP_LIMIT || seen->l4_bytes < ND_BYTES)
		return SIM_BAD;
	asked = dp_ip_get_v6(nd + 8);
	if (seen->host != asked && seen->host != solicited_node(asked))
		return SIM_BAD;
	/* Who asks a group has to say where it is; a node without an address (DAD) is none of ours. */
	if (seen->scanner == 0
		|| (seen->group && !says_source(hosts, nd + ND_BYTES, seen->l4_bytes - ND_BYTES)))
		return SIM_BAD;
	reply->host = asked;
	if (is_up(hosts, asked))
		reply->kind = SIM_ADVERTISEMENT;
	return SIM_REQUEST;
}

static enum sim_taken take_icmpv6(const struct sim_hosts *hosts, const struct seen *seen,
	struct sim_reply *reply, const uint8_t **note) {
	const uint8_t *icmp = seen->l4;

	if (seen->l4_bytes < ICMP_BYTES || icmp[1] != 0 || !l4_sum_good(seen))
		return SIM_BAD;
	if (icmp[0] == ICMPV6_SOLICITATION)
		return take_solicitation(hosts, seen, reply);
	if (icmp[0] == ICMPV6_ECHO_REQUEST && !seen->group)
		return answer_with_note(hosts, seen, SIM_ECHO, reply, note);
	return SIM_BAD;
}

/* RFC 826; a sender that has no address yet (RFC 5227) is told, too. */
static enum sim_taken take_arp(
	const struct sim_hosts *hosts, const struct seen *seen, struct sim_reply *reply) {
	static const uint8_t request[] = {0, 1, 8, 0, 6, 4, 0, ARP_REQUEST};
	const uint8_t *arp = seen->packet;

	if (seen->packet_bytes < ARP_BYTES || memcmp(arp, request, sizeof(request)) != 0
		|| mac_get(arp + 8) != hosts->scanner_mac)
		return SIM_BAD;
	reply->scanner = dp_ip_v4(get32(arp + 14));
	reply->host = dp_ip_v4(get32(arp + 24));
	if (is_up(hosts, reply->host))
		reply->kind = SIM_ARP;
	return SIM_REQUEST;
}

static enum sim_taken take_packet(const struct sim_hosts *hosts, const struct seen *seen,
	struct sim_reply *reply, const uint8_t **note) {
	const bool v4 = dp_ip_is_v4(seen->host);

	reply->host = seen->host;
	reply->scanner = seen->scanner;
	if (!v4 && seen->protocol == IPV4_ICMPV6)
		return take_icmpv6(hosts, seen, reply, note);
	if (seen->group)
		return SIM_BAD;
	switch (seen->protocol) {
	case IPV4_TCP:
		return take_tcp(hosts, seen, reply);
	case IPV4_UDP:
		return take_udp(hosts, seen, reply, note);
	case IPV4_SCTP:
		return take_sctp(hosts, seen, reply);
	case IPV4_ICMP:
		return v4 ? take_icmp(hosts, seen, reply, note) : SIM_BAD;
	default:
		return SIM_BAD;
	}
}

enum sim_taken sim_take(const struct sim_hosts *hosts, const uint8_t *frame, unsigned length,
	struct sim_reply *reply, const uint8_t **note) {
	struct seen seen = {0};

	*reply = (struct sim_reply){.kind = SIM_NOTHING};
	*note = NULL;
	if (!read_link(hosts, frame, length, &seen))
		return SIM_BAD;
	switch (seen.type) {
	case ETH_TYPE_IPV4:
		return read_ipv4(&seen) && !seen.bad_header ? take_packet(hosts, &seen, reply, note)
							    : SIM_BAD;
	case ETH_TYPE_IPV6:
		return read_ipv6(&seen) ? take_packet(hosts, &seen, reply, note) : SIM_BAD;
	case ETH_TYPE_ARP:
		return take_arp(hosts, &seen, reply);
	default:
		return SIM_BAD;
	}
}

static bool l4_damaged(const struct seen *seen) {
	const uint8_t *l4 = seen->l4;
	const unsigned bytes = seen->l4_bytes;

	switch (seen->protocol) {
	case IPV4_TCP:
		return bytes >= TCP_BYTES && !l4_sum_good(seen);
	case IPV4_UDP:
		return bytes >= UDP_BYTES && (get16(l4 + 6) || !dp_ip_is_v4(seen->host))
			&& !l4_sum_good(seen);
	case IPV4_SCTP:
		return bytes >= SCTP_BYTES && !sctp_checksum_good(l4, bytes);
	case IPV4_ICMP:
		return bytes >= ICMP_BYTES && sum_of(l4, bytes) != 0xffff;
	case IPV4_ICMPV6:
		return bytes >= ICMP_BYTES && !l4_sum_good(seen);
	default:
		return false;
	}
}

bool sim_is_damaged(const struct sim_hosts *hosts, const uint8_t *frame, unsigned length) {
	struct seen seen = {0};

	if (!read_link(hosts, frame, length, &seen))
		return false;
	if (seen.type == ETH_TYPE_IPV4 ? !read_ipv4(&seen)
				       : seen.type != ETH_TYPE_IPV6 || !read_ipv6(&seen))
		return false;
	return seen.bad_header || l4_damaged(&seen);
}

/* --- what goes -------------------------------------------------------------------------------- */

/* A transport's bytes and what is to be known of them. */
struct outgoing {
	unsigned bytes;
	uint8_t protocol, hop_limit;
};

static uint16_t checksum(
	const struct sim_reply *reply, uint8_t protocol, const uint8_t *l4, unsigned bytes) {
	return (uint16_t)~sum_fold(
		sum_pseudo_ip(reply->host, reply->scanner, protocol, bytes) + sum_of(l4, bytes));
}

/* The address of a station, where somebody asks for it. */
static uint64_t host_mac(dp_ip host) {
	return UINT64_C(0x021000000000) | (uint32_t)host;
}

/* The options of a segment, behind its header at @tcp; returns their bytes. */
static unsigned put_options(const struct sim_reply *reply, uint32_t clock, uint8_t *tcp) {
	/* clang-format off */
	static const uint8_t both[SYN_ACK_OPTIONS] = {
		2, 4, 0x05, 0xb4, /* MSS 1460 */
		4, 2, /* SACK permitted */
		8, 10, 0, 0, 0, 0, 0, 0, 0, 0, /* its clock, and the probe's */
		1, /* padding */
		3, 3, 7, /* window scale 7 */
	};
	static const uint8_t scale_only[] = {2, 4, 0x05, 0xb4, 1, 3, 3, 7};
	/* clang-format on */
	const bool syn = reply->kind == SIM_SYN_ACK;
	unsigned bytes = 0;

	/* Nothing that was not offered to us (RFC 7323 1.3). */
	if (syn && reply->has_clock && reply->has_scale) {
		memcpy(tcp + TCP_BYTES, both, sizeof(both));
		put32(tcp + TCP_BYTES + 8, clock);
		put32(tcp + TCP_BYTES + 12, reply->echo);
		return sizeof(both);
	}
	if (syn) {
		bytes = reply->has_scale ? sizeof(scale_only) : TCP_OPTION_MSS_BYTES;
		memcpy(tcp + TCP_BYTES, scale_only, bytes);
	}
	if (!reply->has_clock)
		return bytes;
	tcp += TCP_BYTES + bytes;
	tcp[0] = tcp[1] = TCP_OPTION_NOP;
	tcp[2] = TCP_OPTION_CLOCK;
	tcp[3] = TCP_OPTION_CLOCK_BYTES;
	put32(tcp + 4, clock);
	put32(tcp + 8, reply->echo);
	return bytes + CLOCK_OPTIONS;
}

/* Data behind a header of @header_bytes, and the flags that go with it. */
static unsigned put_data(const struct sim_hosts *hosts, const struct sim_reply *reply, uint8_t *tcp,
	unsigned header_bytes) {
	const struct sim_part part = sim_say(&hosts->params, reply->host, reply->host_port,
		reply->at, reply->room, tcp + header_bytes);

	tcp[13] = TCP_ACK | (part.bytes ? TCP_PSH : 0);
	if (part.closes && reply->at + part.bytes == part.total
		&& (part.bytes == 0 || !part.late_fin))
		tcp[13] |= TCP_FIN;
	return part.bytes;
}

static struct outgoing put_tcp(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *tcp) {
	static const uint8_t flags[SIM_KINDS] = {
		[SIM_RESET] = TCP_RST,
		[SIM_RESET_ACK] = TCP_RST | TCP_ACK,
		[SIM_SYN_ACK] = TCP_SYN | TCP_ACK,
	};
	unsigned bytes = TCP_BYTES;

	memset(tcp, 0, TCP_BYTES);
	put16(tcp, reply->host_port);
	put16(tcp + 2, reply->scanner_port);
	put32(tcp + 4, reply->seq);
	put32(tcp + 8, reply->ack);
	tcp[13] = flags[reply->kind];
	if (reply->kind == SIM_SYN_ACK || reply->kind == SIM_DATA) {
		bytes += put_options(reply,
			flow_number(reply->host, reply->host_port, reply->scanner_port), tcp);
		put16(tcp + 14, WINDOW);
	} else if (reply->shows_window) {
		put16(tcp + 14, OPEN_WINDOW);
	}
	tcp[12] = (uint8_t)(bytes / 4 << 4);
	if (reply->kind == SIM_DATA)
		bytes += put_data(hosts, reply, tcp, bytes);
	put16(tcp + 16, checksum(reply, IPV4_TCP, tcp, bytes));
	return (struct outgoing){bytes, IPV4_TCP, TTL};
}

/* The token in its place, and other bytes around it. */
static struct outgoing put_udp(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *udp) {
	const unsigned more = reply->host_port & 0x1f;
	const unsigned data = reply->at + reply->note_bytes + UDP_FILLER + more;
	const unsigned bytes = UDP_BYTES + data;
	uint16_t sum;

	put16(udp, reply->host_port);
	put16(udp + 2, reply->scanner_port);
	put16(udp + 4, (uint16_t)bytes);
	put16(udp + 6, 0);
	for (unsigned i = 0; i < data; i++)
		udp[UDP_BYTES + i] = (uint8_t)('a' + i % 26);
	if (reply->note_bytes)
		memcpy(udp + UDP_BYTES + reply->at, note, reply->note_bytes);
	sum = checksum(reply, IPV4_UDP, udp, bytes);
	put16(udp + 6, sum ? sum : 0xffff);
	return (struct outgoing){bytes, IPV4_UDP, TTL};
}

/* ICMP's checksum is over itself, ICMPv6's over a pseudo-header, too. */
static struct outgoing finish_icmp(const struct sim_reply *reply, uint8_t *icmp, unsigned bytes) {
	const bool v4 = dp_ip_is_v4(reply->host);

	put16(icmp + 2, 0);
	put16(icmp + 2,
		v4 ? (uint16_t)~sum_of(icmp, bytes) : checksum(reply, IPV4_ICMPV6, icmp, bytes));
	return (struct outgoing){bytes, v4 ? IPV4_ICMP : IPV4_ICMPV6, TTL};
}

static struct outgoing put_unreachable(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *icmp) {
	const bool v4 = dp_ip_is_v4(reply->host);

	memset(icmp, 0, ICMP_BYTES);
	icmp[0] = v4 ? ICMP_UNREACHABLE : ICMPV6_UNREACHABLE;
	icmp[1] = v4 ? ICMP_PORT : ICMPV6_PORT;
	memcpy(icmp + ICMP_BYTES, note, reply->note_bytes);
	return finish_icmp(reply, icmp, ICMP_BYTES + reply->note_bytes);
}

static struct outgoing put_echo(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *icmp) {
	memcpy(icmp, note, reply->note_bytes);
	icmp[0] = dp_ip_is_v4(reply->host) ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;
	return finish_icmp(reply, icmp, reply->note_bytes);
}

static struct outgoing put_timestamp(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *icmp) {
	const uint32_t now_ms = flow_number(reply->host, 0, 0) % DAY_MS;

	memcpy(icmp, note, ICMP_TIMESTAMP_BYTES);
	icmp[0] = ICMP_TIMESTAMP_REPLY;
	put32(icmp + 12, now_ms);
	put32(icmp + 16, now_ms);
	return finish_icmp(reply, icmp, ICMP_TIMESTAMP_BYTES);
}

/* RFC 4861 4.4. */
static struct outgoing put_advertisement(const struct sim_hosts *hosts,
	const struct sim_reply *reply, const uint8_t *note, uint8_t *nd) {
	struct outgoing out;

	memset(nd, 0, ND_BYTES);
	nd[0] = ICMPV6_ADVERTISEMENT;
	nd[4] = ND_SOLICITED | ND_OVERRIDE;
	dp_ip_put_v6(nd + 8, reply->host);
	nd[ND_BYTES] = ND_OPTION_TARGET;
	nd[ND_BYTES + 1] = 1;
	mac_put(nd + ND_BYTES + 2, host_mac(reply->host));
	out = finish_icmp(reply, nd, ND_BYTES + ND_OPTION_BYTES);
	out.hop_limit = ND_HOP_LIMIT;
	return out;
}

/* RFC 9260 3.3.3: a cookie is the least that it must have. */
static struct outgoing put_sctp(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *sctp) {
	const bool open = reply->kind == SIM_INIT_ACK;
	const unsigned chunk_bytes = open ? SCTP_INIT_BYTES + SCTP_COOKIE_BYTES : SCTP_ABORT_BYTES;
	const uint32_t tag = host_tag(reply->host, reply->host_port, reply->scanner_port);
	uint8_t *chunk = sctp + SCTP_BYTES;

	put16(sctp, reply->host_port);
	put16(sctp + 2, reply->scanner_port);
	put32(sctp + 4, reply->echo);
	memset(chunk, 0, chunk_bytes);
	chunk[0] = open ? SCTP_INIT_ACK : SCTP_ABORT;
	put16(chunk + 2, (uint16_t)chunk_bytes);
	if (open) {
		put32(chunk + 4, tag);
		put32(chunk + 8, WINDOW);
		put16(chunk + 12, 10); /* streams */
		put16(chunk + 14, 10);
		put32(chunk + 16, ~tag);
		put16(chunk + SCTP_INIT_BYTES, SCTP_COOKIE);
		put16(chunk + SCTP_INIT_BYTES + 2, SCTP_COOKIE_BYTES);
		put32(chunk + SCTP_INIT_BYTES + 4, tag);
	}
	sctp_put_checksum(sctp, SCTP_BYTES + chunk_bytes);
	return (struct outgoing){SCTP_BYTES + chunk_bytes, IPV4_SCTP, TTL};
}

/* Write a reply's transport at @l4. */
typedef struct outgoing writer(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *l4);

static unsigned write_arp(
	const struct sim_hosts *hosts, const struct sim_reply *reply, uint8_t *frame) {
	const uint64_t mac = host_mac(reply->host);
	unsigned at = eth_put(frame, hosts->scanner_mac, mac, hosts->vlan, ETH_TYPE_ARP);
	uint8_t *arp = frame + at;

	put16(arp, 1);
	put16(arp + 2, ETH_TYPE_IPV4);
	put16(arp + 4, 6 << 8 | 4);
	put16(arp + 6, ARP_REPLY);
	mac_put(arp + 8, mac);
	put32(arp + 14, dp_ip_to_v4(reply->host));
	mac_put(arp + 18, hosts->scanner_mac);
	put32(arp + 24, dp_ip_to_v4(reply->scanner));
	return at + ARP_BYTES;
}

unsigned sim_write(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *frame) {
	static writer *const writers[SIM_KINDS] = {
		[SIM_RESET] = put_tcp,
		[SIM_RESET_ACK] = put_tcp,
		[SIM_SYN_ACK] = put_tcp,
		[SIM_DATA] = put_tcp,
		[SIM_UDP] = put_udp,
		[SIM_UNREACHABLE] = put_unreachable,
		[SIM_ECHO] = put_echo,
		[SIM_TIMESTAMP] = put_timestamp,
		[SIM_ADVERTISEMENT] = put_advertisement,
		[SIM_INIT_ACK] = put_sctp,
		[SIM_ABORT] = put_sctp,
	};
	const bool v4 = dp_ip_is_v4(reply->host);
	const uint64_t from_mac
		= reply->kind == SIM_ADVERTISEMENT ? host_mac(reply->host) : ROUTER_MAC;
	struct outgoing out;
	unsigned at;

	if (reply->kind == SIM_ARP)
		return write_arp(hosts, reply, frame);
	at = eth_put(frame, hosts->scanner_mac, from_mac, hosts->vlan,
		v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	out = writers[reply->kind](hosts, reply, note, frame + at + (v4 ? IPV4_BYTES : IPV6_BYTES));
	if (v4) {
		ipv4_put(frame + at, (uint16_t)(IPV4_BYTES + out.bytes), 0, out.hop_limit,
			out.protocol, dp_ip_to_v4(reply->host), dp_ip_to_v4(reply->scanner));
		return at + IPV4_BYTES + out.bytes;
	}
	ipv6_put(frame + at, (uint16_t)out.bytes, out.protocol, out.hop_limit, reply->host,
		reply->scanner);
	return at + IPV6_BYTES + out.bytes;
}
