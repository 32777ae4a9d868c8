/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the order of the scan to frames: what a port sends at which pass, prepared buffers for each kind
 * of it, and bursts of them. Run by the lcore that owns the struct tx, but for the planning.
 *
 * The order is walked once a pass. A pair that has V payloads or steps has its own transmission
 * repeat * V + v at the pass repeat * variants + v, and none where v is not below V.
 */
#include "core.h"

/* Add what @module sends in @family, with the target's port or @step_port; its place. */
static int8_t add_template(struct port *port, const struct probe_module *module, enum family family,
	uint16_t step_port) {
	struct template *t = &port->template[port->nb_templates];
	uint8_t packet[PROBE_ROOM];
	unsigned l2_bytes = ETH_BYTES + (port->scan.vlan ? VLAN_BYTES : 0);

	*t = (struct template){.module = module, .family = family, .step_port = step_port};
	module->prepare(&port->scan.env, family, packet, &t->sums);
	t->frame_bytes = l2_bytes + module->packet_bytes[family];
	if (t->frame_bytes < ETH_MIN_FRAME)
		t->frame_bytes = ETH_MIN_FRAME;
	return (int8_t)port->nb_templates++;
}

void probes_plan(struct port *port) {
	const struct probe_type *type = port->scan.type;
	const bool used[FAMILIES] = {port->plan->v4.used, port->plan->v6.used};

	memset(port->step, NO_TEMPLATE, sizeof(port->step));
	memset(port->on_link, NO_TEMPLATE, sizeof(port->on_link));
	for (enum family f = 0; f < FAMILIES; f++) {
		for (unsigned i = 0; used[f] && i < type->nb_steps[f]; i++)
			port->step[f][i] = add_template(
				port, type->step[f][i].module, f, type->step[f][i].port);
		if (used[f] && type->on_link[f])
			port->on_link[f] = add_template(port, type->on_link[f], f, 0);
	}
}

/* --- prepared buffers ------------------------------------------------------------------------ */

struct preparation {
	const struct port *port;
	const struct template *template;
};

/* What the device completes in a frame of ours. */
static void set_offloads(const struct port *port, const struct template *t, unsigned l2_bytes,
	struct rte_mbuf *mbuf) {
	const uint8_t protocol = t->module->protocol[t->family];
	const bool v4 = t->family == FAMILY_V4;

	mbuf->ol_flags = 0;
	if (port->tx_offloads == 0 || (protocol != IPV4_TCP && protocol != IPV4_UDP))
		return;
	mbuf->l2_len = l2_bytes;
	mbuf->l3_len = v4 ? IPV4_BYTES : IPV6_BYTES;
	mbuf->ol_flags = v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	if (v4 && port->scan.env.offload_ip)
		mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (port->scan.env.offload_l4)
		mbuf->ol_flags
			|= protocol == IPV4_TCP ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
}

static uint16_t ether_type(const struct probe_module *module, enum family family) {
	if (family == FAMILY_V6)
		return ETH_TYPE_IPV6;
	return module->protocol[family] ? ETH_TYPE_IPV4 : ETH_TYPE_ARP;
}

/* Returns the length of the link header. */
static unsigned write_frame(const struct port *port, const struct probe_env *env,
	const struct template *t, uint8_t *frame, struct probe_sums *sums) {
	unsigned l2_bytes;

	memset(frame, 0, t->frame_bytes);
	l2_bytes = eth_put(frame, t->module->link ? MAC_BROADCAST : 0, env->source_mac,
		port->scan.vlan, ether_type(t->module, t->family));
	t->module->prepare(env, t->family, frame + l2_bytes, sums);
	return l2_bytes;
}

static void prepare_buffer(struct rte_mempool *pool, void *arg, void *object, unsigned index) {
	const struct preparation *p = arg;
	struct rte_mbuf *mbuf = object;
	struct probe_sums sums;
	unsigned l2_bytes;

	rte_pktmbuf_reset(mbuf);
	mbuf->data_len = (uint16_t)p->template->frame_bytes;
	mbuf->pkt_len = p->template->frame_bytes;
	l2_bytes = write_frame(
		p->port, &p->port->scan.env, p->template, rte_pktmbuf_mtod(mbuf, uint8_t *), &sums);
	set_offloads(p->port, p->template, l2_bytes, mbuf);
}

void probes_prepare_pool(const struct port *port, unsigned template, struct rte_mempool *pool) {
	struct preparation p = {port, &port->template[template]};

	rte_mempool_obj_iter(pool, prepare_buffer, &p);
}

/* --- which of them a pair gets --------------------------------------------------------------- */

