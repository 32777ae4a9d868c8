/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiving half of a packet lcore: a burst a queue and turn; each frame is parsed and
 * validated, then handed to the control core with its verdict in the buffer's private area,
 * answered, learnt from, or counted and dropped. Run by the lcore that owns the struct rx.
 */
#include "core.h"
#include "exception.h"

#include <rte_cycles.h>

enum {
	ECHO_HEADERS = ETH_BYTES + VLAN_BYTES + IPV6_BYTES,
	REPEATED_US = 900000, /* hosts wait a second before they repeat a SYN-ACK (RFC 6298 2.1) */
};

/* What a frame is answered with. */
enum reply {
	REPLY_TELL, /* our hardware address */
	REPLY_ECHO,
	REPLY_RESET,
	REPLY_HELLO,
	REPLY_ACKNOWLEDGE,
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

static unsigned write_reply(struct worker *worker, enum reply reply, const uint8_t *frame,
	const struct frame_view *view, uint8_t *out) {
	const struct scan *scan = &worker->port->scan;
	unsigned length;

	switch (reply) {
	case REPLY_TELL:
		return frame_tell(out, scan, view);
	case REPLY_ECHO:
		return frame_echo_reply(out, scan, frame, view);
	case REPLY_RESET:
		return frame_reset(out, scan, frame, view);
	case REPLY_HELLO:
		length = frame_hello(out, scan, frame, view);
		if (length)
			return length;
		/* It takes no segment as long as our hello. */
		count(&worker->rx.banner_mss, 1);
		return frame_reset(out, scan, frame, view);
	case REPLY_ACKNOWLEDGE:
		return frame_acknowledge(out, scan, frame, view);
	}
	return 0;
}

static void reply_to(struct worker *worker, enum reply reply, bool charged, const uint8_t *frame,
	const struct frame_view *view) {
	struct rte_mbuf *mbuf;
	unsigned length;

	/* Longer than a buffer: a ping of a size that nobody needs an answer to. */
	if (reply == REPLY_ECHO && view->packet.l4_bytes > REPLY_ROOM - ECHO_HEADERS) {
		count(&worker->rx.other, 1);
		return;
	}
	mbuf = rte_pktmbuf_alloc(worker->rx.reply_pool);
	if (!mbuf) {
		count(&worker->rx.reply_dropped, 1);
		return;
	}
	length = write_reply(worker, reply, frame, view, rte_pktmbuf_mtod(mbuf, uint8_t *));
	if (length == 0) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
	send_reply(worker, mbuf, charged);
}

/* What the device knows of a frame already. */
static struct frame_meta meta_of(const struct rte_mbuf *mbuf, uint32_t clock_us) {
	const uint64_t flags = mbuf->ol_flags;

