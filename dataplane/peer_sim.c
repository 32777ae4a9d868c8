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
	CLOCK_OPTIONS = 12,
	SAID_BYTES = 4, /* all that tells a request from silence */
};

enum reply {
	REPLY_RESET,
	REPLY_SYN_ACK,
	REPLY_BANNER,
};

/* A reply on its way. */
struct record {
	int32_t next; /* in its slot or in the free list */
	uint32_t host_ip, scanner_ip;
	uint16_t host_port, scanner_port;
	uint32_t seq, ack, echo; /* echo: the clock of what is answered */
	uint8_t reply; /* enum reply */
	uint8_t said_bytes; /* of what a banner answers */
	bool has_clock;
	uint8_t said[SAID_BYTES];
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

/* What the sim learnt of a segment. */
struct seen {
	uint32_t host_ip, scanner_ip, seq, ack, clock;
	uint16_t host_port, scanner_port;
	uint8_t flags;
	bool has_clock;
	const uint8_t *data;
	unsigned data_bytes;
};

static uint64_t roll(struct sim *sim) {
	return sim_mix(sim->params.seed ^ 0x5eed, sim->dice++);
}

/* The number that a host begins with: it needs no memory to know it again. */
static uint32_t initial_seq(uint32_t acknowledged) {
	return acknowledged * 2654435761u;
}

/* TCP with good checksums, as a host's kernel would want it. */
static bool read_segment(const uint8_t *frame, unsigned length, struct seen *seen) {
	const uint8_t *ip = frame + ETH_BYTES, *tcp = frame + TCP_AT;
	unsigned total, bytes, header_bytes;
	struct tcp_options options;

	if (length < TCP_AT + TCP_BYTES || get16(frame + ETH_TYPE_AT) != ETH_TYPE_IPV4
		|| ip[0] != 0x45 || ip[9] != IPV4_TCP)
		return false;
	total = get16(ip + 2);
	if (total < IPV4_BYTES + TCP_BYTES || total > length - ETH_BYTES)
		return false;
	bytes = total - IPV4_BYTES;
	header_bytes = (tcp[12] >> 4) * 4u;
	if (header_bytes < TCP_BYTES || header_bytes > bytes)
		return false;
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
	seen->ack = get32(tcp + 8);
	seen->flags = tcp[13];
	options = tcp_options_of(tcp + TCP_BYTES, header_bytes - TCP_BYTES);
	seen->has_clock = options.has_clock;
	seen->clock = options.clock;
	seen->data = tcp + header_bytes;
	seen->data_bytes = bytes - header_bytes;
	return true;
}

static void schedule(struct sim *sim, const struct seen *seen, enum reply reply, uint64_t now_tsc) {
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
		.seq = reply == REPLY_BANNER ? seen->ack : initial_seq(seen->seq + 1),
		.ack = seen->seq + (reply == REPLY_BANNER ? seen->data_bytes : 1),
		.echo = seen->clock,
		.reply = (uint8_t)reply,
		.has_clock = seen->has_clock,
		.said_bytes
		= seen->data_bytes < SAID_BYTES ? (uint8_t)seen->data_bytes : SAID_BYTES,
	};
	memcpy(record->said, seen->data, record->said_bytes);
	sim->slot[slot % SLOTS] = index;
}

static bool falls(struct sim *sim, double probability) {
	return probability > 0 && sim_chance(roll(sim), probability);
}

/* Put the network's dice to a reply: it may come once, twice, or not. */
static void roll_reply(
	struct sim *sim, const struct seen *seen, enum reply reply, uint64_t now_tsc) {
	unsigned copies = falls(sim, sim->params.duplicate) ? 2 : 1;

	while (copies-- > 0) {
		if (falls(sim, sim->params.loss))
			count(&sim->lost, 1);
		else
			schedule(sim, seen, reply, now_tsc);
	}
}

/* A connection attempt. */
static void take_syn(struct sim *sim, const struct seen *seen, uint64_t now_tsc) {
	enum dp_sim_state state;

	count(&sim->probes, 1);
	if (falls(sim, sim->params.loss)) {
		count(&sim->lost, 1);
		return;
	}
	state = dp_sim_truth(&sim->params, seen->host_ip, seen->host_port);
	if (state != DP_SIM_SILENT)
		roll_reply(sim, seen, state == DP_SIM_OPEN ? REPLY_SYN_ACK : REPLY_RESET, now_tsc);
}

