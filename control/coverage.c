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
	STEPS = 80, /* of a search: more than a double has bits */
	HEARD_MOST = 1024, /* pairs for one of the sample that are told apart from more */
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

static uint64_t hash_of(const struct coverage *c, dp_ip ip, uint32_t endpoint) {
	uint64_t hash = mix(mix(mix(c->key ^ (uint64_t)ip) ^ (uint64_t)(ip >> 64)) ^ endpoint);

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

void coverage_answer(struct coverage *c, dp_ip ip, uint32_t endpoint, unsigned pass) {
	const uint64_t hash = hash_of(c, ip, endpoint);
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

int coverage_save(const struct coverage *c, struct coverage_saved *saved) {
	*saved = (struct coverage_saved){.thinned = c->thinned};
	saved->pairs = malloc((c->nb ? c->nb : 1) * sizeof *saved->pairs);
	if (!saved->pairs)
		return -ENOMEM;
	for (unsigned i = 0; i < SLOTS; i++)
		if (c->slot[i].hash)
			saved->pairs[saved->nb++]
				= (struct coverage_pair){c->slot[i].hash, c->slot[i].heard};
	return 0;
}

int coverage_restore(struct coverage *c, const struct coverage_saved *saved) {
	const uint32_t all = c->probes < 32 ? (1u << c->probes) - 1 : UINT32_MAX;

	if (saved->nb > COVERAGE_PAIRS || saved->thinned > 63)
		return -EBADMSG;
	c->thinned = saved->thinned;
	for (unsigned i = 0; i < saved->nb; i++) {
		const struct coverage_pair *pair = &saved->pairs[i];
		struct slot *slot = find(c, pair->hash);

		if (!pair->hash || slot->hash || !pair->heard || (pair->heard & ~all)
			|| !is_sampled(c, pair->hash))
			return -EBADMSG;
		*slot = (struct slot){pair->hash, pair->heard};
		c->nb++;
	}
	return 0;
}

/* ---- The estimate ---- */

/* What the likelihood depends on: the pairs of the sample, the answered transmissions of all of them, and
 * how many pairs were heard at all. */
struct evidence {
	double pairs, answered, heard;
	unsigned probes;
};

/* Chance that a pair is heard at all. */
static double heard_once(unsigned probes, double q) {
	return -expm1(probes * log1p(-q));
}

static const double least = 1e-12; /* of q; stands for 0 */
static const double least_share = 1e-6; /* smaller ones stand for 0 */

/* The slope of the likelihood in q has the sign of this, which falls with q. */
static double excess(const struct evidence *e, double missing, double q) {
	const double beside = e->heard - e->pairs;

	return e->answered - e->probes * q * (e->heard + missing)
		+ (beside > 0 ? beside * e->probes * q / heard_once(e->probes, q) : 0);
}

/* The likeliest q where @missing pairs were not heard. */
static double likeliest(const struct evidence *e, double missing) {
	double low = least, high = 1;

	for (unsigned i = 0; i < STEPS; i++) {
		double q = (low + high) / 2;

		*(excess(e, missing, q) > 0 ? &low : &high) = q;
	}
	return low;
}

/* How many were missed where @share was heard. */
static double missing_at(const struct evidence *e, double share) {
	return e->heard * (1 - share) / share;
}

/*
 * Logarithm of the likelihood that @share of the pairs was heard, at the q that suits it best, but for
 * what depends on neither. Of N pairs, m of them missed: N! / m! (1 - q)^(n m), for each of the sample
 * q^k (1 - q)^(n - k), and for those beside it 1 - (1 - q)^n. It is the profile likelihood of N under model
 * M0 of capture and recapture (Otis et al. 1978, Wildlife Monographs 62; Cormack 1992, Biometrics 48).
 */
static double log_likelihood(const struct evidence *e, double share) {
	const double missing = missing_at(e, share), beside = e->heard - e->pairs;
	const double silent = (e->pairs + missing) * e->probes - e->answered;
	const double q = likeliest(e, missing);
	long double sum = lgammal((long double)e->heard + missing + 1) - lgammal(missing + 1.0L);

	sum += e->answered * logl(q);
	if (silent > 0)
		sum += silent * log1pl(-q);
	if (beside > 0)
		sum += beside * logl(heard_once(e->probes, q));
	return (double)sum;
}

/* The share that makes what was seen the likeliest; the likelihood has one top. */
static double top_of(const struct evidence *e) {
	double low = least_share, high = 1;

	for (unsigned i = 0; i < STEPS; i++) {
		const double a = low + (high - low) / 3, b = high - (high - low) / 3;

		if (log_likelihood(e, a) < log_likelihood(e, b))
			low = a;
		else
			high = b;
	}
	return (low + high) / 2;
}

/*
 * Where, between the likeliest share @top and @end, the likelihood has fallen by so much that a likelihood
 * ratio test at 5% would reject (1.92: half of chi-square's 3.84 with one degree of freedom).
 */
static double bound(const struct evidence *e, double top, double end) {
	const double floor = log_likelihood(e, top) - 1.920729;
	double in = top, out = end;

	if (log_likelihood(e, end) > floor)
		return end;
	for (unsigned i = 0; i < STEPS; i++) {
		double share = (in + out) / 2;

		*(log_likelihood(e, share) > floor ? &in : &out) = share;
	}
	return in;
}

bool coverage_of_counts(
	const uint64_t *pairs, unsigned probes, double heard, struct coverage_estimate *estimate) {
	struct evidence e = {.probes = probes};
	double top;

	for (unsigned k = 0; k < probes; k++) {
		e.pairs += (double)pairs[k];
		e.answered += (double)pairs[k] * (k + 1);
	}
	if (!(e.pairs > 0))
		return false;
	/* Of so many more, those that are missing by chance are nothing beside the error of the sample. */
	e.heard = heard > HEARD_MOST * e.pairs ? HEARD_MOST * e.pairs : heard;
	top = top_of(&e);
	*estimate = (struct coverage_estimate){
		.estimate = top,
		.low = bound(&e, top, least_share),
		.high = bound(&e, top, 1),
	};
	if (estimate->low <= least_share)
		estimate->low = 0;
	return true;
}

bool coverage_estimate(const struct coverage *c, struct coverage_estimate *estimate) {
	uint64_t pairs[COVERAGE_MOST] = {0};

	for (unsigned i = 0; i < SLOTS; i++)
		if (c->slot[i].hash)
			pairs[__builtin_popcount(c->slot[i].heard) - 1]++;
	return coverage_of_counts(pairs, c->probes, ldexp(c->nb, (int)c->thinned), estimate);
}
