/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a probe costs, by stage: cycles and nanoseconds of one core, for bursts as the packet path makes
 * them, onto net_null.
 *
 *     probe_bench [ROUNDS]
 *
 * Each stage is timed alone, over the same targets, and then the whole loop; stages overlap in the
 * core, so that their sum exceeds the whole. Run by bench/report.py; not part of the scanner.
 */
#include "book.h"
#include "plan.h"
#include "probe.h"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	DEFAULT_ROUNDS = 5,
	BURSTS = 256, /* a slice: too short for the scheduler to spoil many of them */
	SLICES = 500, /* a round */
	POOL = 4095,
	MAX_ROUNDS = 100,
};

struct bench {
	struct probe_env env;
	const struct probe_module *module;
	uint16_t length[BURST];
	const struct dp_space *space;
	struct dp_perm perm;
	enum family family;
	struct probe_sums sums;
	struct rte_mempool *pool;
	uint16_t port;
	uint64_t next; /* probe number */
	uint64_t index[BURST];
	struct dp_target target[BURST];
	struct rte_mbuf *mbuf[BURST];
	uint8_t *packet[BURST];
	uint64_t sink;
};

static uint64_t at(struct bench *b) {
	b->next += BURST;
	if (b->next + BURST > (uint64_t)b->perm.count)
		b->next = 0;
	return b->next;
}

static void stage_order(struct bench *b) {
	dp_perm_burst(&b->perm, at(b), b->index, BURST);
}

static void stage_map(struct bench *b) {
	dp_space_pick(b->space, b->index, b->target, BURST);
}

static void stage_walk(struct bench *b) {
	dp_space_walk(b->space, &b->perm, at(b), b->target, BURST);
}

static void stage_cookie(struct bench *b) {
	uint64_t hash[BURST];

	cookie_hashes(&b->env.cookie, b->family == FAMILY_V4, b->target, hash, BURST);
	b->sink += hash[0];
}

static void stage_make(struct bench *b) {
	b->module->make(
		&b->env, b->family, &b->sums, b->packet, b->length, b->target, BURST, 123456);
}

static void stage_alloc(struct bench *b) {
	rte_mempool_get_bulk(b->pool, (void **)b->mbuf, BURST);
	rte_mempool_put_bulk(b->pool, (void **)b->mbuf, BURST);
}

static void get_buffers(struct bench *b) {
	rte_mempool_get_bulk(b->pool, (void **)b->mbuf, BURST);
	for (unsigned i = 0; i < BURST; i++)
		b->packet[i] = rte_pktmbuf_mtod_offset(b->mbuf[i], uint8_t *, ETH_BYTES);
}

static void stage_burst(struct bench *b) {
	get_buffers(b);
	rte_eth_tx_burst(b->port, 0, b->mbuf, BURST);
}

static void stage_whole(struct bench *b) {
	dp_space_walk(b->space, &b->perm, at(b), b->target, BURST);
	get_buffers(b);
	stage_make(b);
	rte_eth_tx_burst(b->port, 0, b->mbuf, BURST);
}

static const struct {
	const char *name;
	void (*run)(struct bench *b);
} stages[] = {
	{"order (permutation)", stage_order},
	{"map (index to target)", stage_map},
	{"both, as dp_space_walk()", stage_walk},
	{"cookie (SipHash-2-4)", stage_cookie},
	{"make (cookie, patch, sums)", stage_make},
	{"alloc and free", stage_alloc},
	{"alloc and tx_burst", stage_burst},
	{"whole probe", stage_whole},
};

/* Processor time of this thread as cycles: what others take does not count. */
static double cpu_cycles(void) {
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return ((double)now.tv_sec + (double)now.tv_nsec / 1e9) * (double)rte_get_tsc_hz();
}

