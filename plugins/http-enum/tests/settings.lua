-- SPDX-License-Identifier: BSD-3-Clause
-- Settings: what is taken, and what is refused, saying why.

local DEFAULTS = {
	paths = {}, ports = { 80, "8000-8100" }, status = { "200-299", "401" }, host = "", user_agent = "x", timeout = 5, delay = 0.05,
	max_seconds = 45, max_bytes = 32768, tls = "auto",
}

local function load(changes)
	local config = {}
	for key, value in pairs(DEFAULTS) do config[key] = value end
	for key, value in pairs(changes or {}) do config[key] = value end
	return test.call("on_load", config)
end

test.case("what is right is taken", function()
	test.equal(load(), nil)
	test.equal(load{ paths = { "/a", "/b?c=d&e=%20", "/" }, host = "www.example.org:8080" }, nil)
	test.equal(load{ status = { 200, "301-308", 404 }, tls = "yes", delay = 0 }, nil)
	test.equal(load{ host = "[2001:db8::1]:80", user_agent = "" }, nil)
end)

test.case("paths", function()
	for _, wrong in ipairs{ "admin", "", "/a b", "/a#b", "/ü", "/a\r\nX: y", "/<", 7, "/" .. ("x"):rep(256) } do
		local why = load{ paths = { "/fine", wrong } }
		test.ok(why and why:find("^paths: entry 2 must be"), why)
	end
	test.ok(load{ paths = "/admin" }:find("^paths must be"))
	local many = {}
	for i = 1, 1001 do many[i] = "/" .. i end
	test.equal(load{ paths = many }, "paths has over 1000 entries")
end)

test.case("status", function()
	for _, wrong in ipairs{ "20", "99", "600", "100", "300-200", "200-", "-200", "abc", "200-299-", true, 20.5 } do
		local why = load{ status = { wrong } }
		test.ok(why and why:find("^status: entry 1 must be"), why)
	end
	test.ok(load{ status = {} }:find("^status must be"))
	test.ok(load{ status = 200 }:find("^status must be"))
end)

test.case("ports", function()
	for _, wrong in ipairs{ "0", "65536", "90-80", "80,443", "http" } do
		local why = load{ ports = { wrong } }
		test.ok(why and why:find("^ports: entry 1 must be a number from 1 to 65535"), why)
	end
	test.ok(load{ ports = {} }:find("^ports must be"))
end)

test.case("numbers and texts", function()
	test.equal(load{ timeout = 0 }, "timeout must be a number from 0.1 to 60")
	test.equal(load{ timeout = "5" }, "timeout must be a number from 0.1 to 60")
	test.equal(load{ delay = -1 }, "delay must be a number from 0 to 60")
	test.equal(load{ delay = 0 / 0 }, "delay must be a number from 0 to 60")
	test.equal(load{ max_seconds = 0 }, "max_seconds must be a number from 1 to 86400")
	test.equal(load{ max_bytes = 10 }, "max_bytes must be a number from 1024 to 1048576")
	test.ok(load{ host = "a\r\nX: y" }:find("^host must be"))
	test.ok(load{ host = "http://a/" }:find("^host must be a name"))
	test.ok(load{ user_agent = "a\nb" }:find("^user_agent must be"))
	test.ok(load{ user_agent = 7 }:find("^user_agent must be"))
	test.equal(load{ tls = "maybe" }, 'tls must be "auto", "yes" or "no"')
	test.equal(load{ tls = true }, 'tls must be "auto", "yes" or "no"')
	test.equal(load{ colour = "red" }, "colour is no setting of this plugin")
end)

test.case("the built-in list is one that would be taken", function()
	local list = require("paths")
	test.equal(load{ paths = list }, nil)
	local seen = {}
	for _, path in ipairs(list) do
		test.ok(not seen[path], path .. " is there twice")
		seen[path] = true
	end
	test.ok(#list >= 60)
end)
