/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Conversations: a result, or a phase hook, on its way through the plugin's code.
 *
 * Runs in a lane. A conversation owns its copy of the result, its coroutine, its sockets and what
 * add_result() gave, until it ends; then its place waits for the next one.
 *
 * Two limits are watched from here. Instructions: a count hook at random intervals charges the
 * conversation that it meets, so that no way of yielding escapes it, and ends the process beyond the
 * limit, which no pcall catches. Processor time: each slice is charged; what never comes back is
 * killed by the warden, which sees the lane's clock and slice number.
 */
#include "lane.h"

#include <lauxlib.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	EXACT_NS = 200 * 1000, /* a slice that took longer is charged by the processor's clock */
	INTERVAL = 1000, /* instructions between two count hooks, on average, at most */
	INTERVALS = 256, /* in the limit: its error is 1/16 (standard deviation) at the most */
	ERROR_BYTES = 1024,
};

/*
 * Count hooks get no argument of ours; a lane is one process with one VM.
 */
static struct lane *hooked;

/* ---- Limits ---- */

/* Whether this conversation's instructions are limited: results and elements, not loading. */
static bool counts(const struct convo *convo) {
	return convo->hook != RUN_MAIN && convo->hook != LH_HOOK_ON_LOAD && convo->hook != RUN_TESTS
		&& convo->hook != LH_HOOK_ON_UNLOAD;
}

static bool is_loading(const struct lane *lane, const struct convo *convo) {
	return convo == lane->phase
		&& (convo->hook == RUN_MAIN || convo->hook == LH_HOOK_ON_LOAD
			|| convo->hook == RUN_TESTS);
}

static unsigned next_interval(struct lane *lane) {
	/* xorshift64: unpredictable enough for code that cannot see it. */
	lane->random ^= lane->random << 13;
	lane->random ^= lane->random >> 7;
	lane->random ^= lane->random << 17;
	return 1 + (unsigned)(lane->random % (2 * lane->mean - 1));
}

/* Processor time of the running slice; never less than what it really used. */
static uint64_t slice_cpu(struct lane *lane) {
	uint64_t wall_ns = lane->now_ns - lane->slice_ns, before_ns = lane->cpu_sample_ns, cpu_ns;

	if (wall_ns <= EXACT_NS)
		return wall_ns;
	cpu_ns = lane_cpu(lane) - before_ns;
	return cpu_ns < wall_ns ? cpu_ns : wall_ns;
}

static void check_time(struct lane *lane, struct convo *convo) {
	uint64_t limit_ns = (uint64_t)(lane->limits.cpu_s * 1e9);
	uint64_t before_ns;

	lane_now(lane);
	if (lane->now_ns > convo->wall_ns)
		lane_die(LH_TIMEOUT);
	if (convo->cpu_ns + (lane->now_ns - lane->slice_ns) < limit_ns)
		return;
	before_ns = lane->cpu_sample_ns;
	if (convo->cpu_ns + slice_cpu(lane) >= limit_ns)
		lane_die(LH_TIMEOUT);
	lane->cpu_sample_ns = before_ns; /* the slice goes on */
}

static void on_count(lua_State *L, lua_Debug *debug) {
	struct lane *lane = hooked;
	struct convo *convo = lane->current;

	if (convo) {
		convo->instructions += lane->interval;
		if (counts(convo) && convo->instructions >= lane->limits.instructions)
			lane_die(LH_INSTRUCTIONS);
		check_time(lane, convo);
	}
	lane->interval = next_interval(lane);
	lua_sethook(L, on_count, LUA_MASKCOUNT, (int)lane->interval);
}

/* Out of memory outside a protected call: the VM cannot go on. */
static int on_panic(lua_State *L) {
	lane_die(LH_MEMORY);
}

void convo_install_hook(struct lane *lane) {
	uint64_t mean = lane->limits.instructions / INTERVALS;

	hooked = lane;
	lane->mean = mean < 1 ? 1 : mean > INTERVAL ? INTERVAL : (unsigned)mean;
	lane->random = lane_now(lane) * 2654435761u | 1;
	lane->interval = next_interval(lane);
	lua_atpanic(lane->lua, on_panic);
	lua_sethook(lane->lua, on_count, LUA_MASKCOUNT, (int)lane->interval);
}

