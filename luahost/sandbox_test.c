/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sandbox: what a plugin finds, what it must not get at, waiting through its coroutines, the end
 * of runaway memory and recursion, and the text of errors. Most cases are Lua: a plugin whose
 * main.lua runs in a coroutine, with a host that answers each wait.
 */
#include "sandbox.h"

#include <lauxlib.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

enum {
	CAP = 16 << 20,
	TEXT_BYTES = 512,
};

/* One plugin that ran. */
struct run {
	struct sandbox *box;
	lua_State *co;
	int status; /* of the last lua_resume() */
	unsigned waits; /* that reached the host */
	unsigned begun; /* calls of prtip.wait that began something */
	bool stray; /* ended by a yield that was no wait */
	char logged[TEXT_BYTES];
	char error[TEXT_BYTES];
};

/* prtip.wait(...): the host answers with the arguments that it was given, after their number. */
static int api_wait(lua_State *L) {
	struct run *run = lua_touserdata(L, lua_upvalueindex(1));

	if (lua_toboolean(L, 1) && sandbox_can_wait(L) == false)
		return luaL_error(L, "refused before it began");
	run->begun++;
	return sandbox_wait(L);
}

static int api_log(lua_State *L) {
	struct run *run = lua_touserdata(L, lua_upvalueindex(1));

	snprintf(run->logged, sizeof(run->logged), "%s %s", luaL_checkstring(L, 1),
		luaL_checkstring(L, 2));
	return 0;
}

/* A generic for over prtip.three: 1 to 3. */
static int three_next(lua_State *L) {
	const lua_Integer i = lua_tointeger(L, 2) + 1;

	if (i > 3)
		return 0;
	lua_pushinteger(L, i);
	return 1;
}

static int three_pairs(lua_State *L) {
	lua_pushcfunction(L, three_next);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

static int three_name(lua_State *L) {
	lua_pushliteral(L, "three");
	return 1;
}

static void add_function(lua_State *L, struct run *run, const char *name, lua_CFunction f) {
	lua_pushlightuserdata(L, run);
	lua_pushcclosure(L, f, 1);
	lua_setfield(L, -2, name);
}

static void open_api(lua_State *L, void *ctx) {
	add_function(L, ctx, "wait", api_wait);
	add_function(L, ctx, "log", api_log);
	lua_newuserdata(L, 1);
	lua_newtable(L);
	lua_pushcfunction(L, three_pairs);
	lua_setfield(L, -2, "__pairs");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "three");
	lua_newuserdata(L, 1);
	lua_newtable(L);
	lua_pushcfunction(L, three_name);
	lua_setfield(L, -2, "__tostring");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "named");
}

/* Lua to be found as lib/NAME.lua in every case. */
static const struct lh_source libraries[] = {
	{(char *)"lib/plain.lua", (char *)"count = (count or 0) + 1 return {name = ..., n = count}",
		0},
	{(char *)"lib/a.lua", (char *)"return require('b')", 0},
	{(char *)"lib/b.lua", (char *)"return require('a')", 0},
	{(char *)"lib/broken.lua", (char *)"return +", 0},
	{(char *)"lib/fails.lua", (char *)"tries = (tries or 0) + 1 error({tries = tries})", 0},
	{(char *)"lib/waits.lua", (char *)"return prtip.wait()", 0},
	{(char *)"lib/nothing.lua", (char *)"ran = (ran or 0) + 1", 0},
	{(char *)"lib/wide.lua", (char *)"return 5ULL", 0},
	{(char *)"tests/t.lua", (char *)"return 1", 0},
};

enum {
	NB_LIBRARIES = sizeof(libraries) / sizeof(libraries[0]),
};

/* Run @co to its end; a wait is answered with its number. */
static void drive(struct run *run, lua_State *co, int args) {
	for (;;) {
		run->status = lua_resume(co, args);
		if (run->status != LUA_YIELD)
			break;
		if (!sandbox_is_wait(co)) {
			run->stray = true;
			break;
		}
		lua_settop(co, 0);
		lua_pushinteger(co, ++run->waits);
		args = 1;
	}
	if (run->status && run->status != LUA_YIELD)
		sandbox_error_text(co, run->error, sizeof(run->error));
}

static void begin(struct run *run, uint64_t cap, const char *main_text, size_t bytes) {
	static struct lh_source sources[NB_LIBRARIES + 1];

	*run = (struct run){.stray = false};
	sources[0] = (struct lh_source){(char *)"main.lua", (char *)main_text, bytes};
	for (unsigned i = 0; i < NB_LIBRARIES; i++) {
		sources[i + 1] = libraries[i];
		sources[i + 1].bytes = strlen(libraries[i].text);
	}
	const struct sandbox_params params = {
		.memory_bytes = cap,
		.sources = sources,
		.nb_sources = NB_LIBRARIES + 1,
		.open = open_api,
		.ctx = run,
	};
	cr_assert_eq(sandbox_create(&params, &run->box), 0);
	run->co = lua_newthread(sandbox_state(run->box));
}

static void run_text(struct run *run, const char *main_text, size_t bytes) {
	begin(run, CAP, main_text, bytes);
	run->status = sandbox_push_main(run->box, run->co);
	if (run->status)
		sandbox_error_text(run->co, run->error, sizeof(run->error));
	else
		drive(run, run->co, 0);
}

static void end(struct run *run) {
	sandbox_destroy(run->box);
}

