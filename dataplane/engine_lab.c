/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bare engine for tests/lab/banners.sh: one scan through a port, without configuration, dedup and
 * outputs, and what comes back as it comes, repeats included.
 *
 *     engine_lab [-s PORT] DEVICE SOURCE BANNER_BYTES FIRST LAST PORT...
 *
 * DEVICE is what `port` takes; BANNER_BYTES is 0 for none; FIRST to LAST are the addresses. With -s the
 * scan is held until each address has had a single probe of that port and a second to answer. Prints
 *
 *     state IP PORT STATE      single IP PORT STATE      banner IP PORT OFFSET HEX      NAME COUNT
 *
 * and exits 0, or 2 where the plan refuses, 1 where something else fails. One thread. Not part of the
 * scanner.
 */
#include <dp/engine.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 256,
	MAX_PORTS = 64,
	LINGER_MS = 2000,
};

static dp_ip address(const char *text) {
	dp_ip ip;

	if (dp_ip_read(text, strlen(text), &ip)) {
		fprintf(stderr, "engine_lab: %s is no address\n", text);
		exit(1);
	}
	return ip;
}

static int by_number(const void *a, const void *b) {
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static struct dp_space *make_space(dp_ip first, dp_ip last, char **port, int n) {
	uint16_t ports[MAX_PORTS];
	struct dp_ipset *addresses;
	struct dp_space *space = NULL;

	for (int i = 0; i < n && i < MAX_PORTS; i++)
		ports[i] = (uint16_t)atoi(port[i]);
	qsort(ports, (size_t)n, sizeof(ports[0]), by_number);
	if (dp_ipset_create(&addresses) || dp_ipset_add(addresses, first, last))
		return NULL;
	dp_ipset_seal(addresses);
	if (dp_space_create(addresses, ports, (unsigned)n, &space))
		space = NULL;
	dp_ipset_destroy(addresses);
	return space;
}

static void print_answer(const struct dp_answer *answer) {
	static const char *const kinds[] = {
		[DP_ANSWER_STATE] = "state",
		[DP_ANSWER_PROBE] = "single",
		[DP_ANSWER_BANNER] = "banner",
	};
	char text[DP_IP_TEXT_BYTES];

	dp_ip_write(answer->ip, text);
	printf("%s %s %u ", kinds[answer->kind], text, answer->port);
	if (answer->kind == DP_ANSWER_BANNER)
		printf("%u ", answer->banner_at);
	else
		printf("%s", dp_state_name((enum dp_state)answer->state));
	for (unsigned i = 0; i < answer->banner_bytes; i++)
		printf("%02x", answer->banner[i]);
	printf("\n");
}

/* Collect for @ms milliseconds. */
static void collect(struct dp_engine *engine, unsigned ms) {
	struct dp_answer answer[BATCH];

	for (unsigned i = 0; i < ms; i++) {
		unsigned n = dp_engine_collect(engine, answer, BATCH);

		for (unsigned k = 0; k < n; k++)
			print_answer(&answer[k]);
		if (i % 100 == 0)
			dp_engine_tick(engine);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

/* Wait for a phase, or a failure. */
static int wait_phase(struct dp_engine *engine, enum dp_phase phase) {
	while (dp_engine_phase(engine) != phase) {
		if (dp_engine_phase(engine) == DP_PHASE_FAILED) {
			fprintf(stderr, "engine_lab: %s\n", dp_engine_failure(engine));
			return -1;
		}
		collect(engine, 1);
	}
	return 0;
}

static int probe_each(struct dp_engine *engine, dp_ip first, dp_ip last, uint16_t port) {
	if (wait_phase(engine, DP_PHASE_HELD))
		return -1;
	for (dp_ip ip = first; ip <= last; ip++)
		while (!dp_engine_probe(engine, DP_PROTO_TCP, ip, port))
			collect(engine, 1);
	collect(engine, 1000);
	return 0;
}

static void print_counts(const struct dp_engine *engine) {
	struct dp_stats s;

	dp_engine_stats(engine, &s);
	printf("probes_sent %lu\nunresolved %lu\nsingle_probes %lu\nsingle_answers %lu\n",
		s.probes_sent, s.probes_unresolved, s.single_probes, s.single_answers);
	printf("syn_ack %lu\nrst %lu\nrejected %lu\nbanners %lu\nzero_window %lu\nreplies %lu\n",
		s.responses[DP_RESPONSE_SYN_ACK], s.responses[DP_RESPONSE_RST], s.rejected,
		s.banners, s.zero_window, s.replies_sent);
}

int main(int argc, char **argv) {
	struct dp_params params = {
		.source_port_first = 40000,
		.source_port_last = 40999,
		.seed = 1,
		.rate_pps = 2000,
	};
	struct dp_engine *engine;
	struct dp_plan plan;
	struct dp_error err;
	dp_ip first, last, source;
	int single = 0, status = 1;

	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		single = atoi(argv[2]);
		params.hold = true;
		argc -= 2;
		argv += 2;
	}
	if (argc < 7 || argc > 6 + MAX_PORTS) {
		fprintf(stderr,
			"usage: engine_lab [-s PORT] DEVICE SOURCE BANNER_BYTES FIRST LAST "
			"PORT...\n");
		return 1;
	}
	source = address(argv[2]);
	params.type = dp_scan_find("syn");
	params.probes = 1;
	params.nb_ports = 1;
	params.ports[0] = (struct dp_port_params){
		.port = argv[1], .sources = {{source, source}}, .nb_sources = 1};
	params.banner.max_bytes = (uint16_t)atoi(argv[3]);
	params.banner.enable = params.banner.max_bytes > 0;
	first = address(argv[4]);
	last = address(argv[5]);
	params.space = make_space(first, last, argv + 6, argc - 6);
	if (!params.space || getrandom(&params.key, sizeof(params.key), 0) < 0)
		return 1;
	params.slice.end = dp_space_count(params.space);
	if (dp_plan_make(&params, &plan, &err) || dp_engine_create(&params, &plan, &engine, &err)) {
		fprintf(stderr, "engine_lab: %s\n", err.text);
		return err.usage ? 2 : 1;
	}
	if (dp_engine_start(engine, &err)) {
		fprintf(stderr, "engine_lab: %s\n", err.text);
		goto destroy;
	}
	if (single && probe_each(engine, first, last, (uint16_t)single))
		goto stop;
	dp_engine_release(engine, NULL, params.slice, NULL);
	if (wait_phase(engine, DP_PHASE_SENT))
		goto stop;
	collect(engine, LINGER_MS);
	print_counts(engine);
	status = 0;
stop:
	dp_engine_stop(engine);
destroy:
	dp_engine_destroy(engine);
	dp_space_destroy((struct dp_space *)params.space);
	return status;
}
