/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scan with an exception path, without the rest of the scanner, for tests/lab/exception.sh.
 *
 *     exception_lab PORT SOURCE PLUGINS PPS FIRST LAST PORTS RATE [GATEWAY]
 *
 * scans the addresses FIRST to LAST on PORTS (numbers, split at commas) from SOURCE at RATE probes a
 * second, and carries frames for the address PLUGINS (`none`: has no exception path) at no more than
 * PPS a second each way. Prints `tap NAME` or `no tap`, `ready`, one `IP PORT tcp STATE REASON` line
 * an answer (repeats included), `sent`, and at last a line of counters. Ends a second after the last
 * probe, but not before the end of its standard input.
 *
 * One thread beside the engine's. Not part of the scanner.
 */
#include <dp/engine.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 256,
	MAX_PORTS = 64,
	COOLDOWN_MS = 1000,
	TICK_MS = 100,
};

static dp_ip address(const char *text) {
	dp_ip ip;

	if (dp_ip_read(text, strlen(text), &ip) == 0)
		return ip;
	fprintf(stderr, "exception_lab: %s is no IPv4 address\n", text);
	exit(2);
}

static int64_t now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int make_space(const char *first, const char *last, char *list, struct dp_space **space) {
	uint16_t port[MAX_PORTS];
	struct dp_ipset *set;
	unsigned n = 0;
	int rc = dp_ipset_create(&set);

	if (rc)
		return rc;
	for (char *p = strtok(list, ","); p && n < MAX_PORTS; p = strtok(NULL, ","))
		port[n++] = (uint16_t)atoi(p);
	rc = dp_ipset_add(set, address(first), address(last));
	if (rc == 0) {
		dp_ipset_seal(set);
		rc = dp_space_create(set, port, n, space);
	}
	dp_ipset_destroy(set);
	return rc;
}

static bool collect(struct dp_engine *engine) {
	struct dp_answer answer[BATCH];
	unsigned n = dp_engine_collect(engine, answer, BATCH);

	for (unsigned i = 0; i < n; i++) {
		char text[DP_IP_TEXT_BYTES];

		dp_ip_write(answer[i].ip, text);
		printf("%s %u tcp %s %s\n", text, answer[i].port, dp_state_name(answer[i].state),
			dp_reason_name(answer[i].reason));
	}
	return n > 0;
}

/* Nobody writes to our standard input: it is at its end as soon as it can be read. */
static bool input_ended(void) {
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&input, 1, 0) > 0;
}

static int run(struct dp_engine *engine) {
	int64_t sent_ms = 0, tick_ms = 0;

	for (;;) {
		int64_t now = now_ms();
		enum dp_phase phase = dp_engine_phase(engine);

		if (phase == DP_PHASE_FAILED) {
			fprintf(stderr, "exception_lab: %s\n", dp_engine_failure(engine));
			return 1;
		}
		if (phase == DP_PHASE_SENT && sent_ms == 0) {
			sent_ms = now;
			printf("sent\n");
		}
		if (sent_ms && now - sent_ms > COOLDOWN_MS && input_ended())
			return 0;
		if (now - tick_ms > TICK_MS) {
			tick_ms = now;
			dp_engine_tick(engine);
			fflush(stdout);
		}
		if (!collect(engine))
			usleep(200);
	}
}

static void print_stats(const struct dp_engine *engine) {
	struct dp_stats s;

	dp_engine_stats(engine, &s);
	printf("stats sent %" PRIu64 " exception_rx %" PRIu64 " exception_tx %" PRIu64
	       " exception_dropped %" PRIu64 " exception_ignored %" PRIu64 " other %" PRIu64
	       " lost %" PRIu64 "\n",
		s.probes_sent, s.exception_rx, s.exception_tx, s.exception_dropped,
		s.exception_ignored, s.rx_other,
		s.lost_tx_dropped + s.lost_rx_missed + s.lost_rx_no_mbuf + s.lost_ring_full
			+ s.lost_reply_dropped);
}

int main(int argc, char **argv) {
	struct dp_params params = {.source_port_first = 32768, .source_port_last = 49151};
	struct dp_space *space;
	struct dp_engine *engine;
	struct dp_plan plan;
	struct dp_error err = {0};
	int status = 1;
	dp_ip source;

	if (argc != 9 && argc != 10) {
		fprintf(stderr,
			"usage: exception_lab PORT SOURCE PLUGINS|none PPS FIRST LAST PORTS "
			"RATE [GATEWAY]\n");
		return 2;
	}
	source = address(argv[2]);
	params.type = dp_scan_find("syn");
	params.probes = 1;
	params.nb_ports = 1;
	params.ports[0] = (struct dp_port_params){
		.port = argv[1],
		.sources = {{source, source}},
		.nb_sources = 1,
		.gateway4 = argc == 10 ? address(argv[9]) : 0,
	};
	params.exception.ip = strcmp(argv[3], "none") == 0 ? 0 : address(argv[3]);
	params.exception.max_pps = (uint32_t)atoi(argv[4]);
	params.rate_pps = atof(argv[8]);
	if (make_space(argv[5], argv[6], argv[7], &space)
		|| getrandom(&params.key, sizeof(params.key), 0) != sizeof(params.key))
		return 1;
	params.space = space;
	params.slice.end = dp_space_count(space);
	if (dp_plan_make(&params, &plan, &err) || dp_engine_create(&params, &plan, &engine, &err))
		goto out;
	if (plan.exception.on)
		printf("tap %s\n", plan.exception.name);
	else
		printf("no tap\n");
	if (dp_engine_start(engine, &err) == 0) {
		printf("ready\n");
		status = run(engine);
	}
	dp_engine_stop(engine);
	while (collect(engine))
		;
	print_stats(engine);
	dp_engine_destroy(engine);
out:
	if (err.text[0]) {
		fprintf(stderr, "exception_lab: %s\n", err.text);
		status = err.usage ? 2 : 1;
	}
	dp_space_destroy(space);
	return status;
}
