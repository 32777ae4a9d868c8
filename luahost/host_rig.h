/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests: a plugin host with real warden and lanes, and one plugin `victim` given as text.
 */
#ifndef LH_HOST_RIG_H
#define LH_HOST_RIG_H

#include <lh/host.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	RESULTS_MAX = 100000,
	LOG_BYTES = 16384,
};

/* One run of one plugin. */
struct rig {
	char base[32]; /* all of it, removed at the end */
	char folder[128], data[128];
	struct lh_plugin *plugin;
	struct lh_enabled enabled;
	struct lh_range scope[2]; /* 127.0.0.0/8 and 2001:db8::/32 */
	struct lh_host *host;
	struct lh_host_params params;
	char log[LOG_BYTES];
	unsigned count[LH_STATUS_COUNT];
	unsigned answered;
	uint8_t status[RESULTS_MAX];
	char error[512]; /* of the latest that had one */
	char results[512]; /* likewise */
	char text[512];
	struct lh_service service;
	bool has_service;
	bool phase_ended;
	enum lh_status phase_status;
	char ports[256], exclude[256];
	uint64_t nb_results; /* of the result sequence */
	unsigned probes;
	enum lh_probe_protocol probed; /* by the latest of them */
	const char *banner;
	const struct lh_service *known;
	const char *others; /* what other plugins said */
	lh_ip ip; /* of all results; 0: one each */
	bool deaf; /* probes are not taken */
	bool portless; /* results are unfiltered or up, and have no port */
	bool zero_window;
};

static inline void write_file(const char *folder, const char *name, const char *text) {
	char path[300];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	cr_assert(out, "%s", path);
	fputs(text, out);
	fclose(out);
}

static inline void give_record(void *ctx, uint64_t tag, struct lh_record *record) {
	struct rig *rig = ctx;

	*record = (struct lh_record){.ts_ns = 1000000000 + tag,
		.ip = rig->ip ? rig->ip : lh_ip_v4(0xc6120000 + (uint32_t)tag),
		.rtt_us = 412,
		.port = (uint16_t)(tag % 60000 + 1),
		.has_port = true,
		.state = LH_STATE_OPEN,
		.ttl = 64,
		.zero_window = rig->zero_window,
		.protocol = "tcp",
		.reason = "syn-ack",
		.banner = rig->banner,
		.banner_bytes = rig->banner ? (uint32_t)strlen(rig->banner) : 0,
		.service = rig->known,
		.service_source = rig->known ? "builtin" : NULL,
		.plugins = rig->others,
		.plugins_bytes = rig->others ? (uint32_t)strlen(rig->others) : 0};
	if (!rig->portless)
		return;
	record->has_port = false;
	record->state = tag % 2 ? LH_STATE_UP : LH_STATE_UNFILTERED;
	record->protocol = "icmp";
	record->reason = "echo-reply";
}

static inline unsigned give_targets(
	void *ctx, uint64_t first, struct lh_target *targets, unsigned max) {
	unsigned n = 0;

	for (; n < max && first + n < 100000000; n++)
		targets[n] = (struct lh_target){lh_ip_v4((uint32_t)(first + n)), 80, NULL};
	return n;
}

static inline bool give_result(void *ctx, uint64_t index, struct lh_record *record) {
	struct rig *rig = ctx;

	give_record(ctx, index, record);
	return index < rig->nb_results;
}

static inline bool send_probe(void *ctx, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port) {
	struct rig *rig = ctx;

	rig->probes++;
	rig->probed = protocol;
	return !rig->deaf;
}

static inline void keep_log(void *ctx, unsigned level, const char *plugin, const char *text) {
	struct rig *rig = ctx;
	size_t at = strlen(rig->log);

	snprintf(rig->log + at, sizeof(rig->log) - at, "%u %s: %s\n", level, plugin ? plugin : "-",
		text);
}

static const struct lh_host_ops rig_ops
	= {give_record, give_targets, give_result, send_probe, keep_log, NULL};

