-- SPDX-License-Identifier: BSD-3-Clause
-- What `--check-plugin` gives to a plugin's tests: the `test` table, and a scripted network and a
-- table of files in place of the real ones. Runs once in each VM of a lane for tests, after lane.lua
-- and before the plugin, with the real globals. Returns the table, and the function that runs a case.
--
-- Nothing here waits, so a case runs in one piece.
local prtip, private = ...

local error, ipairs, newproxy, next, pcall = error, ipairs, newproxy, next, pcall
local rawequal, rawget, rawset, select = rawequal, rawget, rawset, select
local setmetatable, tonumber, tostring, type = setmetatable, tonumber, tostring, type
local concat, floor, insert, remove = table.concat, math.floor, table.insert, table.remove
local byte, find, format = string.byte, string.find, string.format
local gsub, match, sub = string.gsub, string.match, string.sub
local real_add_result = prtip.add_result
local REFUSED = "Connection refused"
local CASES = 1000 -- in one file
local LEVELS = { debug = true, info = true, warn = true, error = true }
-- Hooks whose first argument is the target that prtip.get_target() gives meanwhile.
local OF_TARGET = { on_target = true, probe_service = true, format_result = true }
-- Hooks that belong to a result; any other runs once, and there is no target in it.
local OF_RESULT = { on_target = true, probe_service = true, format_result = true, analyze_banner = true }

local test = {}
local cases, named = {}, {}

-- The world of one case. call: the hook that test.call() runs, {name, target, path}.
local running, call, servers, ports, files, results, logs, connections

local function reset()
	call, servers, ports, files = nil, {}, {}, {}
	results, logs, connections = {}, {}, {}
end

-- ---- Arguments ----

local function copy(from)
	local to = {}
	for key, value in next, from do to[key] = value end
	return to
end

-- Of the function at level 2, whose caller is to blame.
local function expect(value, wanted, what)
	if type(value) ~= wanted then
		error(format("%s must be a %s, not a %s", what, wanted, type(value)), 3)
	end
	return value
end

local function is_port(port)
	return type(port) == "number" and port >= 1 and port <= 65535 and port == floor(port)
end

local function check_port(port)
	if not is_port(tonumber(port)) then error("a port is a whole number from 1 to 65535", 3) end
	return tonumber(port)
end

-- An IPv6 address has many texts; private.ip() gives the one that a scan writes, or nil.
local function is_ip(ip)
	return private.ip(ip) ~= nil
end

local function same_ip(a, b)
	return type(a) == "string" and (private.ip(a) or a) == (private.ip(b) or b)
end

local function key_of(ip, port, protocol)
	return format("%s %d/%s", private.ip(ip) or ip, port, protocol or "tcp")
end

-- "tcp" or "udp", of a function at level 2.
local function check_protocol(protocol, what)
	if protocol == nil then return "tcp" end
	if protocol ~= "tcp" and protocol ~= "udp" then error(what .. ": protocol is tcp or udp", 3) end
	return protocol
end

-- ---- Comparing ----

