-- SPDX-License-Identifier: BSD-3-Clause
-- IP addresses as a scan writes them, so that settings can be compared with targets.

local function ipv4(text)
	local parts = { text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$") }
	if #parts ~= 4 then return nil end
	for i, part in ipairs(parts) do
		-- 010 means 8 to some and 10 to others.
		if tonumber(part) > 255 or #part > 1 and part:sub(1, 1) == "0" then return nil end
	end
	return text
end

-- The groups of one side of `::`; nil where one is none.
local function groups(text)
	local list = {}
	if text == "" then return list end
	for group in (text .. ":"):gmatch("([^:]*):") do
		if not group:find("^%x%x?%x?%x?$") then return nil end
		list[#list + 1] = tonumber(group, 16)
	end
	return list
end

-- All eight groups of an IPv6 address, or nil.
local function parse6(text)
	local left, right = text:match("^(.-)::(.*)$")
	if not left then
		local all = groups(text)
		return all and #all == 8 and all or nil
	end
	local head, tail = groups(left), groups(right)
	if not head or not tail or #head + #tail > 7 then return nil end
	for _ = 1, 8 - #head - #tail do head[#head + 1] = 0 end
	for i = 1, #tail do head[#head + 1] = tail[i] end
	return head
end

-- RFC 5952: lower case, the longest run of two or more zero groups, of equal ones the first, as `::`.
local function write6(all)
	local best, length, at = 0, 1, 1
	while at <= 8 do
		local over = at
		while over <= 8 and all[over] == 0 do over = over + 1 end
		if over - at > length then best, length = at, over - at end
		at = over + 1
	end
	local function join(first, last)
		local text = {}
		for i = first, last do text[#text + 1] = ("%x"):format(all[i]) end
		return table.concat(text, ":")
	end
	if best == 0 then return join(1, 8) end
	return join(1, best - 1) .. "::" .. join(best + length, 8)
end

-- The text of an address in the form of the scan's targets, or nil where it is no address.
local function normal(text)
	if text:find("^[%d.]+$") then return ipv4(text) end
	local all = parse6(text)
	return all and write6(all)
end

return { normal = normal }
