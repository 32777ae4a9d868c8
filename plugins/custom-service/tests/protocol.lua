-- SPDX-License-Identifier: BSD-3-Clause
-- Frames and bodies, without a network.

local lantern = require("lantern")
local crc32 = require("crc32")

test.case("CRC-32 by its published check value", function()
	test.equal(crc32("123456789"), 0xCBF43926)
	test.equal(crc32(""), 0)
end)

test.case("a HELLO byte by byte, as in README.md", function()
	test.equal(prtip.hex(lantern.encode(lantern.REQUEST, lantern.HELLO, 1, lantern.put_string("me"))),
		"4c4e544e" .. "01010100" .. "00000001" .. "00000004" .. "00026d65" .. "35e2d70d")
end)

test.case("heads", function()
	local frame = lantern.encode(2, 3, 0x01020304, "abc")
	test.equal(lantern.head(frame:sub(1, 16)), { version = 1, kind = 2, method = 3, id = 0x01020304, length = 3 })
	test.equal({ lantern.intact(frame:sub(1, 16), frame:sub(17)) }, { true, "abc" })
	test.equal(lantern.intact(frame:sub(1, 16), "abd" .. frame:sub(20)), false)
	test.equal(select(2, lantern.head("LNTM" .. frame:sub(5, 16))), "wrong magic")
	test.equal(select(2, lantern.head("LNTN\2" .. frame:sub(6, 16))), "version 2")
	test.equal(select(2, lantern.head(frame:sub(1, 12) .. "\255\255\255\255")), "oversized frame")
	test.ok(lantern.head(frame:sub(1, 12) .. "\0\0\32\0"))
	test.equal(select(2, lantern.head(frame:sub(1, 12) .. "\0\0\32\1")), "oversized frame")
end)

test.case("bodies, and those that lack a byte or have one too many", function()
	local function check(read, body, wanted)
		test.equal(read(body), wanted)
		for n = 0, #body - 1 do test.equal(read(body:sub(1, n)), nil) end
		test.equal(read(body .. "\0"), nil)
	end
	local s = lantern.put_string
	check(lantern.read_hello, s("P") .. s("1.2") .. "\0\0\0\3" .. s(""), { product = "P", version = "1.2", features = 3, instance = "" })
	check(lantern.read_describe, "\0\2\1" .. s("HELLO") .. "\9" .. s("x"), { { method = 1, name = "HELLO" }, { method = 9, name = "x" } })
	check(lantern.read_stats, "\0\0\1\0\0\0\0\2\0\0\0\1\0\0\0\0", { uptime_s = 256, connections = 2, requests = 4294967296 })
	check(lantern.read_error, "\0\4" .. s("no"), { code = 4, text = "no" })
	test.equal(lantern.read_describe("\255\255"), nil)
	test.equal(lantern.read_error("\0\4\0\1\255"), nil)
end)

test.case("settings that are refused", function()
	for _, value in ipairs({ 0, -1, 61, "5", 0 / 0 }) do
		test.equal(test.call("on_load", { timeout = value, client = "x" }), "timeout must be a number of seconds, above 0 and at most 60")
	end
	test.equal(test.call("on_load", { timeout = 5, client = "" }), "client must be a text of 1 to 64 bytes")
	test.equal(test.call("on_load", { timeout = 5, client = ("x"):rep(65) }), "client must be a text of 1 to 64 bytes")
	test.equal(test.call("on_load", { timeout = 5, client = "prtip-dp" }), nil)
end)
