/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL, devices, pools and rings: everything between a plan and lcores that can run. Main thread,
 * before launch and after the join.
 */
#include "core.h"
#include "exception.h"
#include "netif.h"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_EAL_ARGS = 64,
	EAL_TEXT_BYTES = 4096,
	POOL_CACHE = 256,
};

/* Pool operations for lcores that may share a CPU: no convoy behind one that was scheduled away. */
#define POOL_OPS "ring_mt_rts"

/* --- EAL ------------------------------------------------------------------------------------- */

struct eal_args {
	char *argv[MAX_EAL_ARGS];
	int argc;
	char text[EAL_TEXT_BYTES]; /* what argv points into */
	size_t used;
	bool overflow;
};

[[gnu::format(printf, 2, 3)]] static void add_arg(struct eal_args *args, const char *format, ...) {
	char *at = args->text + args->used;
	size_t room = sizeof(args->text) - args->used;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(at, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || args->argc + 1 >= MAX_EAL_ARGS) {
		args->overflow = true;
		return;
	}
	args->argv[args->argc++] = at;
	args->used += (size_t)n + 1;
}

/* Lcore 0 is the control core, 1 to n the workers, n + 1 the peer. */
static void add_lcores(struct eal_args *args, const struct dp_plan *plan) {
	char map[1024];
	int n = snprintf(map, sizeof(map), "0@%d", plan->main_cpu);

	for (unsigned i = 0; i < plan->nb_workers; i++)
		n += snprintf(
			map + n, sizeof(map) - (size_t)n, ",%u@%d", i + 1, plan->worker_cpu[i]);
	if (plan->has_peer)
		snprintf(map + n, sizeof(map) - (size_t)n, ",%u@%d", plan->nb_workers + 1,
			plan->peer_cpu);
	add_arg(args, "--lcores=%s", map);
}

/* True where one of the operator's own words begins with @option. */
static bool operator_says(const char *eal, const char *option) {
	size_t n = strlen(option);

	for (const char *p = eal; p && *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (strncmp(p, option, n) == 0)
			return true;
	}
	return false;
}

static void add_operators(struct eal_args *args, const char *eal) {
	while (eal && *eal) {
		size_t n;

		eal += strspn(eal, " \t");
		n = strcspn(eal, " \t");
		if (n)
			add_arg(args, "%.*s", (int)n, eal);
		eal += n;
	}
}

static void build_args(struct eal_args *args, const struct dp_engine *engine) {
	const struct dp_plan *plan = &engine->plan;
	const char *eal = engine->params.eal;

	add_arg(args, "prtip-dp");
	if (!operator_says(eal, "-l") && !operator_says(eal, "--lcores")
		&& !operator_says(eal, "-c"))
		add_lcores(args, plan);
	if (plan->hugepages) {
		add_arg(args, "--in-memory");
	} else {
		add_arg(args, "--no-huge");
		add_arg(args, "--no-shconf");
		if (!operator_says(eal, "-m"))
			add_arg(args, "-m%u", plan->memory_mb);
	}
	if (plan->driver == DP_DRIVER_PCI)
		add_arg(args, "-a%s", plan->port);
	else
		add_arg(args, "--no-pci");
	/* Physical addresses split a pool into too many pieces for af_xdp's UMEM. */
	if (plan->driver != DP_DRIVER_PCI || !plan->hugepages)
		add_arg(args, "--iova-mode=va");
	add_arg(args, "--no-telemetry");
	if (!engine->params.verbose)
		add_arg(args, "--log-level=*:error");
	add_operators(args, eal);
}

/*
 * Drivers talk while they start. Unless that was asked for, their words are kept and the last of
 * them completes an error of ours.
 */
void port_hush(struct dp_engine *engine) {
	if (engine->params.verbose)
		return;
	libbpf_set_print(NULL);
	engine->log = open_memstream(&engine->log_text, &engine->log_size);
	if (engine->log)
		rte_openlog_stream(engine->log);
}