/* The plugin @text must run to its end, through @waits waits. */
static void must_pass(const char *text, unsigned waits) {
	struct run run;

	run_text(&run, text, strlen(text));
	cr_expect_eq(run.status, 0, "%s\n---> %s", text, run.error);
	cr_expect_eq(run.waits, waits, "%s\n---> %u waits", text, run.waits);
	end(&run);
}

/* The plugin @text must end in an error with @error in it. */
static void must_fail(const char *text, const char *error) {
	struct run run;

	run_text(&run, text, strlen(text));
	cr_expect(run.status && run.status != LUA_YIELD, "%s\n---> no error", text);
	cr_expect(strstr(run.error, error), "%s\n---> %s", text, run.error);
	end(&run);
}

/* ---- Environment ---- */

Test(sandbox, what_is_there) {
	static const char text[]
		= "local want = {'_G', '_VERSION', 'assert', 'bit', 'coroutine', 'error', "
		  "'getmetatable', 'ipairs', 'math', 'next', 'pairs', 'pcall', 'print', 'prtip', "
		  "'rawequal', 'rawget', 'rawset', 'require', 'select', 'setmetatable', 'string', "
		  "'table', 'tonumber', 'tostring', 'type', 'unpack', 'utf8', 'xpcall'}\n"
		  "local have = {} for k in pairs(_G) do have[#have + 1] = k end\n"
		  "table.sort(have)\n"
		  "local a, b = table.concat(have, ' '), table.concat(want, ' ')\n"
		  "assert(a == b, a)\n"
		  "assert(_G._G == _G and _VERSION == 'Lua 5.1')\n"
		  "assert(utf8.char(8364) == '\\226\\130\\172' and bit.bxor(5, 1) == 4)\n";

	must_pass(text, 0);
}

Test(sandbox, what_is_not_there) {
	static const char *const names[] = {"ffi", "jit", "debug", "io", "os", "package", "module",
		"dofile", "loadfile", "load", "loadstring", "getfenv", "setfenv", "newproxy",
		"collectgarbage", "gcinfo", "rawlen"};
	/* Through the global, the environment, a lookup that wants to be helped, each library. */
	static const char *const paths[] = {"assert(%s == nil)", "assert(_G['%s'] == nil)",
		"assert(rawget(_G, '%s') == nil)", "assert(not pcall(require, '%s'))",
		"assert(string['%s'] == nil and table['%s'] == nil and coroutine['%s'] == nil)",
		"assert((''). %s == nil)",
		"local t = setmetatable({}, {__index = _G}) assert(t['%s'] == nil)",
		"assert(coroutine.wrap(function() return %s end)() == nil)"};
	char text[256];

	for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		for (unsigned p = 0; p < sizeof(paths) / sizeof(paths[0]); p++) {
			snprintf(text, sizeof(text), paths[p], names[n], names[n], names[n]);
			must_pass(text, 0);
		}
}

/* Whatever can be reached from the environment by indexing holds no function of another name. */
Test(sandbox, nothing_else_is_reachable) {
	static const char text[]
		= "local bad = {dump = 1, loadstring = 1, load = 1, getfenv = 1, setfenv = 1,\n"
		  "  getregistry = 1, execute = 1, popen = 1, open = 1, collectgarbage = 1, cast = "
		  "1}\n"
		  "local seen, n = {}, 0\n"
		  "local function walk(t, path)\n"
		  "  if seen[t] then return end seen[t] = true\n"
		  "  for k, v in next, t do n = n + 1\n"
		  "    assert(not bad[k], path .. '.' .. tostring(k))\n"
		  "    if type(v) == 'table' then walk(v, path .. '.' .. tostring(k)) end\n"
		  "    local mt = getmetatable(v) assert(type(mt) ~= 'table' or mt == false)\n"
		  "  end end\n"
		  "walk(_G, '_G') assert(n > 110, n)\n"
		  "assert((''):rep(2) == '' and ('').dump == nil and string.dump == nil)\n"
		  "assert(table.sort and string.gsub and ('aa'):gsub('a', 'b') == 'bb')\n";

	must_pass(text, 0);
}

struct lua_case {
	const char *text;
	unsigned waits;
};

static void pass_all(const struct lua_case *cases, size_t n) {
	for (size_t i = 0; i < n; i++)
		must_pass(cases[i].text, cases[i].waits);
}

Test(sandbox, metatables_are_private) {
	static const struct lua_case cases[] = {
		{"assert(getmetatable('') == false)", 0},
		{"assert(not pcall(setmetatable, '', {}))", 0},
		{"assert(not pcall(function() getmetatable('').__index = 1 end))", 0},
		{"string.rep = nil string.x = 1 assert(('a'):rep(3) == 'aaa' and (''). x == nil)",
			0},
		{"setmetatable(string, {__index = function() return 1 end}) assert((''). y == nil)",
			0},
		{"assert(getmetatable(prtip.three) == false)", 0},
		{"assert(getmetatable(prtip.null) == nil and getmetatable(5) == nil)", 0},
		{"assert(getmetatable(print) == nil and getmetatable(nil) == nil)", 0},
		{"local m = {} assert(getmetatable(setmetatable({}, m)) == m)", 0},
		{"local t = setmetatable({}, {__metatable = 'mine'})\n"
		 "assert(getmetatable(t) == 'mine' and not pcall(setmetatable, t, {}))",
			0},
		{"assert(not pcall(getmetatable))", 0},
		{"assert(getmetatable(prtip.base64) == false and getmetatable(prtip.hex) == false)",
			0},
		{"local ran = false setmetatable({}, {__gc = function() ran = true end})\n"
		 "for i = 1, 1e5 do local t = {} end assert(not ran)",
			0},
		{"local n = 0 for i in pairs(prtip.three) do n = n + i end assert(n == 6)", 0},
		{"assert(not pcall(pairs, prtip.named) and not pcall(pairs) and not pcall(pairs, "
		 "1))",
			0},
		{"local n = 0 for k, v in pairs({1, 2, x = 3}) do n = n + v end assert(n == 6)", 0},
	};

	pass_all(cases, sizeof(cases) / sizeof(cases[0]));
}

