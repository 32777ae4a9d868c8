/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of an engine, and what the control core reads from it while the lcores run. All of it
 * runs on the control core's thread, which owns the engine's memory.
 */
#include "caps.h"
#include "core.h"
#include "exception.h"

#include <dp/secret.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <time.h>

enum {
	SINGLE_COOKIES = 1, /* tag of the key of single probes, and the ones after it */
};

static uint64_t utc_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t tsc_to_ns(const struct dp_engine *engine, uint64_t tsc) {
	return (uint64_t)((unsigned __int128)tsc * 1000000000u / engine->tsc_hz);
}

static void anchor_clock(struct dp_engine *engine) {
	engine->anchor_tsc = rte_rdtsc();
	engine->anchor_ns = utc_ns();
}

const struct dp_plan *dp_engine_plan(const struct dp_engine *engine) {
	return &engine->plan;
}

uint64_t dp_engine_capabilities(const struct dp_engine *engine) {
	/* The TAP's routing rule is removed at the end. */
	uint64_t needed = engine->exception ? CAPS_BIT(CAP_NET_ADMIN) : 0;

	for (unsigned i = 0; i < engine->plan.nb_ports; i++)
		needed |= port_capabilities(&engine->port[i]);
	return needed;
}

static void set_work(struct dp_engine *engine, const struct dp_space *space, struct dp_slice slice,
	const struct dp_pieces *left) {
	engine->work.space = space;
	engine->work.slice = slice;
	engine->work.left = left;
	dp_perm_init(&engine->work.perm, dp_space_count(space), engine->params.seed);
}

/* Divide the work among the TX lcores. */
static int share_work(struct dp_engine *engine) {
	struct dp_piece all = {engine->work.slice.first, engine->work.slice.end, 0};
	const struct dp_pieces whole = {&all, 1};
	const struct dp_pieces *left = engine->work.left ? engine->work.left : &whole;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < engine->plan.nb_tx; i++) {
		dp_pieces_clear(&engine->work.share[i]);
		rc = dp_pieces_part(left, i, engine->plan.nb_tx, &engine->work.share[i]);
	}
	engine->work.left = NULL;
	return rc;
}

/* What each port is before it is opened. */
static void init_port(struct dp_engine *engine, unsigned number) {
	const struct dp_params *params = &engine->params;
	struct port *port = &engine->port[number];

	port->engine = engine;
	port->number = number;
	port->plan = &engine->plan.ports[number];
	port->lock_fd = port->xdp_fd = port->program.fd = port->link.fd = -1;
	port->scan.type = engine->type;
	port->scan.vlan = port->plan->vlan;
	port->scan.env = (struct probe_env){
		.book = engine->book,
		.passes = engine->plan.passes,
		.source_mac = UINT64_C(0x020000000002), /* until the device says its own */
	};
	cookie_init(&port->scan.env.cookie, &params->key, params->source_port_first,
		params->source_port_last);
	sources_init(&port->scan.env.sources[FAMILY_V4], port->plan->v4.sources,
		port->plan->v4.nb_sources);
	sources_init(&port->scan.env.sources[FAMILY_V6], port->plan->v6.sources,
		port->plan->v6.nb_sources);
}

/* The scans of single probes differ in type and cookies; checksums are all ours. */
static void init_singles(struct port *port) {
	static const char *const names[SINGLE_SCANS] = {"syn", "udp"};

	for (unsigned i = 0; i < SINGLE_SCANS; i++) {
		struct scan *scan = &port->single[i];

		*scan = port->scan;
		scan->type = probe_type_of(dp_scan_find(names[i]));
		scan->env.banners = false;
		scan->env.passes = 1;
		scan->env.offload_ip = scan->env.offload_l4 = false;
		cookie_derive(
			&scan->env.cookie, &port->scan.env.cookie, (uint16_t)(SINGLE_COOKIES + i));
	}
}

/* Whether next hops of targets are looked for before: some types ask for them themselves. */
static bool resolves_targets(const struct probe_type *type) {
	return !type->scan.link && !type->on_link[FAMILY_V4] && !type->on_link[FAMILY_V6];
}

