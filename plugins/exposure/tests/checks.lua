-- SPDX-License-Identifier: BSD-3-Clause
-- Each check with scripted servers: open, shut, something else, and what is cut or lies about its length.

local bson = require("bson")
math.random = function() return 0xABCDEF end

local function config(ports)
	return { timeout = 5, ports = ports }
end

-- The finding of a check, without the service, and the service that is returned.
local function examine(check, ...)
	test.equal(test.call("on_load", config({ "7000=" .. check })), nil)
	for _, script in ipairs({ ... }) do test.server("198.18.0.1", 7000, script) end
	local service = test.call("probe_service", test.target{ port = 7000 })
	return test.results()[check:match("^%w+")], service
end

local function state(check, script)
	local found = examine(check, script)
	return found.state .. ": " .. found.how
end

-- ---- Redis ----

local PING, INFO = "*1\r\n$4\r\nPING\r\n", "*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n"
local function bulk(text)
	return "$" .. #text .. "\r\n" .. text .. "\r\n"
end

test.case("redis: open", function()
	local found, service = examine("redis", { { expect = PING, reply = "+PONG\r\n" },
		{ expect = INFO, reply = bulk("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nos:Linux 6.1 x86_64\r\n") } })
	test.equal(found, { state = "open", how = "PING and INFO answered", version = "7.0.15", mode = "standalone", os = "Linux 6.1 x86_64" })
	test.equal(service, { service = "redis", product = "Redis", version = "7.0.15", cpe = "cpe:/a:redis:redis:7.0.15",
		info = "open", confidence = 0.95 })
end)

test.case("redis: a version that is none, and text that is no UTF-8", function()
	local found, service = examine("redis", { { expect = PING, reply = "+PONG\r\n" },
		{ expect = INFO, reply = bulk("redis_version:" .. ("7."):rep(200) .. "\r\nos:\255\200\r\n") } })
	test.equal({ found.state, found.version, found.os, service.version, service.cpe }, { "open", nil, "??" })
end)

test.case("redis: shut", function()
	local closed = "authentication required: "
	test.equal(state("redis", { { expect = PING, reply = "-NOAUTH Authentication required.\r\n" } }), closed .. "PING got NOAUTH")
	test.equal(state("redis", { { expect = PING, reply = "-ERR operation not permitted\r\n" } }), closed .. "PING got ERR")
	test.equal(state("redis", { { expect = PING, reply = "+PONG\r\n" }, { expect = INFO, reply = "-NOPERM no\r\n" } }),
		closed .. "INFO got NOPERM")
	test.equal(state("redis", { { expect = PING, reply = "-DENIED Redis is running in protected mode\r\n" } }),
		"refused: protected mode: it answers its own machine only")
end)

test.case("redis: something else, and liars", function()
	test.equal(state("redis", { { expect = PING, reply = "HTTP/1.1 400 Bad Request\r\n" } }), "no such service: PING got HTTP/1.1 400 Bad Request")
	test.equal(state("redis", { { expect = PING, close = true } }), "no such service: it closed without an answer")
	test.equal(state("redis", { { expect = PING }, { timeout = true } }), "no answer: timeout")
	test.equal(state("redis", { { refuse = true } }), "no answer: Connection refused")
	test.equal(state("redis", { { expect = PING, reply = "$99999999\r\n" } }), "no such service: a length of 99999999")
	test.equal(state("redis", { { expect = PING, reply = ("x"):rep(4000) } }), "no such service: a line is over 2048 bytes")
	test.equal(state("redis", { { expect = PING, reply = "+PONG\r\n" }, { expect = INFO, reply = "$9999\r\nx" }, { close = true } }),
		"refused: PING got PONG, INFO nothing of use")
end)

-- ---- memcached ----

local VERSION = ("version\r\n"):rep(3)

