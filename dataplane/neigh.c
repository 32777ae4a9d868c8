/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbour table. The driving TX lcore owns the cursors; the entries are written by RX lcores
 * (the address, on a reply) and by the driver (the mark that we asked), always as whole words.
 */
#include "frame.h"
#include "neigh.h"

#include <errno.h>
#include <stdlib.h>

#define ASKED (UINT64_C(1) << 61) /* a question is open */
#define DOUBTED (UINT64_C(1) << 60) /* it brought another address, but not yet the known one */
#define REPLACE (UINT64_C(1) << 59) /* it brought only that, and we asked again */
#define DOUBT                                                                                      \
	(UINT64_C(1) << 57) /* 2 bits: doubted questions to a gateway in a row, but the latest */
#define DOUBTS (3 * DOUBT)

enum {
	TARGET_ROUNDS = 3,
	GATEWAY_ROUNDS = 5,
	ROUND_WAIT_MS = 300, /* times the round's number */
	ASK_PER_S = 20000, /* on a link, whatever the scan's rate: everybody hears them */
	/* What moves without a word is found by the question after the next. */
	GATEWAY_REFRESH_S = 2,
	TARGET_REFRESH_S = 60, /* of all targets at the latest; few of them sooner: */
	TARGET_SOONEST_S = 2,
	TARGETS_PER_S = 20,
};

/* On-link targets [first, last] are entries base, base + 1, ... */
struct span {
	dp_ip first, last;
	size_t base;
};

/* Of a family, entry 0 and 1. */
struct gateway {
	dp_ip ip; /* 0: none */
	uint64_t asked_tsc; /* when the latest refresh went */
};

enum {
	GATEWAY_V4,
	GATEWAY_V6,
	GATEWAYS, /* the first entry of a target */

	HEARD = 1 << 16, /* hosts that are remembered; a later one takes an earlier one's place */

	/* Of both families. A prefix of IPv6 around the IPv4-mapped addresses is two. */
	MAX_LINKS = 4 * DP_MAX_ONLINK,
};

struct neigh {
	struct gateway gateway[GATEWAYS];
	bool fixed; /* the gateways' hardware address was given: never asked for */
	struct dp_range link[MAX_LINKS]; /* what is on link: ascending, disjoint */
	unsigned nb_links;
	struct span *span; /* ascending */
	size_t nb_spans;
	bool single[GATEWAYS]; /* no span is of this family */
	size_t nb_entries;
	_Atomic uint64_t *entry;
	_Atomic uint64_t moved_gateways, moved_targets; /* times; writers: RX lcores */
	_Atomic uint64_t *heard; /* HEARD words; NULL: targets have entries. See heard_word() */

	/* The driving TX lcore's own: */
	uint64_t gateway_questions;
	uint64_t tsc_hz;
	unsigned round; /* 1-based, 0 before the first */
	size_t cursor; /* next entry to ask */
	uint64_t wait_until_tsc;
	uint64_t paced_tsc; /* when the last question went */
	size_t refresh_cursor;
};

static size_t gateway_of(dp_ip ip) {
	return dp_ip_is_v4(ip) ? GATEWAY_V4 : GATEWAY_V6;
}

static bool intersect(struct dp_range a, struct dp_range b, struct dp_range *out) {
	out->first = a.first > b.first ? a.first : b.first;
	out->last = a.last < b.last ? a.last : b.last;
	return out->first <= out->last;
}

/* Insert, so that the ranges ascend. */
static void add_link(struct neigh *neigh, struct dp_range range) {
	unsigned i = neigh->nb_links++;

	for (; i > 0 && neigh->link[i - 1].first > range.first; i--)
		neigh->link[i] = neigh->link[i - 1];
	neigh->link[i] = range;
}

