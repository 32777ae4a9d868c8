/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metrics for Prometheus: one row a family. Any thread, from a copy of its own; owns no memory.
 *
 * Names follow Prometheus' rules: base units, `_total` for what only grows. Label values are names of ours
 * or of plugins, [a-z0-9_-], so that none needs an escape.
 */
#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

struct family {
	const char *name, *type, *help;
	size_t offset; /* of a uint64_t in struct ctl_summary */
	void (*samples)(FILE *out, const char *name, const struct watch_view *view); /* NULL: it */
};

/* The phases of status records. */
static const char *const phases[]
	= {"resolving", "plugins", "scanning", "paused", "link down", "cooldown", "end"};

struct labelled {
	FILE *out;
	const char *name, *label;
};

static void put_labelled(void *user, const char *value, uint64_t count) {
	const struct labelled *to = user;

	fprintf(to->out, "%s{%s=\"%s\"} %" PRIu64 "\n", to->name, to->label, value, count);
}

static void put_number(FILE *out, const char *name, double value) {
	fprintf(out, "%s %.9g\n", name, value);
}

static void put_build(FILE *out, const char *name, const struct watch_view *view) {
	fprintf(out, "%s{version=\"%s\"} 1\n", name, view->summary.version);
}

static void put_scan(FILE *out, const char *name, const struct watch_view *view) {
	const struct ctl_summary *s = &view->summary;

	fprintf(out, "%s{type=\"%s\",shard=\"%u/%u\",seed=\"%" PRIu64 "\"} 1\n", name,
		s->type->name, s->shard, s->shards, s->seed);
}

static void put_phase(FILE *out, const char *name, const struct watch_view *view) {
	for (unsigned i = 0; i < sizeof phases / sizeof *phases; i++)
		fprintf(out, "%s{phase=\"%s\"} %d\n", name, phases[i],
			!strcmp(phases[i], view->phase));
}

static void put_complete(FILE *out, const char *name, const struct watch_view *view) {
	fprintf(out, "%s %d\n", name, view->summary.complete);
}

static void put_resumed(FILE *out, const char *name, const struct watch_view *view) {
	fprintf(out, "%s %u\n", name, view->summary.resumed);
}

static void put_elapsed(FILE *out, const char *name, const struct watch_view *view) {
	put_number(out, name, view->summary.elapsed_s);
}

static void put_wide(FILE *out, const char *name, dp_u128 value) {
	char digits[DP_U128_TEXT_BYTES];

	dp_u128_write(value, digits);
	fprintf(out, "%s %s\n", name, digits);
}

static void put_filtered(FILE *out, const char *name, const struct watch_view *view) {
	fprintf(out, "%s %" PRIu64 "\n", name, ctl_summary_filtered(&view->summary));
}

static void put_targets(FILE *out, const char *name, const struct watch_view *view) {
	put_wide(out, name, view->summary.targets);
}

static void put_transmissions(FILE *out, const char *name, const struct watch_view *view) {
	put_wide(out, name, ctl_summary_transmissions(&view->summary));
}

static void put_tried(FILE *out, const char *name, const struct watch_view *view) {
	fprintf(out, "%s %" PRIu64 "\n", name, ctl_summary_tried(&view->summary));
}

static void put_rate(FILE *out, const char *name, const struct watch_view *view) {
	put_number(out, name, view->summary.rate_pps);
}

static void put_throttled(FILE *out, const char *name, const struct watch_view *view) {
	put_number(out, name, (double)view->summary.stats.throttled_ns / 1e9);
}

static void put_responses(FILE *out, const char *name, const struct watch_view *view) {
	ctl_summary_each_response(
		&view->summary, put_labelled, &(struct labelled){out, name, "kind"});
}

static void put_ignored(FILE *out, const char *name, const struct watch_view *view) {
	ctl_summary_each_ignored(
		&view->summary, put_labelled, &(struct labelled){out, name, "reason"});
}

static void put_lost(FILE *out, const char *name, const struct watch_view *view) {
	ctl_summary_each_lost(&view->summary, put_labelled, &(struct labelled){out, name, "where"});
}

