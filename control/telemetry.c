/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What dpdk-telemetry.py is told. Runs on DPDK's telemetry threads, but for beginning and end; owns nothing
 * and reads nothing but a copy of its own and what is constant while a scan runs.
 *
 * DPDK's objects hold whole numbers and short texts, under names of letters, digits, `_` and `/`. So times are in
 * microseconds, and a `-` of a plugin's name becomes `_`, which no plugin has.
 */
#include "telemetry.h"

#include <dp/telemetry.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum {
	NAME_BYTES = 128,
};

static void put_counter(void *user, const char *name, uint64_t value) {
	dp_telemetry_u64(user, name, value);
}

/* Numbers of pairs can be wider than DPDK's. */
static void put_wide(struct dp_telemetry_reply *reply, const char *name, dp_u128 value) {
	char digits[DP_U128_TEXT_BYTES];

	if (value <= UINT64_MAX) {
		dp_telemetry_u64(reply, name, (uint64_t)value);
		return;
	}
	dp_u128_write(value, digits);
	dp_telemetry_text(reply, name, digits);
}

static uint64_t to_us(double seconds) {
	return seconds > 0 ? (uint64_t)(seconds * 1e6) : 0;
}

static void put_plain_name(char to[NAME_BYTES], const char *name) {
	snprintf(to, NAME_BYTES, "%s", name);
	for (char *p = to; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '/')
			*p = '_';
}

static void put_parts(struct dp_telemetry_reply *reply, const struct ctl_summary *s) {
	dp_telemetry_open(reply, "states");
	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		dp_telemetry_u64(reply, dp_state_name(i), s->states[i]);
	dp_telemetry_close(reply);
	dp_telemetry_open(reply, "responses");
	ctl_summary_each_response(s, put_counter, reply);
	dp_telemetry_close(reply);
	dp_telemetry_open(reply, "lost_by");
	ctl_summary_each_lost(s, put_counter, reply);
	dp_telemetry_close(reply);
}

static int answer_stats(void *user, const char *parameter, struct dp_telemetry_reply *reply) {
	const struct telemetry *telemetry = user;
	struct watch_view view;

	if (!watch_read(telemetry->watch, &view))
		return -EAGAIN;
	dp_telemetry_text(reply, "phase", view.phase);
	dp_telemetry_text(reply, "scan_type", view.summary.type->name);
	dp_telemetry_u64(reply, "elapsed_us", to_us(view.summary.elapsed_s));
	put_wide(reply, "targets", view.summary.targets);
	put_wide(reply, "transmissions", ctl_summary_transmissions(&view.summary));
	ctl_summary_each_packet(&view.summary, put_counter, reply);
	dp_telemetry_u64(reply, "probe_bytes", view.summary.stats.tx_bytes);
	dp_telemetry_u64(reply, "throttled_us", view.summary.stats.throttled_ns / 1000);
	dp_telemetry_u64(reply, "rate_pps", (uint64_t)view.summary.rate_pps);
	ctl_summary_each_result(&view.summary, put_counter, reply);
	put_parts(reply, &view.summary);
	dp_telemetry_u64(reply, "complete", view.summary.complete);
	dp_telemetry_u64(reply, "resumed", view.summary.resumed);
	return 0;
}

static void put_plugin(struct dp_telemetry_reply *reply, const struct ctl_plugin_account *plugin) {
	dp_telemetry_u64(reply, "offered", plugin->offered);
	for (unsigned i = 0; i < LH_STATUS_COUNT; i++)
		dp_telemetry_u64(reply, lh_status_names[i], plugin->status[i]);
	dp_telemetry_u64(reply, "waiting", plugin->waiting);
	dp_telemetry_u64(reply, "spilled", plugin->spilled);
	dp_telemetry_u64(reply, "deaths", plugin->deaths);
	dp_telemetry_u64(reply, "quarantined", plugin->quarantined);
	dp_telemetry_u64(reply, "lane_cpu_us", to_us(plugin->lane_cpu_s));
}

static int answer_plugins(void *user, const char *parameter, struct dp_telemetry_reply *reply) {
	const struct telemetry *telemetry = user;
	struct watch_view view;
	char name[NAME_BYTES];

	if (!watch_read(telemetry->watch, &view))
		return -EAGAIN;
	for (unsigned i = 0; i < view.summary.nb_plugins; i++) {
		put_plain_name(name, view.summary.plugins[i].name);
		dp_telemetry_open(reply, name);
		put_plugin(reply, &view.summary.plugins[i]);
		dp_telemetry_close(reply);
	}
	return 0;
}

struct listing {
	struct dp_telemetry_reply *reply;
	const char *section; /* the only one that is wanted; NULL: all */
	bool any;
};

static int put_setting(void *user, const char *section, const char *key, const char *text) {
	struct listing *listing = user;
	char whole[NAME_BYTES], name[NAME_BYTES];

	if (listing->section && strcmp(listing->section, section))
		return 0;
	if (snprintf(whole, sizeof whole, "%s/%s", section, key) >= (int)sizeof whole)
		return -ENAMETOOLONG;
	put_plain_name(name, whole);
	dp_telemetry_text(listing->reply, name, text);
	listing->any = true;
	return 0;
}

static int answer_config(void *user, const char *parameter, struct dp_telemetry_reply *reply) {
	const struct telemetry *telemetry = user;
	struct listing listing
		= {.reply = reply, .section = parameter && *parameter ? parameter : NULL};
	int rc = ctl_config_each_setting(telemetry->config, put_setting, &listing);

	return rc ? rc : listing.any ? 0 : -ENOENT;
}

static const struct dp_telemetry_command commands[] = {
	{"/prtip/stats", "The scan's counters, as in its status records. No parameters",
		answer_stats},
	{"/prtip/plugins", "What became of results at each plugin. No parameters", answer_plugins},
	{"/prtip/config", "The merged configuration. Parameters: a section, or none",
		answer_config},
};

int telemetry_begin(const struct telemetry *telemetry, struct dp_error *err) {
	int rc;

	if (!telemetry->config->telemetry)
		return 0;
	rc = dp_telemetry_begin(
		commands, sizeof commands / sizeof *commands, (void *)(uintptr_t)telemetry);
	return rc ? dp_fail(err, false, rc, "[metrics] telemetry: DPDK takes no commands: %s",
		       strerror(-rc))
		  : 0;
}

void telemetry_end(void) {
	dp_telemetry_end();
}

void telemetry_print(const struct ctl_config *config, FILE *out) {
	char path[DP_TELEMETRY_PATH_BYTES];

	if (!config->telemetry)
		return;
	if (dp_telemetry_socket(path))
		fprintf(out, "telemetry: %s\n", path);
	else
		fprintf(out, "prtip-dp: warning: [metrics] telemetry: DPDK made no socket in %s\n",
			dp_telemetry_folder());
}