Test(sandbox, no_address_is_shown) {
	static const struct lua_case cases[] = {
		{"assert(tostring({}) == 'table' and tostring(print) == 'function')", 0},
		{"assert(tostring(coroutine.create(print)) == 'thread')", 0},
		{"assert(tostring(prtip.three) == 'userdata' and tostring(prtip.null) == 'null')",
			0},
		{"assert(tostring(prtip.named) == 'three')", 0},
		{"assert(tostring(1.5) == '1.5' and tostring(nil) == 'nil' and tostring(true) == "
		 "'true')",
			0},
		{"assert(tostring('a') == 'a' and not pcall(tostring))", 0},
		{"assert(tostring(setmetatable({}, {__tostring = function() return 'me' end})) == "
		 "'me')",
			0},
		{"assert(tostring(setmetatable({}, {__name = 'T'})) == 'T')", 0},
		{"assert(tostring(setmetatable({}, {__name = {}})) == 'table')", 0},
		{"assert(('%s'):format({}) == 'table' and string.format('%5s|%%|%-9s|', {}, print) "
		 "== "
		 "'table|%|function |')",
			0},
		{"assert(string.format('%d %s %5.1f %q', 1, 'a', 2.5, 'x') == '1 a   2.5 \"x\"')",
			0},
		{"assert(string.format('%s %s %s', nil, true, 7) == 'nil true 7')", 0},
		{"assert(string.format('%s', setmetatable({}, {__tostring = function() return 'me' "
		 "end})) == 'me')",
			0},
		{"local ok, e = pcall(string.format, '%p', {}) assert(not ok and e:find('%%p'))",
			0},
		{"assert(not pcall(string.format, '%d%p', 1, {}) and not pcall(string.format, "
		 "'%-10p', {}))",
			0},
		{"assert(not pcall(string.format) and not pcall(string.format, {}))", 0},
		{"assert(not pcall(string.format, '%d', {}) and not pcall(string.format, '%s'))",
			0},
		{"assert(string.format('%q %q', {}, print) == '\"table\" \"function\"')", 0},
		{"assert(not pcall(string.format, '%y', 1) and not pcall(string.format, '%x', {}))",
			0},
		{"assert(string.format('%', 1) == nil)", 99},
		{"for _, f in ipairs({function() return {} .. '' end, function() return #print "
		 "end,\n"
		 "  function() return {} < {} end, function() local t = {} t() end,\n"
		 "  function() table.concat({{}}) end, function() error({}) end}) do\n"
		 "  local ok, e = pcall(f) assert(not ok and not tostring(e):find('0x')) end",
			0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cases[i].waits == 99)
			must_fail(cases[i].text, "main.lua:1: ");
		else
			must_pass(cases[i].text, 0);
}

Test(sandbox, errors_name_the_plugins_line) {
	must_fail("\n\nstring.format('%d', 'x')", "main.lua:3: bad argument #2 to 'format'");
	must_fail("\nstring.format('%p', 1)", "main.lua:2: string.format has no %p");
	must_fail("\n('x'):gsub()", "main.lua:2: bad argument #1 to 'gsub'");
	must_fail("\ntable.sort(1)", "main.lua:2: bad argument #1 to 'sort'");
	must_fail("\nlocal x = tostring()", "main.lua:2: bad argument #1 to 'tostring'");
	must_fail("\nlocal x = require('nope')", "main.lua:2: the plugin has no lib/nope.lua");
	must_fail("\nrequire('../main')", "main.lua:2: require takes the NAME");
	must_fail("\nlocal x = nil + 1", "main.lua:2: attempt to perform arithmetic");
	must_fail("\n\nlocal x = = 1", "main.lua:3: unexpected symbol near '='");
}

Test(sandbox, print_goes_to_the_log) {
	struct run run;
	static const char text[] = "print('a', nil, 1.5, {}, prtip.null)";

	run_text(&run, text, strlen(text));
	cr_expect_str_eq(run.logged, "info a\tnil\t1.5\ttable\tnull");
	end(&run);
}

Test(sandbox, print_is_absent_without_log) {
	struct lh_source source = {(char *)"main.lua", (char *)"assert(print == nil)", 20};
	const struct sandbox_params params
		= {.memory_bytes = CAP, .sources = &source, .nb_sources = 1};
	struct sandbox *box;

	cr_assert_eq(sandbox_create(&params, &box), 0);
	cr_assert_eq(sandbox_push_main(box, sandbox_state(box)), 0);
	cr_expect_eq(lua_pcall(sandbox_state(box), 0, 0, 0), 0);
	sandbox_destroy(box);
}

/* ---- Code ---- */

struct bytecode {
	char bytes[512];
	size_t used;
};

static int append(lua_State *L, const void *data, size_t bytes, void *ctx) {
	struct bytecode *code = ctx;

	if (bytes > sizeof(code->bytes) - code->used)
		return 1;
	memcpy(code->bytes + code->used, data, bytes);
	code->used += bytes;
	return 0;
}

Test(sandbox, text_only) {
	static const char bom[] = "\xef\xbb\xbf";
	struct bytecode code = {.used = sizeof(bom) - 1};
	lua_State *L = luaL_newstate();
	struct run run;

	memcpy(code.bytes, bom, sizeof(bom) - 1);
	cr_assert_eq(luaL_loadstring(L, "return 1"), 0);
	cr_assert_eq(lua_dump(L, append, &code), 0);
	lua_close(L);
	run_text(&run, code.bytes + sizeof(bom) - 1, code.used - (sizeof(bom) - 1));
	cr_expect_eq(run.status, LUA_ERRSYNTAX);
	end(&run);
	run_text(&run, code.bytes, code.used);
	cr_expect_eq(run.status, LUA_ERRSYNTAX);
	end(&run);
}

/* LuaJIT reads these as cdata and loads FFI for them. */
Test(sandbox, no_cdata) {
	static const char *const texts[] = {"local x = 1LL", "return 0x1ULL", "x = 2i",
		"return function() return function() return {1, 2LL} end end",
		"local t = {a = {1LL}}", "return 1LL == 1LL", "return -1LL", "f(3ull)",
		"if false then x = 1LL end", "for i = 1LL, 2 do end", "return t[1LL]",
		"local x = 'a' .. 1LL"};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		must_fail(texts[i], "main.lua: numbers with LL");
	must_fail("return require('wide')", "lib/wide.lua: numbers with LL");
	must_pass("local LL, i = 1, 0x10 local s = '1LL 2i' return s -- 3ULL", 0);
	must_pass("pcall(require, 'wide') assert(not pcall(require, 'ffi') and ffi == nil)", 0);
}

Test(sandbox, requires) {
	static const struct lua_case cases[] = {
		{"local p = require('plain') assert(p.name == 'plain' and p.n == 1)\n"
		 "assert(require('plain') == p and count == 1)",
			0},
		{"assert(require('nothing') == true and require('nothing') == true and ran == 1)",
			0},
		{"local ok, e = pcall(require, 'a') assert(not ok and e:find('lib/a.lua requires "
		 "itself'), e)",
			0},
		{"pcall(require, 'a') assert(require('plain').n == 1) assert(not pcall(require, "
		 "'a'))",
			0},
		{"local ok, e = pcall(require, 'broken') assert(not ok and "
		 "e:find('^lib/broken.lua:1:'), "
		 "e)",
			0},
		{"for i = 1, 2 do local ok, e = pcall(require, 'fails') assert(e.tries == i) end",
			0},
		{"assert(require('waits') == 1 and require('waits') == 1)", 1},
		{"for _, n in ipairs({'', '.', '..', '../main', 'a/b', '/etc/passwd', 'a.b', "
		 "'main.lua', "
		 "'t', 'main', 'plain\\0', ('x'):rep(100), 5, {}, true}) do\n"
		 "assert(not pcall(require, n), tostring(n)) end assert(not pcall(require))",
			0},
	};

	pass_all(cases, sizeof(cases) / sizeof(cases[0]));
}

/* ---- Waiting ---- */

Test(sandbox, waits_pass_through) {
	static const struct lua_case cases[] = {
		{"assert(prtip.wait() == 1 and prtip.wait() == 2)", 2},
		{"local ok, n = pcall(prtip.wait) assert(ok and n == 1)", 1},
		{"local ok, n = xpcall(prtip.wait, print) assert(ok and n == 1)", 1},
		{"local ok, n = pcall(pcall, pcall, prtip.wait) assert(ok and n == true)", 1},
		{"for n in prtip.wait do assert(n <= 5) if n == 5 then break end end", 5},
		{"local t = setmetatable({}, {__index = function() return prtip.wait() end,\n"
		 "  __call = prtip.wait, __lt = function() return prtip.wait() end,\n"
		 "  __concat = function() return prtip.wait() end})\n"
		 "assert(t.x == 1 and t() == 2 and t < t and t .. 'a' == 4)",
			4},
		{"assert(tostring(setmetatable({}, {__tostring = prtip.wait})) == 1)", 1},
		/* through the plugin's coroutines */
		{"assert(coroutine.wrap(prtip.wait)() == 1)", 1},
		{"local ok, n = coroutine.resume(coroutine.create(prtip.wait)) assert(ok and n == "
		 "1)",
			1},
		{"assert(coroutine.wrap(coroutine.wrap(coroutine.wrap(prtip.wait)))() == 1)", 1},
		{"local w = coroutine.wrap local f = w(function(a)\n"
		 "  local g = w(function(b) local h = w(function(c)\n"
		 "      coroutine.yield(c + prtip.wait()) return prtip.wait() end)\n"
		 "    coroutine.yield(h(b + prtip.wait())) return h() + prtip.wait() end)\n"
		 "  coroutine.yield(g(a + prtip.wait())) return g() end)\n"
		 "assert(f(10) == 10 + 1 + 2 + 3) assert(f() == 4 + 5)",
			5},
		{"local f = coroutine.wrap(function() return pcall(coroutine.wrap(function()\n"
		 "  local ok, n = pcall(prtip.wait) error({n}) end)) end)\n"
		 "local ok, e = f() assert(ok == false and e[1] == 1)",
			1},
		{"local seen = {} for v in coroutine.wrap(function() for i = 1, 3 do\n"
		 "  coroutine.yield(i * 10 + prtip.wait()) end end) do seen[#seen + 1] = v end\n"
		 "assert(table.concat(seen, ' ') == '11 22 33')",
			3},
		{"local co = coroutine.create(function(...) assert(select('#', ...) == 2)\n"
		 "  local n = select('#', coroutine.yield()) return n, nil, nil end)\n"
		 "assert(select('#', coroutine.resume(co, nil, nil)) == 1)\n"
		 "local ok, n, a = coroutine.resume(co, nil, nil, nil) assert(ok and n == 3)\n"
		 "assert(select('#', coroutine.resume(co)) == 2)\n"
		 "assert(select(2, coroutine.resume(co)) == 'cannot resume dead coroutine')",
			0},
		{"local inner = coroutine.create(function() return require('waits') end)\n"
		 "local ok, n = coroutine.resume(inner) assert(ok and n == 1)",
			1},
	};

	pass_all(cases, sizeof(cases) / sizeof(cases[0]));
}

/* At depth 190 a wait passes 190 coroutines out and in. */
Test(sandbox, waits_pass_through_many) {
	must_pass("local function nest(n) if n == 0 then return prtip.wait() + prtip.wait() end\n"
		  "  return coroutine.wrap(nest)(n - 1) end\n"
		  "assert(nest(189) == 3) assert(nest(3) == 7)",
		4);
}

Test(sandbox, waits_are_refused_where_they_cannot_pass) {
	static const char *const bodies[] = {
		"table.sort({3, 2, 1}, function() prtip.wait(true) end)",
		"('a'):gsub('a', function() prtip.wait(true) end)",
		"string.format('%s', setmetatable({}, {__tostring = function() prtip.wait(true) "
		"end}))",
		"table.sort({3, 2, 1}, function() coroutine.wrap(prtip.wait)(true) end)",
		"('a'):gsub('.', function() coroutine.wrap(coroutine.wrap(prtip.wait))(true) end)",
		"coroutine.wrap(function() table.sort({2, 1}, function()\n"
		"  coroutine.wrap(function() pcall(error) prtip.wait(true) end)() end) end)()",
		"xpcall(error, function() coroutine.wrap(prtip.wait)(true) end)"
		" coroutine.wrap(function() table.sort({2, 1}, prtip.wait) end)()",
	};
	char text[512];
	struct run run;

	for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		snprintf(text, sizeof(text),
			"local ok, e = pcall(function() %s end)\n"
			"assert(not ok, 'no error') assert(prtip.wait(true) == 1)\n"
			"assert(coroutine.wrap(prtip.wait)(true) == 2)",
			bodies[i]);
		run_text(&run, text, strlen(text));
		cr_expect_eq(run.status, 0, "%s\n---> %s", text, run.error);
		cr_expect_eq(run.waits, 2, "%s", text);
		cr_expect_eq(run.begun, 2, "%s: nothing was begun in vain", text);
		end(&run);
	}
	must_fail("table.sort({2, 1}, function() prtip.wait() end)", "cannot wait here");
	must_fail(
		"('a'):gsub('a', coroutine.wrap(function() prtip.wait() end))", "cannot wait here");
}

