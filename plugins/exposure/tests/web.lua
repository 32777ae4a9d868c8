-- SPDX-License-Identifier: BSD-3-Clause
-- The checks by HTTP, settings, and which check a target gets.

local function json(status, text, headers)
	return ("HTTP/1.1 %d x\r\n%sContent-Length: %d\r\n\r\n%s"):format(status, headers or "", #text, text)
end

-- Servers by connection: the first has the first script, and so on.
local connect = prtip.connect
local function examine(check, ...)
	test.equal(test.call("on_load", { timeout = 5, ports = { "7000=" .. check } }), nil)
	local turn = 0
	prtip.connect = function(ip, _, options)
		turn = turn + 1
		return connect(ip, 7000 + turn, options)
	end
	for number, script in ipairs({ ... }) do test.server("198.18.0.1", 7000 + number, script) end
	local ok, service = pcall(test.call, "probe_service", test.target{ port = 7000 })
	prtip.connect = connect
	if not ok then error(service, 0) end
	return test.results()[check:match("^%w+")], service
end

local function state(check, ...)
	local found = examine(check, ...)
	return found.state .. ": " .. found.how
end

local ES = '{"cluster_name":"lab","version":{"number":"8.11.1"},"tagline":"You Know, for Search"}'

test.case("elasticsearch", function()
	local found, service = examine("elasticsearch", { { expect = "GET / HTTP/1.1\r\nHost: 198.18.0.1:7000\r\n", reply = json(200, ES) } })
	test.equal(found, { state = "open", how = "GET / answered", version = "8.11.1", cluster = "lab" })
	test.equal(service, { service = "elasticsearch", product = "Elasticsearch", version = "8.11.1",
		cpe = "cpe:/a:elastic:elasticsearch:8.11.1", info = "open", confidence = 0.95 })
	test.equal(state("elasticsearch", { { expect = "GET /", reply = json(401, '{"error":{"type":"security_exception"},"status":401}') } }),
		"authentication required: GET / got 401")
	test.equal(state("elasticsearch", { { expect = "GET /", reply = json(401, "Unauthorized", 'WWW-Authenticate: Basic realm="OpenSearch Security"\r\n') } }),
		"authentication required: GET / got 401")
	test.equal(state("elasticsearch", { { expect = "GET /", reply = json(503, ES) } }), "refused: GET / got 503")
	test.equal(state("elasticsearch", { { expect = "GET /", reply = json(200, "<html>") } }), "no such service: HTTP, status 200")
	test.equal(state("elasticsearch", { { expect = "GET /", reply = json(200, '{"tagline":7,"version":"x"}') } }), "no such service: HTTP, status 200")
end)

test.case("bodies: chunked, up to the end, too long, cut", function()
	local function open(reply)
		return state("elasticsearch", { { expect = "GET /", reply = reply }, { close = true } })
	end
	local chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	test.equal(open(chunked .. ("a;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"):format(ES:sub(1, 10), #ES - 10, ES:sub(11))), "open: GET / answered")
	test.equal(open("HTTP/1.0 200 OK\r\n\r\n" .. ES), "open: GET / answered")
	test.equal(open(chunked .. "ffffffff\r\nx"), "no such service: HTTP, status 200")
	test.equal(open(chunked .. "zz\r\nx"), "no such service: HTTP, status 200")
	test.equal(open("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nx"), "no such service: HTTP, status 200")
	test.equal(open("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx"), "no such service: HTTP, status 200")
	test.equal(open("HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(70000)), "no such service: HTTP, status 200")
	test.equal(open("HTTP/1.1 200 OK\r\nX: y"), "no such service: headers without an end")
	test.equal(open("SSH-2.0-x\r\n"), "no such service: / got SSH-2.0-x")
	test.equal(open("\r\n"), "no such service: / got ")
end)

local VERSION = { { expect = "GET /version ", reply = json(200, '{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}') } }

test.case("etcd", function()
	local range = 'POST /v3/kv/range HTTP/1.1'
	local found = examine("etcd", VERSION, { { expect = range }, { expect = '"count_only":true}', reply = json(200, '{"header":{},"count":"7"}') } })
	test.equal(found, { state = "open", how = "a count of keys (POST /v3/kv/range) answered", version = "3.4.23", keys = 7 })
	test.equal(state("etcd", VERSION, { { expect = range, reply = json(400, '{"error":"etcdserver: user name is empty","code":3}') } }),
		"authentication required: a count of keys got 400 (etcdserver: user name is empty)")
	test.equal(state("etcd", VERSION, { { expect = range, reply = json(404, "") } }, { { expect = "POST /v3beta/kv/range", reply = json(200, '{"header":{}}') } }),
		"open: a count of keys (POST /v3/kv/range) answered")
	test.equal(state("etcd", VERSION, { { expect = range, reply = json(503, "{}") } }), "refused: a count of keys got 503 (no reason)")
	test.equal(state("etcd", { { expect = "GET /version", reply = json(404, "") } }), "no such service: HTTP, status 404")
end)

test.case("docker", function()
	local found = examine("docker", { { expect = "GET /version", reply = json(200, '{"Version":"20.10.24","ApiVersion":"1.41","Os":"linux"}') } })
	test.equal(found, { state = "open", how = "GET /version answered", version = "20.10.24", os = "linux" })
	test.equal(state("docker", { { expect = "GET /version", reply = json(403, "{}", "Server: Docker/20.10.24 (linux)\r\n") } }),
		"authentication required: GET /version got 403")
	test.equal(state("docker", { { expect = "GET /version", reply = json(200, '{"Version":"1"}') } }), "no such service: HTTP, status 200")
end)

test.case("kubernetes", function()
	local version = { { expect = "GET /version", reply = json(200, '{"gitVersion":"v1.28.4"}') } }
	test.equal(state("kubernetes", version, { { expect = "GET /api ", reply = json(200, '{"kind":"APIVersions"}') } }), "open: GET /api answered")
	test.equal(test.results().kubernetes.version, "1.28.4")
	test.equal(state("kubernetes", version, { { expect = "GET /api ", reply = json(403, '{"kind":"Status"}') } }), "authentication required: GET /api got 403")
	local no = { { expect = "GET /", reply = json(401, '{"kind":"Status"}') } }
	test.equal(state("kubernetes", no, no), "authentication required: GET /api got 401")
	test.equal(state("kubernetes", { { expect = "GET", reply = json(404, "") } }, { { expect = "GET", reply = json(404, "") } }), "no such service: HTTP, status 404")
	test.equal(state("kubernetes", version, { { refuse = true } }), "no answer: Connection refused")
end)

test.case("over TLS", function()
	test.server("198.18.0.1", 7000, { tls = true, { expect = "GET /version", reply = json(200, '{"ApiVersion":"1.41"}') } })
	test.equal(test.call("on_load", { timeout = 5, ports = { "7000=docker/tls" } }), nil)
	test.call("probe_service", test.target{ port = 7000 })
	test.equal(test.results().docker.state, "open")
	test.server("198.18.0.1", 7000, { { timeout = true } })
	test.call("probe_service", test.target{ port = 7000 })
	test.equal(test.results().docker.state, "no answer")
end)

test.case("an IPv6 host in the request", function()
	test.equal(test.call("on_load", { timeout = 5, ports = { "7000=elasticsearch" } }), nil)
	test.server("2001:db8::1", 7000, { { expect = "Host: [2001:db8::1]:7000\r\n", reply = json(200, ES) } })
	test.call("probe_service", test.target{ ip = "2001:db8::1", port = 7000 })
	test.equal(test.results().elasticsearch.state, "open")
end)

test.case("which check a target gets", function()
	test.call("on_load", { timeout = 5, ports = { "7000=redis" } })
	local function probed(fields)
		test.call("probe_service", test.target(fields))
		return next(test.results())
	end
	test.equal(probed({ port = 7001 }), nil)
	test.equal(probed({ port = 7000, protocol = "udp" }), nil)
	test.equal(probed({ protocol = "icmp" }), nil)
	test.equal(probed({ port = 7000, banner = "x" }), nil)
	test.equal(probed({ port = 7001, service = "memcache" }), "memcached")
end)

test.case("with a banner it is analyze_banner that works", function()
	test.call("on_load", { timeout = 5, ports = { "80=redis" } })
	test.call("analyze_banner", "-ERR unknown command\r\n")
	test.equal(test.results().redis, { state = "no answer", how = "Connection refused" })
end)

test.case("settings that are refused", function()
	local function why(more)
		local config = { timeout = 5, ports = { "6379=redis" } }
		for key, value in pairs(more) do config[key] = value end
		return test.call("on_load", config)
	end
	test.equal(why({ timeout = 0 }), "timeout must be a number of seconds, above 0 and at most 30")
	test.equal(why({ timeout = "5" }), "timeout must be a number of seconds, above 0 and at most 30")
	test.ok(why({ ports = "6379=redis" }):find("^ports must be an array of strings"))
	for _, text in ipairs({ "redis", "0=redis", "70000=redis", "1=ftp", "1=redis/ssl", "1=redis/", "x=redis", "" }) do
		test.ok(why({ ports = { text } }):find('ports, "' .. text .. '": give PORT=CHECK or PORT=CHECK/tls', 1, true))
	end
	test.equal(why({ ports = { " 1=redis", "2=docker/tls" } }), nil)
end)
