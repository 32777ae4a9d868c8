/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations: what a conversation waits for. A Lua function fills @op and calls op_begin(); what can
 * be had at once is returned at once, otherwise the coroutine yields and op_continue() takes the next
 * steps as events come. Runs in a lane; the operation belongs to its conversation.
 */
#include "lane.h"

#include <lauxlib.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ID_SERIALS = 200000, /* times the number of slots: within 32 bits */
};

void op_clear(struct op *op) {
	free(op->data);
	free(op->tls);
	*op = (struct op){.kind = OP_NONE};
}

static bool fail(struct outcome *outcome, const char *why) {
	*outcome = (struct outcome){.kind = OUTCOME_FAILED, .error = why};
	return true;
}

/* ---- Files: the descriptor comes from the warden, the rest does not wait ---- */

/* The whole file, as far as the VM could take it. */
static bool read_file(struct lane *lane, struct op *op, struct outcome *outcome) {
	size_t room = 0, most = (size_t)lane->limits.memory_mb << 20;

	for (;;) {
		ssize_t n;

		if (op->length == room) {
			char *more;

			room = room ? 2 * room : 4096;
			more = room > most ? NULL : realloc(op->data, room);
			if (!more)
				return fail(outcome, "file too large");
			op->data = more;
		}
		n = read((int)op->sock, op->data + op->length, room - op->length);
		if (n < 0)
			return fail(outcome, strerror(errno));
		if (n == 0)
			break;
		op->length += (size_t)n;
	}
	*outcome = (struct outcome){.kind = OUTCOME_BYTES, .bytes = op->data, .length = op->length};
	return true;
}

static bool write_file(struct op *op, struct outcome *outcome) {
	while (op->at < op->length) {
		ssize_t n = write((int)op->sock, op->data + op->at, op->length - op->at);

		if (n < 0)
			return fail(outcome, strerror(errno));
		op->at += (size_t)n;
	}
	outcome->kind = OUTCOME_TRUE;
	return true;
}

/* @op->sock is the file's descriptor, once it is here (stage 1). */
static bool step_file(struct lane *lane, struct op *op, struct outcome *outcome) {
	bool done;

	if (op->stage == 0)
		return false;
	done = op->kind == OP_READ_FILE ? read_file(lane, op, outcome) : write_file(op, outcome);
	close((int)op->sock);
	return done;
}

/* ---- What the control core does ---- */

static void ask_page(struct lane *lane, const struct op *op) {
	/* Results may be long, and fewer come then: their page begins where it is needed. */
	const struct wire_want want
		= {.first = op->targets ? op->row / PAGE_ROWS * PAGE_ROWS : op->row,
			.targets = op->targets,
			.rows = PAGE_ROWS};

	memcpy(lane_reserve(lane, UP_WANT, sizeof(want)), &want, sizeof(want));
	ring_commit(&lane->up);
}

static void ask_probe(struct lane *lane, struct convo *convo) {
	const struct wire_probe probe = {.id = convo->op.id,
		.ip = wire_ip_put(convo->op.ip),
		.port = convo->op.port,
		.protocol = convo->op.udp ? LH_PROBE_UDP : LH_PROBE_TCP,
		.slot = convo->slot};

	memcpy(lane_reserve(lane, UP_PROBE, sizeof(probe)), &probe, sizeof(probe));
	ring_commit(&lane->up);
}

/* ---- All ---- */

bool op_step(struct lane *lane, struct convo *convo, struct outcome *outcome) {
	switch (convo->op.kind) {
	case OP_NONE:
	case OP_SLEEP:
	case OP_PAGE:
	case OP_PROBE:
		return false; /* ended by a timer or a message */
	case OP_READ_FILE:
	case OP_WRITE_FILE:
		return step_file(lane, &convo->op, outcome);
	case OP_CONNECT:
	case OP_SEND:
	case OP_RECEIVE:
	case OP_TLS:
		return op_step_stream(lane, convo, outcome);
	}
	return false;
}

/* An id that tells this conversation's replies from those of the place's former ones. */
static uint32_t new_id(struct convo *convo) {
	return convo->serial++ % ID_SERIALS * (LANE_SLOTS + 1) + convo->slot;
}

/* Set off what others do for it. Returns 0, or what is wrong. */
static const char *dispatch(struct lane *lane, struct convo *convo, const char *name) {
	struct op *op = &convo->op;
	int rc;

	op->id = new_id(convo);
	switch (op->kind) {
	case OP_CONNECT:
		return warden_ask(lane, convo, REQUEST_CONNECT, NULL) ? "too many requests" : NULL;
	case OP_READ_FILE:
	case OP_WRITE_FILE:
		rc = warden_ask(lane, convo, REQUEST_OPEN, name);
		return rc == -ENAMETOOLONG ? "bad name" : rc ? "too many requests" : NULL;
	case OP_PAGE:
		ask_page(lane, op);
		return NULL;
	case OP_PROBE:
		ask_probe(lane, convo);
		return NULL;
	default:
		return NULL;
	}
}

int op_begin(struct lane *lane, struct convo *convo, lua_State *L) {
	struct outcome outcome = {0};
	struct op *op = &convo->op;
	const char *name
		= op->kind == OP_READ_FILE || op->kind == OP_WRITE_FILE ? lua_tostring(L, 1) : NULL;
	const char *wrong = NULL;

	if (!sandbox_can_wait(L)) {
		op_clear(op);
		return luaL_error(L, "cannot wait inside table.sort or string.gsub");
	}
	if (op->kind == OP_CONNECT || op->kind >= OP_READ_FILE)
		wrong = dispatch(lane, convo, name);
	if (wrong)
		fail(&outcome, wrong);
	if (wrong || op_step(lane, convo, &outcome)) {
		int values = op_push(lane, L, &outcome);

		op_clear(op);
		return values;
	}
	return sandbox_wait(L);
}

void op_continue(struct lane *lane, struct convo *convo) {
	struct outcome outcome = {0};

	if (op_step(lane, convo, &outcome))
		convo_resume(lane, convo, &outcome);
	else
		convo_arm(lane, convo);
}

void op_timeout(struct lane *lane, struct convo *convo) {
	struct outcome outcome = {.kind = OUTCOME_TRUE};

	if (convo->op.kind != OP_SLEEP)
		fail(&outcome, "timeout");
	/* A connection that is not there yet goes with its attempt. */
	if (convo->op.kind == OP_CONNECT && convo->op.stage >= CONNECT_BEGUN)
		sock_close(lane, &lane->sock[convo->op.sock]);
	convo_resume(lane, convo, &outcome);
}
