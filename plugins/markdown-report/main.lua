-- SPDX-License-Identifier: BSD-3-Clause
-- A report for people, written once all results are there: sums first, then each host with its ports
-- and with what plugins found.
--
-- The results may be more than fit into memory. They are gone through once, from the first to the
-- last, and only so much is kept as the report may show.

local hosts = require("hosts")
local markdown = require("markdown")

local MOST_NAMES = 1000 -- different services that are counted one by one
local CHUNK_BYTES = 64 * 1024 -- written at once
local BREATH = 200 -- pieces of the report between two looks at the results
local KEPT_BYTES = 16 * 1024 * 1024 -- of hosts: enough for twice the largest max_hosts
local MOST_FINDINGS = 500 -- rows about one result
local TITLE_CHARACTERS = 200

local settings

-- ---- Settings ----

local RANGES = { max_hosts = { 1, 10000 }, max_services = { 1, MOST_NAMES }, max_cell = { 10, 2000 } }

function on_load(config)
	for name, range in pairs(RANGES) do
		local value = config[name]
		if value < range[1] or value > range[2] then
			return ("%s is %s; give %d to %d"):format(name, value, range[1], range[2])
		end
	end
	if not config.title:find("%S") then
		return "title is empty; give one"
	end
	settings = config
end

local function cell(value)
	return markdown.cell(tostring(value), settings.max_cell)
end

-- ---- Writing ----

