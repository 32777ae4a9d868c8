/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes that were taken over: the test stands in for the warden and the lanes, and writes into a
 * lane's shared memory what only native code could. Whatever it is, the control core answers each
 * result exactly once, with words that are safe to write, and does not fall (the sanitizers' build
 * sees what is not visible here).
 */
#include "host.h"
#include "sandbox.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RESULTS = 200,
	QUEUE = 64,
	ROUNDS = 150,
	TURNS = 20000,
	MESSAGE_MAX = 2000,
};

/* A lane's end of its rings. */
struct peer {
	bool alive;
	struct ring down, up;
	uint32_t slot[QUEUE * 2];
	unsigned nb_slots;
};

struct rig {
	struct lh_host *host;
	struct lh_plugin plugin;
	struct lh_enabled enabled;
	struct lh_range scope;
	struct peer peer[2];
	int warden; /* our end of the socket */
	uint64_t random;
	unsigned submitted, answered, count[LH_STATUS_COUNT];
	uint8_t seen[RESULTS];
	unsigned phases;
};

static uint32_t draw(struct rig *rig, uint32_t n) {
	rig->random ^= rig->random << 13;
	rig->random ^= rig->random >> 7;
	rig->random ^= rig->random << 17;
	return (uint32_t)(rig->random >> 20) % n;
}

/* ---- What the host asks of the control core ---- */

static void give_record(void *ctx, uint64_t tag, struct lh_record *record) {
	cr_assert_lt(tag, (uint64_t)RESULTS);
	*record = (struct lh_record){.ip = lh_ip_v4(0xc6120000),
		.port = 80,
		.has_port = true,
		.protocol = "tcp",
		.reason = "r"};
}

static unsigned give_targets(void *ctx, uint64_t first, struct lh_target *targets, unsigned max) {
	memset(targets, 0, max * sizeof(*targets));
	return max;
}

static bool give_result(void *ctx, uint64_t index, struct lh_record *record) {
	give_record(ctx, 0, record);
	return index < 10;
}

static bool send_probe(void *ctx, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port) {
	cr_assert(ip == lh_ip_v4(0xc6120000), "a probe out of scope");
	cr_assert_lt((unsigned)protocol, LH_PROBE_PROTOCOLS);
	return true;
}

