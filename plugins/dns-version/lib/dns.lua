-- SPDX-License-Identifier: BSD-3-Clause
-- DNS messages (RFC 1035, section 4; EDNS: RFC 6891) as bytes and back. What comes is taken as hostile:
-- each read stays within the message, compression pointers only lead back, and lists are bounded.

local byte, char, floor, sub = string.byte, string.char, math.floor, string.sub
local concat = table.concat

local dns = {
	TYPE = { A = 1, NS = 2, SOA = 6, TXT = 16, OPT = 41, RRSIG = 46 },
	CLASS = { IN = 1, CH = 3 },
	RCODE = { [0] = "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", [16] = "BADVERS" },
	NSID = 3, -- an EDNS option, RFC 5001
}

local MOST_RECORDS = 64
local NAME_BYTES = 255 -- RFC 1035, section 2.3.4

-- ---- Writing ----

local function put16(n)
	return char(floor(n / 256), n % 256)
end

-- Labels of a name without escapes; "" and "." are the root. nil where it is no name.
function dns.put_name(name)
	local parts, bytes = {}, 1
	if name ~= "." and name ~= "" then
		for label in (name:gsub("%.$", "") .. "."):gmatch("([^.]*)%.") do
			if #label == 0 or #label > 63 then return nil end
			parts[#parts + 1] = char(#label) .. label
			bytes = bytes + #label + 1
		end
	end
	if bytes > NAME_BYTES then return nil end
	return concat(parts) .. "\0"
end

-- A query: {id, name, type, class, recursion, edns = {size, dnssec, nsid}}.
function dns.query(q)
	local edns = ""
	if q.edns then
		local options = q.edns.nsid and put16(dns.NSID) .. put16(0) or ""
		-- Owner the root, type OPT, class: our size, TTL: extended rcode, version, flags with DO.
		edns = "\0" .. put16(dns.TYPE.OPT) .. put16(q.edns.size) .. "\0\0" .. (q.edns.dnssec and "\128\0" or "\0\0")
			.. put16(#options) .. options
	end
	return put16(q.id) .. char(q.recursion and 1 or 0, 0) .. "\0\1\0\0\0\0" .. put16(q.edns and 1 or 0)
		.. dns.put_name(q.name) .. put16(q.type) .. put16(q.class) .. edns
end

-- ---- Reading: each returns nil where the message is over or makes no sense ----

local function get16(message, at)
	local a, b = byte(message, at, at + 1)
	return b and a * 256 + b
end

-- The name at @at as text, in lower case, and where what follows it begins. A pointer has to lead to
-- before all that was read of this name, so there is no loop.
local function get_name(message, at)
	local labels, bytes, least, over = {}, 0, at, nil
	while true do
		local length = byte(message, at)
		if not length then return nil end
		if length == 0 then
			return #labels == 0 and "." or concat(labels, "."):lower(), over or at + 1
		elseif length < 64 then
			if at + length > #message then return nil end
			bytes = bytes + length + 1
			if bytes >= NAME_BYTES then return nil end
			labels[#labels + 1] = sub(message, at + 1, at + length)
			at = at + length + 1
		elseif length >= 192 then
			local second = byte(message, at + 1)
			if not second then return nil end
			over = over or at + 2
			local to = (length - 192) * 256 + second + 1
			if to >= least then return nil end
			at, least = to, to
		else
			return nil -- extended labels were given up: RFC 6891, section 5
		end
	end
end

-- Strings of a TXT record, joined.
local function get_text(data)
	local parts, at = {}, 1
	while at <= #data do
		local length = byte(data, at)
		if at + length > #data then return nil end
		parts[#parts + 1] = sub(data, at + 1, at + length)
		at = at + length + 1
	end
	return concat(parts)
end

local function get_options(data)
	local options, at = {}, 1
	while at <= #data do
		local code, length = get16(data, at), get16(data, at + 2)
		if not length or at + 3 + length > #data then return nil end
		options[code] = sub(data, at + 4, at + 3 + length)
		at = at + 4 + length
	end
	return options
end

local function get_record(message, at)
	local name, head = get_name(message, at)
	if not name then return nil end
	local kind, class, length = get16(message, head), get16(message, head + 2), get16(message, head + 8)
	if not length or head + 9 + length > #message then return nil end
	local record = { name = name, type = kind, class = class, data = sub(message, head + 10, head + 9 + length) }
	if kind == dns.TYPE.TXT then
		record.text = get_text(record.data)
		if not record.text then return nil end
	elseif kind == dns.TYPE.OPT then
		local extended, version, flags = byte(message, head + 4, head + 6)
		record.edns = { extended = extended, version = version, dnssec = flags >= 128, size = class, options = get_options(record.data) }
		if not record.edns.options then return nil end
	end
	return record, head + 10 + length
end

-- @count records from @at; nil where they are not all there.
local function get_records(message, at, count)
	local list = {}
	if count > MOST_RECORDS then return nil end
	for i = 1, count do
		list[i], at = get_record(message, at)
		if not list[i] then return nil end
	end
	return list, at
end

-- A message as {id, response, authoritative, truncated, recursion_available, authentic, rcode, question,
-- answer, authority, edns}; nil and why where it is none.
function dns.decode(message)
	local id, flags, questions = get16(message, 1), get16(message, 3), get16(message, 5)
	local answers, authorities, additionals = get16(message, 7), get16(message, 9), get16(message, 11)
	if not additionals then return nil, "shorter than a header" end
	local function flag(value)
		return bit.band(flags, value) ~= 0
	end
	local result = {
		id = id, response = flag(0x8000), authoritative = flag(0x0400), truncated = flag(0x0200),
		recursion_available = flag(0x0080), authentic = flag(0x0020), rcode = flags % 16, answer = {}, authority = {},
	}
	local at = 13
	if questions > 1 then return nil, "more than one question" end
	if questions == 1 then
		local name, over = get_name(message, at)
		local class = over and get16(message, over + 2)
		if not class then return nil, "malformed question" end
		result.question = { name = name, type = get16(message, over), class = class }
		at = over + 4
	end
	local additional
	result.answer, at = get_records(message, at, answers)
	if result.answer then result.authority, at = get_records(message, at, authorities) end
	if result.answer and result.authority then additional = get_records(message, at, additionals) end
	if not additional then
		-- A server may cut anywhere once it says so; header and question still count.
		if not result.truncated then return nil, "malformed records" end
		result.answer, result.authority, additional = {}, {}, {}
	end
	for i = 1, #additional do
		local edns = additional[i].edns
		if edns then
			result.edns = edns
			result.rcode = result.rcode + edns.extended * 16
		end
	end
	return result
end

function dns.rcode_name(rcode)
	return dns.RCODE[rcode] or "RCODE" .. rcode
end

return dns
