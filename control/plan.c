/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a configuration to what a run will do, and that in words: --dry-run and the start lines.
 * Main thread; keeps nothing.
 */
#include "checkpoint.h"
#include "detect.h"
#include "human.h"
#include "names.h"
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
		.type = config->type,
		.slice = plan_slice(config),
		.seed = config->seed,
		.probes = config->probes,
		.nb_ports = config->nb_devices,
		.source_port_first = config->source_port_first,
		.source_port_last = config->source_port_last,
		.tx_lcores = config->tx_lcores,
		.rx_lcores = config->rx_lcores,
		.hugepages = config->hugepages,
		.eal = config->eal,
		.rate_pps = config->rate_pps,
		.rate_bps = config->rate_bps,
		.sim = config->sim,
		.banner = {.enable = config->banner,
			.max_bytes = (uint16_t)config->banner_bytes,
			.hellos = config->hellos,
			.nb_hellos = config->nb_hellos},
		.payloads = config->payloads,
		.nb_payloads = config->nb_payloads,
		.verbose = config->verbose,
		.telemetry = config->telemetry,
	};
	for (unsigned i = 0; i < config->nb_outputs; i++)
		params->capture |= !config->outputs[i].plugin
			&& !strcmp(config->outputs[i].format, "pcapng");
	memcpy(params->ports, config->devices, sizeof(params->ports));
	if (plugins_have_sockets(config))
		params->exception.ip = config->plugins.source_ip;
	if (config->resume)
		params->left = config->resume->begun ? &config->resume->left : NULL;
	return 0;
}

int plan_key(const struct ctl_config *config, struct dp_key *key, struct dp_error *err) {
	if (config->resume) {
		/* Answers to what was sent before count, too. */
		*key = *config->resume->key;
		return 0;
	}
	if (getrandom(key, sizeof(*key), 0) != sizeof(*key))
		return dp_fail(err, false, -errno, "no random numbers for the cookie key: %s",
			strerror(errno));
	return 0;
}

int plan_dedup(const struct ctl_config *config, struct dedup **dedup, struct dp_error *err) {
	char count[DP_U128_TEXT_BYTES], megabytes[DP_U128_TEXT_BYTES];
	int rc = dedup_create(config->dedup, config->dedup_mb, config->space, dedup);

	if (rc == -EFBIG) {
		const dp_u128 pairs = dp_space_count(config->space);

		dp_u128_write(pairs, count);
		dp_u128_write((pairs >> 23) + 1, megabytes);
		return dp_fail(err, true, rc,
			"dedup = exact: %s pairs take a bitmap of %s MB, more than dedup_mb = %u; "
			"raise it, or set dedup = window",
			count, megabytes, config->dedup_mb);
	}
	if (rc)
		return dp_fail(err, false, rc, "no memory to de-duplicate (dedup_mb = %u)",
			config->dedup_mb);
	return 0;
}

static void print_ip(FILE *out, dp_ip ip) {
	char text[DP_IP_TEXT_BYTES];

	dp_ip_write(ip, text);
	fputs(text, out);
}

static void print_ranges(FILE *out, const struct dp_range *range, unsigned nb) {
	for (unsigned i = 0; i < nb; i++) {
		fputs(i ? ", " : "", out);
		print_ip(out, range[i].first);
		if (range[i].last != range[i].first) {
			fputc('-', out);
			print_ip(out, range[i].last);
		}
	}
}

static bool has_source_ports(const struct ctl_config *config) {
	return config->type->has_ports || !strcmp(config->type->name, "discovery");
}

static void print_rate(FILE *out, double pps) {
	char text[HUMAN_BYTES];

	if (pps > 0)
		fprintf(out, "%s", human_rate(pps, text));
	else
		fprintf(out, "as fast as it goes");
}

