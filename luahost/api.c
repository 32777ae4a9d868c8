/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The functions of the `prtip` table that need the lane: one table row each.
 *
 * Runs in a lane, called by plugin code within its conversation. What a capability allows is decided
 * by the warden and the kernel; the checks here only make the error readable.
 */
#include "lane.h"

#include <lauxlib.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char lane_lua[] =
#include "lane_lua.inc"
	;

static const char check_lua[] =
#include "check_lua.inc"
	;

#define SOCK_TYPE "prtip.socket"

enum {
	DEFAULT_TIMEOUT_S = 10,
	LOG_BYTES = 1024,
	SEND_MAX = 16 << 20,
	NAME_BYTES = 255,
	PROBE_WAIT_S = 30, /* for scan_port: its own 2 s, and its turn among others */
};

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

struct lane *lane_of(lua_State *L) {
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* What a stale or foreign socket handle leads to. */
struct handle {
	uint32_t place;
	uint32_t generation;
};

/* ---- Arguments ---- */

/* The function's name is its second upvalue. */
static void need(lua_State *L, const struct lane *lane, enum lh_capability capability) {
	if (lane->plugin->capabilities & capability)
		return;
	lua_pushfstring(L, "PermissionDenied: %s needs capability \"%s\" (plugin.toml)",
		lua_tostring(L, lua_upvalueindex(2)),
		capability == LH_CAP_NETWORK ? "network" : "filesystem");
	lua_error(L);
}

static int refuse(lua_State *L, const char *why) {
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

/* A text with a NUL in it is none. */
static bool read_ip(lua_State *L, int index, lh_ip *ip) {
	size_t length;
	const char *text = luaL_checklstring(L, index, &length);

	return strlen(text) == length && lh_ip_read(text, ip);
}

static uint16_t read_port(lua_State *L, int index) {
	lua_Number port = luaL_checknumber(L, index);

	luaL_argcheck(L, port >= 1 && port <= 65535 && port == floor(port), index,
		"a port is a whole number from 1 to 65535");
	return (uint16_t)port;
}

static uint64_t deadline(lua_State *L, const struct lane *lane, int index, double standard_s) {
	double seconds = luaL_optnumber(L, index, standard_s);

	luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, index, "seconds must be 0 or more");
	return lane->now_ns + (uint64_t)(seconds * 1e9);
}

/* The socket of a handle: open, and this conversation's. */
static struct sock *check_sock(lua_State *L, struct lane *lane, int index) {
	struct handle *handle = luaL_checkudata(L, index, SOCK_TYPE);
	struct sock *sock = &lane->sock[handle->place];

	if (!sock->open || sock->generation != handle->generation)
		luaL_argerror(L, index, "this socket is closed");
	if (sock->owner != lane->current)
		luaL_argerror(L, index, "this socket belongs to another result");
	return sock;
}

static void push_sock(lua_State *L, const struct lane *lane, uint32_t place) {
	struct handle *handle = lua_newuserdata(L, sizeof(*handle));

	*handle = (struct handle){place, lane->sock[place].generation};
	luaL_getmetatable(L, SOCK_TYPE);
	lua_setmetatable(L, -2);
}

/* Copy the string option @name of the table at @index. */
static bool option_text(lua_State *L, int index, const char *name, char *out, size_t room) {
	size_t length;
	const char *text;

	lua_pushstring(L, name);
	lua_rawget(L, index);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return false;
	}
	text = luaL_checklstring(L, -1, &length);
	if (length >= room || memchr(text, '\0', length))
		luaL_error(L, "%s: at most %d bytes of text", name, (int)room - 1);
	memcpy(out, text, length + 1);
	lua_pop(L, 1);
	return true;
}

