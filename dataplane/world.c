/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world to scan: one device, the simulated network behind it, and a ledger of what came. One
 * thread does everything and owns all memory. Buffers that it sends are those that it receives into,
 * so that net_af_xdp need not copy them.
 *
 * Answers wait in the network until the device takes them; frames are left in the device while the
 * network has no room. So what is lost is lost in the device, which counts it.
 */
#include "book.h"
#include "core.h"
#include "exception_frame.h"
#include "frame.h"
#include "ledger.h"
#include "sim_net.h"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	POOL = 32767,
	SPIN_TURNS = 32,
	NAP_TURNS = 4096,
	NAP_NS = 50000,
	TEND_MS = 20, /* between looks at the device's sockets */
	MAX_ARGS = 16,
};

struct dp_world {
	const struct dp_space *space;
	struct ledger *ledger;
	struct sim_net *net;
	struct payload_book *book;
	struct rte_mempool *pool;
	struct ifsock ifsock;
	uint16_t port;
	bool started;
	uint64_t tsc_hz, idle_tsc;
	struct rte_mbuf *out[BURST];
	unsigned nb_out, out_at;
	uint64_t received, connection, questions, strays, bad_checksum, foreign, answers;
	uint64_t start_tsc, start_unix_ns;
};

/* --- counting --------------------------------------------------------------------------------- */

/* Whom a well-formed frame is to, and what of it counts as a probe. */
struct about {
	dp_ip host;
	uint16_t port;
	bool question; /* ARP, or a solicitation */
	bool ends; /* a FIN of a connection */
};

static dp_ip asked_by_nd(const uint8_t *nd) {
	return dp_ip_get_v6(nd + 8);
}

static struct about about_ip(const uint8_t *frame) {
	const bool v4 = get16(frame + ETH_TYPE_AT) == ETH_TYPE_IPV4;
	const uint8_t *ip = frame + ETH_BYTES;
	const uint8_t *l4 = ip + (v4 ? IPV4_BYTES : IPV6_BYTES);
	struct about about = {.host = v4 ? dp_ip_v4(get32(ip + 16)) : dp_ip_get_v6(ip + 24)};

	switch (v4 ? ip[9] : ip[6]) {
	case IPV4_TCP:
		about.port = get16(l4 + 2);
		about.ends = (l4[13] & (TCP_FIN | TCP_ACK)) == (TCP_FIN | TCP_ACK);
		break;
	case IPV4_UDP:
	case IPV4_SCTP:
		about.port = get16(l4 + 2);
		break;
	case IPV4_ICMPV6:
		if (l4[0] == ICMPV6_SOLICITATION) {
			about.question = true;
			about.host = asked_by_nd(l4);
		}
		break;
	default:
		break;
	}
	return about;
}

static struct about about_frame(const uint8_t *frame) {
	if (get16(frame + ETH_TYPE_AT) == ETH_TYPE_ARP)
		return (struct about){
			.host = dp_ip_v4(get32(frame + ETH_BYTES + 24)), .question = true};
	return about_ip(frame);
}

static bool is_ours(const struct dp_world *world, dp_ip ip) {
	const struct sim_hosts *hosts = sim_net_hosts(world->net);

	return dp_ipset_contains(dp_space_addresses(world->space), ip)
		|| (ip && (ip == hosts->gateway[0] || ip == hosts->gateway[1]));
}

/* Count a frame; whether the network is to have it. */
static bool count_frame(
	struct dp_world *world, const uint8_t *frame, enum sim_taken taken, uint64_t now_tsc) {
	const struct about about = about_frame(frame);

	if (!is_ours(world, about.host)) {
		world->strays++;
		return false;
	}
	if (about.question)
		world->questions++;
	else if (taken != SIM_REQUEST || about.ends)
		world->connection++;
	else
		ledger_probe(world->ledger, about.host, about.port, now_tsc);
	return true;
}

/* --- from the scanner ------------------------------------------------------------------------- */

