/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parse and validate received frames. Pure functions that the RX lcores run; they own no memory and
 * trust no byte.
 */
#include "crc32c.h"
#include "parse.h"

enum {
	MAX_EXTENSIONS = 8, /* IPv6 headers that we walk over; nobody needs more than a few */
	MAX_MODULES = PROBE_MAX_STEPS + 1,
	QUOTED_BYTES = 8, /* of a transport header, at least (RFC 792) */
};

struct parse {
	const struct scan *scan;
	const struct frame_meta *meta;
	const uint8_t *frame;
	struct frame_view *view;
};

/* --- modules --------------------------------------------------------------------------------- */

/* The modules of a scan type in one family, each once. */
struct modules {
	const struct probe_module *at[MAX_MODULES];
	unsigned n;
};

static void add_module(struct modules *modules, const struct probe_module *module) {
	for (unsigned i = 0; i < modules->n; i++)
		if (modules->at[i] == module)
			return;
	modules->at[modules->n++] = module;
}

static struct modules modules_of(const struct probe_type *type, enum family family) {
	struct modules modules = {.n = 0};

	for (unsigned i = 0; i < type->nb_steps[family] && i < PROBE_MAX_STEPS; i++)
		add_module(&modules, type->step[family][i].module);
	if (type->on_link[family])
		add_module(&modules, type->on_link[family]);
	return modules;
}

static bool has_ports(uint8_t protocol) {
	return protocol == IPV4_TCP || protocol == IPV4_UDP || protocol == IPV4_SCTP;
}

static struct verdict judge_by(const struct parse *parse, const struct probe_module *module,
	const struct packet *packet, const struct tcp_segment *segment) {
	const struct probe_env *env = &parse->scan->env;
	struct dp_answer *answer = &parse->view->answer;
	const uint32_t clock_us = parse->meta->clock_us;

	if (segment)
		return module->segment ? module->segment(env, packet, segment, clock_us, answer)
				       : (struct verdict){.kind = PROBE_NONE};
	return module->packet ? module->packet(env, packet, clock_us, answer)
			      : (struct verdict){.kind = PROBE_NONE};
}

/* What an accepted response makes of its host and its connection. */
static enum frame_kind accept(const struct parse *parse) {
	struct dp_answer *answer = &parse->view->answer;

	switch (parse->view->verdict.kind) {
	case PROBE_FIN:
	case PROBE_QUIET:
		return FRAME_CONNECTION;
	case PROBE_DATA:
	case PROBE_DATA_AHEAD:
	case PROBE_DATA_END:
		answer->kind = DP_ANSWER_BANNER;
		break;
	default:
		break;
	}
	if (parse->scan->type->host) {
		answer->state = DP_STATE_UP;
		answer->port = 0;
	}
	return FRAME_ANSWER;
}

/*
 * Hand a response to the modules that it may be for until one takes it: those of its IP protocol, or
 * of @link, where that is what it is of. FRAME_REJECTED where none did. Where none could, what is of
 * one of our ports is rejected, too, and the rest is somebody else's.
 */
static enum frame_kind dispatch(const struct parse *parse, const struct packet *packet,
	const struct tcp_segment *segment, enum dp_proto link) {
	const struct modules modules = modules_of(parse->scan->type, packet->family);
	enum frame_kind kind = has_ports(packet->protocol) ? FRAME_REJECTED : FRAME_OTHER;

	for (unsigned i = 0; i < modules.n; i++) {
		const struct probe_module *module = modules.at[i];

		/* Neighbour solicitations are ICMPv6, too, but an echo reply answers none. */
		if (link == DP_PROTO_COUNT ? module->link
					|| module->protocol[packet->family] != packet->protocol
					   : module->proto != link)
			continue;
		parse->view->verdict = judge_by(parse, module, packet, segment);
		if (parse->view->verdict.kind != PROBE_NONE)
			return accept(parse);
		kind = FRAME_REJECTED;
	}
	return kind;
}

