/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile lane against the control core. Bytes are steps, of which some are the lane's (it sends messages, and
 * writes into its area what it likes), the others the control core's own (it offers results, begins
 * phases, listens, buries). There is no warden and no process: the lane is this file.
 *
 * Whatever the lane does, each result that was offered gets exactly one answer, a slot that is free
 * stands for no address, one that is used for its own, and what people and records get is UTF-8 without
 * controls. Before and behind the areas there is no memory.
 */
#include "fuzz.h"
#include "host.h"
#include "sandbox.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	PLUGINS = 2,
	LANES = 1,
	AREAS = PLUGINS * (LANES + 1),
	QUEUE = 64,
	RESULTS = 64, /* of one run */
	STEPS = 200,
	EVENTS = 256,
	GUARD_BYTES = 4096,
};

struct input {
	const uint8_t *at;
	size_t left;
};

static struct lh_plugin plugin[PLUGINS] = {
	{.name = "one",
		.capabilities = LH_CAP_NETWORK,
		.scope = LH_SCOPE_TARGET,
		.hooks = 1 << LH_HOOK_ON_PRE_SCAN | 1 << LH_HOOK_EXPORT,
		.max_connections = 8},
	{.name = "two",
		.capabilities = LH_CAP_NETWORK,
		.scope = LH_SCOPE_SCAN,
		.hooks = 1 << LH_HOOK_ON_POST_SCAN,
		.max_connections = 8},
};
static struct lh_enabled enabled[PLUGINS] = {{&plugin[0], "out"}, {&plugin[1], NULL}};
static struct lh_range scope;
static struct lh_host *host;
static int far_end; /* of the socket to the warden */
static uint8_t answers[RESULTS]; /* to each result */
static unsigned nb_offered, nb_phases_begun, nb_phases_ended;

static uint64_t take(struct input *input, unsigned bytes) {
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
		value |= (uint64_t)*input->at++ << 8 * i;
	return value;
}

/* --- the program around the host -------------------------------------------------------------- */

static lh_ip ip_of(uint64_t tag) {
	return scope.first + tag % 256;
}

static void give_record(void *ctx, uint64_t tag, struct lh_record *record) {
	static char banner[300];

	memset(banner, 'b', sizeof(banner));
	*record = (struct lh_record){.ip = ip_of(tag),
		.port = (uint16_t)(1 + tag),
		.has_port = true,
		.protocol = "tcp",
		.reason = "syn-ack",
		.banner = tag & 1 ? banner : NULL,
		.banner_bytes = tag & 1 ? sizeof(banner) : 0,
		.rtt_us = UINT32_MAX};
}

static unsigned give_targets(void *ctx, uint64_t first, struct lh_target *targets, unsigned max) {
	unsigned n = first > 5000 ? 0 : max;

	for (unsigned i = 0; i < n; i++)
		targets[i] = (struct lh_target){ip_of(first + i), 80};
	return n;
}

static bool give_result(void *ctx, uint64_t index, struct lh_record *record) {
	give_record(ctx, index, record);
	return index < 5000;
}

static bool send_probe(void *ctx, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port) {
	FUZZ_ASSERT(ip >= scope.first && ip <= scope.last && port && protocol < LH_PROBE_PROTOCOLS);
	return port & 1;
}

static void check_text(const char *text) {
	FUZZ_ASSERT(utf8_valid(text, strlen(text)) == strlen(text));
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		FUZZ_ASSERT(*p >= 0x20 && *p != 0x7f && !(p[0] == 0xc2 && p[1] < 0xa0));
}

static void take_log(void *ctx, unsigned level, const char *name, const char *text) {
	FUZZ_ASSERT(level <= 3);
	check_text(text);
}

static const struct lh_host_ops ops
	= {give_record, give_targets, give_result, send_probe, take_log, NULL};

/* --- the host --------------------------------------------------------------------------------- */

