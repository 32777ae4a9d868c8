/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network: a peer behind a net_ring port, with loss, duplication, delay and jitter
 * between the scanner and hosts that answer as the truth says (sim_host.c). One lcore runs it and
 * owns all of its memory. It is a peer of the packet path, not a part of it.
 *
 * A reply waits as a small record in a timing wheel (Varghese and Lauck, SOSP 1987, scheme 6) and
 * becomes a frame when it is due. Nothing is dropped but by the dice: without a free record it stops
 * taking probes, without room toward the scanner it tries again.
 */
#include "core.h"
#include "sim.h"
#include "sim_host.h"

#include <rte_cycles.h>

#include <stdlib.h>
#include <time.h>

enum {
	RECORDS = 1 << 18,
	MAX_RECORDS = 1 << 23, /* touched only where the first ones do not do */
	STUCK_TURNS = 512, /* idle ones */
	SLOTS = 1 << 12,
	NO_RECORD = -1,
	NAP_NS = 20000,
	GIVE_WAY_TURNS = 32, /* busy ones on a shared CPU, before the control core has a turn */

	/* Of a note, in one record. A burst of the longest ones, twice, has to find room. */
	NOTE_BYTES = 60,
	REPLY_RECORDS = 1 + (SIM_NOTE_MAX + NOTE_BYTES - 1) / NOTE_BYTES,
	BURST_RECORDS = 2 * BURST * REPLY_RECORDS,
};

static_assert((int)SIM_FRAME_ROOM <= (int)PEER_ROOM);

/* A reply on its way, or a part of its note: a cache line. */
union record {
	struct sim_reply reply; /* next: in its slot or in the free list */
	struct {
		uint8_t bytes[NOTE_BYTES];
		int32_t next;
	} note;
};

static_assert(sizeof(union record) == 64);

/* Replies on their way to an RX queue. */
struct outgoing {
	struct rte_mbuf *mbuf[BURST];
	unsigned n, at;
};

struct sim {
	struct peer peer;
	struct outgoing out[DP_MAX_LCORES]; /* one an RX queue */
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
	unsigned idle;
	counter probes, lost, bad;
};

static uint64_t roll(struct sim *sim) {
	return sim_mix(sim->hosts.params.seed ^ 0x5eed, sim->dice++);
}

static bool falls(struct sim *sim, double probability) {
	return probability > 0 && sim_chance(roll(sim), probability);
}

/* --- records ---------------------------------------------------------------------------------- */

/* There is one: probes are not taken otherwise. */
static int32_t take_record(struct sim *sim) {
	int32_t index = sim->free_head;

	sim->free_head = sim->record[index].reply.next;
	sim->nb_free--;
	return index;
}

static void free_record(struct sim *sim, int32_t index) {
	sim->record[index].reply.next = sim->free_head;
	sim->free_head = index;
	sim->nb_free++;
}

static void add_records(struct sim *sim, int32_t n) {
	for (; n > 0 && sim->nb_records < MAX_RECORDS; n--)
		free_record(sim, sim->nb_records++);
}

/*
 * Without records we take no probes, so that the scanner cannot send, so that it takes none of our
 * replies, as what it owes for them has nowhere to go: then somebody has to give in.
 */
static bool is_stuck(const struct sim *sim) {
	bool full = false;

	for (unsigned i = 0; i < sim->peer.nb_to_rx; i++)
		full |= rte_ring_full(sim->peer.to_rx[i]);
	return full && sim->idle > STUCK_TURNS;
}

/* Keep a note; returns its first record. */
static int32_t keep_note(struct sim *sim, const uint8_t *note, unsigned bytes) {
	int32_t first = NO_RECORD, *link = &first;

	while (bytes > 0) {
		unsigned n = bytes < NOTE_BYTES ? bytes : NOTE_BYTES;

		*link = take_record(sim);
		memcpy(sim->record[*link].note.bytes, note, n);
		link = &sim->record[*link].note.next;
		*link = NO_RECORD;
		note += n;
		bytes -= n;
	}
	return first;
}

/* The note of a reply, in one piece: in its only record, or put together at @whole. */
static const uint8_t *note_of(
	const struct sim *sim, const struct sim_reply *reply, uint8_t whole[static SIM_NOTE_MAX]) {
	int32_t index = reply->first_note;

	if (reply->note_bytes == 0)
		return NULL;
	if (reply->note_bytes <= NOTE_BYTES)
		return sim->record[index].note.bytes;
	for (unsigned at = 0; at < reply->note_bytes; at += NOTE_BYTES) {
		unsigned left = reply->note_bytes - at;

		memcpy(whole + at, sim->record[index].note.bytes,
			left < NOTE_BYTES ? left : NOTE_BYTES);
		index = sim->record[index].note.next;
	}
	return whole;
}

static void free_reply(struct sim *sim, int32_t index) {
	int32_t note = sim->record[index].reply.first_note;

	while (note != NO_RECORD) {
		int32_t next = sim->record[note].note.next;

		free_record(sim, note);
		note = next;
	}
	free_record(sim, index);
}