static void put_states(FILE *out, const char *name, const struct watch_view *view) {
	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		put_labelled(&(struct labelled){out, name, "state"}, dp_state_name(i),
			view->summary.states[i]);
}

static void put_plugin_status(FILE *out, const char *name, const struct watch_view *view) {
	for (unsigned i = 0; i < view->summary.nb_plugins; i++)
		for (unsigned k = 0; k < LH_STATUS_COUNT; k++)
			fprintf(out, "%s{plugin=\"%s\",status=\"%s\"} %" PRIu64 "\n", name,
				view->summary.plugins[i].name, lh_status_names[k],
				view->summary.plugins[i].status[k]);
}

/* A count of each plugin. */
static void put_plugins(FILE *out, const char *name, const struct watch_view *view, size_t offset) {
	for (unsigned i = 0; i < view->summary.nb_plugins; i++) {
		const struct ctl_plugin_account *plugin = &view->summary.plugins[i];
		uint64_t value;

		memcpy(&value, (const char *)plugin + offset, sizeof value);
		put_labelled(&(struct labelled){out, name, "plugin"}, plugin->name, value);
	}
}

static void put_plugin_offered(FILE *out, const char *name, const struct watch_view *view) {
	put_plugins(out, name, view, offsetof(struct ctl_plugin_account, offered));
}

static void put_plugin_waiting(FILE *out, const char *name, const struct watch_view *view) {
	put_plugins(out, name, view, offsetof(struct ctl_plugin_account, waiting));
}

static void put_plugin_spilled(FILE *out, const char *name, const struct watch_view *view) {
	put_plugins(out, name, view, offsetof(struct ctl_plugin_account, spilled));
}

static void put_plugin_deaths(FILE *out, const char *name, const struct watch_view *view) {
	put_plugins(out, name, view, offsetof(struct ctl_plugin_account, deaths));
}

static void put_plugin_quarantined(FILE *out, const char *name, const struct watch_view *view) {
	for (unsigned i = 0; i < view->summary.nb_plugins; i++)
		put_labelled(&(struct labelled){out, name, "plugin"}, view->summary.plugins[i].name,
			view->summary.plugins[i].quarantined);
}

static void put_plugin_cpu(FILE *out, const char *name, const struct watch_view *view) {
	for (unsigned i = 0; i < view->summary.nb_plugins; i++)
		fprintf(out, "%s{plugin=\"%s\"} %.9g\n", name, view->summary.plugins[i].name,
			view->summary.plugins[i].lane_cpu_s);
}

#define FIELD(field) offsetof(struct ctl_summary, field)

