/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scan types: what the packet core can send, and what its answers and its silence mean. One row a
 * type, in the table of probe.c.
 */
#ifndef DP_SCAN_H
#define DP_SCAN_H

#include <stdbool.h>
#include <stdint.h>

/* What a record is about. */
enum dp_proto {
	DP_PROTO_TCP,
	DP_PROTO_UDP,
	DP_PROTO_SCTP,
	DP_PROTO_ICMP, /* of either family */
	DP_PROTO_ARP,
	DP_PROTO_NDP,
	DP_PROTO_COUNT,
};

const char *dp_proto_name(enum dp_proto proto); /* "tcp" "udp" "sctp" "icmp" "arp" "ndp" */

enum {
	DP_SCAN_PARTS = 3, /* of TCP, UDP and SCTP, one each */
};

/*
 * A type may be a mix of others that have ports, each of another protocol: its pairs then are of all of
 * these protocols, and each is probed as its own part does.
 */
struct dp_scan_type {
	const char *name; /* as in the INI file: "syn" ... "discovery"; of a mix "syn,udp" */
	enum dp_proto
		proto; /* of its pairs, of a mix of some; an answer of discovery says which it was */
	bool has_ports;
	bool v4, v6; /* families it has a meaning for */
	bool link; /* only targets on the port's own link */
	const char *flags; /* the TCP flags of its probes, "S", "FPU"; "" where it has none */
	const char *
		silence; /* what no answer means: "filtered" "open|filtered" "down"; of a mix all */
	const struct dp_scan_type
		*part[DP_SCAN_PARTS]; /* of a mix, in the order of their protocols */
	unsigned nb_parts; /* 0: it is no mix */
};

/* The row of a name, a mix's too, or NULL. */
const struct dp_scan_type *dp_scan_find(const char *name);

/* All rows but mixes in the table's order; NULL beyond the last. */
const struct dp_scan_type *dp_scan_at(unsigned i);

/* What of @type goes to pairs of @proto: itself, or a part of it; NULL: nothing. Only types with ports. */
const struct dp_scan_type *dp_scan_part(const struct dp_scan_type *type, enum dp_proto proto);

/* The mix of @more with @type, which may be one, or NULL: its protocol is taken, or it has no ports. */
const struct dp_scan_type *dp_scan_mix(
	const struct dp_scan_type *type, const struct dp_scan_type *more);

#endif