static int tls_version(lua_State *L, int index, const char *name) {
	static const char *const names[] = {"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
	char text[16];

	if (!option_text(L, index, name, text, sizeof(text)))
		return 0;
	for (int i = 0; i < 4; i++)
		if (!strcmp(text, names[i]))
			return 0x0301 + i;
	return luaL_error(L, "%s: TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3, not %s", name, text);
}

static void read_alpn(lua_State *L, int index, struct tls_text *tls) {
	char *at = tls->alpn_text;

	lua_pushliteral(L, "alpn");
	lua_rawget(L, index);
	for (int i = 1; lua_istable(L, -1) && i <= 8; i++) {
		size_t left = sizeof(tls->alpn_text) - (size_t)(at - tls->alpn_text), length;
		const char *text;

		lua_rawgeti(L, -1, i);
		text = lua_tolstring(L, -1, &length);
		if (text && length && length < left) {
			memcpy(at, text, length + 1);
			tls->alpn[tls->options.nb_alpn++] = at;
			at += length + 1;
		}
		lua_pop(L, 1);
		if (!text)
			break;
	}
	lua_pop(L, 1);
	tls->options.alpn = tls->alpn;
}

/* TLS options, of the table at @index or none; to be freed. */
static struct tls_text *read_tls(lua_State *L, struct lane *lane, int index) {
	struct tls_text *tls = lua_newuserdata(L, sizeof(*tls));
	struct tls_text *copy;

	memset(tls, 0, sizeof(*tls));
	if (!lane->tls && tls_context_create(&lane->tls))
		luaL_error(L, "not enough memory");
	tls->options.context = lane->tls;
	if (index && lua_istable(L, index)) {
		if (option_text(
			    L, index, "server_name", tls->server_name, sizeof(tls->server_name)))
			tls->options.server_name = tls->server_name;
		if (option_text(L, index, "ciphers", tls->ciphers, sizeof(tls->ciphers)))
			tls->options.ciphers = tls->ciphers;
		tls->options.min_version = tls_version(L, index, "min_version");
		tls->options.max_version = tls_version(L, index, "max_version");
		read_alpn(L, index, tls);
	}
	copy = malloc(sizeof(*copy));
	if (!copy)
		luaL_error(L, "not enough memory");
	memcpy(copy, tls, sizeof(*copy));
	/* The strings lie in the copy now. */
	if (tls->options.server_name)
		copy->options.server_name = copy->server_name;
	if (tls->options.ciphers)
		copy->options.ciphers = copy->ciphers;
	for (unsigned i = 0; i < tls->options.nb_alpn; i++)
		copy->alpn[i] = copy->alpn_text + (tls->alpn[i] - tls->alpn_text);
	copy->options.alpn = copy->alpn;
	lua_pop(L, 1);
	return copy;
}

/* ---- What needs no capability ---- */

static int api_log(lua_State *L) {
	struct lane *lane = lane_of(L);
	int level = luaL_checkoption(L, 1, NULL, levels);
	size_t length;
	const char *text = luaL_checklstring(L, 2, &length);
	uint8_t *room;

	length = utf8_valid(text, length < LOG_BYTES ? length : LOG_BYTES);
	room = lane_reserve(lane, UP_LOG, length + 1);
	room[0] = (uint8_t)level;
	memcpy(room + 1, text, length);
	ring_commit(&lane->up);
	return 0;
}

static bool in_target(const struct lane *lane) {
	return lane->current && lane->current->slot != LANE_SLOT_PHASE;
}

static int api_get_target(lua_State *L) {
	struct lane *lane = lane_of(L);

	if (!in_target(lane))
		return 0;
	api_push_record(lane, L, lane->current);
	return 1;
}

static int api_get_scan_type(lua_State *L) {
	lua_pushstring(L, lane_of(L)->params->scan_type);
	return 1;
}

/* The fields of the current target, for prtip.target_info. */
static int api_target_info(lua_State *L) {
	struct lane *lane = lane_of(L);

	if (!in_target(lane))
		return 0;
	api_push_record(lane, L, lane->current);
	lua_pushvalue(L, 2);
	lua_gettable(L, -2);
	return 1;
}

static void drop_addition(struct convo *convo, const char *key) {
	for (unsigned i = 0; i < convo->nb_additions; i++) {
		struct addition *addition = &convo->additions[i];

		if (strcmp(addition->key, key))
			continue;
		convo->additions_bytes -= strlen(addition->key) + strlen(addition->value);
		free(addition->key);
		free(addition->value);
		*addition = convo->additions[--convo->nb_additions];
		return;
	}
}

/* JSON of the argument at @index as *@text, to be freed. NULL, or what is wrong with it. */
static const char *encode(lua_State *L, int index, char **text) {
	struct luajson_buffer buffer = {.max = LH_RESULTS_BYTES};
	const char *wrong = luajson_encode(L, index, &buffer);

	if (!wrong)
		*text = realloc(buffer.text, buffer.used + 1);
	if (wrong || !*text) {
		free(buffer.text);
		return wrong ? wrong : "out of memory";
	}
	(*text)[buffer.used] = '\0';
	return NULL;
}

/* Transfers key and value where it succeeds. */
static const char *add(struct convo *convo, char *key, char *value) {
	size_t bytes = strlen(key) + strlen(value);
	struct addition *more;

	drop_addition(convo, key);
	/* A comma and a colon each, and two braces. */
	if (convo->additions_bytes + bytes + 2 * (size_t)convo->nb_additions + 4 > LH_RESULTS_BYTES)
		return "over 65536 bytes of results for one record";
	more = realloc(convo->additions, (convo->nb_additions + 1) * sizeof(*more));
	if (!more)
		return "out of memory";
	convo->additions = more;
	convo->additions[convo->nb_additions++] = (struct addition){key, value};
	convo->additions_bytes += bytes;
	return NULL;
}

static int api_add_result(lua_State *L) {
	struct lane *lane = lane_of(L);
	char *key = NULL, *value = NULL;
	const char *wrong;

	luaL_checktype(L, 1, LUA_TSTRING);
	luaL_checkany(L, 2);
	if (!in_target(lane))
		return luaL_error(L, "add_result: there is no target here");
	wrong = encode(L, 1, &key);
	if (!wrong)
		wrong = encode(L, 2, &value);
	if (!wrong)
		wrong = add(lane->current, key, value);
	if (!wrong)
		return 0;
	free(key);
	free(value);
	return luaL_error(L, "add_result: %s", wrong);
}

/* ---- Capability network ---- */

/* nil, why: where there can be no connection from here; 0: there can. */
static int no_network(lua_State *L, const struct lane *lane) {
	if (!lane->params->network)
		return refuse(L, "no network on this port");
	return lane->current->network ? 0 : refuse(L, "denied");
}

/* The options of connect() at 3. */
static void read_connect(lua_State *L, struct lane *lane, struct op *op) {
	char protocol[8] = "tcp";

	op->deadline_ns = lane->now_ns + DEFAULT_TIMEOUT_S * UINT64_C(1000000000);
	if (lua_isnoneornil(L, 3))
		return;
	luaL_checktype(L, 3, LUA_TTABLE);
	option_text(L, 3, "protocol", protocol, sizeof(protocol));
	op->udp = !strcmp(protocol, "udp");
	luaL_argcheck(L, op->udp || !strcmp(protocol, "tcp"), 3, "protocol is tcp or udp");
	lua_pushliteral(L, "timeout");
	lua_rawget(L, 3);
	op->deadline_ns = deadline(L, lane, lua_gettop(L), DEFAULT_TIMEOUT_S);
	lua_pushliteral(L, "tls");
	lua_rawget(L, 3);
	op->wants_tls = lua_toboolean(L, -1);
	luaL_argcheck(L, !op->wants_tls || !op->udp, 3, "no TLS over udp");
	if (op->wants_tls)
		op->tls = read_tls(L, lane, lua_gettop(L));
}

static int api_connect(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct op op = {.kind = OP_CONNECT};
	int refused;

	need(L, lane, LH_CAP_NETWORK);
	op.port = read_port(L, 2);
	if (!read_ip(L, 1, &op.ip))
		return refuse(L, "not an IP address");
	refused = no_network(L, lane);
	if (refused)
		return refused;
	read_connect(L, lane, &op);
	lane->current->op = op;
	return op_begin(lane, lane->current, L);
}

static int api_send(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct op op = {.kind = OP_SEND};
	const char *data;
	size_t length;

	need(L, lane, LH_CAP_NETWORK);
	op.sock = (uint32_t)(check_sock(L, lane, 1) - lane->sock);
	data = luaL_checklstring(L, 2, &length);
	op.deadline_ns = deadline(L, lane, 3, DEFAULT_TIMEOUT_S);
	luaL_argcheck(L, length <= SEND_MAX, 2, "over 16 MiB at once");
	if (length == 0 && !lane->sock[op.sock].udp) {
		lua_pushinteger(L, 0);
		return 1;
	}
	op.data = malloc(length + 1);
	if (!op.data)
		return luaL_error(L, "not enough memory");
	memcpy(op.data, data, length);
	op.length = length;
	lane->current->op = op;
	return op_begin(lane, lane->current, L);
}

static int api_receive(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct op op = {.kind = OP_RECEIVE};
	lua_Number most;

	need(L, lane, LH_CAP_NETWORK);
	op.sock = (uint32_t)(check_sock(L, lane, 1) - lane->sock);
	most = luaL_checknumber(L, 2);
	luaL_argcheck(L, most >= 1 && most == floor(most), 2, "a whole number, at least 1");
	op.max = most > 1e9 ? 1000000000 : (size_t)most;
	op.deadline_ns = deadline(L, lane, 3, DEFAULT_TIMEOUT_S);
	lane->current->op = op;
	return op_begin(lane, lane->current, L);
}

static int api_close(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct handle *handle;

	need(L, lane, LH_CAP_NETWORK);
	handle = luaL_checkudata(L, 1, SOCK_TYPE);
	/* Closing twice is harmless. */
	if (lane->sock[handle->place].open
		&& lane->sock[handle->place].generation == handle->generation)
		sock_close(lane, check_sock(L, lane, 1));
	lua_pushboolean(L, 1);
	return 1;
}

static int api_start_tls(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct op op = {.kind = OP_TLS};
	struct sock *sock;

	need(L, lane, LH_CAP_NETWORK);
	sock = check_sock(L, lane, 1);
	if (sock->tls)
		return refuse(L, "TLS already");
	if (sock->udp)
		return refuse(L, "no TLS over udp");
	op.sock = (uint32_t)(sock - lane->sock);
	op.deadline_ns = lane->now_ns + DEFAULT_TIMEOUT_S * UINT64_C(1000000000);
	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		lua_pushliteral(L, "timeout");
		lua_rawget(L, 2);
		op.deadline_ns = deadline(L, lane, lua_gettop(L), DEFAULT_TIMEOUT_S);
	}
	op.tls = read_tls(L, lane, 2);
	lane->current->op = op;
	return op_begin(lane, lane->current, L);
}