/* ---- Timers: a binary heap of slots by deadline ---- */

static uint64_t timer_at(const struct lane *lane, unsigned i) {
	return lane->convo[lane->heap[i]].timer_ns;
}

static void heap_put(struct lane *lane, unsigned i, uint32_t slot) {
	lane->heap[i] = slot;
	lane->convo[slot].heap_at = i;
}

static void sift_up(struct lane *lane, unsigned i) {
	uint32_t slot = lane->heap[i];

	for (; i > 1 && timer_at(lane, i / 2) > lane->convo[slot].timer_ns; i /= 2)
		heap_put(lane, i, lane->heap[i / 2]);
	heap_put(lane, i, slot);
}

static void sift_down(struct lane *lane, unsigned i) {
	uint32_t slot = lane->heap[i];

	for (unsigned child; (child = 2 * i) <= lane->nb_heap; i = child) {
		if (child < lane->nb_heap && timer_at(lane, child + 1) < timer_at(lane, child))
			child++;
		if (timer_at(lane, child) >= lane->convo[slot].timer_ns)
			break;
		heap_put(lane, i, lane->heap[child]);
	}
	heap_put(lane, i, slot);
}

static void disarm(struct lane *lane, struct convo *convo) {
	unsigned i = convo->heap_at;
	uint32_t last;

	if (!i)
		return;
	convo->heap_at = 0;
	last = lane->heap[lane->nb_heap--];
	if (last == convo->slot)
		return;
	heap_put(lane, i, last);
	sift_up(lane, i);
	sift_down(lane, lane->convo[last].heap_at);
}

void convo_arm(struct lane *lane, struct convo *convo) {
	uint64_t deadline_ns = convo->wall_ns;

	if (convo->op.kind != OP_NONE && convo->op.deadline_ns < deadline_ns)
		deadline_ns = convo->op.deadline_ns;
	disarm(lane, convo);
	convo->timer_ns = deadline_ns;
	heap_put(lane, ++lane->nb_heap, convo->slot);
	sift_up(lane, lane->nb_heap);
}

uint64_t convo_next_timer(const struct lane *lane) {
	return lane->nb_heap ? timer_at(lane, 1) : UINT64_MAX;
}

void convo_timers(struct lane *lane) {
	while (convo_next_timer(lane) <= lane->now_ns) {
		struct convo *convo = &lane->convo[lane->heap[1]];

		if (convo->wall_ns <= lane->now_ns)
			convo_abort(lane, convo, LH_TIMEOUT, "over wall_seconds");
		else
			op_timeout(lane, convo);
	}
}

/* ---- Coroutines ---- */

