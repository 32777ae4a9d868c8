/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lanes say: copied out of the ring, checked, and made into events or answered. A lane whose
 * words make no sense is killed. Control core.
 */
#include "host.h"
#include "sandbox.h"
#include "warden.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROBE_NS = 2000 * 1000 * 1000,
	LOG_LINES = 50, /* a second and plugin */
	PAGE_BYTES = 256 << 10, /* of results in one page */
	TEXTS_MAX = FORMATTED_MAX + (4 << 20), /* of all results that a lane has not answered */
};

static unsigned plugin_of(const struct lh_host *host, unsigned area) {
	return setup_plugin(&host->setup, area);
}

/* ---- Slots ---- */

static void discard_texts(struct lh_host *host, struct host_lane *lane, struct slot *slot) {
	if (!slot->texts)
		return;
	for (unsigned i = 0; i < TEXT_KINDS; i++) {
		lane->texts_bytes -= slot->texts[i].length;
		if (slot->texts[i].bytes)
			host_discard(host, slot->texts[i].bytes);
	}
	free(slot->texts);
	slot->texts = NULL;
}

void lane_free_slot(struct lh_host *host, unsigned area, uint32_t slot) {
	struct host_lane *lane = &host->lane[area];

	authority_set(setup_authority(&host->setup, area, slot), 0);
	discard_texts(host, lane, &lane->slot[slot]);
	lane->slot[slot].used = false;
	lane->free[lane->nb_free++] = slot;
	lane->nb_used--;
}

/* Fill in what the lane sent for the slot before. */
static void add_texts(struct lh_event *event, const struct slot *slot) {
	const struct text *texts = slot->texts;

	if (!texts)
		return;
	if (texts[TEXT_RESULTS].bytes
		&& json_is_object(texts[TEXT_RESULTS].bytes, texts[TEXT_RESULTS].length)) {
		event->results = texts[TEXT_RESULTS].bytes;
		event->results_bytes = texts[TEXT_RESULTS].length;
	}
	event->text = texts[TEXT_FORMATTED].bytes;
	event->text_bytes = texts[TEXT_FORMATTED].length;
	event->ports = texts[TEXT_PORTS].bytes;
	event->exclude = texts[TEXT_EXCLUDE].bytes;
}

/* Blanks in place of what would steer a terminal: C0, DEL, C1 (c2 80 to c2 9f), broken UTF-8. */
void lane_make_plain(char *text) {
	text[utf8_valid(text, strlen(text))] = '\0';
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
		else if (*p == 0xc2 && p[1] < 0xa0)
			p[0] = p[1] = ' ';
	}
}

static char *copy_text(struct lh_host *host, const char *text, size_t length) {
	char *copy;

	if (!length)
		return NULL;
	copy = strndup(text, length);
	if (!copy)
		return NULL;
	lane_make_plain(copy);
	host_discard(host, copy);
	return copy;
}

void lane_finish_slot(struct lh_host *host, unsigned area, uint32_t slot, enum lh_status status,
	const char *why) {
	const struct slot *s = &host->lane[area].slot[slot];
	const struct lh_event event = {.kind = LH_EVENT_RESULT,
		.plugin = plugin_of(host, area),
		.tag = s->tag,
		.status = status,
		.error = why};

	if (!s->abandoned) {
		host->plugin[event.plugin].lag--;
		host_event(host, &event);
	}
	lane_free_slot(host, area, slot);
}

/* The slots stay the lane's until it answers for them: a late answer is no nonsense. */
void lane_abandon(struct lh_host *host, unsigned area) {
	struct host_lane *lane = &host->lane[area];
	unsigned plugin = plugin_of(host, area);

	atomic_store_explicit(&setup_area(&host->setup, area)->unwanted, ring_position(&lane->down),
		memory_order_relaxed);
	for (uint32_t i = 0; i < lane->nb_fresh; i++) {
		struct slot *slot = &lane->slot[i];
		const struct lh_event event = {.kind = LH_EVENT_RESULT,
			.plugin = plugin,
			.tag = slot->tag,
			.status = LH_SKIPPED};

		if (!slot->used || slot->abandoned)
			continue;
		slot->abandoned = true;
		host->plugin[plugin].lag--;
		host_event(host, &event);
	}
}