static int api_tls_info(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct sock *sock;

	need(L, lane, LH_CAP_NETWORK);
	sock = check_sock(L, lane, 1);
	if (!sock->tls)
		return refuse(L, "no TLS on this socket");
	tls_push_info(L, sock->tls);
	return 1;
}

/* Raise where there is no capability; for functions that are written in Lua. */
static int need_for(lua_State *L, enum lh_capability capability, const char *name) {
	lua_pushfstring(L, "PermissionDenied: %s needs capability \"%s\" (plugin.toml)",
		luaL_checkstring(L, 1), name);
	return lane_of(L)->plugin->capabilities & capability ? 0 : lua_error(L);
}

static int api_need_network(lua_State *L) {
	return need_for(L, LH_CAP_NETWORK, "network");
}

static int api_need_filesystem(lua_State *L) {
	return need_for(L, LH_CAP_FILESYSTEM, "filesystem");
}

/* private.ip(text): as a scan writes the address, or nil where it is none. */
static int api_ip(lua_State *L) {
	char text[LH_IP_TEXT_BYTES];
	lh_ip ip;

	if (!read_ip(L, 1, &ip))
		return 0;
	lh_ip_write(ip, text);
	lua_pushstring(L, text);
	return 1;
}

/* private.global(name): the plugin's own. */
static int api_global(lua_State *L) {
	sandbox_push_global(lane_of(L)->box, L, luaL_checkstring(L, 1));
	return 1;
}

