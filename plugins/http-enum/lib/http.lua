-- SPDX-License-Identifier: BSD-3-Clause
-- A small HTTP/1.1 client for plugins (RFC 9110, RFC 9112). It needs the capability network, and
-- nothing else of the plugin that it lies in: copy it.
--
--	local client = http.client{ip = target.ip, port = target.port, tls = false}
--	local response, why, failure = client:request("GET", "/")
--	client:close()
--
-- A client has one connection at the most. It keeps it as long as the server does, and makes the
-- next one where it has to. client.requests and client.connections count both.
--
-- Options besides ip and port, all of them optional:
--	tls         true or a table of TLS options, as start_tls() takes them; false: plain
--	host        the Host header; by default address and port. A name is also sent in TLS (SNI)
--	user_agent  the User-Agent header
--	timeout     seconds for a connection, for a handshake, and for a whole response; 10
--	delay       seconds between the end of a response and the next request; 0
--	max_bytes   of a body that are read; the rest is left, and the connection with it; 65536
--
-- A response has
--	status, reason    200, "OK"
--	version           1.0 or 1.1, as a number
--	headers           by name in lower case; where one came repeatedly, joined by ", "
--	body              as far as it was read; "" of HEAD
--	complete          true where all of the body was read
--	length            of the whole body, where that is known, also of HEAD
--	method, path      what was asked
--
-- On failure: nil, why, and a table {stage = "connect" | "tls" | "send" | "receive", data = what came
-- instead of a response}. Redirects are not followed, compression is not asked for.
--
-- A server decides how much comes and in how small pieces. So all is bounded: bytes, lines, time, and
-- the steps that it takes to read them.
local http = {}

local Client = {}
Client.__index = Client

local HEAD_BYTES, HEAD_LINES = 16384, 128
local LINE_BYTES = 1024 -- of a chunk's size and extensions, or of a trailer
local INTERIM = 8 -- responses with 1xx before the one that counts
local READ_BYTES = 16384
-- Steps are reads, header lines and chunks, of some 40 instructions each. A client has some in store and
-- gets more with each request, so that a hundred requests stay below half the limit of one result.
local STEPS, STEPS_EACH = 600, 50
-- Fields that are said once. Of more the first counts, as they are no lists.
local SINGLE = { ["content-type"] = true, ["location"] = true, ["server"] = true }

-- The authority of a URL, without the port where it is the scheme's own.
local function authority(ip, port, tls)
	local name = ip:find(":", 1, true) and "[" .. ip .. "]" or ip
	if port == (tls and 443 or 80) then return name end
	return name .. ":" .. port
end

-- A name that a certificate can have: addresses are not sent in TLS (RFC 6066 section 3).
local function server_name(host)
	local name = host:match("^[%w%.%-_]+")
	return name and name:find("%a") and name or nil
end

local function tls_options(options, host)
	local tls = {}
	for key, value in pairs(type(options) == "table" and options or {}) do tls[key] = value end
	tls.alpn = tls.alpn or { "http/1.1" }
	tls.server_name = tls.server_name or host and server_name(host)
	return tls
end

function http.client(options)
	local tls = options.tls and tls_options(options.tls, options.host) or nil
	local lines = {
		"Host: " .. (options.host or authority(options.ip, options.port, tls)),
		-- HTTP/1.0 servers keep a connection only where they are asked to.
		"Connection: keep-alive",
		"Accept: */*",
		"Accept-Encoding: identity",
	}
	if options.user_agent then table.insert(lines, 2, "User-Agent: " .. options.user_agent) end
	return setmetatable({
		ip = options.ip, port = options.port, tls = tls,
		timeout = options.timeout or 10, delay = options.delay or 0,
		max_bytes = options.max_bytes or 65536,
		header = table.concat(lines, "\r\n") .. "\r\n\r\n",
		steps = STEPS, buffer = "", requests = 0, connections = 0,
		surplus = 0, -- connections on which more came than was asked for
	}, Client)
end

-- ---- The connection ----

function Client:close()
	if self.sock then prtip.close(self.sock) end
	self.sock, self.buffer = nil, ""
end

local function open(self)
	local sock, why = prtip.connect(self.ip, self.port, { timeout = self.timeout })
	if not sock then return nil, why, { stage = "connect" } end
	self.sock, self.connections = sock, self.connections + 1
	if not self.tls then return true end
	self.tls.timeout = self.timeout
	local ok
	ok, why = prtip.start_tls(sock, self.tls)
	if ok then return true end
	self:close()
	return nil, why, { stage = "tls" }
end

-- Account for steps; nil, why where there were too many.
local function step(self, n)
	self.steps = self.steps - (n or 1)
	if self.steps >= 0 then return true end
	return nil, "malformed: too many small pieces"
end

