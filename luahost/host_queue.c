/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results on their way to lanes, and what becomes of them when a lane dies: the one that was running
 * gets the status that its death means, those that had begun start again once, those that had not
 * wait for the next lane as if nothing had been. Control core.
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	STRIKES = 10, /* deaths in a row that put a plugin in quarantine */
	STRIKES_FEW = 3, /* the same where they took STRIKES_S */
	STRIKES_S = 30,
	CALM = 100, /* answers that make it a new row */
	/*
	 * What a lane has not taken yet, in bytes: all of it lies in slots of their own, and the fewer
	 * these are, the more of the conversations' memory stays in the lane's cache.
	 */
	AHEAD_BYTES = 128 << 10,
};

/* ---- The queue ---- */

bool queue_push(struct host_plugin *plugin, struct item item) {
	if (plugin->queue_count == plugin->queue_size)
		return false;
	plugin->queue[(plugin->queue_head + plugin->queue_count++) % plugin->queue_size] = item;
	return true;
}

static bool push_again(struct host_plugin *plugin, struct item item) {
	if (plugin->nb_again == plugin->again_room) {
		uint32_t room = plugin->again_room ? 2 * plugin->again_room : 64;
		struct item *more = realloc(plugin->again, room * sizeof(*more));

		if (!more)
			return false;
		plugin->again = more;
		plugin->again_room = room;
	}
	plugin->again[plugin->nb_again++] = item;
	return true;
}

static bool next_item(const struct host_plugin *plugin, struct item *item) {
	if (plugin->nb_again)
		*item = plugin->again[plugin->nb_again - 1];
	else if (plugin->queue_count)
		*item = plugin->queue[plugin->queue_head];
	else
		return false;
	return true;
}

static void drop_item(struct host_plugin *plugin) {
	if (plugin->nb_again) {
		plugin->nb_again--;
		return;
	}
	plugin->queue_head = (plugin->queue_head + 1) % plugin->queue_size;
	plugin->queue_count--;
}

static uint32_t take_slot(struct host_lane *lane) {
	if (lane->nb_free)
		return lane->free[--lane->nb_free];
	return lane->nb_fresh < LANE_SLOTS ? lane->nb_fresh++ : LANE_SLOT_NONE;
}

/* Hand one result to a lane; false where it has no room. */
static bool give(struct lh_host *host, unsigned area, const struct item *item) {
	struct host_lane *lane = &host->lane[area];
	struct lh_record record;
	uint32_t slot;
	uint8_t *room;

	host->params.ops->record(host->params.ctx, item->tag, &record);
	if (wire_size(&record) > ring_longest(&lane->down)) {
		host_log(host, 2, (int)setup_plugin(&host->setup, area),
			"a result of %zu bytes is shown without the other plugins' part",
			wire_size(&record));
		record.plugins = NULL;
	}
	room = ring_reserve(&lane->down, DOWN_RECORD, (uint32_t)wire_size(&record));
	slot = room ? take_slot(lane) : LANE_SLOT_NONE;
	if (slot == LANE_SLOT_NONE)
		return false;
	wire_write(room, slot, &record);
	/* Before the lane can know of it. */
	authority_set(setup_authority(&host->setup, area, slot), record.ip);
	ring_commit(&lane->down);
	if (lane->nb_used++ == 0)
		lane->progress_ns = host->now_ns;
	lane->slot[slot] = (struct slot){.tag = item->tag,
		.end = ring_position(&lane->down),
		.attempts = item->attempts,
		.used = true};
	return true;
}

/* Looks at the lane's end only where our own idea of it says that it is far behind. */
static bool is_far_behind(struct host_lane *lane) {
	uint64_t position = ring_position(&lane->down);

	return position - lane->down.peer > AHEAD_BYTES
		&& position - ring_taken(&lane->down) > AHEAD_BYTES;
}

/* The active lane with the fewest results, of those that are not far behind. */
static int idlest(struct lh_host *host, unsigned plugin) {
	unsigned each = host->setup.areas_each, best = 0;
	int found = -1;

	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++) {
		struct host_lane *lane = &host->lane[area];

		if (lane->state != LANE_ACTIVE || lane->nb_used == LANE_SLOTS
			|| is_far_behind(lane))
			continue;
		if (found < 0 || lane->nb_used < best) {
			best = lane->nb_used;
			found = (int)area;
		}
	}
	return found;
}

