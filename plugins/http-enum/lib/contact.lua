-- SPDX-License-Identifier: BSD-3-Clause
-- The first request to a server, which finds out whether the port speaks TLS.
local http = require("http")

local contact = {}

-- Ports on which TLS comes first.
local TLS_PORTS = { [443] = true, [4443] = true, [7443] = true, [8443] = true, [9443] = true, [10443] = true }

-- Services that are HTTP, or TLS with who knows what in it.
local PLAIN = { ["http"] = true, ["http-alt"] = true, ["http-proxy"] = true }
local OVER_TLS = { ["https"] = true, ["ssl"] = true, ["tls"] = true, ["ssl/http"] = true, ["https-alt"] = true }

-- What servers say to a plain request on a TLS port, with status 400, in lower case: nginx, Apache, Go,
-- Tomcat.
local WRONG_SCHEME = {
	"plain http request was sent to https port", "speaking plain http to an ssl-enabled",
	"http request to an https server", "host and port requires tls",
}

-- Alert and handshake records (RFC 8446 section 5.1).
local function is_tls(bytes)
	return bytes:find("^[\21\22]\3") ~= nil
end

local function is_wrong_scheme(status, text)
	if status ~= 400 then return false end
	text = text:lower()
	for _, words in ipairs(WRONG_SCHEME) do
		if text:find(words, 1, true) then return true end
	end
	return false
end

-- What a banner says: true for TLS, false for plain HTTP, nil for neither.
local function told_by(banner)
	if is_tls(banner) then return true end
	local status = banner:match("^HTTP/1%.%d (%d%d%d)")
	if status then return is_wrong_scheme(tonumber(status), banner) end
	return nil
end

-- Whether the port may be HTTP, as far as the scan knows: on any port where banner or service say so,
-- else on those of the list. Mail over TLS is left alone, and so is all that says something else when it
-- is connected to.
function contact.is_likely(target, ports)
	if target.zero_window then return false end
	local banner, service = target.banner, target.service
	if banner and banner ~= "" and told_by(banner) == nil then return false end
	if banner and banner:find("^HTTP/") then return true end
	if PLAIN[service] or service == "https" then return true end
	return ports[target.port] and (not service or OVER_TLS[service]) or false
end

-- The ways to try, in order: true for TLS.
local function ways(target, settings)
	if settings.tls ~= "auto" then return { settings.tls == "yes" } end
	local first = target.banner and told_by(target.banner)
	if first == nil and OVER_TLS[target.service] then first = true end
	if first == nil and PLAIN[target.service] then first = false end
	if first == nil then first = TLS_PORTS[target.port] or false end
	return { first, not first }
end

-- Whether the other way is worth trying after this one failed. Where nothing listens or nothing is
-- said, it is not.
local function is_other_way(tls, why, failure)
	if tls then return failure.stage == "tls" and why ~= "timeout" end
	if failure.stage == "connect" then return false end
	return is_tls(failure.data) or failure.data == "" and why ~= "timeout"
end

-- A client of the server and its response to GET of the path; nil, why where it does not speak HTTP.
function contact.make(target, settings, path)
	local problem
	local requests, connections = 0, 0
	for _, tls in ipairs(ways(target, settings)) do
		local client = http.client{
			ip = target.ip, port = target.port, tls = tls, host = settings.host,
			user_agent = settings.user_agent, timeout = settings.timeout, delay = settings.delay,
			max_bytes = settings.max_bytes,
		}
		-- What the other way took counts, too.
		client.requests, client.connections = requests, connections
		local response, why, failure = client:request("GET", path)
		if response and (tls or not is_wrong_scheme(response.status, response.body)) then
			return client, response
		end
		client:close()
		requests, connections = client.requests, client.connections
		problem = why or "it wants TLS"
		if not response and not is_other_way(tls, why, failure) then break end
	end
	return nil, problem
end

return contact
