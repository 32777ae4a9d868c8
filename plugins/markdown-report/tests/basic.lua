-- SPDX-License-Identifier: BSD-3-Clause

local DEFAULTS = {
	title = "Scan report", max_hosts = 1000, max_services = 50, max_cell = 200, findings = true,
	banners = false,
}

local function load(settings)
	local config = {}
	for key, value in pairs(DEFAULTS) do config[key] = value end
	for key, value in pairs(settings or {}) do config[key] = value end
	return test.call("on_load", config)
end

-- The report about these results, with these settings.
local function report(results, settings)
	test.equal(load(settings), nil)
	test.files()["/report.md"] = nil
	test.call("export", results, "/report.md")
	return test.files()["/report.md"]
end

local function holds(text, piece)
	test.ok(text:find(piece, 1, true), "not there: " .. piece .. "\nin:\n" .. text)
end

local function lacks(text, piece)
	test.ok(not text:find(piece, 1, true), "there: " .. piece .. "\nin:\n" .. text)
end

test.case("sums, hosts, ports and findings", function()
	local text = report{
		test.result{ ip = "198.18.0.10", port = 443, service = "https", product = "nginx", version = "1.22.1" },
		test.result{ ip = "198.18.0.9", port = 80, service = "http",
			plugins = { ["http-enum"] = { status = "ok", results = { paths = { "/admin" }, n = 1 } } } },
		test.result{ ip = "2001:db8::1", port = 22, service = "ssh" },
		test.result{ ip = "198.18.0.9", port = 22, service = "ssh", info = "x",
			plugins = { slow = { status = "timeout", error = "over wall_seconds" } } },
		test.result{ ip = "198.18.0.9", port = 23, state = "closed" },
	}
	holds(text, "# Scan report\n\n| Scan |  |\n| --- | --- |\n| Scan type | syn |\n| Ports | 80 |\n| Seed | 1 |\n"
		.. "| Results | 5 |\n| Hosts | 3 |\n| First and last result | 2026-01-31T12:00:00.123456Z, ")
	holds(text, "## States\n\n| State | Results |\n| --- | --- |\n| open | 4 |\n| closed | 1 |\n")
	holds(text, "## Services\n\n| Service | Results |\n| --- | --- |\n| ssh | 2 |\n| http | 1 |\n| https | 1 |\n")
	holds(text, "## Hosts\n\n| Host | Results | Services |\n| --- | --- | --- |\n"
		.. "| 198.18.0.9 | 2 open, 1 closed | http, ssh |\n| 198.18.0.10 | 1 open | https |\n"
		.. "| 2001:db8::1 | 1 open | ssh |\n")
	holds(text, "### 198.18.0.9\n\n| Port | State | Service | Product | Version | Info |\n"
		.. "| --- | --- | --- | --- | --- | --- |\n| 22/tcp | open | ssh |  |  | x |\n"
		.. "| 23/tcp | closed |  |  |  |  |\n| 80/tcp | open | http |  |  |  |\n\n"
		.. "| Port | Plugin | Finding | Value |\n| --- | --- | --- | --- |\n"
		.. "| 22/tcp | slow | timeout | over wall\\_seconds |\n"
		.. "| 80/tcp | http-enum | n | 1 |\n| 80/tcp | http-enum | paths | \\[\"/admin\"\\] |\n\n### 198.18.0.10\n")
	holds(text, "### 198.18.0.10\n\n| Port | State | Service | Product | Version | Info |\n"
		.. "| --- | --- | --- | --- | --- | --- |\n| 443/tcp | open | https | nginx | 1.22.1 |  |\n\n### 2001:db8::1\n")
end)

test.case("nothing was found", function()
	local text = report{}
	holds(text, "| Results | 0 |\n| Hosts | 0 |\n")
	lacks(text, "##")
end)

test.case("what has no port", function()
	holds(report{ test.result{ protocol = "icmp" } }, "| icmp | up |  |  |  |  |\n")
end)

test.case("text of others is text", function()
	local cases = {
		["a|b"] = "a\\|b",
		["a\\"] = "a\\\\",
		["a\r\nb\t"] = "a\\\\r\\\\nb\\\\t",
		["\27[2J\0\127"] = "\\\\x1b\\[2J\\\\x00\\\\x7f",
		["\194\155"] = "\\\\x9b",
		["<b>&amp;"] = "&lt;b&gt;&amp;amp;",
		["![x](y)"] = "\\!\\[x\\](y)",
		["`x` *y* _z_ ~q~ #"] = "\\`x\\` \\*y\\* \\_z\\_ \\~q\\~ \\#",
		["http://x www.x a@b"] = "http\\://x www\\.x a\\@b",
		["\255gr\195\188n\195"] = "\\\\xffgr\195\188n\\\\xc3",
	}
	for from, to in pairs(cases) do
		holds(report({ test.result{ info = from } }), "| 80/tcp | open |  |  |  | " .. to .. " |\n")
	end
	holds(report({ test.result{ banner = "x\255|" } }, { banners = true }), " |  | x\\\\xff\\| |\n")
	holds(report({}, { title = "a\n# b" }), "# a\\\\n\\# b\n\n")
end)

test.case("long cells are cut between characters", function()
	local function info(text)
		return report({ test.result{ info = text } }, { max_cell = 10 }):match("|  |  |  | (.-) |\n")
	end
	test.equal(info("0123456789"), "0123456789")
	test.equal(info("0123456789a"), "0123456789…")
	test.equal(info(("\195\188"):rep(10)), ("\195\188"):rep(10))
	test.equal(info(("\240\159\146\169"):rep(11)), ("\240\159\146\169"):rep(10) .. "…")
	test.equal(info(("\240\159\146\169"):rep(400)), ("\240\159\146\169"):rep(10) .. "…")
	test.equal(info(("|"):rep(400)), ("\\|"):rep(10) .. "…")
end)

