/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread between rings and TAP. It is a control thread of EAL's: on the CPUs that packet lcores
 * leave, where there are such. It owns its pool's allocating side, the TAP's descriptor while it runs,
 * the consumer side of the rings that RX lcores fill, and the producer side of the one to a TX lcore.
 */
#include "exception.h"
#include "exception_frame.h"
#include "tap.h"

#include <rte_cycles.h>
#include <rte_lcore.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
	RING = 512, /* frames each way; at the usual cap a twentieth of a second */
	SHORT_WAIT_NS = 50 * 1000,
	SHORT_WAITS = 1000, /* after the last frame, before an idle thread looks up rarely */
	LONG_WAIT_NS = 1000 * 1000,
};

struct exception {
	struct dp_engine *engine;
	dp_ip ip;
	unsigned number;
	int tap;
	pthread_t thread;
	bool running;
	struct rte_ring *from_rx[DP_MAX_LCORES]; /* consumer: the thread */
	unsigned nb_from_rx, next;
	struct rte_ring *to_tx; /* producer: the thread */
	struct rte_mempool *pool;
	struct rte_mbuf *spare; /* to read into */
	struct rate inwards, outwards;
	unsigned idle;

	_Atomic bool stop; // writer: main thread, reader: the thread
	counter rx, tx, dropped, ignored; // writer: the thread
};

/* Whether the frame is of the port's VLAN and for the address; the tag may be beside it. */
static bool arrives(const struct dp_engine *engine, const struct rte_mbuf *mbuf) {
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint16_t vlan = engine->port[0].scan.vlan;
	int tag_bytes;

	if (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		if ((mbuf->vlan_tci & VLAN_ID) != vlan)
			return false;
		vlan = 0;
	}
	tag_bytes = exception_frame_tag_bytes(frame, mbuf->data_len, vlan);
	return tag_bytes >= 0
		&& exception_frame_arrives(frame + tag_bytes, mbuf->data_len - (unsigned)tag_bytes,
			engine->plan.exception.ip);
}

bool exception_offer(const struct dp_engine *engine, struct rx *rx, struct rte_mbuf *mbuf) {
	if (!rx->exceptions || mbuf->nb_segs != 1 || !arrives(engine, mbuf))
		return false;
	rte_mbuf_refcnt_update(mbuf, 1);
	if (rte_ring_sp_enqueue(rx->exceptions, mbuf)) {
		rte_mbuf_refcnt_update(mbuf, -1);
		count(&rx->exception_dropped, 1);
	}
	return true;
}

static void write_frame(struct exception *x, struct rte_mbuf *mbuf) {
	unsigned length = mbuf->data_len;
	uint8_t *frame = exception_frame_untag(rte_pktmbuf_mtod(mbuf, uint8_t *), &length);
	ssize_t n;

	exception_frame_complete(frame, length);
	do
		n = write(x->tap, frame, length);
	while (n < 0 && errno == EINTR);
	/* Somebody set the interface down, or the kernel is out of memory. */
	count(n < 0 ? &x->dropped : &x->rx, 1);
}

/* From one of the rings to the TAP; true where there was something. */
static bool move_inwards(struct exception *x, struct rte_ring *ring, uint64_t now_tsc) {
	struct rte_mbuf *mbuf[BURST];
	unsigned allowed = rate_take(&x->inwards, now_tsc, BURST), n;

	n = rte_ring_sc_dequeue_burst(ring, (void **)mbuf, allowed, NULL);
	rate_refund(&x->inwards, allowed - n);
	for (unsigned i = 0; i < n; i++)
		write_frame(x, mbuf[i]);
	if (n)
		rte_pktmbuf_free_bulk(mbuf, n);
	return n > 0;
}

/* The length of the next frame of the TAP's, in the spare buffer behind room for a tag; 0: none now. */
static unsigned read_frame(struct exception *x) {
	ssize_t n;

	if (!x->spare)
		x->spare = rte_pktmbuf_alloc(x->pool);
	if (!x->spare)
		return 0;
	do
		n = read(x->tap, rte_pktmbuf_mtod_offset(x->spare, void *, VLAN_BYTES),
			REPLY_ROOM - VLAN_BYTES);
	while (n < 0 && errno == EINTR);
	return n > 0 ? (unsigned)n : 0;
}

static void send_spare(struct exception *x, unsigned length) {
	uint8_t *frame = rte_pktmbuf_mtod(x->spare, uint8_t *);

	length = exception_frame_tag(frame, length, x->engine->port[0].scan.vlan);
	/* Padding is ours to clear: what the buffer held before is nobody's business. */
	if (length < ETH_MIN_FRAME) {
		memset(frame + length, 0, ETH_MIN_FRAME - length);
		length = ETH_MIN_FRAME;
	}
	x->spare->data_len = (uint16_t)length;
	x->spare->pkt_len = length;
	if (rte_ring_sp_enqueue(x->to_tx, x->spare)) {
		count(&x->dropped, 1);
		return;
	}
	x->spare = NULL;
	count(&x->tx, 1);
}

/* From the TAP to the TX lcore. What exceeds rate or room is not read, so that the kernel holds it. */
static bool move_outwards(struct exception *x, uint64_t now_tsc) {
	unsigned room = ring_room(x->to_tx), n = 0, length;
	unsigned allowed = rate_take(&x->outwards, now_tsc, room < BURST ? room : BURST);

	while (n < allowed && (length = read_frame(x)) > 0) {
		const uint8_t *frame
			= rte_pktmbuf_mtod_offset(x->spare, const uint8_t *, VLAN_BYTES);

		n++;
		if (exception_frame_leaves(frame, length, x->ip))
			send_spare(x, length);
		else
			count(&x->ignored, 1);
	}
	rate_refund(&x->outwards, allowed - n);
	return n > 0;
}