/* --- neighbours ------------------------------------------------------------------------------ */

/* An answer where the scan asked for it; otherwise one to us as a host, of @kind. */
static enum frame_kind neighbour_says(const struct parse *parse, enum family family, uint8_t ttl,
	const uint8_t *bytes, unsigned nb_bytes, enum dp_proto link, enum frame_kind kind) {
	const struct packet packet = {
		.family = family,
		.src = parse->view->neigh.ip,
		.dst = parse->view->our_ip,
		.protocol = family == FAMILY_V6 ? IPV4_ICMPV6 : 0,
		.ttl = ttl,
		.l4 = bytes,
		.l4_bytes = nb_bytes,
	};

	parse->view->packet = packet;
	parse->view->answer.ttl = ttl;
	return dispatch(parse, &packet, NULL, link) == FRAME_ANSWER ? FRAME_ANSWER : kind;
}

/* RFC 826, for Ethernet and IPv4. */
static enum frame_kind parse_arp(const struct parse *parse, const uint8_t *arp, unsigned bytes) {
	const struct probe_env *env = &parse->scan->env;
	struct frame_view *view = parse->view;
	bool ours;

	if (bytes < ARP_BYTES)
		return FRAME_MALFORMED;
	if (get16(arp) != 1 || get16(arp + 2) != ETH_TYPE_IPV4 || arp[4] != 6 || arp[5] != 4)
		return FRAME_OTHER;
	view->neigh.mac = mac_get(arp + 8);
	view->neigh.ip = dp_ip_v4(get32(arp + 14));
	view->our_ip = dp_ip_v4(get32(arp + 24));
	ours = sources_have(&env->sources[FAMILY_V4], view->our_ip);
	switch (get16(arp + 6)) {
	case ARP_REQUEST:
		return ours ? FRAME_ARP_REQUEST : FRAME_OTHER;
	case ARP_REPLY:
		/* Address 0 is that of a probe by RFC 5227 2.1.1, which we send on shared ports. */
		if (mac_get(arp + 18) != env->source_mac || (!ours && view->our_ip != dp_ip_v4(0)))
			return FRAME_OTHER;
		return neighbour_says(
			parse, FAMILY_V4, 0, arp, ARP_BYTES, DP_PROTO_ARP, FRAME_ARP_REPLY);
	default:
		return FRAME_OTHER;
	}
}

static bool is_multicast(dp_ip ip) {
	return ip >> 120 == 0xff;
}

/*
 * Whether @ip can be a host's out of bytes of an IPv6 packet. No group is one (RFC 4291 2.7), and what
 * would be taken for an IPv4 address here has no place on a wire (2.5.5.2).
 */
static bool is_host6(dp_ip ip) {
	return !is_multicast(ip) && !dp_ip_is_v4(ip);
}

/*
 * The link-layer address of option @type, or @mac where there is none; false where the options are
 * malformed (RFC 4861 4.6).
 */
static bool nd_address(const uint8_t *option, unsigned bytes, uint8_t type, uint64_t *mac) {
	while (bytes) {
		unsigned length;

		if (bytes < ND_OPTION_BYTES || option[1] == 0)
			return false;
		length = option[1] * 8u;
		if (length > bytes)
			return false;
		if (option[0] == type)
			*mac = mac_get(option + 2);
		option += length;
		bytes -= length;
	}
	return true;
}

/* What RFC 4861 7.1 wants of both messages, and where their sender is. */
static bool parse_nd(
	const struct parse *parse, const struct packet *packet, uint8_t option, dp_ip *asked) {
	const uint8_t *nd = packet->l4;

	if (packet->ttl != ND_HOP_LIMIT || nd[1] != 0 || packet->l4_bytes < ND_BYTES)
		return false;
	*asked = dp_ip_get_v6(nd + 8);
	parse->view->neigh.mac = mac_get(parse->frame + 6);
	return is_host6(*asked)
		&& nd_address(nd + ND_BYTES, packet->l4_bytes - ND_BYTES, option,
			&parse->view->neigh.mac);
}

