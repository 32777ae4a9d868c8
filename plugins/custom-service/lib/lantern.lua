-- SPDX-License-Identifier: BSD-3-Clause
-- Frames and bodies of Lantern RPC (README.md has them byte by byte): from Lua values to bytes and back.
-- Nothing here touches the network, so that all of it can be tested with strings.

local crc32 = require("crc32")

local byte, char, floor, sub = string.byte, string.char, math.floor, string.sub

local lantern = {
	MAGIC = "LNTN", VERSION = 1, HEAD_BYTES = 16, CRC_BYTES = 4,
	-- A length comes from the peer. Without a limit of ours it could make us wait for, and hold, gigabytes.
	BODY_BYTES = 8192,
	REQUEST = 1, REPLY = 2, ERROR = 3, NOTICE = 4, -- kinds
	HELLO = 1, DESCRIBE = 2, STATS = 3, -- methods
}

-- ---- Numbers and strings, network byte order ----

local function put16(n)
	return char(floor(n / 256) % 256, n % 256)
end

local function put32(n)
	return char(floor(n / 16777216) % 256, floor(n / 65536) % 256, floor(n / 256) % 256, n % 256)
end

local function get32(text, at)
	local a, b, c, d = byte(text, at, at + 3)
	return ((a * 256 + b) * 256 + c) * 256 + d
end

function lantern.put_string(text)
	return put16(#text) .. text
end

-- A cursor over a body. Each take returns nil once a value does not fit into what is left, and from then
-- on all do: a caller asks once, at the end.
local cursor = {}
cursor.__index = cursor

function lantern.cursor(body)
	return setmetatable({ body = body, at = 1 }, cursor)
end

function cursor:bytes(n)
	if not self.at or self.at + n - 1 > #self.body then
		self.at = nil
		return nil
	end
	local text = sub(self.body, self.at, self.at + n - 1)
	self.at = self.at + n
	return text
end

function cursor:number(n)
	local text, value = self:bytes(n), 0
	if not text then return nil end
	for i = 1, n do value = value * 256 + byte(text, i) end
	return value
end

-- Text of the peer: what is no UTF-8 would not go into a record.
function cursor:string()
	local length = self:number(2)
	local text = length and self:bytes(length)
	if text and not utf8.len(text) then self.at = nil end
	return self.at and text
end

-- Whether all values were there, and nothing behind them.
function cursor:complete()
	return self.at == #self.body + 1
end

-- ---- Frames ----

function lantern.encode(kind, method, id, body)
	local frame = lantern.MAGIC .. char(lantern.VERSION, kind, method, 0) .. put32(id) .. put32(#body) .. body
	return frame .. put32(crc32(frame))
end

-- The fields of a frame's first 16 bytes, or nil and what is wrong with them.
function lantern.head(bytes)
	if sub(bytes, 1, 4) ~= lantern.MAGIC then return nil, "wrong magic" end
	local version, kind, method = byte(bytes, 5, 7)
	local head = { version = version, kind = kind, method = method, id = get32(bytes, 9), length = get32(bytes, 13) }
	-- Of another version neither length nor checksum need be where ours are.
	if version ~= lantern.VERSION then return nil, "version " .. version, head end
	if head.length > lantern.BODY_BYTES then return nil, "oversized frame", head end
	return head
end

-- Whether the checksum, the last four bytes, is that of the rest.
function lantern.intact(head_bytes, rest)
	local body = sub(rest, 1, -5)
	return crc32(head_bytes .. body) == get32(rest, #rest - 3), body
end

-- ---- Bodies of replies: a table, or nil where they are not what README.md says ----

function lantern.read_hello(body)
	local at = lantern.cursor(body)
	local hello = { product = at:string(), version = at:string(), features = at:number(4), instance = at:string() }
	return at:complete() and hello or nil
end

function lantern.read_describe(body)
	local at, names = lantern.cursor(body), {}
	-- The count is the peer's too: the cursor ends the loop where the bytes end.
	for i = 1, at:number(2) or 0 do
		local method, name = at:number(1), at:string()
		if not name then return nil end
		names[i] = { method = method, name = name }
	end
	return at:complete() and names or nil
end

function lantern.read_stats(body)
	local at = lantern.cursor(body)
	local stats = { uptime_s = at:number(4), connections = at:number(4), requests = at:number(8) }
	return at:complete() and stats or nil
end

function lantern.read_error(body)
	local at = lantern.cursor(body)
	local problem = { code = at:number(2), text = at:string() }
	return at:complete() and problem or nil
end

return lantern