/* What the plugin can see of a wait from outside is nothing but a busy coroutine. */
Test(sandbox, waits_are_invisible) {
	static const char text[]
		= "local seen = 0\n"
		  "local inner = coroutine.create(function(...) seen = seen + select('#', ...)\n"
		  "  local n = prtip.wait() seen = seen + n return n end)\n"
		  "shared = inner\n"
		  "local function results(...) return select('#', ...), ... end\n"
		  "local n, ok, first, second = results(pcall(coroutine.resume, inner))\n"
		  "assert(n == 3 and ok and first == true and second == 1 and seen == 1)\n"
		  "local got = {}\n"
		  "for v in coroutine.wrap(function() coroutine.yield(5) prtip.wait()\n"
		  "  coroutine.yield(6) end) do got[#got + 1] = v end\n"
		  "assert(#got == 2 and got[1] == 5 and got[2] == 6)\n";

	must_pass(text, 2);
}

/* A yield outside a coroutine of the plugin's own is no wait, whatever it carries. */
Test(sandbox, a_wait_cannot_be_forged) {
	static const char *const texts[] = {
		"coroutine.yield(prtip.null)",
		"coroutine.yield()",
		"coroutine.yield(nil)",
		"coroutine.yield(coroutine.yield)",
		"for a in coroutine.yield, prtip.null do end",
		"pcall(coroutine.yield, prtip.json_decode('[null]')[1])",
		"coroutine.yield(select('#', pcall(prtip.wait)), prtip.wait())",
	};
	struct run run;

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		run_text(&run, texts[i], strlen(texts[i]));
		cr_expect(run.stray, "%s", texts[i]);
		end(&run);
	}
}