static int new_coroutine(lua_State *L) {
	struct convo *convo = lua_touserdata(L, 1);

	convo->co = lua_newthread(L);
	convo->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

static void get_coroutine(struct lane *lane, struct convo *convo) {
	if (lane->nb_spare) {
		convo->co = lane->spare_co[--lane->nb_spare];
		convo->co_ref = lane->spare_ref[lane->nb_spare];
		return;
	}
	/* Without memory for it there is none for anything. */
	if (lua_cpcall(lane->lua, new_coroutine, convo))
		lane_die(LH_MEMORY);
}

/* A coroutine that ended well can run again; any other is left to the collector. */
static void put_coroutine(struct lane *lane, struct convo *convo, bool reusable) {
	if (!convo->co)
		return;
	if (reusable) {
		lua_settop(convo->co, 0);
		lane->spare_co[lane->nb_spare] = convo->co;
		lane->spare_ref[lane->nb_spare++] = convo->co_ref;
	} else {
		luaL_unref(lane->lua, LUA_REGISTRYINDEX, convo->co_ref);
	}
	convo->co = NULL;
}

/* ---- The end of a conversation ---- */

static void worsen(struct convo *convo, enum lh_status status, const char *why) {
	if (status < convo->status)
		return;
	/* Of two equally bad ones the first is told. */
	if (status > convo->status && why) {
		free(convo->error);
		if (asprintf(&convo->error, "%.*s", ERROR_BYTES - 1, why) < 0)
			convo->error = NULL;
	}
	convo->status = (uint8_t)status;
}

static void send_results(struct lane *lane, const struct convo *convo) {
	size_t length = convo->additions_bytes + 4 * (size_t)convo->nb_additions + 3, at = 0;
	char *text;

	if (!convo->nb_additions)
		return;
	text = malloc(length);
	if (!text)
		lane_die(LH_MEMORY);
	for (unsigned i = 0; i < convo->nb_additions; i++)
		at += (size_t)sprintf(text + at, "%s%s:%s", i ? "," : "{", convo->additions[i].key,
			convo->additions[i].value);
	at += (size_t)sprintf(text + at, "}");
	lane_send_text(lane, convo->slot, TEXT_RESULTS, text, at);
	free(text);
}

static void send_done(struct lane *lane, const struct convo *convo, enum up_type type) {
	size_t error = convo->error ? strlen(convo->error) : 0;
	size_t service = convo->has_service ? sizeof(struct lh_service) : 0;
	struct wire_done done = {.slot = convo->slot,
		.status = convo->status,
		.flags = service ? WIRE_HAS_SERVICE : 0,
		.error_bytes = (uint16_t)error};
	uint8_t *room = lane_reserve(lane, type, sizeof(done) + service + error);

	memcpy(room, &done, sizeof(done));
	if (service)
		memcpy(room + sizeof(done), &convo->record.service->service, service);
	if (error)
		memcpy(room + sizeof(done) + service, convo->error, error);
	ring_commit(&lane->up);
}

static void clear(struct lane *lane, struct convo *convo, bool reusable) {
	disarm(lane, convo);
	sock_close_all(lane, convo);
	op_clear(&convo->op);
	put_coroutine(lane, convo, reusable);
	record_clear(&convo->record);
	for (unsigned i = 0; i < convo->nb_additions; i++) {
		free(convo->additions[i].key);
		free(convo->additions[i].value);
	}
	free(convo->additions);
	free(convo->error);
	convo->additions = NULL;
	convo->nb_additions = 0;
	convo->additions_bytes = 0;
	convo->error = NULL;
	convo->generation++;
	convo->active = false;
	lane->nb_active--;
}

static _Noreturn void end_load(struct lane *lane, const struct convo *convo) {
	const char *why = convo->error ? convo->error : "failed";

	memcpy(lane_reserve(lane, UP_FAILED, strlen(why)), why, strlen(why));
	ring_commit(&lane->up);
	_exit(LANE_EXIT_LOAD);
}

/* Tell what became of it, and free its place. */
static void end(struct lane *lane, struct convo *convo, bool reusable) {
	bool loading = is_loading(lane, convo);

	if (convo->status < LH_TIMEOUT && convo->cpu_ns > (uint64_t)(lane->limits.cpu_s * 1e9)
		&& !loading)
		worsen(convo, LH_TIMEOUT, "over cpu_seconds");
	if (loading && convo->status != LH_OK)
		end_load(lane, convo);
	if (loading)
		lane->loaded = true;
	else if (convo->hook == LH_HOOK_ON_UNLOAD)
		_exit(0);
	else if (convo == lane->phase)
		send_done(lane, convo, UP_PHASE_DONE);
	else {
		send_results(lane, convo);
		send_done(lane, convo, UP_DONE);
	}
	if (convo == lane->phase)
		seq_clear(lane);
	clear(lane, convo, reusable);
}

void convo_abort(struct lane *lane, struct convo *convo, enum lh_status status, const char *why) {
	worsen(convo, status, why);
	end(lane, convo, false);
}

void convo_drop_all(struct lane *lane) {
	for (uint32_t slot = 0; slot <= LANE_SLOTS; slot++)
		if (lane->convo[slot].active)
			clear(lane, &lane->convo[slot], false);
}

/* ---- What hooks return ---- */

struct returned {
	struct lane *lane;
	struct convo *convo;
	const char *wrong; /* what is wrong with it; NULL: nothing */
	char text[200];
};

/* Copy the string field @name of the table at 1, where there is one. */
static bool take_field(
	lua_State *L, struct returned *returned, const char *name, char *out, size_t room) {
	size_t length;
	const char *text;

	lua_pushstring(L, name);
	lua_rawget(L, 1);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return true;
	}
	text = lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER
		? lua_tolstring(L, -1, &length)
		: NULL;
	if (!text)
		snprintf(returned->text, sizeof(returned->text), "%s is a %s; give a string", name,
			luaL_typename(L, -1));
	else if (length >= room)
		snprintf(returned->text, sizeof(returned->text), "%s is over %zu bytes", name,
			room - 1);
	else if (memchr(text, '\0', length) || utf8_valid(text, length) != length)
		snprintf(returned->text, sizeof(returned->text), "%s is not UTF-8 text", name);
	else {
		memcpy(out, text, length + 1);
		lua_pop(L, 1);
		return true;
	}
	returned->wrong = returned->text;
	return false;
}

