-- SPDX-License-Identifier: BSD-3-Clause
-- Tests of main.lua, run by `prtip-dp --check-plugin @NAME@`. Nothing is sent.

test.case("product and version", function()
	test.equal(test.call("analyze_banner", "SSH-2.0-OpenSSH_9.6 Debian-1\r\n"),
		{ service = "ssh", product = "OpenSSH", version = "9.6", confidence = 0.9 })
end)

test.case("another form of the name", function()
	test.equal(test.call("analyze_banner", "SSH-2.0-Go\r\n"),
		{ service = "ssh", product = "Go", confidence = 0.9 })
end)

test.case("what is no text, or too much of it", function()
	local only = { service = "ssh", confidence = 0.9 }
	test.equal(test.call("analyze_banner", "SSH-2.0-\255\254\r\n"), only)
	test.equal(test.call("analyze_banner", "SSH-2.0-" .. ("x"):rep(400)), only)
end)

test.case("something else is left to others", function()
	test.equal(test.call("analyze_banner", "220 mail.example ESMTP\r\n"), nil)
	test.equal(test.call("analyze_banner", ""), nil)
end)

test.case("a wrong setting is refused", function()
	test.equal(test.call("on_load", { confidence = 2 }),
		"confidence is 2; it must be from 0 to 1")
end)

-- Those of probe_service(), once main.lua has it.
--[[
local IP = "198.18.0.1"

test.case("a greeting in two pieces", function()
	test.server(IP, 22, { { reply = "SSH-2.0-Open" }, { reply = "SSH_9.6\r\n" } })
	test.equal(test.call("probe_service", test.target{ port = 22 }),
		{ service = "ssh", product = "OpenSSH", version = "9.6", confidence = 0.9 })
end)

test.case("nobody there, silence, half a line, no end of one", function()
	local function nothing(script)
		test.server(IP, 22, script)
		test.equal(test.call("probe_service", test.target{ port = 22 }), nil)
		return test.logs()[#test.logs()].message
	end
	test.equal(nothing{ { refuse = true } }, "198.18.0.1:22/tcp: Connection refused")
	test.equal(nothing{ { timeout = true } }, "198.18.0.1:22/tcp: timeout")
	test.equal(nothing{ { reply = "SSH-2.0" } }, "198.18.0.1:22/tcp: no whole line")
	test.equal(nothing{ { reply = ("x"):rep(512) }, { reply = ("x"):rep(512) }, { reply = "x" },
		{ timeout = true } }, "198.18.0.1:22/tcp: no whole line")
end)
--]]
