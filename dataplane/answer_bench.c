/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a response costs the packet path, by stage: cycles and nanoseconds of one core, for frames that
 * the simulated hosts sent in answer to probes of ours.
 *
 *     answer_bench [ROUNDS]
 *
 * record_bench goes on where the control core has the answer. Run by bench/report.py; not part of the scanner.
 */
#include "capture.h"
#include "core.h"
#include "sim_host.h"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	DEFAULT_ROUNDS = 5,
	MAX_ROUNDS = 100,
	SLICES = 200, /* a round */
	FRAMES = 1024, /* as many as lie in a device's ring */
	FRAME_BYTES = 256,
	POOL = 4095,
};

#define OUR_MAC UINT64_C(0x02000000000a)

struct bench {
	struct scan scan;
	struct sim_hosts hosts;
	uint8_t (*frame)[FRAME_BYTES];
	uint16_t length[FRAMES];
	struct rte_mempool *pool;
	struct rte_ring *ring;
	struct capture_ring *capture; /* NULL: none is wanted */
	struct dp_answer collected[BURST];
	uint64_t answers;
};

static void stage_parse(struct bench *b) {
	const struct frame_meta meta = {.clock_us = 123456};
	struct frame_view view;

	for (unsigned i = 0; i < FRAMES; i++)
		b->answers += frame_parse(&b->scan, b->frame[i], b->length[i], &meta, &view)
			== FRAME_ANSWER;
}

static void stage_ring(struct bench *b) {
	void *entry[BURST];

	for (unsigned i = 0; i < FRAMES; i += BURST) {
		for (unsigned k = 0; k < BURST; k++)
			entry[k] = b->frame[i + k];
		rte_ring_sp_enqueue_burst(b->ring, entry, BURST, NULL);
		rte_ring_sc_dequeue_burst(b->ring, entry, BURST, NULL);
	}
}

/* What capture_frame() and who reads it do with one frame. */
static void copy(struct bench *b, unsigned frame, const struct dp_answer *answer) {
	struct capture_entry *entry = capture_room(b->capture, b->length[frame]);
	const struct capture_entry *taken;

	entry->captured = entry->length = b->length[frame];
	entry->port = 0;
	entry->answer = *answer;
	memcpy(entry + 1, b->frame[frame], b->length[frame]);
	capture_put(b->capture, entry);
	taken = capture_next(b->capture);
	b->collected[0] = taken->answer;
	capture_drop(b->capture, taken);
}

/* From a buffer with a frame to the answer that the control core has: what rx.c and engine.c do. */
static void stage_whole(struct bench *b) {
	const struct frame_meta meta = {.clock_us = 123456};
	struct rte_mbuf *mbuf[BURST];
	struct frame_view view;

	for (unsigned i = 0; i < FRAMES; i += BURST) {
		unsigned n = 0;

		rte_mempool_get_bulk(b->pool, (void **)mbuf, BURST);
		for (unsigned k = 0; k < BURST; k++) {
			if (frame_parse(&b->scan, b->frame[i + k], b->length[i + k], &meta, &view)
				!= FRAME_ANSWER)
				continue;
			*(struct dp_answer *)rte_mbuf_to_priv(mbuf[k]) = view.answer;
			if (b->capture)
				copy(b, i + k, &view.answer);
			n++;
		}
		b->answers += n;
		rte_ring_sp_enqueue_burst(b->ring, (void **)mbuf, BURST, NULL);
		rte_ring_sc_dequeue_burst(b->ring, (void **)mbuf, BURST, NULL);
		for (unsigned k = 0; k < BURST; k++)
			b->collected[k] = *(struct dp_answer *)rte_mbuf_to_priv(mbuf[k]);
		rte_pktmbuf_free_bulk(mbuf, BURST);
	}
}

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

static void measure(
	struct bench *b, const char *name, void (*run)(struct bench *), unsigned rounds) {
	static double cycles[MAX_ROUNDS * SLICES];
	const double hz = (double)rte_get_tsc_hz();
	double median;

	run(b);
	for (unsigned r = 0; r < rounds * SLICES; r++) {
		double begin = cpu_cycles();

		run(b);
		cycles[r] = (cpu_cycles() - begin) / FRAMES;
	}
	qsort(cycles, (size_t)rounds * SLICES, sizeof(cycles[0]), by_value);
	median = cycles[rounds * SLICES / 2];
	printf("  %-28s %7.1f cycles %7.2f ns  %6.2f M/s\n", name, median, median / hz * 1e9,
		hz / median / 1e6);
}

