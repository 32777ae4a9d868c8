-- SPDX-License-Identifier: BSD-3-Clause
-- The environment of a plugin, made of LuaJIT's own functions before the plugin's first line runs.
-- The real globals are seen only here; sandbox.c empties them afterwards.
--
-- native: what C gives (see sandbox.c); prtip: the finished API. Returns the environment.

local native, prtip = ...

local error, next, pcall, select, type = error, next, pcall, select, type
local raw_getmetatable, raw_pairs, raw_tostring = getmetatable, pairs, tostring
local raw_create, raw_resume, raw_running = coroutine.create, coroutine.resume, coroutine.running
local raw_status, raw_isyieldable = coroutine.status, coroutine.isyieldable
local yield, concat, raw_format = coroutine.yield, table.concat, string.format

-- The fields of from that are named, in a new table.
local function pick(from, names)
	local to = {}
	for name in names:gmatch("%S+") do
		if from[name] == nil then error("prelude: " .. name .. " does not exist") end
		to[name] = from[name]
	end
	return to
end

local function copy(from)
	local to = {}
	for key, value in next, from do to[key] = value end
	return to
end

local env = pick(_G, [[assert error ipairs next pcall rawequal rawget rawset select setmetatable
	tonumber type unpack xpcall]])
env._G = env
env._VERSION = "Lua 5.1"
env.prtip = prtip
env.utf8 = native.utf8
env.bit = pick(bit, "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex")
env.math = pick(math, [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log
	log10 max min modf pi pow rad random randomseed sin sinh sqrt tan tanh]])
env.table = pick(table, "concat foreach foreachi getn insert maxn move remove")
env.table.sort = native.sort
env.string = pick(string, "byte char find gmatch len lower match rep reverse sub upper")
env.string.gsub = native.gsub

-- Values without text of their own are named by their type: an address would tell where memory lies.
-- native.describe gives that name, or nil where LuaJIT's tostring is safe.
local function tostring(...)
	local value = ...
	local kind = type(value)
	if kind == "string" or kind == "number" then return raw_tostring(value) end
	local text = native.describe(value)
	if text then return text end
	return raw_tostring(...)
end
env.tostring = tostring

-- native.spell gives its arguments with each value for a %s or %q that has no text of its own
-- replaced by tostring's.
local spell = native.spell(tostring)
function env.string.format(...)
	return raw_format(spell(...))
end

if prtip.log then
	local log = prtip.log
	function env.print(...)
		local parts = {}
		for i = 1, select("#", ...) do
			parts[i] = tostring((select(i, ...)))
		end
		return log("info", concat(parts, "\t"))
	end
end

-- A metatable is for its owner: of tables only, as __metatable allows; of strings and the host's
-- userdata never.
function env.getmetatable(...)
	local value = ...
	local kind = type(value)
	if kind == "string" or kind == "userdata" then
		if raw_getmetatable(value) == nil then return nil end
		return false
	end
	return raw_getmetatable(...)
end

local strings = raw_getmetatable("")
strings.__index = copy(env.string)
strings.__metatable = false

-- The host's userdata may say how to go through them.
local pairs_of = native.pairs_of
function env.pairs(...)
	local value = ...
	if type(value) == "userdata" then
		local iterate = pairs_of(value)
		if iterate then return iterate(value) end
	end
	return raw_pairs(...)
end

-- ---- Coroutines ----
--
-- A call that waits for the host yields WAIT, from whatever coroutine it is in; each resume on the
-- way out yields it on, and hands what the host answers back in. The plugin never sees WAIT: it comes
-- out of raw_resume alone, and relay, the only caller, keeps it.
--
-- own: of each coroutine that the plugin made, how deep it was resumed (negative: where a wait cannot
-- get through), or false while it waits for the host and nobody else may resume it. Conversations,
-- the host's coroutines, are not in it and are never given to the plugin.

local WAIT, own, enter = native.wait, native.own, native.enter

local relay

local function go_on(co, depth, ...)
	own[co] = depth
	return relay(co, raw_resume(co, ...))
end

function relay(co, ...)
	local _, first = ...
	if first ~= WAIT then return ... end
	local depth = own[co]
	own[co] = false
	return go_on(co, depth, yield(WAIT))
end

local function resume(co, ...)
	local depth = own[co]
	if depth then
		local problem = enter(co)
		if problem then return false, problem end
		return relay(co, raw_resume(co, ...))
	end
	if depth == false then return false, "cannot resume a coroutine that waits for the host" end
	return raw_resume(co, ...) -- raises: no coroutine
end

local function create(f)
	if type(f) ~= "function" then return raw_create(f) end -- raises
	local co = raw_create(f)
	own[co] = 0
	return co
end

local function unwrap(ok, ...)
	if ok then return ... end
	return error((...), 0)
end

local function wrap(f)
	if type(f) ~= "function" then return raw_create(f) end -- raises
	local co = create(f)
	return function(...)
		return unwrap(resume(co, ...))
	end
end

local function running()
	local co = raw_running()
	if own[co] ~= nil then return co end
end

local function status(co)
	if own[co] == false then return "normal" end
	return raw_status(co)
end

env.coroutine = {
	create = create, resume = resume, running = running, status = status, wrap = wrap, yield = yield,
	isyieldable = function()
		return running() ~= nil and raw_isyieldable()
	end,
}

-- ---- require ----

local load_source = native.load
local loaded, loading = {}, {}

local function finish(name, ok, value)
	loading[name] = nil
	if not ok then return error(value, 0) end
	if value == nil then value = true end
	loaded[name] = value
	return value
end

function env.require(name)
	local value = loaded[name]
	if value ~= nil then return value end
	if loading[name] then
		error("lib/" .. name .. ".lua requires itself, directly or through others", 2)
	end
	local chunk = load_source(name)
	loading[name] = true
	return finish(name, pcall(chunk, name))
end

return env
