/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters with one writer: a plain add for the lcore that owns them, safe to read anywhere.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter; /* writer: one lcore, readers: control core */

static inline void count(counter *c, uint64_t n) {
	uint64_t value = atomic_load_explicit(c, memory_order_relaxed);

	atomic_store_explicit(c, value + n, memory_order_relaxed);
}

static inline uint64_t counted(const counter *c) {
	return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
