-- SPDX-License-Identifier: BSD-3-Clause
-- A scan plugin sees each result while the scan runs, and all of them at its end.

local far_us

-- Called once, before anything is sent, with [config] of plugin.toml as the operator changed it. A
-- string that it returns ends the run: "this setting is wrong".
function on_load(config)
	if config.far_ms <= 0 then
		return "far_ms is " .. config.far_ms .. "; it must be over 0"
	end
	far_us = config.far_ms * 1000
end

local function distance(rtt_us)
	return rtt_us >= far_us and "far" or "near"
end

-- Called for each result that [plugin.match] lets through. What add_result() gets stands in the
-- record, under plugins. Both arguments have all that is known, and are read-only.
function on_target(target, result)
	if result.rtt_us then -- nil where the answer does not tell
		prtip.add_result("distance", distance(result.rtt_us))
	end
end

-- Called once, after the last result. results may be longer than memory: go through it from the
-- first to the last, and keep sums instead of elements. The limit of instructions holds from one
-- element to the next, so sort nothing long behind the last one. --quiet hides what is logged here.
function on_post_scan(results)
	local count = { near = 0, far = 0 }
	for _, result in prtip.each(results) do
		if result.rtt_us then
			local where = distance(result.rtt_us)
			count[where] = count[where] + 1
		end
	end
	prtip.log("info", ("%d near, %d far"):format(count.near, count.far))
end