/* Where packets of one family come from and go. */
static void print_route(const struct dp_port_plan *port, const struct dp_route_plan *route,
	const char *family, FILE *out) {
	if (!route->used)
		return;
	fprintf(out, "  source    ");
	if (route->nb_sources)
		print_ranges(out, route->sources, route->nb_sources);
	else
		fprintf(out, "none for %s", family);
	if (!route->kernel_owns_source && port->driver != DP_DRIVER_SIM)
		fprintf(out, ", not the kernel's: we answer %s and ping for it",
			family[3] == '4' ? "ARP" : "ND");
	fprintf(out, "\n");
	if (!route->gateway)
		return;
	fprintf(out, "  gateway   ");
	print_ip(out, route->gateway);
	fprintf(out, "\n");
}

static void print_port_lcores(const struct dp_port_plan *port, FILE *out) {
	if (port->merged)
		fprintf(out, "  lcores    %u that send and receive", port->nb_workers);
	else
		fprintf(out, "  lcores    %u that send, %u that receive", port->nb_tx, port->nb_rx);
	fprintf(out, "%s\n", port->has_peer ? ", 1 for the far side" : "");
}

static void print_device(const struct dp_port_plan *port, FILE *out) {
	const uint8_t *mac = port->gateway_mac;

	fprintf(out, "port        %s", port->port);
	if (port->driver != DP_DRIVER_SIM)
		fprintf(out, " (%s)", dp_driver_name(port->driver));
	if (port->vlan)
		fprintf(out, ", VLAN %u", port->vlan);
	fprintf(out, "\n");
	print_route(port, &port->v4, "IPv4", out);
	print_route(port, &port->v6, "IPv6", out);
	if (port->has_gateway_mac)
		fprintf(out, "  next hop  %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2],
			mac[3], mac[4], mac[5]);
	if (port->neighbours)
		fprintf(out, "  on link   %" PRIu64 " targets, found by ARP or ND first\n",
			port->neighbours);
	print_port_lcores(port, out);
	if (port->note[0])
		fprintf(out, "  note      %s\n", port->note);
}

static void print_devices(const struct ctl_config *config, const struct dp_plan *plan, FILE *out) {
	bool peer = false;

	for (unsigned i = 0; i < plan->nb_ports; i++) {
		print_device(&plan->ports[i], out);
		peer |= plan->ports[i].has_peer;
	}
	if (has_source_ports(config))
		fprintf(out, "from ports  %u-%u\n", config->source_port_first,
			config->source_port_last);
	fprintf(out, "lcores      %u for packets, 1 control%s, on %u CPUs%s\n", plan->nb_workers,
		peer ? ", and the far side's" : "", plan->nb_cpus,
		plan->shared_cpus ? " (shared)" : "");
}

/* Of a mix those of each protocol: `x (2 tcp + 3 udp) ports`. */
static void print_ports(const struct ctl_config *config, FILE *out) {
	const struct dp_scan_type *type = config->type;
	unsigned nb[DP_PROTO_COUNT] = {0};

	if (!type->nb_parts) {
		fprintf(out, " x %u ports", dp_space_ports(config->space));
		return;
	}
	for (unsigned i = 0; i < dp_space_ports(config->space); i++)
		nb[dp_endpoint_proto(dp_space_endpoint(config->space, i))]++;
	for (unsigned i = 0; i < type->nb_parts; i++)
		fprintf(out, "%s%u %s", i ? " + " : " x (", nb[type->part[i]->proto],
			dp_proto_name(type->part[i]->proto));
	fprintf(out, ") ports");
}

static void print_space(const struct ctl_config *config, FILE *out) {
	const dp_u128 addresses = dp_ipset_count(dp_space_addresses(config->space));
	char text[HUMAN_WIDE_BYTES];

	fprintf(out, "%s addresses", human_wide(addresses, text));
	if (config->type->has_ports)
		print_ports(config, out);
}

static bool has_both_families(const struct ctl_config *config) {
	const struct dp_ipset *addresses = dp_space_addresses(config->space);

	return dp_ipset_has_v4(addresses) && dp_ipset_has_v6(addresses);
}

