/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results and sequences as Lua sees them.
 *
 * A hook gets a view: a small userdata that reads the field that is asked for out of the
 * conversation's record, with a generation number, so that a view that a plugin kept says that its
 * result is over and never shows another's. Elements of sequences are copies. Runs in a lane; the
 * userdata belong to the VM.
 */
#include "lane.h"

#include <lauxlib.h>

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define RECORD_TYPE "prtip.record"
#define SEQUENCE_TYPE "prtip.sequence"

enum view_kind {
	VIEW_CONVO, /* of a conversation's record */
	VIEW_ROW, /* a copy of a result */
	VIEW_TARGET, /* a copy of a pair */
};

struct view {
	uint32_t kind;
	uint32_t generation; /* VIEW_CONVO */
	const struct convo *convo; /* VIEW_CONVO */
	struct record record; /* VIEW_ROW, VIEW_TARGET; its strings lie behind the view */
};

struct sequence {
	bool targets;
	uint32_t generation; /* of the phase that it was made for */
};

/* ---- Fields ---- */

typedef void push_field(lua_State *L, const struct record *record);

static void push_ip(lua_State *L, const struct record *record) {
	char text[LH_IP_TEXT_BYTES];

	lh_ip_write(wire_ip_get(record->wire.ip), text);
	lua_pushstring(L, text);
}

static void push_port(lua_State *L, const struct record *record) {
	if (record->wire.flags & WIRE_HAS_PORT)
		lua_pushinteger(L, record->wire.port);
	else
		lua_pushnil(L);
}

static void push_protocol(lua_State *L, const struct record *record) {
	lua_pushstring(L, record->wire.protocol);
}

static void push_state(lua_State *L, const struct record *record) {
	lua_pushstring(L, lh_state_names[record->wire.state]);
}

static void push_reason(lua_State *L, const struct record *record) {
	lua_pushstring(L, record->wire.reason);
}

static void push_zero_window(lua_State *L, const struct record *record) {
	if (record->wire.flags & WIRE_ZERO_WINDOW)
		lua_pushboolean(L, 1);
	else
		lua_pushnil(L);
}

static void push_ttl(lua_State *L, const struct record *record) {
	lua_pushinteger(L, record->wire.ttl);
}

static void push_rtt(lua_State *L, const struct record *record) {
	if (record->wire.rtt_us != UINT32_MAX)
		lua_pushnumber(L, record->wire.rtt_us);
	else
		lua_pushnil(L);
}

static void push_ts(lua_State *L, const struct record *record) {
	time_t seconds = (time_t)(record->wire.ts_ns / 1000000000);
	char text[40];
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%06uZ",
		(unsigned)(record->wire.ts_ns / 1000 % 1000000));
	lua_pushstring(L, text);
}

static void push_banner(lua_State *L, const struct record *record) {
	if (record->banner)
		lua_pushlstring(L, record->banner, record->wire.banner_bytes);
	else
		lua_pushnil(L);
}

static void push_text(lua_State *L, const struct record *record, size_t offset) {
	const char *text = record->service ? (const char *)record->service + offset : "";

	if (*text)
		lua_pushstring(L, text);
	else
		lua_pushnil(L);
}

static void push_service(lua_State *L, const struct record *record) {
	push_text(L, record, offsetof(struct wire_service, service.name));
}

static void push_product(lua_State *L, const struct record *record) {
	push_text(L, record, offsetof(struct wire_service, service.product));
}

static void push_version(lua_State *L, const struct record *record) {
	push_text(L, record, offsetof(struct wire_service, service.version));
}

static void push_info(lua_State *L, const struct record *record) {
	push_text(L, record, offsetof(struct wire_service, service.info));
}

static void push_os(lua_State *L, const struct record *record) {
	push_text(L, record, offsetof(struct wire_service, service.os));
}

static void push_cpe(lua_State *L, const struct record *record) {
	push_text(L, record, offsetof(struct wire_service, service.cpe));
}

static void push_confidence(lua_State *L, const struct record *record) {
	if (record->service)
		lua_pushnumber(L, record->service->service.confidence);
	else
		lua_pushnil(L);
}

static void push_source(lua_State *L, const struct record *record) {
	push_text(L, record, offsetof(struct wire_service, source));
}

static void push_plugins(lua_State *L, const struct record *record) {
	if (!record->plugins || luajson_decode(L, record->plugins, record->wire.plugins_bytes))
		lua_pushnil(L);
}

