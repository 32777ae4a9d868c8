/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of results that wait, and their way through banner and plugins.
 *
 * Control core. A result in the table is a flight; it is in one place at a time: waiting for its
 * banner, at one plugin, held before one, or on disk. Its number is the tag that the plugin host
 * knows it by. Flights and their extras belong to the pipeline until pipeline_take().
 */
#include "assembly.h"
#include "clock.h"
#include "detect.h"
#include "pipeline.h"
#include "spill.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	EVENTS = 64,
	ROUNDS = 16, /* of events in a step */
	FINISHED_MAX = 64 << 10, /* the writer is that far behind: take no more */
	BANNERS_MAX = 1 << 20, /* results that wait for banners */
	SAID_MAX = 256 << 20, /* bytes of those banners */
	PROBE_SURE = 80, /* percent: probe_service is for what is less sure */
	NONE = UINT32_MAX,
};

#define NO_SEGMENT UINT64_MAX

static const char builtin[] = "builtin";

struct flight {
	struct dp_answer answer;
	struct result_extra *extra; /* NULL: nothing yet */
	struct assembly *said; /* of what waits for its banner; NULL: nothing yet */
	uint64_t banner_ns; /* deadline of that wait */
	uint32_t older, newer; /* in the order of the deadlines */
	uint32_t next; /* free list, or the hash chain of those that wait for banners */
	uint64_t segment; /* of the journal that it is in; NO_SEGMENT: none */
	uint16_t stage; /* place in the order of plugins */
	bool used, awaits_banner;
};

/* A flight that is over, until it is taken. */
struct finished {
	struct result result;
	uint64_t segment;
};

/* What stands before a spilled result. */
struct spilled {
	uint64_t segment;
	uint16_t stage;
};

/* Flight numbers, first in first out. */
struct fifo {
	uint32_t *item;
	uint32_t size, head, count;
};

struct station { /* a plugin */
	const struct lh_plugin *plugin;
	unsigned number; /* at the host and in the accounts */
	int output; /* of the configuration; -1: none */
	struct spill *spill; /* NULL: another overflow */
	struct fifo held; /* before it, as it lags behind and throttles */
	bool given_up; /* its results are skipped */
};

struct pipeline {
	const struct ctl_config *config;
	struct lh_host *host;
	struct ctl_plugin_account *accounts;
	struct station station[LH_MAX_PLUGINS]; /* in the order of the way */
	unsigned nb_stations;
	unsigned place[LH_MAX_PLUGINS]; /* station of a plugin's number */
	struct flight *flight;
	uint32_t nb_flights, free, waiting;
	uint32_t oldest, newest; /* of those that wait for banners */
	uint32_t *chain; /* hash of those; NULL: none ever waits */
	uint32_t chains, nb_banners;
	size_t said_bytes; /* of all assemblies */
	struct finished *finished; /* ring */
	uint32_t finished_size, finished_head, finished_count;
	struct lh_event phase;
	bool phase_ended;
	_Atomic int64_t budget; /* of spills, in bytes */
	const char *name[LH_MAX_PLUGINS + 1];
	struct result_names names;
	struct detect *detect; /* NULL: nobody names services */
	struct journal *journal; /* NULL: nobody keeps one */
	uint64_t unsettled[LH_MAX_PLUGINS][LH_STATUS_COUNT]; /* of what is still in here */
	char *json; /* of the latest record's plugins */
	void *record; /* of the latest spilled flight */
	size_t record_room;
	uint64_t now_ns;
};

/* ---- Memory: without it the account could not be true ---- */

static void *need(void *memory) {
	if (!memory)
		abort();
	return memory;
}

static void fifo_push(struct fifo *fifo, uint32_t item) {
	if (fifo->count == fifo->size) {
		uint32_t size = fifo->size ? 2 * fifo->size : 256;
		uint32_t *more = need(malloc(size * sizeof(*more)));

		for (uint32_t i = 0; i < fifo->count; i++)
			more[i] = fifo->item[(fifo->head + i) % fifo->size];
		free(fifo->item);
		fifo->item = more;
		fifo->size = size;
		fifo->head = 0;
	}
	fifo->item[(fifo->head + fifo->count++) % fifo->size] = item;
}

