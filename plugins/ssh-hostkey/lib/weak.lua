-- SPDX-License-Identifier: BSD-3-Clause
-- Which algorithms are weak, and why: one table a kind, all rows that fit count.
local weak = {}

local LISTED = 60 -- entries that are kept

-- { pattern, why, where that is written }
local RULES = {
	kex = {
		{ "group1%-sha1", "a group of 1024 bits (Logjam)", "RFC 9142 section 3.2.1" },
		{ "^rsa1024%-", "a key of 1024 bits", "RFC 9142" },
		{ "sha1", "SHA-1", "RFC 9142 section 1.1" },
	},
	host_key = {
		{ "dss", "DSA with 1024 bits and SHA-1", "RFC 8332 section 1" },
		{ "^ssh%-rsa", "signatures with SHA-1", "RFC 8332 section 1" },
		{ "^x509v3%-ssh%-rsa", "signatures with SHA-1", "RFC 8332 section 1" },
		{ "^null$", "no authentication", "RFC 4462 section 5" },
	},
	cipher = {
		{ "^none$", "no encryption", "RFC 4253 section 6.3" },
		{ "^arcfour", "RC4 leaks plaintext", "RFC 8758" },
		{ "^des%-", "keys of 56 bits", "RFC 4250 section 4.11.1" },
		{ "^3des%-", "a block of 64 bits (SWEET32)", "CVE-2016-2183" },
		{ "^blowfish%-", "a block of 64 bits (SWEET32)", "CVE-2016-2183" },
		{ "^cast128%-", "a block of 64 bits (SWEET32)", "CVE-2016-2183" },
		{ "^idea%-", "a block of 64 bits (SWEET32)", "CVE-2016-2183" },
		{ "%-cbc", "CBC with a MAC that is not checked first: plaintext may be recovered", "CVE-2008-5161" },
	},
	mac = {
		{ "^none$", "no check of what arrives", "RFC 4253 section 6.4" },
		{ "md5", "MD5", "RFC 6151" },
		{ "sha1", "SHA-1, though not broken as a MAC", "RFC 6194" },
		{ "%-96", "only 96 bits of the MAC are sent", "RFC 4253 section 6.4" },
		{ "^umac%-64", "a tag of 64 bits", "RFC 4418 section 6" },
	},
}
local OF_LIST = {
	kex = "kex", host_key = "host_key", ciphers = "cipher", ciphers_to_client = "cipher", macs = "mac",
	macs_to_client = "mac",
}
local ORDER = { "kex", "host_key", "ciphers", "ciphers_to_client", "macs", "macs_to_client" }
local SHORTEST_RSA = 2048

local function add(all, kind, name, why, reference)
	local key = kind .. " " .. name .. " " .. why
	if all.seen[key] or #all.list >= LISTED then
		return
	end
	all.seen[key] = true
	all.list[#all.list + 1] = { kind = kind, algorithm = name, why = why, reference = reference }
end

local function check_name(all, kind, name)
	for _, row in ipairs(RULES[kind]) do
		if name:find(row[1]) then
			add(all, kind, name, row[2], row[3])
		end
	end
end

local function has(list, pattern)
	for _, name in ipairs(list) do
		if name:find(pattern) then
			return name
		end
	end
end

-- Without strict key exchange packets can be cut away at the beginning, where the cipher is one of these.
local function check_prefix(all, lists)
	if lists.markers["kex-strict-s-v00@openssh.com"] then
		return
	end
	local name = has(lists.ciphers, "^chacha20%-poly1305")
		or has(lists.macs, "%-etm@openssh") and has(lists.ciphers, "%-cbc")
	if name then
		add(all, "protocol", name, "without strict key exchange packets can be cut away (Terrapin)", "CVE-2023-48795")
	end
end

-- version: the server's line; lists: of its KEXINIT, or nil; keys: those that were seen. Returns a list,
-- or nil where nothing is weak.
function weak.check(version, lists, keys)
	local all = { list = {}, seen = {} }
	if version:find("^SSH%-1%.") then
		add(all, "protocol", "SSH-1", "version 1 is broken", "RFC 4253 section 5")
	end
	for _, list in ipairs(lists and ORDER or {}) do
		for _, name in ipairs(lists[list]) do
			check_name(all, OF_LIST[list], name)
		end
	end
	if lists then
		check_prefix(all, lists)
	end
	for _, key in ipairs(keys) do
		if key.type == "ssh-rsa" and key.bits and key.bits < SHORTEST_RSA then
			add(all, "key", key.type, ("RSA key of %d bits"):format(key.bits), "NIST SP 800-131A")
		end
	end
	return #all.list > 0 and all.list or nil
end

return weak
