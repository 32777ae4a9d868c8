/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What crosses between lcores: the rings with buffers in them, the exclusions that are replaced while
 * probes go, and the release of held ones.
 *
 * The rings are made as workers.c, port.c and exception.c make theirs, with indices that start just
 * below 2^32; threads that EAL knows stand for the lcores. One engine, on a device that swallows all,
 * gives EAL its life.
 */
#include "core.h"
#include "stress.h"

#include <rte_cycles.h>
#include <rte_lcore.h>

enum {
	POOL = 16383, /* more than any ring here holds */
	BATCH = 256,
	PAIRS_A_HOST = 16,
	SWAPS_MAX = 100000,
};

#define FIRST_IP dp_ip_v4(0xc6120000) /* 198.18.0.0 */

_Noreturn static void die(const char *what) {
	printf("Bail out! %s\n", what);
	exit(1);
}

/* A thread that stands for an lcore: EAL gives it an id, and with it caches of the pools. */
static void become_lcore(void) {
	if (rte_thread_register() < 0)
		die("rte_thread_register");
}

static struct rte_ring *new_ring(const char *name, unsigned element_bytes, unsigned size) {
	struct rte_ring *ring = rte_ring_create_elem(
		name, element_bytes, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

	if (!ring)
		die("no memory for a ring");
	ring->prod.head = ring->prod.tail = ring->cons.head = ring->cons.tail
		= UINT32_MAX - size - 5;
	return ring;
}

struct way {
	struct rte_ring *ring, *second;
	struct rte_mempool *pool;
	struct worker *worker; /* whose answers these are */
	unsigned number;
	uint64_t items;
	struct stress_end producer, consumer;
	uint64_t got, wrong;
};

static void start(pthread_t *thread, void *(*role)(void *), void *arg) {
	if (pthread_create(thread, NULL, role, arg))
		die("no thread");
}

/* Take @n buffers; the other side may have them all for a while. */
static void take_buffers(struct way *way, struct rte_mbuf **mbuf, unsigned n) {
	while (rte_pktmbuf_alloc_bulk(way->pool, mbuf, n))
		stress_refused(&way->producer);
}

static bool pool_is_whole(const struct rte_mempool *pool) {
	return rte_mempool_avail_count(pool) == pool->size;
}

/* ---- Answers: RX lcores to the control core, by dp_engine_collect() ---- */

static struct dp_answer answer_at(uint64_t i, unsigned worker) {
	const uint64_t mixed = stress_mix(i);