void lane_end_phase(struct lh_host *host, unsigned area, enum lh_status status, const char *why) {
	struct host_lane *lane = &host->lane[area];
	struct lh_event event = {.kind = LH_EVENT_PHASE,
		.plugin = plugin_of(host, area),
		.status = status,
		.error = why};

	add_texts(&event, &lane->slot[LANE_SLOT_PHASE]);
	lane->phase = false;
	lane->want.open = false;
	host_event(host, &event);
	discard_texts(host, lane, &lane->slot[LANE_SLOT_PHASE]);
}

/* ---- Messages ---- */

/* Why a message is nonsense; NULL: it is not. */
typedef const char *take_message(
	struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n);

/*
 * Copy what people are to read: one line of UTF-8 without what would steer a terminal (C0 and C1
 * controls, as blanks). @room is more than 0.
 */
static void copy_line(char *line, size_t room, const uint8_t *bytes, size_t n) {
	size_t length = n < room - 1 ? n : room - 1;

	for (size_t i = 0; i < length; i++)
		line[i] = bytes[i] ? (char)bytes[i] : ' ';
	line[length] = '\0';
	lane_make_plain(line);
}

static const char *take_ready(struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	struct host_lane *lane = &host->lane[area];

	if (lane->state != LANE_STARTING || n >= sizeof(host->unconfined))
		return "ready twice";
	copy_line(host->unconfined, sizeof(host->unconfined), bytes, n);
	lane->state = LANE_SPARE;
	queue_balance(host, plugin_of(host, area));
	return NULL;
}

static const char *take_failed(
	struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	if (host->lane[area].state != LANE_STARTING)
		return "a failure to load what it has loaded";
	copy_line(host->failure, sizeof(host->failure), bytes, n);
	return NULL;
}

/* Strings that end where they should, a number that is one. */
static bool service_is_sane(struct lh_service *service) {
	char *const text[] = {service->name, service->product, service->version, service->info,
		service->os, service->cpe};
	const size_t room[]
		= {sizeof(service->name), sizeof(service->product), sizeof(service->version),
			sizeof(service->info), sizeof(service->os), sizeof(service->cpe)};

	for (unsigned i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		size_t length = strnlen(text[i], room[i]);

		if (length == room[i] || utf8_valid(text[i], length) != length)
			return false;
	}
	return isfinite(service->confidence) && service->confidence >= 0
		&& service->confidence <= 1;
}

/* The parts of a done message. */
static const char *read_done(struct lh_host *host, struct lh_event *event,
	const struct wire_done *done, const uint8_t *bytes, size_t n) {
	size_t service = done->flags & WIRE_HAS_SERVICE ? sizeof(struct lh_service) : 0;
	struct lh_service *copy;

	/* What else there is is for the control core and the warden to say. */
	if (done->status != LH_OK && done->status != LH_ERROR && done->status != LH_DENIED
		&& done->status != LH_MEMORY && done->status != LH_TIMEOUT)
		return "a status that a lane cannot give";
	if (n != sizeof(*done) + service + done->error_bytes)
		return "a length that does not fit";
	event->status = (enum lh_status)done->status;
	event->error
		= copy_text(host, (const char *)bytes + sizeof(*done) + service, done->error_bytes);
	if (!service)
		return NULL;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return "out of memory";
	host_discard(host, copy);
	memcpy(copy, bytes + sizeof(*done), sizeof(*copy));
	if (!service_is_sane(copy))
		return "a service that is none";
	event->service = copy;
	return NULL;
}

static const char *take_done(struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	struct host_lane *lane = &host->lane[area];
	struct host_plugin *plugin = &host->plugin[plugin_of(host, area)];
	struct lh_event event = {.kind = LH_EVENT_RESULT, .plugin = plugin_of(host, area)};
	struct wire_done done;
	const char *wrong;

	if (n < sizeof(done))
		return "too short";
	memcpy(&done, bytes, sizeof(done));
	if (done.slot >= LANE_SLOTS || !lane->slot[done.slot].used)
		return "a slot that it does not have";
	wrong = read_done(host, &event, &done, bytes, n);
	if (wrong)
		return wrong;
	if (lane->slot[done.slot].abandoned) {
		lane_free_slot(host, area, done.slot);
		return NULL;
	}
	event.tag = lane->slot[done.slot].tag;
	add_texts(&event, &lane->slot[done.slot]);
	plugin->lag--;
	plugin->answers++;
	host_event(host, &event);
	lane_free_slot(host, area, done.slot);
	return NULL;
}