static void see_log(void *ctx, unsigned level, const char *plugin, const char *text) {
	cr_assert_leq(level, 3u);
	cr_assert_eq(utf8_valid(text, strlen(text)), strlen(text));
	for (; *text; text++)
		cr_assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static const struct lh_host_ops ops
	= {give_record, give_targets, give_result, send_probe, see_log, NULL};

/* ---- A host whose warden is the test ---- */

static void *shared(size_t bytes) {
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	cr_assert(memory != MAP_FAILED);
	return memory;
}

static void make_lanes(struct lh_host *host) {
	host->lane = calloc(2, sizeof(*host->lane));
	for (unsigned i = 0; i < 2; i++) {
		host->lane[i].slot = calloc(LANE_SLOTS + 1, sizeof(struct slot));
		host->lane[i].free = malloc(LANE_SLOTS * sizeof(uint32_t));
	}
	host->plugin[0].queue_size = QUEUE;
	host->plugin[0].queue = malloc(QUEUE * sizeof(struct item));
	host->probe = calloc(PROBES_MAX, sizeof(*host->probe));
	host->message = malloc(MESSAGE_BYTES);
	host->scratch = malloc(MESSAGE_BYTES);
}

static void start(struct rig *rig, uint64_t seed) {
	struct lh_host *host = calloc(1, sizeof(*host));
	int pair[2];

	*rig = (struct rig){.host = host, .random = seed * 0x9e3779b97f4a7c15 | 1};
	strcpy(rig->plugin.name, "taken");
	rig->plugin.capabilities = LH_CAP_NETWORK;
	rig->plugin.scope = LH_SCOPE_SCAN;
	rig->plugin.hooks = 1u << LH_HOOK_ON_POST_SCAN;
	rig->enabled.plugin = &rig->plugin;
	rig->scope = (struct lh_range){lh_ip_v4(0xc6120000), lh_ip_v4(0xc6120000)};
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	rig->warden = pair[1];
	host->params = (struct lh_host_params){.plugins = &rig->enabled,
		.nb_plugins = 1,
		.lanes = 1,
		.queue = QUEUE,
		.scope = &rig->scope,
		.nb_scope = 1,
		.ops = &ops,
		.ctx = rig};
	host->setup = (struct setup){
		.params = &host->params, .areas_each = 2, .nb_areas = 2, .socket = pair[0]};
	host->setup.limits[0] = (struct lh_limits){100, 60, 60, 1000000, 60};
	host->setup.areas = shared(2 * area_bytes());
	host->setup.authority = shared(2 * LANE_SLOTS * sizeof(*host->setup.authority));
	host->setup.excluded = shared(sizeof(*host->setup.excluded));
	make_lanes(host);
	host->ready = true;
	queue_balance(host, 0);
}

static void stop(struct rig *rig) {
	lh_host_destroy(rig->host);
	close(rig->warden);
}

static void spawn(struct rig *rig, unsigned area, bool speaks) {
	struct peer *peer = &rig->peer[area];
	struct area *memory = setup_area(&rig->host->setup, area);

	*peer = (struct peer){.alive = true};
	ring_open(&peer->down, area_down(memory), DOWN_BYTES);
	ring_open(&peer->up, area_up(memory), UP_BYTES);
	if (speaks && ring_reserve(&peer->up, UP_READY, 0))
		ring_commit(&peer->up);
}

static void die(struct rig *rig, unsigned area, uint32_t status) {
	const struct notice notice = {.area = area, .status = status};

	if (!rig->peer[area].alive)
		return;
	rig->peer[area].alive = false;
	cr_assert_eq(send(rig->warden, &notice, sizeof(notice), 0), (ssize_t)sizeof(notice));
}

/* The warden's part. Returns the lanes that were begun, as a set. */
static unsigned serve(struct rig *rig, bool speaks) {
	struct command command;
	unsigned begun = 0;

	while (recv(rig->warden, &command, sizeof(command), MSG_DONTWAIT) == sizeof(command)) {
		cr_assert_lt(command.area, 2u);
		if (command.op == COMMAND_SPAWN) {
			spawn(rig, command.area, speaks);
			begun |= 1u << command.area;
		} else if (command.op == COMMAND_KILL) {
			die(rig, command.area, command.status);
		}
	}
	return begun;
}

/* ---- What is asked of the answers ---- */

static void check(struct rig *rig, const struct lh_event *event) {
	cr_assert_lt((unsigned)event->status, (unsigned)LH_STATUS_COUNT);
	if (event->error)
		cr_assert_eq(utf8_valid(event->error, strlen(event->error)), strlen(event->error));
	if (event->results)
		cr_assert(json_is_object(event->results, event->results_bytes)
			&& !memchr(event->results, '\n', event->results_bytes));
	if (event->service) {
		cr_assert(memchr(event->service->name, '\0', sizeof(event->service->name)));
		cr_assert(memchr(event->service->cpe, '\0', sizeof(event->service->cpe)));
		cr_assert(event->service->confidence >= 0 && event->service->confidence <= 1);
	}
	if (event->kind == LH_EVENT_PHASE) {
		rig->phases++;
		return;
	}
	cr_assert_lt(event->tag, (uint64_t)rig->submitted);
	cr_assert_eq(rig->seen[event->tag]++, 0, "result %lu twice", (unsigned long)event->tag);
	rig->answered++;
	rig->count[event->status]++;
}

static void turn(struct rig *rig) {
	struct lh_event event[16];
	unsigned n;

	while (rig->submitted < RESULTS && lh_host_submit(rig->host, 0, rig->submitted))
		rig->submitted++;
	rig->host->chores_ns = 0; /* each time, not each millisecond */
	n = lh_host_poll(rig->host, event, 16);
	for (unsigned i = 0; i < n; i++)
		check(rig, &event[i]);
}

static void finish(struct rig *rig, unsigned phases) {
	struct lh_event event[64];
	unsigned sum = 0;

	for (unsigned i = 0, n; i < 1000; i++) {
		lh_host_give_up(rig->host, 0);
		while ((n = lh_host_poll(rig->host, event, 64)))
			for (unsigned k = 0; k < n; k++)
				check(rig, &event[k]);
		if (lh_host_idle(rig->host))
			break;
	}
	for (unsigned status = 0; status < LH_STATUS_COUNT; status++)
		sum += rig->count[status];
	cr_assert_eq(rig->answered, rig->submitted);
	cr_assert_eq(sum, rig->submitted);
	cr_assert_eq(rig->phases, phases);
	cr_assert_eq(lh_host_lag(rig->host, 0), 0u);
}

/* ---- What a lane may do ---- */

static void say(struct peer *peer, uint32_t type, const void *bytes, size_t n) {
	void *room = ring_reserve(&peer->up, type, (uint32_t)n);

	if (!room)
		return;
	memcpy(room, bytes, n);
	ring_commit(&peer->up);
}

static void fill(struct rig *rig, uint8_t *bytes, size_t n) {
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)draw(rig, 256);
}

