/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole engine against the simulated network: what is held, released, stopped, and what comes back,
 * held against the network's truth. Each test is a process of its own, as EAL starts once in one.
 */
#include <dp/engine.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ADDRESSES = 256,
	BATCH = 256,
};

#define FIRST_IP dp_ip_v4(0xc6120000) /* 198.18.0.0 */

static const uint16_t ports[] = {21, 22, 80};
enum {
	PORTS = sizeof(ports) / sizeof(ports[0]),
	PAIRS = ADDRESSES * PORTS,
};

/* One engine, and what it was made of. */
struct rig {
	struct dp_params params;
	struct dp_plan plan;
	struct dp_engine *engine;
	struct dp_space *space;
	unsigned answers[PAIRS]; /* kind STATE, of each pair of the whole space */
	unsigned right; /* of them with the true state */
	unsigned distinct;
	unsigned foreign; /* from outside the space */
	unsigned singles; /* kind PROBE */
	struct dp_answer single; /* the latest of them */
	unsigned banners[PAIRS]; /* kind BANNER, of each pair */
	unsigned distinct_banners, wrong_banners, ends;
};

static struct dp_space *make_space(
	dp_ip first, dp_ip last, const uint16_t *port, unsigned nb_ports) {
	struct dp_ipset *addresses;
	struct dp_space *space;

	cr_assert_eq(dp_ipset_create(&addresses), 0);
	cr_assert_eq(dp_ipset_add(addresses, first, last), 0);
	dp_ipset_seal(addresses);
	cr_assert_eq(dp_space_create(addresses, port, nb_ports, &space), 0);
	dp_ipset_destroy(addresses);
	return space;
}

static struct rig make_rig(void) {
	struct rig rig = {.space = make_space(FIRST_IP, FIRST_IP + ADDRESSES - 1, ports, PORTS)};

	rig.params = (struct dp_params){
		.space = rig.space,
		.slice = {0, PAIRS},
		.seed = 7,
		.key = {"sixteen letters"},
		.type = dp_scan_find("syn"),
		.probes = 1,
		.ports = {{.port = "sim"}},
		.nb_ports = 1,
		.source_port_first = 40000,
		.source_port_last = 48191,
		.hugepages = DP_HUGEPAGES_OFF,
		.sim = {.alive = 0.9, .open = 0.5, .rtt_us = 1000, .jitter_us = 500, .seed = 3},
	};
	return rig;
}

static void create(struct rig *rig) {
	struct dp_error err;

	cr_assert_eq(dp_plan_make(&rig->params, &rig->plan, &err), 0, "%s", err.text);
	cr_assert_eq(
		dp_engine_create(&rig->params, &rig->plan, &rig->engine, &err), 0, "%s", err.text);
}

static void start(struct rig *rig) {
	struct dp_error err;

	cr_assert_eq(dp_engine_start(rig->engine, &err), 0, "%s", err.text);
}