static enum frame_kind parse_solicitation(const struct parse *parse, const struct packet *packet) {
	struct frame_view *view = parse->view;

	if (!parse_nd(parse, packet, ND_OPTION_SOURCE, &view->our_ip))
		return FRAME_MALFORMED;
	/* Who asks without an address wants it for itself (RFC 4862 5.4), and asks all that may. */
	if (packet->src == 0 && packet->dst != solicited_node(view->our_ip))
		return FRAME_MALFORMED;
	view->neigh.ip = packet->src;
	return sources_have(&parse->scan->env.sources[FAMILY_V6], view->our_ip) ? FRAME_SOLICITATION
										: FRAME_OTHER;
}

static enum frame_kind parse_advertisement(const struct parse *parse, const struct packet *packet) {
	struct frame_view *view = parse->view;

	if (!parse_nd(parse, packet, ND_OPTION_TARGET, &view->neigh.ip))
		return FRAME_MALFORMED;
	view->our_ip = packet->dst;
	/* RFC 4861 7.2.4: what answers a question says so, and says it to who asked. */
	if (is_multicast(packet->dst) || !(packet->l4[ND_FLAGS_AT] & ND_SOLICITED))
		return FRAME_OTHER;
	return neighbour_says(parse, FAMILY_V6, packet->ttl, packet->l4, packet->l4_bytes,
		DP_PROTO_NDP, FRAME_ADVERTISEMENT);
}

/* --- transport ------------------------------------------------------------------------------- */

/* Whether a checksum with a pseudo-header is right; its field is @at. */
static bool transport_good(const struct parse *parse, const struct packet *packet, unsigned at) {
	uint64_t pseudo;

	if (parse->meta->l4_good)
		return true;
	pseudo = sum_pseudo_ip(packet->src, packet->dst, packet->protocol, packet->l4_bytes);
	if (sum_fold(pseudo + sum_bytes(packet->l4, packet->l4_bytes)) == 0xffff)
		return true;
	/* Virtual devices hand over packets whose checksum the device was to complete. */
	return get16(packet->l4 + at) == sum_fold(pseudo);
}

static enum frame_kind parse_tcp(const struct parse *parse, const struct packet *packet) {
	const uint8_t *tcp = packet->l4;
	struct tcp_segment *segment = &parse->view->tcp;
	unsigned header_bytes;

	if (packet->l4_bytes < TCP_BYTES)
		return FRAME_MALFORMED;
	if (!cookie_owns_port(&parse->scan->env.cookie, get16(tcp + 2)))
		return FRAME_OTHER;
	header_bytes = (tcp[12] >> 4) * 4u;
	if (header_bytes < TCP_BYTES || header_bytes > packet->l4_bytes)
		return FRAME_MALFORMED;
	if (!transport_good(parse, packet, 16))
		return FRAME_BAD_CHECKSUM;
	*segment = (struct tcp_segment){
		.src_port = get16(tcp),
		.dst_port = get16(tcp + 2),
		.seq = get32(tcp + 4),
		.ack = get32(tcp + 8),
		.window = get16(tcp + 14),
		.flags = tcp[13],
		.options = tcp + TCP_BYTES,
		.options_bytes = header_bytes - TCP_BYTES,
		.data = tcp + header_bytes,
		.data_bytes = packet->l4_bytes - header_bytes,
	};
	return dispatch(parse, packet, segment, DP_PROTO_COUNT);
}

/* RFC 768. No checksum at all is fine in IPv4 only (RFC 8200 8.1). */
static enum frame_kind parse_udp(const struct parse *parse, struct packet *packet) {
	const uint8_t *udp = packet->l4;
	unsigned length;

