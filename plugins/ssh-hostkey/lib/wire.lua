-- SPDX-License-Identifier: BSD-3-Clause
-- SSH's wire before encryption: numbers and strings (RFC 4251 section 5), the exchange of versions
-- (RFC 4253 section 4.2) and packets (section 6).
local wire = {}

local LONGEST_PACKET = 35000 -- RFC 4253 section 6.1
local LONGEST_PREFACE = 8192 -- of lines before the version
local DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG = 1, 2, 3, 4
local BY_APPLICATION = 11

-- ---- Numbers and strings ----

function wire.uint32(n)
	return string.char(math.floor(n / 0x1000000) % 0x100, math.floor(n / 0x10000) % 0x100,
		math.floor(n / 0x100) % 0x100, n % 0x100)
end

function wire.text(bytes)
	return wire.uint32(#bytes) .. bytes
end

function wire.read_uint32(bytes, at)
	local a, b, c, d = bytes:byte(at, at + 3)
	if not d then
		return nil
	end
	return ((a * 0x100 + b) * 0x100 + c) * 0x100 + d
end

-- The string at `at`, and where the next field begins; nil where it goes over the end.
function wire.read_text(bytes, at)
	local n = wire.read_uint32(bytes, at)
	if not n or n > #bytes - at - 3 then
		return nil
	end
	return bytes:sub(at + 4, at + 3 + n), at + 4 + n
end

-- ---- A connection ----

local Connection = {}
Connection.__index = Connection

-- until_time: when all of it has to be over.
function wire.connect(target, timeout, until_time)
	local sock, why = prtip.connect(target.ip, target.port, { timeout = timeout })
	if not sock then
		return nil, why
	end
	return setmetatable({ sock = sock, timeout = timeout, ends = until_time, pending = "" }, Connection)
end

-- More bytes, or nil and why there are none.
function Connection:more()
	local left = self.ends - prtip.now()
	if left <= 0 then
		return nil, "timeout"
	end
	local data, why = prtip.receive(self.sock, 16384, math.min(self.timeout, left))
	if not data then
		return nil, why
	end
	if data == "" then
		return nil, "closed by the server"
	end
	self.pending = self.pending .. data
	return true
end

-- Exactly n bytes.
function Connection:take(n)
	while #self.pending < n do
		local ok, why = self:more()
		if not ok then
			return nil, why
		end
	end
	local data = self.pending:sub(1, n)
	self.pending = self.pending:sub(n + 1)
	return data
end

-- The server's version line, without its end. Other lines may go ahead of it.
function Connection:read_version()
	local seen = 0
	while true do
		local line, rest = self.pending:match("^([^\n]*)\n(.*)$")
		if seen + #(line or self.pending) > LONGEST_PREFACE then
			return nil, "no SSH: no version line"
		end
		if line then
			self.pending = rest
			seen = seen + #line + 1
			if line:find("^SSH%-") then
				return (line:gsub("\r$", ""))
			end
		else
			local ok, why = self:more()
			if not ok then
				return nil, why
			end
		end
	end
end

function Connection:send(bytes)
	return prtip.send(self.sock, bytes, self.timeout)
end

-- Length, length of the padding, payload, padding: a multiple of 8, with at least 4 bytes of padding.
function Connection:send_packet(payload)
	local padding = 8 - (#payload + 5) % 8
	if padding < 4 then
		padding = padding + 8
	end
	return self:send(wire.uint32(#payload + padding + 1) .. string.char(padding) .. payload .. ("\0"):rep(padding))
end

local function read_packet(connection)
	local head, why = connection:take(5)
	if not head then
		return nil, why
	end
	local length, padding = wire.read_uint32(head, 1), head:byte(5)
	if length > LONGEST_PACKET or length < padding + 2 then
		return nil, ("no SSH: a packet of %d bytes"):format(length)
	end
	local body
	body, why = connection:take(length - 1)
	return body and body:sub(1, length - 1 - padding), why
end

-- Why a server hangs up, in its words.
local function farewell(payload)
	local words = wire.read_text(payload, 6) or ""
	words = words:gsub("[^ -~]", "?"):sub(1, 200)
	return "disconnected: " .. words
end

-- The next packet that has this number; others that mean nothing are skipped, a few at the most.
function Connection:expect(number, what)
	for _ = 1, 16 do
		local payload, why = read_packet(self)
		if not payload then
			return nil, why
		end
		local got = payload:byte(1)
		if got == number then
			return payload
		end
		if got == DISCONNECT then
			return nil, farewell(payload)
		end
		if got ~= IGNORE and got ~= DEBUG and got ~= UNIMPLEMENTED then
			return nil, ("message %d in place of %s"):format(got, what)
		end
	end
	return nil, "too many messages in place of " .. what
end

-- Say goodbye and close.
function Connection:close(politely)
	if politely then
		self:send_packet(string.char(DISCONNECT) .. wire.uint32(BY_APPLICATION) .. wire.text("done") .. wire.text(""))
	end
	prtip.close(self.sock)
end

return wire
