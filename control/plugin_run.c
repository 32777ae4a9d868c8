/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plugins in a run. Control core; owns the plugin host, what it was told of the scan, and the target
 * space that on_pre_scan narrowed.
 */
#include "plugin_run.h"
#include "privilege.h"
#include "targets.h"
#include "value.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A hook that runs once, and what it is given. */
struct step {
	unsigned plugin;
	enum lh_hook hook;
	int output; /* of the configuration, for export; -1: none */
};

struct plugin_run {
	const struct ctl_config *config;
	struct lh_host *host;
	struct progress *progress;
	const atomic_int *interrupts;
	struct dp_engine *engine; /* NULL: not yet */
	struct pipeline *pipeline; /* NULL: not yet */
	struct archive *archive; /* NULL: not yet */
	struct lh_enabled enabled[LH_MAX_PLUGINS];
	struct lh_range *scope;
	cpu_set_t cpus;
	char *data_dir;
	bool network, ended;
	struct step step[2 * LH_MAX_PLUGINS];
	unsigned nb_steps, at;
	bool running; /* the step at @at was begun */
	bool stale; /* one that was given up has not ended yet */
	struct dp_space *space; /* as it is now */
	struct dp_space *narrowed; /* ours; NULL: as configured */
	struct dp_slice slice;
	struct dp_perm perm;
	uint32_t *ports; /* of it; of a mix endpoints */
	unsigned nb_ports;
	bool empty; /* nothing is left to scan */
};

/* Addresses pass between the two layers as they are. */
static_assert(sizeof(lh_ip) == sizeof(dp_ip)
	&& sizeof(((struct ctl_plugins *)0)->source_ip) == sizeof(dp_ip));

/* ---- What the host asks ---- */

static void give_record(void *ctx, uint64_t tag, struct lh_record *record) {
	struct plugin_run *plugins = ctx;

	pipeline_record(plugins->pipeline, tag, record);
}

static unsigned give_targets(void *ctx, uint64_t first, struct lh_target *targets, unsigned max) {
	struct plugin_run *plugins = ctx;
	const bool mixed = dp_space_is_mixed(plugins->space);
	struct dp_target target[DP_WALK_MAX];
	dp_u128 left = plugins->slice.end - plugins->slice.first;

	if (first >= left)
		return 0;
	if (left - first < max)
		max = (unsigned)(left - first);
	for (unsigned n = 0, burst; n < max; n += burst) {
		burst = max - n < DP_WALK_MAX ? max - n : DP_WALK_MAX;
		dp_space_walk(plugins->space, &plugins->perm, plugins->slice.first + first + n,
			target, burst);
		for (unsigned i = 0; i < burst; i++)
			targets[n + i] = (struct lh_target){target[i].ip, target[i].port,
				mixed ? dp_proto_name(target[i].proto) : NULL};
	}
	return max;
}

static bool give_result(void *ctx, uint64_t index, struct lh_record *record) {
	struct plugin_run *plugins = ctx;
	struct result result;

	if (!plugins->archive || archive_get(plugins->archive, index, &result))
		return false;
	pipeline_fill(plugins->pipeline, &result, record);
	return true;
}

static bool send_probe(void *ctx, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port) {
	static const uint8_t protos[LH_PROBE_PROTOCOLS]
		= {[LH_PROBE_TCP] = DP_PROTO_TCP, [LH_PROBE_UDP] = DP_PROTO_UDP};
	struct plugin_run *plugins = ctx;

	return plugins->engine
		&& dp_engine_probe(plugins->engine, (enum dp_proto)protos[protocol], ip, port);
}

/* Debug with -v only; with --quiet nothing but errors. */
static void log_line(void *ctx, unsigned level, const char *plugin, const char *text) {
	static const char *const names[] = {"debug: ", "", "warning: ", "error: "};
	struct plugin_run *plugins = ctx;

	if (level < (plugins->config->verbose ? 0u : plugins->config->quiet ? 3u : 1u))
		return;
	if (!plugins->config->quiet)
		progress_clear(plugins->progress);
	fprintf(stderr, "prtip-dp: %s%s%s%s\n", plugin ? plugin : "", plugin ? ": " : "",
		names[level], text);
}

static bool is_hurried(void *ctx) {
	const struct plugin_run *plugins = ctx;

	return atomic_load(plugins->interrupts) > 1;
}