/* A slot: most often one that it has. */
static uint32_t some_slot(struct rig *rig, const struct peer *peer) {
	static const uint32_t wrong[]
		= {0, 1, QUEUE, LANE_SLOTS - 1, LANE_SLOTS, LANE_SLOTS + 1, UINT32_MAX};

	if (peer->nb_slots && draw(rig, 60))
		return peer->slot[draw(rig, peer->nb_slots)];
	return wrong[draw(rig, sizeof(wrong) / sizeof(wrong[0]))];
}

static void take_down(struct rig *rig, struct peer *peer) {
	static uint8_t message[MESSAGE_BYTES];
	struct wire_record wire;
	uint32_t type, n;

	while (ring_pop(&peer->down, &type, message, sizeof(message), &n) == 1) {
		if (type != DOWN_RECORD || peer->nb_slots == QUEUE * 2)
			continue;
		memcpy(&wire, message, sizeof(wire));
		peer->slot[peer->nb_slots++] = wire.slot;
	}
}

static void forget_slot(struct peer *peer, uint32_t slot) {
	for (unsigned i = 0; i < peer->nb_slots; i++)
		if (peer->slot[i] == slot)
			peer->slot[i--] = peer->slot[--peer->nb_slots];
}

static void say_done(struct rig *rig, struct peer *peer) {
	static const uint8_t statuses[] = {LH_OK, LH_OK, LH_OK, LH_ERROR, LH_DENIED, LH_MEMORY,
		LH_INSTRUCTIONS, LH_KILLED, LH_SKIPPED, 200};
	uint8_t bytes[sizeof(struct wire_done) + sizeof(struct lh_service) + 64];
	struct wire_done done = {.slot = some_slot(rig, peer),
		.status = statuses[draw(rig, draw(rig, 60) ? 6 : 10)],
		.flags = draw(rig, 3) == 0};
	struct lh_service service = {.name = "x", .confidence = 0.5};
	size_t n = sizeof(done);

	if (draw(rig, 40) == 0)
		fill(rig, (uint8_t *)&service, sizeof(service)); /* no NUL, no number */
	if (done.flags) {
		memcpy(bytes + n, &service, sizeof(service));
		n += sizeof(service);
	}
	done.error_bytes = (uint16_t)draw(rig, 64);
	fill(rig, bytes + n, done.error_bytes);
	n += done.error_bytes;
	if (draw(rig, 80) == 0)
		done.error_bytes = (uint16_t)draw(rig, 65536); /* a length that does not fit */
	memcpy(bytes, &done, sizeof(done));
	if (draw(rig, 50)) /* else it may answer once more */
		forget_slot(peer, done.slot);
	say(peer, draw(rig, 100) ? UP_DONE : UP_PHASE_DONE, bytes, n);
}