-- A writer of the output's file, which has the functions put() and finish().
--
-- The limits of one result hold for what is done between two elements of a sequence that are fetched.
-- What is written after the last one is far more than one result's work: the last one is fetched again
-- from time to time.
local function writer(path, results)
	local parts, bytes, pieces = {}, 0, 0
	local self = {}

	local function flush()
		local ok, why = prtip.append_file(path, table.concat(parts))
		if not ok then
			error("cannot write the report: " .. why, 0)
		end
		parts, bytes = {}, 0
	end

	function self.put(text)
		parts[#parts + 1] = text
		bytes, pieces = bytes + #text, pieces + 1
		if bytes >= CHUNK_BYTES then
			flush()
		end
		if pieces % BREATH == 0 then
			local _ = results[#results]
		end
	end

	function self.finish()
		flush()
	end

	return self
end

-- ---- Gathering ----

local function bump(counts, name)
	counts[name] = (counts[name] or 0) + 1
end

-- Names that come after the first MOST_NAMES are counted together.
local function bump_service(all, name)
	if not all.services[name] then
		if all.names == MOST_NAMES then
			all.unnamed = all.unnamed + 1
			return
		end
		all.names = all.names + 1
	end
	bump(all.services, name)
end

local function port_cell(result)
	return result.port and result.port .. "/" .. result.protocol or result.protocol
end

local function add_port(kept, host, result, order)
	local cells = {
		port_cell(result), result.state, cell(result.service or ""), cell(result.product or ""),
		cell(result.version or ""), cell(result.info or ""),
	}
	if settings.banners then
		cells[#cells + 1] = cell(result.banner or "")
	end
	kept:add(host, host.ports, order, markdown.row(cells))
end

local function value_cell(value)
	return cell(type(value) == "table" and prtip.json_encode(value) or value)
end

local function add_findings(kept, host, result, order)
	local rows = 0
	for name, said in pairs(result.plugins or {}) do
		local cells = { port_cell(result), name }
		if said.status ~= "ok" then
			cells[3], cells[4] = said.status, cell(said.error or "")
			kept:add(host, host.findings, order .. name, markdown.row(cells))
		end
		for key, value in pairs(said.results or {}) do
			rows = rows + 1
			if rows > MOST_FINDINGS then
				host.left_out = host.left_out + 1
			else
				cells[3], cells[4] = cell(key), value_cell(value)
				kept:add(host, host.findings, order .. name .. cells[3], markdown.row(cells))
			end
		end
	end
end

local function gather(results)
	local all = { states = {}, services = {}, names = 0, unnamed = 0, shown = 0 }
	local kept = hosts.new(settings.max_hosts, KEPT_BYTES)
	for _, result in prtip.each(results) do
		local state, service = result.state, result.service
		bump(all.states, state)
		if service then
			bump_service(all, service)
		end
		local host = kept:find(result.ip)
		if host then
			local order = ("%05d%s"):format(result.port or 0, result.protocol)
			kept:count(host, host.states, state)
			if service then
				kept:count(host, host.services, service)
			end
			add_port(kept, host, result, order)
			if settings.findings then
				add_findings(kept, host, result, order)
			end
		end
	end
	all.hosts, all.more = kept:finish()
	return all
end

-- ---- The report ----

-- Keys of counts, the most frequent first. Sorted as strings: a function of ours that compares two of
-- them would take instructions.
local function by_count(counts)
	local names = {}
	for name, count in pairs(counts) do
		names[#names + 1] = ("%016.0f"):format(2 ^ 53 - count) .. name
	end
	table.sort(names)
	for i, name in ipairs(names) do
		names[i] = name:sub(17)
	end
	return names
end

local function sorted_keys(map)
	local keys = {}
	for key in pairs(map) do
		keys[#keys + 1] = key
	end
	table.sort(keys)
	return keys
end

-- "3 open, 1 closed"
local function spell_counts(counts)
	local parts = {}
	for i, name in ipairs(by_count(counts)) do
		parts[i] = counts[name] .. " " .. name
	end
	return table.concat(parts, ", ")
end

local function put_scan(out, results, all)
	local scan = prtip.scan_config
	local rows = {
		{ "Scan type", scan.scan_type },
		{ "Ports", cell(scan.ports) },
		{ "Seed", scan.seed },
		{ "Results", #results },
		{ "Hosts", all.more and "more than " .. #all.hosts or #all.hosts },
	}
	if #results > 0 then
		rows[#rows + 1] = { "First and last result", results[1].ts .. ", " .. results[#results].ts }
	end
	out.put("# " .. markdown.cell(settings.title, TITLE_CHARACTERS) .. "\n\n" .. markdown.head({ "Scan", "" }))
	for _, row in ipairs(rows) do
		out.put(markdown.row(row))
	end
end

local function put_states(out, all)
	out.put("\n## States\n\n" .. markdown.head({ "State", "Results" }))
	for _, name in ipairs(by_count(all.states)) do
		out.put(markdown.row({ name, all.states[name] }))
	end
end

local function put_services(out, all)
	local others = all.unnamed
	if all.names == 0 then
		return
	end
	out.put("\n## Services\n\n" .. markdown.head({ "Service", "Results" }))
	for i, name in ipairs(by_count(all.services)) do
		if i <= settings.max_services then
			out.put(markdown.row({ cell(name), all.services[name] }))
		else
			others = others + all.services[name]
		end
	end
	if others > 0 then
		out.put(markdown.row({ "*other services*", others }))
	end
end

local function put_hosts(out, all)
	out.put("\n## Hosts\n\n")
	if all.more then
		out.put(("Of more hosts than can be shown, these are the %d with the lowest addresses.\n\n"):format(
			#all.hosts))
	end
	out.put(markdown.head({ "Host", "Results", "Services" }))
	for _, host in ipairs(all.hosts) do
		local services = cell(table.concat(sorted_keys(host.services), ", "))
		out.put(markdown.row({ host.ip, spell_counts(host.states), services }))
	end
end

local function put_table(out, names, rows)
	out.put("\n" .. markdown.head(names))
	for row in hosts.rows(rows) do
		out.put(row)
	end
end

local function put_host(out, host)
	local names = { "Port", "State", "Service", "Product", "Version", "Info" }
	if settings.banners then
		names[#names + 1] = "Banner"
	end
	out.put("\n### " .. host.ip .. "\n")
	put_table(out, names, host.ports)
	if #host.findings > 0 then
		put_table(out, { "Port", "Plugin", "Finding", "Value" }, host.findings)
	end
	if host.left_out > 0 then
		out.put("\nThere is more about this host than can be shown: " .. host.left_out
			.. " rows are left out.\n")
	end
end

function export(results, path)
	local all = gather(results)
	local out = writer(path, results)
	put_scan(out, results, all)
	if #results > 0 then
		put_states(out, all)
		put_services(out, all)
		put_hosts(out, all)
	end
	for _, host in ipairs(all.hosts) do
		put_host(out, host)
	end
	out.finish()
end
