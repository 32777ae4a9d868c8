/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One validated response, as it crosses from the packet path to the control core.
 */
#ifndef DP_ANSWER_H
#define DP_ANSWER_H

#include <stdint.h>

enum dp_state {
	DP_STATE_OPEN,
	DP_STATE_CLOSED,
	DP_STATE_FILTERED,
	DP_STATE_COUNT,
};

/* Why the state is what it is; dp_reason_name() gives nmap's word for each. */
enum dp_reason {
	DP_REASON_SYN_ACK,
	DP_REASON_RESET,
	DP_REASON_NET_UNREACH,
	DP_REASON_HOST_UNREACH,
	DP_REASON_PROTO_UNREACH,
	DP_REASON_PORT_UNREACH,
	DP_REASON_NET_PROHIBITED,
	DP_REASON_HOST_PROHIBITED,
	DP_REASON_ADMIN_PROHIBITED,
	DP_REASON_COUNT,
};

/* What it answers. */
enum dp_answer_kind {
	DP_ANSWER_STATE, /* a probe of the scan */
	DP_ANSWER_PROBE, /* a single probe, dp_engine_probe() */
	DP_ANSWER_BANNER, /* our hello, on a port that was open: banner */
};

#define DP_RTT_NONE UINT32_MAX

/* Passed by value; everything in host byte order. */
struct dp_answer {
	uint64_t ts_ns; /* arrival, nanoseconds since 1970-01-01 UTC */
	uint32_t ip; /* the target that was probed, not a router that spoke for it */
	uint32_t rtt_us; /* DP_RTT_NONE where the response echoes no send time */
	uint16_t port;
	uint8_t state; /* enum dp_state */
	uint8_t reason; /* enum dp_reason */
	uint8_t ttl; /* of the response as received */
	uint8_t kind; /* enum dp_answer_kind */
	uint16_t banner_bytes; /* 0 but for DP_ANSWER_BANNER, which has one at the least */
	const uint8_t *banner; /* any bytes; valid until the next dp_engine_collect() */
};

const char *dp_state_name(enum dp_state state); /* "open" "closed" "filtered" */
const char *dp_reason_name(enum dp_reason reason); /* "syn-ack" "reset" "host-unreach" ... */

#endif