void port_unhush(struct dp_engine *engine) {
	if (!engine->log)
		return;
	rte_openlog_stream(stderr);
	fclose(engine->log);
	free(engine->log_text);
	engine->log = NULL;
}

/* ": " and the last line that a driver said, or nothing. */
static const char *last_words(struct dp_engine *engine, char *out, size_t size) {
	const char *text;
	size_t end, begin;

	out[0] = '\0';
	if (!engine->log || fflush(engine->log) || !engine->log_text)
		return out;
	text = engine->log_text;
	end = strlen(text);
	while (end && text[end - 1] == '\n')
		end--;
	for (begin = end; begin && text[begin - 1] != '\n'; begin--)
		;
	if (end > begin)
		snprintf(out, size, ": %.*s", (int)(end - begin), text + begin);
	return out;
}

/* Point @fd elsewhere; returns what restores it, or -1. */
static int redirect(int fd, int to) {
	int kept = to < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (kept >= 0)
		dup2(to, fd);
	return kept;
}

static void restore(int fd, int kept) {
	if (kept < 0)
		return;
	dup2(kept, fd);
	close(kept);
}

/* The first line that was written to @fd, without its newline. */
static void first_line(int fd, char *out, size_t size) {
	ssize_t n = fd < 0 ? 0 : pread(fd, out, size - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

/*
 * EAL writes a page of its options to standard output, which is for results, and several lines to
 * standard error, where one is wrong. The first of those is what @why is to say.
 */
static int init_quietly(
	const struct dp_engine *engine, struct eal_args *args, char *why, size_t size) {
	const char *eal = engine->params.eal;
	bool hush = !engine->params.verbose && !operator_says(eal, "--help")
		&& !operator_says(eal, "-h");
	int text_fd = hush ? memfd_create("eal", MFD_CLOEXEC) : -1;
	int null_fd = hush ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
	int out = redirect(STDOUT_FILENO, null_fd), err = redirect(STDERR_FILENO, text_fd), rc;

	rc = rte_eal_init(args->argc, args->argv) < 0 ? -rte_errno : 0;
	fflush(stdout);
	restore(STDERR_FILENO, err);
	restore(STDOUT_FILENO, out);
	first_line(text_fd, why, size);
	if (null_fd >= 0)
		close(null_fd);
	if (text_fd >= 0)
		close(text_fd);
	return rc;
}

int port_start_eal(struct dp_engine *engine, struct dp_error *err) {
	struct eal_args *args = calloc(1, sizeof(*args));
	char first[160], last[160];
	int rc;

	if (!args)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	build_args(args, engine);
	if (args->overflow) {
		rc = dp_fail(err, true, -E2BIG, "eal: more arguments than the %d that fit",
			MAX_EAL_ARGS);
		goto free_args;
	}
	rc = init_quietly(engine, args, first, sizeof(first));
	if (rc)
		dp_fail(err, engine->params.eal && engine->params.eal[0], rc,
			"DPDK's EAL did not start%s%s%s; -v shows more", first[0] ? ": " : "",
			first, last_words(engine, last, sizeof(last)));
free_args:
	free(args);
	return rc;
}

/* --- devices --------------------------------------------------------------------------------- */

static bool may_open_packet_sockets(void) {
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno != EPERM;
	close(fd);
	return true;
}

static int add_vdev(
	struct dp_engine *engine, const char *name, const char *args, struct dp_error *err) {
	int rc = rte_vdev_init(name, args);
	char why[200];

	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &engine->port);
	if (rc == 0)
		return 0;
	if (rc == -EEXIST)
		return dp_fail(err, true, rc, "port = %s: a device of this name is already there",
			engine->plan.port);
	return dp_fail(err, engine->plan.driver == DP_DRIVER_VDEV, rc,
		"port = %.120s: the driver cannot start %s%s%s; -v shows more", engine->plan.port,
		engine->plan.driver == DP_DRIVER_VDEV ? "this vdev" : name,
		/* Most drivers say just -1. */
		rc == -1 ? "" : strerror(-rc), last_words(engine, why, sizeof(why)));
}

static int open_vdev(struct dp_engine *engine, struct dp_error *err) {
	const char *port = engine->plan.port;
	size_t n = strcspn(port, ",");
	char name[64];

	if (n >= sizeof(name))
		return dp_fail(
			err, true, -EINVAL, "port = %.40s...: the vdev's name is too long", port);
	snprintf(name, sizeof(name), "%.*s", (int)n, port);
	return add_vdev(engine, name, port[n] ? port + n + 1 : "", err);
}

static int open_af_packet(struct dp_engine *engine, struct dp_error *err) {
	const struct dp_plan *plan = &engine->plan;
	unsigned pairs = plan->nb_tx > plan->nb_rx ? plan->nb_tx : plan->nb_rx;
	char args[160];

	/*
	 * The driver's receive ring of 512 frames lost 9,488 of 10,000 in a burst, one of 16,384
	 * none (docs/architecture.md).
	 */
	snprintf(args, sizeof(args),
		"iface=%.15s,qpairs=%u,blocksz=4096,framesz=2048,framecnt=16384,qdisc_bypass=1",
		plan->port, pairs);
	engine->plan.nb_queues = pairs;
	return add_vdev(engine, "net_af_packet0", args, err);
}

static int open_af_xdp(struct dp_engine *engine, struct dp_error *err) {
	const struct dp_plan *plan = &engine->plan;
	const struct steer_config config = {
		.source_be = __builtin_bswap32(plan->source_ip),
		.port_first = engine->params.source_port_first,
		.port_last = engine->params.source_port_last,
		.kernel_owns = plan->kernel_owns_source,
		.exception_be = __builtin_bswap32(plan->exception.ip),
	};
	char path[XDP_PATH_BYTES], args[256];
	int rc;

	rc = xdp_supported(plan->port, err);
	if (rc) {
		err->usage = rc != -EPERM;
		return rc;
	}
	engine->lock_fd = xdp_interface_lock(plan->port, err);
	if (engine->lock_fd < 0)
		return engine->lock_fd;
	engine->ifindex = if_nametoindex(plan->port);
	rc = xdp_detach((int)engine->ifindex, err);
	if (rc < 0)
		return rc;
	rc = xdp_program_prepare(&config, path, &engine->xdp_fd, err);
	if (rc)
		return rc;
	snprintf(args, sizeof(args),
		"iface=%.15s,start_queue=0,queue_count=%u,busy_budget=0,xdp_prog=%s", plan->port,
		plan->nb_queues, path);
	return add_vdev(engine, "net_af_xdp0", args, err);
}

static int open_pci(struct dp_engine *engine, struct dp_error *err) {
	if (rte_eth_dev_get_port_by_name(engine->plan.port, &engine->port) == 0)
		return 0;
	return dp_fail(err, true, -ENODEV,
		"port = %s: no DPDK driver took the device; -v shows why", engine->plan.port);
}

static struct rte_ring *new_ring(const char *prefix, unsigned number, unsigned size) {
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", prefix, number);
	return rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

/* A net_ring port whose other end is a peer of ours. */
static int open_peer(struct dp_engine *engine, const struct peer_type *type, struct dp_error *err) {
	struct rte_ring *to_rx[DP_MAX_LCORES], *from_tx[DP_MAX_LCORES];
	const struct dp_plan *plan = &engine->plan;
	int rc;

	for (unsigned i = 0; i < plan->nb_rx; i++)
		if (!(to_rx[i] = new_ring("peer_rx", i, PEER_RING)))
			return dp_fail(
				err, false, -ENOMEM, "no memory for the ring of an RX queue");
	for (unsigned i = 0; i < plan->nb_tx; i++)
		if (!(from_tx[i] = new_ring("peer_tx", i, TX_DESCRIPTORS)))
			return dp_fail(err, false, -ENOMEM, "no memory for the ring of a TX queue");
	rc = rte_eth_from_rings("peer", to_rx, plan->nb_rx, from_tx, plan->nb_tx, SOCKET_ID_ANY);
	if (rc < 0)
		return dp_fail(err, false, -rte_errno, "cannot make a ring port: %s",
			rte_strerror(rte_errno));
	engine->port = (uint16_t)rc;
	rc = type->create(engine, &engine->peer, err);
	if (rc)
		return rc;
	engine->peer->type = type;
	engine->peer->engine = engine;
	engine->peer->nb_to_rx = plan->nb_rx;
	engine->peer->nb_from_tx = plan->nb_tx;
	memcpy(engine->peer->to_rx, to_rx, sizeof(to_rx));
	memcpy(engine->peer->from_tx, from_tx, sizeof(from_tx));
	return 0;
}

static int open_device(struct dp_engine *engine, struct dp_error *err) {
	enum dp_driver driver = engine->plan.driver;

	if ((driver == DP_DRIVER_AF_PACKET || driver == DP_DRIVER_LO) && !may_open_packet_sockets())
		return dp_fail(err, false, -EPERM,
			"port = %s: no permission to open packet sockets; run as root or with "
			"CAP_NET_RAW (sudo prtip-dp ...)",
			engine->plan.port);
	switch (driver) {
	case DP_DRIVER_SIM:
		return open_peer(engine, &peer_sim, err);
	case DP_DRIVER_LO:
		return open_peer(engine, &peer_lo, err);
	case DP_DRIVER_AF_PACKET:
		return open_af_packet(engine, err);
	case DP_DRIVER_AF_XDP:
		return open_af_xdp(engine, err);
	case DP_DRIVER_PCI:
		return open_pci(engine, err);
	case DP_DRIVER_VDEV:
		return open_vdev(engine, err);
	}
	return -EINVAL;
}

/* --- queues ---------------------------------------------------------------------------------- */

/* A device may have fewer queues than the plan has lcores: shrink what was automatic, else say so. */
static int fit_queues(
	struct dp_engine *engine, const struct rte_eth_dev_info *info, struct dp_error *err) {
	struct dp_plan *plan = &engine->plan;

	if (plan->auto_lcores && plan->nb_workers > info->max_rx_queues)
		plan->nb_workers = info->max_rx_queues;
	if (plan->auto_lcores && plan->nb_workers > info->max_tx_queues)
		plan->nb_workers = info->max_tx_queues;
	if (plan->auto_lcores)
		plan->nb_tx = plan->nb_rx = plan->nb_workers;
	if (plan->nb_tx > info->max_tx_queues || plan->nb_rx > info->max_rx_queues)
		return dp_fail(err, true, -EBUSY,
			"port = %.120s: no free queue: it has %u to send and %u to receive; lower "
			"tx_lcores (%u) and rx_lcores (%u)",
			plan->port, info->max_tx_queues, info->max_rx_queues, plan->nb_tx,
			plan->nb_rx);
	engine->nb_tx_queues = (uint16_t)plan->nb_tx;
	engine->nb_rx_queues
		= (uint16_t)(plan->nb_queues > plan->nb_rx ? plan->nb_queues : plan->nb_rx);
	/* These drivers come in pairs of queues, of which all are to be set up. */
	if (plan->driver == DP_DRIVER_AF_XDP || plan->driver == DP_DRIVER_AF_PACKET)
		engine->nb_tx_queues = engine->nb_rx_queues;
	return 0;
}

static_assert(sizeof(struct rte_mbuf) == MBUF_HEADER);
static_assert(RTE_PKTMBUF_HEADROOM == HEADROOM);
static_assert(sizeof(struct dp_answer) <= PRIVATE);

/* rte_pktmbuf_pool_create() would spread buffers over memory channels, beyond their exact size. */
static struct rte_mempool *create_pool(const char *name, unsigned size, unsigned room) {
	struct rte_pktmbuf_pool_private sizes = {
		.mbuf_data_room_size = (uint16_t)(HEADROOM + room),
		.mbuf_priv_size = PRIVATE,
	};
	struct rte_mempool *pool
		= rte_mempool_create_empty(name, size, MBUF_HEADER + PRIVATE + HEADROOM + room,
			POOL_CACHE, sizeof(sizes), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_SPREAD);
	int rc;

	if (!pool)
		return NULL;
	rc = rte_mempool_set_ops_byname(pool, POOL_OPS, NULL);
	if (rc == 0) {
		rte_pktmbuf_pool_init(pool, &sizes);
		rc = rte_mempool_populate_default(pool);
	}
	if (rc < 0) {
		rte_mempool_free(pool);
		rte_errno = -rc;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

int port_new_pool(struct rte_mempool **pool, const char *prefix, unsigned number, unsigned size,
	unsigned room, struct dp_error *err) {
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", prefix, number);
	*pool = create_pool(name, size, room);
	if (*pool)
		return 0;
	return dp_fail(err, false, -rte_errno,
		"no memory for %u packet buffers (%s); free some hugepages, set hugepages = off, "
		"or use fewer lcores",
		size, rte_strerror(rte_errno));
}

static int make_rx_pools(struct dp_engine *engine, struct dp_error *err) {
	if (engine->peer) {
		int rc = port_new_pool(&engine->peer->pool, "peer", 0, PEER_POOL, PEER_ROOM, err);

		engine->rx_pool[0] = engine->peer->pool;
		engine->nb_rx_pools = 1;
		return rc;
	}
	for (unsigned i = 0; i < engine->plan.nb_rx; i++) {
		/* Queues beyond one an lcore fill their descriptors from the same pool. */
		unsigned further = (engine->nb_rx_queues - 1) / engine->plan.nb_rx * RX_DESCRIPTORS;
		int rc = port_new_pool(
			&engine->rx_pool[i], "rx", i, RX_POOL + further, RX_ROOM, err);

		if (rc)
			return rc;
		engine->nb_rx_pools = i + 1;
	}
	return 0;
}

static uint64_t rss_types(const struct rte_eth_dev_info *info) {
	return info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP);
}

static int configure(
	struct dp_engine *engine, const struct rte_eth_dev_info *info, struct dp_error *err) {
	struct rte_eth_conf conf = {.rxmode = {.mq_mode = RTE_ETH_MQ_RX_NONE}};
	char why[200];
	uint16_t nb_rx_desc = RX_DESCRIPTORS, nb_tx_desc = TX_DESCRIPTORS;
	int rc;

	if (engine->nb_rx_queues > 1 && rss_types(info)) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss_types(info);
	}
	rc = rte_eth_dev_configure(engine->port, engine->nb_rx_queues, engine->nb_tx_queues, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(engine->port, &nb_rx_desc, &nb_tx_desc);
	for (uint16_t q = 0; rc == 0 && q < engine->nb_rx_queues; q++)
		rc = rte_eth_rx_queue_setup(engine->port, q, nb_rx_desc, SOCKET_ID_ANY, NULL,
			engine->rx_pool[q % engine->nb_rx_pools]);
	for (uint16_t q = 0; rc == 0 && q < engine->nb_tx_queues; q++)
		rc = rte_eth_tx_queue_setup(engine->port, q, nb_tx_desc, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(engine->port);
	if (rc)
		return dp_fail(err, false, rc,
			"port = %.120s: the device cannot be set up with %u RX and %u TX queues: "
			"%s%s; -v shows more",
			engine->plan.port, engine->nb_rx_queues, engine->nb_tx_queues,
			strerror(-rc), last_words(engine, why, sizeof(why)));
	engine->port_started = true;
	return 0;
}

/* --- workers --------------------------------------------------------------------------------- */

static int make_tx(struct dp_engine *engine, unsigned number, struct tx *tx, struct dp_error *err) {
	double pps = engine->plan.rate_pps / engine->plan.nb_tx;
	int rc;

	tx->active = true;
	tx->queue = (uint16_t)number;
	tx->refreshing = number == 0;
	rate_init(&tx->rate, pps, engine->tsc_hz, rte_rdtsc());
	rate_stagger(&tx->rate, number, engine->plan.nb_tx);
	rc = port_new_pool(&tx->reply_pool, "reply", number, REPLY_POOL, REPLY_ROOM, err);
	if (rc == 0)
		rc = port_new_pool(&tx->pool, "tx", number, TX_POOL, TX_ROOM, err);
	if (rc == 0)
		tx_prepare_pool(engine, tx->pool);
	if (rc || number > 0)
		return rc;
	engine->singles = tx->singles = new_ring("singles", 0, SINGLE_RING);
	if (!tx->singles)
		return dp_fail(err, false, -ENOMEM, "no memory for the ring of single probes");
	return 0;
}

static int make_rx(
	struct dp_engine *engine, unsigned number, struct worker *worker, struct dp_error *err) {
	struct rx *rx = &worker->rx;
	struct tx *tx;

	rx->active = true;
	for (unsigned q = number; q < engine->nb_rx_queues; q += engine->plan.nb_rx)
		rx->queue[rx->nb_queues++] = (uint16_t)q;
	rx->answers = new_ring("answers", number, ANSWER_RING);
	if (!rx->answers)
		return dp_fail(err, false, -ENOMEM, "no memory for the ring to the control core");
	if (worker->tx.active) {
		rx->reply_pool = worker->tx.reply_pool;
		return 0;
	}
	/* An lcore without a TX queue replies through one that has it. */
	tx = &engine->worker[number % engine->plan.nb_tx]->tx;
	rx->replies = new_ring("replies", number, REPLY_RING);
	if (!rx->replies)
		return dp_fail(err, false, -ENOMEM, "no memory for the ring of replies");
	tx->replies[tx->nb_replies++] = rx->replies;
	rx->reply_pool = tx->reply_pool;
	return 0;
}

static int make_workers(struct dp_engine *engine, struct dp_error *err) {
	const struct dp_plan *plan = &engine->plan;
	int rc = 0;

	for (unsigned i = 0; i < plan->nb_workers; i++) {
		struct worker *worker = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*worker));

		if (!worker)
			return dp_fail(err, false, -ENOMEM, "out of memory");
		memset(worker, 0, sizeof(*worker));
		worker->engine = engine;
		engine->worker[i] = worker;
	}
	/* Senders first: receivers lean on them for replies. */
	for (unsigned i = 0; rc == 0 && i < plan->nb_tx; i++)
		rc = make_tx(engine, i, &engine->worker[i]->tx, err);
	for (unsigned i = 0; rc == 0 && i < plan->nb_rx; i++)
		rc = make_rx(engine, i, engine->worker[plan->merged ? i : plan->nb_tx + i], err);
	return rc;
}

/* Give each worker, and the peer, an lcore of EAL's. */
static int assign_lcores(struct dp_engine *engine, struct dp_error *err) {
	unsigned lcore = rte_get_next_lcore(-1, 1, 0), needed = engine->plan.nb_workers;

	for (unsigned i = 0; i < needed && lcore < RTE_MAX_LCORE; i++) {
		engine->worker[i]->lcore = lcore;
		engine->peer_lcore = lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	if (rte_lcore_count() < 1 + needed + engine->plan.has_peer)
		return dp_fail(err, true, -EINVAL,
			"eal: %u lcores are given, %u are needed (control%s, %u for packets)",
			rte_lcore_count(), 1 + needed + engine->plan.has_peer,
			engine->plan.has_peer ? ", peer" : "", needed);
	return 0;
}

static void set_source_mac(struct dp_engine *engine) {
	struct rte_ether_addr mac;

	/* Behind a ring there is no device; peers know us by the address we began with. */
	if (!engine->peer && rte_eth_macaddr_get(engine->port, &mac) == 0)
		engine->env.source_mac = mac_get(mac.addr_bytes);
}

/* What the kernel does with our address decides what is left to us. */
static void set_manners(struct dp_engine *engine) {
	const struct dp_plan *plan = &engine->plan;
	bool kernel_sees = plan->driver == DP_DRIVER_AF_PACKET || plan->driver == DP_DRIVER_LO;

	engine->answer_own = !plan->kernel_owns_source && plan->driver != DP_DRIVER_LO;
	engine->reply_resets = !(plan->kernel_owns_source && kernel_sees);
	engine->arp_sender = plan->driver == DP_DRIVER_AF_XDP && plan->kernel_owns_source
		? 0
		: plan->source_ip;
	engine->lossless = plan->driver == DP_DRIVER_SIM || plan->driver == DP_DRIVER_LO
		|| strncmp(plan->port, "net_ring", 8) == 0
		|| strncmp(plan->port, "net_pcap", 8) == 0;
}

static int try_port(struct dp_engine *engine, struct dp_error *err) {
	struct rte_eth_dev_info info;
	int rc = open_device(engine, err);

	if (rc)
		return rc;
	set_source_mac(engine);
	set_manners(engine);
	rc = rte_eth_dev_info_get(engine->port, &info);
	if (rc)
		return dp_fail(err, false, rc, "port = %s: %s", engine->plan.port, strerror(-rc));
	rc = fit_queues(engine, &info, err);
	if (rc == 0)
		rc = make_rx_pools(engine, err);
	if (rc == 0)
		rc = configure(engine, &info, err);
	return rc;
}

/* A driver can refuse our program when it is attached, for its MTU, say: nobody can know before. */
static int fall_back(struct dp_engine *engine, struct dp_error *err) {
	struct dp_plan *plan = &engine->plan;

	snprintf(plan->note, sizeof(plan->note), "af_packet, as the driver of %.15s refused af_xdp",
		plan->port);
	port_close(engine);
	rte_vdev_uninit("net_af_xdp0");
	for (unsigned i = 0; i < engine->nb_rx_pools; i++)
		rte_mempool_free(engine->rx_pool[i]);
	engine->nb_rx_pools = 0;
	plan->driver = DP_DRIVER_AF_PACKET;
	plan->ephemeral_overlap = 0;
	return try_port(engine, err);
}

int port_open(struct dp_engine *engine, struct dp_error *err) {
	int rc;

	engine->env.source_mac = UINT64_C(0x020000000002); /* a device's own below */
	ifsock_mark(&engine->ifsock);
	rc = try_port(engine, err);
	/* Through af_packet the kernel would see, and reset, what banners are to come from. */
	if (rc && engine->plan.driver == DP_DRIVER_AF_XDP && engine->plan.auto_driver
		&& !engine->plan.exception.on
		&& !(engine->params.banner.enable && engine->plan.kernel_owns_source))
		rc = fall_back(engine, err);
	if (rc == 0)
		rc = make_workers(engine, err);
	if (rc == 0)
		rc = assign_lcores(engine, err);
	if (rc == 0 && engine->plan.exception.on)
		rc = exception_create(engine, err);
	if (rc == 0 && ifsock_scan(&engine->ifsock) < 0)
		rc = dp_fail(err, false, -E2BIG, "port = %s: too many sockets", engine->plan.port);
	return rc;
}

void port_close(struct dp_engine *engine) {
	struct dp_error ignored;

	if (engine->port_started) {
		rte_eth_dev_stop(engine->port);
		rte_eth_dev_close(engine->port);
		engine->port_started = false;
	}
	if (engine->ifindex)
		xdp_detach((int)engine->ifindex, &ignored);
	if (engine->xdp_fd >= 0)
		close(engine->xdp_fd);
	if (engine->lock_fd >= 0)
		close(engine->lock_fd);
	engine->xdp_fd = engine->lock_fd = -1;
	engine->ifindex = 0;
}
