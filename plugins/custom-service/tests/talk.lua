-- SPDX-License-Identifier: BSD-3-Clause
-- Talks with scripted servers of every manner.

local lantern = require("lantern")
local s = lantern.put_string

local HELLO = lantern.encode(lantern.REQUEST, lantern.HELLO, 1, s("prtip-dp"))
local DESCRIBE = lantern.encode(lantern.REQUEST, lantern.DESCRIBE, 2, "")
local STATS = lantern.encode(lantern.REQUEST, lantern.STATS, 3, "")

local function reply(method, id, body, kind)
	return lantern.encode(kind or lantern.REPLY, method, id, body)
end
local function hello(features)
	return reply(lantern.HELLO, 1, s("Lantern") .. s("2.4.1") .. "\0\0\0" .. string.char(features) .. s("lab-7"))
end
local described = reply(lantern.DESCRIBE, 2, "\0\1\1" .. s("HELLO"))
local stats = reply(lantern.STATS, 3, "\0\0\1\0\0\0\0\2\0\0\0\0\0\0\0\9")
local notice = lantern.encode(lantern.NOTICE, 0, 0, "tick")

local FOUND = { service = "lantern", product = "Lantern", version = "2.4.1", info = "protocol version 1", confidence = 0.95 }
local NAMED = { service = "lantern", confidence = 0.8 }

-- What probe_service returns of a server with this script.
local function probe(script)
	test.server("198.18.0.1", 7700, script)
	return test.call("probe_service", test.target{ port = 7700 })
end

test.case("everything", function()
	test.equal(probe({ { expect = HELLO, reply = hello(3) }, { expect = DESCRIBE, reply = described },
		{ expect = STATS, reply = stats } }), FOUND)
	test.equal(test.results(), { instance = "lab-7", describe = { { method = 1, name = "HELLO" } },
		stats = { uptime_s = 256, connections = 2, requests = 9 } })
end)

test.case("texts that are too long for a record, cut between characters", function()
	local found = probe({ { expect = HELLO, reply = reply(lantern.HELLO, 1, s("x" .. ("\195\164"):rep(200)) .. s(("1."):rep(200))
		.. "\0\0\0\0" .. s("")) } })
	test.equal({ found.product, #found.version }, { "x" .. ("\195\164"):rep(49), 60 })
end)

test.case("only what HELLO says it can is asked for", function()
	test.equal(probe({ { expect = HELLO, reply = hello(0) }, { close = true } }), FOUND)
	test.equal(test.results(), { instance = "lab-7" })
	test.equal(probe({ { expect = HELLO, reply = hello(2) }, { expect = STATS, reply = stats } }), FOUND)
end)

test.case("byte by byte, and two frames in one piece", function()
	local script = { { expect = HELLO } }
	for byte in (notice .. hello(1)):gmatch(".") do script[#script + 1] = { reply = byte } end
	script[#script + 1] = { expect = DESCRIBE, reply = notice .. described }
	test.equal(probe(script), FOUND)
	test.equal(test.results().describe, { { method = 1, name = "HELLO" } })
end)

test.case("not this protocol", function()
	for name, script in pairs({
		refused = { { refuse = true } }, silent = { { expect = HELLO }, { timeout = true } },
		closes = { { expect = HELLO, close = true } }, resets = { { close = true } },
		http = { { expect = HELLO, reply = "HTTP/1.1 400 Bad Request\r\n\r\n" } },
		short = { { expect = HELLO, reply = "220 hi\r\n" }, { close = true } },
	}) do
		test.equal(probe(script), nil)
		test.equal(test.results(), {}, name)
	end
end)

local function hello_error(text)
	test.equal(test.results(), { hello_error = { text = text } })
end

test.case("a frame that ends too early", function()
	test.equal(probe({ { expect = HELLO, reply = hello(0):sub(1, 20) }, { close = true } }), NAMED)
	hello_error("truncated")
	test.equal(probe({ { expect = HELLO, reply = hello(0):sub(1, 16) }, { close = true } }), NAMED)
	hello_error("truncated")
end)

test.case("a frame that stops coming", function()
	test.equal(probe({ { expect = HELLO, reply = hello(0):sub(1, -2) }, { timeout = true } }), NAMED)
	hello_error("timeout")
end)

test.case("a frame that says it is huge is not waited for", function()
	test.equal(probe({ { expect = HELLO, reply = hello(0):sub(1, 12) .. "\255\255\255\255" }, { timeout = true } }), NAMED)
	hello_error("oversized frame")
end)

test.case("a wrong checksum", function()
	test.equal(probe({ { expect = HELLO, reply = hello(0):sub(1, -2) .. "x" } }), NAMED)
	hello_error("wrong checksum")
end)

test.case("another version", function()
	test.equal(probe({ { expect = HELLO, reply = "LNTN\2" .. hello(0):sub(6) } }),
		{ service = "lantern", info = "protocol version 2", confidence = 0.8 })
	hello_error("version 2")
end)

test.case("a body that is not what it should be", function()
	test.equal(probe({ { expect = HELLO, reply = reply(lantern.HELLO, 1, "\0\9x") } }), NAMED)
	hello_error("malformed reply")
end)

test.case("an error to HELLO", function()
	test.equal(probe({ { expect = HELLO, reply = reply(lantern.HELLO, 1, "\0\4" .. s("not you"), lantern.ERROR) } }), NAMED)
	test.equal(test.results(), { hello_error = { code = 4, text = "not you" } })
end)

test.case("an error to DESCRIBE does not end the talk", function()
	test.equal(probe({ { expect = HELLO, reply = hello(3) },
		{ expect = DESCRIBE, reply = reply(lantern.DESCRIBE, 2, "\0\1" .. s("unknown method"), lantern.ERROR) },
		{ expect = STATS, reply = stats } }), FOUND)
	test.equal(test.results().describe_error, { code = 1, text = "unknown method" })
	test.equal(test.results().stats.requests, 9)
end)

test.case("a broken stream does", function()
	test.equal(probe({ { expect = HELLO, reply = hello(3) }, { expect = DESCRIBE, reply = "garbage garbage garbage" } }), FOUND)
	test.equal(test.results(), { instance = "lab-7", describe_error = { text = "wrong magic" } })
end)

test.case("the reply to another request", function()
	test.equal(probe({ { expect = HELLO, reply = reply(lantern.HELLO, 7, "") } }), NAMED)
	hello_error("reply to another request")
end)

test.case("notices without end", function()
	test.equal(probe({ { expect = HELLO, reply = notice:rep(50) } }), NAMED)
	hello_error("only notices")
end)

test.case("a banner gives the name, and the probe goes on", function()
	test.equal(test.call("analyze_banner", hello(0)), { service = "lantern", confidence = 0.7 })
	test.equal(test.call("analyze_banner", "LNT"), nil)
	test.equal(test.call("analyze_banner", ""), nil)
end)

test.case("UDP is not asked", function()
	test.equal(test.call("probe_service", test.target{ port = 7700, protocol = "udp" }), nil)
end)