static int by_value(const void *a, const void *b) {
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median cycles an item of @items a call. */
static double measure(
	struct bench *b, void (*run)(struct bench *), unsigned items, unsigned rounds) {
	static double cycles[MAX_ROUNDS * SLICES];

	for (unsigned r = 0; r < rounds * SLICES; r++) {
		double begin = cpu_cycles();

		for (unsigned i = 0; i < BURSTS; i++)
			run(b);
		cycles[r] = (cpu_cycles() - begin) / ((double)BURSTS * items);
	}
	qsort(cycles, (size_t)rounds * SLICES, sizeof(cycles[0]), by_value);
	return cycles[rounds * SLICES / 2];
}

static void write_template(struct rte_mempool *pool, void *arg, void *object, unsigned i) {
	struct bench *b = arg;
	struct rte_mbuf *mbuf = object;
	uint8_t *frame;

	rte_pktmbuf_reset(mbuf);
	frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	memset(frame, 0, REPLY_ROOM);
	eth_put(frame, 0, 0, 0, b->family == FAMILY_V4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	b->module->prepare(&b->env, b->family, frame + ETH_BYTES, &b->sums);
	mbuf->data_len = mbuf->pkt_len = (uint16_t)(ETH_BYTES + b->module->packet_bytes[b->family]);
}

static void run_case(struct bench *b, const char *name, const struct dp_space *space,
	enum family family, unsigned rounds) {
	double hz = (double)rte_get_tsc_hz();

	b->module = &probe_syn;
	b->space = space;
	b->family = family;
	b->next = 0;
	dp_perm_init(&b->perm, dp_space_count(space), 1);
	rte_mempool_obj_iter(b->pool, write_template, b);
	get_buffers(b);
	stage_walk(b);
	stage_order(b);
	printf("%s\n", name);
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		double cycles = measure(b, stages[i].run, BURST, rounds);

		printf("  %-28s %7.1f cycles %7.2f ns", stages[i].name, cycles, cycles / hz * 1e9);
		if (stages[i].run == stage_whole)
			printf("  %6.2f M/s", hz / cycles / 1e6);
		printf("\n");
	}
}

/* Bursts at places that have nothing to do with each other. */
static void stage_anywhere(struct bench *b) {
	b->next = b->next * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	dp_space_walk(b->space, &b->perm,
		(dp_u128)b->next * ((uint64_t)b->perm.count - BURST) >> 64, b->target, BURST);
}

static void run_anywhere(
	struct bench *b, const char *name, const struct dp_space *space, unsigned rounds) {
	double hz = (double)rte_get_tsc_hz(), cycles;

	b->space = space;
	dp_perm_init(&b->perm, dp_space_count(space), 1);
	cycles = measure(b, stage_anywhere, BURST, rounds);
	printf("  %-28s %7.1f cycles %7.2f ns\n", name, cycles, cycles / hz * 1e9);
}

static struct dp_space *make_space(const struct dp_range *range, unsigned n, unsigned nb_ports) {
	static uint16_t ports[65536];
	struct dp_ipset *set;
	struct dp_space *space;

	for (unsigned i = 0; i < nb_ports; i++)
		ports[i] = (uint16_t)(i + 1);
	if (dp_ipset_create(&set))
		return NULL;
	for (unsigned i = 0; i < n; i++)
		dp_ipset_add(set, range[i].first, range[i].last);
	dp_ipset_seal(set);
	if (dp_space_create(set, ports, nb_ports, &space))
		space = NULL;
	dp_ipset_destroy(set);
	return space;
}

/* The IPv4 space with as many holes as an exclude list of that size makes. */
static struct dp_space *make_holes(unsigned n, unsigned nb_ports) {
	struct dp_range *range = calloc(n, sizeof(*range));
	struct dp_space *space;

	for (unsigned i = 0; range && i < n; i++) {
		uint32_t first = (uint32_t)(((uint64_t)i << 32) / n);

		range[i] = (struct dp_range){dp_ip_v4(first + 1),
			dp_ip_v4((uint32_t)(((uint64_t)(i + 1) << 32) / n - 2))};
	}
	space = range ? make_space(range, n, nb_ports) : NULL;
	free(range);
	return space;
}

/* The first 2^@bits addresses of IPv4 with that many ports. */
static bool run_square(struct bench *b, unsigned bits, unsigned nb_ports, unsigned rounds) {
	const struct dp_range range
		= {dp_ip_v4(0), dp_ip_v4((uint32_t)((UINT64_C(1) << bits) - 1))};
	struct dp_space *space = make_space(&range, 1, nb_ports);
	char name[32];

	if (!space)
		return false;
	snprintf(name, sizeof(name), "2^%u x %u ports", bits, nb_ports);
	run_anywhere(b, name, space, rounds);
	dp_space_destroy(space);
	return true;
}

static bool run_spaces(struct bench *b, const struct dp_space *holes, unsigned rounds) {
	bool good;

	printf("A target at any place of the order, in bursts of %d\n", BURST);
	good = run_square(b, 16, 1, rounds) && run_square(b, 16, 256, rounds)
		&& run_square(b, 24, 256, rounds) && run_square(b, 32, 256, rounds)
		&& run_square(b, 32, 65535, rounds);
	run_anywhere(b, "the same, in 1,000 ranges", holes, rounds);
	return good;
}

/* What other kinds of probe cost to make. */
static void run_make(struct bench *b, const char *name, const struct probe_module *module,
	uint16_t port, unsigned rounds) {
	double hz = (double)rte_get_tsc_hz(), cycles;

	b->module = module;
	for (b->family = 0; b->family < FAMILIES; b->family++) {
		if (!module->packet_bytes[b->family])
			continue;
		rte_mempool_obj_iter(b->pool, write_template, b);
		get_buffers(b);
		for (unsigned i = 0; i < BURST; i++)
			b->target[i] = (struct dp_target){.port = port,
				.ip = b->family == FAMILY_V4
					? dp_ip_v4(0xc6120000 + i * 977)
					: dp_ip_v6(UINT64_C(0x20010db800000000), i * 977)};
		cycles = measure(b, stage_make, BURST, rounds);
		printf("  %-20s %-7s %7.1f cycles %7.2f ns\n", name,
			b->family == FAMILY_V4 ? "IPv4" : "IPv6", cycles, cycles / hz * 1e9);
		rte_mempool_put_bulk(b->pool, (void **)b->mbuf, BURST);
	}
}

static void run_makes(struct bench *b, unsigned rounds) {
	printf("Cookie, patch and sums of\n");
	run_make(b, "SYN", &probe_syn, 80, rounds);
	run_make(b, "ACK", &probe_ack, 80, rounds);
	run_make(b, "UDP, DNS", &probe_udp, 53, rounds);
	run_make(b, "UDP, no payload", &probe_udp, 9, rounds);
	run_make(b, "SCTP INIT", &probe_sctp, 80, rounds);
	run_make(b, "echo", &probe_echo, 0, rounds);
}

static bool start(struct bench *b) {
	static char text[][24] = {"probe_bench", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--iova-mode=va", "-m128", "--log-level=*:error", "--lcores=0@0"};
	char *argv[sizeof(text) / sizeof(text[0])];
	const struct rte_eth_conf conf = {0};
	struct payload_book *book;
	static const struct dp_key key = {"sixteen letters"};
	const struct dp_range v4 = {dp_ip_v4(0xc6130001), dp_ip_v4(0xc6130001)};
	const dp_ip ours = dp_ip_v6(UINT64_C(0x20010db800000000), 1);
	const struct dp_range v6 = {ours, ours};

	for (size_t i = 0; i < sizeof(argv) / sizeof(argv[0]); i++)
		argv[i] = text[i];
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0
		|| rte_vdev_init("net_null0", "no-rx=1")
		|| rte_eth_dev_get_port_by_name("net_null0", &b->port))
		return false;
	b->pool = rte_pktmbuf_pool_create(
		"tx", POOL, 256, 0, RTE_PKTMBUF_HEADROOM + REPLY_ROOM, SOCKET_ID_ANY);
	if (!b->pool || rte_eth_dev_configure(b->port, 1, 1, &conf)
		|| rte_eth_rx_queue_setup(b->port, 0, 512, SOCKET_ID_ANY, NULL, b->pool)
		|| rte_eth_tx_queue_setup(b->port, 0, 512, SOCKET_ID_ANY, NULL)
		|| rte_eth_dev_start(b->port))
		return false;
	b->env.passes = 1;
	if (book_create(NULL, 0, NULL, 0, &book))
		return false;
	b->env.book = book;
	cookie_init(&b->env.cookie, &key, 32768, 49151);
	sources_init(&b->env.sources[FAMILY_V4], &v4, 1);
	sources_init(&b->env.sources[FAMILY_V6], &v6, 1);
	return true;
}

int main(int argc, char **argv) {
	static struct bench bench;
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : DEFAULT_ROUNDS;
	const struct dp_range slash15 = {dp_ip_v4(0xc6120000), dp_ip_v4(0xc613ffff)};
	const struct dp_range slash80 = {dp_ip_v6(UINT64_C(0x20010db800000000), 0),
		dp_ip_v6(UINT64_C(0x20010db800000000), UINT64_C(0xffffffff))};
	struct dp_space *small = make_space(&slash15, 1, 1), *large = make_holes(1000, 65535);
	struct dp_space *v6 = make_space(&slash80, 1, 100);

	if (rounds < 1 || rounds > MAX_ROUNDS || !small || !large || !v6 || !start(&bench)) {
		fprintf(stderr, "probe_bench: cannot start\n");
		return 1;
	}
	printf("A SYN probe by stage, bursts of %d, median of %u rounds, TSC at %.2f GHz\n\n",
		BURST, rounds, (double)rte_get_tsc_hz() / 1e9);
	run_case(&bench, "IPv4, a /15 and one port", small, FAMILY_V4, rounds);
	run_case(&bench, "IPv4, all in 1,000 ranges, 65,535 ports (2^48 pairs)", large, FAMILY_V4,
		rounds);
	run_case(&bench, "IPv6, 2^32 addresses, 100 ports", v6, FAMILY_V6, rounds);
	if (!run_spaces(&bench, large, rounds))
		fprintf(stderr, "probe_bench: no memory for a space\n");
	run_makes(&bench, rounds);
	dp_space_destroy(small);
	dp_space_destroy(large);
	dp_space_destroy(v6);
	rte_eal_cleanup();
	return 0;
}
