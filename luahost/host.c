/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plugin host: the control core's end of warden and lanes. Makes no blocking call between
 * lh_host_ready() and lh_host_stop(), and few system calls: rings are looked at each time, the
 * warden's notices and the clocks a thousand times a second at the most.
 *
 * Owns the shared memory, the queues and the events; nothing here trusts what a lane wrote.
 */
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CHORES_NS = 1000 * 1000,
	LISTEN = 256, /* messages of a lane in a turn */
	GRACE_S = 10, /* beyond wall and processor time, before a silent lane is given up */
	STALL_NS = 1000 * 1000 * 1000, /* longer without a poll: we stood still, not the lanes */
	NAP_NS = 200 * 1000,
	HURRY_NS = 1000 * 1000 * 1000, /* for on_unload where the user does not want to wait */
	WARDEN_NS = 2000 * 1000 * 1000, /* for a warden that does not do what it is told */
};

const char *const lh_status_names[LH_STATUS_COUNT] = {
	[LH_OK] = "ok",
	[LH_ERROR] = "error",
	[LH_DENIED] = "denied",
	[LH_MEMORY] = "memory",
	[LH_INSTRUCTIONS] = "instructions",
	[LH_TIMEOUT] = "timeout",
	[LH_KILLED] = "killed",
	[LH_SKIPPED] = "skipped",
};

static uint64_t monotonic_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Events and memory that they point to ---- */

static bool grow_events(struct lh_host *host) {
	uint32_t size = host->event_size ? 2 * host->event_size : 1024;
	struct lh_event *event = malloc(size * sizeof(*event));

	if (!event)
		return false;
	for (uint32_t i = 0; i < host->event_count; i++)
		event[i] = host->event[(host->event_head + i) % host->event_size];
	free(host->event);
	host->event = event;
	host->event_size = size;
	host->event_head = 0;
	return true;
}

void host_event(struct lh_host *host, const struct lh_event *event) {
	/* Without memory for it the account could not be true. */
	if (host->event_count == host->event_size && !grow_events(host))
		abort();
	host->event[(host->event_head + host->event_count++) % host->event_size] = *event;
}

void host_discard(struct lh_host *host, void *memory) {
	if (host->nb_garbage == host->garbage_room) {
		uint32_t room = host->garbage_room ? 2 * host->garbage_room : 256;
		void **more = realloc(host->garbage, room * sizeof(*more));

		if (!more)
			abort();
		host->garbage = more;
		host->garbage_room = room;
	}
	host->garbage[host->nb_garbage++] = memory;
}

/* Only once all events that could point to it are out. */
static void collect_garbage(struct lh_host *host) {
	if (host->event_count)
		return;
	for (uint32_t i = 0; i < host->nb_garbage; i++)
		free(host->garbage[i]);
	host->nb_garbage = 0;
}

void host_log(struct lh_host *host, unsigned level, int plugin, const char *format, ...) {
	char text[1400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	host->params.ops->log(host->params.ctx, level,
		plugin < 0 ? NULL : host->params.plugins[plugin].plugin->name, text);
}

/* ---- The warden ---- */

static void lose_warden(struct lh_host *host) {
	if (host->broken)
		return;
	host->broken = true;
	if (!host->ending)
		host_log(host, 3, -1, "the process that runs the plugins died");
	for (unsigned area = 0; area < host->setup.nb_areas; area++) {
		const struct notice notice = {.area = area, .status = LH_KILLED};

		queue_bury(host, &notice);
	}
	for (unsigned plugin = 0; plugin < host->params.nb_plugins && !host->ending; plugin++)
		queue_quarantine(host, plugin, "its warden died");
}

void host_command(struct lh_host *host, const struct command *command, int fd) {
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)command, sizeof(*command)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *cmsg = (struct cmsghdr *)control;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	if (!host->broken && sendmsg(host->setup.socket, &message, MSG_NOSIGNAL) < 0)
		lose_warden(host);
}

void host_kill(struct lh_host *host, unsigned area, enum lh_status status) {
	struct host_lane *lane = &host->lane[area];
	const struct command command = {.op = COMMAND_KILL, .area = area, .status = status};

	if (lane->state == LANE_FREE || lane->state == LANE_DYING)
		return;
	lane->state = LANE_DYING;
	host_command(host, &command, -1);
}

