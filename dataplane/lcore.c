/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop of a packet lcore: receive, send, or both in turn. After start it takes no lock, makes
 * no allocation and logs nothing; its only system calls are the waits of an idle turn.
 */
#include "core.h"

#include <rte_cycles.h>
#include <rte_pause.h>

#include <sched.h>
#include <time.h>

enum {
	SPIN_TURNS = 32, /* before an idle lcore gives way to others on its CPU */
	NAP_TURNS = 256, /* before it sleeps, where the next probe is not due either */
	NAP_NS = 50000,
	NAP_FROM_US = 200, /* a nap takes two or three times what it should */
};

void lcore_idle(const struct dp_engine *engine, unsigned *idle, uint64_t wait_tsc) {
	const struct timespec nap = {.tv_nsec = NAP_NS};

	if (++*idle < SPIN_TURNS) {
		rte_pause();
		return;
	}
	if (*idle >= NAP_TURNS && wait_tsc > engine->tsc_hz / 1000000 * NAP_FROM_US) {
		nanosleep(&nap, NULL);
		return;
	}
	if (engine->plan.shared_cpus)
		sched_yield();
	else
		rte_pause();
}

/* A core's company: a loop that is never idle must not starve the control core of a shared CPU. */
static void give_way(const struct worker *worker) {
	if (!worker->engine->plan.shared_cpus || !worker->rx.active)
		return;
	if (rte_ring_count(worker->rx.answers) > ANSWER_RING / 4)
		sched_yield();
}

int lcore_main(void *arg) {
	struct worker *worker = arg;

	while (!engine_stopping(worker->engine)) {
		bool busy = false;

		if (worker->rx.active)
			busy = rx_turn(worker);
		if (worker->tx.active)
			busy |= tx_turn(worker, rte_rdtsc());
		if (busy) {
			worker->idle = 0;
			give_way(worker);
		} else {
			lcore_idle(worker->engine, &worker->idle, tx_wait_tsc(worker));
		}
	}
	if (worker->tx.active)
		tx_finish(worker);
	return 0;
}
