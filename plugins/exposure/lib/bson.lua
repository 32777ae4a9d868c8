-- SPDX-License-Identifier: BSD-3-Clause
-- BSON (bsonspec.org, version 1.1): documents of strings, numbers and booleans to bytes, and whatever
-- comes back to tables, within bounds.

local byte, char, floor, sub = string.byte, string.char, math.floor, string.sub
local MOST_DEPTH, MOST_ELEMENTS = 8, 512

local function put32(n)
	return char(n % 256, floor(n / 256) % 256, floor(n / 65536) % 256, floor(n / 16777216) % 256)
end

local function get32(text, at)
	local a, b, c, d = byte(text, at, at + 3)
	return d and a + b * 256 + c * 65536 + d * 16777216
end

local function signed32(text, at)
	local n = get32(text, at)
	return n and (n >= 2147483648 and n - 4294967296 or n)
end

-- Beyond 2^53 the last digits are lost, as in all numbers of Lua.
local function signed64(text, at)
	local low, high = get32(text, at), signed32(text, at + 4)
	return high and high * 4294967296 + low
end

local function double(text, at)
	local low, high = get32(text, at), get32(text, at + 4)
	if not high then return nil end
	local sign = high >= 2147483648 and -1 or 1
	local exponent = floor(high / 1048576) % 2048
	local fraction = (high % 1048576) * 4294967296 + low
	if exponent == 2047 then return fraction == 0 and sign / 0 or 0 / 0 end
	if exponent == 0 then return sign * math.ldexp(fraction, -1074) end
	return sign * math.ldexp(fraction + 4503599627370496, exponent - 1075)
end

-- A list of {key, value}, as the order counts: the command comes first.
local function encode(list)
	local parts = {}
	for _, pair in ipairs(list) do
		local key, value = pair[1], pair[2]
		if type(value) == "string" then
			parts[#parts + 1] = "\2" .. key .. "\0" .. put32(#value + 1) .. value .. "\0"
		elseif type(value) == "boolean" then
			parts[#parts + 1] = "\8" .. key .. "\0" .. (value and "\1" or "\0")
		else
			parts[#parts + 1] = "\16" .. key .. "\0" .. put32(value)
		end
	end
	local body = table.concat(parts) .. "\0"
	return put32(#body + 4) .. body
end

local decode

-- Each reads a value at @at and returns it and where the next begins; nil where it does not fit.
local values = {}

local function fixed(size, read)
	return function(text, at)
		if at + size - 1 > #text then return nil end
		local value
		if read then value = read(text, at) end
		if value == nil then value = true end -- a value that nobody here needs
		return value, at + size
	end
end

local function string_value(text, at)
	local length = get32(text, at)
	if not length or length < 1 or at + 3 + length > #text then return nil end
	return sub(text, at + 4, at + 2 + length), at + 4 + length
end

local function document(text, at, depth)
	return decode(text, at, depth + 1)
end

local function binary(text, at)
	local length = get32(text, at)
	if not length or at + 4 + length > #text then return nil end
	return sub(text, at + 5, at + 4 + length), at + 5 + length
end

local function regex(text, at)
	local pattern_over = text:find("\0", at, true)
	local over = pattern_over and text:find("\0", pattern_over + 1, true)
	if not over then return nil end
	return sub(text, at, pattern_over - 1), over + 1
end

values[0x01], values[0x02], values[0x03], values[0x04] = fixed(8, double), string_value, document, document
values[0x05], values[0x06], values[0x07] = binary, fixed(0), fixed(12)
values[0x08] = fixed(1, function(text, at) return byte(text, at) ~= 0 end)
values[0x09], values[0x0A], values[0x0B] = fixed(8, signed64), fixed(0), regex
values[0x0D], values[0x0E] = string_value, string_value
values[0x10], values[0x11], values[0x12] = fixed(4, signed32), fixed(8), fixed(8, signed64)
values[0x13], values[0x7F], values[0xFF] = fixed(16), fixed(0), fixed(0)

-- The document at @at as a table, arrays by their keys "0", "1" ...; and where it is over. nil: it is none.
function decode(text, at, depth)
	at, depth = at or 1, depth or 1
	local length = get32(text, at)
	if depth > MOST_DEPTH or not length or length < 5 or at + length - 1 > #text or byte(text, at + length - 1) ~= 0 then
		return nil
	end
	local over, result = at + length, {}
	at = at + 4
	for _ = 1, MOST_ELEMENTS do
		local kind = byte(text, at)
		if kind == 0 then
			if at ~= over - 1 then return nil end
			return result, over
		end
		local key_over = text:find("\0", at + 1, true)
		local read = values[kind]
		if not key_over or key_over >= over or not read then return nil end
		local value, next_at = read(text, key_over + 1, depth)
		if value == nil or next_at > over - 1 then return nil end
		result[sub(text, at + 1, key_over - 1)] = value
		at = next_at
	end
	return nil
end

return { encode = encode, decode = decode, put32 = put32, get32 = get32 }
