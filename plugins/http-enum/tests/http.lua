-- SPDX-License-Identifier: BSD-3-Clause
-- lib/http.lua: connections, requests, and responses of every manner.
local http = require("http")

local IP, PORT = "198.18.0.1", 80

local function client(options)
	options = options or {}
	options.ip, options.port = options.ip or IP, options.port or PORT
	return http.client(options)
end

-- What a server that says `reply` to the first request gives.
local function answer(reply, method, options)
	test.server(IP, PORT, { { expect = "\r\n\r\n", reply = reply }, { close = true } })
	return client(options):request(method or "GET", "/")
end

-- The same in pieces of so many bytes.
local function answer_in_pieces(text, size, options)
	local script = { { expect = "\r\n\r\n" } }
	for from = 1, #text, size do script[#script + 1] = { reply = text:sub(from, from + size - 1) } end
	test.server(IP, PORT, script)
	return client(options):request("GET", "/")
end

test.case("sends what HTTP/1.1 wants", function()
	test.server(IP, 8080, { {
		expect = "HEAD /a HTTP/1.1\r\nHost: 198.18.0.1:8080\r\nUser-Agent: me\r\nConnection: keep-alive\r\n"
			.. "Accept: */*\r\nAccept-Encoding: identity\r\n\r\n",
		reply = "HTTP/1.1 204 No Content\r\n\r\n",
	} })
	test.equal(client{ port = 8080, user_agent = "me" }:request("HEAD", "/a").status, 204)
end)

test.case("the Host header: no port where it is the scheme's, brackets for IPv6, or as given", function()
	local function says(ip, port, options, host)
		test.server(ip, port, {
			{ expect = "Host: " .. host .. "\r\n", reply = "HTTP/1.1 204 No\r\n\r\n" },
			tls = options.tls,
		})
		options.ip, options.port = ip, port
		test.ok(client(options):request("GET", "/"))
	end
	says(IP, 80, {}, "198.18.0.1")
	says(IP, 443, {}, "198.18.0.1:443")
	says(IP, 443, { tls = true }, "198.18.0.1")
	says(IP, 80, { tls = true }, "198.18.0.1:80")
	says("2001:db8::1", 80, {}, "[2001:db8::1]")
	says("2001:db8::1", 8080, {}, "[2001:db8::1]:8080")
	says(IP, 80, { host = "www.example.org" }, "www.example.org")
end)

test.case("a name is sent in TLS, an address is not", function()
	test.server(IP, 443, { { expect = "GET", reply = "HTTP/1.1 204 No\r\n\r\n" }, tls = true })
	local function name(host)
		local one = client{ port = 443, tls = true, host = host }
		test.ok(one:request("GET", "/"))
		return prtip.tls_info(one.sock).server_name
	end
	test.equal(name("www.example.org:8443"), "www.example.org")
	test.equal(name("198.18.0.1"), nil)
	test.equal(name(nil), nil)
end)

test.case("a response with a length", function()
	local response = answer("HTTP/1.1 200 OK\r\nServer: one\r\nContent-Length: 5\r\nX: a\r\nx:b \r\n\r\nhello")
	test.equal(response.status, 200)
	test.equal(response.reason, "OK")
	test.equal(response.version, 1.1)
	test.equal(response.headers, { server = "one", ["content-length"] = "5", x = "a, b" })
	test.equal({ response.body, response.length, response.complete }, { "hello", 5, true })
end)

test.case("heads: bare line feeds, folded lines, no reason, junk lines, twice the same field", function()
	local response = answer("HTTP/1.0 302\nLocation: /a\nLocation: /b\nX: 1\n\t2\nno field\nContent-Length: 0\n\n")
	test.equal(response.headers, { location = "/a", x = "1 2", ["content-length"] = "0" })
	test.equal({ response.status, response.reason, response.version }, { 302, "", 1.0 })
end)