static void nap(void) {
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void take_state(struct rig *rig, const struct dp_answer *answer) {
	const bool open = answer->state == DP_STATE_OPEN;
	dp_u128 index;

	if (!dp_space_find(rig->space, answer->ip, answer->port, &index)) {
		rig->foreign++;
		return;
	}
	rig->distinct += rig->answers[index]++ == 0;
	rig->right += dp_sim_port(&rig->params.sim, DP_PROTO_TCP, answer->ip, answer->port)
		== (open ? DP_SIM_OPEN : DP_SIM_CLOSED);
}

/* What the simulated network says to our hello there, cut as we want it. */
static unsigned true_banner(const struct rig *rig, dp_ip ip, uint16_t port, uint8_t *banner) {
	const char *hello = port == 80 ? "GET / HTTP/1.0\r\n\r\n" : "";
	unsigned n = 0;

	if (dp_sim_port(&rig->params.sim, DP_PROTO_TCP, ip, port) == DP_SIM_OPEN)
		n = dp_sim_banner(&rig->params.sim, ip, port, (const uint8_t *)hello,
			(unsigned)strlen(hello), banner);
	return n < rig->params.banner.max_bytes ? n : rig->params.banner.max_bytes;
}

static void take_banner(struct rig *rig, const struct dp_answer *answer) {
	uint8_t banner[DP_SIM_BANNER_BYTES];
	unsigned n = true_banner(rig, answer->ip, answer->port, banner);
	dp_u128 index;

	if (!dp_space_find(rig->space, answer->ip, answer->port, &index)) {
		rig->foreign++;
		return;
	}
	/* The end of one, by itself. */
	if (answer->banner_bytes == 0) {
		rig->ends++;
		rig->wrong_banners += answer->banner_at != n || !answer->banner_last;
		return;
	}
	rig->distinct_banners += rig->banners[index]++ == 0;
	rig->wrong_banners += answer->state != DP_STATE_OPEN || answer->banner_bytes != n
		|| memcmp(answer->banner, banner, n) != 0;
}

static unsigned collect(struct rig *rig) {
	struct dp_answer answer[BATCH];
	unsigned n = dp_engine_collect(rig->engine, answer, BATCH);

	for (unsigned i = 0; i < n; i++) {
		if (answer[i].kind == DP_ANSWER_STATE) {
			take_state(rig, &answer[i]);
			continue;
		}
		if (answer[i].kind == DP_ANSWER_BANNER) {
			take_banner(rig, &answer[i]);
			continue;
		}
		cr_assert_eq(answer[i].kind, DP_ANSWER_PROBE);
		rig->singles++;
		rig->single = answer[i];
	}
	return n;
}

/* Wait for a phase; a test that waits for what does not come is ended by criterion's timeout. */
static void wait_phase(struct rig *rig, enum dp_phase phase) {
	while (dp_engine_phase(rig->engine) != phase) {
		collect(rig);
		nap();
	}
}

/* Collect for a while in which nothing further is expected to come. */
static void linger(struct rig *rig) {
	for (unsigned i = 0; i < 100; i++) {
		collect(rig);
		nap();
	}
}

static struct dp_stats stats_of(const struct rig *rig) {
	struct dp_stats stats;

	dp_engine_stats(rig->engine, &stats);
	return stats;
}

static unsigned truths(
	const struct rig *rig, dp_ip first, dp_ip last, const uint16_t *port, unsigned nb_ports) {
	unsigned n = 0;

	for (dp_ip ip = first; ip <= last; ip++)
		for (unsigned i = 0; i < nb_ports; i++)
			n += dp_sim_port(&rig->params.sim, DP_PROTO_TCP, ip, port[i])
				!= DP_SIM_SILENT;
	return n;
}

static unsigned true_banners(const struct rig *rig) {
	uint8_t banner[DP_SIM_BANNER_BYTES];
	unsigned n = 0;

	for (dp_ip ip = FIRST_IP; ip < FIRST_IP + ADDRESSES; ip++)
		for (unsigned i = 0; i < PORTS; i++)
			n += true_banner(rig, ip, ports[i], banner) > 0;
	return n;
}

static void end(struct rig *rig) {
	dp_engine_stop(rig->engine);
	dp_engine_destroy(rig->engine);
	dp_space_destroy(rig->space);
}

TestSuite(engine, .timeout = 60);

/* Without a hold nobody has to release anything. */
Test(engine, does_not_hold_unless_told) {
	struct rig rig = make_rig();
	struct dp_stats stats;

	create(&rig);
	start(&rig);
	wait_phase(&rig, DP_PHASE_SENT);
	while (rig.distinct < truths(&rig, FIRST_IP, FIRST_IP + ADDRESSES - 1, ports, PORTS)) {
		collect(&rig);
		nap();
	}
	stats = stats_of(&rig);
	cr_assert_eq(stats.probes_sent, PAIRS);
	cr_assert_eq(rig.right, rig.distinct);
	cr_assert_eq(rig.foreign, 0);
	end(&rig);
}

/* Held: not one probe. Released with a narrower space: each of its pairs, and none of the others. */
static void hold_and_narrow(unsigned tx_lcores, unsigned rx_lcores) {
	static const uint16_t fewer[] = {22, 80};
	const dp_ip first = FIRST_IP + 64, last = FIRST_IP + 127;
	struct rig rig = make_rig();
	struct dp_space *narrow;
	struct dp_stats stats;
	unsigned wanted;

	rig.params.hold = true;
	rig.params.tx_lcores = tx_lcores;
	rig.params.rx_lcores = rx_lcores;
	create(&rig);
	start(&rig);
	wait_phase(&rig, DP_PHASE_HELD);
	linger(&rig);
	cr_assert_eq(dp_engine_phase(rig.engine), DP_PHASE_HELD);
	cr_assert_eq(stats_of(&rig).sim_probes, 0);

	narrow = make_space(first, last, fewer, 2);
	dp_engine_release(rig.engine, narrow, (struct dp_slice){0, dp_space_count(narrow)}, NULL);
	/* Too late for another. */
	dp_engine_release(rig.engine, NULL, rig.params.slice, NULL);
	wait_phase(&rig, DP_PHASE_SENT);
	wanted = truths(&rig, first, last, fewer, 2);
	while (rig.distinct < wanted) {
		collect(&rig);
		nap();
	}
	linger(&rig);
	cr_assert_eq(rig.distinct, wanted);
	cr_assert_eq(rig.right, wanted);
	for (dp_ip ip = FIRST_IP; ip < FIRST_IP + ADDRESSES; ip++)
		for (unsigned i = 0; i < PORTS; i++) {
			const bool planned = ip >= first && ip <= last && ports[i] != 21;
			dp_u128 index;

			cr_assert(dp_space_find(rig.space, ip, ports[i], &index));
			cr_assert_eq(rig.answers[index],
				planned
					&& dp_sim_port(&rig.params.sim, DP_PROTO_TCP, ip, ports[i])
						!= DP_SIM_SILENT);
		}
	stats = stats_of(&rig);
	cr_assert_eq(stats.probes_sent, 128);
	cr_assert_eq(stats.sim_probes, 128);
	cr_assert_eq(stats.sim_bad, 0);
	end(&rig);
	dp_space_destroy(narrow);
}

Test(engine, holds_and_narrows) {
	hold_and_narrow(0, 0);
}

Test(engine, holds_and_narrows_on_several_lcores) {
	hold_and_narrow(3, 2);
}

/* A part of the space as created, released before the lcores run. */
Test(engine, released_early_with_a_slice) {
	struct rig rig = make_rig();

	rig.params.hold = true;
	rig.params.tx_lcores = 2;
	create(&rig);
	dp_engine_release(rig.engine, NULL, (struct dp_slice){100, 133}, NULL);
	start(&rig);
	wait_phase(&rig, DP_PHASE_SENT);
	linger(&rig);
	cr_assert_eq(stats_of(&rig).probes_sent, 33);
	cr_assert_eq(stats_of(&rig).sim_probes, 33);
	end(&rig);
}

/* What was stopped while it was held sends nothing, whenever it is released. */
Test(engine, stopped_while_held) {
	struct rig rig = make_rig();

	rig.params.hold = true;
	create(&rig);
	start(&rig);
	wait_phase(&rig, DP_PHASE_HELD);
	dp_engine_stop_sending(rig.engine);
	wait_phase(&rig, DP_PHASE_SENT);
	dp_engine_release(rig.engine, NULL, rig.params.slice, NULL);
	linger(&rig);
	cr_assert_eq(dp_engine_phase(rig.engine), DP_PHASE_SENT);
	cr_assert_eq(stats_of(&rig).sim_probes, 0);
	end(&rig);
}

/* The rate of a released engine is the rate from its first probe: waiting has earned nothing. */
Test(engine, hold_earns_nothing) {
	struct rig rig = make_rig();
	struct dp_stats stats;

	rig.params.hold = true;
	rig.params.rate_pps = 2000; /* a bucket of 4 ms holds 9 */
	rig.params.slice = (struct dp_slice){0, 101};
	create(&rig);
	start(&rig);
	wait_phase(&rig, DP_PHASE_HELD);
	/* Single probes make the bucket run before that. */
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(dp_engine_probe(rig.engine, DP_PROTO_TCP, FIRST_IP, 80));
		nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
	}
	dp_engine_release(rig.engine, NULL, rig.params.slice, NULL);
	wait_phase(&rig, DP_PHASE_SENT);
	stats = stats_of(&rig);
	cr_assert_eq(stats.single_probes, 2);
	cr_assert_eq(stats.probes_sent, 101);
	/* A slower machine takes longer; only a bucket with savings could be faster. */
	cr_assert_geq(stats.sending_ns, 49000000);
	end(&rig);
}

