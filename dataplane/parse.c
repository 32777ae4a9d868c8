/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parse and validate received frames, and write the few frames that answer some of them. Pure
 * functions that the RX lcores run; they own no memory and trust no byte.
 */
#include "hello.h"
#include "parse.h"

struct packet {
	const struct probe_module *module;
	const struct probe_env *env;
	const uint8_t *frame;
	unsigned length;
	uint32_t clock_us;
};

/* RFC 826, for Ethernet and IPv4. */
static enum frame_kind parse_arp(const struct packet *packet, struct frame_view *view) {
	const uint8_t *arp = packet->frame + ETH_BYTES;
	uint32_t asked;

	if (packet->length < ETH_BYTES + ARP_BYTES)
		return FRAME_MALFORMED;
	if (get16(arp) != 1 || get16(arp + 2) != ETH_TYPE_IPV4 || arp[4] != 6 || arp[5] != 4)
		return FRAME_OTHER;
	view->arp.mac = mac_get(arp + 8);
	view->arp.ip = get32(arp + 14);
	asked = get32(arp + 24);
	switch (get16(arp + 6)) {
	case ARP_REQUEST:
		return asked == packet->env->source_ip ? FRAME_ARP_REQUEST : FRAME_OTHER;
	case ARP_REPLY:
		/* Address 0 is that of a probe by RFC 5227 2.1.1, which we send on shared ports. */
		if (mac_get(arp + 18) != packet->env->source_mac
			|| (asked != packet->env->source_ip && asked != 0))
			return FRAME_OTHER;
		return FRAME_ARP_REPLY;
	default:
		return FRAME_OTHER;
	}
}

static bool tcp_checksum_good(const uint8_t *ip, const uint8_t *tcp, unsigned bytes) {
	uint64_t pseudo = sum_pseudo(get32(ip + 12), get32(ip + 16), IPV4_TCP, bytes);

	if (sum_fold(pseudo + sum_bytes(tcp, bytes)) == 0xffff)
		return true;
	/* Virtual devices hand over segments whose checksum the device was to complete. */
	return get16(tcp + 16) == sum_fold(pseudo);
}

/* What a segment is for us, with @bytes of data, fewer than 65,536 in an IPv4 packet. */
static enum frame_kind judge(struct frame_view *view, const uint8_t *data, unsigned bytes) {
	switch (view->kind) {
	case PROBE_NONE:
		return FRAME_REJECTED;
	case PROBE_DATA:
		view->answer.kind = DP_ANSWER_BANNER;
		view->answer.banner = data;
		view->answer.banner_bytes = (uint16_t)bytes;
		return FRAME_ANSWER;
	case PROBE_FIN:
	case PROBE_QUIET:
		return FRAME_CONNECTION;
	default:
		return FRAME_ANSWER;
	}
}

static enum frame_kind parse_tcp(const struct packet *packet, const uint8_t *ip, const uint8_t *tcp,
	unsigned bytes, struct frame_view *view) {
	struct tcp_segment segment;
	unsigned header_bytes;

	if (bytes < TCP_BYTES)
		return FRAME_MALFORMED;
	segment.dst_port = get16(tcp + 2);
	if (!cookie_owns_port(&packet->env->cookie, segment.dst_port))
		return FRAME_OTHER;
	header_bytes = (tcp[12] >> 4) * 4u;
	if (header_bytes < TCP_BYTES || header_bytes > bytes)
		return FRAME_MALFORMED;
	if (!tcp_checksum_good(ip, tcp, bytes))
		return FRAME_BAD_CHECKSUM;
	segment.src_ip = get32(ip + 12);
	segment.src_port = get16(tcp);
	segment.seq = get32(tcp + 4);
	segment.ack = get32(tcp + 8);
	segment.flags = tcp[13];
	segment.options = tcp + TCP_BYTES;
	segment.options_bytes = header_bytes - TCP_BYTES;
	segment.data_bytes = bytes - header_bytes;
	view->kind
		= packet->module->verdict(packet->env, &segment, packet->clock_us, &view->answer);
	view->ack = segment.ack;
	view->our_port = segment.dst_port;
	view->zero_window = get16(tcp + 14) == 0;
	view->answer.ttl = ip[8];
	return judge(view, tcp + header_bytes, segment.data_bytes);
}

