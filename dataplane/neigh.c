/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbour table. The driving TX lcore owns the cursors; the entries are written by RX lcores
 * (the address, on a reply) and by the driver (the mark that we asked), always as whole words.
 */
#include "neigh.h"

#include <errno.h>
#include <stdlib.h>

#define ASKED (UINT64_C(1) << 61) /* a question is open */
#define DOUBTED (UINT64_C(1) << 60) /* it brought another address, but not yet the known one */
#define REPLACE (UINT64_C(1) << 59) /* it brought only that, and we asked again */

enum {
	TARGET_ROUNDS = 3,
	GATEWAY_ROUNDS = 5,
	ROUND_WAIT_MS = 300, /* times the round's number */
	ASK_PER_S = 20000, /* on a link, whatever the scan's rate: ARP is broadcast */
	GATEWAY_REFRESH_S = 15,
	TARGET_REFRESH_S = 60,
};

/* On-link targets [first, last] are entries base, base + 1, ... */
struct span {
	uint32_t first, last;
	size_t base;
};

struct neigh {
	uint32_t gateway_ip;
	bool fixed; /* the gateway's hardware address was given: never asked for */
	struct span *span; /* ascending */
	size_t nb_spans;
	size_t nb_entries; /* entry 0 is the gateway */
	_Atomic uint64_t *entry;

	/* The driving TX lcore's own: */
	uint64_t tsc_hz;
	unsigned round; /* 1-based, 0 before the first */
	size_t cursor; /* next entry to ask */
	uint64_t wait_until_tsc;
	uint64_t paced_tsc; /* when the last question went */
	uint64_t refreshed_tsc;
	size_t refresh_cursor;
};

static bool intersect(struct dp_range a, struct dp_range b, struct span *out) {
	out->first = a.first > b.first ? a.first : b.first;
	out->last = a.last < b.last ? a.last : b.last;
	return out->first <= out->last;
}

/* The targets on link as spans, counted where @spans is NULL. Both sides ascend and are disjoint. */
static size_t find_spans(const struct dp_plan *plan, const struct dp_ipset *addresses,
	struct span *spans, size_t *nb_entries) {
	static const struct dp_range everything = {0, UINT32_MAX};
	const struct dp_range *onlink = plan->onlink_all ? &everything : plan->onlink;
	size_t nb_onlink = plan->onlink_all ? 1 : plan->nb_onlink;
	const struct dp_range *range;
	size_t nb_ranges = dp_ipset_ranges(addresses, &range), n = 0, base = 1;

	for (size_t i = 0, j = 0; i < nb_ranges && j < nb_onlink;) {
		struct span span;

		if (intersect(range[i], onlink[j], &span)) {
			span.base = base;
			base += (size_t)span.last - span.first + 1;
			if (spans)
				spans[n] = span;
			n++;
		}
		if (range[i].last < onlink[j].last)
			i++;
		else
			j++;
	}
	*nb_entries = base;
	return n;
}

int neigh_create(const struct dp_plan *plan, const struct dp_ipset *addresses, uint64_t tsc_hz,
	struct neigh **out) {
	struct neigh *neigh = calloc(1, sizeof(*neigh));

	if (!neigh)
		return -ENOMEM;
	neigh->tsc_hz = tsc_hz;
	neigh->gateway_ip = plan->gateway_ip;
	neigh->fixed = plan->has_gateway_mac;
	neigh->nb_spans = find_spans(plan, addresses, NULL, &neigh->nb_entries);
	neigh->span = calloc(neigh->nb_spans + 1, sizeof(*neigh->span));
	neigh->entry = calloc(neigh->nb_entries, sizeof(*neigh->entry));
	if (!neigh->span || !neigh->entry) {
		neigh_destroy(neigh);
		return -ENOMEM;
	}
	find_spans(plan, addresses, neigh->span, &neigh->nb_entries);
	if (plan->has_gateway_mac) {
		uint64_t mac = 0;

		for (unsigned i = 0; i < 6; i++)
			mac = mac << 8 | plan->gateway_mac[i];
		atomic_init(&neigh->entry[0], mac | NEIGH_RESOLVED);
	}
	*out = neigh;
	return 0;
}

void neigh_destroy(struct neigh *neigh) {
	if (!neigh)
		return;
	free(neigh->span);
	free(neigh->entry);
	free(neigh);
}

bool neigh_single(const struct neigh *neigh) {
	return neigh->nb_spans == 0;
}

/* The entry of an on-link target, or 0, the gateway's. */
static size_t find_entry(const struct neigh *neigh, uint32_t ip) {
	size_t low = 0, high = neigh->nb_spans;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ip > neigh->span[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == neigh->nb_spans || ip < neigh->span[low].first)
		return 0;
	return neigh->span[low].base + (ip - neigh->span[low].first);
}

static uint32_t entry_address(const struct neigh *neigh, size_t entry) {
	size_t low = 0, high = neigh->nb_spans;

	if (entry == 0)
		return neigh->gateway_ip;
	/* The last span whose base is not beyond the entry. */
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (neigh->span[middle].base <= entry)
			low = middle;
		else
			high = middle;
	}
	return neigh->span[low].first + (uint32_t)(entry - neigh->span[low].base);
}

uint64_t neigh_next_hop(const struct neigh *neigh, uint32_t ip) {
	return atomic_load_explicit(&neigh->entry[find_entry(neigh, ip)], memory_order_relaxed);
}

/*
 * One answer for one entry. The first that is asked for is believed. Later a different one is not, as
 * long as the known address answers too: a forged answer must not turn the probes away from a next hop
 * that is there. Only what stays silent on a question that brought such doubt is replaced, after the
 * next one.
 */