/* The first ones are what a pair of the target sequence has. */
static const struct {
	const char *name;
	push_field *push;
} fields[] = {
	{"ip", push_ip},
	{"port", push_port},
	{"protocol", push_protocol},
	{"proto", push_protocol},
	{"state", push_state},
	{"reason", push_reason},
	{"zero_window", push_zero_window},
	{"ttl", push_ttl},
	{"rtt_us", push_rtt},
	{"ts", push_ts},
	{"banner", push_banner},
	{"service", push_service},
	{"product", push_product},
	{"version", push_version},
	{"info", push_info},
	{"os", push_os},
	{"cpe", push_cpe},
	{"confidence", push_confidence},
	{"source", push_source},
	{"plugins", push_plugins},
};

enum {
	NB_FIELDS = sizeof(fields) / sizeof(fields[0]),
	TARGET_FIELDS = 4,
};

static_assert(sizeof(fields) / sizeof(fields[0]) <= (size_t)FIELDS_MAX);

/* ---- Views ---- */

static const struct record *record_of(lua_State *L, const struct view *view) {
	if (view->kind != VIEW_CONVO)
		return &view->record;
	if (!view->convo->active || view->convo->generation != view->generation)
		luaL_error(L, "this result is over; copy the values you want to keep");
	return &view->convo->record;
}

/* All strings are interned: a name is found by its address. */
static int find_field(const struct lane *lane, const char *name, unsigned nb) {
	for (unsigned i = 0; i < nb; i++)
		if (lane->field[i] == name)
			return (int)i;
	return -1;
}

static int view_index(lua_State *L) {
	struct lane *lane = lane_of(L);
	const struct view *view = lua_touserdata(L, 1);
	const struct record *record = record_of(L, view);
	int i = -1;

	if (lua_type(L, 2) == LUA_TSTRING)
		i = find_field(lane, lua_tostring(L, 2),
			view->kind == VIEW_TARGET ? TARGET_FIELDS : NB_FIELDS);
	if (i < 0)
		return 0;
	fields[i].push(L, record);
	return 1;
}

static int read_only(lua_State *L) {
	return luaL_error(L, "read-only; keep your own values in a table of your own");
}

static int view_tostring(lua_State *L) {
	const struct record *record = record_of(L, lua_touserdata(L, 1));
	bool v4 = lh_ip_is_v4(wire_ip_get(record->wire.ip));
	const char *ip;

	push_ip(L, record);
	ip = lua_tostring(L, -1);
	/* RFC 5952 section 6: a port needs brackets around the address. */
	if (!(record->wire.flags & WIRE_HAS_PORT))
		lua_pushfstring(L, "%s/%s", ip, record->wire.protocol);
	else
		lua_pushfstring(L, v4 ? "%s:%d/%s" : "[%s]:%d/%s", ip, record->wire.port,
			record->wire.protocol);
	return 1;
}

/* pairs(view): over a table of what it has. */
static int view_pairs(lua_State *L) {
	const struct view *view = lua_touserdata(L, 1);
	const struct record *record = record_of(L, view);
	unsigned nb = view->kind == VIEW_TARGET ? TARGET_FIELDS : NB_FIELDS;

	lua_pushvalue(L, lua_upvalueindex(2)); /* next(): the globals here are not the plugin's */
	lua_createtable(L, 0, (int)nb);
	for (unsigned i = 0; i < nb; i++) {
		lua_pushstring(L, fields[i].name);
		fields[i].push(L, record);
		lua_rawset(L, -3);
	}
	lua_pushnil(L);
	return 3;
}

static void set_type(lua_State *L, const char *type) {
	luaL_getmetatable(L, type);
	lua_setmetatable(L, -2);
}

void api_push_record(struct lane *lane, lua_State *L, struct convo *convo) {
	struct view *view = lua_newuserdata(L, offsetof(struct view, record));

	view->kind = VIEW_CONVO;
	view->generation = convo->generation;
	view->convo = convo;
	lua_rawgeti(L, LUA_REGISTRYINDEX, lane->view_ref);
	lua_setmetatable(L, -2);
}

static void push_target(lua_State *L, const struct lane *lane, const struct wire_target *target) {
	struct view *view = lua_newuserdata(L, sizeof(*view));

	*view = (struct view){.kind = VIEW_TARGET};
	view->record.wire.ip = target->ip;
	view->record.wire.port = target->port;
	view->record.wire.flags = lane->params->has_ports ? WIRE_HAS_PORT : 0;
	if (target->protocol[0])
		snprintf(view->record.wire.protocol, sizeof(view->record.wire.protocol), "%.*s",
			(int)sizeof(target->protocol) - 1, target->protocol);
	else
		snprintf(view->record.wire.protocol, sizeof(view->record.wire.protocol), "%s",
			lane->params->protocol);
	set_type(L, RECORD_TYPE);
}

