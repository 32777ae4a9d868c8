-- SPDX-License-Identifier: BSD-3-Clause
-- MongoDB: hello, buildInfo and listDatabases as OP_MSG (MongoDB's wire protocol, 3.6 and later). Only
-- names of databases are asked for, and only their number is kept.

local bson = require("bson")
local finding = require("finding")

local OP_MSG = 2013
local REPLY_BYTES = 65536
local UNAUTHORIZED, NO_SUCH_COMMAND, AUTHENTICATION_FAILED = 13, 59, 18

-- Runs a command. Returns the reply's document; or nil, why, and true where what came is no MongoDB.
local function run(peer, number, list)
	list[#list + 1] = { "$db", "admin" }
	-- Flags 0, and one section of kind 0: a document.
	local body = "\0\0\0\0\0" .. bson.encode(list)
	local sent, why = peer:write(bson.put32(#body + 16) .. bson.put32(number) .. "\0\0\0\0" .. bson.put32(OP_MSG) .. body)
	if not sent then return nil, why end
	local head
	head, why = peer:read(16)
	if not head then return nil, why end
	local length, answered, code = bson.get32(head, 1), bson.get32(head, 9), bson.get32(head, 13)
	if answered ~= number or code ~= OP_MSG then return nil, "no message of MongoDB's", true end
	if length < 26 or length > REPLY_BYTES then return nil, "a message of " .. length .. " bytes", true end
	local rest
	rest, why = peer:read(length - 16)
	if not rest then return nil, why end
	local document = rest:byte(5) == 0 and bson.decode(rest, 6)
	if not document then return nil, "a malformed document", true end
	return document
end

local function count(databases)
	local n = 0
	for _ in pairs(databases) do n = n + 1 end
	return n
end

return function(peer)
	local hello, why, foreign = run(peer, 1, { { "hello", 1 } })
	if hello and hello.ok ~= 1 and hello.code == NO_SUCH_COMMAND then
		hello, why, foreign = run(peer, 1, { { "isMaster", 1 } })
	end
	if not hello then return foreign and finding.other(why) or finding.silent(why) end
	if hello.ok == nil then return finding.other("hello got a document without ok") end
	local build = run(peer, 2, { { "buildInfo", 1 } })
	local version = build and build.ok == 1 and type(build.version) == "string" and build.version:match("^[%w.-]+$")
	local more = {
		service = "mongodb", product = "MongoDB", version = version or nil,
		cpe = version and "cpe:/a:mongodb:mongodb:" .. version:lower() or nil,
		wire_version = type(hello.maxWireVersion) == "number" and hello.maxWireVersion or nil,
	}
	local list, failure = run(peer, 3, { { "listDatabases", 1 }, { "nameOnly", true } })
	if not list then return finding.refused("listDatabases: " .. failure, more) end
	if list.ok == 1 and type(list.databases) == "table" then
		more.databases = count(list.databases)
		return finding.open("hello and listDatabases answered", more)
	end
	if list.code == UNAUTHORIZED or list.code == AUTHENTICATION_FAILED then
		return finding.closed("listDatabases got error " .. list.code .. " (Unauthorized)", more)
	end
	return finding.refused("listDatabases got error " .. tostring(list.code), more)
end
