/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The token bucket on a simulated clock: the rate is kept whatever the gaps between polls, and no
 * burst or window exceeds what rate.h promises.
 */
#include "frame_test.h"
#include "rate.h"

#include <criterion/criterion.h>

#define HZ UINT64_C(2399876543) /* no multiple of anything */
#define START_TSC (UINT64_C(1) << 60) /* years after boot */

enum {
	BURST = 32,
};

static uint64_t cycles(double seconds) {
	return (uint64_t)(seconds * (double)HZ);
}

/* One probe and four milliseconds of them. */
static double bucket(double pps) {
	return 1 + pps * 0.004;
}

/* A full bucket, but for the fractions of a cycle that rounding takes. */
static void check_bucket(uint64_t taken, double pps) {
	cr_assert((double)taken <= bucket(pps) && (double)taken >= bucket(pps) - 1.1, "%lu at once",
		taken);
}

/* All that may go now, as a lcore takes it: burst by burst. */
static uint64_t drain(struct rate *rate, uint64_t now_tsc) {
	uint64_t taken = 0;
	unsigned n;

	do
		taken += n = rate_take(rate, now_tsc, BURST);
	while (n == BURST);
	return taken;
}

/* Polls with a gap of @gap_s, or random ones up to it. Returns the probes of @seconds. */
static uint64_t run(struct rate *rate, uint64_t *now_tsc, double pps, double seconds, double gap_s,
	uint64_t *random) {
	const uint64_t end = *now_tsc + cycles(seconds), gap = cycles(gap_s);
	uint64_t taken = 0;

	while (*now_tsc < end) {
		const uint64_t n = drain(rate, *now_tsc);

		if ((double)n > bucket(pps))
			cr_assert_fail("a burst of %lu at %g pps", n, pps);
		taken += n;
		*now_tsc += random ? 1 + next_random(random) % gap : gap;
	}
	*now_tsc = end;
	return taken;
}

static const struct {
	double gap_s;
	bool random;
} polls[] = {
	{1e-6, false},
	{100e-6, false},
	{4e-3, true},
	{4e-3, false},
};

Test(rate, is_kept) {
	static const double rates[] = {10, 1000, 100e3, 1e6, 14.88e6};

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		for (unsigned p = 0; p < sizeof(polls) / sizeof(polls[0]); p++) {
			const double pps = rates[r], due = 10 * pps;
			uint64_t random = 41, now_tsc = START_TSC, taken;
			struct rate rate;

			rate_init(&rate, pps, HZ, now_tsc);
			taken = run(&rate, &now_tsc, pps, 10, polls[p].gap_s,
				polls[p].random ? &random : NULL);
			/* The first goes at once; the last polls may leave a gap's worth. */
			cr_assert((double)taken >= due * 0.995 - 1
					&& (double)taken <= due * 1.005 + 1,
				"%lu in 10 s at %g pps, polls of %g s", taken, pps, polls[p].gap_s);
		}
	}
}

/* One probe in five minutes: each on time to the poll, and none in between. */
Test(rate, one_in_five_minutes) {
	static const double gaps[] = {0.001, 0.04, 1, 7};

	for (unsigned g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		const uint64_t gap = cycles(gaps[g]);
		uint64_t now_tsc = START_TSC, taken = 0;
		struct rate rate;

		rate_init(&rate, 1.0 / 300, HZ, now_tsc);
		while (now_tsc < START_TSC + cycles(3001)) {
			const unsigned n = rate_take(&rate, now_tsc, BURST);

			if (n) {
				const uint64_t due = START_TSC + cycles(300.0 * (double)taken);

				cr_assert_eq(n, 1);
				/* The bucket's four milliseconds may make up for a late poll. */
				cr_assert_geq(now_tsc + cycles(0.0041) * taken, due,
					"probe %lu is early", taken);
				cr_assert_leq(now_tsc, due + gap * (taken + 1) + 1,
					"probe %lu is late", taken);
				taken++;
			}
			now_tsc += gap;
		}
		cr_assert_geq(taken, gaps[g] > 1 ? 10 : 11, "polls of %g s", gaps[g]);
		cr_assert_leq(taken, 11, "polls of %g s", gaps[g]);
	}
}