static void add_family(struct neigh *neigh, const struct dp_route_plan *route, bool v4) {
	static const struct dp_range everything = {0, DP_U128_MAX},
				     family[]
		= {{DP_IP_V4_FIRST, DP_IP_V4_LAST}, {0, DP_IP_V4_FIRST - 1},
			{DP_IP_V4_LAST + 1, DP_U128_MAX}};
	const struct dp_range *onlink = route->onlink_all ? &everything : route->onlink;
	const unsigned nb = route->onlink_all ? 1 : route->nb_onlink;
	struct dp_range part;

	if (!route->used)
		return;
	neigh->gateway[v4 ? GATEWAY_V4 : GATEWAY_V6].ip = route->gateway;
	for (unsigned i = 0; i < nb; i++)
		for (unsigned k = v4 ? 0 : 1; k < (v4 ? 1 : 3); k++)
			if (intersect(onlink[i], family[k], &part))
				add_link(neigh, part);
}

/* Prefixes may lie in each other. */
static void merge_links(struct neigh *neigh) {
	unsigned n = 0;

	for (unsigned i = 0; i < neigh->nb_links; i++) {
		const struct dp_range range = neigh->link[i];

		if (n == 0 || range.first > neigh->link[n - 1].last)
			neigh->link[n++] = range;
		else if (range.last > neigh->link[n - 1].last)
			neigh->link[n - 1].last = range.last;
	}
	neigh->nb_links = n;
}

/*
 * The targets on link as spans, counted where @spans is NULL. Both sides ascend and are disjoint, and
 * no range is of two families. Returns the number of their addresses.
 */
static dp_u128 find_spans(
	struct neigh *neigh, const struct dp_ipset *addresses, struct span *spans) {
	const struct dp_range *range;
	size_t nb_ranges = dp_ipset_ranges(addresses, &range);
	dp_u128 count = 0;

	neigh->nb_spans = 0;
	for (size_t i = 0, j = 0; i < nb_ranges && j < neigh->nb_links;) {
		struct dp_range both;

		if (intersect(range[i], neigh->link[j], &both)) {
			if (spans)
				spans[neigh->nb_spans] = (struct span){
					both.first, both.last, GATEWAYS + (size_t)count};
			neigh->nb_spans++;
			neigh->single[gateway_of(both.first)] = false;
			count += both.last - both.first + 1;
		}
		if (range[i].last < neigh->link[j].last)
			i++;
		else
			j++;
	}
	return count;
}

static int make_entries(struct neigh *neigh, const struct dp_ipset *addresses) {
	const dp_u128 count = addresses ? find_spans(neigh, addresses, NULL) : 0;

	if (count > SIZE_MAX / sizeof(*neigh->entry) - GATEWAYS)
		return -ENOMEM;
	neigh->nb_entries = GATEWAYS + (size_t)count;
	neigh->span = calloc(neigh->nb_spans + 1, sizeof(*neigh->span));
	neigh->entry = calloc(neigh->nb_entries, sizeof(*neigh->entry));
	if (!neigh->span || !neigh->entry)
		return -ENOMEM;
	if (addresses)
		find_spans(neigh, addresses, neigh->span);
	return 0;
}

int neigh_create(const struct dp_port_plan *plan, const struct dp_ipset *addresses, bool targets,
	uint64_t tsc_hz, struct neigh **out) {
	struct neigh *neigh = calloc(1, sizeof(*neigh));

	if (!neigh)
		return -ENOMEM;
	neigh->tsc_hz = tsc_hz;
	neigh->fixed = plan->has_gateway_mac;
	neigh->single[GATEWAY_V4] = neigh->single[GATEWAY_V6] = true;
	add_family(neigh, &plan->v4, true);
	add_family(neigh, &plan->v6, false);
	merge_links(neigh);
	if (!targets)
		neigh->heard = calloc(HEARD, sizeof(*neigh->heard));
	if ((!targets && !neigh->heard) || make_entries(neigh, targets ? addresses : NULL)) {
		neigh_destroy(neigh);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < GATEWAYS && neigh->fixed; i++)
		atomic_init(&neigh->entry[i], mac_get(plan->gateway_mac) | NEIGH_RESOLVED);
	*out = neigh;
	return 0;
}