/* Wait for the TAP, or for the time to look at the rings again: lcores make no call to wake us. */
static void rest(struct exception *x) {
	const struct timespec wait
		= {.tv_nsec = x->idle++ < SHORT_WAITS ? SHORT_WAIT_NS : LONG_WAIT_NS};
	bool ready = rate_wait_tsc(&x->outwards) == 0 && ring_room(x->to_tx) > 0;
	struct pollfd tap = {.fd = ready ? x->tap : -1, .events = POLLIN};

	/* A TAP that was deleted is always ready. */
	if (ppoll(&tap, 1, &wait, NULL) > 0 && tap.revents & ~POLLIN)
		nanosleep(&wait, NULL);
}

static void *exception_main(void *arg) {
	struct exception *x = arg;

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	while (!atomic_load_explicit(&x->stop, memory_order_relaxed)) {
		uint64_t now_tsc = rte_rdtsc();
		bool busy = move_outwards(x, now_tsc);

		for (unsigned i = 0; i < x->nb_from_rx; i++)
			busy |= move_inwards(x, x->from_rx[(x->next + i) % x->nb_from_rx], now_tsc);
		x->next = (x->next + 1) % x->nb_from_rx;
		if (busy)
			x->idle = 0;
		else
			rest(x);
	}
	return NULL;
}

static struct rte_ring *new_ring(const char *prefix, unsigned number) {
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", prefix, number);
	return rte_ring_create(name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

/* The first TX lcore sends for us, as it does for RX lcores without a queue. */
static int tie_rings(struct exception *x, struct dp_error *err) {
	struct dp_engine *engine = x->engine;
	struct tx *tx = &engine->port[0].worker[0]->tx;

	x->to_tx = new_ring("exception_tx", 0);
	if (!x->to_tx || tx->nb_replies == DP_MAX_LCORES)
		return dp_fail(err, false, -ENOMEM, "no memory for the rings of plugin sockets");
	tx->replies[tx->nb_replies++] = x->to_tx;
	for (unsigned i = 0; i < engine->port[0].plan->nb_workers; i++) {
		struct rx *rx = &engine->port[0].worker[i]->rx;

		if (!rx->active)
			continue;
		rx->exceptions = x->from_rx[x->nb_from_rx] = new_ring("exception_rx", i);
		if (!rx->exceptions)
			return dp_fail(
				err, false, -ENOMEM, "no memory for the rings of plugin sockets");
		x->nb_from_rx++;
	}
	return port_new_pool(&x->pool, "exception", 0, EXCEPTION_POOL, REPLY_ROOM, err);
}

static uint64_t plan_gateway_mac(const struct dp_port_plan *plan) {
	return plan->has_gateway_mac ? mac_get(plan->gateway_mac) : 0;
}

static int open_tap(struct exception *x, struct dp_error *err) {
	const struct dp_plan *plan = &x->engine->plan;
	const struct port *port = &x->engine->port[0];
	struct tap_params params = {
		.number = plan->exception.number,
		.mac = port->scan.env.source_mac,
		.mtu = plan->exception.mtu,
		.ip = plan->exception.ip,
		.onlink = port->plan->v4.onlink,
		.nb_onlink = port->plan->v4.nb_onlink,
		.gateway_ip = port->plan->v4.gateway,
		.gateway_mac = plan_gateway_mac(port->plan),
	};
	uint16_t mtu;

	if (rte_eth_dev_get_mtu(port->id, &mtu) == 0 && mtu < params.mtu)
		params.mtu = mtu;
	x->tap = tap_open(&params, err);
	return x->tap < 0 ? x->tap : 0;
}

int exception_create(struct dp_engine *engine, struct dp_error *err) {
	const struct dp_plan *plan = &engine->plan;
	struct exception *x = calloc(1, sizeof(*x));
	int rc;

	if (!x)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	engine->exception = x; /* dp_engine_destroy() ends it, however far it came */
	x->engine = engine;
	x->ip = plan->exception.ip;
	x->number = plan->exception.number;
	x->tap = -1;
	rate_init(&x->inwards, plan->exception.max_pps, engine->tsc_hz, rte_rdtsc());
	rate_init(&x->outwards, plan->exception.max_pps, engine->tsc_hz, rte_rdtsc());
	rc = tie_rings(x, err);
	if (rc == 0)
		rc = open_tap(x, err);
	if (rc)
		return rc;
	rc = rte_ctrl_thread_create(&x->thread, "exception", NULL, exception_main, x);
	if (rc)
		return dp_fail(err, false, rc, "cannot start the thread of plugin sockets: %s",
			strerror(-rc));
	x->running = true;
	return 0;
}

void exception_stop(struct exception *x) {
	if (!x || !x->running)
		return;
	atomic_store_explicit(&x->stop, true, memory_order_relaxed);
	pthread_join(x->thread, NULL);
	x->running = false;
}

void exception_destroy(struct exception *x) {
	if (!x)
		return;
	exception_stop(x);
	if (x->tap >= 0)
		tap_close(x->tap, x->number);
	free(x);
}

void exception_stats(const struct exception *x, struct dp_stats *stats) {
	if (!x)
		return;
	stats->exception_rx += counted(&x->rx);
	stats->exception_tx += counted(&x->tx);
	stats->exception_dropped += counted(&x->dropped);
	stats->exception_ignored += counted(&x->ignored);
}