/* Longer than 50 ms away and all is forgiven: no burst, and no hurry afterwards. */
Test(rate, long_pauses_are_forgiven) {
	static const double rates[] = {10, 1000, 100e3, 1e6};
	static const double pauses[] = {0.0501, 0.1, 1, 3600, 200000};

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		for (unsigned p = 0; p < sizeof(pauses) / sizeof(pauses[0]); p++) {
			const double pps = rates[r];
			uint64_t now_tsc = START_TSC, first, taken;
			struct rate rate;

			/* At 10 a second a pause shorter than the next probe's is none. */
			if (pauses[p] <= 0.104 && pps <= 10)
				continue;
			rate_init(&rate, pps, HZ, now_tsc);
			run(&rate, &now_tsc, pps, 1, 10e-6, NULL);
			/* Something is owed from before, too. */
			now_tsc += cycles(0.045);
			drain(&rate, now_tsc);
			now_tsc += cycles(pauses[p]);
			first = drain(&rate, now_tsc);
			cr_assert_leq(first, 1, "%lu at once after %g s at %g pps", first,
				pauses[p], pps);
			taken = first + run(&rate, &now_tsc, pps, 0.1, 10e-6, NULL);
			cr_assert((double)taken <= pps * 0.1 * 1.01 + 1
					&& (double)taken >= pps * 0.1 * 0.99 - 1,
				"%lu in 100 ms after %g s at %g pps", taken, pauses[p], pps);
		}
	}
}

/* 20 ms away every quarter of a second, as on a shared CPU: the rate is kept over the whole. */
Test(rate, hiccups_are_paid_back) {
	static const double rates[] = {1000, 100e3, 1e6};

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		const double pps = rates[r];
		uint64_t now_tsc = START_TSC, taken = 0;
		struct rate rate;

		rate_init(&rate, pps, HZ, now_tsc);
		for (unsigned i = 0; i < 40; i++) {
			taken += run(&rate, &now_tsc, pps, 0.230, 10e-6, NULL);
			now_tsc += cycles(0.020);
		}
		taken += run(&rate, &now_tsc, pps, 0.230, 10e-6, NULL);
		cr_assert((double)taken >= pps * 10.230 * 0.995 - 1
				&& (double)taken <= pps * 10.230 * 1.005 + 1,
			"%lu in 10.23 s at %g pps", taken, pps);
	}
}

/*
 * Paying back is a tenth above the rate and no more: after a hiccup 10 ms carry at most that and a
 * bucket, and each 10 ms once the bucket is spent at least nearly that, until all is paid.
 */
Test(rate, paying_back_is_a_tenth) {
	const double pps = 100e3;
	uint64_t now_tsc = START_TSC, owed;
	struct rate rate;

	rate_init(&rate, pps, HZ, now_tsc);
	run(&rate, &now_tsc, pps, 1, 10e-6, NULL);
	now_tsc += cycles(0.040);
	owed = (uint64_t)(pps * 0.040 - bucket(pps));
	cr_assert_leq(drain(&rate, now_tsc), (uint64_t)bucket(pps));
	for (unsigned i = 0; owed > 0 && i < 100; i++) {
		const uint64_t taken = run(&rate, &now_tsc, pps, 0.010, 10e-6, NULL);

		if (owed > 110)
			cr_assert(taken >= 1090 && taken <= 1110, "10 ms carry %lu", taken);
		owed -= taken - 1000 < owed ? taken - 1000 : owed;
	}
	cr_assert_eq(owed, 0);
	cr_assert_leq(run(&rate, &now_tsc, pps, 0.010, 10e-6, NULL), 1010);
	cr_assert_leq(run(&rate, &now_tsc, pps, 0.010, 10e-6, NULL), 1001);
}

