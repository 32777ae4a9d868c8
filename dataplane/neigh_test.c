/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Next hops, against a simulated link on a simulated clock: hosts that answer, late or never, and
 * others that say what nobody asked.
 */
#include "neigh.h"

#include <criterion/criterion.h>
#include <errno.h>

enum {
	HZ = 1000000, /* a cycle is a microsecond */
	TURN_US = 10, /* between two calls of the driving lcore */
	SLOW_TURN_US = 1000, /* while the scan runs: minutes of it, and nothing is that urgent */
	MAX_ASK = 32,
};

/* Constants: what dp_ip_v4() and dp_ip_v6() make is none to the compiler. */
#define V4(ip) (DP_IP_V4_FIRST | (ip))
#define V6(high, low) ((dp_ip)(uint64_t)(high) << 64 | (uint64_t)(low))

#define GATEWAY V4(0x0a000001) /* 10.0.0.1 */
#define OFF_LINK V4(0xc6336407) /* 198.51.100.7 */

#define GATEWAY_MAC UINT64_C(0x02000000fe01)
#define START_TSC (UINT64_C(1) << 50)

/* A station of the link. */
struct host {
	dp_ip ip;
	unsigned deaf; /* questions that it misses first */
	uint64_t delay_us; /* until it answers */
	uint64_t mac;
	unsigned asked;
	uint64_t due_tsc; /* of its answer; 0: none under way */
};

struct link {
	struct dp_port_plan plan;
	struct dp_ipset *targets;
	struct neigh *neigh;
	uint64_t now_tsc;
	uint64_t turn_us;
	struct host *host;
	unsigned nb_hosts;
	bool all_answer; /* everybody else is there as well, under mac_of() */
	unsigned questions;
	uint64_t asked_tsc; /* when the last question went */
	uint64_t least_gap_us; /* between two questions */
};

/* A hardware address for any host. */
static uint64_t mac_of(dp_ip ip) {
	return UINT64_C(0x020000000000) | (dp_ip_is_v4(ip) ? 0 : UINT64_C(0x600000000))
		| (uint32_t)ip;
}

static uint64_t resolved(uint64_t mac) {
	return mac | NEIGH_RESOLVED;
}

/* The next hop as a frame needs it, without the marks that the table keeps for itself. */
static uint64_t next_hop(const struct link *link, dp_ip ip) {
	return neigh_next_hop(link->neigh, ip) & (NEIGH_MAC | NEIGH_RESOLVED);
}

static void link_up(struct link *link, dp_ip gateway, const struct dp_range *targets,
	unsigned nb_targets, const struct dp_range *onlink, unsigned nb_onlink) {
	*link = (struct link){
		.now_tsc = START_TSC,
		.turn_us = TURN_US,
		.least_gap_us = UINT64_MAX,
	};
	link->plan.v4.used = true;
	link->plan.v4.gateway = gateway;
	link->plan.v4.nb_onlink = nb_onlink;
	for (unsigned i = 0; i < nb_onlink; i++)
		link->plan.v4.onlink[i] = onlink[i];
	cr_assert_eq(dp_ipset_create(&link->targets), 0);
	for (unsigned i = 0; i < nb_targets; i++)
		cr_assert_eq(dp_ipset_add(link->targets, targets[i].first, targets[i].last), 0);
	dp_ipset_seal(link->targets);
	cr_assert_eq(neigh_create(&link->plan, link->targets, true, HZ, &link->neigh), 0);
}

static void link_down(struct link *link) {
	neigh_destroy(link->neigh);
	dp_ipset_destroy(link->targets);
}

static void hear(struct link *link, dp_ip ip) {
	if (link->questions++ && link->now_tsc - link->asked_tsc < link->least_gap_us)
		link->least_gap_us = link->now_tsc - link->asked_tsc;
	link->asked_tsc = link->now_tsc;
	for (unsigned i = 0; i < link->nb_hosts; i++) {
		struct host *host = &link->host[i];

		if (host->ip != ip)
			continue;
		if (++host->asked > host->deaf)
			host->due_tsc = link->now_tsc + host->delay_us;
		return;
	}
	if (link->all_answer)
		neigh_learn(link->neigh, ip, mac_of(ip));
}

/* The link's part of a turn: hosts hear what was asked, and answer what is due. */
static void turn(struct link *link, const dp_ip *ask, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		hear(link, ask[i]);
	for (unsigned i = 0; i < link->nb_hosts; i++) {
		struct host *host = &link->host[i];

		if (host->due_tsc && link->now_tsc >= host->due_tsc) {
			neigh_learn(link->neigh, host->ip, host->mac);
			host->due_tsc = 0;
		}
	}
	link->now_tsc += link->turn_us;
}

static int resolve(struct link *link) {
	const uint64_t patience_tsc = link->now_tsc + 60 * HZ;
	int rc;

	do {
		dp_ip ask[MAX_ASK];
		unsigned n = 99;

		rc = neigh_resolve(link->neigh, link->now_tsc, ask, MAX_ASK, &n);
		cr_assert_leq(n, MAX_ASK);
		turn(link, ask, n);
		cr_assert_lt(link->now_tsc, patience_tsc, "resolving never ends");
	} while (rc == 0);
	link->turn_us = SLOW_TURN_US;
	return rc;
}

static void refresh(struct link *link, uint64_t us) {
	const uint64_t end_tsc = link->now_tsc + us;

	while (link->now_tsc < end_tsc) {
		dp_ip ask[2];

		turn(link, ask, neigh_refresh(link->neigh, link->now_tsc, ask, 2));
	}
}

static double elapsed_ms(const struct link *link) {
	return (double)(link->now_tsc - START_TSC) / 1000;
}

