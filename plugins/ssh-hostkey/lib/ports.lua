-- SPDX-License-Identifier: BSD-3-Clause
-- Sets of ports from settings such as {"443", "8000-8010"}.
local ports = {}

local function range_of(text)
	local first, last = tostring(text):match("^%s*(%d+)%s*-%s*(%d+)%s*$")
	if not first then
		first = tostring(text):match("^%s*(%d+)%s*$")
		last = first
	end
	first, last = tonumber(first), tonumber(last)
	if first and first >= 1 and last <= 65535 and first <= last then
		return first, last
	end
end

-- A function that tells whether a port is in the list; nil and what is wrong with the list.
function ports.set(list)
	local ranges = {}
	for _, text in ipairs(list) do
		local first, last = range_of(text)
		if not first then
			return nil, tostring(text) .. " is no port or range of ports"
		end
		ranges[#ranges + 1] = { first, last }
	end
	return function(port)
		for _, range in ipairs(ranges) do
			if port >= range[1] and port <= range[2] then
				return true
			end
		end
		return false
	end
end

return ports
