-- SPDX-License-Identifier: BSD-3-Clause
-- Cells and rows of tables in GitHub's dialect of Markdown (GFM, section 4.10).

local markdown = {}

-- Characters that mean something somewhere in a cell, and their escapes. A `|` would end the cell; the
-- others would make it code, a link, an image, a tag. `://`, `www.` and `@` make links by themselves.
local ESCAPES = { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;" }
for c in ("\\`*_[]|~!#$@"):gmatch(".") do
	ESCAPES[c] = "\\" .. c
end

local CONTROLS = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function spell(c)
	return CONTROLS[c] or ("\\x%02x"):format(c:byte())
end

-- Valid UTF-8 of any bytes: one that is none is spelled.
local function valid(bytes)
	local parts, at = {}, 1
	while true do
		local length, bad = utf8.len(bytes, at)
		if length then
			parts[#parts + 1] = bytes:sub(at)
			return table.concat(parts)
		end
		parts[#parts + 1] = bytes:sub(at, bad - 1) .. spell(bytes:sub(bad, bad))
		at = bad + 1
	end
end

-- The first @most characters of UTF-8, with a mark where some are left out.
local function cut(text, most)
	if #text <= most or utf8.len(text) <= most then
		return text
	end
	return text:sub(1, utf8.offset(text, most + 1) - 1) .. "…"
end

-- Any bytes as one cell: printable text of one line, at most @most characters before it is escaped.
function markdown.cell(bytes, most)
	if #bytes <= most and not bytes:find("[^%w ./:;,()%-]") and not bytes:find("://", 1, true)
		and not bytes:find("[wW]%.") then
		return bytes
	end
	-- Bytes beyond what could be shown are not worth looking at.
	local text = valid(bytes:sub(1, 4 * most + 4))
	text = text:gsub("[%c]", spell)
	text = text:gsub("\194[\128-\159]", function(c) return ("\\x%02x"):format(c:byte(2)) end)
	text = cut(text, most):gsub("[\\`*_%[%]|~!#$@<>&]", ESCAPES)
	text = text:gsub("://", "\\://")
	return (text:gsub("([wW])%.", "%1\\."))
end

-- A row of cells that are finished.
function markdown.row(cells)
	return "| " .. table.concat(cells, " | ") .. " |\n"
end

-- The two lines above a table.
function markdown.head(names)
	return markdown.row(names) .. "|" .. (" --- |"):rep(#names) .. "\n"
end

return markdown