void neigh_destroy(struct neigh *neigh) {
	if (!neigh)
		return;
	free(neigh->span);
	free(neigh->entry);
	free(neigh->heard);
	free(neigh);
}

bool neigh_single(const struct neigh *neigh, bool v4) {
	return neigh->single[v4 ? GATEWAY_V4 : GATEWAY_V6];
}

bool neigh_on_link(const struct neigh *neigh, dp_ip ip) {
	for (unsigned i = 0; i < neigh->nb_links; i++)
		if (ip >= neigh->link[i].first && ip <= neigh->link[i].last)
			return true;
	return false;
}

/* The entry of an on-link target, or its family's gateway's. */
static size_t find_entry(const struct neigh *neigh, dp_ip ip) {
	size_t low = 0, high = neigh->nb_spans;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ip > neigh->span[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == neigh->nb_spans || ip < neigh->span[low].first)
		return gateway_of(ip);
	return neigh->span[low].base + (size_t)(ip - neigh->span[low].first);
}

static dp_ip entry_address(const struct neigh *neigh, size_t entry) {
	size_t low = 0, high = neigh->nb_spans;

	if (entry < GATEWAYS)
		return neigh->gateway[entry].ip;
	/* The last span whose base is not beyond the entry. */
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (neigh->span[middle].base <= entry)
			low = middle;
		else
			high = middle;
	}
	return neigh->span[low].first + (entry - neigh->span[low].base);
}

/*
 * The place of @ip, and the word for it without a hardware address: what its place does not tell of a
 * hash of it, so that a word is whole at once. Two addresses with one hash are one in 2^29: then a
 * probe goes to a host that ignores it.
 */
static size_t heard_place(dp_ip ip, uint64_t *word) {
	uint64_t hash = (uint64_t)(ip >> 64) * UINT64_C(0xff51afd7ed558ccd);

	hash = (hash ^ (uint64_t)ip) * UINT64_C(0xc4ceb9fe1a85ec53);
	hash = (hash ^ hash >> 33) * UINT64_C(0x9e3779b97f4a7c15);
	*word = NEIGH_RESOLVED | (hash >> 51 << 48); /* 13 bits, below it */
	return hash >> 32 & (HEARD - 1);
}

void neigh_hear(struct neigh *neigh, dp_ip ip, uint64_t mac) {
	uint64_t word;
	size_t place;

	if (!neigh->heard || (mac >> 40 & 1) || mac == 0)
		return;
	place = heard_place(ip, &word);
	atomic_store_explicit(&neigh->heard[place], word | mac, memory_order_relaxed);
}

static uint64_t heard_from(const struct neigh *neigh, dp_ip ip) {
	uint64_t word, wanted;
	size_t place = heard_place(ip, &wanted);

	word = atomic_load_explicit(&neigh->heard[place], memory_order_relaxed);
	return (word & ~NEIGH_MAC) == wanted ? NEIGH_RESOLVED | (word & NEIGH_MAC)
					     : NEIGH_UNRESOLVED;
}

uint64_t neigh_next_hop(const struct neigh *neigh, dp_ip ip) {
	if (neigh->heard && neigh_on_link(neigh, ip))
		return heard_from(neigh, ip);
	return atomic_load_explicit(&neigh->entry[find_entry(neigh, ip)], memory_order_relaxed);
}

/*
 * One answer for one entry. The first that is asked for is believed. Later a different one is not, as
 * long as the known address answers too: a forged answer must not turn the probes away from a next hop
 * that is there. Only what stays silent on a question that brought such doubt is replaced, after the
 * next one; a gateway on four in a row, as one answer may be lost, and who floods us with forged ones
 * sees to that.
 */
