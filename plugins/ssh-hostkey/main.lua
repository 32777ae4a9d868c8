-- SPDX-License-Identifier: BSD-3-Clause
-- Host keys and algorithms of an SSH server, without a login.
--
-- The work is done once for each result: in analyze_banner where there is a banner, in probe_service
-- where there is none.
local hostkey = require("hostkey")
local kex = require("kex")
local ports = require("ports")
local weak = require("weak")
local wire = require("wire")

local OUR_VERSION = "SSH-2.0-prtip_dp"
local TYPES = {
	["ssh-ed25519"] = true, ["ssh-ed448"] = true, ["ecdsa-sha2-nistp256"] = true,
	["ecdsa-sha2-nistp384"] = true, ["ecdsa-sha2-nistp521"] = true, ["ssh-rsa"] = true, ["ssh-dss"] = true,
}
local NUMBERS = { delay = { 0, 60 }, timeout = { 0.1, 60 }, max_seconds = { 1, 3600 } }

local config, is_ssh_port

-- ---- Settings ----

function on_load(given)
	for name, limits in pairs(NUMBERS) do
		local value = given[name]
		if type(value) ~= "number" or not (value >= limits[1] and value <= limits[2]) then
			return ("%s: a number from %g to %g, not %s"):format(name, limits[1], limits[2], tostring(value))
		end
	end
	for _, name in ipairs({ "ports", "key_types" }) do
		if type(given[name]) ~= "table" then
			return ("%s: a list, not a %s"):format(name, type(given[name]))
		end
	end
	for _, kind in ipairs(given.key_types) do
		if not TYPES[kind] then
			return ("key_types: %s is no type of host key that is known here"):format(tostring(kind))
		end
	end
	local why
	is_ssh_port, why = ports.set(given.ports)
	if why then
		return "ports: " .. why
	end
	config = given
end

-- ---- What the version line says ----

local PRODUCTS = {
	{ "^OpenSSH_([%w.]+)", "OpenSSH", "cpe:/a:openbsd:openssh:" },
	{ "^dropbear_([%w.]+)", "Dropbear sshd", "cpe:/a:dropbear_ssh_project:dropbear_ssh:" },
	{ "^libssh_([%w.]+)", "libssh", "cpe:/a:libssh:libssh:" },
}

-- "2.0" and the rest of "SSH-2.0-OpenSSH_9.2p1 Debian-2", in printable characters.
local function split_version(line)
	local protocol, software = line:match("^SSH%-([%d.]+)%-(.*)$")
	return protocol, software and software:gsub("[^ -~]", "?"):sub(1, 250)
end

local function service_of(line)
	local protocol, software = split_version(line)
	local service = { service = "ssh", confidence = 0.95, info = protocol and "protocol " .. protocol }
	for _, row in ipairs(PRODUCTS) do
		local version = software and software:match(row[1])
		if version then
			service.product, service.version, service.cpe = row[2], version, row[3] .. version
		end
	end
	local comment = software and software:match("^%S+%s+(.+)$")
	if comment then
		service.info = service.info .. ", " .. comment
	end
	return service
end

-- ---- The work ----

-- What the results show of the lists: the other direction only where it differs.
local function algorithms(server)
	local lists, shown = server.lists, {}
	for _, name in ipairs({ "kex", "host_key", "ciphers", "macs", "compression" }) do
		shown[name] = #lists[name] > 0 and lists[name] or nil
		local other = name .. "_to_client"
		if server.raw[other] and server.raw[other] ~= server.raw[name] and #lists[other] > 0 then
			shown[other] = lists[other]
		end
	end
	return next(shown) and shown or nil
end

-- The types of key to ask for, each with the algorithm to ask by: {type, algorithm}.
local function wanted_keys(server)
	local list = {}
	for _, kind in ipairs(config.key_types) do
		local algorithm = hostkey.algorithm_for(kind, server.lists.host_key)
		if algorithm then
			list[#list + 1] = { kind, algorithm }
		end
	end
	return list
end

local function fetch(connection, server, algorithm)
	local blob, why = kex.host_key(connection, server, algorithm)
	connection:close(blob ~= nil)
	if not blob then
		return nil, why
	end
	return hostkey.describe(blob) or nil, "the host key is malformed"
end

-- A connection up to the server's algorithms.
local function greet(target, ends)
	local connection, why = wire.connect(target, config.timeout, ends)
	if not connection then
		return nil, nil, why
	end
	local server
	server, why = kex.greet(connection, OUR_VERSION)
	if not server then
		connection:close(false)
		return nil, nil, why
	end
	return connection, server, why
end

-- One connection for each type of key; the first is there. Returns the keys, and why some are missing.
local function all_keys(target, connection, server, ends)
	local keys, missing = {}, nil
	for i, row in ipairs(wanted_keys(server)) do
		local again, key, why = server, nil, nil
		if i > 1 then
			prtip.sleep(config.delay)
			connection, again, why = greet(target, ends)
		end
		if connection and again.lists then
			key, why = fetch(connection, again, row[2])
		elseif connection then
			connection:close(false)
		end
		connection = nil
		if key then
			keys[#keys + 1] = key
		else
			missing = missing or {}
			missing[row[1]] = why
		end
	end
	if connection then
		connection:close(true)
	end
	return keys, missing
end

local function add(key, value)
	if value ~= nil then
		prtip.add_result(key, value)
	end
end

local function work(target)
	if target.protocol ~= "tcp" or not target.port then
		return nil
	end
	local ends = prtip.now() + config.max_seconds
	local connection, server, why = greet(target, ends)
	if not connection then
		return nil
	end
	local protocol, software = split_version(server.version)
	if not protocol then
		connection:close(false)
		return nil
	end
	add("protocol", protocol)
	add("software", software ~= "" and software or nil)
	add("error", why)
	local keys, missing = {}, nil
	if server.lists then
		keys, missing = all_keys(target, connection, server, ends)
		add("algorithms", algorithms(server))
		add("strict_kex", server.lists.markers["kex-strict-s-v00@openssh.com"] == true)
		add("host_keys", #keys > 0 and keys or nil)
		add("missing", missing)
	else
		connection:close(false)
	end
	add("weak", weak.check(server.version, server.lists, keys))
	return service_of(server.version)
end

-- ---- Hooks ----

function analyze_banner(banner)
	if banner:find("^SSH%-") or banner:find("\nSSH%-") then
		return work(prtip.get_target())
	end
end

function probe_service(target)
	if prtip.target_info.banner then
		return nil
	end
	if prtip.target_info.service == "ssh" or is_ssh_port(target.port or 0) then
		return work(target)
	end
end
