/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network: a peer behind a net_ring port that answers probes as the truth says, with
 * loss, duplication, delay and jitter. One lcore runs it and owns all of its memory. It is a peer of
 * the packet path, not a part of it: it sees frames only, knows no key, and checks what a host would
 * check, checksums included.
 *
 * A reply waits as a small record in a timing wheel (Varghese and Lauck, SOSP 1987, scheme 6) and
 * becomes a frame when it is due. Nothing is dropped but by the dice: without a free record it stops
 * taking probes, without room toward the scanner it tries again.
 */
#include "core.h"
#include "sim.h"

#include <rte_cycles.h>

#include <stdlib.h>
#include <time.h>

enum {
	RECORDS = 1 << 18,
	SLOTS = 1 << 12,
	NO_RECORD = -1,
	NAP_NS = 20000,
	GIVE_WAY_TURNS = 32, /* busy ones on a shared CPU, before the control core has a turn */
	TTL = 57, /* as if seven hops away */
	TCP_AT = ETH_BYTES + IPV4_BYTES,
	SYN_ACK_OPTIONS = 20,
};

/* A reply on its way. */
struct record {
	int32_t next; /* in its slot or in the free list */
	uint32_t host_ip, scanner_ip;
	uint16_t host_port, scanner_port;
	uint32_t ack, echo; /* probe's sequence number + 1, and its clock */
	uint8_t state; /* enum dp_sim_state */
	bool has_clock;
};

/* Replies on their way to an RX queue. */
struct outgoing {
	struct rte_mbuf *mbuf[BURST];
	unsigned n, at;
};

struct sim {
	struct peer peer;
	struct outgoing out[DP_MAX_LCORES]; /* one an RX queue */
	struct dp_sim_params params;
	struct record *record;
	int32_t free_head;
	unsigned nb_free;
	int32_t slot[SLOTS];
	uint64_t slot_tsc; /* width of a slot */
	uint64_t now_slot; /* slots up to this one have been emptied */
	uint64_t rtt_tsc, jitter_tsc;
	uint64_t dice;
	uint64_t scanner_mac;
	unsigned idle;
	counter probes, lost, bad;
};

/* What the sim learnt of a probe. */
struct seen {
	uint32_t host_ip, scanner_ip, seq, clock;
	uint16_t host_port, scanner_port;
	bool has_clock;
};

static uint64_t roll(struct sim *sim) {
	return sim_mix(sim->params.seed ^ 0x5eed, sim->dice++);
}

/* A TCP SYN with good checksums, as a host's kernel would want it. */
static bool read_probe(const uint8_t *frame, unsigned length, struct seen *seen) {
	const uint8_t *ip = frame + ETH_BYTES, *tcp = frame + TCP_AT;
	unsigned total, bytes;

	if (length < TCP_AT + TCP_BYTES || get16(frame + ETH_TYPE_AT) != ETH_TYPE_IPV4
		|| ip[0] != 0x45 || ip[9] != IPV4_TCP)
		return false;
	total = get16(ip + 2);
	if (total < IPV4_BYTES + TCP_BYTES || total > length - ETH_BYTES)
		return false;
	bytes = total - IPV4_BYTES;
	seen->scanner_ip = get32(ip + 12);
	seen->host_ip = get32(ip + 16);
	if (sum_fold(sum_bytes(ip, IPV4_BYTES)) != 0xffff
		|| sum_fold(sum_pseudo(seen->scanner_ip, seen->host_ip, IPV4_TCP, bytes)
			   + sum_bytes(tcp, bytes))
			!= 0xffff)
		return false;
	seen->scanner_port = get16(tcp);
	seen->host_port = get16(tcp + 2);
	seen->seq = get32(tcp + 4);
	/* The options of our own probes; whoever sends others gets no clock back. */
	seen->has_clock = bytes >= TCP_BYTES + 16 && tcp[TCP_BYTES + 6] == 8;
	seen->clock = seen->has_clock ? get32(tcp + TCP_BYTES + 8) : 0;
	return true;
}

