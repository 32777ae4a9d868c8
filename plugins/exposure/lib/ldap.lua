-- SPDX-License-Identifier: BSD-3-Clause
-- LDAP without a bind (RFC 4511): the root DSE, which is for everybody, and whether the entry of its first
-- naming context is too. Of that no attribute is asked for.

local finding = require("finding")
local byte, char, floor, sub = string.byte, string.char, math.floor, string.sub

local MESSAGE_BYTES, MESSAGES = 65536, 16
local ENTRY, DONE, REFERENCE = 0x64, 0x65, 0x73 -- application tags
local NAMES = {
	[1] = "operationsError", [7] = "authMethodNotSupported", [8] = "strongerAuthRequired", [13] = "confidentialityRequired",
	[32] = "noSuchObject", [48] = "inappropriateAuthentication", [50] = "insufficientAccessRights",
	[53] = "unwillingToPerform",
}
-- What a server says that would tell more after a bind.
local WANTS_LOGIN = { [1] = true, [8] = true, [48] = true, [50] = true, [53] = true }
local WANTED = { "namingContexts", "supportedLDAPVersion", "supportedSASLMechanisms", "vendorName", "vendorVersion" }

-- ---- BER (X.690), as far as LDAP needs it ----

local function put(tag, body)
	local n = #body
	if n < 128 then return char(tag, n) .. body end
	return char(tag, 0x82, floor(n / 256), n % 256) .. body
end

-- The element at @at: its tag, its contents' first and last byte, and where the next begins. nil: none.
local function element(text, at)
	local tag, length = byte(text, at, at + 1)
	if not length then return nil end
	local first = at + 2
	if length >= 128 then
		local count = length - 128
		if count < 1 or count > 4 then return nil end
		length = 0
		for i = 0, count - 1 do
			local digit = byte(text, first + i)
			if not digit then return nil end
			length = length * 256 + digit
		end
		first = first + count
	end
	if first + length - 1 > #text then return nil end
	return tag, first, first + length - 1, first + length
end

-- ---- Messages ----

-- A search of the entry @base alone, filter (objectClass=*), for these attributes.
local function search(number, base, attributes)
	local list = ""
	for _, name in ipairs(attributes) do list = list .. put(4, name) end
	local request = put(4, base) .. put(10, "\0") .. put(10, "\0") .. put(2, "\1") .. put(2, "\5") .. put(1, "\0")
		.. put(0x87, "objectClass") .. put(0x30, list)
	return put(0x30, put(2, char(number)) .. put(0x63, request))
end

-- One message of the peer's: number, tag, body. nil, why, and true where it is no LDAP.
local function message(peer)
	while true do
		local tag, first, last, over = element(peer.held, 1)
		if tag then
			local body = sub(peer.held, first, last)
			peer.held = sub(peer.held, over)
			local kind, from, to, at = element(body, 1)
			local operation, op_first, op_last = element(body, at or #body + 1)
			if tag ~= 0x30 or kind ~= 2 or to ~= from or not operation then return nil, "no LDAP message", true end
			return byte(body, from), operation, sub(body, op_first, op_last)
		end
		if #peer.held > MESSAGE_BYTES then return nil, "an element is over " .. MESSAGE_BYTES .. " bytes", true end
		if #peer.held > 0 and byte(peer.held) ~= 0x30 then
			return nil, "a search got " .. finding.clean(peer.held, 20), true
		end
		local ok, why = peer:more()
		if not ok then return nil, why end
	end
end

-- Attributes of an entry: {[name] = {values}}; nil where it is malformed.
local function attributes_of(body)
	local result = {}
	local _, _, _, at = element(body, 1) -- its name
	local tag, first, last = element(body, at or #body + 1)
	if tag ~= 0x30 then return nil end
	local list = sub(body, first, last)
	at = 1
	while at <= #list do
		local pair, from, to, over = element(list, at)
		if pair ~= 0x30 then return nil end
		local both = sub(list, from, to)
		local name_tag, name_first, name_last, set_at = element(both, 1)
		local set_tag, set_first, set_last = element(both, set_at or #both + 1)
		if name_tag ~= 4 or set_tag ~= 0x31 then return nil end
		local values, value_at = {}, set_first
		while value_at <= set_last do
			local value_tag, value_first, value_last, next_at = element(both, value_at)
			if value_tag ~= 4 then return nil end
			if #values < 16 then values[#values + 1] = finding.clean(sub(both, value_first, value_last)) end
			value_at = next_at
		end
		result[sub(both, name_first, name_last):lower()] = values
		at = over
	end
	return result
end

-- The code of an LDAPResult and the server's words to it; nil where it is malformed.
local function result_of(body)
	local code_tag, first, last, at = element(body, 1)
	local _, _, _, text_at = element(body, at or #body + 1)
	local tag, from, to = element(body, text_at or #body + 1)
	if code_tag ~= 10 or first ~= last or tag ~= 4 then return nil end
	return byte(body, first), finding.clean(sub(body, from, to), 80)
end

-- Returns the result code, the attributes of the entry (nil where there was none) and the server's words;
-- or nil, why, foreign.
local function ask(peer, number, base, attributes)
	local sent, why = peer:write(search(number, base, attributes))
	if not sent then return nil, why end
	local entry
	for _ = 1, MESSAGES do
		local answered, tag, body = message(peer)
		if not answered then return nil, tag, body end
		if answered == number and tag == ENTRY then
			entry = attributes_of(body)
			if not entry then return nil, "a malformed entry", true end
		elseif answered == number and tag == DONE then
			local code, words = result_of(body)
			if not code then return nil, "a malformed result", true end
			return code, entry, words
		elseif answered == 0 then
			return nil, "a notice of disconnection"
		elseif tag ~= REFERENCE then
			return nil, ("an answer 0x%02x"):format(tag), true
		end
	end
	return nil, "no end of a search", true
end

local function code_name(code, words)
	local name = NAMES[code] or "unknown"
	return ("%d (%s)"):format(code, words and words ~= "" and name .. ": " .. words or name)
end

return function(peer)
	local code, root, words = ask(peer, 1, "", WANTED)
	if not code then return words and finding.other(root) or finding.silent(root) end
	local more = { service = "ldap" }
	if code ~= 0 or not root then
		local how = "the root DSE got " .. (code == 0 and "no entry" or code_name(code, words))
		return (WANTS_LOGIN[code] and finding.closed or finding.refused)(how, more)
	end
	more.naming_contexts, more.sasl = root.namingcontexts, root.supportedsaslmechanisms
	more.product = root.vendorname and root.vendorname[1] and finding.clean(root.vendorname[1], 120)
	more.version = root.vendorversion and root.vendorversion[1] and finding.clean(root.vendorversion[1], 60)
	local base = root.namingcontexts and root.namingcontexts[1]
	if not base then return finding.refused("the root DSE names no naming context", more) end
	local second, entry, reason = ask(peer, 2, base, { "1.1" })
	if second == 0 and entry then return finding.open("the entry " .. base .. " was found without a bind", more) end
	if not second then return finding.refused("the entry " .. base .. ": " .. tostring(entry), more) end
	local how = ("the entry %s got %s"):format(base, second == 0 and "nothing" or code_name(second, reason))
	-- No entry without an error, or noSuchObject: it may be hidden, or not there. Nobody outside can tell.
	return (WANTS_LOGIN[second] and finding.closed or finding.refused)(how, more)
end
