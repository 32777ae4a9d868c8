-- SPDX-License-Identifier: BSD-3-Clause
-- Cipher suites: the numbers to offer, and what a suite's name says of it. IANA's names are regular,
-- so that no table of properties is needed.
local suites = {}

-- What servers of the last twenty years have in common, best first: a server that follows the client's
-- order is then listed in a sensible one. Few enough for servers that choke on a long list.
local COMMON = {
	"c02b-c02c", "cca9", "c02f-c030", "cca8", "009e-009f", "ccaa", "c023-c024", "c027-c028", "c009-c00a",
	"c013-c014", "0067", "006b", "0033", "0039", "009c-009d", "003c-003d", "002f", "0035", "0041", "0084",
	"0045", "0088", "0032", "0038", "c008", "c012", "0016", "0013", "000a", "c007", "c011", "0005", "0004",
	"0015", "0012", "0009", "0014", "0011", "0003", "0006", "0008", "0018", "001b", "0034", "003a", "c018",
	"c019", "0002", "0001", "003b", "c006", "c010",
}

-- All others that IANA has registered (0000, 00ff and 5600 are no suites). Up to TLS 1.1 those come
-- into question that name no hash function newer than SHA-1.
local BEFORE_12 = {
	"0001-001b", "001e-003a", "0041-0046", "0060-0066", "0084-009b", "00ae-00b9", "c001-c022",
	"c033-c03b", "c064-c069", "c070-c071", "c094-c09b",
}
local OF_12 = {
	"003b-0040", "0067-006d", "009c-00ad", "00ba-00c5", "c023-c032", "c03c-c063", "c06a-c06f",
	"c072-c093", "c09c-c0b3", "c100-c102", "cca8-ccae", "d001-d003", "d005",
}
-- RFC 8446, RFC 8998 (SM4), RFC 9150 (integrity only), RFC 9367 (GOST).
local OF_13 = { "1301-1305", "00c6-00c7", "c0b4-c0b5", "c103-c106" }
local OF_SSL2 = { "010080", "020080", "030080", "040080", "050080", "060040", "0700c0" }

-- Append the numbers of ranges such as "c02b-c02c" that are not there yet.
local function add(list, seen, ranges)
	for _, range in ipairs(ranges) do
		local first = tonumber(range:match("^%x+"), 16)
		local last = tonumber(range:match("%x+$"), 16)
		for id = first, last do
			if not seen[id] then
				seen[id] = true
				list[#list + 1] = id
			end
		end
	end
end

local function listed(...)
	local list, seen = {}, {}
	for _, ranges in ipairs({ ... }) do
		add(list, seen, ranges)
	end
	return list
end

-- COMMON without what belongs to TLS 1.2 alone.
local function common_before_12()
	local later, list = {}, {}
	add({}, later, OF_12)
	for _, id in ipairs(listed(COMMON)) do
		if not later[id] then
			list[#list + 1] = id
		end
	end
	return list
end

local function joined(first, rest)
	local list, seen = {}, {}
	for _, part in ipairs({ first, rest }) do
		for _, id in ipairs(part) do
			if not seen[id] then
				seen[id] = true
				list[#list + 1] = id
			end
		end
	end
	return list
end

local short_old, short_12 = common_before_12(), listed(COMMON)
local old, tls12 = joined(short_old, listed(BEFORE_12)), joined(short_12, listed(BEFORE_12, OF_12))
local tls13, ssl2 = listed(OF_13), listed(OF_SSL2)

local ALL = {
	["SSLv2"] = ssl2, ["SSLv3"] = old, ["TLSv1.0"] = old, ["TLSv1.1"] = old, ["TLSv1.2"] = tls12,
	["TLSv1.3"] = tls13,
}
local SHORT = {
	["SSLv2"] = ssl2, ["SSLv3"] = short_old, ["TLSv1.0"] = short_old, ["TLSv1.1"] = short_old,
	["TLSv1.2"] = short_12, ["TLSv1.3"] = tls13,
}

local function copy(list)
	local to = {}
	for i = 1, #list do
		to[i] = list[i]
	end
	return to
end

-- The suites to offer to a server of this version, in a list of the caller's own.
function suites.all(version)
	return copy(ALL[version])
end

-- The same for servers that give no answer to a long list.
function suites.short(version)
	return copy(SHORT[version])
end

-- What is offered to learn whether there is TLS at all: versions 1.0 to 1.3.
function suites.any()
	return joined(tls13, short_12)
end

-- ---- What a name says ----

-- Kinds of weakness, and what in a name tells of them; they are also ids of findings.
local WEAK = {
	{ "null-cipher", { "_NULL_", "^TLS_SHA" } },
	{ "anonymous", { "_anon_" } },
	{ "export", { "EXPORT" } },
	{ "rc4", { "RC4" } },
	{ "rc2", { "RC2" } },
	{ "des", { "_DES_CBC", "_DES40_", "_DES_64_" } },
	{ "3des", { "3DES", "_DES_192_EDE3" } },
	{ "idea", { "IDEA" } },
	{ "md5-mac", { "_MD5$" } },
}

-- The kinds of weakness of a suite, a list that may be empty.
function suites.weak(name)
	local kinds = {}
	for _, row in ipairs(WEAK) do
		for _, pattern in ipairs(row[2]) do
			if name:find(pattern) then
				kinds[#kinds + 1] = row[1]
				break
			end
		end
	end
	return kinds
end

-- Are keys made for each connection? In TLS 1.3 always, without saying so in the name.
function suites.is_forward_secret(version, name)
	return version == "TLSv1.3" or name:find("DHE_") ~= nil or name:find("DH_anon_") ~= nil
end

-- "rsa" or "ec": the kind of certificate that the suite needs; nil where it needs none, or any.
function suites.certificate_of(name)
	if name:find("_ECDSA_") then
		return "ec"
	end
	if name:find("_RSA_WITH") or name:find("_RSA_EXPORT") then
		return not name:find("PSK_RSA") and not name:find("_SRP_") and "rsa" or nil
	end
end

return suites
