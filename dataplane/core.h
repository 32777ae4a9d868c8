/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of an engine: what its lcores share and what each owns. Private to the DPDK half of
 * the layer.
 *
 *     engine.c  life cycle, statistics, collecting answers
 *     port.c    EAL, devices, pools, rings
 *     lcore.c   the loop of a packet lcore
 *     tx.c      neighbours first, then probes
 *     rx.c      receive, validate, hand over, reply
 *     exception.c  what is the kernel's, to and from a TAP
 *     peer_*.c  what stands in for a wire: the simulated network, and lo
 */
#ifndef CORE_H
#define CORE_H

#include "counters.h"
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
};

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
	struct rte_mempool *pool; /* probes: every buffer holds the template */
	struct rte_mempool *reply_pool;
	struct rte_ring *replies[DP_MAX_LCORES]; /* consumer: frames of RX lcores without a queue */
	unsigned nb_replies;
	struct rte_ring
		*singles; /* consumer: targets of dp_engine_probe(); NULL: another lcore's */
	bool begun; /* it has been released and has its slice */
	struct dp_slice slice; /* what is left to send */
	struct rate rate;
	uint64_t throttled_since_tsc;
	struct rte_mbuf *pending[BURST]; /* made, but not yet taken by the device */
	unsigned nb_pending, pending_at;
	struct rte_mbuf
		*frame[FRAME_QUEUE]; /* replies and ARP on their way: they go before probes */
	unsigned frame_head, frame_tail; /* free-running */
	bool refreshing; /* this lcore drives the neighbour table */

	_Atomic bool done; /* writer: this lcore, readers: control core */
	counter probes_sent, probes_unresolved, single_probes;
	counter arp_sent, throttled_tsc, reply_dropped;
	counter first_tsc, last_tsc; /* when probes went; 0: none yet */
};

/* The receiving half of a worker. */
struct rx {
	bool active;
	uint16_t queue[MAX_QUEUES];
	unsigned nb_queues;
	struct rte_ring *answers; /* producer: this lcore, consumer: control core */
	struct rte_ring *replies; /* producer: this lcore, consumer: a TX lcore; NULL: itself.
				   * The lowest bit of an entry: it is charged */
	struct rte_mempool *reply_pool;
	struct rte_ring *exceptions; /* producer: this lcore; NULL: no exception path */

	_Atomic uint8_t pressure; /* writer: this lcore, readers: TX lcores */
	counter frames, own, other, malformed, bad_checksum, rejected;
	counter kind[PROBE_KINDS];
	counter zero_window;
	counter single_answers, replies_sent, ring_full, reply_dropped;
	counter exception_dropped;
};

struct worker {
	struct dp_engine *engine;
	unsigned lcore;
	unsigned idle; /* turns in a row that found nothing to do */
	struct tx tx;
	struct rx rx;
} __rte_cache_aligned;

struct peer;

struct dp_engine {
	struct dp_params params;
	struct dp_plan plan;
	const struct probe_module *module;
	struct probe_env env;
	struct probe_env single_env; /* of single probes: the same but for the cookies */
	struct rte_ring *singles; /* producer: control core, consumer: the first TX lcore */
	struct neigh *neigh;

	/* What is sent, and in which order. Writer: control core before released; then read-only. */
	struct {
		const struct dp_space *space;
		struct dp_perm perm;
		struct dp_slice slice;
	} work;

	uint64_t tsc_hz;
	uint64_t clock_scale; /* TSC cycles to microseconds, 64 fractional bits */

	uint16_t port; /* DPDK port */
	bool port_started;
	bool lossless; /* the device waits when we do not poll, so waiting beats dropping */
	bool reply_resets; /* the kernel does not reset what we leave half open */
	bool answer_own; /* ARP and echo for our address are ours to answer */
	uint32_t arp_sender; /* 0: RFC 5227 probes, as the kernel's ARP shares the port */
	uint16_t nb_tx_queues, nb_rx_queues;
	struct rte_mempool *rx_pool[DP_MAX_LCORES];
	unsigned nb_rx_pools;
	struct ifsock ifsock;
	struct ifsock_losses losses;
	int lock_fd; /* the interface is ours alone while this is open; -1: none */
	int xdp_fd;
	unsigned ifindex; /* of an af_xdp port */

	FILE *log; /* what drivers say while they start; NULL: it goes to standard error */
	char *log_text;
	size_t log_size;

