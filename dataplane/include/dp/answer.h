/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One validated response, as it crosses from the packet path to the control core.
 */
#ifndef DP_ANSWER_H
#define DP_ANSWER_H

#include <dp/ip.h>
#include <dp/scan.h>

enum dp_state {
	DP_STATE_OPEN,
	DP_STATE_CLOSED,
	DP_STATE_FILTERED,
	DP_STATE_UNFILTERED,
	DP_STATE_UP,
	DP_STATE_COUNT,
};

/* Why the state is what it is; dp_reason_name() gives nmap's word for each. */
enum dp_reason {
	DP_REASON_SYN_ACK,
	DP_REASON_RESET,
	DP_REASON_UDP_RESPONSE,
	DP_REASON_ECHO_REPLY,
	DP_REASON_TIMESTAMP_REPLY,
	DP_REASON_ARP_RESPONSE,
	DP_REASON_ND_RESPONSE,
	DP_REASON_INIT_ACK,
	DP_REASON_ABORT,
	DP_REASON_NET_UNREACH,
	DP_REASON_HOST_UNREACH,
	DP_REASON_PROTO_UNREACH,
	DP_REASON_PORT_UNREACH,
	DP_REASON_NET_PROHIBITED,
	DP_REASON_HOST_PROHIBITED,
	DP_REASON_ADMIN_PROHIBITED,
	DP_REASON_NO_ROUTE, /* ICMPv6, RFC 4443 3.1: this and the next three */
	DP_REASON_BEYOND_SCOPE,
	DP_REASON_ADDR_UNREACH,
	DP_REASON_REJECT_ROUTE,
	DP_REASON_COUNT,
};

/* What it answers. */
enum dp_answer_kind {
	DP_ANSWER_STATE, /* a probe of the scan */
	DP_ANSWER_PROBE, /* a single probe, dp_engine_probe() */
	DP_ANSWER_BANNER, /* our hello, on a port that was open: banner */
};

/* Validated responses by what they are, repeats included. */
enum dp_response {
	DP_RESPONSE_SYN_ACK,
	DP_RESPONSE_RST,
	DP_RESPONSE_UDP,
	DP_RESPONSE_ECHO_REPLY,
	DP_RESPONSE_TIMESTAMP_REPLY,
	DP_RESPONSE_ARP_REPLY,
	DP_RESPONSE_NEIGHBOR_ADVERTISEMENT,
	DP_RESPONSE_INIT_ACK,
	DP_RESPONSE_ABORT,
	DP_RESPONSE_ICMP_UNREACHABLE,
	DP_RESPONSE_COUNT,
};

#define DP_RTT_NONE UINT32_MAX

/* Passed by value; everything in host byte order. */
struct dp_answer {
	dp_ip ip; /* the target that was probed, not a router that spoke for it */
	uint64_t ts_ns; /* arrival, nanoseconds since 1970-01-01 UTC */
	const uint8_t *banner; /* any bytes; valid until the next dp_engine_collect() */
	uint32_t banner_at; /* offset of these bytes in what the port says */
	uint32_t rtt_us; /* DP_RTT_NONE where the response echoes no send time */
	uint16_t banner_bytes; /* 0 but for DP_ANSWER_BANNER, and for what UDP services say */
	uint16_t port; /* 0 where the scan has none */
	uint8_t proto; /* enum dp_proto */
	uint8_t state; /* enum dp_state */
	uint8_t reason; /* enum dp_reason */
	uint8_t ttl; /* or hop limit, of the response as received */
	uint8_t kind; /* enum dp_answer_kind */
	uint8_t pass; /* which transmission of the pair it answers, from 0 */
	bool zero_window; /* a SYN-ACK that lets nobody send: open to nothing */
	bool banner_last; /* the port says no more than this */
};

const char *dp_state_name(enum dp_state state); /* "open" "closed" "filtered" "unfiltered" "up" */
const char *dp_reason_name(enum dp_reason reason); /* "syn-ack" "reset" "host-unreach" ... */
const char *dp_response_name(enum dp_response response); /* "syn_ack" "rst" "udp" ... */

#endif
