-- SPDX-License-Identifier: BSD-3-Clause
-- Asks name servers about themselves: what they are (CH TXT), whether they answer over UDP and TCP,
-- whether they recurse for us, and what they know of EDNS and DNSSEC.
--
--   lib/dns.lua       messages as bytes and back
--   lib/ask.lua       one question and its answer, over UDP or TCP
--   lib/products.lua  products by the text of version.bind

local ask = require("ask")
local dns = require("dns")
local products = require("products")

local EDNS_BYTES = 1232 -- fits any path: www.dnsflagday.net/2020
local TEXT_BYTES = 170 -- with `version.bind: ` in front it fits into a record's info
local NAMES = { "version.bind", "version.server", "hostname.bind", "id.server" }

local settings = {}

function on_load(config)
	for _, key in ipairs({ "timeout", "attempts", "recursion", "recursion_name" }) do settings[key] = config[key] end
	if type(settings.timeout) ~= "number" or not (settings.timeout > 0 and settings.timeout <= 30) then
		return "timeout must be a number of seconds, above 0 and at most 30"
	end
	local attempts = settings.attempts
	if type(attempts) ~= "number" or not (attempts >= 1 and attempts <= 5) or attempts ~= math.floor(attempts) then
		return "attempts must be a whole number from 1 to 5"
	end
	if type(settings.recursion) ~= "boolean" then return "recursion must be true or false" end
	local name = settings.recursion_name
	if type(name) ~= "string" or not name:find("^[%w_.-]+$") or not dns.put_name(name) then
		return "recursion_name must be a domain name, such as prtip-dp.example"
	end
end

-- ---- Text of the server's ----

-- As a record can hold it: control characters and what is no UTF-8 become `?`.
local function clean(text)
	text = text:sub(1, TEXT_BYTES):gsub("%c", "?")
	if utf8.len(text) then return text end
	return (text:gsub("[\128-\255]", "?"))
end

-- ---- Who are you? ----

local function chaos(name)
	return { name = name, type = dns.TYPE.TXT, class = dns.CLASS.CH }
end

local function text_of(answer)
	for _, record in ipairs(answer.answer) do
		if record.type == dns.TYPE.TXT and record.class == dns.CLASS.CH then return clean(record.text) end
	end
end

-- ---- Recursion ----

-- The root's SOA in a negative answer: someone asked the root, or has a copy of it.
local function from_root(answer)
	for _, record in ipairs(answer.authority) do
		if record.type == dns.TYPE.SOA then return record.name == "." end
	end
	return false
end

-- RA only says that the server would. What it did shows in the answer about a name that no zone has.
local function judge(answer)
	local rcode = dns.rcode_name(answer.rcode)
	if not answer.recursion_available then return rcode == "REFUSED" and "refused" or "not offered" end
	if rcode == "REFUSED" then return "refused" end
	if rcode == "SERVFAIL" then return "failed" end
	if #answer.answer > 0 then return "rewritten" end
	if rcode == "NXDOMAIN" and answer.authoritative then return "answered from own data" end
	if rcode == "NXDOMAIN" and from_root(answer) then return "performed" end
	return "unclear"
end

local function recursion(question)
	local answer = question({
		name = settings.recursion_name, type = dns.TYPE.A, class = dns.CLASS.IN, recursion = true,
	})
	if not answer then
		prtip.add_result("recursion", { result = "no answer" })
		return
	end
	prtip.add_result("recursion", {
		available = answer.recursion_available, rcode = dns.rcode_name(answer.rcode), result = judge(answer),
	})
end

-- ---- EDNS and DNSSEC ----

local function signed(answer)
	for _, record in ipairs(answer.answer) do
		if record.type == dns.TYPE.RRSIG then return true end
	end
	return false
end

-- One question with all of it: for the root's SOA, with DO and a request for the server's identifier.
local function extensions(question)
	local answer, why = question({
		name = ".", type = dns.TYPE.SOA, class = dns.CLASS.IN, recursion = true,
		edns = { size = EDNS_BYTES, dnssec = true, nsid = true },
	})
	if not answer then
		prtip.add_result("edns", { supported = false, why = why })
		return
	end
	local edns = answer.edns
	if not edns then
		prtip.add_result("edns", { supported = false, rcode = dns.rcode_name(answer.rcode) })
		return
	end
	local nsid = edns.options[dns.NSID]
	prtip.add_result("edns", {
		supported = true, version = edns.version, udp_bytes = edns.size, nsid = nsid and clean(nsid),
	})
	prtip.add_result("dnssec", {
		-- The bit DO comes back from servers that know DNSSEC (RFC 3225, section 3).
		understood = edns.dnssec, signatures = signed(answer), validated = answer.authentic,
	})
end

-- ---- The whole talk ----

local function identify(texts)
	for _, row in ipairs(products) do
		local version = texts["version.bind"] and texts["version.bind"]:match(row[1])
		if version then
			version = version:sub(1, 60)
			return row[2], version, row[3] and ("cpe:/%s:%s"):format(row[3], version:lower())
		end
	end
end

local function service(texts)
	local product, version, cpe = identify(texts)
	local text = texts["version.bind"] or texts["version.server"]
	return {
		service = "domain", product = product, version = version, cpe = cpe,
		info = text and "version.bind: " .. text or nil,
		confidence = product and 0.95 or 0.9,
	}
end

-- Ask over UDP, and over TCP where that got no answer or a cut one.
local function by_both(asker, transports)
	return function(query)
		local answer, why
		if transports.udp ~= false then
			answer, why = asker:udp(query)
			transports.udp = transports.udp or answer ~= nil
			if answer and not answer.truncated then return answer end
		end
		if transports.tcp ~= false then
			local second, failure = asker:tcp(query)
			transports.tcp = transports.tcp or second ~= nil
			if second then return second end
			why = why or failure
		end
		return answer, why
	end
end

local function talk(asker)
	local transports, texts, rcodes = {}, {}, {}
	local question = by_both(asker, transports)
	for i, name in ipairs(NAMES) do
		local answer = question(chaos(name))
		-- Who does not answer the first question is no name server, or none for us.
		if not answer and i == 1 then return nil end
		local text = answer and text_of(answer)
		if text then
			texts[name] = text
		else
			rcodes[name] = answer and dns.rcode_name(answer.rcode) or "no answer"
		end
	end
	-- UDP answered all, so TCP was not tried yet.
	if transports.tcp == nil then transports.tcp = asker:tcp(chaos(NAMES[1])) ~= nil end
	prtip.add_result("transports", transports)
	if next(texts) then prtip.add_result("texts", texts) end
	if next(rcodes) then prtip.add_result("without_text", rcodes) end
	if settings.recursion then recursion(question) end
	extensions(question)
	return service(texts)
end

local function run(target)
	local asker = ask.new(target.ip, target.port, settings)
	-- So that the sockets are closed even if talk() raises an error; that goes on as it is.
	local ok, found = pcall(talk, asker)
	asker:close()
	if not ok then error(found, 0) end
	return found
end

-- ---- Hooks: once for each result, whether it has a banner or not ----

function analyze_banner()
	return run(prtip.get_target())
end

function probe_service(target)
	if prtip.target_info.banner == nil then return run(target) end
end
