-- SPDX-License-Identifier: BSD-3-Clause
-- The hosts of a scan with the lowest addresses, and the rows about them.
--
-- Results come in any order and may be of millions of hosts. What is kept is bounded: by the number of
-- hosts, and by the bytes of what is kept about them. Where there is too much, hosts with the highest
-- addresses go, and from then on nothing is taken of any host at or above the lowest that went: those
-- that stay are whole.

local hosts = {}
hosts.__index = hosts

local HOST_BYTES = 500 -- of a host without any row

local function expand(groups)
	return (groups:gsub("(%x+):?", function(group)
		return ("0000"):sub(#group + 1) .. group
	end))
end

-- The address as a string that sorts as it does: IPv4 before IPv6. Addresses come as RFC 5952 has them.
function hosts.key(ip)
	local a, b, c, d = ip:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
	if a then
		return "4" .. string.char(a, b, c, d)
	end
	ip = ip:gsub("(%d+)%.(%d+)%.(%d+)%.(%d+)$", function(...)
		return ("%02x%02x:%02x%02x"):format(...)
	end)
	local head, tail = ip:match("^(.*)::(.*)$")
	if not head then
		return "6" .. expand(ip)
	end
	head, tail = expand(head), expand(tail)
	return "6" .. head .. ("0"):rep(32 - #head - #tail) .. tail
end

-- To keep @most hosts at the end, and at most @bytes of them at any time; the VM takes several times as
-- much memory.
function hosts.new(most, bytes)
	return setmetatable({
		most = most,
		most_bytes = bytes,
		by_key = {},
		keys = {}, -- those of by_key, in no order
		bytes = 0,
		ceiling = nil, -- key of the lowest host that went; nil: none had to
	}, hosts)
end

-- Let hosts go, the highest first, until there are @most with @bytes; the lowest stays.
local function trim(self, most, bytes)
	local keys = self.keys
	table.sort(keys)
	while #keys > 1 and (#keys > most or self.bytes > bytes) do
		local key = keys[#keys]
		self.ceiling = key
		self.bytes = self.bytes - self.by_key[key].bytes
		self.by_key[key], keys[#keys] = nil, nil
	end
end

local function is_beyond(self, key)
	return self.ceiling and key >= self.ceiling
end

-- The host with this address; nil where it is not among those that are kept.
function hosts:find(ip)
	local key = hosts.key(ip)
	local host = self.by_key[key]
	if host or is_beyond(self, key) then
		return host
	end
	-- Twice as many before some go: sorting them costs little for each, then.
	if #self.keys == 2 * self.most then
		trim(self, self.most, self.most_bytes)
		if is_beyond(self, key) then
			return nil
		end
	end
	host = {
		ip = ip, key = key, bytes = HOST_BYTES, left_out = 0,
		states = {}, services = {}, ports = {}, findings = {},
	}
	self.by_key[key] = host
	self.keys[#self.keys + 1] = key
	self.bytes = self.bytes + HOST_BYTES
	return host
end

-- Whether there is room for @bytes more of the host; then they are its.
local function charge(self, host, bytes)
	if self.bytes + bytes > self.most_bytes then
		trim(self, self.most, self.most_bytes / 2)
	end
	-- It went itself, or is the only one left and too large.
	if self.by_key[host.key] ~= host or self.bytes + bytes > self.most_bytes then
		return false
	end
	host.bytes = host.bytes + bytes
	self.bytes = self.bytes + bytes
	return true
end

-- One more of a name in one of the host's counts.
function hosts:count(host, counts, name)
	if counts[name] or charge(self, host, #name + 64) then
		counts[name] = (counts[name] or 0) + 1
	end
end

-- Add a row to one of the host's lists, which are sorted by @order.
function hosts:add(host, list, order, row)
	if charge(self, host, #order + #row + 64) then
		list[#list + 1] = order .. "\n" .. row
	else
		host.left_out = host.left_out + 1
	end
end

-- for row in hosts.rows(list): in order, without what they were sorted by.
function hosts.rows(list)
	table.sort(list)
	local i = 0
	return function()
		i = i + 1
		local row = list[i]
		return row and row:sub(row:find("\n", 1, true) + 1)
	end
end

-- Hosts in the order of their addresses, and whether there were more.
function hosts:finish()
	trim(self, self.most, self.most_bytes)
	local list = {}
	for i, key in ipairs(self.keys) do
		list[i] = self.by_key[key]
	end
	return list, self.ceiling ~= nil
end

return hosts