/* --- from the scanner ------------------------------------------------------------------------- */

static void schedule(
	struct sim *sim, const struct sim_reply *reply, const uint8_t *note, uint64_t now_tsc) {
	uint64_t delay = sim->rtt_tsc - sim->jitter_tsc, slot;
	int32_t index = take_record(sim);
	union record *record = &sim->record[index];

	if (sim->jitter_tsc)
		delay += roll(sim) % (2 * sim->jitter_tsc);
	slot = (now_tsc + delay) / sim->slot_tsc;
	if (slot <= sim->now_slot)
		slot = sim->now_slot + 1;
	record->reply = *reply;
	record->reply.first_note = keep_note(sim, note, reply->note_bytes);
	record->reply.next = sim->slot[slot % SLOTS];
	sim->slot[slot % SLOTS] = index;
}

/* Put the network's dice to a reply: it may come once, twice, or not. */
static void roll_reply(
	struct sim *sim, const struct sim_reply *reply, const uint8_t *note, uint64_t now_tsc) {
	unsigned copies = falls(sim, sim->hosts.params.duplicate) ? 2 : 1;

	while (copies-- > 0) {
		if (falls(sim, sim->hosts.params.loss))
			count(&sim->lost, 1);
		else
			schedule(sim, reply, note, now_tsc);
	}
}

static void take_frame(struct sim *sim, const uint8_t *frame, unsigned length, uint64_t now_tsc) {
	struct sim_reply reply;
	const uint8_t *note;
	enum sim_taken taken = sim_take(&sim->hosts, frame, length, &reply, &note);

	if (taken == SIM_BAD)
		count(&sim->bad, 1);
	else if (taken == SIM_REQUEST)
		count(&sim->probes, 1);
	/* A reset ends what a host here does not remember anyway. */
	if (taken == SIM_BAD || taken == SIM_FAREWELL)
		return;
	if (falls(sim, sim->hosts.params.loss))
		count(&sim->lost, 1);
	else if (reply.kind != SIM_NOTHING)
		roll_reply(sim, &reply, note, now_tsc);
}

static bool take_probes(struct sim *sim) {
	struct rte_mbuf *mbuf[BURST];
	bool busy = false;

	for (unsigned i = 0; i < sim->peer.nb_from_tx; i++) {
		uint64_t now_tsc = rte_rdtsc();
		unsigned n;

		if (sim->nb_free < BURST_RECORDS && is_stuck(sim))
			add_records(sim, RECORDS / 4);
		if (sim->nb_free < BURST_RECORDS)
			return busy;
		n = rte_ring_sc_dequeue_burst(sim->peer.from_tx[i], (void **)mbuf, BURST, NULL);
		for (unsigned k = 0; k < n; k++)
			take_frame(sim, rte_pktmbuf_mtod(mbuf[k], uint8_t *), mbuf[k]->data_len,
				now_tsc);
		/* They lead back to the templates of the lcore that sent them. */
		if (n)
			rte_pktmbuf_free_bulk(mbuf, n);
		busy |= n > 0;
	}
	return busy;
}

/* --- to the scanner --------------------------------------------------------------------------- */

/* The RX queue that a flow belongs to, as a device's hash would have it. */
static unsigned queue_of(const struct sim *sim, const struct sim_reply *reply) {
	return ((uint32_t)reply->host ^ (uint32_t)(reply->host >> 64) ^ reply->scanner_port)
		% sim->peer.nb_to_rx;
}

/* Hand what is ready for an RX queue over; false where there is no room for all of it. */
static bool flush(struct sim *sim, unsigned queue) {
	struct outgoing *out = &sim->out[queue];
	unsigned sent = rte_ring_sp_enqueue_burst(
		sim->peer.to_rx[queue], (void **)&out->mbuf[out->at], out->n - out->at, NULL);

	out->at += sent;
	if (out->at < out->n)
		return false;
	out->at = out->n = 0;
	return true;
}

/* Write one reply for its queue; false where there is no room for it now. */
static bool send_reply(struct sim *sim, const struct sim_reply *reply) {
	unsigned queue = queue_of(sim, reply);
	struct outgoing *out = &sim->out[queue];
	uint8_t whole[SIM_NOTE_MAX];
	struct rte_mbuf *mbuf;

	if (out->n == BURST && !flush(sim, queue))
		return false;
	mbuf = rte_pktmbuf_alloc(sim->peer.pool);
	if (!mbuf)
		return false;
	mbuf->data_len = (uint16_t)sim_write(
		&sim->hosts, reply, note_of(sim, reply, whole), rte_pktmbuf_mtod(mbuf, uint8_t *));
	mbuf->pkt_len = mbuf->data_len;
	out->mbuf[out->n++] = mbuf;
	return true;
}

