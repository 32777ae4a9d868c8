/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program under net_af_xdp: which received frames are the scanner's, and which the kernel's.
 *
 * Runs in the kernel, in the receive path of one interface, once for each frame; owns no memory but
 * its map. To our sockets go only answers that can belong to a probe of ours: TCP, UDP and SCTP to our
 * addresses and source ports, ICMP errors of either family that quote such a probe, echo and timestamp
 * replies where we ping, and the ARP, neighbour discovery and echo traffic that somebody has to answer
 * for an address that the kernel does not hold. All else stays the host's, so that its own connections
 * work while a scan runs, and the kernel never sees (and resets) our SYN-ACKs. Where plugins have an
 * address that the kernel holds on a TAP only, all for that comes to us as well.
 *
 * Next hops, where the kernel holds our address: it resolves its own from there, and takes no answer
 * that is redirected, for a program cannot copy a frame. So we ask from elsewhere:
 *
 * - in ARP from address 0, as an RFC 5227 probe does; the reply is to 0;
 * - in neighbour discovery from a link-local address that nobody holds, made of our hardware address
 *   (STEER_ASKER), so that the program knows it by the frame alone. The unspecified source of duplicate
 *   address detection would do, too, but a host that is just trying out the address asked for would
 *   give it up (RFC 4862 5.4.3), and the answer would go to every node.
 *
 * Where the kernel does not hold our address we ask from that. What a scan asks its targets by itself
 * (ARP and neighbour scans) may go from either; in the name of a kernel's address it takes that its
 * answers for the time of the scan (steer_config.asks).
 *
 * Frames are of one VLAN: tagged with it, or without a tag (priority-tagged, IEEE 802.1Q 6.9.1). A tag
 * that the device or the far end of a veth pair keeps beside the frame is not to be seen here: such an
 * offload must be off (`ethtool -K DEV rxvlan off`, on veth txvlan of the peer) where a VLAN is scanned.
 *
 * Fragments pass, as do IPv6 packets with more than a few extension headers. A queue without a socket
 * passes, too: nothing is taken that nobody reads.
 */
#include "steer.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#define IP_FRAGMENT_MASK 0x3fff /* more-fragments flag and offset, RFC 791 section 3.1 */
#define IP_OFFSET_MASK 0x1fff
#define VLAN_ID_MASK 0xfff

/* linux/icmp.h and linux/if_arp.h draw in the C library's headers, which do not exist for bpf. */
enum {
	ICMP_ECHO_REPLY = 0, /* RFC 792 */
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMP_REPLY = 14,

	ICMPV6_UNREACHABLE = 1, /* RFC 4443; too big and time exceeded lie between */
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_SOLICITATION = 135, /* RFC 4861 */
	ICMPV6_ADVERTISEMENT = 136,
	ND_HOP_LIMIT = 255,

	IPV6_HOP_BY_HOP = 0, /* extension headers, RFC 8200 4 */
	IPV6_ROUTING = 43,
	IPV6_DESTINATION = 60,
	IPV6_MAX_EXTENSIONS = 4,

	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMPV6 = 58,
	PROTO_SCTP = 132,

	ARP_REQUEST = 1, /* RFC 826 */
	ARP_REPLY = 2,
	ARP_HARDWARE_ETHERNET = 1,
};

struct vlan_header {
	__be16 tci;
	__be16 type;
};

/* IPv6's too: the same layout (RFC 4443 2.1). */
struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
};

struct nd_header {
	struct icmp_header icmp;
	__u8 target[16];
};

struct ipv6_header {
	__be32 version_class_flow;
	__be16 payload;
	__u8 next;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
};

struct ipv6_extension {
	__u8 next;
	__u8 words; /* of 8 bytes, beyond the first */
};

/* ARP for IPv4 over Ethernet. */
struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__be32 sender_ip;
	__u8 target_mac[ETH_ALEN];
	__be32 target_ip;
} __attribute__((packed));

/* Where TCP, UDP and SCTP headers begin alike: in all that an ICMP error has to quote (RFC 792). */
struct ports {
	__be16 source;
	__be16 destination;
};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_MAX_QUEUES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} xsks_map SEC(".maps");

/* Written by the loader before the object is loaded. Unpatched, no packet matches. */
const volatile struct steer_config steer_config = {
	.marker = STEER_MARKER,
	.port_first = 1,
};

