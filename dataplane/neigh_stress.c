/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbour table between its lcores: one asks, one brings the hosts' own answers, one forged ones,
 * and one looks up. Hosts that answer every question are never replaced, and no look-up sees a word that
 * is half of another.
 */
#include "neigh.h"
#include "stress.h"

enum {
	HOSTS = 64,
	HEARD_HOSTS = 4096,
	HZ = 1000000,
};

#define FIRST_IP (DP_IP_V4_FIRST | 0xc6120000) /* 198.18.0.0 */
#define FORGED UINT64_C(0x020000000000)
#define TRUE_MAC UINT64_C(0x060000000000)

struct run {
	struct neigh *neigh;
	uint64_t items, wrong;
	_Atomic bool over;
	_Atomic uint64_t question[HOSTS], answer[HOSTS]; /* how many, so far */
	uint64_t questions; /* the driver's */
};

/* A hardware address that tells from each half whose it is. */
static uint64_t mac_of(uint64_t base, dp_ip ip) {
	const uint64_t low = (uint64_t)ip & 0xffff;

	return base | low << 16 | low;
}

/* The host's own answer to each question, as an RX lcore takes it. */
static void *answer(void *arg) {
	struct run *run = arg;

	while (!run->over) {
		bool any = false;

		for (unsigned i = 0; i < HOSTS; i++) {
			const uint64_t asked = run->question[i];

			if (run->answer[i] == asked)
				continue;
			any = true;
			neigh_learn(run->neigh, FIRST_IP + i, mac_of(TRUE_MAC, FIRST_IP + i));
			run->answer[i] = asked;
		}
		if (!any)
			sched_yield();
	}
	return NULL;
}

/* The same on another RX lcore, from somebody who hopes to be believed. */
static void *forge(void *arg) {
	struct run *run = arg;

	for (uint64_t n = 0; !run->over; n++) {
		const unsigned i = n % HOSTS;

		/* Where a question is open: the moment that counts. */
		if (run->answer[i] != run->question[i])
			neigh_learn(run->neigh, FIRST_IP + i, mac_of(FORGED, FIRST_IP + i));
		if (n % 1024 == 0)
			sched_yield();
	}
	return NULL;
}

static bool all_answered(struct run *run) {
	for (unsigned i = 0; i < HOSTS; i++)
		if (run->answer[i] != run->question[i])
			return false;
	return true;
}

/* Asks all hosts, and again when the answers of all have come. */
static void *drive(void *arg) {
	struct run *run = arg;
	uint64_t now_tsc = UINT64_C(1) << 50;

	while (!run->over) {
		dp_ip ask[2];

		for (unsigned asked = 0; asked < HOSTS; now_tsc += 60 * HZ / HOSTS + 1) {
			unsigned n = neigh_refresh(run->neigh, now_tsc, ask, 2);

			for (unsigned k = 0; k < n; k++, asked++)
				run->question[ask[k] - FIRST_IP]++;
		}
		run->questions += HOSTS;
		while (!all_answered(run) && !run->over)
			sched_yield();
	}
	return NULL;
}

static struct neigh *make_table(bool targets, unsigned hosts) {
	struct dp_port_plan plan = {.v4 = {.used = true, .nb_onlink = 1}};
	struct dp_ipset *set;
	struct neigh *neigh;

	plan.v4.onlink[0] = (struct dp_range){FIRST_IP, FIRST_IP + hosts - 1};
	if (dp_ipset_create(&set) || dp_ipset_add(set, FIRST_IP, FIRST_IP + hosts - 1))
		exit(1);
	dp_ipset_seal(set);
	if (neigh_create(&plan, set, targets, HZ, &neigh))
		exit(1);
	dp_ipset_destroy(set);
	return neigh;
}

/* Everybody answers before the scan begins. */
static void resolve(struct neigh *neigh) {
	dp_ip ask[32];
	unsigned n;

	for (uint64_t now_tsc = 1000000;; now_tsc += 1000) {
		if (neigh_resolve(neigh, now_tsc, ask, 32, &n))
			return;
		for (unsigned i = 0; i < n; i++)
			neigh_learn(neigh, ask[i], mac_of(TRUE_MAC, ask[i]));
	}
}

static void forged_answers(struct stress_tap *tap) {
	static struct run run;
	void *(*const role[])(void *) = {answer, forge, drive};
	const double began_s = stress_now_s();
	pthread_t thread[3];
	uint64_t looked = 0;

	run.items = stress_items();
	run.neigh = make_table(true, HOSTS);
	resolve(run.neigh);
	for (unsigned i = 0; i < 3; i++)
		if (pthread_create(&thread[i], NULL, role[i], &run))
			exit(1);
	for (; looked < run.items; looked++) {
		const dp_ip ip = FIRST_IP + looked % HOSTS;
		const uint64_t word = neigh_next_hop(run.neigh, ip);

		run.wrong += !(word & NEIGH_RESOLVED) || (word & NEIGH_MAC) != mac_of(TRUE_MAC, ip);
		if (looked % 4096 == 0)
			sched_yield();
	}
	run.over = true;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	stress_rate("neighbour entries, looked up", looked, stress_now_s() - began_s);
	stress_ok(tap, run.wrong == 0 && run.questions > 0,
		"neighbour entries: after %llu questions with forged answers to each, every host "
		"has "
		"its own address",
		(unsigned long long)run.questions);
	neigh_destroy(run.neigh);
}

/* ---- Hosts that were heard ---- */

static void *hear(void *arg) {
	struct run *run = arg;

	for (uint64_t n = 0; !run->over; n++) {
		const dp_ip ip = FIRST_IP + stress_mix(n) % HEARD_HOSTS;

		neigh_hear(run->neigh, ip, mac_of(TRUE_MAC, ip));
		if (n % 4096 == 0)
			sched_yield();
	}
	return NULL;
}

static void heard_hosts(struct stress_tap *tap) {
	static struct run run;
	pthread_t thread[2];
	uint64_t found = 0;
	const double began_s = stress_now_s();

	run.items = stress_items();
	run.neigh = make_table(false, HEARD_HOSTS);
	for (unsigned i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, hear, &run))
			exit(1);
	for (uint64_t n = 0; n < run.items; n++) {
		const dp_ip ip = FIRST_IP + stress_mix(n) % HEARD_HOSTS;
		const uint64_t word = neigh_next_hop(run.neigh, ip);

		found += (word & NEIGH_RESOLVED) != 0;
		run.wrong += word & NEIGH_RESOLVED && (word & NEIGH_MAC) != mac_of(TRUE_MAC, ip);
		if (n % 4096 == 0)
			sched_yield();
	}
	run.over = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	stress_rate("hosts heard, looked up", run.items, stress_now_s() - began_s);
	stress_ok(tap, run.wrong == 0 && found > run.items / 2,
		"hosts heard: a look-up finds the host's own address or none");
	neigh_destroy(run.neigh);
}

int main(void) {
	struct stress_tap tap = {0};

	forged_answers(&tap);
	heard_hosts(&tap);
	return stress_done(&tap);
}