/* Two conversations in one VM: neither can resume the other's coroutine that waits, nor get at the
 * other itself. */
Test(sandbox, conversations_are_apart) {
	static const char text[]
		= "function first() assert(coroutine.running() == nil and not "
		  "coroutine.isyieldable())\n"
		  "  co = coroutine.create(function() assert(coroutine.running() == co)\n"
		  "    assert(coroutine.isyieldable()) return prtip.wait() end)\n"
		  "  wrapped = coroutine.wrap(function() return prtip.wait() end)\n"
		  "  local ok, n = coroutine.resume(co)\n"
		  "  assert(coroutine.status(co) == 'dead') return n end\n"
		  "function second() assert(coroutine.status(co) == 'normal')\n"
		  "  local ok, e = coroutine.resume(co, 'forged') assert(not ok and "
		  "e:find('waits'))\n"
		  "  local ok, e = pcall(coroutine.resume) assert(not ok)\n"
		  "  assert(coroutine.running() == nil) end\n";
	struct run run;

	run_text(&run, text, strlen(text));
	cr_assert_eq(run.status, 0, "%s", run.error);
	lua_State *one = lua_newthread(sandbox_state(run.box));
	lua_State *two = lua_newthread(sandbox_state(run.box));
	sandbox_push_global(run.box, one, "first");
	cr_assert_eq(lua_resume(one, 0), LUA_YIELD);
	cr_assert(sandbox_is_wait(one));
	sandbox_push_global(run.box, two, "second");
	drive(&run, two, 0);
	cr_expect_eq(run.status, 0, "%s", run.error);
	lua_settop(one, 0);
	lua_pushinteger(one, 42);
	cr_expect_eq(lua_resume(one, 1), 0);
	cr_expect_eq(lua_tointeger(one, -1), 42);
	end(&run);
}

