/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of an engine: what its lcores share and what each owns. Private to the DPDK half of
 * the layer.
 *
 *     engine.c  life cycle, statistics, collecting answers
 *     port.c    EAL, devices, pools, rings
 *     lcore.c   the loop of a packet lcore
 *     link.c    links that go down and come up again
 *     tx.c      neighbours first, then probes
 *     probes.c  a burst of probes, from the order to frames
 *     rx.c      receive, validate, hand over, reply
 *     capture_read.c  frames for captures
 *     exception.c  what is the kernel's, to and from a TAP
 *     peer_*.c  what stands in for a wire: the simulated network, and lo
 */
#ifndef CORE_H
#define CORE_H

#include "book.h"
#include "capture.h"
#include "counters.h"
#include "handover.h"
#include "ifsock.h"
#include "neigh.h"
#include "parse.h"
#include "plan.h"
#include "rate.h"
#include "xdp.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <pthread.h>

enum {
	MAX_QUEUES = 64,
	FRAME_QUEUE = 256, /* a power of two */
	MAX_TEMPLATES = FAMILIES * (PROBE_MAX_STEPS + 1),
	NO_TEMPLATE = -1, /* nothing is sent to this pair at this pass */
	SINGLE_TCP = 0, /* scans of single probes */
	SINGLE_UDP,
	SINGLE_SCANS,
	LINK_NOTES = 12,
};

/* A kind of frame that a port's TX lcores send, with a pool of prepared ones each. */
struct template {
	const struct probe_module *module;
	enum family family;
	uint16_t step_port; /* instead of the target's; 0: the target's */
	unsigned frame_bytes; /* of the longest, at least ETH_MIN_FRAME */
	struct probe_sums sums;
};

/* A target of dp_engine_probe(), as an element of a ring. */
struct single {
	dp_ip ip;
	uint16_t port;
	uint8_t scan; /* SINGLE_TCP, SINGLE_UDP */
};

static_assert(sizeof(struct single) % 4 == 0);

/* How full an RX lcore's ring is. */
enum pressure {
	PRESSURE_NONE,
	PRESSURE_LOWER, /* over half: the rate is lowered */
	PRESSURE_STOP, /* over three quarters: nothing is sent until it has drained */
};

/* The sending half of a worker. Only its lcore touches it, but for the counters. */
struct tx {
	bool active;
	uint16_t queue;
	struct rte_mempool
		*pool[MAX_TEMPLATES]; /* probes: every buffer holds the port's template */
	struct rte_mempool *reply_pool;
	struct rte_ring *replies[DP_MAX_LCORES]; /* consumer: frames of RX lcores without a queue */
	unsigned nb_replies;
	struct rte_ring
		*singles; /* consumer: struct single of dp_engine_probe(); NULL: another lcore's */
	unsigned number; /* among the engine's TX lcores */
	bool begun; /* it has been released and has its pieces */
	const struct dp_pieces *pieces; /* its part of the order, walked once a pass */
	unsigned piece; /* the next one to walk in this pass */
	dp_u128 next, end; /* what is left of the current one in this pass */
	unsigned pass;
	bool moved; /* something was walked since the transmission of pairs began */
	uint64_t made; /* steps of the walk whose probes were made */
	bool resting; /* the next transmission of the pairs begins at repeat_tsc */
	uint64_t repeat_tsc; /* transmissions of a pair keep a distance */
	struct rate rate;
	double pps; /* of all lcores together, as this one last saw it */
	uint64_t throttled_since_tsc;
	struct rte_mbuf *pending[BURST]; /* made, but not yet taken by the device */
	unsigned nb_pending, pending_at;
	struct rte_mbuf
		*frame[FRAME_QUEUE]; /* replies and ARP on their way: they go before probes */
	unsigned frame_head, frame_tail; /* free-running */
	bool refreshing; /* this lcore drives the neighbour table */
	/* Its own: what the port had sent at the latest question for gateways, and at the latest that
	 * they answered from where they were; how often they have moved. */
	uint64_t asked_sent, confirmed_sent, gateway_moves;

	_Atomic bool done; /* writer: this lcore, readers: control core */
	counter probes_sent, probe_bytes, probes_unresolved, probes_excluded, single_probes;
	counter arp_sent, throttled_tsc, reply_dropped;
	counter misdirected; /* probes that went to where a gateway had been, at the most */
	counter first_tsc, last_tsc; /* when probes went; 0: none yet */
	counter steps; /* of the walk that are over: their probes were taken by the device */
};

