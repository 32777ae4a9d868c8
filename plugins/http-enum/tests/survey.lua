-- SPDX-License-Identifier: BSD-3-Clause
-- The whole plugin against scripted servers: what it asks, in which order, and what it reports.

local HTML = "Content-Type: text/html\r\n"
local MADE_UP = "GET /" -- the rest is made up

local function reply(status, body, headers)
	return ("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(status, headers or "", #body, body)
end

-- The answer to HEAD: a length, and no body.
local function head(status, length, headers)
	return ("HTTP/1.1 %s\r\n%s%s\r\n"):format(status, headers or "",
		length and "Content-Length: " .. length .. "\r\n" or "")
end

local function page(title, text)
	return "<html><title>" .. title .. "</title>" .. (text or "") .. "</html>"
end

local MISSING = reply("404 Not Found", page("404 Not Found"), HTML)
local HOME = reply("200 OK", page("Home"), HTML .. "Server: nginx/1.22.1\r\nX-Powered-By: PHP/8.2\r\n")
local NO = head("404 Not Found", 40, HTML)

-- The first three requests of each survey.
local function opening(script)
	local all = {
		{ expect = MADE_UP, reply = MISSING },
		{ expect = "GET / HTTP/1.1\r\n", reply = HOME },
		{ expect = "HEAD / HTTP/1.1\r\n", reply = head("200 OK", 31, HTML) },
	}
	for _, step in ipairs(script) do all[#all + 1] = step end
	return all
end

local function load(changes)
	local config = {
		paths = { "/admin" }, ports = { "80", "443", "8443" }, status = { "200-299", "301-303", "307-308", "401", "403", "405", "500" },
		host = "", user_agent = "", timeout = 5, delay = 0, max_seconds = 45, max_bytes = 32768, tls = "auto",
	}
	for key, value in pairs(changes) do config[key] = value end
	test.equal(test.call("on_load", config), nil)
end

local function run(script, changes, fields)
	load(changes or {})
	test.server("198.18.0.1", 80, script)
	return test.call("probe_service", test.target(fields))
end

-- Asked with HEAD, GET; then the made-up name beside it and at the end.
local function found(path, first, second)
	local script = { { expect = "HEAD " .. path .. " HTTP", reply = first } }
	if second then script[2] = { expect = "GET " .. path .. " HTTP", reply = second } end
	return script
end

local function paths()
	local list = {}
	for i, one in ipairs(test.results().paths or {}) do list[i] = one.path end
	return list
end

test.case("one page that is there, and one that is not", function()
	local login = page("Sign in &amp; go")
	local service = run(opening{
		{ expect = "HEAD /none HTTP", reply = NO },
		{ expect = "HEAD /admin HTTP", reply = head("200 OK", #login, HTML) },
		{ expect = "GET /admin HTTP", reply = reply("200 OK", login, HTML) },
		{ expect = MADE_UP, reply = MISSING },
	}, { paths = { "/none", "/admin" } })
	test.equal(test.results(), {
		tls = false, server = "nginx/1.22.1", powered_by = "PHP/8.2", title = "Home",
		root = { status = 200, length = 32, title = "Home", type = "text/html" },
		missing = { status = 404, length = #page("404 Not Found"), title = "404 Not Found", type = "text/html" },
		paths = { { path = "/admin", status = 200, length = #login, title = "Sign in & go", type = "text/html" } },
		asked = 2, requests = 7, connections = 1,
	})
	test.equal(service, {
		service = "http", product = "nginx", version = "1.22.1", cpe = "cpe:/a:nginx:nginx:1.22.1", confidence = 0.9,
	})
end)

test.case("what HEAD tells is enough: a redirect, a refusal, a file", function()
	run(opening{
		{ expect = "HEAD /admin HTTP", reply = head("301 Moved", 0, "Location: /admin/\r\n") },
		{ expect = "HEAD /private HTTP", reply = head("401 Unauthorized", 9, HTML) },
		{ expect = "HEAD /all.zip HTTP", reply = head("200 OK", 4e9, "Content-Type: application/zip\r\n") },
		{ expect = MADE_UP, reply = MISSING }, -- another .zip
		{ expect = MADE_UP, reply = MISSING },
	}, { paths = { "/admin", "/private", "/all.zip" } })
	test.equal(test.results().paths, {
		{ path = "/admin", status = 301, length = 0, location = "/admin/" },
		{ path = "/private", status = 401, length = 9, type = "text/html" },
		{ path = "/all.zip", status = 200, length = 4e9, type = "application/zip" },
	})
end)

test.case("GET where HEAD tells no length", function()
	run(opening{
		{ expect = "HEAD /robots.txt HTTP", reply = head("200 OK", nil, "Content-Type: text/plain\r\n") },
		{ expect = "GET /", reply = MISSING }, -- another .txt
		{ expect = "GET /robots.txt HTTP", reply = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			.. "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" },
		{ expect = MADE_UP, reply = MISSING },
	}, { paths = { "/robots.txt" } })
	test.equal(test.results().paths, { { path = "/robots.txt", status = 200, length = 5, type = "text/plain" } })
end)

test.case("a server without HEAD is asked with GET alone", function()
	for _, answer in ipairs{ head("405 Method Not Allowed", 0), head("501 Not Implemented", 0), head("404 No", 0) } do
		run({
			{ expect = MADE_UP, reply = MISSING },
			{ expect = "GET / HTTP", reply = HOME },
			{ expect = "HEAD / HTTP", reply = answer },
			{ expect = "GET /admin HTTP", reply = reply("200 OK", page("Admin"), HTML) },
			{ expect = "GET /none HTTP", reply = MISSING },
			{ expect = MADE_UP, reply = MISSING },
		}, { paths = { "/admin", "/none" } })
		test.equal(paths(), { "/admin" })
		test.equal(test.results().requests, 6)
	end
end)

test.case("so is one that sends bodies with its answers to HEAD", function()
	-- The connection after that is scripted as the first.
	run({
		{ expect = "\r\n\r\n", reply = MISSING },
		{ expect = "GET / HTTP", reply = HOME },
		{ expect = "HEAD / HTTP", reply = HOME },
	}, { paths = { "/none" } })
	test.equal({ test.results().requests, test.results().connections }, { 4, 2 })
	test.equal(paths(), {})
end)

test.case("a page that does not take HEAD, of a server that does", function()
	run(opening{
		{ expect = "HEAD /api HTTP", reply = head("405 Method Not Allowed", 0) },
		{ expect = "GET /api HTTP", reply = reply("200 OK", "{}", "Content-Type: application/json\r\n") },
		{ expect = "HEAD /none HTTP", reply = NO },
		{ expect = MADE_UP, reply = MISSING },
	}, { paths = { "/api", "/none" } })
	test.equal(test.results().paths, { { path = "/api", status = 200, length = 2, type = "application/json" } })
end)

test.case("a server that says 200 to everything gives no findings", function()
	local soft = reply("200 OK", page("Lab", "nothing of that name is here"), HTML)
	local length = #page("Lab", "nothing of that name is here")
	run({
		{ expect = MADE_UP, reply = soft },
		{ expect = "GET / HTTP", reply = HOME },
		{ expect = "HEAD / HTTP", reply = head("200 OK", 30) },
		{ expect = "HEAD /a HTTP", reply = head("200 OK", length, HTML) },
		-- A length of its own takes a look at the page.
		{ expect = "HEAD /b HTTP", reply = head("200 OK", length + 2, HTML) },
		{ expect = "GET /b HTTP", reply = reply("200 OK", page("Lab", "nothing of that name is here 7"), HTML) },
		{ expect = "HEAD /real HTTP", reply = head("200 OK", 99, HTML) },
		{ expect = "GET /real HTTP", reply = reply("200 OK", page("Sign in", "user and password"), HTML) },
		{ expect = MADE_UP, reply = soft },
	}, { paths = { "/a", "/b", "/real" } })
	test.equal(paths(), { "/real" })
	test.equal(test.results().missing.status, 200)
end)

test.case("a server that redirects everything, or wants a password for it, gives none either", function()
	run({
		{ expect = MADE_UP, reply = head("302 Found", 0, "Location: /login?next=%2F\r\n") },
		{ expect = "GET / HTTP", reply = head("302 Found", 0, "Location: /login\r\n") },
		{ expect = "HEAD / HTTP", reply = head("302 Found", 0, "Location: /login\r\n") },
		{ expect = "HEAD /admin HTTP", reply = head("302 Found", 0, "Location: /login?next=%2Fadmin\r\n") },
		{ expect = "HEAD /out HTTP", reply = head("302 Found", 0, "Location: https://elsewhere.example/\r\n") },
		{ expect = MADE_UP, reply = head("302 Found", 0, "Location: /login?next=%2F\r\n") },
	}, { paths = { "/admin", "/out" } })
	test.equal(paths(), { "/out" })
end)

test.case("a kind of paths that the server always treats so is no finding", function()
	local no = reply("403 Forbidden", "no")
	run(opening{
		{ expect = "HEAD /.git/HEAD HTTP", reply = head("403 Forbidden", 2) },
		{ expect = "GET /.git/", reply = no },
		{ expect = "HEAD /.git/config HTTP", reply = head("403 Forbidden", 2) },
		-- .git/config has an own extension only where there is a dot in its name: nothing more is asked.
		{ expect = "HEAD /.env HTTP", reply = head("403 Forbidden", 2) },
		{ expect = "GET /.en", reply = MISSING },
		{ expect = "HEAD /a.php HTTP", reply = head("500 Oops", 2) },
		{ expect = ".php HTTP", reply = reply("500 Oops", "no") },
		{ expect = "HEAD /b.php HTTP", reply = head("500 Oops", 2) },
		{ expect = "HEAD /admin/ HTTP", reply = head("403 Forbidden", 2) },
		{ expect = "/ HTTP", reply = MISSING },
		{ expect = MADE_UP, reply = MISSING },
	}, { paths = { "/.git/HEAD", "/.git/config", "/.env", "/a.php", "/b.php", "/admin/" } })
	test.equal(paths(), { "/.env", "/admin/" })
end)

test.case("a server that begins to refuse everything", function()
	run(opening{
		{ expect = "HEAD /admin HTTP", reply = head("401 Unauthorized", 2) },
		{ expect = "HEAD /login HTTP", reply = head("403 Forbidden", 2) },
		{ expect = "HEAD /status HTTP", reply = head("403 Forbidden", 2) },
		{ expect = MADE_UP, reply = reply("403 Forbidden", "no") },
	}, { paths = { "/admin", "/login", "/status" } })
	test.equal(paths(), { "/admin" })
	test.equal(test.results().stopped, "what it says of missing paths changed")
end)

test.case("a server that never says the same twice", function()
	local function answer(title) return reply("200 OK", page(title, title), HTML) end
	run({
		{ expect = MADE_UP, reply = answer("one") },
		{ expect = "GET / HTTP", reply = answer("two") },
		{ expect = "HEAD / HTTP", reply = head("200 OK", nil, HTML) },
		{ expect = "HEAD /admin HTTP", reply = head("200 OK", nil, HTML) },
		{ expect = "GET /admin HTTP", reply = answer("three") },
		{ expect = "HEAD /login HTTP", reply = head("401 Unauthorized", 2) },
		{ expect = MADE_UP, reply = answer("four") },
	}, { paths = { "/admin", "/login" } })
	test.equal(paths(), { "/login" })
end)

test.case("nor after so many pages that only their words were left to tell", function()
	local function answer(words) return reply("200 OK", page("Lab", words), HTML) end
	local script, list = {}, {}
	for i = 1, 25 do
		local word = string.char(96 + i):rep(3)
		list[i] = "/page" .. i
		script[2 * i - 1] = { expect = "HEAD /page", reply = head("200 OK", nil, HTML) }
		script[2 * i] = { expect = "GET /page", reply = answer(word .. "x " .. word .. "y " .. word .. "z") }
	end
	script[#script + 1] = { expect = MADE_UP, reply = answer("and something else") }
	local all = opening(script)
	all[1] = { expect = MADE_UP, reply = answer("nothing of that name") }
	run(all, { paths = list })
	test.equal(paths(), {})
	test.equal(test.results().stopped, "what it says of missing paths changed")
end)

test.case("a server that asks for less is left alone", function()
	run(opening{
		{ expect = "HEAD /admin HTTP", reply = head("401 Unauthorized", 2) },
		{ expect = "HEAD /login HTTP", reply = head("429 Too Many Requests", 2) },
	}, { paths = { "/admin", "/login", "/status" } })
	test.equal(paths(), { "/admin" })
	test.equal({ test.results().stopped, test.results().asked }, { "429 Too Many Requests", 2 })
end)

test.case("a server that falls silent is left alone, and what it gave is told", function()
	load{ paths = { "/admin", "/login", "/status", "/version", "/health" } }
	test.server("198.18.0.1", 80, opening{
		{ expect = "HEAD /admin HTTP", reply = head("401 Unauthorized", 2) }, { close = true },
	})
	local real, calls = prtip.connect, 0
	prtip.connect = function(...)
		calls = calls + 1
		if calls > 1 then return nil, "timeout" end
		return real(...)
	end
	local ok, why = pcall(test.call, "probe_service", test.target{})
	prtip.connect = real
	test.ok(ok, why)
	test.equal(paths(), { "/admin" })
	-- HEAD and GET of /login, HEAD of /status.
	test.equal({ calls, test.results().failed, test.results().stopped }, { 4, 3, "timeout" })
end)

test.case("only statuses that are asked for", function()
	run(opening{
		{ expect = "HEAD /admin HTTP", reply = head("401 Unauthorized", 2) },
		{ expect = "HEAD /login HTTP", reply = head("200 OK", 2, "Content-Type: text/plain\r\n") },
		{ expect = MADE_UP, reply = MISSING },
	}, { paths = { "/admin", "/login" }, status = { "200" } })
	test.equal(paths(), { "/login" })
end)

test.case("only as long as max_seconds", function()
	load{ paths = { "/admin" }, max_seconds = 1 }
	test.server("198.18.0.1", 80, opening{})
	local real, seconds = prtip.now, 0
	-- By the clock of this case each look at it takes half a second.
	prtip.now = function()
		seconds = seconds + 0.5
		return seconds
	end
	local ok, why = pcall(test.call, "probe_service", test.target{})
	prtip.now = real
	test.ok(ok, why)
	test.equal({ test.results().stopped, test.results().asked }, { "max_seconds", 0 })
end)

test.case("what does not fit into a record is counted", function()
	local script, list = {}, {}
	for i = 1, 300 do
		list[i] = ("/%03d"):format(i) .. ("x"):rep(150)
		script[i] = { expect = " HTTP", reply = head("200 OK", 2, "Content-Type: text/plain\r\n") }
	end
	script[#script + 1] = { expect = MADE_UP, reply = MISSING }
	run(opening(script), { paths = list })
	local results = test.results()
	test.equal(#results.paths + results.omitted, 300)
	test.ok(#results.paths > 100 and #prtip.json_encode(results) < 65536)
end)

test.case("bytes that are no UTF-8 become text", function()
	run(opening{
		{ expect = "HEAD /admin HTTP", reply = head("302 Found", 0, "Location: /\252\r\n") },
		{ expect = MADE_UP, reply = MISSING },
	})
	test.equal(test.results().paths, { { path = "/admin", status = 302, length = 0, location = "/ü" } })
end)

-- ---- Hooks ----

test.case("a banner is examined once, by analyze_banner", function()
	load{ paths = { "/admin" } }
	local script = opening{ { expect = "HEAD /admin HTTP", reply = NO } }
	test.server("198.18.0.1", 80, script)
	local service = test.call("analyze_banner", "HTTP/1.1 200 OK\r\n\r\n")
	test.equal(service.product, "nginx")
	test.equal(test.results().requests, 4)
	-- Now that the same would answer again.
	test.server("198.18.0.1", 80, script)
	test.equal(test.call("probe_service", test.target{ banner = "HTTP/1.1 200 OK\r\n\r\n" }), nil)
end)

test.case("no connection to what greets with something else, or is a tarpit", function()
	load{}
	test.equal(test.call("analyze_banner", "SSH-2.0-OpenSSH\r\n"), nil)
	test.equal(test.call("probe_service", test.target{ zero_window = true }), nil)
	test.equal(test.call("probe_service", test.target{ service = "redis" }), nil)
	test.equal(test.results(), {})
end)

test.case("nobody there, or no HTTP: no results, no service, no error", function()
	load{}
	test.equal(test.call("probe_service", test.target{}), nil)
	test.server("198.18.0.1", 80, { { reply = "220 mail\r\n" } })
	test.equal(test.call("probe_service", test.target{}), nil)
	test.equal(test.results(), {})
end)

test.case("over TLS it is https", function()
	load{ paths = { "/none" } }
	local script = opening{ { expect = "HEAD /none HTTP", reply = NO } }
	script.tls = true
	test.server("198.18.0.1", 8443, script)
	local service = test.call("probe_service", test.target{ port = 8443 })
	test.equal({ service.service, test.results().tls }, { "https", true })
end)

test.case("services, as the Server header has them", function()
	local product = require("product")
	local function fields(server)
		local service = product.service(server, false)
		return { service.product or "-", service.version or "-", service.info or "-", service.cpe or "-" }
	end
	test.equal(fields("Apache/2.4.71 (Debian) PHP/8"),
		{ "Apache httpd", "2.4.71", "(Debian) PHP/8", "cpe:/a:apache:http_server:2.4.71" })
	test.equal(fields("Microsoft-IIS/10.0"),
		{ "Microsoft IIS", "10.0", "-", "cpe:/a:microsoft:internet_information_services:10.0" })
	test.equal(fields("lighttpd/1.4.69"), { "lighttpd", "1.4.69", "-", "cpe:/a:lighttpd:lighttpd:1.4.69" })
	test.equal(fields("Apache"), { "Apache httpd", "-", "-", "-" })
	test.equal(fields("Jetty(9.4.43)"), { "Jetty", "-", "(9.4.43)", "-" })
	test.equal(fields("SimpleHTTP/0.6 Python/3.11.2"), { "SimpleHTTP", "0.6", "Python/3.11.2", "-" })
	test.equal(fields("nginx/1:x"), { "nginx", "1:x", "-", "-" })
	test.equal(fields(("x"):rep(150)), { "-", "-", "-", "-" })
	test.equal(fields("(none)"), { "-", "-", "-", "-" })
	test.equal(product.service(nil, true), { service = "https", confidence = 0.85 })
end)
