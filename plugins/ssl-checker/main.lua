-- SPDX-License-Identifier: BSD-3-Clause
-- Certificates, versions and cipher suites of a TLS server, what is weak in them, and a grade.
--
-- The work is done once for each result: in analyze_banner where there is a banner, in probe_service
-- where there is none.
local certificate = require("certificate")
local enumerate = require("enumerate")
local findings = require("findings")
local ports = require("ports")
local session = require("session")
local starttls = require("starttls")
local suites = require("suites")

local config

-- ---- Settings ----

local VERSIONS = { "SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3" }

-- name = { least, most, whole numbers only }
local NUMBERS = {
	max_probes = { 1, 1000, true }, max_seconds = { 1, 3600 }, delay = { 0, 60 }, timeout = { 0.1, 60 },
	warn_days = { 0, 3650 },
}
local TYPES = {
	server_name = "string", roots = "table", tls_ports = "table", skip_ports = "table",
	unknown_ports = "boolean", starttls = "boolean", ehlo = "string", versions = "table",
	ciphers = "boolean", alpn = "table",
}

local function check_numbers(given)
	for name, limits in pairs(NUMBERS) do
		local value = given[name]
		if type(value) ~= "number" or not (value >= limits[1] and value <= limits[2])
			or limits[3] and value % 1 ~= 0 then
			return ("%s: %s from %g to %g, not %s"):format(name,
				limits[3] and "a whole number" or "a number", limits[1], limits[2], tostring(value))
		end
	end
end

local function check_types(given)
	for name, wanted in pairs(TYPES) do
		if type(given[name]) ~= wanted then
			return ("%s: a %s, not a %s"):format(name, wanted == "table" and "list" or wanted,
				type(given[name]))
		end
		if wanted == "table" then
			for _, item in ipairs(given[name]) do
				if type(item) ~= "string" and type(item) ~= "number" then
					return name .. ": a list of strings"
				end
			end
		end
	end
end