Test(neigh, nothing_to_resolve) {
	const struct dp_range target = {OFF_LINK, OFF_LINK};
	struct link link;

	link_up(&link, 0, &target, 1, NULL, 0);
	cr_assert(neigh_single(link.neigh, true));
	cr_assert_eq(resolve(&link), 1);
	cr_assert_lt(elapsed_ms(&link), 1);
	refresh(&link, 100 * HZ);
	cr_assert_eq(link.questions, 0);
	cr_assert_eq(next_hop(&link, OFF_LINK), NEIGH_UNRESOLVED);
	cr_assert_eq(neigh_unresolved(link.neigh), 0);
	link_down(&link);
}

/* gateway_mac was given: the scan starts at once and nobody can talk us out of it. */
Test(neigh, given_gateway_is_never_asked) {
	static const uint8_t mac[6] = {0x02, 0x00, 0x00, 0x00, 0xfe, 0x01};
	const struct dp_range target = {OFF_LINK, OFF_LINK};
	struct link link;

	link_up(&link, GATEWAY, &target, 1, NULL, 0);
	neigh_destroy(link.neigh);
	link.plan.has_gateway_mac = true;
	memcpy(link.plan.gateway_mac, mac, 6);
	cr_assert_eq(neigh_create(&link.plan, link.targets, true, HZ, &link.neigh), 0);
	cr_assert_eq(resolve(&link), 1);
	refresh(&link, 100 * HZ);
	neigh_learn(link.neigh, GATEWAY, mac_of(GATEWAY));
	cr_assert_eq(link.questions, 0);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	link_down(&link);
}

/* Rounds wait 300, 600, ... 1500 ms: they begin at 0, 300, 900, 1800, 3000 and end at 4500. */
Test(neigh, gateway) {
	static const struct {
		unsigned deaf;
		uint64_t delay_us;
		int rc;
		unsigned asked;
		double ms; /* when it was over */
	} gateway[] = {
		{0, 0, 1, 1, 0},
		{0, 100000, 1, 1, 100},
		{0, 299000, 1, 1, 299},
		{1, 0, 1, 2, 300},
		{2, 0, 1, 3, 900},
		{3, 0, 1, 4, 1800},
		{4, 0, 1, 5, 3000},
		{4, 1400000, 1, 5, 4400}, /* the last moment */
		{5, 0, -EHOSTUNREACH, 5, 4500},
		{4, 1600000, -EHOSTUNREACH, 5, 4500},
	};
	const struct dp_range target = {OFF_LINK, OFF_LINK + 1000};

	for (unsigned i = 0; i < sizeof(gateway) / sizeof(gateway[0]); i++) {
		struct host host
			= {GATEWAY, gateway[i].deaf, gateway[i].delay_us, GATEWAY_MAC, 0, 0};
		struct link link;

		link_up(&link, GATEWAY, &target, 1, NULL, 0);
		link.host = &host;
		link.nb_hosts = 1;
		cr_assert(neigh_single(link.neigh, true));
		cr_assert_eq(next_hop(&link, OFF_LINK), NEIGH_UNRESOLVED);
		cr_assert_eq(resolve(&link), gateway[i].rc, "case %u", i);
		cr_assert_eq(
			host.asked, gateway[i].asked, "case %u: asked %u times", i, host.asked);
		cr_assert_eq(link.questions, host.asked, "somebody else was asked");
		cr_assert_float_eq(elapsed_ms(&link), gateway[i].ms, 1, "case %u", i);
		cr_assert_eq(next_hop(&link, OFF_LINK),
			gateway[i].rc == 1 ? resolved(GATEWAY_MAC) : NEIGH_UNRESOLVED);
		link_down(&link);
	}
}

/* An answer to the first question that comes in the third round still is one. */
Test(neigh, late_answer) {
	const struct dp_range target = {OFF_LINK, OFF_LINK};
	struct link link;
	dp_ip ask[MAX_ASK];
	unsigned n;

	link_up(&link, GATEWAY, &target, 1, NULL, 0);
	while (link.now_tsc < START_TSC + HZ) {
		cr_assert_eq(neigh_resolve(link.neigh, link.now_tsc, ask, MAX_ASK, &n), 0);
		turn(&link, ask, n);
	}
	cr_assert_eq(link.questions, 3);
	neigh_learn(link.neigh, GATEWAY, GATEWAY_MAC);
	cr_assert_eq(resolve(&link), 1);
	cr_assert_eq(link.questions, 3);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	link_down(&link);
}

/* Silent targets cost three rounds, 1.8 s, and not the scan. */
Test(neigh, targets_on_link) {
	struct host host[] = {
		{GATEWAY, 0, 0, GATEWAY_MAC, 0, 0},
		{V4(0x0a000010), 0, 0, 0x02000000aa10, 0, 0},
		{V4(0x0a000011), 1, 1000, 0x02000000aa11, 0, 0},
		{V4(0x0a000012), 2, 800000, 0x02000000aa12, 0, 0},
		{V4(0x0a000013), 3, 0, 0x02000000aa13, 0, 0}, /* would hear a fourth */
		{V4(0x0a000014), 99, 0, 0x02000000aa14, 0, 0},
	};
	static const unsigned asked[] = {1, 1, 2, 3, 3, 3};
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000010), V4(0x0a000014)}, {OFF_LINK, OFF_LINK}};
	struct link link;

	link_up(&link, GATEWAY, targets, 2, &onlink, 1);
	link.host = host;
	link.nb_hosts = sizeof(host) / sizeof(host[0]);
	cr_assert(!neigh_single(link.neigh, true));
	cr_assert_eq(neigh_unresolved(link.neigh), 5);
	cr_assert_eq(resolve(&link), 1);
	cr_assert_float_eq(elapsed_ms(&link), 1800, 2);
	cr_assert_eq(neigh_unresolved(link.neigh), 2);
	for (unsigned i = 0; i < link.nb_hosts; i++)
		cr_assert_eq(
			host[i].asked, asked[i], "host %u was asked %u times", i, host[i].asked);
	for (unsigned i = 1; i < link.nb_hosts; i++)
		cr_assert_eq(next_hop(&link, host[i].ip),
			i < 4 ? resolved(host[i].mac) : NEIGH_UNRESOLVED, "host %u", i);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	/* On link, but no target: nobody asked for it, and nobody sends to it. */
	cr_assert_eq(next_hop(&link, V4(0x0a000020)), resolved(GATEWAY_MAC));
	link_down(&link);
}

