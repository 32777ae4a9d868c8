-- SPDX-License-Identifier: BSD-3-Clause
-- Everything that can be found, in one table, and the grade that follows from it. README.md shows the
-- same table.
local findings = {}

-- id = { the grade that a server with it has at best (nil: no effect), why, where that is written }
local TABLE = {
	-- Versions
	["ssl2"] = { "F", "SSL 2.0 is broken", "RFC 6176" },
	["ssl3"] = { "F", "SSL 3.0 is broken", "RFC 7568" },
	["tls10"] = { "B", "TLS 1.0 is deprecated", "RFC 8996" },
	["tls11"] = { "B", "TLS 1.1 is deprecated", "RFC 8996" },
	["no-modern-version"] = { "C", "neither TLS 1.2 nor TLS 1.3 is there", "RFC 9325 section 3.1.1" },
	-- Cipher suites
	["null-cipher"] = { "F", "no encryption", "RFC 9325 section 4.1" },
	["anonymous"] = { "F", "no authentication: open to a man in the middle", "RFC 9325 section 4.1" },
	["export"] = { "F", "keys of 40 or 56 bits", "RFC 9325 section 4.1" },
	["rc4"] = { "D", "RC4 leaks plaintext", "RFC 7465" },
	["rc2"] = { "D", "RC2 has a block of 64 bits (SWEET32)", "CVE-2016-2183" },
	["des"] = { "D", "keys of 56 bits", "RFC 5469" },
	["3des"] = { "C", "3DES has a block of 64 bits (SWEET32)", "CVE-2016-2183" },
	["idea"] = { "C", "IDEA has a block of 64 bits (SWEET32)", "RFC 5469" },
	["md5-mac"] = { "B", "MD5 in the check of records", "RFC 6151" },
	["no-forward-secrecy"] = { "C", "no suite has forward secrecy", "RFC 9325 section 4.1" },
	["some-forward-secrecy"] = { "B", "some suites have no forward secrecy", "RFC 9325 section 4.1" },
	["dh-short"] = { "D", "Diffie-Hellman with less than 1024 bits (Logjam)", "RFC 9325 section 4.5" },
	["dh-1024"] = { "C", "Diffie-Hellman with less than 2048 bits", "RFC 9325 section 4.5" },
	-- The protocol
	["compression"] = { "D", "TLS compression leaks secrets (CRIME)", "RFC 9325 section 3.3" },
	["no-secure-renegotiation"] = { "D", "renegotiation is not protected", "RFC 5746" },
	-- Certificates
	["expired"] = { "F", "the certificate has expired", "RFC 5280 section 4.1.2.5" },
	["not-yet-valid"] = { "F", "the certificate is not valid yet", "RFC 5280 section 4.1.2.5" },
	["expires-soon"] = { nil, "the certificate expires soon", "RFC 5280 section 4.1.2.5" },
	["signature-md5"] = { "F", "signed with MD2, MD4 or MD5", "RFC 6151" },
	["signature-sha1"] = { "C", "signed with SHA-1", "RFC 6194" },
	["key-tiny"] = { "F", "RSA or DSA key of less than 1024 bits", "RFC 9325 section 4.5" },
	["key-short"] = { "D", "RSA or DSA key of less than 2048 bits", "RFC 9325 section 4.5" },
	["key-short-ec"] = { "D", "elliptic curve of less than 224 bits", "RFC 9325 section 4.5" },
	["self-signed"] = { "D", "self-signed: no authority vouches for it", "RFC 5280 section 6.1" },
	["name-mismatch"] = { "D", "the certificate is for other names", "RFC 9525 section 6" },
	["name-in-cn-only"] = { "B", "the name is only in the subject's common name, which clients ignore",
		"RFC 9525 section 2" },
	["address-not-named"] = { nil, "the certificate does not name the address, which it need not",
		"RFC 9525 section 6.2" },
	["chain-incomplete"] = { "C", "an intermediate certificate is missing", "RFC 8446 section 4.4.2" },
	["chain-misordered"] = { "C", "the chain is not in order", "RFC 5246 section 7.4.2" },
	["chain-unrelated"] = { "C", "the chain has a certificate that belongs to no other",
		"RFC 8446 section 4.4.2" },
	["issuer-unknown"] = { "D", "the chain leads to none of the configured roots", "RFC 5280 section 6.1" },
	["issuer-no-ca"] = { "D", "a certificate that is no authority's has issued another",
		"RFC 5280 section 4.2.1.9" },
}

local ORDER = { A = 1, B = 2, C = 3, D = 4, F = 5 }
local LONGEST = 20 -- items of one finding that are kept

-- Gathers findings; one with the same id gets more items instead of another entry.
function findings.new()
	return { list = {}, by_id = {} }
end

-- item: what it was found in, such as a suite or a certificate's name; may be nil.
function findings.add(all, id, item)
	local row = TABLE[id]
	local entry = all.by_id[id]
	if not entry then
		entry = { id = id, at_best = row[1], why = row[2], reference = row[3] }
		all.by_id[id] = entry
		all.list[#all.list + 1] = entry
	end
	if not item then
		return
	end
	entry.where = entry.where or {}
	for _, known in ipairs(entry.where) do
		if known == item then
			return
		end
	end
	if #entry.where < LONGEST then
		entry.where[#entry.where + 1] = item
	else
		entry.more = (entry.more or 0) + 1
	end
end

-- The worst of what the findings allow at best; A where there is none that counts.
function findings.grade(all)
	local worst = "A"
	for _, entry in ipairs(all.list) do
		if entry.at_best and ORDER[entry.at_best] > ORDER[worst] then
			worst = entry.at_best
		end
	end
	return worst
end

-- As results have it, worst first; nil where there is none.
function findings.report(all)
	if #all.list == 0 then
		return nil
	end
	table.sort(all.list, function(a, b)
		local x, y = ORDER[a.at_best] or 0, ORDER[b.at_best] or 0
		if x ~= y then
			return x > y
		end
		return a.id < b.id
	end)
	return all.list
end

-- For tests: every id with its row.
findings.TABLE = TABLE

return findings