/* The place of what goes to @target at the lcore's pass, or NO_TEMPLATE; completes the target. */
static int place_of(const struct worker *worker, struct dp_target *target) {
	const struct dp_engine *engine = worker->engine;
	const struct port *port = worker->port;
	const enum family family = family_of(target->ip);
	const unsigned repeat = worker->tx.pass / engine->variants;
	const unsigned variant = worker->tx.pass % engine->variants;
	unsigned variants, step;

	if (port->on_link[family] != NO_TEMPLATE && neigh_on_link(port->neigh, target->ip)) {
		target->pass = (uint8_t)repeat;
		return variant == 0 ? port->on_link[family] : NO_TEMPLATE;
	}
	variants = probe_passes(engine->type, engine->book, family, target);
	if (variant >= variants)
		return NO_TEMPLATE;
	target->pass = (uint8_t)(repeat * variants + variant);
	step = probe_step(engine->type, family, target, variant);
	if (port->step[family][step] != NO_TEMPLATE && engine->type->step[family][step].port)
		target->port = engine->type->step[family][step].port;
	return port->step[family][step];
}

/*
 * Sort @n targets by what goes to them, leaving out those that get nothing now: @place and @target
 * hold the rest in groups. Returns their number.
 */
static unsigned sort_targets(
	const struct worker *worker, struct dp_target *target, int8_t *place, unsigned n) {
	struct dp_target sorted[BURST];
	int8_t unsorted[BURST];
	unsigned kept = 0;

	/* One kind of probe, as in most scans: nothing to sort, and pass is the transmission. */
	if (worker->port->nb_templates == 1 && worker->engine->variants == 1) {
		for (unsigned i = 0; i < n; i++)
			target[i].pass = (uint8_t)worker->tx.pass;
		memset(place, 0, n);
		return n;
	}
	for (unsigned i = 0; i < n; i++)
		unsorted[i] = (int8_t)place_of(worker, &target[i]);
	for (int8_t p = 0; p < (int8_t)worker->port->nb_templates; p++)
		for (unsigned i = 0; i < n; i++)
			if (unsorted[i] == p) {
				place[kept] = p;
				sorted[kept++] = target[i];
			}
	memcpy(target, sorted, kept * sizeof(*target));
	return kept;
}

/* Drop what was excluded after the space was made. */
static unsigned drop_excluded(struct worker *worker, struct dp_target *target, unsigned n) {
	const struct dp_ipset *excluded
		= atomic_load_explicit(&worker->engine->excluded, memory_order_acquire);
	unsigned kept = 0;

	if (!excluded)
		return n;
	for (unsigned i = 0; i < n; i++)
		if (!dp_ipset_contains(excluded, target[i].ip))
			target[kept++] = target[i];
	count(&worker->tx.probes_excluded, n - kept);
	return kept;
}

/* --- next hops ------------------------------------------------------------------------------- */

/*
 * Address @n frames of one kind; moves those whose next hop is known to the front, with their targets,
 * and returns their number.
 */
static unsigned address_frames(const struct port *port, const struct template *t,
	struct dp_target *target, struct rte_mbuf **mbuf, unsigned n) {
	const bool v4 = t->family == FAMILY_V4;
	unsigned kept = 0;

	if (t->module->link) {
		/* ARP is broadcast, as prepared; a solicitation goes to its group. */
		for (unsigned i = 0; !v4 && i < n; i++)
			mac_put(rte_pktmbuf_mtod(mbuf[i], uint8_t *), solicited_mac(target[i].ip));
		return n;
	}
	if (neigh_single(port->neigh, v4)) {
		uint64_t mac = neigh_next_hop(port->neigh, target[0].ip);

		for (unsigned i = 0; i < n; i++)
			mac_put(rte_pktmbuf_mtod(mbuf[i], uint8_t *), mac & NEIGH_MAC);
		return n;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t mac = neigh_next_hop(port->neigh, target[i].ip);
		struct rte_mbuf *frame = mbuf[i];

		if (!(mac & NEIGH_RESOLVED))
			continue;
		mac_put(rte_pktmbuf_mtod(frame, uint8_t *), mac & NEIGH_MAC);
		target[kept] = target[i];
		mbuf[i] = mbuf[kept];
		mbuf[kept++] = frame;
	}
	return kept;
}

/* --- bursts ---------------------------------------------------------------------------------- */

static unsigned l2_bytes_of(const struct port *port) {
	return ETH_BYTES + (port->scan.vlan ? VLAN_BYTES : 0);
}

static void set_lengths(
	struct rte_mbuf *const *mbuf, const uint16_t *length, unsigned l2_bytes, unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		unsigned bytes = l2_bytes + length[i];

		if (bytes < ETH_MIN_FRAME) {
			memset(rte_pktmbuf_mtod_offset(mbuf[i], uint8_t *, bytes), 0,
				ETH_MIN_FRAME - bytes);
			bytes = ETH_MIN_FRAME;
		}
		mbuf[i]->data_len = (uint16_t)bytes;
		mbuf[i]->pkt_len = bytes;
	}
}