test.case("the answer to HEAD has no body, but a length", function()
	local response = answer("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "HEAD")
	test.equal({ response.body, response.length, response.complete }, { "", 500, true })
	response = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD")
	test.equal({ response.body, response.complete }, { "", true })
	test.equal(response.length, nil)
end)

test.case("no body with 204 and 304, whatever the length says", function()
	local response = answer("HTTP/1.1 204 No\r\nContent-Length: 7\r\n\r\n")
	test.equal({ response.body, response.length }, { "", 0 })
	response = answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")
	test.equal({ response.body, response.length or "unknown" }, { "", "unknown" })
end)

test.case("a body until the end of the connection", function()
	local response = answer("HTTP/1.0 200 OK\r\n\r\nall there is")
	test.equal({ response.body, response.length, response.complete }, { "all there is", 12, true })
end)

test.case("chunks, with extensions and trailers", function()
	local response = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
		.. "5;name=value\r\nhello\r\n00a\r\n, everyone\r\n0\r\nTrailer: x\r\n\r\n")
	test.equal({ response.body, response.length, response.complete }, { "hello, everyone", 15, true })
end)

test.case("chunked goes before Content-Length", function()
	local response = answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
		.. "5\r\nhello\r\n0\r\n\r\n")
	test.equal(response.body, "hello")
end)