static uint32_t fifo_first(const struct fifo *fifo) {
	return fifo->item[fifo->head];
}

static void fifo_pop(struct fifo *fifo) {
	fifo->head = (fifo->head + 1) % fifo->size;
	fifo->count--;
}

static uint32_t new_flight(struct pipeline *p) {
	uint32_t i = p->free;

	if (i == NONE) {
		uint32_t nb = p->nb_flights ? 2 * p->nb_flights : 1024;

		p->flight = need(realloc(p->flight, nb * sizeof(*p->flight)));
		for (uint32_t k = nb; k-- > p->nb_flights;) {
			p->flight[k] = (struct flight){.next = p->free};
			p->free = k;
		}
		p->nb_flights = nb;
		i = p->free;
	}
	p->free = p->flight[i].next;
	p->flight[i] = (struct flight){.used = true, .segment = NO_SEGMENT};
	p->waiting++;
	return i;
}

static void free_flight(struct pipeline *p, uint32_t i) {
	p->flight[i] = (struct flight){.next = p->free};
	p->free = i;
	p->waiting--;
}

static struct result_extra *extra_of(struct flight *flight) {
	if (!flight->extra)
		flight->extra = need(calloc(1, sizeof(*flight->extra)));
	return flight->extra;
}

/* ---- What plugins see ---- */

static const uint8_t states[DP_STATE_COUNT] = {
	[DP_STATE_OPEN] = LH_STATE_OPEN,
	[DP_STATE_CLOSED] = LH_STATE_CLOSED,
	[DP_STATE_FILTERED] = LH_STATE_FILTERED,
	[DP_STATE_UNFILTERED] = LH_STATE_UNFILTERED,
	[DP_STATE_UP] = LH_STATE_UP,
};

void pipeline_fill(struct pipeline *p, const struct result *result, struct lh_record *record) {
	const struct dp_answer *answer = &result->answer;
	const struct result_extra *extra = result->extra;

	*record = (struct lh_record){.ip = answer->ip,
		.ts_ns = answer->ts_ns,
		.rtt_us = answer->rtt_us,
		.port = answer->port,
		.has_port = result_has_port(answer),
		.state = states[answer->state],
		.ttl = answer->ttl,
		.zero_window = answer->zero_window,
		.protocol = dp_proto_name((enum dp_proto)answer->proto),
		.reason = dp_reason_name((enum dp_reason)answer->reason)};
	if (!extra)
		return;
	record->banner = (const char *)extra->banner;
	record->banner_bytes = extra->banner_bytes;
	record->service = extra->has_service ? &extra->service : NULL;
	record->service_source = extra->service_source;
	free(p->json);
	p->json = extra->nb_plugins ? result_plugins_json(extra) : NULL;
	record->plugins = p->json;
	record->plugins_bytes = p->json ? (uint32_t)strlen(p->json) : 0;
}

void pipeline_record(struct pipeline *p, uint64_t tag, struct lh_record *record) {
	const struct result result = {p->flight[tag].answer, p->flight[tag].extra};

	pipeline_fill(p, &result, record);
}

/* ---- Which plugins ---- */

/* A result without a port matches none. */
static bool port_matches(const struct lh_match *match, const struct dp_answer *answer) {
	for (unsigned i = 0; result_has_port(answer) && i < match->nb_ports; i++)
		if (answer->port >= match->ports[i].first && answer->port <= match->ports[i].last)
			return true;
	return match->nb_ports == 0;
}

static bool service_matches(const struct lh_match *match, const struct result_extra *extra) {
	for (unsigned i = 0; i < match->nb_services; i++)
		if (extra && extra->has_service && !strcmp(match->services[i], extra->service.name))
			return true;
	return match->nb_services == 0;
}