static const char *take_phase_done(
	struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	struct host_lane *lane = &host->lane[area];
	struct lh_event event = {0};
	struct wire_done done;
	const char *wrong;

	if (n < sizeof(done) || !lane->phase)
		return "no phase";
	memcpy(&done, bytes, sizeof(done));
	wrong = read_done(host, &event, &done, bytes, n);
	if (wrong)
		return wrong;
	lane_end_phase(host, area, event.status, event.error);
	return NULL;
}

static size_t text_max(unsigned kind) {
	static const size_t max[TEXT_KINDS] = {
		[TEXT_RESULTS] = LH_RESULTS_BYTES + 1024,
		[TEXT_FORMATTED] = FORMATTED_MAX,
		[TEXT_PORTS] = NARROWING_MAX,
		[TEXT_EXCLUDE] = NARROWING_MAX,
	};

	return max[kind];
}

static const char *take_text(struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	struct host_lane *lane = &host->lane[area];
	struct wire_text wire;
	struct slot *slot;
	struct text *text;
	char *more;

	if (n < sizeof(wire))
		return "too short";
	memcpy(&wire, bytes, sizeof(wire));
	n -= sizeof(wire);
	if (wire.kind >= TEXT_KINDS || wire.slot > LANE_SLOTS
		|| (wire.slot == LANE_SLOT_PHASE ? !lane->phase : !lane->slot[wire.slot].used))
		return "a text for nothing";
	slot = &lane->slot[wire.slot];
	if (!slot->texts)
		slot->texts = calloc(TEXT_KINDS, sizeof(*slot->texts));
	if (!slot->texts)
		return "out of memory";
	text = &slot->texts[wire.kind];
	/* Ours are sent just before their answer: a lane that collects them wants our memory. */
	if (n > text_max(wire.kind) - text->length || n > TEXTS_MAX - lane->texts_bytes)
		return "a text that is too long";
	more = realloc(text->bytes, text->length + n + 1);
	if (!more)
		return "out of memory";
	memcpy(more + text->length, bytes + sizeof(wire), n);
	more[text->length + n] = '\0';
	text->bytes = more;
	text->length += n;
	lane->texts_bytes += n;
	return NULL;
}

static const char *take_log(struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	struct host_plugin *plugin = &host->plugin[plugin_of(host, area)];
	uint64_t second = host->now_ns / 1000000000;
	char line[1100];

	if (n < 1 || bytes[0] > 3 || n > sizeof(line))
		return "a log line that is none";
	if (second != plugin->log_second) {
		plugin->log_second = second;
		plugin->logged = 0;
	}
	if (plugin->logged++ >= LOG_LINES) {
		plugin->stats.log_suppressed++;
		return NULL;
	}
	copy_line(line, sizeof(line), bytes + 1, n - 1);
	host_log(host, bytes[0], (int)plugin_of(host, area), "%s", line);
	return NULL;
}

static const char *take_want(struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	struct host_lane *lane = &host->lane[area];

	if (n != sizeof(lane->want.wire) || !lane->phase || lane->want.open)
		return "a page that is not to be had";
	memcpy(&lane->want.wire, bytes, n);
	if (lane->want.wire.rows > PAGE_ROWS || lane->want.wire.targets > 1)
		return "a page that is too long";
	lane->want.open = true;
	lane_serve_want(host, area);
	return NULL;
}

static bool send_probed(struct lh_host *host, unsigned area, uint32_t id, uint32_t state) {
	const struct wire_probed wire = {id, state};
	void *room = ring_reserve(&host->lane[area].down, DOWN_PROBED, sizeof(wire));

	if (!room)
		return false;
	memcpy(room, &wire, sizeof(wire));
	ring_commit(&host->lane[area].down);
	return true;
}