/* RFC 792 and RFC 1812 5.2.7.1; the codes that nmap's SYN scan takes for an answer. */
static int unreachable_reason(uint8_t code) {
	switch (code) {
	case 0:
		return DP_REASON_NET_UNREACH;
	case 1:
		return DP_REASON_HOST_UNREACH;
	case 2:
		return DP_REASON_PROTO_UNREACH;
	case 3:
		return DP_REASON_PORT_UNREACH;
	case 9:
		return DP_REASON_NET_PROHIBITED;
	case 10:
		return DP_REASON_HOST_PROHIBITED;
	case 13:
		return DP_REASON_ADMIN_PROHIBITED;
	default:
		return -1;
	}
}

/* An ICMP error quotes the IP header and eight bytes at the least of what it is about. */
static enum frame_kind parse_unreachable(const struct packet *packet, const uint8_t *ip,
	const uint8_t *icmp, unsigned bytes, struct frame_view *view) {
	const uint8_t *quoted = icmp + ICMP_BYTES;
	int reason = unreachable_reason(icmp[1]);
	unsigned header_bytes;

	if (bytes < ICMP_BYTES + IPV4_BYTES)
		return FRAME_MALFORMED;
	header_bytes = (quoted[0] & 0xf) * 4u;
	if (quoted[0] >> 4 != 4 || header_bytes < IPV4_BYTES
		|| bytes < ICMP_BYTES + header_bytes + 8)
		return FRAME_MALFORMED;
	if (quoted[9] != IPV4_TCP || get32(quoted + 12) != packet->env->source_ip
		|| !cookie_owns_port(&packet->env->cookie, get16(quoted + header_bytes))
		|| reason < 0)
		return FRAME_OTHER;
	if (!packet->module->quoted(packet->env, quoted, header_bytes, &view->answer))
		return FRAME_REJECTED;
	view->kind = PROBE_ICMP_UNREACHABLE;
	view->answer.state = DP_STATE_FILTERED;
	view->answer.reason = (uint8_t)reason;
	view->answer.ttl = ip[8];
	return FRAME_ANSWER;
}

static enum frame_kind parse_icmp(const struct packet *packet, const uint8_t *ip,
	const uint8_t *icmp, unsigned bytes, struct frame_view *view) {
	if (bytes < ICMP_BYTES)
		return FRAME_MALFORMED;
	if (sum_fold(sum_bytes(icmp, bytes)) != 0xffff)
		return FRAME_BAD_CHECKSUM;
	if (icmp[0] == ICMP_UNREACHABLE)
		return parse_unreachable(packet, ip, icmp, bytes, view);
	return icmp[0] == ICMP_ECHO_REQUEST ? FRAME_ECHO_REQUEST : FRAME_OTHER;
}

static enum frame_kind parse_ipv4(const struct packet *packet, struct frame_view *view) {
	const uint8_t *ip = packet->frame + ETH_BYTES;
	unsigned room = packet->length - ETH_BYTES, header_bytes, total;

