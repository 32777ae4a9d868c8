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
	FIRST_IP = 0xc6120000, /* 198.18.0.0 */
	ADDRESSES = 256,
	BATCH = 256,
};

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
	unsigned foreign; /* from outside the space, or of another kind */
};

static struct dp_space *make_space(
	uint32_t first, uint32_t last, const uint16_t *port, unsigned nb_ports) {
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
		.port = "sim",
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
	uint64_t index;

	if (!dp_space_find(rig->space, answer->ip, answer->port, &index)) {
		rig->foreign++;
		return;
	}
	rig->distinct += rig->answers[index]++ == 0;
	rig->right += dp_sim_truth(&rig->params.sim, answer->ip, answer->port)
		== (open ? DP_SIM_OPEN : DP_SIM_CLOSED);
}

static unsigned collect(struct rig *rig) {
	struct dp_answer answer[BATCH];
	unsigned n = dp_engine_collect(rig->engine, answer, BATCH);

	for (unsigned i = 0; i < n; i++)
		take_state(rig, &answer[i]);
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

static unsigned truths(const struct rig *rig, uint32_t first, uint32_t last, const uint16_t *port,
	unsigned nb_ports) {
	unsigned n = 0;

	for (uint32_t ip = first; ip <= last; ip++)
		for (unsigned i = 0; i < nb_ports; i++)
			n += dp_sim_truth(&rig->params.sim, ip, port[i]) != DP_SIM_SILENT;
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
	const uint32_t first = FIRST_IP + 64, last = FIRST_IP + 127;
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
	dp_engine_release(rig.engine, narrow, (struct dp_slice){0, dp_space_count(narrow)});
	/* Too late for another. */
	dp_engine_release(rig.engine, NULL, rig.params.slice);
	wait_phase(&rig, DP_PHASE_SENT);
	wanted = truths(&rig, first, last, fewer, 2);
	while (rig.distinct < wanted) {
		collect(&rig);
		nap();
	}
	linger(&rig);
	cr_assert_eq(rig.distinct, wanted);
	cr_assert_eq(rig.right, wanted);
	for (uint32_t ip = FIRST_IP; ip < FIRST_IP + ADDRESSES; ip++)
		for (unsigned i = 0; i < PORTS; i++) {
			const bool planned = ip >= first && ip <= last && ports[i] != 21;
			uint64_t index;

			cr_assert(dp_space_find(rig.space, ip, ports[i], &index));
			cr_assert_eq(rig.answers[index],
				planned
					&& dp_sim_truth(&rig.params.sim, ip, ports[i])
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
	dp_engine_release(rig.engine, NULL, (struct dp_slice){100, 133});
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
	dp_engine_release(rig.engine, NULL, rig.params.slice);
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
	linger(&rig);
	dp_engine_release(rig.engine, NULL, rig.params.slice);
	wait_phase(&rig, DP_PHASE_SENT);
	stats = stats_of(&rig);
	cr_assert_eq(stats.probes_sent, 101);
	/* A slower machine takes longer; only a bucket with savings could be faster. */
	cr_assert_geq(stats.sending_ns, 49000000);
	end(&rig);
}
