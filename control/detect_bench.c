/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What naming a service costs the control core: nanoseconds of one core a banner, and the time to start.
 *
 *     detect_bench [ROUNDS [FILE...]]
 *
 * The banners are those examples of the fingerprints (FILE, by default the ones that come along) that are whole
 * banners, in turns. Run by bench/report.py; not part of the scanner.
 */
#include "detect_rule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	DEFAULT_ROUNDS = 5,
	MAX_ROUNDS = 100,
	BANNERS = 1 << 18, /* a round */
};

struct bench {
	struct detect_rules *rules;
	struct detect *detect;
	const struct detect_example **banner;
	unsigned nb;
	uint64_t named, bytes;
};

/* Processor time of this thread: what others take does not count. */
static uint64_t cpu_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int prepare(struct bench *b, char **files, int nb_files, struct dp_error *err) {
	static char shipped[] = CONF_DIR "/fingerprints.txt", *usual[] = {shipped};
	int ret = detect_rules_create(&b->rules);

	if (!nb_files) {
		files = usual;
		nb_files = 1;
	}
	for (int i = 0; !ret && i < nb_files; i++)
		ret = detect_rules_read(b->rules, files[i], err);
	if (ret)
		return ret;
	b->banner = calloc(b->rules->nb_examples + 1u, sizeof(*b->banner));
	for (unsigned i = 0; b->banner && i < b->rules->nb_examples; i++)
		if (b->rules->example[i].field == DETECT_BANNER)
			b->banner[b->nb++] = &b->rules->example[i];
	return b->nb ? 0 : dp_fail(err, true, -1, "no example is a whole banner");
}

static double round_ns(struct bench *b) {
	const uint64_t start = cpu_ns();

	for (unsigned i = 0; i < BANNERS; i++) {
		const struct detect_example *banner = b->banner[i % b->nb];
		const struct detect_rule *rule = &b->rules->rule[banner->rule];
		const uint16_t port = rule->nb_ports ? rule->ports[0].first : 80;
		struct lh_service service;

		b->bytes += banner->n;
		b->named += detect_run(b->detect, DP_PROTO_TCP, port,
			(const uint8_t *)banner->value, banner->n, &service);
	}
	return (double)(cpu_ns() - start) / BANNERS;
}

int main(int argc, char **argv) {
	const int rounds = argc > 1 ? atoi(argv[1]) : DEFAULT_ROUNDS;
	struct dp_error err = {.text = "out of memory"};
	double ns[MAX_ROUNDS];
	struct bench b = {0};
	uint64_t start;

	if (rounds < 1 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: detect_bench [ROUNDS [FILE...]], 1 to %d rounds\n",
			MAX_ROUNDS);
		return EXIT_FAILURE;
	}
	start = cpu_ns();
	if (prepare(&b, argv + 2, argc > 2 ? argc - 2 : 0, &err)
		|| detect_create(b.rules, &b.detect, &err)) {
		fprintf(stderr, "detect_bench: %s\n", err.text);
		return EXIT_FAILURE;
	}
	/* Sections and stages as record_bench prints them; what varies stands in lines of its own. */
	printf("naming services\n");
	printf("  (%u fingerprints, read and compiled in %.0f ms)\n", detect_rules_count(b.rules),
		(double)(cpu_ns() - start) / 1e6);
	for (int i = 0; i < rounds; i++)
		ns[i] = round_ns(&b);
	qsort(ns, (size_t)rounds, sizeof(*ns), by_value);
	printf("  (%u kinds of banners, %.0f bytes on average, %.0f%% named)\n", b.nb,
		(double)b.bytes / BANNERS / rounds, 100. * (double)b.named / BANNERS / rounds);
	printf("  a banner  %.1f ns  %.2f M/s  (%.0f to %.0f ns)\n", ns[rounds / 2],
		1e3 / ns[rounds / 2], ns[0], ns[rounds - 1]);
	detect_destroy(b.detect);
	detect_rules_destroy(b.rules);
	free(b.banner);
	return EXIT_SUCCESS;
}