static int api_scan_port(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct op op = {.kind = OP_PROBE};
	const char *protocol;

	need(L, lane, LH_CAP_NETWORK);
	op.port = read_port(L, 2);
	protocol = luaL_optstring(L, 3, "tcp");
	op.udp = !strcmp(protocol, "udp");
	luaL_argcheck(L, op.udp || !strcmp(protocol, "tcp"), 3, "protocol is tcp or udp");
	if (!read_ip(L, 1, &op.ip))
		return refuse(L, "not an IP address");
	if (!lane->current->network)
		return refuse(L, "denied");
	op.deadline_ns = lane->now_ns + PROBE_WAIT_S * UINT64_C(1000000000);
	lane->current->op = op;
	return op_begin(lane, lane->current, L);
}

static int api_sleep(lua_State *L) {
	struct lane *lane = lane_of(L);
	struct op op = {.kind = OP_SLEEP};

	need(L, lane, LH_CAP_NETWORK);
	luaL_checknumber(L, 1);
	op.deadline_ns = deadline(L, lane, 1, 0);
	lane->current->op = op;
	return op_begin(lane, lane->current, L);
}

/* ---- Capability filesystem ---- */

static int file_op(lua_State *L, enum op_kind kind, enum open_mode mode) {
	struct lane *lane = lane_of(L);
	struct op op = {.kind = kind, .mode = (uint8_t)mode};
	size_t length;
	const char *name = luaL_checklstring(L, 1, &length);

	/* export() writes its own path without the capability. */
	if (!lane->path || strcmp(lane->path, name))
		need(L, lane, LH_CAP_FILESYSTEM);
	luaL_argcheck(L, length && length <= NAME_BYTES * 4 && !memchr(name, '\0', length), 1,
		"a name of 1 to 1020 bytes without NUL");
	if (kind == OP_WRITE_FILE) {
		const char *data = luaL_checklstring(L, 2, &op.length);

		op.data = malloc(op.length + 1);
		if (!op.data)
			return luaL_error(L, "not enough memory");
		memcpy(op.data, data, op.length);
	}
	op.deadline_ns = lane->now_ns + DEFAULT_TIMEOUT_S * UINT64_C(1000000000);
	lane->current->op = op;
	return op_begin(lane, lane->current, L);
}

