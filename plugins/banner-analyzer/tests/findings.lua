-- SPDX-License-Identifier: BSD-3-Clause
-- What is found beside the service.

local function results(banner)
	test.call("analyze_banner", banner)
	return test.results()
end

local function page(...)
	return "HTTP/1.1 302 Found\r\n" .. table.concat({ ... }, "\r\n") .. "\r\n\r\n"
end

test.case("a list of software", function()
	test.equal(results(page("Server: Apache/2.4.57 (Debian) OpenSSL/3.0.9 mod_perl/2.0.12 Perl/v5.36.0 Foo/1",
		"X-Powered-By: PHP/8.2.7")), {
		software = {
			{ name = "Apache httpd", version = "2.4.57", cpe = "cpe:/a:apache:http_server:2.4.57" },
			{ name = "OpenSSL", version = "3.0.9", cpe = "cpe:/a:openssl:openssl:3.0.9" },
			{ name = "mod_perl", version = "2.0.12", cpe = "cpe:/a:apache:mod_perl:2.0.12" },
			{ name = "Perl", version = "5.36.0", cpe = "cpe:/a:perl:perl:5.36.0" },
			{ name = "Foo", version = "1" },
			{ name = "PHP", version = "8.2.7", cpe = "cpe:/a:php:php:8.2.7" },
		},
		os = { name = "Debian Linux", cpe = "cpe:/o:debian:debian_linux" },
	})
end)

test.case("a server alone is no list", function()
	test.equal(results(page("Server: nginx/1.22.1")), {})
end)

test.case("a host and its clock in a greeting", function()
	local found = results("220 mail.example.com ESMTP Exim 4.96 Tue, 28 Jan 2025 09:00:00 +0100\r\n")
	test.equal(found, {
		hosts = { { host = "mail.example.com", from = "greeting", internal = false } },
		dates = { { text = "28 Jan 2025 09:00:00 +0100", date = "2025-01-28T09:00:00+01:00", from = "greeting" } },
	})
end)

test.case("a single label and an address literal", function()
	test.equal(results("220 mx1 ESMTP\r\n").hosts, { { host = "mx1", from = "greeting", internal = true } })
	test.equal(results("220 [10.1.2.3] ESMTP\r\n").addresses,
		{ { address = "10.1.2.3", from = "greeting", internal = true } })
end)

test.case("neither protocol names nor products are hosts", function()
	test.equal(results("220 ESMTP ready\r\n"), {})
	test.equal(results("220 (vsFTPd 3.0.3)\r\n"), {})
	test.equal(results("220 ProFTPD 1.3.5rc4 Server\r\n"), {})
	test.equal(results("VERSION 1.6.18\r\n"), {})
end)

test.case("hosts of IMAP, FTP and POP3", function()
	test.equal(results("* OK [CAPABILITY IMAP4] imap.corp.local Cyrus IMAP v2.4.17 server ready\r\n").hosts,
		{ { host = "imap.corp.local", from = "greeting", internal = true } })
	test.equal(results("220 ftp.example.net FTP server ready.\r\n").hosts,
		{ { host = "ftp.example.net", from = "greeting", internal = false } })
	local found = results("+OK POP3 server ready <1896.1700000000@dbc.example.us>\r\n")
	test.equal(found.hosts[1].host, "dbc.example.us")
	test.equal(found.dates, { { text = "1700000000", date = "2023-11-14T22:13:20Z", from = "greeting" } })
end)

test.case("hosts and addresses of a redirection", function()
	test.equal(results(page("Location: http://10.0.0.5/login")).addresses,
		{ { address = "10.0.0.5", from = "location", internal = true } })
	test.equal(results(page("Location: https://intranet.corp/x", "Set-Cookie: a=b; Domain=.example.com")).hosts, {
		{ host = "intranet.corp", from = "location", internal = true },
		{ host = "example.com", from = "set-cookie", internal = false },
	})
	test.equal(results(page("Location: http://[fe80::1]:8080/")).addresses,
		{ { address = "fe80::1", from = "location", internal = true } })
	test.equal(results(page("Location: http://user:pw@198.51.100.7/")).addresses,
		{ { address = "198.51.100.7", from = "location", internal = false } })
	test.equal(results(page("Refresh: 0; URL=http://gw.lan/")).hosts,
		{ { host = "gw.lan", from = "refresh", internal = true } })
end)