static void take_notices(struct lh_host *host) {
	struct notice notice;

	while (!host->broken) {
		ssize_t n = recv(host->setup.socket, &notice, sizeof(notice), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n != sizeof(notice) || notice.area >= host->setup.nb_areas) {
			lose_warden(host);
			return;
		}
		queue_bury(host, &notice);
	}
}

/* ---- Creating ---- */

static double tighter(double operators, double plugins) {
	return plugins > 0 && plugins < operators ? plugins : operators;
}

static struct lh_limits limits_of(
	const struct lh_limits *operators, const struct lh_limits *plugins) {
	return (struct lh_limits){
		.memory_mb = (uint32_t)tighter(operators->memory_mb, plugins->memory_mb),
		.cpu_s = tighter(operators->cpu_s, plugins->cpu_s),
		.wall_s = tighter(operators->wall_s, plugins->wall_s),
		.instructions
		= (uint64_t)tighter((double)operators->instructions, (double)plugins->instructions),
		.phase_s = tighter(operators->phase_s, plugins->phase_s),
	};
}

/* Zeros that processes share; MAP_FAILED: none. Takes memory as it is written to. */
static void *map_shared(size_t bytes) {
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
}

static int map_areas(struct setup *setup) {
	setup->areas = map_shared(setup->nb_areas * area_bytes());
	if (setup->areas == MAP_FAILED)
		return -errno;
	setup->authority
		= map_shared((size_t)setup->nb_areas * LANE_SLOTS * sizeof(*setup->authority));
	if (setup->authority == MAP_FAILED)
		return -errno;
	setup->excluded = map_shared(sizeof(*setup->excluded));
	if (setup->excluded == MAP_FAILED)
		return -errno;
	setup->times = map_shared(setup->nb_areas * sizeof(*setup->times));
	return setup->times == MAP_FAILED ? -errno : 0;
}

static int make_setup(struct lh_host *host) {
	const struct lh_host_params *params = &host->params;
	struct setup *setup = &host->setup;

	setup->params = params;
	setup->areas_each = params->lanes + 1;
	setup->nb_areas = params->nb_plugins * setup->areas_each;
	setup->areas = MAP_FAILED;
	setup->authority = MAP_FAILED;
	setup->excluded = MAP_FAILED;
	setup->times = MAP_FAILED;
	for (unsigned i = 0; i < params->nb_plugins; i++) {
		const struct lh_plugin *plugin = params->plugins[i].plugin;
		uint32_t share = plugin->max_connections / params->lanes;

		setup->limits[i] = limits_of(&params->limits, &plugin->limits);
		setup->connections[i] = share ? share : 1;
	}
	return map_areas(setup);
}

static int make_lanes(struct lh_host *host) {
	host->lane = calloc(host->setup.nb_areas, sizeof(*host->lane));
	if (!host->lane)
		return -ENOMEM;
	for (unsigned i = 0; i < host->setup.nb_areas; i++) {
		host->lane[i].slot = calloc(LANE_SLOTS + 1, sizeof(struct slot));
		host->lane[i].free = malloc(LANE_SLOTS * sizeof(uint32_t));
		if (!host->lane[i].slot || !host->lane[i].free)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < host->params.nb_plugins; i++) {
		struct host_plugin *plugin = &host->plugin[i];

		plugin->queue_size = host->params.queue;
		plugin->queue = malloc(plugin->queue_size * sizeof(*plugin->queue));
		if (!plugin->queue)
			return -ENOMEM;
	}
	host->probe = calloc(PROBES_MAX, sizeof(*host->probe));
	host->message = malloc(MESSAGE_BYTES);
	host->scratch = malloc(MESSAGE_BYTES);
	return host->probe && host->message && host->scratch ? 0 : -ENOMEM;
}

static int fork_warden(struct lh_host *host) {
	pid_t self = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	host->warden = fork();
	if (host->warden < 0) {
		close(pair[0]);
		close(pair[1]);
		return -errno;
	}
	if (host->warden == 0) {
		close(pair[0]);
		host->setup.socket = pair[1];
		warden_main(&host->setup, self);
	}
	close(pair[1]);
	host->setup.socket = pair[0];
	return 0;
}

