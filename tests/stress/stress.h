/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stress tests share: how many items, batches of all sizes, ends that pause, and TAP.
 *
 * PDP_STRESS_ITEMS is the number of items that each ring moves; by default few, so that they take
 * seconds. Both ends give way when they have nothing to do, as the threads may share a processor.
 */
#ifndef STRESS_H
#define STRESS_H

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STRESS_ENOUGH 1000000
#ifdef __SANITIZE_THREAD__
#define STRESS_DEFAULT 100000
#else
#define STRESS_DEFAULT 1000000
#endif

static inline uint64_t stress_items(void) {
	const char *text = getenv("PDP_STRESS_ITEMS");

	return text ? strtoull(text, NULL, 10) : STRESS_DEFAULT;
}

/* A bijection of numbers, so that a word that is half of another item's shows (splitmix64). */
static inline uint64_t stress_mix(uint64_t i) {
	i += UINT64_C(0x9e3779b97f4a7c15);
	i = (i ^ i >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	i = (i ^ i >> 27) * UINT64_C(0x94d049bb133111eb);
	return i ^ i >> 31;
}

/* One end of a ring: its own dice, and what it met. */
struct stress_end {
	uint64_t dice;
	uint64_t refused; /* turns that found the ring full, or empty */
	uint64_t paused;
};

/* 1 to @most, small ones as often as large ones. */
static inline unsigned stress_batch(struct stress_end *end, unsigned most) {
	const uint64_t roll = stress_mix(end->dice++);
	const unsigned limit = roll & 1 ? most : roll & 2 ? (most + 3) / 4 : 1;

	return 1 + (unsigned)((roll >> 8) % limit);
}

/* Once in some thousand turns an end stops for a moment, so that the ring runs full, or empty. */
static inline void stress_pause(struct stress_end *end) {
	if (stress_mix(end->dice++) % 4096)
		return;
	end->paused++;
	nanosleep(&(struct timespec){.tv_nsec = 2000 * 1000}, NULL);
}

static inline void stress_refused(struct stress_end *end) {
	end->refused++;
	sched_yield();
}

static inline double stress_now_s(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- TAP ---- */

struct stress_tap {
	unsigned run, failed;
};

[[gnu::format(printf, 3, 4)]] static inline void stress_ok(
	struct stress_tap *tap, bool good, const char *format, ...) {
	va_list args;

	tap->failed += !good;
	printf("%sok %u - ", good ? "" : "not ", ++tap->run);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

static inline void stress_rate(const char *what, uint64_t items, double seconds) {
	printf("# %s: %llu items in %.1f s, %.1f M/s\n", what, (unsigned long long)items, seconds,
		(double)items / seconds / 1e6);
}

/* Both edges were met: a run that never filled the ring has not tried it. Few items need not. */
static inline void stress_edges(struct stress_tap *tap, const char *what,
	const struct stress_end *producer, const struct stress_end *consumer) {
	stress_ok(tap, stress_items() < STRESS_ENOUGH || (producer->refused && consumer->refused),
		"%s: was full %llu times and empty %llu times", what,
		(unsigned long long)producer->refused, (unsigned long long)consumer->refused);
}

static inline int stress_done(const struct stress_tap *tap) {
	printf("1..%u\n", tap->run);
	return tap->failed ? 1 : 0;
}

#endif
