-- SPDX-License-Identifier: BSD-3-Clause
-- Settings: what is read, and what is refused.

local sequence = require("sequence")
local address = require("address")

local function config(list, more)
	local all = { sequences = list, delay = 0.2, settle = 0.5, attempts = 2, max_targets = 64, budget = 240 }
	for key, value in pairs(more or {}) do all[key] = value end
	return all
end

test.case("a sequence with everything", function()
	test.equal(sequence.parse("198.18.1.5 2001:DB8:0:0::5:  tcp/7000 udp/8000 delay=0.5 tcp/9000 opens=22 opens=udp/53"), {
		addresses = { "198.18.1.5", "2001:db8::5" }, delay = 0.5, text = "tcp/7000 udp/8000 tcp/9000",
		knocks = { { protocol = "tcp", port = 7000 }, { protocol = "udp", port = 8000 }, { protocol = "tcp", port = 9000 } },
		opens = { { protocol = "tcp", port = 22 }, { protocol = "udp", port = 53 } },
	})
	test.equal(sequence.parse("*: tcp/1").addresses, nil)
end)

for text, wanted in pairs({
	["198.18.1.5 tcp/7000"] = "no \": \"",
	["198.18.1.5:tcp/7000"] = "no \": \"",
	["198.18.1.5:"] = "no \": \"",
	["198.18.1.5: opens=22"] = "there is no knock",
	[" : tcp/1"] = "no address in front",
	["host.example: tcp/1"] = "host.example is no IP address",
	["198.18.1.256: tcp/1"] = "198.18.1.256 is no IP address",
	["198.18.1.05: tcp/1"] = "198.18.1.05 is no IP address",
	["198.18.1.5: tcp/70000"] = "tcp/70000: a knock is",
	["198.18.1.5: tcp/0"] = "tcp/0: a knock is",
	["198.18.1.5: sctp/7"] = "sctp/7: a knock is",
	["198.18.1.5: 7000"] = "7000: a knock is",
	["198.18.1.5: tcp/7 delay=-1"] = "delay=-1",
	["198.18.1.5: tcp/7 delay=61"] = "delay=61",
	["198.18.1.5: tcp/7 delay=x"] = "delay=x",
	["198.18.1.5: tcp/7 delay=nan"] = "delay=nan",
	["198.18.1.5: tcp/7 opens=x"] = "opens=x",
	["198.18.1.5: tcp/7 close=1"] = "close=1: known are",
	["198.18.1.5: " .. ("tcp/7 "):rep(65)] = "over 64 knocks",
	["198.18.1.5: tcp/7 " .. ("opens=22 "):rep(9)] = "over 8 times",
	[("198.18.1.5 "):rep(257) .. ": tcp/7"] = "over 256 addresses",
}) do
	test.case("refused: " .. text:sub(1, 60) .. #text, function()
		local why = test.call("on_load", config({ "198.18.1.1: tcp/1", text }))
		test.ok(why and why:find("sequences, number 2", 1, true), tostring(why))
		test.ok(why:find(wanted, 1, true), why)
	end)
end

test.case("other settings that are refused", function()
	local function why(more)
		return test.call("on_load", config({}, more))
	end
	test.equal(why({ delay = "1" }), "delay must be a number from 0 to 60")
	test.equal(why({ delay = 0 / 0 }), "delay must be a number from 0 to 60")
	test.equal(why({ attempts = 0 }), "attempts must be a whole number from 1 to 10")
	test.equal(why({ attempts = 1.5 }), "attempts must be a whole number from 1 to 10")
	test.equal(why({ max_targets = 70000 }), "max_targets must be a whole number from 1 to 65536")
	test.equal(why({ budget = 0 }), "budget must be a number from 1 to 86400")
	test.equal(why({ sequences = "198.18.1.1: tcp/1" }), "sequences must be an array of strings")
	test.equal(why({ sequences = { 7 } }), "sequences, number 1 must be a string")
	test.equal(why({ sequence_a = "*: tcp/1", sequence_b = "x" }), 'sequence_b, "x": there is no ": " between addresses and knocks')
	test.ok(why({ delays = 1 }):find("^delays is no setting; known are"))
	test.equal(why({}), nil)
end)

test.case("addresses as a scan writes them", function()
	for text, wanted in pairs({
		["2001:db8:0:0:1:0:0:1"] = "2001:db8::1:0:0:1", ["2001:0DB8::1"] = "2001:db8::1", ["::"] = "::", ["::1"] = "::1",
		["fe80::"] = "fe80::", ["1:2:3:4:5:6:7:8"] = "1:2:3:4:5:6:7:8", ["1:0:3:4:5:6:7:8"] = "1:0:3:4:5:6:7:8",
		["1::3:4:5:6:7:8"] = "1:0:3:4:5:6:7:8", ["2001:db8:0:0:0:1:0:0"] = "2001:db8::1:0:0", ["198.18.0.1"] = "198.18.0.1",
	}) do
		test.equal(address.normal(text), wanted)
	end
	for _, text in ipairs({ "", "1", "1:2:3", ":::", "1::2::3", "g::1", "12345::1", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
		"198.18.1", "::1%eth0", "1.2.3.4.5" }) do
		test.equal(address.normal(text), nil)
	end
end)