/* A copy in one piece: the view, then service, banner and plugins. */
static void push_copy(lua_State *L, const struct record *record) {
	size_t service = record->service ? sizeof(*record->service) : 0;
	size_t banner = record->banner ? record->wire.banner_bytes : 0;
	size_t plugins = record->plugins ? record->wire.plugins_bytes : 0;
	struct view *view = lua_newuserdata(L, sizeof(*view) + service + banner + plugins);
	char *at = (char *)(view + 1);

	*view = (struct view){.kind = VIEW_ROW, .record = *record};
	if (service)
		view->record.service = memcpy(at, record->service, service);
	at += service;
	if (record->banner)
		view->record.banner = memcpy(at, record->banner, banner);
	at += banner;
	if (plugins)
		view->record.plugins = memcpy(at, record->plugins, plugins);
	set_type(L, RECORD_TYPE);
}

void api_push_row(struct lane *lane, lua_State *L, const struct page *page, unsigned row) {
	if (page->targets)
		push_target(L, lane, &page->target[row]);
	else
		push_copy(L, &page->record[row]);
}

/* ---- Sequences ---- */

void api_push_sequence(struct lane *lane, lua_State *L, bool targets) {
	struct sequence *sequence = lua_newuserdata(L, sizeof(*sequence));

	*sequence = (struct sequence){targets, lane->phase->generation};
	set_type(L, SEQUENCE_TYPE);
}

static struct sequence *sequence_of(lua_State *L, const struct lane *lane) {
	struct sequence *sequence = lua_touserdata(L, 1);

	if (lane->current != lane->phase || sequence->generation != lane->phase->generation)
		luaL_error(L, "this sequence is over; it lives as long as the hook that got it");
	return sequence;
}

static int sequence_len(lua_State *L) {
	const struct lane *lane = lane_of(L);

	sequence_of(L, lane);
	lua_pushnumber(L, (double)lane->count);
	return 1;
}

/* seq[i]: from the page that is here, or after waiting for it. */
static int sequence_index(lua_State *L) {
	struct lane *lane = lane_of(L);
	const struct sequence *sequence = sequence_of(L, lane);
	double number = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : 0;
	const struct page *page;
	uint64_t row;

	if (!(number >= 1 && number <= (double)lane->count) || number != (double)(uint64_t)number)
		return 0;
	row = (uint64_t)number - 1;
	convo_refresh(lane, lane->phase);
	page = seq_find(lane, sequence->targets, row);
	if (page) {
		api_push_row(lane, L, page, (unsigned)(row - page->first));
		return 1;
	}
	lane->phase->op = (struct op){.kind = OP_PAGE,
		.row = row,
		.targets = sequence->targets,
		.deadline_ns = UINT64_MAX};
	return op_begin(lane, lane->phase, L);
}

/* ---- Metatables ---- */

static void add_method(lua_State *L, struct lane *lane, const char *name, lua_CFunction function) {
	lua_pushlightuserdata(L, lane);
	lua_pushcclosure(L, function, 1);
	lua_setfield(L, -2, name);
}

static void begin_type(lua_State *L, struct lane *lane, const char *type, lua_CFunction index) {
	luaL_newmetatable(L, type);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	add_method(L, lane, "__index", index);
	add_method(L, lane, "__newindex", read_only);
}

void api_push_fields(lua_State *L) {
	lua_createtable(L, NB_FIELDS, 0);
	for (unsigned i = 0; i < NB_FIELDS; i++) {
		lua_pushstring(L, fields[i].name);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

void api_record_open(struct lane *lane, lua_State *L) {
	begin_type(L, lane, RECORD_TYPE, view_index);
	add_method(L, lane, "__tostring", view_tostring);
	lua_pushlightuserdata(L, lane);
	lua_getglobal(L, "next");
	lua_pushcclosure(L, view_pairs, 2);
	lua_setfield(L, -2, "__pairs");
	lane->view_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	begin_type(L, lane, SEQUENCE_TYPE, sequence_index);
	add_method(L, lane, "__len", sequence_len);
	lua_pop(L, 1);
	/* Kept by the registry, so that the addresses stay. */
	lua_createtable(L, NB_FIELDS, 0);
	for (unsigned i = 0; i < NB_FIELDS; i++) {
		lua_pushstring(L, fields[i].name);
		lane->field[i] = lua_tostring(L, -1);
		lua_rawseti(L, -2, (int)i + 1);
	}
	luaL_ref(L, LUA_REGISTRYINDEX);
}
