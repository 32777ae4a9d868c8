/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VM of one plugin. Here are its life, the sources that it may load, the C half of its
 * environment (prelude.lua is the other), waiting, and the text of its errors.
 *
 * Runs in a lane, on its main thread: how much of the C stack is left is reckoned from where
 * sandbox_create() was called. A sandbox owns its VM and all memory of it; the sources belong to
 * the caller and must outlive it.
 */
#include "alloc.h"
#include "codec.h"
#include "luajson.h"
#include "luautf8.h"
#include "sandbox.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
	MODULE_NAME_BYTES = 64,
	CHUNK_NAME_BYTES = MODULE_NAME_BYTES + 16, /* "@lib/NAME.lua" */
	COROUTINE_DEPTH = 190, /* coroutines resumed within each other, as in Lua's own limit */
	STACK_BYTES = 8 << 20, /* of C stack that are counted on, where the limit is not lower */
	DUMP_HEADER_BYTES = 5,
	DUMP_HAS_FFI = 4, /* flag of a dumped chunk that has 64-bit or complex constants */
};

struct sandbox {
	struct alloc alloc;
	lua_State *L;
	const struct lh_source *sources;
	unsigned nb_sources;
	int environment; /* reference in the registry */
	const char *stack_top; /* where the C stack was when the VM was made */
	size_t stack_bytes;
};

/* What a coroutine yields that waits for the host; the plugin never gets at it. */
static const char wait_tag;
/* Where in the registry the coroutines of the plugin are noted (`own` in prelude.lua). */
static const char own_tag;

static const char prelude[] =
#include "prelude.inc"
	;

/* ---- C stack ---- */

/*
 * Functions that call Lua from C take C stack at each level, and LuaJIT does not count: gsub in its
 * own callback, deep enough, ends the process. Coroutines may take a quarter, so that whatever runs
 * in the innermost has room for all that the VM's own limits allow.
 */
static bool stack_is_short(const struct sandbox *box, unsigned quarters) {
	const char *here = __builtin_frame_address(0);

	return here < box->stack_top
		&& (size_t)(box->stack_top - here) > box->stack_bytes / 4 * quarters;
}

static size_t stack_limit(void) {
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur > STACK_BYTES)
		return STACK_BYTES;
	return (size_t)limit.rlim_cur;
}

