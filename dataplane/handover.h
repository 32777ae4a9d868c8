/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ThreadSanitizer has to be told: hand-overs within DPDK's libraries, which it cannot see as they
 * are compiled without it. Each mark stands where DPDK's documentation promises the order, and nowhere
 * else: our own hand-overs are C11 atomics that it sees for itself. Nothing in other builds.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

struct rte_mbuf;

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>

/* All that this thread did is done before what comes after handover_take() of the same address. */
static inline void handover_give(const void *what) {
	__tsan_release((void *)(uintptr_t)what);
}

static inline void handover_take(const void *what) {
	__tsan_acquire((void *)(uintptr_t)what);
}

/* The name of what holds a pool's buffers: @name's functions, with marks. */
const char *handover_pool_ops(const char *name);

#else

static inline void handover_give(const void *what) {
	(void)what;
}

static inline void handover_take(const void *what) {
	(void)what;
}

static inline const char *handover_pool_ops(const char *name) {
	return name;
}

#endif

/* The same for a burst of buffers. */
static inline void handover_give_all(struct rte_mbuf *const *mbuf, unsigned n) {
#ifdef __SANITIZE_THREAD__
	for (unsigned i = 0; i < n; i++)
		handover_give(mbuf[i]);
#else
	(void)mbuf, (void)n;
#endif
}

static inline void handover_take_all(struct rte_mbuf *const *mbuf, unsigned n) {
#ifdef __SANITIZE_THREAD__
	for (unsigned i = 0; i < n; i++)
		handover_take(mbuf[i]);
#else
	(void)mbuf, (void)n;
#endif
}

#endif