/* When all have answered there is nothing to wait for. */
Test(neigh, ends_with_the_last_answer) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	struct link link;

	link_up(&link, GATEWAY, &onlink, 1, &onlink, 1);
	link.all_answer = true;
	cr_assert_eq(resolve(&link), 1);
	/* 257 questions, 50 us apart. */
	cr_assert_lt(elapsed_ms(&link), 14);
	cr_assert_eq(neigh_unresolved(link.neigh), 0);
	link_down(&link);
}

/* Without its gateway the scan can't go on, whoever else is there; targets are asked three times. */
Test(neigh, silent_gateway_among_targets) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000010), V4(0x0a000011)}, {OFF_LINK, OFF_LINK}};

	for (unsigned deaf = 0; deaf <= 5; deaf++) {
		struct host host[] = {
			{GATEWAY, deaf, 0, GATEWAY_MAC, 0, 0},
			{V4(0x0a000010), 0, 0, 0x02000000aa10, 0, 0},
			{V4(0x0a000011), 99, 0, 0x02000000aa11, 0, 0},
		};
		struct link link;

		link_up(&link, GATEWAY, targets, 2, &onlink, 1);
		link.host = host;
		link.nb_hosts = 3;
		cr_assert_eq(resolve(&link), deaf < 5 ? 1 : -EHOSTUNREACH, "deaf %u times", deaf);
		cr_assert_eq(host[0].asked, deaf < 5 ? deaf + 1 : 5);
		cr_assert_eq(host[1].asked, 1);
		cr_assert_eq(host[2].asked, 3);
		link_down(&link);
	}
}

/* ARP is broadcast: 20,000 questions a second at the most, each target once a round. */
Test(neigh, questions_are_paced) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a00ffff)};
	static const struct dp_range target = {V4(0x0a000100), V4(0x0a000100) + 4999};
	struct link link;

	link_up(&link, 0, &target, 1, &onlink, 1);
	cr_assert_eq(resolve(&link), 1);
	cr_assert_eq(link.questions, 3 * 5000);
	cr_assert_geq(link.least_gap_us, 50);
	cr_assert_float_eq(elapsed_ms(&link), 1800 + 3 * 250, 10);
	cr_assert_eq(neigh_unresolved(link.neigh), 5000);
	link_down(&link);
}

/* Nothing is learnt but what was asked for, once for each question. */
Test(neigh, unsolicited) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000010), V4(0x0a000011)}, {OFF_LINK, OFF_LINK}};
	struct host host[] = {
		{GATEWAY, 0, 0, GATEWAY_MAC, 0, 0},
		{V4(0x0a000010), 0, 0, 0x02000000aa10, 0, 0},
	};
	struct link link;

	link_up(&link, GATEWAY, targets, 2, &onlink, 1);
	/* Before any question. */
	neigh_learn(link.neigh, GATEWAY, mac_of(1));
	neigh_learn(link.neigh, V4(0x0a000010), mac_of(2));
	cr_assert_eq(next_hop(&link, OFF_LINK), NEIGH_UNRESOLVED);
	cr_assert_eq(next_hop(&link, V4(0x0a000010)), NEIGH_UNRESOLVED);
	link.host = host;
	link.nb_hosts = 2;
	cr_assert_eq(resolve(&link), 1);
	/* After the answer: who comes second doesn't count. */
	neigh_learn(link.neigh, GATEWAY, mac_of(3));
	neigh_learn(link.neigh, V4(0x0a000010), mac_of(4));
	/* From those that nobody asked: on link, off link, and at both ends. */
	neigh_learn(link.neigh, V4(0x0a000012), mac_of(5));
	neigh_learn(link.neigh, V4(0x0a00000f), mac_of(6));
	neigh_learn(link.neigh, OFF_LINK, mac_of(7));
	neigh_learn(link.neigh, V4(0), mac_of(8));
	neigh_learn(link.neigh, 0, mac_of(8));
	neigh_learn(link.neigh, V4(UINT32_MAX), mac_of(9));
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	cr_assert_eq(next_hop(&link, V4(0x0a000010)), resolved(0x02000000aa10));
	cr_assert_eq(next_hop(&link, V4(0x0a000011)), NEIGH_UNRESOLVED);
	cr_assert_eq(next_hop(&link, V4(0x0a000012)), resolved(GATEWAY_MAC));
	link_down(&link);
}

