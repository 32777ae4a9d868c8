-- SPDX-License-Identifier: BSD-3-Clause
-- Whole talks with scripted servers. All questions have the number 0x1234, so that answers can be written.

local dns = require("dns")
math.random = function() return 0x1234 end

local function put16(n)
	return string.char(math.floor(n / 256), n % 256)
end

local function question(name, kind, class)
	return dns.put_name(name) .. put16(kind) .. put16(class)
end

-- An answer: flags (RA 0x80, rcode below), records behind the question.
local function answer(asked, flags, answers, authorities, additionals)
	answers, authorities, additionals = answers or {}, authorities or {}, additionals or {}
	return "\18\52" .. put16(0x8000 + flags) .. "\0\1" .. put16(#answers) .. put16(#authorities) .. put16(#additionals)
		.. asked .. table.concat(answers) .. table.concat(authorities) .. table.concat(additionals)
end

local function record(name, kind, class, data)
	return dns.put_name(name) .. put16(kind) .. put16(class) .. "\0\0\0\0" .. put16(#data) .. data
end

local function txt(name, text)
	return record(name, 16, 3, string.char(#text) .. text)
end

local CH = {}
for _, name in ipairs({ "version.bind", "version.server", "hostname.bind", "id.server" }) do CH[name] = question(name, 16, 3) end
local NONE, ROOT = question("prtip-dp.example", 1, 1), question(".", 6, 1)
local OPT = "\0\0\41\4\208\0\0\128\0\0\8\0\3\0\4node"
local REFUSED, NXDOMAIN, SERVFAIL, RA, AA, TC = 5, 3, 2, 0x80, 0x400, 0x200

local function framed(message)
	return put16(#message) .. message
end

-- Steps for a name server over UDP that refuses all but what is given.
local function steps(replies, wrap)
	local list = { protocol = not wrap and "udp" or nil }
	for _, asked in ipairs({ CH["version.bind"], CH["version.server"], CH["hostname.bind"], CH["id.server"], NONE, ROOT }) do
		local reply = replies[asked] or answer(asked, REFUSED)
		list[#list + 1] = { expect = asked, reply = (wrap or tostring)(reply) }
	end
	return list
end

local function run(udp, tcp)
	if udp then test.server("198.18.0.1", 53, udp) end
	if tcp then test.server("198.18.0.1", 53, tcp) end
	return test.call("probe_service", test.target{ port = 53 })
end

local FULL = {
	[CH["version.bind"]] = answer(CH["version.bind"], AA, { txt("version.bind", "unbound 1.17.1") }),
	[CH["id.server"]] = answer(CH["id.server"], AA, { txt("id.server", "ns\1\255") }),
	[NONE] = answer(NONE, RA + NXDOMAIN, {}, { record(".", 6, 1, "\0\0") }),
	[ROOT] = answer(ROOT, RA + 0x20, { record(".", 6, 1, ""), record(".", 46, 1, "") }, {}, { OPT }),
}

test.case("a resolver that tells all, over UDP", function()
	test.equal(run(steps(FULL)), {
		service = "domain", product = "Unbound", version = "1.17.1", cpe = "cpe:/a:nlnetlabs:unbound:1.17.1",
		info = "version.bind: unbound 1.17.1", confidence = 0.95,
	})
	test.equal(test.results(), {
		transports = { udp = true, tcp = false },
		texts = { ["version.bind"] = "unbound 1.17.1", ["id.server"] = "ns??" },
		without_text = { ["version.server"] = "REFUSED", ["hostname.bind"] = "REFUSED" },
		recursion = { available = true, rcode = "NXDOMAIN", result = "performed" },
		edns = { supported = true, version = 0, udp_bytes = 1232, nsid = "node" },
		dnssec = { understood = true, signatures = true, validated = true },
	})
end)

test.case("texts that are too long for a record, and end within a character", function()
	for _, text in ipairs({ "unbound " .. ("1."):rep(120), ("\195\164"):rep(127) .. "x", "x" .. ("\195\164"):rep(127) }) do
		local found = run(steps({ [CH["version.bind"]] = answer(CH["version.bind"], AA, { txt("version.bind", text) }) }))
		test.ok(#found.info <= 191 and #(found.version or "") <= 63 and #(found.cpe or "") <= 159 and utf8.len(found.info))
	end
end)

test.case("the same over TCP only", function()
	local found = run({ protocol = "udp", { timeout = true }, { timeout = true } }, steps(FULL, framed))
	test.equal(found.version, "1.17.1")
	test.equal(test.results().transports, { udp = false, tcp = true })
	test.equal(test.results().recursion.result, "performed")
end)

test.case("a server that says nothing of itself is one all the same", function()
	test.equal(run(steps({})), { service = "domain", confidence = 0.9 })
	test.equal(test.results().recursion, { available = false, rcode = "REFUSED", result = "refused" })
	test.equal(test.results().edns, { supported = false, rcode = "REFUSED" })
	test.equal(test.results().texts, nil)
	test.equal(test.results().without_text["version.bind"], "REFUSED")
end)

for name, case in pairs({
	["not offered"] = answer(NONE, 0), ["refused"] = answer(NONE, RA + REFUSED), ["failed"] = answer(NONE, RA + SERVFAIL),
	["rewritten"] = answer(NONE, RA, { record("prtip-dp.example", 1, 1, "\198\18\0\9") }),
	["answered from own data"] = answer(NONE, RA + AA + NXDOMAIN, {}, { record("example", 6, 1, "") }),
	["unclear"] = answer(NONE, RA + NXDOMAIN, {}, { record("example", 6, 1, "") }),
	["performed"] = answer(NONE, RA + NXDOMAIN, {}, { record(".", 6, 1, "") }),
}) do
	test.case("recursion: " .. name, function()
		run(steps({ [NONE] = case }))
		test.equal(test.results().recursion.result, name)
	end)
end

test.case("a cut answer is asked for again over TCP", function()
	local udp = { protocol = "udp", { expect = CH["version.bind"], reply = answer(CH["version.bind"], TC) } }
	for i, step in ipairs(steps({})) do if i > 1 then udp[#udp + 1] = step end end
	local found = run(udp, { { expect = CH["version.bind"], reply = framed(FULL[CH["version.bind"]]) } })
	test.equal(found.version, "1.17.1")
	test.equal(test.results().transports, { udp = true, tcp = true })
end)

test.case("strays are passed over, and counted", function()
	local good = FULL[CH["version.bind"]]
	local strays = { "\0\0" .. good:sub(3), "x", answer(CH["id.server"], 0), "\18\52\0\0" .. good:sub(5) }
	local script = steps({})
	script[1] = { expect = CH["version.bind"] }
	for i = 3, 1, -1 do table.insert(script, 2, { reply = strays[i] }) end
	table.insert(script, 5, { reply = good })
	test.equal(run(script).version, "1.17.1")
	-- A fourth before the answer is one too many; then nobody is left to ask.
	test.equal(run({ protocol = "udp", { expect = CH["version.bind"] }, { reply = strays[1] }, { reply = strays[2] },
		{ reply = strays[3] }, { reply = strays[4] }, { reply = good } }), nil)
end)

test.case("not a name server", function()
	for name, script in pairs({
		refused = { { refuse = true } }, silent = { { timeout = true } }, closes = { { close = true } },
		http = { { expect = CH["version.bind"], reply = "HTTP/1.1 400 Bad Request\r\n\r\n" } },
		half = { { expect = CH["version.bind"], reply = "\0\40x" }, { close = true } },
	}) do
		test.equal(run(nil, script), nil)
		test.equal(test.results(), {}, name)
	end
end)

test.case("over TCP answers may come in pieces, and two at once", function()
	local script = { { expect = CH["version.bind"] } }
	for byte in framed(FULL[CH["version.bind"]]):gmatch(".") do script[#script + 1] = { reply = byte } end
	local rest = steps({}, framed)
	for i = 2, #rest do script[#script + 1] = rest[i] end
	test.equal(run(nil, script).version, "1.17.1")
	test.equal(test.results().without_text["id.server"], "REFUSED")
end)

test.case("it runs once for a result: with a banner in analyze_banner, else in probe_service", function()
	test.server("198.18.0.1", 80, steps(FULL)) -- test.call gives analyze_banner the port 80
	test.equal(test.call("analyze_banner", "x").version, "1.17.1")
	test.server("198.18.0.1", 53, steps(FULL))
	test.equal(test.call("probe_service", { ip = "198.18.0.1", port = 53, protocol = "udp", banner = "x" }), nil)
end)

test.case("recursion can be left out", function()
	test.equal(test.call("on_load", { timeout = 2, attempts = 1, recursion = false, recursion_name = "x.example" }), nil)
	local script = steps(FULL)
	table.remove(script, 5)
	run(script)
	test.equal(test.results().recursion, nil)
	test.equal(test.results().edns.supported, true)
end)

test.case("versions of BIND and others", function()
	local products = require("products")
	for text, wanted in pairs({
		["9.18.33-1~deb12u2-Debian"] = "ISC BIND 9.18.33", ["9.11.4-P2-RedHat-9.11.4-26.P2.el7"] = "ISC BIND 9.11.4",
		["dnsmasq-2.90"] = "dnsmasq 2.90", ["NSD 4.6.1"] = "NSD 4.6.1", ["Knot DNS 3.2.6"] = "Knot DNS 3.2.6",
		["PowerDNS Authoritative Server 4.7.3 (built Dec 1 2022)"] = "PowerDNS Authoritative Server 4.7.3",
		["PowerDNS Recursor 4.8.8"] = "PowerDNS Recursor 4.8.8", ["CoreDNS-1.9.3"] = "CoreDNS 1.9.3",
	}) do
		local got
		for _, row in ipairs(products) do
			local version = text:match(row[1])
			if version then
				got = row[2] .. " " .. version
				break
			end
		end
		test.equal(got, wanted)
	end
end)

test.case("settings that are refused", function()
	local function why(more)
		local config = { timeout = 2, attempts = 2, recursion = true, recursion_name = "x.example" }
		for key, value in pairs(more) do config[key] = value end
		return test.call("on_load", config)
	end
	test.equal(why({ timeout = 0 }), "timeout must be a number of seconds, above 0 and at most 30")
	test.equal(why({ timeout = "2" }), "timeout must be a number of seconds, above 0 and at most 30")
	test.equal(why({ attempts = 6 }), "attempts must be a whole number from 1 to 5")
	test.equal(why({ attempts = 1.5 }), "attempts must be a whole number from 1 to 5")
	test.equal(why({ recursion = 1 }), "recursion must be true or false")
	test.equal(why({ recursion_name = "a b" }), "recursion_name must be a domain name, such as prtip-dp.example")
	test.equal(why({ recursion_name = ("x"):rep(64) }), "recursion_name must be a domain name, such as prtip-dp.example")
	test.equal(why({}), nil)
end)
