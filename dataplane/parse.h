/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a received frame to what it is. Pure and bounds-checked: no state, no DPDK, any bytes.
 */
#ifndef PARSE_H
#define PARSE_H

#include "probe.h"

enum frame_kind {
	FRAME_ANSWER, /* a validated response: view.answer and view.verdict */
	FRAME_CONNECTION, /* of a connection of ours, but without data: view.verdict */
	FRAME_ARP_REQUEST, /* somebody asks for an address of ours: view.neigh, view.our_ip */
	FRAME_ARP_REPLY, /* an ARP reply to us: view.neigh */
	FRAME_SOLICITATION, /* the same in IPv6: who asks, and for view.our_ip */
	FRAME_ADVERTISEMENT, /* likewise: view.neigh */
	FRAME_ECHO_REQUEST, /* somebody pings an address of ours: view.packet */
	FRAME_OWN, /* our own frame, which the device handed back */
	FRAME_OTHER, /* not for us */
	FRAME_MALFORMED,
	FRAME_BAD_CHECKSUM,
	FRAME_REJECTED, /* for us, but no answer to a probe of ours */
};

/* One scan on one port: what is sent there, with which secrets. */
struct scan {
	const struct probe_type *type;
	struct probe_env env;
	uint16_t vlan; /* 0: untagged */
};

/* What the device says of a received frame. */
struct frame_meta {
	uint32_t clock_us; /* the clock of probe_module.make() at arrival */
	bool vlan_stripped; /* the tag was taken off: it is vlan */
	uint16_t vlan;
	bool ip_good, l4_good; /* checksums that it has seen to be right */
};

struct frame_view {
	struct dp_answer answer; /* ts_ns is left alone; a banner lies in the frame, uncut */
	struct verdict verdict;
	struct packet packet; /* of an IP packet to us */
	struct tcp_segment tcp; /* of a segment */
	dp_ip our_ip; /* that it came to */
	struct {
		dp_ip ip;
		uint64_t mac;
	} neigh; /* the sender */
};

/*
 * A frame that is an answer in itself to an ARP or neighbour scan also is an FRAME_ANSWER, with
 * view.neigh filled in: the caller learns from it all the same.
 */
enum frame_kind frame_parse(const struct scan *scan, const uint8_t *frame, unsigned length,
	const struct frame_meta *meta, struct frame_view *view);

/*
 * Replies, written to @out, which has room for FRAME_REPLY_ROOM bytes, for an echo for as many as the
 * request and VLAN_BYTES. Each returns the length to send, or 0 where nothing is to be.
 */
enum {
	FRAME_REPLY_ROOM
	= ETH_BYTES + VLAN_BYTES + IPV6_BYTES + TCP_BYTES + 12 + DP_HELLO_MAX_BYTES,
};

/* Ask for the hardware address of @asked, from @our_ip (0 in IPv4: an RFC 5227 probe). */
unsigned frame_ask(uint8_t *out, uint16_t vlan, uint64_t our_mac, dp_ip our_ip, dp_ip asked);

/* Tell who asked (FRAME_ARP_REQUEST, FRAME_SOLICITATION) that we have view.our_ip. */
unsigned frame_tell(uint8_t *out, const struct scan *scan, const struct frame_view *view);

unsigned frame_echo_reply(uint8_t *out, const struct scan *scan, const uint8_t *request,
	const struct frame_view *view);

/*
 * Complete the connection of a SYN-ACK and say hello; where its window is zero, a reset instead. 0 where
 * the hello does not fit the segments that the port takes.
 */
unsigned frame_hello(uint8_t *out, const struct scan *scan, const uint8_t *syn_ack,
	const struct frame_view *view);

/* Take what a segment of a connection says and ask for more. 0 where it says not where that would be. */
unsigned frame_acknowledge(uint8_t *out, const struct scan *scan, const uint8_t *segment,
	const struct frame_view *view);

/* End the connection of @segment, or give up the one that it would begin: TCP's or SCTP's. */
unsigned frame_reset(uint8_t *out, const struct scan *scan, const uint8_t *segment,
	const struct frame_view *view);

#endif
