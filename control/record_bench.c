/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an answer costs the control core and the writer, by stage: nanoseconds of one core.
 *
 *     record_bench [ROUNDS]
 *
 * answer_bench has what comes before. Run by bench/report.py; not part of the scanner.
 */
#include "dedup.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	DEFAULT_ROUNDS = 5,
	MAX_ROUNDS = 100,
	SLICES = 64, /* a round */
	ANSWERS = 1 << 14, /* a slice */
	PORTS = 512,
};

struct bench {
	struct dp_space *space;
	struct dp_perm perm;
	struct dp_target target[ANSWERS];
	struct result result[ANSWERS];
	struct dedup *dedup;
	const struct output_format *format;
	void *state;
	uint64_t first, wrong;
};

/* Processor time of this thread: what others take does not count. */
static uint64_t cpu_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void stage_first(struct bench *b) {
	for (unsigned i = 0; i < ANSWERS; i++)
		b->wrong += !dedup_first(b->dedup, b->target[i].ip, b->target[i].port);
}

static void stage_again(struct bench *b) {
	for (unsigned i = 0; i < ANSWERS; i++)
		b->wrong += dedup_first(b->dedup, b->target[i].ip, b->target[i].port);
}

static void stage_write(struct bench *b) {
	b->format->write_results(b->state, b->result, ANSWERS);
}

static int by_value(const void *a, const void *b) {
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The next pairs of the scan's order, as answers come in it. */
static void next_pairs(struct bench *b) {
	for (unsigned i = 0; i < ANSWERS; i += DP_WALK_MAX)
		dp_space_walk(b->space, &b->perm, b->first + i, &b->target[i], DP_WALK_MAX);
	b->first += ANSWERS;
}

static void measure(struct bench *b, const char *name, void (*run)(struct bench *), bool next,
	unsigned rounds) {
	static double ns[MAX_ROUNDS * SLICES];
	double median;

	for (unsigned r = 0; r < rounds * SLICES; r++) {
		uint64_t begin;

		if (next)
			next_pairs(b);
		begin = cpu_ns();
		run(b);
		ns[r] = (double)(cpu_ns() - begin) / ANSWERS;
	}
	qsort(ns, (size_t)rounds * SLICES, sizeof(ns[0]), by_value);
	median = ns[rounds * SLICES / 2];
	printf("  %-28s                %7.2f ns  %6.2f M/s\n", name, median, 1e3 / median);
}

static bool start(struct bench *b, bool v4) {
	static uint16_t ports[PORTS];
	const dp_ip first = v4 ? dp_ip_v4(0xc6120000) : dp_ip_v6(UINT64_C(0x20010db800000000), 0);
	struct dp_ipset *set;

	for (unsigned i = 0; i < PORTS; i++)
		ports[i] = (uint16_t)(i + 1);
	if (dp_ipset_create(&set))
		return false;
	dp_ipset_add(set, first, first + 0x1ffff);
	dp_ipset_seal(set);
	if (dp_space_create(set, ports, PORTS, &b->space))
		return false;
	dp_ipset_destroy(set);
	dp_perm_init(&b->perm, dp_space_count(b->space), 1);
	next_pairs(b);
	for (unsigned i = 0; i < ANSWERS; i++)
		b->result[i].answer = (struct dp_answer){.ip = b->target[i].ip,
			.port = b->target[i].port,
			.ts_ns = UINT64_C(1769860800123456789) + i * UINT64_C(200),
			.rtt_us = 20000 + i,
			.ttl = 64,
			.proto = DP_PROTO_TCP,
			.state = DP_STATE_OPEN,
			.reason = DP_REASON_SYN_ACK};
	return true;
}

static bool run_dedup(struct bench *b, enum ctl_dedup kind, const char *name, unsigned rounds) {
	char text[64];

	if (dedup_create(kind, 512, b->space, &b->dedup))
		return false;
	b->first = 0;
	snprintf(text, sizeof(text), "dedup, %s, new pairs", name);
	measure(b, text, stage_first, true, rounds);
	snprintf(text, sizeof(text), "dedup, %s, repeated", name);
	measure(b, text, stage_again, false, rounds);
	dedup_destroy(b->dedup);
	return true;
}

static bool run_output(struct bench *b, unsigned rounds) {
	const struct output_params params = {0};
	struct dp_error err;
	struct sink *sink;

	b->format = &output_ndjson;
	if (sink_open("/dev/null", &sink, &err) || sink_begin(sink, &err)
		|| b->format->open(sink, &params, &b->state))
		return false;
	measure(b, "record as NDJSON", stage_write, false, rounds);
	b->format->close(b->state);
	sink_destroy(sink);
	return true;
}

static bool run_case(struct bench *b, bool v4, unsigned rounds) {
	bool good;

	*b = (struct bench){0};
	if (!start(b, v4))
		return false;
	printf("%s\n", v4 ? "IPv4" : "IPv6");
	good = run_dedup(b, CTL_DEDUP_EXACT, "exact", rounds)
		&& run_dedup(b, CTL_DEDUP_WINDOW, "window", rounds) && run_output(b, rounds);
	dp_space_destroy(b->space);
	if (b->wrong)
		fprintf(stderr, "record_bench: %llu pairs were judged wrongly\n",
			(unsigned long long)b->wrong);
	return good && !b->wrong;
}

int main(int argc, char **argv) {
	static struct bench bench;
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : DEFAULT_ROUNDS;

	if (rounds < 1 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "record_bench: 1 to %d rounds\n", MAX_ROUNDS);
		return 2;
	}
	printf("An answer by stage, 67 M pairs, median of %u rounds\n\n", rounds);
	return run_case(&bench, true, rounds) && run_case(&bench, false, rounds) ? 0 : 1;
}