/* Probes to one address after the other until there are enough frames that answer. */
static bool make_frames(struct bench *b, enum family family, dp_ip first) {
	const struct probe_module *module = b->scan.type->step[family][0].module;
	uint8_t probe[REPLY_ROOM], reply_frame[SIM_FRAME_ROOM], *packet = probe + ETH_BYTES;
	struct dp_target target = {.ip = first, .port = 53};
	struct probe_sums sums;
	unsigned n = 0;

	for (; n < FRAMES && target.ip < first + 100 * FRAMES; target.ip++) {
		uint16_t length = module->packet_bytes[family];
		const uint8_t *note;
		struct sim_reply reply;

		memset(probe, 0, sizeof(probe));
		eth_put(probe, UINT64_C(0x02005e000001), OUR_MAC, 0,
			family == FAMILY_V4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
		module->prepare(&b->scan.env, family, packet, &sums);
		module->make(&b->scan.env, family, &sums, &packet, &length, &target, 1, 100000);
		if (sim_take(&b->hosts, probe, ETH_BYTES + length, &reply, &note) != SIM_REQUEST
			|| reply.kind == SIM_NOTHING)
			continue;
		b->length[n] = (uint16_t)sim_write(&b->hosts, &reply, note, reply_frame);
		if (b->length[n] <= FRAME_BYTES)
			memcpy(b->frame[n], reply_frame, b->length[n]), n++;
	}
	return n == FRAMES;
}

static bool run_case(struct bench *b, const char *name, const char *type, enum family family,
	double open, unsigned rounds) {
	const dp_ip first = family == FAMILY_V4 ? dp_ip_v4(0xc6120000)
						: dp_ip_v6(UINT64_C(0x20010db800000000), 0);
	const uint64_t before = b->answers;

	b->scan.type = probe_type_of(dp_scan_find(type));
	b->hosts.params = (struct dp_sim_params){.alive = 1, .open = open, .seed = 1};
	if (!make_frames(b, family, first)) {
		fprintf(stderr, "answer_bench: no frames for %s\n", name);
		return false;
	}
	printf("%s\n", name);
	stage_parse(b);
	if (b->answers - before != FRAMES) {
		fprintf(stderr, "answer_bench: of %d frames %llu are answers\n", FRAMES,
			(unsigned long long)(b->answers - before));
		return false;
	}
	measure(b, "parse and validate", stage_parse, rounds);
	measure(b, "all up to the control core", stage_whole, rounds);
	b->capture = capture_create();
	if (!b->capture)
		return false;
	measure(b, "the same, and to a capture", stage_whole, rounds);
	capture_destroy(b->capture);
	b->capture = NULL;
	return true;
}

static bool start(struct bench *b) {
	static char text[][24] = {"answer_bench", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--iova-mode=va", "-m128", "--log-level=*:error", "--lcores=0@0"};
	char *argv[sizeof(text) / sizeof(text[0])];
	static const struct dp_key key = {"sixteen letters"};
	const struct dp_range v4 = {dp_ip_v4(0xc6130001), dp_ip_v4(0xc6130001)};
	const dp_ip ours = dp_ip_v6(UINT64_C(0x20010db8000000ff), 1);
	const struct dp_range v6 = {ours, ours};
	struct payload_book *book;

	for (size_t i = 0; i < sizeof(argv) / sizeof(argv[0]); i++)
		argv[i] = text[i];
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0
		|| book_create(NULL, 0, NULL, 0, &book))
		return false;
	b->pool = rte_pktmbuf_pool_create("rx", POOL, 256, sizeof(struct dp_answer),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	b->ring = rte_ring_create(
		"answers", ANSWER_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	b->frame = calloc(FRAMES, sizeof(*b->frame));
	b->scan.env = (struct probe_env){.source_mac = OUR_MAC, .passes = 16, .book = book};
	b->hosts.book = book;
	b->hosts.scanner_mac = OUR_MAC;
	cookie_init(&b->scan.env.cookie, &key, 32768, 49151);
	sources_init(&b->scan.env.sources[FAMILY_V4], &v4, 1);
	sources_init(&b->scan.env.sources[FAMILY_V6], &v6, 1);
	return b->pool && b->ring && b->frame;
}

int main(int argc, char **argv) {
	static struct bench bench;
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : DEFAULT_ROUNDS;
	bool good;

	if (rounds < 1 || rounds > MAX_ROUNDS || !start(&bench)) {
		fprintf(stderr, "answer_bench: cannot start\n");
		return 1;
	}
	printf("A response by stage, median of %u rounds, TSC at %.2f GHz\n\n", rounds,
		(double)rte_get_tsc_hz() / 1e9);
	printf("Any\n");
	measure(&bench, "ring, in and out", stage_ring, rounds);
	good = run_case(&bench, "IPv4, SYN-ACK", "syn", FAMILY_V4, 1, rounds)
		&& run_case(&bench, "IPv4, RST", "syn", FAMILY_V4, 0, rounds)
		&& run_case(&bench, "IPv4, UDP", "udp", FAMILY_V4, 1, rounds)
		&& run_case(&bench, "IPv4, echo reply", "icmp", FAMILY_V4, 1, rounds)
		&& run_case(&bench, "IPv6, SYN-ACK", "syn", FAMILY_V6, 1, rounds)
		&& run_case(&bench, "IPv6, UDP", "udp", FAMILY_V6, 1, rounds);
	free(bench.frame);
	rte_eal_cleanup();
	return good ? 0 : 1;
}
