/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sending half of a packet lcore: next hops first, then probes at the rate, one burst a turn,
 * from the moment that they are released.
 * Run by the lcore that owns the struct tx; probes come from its own pool, in which each buffer
 * holds the template, and go back there by themselves when the device has sent them.
 */
#include "core.h"

#include <rte_cycles.h>

enum {
	/*
	 * Transmissions of one pair are at least this far apart, however small the scan: what lost the
	 * first would lose the second, too (nmap's and TCP's first timeout, RFC 6298 2.1).
	 */
	REPEAT_DISTANCE_S = 1,
};

unsigned tx_frame_room(const struct tx *tx) {
	return FRAME_QUEUE - (tx->frame_tail - tx->frame_head);
}

void tx_frame(struct tx *tx, struct rte_mbuf *mbuf) {
	if (tx_frame_room(tx) == 0) {
		rte_pktmbuf_free(mbuf);
		count(&tx->reply_dropped, 1);
		return;
	}
	tx->frame[tx->frame_tail++ % FRAME_QUEUE] = mbuf;
}

void tx_charged_frame(struct tx *tx, struct rte_mbuf *mbuf) {
	rate_charge(&tx->rate, 1);
	tx_frame(tx, mbuf);
}

/* Take replies of RX lcores that have no queue of their own, as far as there is room. */
static void take_replies(struct tx *tx) {
	for (unsigned i = 0; i < tx->nb_replies && tx_frame_room(tx) >= BURST; i++) {
		void *entry[BURST];
		unsigned n = rte_ring_sc_dequeue_burst(tx->replies[i], entry, BURST, NULL);

		for (unsigned k = 0; k < n; k++) {
			if (reply_is_charged(entry[k]))
				tx_charged_frame(tx, reply_mbuf(entry[k]));
			else
				tx_frame(tx, entry[k]);
		}
	}
}

/* Hand queued frames to the device; true where none is left. */
static bool flush_frames(struct worker *worker, bool *busy) {
	struct tx *tx = &worker->tx;

	take_replies(tx);
	while (tx->frame_head != tx->frame_tail) {
		unsigned at = tx->frame_head % FRAME_QUEUE, n = tx->frame_tail - tx->frame_head;
		unsigned sent;

		/* Up to the end of the array, in bursts. */
		n = n < FRAME_QUEUE - at ? n : FRAME_QUEUE - at;
		n = n < BURST ? n : BURST;
		sent = port_tx_burst(worker->port, tx->queue, &tx->frame[at], n);
		tx->frame_head += sent;
		*busy |= sent > 0;
		if (sent < n)
			return false;
	}
	return true;
}

static void ask(struct worker *worker, const dp_ip *ip, unsigned n) {
	const struct port *port = worker->port;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->tx.reply_pool);
		unsigned length;

		if (!mbuf) {
			count(&worker->tx.reply_dropped, 1);
			continue;
		}
		length = frame_ask(rte_pktmbuf_mtod(mbuf, uint8_t *), port->scan.vlan,
			port->scan.env.source_mac, port->asker[family_of(ip[i])], ip[i]);
		mbuf->data_len = (uint16_t)length;
		mbuf->pkt_len = length;
		tx_frame(&worker->tx, mbuf);
		count(&worker->tx.arp_sent, 1);
	}
}

static void set_phase(struct dp_engine *engine, enum dp_phase phase) {
	atomic_store_explicit(&engine->phase, phase, memory_order_release);
}

static void fail_unreachable(const struct port *port) {
	struct dp_engine *engine = port->engine;
	dp_ip missing = neigh_missing(port->neigh);
	char text[DP_IP_TEXT_BYTES];

	/* Several ports may fail at once: one of them says so. */
	if (atomic_exchange_explicit(&engine->failing, true, memory_order_relaxed))
		return;
	dp_ip_write(missing, text);
	snprintf(engine->failure, sizeof(engine->failure),
		"the gateway %s did not answer %s on %.64s; check the cable and the address, or "
		"give gateway_mac",
		text, dp_ip_is_v4(missing) ? "ARP" : "neighbour solicitations", port->plan->port);
	set_phase(engine, DP_PHASE_FAILED);
}