/* The receiving half of a worker. */
struct rx {
	bool active;
	uint16_t queue[MAX_QUEUES];
	unsigned nb_queues;
	struct rte_ring *answers; /* producer: this lcore, consumer: control core */
	uint64_t taken,
		mark; /* answers out of it, and as many as that have to be: control core's */
	struct rte_ring *replies; /* producer: this lcore, consumer: a TX lcore; NULL: itself.
				   * The lowest bit of an entry: it is charged */
	struct rte_mempool *reply_pool;
	struct rte_ring *exceptions; /* producer: this lcore; NULL: no exception path */
	struct capture_ring *capture; /* likewise, consumer: the writer; NULL: no captures */

	_Atomic uint8_t pressure; /* writer: this lcore, readers: TX lcores */
	_Atomic bool backlog; /* more waits in the device than was taken; likewise */
	counter frames, own, other, malformed, bad_checksum, rejected;
	counter response[DP_RESPONSE_COUNT];
	counter banners, banner_mss, zero_window;
	counter single_answers, replies_sent, ring_full, reply_dropped;
	counter exception_dropped, capture_full;
};

/* How long a loop has found nothing to do. */
struct idle {
	unsigned turns;
	uint64_t since_tsc; /* of the first of them */
};

struct worker {
	struct dp_engine *engine;
	struct port *port;
	unsigned lcore;
	struct idle idle;
	struct tx tx;
	struct rx rx;
} __rte_cache_aligned;

/* What was sent by when. */
struct link_note {
	uint64_t ms; /* monotonic */
	uint64_t sent;
};

/* What the control core knows of a port's link. */
struct link_watch {
	struct link_note note[LINK_NOTES]; /* a ring of @nb from @first on, the oldest first */
	unsigned first, nb;
	int fd; /* to ask the kernel by; -1: none */
	uint64_t up_ms; /* when it was last seen up */
	/* Probes that went, at the most, so shortly before an outage that it took them, or in it. */
	uint64_t lost;
	uint64_t before, lost_before; /* of an outage: what was sent before those, and @lost then */
};

struct peer;

/* One device, with the lcores that serve it. */
struct port {
	struct dp_engine *engine;
	unsigned number; /* among the engine's */
	struct dp_port_plan *plan;
	struct scan scan;
	struct scan single[SINGLE_SCANS]; /* the same but for types and cookies */
	struct neigh *neigh;

	/* What it sends. The pools of its TX lcores follow. */
	struct template template[MAX_TEMPLATES];
	unsigned nb_templates;
	int8_t step[FAMILIES][PROBE_MAX_STEPS]; /* places in template, or NO_TEMPLATE */
	int8_t on_link[FAMILIES];

	uint16_t id; /* DPDK's */
	bool started;
	bool lossless; /* the device waits when we do not poll, so waiting beats dropping */
	bool reply_resets[FAMILIES]; /* the kernel does not reset what we leave half open */
	bool answer_own[FAMILIES]; /* ARP, ND and echo for our addresses are ours to answer */
	dp_ip asker
		[FAMILIES]; /* whom our questions come from; 0: nobody, as the kernel's share the port */
	uint16_t nb_tx_queues, nb_rx_queues;
	uint64_t tx_offloads; /* of buffers that hold TCP or UDP: RTE_ETH_TX_OFFLOAD_* in use */
	struct rte_mempool *rx_pool[DP_MAX_LCORES];
	unsigned nb_rx_pools;
	struct ifsock ifsock;
	struct ifsock_losses losses;
	struct link_watch link;
	_Atomic bool
		link_down; /* nothing leaves or comes; writer: control core, readers: TX lcores */
	int lock_fd; /* the interface is ours alone while this is open; -1: none */
	int xdp_fd;
	unsigned ifindex; /* of an af_xdp port */
	struct xdp_program program; /* that the driver attached there */

	struct worker *worker[DP_MAX_LCORES]; /* plan->nb_workers of the engine's */
	struct peer *peer;
	unsigned peer_lcore;
	bool resolved; /* its refreshing TX lcore's own: next hops are known */
};

struct dp_engine {
	struct dp_params params;
	struct dp_plan plan;
	const struct probe_type *type;
	struct payload_book *book;
	unsigned variants; /* passes of one repeat: probe_passes_max() */
	struct port port[DP_MAX_PORTS]; /* plan.nb_ports of them */
	struct rte_ring *singles; /* producer: control core, consumer: the first TX lcore */

	/* What is sent, and in which order. Writer: control core before released; then read-only. */
	struct {
		const struct dp_space *space;
		struct dp_perm perm;
		struct dp_slice slice;
		const struct dp_pieces *left; /* until shared; NULL: all of the slice */
		struct dp_pieces share[DP_MAX_LCORES]; /* of each TX lcore */
	} work;

	uint64_t tsc_hz;
	uint64_t clock_scale; /* TSC cycles to microseconds, 64 fractional bits */

