-- SPDX-License-Identifier: BSD-3-Clause
-- Whether an answer is what the server says where there is nothing (a baseline): many servers do not
-- say 404, but redirect, ask for a password, or send a page with 200.
--
-- Compared are status, then the redirect's target, or the page by type, title and words. The path that
-- was asked for is taken out of both before, as such pages often repeat it.
local html = require("html")

local likeness = {}

local SAMPLE_BYTES = 2048 -- of a body, that are compared
local MOST_WORDS = 60
-- Word by word, that is: with one baseline. Behind that the rest is taken as the same, as this costs
-- instructions, and a server decides how often it comes to that.
local MOST_LOOKS = 20
local ALIKE = 0.7 -- share of their words from which on two pages are the same
local TITLE_BYTES = 120

local function escape(text)
	return (text:gsub("%p", "%%%0"))
end

-- text without what is there: a plain search first, which is much faster than a pattern and mostly enough.
local function erase(text, what)
	if not text:find(what, 1, true) then return text end
	return (text:gsub(escape(what), "*"))
end

-- The same, of a word of its own.
local function erase_word(text, word)
	if not text:find(word, 1, true) then return text end
	local first, last = word:find("^%w") and "%f[%w]" or "", word:find("%w$") and "%f[%W]" or ""
	return (text:gsub(first .. escape(word) .. last, "*"))
end

-- text without the path in it: with its slashes, then as a name; as it is, then percent-encoded.
local function without(text, path)
	local name = path:match("^/*(.-)/*$")
	if name == "" then return text end
	text = erase_word(erase(text, path), name)
	for _, slash in ipairs{ "%2F", "%2f" } do
		if text:find(slash, 1, true) then
			text = erase(text, (path:gsub("/", "%" .. slash)))
			if name:find("/", 1, true) then text = erase_word(text, (name:gsub("/", "%" .. slash))) end
		end
	end
	return (text:gsub("/%*", "*"))
end

-- What is behind the question mark is the way back, or a token that is new each time.
local function place(location, path)
	return location and without(location:match("^[^?#]*"), path)
end

-- The words of a text as a set, and how many.
local function words_of(text)
	local set, count, seen = {}, 0, 0
	for word in text:gmatch("[^%s<>]+") do
		seen = seen + 1
		if seen > MOST_WORDS then break end
		if not set[word] then set[word], count = true, count + 1 end
	end
	return set, count
end

-- The share of words that both texts have, of all that either has.
local function overlap(a, b)
	local mine, count = words_of(a)
	local others, count_of_others = words_of(b)
	local common = 0
	for word in pairs(mine) do
		if others[word] then common = common + 1 end
	end
	local all = count + count_of_others - common
	return all == 0 and 1 or common / all
end

-- What a response says, as far as results and comparing need it. Of the page only its beginning is
-- kept: there are many targets at once.
function likeness.of(response)
	local headers = response.headers
	local kind = html.media_type(headers["content-type"])
	return {
		status = response.status, length = response.length, type = kind, path = response.path,
		location = html.clean(headers["location"], 256),
		target = place(headers["location"], response.path),
		body = response.method ~= "HEAD" and response.body:sub(1, SAMPLE_BYTES) or nil,
		title = response.method ~= "HEAD" and html.is_page(kind) and html.title(response.body, TITLE_BYTES)
			or nil,
		powered_by = html.clean(headers["x-powered-by"], 120),
		server = html.clean(headers["server"], 200),
	}
end

-- text without what differs from one look to the next. Both paths are taken out: a page may have the word
-- "admin" whether or not one asks for it. Words with digits are times, numbers and ids.
local function strip(text, a, b)
	if not text then return nil end
	return (without(without(text, a), b):gsub("%f[%w]%w*%d%w*", "#"))
end

-- Pages of the same status, both with their bodies.
local function alike_pages(answer, baseline)
	if answer.type ~= baseline.type then return false end
	if answer.body == baseline.body then return true end
	local a, b = answer.path, baseline.path
	if strip(answer.title, a, b) ~= strip(baseline.title, a, b) then return false end
	local body, missing = strip(answer.body, a, b), strip(baseline.body, a, b)
	if body == missing then return true end
	baseline.looks = (baseline.looks or 0) + 1
	return baseline.looks > MOST_LOOKS or overlap(body, missing) >= ALIKE
end

-- true: answer is like the baseline; false: it is not; nil: that takes the page, with GET.
function likeness.compare(answer, baseline)
	if answer.status ~= baseline.status then return false end
	if answer.status >= 300 and answer.status < 400 then return answer.target == baseline.target end
	-- Refusals and errors are all alike: nothing is learnt from what they say.
	if answer.status >= 300 then return true end
	if answer.body and baseline.body then return alike_pages(answer, baseline) end
	-- The same page for all that one asks for: its length says so already.
	if answer.length and answer.length == baseline.length and answer.type == baseline.type then
		return true
	end
	return nil
end

return likeness