static const struct lh_host_ops ops = {
	.record = give_record,
	.targets = give_targets,
	.result = give_result,
	.probe = send_probe,
	.hurried = is_hurried,
	.log = log_line,
};

void plugin_run_probed(struct plugin_run *plugins, const struct dp_answer *answer) {
	static const uint8_t states[] = {
		[DP_STATE_OPEN] = LH_PROBE_OPEN,
		[DP_STATE_CLOSED] = LH_PROBE_CLOSED,
		[DP_STATE_FILTERED] = LH_PROBE_FILTERED,
	};
	bool udp = answer->proto == DP_PROTO_UDP;

	/* A SYN and a UDP payload find nothing else. */
	if ((udp || answer->proto == DP_PROTO_TCP)
		&& answer->state < sizeof(states) / sizeof(states[0]))
		lh_host_probed(plugins->host, udp ? LH_PROBE_UDP : LH_PROBE_TCP, answer->ip,
			answer->port, (enum lh_probe_state)states[answer->state]);
}

/* ---- Making it ---- */

/* Nothing leaves the machine on these: a plugin that could would scan something else. */
static bool is_isolated(const struct dp_port_plan *port) {
	static const char *const isolated[] = {"net_null", "net_ring", "net_pcap"};

	if (port->driver == DP_DRIVER_SIM)
		return true;
	for (unsigned i = 0; port->driver == DP_DRIVER_VDEV && i < 3; i++)
		if (!strncmp(port->port, isolated[i], strlen(isolated[i])))
			return true;
	return false;
}

static bool has_network(const struct dp_plan *plan) {
	for (unsigned i = 0; i < plan->nb_ports; i++)
		if (is_isolated(&plan->ports[i]))
			return false;
	return true;
}

/* To be freed; NULL: no memory. */
static struct lh_range *copy_ranges(const struct dp_range *ranges, size_t nb) {
	struct lh_range *copy = malloc((nb ? nb : 1) * sizeof(*copy));

	for (size_t i = 0; copy && i < nb; i++)
		copy[i] = (struct lh_range){ranges[i].first, ranges[i].last};
	return copy;
}

static size_t copy_scope(struct plugin_run *plugins) {
	const struct dp_range *ranges;
	size_t nb = dp_ipset_ranges(dp_space_addresses(plugins->config->space), &ranges);

	plugins->scope = copy_ranges(ranges, nb);
	return nb;
}

/* The packet lcores' CPUs are theirs, where there are others. */
static void choose_cpus(
	struct plugin_run *plugins, const struct dp_plan *plan, const cpu_set_t *cpus) {
	plugins->cpus = *cpus;
	for (unsigned i = 0; i < plan->nb_ports; i++)
		for (unsigned k = 0; k < plan->ports[i].nb_workers; k++)
			CPU_CLR(plan->ports[i].worker_cpu[k], &plugins->cpus);
	if (!CPU_COUNT(&plugins->cpus))
		plugins->cpus = *cpus;
}

/* The output of the configuration that the plugin writes; -1: none. */
static int output_of(const struct ctl_config *config, unsigned plugin) {
	for (unsigned i = 0; i < config->nb_outputs; i++)
		if (config->outputs[i].plugin == plugin + 1)
			return (int)i;
	return -1;
}

static void enable_all(struct plugin_run *plugins) {
	const struct ctl_config *config = plugins->config;

	for (unsigned i = 0; i < config->plugins.nb_enabled; i++) {
		int output = output_of(config, i);
		const char *path = output < 0 ? NULL : config->outputs[output].path;

		plugins->enabled[i] = (struct lh_enabled){.plugin = config->plugins.enabled[i],
			.output_path = path && strcmp(path, "-") ? path : NULL};
	}
}

