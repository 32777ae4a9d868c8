-- SPDX-License-Identifier: BSD-3-Clause
-- What a Server header says, as a service: `product/version (comment) more` (RFC 9110 section 10.2.4).
local html = require("html")

local product = {}

-- Products whose own name is not what they send, and the vendor and product of their CPE.
local KNOWN = {
	["nginx"] = { "nginx", "nginx:nginx" },
	["apache"] = { "Apache httpd", "apache:http_server" },
	["lighttpd"] = { "lighttpd", "lighttpd:lighttpd" },
	["microsoft-iis"] = { "Microsoft IIS", "microsoft:internet_information_services" },
}

-- What speaks HTTP says so itself: the name is sure. The product is only what the server claims.
local SURE, CLAIMED = 0.85, 0.9

local function fits(text, most)
	return text and #text <= most and text or nil
end

-- The service table of a host whose Server header is `server`, or nil.
function product.service(server, tls)
	local service = { service = tls and "https" or "http", confidence = SURE }
	if not server then return service end
	local name, rest = server:match("^([^%s/(]+)(.*)$")
	if not name then return service end
	local version, more = rest:match("^/([^%s(]+)(.*)$")
	local known = KNOWN[name:lower()] or { name }
	service.product, service.confidence = fits(known[1], 127), CLAIMED
	service.version = fits(version, 63)
	service.info = html.clean(more or rest, 190)
	-- A version with other characters would have to be quoted in a CPE.
	if known[2] and service.version and not service.version:find("[^%w%.%-_]") then
		service.cpe = "cpe:/a:" .. known[2] .. ":" .. service.version
	end
	return service
end

return product