test.case("one byte at a time", function()
	local response = answer_in_pieces("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		.. "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", 1)
	test.equal({ response.body, response.complete }, { "hello!", true })
	response = answer_in_pieces("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1)
	test.equal({ response.body, response.complete }, { "hello", true })
end)

test.case("interim responses are skipped", function()
	local response = answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
		.. "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	test.equal({ response.status, response.body }, { 200, "ok" })
	test.equal(response.headers.link, nil)
end)

test.case("but not without end, and protocols are not switched", function()
	local _, why = answer(("HTTP/1.1 100 Continue\r\n\r\n"):rep(50))
	test.equal(why, "malformed: too many interim responses")
	_, why = answer("HTTP/1.1 101 Switching Protocols\r\n\r\n")
	test.equal(why, "malformed: 101 unasked")
end)

test.case("bodies are cut at max_bytes, however they end", function()
	local big = ("x"):rep(5000)
	local chunked = ("3e8\r\n" .. ("x"):rep(1000) .. "\r\n"):rep(5) .. "0\r\n\r\n"
	for _, reply in ipairs{
		"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" .. big,
		"HTTP/1.1 200 OK\r\n\r\n" .. big,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunked,
	} do
		local response = answer(reply, "GET", { max_bytes = 1500 })
		test.equal({ #response.body, response.complete }, { 1500, false })
		test.equal(response.length, reply:find("Length") and 5000 or nil)
	end
end)

test.case("a body of exactly max_bytes is complete", function()
	local response = answer("HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(1500), "GET", { max_bytes = 1500 })
	test.equal({ #response.body, response.complete, response.length }, { 1500, true, 1500 })
	response = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5dc\r\n" .. ("x"):rep(1500)
		.. "\r\n0\r\n\r\n", "GET", { max_bytes = 1500 })
	test.equal({ #response.body, response.complete, response.length }, { 1500, true, 1500 })
end)

test.case("a body that ends too early is what there is of it", function()
	local response = answer("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")
	test.equal({ response.body, response.complete, response.length }, { "hello", false, 500 })
	response = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhe")
	test.equal({ response.body, response.complete }, { "hellohe", false })
end)

test.case("what is not HTTP, or no longer is", function()
	local function why(reply)
		local response, text, failure = answer(reply)
		test.equal(response, nil)
		test.equal(failure.stage, "receive")
		return text
	end
	test.equal(why("SSH-2.0-x\r\n"), "malformed: not HTTP")
	test.equal(why("HTT"), "closed")
	test.equal(why("ICY 200 OK\r\n\r\n"), "malformed: not HTTP")
	test.equal(why("HTTP/2.0 200 OK\r\n\r\n"), "malformed: bad status line")
	test.equal(why("HTTP/1.1 2000 OK\r\n\r\n"), "malformed: bad status line")
	test.equal(why("HTTP/1.1 OK\r\n\r\n"), "malformed: bad status line")
	test.equal(why("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n"), "malformed: bad Content-Length")
	test.equal(why("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), "malformed: bad Content-Length")
	test.equal(why("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
		"malformed: bad Content-Length")
	test.equal(why("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"),
		"malformed: bad Content-Length")
	test.equal(why("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n"), "malformed: bad chunk")
	test.equal(why("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n"),
		"malformed: bad chunk")
	test.equal(why("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5" .. (";"):rep(3000)),
		"malformed: a line over 1 KiB")
	test.equal(why(""), "closed")
end)

test.case("the same Content-Length twice is one", function()
	local response = answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")
	test.equal({ response.body, response.length }, { "ok", 2 })
end)

test.case("heads without end", function()
	local _, why = answer("HTTP/1.1 200 OK\r\n" .. ("X: y\r\n"):rep(200) .. "\r\n")
	test.equal(why, "malformed: over 128 header lines")
	_, why = answer("HTTP/1.1 200 OK\r\nX: " .. ("y"):rep(70000))
	test.equal(why, "malformed: a header over 16 KiB")
	_, why = answer("HTTP/1.1 200 OK\r\n" .. ("X: " .. ("y"):rep(1000) .. "\r\n"):rep(17) .. "\r\n")
	test.equal(why, "malformed: a header over 16 KiB")
end)

-- Each within the limit of instructions that one result has, what the test itself takes included.
test.case("a server that hands out crumbs is left: bytes", function()
	local script = { { expect = "\r\n\r\n", reply = "HTTP/1.1 200 OK\r\n\r\n" } }
	for i = 2, 300 do script[i] = { reply = "x" } end
	test.server(IP, PORT, script)
	local one = client()
	one.steps = 50 -- and 50 for the request
	local response = one:request("GET", "/")
	test.equal({ #response.body, response.complete }, { 99, false })
end)

test.case("a server that hands out crumbs is left: chunks", function()
	local response = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. ("1\r\nx\r\n"):rep(2000))
	test.equal(response.complete, false)
	test.ok(#response.body < 700)
end)

test.case("a server that hands out crumbs is left: trailers", function()
	local _, why = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
		.. ("X: y\r\n"):rep(5000))
	test.equal(why, "malformed: too many small pieces")
end)

test.case("patterns are not led astray by what a server sends", function()
	local began = prtip.now()
	answer("HTTP/1.1 200 OK\r\nX:" .. (" "):rep(16000) .. "\r\n\r\n")
	answer("HTTP/1.1 200 OK\r\nX: " .. ("y "):rep(8000) .. "\r\n\r\n")
	answer("HTTP/1.1 200 " .. (" "):rep(16000) .. "\r\n\r\n")
	answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: " .. ("chunked "):rep(2000) .. "x\r\n\r\n")
	test.ok(prtip.now() - began < 2)
end)

test.case("silence", function()
	test.server(IP, PORT, { { expect = "GET" }, { timeout = true } })
	local response, why, failure = client():request("GET", "/")
	test.equal({ response or "none", why, failure.stage }, { "none", "timeout", "receive" })
end)

test.case("nobody there; no TLS there", function()
	local response, why, failure = client():request("GET", "/")
	test.equal({ response or "none", why, failure.stage }, { "none", "Connection refused", "connect" })
	test.server(IP, PORT, { { reply = "220 hello\r\n" } })
	local one = client{ tls = true }
	response, why, failure = one:request("GET", "/")
	test.equal({ response or "none", failure.stage }, { "none", "tls" })
	test.equal(one.sock, nil)
end)

test.case("what came in place of a response is told", function()
	local _, _, failure = answer("\21\3\1\0\2\2\70")
	test.equal(failure.data, "\21\3\1\0\2\2\70")
end)

-- ---- Connections ----

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local OK_10 = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n"

test.case("a connection is kept", function()
	test.server(IP, PORT, { { expect = "GET /1 ", reply = OK }, { expect = "GET /2 ", reply = OK } })
	local one = client()
	test.equal(one:request("GET", "/1").body, "ok")
	test.equal(one:request("GET", "/2").body, "ok")
	test.equal({ one.requests, one.connections }, { 2, 1 })
	one:close()
	test.equal(one.sock, nil)
	one:close()
end)

local function connections(reply, method)
	test.server(IP, PORT, { { expect = "\r\n\r\n", reply = reply }, { expect = "\r\n\r\n", reply = reply } })
	local one = client()
	test.ok(one:request(method or "GET", "/"))
	test.ok(one:request(method or "GET", "/"))
	return one.connections
end

test.case("when a connection is kept, and when not", function()
	test.equal(connections(OK), 1)
	test.equal(connections("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), 2)
	test.equal(connections("HTTP/1.1 200 OK\r\nConnection: x,  Close \r\nContent-Length: 2\r\n\r\nok"), 2)
	test.equal(connections(OK_10 .. "\r\nok"), 2)
	test.equal(connections(OK_10 .. "Connection: Keep-Alive\r\n\r\nok"), 1)
	test.equal(connections("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 1)
	test.equal(connections("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD"), 1)
end)

test.case("closed without a word: the request goes out once more", function()
	test.server(IP, PORT, { { expect = "GET /1 ", reply = OK } })
	local one = client()
	test.ok(one:request("GET", "/1"))
	test.server(IP, PORT, { { expect = "GET /2 ", reply = OK }, { close = true } })
	test.equal(one:request("GET", "/2").body, "ok")
	-- This time the end is known when the request is sent.
	test.server(IP, PORT, { { expect = "GET /3 ", reply = OK } })
	test.equal(one:request("GET", "/3").body, "ok")
	test.equal({ one.requests, one.connections }, { 3, 3 })
end)

test.case("but not twice, and not on a new connection", function()
	test.server(IP, PORT, { { expect = "GET /1 ", reply = OK } })
	local one = client()
	test.ok(one:request("GET", "/1"))
	test.server(IP, PORT, { { expect = "GET /2 " }, { close = true } })
	local response, why = one:request("GET", "/2")
	test.equal({ response or "none", why, one.connections }, { "none", "closed", 2 })
	response, why = one:request("GET", "/2")
	test.equal({ response or "none", why, one.connections }, { "none", "closed", 3 })
end)

test.case("silence on a kept connection is not asked again", function()
	test.server(IP, PORT, { { expect = "GET /1 ", reply = OK }, { expect = "GET /2 " }, { timeout = true } })
	local one = client()
	test.ok(one:request("GET", "/1"))
	local _, why = one:request("GET", "/2")
	test.equal({ why, one.connections }, { "timeout", 1 })
end)

test.case("a body that comes with the answer to HEAD is not taken for the next answer", function()
	test.server(IP, PORT, { { expect = "\r\n\r\n", reply = OK }, { expect = "\r\n\r\n", reply = OK } })
	local one = client()
	for _ = 1, 3 do test.equal(one:request("HEAD", "/").status, 200) end
	test.equal({ one.connections, one.surplus }, { 3, 2 })
end)

test.case("nor where it comes late", function()
	test.server(IP, PORT, {
		{ expect = "\r\n\r\n", reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" },
		{ expect = "\r\n\r\n", reply = "ok" },
	})
	local one = client()
	for _ = 1, 2 do test.equal(one:request("HEAD", "/").status, 200) end
	test.equal({ one.connections, one.surplus }, { 2, 1 })
end)
