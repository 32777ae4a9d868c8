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

struct dp_scan_type {
	const char *name; /* as in the INI file: "syn" ... "discovery" */
	enum dp_proto proto; /* of its pairs; an answer of discovery says which it was */
	bool has_ports;
	bool v4, v6; /* families it has a meaning for */
	bool link; /* only targets on the port's own link */
	const char *flags; /* the TCP flags of its probes, "S", "FPU"; "" where it has none */
	const char *silence; /* what no answer means: "filtered" "open|filtered" "down" */
};

/* The row of a name, or NULL. */
const struct dp_scan_type *dp_scan_find(const char *name);

/* All rows in the table's order; NULL beyond the last. */
const struct dp_scan_type *dp_scan_at(unsigned i);

#endif
