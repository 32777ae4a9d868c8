-- SPDX-License-Identifier: BSD-3-Clause
-- Host keys: which algorithms ask for which, and what a key's bytes say (RFC 4253 section 6.6, RFC 5656
-- section 3.1, RFC 8709).
local wire = require("wire")

local hostkey = {}

-- The same RSA key goes with three signatures; the newest first.
local ALGORITHMS = { ["ssh-rsa"] = { "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa" } }
local CURVES = { nistp256 = 256, nistp384 = 384, nistp521 = 521 }
local FIXED = { ["ssh-ed25519"] = 256, ["ssh-ed448"] = 456 }

-- An algorithm of the server's list that shows a key of this type, or nil.
function hostkey.algorithm_for(kind, list)
	for _, wanted in ipairs(ALGORITHMS[kind] or { kind }) do
		for _, name in ipairs(list) do
			if name == wanted then
				return name
			end
		end
	end
end

-- The bits of a positive number in an mpint.
local function bits_of(mpint)
	local digits = mpint:gsub("^%z+", "")
	if digits == "" then
		return 0
	end
	local first, bits = digits:byte(1), 8 * (#digits - 1)
	while first > 0 do
		first, bits = math.floor(first / 2), bits + 1
	end
	return bits
end

-- The mpint that has the length of the key: RSA's modulus is the second, DSA's prime the first.
local function length_of(blob, at, which)
	local number
	for _ = 1, which do
		number, at = wire.read_text(blob, at)
		if not number then
			return nil
		end
	end
	return bits_of(number)
end

local function bits(kind, blob, at)
	if kind == "ssh-rsa" then
		return length_of(blob, at, 2)
	end
	if kind == "ssh-dss" then
		return length_of(blob, at, 1)
	end
	local curve = kind:match("^ecdsa%-sha2%-(.+)$")
	return curve and CURVES[curve] or FIXED[kind]
end

-- {type=, bits=, sha256=} of a key's bytes, the fingerprint as ssh-keygen -l prints it; nil where they
-- are no key.
function hostkey.describe(blob)
	local kind, at = wire.read_text(blob, 1)
	if not kind or not kind:find("^[!-~]+$") or #kind > 64 then
		return nil
	end
	local digest = prtip.base64(prtip.hex.decode(prtip.sha256(blob)))
	return { type = kind, bits = bits(kind, blob, at), sha256 = "SHA256:" .. digest:gsub("=", "") }
end

return hostkey
