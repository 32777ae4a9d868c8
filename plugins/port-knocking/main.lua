-- SPDX-License-Identifier: BSD-3-Clause
-- Port knocking: before the scan's first probe, knocks at ports of its targets in the order that the
-- settings give, and looks whether what should open did. Knocks are probes of the scan itself
-- (prtip.scan_port): from its address and ports, within its rate.

local sequence = require("sequence")

local MOST_SEEN = 1000000 -- targets that are gone through to find the addresses of a sequence for *

local settings = {}
local own = {} -- sequences of an address, by its text
local common = {} -- sequences of all other targets
local outcomes = {} -- what became of them, by address: this lane's

-- ---- Settings ----

-- Each number, its least and its most; whole: no fraction.
local NUMBERS = {
	{ "delay", 0, 60 }, { "settle", 0, 60 }, { "attempts", 1, 10, whole = true },
	{ "max_targets", 1, 65536, whole = true }, { "budget", 1, 86400 },
}

local function read_number(config, row)
	local key, least, most = row[1], row[2], row[3]
	local value = config[key]
	if type(value) ~= "number" or not (value >= least and value <= most)
		or row.whole and value ~= math.floor(value) then
		return ("%s must be a %snumber from %d to %d"):format(key, row.whole and "whole " or "", least, most)
	end
	settings[key] = value
end