/* While questions are open, what others say of themselves is no answer to them. */
Test(neigh, answers_of_others) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000010), V4(0x0a000011)}, {OFF_LINK, OFF_LINK}};
	static const dp_ip others[] = {V4(0), V4(0x0a000000), V4(0x0a000002), V4(0x0a00000f),
		V4(0x0a000012), OFF_LINK, V4(UINT32_MAX)};
	struct link link;
	dp_ip ask[MAX_ASK];
	unsigned n;

	link_up(&link, GATEWAY, targets, 2, &onlink, 1);
	while (link.questions < 3) {
		cr_assert_eq(neigh_resolve(link.neigh, link.now_tsc, ask, MAX_ASK, &n), 0);
		turn(&link, ask, n);
	}
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		neigh_learn(link.neigh, others[i], mac_of(others[i]));
	cr_assert_eq(next_hop(&link, OFF_LINK), NEIGH_UNRESOLVED);
	cr_assert_eq(neigh_unresolved(link.neigh), 2);
	neigh_learn(link.neigh, V4(0x0a000011), mac_of(V4(0x0a000011)));
	cr_assert_eq(next_hop(&link, V4(0x0a000011)), resolved(mac_of(V4(0x0a000011))));
	cr_assert_eq(next_hop(&link, V4(0x0a000010)), NEIGH_UNRESOLVED);
	cr_assert_eq(next_hop(&link, OFF_LINK), NEIGH_UNRESOLVED);
	link_down(&link);
}

/* Addresses that no host has, though we asked: a flood of probes to a group would hit everybody. */
Test(neigh, group_addresses_are_ignored) {
	static const uint64_t macs[] = {0, UINT64_C(0xffffffffffff), UINT64_C(0x01005e000001),
		UINT64_C(0x333300000001), UINT64_C(0x030000000000)};
	const struct dp_range target = {OFF_LINK, OFF_LINK};
	struct link link;
	dp_ip ask[MAX_ASK];
	unsigned n;

	link_up(&link, GATEWAY, &target, 1, NULL, 0);
	while (link.questions == 0) {
		neigh_resolve(link.neigh, link.now_tsc, ask, MAX_ASK, &n);
		turn(&link, ask, n);
	}
	for (unsigned i = 0; i < sizeof(macs) / sizeof(macs[0]); i++) {
		neigh_learn(link.neigh, GATEWAY, macs[i]);
		cr_assert_eq(next_hop(&link, OFF_LINK), NEIGH_UNRESOLVED, "address %u", i);
	}
	/* The question is still open. */
	neigh_learn(link.neigh, GATEWAY, GATEWAY_MAC);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	link_down(&link);
}

/* A target that wakes up after the first questions is found by a later one. */
Test(neigh, answer_after_resolving) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range target = {V4(0x0a000010), V4(0x0a000011)};
	struct host host[] = {{V4(0x0a000011), 3, 0, 0x02000000aa11, 0, 0}};
	struct link link;

	link_up(&link, 0, &target, 1, &onlink, 1);
	link.host = host;
	link.nb_hosts = 1;
	cr_assert_eq(resolve(&link), 1);
	cr_assert_eq(neigh_unresolved(link.neigh), 2);
	/* Slower than we waited. */
	neigh_learn(link.neigh, V4(0x0a000010), 0x02000000aa10);
	cr_assert_eq(next_hop(&link, V4(0x0a000010)), resolved(0x02000000aa10));
	refresh(&link, 61 * HZ);
	cr_assert_eq(next_hop(&link, V4(0x0a000011)), resolved(0x02000000aa11));
	cr_assert_eq(neigh_unresolved(link.neigh), 0);
	link_down(&link);
}

/* Every 2 s, on time, and the address stays good meanwhile. */
Test(neigh, refresh_asks_the_gateway) {
	const struct dp_range target = {OFF_LINK, OFF_LINK};
	struct host host = {GATEWAY, 0, 100000, GATEWAY_MAC, 0, 0};
	struct link link;

	link_up(&link, GATEWAY, &target, 1, NULL, 0);
	link.host = &host;
	link.nb_hosts = 1;
	cr_assert_eq(resolve(&link), 1);
	for (unsigned i = 1; i <= 10; i++) {
		const uint64_t before_tsc = i > 1 ? link.asked_tsc : link.now_tsc;

		while (host.asked == i && link.now_tsc < before_tsc + 60 * HZ)
			refresh(&link, SLOW_TURN_US);
		cr_assert_float_eq(
			(double)(link.asked_tsc - before_tsc), 2.0 * HZ, 2 * SLOW_TURN_US);
		cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	}
	cr_assert_eq(link.questions, host.asked);
	link_down(&link);
}

/* Each target once in 60 s, few of them sooner, evenly, however many there are. */
Test(neigh, refresh_spreads_targets) {
	static const unsigned numbers[] = {1, 2, 7, 60, 240, 1800};
	static const double period_s[] = {2, 2, 2, 3, 12, 60};
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a00ffff)};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const unsigned nb = numbers[i];
		const struct dp_range target = {V4(0x0a000100), V4(0x0a000100) + nb - 1};
		const uint64_t period = (uint64_t)(period_s[i] * HZ);
		struct host host[1800];
		struct link link;

		for (unsigned k = 0; k < nb; k++)
			host[k] = (struct host){
				target.first + k, 0, 0, mac_of(target.first + k), 0, 0};
		link_up(&link, 0, &target, 1, &onlink, 1);
		link.host = host;
		link.nb_hosts = nb;
		cr_assert_eq(resolve(&link), 1);
		cr_assert_eq(link.questions, nb);
		link.questions = 0;
		link.least_gap_us = UINT64_MAX;
		/* Three times; each question may be late by a turn. */
		refresh(&link, 3 * period + 3 * nb * SLOW_TURN_US);
		cr_assert_geq(link.questions, 3 * nb, "%u targets", nb);
		cr_assert_leq(link.questions, 3 * nb + 3 + 3 * nb * SLOW_TURN_US / (period / nb),
			"%u targets", nb);
		for (unsigned k = 0; k < nb; k++)
			cr_assert_geq(host[k].asked, 1 + 3, "target %u of %u", k, nb);
		cr_assert_geq(link.least_gap_us, period / nb);
		link_down(&link);
	}
}

