/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The token bucket. Each instance belongs to one TX lcore; no memory besides.
 */
#include "rate.h"

enum {
	FRACTION_BITS = 16,
	PAYBACK_PARTS = 10,
	DEBT_TOKENS = 32,
	LOWEST_SCALE = RATE_FULL / 1024,
	SCALE_STEP = RATE_FULL / 64,
	UNLIMITED_PPS = 32 * 1000 * 1000, /* where an unlimited rate starts to be lowered from */
};

/* All that follows from the price of a probe. */
static void set_price(struct rate *rate, double pps) {
	const double cycles = (double)rate->tsc_hz * (1 << FRACTION_BITS);

	rate->cost = pps > 0 ? (uint64_t)(cycles / pps) : 0;
	if (pps > 0 && rate->cost == 0)
		rate->cost = 1;
	rate->depth = ((rate->tsc_hz / 250) << FRACTION_BITS) + rate->cost;
	rate->debt_max = (rate->tsc_hz << FRACTION_BITS) + DEBT_TOKENS * rate->cost;
	rate->first = rate->cost - rate->cost / rate->of * rate->part;
}

void rate_init(struct rate *rate, double pps, uint64_t tsc_hz, uint64_t now_tsc) {
	*rate = (struct rate){
		.owed_max = (tsc_hz / 10) << FRACTION_BITS,
		.pause_tsc = tsc_hz / 20,
		.unscaled_cost = (uint64_t)((double)tsc_hz * (1 << FRACTION_BITS) / UNLIMITED_PPS),
		.scale = RATE_FULL,
		.scaled_tsc = now_tsc,
		.step_tsc = tsc_hz / 1000,
		.tsc_hz = tsc_hz,
		.of = 1,
	};
	set_price(rate, pps);
	rate_restart(rate, now_tsc);
}

void rate_stagger(struct rate *rate, unsigned part, unsigned of) {
	rate->part = part;
	rate->of = of;
	rate->first = rate->cost - rate->cost / of * part;
	rate->credit = rate->first;
}

void rate_restart(struct rate *rate, uint64_t now_tsc) {
	rate->credit = rate->first;
	rate->owed = 0;
	rate->last_tsc = now_tsc;
}

/* What is left of @earned when debts are paid. */
static uint64_t pay_debt(struct rate *rate, uint64_t earned) {
	uint64_t paid = earned < rate->debt ? earned : rate->debt;

	rate->debt -= paid;
	return earned - paid;
}

static void earn(struct rate *rate, uint64_t now_tsc) {
	uint64_t elapsed = now_tsc - rate->last_tsc;
	uint64_t earned, paid;

	/* A pause is forgiven, unless probes are so rare that waiting for the next is one. */
	if (elapsed > rate->pause_tsc && elapsed << FRACTION_BITS > rate->depth) {
		pay_debt(rate, elapsed << FRACTION_BITS);
		rate_restart(rate, now_tsc);
		if (rate->debt)
			rate->credit = 0;
		return;
	}
	rate->last_tsc = now_tsc;
	earned = (elapsed << FRACTION_BITS) / RATE_FULL * rate->scale;
	paid = earned / PAYBACK_PARTS;
	if (paid > rate->owed)
		paid = rate->owed;
	rate->owed -= paid;
	rate->credit += pay_debt(rate, earned + paid);
	if (rate->credit <= rate->depth)
		return;
	rate->owed += rate->credit - rate->depth;
	if (rate->owed > rate->owed_max)
		rate->owed = rate->owed_max;
	rate->credit = rate->depth;
}

static uint64_t cost_now(const struct rate *rate) {
	return rate->cost ? rate->cost : rate->unscaled_cost;
}

/* What @tokens come to at the price of now, @most at the most. */
static uint64_t priced(const struct rate *rate, double tokens, uint64_t most) {
	const double credit = tokens * (double)cost_now(rate);

	return credit < (double)most ? (uint64_t)credit : most;
}

void rate_change(struct rate *rate, double pps, uint64_t now_tsc) {
	const bool unlimited = rate->cost == 0 && rate->scale == RATE_FULL;
	double tokens, debt;

	if (unlimited)
		rate->last_tsc = now_tsc;
	else
		earn(rate, now_tsc);
	tokens = (double)rate->credit / (double)cost_now(rate);
	debt = (double)rate->debt / (double)cost_now(rate);
	set_price(rate, pps);
	rate->owed = 0;
	rate->debt = priced(rate, debt, rate->debt_max);
	rate->credit = unlimited ? rate->first
				 : priced(rate, tokens, rate->depth / RATE_FULL * rate->scale);
}

void rate_pass(struct rate *rate, uint64_t now_tsc) {
	rate->last_tsc = now_tsc;
}

unsigned rate_take(struct rate *rate, uint64_t now_tsc, unsigned want) {
	uint64_t cost = cost_now(rate);

	if (rate->cost == 0 && rate->scale == RATE_FULL) {
		rate->last_tsc = now_tsc;
		return want;
	}
	earn(rate, now_tsc);
	if (rate->credit < cost || want == 0)
		return 0;
	/* The usual case, few tokens in the bucket, without a division. */
	if (rate->credit < 2 * cost)
		want = 1;
	else if (rate->credit / cost < want)
		want = (unsigned)(rate->credit / cost);
	rate->credit -= want * cost;
	return want;
}

void rate_charge(struct rate *rate, unsigned replies) {
	uint64_t due = replies * rate->cost, paid = due < rate->credit ? due : rate->credit;

	rate->credit -= paid;
	rate->debt += due - paid;
	if (rate->debt > rate->debt_max)
		rate->debt = rate->debt_max;
}

void rate_refund(struct rate *rate, unsigned probes) {
	rate->credit += probes * cost_now(rate);
	if (rate->credit > rate->depth)
		rate->credit = rate->depth;
}

/* What a slow port left in the bucket must not outlast the pressure: it shrinks with the rate. */
static void lower(struct rate *rate) {
	uint64_t depth;

	rate->scale = rate->scale / 2 > LOWEST_SCALE ? rate->scale / 2 : LOWEST_SCALE;
	depth = rate->depth / RATE_FULL * rate->scale;
	if (rate->credit > depth)
		rate->credit = depth;
	rate->owed = 0;
}

bool rate_follow(struct rate *rate, uint64_t now_tsc, bool pressed) {
	if (!pressed && rate->scale == RATE_FULL)
		return false;
	if (now_tsc - rate->scaled_tsc < rate->step_tsc)
		return true;
	rate->scaled_tsc = now_tsc;
	if (pressed)
		lower(rate);
	else
		rate->scale = rate->scale + SCALE_STEP < RATE_FULL ? rate->scale + SCALE_STEP
								   : RATE_FULL;
	return true;
}

uint64_t rate_wait_tsc(const struct rate *rate) {
	uint64_t cost = cost_now(rate), missing;

	if ((rate->cost == 0 && rate->scale == RATE_FULL) || rate->credit >= cost)
		return 0;
	missing = cost - rate->credit + rate->debt;
	if (rate->scale != RATE_FULL)
		missing = missing / rate->scale * RATE_FULL;
	/* Rounded up: a cycle less and it would not go yet. */
	return (missing + (1 << FRACTION_BITS) - 1) >> FRACTION_BITS;
}
