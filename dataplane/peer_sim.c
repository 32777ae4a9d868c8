/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network as a peer behind a net_ring port: it carries frames between the scanner's
 * rings and the network (sim_net.c), whose hosts answer as the truth says (sim_host.c). One lcore
 * runs it and owns all of its memory. It is a peer of the packet path, not a part of it.
 *
 * Nothing is dropped here: without room in the network it stops taking probes, without room toward
 * the scanner it tries again.
 */
#include "core.h"
#include "sim_net.h"

#include <rte_cycles.h>

#include <stdlib.h>
#include <time.h>

enum {
	STUCK_TURNS = 512, /* idle ones */
	NAP_NS = 20000,
	GIVE_WAY_TURNS = 32, /* busy ones on a shared CPU, before the control core has a turn */
};

static_assert((int)SIM_FRAME_ROOM <= (int)PEER_ROOM);
static_assert((int)BURST <= (int)SIM_NET_BURST);

/* Replies on their way to an RX queue. */
struct outgoing {
	struct rte_mbuf *mbuf[BURST];
	unsigned n, at;
};

struct sim {
	struct peer peer;
	struct outgoing out[DP_MAX_LCORES]; /* one an RX queue */
	struct sim_net *net;
	struct idle idle;
};

/* --- from the scanner ------------------------------------------------------------------------- */

/*
 * Without room we take no probes, so that the scanner cannot send, so that it takes none of our
 * replies, as what it owes for them has nowhere to go: then somebody has to give in.
 */
static bool is_stuck(const struct sim *sim) {
	bool full = false;

	for (unsigned i = 0; i < sim->peer.nb_to_rx; i++)
		full |= ring_room(sim->peer.to_rx[i]) == 0;
	return full && sim->idle.turns > STUCK_TURNS;
}

static void take_frame(struct sim *sim, const struct rte_mbuf *mbuf, uint64_t now_tsc) {
	struct sim_reply reply;
	const uint8_t *note;
	enum sim_taken taken = sim_take(sim_net_hosts(sim->net),
		rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len, &reply, &note);

	sim_net_carry(sim->net, taken, &reply, note, now_tsc);
}

static bool take_probes(struct sim *sim) {
	struct rte_mbuf *mbuf[BURST];
	bool busy = false;

	for (unsigned i = 0; i < sim->peer.nb_from_tx; i++) {
		uint64_t now_tsc = rte_rdtsc();
		unsigned n;

		if (!sim_net_has_room(sim->net) && is_stuck(sim))
			sim_net_grow(sim->net);
		if (!sim_net_has_room(sim->net))
			return busy;
		n = peer_take(sim->peer.from_tx[i], mbuf);
		for (unsigned k = 0; k < n; k++)
			take_frame(sim, mbuf[k], now_tsc);
		/* They lead back to the templates of the lcore that sent them. */
		if (n)
			rte_pktmbuf_free_bulk(mbuf, n);
		busy |= n > 0;
	}
	return busy;
}

/* --- to the scanner --------------------------------------------------------------------------- */

/* The RX queue that a flow belongs to, as a device's hash would have it. */
static unsigned queue_of(const struct sim *sim, const struct sim_reply *reply) {
	return ((uint32_t)reply->host ^ (uint32_t)(reply->host >> 64) ^ reply->scanner_port)
		% sim->peer.nb_to_rx;
}

/* Hand what is ready for an RX queue over; false where there is no room for all of it. */
static bool flush(struct sim *sim, unsigned queue) {
	struct outgoing *out = &sim->out[queue];
	unsigned sent = peer_feed(sim->peer.to_rx[queue], &out->mbuf[out->at], out->n - out->at);

	out->at += sent;
	if (out->at < out->n)
		return false;
	out->at = out->n = 0;
	return true;
}

