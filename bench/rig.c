/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a plugin host as the control core would. One thread; a rig owns its folder under /tmp, its
 * plugins and its host.
 */
#include "rig.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS = 64, /* as the pipeline */
	QUEUE = 65536,
	NAP_NS = 100 * 1000,
};

double seconds(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- What the host asks ---- */

static void give_record(void *ctx, uint64_t tag, struct lh_record *record) {
	const struct rig_params *params = &((struct rig *)ctx)->params;

	*record = (struct lh_record){.ts_ns = 1000000000 + tag,
		.ip = lh_ip_v4(params->first_ip + (uint32_t)(tag % params->nb_ips)),
		.rtt_us = 412,
		.port = (uint16_t)(tag % 60000 + 1),
		.has_port = true,
		.state = LH_STATE_OPEN,
		.ttl = 64,
		.protocol = "tcp",
		.reason = "syn-ack",
		.banner = params->banner,
		.banner_bytes = params->banner ? (uint32_t)strlen(params->banner) : 0};
}

static unsigned give_targets(void *ctx, uint64_t first, struct lh_target *targets, unsigned max) {
	return 0;
}

static bool give_result(void *ctx, uint64_t index, struct lh_record *record) {
	give_record(ctx, index, record);
	return index < ((struct rig *)ctx)->nb_results;
}

static bool send_probe(void *ctx, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port) {
	return false;
}

static void tell(void *ctx, unsigned level, const char *plugin, const char *text) {
	warnx("%s: %s", plugin ? plugin : "host", text);
}

static const struct lh_host_ops ops
	= {give_record, give_targets, give_result, send_probe, tell, NULL};

/* ---- Beginning and end ---- */

static void write_file(const char *folder, const char *name, const char *text) {
	char path[300];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	if (!out || fputs(text, out) < 0 || fclose(out))
		err(1, "%s", path);
}

static void make_plugin(struct rig *rig, unsigned i) {
	const struct rig_params *params = &rig->params;
	char folder[128], manifest[1024];
	struct lh_error error;

	snprintf(folder, sizeof(folder), "%s/bench%u", rig->base, i);
	if (mkdir(folder, 0755))
		err(1, "%s", folder);
	snprintf(manifest, sizeof(manifest),
		"[plugin]\nname = \"bench%u\"\nversion = \"1.0.0\"\nauthor = \"a\"\n"
		"description = \"d\"\nplugin_type = \"%s\"\n%s",
		i, params->type, params->manifest ? params->manifest : "");
	write_file(folder, "plugin.toml", manifest);
	write_file(folder, "main.lua", params->lua);
	write_file(folder, "README.md", "# Benchmark\n");
	if (lh_plugin_load(folder, "0.1.0", &rig->plugin[i], &error))
		errx(1, "%s", error.text);
	rig->enabled[i].plugin = rig->plugin[i];
}

struct rig *rig_start(const struct rig_params *params) {
	struct rig *rig = calloc(1, sizeof(*rig));
	struct lh_host_params host;
	struct lh_error error;
	double begin;

	if (!rig)
		err(1, NULL);
	rig->params = *params;
	if (!rig->params.copies)
		rig->params.copies = 1;
	if (!rig->params.nb_ips) {
		rig->params.first_ip = 0xc6120000;
		rig->params.nb_ips = 1 << 17;
	}
	strcpy(rig->base, "/tmp/lane_bench.XXXXXX");
	if (!mkdtemp(rig->base))
		err(1, "%s", rig->base);
	for (unsigned i = 0; i < rig->params.copies; i++)
		make_plugin(rig, i);
	rig->scope[0] = (struct lh_range){lh_ip_v4(0x7f000000), lh_ip_v4(0x7fffffff)};
	host = (struct lh_host_params){.plugins = rig->enabled,
		.nb_plugins = rig->params.copies,
		.lanes = 1,
		.limits = {100, 5, 60, 1000000, 600},
		.queue = QUEUE,
		.network = true,
		.avoid_first = 32768,
		.avoid_last = 49151,
		.scope = rig->scope,
		.nb_scope = 1,
		.data_dir = "/tmp/lane_bench.data",
		.scan_type = "syn",
		.protocol = "tcp",
		.has_ports = true,
		.flags = "S",
		.ports = "80",
		.rate_pps = 1000,
		.ops = &ops,
		.ctx = rig};
	begin = seconds();
	if (lh_host_create(&host, &rig->host, &error) || lh_host_ready(rig->host, &error))
		errx(1, "%s", error.text);
	rig->ready_s = seconds() - begin;
	return rig;
}

void rig_stop(struct rig *rig) {
	char command[100];

	lh_host_destroy(rig->host);
	for (unsigned i = 0; i < rig->params.copies; i++)
		lh_plugin_free(rig->plugin[i]);
	snprintf(command, sizeof(command), "rm -rf %s", rig->base);
	if (system(command))
		warnx("%s stays behind", rig->base);
	free(rig);
}

/* ---- Running ---- */

void rig_turn(struct rig *rig, bool nap) {
	const struct timespec pause = {.tv_nsec = NAP_NS};
	struct lh_event event[EVENTS];
	unsigned n = lh_host_poll(rig->host, event, EVENTS);

	for (unsigned i = 0; i < n; i++) {
		if (event[i].kind == LH_EVENT_PHASE) {
			rig->phase_ended = true;
			rig->phase_status = event[i].status;
			if (event[i].error)
				warnx("%s", event[i].error);
			continue;
		}
		rig->answered++;
		rig->good += event[i].status == LH_OK;
	}
	if (n == 0 && nap)
		nanosleep(&pause, NULL);
}

void rig_offer(struct rig *rig, uint64_t n, bool nap) {
	uint64_t submitted = 0, end = rig->answered + n;

	while (rig->answered < end) {
		while (submitted < n && lh_host_submit(rig->host, 0, submitted))
			submitted++;
		rig_turn(rig, nap);
	}
}

/* ---- What processes use ---- */

/* The children of @pid, at most @max. */
static unsigned children_of(pid_t pid, pid_t *child, unsigned max) {
	char path[64];
	unsigned n = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	in = fopen(path, "r");
	while (in && n < max && fscanf(in, "%d", &child[n]) == 1)
		n++;
	if (in)
		fclose(in);
	return n;
}

static double cpu_of(pid_t pid) {
	struct timespec used = {0};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void memory_of(pid_t pid, double *rss_mb, double *pss_mb) {
	char path[64], line[128];
	unsigned long kb;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "Rss: %lu", &kb) == 1)
			*rss_mb = (double)kb / 1024;
		else if (sscanf(line, "Pss: %lu", &kb) == 1)
			*pss_mb = (double)kb / 1024;
	}
	if (in)
		fclose(in);
}

static bool is_warden(pid_t pid) {
	pid_t any;

	return children_of(pid, &any, 1) > 0;
}

/* Of our children only the warden has some of its own. */
struct use rig_use(void) {
	pid_t child[16], lane[2 * LH_MAX_PLUGINS], warden = 0;
	unsigned n = children_of(getpid(), child, 16);
	struct use use = {0};

	for (unsigned i = 0; i < n; i++)
		if (is_warden(child[i]))
			warden = child[i];
	if (!warden)
		return use;
	use.warden_cpu_s = cpu_of(warden);
	memory_of(warden, &use.warden_rss_mb, &use.warden_pss_mb);
	use.lanes = children_of(warden, lane, 2 * LH_MAX_PLUGINS);
	for (unsigned i = 0; i < use.lanes; i++) {
		double rss_mb = 0, pss_mb = 0;

		memory_of(lane[i], &rss_mb, &pss_mb);
		use.cpu_s += cpu_of(lane[i]);
		use.rss_mb += rss_mb;
		use.pss_mb += pss_mb;
		if (pss_mb > use.most_pss_mb) {
			use.most_rss_mb = rss_mb;
			use.most_pss_mb = pss_mb;
		}
	}
	return use;
}
