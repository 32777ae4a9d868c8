/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A token bucket on the time stamp counter, one a TX lcore.
 *
 * Credit is kept in TSC cycles with 16 fractional bits, so that rates from one probe in minutes to
 * tens of millions a second share one form. The bucket holds one probe and four milliseconds of
 * credit, about a time slice of the scheduler: that bounds a burst. What overflows in up to 50 ms
 * away from the CPU is owed and paid back at a tenth above the rate; longer pauses are forgiven, so
 * that nothing bursts after them.
 */
#ifndef RATE_H
#define RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_FULL 65536u /* scale 1.0 */

/* Owned by one TX lcore. */
struct rate {
	uint64_t cost; /* credit that a probe takes; 0: unlimited */
	uint64_t depth; /* credit that the bucket holds */
	uint64_t first; /* credit at the start and after a pause */
	uint64_t credit;
	uint64_t owed;
	uint64_t owed_max;
	uint64_t debt; /* credit that replies took beforehand: paid before any is earned */
	uint64_t debt_max;
	uint64_t pause_tsc;
	uint64_t last_tsc;
	uint64_t unscaled_cost; /* what a probe takes while an unlimited rate is being lowered */
	uint32_t scale; /* of RATE_FULL: below it while a ring is over half full */
	uint64_t scaled_tsc; /* when scale last changed */
	uint64_t step_tsc;
	uint64_t tsc_hz;
	unsigned part, of; /* of rate_stagger() */
};

/* @pps: probes a second for this lcore, 0: unlimited. The first probe may go at once. */
void rate_init(struct rate *rate, double pps, uint64_t tsc_hz, uint64_t now_tsc);

/*
 * This is bucket @part (0 is the first) of @of equal ones that together make a rate: let them take
 * turns instead of sending at the same instant. Right after rate_init().
 */
void rate_stagger(struct rate *rate, unsigned part, unsigned of);

/*
 * Another rate from now on, @pps as in rate_init(). What is in the bucket, and what replies took beforehand, stay as
 * many tokens as they were, so that a change neither bursts nor makes a gap; what is owed for time away
 * from the CPU is forgotten.
 */
void rate_change(struct rate *rate, double pps, uint64_t now_tsc);

/* Nothing is earned for the time before @now_tsc. Again and again while sending is paused. */
void rate_pass(struct rate *rate, uint64_t now_tsc);

/* Forget what was earned, as at the start of sending. */
void rate_restart(struct rate *rate, uint64_t now_tsc);

/* How many of @want probes may go now. */
unsigned rate_take(struct rate *rate, uint64_t now_tsc, unsigned want);

/*
 * A reply goes at once, and takes the token of a probe that then waits. What probes can be made to wait
 * for is bounded, by a second and 32 tokens, as whom we reply to decides how often we do.
 */
void rate_charge(struct rate *rate, unsigned replies);

/* Give back credit for probes that could not go. */
void rate_refund(struct rate *rate, unsigned probes);

/*
 * Follow the rings: halve the rate each millisecond while @pressed, raise it by 1/64 of the full
 * rate each millisecond after. Returns true while the rate is lowered.
 */
bool rate_follow(struct rate *rate, uint64_t now_tsc, bool pressed);

/* Cycles until the next probe may go; 0: now. */
uint64_t rate_wait_tsc(const struct rate *rate);

#endif