/*
 * What the names among the targets stand for; each line begins with @indent. Only some where there are
 * many: --print-config has them all.
 */
static void print_names(const struct ctl_config *config, const char *indent, FILE *out) {
	const unsigned most = config->verbose ? UINT32_MAX : 20;
	const struct name *name;
	unsigned shown = 0;

	for (unsigned i = 0; (name = names_at(config->names, i)) && shown < most; i++) {
		if (!name->wanted)
			continue;
		fprintf(out, "%s%s", indent, name->text);
		for (unsigned k = 0; k < name->nb_ips; k++) {
			fputs(k ? ", " : " is ", out);
			print_ip(out, name->ips[k]);
		}
		if (!name->nb_ips)
			fprintf(out, ": %s; left out", name->failure);
		if (name->nb_others)
			fprintf(out, " (and %u not scanned)", name->nb_others);
		fprintf(out, "\n");
		shown++;
	}
	if (shown < names_count(config->names))
		fprintf(out, "%sand %u more names, which --print-config lists\n", indent,
			names_count(config->names) - shown);
}

static void print_name_counts(const struct ctl_config *config, FILE *out) {
	if (!names_count(config->names))
		return;
	fprintf(out, "names       %u, %u of them without an address\n", names_count(config->names),
		names_failed(config->names));
	print_names(config, "            ", out);
}

static void print_scope(const struct ctl_config *config, FILE *out) {
	char text[HUMAN_WIDE_BYTES], more[HUMAN_WIDE_BYTES];

	fprintf(out, "scan        %s, seed %" PRIu64 ", shard %u/%u\n", config->type->name,
		config->seed, config->shard, config->shards);
	fprintf(out, "targets     ");
	print_space(config, out);
	fprintf(out, "%s\n", has_both_families(config) ? ", IPv4 and IPv6" : "");
	print_name_counts(config, out);
	fprintf(out, "excluded    %s pairs by the default list, %s by you\n",
		human_wide(config->excluded_default, text),
		human_wide(config->excluded_exclude, more));
}

static void print_duration(double seconds, FILE *out) {
	const double year = 365.25 * 86400;
	char text[HUMAN_BYTES];

	if (seconds < year)
		fprintf(out, "%s + ", human_clock(seconds, text));
	else
		fprintf(out, "%.3g years + ", seconds / year);
}

/* More transmissions than repeats: some pairs get several payloads or kinds of probes, others one. */
static bool passes_differ(const struct ctl_config *config, const struct dp_plan *plan) {
	return plan->passes > config->probes;
}

static void print_passes(const struct ctl_config *config, const struct dp_plan *plan, FILE *out) {
	if (config->probes > 1)
		fprintf(out, "transmitted %u times each, spread over the run\n", config->probes);
	if (passes_differ(config, plan))
		fprintf(out, "%s up to %u for a %s\n",
			config->type->has_ports ? "payloads   " : "kinds      ",
			plan->passes / config->probes, config->type->has_ports ? "port" : "host");
}

static void print_limits(const struct ctl_config *config, FILE *out) {
	char duration[VALUE_TEXT_BYTES], count[HUMAN_BYTES];

	if (!config->max_runtime_ns && !config->max_results)
		return;
	fprintf(out, "ends        ");
	value_write_duration(config->max_runtime_ns, duration);
	if (config->max_runtime_ns)
		fprintf(out, "sending after %s", duration);
	if (config->max_results)
		fprintf(out, "%swith %s results", config->max_runtime_ns ? ", or " : "",
			human_count(config->max_results, count));
	fprintf(out, "\n");
}