/* Whether some hook of the plugin would be called for the result. */
static bool has_hook(const struct station *station, const struct result_extra *extra) {
	uint32_t hooks = station->plugin->hooks;
	bool sure = extra && extra->has_service && extra->service.name[0]
		&& extra->service.confidence * 100 >= PROBE_SURE;

	switch (station->plugin->type) {
	case LH_TYPE_SCAN:
		return hooks >> LH_HOOK_ON_TARGET & 1;
	case LH_TYPE_OUTPUT:
		return station->output >= 0 && (hooks >> LH_HOOK_FORMAT_RESULT & 1);
	default:
		return ((hooks >> LH_HOOK_ANALYZE_BANNER & 1) && extra && extra->banner)
			|| ((hooks >> LH_HOOK_PROBE_SERVICE & 1) && !sure);
	}
}

static bool applies(const struct station *station, const struct flight *flight) {
	const struct lh_match *match = &station->plugin->match;

	return (match->states >> states[flight->answer.state] & 1)
		&& port_matches(match, &flight->answer) && service_matches(match, flight->extra)
		&& has_hook(station, flight->extra);
}

/* ---- The way ---- */

static void finish(struct pipeline *p, uint32_t i) {
	if (p->finished_count == p->finished_size) {
		uint32_t size = p->finished_size ? 2 * p->finished_size : 1024;
		struct finished *more = need(malloc(size * sizeof(*more)));

		for (uint32_t k = 0; k < p->finished_count; k++)
			more[k] = p->finished[(p->finished_head + k) % p->finished_size];
		free(p->finished);
		p->finished = more;
		p->finished_size = size;
		p->finished_head = 0;
	}
	p->finished[(p->finished_head + p->finished_count++) % p->finished_size]
		= (struct finished){
			{p->flight[i].answer, p->flight[i].extra}, p->flight[i].segment};
	free_flight(p, i);
}

/* Keep what a plugin said, or that it said nothing. */
static void note(struct pipeline *p, uint32_t i, const struct station *station,
	enum lh_status status, const struct lh_event *event) {
	struct result_extra *extra = extra_of(&p->flight[i]);
	struct result_plugin *plugin;

	p->accounts[station->number].status[status]++;
	p->unsettled[station->number][status]++;
	extra->plugins
		= need(realloc(extra->plugins, (extra->nb_plugins + 1) * sizeof(*extra->plugins)));
	plugin = &extra->plugins[extra->nb_plugins++];
	*plugin = (struct result_plugin){.name = station->plugin->name, .status = status};
	if (event && event->error)
		plugin->error = need(strdup(event->error));
	if (event && event->results)
		plugin->results = need(strndup(event->results, event->results_bytes));
}

/* Have a result in the journal that is packed; its segment. */
static uint64_t keep(struct pipeline *p, uint64_t segment, const uint8_t *packed, size_t bytes) {
	if (!p->journal || segment != NO_SEGMENT)
		return segment;
	return journal_result(p->journal, packed, (uint32_t)bytes);
}

static bool to_disk(struct pipeline *p, struct station *station, uint32_t i) {
	const struct result result = {p->flight[i].answer, p->flight[i].extra};
	struct spilled head = {p->flight[i].segment, p->flight[i].stage};
	uint8_t *bytes = need(malloc(sizeof(head)));
	size_t used = sizeof(head), room = used;
	bool taken = result_pack(&result, &p->names, &bytes, &used, &room) == 0;

	if (taken) {
		head.segment = keep(p, head.segment, bytes + sizeof(head), used - sizeof(head));
		p->flight[i].segment = head.segment;
		memcpy(bytes, &head, sizeof(head));
		taken = spill_put(station->spill, bytes, (uint32_t)used);
	}
	free(bytes);
	if (!taken)
		return false;
	result_extra_free(p->flight[i].extra);
	free_flight(p, i);
	p->accounts[station->number].spilled++;
	return true;
}