	if (room < IPV4_BYTES)
		return FRAME_MALFORMED;
	if (get32(ip + 16) != packet->env->source_ip)
		return FRAME_OTHER;
	header_bytes = (ip[0] & 0xf) * 4u;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header_bytes < IPV4_BYTES || total < header_bytes || total > room)
		return FRAME_MALFORMED;
	/* A response to one small packet has no reason to come in fragments. */
	if (get16(ip + 6) & 0x3fff)
		return FRAME_MALFORMED;
	if (sum_fold(sum_bytes(ip, header_bytes)) != 0xffff)
		return FRAME_BAD_CHECKSUM;
	view->ip_at = ETH_BYTES;
	view->ip_bytes = total;
	switch (ip[9]) {
	case IPV4_TCP:
		return parse_tcp(packet, ip, ip + header_bytes, total - header_bytes, view);
	case IPV4_ICMP:
		return parse_icmp(packet, ip, ip + header_bytes, total - header_bytes, view);
	default:
		return FRAME_OTHER;
	}
}

enum frame_kind frame_parse(const struct probe_module *module, const struct probe_env *env,
	const uint8_t *frame, unsigned length, uint32_t clock_us, struct frame_view *view) {
	const struct packet packet = {module, env, frame, length, clock_us};

	view->answer.kind = DP_ANSWER_STATE;
	view->answer.banner = NULL;
	view->answer.banner_bytes = 0;
	if (length < ETH_BYTES)
		return FRAME_MALFORMED;
	if (mac_get(frame + 6) == env->source_mac)
		return FRAME_OWN;
	switch (get16(frame + ETH_TYPE_AT)) {
	case ETH_TYPE_IPV4:
		return parse_ipv4(&packet, view);
	case ETH_TYPE_ARP:
		return parse_arp(&packet, view);
	default:
		return FRAME_OTHER;
	}
}

static void arp_put(uint8_t *arp, uint16_t operation, uint64_t sender_mac, uint32_t sender_ip,
	uint64_t target_mac, uint32_t target_ip) {
	put16(arp, 1);
	put16(arp + 2, ETH_TYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, operation);
	mac_put(arp + 8, sender_mac);
	put32(arp + 14, sender_ip);
	mac_put(arp + 18, target_mac);
	put32(arp + 24, target_ip);
}

unsigned frame_arp_request(
	uint8_t *out, uint64_t our_mac, uint32_t our_ip, uint64_t to_mac, uint32_t asked_ip) {
	memset(out, 0, ETH_MIN_FRAME);
	eth_put(out, to_mac, our_mac, ETH_TYPE_ARP);
	arp_put(out + ETH_BYTES, ARP_REQUEST, our_mac, our_ip, 0, asked_ip);
	return ETH_MIN_FRAME;
}

unsigned frame_arp_reply(
	uint8_t *out, const struct probe_env *env, uint64_t to_mac, uint32_t to_ip) {
	memset(out, 0, ETH_MIN_FRAME);
	eth_put(out, to_mac, env->source_mac, ETH_TYPE_ARP);
	arp_put(out + ETH_BYTES, ARP_REPLY, env->source_mac, env->source_ip, to_mac, to_ip);
	return ETH_MIN_FRAME;
}

static unsigned padded(uint8_t *out, unsigned length) {
	if (length < ETH_MIN_FRAME)
		memset(out + length, 0, ETH_MIN_FRAME - length);
	return length < ETH_MIN_FRAME ? ETH_MIN_FRAME : length;
}

unsigned frame_echo_reply(uint8_t *out, const struct probe_env *env, const uint8_t *request,
	const struct frame_view *view) {
	const uint8_t *asked = request + view->ip_at;
	unsigned header_bytes = (asked[0] & 0xf) * 4u, bytes = view->ip_bytes - header_bytes;
	uint8_t *icmp = out + ETH_BYTES + IPV4_BYTES;

	eth_put(out, mac_get(request + 6), env->source_mac, ETH_TYPE_IPV4);
	ipv4_put(out + ETH_BYTES, (uint16_t)(IPV4_BYTES + bytes), get16(asked + 4), 64, IPV4_ICMP,
		env->source_ip, get32(asked + 12));
	memcpy(icmp, asked + header_bytes, bytes);
	icmp[0] = ICMP_ECHO_REPLY;
	put16(icmp + 2, 0);
	put16(icmp + 2, (uint16_t)~sum_fold(sum_bytes(icmp, bytes)));
	return padded(out, ETH_BYTES + IPV4_BYTES + bytes);
}

