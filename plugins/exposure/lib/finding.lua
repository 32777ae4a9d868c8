-- SPDX-License-Identifier: BSD-3-Clause
-- What a check gives: {state, how, ...}, and {service, product, version, cpe} for the record.
--
--   open                     data came without authentication
--   authentication required  the service is there and wants a login
--   refused                  the service is there and refuses us for another reason
--   no such service          something else is there
--   no answer                nobody, or nothing in time

local finding = {}

-- Text of the peer's, as a record can hold it.
function finding.clean(text, most)
	text = text:sub(1, most or 200):gsub("%c", " ")
	if utf8.len(text) then return text end
	return (text:gsub("[\128-\255]", "?"))
end

local function maker(state)
	return function(how, more)
		local result = { state = state, how = how }
		for key, value in pairs(more or {}) do result[key] = value end
		return result
	end
end

finding.open = maker("open")
finding.closed = maker("authentication required")
finding.refused = maker("refused")
finding.other = maker("no such service")

-- Nothing of use came back: why as told by the stream.
function finding.silent(why)
	if why == "closed" then return finding.other("it closed without an answer") end
	if why:find("^a line is over") or why:find("^a length of") then return finding.other(why) end
	return { state = "no answer", how = why }
end

return finding
