-- SPDX-License-Identifier: BSD-3-Clause
-- The survey of one web server: which of the paths it has.
--
-- Asked are, in this order: a path that nobody has, with GET; `/`, with GET and HEAD; each path of the
-- list, with HEAD, and with GET where that is not enough; and at the end, where something was found,
-- another path that nobody has. An answer that is like that of the first one is no finding. Before
-- something becomes a finding, a made-up name beside it is asked for, once for each kind of them:
-- servers treat `.php`, dot files or a whole folder in ways of their own.
local html = require("html")
local likeness = require("likeness")
local contact = require("contact")

local Survey = {}
Survey.__index = Survey

local FAILURES = 3 -- in a row, and the server is left alone
local ENTRIES_BYTES = 40000 -- of findings as JSON; all of a record's results may have 64 KiB
local LETTERS = 14

-- ---- Paths that nobody has ----

-- A word of letters, another one each time and for each target.
local function made_up(target)
	local seed = ("%s %s %.6f %d"):format(target.ip, target.port, prtip.now(), math.random(2 ^ 30))
	local digest = prtip.sha256(seed)
	local word = {}
	for i = 1, LETTERS do
		word[i] = string.char(97 + tonumber(digest:sub(2 * i - 1, 2 * i), 16) % 26)
	end
	return table.concat(word)
end

-- What surrounds the made-up name of a path's kind: its folder and, where it has them, its first
-- characters behind a dot, its extension, or the slash at its end.
local function kind_of(path)
	local plain = path:match("^[^?]*")
	local folder, name, slash = plain:match("^(.*/)([^/]+)(/?)$")
	if not folder then return "/", "" end
	if name:sub(1, 1) == "." then return folder .. name:sub(1, 3), slash end
	local extension = name:match("%.([%w]+)$")
	return folder, extension and "." .. extension .. slash or slash
end

-- ---- Asking ----

-- One request. nil where there is no answer; the survey stops after some of those in a row.
function Survey:ask(method, path)
	local response, why = self.client:request(method, path)
	if not response then
		self.failed, self.failures = self.failed + 1, self.failures + 1
		if self.failures >= FAILURES then self.stopped = why end
		return nil
	end
	self.failures = 0
	if self.client.surplus > 0 then self.heads = false end
	if response.status == 429 then self.stopped = "429 Too Many Requests" end
	return likeness.of(response)
end

-- With HEAD as long as the server knows it.
function Survey:look(path)
	local answer = self.heads and self:ask("HEAD", path)
	if answer and answer.status ~= 405 and answer.status ~= 501 then return answer, "HEAD" end
	-- Where there was no answer, it may be HEAD that this page cannot do.
	if self.stopped then return nil end
	return self:ask("GET", path), "GET"
end

-- The baseline of this kind of paths; nil where it got no answer.
function Survey:baseline(path)
	local before, behind = kind_of(path)
	local key = before .. "*" .. behind
	if self.baselines[key] == nil then
		self.baselines[key] = self:ask("GET", before .. made_up(self.target) .. behind) or false
	end
	return self.baselines[key] or nil
end

-- Whether an answer is like one of those that mean nothing; nil: that takes its page.
function Survey:is_nothing(path, answer)
	local alike = likeness.compare(answer, self.baselines["/*"])
	if alike ~= false then return alike end
	local beside = self:baseline(path)
	-- Without an answer there is nothing to compare with: no finding.
	if not beside then return true end
	return likeness.compare(answer, beside)
end

-- What HEAD leaves open: length and title.
local function wants_page(answer)
	return answer.status < 300 and (not answer.length or html.is_page(answer.type))
end