/* A second of nothing but hiccups leaves a tenth of a second owed, which takes a second to pay. */
Test(rate, debt_is_bounded) {
	const double pps = 100e3;
	uint64_t now_tsc = START_TSC, taken;
	struct rate rate;

	rate_init(&rate, pps, HZ, now_tsc);
	for (unsigned i = 0; i < 25; i++) {
		now_tsc += cycles(0.040);
		drain(&rate, now_tsc);
	}
	taken = run(&rate, &now_tsc, pps, 0.5, 10e-6, NULL);
	cr_assert_geq(taken, 54900);
	run(&rate, &now_tsc, pps, 0.55, 10e-6, NULL);
	taken = run(&rate, &now_tsc, pps, 0.1, 10e-6, NULL);
	cr_assert_leq(taken, 10001, "still %lu in 100 ms", taken);
}

/*
 * Any gaps, refunds and pressure: nothing at once above the bucket, and no window of 50 ms above a
 * tenth over the rate and a bucket.
 */
Test(rate, no_window_carries_more) {
	enum { POLLS = 60000 };
	static uint64_t when[POLLS], sum[POLLS + 1];
	static const double rates[] = {10, 1000, 100e3, 1e6, 10e6};
	uint64_t random = 42;

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		const double pps = rates[r];
		uint64_t now_tsc = START_TSC;
		struct rate rate;

		rate_init(&rate, pps, HZ, now_tsc);
		for (unsigned i = 0, from = 0; i < POLLS; i++) {
			/* Mostly microseconds, now and then up to 100 us, 10 ms, 80 ms. */
			static const double scale[8]
				= {1e-6, 1e-6, 10e-6, 10e-6, 100e-6, 100e-6, 10e-3, 80e-3};
			const unsigned kind = (unsigned)(next_random(&random) >> 61);
			uint64_t n = drain(&rate, now_tsc);

			cr_assert_leq((double)n, bucket(pps), "a burst of %lu at %g pps", n, pps);
			if (n > 1 && next_random(&random) >> 60 == 0) {
				/* The device took none of the last. */
				rate_refund(&rate, 1);
				n--;
			}
			rate_follow(&rate, now_tsc, next_random(&random) >> 58 == 0);
			when[i] = now_tsc;
			sum[i + 1] = sum[i] + n;
			while (when[i] - when[from] > cycles(0.05))
				from++;
			cr_assert_leq((double)(sum[i + 1] - sum[from]),
				1.1 * pps * (double)(when[i] - when[from]) / (double)HZ
					+ bucket(pps) + 1,
				"a window at %g pps", pps);
			now_tsc += 1 + next_random(&random) % cycles(scale[kind]);
		}
		cr_assert_gt(sum[POLLS], 0);
	}
}

/* A rate begins with one probe, however long the neighbours took. */
Test(rate, restart_forgets) {
	const double pps = 100e3;
	struct rate rate;

	rate_init(&rate, pps, HZ, START_TSC);
	cr_assert_eq(drain(&rate, START_TSC), 1);
	check_bucket(drain(&rate, START_TSC + cycles(0.040)), pps);
	rate_restart(&rate, START_TSC + cycles(2));
	cr_assert_eq(drain(&rate, START_TSC + cycles(2)), 1);
	/* What was owed is gone, too. */
	cr_assert_eq(drain(&rate, START_TSC + cycles(2.0030001)), 300);
}

Test(rate, unlimited) {
	struct rate rate;

	rate_init(&rate, 0, HZ, START_TSC);
	for (unsigned want = 0; want <= 1024; want++) {
		cr_assert_eq(rate_take(&rate, START_TSC, want), want);
		cr_assert_eq(rate_wait_tsc(&rate), 0);
		rate_refund(&rate, want);
	}
}