static void say_text(struct rig *rig, struct peer *peer) {
	static const char *const json[] = {"{}", "{\"a\":1}", "{", "{\"a\":\n1}", "{}\n{}", "[]",
		"{\"\xff\":1}", "{\"a\":\"\\ud800\"}", "{\"a\":1}}", "", "{\"a\":NaN}"};
	struct wire_text wire = {some_slot(rig, peer), draw(rig, draw(rig, 20) ? 4 : 6)};
	const char *text = json[draw(rig, sizeof(json) / sizeof(json[0]))];
	uint8_t bytes[sizeof(wire) + 32];

	memcpy(bytes, &wire, sizeof(wire));
	memcpy(bytes + sizeof(wire), text, strlen(text));
	say(peer, UP_TEXT, bytes, sizeof(wire) + strlen(text));
}

static void say_request(struct rig *rig, struct peer *peer) {
	const struct wire_want want = {draw(rig, 2) ? draw(rig, 20) : UINT64_MAX - draw(rig, 3),
		draw(rig, 3), draw(rig, 4) ? draw(rig, PAGE_ROWS + 2) : UINT32_MAX};
	const struct wire_probe probe = {.id = draw(rig, UINT32_MAX),
		.ip = {draw(rig, 4) ? 0 : draw(rig, 3),
			wire_ip_put(lh_ip_v4(0xc6120000 + draw(rig, 3))).low},
		.port = (uint16_t)draw(rig, 3),
		.protocol = (uint16_t)draw(rig, draw(rig, 50) ? 2 : 65536),
		.slot = some_slot(rig, peer)};

	if (draw(rig, 2))
		say(peer, UP_WANT, &want, sizeof(want));
	else
		say(peer, UP_PROBE, &probe, sizeof(probe));
}

static void say_anything(struct rig *rig, struct peer *peer) {
	uint8_t bytes[MESSAGE_MAX];
	size_t n = draw(rig, MESSAGE_MAX);

	fill(rig, bytes, n);
	say(peer, draw(rig, 20) ? UP_LOG : draw(rig, 12), bytes, draw(rig, 4) ? n % 100 : n);
}

/* Write over the header of the area, of the rings, or of a message. */
static void scribble(struct rig *rig, unsigned area) {
	struct area *memory = setup_area(&rig->host->setup, area);
	struct ring_shared *ring = draw(rig, 2) ? area_up(memory) : area_down(memory);
	uint64_t value = draw(rig, 2) ? draw(rig, 1000) * 8u : UINT64_MAX - draw(rig, 100);

	switch (draw(rig, 5)) {
	case 0:
		atomic_store(&ring->produced, value);
		break;
	case 1:
		atomic_store(&ring->consumed, value);
		break;
	case 2:
		fill(rig, ring->data + draw(rig, 1000), 64);
		break;
	default:
		atomic_store(&memory->running, some_slot(rig, &rig->peer[area]));
		atomic_store(&memory->cpu_before_ns, value);
		atomic_store(&memory->slice, (uint32_t)value);
	}
}

static void misbehave(struct rig *rig, unsigned area) {
	struct peer *peer = &rig->peer[area];

	take_down(rig, peer);
	switch (draw(rig, 120)) {
	case 0:
		scribble(rig, area);
		break;
	case 1:
		say_anything(rig, peer);
		break;
	case 2:
		die(rig, area, draw(rig, LH_STATUS_COUNT));
		break;
	case 3:
	case 4:
		say_request(rig, peer);
		break;
	case 5:
	case 6:
	case 7:
		say_text(rig, peer);
		break;
	default:
		say_done(rig, peer);
	}
}