/* A TCP header without options toward the sender of @received; the checksum is to follow. */
static uint8_t *reply_put(uint8_t *out, const struct probe_env *env, const uint8_t *received,
	const struct frame_view *view, unsigned bytes) {
	uint8_t *tcp = out + ETH_BYTES + IPV4_BYTES;

	eth_put(out, mac_get(received + 6), env->source_mac, ETH_TYPE_IPV4);
	ipv4_put(out + ETH_BYTES, (uint16_t)(IPV4_BYTES + bytes), 0, 64, IPV4_TCP, env->source_ip,
		view->answer.ip);
	memset(tcp, 0, TCP_BYTES);
	put16(tcp, view->our_port);
	put16(tcp + 2, view->answer.port);
	/* RFC 9293 3.5.2: a reset that answers a segment with ACK takes its sequence from it. */
	put32(tcp + 4, view->ack);
	return tcp;
}

/* The window as its field shows it; one that is scaled in ours is scaled in theirs (RFC 7323 2.2). */
static uint16_t window_field(const struct probe_env *env, const struct tcp_options *options) {
	unsigned shift = options->has_scale ? PROBE_WINDOW_SCALE : 0;

	return (uint16_t)((env->banner_window + (1u << shift) - 1) >> shift);
}

unsigned frame_hello(uint8_t *out, const struct probe_env *env, const uint8_t *syn_ack,
	const struct frame_view *view, uint32_t clock_us) {
	const uint8_t *ip = syn_ack + view->ip_at, *theirs = ip + (ip[0] & 0xf) * 4u;
	const struct tcp_options options
		= tcp_options_of(theirs + TCP_BYTES, (theirs[12] >> 4) * 4u - TCP_BYTES);
	const struct hello hello = hello_for(view->answer.port);
	unsigned header_bytes = TCP_BYTES + (options.has_clock ? 2 + TCP_OPTION_CLOCK_BYTES : 0);
	unsigned bytes = header_bytes + hello.length;
	uint8_t *tcp = reply_put(out, env, syn_ack, view, bytes);

	put32(tcp + 8, get32(theirs + 4) + 1);
	tcp[12] = (uint8_t)(header_bytes / 4 << 4);
	tcp[13] = hello.length ? TCP_ACK | TCP_PSH : TCP_ACK;
	put16(tcp + 14, window_field(env, &options));
	if (options.has_clock) {
		/* Once both SYNs had them, each segment has (RFC 7323 3.2). */
		tcp[TCP_BYTES] = tcp[TCP_BYTES + 1] = TCP_OPTION_NOP;
		tcp[TCP_BYTES + 2] = TCP_OPTION_CLOCK;
		tcp[TCP_BYTES + 3] = TCP_OPTION_CLOCK_BYTES;
		put32(tcp + TCP_BYTES + 4, clock_us);
		put32(tcp + TCP_BYTES + 8, options.clock);
	}
	if (hello.length)
		memcpy(tcp + header_bytes, hello.bytes, hello.length);
	tcp_put_checksum(tcp, env->source_ip, view->answer.ip, (uint16_t)bytes);
	return padded(out, ETH_BYTES + IPV4_BYTES + bytes);
}

unsigned frame_reset(uint8_t *out, const struct probe_env *env, const uint8_t *segment,
	const struct frame_view *view) {
	uint8_t *tcp = reply_put(out, env, segment, view, TCP_BYTES);

	tcp[12] = (TCP_BYTES / 4) << 4;
	tcp[13] = TCP_RST;
	tcp_put_checksum(tcp, env->source_ip, view->answer.ip, TCP_BYTES);
	return padded(out, ETH_BYTES + IPV4_BYTES + TCP_BYTES);
}