Test(rate, takes_no_more_than_wanted) {
	struct rate rate;

	rate_init(&rate, 1e6, HZ, START_TSC);
	cr_assert_eq(rate_take(&rate, START_TSC, 0), 0);
	for (unsigned want = 0; want <= BURST; want++) {
		const uint64_t now_tsc = START_TSC + cycles(0.004 * want);

		cr_assert_eq(rate_take(&rate, now_tsc, want), want);
	}
}

/* Rates beyond one probe a cycle cannot be, but must not divide by nothing. */
Test(rate, absurdly_fast) {
	struct rate rate;

	rate_init(&rate, 1e300, HZ, START_TSC);
	rate_take(&rate, START_TSC, BURST);
	cr_assert_eq(rate_take(&rate, START_TSC + 1000, BURST), BURST);
}

/* What could not go can go next time; but a bucket is never fuller than full. */
Test(rate, refund) {
	const double pps = 100e3;
	struct rate rate;
	uint64_t now_tsc = START_TSC;

	rate_init(&rate, pps, HZ, now_tsc);
	now_tsc += cycles(0.0001);
	cr_assert_eq(rate_take(&rate, now_tsc, 7), 7);
	rate_refund(&rate, 7);
	cr_assert_eq(rate_take(&rate, now_tsc, 7), 7);
	rate_refund(&rate, 2);
	cr_assert_eq(rate_take(&rate, now_tsc, 2), 2);
	for (unsigned i = 0; i < 1000; i++)
		rate_refund(&rate, BURST);
	check_bucket(drain(&rate, now_tsc), pps);
	/* Nor is what was too much owed. */
	cr_assert_leq(run(&rate, &now_tsc, pps, 0.010, 10e-6, NULL), 1001);
}

/* The @ms-th millisecond of being pressed or relieved carries @expected probes. */
static void check_millisecond(
	struct rate *rate, uint64_t *now_tsc, bool pressed, unsigned ms, double expected) {
	uint64_t taken = 0;

	for (unsigned i = 0; i < 100; i++) {
		const bool lowered = rate_follow(rate, *now_tsc, pressed);

		cr_assert(lowered || !pressed);
		taken += drain(rate, *now_tsc);
		*now_tsc += HZ / 100000 + 1;
	}
	cr_assert((double)taken >= expected * 0.98 - 2 && (double)taken <= expected * 1.02 + 2,
		"%s millisecond %u carries %lu, not %.0f", pressed ? "pressed" : "relieved", ms,
		taken, expected);
}

/* Halved each millisecond down to 1/1024, then raised by 1/64 of the full rate each. */
Test(rate, follows_the_rings) {
	/* An unlimited rate is lowered from 32 million a second, more than any port of ours sends. */
	static const double rates[] = {100e3, 1e6, 10e6, 0};

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		const double pps = rates[r], full_ms = (pps > 0 ? pps : 32e6) / 1000;
		uint64_t now_tsc = START_TSC;
		struct rate rate;

		rate_init(&rate, pps, HZ, now_tsc);
		cr_assert(!rate_follow(&rate, now_tsc, false));
		if (pps > 0)
			run(&rate, &now_tsc, pps, 0.0105, 10e-6, NULL);
		else
			rate_take(&rate, now_tsc += cycles(0.0105), BURST);
		for (unsigned ms = 1; ms <= 14; ms++)
			check_millisecond(
				&rate, &now_tsc, true, ms, full_ms / (1 << (ms < 10 ? ms : 10)));
		for (unsigned ms = 1; ms < 64; ms++)
			check_millisecond(
				&rate, &now_tsc, false, ms, full_ms / 1024 + full_ms * ms / 64);
		/* The 64th step is the last; it says so once more. */
		rate_follow(&rate, now_tsc, false);
		cr_assert(!rate_follow(&rate, now_tsc, false), "%g pps are back", pps);
		if (pps > 0)
			check_millisecond(&rate, &now_tsc, false, 64, full_ms);
		else
			cr_assert_eq(rate_take(&rate, now_tsc, 1024), 1024);
	}
}

