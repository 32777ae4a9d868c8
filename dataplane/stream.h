/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a TCP connection's state would be, kept by the other side: our timestamps (RFC 7323 3) carry it,
 * and each segment of a host echoes the latest of ours.
 *
 * T0 is a secret of the pair. Our SYN's clock is T0 - 1 less the time, of 30 bits, so that the echo in
 * the SYN-ACK is a round trip. Our later clocks are T0 plus the lower 16 bits of the host's initial
 * sequence number, plus STREAM_SCALED where it scales windows, plus how many bytes we have
 * acknowledged: what a data segment echoes says how far into the stream its bytes are, whether we have
 * taken all before them, and how windows are written. They never run backwards, which a host would drop
 * (PAWS, RFC 7323 5).
 */
#ifndef STREAM_H
#define STREAM_H

#include "probe.h"

enum {
	STREAM_TIME = (1 << 30) - 1, /* microseconds; also a mask */
	STREAM_AT = (1 << 16) - 1, /* offsets; also a mask */
	STREAM_SCALED = 1 << 16,
	STREAM_ACKED_SHIFT = 17,
	STREAM_ACKED
	= (1 << 12) - 1, /* bytes; also a mask. Who wants no more than these acknowledges less */
	STREAM_END = 1 << 29, /* of the clocks of a connection */

	/*
	 * What we let a host send at a time: one segment, as who acknowledges the second of two without
	 * a memory may lose the first. Stacks halve segments to fit windows from 536 bytes on (measured:
	 * Linux sends two of 768 into 1,536), and it must be a multiple of what scaled windows count in.
	 */
	STREAM_WINDOW = 512,
};

/* Where in what a host says a segment's bytes are. */
struct stream_place {
	bool known; /* its timestamps say; else it can only be taken for the first */
	bool scaled; /* both sides offered window scaling */
	uint32_t at;
	uint32_t acked; /* bytes of ours to be sure of: the host knows that we have them */
	uint32_t clock; /* ours, for nothing acknowledged */
};

static inline uint32_t stream_t0(uint64_t hash) {
	return (uint32_t)cookie_more(hash, 2);
}

static inline uint32_t stream_syn_clock(uint64_t hash, uint32_t clock_us) {
	return stream_t0(hash) - 1 - (clock_us & STREAM_TIME);
}

/* The round trip that the echo of a SYN's clock says, or DP_RTT_NONE where it is no such echo. */
static inline uint32_t stream_rtt(uint64_t hash, uint32_t echo, uint32_t clock_us) {
	uint32_t sent_us = stream_t0(hash) - 1 - echo;

	return sent_us > STREAM_TIME ? DP_RTT_NONE : (clock_us - sent_us) & STREAM_TIME;
}

/* The clock of our hello. @isn: the host's initial sequence number. */
static inline uint32_t stream_clock(uint64_t hash, uint32_t isn, bool scaled) {
	return stream_t0(hash) + (isn & STREAM_AT) + (scaled ? STREAM_SCALED : 0);
}

static inline struct stream_place stream_place_of(
	uint64_t hash, const struct tcp_options *options, uint32_t seq) {
	uint32_t said = options->echo - stream_t0(hash);

	if (!options->has_clock || said >= STREAM_END)
		return (struct stream_place){0};
	return (struct stream_place){
		.known = true,
		.scaled = said & STREAM_SCALED,
		.at = (seq - (said & STREAM_AT) - 1) & STREAM_AT,
		.acked = said >> STREAM_ACKED_SHIFT,
		.clock = options->echo - (said >> STREAM_ACKED_SHIFT << STREAM_ACKED_SHIFT),
	};
}

/* The clock of an acknowledgement of @bytes of the stream. */
static inline uint32_t stream_ack_clock(const struct stream_place *place, uint32_t bytes) {
	return place->clock + ((bytes & STREAM_ACKED) << STREAM_ACKED_SHIFT);
}

/* The same as a window field shows it. */
static inline uint16_t stream_window_field(bool scaled) {
	return STREAM_WINDOW >> (scaled ? PROBE_WINDOW_SCALE : 0);
}

#endif