/* Bring the flight to its plugin. True where it is not ours for now. */
static bool offer(struct pipeline *p, struct station *station, uint32_t i) {
	bool first = !station->held.count && (!station->spill || !spill_count(station->spill));

	p->accounts[station->number].offered++;
	if (!station->given_up && first && lh_host_submit(p->host, station->number, i))
		return true;
	if (!station->given_up && station->spill && to_disk(p, station, i))
		return true;
	if (!station->given_up && p->config->plugins.overflow == CTL_OVERFLOW_THROTTLE) {
		fifo_push(&station->held, i);
		return true;
	}
	note(p, i, station, LH_SKIPPED, NULL);
	return false;
}

/* On from its stage, to the next plugin that wants it or to the end. */
static void advance(struct pipeline *p, uint32_t i) {
	while (p->flight[i].stage < p->nb_stations) {
		struct station *station = &p->station[p->flight[i].stage];

		if (applies(station, &p->flight[i]) && offer(p, station, i))
			return;
		p->flight[i].stage++;
	}
	finish(p, i);
}

/* ---- Banners ---- */

static uint32_t *chain_of(struct pipeline *p, const struct dp_answer *answer) {
	uint64_t key = (uint64_t)(answer->ip >> 64) * UINT64_C(0xff51afd7ed558ccd);

	key = (key ^ (uint64_t)answer->ip) * UINT64_C(0xc4ceb9fe1a85ec53);
	key = (key ^ ((uint64_t)answer->port << 8 | answer->proto)) * UINT64_C(0x9e3779b97f4a7c15);
	return &p->chain[key >> 32 & (p->chains - 1)];
}

static bool is_pair(const struct dp_answer *a, const struct dp_answer *b) {
	return a->ip == b->ip && a->port == b->port && a->proto == b->proto;
}

/* A connection stands there, and its other side may speak. */
static bool may_speak(const struct dp_answer *answer) {
	return answer->proto == DP_PROTO_TCP && answer->state == DP_STATE_OPEN
		&& answer->reason == DP_REASON_SYN_ACK && !answer->zero_window;
}

/* All wait equally long: the newest one's deadline is the last. */
static void wait_for_banner(struct pipeline *p, uint32_t i) {
	struct flight *flight = &p->flight[i];
	uint32_t *link = chain_of(p, &flight->answer);

	flight->banner_ns = p->now_ns + p->config->banner_wait_ns;
	flight->awaits_banner = true;
	flight->next = *link;
	*link = i;
	flight->older = p->newest;
	flight->newer = NONE;
	*(p->newest == NONE ? &p->oldest : &p->flight[p->newest].newer) = i;
	p->newest = i;
	p->nb_banners++;
}

static void leave_banners(struct pipeline *p, uint32_t i) {
	struct flight *flight = &p->flight[i];
	uint32_t *link = chain_of(p, &flight->answer);

	flight->awaits_banner = false;
	while (*link != i)
		link = &p->flight[*link].next;
	*link = flight->next;
	*(flight->older == NONE ? &p->oldest : &p->flight[flight->older].newer) = flight->newer;
	*(flight->newer == NONE ? &p->newest : &p->flight[flight->newer].older) = flight->older;
	p->nb_banners--;
}

/* Take the banner of a flight, and name its service. */
static void keep_banner(struct pipeline *p, struct flight *flight, uint8_t *banner, uint32_t n) {
	struct result_extra *extra = extra_of(flight);

	extra->banner = banner;
	extra->banner_bytes = n;
	if (p->detect
		&& detect_run(p->detect, (enum dp_proto)flight->answer.proto, flight->answer.port,
			banner, n, &extra->service)) {
		extra->has_service = true;
		extra->service_source = builtin;
	}
}

/* It goes on with what was said up to here. */
static void end_wait(struct pipeline *p, uint32_t i) {
	struct flight *flight = &p->flight[i];

	leave_banners(p, i);
	if (flight->said) {
		uint32_t n;
		uint8_t *banner;

		p->said_bytes -= assembly_memory(flight->said);
		banner = assembly_take(flight->said, &n);
		flight->said = NULL;
		if (banner)
			keep_banner(p, flight, banner, n);
	}
	advance(p, i);
}