/* A port slower than the rate leaves the bucket full; the rate falls below the port's all the same. */
Test(rate, follows_on_a_slow_port) {
	static const double rates[] = {10e6, 0};

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		uint64_t now_tsc = START_TSC, taken = 0;
		struct rate rate;

		rate_init(&rate, rates[r], HZ, now_tsc);
		for (unsigned i = 0; i < 30000; i++, now_tsc += HZ / 1000000)
			rate_take(&rate, now_tsc, 1);
		for (unsigned us = 0; us < 12000; us++, now_tsc += HZ / 1000000) {
			unsigned n;

			rate_follow(&rate, now_tsc, true);
			n = rate_take(&rate, now_tsc, 1);

			if (us >= 10000)
				taken += n;
		}
		cr_assert_leq(taken, 2 * 32 + 2, "%lu in two pressed milliseconds", taken);
	}
}

/* Four lcores at a quarter each send one by one, from the first probe on and after a pause. */
Test(rate, lcores_take_turns) {
	enum { LCORES = 4 };
	struct rate rate[LCORES];
	uint64_t now_tsc = START_TSC;

	for (unsigned i = 0; i < LCORES; i++) {
		rate_init(&rate[i], 10.0 / LCORES, HZ, now_tsc);
		rate_stagger(&rate[i], i, LCORES);
	}
	for (unsigned pause = 0; pause < 2; pause++) {
		for (unsigned ms = 0; ms < 2000; ms++, now_tsc += HZ / 1000) {
			unsigned taken = 0;

			for (unsigned i = 0; i < LCORES; i++)
				taken += rate_take(&rate[i], now_tsc, BURST);
			cr_assert_leq(taken, 1, "%u at once in millisecond %u", taken, ms);
		}
		now_tsc += 60 * HZ;
		for (unsigned i = 0; i < LCORES; i++)
			rate_restart(&rate[i], now_tsc);
	}
}

/* Pressure that comes and goes within a millisecond halves once, not at each poll. */
Test(rate, follows_no_faster_than_it_says) {
	uint64_t now_tsc = START_TSC, taken = 0;
	struct rate rate;

	rate_init(&rate, 1e6, HZ, now_tsc);
	run(&rate, &now_tsc, 1e6, 0.0105, 10e-6, NULL);
	for (unsigned i = 0; i < 99; i++) {
		cr_assert(rate_follow(&rate, now_tsc, i % 2 == 0));
		taken += drain(&rate, now_tsc);
		now_tsc += HZ / 100000;
	}
	cr_assert(taken >= 480 && taken <= 500, "%lu", taken);
}

/* Whoever sleeps for as long as told finds a probe due, and not a cycle earlier. */
Test(rate, wait) {
	static const double rates[] = {1.0 / 300, 0.9, 10, 1000, 100e3, 1e6, 14.88e6};
	uint64_t random = 43;

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		uint64_t now_tsc = START_TSC;
		struct rate rate;

		rate_init(&rate, rates[r], HZ, now_tsc);
		cr_assert_eq(rate_wait_tsc(&rate), 0, "the first may go at once");
		for (unsigned i = 0; i < 1000; i++) {
			uint64_t wait_tsc;
			struct rate early;

			drain(&rate, now_tsc);
			wait_tsc = rate_wait_tsc(&rate);
			cr_assert_gt(wait_tsc, 0, "drained at %g pps", rates[r]);
			cr_assert_leq((double)wait_tsc, (double)HZ / rates[r] + 1);
			early = rate;
			cr_assert_eq(drain(&early, now_tsc + wait_tsc - 1), 0,
				"a cycle early at %g pps", rates[r]);
			early = rate;
			cr_assert_eq(drain(&early, now_tsc + wait_tsc), 1, "on time at %g pps",
				rates[r]);
			now_tsc += wait_tsc + next_random(&random) % 5000;
		}
	}
}

