-- SPDX-License-Identifier: BSD-3-Clause
-- Text out of pages and headers: valid UTF-8 on one line, bounded. Each search goes through the text
-- once, whatever a server puts there: no pattern here can start anew at each byte.
local html = {}

local TITLE_BYTES = 1024 -- looked at; html.clean() cuts further

-- Names that titles use, by HTML's own list of them.
local ENTITIES = {
	amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " ", copy = 169, reg = 174,
	laquo = 171, raquo = 187, middot = 183, bull = 0x2022, hellip = 0x2026, ndash = 0x2013,
	mdash = 0x2014, lsquo = 0x2018, rsquo = 0x2019, ldquo = 0x201C, rdquo = 0x201D, trade = 0x2122,
	auml = 228, ouml = 246, uuml = 252, Auml = 196, Ouml = 214, Uuml = 220, szlig = 223,
	agrave = 224, aacute = 225, ccedil = 231, egrave = 232, eacute = 233, ntilde = 241,
}
for name, code in pairs(ENTITIES) do
	if type(code) == "number" then ENTITIES[name] = utf8.char(code) end
end

-- What is not UTF-8 is read as ISO-8859-1, whose upper control characters nobody means.
local LATIN = {}
for byte = 128, 255 do LATIN[string.char(byte)] = byte < 160 and "?" or utf8.char(byte) end

local function entity(name)
	local digits = name:match("^#(%d+)$")
	local code = digits and tonumber(digits) or tonumber(name:match("^#[xX](%x+)$") or "", 16)
	if not code then return ENTITIES[name] end
	-- Neither surrogates nor what lies beyond Unicode.
	if code < 1 or code > 0x10FFFF or code >= 0xD800 and code <= 0xDFFF then return "?" end
	return utf8.char(code)
end

-- Text of at most max bytes, fit for a result: control characters and spaces become one space each,
-- none at either end. nil where there is nothing left.
function html.clean(text, max)
	if not text then return nil end
	text = text:sub(1, 4 * max)
	if not utf8.len(text) then
		-- Valid but for a character that the cut above split, or no UTF-8 at all.
		local _, bad = utf8.len(text)
		if bad > #text - 3 and #text == 4 * max then
			text = text:sub(1, bad - 1)
		else
			text = text:gsub("[\128-\255]", LATIN)
		end
	end
	-- C1 controls and the marks that turn the direction of writing are for terminals, not for text.
	text = text:gsub("\194[\128-\159]", " "):gsub("\226\128[\142\143\168-\174]", "")
	text = text:gsub("\226\129[\166-\169]", ""):gsub("[%z\1-\32\127]+", " ")
	text = text:match("^ ?(.*)$")
	if #text > max then
		local cut = max
		while cut > 0 and text:byte(cut + 1) >= 128 and text:byte(cut + 1) < 192 do cut = cut - 1 end
		text = text:sub(1, cut)
	end
	if text:sub(-1) == " " then text = text:sub(1, -2) end
	return text ~= "" and text or nil
end

-- The essence of a content type, "text/html" of `Text/HTML; charset=utf-8`.
function html.media_type(value)
	local essence = value and value:match("^%s*([^;,%s]+)")
	return essence and html.clean(essence:lower(), 80)
end

-- Whether a page with this content type may have a title.
function html.is_page(media_type)
	return media_type == nil or media_type:find("html", 1, true) ~= nil
end

-- The title of a page, or nil.
function html.title(body, max)
	local lower = body:lower()
	local first = lower:find("<title", 1, true)
	local open = first and lower:find(">", first, true)
	if not open then return nil end
	local close = lower:find("</title", open, true) or #body + 1
	local text = body:sub(open + 1, math.min(close - 1, open + TITLE_BYTES))
	return html.clean(text:gsub("&(#?%w+);", entity), max)
end

return html