/* So many that 60 s do not do: the pace of the first round is kept. */
Test(neigh, refresh_is_paced) {
	static const struct dp_range all
		= {V4(0x0a000000), V4(0x0a1fffff)}; /* 2^21, 35,000 a second */
	struct link link;

	link_up(&link, 0, &all, 1, &all, 1);
	refresh(&link, HZ);
	cr_assert_geq(link.questions, 19900);
	cr_assert_leq(link.questions, 20001);
	cr_assert_geq(link.least_gap_us, 50);
	link_down(&link);
}

/* A question for the gateway and one for a target at the same time, where there is room for one. */
Test(neigh, refresh_keeps_to_its_room) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range target = {V4(0x0a000010), V4(0x0a000013)};
	struct link link;
	dp_ip ask[2] = {0, 0x5a5a5a5a};

	link_up(&link, GATEWAY, &target, 1, &onlink, 1);
	link.all_answer = true;
	cr_assert_eq(resolve(&link), 1);
	link.now_tsc += 20 * HZ;
	cr_assert_eq(neigh_refresh(link.neigh, link.now_tsc, ask, 1), 1);
	cr_assert_eq(ask[0], GATEWAY);
	cr_assert_eq(ask[1], 0x5a5a5a5a);
	cr_assert_eq(neigh_refresh(link.neigh, link.now_tsc, ask, 1), 1);
	cr_assert_eq(ask[0], V4(0x0a000010));
	cr_assert_eq(neigh_refresh(link.neigh, link.now_tsc, ask, 1), 0);
	link_down(&link);
}

/*
 * A new hardware address counts when the old one was silent on a question, a gateway's on four, and we
 * ask again; and only the first that says so.
 */
Test(neigh, changed_address) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000010), V4(0x0a000010)}, {OFF_LINK, OFF_LINK}};
	struct host host[] = {
		{GATEWAY, 0, 0, GATEWAY_MAC, 0, 0},
		{V4(0x0a000010), 0, 0, 0x02000000aa10, 0, 0},
	};
	struct link link;

	link_up(&link, GATEWAY, targets, 2, &onlink, 1);
	link.host = host;
	link.nb_hosts = 2;
	cr_assert_eq(resolve(&link), 1);
	for (unsigned i = 0; i < 2; i++) {
		const dp_ip ask = i ? V4(0x0a000010) : OFF_LINK;
		const uint64_t before = next_hop(&link, ask);

		host[i].mac ^= 0xff00;
		neigh_learn(link.neigh, host[i].ip, host[i].mac);
		cr_assert_eq(next_hop(&link, ask), before, "learnt unasked");
		/* The gateway is asked again after a second, a target in its next turn. */
		refresh(&link, 5 * HZ);
		if (i == 0)
			cr_assert_eq(next_hop(&link, ask), before, "learnt too early");
		refresh(&link, 4 * HZ);
		cr_assert_eq(next_hop(&link, ask), resolved(host[i].mac), "not learnt");
		cr_assert_eq(neigh_moved_gateways(link.neigh), 1);
		cr_assert_eq(neigh_moved_targets(link.neigh), i);
		neigh_learn(link.neigh, host[i].ip, mac_of(1));
		cr_assert_eq(next_hop(&link, ask), resolved(host[i].mac), "learnt twice");
	}
	link_down(&link);
}

/* A next hop that answers keeps its probes, whatever else answers for it, first or last. */
Test(neigh, forged_answers) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000010), V4(0x0a000010)}, {OFF_LINK, OFF_LINK}};
	static const dp_ip hop[] = {GATEWAY, V4(0x0a000010)};
	static const uint64_t mac[] = {GATEWAY_MAC, 0x02000000aa10};
	struct host host[] = {
		{GATEWAY, 0, 0, GATEWAY_MAC, 0, 0},
		{V4(0x0a000010), 0, 0, 0x02000000aa10, 0, 0},
	};
	dp_ip ask[2];
	struct link link;
	unsigned asked = 0;

	link_up(&link, GATEWAY, targets, 2, &onlink, 1);
	link.host = host;
	link.nb_hosts = 2;
	cr_assert_eq(resolve(&link), 1);
	for (unsigned ms = 0; ms < 300 * 1000; ms++, link.now_tsc += HZ / 1000) {
		const unsigned n = neigh_refresh(link.neigh, link.now_tsc, ask, 2);

		for (unsigned i = 0; i < n; i++, asked++) {
			const unsigned h = ask[i] == GATEWAY ? 0 : 1;

			/* A flood around the true answer. */
			neigh_learn(link.neigh, hop[h], mac_of(7));
			neigh_learn(link.neigh, hop[h], mac_of(8));
			neigh_learn(link.neigh, hop[h], mac[h]);
			neigh_learn(link.neigh, hop[h], mac_of(7));
		}
		cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
		cr_assert_eq(next_hop(&link, V4(0x0a000010)), resolved(0x02000000aa10));
	}
	cr_assert_geq(asked, 290);
	cr_assert_leq(asked, 300, "doubt that was settled asks no more often: %u", asked);
	link_down(&link);
}