static struct sandbox *upvalue_box(lua_State *L) {
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* The library function in upvalue 2, in this frame, so that its errors are as they ever were. */
static int guarded(lua_State *L) {
	if (stack_is_short(upvalue_box(L), 2))
		return luaL_error(L, "stack overflow");
	return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

/* ---- Sources ---- */

static const struct lh_source *find_source(const struct sandbox *box, const char *name) {
	for (unsigned i = 0; i < box->nb_sources; i++)
		if (!strcmp(box->sources[i].name, name))
			return &box->sources[i];
	return NULL;
}

struct dump_header {
	unsigned char bytes[DUMP_HEADER_BYTES];
	size_t used;
};

static int keep_header(lua_State *L, const void *data, size_t bytes, void *ctx) {
	struct dump_header *header = ctx;

	for (size_t i = 0; i < bytes && header->used < DUMP_HEADER_BYTES; i++)
		header->bytes[header->used++] = ((const unsigned char *)data)[i];
	return 0;
}

/*
 * A number like 1LL makes a cdata, whatever libraries there are, and with it come FFI's metamethods.
 * The chunk on the top says in its dumped header whether it has one. 0, or a LUA_ERR code with the
 * message in place of the chunk.
 */
static int refuse_cdata(lua_State *L, const char *name) {
	struct dump_header header = {.used = 0};
	const int chunk = lua_gettop(L);
	const int rc = lua_dump(L, keep_header, &header);

	lua_settop(L, chunk);
	if (!rc && header.used == DUMP_HEADER_BYTES && !(header.bytes[4] & DUMP_HAS_FFI))
		return 0;
	lua_pop(L, 1);
	if (rc)
		lua_pushliteral(L, "not enough memory");
	else
		lua_pushfstring(
			L, "%s: numbers with LL, ULL or i at the end are not available", name);
	return rc ? LUA_ERRMEM : LUA_ERRSYNTAX;
}

/* Push the chunk @source with the plugin's environment, or what is wrong with it. */
static int load_source(const struct sandbox *box, lua_State *L, const struct lh_source *source) {
	char chunk[CHUNK_NAME_BYTES];

	snprintf(chunk, sizeof(chunk), "@%s", source->name);
	int rc = luaL_loadbufferx(L, source->text, source->bytes, chunk, "t");
	if (!rc)
		rc = refuse_cdata(L, source->name);
	if (rc)
		return rc;
	lua_rawgeti(L, LUA_REGISTRYINDEX, box->environment);
	lua_setfenv(L, -2);
	return 0;
}

int sandbox_push_main(struct sandbox *box, lua_State *L) {
	const struct lh_source *source = find_source(box, "main.lua");

	if (source)
		return load_source(box, L, source);
	lua_pushliteral(L, "main.lua: the plugin has none");
	return LUA_ERRSYNTAX;
}

int sandbox_push_tests(struct sandbox *box, lua_State *L, const char *name, int test_ref) {
	const struct lh_source *source = find_source(box, name);
	int rc = source ? load_source(box, L, source) : LUA_ERRSYNTAX;

	if (!source)
		lua_pushliteral(L, "the plugin has no such file");
	if (rc)
		return rc;
	lua_createtable(L, 0, 8);
	lua_rawgeti(L, LUA_REGISTRYINDEX, test_ref);
	lua_setfield(L, -2, "test");
	lua_createtable(L, 0, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, box->environment);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_setfenv(L, -2);
	return 0;
}

void sandbox_push_global(struct sandbox *box, lua_State *L, const char *name) {
	lua_rawgeti(L, LUA_REGISTRYINDEX, box->environment);
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	lua_remove(L, -2);
}

static bool is_module_name(const char *name, size_t bytes) {
	static const char allowed[]
		= "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

	return bytes && bytes <= MODULE_NAME_BYTES && strspn(name, allowed) == bytes;
}

/* Raise @text with the place of whoever called the prelude's function. */
static int raise(lua_State *L, const char *format, const char *what) {
	luaL_where(L, 2);
	lua_pushfstring(L, format, what);
	lua_concat(L, 2);
	return lua_error(L);
}

/* native.load(name): the chunk of lib/NAME.lua. */
static int native_load(lua_State *L) {
	struct sandbox *box = upvalue_box(L);
	size_t bytes = 0;
	const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &bytes) : "";
	char path[CHUNK_NAME_BYTES];

	if (!is_module_name(name, bytes))
		return raise(L, "%s",
			"require takes the NAME of a file lib/NAME.lua (1 to 64 of A-Z a-z 0-9 _)");
	snprintf(path, sizeof(path), "lib/%s.lua", name);
	const struct lh_source *source = find_source(box, path);
	if (!source)
		return raise(L, "the plugin has no %s", path);
	return load_source(box, L, source) ? lua_error(L) : 1;
}

/* ---- Text of values ---- */

static bool has_metafield(lua_State *L, int index, const char *name) {
	if (!luaL_getmetafield(L, index, name))
		return false;
	lua_pop(L, 1);
	return true;
}

/* native.describe(value): its type's name, or nil where tostring tells no address. */
static int native_describe(lua_State *L) {
	const int type = lua_type(L, 1);

	if (type <= LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING
		|| has_metafield(L, 1, "__tostring"))
		return 0;
	if (luajson_is_null(L, 1)) {
		lua_pushliteral(L, "null");
		return 1;
	}
	if (luaL_getmetafield(L, 1, "__name") && lua_type(L, -1) == LUA_TSTRING)
		return 1;
	lua_pushstring(L, lua_typename(L, type));
	return 1;
}

/* Argument @arg is for a %s or %q; upvalue 2 is the prelude's tostring. */
static void spell_argument(lua_State *L, int arg) {
	const int type = lua_type(L, arg);

	if (type <= LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING)
		return;
	if (stack_is_short(upvalue_box(L), 2))
		luaL_error(L, "stack overflow");
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_pushvalue(L, arg);
	lua_call(L, 1, 1);
	lua_replace(L, arg);
}

/* All that string.format was called with, without what it would show as an address. */
static int spell(lua_State *L) {
	size_t bytes;
	const char *p = lua_tolstring(L, 1, &bytes);
	const int given = lua_gettop(L);
	int arg = 1;

	luaL_checkstack(L, 4, "string.format");
	for (const char *end = p ? p + bytes : NULL; p < end; p++) {
		if (*p != '%')
			continue;
		if (*++p == '%')
			continue;
		p += strspn(p, "-+ #0123456789.");
		arg++;
		if (*p == 'p')
			return raise(
				L, "%s", "string.format has no %p here: addresses are not shown");
		if ((*p == 's' || *p == 'q') && arg <= given)
			spell_argument(L, arg);
	}
	return given;
}

/* native.spell(tostring): the function that string.format passes its arguments through. */
static int native_spell(lua_State *L) {
	lua_settop(L, 1);
	lua_pushlightuserdata(L, upvalue_box(L));
	lua_insert(L, 1);
	lua_pushcclosure(L, spell, 2);
	return 1;
}

/* native.pairs_of(userdata): its __pairs, or nil. */
static int native_pairs_of(lua_State *L) {
	return luaL_getmetafield(L, 1, "__pairs");
}

/* ---- Coroutines and waiting ---- */

static void push_own(lua_State *L) {
	lua_pushlightuserdata(L, (void *)&own_tag);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* How deep the running coroutine is: 0 for the host's, negative where a wait cannot get through. */
static lua_Integer depth_of(lua_State *L, int own) {
	lua_pushthread(L);
	lua_rawget(L, own);
	const lua_Integer depth = lua_tointeger(L, -1);
	lua_pop(L, 1);
	return depth;
}

/* Running, or resuming another: what is noted of it stands. */
static bool is_active(lua_State *co) {
	lua_Debug frame;

	return lua_status(co) == 0 && lua_getstack(co, 0, &frame);
}

/*
 * native.enter(co): about to resume it; returns what speaks against it. Upvalue 2 is `own`. Where the
 * running coroutine cannot yield (table.sort is below it), nothing further in can wait.
 */
static int native_enter(lua_State *L) {
	const lua_Integer depth = depth_of(L, lua_upvalueindex(2));
	const lua_Integer deeper = (depth < 0 ? -depth : depth) + 1;

	if (deeper > COROUTINE_DEPTH || stack_is_short(upvalue_box(L), 1)) {
		lua_pushliteral(L, "C stack overflow (coroutines in coroutines)");
		return 1;
	}
	if (is_active(lua_tothread(L, 1)))
		return 0;
	lua_settop(L, 1);
	lua_pushinteger(L, depth < 0 || !lua_isyieldable(L) ? -deeper : deeper);
	lua_rawset(L, lua_upvalueindex(2));
	return 0;
}

bool sandbox_can_wait(lua_State *L) {
	if (!lua_isyieldable(L))
		return false;
	push_own(L);
	const bool can = depth_of(L, lua_gettop(L)) >= 0;
	lua_pop(L, 1);
	return can;
}

int sandbox_wait(lua_State *L) {
	if (!sandbox_can_wait(L))
		return luaL_error(L,
			"cannot wait here: within table.sort, string.gsub or the like, or "
			"outside a hook");
	lua_pushlightuserdata(L, (void *)&wait_tag);
	return lua_yield(L, 1);
}

bool sandbox_is_wait(lua_State *L) {
	return lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TLIGHTUSERDATA
		&& lua_touserdata(L, 1) == &wait_tag;
}

/* ---- Making and ending a VM ---- */

static const struct {
	const char *name; /* in the real globals */
	lua_CFunction open;
} libraries[] = {
	{"", luaopen_base},
	{LUA_STRLIBNAME, luaopen_string},
	{LUA_TABLIBNAME, luaopen_table},
	{LUA_MATHLIBNAME, luaopen_math},
	{LUA_BITLIBNAME, luaopen_bit},
};

static void open_libraries(lua_State *L) {
	for (unsigned i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		lua_pushcfunction(L, libraries[i].open);
		lua_pushstring(L, libraries[i].name);
		lua_call(L, 1, 0);
	}
}

/* The functions that prelude.lua builds upon; each has the sandbox as its first upvalue. */
static const luaL_Reg natives[] = {
	{"describe", native_describe},
	{"load", native_load},
	{"pairs_of", native_pairs_of},
	{"spell", native_spell},
};

static void add_guarded(lua_State *L, struct sandbox *box, const char *library, const char *name) {
	lua_pushlightuserdata(L, box);
	lua_getglobal(L, library);
	lua_getfield(L, -1, name);
	lua_remove(L, -2);
	lua_pushcclosure(L, guarded, 2);
	lua_setfield(L, -2, name);
}

/* A table whose keys do not keep coroutines alive, in the registry too. */
static void push_new_own(lua_State *L) {
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushlightuserdata(L, (void *)&own_tag);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static void push_native(lua_State *L, struct sandbox *box) {
	lua_newtable(L);
	for (unsigned i = 0; i < sizeof(natives) / sizeof(natives[0]); i++) {
		lua_pushlightuserdata(L, box);
		lua_pushcclosure(L, natives[i].func, 1);
		lua_setfield(L, -2, natives[i].name);
	}
	add_guarded(L, box, LUA_STRLIBNAME, "gsub");
	add_guarded(L, box, LUA_TABLIBNAME, "sort");
	lua_pushlightuserdata(L, (void *)&wait_tag);
	lua_setfield(L, -2, "wait");
	luautf8_open(L);
	lua_setfield(L, -2, "utf8");
	push_new_own(L);
	lua_pushlightuserdata(L, box);
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, native_enter, 2);
	lua_setfield(L, -3, "enter");
	lua_setfield(L, -2, "own");
}

static void push_prtip(lua_State *L, const struct sandbox_params *params) {
	lua_newtable(L);
	codec_open(L);
	luajson_open(L);
	if (params->open) {
		const int top = lua_gettop(L);
		params->open(L, params->ctx);
		lua_settop(L, top);
	}
}

/* What no plugin may have is not there: a way around the environment finds an empty table. */
static void empty_globals(lua_State *L) {
	for (lua_pushnil(L); lua_next(L, LUA_GLOBALSINDEX); lua_pushnil(L)) {
		lua_pop(L, 1);
		lua_pushnil(L);
		lua_rawset(L, LUA_GLOBALSINDEX);
	}
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
}

struct setup {
	struct sandbox *box;
	const struct sandbox_params *params;
};

static int set_up(lua_State *L) {
	const struct setup *setup = lua_touserdata(L, 1);

	luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	open_libraries(L);
	if (luaL_loadbufferx(L, prelude, sizeof(prelude) - 1, "=prtip", "t"))
		return lua_error(L);
	push_native(L, setup->box);
	push_prtip(L, setup->params);
	lua_call(L, 2, 1);
	setup->box->environment = luaL_ref(L, LUA_REGISTRYINDEX);
	empty_globals(L);
	return 0;
}

/* One that was caught and raised again, by require or coroutine.wrap, has the message only. */
static bool is_memory_error(lua_State *L, int status) {
	return status == LUA_ERRMEM
		|| (lua_type(L, -1) == LUA_TSTRING
			&& !strcmp(lua_tostring(L, -1), "not enough memory"));
}

static void close_vm(struct sandbox *box) {
	alloc_detach(&box->alloc);
	lua_close(box->L);
}

int sandbox_create(const struct sandbox_params *params, struct sandbox **made) {
	struct sandbox *box = calloc(1, sizeof(*box));
	int rc = -ENOMEM;

	if (!box)
		return -ENOMEM;
	/* LuaJIT's lua_newstate() itself does not survive a refused allocation: the cap comes next. */
	alloc_init(&box->alloc, UINT64_MAX);
	box->sources = params->sources;
	box->nb_sources = params->nb_sources;
	box->stack_top = __builtin_frame_address(0);
	box->stack_bytes = stack_limit();
	box->L = lua_newstate(alloc_resize, &box->alloc);
	if (!box->L)
		goto free_box;
	if (box->alloc.used > params->memory_bytes)
		goto close;
	box->alloc.cap = params->memory_bytes;
	alloc_attach(&box->alloc, box->L);
	rc = lua_cpcall(box->L, set_up, &(struct setup){.box = box, .params = params});
	if (rc) {
		rc = is_memory_error(box->L, rc) ? -ENOMEM : -EINVAL;
		goto close;
	}
	*made = box;
	return 0;
close:
	close_vm(box);
free_box:
	free(box);
	return rc;
}

void sandbox_destroy(struct sandbox *box) {
	if (!box)
		return;
	close_vm(box);
	free(box);
}

lua_State *sandbox_state(const struct sandbox *box) {
	return box->L;
}

uint64_t sandbox_used(const struct sandbox *box) {
	return box->alloc.used;
}

/* ---- Errors ---- */

static bool is_printable(char c) {
	return c == '\n' || c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

/* The length of the UTF-8 sequence that begins at @s, 0 where there is none for people to read. */
static size_t readable(const char *s, size_t bytes) {
	if (!is_printable(*s))
		return 0;
	for (size_t n = 1; n <= 4 && n <= bytes; n++)
		if (utf8_valid(s, n) == n)
			return n;
	return 0;
}

/* Copy what fits, U+FFFD in place of what is no UTF-8 or would steer a terminal. */
static void copy_text(const char *s, size_t bytes, char *text, size_t room) {
	static const char replacement[] = "\xef\xbf\xbd";
	size_t used = 0;

	while (bytes) {
		const size_t n = readable(s, bytes);
		const size_t wide = n ? n : sizeof(replacement) - 1;
		if (wide >= room - used)
			break;
		memcpy(text + used, n ? s : replacement, wide);
		used += wide;
		s += n ? n : 1;
		bytes -= n ? n : 1;
	}
	text[used] = '\0';
}

void sandbox_error_text(lua_State *L, char *text, size_t room) {
	const int type = lua_gettop(L) ? lua_type(L, -1) : LUA_TNIL;
	char plain[64];
	const char *s = plain;
	size_t bytes;

	if (!room)
		return;
	if (type == LUA_TSTRING)
		s = lua_tolstring(L, -1, &bytes);
	else if (type == LUA_TNUMBER) /* lua_tolstring() would make a string, and may raise */
		bytes = (size_t)snprintf(plain, sizeof(plain), "%.14g", lua_tonumber(L, -1));
	else
		bytes = (size_t)snprintf(
			plain, sizeof(plain), "error object is a %s", lua_typename(L, type));
	copy_text(s, bytes, text, room);
}