local function add_sequence(parsed)
	if not parsed.addresses then
		common[#common + 1] = parsed
		return
	end
	for _, ip in ipairs(parsed.addresses) do
		own[ip] = own[ip] or {}
		table.insert(own[ip], parsed)
	end
end

local function read_sequence(name, text)
	if type(text) ~= "string" then return name .. " must be a string" end
	local parsed, wrong = sequence.parse(text)
	if not parsed then return ("%s, \"%s\": %s"):format(name, text, wrong) end
	parsed.delay = parsed.delay or settings.delay
	add_sequence(parsed)
end

local KNOWN = { sequences = true }
for _, row in ipairs(NUMBERS) do KNOWN[row[1]] = true end

-- Settings sequence_NAME hold one sequence each, so that in an INI file each has a line of its own.
local function further_sequences(config)
	local names = {}
	for key in pairs(config) do
		if not KNOWN[key] then
			if not key:find("^sequence_") then
				return nil, key .. " is no setting; known are sequences, sequence_NAME, delay, settle, attempts, max_targets and budget"
			end
			names[#names + 1] = key
		end
	end
	table.sort(names)
	return names
end

function on_load(config)
	own, common, outcomes = {}, {}, {}
	local wrong
	for _, row in ipairs(NUMBERS) do
		wrong = wrong or read_number(config, row)
	end
	if wrong then return wrong end
	if type(config.sequences) ~= "table" then return "sequences must be an array of strings" end
	local names, why = further_sequences(config)
	if not names then return why end
	for i, text in ipairs(config.sequences) do
		wrong = wrong or read_sequence("sequences, number " .. i, text)
	end
	for _, name in ipairs(names) do
		wrong = wrong or read_sequence(name, config[name])
	end
	return wrong
end

-- ---- Knocking ----

-- The state of each port that should open, by name; nil and why where a probe cannot be sent.
local function look(ip, opens)
	local states = {}
	for _, port in ipairs(opens) do
		local state, why = prtip.scan_port(ip, port.port, port.protocol)
		if not state then return nil, why end
		states[sequence.name(port)] = state
	end
	return states
end

local function all_open(states)
	for _, state in pairs(states) do
		if state ~= "open" then return false end
	end
	return next(states) ~= nil
end

-- The delay counts from one knock to the next, so the wait for the answer to the first is part of it.
local function knock(ip, steps)
	for i, step in ipairs(steps.knocks) do
		local begin = prtip.now()
		local state, why = prtip.scan_port(ip, step.port, step.protocol)
		if not state then return nil, why end
		local left = steps.delay - (prtip.now() - begin)
		-- A clock that was set back must not make it longer.
		if i < #steps.knocks and left > 0 then prtip.sleep(math.min(left, steps.delay)) end
	end
	return true
end

local function tell(ip, outcome)
	local parts = {}
	for name, before in pairs(outcome.before) do
		parts[#parts + 1] = ("%s %s, then %s"):format(name, before, outcome.after[name])
	end
	table.sort(parts)
	local what = parts[1] and table.concat(parts, "; ") or "knocked"
	-- A port that stays shut is what the user has to look at.
	local level = parts[1] and not outcome.open and "warn" or "info"
	prtip.log(level, ("%s: %s (%s, %d of %d attempts)"):format(ip, what, outcome.sequence, outcome.attempts,
		settings.attempts))
end

-- Returns what became of it, or nil and why.
local function run(ip, steps)
	local before, why = look(ip, steps.opens)
	if not before then return nil, why end
	local outcome = { sequence = steps.text, before = before, after = before, attempts = 0, open = all_open(before) }
	while not outcome.open and outcome.attempts < settings.attempts do
		local fine
		outcome.attempts = outcome.attempts + 1
		fine, why = knock(ip, steps)
		if not fine then return nil, why end
		-- Without a port to look at there is nothing that would tell whether to try again.
		if #steps.opens == 0 then break end
		prtip.sleep(settings.settle)
		outcome.after, why = look(ip, steps.opens)
		if not outcome.after then return nil, why end
		outcome.open = all_open(outcome.after)
	end
	return outcome
end

-- All sequences of one address; false where the time for all knocking is over.
local function visit(ip, list, deadline)
	for _, steps in ipairs(list) do
		if prtip.now() > deadline then
			prtip.log("error", ("%s: not knocked at: the budget of %d seconds is used up"):format(ip, settings.budget))
			return false
		end
		local outcome, why = run(ip, steps)
		if outcome then
			outcomes[ip] = outcomes[ip] or {}
			table.insert(outcomes[ip], outcome)
			tell(ip, outcome)
		else
			prtip.log("error", why == "denied" and ip .. ": not knocked at: it is no target of this scan"
				or ("%s: knocking failed: %s"):format(ip, why))
		end
	end
	return true
end

-- Addresses of the scan that have no sequence of their own, in scan order.
local function others(targets)
	local list, seen = {}, {}
	for i, target in prtip.each(targets) do
		if i > MOST_SEEN then break end
		local ip = target.ip
		if not own[ip] and not seen[ip] then
			if #list == settings.max_targets then
				prtip.log("warn", ("the sequence for * knocks at %d addresses only (max_targets)"):format(#list))
				break
			end
			seen[ip] = true
			list[#list + 1] = ip
		end
	end
	return list
end

function on_pre_scan(targets)
	local deadline = prtip.now() + settings.budget
	local addresses = {}
	for ip in pairs(own) do addresses[#addresses + 1] = ip end
	table.sort(addresses)
	if #addresses == 0 and #common == 0 then
		prtip.log("warn", "no sequences are set, so there is nothing to knock at")
		return
	end
	for _, ip in ipairs(addresses) do
		if not visit(ip, own[ip], deadline) then return end
	end
	if #common == 0 then return end
	for _, ip in ipairs(others(targets)) do
		if not visit(ip, common, deadline) then return end
	end
end

-- ---- Telling ----

function on_target(target)
	local list = outcomes[target.ip]
	if not list then return end
	prtip.add_result("sequences", list)
	local name = target.port and target.protocol .. "/" .. target.port
	for _, outcome in ipairs(list) do
		local before = name and outcome.before[name]
		if before and before ~= "open" and outcome.after[name] == "open" then
			prtip.add_result("opened_by_knocking", true)
		end
	end
end

function on_post_scan()
	local addresses, open, checked = 0, 0, 0
	for _, list in pairs(outcomes) do
		addresses = addresses + 1
		for _, outcome in ipairs(list) do
			if next(outcome.before) then checked = checked + 1 end
			if outcome.open then open = open + 1 end
		end
	end
	if addresses > 0 then
		prtip.log("info", ("knocked at %d addresses; what should open was open for %d of %d sequences"):format(
			addresses, open, checked))
	end
end