/* A single probe's answer is its own: the truth, and nothing in the scan's account. */
static void probe_all(struct rig *rig, uint16_t port, uint32_t count) {
	for (dp_ip ip = FIRST_IP; ip < FIRST_IP + count; ip++) {
		enum dp_sim_state truth = dp_sim_port(&rig->params.sim, DP_PROTO_TCP, ip, port);
		unsigned before = rig->singles;
		uint64_t sent = stats_of(rig).single_probes;

		cr_assert(dp_engine_probe(rig->engine, DP_PROTO_TCP, ip, port));
		while (stats_of(rig).single_probes == sent)
			nap();
		while (truth != DP_SIM_SILENT && rig->singles == before) {
			collect(rig);
			nap();
		}
		if (truth == DP_SIM_SILENT)
			continue;
		cr_assert_eq(rig->single.ip, ip);
		cr_assert_eq(rig->single.port, port);
		cr_assert_eq(
			rig->single.state, truth == DP_SIM_OPEN ? DP_STATE_OPEN : DP_STATE_CLOSED);
	}
}

static void single_probes(unsigned tx_lcores, unsigned rx_lcores) {
	const dp_ip last = FIRST_IP + ADDRESSES - 1;
	/* One port of the space, one that is not in it. */
	static const uint16_t port[] = {80, 9999};
	struct rig rig = make_rig();
	struct dp_stats stats;
	unsigned wanted;

	rig.params.hold = true;
	rig.params.tx_lcores = tx_lcores;
	rig.params.rx_lcores = rx_lcores;
	create(&rig);
	cr_assert_not(
		dp_engine_probe(rig.engine, DP_PROTO_TCP, FIRST_IP, 80), "not before it runs");
	start(&rig);
	wait_phase(&rig, DP_PHASE_HELD);
	cr_assert_not(dp_engine_probe(rig.engine, DP_PROTO_TCP, FIRST_IP - 1, 80));
	cr_assert_not(dp_engine_probe(rig.engine, DP_PROTO_TCP, last + 1, 80));
	for (unsigned i = 0; i < 2; i++)
		probe_all(&rig, port[i], 20);
	cr_assert_eq(rig.distinct, 0);
	stats = stats_of(&rig);
	cr_assert_eq(stats.probes_sent, 0);
	cr_assert_eq(stats.single_probes, 40);
	cr_assert_eq(stats.single_answers, rig.singles);
	cr_assert_eq(stats.responses[DP_RESPONSE_SYN_ACK] + stats.responses[DP_RESPONSE_RST], 0);

	/* The scan's own answers are none the fewer for it, and single probes go on after it. */
	dp_engine_release(rig.engine, NULL, rig.params.slice, NULL);
	wait_phase(&rig, DP_PHASE_SENT);
	probe_all(&rig, 80, 20);
	wanted = truths(&rig, FIRST_IP, last, ports, PORTS);
	while (rig.distinct < wanted) {
		collect(&rig);
		nap();
	}
	linger(&rig);
	stats = stats_of(&rig);
	cr_assert_eq(stats.probes_sent, PAIRS);
	cr_assert_eq(
		stats.responses[DP_RESPONSE_SYN_ACK] + stats.responses[DP_RESPONSE_RST], wanted);
	cr_assert_eq(stats.single_probes, 60);
	cr_assert_eq(stats.single_answers, rig.singles);
	cr_assert_eq(rig.singles,
		truths(&rig, FIRST_IP, FIRST_IP + 19, port, 2)
			+ truths(&rig, FIRST_IP, FIRST_IP + 19, port, 1));
	cr_assert_eq(stats.rejected, 0);
	cr_assert_eq(stats.sim_probes, PAIRS + 60);
	end(&rig);
}