test.case("a relative redirection names nobody", function()
	test.equal(results(page("Location: /relative")), {})
end)

test.case("the signature of an error page", function()
	test.equal(results(page("Server: Apache") .. "<address>Apache/2.4.41 (Ubuntu) Server at 172.16.3.4 Port 80</address>"),
		{ addresses = { { address = "172.16.3.4", from = "page", internal = true } } })
end)

test.case("internal addresses anywhere, but not versions", function()
	local function addresses(text)
		local list = {}
		require("hosts").internal_in(text, function(address) list[#list + 1] = address end)
		return table.concat(list, " ")
	end
	test.equal(addresses("a 10.1.2.3, 192.168.0.1:80 (172.31.255.254) 127.0.0.1"), "10.1.2.3 192.168.0.1 172.31.255.254 127.0.0.1")
	test.equal(addresses("http://10.1.2.3/ 100.64.0.1 169.254.1.1"), "10.1.2.3 169.254.1.1 100.64.0.1")
	test.equal(addresses("Name/10.1.2.3 v10.1.2.3 x-10.1.2.3 1.10.1.2.3"), "")
	test.equal(addresses("10.1.2.3.4 10.1.2 10.1.2.300 172.32.0.1 100.128.0.1 210.1.2.3"), "")
	test.equal(addresses("10."), "")
	test.equal(addresses("10.0.0.1"), "10.0.0.1")
end)

-- ---- Dates ----

local DATES = {
	["Tue, 28 Jan 2025 09:00:00 GMT"] = "2025-01-28T09:00:00Z",
	["Tue, 28 Jan 2025 09:00:00 -0530"] = "2025-01-28T09:00:00-05:30",
	["Tuesday, 28-Jan-25 09:00:00 GMT"] = "2025-01-28T09:00:00Z",
	["Tuesday, 28-Jan-94 09:00:00 GMT"] = "1994-01-28T09:00:00Z",
	["Tue Jan 28 09:00:00 2025"] = "2025-01-28T09:00:00",
	["Tue Jan  8 09:00:00 CET 2025"] = "2025-01-08T09:00:00+01:00",
	["28 Feb 2024 23:59 EST"] = "2024-02-28T23:59:00-05:00",
	["28/Jan/2025:09:00:00 +0100"] = "2025-01-28T09:00:00+01:00",
	["built Jan 28 2025 09:00:00"] = "2025-01-28T09:00:00",
	["January 28, 2025"] = "2025-01-28",
	["2025-01-28T09:00:00Z"] = "2025-01-28T09:00:00Z",
	["2025-01-28T09:00:00.123456+01:00"] = "2025-01-28T09:00:00+01:00",
	["2025-01-28 09:00:00 UTC"] = "2025-01-28T09:00:00Z",
	["2025-01-28"] = "2025-01-28",
	["2025/01/28"] = "2025-01-28",
	["FreeBSD-20180909"] = "2018-09-09",
	["v20220622"] = "2022-06-22",
	["28.01.2025"] = "2025-01-28",
	["28/01/2025"] = "2025-01-28",
	["01/28/2025"] = "2025-01-28",
	["29 Feb 2024"] = "2024-02-29",
}
for text, wanted in pairs(DATES) do
	test.case("date: " .. text, function()
		local found = require("dates").find("x " .. text .. " y")
		test.equal(#found, 1)
		test.equal(found[1].date, wanted)
	end)
end

for _, text in ipairs({ "03/04/2025", "29 Feb 2025", "31-04-2025", "2025-13-01", "20259999", "12345678", "May be", "Mar",
	"version 1.28.01.2025", "28.01.2025.3", "OpenSSH_9.2p1", "10.01.2025.4", "1 Jun 123", "Marvin 12 2025",
	"2024.83", "0 Jan 2025" }) do
	test.case("no date: " .. text, function()
		test.equal(require("dates").find("x " .. text .. " y"), {})
	end)
end

test.case("seconds since 1970, and back", function()
	local dates = require("dates")
	test.equal(dates.find("1970-01-01T00:00:00Z")[1].epoch, 0)
	test.equal(dates.find("2000-03-01T00:00:00Z")[1].epoch, 951868800)
	for _, epoch in ipairs({ 0, 951782400, 951868800, 1709164800, 1735689599, 4102444799 }) do
		test.equal(dates.find(dates.of_epoch(epoch))[1].epoch, epoch)
	end
end)

test.case("how far a clock is off", function()
	-- The record's time is 2026-01-31T12:00:00Z.
	local found = results(page("Date: Sat, 31 Jan 2026 12:05:00 GMT", "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"))
	test.equal(found.clock_offset_s, 300)
	test.equal(found.dates, {
		{ text = "31 Jan 2026 12:05:00 GMT", date = "2026-01-31T12:05:00Z", from = "date" },
		{ text = "01 Jan 2026 00:00:00 GMT", date = "2026-01-01T00:00:00Z", from = "last-modified" },
	})
end)

test.case("many dates and hosts are bounded", function()
	local found = results("220 " .. ("a1.example.com 2025-01-28 "):rep(200) .. "\r\n")
	test.ok(#found.dates <= 16)
	test.ok(#found.hosts <= 16)
end)

test.case("a host with bytes that no name has", function()
	test.equal(results(page("Location: http://m\252nchen.example/", "Set-Cookie: a; domain=" .. ("x"):rep(300))), {})
	test.equal(results(page("Location: http://a b/")), { hosts = { { host = "a", from = "location", internal = true } } })
end)

test.case("what is switched off is not reported", function()
	test.call("on_load", { software = false, os = false, dates = false, hosts = false, addresses = false })
	local found = results(page("Server: Apache/2.4.57 (Debian) OpenSSL/3.0.9", "Date: Sat, 31 Jan 2026 12:05:00 GMT",
		"Location: http://10.0.0.5/"))
	test.equal(found, {})
	test.call("on_load", {})
end)

-- ---- Beside the built-in detection ----

local function found(version)
	return { service = "http", product = "Apache httpd", version = version, cpe = "cpe:/a:apache:http_server", confidence = 0.9 }
end

test.case("nothing is said where as much is known", function()
	test.equal(refine({ service = "https", product = "Apache", version = "2.4.57", cpe = "cpe:/a:apache:http_server:2.4.57",
		confidence = 0.95 }, found("2.4.57")), nil)
end)

test.case("what is missing is added, and the name stays", function()
	test.equal(refine({ service = "https", product = "Apache", info = "theirs", confidence = 0.95 }, found("2.4.57")), {
		service = "https", product = "Apache", version = "2.4.57", info = "theirs", cpe = "cpe:/a:apache:http_server",
		confidence = 0.96,
	})
	test.equal(refine({ service = "https", confidence = 0.5 }, found("2.4.57")), {
		service = "https", product = "Apache httpd", version = "2.4.57", cpe = "cpe:/a:apache:http_server", confidence = 0.9,
	})
end)

test.case("a longer version is more, and so is a release", function()
	local known = { service = "ssh", product = "OpenSSH", version = "9.2", os = "Debian Linux", cpe = "cpe:/x:9.2", confidence = 1 }
	local ours = { service = "ssh", product = "OpenSSH", version = "9.2p1", cpe = "cpe:/x:9.2:p1", confidence = 0.9 }
	test.equal(refine(known, ours), { service = "ssh", product = "OpenSSH", version = "9.2p1", os = "Debian Linux",
		cpe = "cpe:/x:9.2:p1", confidence = 1 })
	ours.version, ours.os = "9.2", "Debian Linux 12"
	test.equal(refine(known, ours).os, "Debian Linux 12")
	test.equal(refine(known, ours).cpe, "cpe:/x:9.2")
	ours.os = "Windows"
	test.equal(refine(known, ours), nil)
end)

test.case("a remark alone is no reason to speak", function()
	local ours = found("2.4.57")
	ours.info = "something"
	test.equal(refine({ service = "http", product = "Apache", version = "2.4.57", cpe = "cpe:/x", confidence = 0.95 }, ours), nil)
end)

test.case("another product only where it is surer", function()
	test.equal(refine({ service = "http", product = "nginx", os = "Windows", confidence = 0.95 }, found("2.4.57")), nil)
	local other = refine({ service = "http", product = "nginx", os = "Windows", confidence = 0.4 }, found("2.4.57"))
	test.equal({ other.product, other.os }, { "Apache httpd" })
end)