static int open_port(struct port *port, struct dp_error *err) {
	const struct dp_engine *engine = port->engine;
	int rc = neigh_create(port->plan, dp_space_addresses(engine->params.space),
		resolves_targets(engine->type), engine->tsc_hz, &port->neigh);

	if (rc)
		return dp_fail(err, false, rc, "out of memory for %llu neighbours",
			(unsigned long long)port->plan->neighbours);
	rc = port_open(port, err);
	if (rc)
		return rc;
	port->scan.env.banners
		= engine->params.banner.enable && dp_scan_part(&engine->type->scan, DP_PROTO_TCP);
	port->scan.env.banner_bytes = engine->params.banner.max_bytes < DP_BANNER_MAX_BYTES
		? engine->params.banner.max_bytes
		: DP_BANNER_MAX_BYTES;
	init_singles(port);
	probes_plan(port);
	return 0;
}

static int open_ports(struct dp_engine *engine, struct dp_error *err) {
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < engine->plan.nb_ports; i++)
		rc = open_port(&engine->port[i], err);
	if (rc == 0)
		rc = workers_create(engine, err);
	if (rc == 0 && engine->plan.exception.on)
		rc = exception_create(engine, err);
	return rc;
}

static int make_book(struct dp_engine *engine, struct dp_error *err) {
	const struct dp_params *params = &engine->params;
	int rc = book_create(params->payloads, params->nb_payloads, params->banner.hellos,
		params->banner.nb_hellos, &engine->book);

	if (rc)
		return dp_fail(err, false, rc, "out of memory");
	engine->variants = probe_passes_max(engine->type, engine->book, params->space);
	return 0;
}

int dp_engine_create(const struct dp_params *params, const struct dp_plan *plan,
	struct dp_engine **out, struct dp_error *err) {
	/* The cookies' keys lie in it: the ports' and those of single probes. */
	struct dp_engine *engine = dp_secret_alloc(sizeof(*engine));
	int rc;

	if (!engine)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	engine->params = *params;
	engine->plan = *plan;
	engine->type = probe_type_of(params->type);
	rc = make_book(engine, err);
	if (rc)
		goto free_engine;
	for (unsigned i = 0; i < plan->nb_ports; i++)
		init_port(engine, i);
	explicit_bzero(&engine->params.key, sizeof(engine->params.key)); /* the cookies have it */
	set_work(engine, params->space, params->slice, params->left);
	atomic_store_explicit(&engine->released, !params->hold, memory_order_relaxed);
	port_hush(engine);
	rc = port_start_eal(engine, err);
	if (rc)
		goto free_book;
	engine->tsc_hz = rte_get_tsc_hz();
	engine->clock_scale = (uint64_t)(1e6 / (double)engine->tsc_hz * 0x1p64);
	rc = open_ports(engine, err);
	if (rc == 0 && !params->hold && share_work(engine))
		rc = dp_fail(err, false, -ENOMEM, "out of memory");
	if (rc)
		goto destroy;
	port_unhush(engine);
	anchor_clock(engine);
	*out = engine;
	return 0;

destroy:
	dp_engine_destroy(engine);
	return rc;
free_book:
	port_unhush(engine);
	book_destroy(engine->book);
free_engine:
	dp_secret_free(engine, sizeof(*engine));
	return rc;
}

int dp_engine_start(struct dp_engine *engine, struct dp_error *err) {
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < engine->plan.nb_ports; i++) {
		struct port *port = &engine->port[i];

		if (port->peer)
			rc = rte_eal_remote_launch(
				port->peer->type->lcore, port->peer, port->peer_lcore);
	}
	for (unsigned i = 0; rc == 0 && i < engine->plan.nb_workers; i++)
		rc = rte_eal_remote_launch(lcore_main, engine->worker[i], engine->worker[i]->lcore);
	if (rc) {
		dp_engine_stop(engine);
		return dp_fail(err, false, rc, "cannot start an lcore: %s", strerror(-rc));
	}
	return 0;
}

/* Free what the answers were taken from, but for the buffers in which their banners lie. */
static void let_go(struct dp_engine *engine, struct rte_mbuf **mbuf,
	const struct dp_answer *answers, unsigned n) {
	unsigned rest = 0;

	for (unsigned i = 0; i < n; i++) {
		if (answers[i].banner)
			engine->kept[engine->nb_kept++] = mbuf[i];
		else
			mbuf[rest++] = mbuf[i];
	}
	if (rest)
		rte_pktmbuf_free_bulk(mbuf, rest);
}