static int create_host(
	struct plugin_run *plugins, const struct dp_plan *plan, struct dp_error *err) {
	const struct ctl_config *config = plugins->config;
	size_t nb_scope = copy_scope(plugins);
	const struct lh_host_params params = {
		.plugins = plugins->enabled,
		.nb_plugins = config->plugins.nb_enabled,
		.lanes = config->plugins.lanes,
		.limits = config->plugins.limits,
		.queue = config->plugins.queue,
		.network = plugins->network,
		.source_ip = config->plugins.source_ip,
		.device = config->plugins.device,
		.avoid_first = config->source_port_first,
		.avoid_last = config->source_port_last,
		.scope = plugins->scope,
		.nb_scope = nb_scope,
		.data_dir = plugins->data_dir,
		.cpus = &plugins->cpus,
		.scan_type = config->type->name,
		.protocol = dp_proto_name(config->type->proto),
		.has_ports = config->type->has_ports,
		.flags = config->type->flags,
		.ports = config->ports,
		.rate_pps = plan->rate_pps,
		.timing = config->timing,
		.seed = config->seed,
		.ops = &ops,
		.ctx = plugins,
	};
	struct lh_error why;
	int rc;

	if (!plugins->scope || !plugins->data_dir)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	rc = lh_host_create(&params, &plugins->host, &why);
	return rc ? dp_fail(err, why.usage, rc, "%s", why.text) : 0;
}

static void add_step(struct plugin_run *plugins, unsigned plugin, enum lh_hook hook, int output) {
	if (plugins->config->plugins.enabled[plugin]->hooks >> hook & 1)
		plugins->step[plugins->nb_steps++] = (struct step){plugin, hook, output};
}

/* Those of the plan; a scan without ports has the one port 0. */
static int read_ports(struct plugin_run *plugins) {
	struct value_error why;

	if (plugins->config->type->has_ports)
		return targets_read_endpoints(plugins->config->ports, plugins->config->type,
			plugins->ports, &plugins->nb_ports, &why);
	plugins->ports[0] = 0;
	plugins->nb_ports = 1;
	return 0;
}

int plugin_run_create(const struct ctl_config *config, const struct dp_plan *plan,
	const cpu_set_t *cpus, const atomic_int *interrupts, struct progress *progress,
	struct plugin_run **out, struct dp_error *err) {
	struct plugin_run *plugins;
	int rc;

	if (!config->plugins.nb_enabled)
		return 0;
	plugins = calloc(1, sizeof(*plugins));
	if (!plugins)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	plugins->config = config;
	plugins->progress = progress;
	plugins->interrupts = interrupts;
	plugins->space = config->space;
	plugins->data_dir = lh_home_data();
	plugins->ports = malloc(DP_ENDPOINTS * sizeof(*plugins->ports));
	rc = plugins->ports ? read_ports(plugins) : -ENOMEM;
	if (rc) {
		dp_fail(err, false, rc, "out of memory");
		goto destroy;
	}
	plugins->network = has_network(plan);
	choose_cpus(plugins, plan, cpus);
	enable_all(plugins);
	for (unsigned i = 0; i < config->plugins.nb_enabled; i++)
		if (config->plugins.enabled[i]->type == LH_TYPE_SCAN)
			add_step(plugins, i, LH_HOOK_ON_PRE_SCAN, -1);
	rc = create_host(plugins, plan, err);
	if (rc)
		goto destroy;
	*out = plugins;
	return 0;

destroy:
	plugin_run_destroy(plugins);
	return rc;
}

void plugin_run_destroy(struct plugin_run *plugins) {
	if (!plugins)
		return;
	lh_host_destroy(plugins->host);
	dp_space_destroy(plugins->narrowed);
	free(plugins->ports);
	free(plugins->scope);
	free(plugins->data_dir);
	free(plugins);
}

int plugin_run_ready(struct plugin_run *plugins, struct dp_error *err) {
	struct lh_error why;
	int rc = lh_host_ready(plugins->host, &why);

	return rc ? dp_fail(err, why.usage, rc, "%s", why.text) : 0;
}

int plugin_run_check_folders(const struct plugin_run *plugins, struct dp_error *err) {
	const struct ctl_config *config = plugins->config;
	char path[4096], what[128];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < config->plugins.nb_enabled; i++) {
		const struct lh_plugin *plugin = config->plugins.enabled[i];

		if (!(plugin->capabilities & LH_CAP_FILESYSTEM))
			continue;
		snprintf(path, sizeof(path), "%s/%s", plugins->data_dir, plugin->name);
		snprintf(what, sizeof(what), "plugin %s", plugin->name);
		rc = privilege_check_folder(what, path, err);
	}
	return rc;
}

struct lh_host *plugin_run_host(struct plugin_run *plugins) {
	return plugins ? plugins->host : NULL;
}

void plugin_run_attach(
	struct plugin_run *plugins, struct dp_engine *engine, struct pipeline *pipeline) {
	plugins->engine = engine;
	plugins->pipeline = pipeline;
}