static int api_read_file(lua_State *L) {
	return file_op(L, OP_READ_FILE, OPEN_READ);
}

static int api_write_file(lua_State *L) {
	return file_op(L, OP_WRITE_FILE, OPEN_WRITE);
}

static int api_append_file(lua_State *L) {
	return file_op(L, OP_WRITE_FILE, OPEN_APPEND);
}

/* ---- Results of operations ---- */

int op_push(struct lane *lane, lua_State *L, const struct outcome *outcome) {
	const struct page *page;
	const struct op *op = &lane->phase->op;

	switch (outcome->kind) {
	case OUTCOME_NOTHING:
		return 0;
	case OUTCOME_TRUE:
		lua_pushboolean(L, 1);
		return 1;
	case OUTCOME_NUMBER:
		lua_pushnumber(L, outcome->number);
		return 1;
	case OUTCOME_BYTES:
		lua_pushlstring(L, outcome->bytes, outcome->length);
		return 1;
	case OUTCOME_SOCK:
		push_sock(L, lane, outcome->sock);
		return 1;
	case OUTCOME_ROW:
		page = seq_find(lane, op->targets, op->row);
		if (page)
			api_push_row(lane, L, page, (unsigned)(op->row - page->first));
		else
			lua_pushnil(L);
		return 1;
	case OUTCOME_FAILED:
		return refuse(L, outcome->error);
	}
	return 0;
}

/* ---- The table ---- */