static const struct family families[] = {
	{"prtip_build_info", "gauge", "The version that runs.", 0, put_build},
	{"prtip_scan_info", "gauge", "What kind of scan it is.", 0, put_scan},
	{"prtip_phase", "gauge", "1 for the phase that the scan is in, 0 for the others.", 0,
		put_phase},
	{"prtip_complete", "gauge", "1 once the scan has run to its end.", 0, put_complete},
	{"prtip_resumed", "gauge", "How often the scan was gone on with; counts go on.", 0,
		put_resumed},
	{"prtip_elapsed_seconds", "gauge", "Time that the scan has run.", 0, put_elapsed},
	{"prtip_targets", "gauge", "Pairs of address and port to scan.", 0, put_targets},
	{"prtip_transmissions", "gauge", "Probes to send for them, at the most.", 0,
		put_transmissions},
	{"prtip_probes_sent_total", "counter", "Probes sent.", FIELD(stats.probes_sent), NULL},
	{"prtip_probes_tried_total", "counter",
		"Probes whose turn has come: sent, unresolved or excluded.", 0, put_tried},
	{"prtip_probes_unresolved_total", "counter",
		"Probes not sent, as ARP or ND found no such host.", FIELD(stats.probes_unresolved),
		NULL},
	{"prtip_probes_excluded_total", "counter",
		"Probes not sent, as SIGHUP excluded their address.", FIELD(stats.probes_excluded),
		NULL},
	{"prtip_probe_bytes_total", "counter", "Bytes of probes, without preamble, FCS and gap.",
		FIELD(stats.tx_bytes), NULL},
	{"prtip_probe_rate", "gauge", "Mean of the probes a second since the first.", 0, put_rate},
	{"prtip_throttled_seconds_total", "counter", "Time for which full rings lowered the rate.",
		0, put_throttled},
	{"prtip_replies_sent_total", "counter",
		"Resets, hellos and acknowledgements; ARP, ND and echo replies.",
		FIELD(stats.replies_sent), NULL},
	{"prtip_neighbour_requests_sent_total", "counter",
		"ARP requests and neighbour solicitations.", FIELD(stats.arp_sent), NULL},
	{"prtip_received_frames_total", "counter", "Frames received.", FIELD(stats.rx_frames),
		NULL},
	{"prtip_ignored_frames_total", "counter", "Frames that are none of the scan's business.", 0,
		put_ignored},
	{"prtip_rejected_total", "counter",
		"Frames for our addresses and ports that answer no probe.", FIELD(stats.rejected),
		NULL},
	{"prtip_responses_total", "counter", "Validated responses, repeats included.", 0,
		put_responses},
	{"prtip_banner_segments_total", "counter", "Segments with a banner, repeats included.",
		FIELD(stats.banners), NULL},
	{"prtip_duplicates_total", "counter", "Responses beyond the first of a pair.",
		FIELD(duplicates), NULL},
	{"prtip_answered_total", "counter", "Pairs that answered, by state.", 0, put_states},
	{"prtip_results_total", "counter", "Results written.", FIELD(results), NULL},
	{"prtip_results_hidden_total", "counter", "Results not written, as they are closed.",
		FIELD(hidden), NULL},
	{"prtip_results_filtered_total", "counter", "Results not written, by the filter.", 0,
		put_filtered},
	{"prtip_results_surplus_total", "counter", "Results not written, beyond max_results.",
		FIELD(surplus), NULL},
	{"prtip_results_waiting", "gauge", "Results that wait for banners and plugins.",
		FIELD(waiting), NULL},
	{"prtip_results_awaiting_banner", "gauge", "Those of them that wait for their banner.",
		FIELD(awaiting_banner), NULL},
	{"prtip_ring_answers", "gauge", "Answers in the rings to the control core.",
		FIELD(levels.ring_level), NULL},
	{"prtip_ring_answers_limit", "gauge", "Answers that fit into these rings.",
		FIELD(levels.ring_size), NULL},
	{"prtip_lost_total", "counter", "What was lost, by where; any makes the exit status 3.", 0,
		put_lost},
	{"prtip_checkpoints_failed_total", "counter", "Checkpoints that could not be written.",
		FIELD(checkpoints_failed), NULL},
	{"prtip_plugin_offered_total", "counter", "Results that plugins were offered.", 0,
		put_plugin_offered},
	{"prtip_plugin_results_total", "counter", "What became of results at plugins.", 0,
		put_plugin_status},
	{"prtip_plugin_waiting", "gauge", "Results at plugins, held back or on disk.", 0,
		put_plugin_waiting},
	{"prtip_plugin_spilled_total", "counter", "Results that waited on disk.", 0,
		put_plugin_spilled},
	{"prtip_plugin_lane_cpu_seconds_total", "counter", "Processor time of lanes.", 0,
		put_plugin_cpu},
	{"prtip_plugin_lane_deaths_total", "counter", "Lanes that died.", 0, put_plugin_deaths},
	{"prtip_plugin_quarantined", "gauge", "1 for a plugin in quarantine.", 0,
		put_plugin_quarantined},
};

static void put_value(FILE *out, const struct family *family, const struct watch_view *view) {
	uint64_t value;

	memcpy(&value, (const char *)&view->summary + family->offset, sizeof value);
	fprintf(out, "%s %" PRIu64 "\n", family->name, value);
}

int metrics_write(const struct watch_view *view, FILE *out) {
	for (unsigned i = 0; i < sizeof families / sizeof *families; i++) {
		const struct family *family = &families[i];

		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
			family->name, family->type);
		if (family->samples)
			family->samples(out, family->name, view);
		else
			put_value(out, family, view);
	}
	return ferror(out) ? -EIO : 0;
}
