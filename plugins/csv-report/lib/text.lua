-- SPDX-License-Identifier: BSD-3-Clause
-- Text that came from elsewhere, as UTF-8 that steers no terminal.

local text = {}

local UNKNOWN = "\239\191\189" -- U+FFFD REPLACEMENT CHARACTER

-- Valid UTF-8 of any text: a byte that is none becomes U+FFFD.
local function valid(bytes)
	local parts, at = {}, 1
	while true do
		local length, bad = utf8.len(bytes, at)
		if length then
			parts[#parts + 1] = bytes:sub(at)
			return table.concat(parts)
		end
		parts[#parts + 1] = bytes:sub(at, bad - 1) .. UNKNOWN
		at = bad + 1
	end
end

-- The same without control characters (C0 but for tab and ends of lines, DEL, and C1, whose UTF-8
-- begins with 194): U+FFFD stands for each.
function text.printable(bytes)
	if not bytes:find("[%c\128-\255]") then
		return bytes
	end
	bytes = valid(bytes)
	bytes = bytes:gsub("[%z\1-\8\11\12\14-\31\127]", UNKNOWN)
	return (bytes:gsub("\194[\128-\159]", UNKNOWN))
end

return text