void pipeline_banner(struct pipeline *p, const struct dp_answer *answer) {
	uint32_t i = p->chain ? *chain_of(p, answer) : NONE;
	struct flight *flight;

	while (i != NONE && !is_pair(&p->flight[i].answer, answer))
		i = p->flight[i].next;
	if (i == NONE)
		return; /* a repeated one, or after its wait */
	flight = &p->flight[i];
	if (!flight->said)
		flight->said = need(assembly_create(p->config->banner_bytes));
	else
		p->said_bytes -= assembly_memory(flight->said);
	assembly_add(flight->said, answer->banner_at, answer->banner, answer->banner_bytes,
		answer->banner_last);
	p->said_bytes += assembly_memory(flight->said);
	if (assembly_is_complete(flight->said))
		end_wait(p, i);
}

/* Those whose time is over. */
static bool end_waits(struct pipeline *p, uint64_t now_ns) {
	bool any = false;

	while (p->oldest != NONE && p->flight[p->oldest].banner_ns <= now_ns) {
		end_wait(p, p->oldest);
		any = true;
	}
	return any;
}

void pipeline_end_banners(struct pipeline *p) {
	end_waits(p, UINT64_MAX);
}

/* ---- In, on and out ---- */

bool pipeline_has_room(const struct pipeline *p) {
	if (p->finished_count >= FINISHED_MAX || p->nb_banners >= BANNERS_MAX
		|| p->said_bytes >= SAID_MAX)
		return false;
	if (p->config->plugins.overflow != CTL_OVERFLOW_THROTTLE)
		return true;
	for (unsigned s = 0; s < p->nb_stations; s++)
		if (p->station[s].held.count
			|| lh_host_lag(p->host, p->station[s].number) >= p->config->plugins.queue)
			return false;
	return true;
}

/* What a UDP service said, which came along. */
static void take_reply(struct pipeline *p, struct flight *flight, const struct dp_answer *answer) {
	uint32_t n = answer->banner_bytes;
	uint8_t *banner;

	if (n > p->config->banner_bytes)
		n = p->config->banner_bytes;
	if (!n)
		return;
	banner = need(malloc(n + 1u));
	memcpy(banner, answer->banner, n);
	banner[n] = '\0';
	keep_banner(p, flight, banner, n);
}

void pipeline_enter(struct pipeline *p, const struct dp_answer *answer) {
	uint32_t i = new_flight(p);
	struct flight *flight = &p->flight[i];

	flight->answer = *answer;
	/* These live until the next dp_engine_collect() only. */
	flight->answer.banner = NULL;
	flight->answer.banner_bytes = 0;
	take_reply(p, flight, answer);
	if (p->chain && may_speak(answer))
		wait_for_banner(p, i);
	else
		advance(p, i);
}

static void take_service(
	struct flight *flight, const struct station *station, const struct lh_service *service) {
	struct result_extra *extra = extra_of(flight);

	if (extra->has_service && extra->service.name[0]
		&& extra->service.confidence >= service->confidence)
		return;
	extra->has_service = true;
	extra->service = *service;
	extra->service_source = station->plugin->name;
}

static void take_text(
	struct flight *flight, const struct station *station, const struct lh_event *event) {
	struct result_extra *extra = extra_of(flight);
	struct result_text *text;

	extra->texts = need(realloc(extra->texts, (extra->nb_texts + 1) * sizeof(*extra->texts)));
	text = &extra->texts[extra->nb_texts++];
	*text = (struct result_text){.output = (unsigned)station->output,
		.bytes = need(malloc(event->text_bytes + 1)),
		.length = event->text_bytes};
	memcpy(text->bytes, event->text, event->text_bytes);
}

static void take_answer(struct pipeline *p, const struct lh_event *event) {
	const struct station *station = &p->station[p->place[event->plugin]];
	uint32_t i = (uint32_t)event->tag;

	note(p, i, station, event->status, event);
	if (event->service && station->plugin->type == LH_TYPE_DETECTION)
		take_service(&p->flight[i], station, event->service);
	if (event->text && station->output >= 0)
		take_text(&p->flight[i], station, event);
	p->flight[i].stage++;
	advance(p, i);
}