/* A flood of forged answers, in which three of four true ones of the gateway are lost. */
Test(neigh, lost_answers) {
	static const struct dp_range targets[] = {{OFF_LINK, OFF_LINK}};
	struct host host[] = {{GATEWAY, 0, 0, GATEWAY_MAC, 0, 0}};
	struct link link;
	unsigned asked = 0;
	dp_ip ask[2];

	link_up(&link, GATEWAY, targets, 1, NULL, 0);
	link.host = host;
	link.nb_hosts = 1;
	cr_assert_eq(resolve(&link), 1);
	for (unsigned ms = 0; ms < 300 * 1000; ms++, link.now_tsc += HZ / 1000) {
		if (!neigh_refresh(link.neigh, link.now_tsc, ask, 2))
			continue;
		neigh_learn(link.neigh, GATEWAY, mac_of(7));
		if (++asked % 4 == 0)
			neigh_learn(link.neigh, GATEWAY, GATEWAY_MAC);
		cr_assert_eq(
			next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC), "question %u", asked);
	}
	cr_assert_gt(asked, 50);
	link_down(&link);
}

/* The router is scanned as well: it is a next hop and a target, and each follows its question. */
Test(neigh, gateway_among_the_targets) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000000), V4(0x0a000003)}, {OFF_LINK, OFF_LINK}};
	struct host host[] = {{GATEWAY, 0, 0, GATEWAY_MAC, 0, 0}};
	struct link link;

	link_up(&link, GATEWAY, targets, 2, &onlink, 1);
	link.host = host;
	link.nb_hosts = 1;
	cr_assert_eq(neigh_unresolved(link.neigh), 4);
	cr_assert_eq(resolve(&link), 1);
	cr_assert_eq(neigh_unresolved(link.neigh), 3);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	cr_assert_eq(next_hop(&link, GATEWAY), resolved(GATEWAY_MAC));
	/* A new card in the router: both entries have it after two turns. */
	host[0].mac = 0x02000000fe02;
	refresh(&link, 122 * HZ);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(0x02000000fe02));
	cr_assert_eq(next_hop(&link, GATEWAY), resolved(0x02000000fe02));
	link_down(&link);
}

/* A given gateway among the targets is asked for as a target only. */
Test(neigh, given_gateway_among_the_targets) {
	static const struct dp_range onlink = {V4(0x0a000000), V4(0x0a0000ff)};
	static const struct dp_range targets[]
		= {{V4(0x0a000000), V4(0x0a000003)}, {OFF_LINK, OFF_LINK}};
	static const uint8_t mac[6] = {0x02, 0x00, 0x00, 0x00, 0xfe, 0x01};
	struct link link;

	link_up(&link, GATEWAY, targets, 2, &onlink, 1);
	neigh_destroy(link.neigh);
	link.plan.has_gateway_mac = true;
	memcpy(link.plan.gateway_mac, mac, 6);
	cr_assert_eq(neigh_create(&link.plan, link.targets, true, HZ, &link.neigh), 0);
	link.all_answer = true;
	cr_assert_eq(resolve(&link), 1);
	cr_assert_eq(link.questions, 4);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	cr_assert_eq(next_hop(&link, GATEWAY), resolved(mac_of(GATEWAY)));
	link_down(&link);
}

#define GATEWAY_V6 V6(0xfe80000000000000, 1) /* its subnet need not be in the list */

static bool in_ranges(const struct dp_range *range, unsigned n, dp_ip ip) {
	for (unsigned i = 0; i < n; i++)
		if (ip >= range[i].first && ip <= range[i].last)
			return true;
	return false;
}

/*
 * Targets in many ranges over many prefixes: each that is on link goes to itself, all others to the
 * gateway of their family, at every edge and everywhere between.
 */
static void check_map(const struct dp_range *targets, unsigned nb_targets,
	const struct dp_range *onlink, unsigned nb_onlink, bool everything) {
	struct link link;
	uint64_t on_link = 0;

	link_up(&link, V4(0xcb007101), targets, nb_targets, onlink, nb_onlink);
	neigh_destroy(link.neigh);
	link.plan.v6 = link.plan.v4;
	link.plan.v6.gateway = GATEWAY_V6;
	link.plan.v4.onlink_all = link.plan.v6.onlink_all = everything;
	cr_assert_eq(neigh_create(&link.plan, link.targets, true, HZ, &link.neigh), 0);
	link.all_answer = true;
	cr_assert_eq(resolve(&link), 1);
	for (unsigned i = 0; i < nb_targets; i++) {
		/* With what is on both sides, which nobody asked for. */
		const dp_ip before = targets[i].first - (targets[i].first != 0),
			    after = targets[i].last + (targets[i].last != DP_U128_MAX);

		for (dp_ip ip = before;; ip++) {
			const bool near = everything || in_ranges(onlink, nb_onlink, ip),
				   here = near && dp_ipset_contains(link.targets, ip);
			const dp_ip gateway = dp_ip_is_v4(ip) ? V4(0xcb007101) : GATEWAY_V6;

			on_link += here && ip >= targets[i].first && ip <= targets[i].last;
			cr_assert_eq(neigh_on_link(link.neigh, ip), near);
			cr_assert_eq(next_hop(&link, ip), resolved(mac_of(here ? ip : gateway)),
				"%llx %llx", (unsigned long long)(ip >> 64),
				(unsigned long long)ip);
			if (ip == after)
				break;
		}
	}
	cr_assert_eq(link.questions, on_link + 2, "each once, and the gateways");
	link_down(&link);
}

Test(neigh, ranges_and_prefixes) {
	static const struct dp_range onlink[] = {
		{V4(0x0a000000), V4(0x0a0000ff)},
		{V4(0x0a000200), V4(0x0a0002ff)},
		{V4(0x0a000300), V4(0x0a00030f)},
		{V4(0xfffffff0), V4(0xffffffff)},
	};
	static const struct dp_range targets[] = {
		{V4(0x00000000), V4(0x00000001)},
		{V4(0x09fffff0), V4(0x0a00000f)}, /* into a prefix */
		{V4(0x0a000011), V4(0x0a000011)},
		{V4(0x0a000013), V4(0x0a000020)},
		{V4(0x0a0000f0), V4(0x0a00020f)}, /* out of one and into the next */
		/* Over two that touch, to the last but one address. */
		{V4(0x0a0002ff), V4(0x0a000310)},
		{V4(0x0a000400), V4(0x0a000401)},
		{V4(0xffffffe0), V4(0xffffffff)},
	};

	check_map(targets, 8, onlink, 4, false);
	check_map(targets, 8, onlink, 4, true);
	check_map(targets, 8, NULL, 0, false);
	check_map(targets, 8, NULL, 0, true);
	check_map(targets + 7, 1, onlink + 3, 1, false);
	check_map(targets, 1, onlink, 4, false);
}