static void learn_entry(_Atomic uint64_t *entry, uint64_t mac) {
	uint64_t word = atomic_load_explicit(entry, memory_order_relaxed);

	if (!(word & ASKED))
		return;
	if (!(word & NEIGH_RESOLVED) || (word & REPLACE) || (word & NEIGH_MAC) == mac)
		atomic_store_explicit(entry, mac | NEIGH_RESOLVED, memory_order_relaxed);
	else
		atomic_fetch_or_explicit(entry, DOUBTED, memory_order_relaxed);
}

void neigh_learn(struct neigh *neigh, uint32_t ip, uint64_t mac) {
	size_t entry = find_entry(neigh, ip);

	/* Neither a group address nor none is a host's (IEEE 802: the first byte's lowest bit). */
	if ((mac >> 40 & 1) || mac == 0)
		return;
	if (entry != 0)
		learn_entry(&neigh->entry[entry], mac);
	/* A gateway that is a target too has two entries. */
	if (ip == neigh->gateway_ip && !neigh->fixed)
		learn_entry(&neigh->entry[0], mac);
}

static bool resolved(const struct neigh *neigh, size_t entry) {
	if (entry == 0 && neigh->gateway_ip == 0)
		return true; /* there is none to ask for */
	return atomic_load_explicit(&neigh->entry[entry], memory_order_relaxed) & NEIGH_RESOLVED;
}

/* Mark the entry as asked; a reply that comes at the same time is kept or asked for again. */
static uint32_t ask_entry(struct neigh *neigh, size_t entry) {
	uint64_t word = atomic_load_explicit(&neigh->entry[entry], memory_order_relaxed);

	atomic_fetch_or_explicit(
		&neigh->entry[entry], ASKED | (word & DOUBTED ? REPLACE : 0), memory_order_relaxed);
	return entry_address(neigh, entry);
}

static bool all_resolved(const struct neigh *neigh) {
	for (size_t i = 0; i < neigh->nb_entries; i++)
		if (!resolved(neigh, i))
			return false;
	return true;
}

/* A round is through: wait for late answers, start the next, or say how it ended. */
static int end_round(struct neigh *neigh, uint64_t now_tsc) {
	bool last;

	if (neigh->wait_until_tsc == 0) {
		if (neigh->round == 0 && !all_resolved(neigh)) {
			neigh->round = 1;
			neigh->cursor = 0;
			return 0;
		}
		neigh->wait_until_tsc
			= now_tsc + neigh->tsc_hz / 1000 * ROUND_WAIT_MS * neigh->round;
	}
	if (all_resolved(neigh))
		return 1;
	if (now_tsc < neigh->wait_until_tsc)
		return 0;
	last = neigh->round >= (resolved(neigh, 0) ? TARGET_ROUNDS : GATEWAY_ROUNDS);
	if (last)
		return resolved(neigh, 0) ? 1 : -EHOSTUNREACH;
	neigh->round++;
	neigh->cursor = 0;
	neigh->wait_until_tsc = 0;
	return 0;
}

int neigh_resolve(struct neigh *neigh, uint64_t now_tsc, uint32_t *ask, unsigned max, unsigned *n) {
	*n = 0;
	neigh->refreshed_tsc = now_tsc;
	if (neigh->round == 0)
		neigh->cursor = neigh->nb_entries;
	for (; neigh->cursor < neigh->nb_entries && *n < max; neigh->cursor++) {
		if (resolved(neigh, neigh->cursor))
			continue;
		/* From the fourth round on only the gateway is asked. */
		if (neigh->cursor > 0 && neigh->round > TARGET_ROUNDS)
			continue;
		if (now_tsc - neigh->paced_tsc < neigh->tsc_hz / ASK_PER_S)
			return 0;
		neigh->paced_tsc = now_tsc;
		ask[(*n)++] = ask_entry(neigh, neigh->cursor);
	}
	return neigh->cursor < neigh->nb_entries ? 0 : end_round(neigh, now_tsc);
}

/* A gateway that has moved is found soon: while in doubt it is asked every second. */
static uint64_t gateway_wait_s(const struct neigh *neigh) {
	uint64_t word = atomic_load_explicit(&neigh->entry[0], memory_order_relaxed);

	return word & DOUBTED ? 1 : GATEWAY_REFRESH_S;
}

unsigned neigh_refresh(struct neigh *neigh, uint64_t now_tsc, uint32_t *ask, unsigned max) {
	uint64_t second = neigh->tsc_hz;
	unsigned n = 0;

	if (neigh->gateway_ip && !neigh->fixed
		&& now_tsc - neigh->refreshed_tsc > gateway_wait_s(neigh) * second) {
		neigh->refreshed_tsc = now_tsc;
		ask[n++] = ask_entry(neigh, 0);
	}
	if (neigh->nb_entries == 1 || n == max)
		return n;
	/* All targets once in TARGET_REFRESH_S, evenly, but no faster than the first time. */
	if (now_tsc - neigh->paced_tsc < TARGET_REFRESH_S * second / (neigh->nb_entries - 1)
		|| now_tsc - neigh->paced_tsc < second / ASK_PER_S)
		return n;
	neigh->paced_tsc = now_tsc;
	if (++neigh->refresh_cursor >= neigh->nb_entries)
		neigh->refresh_cursor = 1;
	ask[n++] = ask_entry(neigh, neigh->refresh_cursor);
	return n;
}

uint64_t neigh_unresolved(const struct neigh *neigh) {
	uint64_t n = 0;

	for (size_t i = 1; i < neigh->nb_entries; i++)
		n += !resolved(neigh, i);
	return n;
}
