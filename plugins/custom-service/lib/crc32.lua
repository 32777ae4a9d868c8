-- SPDX-License-Identifier: BSD-3-Clause
-- CRC-32 as in IEEE 802.3 and zlib: reflected polynomial 0xEDB88320, by a table of 256 entries.

local band, bxor, rshift = bit.band, bit.bxor, bit.rshift
local byte = string.byte

local steps = {}
for value = 0, 255 do
	local crc = value
	for _ = 1, 8 do
		crc = band(crc, 1) == 1 and bxor(rshift(crc, 1), 0xEDB88320) or rshift(crc, 1)
	end
	steps[value] = crc
end

-- A number from 0 to 2^32 - 1; those of the bit library are signed.
return function(text)
	local crc = 0xFFFFFFFF
	for i = 1, #text do
		crc = bxor(rshift(crc, 8), steps[band(bxor(crc, byte(text, i)), 255)])
	end
	return bxor(crc, 0xFFFFFFFF) % 4294967296
end
