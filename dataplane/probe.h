/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probe modules: what a scan type sends, and what a response to it means.
 *
 * A module is one row of one table (probe.c) and one file. It splits a probe into bytes that never
 * change, written once into every buffer of a pool (prepare), and the few that do (make). Modules
 * are pure: no state, no DPDK, any thread.
 */
#ifndef PROBE_H
#define PROBE_H

#include "cookie.h"
#include "frame.h"

#include <dp/answer.h>
#include <dp/space.h>

/* What probes are made of and responses are held against; read-only once the lcores run. */
struct probe_env {
	struct cookie cookie;
	uint32_t source_ip;
	uint64_t source_mac;
	bool banners; /* open ports are said hello to */
	uint16_t banner_window; /* bytes that we let them send */
};

/* A TCP segment that is well formed and addressed to us. */
struct tcp_segment {
	uint32_t src_ip;
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *options;
	unsigned options_bytes;
	unsigned data_bytes; /* behind the header */
};

enum probe_kind {
	PROBE_NONE, /* no answer to a probe of ours: reject */
	PROBE_SYN_ACK,
	PROBE_RST,
	PROBE_ICMP_UNREACHABLE,

	/* In a connection that our hello completed: */
	PROBE_DATA, /* it says something */
	PROBE_FIN, /* it ends without a word */
	PROBE_QUIET, /* an acknowledgement, or its own reset: nothing to do */
	PROBE_KINDS,
};

enum {
	PROBE_WINDOW_SCALE = 7, /* what our SYN offers: a shift */
};

struct probe_module {
	const char *name;
	unsigned frame_bytes; /* at least ETH_MIN_FRAME */

	/* Write the constant bytes of a probe into @frame of frame_bytes. */
	void (*prepare)(const struct probe_env *env, uint8_t *frame);

	/*
	 * Write what differs into @n prepared frames, one for each target. @clock_us is the sender's
	 * clock, which the probe carries where its protocol echoes it.
	 */
	void (*make)(const struct probe_env *env, uint8_t *const *frame,
		const struct dp_target *target, unsigned n, uint32_t clock_us);

	/*
	 * Judge a segment: PROBE_NONE, or the kind with state, reason, ip, port and rtt_us of
	 * @answer filled in. @clock_us: the same clock at arrival.
	 */
	enum probe_kind (*verdict)(const struct probe_env *env, const struct tcp_segment *segment,
		uint32_t clock_us, struct dp_answer *answer);

	/*
	 * Judge an ICMP error's quotation: @quoted is an IPv4 header of @header_bytes with our
	 * source address and protocol TCP, and the eight bytes after it at least. As above;
	 * fills ip and port of @answer.
	 */
	bool (*quoted)(const struct probe_env *env, const uint8_t *quoted, unsigned header_bytes,
		struct dp_answer *answer);
};

/* The module of a scan type by its INI name, or NULL. */
const struct probe_module *probe_find(const char *scan_type);

extern const struct probe_module probe_syn;

#endif
