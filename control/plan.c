/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a configuration to what a run will do, and that in words: --dry-run and the start lines.
 * Main thread; keeps nothing.
 */
#include "human.h"
#include "options.h"
#include "plan.h"
#include "version.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

struct dp_slice plan_slice(const struct ctl_config *config) {
	const struct dp_slice whole = {0, dp_space_count(config->space)};

	return dp_slice_part(whole, config->shard, config->shards);
}

static bool plugins_have_sockets(const struct ctl_config *config) {
	for (unsigned i = 0; i < config->plugins.nb_enabled; i++)
		if (config->plugins.enabled[i]->capabilities & LH_CAP_NETWORK)
			return true;
	return false;
}

int plan_params(const struct ctl_config *config, struct dp_params *params, struct dp_error *err) {
	*params = (struct dp_params){
		.space = config->space,
		.slice = plan_slice(config),
		.seed = config->seed,
		.port = config->port,
		.source_ip = config->source_ip,
		.source_port_first = config->source_port_first,
		.source_port_last = config->source_port_last,
		.gateway_ip = config->gateway_ip,
		.has_gateway_mac = config->has_gateway_mac,
		.tx_lcores = config->tx_lcores,
		.rx_lcores = config->rx_lcores,
		.hugepages = config->hugepages,
		.eal = config->eal,
		.rate_pps = config->rate_pps,
		.rate_bps = config->rate_bps,
		.sim = config->sim,
		.banner = {.enable = config->banner, .max_bytes = (uint16_t)config->banner_bytes},
		.exception = {.ip = plugins_have_sockets(config) ? config->plugins.source_ip : 0},
		.verbose = config->verbose,
	};
	memcpy(params->gateway_mac, config->gateway_mac, sizeof(params->gateway_mac));
	if (getrandom(&params->key, sizeof(params->key), 0) != sizeof(params->key))
		return dp_fail(err, false, -errno, "no random numbers for the cookie key: %s",
			strerror(errno));
	return 0;
}

int plan_dedup(const struct ctl_config *config, struct dedup **dedup, struct dp_error *err) {
	int rc = dedup_create(config->dedup, config->dedup_mb, config->space, dedup);

	if (rc == -EFBIG)
		return dp_fail(err, true, rc,
			"dedup = exact: %" PRIu64 " pairs take a bitmap of %" PRIu64
			" MB, more than dedup_mb = %u; raise it, or set dedup = window",
			dp_space_count(config->space), (dp_space_count(config->space) >> 23) + 1,
			config->dedup_mb);
	if (rc)
		return dp_fail(err, false, rc, "no memory to de-duplicate (dedup_mb = %u)",
			config->dedup_mb);
	return 0;
}

