-- SPDX-License-Identifier: BSD-3-Clause
-- MQTT: CONNECT without user and password, the broker's CONNACK, DISCONNECT (OASIS MQTT 3.1.1 and 5.0).
-- Nothing is subscribed to and nothing published; a clean session leaves nothing behind.

local finding = require("finding")

local PACKET_BYTES = 4096
-- Codes of CONNACK that say that credentials would help: of 3.1.1, and of 5.0.
local WANTS_LOGIN = { [4] = true, [5] = true, [0x86] = true, [0x87] = true, [0x8C] = true }
local NAMES = {
	[1] = "unacceptable protocol version", [2] = "identifier rejected", [3] = "server unavailable",
	[4] = "bad user name or password", [5] = "not authorized", [0x84] = "unsupported protocol version",
	[0x85] = "client identifier not valid", [0x86] = "bad user name or password", [0x87] = "not authorized",
	[0x88] = "server unavailable", [0x89] = "server busy", [0x8A] = "banned", [0x8C] = "bad authentication method",
}

local function text(value)
	return string.char(math.floor(#value / 256), #value % 256) .. value
end

-- CONNECT with a clean session, keep-alive of 10 seconds, and no user; version 5 has (no) properties.
local function connect(version)
	local body = text("MQTT") .. string.char(version, 2) .. "\0\10" .. (version == 5 and "\0" or "")
		.. text(("prtip%06x"):format(math.random(0, 0xFFFFFF)))
	return "\16" .. string.char(#body) .. body
end

-- The length of a packet, in up to four bytes of seven bits each (section 2.2.3).
local function remaining(peer)
	local length, scale = 0, 1
	for _ = 1, 4 do
		local byte, why = peer:read(1)
		if not byte then return nil, why end
		length = length + byte:byte() % 128 * scale
		if byte:byte() < 128 then return length end
		scale = scale * 128
	end
	return nil, "a malformed length"
end

-- The code of CONNACK; nil, why, and true where what came is no MQTT.
local function ask(peer, version)
	local sent, why = peer:write(connect(version))
	local kind
	if sent then kind, why = peer:read(1) end
	if not kind then return nil, why end
	if kind ~= "\32" then return nil, ("CONNECT got a first byte 0x%02x"):format(kind:byte()), true end
	local length
	length, why = remaining(peer)
	if not length then return nil, why, why == "a malformed length" end
	if length < 2 or length > PACKET_BYTES then return nil, "a CONNACK of " .. length .. " bytes", true end
	local body
	body, why = peer:read(length)
	if not body then return nil, why end
	return body:byte(2)
end

return function(peer, again)
	local version = 4 -- protocol level of 3.1.1
	local code, why, foreign = ask(peer, version)
	if code == 1 or code == 0x84 then
		version = 5
		peer = again()
		if not peer then return finding.refused("CONNACK " .. code .. " (" .. NAMES[code] .. ")", { service = "mqtt" }) end
		code, why, foreign = ask(peer, version)
	end
	if not code then return foreign and finding.other(why) or finding.silent(why) end
	local more = { service = "mqtt", protocol = version == 5 and "5.0" or "3.1.1", code = code }
	if code == 0 then
		peer:write("\224\0") -- whether it gets there makes no difference
		return finding.open("CONNECT without credentials was accepted", more)
	end
	local how = ("CONNACK %d (%s)"):format(code, NAMES[code] or "unknown")
	return (WANTS_LOGIN[code] and finding.closed or finding.refused)(how, more)
end