test.case("findings can be left out", function()
	local said = { p = { status = "ok", results = { a = 1 } } }
	lacks(report({ test.result{ plugins = said } }, { findings = false }), "Finding")
end)

test.case("the lowest addresses are shown, whole, and that there are more is said", function()
	local results = {}
	for i = 1, 50 do
		local host = i * 7 % 50
		for port = 1, 2 do
			results[#results + 1] = test.result{ ip = "198.18.0." .. host, port = port }
		end
		results[#results + 1] = test.result{ ip = ("2001:db8::%x"):format(host), port = 1 }
	end
	local text = report(results, { max_hosts = 3 })
	holds(text, "| Hosts | more than 3 |\n")
	holds(text, "Of more hosts than can be shown, these are the 3 with the lowest addresses.\n\n| Host |")
	holds(text, "| open | 150 |\n")
	holds(text, "| 198.18.0.0 | 2 open |  |\n| 198.18.0.1 | 2 open |  |\n| 198.18.0.2 | 2 open |  |\n\n###")
	local _, count = text:gsub("### ", "")
	test.equal(count, 3)
	text = report(results, { max_hosts = 100 })
	holds(text, "| Hosts | 100 |\n")
	lacks(text, "Of more hosts")
end)

test.case("addresses are in order", function()
	local hosts = require("hosts")
	local order = {
		"9.0.0.1", "10.0.0.1", "198.18.0.2", "198.18.0.10", "::", "::1", "::0.1.0.0", "1::", "1::1",
		"1:2::", "2001:db8::", "2001:db8::1:0", "2001:db8:0:1::", "2001:db8:1:2:3:4:5:6",
		"2001:db8:1:2:3:4:5:10", "fe80::",
	}
	for i = 2, #order do
		local a, b = hosts.key(order[i - 1]), hosts.key(order[i])
		test.ok(a < b, order[i - 1] .. " is not before " .. order[i])
	end
	for i = 5, #order do test.equal(#hosts.key(order[i]), 33) end
end)

test.case("many services", function()
	local results = {}
	for i = 1, 1005 do
		for _ = 1, i == 3 and 2 or 1 do
			results[#results + 1] = test.result{ ip = "198.18." .. i % 5 .. ".1", service = "s" .. i }
		end
	end
	local text = report(results, { max_services = 2, max_cell = 10 })
	holds(text, "| s3 | 2 |\n| s1 | 1 |\n| *other services* | 1003 |\n")
	text = report({ test.result{ service = "s" } }, { max_services = 1 })
	lacks(text, "other services")
end)

-- Rows of 1000 bytes for hosts of 198.18.0.0/24; returns what is kept.
local function keep(most, bytes, addresses)
	local hosts = require("hosts")
	local kept = hosts.new(most, bytes)
	for i, address in ipairs(addresses) do
		local host = kept:find("198.18.0." .. address)
		if host then
			kept:count(host, host.states, "open")
			kept:add(host, host.ports, ("%05d"):format(i), ("x"):rep(1000) .. "\n")
		end
	end
	local list, more = kept:finish()
	for i, host in ipairs(list) do
		list[i] = { host.ip, host.states.open, #host.ports, host.left_out }
	end
	return list, more
end

test.case("more bytes than may be kept", function()
	-- Three hosts fit: the highest go, and do not come back with half of their rows.
	local list, more = keep(9, 6000, { 7, 3, 9, 5, 1, 3, 9, 7 })
	test.equal({ list, more }, {
		{ { "198.18.0.1", 1, 1, 0 }, { "198.18.0.3", 2, 2, 0 }, { "198.18.0.5", 1, 1, 0 } }, true,
	})
	-- One alone that is too large loses rows, and says how many.
	list, more = keep(9, 5000, { 4, 4, 4, 4, 4, 4 })
	test.equal({ list, more }, { { { "198.18.0.4", 6, 4, 2 } }, false })
	list, more = keep(9, 50000, { 7, 3, 9, 5, 1, 3, 9, 7 })
	test.equal({ #list, more }, { 5, false })
end)

test.case("rows that are left out are told", function()
	local hosts = require("hosts")
	local new = hosts.new
	hosts.new = function(most) return new(most, 700) end
	local text = report({ test.result{ port = 1 }, test.result{ port = 2 }, test.result{ port = 3 } })
	hosts.new = new
	holds(text, "| 198.18.0.1 | 3 open |")
	holds(text, "There is more about this host than can be shown: 2 rows are left out.\n")
end)

test.case("more findings than one result may show", function()
	local many = {}
	for i = 1, 600 do many["k" .. i] = i end
	local text = report{ test.result{ plugins = { p = { status = "ok", results = many } } } }
	local _, rows = text:gsub("| p | k", "")
	test.equal(rows, 500)
	holds(text, "than can be shown: 100 rows are left out.\n")
end)

test.case("a report that cannot be written fails", function()
	load()
	local append = prtip.append_file
	prtip.append_file = function() return nil, "No space left on device" end
	test.fails(function() test.call("export", {}, "/r") end,
		"cannot write the report: No space left on device")
	prtip.append_file = append
end)

test.case("wrong settings are told", function()
	test.equal(load{ max_hosts = 0 }, "max_hosts is 0; give 1 to 10000")
	test.equal(load{ max_hosts = 10001 }, "max_hosts is 10001; give 1 to 10000")
	test.equal(load{ max_services = 0 }, "max_services is 0; give 1 to 1000")
	test.equal(load{ max_cell = 5 }, "max_cell is 5; give 10 to 2000")
	test.equal(load{ title = " " }, "title is empty; give one")
	load()
end)
