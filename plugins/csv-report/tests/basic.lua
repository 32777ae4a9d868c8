-- SPDX-License-Identifier: BSD-3-Clause

local DEFAULTS = {
	columns = { "ip", "port", "protocol", "state", "service", "product", "version", "info" },
	separator = "comma", header = true, formula_guard = true,
}

-- Load the plugin with other settings than its defaults.
local function load(settings)
	local config = {}
	for key, value in pairs(DEFAULTS) do config[key] = value end
	for key, value in pairs(settings or {}) do config[key] = value end
	return test.call("on_load", config)
end

-- The line of a result with these settings and no header.
local function line(fields, settings)
	settings = settings or {}
	settings.header = false
	test.equal(load(settings), nil)
	return test.call("format_result", test.result(fields))
end

test.case("a header, then a line for each result", function()
	load()
	local ssh = test.result{ port = 22, service = "ssh", product = "OpenSSH", version = "9.6" }
	test.equal(test.call("format_result", ssh), "ip,port,protocol,state,service,product,version,info\r\n"
		.. "198.18.0.1,22,tcp,open,ssh,OpenSSH,9.6,\r\n")
	test.equal(test.call("format_result", test.result{}), "198.18.0.1,80,tcp,open,,,,\r\n")
	test.equal(line{ protocol = "icmp", ip = "2001:db8::1" }, "2001:db8::1,,icmp,up,,,,\r\n")
end)

test.case("quotes where RFC 4180 wants them", function()
	local one = { columns = { "info" } }
	test.equal(line({ info = "a b" }, one), "a b\r\n")
	test.equal(line({ info = "a,b" }, one), '"a,b"\r\n')
	test.equal(line({ info = 'say "x"' }, one), '"say ""x"""\r\n')
	test.equal(line({ info = "a\r\nb" }, one), '"a\r\nb"\r\n')
	test.equal(line({ info = "a;b" }, one), "a;b\r\n")
end)

test.case("separators", function()
	for name, character in pairs{ semicolon = ";", tab = "\t", pipe = "|", ["^"] = "^", ["%"] = "%" } do
		local settings = { columns = { "ip", "info" }, separator = name }
		test.equal(line({ info = "a" .. character .. "b" }, settings),
			"198.18.0.1" .. character .. '"a' .. character .. 'b"\r\n')
		test.equal(line({ info = "a,b" }, settings), "198.18.0.1" .. character .. "a,b\r\n")
	end
	for _, wrong in ipairs{ "", "ab", "x", "1", '"', "\n", " ", "\195\164" } do
		test.ok(load{ separator = wrong }:find("^separator is .*; give comma, semicolon, tab, pipe, or"))
	end
end)

test.case("no cell is a formula, unless that is wanted", function()
	for _, formula in ipairs{ "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1" } do
		local guarded = line({ info = formula }, { columns = { "info" } })
		test.ok(guarded:find("^\"?'"), guarded)
		local plain = line({ info = formula }, { columns = { "info" }, formula_guard = false })
		test.ok(not plain:find("'"), plain)
	end
	test.equal(line({ info = "=1,2" }, { columns = { "info" } }), "\"'=1,2\"\r\n")
	test.equal(line({ info = "a=1" }, { columns = { "info" } }), "a=1\r\n")
end)

test.case("all columns", function()
	local fields = {
		port = 443, reason = "syn-ack", ttl = 57, rtt_us = 16512, ts = "2026-01-31T12:00:00.123456Z",
		zero_window = true, banner = "hi", service = "https", product = "p", version = "1", info = "i",
		os = "o", cpe = "cpe:/a:p:p:1", confidence = 0.85, source = "x",
		plugins = { x = { status = "ok", results = { a = 1 } } },
	}
	local columns = {
		"ts", "ip", "port", "protocol", "state", "reason", "ttl", "rtt_us", "zero_window", "banner",
		"banner_hex", "service", "product", "version", "info", "os", "cpe", "confidence", "source",
		"plugins",
	}
	local written = line(fields, { columns = columns, separator = "pipe" })
	local plugins = written:match("|\"(.*)\"\r\n$"):gsub('""', '"')
	test.equal(written:match("^(.*)|"), "2026-01-31T12:00:00.123456Z|198.18.0.1|443|tcp|open|syn-ack|57|"
		.. "16512|true|hi|6869|https|p|1|i|o|cpe:/a:p:p:1|0.85|x")
	test.equal(prtip.json_decode(plugins), { x = { status = "ok", results = { a = 1 } } })
end)

test.case("what is no text becomes U+FFFD", function()
	local one = { columns = { "banner" } }
	test.equal(line({ banner = "a\255b\0\27[2J" }, one), "a\239\191\189b\239\191\189\239\191\189[2J\r\n")
	test.equal(line({ banner = "\194\155x" }, one), "\239\191\189x\r\n")
	test.equal(line({ banner = "gr\195\188n\r\n" }, one), '"gr\195\188n\r\n"\r\n')
	test.equal(line({ banner = "\195" }, one), "\239\191\189\r\n")
	test.equal(line({ banner = ("\255"):rep(4096) }, one), ("\239\191\189"):rep(4096) .. "\r\n")
	test.equal(line({ banner = "" }, one), "\r\n")
end)

test.case("wrong columns are told", function()
	test.ok(load{ columns = { "ip", "prot" } }:find(
		'columns: there is no column "prot"; known are banner, banner_hex, confidence, cpe, ', 1, true))
	test.equal(load{ columns = { "ip", "ip" } }, 'columns: "ip" is named twice')
	test.ok(load{ columns = {} }:find("columns is empty; name at least one of banner, ", 1, true))
end)