Test(engine, single_probes) {
	single_probes(0, 0);
}

Test(engine, single_probes_on_several_lcores) {
	single_probes(2, 2);
}

/* An address within the hull of the space that is not in it, as an excluded one is. */
Test(engine, single_probes_keep_to_the_space) {
	struct rig rig = make_rig();
	struct dp_ipset *addresses;

	cr_assert_eq(dp_ipset_create(&addresses), 0);
	cr_assert_eq(dp_ipset_add(addresses, FIRST_IP, FIRST_IP + 9), 0);
	cr_assert_eq(dp_ipset_add(addresses, FIRST_IP + 11, FIRST_IP + 20), 0);
	dp_ipset_seal(addresses);
	dp_space_destroy(rig.space);
	cr_assert_eq(dp_space_create(addresses, ports, PORTS, &rig.space), 0);
	dp_ipset_destroy(addresses);
	rig.params.space = rig.space;
	rig.params.slice.end = dp_space_count(rig.space);
	rig.params.hold = true;
	create(&rig);
	start(&rig);
	wait_phase(&rig, DP_PHASE_HELD);
	for (dp_ip ip = FIRST_IP - 3; ip < FIRST_IP + 24; ip++)
		cr_assert_eq(dp_engine_probe(rig.engine, DP_PROTO_TCP, ip, 80),
			ip >= FIRST_IP && ip <= FIRST_IP + 20 && ip != FIRST_IP + 10);
	linger(&rig);
	cr_assert_eq(stats_of(&rig).sim_probes, 20);
	end(&rig);
}

