/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin host with real warden and lanes for a benchmark, and what its processes use.
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <lh/host.h>

struct rig_params {
	const char *type; /* of the plugin: "scan", "detection" */
	const char *manifest; /* more of it; NULL: nothing */
	const char *lua;
	const char *banner; /* of each result; NULL: none */
	uint32_t first_ip; /* IPv4 addresses of results, in turn */
	unsigned nb_ips;
	unsigned copies; /* of the plugin; 0 is 1 */
};

struct rig {
	struct rig_params params;
	char base[64];
	struct lh_plugin *plugin[LH_MAX_PLUGINS];
	struct lh_enabled enabled[LH_MAX_PLUGINS];
	struct lh_range scope[2];
	struct lh_host *host;
	uint64_t answered, good;
	uint64_t nb_results; /* of the sequence */
	bool phase_ended;
	enum lh_status phase_status;
	double ready_s; /* from the call that starts it to all plugins ready */
};

struct rig *rig_start(const struct rig_params *params);
void rig_stop(struct rig *rig);

/* One turn of the control core; naps where there was nothing and @nap says so. */
void rig_turn(struct rig *rig, bool nap);

/* Submit @n results to plugin 0 and wait for all answers. */
void rig_offer(struct rig *rig, uint64_t n, bool nap);

struct use {
	double cpu_s; /* of all lanes */
	double warden_cpu_s;
	double rss_mb, pss_mb; /* of all lanes */
	double warden_rss_mb, warden_pss_mb;
	unsigned lanes; /* spares included */
	double most_rss_mb, most_pss_mb; /* of the lane that has the most */
};

struct use rig_use(void);

double seconds(void);

#endif