-- A name that can be sent as SNI: RFC 6066 wants letters, digits, hyphens and dots, and no address.
local function check_names(given)
	local name = given.server_name
	if name ~= "" and (#name > 253 or not name:find("^[%w_-][%w._-]*$") or name:find("^[%d.]+$")) then
		return "server_name: a host name, or nothing, not " .. name
	end
	if not given.ehlo:find("^[%w.:%[%]-]+$") then
		return "ehlo: a host name"
	end
	for _, protocol in ipairs(given.alpn) do
		if type(protocol) ~= "string" or protocol == "" or #protocol > 60 then
			return "alpn: names of 1 to 60 bytes"
		end
	end
	if #given.alpn > 8 then
		return "alpn: at most 8 names"
	end
end

-- The wanted versions in ascending order; nil and what is wrong.
local function read_versions(given)
	local wanted, list = {}, {}
	for _, name in ipairs(given) do
		wanted[name] = true
	end
	for _, name in ipairs(VERSIONS) do
		if wanted[name] then
			list[#list + 1] = name
			wanted[name] = nil
		end
	end
	local unknown = next(wanted)
	if unknown then
		return nil, ("versions: %s is none of %s"):format(unknown, table.concat(VERSIONS, ", "))
	end
	if #list == 0 then
		return nil, "versions: name at least one"
	end
	return list
end

function on_load(given)
	local why = check_types(given) or check_numbers(given) or check_names(given)
	if why then
		return why
	end
	config = given
	config.server_name = given.server_name ~= "" and given.server_name or nil
	config.versions, why = read_versions(given.versions)
	if why then
		return why
	end
	config.is_tls_port, why = ports.set(given.tls_ports)
	if why then
		return "tls_ports: " .. why
	end
	config.is_skipped_port, why = ports.set(given.skip_ports)
	if why then
		return "skip_ports: " .. why
	end
end

-- ---- How to begin ----

local function means_tls(service)
	return service ~= nil and (service == "https" or service:find("ssl", 1, true) ~= nil
		or service:find("tls", 1, true) ~= nil or service:find("^%l+s$") ~= nil
			and starttls.of_service(service:sub(1, -2)) ~= nil)
end

-- A record of TLS, or HTTP's complaint that there should have been one.
local function shows_tls(banner)
	return banner:find("^[\21\22]\3") ~= nil
		or banner:find("^HTTP/%d.%d 400 ") ~= nil and (banner:find("HTTPS", 1, true) ~= nil
			or banner:find("SSL-enabled", 1, true) ~= nil)
end

-- How TLS may begin on a port: "tls" where we know that it does at once, "try" where it might,
-- "smtp" and others by STARTTLS; nil where it is not to be tried.
local function way_in(port, service, banner)
	if config.is_skipped_port(port) then
		return nil
	end
	if means_tls(service) or banner and shows_tls(banner) or config.is_tls_port(port) then
		return "tls"
	end
	local clear = starttls.of_service(service)
		or banner and starttls.of_banner(banner, port)
		or not banner and starttls.of_port(port)
	if clear then
		return config.starttls and clear or nil
	end
	return not banner and config.unknown_ports and "try" or nil
end

-- ---- The work ----

-- Is there TLS at all? Where it only might be, one hello tells; where it should be, servers that choke
-- on a modern hello get old ones, too. nil and why not.
local function is_there(session, certain)
	local hello, why = session:hello({ "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3" }, suites.any())
	if hello or not certain or why:find("^no TLS") or why == "Connection refused" then
		return hello ~= nil, why
	end
	for _, version in ipairs({ "TLSv1.0", "SSLv3", "SSLv2" }) do
		if session:hello({ version }, suites.short(version)) then
			return true
		end
	end
	return false, why
end

local function note_versions(all, found)
	local ids = { ["SSLv2"] = "ssl2", ["SSLv3"] = "ssl3", ["TLSv1.0"] = "tls10", ["TLSv1.1"] = "tls11" }
	for _, version in ipairs(found.order) do
		if ids[version] then
			findings.add(all, ids[version])
		end
	end
	local newest = found.order[#found.order]
	if newest and newest ~= "TLSv1.2" and newest ~= "TLSv1.3" and found.complete then
		findings.add(all, "no-modern-version")
	end
end

-- Returns "all", "some" or "none".
local function note_suites(all, found)
	local with, without = 0, 0
	for _, version in ipairs(found.order) do
		for _, name in ipairs(found.versions[version].ciphers) do
			for _, kind in ipairs(suites.weak(name)) do
				findings.add(all, kind, name)
			end
			if suites.is_forward_secret(version, name) then
				with = with + 1
			else
				without = without + 1
			end
		end
	end
	if without > 0 then
		findings.add(all, with == 0 and "no-forward-secrecy" or "some-forward-secrecy")
	end
	return without == 0 and "all" or with == 0 and "none" or "some"
end

local function note_protocol(all, found)
	if found.compression then
		findings.add(all, "compression")
	end
	if found.no_secure_renegotiation then
		findings.add(all, "no-secure-renegotiation")
	end
end

-- Certificates that suites up to TLS 1.2 ask for: {rsa = true, ec = true}.
local function kinds_of_certificate(found)
	local kinds = {}
	for _, version in ipairs(found.order) do
		for _, name in ipairs(found.versions[version].ciphers) do
			local kind = suites.certificate_of(name)
			if kind then
				kinds[kind] = true
			end
		end
	end
	return kinds
end

local AUTHENTICATION = { rsa = "aRSA", ec = "aECDSA" }

-- The certificate, and the other one of a server that has two. Returns a list of what tls_info told,
-- or nil and why.
local function handshakes(session, found)
	local info, why = session:handshake({
		alpn = #config.alpn > 0 and config.alpn or nil, ciphers = "ALL:COMPLEMENTOFALL",
	})
	if not info then
		return nil, why
	end
	local list = { info }
	local first = info.certificate and info.certificate.key_type
	for kind in pairs(kinds_of_certificate(found)) do
		if first and kind ~= first and AUTHENTICATION[kind] then
			local other = session:handshake({ max_version = "TLSv1.2", ciphers = AUTHENTICATION[kind] })
			if other and other.certificate and other.certificate.key_type ~= first then
				list[#list + 1] = other
			end
		end
	end
	return list
end

local function note_certificates(all, list, target)
	local options = {
		ip = target.ip, server_name = config.server_name, now = prtip.now(),
		warn_days = config.warn_days, roots = config.roots,
	}
	local described
	for _, info in ipairs(list) do
		local one = certificate.check(all, info, options)
		if one then
			described = described or {}
			described[#described + 1] = one
		end
	end
	return described
end

-- Which protocols the server takes by ALPN: what it picks is not offered again.
local function alpn(session, info)
	local left, taken = {}, nil
	for i, name in ipairs(config.alpn) do
		left[i] = name
	end
	while info and info.alpn do
		local at
		for i, name in ipairs(left) do
			at = name == info.alpn and i or at
		end
		if not at then
			break
		end
		taken = taken or {}
		taken[#taken + 1] = table.remove(left, at)
		info = #left > 0 and session:handshake({ alpn = left }) or nil
	end
	return taken
end

-- OpenSSL's names: ffdhe2048, modp_2048, dh_1024_160; dh1024 is a group of the server's own.
local function bits_of_group(name)
	return tonumber(name:match("^dh_(%d+)_") or name:match("^%l+_?(%d+)$"))
end

-- The group of Diffie-Hellman over numbers, where a suite has it.
local function dh_group(session, all, found)
	for _, version in ipairs(found.order) do
		for _, name in ipairs(version ~= "TLSv1.3" and found.versions[version].ciphers or {}) do
			if name:find("^TLS_DHE_") then
				local info = session:handshake({ max_version = "TLSv1.2", ciphers = "kDHE" })
				local bits = info and info.group and bits_of_group(info.group)
				if bits and bits < 2048 then
					findings.add(all, bits < 1024 and "dh-short" or "dh-1024", info.group)
				end
				return info and info.group
			end
		end
	end
end

-- As results have them: without what is empty, which JSON would show as an object.
local function reported(versions)
	return next(versions) and versions or nil
end

local function add(key, value)
	if value ~= nil then
		prtip.add_result(key, value)
	end
end

local function check_server(session, target)
	local all = findings.new()
	local found = enumerate.run(session)
	local list, why = handshakes(session, found)
	if #found.order == 0 and not list then
		add("error", why)
		add("complete", false)
		return nil
	end
	note_versions(all, found)
	add("forward_secrecy", #found.order > 0 and note_suites(all, found) or nil)
	note_protocol(all, found)
	local certificates = list and note_certificates(all, list, target)
	local protocols = alpn(session, list and list[1])
	add("dh_group", dh_group(session, all, found))
	add("protocols", #found.order > 0 and found.order or nil)
	add("versions", reported(found.versions))
	add("certificates", certificates)
	add("certificate_error", not list and why or nil)
	add("alpn", protocols)
	add("findings", findings.report(all))
	add("grade", findings.grade(all))
	add("connections", session.connections)
	add("complete", found.complete and not session.exhausted and list ~= nil)
	return { info = list and list[1], newest = found.order[#found.order], alpn = protocols }
end

-- What to call the service where nobody has a name for it yet.
local function service_of(session, about)
	local name = session.protocol
	for _, protocol in ipairs(about.alpn or {}) do
		if not name and (protocol == "h2" or protocol:find("^http/")) then
			name = "https"
		end
	end
	local words = { about.newest or about.info and about.info.protocol or "TLS" }
	if session.protocol then
		table.insert(words, 1, "STARTTLS")
	end
	words[#words + 1] = about.info and about.info.certificate and about.info.certificate.common_name
	return { service = name or "ssl", info = table.concat(words, ", "), confidence = 0.6 }
end

local function work(target, service, banner)
	if target.protocol ~= "tcp" or not target.port then
		return nil
	end
	local way = way_in(target.port, service, banner)
	if not way then
		return nil
	end
	local one = session.new(target, config, way ~= "tls" and way ~= "try" and way or nil)
	local there, why = is_there(one, way == "tls")
	if not there then
		-- Where TLS was to be expected the reason is of interest.
		add("no_tls", way ~= "try" and why or nil)
		return nil
	end
	add("transport", one.protocol and "starttls-" .. one.protocol or "tls")
	local about = check_server(one, target)
	return about and service_of(one, about)
end

-- ---- Hooks ----

function analyze_banner(banner)
	return work(prtip.get_target(), prtip.target_info.service, banner)
end

function probe_service(target)
	if prtip.target_info.banner then
		return nil
	end
	return work(target, prtip.target_info.service)
end