	if (packet->l4_bytes < UDP_BYTES)
		return FRAME_MALFORMED;
	if (!cookie_owns_port(&parse->scan->env.cookie, get16(udp + 2)))
		return FRAME_OTHER;
	length = get16(udp + 4);
	if (length < UDP_BYTES || length > packet->l4_bytes)
		return FRAME_MALFORMED;
	packet->l4_bytes = length;
	if (get16(udp + 6) == 0 ? packet->family == FAMILY_V6 : !transport_good(parse, packet, 6))
		return FRAME_BAD_CHECKSUM;
	return dispatch(parse, packet, NULL, DP_PROTO_COUNT);
}

/* RFC 9260 3. Where a device was to complete the checksum, the kernel left 0 there. */
static enum frame_kind parse_sctp(const struct parse *parse, const struct packet *packet) {
	if (packet->l4_bytes < SCTP_BYTES)
		return FRAME_MALFORMED;
	if (!cookie_owns_port(&parse->scan->env.cookie, get16(packet->l4 + 2)))
		return FRAME_OTHER;
	if (!parse->meta->l4_good && get32(packet->l4 + SCTP_CHECKSUM_AT) != 0
		&& !sctp_checksum_good(packet->l4, packet->l4_bytes))
		return FRAME_BAD_CHECKSUM;
	return dispatch(parse, packet, NULL, DP_PROTO_COUNT);
}

/* --- ICMP ------------------------------------------------------------------------------------ */

/* Go over the extension headers (RFC 8200 4) at @at, the first of type @next; false where that fails. */
static bool skip_extensions(const uint8_t **at, unsigned *bytes, uint8_t *next) {
	for (unsigned i = 0; i < MAX_EXTENSIONS; i++) {
		unsigned length;

		/* A response to one small packet has no reason to come in fragments. */
		if (*next == IPV6_FRAGMENT)
			return false;
		if (*next != IPV6_HOP_BY_HOP && *next != IPV6_ROUTING && *next != IPV6_DESTINATION)
			return true;
		if (*bytes < 8)
			return false;
		length = ((*at)[1] + 1u) * 8;
		if (length > *bytes)
			return false;
		*next = (*at)[0];
		*at += length;
		*bytes -= length;
	}
	return false;
}

/* The packet that an ICMP error of @bytes quotes; false where it is none. */
static bool parse_quotation(
	enum family family, const uint8_t *ip, unsigned bytes, struct packet *quoted) {
	unsigned header_bytes = IPV6_BYTES;

	*quoted = (struct packet){.family = family};
	if (family == FAMILY_V4) {
		if (bytes < IPV4_BYTES)
			return false;
		header_bytes = (ip[0] & 0xf) * 4u;
		if (ip[0] >> 4 != 4 || header_bytes < IPV4_BYTES
			|| bytes < header_bytes + QUOTED_BYTES)
			return false;
		quoted->protocol = ip[9];
		quoted->ttl = ip[8];
		quoted->stamp = get16(ip + 4);
		quoted->src = dp_ip_v4(get32(ip + 12));
		quoted->dst = dp_ip_v4(get32(ip + 16));
	} else {
		if (bytes < IPV6_BYTES + QUOTED_BYTES || ip[0] >> 4 != 6)
			return false;
		quoted->protocol = ip[6];
		quoted->ttl = ip[7];
		quoted->stamp = get32(ip) & IPV6_FLOW_LABEL;
		quoted->src = dp_ip_get_v6(ip + 8);
		quoted->dst = dp_ip_get_v6(ip + 24);
		if (!is_host6(quoted->dst))
			return false;
	}
	quoted->l4 = ip + header_bytes;
	quoted->l4_bytes = bytes - header_bytes;
	if (family == FAMILY_V4)
		return true;
	return skip_extensions(&quoted->l4, &quoted->l4_bytes, &quoted->protocol)
		&& quoted->l4_bytes >= QUOTED_BYTES;
}