int lh_host_create(
	const struct lh_host_params *params, struct lh_host **out, struct lh_error *err) {
	struct lh_host *host = calloc(1, sizeof(*host));
	int rc;

	if (!host)
		return lh_fail(err, false, -ENOMEM, "out of memory for the plugin host");
	host->params = *params;
	host->setup.socket = -1;
	rc = make_setup(host);
	if (!rc)
		rc = make_lanes(host);
	if (!rc)
		rc = fork_warden(host);
	if (rc) {
		lh_fail(err, false, rc, "cannot start the plugin host: %s", strerror(-rc));
		lh_host_destroy(host);
		return rc;
	}
	host->now_ns = monotonic_ns();
	for (unsigned i = 0; i < params->nb_plugins; i++)
		queue_balance(host, i);
	*out = host;
	return 0;
}

static bool plugin_ready(const struct lh_host *host, unsigned plugin) {
	unsigned each = host->setup.areas_each, active = 0;

	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++)
		active += host->lane[area].state == LANE_ACTIVE;
	return active == host->params.lanes;
}

int lh_host_ready(struct lh_host *host, struct lh_error *err) {
	const struct timespec nap = {.tv_nsec = NAP_NS};

	for (;;) {
		bool ready = true;

		lh_host_poll(host, NULL, 0);
		for (unsigned i = 0; i < host->params.nb_plugins; i++) {
			if (host->plugin[i].quarantined)
				return lh_fail(err, true, -EINVAL, "plugin %s: %s",
					host->params.plugins[i].plugin->name,
					host->failure[0] ? host->failure : "its lane died");
			ready &= plugin_ready(host, i);
		}
		if (ready) {
			host->ready = true;
			return 0;
		}
		nanosleep(&nap, NULL);
	}
}

const char *lh_host_unconfined(const struct lh_host *host) {
	return host->unconfined;
}

/* ---- Running ---- */

uint32_t lh_host_lag(const struct lh_host *host, unsigned plugin) {
	return host->plugin[plugin].lag;
}

bool lh_host_submit(struct lh_host *host, unsigned plugin, uint64_t tag) {
	struct host_plugin *p = &host->plugin[plugin];
	const struct lh_event skipped = {.kind = LH_EVENT_RESULT,
		.plugin = plugin,
		.tag = tag,
		.status = LH_SKIPPED,
		.error = "in quarantine"};

	if (p->quarantined) {
		host_event(host, &skipped);
		return true;
	}
	if (p->lag >= host->params.queue || !queue_push(p, (struct item){tag, 0}))
		return false;
	p->lag++;
	return true;
}

int lh_host_phase(struct lh_host *host, unsigned plugin, enum lh_hook hook, uint64_t count) {
	struct host_plugin *p = &host->plugin[plugin];
	const struct lh_event skipped
		= {.kind = LH_EVENT_PHASE, .plugin = plugin, .status = LH_SKIPPED};

	if (!(host->params.plugins[plugin].plugin->hooks >> hook & 1))
		return -ENOENT;
	if (p->quarantined) {
		host_event(host, &skipped);
		return 0;
	}
	p->phase_wanted = true;
	p->phase_hook = (uint8_t)hook;
	p->phase_count = count < LH_SEQUENCE_MAX ? count : LH_SEQUENCE_MAX;
	return 0;
}

int lh_host_output(struct lh_host *host, unsigned plugin, int fd) {
	const struct command command = {.op = COMMAND_OUTPUT, .plugin = plugin};

	host_command(host, &command, fd);
	return host->broken ? -EPIPE : 0;
}

int lh_host_exclude(struct lh_host *host, const struct lh_range *more, size_t nb) {
	return excluded_add(host->setup.excluded, more, nb);
}

/* A lane that has work and says nothing for longer than any of it may take. */
static void check_silence(struct lh_host *host, unsigned area) {
	struct host_lane *lane = &host->lane[area];
	const struct lh_limits *limits = &host->setup.limits[setup_plugin(&host->setup, area)];
	double patience_s = limits->wall_s + limits->cpu_s + GRACE_S;

	if (lane->down.broken) {
		host_kill(host, area, LH_KILLED);
		return;
	}
	if (lane->state == LANE_STARTING || lane->phase) {
		patience_s = limits->phase_s + GRACE_S;
		if (lane->phase && host->now_ns < lane->phase_end_ns)
			return;
	} else if (lane->state != LANE_ACTIVE || !lane->nb_used) {
		return;
	}
	if ((double)(host->now_ns - lane->progress_ns) > patience_s * 1e9)
		host_kill(host, area, LH_TIMEOUT);
}

