-- SPDX-License-Identifier: BSD-3-Clause
-- memo(compute) returns a function that remembers what compute(text) gave. Banners repeat: one version
-- of one server is on thousands of hosts. What it returns is shared, so nobody may change it.

local MOST = 256 -- texts; then it begins anew, so that memory stays bounded

return function(compute)
	local known, count = {}, 0
	return function(text)
		local value = known[text]
		if value == nil then
			if count == MOST then known, count = {}, 0 end
			value = compute(text)
			known[text] = value
			count = count + 1
		end
		return value
	end
end
