-- SPDX-License-Identifier: BSD-3-Clause
-- Reading a TCP connection as a stream of bytes: so many exactly, by a deadline, in whatever pieces they
-- come. Knows nothing of the protocol; copy it as it is.

local stream = {}
stream.__index = stream

-- Connects; nil and why where that fails. deadline: by prtip.now(), for all that follows.
function stream.open(ip, port, deadline)
	local sock, why = prtip.connect(ip, port, { timeout = math.max(0, deadline - prtip.now()) })
	if not sock then return nil, why end
	return setmetatable({ sock = sock, pieces = {}, held = 0, deadline = deadline }, stream)
end

function stream:close()
	prtip.close(self.sock)
end

function stream:left()
	return math.max(0, self.deadline - prtip.now())
end

-- All of the data, or nil and why.
function stream:write(data)
	return prtip.send(self.sock, data, self:left())
end

-- Exactly n bytes. Else nil and why: "timeout", "closed" (the peer ended between two units), "truncated"
-- (it ended within one), or what the system says. What is behind the n bytes is kept for the next call.
function stream:read(n)
	while self.held < n do
		local data, why = prtip.receive(self.sock, math.max(n - self.held, 4096), self:left())
		if not data then return nil, why end
		if data == "" then return nil, self.held == 0 and "closed" or "truncated" end
		-- Joined once, when they are enough: bytes that come one by one would be copied again and again.
		self.pieces[#self.pieces + 1] = data
		self.held = self.held + #data
	end
	local all = table.concat(self.pieces)
	self.pieces = { all:sub(n + 1) }
	self.held = #all - n
	return all:sub(1, n)
end

return stream