Test(sandbox, coroutines_are_as_usual) {
	static const struct lua_case cases[] = {
		{"local co = coroutine.create(function() end) assert(coroutine.status(co) == "
		 "'suspended')\n coroutine.resume(co) assert(coroutine.status(co) == 'dead')",
			0},
		{"local co co = coroutine.create(function() assert(coroutine.status(co) == "
		 "'running')\n"
		 "  local ok, e = coroutine.resume(co) assert(not ok and e:find('running')) end)\n"
		 "assert(coroutine.resume(co))",
			0},
		{"local co = coroutine.create(error) local ok, e = coroutine.resume(co, 'x')\n"
		 "assert(not ok and e == 'x')",
			0},
		{"local e = {} local ok, got = pcall(coroutine.wrap(function() error(e) end))\n"
		 "assert(not ok and got == e)",
			0},
		{"assert(not pcall(coroutine.create, 1) and not pcall(coroutine.wrap) and not "
		 "pcall(coroutine.resume, {}) and not pcall(coroutine.status))",
			0},
		{"coroutine.wrap(print)('x')", 0},
		/* one that tries to resume itself where it could not wait can wait later */
		{"local co co = coroutine.create(function() table.sort({2, 1}, function()\n"
		 "  assert(not coroutine.resume(co)) end) return prtip.wait(true) end)\n"
		 "local ok, n = coroutine.resume(co) assert(ok and n == 1)",
			1},
		{"local a = coroutine.wrap(function() for i = 1, 1e4 do coroutine.yield(i) end "
		 "end)\n"
		 "for i = 1, 1e4 do assert(a() == i) end",
			0},
	};

	pass_all(cases, sizeof(cases) / sizeof(cases[0]));
}

/* ---- The end of runaways ---- */

/* The VM computes, allocates, and waits, with nobody having asked for a collection. */
static void check_usable(struct run *run, const char *after) {
	lua_State *co = lua_newthread(sandbox_state(run->box));

	lua_settop(run->co, 0);
	sandbox_push_global(run->box, co, "after");
	drive(run, co, 0);
	cr_expect_eq(run->status, 0, "%s\n---> then %s", after, run->error);
	cr_expect_eq(run->waits, 2, "%s", after);
}

Test(sandbox, runaways_end_in_an_error) {
	static const char *const bodies[] = {
		/* memory */
		"('x'):rep(1e9)",
		"local s = 'x' while true do s = s .. s end",
		"local t = {} while true do t[#t + 1] = {} end",
		"local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
		"local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end",
		"local t = {} for i = 1, 1e9 do t[i] = coroutine.wrap(function() end) t[i]() end",
		"local t = {('x'):rep(1e6)} for i = 1, 20 do t[i + 1] = t[i] .. t[i] end",
		"local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
		"string.format('%99d' .. ('%s'):rep(100), unpack({}, 1, 1e8))",
		"(('a'):rep(1e5)):gsub('a', ('b'):rep(1e5))",
		"local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e5) .. i end table.concat(t)",
		"prtip.base64(('x'):rep(15e6))",
		"prtip.json_decode('[' .. ('[],'):rep(1e6) .. '1]')",
		"prtip.json_encode({('\\1'):rep(4e6)})",
		"utf8.codepoint(('x'):rep(1e6), 1, -1)",
		/* stack */
		"local function f() return 1 + f() end f()",
		"local function f() local ok, e = pcall(f) error(e) end f()",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k) return "
		"s[k + 1] "
		"end local x = t[1]",
		"local function f() return (('a'):gsub('a', f)) end f()",
		"local function f() table.sort({1, 2, 3}, function() f() end) end f()",
		"local t t = setmetatable({}, {__tostring = function() return ('%s'):format(t) "
		"end}) "
		"tostring(t)",
		"local function f() string.format('%s', setmetatable({}, {__tostring = f})) end "
		"f()",
		"local function f() coroutine.wrap(f)() end f()",
		"local function f() assert(coroutine.resume(coroutine.create(f))) end f()",
		"local function f() ('a'):gsub('a', coroutine.wrap(f)) end f()",
		"local function f() table.sort({1, 2}, coroutine.wrap(f)) end f()",
		"local function f() local n = 0 local function g() n = n + 1 if n > 3000 then\n"
		"  return coroutine.wrap(f)() end table.sort({2, 1}, g) end g() end f()",
		"local t = {} t.__index = t setmetatable(t, t) local x = t.x",
		"unpack({}, 1, 1e8)",
		"('x'):rep(1e5):match(('(.-)'):rep(31) .. ('.-'):rep(300) .. 'y')",
		"select(-1e9, 1)",
	};
	struct run run;
	char text[768];

	for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		snprintf(text, sizeof(text),
			"function after() local t = {} for i = 1, 1e5 do t[i %% 100] = {i} end\n"
			"  assert(('x'):rep(1e5):len() == 1e5 and prtip.wait() == 1)\n"
			"  assert(coroutine.wrap(prtip.wait)() == 2) end\n"
			"local ok, e = pcall(function() %s end) assert(not ok, 'no error')",
			bodies[i]);
		run_text(&run, text, strlen(text));
		cr_expect_eq(run.status, 0, "%s\n---> %s", bodies[i], run.error);
		check_usable(&run, bodies[i]);
		end(&run);
	}
}

