/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane: a process with one VM of one plugin, and many conversations in it.
 *
 * A conversation is one result (or one phase hook) on its way through the plugin's hooks. Its code
 * runs in a coroutine; where it has to wait (for a socket, a timer, the control core), the coroutine
 * yields and the conversation's operation goes on from the lane's event loop. All of it is one
 * thread. Only the conversation that runs is current.
 */
#ifndef LH_LANE_H
#define LH_LANE_H

#include "area.h"
#include "sandbox.h"
#include "tls.h"

#include <lua.h>

/* ---- Results ---- */

/* A copy that belongs to the lane. */
struct record {
	struct wire_record wire;
	struct wire_service *service; /* NULL: none */
	char *banner; /* NULL: none */
	char *plugins; /* JSON; NULL: none */
};

/* Take a wire record of @bytes apart. 0 or -ENOMEM, -EPROTO; then nothing is owned. */
int record_read(struct record *record, const uint8_t *bytes, size_t n);
void record_clear(struct record *record);

/* ---- Sockets ---- */

struct convo;

struct sock {
	int fd;
	uint8_t *out; /* TLS bytes that the socket had no room for; malloc */
	size_t out_at, out_bytes;
	uint32_t generation; /* of this place; a handle that names another one is stale */
	struct convo *owner;
	struct sock *next; /* of the same owner, or of the free ones */
	struct tls *tls;
	bool udp, eof, open;
};

/* ---- Operations: what a conversation waits for ---- */

enum op_kind {
	OP_NONE,
	OP_SLEEP,
	OP_CONNECT, /* descriptor from the warden, connection, TLS handshake */
	OP_SEND,
	OP_RECEIVE,
	OP_TLS, /* handshake on an open socket */
	OP_READ_FILE,
	OP_WRITE_FILE,
	OP_PAGE, /* of a sequence */
	OP_PROBE,
};

/* How far OP_CONNECT is. */
enum connect_stage {
	CONNECT_QUEUED, /* for a place among the connections, or in the next datagram */
	CONNECT_ASKED, /* the warden */
	CONNECT_BEGUN, /* the socket is here */
	CONNECT_TLS,
};

/* What an operation gives back to Lua. */
enum outcome_kind {
	OUTCOME_NOTHING,
	OUTCOME_TRUE,
	OUTCOME_NUMBER,
	OUTCOME_BYTES,
	OUTCOME_SOCK,
	OUTCOME_ROW, /* the element of a sequence that it waited for */
	OUTCOME_FAILED, /* nil, text */
};

struct outcome {
	enum outcome_kind kind;
	double number;
	const char *bytes; /* valid until the next call */
	size_t length;
	uint32_t sock;
	const char *error;
};

struct op {
	lh_ip ip;
	enum op_kind kind;
	uint8_t stage;
	uint8_t mode; /* enum open_mode */
	uint32_t id; /* of the request at the warden or the control core; 0: none */
	uint16_t port;
	bool udp, wants_tls;
	uint32_t sock; /* place in the lane's table */
	size_t max; /* bytes to receive */
	char *data; /* malloc: what is left to send or write */
	size_t length, at;
	struct tls_text *tls; /* malloc: options */
	uint64_t row; /* of a sequence */
	bool targets;
	uint64_t deadline_ns;
};

/* Options of a handshake, kept while it lasts. */
struct tls_text {
	char server_name[256];
	char ciphers[256];
	char alpn_text[256];
	const char *alpn[8];
	struct tls_options options;
};

/* ---- Conversations ---- */

struct addition { /* of prtip.add_result() */
	char *key; /* JSON string */
	char *value; /* JSON */
};

struct convo {
	uint32_t slot;
	uint32_t generation; /* grows when the conversation ends */
	uint32_t serial; /* of its operations */
	bool active;
	uint8_t hook; /* enum lh_hook, or RUN_, that runs now */
	uint8_t status; /* worst so far */
	bool has_service; /* refined here */
	bool network; /* sockets may be opened */
	lua_State *co;
	int co_ref;
	struct record record;
	uint64_t instructions;
	uint64_t cpu_ns;
	uint64_t wall_ns; /* deadline of the whole conversation */
	uint64_t position; /* behind its record in the ring down */
	struct op op;
	struct sock *socks;
	struct addition *additions;
	unsigned nb_additions;
	size_t additions_bytes;
	char *error;
	uint32_t heap_at; /* place in the timer heap, 1-based; 0: none */
	uint64_t timer_ns;
};

/* What a conversation runs besides the hooks. */
enum {
	RUN_MAIN = LH_HOOK_COUNT, /* the main chunk */
	RUN_TESTS, /* the chunk of a file of tests, after on_load */
	RUN_CASE, /* one of its cases, by the number in the record's time; 0 lists their names */
	RUN_COUNT,
};

/* Part of a sequence that is here. */
struct page {
	uint64_t first;
	unsigned rows;
	bool targets;
	struct wire_target *target; /* PAGE_ROWS */
	struct record *record; /* PAGE_ROWS */
};

enum {
	NB_PAGES = 2,
	WAITING = 2 * LANE_SLOTS, /* connections that wait for a place, given-up ones included */
	FIELDS_MAX = 24,
	IO_BYTES = 64 << 10,
};

