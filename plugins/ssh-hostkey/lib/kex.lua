-- SPDX-License-Identifier: BSD-3-Clause
-- The beginning of a key exchange: far enough to be shown the host key. Both sides' algorithms (RFC
-- 4253 section 7.1), our public value, and the reply with the key (section 8, RFC 5656 section 4, RFC 8731).
--
-- Our public values are constants: no secret is computed, nothing is encrypted, and the signature in the
-- reply is not checked. The connection ends there.
local wire = require("wire")

local kex = {}

local KEXINIT, KEX_INIT, KEX_REPLY = 20, 30, 31
local GEX_REQUEST, GEX_GROUP, GEX_INIT, GEX_REPLY = 34, 31, 32, 33
local NAMES = 60 -- of one list that are kept
local LONGEST_NAME = 64 -- RFC 4251 section 6

-- ---- Lists of algorithms ----

-- In the order of the packet.
local LISTS = {
	"kex", "host_key", "ciphers", "ciphers_to_client", "macs", "macs_to_client", "compression",
	"compression_to_client", "languages", "languages_to_client",
}

-- What stands in the list of key exchanges and is none.
local function is_marker(name)
	return name:find("^kex%-strict%-") ~= nil or name:find("^ext%-info%-") ~= nil or name:find("^kexguess2@") ~= nil
end

local function split(text)
	local list = {}
	for name in text:gmatch("[^,]+") do
		if #list < NAMES and #name <= LONGEST_NAME and name:find("^[!-~]+$") then
			list[#list + 1] = name
		end
	end
	return list
end

-- {kex = {...}, host_key = {...}, ..., markers = {NAME = true}} of a KEXINIT; nil where it is malformed.
-- raw: the lists as they came.
local function read_kexinit(payload)
	local at, found, raw = 18, { markers = {} }, {}
	for _, name in ipairs(LISTS) do
		local text
		text, at = wire.read_text(payload, at)
		if not text then
			return nil, "KEXINIT is malformed"
		end
		found[name], raw[name] = split(text), text
	end
	local methods = {}
	for _, name in ipairs(found.kex) do
		if is_marker(name) then
			found.markers[name] = true
		else
			methods[#methods + 1] = name
		end
	end
	found.kex = methods
	return found, raw
end

-- ---- Public values ----

-- The base points of the curves, as RFC 7748 section 4.1 and SEC 2 section 2 have them. Of
-- Diffie-Hellman any number will do that is greater than 1 and has more than a few bits set.
local X25519 = "\9" .. ("\0"):rep(31)
local P256 = prtip.hex.decode("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	.. "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
local P384 = prtip.hex.decode("04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a38"
	.. "5502f25dbf55296c3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29"
	.. "f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f")
local P521 = prtip.hex.decode("0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d"
	.. "3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5"
	.. "bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17"
	.. "273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650")
local NUMBER = "\0" .. ("\170"):rep(64) -- 511 bits, every other one set
-- sntrup761: an encoded polynomial, then X25519's.
local SNTRUP = ("\85"):rep(1158) .. X25519

-- The lightest first. A pattern, and the public value; or "exchange", where the server chooses the group.
local METHODS = {
	{ "^curve25519%-sha256$", X25519 }, { "^curve25519%-sha256@libssh%.org$", X25519 },
	{ "^ecdh%-sha2%-nistp256$", P256 }, { "^ecdh%-sha2%-nistp384$", P384 }, { "^ecdh%-sha2%-nistp521$", P521 },
	{ "^diffie%-hellman%-group14%-sha", NUMBER }, { "^diffie%-hellman%-group1%-sha1$", NUMBER },
	{ "^diffie%-hellman%-group1[5-8]%-sha512$", NUMBER },
	{ "^diffie%-hellman%-group%-exchange%-sha", "exchange" },
	{ "^sntrup761x25519%-sha512", SNTRUP },
}

-- The method to use of those that the server has: its name and the public value.
local function choose_method(list)
	for _, row in ipairs(METHODS) do
		for _, name in ipairs(list) do
			if name:find(row[1]) then
				return name, row[2]
			end
		end
	end
end

-- ---- The exchange ----

-- Our KEXINIT: one method, one host key algorithm, and of the rest whatever the server has.
local function kexinit(method, algorithm, raw)
	local parts = { string.char(KEXINIT), ("\0"):rep(16), wire.text(method), wire.text(algorithm) }
	for i = 3, #LISTS do
		parts[#parts + 1] = wire.text(raw[LISTS[i]])
	end
	return table.concat(parts) .. "\0" .. wire.uint32(0)
end

-- The server chooses a group (RFC 4419 section 3), of 2048 bits if it can.
local function exchange_group(connection)
	connection:send_packet(string.char(GEX_REQUEST) .. wire.uint32(1024) .. wire.uint32(2048) .. wire.uint32(8192))
	local group, why = connection:expect(GEX_GROUP, "a group")
	if not group then
		return nil, why
	end
	connection:send_packet(string.char(GEX_INIT) .. wire.text(NUMBER))
	return connection:expect(GEX_REPLY, "the reply with the host key")
end

local function exchange(connection, value)
	if value == "exchange" then
		return exchange_group(connection)
	end
	connection:send_packet(string.char(KEX_INIT) .. wire.text(value))
	return connection:expect(KEX_REPLY, "the reply with the host key")
end

-- Read the version and the algorithms of the server. Returns them as {version=, lists=, raw=}; lists is
-- nil for a server that only speaks SSH 1.
function kex.greet(connection, our_version)
	local ok, why = connection:send(our_version .. "\r\n")
	if not ok then
		return nil, why
	end
	local version
	version, why = connection:read_version()
	if not version then
		return nil, why
	end
	local server = { version = version }
	if not version:find("^SSH%-2%.0%-") and not version:find("^SSH%-1%.99%-") then
		return server
	end
	local payload
	payload, why = connection:expect(KEXINIT, "KEXINIT")
	if not payload then
		return server, why
	end
	server.lists, server.raw = read_kexinit(payload)
	if not server.lists then
		return server, server.raw
	end
	return server
end

-- The host key that the server shows for this algorithm, or nil and why not.
function kex.host_key(connection, server, algorithm)
	local method, value = choose_method(server.lists.kex)
	if not method then
		return nil, "none of its key exchanges is known here"
	end
	local ok, why = connection:send_packet(kexinit(method, algorithm, server.raw))
	if not ok then
		return nil, why
	end
	local reply
	reply, why = exchange(connection, value)
	if not reply then
		return nil, why
	end
	return wire.read_text(reply, 2) or nil, "the reply is malformed"
end

return kex