/* Where the C stack is small, it and not the depth is what ends nesting. */
Test(sandbox, nested_coroutines_on_a_small_stack) {
	static const char text[]
		= "local deepest = 0 local function f(n) deepest = n coroutine.wrap(f)(n + 1) end\n"
		  "local ok, e = pcall(f, 1) assert(not ok and e:find('C stack overflow'), e)\n"
		  "assert(deepest > 10 and deepest < 190, deepest)";
	struct rlimit limit;
	struct run run;

	cr_assert_eq(getrlimit(RLIMIT_STACK, &limit), 0);
	const struct rlimit small = {.rlim_cur = 32 << 10, .rlim_max = limit.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_STACK, &small), 0);
	begin(&run, CAP, text, sizeof(text) - 1);
	cr_assert_eq(setrlimit(RLIMIT_STACK, &limit), 0);
	cr_assert_eq(sandbox_push_main(run.box, run.co), 0);
	drive(&run, run.co, 0);
	cr_expect_eq(run.status, 0, "%s", run.error);
	end(&run);
}

/* Coming back from a wait, a coroutine is as deep as before. */
Test(sandbox, depth_counts_on_after_a_wait) {
	static const char nest[]
		= "local function nest(n, f) if n == 0 then return f() end\n"
		  "  return coroutine.wrap(nest)(n - 1, f) end\n"
		  "nest(100, function() prtip.wait() nest(%d, function() end) end)";
	char text[256];

	snprintf(text, sizeof(text), nest, 90);
	must_pass(text, 1);
	snprintf(text, sizeof(text), nest, 91);
	must_fail(text, "C stack overflow");
}

/* The same in a coroutine of the plugin's own: the coroutine is lost, the VM is not. */
Test(sandbox, nested_coroutines_10000_deep) {
	must_fail("local function f(n) if n == 0 then return end coroutine.wrap(f)(n - 1) end "
		  "f(10000)",
		"C stack overflow");
	must_pass("local deepest = 0 local function f(n) deepest = n\n"
		  "  local ok, e = coroutine.resume(coroutine.create(f), n + 1)\n"
		  "  if not ok then error(e, 0) end end\n"
		  "for i = 1, 3 do local ok, e = pcall(f, 1)\n"
		  "  assert(not ok and e:find('C stack overflow') and deepest == 191, deepest) end",
		0);
}

/* An error that nobody catches leaves the VM to the next call. */
Test(sandbox, uncaught_memory_error) {
	struct run run;
	static const char text[]
		= "function ok() return 7 end\n"
		  "function bomb() local t = {} while true do t[#t + 1] = {} end end";

	run_text(&run, text, strlen(text));
	for (int i = 0; i < 3; i++) {
		lua_State *co = lua_newthread(sandbox_state(run.box));
		sandbox_push_global(run.box, co, "bomb");
		drive(&run, co, 0);
		cr_expect_eq(run.status, LUA_ERRMEM);
		cr_expect_str_eq(run.error, "not enough memory");
		cr_expect_leq(sandbox_used(run.box), CAP);
		lua_settop(sandbox_state(run.box), 1);
		lua_gc(sandbox_state(run.box), LUA_GCCOLLECT, 0);
		cr_expect_lt(sandbox_used(run.box), 1 << 20);
	}
	sandbox_push_global(run.box, run.co, "ok");
	drive(&run, run.co, 0);
	cr_expect_eq(run.status, 0, "%s", run.error);
	end(&run);
}

/* Garbage is no reason to fail while the live part is well below the cap. */
Test(sandbox, garbage_does_not_exhaust_the_cap) {
	must_pass(
		"local function clear() local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p end\n"
		"for i = 1, 3 do\n"
		"  assert(not pcall(function() local t = {} while true do t[#t + 1] = {} end "
		"end))\n"
		"  clear() for i = 1, 1e5 do local t = {i} end end",
		0);
	must_pass("local live = {} for i = 1, 60 do live[i] = ('x'):rep(1e5) .. i end\n"
		  "for i = 1, 3000 do local s = ('y'):rep(1e5) .. i end\n"
		  "for i = 1, 1e6 do local t = {i, i} end\n"
		  "local s = '' for i = 1, 3000 do s = s .. 'some more text ' .. i end\n"
		  "assert(#live == 60)",
		0);
}

Test(sandbox, a_small_cap_is_refused) {
	struct lh_source source = {(char *)"main.lua", (char *)"", 0};
	struct sandbox *box;

	/* Whatever allocation fails on the way: no crash, no leak (under a leak checker). */
	uint64_t cap = 0;
	int rc;
	do {
		const struct sandbox_params params
			= {.memory_bytes = cap, .sources = &source, .nb_sources = 1};
		rc = sandbox_create(&params, &box);
		if (rc)
			cr_assert_eq(rc, -ENOMEM);
		cap += 211;
	} while (rc);
	cr_expect_lt(sandbox_used(box), 200 << 10);
	sandbox_destroy(box);
}

static int run_protected(lua_State *L) {
	struct run *run = lua_touserdata(L, 1);

	run->co = lua_newthread(L);
	if (!(run->status = sandbox_push_main(run->box, run->co)))
		drive(run, run->co, 0);
	return 0;
}

