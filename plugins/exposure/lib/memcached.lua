-- SPDX-License-Identifier: BSD-3-Clause
-- memcached: `version` and `stats` of its text protocol; where that is shut because of SASL, the same of the
-- binary one (github.com/memcached/memcached, doc/protocol.txt and protocol-binary.txt).

local finding = require("finding")
local LINE_BYTES, LINES, BODY_BYTES = 512, 300, 4096

local NAMED = { service = "memcache", product = "memcached" }

local function stats(peer)
	local values, count = {}, 0
	if not peer:write("stats\r\n") then return nil end
	for _ = 1, LINES do
		local line = peer:line(LINE_BYTES)
		if not line then return nil end
		if line == "END" then return count > 0 and values or nil end
		local key, value = line:match("^STAT (%S+) (.*)$")
		if not key then return nil end
		values[key], count = value, count + 1
	end
end

-- The question is asked three times: a server that was set to the binary protocol waits for 24 bytes of a
-- header, finds that they are none, and closes.
local function text_protocol(peer)
	local sent, why = peer:write(("version\r\n"):rep(3))
	local line
	if sent then line, why = peer:line(LINE_BYTES) end
	if not line then return nil, why end
	-- With a file of users (-Y) every command but a login gets this.
	if line:find("^CLIENT_ERROR unauthenticated") then return finding.closed("version got CLIENT_ERROR unauthenticated", NAMED) end
	local version = line:match("^VERSION ([%w.-]+)$")
	if not version then return finding.other("version got " .. finding.clean(line, 40)) end
	local again = peer:line(LINE_BYTES) and peer:line(LINE_BYTES)
	local values = again and stats(peer)
	local more = { service = "memcache", product = "memcached", version = version, cpe = "cpe:/a:memcached:memcached:" .. version }
	if not values then return finding.refused("version answered, stats did not", more) end
	more.items, more.bytes = tonumber(values.curr_items), tonumber(values.bytes)
	return finding.open("version and stats answered", more)
end

-- One question of the binary protocol: magic 0x80 asks, 0x81 answers; a header of 24 bytes has the key's
-- length in bytes 3 and 4, the status in 7 and 8, that of the body in 9 to 12. Returns status, key, value.
local VERSION, STAT = 11, 16

local function binary_frame(peer, opcode)
	local head, why = peer:read(24)
	if not head then return nil, why end
	local magic, answered, key_high, key_low, extras, _, status_high, status_low, a, b, c, d = head:byte(1, 12)
	local length = ((a * 256 + b) * 256 + c) * 256 + d
	local key_bytes = key_high * 256 + key_low
	if magic ~= 0x81 or answered ~= opcode or length > BODY_BYTES or extras + key_bytes > length then
		return nil, "no frame of memcached's", true
	end
	local body
	body, why = peer:read(length)
	if not body then return nil, why end
	return status_high * 256 + status_low, body:sub(extras + 1, extras + key_bytes), body:sub(extras + key_bytes + 1)
end

-- `version` is for everybody here, `stat` for users.
local function binary_protocol(peer)
	local function ask(opcode)
		local sent, why = peer:write("\128" .. string.char(opcode) .. ("\0"):rep(22))
		if not sent then return nil, why end
		return binary_frame(peer, opcode)
	end
	local status, why, value = ask(VERSION)
	if not status then return value and finding.other(why) or finding.silent(why) end
	local version = status == 0 and value:match("^[%w.-]+$")
	local more = {
		service = "memcache", product = "memcached", version = version or nil,
		cpe = version and "cpe:/a:memcached:memcached:" .. version or nil,
	}
	status = ask(STAT)
	if status == 0x20 or status == 0x21 then
		return finding.closed("stat of the binary protocol got status authentication error", more)
	end
	if status == 0 then return finding.open("version and stat of the binary protocol answered", more) end
	return finding.refused("version of the binary protocol answered, stat did not", more)
end

return function(peer, again)
	local result, why = text_protocol(peer)
	if result then return result end
	if why ~= "closed" and why ~= "Connection reset by peer" then return finding.silent(why) end
	local second, failure = again()
	if not second then return finding.silent(failure) end
	return binary_protocol(second)
end
