-- SPDX-License-Identifier: BSD-3-Clause
-- Questions to one server, over UDP and TCP (RFC 7766).
--
-- new(ip, port, settings) makes an asker; asker:udp(query) and asker:tcp(query) return the decoded answer,
-- or nil and why. A query is that of lib/dns.lua, without its id. close() at the end.

local dns = require("dns")

local MOST_STRAY = 4 -- datagrams or messages that are no answer to what was asked
local MESSAGE_BYTES = 65535

local asker = {}
asker.__index = asker

local function new(ip, port, settings)
	return setmetatable({ ip = ip, port = port, settings = settings, held = "" }, asker)
end

function asker:close()
	if self.datagrams then prtip.close(self.datagrams) end
	if self.stream then prtip.close(self.stream) end
	self.datagrams, self.stream = nil, nil
end

-- Whether the message answers the query: number, and the question repeated. Servers that found an error
-- in the query may leave the question out.
local function answers(message, query)
	if message.id ~= query.id or not message.response then return false end
	local question = message.question
	if not question then return message.rcode ~= 0 end
	local name = query.name:lower():gsub("(.)%.$", "%1")
	return question.name == name and question.type == query.type and question.class == query.class
end

local function stamped(query)
	query.id = math.random(0, 65535)
	return dns.query(query)
end

-- Read with receive() until there is the answer; the deadline is by prtip.now().
local function await(query, deadline, receive)
	local why = "no answer to the question"
	for _ = 1, MOST_STRAY do
		local data, failure = receive(math.max(0, deadline - prtip.now()))
		if not data then return nil, failure end
		local message, wrong = dns.decode(data)
		if message and answers(message, query) then return message end
		why = wrong or why
	end
	return nil, why
end

-- ---- UDP ----

function asker:udp(query)
	local why
	for _ = 1, self.settings.attempts do
		if not self.datagrams then
			self.datagrams, why = prtip.connect(self.ip, self.port, { protocol = "udp", timeout = self.settings.timeout })
			if not self.datagrams then return nil, why end
		end
		local sent, answer
		sent, why = prtip.send(self.datagrams, stamped(query))
		if sent then
			answer, why = await(query, prtip.now() + self.settings.timeout, function(seconds)
				return prtip.receive(self.datagrams, MESSAGE_BYTES, seconds)
			end)
		end
		if answer then return answer end
		-- Asking again helps against loss, not against a closed port.
		if why ~= "timeout" then break end
	end
	return nil, why
end

-- ---- TCP: each message behind two bytes with its length ----

-- Exactly n bytes of the stream.
function asker:take(n, deadline)
	while #self.held < n do
		local data, why = prtip.receive(self.stream, 4096, math.max(0, deadline - prtip.now()))
		if not data then return nil, why end
		if data == "" then return nil, "closed" end
		self.held = self.held .. data
	end
	local bytes = self.held:sub(1, n)
	self.held = self.held:sub(n + 1)
	return bytes
end

function asker:tcp(query)
	local why
	if not self.stream then
		self.held = ""
		self.stream, why = prtip.connect(self.ip, self.port, { timeout = self.settings.timeout })
		if not self.stream then return nil, why end
	end
	local message, sent, answer = stamped(query), nil, nil
	local deadline = prtip.now() + self.settings.timeout
	sent, why = prtip.send(self.stream, string.char(math.floor(#message / 256), #message % 256) .. message,
		self.settings.timeout)
	if sent then
		answer, why = await(query, deadline, function()
			local length, failure = self:take(2, deadline)
			if not length then return nil, failure end
			return self:take(length:byte(1) * 256 + length:byte(2), deadline)
		end)
	end
	if not answer then
		-- What comes later would be taken for the answer to the next question's length.
		prtip.close(self.stream)
		self.stream = nil
	end
	return answer, why
end

return { new = new }