	return (struct frame_meta){
		.clock_us = clock_us,
		.vlan_stripped = (flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0,
		.vlan = flags & RTE_MBUF_F_RX_VLAN_STRIPPED ? mbuf->vlan_tci & VLAN_ID : 0,
		.ip_good = (flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD,
		.l4_good = (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD,
	};
}

/* What fails as an answer to the scan may yet be one to a single probe, which has its own cookies. */
static enum frame_kind parse(const struct worker *worker, const uint8_t *frame, unsigned length,
	const struct frame_meta *meta, struct frame_view *view) {
	const struct port *port = worker->port;
	enum frame_kind kind = frame_parse(&port->scan, frame, length, meta, view);

	if (kind != FRAME_REJECTED
		|| !atomic_load_explicit(&worker->engine->single_probes, memory_order_relaxed))
		return kind;
	for (unsigned i = 0; i < SINGLE_SCANS && kind == FRAME_REJECTED; i++) {
		kind = frame_parse(&port->single[i], frame, length, meta, view);
		view->answer.kind = DP_ANSWER_PROBE;
	}
	return kind;
}

static bool is_data(enum probe_kind kind) {
	return kind == PROBE_DATA || kind == PROBE_DATA_AHEAD || kind == PROBE_DATA_END;
}

static void count_answer(struct rx *rx, const struct frame_view *view) {
	if (view->answer.kind == DP_ANSWER_PROBE) {
		count(&rx->single_answers, 1);
		return;
	}
	if (is_data(view->verdict.kind)) {
		count(&rx->banners, view->answer.banner_bytes > 0);
		return;
	}
	count(&rx->response[view->verdict.response], 1);
	if (view->answer.zero_window)
		count(&rx->zero_window, 1);
}

/*
 * Whether a SYN-ACK is most likely not the host's first: it echoes the clock of a SYN from long ago.
 * Then there is loss on the way, and our hello goes twice.
 */
static bool is_repeated(const struct dp_answer *answer) {
	return answer->rtt_us != DP_RTT_NONE && answer->rtt_us >= REPEATED_US;
}

/*
 * What a segment is owed. Without banners a half-open connection is given up at once; with them it is
 * completed, as often as the host repeats itself, and ended when it has spoken. Those replies are
 * charged to the rate; the resets of a scan alone are not, as the kernel's would not be.
 */
static void answer_segment(
	struct worker *worker, const uint8_t *frame, const struct frame_view *view) {
	const struct port *port = worker->port;
	bool banners = port->scan.env.banners && view->answer.kind != DP_ANSWER_PROBE
		&& !view->answer.zero_window;

	if (!port->reply_resets[view->packet.family])
		return;
	switch (view->verdict.kind) {
	case PROBE_OPENED:
		reply_to(worker, banners ? REPLY_HELLO : REPLY_RESET, banners, frame, view);
		if (banners && is_repeated(&view->answer))
			reply_to(worker, REPLY_HELLO, true, frame, view);
		break;
	case PROBE_DATA:
		reply_to(worker, REPLY_ACKNOWLEDGE, true, frame, view);
		break;
	case PROBE_DATA_END:
	case PROBE_FIN:
		reply_to(worker, REPLY_RESET, true, frame, view);
		break;
	default:
		break;
	}
}

/* Put the verdict where the control core finds it. */
static void hand_over(const struct dp_engine *engine, struct rte_mbuf *mbuf,
	struct frame_view *view, uint64_t now_tsc) {
	struct dp_answer *answer = &view->answer;

	answer->ts_ns = now_tsc; /* dp_engine_collect() makes time of it */
	if (!engine->params.banner.enable) {
		answer->banner = NULL;
		answer->banner_bytes = 0;
	} else if (answer->banner) {
		uint32_t max = engine->params.banner.max_bytes;
		uint32_t room = answer->banner_at < max ? max - answer->banner_at : 0;

		if (answer->banner_bytes > room)
			answer->banner_bytes = (uint16_t)room;
	}
	if (engine->type->host && answer->kind == DP_ANSWER_STATE)
		answer->port = 0;
	*(struct dp_answer *)rte_mbuf_to_priv(mbuf) = *answer;
}

/* Each response to the scan is in a capture, and each segment of a banner. */
static bool is_captured(const struct rx *rx, const struct dp_answer *answer) {
	return rx->capture
		&& (answer->kind == DP_ANSWER_STATE
			|| (answer->kind == DP_ANSWER_BANNER && answer->banner_bytes > 0));
}

/*
 * Where only targets on link are asked by ARP or ND, what a neighbour says about another is no answer,
 * although nothing in it tells.
 */
static bool was_asked(const struct port *port, const struct frame_view *view) {
	return port->on_link[view->packet.family] == NO_TEMPLATE
		|| neigh_on_link(port->neigh, view->answer.ip);
}

/* True where the frame is an answer for the control core; else it is dealt with and can be freed. */
static bool take_frame(
	struct worker *worker, struct rte_mbuf *mbuf, uint64_t now_tsc, uint32_t clock_us) {
	const struct dp_engine *engine = worker->engine;
	const struct port *port = worker->port;
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	const struct frame_meta meta = meta_of(mbuf, clock_us);
	struct rx *rx = &worker->rx;
	struct frame_view view;
	enum frame_kind kind;
	bool captured;

	view.neigh.mac = 0;
	kind = parse(worker, frame, mbuf->data_len, &meta, &view);
	switch (kind) {
	case FRAME_ANSWER:
		if (view.neigh.mac) {
			neigh_learn(port->neigh, view.neigh.ip, view.neigh.mac);
			neigh_hear(port->neigh, view.neigh.ip, view.neigh.mac);
			exception_offer(engine, rx, mbuf);
			if (!was_asked(port, &view)) {
				count(&rx->rejected, 1);
				return false;
			}
		}
		count_answer(rx, &view);
		answer_segment(worker, frame, &view);
		captured = is_captured(rx, &view.answer);
		hand_over(engine, mbuf, &view, now_tsc);
		if (captured)
			capture_frame(worker, mbuf, now_tsc);
		return true;
	case FRAME_CONNECTION:
		answer_segment(worker, frame, &view);
		return false;
	case FRAME_ARP_REQUEST:
	case FRAME_SOLICITATION:
	case FRAME_ECHO_REQUEST:
		if (port->answer_own[family_of(view.our_ip)])
			reply_to(worker, kind == FRAME_ECHO_REQUEST ? REPLY_ECHO : REPLY_TELL,
				false, frame, &view);
		else
			count(&rx->other, 1);
		return false;
	case FRAME_ARP_REPLY:
	case FRAME_ADVERTISEMENT:
		neigh_learn(port->neigh, view.neigh.ip, view.neigh.mac);
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

	/* Two a frame at the most. */
	return replies ? ring_room(replies) >= 2 * BURST : tx_frame_room(&worker->tx) >= 2 * BURST;
}

/* How full the fuller one of the rings is that this lcore fills, as if both were rings of answers. */
static unsigned fuller_level(const struct rx *rx) {
	const unsigned answers = ring_level(rx->answers);
	unsigned frames;

	if (!rx->capture)
		return answers;
	frames = (unsigned)(capture_level(rx->capture) / (CAPTURE_RING_BYTES / ANSWER_RING));
	return frames > answers ? frames : answers;
}

/* Whether the copies of a burst still fit, however long, and wherever the ring ends. */
static bool capture_has_room(const struct rx *rx) {
	return !rx->capture
		|| capture_level(rx->capture) + (BURST + 1) * CAPTURE_MAX_ENTRY
		< CAPTURE_RING_BYTES;
}

/* Tell the TX lcores how full the rings are. Returns whether a burst still fits. */
static bool publish_pressure(struct rx *rx) {
	unsigned level = fuller_level(rx);
	uint8_t pressure = atomic_load_explicit(&rx->pressure, memory_order_relaxed);

	if (level > ANSWER_RING / 4 * 3)
		pressure = PRESSURE_STOP;
	else if (level > ANSWER_RING / 2)
		pressure = pressure == PRESSURE_STOP ? PRESSURE_STOP : PRESSURE_LOWER;
	else if (pressure != PRESSURE_STOP || level < ANSWER_RING / 4)
		pressure = PRESSURE_NONE;
	atomic_store_explicit(&rx->pressure, pressure, memory_order_relaxed);
	return level + BURST < ANSWER_RING && capture_has_room(rx);
}

bool rx_turn(struct worker *worker) {
	struct rx *rx = &worker->rx;
	bool busy = false, backlog = false;

	for (unsigned i = 0; i < rx->nb_queues; i++) {
		struct rte_mbuf *mbuf[BURST];
		bool room = publish_pressure(rx) && reply_room(worker);
		unsigned n;

		/* A device that waits loses nothing when it is not polled; a real one would. */
		if (!room && worker->port->lossless) {
			backlog = true;
			break;
		}
		n = port_rx_burst(worker->port, rx->queue[i], mbuf);
		backlog |= n == BURST;
		if (n == 0)
			continue;
		busy = true;
		take_burst(worker, mbuf, n);
	}
	atomic_store_explicit(&rx->backlog, backlog, memory_order_release);
	return busy;
}