/* They take the rate's tokens, wait for them in a bounded queue, and go before the scan's own. */
Test(engine, single_probes_within_the_rate) {
	struct rig rig = make_rig();
	struct timespec begin, now;
	struct dp_stats before, after;
	unsigned queued = 0;

	rig.params.rate_pps = 1000;
	create(&rig);
	start(&rig);
	/* The scan is under way, so that the bucket holds no more than its 5 probes. */
	while (stats_of(&rig).probes_sent < 2)
		nap();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (queued < 100000 && dp_engine_probe(rig.engine, DP_PROTO_TCP, FIRST_IP, 80))
		queued++;
	cr_assert_lt(queued, 100000, "the queue has no end");
	cr_assert_geq(queued, 100);
	before = stats_of(&rig);
	do {
		nap();
		after = stats_of(&rig);
	} while (after.single_probes < 100);
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* At 1.1 times the rate, what a pause of up to 50 ms is paid back at, and the bucket's 5. */
	cr_assert_geq((double)(now.tv_sec - begin.tv_sec) * 1e3
			+ (double)(now.tv_nsec - begin.tv_nsec) / 1e6,
		(100 - 5) / 1.1);
	/* As long as some wait, the scan sends only what it had taken tokens for. */
	if (after.single_probes < queued)
		cr_assert_leq(after.probes_sent - before.probes_sent, 5);
	end(&rig);
}

/* Every open port's banner, as it is or cut, and each state as without them. */
static void banners(uint16_t max_bytes, unsigned tx_lcores, unsigned rx_lcores) {
	const dp_ip last = FIRST_IP + ADDRESSES - 1;
	struct rig rig = make_rig();
	struct dp_stats stats;
	unsigned wanted;

	rig.params.sim.banners = true;
	rig.params.banner.enable = true;
	rig.params.banner.max_bytes = max_bytes;
	rig.params.tx_lcores = tx_lcores;
	rig.params.rx_lcores = rx_lcores;
	create(&rig);
	start(&rig);
	wanted = true_banners(&rig);
	cr_assert_gt(wanted, 100);
	while (rig.distinct_banners < wanted
		|| rig.distinct < truths(&rig, FIRST_IP, last, ports, PORTS)) {
		collect(&rig);
		nap();
	}
	/* Single probes are not said hello to. */
	probe_all(&rig, 80, 20);
	linger(&rig);
	stats = stats_of(&rig);
	cr_assert_eq(rig.distinct_banners, wanted);
	cr_assert_eq(rig.wrong_banners, 0);
	cr_assert_eq(rig.right, rig.distinct);
	cr_assert_eq(rig.foreign, 0);
	for (unsigned i = 0; i < PAIRS; i++)
		cr_assert_leq(rig.banners[i], 1);
	cr_assert_eq(stats.banners, wanted);
	cr_assert_eq(stats.rejected, 0);
	cr_assert_eq(stats.sim_bad, 0);
	cr_assert_eq(stats.zero_window, 0);
	cr_assert_eq(stats.lost_reply_dropped, 0);
	cr_assert_eq(rig.ends > 0, max_bytes > 200);
	/* A hello each, a reset for each banner, its end, and each single SYN-ACK. */
	wanted += stats.responses[DP_RESPONSE_SYN_ACK] + rig.ends;
	cr_assert_geq(stats.replies_sent, wanted);
	cr_assert_leq(stats.replies_sent, wanted + stats.single_answers);
	end(&rig);
}