-- Add more bytes to the buffer. nil, why: "closed" at the end of the stream.
local function fill(self)
	local ok, why = step(self)
	if not ok then return nil, why end
	local left = self.deadline - prtip.now()
	if left <= 0 then return nil, "timeout" end
	local data
	data, why = prtip.receive(self.sock, READ_BYTES, left)
	if not data then return nil, why end
	if data == "" then return nil, "closed" end
	self.buffer = self.buffer .. data
	return true
end

-- Take the first n bytes out of the buffer, which has them.
local function take(self, n)
	local data = self.buffer:sub(1, n)
	self.buffer = self.buffer:sub(n + 1)
	return data
end

-- A line without its end, which is CRLF or a bare LF (RFC 9112 section 2.2).
local function read_line(self)
	local from = 1
	while true do
		local at = self.buffer:find("\n", from, true)
		if at and at <= LINE_BYTES then
			local line = take(self, at):sub(1, -2)
			return line:sub(-1) == "\r" and line:sub(1, -2) or line
		end
		if #self.buffer > LINE_BYTES then return nil, "malformed: a line over 1 KiB" end
		from = #self.buffer + 1
		local ok, why = fill(self)
		if not ok then return nil, why end
	end
end

-- ---- The head ----

-- Status line and header lines. What cannot become HTTP is told by its first bytes.
local function read_head(self)
	local from = 1
	while true do
		local start = self.buffer:sub(1, 5)
		if start ~= ("HTTP/"):sub(1, #start) then return nil, "malformed: not HTTP" end
		local first, last = self.buffer:find("\n\r?\n", from)
		if first and last <= HEAD_BYTES then return take(self, last):sub(1, first) end
		if #self.buffer > HEAD_BYTES then return nil, "malformed: a header over 16 KiB" end
		from = math.max(1, #self.buffer - 1)
		local ok, why = fill(self)
		if not ok then return nil, why end
	end
end

local SPACES = { [" "] = true, ["\t"] = true, ["\r"] = true }

local function trim_end(text)
	if not SPACES[text:sub(-1)] then return text end
	local last = text:find("%S%s*$")
	return last and text:sub(1, last) or ""
end

local function add_header(headers, name, value)
	local before = headers[name]
	if not before then
		headers[name] = value
	elseif not SINGLE[name] then
		headers[name] = before .. ", " .. value
	end
end

-- text begins with the end of the status line. Lines that are no header lines are left out, as servers
-- of all kinds have them.
local function parse_headers(self, text)
	local headers, count = {}, 0
	-- A folded line goes on with the one before (RFC 9112 section 5.2).
	text = text:gsub("\r?\n[ \t]+", " ")
	for name, value in text:gmatch("\n([^%s:]+)[ \t]*:[ \t]*([^\r\n]*)") do
		count = count + 1
		if count > HEAD_LINES then return nil, "malformed: over 128 header lines" end
		add_header(headers, name:lower(), trim_end(value))
	end
	self.steps = self.steps - count
	return headers
end

local function parse_head(self, head)
	local line, rest = head:match("^([^\n]*)(.*)$")
	local minor, status, reason = line:match("^HTTP/1%.(%d) +(%d%d%d)(.*)$")
	if not status or reason:find("^[^ \r]") then return nil, "malformed: bad status line" end
	local headers, why = parse_headers(self, rest)
	if not headers then return nil, why end
	return {
		status = tonumber(status), reason = trim_end(reason:match("^ *(.*)$")),
		version = minor == "0" and 1.0 or 1.1, headers = headers,
	}
end

-- ---- The body ----

-- The value of Content-Length; nil where there is none; false where it makes no sense. The same one
-- twice is one (RFC 9112 section 6.3).
local function content_length(headers)
	local text = headers["content-length"]
	if not text then return nil end
	local first = text:match("^%d+")
	if not first or #first > 15 then return false end
	for more in text:gmatch("[^, \t]+") do
		if more ~= first then return false end
	end
	return tonumber(first)
end

-- How the body ends: "none", "chunked", "length" and how long it is, or "close". nil, why: not at all.
local function framing(response)
	local status, headers = response.status, response.headers
	local length = content_length(headers)
	if response.method == "HEAD" or status == 204 or status == 304 then
		return "none", response.method == "HEAD" and length or nil
	end
	local coding = headers["transfer-encoding"]
	if coding then return coding:lower():find("chunked%s*$") and "chunked" or "close" end
	if length == false then return nil, "malformed: bad Content-Length" end
	if length then return "length", length end
	return "close"
end

-- Have n bytes in the buffer. nil, why, with fewer in it.
local function gather(self, n)
	while #self.buffer < n do
		local ok, why = fill(self)
		if not ok then return nil, why end
	end
	return true
end

-- Each of these returns the body, true where it is complete, and why it is not where it failed.

local function read_length(self, length)
	local wanted = math.min(length, self.max_bytes)
	local _, why = gather(self, wanted)
	return take(self, wanted), not why and wanted == length, why
end

local function read_until_close(self)
	local ok, why = gather(self, self.max_bytes + 1)
	local body = self.buffer:sub(1, self.max_bytes)
	self.buffer = ""
	if ok then return body, false end
	return body, why == "closed", why ~= "closed" and why or nil
end

-- Trailer lines, to the empty one (RFC 9112 section 7.1.2).
local function skip_trailers(self)
	while true do
		local ok, why = step(self)
		local line
		if ok then line, why = read_line(self) end
		if not line then return nil, why end
		if line == "" then return true end
	end
end

local function read_chunked(self)
	local parts, bytes = {}, 0
	local function ended(complete, why)
		return table.concat(parts), complete, why
	end
	while true do
		local ok, why = step(self, 3)
		if not ok then return ended(false, why) end
		local line
		line, why = read_line(self)
		if not line then return ended(false, why) end
		local digits = line:match("^%x+")
		if not digits or #digits > 12 then return ended(false, "malformed: bad chunk") end
		local size = tonumber(digits, 16)
		if size == 0 then
			ok, why = skip_trailers(self)
			return ended(ok == true, why)
		end
		local wanted = math.min(size, self.max_bytes - bytes)
		ok, why = gather(self, wanted)
		parts[#parts + 1] = take(self, wanted)
		bytes = bytes + wanted
		if not ok or wanted < size then return ended(false, why) end
		line, why = read_line(self)
		if line ~= "" then return ended(false, why or "malformed: bad chunk") end
	end
end

local readers = {
	none = function() return "", true end,
	length = read_length, chunked = read_chunked, close = read_until_close,
}

-- ---- Requests ----

local function has_token(text, token)
	return text ~= nil and ("," .. text:lower():gsub("%s", "") .. ","):find("," .. token .. ",", 1, true) ~= nil
end

-- Whether the server keeps the connection behind this response (RFC 9112 section 9.3).
local function is_kept(response, how)
	local connection = response.headers["connection"]
	if not response.complete or how == "close" or has_token(connection, "close") then return false end
	return response.version > 1 or has_token(connection, "keep-alive")
end

-- The head that counts: behind those of interim responses, such as 100.
local function read_final_head(self)
	for _ = 1, INTERIM do
		local head, why = read_head(self)
		if not head then return nil, why end
		local response
		response, why = parse_head(self, head)
		if not response then return nil, why end
		if response.status == 101 then return nil, "malformed: 101 unasked" end
		if response.status >= 200 then return response end
	end
	return nil, "malformed: too many interim responses"
end

local function read_response(self, method, path)
	local response, why = read_final_head(self)
	if not response then return nil, why end
	response.method, response.path = method, path
	local how, length = framing(response)
	if not how then return nil, length end
	local body, complete, trouble = readers[how](self, length)
	-- A page that was cut short tells enough; one of which nothing came does not.
	if trouble and body == "" then return nil, trouble end
	response.body, response.complete = body, complete
	response.length = length or complete and (how ~= "none" or response.status == 204) and #body or nil
	if not is_kept(response, how) then self:close() end
	return response
end

-- What came on a connection behind a complete response was not asked for: a server that sends a body
-- with its answer to HEAD, for example. What follows it could not be told apart.
local function drop_surplus(self)
	if self.buffer == "" then return end
	self.surplus = self.surplus + 1
	self:close()
end

local function attempt(self, method, path)
	local sent, why = prtip.send(self.sock, method .. " " .. path .. " HTTP/1.1\r\n" .. self.header,
		self.timeout)
	local stage = "send"
	if sent then
		local response
		response, why = read_response(self, method, path)
		if response then return response end
		stage = "receive"
	end
	local data = self.buffer:sub(1, 512)
	self:close()
	return nil, why, { stage = stage, data = data }
end

-- GET and HEAD may be repeated: where a connection that was kept turns out to be closed, or out of
-- step, the request goes out again on a new one, once.
function Client:request(method, path)
	if self.delay > 0 and self.requests > 0 then prtip.sleep(self.delay) end
	self.steps = self.steps + STEPS_EACH
	self.requests = self.requests + 1
	drop_surplus(self)
	local kept = self.sock ~= nil
	for try = 1, kept and 2 or 1 do
		if not self.sock then
			local ok, why, failure = open(self)
			if not ok then return nil, why, failure end
		end
		self.deadline = prtip.now() + self.timeout
		local response, why, failure = attempt(self, method, path)
		if response then return response end
		if try == 2 or not kept or why == "timeout" then return nil, why, failure end
		if why == "malformed: not HTTP" then self.surplus = self.surplus + 1 end
	end
end

return http