/* The scan begins when all ports know their next hops. */
static void port_resolved(struct port *port) {
	struct dp_engine *engine = port->engine;

	port->resolved = true;
	if (atomic_fetch_add_explicit(&engine->resolved_ports, 1, memory_order_acq_rel) + 1
		== engine->plan.nb_ports)
		set_phase(engine, DP_PHASE_SENDING);
}

static bool resolve(struct worker *worker, uint64_t now_tsc) {
	struct port *port = worker->port;
	dp_ip ip[BURST];
	unsigned n;
	int rc;

	if (port->resolved)
		return false;
	rc = neigh_resolve(port->neigh, now_tsc, ip, BURST, &n);
	ask(worker, ip, n);
	if (rc == 1)
		port_resolved(port);
	else if (rc < 0)
		fail_unreachable(port);
	return n > 0;
}

/* A gateway was found elsewhere: what went since it last answered from where it was may be lost. */
static void follow_gateways(struct worker *worker) {
	struct tx *tx = &worker->tx;
	uint64_t moved = neigh_moved_gateways(worker->port->neigh), sent;

	if (moved == tx->gateway_moves)
		return;
	sent = port_probes_sent(worker->port);
	count(&tx->misdirected, sent - tx->confirmed_sent);
	tx->confirmed_sent = tx->asked_sent = sent;
	tx->gateway_moves = moved;
}

static void refresh(struct worker *worker, uint64_t now_tsc) {
	struct neigh *neigh = worker->port->neigh;
	struct tx *tx = &worker->tx;
	uint64_t questions = neigh_gateway_questions(neigh);
	bool confirmed = neigh_gateways_confirmed(neigh);
	dp_ip ip[2];

	follow_gateways(worker);
	ask(worker, ip, neigh_refresh(neigh, now_tsc, ip, 2));
	if (questions == neigh_gateway_questions(neigh))
		return;
	if (confirmed)
		tx->confirmed_sent = tx->asked_sent;
	tx->asked_sent = port_probes_sent(worker->port);
}

static enum pressure highest_pressure(const struct dp_engine *engine) {
	uint8_t highest = PRESSURE_NONE;

	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		const struct rx *rx = &engine->worker[i]->rx;
		uint8_t level = atomic_load_explicit(&rx->pressure, memory_order_relaxed);

		if (rx->active && level > highest)
			highest = level;
	}
	return highest;
}

/*
 * A device that waits for us when we do not poll it will in the end not take what we send either. Then
 * replies that cannot leave stop us from polling, for good: so no further probes while it has more for
 * us than we took. What is under way gets no more by being answered.
 */
static bool must_catch_up(const struct port *port) {
	for (unsigned i = 0; port->lossless && i < port->plan->nb_workers; i++) {
		const struct rx *rx = &port->worker[i]->rx;

		if (rx->active && atomic_load_explicit(&rx->backlog, memory_order_relaxed))
			return true;
	}
	return false;
}

/* Lower the rate while rings are full, and account for the time that it was lower. */
static bool follow_rings(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	enum pressure pressure = highest_pressure(worker->engine);

	if (rate_follow(&tx->rate, now_tsc, pressure != PRESSURE_NONE)) {
		if (tx->throttled_since_tsc)
			count(&tx->throttled_tsc, now_tsc - tx->throttled_since_tsc);
		tx->throttled_since_tsc = now_tsc;
	} else {
		tx->throttled_since_tsc = 0;
	}
	return pressure != PRESSURE_STOP;
}

/* Take up the rate that the control core asks for, each lcore its equal part. */
static void follow_rate(struct worker *worker, uint64_t now_tsc) {
	const double pps = engine_rate(worker->engine);
	struct tx *tx = &worker->tx;

	if (pps == tx->pps)
		return;
	tx->pps = pps;
	rate_change(&tx->rate, pps / worker->engine->plan.nb_tx, now_tsc);
}

/* Sending began with the first probe and lasts until the latest. */
static void note_time(struct tx *tx, unsigned sent, uint64_t now_tsc) {
	if (sent == 0)
		return;
	if (counted(&tx->first_tsc) == 0)
		atomic_store_explicit(&tx->first_tsc, now_tsc, memory_order_relaxed);
	atomic_store_explicit(&tx->last_tsc, now_tsc, memory_order_relaxed);
}