static __always_inline __u32 get32(const volatile __u8 *p) {
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

static __always_inline __u64 get64(const volatile __u8 *p) {
	return (__u64)get32(p) << 32 | get32(p + 4);
}

/*
 * Ranges are searched to the end and compared without a branch: the kernel tries each way through a
 * program before it runs it, and would have to follow every order of every bound.
 */
static __noinline int is_our_v4(__be32 address_be) {
	const __u64 address = bpf_ntohl(address_be);
	__u64 inside = 0;

	for (__u32 i = 0; i < STEER_MAX_RANGES && i < steer_config.v4.nb_ranges; i++) {
		const volatile struct steer_range *range = &steer_config.v4.range[i];
		const __u64 below = address - get32(range->first + 12),
			    above = get32(range->last + 12) - address;

		inside |= ~(below | above) >> 63;
	}
	return (int)inside;
}

struct u128 {
	__u64 high, low;
};

/* What a - b - borrow borrows from the next digit, as a full subtractor has it. */
static __always_inline __u64 borrows(__u64 a, __u64 b, __u64 borrow) {
	return ((~a & b) | ((~a | b) & (a - b - borrow))) >> 63;
}

static __always_inline __u64 is_less(struct u128 a, struct u128 b) {
	return borrows(a.high, b.high, borrows(a.low, b.low, 0));
}

static __always_inline struct u128 get128(const volatile __u8 *p) {
	return (struct u128){get64(p), get64(p + 8)};
}

static __noinline int is_our_v6(__u64 high, __u64 low) {
	const struct u128 address = {high, low};
	__u64 inside = 0;

	for (__u32 i = 0; i < STEER_MAX_RANGES && i < steer_config.v6.nb_ranges; i++) {
		const volatile struct steer_range *range = &steer_config.v6.range[i];

		inside |= 1
			^ (is_less(address, get128(range->first))
				| is_less(get128(range->last), address));
	}
	return (int)inside;
}

static __always_inline int is_our_address(const __u8 *address) {
	return is_our_v6(get64(address), get64(address + 8));
}

static __always_inline int has_ports(__u8 protocol) {
	return protocol == PROTO_TCP || protocol == PROTO_UDP || protocol == PROTO_SCTP;
}

static __always_inline int is_our_port(__be16 port_be) {
	__u16 port = bpf_ntohs(port_be);

	return port >= steer_config.port_first && port <= steer_config.port_last;
}

static __always_inline int is_to_our_port(struct ports *ports, void *end) {
	return (void *)(ports + 1) <= end && is_our_port(ports->destination);
}

static __always_inline int is_from_our_port(struct ports *ports, void *end) {
	return (void *)(ports + 1) <= end && is_our_port(ports->source);
}

/* --- IPv4 --- */

/*
 * What follows the IPv4 header at @ip and its options, or 0 where that is cut or none. It can lie
 * beyond @end: the caller checks for as much as it reads.
 */
static __always_inline void *ip_payload(struct iphdr *ip, void *end) {
	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl * 4u < sizeof(*ip))
		return 0;
	return (void *)ip + ip->ihl * 4u;
}

static __always_inline int is_ping(struct icmp_header *icmp, void *end) {
	if (!steer_config.pings || (void *)(icmp + 1) > end)
		return 0;
	return icmp->type == ICMP_ECHO_REQUEST || icmp->type == ICMP_TIMESTAMP;
}

static __always_inline int quotes_our_probe(struct iphdr *quoted, void *end) {
	void *payload = ip_payload(quoted, end);

	if (!payload || quoted->frag_off & bpf_htons(IP_OFFSET_MASK) || !is_our_v4(quoted->saddr))
		return 0;
	if (has_ports(quoted->protocol))
		return is_from_our_port(payload, end);
	return quoted->protocol == IPPROTO_ICMP && is_ping(payload, end);
}

static __always_inline int is_our_icmp(struct icmp_header *icmp, void *end) {
	if ((void *)(icmp + 1) > end)
		return 0;
	switch (icmp->type) {
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		return quotes_our_probe((struct iphdr *)(icmp + 1), end);
	case ICMP_ECHO_REPLY:
	case ICMP_TIMESTAMP_REPLY:
		return steer_config.pings != 0;
	case ICMP_ECHO_REQUEST:
		return !steer_config.v4.kernel_owns;
	default:
		return 0;
	}
}

static __always_inline int is_exception(__be32 address) {
	return address == steer_config.exception_be && address != 0;
}

static __always_inline int is_our_ipv4(struct iphdr *ip, void *end) {
	void *payload = ip_payload(ip, end);

	if (payload && is_exception(ip->daddr))
		return 1;
	if (!payload || ip->frag_off & bpf_htons(IP_FRAGMENT_MASK) || !is_our_v4(ip->daddr))
		return 0;
	if (has_ports(ip->protocol))
		return is_to_our_port(payload, end);
	return ip->protocol == IPPROTO_ICMP && is_our_icmp(payload, end);
}

static __always_inline int is_our_arp(struct arp_ipv4 *arp, void *end) {
	if ((void *)(arp + 1) > end || arp->hardware != bpf_htons(ARP_HARDWARE_ETHERNET)
		|| arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_bytes != ETH_ALEN
		|| arp->protocol_bytes != sizeof(__be32))
		return 0;
	if (is_exception(arp->target_ip))
		return 1;
	if (arp->operation == bpf_htons(ARP_REQUEST))
		return !steer_config.v4.kernel_owns && is_our_v4(arp->target_ip);
	if (arp->operation != bpf_htons(ARP_REPLY))
		return 0;
	if (steer_config.v4.kernel_owns && arp->target_ip == 0)
		return 1;
	return (!steer_config.v4.kernel_owns || steer_config.asks) && is_our_v4(arp->target_ip);
}

/* --- IPv6 --- */

/*
 * What follows the IPv6 header at @ip and its extension headers, or 0 where that is cut, none or a
 * fragment's; it can lie beyond @end.
 */
