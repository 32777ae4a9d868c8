/* SPDX-License-Identifier: BSD-3-Clause */
/* Dice of the simulated network. Pure. */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

uint64_t sim_mix(uint64_t a, uint64_t b);

/* Whether a chance of @probability falls, for a uniform @random. */
bool sim_chance(uint64_t random, double probability);

#endif
