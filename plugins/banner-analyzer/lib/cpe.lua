-- SPDX-License-Identifier: BSD-3-Clause
-- CPE 2.2 URIs (NIST IR 7695, section 6.1): lower case, all but letters, digits, `-`, `.`, `_` and `~`
-- percent-encoded, empty components at the end left out.

local find, format, gsub, lower = string.find, string.format, string.gsub, string.lower

local function escape(text)
	text = lower(text)
	if not find(text, "[^%w._~-]") then return text end
	return (gsub(text, "[^%w._~-]", function(byte)
		return format("%%%02x", byte:byte())
	end))
end

-- The template `a:vendor:product:$1` with $1, $2 ... put in; nil where there is none.
local function fill(template, captures)
	if not template or template == "" then return nil end
	if not find(template, "$", 1, true) then
		local version = template:sub(-1) ~= ":" and captures[1]
		if not version or version == "" then return "cpe:/" .. gsub(template, ":$", "") end
		return "cpe:/" .. template .. ":" .. escape(version)
	end
	local text = gsub(template, "%$(%d)", function(number)
		return escape(captures[tonumber(number)] or "")
	end)
	return "cpe:/" .. gsub(text, ":+$", "")
end

return { fill = fill }
