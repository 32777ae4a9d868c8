-- SPDX-License-Identifier: BSD-3-Clause
-- Detects a service that speaks a binary protocol of its own, here Lantern RPC. Made to be copied:
--
--   lib/stream.lua    so many bytes of a connection by a deadline; as it is
--   lib/lantern.lua   the protocol: frames, bodies; to be replaced by yours
--   lib/crc32.lua     its checksum
--   main.lua          who says what when, and what comes of it
--
-- What to keep in mind with a protocol of yours:
--
-- * One deadline for the whole talk, not a time-out for each step: a peer that sends a byte now and then
--   would go on for ever.
-- * The length of what comes is the peer's word. Check it before waiting for that much.
-- * TCP has no frames. A read may end within one, or have two in it.
-- * A peer that is something else is the ordinary case. It is no error: return nil.
-- * Close the socket on every way out.

local lantern = require("lantern")
local stream = require("stream")

local MOST_NOTICES = 8 -- frames that are skipped while we wait for a reply
local FEATURES = { { 1, "describe", "DESCRIBE" }, { 2, "stats", "STATS" } } -- bit, of HELLO's reply; key; method

local timeout, client

function on_load(config)
	timeout, client = config.timeout, config.client
	if type(timeout) ~= "number" or not (timeout > 0 and timeout <= 60) then
		return "timeout must be a number of seconds, above 0 and at most 60"
	end
	if type(client) ~= "string" or #client == 0 or #client > 64 then
		return "client must be a text of 1 to 64 bytes"
	end
end

-- ---- One frame ----

-- Returns head and body; or nil, why, and the head as far as it could be read.
local function read_frame(peer)
	local bytes, why = peer:read(lantern.HEAD_BYTES)
	if not bytes then return nil, why end
	local head, wrong, seen = lantern.head(bytes)
	if not head then return nil, wrong, seen end
	local rest
	rest, why = peer:read(head.length + lantern.CRC_BYTES)
	-- Its header was there, so an end here is within a frame.
	if not rest then return nil, why == "closed" and "truncated" or why, head end
	local intact, body = lantern.intact(bytes, rest)
	if not intact then return nil, "wrong checksum", head end
	return head, body
end

-- ---- One call ----

-- Sends a request and waits for its reply. Returns the body; or nil, why, and where the peer sent an
-- error, its {code, text}; and the head of what came instead.
local function call(peer, method, id, body)
	local sent, why = peer:write(lantern.encode(lantern.REQUEST, method, id, body))
	if not sent then return nil, why end
	for _ = 0, MOST_NOTICES do
		local head, answer, seen = read_frame(peer)
		if not head then return nil, answer, nil, seen end
		-- Notices come unasked, also between a request and its reply.
		if head.kind ~= lantern.NOTICE then
			if head.id ~= id or head.method ~= method then return nil, "reply to another request", nil, head end
			if head.kind == lantern.REPLY then return answer end
			if head.kind ~= lantern.ERROR then return nil, "unknown kind of frame", nil, head end
			local problem = lantern.read_error(answer)
			return nil, problem and "error" or "malformed error", problem, head
		end
	end
	return nil, "only notices", nil, {}
end

-- ---- What becomes of it ----

-- At most so many bytes of a text, but no half character: a record takes UTF-8 only, and a product of 127
-- bytes, a version of 63.
local function cut(text, most)
	text = text:sub(1, most)
	while not utf8.len(text) do text = text:sub(1, -2) end
	return text
end

local readers = { describe = lantern.read_describe, stats = lantern.read_stats }

-- A further question; what it gives goes into the record, as does why it gave nothing.
local function ask(peer, key, name, id)
	local body, why, problem = call(peer, lantern[name], id, "")
	local value = body and readers[key](body)
	if value then
		prtip.add_result(key, value)
	elseif problem then
		prtip.add_result(key .. "_error", problem)
	else
		prtip.add_result(key .. "_error", { text = body and "malformed reply" or why })
	end
	-- After an error frame the stream goes on; after anything else it cannot be trusted.
	return body ~= nil or problem ~= nil
end

local function talk(peer)
	local body, why, problem, seen = call(peer, lantern.HELLO, 1, lantern.put_string(client))
	local hello = body and lantern.read_hello(body)
	if not hello then
		prtip.log("debug", why or "malformed HELLO")
		-- No frame of this protocol at all: some other service.
		if not body and not seen then return nil end
		prtip.add_result("hello_error", problem or { text = why or "malformed reply" })
		-- Its magic is enough for the name.
		local version = seen and seen.version and seen.version ~= lantern.VERSION and "protocol version " .. seen.version
		return { service = "lantern", info = version or nil, confidence = 0.8 }
	end
	prtip.add_result("instance", hello.instance)
	for number, feature in ipairs(FEATURES) do
		if bit.band(hello.features, feature[1]) ~= 0 and not ask(peer, feature[2], feature[3], number + 1) then break end
	end
	return {
		service = "lantern", product = cut(hello.product, 100), version = cut(hello.version, 60),
		info = "protocol version " .. lantern.VERSION, confidence = 0.95,
	}
end

-- ---- Hooks ----

-- A banner of this protocol (a server that greets, or answered the scan's hello with an error) gives the
-- name, with less than the 0.8 from which on probe_service is not called any more.
function analyze_banner(banner)
	if banner:sub(1, 4) == lantern.MAGIC then return { service = "lantern", confidence = 0.7 } end
end

function probe_service(target)
	if target.protocol ~= "tcp" then return nil end
	local peer, why = stream.open(target.ip, target.port, prtip.now() + timeout)
	if not peer then
		prtip.log("debug", why)
		return nil
	end
	-- So that the socket is closed even if talk() raises an error; that goes on as it is.
	local ok, service = pcall(talk, peer)
	peer:close()
	if not ok then error(service, 0) end
	return service
end
