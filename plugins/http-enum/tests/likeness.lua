-- SPDX-License-Identifier: BSD-3-Clause
-- lib/likeness.lua: what a server says where there is nothing, and what is something else.
local likeness = require("likeness")

local function response(path, status, body, headers, method)
	headers = headers or { ["content-type"] = "text/html" }
	return likeness.of{
		path = path, status = status, body = body or "", length = #(body or ""), headers = headers,
		method = method or "GET",
	}
end

local function head(path, status, length, headers)
	headers = headers or { ["content-type"] = "text/html" }
	return likeness.of{ path = path, status = status, body = "", length = length, headers = headers, method = "HEAD" }
end

local function redirect(path, location)
	return response(path, 302, "", { location = location })
end

local function page(title, text)
	return "<html><head><title>" .. title .. "</title></head><body>" .. text .. "</body></html>"
end

test.case("status first", function()
	test.equal(likeness.compare(response("/a", 200), response("/b", 404)), false)
	test.equal(likeness.compare(response("/a", 403, "no"), response("/b", 403, "not at all")), true)
	test.equal(likeness.compare(head("/a", 401), response("/b", 401, "password?")), true)
end)

test.case("redirects, without the path in them", function()
	local function same(a, b) return likeness.compare(redirect("/admin/x", a), redirect("/nothing", b)) end
	test.equal(same("https://h/admin/x", "https://h/nothing"), true)
	test.equal(same("/login?next=/admin/x", "/login?next=/nothing"), true)
	test.equal(same("/login?token=1", "/login?token=2"), true)
	test.equal(same("/in/admin%2Fx", "/in/nothing"), true)
	test.equal(same("/in/admin%2fx", "/in/nothing"), true)
	test.equal(same("/admin/x/", "/nothing/"), true)
	test.equal(same("/admin/x/", "/login"), false)
	test.equal(same("/elsewhere", "/nothing"), false)
	test.equal(same(nil, nil), true)
	test.equal(same("/", nil), false)
end)

test.case("the same page for all", function()
	local soft = response("/nothing", 200, page("Lab", "welcome to the lab"))
	test.equal(likeness.compare(response("/admin", 200, page("Lab", "welcome to the lab")), soft), true)
	test.equal(likeness.compare(head("/admin", 200, soft.length), soft), true)
	test.equal(likeness.compare(head("/admin", 200, soft.length + 1), soft), nil)
	test.equal(likeness.compare(head("/admin", 200, nil), soft), nil)
	test.equal(likeness.compare(head("/admin", 200, soft.length, {}), soft), nil)
end)

test.case("a page that repeats the path, in text and title", function()
	local function soft(path)
		return response(path, 200, page(path .. " not found", "There is no " .. path .. " here. " .. path:sub(2)))
	end
	test.equal(likeness.compare(soft("/admin"), soft("/nothing")), true)
	test.equal(likeness.compare(soft("/a/b/c.php"), soft("/nothing")), true)
	test.equal(likeness.compare(soft("/a-b.(c)%20[d]"), soft("/nothing")), true)
	test.equal(likeness.compare(soft("/b/"), soft("/nothing")), true)
end)

test.case("a page that has the name in it whatever one asks for", function()
	local function soft(path) return response(path, 200, page("admin panel", "not here: " .. path)) end
	test.equal(likeness.compare(soft("/admin"), soft("/nothing")), true)
end)

test.case("a page with times and numbers in it", function()
	local function soft(path, time, id)
		return response(path, 200, page("Sorry", "we could not find that page at " .. time .. " incident " .. id
			.. " please try again later"))
	end
	test.equal(likeness.compare(soft("/admin", "12:01", "aa31"), soft("/nothing", "11:59:03", "99")), true)
end)

test.case("other pages", function()
	local soft = response("/nothing", 200, page("Lab", "sorry there is nothing of that name"))
	local function other(body, headers) return likeness.compare(response("/admin", 200, body, headers), soft) end
	test.equal(other(page("Sign in", "sorry there is nothing of that name")), false)
	test.equal(other(page("Lab", "user name and password to sign in please")), false)
	test.equal(other("User-agent: *\nDisallow: /", { ["content-type"] = "text/plain" }), false)
	test.equal(other(""), false)
	test.equal(likeness.compare(response("/admin", 200, ""), response("/nothing", 200, "")), true)
end)

test.case("there is an end to comparing word by word", function()
	local soft = response("/nothing", 200, page("Lab", "sorry there is nothing of that name"))
	for i = 1, 30 do
		local alike = likeness.compare(response("/admin", 200, page("Lab", "user name and password, please")), soft)
		test.equal(alike, i > 20)
	end
end)

test.case("what is kept of a response is bounded", function()
	local answer = response("/admin", 200, page(("t"):rep(500), ("x"):rep(30000)))
	test.equal(#answer.body, 2048)
	test.equal(#answer.title, 120)
	answer = redirect("/admin", ("/x"):rep(5000))
	test.equal(#answer.location, 256)
end)

test.case("no page takes long to compare", function()
	local began = prtip.now()
	for _, piece in ipairs{ "<", "a ", "ab<>", "%", "*", "/" } do
		local a = response("/" .. ("*"):rep(200), 200, piece:rep(30000))
		local b = response("/nothing", 200, "b" .. piece:rep(30000))
		likeness.compare(a, b)
	end
	local a, b = response("/admin", 200, ("a"):rep(3000)), response("/nothing", 200, ("b"):rep(3000))
	for _ = 1, 300 do likeness.compare(a, b) end
	test.ok(prtip.now() - began < 2)
end)