static void take_frame(struct dp_world *world, struct rte_mbuf *mbuf, uint64_t now_tsc) {
	struct sim_hosts *hosts = sim_net_hosts(world->net);
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct sim_reply reply;
	const uint8_t *note;
	enum sim_taken taken;

	world->received++;
	/* A kernel at the other end of a veth leaves sums to a device that there is not. */
	exception_frame_complete(frame, mbuf->data_len);
	if (mbuf->data_len >= ETH_BYTES)
		hosts->scanner_mac = mac_get(frame + 6);
	taken = sim_take(hosts, frame, mbuf->data_len, &reply, &note);
	if (taken == SIM_BAD) {
		if (sim_is_damaged(hosts, frame, mbuf->data_len))
			world->bad_checksum++;
		else
			world->foreign++;
		return;
	}
	if (count_frame(world, frame, taken, now_tsc))
		sim_net_carry(world->net, taken, &reply, note, now_tsc);
}

static unsigned take_frames(struct dp_world *world, uint64_t now_tsc) {
	struct rte_mbuf *mbuf[BURST];
	unsigned n;

	if (!sim_net_has_room(world->net)) {
		sim_net_grow(world->net);
		if (!sim_net_has_room(world->net))
			return 0;
	}
	n = rte_eth_rx_burst(world->port, 0, mbuf, BURST);
	for (unsigned i = 0; i < n; i++)
		take_frame(world, mbuf[i], now_tsc);
	if (n)
		rte_pktmbuf_free_bulk(mbuf, n);
	return n;
}

/* --- to the scanner --------------------------------------------------------------------------- */

/* Hand over what is written; false where the device takes no more now. */
static bool flush(struct dp_world *world, uint64_t now_tsc) {
	unsigned sent;

	if (world->nb_out == 0)
		return true;
	sent = rte_eth_tx_burst(world->port, 0, &world->out[world->out_at],
		(uint16_t)(world->nb_out - world->out_at));
	world->out_at += sent;
	world->answers += sent;
	ledger_answers(world->ledger, sent, now_tsc);
	if (world->out_at < world->nb_out)
		return false;
	world->out_at = world->nb_out = 0;
	return true;
}

static bool send_reply(void *ctx, const struct sim_reply *reply, const uint8_t *note) {
	struct dp_world *world = ctx;
	struct rte_mbuf *mbuf;

	if (world->nb_out == BURST && !flush(world, rte_rdtsc()))
		return false;
	mbuf = rte_pktmbuf_alloc(world->pool);
	if (!mbuf)
		return false;
	mbuf->data_len = (uint16_t)sim_write(
		sim_net_hosts(world->net), reply, note, rte_pktmbuf_mtod(mbuf, uint8_t *));
	mbuf->pkt_len = mbuf->data_len;
	world->out[world->nb_out++] = mbuf;
	return true;
}

/* --- the loop --------------------------------------------------------------------------------- */

