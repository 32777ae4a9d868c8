/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dice and the timing wheel of the simulated network. One thread owns a network and all of its
 * memory.
 */
#include "sim.h"
#include "sim_net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	RECORDS = 1 << 18,
	MAX_RECORDS = 1 << 23, /* touched only where the first ones do not do */
	SLOTS = 1 << 12,
	NO_RECORD = -1,
	CACHE_LINE = 64,

	/* Of a note, in one record. A burst of the longest ones, twice, has to find room. */
	NOTE_BYTES = 60,
	REPLY_RECORDS = 1 + (SIM_NOTE_MAX + NOTE_BYTES - 1) / NOTE_BYTES,
	BURST_RECORDS = 2 * SIM_NET_BURST * REPLY_RECORDS,
};

/* A reply on its way, or a part of its note: a cache line. */
union record {
	struct sim_reply reply; /* next: in its slot or in the free list */
	struct {
		uint8_t bytes[NOTE_BYTES];
		int32_t next;
	} note;
};

static_assert(sizeof(union record) == CACHE_LINE);

struct sim_net {
	struct sim_hosts hosts;
	union record *record;
	int32_t free_head;
	unsigned nb_free;
	int32_t nb_records; /* in use or in the free list, of MAX_RECORDS */
	int32_t slot[SLOTS];
	uint64_t slot_tsc; /* width of a slot */
	uint64_t now_slot; /* slots up to this one have been emptied */
	uint64_t rtt_tsc, jitter_tsc;
	uint64_t dice;
	uint64_t waiting;
	struct sim_net_counts counts;
};

static uint64_t roll(struct sim_net *net) {
	return sim_mix(net->hosts.params.seed ^ 0x5eed, net->dice++);
}

static bool falls(struct sim_net *net, double probability) {
	return probability > 0 && sim_chance(roll(net), probability);
}

/* --- records ---------------------------------------------------------------------------------- */

/* There is one: frames are not taken otherwise. */
static int32_t take_record(struct sim_net *net) {
	int32_t index = net->free_head;

	net->free_head = net->record[index].reply.next;
	net->nb_free--;
	return index;
}

static void free_record(struct sim_net *net, int32_t index) {
	net->record[index].reply.next = net->free_head;
	net->free_head = index;
	net->nb_free++;
}

static void add_records(struct sim_net *net, int32_t n) {
	for (; n > 0 && net->nb_records < MAX_RECORDS; n--)
		free_record(net, net->nb_records++);
}

bool sim_net_has_room(const struct sim_net *net) {
	return net->nb_free >= BURST_RECORDS;
}

uint64_t sim_net_waiting(const struct sim_net *net) {
	return net->waiting;
}

void sim_net_grow(struct sim_net *net) {
	add_records(net, RECORDS / 4);
}

/* Keep a note; returns its first record. */
static int32_t keep_note(struct sim_net *net, const uint8_t *note, unsigned bytes) {
	int32_t first = NO_RECORD, *link = &first;

	while (bytes > 0) {
		unsigned n = bytes < NOTE_BYTES ? bytes : NOTE_BYTES;

		*link = take_record(net);
		memcpy(net->record[*link].note.bytes, note, n);
		link = &net->record[*link].note.next;
		*link = NO_RECORD;
		note += n;
		bytes -= n;
	}
	return first;
}

/* The note of a reply, in one piece: in its only record, or put together at @whole. */
static const uint8_t *note_of(const struct sim_net *net, const struct sim_reply *reply,
	uint8_t whole[static SIM_NOTE_MAX]) {
	int32_t index = reply->first_note;

	if (reply->note_bytes == 0)
		return NULL;
	if (reply->note_bytes <= NOTE_BYTES)
		return net->record[index].note.bytes;
	for (unsigned at = 0; at < reply->note_bytes; at += NOTE_BYTES) {
		unsigned left = reply->note_bytes - at;

		memcpy(whole + at, net->record[index].note.bytes,
			left < NOTE_BYTES ? left : NOTE_BYTES);
		index = net->record[index].note.next;
	}
	return whole;
}

static void free_reply(struct sim_net *net, int32_t index) {
	int32_t note = net->record[index].reply.first_note;

	while (note != NO_RECORD) {
		int32_t next = net->record[note].note.next;

		free_record(net, note);
		note = next;
	}
	free_record(net, index);
}

/* --- from the scanner ------------------------------------------------------------------------- */

static void schedule(
	struct sim_net *net, const struct sim_reply *reply, const uint8_t *note, uint64_t now_tsc) {
	uint64_t delay = net->rtt_tsc - net->jitter_tsc, slot;
	int32_t index = take_record(net);
	union record *record = &net->record[index];

	if (net->jitter_tsc)
		delay += roll(net) % (2 * net->jitter_tsc);
	slot = (now_tsc + delay) / net->slot_tsc;
	if (slot <= net->now_slot)
		slot = net->now_slot + 1;
	record->reply = *reply;
	record->reply.first_note = keep_note(net, note, reply->note_bytes);
	record->reply.next = net->slot[slot % SLOTS];
	net->slot[slot % SLOTS] = index;
	net->waiting++;
}

