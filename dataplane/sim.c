/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network's truth: pure functions of its seed, the address and the port.
 */
#include "sim.h"

#include <dp/sim.h>

/* A fixed mix of two words (the finaliser of MurmurHash3, Appleby 2011, run over both). */
uint64_t sim_mix(uint64_t a, uint64_t b) {
	uint64_t z = a ^ (b * 0x9e3779b97f4a7c15u);

	for (unsigned i = 0; i < 2; i++) {
		z = (z ^ (z >> 33)) * 0xff51afd7ed558ccdu;
		z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53u;
		z ^= z >> 33;
		z += b;
	}
	return z;
}

bool sim_chance(uint64_t random, double probability) {
	/* 2^53 values, each a double: 0 never, 1 always. */
	return (double)(random >> 11) * 0x1p-53 < probability;
}

enum dp_sim_state dp_sim_truth(const struct dp_sim_params *params, uint32_t ip, uint16_t port) {
	if (!sim_chance(sim_mix(params->seed, ip), params->alive))
		return DP_SIM_SILENT;
	if (sim_chance(sim_mix(params->seed, UINT64_C(1) << 48 | (uint64_t)ip << 16 | port),
		    params->open))
		return DP_SIM_OPEN;
	return DP_SIM_CLOSED;
}
