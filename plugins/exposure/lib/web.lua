-- SPDX-License-Identifier: BSD-3-Clause
-- Requests by HTTP/1.1, one a connection, and the APIs that are asked by it.

local finding = require("finding")
local LINE_BYTES, HEADERS, BODY_BYTES = 4096, 64, 65536

-- ---- One request ----

-- The body behind the headers: by length, in chunks, or up to the end; at most BODY_BYTES.
local function read_body(peer, headers)
	if (headers["transfer-encoding"] or ""):lower():find("chunked", 1, true) then
		local parts, bytes = {}, 0
		while true do
			local line = peer:line(LINE_BYTES)
			local size = line and line:match("^%x+")
			size = size and #size <= 8 and tonumber(size, 16)
			if not size or bytes + size > BODY_BYTES then return nil end
			if size == 0 then return table.concat(parts) end
			local chunk = peer:read(size + 2)
			if not chunk then return nil end
			parts[#parts + 1] = chunk:sub(1, size)
			bytes = bytes + size
		end
	end
	local length = tonumber(headers["content-length"])
	if length then return length >= 0 and length <= BODY_BYTES and peer:read(length) or nil end
	while #peer.held <= BODY_BYTES do
		if not peer:more() then return peer.held end
	end
end

-- Returns {status, headers, body}; or nil, why, and true where what came is no HTTP.
local function request(peer, host, method, path, body)
	local text = ("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: prtip-dp\r\nAccept: application/json\r\nConnection: close\r\n"):format(
		method, path, host)
	if body then text = text .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n" end
	local sent, why = peer:write(text .. "\r\n" .. (body or ""))
	local line
	if sent then line, why = peer:line(LINE_BYTES) end
	if not line then return nil, why end
	local status = line:match("^HTTP/1%.[01] (%d%d%d)")
	if not status then return nil, path .. " got " .. finding.clean(line, 40), true end
	local headers = {}
	for _ = 1, HEADERS do
		line = peer:line(LINE_BYTES)
		if not line then return nil, "headers without an end", true end
		if line == "" then break end
		local name, value = line:match("^([^:]+):%s*(.-)%s*$")
		if name then headers[name:lower()] = value end
	end
	return { status = tonumber(status), headers = headers, body = read_body(peer, headers) or "" }
end

local function json(answer)
	local value = answer.body ~= "" and prtip.json_decode(answer.body)
	return type(value) == "table" and value or {}
end

local function text(value)
	return type(value) == "string" and finding.clean(value, 60) or nil
end

local function version(value)
	return type(value) == "string" and value:match("^v?(%d[%w.+~-]*)$") or nil
end

local function cpe(name, number)
	return number and ("cpe:/a:%s:%s"):format(name, number:match("^[%w.-]*"):lower())
end

-- ---- APIs: each gets a function ask(method, path [, body]) and returns a finding ----

local api = {}

function api.elasticsearch(ask)
	local answer = ask("GET", "/")
	local value = json(answer)
	local opensearch = (tostring(value.tagline) .. tostring(answer.headers["www-authenticate"])):find("OpenSearch", 1, true)
	local product = opensearch and "OpenSearch" or "Elasticsearch"
	local named = opensearch or answer.headers["x-elastic-product"] == "Elasticsearch"
		or text(value.tagline) == "You Know, for Search" or tostring(answer.body):find("security_exception", 1, true)
	if not named then return nil end
	local more = { service = "elasticsearch", product = product }
	if answer.status == 401 or answer.status == 403 then return finding.closed("GET / got " .. answer.status, more) end
	local number = type(value.version) == "table" and version(value.version.number)
	if answer.status ~= 200 or not number then return finding.refused("GET / got " .. answer.status, more) end
	more.version, more.cluster = number, text(value.cluster_name)
	more.cpe = cpe(opensearch and "amazon:opensearch" or "elastic:elasticsearch", number)
	return finding.open("GET / answered", more)
end

-- /version is for everybody, also where users are needed; so keys are counted, none of which is read.
local COUNT = '{"key":"AA==","range_end":"AA==","count_only":true}' -- from the first key to the last

function api.etcd(ask)
	local answer = ask("GET", "/version")
	local value = json(answer)
	local number = version(value.etcdserver)
	if not number then return nil end
	local more = { service = "etcd", product = "etcd", version = number, cpe = cpe("etcd:etcd", number) }
	local counted = ask("POST", "/v3/kv/range", COUNT)
	if counted.status == 404 then counted = ask("POST", "/v3beta/kv/range", COUNT) end
	local range = json(counted)
	if counted.status == 200 and type(range.header) == "table" then
		more.keys = tonumber(range.count) or 0
		return finding.open("a count of keys (POST /v3/kv/range) answered", more)
	end
	local how = ("a count of keys got %d (%s)"):format(counted.status, text(range.error) or text(range.message) or "no reason")
	local login = counted.status == 401 or counted.status == 403 or how:find("user name is empty", 1, true)
		or how:find("permission denied", 1, true) or how:find("invalid auth token", 1, true)
	return (login and finding.closed or finding.refused)(how, more)
end

function api.docker(ask)
	local answer = ask("GET", "/version")
	local value = json(answer)
	local named = value.ApiVersion or (answer.headers.server or ""):find("^Docker/") or answer.headers["docker-experimental"]
	if not named then return nil end
	local number = version(value.Version)
	local more = { service = "docker", product = "Docker Engine", version = number, cpe = cpe("docker:docker", number), os = text(value.Os) }
	if answer.status == 200 and value.ApiVersion then return finding.open("GET /version answered", more) end
	return (answer.status == 401 or answer.status == 403) and finding.closed("GET /version got " .. answer.status, more)
		or finding.refused("GET /version got " .. answer.status, more)
end

-- /version is for everybody by default; the list of API versions is not.
function api.kubernetes(ask)
	local answer = ask("GET", "/version")
	local value = json(answer)
	local number = version(value.gitVersion)
	local more = { service = "kubernetes", product = "Kubernetes", version = number, cpe = cpe("kubernetes:kubernetes", number) }
	local list = ask("GET", "/api")
	local reply = json(list)
	if not number and value.kind ~= "Status" and reply.kind ~= "Status" and reply.kind ~= "APIVersions" then return nil end
	if list.status == 200 and reply.kind == "APIVersions" then return finding.open("GET /api answered", more) end
	if list.status == 401 or list.status == 403 then return finding.closed("GET /api got " .. list.status, more) end
	return finding.refused("GET /api got " .. list.status, more)
end

-- ---- A check as the others are: of a connection, and a function that makes further ones ----

local function check(run)
	return function(peer, again, host)
		local first, status, ended = peer, nil, nil
		-- ask() gives up the whole check by an error that is no text.
		local function ask(method, path, body)
			local connection, why = first, nil
			first = nil
			if not connection then connection, why = again() end
			if not connection then error({ silent = why }, 0) end
			local answer, failure, foreign = request(connection, host, method, path, body)
			if not answer then error({ silent = failure, foreign = foreign }, 0) end
			status = answer.status
			return answer
		end
		local ok, result = pcall(run, ask)
		if ok then return result or finding.other("HTTP, status " .. tostring(status)) end
		if type(result) ~= "table" then error(result, 0) end
		ended = result
		-- A TLS server that wants a certificate says so once it has seen that there is none.
		if tostring(ended.silent):find("certificate required", 1, true) then
			return finding.closed("TLS: " .. finding.clean(ended.silent, 80))
		end
		return ended.foreign and finding.other(ended.silent) or finding.silent(ended.silent)
	end
end

local checks = {}
for name, run in pairs(api) do checks[name] = check(run) end
return checks
