/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world to scan: the simulated network on a port of its own, so that any scanner at the other end
 * of a wire meets the hosts that `port = sim` has (dp/sim.h), and what came over the wire is counted
 * on this side. One thread.
 *
 * It answers for a space of targets; what is sent to others it counts and leaves alone. Replies go to
 * the hardware address that the last frame of the scanner came from, so that there is one scanner at
 * a time.
 */
#ifndef DP_WORLD_H
#define DP_WORLD_H

#include <dp/error.h>
#include <dp/sim.h>
#include <dp/space.h>

#include <stdatomic.h>

enum {
	DP_WORLD_TIMES_MAX = 255, /* a target that was probed more often counts as this often */
	DP_WORLD_SLOT_MS = 100,
	DP_WORLD_SLOTS_MAX = 36000, /* an hour */
};

/* Targets of which each one's probes can be counted. */
#define DP_WORLD_EXACT_MAX ((dp_u128)1 << 32)

struct dp_world_params {
	const char *device; /* af_packet:IF, af_xdp:IF, tap:NAME, memif:SOCKET, or a DPDK vdev */
	int cpu; /* where it runs; -1: where the kernel likes */
	bool verbose; /* DPDK may talk */
	struct dp_sim_params sim;
	dp_ip gateway[2]; /* answer for these in any case; 0: none */
	const struct dp_space *space; /* belongs to the caller, and has to outlive the world */
	bool exact; /* count the probes of each target */
	uint64_t idle_ms; /* end when nothing came for so long after a first probe; 0: do not */
};

struct dp_world_slot {
	uint32_t probes, answers;
};

/*
 * Frames, where nothing else is said. A probe is a TCP segment that asks for an answer in its own
 * right (a handshake's or connection's later ones are not), a UDP datagram, an INIT, or an echo
 * or timestamp request, to a target of the space; those without ports go to port 0.
 */
struct dp_world_counts {
	uint64_t received;
	uint64_t probes;
	uint64_t
		connection; /* segments that go on with a connection, a FIN among them, or reset one */
	uint64_t questions; /* ARP and neighbour solicitations */
	uint64_t strays; /* of the kinds above, but to none of the space */
	uint64_t bad_checksum;
	uint64_t foreign; /* nothing that a host would look at */

	bool exact; /* these three are there */
	uint64_t targets; /* that were probed */
	uint64_t targets_by_times[DP_WORLD_TIMES_MAX + 1];

	uint64_t answers; /* handed to the device */
	uint64_t lost_by_dice; /* as the parameters wanted */
	uint64_t lost_rx; /* dropped before we saw them, for want of room */
	uint64_t lost_tx; /* answers that the device refused */
	uint64_t unsent; /* answers that were not due or found no room when it ended */

	uint64_t first_unix_ns; /* when the first probe came; 0: none */
	uint64_t span_ns; /* from the first to the last */
	uint64_t gap_ns; /* the longest time between two */
	const struct dp_world_slot *slot; /* each DP_WORLD_SLOT_MS, from the first probe on */
	unsigned nb_slots;
	uint64_t probes_beyond_slots;
};

struct dp_world;

/* Start EAL (once a process) and the device. 0, or a negative errno with @err filled. */
int dp_world_create(
	const struct dp_world_params *params, struct dp_world **world, struct dp_error *err);

/* Answer until *@stop, or idle. */
void dp_world_run(struct dp_world *world, const atomic_bool *stop);

/* After the run. What @counts points to lives as long as the world. */
void dp_world_read(struct dp_world *world, struct dp_world_counts *counts);

/* Call @target for each target that was probed, if these were counted: in the order of the space. */
typedef void dp_world_target(void *ctx, dp_ip ip, uint16_t port, unsigned times);
void dp_world_each(const struct dp_world *world, dp_world_target *target, void *ctx);

void dp_world_destroy(struct dp_world *world); /* NULL is fine */

#endif
