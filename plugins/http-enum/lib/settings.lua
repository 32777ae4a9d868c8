-- SPDX-License-Identifier: BSD-3-Clause
-- The plugin's settings, checked once. What is wrong with one ends the program before anything is sent,
-- so each message says which it is and what would be right.
local settings = {}

local MOST_PATHS, PATH_BYTES = 1000, 256

local function number(config, key, least, most)
	local value = config[key]
	-- NaN is not equal to itself, and in no range.
	if type(value) ~= "number" or not (value >= least and value <= most) then
		return nil, ("%s must be a number from %s to %s"):format(key, least, most)
	end
	return value
end

-- Printable ASCII: what a header may hold without a second thought.
local function line(config, key, most)
	local value = config[key]
	if type(value) ~= "string" or #value > most or value:find("[^ -~]") then
		return nil, ("%s must be a string of up to %d printable ASCII characters"):format(key, most)
	end
	return value
end

-- A path as it stands in a request: RFC 3986 has no spaces, quotes or control characters, and a
-- fragment is never sent.
local function path(value)
	return type(value) == "string" and #value <= PATH_BYTES and value:find("^/") ~= nil
		and not value:find("[^!-~]") and not value:find('[#"<>\\^`{|}]')
end

local function paths(config)
	local list, seen = config.paths, {}
	if type(list) ~= "table" then return nil, "paths must be an array of strings" end
	if #list == 0 then list = require("paths") end
	if #list > MOST_PATHS then return nil, ("paths has over %d entries"):format(MOST_PATHS) end
	local result = {}
	for i, value in ipairs(list) do
		if not path(value) then
			return nil, ("paths: entry %d must be a string like \"/admin\", of up to %d printable ASCII "
				.. "characters; write others as %%20"):format(i, PATH_BYTES)
		end
		if not seen[value] then result[#result + 1] = value end
		seen[value] = true
	end
	return result
end

-- {"200-299", 401} as a set.
local function ranges(config, key, least, most)
	local list, set = config[key], {}
	if type(list) ~= "table" or #list == 0 then
		return nil, ('%s must be an array like ["200-299", "401"]'):format(key)
	end
	for i, value in ipairs(list) do
		local first, last = tostring(value):match("^(%d+)%-?(%d*)$")
		local low, high = tonumber(first), tonumber(last ~= "" and last or first)
		if not low or tostring(value):find("%-$") or low < least or high > most or low > high then
			return nil, ('%s: entry %d must be a number from %d to %d, or a range like "200-299"')
				:format(key, i, least, most)
		end
		for number = low, high do set[number] = true end
	end
	return set
end

local TLS = { auto = "auto", yes = "yes", no = "no" }

-- Each field with its check. A check returns the value, or nil and what is wrong.
local checks = {
	{ "paths", paths },
	{ "status", function(config) return ranges(config, "status", 200, 599) end },
	{ "ports", function(config) return ranges(config, "ports", 1, 65535) end },
	{ "host", function(config)
		local host, why = line(config, "host", 255)
		if not host then return nil, why end
		if host:find("[^%w%.%-_:%[%]]") then return nil, "host must be a name or an address, with or "
			.. "without a port, like \"www.example.org\"" end
		return host
	end },
	{ "user_agent", function(config) return line(config, "user_agent", 256) end },
	{ "timeout", function(config) return number(config, "timeout", 0.1, 60) end },
	{ "delay", function(config) return number(config, "delay", 0, 60) end },
	{ "max_seconds", function(config) return number(config, "max_seconds", 1, 86400) end },
	{ "max_bytes", function(config) return number(config, "max_bytes", 1024, 1048576) end },
	{ "tls", function(config)
		local tls = TLS[config.tls]
		return tls, not tls and 'tls must be "auto", "yes" or "no"' or nil
	end },
}

local known = {}
for _, check in ipairs(checks) do known[check[1]] = true end

-- A table of checked settings, or nil and what is wrong.
function settings.read(config)
	for key in pairs(config) do
		if not known[key] then return nil, ("%s is no setting of this plugin"):format(tostring(key)) end
	end
	local result = {}
	for _, check in ipairs(checks) do
		local value, why = check[2](config)
		if value == nil then return nil, why end
		result[check[1]] = value
	end
	result.max_bytes = math.floor(result.max_bytes)
	-- Of an empty text the client sends its own, or nothing.
	if result.host == "" then result.host = nil end
	if result.user_agent == "" then result.user_agent = nil end
	return result
end

return settings
