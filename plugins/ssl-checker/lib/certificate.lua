-- SPDX-License-Identifier: BSD-3-Clause
-- What prtip.tls_info tells of certificates, as results have it, and what is wrong with them.
local findings = require("findings")

local certificate = {}

local NAMES = 50 -- of one certificate that are kept
local CHAIN = 10 -- certificates of a chain that are looked at
local DAY = 86400

-- ---- As results have it ----

local function names_of(cert)
	local names, list = cert.names or {}, nil
	for i = 1, math.min(#names, NAMES) do
		list = list or {}
		list[i] = names[i]
	end
	return list, #names > NAMES and #names - NAMES or nil
end

local function days(seconds)
	return seconds and math.floor(seconds / DAY)
end

-- Without `der`, whose bytes are no text.
local function describe(cert, now)
	local names, more = names_of(cert)
	return {
		subject = cert.subject, issuer = cert.issuer, common_name = cert.common_name,
		names = names, more_names = more,
		not_before = cert.not_before_text, not_after = cert.not_after_text,
		days_left = days(cert.not_after and cert.not_after - now),
		key_type = cert.key_type, key_bits = cert.key_bits, curve = cert.curve,
		signature = cert.signature, serial = cert.serial, sha256 = cert.sha256,
		self_signed = cert.self_signed, ca = cert.ca,
	}
end

local function label(cert)
	return cert.common_name or cert.subject or cert.serial or "?"
end

-- ---- Dates, keys, signatures ----

local function check_dates(all, cert, now, warn_days)
	if cert.not_before and now < cert.not_before then
		findings.add(all, "not-yet-valid", label(cert))
	elseif cert.not_after and now > cert.not_after then
		findings.add(all, "expired", label(cert))
	elseif cert.not_after and cert.not_after - now < warn_days * DAY then
		findings.add(all, "expires-soon", label(cert))
	end
end

local FACTORED = { rsa = true, ["rsa-pss"] = true, dsa = true }

local function check_key(all, cert)
	local bits = cert.key_bits
	if not bits then
		return
	end
	if FACTORED[cert.key_type] then
		if bits < 1024 then
			findings.add(all, "key-tiny", label(cert))
		elseif bits < 2048 then
			findings.add(all, "key-short", label(cert))
		end
	elseif cert.key_type == "ec" and bits < 224 then
		findings.add(all, "key-short-ec", label(cert))
	end
end

-- The names are OpenSSL's: md5WithRSAEncryption, ecdsa-with-SHA1, dsaWithSHA1-old, RSA-MD4 ...
local function check_signature(all, cert)
	local name = (cert.signature or ""):lower()
	if name:find("md[245]") then
		findings.add(all, "signature-md5", label(cert))
	elseif name:find("sha1") or name == "dsawithsha" or name == "shawithrsaencryption" then
		findings.add(all, "signature-sha1", label(cert))
	end
end

-- ---- Names ----

-- RFC 9525 section 6.3: a wildcard stands for the whole leftmost label, and there for one.
local function name_fits(pattern, name)
	pattern, name = pattern:lower(), name:lower()
	if pattern == name then
		return true
	end
	local rest = pattern:match("^%*(%..+%..+)$")
	return rest ~= nil and name:match("^[^.]+(%..+)$") == rest
end

local function equal(pattern, name)
	return pattern == name
end

-- fits: addresses have no wildcards.
local function is_named(cert, name, fits)
	for _, pattern in ipairs(cert.names or {}) do
		if fits(pattern, name) then
			return true
		end
	end
	return false
end

-- With a configured name it is compared with the certificate's; else the address is, which proves
-- nothing: clients ask by a name that we do not know.
local function check_name(all, cert, options)
	local name = options.server_name
	if not name then
		local named = is_named(cert, options.ip, equal)
		if not named then
			findings.add(all, "address-not-named")
		end
		return { checked = options.ip, kind = "address", match = named }
	end
	local named = is_named(cert, name, name_fits)
	if not named and #(cert.names or {}) == 0 and cert.common_name and name_fits(cert.common_name, name) then
		findings.add(all, "name-in-cn-only", cert.common_name)
	elseif not named then
		findings.add(all, "name-mismatch", name)
	end
	return { checked = name, kind = "name", match = named }
end

-- ---- The chain ----

-- Chains are followed by names alone: signatures of one certificate under another are not checked.
local function issued(issuer, cert)
	return issuer.subject ~= nil and issuer.subject == cert.issuer
end

local function find_issuer(chain, cert)
	for i, other in ipairs(chain) do
		if other ~= cert and issued(other, cert) then
			return i
		end
	end
end

-- From the leaf upwards: the certificates on the way, and which places they have.
local function follow(chain)
	local way, at, used = { chain[1] }, 1, { true }
	while not chain[at].self_signed do
		at = find_issuer(chain, chain[at])
		if not at or used[at] then
			break
		end
		used[at] = true
		way[#way + 1] = chain[at]
	end
	return way, used
end

local function check_order(all, chain, way, used)
	local status
	for i, cert in ipairs(chain) do
		if not used[i] then
			findings.add(all, "chain-unrelated", label(cert))
			status = "unrelated"
		end
	end
	for i, cert in ipairs(way) do
		if i <= #chain and not status and chain[i] ~= cert then
			findings.add(all, "chain-misordered")
			return "misordered"
		end
	end
	return status
end

-- A root, or issued by one. by_name: names are believed, as long as the certificate needs an issuer.
local function is_root(roots, cert, by_name)
	for _, root in ipairs(roots) do
		if root == cert.sha256 or by_name and (root == cert.issuer or root == cert.issuer_common_name) then
			return true
		end
	end
	return false
end

-- Where the way ends. Without configured roots a leaf alone is incomplete: public authorities issue
-- none from a root. Else a chain may end below a root, which need not be sent.
local function check_end(all, way, roots)
	local last = way[#way]
	local alone = last == way[1] and last.self_signed
	if #roots > 0 and is_root(roots, last, not alone) then
		return "complete"
	end
	if alone then
		findings.add(all, "self-signed", label(last))
		return "self-signed"
	end
	if #roots > 0 then
		findings.add(all, last.self_signed and "issuer-unknown" or "chain-incomplete",
			last.issuer_common_name or last.issuer)
		return last.self_signed and "unknown root" or "incomplete"
	end
	if last.self_signed then
		return "complete"
	end
	if #way == 1 then
		findings.add(all, "chain-incomplete", last.issuer_common_name or last.issuer)
		return "incomplete"
	end
	return "open"
end

local function check_chain(all, chain, roots)
	local way, used = follow(chain)
	local order = check_order(all, chain, way, used)
	local last = check_end(all, way, roots)
	for i = 2, #way do
		-- Roots of the first version say nothing of it.
		if way[i].ca == false and not way[i].self_signed then
			findings.add(all, "issuer-no-ca", label(way[i]))
		end
	end
	return order or last
end

-- ---- All of it ----

-- info: of prtip.tls_info; options: {ip=, server_name=, now=, warn_days=, roots=}. Returns what results
-- have of it, or nil where the server has no certificate.
function certificate.check(all, info, options)
	local chain = {}
	for i = 1, math.min(#(info.chain or {}), CHAIN) do
		chain[i] = info.chain[i]
	end
	if not chain[1] then
		return nil
	end
	local described = describe(chain[1], options.now)
	described.name = check_name(all, chain[1], options)
	described.chain_status = check_chain(all, chain, options.roots)
	for i, cert in ipairs(chain) do
		check_dates(all, cert, options.now, options.warn_days)
		check_key(all, cert)
		-- Nobody relies on what a root says of itself.
		if i == 1 or not cert.self_signed then
			check_signature(all, cert)
		end
		if i > 1 then
			described.chain = described.chain or {}
			described.chain[i - 1] = describe(cert, options.now)
		end
	end
	return described
end

return certificate
