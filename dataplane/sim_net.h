/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network between a scanner and the simulated hosts: loss, duplication, delay and jitter. What
 * carries frames to and from it is a peer of the packet path (peer_sim.c) or a port of its own
 * (world.c). Pure, no DPDK; one thread uses it.
 *
 * A reply waits as a small record in a timing wheel (Varghese and Lauck, SOSP 1987, scheme 6) and
 * is handed over when it is due. Nothing is dropped but by the dice: who has frames asks first
 * whether there is room for a burst of them.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "counters.h"
#include "sim_host.h"

enum {
	SIM_NET_BURST = 32, /* frames between two questions whether there is room */
};

struct sim_net;

/* What happened on the way; written by its thread. */
struct sim_net_counts {
	counter probes, lost, bad;
};

/* @hosts is copied, but for what it points to. The TSC runs at @tsc_hz. NULL: no memory. */
struct sim_net *sim_net_create(const struct sim_hosts *hosts, uint64_t tsc_hz, uint64_t now_tsc);
void sim_net_destroy(struct sim_net *net); /* NULL is fine */

/* The hosts, whose scanner_mac may change as they go. */
struct sim_hosts *sim_net_hosts(struct sim_net *net);
const struct sim_net_counts *sim_net_counts(const struct sim_net *net);

/* Whether SIM_NET_BURST frames can be taken now. */
bool sim_net_has_room(const struct sim_net *net);

/* Replies on their way. */
uint64_t sim_net_waiting(const struct sim_net *net);

/* Make room, as far as there is memory left: what waits will not go before more was taken. */
void sim_net_grow(struct sim_net *net);

/* Carry what sim_take() made of a frame of the scanner's. @note stays the caller's. */
void sim_net_carry(struct sim_net *net, enum sim_taken taken, const struct sim_reply *reply,
	const uint8_t *note, uint64_t now_tsc);

/* Take a reply that is due, to be written by sim_write(); false where there is no room for it now. */
typedef bool sim_net_out(void *ctx, const struct sim_reply *reply, const uint8_t *note);

/* Hand over what is due. Returns whether there was anything. */
bool sim_net_send_due(struct sim_net *net, uint64_t now_tsc, sim_net_out *out, void *ctx);

#endif
