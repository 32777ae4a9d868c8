/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validated responses as frames, for who writes captures. Where dp_params.capture is set each RX
 * lcore copies what it accepts into a bounded ring of its own; a full one lowers the sending rate as
 * the rings of answers do, and what finds no room is counted (lost_capture_full) and goes its way
 * otherwise. Responses to single probes are not among them.
 */
#ifndef DP_CAPTURE_H
#define DP_CAPTURE_H

#include <dp/answer.h>

struct dp_engine;

enum {
	DP_CAPTURE_SNAP = 4096, /* bytes kept of a frame, more than a receive buffer holds */
};

/* One frame, with its link header; a tag that the device took out is in its place again. */
struct dp_capture_frame {
	const uint8_t *bytes;
	uint32_t captured; /* bytes of it that are here */
	uint32_t length; /* of the frame as received, with such a tag */
	uint32_t port; /* which of dp_plan.ports it came by */
	/*
	 * What it was found to be, ts_ns in UTC: when its burst was taken from the device. banner is NULL,
	 * banner_bytes is what counts of it.
	 */
	const struct dp_answer *answer;
};

typedef void (*dp_capture_fn)(void *user, const struct dp_capture_frame *frame);

/*
 * Call @fn for frames that are here, each lcore's in the order of their arrival, and at most so many
 * that a call ends soon. True where there were some. By one thread at a time, any one, until
 * dp_engine_destroy(); after dp_engine_stop() all that were accepted come.
 */
bool dp_engine_capture(struct dp_engine *engine, dp_capture_fn fn, void *user);

#endif
