-- SPDX-License-Identifier: BSD-3-Clause
-- Tests of main.lua, run by `prtip-dp --check-plugin @NAME@`. Nothing is written.

test.case("a line for each result", function()
	local result = test.result{ port = 22, service = "ssh" }
	test.equal(test.call("format_result", result), "198.18.0.1 22 open ssh\n")
end)

test.case("what has no port, and no service", function()
	local result = test.result{ ip = "2001:db8::1", protocol = "icmp" }
	test.equal(test.call("format_result", result), "2001:db8::1 - up -\n")
end)

test.case("no service breaks a line", function()
	local result = test.result{ service = "a\nb" }
	test.equal(test.call("format_result", result), "198.18.0.1 80 open a?b\n")
end)

test.case("the separator is a setting", function()
	test.call("on_load", { separator = ";" })
	test.equal(test.call("format_result", test.result{}), "198.18.0.1;80;open;-\n")
	test.equal(test.call("on_load", { separator = "" }),
		"separator is empty; give at least one character")
end)