/* Begin a phase hook in the first lane that is there. */
static void give_phase(struct lh_host *host, unsigned plugin) {
	struct host_plugin *p = &host->plugin[plugin];
	const char *path
		= p->phase_hook == LH_HOOK_EXPORT ? host->params.plugins[plugin].output_path : NULL;
	const struct wire_phase wire = {.hook = p->phase_hook,
		.path_bytes = path ? (uint32_t)strlen(path) : 0,
		.count = p->phase_count};
	int area = idlest(host, plugin);
	struct host_lane *lane;
	uint8_t *room;

	if (area < 0)
		return;
	lane = &host->lane[area];
	room = ring_reserve(&lane->down, DOWN_PHASE, (uint32_t)sizeof(wire) + wire.path_bytes);
	if (!room)
		return;
	memcpy(room, &wire, sizeof(wire));
	if (path)
		memcpy(room + sizeof(wire), path, wire.path_bytes);
	ring_commit(&lane->down);
	lane->phase = true;
	lane->phase_hook = p->phase_hook;
	lane->phase_end_ns
		= host->now_ns + (uint64_t)((host->setup.limits[plugin].phase_s + 5) * 1e9);
	p->phase_wanted = false;
}

void queue_pump(struct lh_host *host, unsigned plugin) {
	struct host_plugin *p = &host->plugin[plugin];
	struct item item;

	if (p->phase_wanted)
		give_phase(host, plugin);
	while (next_item(p, &item)) {
		int area = idlest(host, plugin);

		if (area < 0 || !give(host, (unsigned)area, &item))
			return;
		drop_item(p);
	}
}

static void skip(struct lh_host *host, unsigned plugin, uint64_t tag) {
	const struct lh_event event
		= {.kind = LH_EVENT_RESULT, .plugin = plugin, .tag = tag, .status = LH_SKIPPED};

	host->plugin[plugin].lag--;
	host_event(host, &event);
}

/* All that waits, in no lane. */
static void skip_queue(struct lh_host *host, unsigned plugin) {
	struct host_plugin *p = &host->plugin[plugin];
	struct item item;

	while (next_item(p, &item)) {
		drop_item(p);
		skip(host, plugin, item.tag);
	}
}

/* All, those in lanes too. */
void queue_skip_all(struct lh_host *host, unsigned plugin) {
	unsigned each = host->setup.areas_each;

	skip_queue(host, plugin);
	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++)
		if (host->lane[area].state != LANE_FREE)
			lane_abandon(host, area);
}

/* ---- Deaths ---- */

static bool has_slot(const struct host_lane *lane, uint32_t slot) {
	return slot < lane->nb_fresh && lane->slot[slot].used;
}

static const char *death_text(enum lh_status status) {
	static const char *const text[LH_STATUS_COUNT] = {
		[LH_MEMORY] = "not enough memory",
		[LH_INSTRUCTIONS] = "over the limit of instructions",
		[LH_TIMEOUT] = "over cpu_seconds or wall_seconds",
		[LH_KILLED] = "the lane died",
	};

	return text[status];
}

/* What becomes of a slot's result. */
static void bereave(struct lh_host *host, unsigned area, uint32_t slot, bool begun) {
	struct host_plugin *plugin = &host->plugin[setup_plugin(&host->setup, area)];
	const struct slot *s = &host->lane[area].slot[slot];
	struct item item = {s->tag, (uint8_t)(s->attempts + begun)};

	if (s->abandoned) {
		lane_free_slot(host, area, slot);
		return;
	}
	if (item.attempts > 1 || !push_again(plugin, item)) {
		lane_finish_slot(host, area, slot, LH_KILLED, "its lane died twice");
		return;
	}
	lane_free_slot(host, area, slot); /* still in the plugin's lag */
}

static void bereave_all(struct lh_host *host, unsigned area, enum lh_status status) {
	struct host_lane *lane = &host->lane[area];
	uint32_t running = atomic_load_explicit(
		&setup_area(&host->setup, area)->running, memory_order_acquire);
	uint64_t taken = ring_taken(&lane->down);

	if (lane->phase)
		lane_end_phase(
			host, area, status == LH_OK ? LH_KILLED : status, death_text(status));
	if (has_slot(lane, running) && lane->slot[running].end <= taken)
		lane_finish_slot(host, area, running, status, death_text(status));
	/* From the last to the first, so that the stack gives them back in order. */
	for (uint32_t slot = lane->nb_fresh; slot-- > 0 && lane->nb_used;)
		if (lane->slot[slot].used)
			bereave(host, area, slot, lane->slot[slot].end <= taken);
}