void plugin_run_print(const struct plugin_run *plugins, FILE *out) {
	const struct ctl_plugins *config = &plugins->config->plugins;
	const char *unconfined = lh_host_unconfined(plugins->host);
	bool network = false;
	char ip[DP_IP_TEXT_BYTES] = "";

	fprintf(out, "plugins: ");
	for (unsigned i = 0; i < config->nb_enabled; i++) {
		fprintf(out, "%s%s %s", i ? ", " : "", config->enabled[i]->name,
			config->enabled[i]->version);
		network |= config->enabled[i]->capabilities & LH_CAP_NETWORK;
	}
	fprintf(out, "\n");
	if (network && !plugins->network)
		fprintf(out, "plugin sockets: none on this port\n");
	else if (network && (config->source_ip || *config->device)) {
		if (config->source_ip)
			dp_ip_write(config->source_ip, ip);
		fprintf(out, "plugin sockets: from %s%s%s\n", ip,
			*ip && *config->device ? " by " : "", config->device);
	} else if (network)
		fprintf(out, "plugin sockets: routed by the kernel\n");
	if (*unconfined)
		fprintf(out, "warning: plugins are not confined by: %s\n", unconfined);
}

/* ---- Hooks that run once ---- */

static void begin_steps(struct plugin_run *plugins) {
	plugins->nb_steps = plugins->at = 0;
	plugins->stale = plugins->running;
	plugins->running = false;
}

bool plugin_run_wants_targets(const struct plugin_run *plugins) {
	return plugins && plugins->nb_steps > 0;
}

bool plugin_run_wants_results(const struct plugin_run *plugins) {
	for (unsigned i = 0; plugins && i < plugins->config->plugins.nb_enabled; i++) {
		const struct lh_plugin *plugin = plugins->config->plugins.enabled[i];

		if ((plugin->type == LH_TYPE_SCAN && (plugin->hooks >> LH_HOOK_ON_POST_SCAN & 1))
			|| (plugins->enabled[i].output_path
				&& (plugin->hooks >> LH_HOOK_EXPORT & 1)))
			return true;
	}
	return false;
}

static void say_failed(
	struct plugin_run *plugins, const struct step *step, const struct lh_event *event) {
	char text[800];

	snprintf(text, sizeof(text), "%s: %s%s%s", lh_hook_names[step->hook],
		lh_status_names[event->status], event->error ? ": " : "",
		event->error ? event->error : "");
	log_line(plugins, 3, plugins->config->plugins.enabled[step->plugin]->name, text);
}

static void say_cut(struct plugin_run *plugins, const struct step *step, dp_u128 count) {
	char number[DP_U128_TEXT_BYTES], text[160];

	dp_u128_write(count, number);
	snprintf(text, sizeof(text),
		"%s: sees the first %" PRIu64 " of %s elements; a number in Lua holds no more",
		lh_hook_names[step->hook], LH_SEQUENCE_MAX, number);
	log_line(plugins, 2, plugins->config->plugins.enabled[step->plugin]->name, text);
}

/* Elements of the sequence that the step sees. */
static uint64_t sequence_count(struct plugin_run *plugins, const struct step *step) {
	dp_u128 count = plugins->slice.end - plugins->slice.first;

	if (plugins->archive)
		return archive_count(plugins->archive);
	if (plugins->empty)
		return 0;
	if (count <= LH_SEQUENCE_MAX)
		return (uint64_t)count;
	say_cut(plugins, step, count);
	return LH_SEQUENCE_MAX;
}

/* Go on with the steps; true once all are through. @ended is called for each that went well. */
static bool go_on(struct plugin_run *plugins,
	void (*ended)(struct plugin_run *, const struct step *, const struct lh_event *)) {
	struct lh_event event;

	if (plugins->stale)
		plugins->stale = !pipeline_phase_event(plugins->pipeline, &event);
	if (plugins->stale)
		return false;
	if (plugins->running && pipeline_phase_event(plugins->pipeline, &event)) {
		const struct step *step = &plugins->step[plugins->at++];

		plugins->running = false;
		if (event.status != LH_OK)
			say_failed(plugins, step, &event);
		else if (ended)
			ended(plugins, step, &event);
	}
	if (plugins->at == plugins->nb_steps)
		return true;
	if (!plugins->running) {
		const struct step *step = &plugins->step[plugins->at];

		plugins->running = true;
		lh_host_phase(
			plugins->host, step->plugin, step->hook, sequence_count(plugins, step));
	}
	return false;
}