function Survey:examine(path)
	local answer, method = self:look(path)
	while answer and self.settings.status[answer.status] do
		local nothing = self:is_nothing(path, answer)
		if nothing or self.stopped then return end
		if method == "GET" or nothing == false and not wants_page(answer) then
			self.found[#self.found + 1] = answer
			return
		end
		answer, method = self:ask("GET", path), "GET"
	end
end

-- ---- The whole ----

-- `/` with GET; with HEAD to see whether the server gives the same answer to that.
function Survey:examine_root()
	local root = self:ask("GET", "/")
	if not root or self.stopped then return end
	self.root = root
	self.powered_by, self.server = root.powered_by, root.server or self.server
	local head = self:ask("HEAD", "/")
	self.heads = self.heads and head ~= nil and head.status == root.status
	-- HEAD is no way to lose a server that knows only GET.
	if not head then self.failures, self.stopped = 0, nil end
end

-- A server may begin to refuse everything halfway, or never say the same twice: findings that look like
-- what it says by now are none, and of one status with that nothing can be told.
function Survey:examine_end()
	if #self.found == 0 or self.stopped then return end
	local first, last = self.baselines["/*"], self:ask("GET", "/" .. made_up(self.target))
	-- This comparison is made however many there were.
	first.looks = nil
	if not last or likeness.compare(last, first) then return end
	local kept = {}
	for _, answer in ipairs(self.found) do
		local same = last.status == first.status and answer.status == last.status
		if not same and likeness.compare(answer, last) == false then kept[#kept + 1] = answer end
	end
	self.found, self.stopped = kept, "what it says of missing paths changed"
end

function Survey:examine_paths()
	local deadline = self.started + self.settings.max_seconds
	for _, path in ipairs(self.settings.paths) do
		if self.stopped then return end
		if prtip.now() > deadline then
			self.stopped = "max_seconds"
			return
		end
		self:examine(path)
		self.asked = self.asked + 1
	end
end

-- ---- The report ----

local function entry(answer)
	return {
		path = answer.path, status = answer.status, length = answer.length, title = answer.title,
		type = answer.type, location = answer.location,
	}
end

-- What was found, as far as it has room in a record, and how many had none.
local function entries(found)
	local list, bytes, omitted = {}, 0, 0
	for _, answer in ipairs(found) do
		local one = entry(answer)
		bytes = bytes + #prtip.json_encode(one) + 1
		if bytes <= ENTRIES_BYTES then list[#list + 1] = one else omitted = omitted + 1 end
	end
	return list, omitted
end

local function add(key, value)
	if value ~= nil then prtip.add_result(key, value) end
end

local function without_path(answer)
	local one = entry(answer)
	one.path = nil
	return one
end

function Survey:report()
	local list, omitted = entries(self.found)
	add("tls", self.tls)
	add("server", self.server)
	add("powered_by", self.powered_by)
	add("title", self.root and self.root.title)
	add("root", self.root and without_path(self.root))
	add("missing", without_path(self.baselines["/*"]))
	if #list > 0 then add("paths", list) end
	add("omitted", omitted > 0 and omitted or nil)
	add("asked", self.asked)
	add("failed", self.failed > 0 and self.failed or nil)
	add("requests", self.client.requests)
	add("connections", self.client.connections)
	add("stopped", self.stopped and html.clean(self.stopped, 200))
end

local survey = {}

-- Survey the target and add what is found to its record. Returns the Server header or nil, whether it
-- speaks TLS, and true where it speaks HTTP at all.
function survey.run(target, settings)
	local started = prtip.now()
	local client, first = contact.make(target, settings, "/" .. made_up(target))
	if not client then return nil end
	local self = setmetatable({
		target = target, settings = settings, client = client, tls = client.tls ~= nil,
		started = started, baselines = { ["/*"] = likeness.of(first) }, found = {},
		heads = true, asked = 0, failed = 0, failures = 0,
	}, Survey)
	self.server = self.baselines["/*"].server
	self.powered_by = self.baselines["/*"].powered_by
	self:examine_root()
	self:examine_paths()
	self:examine_end()
	client:close()
	self:report()
	return self
end

return survey