	return (struct dp_answer){.ip = (dp_ip)mixed << 64 | i,
		.rtt_us = (uint32_t)mixed,
		.port = (uint16_t)(mixed >> 32),
		.ttl = (uint8_t)(mixed >> 48),
		.reason = (uint8_t)worker};
}

static void *give_answers(void *arg) {
	struct way *way = arg;
	struct rte_mbuf *mbuf[BURST];

	become_lcore();
	for (uint64_t made = 0; made < way->items;) {
		unsigned n = stress_batch(&way->producer, BURST), put = 0;

		n = n < way->items - made ? n : (unsigned)(way->items - made);
		take_buffers(way, mbuf, n);
		for (unsigned i = 0; i < n; i++)
			*(struct dp_answer *)rte_mbuf_to_priv(mbuf[i])
				= answer_at(made + i, way->number);
		while (put < n) {
			const unsigned took = rte_ring_sp_enqueue_burst(
				way->ring, (void **)&mbuf[put], n - put, NULL);

			put += took;
			if (!took)
				stress_refused(&way->producer);
		}
		made += n;
		stress_pause(&way->producer);
	}
	rte_thread_unregister();
	return NULL;
}

static void answers(struct stress_tap *tap, struct dp_engine *real, struct rte_mempool *pool) {
	static struct dp_engine engine;
	struct worker *worker = aligned_alloc(64, 2 * sizeof(*worker));
	struct way way[2] = {0};
	struct dp_answer answer[BATCH];
	struct stress_end consumer = {.dice = 3};
	uint64_t got = 0, wrong = 0, items = stress_items();
	const double began_s = stress_now_s();
	pthread_t thread[2];

	memset(worker, 0, 2 * sizeof(*worker));
	engine.tsc_hz = real->tsc_hz;
	engine.plan.nb_workers = 2;
	for (unsigned i = 0; i < 2; i++) {
		worker[i].rx.active = true;
		worker[i].rx.answers = new_ring(
			i ? "s_answers1" : "s_answers0", sizeof(void *), ANSWER_RING / 4);
		engine.worker[i] = &worker[i];
		way[i] = (struct way){.ring = worker[i].rx.answers,
			.pool = pool,
			.number = i,
			.items = items / 2,
			.producer.dice = i};
		start(&thread[i], give_answers, &way[i]);
	}
	while (got < items / 2 * 2) {
		const unsigned n = dp_engine_collect(&engine, answer, BATCH);

		for (unsigned i = 0; i < n; i++) {
			struct way *from = &way[answer[i].reason & 1];
			const struct dp_answer want = answer_at(from->got++, from->number);

			wrong += answer[i].ip != want.ip || answer[i].rtt_us != want.rtt_us
				|| answer[i].port != want.port || answer[i].ttl != want.ttl
				|| answer[i].reason != want.reason;
		}
		got += n;
		if (n == 0)
			stress_refused(&consumer);
		stress_pause(&consumer);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	stress_rate("answers", got, stress_now_s() - began_s);
	stress_ok(tap, wrong == 0 && way[0].got == items / 2 && way[1].got == items / 2,
		"answers of two RX lcores: all came, those of each in order and whole");
	stress_edges(tap, "answers", &way[0].producer, &consumer);
	stress_ok(tap, pool_is_whole(pool), "answers: every buffer is back");
	free(worker);
}

/* ---- Replies and frames of the exception path ---- */

static void write_number(struct rte_mbuf *mbuf, uint64_t i) {
	uint64_t *word = rte_pktmbuf_mtod(mbuf, uint64_t *);

	word[0] = i;
	word[7] = stress_mix(i);
	mbuf->data_len = 64;
	mbuf->pkt_len = 64;
}

static bool is_number(struct rte_mbuf *mbuf, uint64_t i) {
	const uint64_t *word = rte_pktmbuf_mtod(mbuf, const uint64_t *);

	return word[0] == i && word[7] == stress_mix(i) && mbuf->data_len == 64;
}

/* One by one, as RX lcores do; each third is charged. With a second ring, a reference for each. */
static void *give_frames(void *arg) {
	struct way *way = arg;
	struct rte_mbuf *mbuf;

	become_lcore();
	for (uint64_t i = 0; i < way->items; i++) {
		take_buffers(way, &mbuf, 1);
		write_number(mbuf, i);
		if (way->second)
			rte_mbuf_refcnt_update(mbuf, 1);
		while (way->second && rte_ring_sp_enqueue(way->second, mbuf))
			stress_refused(&way->producer);
		while (rte_ring_sp_enqueue(way->ring, i % 3 ? mbuf : reply_charged(mbuf)))
			stress_refused(&way->producer);
		if (i % 16 == 0)
			stress_pause(&way->producer);
	}
	rte_thread_unregister();
	return NULL;
}

static void take_frames(struct way *way, struct rte_ring *ring) {
	void *entry[BURST];

	while (way->got < way->items) {
		const unsigned n = rte_ring_sc_dequeue_burst(
			ring, entry, stress_batch(&way->consumer, BURST), NULL);

		for (unsigned i = 0; i < n; i++) {
			struct rte_mbuf *mbuf = reply_mbuf(entry[i]);

			way->wrong += !is_number(mbuf, way->got)
				|| (ring == way->ring
					&& reply_is_charged(entry[i]) != !(way->got % 3));
			way->got++;
			rte_pktmbuf_free(mbuf);
		}
		if (n == 0)
			stress_refused(&way->consumer);
		stress_pause(&way->consumer);
	}
}

/* The exception path's thread: EAL does not know it as an lcore. */
static void *take_second(void *arg) {
	struct way *way = arg;

	take_frames(way, way->second);
	return NULL;
}

static void replies(struct stress_tap *tap, struct rte_mempool *pool) {
	struct way way = {.pool = pool,
		.items = stress_items(),
		.ring = new_ring("s_replies", sizeof(void *), REPLY_RING)};
	const double began_s = stress_now_s();
	pthread_t thread;

	start(&thread, give_frames, &way);
	take_frames(&way, way.ring);
	pthread_join(thread, NULL);
	stress_rate("replies", way.got, stress_now_s() - began_s);
	stress_ok(tap, way.wrong == 0, "replies: all came, in order, whole and with their mark");
	stress_edges(tap, "replies", &way.producer, &way.consumer);
	stress_ok(tap, pool_is_whole(pool), "replies: every buffer is back");
}

static void exceptions(struct stress_tap *tap, struct rte_mempool *pool) {
	struct way way = {.pool = pool,
		.items = stress_items(),
		.ring = new_ring("s_other", sizeof(void *), REPLY_RING),
		.second = new_ring("s_exceptions", sizeof(void *), REPLY_RING)};
	struct way second = {.items = way.items, .second = way.second, .consumer.dice = 7};
	const double began_s = stress_now_s();
	pthread_t thread[2];

	start(&thread[0], give_frames, &way);
	start(&thread[1], take_second, &second);
	take_frames(&way, way.ring);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	stress_rate("exceptions", second.got, stress_now_s() - began_s);
	stress_ok(tap, way.wrong == 0 && second.wrong == 0,
		"exceptions: buffers with two owners came to both, in order and whole");
	stress_edges(tap, "exceptions", &way.producer, &second.consumer);
	stress_ok(tap, pool_is_whole(pool), "exceptions: every buffer is back, once");
}

/* ---- Single probes ---- */

static struct single single_at(uint64_t i) {
	const uint64_t mixed = stress_mix(i);

	return (struct single){.ip = (dp_ip)mixed << 64 | i,
		.port = (uint16_t)mixed,
		.scan = (uint8_t)(mixed >> 60 & 1)};
}

static void *give_singles(void *arg) {
	struct way *way = arg;

	for (uint64_t i = 0; i < way->items; i++) {
		struct single single = single_at(i);

		while (rte_ring_sp_enqueue_elem(way->ring, &single, sizeof(single)))
			stress_refused(&way->producer);
		if (i % 16 == 0)
			stress_pause(&way->producer);
	}
	return NULL;
}

static void singles(struct stress_tap *tap) {
	struct way way = {.items = stress_items(),
		.ring = new_ring("s_singles", sizeof(struct single), SINGLE_RING)};
	struct single single[BURST];
	const double began_s = stress_now_s();
	pthread_t thread;

	start(&thread, give_singles, &way);
	while (way.got < way.items) {
		const unsigned n = rte_ring_sc_dequeue_burst_elem(way.ring, single, sizeof(*single),
			stress_batch(&way.consumer, BURST), NULL);

		for (unsigned i = 0; i < n; i++) {
			const struct single want = single_at(way.got++);

			way.wrong += single[i].ip != want.ip || single[i].port != want.port
				|| single[i].scan != want.scan;
		}
		if (n == 0)
			stress_refused(&way.consumer);
		stress_pause(&way.consumer);
	}
	pthread_join(thread, NULL);
	stress_rate("single probes", way.got, stress_now_s() - began_s);
	stress_ok(tap, way.wrong == 0, "single probes: all came, in order and whole");
	stress_edges(tap, "single probes", &way.producer, &way.consumer);
}

/* ---- A consumer that stops ---- */

static void stopped_consumer(struct stress_tap *tap) {
	struct rte_ring *ring = new_ring("s_stopped", sizeof(void *), REPLY_RING);
	uint64_t put = 0, taken = 0, wrong = 0;
	void *entry;

	for (unsigned tries = 0; tries < 100 * REPLY_RING; tries++)
		put += rte_ring_sp_enqueue(ring, (void *)(uintptr_t)(put + 1)) == 0;
	while (rte_ring_sc_dequeue_burst(ring, &entry, 1, NULL))
		wrong += (uintptr_t)entry != ++taken;
	stress_ok(tap, put == REPLY_RING - 1 && taken == put && wrong == 0,
		"a consumer that stops: one entry less than its size fits, and all come out later");
}

/* ---- Release of held probes ---- */

struct hold {
	struct dp_engine engine;
	struct worker worker[2]; /* the TX lcore that is released, and an RX lcore that is full */
	struct dp_space *space[2];
	struct dp_target first[2]; /* of each space's order */
	uint64_t rounds, wrong;
	_Atomic uint64_t begun, done; /* rounds */
};

static struct dp_slice slice_at(uint64_t round) {
	return (struct dp_slice){round % 7, 8 + round % 100};
}

static void *wait_for_release(void *arg) {
	struct hold *hold = arg;
	struct worker *worker = &hold->worker[0];

	for (uint64_t round = 0; round < hold->rounds; round++) {
		const struct dp_slice want = slice_at(round);
		struct dp_target target;

		while (atomic_load_explicit(&hold->begun, memory_order_acquire) == round)
			sched_yield();
		worker->tx.begun = false;
		worker->tx.piece = 0;
		worker->tx.next = worker->tx.end = 0;
		for (unsigned turns = 1; !worker->tx.begun; turns++) {
			tx_turn(worker, rte_rdtsc());
			if (turns % 64 == 0)
				sched_yield();
		}
		dp_space_walk(hold->engine.work.space, &hold->engine.work.perm, 0, &target, 1);
		hold->wrong += worker->tx.pieces->nb != 1
			|| worker->tx.pieces->list[0].first != want.first
			|| worker->tx.end != want.end || worker->tx.next != want.first
			|| hold->engine.work.space != hold->space[round % 2]
			|| target.ip != hold->first[round % 2].ip
			|| target.port != hold->first[round % 2].port;
		atomic_store_explicit(&hold->done, round + 1, memory_order_release);
	}
	return NULL;
}

static struct dp_space *make_space(unsigned hosts, unsigned ports) {
	struct dp_ipset *set;
	struct dp_space *space;
	uint16_t *port = calloc(ports, sizeof(*port));

	for (unsigned i = 0; i < ports; i++)
		port[i] = (uint16_t)(1 + i);
	if (dp_ipset_create(&set) || dp_ipset_add(set, FIRST_IP, FIRST_IP + hosts - 1))
		die("no memory for a space");
	dp_ipset_seal(set);
	if (dp_space_create(set, port, ports, &space))
		die("no memory for a space");
	dp_ipset_destroy(set);
	free(port);
	return space;
}

static void held(struct stress_tap *tap, const struct dp_engine *real) {
	struct hold *hold = aligned_alloc(64, (sizeof(*hold) + 63) / 64 * 64);
	const double began_s = stress_now_s();
	pthread_t thread;

	memset(hold, 0, sizeof(*hold));
	hold->rounds = stress_items() / 100;
	hold->engine.tsc_hz = real->tsc_hz;
	hold->engine.plan.nb_workers = 2;
	hold->engine.plan.nb_tx = 1;
	hold->engine.phase = DP_PHASE_SENDING;
	for (unsigned i = 0; i < 2; i++) {
		struct dp_perm perm;

		hold->space[i] = make_space(16 + i, 8);
		dp_perm_init(&perm, dp_space_count(hold->space[i]), 0);
		dp_space_walk(hold->space[i], &perm, 0, &hold->first[i], 1);
		hold->engine.worker[i] = &hold->worker[i];
		hold->worker[i].engine = &hold->engine;
	}
	hold->worker[0].port = &hold->engine.port[0];
	hold->worker[0].tx.active = true;
	rate_init(&hold->worker[0].tx.rate, 0, real->tsc_hz, rte_rdtsc());
	/* So that nothing is sent once it is released: there is no device. */
	hold->worker[1].rx.active = true;
	hold->worker[1].rx.pressure = PRESSURE_STOP;
	start(&thread, wait_for_release, hold);
	for (uint64_t round = 0; round < hold->rounds; round++) {
		atomic_store_explicit(&hold->engine.released, false, memory_order_relaxed);
		atomic_store_explicit(&hold->begun, round + 1, memory_order_release);
		if (round % 3 == 0)
			sched_yield();
		if (dp_engine_release(&hold->engine, hold->space[round % 2], slice_at(round), NULL))
			die("no memory for a slice");
		while (atomic_load_explicit(&hold->done, memory_order_acquire) == round)
			sched_yield();
	}
	pthread_join(thread, NULL);
	stress_rate("releases", hold->rounds, stress_now_s() - began_s);
	stress_ok(tap, hold->wrong == 0 && hold->done == hold->rounds,
		"held probes: each of %llu releases gave the lcore its own slice, space and order",
		(unsigned long long)hold->rounds);
	for (unsigned i = 0; i < 2; i++)
		dp_space_destroy(hold->space[i]);
	free(hold);
}

/* ---- Exclusions, rates and pauses while probes go ---- */

/* Like a reload: a set that is made just before, and read by the lcores from then on. */
static struct dp_ipset *make_exclusion(dp_ip last) {
	struct dp_ipset *set;

	if (dp_ipset_create(&set))
		die("no memory for exclusions");
	/* Many small ranges, so that a reader has much to read. */
	for (dp_ip ip = FIRST_IP; ip <= last; ip += 2)
		if (dp_ipset_add(set, ip, ip))
			die("no memory for exclusions");
	dp_ipset_seal(set);
	return set;
}

static void exclusions(struct stress_tap *tap, struct dp_engine *engine, unsigned hosts) {
	static struct dp_ipset *set[SWAPS_MAX];
	const uint64_t all = (uint64_t)hosts * PAIRS_A_HOST;
	const dp_ip few = FIRST_IP + 63, many = FIRST_IP + 127;
	const double began_s = stress_now_s();
	unsigned swaps = 0;
	struct dp_stats stats;
	struct dp_error err;

	set[swaps] = make_exclusion(few);
	dp_engine_exclude(engine, set[swaps++]);
	if (dp_engine_start(engine, &err))
		die(err.text);
	while (dp_engine_phase(engine) != DP_PHASE_SENT && swaps < SWAPS_MAX) {
		set[swaps] = make_exclusion(swaps % 2 ? many : few);
		dp_engine_exclude(engine, set[swaps++]);
		/* None lasts, so that they cost no time; unlimited, 5 and 10 million a second. */
		dp_engine_set_rate(engine, swaps % 3 * 5e6);
		dp_engine_pause(engine, swaps % 4 == 0);
		nanosleep(&(struct timespec){.tv_nsec = 300 * 1000}, NULL);
	}
	dp_engine_set_rate(engine, 0);
	dp_engine_pause(engine, false);
	while (dp_engine_phase(engine) != DP_PHASE_SENT)
		sched_yield();
	dp_engine_stop(engine);
	dp_engine_stats(engine, &stats);
	stress_rate("probes past exclusions", all, stress_now_s() - began_s);
	stress_ok(tap,
		swaps > 3 && stats.probes_sent + stats.probes_excluded == all
			&& stats.probes_excluded >= 32 * PAIRS_A_HOST
			&& stats.probes_excluded <= 64 * PAIRS_A_HOST,
		"exclusions, rates and pauses: replaced %u times, and every one of %llu probes was "
		"sent or excluded "
		"(%llu: between those of the smaller set and of the larger)",
		swaps, (unsigned long long)all, (unsigned long long)stats.probes_excluded);
	for (unsigned i = 0; i < swaps; i++)
		dp_ipset_destroy(set[i]);
}

int main(void) {
	const unsigned hosts = (unsigned)(stress_items() / PAIRS_A_HOST);
	struct dp_params params = {
		.slice = {0, (dp_u128)hosts * PAIRS_A_HOST},
		.key = {"sixteen letters"},
		.type = dp_scan_find("syn"),
		.probes = 1,
		.ports = {{.port = "net_null0,no-rx=1",
			.sources = {{dp_ip_v4(0xc6130001), dp_ip_v4(0xc6130001)}},
			.nb_sources = 1,
			.has_gateway_mac = true,
			.gateway_mac = {2, 0, 0, 0, 0, 9}}},
		.nb_ports = 1,
		.source_port_first = 40000,
		.source_port_last = 48191,
		.hugepages = DP_HUGEPAGES_OFF,
		.eal = "-m 256",
	};
	struct dp_space *space = make_space(hosts, PAIRS_A_HOST);
	struct stress_tap tap = {0};
	struct rte_mempool *pool;
	struct dp_engine *engine;
	struct dp_plan plan;
	struct dp_error err;

	params.space = space;
	if (dp_plan_make(&params, &plan, &err) || dp_engine_create(&params, &plan, &engine, &err)
		|| port_new_pool(&pool, "stress", 0, POOL, REPLY_ROOM, &err))
		die(err.text);
	exclusions(&tap, engine, hosts);
	answers(&tap, engine, pool);
	replies(&tap, pool);
	exceptions(&tap, pool);
	singles(&tap);
	stopped_consumer(&tap);
	held(&tap, engine);
	rte_mempool_free(pool);
	dp_engine_destroy(engine);
	dp_space_destroy(space);
	return stress_done(&tap);
}
