/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop of a packet lcore: receive, send, or both in turn. After start it takes no lock, makes
 * no allocation and logs nothing; its only system calls are the waits of an idle turn.
 */
#include "core.h"

#include <dp/nap.h>
#include <dp/secret.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

enum {
	SPIN_TURNS = 32, /* before an idle lcore gives way to others on its CPU */
	NAP_TURNS = 256, /* before it sleeps, where the next probe is not due either */
	/* As lcore_begin() makes it a nap takes some 8 us, one in a hundred 50 us, more than it should. */
	NAP_FROM_US = 40,
};

void lcore_begin(void) {
	dp_secret_hide_stack();
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

/* Whether an lcore may be late for what comes: nobody but itself can send what would be answered. */
static bool is_calm(const struct dp_engine *engine, bool alone) {
	const double pps = engine_rate(engine);

	if (atomic_load_explicit(&engine->single_probes, memory_order_relaxed))
		return false;
	return dp_engine_phase(engine) == DP_PHASE_SENT
		|| (alone && pps > 0 && pps <= DP_NAP_CALM_PPS);
}

/*
 * Whether others want the CPU, and what comes during the shortest nap fits any ring: then it is left to them by
 * naps at once. docs/architecture.md has what yields and naps cost.
 */
static bool is_slow_and_shared(const struct dp_engine *engine) {
	const double pps = engine_rate(engine);

	return engine->plan.shared_cpus && pps > 0 && pps <= DP_NAP_CALM_PPS;
}

void lcore_idle(const struct dp_engine *engine, struct idle *idle, uint64_t wait_tsc, bool alone) {
	const uint64_t now_tsc = rte_rdtsc(), us = engine->tsc_hz / 1000000;
	const bool slow = is_slow_and_shared(engine);
	uint64_t idle_us, nap_ns;

	if (idle->turns++ == 0)
		idle->since_tsc = now_tsc;
	if (idle->turns < SPIN_TURNS) {
		rte_pause();
	} else if (slow || (idle->turns >= NAP_TURNS && wait_tsc > us * NAP_FROM_US)) {
		idle_us = (now_tsc - idle->since_tsc) / us;
		nap_ns = dp_nap_ns(idle_us * 1000, is_calm(engine, alone));
		/* Back in time for the next probe, with as much again for the kernel to be late. */
		if (nap_ns > wait_tsc / us * 1000 / 2)
			nap_ns = wait_tsc / us * 1000 / 2;
		nanosleep(&(struct timespec){.tv_nsec = (long)nap_ns}, NULL);
	} else if (engine->plan.shared_cpus) {
		sched_yield();
	} else {
		rte_pause();
	}
}

/* A core's company: a loop that is never idle must not starve the control core of a shared CPU. */
static void give_way(const struct worker *worker) {
	if (!worker->engine->plan.shared_cpus || !worker->rx.active)
		return;
	if (ring_level(worker->rx.answers) > ANSWER_RING / 4)
		sched_yield();
}

int lcore_main(void *arg) {
	struct worker *worker = arg;
	const struct dp_engine *engine = worker->engine;
	const bool alone = engine->plan.nb_workers == 1 && worker->tx.active && worker->rx.active;

	lcore_begin();
	while (!engine_stopping(engine)) {
		bool busy = false;

		if (worker->rx.active)
			busy = rx_turn(worker);
		if (worker->tx.active)
			busy |= tx_turn(worker, rte_rdtsc());
		if (busy) {
			worker->idle.turns = 0;
			give_way(worker);
		} else {
			lcore_idle(engine, &worker->idle, tx_wait_tsc(worker), alone);
		}
	}
	if (worker->tx.active)
		tx_finish(worker);
	handover_give(worker);
	return 0;
}
