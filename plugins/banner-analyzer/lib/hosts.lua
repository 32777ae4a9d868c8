-- SPDX-License-Identifier: BSD-3-Clause
-- Host names and addresses in text.

local find, lower, match, sub, byte = string.find, string.lower, string.match, string.sub, string.byte

-- Words with a dot that name software, not hosts.
local NO_HOSTS = { ["asp.net"] = true, ["vb.net"] = true, ["node.js"] = true, ["php.net"] = true }
-- Names that belong to no public domain: RFC 6762, RFC 8375, ICANN's .internal, and common usage.
local INTERNAL = { ["local"] = true, localdomain = true, internal = true, lan = true, corp = true, home = true,
	intranet = true, private = true, arpa = true, localhost = true }

local function octets(text)
	local a, b, c, d = match(text, "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
	a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
	if not a or a > 255 or b > 255 or c > 255 or d > 255 then return nil end
	return a, b
end

-- Whether an IPv4 address is private (RFC 1918), shared (RFC 6598), link-local or loopback; nil: none.
local function internal_ip(text)
	local a, b = octets(text)
	if not a then return nil end
	return a == 10 or a == 127 or a == 192 and b == 168 or a == 172 and b >= 16 and b <= 31
		or a == 169 and b == 254 or a == 100 and b >= 64 and b <= 127
end

-- The same of IPv6: unique local (RFC 4193), link-local, loopback.
local function internal_ip6(text)
	if not find(text, "^[%x:]*:[%x:]*:[%x:.]*$") then return nil end
	local low = lower(text)
	return find(low, "^f[cd]%x%x:") ~= nil or find(low, "^fe[89ab]%x:") ~= nil or low == "::1"
end

-- A name of at least two labels, the last of letters.
local function is_name(text)
	if #text > 253 or not find(text, "^%w[%w.-]*%.%a[%a-]+$") or find(text, "..", 1, true) then return false end
	return not NO_HOSTS[lower(text)]
end

local function internal_name(name)
	local last = match(lower(name), "([^.]+)$")
	return INTERNAL[last] or not find(name, ".", 1, true)
end

-- Where internal addresses could be: plain searches cost next to nothing.
local STARTS = { "10.", "192.168.", "172.", "169.254.", "127.", "100." }

-- Calls add(address) for each internal IPv4 address in the text.
local function internal_in(text, add)
	for i = 1, #STARTS do
		local start, at = STARTS[i], 1
		while true do
			at = find(text, start, at, true)
			if not at then break end
			local before = at > 1 and byte(text, at - 1) or 32
			local address = match(text, "^%d+%.%d+%.%d+%.%d+", at)
			local over = address and at + #address
			-- Neither a part of a longer number, nor a version: Name/10.1.2.3, v10.1.2.3.
			local slash = before == 47 and byte(text, at - 2) ~= 47
			if address and not slash and not find(text, "^[%w._-]", at - 1 > 0 and at - 1 or #text + 1)
				and not find(text, "^%.?%d", over) and internal_ip(address) then
				add(address)
			end
			at = at + #start
		end
	end
end

-- The host of an absolute URL; nil where there is none.
local function of_url(url)
	local authority = match(url, "^%a[%w+.-]*://([^/?#%s]*)")
	if not authority then return nil end
	authority = match(authority, "@([^@]*)$") or authority
	return match(authority, "^%[([%x:.]+)%]") or match(authority, "^[^:]+")
end

return {
	internal_ip = internal_ip, internal_ip6 = internal_ip6, is_name = is_name,
	internal_name = internal_name, internal_in = internal_in, of_url = of_url,
}