static void rest(unsigned idle) {
	const struct timespec nap = {.tv_nsec = NAP_NS};

	if (idle < SPIN_TURNS)
		rte_pause();
	else if (idle < NAP_TURNS)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

/* Whether a scan came and has ended. */
static bool is_over(const struct dp_world *world, uint64_t last_tsc, uint64_t now_tsc) {
	return world->idle_tsc && ledger_first_tsc(world->ledger)
		&& now_tsc - last_tsc > world->idle_tsc;
}

void dp_world_run(struct dp_world *world, const atomic_bool *stop) {
	const uint64_t tend_tsc = world->tsc_hz / 1000 * TEND_MS;
	uint64_t tended_tsc = rte_rdtsc(), last_tsc = tended_tsc;
	unsigned idle = 0;

	while (!atomic_load_explicit(stop, memory_order_relaxed)) {
		uint64_t now_tsc = rte_rdtsc();
		bool busy = take_frames(world, now_tsc) > 0;

		if (busy)
			last_tsc = now_tsc;
		busy |= sim_net_send_due(world->net, rte_rdtsc(), send_reply, world);
		busy |= world->nb_out > 0;
		flush(world, now_tsc);
		idle = busy ? 0 : idle + 1;
		if (now_tsc - tended_tsc > tend_tsc) {
			ifsock_kick(&world->ifsock);
			tended_tsc = now_tsc;
			if (is_over(world, last_tsc, now_tsc))
				break;
		}
		if (!busy)
			rest(idle);
	}
	ifsock_kick(&world->ifsock);
}

static uint64_t to_ns(const struct dp_world *world, uint64_t tsc) {
	return (uint64_t)((dp_u128)tsc * 1000000000 / world->tsc_hz);
}

void dp_world_read(struct dp_world *world, struct dp_world_counts *counts) {
	const struct sim_net_counts *net = sim_net_counts(world->net);
	const uint64_t first_tsc = ledger_first_tsc(world->ledger);
	struct rte_eth_stats stats = {0};
	struct ifsock_losses losses;

	*counts = (struct dp_world_counts){
		.received = world->received,
		.connection = world->connection,
		.questions = world->questions,
		.bad_checksum = world->bad_checksum,
		.foreign = world->foreign,
		.answers = world->answers,
		.lost_by_dice = counted(&net->lost),
		.unsent = sim_net_waiting(world->net) + world->nb_out - world->out_at,
		.span_ns = to_ns(world, ledger_last_tsc(world->ledger) - first_tsc),
		.gap_ns = to_ns(world, ledger_gap_tsc(world->ledger)),
	};
	ledger_read(world->ledger, counts);
	counts->strays += world->strays;
	if (first_tsc)
		counts->first_unix_ns
			= world->start_unix_ns + to_ns(world, first_tsc - world->start_tsc);
	ifsock_read(&world->ifsock, &losses);
	rte_eth_stats_get(world->port, &stats);
	/* The sockets', where there are some, include the driver's (ifsock.h). */
	counts->lost_rx = (world->ifsock.nb_sockets ? losses.rx : stats.imissed) + stats.ierrors
		+ stats.rx_nombuf;
	counts->lost_tx = losses.tx + stats.oerrors;
}

void dp_world_each(const struct dp_world *world, dp_world_target *target, void *ctx) {
	ledger_each(world->ledger, target, ctx);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static int start_eal(const struct dp_world_params *params, struct dp_error *err) {
	const char *argv[MAX_ARGS];
	char map[32];
	int argc = 0;

	snprintf(map, sizeof(map), params->cpu >= 0 ? "--lcores=0@%d" : "--lcores=0@(0-%d)",
		params->cpu >= 0 ? params->cpu : (int)sysconf(_SC_NPROCESSORS_ONLN) - 1);
	argv[argc++] = "world";
	argv[argc++] = map;
	argv[argc++] = "--no-huge";
	argv[argc++] = "-m256";
	argv[argc++] = "--no-pci";
	argv[argc++] = "--no-shconf";
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--iova-mode=va";
	if (!params->verbose)
		argv[argc++] = "--log-level=*:error";
	if (rte_eal_init(argc, (char **)(uintptr_t)argv) < 0)
		return dp_fail(err, false, -rte_errno, "DPDK's EAL did not start: %s",
			rte_strerror(rte_errno));
	return 0;
}

/* What people write for the devices that make sense here. */
static const struct shorthand {
	const char *prefix, *driver, *arguments; /* with the rest of the text for %s */
} shorthands[] = {
	{"af_packet:", "net_af_packet0",
		"iface=%s,blocksz=4096,framesz=2048,framecnt=16384,qdisc_bypass=1"},
	{"af_xdp:", "net_af_xdp0", "iface=%s,start_queue=0,queue_count=1,busy_budget=0"},
	{"tap:", "net_tap0", "iface=%s"},
	{"memif:", "net_memif0", "role=server,socket=%s,socket-abstract=no,bsize=2048,rsize=12"},
};

/* Split what is asked for into a driver's name and its arguments. */
static int read_device(const char *device, char name[static 64], char arguments[static 256],
	struct dp_error *err) {
	size_t n = strcspn(device, ",");

	for (size_t i = 0; i < sizeof(shorthands) / sizeof(shorthands[0]); i++) {
		const struct shorthand *known = &shorthands[i];
		const size_t bytes = strlen(known->prefix);

		if (strncmp(device, known->prefix, bytes) != 0)
			continue;
		if (!device[bytes] || strlen(device + bytes) > 108 || strchr(device, ','))
			break;
		snprintf(name, 64, "%s", known->driver);
		/* The table's own formats, each with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(arguments, 256, known->arguments, device + bytes);
#pragma GCC diagnostic pop
		return 0;
	}
	if (strncmp(device, "net_", 4) == 0 && n < 64 && strlen(device) - n < 256) {
		snprintf(name, 64, "%.*s", (int)n, device);
		snprintf(arguments, 256, "%s", device[n] ? device + n + 1 : "");
		return 0;
	}
	return dp_fail(err, true, -EINVAL,
		"%.80s is no device: af_packet:IF, af_xdp:IF, tap:NAME, memif:SOCKET, or a DPDK "
		"vdev",
		device);
}

static int open_device(struct dp_world *world, const char *device, struct dp_error *err) {
	struct rte_eth_conf conf = {.rxmode = {.mq_mode = RTE_ETH_MQ_RX_NONE}};
	uint16_t nb_rx_desc = RX_DESCRIPTORS, nb_tx_desc = TX_DESCRIPTORS;
	char name[64], arguments[256];
	int rc = read_device(device, name, arguments, err);

	if (rc)
		return rc;
	rc = rte_vdev_init(name, arguments);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &world->port);
	if (rc)
		return dp_fail(err, false, rc, "%s: the driver cannot start%s%s", device,
			rc == -1 ? "" : ": ", rc == -1 ? "" : strerror(-rc));
	rc = rte_eth_dev_configure(world->port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(world->port, &nb_rx_desc, &nb_tx_desc);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(
			world->port, 0, nb_rx_desc, SOCKET_ID_ANY, NULL, world->pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(world->port, 0, nb_tx_desc, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(world->port);
	if (rc)
		return dp_fail(err, false, rc, "%s: the device cannot be set up: %s", device,
			strerror(-rc));
	world->started = true;
	return 0;
}

static uint64_t unix_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int make_network(
	struct dp_world *world, const struct dp_world_params *params, struct dp_error *err) {
	struct sim_hosts hosts = {
		.params = params->sim,
		.gateway = {params->gateway[0], params->gateway[1]},
	};
	unsigned nb_payloads, nb_hellos;
	const struct dp_payload *payloads = dp_payloads_builtin(&nb_payloads);
	const struct dp_hello *hellos = dp_hellos_builtin(&nb_hellos);
	int rc = book_create(payloads, nb_payloads, hellos, nb_hellos, &world->book);

	if (rc == 0) {
		hosts.book = world->book;
		world->net = sim_net_create(&hosts, world->tsc_hz, rte_rdtsc());
		if (!world->net)
			rc = -ENOMEM;
	}
	if (rc == 0)
		rc = ledger_create(params->space, params->exact,
			world->tsc_hz / 1000 * DP_WORLD_SLOT_MS, &world->ledger);
	if (rc == -E2BIG)
		return dp_fail(err, true, rc,
			"more than 2^32 targets cannot be counted one by one: name fewer ports or "
			"addresses");
	if (rc)
		return dp_fail(err, false, rc, "out of memory");
	return 0;
}

int dp_world_create(
	const struct dp_world_params *params, struct dp_world **made, struct dp_error *err) {
	struct dp_world *world = calloc(1, sizeof(*world));
	int rc;

	if (!world)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	world->space = params->space;
	rc = ifsock_mark(&world->ifsock);
	if (rc < 0)
		rc = dp_fail(err, false, rc, "too many sockets");
	if (rc == 0)
		rc = start_eal(params, err);
	if (rc == 0) {
		world->tsc_hz = rte_get_tsc_hz();
		world->idle_tsc = world->tsc_hz / 1000 * params->idle_ms;
		rc = make_network(world, params, err);
	}
	if (rc == 0)
		rc = port_new_pool(&world->pool, "world", 0, POOL, RX_ROOM, err);
	if (rc == 0)
		rc = open_device(world, params->device, err);
	if (rc == 0 && ifsock_scan(&world->ifsock) < 0)
		rc = dp_fail(err, false, -E2BIG, "%s: too many sockets", params->device);
	if (rc) {
		dp_world_destroy(world);
		return rc;
	}
	world->start_tsc = rte_rdtsc();
	world->start_unix_ns = unix_ns();
	*made = world;
	return 0;
}

void dp_world_destroy(struct dp_world *world) {
	if (!world)
		return;
	if (world->started) {
		rte_pktmbuf_free_bulk(&world->out[world->out_at], world->nb_out - world->out_at);
		rte_eth_dev_stop(world->port);
		rte_eth_dev_close(world->port);
	}
	ledger_destroy(world->ledger);
	sim_net_destroy(world->net);
	book_destroy(world->book);
	free(world);
}