/* What all frames of a scan have in bytes, where it is the same for all; else 0. */
static unsigned common_bytes(const struct port *port) {
	const struct template *t = &port->template[0];

	return port->nb_templates == 1 && !t->module->varies ? t->frame_bytes : 0;
}

/* All probes of the steps so far were taken by the device, or left out. */
static void end_steps(struct tx *tx) {
	if (tx->pending_at == tx->nb_pending)
		atomic_store_explicit(&tx->steps, tx->made, memory_order_release);
}

/* Hand pending probes to the device; true where it took any. */
static bool flush_pending(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	struct rte_mbuf **mbuf = &tx->pending[tx->pending_at];
	unsigned left = tx->nb_pending - tx->pending_at, sent;
	const unsigned each = common_bytes(worker->port);
	uint32_t length[BURST];
	uint64_t bytes;

	/* Sent buffers may be gone, and in use again. */
	for (unsigned i = 0; each == 0 && i < left; i++)
		length[i] = mbuf[i]->pkt_len;
	sent = port_tx_burst(worker->port, tx->queue, mbuf, left);
	bytes = (uint64_t)each * sent;
	for (unsigned i = 0; each == 0 && i < sent; i++)
		bytes += length[i];
	note_time(tx, sent, now_tsc);
	count(&tx->probes_sent, sent);
	count(&tx->probe_bytes, bytes);
	tx->pending_at += sent;
	end_steps(tx);
	return sent > 0;
}

/* Probes that were made but not taken were never sent. */
static void drop_pending(struct tx *tx) {
	for (; tx->pending_at < tx->nb_pending; tx->pending_at++) {
		struct rte_mbuf *mbuf = tx->pending[tx->pending_at];

		rte_mempool_put(mbuf->pool, mbuf);
	}
	tx->pending_at = tx->nb_pending = 0;
}

void tx_finish(struct worker *worker) {
	drop_pending(&worker->tx);
	worker->tx.throttled_since_tsc = 0;
	atomic_store_explicit(&worker->tx.done, true, memory_order_release);
}

/* The next piece that has its turn in this pass; false where there is none. */
static bool take_piece(struct tx *tx) {
	while (tx->piece < tx->pieces->nb) {
		const struct dp_piece *piece = &tx->pieces->list[tx->piece++];

		if (piece->done > tx->pass)
			continue;
		tx->next = piece->first;
		tx->end = piece->end;
		tx->moved = true;
		return true;
	}
	return false;
}

/* A piece was walked to its end: on with the next one, the next pass, or it was the last. */
static void end_piece(struct worker *worker) {
	const struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;

	while (!take_piece(tx)) {
		if (++tx->pass >= engine->plan.passes) {
			tx_finish(worker);
			return;
		}
		tx->piece = 0;
		if (tx->pass % engine->variants == 0) {
			tx->resting = tx->moved;
			tx->moved = false;
		}
	}
}

/* Whether the next transmission of the pairs may begin. */
static bool begin_repeat(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;

	if (now_tsc < tx->repeat_tsc)
		return false;
	tx->resting = false;
	tx->repeat_tsc = now_tsc + REPEAT_DISTANCE_S * worker->engine->tsc_hz;
	rate_restart(&tx->rate, now_tsc);
	return true;
}

static bool send_probes(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	dp_u128 left = tx->end - tx->next;
	unsigned want = left < BURST ? (unsigned)left : BURST, spared;

	if (atomic_load_explicit(&worker->port->link_down, memory_order_relaxed))
		return false;
	if (tx->pending_at < tx->nb_pending)
		return flush_pending(worker, now_tsc);
	if (want == 0) {
		end_piece(worker);
		return false;
	}
	if (engine_paused(worker->engine)) {
		rate_pass(&tx->rate, now_tsc);
		return false;
	}
	if ((tx->resting && !begin_repeat(worker, now_tsc)) || !follow_rings(worker, now_tsc)
		|| must_catch_up(worker->port))
		return false;
	want = rate_take(&tx->rate, now_tsc, want);
	if (want == 0)
		return false;
	if (!probes_make(worker, want, now_tsc, &spared)) {
		rate_refund(&tx->rate, want);
		return false;
	}
	rate_refund(&tx->rate, spared);
	if (tx->nb_pending)
		return flush_pending(worker, now_tsc);
	end_steps(tx);
	return true;
}