/* The same rule as for sockets. */
static bool may_probe(const struct lh_host *host, unsigned area, const struct wire_probe *wire) {
	const struct lh_plugin *plugin = host->params.plugins[plugin_of(host, area)].plugin;
	const struct host_lane *lane = &host->lane[area];
	lh_ip ip = wire_ip_get(wire->ip);

	if (!(plugin->capabilities & LH_CAP_NETWORK) || !wire->port || ip == 0
		|| !scope_allows(&host->setup, ip))
		return false;
	if (plugin->scope == LH_SCOPE_SCAN)
		return true;
	return wire->slot < LANE_SLOTS && lane->slot[wire->slot].used
		&& authority_get(setup_authority(&host->setup, area, wire->slot)) == ip;
}

/* Each plugin has a share of the places. */
static bool may_probe_more(const struct lh_host *host, unsigned area) {
	unsigned plugin = plugin_of(host, area), used = 0, seen = 0;

	for (unsigned i = 0; i < PROBES_MAX && seen < host->nb_probes; i++) {
		seen += host->probe[i].used;
		used += host->probe[i].used && plugin_of(host, host->probe[i].area) == plugin;
	}
	return used < PROBES_MAX / host->params.nb_plugins;
}

static const char *take_probe(struct lh_host *host, unsigned area, const uint8_t *bytes, size_t n) {
	struct wire_probe wire;

	if (n != sizeof(wire))
		return "too short";
	memcpy(&wire, bytes, sizeof(wire));
	if (wire.protocol >= LH_PROBE_PROTOCOLS)
		return "a probe of no known protocol";
	if (!may_probe(host, area, &wire))
		return send_probed(host, area, wire.id, PROBED_DENIED) ? NULL : "does not listen";
	for (unsigned i = may_probe_more(host, area) ? 0 : PROBES_MAX; i < PROBES_MAX; i++) {
		if (host->probe[i].used)
			continue;
		host->probe[i] = (struct probe){.used = true,
			.area = area,
			.id = wire.id,
			.ip = wire_ip_get(wire.ip),
			.port = wire.port,
			.protocol = (uint8_t)wire.protocol};
		host->nb_probes++;
		return NULL;
	}
	return send_probed(host, area, wire.id, PROBED_BUSY) ? NULL : "does not listen";
}

static take_message *const take[] = {
	[UP_READY] = take_ready,
	[UP_FAILED] = take_failed,
	[UP_DONE] = take_done,
	[UP_TEXT] = take_text,
	[UP_PHASE_DONE] = take_phase_done,
	[UP_WANT] = take_want,
	[UP_PROBE] = take_probe,
	[UP_LOG] = take_log,
};

void lane_listen(struct lh_host *host, unsigned area, unsigned max) {
	struct host_lane *lane = &host->lane[area];
	const char *wrong = NULL;

	for (unsigned i = 0; i < max && !wrong; i++) {
		uint32_t type, bytes;
		int rc = ring_pop(&lane->up, &type, host->message, MESSAGE_BYTES, &bytes);

		if (rc == 0)
			return;
		lane->progress_ns = host->now_ns;
		if (rc < 0)
			wrong = "a broken ring";
		else if (type >= sizeof(take) / sizeof(take[0]) || !take[type])
			wrong = "a message of no known type";
		else
			wrong = take[type](host, area, host->message, bytes);
	}
	if (!wrong || lane->state == LANE_DYING || lane->state == LANE_FREE)
		return;
	host_log(host, 2, (int)plugin_of(host, area), "its lane said nonsense (%s) and was killed",
		wrong);
	host_kill(host, area, LH_KILLED);
}

/* ---- Pages ---- */

static bool send_targets(struct lh_host *host, struct host_lane *lane) {
	const struct wire_want *want = &lane->want.wire;
	struct wire_page page = {.first = want->first, .targets = 1};
	struct lh_target *target = (struct lh_target *)host->scratch;
	uint8_t *room;

	static_assert(PAGE_ROWS * sizeof(*target) <= MESSAGE_BYTES);
	page.rows = host->params.ops->targets(host->params.ctx, want->first, target, want->rows);
	room = ring_reserve(&lane->down, DOWN_PAGE,
		(uint32_t)(sizeof(page) + page.rows * sizeof(struct wire_target)));
	if (!room)
		return false;
	memcpy(room, &page, sizeof(page));
	room += sizeof(page);
	for (uint32_t i = 0; i < page.rows; i++, room += sizeof(struct wire_target)) {
		struct wire_target wire = {.ip = wire_ip_put(target[i].ip), .port = target[i].port};

		if (target[i].protocol)
			snprintf(wire.protocol, sizeof(wire.protocol), "%s", target[i].protocol);
		memcpy(room, &wire, sizeof(wire));
	}
	ring_commit(&lane->down);
	return true;
}