local ESCAPES = { ["\r"] = "\\r", ["\n"] = "\\n", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function escape(c)
	return ESCAPES[c] or format("\\%03d", byte(c))
end

local function show(value)
	if type(value) == "string" then
		if #value > 200 then value = sub(value, 1, 200) .. "..." end
		return '"' .. gsub(value, '[%c"\\]', escape) .. '"'
	end
	if type(value) == "number" or type(value) == "boolean" or value == nil then return tostring(value) end
	return "a " .. type(value) -- more would tell where memory lies
end

-- Where the two differ and how, or nil. seen: pairs that are being compared.
local function difference(a, b, where, seen)
	if rawequal(a, b) or (a ~= a and b ~= b) then return nil end
	if type(a) ~= "table" or type(b) ~= "table" then
		if type(a) ~= "table" and type(b) ~= "table" and a == b then return nil end
		return format("%sexpected %s, got %s", where ~= "value" and where .. ": " or "", show(b),
			show(a))
	end
	if seen[a] == b then return nil end
	seen[a] = b
	for key, value in next, b do
		local place = type(key) == "string" and where .. "." .. key or where .. "[" .. show(key) .. "]"
		local why = difference(rawget(a, key), value, place, seen)
		if why then return why end
	end
	for key, value in next, a do
		if rawget(b, key) == nil then
			return format("%s%s: expected nothing, got %s", where, "[" .. show(key) .. "]", show(value))
		end
	end
end

function test.equal(got, wanted)
	local why = difference(got, wanted, "value", {})
	if why then error(why, 2) end
end

function test.ok(value, message)
	if not value then error(message or "expected a true value, got " .. show(value), 2) end
	return value
end

function test.fails(run, piece)
	expect(run, "function", "test.fails: what is to fail")
	local ok, why = pcall(run)
	if ok then error("it did not fail", 2) end
	if piece and not find(type(why) == "string" and why or show(why), piece, 1, true) then
		error(format("expected an error with %s, got %s", show(piece), show(why)), 2)
	end
	return why
end

-- ---- Cases ----

function test.case(name, run)
	expect(name, "string", "test.case: the name")
	expect(run, "function", "test.case: what follows the name")
	name = gsub(name, "%c", " ")
	if running then error("test.case: not within a case", 2) end
	if named[name] then error(format("test.case: %s is there twice", show(name)), 2) end
	if #cases == CASES then error(format("test.case: over %d cases in one file", CASES), 2) end
	named[name] = true
	insert(cases, { name = name, run = run })
end

-- A server that was sent something else than its script expects explains why the rest failed.
local function complaint()
	for _, connection in next, connections do
		local step = connection.script[connection.at]
		if step and step.expect and connection.sent ~= "" then
			return format("the server %s expected %s and was sent %s", connection.name,
				show(step.expect), show(connection.sent))
		end
	end
end

local function run_case(number)
	if number == 0 then
		local names = {}
		for i = 1, #cases do names[i] = cases[i].name end
		return concat(names, "\n")
	end
	local case = cases[number] or error("no such case", 0)
	running = true
	reset()
	local ok, why = pcall(case.run)
	local more = complaint()
	if not ok and more and type(why) == "string" and why ~= "not enough memory" then
		why = why .. "; " .. more
	end
	if not ok then error(why, 0) end
	if more then error(more, 0) end
end

-- ---- Calling hooks ----

local FIELDS = {} -- those that a scan's results have
for _, name in ipairs(private.fields) do FIELDS[name] = true end

-- As a scan writes a target. RFC 5952 section 6: a port needs brackets around the address.
local function target_text(fields)
	local ip, protocol = tostring(fields.ip), fields.protocol
	ip = private.ip(ip) or ip
	if not fields.port then return format("%s/%s", ip, protocol) end
	return format(find(ip, ":", 1, true) and "[%s]:%s/%s" or "%s:%s/%s", ip, fields.port, protocol)
end

local function unknown_field(what, name)
	return format("%s: %s is not known; the fields are %s", what, show(name), concat(private.fields, " "))
end

-- A case may change it before a hook has it. A field that there is not would make it pass for nothing.
local AS_IN_A_SCAN = {
	__metatable = false,
	__tostring = target_text,
	__newindex = function(fields, name, value)
		if call then error("read-only; keep your own values in a table of your own", 2) end
		if not FIELDS[name] then error(unknown_field("a target or result", name), 2) end
		rawset(fields, name, value)
	end,
}

-- Of the function at level 2, whose caller is to blame.
local function check_fields(fields, what)
	if fields == nil then return {} end
	if type(fields) ~= "table" then
		error(format("%s: the fields must be a table, not a %s", what, type(fields)), 3)
	end
	for name in next, fields do
		if not FIELDS[name] then error(unknown_field(what, name), 3) end
	end
	return fields
end

local function with_defaults(fields, defaults)
	local to = copy(defaults)
	for key, value in next, fields do to[key] = value end
	to.protocol = to.protocol or to.proto or "tcp"
	to.proto = to.protocol
	return setmetatable(to, AS_IN_A_SCAN)
end

local PORTLESS = { icmp = true, arp = true, ndp = true }

local function default_port(fields)
	return not PORTLESS[fields.protocol or fields.proto] and 80 or nil
end

function test.target(fields)
	fields = check_fields(fields, "test.target")
	return with_defaults(fields, { ip = "198.18.0.1", port = default_port(fields) })
end

-- What a scan of each protocol finds where there is something.
local REASONS = {
	tcp = "syn-ack", udp = "udp-response", sctp = "init-ack",
	icmp = "echo-reply", arp = "arp-response", ndp = "nd-response",
}

function test.result(fields)
	fields = check_fields(fields, "test.result")
	local protocol = fields.protocol or fields.proto or "tcp"
	return with_defaults(fields, {
		ip = "198.18.0.1", port = default_port(fields), state = PORTLESS[protocol] and "up" or "open",
		reason = REASONS[protocol], ttl = 64, rtt_us = 412, ts = "2026-01-31T12:00:00.123456Z",
	})
end

local function unchanged(name, given, before)
	for i = 1, #before do
		if before[i] and difference(given[i], before[i], "value", {}) then
			error(format("%s changed its argument %d; in a scan that is read-only", name, i), 0)
		end
	end
end

-- What a call returned, or raised, as the caller of test.call() is to see it.
local function after(before, name, given, snapshot, ok, ...)
	call = before
	if not ok then error((...), 0) end
	unchanged(name, given, snapshot)
	return ...
end

function test.call(name, ...)
	expect(name, "string", "test.call: the hook's name")
	local hook = private.global(name)
	if type(hook) ~= "function" then
		error(format("test.call: main.lua defines no function %s", name), 2)
	end
	local given, snapshot, before = { ... }, {}, call
	call = { name = name, of_result = OF_RESULT[name] }
	for i = 1, select("#", ...) do
		-- What on_load gets is the plugin's own.
		snapshot[i] = type(given[i]) == "table" and name ~= "on_load" and copy(given[i]) or false
	end
	if OF_TARGET[name] then
		call.target = type(given[1]) == "table" and given[1] or nil
		call.result = type(given[2]) == "table" and given[2] or call.target
	elseif name == "analyze_banner" then
		call.target = test.result({ banner = given[1] })
		call.result = call.target
	elseif name == "export" then
		call.path = given[2]
	end
	return after(before, name, given, snapshot, pcall(hook, ...))
end

function test.results()
	return results
end

function test.logs()
	return logs
end

-- ---- What needs no capability ----

function prtip.log(level, message)
	if not LEVELS[level] then error("log: the level is debug, info, warn or error", 2) end
	if type(message) ~= "string" and type(message) ~= "number" then
		error("log: the message must be a string", 2)
	end
	if logs then insert(logs, { level = level, message = tostring(message) }) end
end

function prtip.get_target()
	return call and call.target
end

prtip.target_info = setmetatable({}, {
	__index = function(_, key)
		if not call or not call.target then return nil end
		local value = call.result[key]
		if value == nil then value = call.target[key] end
		return value
	end,
	__newindex = function()
		error("read-only", 2)
	end,
	__metatable = false,
})

local function copy_deep(value)
	if type(value) ~= "table" then return value end
	local to = {}
	for key, item in next, value do to[key] = copy_deep(item) end
	return to
end

-- The real one says what is wrong with a value; it takes what one record may have for a whole case.
function prtip.add_result(key, value)
	if call and not call.of_result then error("add_result: there is no target here", 2) end
	local ok, why = pcall(real_add_result, key, value)
	if not ok then error((gsub(tostring(why), "^[^:]*:%d+: ", "")), 2) end
	if results then results[key] = copy_deep(value) end
end

-- ---- The scripted network ----

local STEPS = { expect = "string", reply = "string", close = "boolean", timeout = "boolean" }

local function check_step(step, number)
	if type(step) ~= "table" or next(step) == nil then
		error(format("test.server: step %d must be a table like {reply = \"...\"}", number), 3)
	end
	for key, value in next, step do
		local refuse = key == "refuse" and number == 1 and (value == true or type(value) == "string")
		if not refuse and type(value) ~= STEPS[key] then
			error(format("test.server: step %d: %s = %s is not known; a step has expect, reply, "
				.. "close, timeout, or (the first) refuse", number, show(key), show(value)), 3)
		end
	end
	if step.timeout and step.expect then
		error(format("test.server: step %d: expect and timeout are two steps", number), 3)
	end
end

function test.server(ip, port, script)
	expect(ip, "string", "test.server: the address")
	expect(script, "table", "test.server: the script")
	port = check_port(port)
	for i = 1, #script do check_step(script[i], i) end
	if not servers then error("test.server: only within a case", 2) end
	servers[key_of(ip, port, script.protocol)] = script
end

function test.ports(ip, states, protocol)
	expect(ip, "string", "test.ports: the address")
	expect(states, "table", "test.ports: the states")
	protocol = check_protocol(protocol, "test.ports")
	if not ports then error("test.ports: only within a case", 2) end
	for port, state in next, states do ports[key_of(ip, check_port(port), protocol)] = state end
end

local sockets = setmetatable({}, { __mode = "k" })

-- Why there can be no connection from here, as in a scan.
local function denied(ip)
	if not call then return false end
	if call.name == "on_load" or call.name == "on_unload" then return true end
	return not private.whole_scan and not (call.target and same_ip(call.target.ip, ip))
end

-- Let the server go on as far as it can: until it has to wait for the plugin.
local function advance(connection)
	while not connection.over do
		local step = connection.script[connection.at]
		if not step or step.close and not step.expect and not step.reply then
			connection.over = true
			return
		end
		if step.expect then
			local _, last = find(connection.sent, step.expect, 1, true)
			if not last then return end
			connection.sent = sub(connection.sent, last + 1)
		end
		if step.timeout and not connection.timed_out then return end
		connection.timed_out = false
		if step.reply and step.reply ~= "" then insert(connection.chunks, step.reply) end
		if step.close then connection.over = true end
		connection.at = connection.at + 1
	end
end

local function socket(sock, name)
	local connection = type(sock) == "userdata" and sockets[sock]
	if not connection then
		error(format("bad argument #1 to '%s' (a socket expected, got %s)", name, show(sock)), 3)
	end
	if connection.closed then error(format("%s: this socket is closed", name), 3) end
	return connection
end

local function seconds(value, name)
	if value ~= nil and not (type(value) == "number" and value >= 0 and value <= 1e9) then
		error(name .. ": seconds must be 0 or more", 3)
	end
end

local function handshake(connection, options)
	local script = connection.server
	if not script.tls or connection.refuses_tls then
		connection.over = true
		return nil, "TLS handshake failed: the server does not speak TLS"
	end
	connection.tls = script.tls == true and { protocol = "TLSv1.3", cipher = "TLS_AES_128_GCM_SHA256" }
		or copy_deep(script.tls)
	if type(options) == "table" and connection.tls.server_name == nil then
		connection.tls.server_name = options.server_name
	end
	connection.script, connection.over = script, false
	return true
end

local function new_connection(server, ip, port, protocol)
	-- Without TLS, one that speaks TLS at once has nothing to say.
	local script = server.tls and not server.starttls and {} or server
	return {
		server = server, name = format(find(ip, ":", 1, true) and "[%s]:%d" or "%s:%d", ip, port), protocol = protocol, script = script,
		at = 1, sent = "", chunks = {},
	}
end

function prtip.connect(ip, port, options)
	private.need_network("connect")
	expect(ip, "string", "connect: the address")
	port = check_port(port)
	if not is_ip(ip) then return nil, "not an IP address" end
	if options ~= nil then expect(options, "table", "connect: what follows the port") end
	options = options or {}
	seconds(options.timeout, "connect")
	local protocol = check_protocol(options.protocol, "connect")
	if protocol == "udp" and options.tls then error("connect: no TLS over udp", 2) end
	if denied(ip) then return nil, "denied" end
	local server = servers and servers[key_of(ip, port, protocol)]
	if not server and protocol == "udp" then server = { { timeout = true } } end
	if not server then return nil, REFUSED end
	local refuse = server[1] and server[1].refuse
	if refuse then return nil, refuse == true and REFUSED or refuse end
	local connection = new_connection(server, ip, port, protocol)
	if options.tls then
		connection.refuses_tls = server.starttls
		local ok, why = handshake(connection, options.tls)
		if not ok then return nil, why end
	end
	local sock = newproxy(false)
	sockets[sock] = connection
	insert(connections, connection)
	return sock
end

function prtip.send(sock, data, timeout)
	private.need_network("send")
	local connection = socket(sock, "send")
	if type(data) == "number" then data = tostring(data) end
	expect(data, "string", "send: the data")
	seconds(timeout, "send")
	advance(connection)
	if connection.over and connection.protocol == "tcp" and connection.script[connection.at] then
		return nil, "closed by the peer"
	end
	connection.sent = connection.sent .. data
	advance(connection)
	return #data
end

function prtip.receive(sock, most, timeout)
	private.need_network("receive")
	local connection = socket(sock, "receive")
	if type(most) ~= "number" or most < 1 or most ~= floor(most) then
		error("receive: max_bytes must be a whole number, at least 1", 2)
	end
	seconds(timeout, "receive")
	advance(connection)
	local chunk = connection.chunks[1]
	if chunk then
		if #chunk <= most or connection.protocol == "udp" then
			remove(connection.chunks, 1)
		else
			connection.chunks[1] = sub(chunk, most + 1)
		end
		return sub(chunk, 1, most)
	end
	if connection.over and connection.protocol == "tcp" then return "" end
	local step = connection.script[connection.at]
	if step and step.timeout then connection.timed_out = true end
	return nil, "timeout"
end

function prtip.close(sock)
	private.need_network("close")
	local connection = type(sock) == "userdata" and sockets[sock]
	if not connection then socket(sock, "close") end
	connection.closed = true
	return true
end

function prtip.start_tls(sock, options)
	private.need_network("start_tls")
	local connection = socket(sock, "start_tls")
	if options ~= nil then
		expect(options, "table", "start_tls: what follows the socket")
		seconds(options.timeout, "start_tls")
	end
	if connection.tls then return nil, "TLS already" end
	if connection.protocol == "udp" then return nil, "no TLS over udp" end
	return handshake(connection, options)
end

function prtip.tls_info(sock)
	private.need_network("tls_info")
	local connection = socket(sock, "tls_info")
	if not connection.tls then return nil, "no TLS on this socket" end
	return copy_deep(connection.tls)
end

-- The server at the end of a connection that tls_probe is given, and closes.
local function server_of(connection)
	connection.closed = true
	if connection.tls then return nil, "TLS already" end
	advance(connection)
	local closed = connection.over and connection.script[connection.at]
	if closed or not connection.server.starttls then return nil, "closed without an answer" end
	return connection.server
end

function prtip.tls_probe(ip, port, options)
	private.need_network("tls_probe")
	expect(ip, "string", "tls_probe: the address")
	port = check_port(port)
	if options ~= nil then expect(options, "table", "tls_probe: what follows the port") end
	if not is_ip(ip) then return nil, "not an IP address" end
	options = options or {}
	local server, why
	if options.sock ~= nil then
		server, why = server_of(socket(options.sock, "tls_probe"))
	elseif denied(ip) then
		return nil, "denied"
	else
		server, why = servers and servers[key_of(ip, port)], REFUSED
		local refuse = server and server[1] and server[1].refuse
		if refuse then return nil, refuse == true and REFUSED or refuse end
	end
	if not server then return nil, why end
	local hello = server.hello
	if type(hello) == "function" then return hello(options) end
	if hello == nil then return nil, "closed without an answer" end
	return copy_deep(hello)
end

function prtip.scan_port(ip, port, protocol)
	private.need_network("scan_port")
	expect(ip, "string", "scan_port: the address")
	port = check_port(port)
	protocol = check_protocol(protocol, "scan_port")
	if not is_ip(ip) then return nil, "not an IP address" end
	if denied(ip) then return nil, "denied" end
	local key = key_of(ip, port, protocol)
	if ports and ports[key] then return ports[key] end
	local server = servers and servers[key]
	if not server and protocol == "udp" then return "no-answer" end
	return server and not (server[1] and server[1].refuse) and "open" or "closed"
end

function prtip.sleep(time)
	private.need_network("sleep")
	expect(time, "number", "sleep: the time")
	seconds(time, "sleep")
	return true
end

-- ---- Files ----

-- The table of files, by name; what it is given comes to what is there.
function test.files(given)
	if not files then error("test.files: only within a case", 2) end
	for name, data in next, given or {} do files[name] = data end
	return files
end

local function file_name(name, what)
	if not call or not call.path or call.path ~= name then private.need_filesystem(what) end
	if type(name) ~= "string" or name == "" or #name > 1020 or find(name, "\0", 1, true) then
		error(what .. ": a name of 1 to 1020 bytes without NUL", 3)
	end
	-- Before a case, what on_load writes goes nowhere.
	return files or {}, (sub(name, 1, 1) == "/" or find("/" .. name .. "/", "/../", 1, true))
		and not (call and call.path == name)
end

function prtip.read_file(name)
	local all, outside = file_name(name, "read_file")
	if outside then return nil, "denied" end
	if all[name] == nil then return nil, "No such file or directory" end
	return all[name]
end

local function put(name, data, what, append)
	local all, outside = file_name(name, what)
	if type(data) ~= "string" then error(what .. ": the data must be a string", 3) end
	if outside then return nil, "denied" end
	all[name] = (append and all[name] or "") .. data
	return true
end

function prtip.write_file(name, data)
	return put(name, data, "write_file", false)
end

function prtip.append_file(name, data)
	return put(name, data, "append_file", true)
end

return test, run_case