/* ---- on_pre_scan: narrowing ---- */

/* Keep those of @ports that are in the list too. Their number, or -EINVAL with @err filled. */
static int keep_ports(const struct plugin_run *plugins, const char *list, uint32_t *ports,
	unsigned nb_ports, struct dp_error *err) {
	const struct dp_scan_type *type = plugins->config->type;
	uint32_t *wanted = NULL;
	unsigned nb = 0, kept = 0;
	struct value_error why;
	int rc;

	if (!type->has_ports)
		return dp_fail(
			err, false, -EINVAL, "ports: a scan of type %s has none", type->name);
	wanted = malloc(DP_ENDPOINTS * sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	rc = targets_read_endpoints(list, type, wanted, &nb, &why);
	if (rc)
		dp_fail(err, false, rc, "ports: %s: %s", why.part, why.why);
	for (unsigned i = 0, k = 0; !rc && i < nb_ports; i++) {
		while (k < nb && wanted[k] < ports[i])
			k++;
		if (k < nb && wanted[k] == ports[i])
			ports[kept++] = ports[i];
	}
	free(wanted);
	return rc ? rc : (int)kept;
}

/* The addresses of a list from a plugin, as a space of one port. */
static int read_addresses(const char *list, struct targets *targets, struct dp_error *err) {
	static const uint32_t port = 1;
	struct targets_spec spec = {.ports = &port, .nb_ports = 1};
	struct value_error why;
	char *canonical;
	int rc = targets_check(list, &canonical, &why);

	if (rc == -EINVAL)
		return dp_fail(err, false, rc, "exclude: %s: %s", why.part, why.why);
	if (rc)
		return rc;
	spec.targets = canonical;
	rc = targets_build(&spec, targets, err);
	free(canonical);
	return rc;
}

/* What is left of the plan's addresses without those in the list. 0 or a negative errno. */
static int fewer_addresses(const struct plugin_run *plugins, const char *list,
	struct dp_ipset **out, struct dp_error *err) {
	struct targets excluded;
	int rc = dp_ipset_copy(dp_space_addresses(plugins->space), out);

	if (rc || !list || !*list)
		return rc;
	rc = read_addresses(list, &excluded, err);
	if (rc)
		return rc;
	rc = dp_ipset_subtract(*out, dp_space_addresses(excluded.space));
	dp_space_destroy(excluded.space);
	return rc;
}

static void set_slice(struct plugin_run *plugins) {
	const struct dp_slice whole = {0, dp_space_count(plugins->space)};

	plugins->slice = dp_slice_part(whole, plugins->config->shard, plugins->config->shards);
	dp_perm_init(&plugins->perm, whole.end, plugins->config->seed);
}

/* The plugins that follow see what is left. */
static void take_space(struct plugin_run *plugins, struct dp_space *space) {
	dp_space_destroy(plugins->narrowed);
	plugins->narrowed = plugins->space = space;
	set_slice(plugins);
}

/* Make a smaller space of what on_pre_scan returned. */
static int narrow(struct plugin_run *plugins, const struct lh_event *event, struct dp_error *err) {
	uint32_t *ports = malloc(DP_ENDPOINTS * sizeof(*ports));
	struct dp_ipset *addresses = NULL;
	struct dp_space *space = NULL;
	int nb_ports = (int)plugins->nb_ports, rc = -ENOMEM;

	if (!ports)
		return rc;
	memcpy(ports, plugins->ports, plugins->nb_ports * sizeof(*ports));
	if (event->ports)
		nb_ports = keep_ports(plugins, event->ports, ports, plugins->nb_ports, err);
	rc = nb_ports < 0 ? nb_ports : fewer_addresses(plugins, event->exclude, &addresses, err);
	if (rc)
		goto free_all;
	plugins->empty = !nb_ports || !dp_ipset_count(addresses);
	if (!plugins->empty)
		rc = targets_space(
			addresses, plugins->config->type, ports, (unsigned)nb_ports, &space);
	if (!rc && space) {
		take_space(plugins, space);
		memcpy(plugins->ports, ports, (unsigned)nb_ports * sizeof(*ports));
		plugins->nb_ports = (unsigned)nb_ports;
	}

free_all:
	dp_ipset_destroy(addresses);
	free(ports);
	return rc;
}

static void take_narrowing(
	struct plugin_run *plugins, const struct step *step, const struct lh_event *event) {
	const char *name = plugins->config->plugins.enabled[step->plugin]->name;
	struct dp_error err = {.text = "out of memory"};
	char text[700], pairs[DP_U128_TEXT_BYTES];

	if ((!event->ports && !event->exclude) || plugins->empty)
		return;
	if (narrow(plugins, event, &err)) {
		snprintf(text, sizeof(text), "on_pre_scan: not narrowed: %s", err.text);
		log_line(plugins, 3, name, text);
		return;
	}
	dp_u128_write(plugins->empty ? 0 : dp_space_count(plugins->space), pairs);
	snprintf(text, sizeof(text), "on_pre_scan: narrowed the scan to %s pairs", pairs);
	log_line(plugins, 1, name, text);
}

bool plugin_run_pre_scan(struct plugin_run *plugins, struct narrowed *narrowed) {
	if (plugins->at == 0 && !plugins->running)
		set_slice(plugins);
	if (!go_on(plugins, take_narrowing))
		return false;
	*narrowed = (struct narrowed){plugins->empty ? NULL : plugins->space, plugins->slice};
	return true;
}

void plugin_run_stop_pre_scan(struct plugin_run *plugins) {
	if (plugins->running)
		lh_host_give_up(plugins->host, plugins->step[plugins->at].plugin);
}

/* ---- on_post_scan, export ---- */

static void plan_post_scan(struct plugin_run *plugins) {
	const struct ctl_plugins *config = &plugins->config->plugins;

	begin_steps(plugins);
	for (unsigned i = 0; i < config->nb_enabled; i++)
		if (config->enabled[i]->type == LH_TYPE_SCAN)
			add_step(plugins, i, LH_HOOK_ON_POST_SCAN, -1);
	for (unsigned i = 0; i < config->nb_enabled; i++)
		if (plugins->enabled[i].output_path)
			add_step(plugins, i, LH_HOOK_EXPORT, output_of(plugins->config, i));
}

bool plugin_run_post_scan(
	struct plugin_run *plugins, struct archive *archive, struct writer *writer) {
	if (!plugins->archive) {
		plugins->archive = archive;
		plan_post_scan(plugins);
		for (unsigned i = 0; i < plugins->nb_steps; i++)
			if (plugins->step[i].output >= 0)
				lh_host_output(plugins->host, plugins->step[i].plugin,
					writer_output_fd(
						writer, (unsigned)plugins->step[i].output));
	}
	return go_on(plugins, NULL);
}

/* ---- Exclusions while it runs ---- */

int plugin_run_exclude(struct plugin_run *plugins, const struct dp_ipset *more) {
	const struct dp_range *ranges;
	size_t nb = dp_ipset_ranges(more, &ranges);
	struct lh_range *copy;
	int rc;

	if (!plugins)
		return 0;
	copy = copy_ranges(ranges, nb);
	rc = copy ? lh_host_exclude(plugins->host, copy, nb) : -ENOMEM;
	free(copy);
	return rc;
}

/* ---- The end ---- */

/* A scan that goes on begins with what there was before. */
static void add_stats(struct ctl_plugin_account *account, const struct lh_plugin_stats *stats) {
	account->deaths += stats->deaths;
	account->quarantined = stats->quarantined;
	account->lane_cpu_s += stats->lane_cpu_s;
}

void plugin_run_add_stats(const struct plugin_run *plugins, struct ctl_plugin_account *accounts) {
	for (unsigned i = 0; !plugins->ended && i < plugins->config->plugins.nb_enabled; i++) {
		struct lh_plugin_stats stats;

		lh_host_stats(plugins->host, i, &stats);
		add_stats(&accounts[i], &stats);
	}
}

void plugin_run_end(struct plugin_run *plugins, struct ctl_plugin_account *accounts) {
	if (plugins->ended)
		return;
	plugins->ended = true;
	lh_host_stop(plugins->host);
	for (unsigned i = 0; i < plugins->config->plugins.nb_enabled; i++) {
		struct lh_plugin_stats stats;

		lh_host_stats(plugins->host, i, &stats);
		add_stats(&accounts[i], &stats);
		if (stats.log_suppressed) {
			char text[80];

			snprintf(text, sizeof(text), "%" PRIu64 " log lines left out",
				stats.log_suppressed);
			log_line(plugins, 2, accounts[i].name, text);
		}
	}
}