/* Below, at and above the IPv4-mapped addresses, which a prefix of IPv6 may lie around. */
Test(neigh, ranges_and_prefixes_of_both_families) {
	static const struct dp_range onlink[] = {
		{0, DP_U128_MAX},
		{V4(0x0a000000), V4(0x0a0000ff)},
		{V6(0x20010db800000000, 0), V6(0x20010db800000000, UINT64_MAX)},
		{V6(0x20010db800000000, 0x100),
			V6(0x20010db800000000, 0x1ff)}, /* in the one above */
		{V6(0x20010db800000001, 0), V6(0x20010db800000001, UINT64_MAX)},
		{V6(0xfe80000000000000, 0), V6(0xfe80000000000000, UINT64_MAX)},
	};
	static const struct dp_range targets[] = {
		{0, 3},
		{V4(0) - 2, V4(0) - 1},
		{V4(0), V4(1)},
		{V4(0x0a0000fe), V4(0x0a000101)},
		{V4(0xfffffffe), V4(0xffffffff)},
		{V4(0xffffffff) + 1, V4(0xffffffff) + 3},
		{V6(0x20010db700000000, UINT64_MAX), V6(0x20010db700000000, UINT64_MAX)},
		{V6(0x20010db800000000, 0), V6(0x20010db800000000, 0x210)},
		{V6(0x20010db800000000, 0xfffffffffffffff0), V6(0x20010db800000001, 0x10)},
		{V6(0xfe80000000000000, 0), V6(0xfe80000000000000, 2)},
		{DP_U128_MAX - 1, DP_U128_MAX},
	};

	check_map(targets, 11, onlink + 1, 5, false);
	check_map(targets, 11, onlink + 1, 5, true);
	check_map(targets, 11, NULL, 0, false);
	check_map(targets, 11, NULL, 0, true);
	check_map(targets + 7, 1, onlink + 3, 1, false);
}

static void both_up(struct link *link, const struct dp_range *targets, unsigned nb_targets) {
	link_up(link, GATEWAY, targets, nb_targets, NULL, 0);
	neigh_destroy(link->neigh);
	link->plan.v6.used = true;
	link->plan.v6.gateway = GATEWAY_V6;
	link->plan.v6.nb_onlink = 1;
	link->plan.v6.onlink[0]
		= (struct dp_range){V6(0x20010db800000000, 0), V6(0x20010db800000000, UINT64_MAX)};
	cr_assert_eq(neigh_create(&link->plan, link->targets, true, HZ, &link->neigh), 0);
}

/* A next hop a family, and the one that is missing is named. */
Test(neigh, two_gateways) {
	static const struct dp_range targets[] = {
		{OFF_LINK, OFF_LINK},
		{V6(0x20010db800000000, 0x10), V6(0x20010db800000000, 0x10)},
		{V6(0x20010db800000001, 0), V6(0x20010db800000001, UINT64_MAX)},
	};

	for (unsigned silent = 0; silent < 3; silent++) {
		struct host host[] = {
			{GATEWAY, silent == 1 ? 99 : 0, 0, GATEWAY_MAC, 0, 0},
			{GATEWAY_V6, silent == 2 ? 99 : 0, 0, 0x02000000fe06, 0, 0},
			{targets[1].first, 1, 0, 0x02000000aa06, 0, 0},
		};
		struct link link;

		both_up(&link, targets, 3);
		link.host = host;
		link.nb_hosts = 3;
		cr_assert(neigh_single(link.neigh, true));
		cr_assert(!neigh_single(link.neigh, false));
		cr_assert_eq(neigh_missing(link.neigh), GATEWAY);
		cr_assert_eq(resolve(&link), silent ? -EHOSTUNREACH : 1, "case %u", silent);
		cr_assert_eq(neigh_missing(link.neigh),
			silent == 0	      ? 0
				: silent == 1 ? GATEWAY
					      : GATEWAY_V6);
		for (unsigned i = 0; i < 2; i++)
			cr_assert_eq(host[i].asked, silent == i + 1 ? 5 : 1);
		cr_assert_eq(host[2].asked, 2);
		cr_assert_eq(neigh_unresolved(link.neigh), 0);
		if (silent != 1)
			cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
		if (silent != 2)
			cr_assert_eq(next_hop(&link, targets[2].last), resolved(0x02000000fe06));
		cr_assert_eq(next_hop(&link, targets[1].first), resolved(0x02000000aa06));
		link_down(&link);
	}
}

