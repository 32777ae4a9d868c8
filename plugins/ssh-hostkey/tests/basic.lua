-- SPDX-License-Identifier: BSD-3-Clause
-- Servers that are scripted, with packets made here.
local wire = require("wire")
local IP = "198.18.0.1"
local DEFAULTS = {
	ports = { "22", "2200-2210" }, key_types = { "ssh-ed25519", "ssh-rsa", "ssh-dss" }, delay = 0.1, timeout = 5,
	max_seconds = 30,
}

local function load(changes)
	local config = {}
	for key, value in pairs(DEFAULTS) do
		config[key] = value
	end
	for key, value in pairs(changes or {}) do
		config[key] = value
	end
	return test.call("on_load", config)
end

local function packet(payload)
	local padding = 8 - (#payload + 5) % 8
	padding = padding < 4 and padding + 8 or padding
	return wire.uint32(#payload + padding + 1) .. string.char(padding) .. payload .. ("\0"):rep(padding)
end

local function kexinit(changes)
	local lists = {
		"curve25519-sha256,kex-strict-s-v00@openssh.com", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256",
		"hmac-sha2-256", "none", "none", "", "",
	}
	for i, list in pairs(changes or {}) do
		lists[i] = list
	end
	local parts = { "\20", ("\1"):rep(16) }
	for _, list in ipairs(lists) do
		parts[#parts + 1] = wire.text(list)
	end
	return packet(table.concat(parts) .. ("\0"):rep(5))
end

local ED25519 = wire.text("ssh-ed25519") .. wire.text(("\7"):rep(32))
local FINGERPRINT = "SHA256:" .. prtip.base64(prtip.hex.decode(prtip.sha256(ED25519))):gsub("=", "")

local function rsa(bytes, first)
	return wire.text("ssh-rsa") .. wire.text("\1\0\1") .. wire.text(first .. ("\0"):rep(bytes - 1))
end

local function reply(blob)
	return packet("\31" .. wire.text(blob) .. wire.text("f") .. wire.text("signature"))
end

local function serve(port, script)
	for key in pairs(test.results()) do
		test.results()[key] = nil
	end
	test.server(IP, port, script)
end

local function scan(script)
	serve(22, script)
	local service = test.call("probe_service", test.target({ ip = IP, port = 22 }))
	return test.results(), service
end

local GREETING = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
-- X25519's base point, as the plugin sends it.
local POINT = "\30" .. wire.text("\9" .. ("\0"):rep(31))

local function good(changes, blob)
	return {
		{ reply = GREETING .. kexinit(changes) }, { expect = "SSH-2.0-prtip_dp\r\n" }, { expect = "curve25519-sha256" },
		{ expect = POINT, reply = reply(blob or ED25519) }, { expect = "done" },
	}
end

test.case("a key, and nothing weak", function()
	load()
	local results, service = scan(good())
	test.equal(results, {
		protocol = "2.0", software = "OpenSSH_9.2p1 Debian-2", strict_kex = true,
		algorithms = {
			kex = { "curve25519-sha256" }, host_key = { "ssh-ed25519" }, ciphers = { "aes128-ctr" },
			macs = { "hmac-sha2-256" }, compression = { "none" },
		},
		host_keys = { { type = "ssh-ed25519", bits = 256, sha256 = FINGERPRINT } },
	})
	test.equal(service, {
		service = "ssh", product = "OpenSSH", version = "9.2p1", cpe = "cpe:/a:openbsd:openssh:9.2p1",
		info = "protocol 2.0, Debian-2", confidence = 0.95,
	})
end)

test.case("bytes that come one by one", function()
	load()
	local script, all = {}, GREETING .. kexinit()
	for i = 1, #all do
		script[i] = { reply = all:sub(i, i) }
	end
	script[#script + 1] = { expect = POINT, reply = reply(ED25519) }
	test.equal(#scan(script).host_keys, 1)
end)

test.case("lines before the version, and messages that mean nothing", function()
	load()
	local results = scan({
		{ reply = "Welcome\r\n\r\n" .. GREETING .. packet("\2" .. wire.text("x")) .. kexinit() },
		{ expect = POINT, reply = packet("\4\0" .. wire.text("x") .. wire.text("")) .. reply(ED25519) },
	})
	test.equal(#results.host_keys, 1)
end)

test.case("lengths of keys", function()
	load()
	local function bits(blob)
		return scan(good({ [2] = "rsa-sha2-256" }, blob)).host_keys[1].bits
	end
	test.equal(bits(rsa(256, "\128")), 2048)
	test.equal(bits(rsa(256, "\64")), 2047)
	test.equal(bits(rsa(129, "\0")), 0)
	test.equal(bits(wire.text("ssh-rsa") .. wire.text("\3") .. wire.text("\0\128" .. ("\0"):rep(127))), 1024)
	test.equal(bits(wire.text("ssh-rsa") .. wire.text("\3")), nil)
	test.equal(bits(wire.text("ecdsa-sha2-nistp521") .. wire.text("nistp521")), 521)
	test.equal(bits(wire.text("ssh-new")), nil)
end)

test.case("short RSA keys are weak", function()
	load()
	local results = scan(good({ [2] = "rsa-sha2-256" }, rsa(128, "\128")))
	test.equal(results.weak, { {
		kind = "key", algorithm = "ssh-rsa", why = "RSA key of 1024 bits", reference = "NIST SP 800-131A",
	} })
end)

test.case("which algorithm asks for an RSA key", function()
	local hostkey = require("hostkey")
	test.equal(hostkey.algorithm_for("ssh-rsa", { "ssh-rsa", "rsa-sha2-256" }), "rsa-sha2-256")
	test.equal(hostkey.algorithm_for("ssh-rsa", { "ssh-rsa", "ssh-ed25519" }), "ssh-rsa")
	test.equal(hostkey.algorithm_for("ssh-rsa", { "ssh-ed25519" }), nil)
end)

-- The weak names of a server, in order of discovery.
local function weak(changes)
	load({ key_types = {} })
	local names = {}
	for _, entry in ipairs(scan({ { reply = GREETING .. kexinit(changes) } }).weak or {}) do
		names[#names + 1] = entry.kind .. ":" .. entry.algorithm
	end
	return table.concat(names, " ")
end

test.case("weak algorithms", function()
	test.equal(weak({ "diffie-hellman-group14-sha256" }), "")
	test.equal(weak({ "diffie-hellman-group1-sha1" }), "kex:diffie-hellman-group1-sha1 kex:diffie-hellman-group1-sha1")
	test.equal(weak({ "gss-gex-sha1-x==,rsa2048-sha256" }), "kex:gss-gex-sha1-x==")
	test.equal(weak({ [2] = "ssh-dss,ssh-rsa,rsa-sha2-256,ssh-ed25519" }), "host_key:ssh-dss host_key:ssh-rsa")
	test.equal(weak({ [3] = "aes256-gcm@openssh.com,arcfour256" }), "cipher:arcfour256")
	test.equal(weak({ [4] = "none" }), "cipher:none")
	test.equal(weak({ [5] = "hmac-sha2-256-etm@openssh.com,hmac-md5" }), "mac:hmac-md5")
	test.equal(weak({ [6] = "none,umac-64@openssh.com,umac-128@openssh.com" }), "mac:none mac:umac-64@openssh.com")
end)

test.case("Terrapin", function()
	local plain = "curve25519-sha256"
	test.equal(weak({ plain, [3] = "chacha20-poly1305@openssh.com" }), "protocol:chacha20-poly1305@openssh.com")
	test.equal(weak({ [3] = "chacha20-poly1305@openssh.com" }), "")
	test.equal(weak({ plain, [3] = "aes128-ctr", [5] = "hmac-sha2-256-etm@openssh.com" }), "")
	test.equal(weak({ plain, [3] = "aes128-cbc", [5] = "hmac-sha2-256" }), "cipher:aes128-cbc")
	test.equal(weak({ plain, [3] = "aes128-cbc", [5] = "hmac-sha2-256-etm@openssh.com" }),
		"cipher:aes128-cbc protocol:aes128-cbc")
end)

test.case("a server's own group", function()
	load()
	local results = scan({
		{ reply = GREETING .. kexinit({ "diffie-hellman-group-exchange-sha256" }) },
		{ expect = "\34" .. wire.uint32(1024) .. wire.uint32(2048) .. wire.uint32(8192),
			reply = packet("\31" .. wire.text("p") .. wire.text("\2")) },
		{ expect = "\32", reply = packet("\33" .. wire.text(ED25519) .. wire.text("f") .. wire.text("s")) },
	})
	test.equal(results.host_keys[1].sha256, FINGERPRINT)
end)

test.case("no key exchange that is known here", function()
	load()
	local results = scan({ { reply = GREETING .. kexinit({ "mlkem768x25519-sha256" }) } })
	test.equal(results.missing, { ["ssh-ed25519"] = "none of its key exchanges is known here" })
	test.equal(results.host_keys, nil)
	test.equal(results.algorithms.kex, { "mlkem768x25519-sha256" })
end)

test.case("no key of a known type", function()
	load()
	local results = scan({ { reply = GREETING .. kexinit({ [2] = "x509v3-ecdsa-sha2-nistp256" }) }, { expect = "done" } })
	test.equal(results.host_keys, nil)
	test.equal(results.missing, nil)
end)

test.case("servers that break off", function()
	load()
	local function missing(...)
		local results = scan({ { reply = GREETING .. kexinit() }, { expect = POINT }, ... })
		return results.missing["ssh-ed25519"]
	end
	test.equal(missing({ close = true }), "closed by the server")
	test.equal(missing({ timeout = true }), "timeout")
	test.equal(missing({ reply = packet("\1" .. wire.uint32(2) .. wire.text("bad\27 key")) }), "disconnected: bad? key")
	test.equal(missing({ reply = packet("\1") }), "disconnected: ")
	test.equal(missing({ reply = packet("\31\0\0\0\9x") }), "the reply is malformed")
	test.equal(missing({ reply = reply("\0\0\0\9x") }), "the host key is malformed")
	test.equal(missing({ reply = reply(wire.text("with space")) }), "the host key is malformed")
	test.equal(missing({ reply = packet("\99") }), "message 99 in place of the reply with the host key")
	test.equal(missing({ reply = packet("\2" .. wire.text("")):rep(20) }),
		"too many messages in place of the reply with the host key")
	test.equal(missing({ reply = "\255\255\255\255\4" }), "no SSH: a packet of 4294967295 bytes")
	test.equal(missing({ reply = "\0\0\0\5\200aaaa" }), "no SSH: a packet of 5 bytes")
end)

test.case("servers that are none", function()
	load()
	local results, service = scan({ { reply = "220 mail\r\n" }, { close = true } })
	test.equal(results, {})
	test.equal(service, nil)
	results = scan({ { reply = ("x"):rep(100000) } })
	test.equal(results, {})
	results = scan({ { reply = ("x\n"):rep(50000) } })
	test.equal(results, {})
	results = scan({ { timeout = true } })
	test.equal(results, {})
	results = scan({ { reply = "SSH-nonsense\r\n" } })
	test.equal(results, {})
	test.call("probe_service", test.target({ ip = IP, port = 2200 }))
	test.equal(test.results(), {})
end)

test.case("a list that is malformed", function()
	load()
	local results, service = scan({ { reply = GREETING .. packet("\20" .. ("\1"):rep(16) .. "\0\0\1\0x") } })
	test.equal(results.error, "KEXINIT is malformed")
	test.equal(results.algorithms, nil)
	test.equal(service.service, "ssh")
end)

test.case("names that are too many, too long or no text", function()
	load({ key_types = {} })
	local names = { ("y"):rep(65), "\255\254", "ok" }
	for i = 1, 500 do
		names[#names + 1] = "cipher" .. i .. "-cbc"
	end
	local list = table.concat(names, ",")
	local macs = list:gsub("cipher", "hmac-md5-")
	local results = scan({ { reply = GREETING .. kexinit({ [3] = list, [4] = list, [5] = macs, [6] = macs }) } })
	test.equal(#results.algorithms.ciphers, 60)
	test.equal(results.algorithms.ciphers[1], "ok")
	test.equal(#results.weak, 60)
end)

test.case("SSH 1", function()
	load()
	local results, service = scan({ { reply = "SSH-1.5-1.2.27\n" } })
	test.equal(results.protocol, "1.5")
	test.equal(results.weak[1].algorithm, "SSH-1")
	test.equal(service.info, "protocol 1.5")
	results = scan(good(nil, nil))
	test.equal(results.weak, nil)
end)

test.case("other products", function()
	load({ key_types = {} })
	local function product(line)
		local _, service = scan({ { reply = line .. "\r\n" .. kexinit() } })
		return (service.product or "-") .. " " .. (service.version or "-")
	end
	test.equal(product("SSH-2.0-dropbear_2022.83"), "Dropbear sshd 2022.83")
	test.equal(product("SSH-2.0-libssh_0.10.6"), "libssh 0.10.6")
	test.equal(product("SSH-2.0-Cisco-1.25"), "- -")
	test.equal(product("SSH-2.0-"), "- -")
end)

-- ---- When ----

test.case("which results are asked", function()
	load()
	local function asked(fields)
		local port = fields.port or 22
		serve(port, good())
		local target = test.target({ ip = IP, port = port })
		for key, value in pairs(fields) do
			target[key] = value
		end
		test.call("probe_service", target)
		return test.results().protocol ~= nil
	end
	test.equal(asked({}), true)
	test.equal(asked({ port = 2205 }), true)
	test.equal(asked({ port = 80 }), false)
	test.equal(asked({ port = 80, service = "ssh" }), true)
	test.equal(asked({ banner = GREETING }), false)
	test.equal(asked({ protocol = "udp" }), false)
end)

test.case("by the banner", function()
	load()
	serve(80, good())
	test.equal(test.call("analyze_banner", "220 mail\r\n"), nil)
	test.equal(test.results(), {})
	test.equal(test.call("analyze_banner", "Welcome\r\n" .. GREETING).service, "ssh")
	test.equal(#test.results().host_keys, 1)
end)

test.case("settings that cannot be", function()
	local function bad(changes, piece)
		local why = load(changes)
		test.ok(why and why:find(piece, 1, true), tostring(why))
	end
	bad({ timeout = 0 }, "timeout: a number from 0.1 to 60, not 0")
	bad({ delay = "x" }, "delay: a number")
	bad({ max_seconds = 0 / 0 }, "max_seconds: a number")
	bad({ ports = 22 }, "ports: a list, not a number")
	bad({ ports = { "ssh" } }, "ports: ssh is no port")
	bad({ key_types = { "rsa" } }, "key_types: rsa is no type")
	test.equal(load(), nil)
end)