test.case("memcached: text protocol", function()
	local found, service = examine("memcached", { { expect = VERSION, reply = ("VERSION 1.6.18\r\n"):rep(3) },
		{ expect = "stats\r\n", reply = "STAT pid 1\r\nSTAT curr_items 5\r\nSTAT bytes 320\r\nEND\r\n" } })
	test.equal(found, { state = "open", how = "version and stats answered", version = "1.6.18", items = 5, bytes = 320 })
	test.equal(service.cpe, "cpe:/a:memcached:memcached:1.6.18")
	test.equal(state("memcached", { { expect = VERSION, reply = ("CLIENT_ERROR unauthenticated\r\n"):rep(3) } }),
		"authentication required: version got CLIENT_ERROR unauthenticated")
	test.equal(state("memcached", { { expect = VERSION, reply = ("VERSION 1\r\n"):rep(3) }, { expect = "stats", reply = "ERROR\r\n" } }),
		"refused: version answered, stats did not")
	test.equal(state("memcached", { { expect = VERSION, reply = ("VERSION 1\r\n"):rep(3) },
		{ expect = "stats", reply = ("STAT a 1\r\n"):rep(500) } }), "refused: version answered, stats did not")
	test.equal(state("memcached", { { expect = VERSION, reply = "220 hi\r\n" } }), "no such service: version got 220 hi")
end)

