-- SPDX-License-Identifier: BSD-3-Clause
-- lib/html.lua: titles and text of every manner.
local html = require("html")

test.case("titles", function()
	local function title(page) return html.title(page, 60) end
	test.equal(title("<html><head><title>Hello</title>"), "Hello")
	test.equal(title("<TITLE lang=en>\n  Hello,\n\tworld  </TITLE >"), "Hello, world")
	test.equal(title("<title>a &amp; b &lt;c&gt; &#65;&#x42; &uuml; &unknown; &</title>"),
		"a & b <c> AB ü &unknown; &")
	test.equal(title("<title>&#0; &#xD800; &#99999999; &#10;x</title>"), "? ? ? x")
	test.equal(title("<title></title>"), nil)
	test.equal(title("<title> &nbsp; </title>"), nil)
	test.equal(title("no title"), nil)
	test.equal(title("<title"), nil)
	test.equal(title("<title>without an end"), "without an end")
	test.equal(title("<title>one</title><title>two</title>"), "one")
	test.equal(title("<title>" .. ("x"):rep(500) .. "</title>"), ("x"):rep(60))
end)

test.case("text is UTF-8 on one line", function()
	test.equal(html.clean("  a\r\n\0b\27[31m ", 60), "a b [31m")
	test.equal(html.clean("gr\252n \128", 60), "grün ?")
	test.equal(html.clean("grün", 60), "grün")
	test.equal(html.clean("a\194\155b\226\128\174c\226\129\166d", 60), "a bcd")
	test.equal(html.clean("", 60), nil)
	test.equal(html.clean(nil, 60), nil)
end)

test.case("text is cut between characters", function()
	test.equal(html.clean(("ü"):rep(10), 5), "üü")
	test.equal(html.clean("ab cd", 3), "ab")
	for length = 20, 30 do
		local text = html.clean(("€"):rep(length), 10)
		test.equal(text, "€€€")
	end
	test.ok(utf8.len(html.clean(("\252"):rep(100), 7)))
end)

test.case("media types", function()
	test.equal(html.media_type("Text/HTML; charset=utf-8"), "text/html")
	test.equal(html.media_type(" application/json"), "application/json")
	test.equal(html.media_type(""), nil)
	test.equal(html.media_type(nil), nil)
	test.ok(html.is_page("application/xhtml+xml"))
	test.ok(html.is_page(nil))
	test.equal(html.is_page("text/plain"), false)
end)

test.case("no text takes long", function()
	local began = prtip.now()
	for _, piece in ipairs{ "<title", "<title>", "&", "&#", "&a", "\194", " ", "<", "\255" } do
		html.title("<title>" .. piece:rep(65536 / #piece), 120)
		html.clean(piece:rep(65536 / #piece), 120)
		html.title(piece:rep(65536 / #piece), 120)
	end
	test.ok(prtip.now() - began < 2)
end)
