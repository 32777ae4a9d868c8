/* SPDX-License-Identifier: BSD-3-Clause */
/* Dice and services of the simulated network. Pure. */
#ifndef SIM_H
#define SIM_H

#include <dp/sim.h>

uint64_t sim_mix(uint64_t a, uint64_t b);

/* Whether a chance of @probability falls, for a uniform @random. */
bool sim_chance(uint64_t random, double probability);

/* Whether the service of an open TCP port has an answer to what it was told. */
bool sim_speaks(const struct dp_sim_params *params, dp_ip ip, uint16_t port, const uint8_t *said,
	unsigned said_bytes);

/* A part of what an open TCP port says, whatever made it speak. */
struct sim_part {
	unsigned bytes; /* written */
	unsigned total; /* of all that it says; 0: it never speaks */
	bool closes; /* it ends the connection when it has said it */
	bool late_fin; /* with a segment of its own */
};

/* Write up to @max of its bytes from offset @at on. */
struct sim_part sim_say(const struct dp_sim_params *params, dp_ip ip, uint16_t port, unsigned at,
	unsigned max, uint8_t *out);

#endif