test.case("memcached: binary protocol", function()
	-- Each connection plays the script anew: the text gets an end, the binary question an answer.
	local ask = "\128\11" .. ("\0"):rep(22)
	local function frame(opcode, status, body)
		return "\129" .. string.char(opcode) .. "\0\0\0\0" .. string.char(0, status) .. "\0\0\0" .. string.char(#body) .. ("\0"):rep(12) .. body
	end
	local connections, connect = 0, prtip.connect
	local function by_turns(script)
		connections = 0
		prtip.connect = function(ip, port, options)
			connections = connections + 1
			return connect(ip, connections == 1 and 7001 or port, options)
		end
		test.server("198.18.0.1", 7001, { { expect = VERSION, close = true } })
		local ok, result = pcall(state, "memcached", script)
		prtip.connect = connect
		if not ok then error(result, 0) end
		return result
	end
	test.equal(by_turns({ { expect = ask, reply = frame(11, 0, "1.6.18") }, { expect = "\128\16", reply = frame(16, 0x20, "Auth failure") } }),
		"authentication required: stat of the binary protocol got status authentication error")
	test.equal(test.results().memcached.version, "1.6.18")
	test.equal(by_turns({ { expect = ask, reply = frame(11, 0, "1.6.18") }, { expect = "\128\16", reply = frame(16, 0, "") } }),
		"open: version and stat of the binary protocol answered")
	test.equal(by_turns({ { expect = ask, reply = ("x"):rep(24) } }), "no such service: no frame of memcached's")
	test.equal(by_turns({ { expect = ask, reply = "\129\11\0\0\0\0\0\0\255\0\0\0" .. ("\0"):rep(12) } }), "no such service: no frame of memcached's")
	test.equal(by_turns({ { expect = ask, close = true } }), "no such service: it closed without an answer")
end)

-- ---- MongoDB ----

local function message(number, document, length)
	local body = "\0\0\0\0\0" .. document
	return bson.put32(length or #body + 16) .. bson.put32(9) .. bson.put32(number) .. bson.put32(2013) .. body
end
local OK = "\1ok\0\0\0\0\0\0\0\240\63"
local function document(elements)
	return bson.put32(#elements + 5) .. elements .. "\0"
end
local HELLO = document("\16maxWireVersion\0\17\0\0\0" .. OK)
local BUILD = document("\2version\0\7\0\0\0" .. "6.0.14\0" .. OK)
local LIST = document("\4databases\0" .. document("\0030\0" .. document("\2name\0\2\0\0\0a\0")) .. OK)
local DENIED = document("\1ok\0\0\0\0\0\0\0\0\0" .. "\16code\0\13\0\0\0")

local function mongo(...)
	local script = {}
	local asked = { "\16hello\0", "\16buildInfo\0", "\16listDatabases\0" }
	for number, body in ipairs({ ... }) do script[number] = { expect = asked[number], reply = message(number, body) } end
	return script
end

test.case("mongodb: open and shut", function()
	local found, service = examine("mongodb", mongo(HELLO, BUILD, LIST))
	test.equal(found, { state = "open", how = "hello and listDatabases answered", version = "6.0.14", wire_version = 17, databases = 1 })
	test.equal(service.cpe, "cpe:/a:mongodb:mongodb:6.0.14")
	test.equal(state("mongodb", mongo(HELLO, BUILD, DENIED)), "authentication required: listDatabases got error 13 (Unauthorized)")
	test.equal(state("mongodb", mongo(HELLO, DENIED, DENIED)), "authentication required: listDatabases got error 13 (Unauthorized)")
	test.equal(state("mongodb", mongo(HELLO, BUILD, document("\1ok\0\0\0\0\0\0\0\0\0\16code\0\59\0\0\0"))), "refused: listDatabases got error 59")
end)

test.case("mongodb: one that does not know hello", function()
	local unknown = document("\1ok\0\0\0\0\0\0\0\0\0\16code\0\59\0\0\0")
	local script = mongo(unknown, BUILD, DENIED)
	table.insert(script, 2, { expect = "\16isMaster\0", reply = message(1, HELLO) })
	test.equal(examine("mongodb", script).wire_version, 17)
end)

test.case("mongodb: something else, and liars", function()
	local head = "\16hello\0"
	test.equal(state("mongodb", { { expect = head, reply = "HTTP/1.1 400 Bad Request\r\n\r\n" } }), "no such service: no message of MongoDB's")
	test.equal(state("mongodb", { { expect = head, reply = message(1, HELLO, 1073741824) } }), "no such service: a message of 1073741824 bytes")
	test.equal(state("mongodb", { { expect = head, reply = message(1, HELLO, 3) } }), "no such service: a message of 3 bytes")
	test.equal(state("mongodb", { { expect = head, reply = message(1, "\9\0\0\0xxxxx") } }), "no such service: a malformed document")
	test.equal(state("mongodb", { { expect = head, reply = message(1, document("")) } }), "no such service: hello got a document without ok")
	test.equal(state("mongodb", { { expect = head, reply = message(1, HELLO):sub(1, 30) }, { close = true } }), "no such service: it closed without an answer")
end)

test.case("bson: values, and what is not whole", function()
	local all = document("\1d\0\0\0\0\0\0\0\4\192" .. "\2s\0\3\0\0\0hi\0" .. "\5b\0\2\0\0\0\0xy" .. "\7o\0" .. ("x"):rep(12) .. "\8t\0\1"
		.. "\9u\0\0\0\0\0\0\0\0\0" .. "\10n\0" .. "\11r\0a\0i\0" .. "\16i\0\255\255\255\255" .. "\17z\0" .. ("\0"):rep(8)
		.. "\18l\0\0\0\0\0\1\0\0\0" .. "\19q\0" .. ("\0"):rep(16) .. "\3e\0" .. document("\16x\0\1\0\0\0"))
	local value = bson.decode(all)
	test.equal(value, { d = -2.5, s = "hi", b = "xy", o = true, t = true, u = 0, n = true, r = "a", i = -1, z = true,
		l = 4294967296, q = true, e = { x = 1 } })
	for n = 0, #all - 1 do test.equal(bson.decode(all:sub(1, n)), nil) end
	for at = 1, #all do
		for _, byte in ipairs({ 0, 1, 4, 127, 255 }) do bson.decode(all:sub(1, at - 1) .. string.char(byte) .. all:sub(at + 1)) end
	end
	local deep = document("")
	for _ = 1, 7 do deep = document("\3a\0" .. deep) end
	test.ok(bson.decode(deep))
	test.equal(bson.decode(document("\3a\0" .. deep)), nil)
	test.equal(bson.decode(document(("\10a\0"):rep(600))), nil)
	test.equal(bson.decode(bson.encode({ { "ping", 1 }, { "s", "x" }, { "b", true } })), { ping = 1, s = "x", b = true })
end)

-- ---- MQTT ----

local function connect_packet(level)
	local body = "\0\4MQTT" .. string.char(level) .. "\2\0\10" .. (level == 5 and "\0" or "") .. "\0\11prtipabcdef"
	return "\16" .. string.char(#body) .. body
end

test.case("mqtt: open, shut, refused", function()
	local found, service = examine("mqtt", { { expect = connect_packet(4), reply = "\32\2\0\0" }, { expect = "\224\0" } })
	test.equal(found, { state = "open", how = "CONNECT without credentials was accepted", protocol = "3.1.1", code = 0 })
	test.equal(service, { service = "mqtt", info = "open", confidence = 0.9 })
	for code, wanted in pairs({
		[4] = "authentication required: CONNACK 4 (bad user name or password)",
		[5] = "authentication required: CONNACK 5 (not authorized)", [3] = "refused: CONNACK 3 (server unavailable)",
		[0x87] = "authentication required: CONNACK 135 (not authorized)", [99] = "refused: CONNACK 99 (unknown)",
	}) do
		test.equal(state("mqtt", { { expect = connect_packet(4), reply = "\32\2\0" .. string.char(code) } }), wanted)
	end
end)

test.case("mqtt: version 5 where 3.1.1 is refused", function()
	-- The first connection's packet ends before the script goes on, as each connection plays it anew.
	local connect, turn = prtip.connect, 0
	prtip.connect = function(ip, _, options)
		turn = turn + 1
		return connect(ip, 7000 + turn, options)
	end
	test.server("198.18.0.1", 7001, { { expect = connect_packet(4), reply = "\32\2\0\1" } })
	test.server("198.18.0.1", 7002, { { expect = connect_packet(5), reply = "\32\3\0\135\0" } })
	local ok, why = pcall(function()
		test.equal(state("mqtt", { { refuse = true } }), "authentication required: CONNACK 135 (not authorized)")
	end)
	prtip.connect = connect
	if not ok then error(why, 0) end
	test.equal(test.results().mqtt.protocol, "5.0")
end)

test.case("mqtt: something else, and liars", function()
	test.equal(state("mqtt", { { expect = connect_packet(4), reply = "HTTP/1.1 400\r\n" } }), "no such service: CONNECT got a first byte 0x48")
	test.equal(state("mqtt", { { expect = connect_packet(4), reply = "\32\255\255\255\255\1" } }), "no such service: a malformed length")
	test.equal(state("mqtt", { { expect = connect_packet(4), reply = "\32\255\255\255\127" } }), "no such service: a CONNACK of 268435455 bytes")
	test.equal(state("mqtt", { { expect = connect_packet(4), reply = "\32\1\0" } }), "no such service: a CONNACK of 1 bytes")
	test.equal(state("mqtt", { { expect = connect_packet(4), reply = "\32" }, { close = true } }), "no such service: it closed without an answer")
	test.equal(state("mqtt", { { expect = connect_packet(4) }, { timeout = true } }), "no answer: timeout")
end)

-- ---- LDAP ----

local function ber(tag, body)
	return string.char(tag, #body) .. body
end
local function ldap(number, tag, body)
	return ber(0x30, ber(2, string.char(number)) .. ber(tag, body))
end
local function attribute(name, ...)
	local values = ""
	for _, value in ipairs({ ... }) do values = values .. ber(4, value) end
	return ber(0x30, ber(4, name) .. ber(0x31, values))
end
local function entry(number, name, attributes)
	return ldap(number, 0x64, ber(4, name) .. ber(0x30, attributes))
end
local function done(number, code, words)
	return ldap(number, 0x65, ber(10, string.char(code)) .. ber(4, "") .. ber(4, words or ""))
end
local ROOT = entry(1, "", attribute("namingContexts", "dc=lab") .. attribute("vendorName", "Lab") .. attribute("supportedSASLMechanisms", "PLAIN", "GSSAPI"))
	.. done(1, 0)

local function directory(...)
	local script = { { expect = "objectClass", reply = ROOT } }
	for _, reply in ipairs({ ... }) do script[#script + 1] = { expect = "dc=lab", reply = reply } end
	return script
end

test.case("ldap: open and shut", function()
	local found, service = examine("ldap", directory(entry(2, "dc=lab", "") .. done(2, 0)))
	test.equal(found, { state = "open", how = "the entry dc=lab was found without a bind", naming_contexts = { "dc=lab" }, sasl = { "PLAIN", "GSSAPI" } })
	test.equal(service, { service = "ldap", product = "Lab", info = "open", confidence = 0.9 })
	test.equal(state("ldap", directory(done(2, 50))), "authentication required: the entry dc=lab got 50 (insufficientAccessRights)")
	test.equal(state("ldap", directory(done(2, 32))), "refused: the entry dc=lab got 32 (noSuchObject)")
	test.equal(state("ldap", directory(done(2, 1, "bind first"))), "authentication required: the entry dc=lab got 1 (operationsError: bind first)")
	test.equal(state("ldap", directory(done(2, 0))), "refused: the entry dc=lab got nothing")
	test.equal(state("ldap", directory(done(2, 51))), "refused: the entry dc=lab got 51 (unknown)")
	test.equal(state("ldap", { { expect = "objectClass", reply = done(1, 8) } }), "authentication required: the root DSE got 8 (strongerAuthRequired)")
	test.equal(state("ldap", { { expect = "objectClass", reply = entry(1, "", "") .. done(1, 0) } }), "refused: the root DSE names no naming context")
end)

test.case("ldap: byte by byte", function()
	local script = { { expect = "objectClass" } }
	for byte in ROOT:gmatch(".") do script[#script + 1] = { reply = byte } end
	script[#script + 1] = { expect = "dc=lab", reply = done(2, 50) }
	test.equal(examine("ldap", script).state, "authentication required")
end)

test.case("ldap: something else, and liars", function()
	test.equal(state("ldap", { { expect = "objectClass", reply = "HTTP/1.1 400 Bad Request\r\n" } }):match("^[^:]*"), "no such service")
	test.equal(state("ldap", { { expect = "objectClass", reply = "\48\132\127\255\255\255" .. ("x"):rep(70000) } }), "no such service: an element is over 65536 bytes")
	test.equal(state("ldap", { { expect = "objectClass", reply = ldap(1, 0x64, "\4\127x") } }), "no such service: a malformed entry")
	test.equal(state("ldap", { { expect = "objectClass", reply = ldap(1, 0x65, "x") } }), "no such service: a malformed result")
	test.equal(state("ldap", { { expect = "objectClass", reply = (entry(1, "", "")):rep(100) } }), "no such service: no end of a search")
	test.equal(state("ldap", { { expect = "objectClass", reply = ldap(0, 0x78, "") } }), "no answer: a notice of disconnection")
	test.equal(state("ldap", { { expect = "objectClass", close = true } }), "no such service: it closed without an answer")
end)

-- In parts, as a case has the limits of one result.
for part = 1, 4 do
	test.case("ldap: any byte may be another, part " .. part, function()
		for at = part, #ROOT, 4 do
			for _, byte in ipairs({ 0, 127, 132, 255 }) do
				local changed = ROOT:sub(1, at - 1) .. string.char(byte) .. ROOT:sub(at + 1)
				test.ok(examine("ldap", { { expect = "objectClass", reply = changed }, { close = true } }).state)
			end
		end
	end)
end