static void schedule(
	struct sim *sim, const struct seen *seen, enum dp_sim_state state, uint64_t now_tsc) {
	int32_t index = sim->free_head;
	struct record *record = &sim->record[index];
	uint64_t delay = sim->rtt_tsc - sim->jitter_tsc, slot;

	if (sim->jitter_tsc)
		delay += roll(sim) % (2 * sim->jitter_tsc);
	slot = (now_tsc + delay) / sim->slot_tsc;
	if (slot <= sim->now_slot)
		slot = sim->now_slot + 1;
	sim->free_head = record->next;
	sim->nb_free--;
	*record = (struct record){
		.next = sim->slot[slot % SLOTS],
		.host_ip = seen->host_ip,
		.scanner_ip = seen->scanner_ip,
		.host_port = seen->host_port,
		.scanner_port = seen->scanner_port,
		.ack = seen->seq + 1,
		.echo = seen->clock,
		.state = (uint8_t)state,
		.has_clock = seen->has_clock,
	};
	sim->slot[slot % SLOTS] = index;
}

static bool falls(struct sim *sim, double probability) {
	return probability > 0 && sim_chance(roll(sim), probability);
}

/* One probe arrives: the dice, then the truth. */
static void take_probe(struct sim *sim, const uint8_t *frame, unsigned length, uint64_t now_tsc) {
	struct seen seen;
	enum dp_sim_state state;
	unsigned copies;

	if (!read_probe(frame, length, &seen)) {
		count(&sim->bad, 1);
		return;
	}
	/* Only connection attempts are answered; a reset or an ACK ends what was never begun. */
	if ((frame[TCP_AT + 13] & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return;
	count(&sim->probes, 1);
	if (falls(sim, sim->params.loss)) {
		count(&sim->lost, 1);
		return;
	}
	state = dp_sim_truth(&sim->params, seen.host_ip, seen.host_port);
	if (state == DP_SIM_SILENT)
		return;
	copies = falls(sim, sim->params.duplicate) ? 2 : 1;
	while (copies-- > 0) {
		if (falls(sim, sim->params.loss))
			count(&sim->lost, 1);
		else
			schedule(sim, &seen, state, now_tsc);
	}
}

static bool take_probes(struct sim *sim) {
	struct rte_mbuf *mbuf[BURST];
	bool busy = false;

	for (unsigned i = 0; i < sim->peer.nb_from_tx; i++) {
		uint64_t now_tsc = rte_rdtsc();
		unsigned n;

		if (sim->nb_free < 2 * BURST)
			return busy;
		n = rte_ring_sc_dequeue_burst(sim->peer.from_tx[i], (void **)mbuf, BURST, NULL);
		for (unsigned k = 0; k < n; k++)
			take_probe(sim, rte_pktmbuf_mtod(mbuf[k], uint8_t *), mbuf[k]->data_len,
				now_tsc);
		/* They lead back to the templates of the lcore that sent them. */
		if (n)
			rte_pktmbuf_free_bulk(mbuf, n);
		busy |= n > 0;
	}
	return busy;
}

/* A host's reply as a frame; returns its length. */
static unsigned write_reply(const struct sim *sim, const struct record *record, uint8_t *frame) {
	static const uint8_t options[SYN_ACK_OPTIONS] = {
		2,
		4,
		0x05,
		0xb4,
		4,
		2,
		8,
		10,
		0,
		0,
		0,
		1,
		0,
		0,
		0,
		0,
		1,
		3,
		3,
		7,
	};
	bool open = record->state == DP_SIM_OPEN;
	uint16_t bytes = TCP_BYTES + (open && record->has_clock ? SYN_ACK_OPTIONS : 0);
	uint8_t *tcp = frame + TCP_AT;

	eth_put(frame, sim->scanner_mac, UINT64_C(0x020000000001), ETH_TYPE_IPV4);
	ipv4_put(frame + ETH_BYTES, IPV4_BYTES + bytes, 0, TTL, IPV4_TCP, record->host_ip,
		record->scanner_ip);
	memset(tcp, 0, TCP_BYTES);
	put16(tcp, record->host_port);
	put16(tcp + 2, record->scanner_port);
	put32(tcp + 4, open ? record->ack * 2654435761u : 0);
	put32(tcp + 8, record->ack);
	tcp[12] = (uint8_t)(bytes / 4 << 4);
	tcp[13] = open ? TCP_SYN | TCP_ACK : TCP_RST | TCP_ACK;
	put16(tcp + 14, open ? 65160 : 0);
	if (bytes > TCP_BYTES) {
		memcpy(tcp + TCP_BYTES, options, sizeof(options));
		put32(tcp + TCP_BYTES + 12, record->echo);
	}
	tcp_put_checksum(tcp, record->host_ip, record->scanner_ip, bytes);
	return TCP_AT + bytes;
}

/* The RX queue that a flow belongs to, as a device's hash would have it. */
static unsigned queue_of(const struct sim *sim, const struct record *record) {
	return (record->host_ip ^ record->scanner_port) % sim->peer.nb_to_rx;
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
static bool send_reply(struct sim *sim, const struct record *record) {
	unsigned queue = queue_of(sim, record);
	struct outgoing *out = &sim->out[queue];
	struct rte_mbuf *mbuf;

	if (out->n == BURST && !flush(sim, queue))
		return false;
	mbuf = rte_pktmbuf_alloc(sim->peer.pool);
	if (!mbuf)
		return false;
	mbuf->data_len = (uint16_t)write_reply(sim, record, rte_pktmbuf_mtod(mbuf, uint8_t *));
	mbuf->pkt_len = mbuf->data_len;
	out->mbuf[out->n++] = mbuf;
	return true;
}

/* Empty a slot as far as there is room; true where it is empty. */
static bool empty_slot(struct sim *sim, int32_t *slot, bool *busy) {
	while (*slot != NO_RECORD) {
		int32_t index = *slot;
		struct record *record = &sim->record[index];

		if (!send_reply(sim, record))
			return false;
		*busy = true;
		*slot = record->next;
		record->next = sim->free_head;
		sim->free_head = index;
		sim->nb_free++;
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
static void give_way(const struct dp_engine *engine, unsigned turns) {
	const struct timespec nap = {.tv_nsec = NAP_NS};

	for (unsigned i = 0; i < engine->plan.nb_workers; i++) {
		const struct rx *rx = &engine->worker[i]->rx;

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
			give_way(engine, ++turns);
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

static int sim_create(struct dp_engine *engine, struct peer **peer, struct dp_error *err) {
	const struct dp_sim_params *params = &engine->params.sim;
	struct sim *sim = calloc(1, sizeof(*sim));
	uint64_t longest_us = (uint64_t)params->rtt_us + params->jitter_us;

	if (sim)
		sim->record = calloc(RECORDS, sizeof(*sim->record));
	if (!sim || !sim->record) {
		free(sim);
		return dp_fail(err, false, -ENOMEM, "out of memory for the simulated network");
	}
	sim->params = *params;
	sim->rtt_tsc = params->rtt_us * engine->tsc_hz / 1000000;
	sim->jitter_tsc = params->jitter_us * engine->tsc_hz / 1000000;
	if (sim->jitter_tsc > sim->rtt_tsc)
		sim->jitter_tsc = sim->rtt_tsc;
	/* The wheel spans the longest delay with room to spare; a slot is 10 us at the least. */
	sim->slot_tsc = longest_us * engine->tsc_hz / 1000000 / (SLOTS / 2);
	if (sim->slot_tsc < engine->tsc_hz / 100000)
		sim->slot_tsc = engine->tsc_hz / 100000;
	sim->now_slot = rte_rdtsc() / sim->slot_tsc;
	for (unsigned i = 0; i < SLOTS; i++)
		sim->slot[i] = NO_RECORD;
	for (int32_t i = 0; i < RECORDS; i++)
		sim->record[i].next = i + 1 < RECORDS ? i + 1 : NO_RECORD;
	sim->nb_free = RECORDS;
	sim->scanner_mac = engine->env.source_mac;
	*peer = &sim->peer;
	return 0;
}

static void sim_stats(const struct peer *peer, struct dp_stats *stats) {
	const struct sim *sim = (const struct sim *)peer;

	stats->sim_probes = counted(&sim->probes);
	stats->sim_lost = counted(&sim->lost);
	stats->sim_bad = counted(&sim->bad);
}

const struct peer_type peer_sim = {
	.create = sim_create,
	.lcore = sim_lcore,
	.destroy = sim_destroy,
	.stats = sim_stats,
};