	FILE *log; /* what drivers say while they start; NULL: it goes to standard error */
	char *log_text;
	size_t log_size;

	struct worker *worker[DP_MAX_LCORES]; /* plan.nb_workers of them, port after port */
	struct exception *exception; /* NULL: none */
	unsigned collect_next; /* the ring to begin with */
	struct rte_mbuf *kept[DP_MAX_LCORES * BURST]; /* whose banners were handed out */
	unsigned nb_kept;

	/* TSC to UTC, re-anchored by dp_engine_tick(); control core only. */
	uint64_t anchor_tsc, anchor_ns;
	/* The same of who calls dp_engine_capture(); 0: not yet. */
	uint64_t capture_anchor_tsc, capture_anchor_ns;

	_Atomic bool stop; /* writer: control core, readers: lcores */
	_Atomic bool stop_sending; /* writer: control core or a signal, readers: TX lcores */
	/* Probes a second of all TX lcores together, 0: unlimited. Writer: control core, readers: lcores. */
	_Atomic double rate_pps;
	_Atomic bool paused; /* no probes for now; writer: control core, readers: TX lcores */
	_Atomic bool single_probes; /* there are some; writer: control core, readers: RX lcores */
	_Atomic bool released; /* publishes work; writer: control core, readers: TX lcores */
	/* Never to probe, beyond what the space leaves out; NULL: none. Writer: control core. */
	const struct dp_ipset *_Atomic excluded;
	_Atomic unsigned resolved_ports; /* writers: refreshing TX lcores */
	_Atomic int phase; /* RESOLVING, SENDING or FAILED; writers: refreshing TX lcores */
	char failure[256]; /* written before phase becomes FAILED, by who does it */
	_Atomic bool failing; /* somebody writes failure */
};

static_assert(__atomic_always_lock_free(sizeof(double), 0));

static inline double engine_rate(const struct dp_engine *engine) {
	return atomic_load_explicit(&engine->rate_pps, memory_order_relaxed);
}

static inline bool engine_paused(const struct dp_engine *engine) {
	return atomic_load_explicit(&engine->paused, memory_order_relaxed);
}

static inline bool engine_stopping(const struct dp_engine *engine) {
	return atomic_load_explicit(&engine->stop, memory_order_relaxed);
}

/* The 32-bit microsecond clock that probes carry. Any lcore. */
static inline uint32_t engine_clock_us(const struct dp_engine *engine, uint64_t tsc) {
	return (uint32_t)(((unsigned __int128)tsc * engine->clock_scale) >> 64);
}

/*
 * How full a ring is, asked from any thread: a hint, as both ends go on. rte_ring_count() reads plain
 * words, which C11 calls a race.
 */
static inline unsigned ring_level(const struct rte_ring *ring) {
	const uint32_t put = __atomic_load_n(&ring->prod.tail, __ATOMIC_RELAXED);
	const uint32_t taken = __atomic_load_n(&ring->cons.tail, __ATOMIC_RELAXED);
	const uint32_t level = (put - taken) & ring->mask;

	return level < ring->capacity ? level : ring->capacity;
}

static inline unsigned ring_room(const struct rte_ring *ring) {
	return ring->capacity - ring_level(ring);
}

/* A reply that is charged, as an entry of a ring, and back: buffers are aligned. */
static inline void *reply_charged(struct rte_mbuf *mbuf) {
	return (void *)((uintptr_t)mbuf | 1);
}

static inline bool reply_is_charged(const void *entry) {
	return (uintptr_t)entry & 1;
}

static inline struct rte_mbuf *reply_mbuf(void *entry) {
	return (struct rte_mbuf *)((uintptr_t)entry & ~(uintptr_t)1);
}

/* Probes that left by a port. Any thread. */
static inline uint64_t port_probes_sent(const struct port *port) {
	uint64_t sent = 0;

	for (unsigned i = 0; i < port->plan->nb_workers; i++)
		sent += counted(&port->worker[i]->tx.probes_sent);
	return sent;
}

/* port.c: main thread. */
void port_hush(struct dp_engine *engine);
void port_unhush(struct dp_engine *engine);
int port_start_eal(struct dp_engine *engine, struct dp_error *err);
int port_open(struct port *port, struct dp_error *err);
/* @size buffers with @room bytes for a frame each, as "PREFIX NUMBER". Lasts as long as EAL. */
int port_new_pool(struct rte_mempool **pool, const char *prefix, unsigned number, unsigned size,
	unsigned room, struct dp_error *err);
void port_close(struct port *port);
/* What it needs from port_open() to port_close(), as bits of 1 << CAP_*. */
uint64_t port_capabilities(const struct port *port);
void port_read_losses(struct port *port);

