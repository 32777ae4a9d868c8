-- SPDX-License-Identifier: BSD-3-Clause
-- Whether a service gives data to anybody. Reads only: no login is tried and nothing is changed.
--
--   lib/finding.lua   the states that a check can end in
--   lib/stream.lua    a connection with a deadline
--   lib/redis.lua, memcached.lua, mongodb.lua, mqtt.lua, ldap.lua   a check each
--   lib/web.lua       elasticsearch, etcd, docker, kubernetes
--
-- A check is a function of an open connection, of a function that opens a further one, and of the host as
-- a URL has it. It returns a finding.

local stream = require("stream")
local web = require("web")

local CHECKS = {
	redis = require("redis"), memcached = require("memcached"), mongodb = require("mongodb"), mqtt = require("mqtt"),
	ldap = require("ldap"), elasticsearch = web.elasticsearch, etcd = web.etcd, docker = web.docker,
	kubernetes = web.kubernetes,
}
-- Names of services that are known before, on whatever port.
local SERVICES = { redis = "redis", memcache = "memcached", mongodb = "mongodb", mqtt = "mqtt", ldap = "ldap",
	elasticsearch = "elasticsearch", etcd = "etcd", docker = "docker", kubernetes = "kubernetes" }
local MOST_CONNECTIONS = 4 -- of one check, one after the other

local timeout, ports

function on_load(config)
	timeout, ports = config.timeout, {}
	if type(timeout) ~= "number" or not (timeout > 0 and timeout <= 30) then
		return "timeout must be a number of seconds, above 0 and at most 30"
	end
	if type(config.ports) ~= "table" then return "ports must be an array of strings such as \"6379=redis\"" end
	for _, text in ipairs(config.ports) do
		local port, name, tls = tostring(text):match("^%s*(%d+)=(%w+)(/?%w*)%s*$")
		port = tonumber(port)
		if not port or port < 1 or port > 65535 or not CHECKS[name] or tls ~= "" and tls ~= "/tls" then
			return ("ports, \"%s\": give PORT=CHECK or PORT=CHECK/tls, with one of docker, elasticsearch, etcd, kubernetes, "
				.. "ldap, memcached, mongodb, mqtt, redis"):format(tostring(text))
		end
		ports[port] = { name = name, tls = tls ~= "" }
	end
end

-- The check of a target; nil: none.
local function pick(target)
	if target.protocol ~= "tcp" or not target.port then return nil end
	local by_port = ports[target.port]
	if by_port then return by_port end
	local name = SERVICES[prtip.target_info.service or ""]
	return name and { name = name, tls = false }
end

local function run(target, what)
	local peers = {}
	local function again()
		if peers[1] then peers[#peers]:close() end
		if #peers == MOST_CONNECTIONS then return nil, "too many connections" end
		local peer, why = stream.open(target.ip, target.port, { timeout = timeout, tls = what.tls })
		peers[#peers + 1] = peer
		return peer, why
	end
	local host = target.ip:find(":", 1, true) and "[" .. target.ip .. "]" or target.ip
	local first, why = again()
	if not first then return { state = "no answer", how = why } end
	-- So that connections are closed even where a check raises an error; that goes on as it is.
	local ok, found = pcall(CHECKS[what.name], first, again, host .. ":" .. target.port)
	if peers[1] then peers[#peers]:close() end
	if not ok then error(found, 0) end
	return found
end

-- What goes into the record's service is not said twice.
local APART = { service = true, product = true, cpe = true }

local function examine(target)
	local what = pick(target)
	if not what then return nil end
	local found = run(target, what)
	local result = {}
	-- What is too long for a version is none.
	if found.version and #found.version > 60 then found.version, found.cpe = nil, nil end
	for key, value in pairs(found) do
		if not APART[key] then result[key] = value end
	end
	prtip.add_result(what.name, result)
	if not found.service then return nil end
	return {
		service = found.service, product = found.product, version = found.version, cpe = found.cpe, info = found.state,
		confidence = found.version and 0.95 or 0.9,
	}
end

-- ---- Hooks: once for each result, whether it has a banner or not ----

function analyze_banner()
	return examine(prtip.get_target())
end

function probe_service(target)
	if prtip.target_info.banner == nil then return examine(target) end
end
