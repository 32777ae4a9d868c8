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

-- To ask the host itself, add capability "network" to plugin.toml and define
--     function probe_service(target)
-- It is called after analyze_banner(), while no service is known or its confidence is below 0.8:
-- prtip.connect(target.ip, target.port, { timeout = 3 }), prtip.send(), prtip.receive(),
-- prtip.close(). Each returns nil and an error where it fails.
