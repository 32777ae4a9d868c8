/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sending half of a packet lcore: next hops first, then probes at the rate, one burst a turn,
 * from the moment that they are released.
 * Run by the lcore that owns the struct tx; probes come from its own pool, in which each buffer
 * holds the template, and go back there by themselves when the device has sent them.
 */
#include "core.h"

#include <rte_cycles.h>

/* Where the next hop's and our hardware address meet in a frame: six bytes, then two. */
static inline void put_next_hop(uint8_t *frame, uint64_t mac) {
	mac_put(frame, mac & NEIGH_MAC);
}

static void write_template(struct rte_mempool *pool, void *arg, void *object, unsigned index) {
	struct dp_engine *engine = arg;
	struct rte_mbuf *mbuf = object;

	rte_pktmbuf_reset(mbuf);
	mbuf->data_len = (uint16_t)engine->module->frame_bytes;
	mbuf->pkt_len = engine->module->frame_bytes;
	engine->module->prepare(&engine->env, rte_pktmbuf_mtod(mbuf, uint8_t *));
}

void tx_prepare_pool(struct dp_engine *engine, struct rte_mempool *pool) {
	rte_mempool_obj_iter(pool, write_template, engine);
}

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
		sent = rte_eth_tx_burst(
			worker->engine->port, tx->queue, &tx->frame[at], (uint16_t)n);
		tx->frame_head += sent;
		*busy |= sent > 0;
		if (sent < n)
			return false;
	}
	return true;
}

static void ask(struct worker *worker, const uint32_t *ip, unsigned n) {
	struct dp_engine *engine = worker->engine;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->tx.reply_pool);
		unsigned length;

		if (!mbuf) {
			count(&worker->tx.reply_dropped, 1);
			continue;
		}
		length = frame_arp_request(rte_pktmbuf_mtod(mbuf, uint8_t *),
			engine->env.source_mac, engine->arp_sender, MAC_BROADCAST, ip[i]);
		mbuf->data_len = (uint16_t)length;
		mbuf->pkt_len = length;
		tx_frame(&worker->tx, mbuf);
		count(&worker->tx.arp_sent, 1);
	}
}

static void set_phase(struct dp_engine *engine, enum dp_phase phase) {
	atomic_store_explicit(&engine->phase, phase, memory_order_release);
}

static void fail_unreachable(struct dp_engine *engine) {
	uint32_t ip = engine->plan.gateway_ip;

	snprintf(engine->failure, sizeof(engine->failure),
		"the gateway %u.%u.%u.%u did not answer ARP on %.64s; check the cable and the "
		"address, "
		"or give gateway_mac",
		ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255, engine->plan.port);
	set_phase(engine, DP_PHASE_FAILED);
}

static bool resolve(struct worker *worker, uint64_t now_tsc) {
	uint32_t ip[BURST];
	unsigned n;
	int rc = neigh_resolve(worker->engine->neigh, now_tsc, ip, BURST, &n);

	ask(worker, ip, n);
	if (rc == 1)
		set_phase(worker->engine, DP_PHASE_SENDING);
	else if (rc < 0)
		fail_unreachable(worker->engine);
	return n > 0;
}

