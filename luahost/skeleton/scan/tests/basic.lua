-- SPDX-License-Identifier: BSD-3-Clause
-- Tests of main.lua, run by `prtip-dp --check-plugin @NAME@`. Nothing is sent.

local function distance_of(rtt_us)
	local result = test.result{ rtt_us = rtt_us }
	test.call("on_target", test.target{}, result)
	return test.results().distance
end

test.case("near is less than far_ms", function()
	test.equal(distance_of(19999), "near")
	test.equal(distance_of(20000), "far")
end)

test.case("another far_ms", function()
	test.call("on_load", { far_ms = 1 })
	test.equal(distance_of(1500), "far")
	test.call("on_load", { far_ms = 20 })
end)

test.case("a wrong setting is refused", function()
	test.equal(test.call("on_load", { far_ms = 0 }), "far_ms is 0; it must be over 0")
end)

test.case("the sum at the end", function()
	test.call("on_post_scan", { test.result{ rtt_us = 5 }, test.result{ rtt_us = 50000 } })
	test.equal(test.logs(), { { level = "info", message = "1 near, 1 far" } })
end)