unsigned dp_engine_collect(struct dp_engine *engine, struct dp_answer *answers, unsigned max) {
	struct rte_mbuf *mbuf[BURST];
	unsigned workers = engine->plan.nb_workers, total = 0;

	if (engine->nb_kept)
		rte_pktmbuf_free_bulk(engine->kept, engine->nb_kept);
	engine->nb_kept = 0;
	for (unsigned turn = 0; turn < workers && max - total >= BURST; turn++) {
		struct rx *rx = &engine->worker[(engine->collect_next + turn) % workers]->rx;
		unsigned n;

		if (!rx->active)
			continue;
		n = rte_ring_sc_dequeue_burst(rx->answers, (void **)mbuf, BURST, NULL);
		rx->taken += n;
		for (unsigned i = 0; i < n; i++) {
			struct dp_answer *answer = &answers[total + i];
			int64_t age_tsc;

			*answer = *(struct dp_answer *)rte_mbuf_to_priv(mbuf[i]);
			age_tsc = (int64_t)(answer->ts_ns - engine->anchor_tsc);
			answer->ts_ns = age_tsc < 0
				? engine->anchor_ns - tsc_to_ns(engine, (uint64_t)-age_tsc)
				: engine->anchor_ns + tsc_to_ns(engine, (uint64_t)age_tsc);
		}
		let_go(engine, mbuf, &answers[total], n);
		total += n;
	}
	engine->collect_next = (engine->collect_next + 1) % workers;
	return total;
}

enum dp_phase dp_engine_phase(const struct dp_engine *engine) {
	enum dp_phase phase
		= (enum dp_phase)atomic_load_explicit(&engine->phase, memory_order_acquire);

	if (phase == DP_PHASE_FAILED)
		return phase;
	if (phase == DP_PHASE_SENDING
		&& !atomic_load_explicit(&engine->released, memory_order_relaxed))
		phase = DP_PHASE_HELD;
	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		const struct tx *tx = &engine->worker[i]->tx;

		if (tx->active && !atomic_load_explicit(&tx->done, memory_order_acquire))
			return phase;
	}
	return DP_PHASE_SENT;
}

const char *dp_engine_failure(const struct dp_engine *engine) {
	return engine->failure;
}

int dp_engine_release(struct dp_engine *engine, const struct dp_space *space, struct dp_slice slice,
	const struct dp_pieces *left) {
	int rc;

	/* Lcores read the work from now on. */
	if (atomic_load_explicit(&engine->released, memory_order_relaxed))
		return 0;
	set_work(engine, space ? space : engine->params.space, slice, left);
	rc = share_work(engine);
	if (rc == 0)
		atomic_store_explicit(&engine->released, true, memory_order_release);
	return rc;
}

void dp_engine_progress(const struct dp_engine *engine, struct dp_progress *progress) {
	*progress = (struct dp_progress){0};
	/* First how far they are: what they count is then of these steps or more. */
	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		const struct tx *tx = &engine->worker[i]->tx;

		if (tx->active)
			progress->steps[tx->number]
				= atomic_load_explicit(&tx->steps, memory_order_acquire);
	}
	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		const struct tx *tx = &engine->worker[i]->tx;

		progress->sent += counted(&tx->probes_sent);
		progress->unresolved += counted(&tx->probes_unresolved);
		progress->excluded += counted(&tx->probes_excluded);
	}
}

int dp_engine_left(const struct dp_engine *engine, const struct dp_progress *progress,
	struct dp_pieces *left) {
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < engine->plan.nb_tx; i++)
		rc = dp_pieces_left(
			&engine->work.share[i], engine->plan.passes, progress->steps[i], left);
	dp_pieces_tidy(left);
	return rc;
}

bool dp_engine_mark(struct dp_engine *engine, bool anyway) {
	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		struct rx *rx = &engine->worker[i]->rx;

		if (!rx->active)
			continue;
		if (!(anyway && !engine->worker[i]->port->lossless)
			&& atomic_load_explicit(&rx->backlog, memory_order_acquire))
			return false;
		rx->mark = rx->taken + ring_level(rx->answers);
	}
	return true;
}

