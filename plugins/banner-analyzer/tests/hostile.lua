-- SPDX-License-Identifier: BSD-3-Clause
-- Banners that mean harm: whatever they hold, the hook returns what a record can take.

local LIMITS = { service = 63, product = 127, version = 63, info = 191, os = 127, cpe = 159 }

local function check(banner)
	local service = test.call("analyze_banner", banner) or {}
	for field, most in pairs(LIMITS) do
		local text = service[field] or ""
		if #text > most or not utf8.len(text) then error(field .. ": " .. #text .. " bytes, of " .. banner:sub(1, 60)) end
	end
end

local V = ("9.8+7~6"):rep(50)
local LONG = {
	"SSH-2.0-OpenSSH_" .. ("9"):rep(300) .. "p" .. ("1"):rep(300) .. "\r\n", "SSH-" .. ("2"):rep(300) .. "-x\r\n",
	"SSH-2.0-dropbear_" .. ("1."):rep(120) .. "\r\n", "HTTP/1.1 200 OK\r\nServer: nginx/" .. V .. "\r\n\r\n",
	"HTTP/1.1 200 OK\r\nServer: " .. ("Name"):rep(60) .. "/" .. V .. "\r\n\r\n",
	"HTTP/1.1 200 OK\r\nServer: Apache-Coyote/" .. V .. "\r\nX-Powered-By: PHP/" .. V .. "\r\n\r\n",
	"HTTP/1.1 200 OK\r\nServer: Jetty(" .. V .. ")\r\n\r\n", "220 x ESMTP Exim " .. ("4."):rep(100) .. "\r\n",
	"220 ProFTPD 1." .. ("a"):rep(200) .. " FTP\r\n", "\255\253\1MikroTik v" .. ("6."):rep(100) .. "\r\n",
	"J\0\0\0\n" .. ("8."):rep(100) .. "\0", "SIP/2.0 200 OK\r\nServer: Asterisk PBX " .. ("~"):rep(200) .. "\r\n\r\n",
}
test.case("versions without end", function()
	for _, banner in ipairs(LONG) do check(banner) end
end)

local SEEDS = {
	"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "220 mail.example.com ESMTP Exim 4.96 Tue, 28 Jan 2025 09:00:00 +0100\r\n",
	"220 ProFTPD 1.3.5 Server (Debian) [::ffff:10.0.0.5]\r\n", "* OK [CAPABILITY IMAP4] imap.corp.local Cyrus IMAP v2.4.17 ready\r\n",
	"+OK POP3 server ready <1896.1700000000@dbc.example.us>\r\n", "Y\0\0\0\n5.5.5-10.11.6-MariaDB-0+deb12u1\0\8\0",
	"HTTP/1.1 302 Found\r\nDate: Tue, 28 Jan 2025 09:00:00 GMT\r\nServer: Apache/2.4.57 (Debian) OpenSSL/3.0.9\r\n"
		.. "X-Powered-By: PHP/8.2.7\r\nLocation: http://10.0.0.5/x\r\nSet-Cookie: a; domain=x.example\r\n\r\n",
}
-- By a generator of its own, so that a failure comes back.
local state = 1
local function random(n)
	state = (state * 1103515245 + 12345) % 2147483648
	return math.floor(state / 65536) % n
end

for number, seed in ipairs(SEEDS) do
	test.case("changed, cut and doubled bytes, banner " .. number, function()
		for _ = 1, 60 do
			local banner = seed
			for _ = 0, random(4) do
				local at = random(#banner) + 1
				banner = banner:sub(1, at - 1) .. string.char(random(256)):rep(random(3)) .. banner:sub(at + random(3))
			end
			check(banner)
		end
	end)
end
