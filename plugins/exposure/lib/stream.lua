-- SPDX-License-Identifier: BSD-3-Clause
-- A TCP connection, or TLS over one, as a stream of bytes with one deadline for all that is said.

local stream = {}
stream.__index = stream

-- Connects; nil and why where that fails.
function stream.open(ip, port, options)
	local deadline = prtip.now() + options.timeout
	local sock, why = prtip.connect(ip, port, { timeout = options.timeout, tls = options.tls })
	if not sock then return nil, why end
	return setmetatable({ sock = sock, held = "", deadline = deadline }, stream)
end

function stream:close()
	prtip.close(self.sock)
end

function stream:write(data)
	return prtip.send(self.sock, data, math.max(0, self.deadline - prtip.now()))
end

-- More of what the peer says is held then; nil and why: "timeout", "closed", what the system says.
function stream:more()
	local data, why = prtip.receive(self.sock, 16384, math.max(0, self.deadline - prtip.now()))
	if not data then return nil, why end
	if data == "" then return nil, "closed" end
	self.held = self.held .. data
	return true
end

-- Exactly n bytes; nil and why.
function stream:read(n)
	while #self.held < n do
		local ok, why = self:more()
		if not ok then return nil, why end
	end
	local bytes = self.held:sub(1, n)
	self.held = self.held:sub(n + 1)
	return bytes
end

-- A line without its end, of at most @most bytes; nil and why.
function stream:line(most)
	while true do
		local first, last = self.held:find("\r?\n")
		if first and first <= most + 1 then
			local text = self.held:sub(1, first - 1)
			self.held = self.held:sub(last + 1)
			return text
		end
		if first or #self.held > most then return nil, "a line is over " .. most .. " bytes" end
		local ok, why = self:more()
		if not ok then return nil, why end
	end
end

return stream