/* Replies take the tokens of probes: both together keep the rate, whichever comes first. */
Test(rate, replies_are_charged) {
	static const double rates[] = {10, 1000, 1e6};

	for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		const double pps = rates[r];
		uint64_t now_tsc = START_TSC, random = 51, probes = 0, replies = 0;
		const uint64_t end = now_tsc + cycles(10);
		struct rate rate;

		rate_init(&rate, pps, HZ, now_tsc);
		while (now_tsc < end) {
			unsigned n = rate_take(&rate, now_tsc, BURST);

			/* Half of the probes are answered twice each, in the next turns. */
			probes += n;
			for (unsigned i = 0; i < n; i++) {
				rate_charge(&rate, (unsigned)(next_random(&random) >> 63) * 2);
			}
			now_tsc += cycles(0.5 / pps < 1e-3 ? 0.5 / pps : 1e-3);
		}
		random = 51;
		for (uint64_t i = 0; i < probes; i++)
			replies += (next_random(&random) >> 63) * 2;
		cr_assert_leq((double)(probes + replies), 10 * pps * 1.001 + bucket(pps) + 2);
		cr_assert_geq((double)(probes + replies), 10 * pps * 0.99 - 2 * BURST - 2);
	}
}

/* A debt is paid before the next probe, and the wait says how long that takes. */
Test(rate, debts_are_waited_for) {
	uint64_t now_tsc = START_TSC, wait;
	struct rate rate;

	rate_init(&rate, 1000, HZ, now_tsc);
	cr_assert_eq(rate_take(&rate, now_tsc, 1), 1);
	rate_charge(&rate, 9);
	wait = rate_wait_tsc(&rate);
	cr_assert_geq(wait, cycles(0.00999));
	cr_assert_leq(wait, cycles(0.01001));
	cr_assert_eq(rate_take(&rate, now_tsc + wait - 5, 1), 0);
	cr_assert_eq(rate_take(&rate, now_tsc + wait + 5, 2), 1);
}

/* Nobody can stop the probes for good, nor does a pause let them burst while a debt is open. */
Test(rate, debts_are_bounded) {
	uint64_t now_tsc = START_TSC;
	struct rate rate;

	rate_init(&rate, 1000, HZ, now_tsc);
	rate_charge(&rate, 100000);
	cr_assert_leq(rate_wait_tsc(&rate), cycles(1.04));
	cr_assert_geq(rate_wait_tsc(&rate), cycles(1.02));
	/* Away for half a second: as much of it is paid, and nothing goes. */
	now_tsc += cycles(0.5);
	cr_assert_eq(rate_take(&rate, now_tsc, BURST), 0);
	cr_assert_leq(rate_wait_tsc(&rate), cycles(0.54));
	cr_assert_geq(rate_wait_tsc(&rate), cycles(0.52));
	/* And for another one: it is paid, and the first probe goes. */
	now_tsc += cycles(0.6);
	cr_assert_eq(rate_take(&rate, now_tsc, BURST), 1);
}

Test(rate, unlimited_replies) {
	struct rate rate;

	rate_init(&rate, 0, HZ, START_TSC);
	rate_charge(&rate, 1000000);
	cr_assert_eq(rate_take(&rate, START_TSC, BURST), BURST);
	cr_assert_eq(rate_wait_tsc(&rate), 0);
}

/* From any rate to any other: the new one holds at once and over seconds, with no burst and no gap. */
Test(rate, changes) {
	static const double rates[] = {10, 1000, 100e3, 1e6, 0};
	enum { NB = sizeof(rates) / sizeof(rates[0]) };

	for (unsigned change = 0; change < NB * NB; change++) {
		const double before = rates[change / NB], after = rates[change % NB];
		uint64_t now_tsc = START_TSC, at_once, taken;
		struct rate rate;

		if (after == 0)
			continue;
		rate_init(&rate, before, HZ, now_tsc);
		if (before > 0)
			run(&rate, &now_tsc, before, 1.234, 10e-6, NULL);
		/* Something is owed from before, too. */
		now_tsc += cycles(0.045);
		if (before > 0)
			drain(&rate, now_tsc);
		rate_change(&rate, after, now_tsc);
		at_once = drain(&rate, now_tsc);
		cr_assert_leq(at_once, 1, "%lu at once from %g to %g pps", at_once, before, after);
		taken = at_once + run(&rate, &now_tsc, after, 2, 10e-6, NULL);
		cr_assert((double)taken >= after * 2 * 0.999 - 1
				&& (double)taken <= after * 2 * 1.001 + 1,
			"%lu in 2 s from %g to %g pps", taken, before, after);
	}
}

