/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiving half of a packet lcore: a burst a queue and turn; each frame is parsed and
 * validated, then handed to the control core with its verdict in the buffer's private area,
 * answered, learnt from, or counted and dropped. Run by the lcore that owns the struct rx.
 */
#include "core.h"
#include "exception.h"

#include <rte_cycles.h>

/* What a frame is answered with. */
enum reply {
	REPLY_ARP,
	REPLY_ECHO,
	REPLY_RESET,
	REPLY_HELLO,
};

static void send_reply(struct worker *worker, struct rte_mbuf *mbuf, bool charged) {
	struct rx *rx = &worker->rx;

	count(&rx->replies_sent, 1);
	if (!rx->replies) {
		if (charged)
			tx_charged_frame(&worker->tx, mbuf);
		else
			tx_frame(&worker->tx, mbuf);
		return;
	}
	if (rte_ring_sp_enqueue(rx->replies, charged ? reply_charged(mbuf) : mbuf)) {
		rte_pktmbuf_free(mbuf);
		count(&rx->reply_dropped, 1);
	}
}

static unsigned write_reply(const struct probe_env *env, enum reply reply, const uint8_t *frame,
	const struct frame_view *view, uint32_t clock_us, uint8_t *out) {
	switch (reply) {
	case REPLY_ARP:
		return frame_arp_reply(out, env, view->arp.mac, view->arp.ip);
	case REPLY_ECHO:
		return frame_echo_reply(out, env, frame, view);
	case REPLY_RESET:
		return frame_reset(out, env, frame, view);
	case REPLY_HELLO:
		return frame_hello(out, env, frame, view, clock_us);
	}
	return 0;
}

static void reply_to(struct worker *worker, enum reply reply, bool charged, const uint8_t *frame,
	const struct frame_view *view, uint32_t clock_us) {
	struct rte_mbuf *mbuf;

	/* Longer than a buffer: a ping of a size that nobody needs an answer to. */
	if (reply == REPLY_ECHO && view->ip_bytes > REPLY_ROOM - ETH_BYTES) {
		count(&worker->rx.other, 1);
		return;
	}
	mbuf = rte_pktmbuf_alloc(worker->rx.reply_pool);
	if (!mbuf) {
		count(&worker->rx.reply_dropped, 1);
		return;
	}
	mbuf->data_len = (uint16_t)write_reply(&worker->engine->env, reply, frame, view, clock_us,
		rte_pktmbuf_mtod(mbuf, uint8_t *));
	mbuf->pkt_len = mbuf->data_len;
	send_reply(worker, mbuf, charged);
}

/* What fails as an answer to the scan may yet be one to a single probe, which has its own cookies. */
static enum frame_kind parse(const struct dp_engine *engine, const uint8_t *frame, unsigned length,
	uint32_t clock_us, struct frame_view *view) {
	enum frame_kind kind
		= frame_parse(engine->module, &engine->env, frame, length, clock_us, view);

	if (kind != FRAME_REJECTED
		|| !atomic_load_explicit(&engine->single_probes, memory_order_relaxed))
		return kind;
	kind = frame_parse(engine->module, &engine->single_env, frame, length, clock_us, view);
	view->answer.kind = DP_ANSWER_PROBE;
	return kind;
}

static void count_answer(struct rx *rx, const struct frame_view *view) {
	if (view->answer.kind == DP_ANSWER_PROBE) {
		count(&rx->single_answers, 1);
		return;
	}
	count(&rx->kind[view->kind], 1);
	if (view->kind == PROBE_SYN_ACK && view->zero_window)
		count(&rx->zero_window, 1);
}

/*
 * What a segment is owed. Without banners a half-open connection is given up at once; with them it is
 * completed, as often as the host repeats itself, and ended when it has spoken. Those replies are
 * charged to the rate; the resets of a scan alone are not, as the kernel's would not be.
 */
static void answer_segment(struct worker *worker, const uint8_t *frame,
	const struct frame_view *view, uint32_t clock_us) {
	bool banners = worker->engine->env.banners && view->answer.kind != DP_ANSWER_PROBE;

	if (!worker->engine->reply_resets)
		return;
	switch (view->kind) {
	case PROBE_SYN_ACK:
		reply_to(worker, banners ? REPLY_HELLO : REPLY_RESET, banners, frame, view,
			clock_us);
		break;
	case PROBE_DATA:
	case PROBE_FIN:
		reply_to(worker, REPLY_RESET, true, frame, view, clock_us);
		break;
	default:
		break;
	}
}

/* Put the verdict where the control core finds it. */
static void hand_over(const struct dp_engine *engine, struct rte_mbuf *mbuf,
	struct frame_view *view, uint64_t now_tsc) {
	view->answer.ts_ns = now_tsc; /* dp_engine_collect() makes time of it */
	if (view->answer.banner_bytes > engine->params.banner.max_bytes)
		view->answer.banner_bytes = engine->params.banner.max_bytes;
	*(struct dp_answer *)rte_mbuf_to_priv(mbuf) = view->answer;
}