static bool take_confidence(lua_State *L, struct returned *returned, double *confidence) {
	lua_pushstring(L, "confidence");
	lua_rawget(L, 1);
	if (lua_type(L, -1) == LUA_TNUMBER)
		*confidence = lua_tonumber(L, -1);
	else if (!lua_isnil(L, -1))
		*confidence = -1;
	lua_pop(L, 1);
	if (*confidence >= 0 && *confidence <= 1)
		return true;
	returned->wrong = "confidence must be a number from 0 to 1";
	return false;
}

/* {service, product, version, info, os, cpe, confidence}: taken where it is surer than what is known. */
static void take_service(lua_State *L, struct returned *returned) {
	struct convo *convo = returned->convo;
	struct lh_service service = {.confidence = 0.5};
	const struct lh_service *known
		= convo->record.service ? &convo->record.service->service : NULL;

	if (!lua_istable(L, 1)) {
		snprintf(returned->text, sizeof(returned->text),
			"%s returned a %s; give nil or a table", lh_hook_names[convo->hook],
			luaL_typename(L, 1));
		returned->wrong = returned->text;
		return;
	}
	if (!take_field(L, returned, "service", service.name, sizeof(service.name))
		|| !take_field(L, returned, "product", service.product, sizeof(service.product))
		|| !take_field(L, returned, "version", service.version, sizeof(service.version))
		|| !take_field(L, returned, "info", service.info, sizeof(service.info))
		|| !take_field(L, returned, "os", service.os, sizeof(service.os))
		|| !take_field(L, returned, "cpe", service.cpe, sizeof(service.cpe))
		|| !take_confidence(L, returned, &service.confidence))
		return;
	if (known && known->name[0] && known->confidence >= service.confidence)
		return;
	/* Surer of the version than of the name: the name stays. */
	if (known && !service.name[0])
		memcpy(service.name, known->name, sizeof(service.name));
	if (!known)
		convo->record.service = malloc(sizeof(*convo->record.service));
	if (!convo->record.service)
		lane_die(LH_MEMORY);
	*convo->record.service = (struct wire_service){.service = service};
	snprintf(convo->record.service->source, LH_NAME_BYTES, "%s", returned->lane->plugin->name);
	convo->has_service = true;
}

static void take_formatted(lua_State *L, struct returned *returned) {
	size_t length;
	const char *text;

	if (lua_type(L, 1) != LUA_TSTRING) {
		returned->wrong = "format_result must return a string or nil";
		return;
	}
	text = lua_tolstring(L, 1, &length);
	if (length > FORMATTED_MAX) {
		returned->wrong = "format_result returned over 16 MiB";
		return;
	}
	lane_send_text(returned->lane, returned->convo->slot, TEXT_FORMATTED, text, length);
}