/* How many single probes can go now: they wait, rate and rings let them, and replies keep room. */
static unsigned singles_due(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	unsigned n = ring_level(tx->singles);

	if (n == 0 || engine_paused(worker->engine) || tx_frame_room(tx) < 2 * BURST
		|| !follow_rings(worker, now_tsc))
		return 0;
	return rate_take(&tx->rate, now_tsc, n < BURST ? n : BURST);
}

/* Queue single probes ahead of the scan's, by the frames' way and for tokens of the same bucket. */
static bool send_singles(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	struct single single[BURST];
	unsigned n = singles_due(worker, now_tsc), got, sent = 0;

	if (n == 0)
		return false;
	got = rte_ring_sc_dequeue_burst_elem(tx->singles, single, sizeof(*single), n, NULL);
	for (unsigned i = 0; i < got; i++) {
		bool unresolved;
		struct rte_mbuf *mbuf
			= probes_make_single(worker, &single[i], now_tsc, &unresolved);

		if (mbuf) {
			tx_frame(tx, mbuf);
			sent++;
		} else if (!unresolved) {
			count(&tx->reply_dropped, 1);
		}
	}
	count(&tx->single_probes, sent);
	rate_refund(&tx->rate, n - sent);
	return true;
}

/* Take up the lcore's part of the work, once it is released. */
static bool begin(struct worker *worker, uint64_t now_tsc) {
	const struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;

	if (!atomic_load_explicit(&engine->released, memory_order_acquire))
		return false;
	tx->pieces = &engine->work.share[tx->number];
	tx->repeat_tsc = now_tsc + REPEAT_DISTANCE_S * engine->tsc_hz;
	/* Nothing earned while waiting: the scan starts at its rate, not above. */
	rate_restart(&tx->rate, now_tsc);
	tx->begun = true;
	return true;
}

uint64_t tx_wait_tsc(const struct worker *worker) {
	const struct tx *tx = &worker->tx;
	int phase = atomic_load_explicit(&worker->engine->phase, memory_order_relaxed);

	if (!tx->active)
		return UINT64_MAX;
	/* The end of a pause may take a nap's time to be seen. */
	if (engine_paused(worker->engine) && tx->pending_at == tx->nb_pending)
		return UINT64_MAX;
	if (tx->singles && ring_level(tx->singles))
		return rate_wait_tsc(&tx->rate);
	if (atomic_load_explicit(&tx->done, memory_order_relaxed))
		return UINT64_MAX;
	/* While probes are held, a release may take a nap's time to be seen; a link likewise. */
	if (!tx->begun && phase != DP_PHASE_RESOLVING)
		return UINT64_MAX;
	if (atomic_load_explicit(&worker->port->link_down, memory_order_relaxed))
		return UINT64_MAX;
	if (tx->resting) {
		uint64_t now_tsc = rte_rdtsc();

		return now_tsc < tx->repeat_tsc ? tx->repeat_tsc - now_tsc : 0;
	}
	return rate_wait_tsc(&tx->rate);
}

bool tx_turn(struct worker *worker, uint64_t now_tsc) {
	struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;
	int phase = atomic_load_explicit(&engine->phase, memory_order_acquire);
	bool busy = false, flushed;

	follow_rate(worker, now_tsc);
	if (tx->singles && phase == DP_PHASE_SENDING)
		busy = send_singles(worker, now_tsc);
	flushed = flush_frames(worker, &busy);
	if (atomic_load_explicit(&tx->done, memory_order_relaxed))
		return busy;
	/* Also where a device takes nothing any more. */
	if (atomic_load_explicit(&engine->stop_sending, memory_order_relaxed)) {
		tx_finish(worker);
		return true;
	}
	if (!flushed)
		return busy;
	switch (phase) {
	case DP_PHASE_RESOLVING:
		return (tx->refreshing && resolve(worker, now_tsc)) || busy;
	case DP_PHASE_SENDING:
		if (tx->refreshing)
			refresh(worker, now_tsc);
		if (!tx->begun && !begin(worker, now_tsc))
			return busy;
		return send_probes(worker, now_tsc) || busy;
	default:
		return busy;
	}
}