static void strike(struct lh_host *host, unsigned plugin, enum lh_status status) {
	struct host_plugin *p = &host->plugin[plugin];
	char why[200];

	p->stats.deaths++;
	if (p->answers >= CALM) {
		p->strikes = 0;
		p->strikes_ns = 0;
	}
	p->answers = 0;
	p->strikes++;
	p->strikes_ns += host->now_ns - p->spawned_ns;
	p->spawned_ns = host->now_ns;
	if (p->strikes < STRIKES
		&& !(p->strikes >= STRIKES_FEW && p->strikes_ns > STRIKES_S * UINT64_C(1000000000)))
		return;
	snprintf(why, sizeof(why), "its lanes died %u times in a row, at last with status %s",
		p->strikes, lh_status_names[status]);
	queue_quarantine(host, plugin, why);
}

void queue_quarantine(struct lh_host *host, unsigned plugin, const char *why) {
	struct host_plugin *p = &host->plugin[plugin];
	unsigned each = host->setup.areas_each;

	if (p->quarantined)
		return;
	p->quarantined = p->stats.quarantined = true;
	/* Before the start lh_host_ready() tells it, as the reason why there is none. */
	if (host->ready)
		host_log(host, 3, (int)plugin, "in quarantine: %s; its further results are skipped",
			why);
	queue_skip_all(host, plugin);
	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++)
		host_kill(host, area, LH_KILLED);
}

/* A lane that ended: its last words, then what it leaves behind. */
void queue_bury(struct lh_host *host, const struct notice *notice) {
	unsigned plugin = setup_plugin(&host->setup, notice->area);
	struct host_lane *lane = &host->lane[notice->area];
	bool loading = lane->state == LANE_STARTING;
	bool expected
		= lane->state == LANE_DYING && (host->ending || host->plugin[plugin].quarantined);

	if (lane->state == LANE_FREE)
		return;
	lane->state = lane->state == LANE_STARTING ? LANE_STARTING : LANE_DYING;
	lane_listen(host, notice->area, UINT32_MAX);
	host->plugin[plugin].stats.lane_cpu_s += (double)notice->cpu_ns / 1e9;
	lane_forget_probes(host, notice->area);
	bereave_all(host, notice->area,
		notice->status == LH_OK ? LH_KILLED : (enum lh_status)notice->status);
	lane->state = LANE_FREE;
	if (host->ending || expected)
		return;
	/* What loaded once will again: later it is a death like any other. */
	loading &= !host->ready;
	if (loading && !host->failure[0])
		snprintf(host->failure, sizeof(host->failure), "%s while it was loading",
			death_text(notice->status == LH_OK ? LH_KILLED
							   : (enum lh_status)notice->status));
	if (loading)
		queue_quarantine(host, plugin, host->failure);
	else
		strike(host, plugin, (enum lh_status)notice->status);
	queue_balance(host, plugin);
}

/* ---- Keeping lanes ---- */

static unsigned in_state(const struct lh_host *host, unsigned plugin, enum lane_state state) {
	unsigned each = host->setup.areas_each, n = 0;

	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++)
		n += host->lane[area].state == state;
	return n;
}

static void spawn(struct lh_host *host, unsigned area) {
	struct host_lane *lane = &host->lane[area];
	struct area *shared = setup_area(&host->setup, area);
	const struct command command
		= {.op = COMMAND_SPAWN, .area = area, .number = area % host->setup.areas_each};

	ring_reset(area_down(shared));
	ring_reset(area_up(shared));
	atomic_store_explicit(&shared->slice, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->unwanted, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->running, LANE_SLOT_NONE, memory_order_relaxed);
	ring_open(&lane->down, area_down(shared), DOWN_BYTES);
	ring_open(&lane->up, area_up(shared), UP_BYTES);
	lane->nb_free = lane->nb_fresh = lane->nb_used = 0;
	lane->phase = lane->want.open = false;
	lane->progress_ns = host->now_ns;
	lane->state = LANE_STARTING;
	host_command(host, &command, -1);
}

/* As many active lanes as wanted, and a spare that is ready when one dies. */
void queue_balance(struct lh_host *host, unsigned plugin) {
	unsigned each = host->setup.areas_each, active = in_state(host, plugin, LANE_ACTIVE);

	if (host->plugin[plugin].quarantined || host->ending || host->broken)
		return;
	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++) {
		if (host->lane[area].state == LANE_SPARE && active < host->params.lanes) {
			host->lane[area].state = LANE_ACTIVE;
			host->plugin[plugin].spawned_ns = host->now_ns;
			active++;
		}
	}
	for (unsigned area = plugin * each; area < (plugin + 1) * each; area++)
		if (host->lane[area].state == LANE_FREE)
			spawn(host, area);
}
