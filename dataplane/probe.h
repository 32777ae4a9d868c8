/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probe modules and scan types: what is sent, and what a response to it means.
 *
 * A module knows one kind of packet, of both families where it exists in both. It splits a probe into
 * bytes that never change, written once into every buffer of a pool (prepare), and the few that do
 * (make). A scan type is one row of one table (probe.c) and says which modules it sends. Packets begin
 * with the network layer: what is in front of it is the sender's affair. All of it is pure: no state,
 * no DPDK, any thread.
 */
#ifndef PROBE_H
#define PROBE_H

#include "cookie.h"
#include "frame.h"
#include "source.h"

#include <dp/answer.h>
#include <dp/payload.h>
#include <dp/space.h>

enum family {
	FAMILY_V4,
	FAMILY_V6,
	FAMILIES,
};

static inline enum family family_of(dp_ip ip) {
	return dp_ip_is_v4(ip) ? FAMILY_V4 : FAMILY_V6;
}

/* Payloads by port: the operator's in front of the built-in ones. Read-only after it was made. */
struct payload_book;

/* What probes are made of and responses are held against, on one port; read-only once the lcores run. */
struct probe_env {
	struct cookie cookie;
	struct sources sources[FAMILIES];
	uint64_t source_mac;
	const struct payload_book *book; /* of UDP payloads and hellos */
	unsigned passes; /* a response to another pass is none */
	bool banners; /* open ports are said hello to */
	uint32_t banner_bytes; /* that we want of each */
	bool offload_ip, offload_l4; /* the device completes these checksums */
};

/* A received IP packet that is well formed, whole, and addressed to us; or one that an error quotes. */
struct packet {
	enum family family;
	dp_ip src, dst; /* of a quoted one: ours, the target's */
	uint8_t protocol; /* IPPROTO_*, behind extension headers */
	uint8_t ttl;
	const uint8_t *l4;
	unsigned l4_bytes; /* of a quoted one: as many as there are, at least 8 */
	uint32_t stamp; /* of a quoted one: IPv4's identification, or IPv6's flow label */
};

/* A TCP segment with a good checksum. */
struct tcp_segment {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	const uint8_t *options;
	unsigned options_bytes;
	const uint8_t *data; /* behind the header */
	unsigned data_bytes;
};

enum probe_kind {
	PROBE_NONE, /* no answer to a probe of ours: reject */
	PROBE_ANSWER, /* one, and nothing is owed for it */
	PROBE_OPENED, /* one that left a connection half open: a hello or a reset is owed */

	/* In a connection that our hello completed: */
	PROBE_DATA, /* it says something, and may have more to say: an ACK is owed */
	PROBE_DATA_AHEAD, /* it says something, but what is before that may be lost: nothing is owed */
	PROBE_DATA_END, /* it says something, or no more, and that is all we take: a reset is owed */
	PROBE_FIN, /* it is to end, whatever it says: a reset is owed */
	PROBE_QUIET, /* an acknowledgement, or its own reset: nothing is owed */
};

/* What a module made of a response, for the packet core. */
struct verdict {
	enum probe_kind kind;
	enum dp_response response; /* of PROBE_ANSWER and PROBE_OPENED: what counts it */
};

enum {
	PROBE_WINDOW_SCALE = 7, /* what our SYN offers: a shift */
	PROBE_ROOM = 40 + 8 + DP_PAYLOAD_MAX_BYTES, /* the largest packet of any module */
};

/* Sums over a prepared packet that make() goes on from (RFC 1624), in host arithmetic, unfolded. */
struct probe_sums {
	uint64_t ip; /* IPv4 header */
	uint64_t l4; /* transport, with the pseudo-header as far as it is constant */
};

struct probe_module {
	const char *name;
	enum dp_proto proto;
	uint8_t protocol
		[FAMILIES]; /* IPPROTO_* of what it sends; 0: no IP packet, or no such family */
	bool link; /* to everybody on the link: broadcast, or the solicited-node group (RFC 4291 2.7.1) */
	bool varies; /* in length: make() says it */
	uint16_t packet_bytes
		[FAMILIES]; /* from the network layer on, of the longest; 0: no such family */

	/* Write the constant bytes of a probe into @packet, and their sums. */
	void (*prepare)(const struct probe_env *env, enum family family, uint8_t *packet,
		struct probe_sums *sums);

	/*
	 * Write what differs into @n prepared packets of one family, one for each target.
	 * @clock_us is the sender's clock, which the probe carries where its protocol echoes it.
	 * @length: of each packet, only where it varies.
	 */
	void (*make)(const struct probe_env *env, enum family family, const struct probe_sums *sums,
		uint8_t *const *packet, uint16_t *length, const struct dp_target *target,
		unsigned n, uint32_t clock_us);

	/*
	 * Judge a response of the module's protocol; one of the first two is NULL or both are. Fills
	 * ip, port, proto, state, reason, rtt_us and pass of @answer, and its banner where there is one,
	 * uncut. @clock_us: the same clock at arrival. PROBE_NONE where it answers no probe.
	 */
	struct verdict (*segment)(const struct probe_env *env, const struct packet *packet,
		const struct tcp_segment *segment, uint32_t clock_us, struct dp_answer *answer);
	struct verdict (*packet)(const struct probe_env *env, const struct packet *packet,
		uint32_t clock_us, struct dp_answer *answer);

	/*
	 * Whether @quoted, out of an ICMP error, is a probe of ours; fills ip, port, proto and pass of
	 * @answer. NULL where errors mean nothing.
	 */
	bool (*quoted)(
		const struct probe_env *env, const struct packet *quoted, struct dp_answer *answer);

	/* A port unreachable from the target itself means closed, not filtered. */
	bool unreachable_closes;
};

enum {
	PROBE_MAX_STEPS = 4,
};

/*
 * What a scan type sends: to a pair, at transmission k, step k mod nb_steps of its family; of a mix
 * always the step of its own protocol.
 */
struct probe_type {
	struct dp_scan_type scan;
	struct {
		const struct probe_module *module;
		uint16_t port; /* instead of the pair's; 0: the pair's */
	} step[FAMILIES][PROBE_MAX_STEPS];
	unsigned nb_steps[FAMILIES]; /* 0: no such family */
	const struct probe_module
		*on_link[FAMILIES]; /* instead, once, to targets on link; NULL: as others */
	bool host; /* any validated answer means that the host is up; the answer has no port */
};

/* The row of @scan, which is one of dp_scan_at(). */
const struct probe_type *probe_type_of(const struct dp_scan_type *scan);

/* The step that is transmission @k to a target (port, of a mix protocol) of @family. */
unsigned probe_step(const struct probe_type *type, enum family family,
	const struct dp_target *target, unsigned k);

/* How many transmissions (of one repeat) pairs of @space get at the most, and how many one gets. */
unsigned probe_passes_max(const struct probe_type *type, const struct payload_book *book,
	const struct dp_space *space);
unsigned probe_passes(const struct probe_type *type, const struct payload_book *book,
	enum family family, const struct dp_target *target);

extern const struct probe_module probe_syn;
extern const struct probe_module probe_ack;
extern const struct probe_module probe_window;
extern const struct probe_module probe_fin;
extern const struct probe_module probe_null;
extern const struct probe_module probe_xmas;
extern const struct probe_module probe_maimon;
extern const struct probe_module probe_udp;
extern const struct probe_module probe_sctp;
extern const struct probe_module probe_echo;
extern const struct probe_module probe_timestamp;
extern const struct probe_module probe_arp;
extern const struct probe_module probe_ndp;

#endif
