-- SPDX-License-Identifier: BSD-3-Clause
-- lib/contact.lua: whether a port is looked at, and whether TLS or plain comes first.
local contact = require("contact")

local SETTINGS = { tls = "auto", timeout = 5, delay = 0, max_bytes = 32768 }
local OK = { expect = "GET /x ", reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" }
local ALERT = "\21\3\1\0\2\2\70"

local function target(fields)
	fields = fields or {}
	fields.ip, fields.port = "198.18.0.1", fields.port or 80
	return fields
end

-- "plain", "tls", or why there is nothing.
local function finds(script, fields, tls)
	local at = target(fields)
	test.server(at.ip, at.port, script)
	SETTINGS.tls = tls or "auto"
	local client, response = contact.make(at, SETTINGS, "/x")
	if not client then return response end
	test.equal(response.status, 404)
	return client.tls and "tls" or "plain"
end

test.case("plain and TLS, as the port suggests", function()
	test.equal(finds({ OK }), "plain")
	test.equal(finds({ OK, tls = true }, { port = 443 }), "tls")
	test.equal(finds({ OK, tls = true }, { port = 8443 }), "tls")
end)

test.case("or the other way round", function()
	test.equal(finds({ OK }, { port = 443 }), "plain")
	test.equal(finds({ OK, tls = true }), "tls")
end)

test.case("the service and the banner go before the port", function()
	test.equal(finds({ OK, tls = true }, { service = "https" }), "tls")
	test.equal(finds({ OK, tls = true }, { service = "ssl" }), "tls")
	test.equal(finds({ OK }, { port = 443, service = "http" }), "plain")
	test.equal(finds({ OK, tls = true }, { banner = "\22\3\3\0\80" }), "tls")
	test.equal(finds({ OK, tls = true }, { banner = ALERT }), "tls")
	test.equal(finds({ OK }, { port = 443, banner = "HTTP/1.1 200 OK\r\n" }), "plain")
	test.equal(finds({ OK, tls = true },
		{ banner = "HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port" }), "tls")
end)

-- A server that answers a plain request, and then TLS on another connection, cannot be scripted: what
-- follows shows that TLS is tried, and fails.
test.case("TLS is tried where the answer to a plain request asks for it", function()
	local function asks(reply) return finds({ { expect = "\r\n\r\n", reply = reply }, { close = true } }) end
	local function page(text)
		return "HTTP/1.1 400 Bad Request\r\nContent-Length: " .. #text .. "\r\n\r\n" .. text
	end
	local failed = "TLS handshake failed: the server does not speak TLS"
	test.equal(asks(ALERT), failed)
	test.equal(asks(""), failed)
	test.equal(asks(page("<h1>400</h1>The plain HTTP request was sent to HTTPS port")), failed)
	test.equal(asks(page("Reason: You're speaking plain HTTP to an SSL-enabled server port.")), failed)
	test.equal(asks("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"), failed)
	test.equal(asks(page("This combination of host and port requires TLS.")), failed)
	test.equal(asks("SSH-2.0-x\r\n"), "malformed: not HTTP")
end)

test.case("what both ways took is counted", function()
	test.server("198.18.0.1", 443, { OK })
	local client = contact.make(target{ port = 443 }, SETTINGS, "/x")
	test.equal({ client.requests, client.connections }, { 2, 2 })
end)

test.case("silence and refusals are not tried twice", function()
	test.equal(finds({ { expect = "\r\n\r\n" }, { timeout = true } }), "timeout")
	test.equal(finds({ { refuse = true } }), "Connection refused")
	test.equal(finds({ { refuse = "timeout" } }, { port = 443 }), "timeout")
end)

test.case("one way alone, where the settings say so", function()
	test.equal(finds({ OK }, { port = 443 }, "no"), "plain")
	test.equal(finds({ OK, tls = true }, nil, "yes"), "tls")
	test.equal(finds({ OK, tls = true }, nil, "no"), "closed")
	test.equal(finds({ OK }, { port = 443 }, "yes"), "TLS handshake failed: the server does not speak TLS")
end)

test.case("what is not looked at", function()
	local function likely(fields) return contact.is_likely(target(fields), { [80] = true, [443] = true }) end
	test.ok(likely{})
	test.ok(likely{ banner = "" })
	test.ok(likely{ banner = "HTTP/1.0 200 OK\r\n" })
	test.ok(likely{ banner = "HTTP/1.0 200 OK\r\n", service = "ipp" })
	test.ok(likely{ banner = "\22\3\3", service = "ssl" })
	test.ok(likely{ service = "http" })
	test.equal(likely{ banner = "SSH-2.0-x\r\n" }, false)
	test.equal(likely{ banner = "220 mail\r\n", service = "http" }, false)
	test.equal(likely{ banner = "\22\3\3", service = "imaps" }, false)
	test.equal(likely{ service = "redis" }, false)
	test.equal(likely{ zero_window = true }, false)
	-- On other ports somebody has to say so.
	test.equal(likely{ port = 79 }, false)
	test.equal(likely{ port = 79, service = "ssl" }, false)
	test.ok(likely{ port = 79, service = "http" })
	test.ok(likely{ port = 79, service = "https", banner = "\22\3\3" })
	test.ok(likely{ port = 79, banner = "HTTP/1.1 200 OK\r\n" })
end)