enum {
	CODES = 16,
};

/* One more than the reason of each code, so that 0 is none. */
static const uint8_t unreachable[FAMILIES][CODES] = {
	/* RFC 792 and RFC 1812 5.2.7.1; the codes that nmap takes for an answer. */
	[FAMILY_V4] = {
		[0] = 1 + DP_REASON_NET_UNREACH,
		[1] = 1 + DP_REASON_HOST_UNREACH,
		[2] = 1 + DP_REASON_PROTO_UNREACH,
		[3] = 1 + DP_REASON_PORT_UNREACH,
		[9] = 1 + DP_REASON_NET_PROHIBITED,
		[10] = 1 + DP_REASON_HOST_PROHIBITED,
		[13] = 1 + DP_REASON_ADMIN_PROHIBITED,
	},
	/* RFC 4443 3.1 */
	[FAMILY_V6] = {
		[0] = 1 + DP_REASON_NO_ROUTE,
		[1] = 1 + DP_REASON_ADMIN_PROHIBITED,
		[2] = 1 + DP_REASON_BEYOND_SCOPE,
		[3] = 1 + DP_REASON_ADDR_UNREACH,
		[4] = 1 + DP_REASON_PORT_UNREACH,
		[5] = 1 + DP_REASON_ADMIN_PROHIBITED, /* source address failed a policy */
		[6] = 1 + DP_REASON_REJECT_ROUTE,
	},
};

static void fill_unreachable(const struct parse *parse, const struct packet *packet,
	const struct packet *quoted, const struct probe_module *module, uint8_t reason) {
	struct frame_view *view = parse->view;
	bool closes = module->unreachable_closes && reason == DP_REASON_PORT_UNREACH
		&& packet->src == quoted->dst;

	view->verdict = (struct verdict){PROBE_ANSWER, DP_RESPONSE_ICMP_UNREACHABLE};
	view->answer.reason = reason;
	view->answer.rtt_us = DP_RTT_NONE;
	view->answer.state = closes ? DP_STATE_CLOSED : DP_STATE_FILTERED;
	if (parse->scan->type->host) {
		/* About the host, as an echo would be: neither port nor its protocol is meant. */
		view->answer.state = DP_STATE_FILTERED;
		view->answer.proto = DP_PROTO_ICMP;
		view->answer.port = 0;
	}
}

/* An ICMP error quotes the IP header and eight bytes at the least of what it is about. */
static enum frame_kind parse_unreachable(const struct parse *parse, const struct packet *packet) {
	const struct probe_env *env = &parse->scan->env;
	const uint8_t code = packet->l4[1];
	const uint8_t reason = code < CODES ? unreachable[packet->family][code] : 0;
	struct modules modules;
	struct packet quoted;
	enum frame_kind kind;

	if (!parse_quotation(packet->family, packet->l4 + ICMP_BYTES, packet->l4_bytes - ICMP_BYTES,
		    &quoted))
		return FRAME_MALFORMED;
	if (reason == 0 || !sources_have(&env->sources[packet->family], quoted.src)
		|| (has_ports(quoted.protocol)
			&& !cookie_owns_port(&env->cookie, get16(quoted.l4))))
		return FRAME_OTHER;
	kind = has_ports(quoted.protocol) ? FRAME_REJECTED : FRAME_OTHER;
	modules = modules_of(parse->scan->type, packet->family);
	for (unsigned i = 0; i < modules.n; i++) {
		const struct probe_module *module = modules.at[i];

		if (!module->quoted || module->protocol[packet->family] != quoted.protocol)
			continue;
		kind = FRAME_REJECTED;
		if (!module->quoted(env, &quoted, &parse->view->answer))
			continue;
		fill_unreachable(parse, packet, &quoted, module, reason - 1);
		return FRAME_ANSWER;
	}
	return kind;
}