/* Make @n probes of one kind in @mbuf; returns how many of them have a next hop. */
static unsigned make_group(const struct worker *worker, const struct template *t,
	struct dp_target *target, struct rte_mbuf **mbuf, unsigned n, uint64_t now_tsc) {
	const unsigned l2_bytes = l2_bytes_of(worker->port);
	uint8_t *packet[BURST];
	uint16_t length[BURST];

	n = address_frames(worker->port, t, target, mbuf, n);
	for (unsigned i = 0; i < n; i++)
		packet[i] = rte_pktmbuf_mtod_offset(mbuf[i], uint8_t *, l2_bytes);
	t->module->make(&worker->port->scan.env, t->family, &t->sums, packet, length, target, n,
		engine_clock_us(worker->engine, now_tsc));
	if (t->module->varies)
		set_lengths(mbuf, length, l2_bytes, n);
	return n;
}

/* The end of the group that begins at @first. */
static unsigned group_end(const int8_t *place, unsigned first, unsigned n) {
	unsigned end = first + 1;

	while (end < n && place[end] == place[first])
		end++;
	return end;
}

/* Take buffers for all groups, or none. */
static bool take_buffers(
	const struct tx *tx, const int8_t *place, struct rte_mbuf **mbuf, unsigned n) {
	for (unsigned first = 0, end; first < n; first = end) {
		end = group_end(place, first, n);
		/* Not rte_pktmbuf_alloc_bulk(), which would reset lengths that never change. */
		if (rte_mempool_get_bulk(tx->pool[place[first]], (void **)&mbuf[first], end - first)
			== 0)
			continue;
		for (unsigned i = 0; i < first; i++)
			rte_mempool_put(tx->pool[place[i]], mbuf[i]);
		return false;
	}
	return true;
}

bool probes_make(struct worker *worker, unsigned n, uint64_t now_tsc, unsigned *spared) {
	const struct dp_engine *engine = worker->engine;
	struct tx *tx = &worker->tx;
	struct dp_target target[BURST];
	struct rte_mbuf *mbuf[BURST];
	int8_t place[BURST];
	unsigned kept, made = 0;

	dp_space_walk(engine->work.space, &engine->work.perm, tx->next, target, n);
	kept = sort_targets(worker, target, place, n);
	if (!take_buffers(tx, place, mbuf, kept))
		return false;
	for (unsigned first = 0, end; first < kept; first = end) {
		unsigned wanted, sent;

		end = group_end(place, first, kept);
		wanted = drop_excluded(worker, &target[first], end - first);
		sent = wanted ? make_group(worker, &worker->port->template[place[first]],
			       &target[first], &mbuf[first], wanted, now_tsc)
			      : 0;
		count(&tx->probes_unresolved, wanted - sent);
		if (sent < end - first)
			rte_mempool_put_bulk(tx->pool[place[first]], (void **)&mbuf[first + sent],
				end - first - sent);
		memcpy(&tx->pending[made], &mbuf[first], sent * sizeof(*mbuf));
		made += sent;
	}
	tx->next += n;
	tx->made += n;
	tx->nb_pending = made;
	tx->pending_at = 0;
	*spared = n - made;
	return true;
}

struct rte_mbuf *probes_make_single(
	struct worker *worker, const struct single *single, uint64_t now_tsc, bool *unresolved) {
	const struct port *port = worker->port;
	const struct scan *scan = &port->single[single->scan];
	const enum family family = family_of(single->ip);
	struct template t = {.module = scan->type->step[family][0].module, .family = family};
	struct dp_target target = {.ip = single->ip, .port = single->port};
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->tx.reply_pool);
	uint16_t length = t.module->packet_bytes[family];
	uint8_t *frame, *packet;
	uint64_t mac;

	*unresolved = false;
	if (!mbuf)
		return NULL;
	frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	t.frame_bytes = l2_bytes_of(port) + length;
	packet = frame + write_frame(port, &scan->env, &t, frame, &t.sums);
	mac = neigh_next_hop(port->neigh, single->ip);
	/* Where there is neither a gateway nor a link, any address will do. */
	if (!(mac & NEIGH_RESOLVED)
		&& !(neigh_single(port->neigh, family == FAMILY_V4)
			&& !neigh_on_link(port->neigh, single->ip))) {
		rte_pktmbuf_free(mbuf);
		*unresolved = true;
		return NULL;
	}
	mac_put(frame, mac & NEIGH_MAC);
	t.module->make(&scan->env, family, &t.sums, &packet, &length, &target, 1,
		engine_clock_us(worker->engine, now_tsc));
	set_lengths(&mbuf, &length, l2_bytes_of(port), 1);
	return mbuf;
}