static void print_ip(FILE *out, uint32_t ip) {
	fprintf(out, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static void print_rate(FILE *out, double pps) {
	char text[HUMAN_BYTES];

	if (pps > 0)
		fprintf(out, "%s", human_rate(pps, text));
	else
		fprintf(out, "as fast as it goes");
}

static void print_port(const struct ctl_config *config, const struct dp_plan *plan, FILE *out) {
	fprintf(out, "port        %s", plan->port);
	if (plan->driver != DP_DRIVER_SIM)
		fprintf(out, " (%s)", dp_driver_name(plan->driver));
	fprintf(out, "\nsource      ");
	print_ip(out, plan->source_ip);
	fprintf(out, ", ports %u-%u", config->source_port_first, config->source_port_last);
	if (!plan->kernel_owns_source && plan->driver != DP_DRIVER_SIM)
		fprintf(out, ", not the kernel's: we answer ARP and ping for it");
	fprintf(out, "\n");
	if (plan->gateway_ip) {
		fprintf(out, "gateway     ");
		print_ip(out, plan->gateway_ip);
		fprintf(out, "\n");
	}
	if (plan->neighbours)
		fprintf(out, "on link     %" PRIu64 " targets, found by ARP first\n",
			plan->neighbours);
	if (plan->note[0])
		fprintf(out, "note        %s\n", plan->note);
}

static void print_lcores(const struct dp_plan *plan, FILE *out) {
	if (plan->merged)
		fprintf(out, "lcores      %u that send and receive", plan->nb_workers);
	else
		fprintf(out, "lcores      %u that send, %u that receive", plan->nb_tx, plan->nb_rx);
	fprintf(out, ", 1 control%s, on %u CPUs%s\n", plan->has_peer ? ", 1 for the far side" : "",
		plan->nb_cpus, plan->shared_cpus ? " (shared)" : "");
}

static void print_scope(const struct ctl_config *config, FILE *out) {
	uint64_t addresses = dp_ipset_count(dp_space_addresses(config->space));
	char text[HUMAN_BYTES], more[HUMAN_BYTES];

	fprintf(out, "scan        %s, seed %" PRIu64 ", shard %u/%u\n", config->scan_type,
		config->seed, config->shard, config->shards);
	fprintf(out, "targets     %s addresses x %u ports\n", human_count(addresses, text),
		dp_space_ports(config->space));
	fprintf(out, "excluded    %s pairs by the default list, %s by you\n",
		human_count(config->excluded_default, text),
		human_count(config->excluded_exclude, more));
}

static void print_duration(double seconds, FILE *out) {
	const double year = 365.25 * 86400;
	char text[HUMAN_BYTES];

	if (seconds < year)
		fprintf(out, "%s + ", human_clock(seconds, text));
	else
		fprintf(out, "%.3g years + ", seconds / year);
}

static void print_pace(
	const struct ctl_config *config, const struct dp_plan *plan, uint64_t probes, FILE *out) {
	char text[HUMAN_BYTES];

	fprintf(out, "probes      %s of %u bytes (%u on the wire)\n", human_count(probes, text),
		plan->frame_bytes, plan->wire_bytes);
	fprintf(out, "rate        ");
	print_rate(out, plan->rate_pps);
	if (plan->rate_pps > 0)
		fprintf(out, ", %.3g Mbit/s", plan->rate_pps * plan->wire_bytes * 8 / 1e6);
	fprintf(out, "\ntime        ");
	if (plan->rate_pps > 0)
		print_duration((double)probes / plan->rate_pps, out);
	fprintf(out, "%s cooldown\n", human_clock((double)config->cooldown_ns / 1e9, text));
}

static void print_memory(const struct dp_plan *plan, const struct dedup *dedup, FILE *out) {
	char text[HUMAN_BYTES];

	fprintf(out, "memory      %u MB for packets (%s), %s for dedup (%s)\n", plan->memory_mb,
		plan->hugepages ? "hugepages" : "no hugepages",
		human_bytes(dedup_memory_bytes(dedup), text),
		dedup_is_exact(dedup) ? "exact" : "window");
}

static double tighter(double operators, double own) {
	return own > 0 && own < operators ? own : operators;
}

/* One plugin with the limits that hold for it: its own only tighten the operator's. */
static void print_plugin(
	const struct lh_limits *limits, const struct lh_plugin *plugin, FILE *out) {
	const struct lh_limits *own = &plugin->limits;

	fprintf(out, "            %s %s (%s%s%s)\n", plugin->name, plugin->version,
		lh_type_names[plugin->type],
		plugin->capabilities & LH_CAP_NETWORK ? ", network" : "",
		plugin->capabilities & LH_CAP_FILESYSTEM ? ", filesystem" : "");
	fprintf(out,
		"              %.0f MB, a result: %g s of CPU, %g s, %.0f instructions; a phase: "
		"%g s\n",
		tighter(limits->memory_mb, own->memory_mb), tighter(limits->cpu_s, own->cpu_s),
		tighter(limits->wall_s, own->wall_s),
		tighter((double)limits->instructions, (double)own->instructions),
		tighter(limits->phase_s, own->phase_s));
}

static void print_overflow(const struct ctl_plugins *plugins, FILE *out) {
	char text[VALUE_TEXT_BYTES];

	fprintf(out, "            %u results may wait for each, then ", plugins->queue);
	if (plugins->overflow == CTL_OVERFLOW_SPILL)
		fprintf(out, "spill up to %u MB to %s", plugins->spill_mb, plugins->spill_dir);
	else
		fprintf(out, "%s", option_overflow_names[plugins->overflow]);
	value_write_duration(plugins->drain_ns, text);
	fprintf(out, "; drain %s\n", text);
}

static void print_plugins(const struct ctl_config *config, FILE *out) {
	const struct ctl_plugins *plugins = &config->plugins;

	if (!plugins->nb_enabled) {
		fprintf(out, "plugins     none\n");
		return;
	}
	fprintf(out, "plugins     %u, with %u lane%s each\n", plugins->nb_enabled, plugins->lanes,
		plugins->lanes > 1 ? "s" : "");
	for (unsigned i = 0; i < plugins->nb_enabled; i++)
		print_plugin(&plugins->limits, plugins->enabled[i], out);
	print_overflow(plugins, out);
}

int plan_print(const struct ctl_config *config, FILE *out, struct dp_error *err) {
	struct dp_params params;
	struct dedup *dedup;
	struct dp_plan plan;
	int rc = plan_params(config, &params, err);

	if (rc == 0)
		rc = dp_plan_make(&params, &plan, err);
	if (rc == 0)
		rc = plan_dedup(config, &dedup, err);
	if (rc)
		return rc;
	print_scope(config, out);
	print_pace(config, &plan, params.slice.end - params.slice.first, out);
	print_port(config, &plan, out);
	print_lcores(&plan, out);
	print_memory(&plan, dedup, out);
	print_plugins(config, out);
	fprintf(out, "nothing was sent\n");
	dedup_destroy(dedup);
	if (fflush(out) || ferror(out))
		return dp_fail(err, false, -errno, "standard output: %s", strerror(errno));
	return 0;
}

void plan_print_start(const struct ctl_config *config, const struct dp_plan *plan, FILE *out) {
	uint64_t addresses = dp_ipset_count(dp_space_addresses(config->space));
	struct dp_slice slice = plan_slice(config);
	char text[HUMAN_BYTES];

	fprintf(out, "prtip-dp %s: TCP SYN scan, %s probes, ", CTL_VERSION,
		human_count(slice.end - slice.first, text));
	print_rate(out, plan->rate_pps);
	fprintf(out, "\n%s addresses x %u ports%s, seed %" PRIu64 "\n",
		human_count(addresses, text), dp_space_ports(config->space),
		config->shards > 1 ? ", one shard of them" : "", config->seed);
	fprintf(out, "through %s", plan->port);
	if (plan->driver != DP_DRIVER_SIM)
		fprintf(out, " (%s)", dp_driver_name(plan->driver));
	fprintf(out, " from ");
	print_ip(out, plan->source_ip);
	fprintf(out, "\n");
	if (plan->note[0])
		fprintf(out, "note: %s\n", plan->note);
	if (plan->ephemeral_overlap)
		fprintf(out,
			"warning: the kernel may use %u of our source ports for connections of "
			"its\n"
			"own, which would break; keep them free with\n"
			"  sysctl net.ipv4.ip_local_reserved_ports=%u-%u\n",
			plan->ephemeral_overlap, config->source_port_first,
			config->source_port_last);
}
