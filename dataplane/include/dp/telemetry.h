/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands of DPDK's telemetry socket, answered by the control core's side: what dpdk-telemetry.py shows
 * beside DPDK's own. There is a socket where dp_params.telemetry was set.
 *
 * Answers are given on a thread of DPDK's, one at a time, until dp_telemetry_end().
 */
#ifndef DP_TELEMETRY_H
#define DP_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DP_TELEMETRY_TEXT_BYTES
	= 128, /* of a text, with its end; a longer one ends in dots and its length */
	DP_TELEMETRY_PATH_BYTES = 108,
};

/* A JSON object that is being made. */
struct dp_telemetry_reply;

/* Members of the object. What there is no room for, or has no plain name, makes the whole answer null. */
void dp_telemetry_u64(struct dp_telemetry_reply *reply, const char *name, uint64_t value);
void dp_telemetry_text(struct dp_telemetry_reply *reply, const char *name, const char *text);

/* What follows up to dp_telemetry_close() goes into an object within it; one level deep. */
void dp_telemetry_open(struct dp_telemetry_reply *reply, const char *name);
void dp_telemetry_close(struct dp_telemetry_reply *reply);

struct dp_telemetry_command {
	const char *path; /* "/prtip/stats" */
	const char *help; /* one line */
	/* @parameter: what stands behind the comma; NULL: none. Nonzero: the answer is null. */
	int (*answer)(void *user, const char *parameter, struct dp_telemetry_reply *reply);
};

/*
 * Offer the commands, once in the life of a process, after dp_engine_create(). The table and @user have
 * to live until dp_telemetry_end(). 0 or a negative errno.
 */
int dp_telemetry_begin(const struct dp_telemetry_command *commands, unsigned nb, void *user);

/* The commands answer null from now on; none is under way any more. Before dp_telemetry_begin() fine. */
void dp_telemetry_end(void);

/* Where the socket is, as DPDK chose; false: there is none. */
bool dp_telemetry_socket(char path[static DP_TELEMETRY_PATH_BYTES]);

/* The folder in which DPDK makes the socket, and removes it when the process ends. */
const char *dp_telemetry_folder(void);

#endif