struct lane {
	const struct setup *setup;
	const struct lh_host_params *params;
	const struct lh_plugin *plugin;
	struct lh_limits limits;
	unsigned area, number;
	struct area *shared;
	struct ring down, up;
	int warden; /* socket */
	int epoll;
	bool loaded; /* on_load returned */
	bool ending;

	struct sandbox *box;
	lua_State *lua;
	int hook_ref[LH_HOOK_COUNT]; /* LUA_NOREF: not defined */
	int view_ref; /* metatable of results */
	int test_ref, case_ref; /* of check.lua: the `test` table, and what runs a case */
	const char *field[FIELDS_MAX]; /* interned names of a result's fields */
	unsigned interval; /* instructions to the next count hook */
	unsigned mean; /* of those intervals */
	uint64_t random;

	struct convo *current; /* whose code runs; NULL: none */
	struct convo *convo; /* LANE_SLOTS + 1 */
	struct convo *phase; /* the last of them */
	unsigned nb_active;
	uint32_t *held; /* slots of results that are not begun yet, a ring of LANE_SLOTS + 1 */
	unsigned held_head, held_tail;
	lua_State **spare_co; /* finished coroutines to use again, anchored by their refs */
	int *spare_ref;
	unsigned nb_spare;
	uint32_t *heap; /* slots by deadline */
	unsigned nb_heap;

	struct tls_context *tls; /* of all its connections; made with the first */
	struct sock *sock; /* the table */
	unsigned nb_socks; /* places of the table used at least once */
	unsigned socks_open, socks_max; /* places taken, asked-for ones included */
	struct sock *free_sock;
	uint32_t *waiting; /* slots that wait for a free place in the table, a ring */
	unsigned waiting_head, waiting_tail;
	struct request request[REQUESTS_MAX]; /* for the next datagram */
	unsigned nb_requests;

	struct page page[NB_PAGES];
	unsigned next_page;
	uint64_t count; /* elements of the running phase's sequence */
	char *path; /* of export */

	uint64_t now_ns; /* monotonic, as of the latest look */
	uint64_t cpu_sample_ns; /* processor time, as of the latest look */
	uint64_t slice_ns; /* when the running slice began */
	uint8_t *message; /* MESSAGE_BYTES */
	uint8_t *io; /* IO_BYTES */
};

/* lane.c */
uint64_t lane_now(struct lane *lane); /* and keep it in now_ns */
uint64_t lane_cpu(struct lane *lane); /* likewise */
_Noreturn void lane_die(enum lh_status status);
void *lane_reserve(struct lane *lane, enum up_type type, size_t bytes); /* waits for room */
void lane_send_text(
	struct lane *lane, uint32_t slot, enum text_kind kind, const char *text, size_t n);

/* convo.c */
struct convo *convo_of(struct lane *lane, uint32_t slot); /* active, or NULL */
void convo_start(struct lane *lane, struct convo *convo); /* record and slot are set */
void convo_load(struct lane *lane);
void convo_phase(struct lane *lane, enum lh_hook hook, const char *path, uint64_t count);
void convo_resume(struct lane *lane, struct convo *convo, const struct outcome *outcome);
void convo_refresh(struct lane *lane, struct convo *convo); /* its limits begin anew */
void convo_abort(struct lane *lane, struct convo *convo, enum lh_status status, const char *why);
void convo_drop_all(struct lane *lane);
void convo_timers(struct lane *lane); /* run what is due */
uint64_t convo_next_timer(const struct lane *lane); /* UINT64_MAX: none */
void convo_arm(struct lane *lane, struct convo *convo); /* set its timer by its deadlines */
void convo_install_hook(struct lane *lane);

/* op.c: begin or go on with the current operation of a conversation. True: ended, see @outcome. */
bool op_step(struct lane *lane, struct convo *convo, struct outcome *outcome);
/* Begin @convo->op from a Lua function; what that has to return. */
int op_begin(struct lane *lane, struct convo *convo, lua_State *L);
int op_push(struct lane *lane, lua_State *L, const struct outcome *outcome);
void op_clear(struct op *op);
void op_timeout(struct lane *lane, struct convo *convo);
void op_continue(struct lane *lane, struct convo *convo); /* something happened to it */

/* sock.c */
void sock_event(struct lane *lane, uint32_t sock, uint32_t generation);
void sock_close(struct lane *lane, struct sock *sock);
void sock_close_all(struct lane *lane, struct convo *convo);
void warden_flush(struct lane *lane);
void warden_receive(struct lane *lane);
int warden_ask(struct lane *lane, struct convo *convo, enum request_op op, const char *name);
bool op_step_stream(struct lane *lane, struct convo *convo, struct outcome *outcome);

/* api.c */
void api_open(lua_State *L, void *lane);
void api_record_open(struct lane *lane, lua_State *L); /* metatables of results and sequences */
void api_push_fields(lua_State *L); /* a list of the names that a result's fields have */
void api_push_record(struct lane *lane, lua_State *L, struct convo *convo);
void api_push_row(struct lane *lane, lua_State *L, const struct page *page, unsigned row);
void api_push_sequence(struct lane *lane, lua_State *L, bool targets);
const struct page *seq_find(const struct lane *lane, bool targets, uint64_t row);
void seq_take(struct lane *lane, const uint8_t *bytes, size_t n);
void seq_clear(struct lane *lane);
struct lane *lane_of(lua_State *L); /* from upvalue 1 */

#endif