/* As many results as fit a page; false where the next one does not. */
static bool add_row(struct lh_host *host, uint64_t index, size_t *used) {
	struct lh_record record;
	uint32_t size;

	if (!host->params.ops->result(host->params.ctx, index, &record))
		return false;
	size = (uint32_t)wire_size(&record);
	if (*used == 0 && size > PAGE_BYTES - sizeof(size)) {
		host_log(host, 2, -1, "a result of %u bytes is shown without its plugins' part",
			size);
		record.plugins = NULL;
		size = (uint32_t)wire_size(&record);
	}
	if (*used + sizeof(size) + size > PAGE_BYTES)
		return false;
	memcpy(host->scratch + *used, &size, sizeof(size));
	wire_write(host->scratch + *used + sizeof(size), 0, &record);
	*used += sizeof(size) + size;
	return true;
}

static bool send_results(struct lh_host *host, struct host_lane *lane) {
	const struct wire_want *want = &lane->want.wire;
	struct wire_page page = {.first = want->first};
	size_t used = 0;
	uint8_t *room;

	while (page.rows < want->rows && add_row(host, want->first + page.rows, &used))
		page.rows++;
	room = ring_reserve(&lane->down, DOWN_PAGE, (uint32_t)(sizeof(page) + used));
	if (!room)
		return false;
	memcpy(room, &page, sizeof(page));
	memcpy(room + sizeof(page), host->scratch, used);
	ring_commit(&lane->down);
	return true;
}

void lane_serve_want(struct lh_host *host, unsigned area) {
	struct host_lane *lane = &host->lane[area];

	if (!lane->want.open)
		return;
	if (lane->want.wire.targets ? send_targets(host, lane) : send_results(host, lane))
		lane->want.open = false;
}

/* ---- scan_port ---- */

/* @state: enum lh_probe_state, or PROBED_DENIED. */
static void end_probe(struct lh_host *host, struct probe *probe, uint32_t state) {
	if (!send_probed(host, probe->area, probe->id, state))
		return; /* the next turn */
	probe->used = false;
	host->nb_probes--;
}

void lane_probes(struct lh_host *host) {
	for (unsigned i = 0, seen = 0; i < PROBES_MAX && seen < host->nb_probes; i++) {
		struct probe *probe = &host->probe[i];

		if (!probe->used)
			continue;
		seen++;
		/* Excluded while it waited for its turn. */
		if (!probe->sent && excluded_contains(host->setup.excluded, probe->ip)) {
			end_probe(host, probe, PROBED_DENIED);
		} else if (!probe->sent
			&& host->params.ops->probe(host->params.ctx,
				(enum lh_probe_protocol)probe->protocol, probe->ip, probe->port)) {
			probe->sent = true;
			probe->sent_ns = host->now_ns;
		} else if (probe->sent && host->now_ns - probe->sent_ns > PROBE_NS) {
			end_probe(host, probe, LH_PROBE_NO_ANSWER);
		}
	}
}

void lane_forget_probes(struct lh_host *host, unsigned area) {
	for (unsigned i = 0; i < PROBES_MAX && host->nb_probes; i++) {
		if (!host->probe[i].used || host->probe[i].area != area)
			continue;
		host->probe[i].used = false;
		host->nb_probes--;
	}
}

void lh_host_probed(struct lh_host *host, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port,
	enum lh_probe_state state) {
	for (unsigned i = 0; i < PROBES_MAX && host->nb_probes; i++) {
		struct probe *probe = &host->probe[i];

		if (probe->used && probe->sent && probe->ip == ip && probe->port == port
			&& probe->protocol == protocol)
			end_probe(host, probe, state);
	}
}
