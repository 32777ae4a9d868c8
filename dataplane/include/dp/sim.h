/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network behind `port = sim`: what it answers is a pure function of its seed, the
 * address and the port, so that the truth of a scan can be listed without sending anything.
 *
 * A live host answers as hosts do: SYN-ACK or RST to TCP, a reply or an ICMP port unreachable to UDP,
 * INIT-ACK or ABORT to SCTP, echo, timestamp, ARP and neighbour replies; open TCP ports ignore FIN,
 * NULL, Xmas and Maimon probes and show a window in the RST to an ACK, as old BSDs did.
 */
#ifndef DP_SIM_H
#define DP_SIM_H

#include <dp/answer.h>

struct dp_sim_params {
	double alive; /* fraction of addresses that answer, 0 to 1 */
	double open; /* fraction of live (address, port) pairs that are open */
	double loss; /* chance that a packet is lost, drawn for each packet each way */
	double duplicate; /* chance that a reply comes twice, each copy with its own delay */
	uint32_t rtt_us; /* delay of a reply */
	uint32_t jitter_us; /* uniform, plus or minus */
	uint64_t seed;
	bool banners; /* open ports have one */
};

enum dp_sim_state {
	DP_SIM_SILENT, /* no such host */
	DP_SIM_CLOSED,
	DP_SIM_OPEN,
};

/* What the host has there. TCP, UDP and SCTP ports are open apart from each other. Any thread. */
enum dp_sim_state dp_sim_port(
	const struct dp_sim_params *params, enum dp_proto proto, dp_ip ip, uint16_t port);

/*
 * The truth that a scan of @type should find for a pair: true with *@state and *@proto of its record,
 * false where silence is right. Any thread.
 */
bool dp_sim_truth(const struct dp_sim_params *params, const struct dp_scan_type *type, dp_ip ip,
	uint16_t port, enum dp_state *state, enum dp_proto *proto);

enum {
	DP_SIM_BANNER_BYTES = 4096,
};

/*
 * What an open (@ip, @port) sends to who has connected and said @said_bytes of @said: written to
 * @banner, of DP_SIM_BANNER_BYTES; its length, or 0 where it says nothing. Any thread.
 */
unsigned dp_sim_banner(const struct dp_sim_params *params, dp_ip ip, uint16_t port,
	const uint8_t *said, unsigned said_bytes, uint8_t *banner);

#endif