/* A list of strings at the top, joined by ", "; or one string. */
static void send_list(lua_State *L, struct returned *returned, enum text_kind kind) {
	unsigned n = lua_istable(L, -1) ? (unsigned)lua_objlen(L, -1) : 0;
	luaL_Buffer joined;

	if (lua_type(L, -1) == LUA_TTABLE) {
		luaL_buffinit(L, &joined);
		for (unsigned i = 1; i <= n; i++) {
			if (i > 1)
				luaL_addstring(&joined, ", ");
			lua_rawgeti(L, 2, (int)i);
			if (lua_type(L, -1) != LUA_TSTRING) {
				returned->wrong = "exclude must be a list of addresses as strings";
				return;
			}
			luaL_addvalue(&joined);
		}
		luaL_pushresult(&joined);
	}
	if (lua_type(L, -1) != LUA_TSTRING) {
		returned->wrong = "ports and exclude must be strings, or exclude a list of them";
		return;
	}
	{
		size_t length;
		const char *text = lua_tolstring(L, -1, &length);

		if (length > NARROWING_MAX)
			returned->wrong = "ports and exclude may have 1 MiB each";
		else
			lane_send_text(returned->lane, returned->convo->slot, kind, text, length);
	}
}

/* {ports = "...", exclude = {...}} */
static void take_narrowing(lua_State *L, struct returned *returned) {
	static const struct {
		const char *name;
		enum text_kind kind;
	} fields[] = {{"ports", TEXT_PORTS}, {"exclude", TEXT_EXCLUDE}};

	if (!lua_istable(L, 1)) {
		returned->wrong
			= "on_pre_scan must return nil or {ports = \"...\", exclude = {...}}";
		return;
	}
	for (unsigned i = 0; i < 2 && !returned->wrong; i++) {
		lua_settop(L, 1);
		lua_pushstring(L, fields[i].name);
		lua_rawget(L, 1);
		if (!lua_isnil(L, -1))
			send_list(L, returned, fields[i].kind);
	}
}

static void take_load_error(lua_State *L, struct returned *returned) {
	returned->wrong = lua_type(L, 1) == LUA_TSTRING
		? lua_tostring(L, 1)
		: "on_load must return nil or an error string";
}

/* Protected: @returned is argument 1, the first value that the hook returned argument 2. */
static int take_returned(lua_State *L) {
	static void (*const take[RUN_COUNT])(lua_State *, struct returned *) = {
		[LH_HOOK_ON_LOAD] = take_load_error,
		[LH_HOOK_ON_PRE_SCAN] = take_narrowing,
		[LH_HOOK_FORMAT_RESULT] = take_formatted,
		[LH_HOOK_ANALYZE_BANNER] = take_service,
		[LH_HOOK_PROBE_SERVICE] = take_service,
		[RUN_CASE] = take_formatted,
	};
	struct returned *returned = lua_touserdata(L, 1);
	unsigned hook = returned->convo->hook;

	lua_remove(L, 1);
	if (take[hook])
		take[hook](L, returned);
	if (returned->wrong)
		worsen(returned->convo, LH_ERROR, returned->wrong);
	return 0;
}

/* Look at what the hook that just ended returned, in a protected call. */
static void look_at_returned(struct lane *lane, struct convo *convo) {
	struct returned returned = {.lane = lane, .convo = convo};
	lua_State *co = convo->co;

	if (lua_gettop(co) == 0 || lua_isnil(co, 1))
		return;
	lua_settop(co, 1);
	lua_pushcfunction(co, take_returned);
	lua_pushlightuserdata(co, &returned);
	lua_pushvalue(co, 1);
	if (lua_pcall(co, 2, 0, 0))
		worsen(convo, LH_MEMORY, "not enough memory");
}

/* ---- Running ---- */

static void push_config(lua_State *L, const struct lh_value *value);

static void push_value(lua_State *L, const struct lh_value *value) {
	switch (value->kind) {
	case LH_VALUE_STRING:
		lua_pushstring(L, value->string);
		break;
	case LH_VALUE_INTEGER:
		lua_pushnumber(L, (double)value->integer);
		break;
	case LH_VALUE_NUMBER:
		lua_pushnumber(L, value->number);
		break;
	case LH_VALUE_BOOLEAN:
		lua_pushboolean(L, value->boolean);
		break;
	case LH_VALUE_ARRAY:
		push_config(L, value);
		break;
	}
}