static bool take_events(struct pipeline *p) {
	struct lh_event event[EVENTS];
	unsigned n = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		n = p->phase_ended ? 0 : lh_host_poll(p->host, event, EVENTS);
		for (unsigned k = 0; k < n; k++) {
			if (event[k].kind == LH_EVENT_RESULT) {
				take_answer(p, &event[k]);
				continue;
			}
			/* Looked at before the next poll: nothing else is polled until then. */
			p->phase = event[k];
			p->phase_ended = true;
		}
		if (n < EVENTS)
			return n || round;
	}
	return true;
}

/* What cannot be read back is lost; there is no overflow to that disk any more. */
static void lose_spilled(struct pipeline *p, struct station *station, int error) {
	uint64_t lost = spill_count(station->spill);

	p->accounts[station->number].status[LH_SKIPPED] += lost;
	fprintf(stderr, "prtip-dp: %s: error: %" PRIu64 " results are lost in spill_dir: %s\n",
		station->plugin->name, lost, strerror(-error));
	spill_destroy(station->spill);
	station->spill = NULL;
}

/* Back from the disk, as the plugin catches up. */
static bool unspill(struct pipeline *p, struct station *station) {
	uint32_t low = p->config->plugins.queue / 2;
	bool any = false;

	while (station->spill && spill_count(station->spill)
		&& (station->given_up || lh_host_lag(p->host, station->number) <= low)) {
		int64_t bytes = spill_get(station->spill, &p->record, &p->record_room);
		struct result result;
		struct spilled head;
		size_t taken;
		uint32_t i;

		if (bytes < 0)
			lose_spilled(p, station, (int)bytes);
		if (bytes <= 0)
			return any || bytes < 0;
		memcpy(&head, p->record, sizeof(head));
		if (result_unpack((uint8_t *)p->record + sizeof(head), (size_t)bytes - sizeof(head),
			    &p->names, &taken, &result))
			abort(); /* memory, or a file that changed below us */
		i = new_flight(p);
		p->flight[i].answer = result.answer;
		p->flight[i].extra = result.extra;
		p->flight[i].stage = head.stage;
		p->flight[i].segment = head.segment;
		any = true;
		if (!station->given_up && lh_host_submit(p->host, station->number, i))
			continue;
		note(p, i, station, LH_SKIPPED, NULL);
		p->flight[i].stage++;
		advance(p, i);
	}
	return any;
}

/* Those that were held back go on as there is room. */
static bool release(struct pipeline *p, struct station *station) {
	bool any = false;

	while (station->held.count) {
		uint32_t i = fifo_first(&station->held);

		if (!station->given_up && !lh_host_submit(p->host, station->number, i))
			break;
		fifo_pop(&station->held);
		any = true;
		if (!station->given_up)
			continue;
		note(p, i, station, LH_SKIPPED, NULL);
		p->flight[i].stage++;
		advance(p, i);
	}
	return any;
}

bool pipeline_step(struct pipeline *p, uint64_t now_ns) {
	bool any = end_waits(p, now_ns);

	p->now_ns = now_ns;
	if (!p->host)
		return any;
	any |= take_events(p);
	for (unsigned s = 0; s < p->nb_stations; s++) {
		any |= release(p, &p->station[s]);
		any |= unspill(p, &p->station[s]);
	}
	return any;
}

/* It leaves: its plugins' answers stand, and the journal need not have it. */
static void settle(struct pipeline *p, const struct finished *finished) {
	const struct result_extra *extra = finished->result.extra;

	for (unsigned i = 0; extra && i < extra->nb_plugins; i++)
		for (unsigned s = 0; s < p->nb_stations; s++)
			if (p->station[s].plugin->name == extra->plugins[i].name)
				p->unsettled[p->station[s].number][extra->plugins[i].status]--;
	if (p->journal && finished->segment != NO_SEGMENT)
		journal_done(p->journal, finished->segment);
}