bool dp_engine_is_past_mark(const struct dp_engine *engine) {
	for (unsigned i = 0; i < engine->plan.nb_workers; i++)
		if (engine->worker[i]->rx.taken < engine->worker[i]->rx.mark)
			return false;
	return true;
}

void dp_engine_exclude(struct dp_engine *engine, const struct dp_ipset *addresses) {
	atomic_store_explicit(&engine->excluded, addresses, memory_order_release);
}

bool dp_engine_probe(struct dp_engine *engine, enum dp_proto proto, dp_ip ip, uint16_t port) {
	const struct dp_ipset *excluded
		= atomic_load_explicit(&engine->excluded, memory_order_relaxed);
	struct single single
		= {.ip = ip, .port = port, .scan = proto == DP_PROTO_UDP ? SINGLE_UDP : SINGLE_TCP};

	/* Next hops were looked for, and exclusions applied, for these addresses and no others. */
	if (!dp_ipset_contains(dp_space_addresses(engine->params.space), ip)
		|| (excluded && dp_ipset_contains(excluded, ip)))
		return false;
	if (atomic_load_explicit(&engine->phase, memory_order_acquire) != DP_PHASE_SENDING)
		return false;
	atomic_store_explicit(&engine->single_probes, true, memory_order_relaxed);
	return rte_ring_sp_enqueue_elem(engine->singles, &single, sizeof(single)) == 0;
}

void dp_engine_set_rate(struct dp_engine *engine, double pps) {
	atomic_store_explicit(&engine->rate_pps, pps, memory_order_relaxed);
}

double dp_engine_rate(const struct dp_engine *engine) {
	return engine_rate(engine);
}

void dp_engine_pause(struct dp_engine *engine, bool pause) {
	atomic_store_explicit(&engine->paused, pause, memory_order_relaxed);
}

bool dp_engine_is_paused(const struct dp_engine *engine) {
	return engine_paused(engine);
}

void dp_engine_stop_sending(struct dp_engine *engine) {
	atomic_store_explicit(&engine->stop_sending, true, memory_order_relaxed);
}

void dp_engine_tick(struct dp_engine *engine) {
	for (unsigned i = 0; i < engine->plan.nb_ports; i++) {
		ifsock_kick(&engine->port[i].ifsock);
		port_read_losses(&engine->port[i]);
		link_tick(&engine->port[i]);
	}
	anchor_clock(engine);
}

/* What the lcores owned is ours from now on: EAL has seen them return (with acquire). */
static void take_back(const struct dp_engine *engine) {
	for (unsigned i = 0; i < engine->plan.nb_workers; i++)
		handover_take(engine->worker[i]);
	for (unsigned i = 0; i < engine->plan.nb_ports; i++)
		if (engine->port[i].peer)
			handover_take(engine->port[i].peer);
}

const char *dp_engine_link_down(const struct dp_engine *engine) {
	for (unsigned i = 0; i < engine->plan.nb_ports; i++)
		if (atomic_load_explicit(&engine->port[i].link_down, memory_order_relaxed))
			return engine->plan.ports[i].port;
	return NULL;
}

void dp_engine_stop(struct dp_engine *engine) {
	atomic_store_explicit(&engine->stop, true, memory_order_relaxed);
	rte_eal_mp_wait_lcore();
	take_back(engine);
	exception_stop(engine->exception);
	for (unsigned i = 0; i < engine->plan.nb_ports; i++)
		port_read_losses(&engine->port[i]);
}

void dp_engine_destroy(struct dp_engine *engine) {
	if (!engine)
		return;
	exception_destroy(engine->exception);
	for (unsigned i = 0; i < engine->plan.nb_ports; i++) {
		struct port *port = &engine->port[i];

		port_close(port);
		if (port->peer)
			port->peer->type->destroy(port->peer);
		neigh_destroy(port->neigh);
	}
	for (unsigned i = 0; i < DP_MAX_LCORES; i++) {
		if (engine->worker[i])
			capture_destroy(engine->worker[i]->rx.capture);
		free(engine->worker[i]);
		dp_pieces_clear(&engine->work.share[i]);
	}
	port_unhush(engine);
	rte_eal_cleanup();
	book_destroy(engine->book);
	dp_secret_free(engine, sizeof(*engine));
}