static enum frame_kind parse_icmp(const struct parse *parse, const struct packet *packet) {
	const uint8_t *icmp = packet->l4;

	if (packet->l4_bytes < ICMP_BYTES)
		return FRAME_MALFORMED;
	if (!parse->meta->l4_good && sum_fold(sum_bytes(icmp, packet->l4_bytes)) != 0xffff)
		return FRAME_BAD_CHECKSUM;
	switch (icmp[0]) {
	case ICMP_UNREACHABLE:
		return parse_unreachable(parse, packet);
	case ICMP_ECHO_REQUEST:
		return FRAME_ECHO_REQUEST;
	case ICMP_ECHO_REPLY:
	case ICMP_TIMESTAMP_REPLY:
		return dispatch(parse, packet, NULL, DP_PROTO_COUNT);
	default:
		return FRAME_OTHER;
	}
}

static enum frame_kind parse_icmpv6(const struct parse *parse, const struct packet *packet) {
	const uint8_t *icmp = packet->l4;
	bool to_group = is_multicast(packet->dst);

	if (packet->l4_bytes < ICMP_BYTES)
		return FRAME_MALFORMED;
	if (!transport_good(parse, packet, 2))
		return FRAME_BAD_CHECKSUM;
	if (icmp[0] == ICMPV6_SOLICITATION)
		return parse_solicitation(parse, packet);
	if (icmp[0] == ICMPV6_ADVERTISEMENT)
		return parse_advertisement(parse, packet);
	if (to_group)
		return FRAME_OTHER;
	switch (icmp[0]) {
	case ICMPV6_UNREACHABLE:
		return parse_unreachable(parse, packet);
	case ICMPV6_ECHO_REQUEST:
		return FRAME_ECHO_REQUEST;
	case ICMPV6_ECHO_REPLY:
		return dispatch(parse, packet, NULL, DP_PROTO_COUNT);
	default:
		return FRAME_OTHER;
	}
}

/* --- network --------------------------------------------------------------------------------- */

static enum frame_kind parse_transport(const struct parse *parse, struct packet *packet) {
	bool v6 = packet->family == FAMILY_V6;

	parse->view->our_ip = packet->dst;
	parse->view->answer.ttl = packet->ttl;
	switch (packet->protocol) {
	case IPV4_TCP:
		return parse_tcp(parse, packet);
	case IPV4_UDP:
		return parse_udp(parse, packet);
	case IPV4_SCTP:
		return parse_sctp(parse, packet);
	case IPV4_ICMP:
		return v6 ? FRAME_OTHER : parse_icmp(parse, packet);
	case IPV4_ICMPV6:
		return v6 ? parse_icmpv6(parse, packet) : FRAME_OTHER;
	default:
		return FRAME_OTHER;
	}
}

static enum frame_kind parse_ipv4(const struct parse *parse, const uint8_t *ip, unsigned room) {
	struct packet *packet = &parse->view->packet;
	unsigned header_bytes, total;
	dp_ip dst;

	if (room < IPV4_BYTES)
		return FRAME_MALFORMED;
	dst = dp_ip_v4(get32(ip + 16));
	if (!sources_have(&parse->scan->env.sources[FAMILY_V4], dst))
		return FRAME_OTHER;
	header_bytes = (ip[0] & 0xf) * 4u;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header_bytes < IPV4_BYTES || total < header_bytes || total > room)
		return FRAME_MALFORMED;
	/* A response to one small packet has no reason to come in fragments. */
	if (get16(ip + 6) & 0x3fff)
		return FRAME_MALFORMED;
	if (!parse->meta->ip_good && sum_fold(sum_bytes(ip, header_bytes)) != 0xffff)
		return FRAME_BAD_CHECKSUM;
	*packet = (struct packet){
		.family = FAMILY_V4,
		.src = dp_ip_v4(get32(ip + 12)),
		.dst = dst,
		.protocol = ip[9],
		.ttl = ip[8],
		.l4 = ip + header_bytes,
		.l4_bytes = total - header_bytes,
	};
	return parse_transport(parse, packet);
}