static void learn_entry(_Atomic uint64_t *entry, uint64_t mac, _Atomic uint64_t *moved) {
	uint64_t word = atomic_load_explicit(entry, memory_order_relaxed), next;
	bool moves;

	/*
	 * As a whole: a doubt that came in between the known address's answer and its word would outlast
	 * the question, and the next forged answer would be believed.
	 */
	do {
		if (!(word & ASKED))
			return;
		moves = word & NEIGH_RESOLVED && (word & NEIGH_MAC) != mac;
		if (!moves || word & REPLACE) {
			next = mac | NEIGH_RESOLVED;
		} else {
			next = word | DOUBTED;
			moves = false;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		entry, &word, next, memory_order_relaxed, memory_order_relaxed));
	if (moves)
		atomic_fetch_add_explicit(moved, 1, memory_order_relaxed);
}

void neigh_learn(struct neigh *neigh, dp_ip ip, uint64_t mac) {
	const size_t entry = find_entry(neigh, ip);

	/* Neither a group address nor none is a host's (IEEE 802: the first byte's lowest bit). */
	if ((mac >> 40 & 1) || mac == 0)
		return;
	if (entry >= GATEWAYS)
		learn_entry(&neigh->entry[entry], mac, &neigh->moved_targets);
	/* A gateway that is a target too has two entries; one of IPv6 can be IPv4's, too (RFC 8950). */
	for (size_t i = 0; i < GATEWAYS && !neigh->fixed; i++)
		if (ip == neigh->gateway[i].ip)
			learn_entry(&neigh->entry[i], mac, &neigh->moved_gateways);
}

static bool resolved(const struct neigh *neigh, size_t entry) {
	if (entry < GATEWAYS && neigh->gateway[entry].ip == 0)
		return true; /* there is none to ask for */
	return atomic_load_explicit(&neigh->entry[entry], memory_order_relaxed) & NEIGH_RESOLVED;
}

/* Mark the entry as asked, and as to be replaced only where it is in doubt at that very moment. */
static dp_ip ask_entry(struct neigh *neigh, size_t entry) {
	_Atomic uint64_t *place = &neigh->entry[entry];
	uint64_t word = atomic_load_explicit(place, memory_order_relaxed), asked;

	do {
		asked = word | ASKED;
		if (word & DOUBTED && entry < GATEWAYS && (word & DOUBTS) != DOUBTS)
			asked += DOUBT;
		else if (word & DOUBTED)
			asked |= REPLACE;
	} while (!atomic_compare_exchange_weak_explicit(
		place, &word, asked, memory_order_relaxed, memory_order_relaxed));
	return entry_address(neigh, entry);
}

static bool all_resolved(const struct neigh *neigh) {
	for (size_t i = 0; i < neigh->nb_entries; i++)
		if (!resolved(neigh, i))
			return false;
	return true;
}

static bool gateways_resolved(const struct neigh *neigh) {
	return resolved(neigh, GATEWAY_V4) && resolved(neigh, GATEWAY_V6);
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
	last = neigh->round >= (gateways_resolved(neigh) ? TARGET_ROUNDS : GATEWAY_ROUNDS);
	if (last)
		return gateways_resolved(neigh) ? 1 : -EHOSTUNREACH;
	neigh->round++;
	neigh->cursor = 0;
	neigh->wait_until_tsc = 0;
	return 0;
}

int neigh_resolve(struct neigh *neigh, uint64_t now_tsc, dp_ip *ask, unsigned max, unsigned *n) {
	*n = 0;
	for (unsigned i = 0; i < GATEWAYS; i++)
		neigh->gateway[i].asked_tsc = now_tsc;
	if (neigh->round == 0)
		neigh->cursor = neigh->nb_entries;
	for (; neigh->cursor < neigh->nb_entries && *n < max; neigh->cursor++) {
		if (resolved(neigh, neigh->cursor))
			continue;
		/* From the fourth round on only gateways are asked. */
		if (neigh->cursor >= GATEWAYS && neigh->round > TARGET_ROUNDS)
			continue;
		if (now_tsc - neigh->paced_tsc < neigh->tsc_hz / ASK_PER_S)
			return 0;
		neigh->paced_tsc = now_tsc;
		ask[(*n)++] = ask_entry(neigh, neigh->cursor);
	}
	return neigh->cursor < neigh->nb_entries ? 0 : end_round(neigh, now_tsc);
}

