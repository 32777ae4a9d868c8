/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Coverage from repeated transmissions; see the header for what it assumes.
 *
 * Control core. Owns one open-addressed table of twice as many slots as pairs. A pair is known by 64
 * bits of a keyed hash: that two of the sample share them has a chance below 2^-32.
 */
#include "coverage.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
	SLOTS = 2 * COVERAGE_PAIRS, /* a power of two */
	STEPS = 200, /* halvings, more than a double has bits */
};

struct slot {
	uint64_t hash; /* 0: empty */
	uint32_t heard; /* bit k: transmission k was answered */
};

struct coverage {
	uint64_t key;
	unsigned probes;
	unsigned thinned; /* pairs are looked at whose hash begins with so many zeros */
	unsigned nb;
	struct slot slot[SLOTS];
};

int coverage_create(unsigned probes, uint64_t key, struct coverage **coverage) {
	struct coverage *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->probes = probes < COVERAGE_MOST ? probes : COVERAGE_MOST;
	c->key = key;
	*coverage = c;
	return 0;
}

void coverage_destroy(struct coverage *coverage) {
	free(coverage);
}

/* A bijection of 64 bits that spreads every bit over all (the finalizer of MurmurHash3). */
static uint64_t mix(uint64_t x) {
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static uint64_t hash_of(const struct coverage *c, dp_ip ip, uint16_t port) {
	uint64_t hash = mix(mix(mix(c->key ^ (uint64_t)ip) ^ (uint64_t)(ip >> 64)) ^ port);

	return hash ? hash : 1;
}

static bool is_sampled(const struct coverage *c, uint64_t hash) {
	return !c->thinned || hash >> (64 - c->thinned) == 0;
}

static struct slot *find(struct coverage *c, uint64_t hash) {
	unsigned at = (unsigned)hash & (SLOTS - 1);

	while (c->slot[at].hash && c->slot[at].hash != hash)
		at = (at + 1) & (SLOTS - 1);
	return &c->slot[at];
}

/*
 * Halve the rate and forget the pairs that are no longer looked at. What stays is put in again from
 * an empty slot on, so that each entry is moved when all before it on its way are in place.
 */
static void thin(struct coverage *c) {
	unsigned start = 0;

	c->thinned++;
	while (c->slot[start].hash)
		start++;
	c->nb = 0;
	for (unsigned i = 1; i < SLOTS; i++) {
		struct slot *slot = &c->slot[(start + i) & (SLOTS - 1)];
		const struct slot entry = *slot;

		slot->hash = 0;
		if (!entry.hash || !is_sampled(c, entry.hash))
			continue;
		*find(c, entry.hash) = entry;
		c->nb++;
	}
}

void coverage_answer(struct coverage *c, dp_ip ip, uint16_t port, unsigned pass) {
	const uint64_t hash = hash_of(c, ip, port);
	struct slot *slot;

	if (pass >= c->probes || !is_sampled(c, hash))
		return;
	slot = find(c, hash);
	if (!slot->hash) {
		while (c->nb == COVERAGE_PAIRS)
			thin(c);
		if (!is_sampled(c, hash))
			return;
		slot = find(c, hash);
		*slot = (struct slot){.hash = hash};
		c->nb++;
	}
	slot->heard |= 1u << pass;
}

/* ---- The estimate ---- */

/* What the likelihood depends on: pairs, and the answered transmissions of all of them. */
struct evidence {
	double pairs, answered;
	unsigned probes;
};

/* Chance that a pair is heard at all. */
static double heard_once(unsigned probes, double q) {
	return -expm1(probes * log1p(-q));
}

/*
 * Logarithm of the likelihood of @q, but for what does not depend on it: each pair with k answers
 * has the chance q^k (1 - q)^(n - k) / (1 - (1 - q)^n).
 */
static double log_likelihood(const struct evidence *e, double q) {
	const double missed = e->pairs * e->probes - e->answered;

	return e->answered * log(q) + (missed > 0 ? missed * log1p(-q) : 0)
		- e->pairs * log(heard_once(e->probes, q));
}

/* Its slope has the sign of this, which falls with q: the mean that was seen less the mean expected. */
static double excess(const struct evidence *e, double q) {
	return e->answered / e->pairs - e->probes * q / heard_once(e->probes, q);
}

static const double least = 1e-12;

/* The likeliest q; 1 or next to 0 at the ends, where all or nothing but one each was answered. */
static double likeliest(const struct evidence *e) {
	double low = least, high = 1;

	if (e->answered >= e->pairs * e->probes)
		return 1;
	for (unsigned i = 0; i < STEPS; i++) {
		double q = (low + high) / 2;

		*(excess(e, q) > 0 ? &low : &high) = q;
	}
	return low;
}

/*
 * Where, between the likeliest @top and @end, the likelihood has fallen by so much that a likelihood
 * ratio test at 5% would reject (1.92: half of chi-square's 3.84 with one degree of freedom).
 */
static double bound(const struct evidence *e, double top, double end) {
	const double floor = log_likelihood(e, top) - 1.920729;
	double in = top, out = end;

	if (end < 1 && log_likelihood(e, end) > floor)
		return end;
	for (unsigned i = 0; i < STEPS; i++) {
		double q = (in + out) / 2;

		*(log_likelihood(e, q) > floor ? &in : &out) = q;
	}
	return in;
}

bool coverage_of_counts(
	const uint64_t *pairs, unsigned probes, struct coverage_estimate *estimate) {
	struct evidence e = {.probes = probes};
	double q;

	for (unsigned k = 0; k < probes; k++) {
		e.pairs += (double)pairs[k];
		e.answered += (double)pairs[k] * (k + 1);
	}
	if (!(e.pairs > 0))
		return false;
	q = likeliest(&e);
	*estimate = (struct coverage_estimate){
		.estimate = heard_once(probes, q),
		.low = heard_once(probes, bound(&e, q, least)),
		.high = q < 1 ? heard_once(probes, bound(&e, q, 1)) : 1,
	};
	/* Next to 0 stands for it. */
	if (q <= 2 * least)
		estimate->estimate = estimate->low = 0;
	return true;
}

bool coverage_estimate(const struct coverage *c, struct coverage_estimate *estimate) {
	uint64_t pairs[COVERAGE_MOST] = {0};

	for (unsigned i = 0; i < SLOTS; i++)
		if (c->slot[i].hash)
			pairs[__builtin_popcount(c->slot[i].heard) - 1]++;
	return coverage_of_counts(pairs, c->probes, estimate);
}
