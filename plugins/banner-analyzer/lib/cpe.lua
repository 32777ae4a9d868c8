-- SPDX-License-Identifier: BSD-3-Clause
-- CPE 2.2 URIs (NIST IR 7695, section 6.1): lower case, all but letters, digits, `-`, `.`, `_` and `~`
-- percent-encoded, empty components at the end left out.

local MOST = 159 -- bytes that a record takes
local find, format, gsub, lower, match = string.find, string.format, string.gsub, string.lower, string.match

local function escape(text)
	text = lower(text)
	if not find(text, "[^%w._~-]") then return text end
	return (gsub(text, "[^%w._~-]", function(byte)
		return format("%%%02x", byte:byte())
	end))
end

-- The template `a:vendor:product:$1` with $1, $2 ... put in; nil where there is none. Without a $, ":$1" is
-- added, unless it ends in ":".
local function fill(template, captures)
	if not template or template == "" then return nil end
	local head, first, second = match(template, "^([^$]*):%$(%d):?%$?(%d?)$")
	if not head then
		head, first = match(template, "^(.-):?$"), template:sub(-1) ~= ":" and "1" or ""
	end
	local text, more = captures[tonumber(first)] or "", captures[tonumber(second)] or ""
	text = "cpe:/" .. head .. (text ~= "" and ":" .. escape(text) or "")
	if more ~= "" then text = text .. ":" .. escape(more) end
	return #text <= MOST and text or nil
end

return { fill = fill }