static void push_config(lua_State *L, const struct lh_value *array) {
	lua_createtable(L, (int)array->nb_items, 0);
	for (unsigned i = 0; i < array->nb_items; i++) {
		push_value(L, &array->items[i]);
		lua_rawseti(L, -2, (int)i + 1);
	}
}

static int push_arguments(struct lane *lane, struct convo *convo, lua_State *co) {
	const struct record *record = &convo->record;

	switch ((enum lh_hook)convo->hook) {
	case LH_HOOK_ON_LOAD:
		lua_createtable(co, 0, (int)lane->plugin->nb_config);
		for (unsigned i = 0; i < lane->plugin->nb_config; i++) {
			lua_pushstring(co, lane->plugin->config[i].key);
			push_value(co, &lane->plugin->config[i]);
			lua_rawset(co, -3);
		}
		return 1;
	case LH_HOOK_ON_PRE_SCAN:
		api_push_sequence(lane, co, true);
		return 1;
	case LH_HOOK_ON_POST_SCAN:
		api_push_sequence(lane, co, false);
		return 1;
	case LH_HOOK_EXPORT:
		api_push_sequence(lane, co, false);
		lua_pushstring(co, lane->path);
		return 2;
	case LH_HOOK_ON_TARGET:
		api_push_record(lane, co, convo);
		lua_pushvalue(co, -1);
		return 2;
	case LH_HOOK_FORMAT_RESULT:
	case LH_HOOK_PROBE_SERVICE:
		api_push_record(lane, co, convo);
		return 1;
	case LH_HOOK_ANALYZE_BANNER:
		lua_pushlstring(co, record->banner, record->wire.banner_bytes);
		return 1;
	case LH_HOOK_ON_UNLOAD:
	case LH_HOOK_COUNT:
		break;
	}
	return 0;
}

/* Whether this hook is to be called for the conversation's result. */
static bool applies(const struct lane *lane, const struct convo *convo, enum lh_hook hook) {
	const struct lh_service *service
		= convo->record.service ? &convo->record.service->service : NULL;

	if (lane->hook_ref[hook] == LUA_NOREF)
		return false;
	if (hook == LH_HOOK_ANALYZE_BANNER)
		return convo->record.banner != NULL;
	if (hook == LH_HOOK_PROBE_SERVICE)
		return !service || !service->name[0] || service->confidence < 0.8;
	return true;
}

/* The hook to call behind the one that ended; false: none. */
static bool next_hook(struct lane *lane, struct convo *convo, bool first) {
	static const uint8_t order[LH_TYPE_COUNT][2] = {
		[LH_TYPE_SCAN] = {LH_HOOK_ON_TARGET, LH_HOOK_COUNT},
		[LH_TYPE_OUTPUT] = {LH_HOOK_FORMAT_RESULT, LH_HOOK_COUNT},
		[LH_TYPE_DETECTION] = {LH_HOOK_ANALYZE_BANNER, LH_HOOK_PROBE_SERVICE},
	};
	const uint8_t *hooks = order[lane->plugin->type];

	if (convo == lane->phase)
		return first;
	for (unsigned i = 0; i < 2; i++) {
		if (!first && i == 0 && convo->hook == hooks[0])
			continue;
		if (!first && convo->hook != hooks[0])
			return false;
		if (hooks[i] != LH_HOOK_COUNT && applies(lane, convo, (enum lh_hook)hooks[i])) {
			convo->hook = hooks[i];
			return true;
		}
	}
	return false;
}

static void failed(struct lane *lane, struct convo *convo, int rc) {
	static const char denied[] = "PermissionDenied: ";
	char text[ERROR_BYTES];

	sandbox_error_text(convo->co, text, sizeof(text));
	if (rc == LUA_ERRMEM || !strcmp(text, "not enough memory"))
		worsen(convo, LH_MEMORY, "not enough memory");
	else if (!strncmp(text, denied, sizeof(denied) - 1))
		worsen(convo, LH_DENIED, text);
	else
		worsen(convo, LH_ERROR, text);
	if (rc == LUA_ERRMEM)
		lua_gc(lane->lua, LUA_GCCOLLECT, 0);
	end(lane, convo, false);
}

