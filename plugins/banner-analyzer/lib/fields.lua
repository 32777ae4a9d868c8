-- SPDX-License-Identifier: BSD-3-Clause
-- What protocol a banner is of, and the parts of it that say something: its fields.
--
-- split(banner) returns {service, at, text, info, head}: the service's name, the field's name in
-- lib/products.lua, its text, and of HTTP, RTSP and SIP some headers as {[name] = value}.

local find, lower, match, sub = string.find, string.lower, string.match, string.sub
local TEXT_BYTES = 256 -- of a field: greetings are shorter, and what is longer is not one

-- The headers that are looked at. The banner's head is put into lower case once and each is searched
-- in it as plain text, which costs less than to take all lines apart.
local HEADERS = {}
for _, name in ipairs({ "server", "x-powered-by", "user-agent", "date", "last-modified", "expires", "location",
	"content-location", "refresh", "set-cookie" }) do
	HEADERS[#HEADERS + 1] = { name = name, plain = "\n" .. name .. ":" }
end

local function headers(banner)
	local over = find(banner, "\r\n\r\n", 1, true)
	local text = over and sub(banner, 1, over + 1) or banner
	local low, head = lower(text), {}
	for i = 1, #HEADERS do
		local _, at = find(low, HEADERS[i].plain, 1, true)
		-- Of a line that the end of the banner cut, nobody knows how it goes on.
		local value = at and match(text, "^[ \t]*([^\r\n]*)\r?\n", at + 1)
		if value then head[HEADERS[i].name] = value end
	end
	return head
end

local function http(banner)
	local head = headers(banner)
	local text = sub(head.server or "", 1, TEXT_BYTES) .. "\n" .. sub(head["x-powered-by"] or "", 1, TEXT_BYTES)
	return { service = "http", at = "server", text = text, head = head }
end

local function agent(service)
	return function(banner)
		local head = headers(banner)
		return { service = service, at = "agent", head = head,
			text = sub(head.server or head["user-agent"] or "", 1, TEXT_BYTES) }
	end
end

local function first_line(banner, at)
	return sub(match(banner, "^[^\r\n%z]*", at), 1, TEXT_BYTES)
end

-- A greeting over several lines, `220-a` ... `220 b`, becomes one text.
local function reply_220(banner)
	local text = sub(banner, 5, TEXT_BYTES)
	if find(text, "\n220", 1, true) then text = string.gsub(text, "\r?\n220[- ]", " ") end
	text = match(text, "^[^\r\n]*")
	local low = lower(text)
	local service = find(low, "smtp", 1, true) and "smtp" or find(low, "ftp", 1, true) and "ftp" or nil
	return { service = service, at = "220", text = text }
end

local function line(service, at, offset)
	return function(banner)
		return { service = service, at = at, text = first_line(banner, offset) }
	end
end

-- Negotiation of telnet, IAC and two bytes each (RFC 854), goes ahead of the text.
local function telnet(banner)
	local text = string.gsub(sub(banner, 1, TEXT_BYTES), "\255[\251-\254].", "")
	return { service = "telnet", at = "telnet", text = string.gsub(text, "[%c\128-\255]+", " ") }
end

-- The initial handshake packet: length, sequence 0, protocol 10, version, NUL.
local function mysql(banner)
	local version = match(banner, "^...%z\10([%w.+~_-]+)%z")
	return version and { service = "mysql", at = "mysql", text = version }
end

-- By the first bytes, in the order tried within a first byte.
local KINDS = {
	{ "SSH-", function(banner)
		local text = match(banner, "^SSH%-[%d.]+%-([^\r\n]*)")
		return text and { service = "ssh", at = "ssh", text = sub(text, 1, TEXT_BYTES),
			info = "protocol " .. sub(match(banner, "^SSH%-([%d.]+)"), 1, 16) }
	end },
	{ "HTTP/", http }, { "RTSP/", agent("rtsp") }, { "SIP/2.0", agent("sip") },
	{ "220 ", reply_220 }, { "220-", reply_220 },
	{ "* OK", line("imap", "imap", 6) }, { "* PREAUTH", line("imap", "imap", 11) },
	{ "* BYE", line("imap", "imap", 7) },
	{ "+OK", line("pop3", "pop3", 5) }, { "+PONG", line("redis", "line", 1) },
	{ "200 ", line("nntp", "nntp", 5) }, { "201 ", line("nntp", "nntp", 5) },
	{ "RFB ", line("vnc", "line", 1) }, { "@RSYNCD:", line("rsync", "line", 1) },
	{ "INFO {", line("nats", "line", 1) }, { "OK MPD ", line("mpd", "line", 1) },
	{ "Asterisk Call Manager/", line("asterisk", "line", 1) },
	{ "-NOAUTH", line("redis", "line", 1) }, { "-DENIED", line("redis", "line", 1) },
	{ "VERSION ", line("memcache", "line", 1) }, { "AMQP", line("amqp", "line", 1) },
	{ "( success ( ", line("svn", "line", 1) }, { "cvs [pserver", line("cvspserver", "line", 1) },
	{ ":", line("irc", "irc", 1) }, { "\255", telnet },
}
local by_byte = {}
for _, kind in ipairs(KINDS) do
	local byte = sub(kind[1], 1, 1)
	by_byte[byte] = by_byte[byte] or {}
	table.insert(by_byte[byte], kind)
end

local function split(banner)
	local kinds = by_byte[sub(banner, 1, 1)]
	for i = 1, kinds and #kinds or 0 do
		local kind = kinds[i]
		if sub(banner, 1, #kind[1]) == kind[1] then
			local field = kind[2](banner)
			if field then return field end
		end
	end
	-- Bulk of INFO: `$3300`, then lines.
	if sub(banner, 1, 1) == "$" and find(banner, "redis_version:", 1, true) then
		return { service = "redis", at = "line", text = match(banner, "redis_version:[%w.]*") }
	end
	return mysql(banner) or { at = "line", text = first_line(banner, 1) }
end

return { split = split }