/* Make the folder of plugin `victim` and load it. */
static inline struct rig *make(const char *manifest_more, const char *type, const char *lua) {
	struct rig *rig = calloc(1, sizeof(*rig));
	char manifest[2048];
	struct lh_error err;

	strcpy(rig->base, "/tmp/host_test.XXXXXX");
	cr_assert(mkdtemp(rig->base));
	snprintf(rig->folder, sizeof(rig->folder), "%s/victim", rig->base);
	snprintf(rig->data, sizeof(rig->data), "%s/home/data", rig->base);
	cr_assert_eq(mkdir(rig->folder, 0755), 0);
	snprintf(manifest, sizeof(manifest),
		"[plugin]\nname = \"victim\"\nversion = \"1.0.0\"\nauthor = \"a\"\n"
		"description = \"d\"\nplugin_type = \"%s\"\n%s",
		type, manifest_more);
	write_file(rig->folder, "plugin.toml", manifest);
	write_file(rig->folder, "main.lua", lua);
	write_file(rig->folder, "README.md", "# victim\n");
	cr_assert_eq(lh_plugin_load(rig->folder, "0.1.0", &rig->plugin, &err), 0, "%s", err.text);
	rig->enabled.plugin = rig->plugin;
	rig->scope[0] = (struct lh_range){lh_ip_v4(0x7f000000), lh_ip_v4(0x7fffffff)};
	rig->scope[1] = (struct lh_range){lh_ip_v6(UINT64_C(0x20010db8) << 32, 0),
		lh_ip_v6(UINT64_C(0x20010db8) << 32 | UINT32_MAX, UINT64_MAX)};
	rig->params = (struct lh_host_params){
		.plugins = &rig->enabled,
		.nb_plugins = 1,
		.lanes = 1,
		.limits = {100, 0.5, 3, 1000000, 5},
		.queue = 65536,
		.network = true,
		.avoid_first = 32768,
		.avoid_last = 49151,
		.scope = rig->scope,
		.nb_scope = 2,
		.data_dir = rig->data,
		.scan_type = "syn",
		.protocol = "tcp",
		.has_ports = true,
		.flags = "S",
		.ports = "80",
		.rate_pps = 1000,
		.ops = &rig_ops,
		.ctx = rig,
	};
	return rig;
}

static inline int begin(struct rig *rig, struct lh_error *err) {
	cr_assert_eq(lh_host_create(&rig->params, &rig->host, err), 0, "%s", err->text);
	return lh_host_ready(rig->host, err);
}

static inline struct rig *start(const char *manifest_more, const char *type, const char *lua) {
	struct rig *rig = make(manifest_more, type, lua);
	struct lh_error err = {0};

	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	return rig;
}

static inline void keep(char out[512], const char *text, size_t length) {
	snprintf(out, 512, "%.*s", (int)length, text);
}

static inline void take(struct rig *rig, const struct lh_event *event) {
	if (event->error)
		keep(rig->error, event->error, strlen(event->error));
	if (event->kind == LH_EVENT_PHASE) {
		rig->phase_ended = true;
		rig->phase_status = event->status;
		if (event->ports)
			snprintf(rig->ports, sizeof(rig->ports), "%s", event->ports);
		if (event->exclude)
			snprintf(rig->exclude, sizeof(rig->exclude), "%s", event->exclude);
		return;
	}
	rig->count[event->status]++;
	rig->status[event->tag] = event->status + 1;
	rig->answered++;
	if (event->results)
		keep(rig->results, event->results, event->results_bytes);
	if (event->text)
		keep(rig->text, event->text, event->text_bytes);
	if (event->service) {
		rig->service = *event->service;
		rig->has_service = true;
	}
}

static inline double now(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void turn(struct rig *rig) {
	const struct timespec nap = {.tv_nsec = 100000};
	struct lh_event event[64];
	unsigned n = lh_host_poll(rig->host, event, 64);

	for (unsigned i = 0; i < n; i++)
		take(rig, &event[i]);
	if (n == 0)
		nanosleep(&nap, NULL);
}

/* Submit @n results and wait for all answers. */
static inline void offer(struct rig *rig, unsigned n) {
	double end = now() + 60;
	unsigned submitted = 0;

	while (rig->answered < n && now() < end) {
		while (submitted < n && lh_host_submit(rig->host, 0, submitted))
			submitted++;
		turn(rig);
	}
	cr_assert_eq(rig->answered, n, "%u of %u answered", rig->answered, n);
}

static inline void phase(struct rig *rig, enum lh_hook hook, uint64_t count) {
	double end = now() + 60;

	cr_assert_eq(lh_host_phase(rig->host, 0, hook, count), 0);
	while (!rig->phase_ended && now() < end)
		turn(rig);
	cr_assert(rig->phase_ended);
}

static inline void stop(struct rig *rig) {
	char command[200];

	lh_host_destroy(rig->host);
	lh_plugin_free(rig->plugin);
	snprintf(command, sizeof(command), "rm -rf %s", rig->base);
	cr_expect_eq(system(command), 0);
	free(rig);
}

#endif