/* The hook's name and reference of what main.lua defined. Protected. */
static int find_hooks(lua_State *L) {
	struct lane *lane = lua_touserdata(L, 1);

	for (unsigned hook = 0; hook < LH_HOOK_COUNT; hook++) {
		sandbox_push_global(lane->box, L, lh_hook_names[hook]);
		if (lua_isfunction(L, -1))
			lane->hook_ref[hook] = luaL_ref(L, LUA_REGISTRYINDEX);
		else
			lua_pop(L, 1);
	}
	return 0;
}

static bool has_own_hook(const struct lane *lane) {
	uint32_t own = lh_type_hooks(lane->plugin->type);

	for (unsigned hook = 0; hook < LH_HOOK_COUNT; hook++)
		if ((own >> hook & 1) && hook != LH_HOOK_ON_LOAD && hook != LH_HOOK_ON_UNLOAD
			&& lane->hook_ref[hook] != LUA_NOREF)
			return true;
	return false;
}

/* The main chunk ended: now on_load, where there is one. True where it is to be run. */
static bool after_main(struct lane *lane, struct convo *convo) {
	lua_pushcfunction(lane->lua, find_hooks);
	lua_pushlightuserdata(lane->lua, lane);
	if (lua_pcall(lane->lua, 1, 0, 0)) {
		lua_pop(lane->lua, 1);
		worsen(convo, LH_MEMORY, "not enough memory");
		return false;
	}
	if (!has_own_hook(lane)) {
		worsen(convo, LH_ERROR, "main.lua ran, but defined no hook of its plugin_type");
		return false;
	}
	convo->hook = LH_HOOK_ON_LOAD;
	return lane->hook_ref[LH_HOOK_ON_LOAD] != LUA_NOREF;
}

static void run(struct lane *lane, struct convo *convo, int arguments);

static void call_hook(struct lane *lane, struct convo *convo) {
	lua_rawgeti(convo->co, LUA_REGISTRYINDEX, lane->hook_ref[convo->hook]);
	run(lane, convo, push_arguments(lane, convo, convo->co));
}

/* A file of tests, once the plugin is loaded: its cases run later, as results do. */
static void run_tests(struct lane *lane, struct convo *convo) {
	int rc;

	convo->hook = RUN_TESTS;
	rc = sandbox_push_tests(lane->box, convo->co, lane->params->tests, lane->test_ref);
	if (rc)
		failed(lane, convo, rc);
	else
		run(lane, convo, 0);
}

static void run_case(struct lane *lane, struct convo *convo) {
	convo->hook = RUN_CASE;
	lua_rawgeti(convo->co, LUA_REGISTRYINDEX, lane->case_ref);
	lua_pushnumber(convo->co, (double)convo->record.wire.ts_ns);
	run(lane, convo, 1);
}

static bool wants_tests(const struct lane *lane, const struct convo *convo) {
	return lane->params->tests && is_loading(lane, convo) && convo->hook != RUN_TESTS
		&& convo->status == LH_OK;
}

static void returned(struct lane *lane, struct convo *convo) {
	bool more;

	if (convo->hook == RUN_MAIN) {
		more = after_main(lane, convo);
	} else {
		look_at_returned(lane, convo);
		more = next_hook(lane, convo, false);
	}
	lua_settop(convo->co, 0);
	if (more)
		call_hook(lane, convo);
	else if (wants_tests(lane, convo))
		run_tests(lane, convo);
	else
		end(lane, convo, true);
}

static void charge(struct lane *lane, struct convo *convo) {
	lane_now(lane);
	convo->cpu_ns += slice_cpu(lane);
}

/* Odd: plugin code begins; even: it is over. */
static void next_slice(struct area *shared) {
	uint32_t slice = atomic_load_explicit(&shared->slice, memory_order_relaxed);

	atomic_store_explicit(&shared->slice, slice + 1, memory_order_release);
}

