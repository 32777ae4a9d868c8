-- SPDX-License-Identifier: BSD-3-Clause
-- A detection plugin names the service on a port.

local confidence

-- Called once, before anything is sent, with [config] of plugin.toml as the operator changed it. A
-- string that it returns ends the run: "this setting is wrong".
function on_load(config)
	if config.confidence < 0 or config.confidence > 1 then
		return "confidence is " .. config.confidence .. "; it must be from 0 to 1"
	end
	confidence = config.confidence
end

-- Whoever answers chooses the text. Fields are UTF-8 of limited length.
local function fit(text)
	return text and #text <= 60 and utf8.len(text) and text or nil
end

-- Called for each result that has a banner; they are captured with `--set banner.enable=on`. Return
-- what is known, or nil. What is surer than what others found wins.
function analyze_banner(banner)
	local software = banner:match("^SSH%-[%d.]+%-([^ \r\n]+)") -- RFC 4253 section 4.2
	if not software then
		return nil
	end
	local product, version = software:match("^(%a+)_(%d[%w.]*)")
	return {
		service = "ssh",
		product = fit(product or software),
		version = fit(version),
		confidence = confidence,
	}
end

-- To ask the host itself: make the next --[[ a ---[[ here and in tests/basic.lua, and write
-- capabilities = ["network"] in plugin.toml. The simulated network has nobody to connect to: "For
-- real" in docs/plugin-guide.md has a server on this machine.
--[[
local SECONDS = 5 -- for the whole conversation with one host

-- The first line, or nil and why. It may come in pieces, and one that never ends is no greeting.
local function read_line(sock, deadline)
	local data = ""
	while not data:find("\n", 1, true) do
		local more, why = prtip.receive(sock, 512, math.max(deadline - prtip.now(), 0))
		if not more then
			return nil, why -- "timeout" for instance
		end
		data = data .. more
		if more == "" or #data > 1024 or prtip.now() > deadline then
			return nil, "no whole line"
		end
	end
	return data
end

-- Called after analyze_banner(), while no service is known or its confidence is below 0.8.
function probe_service(target)
	local deadline = prtip.now() + SECONDS
	local sock, why = prtip.connect(target.ip, target.port, { timeout = SECONDS })
	if not sock then
		prtip.log("debug", tostring(target) .. ": " .. why)
		return nil
	end
	local line
	line, why = read_line(sock, deadline)
	prtip.close(sock)
	if not line then
		prtip.log("debug", tostring(target) .. ": " .. why)
		return nil
	end
	return analyze_banner(line)
end
--]]