	struct worker *worker[DP_MAX_LCORES]; /* plan.nb_workers of them */
	struct exception *exception; /* NULL: none */
	struct peer *peer;
	unsigned peer_lcore;
	unsigned collect_next; /* the ring to begin with */
	struct rte_mbuf *kept[DP_MAX_LCORES * BURST]; /* whose banners were handed out */
	unsigned nb_kept;

	/* TSC to UTC, re-anchored by dp_engine_tick(); control core only. */
	uint64_t anchor_tsc, anchor_ns;
	uint64_t throttled_ns;

	_Atomic bool stop; /* writer: control core, readers: lcores */
	_Atomic bool stop_sending; /* writer: control core or a signal, readers: TX lcores */
	_Atomic bool single_probes; /* there are some; writer: control core, readers: RX lcores */
	_Atomic bool released; /* publishes work; writer: control core, readers: TX lcores */
	_Atomic int phase; /* RESOLVING, SENDING or FAILED; writer: the refreshing TX lcore */
	char failure[256]; /* written before phase becomes FAILED */
};

static inline bool engine_stopping(const struct dp_engine *engine) {
	return atomic_load_explicit(&engine->stop, memory_order_relaxed);
}

/* The 32-bit microsecond clock that probes carry. Any lcore. */
static inline uint32_t engine_clock_us(const struct dp_engine *engine, uint64_t tsc) {
	return (uint32_t)(((unsigned __int128)tsc * engine->clock_scale) >> 64);
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

/* A target in the place of a pointer, as rings carry them. */
static_assert(sizeof(void *) == sizeof(uint64_t));

static inline void *single_pack(uint32_t ip, uint16_t port) {
	return (void *)(uintptr_t)((uint64_t)ip << 16 | port);
}

static inline struct dp_target single_unpack(const void *word) {
	const uint64_t value = (uintptr_t)word;

	return (struct dp_target){.ip = (uint32_t)(value >> 16), .port = (uint16_t)value};
}

/* port.c: main thread. */
void port_hush(struct dp_engine *engine);
void port_unhush(struct dp_engine *engine);
int port_start_eal(struct dp_engine *engine, struct dp_error *err);
int port_open(struct dp_engine *engine, struct dp_error *err);
/* @size buffers with @room bytes for a frame each, as "PREFIX NUMBER". Lasts as long as EAL. */
int port_new_pool(struct rte_mempool **pool, const char *prefix, unsigned number, unsigned size,
	unsigned room, struct dp_error *err);
void port_close(struct dp_engine *engine);

/* tx.c: each returns true where it did something. */
void tx_prepare_pool(struct dp_engine *engine, struct rte_mempool *pool);
bool tx_turn(struct worker *worker, uint64_t now_tsc);
/* Queue one frame that is no probe, or drop and count it where there is no room. Transfers it. */
void tx_frame(struct tx *tx, struct rte_mbuf *mbuf);
/* The same for a reply that takes a probe's token of the rate. */
void tx_charged_frame(struct tx *tx, struct rte_mbuf *mbuf);
unsigned tx_frame_room(const struct tx *tx);
void tx_finish(struct worker *worker);
/* Cycles until this lcore has something to send by itself; 0: now. */
uint64_t tx_wait_tsc(const struct worker *worker);

/* rx.c */
bool rx_turn(struct worker *worker);

/* lcore.c: entry points for rte_eal_remote_launch(). */
int lcore_main(void *worker);
/* One idle turn: spin, yield or sleep, whatever the core's company allows. */
void lcore_idle(const struct dp_engine *engine, unsigned *idle, uint64_t wait_tsc);

/*
 * Peers stand behind a net_ring port: they take what TX queues send and feed RX queues. A peer owns
 * one lcore, or shares the control core's.
 */
struct peer_type {
	int (*create)(struct dp_engine *engine, struct peer **peer, struct dp_error *err);
	int (*lcore)(void *peer);
	void (*destroy)(struct peer *peer);
	void (*stats)(const struct peer *peer, struct dp_stats *stats);
};

/* What every peer has, and begins with. */
struct peer {
	const struct peer_type *type;
	struct dp_engine *engine;
	struct rte_ring *from_tx[DP_MAX_LCORES]; /* consumer: the peer; one a TX queue */
	struct rte_ring *to_rx[DP_MAX_LCORES]; /* producer: the peer; one an RX queue */
	unsigned nb_from_tx, nb_to_rx;
	struct rte_mempool *pool; /* of what it feeds in; consumers free into it */
};

extern const struct peer_type peer_sim;
extern const struct peer_type peer_lo;

#endif