static void do_chores(struct lh_host *host) {
	host->chores_ns = host->now_ns;
	take_notices(host);
	lane_probes(host);
	for (unsigned area = 0; area < host->setup.nb_areas; area++) {
		lane_serve_want(host, area);
		check_silence(host, area);
	}
}

/* While we were stopped, the lanes' answers waited in their rings: that was no silence of theirs. */
static void forgive_stall(struct lh_host *host, uint64_t stalled_ns) {
	for (unsigned area = 0; area < host->setup.nb_areas; area++) {
		host->lane[area].progress_ns += stalled_ns;
		host->lane[area].phase_end_ns += stalled_ns;
	}
}

unsigned lh_host_poll(struct lh_host *host, struct lh_event *events, unsigned max) {
	uint64_t before_ns = host->now_ns;
	unsigned n = 0;

	collect_garbage(host);
	host->now_ns = monotonic_ns();
	if (host->now_ns - before_ns > STALL_NS)
		forgive_stall(host, host->now_ns - before_ns);
	if (host->now_ns - host->chores_ns >= CHORES_NS)
		do_chores(host);
	/* Events that nobody takes hold back those that would follow. */
	for (unsigned area = 0; area < host->setup.nb_areas && host->event_count <= max; area++)
		if (host->lane[area].state != LANE_FREE)
			lane_listen(host, area, LISTEN);
	for (unsigned plugin = 0; plugin < host->params.nb_plugins; plugin++)
		if (!host->plugin[plugin].quarantined)
			queue_pump(host, plugin);
	for (; n < max && host->event_count; n++) {
		events[n] = host->event[host->event_head];
		host->event_head = (host->event_head + 1) % host->event_size;
		host->event_count--;
	}
	return n;
}

bool lh_host_idle(const struct lh_host *host) {
	if (host->event_count)
		return false;
	for (unsigned i = 0; i < host->params.nb_plugins; i++)
		if (host->plugin[i].lag || host->plugin[i].phase_wanted)
			return false;
	for (unsigned area = 0; area < host->setup.nb_areas; area++)
		if (host->lane[area].phase)
			return false;
	return true;
}

void lh_host_give_up(struct lh_host *host, unsigned plugin) {
	struct host_plugin *p = &host->plugin[plugin];
	const struct lh_event skipped
		= {.kind = LH_EVENT_PHASE, .plugin = plugin, .status = LH_SKIPPED};
	unsigned each = host->setup.areas_each;

	queue_skip_all(host, plugin);
	if (p->phase_wanted) {
		p->phase_wanted = false;
		host_event(host, &skipped);
	}
	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++) {
		if (!host->lane[area].phase)
			continue;
		lane_end_phase(host, area, LH_SKIPPED, NULL);
		host_kill(host, area, LH_KILLED);
	}
}

void lh_host_stats(const struct lh_host *host, unsigned plugin, struct lh_plugin_stats *stats) {
	const struct setup *setup = &host->setup;
	uint64_t cpu_ns = 0;

	*stats = host->plugin[plugin].stats;
	for (unsigned i = 0; i < setup->areas_each; i++)
		cpu_ns += atomic_load_explicit(
			&setup->times[plugin * setup->areas_each + i].cpu_ns, memory_order_relaxed);
	/* What lanes that ended used is known better; of those that run the warden looks now and then. */
	if ((double)cpu_ns / 1e9 > stats->lane_cpu_s)
		stats->lane_cpu_s = (double)cpu_ns / 1e9;
}

/* ---- Ending ---- */

static bool all_free(const struct lh_host *host) {
	for (unsigned area = 0; area < host->setup.nb_areas; area++)
		if (host->lane[area].state != LANE_FREE)
			return false;
	return true;
}

/* Ask each lane to call on_unload and to end, where its ring has room for that already. */
static void say_unload(struct lh_host *host) {
	for (unsigned area = 0; area < host->setup.nb_areas; area++) {
		struct host_lane *lane = &host->lane[area];

		if (lane->state == LANE_STARTING)
			host_kill(host, area, LH_KILLED);
		if (lane->state == LANE_FREE || lane->state == LANE_DYING)
			continue;
		if (!ring_reserve(&lane->down, DOWN_UNLOAD, 0))
			continue;
		ring_commit(&lane->down);
		lane->state = LANE_DYING;
	}
}