Test(engine, banners) {
	banners(512, 0, 0);
}

Test(engine, banners_on_several_lcores) {
	banners(512, 2, 2);
}

Test(engine, banners_are_cut) {
	banners(10, 0, 0);
}

/* Each repeated SYN-ACK is said hello to, as the first hello may have been lost. */
Test(engine, banners_of_repeated_answers) {
	struct rig rig = make_rig();
	struct dp_stats stats;

	rig.params.sim.banners = true;
	rig.params.sim.duplicate = 1;
	rig.params.banner.enable = true;
	rig.params.banner.max_bytes = 512;
	create(&rig);
	start(&rig);
	while (stats_of(&rig).banners < 4 * true_banners(&rig)) {
		collect(&rig);
		nap();
	}
	linger(&rig);
	stats = stats_of(&rig);
	/* Two SYN-ACKs, a hello to each, two banners to each of these. */
	cr_assert_eq(stats.banners, 4 * true_banners(&rig));
	cr_assert_eq(rig.wrong_banners, 0);
	cr_assert_eq(stats.sim_bad, 0);
	end(&rig);
}

/* Without them SYN-ACKs are reset, and nobody says anything. */
Test(engine, no_banners_unless_asked) {
	struct rig rig = make_rig();
	struct dp_stats stats;

	rig.params.sim.banners = true;
	create(&rig);
	start(&rig);
	while (rig.distinct < truths(&rig, FIRST_IP, FIRST_IP + ADDRESSES - 1, ports, PORTS)) {
		collect(&rig);
		nap();
	}
	linger(&rig);
	stats = stats_of(&rig);
	cr_assert_eq(rig.distinct_banners, 0);
	cr_assert_eq(stats.banners, 0);
	cr_assert_eq(stats.replies_sent, stats.responses[DP_RESPONSE_SYN_ACK]);
	end(&rig);
}

/* Hellos and their resets take the rate's tokens: probes wait for them. */
static void banners_within_the_rate(unsigned tx_lcores, unsigned rx_lcores) {
	struct rig rig = make_rig();
	struct timespec begin, now;
	struct dp_stats stats;
	double ms;

	rig.params.rate_pps = 2000;
	rig.params.sim = (struct dp_sim_params){
		.alive = 1, .open = 1, .rtt_us = 1000, .seed = 3, .banners = true};
	rig.params.banner.enable = true;
	rig.params.banner.max_bytes = 512;
	rig.params.tx_lcores = tx_lcores;
	rig.params.rx_lcores = rx_lcores;
	rig.params.slice = (struct dp_slice){0, 200};
	create(&rig);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	start(&rig);
	do {
		collect(&rig);
		nap();
		stats = stats_of(&rig);
	} while (stats.probes_sent < 100);
	wait_phase(&rig, DP_PHASE_SENT);
	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (double)(now.tv_sec - begin.tv_sec) * 1e3
		+ (double)(now.tv_nsec - begin.tv_nsec) / 1e6;
	/* The replies up to the 100th probe were paid for before the last; 1.1 and 9 as above. */
	cr_assert_geq(ms, (double)(200 + stats.replies_sent - 9) / 2.0 / 1.1);
	end(&rig);
}

Test(engine, banners_within_the_rate) {
	banners_within_the_rate(0, 0);
}

Test(engine, banners_within_the_rate_on_two_lcores) {
	banners_within_the_rate(1, 1);
}