/* Zeros with a page before and behind that nobody may touch. */
static void *guarded(size_t bytes) {
	const size_t whole = (bytes + GUARD_BYTES - 1) / GUARD_BYTES * GUARD_BYTES;
	uint8_t *pages = mmap(NULL, whole + 2 * GUARD_BYTES, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	FUZZ_ASSERT(pages != MAP_FAILED);
	FUZZ_ASSERT(mprotect(pages, GUARD_BYTES, PROT_NONE) == 0);
	FUZZ_ASSERT(mprotect(pages + GUARD_BYTES + whole, GUARD_BYTES, PROT_NONE) == 0);
	return pages + GUARD_BYTES;
}

static void *zeros(size_t n, size_t bytes) {
	void *memory = calloc(n, bytes);

	FUZZ_ASSERT(memory);
	return memory;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	struct setup *setup;
	int pair[2];

	scope = (struct lh_range){lh_ip_v4(0xc6120000), lh_ip_v4(0xc61200ff)};
	host = zeros(1, sizeof(*host));
	host->params = (struct lh_host_params){.plugins = enabled,
		.nb_plugins = PLUGINS,
		.lanes = LANES,
		.queue = QUEUE,
		.network = true,
		.scope = &scope,
		.nb_scope = 1,
		.ops = &ops};
	setup = &host->setup;
	setup->params = &host->params;
	setup->areas_each = LANES + 1;
	setup->nb_areas = AREAS;
	setup->areas = guarded(AREAS * area_bytes());
	setup->authority = guarded((size_t)AREAS * LANE_SLOTS * sizeof(*setup->authority));
	setup->excluded = guarded(sizeof(*setup->excluded));
	FUZZ_ASSERT(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	setup->socket = pair[0];
	far_end = pair[1];
	host->lane = zeros(AREAS, sizeof(*host->lane));
	for (unsigned i = 0; i < AREAS; i++) {
		host->lane[i].slot = zeros(LANE_SLOTS + 1, sizeof(struct slot));
		host->lane[i].free = zeros(LANE_SLOTS, sizeof(uint32_t));
	}
	for (unsigned i = 0; i < PLUGINS; i++) {
		setup->limits[i] = (struct lh_limits){100, 1000, 1000, 1000000, 1000};
		host->plugin[i].queue_size = QUEUE;
		host->plugin[i].queue = zeros(QUEUE, sizeof(struct item));
	}
	host->probe = zeros(PROBES_MAX, sizeof(*host->probe));
	host->message = zeros(1, MESSAGE_BYTES);
	host->scratch = zeros(1, MESSAGE_BYTES);
	return 0;
}

/* What the control core tells the warden, which is not there. */
static void drain_socket(void) {
	struct command command;

	while (recv(far_end, &command, sizeof(command), MSG_DONTWAIT) > 0)
		continue;
}

static void take_event(const struct lh_event *event) {
	FUZZ_ASSERT(event->plugin < PLUGINS && event->status < LH_STATUS_COUNT);
	if (event->error)
		check_text(event->error);
	if (event->results) {
		FUZZ_ASSERT(event->results_bytes <= LH_RESULTS_BYTES + 1024);
		FUZZ_ASSERT(json_is_object(event->results, event->results_bytes));
	}
	FUZZ_ASSERT(event->text_bytes <= FORMATTED_MAX);
	if (event->service) {
		check_text(""); /* names are checked where they are read: */
		FUZZ_ASSERT(memchr(event->service->name, 0, sizeof(event->service->name)));
		FUZZ_ASSERT(memchr(event->service->cpe, 0, sizeof(event->service->cpe)));
		FUZZ_ASSERT(event->service->confidence >= 0 && event->service->confidence <= 1);
	}
	if (event->kind == LH_EVENT_PHASE) {
		nb_phases_ended++;
		return;
	}
	FUZZ_ASSERT(event->tag < nb_offered && answers[event->tag] == 0);
	answers[event->tag]++;
}

static void poll_host(void) {
	struct lh_event event[EVENTS];
	unsigned n;

	do {
		n = lh_host_poll(host, event, EVENTS);
		for (unsigned i = 0; i < n; i++)
			take_event(&event[i]);
	} while (n);
}

static void check_slots(void) {
	for (unsigned area = 0; area < AREAS; area++) {
		const struct host_lane *lane = &host->lane[area];
		unsigned used = 0;

		if (lane->state == LANE_FREE)
			continue;
		for (uint32_t slot = 0; slot < lane->nb_fresh; slot++) {
			const lh_ip ip = authority_get(setup_authority(&host->setup, area, slot));

			used += lane->slot[slot].used;
			FUZZ_ASSERT(
				ip == (lane->slot[slot].used ? ip_of(lane->slot[slot].tag) : 0));
		}
		FUZZ_ASSERT(used == lane->nb_used && used + lane->nb_free == lane->nb_fresh);
	}
}

/* --- the lane --------------------------------------------------------------------------------- */

/* The lane's own end of the ring up, wherever the shared positions say that it is. */
static uint8_t *message_room(unsigned area, uint32_t type, uint32_t bytes) {
	const struct ring *up = &host->lane[area].up;
	struct ring_shared *shared = area_up(setup_area(&host->setup, area));
	struct ring lane = {.shared = shared, .size = UP_BYTES};

	lane.own = atomic_load(&shared->produced);
	lane.peer = up->own;
	if (lane.own % 8 || lane.own - lane.peer > UP_BYTES)
		return NULL;
	uint8_t *room = ring_reserve(&lane, type, bytes);
	if (room)
		ring_commit(&lane);
	return room;
}

/* Text of one byte again and again, or of the input's. */
static void fill(struct input *input, uint8_t *to, size_t n) {
	const bool repeated = n > 200;
	const uint8_t byte = repeated ? (uint8_t)take(input, 1) : 0;

	if (repeated)
		memset(to, byte, n);
	for (size_t i = 0; i < n && !repeated; i++)
		to[i] = (uint8_t)take(input, 1);
}

static void say_done(struct input *input, unsigned area, bool phase) {
	const uint8_t flags = (uint8_t)take(input, 1);
	const uint16_t text = (uint16_t)take(input, flags & 0x40 ? 2 : 1);
	const size_t service = flags & WIRE_HAS_SERVICE ? sizeof(struct lh_service) : 0;
	struct wire_done done = {.slot = (uint32_t)take(input, 1),
		.status = flags >> 3 & 7,
		.flags = flags & WIRE_HAS_SERVICE,
		.error_bytes = text};
	uint8_t *room = message_room(
		area, phase ? UP_PHASE_DONE : UP_DONE, (uint32_t)(sizeof(done) + service + text));

	if (!room)
		return;
	memcpy(room, &done, sizeof(done));
	memset(room + sizeof(done), 0, service);
	if (service) {
		fill(input, room + sizeof(done), 16);
		memcpy(room + sizeof(done) + offsetof(struct lh_service, confidence),
			&(double){flags & 0x80 ? 0.5 : (double)take(input, 1)}, sizeof(double));
	}
	fill(input, room + sizeof(done) + service, text);
}

static void say_text(struct input *input, unsigned area) {
	const uint32_t bytes = (uint32_t)take(input, 2);
	const struct wire_text wire = {(uint32_t)take(input, 2), (uint32_t)take(input, 1)};
	uint8_t *room = message_room(area, UP_TEXT, (uint32_t)sizeof(wire) + bytes);

	if (!room)
		return;
	memcpy(room, &wire, sizeof(wire));
	fill(input, room + sizeof(wire), bytes);
}

static void say_json(struct input *input, unsigned area) {
	static const char json[] = "{\"a\":[1,\"x\",{}]}";
	const struct wire_text wire = {(uint32_t)take(input, 1), TEXT_RESULTS};
	uint8_t *room = message_room(area, UP_TEXT, (uint32_t)(sizeof(wire) + sizeof(json) - 1));

	if (!room)
		return;
	memcpy(room, &wire, sizeof(wire));
	memcpy(room + sizeof(wire), json, sizeof(json) - 1);
}

static void say_want(struct input *input, unsigned area) {
	const struct wire_want want = {.first = take(input, 2),
		.targets = (uint32_t)take(input, 1) & 3,
		.rows = (uint32_t)take(input, 2)};
	uint8_t *room = message_room(area, UP_WANT, sizeof(want));

	if (room)
		memcpy(room, &want, sizeof(want));
}

static void say_probe(struct input *input, unsigned area) {
	const struct wire_probe probe = {.ip = wire_ip_put(scope.first + take(input, 1)),
		.id = (uint32_t)take(input, 1),
		.slot = (uint32_t)take(input, 1),
		.port = (uint16_t)take(input, 1),
		.protocol = (uint16_t)take(input, 1) & 3};
	uint8_t *room = message_room(area, UP_PROBE, sizeof(probe));

	if (room)
		memcpy(room, &probe, sizeof(probe));
}

static void say_anything(struct input *input, unsigned area) {
	const uint32_t type = (uint32_t)take(input, 1) % 12, bytes = (uint32_t)take(input, 1);
	uint8_t *room = message_room(area, type, bytes);

	if (room)
		fill(input, room, bytes);
}

/* Write anywhere into the own area: header, positions, both rings. */
static void meddle(struct input *input, unsigned area) {
	uint8_t *bytes = (uint8_t *)setup_area(&host->setup, area);
	const uint8_t what = (uint8_t)take(input, 1);
	struct area *shared = setup_area(&host->setup, area);

	switch (what % 6) {
	case 0:
		atomic_store(&area_up(shared)->produced, take(input, what & 8 ? 8 : 3));
		break;
	case 1:
		atomic_store(&area_down(shared)->consumed, take(input, what & 8 ? 8 : 3));
		break;
	case 2:
		atomic_store(
			&area_down(shared)->consumed, atomic_load(&area_down(shared)->produced));
		break;
	case 3:
		atomic_store(&shared->running, (uint32_t)take(input, what & 8 ? 4 : 1));
		break;
	case 4:
		area_up(shared)->data[take(input, what & 8 ? 3 : 1) % UP_BYTES]
			= (uint8_t)take(input, 1);
		break;
	default:
		bytes[take(input, 3) % area_bytes()] = (uint8_t)take(input, 1);
		break;
	}
}

/* --- steps ------------------------------------------------------------------------------------ */

static void bury(unsigned area, uint32_t status) {
	const struct notice notice = {.area = area, .status = status % LH_STATUS_COUNT};

	queue_bury(host, &notice);
}

static void offer(unsigned to) {
	if (nb_offered == RESULTS)
		return;
	nb_offered++;
	if (!lh_host_submit(host, to, nb_offered - 1))
		nb_offered--;
	if (!host->plugin[to].quarantined)
		queue_pump(host, to);
}

static void begin_phase(unsigned to, uint64_t count) {
	static const enum lh_hook hook[PLUGINS] = {LH_HOOK_ON_PRE_SCAN, LH_HOOK_ON_POST_SCAN};

	for (unsigned i = 0; i <= LANES; i++)
		if (host->plugin[to].phase_wanted || host->lane[to * (LANES + 1) + i].phase)
			return;
	if (lh_host_phase(host, to, hook[to], count) == 0)
		nb_phases_begun++;
}

static void step(struct input *input) {
	const uint8_t what = (uint8_t)take(input, 1);
	const unsigned area = what >> 4 & (AREAS - 1);

	switch (what & 15) {
	case 0:
	case 1:
		offer(area / (LANES + 1));
		break;
	case 2:
		lane_listen(host, area, host->lane[area].state == LANE_FREE ? 0 : 8);
		break;
	case 3:
		poll_host();
		break;
	case 4:
		bury(area, what >> 6);
		drain_socket();
		break;
	case 5:
		begin_phase(area / (LANES + 1), take(input, 2));
		break;
	case 6:
	case 7:
		say_done(input, area, false);
		break;
	case 8:
		say_done(input, area, true);
		break;
	case 9:
		say_text(input, area);
		break;
	case 10:
		say_json(input, area);
		break;
	case 11:
		say_want(input, area);
		break;
	case 12:
		say_probe(input, area);
		break;
	case 13:
		say_anything(input, area);
		break;
	case 14:
		lane_probes(host);
		lh_host_probed(host, LH_PROBE_TCP, ip_of(what), 1, LH_PROBE_OPEN);
		break;
	default:
		meddle(input, area);
		break;
	}
}

/* All lanes up, as after a start. */
static void begin(void) {
	for (unsigned i = 0; i < PLUGINS; i++)
		queue_balance(host, i);
	for (unsigned area = 0; area < AREAS; area++) {
		FUZZ_ASSERT(message_room(area, UP_READY, 0));
		lane_listen(host, area, 1);
		FUZZ_ASSERT(host->lane[area].state == LANE_ACTIVE
			|| host->lane[area].state == LANE_SPARE);
	}
	host->ready = true;
	drain_socket();
}

/* The end of the program: everything is answered, and nothing is left. */
static void finish(void) {
	for (unsigned i = 0; i < PLUGINS; i++)
		lh_host_give_up(host, i);
	host->ending = true;
	for (unsigned area = 0; area < AREAS; area++)
		bury(area, LH_KILLED);
	poll_host();
	poll_host(); /* what the last events pointed to is freed */
	for (unsigned i = 0; i < nb_offered; i++)
		FUZZ_ASSERT(answers[i] == 1);
	FUZZ_ASSERT(nb_phases_begun == nb_phases_ended);
	FUZZ_ASSERT(host->nb_probes == 0);
	for (unsigned area = 0; area < AREAS; area++) {
		FUZZ_ASSERT(host->lane[area].state == LANE_FREE);
		FUZZ_ASSERT(host->lane[area].nb_used == 0 && host->lane[area].texts_bytes == 0);
	}
	for (unsigned i = 0; i < PLUGINS; i++) {
		struct host_plugin *p = &host->plugin[i];

		FUZZ_ASSERT(p->lag == 0 && p->queue_count == 0 && p->nb_again == 0);
		*p = (struct host_plugin){.queue = p->queue,
			.queue_size = p->queue_size,
			.again = p->again,
			.again_room = p->again_room};
	}
	host->ending = host->ready = false;
	host->failure[0] = '\0';
	drain_socket();
	memset(answers, 0, sizeof(answers));
	nb_offered = nb_phases_begun = nb_phases_ended = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input input = {data, size};

	begin();
	for (unsigned i = 0; input.left && i < STEPS; i++) {
		step(&input);
		if (i % 8 == 7)
			check_slots();
	}
	check_slots();
	finish();
	return 0;
}
