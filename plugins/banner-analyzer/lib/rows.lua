-- SPDX-License-Identifier: BSD-3-Clause
-- Finds rows of products.lua and systems.lua by the words of a text, and puts in what they captured.

local cpe = require("cpe")
local find, gmatch, gsub, lower, match = string.find, string.gmatch, string.gsub, string.lower, string.match
local sub = string.sub
local BYTES = 31 -- of what a pattern captured: two of them fit into the 63 that a version may have

-- products[at][word] and systems[word] are lists of rows; systems count in all fields.
local products, systems = {}, {}

local function add(index, row)
	index[row.word] = index[row.word] or {}
	table.insert(index[row.word], row)
end

for _, row in ipairs(require("products")) do
	products[row.at] = products[row.at] or {}
	add(products[row.at], row)
	-- A pattern without captures gives all that it matched, which is no version.
	row.bare = row.match and not find(row.match, "(", 1, true)
end
for _, row in ipairs(require("systems")) do
	add(systems, row)
	-- Most are the same whatever the text is, and made once.
	if not (row.version and find(row.version, "$", 1, true)) then
		row.made = { name = row.name, version = row.version, cpe = cpe.fill(row.cpe, { row.version }) }
	end
end

-- $1, $2 ... of a row's text; nil where nothing is left.
local function fill(template, captures)
	if template == "$1" then
		template = captures[1] or ""
	elseif find(template, "$", 1, true) then
		template = gsub(template, "%$(%d)", function(number)
			return captures[tonumber(number)] or ""
		end)
	end
	return template ~= "" and template or nil
end

local function software_of(row, captures)
	return {
		name = row.product, version = fill(row.version or "$1", captures), cpe = cpe.fill(row.cpe, captures),
		info = row.info and fill(row.info, captures), service = row.service, part = row.part, known = true,
	}
end

local function system_of(row, captures)
	if row.made then return row.made end
	local version = row.version and fill(row.version, captures)
	return { name = row.name, version = version, cpe = cpe.fill(row.cpe, { version }) }
end

local NO_CAPTURES = {}

-- The first of the rows that matches the text, with its captures.
local function first_match(rows, text)
	for i = 1, #rows do
		local row = rows[i]
		if not row.match then return row, NO_CAPTURES end
		local first, second = match(text, row.match)
		if first then return row, row.bare and NO_CAPTURES or { sub(first, 1, BYTES), second and sub(second, 1, BYTES) } end
	end
end

-- The product that a text of the field `at` names, and the operating system.
local function search(at, text)
	local rows, product, system = products[at] or {}, nil, nil
	for word in gmatch(text, "%a+") do
		word = lower(word)
		local candidates = not product and rows[word]
		if candidates then
			local row, captures = first_match(candidates, text)
			if row then product = software_of(row, captures) end
		end
		candidates = systems[word]
		if candidates and not (system and system.version) then
			local row, captures = first_match(candidates, text)
			local found = row and system_of(row, captures)
			if found and (not system or found.version) then system = found end
		end
	end
	if not product and rows[""] then
		local row, captures = first_match(rows[""], text)
		if row then product = software_of(row, captures) end
	end
	return product, system
end

-- ---- Server headers: NAME/VERSION (comment) NAME/VERSION ... (RFC 9110, section 10.2.4) ----

local MOST = 16 -- tokens of a header

local function token(name, version, comment)
	local rows = products.server[lower(name)]
	-- Jetty puts its version into the comment.
	if not version and comment and find(comment, "^%d") then version = comment end
	version = version and sub(version, 1, BYTES)
	if rows then return software_of(rows[1], { version }) end
	return { name = sub(name, 1, 64), version = version }
end

-- Adds the tokens of a header's text to the list.
local function tokens(text, list)
	local at = 1
	while #list < MOST do
		local _, last, name, version = find(text, "^[%s,;]*(%w[%w_.+-]*)/?([%w_.:+~-]*)", at)
		if name then
			local _, over, comment = find(text, "^%(([^()]*)%)", last + 1)
			list[#list + 1] = token(name, version ~= "" and (match(version, "^v(%d.*)") or version) or nil, comment)
			at = (over or last) + 1
		else
			_, last = find(text, "^%s*%([^()]*%)", at)
			if not last then _, last = find(text, "^%s*[^%s%w]+", at) end
			if not last then return end
			at = last + 1
		end
	end
end

-- The server among them: a known one that is no part of another, else the first.
local function server_of(list)
	for i = 1, #list do
		if list[i].known and not list[i].part then return list[i] end
	end
	return list[1] and not list[1].part and list[1] or nil
end

return { search = search, tokens = tokens, server_of = server_of }