/* To unlimited and back. */
Test(rate, changes_to_unlimited) {
	uint64_t now_tsc = START_TSC;
	struct rate rate;

	rate_init(&rate, 1000, HZ, now_tsc);
	rate_change(&rate, 0, now_tsc);
	cr_assert_eq(rate_wait_tsc(&rate), 0);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(rate_take(&rate, now_tsc++, BURST), BURST);
	rate_change(&rate, 1000, now_tsc);
	cr_assert_eq(drain(&rate, now_tsc), 1);
	cr_assert_eq(rate_take(&rate, now_tsc + cycles(0.00099), BURST), 0);
	cr_assert_eq(rate_take(&rate, now_tsc + cycles(0.00101), BURST), 1);
}

/* Half of the way to the next probe is half of it at any rate. */
Test(rate, changes_keep_what_was_earned) {
	uint64_t now_tsc = START_TSC;
	struct rate rate;

	rate_init(&rate, 1.0 / 300, HZ, now_tsc);
	cr_assert_eq(rate_take(&rate, now_tsc, BURST), 1);
	now_tsc += cycles(150);
	rate_change(&rate, 10, now_tsc);
	cr_assert_eq(rate_take(&rate, now_tsc + cycles(0.049), BURST), 0);
	cr_assert_eq(rate_take(&rate, now_tsc + cycles(0.051), BURST), 1);
}

/* What replies took stays as many probes. */
Test(rate, changes_keep_debts) {
	uint64_t now_tsc = START_TSC;
	struct rate rate;

	rate_init(&rate, 1000, HZ, now_tsc);
	drain(&rate, now_tsc);
	rate_charge(&rate, 20);
	rate_change(&rate, 100, now_tsc);
	cr_assert_eq(run(&rate, &now_tsc, 100, 0.2095, 10e-6, NULL), 0);
	cr_assert_eq(run(&rate, &now_tsc, 100, 0.002, 10e-6, NULL), 1);
}

/* Buckets that make a rate together keep on taking turns. */
Test(rate, changes_keep_turns) {
	enum { PARTS = 4 };
	struct rate rate[PARTS];
	uint64_t now_tsc = START_TSC;

	for (unsigned i = 0; i < PARTS; i++) {
		rate_init(&rate[i], 0, HZ, now_tsc);
		rate_stagger(&rate[i], i, PARTS);
		rate_change(&rate[i], 10, now_tsc);
	}
	for (unsigned step = 0; step < 100; step++, now_tsc += cycles(0.025)) {
		unsigned n = 0;

		for (unsigned i = 0; i < PARTS; i++)
			n += rate_take(&rate[i], now_tsc + cycles(0.001), BURST);
		cr_assert_eq(n, 1, "%u in step %u", n, step);
	}
}

Test(rate, a_pause_earns_nothing) {
	uint64_t now_tsc = START_TSC;
	struct rate rate;

	rate_init(&rate, 0.1, HZ, now_tsc);
	cr_assert_eq(rate_take(&rate, now_tsc, BURST), 1);
	now_tsc += cycles(4);
	cr_assert_eq(rate_take(&rate, now_tsc, BURST), 0);
	for (unsigned i = 0; i < 1000; i++, now_tsc += cycles(0.1))
		rate_pass(&rate, now_tsc);
	rate_pass(&rate, now_tsc);
	cr_assert_eq(rate_take(&rate, now_tsc + cycles(5.9), BURST), 0);
	cr_assert_eq(rate_take(&rate, now_tsc + cycles(6.1), BURST), 1);
}
