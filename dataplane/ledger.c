/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A byte a target counts its probes, in memory that the kernel gives where there are some; slots of
 * time count from the first probe on. One thread owns it.
 */
#include "ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

struct ledger {
	const struct dp_space *space;
	uint8_t *times; /* of each target, up to DP_WORLD_TIMES_MAX; NULL: not kept */
	size_t nb_targets;
	uint64_t slot_tsc, first_tsc, last_tsc, gap_tsc;
	uint64_t probes, strays, beyond;
	uint64_t targets_by_times[DP_WORLD_TIMES_MAX + 1];
	unsigned nb_slots;
	struct dp_world_slot slot[DP_WORLD_SLOTS_MAX];
};

int ledger_create(
	const struct dp_space *space, bool exact, uint64_t slot_tsc, struct ledger **made) {
	const dp_u128 count = dp_space_count(space);
	struct ledger *ledger;

	if (exact && count > DP_WORLD_EXACT_MAX)
		return -E2BIG;
	ledger = calloc(1, sizeof(*ledger));
	if (!ledger)
		return -ENOMEM;
	ledger->space = space;
	ledger->slot_tsc = slot_tsc;
	if (exact) {
		ledger->nb_targets = (size_t)count;
		ledger->times = mmap(NULL, ledger->nb_targets, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (ledger->times == MAP_FAILED) {
			free(ledger);
			return -ENOMEM;
		}
	}
	*made = ledger;
	return 0;
}

void ledger_destroy(struct ledger *ledger) {
	if (!ledger)
		return;
	if (ledger->times)
		munmap(ledger->times, ledger->nb_targets);
	free(ledger);
}

static struct dp_world_slot *slot_of(struct ledger *ledger, uint64_t now_tsc) {
	uint64_t i = (now_tsc - ledger->first_tsc) / ledger->slot_tsc;

	if (i >= DP_WORLD_SLOTS_MAX)
		return NULL;
	if (i >= ledger->nb_slots)
		ledger->nb_slots = (unsigned)i + 1;
	return &ledger->slot[i];
}

static void count_time(struct ledger *ledger, uint64_t now_tsc) {
	struct dp_world_slot *slot;

	if (ledger->probes++ == 0)
		ledger->first_tsc = ledger->last_tsc = now_tsc;
	if (now_tsc - ledger->last_tsc > ledger->gap_tsc)
		ledger->gap_tsc = now_tsc - ledger->last_tsc;
	ledger->last_tsc = now_tsc;
	slot = slot_of(ledger, now_tsc);
	if (slot)
		slot->probes++;
	else
		ledger->beyond++;
}

bool ledger_probe(struct ledger *ledger, dp_ip ip, uint16_t port, uint64_t now_tsc) {
	dp_u128 index;
	uint8_t *times;

	if (!dp_space_find(ledger->space, ip, port, &index)) {
		ledger->strays++;
		return false;
	}
	count_time(ledger, now_tsc);
	if (!ledger->times)
		return true;
	times = &ledger->times[(size_t)index];
	if (*times > 0)
		ledger->targets_by_times[*times]--;
	if (*times < DP_WORLD_TIMES_MAX)
		++*times;
	ledger->targets_by_times[*times]++;
	return true;
}

void ledger_answers(struct ledger *ledger, unsigned n, uint64_t now_tsc) {
	struct dp_world_slot *slot = ledger->probes ? slot_of(ledger, now_tsc) : NULL;

	if (slot)
		slot->answers += n;
}

void ledger_read(const struct ledger *ledger, struct dp_world_counts *counts) {
	counts->exact = ledger->times != NULL;
	counts->probes = ledger->probes;
	counts->strays = ledger->strays;
	counts->probes_beyond_slots = ledger->beyond;
	counts->targets = 0;
	for (unsigned i = 0; i <= DP_WORLD_TIMES_MAX; i++) {
		counts->targets_by_times[i] = ledger->targets_by_times[i];
		counts->targets += ledger->targets_by_times[i];
	}
	counts->slot = ledger->slot;
	counts->nb_slots = ledger->nb_slots;
}

uint64_t ledger_first_tsc(const struct ledger *ledger) {
	return ledger->first_tsc;
}

uint64_t ledger_last_tsc(const struct ledger *ledger) {
	return ledger->last_tsc;
}

uint64_t ledger_gap_tsc(const struct ledger *ledger) {
	return ledger->gap_tsc;
}

void ledger_each(const struct ledger *ledger, dp_world_target *target, void *ctx) {
	for (uint64_t i = 0; ledger->times && i < ledger->nb_targets; i++) {
		struct dp_target at;

		if (ledger->times[i] == 0)
			continue;
		dp_space_pick(ledger->space, &i, &at, 1);
		target(ctx, at.ip, at.port, ledger->times[i]);
	}
}