static void refresh(struct worker *worker, uint64_t now_tsc) {
	uint32_t ip[2];

	ask(worker, ip, neigh_refresh(worker->engine->neigh, now_tsc, ip, 2));
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

/*
 * Keep those targets whose next hop is known, and write it into their frames. Returns their number;
 * the others' buffers stay behind it, untouched.
 */
static unsigned address_frames(
	struct worker *worker, struct dp_target *target, uint8_t *const *frame, unsigned n) {
	const struct neigh *neigh = worker->engine->neigh;
	unsigned kept = 0;

	if (neigh_single(neigh)) {
		uint64_t mac = neigh_next_hop(neigh, 0);

		for (unsigned i = 0; i < n; i++)
			put_next_hop(frame[i], mac);
		return n;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t mac = neigh_next_hop(neigh, target[i].ip);

		if (!(mac & NEIGH_RESOLVED))
			continue;
		put_next_hop(frame[kept], mac);
		target[kept++] = target[i];
	}
	return kept;
}

/* Make the next @n probes as pending; false where the pool is empty for now. */
static bool make_probes(struct worker *worker, unsigned n, uint64_t now_tsc) {
	const struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;
	struct dp_target target[BURST];
	uint64_t index[BURST];
	uint8_t *frame[BURST];
	unsigned kept;

	/* Not rte_pktmbuf_alloc_bulk(), which would reset lengths that never change. */
	if (rte_mempool_get_bulk(tx->pool, (void **)tx->pending, n))
		return false;
	dp_perm_burst(&engine->work.perm, tx->slice.first, index, n);
	dp_space_pick(engine->work.space, index, target, n);
	for (unsigned i = 0; i < n; i++)
		frame[i] = rte_pktmbuf_mtod(tx->pending[i], uint8_t *);
	kept = address_frames(worker, target, frame, n);
	count(&tx->probes_unresolved, n - kept);
	engine->module->make(&engine->env, frame, target, kept, engine_clock_us(engine, now_tsc));
	if (kept < n)
		rte_mempool_put_bulk(tx->pool, (void **)&tx->pending[kept], n - kept);
	tx->slice.first += n;
	tx->nb_pending = kept;
	tx->pending_at = 0;
	return true;
}

/* Sending began with the first probe and lasts until the latest. */
static void note_time(struct tx *tx, unsigned sent, uint64_t now_tsc) {
	if (sent == 0)
		return;
	if (counted(&tx->first_tsc) == 0)
		atomic_store_explicit(&tx->first_tsc, now_tsc, memory_order_relaxed);
	atomic_store_explicit(&tx->last_tsc, now_tsc, memory_order_relaxed);
}

/* Hand pending probes to the device; true where it took any. */
static bool flush_pending(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	unsigned left = tx->nb_pending - tx->pending_at;
	unsigned sent = rte_eth_tx_burst(
		worker->engine->port, tx->queue, &tx->pending[tx->pending_at], (uint16_t)left);

	note_time(tx, sent, now_tsc);
	count(&tx->probes_sent, sent);
	tx->pending_at += sent;
	return sent > 0;
}

/* Probes that were made but not taken were never sent. */
static void drop_pending(struct tx *tx) {
	if (tx->pending_at < tx->nb_pending)
		rte_mempool_put_bulk(tx->pool, (void **)&tx->pending[tx->pending_at],
			tx->nb_pending - tx->pending_at);
	tx->pending_at = tx->nb_pending = 0;
}

void tx_finish(struct worker *worker) {
	drop_pending(&worker->tx);
	worker->tx.throttled_since_tsc = 0;
	atomic_store_explicit(&worker->tx.done, true, memory_order_release);
}

static bool send_probes(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	uint64_t left = tx->slice.end - tx->slice.first;
	unsigned want = left < BURST ? (unsigned)left : BURST;

	if (tx->pending_at < tx->nb_pending)
		return flush_pending(worker, now_tsc);
	if (want == 0) {
		tx_finish(worker);
		return false;
	}
	if (!follow_rings(worker, now_tsc))
		return false;
	want = rate_take(&tx->rate, now_tsc, want);
	if (want == 0)
		return false;
	if (!make_probes(worker, want, now_tsc)) {
		rate_refund(&tx->rate, want);
		return false;
	}
	return tx->nb_pending == 0 || flush_pending(worker, now_tsc);
}

/* How many single probes can go now: they wait, rate and rings let them, and replies keep room. */
static unsigned singles_due(struct worker *worker, uint64_t now_tsc) {
	struct tx *tx = &worker->tx;
	unsigned n = rte_ring_count(tx->singles);

	if (n == 0 || tx_frame_room(tx) < 2 * BURST || !follow_rings(worker, now_tsc))
		return 0;
	return rate_take(&tx->rate, now_tsc, n < BURST ? n : BURST);
}

/* Queue single probes ahead of the scan's, by the frames' way and for tokens of the same bucket. */
static bool send_singles(struct worker *worker, uint64_t now_tsc) {
	const struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;
	struct rte_mbuf *mbuf[BURST];
	struct dp_target target[BURST];
	uint8_t *frame[BURST];
	void *word[BURST];
	unsigned n = singles_due(worker, now_tsc), kept;

	if (n == 0)
		return false;
	if (rte_mempool_get_bulk(tx->pool, (void **)mbuf, n)) {
		rate_refund(&tx->rate, n);
		return false;
	}
	/* Nobody else takes from the ring: as many as were counted are there. */
	rte_ring_sc_dequeue_bulk(tx->singles, word, n, NULL);
	for (unsigned i = 0; i < n; i++) {
		target[i] = single_unpack(word[i]);
		frame[i] = rte_pktmbuf_mtod(mbuf[i], uint8_t *);
	}
	kept = address_frames(worker, target, frame, n);
	engine->module->make(
		&engine->single_env, frame, target, kept, engine_clock_us(engine, now_tsc));
	for (unsigned i = 0; i < kept; i++)
		tx_frame(tx, mbuf[i]);
	count(&tx->single_probes, kept);
	if (kept < n) {
		rte_mempool_put_bulk(tx->pool, (void **)&mbuf[kept], n - kept);
		rate_refund(&tx->rate, n - kept);
	}
	return true;
}

/* Take up the lcore's part of the work, once it is released. */
static bool begin(struct worker *worker, uint64_t now_tsc) {
	const struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;

	if (!atomic_load_explicit(&engine->released, memory_order_acquire))
		return false;
	tx->slice = dp_slice_part(engine->work.slice, tx->queue + 1u, engine->plan.nb_tx);
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
	if (tx->singles && !rte_ring_empty(tx->singles))
		return rate_wait_tsc(&tx->rate);
	if (atomic_load_explicit(&tx->done, memory_order_relaxed))
		return UINT64_MAX;
	/* While probes are held, a release may take a nap's time to be seen. */
	if (!tx->begun && phase != DP_PHASE_RESOLVING)
		return UINT64_MAX;
	return rate_wait_tsc(&tx->rate);
}

bool tx_turn(struct worker *worker, uint64_t now_tsc) {
	struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;
	int phase = atomic_load_explicit(&engine->phase, memory_order_acquire);
	bool busy = false;

	if (tx->singles && phase == DP_PHASE_SENDING)
		busy = send_singles(worker, now_tsc);
	if (!flush_frames(worker, &busy) || atomic_load_explicit(&tx->done, memory_order_relaxed))
		return busy;
	if (atomic_load_explicit(&engine->stop_sending, memory_order_relaxed)) {
		tx_finish(worker);
		return true;
	}
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
