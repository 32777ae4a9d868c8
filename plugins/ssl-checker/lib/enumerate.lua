-- SPDX-License-Identifier: BSD-3-Clause
-- Which versions a server speaks, and which cipher suites in each: offer all, note what it picks, offer
-- what is left, until it refuses.
local suites = require("suites")

local enumerate = {}

local RENEGOTIATION = 0xff01 -- the extension of RFC 5746

-- How an answer is to be taken:
--   "picked"   a suite of this version
--   "refused"  the server said no: by an alert, or by another version
--   "hung up"  which many do in place of saying no, but which a limit of connections does, too
--   "failed"   we do not know: no answer, no connection, nonsense
local function meaning(version, hello, why)
	if hello and hello.version == version and hello.cipher_id then
		return "picked"
	end
	if hello then
		return "refused"
	end
	if why == "closed without an answer" or why:lower():find("reset by peer", 1, true) then
		return "hung up"
	end
	return "failed"
end

-- Ask up to `tries` times where there is no answer. A server that hangs up each time has refused.
local function ask(session, version, ciphers, tries)
	local result, hello, why
	for _ = 1, tries or 2 do
		hello, why = session:hello({ version }, ciphers)
		result = meaning(version, hello, why)
		if result == "picked" or result == "refused" or session.exhausted then
			break
		end
	end
	return result == "hung up" and "refused" or result, hello, why
end

-- The first question about a version. A server that gives no answer to a long list gets a short one.
-- Returns the list that was asked with last, and the answer to it.
local function first_answer(session, version)
	local list, short = suites.all(version), suites.short(version)
	local has_short = #short < #list
	local result, hello, why = ask(session, version, list, has_short and 1 or 2)
	if has_short and not hello and not session.exhausted then
		list = short
		result, hello, why = ask(session, version, list)
	end
	return list, result, hello, why
end

-- Take the number out of the list; false where it is not in it.
local function remove(list, id)
	for i = 1, #list do
		if list[i] == id then
			table.remove(list, i)
			return true
		end
	end
	return false
end

-- Facts that each hello may show.
local function note(found, version, hello)
	if hello.compression and hello.compression ~= "null" then
		found.compression = true
	end
	if version == "SSLv2" or version == "TLSv1.3" then
		return
	end
	local secure = false
	for _, id in ipairs(hello.extensions or {}) do
		secure = secure or id == RENEGOTIATION
	end
	found.no_secure_renegotiation = found.no_secure_renegotiation or not secure
end

-- The suites of a version in the order in which the server picks them.
local function all_suites(session, version, list, hello, found)
	local names, ids, why = {}, {}, nil
	local result = "picked"
	while result == "picked" do
		note(found, version, hello)
		if not remove(list, hello.cipher_id) then
			return names, ids, "picked " .. hello.cipher .. ", which was not offered"
		end
		names[#names + 1], ids[#ids + 1] = hello.cipher, hello.cipher_id
		if #list == 0 then
			return names, ids
		end
		result, hello, why = ask(session, version, list)
	end
	return names, ids, result == "failed" and why or nil
end

-- The order of the question that tells whose preference counts: the server's first choice comes last.
-- Suites with ChaCha20 do not go first, as servers may give way to clients that put them there.
local function turned(ids, names)
	local list, late = {}, {}
	for i = #ids, 2, -1 do
		local to = names[i]:find("CHACHA20", 1, true) and late or list
		to[#to + 1] = ids[i]
	end
	for _, id in ipairs(late) do
		list[#list + 1] = id
	end
	list[#list + 1] = ids[1]
	return list
end

-- "server", "client", or nil where it cannot be told.
local function preference(session, version, ids, names)
	if #ids < 2 or version == "SSLv2" then
		return nil
	end
	local list = turned(ids, names)
	local result, hello = ask(session, version, list)
	if result ~= "picked" then
		return nil
	end
	return hello.cipher_id == list[1] and "client" or "server"
end

-- One version: nil where it is refused, else {ciphers=, preference=, error=}.
local function one_version(session, version, found)
	local list, result, hello, why = first_answer(session, version)
	if result == "failed" then
		return { error = why }
	end
	if result == "refused" then
		return nil
	end
	if not session.config.ciphers then
		note(found, version, hello)
		return { ciphers = { hello.cipher } }
	end
	local names, ids, failure = all_suites(session, version, list, hello, found)
	local entry = { ciphers = names, error = failure }
	if not failure then
		entry.preference = preference(session, version, ids, names)
	end
	return entry
end

-- All configured versions, the newest first. Returns {versions = {NAME = {...}}, order = {NAME...},
-- complete=, compression=, no_secure_renegotiation=}.
function enumerate.run(session)
	local found = { versions = {}, order = {}, complete = true }
	local wanted = session.config.versions
	for i = #wanted, 1, -1 do
		local version = wanted[i]
		local entry = one_version(session, version, found)
		if entry then
			found.versions[version] = entry
			found.complete = found.complete and not entry.error
			if entry.ciphers then
				table.insert(found.order, 1, version)
			end
		end
	end
	return found
end

return enumerate