/* Put the network's dice to a reply: it may come once, twice, or not. */
static void roll_reply(
	struct sim_net *net, const struct sim_reply *reply, const uint8_t *note, uint64_t now_tsc) {
	unsigned copies = falls(net, net->hosts.params.duplicate) ? 2 : 1;

	while (copies-- > 0) {
		if (falls(net, net->hosts.params.loss))
			count(&net->counts.lost, 1);
		else
			schedule(net, reply, note, now_tsc);
	}
}

void sim_net_carry(struct sim_net *net, enum sim_taken taken, const struct sim_reply *reply,
	const uint8_t *note, uint64_t now_tsc) {
	if (taken == SIM_BAD)
		count(&net->counts.bad, 1);
	else if (taken == SIM_REQUEST)
		count(&net->counts.probes, 1);
	/* A reset ends what a host here does not remember anyway. */
	if (taken == SIM_BAD || taken == SIM_FAREWELL)
		return;
	if (falls(net, net->hosts.params.loss))
		count(&net->counts.lost, 1);
	else if (reply->kind != SIM_NOTHING)
		roll_reply(net, reply, note, now_tsc);
}

/* --- to the scanner --------------------------------------------------------------------------- */

/* Empty a slot as far as there is room; true where it is empty. */
static bool empty_slot(
	struct sim_net *net, int32_t *slot, sim_net_out *out, void *ctx, bool *busy) {
	uint8_t whole[SIM_NOTE_MAX];

	while (*slot != NO_RECORD) {
		int32_t index = *slot;
		const struct sim_reply *reply = &net->record[index].reply;

		if (reply->next != NO_RECORD)
			__builtin_prefetch(&net->record[reply->next]);
		if (!out(ctx, reply, note_of(net, reply, whole)))
			return false;
		*busy = true;
		*slot = reply->next;
		free_reply(net, index);
		net->waiting--;
	}
	return true;
}

bool sim_net_send_due(struct sim_net *net, uint64_t now_tsc, sim_net_out *out, void *ctx) {
	uint64_t due = now_tsc / net->slot_tsc;
	bool busy = false;

	/* After a long sleep each slot needs one visit only. */
	if (due - net->now_slot > SLOTS)
		net->now_slot = due - SLOTS;
	for (; net->now_slot < due; net->now_slot++)
		if (!empty_slot(net, &net->slot[(net->now_slot + 1) % SLOTS], out, ctx, &busy))
			break;
	return busy;
}

/* --- beginning and end ------------------------------------------------------------------------ */

/* The wheel spans the longest delay with room to spare; a slot is 10 us at the least. */
static void make_wheel(struct sim_net *net, uint64_t tsc_hz, uint64_t now_tsc) {
	const struct dp_sim_params *params = &net->hosts.params;
	uint64_t longest_us = (uint64_t)params->rtt_us + params->jitter_us;

	net->rtt_tsc = params->rtt_us * tsc_hz / 1000000;
	net->jitter_tsc = params->jitter_us * tsc_hz / 1000000;
	if (net->jitter_tsc > net->rtt_tsc)
		net->jitter_tsc = net->rtt_tsc;
	net->slot_tsc = longest_us * tsc_hz / 1000000 / (SLOTS / 2);
	if (net->slot_tsc < tsc_hz / 100000)
		net->slot_tsc = tsc_hz / 100000;
	net->now_slot = now_tsc / net->slot_tsc;
	for (unsigned i = 0; i < SLOTS; i++)
		net->slot[i] = NO_RECORD;
	net->free_head = NO_RECORD;
	add_records(net, RECORDS);
}

struct sim_net *sim_net_create(const struct sim_hosts *hosts, uint64_t tsc_hz, uint64_t now_tsc) {
	struct sim_net *net = calloc(1, sizeof(*net));
	union record *record = aligned_alloc(CACHE_LINE, MAX_RECORDS * sizeof(*record));

	if (!net || !record) {
		free(record);
		free(net);
		return NULL;
	}
	net->hosts = *hosts;
	net->record = record;
	make_wheel(net, tsc_hz, now_tsc);
	return net;
}

void sim_net_destroy(struct sim_net *net) {
	if (!net)
		return;
	free(net->record);
	free(net);
}

struct sim_hosts *sim_net_hosts(struct sim_net *net) {
	return &net->hosts;
}

const struct sim_net_counts *sim_net_counts(const struct sim_net *net) {
	return &net->counts;
}