static void print_pace(
	const struct ctl_config *config, const struct dp_plan *plan, dp_u128 pairs, FILE *out) {
	const dp_u128 probes = pairs * (plan->passes ? plan->passes : 1);
	const char *most = passes_differ(config, plan) ? "up to " : "";
	double seconds = plan->rate_pps > 0 ? (double)probes / plan->rate_pps : 0;
	const double runtime = (double)config->max_runtime_ns / 1e9;
	char text[HUMAN_WIDE_BYTES];

	/* Both families, and several payloads, differ in length; on the wire goes the mean. */
	fprintf(out, "probes      %s%s of %s%u bytes (%u on the wire)\n", most,
		human_wide(probes, text), *most || has_both_families(config) ? "up to " : "",
		plan->frame_bytes, plan->wire_bytes);
	print_passes(config, plan, out);
	fprintf(out, "rate        ");
	print_rate(out, plan->rate_pps);
	if (plan->rate_pps > 0)
		fprintf(out, ", %.3g Mbit/s", plan->rate_pps * plan->wire_bytes * 8 / 1e6);
	fprintf(out, "\ntime        %s", plan->rate_pps > 0 ? most : "");
	if (runtime > 0 && seconds > runtime)
		seconds = runtime;
	if (plan->rate_pps > 0)
		print_duration(seconds, out);
	fprintf(out, "%s cooldown\n", human_clock((double)config->cooldown_ns / 1e9, text));
	print_limits(config, out);
}

