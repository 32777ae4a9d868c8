/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both ends of the rings of frames for captures, as the engine has them: what an RX lcore copies, and
 * what the writer of captures, on a thread of its own, takes out.
 */
#include "capture.h"
#include "core.h"

#include <dp/capture.h>

#include <rte_cycles.h>

#include <time.h>

enum {
	AT_ONCE = 256, /* frames of a ring and call */
	ANCHOR_MS = 100, /* TSC and UTC are compared as often */
};

/* What the device took out of the frame is put back. */
static uint32_t tag_bytes(const struct rte_mbuf *mbuf) {
	return mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED && mbuf->data_len >= ETH_BYTES
		? VLAN_BYTES
		: 0;
}

void capture_frame(struct worker *worker, const struct rte_mbuf *mbuf, uint64_t now_tsc) {
	const uint32_t tag = tag_bytes(mbuf), whole = mbuf->data_len + tag;
	const uint32_t bytes = whole < DP_CAPTURE_SNAP ? whole : DP_CAPTURE_SNAP;
	struct rx *rx = &worker->rx;
	struct capture_entry *entry = capture_room(rx->capture, bytes);

	if (!entry) {
		count(&rx->capture_full, 1);
		return;
	}
	entry->captured = bytes;
	entry->length = mbuf->pkt_len + tag;
	entry->port = worker->port->number;
	entry->answer
		= *(const struct dp_answer *)rte_mbuf_to_priv((struct rte_mbuf *)(uintptr_t)mbuf);
	entry->answer.ts_ns = now_tsc;
	entry->answer.banner = NULL;
	capture_copy(entry, rte_pktmbuf_mtod(mbuf, const uint8_t *), tag, mbuf->vlan_tci);
	capture_put(rx->capture, entry);
}

/* Its own comparison of clocks: the engine's belongs to the control core. */
static void anchor(struct dp_engine *engine) {
	const uint64_t now_tsc = rte_rdtsc();
	struct timespec now;

	if (engine->capture_anchor_ns
		&& now_tsc - engine->capture_anchor_tsc < engine->tsc_hz / 1000 * ANCHOR_MS)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	engine->capture_anchor_tsc = now_tsc;
	engine->capture_anchor_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t utc_ns(const struct dp_engine *engine, uint64_t tsc) {
	const __int128 cycles = (int64_t)(tsc - engine->capture_anchor_tsc);

	return engine->capture_anchor_ns
		+ (uint64_t)(int64_t)(cycles * 1000000000 / engine->tsc_hz);
}

static bool take_frames(
	struct dp_engine *engine, struct capture_ring *ring, dp_capture_fn fn, void *user) {
	const struct capture_entry *entry;
	unsigned n = 0;

	while (n < AT_ONCE && (entry = capture_next(ring))) {
		struct dp_answer answer = entry->answer;
		const struct dp_capture_frame frame = {.bytes = (const uint8_t *)(entry + 1),
			.captured = entry->captured,
			.length = entry->length,
			.port = entry->port,
			.answer = &answer};

		if (n++ == 0)
			anchor(engine);
		answer.ts_ns = utc_ns(engine, answer.ts_ns);
		fn(user, &frame);
		capture_drop(ring, entry);
	}
	return n > 0;
}

bool dp_engine_capture(struct dp_engine *engine, dp_capture_fn fn, void *user) {
	bool any = false;

	for (unsigned i = 0; i < engine->plan.nb_workers; i++)
		if (engine->worker[i]->rx.capture)
			any |= take_frames(engine, engine->worker[i]->rx.capture, fn, user);
	return any;
}
