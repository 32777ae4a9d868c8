-- SPDX-License-Identifier: BSD-3-Clause
-- Messages, without a network.

local dns = require("dns")
local T, C = dns.TYPE, dns.CLASS

-- An answer to version.bind with a compressed owner, as BIND sends it.
local ANSWER = "\18\52\133\0\0\1\0\1\0\0\0\1" .. "\7version\4bind\0\0\16\0\3"
	.. "\192\12\0\16\0\3\0\0\0\0\0\12\11dnsmasq-2.9" .. "\0\0\41\4\208\0\0\128\0\0\8\0\3\0\4node"

test.case("a query", function()
	test.equal(dns.query({ id = 0x1234, name = "version.bind", type = T.TXT, class = C.CH }),
		"\18\52\0\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\16\0\3")
	test.equal(dns.query({ id = 1, name = ".", type = T.SOA, class = C.IN, recursion = true,
		edns = { size = 1232, dnssec = true, nsid = true } }),
		"\0\1\1\0\0\1\0\0\0\0\0\1\0\0\6\0\1" .. "\0\0\41\4\208\0\0\128\0\0\4\0\3\0\0")
end)

test.case("names", function()
	test.equal(dns.put_name("a.bc."), "\1a\2bc\0")
	test.equal(dns.put_name(""), "\0")
	test.equal(dns.put_name("a..b"), nil)
	test.equal(dns.put_name(("x"):rep(64)), nil)
	test.ok(dns.put_name(("x"):rep(63)))
	test.equal(dns.put_name(("abcdefg."):rep(32)), nil)
end)

test.case("an answer", function()
	test.equal(dns.decode(ANSWER), {
		id = 0x1234, response = true, authoritative = true, truncated = false, recursion_available = false,
		authentic = false, rcode = 0, question = { name = "version.bind", type = 16, class = 3 },
		answer = { { name = "version.bind", type = 16, class = 3, data = "\11dnsmasq-2.9", text = "dnsmasq-2.9" } },
		authority = {}, edns = { extended = 0, version = 0, dnssec = true, size = 1232, options = { [3] = "node" } },
	})
end)

test.case("the upper bits of the rcode are in OPT", function()
	test.equal(dns.decode("\0\1\128\0\0\0\0\0\0\0\0\1\0\0\41\4\208\1\0\0\0\0\0").rcode, 16)
	test.equal(dns.rcode_name(16), "BADVERS")
	test.equal(dns.rcode_name(11), "RCODE11")
end)

test.case("what is cut anywhere is refused", function()
	for n = 0, #ANSWER - 1 do test.equal(dns.decode(ANSWER:sub(1, n)), nil) end
	-- Unless it says that it is cut.
	local cut = dns.decode(ANSWER:sub(1, 2) .. "\135" .. ANSWER:sub(4, 40))
	test.equal({ cut.truncated, cut.answer, cut.question.name }, { true, {}, "version.bind" })
end)

test.case("pointers that lead nowhere, forward or in a circle", function()
	local head = "\0\1\128\0\0\1\0\0\0\0\0\0"
	for _, name in ipairs({ "\192\12", "\1a\192\12", "\192\14\192\12", "\192\255", "\255\255", "\192", "\1a\192\20", "\64a\0", "\128" }) do
		test.equal(dns.decode(head .. name .. "\0\16\0\3"), nil)
	end
end)

test.case("a name may use pointers, and not be over 255 bytes", function()
	-- Records whose owners each point at the one before.
	local function chain(labels)
		local message, last = "\0\1\128\0\0\0" .. string.char(0, labels) .. "\0\0\0\0", nil
		for _ = 1, labels do
			local at = #message
			message = message .. "\50" .. ("x"):rep(50) .. (last and string.char(192 + math.floor(last / 256), last % 256) or "\0")
				.. "\0\1\0\1\0\0\0\0\0\0"
			last = at
		end
		return dns.decode(message)
	end
	test.equal(#chain(4).answer[4].name, 203)
	test.equal(chain(5), nil)
end)

test.case("counts and lengths that lie", function()
	test.equal(dns.decode("\0\1\128\0\0\0\255\255\0\0\0\0"), nil)
	test.equal(dns.decode("\0\1\128\0\255\255\0\0\0\0\0\0"), nil)
	test.equal(dns.decode("\0\1\128\0\0\0\0\1\0\0\0\0\0\0\16\0\3\0\0\0\0\0\3\5ab"), nil)
	test.equal(dns.decode("\0\1\128\0\0\0\0\0\0\0\0\1\0\0\41\4\208\0\0\0\0\0\3\0\3\0"), nil)
	test.equal(dns.decode(""), nil)
end)

test.case("each byte of an answer changed to anything raises nothing", function()
	for at = 1, #ANSWER do
		for _, value in ipairs({ 0, 1, 63, 64, 128, 191, 192, 255 }) do
			dns.decode(ANSWER:sub(1, at - 1) .. string.char(value) .. ANSWER:sub(at + 1))
		end
	end
end)
