/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers with their pools and rings, and the lcores that they run on. Main thread, when the ports
 * are open and nothing runs yet.
 */
#include "core.h"

#include <rte_cycles.h>
#include <rte_lcore.h>

#include <stdlib.h>

static struct rte_ring *new_ring(
	const char *prefix, unsigned number, unsigned element_bytes, unsigned size) {
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", prefix, number);
	return rte_ring_create_elem(
		name, element_bytes, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int make_probe_pools(const struct port *port, struct tx *tx, struct dp_error *err) {
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < port->nb_templates; i++) {
		rc = port_new_pool(&tx->pool[i], "tx", tx->number * MAX_TEMPLATES + i, TX_POOL,
			plan_tx_room(port->template[i].frame_bytes), err);
		if (rc == 0)
			probes_prepare_pool(port, i, tx->pool[i]);
	}
	return rc;
}

static int make_tx(struct worker *worker, unsigned queue, unsigned number, struct dp_error *err) {
	struct dp_engine *engine = worker->engine;
	double pps = engine->plan.rate_pps / engine->plan.nb_tx;
	struct tx *tx = &worker->tx;
	int rc;

	tx->active = true;
	tx->queue = (uint16_t)queue;
	tx->number = number;
	tx->refreshing = queue == 0;
	tx->pps = engine->plan.rate_pps;
	rate_init(&tx->rate, pps, engine->tsc_hz, rte_rdtsc());
	rate_stagger(&tx->rate, number, engine->plan.nb_tx);
	rc = port_new_pool(&tx->reply_pool, "reply", number, REPLY_POOL, REPLY_ROOM, err);
	if (rc == 0)
		rc = make_probe_pools(worker->port, tx, err);
	if (rc || number > 0)
		return rc;
	engine->singles = tx->singles = new_ring("singles", 0, sizeof(struct single), SINGLE_RING);
	if (!tx->singles)
		return dp_fail(err, false, -ENOMEM, "no memory for the ring of single probes");
	return 0;
}

static int make_rx(
	struct worker *worker, unsigned number, unsigned ring_number, struct dp_error *err) {
	struct port *port = worker->port;
	struct rx *rx = &worker->rx;
	struct tx *tx;

	rx->active = true;
	for (unsigned q = number; q < port->nb_rx_queues; q += port->plan->nb_rx)
		rx->queue[rx->nb_queues++] = (uint16_t)q;
	rx->answers = new_ring("answers", ring_number, sizeof(void *), ANSWER_RING);
	if (!rx->answers)
		return dp_fail(err, false, -ENOMEM, "no memory for the ring to the control core");
	if (worker->engine->params.capture && !(rx->capture = capture_create()))
		return dp_fail(err, false, -ENOMEM, "no memory for the ring of captured frames");
	if (worker->tx.active) {
		rx->reply_pool = worker->tx.reply_pool;
		return 0;
	}
	/* An lcore without a TX queue replies through one that has it. */
	tx = &port->worker[number % port->plan->nb_tx]->tx;
	rx->replies = new_ring("replies", ring_number, sizeof(void *), REPLY_RING);
	if (!rx->replies)
		return dp_fail(err, false, -ENOMEM, "no memory for the ring of replies");
	tx->replies[tx->nb_replies++] = rx->replies;
	rx->reply_pool = tx->reply_pool;
	return 0;
}

/* A port's workers; @first is the number of the first one, @first_tx of its sending ones. */
static int make_port_workers(
	struct port *port, unsigned first, unsigned first_tx, struct dp_error *err) {
	const struct dp_port_plan *plan = port->plan;
	struct dp_engine *engine = port->engine;
	int rc = 0;

	for (unsigned i = 0; i < plan->nb_workers; i++) {
		struct worker *worker = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*worker));

		if (!worker)
			return dp_fail(err, false, -ENOMEM, "out of memory");
		memset(worker, 0, sizeof(*worker));
		worker->engine = engine;
		worker->port = port;
		engine->worker[first + i] = port->worker[i] = worker;
	}
	/* Senders first: receivers lean on them for replies. */
	for (unsigned i = 0; rc == 0 && i < plan->nb_tx; i++)
		rc = make_tx(port->worker[i], i, first_tx + i, err);
	for (unsigned i = 0; rc == 0 && i < plan->nb_rx; i++)
		rc = make_rx(port->worker[plan->merged ? i : plan->nb_tx + i], i, first + i, err);
	return rc;
}

/* Give each worker, and each peer, an lcore of EAL's, in the order of the plan. */
static int assign_lcores(struct dp_engine *engine, struct dp_error *err) {
	unsigned lcore = rte_get_next_lcore(-1, 1, 0), needed = engine->plan.nb_workers, peers = 0;

	for (unsigned p = 0; p < engine->plan.nb_ports; p++)
		peers += engine->plan.ports[p].has_peer;
	if (rte_lcore_count() < 1 + needed + peers)
		return dp_fail(err, true, -EINVAL,
			"eal: %u lcores are given, %u are needed (control%s, %u for packets)",
			rte_lcore_count(), 1 + needed + peers, peers ? ", peer" : "", needed);
	for (unsigned p = 0; p < engine->plan.nb_ports; p++) {
		struct port *port = &engine->port[p];

		for (unsigned i = 0; i < port->plan->nb_workers; i++) {
			port->worker[i]->lcore = lcore;
			lcore = rte_get_next_lcore(lcore, 1, 0);
		}
		if (!port->plan->has_peer)
			continue;
		port->peer_lcore = lcore;
		lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	return 0;
}

int workers_create(struct dp_engine *engine, struct dp_error *err) {
	unsigned workers = 0, senders = 0;
	int rc = 0;

	atomic_store_explicit(&engine->rate_pps, engine->plan.rate_pps, memory_order_relaxed);
	/* Devices may have had fewer queues than was planned with. */
	engine->plan.nb_tx = 0;
	for (unsigned p = 0; p < engine->plan.nb_ports; p++)
		engine->plan.nb_tx += engine->plan.ports[p].nb_tx;
	for (unsigned p = 0; rc == 0 && p < engine->plan.nb_ports; p++) {
		struct port *port = &engine->port[p];

		rc = make_port_workers(port, workers, senders, err);
		workers += port->plan->nb_workers;
		senders += port->plan->nb_tx;
		engine->plan.nb_workers = workers;
	}
	return rc ? rc : assign_lcores(engine, err);
}
