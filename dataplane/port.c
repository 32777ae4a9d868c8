/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL and devices: from a plan to ports that are started. Main thread, before launch and after the
 * join.
 */
#include "caps.h"
#include "core.h"
#include "exception.h"
#include "netif.h"
#include "telemetry.h"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_EAL_ARGS = 64,
	EAL_TEXT_BYTES = 4096,
	POOL_CACHE = 256,
	POOL_GET_MAX = 2 * POOL_CACHE, /* from the ring at once: a burst, and the cache filled */
	AF_PACKET_FRAME = 2048, /* bytes */
	AF_PACKET_FRAMES = 16384,
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

/* Lcore 0 is the control core; then each port's workers, and its peer. */
static void add_lcores(struct eal_args *args, const struct dp_plan *plan) {
	char map[2048];
	int n = snprintf(map, sizeof(map), "0@%d", plan->main_cpu);
	unsigned lcore = 1;

	for (unsigned p = 0; p < plan->nb_ports; p++) {
		const struct dp_port_plan *port = &plan->ports[p];

		for (unsigned i = 0; i < port->nb_workers; i++)
			n += snprintf(map + n, sizeof(map) - (size_t)n, ",%u@%d", lcore++,
				port->worker_cpu[i]);
		if (port->has_peer)
			n += snprintf(map + n, sizeof(map) - (size_t)n, ",%u@%d", lcore++,
				port->peer_cpu);
	}
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

/* The PCI devices that are ours, and no others. Returns whether there are any. */
static bool add_devices(struct eal_args *args, const struct dp_plan *plan) {
	bool any = false;

	for (unsigned i = 0; i < plan->nb_ports; i++) {
		if (plan->ports[i].driver != DP_DRIVER_PCI)
			continue;
		add_arg(args, "-a%s", plan->ports[i].port);
		any = true;
	}
	if (!any)
		add_arg(args, "--no-pci");
	return any;
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
	/* Physical addresses split a pool into too many pieces for af_xdp's UMEM. */
	if (!add_devices(args, plan) || !plan->hugepages)
		add_arg(args, "--iova-mode=va");
	add_arg(args, engine->params.telemetry ? "--telemetry" : "--no-telemetry");
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
	rc = engine->params.telemetry ? telemetry_check(err) : 0;
	if (rc)
		goto free_args;
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

static int add_vdev(struct port *port, const char *name, const char *args, struct dp_error *err) {
	int rc = rte_vdev_init(name, args);
	char why[200];

	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &port->id);
	if (rc == 0)
		return 0;
	if (rc == -EEXIST)
		return dp_fail(err, true, rc, "port = %s: a device of this name is already there",
			port->plan->port);
	return dp_fail(err, port->plan->driver == DP_DRIVER_VDEV, rc,
		"port = %.120s: the driver cannot start %s%s%s; -v shows more", port->plan->port,
		port->plan->driver == DP_DRIVER_VDEV ? "this vdev" : name,
		/* Most drivers say just -1. */
		rc == -1 ? "" : strerror(-rc), last_words(port->engine, why, sizeof(why)));
}

static int open_vdev(struct port *port, struct dp_error *err) {
	const char *vdev = port->plan->port;
	size_t n = strcspn(vdev, ",");
	char name[64];

	if (n >= sizeof(name))
		return dp_fail(
			err, true, -EINVAL, "port = %.40s...: the vdev's name is too long", vdev);
	snprintf(name, sizeof(name), "%.*s", (int)n, vdev);
	return add_vdev(port, name, vdev[n] ? vdev + n + 1 : "", err);
}

/* Devices of a driver, one a port: "net_af_packet0". */
static int add_numbered(
	struct port *port, const char *driver, const char *args, struct dp_error *err) {
	char name[32];

	snprintf(name, sizeof(name), "%s%u", driver, port->number);
	return add_vdev(port, name, args, err);
}

/*
 * It opens packet sockets, locks a ring for each way, and clears flags of the interface; all that it
 * says itself is which call failed.
 */
static int check_af_packet(const struct dp_port_plan *plan, unsigned pairs, struct dp_error *err) {
	const uint64_t locked_bytes = UINT64_C(2) * pairs * AF_PACKET_FRAME * AF_PACKET_FRAMES;
	char missing[CAPS_TEXT_BYTES];

	if (!caps_missing(CAPS_BIT(CAP_NET_RAW) | CAPS_BIT(CAP_NET_ADMIN), locked_bytes, missing))
		return 0;
	return dp_fail(err, false, -EPERM,
		"port = %.15s: no permission to use it by af_packet, which needs %s%s; run as root "
		"(sudo prtip-dp ...)",
		plan->port, missing,
		strstr(missing, "IPC_LOCK") ? " (or a higher RLIMIT_MEMLOCK)" : "");
}

static int open_af_packet(struct port *port, struct dp_error *err) {
	const struct dp_port_plan *plan = port->plan;
	unsigned pairs = plan->nb_tx > plan->nb_rx ? plan->nb_tx : plan->nb_rx;
	char args[160];
	int rc = check_af_packet(plan, pairs, err);

	if (rc)
		return rc;
	/*
	 * The driver's receive ring of 512 frames lost 9,488 of 10,000 in a burst, one of 16,384
	 * none (docs/architecture.md).
	 */
	snprintf(args, sizeof(args),
		"iface=%.15s,qpairs=%u,blocksz=4096,framesz=%d,framecnt=%d,qdisc_bypass=1",
		plan->port, pairs, AF_PACKET_FRAME, AF_PACKET_FRAMES);
	port->plan->nb_queues = pairs;
	return add_numbered(port, "net_af_packet", args, err);
}

static void steer_family(struct steer_family *steer, const struct dp_route_plan *route) {
	for (unsigned i = 0; i < route->nb_sources; i++) {
		dp_ip_put_v6(steer->range[i].first, route->sources[i].first);
		dp_ip_put_v6(steer->range[i].last, route->sources[i].last);
	}
	steer->nb_ranges = route->nb_sources;
	steer->kernel_owns = route->kernel_owns_source;
}

static_assert(DP_MAX_SOURCES <= STEER_MAX_RANGES);

static bool sends_pings(const struct probe_type *type) {
	for (enum family f = 0; f < FAMILIES; f++)
		for (unsigned i = 0; i < type->nb_steps[f]; i++)
			if (type->step[f][i].module->proto == DP_PROTO_ICMP)
				return true;
	return false;
}

static bool sends_to_link(const struct probe_type *type) {
	return type->scan.link || type->on_link[FAMILY_V4] || type->on_link[FAMILY_V6];
}

static struct steer_config steering(const struct port *port) {
	const struct dp_engine *engine = port->engine;
	struct steer_config config = {
		.port_first = engine->params.source_port_first,
		.port_last = engine->params.source_port_last,
		.vlan = port->plan->vlan,
		.pings = sends_pings(engine->type),
		.asks = sends_to_link(engine->type),
	};

	steer_family(&config.v4, &port->plan->v4);
	steer_family(&config.v6, &port->plan->v6);
	if (port->number == 0 && engine->plan.exception.on)
		config.exception_be = __builtin_bswap32(dp_ip_to_v4(engine->plan.exception.ip));
	return config;
}

static int open_af_xdp(struct port *port, struct dp_error *err) {
	const struct dp_port_plan *plan = port->plan;
	const struct steer_config config = steering(port);
	char path[XDP_PATH_BYTES], args[256];
	int rc;

	rc = xdp_supported(plan->port, err);
	if (rc) {
		err->usage = rc != -EPERM;
		return rc;
	}
	port->lock_fd = xdp_interface_lock(plan->port, err);
	if (port->lock_fd < 0)
		return port->lock_fd;
	port->ifindex = if_nametoindex(plan->port);
	rc = xdp_detach((int)port->ifindex, err);
	if (rc < 0)
		return rc;
	rc = xdp_program_prepare(&config, path, &port->xdp_fd, err);
	if (rc)
		return rc;
	snprintf(args, sizeof(args),
		"iface=%.15s,start_queue=0,queue_count=%u,busy_budget=0,xdp_prog=%s", plan->port,
		plan->nb_queues, path);
	return add_numbered(port, "net_af_xdp", args, err);
}

static int open_pci(struct port *port, struct dp_error *err) {
	if (rte_eth_dev_get_port_by_name(port->plan->port, &port->id) == 0)
		return 0;
	return dp_fail(err, true, -ENODEV,
		"port = %s: no DPDK driver took the device; -v shows why", port->plan->port);
}

static struct rte_ring *new_ring(const char *prefix, unsigned number, unsigned size) {
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", prefix, number);
	return rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

/* A net_ring port whose other end is a peer of ours. */
static int open_peer(struct port *port, const struct peer_type *type, struct dp_error *err) {
	struct rte_ring *to_rx[DP_MAX_LCORES], *from_tx[DP_MAX_LCORES];
	const struct dp_port_plan *plan = port->plan;
	const unsigned base = port->number * DP_MAX_LCORES;
	char name[16];
	int rc;

	for (unsigned i = 0; i < plan->nb_rx; i++)
		if (!(to_rx[i] = new_ring("peer_rx", base + i, PEER_RING)))
			return dp_fail(
				err, false, -ENOMEM, "no memory for the ring of an RX queue");
	for (unsigned i = 0; i < plan->nb_tx; i++)
		if (!(from_tx[i] = new_ring("peer_tx", base + i, TX_DESCRIPTORS)))
			return dp_fail(err, false, -ENOMEM, "no memory for the ring of a TX queue");
	snprintf(name, sizeof(name), "peer%u", port->number);
	rc = rte_eth_from_rings(name, to_rx, plan->nb_rx, from_tx, plan->nb_tx, SOCKET_ID_ANY);
	if (rc < 0)
		return dp_fail(err, false, -rte_errno, "cannot make a ring port: %s",
			rte_strerror(rte_errno));
	port->id = (uint16_t)rc;
	rc = type->create(port, &port->peer, err);
	if (rc)
		return rc;
	port->peer->type = type;
	port->peer->engine = port->engine;
	port->peer->port = port;
	port->peer->nb_to_rx = plan->nb_rx;
	port->peer->nb_from_tx = plan->nb_tx;
	memcpy(port->peer->to_rx, to_rx, sizeof(to_rx));
	memcpy(port->peer->from_tx, from_tx, sizeof(from_tx));
	return 0;
}

static int open_device(struct port *port, struct dp_error *err) {
	enum dp_driver driver = port->plan->driver;

	if (driver == DP_DRIVER_LO && !may_open_packet_sockets())
		return dp_fail(err, false, -EPERM,
			"port = %s: no permission to open packet sockets; run as root or with "
			"CAP_NET_RAW (sudo prtip-dp ...)",
			port->plan->port);
	switch (driver) {
	case DP_DRIVER_SIM:
		return open_peer(port, &peer_sim, err);
	case DP_DRIVER_LO:
		return open_peer(port, &peer_lo, err);
	case DP_DRIVER_AF_PACKET:
		return open_af_packet(port, err);
	case DP_DRIVER_AF_XDP:
		return open_af_xdp(port, err);
	case DP_DRIVER_PCI:
		return open_pci(port, err);
	case DP_DRIVER_VDEV:
		return open_vdev(port, err);
	}
	return -EINVAL;
}

/* --- queues ---------------------------------------------------------------------------------- */

/* A device may have fewer queues than the plan has lcores: shrink what was automatic, else say so. */
static int fit_queues(
	struct port *port, const struct rte_eth_dev_info *info, struct dp_error *err) {
	struct dp_port_plan *plan = port->plan;

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
	port->nb_tx_queues = (uint16_t)plan->nb_tx;
	port->nb_rx_queues
		= (uint16_t)(plan->nb_queues > plan->nb_rx ? plan->nb_queues : plan->nb_rx);
	/* These drivers come in pairs of queues, of which all are to be set up. */
	if (plan->driver == DP_DRIVER_AF_XDP || plan->driver == DP_DRIVER_AF_PACKET
		|| strncmp(plan->port, "net_tap", 7) == 0)
		port->nb_tx_queues = port->nb_rx_queues;
	return 0;
}

static_assert(sizeof(struct rte_mbuf) == MBUF_HEADER);
static_assert(RTE_PKTMBUF_HEADROOM == HEADROOM);
static_assert(sizeof(struct dp_answer) <= PRIVATE);

/*
 * At least @size, so that no buffer that comes back finds the ring full: rte_mempool_put() would lose it. In a
 * ring of this kind the places that were taken are free again only when all who were taking at that
 * time are done, one that was scheduled away too; the others go on for an eighth of the ring meanwhile,
 * and what they took comes back. DPDK makes it the next power of two beyond the size.
 */
static unsigned pool_size(unsigned size) {
	const unsigned ring = rte_align32pow2(size + 1);

	return size + ring / 8 + POOL_GET_MAX < ring ? size : ring;
}

/* rte_pktmbuf_pool_create() would spread buffers over memory channels, beyond their exact size. */
static struct rte_mempool *create_pool(const char *name, unsigned size, unsigned room) {
	struct rte_pktmbuf_pool_private sizes = {
		.mbuf_data_room_size = (uint16_t)(HEADROOM + room),
		.mbuf_priv_size = PRIVATE,
	};
	struct rte_mempool *pool = rte_mempool_create_empty(name, pool_size(size),
		MBUF_HEADER + PRIVATE + HEADROOM + room, POOL_CACHE, sizeof(sizes), SOCKET_ID_ANY,
		RTE_MEMPOOL_F_NO_SPREAD);
	int rc;

	if (!pool)
		return NULL;
	rc = rte_mempool_set_ops_byname(pool, handover_pool_ops(POOL_OPS), NULL);
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

static int make_rx_pools(struct port *port, struct dp_error *err) {
	const unsigned base = port->number * DP_MAX_LCORES;

	if (port->peer) {
		int rc = port_new_pool(
			&port->peer->pool, "peer", port->number, PEER_POOL, PEER_ROOM, err);

		port->rx_pool[0] = port->peer->pool;
		port->nb_rx_pools = 1;
		return rc;
	}
	for (unsigned i = 0; i < port->plan->nb_rx; i++) {
		/* Queues beyond one an lcore fill their descriptors from the same pool. */
		unsigned further = (port->nb_rx_queues - 1u) / port->plan->nb_rx * RX_DESCRIPTORS;
		int rc = port_new_pool(
			&port->rx_pool[i], "rx", base + i, RX_POOL + further, RX_ROOM, err);

		if (rc)
			return rc;
		port->nb_rx_pools = i + 1;
	}
	return 0;
}

/* Whatever the device can tell apart: any lcore can judge any response. */
static uint64_t rss_types(const struct rte_eth_dev_info *info) {
	return info->flow_type_rss_offloads
		& (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP);
}

/* What the device does for us: checksums of what we send, and of what we receive. */
static void choose_offloads(
	struct port *port, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf) {
	const uint64_t l4 = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	const uint64_t can = info->tx_offload_capa;
	struct probe_env *env = &port->scan.env;

	conf->rxmode.offloads = info->rx_offload_capa
		& (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM
			| RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	env->offload_ip = can & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	env->offload_l4 = (can & l4) == l4;
	port->tx_offloads = (env->offload_ip ? RTE_ETH_TX_OFFLOAD_IPV4_CKSUM : 0)
		| (env->offload_l4 ? l4 : 0);
	conf->txmode.offloads = port->tx_offloads;
}

static int configure(struct port *port, const struct rte_eth_dev_info *info, struct dp_error *err) {
	struct rte_eth_conf conf = {.rxmode = {.mq_mode = RTE_ETH_MQ_RX_NONE}};
	char why[200];
	uint16_t nb_rx_desc = RX_DESCRIPTORS, nb_tx_desc = TX_DESCRIPTORS;
	int rc;

	if (port->nb_rx_queues > 1 && rss_types(info)) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss_types(info);
	}
	choose_offloads(port, info, &conf);
	rc = rte_eth_dev_configure(port->id, port->nb_rx_queues, port->nb_tx_queues, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &nb_rx_desc, &nb_tx_desc);
	for (uint16_t q = 0; rc == 0 && q < port->nb_rx_queues; q++)
		rc = rte_eth_rx_queue_setup(port->id, q, nb_rx_desc, SOCKET_ID_ANY, NULL,
			port->rx_pool[q % port->nb_rx_pools]);
	for (uint16_t q = 0; rc == 0 && q < port->nb_tx_queues; q++)
		rc = rte_eth_tx_queue_setup(port->id, q, nb_tx_desc, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(port->id);
	if (rc)
		return dp_fail(err, false, rc,
			"port = %.120s: the device cannot be set up with %u RX and %u TX queues: "
			"%s%s; -v shows more",
			port->plan->port, port->nb_rx_queues, port->nb_tx_queues, strerror(-rc),
			last_words(port->engine, why, sizeof(why)));
	port->started = true;
	/* So that solicitations for addresses which are not the kernel's reach us. */
	if (port->plan->v6.used)
		rte_eth_allmulticast_enable(port->id);
	return 0;
}

static void set_source_mac(struct port *port) {
	struct rte_ether_addr mac;

	/* Behind a ring there is no device; peers know us by the address we began with. */
	if (!port->peer && rte_eth_macaddr_get(port->id, &mac) == 0)
		port->scan.env.source_mac = mac_get(mac.addr_bytes);
}

/* What the kernel does with our addresses decides what is left to us. */
static void set_manners(struct port *port, enum family family, const struct dp_route_plan *route) {
	enum dp_driver driver = port->plan->driver;
	bool kernel_sees = driver == DP_DRIVER_AF_PACKET || driver == DP_DRIVER_LO;

	port->answer_own[family] = !route->kernel_owns_source && driver != DP_DRIVER_LO;
	port->reply_resets[family] = !(route->kernel_owns_source && kernel_sees);
	if (!route->used)
		return;
	if (driver == DP_DRIVER_AF_XDP && route->kernel_owns_source)
		port->asker[family]
			= family == FAMILY_V6 ? neigh_asker(port->scan.env.source_mac) : 0;
	else
		port->asker[family]
			= source_pick(&port->scan.env.sources[family], UINT64_C(1) << 63);
}

static bool waits(const struct dp_port_plan *plan) {
	return plan->driver == DP_DRIVER_SIM || plan->driver == DP_DRIVER_LO
		|| strncmp(plan->port, "net_ring", 8) == 0
		|| strncmp(plan->port, "net_pcap", 8) == 0;
}

static int try_port(struct port *port, struct dp_error *err) {
	struct rte_eth_dev_info info;
	int rc = open_device(port, err);

	if (rc)
		return rc;
	set_source_mac(port);
	set_manners(port, FAMILY_V4, &port->plan->v4);
	set_manners(port, FAMILY_V6, &port->plan->v6);
	port->lossless = waits(port->plan);
	rc = rte_eth_dev_info_get(port->id, &info);
	if (rc)
		return dp_fail(err, false, rc, "port = %s: %s", port->plan->port, strerror(-rc));
	rc = fit_queues(port, &info, err);
	if (rc == 0)
		rc = make_rx_pools(port, err);
	if (rc == 0)
		rc = configure(port, &info, err);
	/* Who may not look for it leaves it to the driver to detach it. */
	if (rc == 0 && port->plan->driver == DP_DRIVER_AF_XDP)
		rc = xdp_hold((int)port->ifindex, &port->program, err);
	return rc == -EPERM && port->started ? 0 : rc;
}

/* A driver can refuse our program when it is attached, for its MTU, say: nobody can know before. */
static int fall_back(struct port *port, struct dp_error *err) {
	struct dp_port_plan *plan = port->plan;
	char name[32];

	snprintf(plan->note, sizeof(plan->note), "af_packet, as the driver of %.15s refused af_xdp",
		plan->port);
	port_close(port);
	snprintf(name, sizeof(name), "net_af_xdp%u", port->number);
	rte_vdev_uninit(name);
	for (unsigned i = 0; i < port->nb_rx_pools; i++)
		rte_mempool_free(port->rx_pool[i]);
	port->nb_rx_pools = 0;
	plan->driver = DP_DRIVER_AF_PACKET;
	plan->ephemeral_overlap = 0;
	return try_port(port, err);
}

/* Through af_packet the kernel would see, and reset, what banners are to come from. */
static bool may_fall_back(const struct port *port) {
	const struct dp_engine *engine = port->engine;
	const struct dp_port_plan *plan = port->plan;
	bool kernel_owns = plan->v4.kernel_owns_source || plan->v6.kernel_owns_source;

	return plan->driver == DP_DRIVER_AF_XDP && plan->auto_driver
		&& !(port->number == 0 && engine->plan.exception.on)
		&& !(engine->params.banner.enable && kernel_owns);
}

int port_open(struct port *port, struct dp_error *err) {
	int rc;

	ifsock_mark(&port->ifsock);
	rc = try_port(port, err);
	if (rc && may_fall_back(port))
		rc = fall_back(port, err);
	if (rc == 0 && ifsock_scan(&port->ifsock) < 0)
		rc = dp_fail(err, false, -E2BIG, "port = %s: too many sockets", port->plan->port);
	link_open(port);
	return rc;
}

void port_read_losses(struct port *port) {
	ifsock_read(&port->ifsock, &port->losses);
}

/* The driver's own name begins a vdev's. */
static bool is_vdev(const struct dp_port_plan *plan, const char *driver) {
	return strncmp(plan->port, driver, strlen(driver)) == 0;
}

/* By what drivers do when a device is stopped and closed; what they open stays usable without. */
uint64_t port_capabilities(const struct port *port) {
	const uint64_t net_admin = CAPS_BIT(CAP_NET_ADMIN);

	switch (port->plan->driver) {
	case DP_DRIVER_SIM:
	case DP_DRIVER_LO:
	case DP_DRIVER_AF_PACKET:
		return 0;
	case DP_DRIVER_AF_XDP:
		return net_admin; /* its program is detached at the end */
	case DP_DRIVER_VDEV:
		if (is_vdev(port->plan, "net_null") || is_vdev(port->plan, "net_ring")
			|| is_vdev(port->plan, "net_pcap"))
			return 0;
		return net_admin; /* net_tap and others set their link down again */
	case DP_DRIVER_PCI:
		/* Verbs devices (mlx5) ask for the first two with each flow rule and at the end. */
		return net_admin | CAPS_BIT(CAP_NET_RAW) | CAPS_BIT(CAP_IPC_LOCK);
	}
	return 0;
}

void port_close(struct port *port) {
	struct dp_error ignored;

	if (port->started) {
		rte_eth_dev_stop(port->id);
		rte_eth_dev_close(port->id);
		port->started = false;
	}
	link_close(port);
	/* After the drop nobody may look for the program any more, but this one is held. */
	if (port->program.fd >= 0)
		xdp_release((int)port->ifindex, &port->program);
	else if (port->ifindex)
		xdp_detach((int)port->ifindex, &ignored);
	if (port->xdp_fd >= 0)
		close(port->xdp_fd);
	if (port->lock_fd >= 0)
		close(port->lock_fd);
	port->xdp_fd = port->lock_fd = -1;
	port->ifindex = 0;
}