static const struct {
	const char *name;
	lua_CFunction function;
} functions[] = {
	{"log", api_log},
	{"get_target", api_get_target},
	{"get_scan_type", api_get_scan_type},
	{"add_result", api_add_result},
	{"connect", api_connect},
	{"send", api_send},
	{"receive", api_receive},
	{"close", api_close},
	{"start_tls", api_start_tls},
	{"tls_info", api_tls_info},
	{"scan_port", api_scan_port},
	{"sleep", api_sleep},
	{"read_file", api_read_file},
	{"write_file", api_write_file},
	{"append_file", api_append_file},
};

static void push_function(
	lua_State *L, struct lane *lane, const char *name, lua_CFunction function) {
	lua_pushlightuserdata(L, lane);
	lua_pushstring(L, name);
	lua_pushcclosure(L, function, 2);
}

/* A number where Lua's hold it exactly, else its digits. */
static void push_seed(lua_State *L, uint64_t seed) {
	char digits[24];

	if (seed <= UINT64_C(1) << 53) {
		lua_pushnumber(L, (double)seed);
		return;
	}
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)seed);
	lua_pushstring(L, digits);
}

static void push_scan_config(lua_State *L, const struct lh_host_params *params) {
	lua_createtable(L, 0, 6);
	lua_pushstring(L, params->scan_type);
	lua_setfield(L, -2, "scan_type");
	lua_pushnumber(L, params->rate_pps);
	lua_setfield(L, -2, "rate");
	lua_pushinteger(L, (lua_Integer)params->timing);
	lua_setfield(L, -2, "timing");
	lua_pushstring(L, params->flags);
	lua_setfield(L, -2, "flags");
	lua_pushstring(L, params->ports);
	lua_setfield(L, -2, "ports");
	push_seed(L, params->seed);
	lua_setfield(L, -2, "seed");
}

/* What lane.lua and check.lua get besides `prtip`: functions that plugins do not see. */
static void push_private(lua_State *L, struct lane *lane) {
	lua_createtable(L, 0, 8);
	push_function(L, lane, "need", api_need_network);
	lua_setfield(L, -2, "need_network");
	push_function(L, lane, "need", api_need_filesystem);
	lua_setfield(L, -2, "need_filesystem");
	push_function(L, lane, "global", api_global);
	lua_setfield(L, -2, "global");
	push_function(L, lane, "ip", api_ip);
	lua_setfield(L, -2, "ip");
	lua_pushboolean(L, lane->plugin->scope == LH_SCOPE_SCAN);
	lua_setfield(L, -2, "whole_scan");
	push_function(L, lane, "target_info", api_target_info);
	lua_setfield(L, -2, "target_info");
	lua_pushcfunction(L, tls_hello_build);
	lua_setfield(L, -2, "hello_build");
	lua_pushcfunction(L, tls_hello_parse);
	lua_setfield(L, -2, "hello_parse");
	push_scan_config(L, lane->params);
	lua_setfield(L, -2, "scan_config");
	api_push_fields(L);
	lua_setfield(L, -2, "fields");
}

/* Put the scripted network in place of the real one. */
static void open_tests(struct lane *lane, lua_State *L, int prtip, int private) {
	if (luaL_loadbuffer(L, check_lua, sizeof(check_lua) - 1, "=test"))
		lua_error(L);
	lua_pushvalue(L, prtip);
	lua_pushvalue(L, private);
	lua_call(L, 2, 2);
	lane->case_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lane->test_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* The `prtip` table is on the top. */
void api_open(lua_State *L, void *ctx) {
	struct lane *lane = ctx;
	int prtip = lua_gettop(L), private;

	api_record_open(lane, L);
	luaL_newmetatable(L, SOCK_TYPE);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
	for (unsigned i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		push_function(L, lane, functions[i].name, functions[i].function);
		lua_setfield(L, prtip, functions[i].name);
	}
	push_private(L, lane);
	private = lua_gettop(L);
	if (luaL_loadbuffer(L, lane_lua, sizeof(lane_lua) - 1, "=prtip"))
		lua_error(L);
	lua_pushvalue(L, prtip);
	lua_pushvalue(L, private);
	lua_call(L, 2, 0);
	if (lane->params->tests)
		open_tests(lane, L, prtip, private);
}
