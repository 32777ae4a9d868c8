/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the far side of a scan saw: how often each target was probed, exactly, and when. Pure, no
 * DPDK; one thread uses it.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <dp/world.h>

struct ledger;

/*
 * For probes to @space, which has to outlive it; with @exact it keeps a byte a target, touched only
 * where there are probes. Slots of time are @slot_tsc wide. 0, -E2BIG beyond DP_WORLD_EXACT_MAX
 * targets, or -ENOMEM.
 */
int ledger_create(
	const struct dp_space *space, bool exact, uint64_t slot_tsc, struct ledger **ledger);
void ledger_destroy(struct ledger *ledger); /* NULL is fine */

/* A probe came. False where it is to none of the space's targets. */
bool ledger_probe(struct ledger *ledger, dp_ip ip, uint16_t port, uint64_t now_tsc);
/* @n answers went. */
void ledger_answers(struct ledger *ledger, unsigned n, uint64_t now_tsc);

/* Fill what @counts has of it. Its slots belong to the ledger. */
void ledger_read(const struct ledger *ledger, struct dp_world_counts *counts);

/* When the first and last probe came, and the longest time between two. 0: none came. */
uint64_t ledger_first_tsc(const struct ledger *ledger);
uint64_t ledger_last_tsc(const struct ledger *ledger);
uint64_t ledger_gap_tsc(const struct ledger *ledger);

/* Each target that was probed, in the order of the space. */
void ledger_each(const struct ledger *ledger, dp_world_target *target, void *ctx);

#endif