void pipeline_settled_account(
	const struct pipeline *p, unsigned plugin, struct ctl_plugin_account *account) {
	*account = p->accounts[plugin];
	account->offered = 0;
	for (unsigned i = 0; i < LH_STATUS_COUNT; i++) {
		account->status[i] -= p->unsettled[plugin][i];
		account->offered += account->status[i];
	}
}

void pipeline_keep(struct pipeline *p, struct journal *journal) {
	p->journal = journal;
}

/* One that waits, in a plugin or as it is not taken yet. */
static uint64_t journal_one(struct pipeline *p, const struct dp_answer *answer,
	struct result_extra *extra, uint64_t segment) {
	const struct result result = {*answer, extra};
	uint8_t *bytes = NULL;
	size_t used = 0, room = 0;

	if (segment != NO_SEGMENT)
		return segment;
	if (result_pack(&result, &p->names, &bytes, &used, &room))
		abort(); /* memory: the account could not be true */
	segment = keep(p, segment, bytes, used);
	free(bytes);
	return segment;
}

void pipeline_journal(struct pipeline *p) {
	for (uint32_t i = 0; i < p->nb_flights; i++) {
		struct flight *flight = &p->flight[i];

		if (flight->used && !flight->awaits_banner)
			flight->segment
				= journal_one(p, &flight->answer, flight->extra, flight->segment);
	}
	for (uint32_t k = 0; k < p->finished_count; k++) {
		struct finished *finished = &p->finished[(p->finished_head + k) % p->finished_size];

		finished->segment = journal_one(
			p, &finished->result.answer, finished->result.extra, finished->segment);
	}
}

void pipeline_resume(struct pipeline *p, struct result *result, uint64_t segment) {
	uint32_t i = new_flight(p);
	struct flight *flight = &p->flight[i];
	struct result_extra *extra = result->extra;

	flight->answer = result->answer;
	flight->segment = segment;
	if (extra && extra->banner) {
		keep_banner(p, flight, extra->banner, extra->banner_bytes);
		extra->banner = NULL;
	}
	result_extra_free(extra);
	advance(p, i);
}

unsigned pipeline_take(struct pipeline *p, struct result *results, unsigned max) {
	unsigned n = 0;

	for (; n < max && p->finished_count; n++, p->finished_count--) {
		const struct finished *finished = &p->finished[p->finished_head];

		results[n] = finished->result;
		settle(p, finished);
		p->finished_head = (p->finished_head + 1) % p->finished_size;
	}
	return n;
}

static uint64_t station_waiting(const struct pipeline *p, const struct station *station) {
	return lh_host_lag(p->host, station->number) + station->held.count
		+ (station->spill ? spill_count(station->spill) : 0);
}

static void give_up(struct pipeline *p, struct station *station) {
	station->given_up = true;
	lh_host_give_up(p->host, station->number);
}

void pipeline_give_up(struct pipeline *p, bool all) {
	for (unsigned s = 0; s < p->nb_stations; s++) {
		struct station *station = &p->station[s];

		if (station->given_up || (!all && !station_waiting(p, station)))
			continue;
		give_up(p, station);
		if (!all)
			return;
	}
}

uint64_t pipeline_without_banner(const struct pipeline *p) {
	return p->nb_banners;
}

bool pipeline_awaits_banners(const struct pipeline *p) {
	return p->nb_banners > 0;
}

uint64_t pipeline_waiting(const struct pipeline *p) {
	uint64_t waiting = p->waiting;

	for (unsigned s = 0; s < p->nb_stations; s++)
		if (p->station[s].spill)
			waiting += spill_count(p->station[s].spill);
	return waiting;
}

uint64_t pipeline_finished(const struct pipeline *p) {
	return p->finished_count;
}

uint64_t pipeline_awaiting_banner(const struct pipeline *p) {
	return p->nb_banners;
}

uint64_t pipeline_at_plugin(const struct pipeline *p, unsigned plugin) {
	const struct station *station = &p->station[p->place[plugin]];

	return lh_host_lag(p->host, plugin) + station->held.count
		+ (station->spill ? spill_count(station->spill) : 0);
}