static __always_inline void *ipv6_payload(struct ipv6_header *ip, void *end, __u8 *protocol) {
	void *at = ip + 1;
	__u8 next;

	if (at > end || (ip->version_class_flow & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return 0;
	next = ip->next;
	for (int i = 0; i < IPV6_MAX_EXTENSIONS; i++) {
		struct ipv6_extension *extension = at;

		if (next != IPV6_HOP_BY_HOP && next != IPV6_ROUTING && next != IPV6_DESTINATION)
			break;
		if ((void *)(extension + 1) > end)
			return 0;
		next = extension->next;
		at += 8 + 8 * extension->words;
	}
	*protocol = next;
	return at;
}

static __always_inline int is_ping6(struct icmp_header *icmp, void *end) {
	return steer_config.pings && (void *)(icmp + 1) <= end && icmp->type == ICMPV6_ECHO_REQUEST;
}

/* Our probes have no extension headers. */
static __always_inline int quotes_our_probe6(struct ipv6_header *quoted, void *end) {
	if ((void *)(quoted + 1) > end || !is_our_address(quoted->source))
		return 0;
	if (has_ports(quoted->next))
		return is_from_our_port((struct ports *)(quoted + 1), end);
	return quoted->next == PROTO_ICMPV6 && is_ping6((struct icmp_header *)(quoted + 1), end);
}

/* The address that our questions come from where the kernel holds our own. */
static __always_inline int is_asker(const __u8 *address, const struct ethhdr *eth) {
	const __u64 mac = (__u64)get32(eth->h_dest) << 16 | eth->h_dest[4] << 8 | eth->h_dest[5];

	return get64(address) == STEER_ASKER_HIGH && get64(address + 8) == (STEER_ASKER_LOW | mac);
}

static __always_inline int is_our_advertisement(struct ipv6_header *ip, struct ethhdr *eth) {
	if (steer_config.v6.nb_ranges && is_asker(ip->destination, eth))
		return 1;
	return (!steer_config.v6.kernel_owns || steer_config.asks)
		&& is_our_address(ip->destination);
}

static __always_inline int is_our_nd(
	struct nd_header *nd, struct ipv6_header *ip, struct ethhdr *eth, void *end) {
	/* RFC 4861 7.1: else it came through a router. */
	if ((void *)(nd + 1) > end || ip->hop_limit != ND_HOP_LIMIT)
		return 0;
	if (nd->icmp.type == ICMPV6_ADVERTISEMENT)
		return is_our_advertisement(ip, eth);
	/* Whatever group it was sent to. */
	return !steer_config.v6.kernel_owns && is_our_address(nd->target);
}

static __always_inline int is_our_icmpv6(
	struct icmp_header *icmp, struct ipv6_header *ip, struct ethhdr *eth, void *end) {
	if ((void *)(icmp + 1) > end)
		return 0;
	if (icmp->type == ICMPV6_SOLICITATION || icmp->type == ICMPV6_ADVERTISEMENT)
		return is_our_nd((struct nd_header *)icmp, ip, eth, end);
	if (!is_our_address(ip->destination))
		return 0;
	if (icmp->type >= ICMPV6_UNREACHABLE && icmp->type <= ICMPV6_PARAMETER_PROBLEM)
		return quotes_our_probe6((struct ipv6_header *)(icmp + 1), end);
	if (icmp->type == ICMPV6_ECHO_REPLY)
		return steer_config.pings != 0;
	return icmp->type == ICMPV6_ECHO_REQUEST && !steer_config.v6.kernel_owns;
}

static __always_inline int is_our_ipv6(struct ipv6_header *ip, struct ethhdr *eth, void *end) {
	__u8 protocol = 0;
	void *payload = ipv6_payload(ip, end, &protocol);

	if (!payload)
		return 0;
	if (has_ports(protocol))
		return is_to_our_port(payload, end) && is_our_address(ip->destination);
	return protocol == PROTO_ICMPV6 && is_our_icmpv6(payload, ip, eth, end);
}

static __always_inline int is_ours(struct ethhdr *eth, void *end) {
	struct vlan_header *tag = (struct vlan_header *)(eth + 1);
	void *packet = tag;
	__be16 type;
	__u32 vlan = 0;

	if (packet > end)
		return 0;
	type = eth->h_proto;
	if (type == bpf_htons(ETH_P_8021Q)) {
		packet = tag + 1;
		if (packet > end)
			return 0;
		type = tag->type;
		vlan = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
	}
	if (vlan != steer_config.vlan)
		return 0;
	if (type == bpf_htons(ETH_P_IP))
		return is_our_ipv4(packet, end);
	if (type == bpf_htons(ETH_P_IPV6))
		return is_our_ipv6(packet, eth, end);
	return type == bpf_htons(ETH_P_ARP) && is_our_arp(packet, end);
}

SEC("xdp")
int STEER_PROGRAM(struct xdp_md *ctx) {
	if (!is_ours((struct ethhdr *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_PASS;
	return (int)bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

/* No helper used here is reserved to GPL programs. */
const char steer_license[] SEC("license") = "BSD";