/* link.c: control core */
void link_open(struct port *port);
void link_tick(struct port *port);
void link_close(struct port *port);

/* workers.c: main thread, after all ports were opened. */
int workers_create(struct dp_engine *engine, struct dp_error *err);

/* probes.c */
void probes_plan(struct port *port);
void probes_prepare_pool(const struct port *port, unsigned template, struct rte_mempool *pool);
/*
 * Make the next @n probes of the current piece as pending; false where a pool is empty for now, and nothing
 * was done. *@spared: of them not sent for other reasons, counted.
 */
bool probes_make(struct worker *worker, unsigned n, uint64_t now_tsc, unsigned *spared);
/* Make one single probe; NULL where there is no buffer now, or (*@unresolved) no way to the target. */
struct rte_mbuf *probes_make_single(
	struct worker *worker, const struct single *single, uint64_t now_tsc, bool *unresolved);

/* tx.c: each returns true where it did something. */
bool tx_turn(struct worker *worker, uint64_t now_tsc);
/* Queue one frame that is no probe, or drop and count it where there is no room. Transfers it. */
void tx_frame(struct tx *tx, struct rte_mbuf *mbuf);
/* The same for a reply that takes a probe's token of the rate. */
void tx_charged_frame(struct tx *tx, struct rte_mbuf *mbuf);
unsigned tx_frame_room(const struct tx *tx);
void tx_finish(struct worker *worker);
/* Cycles until this lcore has something to send by itself; 0: now. */
uint64_t tx_wait_tsc(const struct worker *worker);

/* capture_read.c: a copy of a frame with its verdict, where captures are wanted. RX lcore. */
void capture_frame(struct worker *worker, const struct rte_mbuf *mbuf, uint64_t now_tsc);

/* rx.c */
bool rx_turn(struct worker *worker);

/* lcore.c: entry points for rte_eal_remote_launch(). */
int lcore_main(void *worker);

/* What each does first, peers too: its stack is no part of a dump, and its naps are as long as they say. */
void lcore_begin(void);

/*
 * One idle turn: spin, yield or sleep, whatever the core's company allows, with nothing to do for
 * @wait_tsc unless a frame comes. @alone: the lcore is the only one that sends and that receives.
 */
void lcore_idle(const struct dp_engine *engine, struct idle *idle, uint64_t wait_tsc, bool alone);

/*
 * Peers stand behind a net_ring port: they take what TX queues send and feed RX queues. A peer owns
 * one lcore, or shares the control core's.
 */
struct peer_type {
	int (*create)(struct port *port, struct peer **peer, struct dp_error *err);
	int (*lcore)(void *peer);
	void (*destroy)(struct peer *peer);
	void (*stats)(const struct peer *peer, struct dp_stats *stats);
};

/* What every peer has, and begins with. */
struct peer {
	const struct peer_type *type;
	struct dp_engine *engine;
	struct port *port;
	struct rte_ring *from_tx[DP_MAX_LCORES]; /* consumer: the peer; one a TX queue */
	struct rte_ring *to_rx[DP_MAX_LCORES]; /* producer: the peer; one an RX queue */
	unsigned nb_from_tx, nb_to_rx;
	struct rte_mempool *pool; /* of what it feeds in; consumers free into it */
};

/*
 * The device's bursts. Behind a net_ring port they end in a ring of DPDK's library, whose other end is a
 * peer's: see handover.h.
 */
static inline unsigned port_tx_burst(
	const struct port *port, uint16_t queue, struct rte_mbuf **mbuf, unsigned n) {
	handover_give_all(mbuf, n);
	return rte_eth_tx_burst(port->id, queue, mbuf, (uint16_t)n);
}

static inline unsigned port_rx_burst(
	const struct port *port, uint16_t queue, struct rte_mbuf **mbuf) {
	unsigned n = rte_eth_rx_burst(port->id, queue, mbuf, BURST);

	handover_take_all(mbuf, n);
	return n;
}

/* The peer's side of the same. */
static inline unsigned peer_take(struct rte_ring *from_tx, struct rte_mbuf **mbuf) {
	unsigned n = rte_ring_sc_dequeue_burst(from_tx, (void **)mbuf, BURST, NULL);

	handover_take_all(mbuf, n);
	return n;
}

static inline unsigned peer_feed(struct rte_ring *to_rx, struct rte_mbuf **mbuf, unsigned n) {
	handover_give_all(mbuf, n);
	return rte_ring_sp_enqueue_burst(to_rx, (void **)mbuf, n, NULL);
}

extern const struct peer_type peer_sim;
extern const struct peer_type peer_lo;

#endif