/* Each gateway has its own clock: the doubted one is asked every second, the other one is not. */
Test(neigh, two_gateways_are_refreshed) {
	static const struct dp_range targets[] = {
		{OFF_LINK, OFF_LINK},
		{V6(0x20010db800000001, 0), V6(0x20010db800000001, 0)},
	};
	struct host host[] = {
		{GATEWAY, 0, 0, GATEWAY_MAC, 0, 0},
		{GATEWAY_V6, 0, 0, 0x02000000fe06, 0, 0},
	};
	struct link link;

	both_up(&link, targets, 2);
	link.host = host;
	link.nb_hosts = 2;
	cr_assert_eq(resolve(&link), 1);
	refresh(&link, 13 * HZ);
	cr_assert_eq(host[0].asked, 1 + 6);
	cr_assert_eq(host[1].asked, 1 + 6);
	host[1].mac = 0x02000000fe07;
	cr_assert(neigh_gateways_confirmed(link.neigh));
	refresh(&link, HZ + HZ / 2);
	cr_assert(!neigh_gateways_confirmed(link.neigh));
	cr_assert_eq(neigh_moved_gateways(link.neigh), 0);
	refresh(&link, 4 * HZ);
	cr_assert(neigh_gateways_confirmed(link.neigh));
	cr_assert_eq(neigh_moved_gateways(link.neigh), 1);
	cr_assert_eq(host[0].asked, 1 + 6 + 3);
	cr_assert_eq(host[1].asked, 1 + 6 + 5);
	cr_assert_eq(next_hop(&link, OFF_LINK), resolved(GATEWAY_MAC));
	cr_assert_eq(next_hop(&link, targets[1].first), resolved(0x02000000fe07));
	link_down(&link);
}

/* The hardware address that was given is that of both. */
Test(neigh, given_gateway_of_both_families) {
	static const uint8_t mac[6] = {0x02, 0x00, 0x00, 0x00, 0xfe, 0x01};
	static const struct dp_range targets[] = {
		{OFF_LINK, OFF_LINK},
		{V6(0x20010db800000001, 0), V6(0x20010db800000001, 0)},
	};
	struct link link;

	both_up(&link, targets, 2);
	neigh_destroy(link.neigh);
	link.plan.has_gateway_mac = true;
	memcpy(link.plan.gateway_mac, mac, 6);
	cr_assert_eq(neigh_create(&link.plan, link.targets, true, HZ, &link.neigh), 0);
	cr_assert_eq(neigh_missing(link.neigh), 0);
	cr_assert_eq(resolve(&link), 1);
	refresh(&link, 100 * HZ);
	cr_assert_eq(link.questions, 0);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(next_hop(&link, targets[i].first), resolved(GATEWAY_MAC));
	link_down(&link);
}

/* IPv4 by an IPv6 next hop (RFC 8950): one router, an entry for each family. */
Test(neigh, gateway_of_the_other_family) {
	static const struct dp_range targets[] = {
		{OFF_LINK, OFF_LINK},
		{V6(0x20010db800000001, 0), V6(0x20010db800000001, 0)},
	};
	struct link link;

	both_up(&link, targets, 2);
	neigh_destroy(link.neigh);
	link.plan.v4.gateway = GATEWAY_V6;
	cr_assert_eq(neigh_create(&link.plan, link.targets, true, HZ, &link.neigh), 0);
	link.all_answer = true;
	cr_assert_eq(resolve(&link), 1);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(next_hop(&link, targets[i].first), resolved(mac_of(GATEWAY_V6)));
	link_down(&link);
}

/* A family that the port does not use is neither asked for nor on its link. */
Test(neigh, unused_family) {
	static const struct dp_range targets[] = {
		{OFF_LINK, OFF_LINK},
		{V6(0x20010db800000000, 1), V6(0x20010db800000000, 9)},
	};
	struct link link;

	both_up(&link, targets, 2);
	neigh_destroy(link.neigh);
	link.plan.v6.used = false;
	cr_assert_eq(neigh_create(&link.plan, link.targets, true, HZ, &link.neigh), 0);
	link.all_answer = true;
	cr_assert_eq(resolve(&link), 1);
	cr_assert_eq(link.questions, 1);
	cr_assert(!neigh_on_link(link.neigh, targets[1].first));
	cr_assert(neigh_single(link.neigh, false));
	link_down(&link);
}

/* Scan types that ask the targets themselves: only the gateways have entries. */
Test(neigh, without_targets) {
	static const struct dp_range targets[]
		= {{V6(0x20010db800000000, 0), V6(0x20010db800000000, 255)}};
	struct link link;

	both_up(&link, targets, 1);
	neigh_destroy(link.neigh);
	cr_assert_eq(neigh_create(&link.plan, link.targets, false, HZ, &link.neigh), 0);
	link.all_answer = true;
	cr_assert_eq(resolve(&link), 1);
	refresh(&link, HZ);
	cr_assert_eq(link.questions, 2);
	cr_assert_eq(neigh_unresolved(link.neigh), 0);
	cr_assert(neigh_on_link(link.neigh, targets[0].first));
	cr_assert(neigh_on_link(link.neigh, V6(0x20010db800000000, UINT64_MAX)));
	cr_assert(!neigh_on_link(link.neigh, V6(0x20010db800000001, 0)));
	cr_assert(!neigh_on_link(link.neigh, OFF_LINK));
	link_down(&link);
}

/* More targets than any memory has room for. */
Test(neigh, too_many) {
	static const struct dp_range target
		= {V6(0x20010db800000000, 0), V6(0x20010db8ffffffff, UINT64_MAX)};
	struct neigh *neigh;
	struct link link;

	both_up(&link, &(struct dp_range){OFF_LINK, OFF_LINK}, 1);
	dp_ipset_destroy(link.targets);
	cr_assert_eq(dp_ipset_create(&link.targets), 0);
	cr_assert_eq(dp_ipset_add(link.targets, target.first, target.last), 0);
	dp_ipset_seal(link.targets);
	link.plan.v6.onlink_all = true;
	cr_assert_eq(neigh_create(&link.plan, link.targets, true, HZ, &neigh), -ENOMEM);
	link_down(&link);
}

Test(neigh, destroys_nothing) {
	neigh_destroy(NULL);
}
