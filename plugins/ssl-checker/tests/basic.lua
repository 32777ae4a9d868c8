-- SPDX-License-Identifier: BSD-3-Clause
-- Servers that are scripted: what they pick is a function of what they are offered.
local IP, NOW = "198.18.0.1", 1700000000
local DAY = 86400
prtip.now = function()
	return NOW
end

local DEFAULTS = {
	server_name = "", roots = {}, tls_ports = { "443", "990-995" }, skip_ports = { "9100-9107" },
	unknown_ports = true, starttls = true, ehlo = "scanner.invalid",
	versions = { "SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3" }, ciphers = true,
	alpn = { "h2", "http/1.1" }, warn_days = 30, max_probes = 150, max_seconds = 45, delay = 0.05,
	timeout = 5,
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

-- A certificate as tls_info gives it.
local function cert(changes)
	local one = {
		subject = "CN=leaf", issuer = "CN=middle", common_name = "leaf", issuer_common_name = "middle",
		names = { "www.lab.example" }, not_before = NOW - 10 * DAY, not_after = NOW + 100 * DAY,
		not_before_text = "a", not_after_text = "b", serial = "01", version = 3, key_type = "rsa",
		key_bits = 2048, signature = "sha256WithRSAEncryption", sha1 = "aa", sha256 = "bb",
		self_signed = false, ca = false, der = "\255\254",
	}
	for key, value in pairs(changes or {}) do
		one[key] = value
	end
	return one
end

local function chain_of(...)
	return { chain = { ... }, certificate = ... }
end

local MIDDLE = cert({
	subject = "CN=middle", issuer = "CN=root", common_name = "middle", issuer_common_name = "root", ca = true,
	names = {},
})
local ROOT = cert({
	subject = "CN=root", issuer = "CN=root", common_name = "root", issuer_common_name = "root", ca = true,
	self_signed = true, names = {}, signature = "md5WithRSAEncryption",
})

-- Names and numbers of a few suites.
local SUITES = {
	AES128_GCM = { 0x1301, "TLS_AES_128_GCM_SHA256" }, ECDHE = { 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
	CHACHA = { 0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	RSA = { 0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA" }, RC4 = { 0x0005, "TLS_RSA_WITH_RC4_128_SHA" },
	DES3 = { 0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA" },
}
local RANK = { ["SSLv2"] = 1, ["SSLv3"] = 2, ["TLSv1.0"] = 3, ["TLSv1.1"] = 4, ["TLSv1.2"] = 5, ["TLSv1.3"] = 6 }

local function position(list, value)
	for i, item in ipairs(list) do
		if item == value then
			return i
		end
	end
end

-- What tls_probe gives from a server that accepts {version = {suite...}}, in its own order or, with
-- fields.client, in the client's; count[1]: how often it was asked.
local function picker(accepts, fields, count)
	fields = fields or {}
	return function(options)
		if count then
			count[1] = count[1] + 1
			if fields.drop and fields.drop[count[1]] then
				return nil, fields.drop[count[1]]
			end
		end
		local best
		for _, version in ipairs(options.versions) do
			if accepts[version] and (not best or RANK[version] > RANK[best]) then
				best = version
			end
		end
		local choice, at
		for i, name in ipairs(best and accepts[best] or {}) do
			local place = position(options.ciphers, SUITES[name][1])
			if place and (not choice or fields.client and place < at) then
				choice, at = SUITES[name], fields.client and place or i
			end
			if fields.chacha and name == "CHACHA" and place == 1 then
				choice, at = SUITES[name], 0
			end
		end
		if not choice then
			return { alert = { level = "fatal", description = best and "handshake_failure" or "protocol_version" } }
		end
		return {
			version = best, cipher = choice[2], cipher_id = choice[1], compression = fields.compression or "null",
			extensions = fields.extensions or { 0xff01 },
		}
	end
end

local MODERN = { ["TLSv1.2"] = { "ECDHE" }, ["TLSv1.3"] = { "AES128_GCM" } }

-- Scan a server on a port without a banner; returns its results.
local function scan(script, port, result)
	for key in pairs(test.results()) do
		test.results()[key] = nil
	end
	test.server(IP, port or 443, script)
	local target = test.target({ ip = IP, port = port or 443 })
	local fields = result or {}
	fields.port, fields.ip = port or 443, IP
	-- probe_service sees the target alone; prtip.target_info the fields of the record.
	for key, value in pairs(fields) do
		target[key] = value
	end
	local service = test.call("probe_service", target)
	return test.results(), service
end

local function ids(results)
	local list = {}
	for _, finding in ipairs(results.findings or {}) do
		list[#list + 1] = finding.id
	end
	table.sort(list)
	return table.concat(list, " ")
end

-- ---- Versions and suites ----

test.case("a good server has an A and no finding", function()
	load({ server_name = "www.lab.example" })
	local results, service = scan({ tls = chain_of(cert(), MIDDLE), hello = picker(MODERN) })
	test.equal(results.grade, "A")
	test.equal(results.findings, nil)
	test.equal(results.protocols, { "TLSv1.2", "TLSv1.3" })
	test.equal(results.forward_secrecy, "all")
	test.equal(results.complete, true)
	test.equal(results.certificates[1].name, { checked = "www.lab.example", kind = "name", match = true })
	test.equal(results.certificates[1].days_left, 100)
	test.equal(results.certificates[1].der, nil)
	test.equal(service, { service = "ssl", info = "TLSv1.3, leaf", confidence = 0.6 })
end)

test.case("suites come in the server's order, and its preference is told", function()
	load()
	local accepts = { ["TLSv1.2"] = { "RC4", "RSA", "ECDHE" } }
	local results = scan({ tls = chain_of(cert(), MIDDLE), hello = picker(accepts) })
	test.equal(results.versions["TLSv1.2"], {
		ciphers = { SUITES.RC4[2], SUITES.RSA[2], SUITES.ECDHE[2] }, preference = "server",
	})
	test.equal(ids(results), "address-not-named rc4 some-forward-secrecy")
	test.equal(results.grade, "D")
	test.equal(results.forward_secrecy, "some")
end)

test.case("a server that follows the client", function()
	load()
	local accepts = { ["TLSv1.2"] = { "RC4", "RSA", "CHACHA", "ECDHE" } }
	local results = scan({ tls = chain_of(cert(), MIDDLE), hello = picker(accepts, { client = true }) })
	test.equal(results.versions["TLSv1.2"].preference, "client")
	test.equal(results.versions["TLSv1.2"].ciphers[1], SUITES.ECDHE[2])
end)

test.case("a server with an order of its own that makes an exception for ChaCha20", function()
	load()
	local accepts = { ["TLSv1.2"] = { "ECDHE", "RSA", "CHACHA" } }
	local results = scan({ tls = chain_of(cert(), MIDDLE), hello = picker(accepts, { chacha = true }) })
	test.equal(results.versions["TLSv1.2"].preference, "server")
end)

test.case("what names of suites say", function()
	local suites = require("suites")
	for name, kinds in pairs({
		TLS_RSA_EXPORT_WITH_RC4_40_MD5 = "export rc4 md5-mac", TLS_RSA_EXPORT_WITH_DES40_CBC_SHA = "export des",
		TLS_RSA_WITH_DES_CBC_SHA = "des", TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA = "3des", TLS_RSA_WITH_NULL_SHA256 = "null-cipher",
		TLS_SHA256_SHA256 = "null-cipher", TLS_ECDH_anon_WITH_NULL_SHA = "null-cipher anonymous",
		TLS_RSA_WITH_IDEA_CBC_SHA = "idea", SSL_CK_RC2_128_CBC_WITH_MD5 = "rc2 md5-mac",
		SSL_CK_DES_192_EDE3_CBC_WITH_MD5 = "3des md5-mac", SSL_CK_DES_64_CBC_WITH_MD5 = "des md5-mac",
		TLS_AES_128_GCM_SHA256 = "", TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 = "",
	}) do
		test.equal(table.concat(suites.weak(name), " "), kinds)
	end
	test.ok(not suites.is_forward_secret("TLSv1.2", "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA"))
	test.ok(not suites.is_forward_secret("TLSv1.2", "TLS_DH_RSA_WITH_AES_128_CBC_SHA"))
	test.ok(suites.is_forward_secret("TLSv1.2", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"))
	test.ok(suites.is_forward_secret("TLSv1.3", "TLS_AES_128_GCM_SHA256"))
end)

test.case("old versions", function()
	load()
	local accepts = { ["SSLv3"] = { "DES3" }, ["TLSv1.0"] = { "DES3" }, ["TLSv1.1"] = { "DES3" } }
	local results = scan({ tls = chain_of(cert(), MIDDLE), hello = picker(accepts) })
	test.equal(ids(results), "3des address-not-named no-forward-secrecy no-modern-version ssl3 tls10 tls11")
	test.equal(results.findings[1].id, "ssl3")
	test.equal(results.grade, "F")
end)

test.case("compression and renegotiation", function()
	load()
	local fields = { compression = "deflate", extensions = {} }
	local results = scan({
		tls = chain_of(cert(), MIDDLE), hello = picker({ ["TLSv1.2"] = { "ECDHE" } }, fields),
	})
	test.equal(ids(results), "address-not-named compression no-secure-renegotiation")
	-- TLS 1.3 has neither.
	results = scan({ tls = chain_of(cert(), MIDDLE), hello = picker({ ["TLSv1.3"] = { "AES128_GCM" } },
		{ extensions = { 43, 51 } }) })
	test.equal(ids(results), "address-not-named")
end)

test.case("a connection that falls is tried again", function()
	load({ versions = { "TLSv1.2" } })
	local count = { 0 }
	local script = {
		tls = chain_of(cert(), MIDDLE),
		hello = picker({ ["TLSv1.2"] = { "ECDHE", "RSA" } },
			{ drop = { [3] = "Connection reset by peer", [5] = "timeout" } }, count),
	}
	local results = scan(script)
	test.equal(#results.versions["TLSv1.2"].ciphers, 2)
	test.equal(results.complete, true)
end)

test.case("what stays unknown is said", function()
	load({ versions = { "TLSv1.2" } })
	local count = { 0 }
	local script = {
		tls = chain_of(cert(), MIDDLE),
		hello = picker({ ["TLSv1.2"] = { "ECDHE", "RSA" } }, { drop = { [3] = "timeout", [4] = "timeout" } }, count),
	}
	local results = scan(script)
	test.equal(results.versions["TLSv1.2"], { ciphers = { SUITES.ECDHE[2] }, error = "timeout" })
	test.equal(results.complete, false)
	test.equal(results.grade, "A")
end)

test.case("no more connections than allowed", function()
	load({ max_probes = 5 })
	local count = { 0 }
	local results = scan({
		tls = chain_of(cert(), MIDDLE), hello = picker({ ["TLSv1.2"] = { "ECDHE", "RSA", "RC4", "DES3" } }, nil, count),
	})
	test.equal(count[1], 5)
	test.equal(results.connections, 5)
	test.equal(results.complete, false)
end)

test.case("a suite that was not offered ends the list", function()
	load({ versions = { "TLSv1.2" } })
	local results = scan({
		tls = chain_of(cert(), MIDDLE),
		hello = { version = "TLSv1.2", cipher = "0xfafa", cipher_id = 0xfafa, extensions = { 0xff01 } },
	})
	test.equal(results.versions["TLSv1.2"].error, "picked 0xfafa, which was not offered")
end)

test.case("ALPN: one after the other", function()
	load()
	local info = chain_of(cert(), MIDDLE)
	info.alpn = "h2"
	local results, service = scan({ tls = info, hello = picker(MODERN) })
	test.equal(results.alpn, { "h2" })
	test.equal(service.service, "https")
end)

test.case("Diffie-Hellman", function()
	SUITES.DHE = { 0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" }
	for group, id in pairs({ dh512 = "dh-short", dh1024 = "dh-1024", dh_1024_160 = "dh-1024", ffdhe2048 = false,
		modp_2048 = false, dh_2048_256 = false }) do
		load()
		local info = chain_of(cert(), MIDDLE)
		info.group = group
		local results = scan({ tls = info, hello = picker({ ["TLSv1.2"] = { "DHE" } }) })
		test.equal(results.dh_group, group)
		test.equal(ids(results), "address-not-named" .. (id and " " .. id or ""))
	end
end)

-- ---- Certificates ----

local function certificate_ids(info, changes)
	load(changes)
	local results = scan({ tls = info, hello = picker(MODERN) })
	return (ids(results):gsub("address%-not%-named ?", ""):gsub(" $", "")), results.certificates[1]
end

test.case("dates", function()
	test.equal(certificate_ids(chain_of(cert({ not_after = NOW - 1 }), MIDDLE)), "expired")
	test.equal(certificate_ids(chain_of(cert({ not_before = NOW + 1 }), MIDDLE)), "not-yet-valid")
	test.equal(certificate_ids(chain_of(cert({ not_after = NOW + 29 * DAY }), MIDDLE)), "expires-soon")
	test.equal(certificate_ids(chain_of(cert({ not_after = NOW + 29 * DAY }), MIDDLE), { warn_days = 29 }), "")
end)

test.case("keys", function()
	local function key(kind, bits)
		return (certificate_ids(chain_of(cert({ key_type = kind, key_bits = bits }), MIDDLE)))
	end
	test.equal(key("rsa", 1023), "key-tiny")
	test.equal(key("rsa", 1024), "key-short")
	test.equal(key("rsa", 2047), "key-short")
	test.equal(key("rsa", 2048), "")
	test.equal(key("dsa", 1024), "key-short")
	test.equal(key("ec", 192), "key-short-ec")
	test.equal(key("ec", 224), "")
	test.equal(key("ed25519", 253), "")
end)

test.case("signatures", function()
	local function signed(name)
		return (certificate_ids(chain_of(cert({ signature = name }), MIDDLE)))
	end
	for _, name in ipairs({ "md5WithRSAEncryption", "md2WithRSAEncryption", "RSA-MD4" }) do
		test.equal(signed(name), "signature-md5")
	end
	for _, name in ipairs({ "sha1WithRSAEncryption", "ecdsa-with-SHA1", "dsaWithSHA1", "dsaWithSHA1-old" }) do
		test.equal(signed(name), "signature-sha1")
	end
	for _, name in ipairs({ "sha256WithRSAEncryption", "ecdsa-with-SHA512", "ED25519", "rsassaPss" }) do
		test.equal(signed(name), "")
	end
end)

local function status(info, changes)
	local found, one = certificate_ids(info, changes)
	return one.chain_status .. (found ~= "" and " " .. found or "")
end

test.case("chains", function()
	local self = cert({ issuer = "CN=leaf", self_signed = true })
	local stranger = cert({ subject = "CN=x", issuer = "CN=y", common_name = "x" })
	test.equal(status(chain_of(cert(), MIDDLE)), "open")
	test.equal(status(chain_of(cert(), MIDDLE, ROOT)), "complete")
	test.equal(status(chain_of(cert())), "incomplete chain-incomplete")
	test.equal(status(chain_of(cert(), ROOT, MIDDLE)), "misordered chain-misordered")
	test.equal(status(chain_of(cert(), MIDDLE, stranger)), "unrelated chain-unrelated")
	test.equal(status(chain_of(cert(), stranger)), "unrelated chain-incomplete chain-unrelated")
	test.equal(status(chain_of(self)), "self-signed self-signed")
end)

test.case("chains and configured roots", function()
	test.equal(status(chain_of(cert(), MIDDLE), { roots = { "root" } }), "complete")
	test.equal(status(chain_of(cert(), MIDDLE), { roots = { "CN=root" } }), "complete")
	test.equal(status(chain_of(cert(), MIDDLE), { roots = { "other" } }), "incomplete chain-incomplete")
	test.equal(status(chain_of(cert(), MIDDLE, ROOT), { roots = { "other" } }), "unknown root issuer-unknown")
	test.equal(status(chain_of(cert()), { roots = { "middle" } }), "complete")
	local self = cert({ issuer = "CN=leaf", issuer_common_name = "leaf", self_signed = true })
	test.equal(status(chain_of(self), { roots = { "other" } }), "self-signed self-signed")
	test.equal(status(chain_of(self), { roots = { "bb" } }), "complete")
	-- Anybody can give himself the name of a root.
	test.equal(status(chain_of(self), { roots = { "leaf", "CN=leaf" } }), "self-signed self-signed")
end)

test.case("chains that go round in circles, or are long", function()
	local a = cert({ subject = "CN=a", issuer = "CN=b", ca = true })
	local b = cert({ subject = "CN=b", issuer = "CN=a", ca = true })
	test.equal(status(chain_of(a, b)), "open")
	local long = { cert() }
	for i = 2, 100 do
		long[i] = MIDDLE
	end
	local _, one = certificate_ids(chain_of(unpack(long)))
	test.equal(#one.chain, 9)
end)

test.case("an issuer that is no authority", function()
	local middle = cert({ subject = "CN=middle", issuer = "CN=root", ca = false })
	test.equal(status(chain_of(cert(), middle)), "open issuer-no-ca")
end)

test.case("names", function()
	local function named(names, wanted, common_name)
		load({ server_name = wanted })
		local info = chain_of(cert({ names = names, common_name = common_name or "leaf" }), MIDDLE)
		return ids(scan({ tls = info, hello = picker(MODERN) }))
	end
	test.equal(named({ "WWW.lab.example" }, "www.LAB.example"), "")
	test.equal(named({ "*.lab.example" }, "www.lab.example"), "")
	test.equal(named({ "*.lab.example" }, "a.www.lab.example"), "name-mismatch")
	test.equal(named({ "*.lab.example" }, "lab.example"), "name-mismatch")
	test.equal(named({ "w*.lab.example", "*" }, "www.lab.example"), "name-mismatch")
	test.equal(named({ "*.example" }, "example"), "name-mismatch")
	test.equal(named({}, "www.lab.example", "www.lab.example"), "name-in-cn-only")
	test.equal(named({ "x.example" }, "www.lab.example", "www.lab.example"), "name-mismatch")
end)

test.case("the address in place of a name", function()
	load()
	local results = scan({ tls = chain_of(cert({ names = { "*.18.0.1", "198.18.0.1" } }), MIDDLE), hello = picker(MODERN) })
	test.equal(ids(results), "")
	results = scan({ tls = chain_of(cert({ names = { "*.18.0.1" } }), MIDDLE), hello = picker(MODERN) })
	test.equal(ids(results), "address-not-named")
	test.equal(results.grade, "A")
end)

test.case("many names are cut", function()
	load()
	local names = {}
	for i = 1, 2000 do
		names[i] = ("host%d.lab.example"):format(i)
	end
	local results = scan({ tls = chain_of(cert({ names = names }), MIDDLE), hello = picker(MODERN) })
	test.equal(#results.certificates[1].names, 50)
	test.equal(results.certificates[1].more_names, 1950)
end)

test.case("no certificate", function()
	load()
	local results = scan({ tls = { chain = {} }, hello = picker(MODERN) })
	test.equal(results.certificates, nil)
	results = scan({ { close = true }, hello = picker(MODERN) })
	test.ok(results.certificate_error)
	test.equal(results.complete, false)
end)

-- ---- Where to begin ----

local function asked(port, fields, changes)
	load(changes)
	local count = { 0 }
	local results = scan({ tls = chain_of(cert(), MIDDLE), hello = picker(MODERN, nil, count) }, port, fields)
	return count[1] > 0, results
end

test.case("which ports are asked", function()
	test.equal(asked(443), true)
	test.equal(asked(992), true)
	test.equal(asked(12345), true)
	test.equal(asked(12345, nil, { unknown_ports = false }), false)
	test.equal(asked(9100), false)
	test.equal(asked(12345, { service = "https" }, { unknown_ports = false }), true)
	test.equal(asked(12345, { service = "imaps" }, { unknown_ports = false }), true)
	test.equal(asked(12345, { service = "ssl/http" }, { unknown_ports = false }), true)
	test.equal(asked(12345, { service = "radius" }, { unknown_ports = false }), false)
	test.equal(asked(443, { protocol = "udp" }), false)
end)

test.case("nothing twice: a result with a banner is analyze_banner's", function()
	test.equal(asked(443, { banner = "\22\3\3" }), false)
end)

local function banner(text)
	load({ versions = { "TLSv1.2" } })
	local count = { 0 }
	test.server(IP, 80, { tls = chain_of(cert(), MIDDLE), hello = picker(MODERN, nil, count) })
	local service = test.call("analyze_banner", text)
	return count[1] > 0, service
end

test.case("which banners are TLS", function()
	test.equal(banner("\22\3\3\0\80"), true)
	test.equal(banner("\21\3\1\0\2\2\40"), true)
	test.equal(banner("HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"), true)
	test.equal(banner("HTTP/1.1 200 OK\r\n\r\nuse HTTPS"), false)
	test.equal(banner("SSH-2.0-OpenSSH_9.2p1\r\n"), false)
	test.equal(banner(""), false)
end)

test.case("not TLS: one hello, no finding", function()
	load()
	local count = { 0 }
	local function plain()
		count[1] = count[1] + 1
		return nil, "no TLS: first byte 0x48"
	end
	local results, service = scan({ hello = plain }, 443)
	test.equal(count[1], 1)
	test.equal(results, { no_tls = "no TLS: first byte 0x48" })
	test.equal(service, nil)
	results = scan({ hello = plain }, 12345)
	test.equal(count[1], 2)
	test.equal(test.results().findings, nil)
end)

test.case("a server that only SSL 3.0 wakes", function()
	load()
	local accepts = picker({ ["SSLv3"] = { "RC4" } })
	local results = scan({
		tls = false,
		hello = function(options)
			if position(options.versions, "SSLv3") then
				return accepts(options)
			end
			return nil, "closed without an answer"
		end,
	})
	test.equal(results.protocols, { "SSLv3" })
	test.equal(results.grade, "F")
end)

test.case("a server that refuses all", function()
	load()
	local results, service = scan({
		{ close = true }, hello = { alert = { level = "fatal", description = "unrecognized_name" } },
	})
	test.ok(results.error)
	test.equal(results.complete, false)
	test.equal(results.grade, nil)
	test.equal(service, nil)
end)

test.case("nobody there", function()
	load()
	test.equal(test.call("probe_service", test.target({ ip = IP, port = 443 })), nil)
	test.equal(test.results(), { no_tls = "Connection refused" })
end)

-- ---- STARTTLS ----

local function starttls(port, steps, greeting)
	load({ versions = { "TLSv1.2" } })
	steps.tls, steps.starttls, steps.hello = chain_of(cert(), MIDDLE), true, picker(MODERN)
	if greeting then
		test.server(IP, 80, steps)
		return test.results(), test.call("analyze_banner", greeting)
	end
	return scan(steps, port)
end

test.case("SMTP", function()
	local steps = {
		{ reply = "220-mail.lab.example ESMTP\r\n220 hello\r\n" },
		{ expect = "EHLO scanner.invalid\r\n", reply = "250-mail\r\n250-SIZE\r\n" }, { reply = "250 STARTTLS\r\n" },
		{ expect = "STARTTLS\r\n", reply = "220 go\r\n" },
	}
	local results, service = starttls(25, steps)
	test.equal(results.transport, "starttls-smtp")
	test.equal(results.protocols, { "TLSv1.2" })
	test.equal(results.certificates[1].common_name, "leaf")
	test.equal(service, { service = "smtp", info = "STARTTLS, TLSv1.2, leaf", confidence = 0.6 })
end)

test.case("SMTP without STARTTLS", function()
	local results, service = starttls(25, {
		{ reply = "220 mail\r\n" }, { expect = "EHLO", reply = "250-mail\r\n250 SIZE\r\n" },
		{ expect = "QUIT", reply = "221 bye\r\n", close = true },
	})
	test.equal(results, { no_tls = "no STARTTLS offered" })
	test.equal(service, nil)
end)

test.case("IMAP, by its banner", function()
	local results = starttls(nil, {
		{ reply = "* OK IMAP4rev1 ready\r\n" }, { expect = "a1 STARTTLS\r\n", reply = "* BYE?\r\na1 OK begin\r\n" },
	}, "* OK IMAP4rev1 ready\r\n")
	test.equal(results.transport, "starttls-imap")
end)

test.case("IMAP that says no", function()
	local results = starttls(143, {
		{ reply = "* OK IMAP4rev1 ready\r\n" }, { expect = "a1 STARTTLS\r\n", reply = "a1 BAD what?\r\n" },
		{ expect = "a2 LOGOUT" },
	})
	test.equal(results.no_tls, "STARTTLS: BAD")
end)

test.case("POP3 and FTP", function()
	local results = starttls(110, { { reply = "+OK hello\r\n" }, { expect = "STLS\r\n", reply = "+OK go\r\n" } })
	test.equal(results.transport, "starttls-pop3")
	results = starttls(110, { { reply = "+OK hello\r\n" }, { expect = "STLS\r\n", reply = "-ERR \255no\r\n" } })
	test.equal(results.no_tls, "STLS: -ERR ?no")
	results = starttls(nil, { { reply = "220 FTP\r\n" }, { expect = "AUTH TLS\r\n", reply = "234 go\r\n" } },
		"220 ProFTPD Server\r\n")
	test.equal(results.transport, "starttls-ftp")
end)

test.case("servers that never come to the point", function()
	local results = starttls(25, { { reply = ("220-x\r\n"):rep(3000) }, { reply = "220-" } })
	test.equal(results.no_tls, "too many words before TLS")
	results = starttls(25, { { reply = "220 mail" }, { timeout = true } })
	test.equal(results.no_tls, "timeout")
	results = starttls(110, { { reply = "+OK x\r\n" }, { expect = "STLS", reply = "+OK\r\n+OK more\r\n" } })
	test.equal(results.no_tls, "more words behind the answer to STARTTLS")
end)

test.case("STARTTLS can be switched off", function()
	load({ starttls = false })
	test.server(IP, 25, { { reply = "220 mail\r\n" } })
	test.call("probe_service", test.target({ ip = IP, port = 25 }))
	test.equal(test.results(), {})
end)

-- ---- Settings ----

test.case("settings that cannot be", function()
	local function bad(changes, piece)
		local why = load(changes)
		test.ok(why and why:find(piece, 1, true), tostring(why))
	end
	bad({ delay = -1 }, "delay: a number from 0 to 60, not -1")
	bad({ max_probes = 1.5 }, "max_probes: a whole number")
	bad({ timeout = "5" }, "timeout: a number")
	bad({ versions = { "TLSv9" } }, "versions: TLSv9 is none of SSLv2")
	bad({ versions = {} }, "versions: name at least one")
	bad({ tls_ports = { "http" } }, "tls_ports: http is no port")
	bad({ skip_ports = { "5-1" } }, "skip_ports: 5-1 is no port")
	bad({ server_name = "198.18.0.1" }, "server_name: a host name")
	bad({ server_name = 5 }, "server_name: a string")
	bad({ ehlo = "a b" }, "ehlo: a host name")
	bad({ alpn = { "" } }, "alpn: names")
	bad({ roots = "x" }, "roots: a list, not a string")
	bad({ unknown_ports = "yes" }, "unknown_ports: a boolean")
	test.equal(load(), nil)
end)
