-- SPDX-License-Identifier: BSD-3-Clause
-- Reads a setting such as
--
--   198.18.1.5 2001:db8::5: tcp/7000 udp/8000 tcp/9000 delay=0.5 opens=22
--
-- parse(text) returns {addresses, knocks, delay, opens, text}, or nil and what is wrong. Knocks and
-- opens are lists of {protocol, port}; addresses is a list, or nil for `*`, all targets.

local address = require("address")

local MOST = { addresses = 256, knocks = 64, opens = 8, delay = 60 }

local function read_port(text)
	local port = text:find("^%d+$") and tonumber(text)
	return port and port >= 1 and port <= 65535 and port or nil
end

local function read_knock(word)
	local protocol, digits = word:match("^(%a+)/(.*)$")
	local port = (protocol == "tcp" or protocol == "udp") and read_port(digits)
	if not port then return nil end
	return { protocol = protocol, port = port }
end

local function name(knock)
	return knock.protocol .. "/" .. knock.port
end

-- What KEY=VALUE does to a sequence; each returns what is wrong.
local options = {}

function options.delay(sequence, value)
	local seconds = tonumber(value)
	if not seconds or not (seconds >= 0 and seconds <= MOST.delay) then
		return ("delay=%s: give seconds from 0 to %d"):format(value, MOST.delay)
	end
	sequence.delay = seconds
end

function options.opens(sequence, value)
	local port = value:find("/", 1, true) and read_knock(value) or read_port(value)
	if not port then return ("opens=%s: give a port from 1 to 65535, or udp/PORT"):format(value) end
	if #sequence.opens == MOST.opens then return ("over %d times opens="):format(MOST.opens) end
	table.insert(sequence.opens, type(port) == "table" and port or { protocol = "tcp", port = port })
end

local function read_addresses(text)
	if text:find("^%s*%*%s*$") then return nil end
	local list = {}
	for word in text:gmatch("%S+") do
		local normal = address.normal(word)
		if not normal then return nil, ("%s is no IP address; give addresses, or * for all targets"):format(word) end
		list[#list + 1] = normal
	end
	if #list == 0 then return nil, "there is no address in front of the colon; give addresses, or * for all targets" end
	if #list > MOST.addresses then return nil, ("over %d addresses in one sequence"):format(MOST.addresses) end
	return list
end

local function read_word(sequence, word)
	local key, value = word:match("^(%w+)=(.*)$")
	if key then
		if not options[key] then return ("%s: known are delay= and opens="):format(word) end
		return options[key](sequence, value)
	end
	local knock = read_knock(word)
	if not knock then return ("%s: a knock is tcp/PORT or udp/PORT, with a port from 1 to 65535"):format(word) end
	if #sequence.knocks == MOST.knocks then return ("over %d knocks"):format(MOST.knocks) end
	table.insert(sequence.knocks, knock)
end

local function parse(text)
	-- The colon behind the addresses has a blank behind it; those within IPv6 addresses have none.
	local front, rest = text:match("^(.-):%s+(.*)$")
	if not front then return nil, "there is no \": \" between addresses and knocks" end
	local sequence, wrong = { knocks = {}, opens = {} }, nil
	sequence.addresses, wrong = read_addresses(front)
	for word in rest:gmatch("%S+") do
		wrong = wrong or read_word(sequence, word)
	end
	if not wrong and #sequence.knocks == 0 then wrong = "there is no knock in it, such as tcp/7000" end
	if wrong then return nil, wrong end
	local names = {}
	for i, knock in ipairs(sequence.knocks) do names[i] = name(knock) end
	sequence.text = table.concat(names, " ")
	return sequence
end

return { parse = parse, name = name }
