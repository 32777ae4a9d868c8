-- SPDX-License-Identifier: BSD-3-Clause
-- Reads banners: product, version, operating system, dates, host names and addresses.
--
--   lib/fields.lua    what protocol a banner is of, and which part of it says something
--   lib/products.lua  the products and lib/systems.lua the operating systems: one row each
--   lib/rows.lua      finds rows by the words of a text, so that their number costs nothing
--   lib/findings.lua  dates, host names and addresses, by lib/dates.lua and lib/hosts.lua
--   lib/cpe.lua       names of products as CPE 2.2 URIs
--
-- What a text means is remembered (lib/memo.lua): the greeting of one version comes from thousands of
-- hosts. What differs from host to host, the headers of HTTP, is read anew each time.

local fields = require("fields")
local findings = require("findings")
local memo = require("memo")
local rows = require("rows")

local LISTS = { "dates", "hosts", "addresses" }
local SETTINGS = { "software", "os", "dates", "hosts", "addresses" }
-- How sure an answer is: by a row with a version, by a row, by a name that no row knows, of the service.
local SURE = { version = 0.9, product = 0.8, token = 0.6, service = 0.5 }
local STEP = 0.01 -- by which a refined answer is surer than the one that it refines

local want = {}

function on_load(config)
	for _, name in ipairs(SETTINGS) do
		local value = config[name]
		if value == nil then value = true end
		if type(value) ~= "boolean" then return name .. " must be true or false" end
		want[name] = value
	end
end

-- ---- What a text means ----

-- A study: the service as far as the text alone tells it, and what goes into the record beside it.
local function new_study(product, system, software)
	local confidence = SURE.service
	if product then
		confidence = not product.known and SURE.token or product.version and SURE.version or SURE.product
	end
	return {
		service = product and product.service, product = product and product.name, version = product and product.version,
		info = product and product.info, cpe = product and product.cpe, confidence = confidence,
		os = system and system.name .. (system.version and " " .. system.version or ""), system = system,
		software = software, found = findings.new(),
	}
end

-- Of each field that lib/fields.lua makes, the study of its text.
local studies = setmetatable({}, { __index = function(all, at)
	all[at] = memo(function(text)
		local study = new_study(rows.search(at, text))
		-- MySQL says a version only, or whom it refused: our own address.
		if at ~= "mysql" and at ~= "agent" then findings.greeting(study.found, at, text) end
		return study
	end)
	return all[at]
end })

-- Of HTTP, the text is that of Server and X-Powered-By, with a line's end between them.
studies.server = memo(function(text)
	local server, powered = text:match("^([^\n]*)\n(.*)$")
	local list, software = {}, nil
	rows.tokens(server, list)
	local product = rows.server_of(list)
	rows.tokens(powered, list)
	if #list > 1 or list[1] and list[1] ~= product then
		software = {}
		for i = 1, #list do
			software[i] = { name = list[i].name, version = list[i].version, cpe = list[i].cpe }
		end
	end
	local _, system = rows.search("server", server)
	local study = new_study(product, system, software)
	findings.dates(study.found, findings.find_dates(server), "server")
	return study
end)

-- ---- Beside the built-in detection ----

local function same_product(a, b)
	a, b = a:lower():gsub("%A", ""), b:lower():gsub("%A", "")
	return a:find(b, 1, true) ~= nil or b:find(a, 1, true) ~= nil
end

-- Whether ours says more: it is all that there is, or goes on where theirs ends (9.2p1, Debian Linux 12).
local function says_more(ours, theirs)
	return ours and (not theirs or #ours > #theirs and ours:sub(1, #theirs) == theirs)
end

-- Our finding where it says more than is known, else nil. The built-in detection ran before, and keeps
-- its word where it knows as much: also the service's name, as http within TLS is https.
function refine(known, found)
	local sure = known.confidence or 0
	if not known.service then return found end
	if not found.product then return nil end
	local product = known.product
	if product and not same_product(product, found.product) then
		if found.confidence <= sure then return nil end
		product = nil
	end
	if not product then
		known = { service = known.service }
	elseif not (says_more(found.version, known.version) or says_more(found.os, known.os) or found.cpe and not known.cpe) then
		return nil
	end
	local version = says_more(found.version, known.version)
	return {
		service = known.service, product = product or found.product, version = version and found.version or known.version,
		info = known.info or found.info, os = says_more(found.os, known.os) and found.os or known.os,
		-- It has the version in it.
		cpe = (version or not known.cpe) and found.cpe or known.cpe,
		confidence = math.min(1, math.max(found.confidence, sure + STEP)),
	}
end

-- ---- The hook ----

-- How far the clock of the target is ahead of the record's time, where it told both time and zone.
local function report_clock(date)
	local ours = date and date.epoch and findings.find_dates(prtip.target_info.ts or "")[1]
	if ours and ours.epoch then prtip.add_result("clock_offset_s", date.epoch - ours.epoch) end
end

local function report(study, lists)
	if study.system and want.os then prtip.add_result("os", study.system) end
	if study.software and want.software then prtip.add_result("software", study.software) end
	for i = 1, #LISTS do
		local name = LISTS[i]
		if lists[name][1] and want[name] then prtip.add_result(name, lists[name]) end
	end
end

-- What the study's text has in it, and what the rest of this banner has.
local function gather(study, field, banner)
	local lists, shared = findings.new(), study.found
	for i = 1, #LISTS do
		local name = LISTS[i]
		for k = 1, #shared[name] do lists[name][k] = shared[name][k] end
	end
	if field.head then
		local clock = findings.headers(lists, field.head)
		if want.dates then report_clock(clock) end
		findings.page(lists, banner)
	end
	findings.internal(lists, banner)
	return lists
end

function analyze_banner(banner)
	local field = fields.split(banner)
	local study = studies[field.at](field.text)
	report(study, gather(study, field, banner))

	local service = study.service or field.service
	if not service then return nil end
	local info = study.info
	if field.info then info = info and field.info .. "; " .. info or field.info end
	return refine(prtip.target_info, {
		service = service, product = study.product, version = study.version, info = info,
		os = want.os and study.os or nil, cpe = study.cpe, confidence = study.confidence,
	})
end