Test(takeover, answers_each_result_once) {
	unsigned ok = 0, killed = 0, skipped = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct rig rig;
		unsigned phases = 0;

		start(&rig, round + 1);
		for (unsigned i = 0; i < TURNS && rig.answered < RESULTS; i++) {
			serve(&rig, true);
			for (unsigned area = 0; area < 2; area++)
				if (rig.peer[area].alive)
					misbehave(&rig, area);
			if (round % 2) /* half of them live on without quarantine */
				rig.host->plugin[0].strikes = 0;
			if (i == 50 && round % 3 == 0)
				phases += lh_host_phase(rig.host, 0, LH_HOOK_ON_POST_SCAN, 10) == 0;
			turn(&rig);
		}
		finish(&rig, phases);
		ok += rig.count[LH_OK];
		killed += rig.count[LH_KILLED];
		skipped += rig.count[LH_SKIPPED];
		stop(&rig);
	}
	/* All kinds of ends were met. */
	cr_expect_gt(ok, 100u);
	cr_expect_gt(killed, 100u);
	cr_expect_gt(skipped, 100u);
}

/* A lane that collects texts for results that it never answers must not get all memory. */
Test(takeover, bounds_the_memory_of_texts) {
	static uint8_t bytes[sizeof(struct wire_text) + CHUNK_BYTES];
	struct rig rig;
	size_t sent = 0;

	start(&rig, 1);
	for (unsigned i = 0; i < 20; i++) {
		serve(&rig, i < 3);
		for (unsigned area = 0; area < 2; area++)
			take_down(&rig, &rig.peer[area]);
		turn(&rig);
	}
	cr_assert(rig.peer[0].nb_slots > 4);
	for (unsigned i = 0; i < 2000 && rig.host->lane[0].state == LANE_ACTIVE; i++) {
		const struct wire_text wire
			= {rig.peer[0].slot[i % rig.peer[0].nb_slots], TEXT_FORMATTED};

		memcpy(bytes, &wire, sizeof(wire));
		say(&rig.peer[0], UP_TEXT, bytes, sizeof(bytes));
		sent += CHUNK_BYTES;
		turn(&rig);
	}
	cr_expect_neq(rig.host->lane[0].state, LANE_ACTIVE);
	cr_expect_lt(sent, (size_t)(24 << 20));
	finish(&rig, 0);
	stop(&rig);
}

/* Another process writes into everything that a lane can reach, while the host reads. */
Test(takeover, survives_a_concurrent_writer) {
	struct rig rig;
	pid_t writer;

	start(&rig, 7);
	serve(&rig, true);
	turn(&rig);
	writer = fork();
	cr_assert(writer >= 0);
	if (writer == 0) {
		uint8_t *memory = rig.host->setup.areas;
		size_t bytes = 2 * area_bytes();

		alarm(20);
		for (;;) {
			size_t at = draw(&rig, 3) ? draw(&rig, 512) : draw(&rig, (uint32_t)bytes);
			struct area *area = setup_area(&rig.host->setup, draw(&rig, 2));

			memory[at] = (uint8_t)draw(&rig, 256);
			atomic_store(&area_up(area)->produced, draw(&rig, 4096) * 8u);
			for (unsigned i = 0; i < 512; i++)
				area_up(area)->data[i]
					= (uint8_t)draw(&rig, draw(&rig, 4) ? 9 : 256);
		}
	}
	for (unsigned i = 0; i < TURNS; i++) {
		serve(&rig, true);
		rig.host->plugin[0].strikes = 0;
		turn(&rig);
	}
	kill(writer, SIGKILL);
	cr_assert_eq(waitpid(writer, NULL, 0), writer);
	finish(&rig, 0);
	stop(&rig);
}