/* Empty a slot as far as there is room; true where it is empty. */
static bool empty_slot(struct sim *sim, int32_t *slot, bool *busy) {
	while (*slot != NO_RECORD) {
		int32_t index = *slot;
		const struct sim_reply *reply = &sim->record[index].reply;

		if (reply->next != NO_RECORD)
			rte_prefetch0(&sim->record[reply->next]);
		if (!send_reply(sim, reply))
			return false;
		*busy = true;
		*slot = reply->next;
		free_reply(sim, index);
	}
	return true;
}

static bool send_due(struct sim *sim) {
	uint64_t due = rte_rdtsc() / sim->slot_tsc;
	bool busy = false;

	/* After a long sleep each slot needs one visit only. */
	if (due - sim->now_slot > SLOTS)
		sim->now_slot = due - SLOTS;
	for (; sim->now_slot < due; sim->now_slot++)
		if (!empty_slot(sim, &sim->slot[(sim->now_slot + 1) % SLOTS], &busy))
			break;
	for (unsigned queue = 0; queue < sim->peer.nb_to_rx; queue++)
		flush(sim, queue);
	return busy;
}

/*
 * On a shared CPU the control core has to have its turns while we are busy. A yield is not enough
 * once answers pile up: the scheduler may well choose us again.
 */
static void give_way(const struct sim *sim, unsigned turns) {
	const struct timespec nap = {.tv_nsec = NAP_NS};

	for (unsigned i = 0; i < sim->peer.engine->plan.nb_workers; i++) {
		const struct rx *rx = &sim->peer.engine->worker[i]->rx;

		if (rx->active && rte_ring_count(rx->answers) > ANSWER_RING / 8) {
			nanosleep(&nap, NULL);
			return;
		}
	}
	if (turns % GIVE_WAY_TURNS == 0)
		sched_yield();
}

static int sim_lcore(void *arg) {
	struct sim *sim = arg;
	struct dp_engine *engine = sim->peer.engine;
	unsigned turns = 0;

	while (!engine_stopping(engine)) {
		bool busy = send_due(sim);

		busy |= take_probes(sim);
		if (!busy)
			lcore_idle(engine, &sim->idle, UINT64_MAX);
		else
			sim->idle = 0;
		if (busy && engine->plan.shared_cpus)
			give_way(sim, ++turns);
	}
	return 0;
}

static void sim_destroy(struct peer *peer) {
	struct sim *sim = (struct sim *)peer;

	for (unsigned i = 0; i < sim->peer.nb_to_rx; i++)
		rte_pktmbuf_free_bulk(
			&sim->out[i].mbuf[sim->out[i].at], sim->out[i].n - sim->out[i].at);
	free(sim->record);
	free(sim);
}

/* The wheel spans the longest delay with room to spare; a slot is 10 us at the least. */
static void make_wheel(struct sim *sim, uint64_t tsc_hz) {
	const struct dp_sim_params *params = &sim->hosts.params;
	uint64_t longest_us = (uint64_t)params->rtt_us + params->jitter_us;

	sim->rtt_tsc = params->rtt_us * tsc_hz / 1000000;
	sim->jitter_tsc = params->jitter_us * tsc_hz / 1000000;
	if (sim->jitter_tsc > sim->rtt_tsc)
		sim->jitter_tsc = sim->rtt_tsc;
	sim->slot_tsc = longest_us * tsc_hz / 1000000 / (SLOTS / 2);
	if (sim->slot_tsc < tsc_hz / 100000)
		sim->slot_tsc = tsc_hz / 100000;
	sim->now_slot = rte_rdtsc() / sim->slot_tsc;
	for (unsigned i = 0; i < SLOTS; i++)
		sim->slot[i] = NO_RECORD;
	sim->free_head = NO_RECORD;
	add_records(sim, RECORDS);
}

static int sim_create(struct port *port, struct peer **peer, struct dp_error *err) {
	struct sim *sim = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*sim), (size_t)RTE_CACHE_LINE_SIZE));
	union record *record = aligned_alloc(RTE_CACHE_LINE_SIZE, MAX_RECORDS * sizeof(*record));

	if (!sim || !record) {
		free(record);
		free(sim);
		return dp_fail(err, false, -ENOMEM, "out of memory for the simulated network");
	}
	memset(sim, 0, sizeof(*sim));
	sim->record = record;
	sim->hosts = (struct sim_hosts){
		.params = port->engine->params.sim,
		.book = port->scan.env.book,
		.scanner_mac = port->scan.env.source_mac,
		.vlan = port->scan.vlan,
	};
	make_wheel(sim, port->engine->tsc_hz);
	*peer = &sim->peer;
	return 0;
}

static void sim_stats(const struct peer *peer, struct dp_stats *stats) {
	const struct sim *sim = (const struct sim *)peer;

	stats->sim_probes += counted(&sim->probes);
	stats->sim_lost += counted(&sim->lost);
	stats->sim_bad += counted(&sim->bad);
}

const struct peer_type peer_sim = {
	.create = sim_create,
	.lcore = sim_lcore,
	.destroy = sim_destroy,
	.stats = sim_stats,
};