/* True where the frame is an answer for the control core; else it is dealt with and can be freed. */
static bool take_frame(
	struct worker *worker, struct rte_mbuf *mbuf, uint64_t now_tsc, uint32_t clock_us) {
	const struct dp_engine *engine = worker->engine;
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	struct rx *rx = &worker->rx;
	struct frame_view view;
	enum frame_kind kind;

	kind = parse(engine, frame, mbuf->data_len, clock_us, &view);
	switch (kind) {
	case FRAME_ANSWER:
		count_answer(rx, &view);
		answer_segment(worker, frame, &view, clock_us);
		hand_over(engine, mbuf, &view, now_tsc);
		return true;
	case FRAME_CONNECTION:
		answer_segment(worker, frame, &view, clock_us);
		return false;
	case FRAME_ARP_REQUEST:
	case FRAME_ECHO_REQUEST:
		if (engine->answer_own)
			reply_to(worker, kind == FRAME_ARP_REQUEST ? REPLY_ARP : REPLY_ECHO, false,
				frame, &view, clock_us);
		else
			count(&rx->other, 1);
		return false;
	case FRAME_ARP_REPLY:
		neigh_learn(engine->neigh, view.arp.ip, view.arp.mac);
		exception_offer(engine, rx, mbuf); /* the TAP's, where it shares our address */
		return false;
	case FRAME_OWN:
		count(&rx->own, 1);
		return false;
	case FRAME_OTHER:
		if (!exception_offer(engine, rx, mbuf))
			count(&rx->other, 1);
		return false;
	case FRAME_MALFORMED:
		count(&rx->malformed, 1);
		return false;
	case FRAME_BAD_CHECKSUM:
		count(&rx->bad_checksum, 1);
		return false;
	case FRAME_REJECTED:
		count(&rx->rejected, 1);
		return false;
	}
	return false;
}

static void take_burst(struct worker *worker, struct rte_mbuf **mbuf, unsigned n) {
	uint64_t now_tsc = rte_rdtsc();
	uint32_t clock_us = engine_clock_us(worker->engine, now_tsc);
	struct rte_mbuf *answer[BURST], *rest[BURST];
	unsigned answers = 0, others = 0, taken;

	count(&worker->rx.frames, n);
	for (unsigned i = 0; i < n; i++) {
		if (take_frame(worker, mbuf[i], now_tsc, clock_us))
			answer[answers++] = mbuf[i];
		else
			rest[others++] = mbuf[i];
	}
	if (others)
		rte_pktmbuf_free_bulk(rest, others);
	if (answers == 0)
		return;
	taken = rte_ring_sp_enqueue_burst(worker->rx.answers, (void **)answer, answers, NULL);
	if (taken < answers) {
		count(&worker->rx.ring_full, answers - taken);
		rte_pktmbuf_free_bulk(&answer[taken], answers - taken);
	}
}

/* Whether the replies to a burst have somewhere to go. */
static bool reply_room(const struct worker *worker) {
	const struct rte_ring *replies = worker->rx.replies;

	return replies ? rte_ring_free_count(replies) >= BURST
		       : tx_frame_room(&worker->tx) >= BURST;
}

/* Tell the TX lcores how full the ring is. Returns whether a burst still fits. */
static bool publish_pressure(struct rx *rx) {
	unsigned level = rte_ring_count(rx->answers);
	uint8_t pressure = atomic_load_explicit(&rx->pressure, memory_order_relaxed);

	if (level > ANSWER_RING / 4 * 3)
		pressure = PRESSURE_STOP;
	else if (level > ANSWER_RING / 2)
		pressure = pressure == PRESSURE_STOP ? PRESSURE_STOP : PRESSURE_LOWER;
	else if (pressure != PRESSURE_STOP || level < ANSWER_RING / 4)
		pressure = PRESSURE_NONE;
	atomic_store_explicit(&rx->pressure, pressure, memory_order_relaxed);
	return level + BURST < ANSWER_RING;
}

bool rx_turn(struct worker *worker) {
	struct rx *rx = &worker->rx;
	bool busy = false;

	for (unsigned i = 0; i < rx->nb_queues; i++) {
		struct rte_mbuf *mbuf[BURST];
		bool room = publish_pressure(rx) && reply_room(worker);
		unsigned n;

		/* A device that waits loses nothing when it is not polled; a real one would. */
		if (!room && worker->engine->lossless)
			break;
		n = rte_eth_rx_burst(worker->engine->port, rx->queue[i], mbuf, BURST);
		if (n == 0)
			continue;
		busy = true;
		take_burst(worker, mbuf, n);
	}
	return busy;
}
