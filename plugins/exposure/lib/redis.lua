-- SPDX-License-Identifier: BSD-3-Clause
-- Redis and what is compatible with it: PING, then INFO of its section `server` (RESP, as in
-- redis.io/docs/reference/protocol-spec).

local finding = require("finding")
local LINE_BYTES, INFO_BYTES = 2048, 16384 -- the words of protected mode are nearly 1,000

local function command(...)
	local words = { ... }
	local text = "*" .. #words .. "\r\n"
	for _, word in ipairs(words) do text = text .. "$" .. #word .. "\r\n" .. word .. "\r\n" end
	return text
end

-- One reply: its kind, the first byte, and its text; nil and why.
local function reply(peer)
	local line, why = peer:line(LINE_BYTES)
	if not line then return nil, why end
	local kind, rest = line:sub(1, 1), line:sub(2)
	if kind ~= "$" then return kind, rest end
	local length = tonumber(rest)
	if not length or length < 0 or length > INFO_BYTES then return nil, "a length of " .. finding.clean(rest, 20) end
	return kind, peer:read(length + 2)
end

-- What an error line means.
local function refusal(text, asked)
	local word = text:match("^(%S+)") or ""
	if word == "NOAUTH" or word == "NOPERM" or text:find("operation not permitted", 1, true) then
		return finding.closed(asked .. " got " .. finding.clean(word), { service = "redis", product = "Redis" })
	end
	if word == "DENIED" then
		return finding.refused("protected mode: it answers its own machine only", { service = "redis", product = "Redis" })
	end
end

return function(peer)
	local sent, why = peer:write(command("PING"))
	local kind, text
	if sent then kind, text = reply(peer) end
	if not kind then return finding.silent(text or why) end
	local no = kind == "-" and refusal(text, "PING")
	if no then return no end
	if kind ~= "+" or text ~= "PONG" then return finding.other("PING got " .. finding.clean(kind .. text, 40)) end

	sent, why = peer:write(command("INFO", "server"))
	if sent then kind, text = reply(peer) end
	no = kind == "-" and refusal(text, "INFO")
	if no then return no end
	local version = kind == "$" and text and text:match("redis_version:([%w.-]+)")
	if not version then
		-- PING alone is no data; some proxies answer it for a server that wants a login.
		return finding.refused("PING got PONG, INFO nothing of use", { service = "redis" })
	end
	return finding.open("PING and INFO answered", {
		service = "redis", product = "Redis", version = version, cpe = "cpe:/a:redis:redis:" .. version,
		mode = text:match("redis_mode:(%w+)"), os = finding.clean(text:match("[\r\n]os:([^\r\n]*)") or "", 100),
	})
end