/* The third part of a handshake, perhaps with data: it must fit what the second one said. */
static void take_ack(struct sim *sim, const struct seen *seen, uint64_t now_tsc) {
	uint8_t banner[DP_SIM_BANNER_BYTES];

	if (dp_sim_truth(&sim->params, seen->host_ip, seen->host_port) != DP_SIM_OPEN
		|| seen->ack != initial_seq(seen->seq) + 1) {
		count(&sim->bad, 1);
		return;
	}
	if (falls(sim, sim->params.loss))
		count(&sim->lost, 1);
	else if (dp_sim_banner(&sim->params, seen->host_ip, seen->host_port, seen->data,
			 seen->data_bytes, banner))
		roll_reply(sim, seen, REPLY_BANNER, now_tsc);
}

static void take_segment(struct sim *sim, const uint8_t *frame, unsigned length, uint64_t now_tsc) {
	struct seen seen;

	if (!read_segment(frame, length, &seen)) {
		count(&sim->bad, 1);
		return;
	}
	switch (seen.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) {
	case TCP_SYN:
		take_syn(sim, &seen, now_tsc);
		break;
	case TCP_ACK:
		take_ack(sim, &seen, now_tsc);
		break;
	default:
		/* A reset ends what a host here does not remember anyway. */
		break;
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
			take_segment(sim, rte_pktmbuf_mtod(mbuf[k], uint8_t *), mbuf[k]->data_len,
				now_tsc);
		/* They lead back to the templates of the lcore that sent them. */
		if (n)
			rte_pktmbuf_free_bulk(mbuf, n);
		busy |= n > 0;
	}
	return busy;
}

/* The options of a reply, behind its header at @tcp; returns their bytes. */
static unsigned write_options(const struct record *record, uint8_t *tcp) {
	/* clang-format off */
	static const uint8_t syn_ack[SYN_ACK_OPTIONS] = {
		2, 4, 0x05, 0xb4, /* MSS 1460 */
		4, 2, /* SACK permitted */
		8, 10, 0, 0, 0, 1, 0, 0, 0, 0, /* its clock, and the probe's */
		1, /* padding */
		3, 3, 7, /* window scale 7 */
	};
	static const uint8_t clock[CLOCK_OPTIONS] = {1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 0};
	/* clang-format on */

	if (record->reply == REPLY_RESET || !record->has_clock)
		return 0;
	if (record->reply == REPLY_SYN_ACK) {
		memcpy(tcp + TCP_BYTES, syn_ack, sizeof(syn_ack));
		put32(tcp + TCP_BYTES + 12, record->echo);
		return SYN_ACK_OPTIONS;
	}
	memcpy(tcp + TCP_BYTES, clock, sizeof(clock));
	put32(tcp + TCP_BYTES + 8, record->echo);
	return CLOCK_OPTIONS;
}

/* A host's reply as a frame; returns its length. */
static unsigned write_reply(const struct sim *sim, const struct record *record, uint8_t *frame) {
	static const uint8_t flags[] = {
		[REPLY_RESET] = TCP_RST | TCP_ACK,
		[REPLY_SYN_ACK] = TCP_SYN | TCP_ACK,
		[REPLY_BANNER] = TCP_PSH | TCP_ACK,
	};
	bool open = record->reply != REPLY_RESET;
	uint8_t *tcp = frame + TCP_AT;
	unsigned bytes = TCP_BYTES;

	memset(tcp, 0, TCP_BYTES);
	bytes += write_options(record, tcp);
	tcp[12] = (uint8_t)(bytes / 4 << 4);
	if (record->reply == REPLY_BANNER)
		bytes += dp_sim_banner(&sim->params, record->host_ip, record->host_port,
			record->said, record->said_bytes, tcp + bytes);
	eth_put(frame, sim->scanner_mac, UINT64_C(0x020000000001), ETH_TYPE_IPV4);
	ipv4_put(frame + ETH_BYTES, (uint16_t)(IPV4_BYTES + bytes), 0, TTL, IPV4_TCP,
		record->host_ip, record->scanner_ip);
	put16(tcp, record->host_port);
	put16(tcp + 2, record->scanner_port);
	put32(tcp + 4, open ? record->seq : 0);
	put32(tcp + 8, record->ack);
	tcp[13] = flags[record->reply];
	put16(tcp + 14, open ? 65160 : 0);
	tcp_put_checksum(tcp, record->host_ip, record->scanner_ip, (uint16_t)bytes);
	return TCP_AT + bytes;
}

static_assert(TCP_AT + TCP_BYTES + CLOCK_OPTIONS + DP_SIM_BANNER_BYTES <= PEER_ROOM);

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