/* A gateway that has moved is found soon: while in doubt it is asked every second. */
static uint64_t gateway_wait_s(const struct neigh *neigh, unsigned gateway) {
	uint64_t word = atomic_load_explicit(&neigh->entry[gateway], memory_order_relaxed);

	return word & DOUBTED ? 1 : GATEWAY_REFRESH_S;
}

static bool gateway_is_due(const struct neigh *neigh, unsigned gateway, uint64_t now_tsc) {
	const struct gateway *g = &neigh->gateway[gateway];

	return g->ip && !neigh->fixed
		&& now_tsc - g->asked_tsc > gateway_wait_s(neigh, gateway) * neigh->tsc_hz;
}

/* Between two questions for targets. */
static uint64_t target_gap_tsc(const struct neigh *neigh) {
	const uint64_t nb = neigh->nb_entries - GATEWAYS,
		       latest = TARGET_REFRESH_S * neigh->tsc_hz / nb,
		       soonest = TARGET_SOONEST_S * neigh->tsc_hz / nb,
		       pace = neigh->tsc_hz / TARGETS_PER_S;
	const uint64_t gap = soonest > pace ? soonest : pace;

	return gap < latest ? gap : latest;
}

unsigned neigh_refresh(struct neigh *neigh, uint64_t now_tsc, dp_ip *ask, unsigned max) {
	uint64_t second = neigh->tsc_hz;
	unsigned n = 0;

	for (unsigned i = 0; i < GATEWAYS && n < max; i++) {
		if (!gateway_is_due(neigh, i, now_tsc))
			continue;
		neigh->gateway[i].asked_tsc = now_tsc;
		neigh->gateway_questions++;
		ask[n++] = ask_entry(neigh, i);
	}
	if (neigh->nb_entries == GATEWAYS || n == max)
		return n;
	/* Evenly, but no faster than the first time. */
	if (now_tsc - neigh->paced_tsc < target_gap_tsc(neigh)
		|| now_tsc - neigh->paced_tsc < second / ASK_PER_S)
		return n;
	neigh->paced_tsc = now_tsc;
	if (++neigh->refresh_cursor >= neigh->nb_entries || neigh->refresh_cursor < GATEWAYS)
		neigh->refresh_cursor = GATEWAYS;
	ask[n++] = ask_entry(neigh, neigh->refresh_cursor);
	return n;
}

uint64_t neigh_gateway_questions(const struct neigh *neigh) {
	return neigh->gateway_questions;
}

bool neigh_gateways_confirmed(const struct neigh *neigh) {
	for (unsigned i = 0; i < GATEWAYS; i++) {
		uint64_t word = atomic_load_explicit(&neigh->entry[i], memory_order_relaxed);

		if (neigh->gateway[i].ip && word & (ASKED | DOUBTED | REPLACE))
			return false;
	}
	return true;
}

uint64_t neigh_moved_gateways(const struct neigh *neigh) {
	return atomic_load_explicit(&neigh->moved_gateways, memory_order_relaxed);
}

uint64_t neigh_moved_targets(const struct neigh *neigh) {
	return atomic_load_explicit(&neigh->moved_targets, memory_order_relaxed);
}

dp_ip neigh_missing(const struct neigh *neigh) {
	for (unsigned i = 0; i < GATEWAYS; i++)
		if (!resolved(neigh, i))
			return neigh->gateway[i].ip;
	return 0;
}

uint64_t neigh_unresolved(const struct neigh *neigh) {
	uint64_t n = 0;

	for (size_t i = GATEWAYS; i < neigh->nb_entries; i++)
		n += !resolved(neigh, i);
	return n;
}
