-- SPDX-License-Identifier: BSD-3-Clause
-- What is knocked, and what is told of it. The scripted network's ports do not open, so a table of
-- states that changes with the knocks stands in for the door.

local real = { scan_port = prtip.scan_port, sleep = prtip.sleep, now = prtip.now }

-- A door that opens tcp/22 of the address behind its knocks; returns what was sent, in order.
local function door(opens_by, states)
	local sent, heard, clock = {}, {}, 1000
	prtip.scan_port = function(ip, port, protocol)
		protocol = protocol or "tcp"
		sent[#sent + 1] = ("%s %s/%d"):format(ip, protocol, port)
		local told = states and states[ip]
		if told then return told[1], told[2] end
		if port == 22 and protocol == "tcp" then
			return (heard[ip] or ""):find(opens_by, 1, true) and "open" or "filtered"
		end
		heard[ip] = (heard[ip] or "") .. protocol .. "/" .. port .. " "
		clock = clock + 0.1
		return "no-answer"
	end
	prtip.sleep = function(seconds)
		sent[#sent + 1] = ("sleep %.1f"):format(seconds)
		clock = clock + seconds
	end
	prtip.now = function()
		return clock
	end
	return sent
end

local function load(list, more)
	local all = { sequences = list, delay = 0.2, settle = 0.5, attempts = 2, max_targets = 64, budget = 240 }
	for key, value in pairs(more or {}) do all[key] = value end
	test.equal(test.call("on_load", all), nil)
end

local function case(name, run)
	test.case(name, function()
		local ok, why = pcall(run)
		prtip.scan_port, prtip.sleep, prtip.now = real.scan_port, real.sleep, real.now
		if not ok then error(why, 0) end
	end)
end

local targets = {}
for i = 1, 3 do
	for _, port in ipairs({ 22, 80 }) do
		targets[#targets + 1] = { ip = "198.18.0." .. i, port = port, protocol = "tcp" }
	end
end

case("a look, the knocks with their delays, and another look", function()
	load({ "198.18.0.1: tcp/7000 udp/8000 tcp/9000 delay=0.5 opens=22" })
	local sent = door("tcp/7000 udp/8000 tcp/9000 ")
	test.call("on_pre_scan", targets)
	test.equal(sent, {
		"198.18.0.1 tcp/22", "198.18.0.1 tcp/7000", "sleep 0.4", "198.18.0.1 udp/8000", "sleep 0.4",
		"198.18.0.1 tcp/9000", "sleep 0.5", "198.18.0.1 tcp/22",
	})
	test.equal(test.logs(), { { level = "info", message =
		"198.18.0.1: tcp/22 filtered, then open (tcp/7000 udp/8000 tcp/9000, 1 of 2 attempts)" } })
	test.call("on_target", targets[1], test.result{})
	test.equal(test.results(), {
		opened_by_knocking = true,
		sequences = { {
			sequence = "tcp/7000 udp/8000 tcp/9000", before = { ["tcp/22"] = "filtered" }, after = { ["tcp/22"] = "open" },
			attempts = 1, open = true,
		} },
	})
	test.call("on_post_scan", {})
	test.equal(test.logs()[2].message, "knocked at 1 addresses; what should open was open for 1 of 1 sequences")
end)

case("another port of the same host was not opened by it", function()
	load({ "198.18.0.1: tcp/7000 opens=22" })
	door("tcp/7000 ")
	test.call("on_pre_scan", targets)
	test.call("on_target", targets[2], test.result{})
	test.equal(test.results().opened_by_knocking, nil)
	test.equal(#test.results().sequences, 1)
end)

case("again where it stays shut, then a warning", function()
	load({ "198.18.0.1: tcp/7001 opens=22" }, { attempts = 3 })
	local sent = door("never")
	test.call("on_pre_scan", targets)
	local knocks = 0
	for _, what in ipairs(sent) do
		if what == "198.18.0.1 tcp/7001" then knocks = knocks + 1 end
	end
	test.equal(knocks, 3)
	test.equal(test.logs()[1].level, "warn")
	test.call("on_target", targets[1], test.result{})
	test.equal(test.results().opened_by_knocking, nil)
	test.equal(test.results().sequences[1].open, false)
end)

case("what is open needs no knocking", function()
	load({ "198.18.0.1: tcp/7001 opens=22" })
	local sent = door("", nil)
	test.call("on_pre_scan", targets)
	test.equal(sent, { "198.18.0.1 tcp/22" })
	test.call("on_target", targets[1], test.result{})
	test.equal(test.results().opened_by_knocking, nil)
end)

case("without opens= it is knocked once, and nothing is looked at", function()
	load({ "198.18.0.1: tcp/7001 udp/7002" })
	local sent = door("never")
	test.call("on_pre_scan", targets)
	test.equal(sent, { "198.18.0.1 tcp/7001", "sleep 0.1", "198.18.0.1 udp/7002" })
end)

case("addresses with sequences of their own, and * for the others", function()
	load({ "198.18.0.2: tcp/1", "*: tcp/2", "198.18.0.2: tcp/3" })
	local sent = door("never")
	test.call("on_pre_scan", targets)
	test.equal(sent, { "198.18.0.2 tcp/1", "198.18.0.2 tcp/3", "198.18.0.1 tcp/2", "198.18.0.3 tcp/2" })
end)

case("a setting for each sequence", function()
	load({ "198.18.0.3: tcp/1" }, { sequence_b = "198.18.0.3: tcp/3", sequence_a = "198.18.0.3: tcp/2" })
	local sent = door("never")
	test.call("on_pre_scan", targets)
	test.equal(sent, { "198.18.0.3 tcp/1", "198.18.0.3 tcp/2", "198.18.0.3 tcp/3" })
end)

case("* stops at max_targets and says so", function()
	load({ "*: tcp/2" }, { max_targets = 2 })
	local sent = door("never")
	test.call("on_pre_scan", targets)
	test.equal(sent, { "198.18.0.1 tcp/2", "198.18.0.2 tcp/2" })
	test.equal(test.logs()[1], { level = "warn", message = "the sequence for * knocks at 2 addresses only (max_targets)" })
end)

case("an address that the scan does not have, and a probe that fails", function()
	load({ "198.18.0.9: tcp/1 opens=22", "198.18.0.8: tcp/1", "198.18.0.3: tcp/1" })
	local sent = door("never", { ["198.18.0.9"] = { nil, "denied" }, ["198.18.0.8"] = { nil, "no buffer" } })
	test.call("on_pre_scan", targets)
	test.equal(sent[#sent], "198.18.0.9 tcp/22")
	test.equal(test.logs()[2], { level = "error", message = "198.18.0.8: knocking failed: no buffer" })
	test.equal(test.logs()[3], { level = "error", message = "198.18.0.9: not knocked at: it is no target of this scan" })
	test.call("on_target", { ip = "198.18.0.9", port = 22, protocol = "tcp" }, test.result{})
	test.equal(test.results(), {})
end)

case("the budget ends it", function()
	load({ "*: tcp/1 tcp/2 delay=60" }, { budget = 100 })
	local sent = door("never")
	test.call("on_pre_scan", targets)
	test.equal(sent[#sent], "198.18.0.2 tcp/2")
	local logs = test.logs()
	test.equal(logs[#logs].message, "198.18.0.3: not knocked at: the budget of 100 seconds is used up")
end)

case("nothing to do", function()
	load({})
	local sent = door("never")
	test.call("on_pre_scan", targets)
	test.equal(sent, {})
	test.equal(test.logs()[1].level, "warn")
	test.call("on_post_scan", {})
	test.equal(#test.logs(), 1)
end)

test.case("scan_port of the real API takes what it is given", function()
	load({ "198.18.0.1: tcp/7000 udp/8000 opens=22 opens=udp/53" }, { settle = 0 })
	test.ports("198.18.0.1", { [22] = "open" })
	test.ports("198.18.0.1", { [53] = "open" }, "udp")
	test.call("on_pre_scan", targets)
	test.equal(test.logs()[1].message, "198.18.0.1: tcp/22 open, then open; udp/53 open, then open (tcp/7000 udp/8000, 0 of 2 attempts)")
end)

test.case("hosts without a port", function()
	load({ "198.18.0.1: tcp/7000" })
	test.call("on_pre_scan", targets)
	test.call("on_target", test.target{ protocol = "icmp" }, test.result{ protocol = "icmp" })
	test.equal(test.results().sequences[1].sequence, "tcp/7000")
end)