static bool is_hurried(const struct lh_host *host) {
	return host->params.ops->hurried && host->params.ops->hurried(host->params.ctx);
}

static double longest_phase_s(const struct lh_host *host) {
	double longest = 0;

	for (unsigned i = 0; i < host->params.nb_plugins; i++)
		if (host->setup.limits[i].phase_s > longest)
			longest = host->setup.limits[i].phase_s;
	return longest;
}

static void kill_all(struct lh_host *host) {
	for (unsigned area = 0; area < host->setup.nb_areas; area++) {
		const struct command command
			= {.op = COMMAND_KILL, .area = area, .status = LH_KILLED};

		if (host->lane[area].state != LANE_FREE)
			host_command(host, &command, -1);
	}
}

/* The warden's end, which it is told of, or has no choice about. Its lanes have none either way. */
static void end_warden(struct lh_host *host) {
	const struct timespec nap = {.tv_nsec = NAP_NS};
	const struct command end = {.op = COMMAND_END};
	uint64_t end_ns = monotonic_ns() + WARDEN_NS;

	host_command(host, &end, -1);
	while (waitpid(host->warden, NULL, WNOHANG) == 0) {
		if (monotonic_ns() > end_ns)
			kill(host->warden, SIGKILL);
		nanosleep(&nap, NULL);
	}
	host->warden = 0;
}

void lh_host_stop(struct lh_host *host) {
	const struct timespec nap = {.tv_nsec = NAP_NS};
	bool told = false;
	uint64_t end_ns;

	if (host->ending || host->warden <= 0)
		return;
	host->ending = true;
	/* Their rings may be full of what nobody waits for. */
	for (unsigned plugin = 0; plugin < host->params.nb_plugins; plugin++)
		queue_skip_all(host, plugin);
	end_ns = monotonic_ns() + (uint64_t)(longest_phase_s(host) * 1e9);
	while (!host->broken && !all_free(host)) {
		say_unload(host);
		host->event_count = 0; /* nobody takes them any more */
		lh_host_poll(host, NULL, 0);
		if (is_hurried(host) && end_ns - HURRY_NS > host->now_ns)
			end_ns = host->now_ns + HURRY_NS;
		if (host->now_ns > end_ns) {
			/* A warden that does not even kill stands still itself. */
			if (told)
				break;
			kill_all(host);
			told = true;
			end_ns = host->now_ns + WARDEN_NS;
		}
		nanosleep(&nap, NULL);
	}
	end_warden(host);
}

static void free_lanes(struct lh_host *host) {
	for (unsigned i = 0; host->lane && i < host->setup.nb_areas; i++) {
		struct slot *slot = host->lane[i].slot;

		for (uint32_t k = 0; slot && k <= LANE_SLOTS; k++) {
			for (unsigned t = 0; slot[k].texts && t < TEXT_KINDS; t++)
				free(slot[k].texts[t].bytes);
			free(slot[k].texts);
		}
		free(slot);
		free(host->lane[i].free);
	}
	free(host->lane);
}

void lh_host_destroy(struct lh_host *host) {
	struct setup *setup;

	if (!host)
		return;
	lh_host_stop(host);
	setup = &host->setup;
	if (setup->socket >= 0)
		close(setup->socket);
	free_lanes(host);
	if (setup->areas && setup->areas != MAP_FAILED)
		munmap(setup->areas, setup->nb_areas * area_bytes());
	if (setup->authority && setup->authority != MAP_FAILED)
		munmap(setup->authority,
			(size_t)setup->nb_areas * LANE_SLOTS * sizeof(*setup->authority));
	if (setup->excluded && setup->excluded != MAP_FAILED)
		munmap(setup->excluded, sizeof(*setup->excluded));
	if (setup->times && setup->times != MAP_FAILED)
		munmap(setup->times, setup->nb_areas * sizeof(*setup->times));
	for (unsigned i = 0; i < LH_MAX_PLUGINS; i++) {
		free(host->plugin[i].queue);
		free(host->plugin[i].again);
	}
	host->event_count = 0;
	collect_garbage(host);
	free(host->garbage);
	free(host->event);
	free(host->probe);
	free(host->message);
	free(host->scratch);
	free(host);
}
