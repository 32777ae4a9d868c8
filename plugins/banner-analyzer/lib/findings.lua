-- SPDX-License-Identifier: BSD-3-Clause
-- Dates, host names and addresses of a banner: three lists without repeats, bounded.

local dates = require("dates")
local hosts = require("hosts")
local memo = require("memo")

local find, gmatch, lower, match = string.find, string.gmatch, string.lower, string.match
local MOST = 16 -- entries of a list

local function has(list, key, value)
	for i = 1, #list do
		if list[i][key] == value then return true end
	end
	return #list >= MOST
end

local function note_address(to, address, origin)
	local internal = hosts.internal_ip(address)
	if internal == nil then internal = hosts.internal_ip6(address) end
	if internal == nil then return false end
	if not has(to.addresses, "address", address) then
		table.insert(to.addresses, { address = address, internal = internal, from = origin })
	end
	return true
end

local function note_host(to, name, origin)
	if note_address(to, name, origin) or #name > 253 or not find(name, "^%w[%w._-]*$") then return end
	name = lower(name)
	if not has(to.hosts, "host", name) then
		table.insert(to.hosts, { host = name, internal = hosts.internal_name(name), from = origin })
	end
end

-- Of headers, which many hosts send in the same second; a text that is studied is new.
local find_dates = memo(dates.find)

-- Returns the first date.
local function note_dates(to, found, origin)
	for i = 1, #found do
		if not has(to.dates, "text", found[i].text) then
			table.insert(to.dates, { text = found[i].text, date = found[i].date, from = origin })
		end
	end
	return found[1]
end

-- ---- Greetings ----

-- SMTP greets with its domain first (RFC 5321, section 4.2), which may be a single label.
local function smtp_domain(to, text)
	local first, second = match(text, "^(%w[%w-]*) (%S+)")
	if not first or find(lower(first), "smtp", 1, true) then return end
	if second == "Microsoft" or find(lower(second), "smtp", 1, true) then note_host(to, first, "greeting") end
end

-- The time stamp of APOP, <process.clock@host> (RFC 1939, section 7).
local function apop(to, text)
	local clock, host = match(text, "<[%w.]*%.(%d+)@([%w.-]+)>")
	if not clock then return end
	note_host(to, host, "greeting")
	local epoch = tonumber(clock)
	if #clock == 10 and epoch < 4e9 then
		table.insert(to.dates, { text = clock, date = dates.of_epoch(epoch), from = "greeting" })
	end
end

local function greeting(to, at, text)
	note_dates(to, dates.find(text), "greeting")
	if at == "ssh" then return end -- it has no place for a host
	if at == "220" then smtp_domain(to, text) end
	if at == "pop3" then apop(to, text) end
	-- A word with a dot and letters behind the last one; of an address, what follows the @.
	if find(text, ".", 1, true) then
		for name in gmatch(text, "%f[%w][%w-]+%.[%w.-]*%a") do
			if hosts.is_name(name) then note_host(to, name, "greeting") end
		end
	end
	if find(text, "[", 1, true) then
		local literal = match(text, "%[([%d.]+)%]") or match(text, "%[::ffff:([%d.]+)%]")
			or match(text, "%[IPv6:([%x:.]+)%]")
		if literal then note_address(to, literal, "greeting") end
	end
end

-- ---- HTTP ----

local URLS = { "location", "content-location", "refresh" }

-- Returns the date of the header Date, the target's clock.
local function headers(to, head)
	local clock = head.date and note_dates(to, find_dates(head.date), "date")
	if head["last-modified"] then note_dates(to, find_dates(head["last-modified"]), "last-modified") end
	if head.expires then note_dates(to, find_dates(head.expires), "expires") end
	for i = 1, #URLS do
		local url = head[URLS[i]]
		local host = url and hosts.of_url(match(url, "[Uu][Rr][Ll]=(.*)") or url)
		if host then note_host(to, host, URLS[i]) end
	end
	local domain = head["set-cookie"] and match(head["set-cookie"], "[Dd]omain=%.?([%w.-]+)")
	if domain then note_host(to, domain, "set-cookie") end
	return clock
end

-- The signature below the error pages of Apache.
local function page(to, banner)
	local at = find(banner, " Server at ", 1, true)
	local host = at and match(banner, "^([%w.-]+) Port %d", at + 11)
	if host then note_host(to, host, "page") end
end

-- Internal addresses, wherever they are.
local function internal(to, banner)
	hosts.internal_in(banner, function(address)
		note_address(to, address, "banner")
	end)
end

local function new()
	return { dates = {}, hosts = {}, addresses = {} }
end

return { new = new, greeting = greeting, headers = headers, page = page, internal = internal, dates = note_dates,
	find_dates = find_dates }