/* Of a scan that goes on: what is left of it. */
static void print_left(const struct ctl_config *config, const struct dp_plan *plan,
	const struct dp_params *params, FILE *out) {
	char text[HUMAN_WIDE_BYTES];

	if (!config->resume)
		return;
	fprintf(out, "goes on     from %s, ", config->checkpoint);
	if (config->resume->complete)
		fprintf(out, "where nothing is left\n");
	else if (!params->left)
		fprintf(out, "where all is left\n");
	else
		fprintf(out, "%s transmissions left\n",
			human_wide(dp_pieces_steps(params->left, plan->passes), text));
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

static void print_detection(const struct ctl_config *config, FILE *out) {
	if (!config->banner)
		return;
	if (!config->fingerprints) {
		fprintf(out, "detection   off\n");
		return;
	}
	fprintf(out, "detection   %u fingerprints", detect_rules_count(config->fingerprints));
	if (config->left_out)
		fprintf(out, "; %u of Recog's left out", config->left_out);
	fprintf(out, "\n");
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
	print_left(config, &plan, &params, out);
	print_pace(config, &plan, params.slice.end - params.slice.first, out);
	print_devices(config, &plan, out);
	print_memory(&plan, dedup, out);
	print_detection(config, out);
	print_plugins(config, out);
	fprintf(out, names_count(config->names) ? "no probe was sent\n" : "nothing was sent\n");
	dedup_destroy(dedup);
	if (fflush(out) || ferror(out))
		return dp_fail(err, false, -errno, "standard output: %s", strerror(errno));
	return 0;
}

static void print_start_device(const struct dp_port_plan *port, FILE *out) {
	const struct dp_route_plan *const route[] = {&port->v4, &port->v6};
	const char *gap = " from ";

	fprintf(out, "through %s", port->port);
	if (port->driver != DP_DRIVER_SIM)
		fprintf(out, " (%s)", dp_driver_name(port->driver));
	if (port->vlan)
		fprintf(out, ", VLAN %u,", port->vlan);
	for (unsigned i = 0; i < 2; i++) {
		if (!route[i]->used || !route[i]->nb_sources)
			continue;
		fputs(gap, out);
		print_ranges(out, route[i]->sources, route[i]->nb_sources);
		gap = ", ";
	}
	fprintf(out, "\n");
	if (port->note[0])
		fprintf(out, "note: %s\n", port->note);
}

static void warn_overlap(
	const struct ctl_config *config, const struct dp_port_plan *port, FILE *out) {
	fprintf(out,
		"warning: the kernel may use %u of our source ports for connections of its\n"
		"own, which would break; keep them free with\n"
		"  sysctl net.ipv4.ip_local_reserved_ports=%u-%u\n",
		port->ephemeral_overlap, config->source_port_first, config->source_port_last);
}

void plan_print_start(const struct ctl_config *config, const struct dp_plan *plan, FILE *out) {
	struct dp_slice slice = plan_slice(config);
	const struct dp_port_plan *overlapping = NULL;
	char text[HUMAN_WIDE_BYTES];

	fprintf(out, "prtip-dp %s: %s scan, %s%s probes, ", CTL_VERSION, config->type->name,
		passes_differ(config, plan) ? "up to " : "",
		human_wide((slice.end - slice.first) * (plan->passes ? plan->passes : 1), text));
	print_rate(out, plan->rate_pps);
	fprintf(out, "\n");
	print_space(config, out);
	fprintf(out, "%s, seed %" PRIu64 "\n", config->shards > 1 ? ", one shard of them" : "",
		config->seed);
	print_names(config, "", out);
	for (unsigned i = 0; i < plan->nb_ports; i++) {
		print_start_device(&plan->ports[i], out);
		if (plan->ports[i].ephemeral_overlap)
			overlapping = &plan->ports[i];
	}
	if (config->fingerprints)
		fprintf(out, "%u fingerprints name services",
			detect_rules_count(config->fingerprints));
	if (config->left_out)
		fprintf(out, "; %u of Recog's are left out (docs/fingerprints.md)",
			config->left_out);
	if (config->fingerprints)
		fprintf(out, "\n");
	if (config->fingerprints_unused)
		fprintf(out,
			"warning: the fingerprints of [detection] are not used, as [%s] enable = "
			"off\n",
			config->banner ? "detection" : "banner");
	if (overlapping)
		warn_overlap(config, overlapping, out);
	if (config->probes > 1 && !plan_tells_passes(config, plan))
		fprintf(out,
			"warning: %u source ports are too few to tell %u transmissions apart; the\n"
			"coverage is not estimated\n",
			config->source_port_last - config->source_port_first + 1u, plan->passes);
}

bool plan_tells_passes(const struct ctl_config *config, const struct dp_plan *plan) {
	return !has_source_ports(config)
		|| config->source_port_last - config->source_port_first + 1u >= plan->passes;
}

/* How many payloads of a table @port has. */
static unsigned count_payloads(const struct dp_payload *payload, unsigned nb, uint16_t port) {
	unsigned count = 0;

	for (unsigned i = 0; i < nb; i++)
		for (unsigned k = 0; k < payload[i].nb_ports; k++)
			count += payload[i].ports[k] == port;
	return count;
}

static bool has_one_payload(const struct ctl_config *config, uint16_t port) {
	unsigned nb, own = count_payloads(config->payloads, config->nb_payloads, port);
	const struct dp_payload *builtin = dp_payloads_builtin(&nb);

	/* The operator's replace what is built in. */
	return (own ? own : count_payloads(builtin, nb, port)) <= 1;
}

/* As far as the control core can tell, each pair gets the same probe @probes times. */
static bool repeats_are_alike(const struct ctl_config *config, const struct dp_plan *plan) {
	const unsigned nb = dp_space_ports(config->space);

	if (!dp_scan_part(config->type, DP_PROTO_UDP))
		return plan->passes == config->probes;
	/* The first pairs are those of the first address. */
	for (unsigned i = 0; i < nb; i++) {
		const dp_u128 index = i;
		struct dp_target target;

		dp_space_pick_wide(config->space, &index, &target, 1);
		if ((!config->type->nb_parts || target.proto == DP_PROTO_UDP)
			&& !has_one_payload(config, target.port))
			return false;
	}
	return true;
}

const char *plan_no_coverage(const struct ctl_config *config, const struct dp_plan *plan) {
	if (config->type->link)
		return "such answers do not say to which request";
	if (!plan_tells_passes(config, plan))
		return "source ports are too few to tell repeats apart";
	if (!repeats_are_alike(config, plan))
		return "pairs get probes of several kinds";
	return NULL;
}
