-- SPDX-License-Identifier: BSD-3-Clause
-- The part of the `prtip` table that is written in Lua. Runs once in each VM, before the plugin, with
-- the real globals; its second argument holds functions that plugins do not see.
local prtip, private = ...
local connect, send, receive, close = prtip.connect, prtip.send, prtip.receive, prtip.close
local tls_info = prtip.tls_info
local error, setmetatable, type, tostring = error, setmetatable, type, tostring
local HELLO_BYTES = 70000 -- a ServerHello is over by then

-- for i, value in prtip.each(sequence)
function prtip.each(sequence)
	local i, n = 0, #sequence
	return function()
		i = i + 1
		if i <= n then
			return i, sequence[i]
		end
	end
end

local function read_only(index)
	return setmetatable({}, {
		__index = index,
		__newindex = function()
			error("read-only", 2)
		end,
		__metatable = false,
	})
end

prtip.scan_config = read_only(private.scan_config)
prtip.target_info = read_only(private.target_info)

-- Where the hello goes: a connection of its own, or the one that the plugin has made ready for TLS.
local function probe_socket(ip, port, options)
	local sock = options.sock
	if sock == nil then
		return connect(ip, port, { timeout = options.timeout })
	end
	-- Raises where it is no socket, or not this conversation's.
	if tls_info(sock) then
		close(sock)
		return nil, "TLS already"
	end
	return sock
end

-- Send a ClientHello of our own and tell what the server makes of it. options.sock: on this connection,
-- as after STARTTLS; it is closed afterwards in any case, as no handshake can follow.
function prtip.tls_probe(ip, port, options)
	private.need_network("tls_probe")
	if options ~= nil and type(options) ~= "table" then
		error("tls_probe: options must be a table", 2)
	end
	options = options or {}
	local hello = private.hello_build(options)
	local sock, why = probe_socket(ip, port, options)
	if not sock then
		return nil, why
	end
	local result, sent, data, more = nil, nil, "", nil
	sent, why = send(sock, hello)
	while sent do
		more, why = receive(sock, 16384, options.timeout)
		if not more then
			break
		end
		if more == "" then
			why = "closed without an answer"
			break
		end
		data = data .. more
		result, why = private.hello_parse(data, options)
		if result or result == false then
			break
		end
		if #data > HELLO_BYTES then
			why = "no ServerHello in " .. tostring(HELLO_BYTES) .. " bytes"
			break
		end
	end
	close(sock)
	return result or nil, not result and why or nil
end