/* Write one reply for its queue; false where there is no room for it now. */
static bool send_reply(void *ctx, const struct sim_reply *reply, const uint8_t *note) {
	struct sim *sim = ctx;
	unsigned queue = queue_of(sim, reply);
	struct outgoing *out = &sim->out[queue];
	struct rte_mbuf *mbuf;

	if (out->n == BURST && !flush(sim, queue))
		return false;
	mbuf = rte_pktmbuf_alloc(sim->peer.pool);
	if (!mbuf)
		return false;
	mbuf->data_len = (uint16_t)sim_write(
		sim_net_hosts(sim->net), reply, note, rte_pktmbuf_mtod(mbuf, uint8_t *));
	mbuf->pkt_len = mbuf->data_len;
	out->mbuf[out->n++] = mbuf;
	return true;
}

static bool send_due(struct sim *sim) {
	bool busy = sim_net_send_due(sim->net, rte_rdtsc(), send_reply, sim);

	for (unsigned queue = 0; queue < sim->peer.nb_to_rx; queue++)
		flush(sim, queue);
	return busy;
}

/*
 * On a shared CPU the control core has to have its turns while we are busy. A yield is not enough
 * once answers pile up: the scheduler may well choose us again.
 */
static void give_way(const struct sim *sim, unsigned turns) {
	const struct timespec nap = {.tv_nsec = NAP_NS};

	for (unsigned i = 0; i < sim->peer.engine->plan.nb_workers; i++) {
		const struct rx *rx = &sim->peer.engine->worker[i]->rx;

		if (rx->active && ring_level(rx->answers) > ANSWER_RING / 8) {
			nanosleep(&nap, NULL);
			return;
		}
	}
	if (turns % GIVE_WAY_TURNS == 0)
		sched_yield();
}

static int sim_lcore(void *arg) {
	struct sim *sim = arg;
	struct dp_engine *engine = sim->peer.engine;
	unsigned turns = 0;

	lcore_begin();
	while (!engine_stopping(engine)) {
		bool busy = send_due(sim);

		busy |= take_probes(sim);
		if (!busy)
			lcore_idle(engine, &sim->idle, UINT64_MAX, false);
		else
			sim->idle.turns = 0;
		if (busy && engine->plan.shared_cpus)
			give_way(sim, ++turns);
	}
	handover_give(&sim->peer);
	return 0;
}

static void sim_destroy(struct peer *peer) {
	struct sim *sim = (struct sim *)peer;

	for (unsigned i = 0; i < sim->peer.nb_to_rx; i++)
		rte_pktmbuf_free_bulk(
			&sim->out[i].mbuf[sim->out[i].at], sim->out[i].n - sim->out[i].at);
	sim_net_destroy(sim->net);
	free(sim);
}

static int sim_create(struct port *port, struct peer **peer, struct dp_error *err) {
	const struct sim_hosts hosts = {
		.params = port->engine->params.sim,
		.book = port->scan.env.book,
		.scanner_mac = port->scan.env.source_mac,
		.vlan = port->scan.vlan,
	};
	struct sim *sim = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*sim), (size_t)RTE_CACHE_LINE_SIZE));
	struct sim_net *net = sim_net_create(&hosts, port->engine->tsc_hz, rte_rdtsc());

	if (!sim || !net) {
		sim_net_destroy(net);
		free(sim);
		return dp_fail(err, false, -ENOMEM, "out of memory for the simulated network");
	}
	memset(sim, 0, sizeof(*sim));
	sim->net = net;
	*peer = &sim->peer;
	return 0;
}

static void sim_stats(const struct peer *peer, struct dp_stats *stats) {
	const struct sim_net_counts *counts = sim_net_counts(((const struct sim *)peer)->net);

	stats->sim_probes += counted(&counts->probes);
	stats->sim_lost += counted(&counts->lost);
	stats->sim_bad += counted(&counts->bad);
}

const struct peer_type peer_sim = {
	.create = sim_create,
	.lcore = sim_lcore,
	.destroy = sim_destroy,
	.stats = sim_stats,
};