static enum frame_kind parse_ipv6(const struct parse *parse, const uint8_t *ip, unsigned room) {
	struct packet *packet = &parse->view->packet;
	dp_ip dst;
	bool ours;

	if (room < IPV6_BYTES)
		return FRAME_MALFORMED;
	dst = dp_ip_get_v6(ip + 24);
	ours = sources_have(&parse->scan->env.sources[FAMILY_V6], dst);
	/*
	 * To groups come the questions of neighbours (RFC 4861 4.3), and to who asks for us where the
	 * kernel holds our address their answers; nothing else.
	 */
	if (!ours && !is_multicast(dst) && dst != neigh_asker(parse->scan->env.source_mac))
		return FRAME_OTHER;
	*packet = (struct packet){
		.family = FAMILY_V6,
		.src = dp_ip_get_v6(ip + 8),
		.dst = dst,
		.protocol = ip[6],
		.ttl = ip[7],
		.l4 = ip + IPV6_BYTES,
		.l4_bytes = get16(ip + 4),
	};
	if (ip[0] >> 4 != 6 || packet->l4_bytes > room - IPV6_BYTES || !is_host6(packet->src))
		return FRAME_MALFORMED;
	if (!skip_extensions(&packet->l4, &packet->l4_bytes, &packet->protocol))
		return FRAME_MALFORMED;
	if (!ours && packet->protocol != IPV4_ICMPV6)
		return FRAME_OTHER;
	return parse_transport(parse, packet);
}

/* --- link ------------------------------------------------------------------------------------ */

/* Where the network layer begins and its type; false where the frame is of another VLAN. */
static bool parse_link(
	const struct parse *parse, unsigned length, unsigned *network_at, uint16_t *type) {
	const uint8_t *frame = parse->frame;
	/* A tag of 0 is a priority in a frame of no VLAN (IEEE 802.1Q 9.6). */
	uint16_t vlan = parse->meta->vlan_stripped ? parse->meta->vlan & VLAN_ID : 0;

	*network_at = ETH_BYTES;
	*type = get16(frame + ETH_TYPE_AT);
	if (*type == ETH_TYPE_VLAN && !parse->meta->vlan_stripped
		&& length >= ETH_BYTES + VLAN_BYTES) {
		*network_at += VLAN_BYTES;
		vlan = get16(frame + ETH_BYTES) & VLAN_ID;
		*type = get16(frame + ETH_BYTES + 2);
	}
	return vlan == parse->scan->vlan;
}

enum frame_kind frame_parse(const struct scan *scan, const uint8_t *frame, unsigned length,
	const struct frame_meta *meta, struct frame_view *view) {
	const struct parse parse = {scan, meta, frame, view};
	uint64_t ts_ns = view->answer.ts_ns;
	unsigned at;
	uint16_t type;

	view->answer = (struct dp_answer){
		.ts_ns = ts_ns,
		.kind = DP_ANSWER_STATE,
		.rtt_us = DP_RTT_NONE,
	};
	view->verdict = (struct verdict){.kind = PROBE_NONE};
	if (length < ETH_BYTES)
		return FRAME_MALFORMED;
	if (mac_get(frame + 6) == scan->env.source_mac)
		return FRAME_OWN;
	if (!parse_link(&parse, length, &at, &type))
		return FRAME_OTHER;
	switch (type) {
	case ETH_TYPE_IPV4:
		return parse_ipv4(&parse, frame + at, length - at);
	case ETH_TYPE_IPV6:
		return parse_ipv6(&parse, frame + at, length - at);
	case ETH_TYPE_ARP:
		return parse_arp(&parse, frame + at, length - at);
	default:
		return FRAME_OTHER;
	}
}