bool pipeline_phase_event(struct pipeline *p, struct lh_event *event) {
	if (!p->phase_ended)
		return false;
	*event = p->phase;
	p->phase_ended = false;
	return true;
}

const struct result_names *pipeline_names(const struct pipeline *p) {
	return &p->names;
}

/* ---- Making it ---- */

static int output_of(const struct ctl_config *config, unsigned plugin) {
	for (unsigned i = 0; i < config->nb_outputs; i++)
		if (config->outputs[i].plugin == plugin + 1)
			return (int)i;
	return -1;
}

static int add_station(struct pipeline *p, unsigned number, struct dp_error *err) {
	const struct ctl_plugins *plugins = &p->config->plugins;
	struct station *station = &p->station[p->nb_stations];

	*station = (struct station){.plugin = plugins->enabled[number],
		.number = number,
		.output = output_of(p->config, number)};
	p->place[number] = p->nb_stations++;
	if (plugins->overflow != CTL_OVERFLOW_SPILL)
		return 0;
	return spill_create(plugins->spill_dir, &p->budget, &station->spill, err);
}

static int add_stations(struct pipeline *p, struct dp_error *err) {
	static const enum lh_type order[] = {LH_TYPE_DETECTION, LH_TYPE_SCAN, LH_TYPE_OUTPUT};
	const struct ctl_plugins *plugins = &p->config->plugins;

	for (unsigned t = 0; t < LH_TYPE_COUNT; t++) {
		for (unsigned i = 0; i < plugins->nb_enabled; i++) {
			int rc = plugins->enabled[i]->type == order[t] ? add_station(p, i, err) : 0;

			if (rc)
				return rc;
		}
	}
	return 0;
}

static void name_all(struct pipeline *p) {
	const struct ctl_plugins *plugins = &p->config->plugins;

	for (unsigned i = 0; i < plugins->nb_enabled; i++) {
		p->name[i] = plugins->enabled[i]->name;
		p->accounts[i].name = p->name[i];
	}
	p->name[plugins->nb_enabled] = builtin;
	p->names = (struct result_names){p->name, plugins->nb_enabled + 1};
}

int pipeline_create(const struct ctl_config *config, struct lh_host *host,
	struct ctl_plugin_account *accounts, struct pipeline **out, struct dp_error *err) {
	struct pipeline *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	p->config = config;
	p->host = host;
	p->accounts = accounts;
	p->free = p->oldest = p->newest = NONE;
	p->now_ns = monotonic_ns(); /* of what enters before the first step */
	p->budget = (int64_t)config->plugins.spill_mb << 20;
	name_all(p);
	if (config->banner) {
		p->chains = 1 << 16;
		p->chain = malloc(p->chains * sizeof(*p->chain));
		if (!p->chain) {
			rc = dp_fail(err, false, -ENOMEM, "out of memory");
			goto destroy;
		}
		memset(p->chain, 0xff, p->chains * sizeof(*p->chain));
	}
	rc = host ? add_stations(p, err) : 0;
	if (!rc && config->fingerprints)
		rc = detect_create(config->fingerprints, &p->detect, err);
	if (rc)
		goto destroy;
	*out = p;
	return 0;

destroy:
	pipeline_destroy(p);
	return rc;
}

void pipeline_destroy(struct pipeline *p) {
	if (!p)
		return;
	for (uint32_t i = 0; i < p->nb_flights; i++)
		if (p->flight[i].used) {
			assembly_destroy(p->flight[i].said);
			result_extra_free(p->flight[i].extra);
		}
	for (; p->finished_count; p->finished_count--) {
		result_extra_free(p->finished[p->finished_head].result.extra);
		p->finished_head = (p->finished_head + 1) % p->finished_size;
	}
	for (unsigned s = 0; s < p->nb_stations; s++) {
		spill_destroy(p->station[s].spill);
		free(p->station[s].held.item);
	}
	free(p->flight);
	free(p->finished);
	free(p->chain);
	free(p->json);
	free(p->record);
	detect_destroy(p->detect);
	free(p);
}
