/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program under net_af_xdp: which received frames are the scanner's, and which the kernel's.
 *
 * Runs in the kernel, in the receive path of one interface, once for each frame; owns no memory but
 * its map. To our sockets go only answers that can belong to a probe of ours: TCP to our address and
 * source ports, ICMP errors that quote such a probe, and the ARP and echo traffic that somebody has
 * to answer for an address that the kernel does not hold. All else stays the host's, so that its own
 * connections work while a scan runs, and the kernel never sees (and resets) our SYN-ACKs. Where
 * plugins have an address that the kernel holds on a TAP only, all for that comes to us as well.
 *
 * Fragments, VLAN tags and IPv6 pass. A queue without a socket passes, too: nothing is taken that
 * nobody reads.
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

/* linux/icmp.h and linux/if_arp.h draw in the C library's headers, which do not exist for bpf. */
enum {
	ICMP_UNREACHABLE = 3, /* RFC 792 */
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ARP_REQUEST = 1, /* RFC 826 */
	ARP_REPLY = 2,
	ARP_HARDWARE_ETHERNET = 1,
};

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
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

/* The first bytes of a TCP header: all that an ICMP error has to quote (RFC 792). */
struct tcp_ports {
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

static __always_inline int is_our_port(__be16 port_be) {
	__u16 port = bpf_ntohs(port_be);

	return port >= steer_config.port_first && port <= steer_config.port_last;
}

/*
 * What follows the IPv4 header at @ip and its options, or 0 where that is cut or none. It can lie
 * beyond @end: the caller checks for as much as it reads.
 */
static __always_inline void *ip_payload(struct iphdr *ip, void *end) {
	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl * 4u < sizeof(*ip))
		return 0;
	return (void *)ip + ip->ihl * 4u;
}

static __always_inline int quotes_our_probe(struct iphdr *quoted, void *end) {
	struct tcp_ports *ports = ip_payload(quoted, end);

	if (!ports || (void *)(ports + 1) > end)
		return 0;
	return quoted->saddr == steer_config.source_be && quoted->protocol == IPPROTO_TCP
		&& !(quoted->frag_off & bpf_htons(IP_OFFSET_MASK)) && is_our_port(ports->source);
}

static __always_inline int is_our_icmp(struct icmp_header *icmp, void *end) {
	if ((void *)(icmp + 1) > end)
		return 0;
	switch (icmp->type) {
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		return quotes_our_probe((struct iphdr *)(icmp + 1), end);
	case ICMP_ECHO_REQUEST:
		return !steer_config.kernel_owns;
	default:
		return 0;
	}
}

static __always_inline int is_exception(__be32 address) {
	return address == steer_config.exception_be && address != 0;
}

static __always_inline int is_our_ip(struct iphdr *ip, void *end) {
	void *payload = ip_payload(ip, end);

	if (payload && is_exception(ip->daddr))
		return 1;
	if (!payload || ip->daddr != steer_config.source_be
		|| ip->frag_off & bpf_htons(IP_FRAGMENT_MASK))
		return 0;
	if (ip->protocol == IPPROTO_TCP) {
		struct tcp_ports *ports = payload;

		return (void *)(ports + 1) <= end && is_our_port(ports->destination);
	}
	return ip->protocol == IPPROTO_ICMP && is_our_icmp(payload, end);
}

/*
 * Where the kernel holds the address it also asks and answers ARP for it, and must keep doing so. We
 * then ask with sender address zero, as an RFC 5227 probe does, and know our replies by it.
 */
static __always_inline int is_our_arp(struct arp_ipv4 *arp, void *end) {
	if ((void *)(arp + 1) > end || arp->hardware != bpf_htons(ARP_HARDWARE_ETHERNET)
		|| arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_bytes != ETH_ALEN
		|| arp->protocol_bytes != sizeof(__be32))
		return 0;
	if (is_exception(arp->target_ip))
		return 1;
	if (steer_config.kernel_owns)
		return arp->operation == bpf_htons(ARP_REPLY) && arp->target_ip == 0;
	return arp->target_ip == steer_config.source_be
		&& (arp->operation == bpf_htons(ARP_REQUEST)
			|| arp->operation == bpf_htons(ARP_REPLY));
}

SEC("xdp")
int STEER_PROGRAM(struct xdp_md *ctx) {
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	int ours = 0;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		ours = is_our_ip((struct iphdr *)(eth + 1), end);
	else if (eth->h_proto == bpf_htons(ETH_P_ARP))
		ours = is_our_arp((struct arp_ipv4 *)(eth + 1), end);
	return ours ? (int)bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS) : XDP_PASS;
}

/* No helper used here is reserved to GPL programs. */
const char steer_license[] SEC("license") = "BSD";