/* Memory may end at any allocation of what a plugin can do: no crash, and what works works right. */
Test(sandbox, every_cap) {
	static const char text[]
		= "local t = {} for i = 1, 20 do t[i] = coroutine.wrap(function(n)\n"
		  "  local ok, e = pcall(coroutine.yield, n + prtip.wait()) return {n} end) "
		  "t[i](i) end\n"
		  "local s = prtip.json_encode({a = {1, 2, {b = ('x'):rep(500)}}, c = '\\\\'})\n"
		  "assert(prtip.json_decode(s).a[3].b:len() == 500)\n"
		  "assert(prtip.hex.decode(prtip.hex(s)) == s and #prtip.sha256(s) == 64)\n"
		  "assert(prtip.base64.decode(prtip.base64(s)) == s)\n"
		  "s = ('%s %q'):format({}, s):gsub('x', function(c) return c .. c end)\n"
		  "for i, k in pairs(prtip.three) do t['k' .. i] = {i} end\n"
		  "assert(pcall(require, 'fails') == false and require('plain').n == 1)\n"
		  "for i = 1, 20 do assert(t[i](i)[1] == i) end print(utf8.char(8364), s)\n";
	struct lh_source sources[] = {
		{(char *)"main.lua", (char *)text, sizeof(text) - 1}, libraries[0], libraries[4]};
	unsigned done = 0, starved = 0;

	sources[1].bytes = strlen(sources[1].text);
	sources[2].bytes = strlen(sources[2].text);
	for (uint64_t cap = 40 << 10; cap < 160 << 10; cap += 89) {
		struct run run = {.stray = false};
		const struct sandbox_params params = {.memory_bytes = cap,
			.sources = sources,
			.nb_sources = 3,
			.open = open_api,
			.ctx = &run};
		if (sandbox_create(&params, &run.box))
			continue;
		const int rc = lua_cpcall(sandbox_state(run.box), run_protected, &run);
		cr_expect(rc == 0 || rc == LUA_ERRMEM);
		if (!rc && !run.status)
			done++;
		else if (rc || strstr(run.error, "not enough memory"))
			starved++;
		else
			cr_expect_fail("cap %lu: %d %s", cap, run.status, run.error);
		sandbox_destroy(run.box);
	}
	cr_expect_gt(done, 50);
	cr_expect_gt(starved, 50);
}

/* ---- What the host reads ---- */

Test(sandbox, globals_are_read_raw) {
	struct run run;
	static const char text[]
		= "on_target = 5 setmetatable(_G, {__index = error, __newindex = error})";

	run_text(&run, text, strlen(text));
	cr_assert_eq(run.status, 0, "%s", run.error);
	sandbox_push_global(run.box, run.co, "on_target");
	cr_expect_eq(lua_tointeger(run.co, -1), 5);
	sandbox_push_global(run.box, run.co, "on_load");
	cr_expect(lua_isnil(run.co, -1));
	cr_expect_eq(lua_gettop(run.co), 2);
	end(&run);
}

Test(sandbox, no_main) {
	struct lh_source source = {(char *)"lib/a.lua", (char *)"", 0};
	const struct sandbox_params params
		= {.memory_bytes = CAP, .sources = &source, .nb_sources = 1};
	struct sandbox *box;
	char text[TEXT_BYTES];

	cr_assert_eq(sandbox_create(&params, &box), 0);
	cr_expect_eq(sandbox_push_main(box, sandbox_state(box)), LUA_ERRSYNTAX);
	sandbox_error_text(sandbox_state(box), text, sizeof(text));
	cr_expect_str_eq(text, "main.lua: the plugin has none");
	sandbox_destroy(box);
	sandbox_destroy(NULL);
}

static void error_is(const char *main_text, const char *expected) {
	struct run run;

	run_text(&run, main_text, strlen(main_text));
	cr_expect_str_eq(run.error, expected, "%s\n---> %s", main_text, run.error);
	end(&run);
}

Test(sandbox, error_text) {
	error_is("error('plain', 0)", "plain");
	error_is("error('placed')", "main.lua:1: placed");
	error_is("error({})", "error object is a table");
	error_is("error(setmetatable({}, {__tostring = function() error('called') end}))",
		"error object is a table");
	error_is("error()", "error object is a nil");
	error_is("error(print)", "error object is a function");
	error_is("error(prtip.null)", "error object is a userdata");
	error_is("error(1.5, 0)", "1.5");
	error_is("error(true)", "error object is a boolean");
	error_is("error('a\\255b\\0c\\27[31md', 0)",
		"a\xef\xbf\xbd"
		"b\xef\xbf\xbd"
		"c\xef\xbf\xbd[31md");
	error_is("error('\\237\\160\\128', 0)", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	error_is("error('\\195\\188\\n\\240\\159\\152\\128', 0)", "\xc3\xbc\n\xf0\x9f\x98\x80");
}

/* Whatever the room: valid UTF-8, ended, not beyond it. */
Test(sandbox, error_text_is_cut_between_characters) {
	struct run run;
	static const char text[] = "error(('\\226\\130\\172x'):rep(1e6), 0)";
	char cut[32];

	run_text(&run, text, strlen(text));
	cr_expect_eq(strlen(run.error), TEXT_BYTES - 1);
	for (size_t room = 1; room < sizeof(cut); room++) {
		memset(cut, '#', sizeof(cut));
		sandbox_error_text(run.co, cut, room);
		const size_t n = strlen(cut);
		cr_expect_lt(n, room);
		cr_expect_lt(room - 1 - n, 3);
		cr_expect_eq(utf8_valid(cut, n), n);
		cr_expect_eq(cut[room], '#');
	}
	end(&run);
}