static void add_tx(struct dp_stats *stats, const struct dp_engine *engine, const struct tx *tx) {
	stats->probes_sent += counted(&tx->probes_sent);
	stats->tx_bytes += counted(&tx->probe_bytes);
	stats->probes_unresolved += counted(&tx->probes_unresolved);
	stats->probes_excluded += counted(&tx->probes_excluded);
	stats->single_probes += counted(&tx->single_probes);
	stats->arp_sent += counted(&tx->arp_sent);
	stats->lost_reply_dropped += counted(&tx->reply_dropped);
	stats->lost_next_hop_moved += counted(&tx->misdirected);
	stats->throttled_ns += tsc_to_ns(engine, counted(&tx->throttled_tsc));
}

static void add_rx(struct dp_stats *stats, const struct rx *rx) {
	stats->rx_frames += counted(&rx->frames);
	stats->rx_own += counted(&rx->own);
	stats->rx_other += counted(&rx->other);
	stats->rx_malformed += counted(&rx->malformed);
	stats->rx_bad_checksum += counted(&rx->bad_checksum);
	stats->rejected += counted(&rx->rejected);
	for (unsigned i = 0; i < DP_RESPONSE_COUNT; i++)
		stats->responses[i] += counted(&rx->response[i]);
	stats->single_answers += counted(&rx->single_answers);
	stats->banners += counted(&rx->banners);
	stats->banner_mss += counted(&rx->banner_mss);
	stats->zero_window += counted(&rx->zero_window);
	stats->replies_sent += counted(&rx->replies_sent);
	stats->lost_ring_full += counted(&rx->ring_full);
	stats->lost_reply_dropped += counted(&rx->reply_dropped);
	stats->exception_dropped += counted(&rx->exception_dropped);
	stats->lost_capture_full += counted(&rx->capture_full);
}

/* From the first probe of any lcore to the latest. */
static uint64_t sending_tsc(const struct dp_engine *engine) {
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		uint64_t begin = counted(&engine->worker[i]->tx.first_tsc);
		uint64_t end = counted(&engine->worker[i]->tx.last_tsc);

		if (begin && begin < first)
			first = begin;
		if (end > last)
			last = end;
	}
	return last > first ? last - first : 0;
}

static uint64_t probes_a_host(const struct dp_engine *engine) {
	return (uint64_t)dp_space_ports(engine->params.space) * engine->plan.passes;
}

static void add_port(struct dp_stats *stats, const struct port *port) {
	struct rte_eth_stats device;

	stats->lost_tx_dropped += port->losses.tx;
	stats->lost_link_down += port->link.lost;
	/* Which of a target's probes went before and which after it moved nobody knows. */
	stats->lost_next_hop_moved
		+= neigh_moved_targets(port->neigh) * probes_a_host(port->engine);
	/* The socket's own count includes what net_af_xdp reports. */
	stats->lost_rx_missed += port->losses.rx;
	if (port->started && rte_eth_stats_get(port->id, &device) == 0) {
		stats->lost_rx_no_mbuf += device.rx_nombuf;
		if (port->plan->driver != DP_DRIVER_AF_XDP)
			stats->lost_rx_missed += device.imissed;
		/* Virtual drivers count a full ring as an error, though nothing is lost by it. */
		if (port->plan->driver == DP_DRIVER_PCI)
			stats->lost_tx_dropped += device.oerrors;
	}
	if (port->peer)
		port->peer->type->stats(port->peer, stats);
}

void dp_engine_stats(const struct dp_engine *engine, struct dp_stats *stats) {
	memset(stats, 0, sizeof(*stats));
	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		add_tx(stats, engine, &engine->worker[i]->tx);
		add_rx(stats, &engine->worker[i]->rx);
	}
	stats->sending_ns = tsc_to_ns(engine, sending_tsc(engine));
	for (unsigned i = 0; i < engine->plan.nb_ports; i++)
		add_port(stats, &engine->port[i]);
	exception_stats(engine->exception, stats);
}

void dp_engine_levels(const struct dp_engine *engine, struct dp_levels *levels) {
	*levels = (struct dp_levels){0};
	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		const struct rte_ring *answers = engine->worker[i]->rx.answers;

		if (!answers)
			continue;
		levels->ring_level += ring_level(answers);
		levels->ring_size += rte_ring_get_capacity(answers);
	}
}