/* One slice of plugin code: until it ends or waits. */
static void run(struct lane *lane, struct convo *convo, int arguments) {
	struct area *shared = lane->shared;
	int rc;

	lane->current = convo;
	lane->slice_ns = lane->now_ns;
	atomic_store_explicit(&shared->running, convo->slot, memory_order_relaxed);
	/* Release: who sees this time sees that the slice before is over. */
	atomic_store_explicit(&shared->cpu_before_ns, convo->cpu_ns, memory_order_release);
	next_slice(shared);
	rc = lua_resume(convo->co, arguments);
	next_slice(shared);
	lane->current = NULL;
	charge(lane, convo);
	if (rc == 0)
		returned(lane, convo);
	else if (rc != LUA_YIELD)
		failed(lane, convo, rc);
	else if (!sandbox_is_wait(convo->co) || convo->op.kind == OP_NONE)
		convo_abort(lane, convo, LH_ERROR, "attempt to yield outside of a coroutine");
	else if (convo->cpu_ns > (uint64_t)(lane->limits.cpu_s * 1e9))
		convo_abort(lane, convo, LH_TIMEOUT, "over cpu_seconds");
	else {
		lua_settop(convo->co, 0);
		convo_arm(lane, convo);
	}
}

/* An element of a sequence has limits of its own. */
void convo_refresh(struct lane *lane, struct convo *convo) {
	struct area *shared = lane->shared;
	uint32_t slice = atomic_load_explicit(&shared->slice, memory_order_relaxed);

	convo->instructions = convo->cpu_ns = 0;
	lane->slice_ns = lane_now(lane);
	atomic_store_explicit(&shared->cpu_before_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->slice, slice + 2, memory_order_release);
}

void convo_resume(struct lane *lane, struct convo *convo, const struct outcome *outcome) {
	int values;

	disarm(lane, convo);
	atomic_store_explicit(&lane->shared->running, convo->slot, memory_order_relaxed);
	values = op_push(lane, convo->co, outcome);
	op_clear(&convo->op);
	run(lane, convo, values);
}

/* ---- Beginning ---- */

struct convo *convo_of(struct lane *lane, uint32_t slot) {
	return slot <= LANE_SLOTS && lane->convo[slot].active ? &lane->convo[slot] : NULL;
}

static void begin(struct lane *lane, struct convo *convo, uint32_t slot, double wall_s) {
	convo->slot = slot;
	convo->active = true;
	convo->status = LH_OK;
	convo->has_service = false;
	convo->instructions = convo->cpu_ns = 0;
	convo->wall_ns = lane->now_ns + (uint64_t)(wall_s * 1e9);
	convo->op.kind = OP_NONE;
	convo->network = true;
	atomic_store_explicit(&lane->shared->running, slot, memory_order_relaxed);
	lane->nb_active++;
	get_coroutine(lane, convo);
}

void convo_start(struct lane *lane, struct convo *convo) {
	begin(lane, convo, convo->record.wire.slot, lane->limits.wall_s);
	if (lane->params->tests)
		run_case(lane, convo);
	else if (next_hook(lane, convo, true))
		call_hook(lane, convo);
	else
		end(lane, convo, true);
}

void convo_load(struct lane *lane) {
	struct convo *convo = lane->phase;
	int rc;

	for (unsigned hook = 0; hook < LH_HOOK_COUNT; hook++)
		lane->hook_ref[hook] = LUA_NOREF;
	lane_now(lane);
	begin(lane, convo, LANE_SLOT_PHASE, lane->limits.phase_s);
	convo->hook = RUN_MAIN;
	convo->network = false;
	rc = sandbox_push_main(lane->box, convo->co);
	if (rc)
		failed(lane, convo, rc);
	else
		run(lane, convo, 0);
}

void convo_phase(struct lane *lane, enum lh_hook hook, const char *path, uint64_t count) {
	struct convo *convo = lane->phase;

	begin(lane, convo, LANE_SLOT_PHASE, lane->limits.phase_s);
	convo->hook = (uint8_t)hook;
	convo->network = hook != LH_HOOK_ON_UNLOAD;
	lane->count = count;
	free(lane->path);
	lane->path = path ? strdup(path) : NULL;
	if (lane->hook_ref[hook] == LUA_NOREF)
		end(lane, convo, true);
	else
		call_hook(lane, convo);
}
